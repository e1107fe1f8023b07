//! The clock of drivers: what plan and cache are told the time by.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::knowledge::Now;

/// The time. `elapsed` goes on since the machine started, sleep included, so that all drivers of a process count alike and nothing is good for
/// longer because the machine slept. Before 1970 is 1970, after 2106 is 2106.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "driver")]
pub fn now() -> Now {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Fails on no system this runs on.
    let elapsed = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
    Now { elapsed, unix_seconds: u32::try_from(since_1970.as_secs()).unwrap_or(u32::MAX) }
}
