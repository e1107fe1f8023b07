//! A list of handle values as it travels: u32 count, then the values.

use core::fmt;

use super::{EncodeValue, ValueRef};
use crate::error::DecodeError;
use crate::primitives::{Reader, Sink, wire_length};

/// Handle values back to back, each of them checked; walking them cannot fail and allocates nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Values<'a> {
    count: u32,
    wire: &'a [u8],
}

impl<'a> Values<'a> {
    /// Reads count and values, of which there may be any number the bytes left can hold.
    ///
    /// # Errors
    /// [`DecodeError::CountTooBig`], or that of the first value that is not whole.
    pub fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Self::parse_at_most(reader, u32::MAX)
    }

    /// Reads count and values, refusing more than `limit` of them before looking at any.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_at_most(reader: &mut Reader<'a>, limit: u32) -> Result<Self, DecodeError> {
        let count = reader.count(ValueRef::MIN_LEN)?;
        if count > limit {
            return Err(DecodeError::CountTooBig { count, room: limit });
        }
        let start = reader.peek();
        for _ in 0..count {
            ValueRef::parse(reader)?;
        }
        let wire = start.get(..start.len() - reader.remaining()).unwrap_or_default();
        Ok(Self { count, wire })
    }

    /// Checks that `wire` is exactly `count` values, as a stored record claims.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`] when there is more, otherwise as [`parse`](Self::parse).
    pub fn from_wire(count: u32, wire: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(wire);
        for _ in 0..count {
            ValueRef::parse(&mut reader)?;
        }
        reader.expect_end()?;
        Ok(Self { count, wire })
    }

    /// The values of `wire`, which was checked to be exactly `count` values when it was made. Looks at nothing; walking ends early where that is
    /// not so.
    #[must_use]
    pub const fn checked_before(count: u32, wire: &'a [u8]) -> Self {
        Self { count, wire }
    }

    /// How many values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Tells whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The values back to back, without the count.
    #[must_use]
    pub const fn wire(&self) -> &'a [u8] {
        self.wire
    }

    /// The values in order.
    #[must_use]
    pub const fn iter(&self) -> ValuesIter<'a> {
        ValuesIter { reader: Reader::new(self.wire), left: self.count }
    }

    /// Where in [`wire`](Self::wire) each value begins: reads lengths alone.
    pub fn starts(&self) -> impl Iterator<Item = usize> + use<'a> {
        let wire = self.wire;
        let next = move |start: &usize| end_of_value(wire, *start);
        std::iter::successors(Some(0), next).take(self.len())
    }

    /// Writes count and values.
    pub fn write(&self, out: &mut (impl Sink + ?Sized)) {
        out.put_u32(self.count);
        out.put(self.wire);
    }
}

impl<'a> IntoIterator for Values<'a> {
    type Item = ValueRef<'a>;
    type IntoIter = ValuesIter<'a>;

    fn into_iter(self) -> ValuesIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Values<'a> {
    type Item = ValueRef<'a>;
    type IntoIter = ValuesIter<'a>;

    fn into_iter(self) -> ValuesIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Walks the values of a [`Values`].
#[derive(Clone, Debug)]
pub struct ValuesIter<'a> {
    reader: Reader<'a>,
    left: u32,
}

impl<'a> Iterator for ValuesIter<'a> {
    type Item = ValueRef<'a>;

    fn next(&mut self) -> Option<ValueRef<'a>> {
        let value = ValueRef::parse(&mut self.reader).ok()?;
        self.left = self.left.saturating_sub(1);
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for ValuesIter<'_> {}

/// Where the value that begins at `start` ends. `None` where it is not whole.
fn end_of_value(wire: &[u8], start: usize) -> Option<usize> {
    let behind = |at: usize| {
        let length = u32::from_be_bytes(*wire.get(at..)?.first_chunk()?);
        at.checked_add(4)?.checked_add(usize::try_from(length).ok()?)
    };
    let references = behind(behind(start.checked_add(TYPE_AT)?)?)?;
    let count = u32::from_be_bytes(*wire.get(references..)?.first_chunk()?);
    (0..count).try_fold(references + 4, |at, _| behind(at)?.checked_add(4))
}

/// Where the length of the type stands in a value: behind index, timestamp, time to live and permissions.
const TYPE_AT: usize = 4 + 4 + 5 + 1;

/// Writes values with their count in front, and returns how many there were.
pub fn put_values<V: EncodeValue>(out: &mut (impl Sink + ?Sized), values: impl IntoIterator<Item = V>) -> u32 {
    let count_at = out.position();
    out.put_u32(0);
    let mut count = 0_usize;
    for value in values {
        value.put_value(out);
        count += 1;
    }
    let count = wire_length(count);
    out.patch_u32(count_at, count);
    count
}

#[cfg(test)]
mod tests {
    use super::super::{ReferenceBuf, ValueBuf};
    use super::*;

    #[test]
    fn starts_are_where_values_begin() {
        let reference = ReferenceBuf { handle: b"88.1/x".to_vec(), index: 7 };
        let bufs = [0, 1, 3].map(|references| ValueBuf {
            references: vec![reference.clone(); references],
            ..ValueBuf::new(7, b"URL", &vec![b'x'; references * 5])
        });
        let mut wire = Vec::new();
        let starts: Vec<usize> = bufs
            .iter()
            .map(|value| {
                let start = wire.len();
                value.encode_into(&mut wire);
                start
            })
            .collect();
        assert_eq!(Values::from_wire(3, &wire).unwrap().starts().collect::<Vec<_>>(), starts);
        assert_eq!(Values::default().starts().count(), 0);
        for length in 0..wire.len() {
            let cut = Values::checked_before(3, &wire[..length]);
            assert!(starts.starts_with(&cut.starts().collect::<Vec<_>>()), "{length}");
        }
    }

    fn three() -> Vec<u8> {
        let mut bytes = Vec::new();
        let values = [1, 2, 3].map(|index| ValueBuf { index, kind: b"URL".to_vec(), ..ValueBuf::default() });
        assert_eq!(put_values(&mut bytes, &values), 3);
        bytes
    }

    #[test]
    fn walks_what_was_written() {
        let bytes = three();
        let values = Values::parse(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(values.iter().map(|value| value.index).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((values.len(), values.iter().len()), (3, 3));
        assert_eq!(Values::from_wire(3, &bytes[4..]), Ok(values));
        assert_eq!(Values::checked_before(3, &bytes[4..]), values);
    }

    #[test]
    fn a_walk_over_what_is_not_whole_ends_early() {
        let bytes = three();
        let cut = Values::checked_before(3, &bytes[4..bytes.len() - 1]);
        assert_eq!(cut.iter().map(|value| value.index).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn refuses_each_truncation_and_a_wrong_count() {
        let bytes = three();
        for end in 0..bytes.len() {
            assert!(Values::parse(&mut Reader::new(&bytes[..end])).is_err(), "{end}");
        }
        assert_eq!(Values::from_wire(2, &bytes[4..]), Err(DecodeError::TrailingBytes { count: 29 }));
        assert!(Values::from_wire(4, &bytes[4..]).is_err());
    }

    #[test]
    fn refuses_counts_before_looking_at_values() {
        let mut bytes = three();
        assert_eq!(
            Values::parse_at_most(&mut Reader::new(&bytes), 2),
            Err(DecodeError::CountTooBig { count: 3, room: 2 })
        );
        bytes[..4].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
        assert_eq!(
            Values::parse(&mut Reader::new(&bytes)),
            Err(DecodeError::CountTooBig { count: 0x7fff_ffff, room: 3 })
        );
    }
}
