//! What an import decided and did, as lines of JSON beside its file: the report for people, and where an import that was killed goes on.
//!
//! ```text
//! {"file":SHA-256,"node":"88.990","base":1200}
//! {"plan":"88.990/BOX.1","takes":true,"at":1290,"request":UUID,"decision":"conflict","kind":"both-changed","holds":"takeover","why":"later","here":{…},"there":{…}}
//! {"done":"88.990/BOX.1","outcome":"replaced","serial":1307}
//! ```
//!
//! A plan is on disk before the first change it leads to: with the serial the identifier is at (0: there never was one) and the request id of the first of
//! its changes, from which those of the others follow. What was planned and not done is asked for again under the same ids when the import is repeated;
//! without them, the half of it that is done would look like a later write of the node's own, and a later write like the half. A plan without them, of an
//! earlier version, is decided anew. The contents of both sides of a conflict stay here: the file is for its owner alone.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use waymark_top_sync::takeover::Head;

use crate::problem::{Exit, Problem};

/// Bytes of a line: two records, and what is around them.
const LINE_BYTES: u64 = 16 << 20;

/// What is known of an identifier from an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It was decided that it takes what the file says, and that may be half done. `None`: by a version that did not note from where.
    Planned(Option<Planned>),
    /// It is settled.
    Done,
}

impl Known {
    /// From where it was planned.
    pub(super) const fn planned(self) -> Option<Planned> {
        match self {
            Self::Planned(planned) => planned,
            Self::Done => None,
        }
    }
}

/// From where an identifier takes what the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    /// The serial it was at; 0 where there never was one.
    pub(super) at: u64,
    /// The request id of the first change.
    pub(super) request: Uuid,
}

/// An open journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    known: BTreeMap<String, Known>,
}

#[derive(Deserialize)]
struct Line {
    file: Option<String>,
    base: Option<u64>,
    plan: Option<String>,
    #[serde(default)]
    takes: bool,
    at: Option<u64>,
    request: Option<String>,
    done: Option<String>,
    undecided: Option<String>,
}

impl Journal {
    /// Opens the journal of a file, or begins it.
    ///
    /// # Errors
    /// It is of another file or another base, or cannot be used.
    pub(super) fn open(path: &Path, sha256: &str, head: &Head, base: u64) -> Result<Self, Problem> {
        let failed = |cause: io::Error| {
            Problem::new("file-not-written", Exit::Failed).with("path", path.display()).with("cause", cause)
        };
        let other = || Problem::new("takeover-journal", Exit::Usage).with("path", path.display());
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let mut file = opened.map_err(failed)?;
        let (lines, whole) = read(&mut file).map_err(failed)?;
        // A line that was being written when the import was killed says nothing.
        file.set_len(whole).and_then(|()| file.seek(SeekFrom::Start(whole))).map_err(failed)?;
        let mut journal = Self { path: path.to_owned(), file, known: BTreeMap::new() };
        let mut lines = lines.into_iter();
        match lines.next() {
            None => {
                journal.put(&[json!({ "file": sha256, "node": head.node, "base": base })])?;
            }
            Some(first) => {
                let first: Line = serde_json::from_slice(&first).map_err(|_| other())?;
                if first.file.as_deref() != Some(sha256) || first.base != Some(base) {
                    return Err(other());
                }
            }
        }
        for line in lines {
            match serde_json::from_slice(&line).map_err(|_| other())? {
                Line { plan: Some(handle), takes: true, at, request, .. } => {
                    let request = request.and_then(|request| Uuid::try_parse(&request).ok());
                    let planned = at.zip(request).map(|(at, request)| Planned { at, request });
                    journal.known.insert(handle, Known::Planned(planned))
                }
                Line { done: Some(handle), .. } => journal.known.insert(handle, Known::Done),
                Line { undecided: Some(handle), .. } => journal.known.remove(&handle),
                _ => None,
            };
        }
        Ok(journal)
    }

    /// What is known of an identifier.
    pub(super) fn known(&self, handle: &str) -> Option<Known> {
        self.known.get(handle).copied()
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes lines, durable when this returns.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn put(&mut self, lines: &[Value]) -> Result<(), Problem> {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|cause| {
            Problem::new("file-not-written", Exit::Failed).with("path", self.path.display()).with("cause", cause)
        })
    }
}

