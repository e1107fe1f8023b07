//! The registration client against a server that follows the interface, over a network that breaks anywhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

mod breaking;
mod calls;
mod exchanges;
mod server;
