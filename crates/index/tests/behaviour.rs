//! What callers may rely on, one promise each.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

use waymark_index::{Found, HashKey, Key, Options, Place, Shared, Writer};

fn index(resident_budget_bytes: u64, expected_entries: usize) -> (Writer, Shared) {
    waymark_index::new(Options { hash_key: HashKey::new([7; 16]), resident_budget_bytes, expected_entries })
}

fn place(number: u64) -> Place {
    Place::new(number).unwrap()
}

#[test]
fn keys_of_one_hash_never_answer_for_each_other() {
    let (mut writer, shared) = index(1 << 20, 0);
    let keys = [&b"a"[..], b"b", b"", b"ab"].map(|bytes| Key { hash: 42, bytes });
    for (key, number) in keys.iter().zip(0..) {
        writer.put(*key, key.bytes, place(number), None).unwrap();
    }
    let mut reader = shared.reader();
    let pin = reader.pin();
    for (key, number) in keys.iter().zip(0..) {
        let Found::Resident(record) = pin.find_one(*key) else { panic!("{key:?} is lost") };
        assert_eq!((record.key(), record.place()), (key.bytes, place(number)));
    }
    assert!(matches!(pin.find_one(Key { hash: 42, bytes: b"c" }), Found::Absent));
}

#[test]
fn cold_entries_are_told_apart_by_all_of_the_hash() {
    let (mut writer, shared) = index(0, 0);
    writer.put_cold(0x1234_0000_0000, place(1)).unwrap();
    let mut reader = shared.reader();
    let pin = reader.pin();
    // The same fingerprint and, in so small a table, the same home slot.
    assert!(matches!(pin.find_one(Key { hash: 0x1234_0000_0001, bytes: b"k" }), Found::Absent));
    assert!(matches!(pin.find_one(Key { hash: 0x1235_0000_0000, bytes: b"k" }), Found::Absent));
    assert!(matches!(pin.find_one(Key { hash: 0x1234_0000_0000, bytes: b"k" }), Found::Cold(_)));
}

#[test]
fn candidates_are_counted_beyond_the_room_for_them() {
    let (mut writer, shared) = index(0, 0);
    for number in 0..5 {
        writer.put_cold(9, place(number)).unwrap();
    }
    let mut reader = shared.reader();
    let pin = reader.pin();
    let mut few = [Place::MAX; 2];
    assert_eq!(pin.cold_candidates(Key { hash: 9, bytes: b"k" }, &mut few), 5);
    let mut all = [Place::MAX; 5];
    assert_eq!(pin.cold_candidates(Key { hash: 9, bytes: b"k" }, &mut all), 5);
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4].map(place));
}

#[test]
fn a_resident_record_wins_over_cold_candidates() {
    let (mut writer, shared) = index(1 << 20, 0);
    let key = Key { hash: 9, bytes: b"wanted" };
    writer.put_cold(9, place(1)).unwrap();
    writer.put(key, b"body", place(2), None).unwrap();
    writer.put_cold(9, place(3)).unwrap();
    let mut reader = shared.reader();
    assert!(matches!(reader.pin().find_one(key), Found::Resident(record) if record.place() == place(2)));
}

#[test]
fn a_put_over_a_cold_entry_replaces_it() {
    let (mut writer, shared) = index(1 << 20, 0);
    let key = shared.hash_key().key(b"88.1/A");
    writer.put_cold(key.hash, place(1)).unwrap();
    writer.put(key, b"body", place(2), Some(place(1))).unwrap();
    assert_eq!(shared.statistics().entries, 1);
    assert_eq!(shared.reader().pin().cold_candidates(key, &mut []), 0);
}

#[test]
fn warming_checks_that_the_entry_is_still_there() {
    let (mut writer, shared) = index(1 << 20, 0);
    let key = shared.hash_key().key(b"88.1/A");
    assert!(!writer.warm(key, b"old", place(1)));
    writer.put_cold(key.hash, place(2)).unwrap();
    assert!(!writer.warm(key, b"old", place(1)));
    assert!(writer.warm(key, b"new", place(2)));
    let mut reader = shared.reader();
    assert!(matches!(reader.pin().find_one(key), Found::Resident(record) if record.body() == b"new"));
}

