//! Client library: asks a known server over UDP, TCP or QUIC.
//!
//! [`Client::ask`] takes one finished request message and one deadline, and finds an answer over the transports the server has, in
//! the order the caller chose. A transport that stays silent is not waited for: the next starts beside it after
//! [`Options::stagger`], and the first answer wins, so that a network that blocks one of them costs that stagger and nothing else.
//!
//! What is absent: finding the server of an identifier (that is the recursive resolver's), caches, and any knowledge of what an
//! answer means beyond "this answers that question".
//!
//! [`udp`], [`tcp`] and [`quic`] hold the transports themselves, for callers that keep connections open.
#![forbid(unsafe_code)]

mod ask;
pub mod config;
mod error;
mod exchange;
pub mod quic;

pub mod tcp;
mod trust;
pub mod udp;

pub use ask::{Client, Options, Server};
pub use error::{AskError, Failure};
pub use exchange::{Answer, Transport};

pub use trust::{Trust, fingerprint};
