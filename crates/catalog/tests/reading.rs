//! Reading what was: history, the record at a moment, the change feed, and records by the time of their last change. Each promise is kept by
//! both engines, before and after a restart.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::ops::ControlFlow;
use std::path::Path;

use common::{ENGINES, copy_folder, count, create, delete, home, open_at, options, put, ticking, write};
use waymark_catalog::{At, Catalog, Change, ChangedWithin, FeedLimits, Progress, PutMode, Seen, Version, rebuild};
use waymark_ident::Handle;
use waymark_store::{FollowError, Serial, Timestamp};

const MANY: FeedLimits = FeedLimits::DEFAULT;

/// Fills a catalog on each engine, and holds what `promise` says of it before and after a restart.
fn before_and_after_restart<T>(fill: impl Fn(&Catalog) -> T, promise: impl Fn(&Catalog, &T)) {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        let filled = fill(&catalog);
        promise(&catalog, &filled);
        catalog.shutdown().unwrap();
        drop(catalog);
        promise(&open_at(dir.path(), engine).catalog, &filled);
    }
}

fn handle(text: &str) -> Handle<'_> {
    Handle::new(text.as_bytes()).unwrap()
}

/// Serial and first data of a version; no data for a deletion.
fn shown(version: &Version) -> (u64, Option<String>) {
    let text = version.record.as_ref().map(|record| {
        let stored = record.stored().unwrap();
        let value = stored.values().unwrap().iter().next().unwrap();
        String::from_utf8(value.data.to_vec()).unwrap()
    });
    (version.serial.0, text)
}

fn history(catalog: &Catalog, of: &str, before: Option<Serial>, limit: usize) -> Vec<(u64, Option<String>)> {
    catalog.cold().history(&handle(of), before, limit).unwrap().iter().map(shown).collect()
}

fn text(data: &str) -> Option<String> {
    Some(data.to_owned())
}

/// Writes three versions of 88.1/a and a deletion, with other records between; the serials of the four.
fn three_versions_and_a_deletion(catalog: &Catalog) -> [Serial; 4] {
    home(catalog, "88.1");
    let serial = |command| write(catalog, vec![command, create(&unique("88.1/n"), "x")])[0].serial;
    [
        serial(create("88.1/a", "one")),
        serial(put("88.1/A", "two", PutMode::Replace)),
        serial(put("88.1/a", "three", PutMode::Replace)),
        serial(delete("88.1/a")),
    ]
}

fn unique(stem: &str) -> String {
    format!("{stem}{}", ticking().0)
}

#[test]
fn history_goes_back_from_the_newest_version_page_by_page() {
    before_and_after_restart(three_versions_and_a_deletion, |catalog, &[one, two, three, gone]| {
        let all = [(gone.0, None), (three.0, text("three")), (two.0, text("two")), (one.0, text("one"))];
        assert_eq!(history(catalog, "88.1/a", None, 10), all);
        assert_eq!(history(catalog, "88.1/A", None, 2), all[..2]);
        assert_eq!(history(catalog, "88.1/a", Some(three), 10), all[2..]);
        // A serial of something else, or of nothing, is only a bound.
        assert_eq!(history(catalog, "88.1/a", Some(three.next()), 10), all[1..]);
        assert_eq!(history(catalog, "88.1/a", Some(Serial(1 << 40)), 10), all);
        assert_eq!(history(catalog, "88.1/a", Some(one), 10), []);
        assert_eq!(history(catalog, "88.1/never", None, 10), []);
        let newest = catalog.cold().history(&handle("88.1/a"), None, 1).unwrap().remove(0);
        assert_eq!((newest.actor.as_str(), newest.previous), ("operator", three));
    });
}

