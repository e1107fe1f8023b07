//! Which deposits of a folder are restored: the newest full one of a node, and those that say what changed since.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::config::FOLDER_FILES;
use crate::deposit::{Extent, FileName};

/// The files of the newest full deposit of a prefix in a folder or the folders in it (as the place for deposits of `top-node` keeps what it accepted),
/// and of those of later days; of each day the last that was made. Empty where there is no full one. Whether they follow each other is for the restoration
/// to say.
///
/// # Errors
/// The folder cannot be read, or holds more than [`FOLDER_FILES`].
pub fn last_deposits(folder: &Path, node: &str) -> io::Result<Vec<PathBuf>> {
    let mut days: BTreeMap<i64, (u32, Extent, Vec<PathBuf>)> = BTreeMap::new();
    for path in files(folder)? {
        let Some(Ok(name)) = path.file_name().and_then(|name| name.to_str()).map(str::parse::<FileName>) else {
            continue;
        };
        if !name.node.eq_ignore_ascii_case(node) {
            continue;
        }
        let (revision, extent, files) =
            days.entry(name.date.days()).or_insert_with(|| (name.revision, name.extent, Vec::new()));
        if name.revision > *revision {
            files.clear();
            (*revision, *extent) = (name.revision, name.extent);
        }
        if name.revision == *revision {
            files.push(path);
        }
    }
    let Some(first) = days.iter().rev().find(|(_, (_, extent, _))| *extent == Extent::Full).map(|(day, _)| *day) else {
        return Ok(Vec::new());
    };
    Ok(days.into_iter().filter(|(day, _)| *day >= first).flat_map(|(_, (_, _, files))| files).collect())
}

/// The files in a folder and in the folders in it.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), true)];
    while let Some((folder, has_folders)) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                files.push(entry.path());
            } else if has_folders {
                folders.push((entry.path(), false));
            }
            if files.len() + folders.len() > FOLDER_FILES {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_full_deposit_and_those_behind_it_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            "88.990_2026-11-22_full_S1_R0.inde",
            "88.990_2026-11-23_diff_S1_R0.inde",
            "88.990_2026-11-29_full_S1_R0.inde",
            "88.990_2026-11-29_full_S1_R1.inde",
            "88.990_2026-11-29_full_S1_R1.rep",
            "88.990_2026-11-30_diff_S1_R0.inde",
            "88.991_2026-11-30_full_S1_R0.inde",
            "notes.txt",
        ];
        names.iter().for_each(|name| fs::write(folder.path().join(name), "").unwrap());
        let mut taken: Vec<_> = last_deposits(folder.path(), "88.990").unwrap();
        taken.sort();
        let wanted: Vec<_> = names[3..6].iter().map(|name| folder.path().join(name)).collect();
        assert_eq!(taken, wanted);
        assert!(last_deposits(folder.path(), "88.7").unwrap().is_empty());
        // Below a folder of each chain; no deeper.
        let above = tempfile::tempdir().unwrap();
        fs::rename(folder.path(), above.path().join("chain")).unwrap();
        let mut taken: Vec<_> = last_deposits(above.path(), "88.990").unwrap();
        taken.sort();
        let wanted: Vec<_> = names[3..6].iter().map(|name| above.path().join("chain").join(name)).collect();
        assert_eq!(taken, wanted);
    }
}
