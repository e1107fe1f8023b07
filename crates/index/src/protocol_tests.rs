//! The lock-free protocol under many schedules: one writer and some readers, stopped at every atomic operation.
//!
//! Freed records are spoilt and freed tables emptied instead of given back (`sync`), so whoever uses one too late
//! sees it. All keys share one home slot or neighbouring ones, so that every search crosses every change.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::thread;

use crate::{Found, HashKey, Key, Options, Pin, Place, Record, Shared, Writer, new};

const SCHEDULES: usize = 2000;

/// Runs a test under random schedules and under ones with few, well-placed switches.
fn explore(test: impl Fn() + Send + Sync + Copy + 'static) {
    shuttle::check_random(test, SCHEDULES);
    shuttle::check_pct(test, SCHEDULES, 3);
}

fn small(resident_budget_bytes: u64) -> (Writer, Shared) {
    new(Options { hash_key: HashKey::new([0; 16]), resident_budget_bytes, expected_entries: 0 })
}

/// A key of one byte whose hash begins at the first slots, in tables of any size.
fn key(name: &[u8; 1]) -> Key<'_> {
    Key { hash: u64::from(name[0]) << 32, bytes: name }
}

fn place(number: u64) -> Place {
    Place::new(number).unwrap()
}

/// A body that says which key and version it belongs to, long enough for spoilt bytes to show.
fn body(name: &[u8; 1], version: u64) -> Vec<u8> {
    [&name[..], &version.to_be_bytes(), &name[..], &version.to_be_bytes()].concat()
}

/// The version of a record, after checking that every part of it is of that key and version.
fn version_of(name: &[u8; 1], record: Record<'_>) -> u64 {
    let version = record.place().get();
    assert_eq!(record.key(), name);
    assert_eq!(record.body(), body(name, version));
    version
}

fn put(writer: &mut Writer, name: &[u8; 1], version: u64) {
    writer.put(key(name), &body(name, version), place(version), version.checked_sub(1).map(place)).unwrap();
}

fn found_version(pin: &Pin<'_>, name: &[u8; 1]) -> u64 {
    match pin.find_one(key(name)) {
        Found::Resident(record) => version_of(name, record),
        Found::Cold(place) => place.get(),
        Found::Absent => panic!("{name:?} was never removed"),
    }
}

