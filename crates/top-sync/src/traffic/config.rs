//! Limits of the statistics of requests: default, smallest and largest permitted value, unit and reason of each.

pub use waymark_catalog::config::Limit;

/// Sources told apart in a day of the whole node. Below it counts are exact; above it they have a stated error. A source takes 40 bytes of
/// memory while counts are exact and 110 afterwards; the default holds the askers of a busy node, most of which are recursive resolvers.
pub const NODE_SOURCES: Limit = Limit { default: 65_536, min: 16, max: 1 << 20 };

/// Sources told apart in a day of one prefix, as long as [`ALL_SOURCES`] lasts.
pub const PREFIX_SOURCES: Limit = Limit { default: 4_096, min: 16, max: 1 << 18 };

/// Sources told apart in a day of all prefixes together. Bounds the memory that many prefixes with many askers take: 55 MB by default.
pub const ALL_SOURCES: Limit = Limit { default: 500_000, min: 1_000, max: 10_000_000 };

/// Prefixes with figures of their own in a day; requests for further ones count for the node, and as not placed. Some 1,000 bytes each,
/// without their sources.
pub const PREFIXES: Limit = Limit { default: 20_000, min: 1, max: 1_000_000 };

/// Days whose figures are kept, counted in days that have any: a clock that jumps ahead displaces one day, not all. Half a year, for which
/// network logs are to be kept too.
pub const KEPT_DAYS: Limit = Limit { default: 200, min: 7, max: 3_660 };

/// Seconds between two savings. What is lost when the node is killed and no record of every answer is kept; and what is counted again from that
/// record where it is.
pub const SAVE_SECONDS: Limit = Limit { default: 30, min: 1, max: 3_600 };

/// Days that are counted in memory at the same time: today, the day before until its last answers are in, and what a clock that jumps makes.
pub const OPEN_DAYS: usize = 4;

/// Seconds a day stays in memory after its end and its last answer.
pub const LINGER_SECONDS: u32 = 600;

/// Seconds for which requests are counted at the same time, to find the greatest number in one: answers that take long and threads that
/// fall behind are counted in the second they belong to. A second that comes again after this many others, since the clock was set back, is
/// counted anew.
pub const RATE_SECONDS: usize = 16;

/// Times without figures that a day tells apart; later ones become part of the last.
pub const GAPS: usize = 32;

/// Largest file of figures that is read, in bytes: more than the largest limits make.
pub const FILE_BYTES: u64 = 1 << 30;

/// Longest line of the record of every answer that is read, in bytes. Ours have at most 1,100.
pub const LINE_BYTES: usize = 16 << 10;

/// How much is counted. Values outside the ranges above are moved into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`NODE_SOURCES`].
    pub node_sources: usize,
    /// See [`PREFIX_SOURCES`].
    pub prefix_sources: usize,
    /// See [`ALL_SOURCES`].
    pub all_sources: usize,
    /// See [`PREFIXES`].
    pub prefixes: usize,
    /// See [`KEPT_DAYS`].
    pub kept_days: usize,
    /// See [`SAVE_SECONDS`].
    pub save_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            node_sources: number(NODE_SOURCES.default),
            prefix_sources: number(PREFIX_SOURCES.default),
            all_sources: number(ALL_SOURCES.default),
            prefixes: number(PREFIXES.default),
            kept_days: number(KEPT_DAYS.default),
            save_seconds: u32::try_from(SAVE_SECONDS.default).unwrap_or(u32::MAX),
        }
    }
}

impl Limits {
    /// These limits, each within its range.
    #[must_use]
    pub fn in_range(self) -> Self {
        let within = |value: usize, limit: &Limit| number(limit.clamp(u64::try_from(value).unwrap_or(u64::MAX)));
        let save_seconds = SAVE_SECONDS.clamp(u64::from(self.save_seconds));
        Self {
            node_sources: within(self.node_sources, &NODE_SOURCES),
            prefix_sources: within(self.prefix_sources, &PREFIX_SOURCES),
            all_sources: within(self.all_sources, &ALL_SOURCES),
            prefixes: within(self.prefixes, &PREFIXES),
            kept_days: within(self.kept_days, &KEPT_DAYS),
            save_seconds: u32::try_from(save_seconds).unwrap_or(u32::MAX),
        }
    }
}

fn number(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
