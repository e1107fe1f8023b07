//! The end of a log: a write that was cut short is cut off, damage of what had been durable is not.
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
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Plain, body_of, puts, sequence, small_options};
use waymark_store::check::{Finding, Part, Remedy};
use waymark_store::fault::{Fault, FaultMedium, MemoryMedium, Operation, Survives};
use waymark_store::{
    CommitError, FollowError, OpenError, Options, Recovery, Serial, Store, Timestamp, check_on, open, open_on,
};

const DIR: &str = "/store";
const GROUPS: u64 = 9;
/// Serial of the last of [`GROUPS`] groups of two entries.
const LAST: u64 = 2 * GROUPS;

fn options() -> Options {
    Options { segment_bytes: 1 << 14, ..small_options(Path::new(DIR)) }
}

fn open_image(medium: &MemoryMedium) -> (Arc<dyn Store>, Recovery) {
    open_on(Arc::new(medium.clone()), &options()).unwrap()
}

fn findings(medium: &MemoryMedium) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_on(medium, Path::new(DIR), &mut |finding| findings.push(finding)).unwrap();
    findings
}

fn commit(store: &dyn Store, number: u64) -> Serial {
    let (key, body) = (format!("key {number}"), format!("body {number} ").repeat(30));
    store.commit(Timestamp(1_000 + number), &puts(&[(&key, &body), ("same", &body)])).unwrap().last
}

/// A log of some groups in one segment, closed in order: the medium, the segment and the offset of its last group.
fn closed() -> (MemoryMedium, PathBuf, usize) {
    let medium = MemoryMedium::new();
    let (store, _) = open_image(&medium);
    for number in 0..GROUPS {
        commit(&*store, number);
    }
    store.close().unwrap();
    drop(store);
    let segment = segments(&medium).pop().unwrap();
    let content = medium.content(&segment).unwrap();
    let last = content.windows(4).rposition(|bytes| bytes == b"WMgr").unwrap();
    (medium, segment, last)
}

fn segments(medium: &MemoryMedium) -> Vec<PathBuf> {
    medium.paths().into_iter().filter(|path| path.extension().is_some_and(|found| found == "log")).collect()
}

fn mark() -> PathBuf {
    Path::new(DIR).join("log/closed.end")
}

