//! Folders into which enterprises drop their parts as files, in the form the transport into a directory writes.
//!
//! ```text
//! DIR/88.990.17/T9/2026-11-29/T9-000000000012.jsonl           the rows
//! DIR/88.990.17/T9/2026-11-29/T9-000000000012.manifest.json   what they are; comes last
//! DIR/88.990.17/taken/T9/…                                    both, once they are taken
//! DIR/88.990.17/T9/2026-11-29/T9-000000000012.refused.txt     why they are not; the manifest is then called ….manifest.json.refused
//! ```
//! Whoever mends a part drops it under its name again. What lies in `taken` is for the operator to remove. Whatever is written into these folders may be
//! hostile: plain files and folders are looked at alone, no more of them than [`DROP_ENTRIES`] at a time, and none further than a part is long.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use nix::fcntl::OFlag;
use waymark_api::toplevel::v1::{Acknowledgement, Complaint, Outcome, Part};

use super::{Collector, TakeError, line, owners};
use crate::check::PART_BYTES;
use crate::config::{DROP_ENTRIES, MANIFEST_BYTES};
use crate::sets::SetName;
use crate::transport::directory::Manifest;

/// What the names of manifests end with.
const MANIFEST: &str = ".manifest.json";

/// Folder of what was taken.
const TAKEN: &str = "taken";

/// Milliseconds for which files that do not fit together yet count as on their way.
const ARRIVAL_MS: u64 = 600_000;

/// Looks into the folders.
#[derive(Debug)]
pub struct DropFolders {
    folder: PathBuf,
    collector: Arc<Collector>,
    /// What keeps a folder from being taken further, by its name.
    problems: Mutex<BTreeMap<String, String>>,
}

/// Why the files of a part stay as they are, or are not taken.
#[derive(Debug)]
enum Stop {
    /// They may be whole later, or taken later.
    Wait(String),
    /// They are wrong.
    Refuse(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Wait(error.to_string())
    }
}

impl DropFolders {
    /// Folders below this one, each of the name of a prefix.
    #[must_use]
    pub const fn new(folder: PathBuf, collector: Arc<Collector>) -> Self {
        Self { folder, collector, problems: Mutex::new(BTreeMap::new()) }
    }

    /// What keeps folders from being taken further: name and cause, for people.
    #[must_use]
    pub fn problems(&self) -> BTreeMap<String, String> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes what lies there; gives how many parts were taken. Blocks.
    pub fn look(&self) -> u64 {
        let mut problems = BTreeMap::new();
        let mut taken = 0;
        match folders(&self.folder) {
            Ok(folders) => {
                for (name, path) in folders {
                    let prefix = name.to_ascii_uppercase();
                    if !owners::is_delegated(&self.collector.catalog().business(), &prefix) {
                        problems.insert(name, TakeError::NotDelegated.to_string());
                        continue;
                    }
                    match self.look_into(&prefix, &path) {
                        Ok(count) => taken += count,
                        Err((count, cause)) => {
                            taken += count;
                            problems.insert(name, cause);
                        }
                    }
                }
            }
            Err(cause) => {
                problems.insert(self.folder.display().to_string(), cause.to_string());
            }
        }
        self.note(problems);
        taken
    }

    /// Tells the log of what is new, once for as long as it is so.
    fn note(&self, problems: BTreeMap<String, String>) {
        let mut known = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        for (folder, cause) in problems.iter().filter(|(folder, cause)| known.get(*folder) != Some(*cause)) {
            tracing::warn!(folder, cause, "dropped parts are not taken");
        }
        *known = problems;
    }

    /// Takes the parts in the folder of an owner, each set in order. The first that has to wait is told of, with how many were taken.
    fn look_into(&self, owner: &str, folder: &Path) -> Result<u64, (u64, String)> {
        let (mut taken, mut waits) = (0, None);
        let manifests = manifests(folder).map_err(|cause| (0, cause.to_string()))?;
        for (set, names) in manifests {
            for (name, path) in names {
                match self.take(owner, set, &name, &path).and_then(|()| Ok(put_aside(folder, set, &name, &path)?)) {
                    Ok(()) => taken += 1,
                    Err(Stop::Refuse(reason)) => {
                        tracing::warn!(owner, %set, name, reason, "a dropped part is refused");
                        if let Err(cause) = refuse(&name, &path, &reason) {
                            waits.get_or_insert_with(|| format!("{name}: {cause}"));
                            break;
                        }
                    }
                    Err(Stop::Wait(cause)) => {
                        waits.get_or_insert_with(|| format!("{name}: {cause}"));
                        break;
                    }
                }
            }
        }
        waits.map_or(Ok(taken), |cause| Err((taken, cause)))
    }

    fn take(&self, owner: &str, set: SetName, name: &str, path: &Path) -> Result<(), Stop> {
        let part = self.read(owner, set, name, path)?;
        let told = match self.collector.take(part) {
            Ok(told) => told,
            Err(error @ TakeError::Outbox(_)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a dropped part cannot be kept");
                return Err(Stop::Wait(error.to_string()));
            }
            Err(error) => return Err(Stop::Wait(error.to_string())),
        };
        match Outcome::try_from(told.outcome) {
            Ok(Outcome::Stored | Outcome::StoredBefore) => Ok(()),
            Ok(Outcome::OutOfOrder) => {
                Err(Stop::Wait(format!("{set} {} comes before it and is not here", told.expected)))
            }
            _ => Err(Stop::Refuse(reasons(&told))),
        }
    }

