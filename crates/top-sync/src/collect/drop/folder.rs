//! A folder into which others write, held open: whatever they put under its path meanwhile, the node stays in the one it opened.
//!
//! Names are single ones, as a folder lists them. No link of such a name is followed, no pipe is waited for, and nothing that is there is written into.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

/// How folders are opened.
const FOLDER: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// How plain files are opened to be read: what turned into a link or a pipe is neither followed nor waited for.
const FILE: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_NOFOLLOW).union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

/// How files are made: where something of the name is there already, whatever it is, that fails.
const NEW_FILE: OFlag =
    OFlag::O_WRONLY.union(OFlag::O_CREAT).union(OFlag::O_EXCL).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

/// Names a folder listed.
pub(super) struct Listed {
    /// In the order of the folder.
    pub(super) names: Vec<String>,
    /// Whether the folder was read to its end.
    pub(super) is_whole: bool,
}

/// How far folders are read.
pub(super) struct Reach<'a> {
    /// Entries that may still be read.
    pub(super) entries: usize,
    /// Ends all reading.
    pub(super) halted: &'a AtomicBool,
}

impl Reach<'_> {
    /// Whether one more entry may be read, which then counts.
    fn goes_on(&mut self) -> bool {
        let left = if self.halted.load(Ordering::Acquire) { None } else { self.entries.checked_sub(1) };
        self.entries = left.unwrap_or(self.entries);
        left.is_some()
    }
}

impl Folder {
    /// The folder at a path that nobody else can change: links in it are the operator's, and followed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(open(path, FOLDER, Mode::empty())?))
    }

    /// The folder of a name in this one; `None` where nothing, or something else, has the name.
    pub(super) fn folder(&self, name: &str) -> io::Result<Option<Self>> {
        match openat(&self.0, name, FOLDER | OFlag::O_NOFOLLOW, Mode::empty()) {
            Ok(folder) => Ok(Some(Self(folder))),
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(None),
            Err(cause) => Err(cause.into()),
        }
    }

    /// The folder of a name in this one, made where there is none.
    pub(super) fn folder_made(&self, name: &str) -> io::Result<Self> {
        match mkdirat(&self.0, name, Mode::from_bits_truncate(0o777)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(cause) => return Err(cause.into()),
        }
        let folder = self.folder(name)?;
        folder.ok_or_else(|| io::Error::new(io::ErrorKind::NotADirectory, format!("{name} is no folder")))
    }

    /// The names of folders in it, as far as it may be read.
    pub(super) fn folders(&self, reach: &mut Reach<'_>) -> io::Result<Listed> {
        self.listed(reach, Type::Directory, |_| true)
    }

    /// The names of files in it that end like this, without their ending, as far as it may be read.
    pub(super) fn files(&self, ending: &str, reach: &mut Reach<'_>) -> io::Result<Listed> {
        let mut listed = self.listed(reach, Type::File, |name| name.ends_with(ending))?;
        for name in &mut listed.names {
            name.truncate(name.len().saturating_sub(ending.len()));
        }
        Ok(listed)
    }

    fn listed(&self, reach: &mut Reach<'_>, kind: Type, is_wanted: impl Fn(&str) -> bool) -> io::Result<Listed> {
        let mut names = Vec::new();
        for entry in Dir::openat(&self.0, ".", FOLDER, Mode::empty())? {
            let entry = entry?;
            if matches!(entry.file_name().to_bytes(), b"." | b"..") {
                continue;
            }
            if !reach.goes_on() {
                return Ok(Listed { names, is_whole: false });
            }
            // Some file systems do not say what an entry is; opening it will.
            let is_of_kind = entry.file_type().is_none_or(|found| found == kind);
            let name = entry.file_name().to_str().ok().filter(|name| is_of_kind && is_wanted(name));
            names.extend(name.map(str::to_owned));
        }
        Ok(Listed { names, is_whole: true })
    }

    /// The plain file of a name, to be read; `None` where nothing, or something else, has the name.
    pub(super) fn file(&self, name: &str) -> io::Result<Option<File>> {
        match openat(&self.0, name, FILE, Mode::empty()) {
            Ok(file) => {
                let file = File::from(file);
                Ok(file.metadata()?.is_file().then_some(file))
            }
            // The last is what a socket says.
            Err(Errno::ENOENT | Errno::ELOOP | Errno::ENXIO) => Ok(None),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Puts a file of these bytes in place of whatever has the name, a folder excepted.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = format!("{name}.new");
        match unlinkat(&self.0, &*new, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(cause) => return Err(cause.into()),
        }
        let mut file = File::from(openat(&self.0, &*new, NEW_FILE, Mode::from_bits_truncate(0o666))?);
        file.write_all(bytes)?;
        file.sync_all()?;
        self.give(&new, self, name)
    }

    /// Moves what has a name into another folder, or under another name; a link itself, not what it leads to.
    pub(super) fn give(&self, name: &str, to: &Self, as_name: &str) -> io::Result<()> {
        Ok(renameat(&self.0, name, &to.0, as_name)?)
    }
}

/// The bytes of a file; `None` where there are more than so many.
pub(super) fn read(file: File, most: u64) -> io::Result<Option<Vec<u8>>> {
    let length = file.metadata()?.len();
    if length > most {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_exchanged_while_it_is_open_leads_nowhere_else() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (path, moved) = (folder.path().join("T9"), folder.path().join("moved"));
        fs::create_dir(&path).unwrap();
        let open = Folder::open(folder.path()).unwrap().folder("T9").unwrap().unwrap();
        fs::write(path.join("a"), "inside").unwrap();
        fs::rename(&path, &moved).unwrap();
        symlink(elsewhere.path(), &path).unwrap();
        fs::write(elsewhere.path().join("a"), "elsewhere").unwrap();

        let halted = AtomicBool::new(false);
        let names = open.files("", &mut Reach { entries: 9, halted: &halted }).unwrap().names;
        assert_eq!(names, ["a"]);
        assert_eq!(read(open.file("a").unwrap().unwrap(), 9).unwrap().unwrap(), b"inside");
        open.write("b", b"reason").unwrap();
        open.give("a", &open.folder_made("taken").unwrap(), "a").unwrap();
        assert_eq!(fs::read_to_string(moved.join("b")).unwrap(), "reason");
        assert!(moved.join("taken/a").exists() && !moved.join("a").exists());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
        assert!(Folder::open(folder.path()).unwrap().folder("T9").unwrap().is_none(), "a link is no folder");
    }

    #[test]
    fn neither_links_nor_folders_nor_pipes_are_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        symlink(folder.path().join("file"), folder.path().join("link")).unwrap();
        nix::unistd::mkfifo(&folder.path().join("pipe"), Mode::S_IRWXU).unwrap();
        let open = Folder::open(folder.path()).unwrap();
        assert!(open.file("file").unwrap().is_some());
        for name in ["folder", "link", "pipe", "nothing"] {
            assert!(open.file(name).unwrap().is_none(), "{name}");
        }
    }

    #[test]
    fn reading_ends_with_the_entries_and_when_it_is_halted() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["1", "2", "3"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let (open, halted) = (Folder::open(folder.path()).unwrap(), AtomicBool::new(false));
        let counted = |entries: usize| {
            let listed = open.files("", &mut Reach { entries, halted: &halted }).unwrap();
            (listed.names.len(), listed.is_whole)
        };
        assert_eq!(counted(3), (3, true));
        assert_eq!(counted(2), (2, false));
        halted.store(true, Ordering::Release);
        assert_eq!(counted(3), (0, false));
    }
}
