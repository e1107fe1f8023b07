//! Changes whose results are more than one group of writes may hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::Arc;

use common::*;
use waymark_catalog::import::{self, Format, ImportError, ImportOptions};
use waymark_catalog::{
    Actor, AddMode, Catalog, Command, ItemOutcome, Outcome, PutMode, Refusal, RefusalCode, Results, StreamId,
    StreamStep, Submission, Timestamps, ValueSet, WriteError, WriterLimits,
};
use waymark_store::Engine;
use waymark_store::fault::MemoryMedium;
use waymark_wire::ValueBuf;

/// Records that are more than one group together.
const RECORDS: usize = 160;

const STREAM: StreamId = [7; 16];

fn handle(n: usize) -> String {
    format!("88.1/{n}")
}

/// 240 kB of values.
fn large_values() -> ValueSet {
    ValueSet::from_bufs(&[1, 2, 3, 4].map(|n| ValueBuf::new(n, b"TEXT", &[b'x'; 60_000]))).unwrap()
}

fn large(handle: &str, mode: PutMode) -> Command {
    Command::Put { handle: handle.into(), values: large_values(), timestamps: Timestamps::Now, mode }
}

/// A catalog with the large records.
fn filled(medium: &MemoryMedium) -> Catalog {
    let catalog = open_medium(Arc::new(medium.clone())).catalog;
    home(&catalog, "88.1");
    let handles: Vec<String> = (0..RECORDS).map(handle).collect();
    for part in handles.chunks(20) {
        write(&catalog, part.iter().map(|handle| large(handle, PutMode::Create)).collect());
    }
    catalog
}

/// An addition to each of them.
fn additions() -> Vec<Command> {
    (0..RECORDS).map(|n| add(&handle(n), 9, "more")).collect()
}

fn submit(catalog: &Catalog, stream: StreamId, after: u64, commands: Vec<Command>) -> waymark_catalog::Ticket {
    let position = after + u64::try_from(commands.len()).unwrap();
    let step = StreamStep { stream, after, position, counts_orders: true };
    catalog.writer().submit(Submission::new(&Actor::operator(), commands).as_step(step)).unwrap()
}

fn outcomes(results: &Results) -> Vec<Outcome> {
    results.iter().map(|result| result.as_ref().unwrap().outcome).collect()
}

/// How many of the first results were committed together.
fn first_group(results: &Results) -> usize {
    let time = |at: usize| results[at].as_ref().unwrap().time;
    (0..results.len()).take_while(|at| time(*at) == time(0)).count()
}

#[test]
fn changes_of_one_large_record_that_do_not_fit_a_group_are_carried_out_in_several() {
    let catalog = open_medium(Arc::new(MemoryMedium::new())).catalog;
    home(&catalog, "88.1");
    write(&catalog, vec![large("88.1/big", PutMode::Create)]);
    let before = catalog.statistics().groups_total;
    // 200 entries of 240 kB.
    let receipts = write(&catalog, (0..200).map(|n| add("88.1/big", 10 + n, "d")).collect());
    assert!(catalog.statistics().groups_total > before + 1);
    assert!(receipts.is_sorted_by(|one, next| one.serial < next.serial));
    assert_eq!(data(&catalog, "88.1/big").unwrap().len(), 204);
}

#[test]
fn a_step_of_a_stream_that_is_too_large_for_a_group_succeeds_and_the_steps_behind_it_follow() {
    let medium = MemoryMedium::new();
    let catalog = filled(&medium);
    let size = u64::try_from(RECORDS).unwrap();
    // All under way before the first is answered, as streams have them.
    let first = submit(&catalog, STREAM, 0, vec![create("88.1/first", "u"), delete("88.1/none")]);
    let large = submit(&catalog, STREAM, 2, additions());
    let last = submit(&catalog, STREAM, 2 + size, vec![add("88.1/0", 10, "last"), add("88.1/first", 10, "last")]);
    assert_eq!(first.wait().unwrap()[1], Err(Refusal::NotFound));
    let results = large.wait().unwrap();
    assert_eq!(outcomes(&results), [Outcome::Changed; RECORDS]);
    assert!(first_group(&results) < RECORDS, "in several groups");
    assert_eq!(outcomes(&last.wait().unwrap()), [Outcome::Changed; 2]);
    drop(catalog);

    let catalog = open_after_loss(&medium).catalog;
    assert_eq!(catalog.cold().mark(STREAM).unwrap(), Some(size + 4));
    let mut told = Vec::new();
    let mut visit = |_, outcome| {
        told.push(outcome);
        ControlFlow::Continue(())
    };
    catalog.cold().stream_outcomes(STREAM, 3, size, &mut visit).unwrap();
    for (outcome, result) in told.iter().zip(&results) {
        let (ItemOutcome::Accepted(told), Ok(receipt)) = (outcome, result) else { panic!("{outcome:?} {result:?}") };
        assert_eq!((told.serial, told.time), (receipt.serial, Some(receipt.time)));
        assert_eq!((told.content, told.outcome), (Some(receipt.content), Outcome::Changed));
    }
    assert_eq!(told.len(), RECORDS);
    assert_eq!(data(&catalog, "88.1/0").unwrap().len(), 6);
    assert_eq!(data(&catalog, "88.1/159").unwrap()[4], "more");
}

