//! Errors, one enum for each kind of operation. Each says who is at fault and where.

use std::io;
use std::path::{Path, PathBuf};

use crate::types::{Place, Serial};

/// Why an entry was not added to a group. The caller is at fault, or has to commit first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// Entries of a key need one.
    #[error("the key is empty")]
    EmptyKey,
    /// Longer than [`crate::config::MAX_KEY_BYTES`].
    #[error("a key of {bytes} bytes is too long")]
    KeyTooLong {
        /// Its length.
        bytes: usize,
    },
    /// Longer than [`crate::config::MAX_ACTOR_BYTES`].
    #[error("an actor of {bytes} bytes is too long")]
    ActorTooLong {
        /// Its length.
        bytes: usize,
    },
    /// Longer than [`crate::config::MAX_BODY_BYTES`].
    #[error("a body of {bytes} bytes is too long")]
    BodyTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The group has reached its limit in entries or bytes.
    #[error("the group is full with {entries} entries of {bytes} bytes")]
    GroupFull {
        /// Entries it holds.
        entries: usize,
        /// Bytes they take.
        bytes: usize,
    },
}

/// Why a group was not committed. Unless the store is poisoned, nothing of the group is or ever becomes visible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// No room on the disk. The same group may be committed again when there is.
    #[error("the disk is full")]
    DiskFull,
    /// A flush failed, now or earlier, so nobody knows what the disk holds: no more writes until the store is opened anew.
    #[error("writing has stopped because a flush to disk failed")]
    Poisoned,
    /// The group holds no entry.
    #[error("the group is empty")]
    EmptyGroup,
    /// Serials or places are used up.
    #[error("the store has reached its largest size")]
    Exhausted,
    /// The disk refused the write; what was written of it has been taken back.
    #[error("the disk refused a write")]
    Io(#[source] io::Error),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// What is wrong with stored bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The file does not begin with its format's name.
    #[error("not a file of this format")]
    Magic,
    /// A checksum does not match its bytes.
    #[error("checksum does not match")]
    Checksum,
    /// A length or count contradicts what is around it.
    #[error("lengths contradict each other")]
    Structure,
    /// Bytes end before what they announce.
    #[error("cut short")]
    CutShort,
    /// The mark at the end of a group is missing.
    #[error("end of group is missing")]
    EndMark,
    /// Room that was never written to is not zero.
    #[error("unused room is not zero")]
    NotZero,
    /// A serial is missing or out of order.
    #[error("serial out of order")]
    SerialOrder,
    /// Its format version is not known to this program.
    #[error("format version is not known")]
    Version,
    /// It belongs to another store.
    #[error("belongs to another store")]
    ForeignStore,
    /// Two places that should agree do not.
    #[error("disagrees with the log")]
    Disagrees,
    /// Something announced elsewhere is not there.
    #[error("missing")]
    Missing,
    /// sled refused to read its own files.
    #[error("sled can not read its files")]
    Sled,
}

/// Why something was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The stored bytes are damaged; they are not handed out.
    #[error("{what} in {} at byte {offset}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// First byte of the part that failed its check.
        offset: u64,
        /// What is wrong with it.
        what: Damage,
    },
    /// No entry lies there.
    #[error("nothing is stored at place {0}")]
    NoSuchPlace(Place),
    /// The disk refused the read.
    #[error("reading {} failed", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl ReadError {
    /// Damage of `file` at `offset`.
    pub(crate) fn damaged(file: &Path, offset: u64, what: Damage) -> Self {
        Self::Damaged { file: file.to_owned(), offset, what }
    }

    /// A read of `file` that the system refused.
    pub(crate) fn io(file: &Path, source: io::Error) -> Self {
        Self::Io { file: file.to_owned(), source }
    }
}

/// Why following the sequence stopped early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// Entries after the given serial have been compacted away: start from a snapshot.
    #[error("entries before serial {oldest} are compacted")]
    Compacted {
        /// Oldest serial still there.
        oldest: Serial,
    },
    /// The next group of entries is damaged, and none of it was visited.
    #[error("entries up to serial {resume_after} can not be followed")]
    Damaged {
        /// Following from here skips what is damaged.
        resume_after: Serial,
        /// What is damaged.
        #[source]
        source: ReadError,
    },
    /// The disk refused.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl FollowError {
    /// What failing to read the single entry `serial` means for whoever follows.
    pub(crate) fn of_entry(serial: Serial, error: ReadError) -> Self {
        match error {
            source @ ReadError::Damaged { .. } => Self::Damaged { resume_after: serial, source },
            other => Self::Read(other),
        }
    }
}

