//! The folder of all jobs: one folder for each, `ID/`, made and removed by renaming, so that a job is there wholly or not at all.
//!
//! ```text
//! lock            held while a node works with the folder
//! forgotten.json  { "version": 1, "until_ms": time }: request ids made until then may belong to jobs that were removed
//! ID/             job.json, input, result.jsonl (see `stored`)
//! .new-ID/        an upload under way; .gone-ID/ a removal under way: both are cleared at the start
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use waymark_catalog::Timestamp;

use super::stored::{KeepError, Stored, sync_folder};

/// The folder, taken.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

/// Why the folder of the jobs cannot be used. The operator's fault, or the disk's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// It cannot be made, read or written.
    #[error("{} cannot be used", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process, or doors that are still being stopped, work with it.
    #[error("{} is in use by another node", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// It was written by a newer version of this program.
    #[error("{} has form {found}, and this program reads form {FORM}", path.display())]
    OtherForm {
        /// The file.
        path: PathBuf,
        /// The form it says it has.
        found: u64,
    },
}

/// The form of `forgotten.json` this program writes and reads.
const FORM: u64 = 1;

const LOCK: &str = "lock";
const FORGOTTEN: &str = "forgotten.json";
const NEXT_FORGOTTEN: &str = "forgotten.json.next";
const NEW: &str = ".new-";
const GONE: &str = ".gone-";

#[derive(Serialize, Deserialize)]
struct Forgotten {
    version: u64,
    until_ms: u64,
}

impl Folder {
    /// Makes the folder where there is none, and takes it.
    pub(crate) fn take(path: PathBuf) -> Result<Self, FolderError> {
        let lock = fs::create_dir_all(&path).and_then(|()| File::create(path.join(LOCK)));
        let lock = lock.map_err(|source| FolderError::Io { path: path.clone(), source })?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse { path }),
            Err(TryLockError::Error(source)) => Err(FolderError::Io { path, source }),
        }
    }

    /// Reads all jobs, and clears what an interruption left. A job that cannot be read stays where it is, and is left out.
    pub(super) fn load(&self) -> Result<Vec<(Uuid, Stored)>, FolderError> {
        let mut jobs = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(|source| self.failed(source))? {
            let entry = entry.map_err(|source| self.failed(source))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.starts_with(NEW) || name.starts_with(GONE) {
                fs::remove_dir_all(entry.path()).map_err(|source| self.failed(source))?;
            } else if let Some(id) = read_id(name) {
                match Stored::read(&entry.path()) {
                    Ok(job) => jobs.push((id, job)),
                    Err(error) => {
                        let error: &dyn std::error::Error = &error;
                        tracing::error!(job = name, error, "a job is left out");
                    }
                }
            }
        }
        Ok(jobs)
    }

    fn failed(&self, source: io::Error) -> FolderError {
        FolderError::Io { path: self.path.clone(), source }
    }

    /// Where a job is.
    pub(super) fn of(&self, id: Uuid) -> PathBuf {
        self.path.join(id.to_string())
    }

    /// Where an upload is put together.
    pub(super) fn of_upload(&self, id: Uuid) -> PathBuf {
        self.path.join(format!("{NEW}{id}"))
    }

    /// Makes a job of an upload whose files are durable. Where that cannot be made durable, it is taken back.
    pub(super) fn keep(&self, id: Uuid) -> Result<(), KeepError> {
        sync_folder(&self.of_upload(id))?;
        fs::rename(self.of_upload(id), self.of(id))?;
        let Err(error) = sync_folder(&self.path) else { return Ok(()) };
        // Whoever hears that it was not kept must not meet it after a restart.
        let undone = fs::rename(self.of(id), self.of_upload(id)).and_then(|()| sync_folder(&self.path));
        Err(if undone.is_ok() { KeepError::NotKept(error) } else { KeepError::Unsure(error) })
    }

    /// Removes a job.
    pub(super) fn remove(&self, id: Uuid) -> io::Result<()> {
        let gone = self.path.join(format!("{GONE}{id}"));
        fs::rename(self.of(id), &gone)?;
        // From here on it is gone as long as the system runs; at worst it is there again after a restart, and is removed again.
        if let Err(error) = sync_folder(&self.path).and_then(|()| fs::remove_dir_all(gone)) {
            tracing::warn!(job = %id, %error, "the rest of a removed job is left until the next start");
        }
        Ok(())
    }

    /// Until when request ids may belong to jobs that were removed.
    pub(super) fn forgotten(&self) -> Result<Timestamp, FolderError> {
        let path = self.path.join(FORGOTTEN);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Timestamp(0)),
            Err(source) => return Err(FolderError::Io { path, source }),
        };
        match serde_json::from_slice(&bytes) {
            Ok(Forgotten { version: FORM, until_ms }) => Ok(Timestamp(until_ms)),
            Ok(Forgotten { version: found, .. }) => Err(FolderError::OtherForm { path, found }),
            Err(error) => Err(FolderError::Io { path, source: error.into() }),
        }
    }

    /// Keeps the same.
    pub(super) fn keep_forgotten(&self, until: Timestamp) -> io::Result<()> {
        let next = self.path.join(NEXT_FORGOTTEN);
        let mut file = File::create(&next)?;
        file.write_all(&serde_json::to_vec(&Forgotten { version: FORM, until_ms: until.0 })?)?;
        file.sync_all()?;
        fs::rename(next, self.path.join(FORGOTTEN))?;
        sync_folder(&self.path)
    }
}

