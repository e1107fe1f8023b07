//! The audit: every change is in it, and the chain goes on over restarts.
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
use std::time::Duration;

use common::*;
use waymark_catalog::audit::{Algorithm, AuditHead, Deed, Digest, Item, Note, RefusalNote, Verb};
use waymark_catalog::{
    Actor, AuditOptions, Catalog, Command, Door, HomeName, Opened, Options, Origin, Outcome, Proof, PutMode,
    Submission, open,
};
use waymark_store::fault::{Fault, FaultMedium, MemoryMedium, Operation};
use waymark_store::{Engine, EntryKind, Group, Serial, Store, Timestamp};

/// A note of the log, with the serial and actor of its entry.
struct Found {
    head: waymark_catalog::audit::NoteHead,
    items: Vec<Item>,
    serial: Serial,
    previous: Serial,
}

/// All notes, their hashes checked.
fn notes(catalog: &Catalog) -> Vec<Found> {
    let store_id = catalog.store().identity().store_id;
    let mut found = Vec::new();
    let mut before = Digest::default();
    catalog
        .store()
        .follow(Serial::NONE, &mut |entry| {
            if entry.key == b"\0A" {
                assert_eq!((entry.kind, entry.actor), (EntryKind::NOTE, &b"audit"[..]));
                let note = Note::parse(entry.body).unwrap();
                assert_eq!(note.head.before, before);
                assert_eq!(note.head.chain, note.head.right_chain(&store_id));
                assert_eq!(note.head.items_hash, note.right_items_hash());
                assert_eq!((note.head.serial, note.head.time), (entry.serial, entry.time));
                before = note.head.chain;
                let (serial, previous) = (entry.serial, entry.previous);
                found.push(Found { head: note.head, items: note.items().unwrap(), serial, previous });
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let numbers: Vec<u64> = found.iter().map(|note| note.head.number).collect();
    assert_eq!(numbers, (1..=u64::try_from(found.len()).unwrap()).collect::<Vec<_>>());
    if let Some(last) = found.last() {
        assert_eq!(catalog.audit_head(), AuditHead::from(&last.head));
    }
    found
}

/// Verb, key, outcome, content before and after.
type Told = (String, String, String, Option<[u8; 32]>, Option<[u8; 32]>);

/// The same of all items.
fn told(notes: &[Found]) -> Vec<Told> {
    let items = notes.iter().flat_map(|note| &note.items);
    items
        .map(|item| {
            let Deed::Done { done, before, after, .. } = &item.deed else { panic!("{item:?}") };
            let key = String::from_utf8_lossy(&item.key).into_owned();
            (item.verb.to_string(), key, done.to_string(), before.map(|hash| hash.0), after.map(|hash| hash.0))
        })
        .collect()
}

#[test]
fn every_change_is_told_with_the_content_before_and_after() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        home(&catalog, "88.1");
        let create = write(&catalog, vec![create("88.1/a", "one")])[0];
        let rest =
            write(&catalog, vec![put("88.1/A", "two", PutMode::Replace), add("88.1/a", 2, "three"), delete("88.1/a")]);
        write(&catalog, vec![Command::Unhome { name: HomeName::parse(b"88.1").unwrap() }]);
        let (one, two, three) = (create.content.0, rest[0].content.0, rest[1].content.0);
        let told = told(&notes(&catalog));
        let told: Vec<_> =
            told.iter().map(|(verb, key, done, b, a)| (&verb[..], &key[..], &done[..], *b, *a)).collect();
        assert_eq!(
            told,
            [
                ("home", "0.NA/88.1", "homed", None, None),
                ("create", "88.1/a", "created", None, Some(one)),
                ("replace", "88.1/A", "replaced", Some(one), Some(two)),
                ("add-values", "88.1/a", "changed", Some(two), Some(three)),
                ("delete", "88.1/a", "deleted", Some(three), None),
                ("unhome", "0.NA/88.1", "unhomed", None, None),
            ]
        );
    }
}

#[test]
fn items_name_actor_proof_door_source_and_the_serial_of_the_receipt() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    let results = write(&catalog, vec![create("88.1/a", "1"), create("88.1/b", "2")]);
    let notes = notes(&catalog);
    let last = notes.last().unwrap();
    assert_eq!((last.head.entries, last.head.part, last.head.number), (2, 0, 2));
    assert_eq!((last.head.first(), last.serial), (results[0].serial, results[1].serial.next()));
    assert_eq!(last.previous, notes[0].serial, "notes lead back to the note before");
    for (item, receipt) in last.items.iter().zip(&results) {
        assert_eq!((&item.actor, item.verb), (&Actor::operator(), Verb::CREATE));
        let Deed::Done { serial, done, .. } = &item.deed else { panic!("{item:?}") };
        assert_eq!((*serial, done.outcome()), (receipt.serial, Some(Outcome::Created)));
    }
}

