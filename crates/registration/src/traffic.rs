//! What operators ask about requests of a day. The node that counts them says it; this crate says who may ask.

use std::future::Future;
use std::pin::Pin;

use waymark_api::operator::v1;

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayAsked {
    /// A day such as `2026-11-29`; not checked.
    pub day: String,
    /// Only this prefix, folded to upper case, beside the node.
    pub prefix: Option<Vec<u8>>,
    /// The most sources to tell of the node and of each prefix.
    pub sources: usize,
}

/// The parts of an answer, in order.
pub type DayParts = Box<dyn Iterator<Item = v1::TrafficPart> + Send>;

/// Why there are no figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrafficError {
    /// The text is no day.
    #[error("no day such as 2026-11-29")]
    NotADay,
    /// Nothing was counted on that day, or it is no longer kept.
    #[error("no figures of that day")]
    Nothing,
    /// The disk does not give them; the node's log says why.
    #[error("figures that cannot be read")]
    Unreadable,
}

/// What is asked of a node that counts requests.
pub trait Traffic: Send + Sync {
    /// The figures of a day: those of the day and the node, then each prefix.
    fn day(&self, asked: DayAsked) -> Pin<Box<dyn Future<Output = Result<DayParts, TrafficError>> + Send>>;

    /// The days there are figures of, in order.
    fn days(&self) -> Pin<Box<dyn Future<Output = Result<Vec<String>, TrafficError>> + Send>>;
}
