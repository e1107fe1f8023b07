//! The ledger: what is taken, in which order, what is held, and what a restart finds.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;
use waymark_api::toplevel::v1::{Acknowledgement, Outcome, Part};
use waymark_catalog::Timestamp;
use waymark_top_sync::check::Set;
use waymark_top_sync::simulator::ledger::{After, LedgerError, Ledgers, TakeError};

use crate::client::later;
use crate::golden::{NODE, lines, part, rows, whole};

fn take(ledgers: &Ledgers, set: Set, part: Part) -> Acknowledgement {
    ledgers.take(set, part, later()).unwrap()
}

fn outcome(ledgers: &Ledgers, set: Set, part: Part) -> Outcome {
    take(ledgers, set, part).outcome()
}

/// Rows held of a set, read page by page.
fn held(ledgers: &Ledgers, set: Set, page: usize) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), After::default());
    loop {
        let (rows, next) = ledgers.held(NODE, set, after, page).unwrap();
        assert!(rows.len() <= page);
        all.extend(rows.into_iter().map(|row| row.content));
        let Some(next) = next else { return all };
        after = next;
    }
}

/// A row of master data.
fn master(code: &str, operation: u8) -> Value {
    let mut row = rows(Set::T9).remove(2);
    row["code"] = format!("88.990.10001/{code}").into();
    row["operation"] = operation.into();
    row
}

fn day(day: &str, sequence: u64, rows: &[Value]) -> Part {
    Part { period: day.into(), ..part(Set::T9, sequence, &lines(rows)) }
}

fn codes(rows: &[Value]) -> Vec<String> {
    rows.iter()
        .map(|row| format!("{}{}", row["code"].as_str().unwrap().trim_start_matches("88.990.10001/"), row["operation"]))
        .collect()
}

#[test]
fn every_golden_part_is_stored_and_held() {
    let folder = tempdir().unwrap();
    let ledgers = Ledgers::open(folder.path()).unwrap();
    for set in Set::ALL {
        assert_eq!(
            take(&ledgers, set, whole(set, 1)),
            Acknowledgement {
                set: set.to_string(),
                sequence: 1,
                outcome: Outcome::Stored.into(),
                expected: 0,
                complaints: Vec::new(),
            }
        );
    }
    let check = |ledgers: &Ledgers| {
        for set in Set::ALL {
            let mut expected = rows(set);
            if set == Set::T9 {
                expected.pop();
            }
            assert_eq!(held(ledgers, set, 1), expected, "{set}");
            assert_eq!(held(ledgers, set, 100), expected, "{set}");
        }
        assert_eq!(ledgers.watermarks(NODE).len(), Set::ALL.len());
    };
    check(&ledgers);
    drop(ledgers);
    check(&Ledgers::open(folder.path()).unwrap());
}

#[test]
fn sequences_are_taken_in_order_and_once() {
    let folder = tempdir().unwrap();
    let ledgers = Ledgers::open(folder.path()).unwrap();
    let early = take(&ledgers, Set::T9, day("2026-11-29", 2, &[]));
    assert_eq!((early.outcome(), early.expected), (Outcome::OutOfOrder, 1));
    assert_eq!(outcome(&ledgers, Set::T9, day("2026-11-29", 0, &[])), Outcome::Refused);
    assert_eq!(outcome(&ledgers, Set::T9, day("2026-11-29", 1, &[])), Outcome::Stored);
    assert_eq!(outcome(&ledgers, Set::T9, day("2026-11-29", 1, &[])), Outcome::StoredBefore);
    // Sets do not wait for each other.
    assert_eq!(outcome(&ledgers, Set::T3, whole(Set::T3, 1)), Outcome::Stored);
    for other in [day("2026-11-28", 1, &[]), day("2026-11-29", 1, &[master("1", 2)])] {
        let told = take(&ledgers, Set::T9, other);
        assert_eq!((told.outcome(), told.complaints[0].field.as_str()), (Outcome::Refused, "sequence"));
    }
    // What is refused uses up its sequence, and is refused again for the same reasons.
    let wrong = day("2026-11-29", 2, &[json!({})]);
    let (first, again) = (take(&ledgers, Set::T9, wrong.clone()), take(&ledgers, Set::T9, wrong.clone()));
    assert_eq!((first.outcome(), &first), (Outcome::Refused, &again));
    assert!(!first.complaints.is_empty());
    assert_eq!(outcome(&ledgers, Set::T9, day("2026-11-29", 2, &[])), Outcome::Refused);
    assert_eq!(outcome(&ledgers, Set::T9, day("2026-11-29", 3, &[])), Outcome::Stored);
    drop(ledgers);

    let ledgers = Ledgers::open(folder.path()).unwrap();
    assert_eq!(take(&ledgers, Set::T9, wrong), first);
    assert_eq!(outcome(&ledgers, Set::T9, day("2026-11-29", 3, &[])), Outcome::StoredBefore);
    assert_eq!(outcome(&ledgers, Set::T9, day("2026-11-29", 5, &[])), Outcome::OutOfOrder);
}

