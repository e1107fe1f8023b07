//! The binary protocol: envelope, header, bodies, values, credentials, framing, reassembly.
//!
//! The Handle protocol (RFC 3652, versions 2.0 to 2.11 as deployed) and the dialect of Teleinfo's clients. Bytes and
//! `now` go in, bytes and actions come out: no sockets, no clock. Decoding borrows from the message and checks every
//! length and count against the bytes that are there; unknown operations, codes, flags and types survive. Encoding
//! goes into the caller's memory.
//!
//! - [`Message::parse`] splits a message; [`request::RequestBody::parse`] and [`response::Response::parse`] read bodies.
//! - [`request::RequestWriter`] and [`response::ResponseWriter`] write messages, [`response::respond_to`] makes the head
//!   of an answer from the head of a request.
//! - [`frame`] cuts messages into datagrams and streams into messages, [`crypto`] proves who said what.
//!
//! Absent: the HTTP tunnel, replication streams (their requests pass as raw bodies) and template handles.
#![forbid(unsafe_code)]

pub mod codes;
pub mod crypto;
pub mod dialect;
pub mod envelope;
pub mod error;
pub mod frame;
pub mod hashing;
pub mod header;
pub mod keep_open;
pub mod limits;
pub mod lists;
pub mod message;
pub mod primitives;
pub mod request;
pub mod response;
pub mod types;
pub mod value;
pub mod version;

pub use codes::{OpCode, OpFlags, ResponseCode};
pub use envelope::{Envelope, EnvelopeFlags};
pub use error::{DecodeError, NoRoom};
pub use hashing::{HashOption, server_for};
pub use header::Header;
pub use keep_open::keeps_connection;
pub use lists::{Reference, References, StrList, U32List};
pub use message::{Head, Message, ParseFailure};
pub use primitives::{Reader, Sink, Writer};
pub use value::{EncodeValue, Permissions, ReferenceBuf, Ttl, ValueBuf, ValueRef, Values, is_admin_type, type_matches};
pub use version::Version;
