//! Questions a second to one server.

use std::time::Duration;

/// A bucket that fills with `per_second` and holds a tenth of that, one at least.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    per_second: u32,
    /// Room left, in thousand-millionths of a question.
    left: u64,
    filled_at: Duration,
}

const ONE: u64 = 1_000_000_000;

impl Rate {
    pub(super) fn new(per_second: u32, now: Duration) -> Self {
        Self { per_second, left: Self::most(per_second), filled_at: now }
    }

    fn most(per_second: u32) -> u64 {
        u64::from(per_second / 10).max(1) * ONE
    }

    /// Takes one question, if there is room.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let since = now.saturating_sub(self.filled_at).min(Duration::from_secs(1));
        let nanoseconds = u64::try_from(since.as_nanos()).unwrap_or(ONE);
        self.left = self.left.saturating_add(nanoseconds * u64::from(self.per_second)).min(Self::most(self.per_second));
        self.filled_at = now;
        match self.left.checked_sub(ONE) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_rate_passes_however_often_is_asked() {
        let mut rate = Rate::new(100, Duration::ZERO);
        let passed = (0..10_000_u64).filter(|ms| rate.take(Duration::from_millis(*ms))).count();
        assert!((1_005..=1_011).contains(&passed), "{passed}");
    }

    #[test]
    fn what_was_not_used_is_kept_for_a_tenth_of_a_second() {
        let mut rate = Rate::new(100, Duration::ZERO);
        let later = Duration::from_secs(1_000);
        assert_eq!((0..50).filter(|_| rate.take(later)).count(), 10);
        let mut slow = Rate::new(1, Duration::ZERO);
        assert!(slow.take(Duration::ZERO) && !slow.take(Duration::from_millis(999)));
        assert!(slow.take(Duration::from_secs(1)));
    }
}
