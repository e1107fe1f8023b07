//! Records out of resolution: suspended, resumed, revoked, and what may be done to them meanwhile.
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

use common::{ENGINES, add, create, data, delete, dump, fetch, home, open_at, put, try_write, write};
use waymark_catalog::export::{self, ExportOptions};
use waymark_catalog::import::{self, Format, ImportOptions, Summary};
use waymark_catalog::{Catalog, Command, Outcome, PutMode, Receipt, Refusal, WithdrawalBuf};
use waymark_ident::Handle;

const A: &str = "88.1/a";

fn suspend(handle: &str, reason: &str) -> Command {
    Command::Suspend { handle: handle.into(), reason: reason.into() }
}

fn resume(handle: &str) -> Command {
    Command::Resume { handle: handle.into() }
}

fn revoke(handle: &str, reason: &str) -> Command {
    Command::Revoke { handle: handle.into(), reason: reason.into() }
}

fn ask(catalog: &Catalog, command: Command) -> Result<Receipt, Refusal> {
    try_write(catalog, vec![command]).unwrap().remove(0)
}

fn outcome(catalog: &Catalog, command: Command) -> Outcome {
    ask(catalog, command).unwrap().outcome
}

/// Status of a record by both ways of reading: revoked, and the reason; `None` when it is resolved.
fn status(catalog: &Catalog, handle: &str) -> Option<(bool, String)> {
    let record = fetch(catalog, handle).unwrap();
    let status = record.stored().unwrap().status();
    status.map(|status| (status.revoked, status.reason.to_owned()))
}

/// A catalog with one record, on an engine.
fn begun(dir: &tempfile::TempDir, engine: waymark_store::Engine) -> Catalog {
    let catalog = open_at(dir.path(), engine).catalog;
    home(&catalog, "88.1");
    write(&catalog, vec![create(A, "1")]);
    catalog
}

#[test]
fn a_record_is_suspended_and_resumed_and_keeps_its_values() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = begun(&dir, engine);
        let first = ask(&catalog, suspend("88.1/A", "recall")).unwrap();
        let since = fetch(&catalog, A).unwrap().stored().unwrap().status().unwrap().since();
        assert_eq!((first.outcome, since), (Outcome::Suspended, first.time));
        assert_eq!(status(&catalog, A), Some((false, "recall".into())));
        let again = ask(&catalog, suspend(A, "recall")).unwrap();
        assert_eq!((again.outcome, again.serial, again.content), (Outcome::Same, first.serial, first.content));
        assert_eq!(outcome(&catalog, suspend(A, "recall of lot 7")), Outcome::Suspended);
        let stored = fetch(&catalog, A).unwrap();
        assert_eq!(stored.stored().unwrap().status().unwrap().since(), since, "it is suspended since then");
        drop(catalog);
        let catalog = open_at(dir.path(), engine).catalog;
        assert_eq!(status(&catalog, A), Some((false, "recall of lot 7".into())));
        assert_eq!(outcome(&catalog, resume(A)), Outcome::Resumed);
        assert_eq!(outcome(&catalog, resume(A)), Outcome::Same);
        assert_eq!((status(&catalog, A), data(&catalog, A)), (None, Some(vec!["1".to_owned()])));
    }
}

#[test]
fn values_of_a_suspended_record_may_change_and_it_stays_suspended() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, ENGINES[0]);
    write(&catalog, vec![suspend(A, "r"), add(A, 2, "two")]);
    let suspended = Some((false, "r".to_owned()));
    assert_eq!((status(&catalog, A), data(&catalog, A).unwrap().len()), (suspended.clone(), 2));
    assert_eq!(outcome(&catalog, put(A, "new", PutMode::Replace)), Outcome::Replaced);
    assert_eq!((status(&catalog, A), data(&catalog, A)), (suspended, Some(vec!["new".to_owned()])));
}

#[test]
fn deleting_and_making_again_is_no_way_around_a_suspension() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, ENGINES[0]);
    write(&catalog, vec![suspend(A, "r")]);
    assert_eq!(ask(&catalog, delete(A)), Err(Refusal::Withdrawn { revoked: false }));
    assert_eq!(outcome(&catalog, resume(A)), Outcome::Resumed);
    assert_eq!(outcome(&catalog, delete(A)), Outcome::Deleted);
    assert_eq!(outcome(&catalog, create(A, "again")), Outcome::Created);
    assert_eq!(status(&catalog, A), None, "a record made again is resolved");
}

#[test]
fn a_revoked_record_refuses_everything_but_being_read() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = begun(&dir, engine);
        write(&catalog, vec![suspend(A, "recall")]);
        assert_eq!(outcome(&catalog, revoke(A, "counterfeit")), Outcome::Revoked);
        drop(catalog);
        let catalog = open_at(dir.path(), engine).catalog;
        let commands = [
            create(A, "1"),
            put(A, "1", PutMode::CreateOrSame),
            put(A, "2", PutMode::Replace),
            add(A, 9, "x"),
            Command::RemoveValues { handle: A.into(), indexes: vec![1] },
            delete(A),
            suspend(A, "r"),
            resume(A),
            revoke(A, "counterfeit"),
        ];
        for command in commands {
            assert_eq!(ask(&catalog, command.clone()), Err(Refusal::Withdrawn { revoked: true }), "{command:?}");
        }
        assert_eq!(status(&catalog, A), Some((true, "counterfeit".into())));
        let versions = catalog.cold().history(&Handle::new(A.as_bytes()).unwrap(), None, 10).unwrap();
        let states: Vec<Option<bool>> = versions
            .iter()
            .map(|version| version.record.as_ref().unwrap().stored().unwrap().status().map(|status| status.revoked))
            .collect();
        assert_eq!(states, [Some(true), Some(false), None], "history keeps what it was");
    }
}

