//! What the rows of a part are about: a day, a month, or the moment up to which they tell what changed.

use std::fmt;

use waymark_catalog::Timestamp;
use waymark_ident::Date;

use super::forms::moment;
use super::{PeriodKind, Set};
use crate::calendar::{Day, Month};

/// A period; of one kind, they order by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// A moment.
    Moment(Timestamp),
    /// A day.
    Day(Day),
    /// A month.
    Month(Month),
}

impl Period {
    /// Reads the period of a part of a set; the problem, when it is none.
    pub(crate) fn read(set: Set, text: &str) -> Result<Self, &'static str> {
        match set.period_kind() {
            PeriodKind::Moment => {
                let time = moment(text).ok_or("is no time such as 2026-11-29T08:00:00.000Z")?;
                Ok(Self::Moment(Timestamp(time)))
            }
            PeriodKind::Day => text.parse().map(Self::Day).map_err(|_| "is no day such as 2026-11-29"),
            PeriodKind::Month => text.parse().map(Self::Month).map_err(|_| "is no month such as 2026-11"),
        }
    }

    /// When it begins; a moment is its own.
    pub(crate) fn start(self) -> Timestamp {
        match self {
            Self::Moment(time) => time,
            Self::Day(day) => day.start(),
            Self::Month(month) => month.first().start(),
        }
    }

    /// When all of it is over.
    pub(crate) fn end(self) -> Timestamp {
        match self {
            Self::Moment(time) => time,
            Self::Day(day) => day.end(),
            Self::Month(month) => month.last().end(),
        }
    }

    /// Whether a moment is in it; of one that tells up to a moment, whether it is not behind that.
    pub(crate) fn covers(self, time: Timestamp) -> bool {
        match self {
            Self::Moment(end) => time <= end,
            Self::Day(day) => Day::of(time) == day,
            Self::Month(month) => Month::of(time) == month,
        }
    }

    /// The day it is, of a set of a day.
    pub(crate) const fn date(self) -> Option<Date> {
        if let Self::Day(day) = self { Some(day.date()) } else { None }
    }

    /// What of two rows of one key counts: of sets of a day the one of the later day, of others the one that was sent later.
    pub(crate) fn rank(self) -> u32 {
        let days = self.date().map_or(0, Date::days);
        u32::try_from(days).unwrap_or(0)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moment(time) => {
                let (day, rest) = (time.0 / 86_400_000, time.0 % 86_400_000);
                let date = Date::from_days(i64::try_from(day).unwrap_or(i64::MAX));
                let (seconds, milliseconds) = (rest / 1000, rest % 1000);
                let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
                write!(f, "{date}T{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}Z")
            }
            Self::Day(day) => day.fmt(f),
            Self::Month(month) => month.fmt(f),
        }
    }
}
