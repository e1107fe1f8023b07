//! Request ids: a repetition is answered with the first receipt and never done again, whatever happened in between.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::*;
use waymark_catalog::{
    Actor, Catalog, Command, Options, PutMode, Receipt, Refusal, Request, RequestLimits, Submission, WriteError,
    command_digest, open, open_over, rebuild,
};
use waymark_store::fault::{Fault, FaultMedium, MemoryMedium, Operation};
use waymark_store::{Engine, Timestamp, open_on};

/// A request for a command, its id made at `made` with a number of its own.
fn request(command: &Command, made: Timestamp, number: u8) -> Request {
    let id = uuid::Builder::from_unix_timestamp_millis(made.0, &[number; 10]).into_uuid();
    Request { id, digest: command_digest(&command.clone().into()) }
}

fn submission(request: Request, command: &Command) -> Submission {
    Submission::new(&Actor::operator(), [command.clone()]).as_request(request)
}

fn try_ask(catalog: &Catalog, request: Request, command: &Command) -> Result<Result<Receipt, Refusal>, WriteError> {
    let results = catalog.writer().submit(submission(request, command)).unwrap().wait()?;
    Ok(results.into_iter().next().unwrap())
}

fn ask(catalog: &Catalog, request: Request, command: &Command) -> Result<Receipt, Refusal> {
    try_ask(catalog, request, command).unwrap()
}

/// The time of the last commit.
fn now(catalog: &Catalog) -> Timestamp {
    catalog.store().last().time
}

fn repeated(receipt: Receipt) -> Receipt {
    Receipt { repeated: true, ..receipt }
}

/// Makes sure that `question`, asked again, is answered with `expected` and writes nothing.
fn assert_answered(catalog: &Catalog, question: &(Request, Command), expected: &Result<Receipt, Refusal>) {
    let before = catalog.serial();
    assert_eq!(&ask(catalog, question.0, &question.1), expected);
    assert_eq!(catalog.serial(), before, "nothing was done again");
}

#[test]
fn a_repetition_is_answered_with_the_first_receipt_after_restart_rebuild_and_loss_of_the_state() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        home(&catalog, "88.1");
        let commands = [create("88.1/a", "1"), add("88.1/a", 2, "more"), delete("88.1/a"), create("88.1/b", "1")];
        let made = now(&catalog);
        let asked: Vec<(Request, Command)> =
            (0..).zip(commands).map(|(n, command)| (request(&command, made, n), command)).collect();
        let first: Vec<Receipt> = asked.iter().map(|(id, command)| ask(&catalog, *id, command).unwrap()).collect();
        assert!(first.iter().all(|receipt| !receipt.repeated));
        // One that found all as it should be wrote no record, and is remembered all the same.
        let same = put("88.1/b", "1", PutMode::CreateOrSame);
        let same = (request(&same, made, 99), same);
        let found = ask(&catalog, same.0, &same.1).unwrap();
        write(&catalog, vec![delete("88.1/b")]);
        let check = |catalog: &Catalog| {
            for (question, receipt) in asked.iter().zip(&first) {
                assert_answered(catalog, question, &Ok(repeated(*receipt)));
            }
            assert_answered(catalog, &same, &Ok(repeated(found)));
            assert_eq!((data(catalog, "88.1/a"), data(catalog, "88.1/b")), (None, None));
        };
        check(&catalog);
        drop(catalog);
        let catalog = open_at(dir.path(), engine).catalog;
        check(&catalog);
        drop(catalog);
        lose_state(dir.path());
        let opened = open_at(dir.path(), engine);
        assert!(opened.recovery.state_rebuilt);
        check(&opened.catalog);
        drop(opened);
        rebuild(&options(dir.path(), engine)).unwrap();
        check(&open_at(dir.path(), engine).catalog);
    }
}

#[test]
fn what_was_acknowledged_is_remembered_after_the_power_failed() {
    let medium = MemoryMedium::new();
    let catalog = open_medium(Arc::new(medium.clone())).catalog;
    home(&catalog, "88.1");
    let command = create("88.1/a", "u");
    let id = request(&command, now(&catalog), 1);
    let receipt = ask(&catalog, id, &command).unwrap();
    let again = open_after_loss(&medium).catalog;
    assert_answered(&again, &(id, command), &Ok(repeated(receipt)));
    drop(catalog);
}

