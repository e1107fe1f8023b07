//! Forms of single values: texts and their lengths, numbers, days, addresses, identifiers, codes.

use std::net::IpAddr;

use waymark_ident::{Date, Handle};

use super::checker::{Checker, Field};
use super::json::Json;

/// The greatest number there is: JSON readers keep whole numbers exact up to it.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Most characters of an identifier and of a prefix.
pub(crate) const NAME_BYTES: usize = 255;

impl Checker {
    /// A text of so many characters without control characters.
    pub(crate) fn text<'j>(&mut self, field: Field<'j>, least: usize, most: usize) -> Option<&'j str> {
        self.any_text(field, least, most, false)
    }

    /// A text that may have line feeds.
    pub(crate) fn description(&mut self, field: Field<'_>, most: usize) {
        self.any_text(field, 0, most, true);
    }

    fn any_text<'j>(&mut self, field: Field<'j>, least: usize, most: usize, has_lines: bool) -> Option<&'j str> {
        let Json::Text(text) = field.value? else {
            self.complain(field, "is no text");
            return None;
        };
        if text.chars().any(|c| c.is_control() && !(has_lines && c == '\n')) {
            self.complain(field, "has control characters");
            return None;
        }
        // Characters are never more than bytes: most texts need not be counted.
        let characters = if text.len() <= most && text.len() >= least * 4 { text.len() } else { text.chars().count() };
        if characters < least || characters > most {
            self.complain(field, format!("has not {least} to {most} characters"));
            return None;
        }
        Some(text)
    }

    /// One of these words.
    pub(crate) fn word<'j>(&mut self, field: Field<'j>, words: &[&str]) -> Option<&'j str> {
        let text = field.value?.as_text().filter(|text| words.contains(text));
        if text.is_none() {
            self.complain(field, format!("is none of {}", words.join(", ")));
        }
        text
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, field: Field<'_>) -> Option<bool> {
        let flag = if let Json::Flag(flag) = field.value? { Some(*flag) } else { None };
        if flag.is_none() {
            self.complain(field, "is neither true nor false");
        }
        flag
    }

    /// A whole number of this range.
    pub(crate) fn between(&mut self, field: Field<'_>, least: u64, most: u64) -> Option<u64> {
        match field.value? {
            Json::Whole(number) if (least..=most).contains(number) => Some(*number),
            _ => {
                self.complain(field, format!("is no whole number from {least} to {most}"));
                None
            }
        }
    }

    /// A whole number.
    pub(crate) fn number(&mut self, field: Field<'_>) -> Option<u64> {
        self.between(field, 0, NUMBER_MAX)
    }

    /// A whole number or `null`.
    pub(crate) fn number_or_null(&mut self, field: Field<'_>) -> Option<u64> {
        Self::unless_null(field).and_then(|field| self.number(field))
    }

    /// A day that exists, as `2026-11-29`.
    pub(crate) fn day(&mut self, field: Field<'_>) -> Option<Date> {
        let day = field.value?.as_text().and_then(date);
        if day.is_none() {
            self.complain(field, "is no day such as 2026-11-29");
        }
        day
    }

    /// A moment, as `2026-11-29T08:00:00.000Z`, in milliseconds since 1970.
    pub(crate) fn time(&mut self, field: Field<'_>) -> Option<u64> {
        let time = field.value?.as_text().and_then(moment);
        if time.is_none() {
            self.complain(field, "is no time such as 2026-11-29T08:00:00.000Z");
        }
        time
    }

    /// An address of either family.
    pub(crate) fn address(&mut self, field: Field<'_>) -> Option<IpAddr> {
        let address = field.value?.as_text().and_then(|text| text.parse().ok());
        if address.is_none() {
            self.complain(field, "is no address");
        }
        address
    }

    /// A port or `null`.
    pub(crate) fn port_or_null(&mut self, field: Field<'_>) {
        if let Some(field) = Self::unless_null(field) {
            self.between(field, 1, u64::from(u16::MAX));
        }
    }

    /// A prefix.
    pub(crate) fn prefix<'j>(&mut self, field: Field<'j>) -> Option<&'j str> {
        let text = field.value?.as_text().filter(|text| is_prefix(text));
        if text.is_none() {
            self.complain(field, "is no prefix such as 88.990.10001");
        }
        text
    }

    /// An identifier: a prefix, a slash and something behind it.
    pub(crate) fn handle<'j>(&mut self, field: Field<'j>) -> Option<&'j str> {
        let text = self.any_text(field, 0, usize::MAX, false)?;
        if !is_handle(text) {
            self.complain(field, "is no identifier of at most 255 bytes, such as 88.990.10001/A1");
            return None;
        }
        Some(text)
    }

    /// So many digits; with `or_nothing` an empty text too.
    pub(crate) fn digits<'j>(&mut self, field: Field<'j>, count: usize, or_nothing: bool) -> Option<&'j str> {
        let text = field.value?.as_text().filter(|text| has_digits(text, count) || or_nothing && text.is_empty());
        if text.is_none() {
            let nothing = if or_nothing { ", and not empty" } else { "" };
            self.complain(field, format!("is not {count} digits{nothing}"));
        }
        text
    }
}

