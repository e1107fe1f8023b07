//! The writer's side of the audit: what a group did becomes the notes it ends with.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};
use waymark_store::{EntryKind, Serial, Timestamp};

use crate::actor::Actor;
use crate::command::{Command, Receipt, Refusal, Submission};
use crate::config::{AuditOptions, NOTE_ITEMS_BYTES};
use crate::forming::Forming;
use crate::record::Stored;
use crate::reserved::is_reserved;
use crate::values::ContentHash;
use crate::varint;

use super::hash::{Digest, EntriesHasher, HashedEntry};
use super::head::AuditHead;
use super::item::{CountedItem, DoneItem, PrunedItem, write_actor};
use super::note::{NoteHead, write};
use super::refusals::{Count, Line, Refusals};
use super::subject::subject;
use super::words::{Done, Verb};

/// The end of the chain, and what it becomes with the group under way.
pub(crate) struct Journal {
    store_id: [u8; 16],
    options: AuditOptions,
    head: Arc<ArcSwap<AuditHead>>,
    /// The end when the group under way is durable.
    next: Option<AuditHead>,
    /// Refusals in that group.
    taken: Vec<(Line, Count)>,
    /// When the last group failed, unless one was committed since.
    failed_at: Option<Timestamp>,
}

impl Journal {
    pub(crate) fn new(store_id: [u8; 16], options: AuditOptions, head: AuditHead) -> Self {
        Self {
            store_id,
            options,
            head: Arc::new(ArcSwap::from_pointee(head)),
            next: None,
            taken: Vec::new(),
            failed_at: None,
        }
    }

    /// The end of the chain as it is durable.
    pub(crate) fn shared_head(&self) -> Arc<ArcSwap<AuditHead>> {
        Arc::clone(&self.head)
    }

    /// Tells whether refusals have waited as long as they may.
    pub(crate) fn is_due(&self, refusals: &Refusals, now: Timestamp) -> bool {
        let failed_lately = self.failed_at.is_some_and(|at| now.0.saturating_sub(at.0) < RETRY_MS);
        !failed_lately && refusals.is_due(now)
    }

    /// Ends a group with its notes; refusals that are due go into them too.
    pub(crate) fn seal<'d>(
        &mut self,
        forming: &mut Forming,
        decided: impl Iterator<Item = (&'d Submission, &'d [Result<Receipt, Refusal>])>,
        refusals: &Refusals,
    ) {
        let mut sections = Sections::default();
        for (submission, results) in decided {
            for (order, receipt) in submission.orders.iter().zip(results) {
                if let Ok(receipt) = receipt {
                    sections.note(&submission.actor, &order.command, receipt, forming);
                }
            }
        }
        if self.is_due(refusals, forming.time()) {
            self.take_refusals(&mut sections, refusals);
        }
        self.end_group(forming, sections);
    }

    /// Makes a group of the refusals that wait.
    pub(crate) fn seal_refusals(&mut self, forming: &mut Forming, refusals: &Refusals) {
        let mut sections = Sections::default();
        self.take_refusals(&mut sections, refusals);
        self.end_group(forming, sections);
    }

    /// Makes a group that tells of a pruning.
    pub(crate) fn seal_pruning(&mut self, forming: &mut Forming, upto: Serial, before: Timestamp) {
        let mut sections = Sections::default();
        sections.open.add(&Actor::node(), |actor, items| PrunedItem { actor, upto, before }.write(items));
        self.end_group(forming, sections);
    }

    fn take_refusals(&mut self, sections: &mut Sections, refusals: &Refusals) {
        self.taken = refusals.take();
        for (line, count) in &self.taken {
            sections.note_refusal(line, count);
        }
    }

    fn end_group(&mut self, forming: &mut Forming, sections: Sections) {
        let algorithm = self.options.algorithm;
        let mut hasher = EntriesHasher::new(algorithm);
        for (entry, hashed) in forming.hashed_entries().enumerate() {
            hasher.update(HashedEntry { content: sections.contents.get(entry).copied().flatten(), ..hashed });
        }
        let entries_hash = hasher.finish();
        // The store holds groups to a million entries.
        let entries = u32::try_from(forming.hashed_entries().len()).unwrap_or(u32::MAX);
        let mut end = **self.head.load();
        for (part, items) in (0..=u8::MAX).zip(sections.finish()) {
            let head = NoteHead {
                pruned: false,
                algorithm,
                part,
                entries,
                number: end.note + 1,
                serial: forming.next_serial(),
                time: forming.time(),
                before: end.chain,
                entries_hash,
                items_hash: Digest::default(),
                chain: Digest::default(),
            };
            let (body, chain) = write(head, &items, &self.store_id);
            forming.add_note(end.serial, body);
            end = AuditHead { chain, ..AuditHead::from(&head) };
        }
        self.next = Some(end);
    }

    /// The group that was sealed last is durable.
    pub(crate) fn committed(&mut self) {
        if let Some(end) = self.next.take() {
            self.head.store(Arc::new(end));
        }
        self.taken.clear();
        self.failed_at = None;
    }

    /// The group that was sealed last is not durable.
    pub(crate) fn failed(&mut self, refusals: &Refusals) {
        self.failed_at = self.next.take().map(|end| end.time);
        refusals.put_back(std::mem::take(&mut self.taken));
    }
}

