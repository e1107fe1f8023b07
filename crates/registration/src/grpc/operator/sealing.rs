//! The keys of what is said of people, as the services of enterprises and of the node's own record use them.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use waymark_catalog::Receipt;
use waymark_catalog::business::{FileKind, Owner, StoredFile};
use waymark_catalog::vault::{Subject, Vault, VaultError};

use crate::edge::Edge;
use crate::failure::Failure;
use crate::reasons::Reason;

/// The keys of this node.
pub(super) fn vault(edge: &Edge) -> Result<Arc<Vault>, Failure> {
    edge.catalog.vault().cloned().ok_or_else(|| Failure::new(Reason::NoKeys))
}

/// Works with the key file where waiting is allowed. What is wrong with it is for the operator's log, not for callers.
pub(super) async fn off_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, Failure> {
    let done = spawn_blocking(work).await.map_err(|_| Failure::new(Reason::KeysFailed))?;
    done.map_err(|error| {
        tracing::error!(%error, "the keys of personal data cannot be used");
        Failure::new(Reason::KeysFailed)
    })
}

/// Drops a key that was drawn for a command which did not use it: refused and repeated calls must not fill the file.
pub(super) async fn drop_unused(
    edge: &Edge,
    drawn: Option<Subject>,
    done: &Result<Receipt, Failure>,
) -> Result<(), Failure> {
    let is_unused = match done {
        Ok(receipt) => receipt.repeated,
        Err(failure) => wrote_nothing(failure.reason()),
    };
    if let Some(subject) = drawn.filter(|_| is_unused) {
        let vault = vault(edge)?;
        off_loop(move || vault.forget(&subject)).await?;
    }
    Ok(())
}

/// Whether a failure says for certain that nothing was written.
const fn wrote_nothing(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::InvalidArgument
            | Reason::InvalidBusiness
            | Reason::DocumentTaken
            | Reason::NotPermitted
            | Reason::NotFound
            | Reason::RequestReused
            | Reason::IdempotencyExpired
            | Reason::RequestFromFuture
            | Reason::Busy
    )
}

/// A file as it was kept, with the name of its format; that it may be read was settled before. `what` says what is not there.
pub(super) async fn read_file(
    edge: &Edge,
    owner: Owner,
    kind: FileKind,
    what: &'static str,
) -> Result<(&'static str, Vec<u8>), Failure> {
    let no_file = || Failure::new(Reason::NotFound).with("what", what);
    let stored = edge
        .reading
        .read(move |cold| cold.file(owner, kind).map_err(|_| Failure::unreadable("the file as it is stored")));
    let StoredFile { format, sealed } = stored.await?.ok_or_else(no_file)?;
    let vault = vault(edge)?;
    let opened = off_loop(move || vault.unseal_bytes(&sealed)).await?.ok_or_else(no_file)?;
    Ok((format.as_str(), opened.to_vec()))
}
