//! How a server has answered so far, and what that says of asking it again. Bytes and clocks are elsewhere: `now` comes in.

use std::time::Duration;

use super::limits::{BACK_OFF, FAILURES_BEFORE_BACK_OFF, FIRST_WAIT, HEDGE};

/// What is known of one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Smoothed time of an answer; `None` before the first.
    smoothed: Option<Duration>,
    /// Smoothed deviation from it.
    deviation: Duration,
    /// Silences and errors since the last answer.
    failures: u32,
    /// When it may be asked again, while it is held for dead.
    again_at: Duration,
    /// Whether a question is under way that will tell whether it lives again.
    probing: bool,
}

/// Whether to ask a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    /// It answers, or nothing is known against it.
    Well,
    /// Its time as a dead one is over: one question may find out.
    Doubtful,
    /// It is held for dead: asked only when all are.
    Dead,
}

impl Standing {
    /// An answer came after `took`. The rules of RFC 6298: an eighth and a quarter of what is new.
    pub(super) fn answered(&mut self, took: Duration) {
        match self.smoothed {
            None => {
                self.smoothed = Some(took);
                self.deviation = took / 2;
            }
            Some(smoothed) => {
                self.deviation = (self.deviation * 3 + smoothed.abs_diff(took)) / 4;
                self.smoothed = Some((smoothed * 7 + took) / 8);
            }
        }
        self.failures = 0;
        self.probing = false;
    }

    /// Another server answered while this one was silent for `silent`: it takes that long at least.
    pub(super) fn overtaken(&mut self, silent: Duration) {
        if silent > self.smoothed.unwrap_or(HEDGE.min) {
            let failures = self.failures;
            self.answered(silent);
            self.failures = failures;
        }
        self.left();
    }

    /// Nobody waits for it any more, and nothing was learned.
    pub(super) fn left(&mut self) {
        self.probing = false;
    }

    /// It did not answer, or with an error of the network.
    pub(super) fn failed(&mut self, now: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.probing = false;
        if let Some(over) = self.failures.checked_sub(FAILURES_BEFORE_BACK_OFF) {
            let wait = BACK_OFF.min.saturating_mul(1 << over.min(16)).min(BACK_OFF.max);
            self.again_at = now.saturating_add(wait);
        }
    }

    /// It is asked now.
    pub(super) fn asked(&mut self, now: Duration) {
        self.probing = self.health(now) == Health::Doubtful;
    }

    pub(super) fn health(&self, now: Duration) -> Health {
        if self.failures < FAILURES_BEFORE_BACK_OFF {
            Health::Well
        } else if now >= self.again_at && !self.probing {
            Health::Doubtful
        } else {
            Health::Dead
        }
    }

    /// What servers are ordered by: the expected time of an answer, worse for each failure. One that was never asked comes before those that
    /// are slower than the usual, so that it gets a chance.
    pub(super) fn expected(&self) -> Duration {
        self.smoothed.unwrap_or(HEDGE.min).saturating_add(HEDGE.default.saturating_mul(self.failures))
    }

    /// Silence after which another server is asked beside it: about what 95 answers of 100 take.
    pub(super) fn hedge_after(&self) -> Duration {
        self.smoothed.map_or(HEDGE.default, |smoothed| HEDGE.clamp(smoothed.saturating_add(self.deviation * 2)))
    }

    /// Silence after which a datagram is sent again the first time.
    pub(super) fn first_wait(&self) -> Duration {
        self.smoothed
            .map_or(FIRST_WAIT.default, |smoothed| FIRST_WAIT.clamp(smoothed.saturating_add(self.deviation * 4)))
    }

    /// Smoothed time of an answer, for those who watch.
    pub(super) const fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn answering(took: &[u64]) -> Standing {
        let mut standing = Standing::default();
        took.iter().for_each(|took| standing.answered(ms(*took)));
        standing
    }

    #[test]
    fn waits_follow_the_measured_time_within_their_ranges() {
        let (new, near, far) = (Standing::default(), answering(&[2; 20]), answering(&[180; 20]));
        assert_eq!((new.first_wait(), new.hedge_after()), (FIRST_WAIT.default, HEDGE.default));
        assert_eq!((near.first_wait(), near.hedge_after()), (FIRST_WAIT.min, HEDGE.min));
        assert!(far.first_wait() > ms(180) && far.first_wait() < ms(260), "{:?}", far.first_wait());
        let shaky = answering(&[20, 400, 20, 400, 20, 400]);
        assert!(shaky.hedge_after() > ms(300) && shaky.first_wait() == FIRST_WAIT.max);
    }

    #[test]
    fn faster_servers_come_first_and_new_ones_get_a_chance() {
        let (near, far) = (answering(&[2]), answering(&[180]));
        assert!(near.expected() < Standing::default().expected() && Standing::default().expected() < far.expected());
        let mut failing = near;
        failing.failed(ms(0));
        assert!(failing.expected() > far.expected());
    }

    #[test]
    fn a_silent_server_is_left_alone_for_longer_and_longer_and_then_probed_once() {
        let mut standing = answering(&[2]);
        let mut now = ms(0);
        for _ in 1..FAILURES_BEFORE_BACK_OFF {
            standing.failed(now);
            assert_eq!(standing.health(now), Health::Well);
        }
        for wait in [BACK_OFF.min, BACK_OFF.min * 2, BACK_OFF.min * 4] {
            standing.failed(now);
            assert_eq!(standing.health(now + wait - ms(1)), Health::Dead);
            now += wait;
            assert_eq!(standing.health(now), Health::Doubtful);
            standing.asked(now);
            assert_eq!(standing.health(now), Health::Dead, "one question finds out");
        }
        standing.answered(ms(2));
        assert_eq!(standing.health(now), Health::Well);
        for _ in 0..100 {
            standing.failed(now);
        }
        assert_eq!(standing.health(now + BACK_OFF.max), Health::Doubtful);
    }

    #[test]
    fn who_is_overtaken_counts_as_slow_and_not_as_dead() {
        let mut standing = answering(&[2, 2, 2]);
        let before = standing.expected();
        for _ in 0..20 {
            standing.overtaken(ms(300));
        }
        assert!(standing.expected() > before && standing.health(ms(0)) == Health::Well);
        let mut new = Standing::default();
        new.overtaken(ms(300));
        assert_eq!(new.expected(), ms(300));
    }
}
