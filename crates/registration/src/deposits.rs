//! What operators ask of a node that makes deposits for the top-level node. The node says how; this crate says who may.

use std::pin::Pin;

use futures_util::Stream;
use waymark_api::operator::v1;

/// What is told while a deposit is made and sent.
pub type Told = Pin<Box<dyn Stream<Item = v1::MakeDepositResponse> + Send>>;

/// What is asked of a node that makes deposits.
pub trait Deposits: Send + Sync {
    /// Makes a deposit, then gives its files. Whoever lets go of the stream ends the sending, not the making.
    fn make(&self, request: v1::MakeDepositRequest) -> Told;

    /// How the prefixes stand whose deposits the node brings to the platform; `None` where it brings none. Reads the disk.
    ///
    /// # Errors
    /// It cannot be told, and why.
    fn status(&self) -> Option<Result<v1::DepositStatus, String>>;

    /// Has deposits made and brought at once; `None` where the node brings none.
    fn send(&self, request: &v1::SendDepositRequest) -> Option<v1::SendDepositResponse>;
}
