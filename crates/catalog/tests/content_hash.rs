//! The page that tells clients how to compute a content hash is held to what this crate computes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

use std::io::{ErrorKind, Write as _};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};
use waymark_catalog::ValueSet;
use waymark_wire::{Permissions, ReferenceBuf, Ttl, ValueBuf};

const PAGE: &str = include_str!("../docs/content-hash.md");

/// The bytes of the example: what stands between backquotes in the first column of its table.
fn documented_bytes() -> Vec<u8> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.flat_map(|row| hex::decode(row.split('`').next().unwrap()).unwrap()).collect()
}

/// The text of the block of this kind that follows a sentence or heading.
fn block(after: &str, kind: &str) -> &'static str {
    let rest = PAGE.split_once(after).unwrap().1;
    let rest = rest.split_once(&format!("```{kind}\n")).unwrap().1;
    rest.split_once("```").unwrap().0
}

fn documented_hash() -> &'static str {
    block("is the content hash:", "text").trim()
}

/// The record of the example.
fn example() -> ValueSet {
    let url =
        ValueBuf { timestamp: 1_790_000_000, ..ValueBuf::new(1, b"URL", "https://example.org/产品".as_bytes()) };
    let note = ValueBuf {
        ttl: Ttl::Absolute(1_800_000_000),
        permissions: Permissions(0x0c),
        references: vec![ReferenceBuf { handle: b"88.1/owner".to_vec(), index: 200 }],
        ..ValueBuf::new(300, b"NOTE", b"")
    };
    ValueSet::from_bufs(&[note, url]).unwrap()
}

#[test]
fn the_documented_bytes_alone_give_the_hash_of_the_record() {
    let hash = hex::encode(Sha256::digest(documented_bytes()));
    assert_eq!(hash, documented_hash());
    assert_eq!(hash, example().content().to_string());
}

#[test]
fn the_documented_hash_of_nothing_is_that_of_an_empty_record() {
    assert!(PAGE.contains(&format!("`{}`", ValueSet::default().content())));
}

#[test]
fn the_python_of_the_page_gives_the_hash() {
    let python = Command::new("python3").arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut python = match python {
        Err(error) if error.kind() == ErrorKind::NotFound => return, // nothing here to run it with
        python => python.unwrap(),
    };
    python.stdin.take().unwrap().write_all(block("## In Python", "python").as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), documented_hash());
}
