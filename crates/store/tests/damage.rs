//! A flipped byte in anything covered: found by the check with its place, and never served.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    unreachable_pub,
    reason = "a test stops where it fails"
)]
#![allow(dead_code, reason = "the shared helpers serve several test programs")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Plain, body_of, live, puts, sequence, small_options};
use waymark_store::check::{CheckSummary, Finding, Part, Remedy};
use waymark_store::fault::{Fault, FaultMedium, MemoryMedium, Operation, Survives};
use waymark_store::{
    Damage, DamagedKey, Engine, EntryKind, FollowError, Group, OpenError, Options, Place, ReadError, Serial,
    StateFound, StateOp, Store, Timestamp, Tree, check, check_on, open, open_on, rebuild,
};

const DIR: &str = "/store";

/// Places and content of a store, to compare with later.
type Content = BTreeMap<Place, Plain>;

fn content(store: &dyn Store) -> Content {
    let mut content = Content::new();
    store
        .follow(Serial::NONE, &mut |entry| {
            content.insert(entry.place, Plain::of(entry));
            ControlFlow::Continue(())
        })
        .unwrap();
    content
}

/// A small log with several segments, a run each, one merged run, and a blob.
fn sample() -> (MemoryMedium, Content) {
    let medium = MemoryMedium::new();
    let (store, _) = open_on(Arc::new(medium.clone()), &small_options(Path::new(DIR))).unwrap();
    let mut number = 0_u64;
    while store.statistics().segments < 8 {
        let mut group = Group::new();
        for part in 0..3 {
            let key = format!("key {:02}", (number * 3 + part) % 31);
            let kind = if number % 5 == 4 { EntryKind::DELETE } else { EntryKind::PUT };
            let body = format!("{number} {part} ").repeat(40);
            group.push(kind, key.as_bytes(), b"actor", Serial(number), body.as_bytes()).unwrap();
        }
        store.commit(Timestamp(1000 + number), &group).unwrap();
        number += 1;
    }
    store.commit(Timestamp(5000), &puts(&[("the last", "group"), ("key 30", "new")])).unwrap();
    store.blobs().write_atomically("index", 3, &b"snapshot ".repeat(60)).unwrap();
    assert!(store.statistics().runs >= 3);
    let content = content(&*store);
    (medium, content)
}

fn findings_of(medium: &MemoryMedium) -> (Vec<Finding>, Result<CheckSummary, OpenError>) {
    let mut findings = Vec::new();
    let summary = check_on(medium, Path::new(DIR), &mut |finding| findings.push(finding));
    (findings, summary)
}

