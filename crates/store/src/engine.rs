//! The traits every engine implements, and what opening one needs and tells.

use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::blobs::Blobs;
use crate::check::Finding;
use crate::config;
use crate::error::{CommitError, FollowError, OpenError, ReadError, RedactError, StateError};
use crate::folder::Identity;
use crate::redact::{Redacted, Replace};
use crate::types::{
    Committed, DamagedKey, Entry, Group, Health, KeyRecord, Place, Position, Serial, Statistics, Timestamp,
};

/// A store: one durable sequence of entries, findable by place, by key and by serial, and a small state fed from it.
///
/// All methods may be called from any thread. Commits take turns; readers wait for them only while a reference is swapped.
pub trait Store: Send + Sync + fmt::Debug {
    /// Who this store is.
    fn identity(&self) -> &Identity;

    /// Writes the group's entries, durable on return and visible to readers from then on. The stored time is the later of `now` and the last
    /// stored time, so a clock set back does not disturb the order.
    ///
    /// # Errors
    /// See [`CommitError`]; nothing of a refused group is visible.
    fn commit(&self, now: Timestamp, group: &Group) -> Result<Committed, CommitError>;

    /// Reads the entry at `place` into `buffer`, its checksum verified. The buffer grows to the largest entry read with it.
    ///
    /// # Errors
    /// Damage (never handed out), a place nothing lies at, or a refusing disk.
    fn read<'b>(&self, place: Place, buffer: &'b mut Vec<u8>) -> Result<Entry<'b>, ReadError>;

    /// Place of the latest entry of `key`, which may be a tombstone.
    ///
    /// # Errors
    /// A damaged run or a refusing disk.
    fn find(&self, key: &[u8]) -> Result<Option<Place>, ReadError>;

    /// Visits the latest entry of every live key that begins with `prefix` and is greater than `after`, in key order, until the visitor
    /// breaks; for one that is damaged, the visitor is told so and decides whether to go on. Keys committed meanwhile may or may not be seen.
    ///
    /// # Errors
    /// Damage of what tells which keys there are, or a refusing disk; keys before it were visited.
    fn scan_keys(&self, after: &[u8], prefix: &[u8], visit: &mut KeyVisitor<'_>) -> Result<(), ReadError>;

    /// Visits every key whose latest entry is newer than `since`, each once, in key order, tombstones included: what an index loads at
    /// start. Bodies are not read.
    ///
    /// # Errors
    /// Damage or a refusing disk; keys before it were visited.
    fn scan_latest(
        &self,
        since: Serial,
        visit: &mut dyn FnMut(&KeyRecord<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError>;

    /// Visits all entries after serial `after` in order until the visitor breaks or the end is reached, and returns the serial of the last
    /// one visited (`after` when there was none).
    ///
    /// # Errors
    /// [`FollowError::Compacted`] when they are gone; damage, with the serial to go on from, or a refusing disk at the first entry that can not
    /// be read. Entries before it were visited.
    fn follow(
        &self,
        after: Serial,
        visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<Serial, FollowError>;

    /// Reads the entry with this serial into `buffer`, its checksum verified; `None` when there is none, because it lies behind the end or is
    /// [`Serial::NONE`]. Its neighbours are not verified with it, so it is found where one of them is damaged, unless that hides where it begins.
    ///
    /// # Errors
    /// [`FollowError::Compacted`] when it is gone; damage, never handed out, or a refusing disk.
    fn read_serial<'b>(&self, serial: Serial, buffer: &'b mut Vec<u8>) -> Result<Option<Entry<'b>>, FollowError>;

    /// The first serial whose entry was made at or after `time`; behind the last one when none was, and the oldest that is still there when
    /// all were. Damaged groups directly before the answer count as made after `time`, so that following from it misses nothing.
    ///
    /// # Errors
    /// A refusing disk.
    fn serial_at(&self, time: Timestamp) -> Result<Serial, FollowError>;

    /// Replaces bodies of notes among the older entries, those after `after` and up to `upto`, for good: `replace` is asked for each
    /// [`EntryKind::NOTE`](crate::EntryKind::NOTE) in order, and where it gives a body, that one stands in the place of the old from then on, durable
    /// on return. Nothing else of the entry changes, nor of any other.
    ///
    /// A new body is at most as long as the old one and is followed by zeros up to its length; where it ends, it must say itself. Zeros take no
    /// room on the disk where the engine keeps records in segments of its own. That engine goes through whole segments only, and never the
    /// newest; [`Redacted::upto`] says how far it got, which is the `after` of the next time. It needs room for a copy of one segment.
    ///
    /// `replace` may read the store, but neither commit nor redact.
    ///
    /// # Errors
    /// See [`RedactError`].
    fn redact(&self, after: Serial, upto: Serial, replace: &mut Replace<'_>) -> Result<Redacted, RedactError>;

    /// End of the durable sequence.
    fn last(&self) -> Position;

    /// The small state fed from the sequence.
    fn state(&self) -> &dyn State;

    /// Named files of derived data beside the sequence.
    fn blobs(&self) -> &Blobs;

    /// Whether writes are taken.
    fn health(&self) -> Health;

    /// Sizes and counts. Cheap enough for a scrape, not for a request.
    fn statistics(&self) -> Statistics;

    /// Refuses further commits, finishes work in the background and flushes the state. Reads go on. A second call does nothing.
    ///
    /// # Errors
    /// The state could not be flushed; it is then behind, and fed again at the next start.
    fn close(&self) -> Result<(), StateError>;
}

/// Is called with the latest entry of each live key, or with what is wrong with it.
pub type KeyVisitor<'v> = dyn FnMut(Result<&Entry<'_>, DamagedKey<'_>>) -> ControlFlow<()> + 'v;

/// Number of one of the small tables in the state, given out by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tree(pub u8);

/// Is called with keys and values of the state.
pub type ValueVisitor<'v> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'v;

/// One change of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateOp<'a> {
    /// The key has this value from now on.
    Put {
        /// Table.
        tree: Tree,
        /// Key, any bytes.
        key: &'a [u8],
        /// Value, any bytes.
        value: &'a [u8],
    },
    /// The key is gone.
    Remove {
        /// Table.
        tree: Tree,
        /// Key.
        key: &'a [u8],
    },
}

/// Small queryable state derived from the sequence. Nothing acknowledged depends on it: it may lag, and it can be rebuilt.
pub trait State: Send + Sync + fmt::Debug {
    /// Serial up to which the sequence has been applied.
    fn applied(&self) -> Serial;

    /// Applies changes and moves the applied serial to `upto` as one atomic step; durable some time later.
    ///
    /// # Errors
    /// `upto` before [`State::applied`], damage, or a refusing disk; nothing is applied then.
    fn apply(&self, upto: Serial, ops: &[StateOp<'_>]) -> Result<(), StateError>;

    /// Value of a key, its checksum verified.
    ///
    /// # Errors
    /// Damage or a refusing disk.
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, StateError>;

    /// Visits keys of `tree` that begin with `prefix` in order, checksums verified, until the visitor breaks.
    ///
    /// # Errors
    /// Damage or a refusing disk.
    fn scan(&self, tree: Tree, prefix: &[u8], visit: &mut ValueVisitor<'_>) -> Result<(), StateError> {
        self.scan_after(tree, prefix, b"", visit)
    }

    /// As [`scan`](Self::scan), for the keys greater than `after`; all of them where that is empty. Costs nothing for those before.
    ///
    /// # Errors
    /// Damage or a refusing disk.
    fn scan_after(
        &self,
        tree: Tree,
        prefix: &[u8],
        after: &[u8],
        visit: &mut ValueVisitor<'_>,
    ) -> Result<(), StateError>;

    /// Forgets everything; the applied serial is [`Serial::NONE`] afterwards.
    ///
    /// # Errors
    /// A refusing disk.
    fn clear(&self) -> Result<(), StateError>;

    /// Makes durable what was applied.
    ///
    /// # Errors
    /// A refusing disk.
    fn flush(&self) -> Result<(), StateError>;

    /// Bytes on disk.
    fn bytes(&self) -> u64;
}

/// Which engine keeps the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// The record log with its key runs.
    #[default]
    Log,
    /// sled keeps the records too: the small-node form, good to a few million entries.
    Sled,
}

impl Engine {
    /// Its name in configuration and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Sled => "sled",
        }
    }

    /// The engine of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Log, Self::Sled].into_iter().find(|engine| engine.name() == name)
    }
}

