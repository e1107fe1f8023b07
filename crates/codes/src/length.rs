//! Lengths on paper.

use std::{fmt, str::FromStr};

use crate::CodeError;

/// A length on paper in whole micrometres, at most 10 metres.
///
/// Reads and shows as millimetres: `0.33`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Length(u32);

impl Length {
    /// No length.
    pub const ZERO: Self = Self(0);
    /// The longest: 10 metres, more than any roll is wide.
    pub const MAX: Self = Self(10_000_000);

    /// A length of so many micrometres; longer ones than [`Length::MAX`] become that.
    #[must_use]
    pub const fn micrometres(count: u32) -> Self {
        if count > Self::MAX.0 { Self::MAX } else { Self(count) }
    }

    /// A length of so many millimetres; longer ones than [`Length::MAX`] become that.
    #[must_use]
    pub const fn millimetres(count: u32) -> Self {
        Self::micrometres(count.saturating_mul(1000))
    }

    /// How many micrometres it has.
    #[must_use]
    pub const fn in_micrometres(self) -> u32 {
        self.0
    }

    /// So many of it one behind the other; not longer than [`Length::MAX`].
    #[must_use]
    pub const fn times(self, count: u32) -> Self {
        Self::micrometres(self.0.saturating_mul(count))
    }

    /// Both one behind the other; not longer than [`Length::MAX`].
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self::micrometres(self.0.saturating_add(other.0))
    }

    /// What is left without the other, or nothing.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Length {
    /// Millimetres, without zeros at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1000, self.0 % 1000);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        write!(f, "{whole}.{}", format!("{rest:03}").trim_end_matches('0'))
    }
}

impl FromStr for Length {
    type Err = CodeError;

    /// Millimetres with at most three decimals: `12`, `0.33`, `0.254`.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let refused = || CodeError::NotALength { text: text.chars().take(40).collect() };
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(decimals) || decimals.len() > 3 {
            return Err(refused());
        }
        let count = format!("{whole}{decimals:0<3}").parse().map_err(|_| refused())?;
        if count > Self::MAX.0 { Err(refused()) } else { Ok(Self(count)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_shows() {
        for (text, micrometres) in [("0", 0), ("12", 12_000), ("0.33", 330), ("0.254", 254), ("10000", 10_000_000)] {
            let length: Length = text.parse().unwrap();
            assert_eq!(length.in_micrometres(), micrometres);
            assert_eq!(length.to_string(), text);
        }
        assert_eq!("1.500".parse::<Length>().unwrap().to_string(), "1.5");
    }

    #[test]
    fn refuses_what_is_no_length_on_paper() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "0.1234", "10000.001", "99999999999999999999", "1,5", "１"]
        {
            assert!(matches!(text.parse::<Length>(), Err(CodeError::NotALength { .. })), "{text}");
        }
    }
}
