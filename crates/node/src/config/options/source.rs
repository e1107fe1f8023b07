//! Section `source`: limits on sources.

use waymark_resolver::config as resolver;

use super::{count, option, seconds, word};
use crate::config::schema::{Item, Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option("source.block", Kind::List { default: &[], item: Item::Network }, "", "Networks that get no answer."),
    option(
        "source.allow",
        Kind::List { default: &[], item: Item::Network },
        "",
        "Networks that rate and byte budget do not apply to: one's own scanners, gateways, load generators.",
    ),
    option(
        "source.queries_per_second",
        word(resolver::SOURCE_QUERIES_PER_SECOND),
        "queries",
        "Queries a second of one source network (a /24 or /56) over UDP.",
    ),
    option(
        "source.budget_bytes",
        word(resolver::SOURCE_BUDGET_BYTES),
        "bytes",
        "Bytes of answers beyond the bytes of questions that one source network may receive at once over UDP.",
    ),
    option(
        "source.refill_bytes_per_second",
        word(resolver::SOURCE_REFILL_BYTES_PER_SECOND),
        "bytes",
        "What of that budget comes back each second.",
    ),
    option(
        "source.hold_seconds",
        seconds(resolver::SOURCE_HOLD),
        "seconds",
        "Shortest time a source that spent its budget is held to an amplification of 1.5.",
    ),
    option(
        "source.exemption_seconds",
        seconds(resolver::SOURCE_EXEMPTION),
        "seconds",
        "How long a completed TCP or QUIC exchange exempts its source from rate and budget.",
    ),
    option(
        "source.tracked",
        count(resolver::SOURCES),
        "sources",
        "Source networks kept apart at the same time, 32 bytes each.",
    ),
];
