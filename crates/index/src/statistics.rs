//! What an index says about itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// Figures of an index at one moment. They are read one by one while the writer works, so they may be of neighbouring
/// moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Entries, resident and cold.
    pub entries: u64,
    /// Entries whose record is in memory.
    pub resident: u64,
    /// Slots of the table in use.
    pub table_slots: u64,
    /// Bytes of the table in use and of replaced ones that readers still hold.
    pub table_bytes: u64,
    /// Bytes charged for resident records.
    pub arena_bytes: u64,
    /// Bytes charged for records that are out of the table, but may still be under a reader's pin. With
    /// `arena_bytes`, never more than the budget.
    pub waiting_bytes: u64,
    /// Records that went from resident to cold to make room.
    pub evicted_total: u64,
    /// Records that stayed cold because there was no room for them.
    pub kept_cold_total: u64,
    /// Times the table was made anew: to grow, or to drop removed slots.
    pub rebuilt_total: u64,
}

/// The same figures, shared: written by the writer, read by anyone.
#[derive(Default)]
pub(crate) struct Counters {
    entries: AtomicU64,
    resident: AtomicU64,
    table_slots: AtomicU64,
    table_bytes: AtomicU64,
    arena_bytes: AtomicU64,
    waiting_bytes: AtomicU64,
    evicted_total: AtomicU64,
    kept_cold_total: AtomicU64,
    rebuilt_total: AtomicU64,
}

impl Counters {
    /// Makes the writer's figures visible.
    pub(crate) fn publish(&self, figures: &Statistics) {
        self.entries.store(figures.entries, Ordering::Relaxed);
        self.resident.store(figures.resident, Ordering::Relaxed);
        self.table_slots.store(figures.table_slots, Ordering::Relaxed);
        self.table_bytes.store(figures.table_bytes, Ordering::Relaxed);
        self.arena_bytes.store(figures.arena_bytes, Ordering::Relaxed);
        self.waiting_bytes.store(figures.waiting_bytes, Ordering::Relaxed);
        self.evicted_total.store(figures.evicted_total, Ordering::Relaxed);
        self.kept_cold_total.store(figures.kept_cold_total, Ordering::Relaxed);
        self.rebuilt_total.store(figures.rebuilt_total, Ordering::Relaxed);
    }

    /// The figures last made visible.
    pub(crate) fn read(&self) -> Statistics {
        Statistics {
            entries: self.entries.load(Ordering::Relaxed),
            resident: self.resident.load(Ordering::Relaxed),
            table_slots: self.table_slots.load(Ordering::Relaxed),
            table_bytes: self.table_bytes.load(Ordering::Relaxed),
            arena_bytes: self.arena_bytes.load(Ordering::Relaxed),
            waiting_bytes: self.waiting_bytes.load(Ordering::Relaxed),
            evicted_total: self.evicted_total.load(Ordering::Relaxed),
            kept_cold_total: self.kept_cold_total.load(Ordering::Relaxed),
            rebuilt_total: self.rebuilt_total.load(Ordering::Relaxed),
        }
    }
}
