//! The data plane: one synchronous function that answers, and the doors that call it.
//!
//! ```text
//! door::udp ──┐                                   ┌─> Reply ────> back to the door
//! door::tcp ──┼─> policy ─> Answerer::answer_batch┼─> Drop
//! door::quic ─┘                                   └─> Continue ─┬─> slow pool ─> Answerer::answer_slowly ─> Reply
//!                                                               └─> recursion ─> Answerer::answer_resolved ─> Reply
//! ```
//! - [`Question`] and [`Action`] are all that doors and answers know of each other.
//! - [`Answerer`] decides and writes; it reads through a [`waymark_catalog::Reader`] and changes nothing.
//! - [`Settings`] say who this node is; they never change while it runs.
//! - [`ThreadCounters`] count each exit once; [`differences`] lists where answers differ from the reference server's.
//!
//! - [`recursion`] says for whom names that live elsewhere are resolved; their cache is looked at on the fast path.
//!
//! Absent: challenges that are remembered, sessions, administration (refused with a definite code until they come), and every write. Nothing here reads a clock but the doors.
#![forbid(unsafe_code)]

pub mod answer;
pub mod config;
pub mod counters;
pub mod door;
pub mod node_key;
pub mod policy;
pub mod question;
pub mod recursion;
pub mod settings;
mod slow;
pub mod tap;

#[doc = include_str!("../DIFFERENCES.md")]
pub mod differences {}

pub use answer::Answerer;
pub use counters::{CounterSnapshot, OpClass, Outcome, ThreadCounters};
pub use node_key::NodeKey;
pub use question::{Action, DropReason, Now, Origin, OwnedQuestion, Question, SlowReason, Transport};
pub use settings::{AdministrationDoors, Settings, SiteSet, SiteSetError, SiteSetOptions};
pub use tap::{AnswerRecord, AnswerTap};
