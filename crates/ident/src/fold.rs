//! Case folding of identifiers: ASCII letters to upper case, every other byte as it is.
//!
//! RFC 3651 section 2 makes prefixes case-insensitive in ASCII and leaves the rest to the service. There is no Unicode
//! folding and no normalisation anywhere in the protocol.

/// Folds one byte: `a` to `z` become `A` to `Z`, all others stay.
#[must_use]
pub const fn fold(b: u8) -> u8 {
    b.to_ascii_uppercase()
}

/// Folds every byte of `bytes` where it lies.
pub const fn fold_in_place(bytes: &mut [u8]) {
    bytes.make_ascii_uppercase();
}

/// Tells whether both are the same bytes after folding.
#[must_use]
pub const fn fold_eq(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_ascii_letters_only() {
        for b in 0..=u8::MAX {
            let expected = if b.is_ascii_lowercase() { b - 32 } else { b };
            assert_eq!(fold(b), expected);
        }
    }

    #[test]
    fn fold_in_place_equals_fold_of_each_byte() {
        let mut all: Vec<u8> = (0..=u8::MAX).collect();
        let each: Vec<u8> = all.iter().copied().map(fold).collect();
        fold_in_place(&mut all);
        assert_eq!(all, each);
    }

    #[test]
    fn accented_letters_stay_different() {
        assert!(!fold_eq("é".as_bytes(), "É".as_bytes()));
        assert!(fold_eq(b"aZ9-", b"Az9-"));
        assert!(!fold_eq(b"a", b"aa"));
    }
}
