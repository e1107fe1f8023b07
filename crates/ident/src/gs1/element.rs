//! One element: how its value is written, and what it must be.

use super::ai::Ai;
use super::date::{ShortDate, ShortDateError};
use super::error::ScanError;
use super::gtin::Gtin;
use super::text::Text;
use crate::check::{gmn, mod10};
use crate::cset82;

/// How a value is written in the form it came in.
#[derive(Clone, Copy)]
pub(super) enum Coding {
    /// As it is.
    Plain,
    /// `%2F` for `/`; a percent sign without two hexadecimal digits is itself.
    Percent,
    /// `\(` for `(`.
    Backslash,
}

/// An element as it stands in a scan.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) ai: Ai,
    pub(super) value: &'a [u8],
    pub(super) coding: Coding,
}

impl Element<'_> {
    /// The value as a product number.
    pub(super) fn gtin(self) -> Result<Gtin, ScanError> {
        // Fourteen digits: the shorter numbers are padded by whoever prints them (General Specifications, AI (01)).
        Gtin::new(self.digits::<14>()?.as_bytes()).ok_or(ScanError::Check { ai: self.ai })
    }

    /// The value as a shipping container code.
    pub(super) fn sscc(self) -> Result<Text<18>, ScanError> {
        let digits = self.digits()?;
        if mod10::verify(digits.as_bytes()) { Ok(digits) } else { Err(ScanError::Check { ai: self.ai }) }
    }

    /// The value as a model number: a company prefix of at least four digits first, a check pair last.
    pub(super) fn gmn(self) -> Result<Text<25>, ScanError> {
        let text = self.text()?;
        match text.as_bytes().get(..4) {
            None => Err(ScanError::Length { ai: self.ai }),
            Some(prefix) if !prefix.iter().all(u8::is_ascii_digit) => Err(ScanError::Character { ai: self.ai }),
            Some(_) if !gmn::verify(text.as_bytes()) => Err(ScanError::Check { ai: self.ai }),
            Some(_) => Ok(text),
        }
    }

    /// The value as a date.
    pub(super) fn date(self) -> Result<ShortDate, ScanError> {
        let ai = self.ai;
        ShortDate::parse(self.digits::<6>()?.as_bytes()).map_err(|error| match error {
            ShortDateError::Form => ScanError::Character { ai },
            ShortDateError::Month | ShortDateError::Day => ScanError::Date { ai },
        })
    }

    /// The value as one to `N` of the 82 characters.
    pub(super) fn text<const N: usize>(self) -> Result<Text<N>, ScanError> {
        let mut text = Text::EMPTY;
        for byte in self.decoded() {
            if cset82::value(byte).is_none() {
                return Err(ScanError::Character { ai: self.ai });
            }
            if !text.push(byte) {
                return Err(ScanError::Length { ai: self.ai });
            }
        }
        if text.as_bytes().is_empty() { Err(ScanError::EmptyElement { ai: self.ai }) } else { Ok(text) }
    }

    /// The value as exactly `N` digits.
    fn digits<const N: usize>(self) -> Result<Text<N>, ScanError> {
        let text = self.text::<N>()?;
        if !text.as_bytes().iter().all(u8::is_ascii_digit) {
            return Err(ScanError::Character { ai: self.ai });
        }
        if text.as_bytes().len() == N { Ok(text) } else { Err(ScanError::Length { ai: self.ai }) }
    }

    /// The bytes meant.
    fn decoded(self) -> impl Iterator<Item = u8> {
        let mut rest = self.value;
        core::iter::from_fn(move || {
            let (byte, behind) = match (self.coding, rest) {
                (Coding::Percent, [b'%', high, low, behind @ ..]) => match hexadecimal(*high, *low) {
                    Some(byte) => (byte, behind),
                    None => (b'%', rest.get(1..)?),
                },
                (Coding::Backslash, [b'\\', b'(', behind @ ..]) => (b'(', behind),
                (_, [byte, behind @ ..]) => (*byte, behind),
                (_, []) => return None,
            };
            rest = behind;
            Some(byte)
        })
    }
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? * 16 + digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lot(value: &str, coding: Coding) -> Result<String, ScanError> {
        Element { ai: Ai::LOT, value: value.as_bytes(), coding }.text::<20>().map(|text| text.to_string())
    }

    #[test]
    fn undoes_the_coding_of_each_form_and_no_other() {
        for (value, coding, text) in [
            ("A%2FB", Coding::Percent, "A/B"),
            ("A%2fB", Coding::Percent, "A/B"),
            ("A%252F", Coding::Percent, "A%2F"),
            ("A+B", Coding::Percent, "A+B"),
            ("A%2", Coding::Percent, "A%2"),
            ("A%ZZ%", Coding::Percent, "A%ZZ%"),
            ("%%41", Coding::Percent, "%A"),
            ("A%2F(", Coding::Plain, "A%2F("),
            (r"A\(B)\(", Coding::Backslash, "A(B)("),
        ] {
            assert_eq!(lot(value, coding), Ok(text.into()));
        }
    }

    #[test]
    fn refuses_characters_outside_the_82_and_wrong_lengths() {
        let ai = Ai::LOT;
        for value in ["A B", "A~", "批", "A\u{1d}", "A%00", "A%5E", "%E6%89%B9"] {
            assert_eq!(lot(value, Coding::Percent), Err(ScanError::Character { ai }), "{value}");
        }
        assert_eq!(lot("", Coding::Plain), Err(ScanError::EmptyElement { ai }));
        assert_eq!(lot(&"Z".repeat(20), Coding::Plain), Ok("Z".repeat(20)));
        assert_eq!(lot(&"Z".repeat(21), Coding::Plain), Err(ScanError::Length { ai }));
    }
}
