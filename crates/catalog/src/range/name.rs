//! How a range is called.

use std::fmt;
use std::str::FromStr;

use waymark_ident::fold_in_place;

/// The name of a range: its prefix and its number under that prefix, `88.990.10001#3`. Numbers begin with 1 and are never used again.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RangeName {
    prefix: Box<[u8]>,
    number: u32,
}

/// Why a text is no name of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a range is named PREFIX#NUMBER, as 88.990.10001#3")]
pub struct RangeNameError;

impl RangeName {
    /// The range with this number under a prefix, in any case.
    ///
    /// # Errors
    /// The prefix is empty or holds a slash or a number sign, or the number is 0.
    pub fn new(prefix: &[u8], number: u32) -> Result<Self, RangeNameError> {
        if prefix.is_empty() || prefix.iter().any(|byte| matches!(byte, b'/' | b'#' | 0)) || number == 0 {
            return Err(RangeNameError);
        }
        let mut prefix: Box<[u8]> = prefix.into();
        fold_in_place(&mut prefix);
        Ok(Self { prefix, number })
    }

    /// The prefix, folded.
    #[must_use]
    pub const fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// The number under the prefix, from 1.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }
}

impl FromStr for RangeName {
    type Err = RangeNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (prefix, number) = text.rsplit_once('#').ok_or(RangeNameError)?;
        // Only as it is written: a sign, a zero in front or a space would be a second name for the same.
        let sound = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
        let number = if sound { number.parse().map_err(|_| RangeNameError)? } else { 0 };
        Self::new(prefix.as_bytes(), number)
    }
}

impl fmt::Display for RangeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", String::from_utf8_lossy(&self.prefix), self.number)
    }
}

impl fmt::Debug for RangeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling_but_for_case() {
        let name: RangeName = "88.990.a#3".parse().unwrap();
        assert_eq!((name.to_string(), name.prefix(), name.number()), ("88.990.A#3".into(), &b"88.990.A"[..], 3));
        for wrong in
            ["", "88.990", "88.990#", "88.990#0", "88.990#03", "88.990#+3", "#3", "88/1#3", "88#1#3", "88.1#4294967296"]
        {
            assert_eq!(wrong.parse::<RangeName>(), Err(RangeNameError), "{wrong}");
        }
    }
}
