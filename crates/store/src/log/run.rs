//! Sorted key runs as files: writing, opening, finding a key, going through.

use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bytes::{Cursor, length_u32, memory, offset};
use crate::config::RUN_BLOCK_BYTES;
use crate::error::{Damage, OpenError, ReadError};
use crate::format::frame::Seed;
use crate::format::run::{
    BLOCK_HEADER, BLOCK_OVERHEAD, BlockAt, KeyAt, RUN_FOOTER, RUN_HEADER, RUN_VERSION, RunFooter, RunHeader,
    close_block, decode_index_line, decode_key, encode_index_line, encode_key, open_block,
};
use crate::format::segment::Versioned;
use crate::medium::{Medium, MediumFile};
use crate::types::Serial;

/// A run, open for reading.
#[derive(Debug)]
pub(crate) struct Run {
    /// Its file.
    pub(crate) path: PathBuf,
    /// First serial of the segments it covers.
    pub(crate) first: Serial,
    /// Last serial of the segments it covers.
    pub(crate) last: Serial,
    /// How often its keys have been merged.
    pub(crate) level: u32,
    /// Keys in it.
    pub(crate) keys: u64,
    /// Length of its file.
    pub(crate) bytes: u64,
    file: Arc<dyn MediumFile>,
    seed: Seed,
    index: Vec<BlockAt>,
}

impl Run {
    /// Opens a run; header, index and footer are verified, blocks when they are read.
    ///
    /// # Errors
    /// Damage, an unknown version, or a refusing disk.
    pub(crate) fn open(medium: &dyn Medium, path: &Path, store_id: &[u8; 16]) -> Result<Self, OpenError> {
        let refused = |error| OpenError::io(path, error);
        let damaged = |at, what| OpenError::damaged(path, at, what);
        let file = medium.open(path).map_err(refused)?;
        let bytes = file.len().map_err(refused)?;
        let mut buffer = vec![0; memory(bytes.min(4096))];
        fill(&*file, &mut buffer, 0, path)?;
        let header = match RunHeader::decode(&buffer).map_err(|what| damaged(0, what))? {
            Versioned::Known(header) => header,
            Versioned::Unknown(found) => {
                return Err(OpenError::Version { file: path.to_owned(), found, known: RUN_VERSION });
            }
        };
        if header.store_id != *store_id {
            return Err(damaged(0, Damage::ForeignStore));
        }
        let seed = Seed::of_store(store_id);
        let footer_at = bytes.saturating_sub(offset(RUN_FOOTER));
        buffer.resize(RUN_FOOTER, 0);
        fill(&*file, &mut buffer, footer_at, path)?;
        let footer = RunFooter::decode(&buffer, seed, footer_at).map_err(|what| damaged(footer_at, what))?;
        buffer.resize(memory(footer.index_bytes), 0);
        fill(&*file, &mut buffer, footer.index_at, path)?;
        let index = read_index(&buffer, seed, &footer).map_err(|what| damaged(footer.index_at, what))?;
        let RunHeader { first, last, level, .. } = header;
        Ok(Self { path: path.to_owned(), first, last, level, keys: footer.keys, bytes, file, seed, index })
    }

    /// Latest entry of `key` among those this run covers.
    ///
    /// # Errors
    /// Damage or a refusing disk.
    pub(crate) fn find(&self, key: &[u8]) -> Result<Option<KeyAt>, ReadError> {
        let Some(block) = self.index.partition_point(|block| *block.first <= *key).checked_sub(1) else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let mut found = Vec::with_capacity(key.len());
        let count = self.read_block(block, &mut bytes)?;
        let mut payload = Cursor::new(block_payload(&bytes));
        for number in 0..count {
            let at = decode_key(&mut payload, &mut found, number == 0).map_err(|what| self.damaged(block, what))?;
            match found.as_slice().cmp(key) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(Some(at)),
                std::cmp::Ordering::Greater => break,
            }
        }
        Ok(None)
    }

    /// Reads block number `block` into `bytes`, verified; returns its number of keys.
    fn read_block(&self, block: usize, bytes: &mut Vec<u8>) -> Result<u32, ReadError> {
        let Some(at) = self.index.get(block) else { return Ok(0) };
        bytes.resize(memory(u64::from(at.bytes)), 0);
        match self.file.read_at(bytes, at.offset) {
            Ok(got) if got == bytes.len() => {}
            Ok(_) => return Err(self.damaged(block, Damage::CutShort)),
            Err(error) => return Err(ReadError::io(&self.path, error)),
        }
        open_block(bytes, self.seed, at.offset).map(|(count, _)| count).map_err(|what| self.damaged(block, what))
    }

    fn damaged(&self, block: usize, what: Damage) -> ReadError {
        ReadError::damaged(&self.path, self.index.get(block).map_or(0, |at| at.offset), what)
    }
}

