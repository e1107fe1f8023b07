//! The folders of a user, and what may be done in them.
//!
//! There are two, and no others: a path leads to one of them or to a file in one, by its words alone. Nothing a client sends is ever part of a path
//! beyond a name of letters, digits, points, dashes and underscores, which begins with no point. Links are never made, and none is followed.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::config::{FILE_BYTES, NAME_BYTES, PATH_BYTES, UPLOAD_BYTES, UPLOAD_FILES};
use super::users::User;

/// How much a user may fill with what was not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// How many files.
    pub files: usize,
}

impl Default for Usage {
    fn default() -> Self {
        Self { file_bytes: FILE_BYTES, bytes: UPLOAD_BYTES, files: UPLOAD_FILES }
    }
}

/// One of the two folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folder {
    /// Where files come.
    Upload,
    /// Where it is said what became of them.
    Report,
}

impl Folder {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Report => "report",
        }
    }
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// To what holds the two folders.
    Top,
    /// To one of them.
    Folder(Folder),
    /// To a file in one of them, which may be there.
    File(Folder, String),
}

impl Place {
    /// Where a path leads; `None` where there is nothing and never will be.
    pub(super) fn of(path: &str) -> Option<Self> {
        if path.len() > PATH_BYTES {
            return None;
        }
        let mut words = path.split('/').filter(|word| !word.is_empty() && *word != ".");
        let folder = match words.next() {
            None => return Some(Self::Top),
            Some("upload") => Folder::Upload,
            Some("report") => Folder::Report,
            Some(_) => return None,
        };
        match (words.next(), words.next()) {
            (None, _) => Some(Self::Folder(folder)),
            (Some(name), None) if is_name(name) => Some(Self::File(folder, name.to_owned())),
            _ => None,
        }
    }

    /// The path as a client is told it.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Top => "/".to_owned(),
            Self::Folder(folder) => format!("/{}", folder.as_str()),
            Self::File(folder, name) => format!("/{}/{name}", folder.as_str()),
        }
    }
}

fn is_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(sound) && !name.starts_with('.')
}

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum RoomError {
    #[error("there is no such file")]
    Missing,
    #[error("that may not be done here")]
    Forbidden,
    #[error("there is a file of that name already")]
    Exists,
    #[error("that is more than may be stored here")]
    Full,
    #[error("the disk")]
    Disk(#[from] io::Error),
}

/// What a user may touch.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) user: User,
    root: PathBuf,
    usage: Usage,
    /// Bytes and files of what was not judged.
    filled: Mutex<(u64, usize)>,
}

impl Room {
    /// Makes the folders where they are not there.
    pub(super) fn open(root: PathBuf, user: User, usage: Usage) -> io::Result<Self> {
        for folder in [Folder::Upload.as_str(), Folder::Report.as_str(), CHAIN] {
            fs::create_dir_all(root.join(folder))?;
        }
        let room = Self { user, root, usage, filled: Mutex::default() };
        room.count();
        Ok(room)
    }

    pub(super) fn folder(&self, folder: Folder) -> PathBuf {
        self.root.join(folder.as_str())
    }

    /// Where chains of accepted deposits lie.
    pub(super) fn chains(&self) -> PathBuf {
        self.root.join(CHAIN)
    }

    fn path(&self, folder: Folder, name: &str) -> PathBuf {
        self.folder(folder).join(name)
    }

    /// Counts what is there, after files were moved away.
    pub(super) fn count(&self) {
        let files = names(&self.folder(Folder::Upload));
        let bytes = files.iter().filter_map(|name| Some(self.about(Folder::Upload, name).ok()?.len())).sum();
        *self.filled() = (bytes, files.len());
    }

