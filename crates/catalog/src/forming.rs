//! A group being formed: commands are decided one after the other, each seeing what those before it did.

mod access;
mod business;
mod links;
mod ranges;
mod requests;
mod restore;
mod templates;

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;

use waymark_ident::CaseRule;
use waymark_store::{EntryKind, Group, PushError, Serial, Store, Timestamp};

use crate::access::Access;
use crate::access::change::is_principal_name;
use crate::access::permit::{Permit, authorize};
use crate::actor::Actor;
use crate::audit::{self, HashedEntry, MOST_ACTOR_BYTES, most_item_bytes};
use crate::business::{Business, CodeTables};
use crate::command::{Command, Order, Outcome, Receipt, Refusal, StreamId, StreamStep, Submission};
use crate::config::{AccessLimits, BusinessLimits, RangeLimits, RecordLimits};
use crate::decide::{Current, Decision, Facts, Version, decide, record_key};
use crate::locate::Locator;
use crate::mark::{self, Mark};
use crate::overlay::{Draft, Overlay, Previous};
use crate::prefixes::{HomeName, Prefixes};
use crate::queue::Results;
use crate::range::Ranges;
use crate::recall::NOTICE_BYTES;
use crate::requests::{Remembered, Requests};
use crate::reserved::{HOME_BODY, ReservedKey, is_reserved};
use crate::template::Templates;
use crate::template::narrow::narrow;
use crate::usage::{Counts, Day, Usage};
use crate::values::{ContentHash, ValueSet};
use crate::warnings::Warnings;

/// Most bytes of entries in one group, below what the store takes, so that a group that was formed can be committed.
const GROUP_CEILING_BYTES: usize = waymark_store::config::MAX_GROUP_BYTES / 8 * 7;

/// Most bytes of records that are loaded for one group: what is replaced or deleted is not written, but is held in memory too.
const LOADED_CEILING_BYTES: usize = 2 * GROUP_CEILING_BYTES;

/// What the status of a record takes at most in its stored form: state, since, length, reason.
const STATUS_BYTES: usize = 64 + crate::config::REASON_BYTES;

/// What the frame of an entry adds to key, actor and body, generously.
const ENTRY_FRAME_BYTES: usize = 64;

/// What decisions rest on beside the data.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) rule: CaseRule,
    pub(crate) limits: &'a RecordLimits,
    pub(crate) store: &'a dyn Store,
    pub(crate) access: &'a AccessLimits,
    pub(crate) ranges: &'a RangeLimits,
    pub(crate) business: &'a BusinessLimits,
    pub(crate) codes: &'a CodeTables,
    pub(crate) usage: &'a Usage,
    pub(crate) requests: &'a Requests,
}

/// The tables decisions rest on, as they are before a group.
#[derive(Clone)]
pub(crate) struct Tables {
    pub(crate) prefixes: Arc<Prefixes>,
    pub(crate) access: Arc<Access>,
    pub(crate) ranges: Arc<Ranges>,
    pub(crate) templates: Arc<Templates>,
    pub(crate) business: Arc<Business>,
}

/// A submission might not fit into a group, or into what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMuch {
    /// How many of its orders would.
    pub(crate) fits: usize,
    /// What they and the next one take at most.
    pub(crate) bytes: usize,
}

/// The group. All of it becomes durable together, or nothing.
pub(crate) struct Forming {
    /// Serial its first entry will have: the writer is the only one that commits.
    first: Serial,
    /// Time it will be committed at.
    time: Timestamp,
    drafts: Vec<(Draft, Arc<str>)>,
    bytes: usize,
    commands: usize,
    pub(crate) overlay: Overlay,
    /// The prefixes as they will be.
    pub(crate) prefixes: Arc<Prefixes>,
    pub(crate) prefixes_changed: bool,
    /// Who may do what, as it will be.
    pub(crate) access: Arc<Access>,
    pub(crate) access_changed: bool,
    /// The code packages as they will be.
    pub(crate) ranges: Arc<Ranges>,
    pub(crate) ranges_changed: bool,
    /// The templates as they will be.
    pub(crate) templates: Arc<Templates>,
    pub(crate) templates_changed: bool,
    /// The templates before the group: only what everybody knows already is left out of records.
    known_templates: Arc<Templates>,
    /// The enterprises and cases as they will be.
    pub(crate) business: Arc<Business>,
    pub(crate) business_changed: bool,
    /// Writes to records, by principal.
    written: Counts,
    /// Requests accepted in this group.
    requests: BTreeMap<(u128, Arc<str>), Remembered>,
    /// First entry of each command that wrote several records, by its last.
    several: HashMap<usize, usize>,
}

