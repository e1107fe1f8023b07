//! The business system of a top-level node: EPP over HTTP, with audits by script and faults on demand.
//!
//! | file | holds |
//! |---|---|
//! | `fields` | which fields a command has, and what may stand in them |
//! | `asked` | which command came |
//! | `platform` | the queue of messages, audits, and what a command does |
//! | `held` | what is held, and how audits go |
//! | `fault` | what goes wrong, when it is told to |
//! | `serve` | HTTP |
//!
//! ```text
//! POST <any path>     a command; the answer with status 200, whatever its code
//! GET  /holdings      what it holds, as JSON, without what is said of people
//! ```

mod asked;
mod fault;
mod fields;
mod held;
mod platform;
mod serve;

pub use fault::{Fault, Kind};
pub use held::{HeldEnterprise, HeldPrefix, Holdings, Ruling, Script};
pub use serve::{EppSimulator, Settings, Tls};
