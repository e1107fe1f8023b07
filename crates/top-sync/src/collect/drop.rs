//! Folders into which enterprises drop their parts as files, in the form the transport into a directory writes.
//!
//! ```text
//! DIR/88.990.17/T9/2026-11-29/T9-000000000012.jsonl           the rows
//! DIR/88.990.17/T9/2026-11-29/T9-000000000012.manifest.json   what they are; comes last
//! DIR/88.990.17/taken/T9/…                                    both, once they are taken
//! DIR/88.990.17/T9/2026-11-29/T9-000000000012.refused.txt     why they are not; the manifest is then called ….manifest.json.refused
//! ```
//! Folders of sets are called as the sets are, in capitals. Whoever mends a part drops it under its name again. What lies in `taken` is for the operator to
//! remove.
//!
//! Whatever is written below the folder of a prefix may be hostile, and exchanged at any moment: every folder is held open while it is worked in, none is
//! reached through a link, plain files alone are read, none further than a part is long, and nothing that is there is written into. What the operator's
//! permissions must ensure: nobody but the operator writes into DIR itself or changes the path to it.
//!
//! A look goes through no more of a set than its [`Budget`], so that no enterprise holds up the others for long. The parts of a set are taken in the order
//! of their sequences. A period too full to be read whole hides which one comes next: nothing of it is taken, nor of the periods behind it, and that is
//! told as a problem until there is less.

mod folder;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use waymark_api::toplevel::v1::{Acknowledgement, Complaint, Outcome, Part};

use self::folder::{Folder, Listed, Reach, read};
use super::{Collector, TakeError, line, owners};
use crate::check::PART_BYTES;
use crate::config::{DROP_ENTRIES, DROP_PARTS, MANIFEST_BYTES};
use crate::sets::SetName;
use crate::transport::directory::Manifest;

/// What the names of manifests end with.
const MANIFEST: &str = ".manifest.json";

/// Folder of what was taken.
const TAKEN: &str = "taken";

/// Milliseconds for which files that do not fit together yet count as on their way.
const ARRIVAL_MS: u64 = 600_000;

/// How much of one set of an owner a look goes through.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Entries of folders that are read.
    pub entries: usize,
    /// Parts that are taken or refused; those behind them wait for the next look.
    pub parts: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { entries: DROP_ENTRIES, parts: DROP_PARTS }
    }
}

/// Looks into the folders.
#[derive(Debug)]
pub struct DropFolders {
    folder: PathBuf,
    collector: Arc<Collector>,
    budget: Budget,
    /// Whether looking is over for good.
    halted: AtomicBool,
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

/// What became of a folder.
#[derive(Default)]
struct Outcomes {
    /// Parts that were taken.
    taken: u64,
    /// The first thing that keeps it from being taken further.
    problem: Option<String>,
}

impl Outcomes {
    /// Counts parts and keeps the first problem.
    fn add(&mut self, more: Self) {
        self.taken += more.taken;
        self.problem = self.problem.take().or(more.problem);
    }
}

impl From<io::Error> for Outcomes {
    fn from(cause: io::Error) -> Self {
        Self { taken: 0, problem: Some(cause.to_string()) }
    }
}

/// A set in the folder of an owner.
struct Place<'a> {
    /// The owner's prefix, folded.
    owner: &'a str,
    set: SetName,
    /// What the owner drops of all sets.
    of_owner: &'a Folder,
    /// What the owner drops of this one.
    of_set: &'a Folder,
}

impl DropFolders {
    /// Folders below this one, each of the name of a prefix.
    #[must_use]
    pub fn new(folder: PathBuf, collector: Arc<Collector>) -> Self {
        let budget = Budget::default();
        Self { folder, collector, budget, halted: AtomicBool::new(false), problems: Mutex::default() }
    }

