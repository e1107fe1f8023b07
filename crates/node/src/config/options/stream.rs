//! Section `stream`: connections of TCP and QUIC.

use waymark_resolver::config as resolver;

use super::{count, option, seconds};
use crate::config::schema::Spec;

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "stream.connections",
        count(resolver::CONNECTIONS),
        "connections",
        "Connections of the TCP door, and again of the QUIC door.",
    ),
    option(
        "stream.connections_per_source",
        count(resolver::CONNECTIONS_PER_SOURCE),
        "connections",
        "Of these, connections of one source network.",
    ),
    option(
        "stream.first_byte_seconds",
        seconds(resolver::FIRST_BYTE_TIME),
        "seconds",
        "How long a new connection may stay silent.",
    ),
    option(
        "stream.idle_seconds",
        seconds(resolver::IDLE_TIME),
        "seconds",
        "How long an open connection may rest between messages. IDIS clients keep theirs for 600 s.",
    ),
    option(
        "stream.message_seconds",
        seconds(resolver::MESSAGE_TIME),
        "seconds",
        "How long a message may take from its first byte to its last.",
    ),
    option(
        "stream.write_seconds",
        seconds(resolver::WRITE_TIME),
        "seconds",
        "How long a peer may take to receive answers that wait.",
    ),
    option("stream.batch", count(resolver::STREAM_BATCH), "messages", "Messages of one connection answered together."),
    option(
        "stream.buffer_bytes",
        count(resolver::STREAM_BUFFER_BYTES),
        "bytes",
        "Memory for incomplete messages and unsent answers of all connections of a door.",
    ),
    option(
        "stream.room_bytes",
        count(resolver::ROOM_BYTES),
        "bytes",
        "First room of an answer; a larger answer is made again in a large buffer.",
    ),
];
