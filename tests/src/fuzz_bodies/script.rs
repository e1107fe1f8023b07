//! Inputs that are scripts: numbers and pieces of bytes, one after the other.

use waymark_wire::{DecodeError, Reader};

/// A piece of bytes with its length (2 bytes, big-endian) before it; what is left where there is less.
pub(super) fn piece<'a>(script: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let length = usize::from(script.u16()?);
    script.take(length.min(script.remaining()))
}

/// Appends a piece, for whoever writes scripts.
///
/// # Panics
/// A piece of 65,536 bytes or more.
pub(super) fn put_piece(script: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).expect("pieces are short");
    script.extend_from_slice(&length.to_be_bytes());
    script.extend_from_slice(bytes);
}
