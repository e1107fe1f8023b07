//! Readers and the writer at once, on real threads: every record read is whole, and nothing goes back in time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use waymark_index::{BATCH, Found, HashKey, Key, Options, Place, Reader, Record};

/// Keys that stay from the beginning to the end, and get new versions all the time.
const LASTING: u64 = 300;
const ROUNDS: u64 = if cfg!(miri) { 3 } else { 400 };
const READERS: usize = 3;

fn name(number: u64) -> Vec<u8> {
    [b"88.1000/", &number.to_be_bytes()[..]].concat()
}

/// Version, a length of its own for each version, and a checksum over key and version in every word.
fn body(name: &[u8], version: u64) -> Vec<u8> {
    let seal = HashKey::new([5; 16]).hash(&[name, &version.to_be_bytes()].concat());
    let words = 1 + (version % 40) as usize;
    [version.to_be_bytes().to_vec(), seal.to_be_bytes().repeat(words)].concat()
}

/// The version of a record, after checking all of its bytes.
fn version_of(name: &[u8], record: Record<'_>) -> u64 {
    assert_eq!(record.key(), name);
    let version = u64::from_be_bytes(record.body()[..8].try_into().unwrap());
    assert_eq!(record.body(), body(name, version));
    assert_eq!(record.place().get(), place_of(version));
    version
}

fn place_of(version: u64) -> u64 {
    version + 1
}

/// Reads lasting keys in batches until told to stop; gives back how many records it checked.
fn read(mut reader: Reader, hash_key: &HashKey, written: &[AtomicU64], stop: &AtomicBool) -> u64 {
    let names: Vec<Vec<u8>> = (0..LASTING).map(name).collect();
    let keys: Vec<Key<'_>> = names.iter().map(|name| hash_key.key(name)).collect();
    let mut last = vec![0; names.len()];
    let mut checked = 0;
    while !stop.load(Ordering::Relaxed) || checked == 0 {
        for (first, keys) in keys.chunks(BATCH).enumerate().map(|(chunk, keys)| (chunk * BATCH, keys)) {
            let at_least: Vec<u64> =
                written[first..first + keys.len()].iter().map(|version| version.load(Ordering::SeqCst)).collect();
            let pin = reader.pin();
            let mut found = [Found::Absent; BATCH];
            pin.find(keys, &mut found);
            for (offset, (key, found)) in keys.iter().zip(found).enumerate() {
                let version = match found {
                    Found::Resident(record) => version_of(key.bytes, record),
                    Found::Cold(place) => place.get() - 1,
                    Found::Absent => panic!("a lasting key is lost"),
                };
                assert!(version >= at_least[offset], "an acknowledged write was not seen");
                assert!(version >= last[first + offset], "a version came back");
                last[first + offset] = version;
                checked += 1;
            }
        }
    }
    checked
}

fn run(resident_budget_bytes: u64) {
    let hash_key = HashKey::new([1; 16]);
    let options = Options { hash_key: hash_key.clone(), resident_budget_bytes, expected_entries: 0 };
    let (mut writer, shared) = waymark_index::new(options);
    let written: Vec<AtomicU64> = (0..LASTING).map(|_| AtomicU64::new(0)).collect();
    let names: Vec<Vec<u8>> = (0..LASTING).map(name).collect();
    let place = |version| Place::new(place_of(version)).unwrap();
    for name in &names {
        writer.put(hash_key.key(name), &body(name, 0), place(0), None).unwrap();
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                let reader = shared.reader();
                scope.spawn(|| read(reader, &hash_key, &written, &stop))
            })
            .collect();
        for version in 1..=ROUNDS {
            for (name, written) in names.iter().zip(&written) {
                let key = hash_key.key(name);
                writer.put(key, &body(name, version), place(version), Some(place(version - 1))).unwrap();
                written.store(version, Ordering::SeqCst);
                writer.warm(key, &body(name, version), place(version));
            }
            // Passing entries: they make the table grow, leave removed slots behind, and are gone again.
            let passing: Vec<u64> =
                (0..version * 7 % 2000).map(|number| hash_key.hash(&number.to_le_bytes())).collect();
            for &hash in &passing {
                writer.put_cold(hash, Place::MAX).unwrap();
            }
            for &hash in &passing {
                assert!(writer.remove(hash, Place::MAX));
            }
        }
        stop.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
    });
    let figures = shared.statistics();
    assert_eq!(figures.entries, LASTING);
    assert!(figures.rebuilt_total > 0, "{figures:?}");
    writer.reclaim();
    assert_eq!(shared.statistics().waiting_bytes, 0);
}

#[test]
fn readers_see_whole_records_while_all_are_resident() {
    run(1 << 20);
}

#[test]
fn readers_see_whole_records_while_most_are_evicted_and_warmed() {
    run(8 << 10);
}
