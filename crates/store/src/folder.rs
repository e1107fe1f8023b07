//! The data folder: its lock, the identity file, and where everything lies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bytes::Cursor;
use crate::engine::Engine;
use crate::error::{Damage, OpenError};
use crate::medium::{Medium, read_exact_at};
use crate::types::Timestamp;

/// Version of the identity file this program writes, and the newest it reads.
pub(crate) const IDENTITY_VERSION: u32 = 1;
/// First bytes of the identity file.
pub(crate) const IDENTITY_MAGIC: [u8; 8] = *b"WMIDENTY";
/// Length of the identity file in bytes.
pub(crate) const IDENTITY_BYTES: usize = 64;

/// Who a store is: made once, never changed.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// Random name of the store.
    pub store_id: [u8; 16],
    /// Secret key of the index's hash; never printed.
    pub hash_key: [u8; 16],
    /// When the store was made.
    pub created: Timestamp,
    /// Engine that keeps it.
    pub engine: Engine,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("store_id", &format_args!("{:032x}", u128::from_be_bytes(self.store_id)))
            .field("created", &self.created)
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// A new one with fresh random bytes.
    ///
    /// # Errors
    /// The system gave no random bytes.
    pub fn random(engine: Engine, created: Timestamp) -> io::Result<Self> {
        let mut identity = Self { store_id: [0; 16], hash_key: [0; 16], created, engine };
        getrandom::fill(&mut identity.store_id).map_err(io::Error::other)?;
        getrandom::fill(&mut identity.hash_key).map_err(io::Error::other)?;
        Ok(identity)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(IDENTITY_BYTES);
        out.extend_from_slice(&IDENTITY_MAGIC);
        out.extend_from_slice(&IDENTITY_VERSION.to_le_bytes());
        out.extend_from_slice(
            &match self.engine {
                Engine::Log => 1_u32,
                Engine::Sled => 2_u32,
            }
            .to_le_bytes(),
        );
        out.extend_from_slice(&self.store_id);
        out.extend_from_slice(&self.hash_key);
        out.extend_from_slice(&self.created.0.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        let checksum = crc32c::crc32c(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads the file's bytes; `Ok(Err(version))` for a version not known.
    fn decode(bytes: &[u8]) -> Result<Result<Self, u32>, Damage> {
        let (covered, checksum) = bytes.split_last_chunk::<4>().ok_or(Damage::CutShort)?;
        let mut cursor = Cursor::new(covered);
        if cursor.array::<8>().ok_or(Damage::CutShort)? != IDENTITY_MAGIC {
            return Err(Damage::Magic);
        }
        if crc32c::crc32c(covered) != u32::from_le_bytes(*checksum) {
            return Err(Damage::Checksum);
        }
        let version = cursor.u32().ok_or(Damage::CutShort)?;
        if version != IDENTITY_VERSION {
            return Ok(Err(version));
        }
        let mut read = || {
            let engine = match cursor.u32()? {
                1 => Engine::Log,
                2 => Engine::Sled,
                _ => return None,
            };
            let store_id = cursor.array()?;
            let hash_key = cursor.array()?;
            Some(Self { store_id, hash_key, created: Timestamp(cursor.u64()?), engine })
        };
        read().map(Ok).ok_or(Damage::Structure)
    }

    /// Reads the identity of the store in `dir`; `None` when there is no such file.
    ///
    /// # Errors
    /// Damage, an unknown version, or a refusing disk.
    pub(crate) fn load(medium: &dyn Medium, dir: &Path) -> Result<Option<Self>, OpenError> {
        let path = paths::identity(dir);
        let file = match medium.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| OpenError::io(&path, error))?,
        };
        let length = file.len().map_err(|error| OpenError::io(&path, error))?;
        // A later version may be longer, but not by much.
        let mut bytes = vec![0; crate::bytes::memory(length.min(4096))];
        read_exact_at(&*file, &mut bytes, 0).map_err(|error| OpenError::io(&path, error))?;
        match Self::decode(&bytes) {
            Ok(Ok(identity)) => Ok(Some(identity)),
            Ok(Err(found)) => Err(OpenError::Version { file: path, found, known: IDENTITY_VERSION }),
            Err(what) => Err(OpenError::damaged(&path, 0, what)),
        }
    }

    /// Writes the identity file, durable on return.
    ///
    /// # Errors
    /// A refusing disk.
    pub(crate) fn save(&self, medium: &dyn Medium, dir: &Path) -> Result<(), OpenError> {
        let path = paths::identity(dir);
        let fresh = path.with_extension("new");
        let write = || {
            let file = medium.create(&fresh)?;
            file.write_at(&self.encode(), 0)?;
            file.sync()?;
            medium.rename(&fresh, &path)?;
            medium.sync_dir(dir)
        };
        write().map_err(|error| OpenError::io(&path, error))
    }
}

