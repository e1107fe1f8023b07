//! The plan in worlds made of servers' own messages: rule by rule, under thousands of faults, and with arbitrary bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a test stops at the first thing that is not as expected"
)]

mod arbitrary;
mod lies;
mod memory;
mod network;
mod prng;
mod scenarios;
mod scene;
mod seeds;
mod world;
