//! Big numbers as the protocol writes them: a length and the two's-complement big-endian bytes.
//!
//! Writers put a zero byte in front when the top bit is set, readers take the bytes as unsigned.

use rsa::BigUint;
use zeroize::Zeroizing;

use crate::error::DecodeError;
use crate::primitives::{Reader, Sink};

/// Reads a big number of at most `max_bits` bits; leading zero bytes do not count.
///
/// # Errors
/// [`DecodeError::BadField`] with the number of bits when there are more.
pub(super) fn read(reader: &mut Reader<'_>, field: &'static str, max_bits: usize) -> Result<BigUint, DecodeError> {
    let bytes = reader.bytes()?;
    let number = BigUint::from_bytes_be(bytes);
    if number.bits() > max_bits {
        return Err(DecodeError::BadField { field, value: u32::try_from(number.bits()).unwrap_or(u32::MAX) });
    }
    Ok(number)
}

/// Writes a big number, with a zero byte in front when the top bit would read as a sign.
pub(super) fn put(sink: &mut impl Sink, number: &BigUint) {
    put_bytes(sink, &Zeroizing::new(number.to_bytes_be()));
}

/// Writes an unsigned big-endian number without leading zero bytes as a big number.
fn put_bytes(sink: &mut impl Sink, unsigned: &[u8]) {
    let sign = usize::from(unsigned.first().is_some_and(|byte| byte & 0x80 != 0));
    sink.put_length(unsigned.len().saturating_add(sign));
    if sign == 1 {
        sink.put_u8(0);
    }
    sink.put(unsigned);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_sign_byte_only_when_the_top_bit_is_set() {
        let written = |number: u32| {
            let mut out = Vec::new();
            put(&mut out, &BigUint::from(number));
            out
        };
        assert_eq!(written(0x7f), [0, 0, 0, 1, 0x7f]);
        assert_eq!(written(0x80), [0, 0, 0, 2, 0, 0x80]);
        assert_eq!(written(0), [0, 0, 0, 1, 0]);
    }

    #[test]
    fn refuses_more_bits_than_allowed() {
        let bytes = [0, 0, 0, 3, 0, 1, 0xff];
        assert_eq!(read(&mut Reader::new(&bytes), "n", 9).unwrap(), BigUint::from(0x1ff_u32));
        assert_eq!(read(&mut Reader::new(&bytes), "n", 8), Err(DecodeError::BadField { field: "n", value: 9 }));
    }
}