    /// With another budget.
    #[must_use]
    pub fn within(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// Ends looking for good: the look under way ends with the part it is at.
    pub fn halt(&self) {
        self.halted.store(true, Ordering::Release);
    }

    /// What keeps folders from being taken further: name and cause, for people.
    #[must_use]
    pub fn problems(&self) -> BTreeMap<String, String> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes what lies there, as far as the budget goes; gives how many parts were taken. Blocks.
    pub fn look(&self) -> u64 {
        let mut problems = BTreeMap::new();
        let taken = self.look_around(&mut problems).unwrap_or_else(|cause| {
            problems.insert(self.folder.display().to_string(), cause.to_string());
            0
        });
        // A look cut short knows too little.
        if !self.is_halted() {
            self.note(problems);
        }
        taken
    }

    fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
    }

    /// As far as one set, or the list of owners, may be read.
    fn reach(&self) -> Reach<'_> {
        Reach { entries: self.budget.entries, halted: &self.halted }
    }

    /// Looks into the folder of each owner.
    fn look_around(&self, problems: &mut BTreeMap<String, String>) -> io::Result<u64> {
        let all = Folder::open(&self.folder)?;
        let Listed { mut names, is_whole } = all.folders(&mut self.reach())?;
        if !is_whole {
            problems.insert(self.folder.display().to_string(), self.overfull());
        }
        names.sort_unstable();
        let mut taken = 0;
        for name in names {
            if self.is_halted() {
                break;
            }
            let owner = name.to_ascii_uppercase();
            if !owners::is_delegated(&self.collector.catalog().business(), &owner) {
                problems.insert(name, TakeError::NotDelegated.to_string());
                continue;
            }
            let looked = self.look_into(&owner, &all, &name).unwrap_or_else(Outcomes::from);
            taken += looked.taken;
            problems.extend(looked.problem.map(|problem| (name, problem)));
        }
        Ok(taken)
    }

    fn overfull(&self) -> String {
        format!(
            "there are more than {} entries; what lies behind them waits until there are fewer",
            self.budget.entries
        )
    }

    /// Tells the log of what is new, once for as long as it is so.
    fn note(&self, problems: BTreeMap<String, String>) {
        let mut known = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        for (folder, cause) in problems.iter().filter(|(folder, cause)| known.get(*folder) != Some(*cause)) {
            tracing::warn!(folder, cause, "dropped parts are not taken");
        }
        *known = problems;
    }

    /// Takes the parts in the folder of an owner, whose name is given, each set in order and as far as its budget goes.
    fn look_into(&self, owner: &str, all: &Folder, name: &str) -> io::Result<Outcomes> {
        let mut looked = Outcomes::default();
        // It is gone, or no folder any more.
        let Some(of_owner) = all.folder(name)? else { return Ok(looked) };
        for set in SetName::ALL {
            let of_set = match of_owner.folder(set.as_str()) {
                Ok(Some(of_set)) => of_set,
                Ok(None) => continue,
                Err(cause) => {
                    looked.add(cause.into());
                    continue;
                }
            };
            let place = Place { owner, set, of_owner: &of_owner, of_set: &of_set };
            looked.add(self.look_at(&place).unwrap_or_else(Outcomes::from));
        }
        Ok(looked)
    }

    /// Takes the parts of a set in order, up to the first that has to wait.
    fn look_at(&self, place: &Place<'_>) -> io::Result<Outcomes> {
        let (manifests, mut problem) = self.manifests(place)?;
        let mut taken = 0;
        for (name, period) in manifests.into_iter().take(self.budget.parts) {
            if self.is_halted() {
                break;
            }
            match self.settle(place, &name, &period) {
                Ok(is_taken) => taken += u64::from(is_taken),
                Err(cause) => {
                    problem = Some(format!("{name}: {cause}"));
                    break;
                }
            }
        }
        Ok(Outcomes { taken, problem })
    }

    /// The manifests of a set, without their ending, with the periods they lie under; and why these are not all. Of each period all or none.
    fn manifests(&self, place: &Place<'_>) -> io::Result<(BTreeMap<String, String>, Option<String>)> {
        let (mut found, mut reach) = (BTreeMap::new(), self.reach());
        let Listed { names: mut periods, is_whole } = place.of_set.folders(&mut reach)?;
        if !is_whole {
            return Ok((found, Some(format!("{}: {}", place.set, self.overfull()))));
        }
        periods.sort_unstable();
        for period in periods {
            let Some(folder) = place.of_set.folder(&period)? else { continue };
            let Listed { names, is_whole } = folder.files(MANIFEST, &mut reach)?;
            if !is_whole {
                return Ok((found, Some(format!("{} up to {period}: {}", place.set, self.overfull()))));
            }
            found.extend(names.into_iter().map(|name| (name, period.clone())));
        }
        Ok((found, None))
    }

    /// Takes a part and puts it aside, or refuses it and says so beside it; whether it is taken. The error says why neither can be.
    fn settle(&self, place: &Place<'_>, name: &str, period: &str) -> Result<bool, String> {
        let told = |cause: io::Error| cause.to_string();
        let folder = place.of_set.folder(period).map_err(told)?.ok_or("its folder is none any more")?;
        match self.take(place.owner, place.set, name, &folder) {
            Ok(()) => put_aside(place, name, &folder).map(|()| true).map_err(told),
            Err(Stop::Wait(cause)) => Err(cause),
            Err(Stop::Refuse(reason)) => {
                tracing::warn!(owner = place.owner, set = %place.set, name, reason, "a dropped part is refused");
                refuse(name, &folder, &reason).map(|()| false).map_err(told)
            }
        }
    }

    fn take(&self, owner: &str, set: SetName, name: &str, folder: &Folder) -> Result<(), Stop> {
        let part = self.read(owner, set, name, folder)?;
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
    fn read(&self, owner: &str, set: SetName, name: &str, folder: &Folder) -> Result<Part, Stop> {
        let now = self.collector.catalog().now().0;
        let file = folder.file(&format!("{name}{MANIFEST}"))?;
        let file = file.ok_or_else(|| Stop::Wait("the manifest is no file any more".to_owned()))?;
        let is_arriving = modified(&file)?.saturating_add(ARRIVAL_MS) > now;
        let amiss = |cause: &str| {
            if is_arriving { Stop::Wait(format!("{cause}, for now")) } else { Stop::Refuse(cause.to_owned()) }
        };
        let bytes = read(file, MANIFEST_BYTES)?;
        let bytes = bytes.ok_or_else(|| Stop::Refuse("the manifest is too long".to_owned()))?;
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
        let file = folder.file(&rows)?.ok_or_else(|| amiss("the file of rows is missing"))?;
        let most = u64::try_from(PART_BYTES).unwrap_or(u64::MAX);
        let content = read(file, most)?;
        let content = content.ok_or_else(|| Stop::Refuse(format!("there are more than {most} bytes of rows")))?;
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

/// When a file was changed last, in milliseconds since 1970.
fn modified(file: &File) -> io::Result<u64> {
    let since = file.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Moves the files of a part that was taken out of the way: the manifest first, so that nothing looks as if it had lost its rows.
fn put_aside(place: &Place<'_>, name: &str, folder: &Folder) -> io::Result<()> {
    let aside = place.of_owner.folder_made(TAKEN)?.folder_made(place.set.as_str())?;
    for ending in [MANIFEST, ".jsonl", ".csv"] {
        let file = format!("{name}{ending}");
        match folder.give(&file, &aside, &file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Says beside a part why it is refused, and takes its manifest out of the way.
fn refuse(name: &str, folder: &Folder, reason: &str) -> io::Result<()> {
    folder.write(&format!("{name}.refused.txt"), format!("{reason}\n").as_bytes())?;
    folder.give(&format!("{name}{MANIFEST}"), folder, &format!("{name}{MANIFEST}.refused"))
}
