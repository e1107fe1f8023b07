//! Daily quotas: exact within a group, across groups, starts and lost state, and new with every day.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::*;
use waymark_catalog::access::{Principal, Role, Scope};
use waymark_catalog::{
    Actor, Catalog, Command, Door, Options, Origin, Outcome, Proof, PutMode, Refusal, Submission, WriteError, open,
    rebuild,
};
use waymark_store::fault::MemoryMedium;
use waymark_store::{Engine, Timestamp};

/// 15 January 2027, 12:00 of China Standard Time.
const NOON: u64 = 1_799_985_600_000;
const DAY: u64 = 86_400_000;
/// The first moment of the next day.
const MIDNIGHT: u64 = NOON + DAY / 2;

static TIME: AtomicU64 = AtomicU64::new(NOON);

/// Moves the clock [`told`], which one test alone uses.
fn set_time(time: u64) {
    TIME.store(time, Ordering::Relaxed);
}

fn told() -> Timestamp {
    Timestamp(TIME.load(Ordering::Relaxed))
}

fn noon() -> Timestamp {
    Timestamp(NOON)
}

fn open_at_noon(dir: &Path, engine: Engine) -> Catalog {
    open(&Options { clock: noon, ..options(dir, engine) }).unwrap().catalog
}

fn acme(quota: Option<u64>) -> Command {
    Command::PutPrincipal {
        principal: Principal {
            name: "acme".into(),
            role: Role::EnterpriseAdministrator,
            scope: Scope::parse(["88.1"]).unwrap(),
            disabled: false,
            rate_per_second: None,
            daily_quota: quota,
            certificates: Vec::new(),
            note: String::new(),
        },
    }
}

/// Asks as the principal `acme`, as its jobs do.
fn ask(catalog: &Catalog, commands: Vec<Command>) -> Vec<Result<Outcome, Refusal>> {
    let actor = Actor::principal("acme", Proof::Job, Origin { door: Door::Job, source: None });
    let results = catalog.writer().submit(Submission::new(&actor, commands)).unwrap().wait().unwrap();
    results.into_iter().map(|result| result.map(|receipt| receipt.outcome)).collect()
}

/// Creates records of the names until one is refused, one group each; how many were created.
fn fill_up(catalog: &Catalog) -> u64 {
    thread_local!(static NEXT: Cell<u64> = const { Cell::new(0) });
    for count in 0.. {
        let number = NEXT.replace(NEXT.get() + 1);
        match &ask(catalog, vec![create(&format!("88.1/fill-{number}"), "x")])[..] {
            [Ok(Outcome::Created)] => {}
            [Err(Refusal::QuotaExceeded { .. })] => return count,
            other => panic!("{other:?}"),
        }
    }
    unreachable!()
}

fn over(quota: u64) -> Result<Outcome, Refusal> {
    Err(Refusal::QuotaExceeded { quota, until: Timestamp(MIDNIGHT) })
}

#[test]
fn the_quota_is_exact_within_one_group() {
    let catalog = open_at_noon(tempfile::tempdir().unwrap().path(), Engine::Log);
    home(&catalog, "88.1");
    write(&catalog, vec![acme(Some(3))]);
    let same = || put("88.1/a", "a", PutMode::CreateOrSame);
    let outcomes = ask(
        &catalog,
        vec![
            create("88.1/a", "a"),
            same(),
            create("88.1/a", "a"),
            create("88.2/a", "a"),
            put("88.1/a", "b", PutMode::Replace),
            delete("88.1/a"),
            delete("88.1/a"),
            create("88.1/b", "b"),
            put("88.1/c", "c", PutMode::Replace),
        ],
    );
    assert!(matches!(outcomes[2], Err(Refusal::AlreadyExists { .. })));
    assert_eq!(
        [&outcomes[..2], &outcomes[3..]].concat(),
        [
            Ok(Outcome::Created),
            Ok(Outcome::Same),
            Err(Refusal::NotPermitted),
            Ok(Outcome::Replaced),
            Ok(Outcome::Deleted),
            Err(Refusal::NotFound),
            over(3),
            over(3),
        ]
    );
    assert_eq!(catalog.usage("acme"), 3);
    assert_eq!(ask(&catalog, vec![create("88.1/b", "b")]), [over(3)]);
}

#[test]
fn nothing_more_is_taken_past_the_quota_but_what_changes_nothing() {
    let catalog = open_at_noon(tempfile::tempdir().unwrap().path(), Engine::Log);
    home(&catalog, "88.1");
    write(&catalog, vec![acme(Some(1)), create("88.1/theirs", "x")]);
    assert_eq!(ask(&catalog, vec![create("88.1/a", "a")]), [Ok(Outcome::Created)]);
    let refused = ask(&catalog, vec![add("88.1/a", 2, "d"), delete("88.1/theirs"), create("88.1/b", "b")]);
    assert_eq!(refused, [over(1), over(1), over(1)]);
    assert_eq!(ask(&catalog, vec![put("88.1/a", "a", PutMode::CreateOrSame)]), [Ok(Outcome::Same)]);
    assert_eq!(data(&catalog, "88.1/a"), Some(vec!["a".to_owned()]));
}

