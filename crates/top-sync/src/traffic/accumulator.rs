//! Days being counted: records in, figures out. No clock, no file.
//!
//! A few days are open at the same time, each found by the time of its records. One that is not open must be opened first, with what is already
//! known of it: whoever drives this reads that from the disk, and writes and closes days that are over.

use std::collections::BTreeMap;

use waymark_catalog::Timestamp;

use super::config::{LINGER_SECONDS, Limits, OPEN_DAYS};
use super::day::{Answer, DayTally, Lost, Registered};
use super::prefixes::KnownPrefixes;
use crate::calendar::Day;

/// The day is not open: open it, then count again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOpen(pub Day);

/// The days that are counted.
#[derive(Clone, Debug)]
pub struct Accumulator {
    limits: Limits,
    days: BTreeMap<Day, Open>,
    /// The day of the last record, and its seconds: most records are of the same day as the one before.
    recent: Option<(Day, std::ops::Range<u64>)>,
    /// Grows with everything that is counted.
    counted: u64,
}

/// A day being counted.
#[derive(Clone, Debug)]
struct Open {
    tally: DayTally,
    /// The number of its last change.
    changed: u64,
    /// When it was changed last, by the records.
    last_seconds: u32,
}

impl Accumulator {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits: limits.in_range(), days: BTreeMap::new(), recent: None, counted: 0 }
    }

    /// Counts an answer in the day it belongs to.
    ///
    /// # Errors
    /// [`NotOpen`]; nothing was counted.
    pub fn answered(&mut self, answer: &Answer<'_>, known: &impl KnownPrefixes) -> Result<(), NotOpen> {
        let limits = self.limits;
        self.change(answer.unix_seconds, |day| day.answered(answer, known, &limits))
    }

    /// Counts a registration in the day it belongs to.
    ///
    /// # Errors
    /// [`NotOpen`]; nothing was counted.
    pub fn registered(&mut self, registered: &Registered<'_>, known: &impl KnownPrefixes) -> Result<(), NotOpen> {
        let limits = self.limits;
        self.change(registered.unix_seconds, |day| day.registered(registered, known, &limits))
    }

    /// Notes in the day of a moment that something is missing.
    ///
    /// # Errors
    /// [`NotOpen`]; nothing was noted.
    pub fn lost(&mut self, unix_seconds: u32, lost: Lost) -> Result<(), NotOpen> {
        self.change(unix_seconds, |day| day.lose(lost))
    }

    fn change(&mut self, unix_seconds: u32, change: impl FnOnce(&mut DayTally)) -> Result<(), NotOpen> {
        let day = self.day_of(unix_seconds);
        let open = self.days.get_mut(&day).ok_or(NotOpen(day))?;
        change(&mut open.tally);
        self.counted = self.counted.wrapping_add(1);
        open.changed = self.counted;
        open.last_seconds = unix_seconds;
        Ok(())
    }

    fn day_of(&mut self, unix_seconds: u32) -> Day {
        let seconds = u64::from(unix_seconds);
        if let Some((day, range)) = &self.recent
            && range.contains(&seconds)
        {
            return *day;
        }
        let day = day_of(unix_seconds);
        self.recent = Some((day, day.start().0 / 1_000..day.end().0 / 1_000));
        day
    }

    /// Opens a day with what is known of it; one that is open stays as it is.
    pub fn open(&mut self, known: DayTally) {
        let day = known.day();
        let last_seconds = u32::try_from(day.start().0 / 1_000).unwrap_or(u32::MAX);
        self.days.entry(day).or_insert(Open { tally: known, changed: self.counted, last_seconds });
    }

    /// Whether there is room for another day.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.days.len() < OPEN_DAYS
    }

    /// The figures of an open day.
    #[must_use]
    pub fn day(&self, day: Day) -> Option<&DayTally> {
        self.days.get(&day).map(|open| &open.tally)
    }

    /// Open days, in order.
    pub fn days(&self) -> impl Iterator<Item = &DayTally> {
        self.days.values().map(|open| &open.tally)
    }

    /// Days that can be closed once they are written, each with the number of its last change: those that ended some time ago, and, where room is
    /// short, the one that was longest without a change.
    #[must_use]
    pub fn closable(&self, now: Timestamp) -> Vec<(Day, u64)> {
        let now_seconds = now.0 / 1_000;
        let linger = u64::from(LINGER_SECONDS);
        let is_over = |open: &Open| {
            let end = (open.tally.day().end().0 / 1_000).max(u64::from(open.last_seconds));
            end.saturating_add(linger) <= now_seconds
        };
        let over = self.days.iter().filter(|(_, open)| is_over(open)).map(|(day, open)| (*day, open.changed));
        let mut closable: Vec<(Day, u64)> = over.collect();
        if closable.is_empty() && !self.has_room() {
            let oldest = self.days.iter().min_by_key(|(_, open)| open.changed);
            closable.extend(oldest.map(|(day, open)| (*day, open.changed)));
        }
        closable
    }

    /// Closes a day that was written as it was at a change; one that has changed since stays open.
    pub fn close(&mut self, day: Day, changed: u64) {
        if self.days.get(&day).is_some_and(|open| open.changed == changed) {
            self.days.remove(&day);
        }
    }
}

/// The day of a second since 1970.
pub(super) fn day_of(unix_seconds: u32) -> Day {
    Day::of(Timestamp(u64::from(unix_seconds).saturating_mul(1_000)))
}
