//! Exchange with the national top-level node, and the simulator it is tested against.
//!
//! A secondary node owes the node above it data sets on fixed schedules, incidents, figures of each day and month, and a deposit; it is granted
//! prefixes from there. What is owed is read from the change log by serial: nothing is written a second time when identifiers are registered.
//!
//! Where the form in which the real top-level node takes something is not public, the form here is our own, says so, and stands behind a trait.
#![forbid(unsafe_code)]

pub mod calendar;
pub mod traffic;
