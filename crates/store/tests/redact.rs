//! Segments written anew: whole at any moment, right for readers of the old one, and smaller on the disk.
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
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Plain, sequence, small_options};
use waymark_store::check::Part;
use waymark_store::fault::{Fault, FaultMedium, MemoryMedium, Operation, Survives};
use waymark_store::{
    CommitError, Engine, EntryKind, Group, Options, RedactError, Redacted, Serial, Store, Timestamp, check, check_on,
    open, open_on,
};

const DIR: &str = "/store";

fn options() -> Options {
    small_options(Path::new(DIR))
}

/// Commits groups of a record and a note.
fn fill(store: &dyn Store, groups: u64, note_bytes: usize) {
    for number in 0..groups {
        let mut group = Group::new();
        let key = format!("key {}", number % 7);
        group.push(EntryKind::PUT, key.as_bytes(), b"actor", Serial::NONE, &[b'r'; 100]).unwrap();
        group.push(EntryKind::NOTE, b"", b"actor", Serial::NONE, &vec![b'n'; note_bytes]).unwrap();
        store.commit(Timestamp(number), &group).unwrap();
    }
}

fn sample() -> MemoryMedium {
    let medium = MemoryMedium::new();
    let (store, _) = open_on(Arc::new(medium.clone()), &options()).unwrap();
    fill(&*store, 30, 500);
    assert!(store.statistics().segments >= 5);
    medium
}

fn redact_all(store: &dyn Store) -> Result<Redacted, RedactError> {
    store.redact(Serial::NONE, Serial::MAX, &mut |_| Some(Vec::new()))
}

fn assert_sound(medium: &MemoryMedium) {
    let mut findings = Vec::new();
    check_on(medium, Path::new(DIR), &mut |finding| findings.push(finding.to_string())).unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
}

/// Every entry is as it was, but that notes may be zeros; returns how many are.
fn assert_only_notes_changed(store: &dyn Store, before: &[Plain]) -> u64 {
    let now = sequence(store);
    assert_eq!(now.len(), before.len());
    let mut changed = 0;
    for (now, before) in now.iter().zip(before) {
        if now != before {
            assert_eq!(before.kind, EntryKind::NOTE.number());
            assert_eq!(now.body, vec![0; before.body.len()]);
            assert_eq!(Plain { body: Vec::new(), ..now.clone() }, Plain { body: Vec::new(), ..before.clone() });
            changed += 1;
        }
    }
    changed
}

#[test]
fn leaves_the_old_or_the_new_segment_whole_whenever_the_power_fails() {
    let original = sample();
    let before = sequence(&*open_on(Arc::new(original.clone()), &options()).unwrap().0);
    let (mut changes, mut partly, mut ended) = (0, 0, false);
    while !ended {
        let medium = original.after_power_loss(Survives::Everything);
        let faults = FaultMedium::over(Arc::new(medium.clone()));
        let (store, _) = open_on(Arc::clone(&faults) as _, &options()).unwrap();
        faults.cut_power_after(changes);
        let done = redact_all(&*store);
        ended = done.is_ok();
        for seed in 1..=5_u64 {
            let mut state = seed * 0x9e37_79b9 + changes;
            let mut keep = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state % 3 > 0
            };
            let image = match seed {
                1 => medium.after_power_loss(Survives::Nothing),
                2 => medium.after_power_loss(Survives::Everything),
                _ => medium.after_power_loss(Survives::Sectors(&mut keep)),
            };
            let (after, recovery) = open_on(Arc::new(image.clone()), &options()).unwrap();
            assert!(recovery.damage.is_empty() && recovery.torn.is_none(), "{changes} changes: {recovery:?}");
            let changed = assert_only_notes_changed(&*after, &before);
            match &done {
                Ok(redacted) => assert_eq!(changed, redacted.entries, "what was reported done is durable"),
                Err(_) => partly += u64::from(changed > 0),
            }
            fill(&*after, 3, 10);
            drop(after);
            assert_sound(&image);
            assert!(image.paths().iter().all(|path| path.extension().is_none_or(|found| found != "new")));
        }
        changes += 1;
    }
    assert!(changes > 20 && partly > 10, "{changes} changes, {partly} images with a part done");
}

