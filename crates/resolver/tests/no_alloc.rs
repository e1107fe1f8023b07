//! The promise of `answer_batch`: it allocates nothing, whatever is asked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]
#![expect(unsafe_code, reason = "counting allocations takes an allocator, which cannot be written without")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use support::{NOW, Shelf, answerer, old_value, origin, request, resolution, resolution_with, settings, value_for};
use waymark_catalog::Command;
use waymark_catalog::range::{CodeState, FormRequest, MacKey, RangeCommand, RangeName, Span};
use waymark_recursive_cache::cache::{Cache, CacheLimits};
use waymark_recursive_cache::knowledge::{Fact, Learned, Record, What};
use waymark_recursive_cache::recursor::{Options, Recursor, roots_from_site};
use waymark_resolver::policy::SourceLists;
use waymark_resolver::recursion::Recursion;
use waymark_resolver::{Action, Answerer, DropReason, Question, SlowReason, Transport};
use waymark_wire::{Message, OpFlags, Version};

thread_local! {
    /// Allocations and reallocations of this thread; `const`, so that counting allocates nothing itself.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is handed on to the system's allocator as it came; counting touches nothing but a thread-local number.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System`, as all memory of this allocator does.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as for `dealloc` and `alloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn count() {
    // A thread that is ending has no number left to count with.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a request must lead to, so that each way through the code is known to be taken.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Expect {
    Code(u32),
    Drop(DropReason),
    Slow(SlowReason),
    Room,
}

fn of_version(version: Version, flags: OpFlags, handle: &str) -> Vec<u8> {
    let mut head = waymark_wire::message::Head::request(7, flags, 0);
    head.envelope.version = version;
    head.envelope.suggested = version;
    waymark_wire::request::RequestWriter::new(Vec::new(), head).resolution(handle.as_bytes(), &[], &[], None)
}

/// A message of this operation and body.
fn of_operation(operation: u32) -> Vec<u8> {
    let mut bytes = request(OpFlags::USUAL).site_info();
    bytes[20..24].copy_from_slice(&operation.to_be_bytes());
    bytes
}

