//! What sled 0.34 needs to be trusted with a disk: opening it although it may panic, flushing its files for real, and noticing when it has
//! silently gone back to an earlier state.
//!
//! sled answers damage near the end of its file by cutting what follows, without a word. So the serial it held at its last real flush is kept
//! beside its folder; an opened sled that is behind it has lost something.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::bytes::Cursor;
use crate::check::{Finding, Part, Remedy};
use crate::error::{Damage, OpenError};
use crate::types::Serial;

/// First bytes of a flush mark.
const MARK_MAGIC: [u8; 8] = *b"WMFLUSHD";
/// Version of the flush mark this program writes, and the only one it reads.
const MARK_VERSION: u32 = 1;
/// sled's file of everything small.
pub(crate) const SLED_FILE: &str = "db";
/// sled's folder of large values, one file each.
const SLED_BLOBS: &str = "blobs";

/// Times a folder that sled still holds is tried again, and the pause between two: ten seconds in all.
const LOCK_ATTEMPTS: u32 = 1_000;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Opens sled, whose faults on damaged files include panics.
///
/// sled has a lock of its own, and its threads let go of it a moment after it was closed. Nobody else can hold it, since whoever opens a store holds the
/// folder's lock: so it is waited for.
pub(crate) fn open_sled(dir: &Path, cache_bytes: u64) -> Result<sled::Db, OpenError> {
    let fail = |source| OpenError::Sled { dir: dir.to_owned(), source };
    let mut attempts = 0;
    loop {
        let config = sled::Config::new().path(dir).cache_capacity(cache_bytes);
        match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Ok(Err(error)) if is_held(&error) && attempts < LOCK_ATTEMPTS => {
                attempts += 1;
                std::thread::sleep(LOCK_PAUSE);
            }
            Ok(opened) => return opened.map_err(fail),
            Err(_) => return Err(OpenError::damaged(dir, 0, Damage::Sled)),
        }
    }
}

/// Whether sled could not get its lock; it says so in words only.
fn is_held(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

/// The files of an opened sled, to be flushed for real.
#[derive(Debug)]
pub(crate) struct SledFiles {
    dir: PathBuf,
    file: File,
    /// Large values already flushed; sled never changes one.
    flushed: HashSet<OsString>,
}

impl SledFiles {
    /// The files of the sled opened in `dir`.
    ///
    /// # Errors
    /// A refusing disk.
    pub(crate) fn open(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(SLED_FILE);
        let file = File::open(&path).map_err(|error| OpenError::io(&path, error))?;
        Ok(Self { dir: dir.to_owned(), file, flushed: HashSet::new() })
    }

    /// Makes what sled has written durable: the one file of pages, and large values not flushed before.
    ///
    /// # Errors
    /// A refusing disk.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let dir = self.dir.join(SLED_BLOBS);
        let names = match fs::read_dir(&dir) {
            Ok(names) => names.collect::<Result<Vec<_>, _>>()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let present: HashSet<OsString> = names.iter().map(fs::DirEntry::file_name).collect();
        for name in present.difference(&self.flushed) {
            match File::open(dir.join(name)) {
                Ok(file) => file.sync_all()?,
                // sled may have removed it since the folder was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if present.difference(&self.flushed).next().is_some() {
            File::open(&dir)?.sync_all()?;
        }
        self.flushed = present;
        self.file.sync_all()
    }
}

/// The flush mark of the sled in `dir`: a file beside it.
pub(crate) fn mark_path(dir: &Path) -> PathBuf {
    dir.with_extension("flushed")
}

/// Keeps the serial the sled in `dir` holds for sure, after a real flush.
///
/// # Errors
/// A refusing disk.
pub(crate) fn write_mark(dir: &Path, serial: Serial) -> io::Result<()> {
    let path = mark_path(dir);
    let mut bytes = MARK_MAGIC.to_vec();
    bytes.extend_from_slice(&MARK_VERSION.to_le_bytes());
    bytes.extend_from_slice(&serial.0.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    let fresh = path.with_extension("flushed.new");
    fs::write(&fresh, &bytes)?;
    File::open(&fresh)?.sync_all()?;
    fs::rename(&fresh, &path)?;
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Reads the flush mark of the sled in `dir`: [`Serial::NONE`] when there is none.
///
/// # Errors
/// Damage of the mark as the inner, a refusing disk as the outer error.
pub(crate) fn read_mark(dir: &Path) -> io::Result<Result<Serial, Damage>> {
    let bytes = match fs::read(mark_path(dir)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(Serial::NONE)),
        other => other?,
    };
    Ok(decode_mark(&bytes))
}

/// What to report when the sled in `dir`, which holds `serial`, is behind its last flush mark: something it had made durable is lost.
///
/// # Errors
/// A refusing disk.
pub(crate) fn gone_back(dir: &Path, serial: Serial, part: Part) -> io::Result<Option<Finding>> {
    let (file, what, serial) = match read_mark(dir)? {
        Ok(mark) if mark <= serial => return Ok(None),
        Ok(_) => (dir.join(SLED_FILE), Damage::Missing, Some(serial.next())),
        Err(what) => (mark_path(dir), what, None),
    };
    Ok(Some(Finding { file, offset: 0, part, what, serial, key: None, remedy: Remedy::of(part) }))
}

fn decode_mark(bytes: &[u8]) -> Result<Serial, Damage> {
    let (covered, checksum) = bytes.split_last_chunk::<4>().ok_or(Damage::CutShort)?;
    if crc32c::crc32c(covered) != u32::from_le_bytes(*checksum) {
        return Err(Damage::Checksum);
    }
    let mut cursor = Cursor::new(covered);
    if cursor.array::<8>() != Some(MARK_MAGIC) {
        return Err(Damage::Magic);
    }
    if cursor.u32() != Some(MARK_VERSION) {
        return Err(Damage::Version);
    }
    cursor.u64().map(Serial).ok_or(Damage::CutShort)
}

/// Removes the flush mark of the sled in `dir`.
///
/// # Errors
/// A refusing disk.
pub(crate) fn remove_mark(dir: &Path) -> io::Result<()> {
    match fs::remove_file(mark_path(dir)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_sled_lets_go_of_a_moment_later_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let first = open_sled(dir.path(), 1 << 20).unwrap();
        let second = std::thread::spawn({
            let path = dir.path().to_owned();
            move || open_sled(&path, 1 << 20).map(drop)
        });
        std::thread::sleep(5 * LOCK_PAUSE);
        drop(first);
        second.join().unwrap().unwrap();
    }

    #[test]
    fn tells_when_sled_is_behind_its_mark_and_when_the_mark_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let sled = dir.path().join("state");
        let found = |serial| gone_back(&sled, Serial(serial), Part::State).unwrap();
        assert_eq!(found(0), None);
        write_mark(&sled, Serial(7)).unwrap();
        assert_eq!(found(7), None);
        assert_eq!(found(8), None);
        let lost = found(5).unwrap();
        assert_eq!((lost.what, lost.serial, lost.remedy), (Damage::Missing, Some(Serial(6)), Remedy::Rebuild));
        let path = mark_path(&sled);
        let sound = fs::read(&path).unwrap();
        assert_eq!(sound.len(), 24);
        for at in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            let finding = found(7).unwrap();
            assert_eq!((finding.what, finding.file.as_path()), (Damage::Checksum, path.as_path()));
        }
        remove_mark(&sled).unwrap();
        remove_mark(&sled).unwrap();
        assert_eq!(found(0), None);
    }
}
