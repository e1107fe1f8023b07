//! Damage to what sled keeps, and what is remade from the log.

use std::collections::BTreeSet;
use std::path::Path;

use waymark_store::check::{CheckSummary, Finding, Part, Remedy};
use waymark_store::{
    Damage, Engine, OpenError, Options, Place, Serial, StateFound, StateOp, Timestamp, Tree, check, open, rebuild,
};

use crate::common::{live, puts, sequence, small_options};

const TREE: Tree = Tree(1);

/// A store on disk with a hundred values in its state; returns its options.
fn with_state(dir: &Path, engine: Engine) -> Options {
    let options = Options { engine, ..small_options(dir) };
    let (store, _) = open(&options).unwrap();
    for number in 0..100_u64 {
        let key = format!("key {number:03}");
        let value = format!("value of number {number:03}");
        store.commit(Timestamp(number), &puts(&[(&key, &value)])).unwrap();
        let op = StateOp::Put { tree: TREE, key: key.as_bytes(), value: value.as_bytes() };
        store.state().apply(Serial(number + 1), &[op]).unwrap();
    }
    store.close().unwrap();
    options
}

fn check_dir(dir: &Path) -> (Vec<Finding>, CheckSummary) {
    let mut findings = Vec::new();
    let summary = check(dir, &mut |finding| findings.push(finding)).unwrap();
    (findings, summary)
}

/// Offsets of `needle` in a file.
fn occurrences(path: &Path, needle: &[u8]) -> Vec<usize> {
    let bytes = std::fs::read(path).unwrap();
    bytes.windows(needle.len()).enumerate().filter(|(_, found)| *found == needle).map(|(at, _)| at).collect()
}

fn flip_on_disk(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x20;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn finds_a_flipped_byte_of_the_state_and_never_serves_it() {
    let dir = tempfile::tempdir().unwrap();
    let options = with_state(dir.path(), Engine::Log);
    let (findings, summary) = check_dir(dir.path());
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(summary.state_values, 101, "a hundred values and the summary");
    let file = dir.path().join("state/db");
    let sound = std::fs::read(&file).unwrap();
    let places = occurrences(&file, b"value of number 042");
    assert!(!places.is_empty());
    // sled writes a value more than once over time: damage every copy, so that the live one is among them.
    for place in &places {
        flip_on_disk(&file, place + 3);
    }
    let damaged = std::fs::read(&file).unwrap();
    let (findings, _) = check_dir(dir.path());
    assert!(!findings.is_empty());
    assert!(findings.iter().all(|finding| finding.part == Part::State && finding.file == file));
    assert!(findings.iter().all(|finding| finding.remedy == Remedy::Rebuild));
    assert_eq!(std::fs::read(&file).unwrap(), damaged, "a check changes nothing");
    assert_ne!(damaged, sound);
    let (store, recovery) = open(&options).unwrap();
    assert!(matches!(recovery.state, StateFound::SetAside { .. }), "{:?}", recovery.state);
    assert_eq!(store.state().applied(), Serial::NONE);
    assert_eq!(store.state().get(TREE, b"key 042").unwrap(), None);
    assert_eq!(live(&*store).len(), 100, "the log has it all");
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn serves_no_wrong_state_whatever_byte_of_sled_is_flipped() {
    let dir = tempfile::tempdir().unwrap();
    let (sound, copy) = (dir.path().join("sound"), dir.path().join("copy"));
    let options = with_state(&sound, Engine::Log);
    let bytes = std::fs::read(sound.join("state/db")).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let mut set_aside = 0;
    for at in (0..used).step_by(used / 60) {
        copy_folder(&sound, &copy);
        flip_on_disk(&copy.join("state/db"), at);
        let (store, recovery) = open(&Options { dir: copy.clone(), ..options.clone() }).unwrap();
        set_aside += u32::from(recovery.state != StateFound::Sound);
        for number in 0..100 {
            let key = format!("key {number:03}");
            let value = store.state().get(TREE, key.as_bytes()).unwrap();
            match recovery.state {
                StateFound::Sound => assert_eq!(value.unwrap(), format!("value of number {number:03}").as_bytes()),
                _ => assert_eq!(value, None),
            }
        }
        drop(store);
        std::fs::remove_dir_all(&copy).unwrap();
    }
    assert!(set_aside > 0, "no flip met anything that counts");
}

#[test]
fn finds_a_flipped_byte_of_records_in_sled_and_never_serves_it() {
    let dir = tempfile::tempdir().unwrap();
    let options = with_state(dir.path(), Engine::Sled);
    let (findings, summary) = check_dir(dir.path());
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!((summary.entries, summary.last), (100, Serial(100)));
    let file = dir.path().join("records/db");
    for place in occurrences(&file, b"value of number 042") {
        flip_on_disk(&file, place + 3);
    }
    let (findings, _) = check_dir(dir.path());
    assert!(!findings.is_empty());
    // Where sled has cut what follows the damage, the state is ahead of the records too.
    let records: Vec<_> = findings.iter().filter(|finding| finding.part == Part::Records).collect();
    assert!(records.iter().all(|finding| finding.remedy == Remedy::Restore && finding.file == file));
    assert!(!records.is_empty());
    match open(&options) {
        Ok((store, recovery)) => {
            let mut buffer = Vec::new();
            assert!(store.read(Place(43), &mut buffer).is_err());
            assert!(recovery.last.serial == Serial(100) || !recovery.damage.is_empty(), "a loss is reported");
        }
        Err(OpenError::Sled { .. } | OpenError::Damaged { .. }) => {}
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn clears_a_state_that_is_ahead_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let options = with_state(dir.path(), Engine::Log);
    let (store, _) = open(&options).unwrap();
    store.state().apply(Serial(500), &[]).unwrap();
    drop(store);
    let (findings, _) = check_dir(dir.path());
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].part, findings[0].what), (Part::State, Damage::Disagrees));
    let (store, recovery) = open(&options).unwrap();
    assert_eq!(recovery.state, StateFound::Ahead { applied: Serial(500) });
    assert_eq!(store.state().applied(), Serial::NONE);
}