/// A request for every way through the code.
fn requests() -> Vec<(&'static str, Vec<u8>, Expect)> {
    let digest = OpFlags::USUAL.with(OpFlags::RRDG);
    let cut = |length: usize| resolution("88.1/a")[..length].to_vec();
    let mut response = resolution("88.1/a");
    response[27] = 1;
    let mut with_session = resolution("88.1/a");
    with_session[7] = 9;
    let mut encrypted = resolution("88.1/a");
    encrypted[2] |= 0x40;
    let long_list: Vec<u32> = (0..40_000).collect();
    vec![
        ("hit", resolution("88.1/a"), Expect::Code(1)),
        ("hit in another case", resolution("88.1/A"), Expect::Code(1)),
        ("index filter", request(OpFlags::USUAL).resolution(b"88.1/a", &[2], &[], None), Expect::Code(1)),
        ("type filter", request(OpFlags::USUAL).resolution(b"88.1/a", &[], &[b"URL."], None), Expect::Code(1)),
        ("dialect", request(OpFlags::USUAL).resolution(b"88.1/a", &[], &[], Some(b"")), Expect::Code(1)),
        ("public values only", resolution("88.1/restricted"), Expect::Code(1)),
        ("public values here and there", resolution("88.1/gaps"), Expect::Code(1)),
        ("challenge", resolution_with(OpFlags::RECU, "88.1/restricted"), Expect::Code(402)),
        ("old challenge", of_version(Version::new(2, 0), OpFlags::RECU, "88.1/restricted"), Expect::Code(402)),
        ("readable by nobody", resolution_with(OpFlags::RECU, "88.1/nobody"), Expect::Code(401)),
        ("no value matches", request(OpFlags::USUAL).resolution(b"88.1/a", &[9], &[], None), Expect::Code(200)),
        ("miss", resolution("88.1/none"), Expect::Code(100)),
        ("suspended", resolution("88.1/suspended"), Expect::Code(100)),
        ("revoked", resolution("88.1/revoked"), Expect::Code(100)),
        ("code of a package", resolution("88.1/P00004711"), Expect::Code(1)),
        ("code in small letters", resolution("88.1/p00004711"), Expect::Code(1)),
        ("code, by index", request(OpFlags::USUAL).resolution(b"88.1/P00004711", &[2], &[], None), Expect::Code(1)),
        ("code with a value for administrators", resolution_with(OpFlags::RECU, "88.1/P00004711"), Expect::Code(402)),
        ("code behind the last", resolution("88.1/P90004711"), Expect::Code(100)),
        ("code with a wrong check character", resolution("88.1/C00004711*"), Expect::Code(100)),
        ("forged code", resolution("88.1/S00004711000000"), Expect::Code(100)),
        ("withdrawn code", resolution("88.1/P00000001"), Expect::Code(100)),
        ("digest SHA-256", resolution_with(digest, "88.1/a"), Expect::Code(1)),
        ("digest SHA-1", of_version(Version::new(2, 3), digest, "88.1/a"), Expect::Code(1)),
        ("digest of a miss", resolution_with(digest, "88.1/none"), Expect::Code(100)),
        ("site", request(OpFlags::USUAL).site_info(), Expect::Code(1)),
        ("site with digest", request(digest).site_info(), Expect::Code(1)),
        ("sites in a stored record", resolution("0.NA/88.1"), Expect::Code(1)),
        ("sites without a record", resolution("88.2"), Expect::Code(1)),
        ("status", resolution("0.SITE/status"), Expect::Code(200)),
        ("prefix referral", resolution("0.NA/88.9.1"), Expect::Code(303)),
        ("prefix referral unwelcome", resolution_with(OpFlags::DNRF, "0.NA/88.9.1"), Expect::Code(100)),
        ("prefix referral, old client", of_version(Version::new(2, 9), digest, "0.NA/88.9.1"), Expect::Code(2)),
        ("delegated", resolution("88.7/x"), Expect::Code(302)),
        ("foreign", resolution("10.1000/1"), Expect::Code(301)),
        ("empty name", resolution(""), Expect::Code(301)),
        ("not UTF-8", request(OpFlags::USUAL).resolution(b"88.1/\xff\xfe", &[], &[], None), Expect::Code(100)),
        ("handle too long", resolution(&"a".repeat(3_000)), Expect::Code(102)),
        ("operation 0", of_operation(0), Expect::Code(4)),
        ("unknown operation", of_operation(77), Expect::Code(5)),
        ("administration", of_operation(105), Expect::Code(4)),
        ("session setup", of_operation(400), Expect::Code(5)),
        ("session end", of_operation(401), Expect::Code(500)),
        ("answer to no challenge", of_operation(200), Expect::Code(405)),
        ("unknown session", with_session, Expect::Code(500)),
        ("encrypted", encrypted, Expect::Code(501)),
        ("cut in the header", cut(40), Expect::Code(4)),
        ("cut in the body", cut(50), Expect::Code(4)),
        ("shorter than an envelope", cut(19), Expect::Drop(DropReason::TooShort)),
        ("a response", response, Expect::Drop(DropReason::Response)),
        ("certified", resolution_with(OpFlags::CERT, "88.1/a"), Expect::Slow(SlowReason::Sign)),
        (
            "long filter",
            request(OpFlags::USUAL).resolution(b"88.1/a", &long_list, &[], None),
            Expect::Slow(SlowReason::LongFilter),
        ),
        ("large", resolution("88.1/large"), Expect::Room),
    ]
}

