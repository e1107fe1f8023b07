//! The table: open addressing over atomic words, linear probing.
//!
//! A slot is one [`Word`]; beside the slots, in an array of its own, lies the half of each entry's hash that chose its
//! home. Slot and home together give the whole hash back, so growth and snapshots read no record. The home of a hash
//! is its 32-bit half scaled to the number of slots, so any size is possible, and entries lie (nearly) in the order of
//! their hashes in every size: growth reads and writes both tables front to back.
//!
//! One writer changes slots; readers load them. A slot's home is stored before the word that makes the slot an entry,
//! and an entry never moves within a table.

use std::sync::atomic::Ordering;

use crate::Full;
use crate::config::{MAX_SLOTS, MIN_SLOTS};
use crate::key::{Place, SplitHash};
use crate::prefetch::prefetch;
use crate::record::RecordPtr;
use crate::slot::{Kind, Word};
use crate::sync::{AtomicU32, AtomicU64, Witness, zeroed_u32, zeroed_u64};

#[cfg(not(target_pointer_width = "64"))]
compile_error!("slots hold 64-bit addresses");

/// Bytes one slot takes, its home included.
pub(crate) const SLOT_BYTES: u64 = (size_of::<u64>() + size_of::<u32>()) as u64;

/// Slots in a run of [`Table::scattered_entries`]: two cache lines, so that a loader misses once for a dozen entries.
const RUN_SLOTS: usize = 16;

/// Slots in a step of growth below which a table at least doubles.
const SMALL_STEP_SLOTS: u64 = 1 << 16;

/// Slots, and beside each the half of its entry's hash that chose its home.
pub(crate) struct Table {
    slots: Box<[AtomicU64]>,
    homes: Box<[AtomicU32]>,
    /// Takes no room but under a model checker.
    pub(crate) witness: Witness,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(slots: u64) -> Result<Self, Full> {
        let full = Full::OutOfMemory { bytes: slots.saturating_mul(SLOT_BYTES) };
        let count = usize::try_from(slots).map_err(|_| full)?;
        Ok(Self {
            slots: zeroed_u64(count).ok_or(full)?,
            homes: zeroed_u32(count).ok_or(full)?,
            witness: Witness::new(),
        })
    }

    /// An empty table that takes next to no memory.
    pub(crate) fn smallest() -> Self {
        Self {
            slots: (0..MIN_SLOTS).map(|_| AtomicU64::new(0)).collect(),
            homes: (0..MIN_SLOTS).map(|_| AtomicU32::new(0)).collect(),
            witness: Witness::new(),
        }
    }

    /// The number of slots.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes the table takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.len() as u64 * SLOT_BYTES
    }

    /// The slot where the search for a hash begins.
    pub(crate) fn home(&self, split: SplitHash) -> usize {
        // Below 2^32 times at most `MAX_SLOTS`: fits 64 bits, and the result is below the number of slots.
        (split.home as usize * self.len()) >> 32
    }

    /// The slot after this one.
    pub(crate) fn next(&self, at: usize) -> usize {
        if at + 1 < self.len() { at + 1 } else { 0 }
    }

    /// The slot before this one.
    pub(crate) fn previous(&self, at: usize) -> usize {
        at.checked_sub(1).unwrap_or(self.len() - 1)
    }

    /// What a slot holds. What was written before the word was published (home, record) is visible after this.
    pub(crate) fn word(&self, at: usize) -> Word {
        self.slots.get(at).map_or(Word::EMPTY, |slot| Word::from_bits(slot.load(Ordering::Acquire)))
    }

    /// The hash half stored for a slot.
    pub(crate) fn home_at(&self, at: usize) -> u32 {
        self.homes.get(at).map_or(0, |home| home.load(Ordering::Relaxed))
    }

    /// Changes a slot whose hash stays the same, or which stops being an entry. Writer only.
    pub(crate) fn publish(&self, at: usize, word: Word) {
        if let Some(slot) = self.slots.get(at) {
            slot.store(word.bits(), Ordering::Release);
        }
    }

    /// Makes a free slot an entry. Writer only.
    pub(crate) fn occupy(&self, at: usize, split: SplitHash, word: Word) {
        if let Some(home) = self.homes.get(at) {
            home.store(split.home, Ordering::Relaxed);
        }
        // After the home: a reader that sees this word must see its home.
        self.publish(at, word);
    }

    /// The first free slot for a hash. There always is one while the table is not overfull. Writer only.
    pub(crate) fn vacancy(&self, split: SplitHash) -> usize {
        let mut at = self.home(split);
        for _ in 0..self.len() {
            if matches!(self.word(at), Word::EMPTY | Word::GONE) {
                break;
            }
            at = self.next(at);
        }
        at
    }

    /// The slot of the entry with this hash that `is_it` recognises. Writer only: readers go by [`Probe`].
    pub(crate) fn locate(&self, split: SplitHash, is_it: impl Fn(Kind) -> bool) -> Option<usize> {
        let mut probe = Probe::new(self, split);
        while let Some((at, word)) = probe.next(self) {
            if self.home_at(at) == split.home && is_it(word.kind()) {
                return Some(at);
            }
        }
        None
    }

    /// Every entry with its hash, in slot order: for filling a table at least as roomy. Writer only.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (SplitHash, Word)> {
        (0..self.len()).filter_map(|at| self.entry(at))
    }

    /// Every entry with its hash, in an order that fills a table of any size evenly: runs of [`RUN_SLOTS`] slots, each
    /// run far from the one before. (Slot order would crowd all entries into the front of a table that still has to
    /// grow, and take quadratic time.) Writer only.
    pub(crate) fn scattered_entries(&self) -> impl Iterator<Item = (SplitHash, Word)> {
        let runs = self.len().div_ceil(RUN_SLOTS);
        let stride = scattering_stride(runs);
        // Addition modulo `runs` by a stride that has no divisor in common with it: each run comes up once.
        let starts = (0..runs).scan(0, move |run, _| {
            let start = *run * RUN_SLOTS;
            *run = (*run + stride) % runs;
            Some(start)
        });
        starts.flat_map(|start| start..(start + RUN_SLOTS).min(self.len())).filter_map(|at| self.entry(at))
    }

    /// The entry in a slot.
    fn entry(&self, at: usize) -> Option<(SplitHash, Word)> {
        let word = self.word(at);
        let split = SplitHash { home: self.home_at(at), fingerprint: word.fingerprint() };
        (!matches!(word, Word::EMPTY | Word::GONE)).then_some((split, word))
    }

    /// Makes every search end at once.
    #[cfg(test)]
    pub(crate) fn spoil(&self) {
        for at in 0..self.len() {
            self.publish(at, Word::EMPTY);
        }
    }

    /// Asks for the cache line where the search for a hash begins.
    pub(crate) fn prefetch_home(&self, split: SplitHash) {
        if let Some(slot) = self.slots.get(self.home(split)) {
            prefetch(std::ptr::from_ref(slot).cast(), 1);
        }
    }
}

