//! The doors through which programs and people register identifiers, read them back, and run the node: gRPC, and the same by HTTP and JSON.
//!
//! ```text
//! socket ─ door ─ edge: who, how often ─ convert: proto, JSON -> Order ─ catalog writer ─ Receipt | Refusal ─ convert ─ answer
//! ```
//! | module | holds |
//! |---|---|
//! | [`door`] | addresses, TLS, connections, stopping |
//! | `edge` | credentials, rates, the ways to writer and readers; the same for every door |
//! | `convert` | words of the interface to words of the catalog and back |
//! | `reading` | identifiers, lists, histories, the change feed, for whom the rights allow |
//! | `upload` | streams of changes: items in, outcomes out, in order |
//! | `traces` | links followed up and down, for whom the rights allow |
//! | `grpc` | the services of `proto/` |
//! | `http` | the same by HTTP and JSON |
//! | [`collection`] | what enterprises with nodes of their own report to this one |
//! | [`query`] | who holds a prefix, for whoever asks |
//! | [`deposits`] | what operators ask of a node that makes deposits |
//! | [`recursion`] | what operators ask of a node that resolves names that live elsewhere |
//! | [`sync`] | what operators ask of a node that is docked with a top-level node |
//! | [`docking`] | what operators ask of the exchange with the top-level node |
//! | [`watching`] | what operators ask of a node that watches itself: incidents, maintenance, the monthly report |
//! | `followers` | caches of others that follow what changes here, and what each has confirmed |
//! | `jobs` | uploads that the node works off by itself |
//! | [`failure`], [`reasons`] | what goes wrong, as values, and the one table of their names and texts |
//!
//! No decision about data is made here: rights, order and durability are the catalog's. Nothing here keeps a credential or writes one to a log.
#![forbid(unsafe_code)]

pub mod collection;
pub mod config;
mod convert;
mod counters;
pub mod deposits;
pub mod docking;
pub mod door;
mod edge;
pub mod failure;
mod followers;
mod grpc;
mod http;
mod jobs;
mod packages;
pub mod query;
mod reading;
pub mod reasons;
pub mod recursion;
mod registered;
#[doc(hidden)]
pub mod request_forms;
pub mod sync;
mod traces;
pub mod traffic;
mod upload;
pub mod watching;

pub use config::Limits;
pub use convert::enterprise::{read_profile, show_personal, show_profile};
pub use convert::operator_record::{read_node_items, show_node_items, show_operator_personal};
pub use counters::{Counters, Event};
pub use door::{Addresses, Bound, Certificate, Drained, Running, Service, ServiceConfig, Settings, StartError, Tls};
pub use jobs::FolderError;
pub use query::QueryConfig;
pub use registered::{RegistrationRecord, RegistrationTap};
