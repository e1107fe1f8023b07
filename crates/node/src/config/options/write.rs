//! Section `write`: the writer.

use waymark_catalog::config as catalog;

use super::{mebibytes, option, stored};
use crate::config::schema::Spec;

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "write.queue_submissions",
        stored(catalog::QUEUE_SUBMISSIONS),
        "submissions",
        "Writes that may wait; past it the answer is busy.",
    ),
    option(
        "write.queue_mib",
        mebibytes(catalog::QUEUE_BYTES.default, catalog::QUEUE_BYTES.min, catalog::QUEUE_BYTES.max),
        "MiB",
        "Bytes of writes that may wait.",
    ),
    option(
        "write.group_commands",
        stored(catalog::GROUP_COMMANDS),
        "commands",
        "Most commands of one group, so of one flush.",
    ),
    option(
        "write.group_mib",
        mebibytes(catalog::GROUP_BYTES.default, catalog::GROUP_BYTES.min, catalog::GROUP_BYTES.max),
        "MiB",
        "Most bytes of one group.",
    ),
];