#[test]
fn a_record_is_shown_as_it_was_at_a_serial_or_a_time() {
    before_and_after_restart(three_versions_and_a_deletion, |catalog, &[one, two, three, gone]| {
        let at = |at| catalog.cold().fetch_at(&handle("88.1/a"), at).unwrap().as_ref().map(shown);
        assert_eq!(at(At::Serial(Serial(one.0 - 1))), None);
        assert_eq!(at(At::Serial(one)), Some((one.0, text("one"))));
        assert_eq!(at(At::Serial(Serial(two.0 - 1))), Some((one.0, text("one"))));
        assert_eq!(at(At::Serial(three)), Some((three.0, text("three"))));
        assert_eq!(at(At::Serial(Serial::MAX)), Some((gone.0, None)));
        let time = |serial| catalog.cold().fetch_at(&handle("88.1/a"), At::Serial(serial)).unwrap().unwrap().time;
        assert_eq!(at(At::Time(time(two))), Some((two.0, text("two"))));
        assert_eq!(at(At::Time(Timestamp(time(two).0 - 1))), Some((one.0, text("one"))));
        assert_eq!(at(At::Time(Timestamp(time(one).0 - 1))), None);
        assert_eq!(at(At::Time(Timestamp::MAX)), Some((gone.0, None)));
    });
}

/// A change, where nothing is damaged.
fn whole<'a>(seen: &Seen<'a>) -> Change<'a> {
    let Seen::Change(change) = *seen else { panic!("{seen:?}") };
    change
}

/// All changes after `after` in steps of `limits`, as serial, key and whether it is a deletion.
fn feed(catalog: &Catalog, mut after: Serial, prefix: &[u8], limits: FeedLimits) -> Vec<(u64, Vec<u8>, bool)> {
    let mut seen = Vec::new();
    loop {
        let mut note = |met: &Seen<'_>| {
            let change = whole(met);
            assert_eq!(change.stored().unwrap().is_none(), change.body.is_none());
            seen.push((change.serial.0, change.key.to_vec(), change.body.is_none()));
            ControlFlow::Continue(())
        };
        let upto = catalog.changes(after, prefix, limits, &mut note).unwrap();
        if upto == after {
            return seen;
        }
        after = upto;
    }
}

#[test]
fn the_change_feed_gives_every_change_of_a_record_once_in_order() {
    let fill = |catalog: &Catalog| {
        home(catalog, "88.1");
        let one = write(catalog, vec![create("88.1/a", "1"), create("88.1/b", "1"), create("88.1/ab", "1")])[0].serial;
        home(catalog, "88.2");
        let two = write(catalog, vec![delete("88.1/b"), create("88.2/a", "1")])[0].serial;
        (one, two)
    };
    before_and_after_restart(fill, |catalog, &(one, two)| {
        let all = [
            (one.0, b"88.1/A".to_vec(), false),
            (one.0 + 1, b"88.1/B".to_vec(), false),
            (one.0 + 2, b"88.1/AB".to_vec(), false),
            (two.0, b"88.1/B".to_vec(), true),
            (two.0 + 1, b"88.2/A".to_vec(), false),
        ];
        assert_eq!(feed(catalog, Serial::NONE, b"", MANY), all);
        assert_eq!(feed(catalog, one, b"", MANY), all[1..]);
        assert_eq!(feed(catalog, Serial::NONE, b"88.1/B", MANY), [all[1].clone(), all[3].clone()]);
        for limits in [FeedLimits { entries: 1, ..MANY }, FeedLimits { bytes: 1, ..MANY }] {
            assert_eq!(feed(catalog, Serial::NONE, b"88.1/", limits), all[..4]);
        }
        let upto = catalog.changes(Serial::NONE, b"", MANY, &mut |_| ControlFlow::Break(())).unwrap();
        assert_eq!(upto, one, "the change a visitor stops at was visited");
        let nothing = catalog.changes(catalog.serial(), b"", MANY, &mut |_| panic!("nothing is newer")).unwrap();
        assert_eq!(nothing, catalog.serial());
    });
}

