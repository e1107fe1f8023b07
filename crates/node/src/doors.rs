//! From the configuration to open doors.

use std::{sync::Arc, time::Duration};

use waymark_resolver::{
    AnswerTap,
    door::{Certificate, DoorLimits, DoorsConfig},
    policy::{PolicyConfig, SourceLists},
};
use waymark_wire::frame::ReassemblyLimits;

use crate::config::Config;

/// What the doors are opened with.
pub(crate) fn settings(
    config: &Config,
    certificate: Option<Certificate>,
    answer_tap: Option<Arc<AnswerTap>>,
) -> DoorsConfig {
    DoorsConfig {
        udp: config.addresses("listen.udp"),
        tcp: config.addresses("listen.tcp"),
        quic: config.addresses("listen.quic"),
        certificate,
        limits: limits(config),
        policy: policy(config),
        answer_tap,
    }
}

fn limits(config: &Config) -> DoorLimits {
    DoorLimits {
        udp_threads: config.count("udp.threads"),
        udp_batch: config.count("udp.batch"),
        room_bytes: config.count("stream.room_bytes"),
        udp_answer_packets: config.count("udp.answer_packets"),
        udp_socket_bytes: config.count("udp.socket_bytes"),
        reassembly: ReassemblyLimits {
            time: seconds(config, "udp.reassembly_seconds"),
            message_bytes: config.count("udp.reassembly_message_bytes"),
            source_bytes: config.count("udp.reassembly_source_bytes"),
            total_bytes: config.count("udp.reassembly_total_bytes"),
            ..ReassemblyLimits::default()
        },
        slow_threads: config.count("slow.threads"),
        slow_queue: config.count("slow.queue"),
        connections: config.count("stream.connections"),
        connections_per_source: config.count("stream.connections_per_source"),
        first_byte_time: seconds(config, "stream.first_byte_seconds"),
        idle_time: seconds(config, "stream.idle_seconds"),
        message_time: seconds(config, "stream.message_seconds"),
        write_time: seconds(config, "stream.write_seconds"),
        stream_batch: config.count("stream.batch"),
        stream_buffer_bytes: config.count("stream.buffer_bytes"),
        quic_streams: word(config, "quic.streams"),
        quic_retry_above: config.count("quic.retry_above"),
        quic_sessions: config.count("quic.sessions"),
    }
}

fn policy(config: &Config) -> PolicyConfig {
    PolicyConfig {
        lists: SourceLists::new(&config.networks("source.allow"), &config.networks("source.block")),
        queries_per_second: word(config, "source.queries_per_second"),
        budget_bytes: word(config, "source.budget_bytes"),
        refill_bytes_per_second: word(config, "source.refill_bytes_per_second"),
        hold: seconds(config, "source.hold_seconds"),
        exemption: seconds(config, "source.exemption_seconds"),
        sources: config.count("source.tracked"),
    }
}

fn seconds(config: &Config, key: &str) -> Duration {
    Duration::from_secs(config.values().number(key))
}

fn word(config: &Config, key: &str) -> u32 {
    // The table of options holds such numbers to 32 bits.
    u32::try_from(config.values().number(key)).unwrap_or(u32::MAX)
}
