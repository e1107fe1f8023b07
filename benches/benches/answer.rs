//! `answer_batch`: nanoseconds an answer by kind of question, in batches as the UDP door makes them.
//!
//! `WAYMARK_BENCH_IDENTIFIERS` sets how many identifiers there are (default 100,000); names are spread over all of them, so that look-ups
//! miss the caches as they do in a node. Beside each kind stands a plain copy of as many bytes as its answers have.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench ends where something fails"
)]

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use waymark_benches::side_by_side::record;
use waymark_catalog::range::{FormRequest, MacKey, RangeCommand, RangeName};
use waymark_catalog::{Actor, Catalog, Command, HomeName, PutMode, Submission, Timestamps, ValueSet, Warm};
use waymark_resolver::{
    Action, AdministrationDoors, Answerer, Now, Origin, Question, Settings, SiteSet, SiteSetOptions, ThreadCounters,
    Transport,
};
use waymark_wire::{
    Head, OpFlags, Permissions, Ttl, ValueBuf,
    request::RequestWriter,
    types::{ServerBuf, SiteBuf},
};

/// Questions answered together, as the UDP door does by default.
const BATCH: usize = 64;
/// Room of one answer.
const ROOM: usize = 4_096;
/// Codes of each package.
const PACKAGE_CODES: u64 = 10_000_000_000;

fn identifiers() -> u64 {
    std::env::var("WAYMARK_BENCH_IDENTIFIERS").ok().and_then(|count| count.parse().ok()).unwrap_or(100_000)
}

fn name(number: u64) -> String {
    format!("{}/item-{number:07}", record::PREFIX)
}

fn catalog(folder: &std::path::Path) -> Catalog {
    let mut options = waymark_catalog::Options::new(waymark_store::Options::new(folder));
    options.warm = Warm::BeforeOpen;
    options.expected_entries = identifiers();
    let catalog = waymark_catalog::open(&options).unwrap().catalog;
    let writer = catalog.writer();
    let home = HomeName::parse(record::PREFIX.as_bytes()).unwrap();
    writer.submit(Submission::new(&Actor::operator(), vec![Command::Home { name: home }])).unwrap().wait().unwrap();
    let url = ValueBuf::new(1, b"URL", &[b'u'; 59]);
    let mail = ValueBuf::new(2, b"EMAIL", b"ops@example.org");
    let mut secret = ValueBuf::new(3, b"ownerCode", b"C088120");
    secret.permissions = Permissions::ADMIN_READ;
    let values = ValueSet::from_bufs(&[url, mail, secret]).unwrap();
    let mut number = 0;
    while number < identifiers() {
        let commands = (number..(number + 1_000).min(identifiers())).map(|number| Command::Put {
            handle: name(number).into_bytes(),
            values: values.clone(),
            timestamps: Timestamps::Now,
            mode: PutMode::Create,
        });
        let results = writer.submit_when_room(Submission::new(&Actor::import(), commands)).unwrap().wait().unwrap();
        assert!(results.iter().all(Result::is_ok));
        number += 1_000;
    }
    for (stem, form) in [("PLAIN", FormRequest::Plain), ("MAC", FormRequest::Mac { chars: 6 })] {
        let package = RangeCommand::Allocate {
            prefix: record::PREFIX.into(),
            stem: stem.into(),
            width: 10,
            form,
            key: MacKey::new([7; 32]),
            first: None,
            count: PACKAGE_CODES,
            values: values.clone(),
            note: String::new(),
        };
        let results = writer.submit(Submission::new(&Actor::operator(), [Command::from(package)])).unwrap().wait();
        assert!(results.unwrap().iter().all(Result::is_ok));
    }
    catalog
}

/// A code of one of the two packages.
fn code(catalog: &Catalog, package: u32, serial: u64) -> String {
    let mut code = Vec::new();
    let name = RangeName::new(record::PREFIX.as_bytes(), package).unwrap();
    catalog.ranges().get(&name).unwrap().coder.write(serial, &mut code);
    String::from_utf8(code).unwrap()
}