/// Where key runs are made and merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upkeep {
    /// In a thread of the store.
    #[default]
    Background,
    /// In the commit that seals a segment: for tools and tests that want no thread.
    Inline,
}

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data folder.
    pub dir: PathBuf,
    /// Engine the store is or will be kept by.
    pub engine: Engine,
    /// Whether to make the store when the folder holds none.
    pub create: bool,
    /// Time written into a store that is made.
    pub now: Timestamp,
    /// Bytes of a new segment, see [`config::SEGMENT_BYTES`].
    pub segment_bytes: u64,
    /// Segment files kept open, see [`config::OPEN_SEGMENTS`].
    pub open_segments: u64,
    /// Page cache of the state in bytes, see [`config::STATE_CACHE_BYTES`].
    pub state_cache_bytes: u64,
    /// Page cache of the records in bytes where sled keeps them, see [`config::RECORD_CACHE_BYTES`].
    pub record_cache_bytes: u64,
    /// Where key runs are made.
    pub upkeep: Upkeep,
}

impl Options {
    /// Defaults for the store in `dir`, made when missing.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            engine: Engine::default(),
            create: true,
            now: Timestamp(0),
            segment_bytes: config::SEGMENT_BYTES.default,
            open_segments: config::OPEN_SEGMENTS.default,
            state_cache_bytes: config::STATE_CACHE_BYTES.default,
            record_cache_bytes: config::RECORD_CACHE_BYTES.default,
            upkeep: Upkeep::default(),
        }
    }

    /// Checks each option against its range.
    ///
    /// # Errors
    /// [`OpenError::Option`] for the first that lies outside.
    pub fn validate(&self) -> Result<(), OpenError> {
        let limits = [
            ("segment_bytes", self.segment_bytes, config::SEGMENT_BYTES),
            ("open_segments", self.open_segments, config::OPEN_SEGMENTS),
            ("state_cache_bytes", self.state_cache_bytes, config::STATE_CACHE_BYTES),
            ("record_cache_bytes", self.record_cache_bytes, config::RECORD_CACHE_BYTES),
        ];
        match limits.into_iter().find(|(_, value, limit)| !limit.allows(*value)) {
            Some((option, value, limit)) => Err(OpenError::Option { option, value, min: limit.min, max: limit.max }),
            None => Ok(()),
        }
    }
}

