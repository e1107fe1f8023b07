//! Days of the Gregorian calendar: no time of day, no time zone, no clock.

use core::fmt;

/// A day that exists, of the years 1 to 9999. Prints as `2027-02-28`; orders by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The first day there is.
    pub const MIN: Self = Self { year: 1, month: 1, day: 1 };

    /// The last day there is.
    pub const MAX: Self = Self { year: 9999, month: 12, day: 31 };

    /// The day of these numbers; `None` when it does not exist.
    #[must_use]
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let exists =
            year >= 1 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= days_of_month(year, month);
        if exists { Some(Self { year, month, day }) } else { None }
    }

    /// The day so many days after 1970-01-01. Days before [`MIN`](Self::MIN) or behind [`MAX`](Self::MAX) become those.
    #[must_use]
    pub fn from_days(days: i64) -> Self {
        if days < Self::MIN.days() {
            return Self::MIN;
        }
        civil_from_days(days).unwrap_or(Self::MAX)
    }

    /// Days since 1970-01-01, negative before.
    ///
    /// Counted in eras of 400 years that begin on the first of March, so that the leap day is the last of its year.
    #[must_use]
    pub fn days(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * DAYS_OF_ERA + day_of_era - EPOCH
    }

    /// The day after; [`MAX`](Self::MAX) has none and is returned itself.
    #[must_use]
    pub fn next(self) -> Self {
        Self::from_days(self.days() + 1)
    }

    /// The year, 1 to 9999.
    #[must_use]
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    #[must_use]
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, 1 to 31.
    #[must_use]
    pub const fn day(self) -> u8 {
        self.day
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Days of a month; 0 of a month that does not exist.
pub(crate) const fn days_of_month(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 0,
    }
}

/// The inverse of [`Date::days`]; `None` past the year 9999.
fn civil_from_days(days: i64) -> Option<Date> {
    let days = days.checked_add(EPOCH)?;
    let (era, day_of_era) = (days.div_euclid(DAYS_OF_ERA), days.rem_euclid(DAYS_OF_ERA));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era.checked_mul(400)? + i64::from(month <= 2);
    Date::new(u16::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
}

/// Days of 400 years.
const DAYS_OF_ERA: i64 = 146_097;

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: u16, month: u8, day: u8) -> Date {
        Date::new(year, month, day).unwrap()
    }

    #[test]
    fn every_day_there_is_comes_back_in_order() {
        let mut before = None;
        for days in Date::MIN.days()..=Date::MAX.days() {
            let date = Date::from_days(days);
            assert_eq!(date.days(), days);
            assert!(before < Some(date));
            before = Some(date);
        }
        assert_eq!((Date::from_days(0), before), (date(1970, 1, 1), Some(Date::MAX)));
    }

    #[test]
    fn days_out_of_range_become_the_nearest() {
        for (days, nearest) in [
            (i64::MIN, Date::MIN),
            (Date::MIN.days() - 1, Date::MIN),
            (Date::MAX.days() + 1, Date::MAX),
            (i64::MAX, Date::MAX),
        ] {
            assert_eq!(Date::from_days(days), nearest);
        }
        assert_eq!(Date::MAX.next(), Date::MAX);
    }

    #[test]
    fn knows_leap_years_and_the_day_after() {
        for (day, after) in [
            (date(2028, 2, 28), date(2028, 2, 29)),
            (date(2027, 2, 28), date(2027, 3, 1)),
            (date(2000, 2, 28), date(2000, 2, 29)),
            (date(2100, 2, 28), date(2100, 3, 1)),
            (date(2026, 12, 31), date(2027, 1, 1)),
        ] {
            assert_eq!(day.next(), after);
        }
    }

    #[test]
    fn refuses_days_that_do_not_exist() {
        for (year, month, day) in [
            (2027, 2, 29),
            (2100, 2, 29),
            (2026, 4, 31),
            (2026, 0, 1),
            (2026, 13, 1),
            (2026, 1, 0),
            (0, 1, 1),
            (10_000, 1, 1),
        ] {
            assert_eq!(Date::new(year, month, day), None);
        }
    }

    #[test]
    fn prints_with_leading_zeros() {
        assert_eq!(
            (date(2027, 2, 8).to_string(), date(1, 1, 1).to_string()),
            ("2027-02-08".into(), "0001-01-01".into())
        );
    }
}
