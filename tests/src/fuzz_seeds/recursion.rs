//! Answers of other servers, and what a node keeps of them.

use std::sync::Arc;
use std::time::Duration;

use waymark_recursive_cache::cache::{Cache, CacheLimits};
use waymark_recursive_cache::knowledge::{Fact, Learned, Now, Record, Scope, Service, What};
use waymark_wire::ValueBuf;
use waymark_wire::types::{ServerBuf, SiteBuf};

use super::Seed;
use crate::fuzz_bodies::cache_dump::put_entry;
use crate::fuzz_bodies::plan::Step;

pub(super) fn seeds() -> Vec<Seed> {
    let scripts = scripts().into_iter().map(|(name, script)| ("plan", name.to_owned(), script));
    let dumps = dumps().into_iter().map(|(name, input)| ("cache_dump", name.to_owned(), input));
    scripts.chain(dumps).collect()
}

/// Numbers of the types of values in scripts.
const SITE: u8 = Step::SITE;
const SERV: u8 = 2;
const SITE_PREFIX: u8 = Step::SITE | 3;
const DELEGATE: u8 = Step::SITE | 5;
const URL: u8 = 6;

fn scripts() -> Vec<(&'static str, Vec<u8>)> {
    let begin = || Step::limits(16, 30);
    let ask = |flags| Step::question(flags, b"88.1/a");
    let says = |step, code, values: &[(u8, &[u8])]| Step::values(step, code, values);
    let found = |step| says(step, 1, &[(URL, b"https://example.invalid/"), (1, b"")]);
    let signed = Step::SIGNED;
    let bytes = |bytes: &[u8]| [&[Step::BYTES, 0, u8::try_from(bytes.len()).expect("a few")], bytes].concat();
    vec![
        (
            "walk",
            [begin(), ask(0), says(0, 1, &[(SITE, &[1])]), found(0), ask(0), Step::question(0, b"88.1/B")].concat(),
        ),
        (
            "walk_by_referral",
            [begin(), ask(0), says(0, 303, &[(SITE_PREFIX, &[1])]), says(0, 1, &[(SITE, &[2])]), found(0)].concat(),
        ),
        (
            "walk_by_delegate",
            [begin(), ask(0), says(0, 303, &[(DELEGATE, &[1])]), says(0, 1, &[(SITE, &[2])]), found(0)].concat(),
        ),
        (
            "walk_by_service_handle",
            [
                begin(),
                ask(0),
                says(0, 1, &[(SERV, b"5/s")]),
                says(0, 1, &[(SITE, &[1])]),
                says(0, 1, &[(SITE, &[2]), (SITE, &[3])]),
                found(0),
            ]
            .concat(),
        ),
        (
            "certified",
            [
                begin(),
                ask(Step::CERTIFIED),
                says(signed, 1, &[(SITE, &[1])]),
                found(signed),
                ask(Step::CERTIFIED),
                ask(0),
            ]
            .concat(),
        ),
        (
            "certified_and_not_signed",
            [begin(), ask(Step::CERTIFIED), says(signed, 1, &[(SITE, &[1])]), found(0)].concat(),
        ),
        ("identity", [begin(), ask(Step::IDENTITY), says(0, 1, &[(SITE, &[1])]), found(0)].concat()),
        ("authority", [begin(), ask(Step::AUTHORITY), says(0, 1, &[(SITE, &[1]), (SITE, &[2])]), found(0)].concat()),
        ("absent_prefix", [begin(), ask(0), Step::body(0, 100, b""), ask(0)].concat()),
        ("absent", [begin(), ask(0), says(0, 1, &[(SITE, &[1])]), Step::body(0, 100, b""), ask(0)].concat()),
        ("no_values", [begin(), ask(0), says(0, 1, &[(SITE, &[1])]), Step::body(0, 200, b"")].concat()),
        ("not_responsible", [begin(), ask(0), says(0, 1, &[(SITE, &[1])]), Step::body(0, 301, b""), found(0)].concat()),
        ("referral", [begin(), ask(0), says(0, 1, &[(SITE, &[1])]), says(0, 302, &[(SITE, &[2])]), found(0)].concat()),
        (
            "referral_unwelcome",
            [begin(), ask(Step::NO_REFERRAL), says(0, 1, &[(SITE, &[1])]), says(0, 302, &[(SITE, &[2])])].concat(),
        ),
        (
            "circle",
            [begin(), Step::question(0, b"5/s"), says(0, 1, &[(SERV, b"5/s")]), says(0, 1, &[(SERV, b"5/t")])].concat(),
        ),
        ("prefix_record", [begin(), Step::question(0, b"0.NA/88.1"), says(0, 1, &[(SITE, &[1])])].concat()),
        (
            "bytes_silence_and_time",
            [
                begin(),
                ask(0),
                bytes(b"\x02\x0b"),
                vec![Step::SILENCE | Step::CANDIDATE, 1],
                vec![Step::SILENCE | Step::LATE, 255],
                Step::body(Step::LATE, 1, &[0; 9]),
            ]
            .concat(),
        ),
    ]
}