/// What opening a store found and did.
#[derive(Debug, Default)]
pub struct Recovery {
    /// The store was made by this opening.
    pub created: bool,
    /// End of the sequence.
    pub last: Position,
    /// Bytes of an unfinished group that were cut from the end and kept aside.
    pub torn: Option<Torn>,
    /// Damage found on the way; the whole is only seen by [`crate::check()`].
    pub damage: Vec<Finding>,
    /// Entries read from the newest segment, which has no run yet.
    pub entries_scanned: u64,
    /// Key runs that were missing or damaged and were made again.
    pub runs_remade: u64,
    /// What was found of the small state.
    pub state: StateFound,
}

/// The end of a log that no commit had finished writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// File the bytes were copied to.
    pub kept: PathBuf,
    /// File they were cut from.
    pub file: PathBuf,
    /// Where they began in it.
    pub offset: u64,
    /// How many there were.
    pub bytes: u64,
    /// Serial the first of them would have had.
    pub serial: Serial,
}

/// What opening found of the small state. Where its applied serial is behind the log, the caller feeds it from there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateFound {
    /// As it was left.
    #[default]
    Sound,
    /// It could not be read or was damaged, was moved to this folder, and begins anew.
    SetAside {
        /// The folder.
        to: PathBuf,
    },
    /// The disk has no room to open it; it is made anew in memory, from the log, and gone when the store is closed. What is on the
    /// disk stays as it is.
    NoRoom,
    /// It had applied more than the log holds, so it belongs to entries that are lost; it was cleared.
    Ahead {
        /// Serial it was at.
        applied: Serial,
    },
}
