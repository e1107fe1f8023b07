//! Looking up: what many threads do at once, without waiting for each other or for the writer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::epoch::Seat;
use crate::key::{HashKey, Key, Place, SplitHash};
use crate::prefetch::prefetch;
use crate::record::{Record, RecordPtr};
use crate::slot::Kind;
use crate::state::State;
use crate::statistics::Statistics;
use crate::table::{Probe, Table};

/// Keys looked up side by side: as many cache misses as a core keeps under way, twice over.
pub const BATCH: usize = 32;

/// Cache lines of a record that are asked for before its length is known: a record of typical size.
const RECORD_LINES: usize = 3;

/// What all threads hold of an index: a handle to make readers from, and its figures.
#[derive(Clone)]
pub struct Shared {
    state: Arc<State>,
}

impl Shared {
    /// The first handle.
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self { state }
    }

    /// A reader, for one thread at a time. Takes a lock and allocates: make it once a thread, not once a question.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader { seat: self.state.clock.join(), state: Arc::clone(&self.state) }
    }

    /// The figures of this moment.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.state.counters.read()
    }

    /// The secret by which this index's keys are hashed.
    #[must_use]
    pub fn hash_key(&self) -> &HashKey {
        &self.state.hash_key
    }
}

/// One thread's way into the index.
pub struct Reader {
    state: Arc<State>,
    seat: Arc<Seat>,
}

impl Reader {
    /// Holds what is found until the pin is dropped. Costs one store and one fence. Meanwhile the writer goes on, but
    /// the memory of what it replaces is not reused: hold a pin for a batch of answers, not for a wait.
    pub fn pin(&mut self) -> Pin<'_> {
        self.seat.enter(&self.state.clock);
        Pin { reader: self }
    }

    /// The secret by which this index's keys are hashed.
    #[must_use]
    pub fn hash_key(&self) -> &HashKey {
        &self.state.hash_key
    }
}

impl Drop for Reader {
    /// Gives up the seat, even when a pin was forgotten instead of dropped.
    fn drop(&mut self) {
        self.seat.vacate();
    }
}

/// What a look-up says of a key.
#[derive(Clone, Copy, Debug)]
pub enum Found<'p> {
    /// There is no entry.
    Absent,
    /// The record, its key compared.
    Resident(Record<'p>),
    /// An entry with this hash is in the store; its key is **not** compared, and very rarely is another one. The first
    /// of possibly several, see [`Pin::cold_candidates`].
    Cold(Place),
}

/// The index as it can be read while pinned. Each look-up sees every write that was done before it began.
pub struct Pin<'r> {
    reader: &'r Reader,
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        self.reader.seat.leave();
    }
}

impl Pin<'_> {
    /// The table of this moment.
    fn table(&self) -> &Table {
        // SAFETY: the root always leads to a table (`State::new`), and tables are freed through the limbo only: `Reader::pin`
        // entered the seat before this load and `drop` leaves it after the last use of `self`.
        let table = unsafe { &*self.reader.state.root.load(Ordering::Acquire) };
        table.witness.note_read();
        table
    }

    /// Looks up `keys`, writing what is found of each to the same position in `found`; should one be longer than the other, the
    /// rest is left alone. Works in passes over [`BATCH`] keys (slots, then records), so that their cache misses overlap. Never
    /// allocates, locks or waits.
    pub fn find<'p>(&'p self, keys: &[Key<'_>], found: &mut [Found<'p>]) {
        let table = self.table();
        for (keys, found) in keys.chunks(BATCH).zip(found.chunks_mut(BATCH)) {
            self.find_side_by_side(table, keys, found);
        }
    }

    /// Looks up one key; as [`Pin::find`].
    #[must_use]
    pub fn find_one<'p>(&'p self, key: Key<'_>) -> Found<'p> {
        let table = self.table();
        let mut probe = Probe::new(table, SplitHash::new(key.hash));
        let candidate = probe.next_resident(table);
        self.settle(table, key.bytes, &mut probe, candidate)
    }

    /// Puts the places of the cold entries with this key's hash into `places`, in no order, and says how many there are in all:
    /// more than one only when keys share a whole hash, so a handful of places is plenty; if the number is larger than
    /// `places`, ask again with room for all.
    #[must_use]
    pub fn cold_candidates(&self, key: Key<'_>, places: &mut [Place]) -> usize {
        let table = self.table();
        let mut probe = Probe::new(table, SplitHash::new(key.hash));
        let mut count = 0;
        while let Some((at, word)) = probe.next(table) {
            if let Kind::Cold(place) = word.kind()
                && table.home_at(at) == probe.split().home
            {
                if let Some(slot) = places.get_mut(count) {
                    *slot = place;
                }
                count += 1;
            }
        }
        count
    }

    /// [`Pin::find`] for at most [`BATCH`] keys.
    fn find_side_by_side<'p>(&'p self, table: &Table, keys: &[Key<'_>], found: &mut [Found<'p>]) {
        let mut searches = [(Probe::ENDED, None); BATCH];
        for (key, (probe, _)) in keys.iter().zip(&mut searches) {
            let split = SplitHash::new(key.hash);
            table.prefetch_home(split);
            *probe = Probe::new(table, split);
        }
        for (_, (probe, candidate)) in keys.iter().zip(&mut searches) {
            *candidate = probe.next_resident(table);
            if let Some(record) = candidate {
                prefetch(record.start(), RECORD_LINES);
            }
        }
        for ((key, (probe, candidate)), found) in keys.iter().zip(&mut searches).zip(found) {
            *found = self.settle(table, key.bytes, probe, *candidate);
        }
    }

    /// Compares keys from `candidate` on, until one is the right one or the search ends.
    fn settle<'p>(
        &'p self,
        table: &Table,
        key: &[u8],
        probe: &mut Probe,
        mut candidate: Option<RecordPtr>,
    ) -> Found<'p> {
        while let Some(pointer) = candidate {
            // SAFETY: it was read from a slot of a table reachable while pinned, and records leave the table through the limbo
            // only, so it lives until the seat is left, which borrowing `self` for `'p` puts after the last use.
            let record: Record<'p> = unsafe { pointer.view() };
            if record.key() == key {
                record.mark();
                return Found::Resident(record);
            }
            candidate = probe.next_resident(table);
        }
        probe.cold().map_or(Found::Absent, Found::Cold)
    }
}
