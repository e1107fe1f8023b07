//! Every limit of this crate: default, smallest, largest, unit and reason, in one place.

/// A number an operator may set, with the range it is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Value used when nothing is said.
    pub default: u64,
    /// Smallest value accepted.
    pub min: u64,
    /// Largest value accepted.
    pub max: u64,
}

impl Limit {
    /// Whether `value` lies within the range.
    #[must_use]
    pub const fn allows(&self, value: u64) -> bool {
        self.min <= value && value <= self.max
    }
}

/// Bytes of one log segment. Larger ones mean fewer files and longer start-up after a crash (the last segment is read whole); smaller ones
/// waste less of the disk on a small node. The least serves tests.
pub const SEGMENT_BYTES: Limit = Limit { default: 64 << 20, min: 4 << 10, max: 1 << 30 };

/// Segment files kept open for reading. Each costs a file descriptor; one that is closed costs an `open` at its next read.
pub const OPEN_SEGMENTS: Limit = Limit { default: 512, min: 4, max: 65_536 };

/// Bytes of page cache of the small state in sled.
pub const STATE_CACHE_BYTES: Limit = Limit { default: 64 << 20, min: 1 << 20, max: 64 << 30 };

/// Bytes of page cache of the records when the sled engine keeps them.
pub const RECORD_CACHE_BYTES: Limit = Limit { default: 256 << 20, min: 1 << 20, max: 256 << 30 };

/// Longest key in bytes; the key's length is stored in 16 bits.
pub const MAX_KEY_BYTES: usize = 65_535;

/// Longest name of an actor in bytes; its length is stored in 8 bits.
pub const MAX_ACTOR_BYTES: usize = 255;

/// Longest body of one entry in bytes: far above the largest message of the protocol (262,144), so that one damaged length can not make a
/// reader reserve gigabytes.
pub const MAX_BODY_BYTES: usize = 16 << 20;

/// Most bytes a group may take in the log. A group is written and flushed as one piece, and is held in memory while it is.
pub const MAX_GROUP_BYTES: usize = 32 << 20;

/// Most entries in one group.
pub const MAX_GROUP_ENTRIES: usize = 1 << 20;

/// Target size of one block of a key run in bytes: one read of the disk per run looked into, and the sparse index stays small (about 0.1
/// byte a key).
pub const RUN_BLOCK_BYTES: usize = 16 << 10;

/// Runs of one level that are merged into one of the next. With 4 and 1,000 segments at most 15 runs exist, and a key is rewritten 5 times.
pub const RUN_FANOUT: usize = 4;

/// Sealed segments that may wait for their run, their keys held in memory meanwhile; a commit that would add one more makes the oldest run
/// itself first, so memory stays bounded.
pub const SEALED_BACKLOG: usize = 4;

/// Payload bytes of one checksummed chunk of a blob.
pub const BLOB_CHUNK_BYTES: usize = 256 << 10;

/// Places remembered for followers that come back for more. A follower that finds its place here starts there and not at the start of
/// its segment.
pub const FOLLOW_HINTS: usize = 32;

/// Bytes of a segment for which one place is remembered once a look for a serial has gone through them: what such a look reads when it is
/// repeated, some 20 microseconds.
pub const MARK_BYTES: u64 = 64 << 10;

/// Places remembered for looks for serials, over all segments: 12 MiB, which is 16 GiB of log. Those of the segment longest unused are
/// forgotten first; they cost some 10 reads to find again.
pub const MARKS: usize = 256 << 10;

/// Block of a file that is left out when a segment is written anew and it holds zeros only: the block of common file systems.
pub(crate) const HOLE_BYTES: usize = 4 << 10;

/// Replacements sled takes in one step, so that memory stays bounded and commits need not wait long for one.
pub(crate) const REDACT_BATCH: usize = 1024;

/// Bytes read at once while looking for a serial.
pub(crate) const SEEK_READ_BYTES: usize = 64 << 10;

/// Bytes read at once.
pub(crate) const WINDOW_BYTES: usize = 1 << 20;

/// Bytes searched at once for the beginning of a group; well below a window, so that the search seldom reads anew.
pub(crate) const SEARCH_BYTES: usize = 64 << 10;

/// Keys copied from a tail at once, so that commits do not wait long.
pub(crate) const TAIL_PIECE: usize = 256;

/// Bytes read in the hope that a whole entry is among them.
pub(crate) const FIRST_READ: usize = 1024;

/// Keys of a run held in memory at once (some 40 bytes each) while it is compared with the log; a larger run takes several passes.
pub(crate) const KEYS_AT_ONCE: u64 = 8 << 20;

/// Room that must be free besides a group: sled writes segments of 512 KiB, and gives up for good when one does not fit.
pub(crate) const SPARE_BYTES: u64 = 8 << 20;
