//! The slow way to the data: reads the disk and may wait. For capped pools and tools, never for an answering thread.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use waymark_ident::{CaseRule, Handle};
use waymark_store::{DamagedKey, EntryKind, ReadError, Serial, StateError, Store};

use crate::business::{FileKind, Owner, StoredFile};
use crate::locate::{Located, Locator};
use crate::prefixes::key_of;
use crate::projection::{OWN_RECORDS, RECORDS, own_records_key, read_count};
use crate::range::RangeName;
use crate::record::{OwnedRecord, RecordError, Stored, verify};
use crate::reserved::{ReservedKey, is_reserved};

/// One thread's way to records on disk.
pub struct ColdReader {
    pub(crate) locator: Locator,
    pub(crate) store: Arc<dyn Store>,
    visible: Arc<AtomicU64>,
    pub(crate) rule: CaseRule,
}

impl std::fmt::Debug for ColdReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ColdReader").field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl ColdReader {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        index: waymark_index::Reader,
        visible: Arc<AtomicU64>,
        rule: CaseRule,
    ) -> Self {
        Self { locator: Locator::new(Arc::clone(&store), index), store, visible, rule }
    }

    /// Everything up to this serial is visible; what the store holds beyond it is about to be.
    pub(crate) fn visible(&self) -> Serial {
        Serial(self.visible.load(Ordering::Acquire))
    }

    /// The record of a handle, its key compared and its checksum verified; `None` when there is none.
    ///
    /// # Errors
    /// The record, or what may be it, cannot be read or is not what it should be. Nothing of it is handed out.
    pub fn fetch(&mut self, handle: &Handle<'_>) -> Result<Option<OwnedRecord>, FetchError> {
        let key = key_of(handle, self.rule);
        let Some(Located { serial, time, body, .. }) = self.locator.find(&key)? else { return Ok(None) };
        verify(&key, &body, self.rule)?;
        Ok(Some(OwnedRecord { body, serial, time }))
    }

    /// Visits the records whose canonical keys begin with `prefix` and are greater than `after`, in order of the keys,
    /// until the visitor breaks. Records written meanwhile may or may not be seen.
    ///
    /// # Errors
    /// A record that cannot be read or is not what it should be; those before it were visited.
    pub fn scan(
        &self,
        after: &[u8],
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8], Stored<'_>) -> ControlFlow<()>,
    ) -> Result<(), FetchError> {
        // Reserved keys sort before all others.
        let after = if after.is_empty() && prefix.is_empty() { &[0, u8::MAX] } else { after };
        let mut wrong: Option<FetchError> = None;
        self.store.scan_keys(after, prefix, &mut |met| {
            let entry = match met {
                Ok(entry) => entry,
                Err(DamagedKey { key, .. }) if is_reserved(key) => return ControlFlow::Continue(()),
                Err(DamagedKey { error, .. }) => {
                    wrong = Some(error.into());
                    return ControlFlow::Break(());
                }
            };
            if is_reserved(entry.key) {
                return ControlFlow::Continue(());
            }
            match verify(entry.key, entry.body, self.rule) {
                Ok(stored) => visit(entry.key, stored),
                Err(error) => {
                    wrong = Some(error.into());
                    ControlFlow::Break(())
                }
            }
        })?;
        wrong.map_or(Ok(()), Err)
    }

    /// A file of an enterprise or of the node, sealed as it is stored; `None` when there is none.
    ///
    /// # Errors
    /// It cannot be read, or is not what it should be.
    pub fn file(&self, owner: Owner, kind: FileKind) -> Result<Option<StoredFile>, FetchError> {
        let key = ReservedKey::File(owner, kind).to_bytes();
        let Some(place) = self.store.find(&key)? else { return Ok(None) };
        let mut buffer = Vec::new();
        let entry = self.store.read(place, &mut buffer)?;
        if entry.kind != EntryKind::PUT || entry.key != key {
            return Ok(None);
        }
        StoredFile::from_body(entry.body).map(Some).ok_or(FetchError::Record(RecordError::Key))
    }

    /// Number of live records under `prefix`, folded to upper case, as of the last commit the state was fed with.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn record_count(&self, prefix: &[u8]) -> Result<u64, StateError> {
        Ok(self.store.state().get(RECORDS, prefix)?.map_or(0, |value| read_count(&value)))
    }

    /// Number of live records among the codes of a package, as of the last commit the state was fed with.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn own_record_count(&self, range: &RangeName) -> Result<u64, StateError> {
        let count = self.store.state().get(OWN_RECORDS, &own_records_key(range))?;
        Ok(count.map_or(0, |value| read_count(&value)))
    }

    /// Visits the number of live records of each prefix, in order of the prefixes, until the visitor breaks.
    ///
    /// # Errors
    /// The state cannot be read; prefixes before were visited.
    pub fn record_counts(&self, visit: &mut dyn FnMut(&[u8], u64) -> ControlFlow<()>) -> Result<(), StateError> {
        self.store.state().scan(RECORDS, b"", &mut |prefix, value| visit(prefix, read_count(value)))
    }
}

/// Why a record was not handed out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The disk refused, or its bytes are damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The bytes are sound and no record of this version.
    #[error(transparent)]
    Record(#[from] RecordError),
}
