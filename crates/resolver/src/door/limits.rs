//! The limits of the doors as one value, every part inside its range.

use std::time::Duration;

use waymark_wire::frame::ReassemblyLimits;

use crate::config;

/// The limits of all doors. The unit, range and reason of each stand at the constant of the same name in [`config`].
#[derive(Clone, Debug)]
pub struct DoorLimits {
    /// Threads of one UDP address, 0 for one a core; [`config::UDP_THREADS`].
    pub udp_threads: usize,
    /// Datagrams handled together; [`config::UDP_BATCH`].
    pub udp_batch: usize,
    /// First room of an answer in bytes; [`config::ROOM_BYTES`].
    pub room_bytes: usize,
    /// Datagrams of one answer; [`config::UDP_ANSWER_PACKETS`].
    pub udp_answer_packets: usize,
    /// Kernel buffers of a UDP socket in bytes; [`config::UDP_SOCKET_BYTES`].
    pub udp_socket_bytes: usize,
    /// Requests in several datagrams.
    pub reassembly: ReassemblyLimits,
    /// Threads of the slow pool; [`config::SLOW_THREADS`].
    pub slow_threads: usize,
    /// Questions waiting for it; [`config::SLOW_QUEUE`].
    pub slow_queue: usize,
    /// Connections of a door; [`config::CONNECTIONS`].
    pub connections: usize,
    /// Connections of one source; [`config::CONNECTIONS_PER_SOURCE`].
    pub connections_per_source: usize,
    /// Time to the first byte; [`config::FIRST_BYTE_TIME`].
    pub first_byte_time: Duration,
    /// Rest between messages; [`config::IDLE_TIME`].
    pub idle_time: Duration,
    /// Time of one message; [`config::MESSAGE_TIME`].
    pub message_time: Duration,
    /// Time for the peer to take answers; [`config::WRITE_TIME`].
    pub write_time: Duration,
    /// Messages answered together; [`config::STREAM_BATCH`].
    pub stream_batch: usize,
    /// Memory of all connections of a door in bytes; [`config::STREAM_BUFFER_BYTES`].
    pub stream_buffer_bytes: usize,
    /// Streams of one QUIC connection; [`config::QUIC_STREAMS`].
    pub quic_streams: u32,
    /// Handshakes above which addresses are validated first; [`config::QUIC_RETRY_ABOVE`].
    pub quic_retry_above: usize,
    /// Sessions remembered; [`config::QUIC_SESSIONS`].
    pub quic_sessions: usize,
}

impl DoorLimits {
    /// These limits, each moved into its range.
    #[must_use]
    pub fn in_range(self) -> Self {
        Self {
            udp_threads: config::UDP_THREADS.clamp(self.udp_threads),
            udp_batch: config::UDP_BATCH.clamp(self.udp_batch),
            room_bytes: config::ROOM_BYTES.clamp(self.room_bytes),
            udp_answer_packets: config::UDP_ANSWER_PACKETS.clamp(self.udp_answer_packets),
            udp_socket_bytes: config::UDP_SOCKET_BYTES.clamp(self.udp_socket_bytes),
            reassembly: self.reassembly,
            slow_threads: config::SLOW_THREADS.clamp(self.slow_threads),
            slow_queue: config::SLOW_QUEUE.clamp(self.slow_queue),
            connections: config::CONNECTIONS.clamp(self.connections),
            connections_per_source: config::CONNECTIONS_PER_SOURCE.clamp(self.connections_per_source),
            first_byte_time: config::FIRST_BYTE_TIME.clamp(self.first_byte_time),
            idle_time: config::IDLE_TIME.clamp(self.idle_time),
            message_time: config::MESSAGE_TIME.clamp(self.message_time),
            write_time: config::WRITE_TIME.clamp(self.write_time),
            stream_batch: config::STREAM_BATCH.clamp(self.stream_batch),
            stream_buffer_bytes: config::STREAM_BUFFER_BYTES.clamp(self.stream_buffer_bytes),
            quic_streams: config::QUIC_STREAMS.clamp(self.quic_streams),
            quic_retry_above: config::QUIC_RETRY_ABOVE.clamp(self.quic_retry_above),
            quic_sessions: config::QUIC_SESSIONS.clamp(self.quic_sessions),
        }
    }
}

impl Default for DoorLimits {
    fn default() -> Self {
        Self {
            udp_threads: config::UDP_THREADS.default,
            udp_batch: config::UDP_BATCH.default,
            room_bytes: config::ROOM_BYTES.default,
            udp_answer_packets: config::UDP_ANSWER_PACKETS.default,
            udp_socket_bytes: config::UDP_SOCKET_BYTES.default,
            reassembly: ReassemblyLimits::default(),
            slow_threads: config::SLOW_THREADS.default,
            slow_queue: config::SLOW_QUEUE.default,
            connections: config::CONNECTIONS.default,
            connections_per_source: config::CONNECTIONS_PER_SOURCE.default,
            first_byte_time: config::FIRST_BYTE_TIME.default,
            idle_time: config::IDLE_TIME.default,
            message_time: config::MESSAGE_TIME.default,
            write_time: config::WRITE_TIME.default,
            stream_batch: config::STREAM_BATCH.default,
            stream_buffer_bytes: config::STREAM_BUFFER_BYTES.default,
            quic_streams: config::QUIC_STREAMS.default,
            quic_retry_above: config::QUIC_RETRY_ABOVE.default,
            quic_sessions: config::QUIC_SESSIONS.default,
        }
    }
}
