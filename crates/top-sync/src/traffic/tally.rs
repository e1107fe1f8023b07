//! What is counted of one day, for the node or one prefix: requests, successes, sources, times, and the greatest rate.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::config::RATE_SECONDS;
use super::sources::Sources;

/// A time and when it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extreme {
    /// Microseconds.
    pub micros: u32,
    /// The first moment it was, in seconds since 1970.
    pub unix_seconds: u32,
}

/// How long things took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// How many times were taken.
    pub count: u64,
    /// Their sum in microseconds.
    pub sum_micros: u64,
    /// The shortest; none without a time.
    pub min: Option<Extreme>,
    /// The longest; none without a time.
    pub max: Option<Extreme>,
}

impl Latency {
    /// The average in microseconds, rounded down; none without a time.
    #[must_use]
    pub const fn average_micros(&self) -> Option<u64> {
        self.sum_micros.checked_div(self.count)
    }

    fn add(&mut self, micros: u32, unix_seconds: u32) {
        self.count = self.count.saturating_add(1);
        self.sum_micros = self.sum_micros.saturating_add(u64::from(micros));
        let new = Extreme { micros, unix_seconds };
        // Of equal times the earliest, in whatever order they come.
        if self.min.is_none_or(|min| (micros, unix_seconds) < (min.micros, min.unix_seconds)) {
            self.min = Some(new);
        }
        if self.max.is_none_or(|max| micros > max.micros || (micros == max.micros && unix_seconds < max.unix_seconds)) {
            self.max = Some(new);
        }
    }
}

/// The second in which most happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    /// How much, in that second.
    pub count: u32,
    /// The second, since 1970; of several the first.
    pub unix_seconds: u32,
}

/// How much happens in each second. What is older than the last [`RATE_SECONDS`] seconds that came is counted anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Rate {
    /// Second and count, in the order in which the seconds came first.
    recent: VecDeque<(u32, u32)>,
    peak: Option<Peak>,
}

impl Rate {
    fn add(&mut self, unix_seconds: u32) {
        let known = self.recent.iter_mut().rev().find(|(second, _)| *second == unix_seconds);
        let count = match known {
            Some((_, count)) => {
                *count = count.saturating_add(1);
                *count
            }
            None => {
                if self.recent.len() >= RATE_SECONDS {
                    self.recent.pop_front();
                }
                self.recent.push_back((unix_seconds, 1));
                1
            }
        };
        let is_peak = self
            .peak
            .is_none_or(|peak| count > peak.count || (count == peak.count && unix_seconds < peak.unix_seconds));
        if is_peak {
            self.peak = Some(Peak { count, unix_seconds });
        }
    }
}

/// The figures of one day, of the node or of a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    requests: u64,
    successes: u64,
    latency: Latency,
    rate: Rate,
    sources: Sources,
    registrations: Latency,
    registration_rate: Rate,
}

impl Tally {
    /// Resolution requests that were received and answered, with whatever code.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Of these, those answered with success (response code 1). A referral to another server is none.
    #[must_use]
    pub const fn successes(&self) -> u64 {
        self.successes
    }

    /// Requests by source.
    #[must_use]
    pub const fn sources(&self) -> &Sources {
        &self.sources
    }

    /// How long resolutions took, from having the request to having handed over the answer. Counts fewer than [`Self::requests`] where records
    /// of an older version were read, which say nothing about it.
    #[must_use]
    pub const fn latency(&self) -> &Latency {
        &self.latency
    }

    /// The second with most resolutions.
    #[must_use]
    pub const fn peak(&self) -> Option<Peak> {
        self.rate.peak
    }

    /// How long registrations took, from having the request to having it durable and visible.
    #[must_use]
    pub const fn registrations(&self) -> &Latency {
        &self.registrations
    }

    /// The second with most registrations.
    #[must_use]
    pub const fn registration_peak(&self) -> Option<Peak> {
        self.registration_rate.peak
    }

    pub(super) fn answered(&mut self, unix_seconds: u32, is_success: bool, took_micros: Option<u32>) {
        self.requests = self.requests.saturating_add(1);
        self.successes = self.successes.saturating_add(u64::from(is_success));
        if let Some(micros) = took_micros {
            self.latency.add(micros, unix_seconds);
        }
        self.rate.add(unix_seconds);
    }

    pub(super) const fn sources_mut(&mut self) -> &mut Sources {
        &mut self.sources
    }

    pub(super) fn registered(&mut self, unix_seconds: u32, took_micros: u32) {
        self.registrations.add(took_micros, unix_seconds);
        self.registration_rate.add(unix_seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_have_the_first_of_their_moments() {
        let mut latency = Latency::default();
        assert_eq!(latency.average_micros(), None);
        for (micros, at) in [(50, 9), (20, 8), (20, 3), (90, 7), (90, 5), (90, 6)] {
            latency.add(micros, at);
        }
        assert_eq!(latency.average_micros(), Some(60));
        assert_eq!(latency.min, Some(Extreme { micros: 20, unix_seconds: 3 }));
        assert_eq!(latency.max, Some(Extreme { micros: 90, unix_seconds: 5 }));
    }

    #[test]
    fn answers_that_come_late_count_in_their_own_second() {
        let mut rate = Rate::default();
        for second in [5, 6, 5, 7, 5, 6, 6] {
            rate.add(second);
        }
        assert_eq!(rate.peak, Some(Peak { count: 3, unix_seconds: 5 }), "of two equal seconds the first");
        rate.add(6);
        assert_eq!(rate.peak, Some(Peak { count: 4, unix_seconds: 6 }));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_rate_that_never_was() {
        let mut rate = Rate::default();
        for second in 100..100 + u32::try_from(RATE_SECONDS).unwrap() {
            rate.add(second);
            rate.add(second);
        }
        // The same seconds again, an hour of the real time later.
        for second in 40..130 {
            rate.add(second);
            rate.add(second);
        }
        assert_eq!(rate.peak, Some(Peak { count: 2, unix_seconds: 40 }));
        assert!(rate.recent.len() <= RATE_SECONDS);
    }
}
