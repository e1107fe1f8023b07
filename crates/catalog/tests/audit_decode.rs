//! Notes from anywhere: read or refused, never more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::ops::ControlFlow;

use common::*;
use proptest::prelude::*;
use waymark_catalog::audit::{Note, Told};
use waymark_store::{Engine, Serial};

/// The body of a note with many items.
fn body() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    write(&catalog, (0..20).map(|n| create(&format!("88.1/{n}"), "data")).collect());
    write(&catalog, vec![add("88.1/1", 2, "more"), delete("88.1/2")]);
    let mut longest = Vec::new();
    let mut take = |entry: &waymark_store::Entry<'_>| {
        if entry.key == b"\0A" && entry.body.len() > longest.len() {
            longest = entry.body.to_vec();
        }
        ControlFlow::Continue(())
    };
    catalog.store().follow(Serial::NONE, &mut take).unwrap();
    longest
}

fn show(body: &[u8]) {
    let Ok(note) = Note::parse(body) else { return };
    for item in note.items().unwrap_or_default() {
        let told = Told { note: note.head.number, serial: note.head.serial, time: note.head.time, item: &item };
        assert!(told.to_json().starts_with('{'));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(items in proptest::collection::vec(any::<u8>(), 0..300)) {
        show(&items);
        show(&[&body_head()[..], &items].concat());
    }
}

/// The head of a note: version 1, SHA-256.
fn body_head() -> [u8; 160] {
    let mut head = [0; 160];
    (head[0], head[2]) = (1, 1);
    head
}

#[test]
fn a_note_with_any_byte_changed_is_read_or_refused() {
    let whole = body();
    show(&whole);
    for at in 0..whole.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] ^= change;
            show(&changed);
        }
    }
}