#[test]
fn an_identifier_is_held_as_on_its_latest_day() {
    let folder = tempdir().unwrap();
    let ledgers = Ledgers::open(folder.path()).unwrap();
    let parts = [
        day("2026-11-27", 1, &[master("a", 1), master("b", 1), master("c", 1)]),
        day("2026-11-29", 2, &[master("a", 3), master("b", 2)]),
        // Told late: what the 29th says of a and b holds on.
        day("2026-11-28", 3, &[master("b", 3), master("a", 2), master("d", 1)]),
        day("2026-11-30", 4, &[master("c", 2), master("e", 1)]),
        // Told again, otherwise.
        day("2026-11-30", 5, &[master("c", 3)]),
    ];
    let expected: [&[&str]; 5] =
        [&["a1", "b1", "c1"], &["c1", "a3"], &["c1", "a3", "d1"], &["a3", "d1", "e1"], &["a3", "d1", "e1", "c3"]];
    for (part, expected) in parts.into_iter().zip(expected) {
        assert_eq!(outcome(&ledgers, Set::T9, part), Outcome::Stored);
        assert_eq!(codes(&held(&ledgers, Set::T9, 2)), expected);
    }
    assert_eq!(ledgers.status(NODE)[0].held, 4);
    drop(ledgers);
    let ledgers = Ledgers::open(folder.path()).unwrap();
    assert_eq!(codes(&held(&ledgers, Set::T9, 2)), expected[4]);
    assert_eq!((ledgers.status(NODE)[0].held, ledgers.status(NODE)[0].rows), (4, 11));
}

#[test]
fn parts_of_a_day_come_in_order_and_name_each_identifier_once() {
    let folder = tempdir().unwrap();
    let ledgers = Ledgers::open(folder.path()).unwrap();
    let of = |sequence, place, rows: &[Value]| Part { part: place, parts: 3, ..day("2026-11-29", sequence, rows) };
    assert_eq!(outcome(&ledgers, Set::T9, of(1, 1, &[master("a", 1)])), Outcome::Stored);
    let skipped = take(&ledgers, Set::T9, of(2, 3, &[master("c", 1)]));
    assert_eq!((skipped.outcome(), skipped.complaints[0].field.as_str()), (Outcome::Refused, "part"));
    let twice = take(&ledgers, Set::T9, of(3, 2, &[master("b", 1), master("a", 3)]));
    assert_eq!((twice.outcome(), twice.complaints[0].row), (Outcome::Refused, 2));
    assert!(twice.complaints[0].problem.contains("another part of this day"));
    // The last part, the second corrected, and the day is whole.
    assert_eq!(outcome(&ledgers, Set::T9, of(4, 3, &[master("c", 1)])), Outcome::Stored);
    assert_eq!(outcome(&ledgers, Set::T9, of(5, 2, &[master("b", 1)])), Outcome::Stored);
    assert_eq!(codes(&held(&ledgers, Set::T9, 10)), ["a1", "c1", "b1"]);
    assert_eq!(outcome(&ledgers, Set::T9, of(6, 2, &[master("x", 1)])), Outcome::Refused);
    // Told again from its beginning.
    assert_eq!(outcome(&ledgers, Set::T9, of(7, 1, &[master("a", 3)])), Outcome::Stored);
}

