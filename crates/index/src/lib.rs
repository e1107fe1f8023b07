//! Lock-free in-memory index over resident records: the hot view of a store.
//!
//! The index maps a key to a record in memory, or to the [`Place`] where the store keeps it. One [`Writer`] changes it;
//! any number of [`Reader`]s look keys up at the same time, in batches, under a [`Pin`]. It knows bytes only: what a key
//! or a body means, and how a place is read, is the business of the crates above.
//!
//! ```
//! use waymark_index::{Found, HashKey, Options, Place};
//!
//! let hash_key = HashKey::new([7; 16]);
//! let options = Options { hash_key: hash_key.clone(), resident_budget_bytes: 1 << 20, expected_entries: 1000 };
//! let (mut writer, shared) = waymark_index::new(options);
//! let key = hash_key.key(b"88.1000/TICKET");
//! let place = Place::new(4096).ok_or("below 2^47")?;
//! writer.put(key, b"the record", place, None)?;
//!
//! let mut reader = shared.reader();
//! let pin = reader.pin();
//! let mut found = [Found::Absent; 1];
//! pin.find(&[key], &mut found);
//! assert!(matches!(found[0], Found::Resident(record) if record.body() == b"the record"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What holds
//!
//! - A resident record is handed out only after its key bytes were compared. A cold entry is a candidate: 48 bits of its
//!   hash agree, and the caller compares the key when it has read the record.
//! - A look-up sees every change that was finished before it began. While an entry is replaced, evicted or warmed, or
//!   the table grows, a look-up finds the old or the new, never nothing.
//! - A reader executes one store and one fence to pin, and atomic loads to look up; it may set a record's reference mark
//!   when that is clear. It never waits, never retries, allocates and frees nothing, and passes each slot once at most.
//! - A record found under a pin stays as it is until the pin is dropped.
//! - Records in memory, those still waiting for readers included, never take more than the budget, as far as the
//!   allocator's own share is known. When there is no room, entries are cold; nothing is refused.
//!
//! # How
//!
//! `table` is open addressing over 64-bit atomic words (`slot`: fingerprint, and place or address), with 32 more bits of
//! each hash in an array beside it; `record` is one allocation of header, key and body. A look-up costs two dependent
//! cache misses, slot and record; a batch goes through its slots first and its records after, so that the misses of 32
//! look-ups overlap. `epoch` says when replaced memory can be freed, `residents` keeps the budget with a clock hand.
//!
//! Slots are filled to four fifths at most. Then, or when removed entries take the room, the writer moves all entries to
//! a new table, front to back, and publishes it; readers never notice. This takes the writer some tens of milliseconds a
//! million entries, most of it for touching new memory, and both tables are in memory until the last pin on the old one
//! ends: at most 2.25 times the old one for a large table, three times for one of less than 65,536 slots. A table costs
//! 15 bytes an entry when full, and 19 after a large one grew; with the right [`Options::expected_entries`] it never
//! grows. `cargo run --release -p waymark-index --example rate` measures all of it.
//!
//! # What is absent
//!
//! Growth in steps, without the spike; huge pages; ranges; any reading of the store.
//!
//! # Tests
//!
//! `cargo test -p waymark-index` runs the unit tests on shuttle's primitives, which explores schedules of the protocol
//! but not the reorderings of weak memory, and `tests/` on the real ones, with real threads.
//! `cargo test --release -p waymark-index --features loom --lib` goes through every execution, reorderings included, of
//! the few steps on which reclamation stands. With a nightly toolchain that has Miri,
//! `MIRIFLAGS=-Zmiri-permissive-provenance cargo +nightly miri test -p waymark-index --test concurrent --test behaviour`
//! checks the unsafe code; provenance is permissive because addresses travel through integers in the slots.
#![expect(unsafe_code, reason = "the one crate whose data structure cannot be written without")]
#![deny(unsafe_op_in_unsafe_fn)]

pub mod config;
mod epoch;
mod key;
mod prefetch;
#[cfg(all(test, not(feature = "loom")))]
mod protocol_tests;
mod reader;
mod record;
mod residents;
mod slot;
mod state;
mod statistics;
mod sync;
mod table;
#[cfg(all(test, feature = "loom"))]
mod weak_memory_tests;
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