    /// The part of a manifest and the rows beside it.
    fn read(&self, owner: &str, set: SetName, name: &str, path: &Path) -> Result<Part, Stop> {
        let now = self.collector.catalog().now().0;
        let is_arriving = modified(path)?.saturating_add(ARRIVAL_MS) > now;
        let amiss = |cause: &str| {
            if is_arriving { Stop::Wait(format!("{cause}, for now")) } else { Stop::Refuse(cause.to_owned()) }
        };
        let bytes =
            read_file(path, MANIFEST_BYTES)?.ok_or_else(|| Stop::Refuse("the manifest is too long".to_owned()))?;
        let manifest = Manifest::read(&bytes).ok_or_else(|| amiss("the manifest is none"))?;
        if !manifest.node.eq_ignore_ascii_case(owner) {
            return Err(Stop::Refuse("the manifest is that of another node".to_owned()));
        }
        if manifest.set != set.as_str() || format!("{set}-{:012}", manifest.sequence) != name {
            return Err(Stop::Refuse("the manifest is of another set or sequence than its name says".to_owned()));
        }
        let rows = format!("{name}.jsonl");
        let named = manifest.files.iter().find(|file| file.name == rows);
        let named = named.ok_or_else(|| Stop::Refuse(format!("the manifest does not name {rows}")))?;
        let sha256 = hex::decode(&*named.sha256).ok().filter(|hash| hash.len() == 32);
        let sha256 = sha256.ok_or_else(|| Stop::Refuse("sha256 of the rows is none".to_owned()))?;
        let file = path.with_file_name(&rows);
        if !file.symlink_metadata().is_ok_and(|found| found.is_file()) {
            return Err(amiss("the file of rows is missing"));
        }
        let most = u64::try_from(PART_BYTES).unwrap_or(u64::MAX);
        let content =
            read_file(&file, most)?.ok_or_else(|| Stop::Refuse(format!("there are more than {most} bytes of rows")))?;
        if content.len() != named.bytes {
            return Err(amiss("the file of rows is not as long as the manifest says"));
        }
        Ok(Part {
            node: owner.to_owned(),
            set: set.to_string(),
            sequence: manifest.sequence,
            owner: manifest.owner.into_owned(),
            period: manifest.period.into_owned(),
            part: manifest.part,
            parts: manifest.parts,
            rows: manifest.rows,
            content,
            sha256,
            withdrawn: false,
        })
    }
}

/// The reasons of a refusal, one in each line.
fn reasons(told: &Acknowledgement) -> String {
    let lines: Vec<String> = told.complaints.iter().map(|complaint: &Complaint| line(complaint)).collect();
    lines.join("\n")
}

/// The folders in a folder, by name. Links are none.
fn folders(folder: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    listed(folder, |entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
}

/// Entries of a folder that are wanted, by name: the first of them where there are too many.
fn listed(folder: &Path, is_wanted: impl Fn(&DirEntry) -> bool) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if is_wanted(&entry) {
            found.insert(name, entry.path());
            if found.len() > DROP_ENTRIES {
                found.pop_last();
            }
        }
    }
    Ok(found)
}

/// Manifests, without their ending, and where they are.
type Manifests = BTreeMap<String, PathBuf>;

/// The manifests in the folder of an owner, by set and name.
fn manifests(folder: &Path) -> io::Result<BTreeMap<SetName, Manifests>> {
    let mut found: BTreeMap<SetName, Manifests> = BTreeMap::new();
    for (set, path) in folders(folder)? {
        let Ok(set) = set.parse::<SetName>() else { continue };
        for (_, period) in folders(&path)? {
            let is_manifest = |entry: &DirEntry| {
                entry.file_type().is_ok_and(|kind| kind.is_file())
                    && entry.file_name().to_str().is_some_and(|name| name.ends_with(MANIFEST))
            };
            let of_set = found.entry(set).or_default();
            for (name, path) in listed(&period, is_manifest)? {
                of_set.insert(name.trim_end_matches(MANIFEST).to_owned(), path);
                if of_set.len() > DROP_ENTRIES {
                    of_set.pop_last();
                }
            }
        }
    }
    Ok(found)
}

/// The bytes of a file; `None` where there are more than so many.
fn read_file(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    // What was a file a moment ago may be a link or a pipe by now: neither is followed nor waited for.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "is no file any more"));
    }
    let length = found.len();
    if length > most {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

/// When a file was changed last, in milliseconds since 1970.
fn modified(path: &Path) -> io::Result<u64> {
    let since = path.symlink_metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Moves the files of a part that was taken out of the way: the manifest first, so that nothing looks as if it had lost its rows.
fn put_aside(folder: &Path, set: SetName, name: &str, manifest: &Path) -> io::Result<()> {
    let taken = folder.join(TAKEN);
    let aside = taken.join(set.as_str());
    // A link there would lead the node to write where its owner may not.
    for path in [&taken, &aside] {
        if fs::symlink_metadata(path).is_ok_and(|found| !found.is_dir()) {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, format!("{} is no folder", path.display())));
        }
    }
    fs::create_dir_all(&aside)?;
    for ending in [MANIFEST, ".jsonl", ".csv"] {
        let file = format!("{name}{ending}");
        match fs::rename(manifest.with_file_name(&file), aside.join(&file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Says beside a part why it is refused, and takes its manifest out of the way.
fn refuse(name: &str, manifest: &Path, reason: &str) -> io::Result<()> {
    let mut file = File::create(manifest.with_file_name(format!("{name}.refused.txt.new")))?;
    writeln!(file, "{reason}")?;
    file.sync_all()?;
    fs::rename(
        manifest.with_file_name(format!("{name}.refused.txt.new")),
        manifest.with_file_name(format!("{name}.refused.txt")),
    )?;
    fs::rename(manifest, manifest.with_file_name(format!("{name}{MANIFEST}.refused")))
}
