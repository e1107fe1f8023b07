//! Lists inside the data of a value.

use std::fmt;
use std::marker::PhantomData;

use crate::error::DecodeError;
use crate::primitives::{Reader, Sink};

/// A borrowed list, checked to its end when it was read, so that walking it cannot fail. Allocates nothing.
pub struct List<'a, T> {
    count: u32,
    bytes: &'a [u8],
    items: PhantomData<fn() -> T>,
}

/// What can stand in a [`List`].
pub trait ListItem<'a>: Sized {
    /// The fewest bytes an item takes; never 0.
    const MIN_BYTES: usize;

    /// Reads one item.
    ///
    /// # Errors
    /// A field reaches behind the end.
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;

    /// Writes one item: the bytes it was read from.
    fn encode(&self, sink: &mut impl Sink);
}

impl<'a, T: ListItem<'a>> List<'a, T> {
    /// Reads the count and every item.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = reader.count(T::MIN_BYTES)?;
        let start = reader.peek();
        for _ in 0..count {
            T::read(reader)?;
        }
        let length = start.len().saturating_sub(reader.remaining());
        Ok(Self { count, bytes: start.get(..length).unwrap_or(start), items: PhantomData })
    }

    /// Writes the count and every item.
    pub(super) fn encode(&self, sink: &mut impl Sink) {
        sink.put_u32(self.count);
        for item in self {
            item.encode(sink);
        }
    }

    /// Number of items.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is no item.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The items in order.
    #[must_use]
    pub const fn iter(&self) -> Items<'a, T> {
        Items { reader: Reader::new(self.bytes), items: PhantomData }
    }
}

/// The items of a [`List`], in order.
#[derive(Debug)]
pub struct Items<'a, T> {
    reader: Reader<'a>,
    items: PhantomData<fn() -> T>,
}

impl<'a, T: ListItem<'a>> Iterator for Items<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        // At the end of the bytes, and only there, reading fails.
        T::read(&mut self.reader).ok()
    }
}

impl<'a, T: ListItem<'a>> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = Items<'a, T>;

    fn into_iter(self) -> Items<'a, T> {
        self.iter()
    }
}

impl<'a, T: ListItem<'a>> IntoIterator for &List<'a, T> {
    type Item = T;
    type IntoIter = Items<'a, T>;

    fn into_iter(self) -> Items<'a, T> {
        self.iter()
    }
}

impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<'_, T> {}

impl<T> PartialEq for List<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.bytes == other.bytes
    }
}

impl<T> Eq for List<'_, T> {}

impl<'a, T: ListItem<'a> + fmt::Debug> fmt::Debug for List<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}
