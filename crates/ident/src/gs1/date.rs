//! Dates of six digits, YYMMDD, as GS1 elements carry them.
//!
//! Designed to GS1 General Specifications, section "Determination of century in dates": with *d* the two digits of the
//! year less those of the current year,
//!
//! | *d* | century |
//! |---|---|
//! | 51 to 99 | the one before the current |
//! | -49 to 50 | the current |
//! | -99 to -50 | the one after the current |
//!
//! so a date is at most 50 years ahead or 49 back. Day `00` is the last of the month.

use core::fmt;

use thiserror::Error;

use crate::date::{Date, days_of_month};

/// A date without its century. Prints as it is written: `270228`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShortDate {
    /// 0 to 99.
    year: u8,
    month: u8,
    /// 0 is the last of the month.
    day: u8,
}

impl ShortDate {
    /// Reads six digits. 29 February is taken of every year that divides by four; see [`to_date`](Self::to_date).
    ///
    /// # Errors
    /// What cannot be: form, month or day.
    pub fn parse(digits: &[u8]) -> Result<Self, ShortDateError> {
        let digits: &[u8; 6] = digits.try_into().map_err(|_| ShortDateError::Form)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(ShortDateError::Form);
        }
        let [y1, y0, m1, m0, d1, d0] = digits.map(|byte| byte - b'0');
        let date = Self { year: y1 * 10 + y0, month: m1 * 10 + m0, day: d1 * 10 + d0 };
        // 2000 stands for any century: of the years that divide by a hundred it is the one with a leap day.
        match days_of_month(2000 + u16::from(date.year), date.month) {
            0 => Err(ShortDateError::Month),
            last if date.day > last => Err(ShortDateError::Day),
            _ => Ok(date),
        }
    }

    /// The day meant, seen from `today`. Day 00, and 29 February of a century year without one, is the last of the
    /// month; years outside 1 to 9999, which only a `today` at their edge can give, become the nearest.
    #[must_use]
    pub fn to_date(self, today: Date) -> Date {
        let (year, current) = (u16::from(self.year), today.year() % 100);
        let this_century = today.year() - current + year;
        let year = if year >= current + 51 {
            this_century.saturating_sub(100)
        } else if year + 50 <= current {
            this_century + 100
        } else {
            this_century
        };
        let last = days_of_month(year, self.month);
        let day = if self.day == 0 { last } else { self.day.min(last) };
        Date::new(year, self.month, day).unwrap_or(if year == 0 { Date::MIN } else { Date::MAX })
    }
}

impl fmt::Display for ShortDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}{:02}{:02}", self.year, self.month, self.day)
    }
}

/// Why digits are no date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShortDateError {
    /// Not six digits.
    #[error("date is not six digits")]
    Form,
    /// No such month.
    #[error("date of a month that does not exist")]
    Month,
    /// No such day in this month.
    #[error("date of a day that does not exist in its month")]
    Day,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(digits: &str, today: (u16, u8, u8)) -> String {
        let today = Date::new(today.0, today.1, today.2).unwrap();
        ShortDate::parse(digits.as_bytes()).unwrap().to_date(today).to_string()
    }

    #[test]
    fn the_century_turns_51_years_ahead_and_50_back() {
        for (digits, today, date) in [
            ("760615", (2026, 11, 21), "2076-06-15"),
            ("770615", (2026, 11, 21), "1977-06-15"),
            ("480101", (1998, 1, 1), "2048-01-01"),
            ("490101", (1998, 1, 1), "1949-01-01"),
            ("000101", (2050, 1, 1), "2100-01-01"),
            ("000101", (2049, 12, 31), "2000-01-01"),
            ("990101", (2048, 1, 1), "1999-01-01"),
            ("990101", (2049, 1, 1), "2099-01-01"),
        ] {
            assert_eq!(read(digits, today), date, "{digits} {today:?}");
        }
    }

    #[test]
    fn day_zero_is_the_last_of_the_month() {
        for (digits, date) in [("270200", "2027-02-28"), ("280200", "2028-02-29"), ("261200", "2026-12-31")] {
            assert_eq!(read(digits, (2026, 11, 21)), date);
        }
    }

    #[test]
    fn a_leap_day_the_century_does_not_have_is_the_last_of_february() {
        assert_eq!(read("000229", (2026, 1, 1)), "2000-02-29");
        assert_eq!(read("000229", (2060, 1, 1)), "2100-02-28");
    }

    #[test]
    fn every_date_is_within_50_years_of_every_day() {
        for today in (1..=9999).step_by(7).map(|year| Date::new(year, 6, 30).unwrap()) {
            for year in 0..100 {
                let date = ShortDate::parse(format!("{year:02}0630").as_bytes()).unwrap().to_date(today);
                let ahead = i32::from(date.year()) - i32::from(today.year());
                let at_an_edge = date == Date::MIN || date == Date::MAX;
                assert!(at_an_edge || (-49..=50).contains(&ahead), "{today} {year:02} {date}");
            }
        }
    }

    #[test]
    fn refuses_dates_that_cannot_be() {
        for (digits, part) in [
            ("", ShortDateError::Form),
            ("27022", ShortDateError::Form),
            ("2702280", ShortDateError::Form),
            ("25AB01", ShortDateError::Form),
            ("250001", ShortDateError::Month),
            ("251300", ShortDateError::Month),
            ("260230", ShortDateError::Day),
            ("270229", ShortDateError::Day),
            ("260431", ShortDateError::Day),
        ] {
            assert_eq!(ShortDate::parse(digits.as_bytes()), Err(part), "{digits}");
        }
        assert_eq!(ShortDate::parse(b"270200").unwrap().to_string(), "270200");
    }
}
