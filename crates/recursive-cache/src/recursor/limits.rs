//! Limits of the driver: default, smallest and largest value, unit and reason.

use std::time::Duration;

use waymark_wire::frame::config::Limit;

/// Questions being resolved at once; each may have servers waiting. What comes beyond is told that the server is too busy. Default: 2,000 a second
/// that wait two seconds each.
pub const FLIGHTS: Limit<usize> = Limit { default: 4_096, min: 16, max: 262_144 };

/// How long one query to a service may take before the plan looks elsewhere. Below the time of a whole question, so that a silent service leaves
/// time for what can be done about it.
pub const QUERY_TIME: Limit<Duration> =
    Limit { default: Duration::from_secs(3), min: Duration::from_millis(50), max: Duration::from_secs(30) };

/// How long an asker waits for something better than an answer that is past its time. Clients repeat after half a second and give up after a few.
pub const STALE_WAIT: Limit<Duration> =
    Limit { default: Duration::from_millis(1_000), min: Duration::ZERO, max: Duration::from_secs(30) };

/// How often popular answers near their end are looked for.
pub(crate) const REFRESH_PACE: Duration = Duration::from_millis(200);

/// Most of them fetched again at one time.
pub(crate) const REFRESH_AT_ONCE: usize = 64;

/// Steps of one question that are told to whoever wants to see them.
pub(crate) const HOPS: usize = 256;
