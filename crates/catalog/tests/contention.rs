//! A thousand writers on one identifier: one order, and no update is lost.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;

use common::*;
use waymark_catalog::{
    Actor, Catalog, Command, Expect, Order, Outcome, Receipt, Refusal, Submission, SubmitError, Timestamps,
};
use waymark_ident::Handle;
use waymark_store::Serial;
use waymark_store::fault::MemoryMedium;

const WRITERS: usize = 1_000;
const HANDLE: &str = "88.1/shared";

/// Runs one thread for each writer, all let go at once.
fn writers<T: Send + 'static>(
    catalog: &Catalog,
    work: impl Fn(usize, &Catalog) -> T + Clone + Send + 'static,
) -> Vec<T> {
    let begin = Arc::new(Barrier::new(WRITERS));
    let spawn = |number| -> JoinHandle<T> {
        let (begin, catalog, work) = (Arc::clone(&begin), catalog.clone(), work.clone());
        let body = move || {
            begin.wait();
            work(number, &catalog)
        };
        std::thread::Builder::new().stack_size(512 << 10).spawn(body).unwrap()
    };
    let threads: Vec<_> = (0..WRITERS).map(spawn).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// Replaces the one value of the record.
fn modify(catalog: &Catalog, text: &str, expect: Option<Expect>) -> Result<Receipt, Refusal> {
    let command = Command::ModifyValues { handle: HANDLE.into(), values: url(text), timestamps: Timestamps::Now };
    let submission = Submission::new(&Actor::operator(), [Order { command, expect }]);
    loop {
        match catalog.writer().submit(submission.clone()) {
            Ok(ticket) => return ticket.wait().unwrap().remove(0),
            Err(SubmitError::QueueFull) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Serial and text of the record as it is.
fn read(catalog: &Catalog) -> (Serial, String) {
    let record = catalog.cold().fetch(&Handle::new(HANDLE.as_bytes()).unwrap()).unwrap().unwrap();
    let value = record.stored().unwrap().values().unwrap().iter().next().unwrap();
    (record.serial, String::from_utf8(value.data.to_vec()).unwrap())
}

/// Serials and texts of all versions, oldest first, by the back-pointers from the newest.
fn history(catalog: &Catalog) -> Vec<(Serial, String)> {
    let handle = Handle::new(HANDLE.as_bytes()).unwrap();
    let mut all = Vec::new();
    for version in catalog.cold().history(&handle, None, 2 * WRITERS).unwrap() {
        let record = version.record.unwrap();
        let value = record.stored().unwrap().values().unwrap().iter().next().unwrap();
        all.push((version.serial, String::from_utf8(value.data.to_vec()).unwrap()));
    }
    all.reverse();
    all
}

fn begin() -> Catalog {
    let catalog = open_medium(Arc::new(MemoryMedium::new())).catalog;
    home(&catalog, "88.1");
    write(&catalog, vec![create(HANDLE, "0")]);
    catalog
}

#[test]
fn each_accepted_update_saw_the_one_before_when_it_says_what_it_saw() {
    let catalog = begin();
    // Each adds one to the number it read, some times over when another was faster.
    let attempts = |_: usize, catalog: &Catalog| {
        for _ in 0..4 {
            let (seen, text) = read(catalog);
            let next = text.parse::<u64>().unwrap() + 1;
            match modify(catalog, &next.to_string(), Some(Expect::Serial(seen))) {
                Ok(receipt) => return Some((receipt.serial, next.to_string())),
                Err(Refusal::Unexpected { serial, content }) => {
                    assert!(serial > seen && content.is_some(), "it is told what is there now");
                }
                Err(refusal) => panic!("{refusal}"),
            }
        }
        None
    };
    let mut accepted: Vec<(Serial, String)> = writers(&catalog, attempts).into_iter().flatten().collect();
    accepted.sort();
    assert!(accepted.len() > 1, "two at least were taken in turn");
    assert_eq!(read(&catalog).1, accepted.len().to_string(), "every accepted update is in the number");
    let history = history(&catalog);
    assert_eq!(history[1..], accepted, "and in the past, in the order it was told");
    let numbers: Vec<u64> = history.iter().map(|(_, text)| text.parse().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}

#[test]
fn updates_that_expect_nothing_are_all_taken_in_one_order() {
    let catalog = begin();
    let attempt = |number: usize, catalog: &Catalog| {
        let text = format!("writer {number}");
        let receipt = modify(catalog, &text, None).unwrap();
        assert_eq!((receipt.outcome, receipt.content), (Outcome::Changed, url(&text).content()));
        (receipt.serial, text)
    };
    let mut accepted = writers(&catalog, attempt);
    accepted.sort();
    assert_eq!(history(&catalog)[1..], accepted);
    assert_eq!(&read(&catalog), accepted.last().unwrap(), "the last one stands");
}