/// Refusals that could not be written are tried again after this many milliseconds, or with the next group that is committed.
const RETRY_MS: u64 = 10_000;

/// What an item says beside its entry.
struct Told<'a> {
    actor: &'a Actor,
    verb: Verb,
    key: &'a [u8],
    done: Done,
    /// Whether it says what an entry that is no record holds.
    says_content: bool,
}

/// Items of a group, in as many sections as there will be notes.
#[derive(Default)]
struct Sections {
    full: Vec<Vec<u8>>,
    open: Section,
    /// Content of the records the group writes, by number of the entry.
    contents: Vec<Option<ContentHash>>,
}

impl Sections {
    /// Adds the items of a command that changed something: one, or one for each record where it is about several.
    fn note(&mut self, actor: &Actor, command: &Command, receipt: &Receipt, forming: &Forming) {
        let Some(done) = Done::of(receipt.outcome).filter(|_| !receipt.repeated) else { return };
        let Some((last, _)) = forming.entry_of(receipt.serial) else { return };
        let subject = subject(command);
        let verb = Verb::of(command);
        if !matches!(command, Command::Link(_)) {
            let told =
                Told { actor, verb, key: &subject, done, says_content: !matches!(command, Command::Home { .. }) };
            self.note_entry(&told, last, Some(receipt.content), forming);
            return;
        }
        for entry in forming.entries_upto(last) {
            let stored = forming.entry(entry).and_then(|draft| Stored::parse(&draft.body).ok());
            let content = stored.and_then(|stored| stored.values().ok()).map(ContentHash::of);
            let key = stored.map_or(&*subject, |stored| stored.handle());
            self.note_entry(&Told { actor, verb, key, done, says_content: true }, entry, content, forming);
        }
    }

    /// Adds the item of one entry; `content` is that of the record it writes, if it writes one.
    fn note_entry(&mut self, told: &Told<'_>, entry: usize, content: Option<ContentHash>, forming: &Forming) {
        let Some(draft) = forming.entry(entry) else { return };
        let after = match draft.kind {
            EntryKind::PUT if !is_reserved(&draft.key) => {
                self.contents.resize(self.contents.len().max(entry + 1), None);
                if let Some(known) = self.contents.get_mut(entry) {
                    *known = content;
                }
                content.map(|content| content.0)
            }
            EntryKind::PUT if told.says_content => Some(Sha256::digest(&draft.body).into()),
            _ => None,
        };
        let before = forming.overlay.replaced(entry).map(|content| content.0);
        let offset = u64::try_from(entry).unwrap_or(u64::MAX);
        let Told { verb, key, done, .. } = *told;
        self.open.add(told.actor, |actor, items| {
            DoneItem { verb, actor, key, done, offset, before, after }.write(items);
        });
        self.break_when_full();
    }

    /// Adds what changed nothing.
    fn note_refusal(&mut self, line: &Line, count: &Count) {
        let Line { actor, verb, code } = line;
        let Count { count, first, last, key } = count;
        self.open.add(actor, |actor, items| {
            CountedItem { verb: *verb, actor, key, code, count: *count, first: *first, last: *last }.write(items);
        });
        self.break_when_full();
    }

    fn break_when_full(&mut self) {
        if self.open.bytes() >= NOTE_ITEMS_BYTES {
            self.full.push(std::mem::take(&mut self.open).finish());
        }
    }

    /// The bytes of each section; one at least.
    fn finish(mut self) -> Vec<Vec<u8>> {
        if self.open.count > 0 || self.full.is_empty() {
            self.full.push(self.open.finish());
        }
        self.full
    }
}

/// Actors and items of one note.
#[derive(Default)]
struct Section {
    numbers: HashMap<Actor, u64>,
    /// The actor of the last item: most often that of the next one too.
    last: Option<(Actor, u64)>,
    actors: Vec<u8>,
    items: Vec<u8>,
    count: u64,
}

impl Section {
    /// Adds an item of `actor`; `write` gets the actor's number.
    fn add(&mut self, actor: &Actor, write: impl FnOnce(u64, &mut Vec<u8>)) {
        let number = match &self.last {
            Some((last, number)) if last == actor => *number,
            _ => self.number_of(actor),
        };
        write(number, &mut self.items);
        self.count += 1;
    }

    fn number_of(&mut self, actor: &Actor) -> u64 {
        let next = u64::try_from(self.numbers.len()).unwrap_or(u64::MAX);
        let number = *self.numbers.entry(actor.clone()).or_insert(next);
        if number == next {
            write_actor(actor, &mut self.actors);
        }
        self.last = Some((actor.clone(), number));
        number
    }

    fn bytes(&self) -> usize {
        self.actors.len() + self.items.len()
    }

    fn finish(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes() + 16);
        varint::put(&mut bytes, u64::try_from(self.numbers.len()).unwrap_or(u64::MAX));
        bytes.extend_from_slice(&self.actors);
        varint::put(&mut bytes, self.count);
        bytes.extend_from_slice(&self.items);
        bytes
    }
}
