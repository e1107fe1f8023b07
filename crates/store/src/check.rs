//! Checking a store at rest: every covered byte of every file.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Damage, OpenError};
use crate::types::Serial;

/// Which part of a store a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The identity file.
    Identity,
    /// The header of a log segment.
    SegmentHeader,
    /// A group of entries in a log segment.
    Group,
    /// One entry.
    Entry,
    /// Room of a segment that was never written to.
    UnusedRoom,
    /// Bytes after the last whole group of the log.
    Tail,
    /// The sequence of serials.
    Sequence,
    /// A sorted key run.
    Run,
    /// A blob.
    Blob,
    /// The small state.
    State,
    /// The records kept by the sled engine.
    Records,
}

/// What an operator can do about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Remedy {
    /// Nothing: the next start cuts it and keeps it aside.
    NextStart,
    /// Rebuild derived data from the log.
    Rebuild,
    /// Remove the file; it is made again.
    RemoveFile,
    /// Only a copy of the data helps: stop, keep the folder, restore from a backup or another node.
    Restore,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NextStart => "the next start cuts it and keeps it aside",
            Self::Rebuild => "rebuild the derived data from the log",
            Self::RemoveFile => "remove the file, it is made again",
            Self::Restore => "keep the folder and restore the affected entries from a backup or another node",
        })
    }
}

/// Something wrong with a store, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// First byte of the part that failed its check.
    pub offset: u64,
    /// Which part it is.
    pub part: Part,
    /// What is wrong.
    pub what: Damage,
    /// The entry it concerns, where one is known.
    pub serial: Option<Serial>,
    /// What can be done.
    pub remedy: Remedy,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {:?}: {}", self.file.display(), self.offset, self.part, self.what)?;
        if let Some(serial) = self.serial {
            write!(f, " (serial {serial})")?;
        }
        write!(f, "; {}", self.remedy)
    }
}

/// What a check went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckSummary {
    /// Findings reported.
    pub findings: u64,
    /// Bytes verified.
    pub bytes: u64,
    /// Entries verified.
    pub entries: u64,
    /// Log segments.
    pub segments: u64,
    /// Key runs.
    pub runs: u64,
    /// Blobs.
    pub blobs: u64,
    /// Values of the small state.
    pub state_values: u64,
    /// Torn tails kept aside earlier.
    pub torn_files: u64,
    /// Serial of the last entry.
    pub last: Serial,
}

/// Verifies every covered byte of the store in `dir`, which nobody may have open, and reports what is wrong as it is found. Changes nothing.
///
/// # Errors
/// The folder is in use, holds no store, has an unknown format version, or the disk refuses.
pub fn check(dir: &Path, report: &mut dyn FnMut(Finding)) -> Result<CheckSummary, OpenError> {
    let _ = (dir, report);
    todo!()
}
