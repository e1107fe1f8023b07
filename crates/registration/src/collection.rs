//! What enterprises with nodes of their own report to this one. The node that collects it says how; this crate says who may.

use waymark_api::toplevel::v1::watermarks_response::Watermark;
use waymark_api::toplevel::v1::{Acknowledgement, Part};

/// Why a part is neither taken nor refused; it may come again as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CollectProblem {
    /// The prefix is not given to a node of its own.
    NotDelegated,
    /// By the clock here, what it tells of is not over.
    Early,
    /// As much of the owner waits as may.
    Full,
    /// It could not be kept: what the disk says.
    Failed(String),
}

/// What is asked of a node that collects. Reads and writes the disk: where waiting is allowed. That the caller may report for the prefix was checked.
pub trait Collection: Send + Sync {
    /// Takes a part, or says what is wrong with it. What is acknowledged is durable.
    ///
    /// # Errors
    /// It is neither taken nor refused.
    fn take(&self, part: Part) -> Result<Acknowledgement, CollectProblem>;

    /// Up to where each set of a prefix was taken or refused.
    fn watermarks(&self, prefix: &str) -> Vec<Watermark>;
}
