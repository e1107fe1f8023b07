//! The record log: the default engine.
//!
//! [`write`] appends groups, [`recover`] opens a log after any end, [`upkeep`] makes and merges key runs, [`scan`] goes through a segment
//! whatever its state.

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
use crate::config::{FIRST_READ, FOLLOW_HINTS};
use crate::engine::{State, Store};
use crate::error::{CommitError, Damage, FollowError, ReadError, RedactError, StateError};
use crate::folder::{FolderLock, Identity};
use crate::format::frame::{self, Entries, GROUP_HEADER, GroupHeader, Seed};
use crate::format::run::KeyAt;
use crate::format::segment::FIRST_GROUP;
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
    Committed, Entry, EntryKind, Group, Health, KeyRecord, Place, Position, Serial, Statistics, Timestamp,
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

/// A group boundary some follower stopped at.
#[derive(Clone, Copy, Debug)]
struct Hint {
    first: Serial,
    base: u64,
    at: u64,
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

    /// Where to begin looking for the group of `target` in a segment whose entries end before `end`: the boundary some follower stopped at,
    /// or one not far before.
    fn begin_at(&self, segment: &Arc<Segment>, end: Serial, target: Serial) -> Result<(u64, Serial), ReadError> {
        let start = (FIRST_GROUP, segment.first);
        if target <= segment.first {
            return Ok(start);
        }
        let hinted = {
            let hints = lock(&self.hints);
            let near = hints.iter().filter(|hint| hint.base == segment.base && hint.first <= target);
            near.max_by_key(|hint| hint.first).map_or(start, |hint| (hint.at, hint.first))
        };
        if hinted.1 == target {
            return Ok(hinted);
        }
        let near = self.group_near(segment, end, target)?.unwrap_or(start);
        Ok(if near.1 > hinted.1 { near } else { hinted })
    }

    fn remember(&self, hint: Hint) {
        let mut hints = lock(&self.hints);
        hints.retain(|known| known.first != hint.first);
        if hints.len() >= FOLLOW_HINTS {
            hints.remove(0);
        }
        hints.push(hint);
    }

    fn follow(
        &self,
        after: Serial,
        visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<Serial, FollowError> {
        let last = self.last().serial;
        let segments = self.segments();
        let target = after.next();
        let oldest = segments.first().map_or(Serial(1), |segment| segment.first);
        if target < oldest {
            return Err(FollowError::Compacted { oldest });
        }
        let start = segments.partition_point(|segment| segment.first <= target).saturating_sub(1);
        let mut done = after;
        for (index, segment) in segments.iter().enumerate().skip(start) {
            if done >= last {
                break;
            }
            let following = segments.get(index + 1).map(|segment| segment.first);
            let flow = self.follow_segment(segment, following.unwrap_or_else(|| last.next()), &mut done, visit)?;
            if flow.is_break() {
                break;
            }
        }
        Ok(done)
    }

    /// Visits what follows `done` in one segment, whose entries end before serial `end`.
    fn follow_segment(
        &self,
        segment: &Arc<Segment>,
        end: Serial,
        done: &mut Serial,
        visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, FollowError> {
        let (mut at, mut expected) = self.begin_at(segment, end, done.next())?;
        let mut window = self.window(segment, segment.readable())?;
        while expected < end {
            let header = expect_group(&mut window, &mut at, expected, done.next(), end)?;
            if header.next() > done.next() {
                let flow = self.follow_group(&mut window, at, &header, done, visit)?;
                if flow.is_break() {
                    self.remember(Hint { first: header.first, base: segment.base, at });
                    return Ok(ControlFlow::Break(()));
                }
            }
            at += offset(header.length);
            expected = header.next();
        }
        self.remember(Hint { first: expected, base: segment.base, at });
        Ok(ControlFlow::Continue(()))
    }

    /// Visits what follows `done` in the group at `at`.
    fn follow_group(
        &self,
        window: &mut Window,
        at: u64,
        header: &GroupHeader,
        done: &mut Serial,
        visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, FollowError> {
        let path = window.path.clone();
        let (base, start) = (window.place(0), window.place(at) + offset(GROUP_HEADER));
        let damaged = |at, what| FollowError::Damaged {
            resume_after: Serial(header.next().0 - 1),
            source: ReadError::damaged(&path, at, what),
        };
        let (header, entries) = window.group(at)?.map_err(|what| damaged(at, what))?;
        for entry in Entries::new(entries, start, &header) {
            let entry = entry.map_err(|(place, what)| damaged(place - base, what))?;
            if entry.serial > *done {
                *done = entry.serial;
                if visit(&entry).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
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

    fn scan_keys(
        &self,
        after: &[u8],
        prefix: &[u8],
        visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
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
            let entry = self.log.read(at.place, &mut buffer)?;
            if entry.key != key || entry.serial != at.serial {
                return Err(self.log.disagreement(at.place));
            }
            if visit(&entry).is_break() {
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

/// Header of the group at `at`, which should begin with serial `expected`. Where it is damaged, `at` moves on to the next whole group, if
/// that one begins at or before `target`: then the caller has been told, and asks for what lies behind the damage.
fn expect_group(
    window: &mut Window,
    at: &mut u64,
    expected: Serial,
    target: Serial,
    end: Serial,
) -> Result<GroupHeader, FollowError> {
    let (what, from) = match window.group_header(*at)? {
        Ok(header) if header.first == expected => return Ok(header),
        Ok(_) => (Damage::SerialOrder, *at),
        Err(what) => (what, *at + 1),
    };
    let source = ReadError::damaged(&window.path, *at, what);
    let found = match window.next_group(from)? {
        Some(found) => window.group_header(found)?.ok().map(|header| (found, header)),
        None => None,
    };
    match found.filter(|(_, header)| header.first > expected) {
        Some((found, header)) if header.first <= target => {
            *at = found;
            Ok(header)
        }
        found => {
            let next = found.map_or(end, |(_, header)| header.first.min(end));
            Err(FollowError::Damaged { resume_after: Serial(next.0 - 1), source })
        }
    }
}

/// File of the segment-relative path `name` in the log's folder.
fn in_log(dir: &Path, name: &str) -> PathBuf {
    dir.join(name)
}
