//! The file changes come back in: lines of JSON, a head, the changes in the order of their serials, and a tail that vouches for all before it.
//!
//! ```text
//! {"waymark_takeover":1,"side":"emergency","node":"88.990","deposit":"5f0c…","date":"2026-11-30","watermark":1200,"after":803,"upto":805,"made_ms":…}
//! {"serial":804,"time_ms":…,"status":"active","reason":"","record":{"handle":"88.990/BOX.1","values":[…]}}
//! {"serial":805,"time_ms":…,"status":"deleted","reason":"","record":{"handle":"88.990/BOX.2","values":[]}}
//! {"changes":2,"sha256":"…"}
//! ```
//!
//! `watermark` is a serial of the node the deposit is of, `after` and `upto` are serials of the node that wrote the file. Values stand as
//! `waymark export` writes them. A file without its tail was cut; one whose tail does not fit was changed. The digest says that a file is whole, not who
//! wrote it: it is carried by people who trust each other, and everything in it is checked again by the registration it goes through.

use std::io::{self, BufRead, Read as _, Seek, SeekFrom, Write};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use waymark_catalog::form::line;
use waymark_catalog::{ContentHash, ValueSet};
use waymark_ident::Handle;

use super::config::{AHEAD_MS, CHANGES, LINE_BYTES, REASON_BYTES};
use crate::deposit::{DepositId, parse_date};
use crate::simulator::ledger::is_node;

/// Version of the form.
const VERSION: u32 = 1;

/// Which side wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The emergency node: what was registered during the takeover.
    Emergency,
    /// The node, after it took that in: what it has of everything changed since the watermark. It holds as it is.
    Returned,
}

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Version of the form.
    pub waymark_takeover: u32,
    /// Who wrote it.
    pub side: Side,
    /// Prefix of the node.
    pub node: String,
    /// Whether suffixes that differ only in the case of ASCII letters are different, on both sides.
    #[serde(default)]
    pub case_sensitive: bool,
    /// The last deposit the emergency node was restored from.
    pub deposit: String,
    /// Its day, whose beginning in UTC it is of.
    pub date: String,
    /// The serial of the node that it is of.
    pub watermark: u64,
    /// Changes after this serial of the writing node are in the file.
    pub after: u64,
    /// And up to this one.
    pub upto: u64,
    /// When it was written, in milliseconds since 1970.
    pub made_ms: u64,
}

/// Whether an identifier is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is.
    Active,
    /// Not until it is resumed.
    Suspended,
    /// Never again.
    Revoked,
    /// There is no such identifier.
    Deleted,
}

/// An identifier as a change left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The serial on the node that wrote the file.
    pub serial: u64,
    /// When it was acknowledged there, in milliseconds since 1970.
    pub time_ms: u64,
    /// Whether it is resolved since.
    pub status: Status,
    /// Why not, where it is suspended or revoked.
    pub reason: String,
    /// Its name: as it was registered, or as look-ups compare it where it was deleted.
    pub handle: String,
    /// Its values; none where it was deleted.
    pub values: ValueSet,
}

/// Why a file is not taken. Nothing of it was done then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The disk.
    #[error("the file cannot be read or written")]
    Io(#[from] io::Error),
    /// The first line is no head.
    #[error("the first line is no head of such a file: {0}")]
    Head(String),
    /// A version this program does not know.
    #[error("the file is of version {0}, which is not known here")]
    Version(u32),
    /// It ends without its tail.
    #[error("the file is cut: it ends behind line {line} without its last line")]
    Cut {
        /// The last line there is.
        line: u64,
    },
    /// A line that is too long.
    #[error("line {line} is longer than {LINE_BYTES} bytes")]
    LongLine {
        /// Which, from 1.
        line: u64,
    },
    /// Too many changes.
    #[error("the file holds more than {CHANGES} changes")]
    Many,
    /// A line that is no change.
    #[error("line {line} is no change: {cause}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// Why.
        cause: String,
    },
    /// A change that comes at the wrong place.
    #[error("line {line}: serial {serial} does not follow, or lies outside of what the first line says")]
    Order {
        /// Which, from 1.
        line: u64,
        /// Its serial.
        serial: u64,
    },
    /// A change that was acknowledged after the file was written, by more than clocks differ.
    #[error("line {line} tells of a time behind that of the file")]
    Time {
        /// Which, from 1.
        line: u64,
    },
    /// An identifier of somebody else.
    #[error("line {line}: {handle} is not of prefix {node}")]
    Foreign {
        /// Which, from 1.
        line: u64,
        /// The identifier.
        handle: String,
        /// The prefix it should be of.
        node: String,
    },
    /// The tail counts otherwise.
    #[error("the last line says {said} changes, and there are {found}")]
    Count {
        /// What the tail says.
        said: u64,
        /// What came.
        found: u64,
    },
    /// The digest is another.
    #[error("the digest in the last line is not that of the lines before it")]
    Digest,
    /// Something stands behind the tail.
    #[error("something stands behind the last line")]
    Behind,
    /// A record that no JSON line can say.
    #[error("{handle} has parts that are not text")]
    NotText {
        /// Its name.
        handle: String,
    },
}

