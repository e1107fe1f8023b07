//! Every recorded message, value and key of `tests/data/vectors.json`, byte for byte in both directions.
//!
//! *Decode*: the recorded bytes are decoded and compared with the facts recorded beside them. *Encode*: the facts are
//! encoded and compared with the bytes. Requests and responses run twice: `messages` reads and writes them whole,
//! `crypto` checks what proves them and proves them anew; where a signature has a random part, its own bytes differ and
//! only the recorded signature is written.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a test stops at the first thing that is not as recorded"
)]

#[path = "vectors/crypto.rs"]
mod crypto;
#[path = "vectors/messages.rs"]
mod messages;
#[path = "vectors/support.rs"]
mod support;
#[path = "vectors/types.rs"]
mod types;

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;
use support::{Ran, is_encrypted, text_of};

/// The kinds of entries, and the directions that exist for each: a malformed packet is never written, a hash is only
/// computed.
const KINDS: [(&str, Ran); 15] = [
    ("request", BOTH),
    ("response", BOTH),
    ("value", BOTH),
    ("malformed", DECODE),
    ("hs_admin", BOTH),
    ("hs_site", BOTH),
    ("hs_vlist", BOTH),
    ("malformed_value", DECODE),
    ("hash", DECODE),
    ("udp_request_packets", BOTH),
    ("udp_response_packets", BOTH),
    ("public_key", BOTH),
    ("key_file", BOTH),
    ("mac", BOTH),
    ("key_derivation", DECODE),
];

const BOTH: Ran = Ran { decoded: true, encoded: true };
const DECODE: Ran = Ran { decoded: true, encoded: false };

/// Entries of which a direction does not run, and why.
const SKIPPED: [(&str, &str); 8] = [
    ("keyfile_rsa1024_enc_2", "encode: key files under DES are read, never written"),
    ("keyfile_dsa1024_enc_2", "encode: key files under DES are read, never written"),
    ("keyfile_rsa1024_enc_3", "encode: key files under 3DES are read, never written"),
    ("keyfile_dsa1024_enc_3", "encode: key files under 3DES are read, never written"),
    ("next_txn_id_response", "encode: the recorded number lacks the top byte that the recorded bytes have"),
    ("retrieve_txn_all_queues_v2_11", "encode: bodies of replication are carried, not written"),
    ("dump_handles", "encode: bodies of replication are carried, not written"),
    ("dump_handles_resume", "encode: bodies of replication are carried, not written"),
];

/// Runs an entry in the modules its kind belongs to.
fn run(entry: &Value) -> Ran {
    match text_of(&entry["direction"]) {
        "request" | "response" => {
            let (message, proof) = (messages::run(entry), crypto::run(entry));
            assert!(proof.decoded || !has_proof(entry), "its cryptography was not looked at");
            Ran { decoded: message.decoded || proof.decoded, encoded: message.encoded || proof.encoded }
        }
        "value" | "malformed" => messages::run(entry),
        "public_key" | "key_file" | "mac" | "key_derivation" => crypto::run(entry),
        _ => types::run(entry),
    }
}

/// Tells whether an entry records the keys, nonces or secrets to check its cryptography with.
fn has_proof(entry: &Value) -> bool {
    let names = [
        "credential",
        "challenge",
        "verify_with",
        "decrypt_with",
        "session_key_hex",
        "request_header_and_body_hex",
        "login_message_hex",
    ];
    is_encrypted(entry) || names.iter().any(|name| entry["decoded"].get(name).is_some_and(|facts| !facts.is_null()))
}

/// What a failed check said.
fn message_of(cause: &(dyn Any + Send)) -> &str {
    let owned = cause.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("failed")
}

#[test]
fn every_vector_runs_in_every_direction_it_has() {
    let text = include_str!("../../../tests/data/vectors.json");
    let entries: Vec<Value> = serde_json::from_str(text).unwrap();
    let mut counts: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    let mut problems = Vec::new();
    for entry in &entries {
        let (name, kind) = (text_of(&entry["name"]), text_of(&entry["direction"]));
        let Some((_, wanted)) = KINDS.iter().find(|(known, _)| *known == kind) else {
            problems.push(format!("{name}: nothing runs entries of kind {kind}"));
            continue;
        };
        let ran = match catch_unwind(AssertUnwindSafe(|| run(entry))) {
            Ok(ran) => ran,
            Err(cause) => {
                problems.push(format!("{name} ({kind}): {}", message_of(&*cause)));
                continue;
            }
        };
        let all = counts.entry(kind).or_default();
        *all = (all.0 + 1, all.1 + usize::from(ran.decoded), all.2 + usize::from(ran.encoded));
        let is_whole = (ran.decoded || !wanted.decoded) && (ran.encoded || !wanted.encoded);
        let is_excused = SKIPPED.iter().any(|(skipped, _)| *skipped == name);
        if is_whole == is_excused {
            problems.push(format!("{name} ({kind}): {ran:?}, excused: {is_excused}"));
        }
    }
    println!("{:24}{:>8}{:>8}{:>8}", "kind", "entries", "decode", "encode");
    for (kind, (entries, decoded, encoded)) in &counts {
        println!("{kind:24}{entries:>8}{decoded:>8}{encoded:>8}");
    }
    for (name, reason) in SKIPPED {
        println!("skipped: {name}: {reason}");
    }
    assert!(problems.is_empty(), "{} of {} entries:\n{}", problems.len(), entries.len(), problems.join("\n"));
}
