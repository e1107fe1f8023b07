//! Bytes that survive: the record log, its key runs, and the small state over it.
//!
//! A [`Store`] is one durable sequence of entries. [`Store::commit`] appends a [`Group`] of them, durable on return; entries are found by the
//! [`Place`] they were given, by key, and by serial. Beside the sequence lies a small queryable [`State`] that is fed from it, and [`Blobs`] of
//! derived data. This crate knows bytes only: what keys and bodies mean is its caller's.
//!
//! | Engine | Records | For |
//! |---|---|---|
//! | [`Engine::Log`] | append-only segments with sorted key runs | every node |
//! | [`Engine::Sled`] | in sled too | small nodes, up to a few million entries |
//! | [`MemoryStore`] | in memory, gone at the end | reference for tests |
//!
//! Absent on purpose: knowledge of identifiers, a cache of records (the index above is one, the page cache another), compaction of segments (places
//! and serials leave room for it), clocks.
//!
//! # What is promised
//! - A group is there whole or not at all, whenever the power fails. What [`Store::commit`] acknowledged stays.
//! - Nothing is served that does not match its checksum, and every checksum is bound to the store and the place its bytes lie at, so that bytes
//!   of another store, or written to or read from a wrong place, do not match either.
//! - Readers see a group only after it is durable, and see its end ([`Store::last`]) only after its keys can be found.
//! - A full disk refuses commits and is tried again by the next one. A failed flush ends all commits until the store is opened anew.
//! - Nothing acknowledged depends on the state, the key runs or the blobs: [`rebuild`] makes them anew, and opening does so for what it finds
//!   missing or damaged.
//!
//! # Files
//! ```text
//! DIR/lock                          held while the store is open; the number of the process as text
//! DIR/identity                      who the store is
//! DIR/log/segment-BASE-FIRST.log    segments (Engine::Log); place of the first byte, first serial, 12 hexadecimal digits each
//! DIR/log/run-FIRST-LAST.run        key runs; first and last serial covered
//! DIR/log/closed.end                where the log ended when it was last closed
//! DIR/log/torn-SERIAL.bin           ends no commit had finished writing, kept for whoever wants to look; not read again
//! DIR/log/*.new                     being made; removed at the next start
//! DIR/records/                      sled's folder of the records (Engine::Sled)
//! DIR/state/                        sled's folder of the small state
//! DIR/state.flushed, records.flushed  serial sled held at its last real flush
//! DIR/state-damaged-N/              a small state that could not be read, moved aside
//! DIR/blobs/NAME.blob               blobs
//! ```
//! Numbers are little-endian. `crc` is CRC-32C. `crc(place, bytes)` begins with the crc of the store's id, goes on with the place (8 bytes) and
//! then with the bytes; for runs and blobs the place is the offset in the file. Every file begins with a magic and a format version; this is
//! version 1 of all of them. An unknown one is refused: a segment, run, end mark or identity by [`OpenError::Version`] before anything is changed, a blob and
//! what lies in sled by [`Damage::Version`], since they can be made anew. Segments, runs and end marks say the length of their header in
//! bytes 12 to 16, and the header's last 4 bytes are its crc in every version, so that a new version is told apart from damage.
//!
//! ## Identity, 64 bytes
//! ```text
//!  0   8  magic "WMIDENTY"
//!  8   4  version 1
//! 12   4  engine: 1 log, 2 sled
//! 16  16  id of the store, random
//! 32  16  secret key of the index's hash, random
//! 48   8  time of making, milliseconds since 1970 UTC
//! 56   4  zero
//! 60   4  crc of bytes 0 to 60
//! ```
//!
//! ## Segment
//! A header, then groups one after the other, then zeros up to the reserved length. The place of an entry is the segment's base plus the entry's
//! offset in the file; the next segment's base is this one's plus its length.
//! ```text
//!  0   8  magic "WMLOGSEG"
//!  8   4  version 1
//! 12   4  length of the header, 64
//! 16  16  id of the store
//! 32   8  base: place of the first byte
//! 40   8  length of the file
//! 48   6  serial of the first entry
//! 54   6  time of the last entry before the segment
//! 60   4  crc of bytes 0 to 60
//! ```
//! A group:
//! ```text
//!  0   4  magic "WMgr"
//!  4   4  length of the group, header and trailer included, at most 32 MiB
//!  8   8  serial of the first entry
//! 16   4  number of entries, at least 1
//! 20   8  zero
//! 28   4  crc(place of the group, bytes 0 to 28)
//! 32   n  entries
//!      4  crc(place of the group, bytes 0 to 28, the crc of each entry)
//!      4  end mark "rgMW"
//! ```
//! An entry:
//! ```text
//!  0   4  length of the entry, checksum included
//!  4   1  kind, 1 to 127; bit 0x80: a previous serial follows
//!  5   1  length of the actor
//!  6   2  length of the key
//!  8   6  serial
//! 14   6  time, milliseconds since 1970 UTC
//! 20  (6) serial of the key's entry before this one, where there is one
//!      .  actor, key, body
//!      4  crc(place of the entry, everything before)
//! ```
//! An entry is verified by itself when it is read by place, and with its group when the log is read through. In the newest segment, what follows
//! the last whole group is a torn tail, which is cut at the next start; anywhere else, and before a whole group, it is damage: a commit is
//! flushed before the next one is written, so an unfinished group is the last one. It is damage too where there is evidence that the group had
//! been durable: the end mark or the small state speak of its serials. Then nothing is cut, and the log goes on in a new segment whose first serial
//! is the one after the last that is spoken of.
//!
//! A sealed segment is not changed, but [`Store::redact`] may write it anew with other bodies, of the same length, in entries of kind 3, and their
//! checksums and their groups' with them; a shorter body has zeros behind it. Every entry stays at its place.
//!
//! ## End mark, 64 bytes
//! Written when the log is closed, if it has grown; what it says stays true whatever is written later.
//! ```text
//!  0   8  magic "WMLOGEND"
//!  8   4  version 1
//! 12   4  length, 64
//! 16  16  id of the store
//! 32   8  serial of the last entry
//! 40   8  place after the last byte of the newest segment
//! 48   6  time of the last entry
//! 54   6  zero
//! 60   4  crc of bytes 0 to 60
//! ```
//!
//! ## Key run
//! A header, blocks of keys in ascending order, the sparse index, a footer. Of each key the latest entry among those covered.
//! ```text
//!  0   8  magic "WMKEYRUN"
//!  8   4  version 1
//! 12   4  length of the header, 64
//! 16  16  id of the store
//! 32   8  first serial covered
//! 40   8  last serial covered
//! 48   4  level: how often the keys were merged
//! 52   8  zero
//! 60   4  crc of bytes 0 to 60
//! ```
//! A block, about 16 KiB, and the sparse index in the same frame:
//! ```text
//!  0   4  length of the payload
//!  4   4  number of keys, or of blocks
//!  8   n  payload
//!      4  crc(offset of the block, everything before)
//! ```
//! A key in a block's payload:
//! ```text
//!  0   2  bytes shared with the key before it in the block, 0 for the first
//!  2   2  further bytes
//!  4   1  kind
//!  5   6  serial
//! 11   6  place
//! 17   n  the further bytes
//! ```
//! A line of the sparse index: offset of a block (8), its length with the frame (4), length of its first key (2), that key. The footer:
//! ```text
//!  0   8  offset of the sparse index
//!  8   8  its length with the frame
//! 16   8  number of keys
//! 24   8  number of blocks
//! 32   4  crc(offset of the footer, bytes 0 to 32)
//! 36   4  end mark "nuRW"
//! ```
//!
//! ## Blob
//! A header, chunks, an end.
//! ```text
//!  0   8  magic "WMBLOB\r\n"
//!  8   4  version of the container, 1
//! 12   4  version of the content, its writer's
//! 16  16  id of the store
//! 32  12  zero
//! 44   4  crc of bytes 0 to 44
//! ```
//! A chunk is its length (4, 1 to 262,144), crc(offset of the chunk, content) (4) and its content; the end is a length of 0 (4), a crc (4) and the
//! length of the whole content (8), which the crc is of. Nothing follows.
//!
//! ## Flush mark, 24 bytes
//! Magic "WMFLUSHD" (8), version 1 (4), serial (8), crc of the bytes before (4).
//!
//! ## In sled
//! The small state, in sled's default tree: key `00` is the summary, version 1 (4), serial applied (8), number of values (8), sum of the weights
//! of all values modulo 2^64 (8); key `01 tree key...` is a value. Both are followed by the crc of key and value (4). The weight of a value
//! is `crc(key value) + 2^32 crc(value key)`.
//!
//! The records, in sled's default tree: key `e serial` (serial of 8 bytes, big-endian, so in order) is an entry as in a segment, with its serial as
//! place; key `k key` is serial (8) and kind (1) of the key's latest entry; key `m` is the last serial (8) and its time (8). The latter two are
//! followed by the crc of key and value (4).
#![forbid(unsafe_code)]

mod blobs;
mod by_time;
mod bytes;
pub mod check;
pub mod config;
mod engine;
mod error;
pub mod fault;
mod folder;
mod format;
mod log;
pub mod medium;
mod memory;
mod open;
mod rebuild;
mod records;
mod redact;
mod sled_disk;
mod state;
mod types;

pub use blobs::{BlobReader, BlobWriter, Blobs};
pub use check::{check, check_on};
pub use engine::{
    Engine, KeyVisitor, Options, Recovery, State, StateFound, StateOp, Store, Torn, Tree, Upkeep, ValueVisitor,
};
pub use error::{CommitError, Damage, FollowError, OpenError, PushError, ReadError, RedactError, StateError};
pub use folder::{FolderLock, Identity};
pub use memory::MemoryStore;
pub use open::{open, open_on};
pub use rebuild::rebuild;
pub use redact::{Redacted, Replace};
pub use types::{
    Committed, DamagedKey, DraftEntry, Entry, EntryKind, Group, Health, KeyRecord, Place, Position, Serial, Statistics,
    Timestamp,
};
