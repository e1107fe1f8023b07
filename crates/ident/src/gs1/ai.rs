//! Application Identifiers: the numbers that say what an element means.

use core::fmt;

/// An Application Identifier, by its number. Prints in brackets: `(01)`.
///
/// Those of two digits may begin with a zero; those of three and four never do, so the number says it all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ai(u16);

impl Ai {
    /// Serial Shipping Container Code: 18 digits.
    pub const SSCC: Self = Self(0);
    /// Global Trade Item Number: 14 digits.
    pub const GTIN: Self = Self(1);
    /// Batch or lot number: up to 20 characters.
    pub const LOT: Self = Self(10);
    /// Production date.
    pub const PRODUCTION: Self = Self(11);
    /// Best before date.
    pub const BEST_BEFORE: Self = Self(15);
    /// Sell by date.
    pub const SELL_BY: Self = Self(16);
    /// Expiration date.
    pub const EXPIRY: Self = Self(17);
    /// Serial number: up to 20 characters.
    pub const SERIAL: Self = Self(21);
    /// Global Model Number: up to 25 characters.
    pub const GMN: Self = Self(8013);

    /// Consumer product variant: known as a qualifier in the path of a Digital Link, not read.
    pub(super) const VARIANT: Self = Self(22);
    /// Third-party serialised extension of a GTIN: known as a qualifier, not read.
    pub(super) const EXTENSION: Self = Self(235);

    /// The number: 1 of `(01)`.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Takes the identifier that `bytes` begin with, and the rest. Its first two digits tell how many there are; `None`
    /// when no identifier begins with them, or digits are missing.
    pub(super) fn take(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let digits = usize::from(digits_of(number(bytes.get(..2)?)?)?);
        let (ai, rest) = bytes.split_at_checked(digits)?;
        Some((Self(number(ai)?), rest))
    }

    /// The identifier that is written as `bytes` and nothing else.
    pub(super) fn exactly(bytes: &[u8]) -> Option<Self> {
        Self::take(bytes).filter(|(_, rest)| rest.is_empty()).map(|(ai, _)| ai)
    }

    /// Bytes of the value when they are fixed by the first two digits, so that no separator needs to follow.
    ///
    /// GS1 General Specifications, figure "Element strings with predefined length using GS1 Application Identifiers",
    /// less the digits of the identifier.
    pub(super) const fn predefined_bytes(self) -> Option<usize> {
        match self.0 {
            0 => Some(18),
            1..=3 => Some(14),
            4 => Some(16),
            11..=19 | 3100..=3699 => Some(6),
            20 => Some(2),
            410..=419 => Some(13),
            _ => None,
        }
    }
}

impl fmt::Display for Ai {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({:02})", self.0)
    }
}

/// Digits of the identifiers that begin with these two; `None` where there are none.
///
/// GS1 General Specifications, section "Application Identifiers in numerical order".
const fn digits_of(first_two: u16) -> Option<u8> {
    match first_two {
        0..=4 | 10..=22 | 30 | 37 | 90..=99 => Some(2),
        23..=25 | 40..=42 | 71 => Some(3),
        31..=36 | 39 | 43 | 70 | 72 | 80..=82 => Some(4),
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |number, byte| match byte {
        b'0'..=b'9' => Some(number * 10 + u16::from(byte - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_as_many_digits_as_the_first_two_say() {
        for (bytes, ai, rest) in [
            ("0195", Ai::GTIN, "95"),
            ("0039", Ai::SSCC, "39"),
            ("2351", Ai::EXTENSION, "1"),
            ("80130", Ai::GMN, "0"),
            ("3103001750", Ai(3103), "001750"),
            ("999X", Ai(99), "9X"),
        ] {
            assert_eq!(Ai::take(bytes.as_bytes()), Some((ai, rest.as_bytes())));
        }
    }

    #[test]
    fn refuses_unassigned_beginnings_and_missing_digits() {
        for bytes in ["", "0", "05", "880X", "23", "23X", "801", "A1", "1"] {
            assert_eq!(Ai::take(bytes.as_bytes()), None, "{bytes}");
        }
        assert_eq!((Ai::exactly(b"01"), Ai::exactly(b"011")), (Some(Ai::GTIN), None));
    }

    #[test]
    fn prints_as_it_is_written() {
        let printed = [Ai::SSCC, Ai::GTIN, Ai::LOT, Ai::EXTENSION, Ai::GMN].map(|ai| ai.to_string());
        assert_eq!(printed, ["(00)", "(01)", "(10)", "(235)", "(8013)"]);
    }
}