#[test]
fn a_slice_of_another_length_leaves_the_rest_alone() {
    let (mut writer, shared) = index(1 << 20, 0);
    let key = shared.hash_key().key(b"k");
    writer.put(key, b"body", place(1), None).unwrap();
    let mut reader = shared.reader();
    let pin = reader.pin();
    let mut found = [Found::Absent; 3];
    pin.find(&[key], &mut found);
    assert!(matches!(found, [Found::Resident(_), Found::Absent, Found::Absent]));
    let mut found = [Found::Absent; 1];
    pin.find(&[key; 100], &mut found);
    assert!(matches!(found, [Found::Resident(_)]));
}

#[test]
fn records_beyond_the_budget_go_cold_and_the_ones_read_stay() {
    let (mut writer, shared) = index(64 << 10, 0);
    let mut reader = shared.reader();
    let hot = shared.hash_key().key(b"88.1/HOT");
    writer.put(hot, &[1; 200], place(0), None).unwrap();
    for number in 1..10_000_u64 {
        assert!(matches!(reader.pin().find_one(hot), Found::Resident(_)), "evicted at {number}");
        let bytes = number.to_be_bytes();
        writer.put(shared.hash_key().key(&bytes), &[2; 200], place(number), None).unwrap();
        let figures = shared.statistics();
        assert!(figures.arena_bytes + figures.waiting_bytes <= 64 << 10);
    }
    let figures = shared.statistics();
    assert_eq!(figures.entries, 10_000);
    assert!(figures.resident > 200, "the budget is used: {figures:?}");
    // Each put evicts about one record; the walk over the slots may now and then not get so far.
    assert_eq!(figures.entries, figures.resident + figures.evicted_total + figures.kept_cold_total);
    assert!(figures.kept_cold_total < 100, "{figures:?}");
}

#[test]
fn the_budget_holds_while_a_reader_lets_go_of_nothing() {
    let (mut writer, shared) = index(16 << 10, 0);
    let mut reader = shared.reader();
    let pin = reader.pin();
    for number in 0..5_000_u64 {
        let bytes = (number % 50).to_be_bytes();
        let before = number.checked_sub(50).map(place);
        writer.put(shared.hash_key().key(&bytes), &[3; 100], place(number), before).unwrap();
        let figures = shared.statistics();
        assert!(figures.arena_bytes + figures.waiting_bytes <= 16 << 10);
    }
    assert!(shared.statistics().waiting_bytes > 0);
    drop(pin);
    writer.reclaim();
    assert_eq!(shared.statistics().waiting_bytes, 0);
}

#[test]
fn memory_is_freed_though_some_reader_is_always_pinned() {
    let (mut writer, shared) = index(1 << 20, 0);
    let key = shared.hash_key().key(b"88.1/A");
    let (mut one, mut other) = (shared.reader(), shared.reader());
    let mut first = one.pin();
    for number in 0..10 {
        writer.put(key, b"body", place(number), None).unwrap();
        writer.put(key, b"next", place(number), None).unwrap();
        assert!(shared.statistics().waiting_bytes > 0);
        writer.reclaim();
        let second = other.pin();
        drop(first);
        writer.reclaim();
        assert_eq!(shared.statistics().waiting_bytes, 0);
        first = one.pin();
        drop(second);
    }
}

#[test]
fn a_record_larger_than_the_budget_is_kept_cold_and_evicts_nothing() {
    let (mut writer, shared) = index(1000, 0);
    let (small, large) = (shared.hash_key().key(b"small"), shared.hash_key().key(b"large"));
    writer.put(small, b"body", place(1), None).unwrap();
    writer.put(large, &[0; 1000], place(2), None).unwrap();
    let mut reader = shared.reader();
    let pin = reader.pin();
    assert!(matches!(pin.find_one(small), Found::Resident(_)));
    assert!(matches!(pin.find_one(large), Found::Cold(at) if at == place(2)));
}

