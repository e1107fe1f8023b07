//! What the tests of this crate share: the data a reference server held when its answers were recorded, loaded into a catalog on disk, and
//! the way to ask it.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "each test file uses its own part, and a test may fail by panicking"
)]

pub mod recording;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use waymark_catalog::{
    Actor, Catalog, Command, HomeName, Options, PutMode, Ruling, Submission, Timestamps, ValueSet, Warm,
};
use waymark_resolver::{
    Action, AdministrationDoors, Answerer, NodeKey, Now, Origin, OwnedQuestion, Question, Settings, SiteSet,
    SiteSetOptions, ThreadCounters, Transport,
};
use waymark_wire::limits::ResponseLimits;
use waymark_wire::message::Head;
use waymark_wire::request::RequestWriter;
use waymark_wire::response::{Response, ResponseBody};
use waymark_wire::types::HS_SITE;
use waymark_wire::{OpFlags, Permissions, Reader, Ttl, ValueBuf, ValueRef};

/// The time of every answer of these tests.
pub const NOW: Now = Now { unix_seconds: 1_800_000_000, uptime: std::time::Duration::from_secs(1_000) };

/// Commands of one submission while loading.
const SUBMISSION: usize = 1_000;

/// Of the 100,000 numbered records of the reference, those loaded from the front; the last one is a record of its own in the file.
const NUMBERED: usize = 1_000;

/// Where a file of the workspace's test data lies.
pub fn data_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name)
}

/// A JSON file of the workspace's test data.
pub fn read_json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(data_file(name)).unwrap()).unwrap()
}

/// A catalog on disk in a folder of its own, which is removed at the end.
pub struct Shelf {
    pub catalog: Catalog,
    pub folder: tempfile::TempDir,
}

impl Shelf {
    /// An empty catalog that takes every record the protocol can carry.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Self::open(folder.path(), Warm::BeforeOpen);
        Self { catalog, folder }
    }

    /// The same data opened anew, its records left on disk.
    pub fn reopened_cold(self) -> Self {
        self.catalog.shutdown().unwrap();
        drop(self.catalog);
        let catalog = Self::open(self.folder.path(), Warm::Off);
        Self { catalog, folder: self.folder }
    }

    fn open(folder: &Path, warm: Warm) -> Catalog {
        let mut options = Options::new(waymark_store::Options::new(folder.join("data")));
        options.store.segment_bytes = 1 << 20;
        options.limits.handle_bytes = 2_048;
        options.limits.long_handles = Ruling::Warn;
        options.limits.value_bytes = 261_120;
        options.limits.values = 65_536;
        options.warm = warm;
        waymark_catalog::open(&options).unwrap().catalog
    }

    /// Writes commands and waits; none may be refused.
    pub fn write(&self, commands: Vec<Command>) {
        let writer = self.catalog.writer();
        let mut commands = commands.into_iter().peekable();
        while commands.peek().is_some() {
            let part: Vec<Command> = commands.by_ref().take(SUBMISSION).collect();
            let ticket = writer.submit_when_room(Submission::new(&Actor::operator(), part)).unwrap();
            // A thread of its own, since tests of doors fill their shelf inside a runtime, where nobody may block.
            let results = std::thread::spawn(|| ticket.wait()).join().unwrap().unwrap();
            for result in results.iter() {
                result.as_ref().unwrap();
            }
        }
    }

    /// Writes one record.
    pub fn put(&self, handle: &str, values: &[ValueBuf]) {
        self.write(vec![put(handle, ValueSet::from_bufs(values).unwrap())]);
    }

    /// Makes a prefix, or with `0.NA/0.NA/` in front those derived from it, live here.
    pub fn home(&self, name: &str) {
        self.write(vec![Command::Home { name: HomeName::parse(name.as_bytes()).unwrap() }]);
    }

    /// Everything the reference held, except that of its numbered records only the first [`NUMBERED`] are made.
    pub fn of_the_reference() -> Self {
        let shelf = Self::empty();
        let fixtures = read_json("fixtures.json");
        // One of the records is of a prefix the reference held without serving it: written while `0.NA` lives here.
        shelf.home("0.NA");
        let mut commands: Vec<Command> = Vec::new();
        for name in fixtures["homed_prefixes"].as_array().unwrap() {
            commands.push(Command::Home { name: HomeName::parse(name.as_str().unwrap().as_bytes()).unwrap() });
        }
        for record in fixtures["records"].as_array().unwrap() {
            commands.push(put(record["handle"].as_str().unwrap(), values_of(record)));
        }
        commands.extend((0..NUMBERED).map(|number| put(&format!("88.111.1/item-{number:07}"), numbered(number))));
        let many: Vec<ValueBuf> =
            (0..2_100).map(|number| old_value(number + 1, "T", format!("v{number}").as_bytes())).collect();
        commands.push(put("88.111.1/many2100", ValueSet::from_bufs(&many).unwrap()));
        let big: Vec<u8> = (b'a'..=b'z').cycle().take(200_000).collect();
        commands.push(put("88.111.1/big200k", ValueSet::from_bufs(&[old_value(1, "BLOB", &big)]).unwrap()));
        commands.push(Command::Unhome { name: HomeName::parse(b"0.NA").unwrap() });
        shelf.write(commands);
        shelf
    }
}

