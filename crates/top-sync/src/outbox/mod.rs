//! What is owed upward: parts of sets, each with a sequence, kept until the node above acknowledged it, whatever happens to this one.
//!
//! A part comes into being together with the cursor of its set, in one group of a store of its own: after a kill, either both are there or
//! neither is, and rows are made again. Parts of a set are sent in the order of their sequence. Nothing is dropped: what is refused stays and is
//! shown, what is acknowledged is kept for days, so that a node above that lost it can be given it again.
//!
//! ```text
//! DIR/log                           the store of parts, cursors and pauses, see `stored`
//! DIR/parts/T9-000000000012.jsonl   rows of a part, see `kept`
//! ```

mod collected;
mod draft;
mod kept;
mod part;
mod status;
mod stored;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use waymark_catalog::Timestamp;
use waymark_store::{CommitError, EntryKind, Group, OpenError, PushError, ReadError, Serial, Store};

pub use self::collected::{Collected, Open, Told};
pub use self::draft::Draft;
pub(crate) use self::kept::KeptLine;
pub use self::part::{Part, PartState};
pub use self::status::SetStatus;
use self::status::status_of;
use self::stored::{State, cursor_key, load, part_key, pause_key, put, total_key};
use crate::config::KEEP_DAYS;
use crate::sets::SetName;

/// Segments of the store: a day's changes of state are some hundred kilobytes.
const SEGMENT_BYTES: u64 = 1 << 20;

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Up to where a set was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Serial of the change log.
    pub serial: u64,
    /// The last period told; empty before the first.
    pub period: String,
    /// Of sets that are told as a whole: the digest of what was told, in hexadecimal.
    #[serde(default)]
    pub digest: String,
}

/// A prefix, folded, and how many identifiers it has.
pub type Total = (Box<[u8]>, u64);

