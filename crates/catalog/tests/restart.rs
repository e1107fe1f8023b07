//! Starting again: after a clean end, after a crash, with derived data lost or damaged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::*;
use waymark_catalog::{Command, HomeName, OpenError, Options, PutMode, Warm, open, rebuild};
use waymark_ident::CaseRule;
use waymark_store::{Engine, Serial};

/// A catalog with records written, replaced and deleted over several groups, some of them after a snapshot.
fn fill(catalog: &waymark_catalog::Catalog, from: u32) {
    home(catalog, "88.1");
    home(catalog, "0.NA/0.NA/88");
    let numbers = from..from + 300;
    write(catalog, numbers.clone().map(|n| create(&format!("88.1/Item-{n}"), &format!("v{n}"))).collect());
    write(
        catalog,
        numbers.clone().step_by(3).map(|n| put(&format!("88.1/Item-{n}"), "new", PutMode::Replace)).collect(),
    );
    write(catalog, numbers.step_by(5).map(|n| delete(&format!("88.1/Item-{n}"))).collect());
}

#[test]
fn everything_acknowledged_is_there_after_a_crash_and_after_a_clean_end() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let crashed = tempfile::tempdir().unwrap();
        let opened = open_at(dir.path(), engine);
        assert!(opened.recovery.store.created);
        let catalog = opened.catalog;
        fill(&catalog, 0);
        let all = dump(&catalog);
        assert_eq!(all.len(), 240);
        if engine == Engine::Log {
            // The copy is taken while the store is open: no snapshot, no orderly end. (sled's own files may be between two
            // states then; its crashes are tested with a process.)
            copy_folder(dir.path(), &crashed.path().join("data"));
            let opened = open_at(&crashed.path().join("data"), engine);
            assert_eq!(opened.recovery.snapshot, None);
            assert_eq!(dump(&opened.catalog), all);
        }
        catalog.shutdown().unwrap();
        drop(catalog);
        let opened = open_at(dir.path(), engine);
        assert_sound(&opened.recovery);
        assert_eq!(opened.recovery.snapshot, Some(opened.catalog.serial()));
        assert_eq!((opened.recovery.entries, opened.recovery.prefixes), (240, 2));
        assert_eq!(dump(&opened.catalog), all);
        assert_eq!(count(&opened.catalog, "88.1"), 240);
        let mut reader = opened.catalog.reader();
        assert!(reader.pin().homed(b"88.1"));
    }
}

#[test]
fn a_snapshot_and_the_log_after_it_equal_a_full_scan() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        fill(&catalog, 0);
        catalog.rebuild_snapshot().unwrap();
        let at = catalog.serial();
        fill(&catalog, 300);
        write(
            &catalog,
            (1..40).filter(|n| n % 5 != 0).map(|n| put(&format!("88.1/item-{n}"), "later", PutMode::Replace)).collect(),
        );
        write(&catalog, (1..20).filter(|n| n % 5 != 0).map(|n| delete(&format!("88.1/item-{n}"))).collect());
        write(&catalog, vec![create("88.1/item-1", "once more")]);
        let all = dump(&catalog);
        let older = tempfile::tempdir().unwrap();
        let blob = dir.path().join("blobs").join("index.blob");
        let kept = older.path().join("index.blob");
        std::fs::copy(&blob, &kept).unwrap();
        catalog.shutdown().unwrap();
        drop(catalog);

        std::fs::copy(&kept, &blob).unwrap();
        let opened = open_at(dir.path(), engine);
        assert_eq!(opened.recovery.snapshot, Some(at));
        assert_eq!(dump(&opened.catalog), all);
        let with_snapshot = opened.recovery.entries;
        opened.catalog.shutdown().unwrap();
        drop(opened);

        std::fs::remove_file(&blob).unwrap();
        let opened = open_at(dir.path(), engine);
        assert_eq!(opened.recovery.snapshot, None);
        assert_eq!(dump(&opened.catalog), all);
        assert_eq!(opened.recovery.entries, with_snapshot);
        assert_eq!(u64::try_from(all.len()).unwrap(), with_snapshot);
    }
}

