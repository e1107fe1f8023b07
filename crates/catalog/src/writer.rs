//! The one writer: a thread that forms groups, commits them, makes them visible, and only then acknowledges.
//!
//! The order is durable, visible, acknowledged, then fed to the small state. Each step rests on the one before: what a
//! caller was told is on the disk and found by every reader.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use waymark_ident::CaseRule;
use waymark_index::{Full, HashKey};
use waymark_store::{CommitError, Group, Place, Serial, Store, Timestamp};

use crate::access::Access;
use crate::audit::{Announcement, Journal};
use crate::business::{Business, CodeTables};
use crate::command::{Receipt, Refusal, Submission};
use crate::config::{AccessLimits, BusinessLimits, RangeLimits, RecordLimits, WriterLimits};
use crate::deletions::Deletions;
use crate::forming::{Forming, Marks, Tables, Terms, TooMuch};
use crate::link::index::note_links;
use crate::locate::Locator;
use crate::overlay::Publication;
use crate::prefixes::Prefixes;
use crate::projection::Projector;
use crate::queue::{Queue, Queued, Results, WarmRecord, Work, WriteError};
use crate::range::Ranges;
use crate::requests::Requests;
use crate::snapshot;
use crate::template::Templates;
use crate::usage::Usage;

/// Reads the time; a function, so that tests bring their own.
pub type Clock = fn() -> Timestamp;

/// What the writer tells about itself; written by it alone.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) groups: AtomicU64,
    pub(crate) entries: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) failed_groups: AtomicU64,
    pub(crate) state_failures: AtomicU64,
    stopped: AtomicU8,
}

/// Why the writer takes nothing more, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    Poisoned,
    IndexFull,
}

impl Counters {
    pub(crate) fn stopped(&self) -> Option<Stopped> {
        match self.stopped.load(Ordering::Acquire) {
            1 => Some(Stopped::Poisoned),
            2 => Some(Stopped::IndexFull),
            _ => None,
        }
    }

    fn stop(&self, reason: Stopped) {
        let number = match reason {
            Stopped::Poisoned => 1,
            Stopped::IndexFull => 2,
        };
        self.stopped.store(number, Ordering::Release);
    }
}

/// Everything the writer needs from the start.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) index: waymark_index::Writer,
    pub(crate) queue: Arc<Queue>,
    pub(crate) prefixes: Arc<ArcSwap<Prefixes>>,
    pub(crate) access: Arc<ArcSwap<Access>>,
    pub(crate) ranges: Arc<ArcSwap<Ranges>>,
    pub(crate) templates: Arc<ArcSwap<Templates>>,
    pub(crate) business: Arc<ArcSwap<Business>>,
    pub(crate) usage: Arc<Usage>,
    pub(crate) visible: Arc<AtomicU64>,
    pub(crate) serials: watch::Sender<Serial>,
    /// Up to where the small state is fed.
    pub(crate) fed: watch::Sender<Serial>,
    pub(crate) deletions: Deletions,
    pub(crate) requests: Requests,
    pub(crate) counters: Arc<Counters>,
    pub(crate) journal: Journal,
    pub(crate) rule: CaseRule,
    pub(crate) limits: RecordLimits,
    pub(crate) access_limits: AccessLimits,
    pub(crate) range_limits: RangeLimits,
    pub(crate) business_limits: BusinessLimits,
    pub(crate) codes: Arc<CodeTables>,
    pub(crate) writer_limits: WriterLimits,
    pub(crate) clock: Clock,
}

/// The writer. Lives in its thread.
pub(crate) struct Writer {
    parts: Parts,
    hash_key: HashKey,
    locator: Locator,
    marks: Marks,
    projector: Projector,
    group: Group,
    /// A submission that did not fit into the last group.
    deferred: Option<Queued>,
}

impl Writer {
    /// A writer that has not begun; `reader` is its own way into the index.
    pub(crate) fn new(mut parts: Parts, reader: waymark_index::Reader) -> Self {
        let hash_key = reader.hash_key().clone();
        let deletions = std::mem::replace(&mut parts.deletions, Deletions::none());
        // Loading may have left retired tables behind.
        parts.index.reclaim();
        Self {
            locator: Locator::new(Arc::clone(&parts.store), reader).with_deletions(deletions),
            marks: Marks::new(Arc::clone(&parts.store)),
            projector: Projector::default(),
            group: Group::new(),
            deferred: None,
            hash_key,
            parts,
        }
    }

