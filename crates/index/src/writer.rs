//! Changing the index: what one thread does.

use std::mem;
use std::sync::Arc;

use crate::Full;
use crate::config::{EXPECTED_ENTRIES, MAX_SLOTS, Options, RESIDENT_BUDGET_BYTES};
use crate::key::{Key, Place, SplitHash};
use crate::reader::Shared;
use crate::residents::Residents;
use crate::slot::{Kind, Word};
use crate::state::State;
use crate::table::{Table, is_overfull, slots_after, slots_for};

/// The one that changes the index. A change is visible to every look-up that begins after the call returned; a look-up
/// under way sees the entry as it was or as it is, never a gap between.
///
/// Dropping the writer leaves the index readable as it is.
pub struct Writer {
    state: Arc<State>,
    /// The table the root leads to.
    table: Arc<Table>,
    residents: Residents,
    /// Slots that are not empty: entries and removed ones.
    used: u64,
    /// Slots the table is never made smaller than: what it was made with.
    least_slots: u64,
    /// Slots it is never made larger than.
    most_slots: u64,
}

impl Writer {
    /// What [`crate::new`] does.
    pub(crate) fn new(options: Options) -> (Self, Shared) {
        let slots = slots_for(EXPECTED_ENTRIES.clamp(options.expected_entries as u64));
        let table = Arc::new(Table::new(slots).unwrap_or_else(|_| Table::smallest()));
        let state = Arc::new(State::new(options.hash_key, &table));
        let mut residents = Residents::new(RESIDENT_BUDGET_BYTES.clamp(options.resident_budget_bytes));
        residents.figures.table_slots = table.len() as u64;
        residents.figures.table_bytes = table.bytes();
        let least_slots = table.len() as u64;
        let writer = Self { state: Arc::clone(&state), table, residents, used: 0, least_slots, most_slots: MAX_SLOTS };
        writer.publish_figures();
        (writer, Shared::new(state))
    }

    /// Holds the table to what carries so many entries, a few more included, and never to less than it has now: a bound on its memory.
    pub fn hold_at_most(&mut self, entries: u64) {
        self.most_slots = slots_for(entries).max(self.table.len() as u64);
    }

    /// Puts an entry: a new one, or the next version of one. It becomes resident if the budget allows, else cold.
    ///
    /// `replaces` is the place of the version before; without it, a resident version is still found by its key, but a
    /// cold one is not, and would stay beside the new one.
    ///
    /// # Errors
    /// [`Full`] when the table would have to grow and cannot; nothing has changed then. Never for a version of an
    /// entry that is there.
    pub fn put(&mut self, key: Key<'_>, body: &[u8], place: Place, replaces: Option<Place>) -> Result<(), Full> {
        let split = SplitHash::new(key.hash);
        let at = self.table.locate(split, |kind| match kind {
            // SAFETY: a resident word of the current table leads to a live record; only this writer retires it.
            Kind::Resident(record) => unsafe { record.view() }.key() == key.bytes,
            Kind::Cold(place) => Some(place) == replaces,
            Kind::Empty | Kind::Gone => false,
        });
        match at {
            Some(at) => {
                let word = self.residents.admit(&self.state, &self.table, key, body, place, false);
                self.replace(at, word);
            }
            None => {
                let at = self.vacancy(split)?;
                let word = self.residents.admit(&self.state, &self.table, key, body, place, false);
                self.occupy(at, split, word);
            }
        }
        self.finish();
        Ok(())
    }

    /// Adds a cold entry whose key is known to have none yet: for loading a snapshot.
    ///
    /// # Errors
    /// [`Full`] when the table would have to grow and cannot; nothing has changed then.
    pub fn put_cold(&mut self, hash: u64, place: Place) -> Result<(), Full> {
        let split = SplitHash::new(hash);
        let at = self.vacancy(split)?;
        self.occupy(at, split, Word::cold(split.fingerprint, place));
        self.finish();
        Ok(())
    }

    /// Makes a cold entry resident, from the record the store keeps at `place`; says whether it is resident now.
    /// Nothing happens when the entry is no longer at that place, or there is no room.
    pub fn warm(&mut self, key: Key<'_>, body: &[u8], place: Place) -> bool {
        let split = SplitHash::new(key.hash);
        let Some(at) = self.locate_place(split, place) else { return false };
        if matches!(self.table.word(at).kind(), Kind::Resident(_)) {
            return true;
        }
        // Marked as found: it is wanted now.
        let word = self.residents.admit(&self.state, &self.table, key, body, place, true);
        let resident = matches!(word.kind(), Kind::Resident(_));
        if resident {
            self.replace(at, word);
        }
        self.finish();
        resident
    }

    /// Removes the entry that is at `place`; says whether there was one.
    pub fn remove(&mut self, hash: u64, place: Place) -> bool {
        let Some(at) = self.locate_place(SplitHash::new(hash), place) else { return false };
        self.replace(at, Word::GONE);
        self.residents.figures.entries -= 1;
        self.sweep_gone(at);
        self.finish();
        true
    }

    /// Calls `f` with the hash and the place of every entry, in an order in which loading them into
    /// an index of any size is fast.
    pub fn for_each_place(&self, mut f: impl FnMut(u64, Place)) {
        for (split, word) in self.table.scattered_entries() {
            match word.kind() {
                // SAFETY: a resident word of the current table leads to a live record; only this writer retires it.
                Kind::Resident(record) => f(split.join(), unsafe { record.view() }.place()),
                Kind::Cold(place) => f(split.join(), place),
                Kind::Empty | Kind::Gone => {}
            }
        }
    }

    /// Frees what was replaced and is under no reader's pin any more. Changes do this by and by; call it when there is
    /// nothing to write for a while.
    pub fn reclaim(&mut self) {
        self.residents.reclaim(&self.state);
        self.publish_figures();
    }

