//! Walking the whole chain, and saying what is not as it was written.
//!
//! The chain has no secret: whoever may write the log can write all of it anew. That, and a tail that was cut, show against anchors only:
//! checkpoints that were kept elsewhere. Everything less shows by itself.

mod group;
mod problem;

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;

use waymark_store::config::MAX_GROUP_BYTES;
use waymark_store::{Entry, FollowError, Serial, Store, Timestamp};

use crate::config::FeedLimits;

use self::group::{Group, Pending};
pub use self::problem::{Problem, Wrong};
use super::checkpoint::Checkpoint;
use super::head::{AuditHead, is_note};
use super::item::Deed;
use super::key::PublicKey;
use super::note::{Note, NoteError, NoteHead};

/// What was gone through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Notes.
    pub notes: u64,
    /// Their items.
    pub items: u64,
    /// Entries they cover.
    pub entries: u64,
    /// Entries from before the first note.
    pub entries_before: u64,
    /// Notes whose items were pruned.
    pub pruned: u64,
    /// Time of the last of those.
    pub pruned_until: Timestamp,
    /// Anchors that hold.
    pub anchors: u64,
    /// Problems found.
    pub problems: u64,
    /// The last note.
    pub head: AuditHead,
}

/// Is called with each problem, in the order they are found.
pub type ProblemVisitor<'v> = dyn FnMut(Problem) -> ControlFlow<()> + 'v;

/// Goes through the whole log until the visitor breaks. Holds the entries of one group in memory. Anchors count when `key` verifies them; without
/// a key their signatures are not looked at.
///
/// # Errors
/// A disk that refuses. Damage is a problem and not an error.
pub fn verify(
    store: &dyn Store,
    anchors: &[Checkpoint],
    key: Option<&PublicKey>,
    visit: &mut ProblemVisitor<'_>,
) -> Result<Verified, FollowError> {
    let mut verification = Verification::begin(store, anchors, key);
    let all = FeedLimits { entries: usize::MAX, bytes: usize::MAX };
    loop {
        if let ControlFlow::Break(verified) = verification.advance(store, all, visit)? {
            return Ok(verified);
        }
    }
}

/// Going through the log as it is at the beginning, a part at a time: for whoever must not be held up by all of it.
#[derive(Debug)]
pub struct Verification {
    walk: Walk,
    /// Everything up to here was looked at.
    after: Serial,
    /// The end of the log as it was.
    until: Serial,
}

impl Verification {
    /// Looks at nothing yet. Anchors as in [`verify`].
    #[must_use]
    pub fn begin(store: &dyn Store, anchors: &[Checkpoint], key: Option<&PublicKey>) -> Self {
        let mut walk = Walk { store_id: store.identity().store_id, ..Walk::default() };
        walk.take_anchors(anchors, key);
        Self { walk, after: Serial::NONE, until: store.last().serial }
    }

    /// Everything up to this serial was looked at.
    #[must_use]
    pub const fn upto(&self) -> Serial {
        self.after
    }

    /// Looks at as many more entries of the same store as `limits` allow. Breaks, with what was gone through, at the end and where the visitor
    /// does; then there is nothing more to do.
    ///
    /// # Errors
    /// As [`verify`].
    pub fn advance(
        &mut self,
        store: &dyn Store,
        limits: FeedLimits,
        visit: &mut ProblemVisitor<'_>,
    ) -> Result<ControlFlow<Verified>, FollowError> {
        let Self { walk, after, until } = self;
        let mut left = limits;
        let mut flow = walk.hand_out(visit);
        while flow.is_continue() {
            let mut stopped = false;
            let outcome = store.follow(*after, &mut |entry| {
                if entry.serial > *until {
                    return ControlFlow::Break(());
                }
                *after = entry.serial;
                walk.entry(entry);
                flow = walk.hand_out(visit);
                left.entries = left.entries.saturating_sub(1);
                left.bytes = left.bytes.saturating_sub(entry.key.len() + entry.body.len());
                stopped = left.entries == 0 || left.bytes == 0;
                if stopped { ControlFlow::Break(()) } else { flow }
            });
            match outcome {
                Ok(_) if stopped && flow.is_continue() => return Ok(ControlFlow::Continue(())),
                Ok(_) => break,
                Err(FollowError::Damaged { resume_after, .. }) if resume_after > *after => {
                    walk.damaged(resume_after);
                    *after = resume_after;
                }
                // Where a log begins later, so does its chain.
                Err(FollowError::Compacted { oldest }) if oldest.0 > after.0 + 1 => {
                    walk.incomplete = true;
                    *after = Serial(oldest.0 - 1);
                }
                Err(error) => return Err(error),
            }
        }
        if flow.is_continue() {
            walk.end();
            // What the visitor says to the last problems changes nothing.
            let _ = walk.hand_out(visit);
        }
        Ok(ControlFlow::Break(walk.verified))
    }
}

