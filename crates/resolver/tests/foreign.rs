//! Names that live elsewhere, as the fast path answers them from what is known: times to live counted down, filters applied, no authority claimed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use support::{NOW, Shelf, answerer, old_value, origin, request, resolution, resolution_with, said, settings, site_at};
use waymark_recursive_cache::cache::{Cache, CacheLimits};
use waymark_recursive_cache::knowledge::{Fact, Learned, Record, What};
use waymark_recursive_cache::recursor::{Options, Recursor, Resolved, RootAddress, roots_from_addresses};
use waymark_resolver::policy::SourceLists;
use waymark_resolver::recursion::Recursion;
use waymark_resolver::{Action, Answerer, Now, Origin, OwnedQuestion, Question, SlowReason, Transport};
use waymark_wire::dialect::Age;
use waymark_wire::limits::ResponseLimits;
use waymark_wire::response::{Response, ResponseBody};
use waymark_wire::{OpFlags, Ttl, ValueBuf};

/// An answerer that resolves for loopback, and its cache.
fn recursive() -> (Shelf, Answerer, Arc<Cache>) {
    let shelf = Shelf::empty();
    shelf.home("88.1");
    let root = RootAddress { address: "192.0.2.1:2641".parse().unwrap() };
    let roots = Arc::new(roots_from_addresses(&[root]).unwrap());
    let cache = Arc::new(Cache::new(CacheLimits::default()));
    let recursor = Recursor::new(Options::new(roots), Arc::clone(&cache), None);
    let sources = SourceLists::new(&["127.0.0.0/8".parse().unwrap()], &[]);
    let mut settings = settings(vec![site_at([192, 0, 2, 9].into(), 7, true)]);
    settings.recursion = Some(Arc::new(Recursion { recursor, sources }));
    let answerer = answerer(&shelf.catalog, settings);
    (shelf, answerer, cache)
}

fn learn(cache: &Cache, key: &str, fact: Fact, lifetime_seconds: u32) {
    let what = What::Fact { key: key.as_bytes().into(), fact: Arc::new(fact) };
    cache.learn(&Learned { what, certified: false, lifetime_seconds: Some(lifetime_seconds) }, NOW.into());
}

fn values(values: &[ValueBuf]) -> Fact {
    let mut wire = Vec::new();
    values.iter().for_each(|value| value.encode_into(&mut wire));
    Fact::Values(Record { count: u32::try_from(values.len()).unwrap(), wire: wire.into() })
}

/// Two values with times to live of their own.
fn two() -> Fact {
    values(&[
        ValueBuf { ttl: Ttl::Relative(1_000), ..ValueBuf::new(1, b"URL", b"https://example.invalid/") },
        ValueBuf { ttl: Ttl::Absolute(2_000_000_000), ..ValueBuf::new(2, b"DESC", b"far") },
    ])
}

fn after(seconds: u64) -> Now {
    let later = u32::try_from(seconds).unwrap();
    Now { unix_seconds: NOW.unix_seconds + later, uptime: NOW.uptime + Duration::from_secs(seconds) }
}

fn ask_at(answerer: &mut Answerer, origin: Origin, request: &[u8], now: Now) -> Result<Vec<u8>, Action> {
    let mut room = vec![0; 4_096];
    let mut questions = [Question::new(origin, request, &mut room)];
    answerer.answer_batch(now, &mut questions);
    match questions[0].action {
        Action::Reply { length, .. } => Ok(room[..length].to_vec()),
        other => Err(other),
    }
}

fn local() -> Origin {
    origin(Transport::Udp)
}

const FOREIGN: Action = Action::Continue(SlowReason::Foreign);

#[test]
fn what_is_known_is_given_with_the_time_it_has_left_and_no_claim_to_authority() {
    let (_shelf, mut answerer, cache) = recursive();
    learn(&cache, "77.5/thing", two(), 1_000);
    let answer = ask_at(&mut answerer, local(), &resolution("77.5/thing"), after(400)).unwrap();
    let response = Response::parse(&answer, ResponseLimits::WHOLE_MESSAGE).unwrap();
    let ResponseBody::Resolution { handle, values } = response.body else { panic!("{response:?}") };
    let ttls: Vec<Ttl> = values.iter().map(|value| value.ttl).collect();
    assert_eq!((handle, ttls), (&b"77.5/thing"[..], vec![Ttl::Relative(600), Ttl::Absolute(2_000_000_000)]));
    let header = response.message.header;
    assert!(!header.flags.has(OpFlags::AUTH) && !header.flags.has(OpFlags::AGED));
    assert_eq!(header.site_serial, 0, "no site of ours");
    // Its time is over: somebody has to ask.
    assert_eq!(ask_at(&mut answerer, local(), &resolution("77.5/thing"), after(1_000)), Err(FOREIGN));
    assert_eq!(ask_at(&mut answerer, local(), &resolution("77.5/other"), NOW), Err(FOREIGN));
}

#[test]
fn whoever_can_read_ages_is_told_them() {
    let (_shelf, mut answerer, cache) = recursive();
    learn(&cache, "77.5/thing", two(), 1_000);
    let aged = resolution_with(OpFlags::USUAL.with(OpFlags::AGED), "77.5/thing");
    let answer = ask_at(&mut answerer, local(), &aged, after(7)).unwrap();
    let response = Response::parse(&answer, ResponseLimits::WHOLE_MESSAGE).unwrap();
    assert_eq!(Age::of_response(&response.message), Some(Age { seconds: 7, is_stale: false }));
}

