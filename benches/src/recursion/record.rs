//! Records of other nodes.

use std::sync::Arc;

use waymark_recursive_cache::knowledge::{Fact, Learned, Record, What};
use waymark_wire::{Ttl, ValueBuf};

/// The most values a record has here: as many as the samples have in the median.
const MOST_VALUES: usize = 12;
/// Bytes of a value besides type and data.
const VALUE_OVERHEAD: usize = 26;
/// Types of values.
const KINDS: [&str; MOST_VALUES] =
    ["URL", "NAME", "BATCH", "MADE", "UNTIL", "PLACE", "MAKER", "LINE", "WEIGHT", "STANDARD", "REPORT", "EMAIL"];

/// Values whose wire form has about `bytes` bytes: twelve where there is room for them.
pub fn values(bytes: usize) -> Vec<ValueBuf> {
    let count = (bytes / 45).clamp(1, MOST_VALUES);
    let kinds = KINDS.iter().take(count);
    let heads: usize = kinds.clone().map(|kind| VALUE_OVERHEAD + kind.len()).sum();
    let data = bytes.saturating_sub(heads);
    (1..)
        .zip(kinds)
        .enumerate()
        .map(|(at, (index, kind))| {
            // Shared out, so that all of it is used.
            let length = data * (at + 1) / count - data * at / count;
            let ttl = Ttl::Relative(86_400);
            ValueBuf { ttl, timestamp: 1_700_000_000, ..ValueBuf::new(index, kind.as_bytes(), &vec![b'd'; length]) }
        })
        .collect()
}

/// The record of such values.
pub fn fact(values: &[ValueBuf]) -> Arc<Fact> {
    let mut wire = Vec::new();
    values.iter().for_each(|value| value.encode_into(&mut wire));
    let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
    Arc::new(Fact::Values(Record { count, wire: wire.into() }))
}

/// What is learned when a name of this canonical key has this record, or none.
pub fn learned(key: &[u8], fact: &Arc<Fact>) -> Learned {
    let what = What::Fact { key: key.into(), fact: Arc::clone(fact) };
    Learned { what, certified: false, lifetime_seconds: Some(86_400) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_as_long_as_it_was_meant_to_be() {
        for bytes in [60, 165, 600, 601, 1_000] {
            let fact = fact(&values(bytes));
            let Fact::Values(record) = &*fact else { unreachable!() };
            assert_eq!(record.wire.len(), bytes);
        }
    }
}
