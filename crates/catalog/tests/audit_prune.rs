//! Pruning the audit: old items go, the chain stays and can be verified.
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
use std::time::Duration;

use common::*;
use waymark_catalog::audit::{
    AuditKey, Checkpoint, Cursor, Deed, Filter, Note, PruneError, Verb, Verified, Wrong, search, verify,
};
use waymark_catalog::{AuditOptions, Catalog, FeedLimits, Options, PutMode, WriteError, open};
use waymark_store::{Engine, Serial, Timestamp};

/// Options with small segments and items kept for a minute.
fn minute(dir: &Path, engine: Engine) -> Options {
    let mut options = options(dir, engine);
    options.store.segment_bytes = 4 << 10;
    options.audit = AuditOptions { keep: Duration::from_secs(60), ..AuditOptions::default() };
    options
}

/// A catalog with a hundred single changes; time of the last.
fn filled(dir: &Path, engine: Engine) -> (Catalog, Timestamp) {
    let catalog = open(&minute(dir, engine)).unwrap().catalog;
    home(&catalog, "88.1");
    for n in 0..50 {
        write(&catalog, vec![create(&format!("88.1/{n}"), "secret")]);
        write(&catalog, vec![put(&format!("88.1/{n}"), "changed", PutMode::Replace)]);
    }
    let last = catalog.audit_head().time;
    (catalog, last)
}

fn after(time: Timestamp, seconds: u64) -> Timestamp {
    Timestamp(time.0 + seconds * 1000)
}

fn verified(catalog: &Catalog, anchors: &[Checkpoint]) -> (Verified, Vec<Wrong>) {
    let mut wrong = Vec::new();
    let verified = verify(catalog.store().as_ref(), anchors, None, &mut |problem| {
        wrong.push(problem.what);
        ControlFlow::Continue(())
    })
    .unwrap();
    (verified, wrong)
}

/// Numbers of the notes that still have items, with the verb of the first of them.
fn told(catalog: &Catalog) -> Vec<(u64, Verb)> {
    let mut told = Vec::new();
    let limits = FeedLimits { entries: usize::MAX, bytes: usize::MAX };
    search(catalog.store().as_ref(), &Filter::default(), Cursor::default(), limits, &mut |found| {
        told.push((found.note, found.item.verb));
        ControlFlow::Continue(())
    })
    .unwrap();
    told
}

#[test]
fn old_items_go_and_the_chain_verifies_as_before() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let (catalog, last) = filled(dir.path(), engine);
        let (key, _) = AuditKey::generate().unwrap();
        let anchor = catalog.checkpoint(&key).unwrap().unwrap();
        let notes = catalog.audit_head().note;
        let now = after(last, 20);
        let pruned = catalog.prune_audit(now).unwrap();
        assert!(pruned.notes > 20 && pruned.notes < notes, "{pruned:?}");
        assert_eq!(pruned.before, Timestamp(now.0 - 60_000));
        let check = |catalog: &Catalog| {
            let (found, wrong) = verified(catalog, std::slice::from_ref(&anchor));
            assert_eq!(wrong, []);
            assert_eq!((found.pruned, found.notes, found.anchors), (pruned.notes, notes + 1, 1));
            assert!(found.pruned_until < pruned.before && found.head == catalog.audit_head());
            let left = told(catalog);
            assert_eq!((left[0].0, left.last().unwrap()), (pruned.notes + 1, &(notes + 1, Verb::PRUNE)));
        };
        check(&catalog);
        assert_eq!(data(&catalog, "88.1/0").unwrap(), ["changed"]);
        catalog.shutdown().unwrap();
        drop(catalog);
        check(&open(&minute(dir.path(), engine)).unwrap().catalog);
    }
}

#[test]
fn nothing_of_the_items_is_left_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (catalog, last) = filled(dir.path(), Engine::Log);
    let mut body = Vec::new();
    let read = |catalog: &Catalog, body: &mut Vec<u8>| {
        let note = catalog.store().read_serial(Serial(3), &mut Vec::new()).unwrap().unwrap().body.to_vec();
        *body = note;
    };
    read(&catalog, &mut body);
    let before = Note::parse(&body).unwrap().head;
    assert!(body.windows(9).any(|window| window == b"0.NA/88.1"));
    catalog.prune_audit(after(last, 60)).unwrap();
    let length = body.len();
    read(&catalog, &mut body);
    let note = Note::parse(&body).unwrap();
    assert!(note.head.pruned && note.head.chain == before.chain && note.head.items_hash == before.items_hash);
    assert_eq!(body.len(), length);
    assert!(body[160..].iter().all(|byte| *byte == 0));
}

