//! sled 0.34: a batch and a flush for each group.
//!
//! Its flush is weaker than the others': it asks the system for `sync_file_range`, which does not empty the disk's cache.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::Keeper;
use super::records::Record;

/// sled with its defaults.
#[derive(Debug)]
pub struct Sled {
    db: sled::Db,
    file: PathBuf,
}

impl Sled {
    /// A new one in folder `dir`.
    ///
    /// # Errors
    /// sled refuses.
    pub fn create(dir: &Path) -> Result<Self, Box<dyn Error>> {
        let dir = dir.join("sled");
        Ok(Self { db: sled::open(&dir)?, file: dir.join("db") })
    }
}

impl Keeper for Sled {
    fn name(&self) -> &'static str {
        "sled (weaker flush)"
    }

    fn keep(&mut self, group: &[Record]) -> Result<(), Box<dyn Error>> {
        self.load(group)?;
        self.db.flush()?;
        Ok(())
    }

    fn load(&mut self, group: &[Record]) -> Result<(), Box<dyn Error>> {
        let mut batch = sled::Batch::default();
        for record in group {
            batch.insert(record.key.as_slice(), record.body.as_slice());
        }
        self.db.apply_batch(batch)?;
        Ok(())
    }

    fn settle(&mut self) -> Result<(), Box<dyn Error>> {
        self.db.flush()?;
        File::open(&self.file)?.sync_all()?;
        Ok(())
    }
}
