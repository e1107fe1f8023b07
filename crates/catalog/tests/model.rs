//! The whole catalog against a simple one: whatever is asked of both, in whatever order, through restarts, rebuilding, a lost state and a failing
//! power, they answer the same and hold the same, on both engines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    missing_docs,
    reason = "tests"
)]

mod common;
mod reference;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::*;
use proptest::prelude::*;
use reference::asks::{Admission, Ask, Event, From, Submit, Use, Value, Verb, Who, events};
use reference::learned::{Differs, Learned};
use reference::{Answer, Fixed, NOTICE, REQUESTS, Record, Reference, Status, Values, prefix};
use waymark_catalog::access::{Principal, Role, Scope};
use waymark_catalog::audit::verify;
use waymark_catalog::{
    Actor, AddMode, Catalog, Command, Door, Expect, HomeName, Options, Order, Origin, OwnedRecord, Proof, PutMode,
    Receipt, Refusal, Request, RequestLimits, StreamStep, Submission, Ticket, Timestamps, ValueSet, WriteError,
    command_digest, open, open_over, rebuild,
};
use waymark_ident::Handle;
use waymark_store::fault::{FaultMedium, MemoryMedium, Survives};
use waymark_store::{Engine, Serial, Timestamp, open_on};
use waymark_wire::{Permissions, ValueBuf};

/// Where the real catalog lies.
enum Place {
    Folder(tempfile::TempDir, Engine),
    Memory(MemoryMedium),
}

/// Both catalogs, and what was seen so far.
struct Pair {
    place: Place,
    faults: Option<Arc<FaultMedium>>,
    /// `None` only between two runs.
    catalog: Option<Catalog>,
    reference: Reference,
    learned: Learned,
    /// Requests made, with when and what for.
    requests: Vec<Made>,
    /// When the next request is made.
    made: u64,
}

/// A request: who made it, when, for what, in both languages.
type Made = (Who, u64, Ask, Option<Fixed>, Order);

/// What is submitted, and its meaning for the reference.
struct Prepared {
    submission: Submission,
    who: Who,
    /// Stream and where it says it is.
    step: Option<(usize, u64)>,
    asks: Vec<(Ask, Option<Fixed>)>,
}

impl Prepared {
    fn answers(&self, reference: &mut Reference) -> Vec<Answer> {
        match self.step {
            Some((stream, after)) => reference.step(self.who, stream, after, &self.asks),
            None => self.asks.iter().map(|(ask, expected)| reference.order(self.who, ask, expected.as_ref())).collect(),
        }
    }
}

impl Pair {
    fn new(place: Place) -> Self {
        let mut pair = Self {
            place,
            faults: None,
            catalog: None,
            reference: Reference::default(),
            learned: Learned::default(),
            requests: Vec::new(),
            made: 0,
        };
        pair.open();
        pair.made = pair.catalog().store().last().time.0;
        pair
    }

    fn catalog(&self) -> &Catalog {
        self.catalog.as_ref().unwrap()
    }

    fn options(&self) -> Options {
        let few = RequestLimits { per_principal: REQUESTS, ..RequestLimits::DEFAULT };
        let options = match &self.place {
            Place::Folder(dir, engine) => options(dir.path(), *engine),
            Place::Memory(_) => options(Path::new("/data"), Engine::Log),
        };
        Options { requests: few, clock: one_day, ..options }
    }

    fn open(&mut self) {
        let options = self.options();
        let opened = match &self.place {
            Place::Folder(..) => open(&options).unwrap(),
            Place::Memory(medium) => {
                let faults = FaultMedium::over(Arc::new(medium.clone()));
                self.faults = Some(faults.clone());
                let (store, found) = open_on(faults, &options.store).unwrap();
                open_over(store, found, &options).unwrap()
            }
        };
        assert_sound(&opened.recovery);
        self.catalog = Some(opened.catalog);
    }

    /// Ends the real catalog in order and starts it anew, with something done in between.
    fn restart(&mut self, between: impl FnOnce(&Self)) -> Result<(), Differs> {
        self.catalog.take().unwrap().shutdown().unwrap();
        between(self);
        self.open();
        self.compare()?;
        self.compare_counts()
    }

