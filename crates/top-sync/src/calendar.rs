//! Days and months as the top-level node counts them: those of China Standard Time, eight hours ahead of UTC all year.
//!
//! EPP and deposits count in UTC; a deposit of a UTC day may be made once that day is over, which is eight in the morning here.

use std::fmt;
use std::str::FromStr;

use waymark_catalog::Timestamp;
use waymark_catalog::verdict::Zone;
use waymark_ident::Date;

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How far China Standard Time is ahead of UTC, in milliseconds.
const AHEAD_MS: u64 = 8 * 60 * 60 * 1000;

/// A day of China Standard Time. Prints as `2026-11-29`; orders by time. None begins before 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The day of a moment.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        Self(Zone::CHINA.day_of(time))
    }

    /// Its first moment. 1 January 1970 begins with the epoch, as far as moments go back.
    #[must_use]
    pub fn start(self) -> Timestamp {
        let days = u64::try_from(self.0.days()).unwrap_or(0);
        Timestamp((days * DAY_MS).saturating_sub(AHEAD_MS))
    }

    /// The first moment after it.
    #[must_use]
    pub fn end(self) -> Timestamp {
        self.next().start()
    }

    /// The day after.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.next())
    }

    /// The day before.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(Date::from_days((self.0.days() - 1).max(0)))
    }

    /// The month it is in.
    #[must_use]
    pub const fn month(self) -> Month {
        Month { year: self.0.year(), month: self.0.month() }
    }

    /// Whether it is over at a moment.
    #[must_use]
    pub fn is_over(self, now: Timestamp) -> bool {
        self.end() <= now
    }

    /// The calendar day.
    #[must_use]
    pub const fn date(self) -> Date {
        self.0
    }
}

/// The day that is so many working days after another, Monday to Friday. Public holidays, and weekends that are worked instead, are decreed each year
/// and not known here.
#[must_use]
pub fn working_days_after(day: Day, count: u32) -> Day {
    let mut day = day;
    let mut left = count;
    while left > 0 {
        let next = day.next();
        if next == day {
            break;
        }
        day = next;
        // 1 January 1970 was a Thursday: of each seven days from then on, the third and the fourth are a weekend.
        left -= u32::from(!matches!(day.0.days() % 7, 2 | 3));
    }
    day
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A month of China Standard Time. Prints as `2026-11`; orders by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: u16,
    month: u8,
}

