//! A flipped byte in anything covered: found by the check with its place, and never served.
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

#[path = "../common/mod.rs"]
mod common;
mod log;
mod sled;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use common::{Plain, puts, small_options};
use waymark_store::check::{CheckSummary, Finding, Part};
use waymark_store::fault::MemoryMedium;
use waymark_store::{
    DamagedKey, EntryKind, FollowError, Group, OpenError, Place, ReadError, Serial, Store, Timestamp, check_on, open_on,
};

const DIR: &str = "/store";

/// Places and content of a store, to compare with later.
type Content = BTreeMap<Place, Plain>;

fn content(store: &dyn Store) -> Content {
    let mut content = Content::new();
    store
        .follow(Serial::NONE, &mut |entry| {
            content.insert(entry.place, Plain::of(entry));
            ControlFlow::Continue(())
        })
        .unwrap();
    content
}

/// A small log with several segments, a run each, one merged run, and a blob.
fn sample() -> (MemoryMedium, Content) {
    let medium = MemoryMedium::new();
    let (store, _) = open_on(Arc::new(medium.clone()), &small_options(Path::new(DIR))).unwrap();
    let mut number = 0_u64;
    while store.statistics().segments < 8 {
        let mut group = Group::new();
        for part in 0..3 {
            let key = format!("key {:02}", (number * 3 + part) % 31);
            let kind = if number % 5 == 4 { EntryKind::DELETE } else { EntryKind::PUT };
            let body = format!("{number} {part} ").repeat(40);
            group.push(kind, key.as_bytes(), b"actor", Serial(number), body.as_bytes()).unwrap();
        }
        store.commit(Timestamp(1000 + number), &group).unwrap();
        number += 1;
    }
    store.commit(Timestamp(5000), &puts(&[("the last", "group"), ("key 30", "new")])).unwrap();
    store.blobs().write_atomically("index", 3, &b"snapshot ".repeat(60)).unwrap();
    assert!(store.statistics().runs >= 3);
    let content = content(&*store);
    (medium, content)
}

fn findings_of(medium: &MemoryMedium) -> (Vec<Finding>, Result<CheckSummary, OpenError>) {
    let mut findings = Vec::new();
    let summary = check_on(medium, Path::new(DIR), &mut |finding| findings.push(finding));
    (findings, summary)
}

/// Whatever is read agrees with what was written; damage is said to be damage.
fn assert_serves_nothing_wrong(store: &dyn Store, content: &Content) {
    let mut buffer = Vec::new();
    for (place, plain) in content {
        match store.read(*place, &mut buffer) {
            Ok(entry) => assert_eq!(Plain::of(&entry), *plain),
            Err(ReadError::Damaged { .. } | ReadError::NoSuchPlace(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    let keys: BTreeSet<_> = content.values().map(|plain| &plain.key).collect();
    for key in keys {
        if let Ok(Some(place)) = store.find(key)
            && let Ok(entry) = store.read(place, &mut buffer)
        {
            assert_eq!(Plain::of(&entry), content[&place], "what is found is what was written");
            assert_eq!(entry.key, key.as_slice());
        }
    }
    let mut expected = content.values();
    let followed = store.follow(Serial::NONE, &mut |entry| {
        assert_eq!(Plain::of(entry), *expected.next().unwrap());
        ControlFlow::Continue(())
    });
    assert!(matches!(followed, Ok(_) | Err(FollowError::Damaged { .. })), "{followed:?}");
    assert_follows_around_damage(store, content);
    assert_finds_serials_and_times(store, content);
    let mut seen = BTreeSet::new();
    let scanned = store.scan_keys(b"", b"", &mut |entry| {
        match entry {
            Ok(entry) => {
                assert_eq!(Plain::of(entry), content[&entry.place]);
                assert!(seen.insert(entry.key.to_vec()), "each key once");
            }
            Err(DamagedKey { key, error, .. }) => {
                assert!(!matches!(error, ReadError::Io { .. }), "{error}");
                assert!(seen.insert(key.to_vec()));
            }
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(scanned, Ok(()) | Err(ReadError::Damaged { .. })));
}

/// Entries are found by serial unless damaged, in any order, and the first of a time with no early entry that can be read behind it.
fn assert_finds_serials_and_times(store: &dyn Store, content: &Content) {
    let mut buffer = Vec::new();
    let (mut times, mut damaged) = (Vec::new(), BTreeSet::new());
    for plain in content.values().rev().filter(|plain| plain.serial <= store.last().serial.0) {
        match store.read_serial(Serial(plain.serial), &mut buffer) {
            Ok(entry) => {
                assert_eq!(Plain::of(&entry.unwrap()), *plain);
                times.push((plain.serial, plain.time));
            }
            Err(FollowError::Damaged { resume_after, .. }) => {
                assert!(resume_after.0 >= plain.serial);
                damaged.insert(plain.time);
            }
            Err(other) => panic!("{other}"),
        }
    }
    // Each group has a time of its own, and damaged ones may count as late.
    times.retain(|(_, time)| !damaged.contains(time));
    for time in [0, 1000, 1007, 1008, 5000, 5001] {
        let first = store.serial_at(Timestamp(time)).unwrap().0;
        assert!(times.iter().all(|(serial, found)| (*serial < first) == (*found < time)), "{first} for {time}");
    }
}

/// A follower that goes on behind each damage gets to the end, and meets everything that is not part of a damaged group.
fn assert_follows_around_damage(store: &dyn Store, content: &Content) {
    let (mut after, mut seen, mut skipped) = (Serial::NONE, BTreeSet::new(), 0);
    loop {
        let followed = store.follow(after, &mut |entry| {
            assert!(entry.serial > after);
            after = entry.serial;
            assert_eq!(Plain::of(entry), content[&entry.place]);
            seen.insert(entry.serial);
            ControlFlow::Continue(())
        });
        match followed {
            Ok(_) => break,
            Err(FollowError::Damaged { resume_after, .. }) => {
                assert!(resume_after > after && resume_after <= store.last().serial);
                skipped += resume_after.0 - after.0;
                after = resume_after;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(after, store.last().serial);
    assert_eq!(seen.len() as u64 + skipped, store.last().serial.0);
    // The groups of the sample have two or three entries, and one flipped byte damages one of them.
    assert!(skipped <= 3, "{skipped} skipped");
}

fn part_of(path: &Path) -> &'static [Part] {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("log") => &[Part::SegmentHeader, Part::Group, Part::Entry, Part::UnusedRoom, Part::Tail],
        Some("run") => &[Part::Run],
        Some("blob") => &[Part::Blob],
        _ => &[Part::Identity],
    }
}

/// Identity bytes of a store whose random parts are fixed.
fn fixed_identity() -> Vec<u8> {
    let mut out = b"WMIDENTY".to_vec();
    out.extend_from_slice(&1_u32.to_le_bytes());
    out.extend_from_slice(&1_u32.to_le_bytes());
    out.extend_from_slice(&[1; 16]);
    out.extend_from_slice(&[2; 16]);
    out.extend_from_slice(&0_u64.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let checksum = crc32c::crc32c(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}
