//! An index that has no room for what was just made durable, and what callers are told who share a group with others: never that something is not
//! done that is.
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
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use common::*;
use waymark_catalog::{
    Actor, Catalog, Command, NotWritable, Options, Outcome, Receipt, Refusal, Request, StreamStep, Submission,
    WriteError, command_digest, open_over,
};
use waymark_store::fault::{Fault, FaultMedium, MemoryMedium, Operation};
use waymark_store::medium::Medium;
use waymark_store::{Engine, Timestamp, open_on};

/// Opens a catalog whose index holds about ten identifiers.
fn open_small(medium: Arc<dyn Medium>, clock: waymark_catalog::Clock) -> Catalog {
    let options = options(std::path::Path::new("/data"), Engine::Log);
    let options = Options { most_entries: 10, clock, ..options };
    let (store, found) = open_on(medium, &options.store).unwrap();
    open_over(store, found, &options).unwrap().catalog
}

/// A number of new identifiers no index of [`open_small`] holds.
const TOO_MANY: usize = 20;

fn creates(first: usize, count: usize) -> Vec<Command> {
    (first..first + count).map(|n| create(&format!("88.1/{n}"), "u")).collect()
}

fn request(catalog: &Catalog, number: u8, command: &Command) -> Submission {
    let id = uuid::Builder::from_unix_timestamp_millis(catalog.store().last().time.0, &[number; 10]).into_uuid();
    let request = Request { id, digest: command_digest(&command.clone().into()) };
    Submission::new(&Actor::operator(), [command.clone()]).as_request(request)
}

fn ask(catalog: &Catalog, submission: Submission) -> Result<Result<Receipt, Refusal>, WriteError> {
    Ok(catalog.writer().submit(submission).unwrap().wait()?.remove(0))
}

#[test]
fn what_is_stored_and_cannot_be_shown_is_said_to_be_so_and_is_there_after_a_start_with_more_memory() {
    let medium = MemoryMedium::new();
    let catalog = open_small(Arc::new(medium.clone()), ticking);
    home(&catalog, "88.1");
    write(&catalog, creates(0, 2));
    let visible = catalog.serial();
    // One identifier after the other, until the index is full.
    let mut number = 2_u8;
    let question = loop {
        let question = request(&catalog, number, &create(&format!("88.1/{number}"), "u"));
        number += 1;
        match ask(&catalog, question.clone()) {
            Ok(receipt) => drop(receipt.unwrap()),
            Err(error) => {
                assert!(matches!(error, WriteError::NotVisible), "{error}");
                break question;
            }
        }
        assert!(usize::from(number) < TOO_MANY);
    };
    assert!(catalog.serial() > visible);
    assert_eq!(catalog.health().reason, Some(NotWritable::IndexFull));
    // Asked again it is still stored, and another one is not.
    assert!(matches!(ask(&catalog, question.clone()), Err(WriteError::NotVisible)));
    let other = request(&catalog, 100, &create("88.1/other", "u"));
    assert!(matches!(ask(&catalog, other.clone()), Err(WriteError::IndexFull)));
    catalog.shutdown().unwrap();
    drop(catalog);

    let catalog = open_after_loss(&medium).catalog;
    let receipt = ask(&catalog, question).unwrap().unwrap();
    assert_eq!((receipt.outcome, receipt.repeated), (Outcome::Created, true));
    assert_eq!(data(&catalog, &format!("88.1/{}", number - 1)).unwrap(), ["u"]);
    assert_eq!(data(&catalog, "88.1/other"), None, "what was said to be not written was not");
    assert!(!ask(&catalog, other).unwrap().unwrap().repeated);
}

#[test]
fn a_stream_s_mark_tells_what_is_stored_and_cannot_be_shown() {
    let medium = MemoryMedium::new();
    let catalog = open_small(Arc::new(medium.clone()), ticking);
    home(&catalog, "88.1");
    let send = |catalog: &Catalog, after: u64, commands: Vec<Command>| {
        let position = after + u64::try_from(commands.len()).unwrap();
        let step = StreamStep { stream: [7; 16], after, position, counts_orders: true };
        catalog.writer().submit(Submission::new(&Actor::operator(), commands).as_step(step)).unwrap().wait()
    };
    send(&catalog, 0, creates(0, 5)).unwrap();
    assert!(matches!(send(&catalog, 5, creates(5, TOO_MANY)), Err(WriteError::NotVisible)));
    assert_eq!(catalog.cold().mark([7; 16]).unwrap(), Some(25));
    assert!(matches!(send(&catalog, 25, creates(25, 1)), Err(WriteError::IndexFull)));
    drop(catalog);
    let catalog = open_after_loss(&medium).catalog;
    assert_eq!(dump(&catalog).len(), 25);
    assert_eq!(catalog.cold().mark([7; 16]).unwrap(), Some(25));
    send(&catalog, 25, creates(25, 1)).unwrap();
}

