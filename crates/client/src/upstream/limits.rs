//! Limits of asking other servers: default, smallest and largest value, unit and reason.

use std::time::Duration;

use crate::config::Limit;

/// Silence after which a datagram goes out again the first time, as far as nothing is known of the server (the reference client's half
/// second); where something is, its measured time within these bounds.
pub(super) const FIRST_WAIT: Limit<Duration> =
    Limit { default: Duration::from_millis(500), min: Duration::from_millis(50), max: Duration::from_millis(500) };

/// Silence after which another server is asked beside the first, likewise. Less doubles what upstream has to answer; more keeps people
/// waiting for a server that is gone.
pub(super) const HEDGE: Limit<Duration> =
    Limit { default: Duration::from_millis(250), min: Duration::from_millis(20), max: Duration::from_millis(1_000) };

/// Silences and errors in a row after which a server is held for dead: one may be a lost datagram, two a burst of them.
pub(super) const FAILURES_BEFORE_BACK_OFF: u32 = 3;

/// How long a dead server is left alone: from the least, doubling with each probe that fails, to the most.
pub(super) const BACK_OFF: Limit<Duration> =
    Limit { default: Duration::from_secs(1), min: Duration::from_secs(1), max: Duration::from_secs(60) };

/// Silence over UDP after which TCP is tried beside it.
pub(super) const TCP_BESIDE_UDP: Duration = Duration::from_millis(1_000);

/// Questions under way to one server. A server that answers within 20 ms answers 12,800 a second so; one that is slow is not buried.
pub const CONCURRENCY: Limit<usize> = Limit { default: 256, min: 1, max: 65_536 };

/// Questions a second to one server; a tenth of a second of them at once. Names made up at random reach their servers at this rate and no
/// faster, however many are asked of us. Default: ten times what a node with a tenth of a country's load asks its busiest neighbour.
pub const PER_SECOND: Limit<u32> = Limit { default: 2_000, min: 1, max: 1_000_000 };

/// Servers remembered. Those not asked for longest go first.
pub(super) const SERVERS: usize = 4_096;

/// Connections to one TCP server that wait for their next question, and how long they do: below what servers of the reference close after.
pub(super) const IDLE_CONNECTIONS: usize = 8;
/// See [`IDLE_CONNECTIONS`].
pub(super) const IDLE_TIME: Duration = Duration::from_secs(30);

/// Such connections over all servers: each is a file the process holds open.
pub(super) const ALL_IDLE_CONNECTIONS: usize = 1_024;

/// How long a server that did not answer over QUIC is asked in other ways, if it has some.
pub(super) const QUIC_AGAIN: Duration = Duration::from_secs(30);

/// QUIC connections kept open over all servers; the one unused for longest goes first.
pub(super) const QUIC_CONNECTIONS: usize = 256;

/// What asking other servers may cost. Values outside their ranges are moved into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamLimits {
    /// [`CONCURRENCY`].
    pub concurrency: usize,
    /// [`PER_SECOND`].
    pub per_second: u32,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self { concurrency: CONCURRENCY.default, per_second: PER_SECOND.default }
    }
}

impl UpstreamLimits {
    pub(super) fn in_range(self) -> Self {
        Self { concurrency: CONCURRENCY.clamp(self.concurrency), per_second: PER_SECOND.clamp(self.per_second) }
    }
}