impl Forming {
    pub(crate) fn new(last: Serial, time: Timestamp, tables: Tables) -> Self {
        let Tables { prefixes, access, ranges, templates, business } = tables;
        Self {
            first: last.next(),
            time,
            drafts: Vec::new(),
            bytes: 0,
            commands: 0,
            overlay: Overlay::default(),
            prefixes,
            prefixes_changed: false,
            access,
            access_changed: false,
            ranges,
            ranges_changed: false,
            known_templates: Arc::clone(&templates),
            templates,
            templates_changed: false,
            business,
            business_changed: false,
            written: Counts::new(),
            requests: BTreeMap::new(),
            several: HashMap::new(),
        }
    }

    /// The tables as they will be.
    pub(crate) fn tables(&self) -> Tables {
        Tables {
            prefixes: Arc::clone(&self.prefixes),
            access: Arc::clone(&self.access),
            ranges: Arc::clone(&self.ranges),
            templates: Arc::clone(&self.templates),
            business: Arc::clone(&self.business),
        }
    }

    /// Decides a submission and takes its changes into the group.
    ///
    /// A single order that is too large for a group of its own is refused: nothing can be done about it.
    ///
    /// # Errors
    /// [`TooMuch`], with nothing taken: not all of it might fit.
    pub(crate) fn decide(
        &mut self,
        submission: &Submission,
        terms: Terms<'_>,
        locator: &mut Locator,
        marks: &mut Marks,
    ) -> Result<Results, TooMuch> {
        let Submission { actor, orders, stream, request, .. } = submission;
        let known = self.known_before(submission, terms).transpose();
        // Before anything is loaded, and before a submission is taken apart: a part might begin where the stream happens to be.
        let moved = || stream.as_ref().and_then(|step| marks.check(step).err()).map(Err);
        if let Some(result) = known.or_else(moved) {
            // Counted too, so that a group of nothing but these ends.
            self.commands += orders.len().max(1);
            return Ok(vec![result; orders.len()]);
        }
        let keys: Vec<CommandKey> = orders.iter().map(|order| record_key(&order.command, terms.rule)).collect();
        for key in orders.iter().filter_map(|order| business::site_record_key(&order.command, terms.rule)) {
            self.overlay.load(&key, locator);
        }
        let is_first = self.commands == 0;
        let refused = match self.make_room(actor, orders, &keys, terms, locator) {
            Ok(()) => None,
            Err(TooMuch { bytes, .. }) if is_first && orders.len() == 1 => {
                self.bytes += MOST_ACTOR_BYTES + mark::MARK_BYTES + mark::ITEM_BYTES;
                Some(Refusal::TooLarge { bytes, limit: GROUP_CEILING_BYTES })
            }
            Err(error) => return Err(error),
        };
        self.commands += orders.len();
        let name = actor.shared_name();
        let first = self.serial_of(self.drafts.len());
        let decide_one = |(order, key): (&Order, CommandKey)| {
            let permit = authorize(actor, &order.command, &self.access, self.time)?;
            refused.clone().map_or(Ok(()), Err)?;
            self.carry_out(permit, order, key, &name, terms)
        };
        let results: Results = orders.iter().zip(keys).map(decide_one).collect();
        if let (Some(request), [Ok(receipt)]) = (request, &results[..]) {
            self.note_request(request, *receipt, &name);
        }
        if let Some(step) = stream {
            self.mark(step, first, &results, &name, marks);
        }
        Ok(results)
    }

