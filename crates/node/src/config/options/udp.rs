//! Section `udp`: the UDP door.

use waymark_resolver::config as resolver;
use waymark_wire::frame::config as frame;

use super::{count, option, seconds};
use crate::config::schema::Spec;

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "udp.threads",
        count(resolver::UDP_THREADS),
        "threads",
        "Threads with a socket of their own for each address; 0 is one for each core.",
    ),
    option("udp.batch", count(resolver::UDP_BATCH), "datagrams", "Datagrams taken, answered and sent together."),
    option(
        "udp.answer_packets",
        count(resolver::UDP_ANSWER_PACKETS),
        "datagrams",
        "Datagrams of one answer; a larger one becomes `too busy, use TCP`.",
    ),
    option(
        "udp.socket_bytes",
        count(resolver::UDP_SOCKET_BYTES),
        "bytes",
        "Buffers asked of the kernel for one socket.",
    ),
    option(
        "udp.reassembly_seconds",
        seconds(frame::REASSEMBLY_TIME),
        "seconds",
        "How long a question of several datagrams may stay incomplete.",
    ),
    option(
        "udp.reassembly_message_bytes",
        count(frame::REASSEMBLY_MESSAGE_BYTES),
        "bytes",
        "Largest question of several datagrams.",
    ),
    option(
        "udp.reassembly_source_bytes",
        count(frame::REASSEMBLY_SOURCE_BYTES),
        "bytes",
        "Memory for the incomplete questions of one source network.",
    ),
    option(
        "udp.reassembly_total_bytes",
        count(frame::REASSEMBLY_TOTAL_BYTES),
        "bytes",
        "Memory for all incomplete questions of one thread.",
    ),
];
