//! Deposits from a node with data of every kind to an empty one, on both engines; what a deposit is of, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "tests"
)]

mod hostile;
mod node;
mod round_trip;
mod workshop;
