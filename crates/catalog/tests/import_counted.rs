//! Imports that are cut off anywhere and go on: nothing is done, counted or listed twice, nothing is left out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod common;

use std::fmt::Write as _;
use std::io::{self, Cursor};
use std::ops::ControlFlow;
use std::sync::Arc;

use common::*;
use waymark_catalog::import::{self, Format, ImportError, ImportOptions, Place, Problem, Recorder, Summary};
use waymark_catalog::{Catalog, PutMode, open_over};
use waymark_ident::Handle;
use waymark_store::{Engine, MemoryStore, Serial};

const STREAM: [u8; 16] = [7; 16];

/// What is kept of an import.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
struct Kept {
    place: Place,
    created: u64,
    changed: u64,
    same: u64,
    failed: u64,
    rejects: Vec<(u64, String)>,
}

/// Keeps only every third place, and cuts the import off after some.
struct Ledger {
    kept: Kept,
    now: Kept,
    before: Kept,
    told: usize,
    cut_after: usize,
}

impl Ledger {
    fn new(kept: Kept, cut_after: usize) -> Self {
        Self { now: kept.clone(), before: kept.clone(), kept, told: 0, cut_after }
    }
}

impl Recorder for Ledger {
    fn failed(&mut self, problem: &Problem) -> io::Result<()> {
        self.now.rejects.push((problem.line, problem.cause.code().to_owned()));
        Ok(())
    }

