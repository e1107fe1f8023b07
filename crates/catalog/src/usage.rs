//! How much each principal has written today, for daily quotas.
//!
//! A day is one of China Standard Time, eight hours ahead of UTC all year. What counts is an entry of the log that wrote or deleted a record, under
//! the name of its actor: nothing is kept that the log does not say. So a principal that has the name of a local actor, as `operator` may, shares
//! its count, though commands on this machine are held to no quota.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use waymark_store::{Entry, EntryKind, State, StateError, Timestamp};

use crate::access::change::is_principal_name;
use crate::config::DAY_MS;
use crate::projection::{USAGE, read_count};
use crate::reserved::is_reserved;

/// A day of China Standard Time, counted from 1 January 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(pub(crate) u32);

/// How far China Standard Time is ahead of UTC, in milliseconds.
const AHEAD_MS: u64 = 8 * 60 * 60 * 1000;

impl Day {
    /// The day of a moment.
    pub(crate) fn of(time: Timestamp) -> Self {
        Self(u32::try_from(time.0.saturating_add(AHEAD_MS) / DAY_MS).unwrap_or(u32::MAX))
    }

    /// Its first moment.
    pub(crate) fn start(self) -> Timestamp {
        Timestamp((u64::from(self.0) * DAY_MS).saturating_sub(AHEAD_MS))
    }

    /// The first moment after it.
    pub(crate) fn end(self) -> Timestamp {
        Timestamp(((u64::from(self.0) + 1) * DAY_MS).saturating_sub(AHEAD_MS))
    }
}

/// The day and principal an entry counts for; `None` when it is no write to a record, or its actor no principal.
pub(crate) fn counts_for<'a>(entry: &Entry<'a>) -> Option<(Day, &'a str)> {
    let write = matches!(entry.kind, EntryKind::PUT | EntryKind::DELETE) && !is_reserved(entry.key);
    let name = std::str::from_utf8(entry.actor).ok()?;
    (write && is_principal_name(name)).then(|| (Day::of(entry.time), name))
}

/// Writes by principal.
pub(crate) type Counts = HashMap<Arc<str>, u64>;

/// Writes of the latest day there were any. The writer counts, doors read.
#[derive(Debug, Default)]
pub(crate) struct Usage(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    day: Day,
    counts: Counts,
}

impl Usage {
    /// Reads the counts of a day from the small state.
    ///
    /// # Errors
    /// What the state says.
    pub(crate) fn load(state: &dyn State, day: Day) -> Result<Self, StateError> {
        let mut counts = Counts::new();
        state.scan(USAGE, &day.0.to_be_bytes(), &mut |key, value| {
            let name = key.get(size_of::<u32>()..).and_then(|name| std::str::from_utf8(name).ok());
            counts.extend(name.map(|name| (name.into(), read_count(value))));
            ControlFlow::Continue(())
        })?;
        Ok(Self(Mutex::new(Counted { day, counts })))
    }

    /// What a principal has written on a day.
    pub(crate) fn on(&self, day: Day, principal: &str) -> u64 {
        let counted = self.lock();
        if counted.day == day { counted.counts.get(principal).copied().unwrap_or(0) } else { 0 }
    }

    /// Adds what a group wrote.
    pub(crate) fn add(&self, day: Day, written: &Counts) {
        if written.is_empty() {
            return;
        }
        let mut counted = self.lock();
        if counted.day != day {
            *counted = Counted { day, counts: Counts::new() };
        }
        for (principal, writes) in written {
            *counted.counts.entry(Arc::clone(principal)).or_default() += writes;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_store::{Place, Serial};

    #[test]
    fn a_day_begins_at_four_in_the_afternoon_of_utc() {
        // 15 January 2027, 16:00:00 UTC.
        let midnight = Timestamp(1_800_028_800_000);
        let day = Day::of(midnight);
        assert_eq!((day.start(), Day::of(Timestamp(midnight.0 - 1))), (midnight, Day(day.0 - 1)));
        assert_eq!((day.end(), Day(day.0 - 1).end()), (Timestamp(midnight.0 + DAY_MS), midnight));
        assert_eq!((Day::of(Timestamp(0)), Day(0).start()), (Day(0), Timestamp(0)));
        assert_eq!(Day::of(Timestamp(u64::MAX)), Day(u32::MAX));
    }

    #[test]
    fn writes_to_records_count_and_nothing_else_does() {
        let counts = |kind, key: &'static [u8], actor: &'static [u8]| {
            let (time, place) = (Day(9).start(), Place(0));
            counts_for(&Entry { serial: Serial(1), time, kind, place, previous: Serial::NONE, actor, key, body: b"" })
        };
        assert_eq!(counts(EntryKind::PUT, b"88.1/A", b"acme"), Some((Day(9), "acme")));
        assert_eq!(counts(EntryKind::DELETE, b"88.1/A", b"acme"), Some((Day(9), "acme")));
        assert_eq!(counts(EntryKind::NOTE, b"88.1/A", b"acme"), None);
        assert_eq!(counts(EntryKind::PUT, b"\0HP88.1", b"acme"), None);
        assert_eq!(counts(EntryKind::PUT, b"88.1/A", b"300:0.NA/88.1"), None);
        assert_eq!(counts(EntryKind::PUT, b"88.1/A", b"\xff"), None);
    }

    #[test]
    fn a_new_day_begins_at_nothing() {
        let usage = Usage::default();
        let acme = Counts::from([("acme".into(), 3)]);
        usage.add(Day(7), &acme);
        usage.add(Day(7), &acme);
        assert_eq!((usage.on(Day(7), "acme"), usage.on(Day(7), "other"), usage.on(Day(8), "acme")), (6, 0, 0));
        usage.add(Day(8), &acme);
        assert_eq!((usage.on(Day(7), "acme"), usage.on(Day(8), "acme")), (0, 3));
    }
}
