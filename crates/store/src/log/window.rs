//! Reading a segment from front to back through a window of memory.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::bytes::{memory, offset};
use crate::config::{SEARCH_BYTES, WINDOW_BYTES};
use crate::error::{Damage, ReadError};
use crate::format::frame::{self, GROUP_HEADER, GroupHeader, Seed};
use crate::medium::MediumFile;

/// A part of a segment's file in memory.
#[derive(Debug)]
pub(crate) struct Window {
    /// The file, for reports.
    pub(crate) path: PathBuf,
    file: Arc<dyn MediumFile>,
    seed: Seed,
    base: u64,
    /// File offset that is not read beyond.
    end: u64,
    /// File offset of the bytes held.
    start: u64,
    held: Vec<u8>,
    /// Bytes read at once.
    read_bytes: usize,
}

impl Window {
    /// A window on the segment in `file` whose first byte lies at place `base`; nothing at or after offset `end` is read.
    pub(crate) fn new(path: PathBuf, file: Arc<dyn MediumFile>, seed: Seed, base: u64, end: u64) -> Self {
        Self { path, file, seed, base, end, start: 0, held: Vec::new(), read_bytes: WINDOW_BYTES }
    }

    /// The same window, reading so many bytes at once.
    pub(crate) fn reading(self, read_bytes: usize) -> Self {
        Self { read_bytes, ..self }
    }

    /// Place of a file offset.
    pub(crate) const fn place(&self, at: u64) -> u64 {
        self.base + at
    }

    /// Up to `count` bytes from `at`; fewer only before the end.
    ///
    /// # Errors
    /// A refusing disk.
    pub(crate) fn bytes(&mut self, at: u64, count: usize) -> Result<&[u8], ReadError> {
        let count = count.min(memory(self.end.saturating_sub(at)));
        let held = at.checked_sub(self.start).map(memory).filter(|from| from + count <= self.held.len());
        let from = match held {
            Some(from) => from,
            None => {
                self.fill(at, count.max(self.read_bytes))?;
                0
            }
        };
        let until = (from + count).min(self.held.len());
        Ok(self.held.get(from..until).unwrap_or_default())
    }

    fn fill(&mut self, at: u64, count: usize) -> Result<(), ReadError> {
        let count = count.min(memory(self.end.saturating_sub(at)));
        self.held.resize(count, 0);
        let got = self.file.read_at(&mut self.held, at).map_err(|error: io::Error| ReadError::io(&self.path, error))?;
        self.held.truncate(got);
        self.start = at;
        Ok(())
    }

    /// Header of the group at `at`.
    ///
    /// # Errors
    /// Damage as the inner, a refusing disk as the outer error.
    pub(crate) fn group_header(&mut self, at: u64) -> Result<Result<GroupHeader, Damage>, ReadError> {
        let (seed, place) = (self.seed, self.place(at));
        Ok(frame::parse_group_header(self.bytes(at, GROUP_HEADER)?, seed, place))
    }

    /// The whole group at `at`, its checksum verified: header and bytes of the entries.
    ///
    /// # Errors
    /// Damage as the inner, a refusing disk as the outer error.
    pub(crate) fn group(&mut self, at: u64) -> Result<Result<(GroupHeader, &[u8]), Damage>, ReadError> {
        let header = match self.group_header(at)? {
            Ok(header) => header,
            Err(what) => return Ok(Err(what)),
        };
        let (seed, place) = (self.seed, self.place(at));
        Ok(frame::check_group(self.bytes(at, header.length)?, seed, place))
    }

    /// File offset of the first byte at or after `at` that is not zero.
    ///
    /// # Errors
    /// A refusing disk.
    pub(crate) fn first_not_zero(&mut self, mut at: u64) -> Result<Option<u64>, ReadError> {
        loop {
            let bytes = self.bytes(at, WINDOW_BYTES)?;
            if bytes.is_empty() {
                return Ok(None);
            }
            if let Some(found) = bytes.iter().position(|byte| *byte != 0) {
                return Ok(Some(at + offset(found)));
            }
            at += offset(bytes.len());
        }
    }

    /// File offset of the first whole group at or after `at`.
    ///
    /// # Errors
    /// A refusing disk.
    pub(crate) fn next_group(&mut self, mut at: u64) -> Result<Option<u64>, ReadError> {
        while let Some(found) = self.next_magic(at, self.end)? {
            if self.group(found)?.is_ok() {
                return Ok(Some(found));
            }
            at = found + 1;
        }
        Ok(None)
    }

    /// File offset and header of the first group at or after `at` and before `until` whose header is sound; its entries are not looked at.
    ///
    /// # Errors
    /// A refusing disk.
    pub(crate) fn next_header(&mut self, mut at: u64, until: u64) -> Result<Option<(u64, GroupHeader)>, ReadError> {
        while let Some(found) = self.next_magic(at, until)? {
            if let Ok(header) = self.group_header(found)? {
                return Ok(Some((found, header)));
            }
            at = found + 1;
        }
        Ok(None)
    }

    /// File offset of the next bytes at or after `at` and before `until` that look like the beginning of a group.
    fn next_magic(&mut self, mut at: u64, until: u64) -> Result<Option<u64>, ReadError> {
        const MAGIC: usize = frame::GROUP_MAGIC.len();
        while at < until {
            let bytes = self.bytes(at, SEARCH_BYTES)?;
            if bytes.len() < MAGIC {
                break;
            }
            if let Some(found) = bytes.windows(MAGIC).position(|window| *window == frame::GROUP_MAGIC) {
                return Ok(Some(at + offset(found)).filter(|found| *found < until));
            }
            at += offset(bytes.len() - MAGIC + 1);
        }
        Ok(None)
    }

    /// Seed of the store's checksums.
    pub(crate) const fn seed(&self) -> Seed {
        self.seed
    }

    /// File offset that is not read beyond.
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }
}
