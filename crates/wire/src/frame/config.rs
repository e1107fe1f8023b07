//! Limits of framing: default, smallest and largest permitted value, unit and reason of each.

use std::time::Duration;

use crate::envelope::Envelope;

/// A limit an operator may set: its default and the range it must stay in, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit<T> {
    /// The value when nothing is configured.
    pub default: T,
    /// The smallest value accepted.
    pub min: T,
    /// The largest value accepted.
    pub max: T,
}

impl<T: Copy + Ord> Limit<T> {
    /// `value` moved into the range.
    #[must_use]
    pub fn clamp(&self, value: T) -> T {
        value.clamp(self.min, self.max)
    }
}

/// Largest message, in bytes without envelope. Fixed by the protocol.
pub const MAX_MESSAGE_BYTES: usize = crate::limits::MAX_MESSAGE_BYTES as usize;

/// Largest datagram every client can take, in bytes with envelope. Fixed by the protocol: RFC 3652 section 2.1 lets a UDP packet
/// carry 512 bytes.
pub const CLASSIC_DATAGRAM_BYTES: usize = 512;

/// Largest message that goes out in one classic datagram, in bytes without envelope.
pub const CLASSIC_PAYLOAD_BYTES: usize = CLASSIC_DATAGRAM_BYTES - Envelope::LEN;

/// Largest datagram sent to a peer that proved it has the room, in bytes with envelope. Smallest value: the classic size; largest
/// and default: what fits the smallest IPv6 link (1280 bytes) behind the IPv6 and UDP headers, so that nothing is fragmented on
/// the way.
pub const DATAGRAM_BYTES: Limit<usize> = Limit { default: 1232, min: CLASSIC_DATAGRAM_BYTES, max: 1232 };

/// Time a message may stay incomplete, from its first part. Default: the five seconds of the reference implementation. Less than
/// one loses slow links, more than thirty only keeps what the sender gave up.
pub const REASSEMBLY_TIME: Limit<Duration> =
    Limit { default: Duration::from_secs(5), min: Duration::from_secs(1), max: Duration::from_secs(30) };

/// Largest message put together by a server, in bytes without envelope. Default: far above the largest resolution (a handle of
/// 2048 bytes and some hundred types); administration does not come over UDP. A client sets the maximum.
pub const REASSEMBLY_MESSAGE_BYTES: Limit<usize> =
    Limit { default: 16_384, min: CLASSIC_PAYLOAD_BYTES, max: MAX_MESSAGE_BYTES };

/// Parts of one message. Default: a message of the largest size in classic datagrams needs 533. Bounds the book-keeping a sender of
/// tiny parts can cause.
pub const REASSEMBLY_PARTS: Limit<usize> = Limit { default: 640, min: 2, max: 4096 };

/// Memory for incomplete messages of one source, in bytes. Default: sixteen times the largest message of a server, so that a shop
/// behind one address is not held up by a lost part; a small share of the total, so that one source cannot displace the others.
pub const REASSEMBLY_SOURCE_BYTES: Limit<usize> = Limit { default: 256 * 1024, min: 32 * 1024, max: 64 * 1024 * 1024 };

/// Memory for all incomplete messages, in bytes. Default: sixteen sources at their limit in one thread, which is also far more than
/// honest traffic has under way at once.
pub const REASSEMBLY_TOTAL_BYTES: Limit<usize> =
    Limit { default: 4 * 1024 * 1024, min: 64 * 1024, max: 1024 * 1024 * 1024 };
