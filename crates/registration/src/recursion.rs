//! What operators and verdicts ask of recursion. The node that has it says how; this crate says who may.

use std::future::Future;
use std::pin::Pin;

use waymark_api::operator::v1;

/// What the node a handle lives at says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing: it could not be asked, or not in time.
    Nothing,
    /// There is none of this name, known since so many seconds.
    Absent {
        /// Seconds since it was asked.
        age_seconds: u32,
    },
    /// All that everybody may read.
    Values {
        /// How many values.
        count: u32,
        /// Their wire form, checked.
        wire: Box<[u8]>,
        /// Seconds since it was asked.
        age_seconds: u32,
    },
}

/// What is asked of a node that resolves names that live elsewhere.
pub trait Recursion: Send + Sync {
    /// What the cache holds, and what was counted.
    fn stats(&self) -> v1::RecursionStats;

    /// Forgets; gives the number of entries that went.
    fn flush(&self, what: &v1::flush_cache_request::What) -> u64;

    /// Everything the cache holds.
    fn entries(&self) -> Box<dyn Iterator<Item = v1::CacheEntry> + Send>;

    /// What the node a handle lives at says of it, from memory where that is fresh. Ends within the time of a question.
    fn hear(&self, handle: &[u8]) -> Pin<Box<dyn Future<Output = Heard> + Send>>;

    /// Resolves a name and tells each step.
    fn trace(&self, request: v1::TraceNameRequest) -> Pin<Box<dyn Future<Output = v1::TraceNameResponse> + Send>>;
}
