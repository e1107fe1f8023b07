//! A checked set of handle values in wire form, and the hash that says whether two sets mean the same.

use std::fmt;

use sha2::{Digest as _, Sha256};
use waymark_wire::{ValueBuf, ValueRef, Values};

/// Largest index of a handle value; a signed reader sees larger ones as negative.
pub const MAX_INDEX: u32 = 0x7fff_ffff;

/// Bytes of a value's wire form before its timestamp: the index.
const TIMESTAMP_AT: usize = 4;
/// Bytes of a value's wire form up to and including its timestamp.
const BEHIND_TIMESTAMP: usize = 8;

/// Values of one record in wire form: indexes 1 to [`MAX_INDEX`], each once, in ascending order; types non-empty UTF-8.
///
/// Made once, at the edge; everything behind it copies bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ValueSet {
    count: u32,
    wire: Vec<u8>,
}

impl ValueSet {
    /// Takes values in any order.
    ///
    /// # Errors
    /// [`ValueSetError`] for the first value, by index, that breaks a rule.
    pub fn new<'a>(values: impl IntoIterator<Item = ValueRef<'a>>) -> Result<Self, ValueSetError> {
        let mut sorted: Vec<ValueRef<'a>> = values.into_iter().collect();
        sorted.sort_by_key(|value| value.index);
        let mut set = Self::default();
        set.wire.reserve_exact(sorted.iter().map(|value| value.wire.len()).sum());
        let mut last = 0;
        for value in &sorted {
            check(value.index, value.kind, last)?;
            last = value.index;
            set.push(value.wire);
        }
        Ok(set)
    }

    /// Encodes and takes values in any order.
    ///
    /// # Errors
    /// See [`ValueSet::new`].
    pub fn from_bufs(values: &[ValueBuf]) -> Result<Self, ValueSetError> {
        let mut order: Vec<&ValueBuf> = values.iter().collect();
        order.sort_by_key(|value| value.index);
        let mut wire = Vec::new();
        let mut last = 0;
        for value in &order {
            check(value.index, &value.kind, last)?;
            last = value.index;
            value.encode_into(&mut wire);
        }
        Ok(Self { count: count_of(order.len()), wire })
    }

    /// Number of values.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Tells whether there is no value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The wire bytes of all values, one behind the other.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// The values in ascending order of index. Free: the set was made from whole values.
    #[must_use]
    pub fn values(&self) -> Values<'_> {
        Values::checked_before(self.count, &self.wire)
    }

    /// The hash of what the values mean.
    #[must_use]
    pub fn content(&self) -> ContentHash {
        ContentHash::of(self.values())
    }

    /// No value, with room for this many bytes of them.
    pub(crate) fn with_room(bytes: usize) -> Self {
        Self { count: 0, wire: Vec::with_capacity(bytes) }
    }

    /// Adds a value behind all others. The caller upholds order and uniqueness.
    pub(crate) fn push(&mut self, wire: &[u8]) {
        self.wire.extend_from_slice(wire);
        self.count += 1;
    }

    /// Adds a value behind all others with another timestamp (seconds since 1970).
    pub(crate) fn push_stamped(&mut self, wire: &[u8], timestamp: u32) {
        let start = self.wire.len();
        self.push(wire);
        let stamp = self.wire.get_mut(start + TIMESTAMP_AT..start + BEHIND_TIMESTAMP);
        if let Some(stamp) = stamp {
            stamp.copy_from_slice(&timestamp.to_be_bytes());
        }
    }
}

impl fmt::Debug for ValueSet {
    /// Counts only: values may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueSet({} values, {} bytes)", self.count, self.wire.len())
    }
}

/// Whether values in wire form may be of a type: it stands somewhere in their bytes, in any case; `line_at` is where it has an underscore.
///
/// Hardly any record has values of the types every write looks for. Parsing all of them again for each such type would cost more than all else that a
/// write decides.
pub(crate) fn may_hold(wire: &[u8], kind: &[u8], line_at: usize) -> bool {
    memchr::memchr_iter(b'_', wire).any(|at| {
        let found = at.checked_sub(line_at).and_then(|from| wire.get(from..from + kind.len()));
        found.is_some_and(|found| found.eq_ignore_ascii_case(kind))
    })
}

/// Tells whether two values are the same, timestamps aside.
pub(crate) fn same_content(a: &ValueRef<'_>, b: &ValueRef<'_>) -> bool {
    a.index == b.index && a.wire.get(BEHIND_TIMESTAMP..) == b.wire.get(BEHIND_TIMESTAMP..)
}

/// Checks one value that follows the one of index `last`.
fn check(index: u32, kind: &[u8], last: u32) -> Result<(), ValueSetError> {
    if index == 0 || index > MAX_INDEX {
        return Err(ValueSetError::Index { index });
    }
    if index == last {
        return Err(ValueSetError::Duplicate { index });
    }
    if kind.is_empty() || std::str::from_utf8(kind).is_err() {
        return Err(ValueSetError::Type { index });
    }
    Ok(())
}