fn fill(file: &dyn MediumFile, buffer: &mut [u8], at: u64, path: &Path) -> Result<(), OpenError> {
    match file.read_at(buffer, at) {
        Ok(got) if got == buffer.len() => Ok(()),
        Ok(_) => Err(OpenError::damaged(path, at, Damage::CutShort)),
        Err(error) => Err(OpenError::io(path, error)),
    }
}

/// Payload of a verified block.
fn block_payload(bytes: &[u8]) -> &[u8] {
    bytes.get(BLOCK_HEADER..bytes.len().saturating_sub(4)).unwrap_or_default()
}

/// Reads the sparse index and checks that the blocks fill the file from the header to the index without holes.
fn read_index(bytes: &[u8], seed: Seed, footer: &RunFooter) -> Result<Vec<BlockAt>, Damage> {
    let (count, payload) = open_block(bytes, seed, footer.index_at)?;
    if u64::from(count) != footer.blocks {
        return Err(Damage::Structure);
    }
    let mut payload = Cursor::new(payload);
    let mut at = offset(RUN_HEADER);
    let mut index = Vec::new();
    for _ in 0..count {
        let line = decode_index_line(&mut payload).ok_or(Damage::Structure)?;
        if line.offset != at || memory(u64::from(line.bytes)) <= BLOCK_OVERHEAD {
            return Err(Damage::Structure);
        }
        at += u64::from(line.bytes);
        index.push(line);
    }
    if at == footer.index_at && payload.rest().is_empty() { Ok(index) } else { Err(Damage::Structure) }
}

/// A place in a run, going forward.
#[derive(Debug)]
pub(crate) struct RunCursor {
    run: Arc<Run>,
    /// Number of the block after the one held.
    next_block: usize,
    block: Vec<u8>,
    /// Offset in `block` of the next key, and how many are left.
    position: usize,
    left: u32,
    /// Offset in `block` after its first key.
    first_end: usize,
    key: Vec<u8>,
}

impl RunCursor {
    /// Before the first key of `run` within `from`.
    ///
    /// # Errors
    /// Damage or a refusing disk.
    pub(crate) fn new(run: Arc<Run>, from: Bound<&[u8]>) -> Self {
        let start = match from {
            Bound::Unbounded => 0,
            Bound::Included(key) | Bound::Excluded(key) => {
                run.index.partition_point(|block| *block.first <= *key).saturating_sub(1)
            }
        };
        Self { run, next_block: start, block: Vec::new(), position: 0, left: 0, first_end: 0, key: Vec::new() }
    }

    /// The next key into `key`, and its entry; `None` after the last.
    ///
    /// # Errors
    /// Damage or a refusing disk.
    pub(crate) fn next(&mut self, key: &mut Vec<u8>) -> Result<Option<KeyAt>, ReadError> {
        // The last key of the block before, where this one is the first of its block.
        let mut former = None;
        while self.left == 0 {
            if self.next_block >= self.run.index.len() {
                return Ok(None);
            }
            self.left = self.run.read_block(self.next_block, &mut self.block)?;
            self.next_block += 1;
            if self.position > 0 {
                former = Some(std::mem::take(&mut self.key));
            }
            self.position = 0;
        }
        let payload = block_payload(&self.block).get(self.position..).unwrap_or_default();
        let mut cursor = Cursor::new(payload);
        let is_first = self.position == 0;
        let damaged = |what| self.run.damaged(self.next_block.saturating_sub(1), what);
        let at = decode_key(&mut cursor, &mut self.key, is_first).map_err(damaged)?;
        if former.is_some_and(|former| former >= self.key) {
            return Err(damaged(Damage::Structure));
        }
        self.position += payload.len() - cursor.rest().len();
        if is_first {
            self.first_end = self.position;
        }
        self.left -= 1;
        key.clear();
        key.extend_from_slice(&self.key);
        Ok(Some(at))
    }
}

