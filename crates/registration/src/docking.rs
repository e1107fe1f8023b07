//! What operators ask of the exchange with the top-level node. The node that has it says how it stands; this crate says who may know.

use waymark_api::operator::v1;

/// What is asked of a node that is connected to a top-level node.
pub trait Docking: Send + Sync {
    /// How the exchange stands as a whole.
    fn status(&self) -> v1::DockingStatus;

    /// Every transaction that is open, oldest first; then those that have ended, latest first, where these are wanted too.
    fn transactions(&self, ended: bool) -> Box<dyn Iterator<Item = v1::DockingTransaction> + Send>;
}
