//! Statistics of requests: what a node owes upward for each day about who asked how often and how fast it answered (sets T3 and T8, and the
//! figures of operation).
//!
//! ```text
//! records of answers ─┐                              ┌─ figures of a day, for who sends or shows them
//! registrations ──────┴─ accumulator: days, prefixes ┴─ files: a day each, and what is being counted
//!                                     ^
//! answers.log ─ counted again after a kill, from the place the files name
//! ```
//! Figures are kept for the whole node and for each prefix that it serves or has given to an enterprise, for each day of China Standard Time. What
//! is missing is told with them ([`Losses`]): figures are exact, or say that and where they are not.
//!
//! | file | holds |
//! |---|---|
//! | `config` | limits |
//! | `tally`, `sources` | what is counted: requests, times, rates; askers, exact and then with a stated error |
//! | `day`, `prefixes` | one day: the node, and whose a request is |
//! | `accumulator` | the days being counted |
//! | `stored`, `folder`, `saver` | their form on the disk, the files, the thread that writes them |
//! | `line`, `place`, `replay` | the record of every answer, read again |
//! | `keeper` | all of it together |

mod accumulator;
pub mod config;
mod day;
mod folder;
mod keeper;
mod line;
mod place;
mod prefixes;
mod replay;
mod saver;
mod sources;
mod stored;
mod tally;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use waymark_catalog::Timestamp;

pub use self::accumulator::{Accumulator, NotOpen};
pub use self::config::Limits;
pub use self::day::{Answer, DayTally, Gap, Losses, Lost, Missing, Registered};
pub use self::folder::{MovedAside, ReadError};
pub use self::keeper::Opened;
pub use self::line::{AnswerLine, LineError};
pub use self::place::Place;
pub use self::prefixes::{CatalogPrefixes, KnownPrefixes, OwnProbes};
pub use self::sources::{SourceCount, Sources};
pub use self::stored::FormatError;
pub use self::tally::{Extreme, Latency, Peak, Tally};

use self::folder::Folder;
use self::keeper::Keeper;
use crate::calendar::Day;

/// Where the statistics are kept, and the record of every answer.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of the files; made where there is none.
    pub folder: PathBuf,
    /// The record of every answer, whether or not one is kept.
    pub log: PathBuf,
    /// Open for reading, with the bytes it has, while one is kept: nothing behind them is counted from it.
    pub open_log: Option<(Arc<File>, u64)>,
    /// How much is counted.
    pub limits: Limits,
}

/// The statistics of a node. Clones are the same.
#[derive(Clone, Debug)]
pub struct Traffic {
    keeper: Arc<Mutex<Keeper>>,
    folder: Folder,
}

/// What can be told of the statistics themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Sources told apart today, by the node and by all prefixes.
    pub sources: u64,
    /// Prefixes that have figures today.
    pub prefixes: u64,
    /// Whether the figures of today are exact so far.
    pub is_exact: bool,
    /// Savings that failed since the start.
    pub failures: u64,
    /// Answers and registrations that belong to no day there is room for, since the start.
    pub uncounted: u64,
}

impl Traffic {
    /// Opens the statistics: reads what was counted, and counts again what was recorded and not saved when the node ended.
    ///
    /// # Errors
    /// A file cannot be read or written. One whose content is damaged is moved aside instead, and told.
    pub fn open(options: Options, known: &impl KnownPrefixes, now: Timestamp) -> Result<(Self, Opened), ReadError> {
        let Options { folder, log, open_log, limits } = options;
        let failed = |source| ReadError::Io { path: folder.clone(), source };
        let folder = Folder::open(folder.clone()).map_err(failed)?;
        let (keeper, opened) = Keeper::open(folder.clone(), limits.in_range(), &log, open_log, known, now)?;
        Ok((Self { keeper: Arc::new(Mutex::new(keeper)), folder }, opened))
    }

    /// Notes in the folder of the statistics that the node runs without counting: whoever opens them next tells that figures are missing.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn pause(folder: &Path) -> io::Result<()> {
        Folder::pause(folder)
    }

    /// The right to count, for a piece of work: readers wait until it is given back.
    #[must_use]
    pub fn count(&self) -> Counting<'_> {
        Counting(self.lock())
    }

    /// The figures of a day, those of today as they are now; `None` when there are none.
    ///
    /// # Errors
    /// The file of the day cannot be read.
    pub fn day(&self, day: Day) -> Result<Option<DayTally>, ReadError> {
        let open = self.lock().accumulator.day(day).cloned();
        // A day is closed after its file is written.
        if open.is_some() { Ok(open) } else { self.folder.day(day) }
    }

    /// The days that have figures, in order.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn days(&self) -> io::Result<Vec<Day>> {
        let mut days: Vec<Day> = self.lock().accumulator.days().map(DayTally::day).collect();
        days.extend(self.folder.days()?);
        days.sort_unstable();
        days.dedup();
        Ok(days)
    }

    /// How the statistics are.
    #[must_use]
    pub fn health(&self, now: Timestamp) -> Health {
        let keeper = self.lock();
        let mut health = Health { failures: keeper.failures, uncounted: keeper.uncounted, ..Health::default() };
        let today = keeper.accumulator.day(Day::of(now));
        health.is_exact = today.is_none_or(DayTally::is_exact);
        if let Some(today) = today {
            let sources = today.node().sources().len().saturating_add(today.prefix_sources());
            health.sources = u64::try_from(sources).unwrap_or(u64::MAX);
            health.prefixes = u64::try_from(today.prefix_count()).unwrap_or(u64::MAX);
        }
        health
    }

    /// Saves for the last time: whoever opens the statistics next knows that nothing is missing. What is counted afterwards is lost.
    ///
    /// # Errors
    /// They could not be saved; what was counted since the last time they were is counted again from the record, if there is one.
    pub fn stop(&self, now: Timestamp) -> io::Result<()> {
        self.lock().stop(now)
    }

    fn lock(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to count.
#[derive(Debug)]
pub struct Counting<'t>(MutexGuard<'t, Keeper>);

impl Counting<'_> {
    /// Counts an answer.
    pub fn answered(&mut self, answer: &Answer<'_>, known: &impl KnownPrefixes) {
        self.0.answered(answer, known);
    }

    /// Counts a registration.
    pub fn registered(&mut self, registered: &Registered<'_>, known: &impl KnownPrefixes) {
        self.0.registered(registered, known);
    }

    /// Notes that something is missing from the figures of a moment's day.
    pub fn lost(&mut self, now: Timestamp, lost: Lost) {
        self.0.lost(keeper::seconds(now), lost);
    }

    /// Says where the record of every answer stands: all of it up to so many bytes is counted and handed to the system, and nothing behind them.
    /// `None`: no record is kept.
    pub fn logged(&mut self, log: Option<(Arc<File>, u64)>) {
        self.0.logged(log);
    }

    /// Saves when it is time to. Never waits for the disk.
    pub fn tick(&mut self, now: Timestamp) {
        self.0.tick(now);
    }
}
