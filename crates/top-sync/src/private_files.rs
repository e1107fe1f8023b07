//! Files of a folder that are nobody else's business, each there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::calendar::Day;

/// What a look at a file found.
pub(crate) enum Found {
    /// There is none.
    Nothing,
    /// It is larger than any such file.
    TooLarge,
    /// Its bytes.
    Bytes(Vec<u8>),
}

/// The bytes of a file of at most so many.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Found> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(cause) => return Err(cause),
    };
    if file.metadata()?.len() > most {
        return Ok(Found::TooLarge);
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(Found::Bytes(bytes))
}

/// Puts a file in place: what is there afterwards is the old one or the new one, whole, durable, and for its owner alone.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // What a kill left there may be readable to others.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    sync_folder_of(path)
}

/// Moves a file aside that cannot be read, for whoever wants to look into it; tells where it is now.
pub(crate) fn move_aside(path: &Path, now_seconds: u64) -> io::Result<PathBuf> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".damaged-{now_seconds}"));
    fs::rename(path, &aside)?;
    sync_folder_of(path)?;
    Ok(aside.into())
}

/// Flushes the names of the folder a file lies in.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()
}

/// The days a folder has files of, `2026-11-29.ENDING`, in order.
pub(crate) fn days(folder: &Path, ending: &str) -> io::Result<Vec<Day>> {
    let mut days = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let day: Option<Day> =
            name.to_str().and_then(|name| name.strip_suffix(ending)?.strip_suffix('.')?.parse().ok());
        days.extend(day);
    }
    days.sort_unstable();
    Ok(days)
}
