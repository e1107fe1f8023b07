//! Bounded reading and writing of the protocol's primitive encodings.
//!
//! Integers are big-endian. A `string` or `bytes` is a u32 length and that many bytes; a list is a u32 count and the
//! items back to back (RFC 3652 section 2.1). Reading borrows, and no length or count is believed before it is
//! compared with the bytes left. Writing into a slice counts on past the end, so that one failed attempt tells the
//! exact room needed.

use core::fmt;

use crate::error::{DecodeError, NoRoom};
use crate::limits::MAX_FIELD_LENGTH;

/// Reads fields from the front of a slice.
#[derive(Clone)]
pub struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from their start.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    /// Bytes not read yet.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.left.len()
    }

    /// Tells whether everything is read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// The bytes not read yet, which stay unread.
    #[must_use]
    pub const fn peek(&self) -> &'a [u8] {
        self.left
    }

    /// Takes all bytes that are left.
    pub const fn rest(&mut self) -> &'a [u8] {
        let all = self.left;
        self.left = &[];
        all
    }

    /// Takes the next `count` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when fewer are left.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        match self.left.split_at_checked(count) {
            Some((front, back)) => {
                self.left = back;
                Ok(front)
            }
            None => Err(DecodeError::Truncated { needed: count, left: self.left.len() }),
        }
    }

    /// Takes the next `N` bytes as an array.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.left.split_first_chunk::<N>() {
            Some((front, back)) => {
                self.left = back;
                Ok(*front)
            }
            None => Err(DecodeError::Truncated { needed: N, left: self.left.len() }),
        }
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] at the end.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_be_bytes)
    }

    /// Reads an unsigned 16-bit number.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when fewer than 2 bytes are left.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Reads an unsigned 32-bit number.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when fewer than 4 bytes are left.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Reads a signed 32-bit number.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when fewer than 4 bytes are left.
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    /// Reads a signed 64-bit number.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when fewer than 8 bytes are left.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_be_bytes)
    }

    /// Reads a u32 length and that many bytes: a `string` or `bytes`. Text is not checked for UTF-8.
    ///
    /// # Errors
    /// [`DecodeError::LengthTooBig`] past the protocol's limit (so also for lengths that are negative to a signed
    /// reader), [`DecodeError::Truncated`] when the bytes are not all there.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u32()?;
        if length > MAX_FIELD_LENGTH {
            return Err(DecodeError::LengthTooBig { length, limit: MAX_FIELD_LENGTH });
        }
        self.take(length as usize)
    }

    /// Reads the u32 count of a list whose items take at least `item_bytes` bytes each.
    ///
    /// A count that passes can be used to reserve memory: `count * item_bytes` bytes are there.
    ///
    /// # Errors
    /// [`DecodeError::CountTooBig`] when the bytes left cannot hold as many, or past the protocol's limit.
    pub fn count(&mut self, item_bytes: usize) -> Result<u32, DecodeError> {
        let count = self.u32()?;
        let by_bytes = u32::try_from(self.remaining() / item_bytes.max(1)).unwrap_or(u32::MAX);
        let room = by_bytes.min(MAX_FIELD_LENGTH);
        if count > room { Err(DecodeError::CountTooBig { count, room }) } else { Ok(count) }
    }

    /// Makes sure that nothing is left.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`] otherwise.
    pub const fn expect_end(&self) -> Result<(), DecodeError> {
        match self.left.len() {
            0 => Ok(()),
            count => Err(DecodeError::TrailingBytes { count }),
        }
    }
}

impl fmt::Debug for Reader<'_> {
    /// Only how much is left: it may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({} bytes left)", self.left.len())
    }
}

/// Something fields can be written to: a `Vec<u8>`, or a [`Writer`] over the caller's slice.
///
/// Writing never fails by itself; a slice that was too small says so at [`Writer::finish`].
pub trait Sink {
    /// Appends bytes as they are.
    fn put(&mut self, bytes: &[u8]);

    /// Bytes written so far, including those that had no room.
    fn position(&self) -> usize;

    /// Overwrites four bytes written earlier, at `at`, with a big-endian number.
    fn patch_u32(&mut self, at: usize, value: u32);

    /// Appends one byte.
    fn put_u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    /// Appends an unsigned 16-bit number.
    fn put_u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    /// Appends an unsigned 32-bit number.
    fn put_u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// Appends a signed 32-bit number.
    fn put_i32(&mut self, value: i32) {
        self.put(&value.to_be_bytes());
    }

    /// Appends a signed 64-bit number.
    fn put_i64(&mut self, value: i64) {
        self.put(&value.to_be_bytes());
    }

    /// Appends a length or count. What exceeds 32 bits becomes the largest number, which every reader refuses.
    fn put_length(&mut self, length: usize) {
        self.put_u32(wire_length(length));
    }

    /// Appends a u32 length and the bytes: a `string` or `bytes`.
    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_length(bytes.len());
        self.put(bytes);
    }
}

/// A length as the protocol writes it; what exceeds 32 bits becomes the largest number, which every reader refuses.
pub(crate) fn wire_length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn position(&self) -> usize {
        self.len()
    }

    fn patch_u32(&mut self, at: usize, value: u32) {
        overwrite(self, at, value);
    }
}

