//! How long to wait after a failure. In memory alone: after a restart everything is tried at once.

use std::time::Duration;

use waymark_catalog::Timestamp;

use crate::epp::config;

/// A moment: by the wall, for what is noted, and since some beginning, for waits. The second never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// By the wall.
    pub wall: Timestamp,
    /// Since some beginning.
    pub elapsed: Duration,
}

/// How often and how long; see [`config`] for what each is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// [`POLL_EVERY`](config::POLL_EVERY).
    pub poll_every: Duration,
    /// [`RETRY_FIRST`](config::RETRY_FIRST).
    pub retry_first: Duration,
    /// [`RETRY_MOST`](config::RETRY_MOST).
    pub retry_most: Duration,
    /// [`REFUSED_WAIT`](config::REFUSED_WAIT).
    pub refused_wait: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll_every: config::POLL_EVERY.default,
            retry_first: config::RETRY_FIRST.default,
            retry_most: config::RETRY_MOST.default,
            refused_wait: config::REFUSED_WAIT.default,
        }
    }
}

impl Pace {
    /// The wait after so many failures in a row, shortened by chance by up to a half, so that nodes that failed together do not return together.
    pub(super) fn after(&self, failures: u32, chance: u64) -> Duration {
        let doubled =
            self.retry_first.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
        let longest = doubled.min(self.retry_most);
        let half = longest / 2;
        let parts = u32::try_from(chance % 1_024).unwrap_or_default();
        half.saturating_add(half.saturating_mul(parts) / 1_024)
    }
}

/// Failures in a row, and until when nothing is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) failures: u32,
    pub(super) until: Duration,
}

impl Wait {
    pub(super) fn failed(&mut self, pace: &Pace, now: Now, chance: u64) {
        self.failures = self.failures.saturating_add(1);
        self.until = now.elapsed.saturating_add(pace.after(self.failures, chance));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_are_shortened_by_half_at_most() {
        let pace = Pace { retry_first: Duration::from_secs(2), retry_most: Duration::from_secs(9), ..Pace::default() };
        for (failures, longest) in [(1, 2), (2, 4), (3, 8), (4, 9), (40, 9), (u32::MAX, 9)] {
            let longest = Duration::from_secs(longest);
            assert_eq!(pace.after(failures, 0), longest / 2);
            let late = pace.after(failures, 1_023);
            assert!(late < longest && late > longest * 99 / 100, "{failures}: {late:?}");
        }
    }
}
