//! Checking a store at rest: every covered byte of every file.

mod log_files;
mod sled_files;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::blobs::{BlobReader, is_blob};
use crate::bytes::offset;
use crate::engine::Engine;
use crate::error::{Damage, OpenError, ReadError};
use crate::folder::{FolderLock, IDENTITY_BYTES, Identity, paths};
use crate::log::files::LogFiles;
use crate::medium::{Disk, Medium};
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
    /// The mark of where the log ended when it was closed.
    EndMark,
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

impl Remedy {
    /// What helps against damage of this part of a log.
    pub(crate) const fn of(part: Part) -> Self {
        match part {
            Part::SegmentHeader | Part::Run | Part::State => Self::Rebuild,
            Part::Tail => Self::NextStart,
            Part::Blob | Part::EndMark => Self::RemoveFile,
            Part::Identity | Part::Group | Part::Entry | Part::UnusedRoom | Part::Sequence | Part::Records => {
                Self::Restore
            }
        }
    }
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
    /// The key it concerns, in the store's own tables, where one is known.
    pub key: Option<Vec<u8>>,
    /// What can be done.
    pub remedy: Remedy,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {:?}: {}", self.file.display(), self.offset, self.part, self.what)?;
        if let Some(serial) = self.serial {
            write!(f, " (serial {serial})")?;
        }
        if let Some(key) = &self.key {
            write!(f, " (key {})", key.escape_ascii())?;
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

/// Verifies every covered byte of the store in `dir`, which nobody may have open, and reports what is wrong as it is found. Changes nothing of
/// the store; sled's files are checked on a copy beside them, since sled writes when it reads.
///
/// # Errors
/// The folder is in use, holds no store, has an unknown format version, or the disk refuses.
pub fn check(dir: &Path, report: &mut dyn FnMut(Finding)) -> Result<CheckSummary, OpenError> {
    if !dir.is_dir() {
        return Err(OpenError::NoStore { dir: dir.to_owned() });
    }
    let _lock = FolderLock::take(dir)?;
    let mut checker = Checker::new(&Disk, dir, report);
    if let Some(engine) = checker.files()? {
        sled_files::check_sled(&mut checker, engine)?;
    }
    Ok(checker.summary)
}

/// The same for a log over any medium, without lock and without sled.
///
/// # Errors
/// As [`check`].
pub fn check_on(medium: &dyn Medium, dir: &Path, report: &mut dyn FnMut(Finding)) -> Result<CheckSummary, OpenError> {
    let mut checker = Checker::new(medium, dir, report);
    checker.files()?;
    Ok(checker.summary)
}

/// A check under way.
struct Checker<'c> {
    medium: &'c dyn Medium,
    dir: &'c Path,
    report: &'c mut dyn FnMut(Finding),
    summary: CheckSummary,
    store_id: [u8; 16],
}

impl<'c> Checker<'c> {
    fn new(medium: &'c dyn Medium, dir: &'c Path, report: &'c mut dyn FnMut(Finding)) -> Self {
        Self { medium, dir, report, summary: CheckSummary::default(), store_id: [0; 16] }
    }

    fn found(&mut self, finding: Finding) {
        self.summary.findings += 1;
        (self.report)(finding);
    }

    /// Checks identity, log and blobs; returns the engine, where it is known.
    fn files(&mut self) -> Result<Option<Engine>, OpenError> {
        let engine = self.identity()?;
        log_files::check_log(self)?;
        self.blobs()?;
        Ok(engine)
    }

    fn identity(&mut self) -> Result<Option<Engine>, OpenError> {
        let what = match Identity::load(self.medium, self.dir) {
            Ok(Some(identity)) => {
                self.store_id = identity.store_id;
                self.summary.bytes += offset(IDENTITY_BYTES);
                return Ok(Some(identity.engine));
            }
            Ok(None) => Damage::Missing,
            Err(OpenError::Damaged { what, .. }) => what,
            Err(other) => return Err(other),
        };
        // What else can be checked is, with the store's name as its segments give it.
        let files = LogFiles::list(self.medium, &paths::log(self.dir)).unwrap_or_default();
        let known = files.segments.iter().find_map(|(_, _, path)| log_files::store_id_of(self.medium, path));
        let Some(store_id) = known else {
            return match what {
                Damage::Missing => Err(OpenError::NoStore { dir: self.dir.to_owned() }),
                what => Err(OpenError::damaged(&paths::identity(self.dir), 0, what)),
            };
        };
        self.store_id = store_id;
        self.found(Finding {
            file: paths::identity(self.dir),
            offset: 0,
            part: Part::Identity,
            what,
            serial: None,
            key: None,
            remedy: Remedy::of(Part::Identity),
        });
        Ok(None)
    }

    fn blobs(&mut self) -> Result<(), OpenError> {
        let dir = paths::blobs(self.dir);
        let names = match self.medium.list(&dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(|error| OpenError::io(&dir, error))?,
        };
        let mut names: Vec<_> = names.into_iter().filter(|name| is_blob(Path::new(name))).collect();
        names.sort();
        for name in names {
            self.summary.blobs += 1;
            match self.blob(dir.join(name)) {
                Ok(bytes) => self.summary.bytes += bytes,
                Err(ReadError::Damaged { file, offset, what }) => {
                    let (part, remedy) = (Part::Blob, Remedy::of(Part::Blob));
                    self.found(Finding { file, offset, part, what, serial: None, key: None, remedy });
                }
                Err(other) => return Err(other.into()),
            }
        }
        Ok(())
    }

    /// Reads a whole blob; returns its length.
    fn blob(&self, path: PathBuf) -> Result<u64, ReadError> {
        let mut reader = BlobReader::open(self.medium, path, &self.store_id)?;
        while reader.next_chunk()?.is_some() {}
        Ok(reader.offset())
    }
}
