//! Whether the calendar may be believed before days are told that cannot be taken back.
//!
//! A machine may begin with a clock that is years ahead, and have it set right half a minute later. Days told meanwhile would be told as if nothing had
//! happened on them, and the real ones not at all. So what is suddenly far ahead has to stay so for a while.

use std::time::Duration;

use waymark_catalog::Timestamp;

use crate::config::{CLOCK_AHEAD_MS, CLOCK_HOLD, CLOCK_JUMP_MS};

/// The calendar beside a clock that nobody sets.
#[derive(Debug)]
pub(crate) struct Trust {
    /// Up to where days were told when this began; `None` where none was.
    told: Option<Timestamp>,
    last: Option<(Timestamp, Duration)>,
    /// Where the steady clock stood when the calendar was found ahead, and what it may have shown then, in milliseconds since 1970.
    held: Option<(Duration, u64)>,
}

impl Trust {
    /// Of a node that told everything up to `told` before it began.
    pub(crate) const fn new(told: Option<Timestamp>) -> Self {
        Self { told, last: None, held: None }
    }

    /// Tells whether days may be told: the calendar shows `now`, the steady clock `steady`.
    pub(crate) fn may_tell(&mut self, now: Timestamp, steady: Duration) -> bool {
        let bound = match self.last.replace((now, steady)) {
            Some((then, at)) => then.0.saturating_add(millis(steady.saturating_sub(at))).saturating_add(CLOCK_JUMP_MS),
            None => self.told.map_or(u64::MAX, |told| told.0.saturating_add(CLOCK_AHEAD_MS)),
        };
        if now.0 > bound {
            self.held.get_or_insert((steady, bound));
        }
        if let Some((since, bound)) = self.held {
            let passed = steady.saturating_sub(since);
            // It stayed ahead for long, or was set back.
            if passed >= CLOCK_HOLD || now.0 <= bound.saturating_add(millis(passed)) {
                self.held = None;
            }
        }
        self.held.is_none()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400_000;
    const NOW: u64 = 20_000 * DAY;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_clock_that_runs_is_believed_at_once() {
        let mut trust = Trust::new(Some(Timestamp(NOW - DAY)));
        for second in 0..1_000 {
            assert!(trust.may_tell(Timestamp(NOW + second * 1_000), seconds(second)));
        }
        assert!(Trust::new(None).may_tell(Timestamp(NOW), seconds(0)), "nothing was told before");
    }

    #[test]
    fn after_a_long_time_without_the_node_it_is_believed_once_it_stays_so() {
        let mut trust = Trust::new(Some(Timestamp(NOW - 9 * DAY)));
        let mut tell = |second: u64| trust.may_tell(Timestamp(NOW + second * 1_000), seconds(second));
        assert!((0..600).all(|second| !tell(second)));
        assert!((600..2_000).all(tell));
    }

    #[test]
    fn a_clock_years_ahead_at_the_start_tells_nothing_and_the_one_set_right_goes_on() {
        let mut trust = Trust::new(Some(Timestamp(NOW - DAY)));
        assert!(!trust.may_tell(Timestamp(NOW + 2_000 * DAY), seconds(0)));
        assert!(!trust.may_tell(Timestamp(NOW + 2_000 * DAY + 30_000), seconds(30)));
        assert!(trust.may_tell(Timestamp(NOW + 31_000), seconds(31)), "set right");
        assert!(trust.may_tell(Timestamp(NOW + 32_000), seconds(32)));
    }

    #[test]
    fn a_jump_while_the_node_runs_is_waited_out() {
        let mut trust = Trust::new(None);
        assert!(trust.may_tell(Timestamp(NOW), seconds(0)));
        assert!(!trust.may_tell(Timestamp(NOW + DAY), seconds(1)));
        assert!(!trust.may_tell(Timestamp(NOW + DAY + 598_000), seconds(600)));
        assert!(trust.may_tell(Timestamp(NOW + DAY + 600_000), seconds(601)));
        // A machine that slept: its steady clock stood still, the calendar did not.
        assert!(!trust.may_tell(Timestamp(NOW + 3 * DAY), seconds(602)));
        assert!(trust.may_tell(Timestamp(NOW + DAY + 603_000), seconds(603)), "set back");
    }
}
