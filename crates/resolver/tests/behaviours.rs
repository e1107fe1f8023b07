//! Replays what a reference server was asked and compares the answers, without sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

mod support;

use support::recording::{Comparison, entries, without_expiration};
use support::{Shelf, answerer, ask, ask_slowly, origin, reference_site, settings};
use waymark_resolver::Transport;
use waymark_wire::frame::{DatagramSplitter, TruncatedBit};
use waymark_wire::{Envelope, Message, ResponseCode};

/// Where the session id stands.
const SESSION_ID: std::ops::Range<usize> = 4..8;

#[test]
fn answers_the_recorded_requests_as_the_reference_but_for_the_listed_differences() {
    let shelf = Shelf::of_the_reference();
    let mut answerer = answerer(&shelf.catalog, settings(vec![reference_site()]));
    let mut comparison = Comparison::over(&[Transport::Tcp, Transport::Udp]);
    for entry in entries() {
        let answer = ask(&mut answerer, origin(Transport::Tcp), &entry.request).answer();
        comparison.note(&entry, Transport::Tcp, entry.difference_over_tcp(&answer));
        let answer = ask(&mut answerer, origin(Transport::Udp), &entry.request).answer();
        comparison.note(&entry, Transport::Udp, entry.difference_over_udp(&answer, &datagram_sizes(&answer)));
    }
    comparison.finish();
}

#[test]
fn answers_from_the_disk_as_from_memory() {
    let warm = Shelf::of_the_reference();
    let mut from_memory = answerer(&warm.catalog, settings(vec![reference_site()]));
    let mut warm_answers = Vec::new();
    let entries = entries();
    for entry in &entries {
        warm_answers.push(comparable(ask(&mut from_memory, origin(Transport::Tcp), &entry.request).answer()));
    }
    drop(from_memory);
    let cold = warm.reopened_cold();
    let mut from_disk = answerer(&cold.catalog, settings(vec![reference_site()]));
    for (entry, warm) in entries.iter().zip(warm_answers) {
        let request = &entry.request;
        assert_eq!(comparable(ask(&mut from_disk, origin(Transport::Tcp), request).answer()), warm);
        assert_eq!(comparable(ask_slowly(&mut from_disk, origin(Transport::Tcp), request).answer()), warm);
    }
    let went_slowly = from_disk.counters().snapshot().continued(Transport::Tcp, waymark_resolver::SlowReason::Cold);
    assert!(went_slowly > 30, "only {went_slowly} answers came from the disk");
}

/// The sizes of the datagrams an answer takes.
fn datagram_sizes(answer: &[u8]) -> Vec<usize> {
    let datagrams = DatagramSplitter::new(answer, 512, TruncatedBit::Never).unwrap();
    datagrams.map(|datagram| Envelope::LEN + datagram.payload.len()).collect()
}

/// An answer without what differs each time.
fn comparable(answer: Vec<u8>) -> Vec<u8> {
    let message = Message::parse(&answer).unwrap();
    let is_challenge = message.header.response_code == ResponseCode::AUTHENTICATION_NEEDED;
    let nonce_at = Envelope::LEN + message.signed.len() - 16;
    let mut zeroed = without_expiration(&answer);
    if is_challenge {
        zeroed[SESSION_ID].fill(0);
        zeroed[nonce_at..nonce_at + 16].fill(0);
    }
    zeroed
}