#[test]
fn a_new_record_leaves_the_files_of_the_old_one_behind() {
    let folder = tempdir().unwrap();
    let ledgers = Ledgers::open(folder.path()).unwrap();
    assert_eq!(outcome(&ledgers, Set::T1, whole(Set::T1, 1)), Outcome::Stored);
    let [record, image, _] = rows(Set::T1).try_into().unwrap();
    let next = Part {
        period: "2026-11-29T09:00:00.000Z".into(),
        ..part(Set::T1, 2, &lines(&[record.clone(), image.clone()]))
    };
    assert_eq!(outcome(&ledgers, Set::T1, next), Outcome::Stored);
    assert_eq!(held(&ledgers, Set::T1, 10), [record, image]);
    assert_eq!(ledgers.status(NODE)[0].held, 2);
}

#[test]
fn an_incident_is_told_once() {
    let folder = tempdir().unwrap();
    let ledgers = Ledgers::open(folder.path()).unwrap();
    assert_eq!(outcome(&ledgers, Set::Incident, whole(Set::Incident, 1)), Outcome::Stored);
    assert_eq!(outcome(&ledgers, Set::Incident, whole(Set::Incident, 2)), Outcome::Stored);
    let mut other = rows(Set::Incident);
    other[1]["type"] = 3.into();
    let told = take(&ledgers, Set::Incident, part(Set::Incident, 3, &lines(&other)));
    assert_eq!((told.outcome(), told.complaints.len(), told.complaints[0].row), (Outcome::Refused, 1, 2));
    assert!(told.complaints[0].problem.contains("otherwise"));
}

#[test]
fn a_period_that_is_not_over_is_neither_taken_nor_refused() {
    let folder = tempdir().unwrap();
    let ledgers = Ledgers::open(folder.path()).unwrap();
    // 2026-11-29T15:54:59.999Z: the day there is over in five minutes and a millisecond.
    let early = Timestamp(1_795_967_699_999);
    let part = day("2026-11-29", 1, &[]);
    assert!(matches!(ledgers.take(Set::T9, part.clone(), early), Err(TakeError::Early)));
    assert!(ledgers.watermarks(NODE).is_empty());
    assert_eq!(ledgers.take(Set::T9, part, Timestamp(early.0 + 1)).unwrap().outcome(), Outcome::Stored);
}

#[test]
fn a_folder_is_open_once() {
    let folder = tempdir().unwrap();
    let first = Ledgers::open(folder.path()).unwrap();
    assert!(matches!(Ledgers::open(folder.path()), Err(LedgerError::InUse { .. })));
    drop(first);
    Ledgers::open(folder.path()).unwrap();
}

#[test]
fn what_was_refused_is_not_kept() {
    let folder = tempdir().unwrap();
    let ledgers = Ledgers::open(folder.path()).unwrap();
    let mut wrong = rows(Set::T6);
    wrong[0]["enterprise"] = "7".into();
    assert_eq!(outcome(&ledgers, Set::T6, part(Set::T6, 1, &lines(&wrong))), Outcome::Refused);
    let garbage = Part { period: "330106197001010011".into(), owner: "330106197001010011".into(), ..whole(Set::T6, 2) };
    assert_eq!(outcome(&ledgers, Set::T6, garbage), Outcome::Refused);
    let kept = fs::read(folder.path().join("88.990.ledger")).unwrap();
    let has = |text: &str| kept.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("no enterprise") && !has("张三") && !has("330106197001010011"));
}