    fn reached(&mut self, place: Option<&Place>, summary: &Summary) -> io::Result<ControlFlow<()>> {
        self.now.created = self.before.created + summary.created;
        self.now.changed = self.before.changed + summary.replaced + summary.changed + summary.deleted;
        self.now.same = self.before.same + summary.same;
        self.now.failed = self.before.failed + summary.progress.failed;
        self.told += 1;
        if let Some(place) = place {
            self.now.place = *place;
            if self.told.is_multiple_of(3) {
                self.kept = self.now.clone();
            }
        }
        Ok(if self.told >= self.cut_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

fn memory() -> Catalog {
    let options = options(std::path::Path::new("unused"), Engine::Log);
    let store = Arc::new(MemoryStore::for_tests());
    let catalog = open_over(store, waymark_store::Recovery::default(), &options).unwrap().catalog;
    home(&catalog, "88.1");
    catalog
}

fn json_lines() -> (String, ImportOptions) {
    let mut input = String::new();
    for n in 0..400 {
        match n {
            _ if n % 17 == 3 => input.push_str("not json\n"),
            _ if n % 29 == 5 => writeln!(input, "{{\"handle\":\"99.1/{n}\",\"values\":[]}}").unwrap(),
            // Replaced again and again: done twice it would not be the same.
            _ if n % 5 == 0 => writeln!(
                input,
                "{{\"handle\":\"88.1/again\",\"values\":[{{\"index\":1,\"type\":\"URL\",\"data\":\"{n}\"}}]}}"
            )
            .unwrap(),
            _ if n % 7 == 0 => input.push_str("\n{\"handle\":\"88.1/same\",\"values\":[]}\n\n"),
            n => writeln!(input, "{{\"handle\":\"88.1/{n}\",\"values\":[]}}").unwrap(),
        }
    }
    let options = ImportOptions { existing: PutMode::Replace, ..ImportOptions::new(Format::JsonLines) };
    (input, options)
}

fn batch() -> (String, ImportOptions) {
    let mut input = String::new();
    for n in 0..60 {
        match n % 6 {
            0 => writeln!(input, "CREATE 88.1/{n}\n1 URL 60 1110 UTF8 a\n2 URL 60 1110 UTF8 b").unwrap(),
            1 => writeln!(input, "HOME 192.0.2.1:2641:TCP\n88.{n}\n88.{n}\nnot a prefix\n88.1{n}\n").unwrap(),
            2 => writeln!(input, "MODIFY 88.1/{}\n1 URL 60 1110 UTF8 c{n}\n", n - 2).unwrap(),
            3 => writeln!(input, "REMOVE 2,9:88.1/{}", n - 3).unwrap(),
            4 => writeln!(input, "CREATE 88.1/{n}\n1 URL x 1110 UTF8 a\n").unwrap(),
            _ => writeln!(input, "DELETE 88.1/{}", n - 5).unwrap(),
        }
    }
    (input, ImportOptions::new(Format::Batch))
}

fn go_on(catalog: &Catalog, input: &str, options: &ImportOptions, ledger: &mut Ledger) -> Summary {
    let from = ledger.kept.place;
    import::run_counted(catalog, Cursor::new(input.as_bytes()), options, STREAM, from, ledger).unwrap()
}

#[test]
fn however_often_it_is_cut_off_counts_and_rejects_are_those_of_one_run() {
    for (input, options) in [json_lines(), batch()] {
        let options = ImportOptions { submission: 7, in_flight: 3, ..options };
        let whole = memory();
        let mut expected = Ledger::new(Kept::default(), usize::MAX);
        go_on(&whole, &input, &options, &mut expected);
        assert_eq!(expected.now.place.offset, input.len() as u64);
        assert_eq!(expected.now.place.lines, input.lines().count() as u64);
        assert!(expected.now.failed > 10 && expected.now.created > 5 && expected.now.changed > 5);
        assert!(expected.now.rejects.is_sorted_by_key(|(line, _)| *line), "{:?}", expected.now.rejects);
        for cut_after in 1..12 {
            let catalog = memory();
            let mut kept = Kept::default();
            let mut runs = 0;
            let last = loop {
                // Later runs go further, so that all of them end.
                let mut ledger = Ledger::new(kept, cut_after + runs);
                let summary = go_on(&catalog, &input, &options, &mut ledger);
                runs += 1;
                kept = ledger.kept;
                if !summary.stopped {
                    break ledger.now;
                }
            };
            assert!(runs > 1);
            assert_eq!(last, expected.now, "cut off after {cut_after}");
            assert_eq!(dump(&catalog).len(), dump(&whole).len());
            assert_eq!(catalog.cold().mark(STREAM).unwrap().unwrap(), expected.now.place.orders);
            assert_eq!(data(&catalog, "88.1/again"), data(&whole, "88.1/again"));
        }
    }
}

#[test]
fn what_is_finished_is_found_finished() {
    let (input, options) = json_lines();
    let catalog = memory();
    let mut first = Ledger::new(Kept::default(), usize::MAX);
    go_on(&catalog, &input, &options, &mut first);
    // Not by the serial: the audit may count the refusals of the first run at any time.
    let before = records(&catalog);
    // Nothing of the first run was kept.
    let mut second = Ledger::new(Kept::default(), usize::MAX);
    go_on(&catalog, &input, &options, &mut second);
    assert_eq!((second.now, records(&catalog)), (first.now, before));
}

/// Every record with the serial of its entry.
fn records(catalog: &Catalog) -> Vec<(Vec<u8>, Serial)> {
    let keys = dump(catalog).into_iter().map(|(key, _)| key);
    let serial_of = |key: &Vec<u8>| catalog.cold().fetch(&Handle::new(key).unwrap()).unwrap().unwrap().serial;
    keys.map(|key| (key.clone(), serial_of(&key))).collect()
}

#[test]
fn counts_of_another_node_are_not_added_to() {
    let (input, options) = json_lines();
    let from = Place { orders: 5, ..Place::default() };
    let mut ledger = Ledger::new(Kept::default(), usize::MAX);
    let input = Cursor::new(input.as_bytes());
    let error = import::run_counted(&memory(), input, &options, STREAM, from, &mut ledger).unwrap_err();
    assert!(matches!(error, ImportError::Behind { kept: 5, found: 0 }), "{error}");
}
