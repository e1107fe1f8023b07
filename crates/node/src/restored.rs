//! What a data folder was restored from, noted in it: where an emergency node begins to tell what changed since.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};
use waymark_top_sync::deposit::Head;

use crate::{
    certificate::write_private,
    problem::{Exit, Problem},
};

/// The note within the data folder.
const FILE: &str = "restored.json";

/// Largest note: it has some 200 bytes.
const BYTES: u64 = 4_096;

/// What a data folder was restored from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restored {
    /// Prefix of the node the deposits are of.
    pub(crate) node: String,
    /// The last of the deposits.
    pub(crate) deposit: String,
    /// Its day.
    pub(crate) date: String,
    /// The serial of that node it is of.
    pub(crate) watermark: u64,
    /// The serial of this folder when all was restored.
    pub(crate) serial: u64,
}

impl Restored {
    /// What is noted of deposits that were restored.
    pub(crate) fn of(head: &Head, serial: u64) -> Self {
        Self {
            node: head.prefix.clone(),
            deposit: head.id.to_string(),
            date: head.date.to_string(),
            watermark: head.serial,
            serial,
        }
    }

    /// Notes it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&self, data: &Path) -> Result<(), Problem> {
        let path = data.join(FILE);
        let text = serde_json::to_vec(self).map_err(io::Error::from);
        text.and_then(|text| write_private(&path, &text)).map_err(|cause| {
            Problem::new("file-not-written", Exit::Failed).with("path", path.display()).with("cause", cause)
        })
    }

    /// Reads the note of a data folder that may have none, since it was not restored.
    ///
    /// # Errors
    /// There is something that is none.
    pub(crate) fn find(data: &Path) -> Result<Option<Self>, Problem> {
        match fs::symlink_metadata(data.join(FILE)) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => Self::read(data).map(Some),
        }
    }

    /// Reads the note of a data folder.
    ///
    /// # Errors
    /// There is none, or it is none.
    pub(crate) fn read(data: &Path) -> Result<Self, Problem> {
        let path = data.join(FILE);
        let read = fs::metadata(&path).and_then(|file| match file.len() {
            0..=BYTES => fs::read(&path),
            _ => Err(io::ErrorKind::FileTooLarge.into()),
        });
        let read = read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::from));
        read.map_err(|cause| {
            Problem::new("takeover-not-restored", Exit::Unavailable).with("path", path.display()).with("cause", cause)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_gives_back_what_was_written_and_nothing_else_is_one() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Restored::read(folder.path()).unwrap_err().code(), "takeover-not-restored");
        assert_eq!(Restored::find(folder.path()).unwrap(), None);
        let note = Restored {
            node: "88.990".into(),
            deposit: "00".repeat(16),
            date: "2026-11-30".into(),
            watermark: 7,
            serial: 9,
        };
        note.write(folder.path()).unwrap();
        assert_eq!(Restored::read(folder.path()).unwrap(), note);
        assert_eq!(Restored::find(folder.path()).unwrap(), Some(note));
        fs::write(folder.path().join(FILE), vec![b' '; 5_000]).unwrap();
        assert_eq!(Restored::read(folder.path()).unwrap_err().code(), "takeover-not-restored");
        assert_eq!(Restored::find(folder.path()).unwrap_err().code(), "takeover-not-restored");
    }
}
