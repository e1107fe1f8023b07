//! Deposits that were accepted: the last full one, and the differential ones that followed it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::deposit::{Extension, Extent, FileName, Head, Report};

/// Accepted deposits that follow each other. A node is restored from all files of the folder.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Where their files lie.
    pub folder: PathBuf,
    /// What they say of themselves, in order: a full one, then differential ones.
    pub heads: Vec<Head>,
}

impl Chain {
    /// The newest of a folder of chains.
    pub(super) fn newest(chains: &Path) -> Option<Self> {
        let folders = fs::read_dir(chains).ok()?.flatten().map(|entry| entry.path());
        // What has an ending was not finished.
        let chains = folders.filter(|folder| folder.extension().is_none()).filter_map(|folder| Self::read(&folder));
        chains.max_by_key(|chain| chain.heads.first().map(|full| (full.date.days(), full.resend)))
    }

    fn read(folder: &Path) -> Option<Self> {
        let mut heads: Vec<Head> = reports(folder).into_iter().map(|(_, report)| report.head).collect();
        heads.sort_by_key(|head| (head.date.days(), head.resend));
        let is_chain = heads.first().is_some_and(|full| full.extent == Extent::Full);
        is_chain.then(|| Self { folder: folder.to_owned(), heads })
    }

    /// The last of them.
    #[must_use]
    pub fn last(&self) -> Option<&Head> {
        self.heads.last()
    }

    /// The data files of all of them.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let names = super::room::names(&self.folder);
        let is_data = |name: &&String| name.parse::<FileName>().is_ok_and(|name| name.extension == Extension::Data);
        names.iter().filter(is_data).map(|name| self.folder.join(name)).collect()
    }
}

/// The reports of a folder that can be read, with their names.
pub(super) fn reports(folder: &Path) -> Vec<(FileName, Report)> {
    let names = super::room::names(folder).into_iter().filter_map(|name| name.parse::<FileName>().ok());
    let reports = names.filter(|name| name.extension == Extension::Report);
    reports.filter_map(|name| Some((name.clone(), report(&folder.join(name.to_string()))?))).collect()
}

/// A report of a file.
pub(super) fn report(path: &Path) -> Option<Report> {
    let found = fs::metadata(path).ok().filter(|found| found.len() <= crate::deposit::config::REPORT_BYTES);
    Report::read(&found.and_then(|_| fs::read(path).ok())?).ok()
}

/// Puts the files of an accepted deposit into the chain they belong to, which a full one begins; the report last.
pub(super) fn take(chains: &Path, from: &Path, files: &[String], head: &Head) -> io::Result<()> {
    match head.extent {
        Extent::Full => {
            let (fresh, folder) = (chains.join(format!("{}.new", head.id)), chains.join(head.id.to_string()));
            fs::create_dir_all(&fresh)?;
            move_all(from, &fresh, files)?;
            fs::rename(&fresh, &folder)?;
            fs::File::open(chains)?.sync_all()?;
            // From here on it is the newest; what was before is in nobody's way but the disk's.
            for old in fs::read_dir(chains)?.flatten().map(|entry| entry.path()).filter(|path| *path != folder) {
                let _ = fs::remove_dir_all(old);
            }
            Ok(())
        }
        Extent::Diff => {
            let chain = Chain::newest(chains).ok_or(io::ErrorKind::NotFound)?;
            move_all(from, &chain.folder, files)
        }
    }
}

fn move_all(from: &Path, to: &Path, files: &[String]) -> io::Result<()> {
    let (reports, others): (Vec<&String>, Vec<&String>) = files.iter().partition(|name| name.ends_with(".rep"));
    for name in others.into_iter().chain(reports) {
        fs::rename(from.join(name), to.join(name))?;
    }
    fs::File::open(to)?.sync_all()
}
