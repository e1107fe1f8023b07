//! The node watches itself: asks its own doors as the top-level node would, keeps what came of it, tells incidents, and sums a month up.
//!
//! ```text
//! whoever asks the doors ─ round ─┬─ files: each round, then each day by minute ──┐
//!                                 └─ sentinel: fault, recovery ─ book (durable) ──┼─ month: availability, operating time ─ report
//! people: incidents, maintenances ───────────────────────────────── book ─────────┘
//! ```
//! **Availability** is the share of probes that succeeded. A time in which the node did not run counts as the probes it would have made, all of
//! them failed; maintenance that was declared counts neither way. What nobody measured, before the first start or in files that were damaged, is left
//! out and told. **Service level** is the share of rounds in which resolution and registration were both there, each by one way at least.
//!
//! Which rounds a gap cost is told minute by minute: a minute with rounds lost at most what is missing in it, so that a clock that was wrong at one
//! start does not turn weeks of service into an outage.
//!
//! | file | holds |
//! |---|---|
//! | `config` | limits |
//! | `target`, `incident` | what is asked; what is noted |
//! | `sentinel` | when something is an incident, and when it is over |
//! | `day`, `folder` | probes, and their files |
//! | `said` | what people say of it: faults, recoveries, maintenance |
//! | `book` | incidents, maintenances and gaps, durably |
//! | `month`, `report` | a month of it; with everything else the monthly report tells |

mod book;
pub mod config;
mod day;
mod folder;
pub mod incident;
mod month;
pub mod report;
mod said;
mod sentinel;
pub mod target;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use waymark_catalog::Timestamp;

use self::book::{Book, Noted};
use self::config::{STILL_MS, Settings};
use self::day::Round;
use self::folder::{Folder, RoundFile};
use self::incident::{Event, Gap, Incident, Kind, Maintenance, Run};
use self::sentinel::{STOP, Sentinel, Wanted};
use self::target::{Pressure, Probed, Target};
use crate::calendar::{Day, Month};

pub use self::book::BookError;
pub use self::folder::SetAside;
pub use self::month::{FunctionShares, MonthFigures, Share};
pub use self::said::{Said, SayError};
pub use self::sentinel::Moment;

/// Where a watch is kept, and for whom.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its folder; made where there is none.
    pub folder: PathBuf,
    /// The node's prefix.
    pub prefix: String,
    /// How it works.
    pub settings: Settings,
}

