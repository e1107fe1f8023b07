//! The files of a log's folder: listing them, and reading what they say about themselves.

use std::io;
use std::path::{Path, PathBuf};

use crate::bytes::{memory, offset};
use crate::error::{Damage, OpenError};
use crate::format::end::{END_VERSION, LogEnd};
use crate::format::run::parse_run_name;
use crate::format::segment::{HEADER_MOST, SEGMENT_VERSION, SegmentHeader, Versioned, parse_segment_name};
use crate::log::in_log;
use crate::medium::{Medium, MediumFile};
use crate::types::Serial;

/// Segments and runs found in a log's folder.
#[derive(Debug, Default)]
pub(crate) struct LogFiles {
    /// Base, first serial and path of the segments, oldest first.
    pub(crate) segments: Vec<(u64, Serial, PathBuf)>,
    /// Paths of the runs.
    pub(crate) runs: Vec<PathBuf>,
    /// Torn tails kept aside.
    pub(crate) torn: Vec<PathBuf>,
    /// Files that were being made when the process ended.
    pub(crate) unfinished: Vec<PathBuf>,
}

impl LogFiles {
    /// Lists the folder.
    ///
    /// # Errors
    /// A refusing disk.
    pub(crate) fn list(medium: &dyn Medium, dir: &Path) -> Result<Self, OpenError> {
        let mut files = Self::default();
        for name in medium.list(dir).map_err(|error| OpenError::io(dir, error))? {
            let Some(name) = name.to_str() else { continue };
            let path = in_log(dir, name);
            if let Some((base, first)) = parse_segment_name(name) {
                files.segments.push((base, first, path));
            } else if parse_run_name(name).is_some() {
                files.runs.push(path);
            } else if name.starts_with("torn-") {
                files.torn.push(path);
            } else if name.ends_with(".new") {
                files.unfinished.push(path);
            }
        }
        files.segments.sort();
        files.runs.sort();
        Ok(files)
    }
}

/// Reads the header of the segment in `path`.
///
/// # Errors
/// Damage as the inner error; an unknown version or a refusing disk as the outer one.
pub(crate) fn read_segment_header(
    medium: &dyn Medium,
    path: &Path,
    store_id: &[u8; 16],
) -> Result<(Result<SegmentHeader, Damage>, u64), OpenError> {
    let file = medium.open(path).map_err(|error| OpenError::io(path, error))?;
    let length = file.len().map_err(|error| OpenError::io(path, error))?;
    let bytes = front(&*file).map_err(|error| OpenError::io(path, error))?;
    let header = match SegmentHeader::decode(&bytes) {
        Ok(Versioned::Unknown(found)) => {
            return Err(OpenError::Version { file: path.to_owned(), found, known: SEGMENT_VERSION });
        }
        Ok(Versioned::Known(header)) if header.store_id != *store_id => Err(Damage::ForeignStore),
        Ok(Versioned::Known(header)) => Ok(header),
        Err(what) => Err(what),
    };
    Ok((header, length))
}

/// Reads the end mark of the log in `dir`; a log that was never closed in order has none, which is that of an empty one.
///
/// # Errors
/// Damage as the inner error; an unknown version or a refusing disk as the outer one.
pub(crate) fn read_end(
    medium: &dyn Medium,
    dir: &Path,
    store_id: &[u8; 16],
) -> Result<Result<LogEnd, Damage>, OpenError> {
    let path = end_path(dir);
    let file = match medium.open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(LogEnd::default())),
        other => other.map_err(|error| OpenError::io(&path, error))?,
    };
    let bytes = front(&*file).map_err(|error| OpenError::io(&path, error))?;
    match LogEnd::decode(&bytes, store_id) {
        Ok(Versioned::Known(end)) => Ok(Ok(end)),
        Ok(Versioned::Unknown(found)) => Err(OpenError::Version { file: path, found, known: END_VERSION }),
        Err(what) => Ok(Err(what)),
    }
}

/// Writes the end mark of the log in `dir`, durable on return; at any moment the former or the new one is there whole.
///
/// # Errors
/// A refusing disk.
pub(crate) fn write_end(medium: &dyn Medium, dir: &Path, store_id: &[u8; 16], end: &LogEnd) -> io::Result<()> {
    let path = end_path(dir);
    let fresh = path.with_extension("new");
    let file = medium.create(&fresh)?;
    file.write_at(&end.encode(store_id), 0)?;
    file.sync()?;
    medium.rename(&fresh, &path)?;
    medium.sync_dir(dir)
}

/// The end mark of the log in `dir`.
pub(crate) fn end_path(dir: &Path) -> PathBuf {
    in_log(dir, "closed.end")
}

/// The first bytes of a file, as many as a header may have.
fn front(file: &dyn MediumFile) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; memory(file.len()?.min(offset(HEADER_MOST)))];
    let got = file.read_at(&mut bytes, 0)?;
    bytes.truncate(got);
    Ok(bytes)
}
