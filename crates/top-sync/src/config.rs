//! Limits, each with the reason for its range.

use std::time::Duration;

/// A limit: what it is unless configured, and what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Unless configured.
    pub default: u64,
    /// At least.
    pub min: u64,
    /// At most.
    pub max: u64,
}

/// Days for which parts are kept once they are acknowledged, to be sent again when the node above lost them. A month and some, so that a monthly
/// report can be compared with what it was made from.
pub const KEEP_DAYS: Limit = Limit { default: 40, min: 1, max: 400 };

/// Rows of one part at most: parts are acknowledged as a whole, so a lost one costs so many rows to send again.
pub const PART_ROWS: u64 = 10_000;

/// Bytes of the rows of one part at most; what the form over gRPC allows.
pub const PART_BYTES: usize = 4 << 20;

/// Milliseconds after the end of a day before it is told: what was begun within it is written by then.
pub const DAY_GRACE_MS: u64 = 60_000;

/// Days a set of days may have been told ahead of the clock, which was set back since; what is further ahead was told by a clock that was wrong.
pub const AHEAD_DAYS: i64 = 7;

/// Milliseconds by which the calendar may be ahead of what was told last when the node starts, and be believed at once: a day and the one that runs.
pub const CLOCK_AHEAD_MS: u64 = 3 * 24 * 60 * 60 * 1000;

/// Milliseconds the calendar may gain on the steady clock within a turn: far more than clocks are adjusted by.
pub const CLOCK_JUMP_MS: u64 = 60 * 60 * 1000;

/// How long a calendar that is suddenly ahead has to stay so before days are told by it: clocks are set right within minutes of a start.
pub const CLOCK_HOLD: Duration = Duration::from_secs(600);

/// Milliseconds of the first pause after a failed attempt; doubles with each further one.
pub const FIRST_PAUSE_MS: u64 = 1_000;

/// Milliseconds of the longest pause between attempts.
pub const LONGEST_PAUSE_MS: u64 = 300_000;

/// Mebibytes of the parts of one enterprise that are kept, acknowledged ones included. Default: a month and some of one that registers as many
/// identifiers a day as a small node. Parts settled make way for new ones, oldest first; when all of them wait, no more are taken.
pub const OWNER_MIB: Limit = Limit { default: 2_048, min: 16, max: 1 << 20 };

/// Sequence of a collected part at most: a part each microsecond takes centuries to come there, and every program can count so far exactly.
pub const MOST_SEQUENCE: u64 = 1 << 53;

/// Bytes a collected part counts at least: it costs memory and a file, however small it is.
pub const COLLECTED_PART_BYTES: u64 = 64 << 10;

/// Hours behind the end of a day or month after which an enterprise that has not reported it counts as late. Default: a day, since the node above
/// expects the sets of a day on the next one.
pub const LATE_HOURS: Limit = Limit { default: 24, min: 1, max: 24 * 31 };

/// Milliseconds a moment or the end of a period may lie ahead of the clock here: clocks of two machines differ.
pub const AHEAD_MS: u64 = 300_000;

/// Seconds between two looks into the folders where parts are dropped.
pub const DROP_SECONDS: u64 = 10;

/// Entries of folders that one look reads of one set of an owner, and of the folders of owners. A part has three, and the busiest set has some hundred
/// parts a day; reading so many takes far less than a second, after which it is the turn of the next.
pub const DROP_ENTRIES: usize = 20_000;

/// Parts of one set of an owner that one look takes or refuses. Each is checked and flushed to the disk, some tens of milliseconds for the largest: so
/// many cost the other owners seconds, and at a look every [`DROP_SECONDS`] still pass more than any enterprise tells.
pub const DROP_PARTS: usize = 32;

/// Bytes of a manifest. One has some hundred.
pub const MANIFEST_BYTES: u64 = 64 << 10;
