//! When the node above took over: what was registered meanwhile comes back.
//!
//! While a node is out of service the node above restores its last deposit into a node of its own, the *emergency node*, points resolution at it and
//! takes registrations there. When the node returns, what changed there is written to a file, and the node registers it like anything else:
//!
//! ```text
//! node ── deposit of watermark W ── emergency node ── registrations ── file (emergency) ──┐
//! node ── writes after W that no deposit held ────────────────────────────────────────────┴─ settled one by one ── node
//! emergency node ── takes what the node has now ── file (returned) ── node
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `file` | the file: its form, how it is written and read |
//! | `rule` | what is done where both sides changed the same identifier |
//! | `content` | the digest by which both sides are shown to be equal |
//! | `deposits` | which deposits of a folder are restored |
//! | `config` | limits |
//!
//! How a real top-level node hands registrations back is not public (the guide says only that it takes over and that it ends); this form is our own.
//! It carries identifiers. Code packages, templates, enterprises and whoever may call are not changed on an emergency node; who changes them there
//! does so again by hand.

pub mod config;
mod content;
mod deposits;
mod file;
mod rule;

pub use content::Digest;
pub use deposits::last_deposits;
pub use file::{Change, FileError, Head, Place, Reader, Side, Status, Writer, Written, is_of, reread};
pub use rule::{Conflict, Decision, Here, Kind, There, Why, Winner, decide};
