//! What several unit tests of this crate build their data with.

use waymark_wire::ValueBuf;

/// A publicly readable value with a day of TTL and a timestamp of 2026.
pub(crate) fn value(index: u32, kind: &str, data: &[u8]) -> ValueBuf {
    ValueBuf { timestamp: 1_790_000_000, ..ValueBuf::new(index, kind.as_bytes(), data) }
}