/// Why the outbox cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// Its store cannot be opened.
    #[error("the store of the outbox")]
    Open(#[from] OpenError),
    /// Its store cannot be read.
    #[error("the store of the outbox")]
    Read(#[from] ReadError),
    /// Its store takes no more.
    #[error("the store of the outbox")]
    Commit(#[from] CommitError),
    /// Something is longer than an entry may be.
    #[error("the store of the outbox")]
    Push(#[from] PushError),
    /// Files of parts.
    #[error("{}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// An entry that is none of this version.
    #[error("entry {key} of the outbox is not one this version knows")]
    Entry {
        /// Its key, as text.
        key: String,
    },
    /// Rows of a part are not those it was made with.
    #[error("{} is damaged: it is not what the part was made of", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// The outbox of a node.
#[derive(Debug)]
pub struct Outbox {
    store: Arc<dyn Store>,
    folder: PathBuf,
    keep_ms: u64,
    /// Drafts begun.
    drafts: AtomicU64,
    state: Mutex<State>,
}

impl Outbox {
    /// Opens the outbox in a folder, made where it is missing. Rows that no part was made of are removed.
    ///
    /// # Errors
    /// See [`OutboxError`].
    pub fn open(dir: &Path, keep_days: u64, now: Timestamp) -> Result<Self, OutboxError> {
        let folder = dir.join("parts");
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| OutboxError::Io { path, source }
        };
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let options = waymark_store::Options {
            now,
            segment_bytes: SEGMENT_BYTES,
            ..waymark_store::Options::new(dir.join("log"))
        };
        let (store, _) = waymark_store::open(&options)?;
        let state = load(&*store)?;
        let kept: BTreeSet<PathBuf> =
            state.parts.keys().map(|(set, sequence)| draft::path(&folder, *set, *sequence)).collect();
        draft::sweep(&folder, |path| kept.contains(path)).map_err(at(&folder))?;
        let keep_ms = keep_days.clamp(KEEP_DAYS.min, KEEP_DAYS.max) * DAY_MS;
        Ok(Self { store, folder, keep_ms, drafts: AtomicU64::new(0), state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Up to where a set was told.
    #[must_use]
    pub fn cursor(&self, set: SetName) -> Cursor {
        self.lock().cursors.get(&set).cloned().unwrap_or_default()
    }

    /// Identifiers of a prefix at the end of the last day that was told.
    #[must_use]
    pub fn total(&self, prefix: &[u8]) -> u64 {
        self.lock().totals.get(prefix).copied().unwrap_or(0)
    }

    /// Where rows of a set go.
    #[must_use]
    pub fn draft(&self, set: SetName) -> Draft {
        Draft::new(self.folder.clone(), set, self.drafts.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes parts of a draft, and moves the cursor of its set, as one step that is durable on return.
    ///
    /// # Errors
    /// Nothing of it is there.
    pub fn add(&self, draft: Draft, period: &str, cursor: &Cursor, now: Timestamp) -> Result<(), OutboxError> {
        self.add_with_totals(draft, period, cursor, &[], now)
    }

    /// The same, with the numbers of identifiers that are so from then on.
    ///
    /// # Errors
    /// Nothing of it is there.
    pub fn add_with_totals(
        &self,
        draft: Draft,
        period: &str,
        cursor: &Cursor,
        totals: &[Total],
        now: Timestamp,
    ) -> Result<(), OutboxError> {
        let set = draft.set();
        let finished = draft.end().map_err(|source| self.io(source))?;
        let count = u32::try_from(finished.written.len()).unwrap_or(u32::MAX);
        // From here on nobody else gives sequences.
        let mut state = self.lock();
        let first = state.last_sequence(set) + 1;
        finished.name(first).map_err(|source| self.io(source))?;
        let parts = (first..).zip(1..).zip(finished.written).map(|((sequence, part), written)| Part {
            set,
            sequence,
            period: period.to_owned(),
            part,
            parts: count,
            rows: written.rows,
            bytes: written.bytes,
            sha256: written.sha256,
            crc32c: Some(written.crc32c),
            made: now.0,
            state: PartState::Waiting,
            attempts: 0,
            tried: 0,
            problem: String::new(),
            owner: String::new(),
            origin: 0,
            by: String::new(),
            settled: 0,
        });
        let parts: Vec<Part> = parts.collect();
        let mut group = Group::new();
        put(&mut group, &cursor_key(set), cursor)?;
        parts.iter().try_for_each(|part| put(&mut group, &part_key(set, part.sequence), part))?;
        for (prefix, total) in totals {
            group.push(EntryKind::PUT, &total_key(prefix), b"", Serial::NONE, &total.to_be_bytes())?;
        }
        self.store.commit(now, &group)?;
        state.cursors.insert(set, cursor.clone());
        state.parts.extend(parts.into_iter().map(|part| ((set, part.sequence), part)));
        state.totals.extend(totals.iter().cloned());
        Ok(())
    }

    /// Moves the cursor of a set without a part: there was nothing to tell.
    ///
    /// # Errors
    /// It is where it was.
    pub fn pass(&self, set: SetName, cursor: &Cursor, now: Timestamp) -> Result<(), OutboxError> {
        let mut state = self.lock();
        if state.cursors.get(&set) == Some(cursor) {
            return Ok(());
        }
        let mut group = Group::new();
        put(&mut group, &cursor_key(set), cursor)?;
        self.store.commit(now, &group)?;
        state.cursors.insert(set, cursor.clone());
        Ok(())
    }

    /// The parts of a set that wait, in order, behind a sequence; none while the set is paused.
    #[must_use]
    pub fn waiting(&self, set: SetName, behind: u64, most: usize) -> Vec<Part> {
        self.open_parts(set, behind, most, |state| state == PartState::Waiting)
    }

    /// The same with those that were marked, for whose sequences the node above waits.
    #[must_use]
    pub fn waiting_or_marked(&self, set: SetName, behind: u64, most: usize) -> Vec<Part> {
        self.open_parts(set, behind, most, |state| matches!(state, PartState::Waiting | PartState::Marked))
    }

    fn open_parts(&self, set: SetName, behind: u64, most: usize, is_open: impl Fn(PartState) -> bool) -> Vec<Part> {
        let state = self.lock();
        if state.paused.contains(&set) {
            return Vec::new();
        }
        let parts = state.of(set).filter(|part| is_open(part.state) && part.sequence > behind);
        parts.take(most).cloned().collect()
    }

    /// The rows of a part as they are kept.
    ///
    /// # Errors
    /// The file cannot be read, or is not what was written.
    pub fn rows(&self, part: &Part) -> Result<Vec<u8>, OutboxError> {
        use sha2::{Digest as _, Sha256};
        let path = draft::path(&self.folder, part.set, part.sequence);
        let rows = fs::read(&path).map_err(|source| OutboxError::Io { path: path.clone(), source })?;
        let is_whole = match part.crc32c {
            Some(checksum) => rows.len() as u64 == part.bytes && crc32c::crc32c(&rows) == checksum,
            None => hex::encode(Sha256::digest(&rows)) == part.sha256,
        };
        if is_whole { Ok(rows) } else { Err(OutboxError::Damaged { path }) }
    }

    /// Notes that a part was sent, and what became of that as far as it is known. One that was marked meanwhile stays so: whoever marked it decided.
    ///
    /// # Errors
    /// It is as it was.
    pub fn note(
        &self,
        set: SetName,
        sequence: u64,
        state: PartState,
        problem: &str,
        now: Timestamp,
    ) -> Result<(), OutboxError> {
        self.change(set, sequence..=sequence, now, |part| {
            part.attempts += 1;
            part.tried = now.0;
            if part.state != PartState::Marked {
                part.state = state;
                problem.clone_into(&mut part.problem);
                part.settled = if state == PartState::Waiting { 0 } else { now.0 };
            }
        })
    }

    /// Lets parts wait again, acknowledged or not: they go up with the sequences they had. Gives how many. Where nobody asked for it (`by` is empty), those
    /// that were marked stay so.
    ///
    /// # Errors
    /// They are as they were.
    pub fn resend(&self, set: SetName, from: u64, upto: u64, by: &str, now: Timestamp) -> Result<u64, OutboxError> {
        let mut count = 0;
        self.change(set, from..=upto, now, |part| {
            if by.is_empty() && part.state == PartState::Marked {
                return;
            }
            count += 1;
            part.state = PartState::Waiting;
            part.problem.clear();
            by.clone_into(&mut part.by);
            part.settled = 0;
        })?;
        Ok(count)
    }

    /// Says of parts that wait or were refused that they are settled otherwise. Gives how many.
    ///
    /// # Errors
    /// They are as they were.
    pub fn mark(
        &self,
        set: SetName,
        from: u64,
        upto: u64,
        reason: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<u64, OutboxError> {
        let mut count = 0;
        self.change(set, from..=upto, now, |part| {
            if matches!(part.state, PartState::Waiting | PartState::Refused) {
                count += 1;
                part.state = PartState::Marked;
                reason.clone_into(&mut part.problem);
                by.clone_into(&mut part.by);
                part.settled = now.0;
            }
        })?;
        Ok(count)
    }

    fn change(
        &self,
        set: SetName,
        sequences: std::ops::RangeInclusive<u64>,
        now: Timestamp,
        mut edit: impl FnMut(&mut Part),
    ) -> Result<(), OutboxError> {
        let mut state = self.lock();
        let mut edited = Vec::new();
        let mut group = Group::new();
        for (key, part) in state.parts.range((set, *sequences.start())..=(set, *sequences.end())) {
            let mut new = part.clone();
            edit(&mut new);
            if new != *part {
                put(&mut group, &part_key(key.0, key.1), &new)?;
                edited.push((*key, new));
            }
        }
        if !group.is_empty() {
            self.store.commit(now, &group)?;
            state.parts.extend(edited);
        }
        Ok(())
    }

    /// Holds a set back, or lets it go on; tells whether that is new.
    ///
    /// # Errors
    /// It is as it was.
    pub fn pause(&self, set: SetName, is_paused: bool, now: Timestamp) -> Result<bool, OutboxError> {
        let mut state = self.lock();
        if state.paused.contains(&set) == is_paused {
            return Ok(false);
        }
        let kind = if is_paused { EntryKind::PUT } else { EntryKind::DELETE };
        let mut group = Group::new();
        group.push(kind, &pause_key(set), b"", Serial::NONE, b"")?;
        self.store.commit(now, &group)?;
        if is_paused {
            state.paused.insert(set);
        } else {
            state.paused.remove(&set);
        }
        Ok(true)
    }

    /// Removes what was settled long ago: the last part of each set stays, so that its sequence is known. Gives how many parts went.
    ///
    /// # Errors
    /// Some are still there.
    pub fn forget_settled(&self, now: Timestamp) -> Result<u64, OutboxError> {
        let mut state = self.lock();
        let before = now.0.saturating_sub(self.keep_ms);
        let is_old = |part: &&Part| {
            matches!(part.state, PartState::Acknowledged | PartState::Marked)
                && part.settled < before
                && part.sequence < state.last_sequence(part.set)
        };
        let old: Vec<(SetName, u64)> =
            state.parts.values().filter(is_old).take(FORGOTTEN_AT_ONCE).map(|part| (part.set, part.sequence)).collect();
        if old.is_empty() {
            return Ok(0);
        }
        self.remove(&mut state, &old, now)?;
        Ok(old.len() as u64)
    }

    /// How each set stands.
    #[must_use]
    pub fn status(&self) -> Vec<SetStatus> {
        let state = self.lock();
        SetName::ALL.into_iter().map(|set| status_of(&state, set)).collect()
    }

    /// The newest parts of a set, newest first, before a sequence.
    #[must_use]
    pub fn newest(&self, set: SetName, before: u64, most: usize) -> Vec<Part> {
        self.lock().of(set).rev().filter(|part| part.sequence < before).take(most).cloned().collect()
    }

    /// One part.
    #[must_use]
    pub fn part(&self, set: SetName, sequence: u64) -> Option<Part> {
        self.lock().parts.get(&(set, sequence)).cloned()
    }

    fn io(&self, source: io::Error) -> OutboxError {
        OutboxError::Io { path: self.folder.clone(), source }
    }
}

/// Parts removed in one step: far below what a group of the store may hold.
const FORGOTTEN_AT_ONCE: usize = 1_000;
