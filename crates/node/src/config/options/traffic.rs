//! Section `traffic`: statistics of requests.

use waymark_top_sync::traffic::config as traffic;

use super::{option, stored};
use crate::config::schema::{Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "traffic.count",
        Kind::Flag { default: true },
        "",
        "Whether requests are counted by day, prefix and source, as is owed to the top-level node. A kill loses none of it where log.answers keeps a record.",
    ),
    option(
        "traffic.node_sources",
        stored(traffic::NODE_SOURCES),
        "sources",
        "Sources told apart in a day of the whole node; above it their counts have a stated error.",
    ),
    option(
        "traffic.prefix_sources",
        stored(traffic::PREFIX_SOURCES),
        "sources",
        "Sources told apart in a day of one prefix.",
    ),
    option(
        "traffic.all_sources",
        stored(traffic::ALL_SOURCES),
        "sources",
        "Sources told apart in a day of all prefixes together; bounds the memory, 110 bytes each.",
    ),
    option(
        "traffic.prefixes",
        stored(traffic::PREFIXES),
        "prefixes",
        "Prefixes with figures of their own in a day; requests for others count for the node.",
    ),
    option("traffic.kept_days", stored(traffic::KEPT_DAYS), "days", "Days whose figures are kept."),
    option(
        "traffic.save_seconds",
        stored(traffic::SAVE_SECONDS),
        "seconds",
        "Time between two savings: what a kill loses where no record of every answer is kept.",
    ),
];
