//! EPP over HTTP: how enterprises and their prefixes are registered with the top-level node.
//!
//! EPP 1.0 (RFC 5730) with two object mappings of the drafts for the top-level node, `idis-ent-1.0` and `idis-entprefix-1.0`. This node is the client.
//! What the drafts leave open is settled here and said where it is: the form within answers ([`message`]), and how requests are signed
//! ([`driver::seal`]), which the real top-level node does not publish. So nothing here claims to conform; it is designed to.
//!
//! There is no session: each HTTP request stands alone and carries the proof of who sends it, so there is no `login` and no `logout`, and no greeting
//! is waited for. A top-level node that wants them answers 2002, which is shown like every other refusal.
//!
//! ```text
//! catalog ── wants ──> exchange ── step ──> driver: pack ─ write ─ transport ──> top-level node
//!    ^                  │    ^                                                        │
//!    └──── settlement ──┘    └────────────── answer, or what went wrong ──────────────┘
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`message`] | commands and answers, written and read; bounded, without document types and entities |
//! | [`exchange`] | what is sent next and what an answer means: a machine without IO over a file of transactions |
//! | [`driver`] | HTTP, the catalog, the clock: what the machine decides is done here |
//! | [`config`] | all limits |
//!
//! Nothing is lost and nothing done twice, whatever is dropped, delayed, doubled or killed:
//!
//! * The identifier of a transaction (clTRID) is in the file before its command leaves.
//! * A command whose answer did not come is not sent again blindly: first the queue is polled until it is empty, then the object is asked for
//!   (check), then the same command goes under the *same* identifier, the one published handle for repetitions. A top-level node that knows the
//!   identifier repeats its answer; one that does not says 2302 where the object exists, and then the audit's message is waited for.
//! * A message of the queue is acknowledged when it is in the file, and one that comes again changes nothing.
//! * A verdict becomes `confirm` or `refuse` in the case it was asked for, told by the serial of that case; the catalog takes the step once.
pub mod config;
pub mod driver;
pub mod exchange;
pub mod message;
