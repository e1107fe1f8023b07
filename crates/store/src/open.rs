//! Opening the store in a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::{Engine, Options, Recovery, State, StateFound, Store};
use crate::error::{OpenError, is_disk_full};
use crate::folder::{FolderLock, identify, make_dir, paths};
use crate::log::recover::open_log;
use crate::medium::{Disk, Medium};
use crate::memory::MemoryState;
use crate::records::SledStore;
use crate::sled_disk::remove_mark;
use crate::state::SledState;

/// Opens the store in the folder of `options`, and makes it when there is none and `options.create` says so. The folder stays locked until the
/// store is dropped.
///
/// # Errors
/// See [`OpenError`]. Damage of single entries is no error but part of the [`Recovery`].
pub fn open(options: &Options) -> Result<(Arc<dyn Store>, Recovery), OpenError> {
    options.validate()?;
    let dir = &options.dir;
    if options.create {
        make_dir(&Disk, dir)?;
    } else if !dir.is_dir() {
        return Err(OpenError::NoStore { dir: dir.clone() });
    }
    open_locked(options, FolderLock::take(dir)?)
}

/// Opens the store in a folder whose lock is held.
pub(crate) fn open_locked(options: &Options, lock: FolderLock) -> Result<(Arc<dyn Store>, Recovery), OpenError> {
    let dir = &options.dir;
    let medium: Arc<dyn Medium> = Arc::new(Disk);
    let create = options.create.then_some(options.now);
    let (identity, created) = identify(&medium, dir, options.engine, create)?;
    let (state, found) = open_state(&paths::state(dir), options.state_cache_bytes)?;
    let recovery = Recovery { created, state: found, ..Recovery::default() };
    Ok(match options.engine {
        Engine::Log => {
            let (store, recovery) = open_log(medium, options, identity, state, recovery, Some(lock))?;
            (Arc::new(store), recovery)
        }
        Engine::Sled => {
            let (store, recovery) = SledStore::open(medium, options, identity, state, recovery, lock)?;
            (Arc::new(store), recovery)
        }
    })
}

/// Opens a log over any medium, with the small state in memory, empty at every opening: for tests of crashes and failing disks, here and in
/// the crates above.
///
/// # Errors
/// See [`open`].
pub fn open_on(medium: Arc<dyn Medium>, options: &Options) -> Result<(Arc<dyn Store>, Recovery), OpenError> {
    options.validate()?;
    make_dir(&*medium, &options.dir)?;
    let create = options.create.then_some(options.now);
    let (identity, created) = identify(&medium, &options.dir, Engine::Log, create)?;
    let recovery = Recovery { created, ..Recovery::default() };
    let state = Box::new(MemoryState::default());
    let (store, recovery) = open_log(medium, options, identity, state, recovery, None)?;
    Ok((Arc::new(store), recovery))
}

/// Opens the small state; one that can not be read is moved aside and begun anew, since the log holds all it was made from. Where the disk has
/// no room left for it, it is held in memory until the store is closed, so that reading goes on.
fn open_state(dir: &Path, cache_bytes: u64) -> Result<(Box<dyn State>, StateFound), OpenError> {
    or_in_memory(open_or_begin_anew(dir, cache_bytes))
}

fn or_in_memory(opened: Result<(SledState, StateFound), OpenError>) -> Result<(Box<dyn State>, StateFound), OpenError> {
    match opened {
        Ok((state, found)) => Ok((Box::new(state), found)),
        Err(OpenError::Io { source, .. } | OpenError::Sled { source: sled::Error::Io(source), .. })
            if is_disk_full(&source) =>
        {
            Ok((Box::new(MemoryState::default()), StateFound::NoRoom))
        }
        Err(other) => Err(other),
    }
}

fn open_or_begin_anew(dir: &Path, cache_bytes: u64) -> Result<(SledState, StateFound), OpenError> {
    match SledState::open(dir, cache_bytes) {
        Ok(state) => Ok((state, StateFound::Sound)),
        Err(
            OpenError::Damaged { .. }
            | OpenError::Sled {
                source: sled::Error::Corruption { .. } | sled::Error::Unsupported(_) | sled::Error::ReportableBug(_),
                ..
            },
        ) => {
            let to = set_aside(dir)?;
            remove_mark(dir).map_err(|error| OpenError::io(dir, error))?;
            let state = SledState::open(dir, cache_bytes)?;
            Ok((state, StateFound::SetAside { to }))
        }
        Err(other) => Err(other),
    }
}

/// Gives a folder a name nothing else has; returns it.
pub(crate) fn set_aside(dir: &Path) -> Result<PathBuf, OpenError> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut number = 1_u32;
    let to = loop {
        let to = dir.with_file_name(format!("{name}-damaged-{number}"));
        if !to.exists() {
            break to;
        }
        number += 1;
    };
    fs::rename(dir, &to).map_err(|error| OpenError::io(dir, error))?;
    Ok(to)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::types::Serial;

    fn refused_for(kind: io::ErrorKind) -> Result<(SledState, StateFound), OpenError> {
        Err(OpenError::Sled { dir: PathBuf::new(), source: sled::Error::Io(kind.into()) })
    }

    #[test]
    fn a_state_the_disk_has_no_room_for_is_held_in_memory() {
        let (state, found) = or_in_memory(refused_for(io::ErrorKind::StorageFull)).unwrap();
        assert_eq!((state.applied(), found), (Serial::NONE, StateFound::NoRoom));
    }

    #[test]
    fn any_other_refusal_is_an_error() {
        assert!(or_in_memory(refused_for(io::ErrorKind::PermissionDenied)).is_err());
    }
}
