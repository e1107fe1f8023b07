//! Disks that fail on purpose, for tests of this crate and of those above it: a medium in memory that knows what a power loss leaves
//! ([`MemoryMedium`]), and a wrapper that makes any medium fail at a chosen moment ([`FaultMedium`]).

mod inject;
mod power;

pub use inject::{Fault, FaultMedium, Operation};
pub use power::{MemoryMedium, Survives};
