//! Replays what a reference server was asked and compares the answers.
//!
//! Whole messages are compared, with the expiration zeroed, and nonce and session id of challenges. Where the recording has no message but
//! its sizes or its digest, those are compared. What differs, and why, stands in `DIFFERENCES.md`, which this test holds to the truth in
//! both directions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "a test may fail by panicking"
)]

mod support;

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::{Shelf, answerer, ask, ask_slowly, origin, read_json, reference_site, settings, test_key};
use waymark_resolver::Transport;
use waymark_wire::crypto::signed_message::verify_certified;
use waymark_wire::frame::{DatagramSplitter, TruncatedBit};
use waymark_wire::{Envelope, Message, OpFlags, ResponseCode};

/// Where the expiration stands in a message with its envelope.
const EXPIRATION: std::ops::Range<usize> = Envelope::LEN + 16..Envelope::LEN + 20;
/// Where the session id stands.
const SESSION_ID: std::ops::Range<usize> = 4..8;

#[test]
fn answers_the_recorded_requests_as_the_reference_but_for_the_listed_differences() {
    let shelf = Shelf::of_the_reference();
    let mut answerer = answerer(&shelf.catalog, settings(vec![reference_site()]));
    let listed = listed_differences();
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    let mut compared = 0;
    for entry in read_json("behaviours.json").as_array().unwrap() {
        let name = entry["name"].as_str().unwrap();
        let request = hex::decode(entry["request_hex"].as_str().unwrap()).unwrap();
        for transport in [Transport::Tcp, Transport::Udp] {
            let label = (name.to_owned(), transport.name().to_owned());
            let answer = ask(&mut answerer, origin(transport), &request).answer();
            let difference = match transport {
                Transport::Udp => differs_over_udp(entry, &answer),
                _ => differs(&entry["tcp"], &answer),
            };
            compared += 1;
            match (difference, listed.contains(&label)) {
                (None, false) => (),
                (Some(_), true) => assert!(seen.insert(label), "{name} is listed twice"),
                (Some(what), false) => problems.push(format!("{name} over {}: {what}", transport.name())),
                (None, true) => {
                    problems.push(format!("{name} over {} is listed and does not differ", transport.name()))
                }
            }
        }
    }
    for label in listed.difference(&seen) {
        problems.push(format!("{label:?} is listed and differs nowhere"));
    }
    println!("{compared} answers compared, {} differ as listed", seen.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert_eq!(compared, 2 * 65);
}

#[test]
fn answers_from_the_disk_as_from_memory() {
    let warm = Shelf::of_the_reference();
    let mut from_memory = answerer(&warm.catalog, settings(vec![reference_site()]));
    let mut warm_answers = Vec::new();
    let entries = read_json("behaviours.json");
    let requests: Vec<Vec<u8>> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| hex::decode(entry["request_hex"].as_str().unwrap()).unwrap())
        .collect();
    for request in &requests {
        warm_answers.push(comparable(ask(&mut from_memory, origin(Transport::Tcp), request).answer()));
    }
    drop(from_memory);
    let cold = warm.reopened_cold();
    let mut from_disk = answerer(&cold.catalog, settings(vec![reference_site()]));
    for (request, warm) in requests.iter().zip(warm_answers) {
        assert_eq!(comparable(ask(&mut from_disk, origin(Transport::Tcp), request).answer()), warm);
        assert_eq!(comparable(ask_slowly(&mut from_disk, origin(Transport::Tcp), request).answer()), warm);
    }
    let went_slowly = from_disk.counters().snapshot().continued(Transport::Tcp, waymark_resolver::SlowReason::Cold);
    assert!(went_slowly > 30, "only {went_slowly} answers came from the disk");
}

