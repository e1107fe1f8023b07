//! Limits of the cache: default, smallest and largest value, unit and reason.

use std::time::Duration;

use waymark_wire::frame::config::Limit;

/// Bytes the cache may hold, its own overhead included. Default: some 350,000 answers of 600 bytes, which on the usual curve of popularity
/// (Zipf, exponent 0.9) is where a million names asked for are answered from it nine times in ten.
pub const BUDGET_BYTES: Limit<u64> = Limit { default: 256 << 20, min: 1 << 20, max: 1 << 40 };

/// Shortest time an answer is kept, whatever its values say. A value of time to live 0 asked for by a till each second would otherwise cost
/// an upstream question each second; values that must not be late have their publisher tell us.
pub const FLOOR: Limit<Duration> =
    Limit { default: Duration::from_secs(1), min: Duration::ZERO, max: Duration::from_secs(3_600) };

/// Longest time an answer is kept, whatever its values say: that of the protocol's clients, two days (do-irp section 16).
pub const CEILING: Limit<Duration> =
    Limit { default: Duration::from_secs(172_800), min: Duration::from_secs(1), max: Duration::from_secs(172_800) };

/// How long a name is known not to exist, or to show nothing. An absence says no time to live. Default: what a printing line that registers
/// late, after its first packages were scanned, can live with.
pub const ABSENT: Limit<Duration> =
    Limit { default: Duration::from_secs(60), min: Duration::ZERO, max: Duration::from_secs(86_400) };

/// How long a prefix is known not to exist. Longer than for names: prefixes come by review, and one entry spares all names beneath it.
pub const ABSENT_PREFIX: Limit<Duration> =
    Limit { default: Duration::from_secs(300), min: Duration::ZERO, max: Duration::from_secs(86_400) };

/// How long a failure is remembered, so that everybody who asks is told at once instead of waiting for the same silence.
pub const FAILURE: Limit<Duration> =
    Limit { default: Duration::from_secs(3), min: Duration::ZERO, max: Duration::from_secs(300) };

/// How long after its time an answer may still be given while the servers that know better do not answer. Default: a day, as long as the
/// usual time to live; a shop whose line is cut sells on until tomorrow.
pub const STALE: Limit<Duration> =
    Limit { default: Duration::from_secs(86_400), min: Duration::ZERO, max: Duration::from_secs(604_800) };

/// Time to live that answers past their time are given out with: whoever asked soon asks again.
pub const STALE_TTL_SECONDS: Limit<u32> = Limit { default: 30, min: 1, max: 3_600 };

/// Times an answer is asked for before it is fetched again ahead of its end. Names asked for once are not worth a question upstream.
pub const POPULAR_HITS: Limit<u32> = Limit { default: 3, min: 1, max: 1_000_000 };

/// Answers that wait to be fetched ahead of their end. More are left to end.
pub(crate) const REFRESH_QUEUE: usize = 4_096;

/// Types of values that are never given out past their time: what says whether goods may be sold. One that ends in a dot means its sub-types
/// too. Each costs a comparison for each value learned; two dozen at most.
pub const MAX_NEVER_STALE_TYPES: usize = 24;

/// Looks at a part of the cache that somebody changes, before the question is left to those who may wait.
pub(crate) const TRIES: usize = 16;

/// Bytes of one answer and its place the estimate of their number goes by; it decides how much is laid out at start and how many names are
/// remembered after they went. Less than an answer of 600 bytes takes, so that no part of the tables has to grow beyond what was laid out: it would
/// double.
pub(crate) const USUAL_ENTRY_BYTES: u64 = 640;

/// Most answers whose places are laid out at start, whatever the budget: those of 1.25 GiB. They take some 130 MB.
pub(crate) const MAX_RESERVED: usize = 1 << 21;

/// Names remembered after they went, in parts of the names there is room for. Half of what is usual: on traces of the usual popularity long enough to
/// fill a cache, a quarter hits more often (benchmark `cache-trace`) and takes less memory.
pub(crate) const GHOSTS: f64 = 0.25;

/// Bytes of the cache's own tables for each answer, ghosts of answers that went included. The benchmark `cache-memory` measures them.
pub(crate) const TABLE_BYTES: u64 = 64;

/// What a cache is made with. Values outside their ranges are moved into them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// [`BUDGET_BYTES`].
    pub budget_bytes: u64,
    /// [`FLOOR`].
    pub floor: Duration,
    /// [`CEILING`].
    pub ceiling: Duration,
    /// [`ABSENT`].
    pub absent: Duration,
    /// [`ABSENT_PREFIX`].
    pub absent_prefix: Duration,
    /// [`FAILURE`].
    pub failure: Duration,
    /// [`STALE`].
    pub stale: Duration,
    /// [`STALE_TTL_SECONDS`].
    pub stale_ttl_seconds: u32,
    /// [`POPULAR_HITS`].
    pub popular_hits: u32,
    /// Types of [`MAX_NEVER_STALE_TYPES`].
    pub never_stale_types: Vec<String>,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self {
            budget_bytes: BUDGET_BYTES.default,
            floor: FLOOR.default,
            ceiling: CEILING.default,
            absent: ABSENT.default,
            absent_prefix: ABSENT_PREFIX.default,
            failure: FAILURE.default,
            stale: STALE.default,
            stale_ttl_seconds: STALE_TTL_SECONDS.default,
            popular_hits: POPULAR_HITS.default,
            never_stale_types: ["WAYMARK_RECALL.", "RECALL.", "STATUS."].map(str::to_owned).into(),
        }
    }
}

impl CacheLimits {
    /// Moved into their ranges; the ceiling is not below the floor.
    #[must_use]
    pub fn in_range(mut self) -> Self {
        self.budget_bytes = BUDGET_BYTES.clamp(self.budget_bytes);
        self.floor = FLOOR.clamp(self.floor);
        self.ceiling = CEILING.clamp(self.ceiling).max(self.floor);
        self.absent = ABSENT.clamp(self.absent);
        self.absent_prefix = ABSENT_PREFIX.clamp(self.absent_prefix);
        self.failure = FAILURE.clamp(self.failure);
        self.stale = STALE.clamp(self.stale);
        self.stale_ttl_seconds = STALE_TTL_SECONDS.clamp(self.stale_ttl_seconds);
        self.popular_hits = POPULAR_HITS.clamp(self.popular_hits);
        self.never_stale_types.truncate(MAX_NEVER_STALE_TYPES);
        self
    }
}
