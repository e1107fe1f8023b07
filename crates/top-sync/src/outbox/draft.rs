//! Rows on their way into parts: written to files as they come, so that a day of millions takes no memory.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use waymark_catalog::business::FileKind;
use waymark_catalog::vault::Sealed;

use super::kept;
use crate::config::{PART_BYTES, PART_ROWS};
use crate::sets::SetName;
use crate::sets::business::Take;

/// A part whose rows are written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    pub(super) crc32c: u32,
}

/// Rows of one set and period. Its files get their sequences when the outbox takes it: until then they count for nothing.
#[derive(Debug)]
pub struct Draft {
    set: SetName,
    aside: Aside,
    written: Vec<Written>,
    open: Option<Open>,
    /// Rows that are not in the file of the open part yet.
    pending: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    file: File,
    digest: Sha256,
    crc32c: u32,
    rows: u64,
    bytes: u64,
}

impl Open {
    fn write(&mut self, content: &[u8]) -> io::Result<()> {
        self.digest.update(content);
        self.crc32c = crc32c::crc32c_append(self.crc32c, content);
        self.file.write_all(content)
    }
}

/// Bytes of rows written and digested at once: small enough to lie near the processor, large enough for both to be quick.
const PENDING_BYTES: usize = 256 << 10;

/// Where the rows of a part lie.
pub(super) fn path(folder: &Path, set: SetName, sequence: u64) -> PathBuf {
    folder.join(format!("{set}-{sequence:012}.jsonl"))
}

/// Files of parts that no outbox has taken yet. They go with it: a draft that failed, perhaps because the disk is full, gives its room back.
#[derive(Debug)]
struct Aside {
    folder: PathBuf,
    /// Tells it from other drafts of the process.
    number: u64,
    files: usize,
}

impl Aside {
    /// Where the rows of a part lie, from 1.
    fn path(&self, part: usize) -> PathBuf {
        self.folder.join(format!("draft-{}-{part}.jsonl", self.number))
    }

    fn create(&mut self) -> io::Result<File> {
        self.files += 1;
        File::create(self.path(self.files))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        for part in 1..=self.files {
            // Those that were named are there no more; what cannot be removed now is by the next start.
            let _gone = fs::remove_file(self.path(part));
        }
    }
}

/// A draft that is written down: its parts in order.
#[derive(Debug)]
pub(super) struct Finished {
    set: SetName,
    aside: Aside,
    pub(super) written: Vec<Written>,
}

impl Finished {
    /// Gives the files their sequences, from `first` on, for good.
    pub(super) fn name(&self, first: u64) -> io::Result<()> {
        let folder = &self.aside.folder;
        for (part, sequence) in (1..=self.written.len()).zip(first..) {
            fs::rename(self.aside.path(part), path(folder, self.set, sequence))?;
        }
        File::open(folder)?.sync_all()
    }
}

impl Draft {
    pub(super) fn new(folder: PathBuf, set: SetName, number: u64) -> Self {
        let aside = Aside { folder, number, files: 0 };
        Self { set, aside, written: Vec::new(), open: None, pending: Vec::new() }
    }

    /// Of which set.
    #[must_use]
    pub const fn set(&self) -> SetName {
        self.set
    }

    /// Whether no row was taken.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.written.is_empty() && self.open.is_none()
    }

    fn open(&mut self) -> io::Result<Open> {
        Ok(Open { file: self.aside.create()?, digest: Sha256::new(), crc32c: 0, rows: 0, bytes: 0 })
    }

    /// Takes what `write` writes as the next row.
    fn put_line(&mut self, write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>) -> io::Result<()> {
        let start = self.pending.len();
        if let Err(error) = write(&mut self.pending) {
            self.pending.truncate(start);
            return Err(error.into());
        }
        self.pending.push(b'\n');
        let length = self.pending.len() - start;
        if length > PART_BYTES {
            self.pending.truncate(start);
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a row is longer than a part may be"));
        }
        let length = length as u64;
        let is_full = |open: &Open| open.rows >= PART_ROWS || open.bytes + length > PART_BYTES as u64;
        if self.open.as_ref().is_some_and(is_full) {
            let row = self.pending.split_off(start);
            self.end_part()?;
            self.pending = row;
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open()?,
        };
        open.rows += 1;
        open.bytes += length;
        if self.pending.len() >= PENDING_BYTES {
            open.write(&self.pending)?;
            self.pending.clear();
        }
        self.open = Some(open);
        Ok(())
    }

    fn end_part(&mut self) -> io::Result<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        open.write(&self.pending)?;
        self.pending.clear();
        let Open { file, digest, crc32c, rows, bytes } = open;
        file.sync_all()?;
        self.written.push(Written { rows, bytes, sha256: hex::encode(digest.finalize()), crc32c });
        Ok(())
    }

    /// Ends it: one part at least, whose rows are on the disk.
    pub(super) fn end(mut self) -> io::Result<Finished> {
        if self.is_empty() {
            self.open = Some(self.open()?);
        }
        self.end_part()?;
        let Self { set, aside, written, .. } = self;
        Ok(Finished { set, aside, written })
    }

    /// Takes the rows of one part as they are, instead of any others.
    pub(super) fn take_part(&mut self, content: &[u8], rows: u64) -> io::Result<()> {
        let mut open = self.open()?;
        open.write(content)?;
        (open.rows, open.bytes) = (rows, content.len() as u64);
        self.open = Some(open);
        Ok(())
    }
}

impl Take for Draft {
    type Error = io::Error;

    fn take(&mut self, row: &impl Serialize, sealed: Option<&Sealed>) -> io::Result<()> {
        self.put_line(|line| kept::write_row(line, row, sealed))
    }

    /// Each file is a part by itself: with its bytes it may be as long as one may be.
    fn take_file(&mut self, prefix: &str, kind: FileKind) -> io::Result<()> {
        self.end_part()?;
        self.put_line(|line| kept::write_file(line, prefix, kind))?;
        self.end_part()
    }
}

/// Removes the files of parts that were written and never taken, and whatever else was begun; gives how many.
pub(super) fn sweep(folder: &Path, is_kept: impl Fn(&Path) -> bool) -> io::Result<u64> {
    let mut gone = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !is_kept(&path) {
            fs::remove_file(&path)?;
            gone += 1;
        }
    }
    Ok(gone)
}
