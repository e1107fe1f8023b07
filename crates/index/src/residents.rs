//! The resident records as a whole: their budget, who has to leave, and what still waits for readers.

use std::mem;
use std::sync::Arc;

use crate::config::{RECLAIM_EVERY, SWEEP_SLOTS, WAITING_SHARE};
use crate::epoch::{Garbage, Limbo};
use crate::key::{Key, Place, SplitHash};
use crate::record::{self, RecordPtr};
use crate::slot::{Kind, Word};
use crate::state::State;
use crate::statistics::Statistics;
use crate::table::{SLOT_BYTES, Table};

/// The writer's side of the resident records. Invariant: `figures.arena_bytes` + `figures.waiting_bytes` is at most
/// `budget_bytes`.
pub(crate) struct Residents {
    budget_bytes: u64,
    /// The slot the clock hand looks at next.
    hand: usize,
    limbo: Limbo,
    /// How many things wait when the next look for free ones is due.
    next_reclaim: usize,
    /// The figures of the whole index, exact; published after each change.
    pub(crate) figures: Statistics,
}

impl Residents {
    /// No records yet.
    pub(crate) fn new(budget_bytes: u64) -> Self {
        Self {
            budget_bytes,
            hand: 0,
            limbo: Limbo::default(),
            next_reclaim: RECLAIM_EVERY,
            figures: Statistics::default(),
        }
    }

    /// The word for an entry: resident if there is room, else cold. A resident record made here must be published.
    pub(crate) fn admit(
        &mut self,
        state: &State,
        table: &Table,
        key: Key<'_>,
        body: &[u8],
        place: Place,
        marked: bool,
    ) -> Word {
        let split = SplitHash::new(key.hash);
        let resident = record::charge(key.bytes.len(), body.len())
            .filter(|&bytes| self.make_room(state, table, bytes))
            .and_then(|_| RecordPtr::allocate(key.bytes, body, place, marked))
            .and_then(|record| self.take_in(split, record));
        resident.unwrap_or_else(|| {
            self.figures.kept_cold_total += 1;
            Word::cold(split.fingerprint, place)
        })
    }

    /// Counts a new record and makes its word; frees it when its address fits no slot.
    fn take_in(&mut self, split: SplitHash, record: RecordPtr) -> Option<Word> {
        let Some(word) = Word::resident(split.fingerprint, record) else {
            // SAFETY: just allocated, published nowhere.
            unsafe { record.free() };
            return None;
        };
        // SAFETY: just allocated, and freed by nobody but this writer.
        self.figures.arena_bytes += unsafe { record.view() }.charge();
        self.figures.resident += 1;
        Some(word)
    }

    /// Takes a record out of the figures and frees it when readers let go.
    ///
    /// # Safety
    /// The record was in a slot of the current table, and that slot has been overwritten.
    pub(crate) unsafe fn retire(&mut self, state: &State, record: RecordPtr) {
        // SAFETY: the record has not been retired yet (it was in a slot), so it is alive.
        let bytes = unsafe { record.view() }.charge();
        self.figures.arena_bytes -= bytes;
        self.figures.waiting_bytes += bytes;
        self.figures.resident -= 1;
        // SAFETY: no slot leads to it any more (the caller), and a record is in one slot only.
        unsafe { self.limbo.retire(&state.clock, Garbage::Record(record)) };
    }

    /// Frees the old table when readers let go, and keeps the clock hand where it was among the entries.
    ///
    /// # Safety
    /// `old` was the root's table and `new` has replaced it.
    pub(crate) unsafe fn retire_table(&mut self, state: &State, old: Arc<Table>, new: &Table) {
        // Entries keep their order in a table of another size, so the hand moves in proportion.
        let hand = self.hand as u128 * new.len() as u128 / old.len() as u128;
        self.hand = usize::try_from(hand).unwrap_or(0);
        self.figures.table_slots = new.len() as u64;
        self.figures.table_bytes += new.bytes();
        self.figures.rebuilt_total += 1;
        // SAFETY: the caller upholds that the root leads elsewhere now.
        unsafe { self.limbo.retire(&state.clock, Garbage::Table(old)) };
        self.next_reclaim = 0;
    }

    /// Frees what no reader sees any more, if enough waits to make looking worthwhile.
    pub(crate) fn reclaim_if_due(&mut self, state: &State) {
        if self.limbo.len() > 0 && self.limbo.len() >= self.next_reclaim {
            self.reclaim(state);
        }
    }

    /// Frees what no reader sees any more.
    pub(crate) fn reclaim(&mut self, state: &State) {
        let freed = self.limbo.release(&state.clock);
        self.figures.waiting_bytes -= freed.record_bytes;
        self.figures.table_bytes -= freed.table_bytes;
        // While readers hold a replaced table, which is large, look again at every write.
        let holds_table = self.figures.table_bytes > self.figures.table_slots * SLOT_BYTES;
        self.next_reclaim = if holds_table { 0 } else { self.limbo.len() + RECLAIM_EVERY };
    }

    /// Makes room for `bytes` more, evicting if need be; says whether there is.
    fn make_room(&mut self, state: &State, table: &Table, bytes: u64) -> bool {
        let live_limit = self.budget_bytes - self.budget_bytes / WAITING_SHARE;
        if bytes > live_limit {
            return false;
        }
        let mut left = SWEEP_SLOTS;
        while self.figures.arena_bytes + bytes > live_limit {
            if left == 0 {
                return false;
            }
            left -= 1;
            self.turn_hand(state, table);
        }
        if self.figures.arena_bytes + self.figures.waiting_bytes + bytes > self.budget_bytes {
            self.reclaim(state);
        }
        self.figures.arena_bytes + self.figures.waiting_bytes + bytes <= self.budget_bytes
    }

    /// Moves the clock hand over one slot: a record found since it last came by stays, another one goes cold.
    fn turn_hand(&mut self, state: &State, table: &Table) {
        let at = self.hand;
        self.hand = table.next(at);
        let word = table.word(at);
        let Kind::Resident(pointer) = word.kind() else { return };
        // SAFETY: a resident word of the current table leads to a live record; only this writer retires it.
        let record = unsafe { pointer.view() };
        if record.take_mark() {
            return;
        }
        table.publish(at, Word::cold(word.fingerprint(), record.place()));
        self.figures.evicted_total += 1;
        // SAFETY: it was in this slot of the current table, which was overwritten the line above.
        unsafe { self.retire(state, pointer) };
    }

    /// What still waits, for whoever frees it after the writer.
    pub(crate) fn take_limbo(&mut self) -> Limbo {
        mem::take(&mut self.limbo)
    }
}
