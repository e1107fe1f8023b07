//! How parts get to the node above. The real interface of most sets is not public: whoever has it writes one more [`Transport`].

pub mod directory;
pub mod grpc;

use std::future::Future;
use std::pin::Pin;

use crate::desk::{Desk, DeskError};
use crate::outbox::OutboxError;

/// Carries parts from a desk to the node above.
pub trait Transport: Send + Sync + std::fmt::Debug {
    /// Where to, for people.
    fn destination(&self) -> String;

    /// Carries what waits, and tells the desk what became of it; gives how many parts were settled. Ends when nothing waits any more, or with the
    /// first failure that concerns more than one part. Whatever has no reply when it ends waits again.
    fn carry<'a>(&'a self, desk: &'a Desk) -> Carrying<'a>;
}

/// Parts under way.
pub type Carrying<'a> = Pin<Box<dyn Future<Output = Result<u64, CarryError>> + Send + 'a>>;

/// Why parts did not get there. The causes are for people.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CarryError {
    /// A part cannot be put together.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// What became of a part cannot be noted.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The node above cannot be reached, or broke off.
    #[error("the node above: {cause}")]
    Above {
        /// What it said, or the network.
        cause: String,
    },
    /// It does not say anything any more.
    #[error("the node above has not acknowledged anything for {seconds} s")]
    Silent {
        /// For so long.
        seconds: u64,
    },
    /// A thread that reads or notes parts ended before it was done.
    #[error("parts cannot be read or noted: {cause}")]
    Broken {
        /// Why.
        cause: String,
    },
    /// Files cannot be written.
    #[error("{}", path.display())]
    Io {
        /// Where.
        path: std::path::PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}
