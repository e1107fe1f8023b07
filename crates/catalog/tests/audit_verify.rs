//! What verifying the audit finds: whatever was changed behind the node's back, and where.
//!
//! The changes are made as somebody would who knows the store's format: the log is written anew, with its own checksums right.
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
use std::path::Path;
use std::sync::Arc;

use common::*;
use waymark_catalog::audit::{AuditKey, Checkpoint, Problem, SignatureError, Verification, Verified, Wrong, verify};
use waymark_catalog::{Catalog, Command, FeedLimits, PutMode, open_over};
use waymark_store::{Engine, Entry, EntryKind, Group, MemoryStore, Recovery, Serial, Store, Timestamp};

/// An entry that can be changed.
#[derive(Clone, Debug, PartialEq)]
struct Plain {
    time: Timestamp,
    kind: EntryKind,
    previous: Serial,
    actor: Vec<u8>,
    key: Vec<u8>,
    body: Vec<u8>,
}

impl From<&Entry<'_>> for Plain {
    fn from(entry: &Entry<'_>) -> Self {
        let Entry { time, kind, previous, actor, key, body, .. } = *entry;
        Self { time, kind, previous, actor: actor.to_vec(), key: key.to_vec(), body: body.to_vec() }
    }
}

/// A catalog over a store whose id is that of every store of these tests.
fn catalog() -> Catalog {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::for_tests());
    open_over(store, Recovery::default(), &options(Path::new("unused"), Engine::Log)).unwrap().catalog
}

/// Six notes: a prefix, a group of three records, and four single changes.
fn filled() -> Catalog {
    let catalog = catalog();
    fill(&catalog, "");
    catalog
}

fn fill(catalog: &Catalog, suffix: &str) {
    home(catalog, "88.1");
    let data = |text: &str| format!("{text}{suffix}");
    write(
        catalog,
        vec![create("88.1/a", &data("one")), create("88.1/b", &data("two")), create("88.1/c", &data("three"))],
    );
    write(catalog, vec![put("88.1/a", &data("four"), PutMode::Replace)]);
    write(catalog, vec![add("88.1/b", 2, &data("five"))]);
    write(catalog, vec![delete("88.1/c")]);
    write(catalog, vec![create("88.1/d", &data("six"))]);
}

fn entries(catalog: &Catalog) -> Vec<Plain> {
    let mut all = Vec::new();
    let mut take = |entry: &Entry<'_>| {
        all.push(Plain::from(entry));
        ControlFlow::Continue(())
    };
    catalog.store().follow(Serial::NONE, &mut take).unwrap();
    all
}

/// A store of the same id with these entries.
fn written(entries: &[Plain]) -> MemoryStore {
    let store = MemoryStore::for_tests();
    let mut group = Group::new();
    for entry in entries {
        group.clear();
        group.push(entry.kind, &entry.key, &entry.actor, entry.previous, &entry.body).unwrap();
        store.commit(entry.time, &group).unwrap();
    }
    store
}

fn verified(store: &dyn Store, anchors: &[Checkpoint]) -> (Verified, Vec<Problem>) {
    let mut problems = Vec::new();
    let verified = verify(store, anchors, None, &mut |problem| {
        problems.push(problem);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(verified.problems, u64::try_from(problems.len()).unwrap());
    assert_eq!(in_steps(store, anchors), (verified, problems.clone()), "a part at a time it is the same");
    (verified, problems)
}

/// The same in some twenty steps, or an entry at a time.
fn in_steps(store: &dyn Store, anchors: &[Checkpoint]) -> (Verified, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut note = |problem| {
        problems.push(problem);
        ControlFlow::Continue(())
    };
    let mut verification = Verification::begin(store, anchors, None);
    let some = usize::try_from(store.last().serial.0 / 20).unwrap().max(1);
    let some = FeedLimits { entries: some, bytes: usize::MAX };
    let verified = loop {
        let before = verification.upto();
        match verification.advance(store, some, &mut note).unwrap() {
            ControlFlow::Break(verified) => break verified,
            ControlFlow::Continue(()) => assert!(verification.upto() > before),
        }
    };
    (verified, problems)
}

/// What is found when the log is written anew with a change.
fn found(edit: impl FnOnce(&mut Vec<Plain>)) -> Vec<(u64, u64, Wrong)> {
    let mut entries = entries(&filled());
    edit(&mut entries);
    let (_, problems) = verified(&written(&entries), &[]);
    problems.into_iter().map(|problem| (problem.note, problem.serial.0, problem.what)).collect()
}

fn is_note(entry: &Plain) -> bool {
    entry.key == b"\0A"
}

/// Positions of the notes.
fn notes(entries: &[Plain]) -> Vec<usize> {
    (0..entries.len()).filter(|&at| is_note(&entries[at])).collect()
}

#[test]
fn nothing_is_found_in_a_log_as_it_was_written() {
    let catalog = filled();
    let (key, _) = AuditKey::generate().unwrap();
    let anchor = catalog.checkpoint(&key).unwrap().unwrap();
    let (found, problems) = verified(&written(&entries(&catalog)), std::slice::from_ref(&anchor));
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!((found.notes, found.items, found.entries, found.entries_before), (6, 8, 8, 1));
    assert_eq!((found.anchors, found.head), (1, catalog.audit_head()));
    assert_eq!(verified(catalog.store().as_ref(), &[anchor]), (found, Vec::new()));
}

#[test]
fn nothing_is_found_in_any_log_a_catalog_writes() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        fill(&catalog, "");
        write(&catalog, (0..3000).map(|n| create(&format!("88.1/many-{n}"), "data")).collect());
        try_write(&catalog, vec![delete("88.1/none")]).unwrap();
        catalog.shutdown().unwrap();
        drop(catalog);
        let catalog = open_at(dir.path(), engine).catalog;
        write(&catalog, vec![create("88.1/c", "again"), delete("88.1/d")]);
        let (handle, reason) = (|| b"88.1/a".to_vec(), || "a reason".to_owned());
        write(&catalog, vec![Command::Suspend { handle: handle(), reason: reason() }]);
        write(
            &catalog,
            vec![Command::Resume { handle: handle() }, Command::Revoke { handle: handle(), reason: reason() }],
        );
        let (found, problems) = verified(catalog.store().as_ref(), &[]);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(found.head, catalog.audit_head());
    }
}

