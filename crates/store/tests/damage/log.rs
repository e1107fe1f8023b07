//! Damage to segments, runs, blobs and the identity of a log.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use waymark_store::check::{Part, Remedy};
use waymark_store::fault::{Fault, FaultMedium, MemoryMedium, Operation, Survives};
use waymark_store::{Damage, FollowError, OpenError, ReadError, Serial, Timestamp, open_on};

use crate::common::{Plain, body_of, puts, small_options};
use crate::{DIR, assert_serves_nothing_wrong, content, findings_of, fixed_identity, part_of, sample};

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