/// Whether `used` slots (entries and removed ones) are more than four fifths of all. Beyond that, searches for absent
/// keys grow long.
pub(crate) fn is_overfull(slots: u64, used: u64) -> bool {
    used.saturating_mul(5) > slots.saturating_mul(4)
}

/// Slots for a table that is to hold `entries` without growing.
pub(crate) fn slots_for(entries: u64) -> u64 {
    // One more than the load factor asks, so that the last of `entries` still fits under it.
    (entries.saturating_add(entries.div_ceil(4)).saturating_add(1)).clamp(MIN_SLOTS, MAX_SLOTS)
}

/// Slots for the table after one that is full with `entries` live ones: a quarter more than these need, so that growth
/// costs each entry four moves in all, and the table is never less than about two thirds full for long; twice as many
/// while it is small.
pub(crate) fn slots_after(entries: u64) -> u64 {
    let needed = slots_for(entries);
    needed.saturating_add((needed / 4).max(needed.min(SMALL_STEP_SLOTS)))
}

/// The step from run to run of [`Table::scattered_entries`]: near the golden section of `runs`, which spreads any number
/// of steps evenly, and without a common divisor.
fn scattering_stride(runs: usize) -> usize {
    let mut stride = (runs / 1000 * 618 + runs % 1000 * 618 / 1000).max(1);
    while greatest_common_divisor(stride, runs) != 1 {
        stride += 1;
    }
    stride
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// A search under way: where it stands, and how far it may still go.
#[derive(Clone, Copy)]
pub(crate) struct Probe {
    split: SplitHash,
    at: usize,
    left: usize,
    cold: Option<Place>,
}

impl Probe {
    /// A search that has ended.
    pub(crate) const ENDED: Self = Self { split: SplitHash::new(0), at: 0, left: 0, cold: None };

    /// A search at its beginning. It passes each slot once at most, whatever the writer does meanwhile.
    pub(crate) fn new(table: &Table, split: SplitHash) -> Self {
        Self { split, at: table.home(split), left: table.len(), cold: None }
    }

    /// The next entry with this fingerprint, and its slot; `None` at the end.
    #[inline]
    pub(crate) fn next(&mut self, table: &Table) -> Option<(usize, Word)> {
        while self.left > 0 {
            let (at, word) = (self.at, table.word(self.at));
            if word == Word::EMPTY {
                self.left = 0;
                return None;
            }
            self.left -= 1;
            self.at = table.next(at);
            if word.fingerprint() == self.split.fingerprint && word != Word::GONE {
                return Some((at, word));
            }
        }
        None
    }

    /// The next resident record with this fingerprint, its key not yet compared; notes the first cold entry passed
    /// whose stored hash agrees.
    #[inline]
    pub(crate) fn next_resident(&mut self, table: &Table) -> Option<RecordPtr> {
        while let Some((at, word)) = self.next(table) {
            match word.kind() {
                Kind::Resident(record) => return Some(record),
                Kind::Cold(place) if self.cold.is_none() && table.home_at(at) == self.split.home => {
                    self.cold = Some(place);
                }
                Kind::Cold(_) | Kind::Empty | Kind::Gone => {}
            }
        }
        None
    }

    /// The first cold entry passed so far.
    pub(crate) fn cold(&self) -> Option<Place> {
        self.cold
    }

    /// The hash that is looked for.
    pub(crate) fn split(&self) -> SplitHash {
        self.split
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_holds_what_it_was_made_for() {
        for entries in [0_u64, 1, 12, 13, 1000, 1 << 20, 99_999_999] {
            let slots = slots_for(entries);
            assert!(entries * 5 <= slots * 4, "{entries} entries in {slots} slots");
        }
        assert_eq!(slots_for(u64::MAX), MAX_SLOTS);
    }

    #[test]
    fn scattering_visits_every_run_once() {
        for runs in [1, 2, 3, 4, 5, 7, 12, 618, 1000, 4096, 99_991] {
            let stride = scattering_stride(runs);
            let mut seen = vec![false; runs];
            (0..runs).fold(0, |run, _| {
                assert!(!std::mem::replace(&mut seen[run], true));
                (run + stride) % runs
            });
        }
    }

    #[test]
    fn growth_doubles_small_tables_and_adds_a_quarter_to_large_ones() {
        assert_eq!(slots_after(12), 32);
        let large = slots_for(80_000_000);
        assert_eq!(slots_after(80_000_000), large + large / 4);
    }
}
