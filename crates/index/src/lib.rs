//! Lock-free in-memory index over resident records.
#![expect(unsafe_code, reason = "the one crate whose data structure cannot be written without")]
#![deny(unsafe_op_in_unsafe_fn)]

mod config;
mod epoch;
mod key;
mod prefetch;
#[cfg(test)]
mod protocol_tests;
mod reader;
mod record;
mod residents;
mod slot;
mod state;
mod statistics;
mod sync;
mod table;
mod writer;

pub use config::{EXPECTED_ENTRIES, Limit, MAX_SLOTS, Options, RESIDENT_BUDGET_BYTES};
pub use key::{HASH_BITS, HashKey, Key, Place};
pub use reader::{BATCH, Found, Pin, Reader, Shared};
pub use record::Record;
pub use statistics::Statistics;
pub use writer::Writer;

/// An empty index: its one writer, and what everybody else shares. Options beyond their limits are taken as the limit.
/// When there is no memory for the entries that are expected, the index starts small.
#[must_use]
pub fn new(options: Options) -> (Writer, Shared) {
    Writer::new(options)
}

/// Why an entry could not be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Full {
    /// The table may not have more slots.
    #[error("the index cannot hold more than {entries} entries")]
    TooManyEntries {
        /// Entries it holds.
        entries: u64,
    },
    /// The allocator refused a table.
    #[error("no memory for an index table of {bytes} bytes")]
    OutOfMemory {
        /// Bytes that were asked for.
        bytes: u64,
    },
}
