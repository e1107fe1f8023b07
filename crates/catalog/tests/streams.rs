//! Streams that count their items: what became of each is told truthfully, however often and whenever it is asked.
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
use std::sync::Arc;

use common::*;
use waymark_catalog::{
    Actor, Catalog, Command, HomeName, ItemOutcome, ItemReceipt, ItemsError, Outcome, PutMode, Refusal, RefusalCode,
    Results, StreamId, StreamStep, Submission, rebuild,
};
use waymark_store::Engine;
use waymark_store::fault::MemoryMedium;

const STREAM: StreamId = [7; 16];

/// Submits the items behind `after`.
fn send(catalog: &Catalog, after: u64, commands: Vec<Command>) -> Results {
    let position = after + u64::try_from(commands.len()).unwrap();
    let step = StreamStep { stream: STREAM, after, position, counts_orders: true };
    catalog.writer().submit(Submission::new(&Actor::operator(), commands).as_step(step)).unwrap().wait().unwrap()
}

/// What became of items, by asking.
fn told(catalog: &Catalog, first: u64, count: u64) -> Vec<ItemOutcome> {
    let mut all = Vec::new();
    let mut visit = |number, outcome| {
        assert_eq!(number, first + u64::try_from(all.len()).unwrap());
        all.push(outcome);
        ControlFlow::Continue(())
    };
    catalog.cold().stream_outcomes(STREAM, first, count, &mut visit).unwrap();
    all
}

/// What became of items, by what was answered at first.
fn answered(results: &Results) -> Vec<ItemOutcome> {
    let outcome = |result: &Result<waymark_catalog::Receipt, Refusal>| match result {
        Ok(receipt) => ItemOutcome::Accepted(ItemReceipt {
            serial: receipt.serial,
            time: Some(receipt.time),
            content: Some(receipt.content),
            outcome: receipt.outcome,
            warnings: receipt.warnings,
        }),
        Err(refusal) => ItemOutcome::Refused(refusal.code()),
    };
    results.iter().map(outcome).collect()
}

/// Three steps with everything a step may hold; what was answered to each item.
fn three_steps(catalog: &Catalog) -> Vec<ItemOutcome> {
    let name = HomeName::parse(b"88.1").unwrap();
    let mut all = send(
        catalog,
        0,
        vec![
            create("88.1/early", "before its prefix"),
            Command::Home { name: name.clone() },
            create("88.1/a", "1"),
            create("88.1/b", "2"),
            create("88.1/a", "3"),
        ],
    );
    all.extend(send(catalog, 5, vec![put("88.1/a", "1", PutMode::CreateOrSame), add("88.1/b", 2, "more")]));
    // Others write between two steps.
    write(catalog, vec![create("88.1/other", "u")]);
    all.extend(send(
        catalog,
        7,
        vec![
            put("88.1/a", "4", PutMode::Replace),
            delete("88.1/b"),
            Command::Home { name },
            put("88.1/c", "c", PutMode::CreateOrSame),
        ],
    ));
    answered(&all)
}

#[test]
fn items_are_told_as_they_were_answered_before_and_after_restart_rebuild_and_loss_of_the_state() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        let all = three_steps(&catalog);
        let outcome = |at: usize| match all[at] {
            ItemOutcome::Accepted(receipt) => Ok(receipt.outcome),
            ItemOutcome::Refused(code) => Err(code),
        };
        assert_eq!(outcome(0), Err(RefusalCode::NotServed));
        assert_eq!((outcome(1), outcome(2)), (Ok(Outcome::Homed), Ok(Outcome::Created)));
        assert_eq!((outcome(5), outcome(8)), (Ok(Outcome::Same), Ok(Outcome::Deleted)));
        let check = |catalog: &Catalog| {
            assert_eq!(catalog.cold().mark(STREAM).unwrap(), Some(11));
            assert_eq!(told(catalog, 1, 11), all);
            for first in 1..=11_usize {
                for count in 0..=11 - first + 1 {
                    let (from, number) = (u64::try_from(first).unwrap(), u64::try_from(count).unwrap());
                    assert_eq!(told(catalog, from, number), all[first - 1..first - 1 + count], "{first} {count}");
                }
            }
        };
        check(&catalog);
        drop(catalog);
        let catalog = open_at(dir.path(), engine).catalog;
        check(&catalog);
        drop(catalog);
        lose_state(dir.path());
        let catalog = open_at(dir.path(), engine).catalog;
        check(&catalog);
        drop(catalog);
        rebuild(&options(dir.path(), engine)).unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        check(&catalog);
        // And the stream goes on.
        assert!(send(&catalog, 11, vec![create("88.1/d", "d")])[0].is_ok());
        assert_eq!(told(&catalog, 12, 1).len(), 1);
    }
}

