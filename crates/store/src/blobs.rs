//! Named files of derived data beside the log, written whole and replaced atomically: the index snapshot above all.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bytes::{self, Cursor};
use crate::config::BLOB_CHUNK_BYTES;
use crate::error::{Damage, ReadError};
use crate::format::frame::Seed;
use crate::medium::{Medium, MediumFile};

/// First bytes of a blob.
pub(crate) const BLOB_MAGIC: [u8; 8] = *b"WMBLOB\r\n";
/// Version of the container this program writes, and the newest it reads.
pub(crate) const BLOB_VERSION: u32 = 1;
/// Bytes before the first chunk.
pub(crate) const BLOB_HEADER: usize = 48;
/// Bytes of a chunk before its payload.
pub(crate) const CHUNK_HEADER: usize = 8;
/// Ending of blob names.
pub(crate) const BLOB_SUFFIX: &str = ".blob";

/// The folder of blobs of one store.
#[derive(Clone, Debug)]
pub struct Blobs {
    medium: Arc<dyn Medium>,
    dir: PathBuf,
    store_id: [u8; 16],
}

impl Blobs {
    pub(crate) fn new(medium: Arc<dyn Medium>, dir: PathBuf, store_id: [u8; 16]) -> Self {
        Self { medium, dir, store_id }
    }

    /// File of the blob `name`; the name is the caller's constant, of letters, digits and `-`.
    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}{BLOB_SUFFIX}"))
    }

    /// Begins to write blob `name` whose content is of the caller's format `version`. Nothing is visible before [`BlobWriter::finish`].
    ///
    /// # Errors
    /// A refusing disk.
    pub fn create(&self, name: &str, version: u32) -> io::Result<BlobWriter> {
        self.medium.create_dir(&self.dir)?;
        let path = self.path(name);
        let fresh = path.with_extension("blob.new");
        let file = self.medium.create(&fresh)?;
        let mut header = Vec::with_capacity(BLOB_HEADER);
        header.extend_from_slice(&BLOB_MAGIC);
        header.extend_from_slice(&BLOB_VERSION.to_le_bytes());
        header.extend_from_slice(&version.to_le_bytes());
        header.extend_from_slice(&self.store_id);
        header.extend_from_slice(&[0; 12]);
        let checksum = crc32c::crc32c(&header);
        header.extend_from_slice(&checksum.to_le_bytes());
        file.write_at(&header, 0)?;
        Ok(BlobWriter {
            medium: Arc::clone(&self.medium),
            dir: self.dir.clone(),
            path,
            fresh,
            file,
            seed: Seed::of_store(&self.store_id),
            at: bytes::offset(header.len()),
            payload: 0,
            chunk: Vec::with_capacity(BLOB_CHUNK_BYTES),
            finished: false,
        })
    }

    /// Writes blob `name` whole.
    ///
    /// # Errors
    /// A refusing disk; the former blob of that name is then still there.
    pub fn write_atomically(&self, name: &str, version: u32, content: &[u8]) -> io::Result<()> {
        let mut writer = self.create(name, version)?;
        writer.write_all(content)?;
        writer.finish()
    }

    /// Opens blob `name`, `None` when there is none.
    ///
    /// # Errors
    /// A damaged header, a container version not known ([`Damage::Version`]), a blob of another store, or a refusing disk.
    pub fn open(&self, name: &str) -> Result<Option<BlobReader>, ReadError> {
        match BlobReader::open(&*self.medium, self.path(name), &self.store_id) {
            Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// Reads blob `name` whole: the version of its content and the content; `None` when there is none.
    ///
    /// # Errors
    /// Damage or a refusing disk.
    pub fn read_verified(&self, name: &str) -> Result<Option<(u32, Vec<u8>)>, ReadError> {
        let Some(mut reader) = self.open(name)? else { return Ok(None) };
        let mut content = Vec::new();
        while let Some(chunk) = reader.next_chunk()? {
            content.extend_from_slice(chunk);
        }
        Ok(Some((reader.version(), content)))
    }

    /// Removes blob `name` if it is there.
    ///
    /// # Errors
    /// A refusing disk.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match self.medium.remove(&self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.and_then(|()| self.medium.sync_dir(&self.dir)),
        }
    }
}

/// A blob being written; given up when dropped before [`BlobWriter::finish`].
pub struct BlobWriter {
    medium: Arc<dyn Medium>,
    dir: PathBuf,
    path: PathBuf,
    fresh: PathBuf,
    file: Arc<dyn MediumFile>,
    seed: Seed,
    at: u64,
    payload: u64,
    chunk: Vec<u8>,
    finished: bool,
}

impl fmt::Debug for BlobWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobWriter").field("path", &self.path).field("payload", &self.payload).finish_non_exhaustive()
    }
}

impl BlobWriter {
    fn put_chunk(&mut self) -> io::Result<()> {
        let mut head = Vec::with_capacity(CHUNK_HEADER);
        head.extend_from_slice(&bytes::length_u32(self.chunk.len()).to_le_bytes());
        // The checksum is bound to the chunk's place, so chunks can not change places unnoticed.
        head.extend_from_slice(&self.seed.checksum(self.at, &self.chunk).to_le_bytes());
        self.file.write_at(&head, self.at)?;
        self.file.write_at(&self.chunk, self.at + bytes::offset(head.len()))?;
        self.at += bytes::offset(head.len() + self.chunk.len());
        self.payload += bytes::offset(self.chunk.len());
        self.chunk.clear();
        Ok(())
    }

