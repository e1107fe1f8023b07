//! Section `docking`: the connection to the top-level node.

use waymark_top_sync::epp::config as epp;

use super::{option, seconds};
use crate::config::schema::{Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "docking.address",
        Kind::Text { default: "" },
        "URL",
        "Where the top-level node takes commands (EPP over HTTP), as https://node.example/epp. Empty: this node is connected to none, and operators say what a top-level node decided.",
    ),
    option("docking.prefix", Kind::Text { default: "" }, "", "This node's own prefix (shrPrefix), such as 88.104."),
    option(
        "docking.application",
        Kind::Text { default: "" },
        "",
        "The application id the top-level node gave this node; also who asks (shrUserId).",
    ),
    option(
        "docking.key_file",
        Kind::Text { default: "" },
        "path",
        "The application's key, for its owner alone to read. How the real top-level node wants requests signed is not published: what is sent is a form of our own.",
    ),
    option(
        "docking.authorities",
        Kind::Text { default: "" },
        "path",
        "Certificates (PEM) of the authorities the top-level node is believed by. One of this and docking.pin for https.",
    ),
    option(
        "docking.pin",
        Kind::Text { default: "" },
        "SHA-256",
        "Fingerprint of the one certificate the top-level node is believed by instead.",
    ),
    option(
        "docking.plaintext",
        Kind::Flag { default: false },
        "",
        "Needed for http to another machine: what is said of people then travels readable.",
    ),
    option(
        "docking.poll_seconds",
        seconds_at_least_one(epp::POLL_EVERY),
        "seconds",
        "How often the top-level node's queue is asked for results of audits.",
    ),
    option(
        "docking.answer_seconds",
        seconds_at_least_one(epp::ANSWER_TIME),
        "seconds",
        "Time an answer of the top-level node may take; what became of a command without one is found out before it goes again.",
    ),
    option(
        "docking.retry_seconds",
        seconds_at_least_one(epp::RETRY_MOST),
        "seconds",
        "Longest wait between attempts while the top-level node does not answer.",
    ),
    option(
        "docking.refused_seconds",
        seconds_at_least_one(epp::REFUSED_WAIT),
        "seconds",
        "Wait before a command that was refused is sent once more; a restart sends it at once.",
    ),
];

/// A time in whole seconds, though shorter ones are possible for tests.
const fn seconds_at_least_one(limit: epp::Limit<std::time::Duration>) -> Kind {
    match seconds(limit) {
        Kind::Number { default, min: 0, max } => Kind::Number { default, min: 1, max },
        kind => kind,
    }
}
