//! One question and its answer, whatever carried them.

use std::{fmt, time::Duration};

use waymark_wire::{DecodeError, Envelope, Head, OpCode};

/// How a question travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams, repeated until an answer comes.
    Udp,
    /// One connection.
    Tcp,
    /// A stream of an encrypted connection.
    Quic,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Quic => "quic",
        })
    }
}

/// An answer as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The message: its envelope, then all it announces.
    pub message: Vec<u8>,
    /// What carried it.
    pub transport: Transport,
    /// Datagrams sent; 0 on streams.
    pub packets_sent: u32,
    /// Datagrams of the answer; 0 on streams.
    pub packets_received: u32,
    /// From the first byte sent, connecting included, to the last received.
    pub elapsed: Duration,
}

/// What an answer must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) request_id: u32,
    op: u32,
}

/// Where the request id stands in an envelope.
const REQUEST_ID: std::ops::Range<usize> = 8..12;
/// Where the operation stands in a message, and the response code behind it.
const OP: std::ops::Range<usize> = 20..24;

/// Copies a request under an id of its own and says what its answer must match.
pub(crate) fn number(request: &[u8], request_id: u32) -> Result<(Vec<u8>, Expected), DecodeError> {
    let envelope = Envelope::parse(request)?;
    let left = request.len().saturating_sub(Envelope::LEN);
    if usize::try_from(envelope.message_length) != Ok(left) || left < Head::LEN - Envelope::LEN {
        return Err(DecodeError::MessageTooShort { length: envelope.message_length });
    }
    let mut numbered = request.to_vec();
    if let Some(place) = numbered.get_mut(REQUEST_ID) {
        place.copy_from_slice(&request_id.to_be_bytes());
    }
    Ok((numbered, Expected { request_id, op: word(request, OP) }))
}

impl Expected {
    /// Whether a whole message answers the question: its id, and its operation unless the server could not tell that (0).
    pub(crate) fn answered_by(&self, message: &[u8]) -> bool {
        let op = word(message, OP);
        word(message, REQUEST_ID) == self.request_id && (op == self.op || op == OpCode::RESERVED.0 || self.is_proof())
    }

    /// An answer to a challenge is answered with the operation the challenge was for.
    fn is_proof(&self) -> bool {
        self.op == OpCode::CHALLENGE_ANSWER.0
    }
}

/// A big-endian word; all ones where the bytes end before it.
fn word(bytes: &[u8], at: std::ops::Range<usize>) -> u32 {
    bytes.get(at).and_then(|word| word.try_into().ok()).map_or(u32::MAX, u32::from_be_bytes)
}
