//! A file that is only appended to: frames, each with its length and checksum, flushed before it counts.
//!
//! ```text
//! waymark top node 1\n
//! length: u32 LE | CRC-32C of the payload: u32 LE | payload     (again and again)
//! ```
//!
//! What stands behind the last whole frame was being written when the process ended; it is cut off when the file is opened. A wrong checksum
//! anywhere else is damage, and the file is not opened.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::simulator::config::MESSAGE_BYTES;

/// What a file begins with; the number is that of the format.
const HEAD: &[u8] = b"waymark top node 1\n";

/// Bytes of length and checksum.
const FRAME_HEAD: usize = 8;

/// Most bytes of a payload: a message, and what is noted beside it.
const PAYLOAD_BYTES: usize = MESSAGE_BYTES + (64 << 10);

/// Why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The disk.
    #[error("{path} cannot be read or written")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The file is none of ours, or of a later version.
    #[error("{path} is no ledger of this version")]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// Stored bytes are not those that were written.
    #[error("{path} is damaged at byte {offset}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the frame begins.
        offset: u64,
    },
    /// Another process has the folder open.
    #[error("{path} is in use by another process")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A write failed before; nothing more is taken until the folder is opened again.
    #[error("{path} takes nothing more since a write failed")]
    Failed {
        /// The file.
        path: PathBuf,
    },
}

/// An open file of frames.
#[derive(Debug)]
pub(super) struct Frames {
    path: PathBuf,
    file: File,
    end: u64,
    has_failed: bool,
}

/// A file that was opened.
pub(super) struct Opened {
    pub(super) frames: Frames,
    /// Bytes of a torn frame that were cut off.
    pub(super) cut: u64,
}

impl Frames {
    /// Opens a file or makes it, and shows each frame with its place; `visit` says whether it understands one.
    pub(super) fn open(path: &Path, visit: &mut dyn FnMut(u64, &[u8]) -> Option<()>) -> Result<Opened, LedgerError> {
        let failed = |cause| LedgerError::Io { path: path.to_owned(), cause };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut frames =
            Self { path: path.to_owned(), file: file.try_clone().map_err(failed)?, end: 0, has_failed: false };
        let head_bytes = usize::try_from(length).unwrap_or(usize::MAX).min(HEAD.len());
        let mut head = vec![0; head_bytes];
        file.read_exact(&mut head).map_err(failed)?;
        if !HEAD.starts_with(&head) {
            return Err(LedgerError::Unknown { path: path.to_owned() });
        }
        if head.len() < HEAD.len() {
            // New, or ended while it was being made.
            frames.begin().map_err(failed)?;
            return Ok(Opened { frames, cut: 0 });
        }
        frames.end = to_u64(HEAD.len());
        while let Some(payload) = frames.next(length)? {
            visit(frames.end, &payload).ok_or_else(|| frames.damaged(frames.end))?;
            frames.end += to_u64(FRAME_HEAD + payload.len());
        }
        let cut = length - frames.end;
        if cut > 0 {
            file.set_len(frames.end).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        Ok(Opened { frames, cut })
    }

    /// Writes the head of a new file.
    fn begin(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all_at(HEAD, 0)?;
        self.file.sync_all()?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        self.end = to_u64(HEAD.len());
        Ok(())
    }

    /// The payload at the end that is known so far; `None` where no whole frame follows.
    fn next(&self, length: u64) -> Result<Option<Vec<u8>>, LedgerError> {
        let rest = length - self.end;
        if rest < to_u64(FRAME_HEAD) {
            return Ok(None);
        }
        let (size, sum) = self.head_at(self.end)?;
        if size == 0 && self.is_blank(length)? {
            // Room the file system gave before the bytes came.
            return Ok(None);
        }
        if size == 0 || size > PAYLOAD_BYTES {
            return Err(self.damaged(self.end));
        }
        let whole = to_u64(FRAME_HEAD + size);
        if rest < whole {
            return Ok(None);
        }
        let payload = self.payload_at(self.end, size)?;
        match crc32c::crc32c(&payload) == sum {
            true => Ok(Some(payload)),
            false if rest == whole => Ok(None),
            false => Err(self.damaged(self.end)),
        }
    }

    /// Whether everything behind the end is zero.
    fn is_blank(&self, length: u64) -> Result<bool, LedgerError> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.end)).map_err(|cause| self.io(cause))?;
        let mut rest = io::BufReader::new(file.take(length - self.end));
        let mut piece = [0; 4096];
        loop {
            let read = rest.read(&mut piece).map_err(|cause| self.io(cause))?;
            if read == 0 {
                return Ok(true);
            }
            if piece.iter().take(read).any(|byte| *byte != 0) {
                return Ok(false);
            }
        }
    }

    /// Appends a frame and flushes it; where it begins. After a failure nothing more is taken.
    pub(super) fn append(&mut self, payload: &[u8]) -> Result<u64, LedgerError> {
        if self.has_failed {
            return Err(LedgerError::Failed { path: self.path.clone() });
        }
        let size = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= PAYLOAD_BYTES);
        let size = size.ok_or_else(|| self.io(io::ErrorKind::FileTooLarge.into()))?;
        let mut frame = Vec::with_capacity(FRAME_HEAD + payload.len());
        frame.extend_from_slice(&size.to_le_bytes());
        frame.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
        frame.extend_from_slice(payload);
        let written = self.file.write_all_at(&frame, self.end).and_then(|()| self.file.sync_data());
        if let Err(cause) = written {
            self.has_failed = true;
            return Err(self.io(cause));
        }
        let place = self.end;
        self.end += to_u64(frame.len());
        Ok(place)
    }

    /// The payload of a frame that was shown or appended before.
    pub(super) fn read(&self, place: u64) -> Result<Vec<u8>, LedgerError> {
        let (size, sum) = self.head_at(place)?;
        if size > PAYLOAD_BYTES {
            return Err(self.damaged(place));
        }
        let payload = self.payload_at(place, size)?;
        if crc32c::crc32c(&payload) == sum { Ok(payload) } else { Err(self.damaged(place)) }
    }

    fn head_at(&self, place: u64) -> Result<(usize, u32), LedgerError> {
        let mut size = [0; 4];
        let mut sum = [0; 4];
        self.file.read_exact_at(&mut size, place).map_err(|cause| self.io(cause))?;
        self.file.read_exact_at(&mut sum, place + 4).map_err(|cause| self.io(cause))?;
        let size = usize::try_from(u32::from_le_bytes(size)).unwrap_or(usize::MAX);
        Ok((size, u32::from_le_bytes(sum)))
    }

    fn payload_at(&self, place: u64, size: usize) -> Result<Vec<u8>, LedgerError> {
        let mut payload = vec![0; size];
        self.file.read_exact_at(&mut payload, place + to_u64(FRAME_HEAD)).map_err(|cause| self.io(cause))?;
        Ok(payload)
    }

    fn io(&self, cause: io::Error) -> LedgerError {
        LedgerError::Io { path: self.path.clone(), cause }
    }

    pub(super) fn damaged(&self, offset: u64) -> LedgerError {
        LedgerError::Damaged { path: self.path.clone(), offset }
    }
}

