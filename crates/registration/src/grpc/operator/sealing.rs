//! The keys of what is said of people, as the services of enterprises and of the node's own record use them.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use uuid::Uuid;
use waymark_catalog::business::{FileKind, Owner, StoredFile};
use waymark_catalog::vault::{Fresh, People, Vault, VaultError};
use waymark_catalog::{Order, Receipt, Request, command_digest};

use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::reasons::Reason;

/// The keys of this node.
pub(crate) fn vault(edge: &Edge) -> Result<Arc<Vault>, Failure> {
    edge.catalog.vault().cloned().ok_or_else(|| Failure::new(Reason::NoKeys))
}

/// Works with the key file where waiting is allowed. What is wrong with it is for the operator's log, not for callers.
pub(crate) async fn off_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, Failure> {
    let done = spawn_blocking(work).await.map_err(|_| Failure::new(Reason::KeysFailed))?;
    done.map_err(|error| {
        tracing::error!(%error, "the keys of personal data cannot be used");
        Failure::new(Reason::KeysFailed)
    })
}

/// An order that may take something sealed.
pub(super) struct Sealing<S, O> {
    /// Whose record it is for; `None` when that is to be made.
    pub(super) owner: Option<Owner>,
    /// Seals for the record that knows of these people; `None` where there is nothing to seal.
    pub(super) seal: Option<S>,
    /// Puts the order together.
    pub(super) order: O,
    /// The request it goes by.
    pub(super) request_id: Option<Uuid>,
}

/// Seals and carries out. A key that was drawn for it and not used is dropped again: refused and repeated calls must not fill the file.
///
/// All of it is done though the caller gives up waiting.
pub(super) async fn write_sealed<S, O>(
    edge: &Arc<Edge>,
    caller: &Caller,
    sealing: Sealing<S, O>,
) -> Result<Receipt, Failure>
where
    S: FnOnce(&Vault, People) -> Result<Fresh, VaultError> + Send + 'static,
    O: FnOnce(Option<Box<Fresh>>) -> Result<Order, Failure> + Send + 'static,
{
    let (edge, caller) = (Arc::clone(edge), caller.clone());
    to_the_end(async move {
        let Sealing { owner, seal, order, request_id } = sealing;
        let fresh = match seal {
            Some(seal) => {
                let (vault, people) = (vault(&edge)?, people(&edge, owner));
                Some(Box::new(off_loop(move || seal(&vault, people)).await?))
            }
            None => None,
        };
        let drawn = fresh.as_ref().and_then(|fresh| fresh.drawn());
        let done = match order(fresh) {
            Ok(order) => {
                let request = request_id.map(|id| Request { id, digest: command_digest(&order) });
                edge.apply(&caller, order, request).await
            }
            Err(failure) => Err(failure),
        };
        let is_unused = match &done {
            Ok(receipt) => receipt.repeated,
            Err(failure) => wrote_nothing(failure.reason()),
        };
        if let Some(subject) = drawn.filter(|_| is_unused) {
            let vault = vault(&edge)?;
            // Where it stays it opens nothing; what became of the order is what the caller has to know.
            drop(off_loop(move || vault.forget(&subject)).await);
        }
        done
    })
    .await
}

/// Carries out an order that forgets what the record of `owner` says of its people, and drops their keys.
///
/// Both are done though the caller gives up waiting.
pub(super) async fn forget(
    edge: &Arc<Edge>,
    caller: &Caller,
    owner: Owner,
    command: impl Into<Order>,
) -> Result<Receipt, Failure> {
    let (edge, caller, vault, order) = (Arc::clone(edge), caller.clone(), vault(edge)?, command.into());
    to_the_end(async move {
        let done = edge.apply(&caller, order, None).await?;
        // Where the record does not say any more what was forgotten, somebody gave new data meanwhile, and dropped the key before.
        if let Some(subject) = people(&edge, Some(owner)).forgotten {
            off_loop(move || vault.forget(&subject)).await?;
        }
        Ok(done)
    })
    .await
}

fn people(edge: &Edge, owner: Option<Owner>) -> People {
    owner.map_or_else(People::default, |owner| edge.catalog.business().people(owner))
}

/// Does work whether or not anybody waits for it.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    let ended = tokio::spawn(work).await;
    ended.unwrap_or_else(|_| Err(Failure::new(Reason::Internal).with("detail", "an order with sealed data")))
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
            | Reason::Unreadable
            | Reason::TooLarge
            | Reason::DiskFull
            | Reason::RequestReused
            | Reason::IdempotencyExpired
            | Reason::RequestFromFuture
            | Reason::Busy
    )
}

/// A file as it was kept, with the name of its format; that it may be read was settled before. `what` says what is not there.
pub(crate) async fn read_file(
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
