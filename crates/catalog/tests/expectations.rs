//! What an order expects of a record is looked at before anything else of it, and a mismatch shows how the record is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::{ENGINES, add, create, data, delete, fetch, home, open_at, put, url, write};
use waymark_catalog::{
    Actor, Catalog, Command, ContentHash, Expect, Order, PutMode, Receipt, Refusal, Submission, Timestamps, ValueSet,
    WithdrawalBuf,
};
use waymark_store::Serial;

const A: &str = "88.1/a";

fn ask(catalog: &Catalog, command: Command, expect: Expect) -> Result<Receipt, Refusal> {
    let order = Order { command, expect: Some(expect) };
    catalog.writer().submit(Submission::new(&Actor::operator(), [order])).unwrap().wait().unwrap().remove(0)
}

/// Every command about a record, each of which the record of [`begun`] lets through.
fn commands() -> Vec<Command> {
    let Command::Put { handle, values, timestamps, mode } = put(A, "status", PutMode::Replace) else {
        panic!("no put")
    };
    let status = WithdrawalBuf { revoked: false, since_seconds: None, reason: "r".into() };
    vec![
        put(A, "replaced", PutMode::Replace),
        put(A, "1", PutMode::CreateOrSame),
        Command::PutWithdrawn { handle, values, timestamps, mode, status },
        add(A, 2, "added"),
        Command::ModifyValues { handle: A.into(), values: url("modified"), timestamps: Timestamps::Now },
        Command::RemoveValues { handle: A.into(), indexes: vec![1] },
        delete(A),
        Command::Suspend { handle: A.into(), reason: "r".into() },
        Command::Resume { handle: A.into() },
        Command::Revoke { handle: A.into(), reason: "r".into() },
    ]
}

fn begun(engine: waymark_store::Engine) -> (tempfile::TempDir, Catalog, Receipt) {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), engine).catalog;
    home(&catalog, "88.1");
    let receipt = write(&catalog, vec![create(A, "1")])[0];
    (dir, catalog, receipt)
}

#[test]
fn a_mismatch_refuses_every_command_and_shows_serial_and_content() {
    for engine in ENGINES {
        let (_dir, catalog, receipt) = begun(engine);
        let other = ValueSet::default().content();
        let wrong = [
            Expect::Absent,
            Expect::Serial(Serial(receipt.serial.0 - 1)),
            Expect::Serial(receipt.serial.next()),
            Expect::Serial(Serial::NONE),
            Expect::Content(other),
        ];
        let refusal = Refusal::Unexpected { serial: receipt.serial, content: Some(receipt.content) };
        for command in commands().into_iter().chain([create(A, "1")]) {
            for expect in wrong {
                assert_eq!(ask(&catalog, command.clone(), expect), Err(refusal.clone()), "{command:?} {expect:?}");
            }
        }
        assert_eq!(fetch(&catalog, A).unwrap().serial, receipt.serial, "nothing was written");
    }
}

#[test]
fn what_is_as_expected_lets_every_command_through() {
    for command in commands() {
        for by_content in [false, true] {
            let (_dir, catalog, receipt) = begun(ENGINES[0]);
            let expect = if by_content { Expect::Content(receipt.content) } else { Expect::Serial(receipt.serial) };
            let done = ask(&catalog, command.clone(), expect);
            assert!(done.is_ok(), "{command:?}: {done:?}");
        }
    }
}

#[test]
fn where_there_is_no_record_only_absence_is_as_expected() {
    let (_dir, catalog, receipt) = begun(ENGINES[0]);
    write(&catalog, vec![delete(A)]);
    let refusal = Refusal::Unexpected { serial: Serial::NONE, content: None };
    for expect in [Expect::Serial(receipt.serial), Expect::Serial(Serial::NONE), Expect::Content(receipt.content)] {
        for command in commands().into_iter().chain([create(A, "2")]) {
            assert_eq!(ask(&catalog, command, expect), Err(refusal.clone()));
        }
    }
    assert_eq!(ask(&catalog, delete(A), Expect::Absent), Err(Refusal::NotFound), "as expected, and still not there");
    assert!(ask(&catalog, create(A, "2"), Expect::Absent).is_ok());
    assert_eq!(data(&catalog, A).unwrap(), ["2"]);
}

#[test]
fn orders_of_one_group_expect_what_those_before_made() {
    let (_dir, catalog, receipt) = begun(ENGINES[0]);
    let step = |data: &str, expect| Order { command: put(A, data, PutMode::Replace), expect: Some(expect) };
    let (at_first, two) = (Expect::Serial(receipt.serial), ContentHash::of(url("2").values()));
    let orders = [step("2", at_first), step("3", at_first), step("4", Expect::Content(two))];
    let ticket = catalog.writer().submit(Submission::new(&Actor::operator(), orders)).unwrap();
    let results = ticket.wait().unwrap();
    let first = results[0].as_ref().unwrap();
    let moved = Refusal::Unexpected { serial: first.serial, content: Some(two) };
    assert_eq!(results[1], Err(moved));
    assert_eq!(results[2].as_ref().unwrap().serial, first.serial.next());
    assert_eq!(data(&catalog, A).unwrap(), ["4"]);
}