/// A command that writes a record, timestamps kept.
fn put(handle: &str, values: ValueSet) -> Command {
    Command::Put { handle: handle.into(), values, timestamps: Timestamps::Keep, mode: PutMode::Replace }
}

/// The values of a record of the fixtures.
fn values_of(record: &Value) -> ValueSet {
    let wires: Vec<Vec<u8>> = record["values_hex"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| hex::decode(value.as_str().unwrap()).unwrap())
        .collect();
    ValueSet::new(wires.iter().map(|wire| ValueRef::parse(&mut Reader::new(wire)).unwrap())).unwrap()
}

/// The values of a numbered record of the reference.
fn numbered(number: usize) -> ValueSet {
    let mut administrator = vec![0x0f, 0xff, 0, 0, 0, 13];
    administrator.extend(b"0.NA/88.111.1\0\0\0\xc8");
    ValueSet::from_bufs(&[
        old_value(1, "URL", format!("https://id.example.org/item/{number}").as_bytes()),
        old_value(2, "EMAIL", b"ops@example.org"),
        old_value(100, "HS_ADMIN", &administrator),
    ])
    .unwrap()
}

/// A value as the reference's have it: of 2023, for a day, usual permissions.
pub fn old_value(index: u32, kind: &str, data: &[u8]) -> ValueBuf {
    ValueBuf { timestamp: 1_700_000_000, ..ValueBuf::new(index, kind.as_bytes(), data) }
}

/// As [`old_value`], with these permissions.
pub fn value_for(permissions: u8, index: u32, kind: &str, data: &[u8]) -> ValueBuf {
    ValueBuf { permissions: Permissions(permissions), ..old_value(index, kind, data) }
}

/// The HS_SITE data of the reference server, as its own prefix record tells it.
pub fn reference_site() -> Vec<u8> {
    let fixtures = read_json("fixtures.json");
    let record = &fixtures["records"][0];
    let values = values_of(record);
    let site = values.values().into_iter().find(|value| value.kind == HS_SITE).unwrap();
    site.data.to_vec()
}