#[test]
fn an_acknowledged_step_is_told_after_the_power_failed() {
    let medium = MemoryMedium::new();
    let catalog = open_medium(Arc::new(medium.clone())).catalog;
    let all = three_steps(&catalog);
    let again = open_after_loss(&medium).catalog;
    assert_eq!(told(&again, 1, 11), all);
    drop(catalog);
}

#[test]
fn a_step_sent_again_does_nothing_and_a_gap_neither() {
    let catalog = open_medium(Arc::new(MemoryMedium::new())).catalog;
    home(&catalog, "88.1");
    send(&catalog, 0, vec![create("88.1/a", "u"), create("88.1/b", "u")]);
    let before = catalog.serial();
    for after in [0, 1, 3] {
        let results = send(&catalog, after, vec![create("88.1/c", "u"), create("88.1/d", "u")]);
        assert_eq!(results, [Err(Refusal::MarkMoved { found: 2 }), Err(Refusal::MarkMoved { found: 2 })]);
    }
    assert_eq!(catalog.serial(), before, "nothing was written");
    assert_eq!(told(&catalog, 1, 2).len(), 2);
}

#[test]
fn a_step_of_other_length_than_its_orders_is_refused_whole() {
    let catalog = open_medium(Arc::new(MemoryMedium::new())).catalog;
    home(&catalog, "88.1");
    let before = catalog.serial();
    for (after, position) in [(0, 1), (0, 3), (u64::MAX, 1), (2, 0)] {
        let step = StreamStep { stream: STREAM, after, position, counts_orders: true };
        let orders = vec![create("88.1/a", "u"), create("88.1/b", "u")];
        let submission = Submission::new(&Actor::operator(), orders).as_step(step);
        let results = catalog.writer().submit(submission).unwrap().wait().unwrap();
        assert_eq!(results.len(), 2);
        for result in results {
            assert_eq!(result.unwrap_err().code(), RefusalCode::InvalidSubmission);
        }
    }
    assert_eq!((catalog.serial(), catalog.cold().mark(STREAM).unwrap()), (before, None));
}

#[test]
fn items_not_decided_yet_and_items_before_the_count_are_said_to_be_so() {
    let catalog = open_medium(Arc::new(MemoryMedium::new())).catalog;
    home(&catalog, "88.1");
    let ask = |first, count| {
        let mut seen = 0;
        let mut visit = |_, _| {
            seen += 1;
            ControlFlow::Continue(())
        };
        let outcome = catalog.cold().stream_outcomes(STREAM, first, count, &mut visit);
        (seen, outcome)
    };
    assert!(matches!(ask(1, 1), (0, Err(ItemsError::NotDecided { mark: 0 }))));
    // A stream that did not count at first, as imports do not.
    let step = StreamStep { stream: STREAM, after: 0, position: 10, counts_orders: false };
    let submission = Submission::new(&Actor::operator(), vec![create("88.1/a", "u")]).as_step(step);
    catalog.writer().submit(submission).unwrap().wait().unwrap();
    send(&catalog, 10, vec![create("88.1/b", "u"), create("88.1/c", "u")]);
    assert!(matches!(ask(13, 1), (0, Err(ItemsError::NotDecided { mark: 12 }))));
    assert!(matches!(ask(12, 2), (0, Err(ItemsError::NotDecided { mark: 12 }))));
    assert!(matches!(ask(0, 2), (0, Err(ItemsError::NotDecided { mark: 12 }))));
    assert!(matches!(ask(u64::MAX, u64::MAX), (0, Err(ItemsError::NotDecided { mark: 12 }))));
    assert!(matches!(ask(10, 1), (0, Err(ItemsError::TooOld { from: 11 }))));
    assert!(matches!(ask(11, 2), (2, Ok(()))));
}

#[test]
fn long_streams_are_told_from_any_item() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    let mut all = Vec::new();
    for n in 0..300_u64 {
        // Steps of 0 to 3 items, every fifth of them refused.
        let items =
            (0..n % 4).map(|item| create(&format!("88.1/{}", (n * 4 + item) / 5 * 6), &format!("{n}"))).collect();
        let after = u64::try_from(all.len()).unwrap();
        all.extend(answered(&send(&catalog, after, items)));
    }
    assert!(all.iter().any(|outcome| matches!(outcome, ItemOutcome::Refused(RefusalCode::AlreadyExistsDifferent))));
    let len = u64::try_from(all.len()).unwrap();
    for first in (1..len).step_by(7) {
        let count = (len - first).min(20);
        let from = usize::try_from(first).unwrap() - 1;
        assert_eq!(told(&catalog, first, count), all[from..from + usize::try_from(count).unwrap()]);
    }
}