    /// Loads what orders are about, and counts the most bytes their entries can take: each as large as the record before and all that came in.
    ///
    /// # Errors
    /// [`TooMuch`], with nothing counted. Records that were loaded stay so.
    fn make_room(
        &mut self,
        actor: &Actor,
        orders: &[Order],
        keys: &[CommandKey],
        terms: Terms<'_>,
        locator: &mut Locator,
    ) -> Result<(), TooMuch> {
        let mut bodies: HashMap<&[u8], usize> = HashMap::new();
        let mut total = self.bytes + MOST_ACTOR_BYTES + requests::NOTE_BYTES + mark::MARK_BYTES;
        for (fits, (order, key)) in orders.iter().zip(keys).enumerate() {
            total += mark::ITEM_BYTES;
            if let (Command::Template(_) | Command::Restore(_), Ok(Some(key))) = (&order.command, key) {
                self.overlay.load(key, locator);
            }
            match key {
                _ if let Command::Template(command) = &order.command => {
                    total += templates::most_template_bytes(command, actor) + most_item_bytes(&order.command);
                }
                _ if let Command::Restore(restore) = &order.command => {
                    total += self.most_restore_bytes(restore, actor) + most_item_bytes(&order.command);
                }
                Ok(Some(key)) => {
                    self.overlay.load(key, locator);
                    let body = bodies.entry(key).or_insert_with(|| self.most_body_bytes(key, orders));
                    let weight = order.command.weight_bytes();
                    match &order.command {
                        // All of the record comes in; of the one before, its status and the notice of its recall at most stay.
                        Command::Put { .. } | Command::PutWithdrawn { .. } | Command::PutFromTemplate { .. } => {
                            *body = weight + (STATUS_BYTES + NOTICE_BYTES).min(*body);
                        }
                        Command::Delete { .. } => *body = weight,
                        _ => *body += weight,
                    }
                    total += *body + key.len() + actor.name().len() + ENTRY_FRAME_BYTES;
                    total += most_item_bytes(&order.command);
                }
                Ok(None) if let Command::Range(command) = &order.command => {
                    total += self.most_range_bytes(command, actor) + most_item_bytes(&order.command);
                }
                Ok(None) if let Command::Business(command) = &order.command => {
                    total +=
                        self.most_business_bytes(command, orders, actor, terms.rule) + most_item_bytes(&order.command);
                }
                Ok(None) if let Command::Link(command) = &order.command => {
                    total += self.most_link_bytes(command, actor, terms, locator);
                }
                Ok(None) => {
                    total +=
                        self.most_access_bytes(&order.command, actor, terms.access) + most_item_bytes(&order.command);
                }
                Err(_) => {}
            }
            let crowded = self.overlay.loaded_bytes() > LOADED_CEILING_BYTES && self.commands + fits > 0;
            if total > GROUP_CEILING_BYTES || crowded {
                return Err(TooMuch { fits, bytes: total - self.bytes });
            }
        }
        self.bytes = total;
        Ok(())
    }

    fn carry_out(
        &mut self,
        permit: Permit,
        order: &Order,
        key: CommandKey,
        actor: &Arc<str>,
        terms: Terms<'_>,
    ) -> Result<Receipt, Refusal> {
        match (&order.command, key?) {
            (Command::Home { name }, _) => self.home(name, actor, terms),
            (Command::Unhome { name }, _) => self.unhome(name, actor),
            (Command::Range(command), _) => self.change_ranges(permit, command, actor, terms),
            (Command::Template(command), key) => self.change_templates(permit, command, key.as_deref(), actor, terms),
            (Command::Business(command), _) => self.change_business(permit, command, actor, terms),
            (Command::Link(command), _) => self.change_links(permit, command, actor, terms),
            (Command::Restore(restore), key) => self.restore(permit, restore, key.as_deref(), actor, terms),
            (_, None) => self.change_access(permit, &order.command, actor, terms),
            (_, Some(key)) => self.change_record(permit, order, key, actor, terms),
        }
    }

