//! The binary protocol: envelope, header, bodies, values, credentials, framing, reassembly.
#![forbid(unsafe_code)]

pub mod crypto;
pub mod frame;
pub mod hashing;
pub mod keep_open;
pub mod types;
