//! The exchange with a top-level node over EPP, against the simulator, over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a failing step fails the test"
)]

mod codes;
mod faults;
mod golden;
mod hostile;
mod kills;
mod link;
mod logged;
mod node;
mod people;
mod scenarios;
mod tls;