/// What a file holds, once it is written or read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Changes.
    pub changes: u64,
    /// SHA-256 of all lines before the last, in lower-case hexadecimal.
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    serial: u64,
    time_ms: u64,
    status: Status,
    reason: String,
    #[serde(borrow)]
    record: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tail {
    changes: u64,
    sha256: String,
}

impl Head {
    /// The version this program writes.
    #[must_use]
    pub const fn version() -> u32 {
        VERSION
    }

    fn read(line: &[u8]) -> Result<Self, FileError> {
        let wrong = |what: &str| FileError::Head(what.to_owned());
        let head: Self = serde_json::from_slice(line).map_err(|error| FileError::Head(error.to_string()))?;
        if head.waymark_takeover != VERSION {
            return Err(FileError::Version(head.waymark_takeover));
        }
        if !is_node(&head.node) {
            return Err(wrong("`node` is no prefix"));
        }
        if DepositId::parse(&head.deposit).is_none() {
            return Err(wrong("`deposit` is no name of a deposit"));
        }
        if parse_date(&head.date).is_none() {
            return Err(wrong("`date` is no day"));
        }
        if head.after > head.upto {
            return Err(wrong("`after` lies behind `upto`"));
        }
        Ok(head)
    }
}

impl Change {
    /// The hash of its values without their timestamps.
    #[must_use]
    pub fn content(&self) -> ContentHash {
        ContentHash::of(self.values.values())
    }

    /// Reads a line; what it may name is checked by the reader.
    fn read(line: &[u8], number: u64) -> Result<Self, FileError> {
        let wrong = |cause: String| FileError::Line { line: number, cause };
        let Line { serial, time_ms, status, reason, record } =
            serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))?;
        let read = line::read(record.get().as_bytes())
            .map_err(|error| wrong(format!("record.{}: {}", error.field, error.cause)))?;
        if read.status.is_some() {
            return Err(wrong("`status` stands beside the record, not in it".to_owned()));
        }
        if status == Status::Deleted && read.values.count() > 0 {
            return Err(wrong("a deleted identifier has no values".to_owned()));
        }
        let is_out = matches!(status, Status::Suspended | Status::Revoked);
        if reason.len() > REASON_BYTES || (!is_out && !reason.is_empty()) {
            return Err(wrong("`reason` is too long, or there is nothing to give one for".to_owned()));
        }
        Ok(Self { serial, time_ms, status, reason, handle: read.handle, values: read.values })
    }
}

/// Whether an identifier, or the record of a prefix, is of a node: of its prefix or of one derived from it.
#[must_use]
pub fn is_of(node: &str, handle: &str) -> bool {
    let Ok(handle) = Handle::new(handle.as_bytes()) else { return false };
    let prefix = handle.prefix_record_target().unwrap_or_else(|| handle.prefix());
    let (own, behind) = prefix.split_at(node.len().min(prefix.len()));
    own.eq_ignore_ascii_case(node.as_bytes()) && behind.first().is_none_or(|byte| *byte == b'.')
}

/// Writes a file, line by line.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    hasher: Sha256,
    changes: u64,
}

impl<W: Write> Writer<W> {
    /// Writes the head.
    ///
    /// # Errors
    /// The disk.
    pub fn begin(out: W, head: &Head) -> Result<Self, FileError> {
        let mut writer = Self { out, hasher: Sha256::new(), changes: 0 };
        writer.put(&serde_json::to_vec(head).map_err(io::Error::from)?)?;
        Ok(writer)
    }

    /// Writes a change.
    ///
    /// # Errors
    /// The disk; a record that is not text; more changes than a file holds.
    pub fn change(&mut self, change: &Change) -> Result<(), FileError> {
        let handle = || change.handle.clone();
        if self.changes >= CHANGES {
            return Err(FileError::Many);
        }
        let record =
            line::write(&change.handle, change.values.values()).map_err(|_| FileError::NotText { handle: handle() })?;
        let record = RawValue::from_string(record).map_err(io::Error::from)?;
        let Change { serial, time_ms, status, reason, .. } = change;
        let reason = if matches!(status, Status::Suspended | Status::Revoked) { reason.clone() } else { String::new() };
        let line = Line { serial: *serial, time_ms: *time_ms, status: *status, reason, record: &record };
        self.put(&serde_json::to_vec(&line).map_err(io::Error::from)?)?;
        self.changes += 1;
        Ok(())
    }

    /// Writes the tail, and gives back what was written to.
    ///
    /// # Errors
    /// The disk.
    pub fn finish(mut self) -> Result<(W, Written), FileError> {
        let written = Written { changes: self.changes, sha256: hex::encode(self.hasher.clone().finalize()) };
        let tail = Tail { changes: written.changes, sha256: written.sha256.clone() };
        self.put(&serde_json::to_vec(&tail).map_err(io::Error::from)?)?;
        self.out.flush()?;
        Ok((self.out, written))
    }

    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        for bytes in [line, b"\n"] {
            self.hasher.update(bytes);
            self.out.write_all(bytes)?;
        }
        Ok(())
    }
}

