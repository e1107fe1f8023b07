//! Section `watch`: the node watches itself.

use waymark_top_sync::watch::config as watch;

use super::{option, stored};
use crate::config::schema::{Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "watch.prefix",
        Kind::Text { default: "" },
        "prefix",
        "Prefix of this node, whose record it asks its own doors for as the top-level node would. Empty: sync.prefix, else docking.prefix; without any the node does not watch itself. The prefix has to be served, and source.allow, where it is set, has to hold the node's own addresses.",
    ),
    option(
        "watch.interval_seconds",
        stored(watch::INTERVAL_SECONDS),
        "seconds",
        "Time between two rounds of questions to the doors. Its own probes are not counted as requests.",
    ),
    option(
        "watch.answer_seconds",
        stored(watch::ANSWER_SECONDS),
        "seconds",
        "Time a door may take to answer; later ones count as none.",
    ),
    option(
        "watch.failed_rounds",
        stored(watch::FAILED_ROUNDS),
        "rounds",
        "Rounds in a row a door has to fail before that is an incident.",
    ),
    option(
        "watch.hold_seconds",
        stored(watch::HOLD_SECONDS),
        "seconds",
        "Time all has to be well again before an incident is over: what comes and goes within it is one incident.",
    ),
    option(
        "watch.flood_percent",
        stored(watch::FLOOD_PERCENT),
        "percent",
        "Share of the requests of a minute that is turned away before that is an incident of type attack. 0: none is looked for.",
    ),
    option(
        "watch.flood_requests",
        stored(watch::FLOOD_REQUESTS),
        "requests",
        "Requests turned away in a minute below which there is no flood, whatever their share.",
    ),
    option(
        "watch.kept_days",
        stored(watch::KEPT_DAYS),
        "days",
        "Days whose probes are kept, fourteen months at least. Incidents are kept for ever.",
    ),
];
