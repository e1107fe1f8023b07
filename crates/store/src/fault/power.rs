//! Files in memory that remember which bytes and names a power loss would leave.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bytes::{memory, offset};
use crate::medium::{Medium, MediumFile};

/// Bytes a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Files in memory. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryMedium {
    shared: Arc<Mutex<Files>>,
}

#[derive(Default)]
struct Files {
    files: Vec<FileBytes>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Changes of names that no folder sync has made durable yet, oldest first.
    renames: Vec<NameChange>,
    dirs: BTreeSet<PathBuf>,
    /// Number of the next unsynced write, over all files.
    sequence: u64,
    /// Bytes all files together may take, `None` for any number.
    room: Option<u64>,
}

#[derive(Default)]
struct FileBytes {
    now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<(u64, Change)>,
}

#[derive(Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Clone)]
enum NameChange {
    Link(PathBuf, usize),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

/// What a power loss leaves of bytes that were written but not synced. Synced bytes always stay.
pub enum Survives<'a> {
    /// None of them.
    Nothing,
    /// All of them.
    Everything,
    /// The first so many, in the order they were written.
    Bytes(u64),
    /// Those sectors for which the function says so; it is asked once for each sector of each write, and once for each change of a name,
    /// where the first that is lost takes the later ones with it.
    Sectors(&'a mut dyn FnMut() -> bool),
}

impl fmt::Debug for MemoryMedium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().names.keys()).finish()
    }
}

impl MemoryMedium {
    /// No files, endless room.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Limits the bytes all files may take together; beyond it the disk is full.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.lock().room = bytes;
    }

    /// Bytes all files take together.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.lock().used()
    }

    /// Unsynced bytes over all files.
    #[must_use]
    pub fn unsynced(&self) -> u64 {
        self.lock().changes().iter().map(|(_, _, change)| offset(change.weight())).sum()
    }

    /// Paths of all files.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.lock().names.keys().cloned().collect()
    }

    /// Content of a file.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let files = self.lock();
        files.names.get(path).and_then(|id| files.files.get(*id)).map(|file| file.now.clone())
    }

    /// Replaces a file's content, durable at once, as damage or a person with an editor would.
    pub fn set_content(&self, path: &Path, content: Vec<u8>) {
        let mut files = self.lock();
        let id = files.id_of(path);
        if let Some(file) = files.files.get_mut(id) {
            *file = FileBytes { durable: content.clone(), now: content, unsynced: Vec::new() };
        }
    }

    /// Changes bits of one byte, durable at once; whether the byte exists.
    #[must_use]
    pub fn flip(&self, path: &Path, at: usize, bits: u8) -> bool {
        let Some(mut content) = self.content(path) else { return false };
        let Some(byte) = content.get_mut(at) else { return false };
        *byte ^= bits;
        self.set_content(path, content);
        true
    }

    /// The files as the next start would find them had the power failed now. This medium goes on as it was.
    #[must_use]
    pub fn after_power_loss(&self, mut survives: Survives<'_>) -> Self {
        let files = self.lock();
        let mut contents: Vec<Vec<u8>> = files.files.iter().map(|file| file.durable.clone()).collect();
        for (_, id, change) in files.changes() {
            let Some(content) = contents.get_mut(id) else { continue };
            change.survive(content, &mut survives);
        }
        let mut names = files.durable_names.clone();
        for change in &files.renames {
            let stays = match &mut survives {
                Survives::Nothing => false,
                Survives::Everything => true,
                Survives::Bytes(left) => *left > 0,
                Survives::Sectors(keep) => keep(),
            };
            if !stays {
                break;
            }
            change.apply(&mut names);
        }
        let bytes = |content: Vec<u8>| FileBytes { now: content.clone(), durable: content, unsynced: Vec::new() };
        let after = Files {
            files: contents.into_iter().map(bytes).collect(),
            durable_names: names.clone(),
            names,
            dirs: files.dirs.clone(),
            room: files.room,
            ..Files::default()
        };
        Self { shared: Arc::new(Mutex::new(after)) }
    }
}

impl Files {
    fn used(&self) -> u64 {
        self.names.values().filter_map(|id| self.files.get(*id)).map(|file| offset(file.now.len())).sum()
    }

    /// All unsynced changes, oldest first, with the file they belong to.
    fn changes(&self) -> Vec<(u64, usize, Change)> {
        let mut changes: Vec<_> = self
            .files
            .iter()
            .enumerate()
            .flat_map(|(id, file)| file.unsynced.iter().map(move |(number, change)| (*number, id, change.clone())))
            .collect();
        changes.sort_by_key(|(number, _, _)| *number);
        changes
    }

    fn id_of(&mut self, path: &Path) -> usize {
        if let Some(id) = self.names.get(path) {
            return *id;
        }
        let id = self.files.len();
        self.files.push(FileBytes::default());
        self.rename(NameChange::Link(path.to_owned(), id));
        id
    }

    fn rename(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.renames.push(change);
    }

