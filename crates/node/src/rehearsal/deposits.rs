//! Item 9: a full deposit and one of what changed since, encrypted and signed, one of them made again; checked, and restored into an empty node.

use std::path::PathBuf;

use waymark_catalog::{Actor, Catalog, Command, PutMode, Submission, Timestamp, Timestamps, ValueSet};
use waymark_top_sync::deposit::{
    self, Delivery, Extent, Files, Held, Made, Table, Wanted,
    config::{GROUP_BYTES, PART_BYTES},
    day_of, is_sunday, keys,
};
use waymark_wire::ValueBuf;

use super::stage::{Stage, clock, move_to, text};
use super::tried::Item;
use super::upward::FILLED;
use crate::daemon::{chain, open_catalog};

/// Folder of the deposits.
const FOLDER: &str = "deposits";
/// Folder of the deposit that is made again.
const AGAIN: &str = "deposits-again";
/// The data folder they are restored into.
const EMPTY: &str = "restored";
/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 3_600_000;

/// Makes them.
pub(super) fn try_out(stage: &Stage, catalog: &Catalog, item: &mut Item) {
    for folder in [FOLDER, AGAIN] {
        let _made = std::fs::create_dir(stage.path(folder));
    }
    let full = make(stage, catalog, Extent::Full, FOLDER);
    tell(item, "full", &full, |made| made.head.extent == Extent::Full && made.counts.identifiers > 0);
    let changed = write(catalog);
    // What was written today is in the deposit of tomorrow; on a Sunday it has to be a full one.
    move_to(Timestamp(clock().0 + DAY_MS));
    if is_sunday(day_of(clock())) {
        move_to(Timestamp(clock().0 + DAY_MS));
    }
    let diff = make(stage, catalog, Extent::Diff, FOLDER);
    tell(item, "diff", &diff, |made| changed && made.head.extent == Extent::Diff && made.counts.identifiers == 1);
    let again = make(stage, catalog, Extent::Diff, AGAIN);
    tell(item, "again", &again, |made| made.head.resend > 0);
}

fn make(stage: &Stage, catalog: &Catalog, extent: Extent, folder: &str) -> Result<Made, String> {
    let platform = keys::read_public(&stage.path("platform.pub")).map_err(|cause| chain(&cause))?;
    let own = keys::read_private(&stage.path("node.key")).map_err(|cause| chain(&cause))?;
    let wanted = Wanted {
        prefix: FILLED,
        extent: Some(extent),
        date: None,
        folder: &stage.path(folder),
        platform: &platform,
        own: &own,
        part_bytes: PART_BYTES.default,
        group_bytes: GROUP_BYTES.default,
        delivery: Delivery::Hand,
        halt: None,
    };
    let mut table = Table::open(&stage.data()).map_err(|cause| chain(&cause))?;
    deposit::make(catalog, &mut table, &wanted, clock()).map_err(|cause| chain(&cause))
}

fn tell(item: &mut Item, step: &'static str, made: &Result<Made, String>, held: impl Fn(&Made) -> bool) {
    let asked = format!("deposit of {FILLED}");
    match made {
        Ok(made) => {
            let seen = format!(
                "{:?} for {}, resend {}: {} identifiers in {} parts",
                made.head.extent,
                made.head.date,
                made.head.resend,
                made.counts.identifiers,
                made.parts.len()
            );
            item.tell(step, asked, seen, held(made));
        }
        Err(cause) => item.tell(step, asked, cause.clone(), false),
    }
}

/// Writes one identifier as the operator.
fn write(catalog: &Catalog) -> bool {
    let Ok(values) = ValueSet::from_bufs(&[ValueBuf::new(1, b"URL", b"https://example.invalid/later")]) else {
        return false;
    };
    let handle = format!("{FILLED}/LATER").into_bytes();
    let command = Command::Put { handle, values, timestamps: Timestamps::Now, mode: PutMode::Create };
    let ticket = catalog.writer().submit(Submission::new(&Actor::operator(), vec![command]));
    ticket.is_ok_and(|ticket| ticket.wait().is_ok_and(|results| results.iter().all(Result::is_ok)))
}

/// Checks them, and restores them into an empty data folder: with the clock that moved, before which they are of days that have not begun.
pub(super) fn restored(stage: &Stage, item: &mut Item) {
    let keys = (keys::read_public(&stage.path("node.pub")), keys::read_private(&stage.path("platform.key")));
    let (Ok(node), Ok(platform)) = keys else {
        item.tell("verified", "the keys of the rehearsal", "cannot be read", false);
        return;
    };
    let held = Held { node: &node, platform: Some(&platform), prefix: Some(FILLED), now: clock() };
    let (files, again) = (parts(stage, FOLDER), parts(stage, AGAIN));
    for file in files.iter().chain(&again) {
        let checked = Files::of(std::slice::from_ref(file)).and_then(|files| deposit::verify(&files, &held));
        let (seen, is_valid) = match checked {
            Ok(good) => (
                format!(
                    "{:?} of {}: {} identifiers, opened: {}",
                    good.head.extent, good.head.date, good.counts.identifiers, good.opened
                ),
                good.opened,
            ),
            Err(cause) => (chain(&cause), false),
        };
        item.tell("verified", "signatures, report and contents of a deposit", seen, is_valid);
    }
    if let (Ok(other), Some(file)) = (keys::read_public(&stage.path("platform.pub")), files.first()) {
        let held = Held { node: &other, ..held };
        let refused = Files::of(std::slice::from_ref(file)).and_then(|files| deposit::verify(&files, &held));
        let seen = refused.as_ref().err().map_or_else(|| "taken".to_owned(), |cause| chain(cause));
        item.tell("wrong-key", "the same, by another node's key", seen, refused.is_err());
    }
    let told = restore(stage, &files, &held);
    let seen = told.as_ref().map_or_else(Clone::clone, |count| format!("{count} deposits"));
    item.tell("restored", "both, into an empty data folder", seen, told == Ok(2));
    let before = stage.plain(&["export", "--data", text(&stage.data()), "--prefix", FILLED]);
    let after = stage.plain(&["export", "--data", text(&stage.path(EMPTY)), "--prefix", FILLED]);
    let (lines, other) = (before.out.lines().count(), after.out.lines().count());
    let held = lines > 0 && before.out == after.out;
    item.tell("equal", "what both folders export", format!("{lines} identifiers before, {other} after"), held);
}

/// The first part of each deposit of a folder, in order of their days.
fn parts(stage: &Stage, folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(stage.path(folder)).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "inde"));
    files.sort();
    files
}

/// Restores them into a folder of its own; how many they were.
fn restore(stage: &Stage, files: &[PathBuf], held: &Held<'_>) -> Result<usize, String> {
    let folder = stage.path(EMPTY);
    let options = waymark_catalog::Options { clock, ..stage.config().catalog(&folder) };
    let opened = stage.handle().block_on(open_catalog(options)).map_err(|problem| problem.to_string())?;
    let deposits = Files::of_several(files).map_err(|cause| chain(&cause))?;
    let restored = deposit::restore(&opened.catalog, &deposits, held).map_err(|cause| chain(&cause));
    opened.catalog.shutdown().map_err(|cause| chain(&cause))?;
    restored.map(|restored| restored.deposits.len())
}
