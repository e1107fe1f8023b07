//! How often names were asked for, as the sets tell it.

use std::fmt;
use std::net::IpAddr;

use crate::calendar::Day;
use crate::traffic::{DayTally, Losses, ReadError, Tally, Traffic};

/// Requests of a day, for the node or an enterprise's prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Received.
    pub requests: u64,
    /// Of these, answered with what was asked for.
    pub successes: u64,
    /// Requests by source, by descending count.
    pub sources: Vec<(IpAddr, u64)>,
    /// Requests of sources beyond these.
    pub other_sources: u64,
    /// Most that a count of a source may be too great by; 0: every count is exact.
    pub error: u64,
    /// Whether requests may be missing.
    pub is_missing: bool,
}

impl Requests {
    /// Those of a tally; `None` where nothing was asked.
    #[must_use]
    pub fn of(tally: Option<&Tally>, losses: &Losses) -> Self {
        let is_missing = !losses.is_empty();
        let Some(tally) = tally else { return Self { is_missing, ..Self::default() } };
        let listed = tally.sources().top(SOURCES);
        let counted: u64 = listed.iter().map(|source| source.count).sum();
        Self {
            requests: tally.requests(),
            successes: tally.successes(),
            other_sources: tally.requests().saturating_sub(counted),
            error: listed.iter().map(|source| source.over).max().unwrap_or(0),
            sources: listed.into_iter().map(|source| (source.source, source.count)).collect(),
            is_missing,
        }
    }

    /// Those of a day that was not counted.
    #[must_use]
    pub fn not_counted() -> Self {
        Self { is_missing: true, ..Self::default() }
    }
}

/// Sources told of a prefix and day at most; the others are told as one number. A row stays below a mebibyte.
const SOURCES: usize = 10_000;

/// Whoever counts requests.
pub trait Figures: Send + Sync + fmt::Debug {
    /// The figures of a day; `None` when it was not counted.
    ///
    /// # Errors
    /// They cannot be read.
    fn day(&self, day: Day) -> Result<Option<DayTally>, ReadError>;
}

impl Figures for Traffic {
    fn day(&self, day: Day) -> Result<Option<DayTally>, ReadError> {
        Self::day(self, day)
    }
}