#[test]
fn a_table_made_for_its_entries_is_never_rebuilt_and_costs_fifteen_bytes_each() {
    let (mut writer, shared) = index(0, 100_000);
    for number in 0..100_000_u64 {
        writer.put_cold(shared.hash_key().hash(&number.to_be_bytes()), place(number)).unwrap();
    }
    let figures = shared.statistics();
    assert_eq!((figures.entries, figures.rebuilt_total), (100_000, 0));
    assert!(figures.table_bytes <= 100_000 * 15 + 100, "{figures:?}");
}

#[test]
fn a_replaced_table_is_freed_with_the_next_change_after_its_last_reader() {
    let (mut writer, shared) = index(0, 0);
    let mut reader = shared.reader();
    let pin = reader.pin();
    for number in 0..13 {
        writer.put_cold(number << 32, place(number)).unwrap();
    }
    let both = shared.statistics();
    assert_eq!(both.rebuilt_total, 1);
    assert!(both.table_bytes > both.table_slots * 12);
    drop(pin);
    writer.put_cold(99 << 32, place(99)).unwrap();
    let one = shared.statistics();
    assert_eq!(one.table_bytes, one.table_slots * 12);
}

#[test]
fn churn_at_a_steady_number_of_entries_does_not_grow_the_table() {
    let (mut writer, shared) = index(0, 1000);
    let slots = shared.statistics().table_slots;
    let hash = |number: u64| shared.hash_key().hash(&number.to_be_bytes());
    for number in 0..100_000 {
        writer.put_cold(hash(number), place(number)).unwrap();
        if let Some(old) = number.checked_sub(900) {
            assert!(writer.remove(hash(old), place(old)));
        }
    }
    let figures = shared.statistics();
    assert_eq!(figures.entries, 900);
    assert!(figures.table_slots <= 3 * slots, "{figures:?}");
}

#[test]
fn a_snapshot_loads_into_an_equal_index() {
    let (mut writer, shared) = index(10_000, 0);
    for number in 0..5_000_u64 {
        let bytes = number.to_be_bytes();
        writer.put(shared.hash_key().key(&bytes), b"body", place(number), None).unwrap();
    }
    let (mut loaded, loaded_shared) = index(10_000, 0);
    writer.for_each_place(|hash, place| loaded.put_cold(hash, place).unwrap());
    let mut reader = loaded_shared.reader();
    let pin = reader.pin();
    for number in 0..5_000_u64 {
        let bytes = number.to_be_bytes();
        let mut places = [Place::MAX; 4];
        let count = pin.cold_candidates(shared.hash_key().key(&bytes), &mut places);
        assert!(places[..count].contains(&place(number)));
    }
}

#[test]
fn a_snapshot_fills_a_growing_table_evenly() {
    let (mut writer, shared) = index(0, 0);
    for number in 0..20_000_u64 {
        writer.put_cold(shared.hash_key().hash(&number.to_be_bytes()), place(number)).unwrap();
    }
    // What makes the order good for a table of any size: no part of it favours a range of hashes.
    let mut eighths = [0_u32; 8];
    let mut seen = 0;
    writer.for_each_place(|hash, _| {
        eighths[usize::try_from(hash >> 29 & 7).unwrap()] += 1;
        seen += 1;
        if seen % 2000 == 0 {
            let (least, most) = (eighths.iter().min().unwrap(), eighths.iter().max().unwrap());
            assert!(most - least < 200, "after {seen}: {eighths:?}");
        }
    });
}

#[test]
fn readers_go_on_after_the_writer() {
    let (mut writer, shared) = index(1 << 20, 0);
    let key = shared.hash_key().key(b"88.1/A");
    let mut reader = shared.reader();
    writer.put(key, b"first", place(1), None).unwrap();
    let pin = reader.pin();
    let Found::Resident(first) = pin.find_one(key) else { panic!("it is resident") };
    writer.put(key, b"second", place(2), Some(place(1))).unwrap();
    drop((writer, shared));
    assert_eq!(first.body(), b"first");
    assert!(matches!(pin.find_one(key), Found::Resident(record) if record.body() == b"second"));
}

#[test]
fn handles_may_go_to_other_threads() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    is_send::<Writer>();
    is_send::<waymark_index::Reader>();
    is_send::<Shared>();
    is_sync::<Shared>();
}