fn shelf() -> Shelf {
    let shelf = Shelf::empty();
    for name in ["88.1", "88.2", "0.NA/0.NA/88"] {
        shelf.home(name);
    }
    shelf.put(
        "88.1/a",
        &[old_value(1, "URL", b"https://example.org/a"), old_value(2, "URL.ALT", b"https://example.org/b")],
    );
    shelf.put("88.1/restricted", &[old_value(1, "URL", b"x"), value_for(0x0c, 2, "HS_SECKEY", b"secret")]);
    shelf.put("88.1/nobody", &[old_value(1, "URL", b"x"), value_for(0x04, 2, "HIDDEN", b"x")]);
    let gaps: Vec<_> =
        (1..20).map(|index| value_for(if index % 2 == 0 { 0x0c } else { 0x0e }, index, "T", b"x")).collect();
    shelf.put("88.1/gaps", &gaps);
    shelf.put("88.1/large", &[old_value(1, "BLOB", &[7; 10_000])]);
    for handle in ["88.1/suspended", "88.1/revoked"] {
        shelf.put(handle, &[old_value(1, "URL", b"x")]);
    }
    let reason = || "recall".to_owned();
    shelf.write(vec![
        Command::Suspend { handle: b"88.1/suspended".to_vec(), reason: reason() },
        Command::Revoke { handle: b"88.1/revoked".to_vec(), reason: reason() },
    ]);
    for (stem, form) in [("P", FormRequest::Plain), ("C", FormRequest::Mod37), ("S", FormRequest::Mac { chars: 6 })] {
        let values = [
            old_value(1, "URL", b"https://example.org/{code}"),
            old_value(2, "N", b"{serial}"),
            value_for(0x0c, 3, "OWNER", b"{handle}"),
        ];
        shelf.write(vec![package(stem, form, &values)]);
    }
    let state = CodeState::Withdrawn;
    let (range, span) = (RangeName::new(b"88.1", 1).unwrap(), Span::new(0, 9).unwrap());
    shelf.write(vec![RangeCommand::Mark { range, span, state, reason: reason() }.into()]);
    shelf.put("0.NA/88.1", &[old_value(2, "DESC", b"ours")]);
    shelf.put("0.NA/88.9", &[old_value(1, "HS_SITE.PREFIX", b"elsewhere")]);
    shelf.put("0.NA/88.7", &[old_value(1, "HS_SITE", b"elsewhere")]);
    shelf
}

fn package(stem: &str, form: FormRequest, values: &[waymark_wire::ValueBuf]) -> Command {
    let allocate = RangeCommand::Allocate {
        prefix: b"88.1".to_vec(),
        stem: stem.into(),
        width: 8,
        form,
        key: MacKey::new([3; 32]),
        first: None,
        count: 10_000_000,
        values: waymark_catalog::ValueSet::from_bufs(values).unwrap(),
        note: String::new(),
    };
    allocate.into()
}

#[test]
fn answering_allocates_nothing_whatever_is_asked() {
    let shelf = shelf();
    let sites = vec![support::site_at([192, 0, 2, 1].into(), 1, true)];
    ask_all(&mut answerer(&shelf.catalog, settings(sites)), &requests());
}

/// The names of others that are known, in every way there is.
fn known() -> Arc<Cache> {
    let cache = Arc::new(Cache::new(CacheLimits { popular_hits: 1, ..CacheLimits::default() }));
    let record = |values: &[waymark_wire::ValueBuf]| {
        let mut wire = Vec::new();
        values.iter().for_each(|value| value.encode_into(&mut wire));
        Fact::Values(Record { count: u32::try_from(values.len()).unwrap(), wire: wire.into() })
    };
    let values = [old_value(1, "URL", b"https://example.org/a"), old_value(2, "EMAIL", b"b@example.org")];
    let many: Vec<_> = (1..40).map(|index| old_value(index, "T", b"x")).collect();
    let facts = [
        ("10.1/A", record(&values)),
        ("10.1/MANY", record(&many)),
        ("10.1/LARGE", record(&[old_value(1, "BLOB", &[7; 10_000])])),
        ("10.1/NONE", Fact::Absent),
        ("10.1/HIDDEN", Fact::NoValues),
        ("0.NA/10.1", record(&values)),
        // Near their end, so that a hit puts them in line to be fetched anew.
        ("10.1/ENDING", record(&values)),
    ];
    let learn = |what, lifetime_seconds| {
        cache.learn(&Learned { what, certified: false, lifetime_seconds }, NOW.into());
    };
    for (key, fact) in facts {
        let seconds = if key == "10.1/ENDING" { 1 } else { 86_400 };
        learn(What::Fact { key: key.as_bytes().into(), fact: Arc::new(fact) }, Some(seconds));
    }
    learn(What::AbsentPrefix { prefix: b"10.2"[..].into() }, None);
    cache
}