/// Reads the id of a job in the one form it is written in; nothing else ever becomes part of a path.
pub(super) fn read_id(text: &str) -> Option<Uuid> {
    let id: Uuid = text.parse().ok()?;
    (id.to_string() == text).then_some(id)
}

/// Removes the folder of an upload that came to nothing.
pub(super) fn discard(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "the rest of an upload is left until the next start");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::stored::faults;

    #[test]
    fn a_folder_is_for_one_node_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::take(dir.path().join("jobs")).unwrap();
        assert!(matches!(Folder::take(dir.path().join("jobs")), Err(FolderError::InUse { .. })));
        drop(folder);
        assert!(Folder::take(dir.path().join("jobs")).is_ok());
    }

    #[test]
    fn what_an_interruption_left_is_cleared_and_what_cannot_be_read_stays() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".new-x", ".gone-x", "01976b9a-7c00-7000-8000-000000000001", "other"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let folder = Folder::take(dir.path().to_owned()).unwrap();
        assert!(folder.load().unwrap().is_empty());
        let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["01976b9a-7c00-7000-8000-000000000001", "lock", "other"]);
    }

    #[test]
    fn a_job_that_cannot_be_made_durable_is_taken_back_or_said_to_be_unsure() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::take(dir.path().to_owned()).unwrap();
        let id = Uuid::now_v7();
        fs::create_dir(folder.of_upload(id)).unwrap();
        let is_there = || (folder.of_upload(id).exists(), folder.of(id).exists());
        faults::plan(&[true]);
        assert!(matches!(folder.keep(id), Err(KeepError::NotKept(_))));
        assert_eq!(is_there(), (true, false), "the upload was not durable, so nothing was renamed");
        faults::plan(&[false, true]);
        assert!(matches!(folder.keep(id), Err(KeepError::NotKept(_))));
        assert_eq!(is_there(), (true, false), "taken back, durably");
        faults::plan(&[false, true, true]);
        assert!(matches!(folder.keep(id), Err(KeepError::Unsure(_))));
        folder.keep(id).unwrap();
        assert_eq!(is_there(), (false, true));
        faults::plan(&[true]);
        folder.remove(id).unwrap();
        assert_eq!(is_there(), (false, false));
    }

    #[test]
    fn only_ids_become_paths() {
        assert!(read_id("01976b9a-7c00-7000-8000-000000000001").is_some());
        for wrong in ["", "..", "../x", "01976B9A-7C00-7000-8000-000000000001", "01976b9a7c0070008000000000000001"] {
            assert_eq!(read_id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_forgotten_is_remembered_and_another_form_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::take(dir.path().to_owned()).unwrap();
        assert_eq!(folder.forgotten().unwrap(), Timestamp(0));
        folder.keep_forgotten(Timestamp(7)).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join(FORGOTTEN)).unwrap(), "{\"version\":1,\"until_ms\":7}");
        assert_eq!(folder.forgotten().unwrap(), Timestamp(7));
        fs::write(dir.path().join(FORGOTTEN), "{\"version\":2,\"until_ms\":7}").unwrap();
        assert!(matches!(folder.forgotten(), Err(FolderError::OtherForm { found: 2, .. })));
    }
}
