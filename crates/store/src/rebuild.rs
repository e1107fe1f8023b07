//! Remaking what is derived from the records.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::engine::{Engine, Options, Recovery, Store, Upkeep};
use crate::error::OpenError;
use crate::folder::{FolderLock, Identity, paths};
use crate::format::frame::Seed;
use crate::format::segment::SegmentHeader;
use crate::log::files::{LogFiles, read_segment_header};
use crate::log::scan::{Met, scan};
use crate::log::window::Window;
use crate::medium::{Disk, Medium};
use crate::open::open_locked;
use crate::records::rebuild_keys;
use crate::sled_disk::remove_mark;
use crate::types::{Serial, Timestamp};

/// Throws away everything derived from the records (key runs, damaged segment headers, the small state, blobs), remakes what this crate can,
/// and opens the store. The state is empty and its applied serial none; the caller feeds it again, and writes its blobs again.
///
/// Records are not touched. What is damaged among them is listed in the [`Recovery`].
///
/// # Errors
/// The folder is in use, holds no store, or the disk refuses.
pub fn rebuild(options: &Options) -> Result<(Arc<dyn Store>, Recovery), OpenError> {
    options.validate()?;
    let dir = &options.dir;
    if !dir.is_dir() {
        return Err(OpenError::NoStore { dir: dir.clone() });
    }
    let lock = FolderLock::take(dir)?;
    let identity = Identity::load(&Disk, dir)?.ok_or_else(|| OpenError::NoStore { dir: dir.clone() })?;
    let state = paths::state(dir);
    remove_mark(&state).map_err(|error| OpenError::io(&state, error))?;
    remove_dir(&state)?;
    remove_dir(&paths::blobs(dir))?;
    match identity.engine {
        Engine::Log => rebuild_log(&Disk, &paths::log(dir), &identity.store_id)?,
        Engine::Sled => rebuild_keys(&paths::records(dir), options.record_cache_bytes, &identity)?,
    }
    let options = Options { engine: identity.engine, create: false, upkeep: Upkeep::Inline, ..options.clone() };
    open_locked(&options, lock)
}

fn remove_dir(dir: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::io(dir, error)),
        _ => Ok(()),
    }
}

/// Removes all runs, which opening makes anew, and writes damaged segment headers again from their file's name and the segment before.
pub(crate) fn rebuild_log(medium: &dyn Medium, dir: &Path, store_id: &[u8; 16]) -> Result<(), OpenError> {
    let files = LogFiles::list(medium, dir)?;
    for path in &files.runs {
        medium.remove(path).map_err(|error| OpenError::io(path, error))?;
    }
    for (index, (base, first, path)) in files.segments.iter().enumerate() {
        let (header, capacity) = read_segment_header(medium, path, store_id)?;
        if header.is_ok() {
            continue;
        }
        let before = index.checked_sub(1).and_then(|before| files.segments.get(before));
        let time = match before {
            Some((base, former, path)) => last_time(medium, path, *base, *former, *first, store_id)?,
            None => Timestamp(0),
        };
        let header = SegmentHeader { store_id: *store_id, base: *base, capacity, first: *first, time };
        let write = || {
            let file = medium.open(path)?;
            file.write_at(&header.encode(), 0)?;
            file.sync()
        };
        write().map_err(|error| OpenError::io(path, error))?;
    }
    Ok(())
}

/// Time of the last entry of the segment in `path`.
fn last_time(
    medium: &dyn Medium,
    path: &Path,
    base: u64,
    first: Serial,
    following: Serial,
    store_id: &[u8; 16],
) -> Result<Timestamp, OpenError> {
    let file = medium.open(path).map_err(|error| OpenError::io(path, error))?;
    let length = file.len().map_err(|error| OpenError::io(path, error))?;
    let mut window = Window::new(path.to_owned(), file, Seed::of_store(store_id), base, length);
    let mut time = Timestamp(0);
    scan(&mut window, first, Some(following), &mut |met| {
        if let Met::Entry(entry) = met {
            time = time.max(entry.time);
        }
    })?;
    Ok(time)
}