/// A count as the wire carries it; sets are bounded far below by the bytes of a message.
fn count_of(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Why values are no set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueSetError {
    /// Indexes are 1 to 2,147,483,647.
    #[error("index {index} is not between 1 and 2147483647")]
    Index {
        /// The index given.
        index: u32,
    },
    /// The same index twice.
    #[error("index {index} stands twice")]
    Duplicate {
        /// The index.
        index: u32,
    },
    /// The type is empty or no text.
    #[error("type of value {index} is empty or not UTF-8")]
    Type {
        /// Index of the value.
        index: u32,
    },
}

/// SHA-256 of what a record says, timestamps aside.
///
/// The hash covers the number of values (u32, big-endian) and then, for each value in ascending order of index, its wire
/// form (RFC 3652 section 2.2.2 and RFC 3651 section 3.1) without the four bytes of the timestamp:
/// ```text
/// u32 index | u8 TTL type | u32 TTL | u8 permissions | string type | bytes data | list<string handle, u32 index> references
/// ```
/// Neither the handle nor the order in which values were given has a part in it. Equal hashes mean equal content. `docs/content-hash.md` of this
/// crate has an example byte by byte, for clients in other languages.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// The hash of values that come in ascending order of index.
    #[must_use]
    pub fn of(values: Values<'_>) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(count_of(values.len()).to_be_bytes());
        for value in values {
            hasher.update(value.wire.get(..TIMESTAMP_AT).unwrap_or_default());
            hasher.update(value.wire.get(BEHIND_TIMESTAMP..).unwrap_or_default());
        }
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::value;

    #[test]
    fn values_come_out_in_ascending_order() {
        let set = ValueSet::from_bufs(&[value(7, "URL", b"b"), value(1, "EMAIL", b"a")]).unwrap();
        let indexes: Vec<u32> = set.values().iter().map(|value| value.index).collect();
        assert_eq!(indexes, [1, 7]);
        assert_eq!(ValueSet::new(set.values()).unwrap(), set);
    }

    #[test]
    fn refuses_bad_and_repeated_indexes_and_types() {
        let error = |values: &[ValueBuf]| {
            let bufs = ValueSet::from_bufs(values).unwrap_err();
            let mut wire = Vec::new();
            values.iter().for_each(|value| value.encode_into(&mut wire));
            let refs = Values::from_wire(count_of(values.len()), &wire).unwrap();
            assert_eq!(ValueSet::new(refs).unwrap_err(), bufs);
            bufs
        };
        assert_eq!(error(&[value(0, "URL", b"")]), ValueSetError::Index { index: 0 });
        assert_eq!(error(&[value(1 << 31, "URL", b"")]), ValueSetError::Index { index: 1 << 31 });
        let twice = [value(3, "URL", b""), value(1, "URL", b""), value(3, "URL", b"")];
        assert_eq!(error(&twice), ValueSetError::Duplicate { index: 3 });
        assert_eq!(error(&[value(3, "", b"")]), ValueSetError::Type { index: 3 });
    }

    #[test]
    fn content_ignores_timestamps_and_order_but_nothing_else() {
        let base = [value(1, "URL", b"a"), value(2, "DESC", b"b")];
        let content = |values: &[ValueBuf]| ValueSet::from_bufs(values).unwrap().content();
        let swapped = [base[1].clone(), base[0].clone()];
        assert_eq!(content(&base), content(&swapped));
        let mut later = base.clone();
        later[0].timestamp += 1;
        assert_eq!(content(&base), content(&later));
        let changes: [fn(&mut ValueBuf); 5] = [
            |v| v.index = 9,
            |v| v.kind = b"URLX".to_vec(),
            |v| v.data = b"c".to_vec(),
            |v| v.ttl = waymark_wire::Ttl::Relative(5),
            |v| v.permissions = waymark_wire::Permissions(0x0c),
        ];
        for change in changes {
            let mut changed = base.clone();
            change(&mut changed[0]);
            assert_ne!(content(&base), content(&changed));
        }
    }

    #[test]
    fn content_of_nothing_is_the_hash_of_a_zero_count() {
        let expected = "df3f619804a92fdb4057192dc43dd748ea778adc52bc498ce80524c014b81119";
        assert_eq!(ValueSet::default().content().to_string(), expected);
    }

    #[test]
    fn stamping_changes_the_timestamp_alone() {
        let set = ValueSet::from_bufs(&[value(1, "URL", b"a")]).unwrap();
        let mut stamped = ValueSet::default();
        stamped.push_stamped(set.wire(), 77);
        assert_eq!(stamped.values().iter().next().unwrap().timestamp, 77);
        assert_eq!(stamped.content(), set.content());
    }
}
