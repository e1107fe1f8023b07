//! When questions go out: as answers come in (closed loop), or on a schedule that waits for nobody (open loop).

use std::time::Duration;

/// The pace of one worker.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// As many under way as there are slots.
    Closed,
    /// One every `interval`, the first at `offset`.
    Open {
        /// Time between two questions.
        interval: Duration,
        /// Start of the schedule, so that workers do not send in step.
        offset: Duration,
        /// Questions sent or skipped so far.
        sent: u64,
    },
}

impl Pace {
    /// The share of worker `worker` of `workers` of `rate` questions a second; no rate is a closed loop.
    pub(crate) fn new(rate: Option<u64>, worker: u32, workers: u32) -> Self {
        let Some(rate) = rate else { return Self::Closed };
        let between_all = Duration::from_secs(1).as_nanos() / u128::from(rate.max(1));
        let nanos = |nanos: u128| Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        Self::Open {
            interval: nanos(between_all * u128::from(workers.max(1))),
            offset: nanos(between_all * u128::from(worker)),
            sent: 0,
        }
    }

    /// The intended time of the next question if it is due at `now`.
    pub(crate) fn due(&self, now: Duration) -> Option<Duration> {
        match self {
            Self::Closed => Some(now),
            Self::Open { .. } => self.next().filter(|next| *next <= now),
        }
    }

    /// The intended time of the next question; `None` in a closed loop.
    pub(crate) fn next(&self) -> Option<Duration> {
        match self {
            Self::Closed => None,
            Self::Open { interval, offset, sent } => {
                let nanos = interval.as_nanos() * u128::from(*sent);
                Some(*offset + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
            }
        }
    }

    /// One question went out, or was skipped.
    pub(crate) fn advance(&mut self) {
        if let Self::Open { sent, .. } = self {
            *sent += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_loop_keeps_its_schedule_whatever_happens() {
        let mut pace = Pace::new(Some(1_000), 1, 4);
        assert_eq!(pace.due(Duration::ZERO), None);
        assert_eq!(pace.due(Duration::from_secs(1)), Some(Duration::from_millis(1)));
        pace.advance();
        assert_eq!(pace.due(Duration::from_secs(1)), Some(Duration::from_millis(5)));
    }

    #[test]
    fn a_closed_loop_is_always_due() {
        let pace = Pace::new(None, 0, 1);
        assert_eq!(pace.due(Duration::from_secs(5)), Some(Duration::from_secs(5)));
        assert_eq!(pace.next(), None);
    }
}
