//! Client library: asks a known server over UDP, TCP or QUIC, and registers identifiers over gRPC ([`registration`]).
//!
//! [`Client::ask`] takes one finished request message and one deadline, and finds an answer over the transports the server has, in
//! the order the caller chose. A transport that stays silent is not waited for: the next starts beside it after
//! [`Options::stagger`], and the first answer wins, so that a network that blocks one of them costs that stagger and nothing else.
//!
//! An answer is taken for its request id, drawn at random for each question, its operation, and where it came from; what it says is the
//! caller's to judge, signatures included. One answer is not taken at once: "too busy" over UDP. There a server holds down sources whose
//! addresses may be forged and answers of very many datagrams; the next transport starts, and "too busy" is the answer only if nothing
//! better comes.
//!
//! Over UDP, parts of answers to repeated sendings complete each other, as clients of this protocol do. If the record changes in between
//! without changing its length they may be of two states; a certified question has an id for each sending, so that this cannot be.
//!
//! What is absent: answers of several messages (CONT), finding the server of an identifier (that is the recursive resolver's), caches,
//! and any knowledge of what an answer means beyond "this answers that question".
//!
//! [`upstream`] asks one of several servers that know the same, and remembers how each answered. [`udp`], [`tcp`] and [`quic`] hold the transports themselves, for callers that keep connections open.
#![forbid(unsafe_code)]

mod ask;
pub mod config;
mod error;
mod exchange;
pub mod quic;
pub mod registration;
#[cfg(test)]
mod sample;
mod stream;
pub mod tcp;
mod trust;
pub mod udp;
pub mod upstream;

pub use ask::{Client, Options, Server};
pub use error::{AskError, Failure};
pub use exchange::{Answer, Transport};
pub use trust::{Trust, fingerprint};
