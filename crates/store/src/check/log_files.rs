//! Checking segments and key runs.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bytes::{memory, offset};
use crate::check::{Checker, Finding, Part, Remedy};
use crate::config::KEYS_AT_ONCE;
use crate::error::{Damage, OpenError, ReadError};
use crate::folder::paths;
use crate::format::end::{END_BYTES, LogEnd};
use crate::format::frame::Seed;
use crate::format::run::KeyAt;
use crate::format::segment::{HEADER_MOST, SegmentHeader, Versioned};
use crate::log::files::{LogFiles, end_path, read_end, read_segment_header};
use crate::log::run::{Run, RunCursor};
use crate::log::scan::{Met, scan};
use crate::log::window::Window;
use crate::medium::Medium;
use crate::types::{Entry, Serial};

/// A segment as far as it is known.
struct Known {
    base: u64,
    first: Serial,
    /// First serial of the next one, `None` for the newest.
    following: Option<Serial>,
    length: u64,
    path: PathBuf,
}

impl Checker<'_> {
    fn found_in_log(&mut self, file: &Path, offset: u64, part: Part, what: Damage, serial: Option<Serial>) {
        let remedy = Remedy::of(part);
        self.found(Finding { file: file.to_owned(), offset, part, what, serial, key: None, remedy });
    }
}

/// Store named in a segment's header, where that is sound.
pub(super) fn store_id_of(medium: &dyn Medium, path: &Path) -> Option<[u8; 16]> {
    let file = medium.open(path).ok()?;
    let mut bytes = vec![0; HEADER_MOST];
    let got = file.read_at(&mut bytes, 0).ok()?;
    bytes.truncate(got);
    match SegmentHeader::decode(&bytes).ok()? {
        Versioned::Known(header) => Some(header.store_id),
        Versioned::Unknown(_) => None,
    }
}

/// Checks everything in the log's folder.
pub(super) fn check_log(checker: &mut Checker<'_>) -> Result<(), OpenError> {
    let dir = paths::log(checker.dir);
    let files = match checker.medium.list(&dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        _ => LogFiles::list(checker.medium, &dir)?,
    };
    checker.summary.torn_files = offset(files.torn.len());
    let end = check_end(checker, &dir)?;
    let segments = check_headers(checker, &files)?;
    if segments.is_empty() && end.serial.is_some() {
        checker.found_in_log(&dir, 0, Part::Sequence, Damage::Missing, Some(Serial(1)));
    }
    for segment in &segments {
        check_segment(checker, segment, &end)?;
    }
    for path in &files.runs {
        check_run(checker, path, &segments)?;
    }
    Ok(())
}

/// Checks the end mark; where there is none that can be read, the log may end anywhere.
fn check_end(checker: &mut Checker<'_>, dir: &Path) -> Result<LogEnd, OpenError> {
    match read_end(checker.medium, dir, &checker.store_id)? {
        Ok(end) => {
            checker.summary.bytes += if end.serial.is_some() { offset(END_BYTES) } else { 0 };
            Ok(end)
        }
        Err(what) => {
            checker.found_in_log(&end_path(dir), 0, Part::EndMark, what, None);
            Ok(LogEnd::default())
        }
    }
}

fn check_headers(checker: &mut Checker<'_>, files: &LogFiles) -> Result<Vec<Known>, OpenError> {
    let mut segments: Vec<Known> = Vec::with_capacity(files.segments.len());
    for (index, (base, first, path)) in files.segments.iter().enumerate() {
        checker.summary.segments += 1;
        let following = files.segments.get(index + 1).map(|(_, first, _)| *first);
        let (header, length) = read_segment_header(checker.medium, path, &checker.store_id)?;
        match header {
            Ok(header) if (header.base, header.first) != (*base, *first) => {
                checker.found_in_log(path, 0, Part::SegmentHeader, Damage::Disagrees, Some(*first));
            }
            // The newest one may lack room after a disk was full.
            Ok(header) if header.capacity < length || (following.is_some() && header.capacity > length) => {
                checker.found_in_log(path, length, Part::UnusedRoom, Damage::Structure, None);
            }
            Ok(_) => {}
            Err(what) => checker.found_in_log(path, 0, Part::SegmentHeader, what, Some(*first)),
        }
        if let Some(former) = segments.last()
            && former.base + former.length != *base
        {
            checker.found_in_log(path, 0, Part::Sequence, Damage::Missing, Some(*first));
        }
        segments.push(Known { base: *base, first: *first, following, length, path: path.clone() });
    }
    Ok(segments)
}

fn window(checker: &Checker<'_>, segment: &Known) -> Result<Window, OpenError> {
    let file = checker.medium.open(&segment.path).map_err(|error| OpenError::io(&segment.path, error))?;
    let seed = Seed::of_store(&checker.store_id);
    Ok(Window::new(segment.path.clone(), file, seed, segment.base, segment.length))
}

fn check_segment(checker: &mut Checker<'_>, segment: &Known, mark: &LogEnd) -> Result<(), OpenError> {
    let mut window = window(checker, segment)?;
    let mut entries = 0;
    let mut findings = Vec::new();
    let end = scan(&mut window, segment.first, segment.following, &mut |met| match met {
        Met::Entry(_) => entries += 1,
        Met::Damage { at, part, what, serial } => findings.push((at, part, what, serial)),
    })?;
    let last = Serial(end.next.0.saturating_sub(1));
    if segment.following.is_none() && last < mark.serial {
        // It was there when the log was closed.
        let what = if end.torn { Damage::Checksum } else { Damage::Missing };
        findings.push((end.at, Part::Group, what, Some(end.next)));
    } else if end.torn {
        findings.push((end.at, Part::Tail, Damage::EndMark, Some(end.next)));
    }
    for (at, part, what, serial) in findings {
        checker.found_in_log(&segment.path, at, part, what, serial);
    }
    checker.summary.entries += entries;
    checker.summary.bytes += segment.length;
    checker.summary.last = last.max(mark.serial);
    Ok(())
}

