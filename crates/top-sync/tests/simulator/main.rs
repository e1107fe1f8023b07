//! The simulator of a top-level node, held against the reference of the sets (`SETS.md`) and nothing else: golden rows are written by hand, bad ones are
//! made of them, and whoever sends here is a small client of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

mod client;
mod doors;
mod faults;
mod golden;
mod ledger;
mod parts;
mod rules;
mod shapes;