/// A request for every way a name of others is answered or left to those who may wait.
fn requests_for_others() -> Vec<(&'static str, Vec<u8>, Expect)> {
    let digest = OpFlags::USUAL.with(OpFlags::RRDG);
    let aged = OpFlags::USUAL.with(OpFlags::AGED);
    let long_list: Vec<u32> = (0..40_000).collect();
    let slow = Expect::Slow(SlowReason::Foreign);
    vec![
        ("values", resolution("10.1/A"), Expect::Code(1)),
        ("many values", resolution("10.1/MANY"), Expect::Code(1)),
        ("index filter", request(OpFlags::USUAL).resolution(b"10.1/A", &[2], &[], None), Expect::Code(1)),
        ("type filter", request(OpFlags::USUAL).resolution(b"10.1/A", &[], &[b"URL"], None), Expect::Code(1)),
        ("no value matches", request(OpFlags::USUAL).resolution(b"10.1/A", &[9], &[], None), Expect::Code(200)),
        ("age", resolution_with(aged, "10.1/A"), Expect::Code(1)),
        ("digest", resolution_with(digest, "10.1/A"), Expect::Code(1)),
        ("prefix record", resolution("0.NA/10.1"), Expect::Code(1)),
        ("prefix record by its prefix", resolution("10.1"), Expect::Code(1)),
        ("near its end", resolution("10.1/ENDING"), Expect::Code(1)),
        ("near its end, once more", resolution("10.1/ENDING"), Expect::Code(1)),
        ("shows nothing", resolution("10.1/HIDDEN"), Expect::Code(200)),
        ("absent", resolution("10.1/NONE"), Expect::Code(100)),
        ("absent, with digest", resolution_with(digest, "10.1/NONE"), Expect::Code(100)),
        ("absent prefix", resolution("10.2/ANY"), Expect::Code(100)),
        ("record of an absent prefix", resolution("0.NA/10.2"), Expect::Code(100)),
        ("large", resolution("10.1/LARGE"), Expect::Room),
        ("unknown", resolution("10.3/A"), slow),
        ("suffix in another case", resolution("10.1/a"), slow),
        ("authority", resolution_with(OpFlags::USUAL.with(OpFlags::AUTH), "10.1/A"), slow),
        ("long filter", request(OpFlags::USUAL).resolution(b"10.1/A", &long_list, &[], None), slow),
        ("of our own", resolution("88.1/a"), Expect::Code(1)),
    ]
}

#[test]
fn answering_from_what_is_known_of_others_allocates_nothing() {
    let shelf = shelf();
    let site = support::site_at([192, 0, 2, 1].into(), 1, true);
    let roots = Arc::new(roots_from_site(&support::site_at([192, 0, 2, 2].into(), 1, true)).unwrap());
    let recursor = Recursor::new(Options::new(roots), known(), None);
    let sources = SourceLists::new(&["127.0.0.0/8".parse().unwrap()], &[]);
    let recursion = Recursion { recursor: Arc::clone(&recursor), sources };
    let settings = waymark_resolver::Settings { recursion: Some(Arc::new(recursion)), ..settings(vec![site]) };
    ask_all(&mut answerer(&shelf.catalog, settings), &requests_for_others());
    assert_eq!(recursor.cache().next_to_refresh().unwrap().key(), b"10.1/ENDING", "that way was taken too");
}

/// Asks each by itself, then all together.
fn ask_all(answerer: &mut Answerer, requests: &[(&str, Vec<u8>, Expect)]) {
    let mut rooms = vec![vec![0; 4_096]; requests.len()];
    let mut check = |label: &str, questions: &mut [Question<'_>]| {
        let before = ALLOCATIONS.get();
        answerer.answer_batch(NOW, questions);
        assert_eq!(ALLOCATIONS.get() - before, 0, "{label} allocates");
    };
    for ((label, bytes, expect), room) in requests.iter().zip(&mut rooms) {
        let mut questions = [Question::new(origin(Transport::Udp), bytes, room)];
        check(label, &mut questions);
        let action = questions[0].action;
        assert_eq!(ending(action, room), *expect, "{label}");
    }
    let mut together: Vec<Question<'_>> = requests
        .iter()
        .zip(&mut rooms)
        .map(|((_, bytes, _), room)| Question::new(origin(Transport::Udp), bytes, room))
        .collect();
    check("a batch of everything", &mut together);
    let actions: Vec<Action> = together.iter().map(|question| question.action).collect();
    drop(together);
    for (((label, _, expect), room), action) in requests.iter().zip(&rooms).zip(actions) {
        assert_eq!(ending(action, room), *expect, "{label}, in a batch");
    }
}

fn ending(action: Action, room: &[u8]) -> Expect {
    match action {
        Action::Reply { length, .. } => Expect::Code(Message::parse(&room[..length]).unwrap().header.response_code.0),
        Action::Drop(reason) => Expect::Drop(reason),
        Action::Continue(reason) => Expect::Slow(reason),
        Action::NeedsRoom(_) => Expect::Room,
        Action::Pending => panic!("left pending"),
    }
}
