//! The store with its record log, as a node runs it.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use waymark_store::{EntryKind, Group, Options, Serial, Store, Timestamp, open};

use super::Keeper;
use super::records::Record;

/// The store.
#[derive(Debug)]
pub struct LogStore {
    store: Arc<dyn Store>,
    group: Group,
}

impl LogStore {
    /// A new one in folder `dir`, with the defaults.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn create(dir: &Path) -> Result<Self, Box<dyn Error>> {
        let (store, _) = open(&Options::new(dir.join("store")))?;
        Ok(Self { store, group: Group::new() })
    }
}

impl Keeper for LogStore {
    fn name(&self) -> &'static str {
        "store"
    }

    fn keep(&mut self, group: &[Record]) -> Result<(), Box<dyn Error>> {
        self.group.clear();
        for record in group {
            self.group.push(EntryKind::PUT, &record.key, b"bench", Serial::NONE, &record.body)?;
        }
        self.store.commit(Timestamp(1_700_000_000_000), &self.group)?;
        Ok(())
    }
}