    fn happen(&mut self, event: &Event) -> Result<(), Differs> {
        match event {
            Event::Burst(submits) => self.burst(submits),
            Event::Request(who, use_of, ask) => self.request(*who, *use_of, ask),
            Event::Admit(admission) => {
                self.admit(admission.clone());
                Ok(())
            }
            Event::Restart => self.restart(|_| {}),
            Event::LoseState => self.restart(|pair| {
                if let Place::Folder(dir, _) = &pair.place {
                    lose_state(dir.path());
                }
            }),
            Event::Rebuild => self.restart(|pair| {
                if let Place::Folder(..) = &pair.place {
                    rebuild(&pair.options()).unwrap();
                }
            }),
            Event::PowerCut { changes, survive, submit } => self.power_cut(*changes, *survive, submit),
        }
    }

    fn burst(&mut self, submits: &[Submit]) -> Result<(), Differs> {
        let prepared: Vec<Prepared> = submits.iter().map(|submit| self.prepare(submit)).collect();
        let writer = self.catalog().writer();
        let tickets: Vec<Ticket> = prepared.iter().map(|one| writer.submit(one.submission.clone()).unwrap()).collect();
        for (one, ticket) in prepared.iter().zip(tickets) {
            let results = ticket.wait().unwrap();
            let answers = one.answers(&mut self.reference);
            self.compare_answers(&answers, &results)?;
        }
        Ok(())
    }

    fn compare_answers(&mut self, answers: &[Answer], results: &[Result<Receipt, Refusal>]) -> Result<(), Differs> {
        assert_eq!(answers.len(), results.len());
        answers.iter().zip(results).try_for_each(|(answer, result)| self.learned.answer(answer, false, result))
    }

    fn admit(&mut self, admission: Option<Admission>) {
        let command = match &admission {
            None => Command::RemovePrincipal { name: GUEST.into() },
            Some(Admission { prefixes, disabled, daily_quota }) => Command::PutPrincipal {
                principal: Principal {
                    name: GUEST.into(),
                    role: Role::Writer,
                    scope: Scope::parse(prefixes.iter().copied()).unwrap(),
                    disabled: *disabled,
                    rate_per_second: None,
                    daily_quota: *daily_quota,
                    certificates: Vec::new(),
                    note: String::new(),
                },
            },
        };
        let result = try_write(self.catalog(), vec![command]).unwrap().remove(0);
        assert_eq!(result.is_ok(), admission.is_some() || self.reference.admitted.is_some(), "{result:?}");
        self.reference.admitted = admission;
    }

    fn request(&mut self, who: Who, use_of: Use, ask: &Ask) -> Result<(), Differs> {
        let (who, made, ask, expected, order) = match use_of {
            Use::Again(index) if !self.requests.is_empty() => index.get(&self.requests).clone(),
            Use::Other(index) if !self.requests.is_empty() => {
                let expected = self.reference.fix(ask);
                let (who, made, ..) = *index.get(&self.requests);
                (who, made, ask.clone(), expected.clone(), self.order(ask, expected.as_ref()))
            }
            _ => {
                self.made += 1;
                let expected = self.reference.fix(ask);
                let new = (who, self.made, ask.clone(), expected.clone(), self.order(ask, expected.as_ref()));
                self.requests.push(new.clone());
                new
            }
        };
        let id = uuid::Builder::from_unix_timestamp_millis(made, &[5; 10]).into_uuid();
        let digest = command_digest(&order);
        let submission = Submission::new(&actor(who), [order]).as_request(Request { id, digest });
        let results = self.catalog().writer().submit(submission).unwrap().wait().unwrap();
        let (answer, repeated) = self.reference.request(who, made, digest, &ask, expected.as_ref());
        self.learned.answer(&answer, repeated, &results[0])
    }