/// Finds or makes the identity of the store in `dir`; the flag says whether it was made.
///
/// # Errors
/// No store and none to be made, a store of another engine, damage, an unknown version, or a refusing disk.
pub(crate) fn identify(
    medium: &Arc<dyn Medium>,
    dir: &Path,
    wanted: Engine,
    create: Option<Timestamp>,
) -> Result<(Identity, bool), OpenError> {
    if let Some(identity) = Identity::load(&**medium, dir)? {
        return if identity.engine == wanted {
            Ok((identity, false))
        } else {
            Err(OpenError::Engine { dir: dir.to_owned(), found: identity.engine.name(), wanted: wanted.name() })
        };
    }
    // Records without an identity are not a new store: making one would orphan them.
    let orphans = [paths::log(dir), paths::records(dir)].into_iter().find(|path| holds_files(&**medium, path));
    if orphans.is_some() {
        return Err(OpenError::damaged(&paths::identity(dir), 0, Damage::Missing));
    }
    let created = create.ok_or_else(|| OpenError::NoStore { dir: dir.to_owned() })?;
    let identity = Identity::random(wanted, created).map_err(|error| OpenError::io(dir, error))?;
    identity.save(&**medium, dir)?;
    Ok((identity, true))
}

fn holds_files(medium: &dyn Medium, dir: &Path) -> bool {
    medium.list(dir).is_ok_and(|names| !names.is_empty())
}

/// The lock on a data folder, held until dropped. The operating system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock of `dir`, which must exist, and writes this process's number into it.
    ///
    /// # Errors
    /// [`OpenError::Locked`] naming the holder, or a refusing disk.
    pub fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = paths::lock(dir);
        let fail = |error| OpenError::io(&path, error);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(OpenError::Locked { dir: dir.to_owned(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(fail)?;
        Ok(Self { _file: file })
    }
}

/// Where the parts of a store lie in its folder.
pub(crate) mod paths {
    use std::path::{Path, PathBuf};

    /// The lock.
    pub(crate) fn lock(dir: &Path) -> PathBuf {
        dir.join("lock")
    }
    /// The identity.
    pub(crate) fn identity(dir: &Path) -> PathBuf {
        dir.join("identity")
    }
    /// Folder of segments, key runs and torn tails.
    pub(crate) fn log(dir: &Path) -> PathBuf {
        dir.join("log")
    }
    /// sled's folder of the small state.
    pub(crate) fn state(dir: &Path) -> PathBuf {
        dir.join("state")
    }
    /// sled's folder of the records, where sled keeps them.
    pub(crate) fn records(dir: &Path) -> PathBuf {
        dir.join("records")
    }
    /// Folder of blobs.
    pub(crate) fn blobs(dir: &Path) -> PathBuf {
        dir.join("blobs")
    }
}

/// Makes the folder `dir` and makes its name durable in the folder above.
///
/// # Errors
/// A refusing disk.
pub(crate) fn make_dir(medium: &dyn Medium, dir: &Path) -> Result<(), OpenError> {
    let parent: PathBuf =
        dir.parent().map(Path::to_owned).filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| ".".into());
    medium.create_dir(dir).and_then(|()| medium.sync_dir(&parent)).map_err(|error| OpenError::io(dir, error))
}