/// Whatever is read agrees with what was written; damage is said to be damage.
fn assert_serves_nothing_wrong(store: &dyn Store, content: &Content) {
    let mut buffer = Vec::new();
    for (place, plain) in content {
        match store.read(*place, &mut buffer) {
            Ok(entry) => assert_eq!(Plain::of(&entry), *plain),
            Err(ReadError::Damaged { .. } | ReadError::NoSuchPlace(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    let keys: BTreeSet<_> = content.values().map(|plain| &plain.key).collect();
    for key in keys {
        if let Ok(Some(place)) = store.find(key)
            && let Ok(entry) = store.read(place, &mut buffer)
        {
            assert_eq!(Plain::of(&entry), content[&place], "what is found is what was written");
            assert_eq!(entry.key, key.as_slice());
        }
    }
    let mut expected = content.values();
    let followed = store.follow(Serial::NONE, &mut |entry| {
        assert_eq!(Plain::of(entry), *expected.next().unwrap());
        ControlFlow::Continue(())
    });
    assert!(matches!(followed, Ok(_) | Err(FollowError::Damaged { .. })), "{followed:?}");
    assert_follows_around_damage(store, content);
    assert_finds_serials_and_times(store, content);
    let mut seen = BTreeSet::new();
    let scanned = store.scan_keys(b"", b"", &mut |entry| {
        match entry {
            Ok(entry) => {
                assert_eq!(Plain::of(entry), content[&entry.place]);
                assert!(seen.insert(entry.key.to_vec()), "each key once");
            }
            Err(DamagedKey { key, error, .. }) => {
                assert!(!matches!(error, ReadError::Io { .. }), "{error}");
                assert!(seen.insert(key.to_vec()));
            }
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(scanned, Ok(()) | Err(ReadError::Damaged { .. })));
}

/// Entries are found by serial unless damaged, in any order, and the first of a time with no early entry that can be read behind it.
fn assert_finds_serials_and_times(store: &dyn Store, content: &Content) {
    let mut buffer = Vec::new();
    let (mut times, mut damaged) = (Vec::new(), BTreeSet::new());
    for plain in content.values().rev().filter(|plain| plain.serial <= store.last().serial.0) {
        match store.read_serial(Serial(plain.serial), &mut buffer) {
            Ok(entry) => {
                assert_eq!(Plain::of(&entry.unwrap()), *plain);
                times.push((plain.serial, plain.time));
            }
            Err(FollowError::Damaged { resume_after, .. }) => {
                assert!(resume_after.0 >= plain.serial);
                damaged.insert(plain.time);
            }
            Err(other) => panic!("{other}"),
        }
    }
    // Each group has a time of its own, and damaged ones may count as late.
    times.retain(|(_, time)| !damaged.contains(time));
    for time in [0, 1000, 1007, 1008, 5000, 5001] {
        let first = store.serial_at(Timestamp(time)).unwrap().0;
        assert!(times.iter().all(|(serial, found)| (*serial < first) == (*found < time)), "{first} for {time}");
    }
}

/// A follower that goes on behind each damage gets to the end, and meets everything that is not part of a damaged group.
fn assert_follows_around_damage(store: &dyn Store, content: &Content) {
    let (mut after, mut seen, mut skipped) = (Serial::NONE, BTreeSet::new(), 0);
    loop {
        let followed = store.follow(after, &mut |entry| {
            assert!(entry.serial > after);
            after = entry.serial;
            assert_eq!(Plain::of(entry), content[&entry.place]);
            seen.insert(entry.serial);
            ControlFlow::Continue(())
        });
        match followed {
            Ok(_) => break,
            Err(FollowError::Damaged { resume_after, .. }) => {
                assert!(resume_after > after && resume_after <= store.last().serial);
                skipped += resume_after.0 - after.0;
                after = resume_after;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(after, store.last().serial);
    assert_eq!(seen.len() as u64 + skipped, store.last().serial.0);
    // The groups of the sample have two or three entries, and one flipped byte damages one of them.
    assert!(skipped <= 3, "{skipped} skipped");
}

fn part_of(path: &Path) -> &'static [Part] {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("log") => &[Part::SegmentHeader, Part::Group, Part::Entry, Part::UnusedRoom, Part::Tail],
        Some("run") => &[Part::Run],
        Some("blob") => &[Part::Blob],
        _ => &[Part::Identity],
    }
}

/// Flips every `step`th byte of every file with this extension.
fn flip_through(extension: &str, step: usize) {
    let (medium, content) = sample();
    assert!(findings_of(&medium).0.is_empty(), "{:?}", findings_of(&medium).0);
    let paths = medium.paths().into_iter().filter(|path| path.extension().is_some_and(|found| found == extension));
    let mut flips = 0;
    for path in paths {
        let length = medium.content(&path).unwrap().len();
        for at in (0..length).step_by(step) {
            let image = medium.after_power_loss(Survives::Everything);
            assert!(image.flip(&path, at, 0x10));
            let (findings, summary) = findings_of(&image);
            summary.unwrap();
            let found = findings.iter().find(|finding| finding.file == path && part_of(&path).contains(&finding.part));
            let found = found.unwrap_or_else(|| panic!("byte {at} of {} is not missed: {findings:?}", path.display()));
            // The place reported is that of the part the byte belongs to, so not behind it.
            assert!(found.offset <= at as u64 || found.part == Part::Run, "byte {at}: {found}");
            assert!(!found.to_string().is_empty());
            match open_on(Arc::new(image), &small_options(Path::new(DIR))) {
                Ok((store, _)) => assert_serves_nothing_wrong(&*store, &content),
                Err(OpenError::Damaged { file, .. }) => assert_eq!(file, path),
                Err(other) => panic!("{other}"),
            }
            flips += 1;
        }
    }
    assert!(flips > 100, "{flips}");
}

#[test]
fn finds_any_flipped_byte_of_a_segment() {
    // A step that is no divisor of anything meets headers, bodies, checksums, end marks and unused room alike.
    flip_through("log", 13);
}

#[test]
fn finds_any_flipped_byte_of_a_run() {
    flip_through("run", 5);
}

#[test]
fn finds_any_flipped_byte_of_a_blob() {
    let (medium, _) = sample();
    let path = PathBuf::from("/store/blobs/index.blob");
    for at in 0..medium.content(&path).unwrap().len() {
        let image = medium.after_power_loss(Survives::Everything);
        assert!(image.flip(&path, at, 1));
        let (findings, _) = findings_of(&image);
        assert_eq!(findings.len(), 1, "byte {at}: {findings:?}");
        assert_eq!((findings[0].file.as_path(), findings[0].part), (path.as_path(), Part::Blob));
        let (store, _) = open_on(Arc::new(image), &small_options(Path::new(DIR))).unwrap();
        assert!(matches!(store.blobs().read_verified("index"), Err(ReadError::Damaged { .. })));
    }
}

#[test]
fn finds_any_flipped_byte_of_the_identity() {
    let (medium, _) = sample();
    let path = PathBuf::from("/store/identity");
    for at in 0..medium.content(&path).unwrap().len() {
        let image = medium.after_power_loss(Survives::Everything);
        assert!(image.flip(&path, at, 1));
        let (findings, summary) = findings_of(&image);
        // The rest is checked all the same, with the store's name as its segments have it.
        assert!(summary.unwrap().entries > 20);
        assert_eq!(findings.len(), 1, "byte {at}: {findings:?}");
        assert_eq!((findings[0].file.as_path(), findings[0].part), (path.as_path(), Part::Identity));
        let refused = open_on(Arc::new(image), &small_options(Path::new(DIR))).unwrap_err();
        assert!(matches!(refused, OpenError::Damaged { file, .. } if file == path));
    }
}

#[test]
fn reports_damage_at_opening_and_serves_what_is_around_it() {
    let (medium, content) = sample();
    // The first entry of the newest segment's first group: damage, since a whole group follows.
    let newest = medium.paths().into_iter().rfind(|path| path.extension().is_some_and(|found| found == "log")).unwrap();
    let extra = small_options(Path::new(DIR));
    let (store, _) = open_on(Arc::new(medium.clone()), &extra).unwrap();
    store.commit(Timestamp(6000), &puts(&[("one more", "group")])).unwrap();
    drop(store);
    assert!(medium.flip(&newest, 64 + 32 + 40, 0xff));
    let (store, recovery) = open_on(Arc::new(medium.clone()), &extra).unwrap();
    let groups: Vec<_> = recovery.damage.iter().map(|finding| (finding.part, finding.offset, finding.what)).collect();
    assert_eq!(groups, [(Part::Group, 64, Damage::Checksum), (Part::Entry, 96, Damage::Checksum)]);
    assert!(recovery.torn.is_none(), "an acknowledged group is never cut");
    assert_eq!(body_of(&*store, b"one more").unwrap(), b"group");
    let after = store.commit(Timestamp(7000), &puts(&[("and", "on")])).unwrap();
    assert!(after.first.0 > content.len() as u64);
    // The sound entries of the damaged group are still read by themselves.
    let first_serial = content.values().filter(|plain| plain.key != b"the last").count();
    assert!(first_serial > 0);
    assert_serves_nothing_wrong(&*store, &{
        let mut all = content;
        let mut buffer = Vec::new();
        for key in [b"one more".as_slice(), b"and"] {
            let place = store.find(key).unwrap().unwrap();
            all.insert(place, Plain::of(&store.read(place, &mut buffer).unwrap()));
        }
        all
    });
}

#[test]
fn never_takes_an_old_or_foreign_group_for_its_own() {
    // Bytes of a group at another place of the same store, and of another store at the same place, do not count.
    let (medium, _) = sample();
    let (other, _) = sample();
    let segments: Vec<_> =
        medium.paths().into_iter().filter(|path| path.extension().is_some_and(|found| found == "log")).collect();
    let newest = segments.last().unwrap();
    let end = 64 + medium.content(newest).unwrap()[64..].iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for source in [medium.content(&segments[0]).unwrap(), other.content(newest).unwrap()] {
        let image = medium.after_power_loss(Survives::Everything);
        let mut bytes = image.content(newest).unwrap();
        let before = content(&*open_on(Arc::new(image.clone()), &small_options(Path::new(DIR))).unwrap().0);
        let room = bytes.len() - end;
        bytes[end..].copy_from_slice(&source[64..64 + room]);
        image.set_content(newest, bytes);
        let (store, recovery) = open_on(Arc::new(image), &small_options(Path::new(DIR))).unwrap();
        assert!(recovery.torn.is_some());
        assert_eq!(content(&*store), before);
    }
    // A whole segment of another store is refused.
    let image = medium.after_power_loss(Survives::Everything);
    image.set_content(newest, other.content(newest).unwrap());
    let (findings, _) = findings_of(&image);
    assert!(findings.iter().any(|finding| finding.what == Damage::ForeignStore));
    let refused = open_on(Arc::new(image), &small_options(Path::new(DIR))).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { what: Damage::ForeignStore, .. }));
}

#[test]
fn reports_a_missing_segment() {
    let (medium, content) = sample();
    let segments: Vec<_> =
        medium.paths().into_iter().filter(|path| path.extension().is_some_and(|found| found == "log")).collect();
    waymark_store::medium::Medium::remove(&medium, &segments[2]).unwrap();
    let (findings, _) = findings_of(&medium);
    assert!(findings.iter().any(|finding| finding.part == Part::Sequence && finding.what == Damage::Missing));
    let (store, recovery) = open_on(Arc::new(medium), &small_options(Path::new(DIR))).unwrap();
    assert!(recovery.damage.iter().any(|finding| finding.part == Part::Sequence));
    let mut buffer = Vec::new();
    for (place, plain) in &content {
        if let Ok(entry) = store.read(*place, &mut buffer) {
            assert_eq!(Plain::of(&entry), *plain);
        }
    }
    let mut after = Serial::NONE;
    let mut count_on = |entry: &waymark_store::Entry<'_>| {
        after = entry.serial;
        ControlFlow::Continue(())
    };
    let Err(FollowError::Damaged { resume_after, .. }) = store.follow(Serial::NONE, &mut count_on) else {
        panic!("the hole is not noticed")
    };
    assert_eq!(store.follow(resume_after, &mut count_on).unwrap(), store.last().serial);
}

#[test]
fn serves_no_byte_a_disk_hands_out_wrong() {
    let (medium, content) = sample();
    let faults = FaultMedium::over(Arc::new(medium));
    let (store, _) = open_on(Arc::clone(&faults) as _, &small_options(Path::new(DIR))).unwrap();
    let mut buffer = Vec::new();
    for (place, plain) in &content {
        faults.fail_once(Operation::Read, "segment", 0, Fault::Flip { at: 25 });
        assert!(matches!(store.read(*place, &mut buffer), Err(ReadError::Damaged { .. })));
        // The next read is right again.
        assert_eq!(Plain::of(&store.read(*place, &mut buffer).unwrap()), *plain);
    }
    faults.fail_once(Operation::Read, "segment", 0, Fault::Error(std::io::ErrorKind::Other));
    assert!(matches!(store.read(*content.keys().next().unwrap(), &mut buffer), Err(ReadError::Io { .. })));
}

#[test]
fn finds_runs_that_disagree_with_the_log() {
    let (medium, _) = sample();
    let (other, _) = sample();
    // A run that is whole in itself but of another store with the same serials.
    let run = medium.paths().into_iter().find(|path| path.extension().is_some_and(|found| found == "run")).unwrap();
    medium.set_content(&run, other.content(&run).unwrap());
    let (findings, _) = findings_of(&medium);
    assert!(findings.iter().any(|finding| finding.file == run && finding.what == Damage::ForeignStore));
    // A run of the same store that says less and other things than the segments it claims to cover: the same history, one key renamed.
    let commit = |key: &str| {
        let medium = MemoryMedium::new();
        medium.set_content(Path::new("/store/identity"), fixed_identity());
        let options = small_options(Path::new(DIR));
        let (store, _) = open_on(Arc::new(medium.clone()), &options).unwrap();
        for number in 0..30_u64 {
            let body = "b".repeat(500);
            let own = format!("own {number}");
            store
                .commit(Timestamp(number), &puts(&[(&own, &body), (if number == 3 { key } else { "same" }, "x")]))
                .unwrap();
        }
        drop(store);
        medium
    };
    let (first, second) = (commit("sama"), commit("samz"));
    assert!(findings_of(&first).0.is_empty());
    let run = first.paths().into_iter().find(|path| path.extension().is_some_and(|found| found == "run")).unwrap();
    first.set_content(&run, second.content(&run).unwrap());
    let (findings, _) = findings_of(&first);
    assert!(!findings.is_empty());
    for finding in &findings {
        assert_eq!((finding.file.as_path(), finding.part, finding.what), (run.as_path(), Part::Run, Damage::Disagrees));
        assert_eq!((finding.serial, finding.remedy), (Some(Serial(8)), Remedy::Rebuild));
    }
}

/// Identity bytes of a store whose random parts are fixed.
fn fixed_identity() -> Vec<u8> {
    let mut out = b"WMIDENTY".to_vec();
    out.extend_from_slice(&1_u32.to_le_bytes());
    out.extend_from_slice(&1_u32.to_le_bytes());
    out.extend_from_slice(&[1; 16]);
    out.extend_from_slice(&[2; 16]);
    out.extend_from_slice(&0_u64.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let checksum = crc32c::crc32c(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// Raises the version number at offset 8 of a header of `length` bytes that ends with its checksum.
fn with_version(mut bytes: Vec<u8>, length: usize, version: u32) -> Vec<u8> {
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes[..length - 4]);
    bytes[length - 4..length].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn refuses_unknown_format_versions_and_changes_nothing() {
    let (medium, _) = sample();
    for (extension, length) in [("", 64), ("log", 64), ("run", 64)] {
        let path = medium
            .paths()
            .into_iter()
            .find(|path| path.extension().and_then(|found| found.to_str()).unwrap_or_default() == extension)
            .unwrap();
        let image = medium.after_power_loss(Survives::Everything);
        image.set_content(&path, with_version(image.content(&path).unwrap(), length, 2));
        let before: Vec<_> = image.paths().iter().map(|path| image.content(path)).collect();
        let refused = open_on(Arc::new(image.clone()), &small_options(Path::new(DIR))).unwrap_err();
        let OpenError::Version { file, found, known } = &refused else { panic!("{refused}") };
        assert_eq!((file, *found, *known), (&path, 2, 1));
        assert!(refused.to_string().contains("format version 2"));
        assert_eq!(image.paths().iter().map(|path| image.content(path)).collect::<Vec<_>>(), before);
        assert!(matches!(findings_of(&image).1, Err(OpenError::Version { found: 2, .. })));
    }
    let blob = PathBuf::from("/store/blobs/index.blob");
    medium.set_content(&blob, with_version(medium.content(&blob).unwrap(), 48, 2));
    let (store, _) = open_on(Arc::new(medium), &small_options(Path::new(DIR))).unwrap();
    assert!(matches!(store.blobs().read_verified("index"), Err(ReadError::Damaged { what: Damage::Version, .. })));
}

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