#[test]
fn what_changes_nothing_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    write(&catalog, vec![create("88.1/a", "1")]);
    let (serial, head) = (catalog.serial(), catalog.audit_head());
    for _ in 0..10 {
        try_write(&catalog, vec![create("88.1/a", "1"), put("88.1/a", "1", PutMode::CreateOrSame)]).unwrap();
    }
    assert_eq!((catalog.serial(), catalog.audit_head()), (serial, head));
    let stranger = Actor::principal(
        "stranger",
        Proof::Token(waymark_catalog::access::TokenId([1; 8])),
        Origin { door: Door::Grpc, source: "192.0.2.7".parse().ok() },
    );
    let refused = catalog.writer().submit(Submission::new(&stranger, vec![create("88.1/b", "1")])).unwrap().wait();
    assert!(refused.unwrap()[0].is_err());
    assert_eq!(catalog.serial(), serial);
}

#[test]
fn the_chain_goes_on_after_a_restart_a_crash_and_a_rebuild() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        for round in 0..3 {
            let catalog = open_at(dir.path(), engine).catalog;
            assert_eq!(notes(&catalog).len(), round * 2, "the head is the last note's");
            home(&catalog, &format!("88.{round}"));
            write(&catalog, vec![create(&format!("88.{round}/a"), "1")]);
            assert_eq!(notes(&catalog).len(), round * 2 + 2);
            if engine == Engine::Log {
                let crashed = tempfile::tempdir().unwrap();
                copy_folder(dir.path(), &crashed.path().join("data"));
                let crashed = open_at(&crashed.path().join("data"), engine).catalog;
                write(&crashed, vec![delete(&format!("88.{round}/a"))]);
                assert_eq!(notes(&crashed).len(), round * 2 + 3);
            }
            drop(catalog);
            waymark_catalog::rebuild(&options(dir.path(), engine)).unwrap();
        }
    }
}

#[test]
fn a_group_that_failed_leaves_no_hole_in_the_chain() {
    let faults = FaultMedium::over(Arc::new(MemoryMedium::new()));
    let catalog = open_medium(faults.clone()).catalog;
    home(&catalog, "88.1");
    let head = catalog.audit_head();
    faults.fail_once(Operation::Write, "", 0, Fault::Error(std::io::ErrorKind::TimedOut));
    assert!(try_write(&catalog, vec![create("88.1/a", "lost")]).is_err());
    assert_eq!(catalog.audit_head(), head);
    write(&catalog, vec![create("88.1/b", "kept")]);
    let notes = notes(&catalog);
    assert_eq!((notes.len(), notes[1].items[0].key.as_slice()), (2, &b"88.1/b"[..]));
}

/// Options with another hash.
fn with(algorithm: Algorithm, dir: &Path) -> Options {
    let audit = AuditOptions { algorithm, ..AuditOptions::default() };
    Options { audit, ..options(dir, Engine::Log) }
}

#[test]
fn a_chain_goes_from_one_hash_to_another() {
    let dir = tempfile::tempdir().unwrap();
    for (round, algorithm) in [Algorithm::Sha256, Algorithm::Sm3, Algorithm::Sha256].into_iter().enumerate() {
        let Opened { catalog, .. } = open(&with(algorithm, dir.path())).unwrap();
        home(&catalog, &format!("88.{round}"));
        let notes = notes(&catalog);
        assert_eq!(notes.len(), round + 1);
        assert_eq!(notes[round].head.algorithm, algorithm);
    }
}