/// Whether a text is a prefix: segments of letters and digits between points. Other systems of identifiers have colons, hyphens and underscores too.
pub(crate) fn is_prefix(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_');
    let is_segment = |segment: &str| !segment.is_empty() && segment.bytes().all(is_part);
    text.len() <= NAME_BYTES && text.split('.').all(is_segment)
}

/// Whether a text is exactly so many digits.
pub(crate) fn has_digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The day of a text such as `2026-11-29`.
pub(crate) fn date(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let mut next = |digits| parts.next().filter(|part| has_digits(part, digits));
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

/// The moment of a text such as `2026-11-29T08:00:00.000Z`, in milliseconds since 1970.
pub(crate) fn moment(text: &str) -> Option<u64> {
    let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
    let days = u64::try_from(date(day)?.days()).ok()?;
    let (clock, milliseconds) = time.split_once('.')?;
    let mut parts = clock.splitn(3, ':');
    let mut next = |most: u64| {
        let part = parts.next().filter(|part| has_digits(part, 2))?;
        part.parse::<u64>().ok().filter(|number| *number <= most)
    };
    let seconds = (next(23)? * 60 + next(59)?) * 60 + next(59)?;
    let milliseconds: u64 = if has_digits(milliseconds, 3) { milliseconds.parse().ok()? } else { return None };
    Some(days * DAY_MS + seconds * 1000 + milliseconds)
}

/// Whether a text is an identifier as the sets have it: a prefix, a slash and something behind it, at most 255 bytes.
pub(crate) fn is_handle(text: &str) -> bool {
    text.len() <= NAME_BYTES
        && Handle::new(text.as_bytes()).is_ok_and(|handle| handle.suffix().is_some_and(|suffix| !suffix.is_empty()))
        && text.split_once('/').is_some_and(|(prefix, _)| is_prefix(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_to_the_millisecond() {
        assert_eq!(moment("1970-01-02T00:00:00.001Z"), Some(86_400_001));
        assert_eq!(moment("2026-11-29T08:00:00.000Z"), Some(1_795_939_200_000));
        for wrong in [
            "",
            "2026-11-29",
            "2026-11-29T08:00:00Z",
            "2026-11-29T24:00:00.000Z",
            "2026-11-31T08:00:00.000Z",
            "2026-11-29T08:00:00.00Z",
            "2026-11-29T08:00:00.000+08:00",
            "1969-12-31T00:00:00.000Z",
            "2026-11-29T08:00:60.000Z",
        ] {
            assert_eq!(moment(wrong), None, "{wrong}");
        }
    }
}