/// When dumps are made: a hundred seconds before they are loaded.
const MADE_AT: u32 = 1_800_000_000 - 100;

fn site() -> Vec<u8> {
    let address = std::net::IpAddr::from([192, 0, 2, 1]);
    let server = ServerBuf { id: 1, address: address.into(), public_key: Vec::new(), interfaces: Vec::new() };
    let mut data = Vec::new();
    SiteBuf { servers: vec![server], ..SiteBuf::default() }.encode(&mut data);
    data
}

/// Each thing a node keeps, as it writes it.
fn kept() -> Vec<(&'static str, Learned)> {
    let mut wire = Vec::new();
    ValueBuf::new(1, b"URL", b"https://example.invalid/").encode_into(&mut wire);
    let fact = |fact| What::Fact { key: b"88.1/a"[..].into(), fact: Arc::new(fact) };
    let service = |scope| {
        let service = Arc::new(Service { sites: [site().into(), site().into()].into() });
        What::Service { prefix: b"88.1"[..].into(), scope, service }
    };
    let all = [
        ("values", fact(Fact::Values(Record { count: 1, wire: wire.into() }))),
        ("no_values", fact(Fact::NoValues)),
        ("absent", fact(Fact::Absent)),
        ("service", service(Scope::Handles)),
        ("derived_service", service(Scope::DerivedPrefixes)),
        ("absent_prefix", What::AbsentPrefix { prefix: b"88.2"[..].into() }),
    ];
    all.map(|(name, what)| (name, Learned { what, certified: name == "service", lifetime_seconds: Some(1_000) })).into()
}

fn dumps() -> Vec<(&'static str, Vec<u8>)> {
    let now = Now { elapsed: Duration::ZERO, unix_seconds: MADE_AT };
    let mut whole = vec![0];
    let mut script = [&[1][..], &(MADE_AT + 90).to_be_bytes()].concat();
    let mut dumps = Vec::new();
    for (name, learned) in kept() {
        let cache = Cache::new(CacheLimits { budget_bytes: 1 << 20, ..CacheLimits::default() });
        cache.learn(&learned, now);
        let mut file = Vec::new();
        cache.dump(&mut file, now).expect("memory takes everything");
        let entry = file.get(12..).unwrap_or_default();
        whole.extend_from_slice(if whole.len() == 1 { &file } else { entry });
        put_entry(&mut script, true, entry.get(..entry.len().saturating_sub(4)).unwrap_or_default());
        dumps.push((name, [&[0][..], &file].concat()));
    }
    let cut = whole.get(..whole.len() - 3).unwrap_or_default().to_vec();
    put_entry(&mut script, false, b"not sealed");
    dumps.extend([("everything", whole), ("cut", cut), ("script", script)]);
    dumps
}
