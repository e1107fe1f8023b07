//! Section `verdict`: whether goods are good.

use super::option;
use crate::config::schema::{Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "verdict.warn_days",
        Kind::Number { default: 0, min: 0, max: 3_650 },
        "days",
        "From how many days before the last day of sale verdicts warn; 0 warns never.",
    ),
    option(
        "verdict.expiry_required",
        Kind::Flag { default: false },
        "",
        "Whether goods that tell no last day may not be sold.",
    ),
    option(
        "verdict.minutes_east",
        Kind::Number { default: 480, min: 0, max: 840 },
        "minutes",
        "The zone whose midnight ends a day, as its distance from UTC to the east. 480 is China Standard Time.",
    ),
    option(
        "verdict.gs1_prefix",
        Kind::Text { default: "" },
        "prefix",
        "The prefix under which GS1 keys are registered: PREFIX/01 and the GTIN, with .10 and the lot, or .21 and the serial number, behind it. Their recalls count for bar codes that name them. Empty: bar codes are judged by their dates alone.",
    ),
];