    /// Works until the queue is closed and empty, then writes the index snapshot.
    pub(crate) fn run(mut self) -> io::Result<()> {
        loop {
            let work = self.deferred.take().map_or_else(|| self.parts.queue.next(), Work::Submission);
            match work {
                Work::Submission(first) => self.work_group(first),
                Work::Refusals => self.write_refusals(),
                Work::Announcement(announcement) => self.announce(announcement),
                Work::Snapshot(answer) => {
                    // That nobody waits for the answer any more changes nothing.
                    let _ = answer.send(self.write_snapshot());
                }
                Work::Warm(records) => self.warm(&records),
                Work::End => break,
            }
            if self.parts.queue.refusals.is_pending()
                && self.parts.journal.is_due(&self.parts.queue.refusals, (self.parts.clock)())
            {
                self.write_refusals();
            }
        }
        self.write_refusals();
        // After a stop the index may lack what is on the disk.
        if self.parts.counters.stopped().is_some() { Ok(()) } else { self.write_snapshot() }
    }

    fn write_snapshot(&mut self) -> io::Result<()> {
        let serial = Serial(self.parts.visible.load(Ordering::Acquire));
        self.locator.deletions().write(self.parts.store.blobs(), serial)?;
        snapshot::write(self.parts.store.blobs(), &self.parts.index, serial)
    }

    fn warm(&mut self, records: &[WarmRecord]) {
        for record in records {
            if let Some(place) = waymark_index::Place::new(record.place.0) {
                self.parts.index.warm(self.hash_key.key(&record.key), &record.body, place);
            }
        }
    }

    /// Forms a group from `first` and what waits behind it, and carries it through.
    fn work_group(&mut self, first: Queued) {
        let mut group = Gathered { forming: self.new_group(), decided: Vec::new() };
        if let Some(first) = self.gather(&mut group, first) {
            self.work_in_parts(first, group.forming);
            return;
        }
        let limits = self.parts.writer_limits;
        while let Some(next) = self.parts.queue.next_within(
            limits.group_commands.saturating_sub(group.forming.commands()),
            limits.group_bytes.saturating_sub(group.forming.bytes()),
        ) {
            if let Some(deferred) = self.gather(&mut group, next) {
                self.deferred = Some(deferred);
                break;
            }
        }
        self.finish_group(group);
    }

    /// Carries a submission through that is too large for `forming`, an empty group: in several, one after the other, with nothing between them.
    fn work_in_parts(&mut self, queued: Queued, mut forming: Forming) {
        let (submission, answer) = queued.into_parts();
        let mut all = Results::with_capacity(submission.orders.len());
        let mut left = vec![submission];
        while let Some(mut part) = left.pop() {
            let results = loop {
                match self.decide(&mut forming, &part) {
                    Ok(results) => break results,
                    // Ends: a part of one order always fits, or is refused.
                    Err(TooMuch { fits, .. }) => left.push(part.split_off(fits)),
                }
            };
            if let Err(error) = self.carry_through(&mut forming, std::iter::once((&part, &results[..]))) {
                return answer.give(Err(error.behind(all)));
            }
            self.note_refused(&part, &results, forming.time());
            all.extend(results);
            if left.is_empty() {
                answer.give(Ok(all));
                return self.feed_state(&forming);
            }
            self.feed_state(&forming);
            forming = self.new_group();
        }
    }

    fn new_group(&self) -> Forming {
        let last = self.parts.store.last();
        // The store never goes back in time; receipts and timestamps of values say what it will say.
        let time = (self.parts.clock)().max(last.time);
        let tables = Tables {
            prefixes: self.parts.prefixes.load_full(),
            access: self.parts.access.load_full(),
            ranges: self.parts.ranges.load_full(),
            templates: self.parts.templates.load_full(),
            business: self.parts.business.load_full(),
        };
        Forming::new(last.serial, time, tables)
    }

    /// Decides a submission into the group; gives it back when it might not fit.
    fn gather(&mut self, group: &mut Gathered, queued: Queued) -> Option<Queued> {
        match self.decide(&mut group.forming, &queued.submission) {
            Ok(results) => {
                group.decided.push((queued, results));
                None
            }
            Err(TooMuch { .. }) => Some(queued),
        }
    }