#[test]
fn a_file_cut_at_any_byte_opens_with_what_was_whole() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("88.990.ledger");
    let ledgers = Ledgers::open(folder.path()).unwrap();
    let length = |path: &Path| fs::metadata(path).unwrap().len();
    let parts = [
        (Set::T9, day("2026-11-28", 1, &[master("a", 1)])),
        (Set::T9, day("2026-11-29", 2, &[json!({})])),
        (Set::T2, whole(Set::T2, 1)),
        (Set::T9, day("2026-11-29", 3, &[master("a", 2)])),
    ];
    let mut ends = Vec::new();
    for (set, part) in &parts {
        take(&ledgers, *set, part.clone());
        ends.push(length(&path));
    }
    drop(ledgers);
    let bytes = fs::read(&path).unwrap();
    for cut in 0..=bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        let ledgers = Ledgers::open(folder.path()).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut as u64).count();
        let sequences: u64 = ledgers.watermarks(NODE).iter().map(|mark| mark.sequence).sum();
        assert_eq!(sequences, whole as u64, "{cut}");
        let is_there = (1..4).contains(&whole);
        assert_eq!(held(&ledgers, Set::T9, 10).len(), usize::from(is_there), "{cut}");
        // What was cut off can be sent again, in its place. Each flushes, so this is looked at around the ends of entries and now and then between.
        let is_near = |end: &u64| end.abs_diff(cut as u64) <= 1;
        if !cut.is_multiple_of(32) && !ends.iter().any(is_near) {
            continue;
        }
        for (at, (set, part)) in parts.iter().enumerate() {
            let outcome = outcome(&ledgers, *set, part.clone());
            let expected = match (at, at < whole) {
                (1, _) => Outcome::Refused,
                (_, true) => Outcome::StoredBefore,
                (_, false) => Outcome::Stored,
            };
            assert_eq!(outcome, expected, "{cut} {at}");
        }
        assert!(held(&ledgers, Set::T9, 10).is_empty());
    }
}

#[test]
fn a_changed_byte_amid_the_file_is_told_with_its_place() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("88.990.ledger");
    let ledgers = Ledgers::open(folder.path()).unwrap();
    take(&ledgers, Set::T2, whole(Set::T2, 1));
    take(&ledgers, Set::T3, whole(Set::T3, 1));
    drop(ledgers);
    let mut bytes = fs::read(&path).unwrap();
    bytes[60] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = Ledgers::open(folder.path()).unwrap_err();
    assert!(matches!(error, LedgerError::Damaged { offset: 19, .. }), "{error}");
}

/// What the fixture of version 1 begins with. A part that was refused stands behind it: the words of complaints may be improved at any time.
fn written(ledgers: &Ledgers) {
    take(ledgers, Set::T9, day("2026-11-28", 1, &[master("a", 1), master("b", 1)]));
    take(ledgers, Set::T9, day("2026-11-29", 2, &[master("a", 2)]));
    take(ledgers, Set::T2, whole(Set::T2, 1));
    take(ledgers, Set::Incident, Part { owner: "88.990.10001".into(), ..whole(Set::Incident, 1) });
}

fn refused(ledgers: &Ledgers) {
    take(ledgers, Set::T9, day("2026-11-29", 3, &[json!({})]));
}

#[test]
fn a_ledger_of_version_1_opens_and_is_written_as_it_was() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("88.990.ledger");
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sets-v1.ledger");
    written(&Ledgers::open(folder.path()).unwrap());
    let fixture = fs::read(kept).unwrap();
    assert!(fixture.starts_with(&fs::read(&path).unwrap()));

    fs::write(&path, fixture).unwrap();
    let ledgers = Ledgers::open(folder.path()).unwrap();
    assert_eq!(codes(&held(&ledgers, Set::T9, 10)), ["b1"]);
    assert_eq!(held(&ledgers, Set::Incident, 10), rows(Set::Incident));
    let status = ledgers.status(NODE);
    let told: Vec<_> = status.iter().map(|set| (set.set, set.sequence, set.refused, set.complaints.len())).collect();
    assert_eq!(told, [(Set::T2, 1, 0, 0), (Set::T9, 3, 1, 1), (Set::Incident, 1, 0, 0)]);

    fs::write(&path, b"waymark top node 2\n").unwrap();
    drop(ledgers);
    assert!(matches!(Ledgers::open(folder.path()), Err(LedgerError::Unknown { .. })));
}

#[test]
#[ignore = "writes the fixture of a new version"]
fn write_the_fixture() {
    let folder = tempdir().unwrap();
    let ledgers = Ledgers::open(folder.path()).unwrap();
    written(&ledgers);
    refused(&ledgers);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    fs::create_dir_all(&data).unwrap();
    fs::copy(folder.path().join("88.990.ledger"), data.join("sets-v1.ledger")).unwrap();
}
