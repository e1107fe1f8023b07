//! The few steps on which reclamation stands, under every order and every stale value that the memory model allows.
//!
//! As in `protocol_tests`, what is freed is spoilt instead, so that a reader that comes too late sees it; and reading a
//! record's body and freeing it must be ordered, or loom stops. The scenes are small, so that loom goes through every
//! execution there is, not through a sample.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use loom::model::Builder;
use loom::thread;

use crate::{Found, HashKey, Key, Options, Place, Reader, Shared, Writer, new};

/// Goes through all executions, of any number of preemptions.
fn explore(test: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = None;
    // Steps of one execution: moving a table has many.
    builder.max_branches = 20_000;
    builder.check(test);
}

const KEY: Key<'static> = Key { hash: 0, bytes: b"key" };

fn small() -> (Writer, Shared) {
    new(Options { hash_key: HashKey::new([0; 16]), resident_budget_bytes: 1 << 20, expected_entries: 0 })
}

fn put(writer: &mut Writer, version: u64) {
    writer.put(KEY, &version.to_be_bytes(), Place::new(version).unwrap(), None).unwrap();
}

/// Finds the key, twice under one pin, and checks that what was found first is still whole after the second.
fn read(reader: &mut Reader) -> u64 {
    let pin = reader.pin();
    let Found::Resident(first) = pin.find_one(KEY) else { panic!("the key was never removed") };
    let Found::Resident(second) = pin.find_one(KEY) else { panic!("the key was never removed") };
    assert!(first.place() <= second.place());
    for record in [first, second] {
        assert_eq!(record.body(), record.place().get().to_be_bytes());
    }
    second.place().get()
}

#[test]
fn a_pinned_record_is_not_freed() {
    explore(|| {
        let (mut writer, shared) = small();
        put(&mut writer, 1);
        let mut reader = shared.reader();
        let reading = thread::spawn(move || read(&mut reader));
        put(&mut writer, 2);
        writer.reclaim();
        reading.join().unwrap();
    });
}

#[test]
fn a_reader_that_pins_again_does_not_free_what_it_held_too_early() {
    explore(|| {
        let (mut writer, shared) = small();
        put(&mut writer, 1);
        let mut reader = shared.reader();
        let reading = thread::spawn(move || {
            let before = read(&mut reader);
            assert!(read(&mut reader) >= before);
        });
        put(&mut writer, 2);
        writer.reclaim();
        put(&mut writer, 3);
        writer.reclaim();
        reading.join().unwrap();
    });
}

#[test]
fn a_replaced_table_is_not_freed_under_a_reader() {
    explore(|| {
        let (mut writer, shared) = small();
        put(&mut writer, 1);
        // The smallest table is full with twelve.
        for filler in 0..11 {
            writer.put_cold(1 << 31, Place::new(filler).unwrap()).unwrap();
        }
        let mut reader = shared.reader();
        let reading = thread::spawn(move || read(&mut reader));
        writer.put_cold(1 << 31, Place::new(11).unwrap()).unwrap();
        put(&mut writer, 2);
        writer.reclaim();
        reading.join().unwrap();
    });
}

#[test]
fn a_cold_entry_is_never_seen_without_its_hash() {
    explore(|| {
        let (mut writer, shared) = small();
        let mut reader = shared.reader();
        let reading = thread::spawn(move || {
            let pin = reader.pin();
            let first = pin.cold_candidates(Key { hash: 0, bytes: b"" }, &mut []);
            assert_eq!(first, 0, "a slot with the fingerprint, but not yet the hash");
            pin.cold_candidates(Key { hash: 7, bytes: b"" }, &mut [])
        });
        writer.put_cold(7, Place::new(1).unwrap()).unwrap();
        assert!(reading.join().unwrap() <= 1);
    });
}
