//! Making a run for each sealed segment and merging runs, so that their number stays small.

use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::config::RUN_FANOUT;
use crate::engine::Upkeep;
use crate::error::ReadError;
use crate::format::run::RunHeader;
use crate::log::merge::Merged;
use crate::log::run::{Run, RunWriter};
use crate::log::{KeySources, Log, Older, Sealed, lock};
use crate::medium::Medium;

/// Wakes the keeper, and lets one at a time do upkeep.
#[derive(Debug)]
pub(crate) struct Upkeeper {
    mode: Upkeep,
    /// Held while a run is made of a sealed segment.
    making: Mutex<()>,
    /// Held while runs are merged, which can take long; commits never wait for it.
    merging: Mutex<()>,
    /// Held while the key sources are replaced.
    change: Mutex<()>,
    orders: Mutex<Orders>,
    ordered: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct Orders {
    work: bool,
    stop: bool,
}

impl Upkeeper {
    /// Upkeep done where `mode` says.
    pub(crate) fn new(mode: Upkeep) -> Self {
        Self {
            mode,
            making: Mutex::default(),
            merging: Mutex::default(),
            change: Mutex::default(),
            orders: Mutex::default(),
            ordered: Condvar::new(),
        }
    }

    /// Holds off others that replace the key sources.
    pub(crate) fn changing(&self) -> MutexGuard<'_, ()> {
        lock(&self.change)
    }

    /// There may be something to do.
    pub(crate) fn wake(&self, log: &Log) {
        match self.mode {
            Upkeep::Inline => log.do_upkeep(),
            Upkeep::Background => {
                lock(&self.orders).work = true;
                self.ordered.notify_all();
            }
        }
    }

    /// Waits for something to do; `false` when the keeper is to stop.
    fn wait(&self) -> bool {
        let mut orders = lock(&self.orders);
        while !orders.work && !orders.stop {
            orders = self.ordered.wait(orders).unwrap_or_else(PoisonError::into_inner);
        }
        orders.work = false;
        !orders.stop
    }
}

/// The thread that does the upkeep of one log.
#[derive(Debug)]
pub(crate) struct Keeper {
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Starts it, where the log wants one.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(log: &Arc<Log>) -> io::Result<Option<Self>> {
        if log.upkeep.mode == Upkeep::Inline {
            return Ok(None);
        }
        let log = Arc::clone(log);
        let keep = move || {
            while log.upkeep.wait() {
                log.do_upkeep();
            }
        };
        let thread = std::thread::Builder::new().name("store-keeper".to_owned()).spawn(keep)?;
        Ok(Some(Self { thread }))
    }

    /// Ends it after the piece of work under way.
    pub(crate) fn stop(self, log: &Log) {
        lock(&log.upkeep.orders).stop = true;
        log.upkeep.ordered.notify_all();
        // A keeper that panicked has left nothing half-done that matters: runs are replaced whole.
        let _ = self.thread.join();
    }
}

impl Log {
    /// Does all there is to do; a failure is counted and tried again at the next occasion.
    pub(crate) fn do_upkeep(&self) {
        loop {
            let done = self.make_oldest_run().and_then(|made| if made { Ok(true) } else { self.merge_some_runs() });
            match done {
                Ok(true) if !lock(&self.upkeep.orders).stop => {}
                Ok(_) => break,
                Err(_) => {
                    self.run_failures.fetch_add(1, Ordering::Relaxed);
                    break;
                }
            }
        }
    }

    /// Makes the run of the oldest sealed segment that has none; whether there was one.
    ///
    /// # Errors
    /// A refusing disk; nothing has changed then.
    pub(crate) fn make_oldest_run(&self) -> io::Result<bool> {
        let _turn = lock(&self.upkeep.making);
        let sources = self.sources();
        let Some(oldest) = sources.sealed().last() else { return Ok(false) };
        let run = Arc::new(make_run(&*self.medium, &self.dir, self.identity.store_id, oldest)?);
        self.replace(|sources| {
            let waiting = sources.older.iter_mut().find(|older| older.first() == oldest.first);
            if let Some(waiting) = waiting {
                *waiting = Older::Run(run);
            }
        });
        Ok(true)
    }