fn settings() -> Arc<Settings> {
    let address: std::net::IpAddr = [127, 0, 0, 1].into();
    let server = ServerBuf { id: 1, address: address.into(), public_key: Vec::new(), interfaces: Vec::new() };
    let mut data = Vec::new();
    SiteBuf { servers: vec![server], ..SiteBuf::default() }.encode(&mut data);
    let sites = SiteSetOptions { sites: vec![data], own_position: 0, ttl: Ttl::Relative(86_400), timestamp: 0 };
    Arc::new(Settings {
        sites: SiteSet::new(sites).unwrap(),
        administration: AdministrationDoors::default(),
        node_key: None,
        recursion: None,
        answer_lifetime_seconds: 43_200,
    })
}

/// Questions of one kind for names spread over all identifiers.
fn questions(catalog: &Catalog, kind: &str) -> Vec<Vec<u8>> {
    let spread = (0..16_384_u64).map(|at| at.wrapping_mul(2_654_435_761) % identifiers());
    let ask = |handle: &str, indexes: &[u32], flags| {
        RequestWriter::new(Vec::new(), Head::request(1, flags, 0)).resolution(handle.as_bytes(), indexes, &[], None)
    };
    spread
        .map(|number| match kind {
            "hit" => ask(&name(number), &[], OpFlags::USUAL),
            "hit, one index" => ask(&name(number), &[1], OpFlags::USUAL),
            "hit, with digest" => ask(&name(number), &[], OpFlags::USUAL.with(OpFlags::RRDG)),
            "code of a package" => ask(&code(catalog, 1, number * 97_003 % PACKAGE_CODES), &[], OpFlags::USUAL),
            "code nobody can guess" => ask(&code(catalog, 2, number * 97_003 % PACKAGE_CODES), &[], OpFlags::USUAL),
            "absent" => ask(&format!("{}.x", name(number)), &[], OpFlags::USUAL),
            "foreign" => ask(&format!("10.1/{number}"), &[], OpFlags::USUAL),
            _ => ask(&name(number), &[3], OpFlags::USUAL.without(OpFlags::PUBL)),
        })
        .collect()
}

fn answer(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(folder.path());
    let mut answerer = Answerer::new(&catalog, settings(), Arc::new(ThreadCounters::new()));
    let origin = Origin { transport: Transport::Udp, peer: "127.0.0.1:1".parse().unwrap(), local: None };
    let now = Now { unix_seconds: 1_800_000_000, uptime: std::time::Duration::from_secs(1_000) };
    for kind in [
        "hit",
        "code of a package",
        "code nobody can guess",
        "hit, one index",
        "hit, with digest",
        "absent",
        "foreign",
        "restricted",
    ] {
        let requests = questions(&catalog, kind);
        let mut rooms = vec![0_u8; BATCH * ROOM];
        let mut bytes = 0;
        let mut run = |batch: &[Vec<u8>], bytes: &mut usize| {
            let mut questions: Vec<Question<'_>> = batch
                .iter()
                .zip(rooms.chunks_mut(ROOM))
                .map(|(request, room)| Question::new(origin, request, room))
                .collect();
            answerer.answer_batch(now, &mut questions);
            *bytes = 0;
            for question in &questions {
                let Action::Reply { length, .. } = question.action else { panic!("{kind}: {:?}", question.action) };
                *bytes += length;
            }
        };
        run(requests.get(..BATCH).unwrap(), &mut bytes);
        let (from, mut to) = (vec![1_u8; bytes], vec![0_u8; bytes]);
        let mut batches = requests.chunks_exact(BATCH).cycle();
        let mut group = criterion.benchmark_group(format!("{kind} ({} bytes)", bytes / BATCH));
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function("answer_batch of 64", |bencher| {
            bencher.iter(|| run(black_box(batches.next().unwrap()), &mut bytes));
        });
        group.bench_function("copy of 64", |bencher| {
            bencher.iter(|| black_box(&mut to).copy_from_slice(black_box(&from)));
        });
        group.finish();
    }
}

criterion_group!(benches, answer);
criterion_main!(benches);