impl RunCursor {
    /// File offset of the block the last key came from.
    pub(crate) fn offset(&self) -> u64 {
        self.held().map_or(0, |block| block.offset)
    }

    /// Whether the last key, where it is the first of its block, is the one the sparse index names.
    pub(crate) fn agrees_with_index(&self) -> bool {
        self.position != self.first_end || self.held().is_some_and(|block| *block.first == *self.key)
    }

    fn held(&self) -> Option<&BlockAt> {
        self.run.index.get(self.next_block.checked_sub(1)?)
    }
}

/// Writes a run, key after key in order.
pub(crate) struct RunWriter<'m> {
    medium: &'m dyn Medium,
    dir: PathBuf,
    fresh: PathBuf,
    path: PathBuf,
    header: RunHeader,
    seed: Seed,
    file: Arc<dyn MediumFile>,
    at: u64,
    block: Vec<u8>,
    block_keys: usize,
    block_first: Box<[u8]>,
    former: Vec<u8>,
    keys: u64,
    index: Vec<BlockAt>,
}

impl<'m> RunWriter<'m> {
    /// Begins the run with this header in folder `dir`.
    ///
    /// # Errors
    /// A refusing disk.
    pub(crate) fn create(medium: &'m dyn Medium, dir: &Path, header: RunHeader) -> io::Result<Self> {
        let path = dir.join(header.file_name());
        let fresh = path.with_extension("new");
        let file = medium.create(&fresh)?;
        file.write_at(&header.encode(), 0)?;
        Ok(Self {
            medium,
            dir: dir.to_owned(),
            fresh,
            path,
            header,
            seed: Seed::of_store(&header.store_id),
            file,
            at: offset(RUN_HEADER),
            block: vec![0; BLOCK_HEADER],
            block_keys: 0,
            block_first: Box::default(),
            former: Vec::new(),
            keys: 0,
            index: Vec::new(),
        })
    }

    /// Adds a key; greater than the one before it.
    ///
    /// # Errors
    /// A refusing disk.
    pub(crate) fn add(&mut self, key: &[u8], at: &KeyAt) -> io::Result<()> {
        if self.block_keys == 0 {
            self.block_first = key.into();
            self.former.clear();
        }
        encode_key(&mut self.block, &self.former, key, at);
        self.block_keys += 1;
        self.keys += 1;
        self.former.clear();
        self.former.extend_from_slice(key);
        if self.block.len() >= RUN_BLOCK_BYTES { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> io::Result<()> {
        close_block(&mut self.block, self.block_keys, self.seed, self.at);
        self.file.write_at(&self.block, self.at)?;
        let first = std::mem::take(&mut self.block_first);
        self.index.push(BlockAt { first, offset: self.at, bytes: length_u32(self.block.len()) });
        self.at += offset(self.block.len());
        self.block.truncate(BLOCK_HEADER);
        self.block_keys = 0;
        Ok(())
    }

    /// Ends the run, makes it durable under its name and opens it.
    ///
    /// # Errors
    /// A refusing disk.
    pub(crate) fn finish(mut self) -> io::Result<Run> {
        if self.block_keys > 0 {
            self.end_block()?;
        }
        let mut index = vec![0; BLOCK_HEADER];
        for line in &self.index {
            encode_index_line(&mut index, line);
        }
        close_block(&mut index, self.index.len(), self.seed, self.at);
        let footer_at = self.at + offset(index.len());
        let footer = RunFooter {
            index_at: self.at,
            index_bytes: offset(index.len()),
            keys: self.keys,
            blocks: offset(self.index.len()),
        };
        index.extend_from_slice(&footer.encode(self.seed, footer_at));
        self.file.write_at(&index, self.at)?;
        self.file.sync()?;
        self.medium.rename(&self.fresh, &self.path)?;
        self.medium.sync_dir(&self.dir)?;
        Ok(Run {
            path: self.path,
            first: self.header.first,
            last: self.header.last,
            level: self.header.level,
            keys: self.keys,
            bytes: footer_at + offset(RUN_FOOTER),
            file: self.file,
            seed: self.seed,
            index: self.index,
        })
    }

    /// Gives the run up and removes what was written.
    pub(crate) fn abandon(self) {
        // Best effort: what is left is removed at the next start.
        let _ = self.medium.remove(&self.fresh);
    }
}