#[test]
fn a_deletion_is_in_force_although_the_index_has_no_room_for_what_was_written_with_it() {
    let catalog = open_small(Arc::new(MemoryMedium::new()), ticking);
    home(&catalog, "88.1");
    write(&catalog, creates(0, 5));
    let mut commands = creates(5, TOO_MANY);
    commands.push(delete("88.1/0"));
    commands.push(put("88.1/1", "new", waymark_catalog::PutMode::Replace));
    assert!(matches!(try_write(&catalog, commands), Err(WriteError::NotVisible)));
    assert_eq!(data(&catalog, "88.1/0"), None);
    assert_eq!(data(&catalog, "88.1/1").unwrap(), ["new"]);
}

/// Where the writer waits before it forms a group, while it is closed.
static GATE: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// The tests that use the gate take turns.
static TURN: Mutex<()> = Mutex::new(());

fn gated() -> Timestamp {
    let waits = std::thread::current().name() == Some("waymark-writer");
    if waits {
        drop(GATE.1.wait_while(GATE.0.lock().unwrap(), |closed| *closed).unwrap());
    }
    ticking()
}

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Opens the gate at the latest when a test ends, so that one that fails does not wait for its own writer.
struct Opener;

impl Drop for Opener {
    fn drop(&mut self) {
        gate(false);
    }
}

fn gate(closed: bool) {
    *GATE.0.lock().unwrap() = closed;
    GATE.1.notify_all();
}

#[test]
fn whoever_shares_a_group_with_what_cannot_be_shown_is_answered_by_itself() {
    let _turn = turn();
    let catalog = open_small(Arc::new(MemoryMedium::new()), gated);
    let _opener = Opener;
    home(&catalog, "88.1");
    write(&catalog, creates(0, 5));
    gate(true);
    let submit =
        |commands: Vec<Command>| catalog.writer().submit(Submission::new(&Actor::operator(), commands)).unwrap();
    let (hidden, refused) = (submit(creates(5, TOO_MANY)), submit(vec![delete("88.1/none")]));
    let same = submit(vec![put("88.1/0", "u", waymark_catalog::PutMode::CreateOrSame)]);
    gate(false);
    assert!(matches!(hidden.wait(), Err(WriteError::NotVisible)));
    assert_eq!(refused.wait().unwrap(), [Err(Refusal::NotFound)]);
    assert_eq!(same.wait().unwrap()[0].as_ref().unwrap().outcome, Outcome::Same);
}

#[test]
fn a_request_that_was_carried_out_is_said_to_be_so_in_a_group_that_fails() {
    let _turn = turn();
    let faults = FaultMedium::over(Arc::new(MemoryMedium::new()));
    let catalog = open_small(faults.clone(), gated);
    let _opener = Opener;
    home(&catalog, "88.1");
    let question = request(&catalog, 1, &create("88.1/a", "u"));
    let receipt = ask(&catalog, question.clone()).unwrap().unwrap();
    gate(true);
    faults.fail_once(Operation::Write, "", 0, Fault::Error(io::ErrorKind::TimedOut));
    let twice = request(&catalog, 2, &create("88.1/b", "u"));
    let submissions = [question, twice.clone(), twice, Submission::new(&Actor::operator(), creates(0, 1))];
    let [before, new, again, other] = submissions.map(|submission| catalog.writer().submit(submission).unwrap());
    gate(false);
    assert_eq!(before.wait().unwrap(), [Ok(Receipt { repeated: true, ..receipt })]);
    for failed in [new, again, other] {
        assert!(matches!(failed.wait(), Err(WriteError::Io(_))));
    }
    assert_eq!(data(&catalog, "88.1/b"), None);
}
