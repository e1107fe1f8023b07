//! The record log: the default engine.
//!
//! [`write`] appends groups, [`follow`] goes through them, [`recover`] opens a log after any end, [`upkeep`] makes and merges key runs, [`seek`] finds
//! an entry by serial or time, [`scan`] goes through a segment whatever its state, [`redact`] writes one anew.

pub(crate) mod files;
mod follow;
mod marks;
pub(crate) mod merge;
pub(crate) mod recover;
mod redact;
pub(crate) mod run;
pub(crate) mod scan;
mod seek;
pub(crate) mod segment;
pub(crate) mod tail;
mod upkeep;
pub(crate) mod window;
mod write;

use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::blobs::Blobs;
use crate::bytes::{memory, offset};
use crate::config::FIRST_READ;
use crate::engine::{KeyVisitor, State, Store};
use crate::error::{CommitError, Damage, FollowError, ReadError, RedactError, StateError};
use crate::folder::{FolderLock, Identity};
use crate::format::frame::{self, Seed};
use crate::format::run::KeyAt;
use crate::format::segment::FIRST_GROUP;
use crate::log::follow::Hint;
use crate::log::marks::Marks;
use crate::log::merge::Merged;
use crate::log::run::Run;
use crate::log::segment::{OpenSegments, Segment};
use crate::log::tail::Tail;
use crate::log::window::Window;
use crate::log::write::Writer;
use crate::medium::Medium;
use crate::redact::{Redacted, Replace};
use crate::types::{
    Committed, DamagedKey, Entry, EntryKind, Group, Health, KeyRecord, Place, Position, Serial, Statistics, Timestamp,
};

/// A store kept by the record log.
#[derive(Debug)]
pub(crate) struct LogStore {
    log: Arc<Log>,
    keeper: Mutex<Option<upkeep::Keeper>>,
    _lock: Option<FolderLock>,
}

/// What the store and its keeper thread share.
#[derive(Debug)]
pub(crate) struct Log {
    medium: Arc<dyn Medium>,
    dir: PathBuf,
    identity: Identity,
    seed: Seed,
    segment_bytes: u64,
    segments: RwLock<Vec<Arc<Segment>>>,
    open: OpenSegments,
    writer: Mutex<Writer>,
    position: RwLock<Position>,
    keys: RwLock<Arc<KeySources>>,
    upkeep: upkeep::Upkeeper,
    health: AtomicU8,
    run_failures: AtomicU64,
    /// Last serial the end mark on the disk speaks of.
    marked_end: AtomicU64,
    hints: Mutex<Vec<Hint>>,
    marks: Marks,
    /// Held while segments are written anew.
    redacting: Mutex<()>,
    state: Box<dyn State>,
    blobs: Blobs,
}

/// Where keys are found: in memory for the newest segment, then in older sources, newest first.
#[derive(Clone, Debug)]
pub(crate) struct KeySources {
    active: Arc<Tail>,
    older: Vec<Older>,
}

/// Keys of one or more full segments.
#[derive(Clone, Debug)]
pub(crate) enum Older {
    /// In memory, until the run is made.
    Sealed(Sealed),
    /// In a run.
    Run(Arc<Run>),
}

/// Keys of a full segment whose run is not made yet.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    tail: Arc<Tail>,
    first: Serial,
    last: Serial,
}

impl Older {
    /// First serial of the segments concerned.
    fn first(&self) -> Serial {
        match self {
            Self::Sealed(sealed) => sealed.first,
            Self::Run(run) => run.first,
        }
    }

    /// Last serial of the segments concerned.
    fn last(&self) -> Serial {
        match self {
            Self::Sealed(sealed) => sealed.last,
            Self::Run(run) => run.last,
        }
    }

    fn find(&self, key: &[u8]) -> Result<Option<KeyAt>, ReadError> {
        match self {
            Self::Sealed(sealed) => Ok(sealed.tail.find(key)),
            Self::Run(run) => run.find(key),
        }
    }
}

impl KeySources {
    fn sealed(&self) -> impl DoubleEndedIterator<Item = &Sealed> {
        self.older.iter().filter_map(|older| match older {
            Older::Sealed(sealed) => Some(sealed),
            Older::Run(_) => None,
        })
    }

