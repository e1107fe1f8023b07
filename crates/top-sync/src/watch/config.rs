//! Limits of the watch: default, smallest and largest permitted value, unit and reason of each.

use std::time::Duration;

pub use waymark_catalog::config::Limit;

/// Seconds between two rounds of questions. At ten a fault of half a minute shows, and a day makes 8,640 rounds; how often the real top-level node
/// asks is not public.
pub const INTERVAL_SECONDS: Limit = Limit { default: 10, min: 1, max: 300 };

/// Seconds a door may take to answer; later answers count as none. A round takes at most so long.
pub const ANSWER_SECONDS: Limit = Limit { default: 3, min: 1, max: 60 };

/// Rounds in a row a door has to fail before that is an incident: one lost datagram is none.
pub const FAILED_ROUNDS: Limit = Limit { default: 3, min: 1, max: 1_000 };

/// Seconds for which all has to be well again before an incident is over: what comes and goes within them is one incident.
pub const HOLD_SECONDS: Limit = Limit { default: 60, min: 0, max: 86_400 };

/// Days whose probes are kept, counted in days that have any: fourteen months at least, so that a month can be compared with that of the year before.
pub const KEPT_DAYS: Limit = Limit { default: 500, min: 430, max: 3_660 };

/// Of a hundred requests of a minute, how many may be turned away before that is a flood; 0: none is looked for.
pub const FLOOD_PERCENT: Limit = Limit { default: 50, min: 0, max: 100 };

/// Requests turned away in a minute below which there is no flood, whatever their share: a few wrong packets are none.
pub const FLOOD_REQUESTS: Limit = Limit { default: 6_000, min: 1, max: 1_000_000_000 };

/// Events of incidents that are kept; further ones are refused. The watch itself makes at most two for each cause and hold time.
pub const EVENTS: usize = 100_000;

/// Maintenances that are kept; further ones are refused.
pub const MAINTENANCES: usize = 10_000;

/// Times without the node that are told apart; later ones become part of the last.
pub const GAPS: usize = 100_000;

/// Characters of a cause, a remedy, or the reason of a maintenance at most: what the set of incidents takes.
pub const TEXT_CHARS: usize = 1_024;

/// Longest prefix of an incident in bytes, as the sets have it.
pub const PREFIX_BYTES: usize = 255;

/// How far into the future an incident or a maintenance may be said to begin, in milliseconds: clocks of people and nodes differ a little.
pub const AHEAD_MS: u64 = 60_000;

/// Milliseconds beyond two intervals that may lie between two rounds, by a clock that only goes on. After longer ones the node stood still: its process was
/// held, or its disk did not take the last round for so long.
pub const STILL_MS: u64 = 60_000;

/// Largest file of rounds or probes that is read, in bytes: a day of rounds each second has some 6 MB.
pub const FILE_BYTES: u64 = 64 << 20;

/// Bytes of a round at most; eight results have fewer than a hundred.
pub const ROUND_BYTES: usize = 4_096;

/// Doors asked in a round at most: further addresses of a node are not asked.
pub const DOORS: usize = 64;

/// How the watch works. Values outside the ranges above are moved into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// See [`INTERVAL_SECONDS`].
    pub interval: Duration,
    /// See [`FAILED_ROUNDS`].
    pub failed_rounds: u64,
    /// See [`HOLD_SECONDS`].
    pub hold: Duration,
    /// See [`KEPT_DAYS`].
    pub kept_days: u64,
    /// See [`FLOOD_PERCENT`].
    pub flood_percent: u64,
    /// See [`FLOOD_REQUESTS`].
    pub flood_requests: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(INTERVAL_SECONDS.default),
            failed_rounds: FAILED_ROUNDS.default,
            hold: Duration::from_secs(HOLD_SECONDS.default),
            kept_days: KEPT_DAYS.default,
            flood_percent: FLOOD_PERCENT.default,
            flood_requests: FLOOD_REQUESTS.default,
        }
    }
}

impl Settings {
    /// These settings, each within its range.
    #[must_use]
    pub fn in_range(self) -> Self {
        let seconds = |value: Duration, limit: &Limit| Duration::from_secs(limit.clamp(value.as_secs()));
        Self {
            interval: seconds(self.interval, &INTERVAL_SECONDS),
            failed_rounds: FAILED_ROUNDS.clamp(self.failed_rounds),
            hold: seconds(self.hold, &HOLD_SECONDS),
            kept_days: KEPT_DAYS.clamp(self.kept_days),
            flood_percent: FLOOD_PERCENT.clamp(self.flood_percent),
            flood_requests: FLOOD_REQUESTS.clamp(self.flood_requests),
        }
    }
}
