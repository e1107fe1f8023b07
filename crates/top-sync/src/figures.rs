//! How often names were asked for: told by whoever counts it.

use std::net::IpAddr;

use crate::calendar::Day;

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
    /// Requests that may be missing, since records of answers were lost.
    pub lost: u64,
}

/// Whoever counts requests.
pub trait Figures: Send + Sync + std::fmt::Debug {
    /// The requests of a day, for the node (`None`) or for a folded prefix; `None` when that day was not counted.
    fn requests(&self, day: Day, prefix: Option<&[u8]>) -> Option<Requests>;
}