#[test]
fn pruning_again_goes_on_and_does_nothing_when_nothing_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let (catalog, middle) = filled(dir.path(), Engine::Log);
    write(&catalog, vec![create("88.1/late", "secret")]);
    // The clock goes on with every test of this program, so only what was written between two times is known to lie between them.
    let last = catalog.audit_head().time;
    let early = catalog.prune_audit(Timestamp(10)).unwrap();
    assert_eq!((early.notes, early.upto), (0, Serial::NONE));
    let notes = catalog.audit_head().note;
    let first = catalog.prune_audit(after(middle, 60)).unwrap();
    let second = catalog.prune_audit(after(last, 60)).unwrap();
    assert!(first.notes > 0 && second.notes > 0 && second.upto > first.upto);
    assert_eq!(catalog.audit_head().note, notes + 2, "each is told of");
    let third = catalog.prune_audit(Timestamp(10)).unwrap();
    assert_eq!((third.notes, third.upto), (0, second.upto));
    assert_eq!(verified(&catalog, &[]).1, []);
    std::fs::remove_file(dir.path().join("blobs").join("audit-pruned.blob")).unwrap();
    let again = catalog.prune_audit(after(last, 60)).unwrap();
    assert_eq!((again.notes, again.upto), (0, second.upto), "what is pruned is not pruned again");
}

#[test]
fn items_taken_away_without_a_pruning_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let (catalog, _) = filled(dir.path(), Engine::Log);
    let mut hide = |entry: &waymark_store::Entry<'_>| {
        let mut head = Note::parse(entry.body).ok().map(|_| entry.body[..160].to_vec())?;
        head[1] = 1;
        Some(head)
    };
    let hidden = catalog.store().redact(Serial::NONE, Serial::MAX, &mut hide).unwrap();
    assert!(hidden.entries > 0);
    let (found, wrong) = verified(&catalog, &[]);
    assert_eq!((found.pruned, wrong), (hidden.entries, vec![Wrong::NotPruned]));
}

#[test]
fn a_changed_head_of_a_pruned_note_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (catalog, last) = filled(dir.path(), Engine::Log);
    catalog.prune_audit(after(last, 20)).unwrap();
    let mut forge = |entry: &waymark_store::Entry<'_>| {
        let mut body = entry.body.to_vec();
        body[100] ^= 1;
        (entry.serial == Serial(3)).then_some(body)
    };
    assert_eq!(catalog.store().redact(Serial::NONE, Serial::MAX, &mut forge).unwrap().entries, 1);
    assert_eq!(verified(&catalog, &[]).1, [Wrong::Head]);
}

#[test]
fn a_pruning_that_cannot_be_told_of_takes_nothing_away() {
    let dir = tempfile::tempdir().unwrap();
    let (catalog, last) = filled(dir.path(), Engine::Log);
    catalog.shutdown().unwrap();
    let refused = catalog.prune_audit(after(last, 60)).unwrap_err();
    assert!(matches!(refused, PruneError::Announce(WriteError::Stopped)), "{refused:?}");
    assert_eq!(verified(&catalog, &[]).0.pruned, 0);
}

#[test]
fn a_pruning_is_told_of_before_it_begins() {
    let dir = tempfile::tempdir().unwrap();
    let (catalog, last) = filled(dir.path(), Engine::Log);
    let pruned = catalog.prune_audit(after(last, 30)).unwrap();
    let mut deeds = Vec::new();
    let filter = Filter { verb: Some("prune".into()), ..Filter::default() };
    let limits = FeedLimits { entries: usize::MAX, bytes: usize::MAX };
    search(catalog.store().as_ref(), &filter, Cursor::default(), limits, &mut |told| {
        deeds.push((told.item.actor.name().to_owned(), told.item.deed.clone()));
        ControlFlow::Continue(())
    })
    .unwrap();
    let [(actor, Deed::Pruned { upto, before })] = &deeds[..] else { panic!("{deeds:?}") };
    assert_eq!(actor, "node");
    assert!(*upto >= pruned.upto && *before == pruned.before);
}