/// Checks every block of a run, and that it says what the log says.
fn check_run(checker: &mut Checker<'_>, path: &Path, segments: &[Known]) -> Result<(), OpenError> {
    checker.summary.runs += 1;
    let run = match Run::open(checker.medium, path, &checker.store_id) {
        Ok(run) => Arc::new(run),
        Err(OpenError::Damaged { offset, what, .. }) => {
            checker.found_in_log(path, offset, Part::Run, what, None);
            return Ok(());
        }
        Err(other) => return Err(other),
    };
    checker.summary.bytes += run.bytes;
    match check_blocks(&run).and_then(|()| disagreements(checker, &run, segments)) {
        Ok(wrong) => {
            for serial in wrong {
                checker.found_in_log(path, 0, Part::Run, Damage::Disagrees, Some(serial));
            }
            Ok(())
        }
        Err(ReadError::Damaged { file, offset, what }) => {
            checker.found_in_log(&file, offset, Part::Run, what, None);
            Ok(())
        }
        Err(other) => Err(other.into()),
    }
}

/// Reads every block: keys ascend, each lies where the sparse index says, and there are as many as the footer says.
fn check_blocks(run: &Arc<Run>) -> Result<(), ReadError> {
    let mut cursor = RunCursor::new(Arc::clone(run), Bound::Unbounded);
    let (mut former, mut key, mut count) = (Vec::new(), Vec::new(), 0);
    while cursor.next(&mut key)?.is_some() {
        if (count > 0 && former >= key) || !cursor.agrees_with_index() {
            return Err(ReadError::damaged(&run.path, cursor.offset(), Damage::Structure));
        }
        std::mem::swap(&mut former, &mut key);
        count += 1;
    }
    if count == run.keys { Ok(()) } else { Err(ReadError::damaged(&run.path, run.bytes, Damage::Structure)) }
}

/// Serials of entries on which run and log disagree.
fn disagreements(checker: &Checker<'_>, run: &Arc<Run>, segments: &[Known]) -> Result<Vec<Serial>, ReadError> {
    let passes = run.keys.div_ceil(KEYS_AT_ONCE).max(1);
    let mut wrong = Vec::new();
    for pass in 0..passes {
        let mut comparison = Comparison::new(Arc::clone(run), pass, passes)?;
        for segment in segments {
            let inside = run.first <= segment.first && segment.first <= run.last;
            if let Some(following) = segment.following.filter(|following| inside && segment.first < *following) {
                let mut window = window(checker, segment).map_err(read_error)?;
                let mut failed = None;
                scan(&mut window, segment.first, Some(following), &mut |met| {
                    if let Met::Entry(entry) = met {
                        failed = comparison.meet(entry).err().or_else(|| failed.take());
                    }
                })?;
                failed.map_or(Ok(()), Err)?;
            }
        }
        wrong.extend(comparison.finish());
    }
    Ok(wrong)
}

fn read_error(error: OpenError) -> ReadError {
    match error {
        OpenError::Io { path, source } => ReadError::Io { file: path, source },
        other => ReadError::Io { file: PathBuf::new(), source: std::io::Error::other(other) },
    }
}

/// Compares those keys of a run whose hash belongs to this pass with the entries it covers.
struct Comparison {
    run: Arc<Run>,
    hasher: RandomState,
    pass: u64,
    passes: u64,
    /// By hash of the key: the run's line, and whether the log has that entry.
    lines: HashMap<u64, (KeyAt, bool)>,
    wrong: Vec<Serial>,
}

impl Comparison {
    fn new(run: Arc<Run>, pass: u64, passes: u64) -> Result<Self, ReadError> {
        let room = memory(run.keys.min(KEYS_AT_ONCE));
        let lines = HashMap::with_capacity(room);
        let mut this =
            Self { run: Arc::clone(&run), hasher: RandomState::new(), pass, passes, lines, wrong: Vec::new() };
        let mut cursor = RunCursor::new(run, Bound::Unbounded);
        let mut key = Vec::new();
        while let Some(at) = cursor.next(&mut key)? {
            if let Some(hash) = this.hash(&key) {
                this.lines.insert(hash, (at, false));
            }
        }
        Ok(this)
    }

    /// Hash of a key that belongs to this pass.
    fn hash(&self, key: &[u8]) -> Option<u64> {
        Some(self.hasher.hash_one(key)).filter(|hash| hash % self.passes == self.pass)
    }

    fn meet(&mut self, entry: &Entry<'_>) -> Result<(), ReadError> {
        let Some(hash) = self.hash(entry.key).filter(|_| entry.kind.is_of_key()) else { return Ok(()) };
        let agrees = |at: &KeyAt| {
            at.serial > entry.serial || (at.serial, at.kind, at.place) == (entry.serial, entry.kind, entry.place)
        };
        if let Some((at, met)) = self.lines.get_mut(&hash)
            && agrees(at)
        {
            *met |= at.serial == entry.serial;
            return Ok(());
        }
        // Two keys may share a hash: only an exact look-up tells.
        if !self.run.find(entry.key)?.is_some_and(|at| agrees(&at)) {
            self.wrong.push(entry.serial);
        }
        Ok(())
    }

    /// Serials that disagree, those the run names and the log does not have among them.
    fn finish(self) -> Vec<Serial> {
        let unmet = self.lines.values().filter(|(_, met)| !met).map(|(at, _)| at.serial);
        let mut wrong: Vec<_> = self.wrong.iter().copied().chain(unmet).collect();
        wrong.sort();
        wrong
    }
}
