//! Folders enterprises drop files into may hold anything: the node writes nowhere else for that, waits for nothing there, and no enterprise holds up another
//! one, or the end of the node.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::business::begun;
use common::{Node, set_clock};
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use waymark_catalog::business::{BusinessCommand, CaseStep, EnterpriseId, OwnSite, Wish};
use waymark_top_sync::collect::drop::{Budget, DropFolders};
use waymark_top_sync::collect::{Collector, Settings};
use waymark_top_sync::sets::SetName;

/// Prefixes that are given to nodes of their enterprise's own.
const OWNERS: [&str; 2] = ["88.1.801", "88.1.802"];

/// A day that is over.
const DAY: &str = "2026-11-29";

/// A secondary node that has given both prefixes away, and its folder for what they drop.
fn secondary() -> (Node, tempfile::TempDir) {
    let node = begun();
    let prefix = || OWNERS[1].as_bytes().to_vec();
    let (enterprise, wish) = (Some(EnterpriseId(1)), Wish::Hosted);
    node.write(BusinessCommand::Apply { prefix: prefix(), enterprise, wish, note: String::new() });
    let confirm = CaseStep::ConfirmTopLevel { approved: true, reason: "granted".into() };
    for step in [CaseStep::Review, CaseStep::Approve, confirm] {
        node.write(BusinessCommand::Step { prefix: prefix(), step });
    }
    let site = OwnSite { ip: "192.0.2.7".parse().unwrap(), tcp: Some(2641), udp: None, http: None };
    for owner in OWNERS {
        let step = CaseStep::Delegate { sites: vec![site] };
        node.write(BusinessCommand::Step { prefix: owner.as_bytes().to_vec(), step });
    }
    set_clock("2026-11-30T01:00");
    (node, tempfile::tempdir().unwrap())
}

fn drops(node: &Node, folder: &tempfile::TempDir) -> DropFolders {
    let settings = Settings { owner_bytes: 64 << 20, late_hours: 24 };
    let collector = Collector::new(&node.catalog, Arc::clone(&node.outbox), "88.1", settings);
    DropFolders::new(folder.path().to_owned(), Arc::new(collector))
}

/// Drops a part of a day with these rows, under the name of a node; gives where it lies, without its ending.
fn dropped(folder: &Path, owner: &str, set: &str, sequence: u64, (node, rows): (&str, &str)) -> PathBuf {
    let (name, period) = (format!("{set}-{sequence:012}"), folder.join(owner).join(set).join(DAY));
    fs::create_dir_all(&period).unwrap();
    let file = format!("{name}.jsonl");
    fs::write(period.join(&file), rows).unwrap();
    let sha256 = hex::encode(Sha256::digest(rows));
    let manifest = json!({
        "node": node, "set": set, "sequence": sequence, "period": DAY, "part": 1, "parts": 1, "rows": rows.lines().count(),
        "made": "2026-11-30T01:00:00Z", "written": "2026-11-30T01:00:00Z",
        "files": [{"name": file, "bytes": rows.len(), "sha256": sha256}],
    });
    fs::write(period.join(format!("{name}.manifest.json")), manifest.to_string()).unwrap();
    period.join(name)
}

/// Drops a part that will be refused.
fn wrong(folder: &Path, owner: &str, set: &str, sequence: u64) -> PathBuf {
    dropped(folder, owner, set, sequence, ("88.1.999", "{}\n"))
}