impl Month {
    /// The month of a moment.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        Day::of(time).month()
    }

    /// Its first day.
    #[must_use]
    pub fn first(self) -> Day {
        Day(Date::new(self.year, self.month, 1).unwrap_or(Date::MAX))
    }

    /// The month after; December 9999 has none and is returned itself.
    #[must_use]
    pub const fn next(self) -> Self {
        match (self.month, self.year) {
            (12, 9999) => self,
            (12, year) => Self { year: year + 1, month: 1 },
            (month, year) => Self { year, month: month + 1 },
        }
    }

    /// Its last day.
    #[must_use]
    pub fn last(self) -> Day {
        if self.next() == self { Day(Date::MAX) } else { self.next().first().previous() }
    }

    /// Its days, in order.
    pub fn days(self) -> impl Iterator<Item = Day> {
        let last = self.last();
        std::iter::successors(Some(self.first()), move |day| (*day < last).then(|| day.next()))
    }

    /// Whether it is over at a moment.
    #[must_use]
    pub fn is_over(self, now: Timestamp) -> bool {
        self.last().is_over(now)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// A moment as rows and messages write it: `2026-11-29T08:00:00.000Z`.
#[must_use]
pub fn moment(time: Timestamp) -> String {
    let day = Date::from_days(i64::try_from(time.0 / DAY_MS).unwrap_or(i64::MAX));
    let of_day = time.0 % DAY_MS;
    let (hours, minutes) = (of_day / 3_600_000, of_day / 60_000 % 60);
    format!("{day}T{hours:02}:{minutes:02}:{:02}.{:03}Z", of_day / 1000 % 60, of_day % 1000)
}

/// The text is no day such as `2026-11-29`, or one before 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no day such as 2026-11-29")]
pub struct DayError;

impl FromStr for Day {
    type Err = DayError;

    fn from_str(text: &str) -> Result<Self, DayError> {
        let (month, day) = text.rsplit_once('-').ok_or(DayError)?;
        let month: Month = month.parse().map_err(|_| DayError)?;
        let date = Date::new(month.year, month.month, digits(day, 2).ok_or(DayError)?).ok_or(DayError)?;
        Ok(Self(date))
    }
}

/// The text is no month such as `2026-11`, or one before 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no month such as 2026-11")]
pub struct MonthError;

impl FromStr for Month {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, MonthError> {
        let (year, month) = text.split_once('-').ok_or(MonthError)?;
        let (year, month) = (digits(year, 4).ok_or(MonthError)?, digits(month, 2).ok_or(MonthError)?);
        if year < 1970 || !(1..=12).contains(&month) {
            return Err(MonthError);
        }
        Ok(Self { year, month })
    }
}

/// A number of exactly so many digits.
fn digits<N: FromStr>(text: &str, count: usize) -> Option<N> {
    let are_digits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if are_digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_begins_eight_hours_before_that_of_utc() {
        // 2026-11-28T16:00:00Z.
        let midnight = 1_795_881_600_000;
        assert_eq!(Day::of(Timestamp(midnight - 1)), day("2026-11-28"));
        assert_eq!(Day::of(Timestamp(midnight)), day("2026-11-29"));
        assert_eq!(day("2026-11-29").start(), Timestamp(midnight));
        assert_eq!(day("2026-11-28").end(), Timestamp(midnight));
        // Between midnight and eight in the morning it is another day there than in UTC.
        assert_eq!(Day::of(Timestamp(midnight + 8 * 3_600_000 - 1)), day("2026-11-29"));
    }

    #[test]
    fn moments_are_written_in_utc() {
        assert_eq!(moment(Timestamp(1_795_881_600_007)), "2026-11-28T16:00:00.007Z");
        assert_eq!(moment(Timestamp(0)), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn months_end_where_the_calendar_says() {
        let month: Month = "2028-02".parse().unwrap();
        assert_eq!((month.first(), month.last()), (day("2028-02-01"), day("2028-02-29")));
        assert_eq!(month.days().count(), 29);
        let december: Month = "2026-12".parse().unwrap();
        assert_eq!(december.next().to_string(), "2027-01");
        assert!(!december.is_over(Timestamp(december.last().end().0 - 1)) && december.is_over(december.last().end()));
    }

    #[test]
    fn working_days_leave_out_weekends() {
        // 30 November 2026 is a Monday.
        assert_eq!(working_days_after(day("2026-11-30"), 10), day("2026-12-14"));
        assert_eq!(working_days_after(day("2026-10-31"), 10), day("2026-11-13"), "from a Saturday");
        assert_eq!(working_days_after(day("2026-12-04"), 1), day("2026-12-07"), "over a weekend");
        assert_eq!(working_days_after(day("2026-12-04"), 0), day("2026-12-04"));
    }

    #[test]
    fn texts_that_are_no_day_or_month_are_refused() {
        for wrong in ["", "2026", "2026-11", "2026-11-31", "2026-1-01", "+026-01-01", "2026-13-01", "1969-12-31"] {
            assert_eq!(wrong.parse::<Day>(), Err(DayError), "{wrong}");
        }
        for wrong in ["", "2026", "2026-00", "2026-13", "2026-1", "20261", "1969-12"] {
            assert_eq!(wrong.parse::<Month>(), Err(MonthError), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn each_moment_is_of_one_day(time in 0..8_000_000_000_000_u64) {
            let time = Timestamp(time);
            let day = Day::of(time);
            prop_assert!(day.start() <= time && time < day.end());
            prop_assert_eq!(day.next().previous(), day);
            prop_assert_eq!(day.to_string().parse::<Day>(), Ok(day));
            prop_assert!(day.month().first() <= day && day <= day.month().last());
        }
    }
}
