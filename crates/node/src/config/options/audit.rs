//! Section `audit`: the audit.

use waymark_catalog::config as catalog;

use super::{option, stored};
use crate::config::schema::{Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "audit.algorithm",
        Kind::Choice { default: "sha256", choices: &["sha256", "sm3"] },
        "",
        "Hash of the audit's chain from now on; notes that are there keep theirs.",
    ),
    option(
        "audit.keep_days",
        stored(catalog::AUDIT_KEEP_DAYS),
        "days",
        "How long the details of the audit are kept; the chain stays verifiable when they are dropped.",
    ),
    option(
        "audit.checkpoint_file",
        Kind::Text { default: "" },
        "path",
        "Where signed checkpoints of the audit's chain are appended: a second place, on another disk or machine, shows a cut tail. Empty: audit-checkpoints.jsonl of the data folder.",
    ),
    option(
        "audit.checkpoint_minutes",
        Kind::Number { default: 10, min: 1, max: 1_440 },
        "minutes",
        "Time between two checkpoints; what a cut tail could hide is no longer than that.",
    ),
    option(
        "audit.refusal_seconds",
        stored(catalog::REFUSAL_SECONDS),
        "seconds",
        "Time between two notes that tell refusals, counted together so that a flood cannot fill the disk.",
    ),
    option(
        "audit.refusal_lines",
        stored(catalog::REFUSAL_LINES),
        "lines",
        "Refusals told apart in one of those notes, by who, from where, what and why; others are counted together.",
    ),
];