#[test]
fn a_changed_quota_is_in_force_at_once() {
    let catalog = open_at_noon(tempfile::tempdir().unwrap().path(), Engine::Log);
    home(&catalog, "88.1");
    write(&catalog, vec![acme(None)]);
    assert_eq!(
        ask(&catalog, vec![create("88.1/a", "a"), create("88.1/b", "b")]),
        [Ok(Outcome::Created), Ok(Outcome::Created)]
    );
    write(&catalog, vec![acme(Some(2))]);
    assert_eq!(fill_up(&catalog), 0);
    write(&catalog, vec![acme(Some(5))]);
    assert_eq!(fill_up(&catalog), 3);
    write(&catalog, vec![acme(Some(0))]);
    assert_eq!(fill_up(&catalog), 0);
    write(&catalog, vec![Command::RemovePrincipal { name: "acme".into() }, acme(Some(6))]);
    assert_eq!(fill_up(&catalog), 1, "who gets the name gets the count");
}

#[test]
fn local_actors_have_no_quota_and_others_do_not_count() {
    let catalog = open_at_noon(tempfile::tempdir().unwrap().path(), Engine::Log);
    home(&catalog, "88.1");
    write(&catalog, vec![acme(Some(1))]);
    write(&catalog, (0..50).map(|n| create(&format!("88.1/{n}"), "x")).collect());
    assert_eq!((catalog.usage("acme"), catalog.usage("operator")), (0, 50));
    assert_eq!(fill_up(&catalog), 1);
}

#[test]
fn a_group_that_was_not_committed_does_not_count() {
    let medium = MemoryMedium::new();
    let catalog = open_medium(Arc::new(medium.clone())).catalog;
    home(&catalog, "88.1");
    write(&catalog, vec![acme(Some(4))]);
    medium.set_room(Some(medium.used()));
    let actor = Actor::principal("acme", Proof::Job, Origin { door: Door::Job, source: None });
    let mut written = 0;
    for n in 0..4 {
        let big = create(&format!("88.1/{n}"), &"x".repeat(60_000));
        match catalog.writer().submit(Submission::new(&actor, vec![big])).unwrap().wait() {
            Ok(_) => written += 1,
            Err(WriteError::DiskFull) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(written < 4);
    assert_eq!(catalog.usage("acme"), written);
    medium.set_room(None);
    assert_eq!(fill_up(&catalog), 4 - written);
}

#[test]
fn usage_survives_starts_crashes_rebuilds_and_a_lost_state() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let crashed = tempfile::tempdir().unwrap();
        let catalog = open_at_noon(dir.path(), engine);
        home(&catalog, "88.1");
        write(&catalog, vec![acme(Some(10)), create("88.1/local", "x")]);
        ask(&catalog, (0..4).map(|n| create(&format!("88.1/a-{n}"), "x")).collect());
        ask(&catalog, vec![delete("88.1/a-0"), create("88.1/a-0", "again"), put("88.1/a-1", "y", PutMode::Replace)]);
        assert_eq!(catalog.usage("acme"), 7);
        if engine == Engine::Log {
            copy_folder(dir.path(), &crashed.path().join("data"));
            assert_eq!(open_at_noon(&crashed.path().join("data"), engine).usage("acme"), 7);
        }
        catalog.shutdown().unwrap();
        drop(catalog);

        let catalog = open_at_noon(dir.path(), engine);
        assert_eq!(catalog.usage("acme"), 7);
        catalog.shutdown().unwrap();
        drop(catalog);

        lose_state(dir.path());
        let catalog = open_at_noon(dir.path(), engine);
        assert_eq!((catalog.usage("acme"), catalog.usage("operator")), (7, 1));
        catalog.shutdown().unwrap();
        drop(catalog);

        rebuild(&Options { clock: noon, ..options(dir.path(), engine) }).unwrap();
        let catalog = open_at_noon(dir.path(), engine);
        assert_eq!(catalog.usage("acme"), 7);
        assert_eq!(fill_up(&catalog), 3);
    }
}

#[test]
fn every_day_begins_at_midnight_of_china_standard_time_whatever_was_lost() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let reopen = || open(&Options { clock: told, ..options(dir.path(), engine) }).unwrap().catalog;
        set_time(NOON);
        let catalog = reopen();
        home(&catalog, "88.1");
        write(&catalog, vec![acme(Some(4))]);
        assert_eq!(fill_up(&catalog), 4);
        set_time(MIDNIGHT - 1);
        assert_eq!((fill_up(&catalog), catalog.usage("acme")), (0, 4));
        set_time(MIDNIGHT);
        assert_eq!(catalog.usage("acme"), 0);
        assert_eq!(ask(&catalog, vec![create("88.1/next-day", "x")]), [Ok(Outcome::Created)]);
        // The store does not go back, and so does not the day.
        set_time(NOON);
        assert_eq!(catalog.usage("acme"), 1);
        assert_eq!(ask(&catalog, vec![create("88.1/clock-back", "x")]), [Ok(Outcome::Created)]);
        catalog.shutdown().unwrap();
        drop(catalog);

        set_time(MIDNIGHT + 1);
        let catalog = reopen();
        assert_eq!(catalog.usage("acme"), 2);
        catalog.shutdown().unwrap();
        drop(catalog);

        lose_state(dir.path());
        let catalog = reopen();
        assert_eq!(catalog.usage("acme"), 2, "only what was written today");
        assert_eq!(fill_up(&catalog), 2);
        set_time(MIDNIGHT + DAY);
        assert_eq!(fill_up(&catalog), 4);
    }
}