#[test]
fn a_log_from_before_the_audit_gets_its_first_note_with_the_next_write() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    let without = tempfile::tempdir().unwrap();
    let (store, _) = waymark_store::open(&options(without.path(), Engine::Log).store).unwrap();
    copy_without_notes(catalog.store().as_ref(), store.as_ref());
    store.close().unwrap();
    drop(store);
    let old = open_at(without.path(), Engine::Log).catalog;
    assert_eq!(old.audit_head(), AuditHead::default());
    write(&old, vec![create("88.1/a", "1")]);
    assert_eq!(notes(&old).len(), 1);
    drop(old);
    // A later version's log whose end is no note: the chain is found further back.
    let (store, _) = waymark_store::open(&options(without.path(), Engine::Log).store).unwrap();
    let mut group = Group::new();
    group.push(EntryKind::NOTE, b"\0?", b"later", Serial::NONE, b"").unwrap();
    store.commit(Timestamp(0), &group).unwrap();
    store.close().unwrap();
    drop(store);
    let later = open_at(without.path(), Engine::Log).catalog;
    write(&later, vec![create("88.1/b", "1")]);
    assert_eq!(notes(&later).len(), 2);
}

/// Copies all entries but notes, each in a group of its own.
fn copy_without_notes(from: &dyn Store, to: &dyn Store) {
    let mut group = Group::new();
    from.follow(Serial::NONE, &mut |entry| {
        if entry.kind != EntryKind::NOTE {
            group.clear();
            group.push(entry.kind, entry.key, entry.actor, entry.previous, entry.body).unwrap();
            to.commit(entry.time, &group).unwrap();
        }
        ControlFlow::Continue(())
    })
    .unwrap();
}

#[test]
fn a_group_with_more_items_than_one_note_holds_ends_with_several() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path(), Engine::Log);
    options.store.segment_bytes = 64 << 20;
    options.limits.handle_bytes = 2048;
    options.writer.group_bytes = 32 << 20;
    let catalog = open(&options).unwrap().catalog;
    home(&catalog, "88.1");
    let long = "x".repeat(2039);
    let count = 4096;
    let create_all = (0..count).map(|n| create(&format!("88.1/{long}{n}"), ""));
    let all: Vec<Command> = create_all.collect();
    let receipts = write(&catalog, all);
    let notes = notes(&catalog);
    let group: Vec<_> = notes.iter().filter(|note| note.head.entries == count).collect();
    assert!(group.len() > 1, "{} notes", group.len());
    for (part, note) in group.iter().enumerate() {
        assert_eq!(usize::from(note.head.part), part);
        assert_eq!(note.head.first(), receipts[0].serial);
    }
    assert_eq!(group.iter().map(|note| note.items.len()).sum::<usize>(), receipts.len());
}

/// A caller from an address of the documentation.
fn stranger(last: u8) -> Actor {
    Actor::unknown(Origin { door: Door::Grpc, source: Some([192, 0, 2, last].into()) })
}

fn wrong_token(actor: &Actor) -> RefusalNote<'_> {
    RefusalNote { actor, verb: Verb::AUTHENTICATE, code: "unauthenticated", key: b"" }
}

/// Actor, verb, key, reason and count of all items that were counted, sorted.
fn counted(notes: &[Found]) -> Vec<(String, String, String, String, u64)> {
    let items = notes.iter().flat_map(|note| &note.items);
    let mut counted: Vec<_> = items
        .filter_map(|item| {
            let Deed::Counted { code, count, first, last } = &item.deed else { return None };
            assert!(first <= last);
            let key = String::from_utf8_lossy(&item.key).into_owned();
            Some((item.actor.name().to_owned(), item.verb.to_string(), key, code.clone(), *count))
        })
        .collect();
    counted.sort();
    counted
}