    fn change_record(
        &mut self,
        permit: Permit,
        order: &Order,
        key: Vec<u8>,
        actor: &Arc<str>,
        terms: Terms<'_>,
    ) -> Result<Receipt, Refusal> {
        match self.decide_record(permit, order, &key, terms)? {
            Decision::Keep { serial, time, content } => {
                Ok(Receipt { serial, time, content, outcome: Outcome::Same, warnings: Warnings::NONE, repeated: false })
            }
            Decision::Write { body, content, outcome, warnings } => {
                self.count_writes(1, permit, actor, terms)?;
                let serial = self.draft_record(key, body, actor);
                Ok(Receipt { serial, time: self.time, content, outcome, warnings, repeated: false })
            }
            Decision::Delete => {
                self.count_writes(1, permit, actor, terms)?;
                let previous = self.overlay.previous(&key);
                let (entry, serial) = self.draft(EntryKind::DELETE, key.clone(), previous, Vec::new(), actor);
                self.overlay.delete(&key, entry, serial);
                Ok(self.plain_receipt(serial, Outcome::Deleted))
            }
        }
    }

    /// What an order means for the record of `key`, as it is now.
    fn decide_record(&self, permit: Permit, order: &Order, key: &[u8], terms: Terms<'_>) -> Result<Decision, Refusal> {
        if self.templates.is_record(key) {
            return Err(Refusal::TemplateRecord);
        }
        let made = self.made_from_template(order, key)?;
        let order = made.as_ref().unwrap_or(order);
        let inherited = self.inherited(&order.command, key)?;
        let facts = Facts {
            current: inherited.as_ref().map_or_else(|| self.overlay.current(key), Current::Live),
            key,
            rule: terms.rule,
            served: self.prefixes.serves(key),
            limits: terms.limits,
            stamp: u32::try_from(self.time.0 / 1000).unwrap_or(u32::MAX),
        };
        let decision = decide(permit, order, &facts)?;
        self.hold_to_template(&order.command, facts.current, key)?;
        Ok(decision)
    }

    /// Adds the entry of a record as it shall stand.
    fn draft_record(&mut self, key: Vec<u8>, body: Vec<u8>, actor: &Arc<str>) -> Serial {
        let previous = self.overlay.previous(&key);
        let (entry, serial) = self.draft(EntryKind::PUT, key.clone(), previous, body.clone(), actor);
        self.overlay.change(&key, entry, Version { serial, time: self.time, body });
        serial
    }

    /// Counts writes that are about to be drafted, unless the actor may not have as many today.
    fn count_writes(&mut self, writes: u64, permit: Permit, actor: &Arc<str>, terms: Terms<'_>) -> Result<(), Refusal> {
        let here = self.written.get(actor).copied().unwrap_or(0).saturating_add(writes);
        if let Some(quota) = permit.daily_quota()
            && terms.usage.on(self.day(), actor).saturating_add(here) > quota
        {
            return Err(Refusal::QuotaExceeded { quota, until: self.day().end() });
        }
        if is_principal_name(actor) {
            self.written.insert(Arc::clone(actor), here);
        }
        Ok(())
    }

    /// The day whose quota the group counts for.
    pub(crate) fn day(&self) -> Day {
        Day::of(self.time)
    }

    /// Writes to records, by principal.
    pub(crate) const fn written(&self) -> &Counts {
        &self.written
    }

    fn home(&mut self, name: &HomeName, actor: &Arc<str>, terms: Terms<'_>) -> Result<Receipt, Refusal> {
        if let Some(serial) = self.prefixes.homed_at(name) {
            let time = self.time_of(serial, terms.store)?;
            return Ok(Receipt { time, ..self.plain_receipt(serial, Outcome::Same) });
        }
        let serial = self.draft_homed(name, actor);
        Ok(self.plain_receipt(serial, Outcome::Homed))
    }

    /// Homes what is not homed.
    fn draft_homed(&mut self, name: &HomeName, actor: &Arc<str>) -> Serial {
        let key = ReservedKey::Home(name.clone()).to_bytes();
        let (_, serial) = self.draft(EntryKind::PUT, key, Serial::NONE, HOME_BODY.to_vec(), actor);
        Arc::make_mut(&mut self.prefixes).insert(name.clone(), serial);
        self.prefixes_changed = true;
        serial
    }