    /// Writes the rest, makes it durable and gives it its name.
    ///
    /// # Errors
    /// A refusing disk; the former blob of that name is then still there.
    pub fn finish(mut self) -> io::Result<()> {
        if !self.chunk.is_empty() {
            self.put_chunk()?;
        }
        let total = self.payload.to_le_bytes();
        self.chunk.extend_from_slice(&total);
        let mut end = vec![0; 4];
        end.extend_from_slice(&self.seed.checksum(self.at, &total).to_le_bytes());
        end.extend_from_slice(&total);
        self.file.write_at(&end, self.at)?;
        self.file.sync()?;
        self.medium.rename(&self.fresh, &self.path)?;
        self.finished = true;
        self.medium.sync_dir(&self.dir)
    }
}

impl Write for BlobWriter {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        let room = BLOB_CHUNK_BYTES.saturating_sub(self.chunk.len()).max(1);
        let taken = content.get(..room).unwrap_or(content);
        self.chunk.extend_from_slice(taken);
        if self.chunk.len() >= BLOB_CHUNK_BYTES {
            self.put_chunk()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if !self.finished {
            // Best effort: an unfinished file is ignored by everybody and overwritten by the next one.
            let _ = self.medium.remove(&self.fresh);
        }
    }
}

/// A blob being read, chunk by chunk, each checked before it is handed out.
#[derive(Debug)]
pub struct BlobReader {
    path: PathBuf,
    file: Arc<dyn MediumFile>,
    seed: Seed,
    version: u32,
    at: u64,
    payload: u64,
    chunk: Vec<u8>,
    ended: bool,
}

impl BlobReader {
    pub(crate) fn open(medium: &dyn Medium, path: PathBuf, store_id: &[u8; 16]) -> Result<Self, ReadError> {
        let file = medium.open(&path).map_err(|error| ReadError::io(&path, error))?;
        let mut header = [0; BLOB_HEADER];
        let got = file.read_at(&mut header, 0).map_err(|error| ReadError::io(&path, error))?;
        let damaged = |what| ReadError::damaged(&path, 0, what);
        if got < BLOB_HEADER {
            return Err(damaged(Damage::CutShort));
        }
        let version = check_header(&header, store_id).map_err(damaged)?;
        let at = bytes::offset(BLOB_HEADER);
        let seed = Seed::of_store(store_id);
        Ok(Self { path, file, seed, version, at, payload: 0, chunk: Vec::new(), ended: false })
    }

    /// Version of the content's format, as given by its writer.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// File offset reached.
    pub(crate) const fn offset(&self) -> u64 {
        self.at
    }

    /// The next piece of the content, `None` after the last.
    ///
    /// # Errors
    /// Damage or a refusing disk.
    pub fn next_chunk(&mut self) -> Result<Option<&[u8]>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        let mut head = [0; CHUNK_HEADER];
        self.fill_at(&mut head, self.at)?;
        let mut cursor = Cursor::new(&head);
        let (length, checksum) = (cursor.u32().unwrap_or_default(), cursor.u32().unwrap_or_default());
        let last = length == 0;
        let length = if last { 8 } else { bytes::memory(u64::from(length)) };
        if length > BLOB_CHUNK_BYTES {
            return Err(self.damaged(Damage::Structure));
        }
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.resize(length, 0);
        self.fill_at(&mut chunk, self.at + bytes::offset(CHUNK_HEADER))?;
        if self.seed.checksum(self.at, &chunk) != checksum {
            return Err(self.damaged(Damage::Checksum));
        }
        self.chunk = chunk;
        let start = self.at;
        self.at += bytes::offset(CHUNK_HEADER + length);
        if last {
            self.ended = true;
            self.check_end(start)?;
            return Ok(None);
        }
        self.payload += bytes::offset(length);
        Ok(Some(&self.chunk))
    }

    fn check_end(&self, start: u64) -> Result<(), ReadError> {
        let total = Cursor::new(&self.chunk).u64();
        let length = self.file.len().map_err(|error| ReadError::io(&self.path, error))?;
        if total == Some(self.payload) && length == self.at {
            Ok(())
        } else {
            Err(ReadError::damaged(&self.path, start, Damage::Structure))
        }
    }

    fn fill_at(&self, buffer: &mut [u8], at: u64) -> Result<(), ReadError> {
        match self.file.read_at(buffer, at) {
            Ok(got) if got == buffer.len() => Ok(()),
            Ok(_) => Err(self.damaged(Damage::CutShort)),
            Err(error) => Err(ReadError::io(&self.path, error)),
        }
    }

    fn damaged(&self, what: Damage) -> ReadError {
        ReadError::damaged(&self.path, self.at, what)
    }
}

fn check_header(header: &[u8; BLOB_HEADER], store_id: &[u8; 16]) -> Result<u32, Damage> {
    let (covered, checksum) = header.split_last_chunk::<4>().ok_or(Damage::CutShort)?;
    let mut cursor = Cursor::new(covered);
    if cursor.array::<8>() != Some(BLOB_MAGIC) {
        return Err(Damage::Magic);
    }
    if crc32c::crc32c(covered) != u32::from_le_bytes(*checksum) {
        return Err(Damage::Checksum);
    }
    let container = cursor.u32();
    let version = cursor.u32().ok_or(Damage::CutShort)?;
    if cursor.array::<16>().as_ref() != Some(store_id) {
        return Err(Damage::ForeignStore);
    }
    if container == Some(BLOB_VERSION) { Ok(version) } else { Err(Damage::Version) }
}

/// Whether a file name is that of a blob.
pub(crate) fn is_blob(path: &Path) -> bool {
    path.to_str().is_some_and(|name| name.ends_with(BLOB_SUFFIX))
}