    /// The power fails during a submission. What was acknowledged is there; otherwise all of it is, or nothing.
    fn power_cut(&mut self, changes: u64, survive: u64, submit: &Submit) -> Result<(), Differs> {
        let Some(faults) = self.faults.clone() else { return self.burst(std::slice::from_ref(submit)) };
        let prepared = self.prepare(submit);
        faults.cut_power_after(changes);
        let answer = self.catalog().writer().submit(prepared.submission.clone()).unwrap().wait();
        drop(self.catalog.take());
        if let Place::Memory(medium) = &self.place {
            self.place = Place::Memory(medium.after_power_loss(Survives::Bytes(survive)));
        }
        self.open();
        let before = self.reference.clone();
        let answers = prepared.answers(&mut self.reference);
        // Without power nothing can be read either.
        let blind = |results: &[Result<Receipt, Refusal>]| results.contains(&Err(Refusal::Unreadable));
        match answer {
            Ok(results) if blind(&results) => self.reference = before,
            Ok(results) => self.compare_answers(&answers, &results)?,
            Err(WriteError::DiskFull | WriteError::TooLarge) => panic!("there is room"),
            Err(_) => {
                let learned = self.learned.clone();
                if self.compare().is_err() {
                    (self.reference, self.learned) = (before, learned);
                }
            }
        }
        self.compare()?;
        self.compare_counts()
    }

    fn prepare(&self, submit: &Submit) -> Prepared {
        let (who, asks, step) = match submit {
            Submit::Plain(who, asks) => (*who, asks, None),
            Submit::Step { who, stream, from, asks } => {
                let mark = self.reference.mark(*stream);
                let after = match from {
                    From::Here => mark,
                    From::Before(items) => mark.saturating_sub(*items),
                    From::Behind(items) => mark + items,
                };
                (*who, asks, Some((*stream, after)))
            }
        };
        let asks: Vec<(Ask, Option<Fixed>)> = asks.iter().map(|ask| (ask.clone(), self.reference.fix(ask))).collect();
        let orders: Vec<Order> = asks.iter().map(|(ask, expected)| self.order(ask, expected.as_ref())).collect();
        let mut submission = Submission::new(&actor(who), orders);
        if let Some((stream, after)) = step {
            let position = after + u64::try_from(asks.len()).unwrap();
            let stream = stream_id(stream);
            submission = submission.as_step(StreamStep { stream, after, position, counts_orders: true });
        }
        Prepared { submission, who, step, asks }
    }

    /// An ask in the words of the real catalog.
    fn order(&self, ask: &Ask, expected: Option<&Fixed>) -> Order {
        let expect = expected.map(|expected| match expected {
            Fixed::Absent => Expect::Absent,
            // The first entry is no record's.
            Fixed::Write(write) => Expect::Serial(write.map_or(Serial(1), |write| self.learned.serial_of(write))),
            Fixed::Values(values) => Expect::Content(set_of_map(values).content()),
        });
        Order { command: command(ask), expect }
    }