    /// Merges runs of one level when there are enough; whether there were.
    ///
    /// # Errors
    /// A refusing disk or a damaged run; nothing has changed then.
    fn merge_some_runs(&self) -> io::Result<bool> {
        let _turn = lock(&self.upkeep.merging);
        let sources = self.sources();
        let Some(inputs) = mergeable(&sources.older) else { return Ok(false) };
        let merged = Arc::new(self.merge_runs(&inputs)?);
        self.replace(|sources| {
            // Newer sources may have come meanwhile; these inputs are still neighbours.
            let is_input = |older: &Older| merged.first <= older.first() && older.last() <= merged.last;
            if let Some(at) = sources.older.iter().position(is_input) {
                sources.older.retain(|older| !is_input(older));
                sources.older.insert(at, Older::Run(Arc::clone(&merged)));
            }
        });
        for input in inputs {
            // Best effort: a run that is covered by another is removed at the next start.
            let _ = self.medium.remove(&input.path);
        }
        Ok(true)
    }

    fn replace(&self, change: impl FnOnce(&mut KeySources)) {
        let _changing = self.upkeep.changing();
        let mut sources = KeySources::clone(&self.sources());
        change(&mut sources);
        self.set_sources(sources);
    }

    /// Merges neighbouring runs into one of the next level.
    fn merge_runs(&self, inputs: &[Arc<Run>]) -> io::Result<Run> {
        let first = inputs.iter().map(|run| run.first).min().unwrap_or_default();
        let last = inputs.iter().map(|run| run.last).max().unwrap_or_default();
        let level = inputs.iter().map(|run| run.level).max().unwrap_or_default() + 1;
        let mut merged = Merged::new(Bound::Unbounded);
        for input in inputs {
            merged.add_run(Arc::clone(input));
        }
        write_run(&*self.medium, &self.dir, RunHeader { store_id: self.identity.store_id, first, last, level }, merged)
    }
}

/// Makes the run of a sealed segment.
///
/// # Errors
/// A refusing disk; nothing is left of the run then.
pub(crate) fn make_run(medium: &dyn Medium, dir: &Path, store_id: [u8; 16], sealed: &Sealed) -> io::Result<Run> {
    let mut merged = Merged::new(Bound::Unbounded);
    merged.add_tail(Arc::clone(&sealed.tail));
    write_run(medium, dir, RunHeader { store_id, first: sealed.first, last: sealed.last, level: 0 }, merged)
}

fn write_run(medium: &dyn Medium, dir: &Path, header: RunHeader, mut merged: Merged) -> io::Result<Run> {
    let mut writer = RunWriter::create(medium, dir, header)?;
    loop {
        let added = match merged.next() {
            Ok(Some((key, at))) => writer.add(key, &at),
            Ok(None) => return writer.finish(),
            Err(error) => Err(as_io(error)),
        };
        if let Err(error) = added {
            writer.abandon();
            return Err(error);
        }
    }
}

/// [`RUN_FANOUT`] neighbouring runs of one level, the smallest level first.
fn mergeable(older: &[Older]) -> Option<Vec<Arc<Run>>> {
    let runs = |window: &[Older]| -> Option<Vec<Arc<Run>>> {
        let run = |older: &Older| match older {
            Older::Run(run) => Some(Arc::clone(run)),
            Older::Sealed(_) => None,
        };
        let runs: Vec<_> = window.iter().map(run).collect::<Option<_>>()?;
        let level = runs.first()?.level;
        runs.iter().all(|run| run.level == level).then_some(runs)
    };
    older.windows(RUN_FANOUT).filter_map(runs).min_by_key(|runs| runs.first().map(|run| run.level))
}

fn as_io(error: ReadError) -> io::Error {
    match error {
        ReadError::Io { source, .. } => source,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}
