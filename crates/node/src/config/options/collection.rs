//! Section `collection`: what enterprises with nodes of their own report.

use waymark_top_sync::config as limits;

use super::option;
use crate::config::schema::{Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "collection.directory",
        Kind::Text { default: "" },
        "path",
        "Folder with a folder for each delegated prefix, as 88.990.20003, into which its enterprise drops its sets as files, in the form sync.directory \
         writes. What the gRPC door takes needs no folder.",
    ),
    option(
        "collection.owner_mib",
        Kind::Number { default: limits::OWNER_MIB.default, min: limits::OWNER_MIB.min, max: limits::OWNER_MIB.max },
        "MiB",
        "What is kept of one enterprise's reports. What was acknowledged above makes way for new parts; when all of it waits, no more is taken.",
    ),
    option(
        "collection.late_hours",
        Kind::Number { default: limits::LATE_HOURS.default, min: limits::LATE_HOURS.min, max: limits::LATE_HOURS.max },
        "hours",
        "How long behind the end of a day or month an enterprise that has not reported it is named late.",
    ),
];
