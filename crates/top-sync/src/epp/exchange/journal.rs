//! The file of transactions: what must be known again after any end.
//!
//! ```text
//! waymark docking 1
//! <crc32c, 8 hexadecimal digits> <batch of records, JSON>
//! …
//! ```
//! Appended to, each batch flushed before anything rests on it. A batch is noted whole or not at all: what a crash left of the last line is cut when
//! the file is opened. A line before the last that is damaged is refused, with its number. What tells of people is never in it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::transaction::Record;
use crate::epp::config::{FILE_BYTES, FILE_BYTES_MOST};
use crate::private_files::replace;

/// Where records are kept.
pub trait Journal: Send {
    /// Everything that was noted, in order.
    ///
    /// # Errors
    /// See [`JournalError`].
    fn load(&mut self) -> Result<Vec<Record>, JournalError>;

    /// Notes a batch, whole. Durable on return.
    ///
    /// # Errors
    /// [`JournalError::Io`]: nothing of it is noted. [`JournalError::Stopped`]: what is noted is not known until the file is opened anew.
    fn append(&mut self, batch: &[Record]) -> Result<(), JournalError>;

    /// Whether so much was noted that it should be written anew.
    fn is_large(&self) -> bool;

    /// Replaces everything that was noted. Durable on return.
    ///
    /// # Errors
    /// [`JournalError::Io`]: what was noted before is still there.
    fn rewrite(&mut self, all: &[Record]) -> Result<(), JournalError>;
}

/// Why records cannot be kept or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The disk refused.
    #[error("the file of transactions {} cannot be {what}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It is a file of another kind or version.
    #[error("{} is no file of transactions of version 1", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
    },
    /// A line is not what was written.
    #[error("line {line} of the file of transactions {} is damaged; put back a copy, or move it away and have every prefix asked for anew", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// It is larger than any file of this program.
    #[error("the file of transactions {} has more than {FILE_BYTES_MOST} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A flush failed before: nothing is noted any more until it is opened anew.
    #[error("the file of transactions is not written any more since a flush to disk failed")]
    Stopped,
}

/// The first line.
const HEAD: &str = "waymark docking 1\n";

/// Records in a file of their own.
#[derive(Debug)]
pub struct FileJournal {
    path: PathBuf,
    file: File,
    /// Bytes up to the end of the last batch that is whole.
    length: u64,
    /// Bytes it had when it was last written anew.
    least: u64,
    is_stopped: bool,
}

impl FileJournal {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Io { path: path.to_owned(), what: "written", source };
        if !path.try_exists().map_err(failed)? {
            replace(path, HEAD.as_bytes()).map_err(failed)?;
        }
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, length: 0, least: 0, is_stopped: false })
    }

    fn io(&self, what: &'static str) -> impl Fn(io::Error) -> JournalError + use<> {
        let path = self.path.clone();
        move |source| JournalError::Io { path: path.clone(), what, source }
    }

    /// Cuts what a failed append may have left. A file that cannot be cut is written no more.
    fn cut(&mut self) {
        self.is_stopped |= self.file.set_len(self.length).is_err();
    }
}

impl Journal for FileJournal {
    fn load(&mut self) -> Result<Vec<Record>, JournalError> {
        let failed = self.io("read");
        if self.file.metadata().map_err(&failed)?.len() > FILE_BYTES_MOST {
            return Err(JournalError::TooLarge { path: self.path.clone() });
        }
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0)).map_err(&failed)?;
        self.file.read_to_end(&mut bytes).map_err(&failed)?;
        let rest = bytes.strip_prefix(HEAD.as_bytes());
        let rest = rest.ok_or_else(|| JournalError::Version { path: self.path.clone() })?;
        let (mut records, mut length) = (Vec::new(), HEAD.len());
        let mut lines = rest.split_inclusive(|byte| *byte == b'\n').zip(2..).peekable();
        while let Some((line, number)) = lines.next() {
            match read_line(line) {
                Some(batch) => records.extend(batch),
                // What a crash left of the last line was never relied on.
                None if lines.peek().is_none() => {
                    tracing::warn!(file = %self.path.display(), line = number, "the last line was never whole; it is cut");
                    break;
                }
                None => return Err(JournalError::Damaged { path: self.path.clone(), line: number }),
            }
            length += line.len();
        }
        self.length = u64::try_from(length).unwrap_or(u64::MAX);
        self.file.set_len(self.length).and_then(|()| self.file.sync_all()).map_err(self.io("written"))?;
        Ok(records)
    }

    fn append(&mut self, batch: &[Record]) -> Result<(), JournalError> {
        if self.is_stopped {
            return Err(JournalError::Stopped);
        }
        let line = write_line(batch).map_err(self.io("written"))?;
        let written = self.file.seek(SeekFrom::Start(self.length)).and_then(|_| self.file.write_all(&line));
        if let Err(source) = written {
            self.cut();
            return Err(self.io("written")(source));
        }
        if let Err(source) = self.file.sync_data() {
            // What the disk holds now is not known, and asking again would not tell.
            self.is_stopped = true;
            return Err(self.io("written")(source));
        }
        self.length = self.length.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn is_large(&self) -> bool {
        self.length > FILE_BYTES && self.length / 2 > self.least
    }

    fn rewrite(&mut self, all: &[Record]) -> Result<(), JournalError> {
        let failed = self.io("written");
        let mut bytes = HEAD.as_bytes().to_vec();
        for record in all {
            bytes.extend(write_line(std::slice::from_ref(record)).map_err(&failed)?);
        }
        replace(&self.path, &bytes).map_err(&failed)?;
        self.file = OpenOptions::new().read(true).write(true).open(&self.path).map_err(&failed)?;
        self.length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.least = self.length;
        Ok(())
    }
}