/// Reads a file, line by line, and vouches for it at its end only: whoever acts on what it gives reads to the end first.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    head: Head,
    hasher: Sha256,
    line: Vec<u8>,
    /// Lines read.
    number: u64,
    /// Bytes read.
    bytes: u64,
    /// Serial of the last change.
    last: u64,
    changes: u64,
    end: Option<Written>,
}

impl<R: BufRead> Reader<R> {
    /// Reads the head.
    ///
    /// # Errors
    /// It is no such file.
    pub fn open(input: R) -> Result<Self, FileError> {
        let head = Head {
            waymark_takeover: VERSION,
            side: Side::Emergency,
            node: String::new(),
            case_sensitive: false,
            deposit: String::new(),
            date: String::new(),
            watermark: 0,
            after: 0,
            upto: 0,
            made_ms: 0,
        };
        let (hasher, line) = (Sha256::new(), Vec::new());
        let mut reader = Self { input, head, hasher, line, number: 0, bytes: 0, last: 0, changes: 0, end: None };
        reader.next_line()?;
        reader.head = Head::read(&reader.line)?;
        reader.last = reader.head.after;
        reader.hasher.update(&reader.line);
        Ok(reader)
    }

    /// What the file says of itself.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Where the line of the last change stands: what to give to [`reread`].
    #[must_use]
    pub fn place(&self) -> Place {
        let length = u64::try_from(self.line.len()).unwrap_or(u64::MAX);
        Place { offset: self.bytes.saturating_sub(length), line: self.number }
    }

    /// What the file holds, once it was read to its end.
    #[must_use]
    pub const fn written(&self) -> Option<&Written> {
        self.end.as_ref()
    }

    /// The next change; `None` at the end of a file that is whole.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub fn next_change(&mut self) -> Result<Option<Change>, FileError> {
        if self.end.is_some() {
            return Ok(None);
        }
        self.next_line()?;
        if self.line.starts_with(b"{\"changes\":") {
            return self.end().map(|()| None);
        }
        if self.changes >= CHANGES {
            return Err(FileError::Many);
        }
        let change = Change::read(&self.line, self.number)?;
        let Change { serial, ref handle, .. } = change;
        if serial <= self.last || serial > self.head.upto {
            return Err(FileError::Order { line: self.number, serial });
        }
        if change.time_ms > self.head.made_ms.saturating_add(AHEAD_MS) {
            return Err(FileError::Time { line: self.number });
        }
        if !is_of(&self.head.node, handle) {
            let (handle, node) = (handle.clone(), self.head.node.clone());
            return Err(FileError::Foreign { line: self.number, handle, node });
        }
        self.hasher.update(&self.line);
        (self.last, self.changes) = (serial, self.changes + 1);
        Ok(Some(change))
    }

    fn end(&mut self) -> Result<(), FileError> {
        let wrong = |error: serde_json::Error| FileError::Line { line: self.number, cause: error.to_string() };
        let tail: Tail = serde_json::from_slice(&self.line).map_err(wrong)?;
        if tail.changes != self.changes {
            return Err(FileError::Count { said: tail.changes, found: self.changes });
        }
        if tail.sha256 != hex::encode(self.hasher.clone().finalize()) {
            return Err(FileError::Digest);
        }
        if !self.input.fill_buf()?.is_empty() {
            return Err(FileError::Behind);
        }
        self.end = Some(Written { changes: self.changes, sha256: tail.sha256 });
        Ok(())
    }

    /// Reads a whole line, its end included.
    fn next_line(&mut self) -> Result<(), FileError> {
        self.line.clear();
        let most = u64::try_from(LINE_BYTES).unwrap_or(u64::MAX);
        let mut line = (&mut self.input).take(most.saturating_add(1));
        line.read_until(b'\n', &mut self.line)?;
        if self.line.len() > LINE_BYTES {
            return Err(FileError::LongLine { line: self.number + 1 });
        }
        if self.line.last() != Some(&b'\n') {
            return Err(FileError::Cut { line: self.number });
        }
        self.number += 1;
        self.bytes += u64::try_from(self.line.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

/// Where a change stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    offset: u64,
    line: u64,
}

/// Reads a change again, of a file that was read to its end.
///
/// # Errors
/// The file is another by now.
pub fn reread<R: BufRead + Seek>(input: &mut R, place: Place) -> Result<Change, FileError> {
    input.seek(SeekFrom::Start(place.offset))?;
    let most = u64::try_from(LINE_BYTES).unwrap_or(u64::MAX);
    let mut line = Vec::new();
    input.take(most).read_until(b'\n', &mut line)?;
    Change::read(&line, place.line)
}

#[cfg(test)]
mod tests;
