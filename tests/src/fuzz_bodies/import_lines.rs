//! Files of records, as operators and jobs bring them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use waymark_catalog::export::{self, ExportOptions};
use waymark_catalog::import::{self, Cause, Format, ImportOptions, Problem, Summary};
use waymark_catalog::{Catalog, Options, PutMode, Timestamp, Warm, WithdrawalBuf};
use waymark_store::{MemoryStore, Recovery};

thread_local! {
    /// Nothing is ever written to it.
    static EMPTY: RefCell<Catalog> = RefCell::new(empty());
}

/// The first byte gives format and options, the rest is a file.
///
/// Reading it never fails: what cannot be taken is told with its line, and with its field where it has one. What is taken is written out and taken
/// in again as the same records.
pub fn import_lines(input: &[u8]) {
    let Some((shape, file)) = input.split_first() else { return };
    let options = options(*shape);
    let dry = EMPTY.with_borrow(|catalog| {
        let dry = take_in(catalog, file, &ImportOptions { dry_run: true, ..options.clone() });
        assert_eq!(catalog.serial().0, 1, "a dry run writes nothing");
        dry
    });
    if dry.created == 0 {
        return;
    }
    let catalog = empty();
    let summary = take_in(&catalog, file, &options);
    assert_eq!(summary.progress.lines, dry.progress.lines);
    let records = records(&catalog);
    json_lines_come_back(&catalog, &records);
    batch_comes_back(&catalog, &records);
}

/// The time of every write here.
fn clock() -> Timestamp {
    Timestamp(1_800_000_000_000)
}

fn empty() -> Catalog {
    let mut options = Options::new(waymark_store::Options::new("unused"));
    (options.warm, options.clock) = (Warm::Off, clock);
    (options.resident_budget_bytes, options.expected_entries) = (1 << 20, 0);
    let store = Arc::new(MemoryStore::for_tests());
    waymark_catalog::open_over(store, Recovery::default(), &options).expect("memory opens").catalog
}

fn options(shape: u8) -> ImportOptions {
    let format = if shape & 1 == 0 { Format::JsonLines } else { Format::Batch };
    let existing = [PutMode::CreateOrSame, PutMode::Create, PutMode::Replace][usize::from(shape >> 1 & 3) % 3];
    let mut options = ImportOptions { existing, home: shape & 8 == 0, ..ImportOptions::new(format) };
    if shape & 16 != 0 {
        (options.line_bytes, options.submission) = (4_096, 1);
    }
    options
}

/// Imports a file, and looks at every problem.
fn take_in(catalog: &Catalog, file: &[u8], options: &ImportOptions) -> Summary {
    let mut rejects = Vec::new();
    let mut go_on = |_: &import::Progress| ControlFlow::Continue(());
    let summary = import::run(catalog, file, options, Some(&mut rejects), &mut go_on).expect("no file is an error");
    let rejects = String::from_utf8(rejects).expect("JSON is text");
    assert_eq!(u64::try_from(rejects.lines().count()), Ok(summary.progress.failed));
    for line in rejects.lines() {
        let told: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        let number = told["line"].as_u64().expect("every problem has its line");
        assert!(number >= 1 && number <= summary.progress.lines);
    }
    summary.problems.iter().for_each(|problem| has_its_field(problem, options.format));
    summary
}

/// What is wrong with a field says which.
fn has_its_field(problem: &Problem, format: Format) {
    let is_about_a_field = match problem.cause {
        Cause::Missing | Cause::Twice | Cause::OutOfRange { .. } | Cause::Hex | Cause::Values(_) => true,
        Cause::Permissions | Cause::AdminPermissions | Cause::UnknownFormat(_) | Cause::CutShort { .. } => true,
        // The whole line, where it is no object.
        Cause::WrongKind { .. } => format == Format::Batch,
        _ => false,
    };
    assert!(!is_about_a_field || !problem.field.is_empty(), "{problem}");
    assert!(problem.to_string().contains(&format!("line {}", problem.line)));
}

/// Everything about a record, by its key: handle, status and values.
type Records = BTreeMap<Vec<u8>, (Vec<u8>, Option<WithdrawalBuf>, Vec<u8>)>;

fn records(catalog: &Catalog) -> Records {
    let mut records = Records::new();
    let scanned = catalog.cold().scan(b"", b"", &mut |key, stored| {
        let status = stored.status().map(|status| WithdrawalBuf {
            revoked: status.revoked,
            since_seconds: Some(status.since_seconds),
            reason: status.reason.to_owned(),
        });
        records.insert(key.to_vec(), (stored.handle().to_vec(), status, stored.wire_values().to_vec()));
        ControlFlow::Continue(())
    });
    scanned.expect("memory gives everything");
    records
}

fn give_out(catalog: &Catalog, format: Format) -> (Vec<u8>, export::Summary) {
    let mut out = Vec::new();
    let go_on = &mut |_| ControlFlow::Continue(());
    let summary = export::run(catalog, &mut out, &ExportOptions::new(format), go_on).expect("memory gives everything");
    (out, summary)
}

/// JSON lines say everything.
fn json_lines_come_back(catalog: &Catalog, expected: &Records) {
    let (text, summary) = give_out(catalog, Format::JsonLines);
    assert_eq!((summary.records, summary.omitted), (u64::try_from(expected.len()).expect("few"), 0));
    let again = empty();
    let taken = take_in(&again, &text, &options(0));
    assert_eq!((taken.created, taken.progress.failed), (summary.records, 0), "{:?}", taken.problems);
    assert_eq!(records(&again), *expected);
    assert_eq!(give_out(&again, Format::JsonLines).0, text);
}

/// The batch format leaves out what it cannot say, and says so; timestamps are those of the import.
fn batch_comes_back(catalog: &Catalog, expected: &Records) {
    let (text, summary) = give_out(catalog, Format::Batch);
    let all = summary.records + summary.omitted + summary.withdrawn;
    assert_eq!(all, u64::try_from(expected.len()).expect("few"));
    let again = empty();
    let taken = take_in(&again, &text, &options(1));
    assert_eq!((taken.created, taken.progress.failed), (summary.records, 0), "{:?}", taken.problems);
    let mut count = 0;
    let scanned = again.cold().scan(b"", b"", &mut |key, stored| {
        let (handle, status, wire) = &expected[key];
        assert_eq!((stored.handle(), status), (handle.as_slice(), &None));
        let mut values = stored.values().expect("just written").iter();
        let mut known = waymark_wire::Values::from_wire(stored.count(), wire).expect("as many values").iter();
        assert!(known.all(|known| values.next().is_some_and(|value| is_same(&known, &value))));
        count += 1;
        ControlFlow::Continue(())
    });
    scanned.expect("memory gives everything");
    assert_eq!(count, summary.records);
}

/// Whether two values are the same, timestamps aside.
fn is_same(one: &waymark_wire::ValueRef<'_>, other: &waymark_wire::ValueRef<'_>) -> bool {
    one.index == other.index && one.wire.get(8..) == other.wire.get(8..)
}
