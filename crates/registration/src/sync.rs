//! What operators ask of the exchange with the top-level node. The node that has it says how; this crate says who may.

use waymark_api::operator::v1;

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncProblem {
    /// There is no such part.
    NoPart,
    /// The outbox could not be read or written: what the disk says.
    Failed(String),
}

/// What is asked of a node that is docked. Reads and writes the disk: where waiting is allowed. Names of sets, ranges and reasons were checked.
pub trait TopSync: Send + Sync {
    /// Whether there is a set of this name.
    fn knows(&self, set: &str) -> bool;

    /// How each set stands.
    fn status(&self) -> v1::SyncStatus;

    /// Parts of a set, newest first.
    fn parts(&self, request: &v1::ListPartsRequest) -> v1::ListPartsResponse;

    /// The rows of a part as they are kept.
    ///
    /// # Errors
    /// There is no such part, or its rows are damaged.
    fn rows(&self, request: &v1::PartRowsRequest) -> Result<v1::PartRowsResponse, SyncProblem>;

    /// Lets parts be sent again.
    ///
    /// # Errors
    /// They are as they were.
    fn resend(&self, request: &v1::ResendRequest, by: &str) -> Result<u64, SyncProblem>;

    /// Says of parts that they are settled otherwise.
    ///
    /// # Errors
    /// They are as they were.
    fn mark(&self, request: &v1::MarkRequest, by: &str) -> Result<u64, SyncProblem>;

    /// Holds sets back, or lets them go on.
    ///
    /// # Errors
    /// Some are as they were.
    fn pause(&self, request: &v1::PauseRequest, by: &str) -> Result<u64, SyncProblem>;
}
