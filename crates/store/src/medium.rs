//! What the log needs of a disk, as a trait: the real one here, one with injected faults and crash images in [`crate::fault`].

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// A place for files.
pub trait Medium: Send + Sync + fmt::Debug {
    /// Makes an empty file, or empties the one that is there.
    ///
    /// # Errors
    /// What the system says.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn MediumFile>>;

    /// Opens a file for reading, and for writing where the system allows it.
    ///
    /// # Errors
    /// What the system says.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn MediumFile>>;

    /// Gives a file another name in the same folder, replacing what had it.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Names of the files in a folder, in no order.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>>;

    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// What the system says.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// What the system says; the names may be lost with the power then.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file of a [`Medium`]. Offsets are bytes from its start.
pub trait MediumFile: Send + Sync + fmt::Debug {
    /// Reads up to `buffer.len()` bytes at `offset`; fewer only at the end of the file.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// What the system says; some of the bytes may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts or extends the file; new bytes are zero and take no room.
    ///
    /// # Errors
    /// What the system says.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// Makes the file `bytes` long with room taken on the disk, so that later writes find it; new bytes are zero.
    ///
    /// # Errors
    /// What the system says; `StorageFull` when there is no room.
    fn allocate(&self, bytes: u64) -> io::Result<()>;

    /// Makes the content durable.
    ///
    /// # Errors
    /// What the system says. What was written since the last success may then be lost, and asking again proves nothing.
    fn sync(&self) -> io::Result<()>;

    /// Length in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file is empty.
    ///
    /// # Errors
    /// What the system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// Fills `buffer` from `offset`; `UnexpectedEof` where the file is shorter.
pub(crate) fn read_exact_at(file: &dyn MediumFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    if file.read_at(buffer, offset)? == buffer.len() {
        Ok(())
    } else {
        Err(io::Error::from(io::ErrorKind::UnexpectedEof))
    }
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

/// A file of the file system.
#[derive(Debug)]
struct DiskFile(File);

/// Zeros written at once where the file system can not reserve room.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

impl Medium for Disk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn MediumFile>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Arc::new(DiskFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn MediumFile>> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if read_only(&error) => File::open(path)?,
            other => other?,
        };
        Ok(Arc::new(DiskFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(entry.file_name());
            }
        }
        Ok(names)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

fn read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

impl MediumFile for DiskFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset + crate::bytes::offset(filled)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let length = i64::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        match reserve(&self.0, length) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => write_zeros(&self.0, bytes),
            other => other,
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

#[cfg(target_os = "linux")]
fn reserve(file: &File, length: i64) -> io::Result<()> {
    use nix::fcntl::{FallocateFlags, fallocate};
    fallocate(file, FallocateFlags::empty(), 0, length).map_err(io::Error::from)
}

#[cfg(not(target_os = "linux"))]
fn reserve(_file: &File, _length: i64) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// Takes room the slow way: by writing zeros from the file's present end.
fn write_zeros(file: &File, bytes: u64) -> io::Result<()> {
    let mut at = file.metadata()?.len();
    while at < bytes {
        let count = crate::bytes::memory(bytes - at).min(ZEROS.len());
        file.write_all_at(ZEROS.get(..count).unwrap_or(&ZEROS), at)?;
        at += crate::bytes::offset(count);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserves_room_and_keeps_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = Disk.create(&dir.path().join("file")).unwrap();
        file.write_at(b"begin", 0).unwrap();
        file.allocate(200_000).unwrap();
        file.sync().unwrap();
        assert_eq!(file.len().unwrap(), 200_000);
        let mut read = vec![1; 200_010];
        assert_eq!(file.read_at(&mut read, 0).unwrap(), 200_000);
        assert_eq!(read[..5], *b"begin");
        assert!(read[5..200_000].iter().all(|byte| *byte == 0));
        assert!(read_exact_at(&*file, &mut read, 0).is_err());
        assert_eq!(file.allocate(u64::MAX).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn writes_zeros_where_room_can_not_be_reserved() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, b"begin").unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        write_zeros(&file, 150_001).unwrap();
        write_zeros(&file, 10).unwrap();
        let content = fs::read(&path).unwrap();
        assert_eq!(content.len(), 150_001);
        assert_eq!(content[..5], *b"begin");
        assert!(content[5..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn lists_files_and_no_folders() {
        let dir = tempfile::tempdir().unwrap();
        Disk.create_dir(&dir.path().join("a/b")).unwrap();
        Disk.create(&dir.path().join("file")).unwrap();
        Disk.rename(&dir.path().join("file"), &dir.path().join("other")).unwrap();
        Disk.sync_dir(dir.path()).unwrap();
        assert_eq!(Disk.list(dir.path()).unwrap(), ["other"]);
        Disk.remove(&dir.path().join("other")).unwrap();
        assert_eq!(Disk.open(&dir.path().join("other")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