/// Why a redaction ended early. What it had done until then stays; asking again goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedactError {
    /// A new body does not fit in the place of the old one. Nothing of its segment was changed.
    #[error("a body of {bytes} bytes does not fit in the {room} bytes of entry {serial}")]
    TooLong {
        /// The entry.
        serial: Serial,
        /// Length of the new body.
        bytes: usize,
        /// Length of the old one.
        room: usize,
    },
    /// No room for a copy of one segment beside it.
    #[error("the disk is full")]
    DiskFull,
    /// A flush failed, now or earlier: no more writes until the store is opened anew.
    #[error("writing has stopped because a flush to disk failed")]
    Poisoned,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The disk refused.
    #[error("{} could not be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl RedactError {
    /// A use of `path` that the system refused.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        if is_disk_full(&source) { Self::DiskFull } else { Self::Io { path: path.to_owned(), source } }
    }
}

/// Why the small state refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// A stored value is damaged; it is not handed out. Rebuild the state from the log.
    #[error("the state is damaged: {0}")]
    Damaged(Damage),
    /// `upto` lies before what is already applied.
    #[error("serial {upto} was applied before, the state is at {applied}")]
    Backwards {
        /// Serial asked for.
        upto: Serial,
        /// Serial the state is at.
        applied: Serial,
    },
    /// sled failed.
    #[error("sled failed")]
    Sled(#[source] sled::Error),
    /// The disk refused.
    #[error("the disk refused")]
    Io(#[source] io::Error),
}

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has the folder.
    #[error("{} is in use{}", dir.display(), pid.map(|pid| format!(" by process {pid}")).unwrap_or_default())]
    Locked {
        /// The folder.
        dir: PathBuf,
        /// The holder, when it could be told.
        pid: Option<u32>,
    },
    /// There is no store in the folder and none was to be made.
    #[error("no store in {}", dir.display())]
    NoStore {
        /// The folder.
        dir: PathBuf,
    },
    /// A file is of a format version this program does not know. Nothing was changed.
    #[error("{} has format version {found}, this program knows up to {known}", file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: u32,
        /// The newest known one.
        known: u32,
    },
    /// The store was made for another engine.
    #[error("the store in {} is kept by engine \"{found}\", not \"{wanted}\"", dir.display())]
    Engine {
        /// The folder.
        dir: PathBuf,
        /// Engine it was made for.
        found: &'static str,
        /// Engine asked for.
        wanted: &'static str,
    },
    /// A file nothing works without is damaged.
    #[error("{what} in {} at byte {offset}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// First byte of the part that failed its check.
        offset: u64,
        /// What is wrong with it.
        what: Damage,
    },
    /// An option lies outside its range.
    #[error("{option} is {value}, allowed are {min} to {max}")]
    Option {
        /// Its name.
        option: &'static str,
        /// The value given.
        value: u64,
        /// Smallest allowed.
        min: u64,
        /// Largest allowed.
        max: u64,
    },
    /// sled failed.
    #[error("sled failed in {}", dir.display())]
    Sled {
        /// Its folder.
        dir: PathBuf,
        /// What it said.
        #[source]
        source: sled::Error,
    },
    /// The disk or system refused.
    #[error("{} could not be used", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    /// Damage of `file` at `offset`.
    pub(crate) fn damaged(file: &Path, offset: u64, what: Damage) -> Self {
        Self::Damaged { file: file.to_owned(), offset, what }
    }

    /// A use of `path` that the system refused.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged { file, offset, what } => Self::Damaged { file, offset, what },
            ReadError::Io { file, source } => Self::Io { path: file, source },
            ReadError::NoSuchPlace(_) => Self::Damaged { file: PathBuf::new(), offset: 0, what: Damage::Missing },
        }
    }
}

/// Whether the system says that there is no room.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
