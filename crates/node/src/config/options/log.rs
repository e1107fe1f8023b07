//! Section `log`: logs.

use super::option;
use crate::config::schema::{Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "log.level",
        Kind::Choice { default: "info", choices: &["error", "warn", "info", "debug"] },
        "",
        "Least important events to log.",
    ),
    option(
        "log.form",
        Kind::Choice { default: "text", choices: &["text", "json"] },
        "",
        "Form of log lines on standard error.",
    ),
    option(
        "log.answers",
        Kind::Choice { default: "off", choices: &["off", "record"] },
        "",
        "Whether a compact record of every answer is kept in answers.log of the data folder.",
    ),
    option(
        "log.answer_lines_per_second",
        Kind::Number { default: 0, min: 0, max: 10_000 },
        "lines",
        "Sampled text lines about answers; 0 logs none.",
    ),
    option(
        "log.answers_mib",
        Kind::Number { default: 1_024, min: 1, max: 1 << 20 },
        "MiB",
        "Size at which answers.log is turned over; one older file is kept.",
    ),
];
