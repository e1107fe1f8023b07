//! Whole catalogs over stores that hold anything.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use waymark_catalog::audit;
use waymark_catalog::export::{self, ExportOptions};
use waymark_catalog::import::Format;
use waymark_catalog::{
    Actor, Catalog, ChangedWithin, ColdReader, Command, ContentHash, FeedLimits, HomeName, Lookup, OpenError, Opened,
    Options, PutMode, Seen, Serial, Submission, Timestamp, Timestamps, ValueSet, Warm,
};
use waymark_ident::{CaseRule, Handle, MAX_KEY_BYTES};
use waymark_store::{EntryKind, Group, MemoryStore, Recovery, StateOp, Store as _, Tree};
use waymark_wire::{DecodeError, Reader, ValueBuf};

use super::script::{piece, put_piece};

/// The input is a script that fills a store: entries of the log with any keys and bodies, values of the small state, blobs.
///
/// A catalog opens over it or says why not. Where it opens, everything it can tell is told without harm, and the ways to a record agree. It takes
/// writes, and after an orderly end it opens again, by its snapshot, with the same records.
pub fn catalog_open(input: &[u8]) {
    let mut script = Reader::new(input);
    let Ok(options) = script.u8().map(options) else { return };
    let store = Arc::new(MemoryStore::for_tests());
    let mut time = 1_700_000_000_000;
    while step(&mut script, store.as_ref(), &mut time).is_ok() {}
    let opened = match open(&store, &options) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    // A snapshot of the script's may leave out what it likes.
    let is_whole = opened.recovery.snapshot.is_none();
    let records = look(&opened.catalog, is_whole);
    write(&opened.catalog, is_whole);
    let written = look(&opened.catalog, is_whole);
    let is_same =
        |(key, record): (&Vec<u8>, &Record)| key.eq_ignore_ascii_case(NEW) || written.get(key) == Some(record);
    assert!(records.iter().all(is_same), "others stay as they were");
    opened.catalog.shutdown().expect("memory takes everything");
    drop(opened);
    let again = open(&store, &options).expect("a catalog that was open opens again");
    assert!(again.recovery.snapshot.is_some(), "{:?}", again.recovery.snapshot_problem);
    assert_eq!(look(&again.catalog, is_whole), written);
}

/// Handle and values of a record.
type Record = (Vec<u8>, Vec<u8>);

/// The time of every write of a catalog here.
fn clock() -> Timestamp {
    Timestamp(1_800_000_000_000)
}

fn options(shape: u8) -> Options {
    let mut options = Options::new(waymark_store::Options::new("unused"));
    options.case = if shape & 1 == 0 { CaseRule::Insensitive } else { CaseRule::SuffixSensitive };
    options.warm = if shape & 2 == 0 { Warm::BeforeOpen } else { Warm::Off };
    options.resident_budget_bytes = 1 << 20;
    options.expected_entries = 0;
    options.clock = clock;
    options
}

fn open(store: &Arc<MemoryStore>, options: &Options) -> Result<Opened, OpenError> {
    waymark_catalog::open_over(Arc::<MemoryStore>::clone(store), Recovery::default(), options)
}

/// Names of the blobs a catalog keeps.
const BLOBS: [&str; 2] = ["index", "deletions"];
/// Actors of entries.
const ACTORS: [&[u8]; 4] = [b"operator", b"acme", b"", b"\xff"];

/// One step of the script; an error at its end.
fn step(script: &mut Reader<'_>, store: &MemoryStore, time: &mut u64) -> Result<(), DecodeError> {
    let step = script.u8()?;
    match step {
        STATE.. => {
            let (tree, upto) = (Tree(script.u8()?), Serial(script.u8()?.into()));
            let (key, value) = (piece(script)?, piece(script)?);
            // Refused where the state is further already.
            let _ = store.state().apply(upto, &[StateOp::Put { tree, key, value }]);
        }
        BLOB.. => {
            let (name, version) = (BLOBS[usize::from(step) % BLOBS.len()], script.u8()?);
            store.blobs().write_atomically(name, version.into(), piece(script)?).expect("memory takes everything");
        }
        _ => {
            *time += u64::from(script.u8()?) * 3_600_000;
            let previous = Serial(script.u8()?.into());
            let (key, body) = (piece(script)?, piece(script)?);
            let kind = EntryKind::new(step % 4 + 1).expect("kinds begin with 1");
            let mut group = Group::new();
            if group.push(kind, key, ACTORS[usize::from(step / 4) % 4], previous, body).is_ok() {
                store.commit(Timestamp(*time), &group).expect("memory takes everything");
            }
        }
    }
    Ok(())
}