#[test]
fn a_change_knows_the_one_before_it() {
    before_and_after_restart(three_versions_and_a_deletion, |catalog, &[one, two, three, gone]| {
        let mut pairs = Vec::new();
        let mut note = |seen: &Seen<'_>| {
            let change = whole(seen);
            assert_eq!(change.actor, "operator");
            pairs.push((change.serial, change.previous));
            ControlFlow::Continue(())
        };
        catalog.changes(Serial::NONE, b"88.1/A", MANY, &mut note).unwrap();
        assert_eq!(pairs, [(one, Serial::NONE), (two, one), (three, two), (gone, three)]);
    });
}

#[test]
fn records_are_listed_once_by_the_time_of_their_last_change() {
    let fill = |catalog: &Catalog| {
        home(catalog, "88.1");
        home(catalog, "88.2");
        let time = |command| write(catalog, vec![command])[0].time;
        [
            time(create("88.1/a", "1")),
            time(create("88.1/b", "1")),
            time(create("88.2/c", "1")),
            time(create("88.1/d", "1")),
            time(put("88.1/a", "2", PutMode::Replace)),
            time(delete("88.1/d")),
        ]
    };
    before_and_after_restart(fill, |catalog, times| {
        let list = |prefix: &str, from: Timestamp, until: Timestamp, limits: FeedLimits| {
            let within = ChangedWithin { prefix: prefix.as_bytes(), from, until };
            let (mut keys, mut after) = (Vec::new(), Serial::NONE);
            loop {
                let mut note = |seen: &Seen<'_>| {
                    keys.push(String::from_utf8(whole(seen).key.to_vec()).unwrap());
                    ControlFlow::Continue(())
                };
                let Progress { upto, end } = catalog.cold().list_changed(&within, after, limits, &mut note).unwrap();
                if end {
                    return keys;
                }
                assert!(upto > after, "a call that is not the last one goes on");
                after = upto;
            }
        };
        let (begin, end) = (Timestamp(0), Timestamp::MAX);
        for limits in [MANY, FeedLimits { entries: 1, ..MANY }] {
            assert_eq!(list("", begin, end, limits), ["88.1/B", "88.2/C", "88.1/A"]);
            assert_eq!(list("88.1/", begin, end, limits), ["88.1/B", "88.1/A"]);
            assert_eq!(list("", times[1], times[4], limits), ["88.1/B", "88.2/C"]);
            assert_eq!(list("", times[2], end, limits), ["88.2/C", "88.1/A"]);
            assert!(list("", times[5], end, limits).is_empty());
            assert!(list("", begin, times[0], limits).is_empty());
        }
    });
}

#[test]
fn a_list_by_time_goes_on_where_its_visitor_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), ENGINES[0]).catalog;
    home(&catalog, "88.1");
    write(&catalog, vec![create("88.1/a", "1"), create("88.1/b", "1"), create("88.1/c", "1")]);
    let within = ChangedWithin { prefix: b"", from: Timestamp(0), until: Timestamp::MAX };
    let (mut after, mut keys) = (Serial::NONE, Vec::new());
    // Behind the last record lies the note of the audit.
    for last in [false, false, false, true] {
        let mut note = |seen: &Seen<'_>| {
            keys.push(whole(seen).key.to_vec());
            ControlFlow::Break(())
        };
        let progress = catalog.cold().list_changed(&within, after, MANY, &mut note).unwrap();
        assert_eq!(progress.end, last);
        after = progress.upto;
    }
    assert_eq!(keys, [b"88.1/A", b"88.1/B", b"88.1/C"]);
}

#[test]
fn serials_are_told_after_what_they_name_is_visible() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), ENGINES[0]).catalog;
    let mut serials = catalog.serials();
    assert_eq!(*serials.borrow_and_update(), catalog.serial());
    home(&catalog, "88.1");
    let receipt = write(&catalog, vec![create("88.1/a", "1")])[0];
    assert!(serials.has_changed().unwrap());
    let end = receipt.serial.next(); // the note of the audit
    assert_eq!((*serials.borrow_and_update(), catalog.serial()), (end, end));
    assert_eq!(*catalog.serials().borrow(), end);
    catalog.shutdown().unwrap();
    assert!(serials.has_changed().is_err(), "whoever waits is told that nothing more comes");
}

