//! Numbers of one to ten bytes: seven bits a byte, the lowest first, the top bit set in all but the last (LEB128, unsigned).

/// Appends a number.
pub(crate) fn put(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = number.to_le_bytes().first().copied().unwrap_or_default() & 0x7f;
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Takes a number off the front; `None`, with nothing promised about what is left, when the bytes end early or say more than 64 bits.
pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if (bits << shift) >> shift != bits {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_went_and_have_golden_bytes() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            put(&mut out, number);
            let mut rest = &out[..];
            assert_eq!(take(&mut rest), Some(number));
            assert!(rest.is_empty());
            for end in 0..out.len() {
                assert_eq!(take(&mut &out[..end]), None, "{number} cut to {end}");
            }
        }
        let mut out = Vec::new();
        put(&mut out, 300);
        assert_eq!(out, [0xac, 0x02]);
    }

    #[test]
    fn more_than_sixty_four_bits_are_refused() {
        let mut largest = [0xff; 10];
        largest[9] = 0x01;
        assert_eq!(take(&mut &largest[..]), Some(u64::MAX));
        largest[9] = 0x02;
        assert_eq!(take(&mut &largest[..]), None);
        assert_eq!(take(&mut &[0x80; 11][..]), None);
    }
}
