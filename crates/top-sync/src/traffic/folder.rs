//! The folder of the statistics: `2026-11-29.day` for each day that is over, `current` for what is being counted.
//!
//! `not-counting` says that the node has run since without counting.
//!
//! A file is written beside its name, flushed, and renamed: it is there whole or not at all. One that cannot be read is moved aside and stays for
//! whoever wants to look into it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::config::FILE_BYTES;
use super::day::DayTally;
use super::stored::{Current, FormatError, decode_current, decode_day};
use crate::calendar::Day;
use crate::private_files::{self, Found};

/// Why a file gave no figures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The disk.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its content.
    #[error("{path} holds no figures")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: FormatError,
    },
}

/// Where the files lie.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

/// A file that was moved aside since it cannot be read.
#[derive(Debug)]
pub struct MovedAside {
    /// Where it is now.
    pub path: PathBuf,
    /// Why.
    pub cause: FormatError,
}

impl Folder {
    /// Makes the folder where there is none.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn day_path(&self, day: Day) -> PathBuf {
        self.0.join(format!("{day}.{DAY_ENDING}"))
    }

    pub(super) fn current_path(&self) -> PathBuf {
        self.0.join(CURRENT_FILE)
    }

    /// Whether there is a file of a day.
    pub(super) fn has_day(&self, day: Day) -> bool {
        self.day_path(day).exists()
    }

    /// The figures of a day that is over; `None` when there are none.
    pub(super) fn day(&self, day: Day) -> Result<Option<DayTally>, ReadError> {
        let path = self.day_path(day);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let read =
            decode_day(&bytes).and_then(|read| if read.day() == day { Ok(read) } else { Err(FormatError::NotOurs) });
        read.map(Some).map_err(|source| ReadError::Format { path, source })
    }

    /// What was being counted; `None` when nothing was.
    pub(super) fn current(&self) -> Result<Option<Current>, ReadError> {
        let path = self.current_path();
        let Some(bytes) = read(&path)? else { return Ok(None) };
        decode_current(&bytes).map(Some).map_err(|source| ReadError::Format { path, source })
    }

    pub(super) fn write_day(&self, day: Day, bytes: &[u8]) -> io::Result<()> {
        private_files::replace(&self.day_path(day), bytes)
    }

    pub(super) fn write_current(&self, bytes: &[u8]) -> io::Result<()> {
        private_files::replace(&self.current_path(), bytes)
    }

    /// Moves a file aside that cannot be read.
    pub(super) fn move_aside(&self, path: &Path, cause: FormatError, now_seconds: u32) -> io::Result<MovedAside> {
        Ok(MovedAside { path: private_files::move_aside(path, u64::from(now_seconds))?, cause })
    }

    /// Notes that requests are answered and not counted, until [`Self::end_pause`]. Does nothing where nothing was ever counted.
    pub(super) fn pause(path: &Path) -> io::Result<()> {
        if !path.join(CURRENT_FILE).exists() {
            return Ok(());
        }
        File::create(path.join(PAUSE_FILE))?.sync_all()?;
        File::open(path)?.sync_all()
    }

    /// Whether requests were answered and not counted.
    pub(super) fn is_paused(&self) -> bool {
        self.0.join(PAUSE_FILE).exists()
    }

    /// Requests are counted again, and what was not is noted.
    pub(super) fn end_pause(&self) -> io::Result<()> {
        fs::remove_file(self.0.join(PAUSE_FILE))
    }

    /// The days that have files, in order.
    pub(super) fn days(&self) -> io::Result<Vec<Day>> {
        private_files::days(&self.0, DAY_ENDING)
    }

    /// Removes the oldest days beyond so many.
    pub(super) fn prune(&self, kept: usize) -> io::Result<()> {
        let days = self.days()?;
        let too_many = days.len().saturating_sub(kept);
        for day in days.into_iter().take(too_many) {
            fs::remove_file(self.day_path(day))?;
        }
        Ok(())
    }
}

/// The bytes of a file; `None` when there is none.
fn read(path: &Path) -> Result<Option<Vec<u8>>, ReadError> {
    match private_files::read(path, FILE_BYTES) {
        Ok(Found::Nothing) => Ok(None),
        Ok(Found::TooLarge) => Err(ReadError::Format { path: path.to_owned(), source: FormatError::Length }),
        Ok(Found::Bytes(bytes)) => Ok(Some(bytes)),
        Err(source) => Err(ReadError::Io { path: path.to_owned(), source }),
    }
}

/// What is being counted.
const CURRENT_FILE: &str = "current";
/// There while requests are answered and not counted.
const PAUSE_FILE: &str = "not-counting";
/// What names of days end with.
const DAY_ENDING: &str = "day";