#[derive(Default)]
struct Walk {
    store_id: [u8; 16],
    verified: Verified,
    problems: Vec<Problem>,
    /// Anchors whose note was not met, by its number.
    anchors: BTreeMap<u64, Vec<Checkpoint>>,
    /// Entries since the last note, as many as a group can hold.
    pending: VecDeque<Pending>,
    pending_bytes: usize,
    /// Entries since the last note that are not in `pending` any more, and the first of them.
    dropped: u64,
    first_dropped: Serial,
    group: Option<Group>,
    /// Something right before is not there, and that is known.
    incomplete: bool,
    /// Serial up to which items were pruned, as the log tells.
    announced: Serial,
    /// Number and serial of the last pruned note.
    last_pruned: Option<(u64, Serial)>,
}

impl std::fmt::Debug for Walk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk").field("verified", &self.verified).finish_non_exhaustive()
    }
}

impl Walk {
    fn problem(&mut self, note: u64, serial: Serial, what: Wrong) {
        self.problems.push(Problem { note, serial, what });
    }

    fn hand_out(&mut self, visit: &mut ProblemVisitor<'_>) -> ControlFlow<()> {
        for problem in self.problems.drain(..) {
            self.verified.problems += 1;
            visit(problem)?;
        }
        ControlFlow::Continue(())
    }

    /// Keeps the anchors that count.
    fn take_anchors(&mut self, anchors: &[Checkpoint], key: Option<&PublicKey>) {
        for anchor in anchors {
            let signature = key.map_or(Ok(()), |key| anchor.verify(key));
            let wrong = match signature {
                Err(error) => Wrong::AnchorSignature(error),
                Ok(()) if anchor.store != self.store_id => Wrong::AnchorOfOtherStore,
                Ok(()) => {
                    self.anchors.entry(anchor.head.note).or_default().push(anchor.clone());
                    continue;
                }
            };
            self.problem(anchor.head.note, anchor.head.serial, wrong);
        }
    }

    fn entry(&mut self, entry: &Entry<'_>) {
        if is_note(entry) {
            match Note::parse(entry.body) {
                Ok(note) => self.note(entry, &note),
                Err(error) => {
                    let note = self.verified.head.note + 1;
                    self.problem(note, entry.serial, Wrong::Unreadable(error));
                    self.forget_pending();
                    self.incomplete = true;
                }
            }
            return;
        }
        self.close_group();
        let pending = Pending::from(entry);
        self.pending_bytes += pending.bytes();
        self.pending.push_back(pending);
        while self.pending_bytes > MAX_GROUP_BYTES * 2 {
            let Some(dropped) = self.pending.pop_front() else { break };
            self.drop_pending(&dropped);
        }
    }

    fn drop_pending(&mut self, dropped: &Pending) {
        self.pending_bytes = self.pending_bytes.saturating_sub(dropped.bytes());
        if self.dropped == 0 {
            self.first_dropped = dropped.serial();
        }
        self.dropped += 1;
    }

    fn note(&mut self, entry: &Entry<'_>, note: &Note<'_>) {
        let head = note.head;
        self.check_place(entry, &head);
        self.check_anchors(&head);
        let continued = self.group.as_ref().is_some_and(|group| group.goes_on_with(&head));
        if !continued {
            self.open_group(&head);
        }
        self.check_items(entry, note);
        self.verified.notes += 1;
        self.verified.head = AuditHead::from(&head);
        self.incomplete = false;
    }

    /// The note itself: its number, what it goes on from, its own chain, serial and time.
    fn check_place(&mut self, entry: &Entry<'_>, head: &NoteHead) {
        let last = self.verified.head;
        let begins = self.verified.notes == 0 && self.incomplete;
        if head.number <= last.note {
            self.problem(head.number, entry.serial, Wrong::OutOfOrder { behind: last.note });
        } else if head.number > last.note + 1 && !begins {
            let missing = Wrong::Missing { from: last.note + 1, to: head.number - 1 };
            self.problem(head.number, entry.serial, missing);
        } else if head.before != last.chain && !begins {
            self.problem(head.number, entry.serial, Wrong::NotChained);
        }
        if head.chain != head.right_chain(&self.store_id) {
            self.problem(head.number, entry.serial, Wrong::Head);
        }
        if head.serial != entry.serial {
            self.problem(head.number, entry.serial, Wrong::Moved { says: head.serial });
        }
        if head.time != entry.time {
            self.problem(head.number, entry.serial, Wrong::Time);
        }
    }