const BLOB: u8 = 128;
const STATE: u8 = 192;

/// Writes scripts.
#[derive(Debug)]
pub struct Script(Vec<u8>);

impl Script {
    /// A script for a catalog of this shape: bit 0 for suffixes in their own case, bit 1 for records left on disk.
    #[must_use]
    pub fn new(shape: u8) -> Self {
        Self(vec![shape])
    }

    /// Adds an entry, `hours` after the one before.
    pub fn entry(&mut self, kind: EntryKind, hours: u8, previous: u8, actor: &[u8], key: &[u8], body: &[u8]) {
        let actor = ACTORS.iter().position(|known| *known == actor).unwrap_or(0);
        let actor = u8::try_from(actor).expect("a few");
        self.0.extend_from_slice(&[kind.number() - 1 + actor * 4, hours, previous]);
        put_piece(&mut self.0, key);
        put_piece(&mut self.0, body);
    }

    /// Adds a blob; 0 is the index snapshot, 1 the deletions.
    pub fn blob(&mut self, number: u8, version: u8, content: &[u8]) {
        self.0.extend_from_slice(&[BLOB + number, version]);
        put_piece(&mut self.0, content);
    }

    /// Adds a value of the small state, and says up to which serial it is fed.
    pub fn state(&mut self, tree: u8, upto: u8, key: &[u8], value: &[u8]) {
        self.0.extend_from_slice(&[STATE, tree, upto]);
        put_piece(&mut self.0, key);
        put_piece(&mut self.0, value);
    }