/// What can be followed, and how many entries can not.
fn readable(store: &dyn Store) -> (Vec<Plain>, u64) {
    let (mut after, mut all, mut skipped) = (Serial::NONE, Vec::new(), 0);
    loop {
        let followed = store.follow(after, &mut |entry| {
            after = entry.serial;
            all.push(Plain::of(entry));
            ControlFlow::Continue(())
        });
        match followed {
            Ok(_) => return (all, skipped),
            Err(FollowError::Damaged { resume_after, .. }) => {
                skipped += resume_after.0 - after.0;
                after = resume_after;
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// The last group is damaged: that is said, nothing is cut or served of it, and the log goes on with serials nobody was told.
fn assert_goes_on_behind(medium: &MemoryMedium, segment: &Path, group_at: usize, whole: &[Plain]) {
    let before = medium.content(segment).unwrap();
    let found = findings(medium);
    let of_group = |finding: &Finding| finding.part == Part::Group && finding.offset == group_at as u64;
    assert!(found.iter().any(|finding| of_group(finding) && finding.remedy == Remedy::Restore), "{found:?}");
    assert!(found.iter().all(|finding| finding.part != Part::Tail));

    let (store, recovery) = open_image(medium);
    assert!(recovery.torn.is_none());
    assert!(recovery.damage.iter().any(|finding| finding.file == segment && of_group(finding)), "{recovery:?}");
    assert_eq!(medium.content(segment).unwrap(), before, "not a byte of it is changed");
    assert_eq!(store.last().serial, Serial(LAST));
    assert!(store.last().time >= Timestamp(1_000 + GROUPS - 1), "time does not go back");
    assert_eq!(readable(&*store), (whole[..LAST as usize - 2].to_vec(), 2));
    let mut buffer = Vec::new();
    for plain in whole {
        match store.read_serial(Serial(plain.serial), &mut buffer) {
            Ok(entry) => assert_eq!(Plain::of(&entry.unwrap()), *plain),
            Err(error) => assert!(matches!(error, FollowError::Damaged { .. }) && plain.serial > LAST - 2),
        }
    }

    assert_eq!(commit(&*store, 50), Serial(LAST + 2));
    drop(store);
    for _ in 0..2 {
        let (store, recovery) = open_image(medium);
        assert!(recovery.torn.is_none());
        assert_eq!(store.last().serial, Serial(LAST + 2));
        assert!(body_of(&*store, b"key 50").unwrap().starts_with(b"body 50 "));
        let (all, skipped) = readable(&*store);
        assert_eq!((all.len() as u64, skipped), (LAST, 2));
    }
    assert!(findings(medium).iter().any(of_group), "and stays known");
}

#[test]
fn tells_any_damage_of_the_last_group_from_a_torn_write_after_an_orderly_close() {
    let (medium, segment, group_at) = closed();
    let whole = sequence(&*open_image(&medium).0);
    let content = medium.content(&segment).unwrap();
    let end = content.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for at in (group_at..end).step_by(7) {
        let image = medium.after_power_loss(Survives::Everything);
        assert!(image.flip(&segment, at, 0x20));
        assert_goes_on_behind(&image, &segment, group_at, &whole);
    }
    // All of it gone, as zeros.
    let image = medium.after_power_loss(Survives::Everything);
    let mut zeros = content;
    zeros[group_at..].fill(0);
    image.set_content(&segment, zeros);
    assert_goes_on_behind(&image, &segment, group_at, &whole);
}

#[test]
fn goes_on_behind_damage_whenever_the_power_fails_on_the_way() {
    let (medium, segment, group_at) = closed();
    let whole = sequence(&*open_image(&medium).0);
    assert!(medium.flip(&segment, group_at + 50, 1));
    let (mut changes, mut ended) = (0, false);
    while !ended {
        let image = medium.after_power_loss(Survives::Everything);
        let faults = FaultMedium::over(Arc::new(image.clone()));
        faults.cut_power_after(changes);
        ended = open_on(Arc::clone(&faults) as _, &options()).is_ok_and(|_| !faults.is_dark());
        for survives in [Survives::Nothing, Survives::Everything] {
            let after = image.after_power_loss(survives);
            let (store, recovery) = open_image(&after);
            assert!(recovery.torn.is_none(), "{changes} changes");
            assert_eq!(readable(&*store), (whole[..LAST as usize - 2].to_vec(), 2));
            assert_eq!(commit(&*store, 50), Serial(LAST + 2));
        }
        changes += 1;
    }
    assert!(changes > 5, "{changes}");
}

#[test]
fn still_cuts_every_length_of_an_unfinished_group_behind_an_orderly_close() {
    let (medium, _, _) = closed();
    let faults = FaultMedium::over(Arc::new(medium.clone()));
    let (store, _) = open_on(Arc::clone(&faults) as _, &options()).unwrap();
    let whole = sequence(&*store);
    faults.fail_once(Operation::Sync, "segment", 0, Fault::Error(ErrorKind::Other));
    let group = puts(&[("torn", &"t".repeat(1_200))]);
    assert!(matches!(store.commit(Timestamp(2_000), &group), Err(CommitError::Poisoned)));
    drop(store);
    let unsynced = medium.unsynced();
    assert!(unsynced > 1_200);
    for bytes in (0..=unsynced).step_by(3).chain([unsynced]) {
        let image = medium.after_power_loss(Survives::Bytes(bytes));
        let (store, recovery) = open_image(&image);
        assert!(recovery.damage.is_empty(), "{bytes} bytes: {:?}", recovery.damage);
        let found = sequence(&*store);
        assert_eq!(found[..LAST as usize], whole);
        assert_eq!(recovery.torn.is_some(), bytes > 0 && found.len() as u64 == LAST);
        commit(&*store, 60);
        drop(store);
        assert!(findings(&image).is_empty());
    }
}

#[test]
fn finds_no_damage_whenever_the_power_fails_around_a_close() {
    let (mut changes, mut ended) = (0, false);
    while !ended {
        let medium = MemoryMedium::new();
        let faults = FaultMedium::over(Arc::new(medium.clone()));
        faults.cut_power_after(changes);
        let mut acknowledged = 0;
        for round in 0..3 {
            let Ok((store, _)) = open_on(Arc::clone(&faults) as _, &options()) else { break };
            for number in 0..2 {
                let group = puts(&[("key", &format!("{round} {number} ").repeat(100))]);
                acknowledged += u64::from(store.commit(Timestamp(round), &group).is_ok());
            }
            let _ = store.close();
        }
        ended = !faults.is_dark();
        for seed in 1..=6_u64 {
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
            let (store, recovery) = open_image(&image);
            assert!(recovery.damage.is_empty(), "{changes} changes: {:?}", recovery.damage);
            let held = sequence(&*store).len() as u64;
            assert!(held == acknowledged || held == acknowledged + 1, "{held} of {acknowledged}");
            drop(store);
            assert!(findings(&image).is_empty());
        }
        changes += 1;
    }
    assert!(changes > 30, "{changes}");
}

#[test]
fn reports_a_newest_segment_that_is_gone_and_gives_none_of_its_serials_again() {
    let medium = MemoryMedium::new();
    let small = small_options(Path::new(DIR));
    let (store, _) = open_on(Arc::new(medium.clone()), &small).unwrap();
    let mut last = Serial::NONE;
    for number in 0..30 {
        last = commit(&*store, number);
    }
    let before = sequence(&*store);
    drop(store);
    let newest = segments(&medium).pop().unwrap();
    waymark_store::medium::Medium::remove(&medium, &newest).unwrap();
    assert!(findings(&medium).iter().any(|finding| finding.part == Part::Group));
    let (store, recovery) = open_on(Arc::new(medium.clone()), &small).unwrap();
    assert!(!recovery.damage.is_empty());
    assert_eq!(store.last().serial, last);
    let (all, skipped) = readable(&*store);
    assert!(skipped > 0);
    assert_eq!(all, before[..before.len() - skipped as usize]);
    assert_eq!(commit(&*store, 40), Serial(last.0 + 2));
    drop(store);

    // And of all of them.
    for segment in segments(&medium) {
        waymark_store::medium::Medium::remove(&medium, &segment).unwrap();
    }
    assert!(findings(&medium).iter().any(|finding| finding.part == Part::Sequence));
    let (store, recovery) = open_on(Arc::new(medium.clone()), &small).unwrap();
    assert!(recovery.damage.iter().any(|finding| finding.part == Part::Sequence));
    assert_eq!(commit(&*store, 41), Serial(last.0 + 4));
}

#[test]
fn reports_a_damaged_mark_and_makes_it_again() {
    let (medium, _, _) = closed();
    for at in 0..medium.content(&mark()).unwrap().len() {
        let image = medium.after_power_loss(Survives::Everything);
        assert!(image.flip(&mark(), at, 2));
        let found = findings(&image);
        assert_eq!(found.len(), 1, "byte {at}: {found:?}");
        assert_eq!((found[0].part, found[0].remedy), (Part::EndMark, Remedy::RemoveFile));
        let (store, recovery) = open_image(&image);
        assert_eq!(recovery.damage.len(), 1);
        assert_eq!(sequence(&*store).len() as u64, LAST);
        drop(store);
        assert!(findings(&image).is_empty());
    }
}

#[test]
fn refuses_a_mark_of_a_later_version() {
    let (medium, _, _) = closed();
    let mut later = b"WMLOGEND\x02\0\0\0\x24\0\0\0".to_vec();
    later.extend_from_slice(&[0; 16]);
    // CRC-32C of the 32 bytes before it.
    let checksum = crc32c(&later);
    later.extend_from_slice(&checksum.to_le_bytes());
    medium.set_content(&mark(), later);
    let refused = open_on(Arc::new(medium.clone()), &options()).unwrap_err();
    assert!(matches!(refused, OpenError::Version { found: 2, known: 1, .. }), "{refused}");
}

/// CRC-32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 })
    })
}

#[test]
fn takes_what_the_small_state_has_seen_as_durable() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { dir: dir.path().to_owned(), ..options() };
    let (store, _) = open(&options).unwrap();
    for number in 0..GROUPS {
        commit(&*store, number);
    }
    store.state().apply(Serial(LAST), &[]).unwrap();
    let whole = sequence(&*store);
    drop(store);
    // As after a crash: the state has been flushed, the mark was never made.
    std::fs::remove_file(dir.path().join("log/closed.end")).unwrap();
    let log = std::fs::read_dir(dir.path().join("log")).unwrap().map(|entry| entry.unwrap().path());
    let segment = log.max().unwrap();
    let mut content = std::fs::read(&segment).unwrap();
    let group_at = content.windows(4).rposition(|bytes| bytes == b"WMgr").unwrap();
    content[group_at + 60] ^= 1;
    std::fs::write(&segment, content).unwrap();
    let (store, recovery) = open(&options).unwrap();
    assert!(recovery.torn.is_none());
    assert!(recovery.damage.iter().any(|finding| finding.part == Part::Group));
    assert_eq!(store.state().applied(), Serial(LAST), "it is not ahead of the log");
    assert_eq!(readable(&*store), (whole[..LAST as usize - 2].to_vec(), 2));
    assert_eq!(commit(&*store, 50), Serial(LAST + 2));
}

#[test]
fn writes_the_mark_only_where_something_was_committed() {
    let (medium, _, _) = closed();
    let faults = FaultMedium::over(Arc::new(medium));
    let (store, _) = open_on(Arc::clone(&faults) as _, &options()).unwrap();
    let before = faults.count(Operation::Create);
    store.close().unwrap();
    drop(store);
    assert_eq!(faults.count(Operation::Create), before);
}
