//! The data plane: `answer_batch` and the doors that call it.
#![forbid(unsafe_code)]

pub mod answer;
pub mod config;
pub mod counters;
pub mod door;
pub mod node_key;
pub mod policy;
pub mod question;
pub mod settings;
mod slow;

#[doc = include_str!("../DIFFERENCES.md")]
pub mod differences {}

pub use answer::Answerer;
pub use counters::{CounterSnapshot, OpClass, Outcome, ThreadCounters};
pub use node_key::NodeKey;
pub use question::{Action, DropReason, Now, Origin, OwnedQuestion, Question, SlowReason, Transport};
pub use settings::{AdministrationDoors, Settings, SiteSet, SiteSetError, SiteSetOptions};
