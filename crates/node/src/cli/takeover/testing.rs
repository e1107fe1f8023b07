//! What the tests of this folder begin with.

use waymark_top_sync::takeover::{Head, Side};

/// The head of a file of an emergency node of 88.990, restored from a deposit with the watermark 1200.
pub(super) fn head() -> Head {
    Head {
        waymark_takeover: Head::version(),
        side: Side::Emergency,
        node: "88.990".into(),
        case_sensitive: false,
        deposit: "5f".repeat(16),
        date: "2026-11-30".into(),
        watermark: 1200,
        after: 1,
        upto: 2,
        made_ms: 3,
    }
}
