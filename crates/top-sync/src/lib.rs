//! Exchange with the national top-level node, and the simulator it is tested against.
//!
//! A secondary node owes the node above it data sets on fixed schedules, incidents, figures of each day and month, and a deposit; it is granted
//! prefixes from there. What is owed is read from the change log by serial: nothing is written a second time when identifiers are registered.
//!
//! ```text
//! change log, tables ── maker: what is due ── outbox: parts with sequences ── desk ── transport ── the node above
//!                                                └── acknowledged, refused, or sent again ──────────────┘
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `calendar` | days and months of China Standard Time |
//! | `sets` | the data sets: names, schedules, rows |
//! | `figures` | how often names were asked for, as whoever counts it tells |
//! | `traffic` | requests by day, prefix and source, counted and kept |
//! | `maker` | which sets are due, and their parts |
//! | `outbox` | parts until they are acknowledged, and after |
//! | `private_files` | files that are there whole or not at all, for their owner alone |
//! | `desk` | parts on their way: put together, handed out in order, settled |
//! | `check` | what is sent, judged field by field: for the simulator, and for what is collected |
//! | `collect` | what enterprises with nodes of their own report, taken and passed on |
//! | `transport` | how they get there: gRPC, or files |
//! | `driver` | makes and carries, for ever |
//! | `epp` | enterprises and prefixes, registered over EPP |
//! | `sftp` | files brought to another machine |
//! | `deposit` | what the node above needs to take over: made, checked, restored |
//! | `watch` | the node watches itself: probes, incidents, maintenance, the monthly report |
//! | `takeover` | what was registered above while it had taken over, and how it comes back |
//! | `simulator` | a node above, for tests and development: takes the sets and checks every field |
//!
//! Where the form in which the real top-level node takes something is not public, the form here is our own, says so, and stands behind a trait.
#![forbid(unsafe_code)]

pub mod calendar;
pub mod check;
pub mod collect;
pub mod config;
pub mod deposit;
pub mod desk;
pub mod driver;
pub mod epp;
pub mod figures;
pub mod maker;
pub mod outbox;
mod private_files;
pub mod sets;
pub mod sftp;
pub mod simulator;
pub mod takeover;
pub mod traffic;
pub mod transport;
mod trust;
pub mod watch;