    fn check_anchors(&mut self, head: &NoteHead) {
        for anchor in self.anchors.remove(&head.number).unwrap_or_default() {
            if anchor.head == AuditHead::from(head) {
                self.verified.anchors += 1;
            } else {
                self.problem(head.number, anchor.head.serial, Wrong::AnchorDiffers);
            }
        }
    }

    /// The entries a note covers are the last ones before it.
    fn open_group(&mut self, head: &NoteHead) {
        self.close_group();
        let says = usize::try_from(head.entries).unwrap_or(usize::MAX);
        let found = self.pending.len().min(says);
        while self.pending.len() > found {
            let Some(dropped) = self.pending.pop_front() else { break };
            self.drop_pending(&dropped);
        }
        self.check_covered(head.number);
        let entries: Vec<Pending> = std::mem::take(&mut self.pending).into();
        self.pending_bytes = 0;
        self.verified.entries += u64::try_from(found).unwrap_or(u64::MAX);
        if found < says {
            if !self.incomplete {
                let found = u32::try_from(found).unwrap_or(u32::MAX);
                let what = Wrong::EntriesMissing { says: head.entries, found };
                self.problem(head.number, head.first(), what);
            }
            return;
        }
        self.group = Some(Group::open(*head, entries, &mut self.problems));
    }

    /// Entries that lie before those of a note belong to no note: right before the first one only.
    fn check_covered(&mut self, note: u64) {
        let (entries, first) = (std::mem::take(&mut self.dropped), self.first_dropped);
        if self.verified.notes == 0 {
            self.verified.entries_before += entries;
        } else if entries > 0 && !self.incomplete {
            self.problem(note, first, Wrong::NotCovered { entries });
        }
    }

    fn check_items(&mut self, entry: &Entry<'_>, note: &Note<'_>) {
        let number = note.head.number;
        if note.right_items_hash() != note.head.items_hash {
            self.problem(number, entry.serial, Wrong::Items);
        }
        match note.items() {
            Ok(items) => {
                self.verified.items += u64::try_from(items.len()).unwrap_or(u64::MAX);
                for item in &items {
                    if let Deed::Pruned { upto, .. } = item.deed {
                        self.announced = self.announced.max(upto);
                    }
                }
                if let Some(group) = &mut self.group {
                    group.check_items(number, &items, &mut self.problems);
                }
                return;
            }
            Err(NoteError::Pruned) => {
                self.verified.pruned += 1;
                self.verified.pruned_until = note.head.time;
                self.last_pruned = Some((number, entry.serial));
            }
            // Bytes that were changed need not be items any more.
            Err(_) if note.right_items_hash() != note.head.items_hash => {}
            Err(error) => self.problem(number, entry.serial, Wrong::Unreadable(error)),
        }
        if let Some(group) = &mut self.group {
            group.mute();
        }
    }

    fn close_group(&mut self) {
        if let Some(group) = self.group.take() {
            group.close(&mut self.problems);
        }
    }

    fn damaged(&mut self, upto: Serial) {
        self.close_group();
        self.forget_pending();
        self.incomplete = true;
        self.problem(self.verified.head.note, upto, Wrong::Damaged { upto });
    }

    fn forget_pending(&mut self) {
        self.pending.clear();
        self.pending_bytes = 0;
        self.dropped = 0;
    }

    /// The end of the log.
    fn end(&mut self) {
        self.close_group();
        let last = self.verified.head;
        while let Some(left) = self.pending.pop_front() {
            self.drop_pending(&left);
        }
        self.check_covered(last.note);
        if let Some((note, serial)) = self.last_pruned
            && serial > self.announced
        {
            self.problem(note, serial, Wrong::NotPruned);
        }
        for anchor in std::mem::take(&mut self.anchors).into_values().flatten() {
            let cut = anchor.head.note > last.note;
            let what = if cut { Wrong::TailCut { last: last.note } } else { Wrong::AnchorMissing };
            self.problem(anchor.head.note, anchor.head.serial, what);
        }
    }
}
