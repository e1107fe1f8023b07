//! Options of an index, and the limits they and the index itself keep.

use crate::key::HashKey;

/// A number an operator may set: what it is when not set, and the range it is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Used when nothing is said.
    pub default: u64,
    /// Smallest value taken; a smaller one becomes this.
    pub min: u64,
    /// Largest value taken; a larger one becomes this.
    pub max: u64,
}

impl Limit {
    /// `value`, held to the range.
    #[must_use]
    pub fn clamp(&self, value: u64) -> u64 {
        value.clamp(self.min, self.max)
    }
}

/// Bytes resident records may take, those waiting for readers to let go of them included. The default carries about
/// five million records of 180 bytes; zero is legal and keeps every entry cold.
pub const RESIDENT_BUDGET_BYTES: Limit = Limit { default: 1 << 30, min: 0, max: 1 << 46 };

/// Entries the table is made for at once, so that loading them never grows it. A hint: it costs memory (15 bytes an
/// entry, not touched before use) and nothing else. The maximum is what [`MAX_SLOTS`] carries at the load factor.
pub const EXPECTED_ENTRIES: Limit = Limit { default: 1 << 20, min: 0, max: MAX_SLOTS / 5 * 4 };

/// Slots a table may have: an entry's home is computed from 32 bits of its hash.
pub const MAX_SLOTS: u64 = 1 << 32;

/// Slots of the smallest table.
pub(crate) const MIN_SLOTS: u64 = 16;

/// Slots the clock hand passes, at most, to make room for one record: what bounds the time of one write. At the limit
/// the new record stays cold instead.
pub(crate) const SWEEP_SLOTS: u32 = 4096;

/// Retired records the writer gathers before it looks whether readers have let go of them: one look costs a fence and
/// a pass over the readers, shared by this many.
pub(crate) const RECLAIM_EVERY: usize = 64;

/// The share of the budget (one part in this many) that live records leave to retired ones still under a reader's pin.
pub(crate) const WAITING_SHARE: u64 = 16;

/// How an index is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// The secret by which keys are hashed; the same for the life of a store, so that its snapshots can be loaded.
    pub hash_key: HashKey,
    /// Bytes for resident records; see [`RESIDENT_BUDGET_BYTES`].
    pub resident_budget_bytes: u64,
    /// Entries to make room for at once; see [`EXPECTED_ENTRIES`].
    pub expected_entries: usize,
}
