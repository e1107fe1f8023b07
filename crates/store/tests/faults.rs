//! Power losses, full disks, failing flushes: no acknowledged entry is lost and nothing half-written is served.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    unreachable_pub,
    reason = "a test stops where it fails"
)]
#![allow(dead_code, reason = "the shared helpers serve several test programs")]

mod common;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use common::{Plain, body_of, live, puts, sequence, small_options};
use proptest::prelude::{ProptestConfig, any, proptest};
use waymark_store::fault::{Fault, FaultMedium, MemoryMedium, Operation, Survives};
use waymark_store::{
    CommitError, EntryKind, Group, Health, OpenError, Options, Recovery, Serial, Store, Timestamp, Upkeep, check_on,
    open_on,
};

const DIR: &str = "/store";

fn options() -> Options {
    small_options(Path::new(DIR))
}

fn open_image(medium: &MemoryMedium) -> (Arc<dyn Store>, Recovery) {
    open_on(Arc::new(medium.clone()), &options()).unwrap()
}

/// Nothing is wrong with the files but an end that was torn.
fn assert_sound(medium: &MemoryMedium) {
    let mut findings = Vec::new();
    check_on(medium, Path::new(DIR), &mut |finding| findings.push(finding.to_string())).unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
}

/// The numbers of a small generator: tests need many choices, and the same ones every time.
struct Choices(u64);

