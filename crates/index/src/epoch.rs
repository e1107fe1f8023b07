//! When memory that readers may still see can be given back.
//!
//! The scheme is epoch-based reclamation cut down to one writer. A clock counts up; a reader that pins writes the time
//! it saw into its own seat, and zero when it unpins; what the writer takes out of the table waits in a [`Limbo`] with
//! the time of its removal, and is freed once every seat is empty or later than that.
//!
//! Why this is safe, for a thing `X` removed at time `t`. The writer removes `X`, then (later) moves the clock past
//! `t`, executes a sequentially consistent fence and reads the seats. A reader writes its seat, executes such a fence
//! and only then loads the root or a slot. The fences are totally ordered:
//!
//! - Writer's first: the reader's loads come after the removal, so it cannot find `X`.
//! - Reader's first: the writer sees the seat as this pin or a later one left it. If it is this pin's and at most `t`,
//!   `X` stays. If it is this pin's and later than `t`, the reader saw the clock after the removal, so it cannot find
//!   `X`. If a later pin or none, the release store that wrote it came after all the reader did under this pin.
//!
//! A pin costs one store and one fence. Readers free nothing, allocate nothing and never wait; how much waits for them
//! is known exactly, and the writer counts it against the budget. These are the reasons not to use a general-purpose
//! collector here; being testable under shuttle is another.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::record::RecordPtr;
use crate::sync::{AtomicU64, Mutex, discard, fence};
use crate::table::Table;

/// What a seat holds while its reader is not pinned; the clock starts above it.
const UNPINNED: u64 = 0;

/// What a seat holds when its reader is gone; later than any time.
const VACATED: u64 = u64::MAX;

/// Where one reader says since when it is pinned. Alone in its cache lines: each pin writes it.
#[repr(align(128))]
pub(crate) struct Seat {
    since: AtomicU64,
}

impl Seat {
    /// Pins: nothing that can be found from now on is freed before [`Seat::leave`].
    pub(crate) fn enter(&self, clock: &Clock) {
        let now = clock.now.load(Ordering::Acquire);
        // Release, so that the writer, seeing this pin, has seen all that was done under the ones before.
        self.since.store(now, Ordering::Release);
        // Between the store and every later load of root or slots: see the module's page.
        fence(Ordering::SeqCst);
    }

    /// Unpins.
    pub(crate) fn leave(&self) {
        self.since.store(UNPINNED, Ordering::Release);
    }

    /// Unpins for good. The writer forgets the seat when it has seen this, and with it all that the reader did.
    pub(crate) fn vacate(&self) {
        self.since.store(VACATED, Ordering::Release);
    }
}

/// The time of removals, and the readers' seats.
pub(crate) struct Clock {
    now: AtomicU64,
    seats: Mutex<Vec<Arc<Seat>>>,
}

impl Clock {
    /// A clock without readers.
    pub(crate) fn new() -> Self {
        Self { now: AtomicU64::new(UNPINNED + 1), seats: Mutex::new(Vec::new()) }
    }

    /// A seat for one more reader. Not for the look-up path: takes a lock and allocates.
    pub(crate) fn join(&self) -> Arc<Seat> {
        let seat = Arc::new(Seat { since: AtomicU64::new(UNPINNED) });
        self.seats.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&seat));
        seat
    }

    /// Moves the clock on and says since when the longest-pinned reader is: what was removed before that time is seen
    /// by nobody. Forgets the seats of readers that are gone. Writer only.
    fn oldest_pin(&self) -> u64 {
        let now = self.now.load(Ordering::Relaxed);
        self.now.store(now + 1, Ordering::Release);
        // Between the removals and the look at the seats: see the module's page.
        fence(Ordering::SeqCst);
        let mut oldest = u64::MAX;
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        // A reader that joins after this look gets the lock after us, so it sees the removals.
        seats.retain(|seat| {
            let since = seat.since.load(Ordering::Acquire);
            if since != UNPINNED {
                oldest = oldest.min(since);
            }
            since != VACATED
        });
        oldest
    }
}

/// What waits to be freed.
pub(crate) enum Garbage {
    /// A record no slot leads to.
    Record(RecordPtr),
    /// A table that is no longer the root's. Its records live on in the next one.
    Table(Arc<Table>),
}

/// Removed things, oldest first.
#[derive(Default)]
pub(crate) struct Limbo {
    waiting: VecDeque<(u64, Garbage)>,
}

/// What a [`Limbo::release`] freed.
#[derive(Default, Clone, Copy)]
pub(crate) struct Freed {
    /// Bytes that had been charged for records.
    pub(crate) record_bytes: u64,
    /// Bytes of tables.
    pub(crate) table_bytes: u64,
}

impl Limbo {
    /// How many things wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a thing to be freed when no reader can see it.
    ///
    /// # Safety
    /// The thing was reachable from the root of the index that has this `clock`, no longer is for loads that see the
    /// caller's stores, and is retired once, by the writer of that index.
    pub(crate) unsafe fn retire(&mut self, clock: &Clock, garbage: Garbage) {
        self.waiting.push_back((clock.now.load(Ordering::Relaxed), garbage));
    }

    /// Frees what no reader can see any more.
    pub(crate) fn release(&mut self, clock: &Clock) -> Freed {
        let oldest = clock.oldest_pin();
        let mut freed = Freed::default();
        while self.waiting.front().is_some_and(|(removed, _)| *removed < oldest) {
            let Some((_, garbage)) = self.waiting.pop_front() else { break };
            // SAFETY: `retire`'s caller upholds that it was removed by then, and every pinned reader pinned later than
            // that: see the module's page. It left the queue, so this is the only time.
            unsafe { garbage.free(&mut freed) };
        }
        freed
    }

    /// Frees everything.
    ///
    /// # Safety
    /// No reader of the index exists any more.
    pub(crate) unsafe fn release_all(&mut self) {
        for (_, garbage) in self.waiting.drain(..) {
            // SAFETY: the caller upholds that nobody can see it; draining gives each thing once.
            unsafe { garbage.free(&mut Freed::default()) };
        }
    }
}

impl Garbage {
    /// Frees the thing and counts it.
    ///
    /// # Safety
    /// No reader can see the thing, and it is freed once.
    unsafe fn free(self, freed: &mut Freed) {
        match self {
            Self::Record(record) => {
                // SAFETY: retired records came from a slot, so from `allocate`; the caller upholds the rest.
                unsafe {
                    freed.record_bytes += record.view().charge();
                    record.free();
                }
            }
            Self::Table(table) => {
                freed.table_bytes += table.bytes();
                discard(table);
            }
        }
    }
}
