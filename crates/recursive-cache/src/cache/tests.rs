//! The cache by itself, with a clock in the test's hand.

use waymark_wire::types::Site;
use waymark_wire::{Ttl, ValueBuf};

use super::*;
use crate::knowledge::Record;

fn at(seconds: u64) -> Now {
    Now { elapsed: Duration::from_secs(seconds), unix_seconds: 1_700_000_000 + u32::try_from(seconds).unwrap() }
}

fn record(kind: &str, data_bytes: usize) -> Arc<Fact> {
    let value = ValueBuf { ttl: Ttl::Relative(100), ..ValueBuf::new(1, kind.as_bytes(), &vec![b'x'; data_bytes]) };
    let mut wire = Vec::new();
    value.encode_into(&mut wire);
    Arc::new(Fact::Values(Record { count: 1, wire: wire.into() }))
}

fn about(key: &str, fact: Arc<Fact>, seconds: u32) -> Learned {
    let what = What::Fact { key: key.as_bytes().into(), fact };
    Learned { what, certified: false, lifetime_seconds: Some(seconds) }
}

fn find(cache: &Cache, key: &str, now: Now) -> Found {
    cache.find(key.as_bytes(), false, now)
}

fn is_fresh(cache: &Cache, key: &str, now: Now) -> bool {
    matches!(find(cache, key, now), Found::Fresh(_))
}

fn small(budget_bytes: u64) -> Cache {
    Cache::new(CacheLimits { budget_bytes, ..CacheLimits::default() })
}