#[test]
fn a_changed_record_is_found_and_named() {
    // Position 4 is 88.1/b, serial 5, in the group of note 2.
    let changed = found(|entries| *entries[4].body.last_mut().unwrap() ^= 1);
    let key = b"88.1/B".to_vec();
    assert_eq!(changed, [(2, 4, Wrong::Entries), (2, 5, Wrong::Content { key })]);
}

#[test]
fn a_changed_byte_of_any_entry_is_found() {
    let whole = entries(&filled());
    let notes = notes(&whole);
    // What lies before the first group is the case rule, which opening checks.
    for at in 1..whole.len() {
        let note = notes.iter().position(|note| *note >= at).unwrap() + 1;
        for byte in 0..whole[at].body.len() {
            let mut changed = whole.clone();
            changed[at].body[byte] ^= 0x20;
            let (_, problems) = verified(&written(&changed), &[]);
            let first = problems.first().unwrap_or_else(|| panic!("entry {at} byte {byte}"));
            let near = [u64::try_from(note).unwrap(), u64::try_from(note).unwrap() + 1];
            // A note whose number was changed names another one.
            let found = problems.iter().any(|problem| near.contains(&problem.note)) || is_note(&whole[at]);
            assert!(found, "entry {at} byte {byte}: {first}");
        }
        if !is_note(&whole[at]) {
            let edits: [fn(&mut Plain); 4] = [
                |entry| entry.actor = b"nobody".to_vec(),
                |entry| entry.key.push(b'X'),
                |entry| entry.previous = Serial(1),
                |entry| entry.time.0 += 1,
            ];
            for edit in edits {
                let mut changed = whole.clone();
                edit(&mut changed[at]);
                let (_, problems) = verified(&written(&changed), &[]);
                assert!(problems.iter().any(|problem| problem.note == u64::try_from(note).unwrap()), "entry {at}");
            }
        }
    }
}

#[test]
fn a_changed_item_is_found() {
    let changed = found(|entries| {
        let at = entries[10].body.windows(6).position(|window| window == b"88.1/b").unwrap();
        entries[10].body[at + 5] = b'z';
    });
    assert_eq!(changed, [(4, 11, Wrong::Items)]);
}

#[test]
fn a_removed_note_is_found() {
    let removed = found(|entries| {
        entries.remove(notes(entries)[2]);
    });
    let what: Vec<_> = removed.iter().map(|(note, _, what)| (*note, what.clone())).collect();
    assert!(what.contains(&(4, Wrong::Missing { from: 3, to: 3 })), "{what:?}");
    assert!(what.contains(&(4, Wrong::NotCovered { entries: 1 })), "{what:?}");
}

#[test]
fn a_removed_group_is_found() {
    // Positions 7 and 8 are the replacement of 88.1/a and note 3.
    let removed = found(|entries| drop(entries.drain(7..9)));
    assert_eq!(removed[0], (4, 9, Wrong::Missing { from: 3, to: 3 }));
    assert!(removed.contains(&(4, 9, Wrong::Moved { says: Serial(11) })), "{removed:?}");
}

#[test]
fn a_removed_record_is_found() {
    let removed = found(|entries| drop(entries.remove(3)));
    assert_eq!(removed[0], (2, 6, Wrong::Moved { says: Serial(7) }));
    assert!(removed.contains(&(2, 4, Wrong::EntriesMissing { says: 3, found: 2 })), "{removed:?}");
}

