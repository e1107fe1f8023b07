//! The outbox: nothing is lost, told twice or out of order, whatever ends the process; settling by hand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use std::fs;

use common::{Node, clock, set_clock};
use serde_json::json;
use waymark_top_sync::outbox::{Cursor, Outbox, OutboxError, Part, PartState};
use waymark_top_sync::sets::SetName;
use waymark_top_sync::sets::business::Take as _;

const SET: SetName = SetName::T9;

fn cursor(period: &str) -> Cursor {
    Cursor { serial: 7, period: period.to_owned(), digest: String::new() }
}

/// Adds a part with one row.
fn add(outbox: &Outbox, period: &str) {
    let mut draft = outbox.draft(SET);
    draft.take(&json!({ "period": period }), None).unwrap();
    outbox.add(draft, period, &cursor(period), clock()).unwrap();
}

#[test]
fn parts_cursors_pauses_and_totals_survive_a_restart() {
    let mut node = Node::begun("2026-11-27T01:00");
    add(&node.outbox, "2026-11-27");
    add(&node.outbox, "2026-11-28");
    node.outbox.note(SET, 1, PartState::Acknowledged, "", clock()).unwrap();
    assert!(node.outbox.pause(SetName::T2, true, clock()).unwrap());
    let draft = node.outbox.draft(SetName::T8);
    let totals = [(b"88.1.701"[..].into(), 5)];
    node.outbox.add_with_totals(draft, "2026-11-28", &cursor("2026-11-28"), &totals, clock()).unwrap();
    let before = (node.outbox.status(), node.outbox.newest(SET, u64::MAX, 10));
    node.reopen_outbox();
    assert_eq!((node.outbox.status(), node.outbox.newest(SET, u64::MAX, 10)), before);
    assert_eq!(node.outbox.total(b"88.1.701"), 5);
    assert_eq!(node.outbox.cursor(SET), cursor("2026-11-28"));
    assert_eq!(node.waiting(SET).len(), 1);
    assert!(!node.outbox.pause(SetName::T2, true, clock()).unwrap(), "it is paused still");
}

/// A kill between the rows and the group that takes them: the rows are no part, and their sequence is given again.
#[test]
fn rows_that_no_part_was_made_of_are_gone_after_a_restart() {
    let mut node = Node::begun("2026-11-27T01:00");
    add(&node.outbox, "2026-11-27");
    let mut draft = node.outbox.draft(SET);
    draft.take(&json!({ "lost": true }), None).unwrap();
    drop(draft);
    let folder = node.dir.path().join("sync/parts");
    fs::write(folder.join("T9-000000000009.jsonl"), "left over").unwrap();
    node.reopen_outbox();
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["T9-000000000001.jsonl"]);
    add(&node.outbox, "2026-11-28");
    let told: Vec<_> = node.waiting(SET).into_iter().map(|(part, rows)| (part.sequence, rows)).collect();
    assert_eq!(told[1], (2, vec![json!({ "period": "2026-11-28" })]));
}

#[test]
fn a_draft_that_nobody_takes_gives_its_room_back() {
    let node = Node::begun("2026-11-27T01:00");
    let files = || fs::read_dir(node.dir.path().join("sync/parts")).unwrap().count();
    let mut draft = node.outbox.draft(SET);
    for number in 0..25_000 {
        draft.take(&json!({ "period": number }), None).unwrap();
    }
    assert_eq!(files(), 3);
    drop(draft);
    assert_eq!(files(), 0);
    add(&node.outbox, "2026-11-27");
    assert_eq!(files(), 1);
}

#[test]
fn what_was_marked_stays_so_until_somebody_asks_for_it_again() {
    let node = Node::begun("2026-11-27T01:00");
    add(&node.outbox, "2026-11-26");
    add(&node.outbox, "2026-11-27");
    let marked = || node.outbox.part(SET, 1).map(|part| (part.state, part.problem, part.by)).unwrap();
    let as_marked = (PartState::Marked, "by letter".to_owned(), "operator".to_owned());
    node.outbox.mark(SET, 1, 1, "by letter", "operator", clock()).unwrap();
    // It was on its way, and that came to nothing, or to something.
    for state in [PartState::Waiting, PartState::Refused, PartState::Acknowledged] {
        node.outbox.note(SET, 1, state, "lost", clock()).unwrap();
        assert_eq!(marked(), as_marked);
    }
    assert_eq!(node.outbox.resend(SET, 1, 2, "", clock()).unwrap(), 1);
    assert_eq!(marked(), as_marked);
    assert_eq!(node.outbox.resend(SET, 1, 1, "operator", clock()).unwrap(), 1);
    assert_eq!(marked().0, PartState::Waiting);
}