#[test]
fn a_key_under_replacement_is_always_found_and_never_goes_back() {
    explore(|| {
        let (mut writer, shared) = small(1 << 20);
        put(&mut writer, b"k", 0);
        let acknowledged = Arc::new(AtomicU64::new(0));
        let readers = [0, 1].map(|_| {
            let (mut reader, acknowledged) = (shared.reader(), Arc::clone(&acknowledged));
            thread::spawn(move || {
                let mut last = 0;
                for _ in 0..3 {
                    let at_least = acknowledged.load(Ordering::SeqCst);
                    let version = found_version(&reader.pin(), b"k");
                    assert!(version >= last.max(at_least), "an acknowledged write was not seen");
                    last = version;
                }
            })
        });
        for version in 1..6 {
            put(&mut writer, b"k", version);
            acknowledged.store(version, Ordering::SeqCst);
            writer.reclaim();
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn growth_hides_no_entry_and_no_replacement() {
    explore(|| {
        let (mut writer, shared) = small(1 << 20);
        put(&mut writer, b"a", 0);
        put(&mut writer, b"b", 0);
        let acknowledged = Arc::new(AtomicU64::new(0));
        let readers = [b"a", b"b"].map(|name| {
            let (mut reader, acknowledged) = (shared.reader(), Arc::clone(&acknowledged));
            thread::spawn(move || {
                for _ in 0..2 {
                    let at_least = acknowledged.load(Ordering::SeqCst);
                    assert!(found_version(&reader.pin(), name) >= at_least);
                }
            })
        });
        // Twelve entries fill the smallest table: the fourth of these grows it.
        for filler in 0..8 {
            writer.put_cold(0xff00_0000_0000, place(1000 + filler)).unwrap();
        }
        for (version, filler) in (1..5).zip(0..) {
            put(&mut writer, b"a", version);
            put(&mut writer, b"b", version);
            acknowledged.store(version, Ordering::SeqCst);
            writer.put_cold(0xff00_0000_0000, place(2000 + filler)).unwrap();
        }
        assert_eq!(shared.statistics().rebuilt_total, 1);
        writer.reclaim();
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn a_record_stays_whole_while_it_is_pinned() {
    explore(|| {
        let (mut writer, shared) = small(1 << 20);
        put(&mut writer, b"k", 0);
        let mut reader = shared.reader();
        let holder = thread::spawn(move || {
            let pin = reader.pin();
            let Found::Resident(record) = pin.find_one(key(b"k")) else { panic!("it is resident") };
            for _ in 0..4 {
                version_of(b"k", record);
                thread::yield_now();
            }
        });
        for version in 1..4 {
            put(&mut writer, b"k", version);
            writer.reclaim();
        }
        holder.join().unwrap();
        writer.reclaim();
        assert_eq!(shared.statistics().waiting_bytes, 0);
    });
}

#[test]
fn eviction_and_warming_leave_no_gap() {
    explore(|| {
        // Room for one record of the two: each put or warming evicts the other one.
        let (mut writer, shared) = small(64);
        put(&mut writer, b"a", 0);
        put(&mut writer, b"b", 0);
        let readers = [b"a", b"b"].map(|name| {
            let mut reader = shared.reader();
            thread::spawn(move || {
                for _ in 0..3 {
                    assert_eq!(found_version(&reader.pin(), name), 0);
                }
            })
        });
        for _ in 0..2 {
            writer.warm(key(b"a"), &body(b"a", 0), place(0));
            writer.warm(key(b"b"), &body(b"b", 0), place(0));
        }
        for reader in readers {
            reader.join().unwrap();
        }
        let figures = shared.statistics();
        assert!(figures.arena_bytes + figures.waiting_bytes <= 64);
    });
}

#[test]
fn removal_and_reuse_of_slots_hide_no_neighbour() {
    explore(|| {
        let (mut writer, shared) = small(1 << 20);
        for name in [b"a", b"b", b"c"] {
            put(&mut writer, name, 0);
        }
        let (mut reader, mut other) = (shared.reader(), shared.reader());
        let stays = thread::spawn(move || {
            for _ in 0..3 {
                assert_eq!(found_version(&reader.pin(), b"b"), 0);
            }
        });
        let goes = thread::spawn(move || {
            for _ in 0..3 {
                let pin = other.pin();
                match pin.find_one(key(b"a")) {
                    Found::Resident(record) => assert!([0, 7].contains(&version_of(b"a", record))),
                    // The entry that shares the fingerprint and took the slot over: a candidate, whose key the caller
                    // would find to be another.
                    Found::Cold(candidate) => assert_eq!(candidate, place(99)),
                    Found::Absent => {}
                }
            }
        });
        writer.remove(key(b"a").hash, place(0));
        // The same fingerprint as the removed one, in its slot, with another home.
        writer.put_cold(key(b"a").hash | 1, place(99)).unwrap();
        writer.remove(key(b"c").hash, place(0));
        writer.remove(key(b"a").hash | 1, place(99));
        put(&mut writer, b"a", 7);
        writer.reclaim();
        stays.join().unwrap();
        goes.join().unwrap();
    });
}

#[test]
fn a_batch_finds_every_key_at_once_written() {
    explore(|| {
        let (mut writer, shared) = small(1 << 20);
        let names = [b"a", b"b", b"c"];
        for name in names {
            put(&mut writer, name, 0);
        }
        let mut reader = shared.reader();
        let batch = thread::spawn(move || {
            let pin = reader.pin();
            let mut found = [Found::Absent; 3];
            pin.find(&names.map(key), &mut found);
            for (name, found) in names.into_iter().zip(found) {
                let Found::Resident(record) = found else { panic!("{name:?} is resident") };
                version_of(name, record);
            }
        });
        for name in names {
            put(&mut writer, name, 1);
        }
        writer.reclaim();
        batch.join().unwrap();
    });
}

#[test]
fn readers_may_join_leave_and_outlive_the_writer() {
    explore(|| {
        let (mut writer, shared) = small(1 << 20);
        put(&mut writer, b"k", 0);
        let readers = [0, 1].map(|_| {
            let shared = shared.clone();
            thread::spawn(move || {
                for _ in 0..2 {
                    found_version(&shared.reader().pin(), b"k");
                }
            })
        });
        drop(shared);
        put(&mut writer, b"k", 1);
        writer.reclaim();
        put(&mut writer, b"k", 2);
        drop(writer);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn a_forgotten_pin_holds_nothing_after_its_reader() {
    shuttle::check_random(
        || {
            let (mut writer, shared) = small(1 << 20);
            put(&mut writer, b"k", 0);
            let mut reader = shared.reader();
            std::mem::forget(reader.pin());
            put(&mut writer, b"k", 1);
            writer.reclaim();
            assert_ne!(shared.statistics().waiting_bytes, 0);
            drop(reader);
            writer.reclaim();
            assert_eq!(shared.statistics().waiting_bytes, 0);
        },
        1,
    );
}
