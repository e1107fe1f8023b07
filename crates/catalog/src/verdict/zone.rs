//! Which day it is where the node is.

use waymark_ident::Date;
use waymark_store::Timestamp;

/// A fixed distance from UTC. Default: China Standard Time, 8 hours east.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    minutes_east: i16,
}

impl Zone {
    /// Eight hours east, without summer time.
    pub const CHINA: Self = Self { minutes_east: 480 };

    /// A zone so many minutes east of UTC, negative in the west; `None` outside -720 to 840, which no place has.
    #[must_use]
    pub const fn new(minutes_east: i16) -> Option<Self> {
        if minutes_east >= -720 && minutes_east <= 840 { Some(Self { minutes_east }) } else { None }
    }

    /// The day of a time here.
    #[must_use]
    pub fn day_of(self, time: Timestamp) -> Date {
        let minutes = i64::try_from(time.0 / 60_000).unwrap_or(i64::MAX); // never the maximum: u64::MAX / 60,000 fits
        Date::from_days(minutes.saturating_add(i64::from(self.minutes_east)).div_euclid(24 * 60))
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::CHINA
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_its_midnight() {
        // 2027-02-28T16:00:00Z is midnight in China.
        let midnight = 1_803_830_400_000;
        for (zone, before, after) in [
            (Zone::CHINA, "2027-02-28", "2027-03-01"),
            (Zone::new(0).unwrap(), "2027-02-28", "2027-02-28"),
            (Zone::new(-720).unwrap(), "2027-02-28", "2027-02-28"),
            (Zone::new(840).unwrap(), "2027-03-01", "2027-03-01"),
        ] {
            assert_eq!(zone.day_of(Timestamp(midnight - 1)).to_string(), before, "{zone:?}");
            assert_eq!(zone.day_of(Timestamp(midnight)).to_string(), after, "{zone:?}");
        }
    }

    #[test]
    fn the_ends_of_time_have_a_day() {
        assert_eq!(Zone::new(-720).unwrap().day_of(Timestamp(0)).to_string(), "1969-12-31");
        assert_eq!(Zone::CHINA.day_of(Timestamp(u64::MAX)), Date::MAX);
    }

    #[test]
    fn refuses_distances_no_place_has() {
        assert_eq!((Zone::new(-721), Zone::new(841), Zone::default()), (None, None, Zone::CHINA));
    }
}
