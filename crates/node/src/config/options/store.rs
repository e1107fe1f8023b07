//! Section `store`: how data is kept.

use waymark_index as index;

use super::{mebibytes, option};
use crate::config::schema::{Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "store.engine",
        Kind::Choice { default: "log", choices: &["log", "sled"] },
        "",
        "What keeps the records: the record log, or sled for small nodes (a few million identifiers). A property of the data folder.",
    ),
    option(
        "store.segment_mib",
        mebibytes(
            waymark_store::config::SEGMENT_BYTES.default,
            waymark_store::config::SEGMENT_BYTES.min,
            waymark_store::config::SEGMENT_BYTES.max,
        ),
        "MiB",
        "Size of one log segment. Larger: fewer files, longer start after a crash.",
    ),
    option(
        "store.open_segments",
        Kind::Number {
            default: waymark_store::config::OPEN_SEGMENTS.default,
            min: waymark_store::config::OPEN_SEGMENTS.min,
            max: waymark_store::config::OPEN_SEGMENTS.max,
        },
        "files",
        "Segment files kept open for reading.",
    ),
    option(
        "store.state_cache_mib",
        mebibytes(
            waymark_store::config::STATE_CACHE_BYTES.default,
            waymark_store::config::STATE_CACHE_BYTES.min,
            waymark_store::config::STATE_CACHE_BYTES.max,
        ),
        "MiB",
        "Page cache of the queryable state.",
    ),
    option(
        "store.record_cache_mib",
        mebibytes(
            waymark_store::config::RECORD_CACHE_BYTES.default,
            waymark_store::config::RECORD_CACHE_BYTES.min,
            waymark_store::config::RECORD_CACHE_BYTES.max,
        ),
        "MiB",
        "Page cache of the records when store.engine is sled.",
    ),
    option(
        "store.resident_mib",
        mebibytes(
            index::RESIDENT_BUDGET_BYTES.default,
            index::RESIDENT_BUDGET_BYTES.min,
            index::RESIDENT_BUDGET_BYTES.max,
        ),
        "MiB",
        "Memory for records answered without the disk. The index itself comes on top.",
    ),
    option(
        "store.expected_identifiers",
        Kind::Number {
            default: index::EXPECTED_ENTRIES.default,
            min: index::EXPECTED_ENTRIES.min,
            max: index::EXPECTED_ENTRIES.max,
        },
        "identifiers",
        "Size the index is laid out for at start; it grows beyond by itself.",
    ),
];
