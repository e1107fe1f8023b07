//! Numbers that are wrong under right checksums: nothing trusts them further than they can be checked.
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

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{puts, small_options};
use waymark_store::check::Part;
use waymark_store::fault::MemoryMedium;
use waymark_store::{Damage, Engine, FollowError, Options, Place, Serial, Store, Timestamp, check, open, open_on};

const DIR: &str = "/store";

fn open_log(medium: &MemoryMedium) -> Arc<dyn Store> {
    open_on(Arc::new(medium.clone()), &small_options(Path::new(DIR))).unwrap().0
}

/// The checksum of bytes that lie at a place of a store.
fn checksum(store_id: &[u8; 16], place: u64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(store_id), &place.to_le_bytes()), bytes)
}

fn file(medium: &MemoryMedium, ending: &str) -> PathBuf {
    medium.paths().into_iter().find(|path| path.to_str().unwrap().ends_with(ending)).unwrap()
}

/// Serials that can be followed, on behind each damage.
fn followed(store: &dyn Store) -> Vec<u64> {
    let (mut after, mut serials) = (Serial::NONE, Vec::new());
    loop {
        let outcome = store.follow(after, &mut |entry| {
            serials.push(entry.serial.0);
            ControlFlow::Continue(())
        });
        match outcome {
            Ok(_) => return serials,
            Err(FollowError::Damaged { resume_after, .. }) => after = resume_after,
            Err(other) => panic!("{other}"),
        }
    }
}

/// A group whose header says it is longer than it is.
fn with_a_group_that_is_too_long(medium: &MemoryMedium, store_id: &[u8; 16]) {
    let path = file(medium, ".log");
    let mut content = medium.content(&path).unwrap();
    // The first group begins behind the segment's header.
    let group = &mut content[64..];
    group[4..8].copy_from_slice(&(1_u32 << 24).to_le_bytes());
    let sum = checksum(store_id, 64, &group[..28]);
    group[28..32].copy_from_slice(&sum.to_le_bytes());
    medium.set_content(&path, content);
}

#[test]
fn a_group_that_says_it_is_longer_hides_none_of_those_behind_it() {
    let medium = MemoryMedium::new();
    let store = open_log(&medium);
    for key in ["a", "b", "c"] {
        store.commit(Timestamp(1), &puts(&[(key, "body"), (key, "body")])).unwrap();
    }
    let store_id = store.identity().store_id;
    drop(store);
    with_a_group_that_is_too_long(&medium, &store_id);
    let store = open_log(&medium);
    assert_eq!(followed(&*store), [3, 4, 5, 6]);
    store.commit(Timestamp(2), &puts(&[("d", "acknowledged")])).unwrap();
    assert_eq!(followed(&*store), [3, 4, 5, 6, 7]);
}

#[test]
fn an_end_mark_that_speaks_of_impossible_serials_or_places_is_damage() {
    for (at, number) in [(32, Serial::MAX.0 + 1), (32, u64::MAX), (40, Place::END + 1), (40, u64::MAX)] {
        let medium = MemoryMedium::new();
        let store = open_log(&medium);
        store.commit(Timestamp(1), &puts(&[("a", "body")])).unwrap();
        drop(store);
        let path = file(&medium, ".end");
        let mut mark = medium.content(&path).unwrap();
        mark[at..at + 8].copy_from_slice(&number.to_le_bytes());
        let sum = crc32c::crc32c(&mark[..60]);
        mark[60..64].copy_from_slice(&sum.to_le_bytes());
        medium.set_content(&path, mark);
        let (store, recovery) = open_on(Arc::new(medium.clone()), &small_options(Path::new(DIR))).unwrap();
        assert_eq!((recovery.damage[0].part, recovery.damage[0].what), (Part::EndMark, Damage::Structure));
        assert_eq!(
            store.commit(Timestamp(2), &puts(&[("b", "body")])).unwrap().first,
            Serial(2),
            "goes on behind the last"
        );
    }
}

/// A store kept by sled, of which the end says it goes on up to `last`.
fn sled_up_to(dir: &Path, last: u64) -> Options {
    let options = Options { engine: Engine::Sled, ..small_options(dir) };
    let (store, _) = open(&options).unwrap();
    store.commit(Timestamp(1), &puts(&[("a", "body"), ("b", "body")])).unwrap();
    drop(store);
    let db = sled::open(dir.join("records")).unwrap();
    let mut end = [last.to_le_bytes(), 1_u64.to_le_bytes()].concat();
    let sum = crc32c::crc32c_append(crc32c::crc32c(b"m"), &end);
    end.extend_from_slice(&sum.to_le_bytes());
    db.insert(b"m", end).unwrap();
    db.flush().unwrap();
    options
}

#[test]
fn a_hole_of_any_size_in_sled_is_one_finding_and_one_step_of_a_follower() {
    let dir = tempfile::tempdir().unwrap();
    let options = sled_up_to(dir.path(), Place::END - 1);
    let mut missing = Vec::new();
    let summary = check(dir.path(), &mut |finding| missing.push((finding.what, finding.serial))).unwrap();
    assert_eq!((summary.entries, missing), (2, vec![(Damage::Missing, Some(Serial(3)))]));
    let (store, _) = open(&options).unwrap();
    assert_eq!(followed(&*store), [1, 2]);
    assert!(store.serial_at(Timestamp(2)).unwrap() > Serial(2));
}

#[test]
fn an_end_in_sled_that_no_entry_can_have_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let options = sled_up_to(dir.path(), u64::MAX);
    assert!(open(&options).is_err());
}
