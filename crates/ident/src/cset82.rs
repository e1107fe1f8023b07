//! The 82 characters that lots, serial and model numbers are written with.
//!
//! GS1 General Specifications, figure "GS1 AI encodable character set 82": the invariant characters of ISO/IEC 646
//! without the space.

/// The place of a character among the 82, as check characters count it; `None` for all others.
pub(crate) const fn value(byte: u8) -> Option<u8> {
    match byte {
        b'!' | b'"' => Some(byte - b'!'),
        b'%'..=b'?' => Some(byte - b'%' + 2),
        b'A'..=b'Z' => Some(byte - b'A' + 29),
        b'_' => Some(55),
        b'a'..=b'z' => Some(byte - b'a' + 56),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_82_characters_in_order() {
        let places: Vec<u8> = (0..=u8::MAX).filter_map(value).collect();
        assert_eq!(places, (0..82).collect::<Vec<u8>>());
        for foreign in *b" #$@[\\]^`{|}~\x1d" {
            assert_eq!(value(foreign), None);
        }
    }
}
