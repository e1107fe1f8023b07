//! Opening a log, however it ended.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, RwLock};

use crate::blobs::Blobs;
use crate::bytes::{memory, offset};
use crate::check::{Finding, Part, Remedy};
use crate::engine::{Options, Recovery, State, StateFound, Torn};
use crate::error::{Damage, OpenError, is_disk_full};
use crate::folder::{FolderLock, Identity, make_dir, paths};
use crate::format::end::LogEnd;
use crate::format::frame::Seed;
use crate::format::segment::SegmentHeader;
use crate::log::files::{LogFiles, end_path, read_end, read_segment_header};
use crate::log::marks::Marks;
use crate::log::run::Run;
use crate::log::scan::{Met, SegmentEnd, scan};
use crate::log::segment::{CreateError, OpenSegments, Segment, create_segment};
use crate::log::tail::Tail;
use crate::log::upkeep::{Keeper, Upkeeper, make_run};
use crate::log::window::Window;
use crate::log::write::Writer;
use crate::log::{KeySources, Log, LogStore, Older, Sealed, in_log};
use crate::medium::Medium;
use crate::types::{Health, Place, Position, Serial, Timestamp};

/// What is gathered while opening.
struct Opening<'o> {
    medium: &'o Arc<dyn Medium>,
    dir: PathBuf,
    identity: &'o Identity,
    seed: Seed,
    recovery: Recovery,
    /// Bases of segments whose header is damaged and was made up.
    made_up: Vec<u64>,
}

/// What going through the newest segment has found.
struct Scanned {
    end: SegmentEnd,
    /// Time of its last entry.
    time: Timestamp,
    /// Its keys.
    active: Arc<Tail>,
}

/// All segments, the newest ready to be appended to.
struct Newest {
    segments: Vec<Arc<Segment>>,
    writer: Writer,
    /// Keys of the newest segment.
    active: Arc<Tail>,
}

/// Opens the log in the folder of `options`, making it when the store is new.
///
/// # Errors
/// A refusing disk, an unknown version, or a header damaged beyond use.
pub(crate) fn open_log(
    medium: Arc<dyn Medium>,
    options: &Options,
    identity: Identity,
    state: Box<dyn State>,
    recovery: Recovery,
    lock: Option<FolderLock>,
) -> Result<(LogStore, Recovery), OpenError> {
    let dir = paths::log(&options.dir);
    make_dir(&*medium, &dir)?;
    let mut opening = Opening {
        medium: &medium,
        dir: dir.clone(),
        identity: &identity,
        seed: Seed::of_store(&identity.store_id),
        recovery,
        made_up: Vec::new(),
    };
    let files = LogFiles::list(&*medium, &dir)?;
    for path in &files.unfinished {
        medium.remove(path).map_err(|error| OpenError::io(path, error))?;
    }
    let end = opening.end()?;
    let mut headers = opening.headers(&files)?;
    if headers.is_empty() {
        headers.push(opening.begin(options, &end)?);
    }
    let scanned = opening.newest_scanned(options, &mut headers, &end, state.applied())?;
    let Newest { segments, writer, active } = opening.newest(&headers, scanned)?;
    let older = opening.older(&files, &headers)?;
    let position = Position { serial: Serial(writer.next.0.saturating_sub(1)), time: writer.time };
    opening.check_state(&*state, position)?;
    let Opening { mut recovery, seed, .. } = opening;
    recovery.last = position;
    let open = OpenSegments::new(Arc::clone(&medium), memory(options.open_segments));
    let blobs = Blobs::new(Arc::clone(&medium), paths::blobs(&options.dir), identity.store_id);
    let cut = writer.cut;
    let log = Arc::new(Log {
        medium,
        dir,
        seed,
        identity,
        segment_bytes: options.segment_bytes,
        segments: RwLock::new(segments),
        open,
        writer: Mutex::new(writer),
        position: RwLock::new(position),
        keys: RwLock::new(Arc::new(KeySources { active, older })),
        upkeep: Upkeeper::new(options.upkeep),
        health: std::sync::atomic::AtomicU8::new(0),
        run_failures: AtomicU64::new(0),
        marked_end: AtomicU64::new(end.serial.0),
        hints: Mutex::default(),
        marks: Marks::default(),
        redacting: Mutex::default(),
        state,
        blobs,
    });
    if cut {
        log.set_health(Health::DiskFull);
    }
    let keeper = Keeper::start(&log).map_err(|error| OpenError::io(&options.dir, error))?;
    log.upkeep.wake(&log);
    Ok((LogStore { log, keeper: Mutex::new(keeper), _lock: lock }, recovery))
}

