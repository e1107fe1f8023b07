//! Looking up allocates nothing, whatever it finds and whatever the table went through.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "tests; an allocator is unsafe to write"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use waymark_index::{Found, HashKey, Key, Options, Place};

/// The system allocator, counting what the current thread asks of it.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    CALLS.with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call goes to the system allocator unchanged; counting touches a thread-local that needs no memory and
// no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(start, layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(start, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn calls_during(work: impl FnOnce()) -> u64 {
    let before = CALLS.with(Cell::get);
    work();
    CALLS.with(Cell::get) - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(calls_during(|| drop(std::hint::black_box(Box::new(1_u64)))), 2);
}

#[test]
fn finding_allocates_and_frees_nothing() {
    let hash_key = HashKey::new([1; 16]);
    // Room for about half of the records: hits, cold entries and absent keys all occur.
    let options = Options { hash_key: hash_key.clone(), resident_budget_bytes: 64 << 10, expected_entries: 0 };
    let (mut writer, shared) = waymark_index::new(options);
    let names: Vec<[u8; 8]> = (0..2000_u64).map(u64::to_be_bytes).collect();
    let keys: Vec<Key<'_>> = names.iter().map(|name| hash_key.key(name)).collect();
    let mut reader = shared.reader();
    let mut found = vec![Found::Absent; keys.len()];
    let (mut resident, mut cold, mut absent) = (0, 0, 0);
    for (key, number) in keys.iter().zip(0..1000_u64) {
        // Between the pins the writer replaces, evicts, grows and frees: none of it may fall to the reader.
        writer.put(*key, &[0; 90], Place::new(number).unwrap(), None).unwrap();
        found.fill(Found::Absent);
        let calls = calls_during(|| {
            let pin = reader.pin();
            let mut found = [Found::Absent; 100];
            for keys in keys.chunks(100) {
                pin.find(keys, &mut found);
                for found in &found {
                    match found {
                        Found::Resident(_) => resident += 1,
                        Found::Cold(_) => cold += 1,
                        Found::Absent => absent += 1,
                    }
                }
            }
            assert!(pin.cold_candidates(*key, &mut [Place::MAX; 4]) <= 1);
        });
        assert_eq!(calls, 0);
    }
    assert!(resident > 0 && cold > 0 && absent > 0, "{resident} {cold} {absent}");
}