    fn decide(&mut self, forming: &mut Forming, submission: &Submission) -> Result<Results, TooMuch> {
        let Parts { rule, limits, access_limits, range_limits, business_limits, codes, usage, store, requests, .. } =
            &self.parts;
        let terms = Terms {
            rule: *rule,
            limits,
            access: access_limits,
            ranges: range_limits,
            business: business_limits,
            codes,
            usage,
            store: store.as_ref(),
            requests,
        };
        forming.decide(submission, terms, &mut self.locator, &mut self.marks)
    }

    /// Durable, visible, acknowledged, fed to the state: in this order and no other.
    fn finish_group(&mut self, group: Gathered) {
        let Gathered { mut forming, decided } = group;
        let submissions = decided.iter().map(|(queued, results)| (&queued.submission, &results[..]));
        let outcome = self.carry_through(&mut forming, submissions);
        for (submission, results) in decided {
            match &outcome {
                // What was done before this group stands, whatever becomes of the group.
                Err(error) if !matches!(error, WriteError::NotVisible) && !forming.is_repeated(&results) => {
                    submission.answer(Err(error.clone()));
                }
                _ => {
                    self.note_refused(&submission.submission, &results, forming.time());
                    submission.answer(self.as_seen(results));
                }
            }
        }
        if outcome.is_ok() {
            self.feed_state(&forming);
        }
    }

    /// Results to be acknowledged, unless readers cannot see what was written: now, or when a request that is repeated was carried out.
    fn as_seen(&self, results: Results) -> Result<Results, WriteError> {
        if self.parts.counters.stopped() == Some(Stopped::IndexFull) {
            let visible = Serial(self.parts.visible.load(Ordering::Acquire));
            if results.iter().flatten().any(|receipt| receipt.serial > visible) {
                return Err(WriteError::NotVisible);
            }
        }
        Ok(results)
    }

