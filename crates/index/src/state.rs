//! What readers and the writer share, and the end of it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::epoch::{Clock, Limbo};
use crate::key::HashKey;
use crate::slot::Kind;
use crate::statistics::Counters;
use crate::sync::{AtomicPtr, Mutex};
use crate::table::Table;

/// One index: readers hold it, so it is dropped after the last of them.
pub(crate) struct State {
    /// The table in use. Never null; written by the writer only.
    pub(crate) root: AtomicPtr<Table>,
    /// When memory can be given back.
    pub(crate) clock: Clock,
    /// The writer's figures.
    pub(crate) counters: Counters,
    /// How the keys of this index are hashed.
    pub(crate) hash_key: HashKey,
    /// What the writer left when it was dropped: readers may go on after it.
    estate: Mutex<Option<Estate>>,
}

/// The last table, and what had not been freed yet.
struct Estate {
    table: Arc<Table>,
    limbo: Limbo,
}

impl State {
    /// An index whose readers find `table`, kept alive by the caller.
    pub(crate) fn new(hash_key: HashKey, table: &Arc<Table>) -> Self {
        Self {
            root: AtomicPtr::new(Arc::as_ptr(table).cast_mut()),
            clock: Clock::new(),
            counters: Counters::default(),
            hash_key,
            estate: Mutex::new(None),
        }
    }

    /// Makes `table` the one readers find. The caller keeps it alive until it is replaced, and retires it then.
    pub(crate) fn publish(&self, table: &Arc<Table>) {
        // Release: whoever sees the table sees its slots.
        self.root.store(Arc::as_ptr(table).cast_mut(), Ordering::Release);
    }

    /// Takes over from a writer that is being dropped.
    pub(crate) fn inherit(&self, table: Arc<Table>, limbo: Limbo) {
        *self.estate.lock().unwrap_or_else(PoisonError::into_inner) = Some(Estate { table, limbo });
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let estate = self.estate.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Estate { table, mut limbo }) = estate else { return };
        // SAFETY: every reader holds this state, and it is being dropped, so there is none.
        unsafe { limbo.release_all() };
        for (_, word) in table.entries() {
            if let Kind::Resident(record) = word.kind() {
                // SAFETY: a resident word of the last table leads to a live record, in one slot only; nobody reads it (above).
                unsafe { record.free() };
            }
        }
    }
}