    /// Compares everything the two hold.
    fn compare(&mut self) -> Result<(), Differs> {
        let catalog = self.catalog().clone();
        let keys: Vec<String> = ["88.1/A", "88.1/B", "88.2/A", "88.2/B", "88.2/\u{1}"].map(str::to_owned).into();
        for key in &keys {
            let found = fetch(&catalog, key);
            match (self.reference.records.get(key), &found) {
                (None, None) => {}
                (Some(expected), Some(found)) => {
                    self.learned.serial(expected.write, found.serial)?;
                    self.learned.time(expected.write, found.time)?;
                    same_record(key, expected, found)?;
                }
                (expected, found) => return Err(format!("{key}: expected {expected:?}, found {found:?}")),
            }
            self.compare_past(&catalog, key)?;
        }
        let mut found = Vec::new();
        let visit = &mut |key: &[u8], _: waymark_catalog::Stored<'_>| {
            found.push(String::from_utf8(key.to_vec()).unwrap());
            ControlFlow::Continue(())
        };
        catalog.cold().scan(b"", b"", visit).unwrap();
        if !found.iter().eq(self.reference.records.keys()) {
            return Err(format!("the list of records is {found:?}"));
        }
        for name in ["88.1", "88.2"] {
            let found = catalog.prefixes().homed_at(&HomeName::parse(name.as_bytes()).unwrap());
            match (self.reference.homed.get(name), found) {
                (None, None) => {}
                (Some(write), Some(serial)) => self.learned.serial(*write, serial)?,
                (expected, found) => return Err(format!("{name}: homed at {expected:?}, found {found:?}")),
            }
        }
        verify_audit(&catalog)?;
        (0..2).try_for_each(|stream| self.compare_stream(&catalog, stream))
    }

    /// Compares all versions of a key, newest first.
    fn compare_past(&mut self, catalog: &Catalog, key: &str) -> Result<(), Differs> {
        let found = catalog.cold().history(&Handle::new(key.as_bytes()).unwrap(), None, 1_000).unwrap();
        let expected = self.reference.past.get(key).map_or(&[][..], Vec::as_slice);
        if expected.len() != found.len() {
            return Err(format!("{key}: {} versions, found {}", expected.len(), found.len()));
        }
        for ((write, expected), found) in expected.iter().rev().zip(&found) {
            self.learned.serial(*write, found.serial)?;
            match (expected, &found.record) {
                (None, None) => {}
                (Some(expected), Some(found)) => same_record(key, expected, found)?,
                (expected, found) => return Err(format!("{key}: expected version {expected:?}, found {found:?}")),
            }
        }
        Ok(())
    }

    /// Compares the mark of a stream and what is told of all its items.
    fn compare_stream(&mut self, catalog: &Catalog, stream: usize) -> Result<(), Differs> {
        let expected = &self.reference.streams[stream];
        let mark = catalog.cold().mark(stream_id(stream)).unwrap().unwrap_or(0);
        if mark != self.reference.mark(stream) {
            return Err(format!("the mark of stream {stream} is {mark}"));
        }
        let mut found = Vec::new();
        let visit = &mut |_, outcome| {
            found.push(outcome);
            ControlFlow::Continue(())
        };
        catalog.cold().stream_outcomes(stream_id(stream), 1, mark, visit).unwrap();
        expected.iter().zip(&found).try_for_each(|(expected, found)| self.learned.item(expected, found))
    }

    /// Compares how many records each prefix has; only right after a start, since the state is fed behind the answers.
    fn compare_counts(&self) -> Result<(), Differs> {
        for name in ["88.1", "88.2"] {
            let expected = self.reference.records.keys().filter(|key| prefix(key) == name).count();
            let found = count(self.catalog(), name);
            if u64::try_from(expected).unwrap() != found {
                return Err(format!("{name}: {expected} records, counted {found}"));
            }
        }
        Ok(())
    }
}

/// Name of the guest.
const GUEST: &str = "guest";

fn actor(who: Who) -> Actor {
    match who {
        Who::Operator => Actor::operator(),
        // Its rights are those of the principal at the time of each write.
        Who::Guest => Actor::principal(GUEST, Proof::Job, Origin { door: Door::Job, source: None }),
    }
}

/// A clock that goes on by a tenth of a second whenever it is read: from the midnight of China Standard Time, where quotas are new, to the next one
/// it is read 864,000 times.
fn one_day() -> Timestamp {
    static TICKS: AtomicU64 = AtomicU64::new(0);
    Timestamp(1_800_028_800_000 + TICKS.fetch_add(1, Ordering::Relaxed) * 100)
}

/// The audit tells of every change, with the content that was written, in a chain without a break.
fn verify_audit(catalog: &Catalog) -> Result<(), Differs> {
    let mut found = Vec::new();
    let verified = verify(catalog.store().as_ref(), &[], None, &mut |problem| {
        found.push(problem.to_string());
        ControlFlow::Continue(())
    })
    .unwrap();
    if !found.is_empty() || verified.head != catalog.audit_head() {
        return Err(format!("the audit: {found:?}, at {:?}, not {:?}", verified.head, catalog.audit_head()));
    }
    Ok(())
}

fn stream_id(stream: usize) -> [u8; 16] {
    [u8::try_from(stream).unwrap() + 1; 16]
}

fn set(values: &[Value]) -> ValueSet {
    let values: Vec<ValueBuf> = values
        .iter()
        .map(|value| {
            if value.index == NOTICE {
                return waymark_catalog::recall::notice(value.data, 0);
            }
            let mut buf = ValueBuf::new(value.index, b"TEXT", value.data.as_bytes());
            if value.fixed {
                buf.permissions = Permissions(buf.permissions.0 & !Permissions::ADMIN_WRITE.0);
            }
            buf
        })
        .collect();
    ValueSet::from_bufs(&values).unwrap()
}

