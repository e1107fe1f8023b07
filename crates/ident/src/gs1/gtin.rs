//! The number of a product.

use core::fmt;

use crate::check::mod10;

/// A Global Trade Item Number of 14 digits, its check digit verified. Orders by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gtin([u8; DIGITS]);

const DIGITS: usize = 14;

impl Gtin {
    /// Takes a GTIN-8, GTIN-12, GTIN-13 or GTIN-14, padding it with zeros in front to 14 digits, which leaves its check
    /// digit right. `None` for other lengths, other characters and a wrong check digit.
    #[must_use]
    pub fn new(digits: &[u8]) -> Option<Self> {
        if !matches!(digits.len(), 8 | 12 | 13 | DIGITS) || !mod10::verify(digits) {
            return None;
        }
        let mut padded = [b'0'; DIGITS];
        padded.get_mut(DIGITS - digits.len()..)?.copy_from_slice(digits);
        Some(Self(padded))
    }

    /// Its 14 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default() // digits: `new` takes nothing else
    }
}

impl fmt::Display for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gtin({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_shorter_numbers_to_fourteen_digits() {
        for (short, padded) in [
            ("12345670", "00000012345670"),
            ("614141123452", "00614141123452"),
            ("9506000134352", "09506000134352"),
            ("09506000134352", "09506000134352"),
        ] {
            let gtin = Gtin::new(short.as_bytes()).unwrap();
            assert_eq!((gtin.as_str(), Gtin::new(padded.as_bytes())), (padded, Some(gtin)));
        }
    }

    #[test]
    fn refuses_other_lengths_characters_and_check_digits() {
        for bad in ["", "0", "123456789", "9506000134353", "950600013435X", "009506000134352", "095060001343５"] {
            assert_eq!(Gtin::new(bad.as_bytes()), None, "{bad}");
        }
    }
}
