//! Section `slow`: answers off the fast path.

use waymark_resolver::config as resolver;

use super::{count, option};
use crate::config::schema::Spec;

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "slow.threads",
        count(resolver::SLOW_THREADS),
        "threads",
        "Threads for answers that need the disk or a signature.",
    ),
    option(
        "slow.queue",
        count(resolver::SLOW_QUEUE),
        "questions",
        "Questions that may wait for them; past it the answer is `too busy`.",
    ),
];