#[test]
fn rebuilds_what_is_derived_from_the_records() {
    for engine in [Engine::Log, Engine::Sled] {
        let dir = tempfile::tempdir().unwrap();
        let options = with_state(dir.path(), engine);
        let (store, _) = open(&options).unwrap();
        store.blobs().write_atomically("index", 1, b"derived").unwrap();
        let before = sequence(&*store);
        drop(store);
        if engine == Engine::Log {
            let names = || std::fs::read_dir(dir.path().join("log")).unwrap().map(|entry| entry.unwrap().path());
            let run = names().find(|path| path.extension().is_some_and(|found| found == "run")).unwrap();
            flip_on_disk(&run, 100);
            let mut segments: Vec<_> = names().filter(|path| path.extension().is_some_and(|f| f == "log")).collect();
            segments.sort();
            flip_on_disk(&segments[1], 40);
            flip_on_disk(segments.last().unwrap(), 50);
            let parts: BTreeSet<_> = check_dir(dir.path())
                .0
                .iter()
                .map(|finding| format!("{:?} {:?}", finding.part, finding.remedy))
                .collect();
            assert_eq!(parts.into_iter().collect::<Vec<_>>(), ["Run Rebuild", "SegmentHeader Rebuild"]);
        }
        let (store, recovery) = rebuild(&options).unwrap();
        assert!(recovery.damage.is_empty());
        assert_eq!(store.state().applied(), Serial::NONE);
        assert_eq!(store.blobs().read_verified("index").unwrap(), None);
        assert_eq!(sequence(&*store), before);
        assert_eq!(live(&*store).len(), 100);
        store.commit(Timestamp(1), &puts(&[("more", "x")])).unwrap();
        drop(store);
        let (findings, _) = check_dir(dir.path());
        assert!(findings.is_empty(), "{findings:?}");
    }
}
