//! What was taken although it should not be so.

use std::fmt;

/// Something about a record that the configuration only warns of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Warning {
    /// The handle is longer than `names.max_handle_bytes`.
    LongHandle,
    /// The suffix holds a slash.
    SlashInSuffix,
    /// The handle holds white space.
    Whitespace,
    /// The handle holds characters outside ASCII.
    NonAscii,
    /// The data of a value is longer than `names.max_value_bytes`.
    LargeValue,
    /// The record holds more values than `names.max_values`.
    ManyValues,
}

impl Warning {
    /// All of them, in the order of their bits.
    pub const ALL: [Self; 6] =
        [Self::LongHandle, Self::SlashInSuffix, Self::Whitespace, Self::NonAscii, Self::LargeValue, Self::ManyValues];

    /// Its name in receipts; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LongHandle => "LONG_HANDLE",
            Self::SlashInSuffix => "SLASH_IN_SUFFIX",
            Self::Whitespace => "WHITESPACE",
            Self::NonAscii => "NON_ASCII",
            Self::LargeValue => "LARGE_VALUE",
            Self::ManyValues => "MANY_VALUES",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of warnings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Warnings(u8);

impl Warnings {
    /// Nothing to warn of.
    pub const NONE: Self = Self(0);

    /// Whether the warning is among them.
    #[must_use]
    pub const fn has(self, warning: Warning) -> bool {
        self.0 & warning.bit() != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, warning: Warning) -> Self {
        Self(self.0 | warning.bit())
    }

    /// Those in either set.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The warnings in the order of [`Warning::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Warning> {
        Warning::ALL.into_iter().filter(move |warning| self.has(*warning))
    }

    /// The set as a byte, for stored bytes: bit 0 is the first of [`Warning::ALL`].
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set of a byte; bits without a meaning stay as they are and name nothing.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_warnings_never_change() {
        let bits = Warning::ALL.map(|warning| (Warnings::NONE.with(warning).bits(), warning.as_str()));
        let expected = [
            (0x01, "LONG_HANDLE"),
            (0x02, "SLASH_IN_SUFFIX"),
            (0x04, "WHITESPACE"),
            (0x08, "NON_ASCII"),
            (0x10, "LARGE_VALUE"),
            (0x20, "MANY_VALUES"),
        ];
        assert_eq!(bits, expected);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set = Warnings::NONE.with(Warning::Whitespace).and(Warnings::NONE.with(Warning::LongHandle));
        assert_eq!(set.iter().collect::<Vec<_>>(), [Warning::LongHandle, Warning::Whitespace]);
        assert_eq!(Warnings::from_bits(set.bits()), set);
        assert!(Warnings::NONE.is_empty() && !set.is_empty() && !set.has(Warning::NonAscii));
    }
}