    /// The slot of the entry that is at `place`.
    fn locate_place(&self, split: SplitHash, place: Place) -> Option<usize> {
        self.table.locate(split, |kind| match kind {
            // SAFETY: a resident word of the current table leads to a live record; only this writer retires it.
            Kind::Resident(record) => unsafe { record.view() }.place() == place,
            Kind::Cold(cold) => cold == place,
            Kind::Empty | Kind::Gone => false,
        })
    }

    /// A free slot for a new entry, after growth if there must be.
    fn vacancy(&mut self, split: SplitHash) -> Result<usize, Full> {
        let at = self.table.vacancy(split);
        if self.table.word(at) == Word::GONE || !is_overfull(self.table.len() as u64, self.used + 1) {
            return Ok(at);
        }
        self.rebuild()?;
        Ok(self.table.vacancy(split))
    }

    /// Fills a free slot.
    fn occupy(&mut self, at: usize, split: SplitHash, word: Word) {
        self.used += u64::from(self.table.word(at) == Word::EMPTY);
        self.residents.figures.entries += 1;
        self.table.occupy(at, split, word);
    }

    /// Overwrites the slot of an entry.
    fn replace(&mut self, at: usize, word: Word) {
        let old = self.table.word(at);
        self.table.publish(at, word);
        if let Kind::Resident(record) = old.kind() {
            // SAFETY: it was in this slot of the current table, which was overwritten the line above.
            unsafe { self.residents.retire(&self.state, record) };
        }
    }

    /// Turns removed slots that end a run into empty ones. No search goes past them to an entry: the slot after is
    /// empty.
    fn sweep_gone(&mut self, mut at: usize) {
        if self.table.word(self.table.next(at)) != Word::EMPTY {
            return;
        }
        // Ends: an empty slot is never far, and emptied ones stop it too.
        while self.table.word(at) == Word::GONE {
            self.table.publish(at, Word::EMPTY);
            self.used -= 1;
            at = self.table.previous(at);
        }
    }

    /// Moves every entry to a table of the size that suits their number, and publishes that. Readers go on with the
    /// old one until their pins end; until then both take memory, at most 2.25 times the old table.
    fn rebuild(&mut self) -> Result<(), Full> {
        let entries = self.residents.figures.entries;
        if is_overfull(self.most_slots, entries + 1) {
            return Err(Full::TooManyEntries { entries });
        }
        let table = Table::new(slots_after(entries + 1).clamp(self.least_slots, self.most_slots))?;
        for (split, word) in self.table.entries() {
            table.occupy(table.vacancy(split), split, word);
        }
        let table = Arc::new(table);
        self.state.publish(&table);
        let old = mem::replace(&mut self.table, table);
        self.used = entries;
        // SAFETY: `old` was the root's and `publish` put `self.table` in its place.
        unsafe { self.residents.retire_table(&self.state, old, &self.table) };
        Ok(())
    }

    /// What every change ends with.
    fn finish(&mut self) {
        self.residents.reclaim_if_due(&self.state);
        self.publish_figures();
    }

    /// Makes the figures visible to everybody.
    fn publish_figures(&self) {
        self.state.counters.publish(&self.residents.figures);
    }
}

impl Drop for Writer {
    /// Leaves table and records to the readers; the last of them frees both.
    fn drop(&mut self) {
        self.state.inherit(Arc::clone(&self.table), self.residents.take_limbo());
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use crate::{Found, HashKey};

    #[test]
    fn a_full_index_refuses_new_entries_and_changes_nothing() {
        let test = || {
            let hash_key = HashKey::new([3; 16]);
            let options = Options { hash_key: hash_key.clone(), resident_budget_bytes: 1 << 20, expected_entries: 0 };
            let (mut writer, shared) = Writer::new(options);
            writer.most_slots = 32;
            let keys: Vec<_> = (0..26_u64).map(u64::to_be_bytes).collect();
            let places: Vec<_> = (0..27).map(|place| Place::new(place).unwrap()).collect();
            let results: Vec<_> = keys
                .iter()
                .zip(&places)
                .map(|(key, &place)| writer.put(hash_key.key(key), b"body", place, None))
                .collect();
            assert!(results[..25].iter().all(Result::is_ok));
            assert_eq!(results[25], Err(Full::TooManyEntries { entries: 25 }));
            assert_eq!(writer.put_cold(1, places[25]), Err(Full::TooManyEntries { entries: 25 }));
            assert_eq!(shared.statistics().entries, 25);
            // A next version needs no room in the table.
            writer.put(hash_key.key(&keys[24]), b"next", places[26], Some(places[24])).unwrap();
            let mut reader = shared.reader();
            let pin = reader.pin();
            assert!(matches!(pin.find_one(hash_key.key(&keys[25])), Found::Absent));
            for key in &keys[..25] {
                assert!(matches!(pin.find_one(hash_key.key(key)), Found::Resident(_)));
            }
        };
        // Once: the schedule does not matter, but the primitives work under shuttle only.
        shuttle::check_random(test, 1);
    }

    #[test]
    fn removed_slots_at_the_end_of_a_run_are_used_again() {
        let test = || {
            let options = Options { hash_key: HashKey::new([3; 16]), resident_budget_bytes: 0, expected_entries: 0 };
            let (mut writer, _) = Writer::new(options);
            for round in 0..1000 {
                let place = Place::new(round).unwrap();
                writer.put_cold(round, place).unwrap();
                assert!(writer.remove(round, place));
                assert_eq!(writer.used, 0);
            }
            assert_eq!(writer.residents.figures.rebuilt_total, 0);
        };
        shuttle::check_random(test, 1);
    }
}