#[test]
fn a_damaged_snapshot_is_reported_and_all_keys_are_scanned() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    fill(&catalog, 0);
    let all = dump(&catalog);
    drop(catalog);
    let blob = dir.path().join("blobs").join("index.blob");
    let good = std::fs::read(&blob).unwrap();
    for at in (0..good.len()).step_by(good.len() / 8) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        std::fs::write(&blob, bad).unwrap();
        let opened = open_at(dir.path(), Engine::Log);
        assert!(opened.recovery.snapshot_problem.is_some(), "byte {at}");
        assert_eq!(opened.recovery.snapshot, None);
        assert_eq!(dump(&opened.catalog), all);
    }
}

#[test]
fn a_lost_state_is_made_anew_from_the_log() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        fill(&catalog, 0);
        drop(catalog);
        lose_state(dir.path());
        let opened = open_at(dir.path(), engine);
        assert!(opened.recovery.state_rebuilt);
        assert_eq!(opened.recovery.state_fed, opened.catalog.serial().0);
        assert_eq!(count(&opened.catalog, "88.1"), 240);
        assert_eq!(opened.catalog.store().state().applied(), opened.catalog.serial());
    }
}

/// Copies a file or folder of one folder into another.
fn copy_part(from: &std::path::Path, to: &std::path::Path, part: &str) {
    let from = from.join(part);
    if from.is_dir() {
        copy_folder(&from, &to.join(part));
    } else {
        std::fs::copy(&from, to.join(part)).unwrap();
    }
}

#[test]
fn a_state_behind_the_log_is_brought_up() {
    let dir = tempfile::tempdir().unwrap();
    let early = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    fill(&catalog, 0);
    let middle = catalog.serial();
    catalog.shutdown().unwrap();
    drop(catalog);
    let parts = ["state", "state.flushed"];
    for part in parts {
        copy_part(dir.path(), early.path(), part);
    }
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    fill(&catalog, 300);
    catalog.shutdown().unwrap();
    drop(catalog);
    lose_state(dir.path());
    for part in parts {
        copy_part(early.path(), dir.path(), part);
    }
    let opened = open_at(dir.path(), Engine::Log);
    assert!(!opened.recovery.state_rebuilt, "{:?}", opened.recovery);
    assert_eq!(opened.recovery.state_fed, opened.catalog.serial().0 - middle.0);
    assert_eq!(count(&opened.catalog, "88.1"), 480);
}

#[test]
fn rebuild_remakes_runs_state_and_snapshot() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        fill(&catalog, 0);
        let all = dump(&catalog);
        let serial = catalog.serial();
        drop(catalog);
        lose_state(dir.path());
        std::fs::remove_dir_all(dir.path().join("blobs")).unwrap();
        let recovery = rebuild(&options(dir.path(), engine)).unwrap();
        assert!(recovery.state_rebuilt);
        assert_eq!((recovery.entries, recovery.state_fed), (240, serial.0));
        let opened = open_at(dir.path(), engine);
        assert_sound(&opened.recovery);
        assert_eq!(opened.recovery.snapshot, Some(serial));
        assert_eq!(opened.recovery.state_fed, 0, "rebuilding had fed it");
        assert_eq!(dump(&opened.catalog), all);
    }
}

#[test]
fn another_case_rule_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open_at(dir.path(), Engine::Log));
    let options = Options { case: CaseRule::SuffixSensitive, ..options(dir.path(), Engine::Log) };
    let refused = open(&options).unwrap_err();
    assert!(matches!(
        refused,
        OpenError::CaseRule { stored: CaseRule::Insensitive, wanted: CaseRule::SuffixSensitive }
    ));
}

#[test]
fn suffixes_keep_their_case_when_the_rule_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { case: CaseRule::SuffixSensitive, ..options(dir.path(), Engine::Log) };
    let catalog = open(&options).unwrap().catalog;
    home(&catalog, "88.a");
    write(&catalog, vec![create("88.A/x", "lower"), create("88.a/X", "upper")]);
    assert_eq!(data(&catalog, "88.a/x").unwrap(), ["lower"]);
    assert_eq!(data(&catalog, "88.A/X").unwrap(), ["upper"]);
}

#[test]
fn records_keep_the_case_they_were_registered_in() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.a");
    write(&catalog, vec![create("88.a/Mixed", "u"), add("88.A/mIXED", 2, "d")]);
    drop(catalog);
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    assert_eq!(fetch(&catalog, "88.A/MIXED").unwrap().stored().unwrap().handle(), b"88.a/Mixed");
}

