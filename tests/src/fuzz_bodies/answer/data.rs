//! What the answers are made from: the records a reference server held, and some nobody may read, in memory and on disk.

use std::sync::Arc;

use serde_json::Value;
use waymark_catalog::{
    Actor, Catalog, Command, HomeName, Options, PutMode, Ruling, Submission, Timestamps, ValueSet, Warm,
};
use waymark_resolver::{AdministrationDoors, Answerer, NodeKey, Settings, SiteSet, SiteSetOptions, ThreadCounters};
use waymark_store::{MemoryStore, Recovery, Store};
use waymark_wire::types::HS_SITE;
use waymark_wire::{Permissions, Reader, Ttl, ValueBuf, ValueRef};

/// Stands in the data of every value the public may not read, and nowhere else.
pub(super) const SECRET: &[u8] = b"q7Zr-only-administrators-read-this-V3x";

/// Answerers over the same records.
pub(super) struct Answerers {
    /// Over records in memory.
    pub(super) warm: Answerer,
    /// Over the same records left on disk.
    pub(super) cold: Answerer,
    /// What they sign with.
    pub(super) key: Arc<NodeKey>,
}

impl Answerers {
    pub(super) fn new() -> Self {
        let fixtures: Value =
            serde_json::from_str(include_str!("../../../data/fixtures.json")).expect("the fixtures are JSON");
        let store: Arc<dyn Store> = Arc::new(MemoryStore::for_tests());
        let warm = open(&store);
        let (prefixes, records) = content(&fixtures);
        // One of the records is of a prefix the reference held without serving it: written while `0.NA` lives here.
        let mut commands = vec![home("0.NA")];
        commands.extend(prefixes.iter().map(|name| home(name)));
        commands.extend(records.into_iter().map(|(handle, values)| Command::Put {
            handle: handle.into_bytes(),
            values,
            timestamps: Timestamps::Keep,
            mode: PutMode::Create,
        }));
        commands.push(Command::Unhome { name: name("0.NA") });
        let ticket = warm.writer().submit(Submission::new(&Actor::operator(), commands)).expect("the queue is empty");
        for result in &ticket.wait().expect("memory takes every write") {
            assert!(result.is_ok(), "{result:?}");
        }
        let cold = open(&store);
        let key = Arc::new(key(&fixtures));
        let settings = Arc::new(settings(&fixtures, &key));
        let answerer =
            |catalog: &Catalog| Answerer::new(catalog, Arc::clone(&settings), Arc::new(ThreadCounters::new()));
        Self { warm: answerer(&warm), cold: answerer(&cold), key }
    }
}

/// A catalog that reads nothing into memory by itself.
fn open(store: &Arc<dyn Store>) -> Catalog {
    let mut options = Options::new(waymark_store::Options::new("unused"));
    options.warm = Warm::Off;
    options.limits.long_handles = Ruling::Warn;
    options.limits.value_bytes = 261_120;
    options.limits.values = 65_536;
    waymark_catalog::open_over(Arc::clone(store), Recovery::default(), &options).expect("memory opens").catalog
}

fn name(prefix: &str) -> HomeName {
    HomeName::parse(prefix.as_bytes()).expect("the name of a prefix")
}

fn home(prefix: &str) -> Command {
    Command::Home { name: name(prefix) }
}

/// Prefixes and records: those of the reference, one with more values and one with more bytes than a first room takes, and some with
/// values nobody may read.
fn content(fixtures: &Value) -> (Vec<String>, Vec<(String, ValueSet)>) {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let prefixes = list(&fixtures["homed_prefixes"]).iter().map(text).collect();
    let mut records: Vec<(String, ValueSet)> = Vec::new();
    for record in list(&fixtures["records"]) {
        let wires = list(&record["values_hex"]);
        let wires: Vec<Vec<u8>> = wires.iter().map(|wire| hex::decode(text(wire)).expect("hexadecimal")).collect();
        let values = wires.iter().map(|wire| ValueRef::parse(&mut Reader::new(wire)).expect("a value"));
        records.push((text(&record["handle"]), ValueSet::new(values).expect("a set of values")));
    }
    let many: Vec<ValueBuf> = (1..=2_100).map(|index| public(index, "T", b"value")).collect();
    let large = b"abcdefgh".repeat(12_000);
    for (handle, values) in [
        ("88.111.1/many2100", many.as_slice()),
        ("88.111.1/big200k", &[public(1, "BLOB", &large)]),
        ("88.111.1/secret", &[secret(1, "URL"), secret(2, "SECRET.KEY")]),
        ("88.111.1/partly", &[public(1, "URL", b"https://example.invalid"), secret(2, "URL"), secret(3, "EMAIL")]),
        ("88.111.1", &[secret(500, "NOTE")]),
    ] {
        if !records.iter().any(|(known, _)| known.ends_with(handle)) {
            records.push((handle.to_owned(), ValueSet::from_bufs(values).expect("a set of values")));
        }
    }
    (prefixes, records)
}

fn public(index: u32, kind: &str, data: &[u8]) -> ValueBuf {
    ValueBuf { timestamp: 1_700_000_000, ..ValueBuf::new(index, kind.as_bytes(), data) }
}

/// A value only administrators may read.
fn secret(index: u32, kind: &str) -> ValueBuf {
    ValueBuf { permissions: Permissions(0b1100), ..public(index, kind, SECRET) }
}

/// A throw-away key of the fixtures. DSA: with a sanitizer its signatures take a hundredth of the time RSA's take.
fn key(fixtures: &Value) -> NodeKey {
    let file = fixtures["keys"]["0.NA/88.111.1 index 303"]["handle_private_key_file_hex"].as_str();
    let file = hex::decode(file.expect("a key file")).expect("hexadecimal");
    NodeKey::open(&file, None).expect("a key that is not encrypted")
}

/// The settings of the reference: its site, as its own prefix record tells it.
fn settings(fixtures: &Value, key: &Arc<NodeKey>) -> Settings {
    let wires = fixtures["records"][0]["values_hex"].as_array().expect("a list");
    let wires: Vec<Vec<u8>> =
        wires.iter().map(|wire| hex::decode(wire.as_str().expect("a text")).expect("hexadecimal")).collect();
    let values = wires.iter().map(|wire| ValueRef::parse(&mut Reader::new(wire)).expect("a value"));
    let sites = values.filter(|value| value.kind == HS_SITE).map(|value| value.data.to_vec()).collect();
    let options = SiteSetOptions { sites, own_position: 0, ttl: Ttl::DAY, timestamp: 1_700_000_000 };
    Settings {
        sites: SiteSet::new(options).expect("a site"),
        administration: AdministrationDoors::default(),
        node_key: Some(Arc::clone(key)),
        recursion: None,
        answer_lifetime_seconds: 43_200,
    }
}