    /// The script.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Asks for everything there is; gives the records by key, up to the first that is none.
fn look(catalog: &Catalog, is_whole: bool) -> BTreeMap<Vec<u8>, Record> {
    let mut cold = catalog.cold();
    let mut records = BTreeMap::new();
    // It ends where a record is none.
    let _ = cold.scan(b"", b"", &mut |key, stored| {
        assert!(stored.values().is_ok(), "a record that is handed out is whole");
        records.insert(key.to_vec(), (stored.handle().to_vec(), stored.wire_values().to_vec()));
        ControlFlow::Continue(())
    });
    one_by_one(catalog, &mut cold, &records, is_whole);
    feeds(catalog, &mut cold);
    streams(catalog, &cold);
    audits(catalog);
    exports(catalog);
    access(catalog);
    records
}

/// Each record is found in memory, on disk and in its history as in the list.
fn one_by_one(catalog: &Catalog, cold: &mut ColdReader, records: &BTreeMap<Vec<u8>, Record>, is_whole: bool) {
    let mut reader = catalog.reader();
    for (key, (handle, wire)) in records {
        let handle = Handle::new(handle).expect("a record that is handed out has a handle");
        let mut room = [0; MAX_KEY_BYTES];
        assert_eq!(handle.to_key(catalog.case_rule(), &mut room), key);
        let found = cold.fetch(&handle).expect("listed");
        assert!(found.is_some() || !is_whole, "what is listed is found");
        let Some(record) = found else { continue };
        let stored = record.stored().expect("listed");
        assert_eq!((stored.handle(), stored.wire_values()), (handle.as_bytes(), wire.as_slice()));
        let view = reader.pin();
        if let Lookup::Record(resident) = view.find_one(view.key(&handle, &mut room)) {
            assert_eq!(resident, stored, "in memory as on disk");
        }
        cold.linked_to(&handle, None, &mut |_, _, _| ControlFlow::Continue(())).expect("memory gives everything");
        let newest = cold.history(&handle, None, 3).map(|versions| versions.first().map(|version| version.serial));
        assert!(newest.is_err() || newest.is_ok_and(|newest| newest == Some(record.serial)));
    }
}

/// Changes are told in order, whatever they are.
fn feeds(catalog: &Catalog, cold: &mut ColdReader) {
    let mut last = Serial::NONE;
    let told = catalog.changes(Serial::NONE, b"", FeedLimits::DEFAULT, &mut |seen| {
        let (first, upto) = match seen {
            Seen::Change(change) => (change.serial, change.serial),
            Seen::Damaged(damaged) => (damaged.first, damaged.last),
        };
        assert!(first > last && upto >= first);
        last = upto;
        let Seen::Change(change) = seen else { return ControlFlow::Continue(()) };
        let _ = change.stored().map(|stored| stored.map(|stored| stored.values().map(|values| values.len())));
        ControlFlow::Continue(())
    });
    assert!(told.expect("memory gives everything") <= catalog.serial());
    let within = ChangedWithin { prefix: b"", from: Timestamp(0), until: Timestamp::MAX };
    cold.list_changed(&within, Serial::NONE, FeedLimits::DEFAULT, &mut |_| ControlFlow::Continue(()))
        .expect("memory gives everything");
    for prefix in catalog.prefixes().iter() {
        let _ = cold.record_count(prefix.prefix());
    }
    cold.record_counts(&mut |_, _| ControlFlow::Continue(())).expect("memory gives everything");
}

/// Items asked for in one question.
const ITEMS: u64 = 50;

/// What became of the items of each stream that has a mark.
fn streams(catalog: &Catalog, cold: &ColdReader) {
    let mut marked = Vec::new();
    let scanned = catalog.store().scan_latest(Serial::NONE, &mut |entry| {
        if let [0, b'M', stream @ ..] = entry.key {
            marked.extend(<[u8; 16]>::try_from(stream));
        }
        ControlFlow::Continue(())
    });
    scanned.expect("memory gives everything");
    for stream in marked {
        let Ok(Some(mark)) = cold.mark(stream) else { continue };
        for first in [1, mark.saturating_sub(ITEMS)] {
            let mut told = 0;
            let _ = cold.stream_outcomes(stream, first, ITEMS, &mut |number, _| {
                assert!(number >= first && number <= mark);
                told += 1;
                ControlFlow::Continue(())
            });
            assert!(told <= ITEMS);
        }
    }
}

/// The audit is told and verified, or found wrong.
fn audits(catalog: &Catalog) {
    let store = catalog.store().as_ref();
    let mut problems = 0;
    let verified = audit::verify(store, &[], None, &mut |problem| {
        assert!(!problem.what.to_string().is_empty());
        problems += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(verified.expect("memory gives everything").problems, problems);
    let mut lines = Vec::new();
    if let Ok(count) = audit::export(store, &audit::Filter::default(), &mut lines) {
        let text = String::from_utf8(lines).expect("JSON is text");
        assert_eq!(u64::try_from(text.lines().count()), Ok(count));
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    }
}

fn exports(catalog: &Catalog) {
    for format in [Format::JsonLines, Format::Batch] {
        let mut out = Vec::new();
        let options = ExportOptions::new(format);
        if let Ok(summary) = export::run(catalog, &mut out, &options, &mut |_| ControlFlow::Continue(())) {
            assert!(std::str::from_utf8(&out).is_ok());
            assert!(summary.records > 0 || out.is_empty());
        }
    }
}

/// Everybody's rights are what the table says, and nobody is known by nothing.
fn access(catalog: &Catalog) {
    let access = catalog.access();
    for principal in access.principals() {
        assert_eq!(access.principal(&principal.name), Some(principal));
        for certificate in &principal.certificates {
            let _ = access.check_certificate(certificate);
        }
        let _ = catalog.usage(&principal.name);
        assert_eq!(access.tokens_of(&principal.name).count(), {
            access.tokens().filter(|token| token.principal == principal.name).count()
        });
    }
}

/// The record that is written.
const NEW: &[u8] = b"88.1/new";

/// A catalog that is open takes a write: it is carried out, or refused for a reason.
fn write(catalog: &Catalog, is_whole: bool) {
    let values = ValueSet::from_bufs(&[ValueBuf::new(1, b"URL", b"u")]).expect("a set");
    let home = Command::Home { name: HomeName::parse(b"88.1").expect("a prefix") };
    let (handle, timestamps, mode) = (NEW.to_vec(), Timestamps::Now, PutMode::Replace);
    let put = Command::Put { handle, values: values.clone(), timestamps, mode };
    let ticket = catalog.writer().submit(Submission::new(&Actor::operator(), [home, put])).expect("the queue is empty");
    let results = ticket.wait().expect("memory takes every write");
    assert_eq!(results.len(), 2);
    if is_whole && results.iter().all(Result::is_ok) {
        let handle = Handle::new(NEW).expect("a handle");
        let record = catalog.cold().fetch(&handle).expect("just written").expect("just written");
        let content = record.stored().and_then(|stored| stored.values()).map(ContentHash::of);
        assert_eq!(content, Ok(values.content()));
    }
}
