//! What the doors count beside the answers: bytes, packets, connections, and why something was cut short.

use std::sync::atomic::{AtomicU64, Ordering};

/// Something a door counts. The list is closed; names are fit for metric labels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum DoorEvent {
    /// Datagrams received (UDP, and QUIC application datagrams).
    PacketsIn,
    /// Datagrams sent.
    PacketsOut,
    /// Datagrams dropped because the socket took no more.
    PacketsNotTaken,
    /// Datagrams the system refused to send.
    PacketsNotSent,
    /// Bytes received, without transport headers.
    BytesIn,
    /// Bytes sent, without transport headers.
    BytesOut,
    /// "Too busy": the source asks too often.
    BusyRate,
    /// "Too busy": the byte budget of the source is spent.
    BusyBudget,
    /// "Too busy": the answer needs more datagrams than one answer may have.
    BusyPackets,
    /// "Too busy": the slow pool has no room.
    BusySlowPool,
    /// "Too busy": the memory for messages under way is used up.
    BusyMemory,
    /// "Does not fit a datagram" (QUIC).
    TooLargeForDatagram,
    /// Connections taken.
    ConnectionsOpened,
    /// Connections that ended.
    ConnectionsClosed,
    /// Connections refused: the door has as many as it may.
    RefusedConnections,
    /// Connections refused: their source has as many as it may.
    RefusedConnectionsOfSource,
    /// Connections refused: the source is blocked.
    RefusedBlocked,
    /// Connections cut off: no first byte, or too long a rest.
    CutIdle,
    /// Connections cut off: a message did not come to its end in time.
    CutSlowWriter,
    /// Connections cut off: the peer did not take its answers in time.
    CutSlowReader,
    /// Streams ended because what came is no message.
    CutBadFrame,
    /// Streams the peer ended inside a message.
    CutPartialMessage,
    /// Handshakes that failed (QUIC).
    HandshakesFailed,
    /// Peers asked to show that they receive at their address (QUIC stateless retry).
    HandshakesRetried,
    /// Messages in early data that waited for the end of the handshake, since they are no plain questions (QUIC).
    EarlyWaited,
    /// Errors of accepting or receiving that the system reported.
    SystemErrors,
}

impl DoorEvent {
    /// Every event, in the order of its counter.
    pub const ALL: [Self; 26] = [
        Self::PacketsIn,
        Self::PacketsOut,
        Self::PacketsNotTaken,
        Self::PacketsNotSent,
        Self::BytesIn,
        Self::BytesOut,
        Self::BusyRate,
        Self::BusyBudget,
        Self::BusyPackets,
        Self::BusySlowPool,
        Self::BusyMemory,
        Self::TooLargeForDatagram,
        Self::ConnectionsOpened,
        Self::ConnectionsClosed,
        Self::RefusedConnections,
        Self::RefusedConnectionsOfSource,
        Self::RefusedBlocked,
        Self::CutIdle,
        Self::CutSlowWriter,
        Self::CutSlowReader,
        Self::CutBadFrame,
        Self::CutPartialMessage,
        Self::HandshakesFailed,
        Self::HandshakesRetried,
        Self::EarlyWaited,
        Self::SystemErrors,
    ];

    /// Its name in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PacketsIn => "packets_in",
            Self::PacketsOut => "packets_out",
            Self::PacketsNotTaken => "packets_not_taken",
            Self::PacketsNotSent => "packets_not_sent",
            Self::BytesIn => "bytes_in",
            Self::BytesOut => "bytes_out",
            Self::BusyRate => "busy_rate",
            Self::BusyBudget => "busy_budget",
            Self::BusyPackets => "busy_packets",
            Self::BusySlowPool => "busy_slow_pool",
            Self::BusyMemory => "busy_memory",
            Self::TooLargeForDatagram => "too_large_for_datagram",
            Self::ConnectionsOpened => "connections_opened",
            Self::ConnectionsClosed => "connections_closed",
            Self::RefusedConnections => "refused_connections",
            Self::RefusedConnectionsOfSource => "refused_connections_of_source",
            Self::RefusedBlocked => "refused_blocked",
            Self::CutIdle => "cut_idle",
            Self::CutSlowWriter => "cut_slow_writer",
            Self::CutSlowReader => "cut_slow_reader",
            Self::CutBadFrame => "cut_bad_frame",
            Self::CutPartialMessage => "cut_partial_message",
            Self::HandshakesFailed => "handshakes_failed",
            Self::HandshakesRetried => "handshakes_retried",
            Self::EarlyWaited => "early_waited",
            Self::SystemErrors => "system_errors",
        }
    }
}

const EVENTS: usize = DoorEvent::ALL.len();

/// The counters of one door, or of one thread of the UDP door. Anybody may add.
#[derive(Debug)]
pub struct DoorCounters([AtomicU64; EVENTS]);

impl DoorCounters {
    /// All zero.
    #[must_use]
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; EVENTS])
    }

    /// Counts `count` more; usually once for a whole batch.
    pub fn add(&self, event: DoorEvent, count: usize) {
        if let Some(cell) = self.0.get(event as usize)
            && count > 0
        {
            cell.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// The numbers as they are now.
    #[must_use]
    pub fn snapshot(&self) -> DoorSnapshot {
        DoorSnapshot(self.0.each_ref().map(|cell| cell.load(Ordering::Relaxed)))
    }
}

impl Default for DoorCounters {
    fn default() -> Self {
        Self::new()
    }
}

/// The numbers of one door at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DoorSnapshot([u64; EVENTS]);

impl DoorSnapshot {
    /// The sum of several.
    #[must_use]
    pub fn sum<'a>(counters: impl IntoIterator<Item = &'a DoorCounters>) -> Self {
        let mut total = Self::default();
        for snapshot in counters.into_iter().map(DoorCounters::snapshot) {
            for (to, value) in total.0.iter_mut().zip(snapshot.0) {
                *to = to.wrapping_add(value);
            }
        }
        total
    }

    /// How often it happened, or how much there was of it.
    #[must_use]
    pub fn get(&self, event: DoorEvent) -> u64 {
        self.0.get(event as usize).copied().unwrap_or_default()
    }

    /// Connections open at this moment.
    #[must_use]
    pub fn open_connections(&self) -> u64 {
        self.get(DoorEvent::ConnectionsOpened).saturating_sub(self.get(DoorEvent::ConnectionsClosed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_its_own_counter_and_name() {
        for (at, event) in DoorEvent::ALL.into_iter().enumerate() {
            assert_eq!(event as usize, at);
            assert_eq!(DoorEvent::ALL.iter().filter(|other| other.name() == event.name()).count(), 1);
        }
    }

    #[test]
    fn the_sum_holds_what_each_counted() {
        let (one, two) = (DoorCounters::new(), DoorCounters::new());
        one.add(DoorEvent::BytesIn, 40);
        two.add(DoorEvent::BytesIn, 2);
        two.add(DoorEvent::ConnectionsOpened, 3);
        two.add(DoorEvent::ConnectionsClosed, 1);
        let sum = DoorSnapshot::sum([&one, &two]);
        assert_eq!(sum.get(DoorEvent::BytesIn), 42);
        assert_eq!(sum.open_connections(), 2);
    }
}
