//! Benchmarks of Waymark.
//!
//! Every figure is a ratio against something run beside it in the same run: this machine's own limit, or a plain version of the same
//! thing. `README.md` says how to run them and how to read the numbers.
#![forbid(unsafe_code)]

pub mod durable;
pub mod ingest;
pub mod recursion;
pub mod running;
pub mod side_by_side;