impl Choices {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Group number `number`: several entries, some of them long, some deletions.
fn group(number: u64) -> Group {
    let mut group = Group::new();
    for part in 0..=number % 4 {
        let key = format!("key {}", (number * 5 + part) % 23);
        if (number + part) % 7 == 6 {
            group.push(EntryKind::DELETE, key.as_bytes(), b"actor", Serial(1), b"").unwrap();
        } else {
            let body = format!("{number}.{part} ").repeat(usize::try_from(1 + number * 37 % 120).unwrap());
            group.push(EntryKind::PUT, key.as_bytes(), b"actor", Serial::NONE, body.as_bytes()).unwrap();
        }
    }
    group
}

/// What the store must hold after the groups `0..groups`.
fn expected(groups: u64) -> Vec<Plain> {
    let mut all: Vec<Plain> = Vec::new();
    for number in 0..groups {
        for draft in group(number).entries() {
            all.push(Plain {
                serial: all.len() as u64 + 1,
                time: number,
                kind: draft.kind.number(),
                previous: draft.previous.0,
                actor: draft.actor.to_vec(),
                key: draft.key.to_vec(),
                body: draft.body.to_vec(),
            });
        }
    }
    all
}

/// Asserts that the store holds the groups `0..groups` or one more, whole, and that look-ups agree with the sequence; returns how many.
fn assert_holds(store: &dyn Store, acknowledged: u64) -> u64 {
    let found = sequence(store);
    let holds = if found.len() == expected(acknowledged).len() { acknowledged } else { acknowledged + 1 };
    assert_eq!(found, expected(holds), "after {acknowledged} acknowledged groups");
    for number in 0..23 {
        let key = format!("key {number}").into_bytes();
        let latest = found.iter().rev().find(|entry| entry.key == key);
        let body = latest.filter(|entry| entry.kind == 1).map(|entry| entry.body.clone());
        assert_eq!(body_of(store, &key), body);
    }
    holds
}

/// A log in which a last group was written but not flushed: the medium, and how many groups were acknowledged.
fn with_unflushed_group() -> (MemoryMedium, u64) {
    let medium = MemoryMedium::new();
    let faults = FaultMedium::over(Arc::new(medium.clone()));
    let one_segment = Options { segment_bytes: 1 << 14, ..options() };
    let (store, _) = open_on(Arc::clone(&faults) as _, &one_segment).unwrap();
    // Several sectors long.
    let large = 15;
    for number in 0..large {
        store.commit(Timestamp(number), &group(number)).unwrap();
    }
    faults.fail_once(Operation::Sync, "segment", 0, Fault::Error(ErrorKind::Other));
    assert!(group(large).bytes() > 1024);
    assert!(matches!(store.commit(Timestamp(large), &group(large)), Err(CommitError::Poisoned)));
    drop(store);
    (medium, large)
}

#[test]
fn survives_every_length_of_an_unfinished_group() {
    let (medium, acknowledged) = with_unflushed_group();
    let unsynced = medium.unsynced();
    assert!(unsynced > 1000);
    let mut kept_whole = 0;
    for bytes in 0..=unsynced {
        let image = medium.after_power_loss(Survives::Bytes(bytes));
        let (store, recovery) = open_image(&image);
        assert!(recovery.damage.is_empty());
        let holds = assert_holds(&*store, acknowledged);
        kept_whole += holds - acknowledged;
        // All of a torn group's bytes that are not zero are kept aside and reported.
        let torn = recovery.torn.as_ref();
        assert_eq!(torn.is_some(), bytes > 0 && holds == acknowledged, "{bytes} bytes");
        if let Some(torn) = torn {
            assert!(torn.bytes <= bytes);
            assert_eq!(image.content(&torn.kept).unwrap().len() as u64, torn.bytes);
            assert_eq!(torn.serial, store.last().serial.next());
        }
        // The log goes on, and is sound.
        store.commit(Timestamp(99), &puts(&[("after", "it")])).unwrap();
        drop(store);
        assert_sound(&image);
        let (store, recovery) = open_image(&image);
        assert!(recovery.torn.is_none());
        assert_eq!(body_of(&*store, b"after").unwrap(), b"it");
    }
    assert_eq!(kept_whole, 1, "only the whole group counts");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn survives_any_subset_of_unflushed_sectors(seed in any::<u64>()) {
        let (medium, acknowledged) = with_unflushed_group();
        let mut choices = Choices(seed | 1);
        let image = medium.after_power_loss(Survives::Sectors(&mut || choices.next().is_multiple_of(2)));
        let (store, recovery) = open_image(&image);
        assert!(recovery.damage.is_empty());
        assert_holds(&*store, acknowledged);
        store.commit(Timestamp(99), &puts(&[("after", "it")])).unwrap();
        drop(store);
        assert_sound(&image);
    }
}

#[test]
fn survives_a_power_loss_at_every_single_change() {
    let commits = 40;
    let mut changes = 0;
    let mut ended = false;
    while !ended {
        let medium = MemoryMedium::new();
        let faults = FaultMedium::over(Arc::new(medium.clone()));
        faults.cut_power_after(changes);
        let mut acknowledged = 0;
        let opened = open_on(Arc::clone(&faults) as _, &options());
        if let Ok((store, _)) = &opened {
            while acknowledged < commits {
                match store.commit(Timestamp(acknowledged), &group(acknowledged)) {
                    Ok(_) => acknowledged += 1,
                    Err(_) => break,
                }
            }
        }
        ended = !faults.is_dark();
        for seed in 1..=6_u64 {
            let mut choices = Choices(seed * 0x9e37_79b9 + changes);
            let image = match seed {
                1 => medium.after_power_loss(Survives::Nothing),
                2 => medium.after_power_loss(Survives::Everything),
                _ => medium.after_power_loss(Survives::Sectors(&mut || !choices.next().is_multiple_of(3))),
            };
            let (store, recovery) = open_image(&image);
            assert!(recovery.damage.is_empty(), "{changes} changes, seed {seed}: {:?}", recovery.damage);
            let holds = assert_holds(&*store, acknowledged);
            for number in holds..holds + 3 {
                store.commit(Timestamp(number), &group(number)).unwrap();
            }
            assert_holds(&*store, holds + 3);
            drop(store);
            assert_sound(&image);
        }
        changes += 1;
    }
    assert!(changes > 150, "{changes} changes are too few to mean anything");
}

#[test]
fn refuses_writes_on_a_full_disk_and_resumes_when_there_is_room() {
    let medium = MemoryMedium::new();
    let (store, _) = open_image(&medium);
    let mut number = 0;
    medium.set_room(Some(medium.used() + 9000));
    let refused = loop {
        match store.commit(Timestamp(number), &group(number)) {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, CommitError::DiskFull), "{refused:?}");
    assert!(number > 2);
    assert_eq!(store.health(), Health::DiskFull);
    assert_eq!(assert_holds(&*store, number), number);
    assert!(matches!(store.commit(Timestamp(number), &group(number)), Err(CommitError::DiskFull)));
    medium.set_room(None);
    for number in number..number + 10 {
        store.commit(Timestamp(number), &group(number)).unwrap();
    }
    assert_eq!(store.health(), Health::Writable);
    assert_eq!(assert_holds(&*store, number + 10), number + 10);
    drop(store);
    assert_sound(&medium);
}

#[test]
fn opens_on_a_full_disk_and_reads() {
    let (medium, acknowledged) = with_unflushed_group();
    let image = medium.after_power_loss(Survives::Bytes(700));
    image.set_room(Some(image.used()));
    let (store, recovery) = open_image(&image);
    assert!(recovery.torn.is_some());
    assert_eq!(store.health(), Health::DiskFull);
    assert_eq!(assert_holds(&*store, acknowledged), acknowledged);
    assert!(matches!(store.commit(Timestamp(99), &group(acknowledged)), Err(CommitError::DiskFull)));
    image.set_room(None);
    store.commit(Timestamp(acknowledged), &group(acknowledged)).unwrap();
    assert_eq!(assert_holds(&*store, acknowledged + 1), acknowledged + 1);
    drop(store);
    assert_sound(&image);
}

#[test]
fn takes_back_a_write_that_stops_half_way() {
    for (error, written) in [(ErrorKind::StorageFull, 0), (ErrorKind::StorageFull, 700), (ErrorKind::Other, 33)] {
        let medium = MemoryMedium::new();
        let faults = FaultMedium::over(Arc::new(medium.clone()));
        let (store, _) = open_on(Arc::clone(&faults) as _, &options()).unwrap();
        for number in 0..9 {
            store.commit(Timestamp(number), &group(number)).unwrap();
        }
        faults.fail_once(Operation::Write, "segment", 0, Fault::Short { bytes: written, error });
        let refused = store.commit(Timestamp(9), &group(9)).unwrap_err();
        match error {
            ErrorKind::StorageFull => assert!(matches!(refused, CommitError::DiskFull)),
            _ => assert!(matches!(refused, CommitError::Io(_))),
        }
        assert_eq!(assert_holds(&*store, 9), 9);
        // A power loss right after finds nothing of it.
        let (after, recovery) = open_image(&medium.after_power_loss(Survives::Everything));
        assert!(recovery.torn.is_none());
        assert_eq!(assert_holds(&*after, 9), 9);
        // And the same group goes in at the next try.
        store.commit(Timestamp(9), &group(9)).unwrap();
        assert_eq!(assert_holds(&*store, 10), 10);
        drop(store);
        assert_sound(&medium);
    }
}

#[test]
fn stops_writing_for_good_when_a_write_can_not_be_taken_back() {
    let medium = MemoryMedium::new();
    let faults = FaultMedium::over(Arc::new(medium.clone()));
    let (store, _) = open_on(Arc::clone(&faults) as _, &options()).unwrap();
    store.commit(Timestamp(0), &group(0)).unwrap();
    faults.fail_once(Operation::Write, "segment", 0, Fault::Error(ErrorKind::Other));
    faults.fail_once(Operation::SetLength, "segment", 0, Fault::Error(ErrorKind::Other));
    assert!(matches!(store.commit(Timestamp(1), &group(1)), Err(CommitError::Poisoned)));
    assert!(matches!(store.commit(Timestamp(1), &group(1)), Err(CommitError::Poisoned)));
    assert_eq!(assert_holds(&*store, 1), 1);
}

#[test]
fn stops_writing_for_good_after_a_failed_flush_and_reads_on() {
    let medium = MemoryMedium::new();
    let faults = FaultMedium::over(Arc::new(medium.clone()));
    let (store, _) = open_on(Arc::clone(&faults) as _, &options()).unwrap();
    for number in 0..5 {
        store.commit(Timestamp(number), &group(number)).unwrap();
    }
    faults.fail_once(Operation::Sync, "segment", 0, Fault::Error(ErrorKind::Other));
    assert!(matches!(store.commit(Timestamp(5), &group(5)), Err(CommitError::Poisoned)));
    assert_eq!(store.health(), Health::Poisoned);
    assert!(!store.health().takes_writes());
    // The disk works again, but what it holds is unknown.
    let flushes = faults.count(Operation::Sync);
    for _ in 0..3 {
        assert!(matches!(store.commit(Timestamp(6), &group(5)), Err(CommitError::Poisoned)));
    }
    assert_eq!(faults.count(Operation::Sync), flushes);
    assert_eq!(assert_holds(&*store, 5), 5);
    drop(store);
    let (store, _) = open_image(&medium);
    assert_eq!(store.health(), Health::Writable);
    let holds = assert_holds(&*store, 5);
    store.commit(Timestamp(holds), &group(holds)).unwrap();
}

#[test]
fn stops_writing_for_good_when_a_new_segment_can_not_be_flushed() {
    for operation in [Operation::Sync, Operation::SyncDir] {
        let medium = MemoryMedium::new();
        let faults = FaultMedium::over(Arc::new(medium.clone()));
        let (store, _) = open_on(Arc::clone(&faults) as _, &options()).unwrap();
        let mut number = 0;
        let part = if operation == Operation::Sync { ".new" } else { "log" };
        faults.fail_always(operation, part, Fault::Error(ErrorKind::Other));
        let refused = loop {
            match store.commit(Timestamp(number), &group(number)) {
                Ok(_) => number += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, CommitError::Poisoned));
        faults.heal();
        assert!(matches!(store.commit(Timestamp(number), &group(number)), Err(CommitError::Poisoned)));
        assert_eq!(assert_holds(&*store, number), number);
        drop(store);
        let (store, recovery) = open_image(&medium.after_power_loss(Survives::Nothing));
        assert!(recovery.damage.is_empty());
        assert_eq!(assert_holds(&*store, number), number);
    }
}

#[test]
fn flushes_once_for_each_group() {
    let faults = FaultMedium::over(Arc::new(MemoryMedium::new()));
    let options = Options { segment_bytes: 1 << 20, ..options() };
    let (store, _) = open_on(Arc::clone(&faults) as _, &options).unwrap();
    let (writes, flushes) = (faults.count(Operation::Write), faults.count(Operation::Sync));
    for number in 0..50 {
        store.commit(Timestamp(number), &group(number)).unwrap();
    }
    assert_eq!(faults.count(Operation::Write) - writes, 50);
    assert_eq!(faults.count(Operation::Sync) - flushes, 50);
}

#[test]
fn keeps_finding_keys_when_runs_can_not_be_made() {
    let medium = MemoryMedium::new();
    let faults = FaultMedium::over(Arc::new(medium.clone()));
    let (store, _) = open_on(Arc::clone(&faults) as _, &options()).unwrap();
    // Runs end in .run and are made under .new: refuse their renaming alone.
    faults.fail_always(Operation::Rename, ".run", Fault::Error(ErrorKind::Other));
    let mut number = 0;
    while store.statistics().segments < 4 {
        store.commit(Timestamp(number), &group(number)).unwrap();
        number += 1;
    }
    assert_eq!(store.statistics().runs, 0);
    assert!(store.statistics().run_failures > 0);
    assert_eq!(assert_holds(&*store, number), number);
    faults.heal();
    while store.statistics().segments < 9 {
        store.commit(Timestamp(number), &group(number)).unwrap();
        number += 1;
    }
    assert_eq!(store.statistics().runs_pending, 0);
    assert_eq!(assert_holds(&*store, number), number);
    drop(store);
    let (store, recovery) = open_image(&medium);
    assert_eq!(recovery.runs_remade, 0);
    assert_eq!(assert_holds(&*store, number), number);
}

#[test]
fn opens_and_finds_when_runs_can_not_be_made_anew() {
    let medium = MemoryMedium::new();
    let (store, _) = open_image(&medium);
    for number in 0..60 {
        store.commit(Timestamp(number), &group(number)).unwrap();
    }
    assert!(store.statistics().runs > 2);
    drop(store);
    // Some of the runs are gone and can not be made: what older and newer runs say must not hide what memory says.
    let runs: Vec<_> = medium.paths().into_iter().filter(|path| path.extension().is_some_and(|e| e == "run")).collect();
    for lost in &runs {
        let image = medium.after_power_loss(Survives::Everything);
        waymark_store::medium::Medium::remove(&image, lost).unwrap();
        let faults = FaultMedium::over(Arc::new(image));
        faults.fail_always(Operation::Rename, ".run", Fault::Error(ErrorKind::Other));
        let (store, recovery) = open_on(faults, &options()).unwrap();
        assert_eq!(recovery.runs_remade, 0);
        assert!(store.statistics().runs_pending > 0);
        assert_eq!(assert_holds(&*store, 60), 60);
    }
    assert!(runs.len() > 2);
}

#[test]
fn keeps_the_number_of_runs_small_over_a_thousand_segments() {
    let medium = MemoryMedium::new();
    let (store, _) = open_image(&medium);
    let filler = "f".repeat(3600);
    for number in 0..1000_u64 {
        let key = format!("key {}", number % 600);
        store.commit(Timestamp(number), &puts(&[(&key, &format!("{number} {filler}"))])).unwrap();
    }
    let statistics = store.statistics();
    assert_eq!(statistics.segments, 1000);
    assert!(statistics.runs <= 15, "{} runs", statistics.runs);
    for key in 0..600_u64 {
        let latest = if key < 400 { key + 600 } else { key };
        assert!(
            body_of(&*store, format!("key {key}").as_bytes()).unwrap().starts_with(format!("{latest} ").as_bytes())
        );
    }
    assert_eq!(live(&*store).len(), 600);
    drop(store);
    assert_sound(&medium);
    let (store, recovery) = open_image(&medium);
    assert_eq!((recovery.runs_remade, recovery.entries_scanned), (0, 1), "runs are loaded, records are not");
    assert_eq!(live(&*store).len(), 600);
}

#[test]
fn keeps_up_in_the_background() {
    let medium = MemoryMedium::new();
    let options = Options { upkeep: Upkeep::Background, ..options() };
    let (store, _) = open_on(Arc::new(medium.clone()), &options).unwrap();
    for number in 0..300 {
        store.commit(Timestamp(number), &group(number)).unwrap();
        assert!(store.statistics().runs_pending <= 4);
    }
    assert_eq!(assert_holds(&*store, 300), 300);
    store.close().unwrap();
    drop(store);
    assert_sound(&medium);
    let (store, recovery) = open_image(&medium);
    assert!(recovery.runs_remade <= 4);
    assert_eq!(assert_holds(&*store, 300), 300);
}

#[test]
fn begins_no_second_store_where_the_identity_is_lost() {
    let medium = MemoryMedium::new();
    drop(open_image(&medium));
    waymark_store::medium::Medium::remove(&medium, &Path::new(DIR).join("identity")).unwrap();
    let refused = open_on(Arc::new(medium), &options()).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
}
