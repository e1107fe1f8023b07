//! Section `node`: the process.

use waymark_resolver::config as resolver;

use super::{option, seconds};
use crate::config::{
    DEFAULT_DATA,
    schema::{Kind, Spec},
};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "node.data",
        Kind::Text { default: DEFAULT_DATA },
        "path",
        "Folder of everything the node keeps. Overridden by --data.",
    ),
    option(
        "node.language",
        Kind::Choice { default: "auto", choices: &["auto", "en", "zh"] },
        "",
        "Language of messages; auto follows LC_ALL, LC_MESSAGES and LANG. Overridden by --lang.",
    ),
    option(
        "node.stop_seconds",
        seconds(resolver::DRAIN_TIME),
        "seconds",
        "Longest time a stop by SIGTERM waits for what is under way; a second signal stops at once.",
    ),
];
