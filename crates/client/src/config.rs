//! Limits of the client: default, smallest and largest permitted value, unit and reason of each.

use std::time::Duration;

/// A limit a caller may set: its default and the range it is moved into, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<T> {
    /// The value when nothing is set.
    pub default: T,
    /// The smallest value used.
    pub min: T,
    /// The largest value used.
    pub max: T,
}

impl<T: Copy + Ord> Limit<T> {
    /// `value` moved into the range.
    pub fn clamp(&self, value: T) -> T {
        value.clamp(self.min, self.max)
    }
}

/// Silence after which the next transport starts beside the one that is silent. The default lets one lost datagram be repeated
/// first; less doubles traffic on slow links, more makes people wait where a network blocks a transport.
pub const STAGGER: Limit<Duration> =
    Limit { default: Duration::from_millis(1_000), min: Duration::from_millis(10), max: Duration::from_secs(30) };

/// Waits between repetitions of a datagram, the last one again and again until the deadline: those of the reference client.
pub const UDP_WAITS: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_millis(1_000), Duration::from_millis(1_500)];

/// Largest datagram a padded request asks for, in bytes; see [`waymark_wire::frame::config::DATAGRAM_BYTES`].
pub const PADDED_DATAGRAM_BYTES: usize = waymark_wire::frame::config::DATAGRAM_BYTES.default;

/// Receive buffer of a UDP exchange in bytes: the largest UDP payload there is, since a server may use any size.
pub const RECEIVE_BYTES: usize = 65_535;

/// Room made for each read of a stream in bytes: some dozens of ordinary answers for one system call.
pub const READ_BYTES: usize = 8 * 1024;

/// Trusts a client remembers sessions of, so that a later question to the same server travels as early data; the one unused for
/// longest goes first. Each holds the sessions of up to 256 servers. A program believes a few authorities, or the pins of a few nodes.
pub const REMEMBERED_TRUSTS: usize = 16;

/// Longest deadline of a question; longer ones are shortened. It keeps arithmetic on moments from overflowing, and nobody waits longer.
pub const DEADLINE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Time a QUIC connection may stay silent, in both directions, before it is given up.
pub const QUIC_IDLE: Duration = Duration::from_secs(30);