fn write_line(batch: &[Record]) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(batch).map_err(io::Error::other)?;
    let mut line = format!("{:08x} ", crc32c::crc32c(&json)).into_bytes();
    line.extend_from_slice(&json);
    line.push(b'\n');
    Ok(line)
}

/// A line with its end; `None` when it is not what was written.
fn read_line(line: &[u8]) -> Option<Vec<Record>> {
    let (sum, json) = line.strip_suffix(b"\n")?.split_at_checked(9)?;
    let sum = u32::from_str_radix(str::from_utf8(sum).ok()?.strip_suffix(' ')?, 16).ok()?;
    if crc32c::crc32c(json) == sum { serde_json::from_slice(json).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::epp::exchange::transaction::Known;
    use crate::epp::message::{EntId, MessageId};

    fn known(enterprise: u32) -> Record {
        Record::Known(Known { enterprise, ent_id: EntId::new("产7").unwrap(), content: None })
    }

    fn message(id: &str) -> Record {
        Record::Received(MessageId::new(id).unwrap())
    }

    #[test]
    fn what_was_noted_comes_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docking.log");
        let mut journal = FileJournal::open(&path).unwrap();
        assert_eq!(journal.load().unwrap(), []);
        journal.append(&[known(1), message("a")]).unwrap();
        journal.append(&[known(2)]).unwrap();
        let mut again = FileJournal::open(&path).unwrap();
        assert_eq!(again.load().unwrap(), [known(1), message("a"), known(2)]);
        again.append(&[message("b")]).unwrap();
        again.rewrite(&[known(2), message("b")]).unwrap();
        again.append(&[known(3)]).unwrap();
        assert_eq!(FileJournal::open(&path).unwrap().load().unwrap(), [known(2), message("b"), known(3)]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_batch_is_there_whole_or_not_at_all_wherever_the_file_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docking.log");
        let mut journal = FileJournal::open(&path).unwrap();
        journal.load().unwrap();
        journal.append(&[known(1)]).unwrap();
        let one = fs::metadata(&path).unwrap().len();
        journal.append(&[known(2), message("a")]).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in usize::try_from(one).unwrap()..=whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let mut journal = FileJournal::open(&path).unwrap();
            let expected = if length == whole.len() { 3 } else { 1 };
            assert_eq!(journal.load().unwrap().len(), expected, "{length}");
            journal.append(&[known(9)]).unwrap();
            assert_eq!(FileJournal::open(&path).unwrap().load().unwrap().len(), expected + 1);
        }
    }

    #[test]
    fn damage_before_the_end_is_refused_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docking.log");
        let mut journal = FileJournal::open(&path).unwrap();
        journal.load().unwrap();
        journal.append(&[known(1)]).unwrap();
        journal.append(&[known(2)]).unwrap();
        let whole = fs::read(&path).unwrap();
        let mut bad = whole.clone();
        bad[HEAD.len() + 15] ^= 1;
        fs::write(&path, &bad).unwrap();
        let refused = FileJournal::open(&path).unwrap().load().unwrap_err();
        assert!(matches!(refused, JournalError::Damaged { line: 2, .. }), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), bad, "left alone");
        fs::write(&path, "waymark docking 2\n").unwrap();
        assert!(matches!(FileJournal::open(&path).unwrap().load(), Err(JournalError::Version { .. })));
    }
}