fn service() -> Arc<Service> {
    // HS_SITE data with one server and no interface.
    let mut data = vec![0, 1, 2, 11, 0, 1, 0x80, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    data.extend([0; 12]);
    data.extend([192, 0, 2, 1]);
    data.extend([0; 8]);
    Site::parse(&data).unwrap();
    Arc::new(Service { sites: [data.into()].into() })
}

#[test]
fn an_answer_is_good_for_as_long_as_its_values_say_and_then_past_its_time() {
    let cache = small(1 << 20);
    cache.learn(&about("88.1/A", record("URL", 10), 100), at(0));
    let Found::Fresh(entry) = find(&cache, "88.1/A", at(99)) else { panic!("not good") };
    assert_eq!((entry.age_seconds(at(99).into()), entry.seconds_left(at(99).into())), (99, 1));
    assert!(matches!(entry.known(), Some(Known::Values(values)) if values.len() == 1));
    assert!(matches!(find(&cache, "88.1/A", at(100)), Found::Stale(_)));
    assert!(matches!(find(&cache, "88.1/A", at(100 + 86_400)), Found::Stale(_)));
    assert!(matches!(find(&cache, "88.1/A", at(101 + 86_400)), Found::Missing));
    assert!(matches!(find(&cache, "88.1/B", at(0)), Found::Missing));
}

#[test]
fn floor_and_ceiling_hold_whatever_values_say() {
    let cache = small(1 << 20);
    cache.learn(&about("88.1/ZERO", record("URL", 10), 0), at(0));
    cache.learn(&about("88.1/EVER", record("URL", 10), u32::MAX), at(0));
    assert!(is_fresh(&cache, "88.1/ZERO", at(0)));
    assert!(matches!(find(&cache, "88.1/ZERO", at(1)), Found::Stale(_)));
    assert!(is_fresh(&cache, "88.1/EVER", at(172_799)));
    assert!(matches!(find(&cache, "88.1/EVER", at(172_800)), Found::Stale(_)));
    let none = Cache::new(CacheLimits { floor: Duration::ZERO, ..CacheLimits::default() });
    none.learn(&about("88.1/ZERO", record("URL", 10), 0), at(0));
    assert!(matches!(find(&none, "88.1/ZERO", at(0)), Found::Missing), "0 means: not at all");
}

#[test]
fn what_says_whether_goods_may_be_sold_is_never_given_out_late() {
    let cache = small(1 << 20);
    for kind in ["WAYMARK_RECALL", "status", "Status.Sale"] {
        cache.learn(&about(kind, record(kind, 10), 60), at(0));
        assert!(is_fresh(&cache, kind, at(59)), "{kind}");
        assert!(matches!(find(&cache, kind, at(60)), Found::Missing), "{kind}");
    }
}

#[test]
fn one_entry_says_of_all_names_beneath_that_their_prefix_does_not_exist() {
    let cache = small(1 << 20);
    cache.learn(
        &Learned { what: What::AbsentPrefix { prefix: b"88.9"[..].into() }, certified: false, lifetime_seconds: None },
        at(0),
    );
    for name in ["88.9/A", "88.9/B"] {
        assert!(matches!(find(&cache, name, at(299)), Found::AbsentPrefix));
        assert!(matches!(find(&cache, name, at(300)), Found::Missing));
    }
    assert!(matches!(cache.find(b"88.9/A", true, at(0)), Found::Missing), "certified questions know nothing of it");
    assert!(matches!(find(&cache, "88.99/A", at(0)), Found::Missing));
    let what = What::Service { prefix: b"88.9"[..].into(), scope: Scope::Handles, service: service() };
    cache.learn(&Learned { what, certified: false, lifetime_seconds: Some(60) }, at(1));
    assert!(matches!(find(&cache, "88.9/A", at(1)), Found::Missing), "it exists after all");
}

#[test]
fn services_are_told_by_scope_and_forgotten_when_lame() {
    let cache = small(1 << 20);
    let learn = |what| cache.learn(&Learned { what, certified: false, lifetime_seconds: Some(60) }, at(0));
    let prefix: Box<[u8]> = b"88.1"[..].into();
    learn(What::Service { prefix: prefix.clone(), scope: Scope::Handles, service: service() });
    let known = |scope, now| cache.service(b"88.1", scope, false, now);
    assert_eq!(known(Scope::Handles, at(59)), Some(service()));
    assert_eq!((known(Scope::Handles, at(60)), known(Scope::DerivedPrefixes, at(0))), (None, None));
    learn(What::Lame { prefix: prefix.clone(), scope: Scope::DerivedPrefixes });
    assert!(known(Scope::Handles, at(0)).is_some());
    learn(What::Lame { prefix, scope: Scope::Handles });
    assert_eq!(known(Scope::Handles, at(0)), None);
}

#[test]
fn a_failure_is_remembered_for_seconds() {
    let cache = small(1 << 20);
    cache.fail(b"88.1", at(10));
    assert!(cache.has_failed(b"88.1", at(12)));
    assert!(!cache.has_failed(b"88.1", at(13)) && !cache.has_failed(b"88.2", at(10)));
}

#[test]
fn popular_answers_are_told_once_before_their_end() {
    let cache = small(1 << 20);
    cache.learn(&about("88.1/OFTEN", record("URL", 10), 100), at(0));
    cache.learn(&about("88.1/ONCE", record("URL", 10), 100), at(0));
    for second in 0..4 {
        assert!(is_fresh(&cache, "88.1/OFTEN", at(second)));
    }
    assert!(cache.next_to_refresh().is_none(), "it has time");
    for _ in 0..2 {
        assert!(is_fresh(&cache, "88.1/OFTEN", at(90)));
        assert!(is_fresh(&cache, "88.1/ONCE", at(90)));
    }
    assert_eq!(cache.next_to_refresh().unwrap().key(), b"88.1/OFTEN");
    assert!(cache.next_to_refresh().is_none());
}

#[test]
fn names_of_one_hash_are_told_apart() {
    let cache = small(1 << 20);
    cache.learn(&about("88.1/A", record("URL", 10), 100), at(0));
    let name = cache.name(Kind::Fact, b"88.1/B", false);
    let (_, entry) = cache.table.iter().next().unwrap();
    cache.table.insert(name, entry);
    assert!(matches!(find(&cache, "88.1/B", at(0)), Found::Missing));
    assert!(is_fresh(&cache, "88.1/A", at(0)));
}

#[test]
fn flushing_takes_what_is_meant_and_leaves_the_rest() {
    let filled = || {
        let cache = small(1 << 20);
        for key in ["88.1/A", "88.1/B", "88.1.2/C", "88.11/D", "0.NA/88.1", "0.NA/88.2"] {
            cache.learn(&about(key, record("URL", 10), 100), at(0));
        }
        let what = What::Service { prefix: b"88.1.2"[..].into(), scope: Scope::Handles, service: service() };
        cache.learn(&Learned { what, certified: false, lifetime_seconds: Some(100) }, at(0));
        cache
    };
    let cache = filled();
    assert_eq!((cache.flush(Flush::Name(b"88.1/A")), cache.flush(Flush::Name(b"88.1/A"))), (1, 0));
    assert!(!is_fresh(&cache, "88.1/A", at(0)) && is_fresh(&cache, "88.1/B", at(0)));
    let cache = filled();
    assert_eq!(cache.flush(Flush::Prefix(b"88.1")), 5);
    assert!(is_fresh(&cache, "88.11/D", at(0)) && is_fresh(&cache, "0.NA/88.2", at(0)));
    assert_eq!(filled().flush(Flush::All), 7);
}

#[test]
fn the_budget_holds_and_what_is_asked_for_again_survives_a_scan() {
    let cache = small(1 << 20);
    for number in 0..100 {
        cache.learn(&about(&format!("88.1/HOT{number}"), record("URL", 500), 1_000), at(0));
    }
    for number in 0..20_000 {
        if number % 200 == 0 {
            for hot in 0..100 {
                let _ = is_fresh(&cache, &format!("88.1/HOT{hot}"), at(1));
            }
        }
        cache.learn(&about(&format!("88.1/SCAN{number}"), record("URL", 500), 1_000), at(1));
        let stats = cache.stats();
        assert!(stats.bytes <= stats.budget_bytes, "{stats:?}");
    }
    assert!(cache.stats().bytes > cache.stats().budget_bytes * 9 / 10, "and is used: {:?}", cache.stats());
    let left = (0..100).filter(|hot| is_fresh(&cache, &format!("88.1/HOT{hot}"), at(1))).count();
    assert!(left >= 95, "{left} of 100");
}

/// More than any machine has: nothing of it is taken before it is used.
#[test]
fn the_greatest_budget_is_no_memory_yet() {
    let cache = small(BUDGET_BYTES.max);
    cache.learn(&about("88.1/A", record("URL", 10), 60), at(0));
    assert!(is_fresh(&cache, "88.1/A", at(1)));
}

#[test]
fn a_dump_comes_back_without_what_is_over() {
    let cache = small(1 << 20);
    cache.learn(&about("88.1/LONG", record("URL", 10), 1_000), at(0));
    cache.learn(&about("88.1/SHORT", record("URL", 10), 50), at(0));
    cache.learn(&about("88.1/NONE", Arc::new(Fact::Absent), 60), at(0));
    let what = What::Service { prefix: b"88.1"[..].into(), scope: Scope::Handles, service: service() };
    cache.learn(&Learned { what, certified: true, lifetime_seconds: Some(1_000) }, at(0));
    cache.fail(b"88.2", at(0));
    let mut file = Vec::new();
    assert_eq!(cache.dump(&mut file, at(10)).unwrap(), 4);
    // Another process, whose own time begins anew, 90 seconds later.
    let later = Now { elapsed: Duration::ZERO, unix_seconds: at(100).unix_seconds };
    let again = small(1 << 20);
    let loaded = again.load(&mut &file[..], later).unwrap();
    assert_eq!(loaded, Loaded { taken: 2, expired: 2, cut: false });
    let Found::Fresh(entry) = find(&again, "88.1/LONG", later) else { panic!("not there") };
    assert_eq!((entry.seconds_left(later.into()), entry.age_seconds(later.into())), (1_000 - 100, 100));
    assert_eq!(again.service(b"88.1", Scope::Handles, true, later), Some(service()));
    assert_eq!(again.service(b"88.1", Scope::Handles, false, later), None);
    // A clock that went back.
    let before = Now { elapsed: Duration::ZERO, unix_seconds: 5 };
    assert_eq!(small(1 << 20).load(&mut &file[..], before).unwrap().taken, 4);
}

/// A node that starts anew each minute does not say for ever that a name does not exist.
#[test]
fn absences_do_not_begin_anew_with_each_run() {
    let absent_prefix = What::AbsentPrefix { prefix: b"88.9"[..].into() };
    let absent = |what| Learned { what, certified: false, lifetime_seconds: None };
    let fact = |fact| What::Fact { key: b"88.1/A"[..].into(), fact: Arc::new(fact) };
    for (what, seconds) in [(fact(Fact::Absent), 60), (fact(Fact::NoValues), 60), (absent_prefix, 300)] {
        let mut cache = small(1 << 20);
        cache.learn(&absent(what), at(0));
        for run in 1..6 {
            let mut file = Vec::new();
            cache.dump(&mut file, at(10 * run)).unwrap();
            cache = small(1 << 20);
            cache.load(&mut &file[..], at(10 * run)).unwrap();
        }
        let left: Vec<u32> = cache.entries().iter().map(|entry| entry.seconds_left(at(50).into())).collect();
        assert_eq!(left, [seconds - 50]);
    }
}

#[test]
fn a_damaged_dump_gives_what_is_whole_and_no_more() {
    let cache = small(1 << 20);
    for key in ["88.1/A", "88.1/B", "88.1/C"] {
        cache.learn(&about(key, record("URL", 10), 1_000), at(0));
    }
    let mut file = Vec::new();
    cache.dump(&mut file, at(0)).unwrap();
    for length in 0..file.len() {
        let loaded = small(1 << 20).load(&mut &file[..length], at(0));
        match loaded {
            Ok(loaded) => assert!(loaded.taken < 3, "{length}"),
            Err(DumpError::OtherForm) => assert!(length < 12),
            Err(error) => panic!("{error}"),
        }
    }
    for at_byte in 12..file.len() {
        let mut bad = file.clone();
        bad[at_byte] ^= 0x40;
        let loaded = small(1 << 20).load(&mut &bad[..], at(0)).unwrap();
        assert!(loaded.cut && loaded.taken < 3, "byte {at_byte}: {loaded:?}");
    }
    let mut other = file;
    other[7] = 9;
    assert!(matches!(small(1 << 20).load(&mut &other[..], at(0)), Err(DumpError::OtherForm)));
}

#[test]
fn values_that_are_not_whole_are_not_taken() {
    let cache = small(1 << 20);
    let broken = Fact::Values(Record { count: 2, wire: [0; 26].into() });
    cache.learn(&about("88.1/A", Arc::new(broken), 100), at(0));
    assert_eq!(cache.stats().entries, 0);
}

#[test]
fn an_answer_that_was_on_its_way_does_not_bring_back_what_was_forgotten() {
    let cache = small(1 << 20);
    let learned = |key: &str| about(key, record("URL", 10), 100);
    let before = cache.epoch();
    cache.flush(Flush::Name(b"88.1/A"));
    cache.flush(Flush::Prefix(b"88.2"));
    for (key, is_kept) in
        [("88.1/A", false), ("88.1/B", true), ("88.2/A", false), ("88.2.3/A", false), ("88.22/A", true)]
    {
        cache.learn_since(&learned(key), before, at(0));
        assert_eq!(is_fresh(&cache, key, at(0)), is_kept, "{key}");
        cache.learn_since(&learned(key), cache.epoch(), at(0));
        assert!(is_fresh(&cache, key, at(0)), "{key}: asked for behind that");
    }
    // Of what is older than all that is remembered, nothing is kept.
    for number in 0..2_000 {
        cache.flush(Flush::Name(format!("88.9/{number}").as_bytes()));
    }
    cache.learn_since(&learned("88.3/A"), before, at(0));
    assert!(!is_fresh(&cache, "88.3/A", at(0)));
    let before = cache.epoch();
    cache.flush(Flush::All);
    cache.learn_since(&learned("88.3/A"), before, at(0));
    assert!(!is_fresh(&cache, "88.3/A", at(0)));
}

#[test]
fn a_name_is_forgotten_in_whatever_case_and_spellings_are_never_mixed_up() {
    let cache = small(1 << 20);
    cache.learn(&about("88.1/item", record("URL", 10), 100), at(0));
    assert!(matches!(find(&cache, "88.1/ITEM", at(0)), Found::Missing), "its server may tell cases apart");
    assert!(is_fresh(&cache, "88.1/item", at(0)));
    let before = cache.epoch();
    assert_eq!(cache.flush(Flush::Name(b"88.1/ITEM")), 1);
    assert!(matches!(find(&cache, "88.1/item", at(0)), Found::Missing));
    cache.learn_since(&about("88.1/item", record("URL", 10), 100), before, at(0));
    assert!(matches!(find(&cache, "88.1/item", at(0)), Found::Missing));
}
