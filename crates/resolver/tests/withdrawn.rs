//! Records that are suspended or revoked: for everybody who asks over the protocol they are not there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

mod support;

use support::{
    Shelf, answerer, ask, ask_slowly, old_value, origin, request, resolution, resolution_with, settings, site_at,
    value_for,
};
use waymark_catalog::Command;
use waymark_resolver::{Answerer, OpClass, Outcome, SlowReason, Transport};
use waymark_wire::{Message, OpFlags};

const HANDLE: &str = "88.1/a";

fn suspend(handle: &str) -> Command {
    Command::Suspend { handle: handle.into(), reason: "recall".into() }
}

fn resume(handle: &str) -> Command {
    Command::Resume { handle: handle.into() }
}

fn revoke(handle: &str) -> Command {
    Command::Revoke { handle: handle.into(), reason: "counterfeit".into() }
}

fn over(shelf: &Shelf) -> Answerer {
    answerer(&shelf.catalog, settings(vec![site_at([192, 0, 2, 1].into(), 1, true)]))
}

fn code(answer: &[u8]) -> u32 {
    Message::parse(answer).unwrap().header.response_code.0
}

/// Every way to ask for one handle: public values, all values, some values, with a digest, as an old client.
fn questions(handle: &str) -> Vec<Vec<u8>> {
    vec![
        resolution(handle),
        resolution_with(OpFlags::RECU, handle),
        resolution_with(OpFlags::USUAL.with(OpFlags::RRDG), handle),
        request(OpFlags::USUAL).resolution(handle.as_bytes(), &[1], &[], None),
        request(OpFlags::RECU).resolution(handle.as_bytes(), &[], &[b"HS_SECKEY"], None),
        request(OpFlags::USUAL).resolution(handle.as_bytes(), &[], &[], Some(b"")),
    ]
}

fn answers(node: &mut Answerer, transport: Transport) -> Vec<Vec<u8>> {
    questions(HANDLE).iter().map(|question| ask(node, origin(transport), question).answer()).collect()
}

/// A node that serves 88.1 and holds nothing, and what it answers to every question about [`HANDLE`].
fn absent() -> (Shelf, Vec<Vec<u8>>) {
    let shelf = Shelf::empty();
    shelf.home("88.1");
    let answers = answers(&mut over(&shelf), Transport::Udp);
    assert!(answers.iter().all(|answer| code(answer) == 100));
    (shelf, answers)
}

fn put(shelf: &Shelf) {
    shelf.put(HANDLE, &[old_value(1, "URL", b"https://example.org/"), value_for(0x0c, 2, "HS_SECKEY", b"secret")]);
}

#[test]
fn a_withdrawn_record_is_answered_to_the_byte_as_an_absent_one() {
    let (shelf, absent) = absent();
    put(&shelf);
    let mut node = over(&shelf);
    let there = answers(&mut node, Transport::Udp);
    assert_eq!(there.iter().map(|answer| code(answer)).collect::<Vec<_>>(), [1, 402, 1, 1, 402, 1]);
    for (command, expected) in [(suspend(HANDLE), &absent), (resume(HANDLE), &there), (revoke(HANDLE), &absent)] {
        shelf.write(vec![command]);
        for transport in [Transport::Udp, Transport::Tcp] {
            for (answer, expected) in answers(&mut node, transport).iter().zip(expected) {
                // A challenge holds a fresh nonce and session id.
                assert!(answer == expected || (code(answer), code(expected)) == (402, 402), "{answer:02x?}");
            }
        }
    }
}

#[test]
fn a_withdrawn_record_on_the_disk_is_not_there_either() {
    for withdraw in [suspend(HANDLE), revoke(HANDLE)] {
        let (shelf, absent) = absent();
        put(&shelf);
        shelf.write(vec![withdraw]);
        let shelf = shelf.reopened_cold();
        let mut node = over(&shelf);
        assert_eq!(answers(&mut node, Transport::Udp), absent);
        let snapshot = node.counters().snapshot();
        assert!(snapshot.continued(Transport::Udp, SlowReason::Cold) > 0, "the disk was asked");
        assert_eq!(snapshot.answered(Transport::Udp, OpClass::Resolution, Outcome::NotFound), 0);
    }
}

#[test]
fn a_certified_answer_about_a_withdrawn_record_says_not_found() {
    let shelf = Shelf::empty();
    shelf.home("88.1");
    put(&shelf);
    shelf.write(vec![suspend(HANDLE)]);
    let certified = resolution_with(OpFlags::USUAL.with(OpFlags::CERT), HANDLE);
    let answer = ask_slowly(&mut over(&shelf), origin(Transport::Tcp), &certified).answer();
    assert_eq!(code(&answer), 100);
}

#[test]
fn only_counters_tell_a_withdrawn_record_from_an_absent_one() {
    let shelf = Shelf::empty();
    shelf.home("88.1");
    put(&shelf);
    shelf.write(vec![suspend(HANDLE)]);
    let mut node = over(&shelf);
    ask(&mut node, origin(Transport::Udp), &resolution(HANDLE));
    ask(&mut node, origin(Transport::Udp), &resolution("88.1/none"));
    let snapshot = node.counters().snapshot();
    let count = |outcome| snapshot.answered(Transport::Udp, OpClass::Resolution, outcome);
    assert_eq!((count(Outcome::Withdrawn), count(Outcome::NotFound), count(Outcome::Success)), (1, 1, 0));
}

#[test]
fn a_withdrawn_prefix_record_refers_nobody_and_our_own_sites_stay() {
    let shelf = Shelf::empty();
    shelf.home("88.1");
    shelf.home("0.NA/0.NA/88");
    shelf.put("0.NA/88.9", &[old_value(1, "HS_SITE.PREFIX", b"elsewhere")]);
    shelf.put("0.NA/88.7", &[old_value(1, "HS_SITE", b"elsewhere")]);
    shelf.put("0.NA/88.1", &[old_value(1, "DESC", b"ours")]);
    let mut node = over(&shelf);
    let mut codes = || {
        ["0.NA/88.9.1", "88.7/x", "0.NA/88.9", "0.NA/88.1"]
            .map(|handle| code(&ask(&mut node, origin(Transport::Udp), &resolution(handle)).answer()))
    };
    assert_eq!(codes(), [303, 302, 1, 1]);
    shelf.write(["0.NA/88.9", "0.NA/88.7", "0.NA/88.1"].map(suspend).into());
    assert_eq!(codes(), [100, 301, 100, 1], "a homed prefix without a record tells its sites");
    shelf.write(["0.NA/88.9", "0.NA/88.7", "0.NA/88.1"].map(resume).into());
    assert_eq!(codes(), [303, 302, 1, 1]);
}