/// The entries of the first two tables of the page on differences, by transport.
fn listed_differences() -> BTreeSet<(String, String)> {
    let page = include_str!("../DIFFERENCES.md");
    let mut listed = BTreeSet::new();
    for line in page.lines().take_while(|line| *line != "## Deliberate: what the recording does not show") {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, over, reference, here] = cells[..] else { continue };
        if name == "entry" || name.starts_with("---") {
            continue;
        }
        assert!(!reference.is_empty() && !here.is_empty(), "{name} has no reason");
        for transport in over.split(", ") {
            assert!(listed.insert((name.to_owned(), transport.to_owned())), "{name} is listed twice");
        }
    }
    assert!(!listed.is_empty());
    listed
}

/// What differs from what the recording says of the answer over TCP.
fn differs(expected: &Value, answer: &[u8]) -> Option<String> {
    let message = Message::parse(answer).unwrap();
    let header = message.header;
    let number = |name: &str| expected[name].as_u64().unwrap();
    if u64::from(header.response_code.0) != number("rc") || u64::from(header.op.0) != number("op") {
        return Some(format!("{} for operation {}", header.response_code, header.op));
    }
    if format!("{:08x}", header.flags.0) != expected["flags_hex"].as_str().unwrap() {
        return Some(format!("flags {:08x}", header.flags.0));
    }
    if answer.len() as u64 != number("bytes") {
        return Some(format!("{} bytes instead of {}", answer.len(), expected["bytes"]));
    }
    let zeroed = without_expiration(answer);
    if let Some(expected) = expected["response_hex"].as_str() {
        let expected = without_expiration(&hex::decode(expected).unwrap());
        return (zeroed != expected).then(|| format!("{} instead of {}", hex::encode(&zeroed), hex::encode(expected)));
    }
    if let Some(expected) = expected["response_sha256"].as_str() {
        let found = hex::encode(Sha256::digest(&zeroed));
        return (found != expected).then(|| format!("another message, digest {found}"));
    }
    if let Some(expected) = expected["body_hex"].as_str() {
        assert_eq!(expected_credential(&message), Ok(()), "the signature is that of our key");
        return (hex::encode(message.body) != expected).then(|| format!("body {}", hex::encode(message.body)));
    }
    assert_eq!(
        header.response_code,
        ResponseCode::AUTHENTICATION_NEEDED,
        "only challenges are recorded without content"
    );
    None
}

/// A certified answer is signed by our key.
fn expected_credential(message: &Message<'_>) -> Result<(), waymark_wire::crypto::signed_message::CertifiedError> {
    assert!(message.header.flags.has(OpFlags::CERT));
    verify_certified(message, test_key().public_key())
}

/// What differs from what the recording says of the answer over UDP: of many answers that it is the one over TCP, of all of them how many
/// datagrams of which sizes it took.
fn differs_over_udp(entry: &Value, answer: &[u8]) -> Option<String> {
    let expected = &entry["udp"];
    if expected["same_message_as_tcp"] == true
        && let Some(what) = differs(&entry["tcp"], answer)
    {
        return Some(what);
    }
    let sizes: Vec<u64> = DatagramSplitter::new(answer, 512, TruncatedBit::Never)
        .unwrap()
        .map(|datagram| (Envelope::LEN + datagram.payload.len()) as u64)
        .collect();
    let recorded = expected["sizes"].as_array().unwrap();
    let same = if recorded.iter().any(|size| size == "...") {
        // The recording names the first and the last size it saw; where it is lossy the last one it saw is not the last.
        let lossy = entry["name"] == "resolve_big200k";
        sizes.first() == recorded[0].as_u64().as_ref()
            && (lossy || (sizes.last() == recorded[2].as_u64().as_ref() && sizes.len() as u64 == expected["packets"]))
    } else {
        recorded.iter().map(|size| size.as_u64().unwrap()).eq(sizes.iter().copied())
    };
    (!same).then(|| format!("{} datagrams of {sizes:?}", sizes.len()))
}

fn without_expiration(answer: &[u8]) -> Vec<u8> {
    let mut zeroed = answer.to_vec();
    zeroed[EXPIRATION].fill(0);
    zeroed
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
