//! Rows on their way into parts: written to files as they come, so that a day of millions takes no memory.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
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
}

/// Rows of one set and period. Its files get their sequences when the outbox takes it: until then they count for nothing.
#[derive(Debug)]
pub struct Draft {
    folder: PathBuf,
    set: SetName,
    /// Tells it from other drafts of the process.
    number: u64,
    written: Vec<Written>,
    open: Option<Open>,
    line: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    file: BufWriter<File>,
    digest: Sha256,
    rows: u64,
    bytes: u64,
}

/// Where the rows of a part lie.
pub(super) fn path(folder: &Path, set: SetName, sequence: u64) -> PathBuf {
    folder.join(format!("{set}-{sequence:012}.jsonl"))
}

/// Where the rows of a draft's part lie, from 1.
fn aside(folder: &Path, number: u64, part: usize) -> PathBuf {
    folder.join(format!("draft-{number}-{part}.jsonl"))
}

/// A draft that is written down: its parts in order.
#[derive(Debug)]
pub(super) struct Finished {
    folder: PathBuf,
    set: SetName,
    number: u64,
    pub(super) written: Vec<Written>,
}

impl Finished {
    /// Gives the files their sequences, from `first` on, for good.
    pub(super) fn name(&self, first: u64) -> io::Result<()> {
        for (part, sequence) in (1..=self.written.len()).zip(first..) {
            fs::rename(aside(&self.folder, self.number, part), path(&self.folder, self.set, sequence))?;
        }
        File::open(&self.folder)?.sync_all()
    }
}

impl Draft {
    pub(super) fn new(folder: PathBuf, set: SetName, number: u64) -> Self {
        Self { folder, set, number, written: Vec::new(), open: None, line: Vec::new() }
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
        let path = aside(&self.folder, self.number, self.written.len() + 1);
        let file = BufWriter::with_capacity(1 << 16, File::create(path)?);
        Ok(Open { file, digest: Sha256::new(), rows: 0, bytes: 0 })
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.line.push(b'\n');
        if self.line.len() > PART_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a row is longer than a part may be"));
        }
        self.put_line()
    }

    fn put_line(&mut self) -> io::Result<()> {
        let length = self.line.len() as u64;
        let is_full = |open: &Open| open.rows >= PART_ROWS || open.bytes + length > PART_BYTES as u64;
        if self.open.as_ref().is_some_and(is_full) {
            self.end_part()?;
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open()?,
        };
        open.file.write_all(&self.line)?;
        open.digest.update(&self.line);
        open.rows += 1;
        open.bytes += length;
        self.open = Some(open);
        Ok(())
    }

    fn end_part(&mut self) -> io::Result<()> {
        let Some(Open { file, digest, rows, bytes }) = self.open.take() else { return Ok(()) };
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        self.written.push(Written { rows, bytes, sha256: hex::encode(digest.finalize()) });
        Ok(())
    }

    /// Ends it: one part at least, whose rows are on the disk.
    pub(super) fn end(mut self) -> io::Result<Finished> {
        if self.is_empty() {
            self.open = Some(self.open()?);
        }
        self.end_part()?;
        let Self { folder, set, number, written, .. } = self;
        Ok(Finished { folder, set, number, written })
    }

    /// Takes the rows of one part as they are, instead of any others.
    pub(super) fn take_part(&mut self, content: &[u8], rows: u64) -> io::Result<()> {
        let mut open = self.open()?;
        open.file.write_all(content)?;
        open.digest.update(content);
        (open.rows, open.bytes) = (rows, content.len() as u64);
        self.open = Some(open);
        Ok(())
    }
}

impl Take for Draft {
    type Error = io::Error;

    fn take(&mut self, row: &impl Serialize, sealed: Option<&Sealed>) -> io::Result<()> {
        self.line.clear();
        kept::write_row(&mut self.line, row, sealed)?;
        self.end_line()
    }

    /// Each file is a part by itself: with its bytes it may be as long as one may be.
    fn take_file(&mut self, prefix: &str, kind: FileKind) -> io::Result<()> {
        self.end_part()?;
        self.line.clear();
        kept::write_file(&mut self.line, prefix, kind)?;
        self.end_line()?;
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