/// HS_SITE data of one server at this address with this serial, protocol 2.11, TCP and UDP at 2641.
pub fn site_at(address: std::net::IpAddr, serial: u16, is_primary: bool) -> Vec<u8> {
    let mut data = vec![0, 1, 2, 11];
    data.extend(serial.to_be_bytes());
    data.extend([if is_primary { 0x80 } else { 0 }, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    data.extend(waymark_wire::types::Address::from(address).0);
    data.extend([0, 0, 0, 0, 0, 0, 0, 2, 3, 1, 0, 0, 0x0a, 0x51, 2, 0, 0, 0, 0x0a, 0x51]);
    data
}

/// Settings over these sites, with the key of the reference's administrator to sign with.
pub fn settings(sites: Vec<Vec<u8>>) -> Settings {
    let options = SiteSetOptions { sites, own_position: 0, ttl: Ttl::DAY, timestamp: 1_700_000_000 };
    Settings {
        sites: SiteSet::new(options).unwrap(),
        administration: AdministrationDoors::default(),
        node_key: Some(Arc::new(test_key())),
        recursion: None,
        answer_lifetime_seconds: 43_200,
    }
}

/// A throw-away RSA key of the fixtures.
pub fn test_key() -> NodeKey {
    let fixtures = read_json("fixtures.json");
    let file = fixtures["keys"]["0.NA/88.111.1 index 300"]["handle_private_key_file_hex"].as_str().unwrap();
    NodeKey::open(&hex::decode(file).unwrap(), None).unwrap()
}

/// Somebody who asks over this transport, from IPv4 loopback.
pub fn origin(transport: Transport) -> Origin {
    Origin { transport, peer: SocketAddr::from(([127, 0, 0, 1], 40_000)), local: None }
}

/// One answerer over a catalog.
pub fn answerer(catalog: &Catalog, settings: Settings) -> Answerer {
    Answerer::new(catalog, Arc::new(settings), Arc::new(ThreadCounters::new()))
}

/// What became of a request in the end.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    Answer { bytes: Vec<u8>, keep_open: bool },
    Dropped(waymark_resolver::DropReason),
}

impl Ending {
    /// The answer; there must be one.
    pub fn answer(self) -> Vec<u8> {
        match self {
            Self::Answer { bytes, .. } => bytes,
            Self::Dropped(reason) => panic!("dropped: {reason:?}"),
        }
    }
}

/// Asks as a door does: first with ordinary room, again with more, then slowly.
pub fn ask(answerer: &mut Answerer, origin: Origin, request: &[u8]) -> Ending {
    let mut room = vec![0; 4_096];
    loop {
        let mut questions = [Question::new(origin, request, &mut room)];
        answerer.answer_batch(NOW, &mut questions);
        match questions[0].action {
            Action::Reply { length, keep_open } => {
                room.truncate(length);
                return Ending::Answer { bytes: room, keep_open };
            }
            Action::Drop(reason) => return Ending::Dropped(reason),
            Action::NeedsRoom(needed) => {
                assert!(needed > room.len(), "asked for room that was there");
                room.resize(needed, 0);
            }
            Action::Continue(_) => return ask_slowly(answerer, origin, request),
            Action::Pending => panic!("left pending"),
        }
    }
}

/// Asks the slow path alone.
pub fn ask_slowly(answerer: &mut Answerer, origin: Origin, request: &[u8]) -> Ending {
    let mut room = Vec::new();
    match answerer.answer_slowly(NOW, &OwnedQuestion { origin, request: request.into() }, &mut room) {
        Action::Reply { length, keep_open } => {
            assert_eq!(length, room.len());
            Ending::Answer { bytes: room, keep_open }
        }
        Action::Drop(reason) => Ending::Dropped(reason),
        other => panic!("the slow path left {other:?}"),
    }
}

/// The request id of requests made by [`request`].
pub const REQUEST_ID: u32 = 0x0102_0304;

/// The writer of a request with these flags, current version, no session.
pub fn request(flags: OpFlags) -> RequestWriter<Vec<u8>> {
    RequestWriter::new(Vec::new(), Head::request(REQUEST_ID, flags, 0))
}

/// A resolution of all values the public may read.
pub fn resolution(handle: &str) -> Vec<u8> {
    request(OpFlags::USUAL).resolution(handle.as_bytes(), &[], &[], None)
}

/// A resolution of all values with these flags.
pub fn resolution_with(flags: OpFlags, handle: &str) -> Vec<u8> {
    request(flags).resolution(handle.as_bytes(), &[], &[], None)
}

/// What an answer says, without its frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// 1 to a resolution: handle, and index and type of each value.
    Values(String, Vec<(u32, String)>),
    /// 302 or 303, with index and type of each value.
    Referral(u32, Vec<(u32, String)>),
    /// 402.
    Challenge,
    /// Another code with its text.
    Code(u32, String),
    /// 1 to anything else.
    Success,
}

impl Said {
    pub fn code(code: u32) -> Self {
        Self::Code(code, String::new())
    }

    pub fn values(handle: &str, values: &[(u32, &str)]) -> Self {
        Self::Values(handle.into(), values.iter().map(|(index, kind)| (*index, (*kind).into())).collect())
    }

    pub fn referral(code: u32, values: &[(u32, &str)]) -> Self {
        Self::Referral(code, values.iter().map(|(index, kind)| (*index, (*kind).into())).collect())
    }
}

/// Reads an answer, which must be well formed.
pub fn said(answer: &[u8]) -> Said {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let list = |values: waymark_wire::Values<'_>| {
        values.into_iter().map(|value| (value.index, text(value.kind))).collect::<Vec<_>>()
    };
    let response = Response::parse(answer, ResponseLimits::WHOLE_MESSAGE).unwrap();
    match response.body {
        ResponseBody::Resolution { handle, values } => Said::Values(text(handle), list(values)),
        ResponseBody::Referral { handle, values } => {
            assert!(handle.is_empty(), "the values say whom to ask");
            Said::Referral(response.code.0, list(values.unwrap()))
        }
        ResponseBody::Challenge { .. } => Said::Challenge,
        ResponseBody::Error { message } => Said::Code(response.code.0, text(message)),
        _ => Said::Success,
    }
}

/// Asks over TCP and reads the answer.
pub fn hear(answerer: &mut Answerer, request: &[u8]) -> Said {
    said(&ask(answerer, origin(Transport::Tcp), request).answer())
}
