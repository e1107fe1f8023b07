//! Configuration, wiring and the two binaries.
//!
//! ```text
//! waymarkd ── config ── daemon ─┬─ catalog (data folder)
//!                               ├─ doors (udp, tcp, quic)
//!                               ├─ registration (grpc)
//!                               └─ http (/metrics /healthz /readyz /status)
//! waymark ── cli ─┬─ resolve, load, status      ask a running node
//!                 ├─ import, export, prefix, store   work on a data folder
//!                 └─ demo                        both
//! ```
//!
//! Drivers live here: clocks are read, signals taken, files opened, people addressed ([`texts`]). Decisions live below.
#![forbid(unsafe_code)]
// Printing panics when the reader has gone; `cli::terminal` does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod above;
mod answer_log;
mod audit;
pub mod certificate;
mod child;
pub mod cli;
mod collection;
pub mod config;
pub mod daemon;
mod demo;
mod deposit_courier;
mod deposits;
mod docking;
mod doors;
mod drill;
mod http;
pub mod listen;
pub mod load;
mod logs;
mod looks;
pub mod metrics_page;
pub mod problem;
mod process;
pub mod recursion;
mod registration;
mod rehearsal;
mod restored;
pub mod sites;
pub mod status;
mod sync;
pub mod texts;
mod top_process;
mod traffic;
mod watch;