    fn runs(&self) -> impl Iterator<Item = &Arc<Run>> {
        self.older.iter().filter_map(|older| match older {
            Older::Sealed(_) => None,
            Older::Run(run) => Some(run),
        })
    }
}

/// Takes a lock that no panic can leave half-changed: what it guards is replaced whole or only counted up.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    fn segments(&self) -> Vec<Arc<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The segment that holds `place`.
    fn segment_of(&self, place: Place) -> Option<Arc<Segment>> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let after = segments.partition_point(|segment| segment.base <= place.0);
        segments.get(after.checked_sub(1)?).filter(|segment| place.0 < segment.end()).map(Arc::clone)
    }

    fn sources(&self) -> Arc<KeySources> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_sources(&self, sources: KeySources) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(sources);
    }

    fn last(&self) -> Position {
        *self.position.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn health(&self) -> Health {
        match self.health.load(Ordering::Acquire) {
            0 => Health::Writable,
            1 => Health::DiskFull,
            _ => Health::Poisoned,
        }
    }

    fn set_health(&self, health: Health) {
        let number = match health {
            Health::Writable => 0,
            Health::DiskFull => 1,
            Health::Poisoned => 2,
        };
        // A poisoned log stays poisoned.
        self.health.fetch_max(number, Ordering::AcqRel);
        if number == 0 {
            let _ = self.health.compare_exchange(1, 0, Ordering::AcqRel, Ordering::Acquire);
        }
    }

    fn window(&self, segment: &Arc<Segment>, end: u64) -> Result<Window, ReadError> {
        let file = self.open.file(segment).map_err(|error| ReadError::io(&segment.path, error))?;
        Ok(Window::new(segment.path.clone(), file, self.seed, segment.base, end))
    }

    fn read<'b>(&self, place: Place, buffer: &'b mut Vec<u8>) -> Result<Entry<'b>, ReadError> {
        let segment = self.segment_of(place).ok_or(ReadError::NoSuchPlace(place))?;
        let at = place.0 - segment.base;
        let room = segment.readable().checked_sub(at).filter(|_| at >= FIRST_GROUP);
        let room = room.filter(|room| *room > 0).ok_or(ReadError::NoSuchPlace(place))?;
        let file = self.open.file(&segment).map_err(|error| ReadError::io(&segment.path, error))?;
        let damaged = |what| ReadError::damaged(&segment.path, at, what);
        let fill = |buffer: &mut Vec<u8>, count: usize| -> Result<(), ReadError> {
            buffer.resize(count.min(memory(room)), 0);
            let got = file.read_at(buffer, at).map_err(|error| ReadError::io(&segment.path, error))?;
            buffer.truncate(got);
            Ok(())
        };
        fill(buffer, FIRST_READ)?;
        let length = frame::entry_length(buffer).ok_or_else(|| damaged(Damage::Structure))?;
        if length > buffer.len() {
            fill(buffer, length)?;
        }
        let bytes = buffer.get(..length).ok_or_else(|| damaged(Damage::CutShort))?;
        frame::parse_entry(bytes, self.seed, place).map_err(damaged)
    }

    fn merged(&self, from: Bound<&[u8]>, since: Serial) -> Merged {
        let sources = self.sources();
        let mut merged = Merged::new(from);
        merged.add_tail(Arc::clone(&sources.active));
        for older in sources.older.iter().filter(|older| older.last() > since) {
            match older {
                Older::Sealed(sealed) => merged.add_tail(Arc::clone(&sealed.tail)),
                Older::Run(run) => merged.add_run(Arc::clone(run)),
            }
        }
        merged
    }

    fn statistics(&self) -> Statistics {
        let segments = self.segments();
        let sources = self.sources();
        let tails = std::iter::once(&sources.active).chain(sources.sealed().map(|sealed| &sealed.tail));
        Statistics {
            log_bytes: segments.iter().map(|segment| segment.readable()).sum(),
            segments: offset(segments.len()),
            runs: offset(sources.runs().count()),
            run_bytes: sources.runs().map(|run| run.bytes).sum(),
            runs_pending: offset(sources.sealed().count()),
            run_failures: self.run_failures.load(Ordering::Relaxed),
            tail_keys: tails.map(|tail| tail.len()).sum(),
            state_bytes: self.state.bytes(),
            state_lag: self.last().serial.0.saturating_sub(self.state.applied().0),
        }
    }
}

