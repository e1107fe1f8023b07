//! Borrowed lists: checked once, then walked without allocation or errors.

use core::fmt;

use crate::error::DecodeError;
use crate::primitives::{Reader, Sink};

/// A list of u32 numbers: u32 count, then the numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct U32List<'a> {
    items: &'a [[u8; 4]],
}

impl<'a> U32List<'a> {
    /// Reads count and numbers.
    ///
    /// # Errors
    /// [`DecodeError::CountTooBig`] when the numbers are not all there.
    pub fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = reader.count(4)? as usize;
        let (items, _) = reader.take(count * 4)?.as_chunks::<4>();
        Ok(Self { items })
    }

    /// How many numbers.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.items.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The numbers in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> + Clone + use<'a> {
        self.items.iter().map(|item| u32::from_be_bytes(*item))
    }

    /// Tells whether the number is in the list.
    #[must_use]
    pub fn contains(&self, number: u32) -> bool {
        self.items.contains(&number.to_be_bytes())
    }
}

impl fmt::Debug for U32List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A list of strings, of which only the lengths are checked: u32 count, then u32 length and bytes of each.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct StrList<'a> {
    count: u32,
    items: &'a [u8],
}

impl<'a> StrList<'a> {
    /// Reads the count and every string.
    ///
    /// # Errors
    /// [`DecodeError::CountTooBig`] or that of the first string that is not all there.
    pub fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = reader.count(4)?;
        let start = reader.peek();
        for _ in 0..count {
            reader.bytes()?;
        }
        let items = start.get(..start.len() - reader.remaining()).unwrap_or_default();
        Ok(Self { count, items })
    }

    /// How many strings.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Tells whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let mut reader = Reader::new(self.items);
        core::iter::from_fn(move || reader.bytes().ok())
    }
}

impl fmt::Debug for StrList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(<[u8]>::escape_ascii).map(|text| text.to_string())).finish()
    }
}

/// A reference to a value of a handle: `ref` := string handle, u32 index. Index 0 often means "any".
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reference<'a> {
    /// The handle, any bytes.
    pub handle: &'a [u8],
    /// Index of the value.
    pub index: u32,
}

impl<'a> Reference<'a> {
    /// Reads one reference.
    ///
    /// # Errors
    /// Those of its two fields.
    pub fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { handle: reader.bytes()?, index: reader.u32()? })
    }

    /// Writes the reference.
    pub fn write(&self, out: &mut (impl Sink + ?Sized)) {
        out.put_bytes(self.handle);
        out.put_u32(self.index);
    }
}

impl fmt::Debug for Reference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.index, self.handle.escape_ascii())
    }
}

/// A list of references: u32 count, then the references.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct References<'a> {
    count: u32,
    items: &'a [u8],
}

impl<'a> References<'a> {
    /// Reads the count and every reference.
    ///
    /// # Errors
    /// [`DecodeError::CountTooBig`] or that of the first reference that is not all there.
    pub fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = reader.count(8)?;
        let start = reader.peek();
        for _ in 0..count {
            Reference::parse(reader)?;
        }
        let items = start.get(..start.len() - reader.remaining()).unwrap_or_default();
        Ok(Self { count, items })
    }

    /// How many references.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Tells whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The references in order.
    pub fn iter(&self) -> impl Iterator<Item = Reference<'a>> + Clone + use<'a> {
        let mut reader = Reader::new(self.items);
        core::iter::from_fn(move || Reference::parse(&mut reader).ok())
    }
}

impl fmt::Debug for References<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_end_where_their_items_end() {
        let bytes = [0, 0, 0, 2, 0, 0, 0, 1, b'a', 0, 0, 0, 0, 9];
        let mut reader = Reader::new(&bytes);
        let list = StrList::parse(&mut reader).unwrap();
        assert_eq!(list.iter().collect::<Vec<_>>(), [&b"a"[..], b""]);
        assert_eq!((list.len(), reader.rest()), (2, &[9][..]));
        assert_eq!(format!("{list:?}"), r#"["a", ""]"#);
    }

    #[test]
    fn each_truncation_is_refused() {
        let numbers = [0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        let strings = [0, 0, 0, 1, 0, 0, 0, 3, b'a', b'b', b'c'];
        let references = [0, 0, 0, 1, 0, 0, 0, 1, b'a', 0, 0, 0, 7];
        for end in 0..numbers.len() {
            assert!(U32List::parse(&mut Reader::new(&numbers[..end])).is_err());
        }
        for end in 0..strings.len() {
            assert!(StrList::parse(&mut Reader::new(&strings[..end])).is_err());
        }
        for end in 0..references.len() {
            assert!(References::parse(&mut Reader::new(&references[..end])).is_err());
        }
        let list = References::parse(&mut Reader::new(&references)).unwrap();
        assert_eq!(list.iter().collect::<Vec<_>>(), [Reference { handle: b"a", index: 7 }]);
    }

    #[test]
    fn numbers_are_found_by_value() {
        let bytes = [0, 0, 0, 2, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff];
        let list = U32List::parse(&mut Reader::new(&bytes)).unwrap();
        assert!(list.contains(5) && list.contains(u32::MAX) && !list.contains(0));
        assert_eq!(list.iter().collect::<Vec<_>>(), [5, u32::MAX]);
    }
}
