//! The limit: a file that bytes are appended to, flushed after each group, and nothing else.

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use super::Keeper;
use super::records::Record;

/// An append log that can not even be read.
#[derive(Debug)]
pub struct RawLog {
    file: File,
    group: Vec<u8>,
}

impl RawLog {
    /// A new one in folder `dir`.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn create(dir: &Path) -> Result<Self, Box<dyn Error>> {
        Ok(Self { file: File::create_new(dir.join("raw.log"))?, group: Vec::new() })
    }
}

impl Keeper for RawLog {
    fn name(&self) -> &'static str {
        "raw log"
    }

    fn keep(&mut self, group: &[Record]) -> Result<(), Box<dyn Error>> {
        self.group.clear();
        for record in group {
            self.group.extend_from_slice(&record.key);
            self.group.extend_from_slice(&record.body);
        }
        self.file.write_all(&self.group)?;
        self.file.sync_data()?;
        Ok(())
    }

    /// What lies before the end makes no difference to a file.
    fn load(&mut self, _group: &[Record]) -> Result<(), Box<dyn Error>> {
        Ok(())
    }
}
