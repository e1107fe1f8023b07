//! Every recorded message, value and key of `tests/data/vectors.json`, byte for byte in both directions.
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
#[path = "vectors/support.rs"]
mod support;
#[path = "vectors/types.rs"]
mod types;
