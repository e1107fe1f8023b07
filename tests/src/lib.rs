//! Tests of Waymark across crates.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "everything here judges other code, and fails by panicking"
)]

pub mod above;
pub mod asking;
pub mod deposited;
pub mod fuzz_bodies;
pub mod fuzz_seeds;
pub mod moment;
pub mod operated;
pub mod parties;
pub mod process;
pub mod records;
pub mod topology;
