//! Files of spreadsheets: telling them, and writing them whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use crate::{
    cli::import::beside,
    problem::{Exit, Problem},
};

/// How workbooks begin: a zip container, and the container of old ones and of those with a password.
const MAGICS: [[u8; 4]; 2] = [*b"PK\x03\x04", [0xd0, 0xcf, 0x11, 0xe0]];
/// How names of spreadsheets end.
const ENDINGS: [&str; 4] = ["xlsx", "xlsm", "xls", "csv"];

/// Whether a file is a spreadsheet, by its name or its first bytes; leaves it at its start.
pub(crate) fn is_spreadsheet(path: &Path, file: &mut File) -> io::Result<bool> {
    let named = path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)));
    let mut beginning = Vec::new();
    file.take(4).read_to_end(&mut beginning)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(named || MAGICS.iter().any(|magic| beginning == magic))
}

/// Writes a file under another name and gives it its own when all of it is there. What `write` gives decides: `None` leaves no file.
pub(in crate::cli) fn write_whole<T>(
    path: &Path,
    may_replace: bool,
    write: impl FnOnce(&mut File) -> Result<Option<T>, Problem>,
) -> Result<Option<T>, Problem> {
    if !may_replace && path.symlink_metadata().is_ok() {
        return Err(exists(path));
    }
    let draft = beside(path, &format!(".{}.part", std::process::id()));
    let written = write_draft(&draft, write).and_then(|(file, made)| match made {
        Some(made) => {
            let published = file.sync_all().and_then(|()| publish(&draft, path, may_replace));
            published.map(|()| Some(made)).map_err(|cause| match cause.kind() {
                ErrorKind::AlreadyExists => exists(path),
                _ => not_written(path, &cause),
            })
        }
        None => Ok(None),
    });
    // Where it became the file, there is none left.
    let _gone = fs::remove_file(&draft);
    written
}

fn write_draft<T>(
    draft: &PathBuf,
    write: impl FnOnce(&mut File) -> Result<Option<T>, Problem>,
) -> Result<(File, Option<T>), Problem> {
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(true).open(draft);
    let mut file = opened.map_err(|cause| not_written(draft, &cause))?;
    let made = write(&mut file)?;
    Ok((file, made))
}

/// Gives the draft its name. A link is made only where no file is, whoever else makes one at the same time.
fn publish(draft: &Path, path: &Path, may_replace: bool) -> io::Result<()> {
    if may_replace {
        return fs::rename(draft, path);
    }
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // File systems without links.
        Err(_) if !path.try_exists()? => fs::rename(draft, path),
        linked => linked,
    }
}

fn exists(path: &Path) -> Problem {
    Problem::new("file-exists", Exit::Usage).with("path", path.display())
}

/// A file that cannot be written.
pub(in crate::cli) fn not_written(path: &Path, cause: &dyn std::fmt::Display) -> Problem {
    Problem::new("file-not-written", Exit::Failed).with("path", path.display()).with("cause", cause)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn put(path: &Path, may_replace: bool, text: &str) -> Result<Option<()>, &'static str> {
        let written = write_whole(path, may_replace, |file| {
            file.write_all(text.as_bytes()).unwrap();
            Ok(Some(()))
        });
        written.map_err(|problem| problem.code())
    }

    #[test]
    fn files_are_replaced_only_where_that_is_wanted_and_leave_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.xlsx");
        assert_eq!(put(&path, false, "one"), Ok(Some(())));
        assert_eq!(put(&path, false, "two"), Err("file-exists"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert_eq!(put(&path, true, "three"), Ok(Some(())));
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        let failed = write_whole::<()>(&path, true, |_| Err(Problem::new("sheet-layout", Exit::Failed)));
        assert_eq!(failed.unwrap_err().code(), "sheet-layout");
        assert_eq!(write_whole::<()>(&path, true, |_| Ok(None)).unwrap(), None);
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert_eq!(put(&folder.path().join("no/such/folder"), true, ""), Err("file-not-written"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn one_that_appears_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.xlsx");
        let written = write_whole(&path, false, |_| {
            fs::write(&path, "another").unwrap();
            Ok(Some(()))
        });
        assert_eq!(written.unwrap_err().code(), "file-exists");
        assert_eq!(fs::read_to_string(&path).unwrap(), "another");
    }

    #[test]
    fn spreadsheets_are_told_by_name_or_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let is = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            is_spreadsheet(&path, &mut File::open(&path).unwrap()).unwrap()
        };
        assert!(is("a.CSV", b"") && is("a.xlsx", b"") && is("a", b"PK\x03\x04...") && is("a", b"\xd0\xcf\x11\xe0\xa1"));
        assert!(!is("a.jsonl", b"{\"handle\"") && !is("a.txt", b"CREATE 88.1/x"));
    }
}