    fn filled(&self) -> MutexGuard<'_, (u64, usize)> {
        self.filled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a file is; a link is none.
    pub(super) fn about(&self, folder: Folder, name: &str) -> Result<Metadata, RoomError> {
        match fs::symlink_metadata(self.path(folder, name)) {
            Ok(found) if found.is_file() => Ok(found),
            Ok(_) => Err(RoomError::Missing),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(RoomError::Missing),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a file to read it.
    pub(super) fn read(&self, folder: Folder, name: &str) -> Result<File, RoomError> {
        self.about(folder, name)?;
        Ok(File::open(self.path(folder, name))?)
    }

    /// Opens a file to write it, in the folder where files come.
    pub(super) fn write(&self, name: &str, wish: Wish) -> Result<File, RoomError> {
        let found = match self.about(Folder::Upload, name) {
            Ok(_) if wish.exclusive => return Err(RoomError::Exists),
            Ok(found) => Some(found.len()),
            Err(RoomError::Missing) if wish.create => None,
            Err(error) => return Err(error),
        };
        let mut filled = self.filled();
        if found.is_none() && filled.1 >= self.usage.files {
            return Err(RoomError::Full);
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).truncate(wish.truncate);
        // What is there that is no file was found above not to be one: then this fails.
        options.create_new(found.is_none());
        let file = options.open(self.path(Folder::Upload, name))?;
        match found {
            None => filled.1 += 1,
            Some(bytes) if wish.truncate => filled.0 = filled.0.saturating_sub(bytes),
            Some(_) => {}
        }
        Ok(file)
    }

    /// Makes room for bytes at a place of a file. Files have no holes, so the place is at most their end.
    pub(super) fn grow(&self, file: &File, offset: u64, bytes: usize) -> Result<(), RoomError> {
        let length = file.metadata()?.len();
        let end = offset.checked_add(u64::try_from(bytes).unwrap_or(u64::MAX)).ok_or(RoomError::Full)?;
        if offset > length {
            return Err(RoomError::Forbidden);
        }
        let mut filled = self.filled();
        let more = end.saturating_sub(length);
        if end > self.usage.file_bytes || filled.0.saturating_add(more) > self.usage.bytes {
            return Err(RoomError::Full);
        }
        filled.0 += more;
        Ok(())
    }

    /// Gives a file another name; what is called so already stays.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), RoomError> {
        self.about(Folder::Upload, from)?;
        if fs::symlink_metadata(self.path(Folder::Upload, to)).is_ok() {
            return Err(RoomError::Exists);
        }
        File::open(self.path(Folder::Upload, from))?.sync_all()?;
        fs::rename(self.path(Folder::Upload, from), self.path(Folder::Upload, to))?;
        Ok(File::open(self.folder(Folder::Upload))?.sync_all()?)
    }

    /// Takes a file away.
    pub(super) fn remove(&self, name: &str) -> Result<(), RoomError> {
        let bytes = self.about(Folder::Upload, name)?.len();
        fs::remove_file(self.path(Folder::Upload, name))?;
        let mut filled = self.filled();
        *filled = (filled.0.saturating_sub(bytes), filled.1.saturating_sub(1));
        Ok(())
    }
}

/// How a file is to be opened for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) create: bool,
    pub(super) truncate: bool,
    pub(super) exclusive: bool,
}

/// The files of a folder a client may know of, sorted.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let is_file = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
    let names = entries.flatten().filter(is_file).filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| is_name(name)).collect();
    names.sort();
    names
}

const CHAIN: &str = "chain";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_two_folders_and_files_in_them() {
        for path in ["", "/", ".", "./", "//./"] {
            assert_eq!(Place::of(path), Some(Place::Top), "{path}");
        }
        for path in ["upload", "/upload", "./upload/", "//upload/."] {
            assert_eq!(Place::of(path), Some(Place::Folder(Folder::Upload)), "{path}");
        }
        let file = Place::File(Folder::Report, "88.990_2026-11-29_full_S1_R0.rep".into());
        assert_eq!(Place::of("report/88.990_2026-11-29_full_S1_R0.rep"), Some(file));
    }

    #[test]
    fn no_path_leads_out() {
        for path in [
            "..",
            "upload/..",
            "upload/../../x",
            "upload/../report",
            "../upload/x",
            "/etc/passwd",
            "chain/x",
            "upload/a/b",
            "upload/.hidden",
            "upload/a b",
            "upload/a\0b",
            "upload/\u{fe52}",
            "upload\\..\\x",
            "host_key",
        ] {
            assert_eq!(Place::of(path), None, "{path:?}");
        }
        assert_eq!(Place::of(&format!("upload/{}", "a".repeat(201))), None);
        assert_eq!(Place::of(&"/".repeat(2_000)), None);
    }
}