/// A size of memory as one of a file.
pub(super) fn to_u64(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reopened(path: &Path) -> Result<(Vec<Vec<u8>>, Opened), LedgerError> {
        let mut seen = Vec::new();
        let opened = Frames::open(path, &mut |_, payload| {
            seen.push(payload.to_vec());
            Some(())
        })?;
        Ok((seen, opened))
    }

    fn filled() -> (tempfile::TempDir, PathBuf, Vec<u8>, Vec<u64>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut frames = reopened(&path).unwrap().1.frames;
        let ends = ["first", "the second", "3"].map(|text| {
            frames.append(text.as_bytes()).unwrap();
            frames.end
        });
        let bytes = std::fs::read(&path).unwrap();
        (folder, path, bytes, ends.to_vec())
    }

    #[test]
    fn a_file_cut_at_any_byte_opens_with_its_whole_frames_and_goes_on() {
        let (_folder, path, bytes, ends) = filled();
        for length in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let (seen, mut opened) = reopened(&path).unwrap();
            let whole = ends.iter().filter(|end| **end <= to_u64(length)).count();
            assert_eq!(seen.len(), whole, "{length}");
            opened.frames.append(b"after").unwrap();
            let (seen, opened) = reopened(&path).unwrap();
            assert_eq!((seen.len(), seen.last().unwrap().as_slice(), opened.cut), (whole + 1, &b"after"[..], 0));
        }
    }

    #[test]
    fn a_changed_byte_is_damage_before_the_last_frame_and_a_torn_end_in_it() {
        let (_folder, path, bytes, ends) = filled();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            std::fs::write(&path, &changed).unwrap();
            match reopened(&path) {
                Err(LedgerError::Unknown { .. }) => assert!(at < HEAD.len()),
                Err(LedgerError::Damaged { .. }) => assert!(at >= HEAD.len()),
                // A length that points behind the end looks like a frame that was being written; nothing of it is believed.
                Ok((seen, _)) => assert!(seen.len() < 3 && at >= HEAD.len(), "{at} of {ends:?}"),
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn zeros_behind_the_last_frame_are_cut_off() {
        let (_folder, path, mut bytes, _) = filled();
        bytes.extend([0; 5000]);
        std::fs::write(&path, &bytes).unwrap();
        let (seen, opened) = reopened(&path).unwrap();
        assert_eq!((seen.len(), opened.cut), (3, 5000));
    }
}
