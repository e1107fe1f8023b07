//! What operators ask of the exchange with the top-level node. The node that has it says how it stands; this crate says who may know.

use waymark_api::operator::v1;

/// What is asked of a node that is connected to a top-level node.
pub trait Docking: Send + Sync {
    /// How the exchange stands as a whole.
    fn status(&self) -> v1::DockingStatus;

    /// Says for the top-level node what it decided on a prefix; `false` when no transaction about it waits for a verdict.
    ///
    /// # Errors
    /// It cannot be noted, and why.
    fn mark(&self, prefix: &str, approved: bool, reason: &str) -> Result<bool, String>;

    /// Has whatever failed or was refused sent at once.
    fn hurry(&self);

    /// Every transaction that is open, oldest first; then those that have ended, latest first, where these are wanted too.
    fn transactions(&self, ended: bool) -> Box<dyn Iterator<Item = v1::DockingTransaction> + Send>;
}
