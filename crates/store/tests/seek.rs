//! Finding entries by serial in segments of real size: few reads, whatever the segment's state.
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
use std::path::Path;
use std::sync::Arc;

use common::{Plain, sequence, small_options};
use waymark_store::fault::{FaultMedium, MemoryMedium, Operation};
use waymark_store::{EntryKind, FollowError, Group, Options, Serial, Store, Timestamp, open_on};

const SEGMENT_BYTES: u64 = 4 << 20;

fn options() -> Options {
    Options { segment_bytes: SEGMENT_BYTES, ..small_options(Path::new("/store")) }
}

fn open_faulty(medium: &MemoryMedium) -> (Arc<FaultMedium>, Arc<dyn Store>) {
    let faults = FaultMedium::over(Arc::new(medium.clone()));
    let (store, _) = open_on(Arc::clone(&faults) as _, &options()).unwrap();
    (faults, store)
}

/// Groups of one entry, of some, and of thousands.
fn sample() -> MemoryMedium {
    let medium = MemoryMedium::new();
    let (store, _) = open_on(Arc::new(medium.clone()), &options()).unwrap();
    let mut number = 0_u64;
    while store.statistics().segments < 3 {
        let entries = match number % 50 {
            49 => 3_000,
            rest => rest % 7 + 1,
        };
        let mut group = Group::new();
        for part in 0..entries {
            let body = vec![number as u8; ((number * 31 + part) % 700) as usize];
            group.push(EntryKind::NOTE, b"key", b"actor", Serial(number), &body).unwrap();
        }
        store.commit(Timestamp(1_000 + number), &group).unwrap();
        number += 1;
    }
    medium
}

/// Serials spread over `1..=last`, in no order.
fn spread(last: u64) -> impl Iterator<Item = Serial> {
    (0..300).map(move |number| Serial(number * 7_919_777 % last + 1))
}

#[test]
fn finds_any_entry_with_few_reads() {
    let medium = sample();
    let (faults, store) = open_faulty(&medium);
    let all = sequence(&*store);
    assert!(all.len() > 20_000);
    drop(store);
    let (faults_anew, store) = {
        drop(faults);
        open_faulty(&medium)
    };
    let mut buffer = Vec::new();
    let mut most = 0;
    for serial in spread(all.len() as u64) {
        let before = faults_anew.count(Operation::Read);
        let entry = store.read_serial(serial, &mut buffer).unwrap().unwrap();
        assert_eq!(Plain::of(&entry), all[serial.0 as usize - 1]);
        most = most.max(faults_anew.count(Operation::Read) - before);
    }
    // A segment is 64 reads long; halving it, and a group of a megabyte gone through once, take fewer.
    assert!(most <= 40, "{most} reads");
    let before = faults_anew.count(Operation::Read);
    for serial in spread(all.len() as u64) {
        store.read_serial(serial, &mut buffer).unwrap().unwrap();
    }
    let each = (faults_anew.count(Operation::Read) - before) / 300;
    assert!(each <= 4, "{each} reads once its surroundings are known");
}

#[test]
fn finds_what_was_just_written_without_going_through_the_segment() {
    let medium = MemoryMedium::new();
    let (faults, store) = open_faulty(&medium);
    let mut buffer = Vec::new();
    for number in 0..3_000_u64 {
        let mut group = Group::new();
        group.push(EntryKind::PUT, b"key", b"actor", Serial(number), &[1; 700]).unwrap();
        let committed = store.commit(Timestamp(number), &group).unwrap();
        let before = faults.count(Operation::Read);
        let back = Serial(committed.last.0 - number / 2);
        assert_eq!(store.read_serial(back, &mut buffer).unwrap().unwrap().serial, back);
        assert!(faults.count(Operation::Read) - before <= 4);
    }
}

#[test]
fn finds_the_first_entry_of_a_time_and_follows_from_there_with_few_reads() {
    let medium = sample();
    let (_, store) = open_faulty(&medium);
    let all = sequence(&*store);
    drop(store);
    let (faults, store) = open_faulty(&medium);
    for time in (990..1_000 + 200).step_by(17) {
        let before = faults.count(Operation::Read);
        let first = store.serial_at(Timestamp(time)).unwrap();
        assert_eq!(first.0 as usize, all.partition_point(|plain| plain.time < time) + 1);
        let mut followed = None;
        store
            .follow(Serial(first.0 - 1), &mut |entry| {
                followed = Some(entry.serial);
                ControlFlow::Break(())
            })
            .unwrap();
        assert_eq!(followed, (first <= store.last().serial).then_some(first));
        let reads = faults.count(Operation::Read) - before;
        assert!(reads <= 120, "{reads} reads");
    }
}

#[test]
fn finds_what_lies_around_damage_in_a_large_segment() {
    let medium = sample();
    let (_, store) = open_faulty(&medium);
    let all = sequence(&*store);
    drop(store);
    let path = medium.paths().into_iter().find(|path| path.extension().is_some_and(|found| found == "log")).unwrap();
    // Half a megabyte is overwritten, and a length in a group far from it.
    let mut content = medium.content(&path).unwrap();
    content[1 << 20..3 << 19].fill(0xa5);
    medium.set_content(&path, content);
    let (_, store) = open_faulty(&medium);
    let mut buffer = Vec::new();
    let (mut found, mut damaged) = (0, 0);
    for serial in spread(all.len() as u64).chain([Serial(1), Serial(all.len() as u64)]) {
        match store.read_serial(serial, &mut buffer) {
            Ok(entry) => {
                assert_eq!(Plain::of(&entry.unwrap()), all[serial.0 as usize - 1]);
                found += 1;
            }
            Err(FollowError::Damaged { resume_after, .. }) => {
                assert!(resume_after >= serial);
                damaged += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(found > 200 && damaged > 5, "{found} found, {damaged} damaged");
}