    /// When the entry of a serial was or will be committed.
    fn time_of(&self, serial: Serial, store: &dyn Store) -> Result<Timestamp, Refusal> {
        if serial >= self.first {
            return Ok(self.time);
        }
        let mut buffer = Vec::new();
        let entry = store.read_serial(serial, &mut buffer).map_err(|_| Refusal::Unreadable)?;
        entry.map(|entry| entry.time).ok_or(Refusal::Unreadable)
    }

    fn unhome(&mut self, name: &HomeName, actor: &Arc<str>) -> Result<Receipt, Refusal> {
        let previous = self.prefixes.homed_at(name).ok_or(Refusal::NotFound)?;
        let key = ReservedKey::Home(name.clone()).to_bytes();
        let (_, serial) = self.draft(EntryKind::DELETE, key, previous, Vec::new(), actor);
        Arc::make_mut(&mut self.prefixes).remove(name);
        self.prefixes_changed = true;
        Ok(self.plain_receipt(serial, Outcome::Unhomed))
    }

    /// Notes where a stream is after the step just decided, and what became of its orders where it counts them.
    fn mark(&mut self, step: &StreamStep, first: Serial, results: &Results, actor: &Arc<str>, marks: &mut Marks) {
        let previous = marks.serial(step.stream);
        let key = ReservedKey::Mark(step.stream).to_bytes();
        let body =
            if step.counts_orders { mark::step_body(step, first, results) } else { mark::position_body(step.position) };
        let (_, serial) = self.draft(EntryKind::PUT, key, previous, body, actor);
        marks.set(step.stream, serial, step.position);
    }

    /// Adds an entry; gives its number within the group and the serial it will have.
    fn draft(
        &mut self,
        kind: EntryKind,
        key: Vec<u8>,
        previous: impl Into<Previous>,
        body: Vec<u8>,
        actor: &Arc<str>,
    ) -> (usize, Serial) {
        let entry = self.drafts.len();
        let previous = previous.into();
        let is_record = kind == EntryKind::PUT && !is_reserved(&key);
        let narrow = if is_record { narrow(&key, &body, &self.known_templates) } else { None };
        self.drafts.push((Draft { kind, key, previous, body, narrow }, Arc::clone(actor)));
        (entry, self.serial_of(entry))
    }

    fn serial_of(&self, entry: usize) -> Serial {
        Serial(self.first.0.saturating_add(u64::try_from(entry).unwrap_or(u64::MAX)))
    }

    fn plain_receipt(&self, serial: Serial, outcome: Outcome) -> Receipt {
        let content = ContentHash::of(ValueSet::default().values());
        Receipt { serial, time: self.time, content, outcome, warnings: Warnings::NONE, repeated: false }
    }

    /// Tells whether results were not decided in this group but are told again, and were durable before it.
    pub(crate) fn is_repeated(&self, results: &Results) -> bool {
        let before = |result: &Result<Receipt, Refusal>| {
            result.as_ref().is_ok_and(|receipt| receipt.repeated && receipt.serial < self.first)
        };
        !results.is_empty() && results.iter().all(before)
    }

    /// Tells whether nothing has to be written.
    pub(crate) const fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    /// Time the group will be committed at.
    pub(crate) const fn time(&self) -> Timestamp {
        self.time
    }

    /// Bytes its entries may take.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Commands decided.
    pub(crate) const fn commands(&self) -> usize {
        self.commands
    }

    /// Ends the group with a note of the audit.
    pub(crate) fn add_note(&mut self, previous: Serial, body: Vec<u8>) {
        self.draft(EntryKind::NOTE, ReservedKey::Audit.to_bytes(), previous, body, &audit::ACTOR.into());
    }

    /// Serial of the next entry.
    pub(crate) fn next_serial(&self) -> Serial {
        self.serial_of(self.drafts.len())
    }

    /// The entry of a serial of this group, and its number within the group.
    pub(crate) fn entry_of(&self, serial: Serial) -> Option<(usize, &Draft)> {
        let entry = usize::try_from(serial.0.checked_sub(self.first.0)?).ok()?;
        self.drafts.get(entry).map(|(draft, _)| (entry, draft))
    }

