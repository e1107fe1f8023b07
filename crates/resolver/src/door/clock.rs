//! The doors' clock: the one place where the data plane reads time.

use std::time::{Duration, Instant};

use crate::policy::Moment;
use crate::question::Now;

/// A clock that started when the doors did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "driver")]
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Time since the start; never goes backwards.
    pub(crate) fn elapsed(self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn moment(self) -> Moment {
        Moment::after(self.elapsed())
    }

    /// Wall-clock time, for what answers say about time. Before 1970 is 1970, after 2106 is 2106.
    pub(crate) fn now() -> Now {
        let now = waymark_recursive_cache::clock::now();
        Now { unix_seconds: now.unix_seconds, uptime: now.elapsed }
    }
}