#[test]
fn rows_that_were_changed_on_the_disk_are_never_sent() {
    let node = Node::begun("2026-11-27T01:00");
    add(&node.outbox, "2026-11-27");
    let path = node.dir.path().join("sync/parts/T9-000000000001.jsonl");
    let part = node.outbox.part(SET, 1).unwrap();
    // As parts were that were made before a checksum was kept beside the digest.
    let older = Part { crc32c: None, ..part.clone() };
    assert_eq!(node.outbox.rows(&part).unwrap(), node.outbox.rows(&older).unwrap());
    for changed in ["{\"period\":\"2026-11-26\"}\n", ""] {
        fs::write(&path, changed).unwrap();
        for part in [&part, &older] {
            assert!(matches!(node.outbox.rows(part), Err(OutboxError::Damaged { .. })));
        }
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(node.outbox.rows(&part), Err(OutboxError::Io { .. })));
}

#[test]
fn parts_are_sent_again_or_settled_by_hand_and_it_is_kept_by_whom() {
    let mut node = Node::begun("2026-11-27T01:00");
    for period in ["2026-11-25", "2026-11-26", "2026-11-27"] {
        add(&node.outbox, period);
    }
    node.outbox.note(SET, 1, PartState::Acknowledged, "", clock()).unwrap();
    node.outbox.note(SET, 2, PartState::Refused, "row 1 code: is missing", clock()).unwrap();
    assert_eq!(
        node.outbox.mark(SET, 1, 2, "sent by letter", "op", clock()).unwrap(),
        1,
        "what is acknowledged is settled"
    );
    assert_eq!(node.outbox.resend(SET, 1, 1, "op", clock()).unwrap(), 1);
    node.reopen_outbox();
    let parts: Vec<_> = node.outbox.newest(SET, u64::MAX, 10).into_iter().map(|part| (part.state, part.by)).collect();
    assert_eq!(
        parts,
        [
            (PartState::Waiting, String::new()),
            (PartState::Marked, "op".to_owned()),
            (PartState::Waiting, "op".to_owned())
        ]
    );
    assert_eq!(node.outbox.part(SET, 2).unwrap().problem, "sent by letter");
    let waiting: Vec<u64> = node.outbox.waiting(SET, 0, 10).iter().map(|part| part.sequence).collect();
    assert_eq!(waiting, [1, 3]);
    node.outbox.pause(SET, true, clock()).unwrap();
    assert!(node.outbox.waiting(SET, 0, 10).is_empty());
}

/// Nothing is ever dropped that was not settled; the last part of a set stays, so that no sequence is given twice.
#[test]
fn only_what_was_settled_long_ago_is_removed() {
    let mut node = Node::begun("2026-11-01T00:00");
    for period in ["2026-10-28", "2026-10-29", "2026-10-30", "2026-10-31"] {
        add(&node.outbox, period);
    }
    for sequence in [1, 2, 4] {
        node.outbox.note(SET, sequence, PartState::Acknowledged, "", clock()).unwrap();
    }
    set_clock("2026-12-10T00:00");
    assert_eq!(node.outbox.forget_settled(clock()).unwrap(), 0);
    set_clock("2026-12-12T00:00");
    assert_eq!(node.outbox.forget_settled(clock()).unwrap(), 2);
    node.reopen_outbox();
    let left: Vec<u64> = node.outbox.newest(SET, u64::MAX, 10).iter().map(|part| part.sequence).collect();
    assert_eq!(left, [4, 3]);
    assert!(!node.dir.path().join("sync/parts/T9-000000000001.jsonl").exists());
    add(&node.outbox, "2026-12-11");
    assert_eq!(node.outbox.newest(SET, u64::MAX, 1)[0].sequence, 5);
}
