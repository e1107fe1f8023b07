//! The recording of what a reference server answered, and the comparison with it.
//!
//! Whole messages are compared, with the expiration zeroed, and nonce and session id of challenges. Where the recording has no message but
//! its sizes or its digest, those are compared. What differs, and why, stands in `DIFFERENCES.md`, which [`Comparison`] holds to the truth
//! in both directions.

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use waymark_resolver::Transport;
use waymark_wire::crypto::signed_message::{CertifiedError, verify_certified};
use waymark_wire::{Envelope, Message, OpFlags, ResponseCode};

use super::{read_json, test_key};

/// Where the expiration stands in a message with its envelope.
const EXPIRATION: std::ops::Range<usize> = Envelope::LEN + 16..Envelope::LEN + 20;

/// Name of an entry, name of a transport.
type Label = (String, &'static str);

/// A request and what the reference answered to it.
pub struct Entry {
    pub name: String,
    pub request: Vec<u8>,
    tcp: Value,
    udp: Value,
}

/// The whole recording.
pub fn entries() -> Vec<Entry> {
    let recording = read_json("behaviours.json");
    let entry = |entry: &Value| Entry {
        name: entry["name"].as_str().unwrap().to_owned(),
        request: hex::decode(entry["request_hex"].as_str().unwrap()).unwrap(),
        tcp: entry["tcp"].clone(),
        udp: entry["udp"].clone(),
    };
    let entries: Vec<Entry> = recording.as_array().unwrap().iter().map(entry).collect();
    assert_eq!(entries.len(), 65, "entries of the recording");
    entries
}

impl Entry {
    /// Whether the recording itself lacks datagrams of this answer, so that nothing is known of their number.
    pub fn is_lossy_over_udp(&self) -> bool {
        self.name == "resolve_big200k"
    }

    /// What differs from what the recording says of the answer over TCP.
    pub fn difference_over_tcp(&self, answer: &[u8]) -> Option<String> {
        let expected = &self.tcp;
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
            return (zeroed != expected)
                .then(|| format!("{} instead of {}", hex::encode(&zeroed), hex::encode(expected)));
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

    /// What differs from what the recording says of the answer over UDP, which came in datagrams of these sizes: number and sizes of them
    /// always, and the message wherever its content was recorded and does not depend on the transport.
    pub fn difference_over_udp(&self, answer: &[u8], sizes: &[usize]) -> Option<String> {
        let is_known = self.udp["same_message_as_tcp"] == true
            || ["response_sha256", "body_hex"].iter().any(|content| self.tcp.get(content).is_some());
        if is_known && let Some(what) = self.difference_over_tcp(answer) {
            return Some(what);
        }
        let sizes: Vec<u64> = sizes.iter().map(|size| *size as u64).collect();
        let recorded = self.udp["sizes"].as_array().unwrap();
        let same = if recorded.iter().any(|size| size == "...") {
            // The recording names the first and the last size it saw; where it is lossy the last one it saw is not the last.
            sizes.first() == recorded[0].as_u64().as_ref()
                && (self.is_lossy_over_udp()
                    || (sizes.last() == recorded[2].as_u64().as_ref()
                        && sizes.len() as u64 == self.udp["packets"].as_u64().unwrap()))
        } else {
            recorded.iter().map(|size| size.as_u64().unwrap()).eq(sizes.iter().copied())
        };
        (!same).then(|| format!("{} datagrams of {sizes:?}", sizes.len()))
    }
}

/// A certified answer is signed by our key.
fn expected_credential(message: &Message<'_>) -> Result<(), CertifiedError> {
    assert!(message.header.flags.has(OpFlags::CERT));
    verify_certified(message, test_key().public_key())
}

pub fn without_expiration(answer: &[u8]) -> Vec<u8> {
    let mut zeroed = answer.to_vec();
    zeroed[EXPIRATION].fill(0);
    zeroed
}

/// A replay of the recording over some transports, held against the first two tables of the page on differences.
pub struct Comparison {
    transports: Vec<Transport>,
    listed: BTreeSet<Label>,
    compared: BTreeSet<Label>,
    differ_as_listed: usize,
    problems: Vec<String>,
}

impl Comparison {
    pub fn over(transports: &[Transport]) -> Self {
        let mut listed = listed_differences();
        listed.retain(|(_, over)| transports.iter().any(|transport| transport.name() == *over));
        assert!(!listed.is_empty());
        Self {
            transports: transports.to_vec(),
            listed,
            compared: BTreeSet::new(),
            differ_as_listed: 0,
            problems: Vec::new(),
        }
    }

    /// Notes what came of one answer; once for each entry and transport.
    pub fn note(&mut self, entry: &Entry, transport: Transport, difference: Option<String>) {
        let (name, over) = (&entry.name, transport.name());
        let label = (name.clone(), over);
        match (difference, self.listed.contains(&label)) {
            (None, false) => (),
            (Some(_), true) => self.differ_as_listed += 1,
            (Some(what), false) => self.problems.push(format!("{name} over {over}: {what}")),
            (None, true) => self.problems.push(format!("{name} over {over} is listed and does not differ")),
        }
        assert!(self.compared.insert(label), "{name} over {over} was compared before");
    }

    /// Every entry must have been compared over every transport, and whatever differs must be listed.
    pub fn finish(mut self) {
        let entries = entries();
        for transport in &self.transports {
            let over = transport.name();
            let count = self.compared.iter().filter(|(_, compared)| *compared == over).count();
            println!("{over}: {count} of {} answers compared", entries.len());
            for entry in &entries {
                if !self.compared.contains(&(entry.name.clone(), over)) {
                    self.problems.push(format!("{} was not compared over {over}", entry.name));
                }
            }
        }
        for label in self.listed.difference(&self.compared) {
            self.problems.push(format!("{label:?} is listed and not in the recording"));
        }
        println!("{} differ as listed", self.differ_as_listed);
        assert!(self.problems.is_empty(), "{}", self.problems.join("\n"));
    }
}

/// The entries of the first two tables of the page on differences, by transport.
fn listed_differences() -> BTreeSet<Label> {
    let page = include_str!("../../DIFFERENCES.md");
    let mut listed = BTreeSet::new();
    for line in page.lines().take_while(|line| *line != "## Deliberate: what the recording does not show") {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, over, reference, here] = cells[..] else { continue };
        if name == "entry" || name.starts_with("---") {
            continue;
        }
        assert!(!reference.is_empty() && !here.is_empty(), "{name} has no reason");
        for transport in over.split(", ") {
            assert!(listed.insert((name.to_owned(), transport)), "{name} is listed twice");
        }
    }
    listed
}