#[test]
fn a_prefix_given_up_is_not_served_after_a_restart_either() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    home(&catalog, "88.2");
    let name = HomeName::parse(b"88.1").unwrap();
    write(&catalog, vec![Command::Unhome { name }]);
    drop(catalog);
    let opened = open_at(dir.path(), Engine::Log);
    let mut reader = opened.catalog.reader();
    let view = reader.pin();
    assert!(!view.homed(b"88.1") && view.homed(b"88.2"));
    assert_eq!(opened.recovery.prefixes, 1);
}

#[test]
fn warming_makes_records_resident_and_cold_ones_are_found_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    fill(&catalog, 0);
    drop(catalog);
    let cold = open_at(dir.path(), Engine::Log).catalog;
    assert_eq!(cold.statistics().index.resident, 0);
    assert_eq!(dump(&cold).len(), 240);
    drop(cold);
    let warm = Options { warm: Warm::BeforeOpen, ..options(dir.path(), Engine::Log) };
    let warm = open(&warm).unwrap().catalog;
    assert_eq!(warm.statistics().index.resident, 240);
    assert_eq!(dump(&warm).len(), 240);
    drop(warm);
    let background = Options { warm: Warm::Background, ..options(dir.path(), Engine::Log) };
    let background = open(&background).unwrap().catalog;
    while background.statistics().index.resident < 240 {
        std::thread::yield_now();
    }
    write(&background, vec![create("88.1/late", "u")]);
    assert_eq!(dump(&background).len(), 241);
}

#[test]
fn shutting_down_ends_queued_work_first_and_twice_is_once() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    let writer = catalog.writer();
    let tickets: Vec<_> = (0..50)
        .map(|n| {
            writer
                .submit(waymark_catalog::Submission::new(
                    &waymark_catalog::Actor::operator(),
                    vec![create(&format!("88.1/{n}"), "u")],
                ))
                .unwrap()
        })
        .collect();
    catalog.shutdown().unwrap();
    catalog.shutdown().unwrap();
    for ticket in tickets {
        assert!(ticket.wait().unwrap()[0].is_ok());
    }
    let late =
        writer.submit(waymark_catalog::Submission::new(&waymark_catalog::Actor::operator(), vec![delete("88.1/1")]));
    assert!(matches!(late, Err(waymark_catalog::SubmitError::Stopped)));
    assert_eq!(dump(&catalog).len(), 50, "readers keep working");
    assert!(catalog.serial() > Serial(50));
}

#[test]
fn a_record_damaged_on_disk_is_reported_and_never_served() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    write(&catalog, vec![create("88.1/good", "a-good-record")]);
    write(&catalog, vec![create("88.1/bad", "to-be-damaged")]);
    write(&catalog, vec![create("88.1/last", "behind-it")]);
    drop(catalog);
    let mut flipped = 0;
    for entry in std::fs::read_dir(dir.path().join("log")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(13).position(|window| window == b"to-be-damaged") {
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            flipped += 1;
        }
    }
    assert_eq!(flipped, 1);
    let opened = open_at(dir.path(), Engine::Log);
    let catalog = opened.catalog;
    let handle = waymark_ident::Handle::new(b"88.1/bad").unwrap();
    assert!(catalog.cold().fetch(&handle).is_err());
    assert_eq!(data(&catalog, "88.1/good").unwrap(), ["a-good-record"]);
    assert_eq!(data(&catalog, "88.1/last").unwrap(), ["behind-it"]);
    let refused = try_write(&catalog, vec![put("88.1/bad", "over it", PutMode::Replace)]).unwrap();
    assert_eq!(refused[0].as_ref().unwrap_err().code().as_str(), "unreadable");
    drop(catalog);
    lose_state(dir.path());
    let opened = open_at(dir.path(), Engine::Log);
    assert!(opened.recovery.state_rebuilt, "an entry that cannot be read does not stop it");
    drop(opened);
    let warm = Options { warm: Warm::BeforeOpen, ..options(dir.path(), Engine::Log) };
    let opened = open(&warm).unwrap();
    assert_eq!(opened.catalog.statistics().index.resident, 2, "warming passes over it");
    assert!(!opened.recovery.store.damage.is_empty());
    assert_eq!(count(&opened.catalog, "88.1"), 2, "the newest segment has no run that would know the damaged key");
}