/// The statistics of the first owner for a day.
fn statistics() -> String {
    let text = fs::read_to_string(format!("{}/tests/sets/T8.jsonl", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let own = text.lines().filter(|line| line.contains("88.990.10001") && !line.contains("\"prefix\":\"88.990\""));
    own.map(|line| format!("{}\n", line.replace("88.990.10001", OWNERS[0]))).collect()
}

fn with(name: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", name.display()))
}

/// How many parts of a set were refused.
fn refused(folder: &Path, owner: &str, set: &str) -> usize {
    let period = fs::read_dir(folder.join(owner).join(set).join(DAY)).unwrap();
    period.filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().ends_with(".refused.txt")).count()
}

#[test]
fn a_reason_is_written_neither_through_a_link_nor_into_a_pipe() {
    let (node, folder) = secondary();
    let elsewhere = tempfile::tempdir().unwrap();
    let key = elsewhere.path().join("key");
    fs::write(&key, "of the node").unwrap();
    let linked = wrong(folder.path(), OWNERS[0], "T9", 1);
    symlink(&key, with(&linked, ".refused.txt.new")).unwrap();
    symlink(&key, with(&linked, ".refused.txt")).unwrap();
    symlink(&key, with(&linked, ".manifest.json.refused")).unwrap();
    let piped = wrong(folder.path(), OWNERS[0], "T8", 1);
    let pipe = with(&piped, ".refused.txt.new");
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    // Somebody reads, so that a node that writes is found out instead of waited for.
    let flags = OFlag::O_NONBLOCK.bits();
    let mut reader = fs::OpenOptions::new().read(true).custom_flags(flags).open(&pipe).unwrap();

    let folders = drops(&node, &folder);
    assert_eq!(folders.look(), 0);
    assert_eq!(fs::read_to_string(&key).unwrap(), "of the node", "the node wrote through a link");
    assert_eq!(reader.read(&mut [0; 8]).unwrap_or(0), 0, "the node wrote into a pipe");
    for name in [&linked, &piped] {
        let reason = with(name, ".refused.txt");
        assert!(fs::symlink_metadata(&reason).unwrap().is_file(), "{}", reason.display());
        assert_eq!(fs::read_to_string(&reason).unwrap(), "the manifest is that of another node\n");
        assert!(fs::symlink_metadata(with(name, ".manifest.json.refused")).unwrap().is_file());
        assert!(!with(name, ".refused.txt.new").exists() && !with(name, ".manifest.json").exists());
    }
    assert!(folders.problems().is_empty(), "{:?}", folders.problems());
}

#[test]
fn folders_behind_links_are_left_alone() {
    let (node, folder) = secondary();
    let elsewhere = tempfile::tempdir().unwrap();
    let name = wrong(elsewhere.path(), OWNERS[0], "T9", 1);
    let own = folder.path().join(OWNERS[0]);
    fs::create_dir_all(own.join("T8")).unwrap();
    symlink(elsewhere.path().join(OWNERS[0]).join("T9"), own.join("T9")).unwrap();
    symlink(elsewhere.path().join(OWNERS[0]).join("T9").join(DAY), own.join("T8").join(DAY)).unwrap();
    symlink(elsewhere.path().join(OWNERS[0]), folder.path().join(OWNERS[1])).unwrap();
    drops(&node, &folder).look();
    assert!(with(&name, ".manifest.json").exists() && !with(&name, ".refused.txt").exists());
}

#[test]
fn an_owner_who_drops_much_does_not_hold_up_the_others() {
    let (node, folder) = secondary();
    let rows = statistics();
    for sequence in 1..=9 {
        dropped(folder.path(), OWNERS[0], "T8", sequence, (OWNERS[0], &rows));
        wrong(folder.path(), OWNERS[0], "T9", sequence);
    }
    wrong(folder.path(), OWNERS[1], "T9", 1);
    let folders = drops(&node, &folder).within(Budget { entries: 1_000, parts: 4 });
    for (taken, told) in [(4, 4), (4, 8), (1, 9), (0, 9)] {
        assert_eq!(folders.look(), taken);
        assert_eq!(node.outbox.told(SetName::T8, OWNERS[0]).sequence, told, "in order, each look further");
        assert_eq!(refused(folder.path(), OWNERS[0], "T9") as u64, told);
        assert_eq!(refused(folder.path(), OWNERS[1], "T9"), 1);
    }
    assert!(folders.problems().is_empty(), "{:?}", folders.problems());
}

#[test]
fn a_folder_with_too_many_files_is_not_read_to_its_end_but_told_of() {
    let (node, folder) = secondary();
    let rows = statistics();
    let name = dropped(folder.path(), OWNERS[0], "T8", 1, (OWNERS[0], &rows));
    let litter = |number: u32| name.with_file_name(format!("litter-{number}"));
    (0..20).for_each(|number| fs::write(litter(number), "").unwrap());
    // An earlier period of the set can be read whole.
    let early = folder.path().join(OWNERS[0]).join("T8/2026-11-28");
    fs::create_dir_all(&early).unwrap();
    wrong(folder.path(), OWNERS[0], "T9", 1);
    fs::rename(
        with(&wrong(folder.path(), OWNERS[0], "T8", 7), ".manifest.json"),
        early.join("T8-000000000007.manifest.json"),
    )
    .unwrap();
    wrong(folder.path(), OWNERS[1], "T9", 1);

    let folders = drops(&node, &folder).within(Budget { entries: 20, parts: 100 });
    assert_eq!(folders.look(), 0);
    let problems = folders.problems();
    assert!(problems[OWNERS[0]].contains("T8 up to 2026-11-29: there are more than 20 entries"), "{problems:?}");
    assert!(!problems.contains_key(OWNERS[1]), "{problems:?}");
    assert!(early.join("T8-000000000007.refused.txt").exists());
    assert_eq!([0, 1].map(|owner| refused(folder.path(), OWNERS[owner], "T9")), [1, 1], "other sets and owners");
    (0..20).for_each(|number| fs::remove_file(litter(number)).unwrap());
    assert_eq!(folders.look(), 1);
    assert!(folders.problems().is_empty(), "{:?}", folders.problems());
}

#[test]
fn a_set_with_too_many_periods_is_told_of() {
    let (node, folder) = secondary();
    dropped(folder.path(), OWNERS[0], "T8", 1, (OWNERS[0], &statistics()));
    (0..20).for_each(|number| fs::create_dir_all(folder.path().join(OWNERS[0]).join(format!("T8/{number}"))).unwrap());
    let folders = drops(&node, &folder).within(Budget { entries: 20, parts: 100 });
    assert_eq!(folders.look(), 0);
    assert!(
        folders.problems()[OWNERS[0]].starts_with("T8: there are more than 20 entries"),
        "{:?}",
        folders.problems()
    );
}

#[test]
fn a_look_that_is_halted_ends_with_the_part_it_is_at() {
    let (node, folder) = secondary();
    for (owner, set) in [(OWNERS[0], "T8"), (OWNERS[0], "T9"), (OWNERS[1], "T8")] {
        (1..=3).for_each(|sequence| _ = wrong(folder.path(), owner, set, sequence));
    }
    let folders = Arc::new(drops(&node, &folder));
    let halting = Arc::clone(&folders);
    // The first part refused is told to the log.
    let writer = move || {
        halting.halt();
        std::io::sink()
    };
    let log = tracing_subscriber::fmt().with_writer(writer).finish();
    assert_eq!(tracing::subscriber::with_default(log, || folders.look()), 0);
    let all = || [(0, "T8"), (0, "T9"), (1, "T8")].map(|(owner, set)| refused(folder.path(), OWNERS[owner], set));
    assert_eq!(all(), [1, 0, 0]);
    folders.look();
    assert_eq!(all(), [1, 0, 0], "it is over for good");
}