#[test]
fn a_step_that_is_not_at_its_stream_s_mark_is_refused_whole_even_where_a_part_of_it_would_be() {
    let catalog = filled(&MemoryMedium::new());
    let part = first_group(&submit(&catalog, STREAM, 0, additions()).wait().unwrap());
    // Another stream stands exactly where the first group of the same step ended.
    let other = [8; 16];
    submit(&catalog, other, 0, (0..part).map(|_| delete("88.1/none")).collect()).wait().unwrap();
    let before = catalog.serial();
    let results = submit(&catalog, other, 0, (0..RECORDS).map(|n| add(&handle(n), 10, "u")).collect()).wait().unwrap();
    let found = u64::try_from(part).unwrap();
    assert_eq!(results, vec![Err(Refusal::MarkMoved { found }); RECORDS]);
    assert_eq!(catalog.serial(), before);
}

#[test]
fn when_a_later_group_of_a_step_fails_what_was_done_is_told_and_the_mark_says_the_same() {
    let medium = MemoryMedium::new();
    let catalog = filled(&medium);
    medium.set_room(Some(medium.used() + (32 << 20)));
    let Err(WriteError::Partly { results, error }) = submit(&catalog, STREAM, 0, additions()).wait() else {
        panic!("the disk has room for one group only");
    };
    assert!(matches!(*error, WriteError::DiskFull), "{error}");
    let done = results.len();
    assert_eq!(outcomes(&results), vec![Outcome::Changed; done]);
    assert!(done > 0 && done < RECORDS);
    let mark = u64::try_from(done).unwrap();
    assert_eq!(catalog.cold().mark(STREAM).unwrap(), Some(mark));
    assert_eq!(data(&catalog, &handle(done - 1)).unwrap().len(), 5);
    assert_eq!(data(&catalog, &handle(done)).unwrap().len(), 4);
    medium.set_room(None);
    let rest = submit(&catalog, STREAM, mark, additions().split_off(done)).wait().unwrap();
    assert_eq!(outcomes(&rest), vec![Outcome::Changed; RECORDS - done]);
}

#[test]
fn an_import_that_counts_bytes_goes_on_between_the_groups_of_a_load() {
    let medium = MemoryMedium::new();
    let catalog = filled(&medium);
    let lines: String = (0..RECORDS).map(|n| format!("ADD {}\n9 DESC 86400 1110 UTF8 more\n\n", handle(n))).collect();
    let options = ImportOptions { stream: Some(STREAM), ..ImportOptions::new(Format::Batch) };
    let run = || import::run(&catalog, Cursor::new(&lines), &options, None, &mut |_| ControlFlow::Continue(()));
    medium.set_room(Some(medium.used() + (32 << 20)));
    let Err(ImportError::Write { error: WriteError::DiskFull, summary }) = run() else { panic!("the disk is full") };
    let done = summary.changed;
    assert!(done > 0 && done < 160, "{summary:?}");
    medium.set_room(None);
    let rest = run().unwrap();
    assert!(rest.resumed.is_some());
    assert_eq!((rest.changed, rest.same, rest.progress.failed), (160 - done, 0, 0), "nothing is done twice");
    assert_eq!(data(&catalog, "88.1/159").unwrap().len(), 5);
}

#[test]
fn a_dry_run_takes_what_the_writer_takes() {
    let catalog = filled(&MemoryMedium::new());
    let results = import::check(&catalog, Submission::new(&Actor::operator(), additions()));
    assert_eq!(outcomes(&results), [Outcome::Changed; RECORDS]);
    assert_eq!(data(&catalog, "88.1/0").unwrap().len(), 4, "nothing was written");
}

#[test]
fn one_order_that_is_too_large_by_itself_is_refused_and_the_others_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let writer = WriterLimits { group_bytes: 32 << 20, ..WriterLimits::default() };
    let options = waymark_catalog::Options { writer, ..options(dir.path(), Engine::Log) };
    let catalog = waymark_catalog::open(&options).unwrap().catalog;
    home(&catalog, "88.1");
    let values: Vec<_> = (2..=500).map(|index| ValueBuf::new(index, b"TEXT", &[b'x'; 60_000])).collect();
    let values = ValueSet::from_bufs(&values).unwrap();
    let huge =
        Command::AddValues { handle: b"88.1/a".to_vec(), values, timestamps: Timestamps::Now, mode: AddMode::New };
    let step = vec![create("88.1/a", "u"), huge.clone(), create("88.1/b", "u")];
    let results = submit(&catalog, STREAM, 0, step).wait().unwrap();
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    assert_eq!(results[1].as_ref().unwrap_err().code(), RefusalCode::TooLarge);
    assert_eq!(catalog.cold().mark(STREAM).unwrap(), Some(3));
    let mut told = Vec::new();
    let mut visit = |_, outcome| {
        told.push(outcome);
        ControlFlow::Continue(())
    };
    catalog.cold().stream_outcomes(STREAM, 1, 3, &mut visit).unwrap();
    assert_eq!(told[1], ItemOutcome::Refused(RefusalCode::TooLarge));
    // Whoever may not write there learns no more than that.
    let stranger = Submission::new(&Actor::identity("300:0.NA/88.1"), [huge]);
    assert_eq!(catalog.writer().submit(stranger).unwrap().wait().unwrap(), [Err(Refusal::NotPermitted)]);
}

#[test]
fn as_many_large_records_are_deleted_and_replaced_at_once_as_small_ones() {
    let catalog = filled(&MemoryMedium::new());
    let handles: Vec<String> = (0..RECORDS).map(handle).collect();
    // 38 MB of records are in the way of these, more than a group may hold.
    write(&catalog, handles.iter().map(|handle| put(handle, "small", PutMode::Replace)).collect());
    for part in handles.chunks(20) {
        write(&catalog, part.iter().map(|handle| large(handle, PutMode::Replace)).collect());
    }
    write(&catalog, handles.iter().map(|handle| delete(handle)).collect());
    assert_eq!(data(&catalog, "88.1/0"), None);
}