#[test]
fn whatever_change_the_power_fails_at_a_repetition_is_done_once() {
    for changes in 0..40 {
        let medium = MemoryMedium::new();
        let faults = FaultMedium::over(Arc::new(medium.clone()));
        let catalog = open_medium(faults.clone()).catalog;
        home(&catalog, "88.1");
        write(&catalog, vec![create("88.1/a", "0")]);
        let made = now(&catalog);
        faults.cut_power_after(changes);
        let asked: Vec<(Request, Command)> = (2..8)
            .map(|index| add("88.1/a", index, "v"))
            .zip(0..)
            .map(|(command, n)| (request(&command, made, n), command))
            .collect();
        let answers: Vec<_> = asked.iter().map(|(id, command)| try_ask(&catalog, *id, command)).collect();
        drop(catalog);
        let again = open_after_loss(&medium).catalog;
        // The client heard nothing of some, and asks all of them again: an addition done twice would be refused.
        for ((id, command), answer) in asked.iter().zip(answers) {
            let second = ask(&again, *id, command).unwrap();
            // Without power nothing can be read either, which is a refusal.
            if let Ok(Ok(first)) = answer {
                assert_eq!(second, repeated(first), "{changes}");
            }
        }
        assert_eq!(data(&again, "88.1/a").unwrap().len(), 7, "{changes}");
    }
}

#[test]
fn a_failed_commit_is_not_remembered() {
    let faults = FaultMedium::over(Arc::new(MemoryMedium::new()));
    let catalog = open_medium(faults.clone()).catalog;
    home(&catalog, "88.1");
    let command = create("88.1/a", "u");
    let id = request(&command, now(&catalog), 1);
    faults.fail_once(Operation::Write, "", 0, Fault::Error(io::ErrorKind::TimedOut));
    assert!(matches!(try_ask(&catalog, id, &command), Err(WriteError::Io(_))));
    let receipt = ask(&catalog, id, &command).unwrap();
    assert!(!receipt.repeated, "it is done now, for the first time");
    assert_answered(&catalog, &(id, command), &Ok(repeated(receipt)));
}

#[test]
fn two_at_once_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    for n in 0..20_u8 {
        let command = create(&format!("88.1/{n}"), "u");
        let id = request(&command, now(&catalog), n);
        let writer = catalog.writer();
        let tickets: Vec<_> = (0..3).map(|_| writer.submit(submission(id, &command)).unwrap()).collect();
        let receipts: Vec<Receipt> =
            tickets.into_iter().map(|ticket| ticket.wait().unwrap().remove(0).unwrap()).collect();
        assert!(!receipts[0].repeated);
        assert_eq!(receipts[1..], [repeated(receipts[0]); 2]);
    }
}

#[test]
fn an_id_used_for_something_else_or_made_in_the_future_is_refused() {
    let catalog = open_medium(Arc::new(MemoryMedium::new())).catalog;
    home(&catalog, "88.1");
    let command = create("88.1/a", "u");
    let id = request(&command, now(&catalog), 1);
    let receipt = ask(&catalog, id, &command).unwrap();
    let other = create("88.1/b", "u");
    let reused = Request { digest: request(&other, now(&catalog), 1).digest, ..id };
    assert_answered(&catalog, &(reused, other.clone()), &Err(Refusal::RequestReused));
    assert_answered(&catalog, &(id, command.clone()), &Ok(repeated(receipt)));
    let ahead = Timestamp(now(&catalog).0 + 600_000);
    assert_answered(&catalog, &(request(&other, ahead, 2), other.clone()), &Err(Refusal::RequestFromFuture));
    assert_eq!(data(&catalog, "88.1/b"), None);
    // Another caller's ids are its own.
    let theirs = Submission::new(&Actor::import(), [other.clone()]).as_request(reused);
    assert!(catalog.writer().submit(theirs).unwrap().wait().unwrap()[0].is_ok());
}

#[test]
fn a_refused_request_is_decided_anew() {
    let catalog = open_medium(Arc::new(MemoryMedium::new())).catalog;
    write(&catalog, vec![]);
    let command = create("88.1/a", "u");
    let id = request(&command, now(&catalog), 1);
    assert!(matches!(ask(&catalog, id, &command), Err(Refusal::NotServed { .. })));
    home(&catalog, "88.1");
    assert!(!ask(&catalog, id, &command).unwrap().repeated);
}