#[test]
fn one_entry_answers_whatever_is_asked_of_the_record() {
    let (_shelf, mut answerer, cache) = recursive();
    learn(&cache, "77.5/thing", two(), 1_000);
    learn(&cache, "77.5/none", Fact::Absent, 0);
    learn(&cache, "77.5/secret", Fact::NoValues, 0);
    cache.learn(
        &Learned { what: What::AbsentPrefix { prefix: b"77.6"[..].into() }, certified: false, lifetime_seconds: None },
        NOW.into(),
    );
    let mut say = |request: &[u8]| said(&ask_at(&mut answerer, local(), request, NOW).unwrap());
    let by = |indexes: &[u32], types: &[&[u8]]| request(OpFlags::USUAL).resolution(b"77.5/thing", indexes, types, None);
    assert_eq!(say(&by(&[2], &[])), support::Said::values("77.5/thing", &[(2, "DESC")]));
    assert_eq!(say(&by(&[], &[b"url"])), support::Said::values("77.5/thing", &[(1, "URL")]));
    assert_eq!(say(&by(&[9], &[b"EMAIL"])), support::Said::code(200));
    assert_eq!(say(&resolution("77.5/none")), support::Said::code(100));
    assert_eq!(say(&resolution("77.5/secret")), support::Said::code(200));
    assert_eq!(say(&resolution("77.6/anything")), support::Said::code(100));
    // The prefix in another case is the same name; the suffix is not ours to fold.
    learn(&cache, "ABC/x", two(), 1_000);
    assert!(matches!(say(&resolution("abc/x")), support::Said::Values(..)));
}

#[test]
fn the_authority_is_asked_when_its_own_word_is_wanted() {
    let (_shelf, mut answerer, cache) = recursive();
    learn(&cache, "77.5/thing", two(), 1_000);
    for flags in [OpFlags::AUTH, OpFlags::IDENTITY_TOKEN] {
        let request = resolution_with(OpFlags::USUAL.with(flags), "77.5/thing");
        assert_eq!(ask_at(&mut answerer, local(), &request, NOW), Err(FOREIGN), "{flags:?}");
    }
    let certified = resolution_with(OpFlags::USUAL.with(OpFlags::CERT), "77.5/thing");
    assert_eq!(ask_at(&mut answerer, local(), &certified, NOW), Err(Action::Continue(SlowReason::Sign)));
    // The slow pool finds that it is none of ours, and hands it on.
    let question = OwnedQuestion { origin: local(), request: certified.into() };
    assert_eq!(answerer.answer_slowly(NOW, &question, &mut Vec::new()), FOREIGN);
}

#[test]
fn nobody_else_is_told_and_our_own_names_are_never_looked_for_elsewhere() {
    let (shelf, mut answerer, cache) = recursive();
    learn(&cache, "77.5/thing", two(), 1_000);
    let stranger = Origin { peer: SocketAddr::from(([203, 0, 113, 5], 40_000)), ..local() };
    let mut code = |origin, request: &[u8]| match said(&ask_at(&mut answerer, origin, request, NOW).unwrap()) {
        support::Said::Code(code, _) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(stranger, &resolution("77.5/thing")), 301);
    let without = resolution_with(OpFlags::PUBL, "77.5/thing");
    assert_eq!(code(local(), &without), 301, "recursion was not asked for");
    shelf.put("88.1/own", &[old_value(1, "URL", b"here")]);
    learn(&cache, "88.1/own", two(), 1_000);
    learn(&cache, "88.1/none", two(), 1_000);
    assert_eq!(code(local(), &resolution("88.1/none")), 100);
    let own = said(&ask_at(&mut answerer, local(), &resolution("88.1/own"), NOW).unwrap());
    assert_eq!(own, support::Said::values("88.1/own", &[(1, "URL")]));
}

#[test]
fn what_a_resolution_came_to_is_said_as_it_is() {
    let (_shelf, mut answerer, cache) = recursive();
    learn(&cache, "77.5/thing", two(), 10);
    let aged = resolution_with(OpFlags::USUAL.with(OpFlags::AGED), "77.5/thing");
    let question = OwnedQuestion { origin: local(), request: aged.into() };
    let mut answer = |resolved: &Resolved, now: Now| {
        let mut room = Vec::new();
        let action = answerer.answer_resolved(now, &question, resolved, &mut room);
        assert!(matches!(action, Action::Reply { .. }));
        room
    };
    let entry = cache.entries().remove(0);
    let stale = answer(&Resolved::Stale(entry), after(5_400));
    let response = Response::parse(&stale, ResponseLimits::WHOLE_MESSAGE).unwrap();
    assert_eq!(Age::of_response(&response.message), Some(Age { seconds: 5_400, is_stale: true }));
    let ResponseBody::Resolution { values, .. } = response.body else { panic!("{response:?}") };
    assert_eq!(values.iter().next().unwrap().ttl, Ttl::Relative(30));
    let fresh = answer(&Resolved::Fact(Arc::new(two())), NOW);
    assert!(matches!(said(&fresh), support::Said::Values(..)));
    for (resolved, code, begins) in [
        (Resolved::AbsentPrefix, 100, ""),
        (Resolved::Fact(Arc::new(Fact::Absent)), 100, ""),
        (Resolved::TooDeep, 6, "The question"),
        (Resolved::Busy, 3, "UPSTREAM_BUSY "),
        (Resolved::UpstreamDown(waymark_recursive_cache::plan::Why::NoAnswer), 2, "UPSTREAM_DOWN "),
        (Resolved::Passed(Arc::from(&b"no message"[..])), 2, "UPSTREAM_DOWN "),
    ] {
        let support::Said::Code(said_code, text) = said(&answer(&resolved, NOW)) else { panic!("{resolved:?}") };
        assert_eq!(said_code, code, "{resolved:?}");
        assert!(text.starts_with(begins), "{text}");
    }
}
