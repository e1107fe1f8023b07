//! Damage on the disk and what is told around it: one damaged record ends neither a feed nor a list.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::*;
use waymark_catalog::{At, Catalog, ChangedWithin, FeedLimits, HistoryError, Progress, PutMode, Seen};
use waymark_ident::Handle;
use waymark_store::{Engine, FollowError, Serial, Timestamp};

/// The file under `dir` that holds `needle`, and where.
fn find(dir: &Path, needle: &[u8]) -> Option<(PathBuf, usize)> {
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(at) = fs::read(&path).unwrap().windows(needle.len()).position(|bytes| bytes == needle) {
                return Some((path, at));
            }
        }
    }
    None
}

/// Changes a byte of a file.
fn flip(path: &Path, at: usize) {
    use std::os::unix::fs::FileExt as _;
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at as u64).unwrap();
}

/// What was seen: serial and key of a change, or first and last serial of damage and its key.
#[derive(Clone, Debug, PartialEq)]
enum Met {
    Change(u64, String),
    Damage(u64, u64, Option<String>),
}

fn met(seen: &Seen<'_>) -> Met {
    let text = |key: &[u8]| String::from_utf8(key.to_vec()).unwrap();
    match seen {
        Seen::Change(change) => Met::Change(change.serial.0, text(change.key)),
        Seen::Damaged(damaged) => Met::Damage(damaged.first.0, damaged.last.0, damaged.key.map(text)),
    }
}

/// All there is, so many entries at a time.
fn feed(catalog: &Catalog, after: Serial, entries: usize) -> Vec<Met> {
    let (mut all, mut after) = (Vec::new(), after);
    let limits = FeedLimits { entries, ..FeedLimits::DEFAULT };
    while after < catalog.serial() {
        let mut note = |seen: &Seen<'_>| {
            all.push(met(seen));
            ControlFlow::Continue(())
        };
        let upto = catalog.changes(after, b"88.1/", limits, &mut note).unwrap();
        assert!(upto > after, "every call goes on");
        after = upto;
    }
    all
}

/// The records by their keys.
fn listed(catalog: &Catalog) -> Vec<Met> {
    let mut all = Vec::new();
    let mut note = |seen: &Seen<'_>| {
        all.push(met(seen));
        ControlFlow::Continue(())
    };
    catalog.cold().list(b"", b"88.1/", &mut note).unwrap();
    all
}

/// The records by the time of their last change, so many entries at a time.
fn listed_by_time(catalog: &Catalog, entries: usize) -> Vec<Met> {
    let within = ChangedWithin { prefix: b"88.1/", from: Timestamp(0), until: Timestamp::MAX };
    let limits = FeedLimits { entries, ..FeedLimits::DEFAULT };
    let (mut all, mut after) = (Vec::new(), Serial::NONE);
    loop {
        let mut note = |seen: &Seen<'_>| {
            all.push(met(seen));
            ControlFlow::Continue(())
        };
        let Progress { upto, end } = catalog.cold().list_changed(&within, after, limits, &mut note).unwrap();
        if end {
            return all;
        }
        after = upto;
    }
}

#[test]
fn a_damaged_record_is_told_by_its_serial_and_everything_around_it_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    let start = catalog.serial();
    // Five in one group, and one in the next.
    let group = ["a", "b", "needle", "d", "e"].map(|name| create(&format!("88.1/{name}"), &format!("text of {name}")));
    let first = write(&catalog, group.to_vec())[0].serial.0;
    let next = write(&catalog, vec![create("88.1/f", "u")])[0].serial.0;
    let change = |at: u64, name: &str| Met::Change(at, format!("88.1/{name}"));
    let sound = [change(first, "A"), change(first + 1, "B"), change(first + 2, "NEEDLE"), change(first + 3, "D")];
    assert_eq!(feed(&catalog, start, 100)[..4], sound);

    let (file, at) = find(dir.path(), b"text of needle").unwrap();
    flip(&file, at);
    let damage = |key: Option<&str>| Met::Damage(first + 2, first + 2, key.map(str::to_owned));
    let (e, f) = (change(first + 4, "E"), change(next, "F"));
    let around = [sound[0].clone(), sound[1].clone(), damage(None), sound[3].clone(), e.clone(), f.clone()];
    for entries in [1, 2, 3, 100] {
        assert_eq!(feed(&catalog, start, entries), around, "{entries} at a time");
        assert_eq!(listed_by_time(&catalog, entries), around, "{entries} at a time");
    }
    assert_eq!(feed(&catalog, Serial(first + 2), 100), around[3..], "behind it nothing is told of it");
    let named = damage(Some("88.1/NEEDLE"));
    let by_key = [sound[0].clone(), sound[1].clone(), sound[3].clone(), e, f, named];
    assert_eq!(listed(&catalog), by_key);
}

#[test]
fn a_group_that_cannot_be_found_is_told_of_as_a_whole_and_the_feed_goes_on_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    let start = catalog.serial();
    let names: Vec<String> = (0..40).map(|n| format!("88.1/{n:02}")).collect();
    let before = write(&catalog, vec![create("88.1/before", "u")])[0].serial.0;
    let receipts = write(&catalog, names.iter().map(|name| create(name, &format!("text of {name}"))).collect());
    let behind = write(&catalog, vec![create("88.1/behind", "u")])[0].serial.0;
    // The first byte of the group's header, which the length of the group stands in.
    let (file, at) = find(dir.path(), b"text of 88.1/00").unwrap();
    let bytes = fs::read(&file).unwrap();
    let header = bytes[..at].windows(4).rposition(|bytes| bytes == b"WMgr").unwrap();
    flip(&file, header);
    for entries in [1, 7, 1000] {
        let all = feed(&catalog, start, entries);
        assert_eq!(all.first(), Some(&Met::Change(before, "88.1/BEFORE".into())));
        assert_eq!(all.last(), Some(&Met::Change(behind, "88.1/BEHIND".into())));
        // The group ends with the note of the audit.
        let mut expected = receipts[0].serial.0;
        for met in &all[1..all.len() - 1] {
            let Met::Damage(first, last, None) = *met else { panic!("{met:?}") };
            assert_eq!(first, expected);
            expected = last + 1;
        }
        assert_eq!(expected, receipts[39].serial.0 + 2);
    }
    // The keys and places of its records are known from elsewhere, and their own bytes are sound.
    assert_eq!(listed(&catalog).len(), 42);
    assert!(listed(&catalog).iter().all(|met| matches!(met, Met::Change(..))));
}

#[test]
fn a_history_is_told_up_to_the_damage_and_then_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    let serial = |text: &str| write(&catalog, vec![put("88.1/a", text, PutMode::Replace)])[0].serial;
    let [_, two, three] = ["text of one", "text of two", "text of three"].map(serial);
    let (file, at) = find(dir.path(), b"text of two").unwrap();
    flip(&file, at);
    let handle = Handle::new(b"88.1/a").unwrap();
    let newest = catalog.cold().history(&handle, None, 10).unwrap();
    assert_eq!(newest.iter().map(|version| version.serial).collect::<Vec<_>>(), [three]);
    let error = catalog.cold().history(&handle, Some(three), 10).unwrap_err();
    let HistoryError::Follow(FollowError::Damaged { resume_after, .. }) = error else { panic!("{error}") };
    assert!(resume_after >= two);
    assert!(catalog.cold().fetch_at(&handle, At::Serial(three)).unwrap().is_some());
    assert!(catalog.cold().fetch_at(&handle, At::Serial(two)).is_err());
}