#[test]
fn what_changed_nothing_is_counted_and_written_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    write(&catalog, vec![create("88.1/a", "1")]);
    try_write(&catalog, vec![put("88.1/a", "1", PutMode::CreateOrSame), create("88.1/a", "1"), delete("88.1/z")])
        .unwrap();
    try_write(&catalog, vec![put("88.1/A", "1", PutMode::CreateOrSame), create("88.2/a", "1")]).unwrap();
    catalog.writer().note_refusal(wrong_token(&stranger(1)));
    assert!(counted(&notes(&catalog)).is_empty(), "not before a minute has passed");
    catalog.shutdown().unwrap();
    drop(catalog);
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    let line = |actor: &str, verb: &str, key: &str, code: &str, count| {
        (actor.to_owned(), verb.to_owned(), key.to_owned(), code.to_owned(), count)
    };
    assert_eq!(
        counted(&notes(&catalog)),
        [
            line("operator", "create", "88.1/a", "already-exists-same", 1),
            line("operator", "create", "88.1/a", "same", 2),
            line("operator", "create", "88.2/a", "not-served", 1),
            line("operator", "delete", "88.1/z", "not-found", 1),
            line("unknown", "authenticate", "", "unauthenticated", 1),
        ]
    );
}

/// Options that write refusals this often.
fn refusals_every(interval: Duration, dir: &Path) -> Options {
    let audit = AuditOptions { refusal_interval: interval, ..AuditOptions::default() };
    Options { audit, ..options(dir, Engine::Log) }
}

#[test]
fn refusals_at_the_doors_are_written_when_nothing_else_is() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(&refusals_every(Duration::from_millis(1), dir.path())).unwrap().catalog;
    for round in 1..=3 {
        catalog.writer().note_refusal(wrong_token(&stranger(1)));
        while catalog.audit_head().note < round {
            std::thread::yield_now();
        }
    }
    assert_eq!(counted(&notes(&catalog)).len(), 3);
}

#[test]
fn a_flood_of_a_million_refusals_writes_a_few_kilobytes() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    let before = catalog.store().statistics().log_bytes;
    let writer = catalog.writer();
    let strangers: Vec<Actor> = (0..20).map(stranger).collect();
    for n in 0..1_000_000 {
        writer.note_refusal(wrong_token(&strangers[n % strangers.len()]));
    }
    catalog.shutdown().unwrap();
    let counted = counted(&notes(&catalog));
    assert_eq!(counted.iter().map(|line| line.4).sum::<u64>(), 1_000_000);
    let written = catalog.store().statistics().log_bytes - before;
    assert!(written < 4096, "{written} bytes");
}

#[test]
fn refusals_in_a_group_that_failed_are_told_later() {
    let faults = FaultMedium::over(Arc::new(MemoryMedium::new()));
    let options = refusals_every(Duration::ZERO, Path::new("/data"));
    let (store, found) = waymark_store::open_on(faults.clone(), &options.store).unwrap();
    let catalog = waymark_catalog::open_over(store, found, &options).unwrap().catalog;
    home(&catalog, "88.1");
    faults.fail_once(Operation::Write, "", 0, Fault::Error(std::io::ErrorKind::TimedOut));
    catalog.writer().note_refusal(wrong_token(&stranger(1)));
    while catalog.statistics().failed_groups_total == 0 {
        std::thread::yield_now();
    }
    catalog.shutdown().unwrap();
    assert_eq!(counted(&notes(&catalog)).iter().map(|line| line.4).sum::<u64>(), 1);
}

#[test]
fn a_full_disk_or_a_refusal_that_is_due_does_not_turn_answers_into_failures() {
    let faults = FaultMedium::over(Arc::new(MemoryMedium::new()));
    let options = refusals_every(Duration::ZERO, Path::new("/data"));
    let (store, found) = waymark_store::open_on(faults.clone(), &options.store).unwrap();
    let catalog = waymark_catalog::open_over(store, found, &options).unwrap().catalog;
    home(&catalog, "88.1");
    for _ in 0..5 {
        faults.fail_once(Operation::Write, "", 0, Fault::Error(std::io::ErrorKind::TimedOut));
        let results = try_write(&catalog, vec![delete("88.1/none")]).unwrap();
        assert!(results[0].is_err(), "a refusal is an answer");
    }
}