#[test]
fn a_request_id_comes_with_one_order_and_says_when_it_was_made() {
    let catalog = open_medium(Arc::new(MemoryMedium::new())).catalog;
    home(&catalog, "88.1");
    let command = create("88.1/a", "u");
    let id = request(&command, now(&catalog), 1);
    let two = Submission::new(&Actor::operator(), [command.clone(), command.clone()]).as_request(id);
    for submission in [two, submission(Request { id: uuid::Uuid::from_u128(7), ..id }, &command)] {
        for result in catalog.writer().submit(submission).unwrap().wait().unwrap() {
            assert_eq!(result.unwrap_err().code().as_str(), "invalid-submission");
        }
    }
    assert_eq!(data(&catalog, "88.1/a"), None);
}

#[test]
fn past_their_number_the_oldest_requests_are_too_old_and_never_done_again() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let few = RequestLimits { per_principal: 3, ..RequestLimits::DEFAULT };
        let options = || Options { requests: few, ..options(dir.path(), engine) };
        let catalog = open(&options()).unwrap().catalog;
        home(&catalog, "88.1");
        let made = now(&catalog).0;
        let asked: Vec<(Request, Command)> = (0..6_u8)
            .map(|n| (create(&format!("88.1/{n}"), "u"), n))
            .map(|(command, n)| (request(&command, Timestamp(made + u64::from(n)), n), command))
            .collect();
        let first: Vec<Receipt> = asked.iter().map(|(id, command)| ask(&catalog, *id, command).unwrap()).collect();
        write(&catalog, (0..6).map(|n| delete(&format!("88.1/{n}"))).collect());
        let check = |catalog: &Catalog| {
            for question in &asked[..3] {
                assert_answered(catalog, question, &Err(Refusal::RequestExpired));
            }
            for (question, receipt) in asked.iter().zip(&first).skip(3) {
                assert_answered(catalog, question, &Ok(repeated(*receipt)));
            }
        };
        check(&catalog);
        drop(catalog);
        let catalog = open(&options()).unwrap().catalog;
        check(&catalog);
        drop(catalog);
        lose_state(dir.path());
        check(&open(&options()).unwrap().catalog);
    }
}

/// A clock that tests set.
static SET: AtomicU64 = AtomicU64::new(1_900_000_000_000);

fn set_clock() -> Timestamp {
    Timestamp(SET.load(Ordering::Relaxed))
}

#[test]
fn past_their_time_requests_are_too_old_and_never_done_again() {
    let medium = MemoryMedium::new();
    let keep = Duration::from_secs(600);
    let limits = RequestLimits { keep, ..RequestLimits::DEFAULT };
    let options = Options { clock: set_clock, requests: limits, ..options(Path::new("/data"), Engine::Log) };
    let reopen = |medium: &MemoryMedium, options: &Options| {
        let (store, found) = open_on(Arc::new(medium.clone()), &options.store).unwrap();
        open_over(store, found, options).unwrap().catalog
    };
    let catalog = reopen(&medium, &options);
    home(&catalog, "88.1");
    let old = create("88.1/old", "u");
    let old = (request(&old, set_clock(), 1), old);
    let first = ask(&catalog, old.0, &old.1).unwrap();
    write(&catalog, vec![delete("88.1/old")]);
    SET.fetch_add(599_000, Ordering::Relaxed);
    let new = create("88.1/new", "u");
    let new = (request(&new, set_clock(), 2), new);
    let receipt = ask(&catalog, new.0, &new.1).unwrap();
    assert!(ask(&catalog, old.0, &old.1).unwrap().repeated, "a second before its end");
    SET.fetch_add(1_000, Ordering::Relaxed);
    let check = |catalog: &Catalog| {
        assert_answered(catalog, &old, &Err(Refusal::RequestExpired));
        assert_answered(catalog, &new, &Ok(repeated(receipt)));
    };
    check(&catalog);
    write(&catalog, vec![create("88.1/other", "u")]);
    // A store in memory keeps no state: this is a start after its loss.
    check(&reopen(&medium.after_power_loss(waymark_store::fault::Survives::Nothing), &options));
    // Remembering longer from now on finds it in the log again, since the state was lost.
    let longer = Options { requests: RequestLimits::DEFAULT, ..options.clone() };
    let again = reopen(&medium.after_power_loss(waymark_store::fault::Survives::Nothing), &longer);
    assert_answered(&again, &old, &Ok(repeated(first)));
}
