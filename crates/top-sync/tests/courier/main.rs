//! Deposits on their way: made when they are due, brought over SFTP to the platform of the simulator, judged, and made again where they were refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

mod codes;
mod days;
mod hostile;
mod node;
mod openssh;
mod platform;
mod relay;
mod roads;
