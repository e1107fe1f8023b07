//! Looking up allocates nothing, whatever it finds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]
#![allow(unsafe_code, reason = "counting allocations needs an allocator of our own")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::*;
use waymark_catalog::{Lookup, Options, Warm, open};
use waymark_ident::{Handle, MAX_KEY_BYTES};
use waymark_store::Engine;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system allocator; the counter is a plain cell of the thread and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending may have no counter any more; it is not one that is tested.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn looking_up_hits_misses_and_cold_records_allocates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    home(&catalog, "0.NA/0.NA/88");
    write(&catalog, (0..100).map(|n| create(&format!("88.1/{n}"), "u")).collect());
    drop(catalog);
    let options = Options { warm: Warm::Off, ..options(dir.path(), Engine::Log) };
    let catalog = open(&options).unwrap().catalog;
    write(&catalog, (100..200).map(|n| create(&format!("88.1/{n}"), "u")).collect());
    let names: Vec<String> = (0..300).map(|n| format!("88.1/{n}")).collect();
    let handles: Vec<Handle<'_>> = names.iter().map(|name| Handle::new(name.as_bytes()).unwrap()).collect();
    let mut reader = catalog.reader();
    let (mut hits, mut cold, mut absent, mut served) = (0, 0, 0, 0);
    let mut work = || {
        let view = reader.pin();
        for batch in handles.chunks(50) {
            let mut rooms = [[0; MAX_KEY_BYTES]; 50];
            let mut keys = [waymark_index::Key { hash: 0, bytes: b"" }; 50];
            for ((handle, room), key) in batch.iter().zip(&mut rooms).zip(&mut keys) {
                *key = view.key(handle, room);
                served += usize::from(view.serves(handle));
                assert!(!view.serves(&Handle::new(b"99.1/x").unwrap()));
                assert!(view.serves(&Handle::new(b"0.NA/88.5").unwrap()));
            }
            let mut found = [Lookup::Absent; 50];
            view.find(&keys, &mut found);
            for lookup in found {
                match lookup {
                    Lookup::Absent => absent += 1,
                    Lookup::Cold => cold += 1,
                    Lookup::Record(stored) => {
                        assert!(stored.all_public() && !stored.wire_values().is_empty());
                        assert_eq!(stored.values().unwrap().iter().count(), 1);
                        hits += 1;
                    }
                }
            }
        }
    };
    work();
    assert_eq!(allocations(work), 0);
    assert_eq!((hits, cold, absent, served), (200, 200, 200, 600), "two rounds");
}
