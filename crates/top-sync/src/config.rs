//! Limits, each with the reason for its range.

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

/// Milliseconds of the first pause after a failed attempt; doubles with each further one.
pub const FIRST_PAUSE_MS: u64 = 1_000;

/// Milliseconds of the longest pause between attempts.
pub const LONGEST_PAUSE_MS: u64 = 300_000;
