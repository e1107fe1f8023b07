//! Days.

use std::fmt;

use super::number::is_digits;

/// A day that exists, of the years 1000 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Day {
    year: u32,
    month: u32,
    day: u32,
}

/// Day numbers of spreadsheet programs at 1970-01-01, and of the last day they know, 9999-12-31.
const EPOCH: i64 = 25_569;
const LAST: f64 = 2_958_465.0;
/// Day numbers a bare number of five digits stands for: 1954 to 2173.
const LIKELY: std::ops::Range<u32> = 20_000..100_000;

impl Day {
    fn new(year: u32, month: u32, day: u32) -> Option<Self> {
        let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        ((1000..=9999).contains(&year) && (1..=days).contains(&day)).then_some(Self { year, month, day })
    }

    /// A day by its number in a spreadsheet. None with a time of day, for the day 1900-02-29 that never was, and outside of what they know.
    pub(crate) fn from_serial(serial: f64) -> Option<Self> {
        if serial.fract() != 0.0 || !(1.0..=LAST).contains(&serial) || serial == 60.0 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below LAST")]
        let number = serial as i64;
        // Numbers below that of the day that never was are one too low.
        Self::from_days(number - EPOCH + i64::from(number < 60))
    }

    /// A day by the days since 1970-01-01: Howard Hinnant's civil_from_days.
    fn from_days(days: i64) -> Option<Self> {
        let shifted = days + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self::new(u32::try_from(year).ok()?, u32::try_from(month).ok()?, u32::try_from(day).ok()?)
    }

    /// A day as people write it: `2026-03-10`, `2026/3/10`, `2026.3.10`, `2026年3月10日`, `20260310`; with a time only if it is midnight.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = without_midnight(text);
        if text.len() == 8 && is_digits(text) {
            let part = |range: std::ops::Range<usize>| text.get(range)?.parse().ok();
            return Self::new(part(0..4)?, part(4..6)?, part(6..8)?);
        }
        let separators = [("-", "-", ""), ("/", "/", ""), (".", ".", ""), ("年", "月", "日")];
        separators.into_iter().find_map(|(first, second, end)| {
            let (year, rest) = text.split_once(first)?;
            let (month, day) = rest.strip_suffix(end)?.split_once(second)?;
            let number = |text: &str, most: usize| {
                (is_digits(text) && text.len() <= most).then(|| text.parse::<u32>().ok()).flatten()
            };
            Self::new(number(year, 4)?, number(month, 2)?, number(day, 2)?)
        })
    }

    /// The day a bare number is probably meant to be, if it is one of the numbers spreadsheets have for days.
    pub(crate) fn behind_number(text: &str) -> Option<Self> {
        let number: u32 = if is_digits(text) { text.parse().ok()? } else { return None };
        LIKELY.contains(&number).then(|| Self::from_serial(f64::from(number))).flatten()
    }
}

/// Whether a text is a day that exists with a time and an offset: `2026-05-02T03:14:00+08:00`, with a fraction of a second or `Z` too.
pub(crate) fn is_moment(text: &str) -> bool {
    let Some((day, time)) = text.split_once('T') else { return false };
    let Some((clock, rest)) = time.split_at_checked(8) else { return false };
    let rest =
        rest.strip_prefix('.').map_or(rest, |fraction| fraction.trim_start_matches(|c: char| c.is_ascii_digit()));
    let is_offset = rest == "Z" || rest.strip_prefix(['+', '-']).is_some_and(|offset| is_clock(offset, 2));
    Day::parse(day).is_some_and(|known| known.to_string() == day) && is_clock(clock, 3) && is_offset
}

/// Two digits each of hours, minutes, and perhaps seconds.
fn is_clock(text: &str, parts: usize) -> bool {
    let is_part = |(at, part): (usize, &str)| {
        let below = if at == 0 { 24 } else { 60 };
        part.len() == 2 && is_digits(part) && part.parse::<u32>().is_ok_and(|number| number < below)
    };
    text.split(':').count() == parts && text.split(':').enumerate().all(is_part)
}

fn without_midnight(text: &str) -> &str {
    ["T", " "]
        .into_iter()
        .find_map(|separator| {
            let (day, time) = text.split_once(separator)?;
            let is_midnight =
                matches!(time.trim_end_matches('Z'), "00:00:00" | "0:00:00" | "00:00" | "0:00" | "00:00:00.000");
            is_midnight.then_some(day)
        })
        .unwrap_or(text)
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// A day and time for a text about it.
pub(crate) fn serial_text(serial: f64) -> String {
    let Some(day) = Day::from_serial(serial.floor()) else { return serial.to_string() };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of a day in seconds")]
    let seconds = (serial.fract() * 86_400.0).round() as u32;
    if seconds == 0 {
        return day.to_string();
    }
    format!("{day} {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Option<String> {
        Day::parse(text).map(|day| day.to_string())
    }

    #[test]
    fn moments_have_a_time_and_an_offset() {
        for text in ["2026-05-02T03:14:00+08:00", "2026-05-02T03:14:00Z", "2026-05-02T03:14:00.25-03:30"] {
            assert!(is_moment(text), "{text}");
        }
        for text in ["2026-05-02", "2026-05-02T03:14:00", "2026-05-02T03:14+08:00", "2026-5-2T03:14:00Z"] {
            assert!(!is_moment(text), "{text}");
        }
        for text in ["2026-02-30T03:14:00Z", "2026-05-02T24:00:00Z", "2026-05-02T03:14:00+8", "2026-05-02 03:14:00Z"] {
            assert!(!is_moment(text), "{text}");
        }
    }

    #[test]
    fn days_are_read_as_people_write_them() {
        for text in [
            "2026-03-10",
            "2026-3-10",
            "2026/3/10",
            "2026/03/10",
            "2026.3.10",
            "2026年3月10日",
            "2026年03月10日",
            "20260310",
            "2026-03-10 00:00:00",
            "2026-03-10T00:00:00",
            "2026-03-10T00:00:00Z",
            "2026/3/10 0:00",
        ] {
            assert_eq!(day(text).as_deref(), Some("2026-03-10"), "{text}");
        }
        assert_eq!(day("2024-02-29").as_deref(), Some("2024-02-29"));
    }

    #[test]
    fn what_is_no_day_is_not_guessed() {
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "1900-02-29",
            "2026-04-31",
            "2026-00-10",
            "2026-3",
            "10-03-2026",
            "03/10/2026",
            "26-3-10",
            "2026-03-10 12:00:00",
            "2026-03-10x",
            "2026-+3-10",
            "２０２６-03-10",
            "45000",
            "202603101",
            "2026年3月10",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_of_days_are_those_of_spreadsheets() {
        for (serial, text) in [
            (1.0, "1900-01-01"),
            (59.0, "1900-02-28"),
            (61.0, "1900-03-01"),
            (25_569.0, "1970-01-01"),
            (45_000.0, "2023-03-15"),
            (46_091.0, "2026-03-10"),
            (2_958_465.0, "9999-12-31"),
        ] {
            assert_eq!(Day::from_serial(serial).unwrap().to_string(), text, "{serial}");
        }
        for serial in [0.0, -1.0, 60.0, 0.5, 45_000.25, 2_958_466.0, f64::NAN, f64::INFINITY] {
            assert!(Day::from_serial(serial).is_none(), "{serial}");
        }
        assert_eq!(serial_text(46_091.5), "2026-03-10 12:00:00");
        assert_eq!(Day::behind_number("46091").unwrap().to_string(), "2026-03-10");
        assert!(Day::behind_number("12").is_none() && Day::behind_number("460910").is_none());
    }
}