fn set_of_map(values: &Values) -> ValueSet {
    let values: Vec<Value> =
        values.iter().map(|(index, (data, fixed))| Value { index: *index, data, fixed: *fixed }).collect();
    set(&values)
}

fn command(ask: &Ask) -> Command {
    let (handle, timestamps) = (ask.handle.as_bytes().to_vec(), Timestamps::Now);
    let put = |values: &[Value], mode| Command::Put { handle: handle.clone(), values: set(values), timestamps, mode };
    let add =
        |values: &[Value], mode| Command::AddValues { handle: handle.clone(), values: set(values), timestamps, mode };
    let name = || HomeName::parse(prefix(ask.handle).as_bytes()).unwrap();
    match &ask.verb {
        Verb::Create(values) => put(values, PutMode::Create),
        Verb::Replace(values) => put(values, PutMode::Replace),
        Verb::CreateOrSame(values) => put(values, PutMode::CreateOrSame),
        Verb::Add(values) => add(values, AddMode::New),
        Verb::AddOver(values) => add(values, AddMode::Overwrite),
        Verb::AddOrSame(values) => add(values, AddMode::NewOrSame),
        Verb::Modify(values) => Command::ModifyValues { handle, values: set(values), timestamps },
        Verb::Remove(indexes) => Command::RemoveValues { handle, indexes: indexes.clone() },
        Verb::Delete => Command::Delete { handle },
        Verb::Suspend(reason) => Command::Suspend { handle, reason: (*reason).to_owned() },
        Verb::Resume => Command::Resume { handle },
        Verb::Revoke(reason) => Command::Revoke { handle, reason: (*reason).to_owned() },
        Verb::Recall(reason) => Command::Recall { handle, reason: (*reason).to_owned() },
        Verb::LiftRecall => Command::LiftRecall { handle },
        Verb::Home => Command::Home { name: name() },
        Verb::Unhome => Command::Unhome { name: name() },
    }
}

fn same_record(key: &str, expected: &Record, found: &OwnedRecord) -> Result<(), Differs> {
    let stored = found.stored().unwrap();
    let values: Vec<(u32, Vec<u8>, bool)> = stored
        .values()
        .unwrap()
        .iter()
        .map(|value| (value.index, value.data.to_vec(), !value.permissions.has(Permissions::ADMIN_WRITE)))
        .collect();
    let wanted: Vec<(u32, Vec<u8>, bool)> =
        expected.values.iter().map(|(index, (data, fixed))| (*index, data.as_bytes().to_vec(), *fixed)).collect();
    let status = stored.status().map(|status| (status.revoked, status.reason));
    let wanted_status = match expected.status {
        Status::Active => None,
        Status::Suspended(reason) => Some((false, reason)),
        Status::Revoked(reason) => Some((true, reason)),
    };
    if (stored.handle(), values, status) == (expected.spelled.as_bytes(), wanted, wanted_status) {
        Ok(())
    } else {
        Err(format!("{key}: expected {expected:?}, found {stored:?}"))
    }
}

/// Lets everything happen to both, and compares them at the end and after one more restart.
fn run(place: Place, events: &[Event]) -> Result<(), TestCaseError> {
    let mut pair = Pair::new(place);
    let mut all = || {
        for event in events {
            pair.happen(event).map_err(|differs| format!("{event:?}: {differs}"))?;
        }
        pair.compare()?;
        pair.restart(|_| {})
    };
    all().map_err(TestCaseError::fail)
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 400, ..ProptestConfig::default() }
}

fn folder(engine: Engine) -> Place {
    Place::Folder(tempfile::tempdir().unwrap(), engine)
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn the_log_holds_what_the_reference_holds_though_the_power_fails(events in events()) {
        run(Place::Memory(MemoryMedium::new()), &events)?;
    }
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn the_log_on_disk_holds_what_the_reference_holds(events in events()) {
        run(folder(Engine::Log), &events)?;
    }

    #[test]
    fn sled_holds_what_the_reference_holds(events in events()) {
        run(folder(Engine::Sled), &events)?;
    }
}