#[test]
fn a_record_slipped_in_is_found() {
    let within = found(|entries| entries.insert(4, Plain { key: b"88.1/EVIL".to_vec(), ..entries[4].clone() }));
    assert!(within.iter().any(|(note, _, what)| (*note, what) == (2, &Wrong::Entries)), "{within:?}");
    let behind = found(|entries| entries.push(Plain { key: b"88.1/EVIL".to_vec(), ..entries[4].clone() }));
    assert_eq!(behind, [(6, 16, Wrong::NotCovered { entries: 1 })]);
}

#[test]
fn notes_in_another_order_are_found() {
    // The single changes of notes 3 and 4, each with its note.
    let swapped = found(|entries| entries[7..11].rotate_left(2));
    let what: Vec<_> = swapped.iter().map(|(note, _, what)| (*note, what.clone())).collect();
    assert_eq!(what[0], (4, Wrong::Missing { from: 3, to: 3 }));
    assert!(what.contains(&(3, Wrong::OutOfOrder { behind: 4 })), "{what:?}");
}

#[test]
fn a_chain_that_does_not_begin_with_note_one_is_found() {
    let begun = found(|entries| drop(entries.drain(1..7)));
    assert_eq!(begun[0], (3, 3, Wrong::Missing { from: 1, to: 2 }));
}

#[test]
fn a_cut_tail_shows_against_an_anchor_and_only_then() {
    let catalog = filled();
    let (key, _) = AuditKey::generate().unwrap();
    let anchor = catalog.checkpoint(&key).unwrap().unwrap();
    let mut entries = entries(&catalog);
    entries.truncate(notes(&entries)[3] + 1);
    let cut = written(&entries);
    assert_eq!(verified(&cut, &[]).1, []);
    let end = catalog.audit_head();
    let (_, problems) = verified(&cut, &[anchor]);
    assert_eq!(problems, [Problem { note: end.note, serial: end.serial, what: Wrong::TailCut { last: 4 } }]);
}

#[test]
fn a_chain_written_anew_shows_against_an_anchor_and_only_then() {
    let catalog = filled();
    let (key, _) = AuditKey::generate().unwrap();
    let anchor = catalog.checkpoint(&key).unwrap().unwrap();
    let forged = self::catalog();
    fill(&forged, " forged");
    assert_eq!(verified(forged.store().as_ref(), &[]).1, []);
    let (_, problems) = verified(forged.store().as_ref(), std::slice::from_ref(&anchor));
    assert_eq!(problems.len(), 1);
    assert_eq!((problems[0].note, &problems[0].what), (anchor.head.note, &Wrong::AnchorDiffers));
}

#[test]
fn anchors_that_do_not_count_are_named() {
    let catalog = filled();
    let ((key, _), (other, _)) = (AuditKey::generate().unwrap(), AuditKey::generate().unwrap());
    let good = catalog.checkpoint(&key).unwrap().unwrap();
    let mut changed = good.clone();
    changed.head.chain.0[0] ^= 1;
    let by_other = catalog.checkpoint(&other).unwrap().unwrap();
    let of_other = Checkpoint::sign([1; 16], catalog.audit_head(), &key).unwrap();
    let anchors = [good, changed, by_other, of_other];
    let mut what = Vec::new();
    let verified = verify(catalog.store().as_ref(), &anchors, Some(&key.public_key()), &mut |problem| {
        what.push(problem.what);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(verified.anchors, 1);
    let signed_by = other.public_key().fingerprint();
    assert_eq!(
        what,
        [
            Wrong::AnchorSignature(SignatureError::False),
            Wrong::AnchorSignature(SignatureError::OtherKey { signed_by }),
            Wrong::AnchorOfOtherStore,
        ]
    );
}

#[test]
fn a_visitor_that_has_seen_enough_stops_the_walk() {
    let mut entries = entries(&filled());
    entries.iter_mut().filter(|entry| is_note(entry)).for_each(|entry| entry.body[70] ^= 1);
    let mut seen = 0;
    let verified = verify(&written(&entries), &[], None, &mut |_| {
        seen += 1;
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!((seen, verified.problems, verified.notes), (1, 1, 1));
}

#[test]
fn damage_is_located_and_the_walk_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    fill(&catalog, "");
    catalog.shutdown().unwrap();
    drop(catalog);
    for entry in std::fs::read_dir(dir.path().join("log")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(4).position(|window| window == b"four") {
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    let (found, problems) = verified(catalog.store().as_ref(), &[]);
    assert_eq!(problems[0].what, Wrong::Damaged { upto: Serial(9) });
    assert_eq!(problems[1].what, Wrong::Missing { from: 3, to: 3 });
    assert_eq!((problems.len(), found.head), (2, catalog.audit_head()));
}