impl Opening<'_> {
    /// Headers of the segments, oldest first. A damaged one is made up from its file's name and the next one's.
    fn headers(&mut self, files: &LogFiles) -> Result<Vec<SegmentHeader>, OpenError> {
        let mut headers: Vec<SegmentHeader> = Vec::with_capacity(files.segments.len());
        for (base, first, path) in &files.segments {
            let (header, length) = read_segment_header(&**self.medium, path, &self.identity.store_id)?;
            let header = match header {
                Ok(header) if (header.base, header.first) == (*base, *first) => header,
                Ok(_) => return Err(OpenError::damaged(path, 0, Damage::Disagrees)),
                Err(Damage::ForeignStore) => return Err(OpenError::damaged(path, 0, Damage::ForeignStore)),
                Err(what) => {
                    self.found(path, 0, Part::SegmentHeader, what, None);
                    self.made_up.push(*base);
                    let store_id = self.identity.store_id;
                    // Times never go back, so it is at least this.
                    let time = headers.last().map_or(Timestamp(0), |former| former.time);
                    SegmentHeader { store_id, base: *base, capacity: length, first: *first, time }
                }
            };
            if let Some(former) = headers.last()
                && former.base + former.capacity != header.base
            {
                self.found(path, 0, Part::Sequence, Damage::Missing, Some(former.first));
            }
            headers.push(header);
        }
        Ok(headers)
    }

    /// Where the log ended when it was last closed.
    fn end(&mut self) -> Result<LogEnd, OpenError> {
        match read_end(&**self.medium, &self.dir, &self.identity.store_id)? {
            Ok(end) => Ok(end),
            Err(what) => {
                self.found(&end_path(&self.dir), 0, Part::EndMark, what, None);
                Ok(LogEnd::default())
            }
        }
    }

    /// The first segment of a new log, or of one that has lost all of them.
    fn begin(&mut self, options: &Options, end: &LogEnd) -> Result<SegmentHeader, OpenError> {
        if end.serial.is_some() {
            let dir = self.dir.clone();
            self.found(&dir, 0, Part::Sequence, Damage::Missing, Some(Serial(1)));
        }
        self.create(options, end.place, end.serial.next(), end.time)
    }

    /// Makes a segment behind an end that was spoken of.
    fn create(&self, options: &Options, base: u64, first: Serial, time: Timestamp) -> Result<SegmentHeader, OpenError> {
        let store_id = self.identity.store_id;
        let is_possible = base.saturating_add(options.segment_bytes) <= Place::END && first <= Serial::MAX;
        if !is_possible {
            return Err(OpenError::damaged(&end_path(&self.dir), 0, Damage::Structure));
        }
        let header = SegmentHeader { store_id, base, capacity: options.segment_bytes, first, time };
        create_segment(&**self.medium, &self.dir, &header).map_err(|error| match error {
            CreateError::Refused(error) => OpenError::io(&self.dir, error),
            CreateError::Flush => OpenError::io(&self.dir, std::io::Error::other("a flush to disk failed")),
        })?;
        Ok(header)
    }

    /// Goes through the newest segment. Where groups at its end are not whole that were durable once, they are damage, not the rest of a write
    /// that was cut short: nothing is cut, and the log goes on behind them in a new segment, with a serial nobody was ever told.
    fn newest_scanned(
        &mut self,
        options: &Options,
        headers: &mut Vec<SegmentHeader>,
        end: &LogEnd,
        applied: Serial,
    ) -> Result<Scanned, OpenError> {
        let nothing = || OpenError::damaged(&self.dir, 0, Damage::Missing);
        let header = *headers.last().ok_or_else(nothing)?;
        let known = self.recovery.damage.len();
        let scanned = self.scan_newest(&header)?;
        let Some(durable) = lost_upto(scanned.end, end, applied) else { return Ok(scanned) };
        // Found again when the segment is gone through as one that is not the newest.
        self.recovery.damage.truncate(known);
        let base = end.place.max(header.base + header.capacity);
        headers.push(self.create(options, base, durable.next(), end.time.max(scanned.time))?);
        self.newest_scanned(options, headers, end, applied)
    }

    /// Goes through the newest segment.
    fn scan_newest(&mut self, header: &SegmentHeader) -> Result<Scanned, OpenError> {
        let active = Arc::new(Tail::default());
        let mut time = header.time;
        let mut entries = 0;
        let end = self.scan_into(header, None, &active, &mut |entry_time| {
            time = time.max(entry_time);
            entries += 1;
        })?;
        self.recovery.entries_scanned += entries;
        Ok(Scanned { end, time, active })
    }

    /// Cuts a torn tail off the newest segment, and gets ready to append to it.
    fn newest(&mut self, headers: &[SegmentHeader], scanned: Scanned) -> Result<Newest, OpenError> {
        let segment = |header: &SegmentHeader| {
            let segment = Segment::new(&self.dir, header, header.capacity);
            Arc::new(if self.made_up.contains(&header.base) { segment.begun_unknown() } else { segment })
        };
        let segments: Vec<_> = headers.iter().map(segment).collect();
        let Some(newest) = segments.last().cloned() else {
            return Err(OpenError::damaged(&self.dir, 0, Damage::Missing));
        };
        let Scanned { end, time, active } = scanned;
        let file = self.medium.open(&newest.path).map_err(|error| OpenError::io(&newest.path, error))?;
        let length = file.len().map_err(|error| OpenError::io(&newest.path, error))?;
        let mut cut = length < newest.capacity;
        if end.torn {
            self.cut_tail(&newest, &*file, end)?;
            cut = true;
        }
        if cut {
            // A disk that is full now refuses commits until there is room, but what is there can be read.
            cut = match file.allocate(newest.capacity).and_then(|()| file.sync()) {
                Err(error) if is_disk_full(&error) => true,
                other => other.map(|()| false).map_err(|error| OpenError::io(&newest.path, error))?,
            };
        }
        newest.set_readable(end.at);
        let writer =
            Writer { segment: newest, file, at: end.at, next: end.next, time, cut, closed: false, frame: Vec::new() };
        Ok(Newest { segments, writer, active })
    }

    /// Copies what lies behind the last whole group into a file of its own, and cuts it off.
    fn cut_tail(
        &mut self,
        segment: &Segment,
        file: &dyn crate::medium::MediumFile,
        end: SegmentEnd,
    ) -> Result<(), OpenError> {
        let fail = |error| OpenError::io(&segment.path, error);
        let length = file.len().map_err(fail)?;
        let mut torn = vec![0; memory(length.saturating_sub(end.at))];
        let got = file.read_at(&mut torn, end.at).map_err(fail)?;
        torn.truncate(got);
        let used = torn.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        torn.truncate(used);
        // On a full disk the room reserved behind the torn bytes is where their copy goes.
        file.set_len(end.at + offset(used)).map_err(fail)?;
        let kept = self.keep_aside(&torn, end.next)?;
        file.set_len(end.at).and_then(|()| file.sync()).map_err(fail)?;
        self.recovery.torn = Some(Torn {
            kept,
            file: segment.path.clone(),
            offset: end.at,
            bytes: offset(torn.len()),
            serial: end.next,
        });
        Ok(())
    }

    /// Writes torn bytes to a file that no earlier one has the name of, durable on return.
    fn keep_aside(&self, torn: &[u8], serial: Serial) -> Result<PathBuf, OpenError> {
        let mut path = in_log(&self.dir, &format!("torn-{}.bin", serial.0));
        let mut number = 1;
        while self.medium.open(&path).is_ok() {
            number += 1;
            path = in_log(&self.dir, &format!("torn-{}-{number}.bin", serial.0));
        }
        let write = || {
            let file = self.medium.create(&path)?;
            file.write_at(torn, 0)?;
            file.sync()?;
            self.medium.sync_dir(&self.dir)
        };
        write().map_err(|error| OpenError::io(&path, error))?;
        Ok(path)
    }

    /// Adds the keys of one segment to `tail` and notes what is damaged.
    fn scan_into(
        &mut self,
        header: &SegmentHeader,
        following: Option<Serial>,
        tail: &Tail,
        seen: &mut dyn FnMut(Timestamp),
    ) -> Result<SegmentEnd, OpenError> {
        let path = in_log(&self.dir, &header.file_name());
        let file = self.medium.open(&path).map_err(|error| OpenError::io(&path, error))?;
        let mut window = Window::new(path.clone(), file, self.seed, header.base, header.capacity);
        let end = scan(&mut window, header.first, following, &mut |met| match met {
            Met::Entry(entry) => {
                tail.add(entry);
                seen(entry.time);
            }
            Met::Damage { at, part, what, serial } => self.found(&path, at, part, what, serial),
        })?;
        Ok(end)
    }

    /// Key sources of the full segments, newest first: the runs that are good, and those made anew that are missing; where that fails, the
    /// segment's keys stay in memory.
    fn older(&mut self, files: &LogFiles, headers: &[SegmentHeader]) -> Result<Vec<Older>, OpenError> {
        let sealed_end = headers.last().map_or(Serial::NONE, |newest| Serial(newest.first.0.saturating_sub(1)));
        let runs = self.open_runs(files, sealed_end)?;
        let mut older: Vec<_> = runs.into_iter().map(|run| Older::Run(Arc::new(run))).collect();
        for pair in headers.windows(2) {
            let [header, following] = pair else { continue };
            let (first, last) = (header.first, Serial(following.first.0.saturating_sub(1)));
            let covered = |older: &Older| older.first() <= first && last <= older.last();
            if last < first || older.iter().any(covered) {
                continue;
            }
            let tail = Arc::new(Tail::default());
            self.scan_into(header, Some(following.first), &tail, &mut |_| {})?;
            let waiting = Sealed { tail, first, last };
            older.push(match make_run(&**self.medium, &self.dir, self.identity.store_id, &waiting) {
                Ok(run) => {
                    self.recovery.runs_remade += 1;
                    Older::Run(Arc::new(run))
                }
                Err(_) => Older::Sealed(waiting),
            });
        }
        older.sort_by_key(|older| std::cmp::Reverse(older.first()));
        Ok(older)
    }

    /// Opens all runs; removes those that are damaged, covered by another one, or about entries the log does not hold.
    fn open_runs(&mut self, files: &LogFiles, sealed_end: Serial) -> Result<Vec<Run>, OpenError> {
        let mut runs: Vec<Run> = Vec::new();
        for path in &files.runs {
            match Run::open(&**self.medium, path, &self.identity.store_id) {
                Ok(run) if run.last <= sealed_end => runs.push(run),
                Ok(_) => self.remove(path)?,
                Err(OpenError::Damaged { offset, what, .. }) => {
                    self.found(path, offset, Part::Run, what, None);
                    self.remove(path)?;
                }
                Err(other) => return Err(other),
            }
        }
        // The widest first, so that what follows is covered or new.
        runs.sort_by_key(|run| (run.first, std::cmp::Reverse(run.last)));
        let mut kept: Vec<Run> = Vec::with_capacity(runs.len());
        for run in runs {
            if kept.last().is_some_and(|wider| run.first <= wider.last) {
                self.remove(&run.path)?;
            } else {
                kept.push(run);
            }
        }
        Ok(kept)
    }

    fn remove(&self, path: &Path) -> Result<(), OpenError> {
        self.medium.remove(path).map_err(|error| OpenError::io(path, error))
    }

    /// A state that has seen more than the log holds belongs to entries that are lost.
    fn check_state(&mut self, state: &dyn State, position: Position) -> Result<(), OpenError> {
        let applied = state.applied();
        if applied > position.serial {
            state.clear().map_err(|error| OpenError::io(&self.dir, std::io::Error::other(error)))?;
            self.recovery.state = StateFound::Ahead { applied };
        }
        Ok(())
    }

    fn found(&mut self, file: &Path, offset: u64, part: Part, what: Damage, serial: Option<Serial>) {
        let remedy = Remedy::of(part);
        self.recovery.damage.push(Finding { file: file.to_owned(), offset, part, what, serial, key: None, remedy });
    }
}

/// Where whole groups end before what is known to have been durable: the last serial that was. It is known of what was there when the log was
/// closed, and of what the small state has seen, which is fed only after the flush; the latter counts only where something lies behind the last
/// whole group, since a state may also be newer than a log that was put back from a backup.
fn lost_upto(found: SegmentEnd, closed: &LogEnd, applied: Serial) -> Option<Serial> {
    let seen = if found.torn { applied } else { Serial::NONE };
    Some(closed.serial.max(seen)).filter(|durable| found.next <= *durable)
}