#[test]
fn an_active_record_is_revoked_too_and_an_absent_one_is_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, ENGINES[0]);
    assert_eq!(outcome(&catalog, revoke(A, "")), Outcome::Revoked);
    for command in [suspend("88.1/z", ""), resume("88.1/z"), revoke("88.1/z", "")] {
        assert_eq!(ask(&catalog, command), Err(Refusal::NotFound));
    }
    assert!(matches!(ask(&catalog, suspend("88.2/a", "")), Err(Refusal::NotServed { .. })));
}

#[test]
fn reasons_that_are_too_long_or_hold_control_characters_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, ENGINES[0]);
    let longest = "产".repeat(341) + "x"; // 1,024 bytes
    assert_eq!(outcome(&catalog, suspend(A, &longest)), Outcome::Suspended);
    assert_eq!(status(&catalog, A), Some((false, longest.clone())));
    for bad in [longest + "x", "two\nlines".to_owned(), "\u{7f}".to_owned()] {
        for command in [suspend(A, &bad), revoke(A, &bad)] {
            let refusal = ask(&catalog, command).unwrap_err();
            assert!(matches!(refusal, Refusal::InvalidAccess { field: "reason", .. }), "{refusal}");
        }
    }
}

fn import(catalog: &Catalog, input: &str, options: &ImportOptions) -> Summary {
    import::run(catalog, input.as_bytes(), options, None, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn export(catalog: &Catalog, format: Format) -> (String, export::Summary) {
    let mut out = Vec::new();
    let options = ExportOptions::new(format);
    let summary = export::run(catalog, &mut out, &options, &mut |_| ControlFlow::Continue(())).unwrap();
    (String::from_utf8(out).unwrap(), summary)
}

#[test]
fn an_export_as_json_keeps_the_status_and_an_import_takes_it_back() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let catalog = begun(&from, ENGINES[0]);
    write(&catalog, vec![create("88.1/b", "2"), create("88.1/c", "3"), suspend(A, "召回"), revoke("88.1/b", "")]);
    let (text, summary) = export(&catalog, Format::JsonLines);
    assert_eq!((summary.records, summary.withdrawn), (3, 0));
    assert!(text.lines().next().unwrap().contains(r#""status":{"state":"suspended","since":"#), "{text}");
    let other = open_at(to.path(), ENGINES[0]).catalog;
    let options = ImportOptions { home: true, ..ImportOptions::new(Format::JsonLines) };
    assert_eq!(import(&other, &text, &options).created, 3);
    assert_eq!(dump(&other), dump(&catalog), "to the byte");
    // Once more: everything is as it is, revoked records too.
    let again = import(&other, &text, &options);
    assert!(again.is_clean(), "{again:?}");
    assert_eq!(again.same, 3);
}

#[test]
fn an_import_never_takes_a_status_away() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, ENGINES[0]);
    write(&catalog, vec![suspend(A, "r")]);
    let line = r#"{"handle":"88.1/a","values":[{"index":1,"type":"URL","data":"2"}]}"#;
    let replace = ImportOptions { existing: PutMode::Replace, ..ImportOptions::new(Format::JsonLines) };
    assert_eq!(import(&catalog, line, &replace).replaced, 1);
    assert_eq!((status(&catalog, A), data(&catalog, A)), (Some((false, "r".into())), Some(vec!["2".into()])));
}

#[test]
fn a_record_with_a_status_given_is_other_than_one_without() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, ENGINES[0]);
    let given = |revoked, mode| {
        let Command::Put { handle, values, timestamps, mode } = put(A, "1", mode) else { panic!("no put") };
        let status = WithdrawalBuf { revoked, since_seconds: None, reason: "r".into() };
        Command::PutWithdrawn { handle, values, timestamps, mode, status }
    };
    let exists = |refusal| matches!(refusal, Err(Refusal::AlreadyExists { same_content: false, .. }));
    assert!(exists(ask(&catalog, given(false, PutMode::CreateOrSame))));
    assert_eq!(outcome(&catalog, given(false, PutMode::Replace)), Outcome::Replaced);
    assert_eq!(outcome(&catalog, given(false, PutMode::CreateOrSame)), Outcome::Same);
    assert!(exists(ask(&catalog, given(true, PutMode::CreateOrSame))));
    assert_eq!(outcome(&catalog, given(true, PutMode::Replace)), Outcome::Replaced);
    assert_eq!(outcome(&catalog, given(true, PutMode::CreateOrSame)), Outcome::Same);
    assert_eq!(ask(&catalog, given(false, PutMode::Replace)), Err(Refusal::Withdrawn { revoked: true }));
}

#[test]
fn the_batch_format_leaves_withdrawn_records_out_and_says_how_many() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, ENGINES[0]);
    write(&catalog, vec![create("88.1/b", "2"), create("88.1/c", "3"), suspend(A, "r"), revoke("88.1/b", "")]);
    let (text, summary) = export(&catalog, Format::Batch);
    assert_eq!((summary.records, summary.withdrawn, summary.omitted), (1, 2, 0));
    assert_eq!(text, "CREATE 88.1/c\n1 URL 86400 1110 UTF8 3\n\n");
}