impl Store for LogStore {
    fn identity(&self) -> &Identity {
        &self.log.identity
    }

    fn commit(&self, now: Timestamp, group: &Group) -> Result<Committed, CommitError> {
        self.log.commit(now, group)
    }

    fn read<'b>(&self, place: Place, buffer: &'b mut Vec<u8>) -> Result<Entry<'b>, ReadError> {
        self.log.read(place, buffer)
    }

    fn find(&self, key: &[u8]) -> Result<Option<Place>, ReadError> {
        let sources = self.log.sources();
        if let Some(at) = sources.active.find(key) {
            return Ok(Some(at.place));
        }
        for older in &sources.older {
            if let Some(at) = older.find(key)? {
                return Ok(Some(at.place));
            }
        }
        Ok(None)
    }

    fn scan_keys(&self, after: &[u8], prefix: &[u8], visit: &mut KeyVisitor<'_>) -> Result<(), ReadError> {
        let from = if after < prefix || after.is_empty() { Bound::Included(prefix) } else { Bound::Excluded(after) };
        let mut merged = self.log.merged(from, Serial::NONE);
        let mut buffer = Vec::new();
        while let Some((key, at)) = merged.next()? {
            if !key.starts_with(prefix) {
                break;
            }
            if at.kind != EntryKind::PUT {
                continue;
            }
            let flow = match self.log.read(at.place, &mut buffer) {
                Ok(entry) if entry.key == key && entry.serial == at.serial => visit(Ok(&entry)),
                Ok(_) => visit(Err(DamagedKey { key, serial: at.serial, error: self.log.disagreement(at.place) })),
                Err(error @ ReadError::Io { .. }) => return Err(error),
                Err(error) => visit(Err(DamagedKey { key, serial: at.serial, error })),
            };
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn scan_latest(
        &self,
        since: Serial,
        visit: &mut dyn FnMut(&KeyRecord<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let mut merged = self.log.merged(Bound::Unbounded, since);
        while let Some((key, at)) = merged.next()? {
            let record = KeyRecord { key, serial: at.serial, kind: at.kind, place: at.place };
            if at.serial > since && visit(&record).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn follow(
        &self,
        after: Serial,
        visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<Serial, FollowError> {
        self.log.follow(after, visit)
    }

    fn read_serial<'b>(&self, serial: Serial, buffer: &'b mut Vec<u8>) -> Result<Option<Entry<'b>>, FollowError> {
        self.log.read_serial(serial, buffer)
    }

    fn serial_at(&self, time: Timestamp) -> Result<Serial, FollowError> {
        self.log.serial_at(time)
    }

    fn redact(&self, after: Serial, upto: Serial, replace: &mut Replace<'_>) -> Result<Redacted, RedactError> {
        self.log.redact(after, upto, replace)
    }

    fn last(&self) -> Position {
        self.log.last()
    }

    fn state(&self) -> &dyn State {
        &*self.log.state
    }

    fn blobs(&self) -> &Blobs {
        &self.log.blobs
    }

    fn health(&self) -> Health {
        self.log.health()
    }

    fn statistics(&self) -> Statistics {
        self.log.statistics()
    }

    fn close(&self) -> Result<(), StateError> {
        self.log.stop_writing();
        if let Some(keeper) = lock(&self.keeper).take() {
            keeper.stop(&self.log);
        }
        self.log.mark_end();
        self.log.state.flush()
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        // Nothing acknowledged depends on the state; if it can not be flushed, it is fed again.
        let _ = self.close();
    }
}

impl Log {
    /// A key source names an entry that says something else.
    fn disagreement(&self, place: Place) -> ReadError {
        self.misplaced(place, Damage::Disagrees)
    }

    /// Damage of whatever lies at `place`.
    fn misplaced(&self, place: Place, what: Damage) -> ReadError {
        match self.segment_of(place) {
            Some(segment) => ReadError::damaged(&segment.path, place.0 - segment.base, what),
            None => ReadError::damaged(&self.dir, 0, what),
        }
    }
}

/// File of the segment-relative path `name` in the log's folder.
fn in_log(dir: &Path, name: &str) -> PathBuf {
    dir.join(name)
}