#[test]
fn serves_both_forms_to_readers_under_way() {
    let medium = sample();
    let (store, _) = open_on(Arc::new(medium.clone()), &options()).unwrap();
    let before = sequence(&*store);
    // A follower in the middle of a segment, while all of them are written anew.
    let mut seen = 0;
    store
        .follow(Serial::NONE, &mut |entry| {
            if entry.serial == Serial(3) {
                assert!(redact_all(&*store).unwrap().entries > 10);
            }
            seen += 1;
            assert_eq!(entry.serial.0, seen);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, before.len() as u64);
    // And a redaction that looks around while it is asked.
    let mut buffer = Vec::new();
    let redacted = store.redact(Serial::NONE, Serial::MAX, &mut |entry| {
        assert_eq!(store.read(entry.place, &mut buffer).unwrap().body, entry.body);
        Some(b"again".to_vec())
    });
    let redacted = redacted.unwrap();
    let now = sequence(&*store);
    let again = now.iter().filter(|plain| plain.body.starts_with(b"again\0")).count() as u64;
    assert_eq!(again, redacted.entries);
    drop(store);
    assert_sound(&medium);
}

#[test]
fn leaves_everything_as_it_was_when_the_disk_refuses() {
    let original = sample();
    let cases = [
        (Operation::Create, Fault::Error(ErrorKind::Other)),
        (Operation::SetLength, Fault::Error(ErrorKind::StorageFull)),
        (Operation::Write, Fault::Short { bytes: 30, error: ErrorKind::StorageFull }),
        (Operation::Sync, Fault::Error(ErrorKind::Other)),
        (Operation::Rename, Fault::Error(ErrorKind::Other)),
    ];
    for (operation, fault) in cases {
        let medium = original.after_power_loss(Survives::Everything);
        let faults = FaultMedium::over(Arc::new(medium.clone()));
        let (store, _) = open_on(Arc::clone(&faults) as _, &options()).unwrap();
        let before = sequence(&*store);
        faults.fail_once(operation, "segment", 0, fault);
        let refused = redact_all(&*store).unwrap_err();
        let full = matches!(fault, Fault::Error(ErrorKind::StorageFull) | Fault::Short { .. });
        assert_eq!(matches!(refused, RedactError::DiskFull), full, "{refused:?}");
        assert_eq!(sequence(&*store), before);
        assert!(medium.paths().iter().all(|path| path.extension().is_none_or(|found| found != "new")));
        // The old data was never at risk, so writing goes on, and so does the next try.
        fill(&*store, 1, 10);
        assert!(redact_all(&*store).unwrap().entries > 10);
        drop(store);
        assert_sound(&medium);
    }
}

#[test]
fn redacts_nothing_once_a_flush_has_failed() {
    let faults = FaultMedium::over(Arc::new(sample()));
    let (store, _) = open_on(Arc::clone(&faults) as _, &options()).unwrap();
    faults.fail_once(Operation::Sync, "segment", 0, Fault::Error(ErrorKind::Other));
    let mut group = Group::new();
    group.push(EntryKind::NOTE, b"", b"", Serial::NONE, b"x").unwrap();
    assert!(matches!(store.commit(Timestamp(99), &group), Err(CommitError::Poisoned)));
    assert!(matches!(redact_all(&*store), Err(RedactError::Poisoned)));
}

#[test]
fn leaves_damaged_groups_as_they_are_and_says_how_many() {
    let medium = sample();
    let segment = medium.paths().into_iter().find(|path| path.extension().is_some_and(|found| found == "log")).unwrap();
    assert!(medium.flip(&segment, 64 + 32 + 50, 1));
    let (store, _) = open_on(Arc::new(medium.clone()), &options()).unwrap();
    let redacted = redact_all(&*store).unwrap();
    assert_eq!(redacted.damaged, 1);
    drop(store);
    let mut findings = Vec::new();
    check_on(&medium, Path::new(DIR), &mut |finding| findings.push((finding.part, finding.offset))).unwrap();
    assert_eq!(findings, [(Part::Group, 64), (Part::Entry, 96)], "still found where it was");
    // Whole bodies, not single bytes: a random one of the header or of a checksum may look like one of a body.
    let content = medium.content(&segment).unwrap();
    assert_eq!(content.windows(500).filter(|bytes| bytes.iter().all(|byte| *byte == b'n')).count(), 1);
}

#[test]
fn frees_the_room_of_what_is_redacted() {
    for engine in [Engine::Log, Engine::Sled] {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { engine, segment_bytes: 1 << 20, ..small_options(dir.path()) };
        let (store, _) = open(&options).unwrap();
        fill(&*store, 30, 120_000);
        let on_disk = || {
            let files = std::fs::read_dir(dir.path().join("log")).into_iter().flatten();
            files.map(|file| file.unwrap().metadata().unwrap().blocks() * 512).sum::<u64>()
        };
        let before = on_disk();
        let redacted = redact_all(&*store).unwrap();
        assert!(redacted.bytes > 2_000_000);
        if engine == Engine::Log {
            let freed = before - on_disk();
            // Up to a block at either end of each body stays.
            assert!(freed > redacted.bytes * 9 / 10, "{freed} of {} bytes freed", redacted.bytes);
        }
        drop(store);
        let mut findings = Vec::new();
        check(dir.path(), &mut |finding| findings.push(finding)).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
        let (store, recovery) = open(&options).unwrap();
        assert!(recovery.damage.is_empty());
        assert_eq!(sequence(&*store).len(), 60);
    }
}

#[test]
fn writes_the_same_bytes_but_for_bodies_and_checksums() {
    let medium = sample();
    let segments = |medium: &MemoryMedium| -> Vec<(PathBuf, Vec<u8>)> {
        let paths = medium.paths().into_iter().filter(|path| path.extension().is_some_and(|found| found == "log"));
        paths.map(|path| (path.clone(), medium.content(&path).unwrap())).collect()
    };
    let before = segments(&medium);
    let (store, _) = open_on(Arc::new(medium.clone()), &options()).unwrap();
    redact_all(&*store).unwrap();
    drop(store);
    let after = segments(&medium);
    assert_eq!(before.last(), after.last(), "the newest is not touched");
    for ((path, before), (same, after)) in before.iter().zip(&after) {
        assert_eq!((path, before.len()), (same, after.len()));
        // Of each group with a note, the note's checksum and the group's.
        let differ = before.iter().zip(after).filter(|(old, new)| old != new && !(**old == b'n' && **new == 0)).count();
        let groups = before.windows(4).filter(|bytes| *bytes == b"WMgr").count();
        assert!(differ <= groups * 8, "{differ} bytes differ in {groups} groups");
    }
}
