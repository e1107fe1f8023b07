//! What operators ask of recursion. The node that has it says how; this crate says who may.

use std::future::Future;
use std::pin::Pin;

use waymark_api::operator::v1;

/// What is asked of a node that resolves names that live elsewhere.
pub trait Recursion: Send + Sync {
    /// What the cache holds, and what was counted.
    fn stats(&self) -> v1::RecursionStats;

    /// Forgets; gives the number of entries that went.
    fn flush(&self, what: &v1::flush_cache_request::What) -> u64;

    /// Everything the cache holds.
    fn entries(&self) -> Box<dyn Iterator<Item = v1::CacheEntry> + Send>;

    /// Resolves a name and tells each step.
    fn trace(&self, request: v1::TraceNameRequest) -> Pin<Box<dyn Future<Output = v1::TraceNameResponse> + Send>>;
}