#[test]
fn a_feed_from_beyond_the_end_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), ENGINES[0]).catalog;
    let outcome: Result<Serial, FollowError> =
        catalog.changes(Serial(1 << 40), b"", MANY, &mut |_| panic!("there is nothing"));
    assert_eq!(outcome.unwrap(), Serial(1 << 40));
}

/// Number of records under 88.1 once the small state knows of every write before.
fn settled_count(catalog: &Catalog) -> u64 {
    // The state is fed after the acknowledgement, and before the next command is taken.
    home(catalog, "88.1");
    count(catalog, "88.1")
}

#[test]
fn history_goes_on_through_a_deletion_and_what_was_made_again() {
    let fill = |catalog: &Catalog| {
        let first = three_versions_and_a_deletion(catalog);
        let again = write(catalog, vec![create("88.1/a", "again"), delete("88.1/a"), create("88.1/a", "thrice")]);
        (first, again.iter().map(|receipt| receipt.serial).collect::<Vec<_>>())
    };
    before_and_after_restart(fill, |catalog, (first, again)| {
        let serials: Vec<Serial> = again.iter().rev().chain(first.iter().rev()).copied().collect();
        let versions = catalog.cold().history(&handle("88.1/a"), None, 10).unwrap();
        assert_eq!(versions.iter().map(|version| version.serial).collect::<Vec<_>>(), serials);
        let deleted: Vec<bool> = versions.iter().map(|version| version.record.is_none()).collect();
        assert_eq!(deleted, [false, true, false, true, false, false, false]);
        assert_eq!(settled_count(catalog), 5, "a record made again counts once");
    });
}

#[test]
fn a_deletion_is_remembered_over_a_restart_without_snapshot_and_a_rebuild() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        let [_, _, _, gone] = three_versions_and_a_deletion(&catalog);
        // Made and deleted within one group: the index never knew it.
        let short = write(&catalog, vec![create("88.1/b", "1"), delete("88.1/b")])[1].serial;
        let again = |dir: &Path, handle: &str| {
            let catalog = open_at(dir, engine).catalog;
            write(&catalog, vec![create(handle, "again")]);
            let version = catalog.cold().history(&Handle::new(handle.as_bytes()).unwrap(), None, 1).unwrap().remove(0);
            assert_eq!(settled_count(&catalog), 5);
            version.previous
        };
        let at_once = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), at_once.path());
        assert_eq!(again(at_once.path(), "88.1/a"), gone, "after a crash");
        catalog.shutdown().unwrap();
        drop(catalog);
        let with_snapshot = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), with_snapshot.path());
        assert_eq!(again(with_snapshot.path(), "88.1/b"), short, "after a clean end");
        rebuild(&options(dir.path(), engine)).unwrap();
        assert_eq!(again(dir.path(), "88.1/b"), short, "after a rebuild");
    }
}

#[test]
fn records_made_again_are_counted_once_when_the_state_is_fed_from_the_log() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        home(&catalog, "88.1");
        catalog.shutdown().unwrap();
        drop(catalog);
        let behind = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), behind.path());
        let catalog = open_at(dir.path(), engine).catalog;
        write(&catalog, vec![create("88.1/a", "1"), create("88.1/b", "1"), delete("88.1/a")]);
        write(&catalog, vec![create("88.1/a", "2")]);
        write(&catalog, vec![put("88.1/a", "3", PutMode::Replace), delete("88.1/b")]);
        catalog.shutdown().unwrap();
        drop(catalog);
        common::lose_state(dir.path());
        copy_folder(&behind.path().join("state"), &dir.path().join("state"));
        std::fs::copy(behind.path().join("state.flushed"), dir.path().join("state.flushed")).unwrap();
        let opened = open_at(dir.path(), engine);
        assert!(!opened.recovery.state_rebuilt && opened.recovery.state_fed > 0, "{:?}", opened.recovery);
        assert_eq!(settled_count(&opened.catalog), 1);
    }
}