    /// Makes a group durable and visible.
    fn carry_through<'d>(
        &mut self,
        forming: &mut Forming,
        decided: impl Iterator<Item = (&'d Submission, &'d [Result<Receipt, Refusal>])>,
    ) -> Result<(), WriteError> {
        if !forming.is_empty() {
            self.parts.journal.seal(forming, decided, &self.parts.queue.refusals);
        }
        self.commit_and_publish(forming).inspect_err(|_| {
            self.group_failed();
            self.marks.forget();
        })
    }

    /// Counts what was refused, for figures and the audit.
    fn note_refused(&self, submission: &Submission, results: &[Result<Receipt, Refusal>], time: Timestamp) {
        let refused = results.iter().filter(|result| result.is_err()).count();
        self.parts.counters.refused.fetch_add(u64::try_from(refused).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.parts.queue.refusals.add_results(submission, results, time);
    }

    /// Writes what changed nothing into the audit, in a group of its own. After a failure it waits for the next time.
    fn write_refusals(&mut self) {
        if !self.parts.queue.refusals.is_pending() || self.parts.counters.stopped().is_some() {
            return;
        }
        let mut forming = self.new_group();
        self.parts.journal.seal_refusals(&mut forming, &self.parts.queue.refusals);
        match self.commit_and_publish(&forming) {
            Ok(()) => self.feed_state(&forming),
            Err(_) => self.group_failed(),
        }
    }

    /// Writes what a pruning is about to do into the audit, in a group of its own.
    fn announce(&mut self, announcement: Announcement) {
        let mut forming = self.new_group();
        self.parts.journal.seal_pruning(&mut forming, announcement.upto, announcement.before);
        let outcome = self.commit_and_publish(&forming);
        match &outcome {
            Ok(()) => self.feed_state(&forming),
            Err(_) => self.group_failed(),
        }
        // That nobody waits for the answer any more changes nothing.
        let _ = announcement.answer.send(outcome);
    }

    fn group_failed(&mut self) {
        self.parts.counters.failed_groups.fetch_add(1, Ordering::Relaxed);
        self.parts.journal.failed(&self.parts.queue.refusals);
    }

    fn commit_and_publish(&mut self, forming: &Forming) -> Result<(), WriteError> {
        if forming.is_empty() {
            return Ok(());
        }
        match self.parts.counters.stopped() {
            Some(Stopped::Poisoned) => return Err(WriteError::Poisoned),
            Some(Stopped::IndexFull) => return Err(WriteError::IndexFull),
            None => {}
        }
        forming.fill(&mut self.group).map_err(|_| WriteError::TooLarge)?;
        let committed =
            self.parts.store.commit(forming.time(), &self.group).map_err(|error| self.commit_failed(error))?;
        self.parts.journal.committed();
        debug_assert_eq!(committed.time, forming.time());
        debug_assert_eq!(Some(committed.first), forming.entries().next().map(|(serial, _)| serial));
        if self.publish(forming, &committed.places).is_err() {
            self.parts.counters.stop(Stopped::IndexFull);
            // Durable all the same: a request that is repeated must be known.
            self.feed_state(forming);
            return Err(WriteError::NotVisible);
        }
        self.parts.visible.store(committed.last.0, Ordering::Release);
        self.parts.serials.send_replace(committed.last);
        self.parts.counters.groups.fetch_add(1, Ordering::Relaxed);
        let entries = u64::try_from(committed.places.len()).unwrap_or(u64::MAX);
        self.parts.counters.entries.fetch_add(entries, Ordering::Relaxed);
        Ok(())
    }

    fn commit_failed(&self, error: CommitError) -> WriteError {
        match error {
            CommitError::DiskFull => WriteError::DiskFull,
            CommitError::Poisoned => {
                self.parts.counters.stop(Stopped::Poisoned);
                WriteError::Poisoned
            }
            CommitError::Io(error) => WriteError::Io(Arc::new(error)),
            CommitError::Exhausted => WriteError::Exhausted,
            _ => WriteError::Stopped,
        }
    }

    /// Shows a committed group to readers. Prefixes go first, so that a new record is not answered with "not served". Where the index has no room
    /// for a new record, the others are shown all the same: what was withdrawn must not stay visible because of it.
    fn publish(&mut self, forming: &Forming, places: &[Place]) -> Result<(), Full> {
        if forming.prefixes_changed {
            self.parts.prefixes.store(Arc::clone(&forming.prefixes));
        }
        if forming.access_changed {
            self.parts.access.store(Arc::clone(&forming.access));
        }
        if forming.ranges_changed {
            self.parts.ranges.store(Arc::clone(&forming.ranges));
        }
        if forming.templates_changed {
            self.parts.templates.store(Arc::clone(&forming.templates));
        }
        if forming.business_changed {
            self.parts.business.store(Arc::clone(&forming.business));
        }
        self.parts.usage.add(forming.day(), forming.written());
        let mut shown = Ok(());
        for publication in forming.overlay.publications() {
            match publication {
                Publication::Put { key, entry, body, replaces } => {
                    let place = places.get(entry).copied().and_then(index_place);
                    let replaces = replaces.and_then(index_place);
                    // A store never gives fewer places than entries, nor one an index cannot hold.
                    debug_assert!(place.is_some());
                    if let Some(place) = place {
                        let put = self.parts.index.put(self.hash_key.key(key), body, place, replaces);
                        shown = shown.and(put);
                    }
                }
                Publication::Remove { key, place } => {
                    self.locator.deletions().note(self.hash_key.hash(key));
                    if let Some(place) = place.and_then(index_place) {
                        self.parts.index.remove(self.hash_key.hash(key), place);
                    }
                }
            }
        }
        shown
    }

    /// Feeds the state. A failure harms nothing that was acknowledged: the state stays behind and is tried again with the
    /// next group.
    fn feed_state(&mut self, forming: &Forming) {
        self.projector.know(&forming.ranges);
        let mut last = None;
        for (serial, draft) in forming.entries() {
            self.projector.note(draft.kind, serial, draft.previous.replaced(), &draft.key, &draft.body);
            last = Some(serial);
        }
        for (entry, (_, draft)) in forming.entries().enumerate() {
            let before = forming.overlay.replaced_links(entry);
            note_links(&mut self.projector, self.parts.rule, &draft.key, before, &draft.body);
        }
        for (principal, writes) in forming.written() {
            self.projector.note_writes(forming.day(), principal, *writes);
        }
        // Behind the notes: what is forgotten at once is taken out again.
        for (id, principal, what) in forming.remembered() {
            self.parts.requests.remember(forming.time(), principal, id, what, &mut self.projector);
        }
        let Some(last) = last else { return };
        match self.projector.apply(self.parts.store.state(), last) {
            Ok(()) => {
                self.parts.fed.send_replace(last);
            }
            Err(_) => {
                self.parts.counters.state_failures.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// A group and the submissions in it, with what was decided about each command.
struct Gathered {
    forming: Forming,
    decided: Vec<(Queued, Results)>,
}

/// A place of the store as the index keeps it.
pub(crate) const fn index_place(place: Place) -> Option<waymark_index::Place> {
    waymark_index::Place::new(place.0)
}