/// Why the watch cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// Incidents, maintenances, gaps.
    #[error(transparent)]
    Book(#[from] BookError),
    /// Files of probes.
    #[error("the probes in {}", path.display())]
    Io {
        /// Their folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What opening found.
#[derive(Debug, Default)]
pub struct Opened {
    /// Files that were moved aside.
    pub set_aside: Vec<SetAside>,
    /// The time without the node before this start.
    pub gap: Option<Gap>,
    /// The fault that was noted since the last run did not end in order.
    pub cut_off: Option<Event>,
}

/// What a round led to.
#[derive(Debug, Default)]
pub struct Led {
    /// Events that were noted.
    pub events: Vec<Event>,
    /// Why the round, or an event, could not be kept; events are noted with the next round.
    pub problem: Option<WatchError>,
}

/// How the watch stands.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Probes since the start, by target: those that succeeded, and those that failed.
    pub probes: Vec<(Target, u64, u64)>,
    /// Faults that are not over, by kind.
    pub open: Vec<(Kind, u64)>,
    /// Rounds since the start.
    pub rounds: u64,
    /// Rounds and events that could not be kept, since the start.
    pub failures: u64,
    /// Whether a maintenance is under way.
    pub is_maintained: bool,
    /// Targets that failed in the last round.
    pub failing: Vec<Target>,
}

/// The watch of a node.
#[derive(Debug)]
pub struct Watch {
    prefix: String,
    settings: Settings,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    book: Book,
    folder: Folder,
    file: Option<(Day, RoundFile)>,
    sentinel: Sentinel,
    probes: BTreeMap<Target, (u64, u64)>,
    failing: Vec<Target>,
    rounds: u64,
    failures: u64,
    /// When the last round was.
    last: Option<Moment>,
}

impl Watch {
    /// Opens the watch: reads what is known, notes the time without the node, and a fault where the last run was cut off.
    ///
    /// # Errors
    /// See [`WatchError`]. Files of probes that are damaged are moved aside instead, and told.
    pub fn open(options: Options, now: Timestamp) -> Result<(Self, Opened), WatchError> {
        let Options { folder, prefix, settings } = options;
        let settings = settings.in_range();
        let prefix = prefix.to_ascii_uppercase();
        let failed = |source| WatchError::Io { path: folder.clone(), source };
        let files = Folder::open(folder.join("probes")).map_err(failed)?;
        // An identifier of an event has at most 64 characters.
        let name = if prefix.len() <= 32 { format!("{prefix}-") } else { String::new() };
        let mut book = Book::open(&folder.join("log"), &name, now)?;
        let mut opened = Opened::default();
        let mut times = Vec::new();
        for day in files.open_days().map_err(failed)? {
            let read = files.read(day, now.0 / 1_000).map_err(failed)?;
            times.extend(read.times);
            opened.set_aside.extend(read.set_aside);
        }
        let mut sentinel = Sentinel::new(settings);
        for incident in book.incidents().filter(|incident| incident.recovery.is_none()) {
            if !incident.fault.watched.is_empty() {
                sentinel.noted(&incident.fault.watched, &incident.fault.id);
            }
        }
        let interval = u64::try_from(settings.interval.as_millis()).unwrap_or(u64::MAX);
        let last = book.run();
        opened.gap = last.and_then(|last| gap(&last, &times, now));
        let run = Run { first: last.map_or(now.0, |last| last.first), started: now.0, stopped: None, interval };
        book.begin_run(run, opened.gap, now)?;
        let was_cut_off = last.is_some_and(|last| last.stopped.is_none());
        if let Some(gap) = opened.gap
            && was_cut_off
            && !book.maintenances().any(|maintenance| maintenance.covers(gap.from))
            && !is_cut_off(&book)
        {
            let event = book.note(not_running(gap.from, "the node stopped without being told to", &prefix), now)?;
            sentinel.noted(STOP, &event.id);
            opened.cut_off = Some(event);
        }
        let inner = Inner {
            book,
            folder: files,
            file: None,
            sentinel,
            probes: BTreeMap::new(),
            failing: Vec::new(),
            rounds: 0,
            failures: 0,
            last: None,
        };
        Ok((Self { prefix, settings, inner: Mutex::new(inner) }, opened))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it works.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The node's prefix, folded.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Takes in a round: keeps it, and notes what has become an incident or is over. Writes the disk: where waiting is allowed.
    pub fn round(&self, at: Moment, probed: &[Probed], pressure: Option<Pressure>) -> Led {
        let mut inner = self.lock();
        let is_maintained = inner.is_maintained(at.now);
        inner.count(probed);
        let mut led = Led::default();
        match inner.stood_still(at, &self.settings, &self.prefix) {
            Ok(event) => led.events.extend(event),
            Err(error) => {
                inner.failures += 1;
                led.problem = Some(error.into());
            }
        }
        if let Err(source) = inner.keep(&Round::new(at.now, is_maintained, probed), at.now, self.settings.kept_days) {
            inner.failures += 1;
            led.problem = Some(WatchError::Io { path: inner.folder.path().to_owned(), source });
        }
        let mut wanted = inner.sentinel.round(at, is_maintained, probed);
        wanted.extend(pressure.and_then(|pressure| inner.sentinel.pressure(at, is_maintained, pressure)));
        for wanted in wanted {
            match inner.carry_out(wanted, &self.prefix, at.now) {
                Ok(event) => led.events.extend(event),
                Err(error) => {
                    inner.failures += 1;
                    led.problem = Some(error.into());
                }
            }
        }
        led
    }

    /// The node ends in order.
    ///
    /// # Errors
    /// It is not noted: the next start takes it for cut off.
    pub fn stop(&self, now: Timestamp) -> Result<(), WatchError> {
        Ok(self.lock().book.end_run(now)?)
    }

    /// Incidents, in order; of one month those that began or lasted in it.
    #[must_use]
    pub fn incidents(&self, month: Option<Month>) -> Vec<Incident> {
        let inner = self.lock();
        let is_in = |incident: &Incident| {
            month.is_none_or(|month| {
                let (first, end) = (month.first().start().0, month.last().end().0);
                incident.fault.time < end && incident.recovery.as_ref().is_none_or(|end| end.time >= first)
            })
        };
        inner.book.incidents().filter(is_in).collect()
    }

    /// Events behind a number, in order, and the number of the last one there is.
    #[must_use]
    pub fn events_behind(&self, number: u64) -> (Vec<Event>, u64) {
        let inner = self.lock();
        (inner.book.events_behind(number).cloned().collect(), inner.book.last_event())
    }

    /// Maintenances, in order.
    #[must_use]
    pub fn maintenances(&self) -> Vec<Maintenance> {
        self.lock().book.maintenances().cloned().collect()
    }

    /// The month in which the node was watched for the first time.
    #[must_use]
    pub fn first_month(&self) -> Option<Month> {
        self.lock().book.run().map(|run| Month::of(Timestamp(run.first)))
    }

    /// What is known of a month, as far as it is over. Reads the disk: where waiting is allowed.
    ///
    /// # Errors
    /// Files cannot be read. Damaged ones are moved aside, and their days count as not measured.
    pub fn month(&self, month: Month, now: Timestamp) -> Result<MonthFigures, WatchError> {
        let inner = self.lock();
        let mut figures = month::Gatherer::new(month, now, &inner.book);
        for day in month.days().filter(|day| day.start() < now) {
            let read = inner.folder.read(day, now.0 / 1_000);
            let read = read.map_err(|source| WatchError::Io { path: inner.folder.path().to_owned(), source })?;
            for aside in &read.set_aside {
                tracing::error!(file = %aside.path.display(), cause = aside.cause, "probes were moved aside");
            }
            figures.day(day, &read.probes);
        }
        Ok(figures.end())
    }

    /// How the watch stands.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        let inner = self.lock();
        let mut open: BTreeMap<Kind, u64> = Kind::ALL.into_iter().map(|kind| (kind, 0)).collect();
        for incident in inner.book.incidents().filter(|incident| incident.recovery.is_none()) {
            *open.entry(incident.fault.kind).or_default() += 1;
        }
        Standing {
            probes: inner.probes.iter().map(|(target, (good, bad))| (*target, *good, *bad)).collect(),
            open: open.into_iter().collect(),
            rounds: inner.rounds,
            failures: inner.failures,
            is_maintained: inner.is_maintained(now),
            failing: inner.failing.clone(),
        }
    }

    /// The folder of the probes, for messages.
    #[must_use]
    pub fn probes_folder(&self) -> PathBuf {
        let inner = self.lock();
        let path: &Path = inner.folder.path();
        path.to_owned()
    }
}

impl Inner {
    fn is_maintained(&self, now: Timestamp) -> bool {
        self.book.maintenances().rev().any(|maintenance| maintenance.covers(now.0))
    }

    /// Notes that the node stood still between the last round and this one, if it did.
    fn stood_still(&mut self, at: Moment, settings: &Settings, prefix: &str) -> Result<Option<Event>, BookError> {
        let Some(last) = self.last.replace(at) else { return Ok(None) };
        let still = u64::try_from(at.steady.saturating_sub(last.steady).as_millis()).unwrap_or(u64::MAX);
        let interval = u64::try_from(settings.interval.as_millis()).unwrap_or(u64::MAX).max(1);
        if still <= interval.saturating_mul(2).saturating_add(STILL_MS) {
            return Ok(None);
        }
        // By the clock that only goes on: the other one may have been set meanwhile.
        let gap = Gap { from: at.now.0.saturating_sub(still), until: at.now.0, interval };
        self.book.note_gap(gap, at.now)?;
        if self.is_maintained(Timestamp(gap.from)) || is_cut_off(&self.book) {
            return Ok(None);
        }
        let event = self.book.note(not_running(gap.from, "the node stood still", prefix), at.now)?;
        self.sentinel.noted(STOP, &event.id);
        Ok(Some(event))
    }

    fn count(&mut self, probed: &[Probed]) {
        self.rounds += 1;
        self.failing.clear();
        for probe in probed {
            let (good, bad) = self.probes.entry(probe.target).or_default();
            if probe.trouble.is_none() {
                *good += 1;
            } else {
                *bad += 1;
                if !self.failing.contains(&probe.target) {
                    self.failing.push(probe.target);
                }
            }
        }
    }

    /// Keeps a round; takes up the days before at the first one of a day.
    fn keep(&mut self, round: &Round, now: Timestamp, kept_days: u64) -> io::Result<()> {
        let today = Day::of(now);
        if self.file.as_ref().is_none_or(|(day, _)| *day != today) {
            self.file = None;
            for day in self.folder.open_days()?.into_iter().filter(|day| *day < today) {
                for aside in self.folder.take_up(day, now.0 / 1_000)? {
                    tracing::error!(file = %aside.path.display(), cause = aside.cause, "probes were moved aside");
                }
            }
            self.folder.prune(kept_days)?;
            self.file = Some((today, self.folder.append_to(today)?));
        }
        let appended = self.file.as_mut().map_or(Ok(()), |(_, file)| file.append(round));
        if appended.is_err() {
            // Opened anew with the next round, whatever became of it.
            self.file = None;
        }
        appended
    }

    fn carry_out(&mut self, wanted: Wanted, prefix: &str, now: Timestamp) -> Result<Option<Event>, BookError> {
        match wanted {
            Wanted::Fault { watched, time, cause, kind } => {
                let noted = Noted {
                    related: String::new(),
                    time: time.min(now),
                    cause: short(&cause),
                    kind,
                    prefix: prefix.to_owned(),
                    remedy: String::new(),
                    by: String::new(),
                    watched: watched.clone(),
                };
                let event = self.book.note(noted, now)?;
                self.sentinel.noted(&watched, &event.id);
                Ok(Some(event))
            }
            Wanted::Recovery { watched, event, time } => {
                let Some(fault) = self.book.fault(&event).cloned() else {
                    self.sentinel.over(&event);
                    return Ok(None);
                };
                let noted = Noted {
                    related: fault.id,
                    time: time.max(Timestamp(fault.time)),
                    cause: String::new(),
                    kind: fault.kind,
                    prefix: fault.prefix,
                    remedy: String::new(),
                    by: String::new(),
                    watched,
                };
                let recovery = self.book.note(noted, now)?;
                self.sentinel.over(&event);
                Ok(Some(recovery))
            }
        }
    }
}

/// The fault of a node that did not run.
fn not_running(since: u64, cause: &str, prefix: &str) -> Noted {
    Noted {
        related: String::new(),
        time: Timestamp(since),
        cause: cause.to_owned(),
        kind: Kind::System,
        prefix: prefix.to_owned(),
        remedy: String::new(),
        by: String::new(),
        watched: STOP.to_owned(),
    }
}

/// Whether such a fault is not over yet.
fn is_cut_off(book: &Book) -> bool {
    book.incidents().any(|each| each.recovery.is_none() && each.fault.watched == STOP)
}

/// The time without the node between a run and this start: from the last that is known of it. A clock that was set back makes none.
fn gap(last: &Run, times: &[u64], now: Timestamp) -> Option<Gap> {
    let until = now.0;
    let alive = match last.stopped {
        Some(stopped) => stopped,
        None => {
            let since = last.started.min(until);
            times.iter().copied().filter(|time| (since..=until).contains(time)).max().unwrap_or(since)
        }
    };
    Some(Gap { from: alive.min(until), until, interval: last.interval.max(1) })
}

/// A cause as sets take it: one line, not too long.
fn short(cause: &str) -> String {
    cause.chars().map(|c| if c.is_control() { ' ' } else { c }).take(config::TEXT_CHARS).collect()
}