impl<S: Sink + ?Sized> Sink for &mut S {
    fn put(&mut self, bytes: &[u8]) {
        (**self).put(bytes);
    }

    fn position(&self) -> usize {
        (**self).position()
    }

    fn patch_u32(&mut self, at: usize, value: u32) {
        (**self).patch_u32(at, value);
    }
}

/// Writes fields into a slice, without allocating, and counts on when the slice is full.
pub struct Writer<'b> {
    room: &'b mut [u8],
    position: usize,
}

impl<'b> Writer<'b> {
    /// Writes from the start of `room`.
    #[must_use]
    pub const fn new(room: &'b mut [u8]) -> Self {
        Self { room, position: 0 }
    }

    /// The number of bytes written.
    ///
    /// # Errors
    /// [`NoRoom`] with the exact need when the slice was too small; its content is then of no use.
    pub const fn finish(self) -> Result<usize, NoRoom> {
        if self.position <= self.room.len() { Ok(self.position) } else { Err(NoRoom { needed: self.position }) }
    }
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({} of {} bytes)", self.position, self.room.len())
    }
}

impl Sink for Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.position.saturating_add(bytes.len());
        if let Some(target) = self.room.get_mut(self.position..end) {
            target.copy_from_slice(bytes);
        }
        self.position = end;
    }

    fn position(&self) -> usize {
        self.position
    }

    fn patch_u32(&mut self, at: usize, value: u32) {
        overwrite(self.room, at, value);
    }
}

/// Overwrites four bytes at `at`; nothing happens when they lie outside.
fn overwrite(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(target) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<4>) {
        *target = value.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_a_length_behind_the_end() {
        let mut reader = Reader::new(&[0, 0, 0, 3, 1, 2]);
        assert_eq!(reader.bytes(), Err(DecodeError::Truncated { needed: 3, left: 2 }));
    }

    #[test]
    fn refuses_negative_and_oversized_lengths() {
        for length in [MAX_FIELD_LENGTH + 1, 0x8000_0000, u32::MAX] {
            let bytes = length.to_be_bytes();
            let expected = DecodeError::LengthTooBig { length, limit: MAX_FIELD_LENGTH };
            assert_eq!(Reader::new(&bytes).bytes(), Err(expected));
        }
    }

    #[test]
    fn refuses_a_count_the_bytes_left_cannot_hold() {
        let mut bytes = vec![0, 0, 0, 3];
        bytes.extend([0; 11]);
        assert_eq!(Reader::new(&bytes).count(4), Err(DecodeError::CountTooBig { count: 3, room: 2 }));
        bytes.push(0);
        assert_eq!(Reader::new(&bytes).count(4), Ok(3));
        assert_eq!(
            Reader::new(&u32::MAX.to_be_bytes()).count(0),
            Err(DecodeError::CountTooBig { count: u32::MAX, room: 0 })
        );
    }

    #[test]
    fn a_failed_read_takes_nothing() {
        let mut reader = Reader::new(&[1, 2]);
        assert!(reader.u32().is_err());
        assert_eq!(reader.u16(), Ok(0x0102));
        assert_eq!(reader.expect_end(), Ok(()));
    }

    #[test]
    fn tells_the_exact_room_needed() {
        let mut room = [0; 5];
        let mut writer = Writer::new(&mut room);
        writer.put_u32(7);
        writer.put_bytes(b"abc");
        writer.put_u8(1);
        assert_eq!(writer.finish(), Err(NoRoom { needed: 12 }));
    }

    proptest! {
        #[test]
        fn slices_and_vectors_get_the_same_bytes(
            a: u8, b: u16, c: u32, d: i32, e: i64, text: Vec<u8>, patch: u32, room in 0usize..200,
        ) {
            fn write(sink: &mut impl Sink, (a, b, c, d, e, text, patch): (u8, u16, u32, i32, i64, &[u8], u32)) {
                sink.put_u8(a);
                sink.put_u16(b);
                let at = sink.position();
                sink.put_u32(c);
                sink.put_i32(d);
                sink.put_i64(e);
                sink.put_bytes(text);
                sink.patch_u32(at, patch);
            }
            let mut vector = Vec::new();
            write(&mut vector, (a, b, c, d, e, &text, patch));
            let mut slice = vec![0; room];
            let mut writer = Writer::new(&mut slice);
            write(&mut writer, (a, b, c, d, e, &text, patch));
            match writer.finish() {
                Ok(length) => prop_assert_eq!(&slice[..length], &vector[..]),
                Err(NoRoom { needed }) => prop_assert!(needed == vector.len() && needed > room),
            }
            let mut reader = Reader::new(&vector);
            prop_assert_eq!(reader.u8(), Ok(a));
            prop_assert_eq!(reader.u16(), Ok(b));
            prop_assert_eq!(reader.u32(), Ok(patch));
            prop_assert_eq!(reader.i32(), Ok(d));
            prop_assert_eq!(reader.i64(), Ok(e));
            prop_assert_eq!(reader.bytes(), Ok(&text[..]));
            prop_assert_eq!(reader.expect_end(), Ok(()));
        }
    }
}
