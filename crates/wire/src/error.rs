//! Why bytes are no message, or do not fit where they should go.

use thiserror::Error;

use crate::codes::ResponseCode;

/// Why bytes could not be decoded. Always the sender's fault; allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A field reaches behind the end.
    #[error("field of {needed} bytes where {left} are left")]
    Truncated {
        /// Bytes the field takes.
        needed: usize,
        /// Bytes that were left for it.
        left: usize,
    },
    /// A length is larger than the protocol allows, or negative for a signed reader.
    #[error("length {length} is over {limit}")]
    LengthTooBig {
        /// The length as sent.
        length: u32,
        /// The largest one allowed.
        limit: u32,
    },
    /// A list claims more items than the bytes left could hold, or more than allowed.
    #[error("{count} items where {room} have room")]
    CountTooBig {
        /// The count as sent.
        count: u32,
        /// The largest count that was possible.
        room: u32,
    },
    /// Bytes are left behind the last field of a format that allows none.
    #[error("{count} bytes behind the last field")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// The message length has no room for a header.
    #[error("message length {length} is shorter than a header")]
    MessageTooShort {
        /// Message length of the envelope, or bytes received when there is no whole envelope.
        length: u32,
    },
    /// The message length is over the limit of the protocol.
    #[error("message length {length} is over {limit}")]
    MessageTooLong {
        /// Message length of the envelope.
        length: u32,
        /// The longest allowed.
        limit: u32,
    },
    /// The message is encrypted; decrypt it first and use [`Message::parse_content`](crate::Message::parse_content).
    #[error("message is encrypted")]
    Encrypted,
    /// A response, where a request was expected.
    #[error("response code {0} in a request")]
    NotARequest(ResponseCode),
    /// A handle in a response longer than the caller takes.
    #[error("handle of {length} bytes is longer than {limit}")]
    HandleTooLong {
        /// Bytes of the handle.
        length: usize,
        /// The longest one the caller takes.
        limit: usize,
    },
    /// A request digest of an algorithm nobody knows.
    #[error("unknown digest algorithm {0}")]
    UnknownDigestAlgorithm(u8),
    /// A field holds a value its format does not define.
    #[error("field {field} cannot be {value}")]
    BadField {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: u32,
    },
}

/// A message does not fit into the room given for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("message needs {needed} bytes")]
pub struct NoRoom {
    /// Bytes that would have been enough, exactly.
    pub needed: usize,
}
