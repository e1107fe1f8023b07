//! Section `deposit`: what the top-level node keeps for an emergency.

use waymark_top_sync::deposit::config as limits;
use waymark_top_sync::sftp::config as sftp;

use super::option;
use crate::config::schema::{Item, Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "deposit.platform_key",
        Kind::Text { default: "" },
        "path",
        "Public key of the platform, which deposits are encrypted to (SM2, PEM). Empty: a node that runs makes none.",
    ),
    option(
        "deposit.node_key",
        Kind::Text { default: "" },
        "path",
        "Private key deposits are signed with (SM2, PEM), as waymark deposit keys makes it. Empty: a node that runs makes none.",
    ),
    option(
        "deposit.sftp_server",
        Kind::Text { default: "" },
        "host:port",
        "Where the platform takes deposits over SFTP; without a port 22. The node then makes and brings them itself. Empty: whoever makes them brings them.",
    ),
    option(
        "deposit.sftp_host_key",
        Kind::Text { default: "" },
        "",
        "The platform's host key: its fingerprint, as SHA256:..., or its line of known_hosts. Without it nothing is sent, and waymark deposit status shows the fingerprint seen.",
    ),
    option(
        "deposit.sftp_key",
        Kind::Text { default: "" },
        "path",
        "Private key the node shows to it (OpenSSH form, without pass phrase), for its owner alone to read.",
    ),
    option(
        "deposit.accounts",
        Kind::List { default: &[], item: Item::Text },
        "",
        "Prefixes that are deposited, and the platform's user of each, as 88.990=user.",
    ),
    option(
        "deposit.at",
        Kind::Text { default: "08:30" },
        "",
        "Time of day in Beijing the deposit of a day is made at; not before 08:00, when that day begins in UTC. Empty: only when asked for with waymark deposit send.",
    ),
    option(
        "deposit.always_full",
        Kind::List { default: &[], item: Item::Text },
        "",
        "Prefixes of which everything is deposited every day, not on Sundays alone.",
    ),
    option(
        "deposit.resends",
        Kind::Number { default: limits::RESENDS.default, min: limits::RESENDS.min, max: limits::RESENDS.max },
        "",
        "How often the deposit of a day is made again when the platform refuses it, before an operator has to look.",
    ),
    option(
        "deposit.sftp_directory",
        Kind::Text { default: "upload" },
        "",
        "Folder there that deposits are brought to.",
    ),
    option(
        "deposit.sftp_reports",
        Kind::Text { default: "report" },
        "",
        "Folder there that the platform says in what became of them. The form of what it says is our own: the platform's is not published.",
    ),
    option(
        "deposit.ask_seconds",
        Kind::Number {
            default: limits::ASK_SECONDS.default,
            min: limits::ASK_SECONDS.min,
            max: limits::ASK_SECONDS.max,
        },
        "seconds",
        "How often it is looked there while a deposit is not judged.",
    ),
    option(
        "deposit.sftp_answer_seconds",
        Kind::Number {
            default: sftp::ANSWER_SECONDS.default,
            min: sftp::ANSWER_SECONDS.min,
            max: sftp::ANSWER_SECONDS.max,
        },
        "seconds",
        "Time an answer of the platform may take.",
    ),
];
