//! Taking the items of old notes away. The heads stay, so the chain can be verified as before.
//!
//! A pruning is told of in the audit before it begins: items that are gone without one were taken away by somebody else. How far the last one
//! got is kept in a blob of the store, `audit-pruned`, content version 1: the serial (8, big-endian). Without it the next one begins from the
//! start and finds the same.

use std::sync::mpsc;

use waymark_store::{Entry, FollowError, RedactError, Redacted, Serial, Store, Timestamp};

use crate::catalog::Catalog;
use crate::queue::WriteError;

use super::head::is_note;
use super::note::{Note, NoteHead};

/// What a pruning did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Notes whose items were taken away.
    pub notes: u64,
    /// Bytes of those notes in the log.
    pub bytes: u64,
    /// Notes up to this serial were gone through, now or earlier.
    pub upto: Serial,
    /// Notes written before this time are past their keep time.
    pub before: Timestamp,
    /// Groups that are damaged and were left as they are.
    pub damaged: u64,
}

/// A pruning on its way into the audit.
pub(crate) struct Announcement {
    pub(crate) upto: Serial,
    pub(crate) before: Timestamp,
    /// How it went.
    pub(crate) answer: mpsc::SyncSender<Result<(), WriteError>>,
}

impl Catalog {
    /// Takes away the items of notes that are past their keep time at `now`. The store goes through whole segments and never the newest, so
    /// some notes stay until a later pruning. Reads the log since the last pruning; call it once a day, from a thread that may wait.
    ///
    /// # Errors
    /// See [`PruneError`]. Calling it again goes on.
    pub fn prune_audit(&self, now: Timestamp) -> Result<Pruned, PruneError> {
        let keep = u64::try_from(self.audit_options().keep.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp(now.0.saturating_sub(keep));
        let store = self.store();
        let upto = Serial(store.serial_at(before)?.0.saturating_sub(1));
        let after = pruned_upto(store.as_ref());
        if upto <= after {
            return Ok(Pruned { upto: after, before, ..Pruned::default() });
        }
        self.announce_pruning(upto, before).map_err(PruneError::Announce)?;
        let Redacted { upto, entries, bytes, damaged, .. } = store.redact(after, upto, &mut without_items)?;
        // Lost, it costs the next pruning time.
        drop(store.blobs().write_atomically(BLOB, BLOB_VERSION, &upto.0.to_be_bytes()));
        Ok(Pruned { notes: entries, bytes, upto, before, damaged })
    }
}

/// How far the last pruning got.
fn pruned_upto(store: &dyn Store) -> Serial {
    match store.blobs().read_verified(BLOB) {
        Ok(Some((BLOB_VERSION, content))) => {
            // A log that was cut meanwhile ends before it.
            let upto = content.try_into().map_or(Serial::NONE, |bytes| Serial(u64::from_be_bytes(bytes)));
            upto.min(store.last().serial)
        }
        _ => Serial::NONE,
    }
}

/// The note without its items; `None` for what has none.
fn without_items(entry: &Entry<'_>) -> Option<Vec<u8>> {
    let note = is_note(entry).then(|| Note::parse(entry.body).ok()).flatten()?;
    (!note.head.pruned).then(|| NoteHead { pruned: true, ..note.head }.to_bytes().to_vec())
}

/// Name and version of the blob.
const BLOB: &str = "audit-pruned";
const BLOB_VERSION: u32 = 1;

/// Why the audit was not pruned, or not to the end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PruneError {
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Log(#[from] FollowError),
    /// The pruning could not be told of in the audit, so nothing was taken away.
    #[error("the pruning could not be told of in the audit")]
    Announce(#[source] WriteError),
    /// The store did not take the items away.
    #[error("the items could not be taken away")]
    Store(#[from] RedactError),
}