    fn change(&mut self, id: usize, change: Change) -> io::Result<()> {
        let used = self.used();
        let room = self.room;
        let Some(file) = self.files.get_mut(id) else { return Err(io::ErrorKind::NotFound.into()) };
        let grows = offset(change.end(file.now.len()).saturating_sub(file.now.len()));
        if room.is_some_and(|room| grows > 0 && used + grows > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        change.apply(&mut file.now);
        let number = self.sequence;
        self.sequence += 1;
        file.unsynced.push((number, change));
        Ok(())
    }
}

impl Change {
    fn end(&self, length: usize) -> usize {
        match self {
            Self::Write { at, bytes } => length.max(at + bytes.len()),
            Self::Length(bytes) => *bytes,
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Write { bytes, .. } => bytes.len(),
            Self::Length(_) => 1,
        }
    }

    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => write(content, *at, bytes),
            Self::Length(length) => content.resize(*length, 0),
        }
    }

    fn survive(&self, content: &mut Vec<u8>, survives: &mut Survives<'_>) {
        match (survives, self) {
            (Survives::Nothing, _) => {}
            (Survives::Everything, _) => self.apply(content),
            (Survives::Bytes(left), _) => {
                let weight = offset(self.weight());
                match self {
                    Self::Write { at, bytes } => {
                        let kept = memory((*left).min(weight));
                        write(content, *at, bytes.get(..kept).unwrap_or(bytes));
                    }
                    Self::Length(_) if *left > 0 => self.apply(content),
                    Self::Length(_) => {}
                }
                *left = left.saturating_sub(weight);
            }
            (Survives::Sectors(keep), Self::Length(_)) => {
                if keep() {
                    self.apply(content);
                }
            }
            (Survives::Sectors(keep), Self::Write { at, bytes }) => {
                let mut from = 0;
                while from < bytes.len() {
                    let to = (from + SECTOR_BYTES - (at + from) % SECTOR_BYTES).min(bytes.len());
                    if keep() {
                        write(content, at + from, bytes.get(from..to).unwrap_or_default());
                    }
                    from = to;
                }
            }
        }
    }
}

fn write(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let end = at + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    if let Some(room) = content.get_mut(at..end) {
        room.copy_from_slice(bytes);
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Link(path, id) => {
                names.insert(path.clone(), *id);
            }
            Self::Unlink(path) => {
                names.remove(path);
            }
            Self::Rename(from, to) => {
                if let Some(id) = names.remove(from) {
                    names.insert(to.clone(), id);
                }
            }
        }
    }

    fn dir(&self) -> Option<&Path> {
        match self {
            Self::Link(path, _) | Self::Unlink(path) | Self::Rename(_, path) => path.parent(),
        }
    }
}

impl Medium for MemoryMedium {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn MediumFile>> {
        let mut files = self.lock();
        let id = files.id_of(path);
        files.change(id, Change::Length(0))?;
        Ok(Arc::new(MemoryFile { shared: Arc::clone(&self.shared), id }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn MediumFile>> {
        match self.lock().names.get(path) {
            Some(id) => Ok(Arc::new(MemoryFile { shared: Arc::clone(&self.shared), id: *id })),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.lock();
        if !files.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        files.rename(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut files = self.lock();
        if !files.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        files.rename(NameChange::Unlink(path.to_owned()));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let files = self.lock();
        if !files.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = files.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| path.file_name()).map(ToOwned::to_owned).collect())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.lock().dirs.extend(dir.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut files = self.lock();
        let (synced, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut files.renames).into_iter().partition(|change| change.dir() == Some(dir));
        for change in synced {
            change.apply(&mut files.durable_names);
        }
        files.renames = waiting;
        Ok(())
    }
}

/// One of the files.
struct MemoryFile {
    shared: Arc<Mutex<Files>>,
    id: usize,
}

impl fmt::Debug for MemoryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryFile({})", self.id)
    }
}

impl MemoryFile {
    fn lock(&self) -> MutexGuard<'_, Files> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MediumFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], from: u64) -> io::Result<usize> {
        let files = self.lock();
        let content = files.files.get(self.id).map(|file| file.now.as_slice()).unwrap_or_default();
        let rest = content.get(memory(from)..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.lock().change(self.id, Change::Write { at: memory(at), bytes: bytes.to_vec() })
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.lock().change(self.id, Change::Length(memory(bytes)))
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let length = self.len()?;
        if bytes > length { self.lock().change(self.id, Change::Length(memory(bytes))) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut files = self.lock();
        if let Some(file) = files.files.get_mut(self.id) {
            for (_, change) in std::mem::take(&mut file.unsynced) {
                change.apply(&mut file.durable);
            }
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().files.get(self.id).map_or(0, |file| offset(file.now.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_synced_and_what_survives() {
        let medium = MemoryMedium::new();
        let (dir, path) = (Path::new("/d"), Path::new("/d/file"));
        medium.create_dir(dir).unwrap();
        let file = medium.create(path).unwrap();
        file.write_at(b"synced", 0).unwrap();
        file.sync().unwrap();
        assert_eq!(medium.after_power_loss(Survives::Nothing).content(path), None, "its name was not synced");
        medium.sync_dir(dir).unwrap();
        file.write_at(b"UNSYNC", 0).unwrap();
        file.write_at(b"more", 6).unwrap();
        assert_eq!(medium.content(path).unwrap(), b"UNSYNCmore");
        assert_eq!(medium.unsynced(), 10);
        let after = |survives| medium.after_power_loss(survives).content(path).unwrap();
        assert_eq!(after(Survives::Nothing), b"synced");
        assert_eq!(after(Survives::Everything), b"UNSYNCmore");
        assert_eq!(after(Survives::Bytes(2)), b"UNnced");
        assert_eq!(after(Survives::Bytes(7)), b"UNSYNCm");
        let mut second = false;
        let every_other = &mut || std::mem::replace(&mut second, true);
        assert_eq!(after(Survives::Sectors(every_other)), b"syncedmore");
    }

    #[test]
    fn is_full_when_its_room_is_used() {
        let medium = MemoryMedium::new();
        let file = medium.create(Path::new("/file")).unwrap();
        medium.set_room(Some(10));
        assert_eq!(file.allocate(11).unwrap_err().kind(), io::ErrorKind::StorageFull);
        file.allocate(10).unwrap();
        file.write_at(&[1; 10], 0).unwrap();
        assert_eq!(file.write_at(&[1; 10], 1).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(medium.used(), 10);
    }
}
