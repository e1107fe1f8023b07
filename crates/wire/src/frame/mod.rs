//! Framing of messages, without any input or output.
//!
//! - [`DatagramSplitter`] cuts a finished message into datagrams, each with its own envelope.
//! - [`Reassembly`] puts the datagrams of a message together again, within fixed bounds of memory.
//! - [`padding`] decides how large answer datagrams may be, and how much padding a request needs for that.
//! - [`tcp_message_length`] finds the end of the next message in a stream.
//!
//! [`config`] holds every limit with its default, its range and its reason.

pub mod config;
pub mod padding;
mod parts;
mod reassembly;
#[cfg(test)]
mod sample;
mod split;
mod stream;

pub use reassembly::{
    Counts, Outcome, Peer, Reassembly, ReassemblyLimits, Refusal, Whole, is_part_of_request, is_part_of_response,
};
pub use split::{Datagram, DatagramSplitter, SplitError, TruncatedBit};
pub use stream::{TcpFrame, tcp_message_length};