    /// The entries of a command whose receipt names entry number `last`: that one, or those of all the records it wrote.
    pub(crate) fn entries_upto(&self, last: usize) -> RangeInclusive<usize> {
        self.several.get(&last).copied().unwrap_or(last)..=last
    }

    /// Entry number `entry` of the group.
    pub(crate) fn entry(&self, entry: usize) -> Option<&Draft> {
        self.drafts.get(entry).map(|(draft, _)| draft)
    }

    /// Puts the entries into the store's form.
    ///
    /// # Errors
    /// An entry does not fit; the bytes counted while forming rule that out.
    pub(crate) fn fill(&self, group: &mut Group) -> Result<(), PushError> {
        group.clear();
        for (draft, actor) in &self.drafts {
            let body = draft.narrow.as_ref().unwrap_or(&draft.body);
            group.push(draft.kind, &draft.key, actor.as_bytes(), draft.previous.serial, body)?;
        }
        Ok(())
    }

    /// The entries as the audit hashes them.
    pub(crate) fn hashed_entries(&self) -> impl ExactSizeIterator<Item = HashedEntry<'_>> {
        self.drafts.iter().enumerate().map(|(entry, (draft, actor))| HashedEntry {
            kind: draft.kind,
            serial: self.serial_of(entry),
            previous: draft.previous.serial,
            actor: actor.as_bytes(),
            key: &draft.key,
            body: &draft.body,
            content: None,
        })
    }

    /// The entries with their serials.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Serial, &Draft)> {
        self.drafts.iter().enumerate().map(|(entry, (draft, _))| (self.serial_of(entry), draft))
    }
}

/// The key a command is about, or why it has none.
type CommandKey = Result<Option<Vec<u8>>, Refusal>;

/// Serials and positions of the streams' last marks, read once from the store.
pub(crate) struct Marks {
    store: Arc<dyn Store>,
    last: HashMap<StreamId, (Serial, u64)>,
}

/// Streams whose last mark is remembered; past it all are forgotten and read again.
const REMEMBERED_STREAMS: usize = 256;

impl Marks {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, last: HashMap::new() }
    }

    /// Makes sure that the stream is where the step begins.
    fn check(&mut self, step: &StreamStep) -> Result<(), Refusal> {
        let (serial, found) = self.last(step.stream)?;
        if found != step.after {
            return Err(Refusal::MarkMoved { found });
        }
        self.set(step.stream, serial, found);
        Ok(())
    }

    /// Serial of the last mark of a stream that was checked.
    fn serial(&self, stream: StreamId) -> Serial {
        self.last.get(&stream).map_or(Serial::NONE, |(serial, _)| *serial)
    }

    /// Serial and position of the last mark; both 0 when there is none.
    fn last(&self, stream: StreamId) -> Result<(Serial, u64), Refusal> {
        if let Some(last) = self.last.get(&stream) {
            return Ok(*last);
        }
        let key = ReservedKey::Mark(stream).to_bytes();
        let Some(place) = self.store.find(&key).map_err(|_| Refusal::Unreadable)? else { return Ok((Serial::NONE, 0)) };
        let mut buffer = Vec::new();
        let entry = self.store.read(place, &mut buffer).map_err(|_| Refusal::Unreadable)?;
        if entry.kind != EntryKind::PUT {
            return Ok((entry.serial, 0));
        }
        // Taking a mark of another version for none would carry a stream out a second time.
        let mark = Mark::parse(entry.body).map_err(|_| Refusal::Unreadable)?;
        Ok((entry.serial, mark.position()))
    }

    fn set(&mut self, stream: StreamId, serial: Serial, position: u64) {
        if self.last.len() >= REMEMBERED_STREAMS {
            self.last.clear();
        }
        self.last.insert(stream, (serial, position));
    }

    /// Forgets what was set since the last commit, by forgetting everything.
    pub(crate) fn forget(&mut self) {
        self.last.clear();
    }
}
