//! A store written by format version 1 is read by every later program.
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

use std::path::{Path, PathBuf};

use common::{Plain, body_of, live, puts, sequence, small_options};
use waymark_store::{EntryKind, Group, Options, Serial, Store, Timestamp, check, open};

/// The entries of the fixture, by group.
fn groups() -> Vec<(u64, Group)> {
    (0..14_u64)
        .map(|number| {
            let mut group = Group::new();
            let own = format!("20.500.1/OWN-{number}");
            let body = format!("record {number} ").repeat(50);
            group.push(EntryKind::PUT, own.as_bytes(), b"import", Serial::NONE, body.as_bytes()).unwrap();
            let previous = Serial(if number == 0 { 0 } else { number * 3 - 1 });
            let kind = if number % 5 == 3 { EntryKind::DELETE } else { EntryKind::PUT };
            group.push(kind, b"20.500.1/SHARED", b"operator", previous, &[number as u8; 9]).unwrap();
            group.push(EntryKind::NOTE, b"", b"", Serial::NONE, b"mark").unwrap();
            (1_700_000_000_000 + number * 1000, group)
        })
        .collect()
}

fn expected() -> Vec<Plain> {
    let mut all: Vec<Plain> = Vec::new();
    for (time, group) in groups() {
        for draft in group.entries() {
            all.push(Plain {
                serial: all.len() as u64 + 1,
                time,
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

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/v1")
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn fill(store: &dyn Store) {
    for (time, group) in groups() {
        store.commit(Timestamp(time), &group).unwrap();
    }
    store.blobs().write_atomically("index", 7, b"content of version 7").unwrap();
}

#[test]
fn reads_a_store_of_format_version_1() {
    let dir = tempfile::tempdir().unwrap();
    copy_folder(&fixture(), dir.path());
    let mut findings = Vec::new();
    let summary = check(dir.path(), &mut |finding| findings.push(finding)).unwrap();
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!((summary.entries, summary.blobs, summary.last), (42, 1, Serial(42)));
    assert!(summary.segments >= 3 && summary.runs >= 1);
    let (store, recovery) = open(&Options { create: false, ..small_options(dir.path()) }).unwrap();
    assert!(!recovery.created && recovery.damage.is_empty() && recovery.torn.is_none());
    assert_eq!(recovery.runs_remade, 0);
    assert_eq!(sequence(&*store), expected());
    assert_eq!(live(&*store).len(), 14, "the shared key is deleted at the end");
    assert_eq!(body_of(&*store, b"20.500.1/SHARED"), None);
    assert!(body_of(&*store, b"20.500.1/OWN-13").unwrap().starts_with(b"record 13 "));
    assert_eq!(store.blobs().read_verified("index").unwrap(), Some((7, b"content of version 7".to_vec())));
    store.commit(Timestamp(1), &puts(&[("one", "more")])).unwrap();
    assert_eq!(store.last().serial, Serial(43));
}

#[test]
fn writes_format_version_1_byte_for_byte() {
    // With the fixture's identity, the same commits make the same bytes.
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(fixture().join("identity"), dir.path().join("identity")).unwrap();
    let (store, _) = open(&small_options(dir.path())).unwrap();
    fill(&*store);
    drop(store);
    for part in ["log", "blobs"] {
        for entry in std::fs::read_dir(fixture().join(part)).unwrap() {
            let path = entry.unwrap().path();
            let written = std::fs::read(dir.path().join(part).join(path.file_name().unwrap())).unwrap();
            assert_eq!(written, std::fs::read(&path).unwrap(), "{}", path.display());
        }
    }
}

/// Makes the fixture, once for each format version: `cargo test -p waymark-store --test fixture -- --ignored`.
#[test]
#[ignore = "writes the fixture into the source tree"]
fn write_the_fixture() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&small_options(dir.path())).unwrap();
    fill(&*store);
    drop(store);
    assert!(!fixture().exists(), "a fixture is never written again");
    for part in ["log", "blobs"] {
        copy_folder(&dir.path().join(part), &fixture().join(part));
    }
    std::fs::copy(dir.path().join("identity"), fixture().join("identity")).unwrap();
}