/// The base with which a file was taken in, by its journal; `None` where there is none.
///
/// # Errors
/// It is of another file, or cannot be read.
pub(super) fn base_of(path: &Path, sha256: &str) -> Result<Option<u64>, Problem> {
    let mut first = Vec::new();
    let read = File::open(path).and_then(|file| BufReader::new(file).take(LINE_BYTES).read_until(b'\n', &mut first));
    match read {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => {
            return Err(Problem::new("file-unreadable", Exit::Usage).with("path", path.display()).with("cause", cause));
        }
        Ok(_) => {}
    }
    match serde_json::from_slice(&first) {
        _ if first.last() != Some(&b'\n') => Ok(None),
        Ok(Line { file: Some(file), base: Some(base), .. }) if file == sha256 => Ok(Some(base)),
        _ => Err(Problem::new("takeover-journal", Exit::Usage).with("path", path.display())),
    }
}

/// The whole lines of a file, and where they end.
fn read(file: &mut File) -> io::Result<(Vec<Vec<u8>>, u64)> {
    let mut input = BufReader::new(file);
    let (mut lines, mut whole) = (Vec::new(), 0);
    loop {
        let mut line = Vec::new();
        let bytes = (&mut input).take(LINE_BYTES).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return if u64::try_from(bytes).unwrap_or(u64::MAX) >= LINE_BYTES {
                Err(io::ErrorKind::FileTooLarge.into())
            } else {
                Ok((lines, whole))
            };
        }
        whole += u64::try_from(bytes).unwrap_or(u64::MAX);
        // What a plan tells people is not needed again.
        lines.push(shortened(line));
    }
}

/// A line without the contents it keeps for people, so that memory stays small.
fn shortened(line: Vec<u8>) -> Vec<u8> {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(&line) else { return line };
    fields.retain(|name, _| {
        ["file", "base", "plan", "takes", "at", "request", "done", "undecided"].contains(&name.as_str())
    });
    Value::Object(fields).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::takeover::testing::head;

    #[test]
    fn plans_and_what_is_done_are_known_again_and_a_torn_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path, "aa", &head(), 7).unwrap();
        journal.put(&[json!({"plan": "a", "takes": true}), json!({"plan": "b", "takes": false})]).unwrap();
        journal.put(&[json!({"done": "a", "outcome": "created"}), json!({"plan": "c", "takes": true})]).unwrap();
        journal.put(&[json!({"plan": "d", "takes": true}), json!({"undecided": "d"})]).unwrap();
        let planned = Planned { at: 7, request: Uuid::now_v7() };
        journal.put(&[json!({"plan": "e", "takes": true, "at": 7, "request": planned.request.to_string()})]).unwrap();
        drop(journal);
        let mut bytes = std::fs::read(&path).unwrap();
        let whole = bytes.len();
        bytes.extend_from_slice(b"{\"done\":\"c\"");
        std::fs::write(&path, bytes).unwrap();
        let journal = Journal::open(&path, "aa", &head(), 7).unwrap();
        let known = ["a", "b", "c", "d", "e"].map(|handle| journal.known(handle));
        let (done, from) = (Some(Known::Done), |planned| Some(Known::Planned(planned)));
        assert_eq!(known, [done, None, from(None), None, from(Some(planned))]);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), whole as u64);
    }

    #[test]
    fn the_journal_of_another_file_or_base_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        assert_eq!(base_of(&path, "aa").unwrap(), None);
        Journal::open(&path, "aa", &head(), 7).unwrap();
        assert_eq!(base_of(&path, "aa").unwrap(), Some(7));
        assert_eq!(base_of(&path, "bb").unwrap_err().code(), "takeover-journal");
        assert_eq!(Journal::open(&path, "bb", &head(), 7).unwrap_err().code(), "takeover-journal");
        assert_eq!(Journal::open(&path, "aa", &head(), 8).unwrap_err().code(), "takeover-journal");
        std::fs::write(&path, "something else\n").unwrap();
        assert_eq!(Journal::open(&path, "aa", &head(), 7).unwrap_err().code(), "takeover-journal");
    }
}
