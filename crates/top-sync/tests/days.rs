//! What is told of days: master data by their final operation, the calendar of China, days that were missed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use std::sync::Arc;

use common::{Node, clock, operations, set_clock};
use serde_json::json;
use waymark_catalog::Timestamp;
use waymark_top_sync::calendar::Day;
use waymark_top_sync::figures::Figures;
use waymark_top_sync::maker::Maker;
use waymark_top_sync::sets::SetName;
use waymark_top_sync::traffic::{Accumulator, Answer, DayTally, KnownPrefixes, Limits, ReadError};

fn maker(node: &Node) -> Maker {
    Maker::new(&node.catalog, Arc::clone(&node.outbox), "88.1", Vec::new(), None)
}

/// Makes a set until nothing is due.
fn make(maker: &Maker, set: SetName) {
    while maker.make_due(set, clock()).unwrap() {}
}

/// TLN-GUIDE T9: operation 1 add, 2 delete, 3 modify; one final operation for each identifier and day.
#[test]
fn an_identifier_is_told_once_a_day_by_what_the_day_made_of_it() {
    let node = Node::begun("2026-11-27T01:00");
    for handle in ["old", "gone", "back", "touched", "moved"] {
        node.put(&format!("88.1.701/{handle}"), &[(1, "URL", "https://a.example")]);
    }
    set_clock("2026-11-28T01:00");
    node.put("88.1.701/New", &[(1, "URL", "x")]);
    node.put("88.1.701/new", &[(1, "URL", "y")]);
    node.put("88.1.702/brief", &[(1, "URL", "x")]);
    node.delete("88.1.702/brief");
    node.delete("88.1.701/gone");
    node.delete("88.1.701/back");
    node.put("88.1.701/back", &[(1, "URL", "again")]);
    node.put("88.1.701/touched", &[(1, "URL", "b")]);
    node.put("88.1.701/touched", &[(1, "URL", "c")]);
    // Half past midnight in China, still the 28th in UTC.
    set_clock("2026-11-28T16:30");
    node.put("88.1.701/moved", &[(1, "URL", "tomorrow")]);
    node.put("88.1.701/new", &[(1, "URL", "z")]);
    set_clock("2026-11-29T17:00");
    make(&maker(&node), SetName::T9);
    let told = node.waiting(SetName::T9);
    let periods: Vec<&str> = told.iter().map(|(part, _)| part.period.as_str()).collect();
    assert_eq!(periods, ["2026-11-27", "2026-11-28", "2026-11-29"]);
    assert_eq!(operations(&told[0].1).values().copied().collect::<Vec<_>>(), [1; 5]);
    let second = [("88.1.701/back", 3), ("88.1.701/gone", 2), ("88.1.701/new", 1), ("88.1.701/touched", 3)];
    assert_eq!(operations(&told[1].1), second.map(|(code, operation)| (code.to_owned(), operation)).into());
    let third = [("88.1.701/moved", 3), ("88.1.701/new", 3)];
    assert_eq!(operations(&told[2].1), third.map(|(code, operation)| (code.to_owned(), operation)).into());
    let created = |day: usize, code: &str| {
        told[day].1.iter().find(|row| row["code"] == code).unwrap()["created"].as_str().unwrap().to_owned()
    };
    assert_eq!(created(1, "88.1.701/touched"), "2026-11-27");
    assert_eq!(created(1, "88.1.701/gone"), "2026-11-27");
    assert_eq!(created(2, "88.1.701/new"), "2026-11-28");
}

#[test]
fn values_fill_the_fields_of_master_data_by_their_types() {
    let node = Node::begun("2026-11-27T01:00");
    let long = "长".repeat(300);
    node.put(
        "88.1.701/a",
        &[
            (1, "productName", "压力\n变送器"),
            (2, "BRAND", "Way\u{85}mark \u{a3}\u{7f}"),
            (3, "model", "PT-100"),
            (4, "maker", &long),
            (5, "madeDate", "2026-11-01"),
            (6, "expiryDate", "2030-01-01"),
        ],
    );
    set_clock("2026-11-28T01:00");
    make(&maker(&node), SetName::T9);
    let told = node.waiting(SetName::T9);
    let expected = json!({
        "code": "88.1.701/a", "created": "2026-11-27", "template": "", "operation": 1,
        "product_type": "PT-100", "brand": "Waymark \u{a3}", "name": "压力变送器", "maker": "长".repeat(255),
        "produced": "2026-11-01", "expires": "2030-01-01", "carrier": null,
    });
    assert_eq!(told[0].1, [expected]);
}

#[test]
fn a_day_is_told_when_it_is_over_and_days_without_changes_are_told_too() {
    let node = Node::begun("2026-11-27T15:59");
    node.put("88.1.701/a", &[(1, "URL", "x")]);
    let maker = maker(&node);
    // Midnight in China, and not yet a minute after it.
    set_clock("2026-11-27T16:00");
    make(&maker, SetName::T9);
    assert!(node.waiting(SetName::T9).is_empty());
    set_clock("2026-11-27T16:02");
    make(&maker, SetName::T9);
    assert_eq!(node.waiting(SetName::T9).len(), 1);
    // A clock that jumps ahead, and back: nothing is told twice.
    set_clock("2026-12-02T00:00");
    make(&maker, SetName::T9);
    set_clock("2026-11-28T00:00");
    make(&maker, SetName::T9);
    let told = node.waiting(SetName::T9);
    let periods: Vec<&str> = told.iter().map(|(part, _)| part.period.as_str()).collect();
    assert_eq!(periods, ["2026-11-27", "2026-11-28", "2026-11-29", "2026-11-30", "2026-12-01"]);
    assert!(told[1..].iter().all(|(part, rows)| part.rows == 0 && rows.is_empty()));
}

#[test]
fn a_day_told_by_a_clock_that_was_years_ahead_does_not_silence_a_set_until_then() {
    let node = Node::begun("2026-11-27T01:00");
    let maker = maker(&node);
    set_clock("2026-11-28T01:00");
    make(&maker, SetName::T9);
    set_clock("2031-01-01T01:00");
    for set in [SetName::T9, SetName::T5] {
        while maker.make_due(set, clock()).unwrap() {}
    }
    assert_eq!(node.outbox.cursor(SetName::T9).period, "2030-12-31");
    set_clock("2026-11-29T01:00");
    let before = node.outbox.newest(SetName::T9, u64::MAX, usize::MAX).len();
    make(&maker, SetName::T9);
    make(&maker, SetName::T9);
    assert_eq!(node.outbox.cursor(SetName::T9).period, "2026-11-28");
    assert_eq!(node.outbox.newest(SetName::T9, u64::MAX, usize::MAX).len(), before + 1);
    make(&maker, SetName::T5);
    assert_eq!(node.outbox.cursor(SetName::T5).period, "2026-10");
}

/// SETS.md T9: `code` is an identifier of at most 255 bytes with something behind the slash. A part with another would be refused as a whole.
#[test]
fn a_name_the_set_cannot_hold_is_left_out_and_the_others_are_told() {
    let node = Node::begun("2026-11-27T01:00");
    for handle in ["88.1.701/a", "88.1.701/", "88.1.701/b"] {
        node.put(handle, &[(1, "URL", "x")]);
    }
    set_clock("2026-11-28T01:00");
    make(&maker(&node), SetName::T9);
    let told = node.waiting(SetName::T9);
    let codes: Vec<&str> = told[0].1.iter().map(|row| row["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["88.1.701/a", "88.1.701/b"]);
}

/// Counts two answers of a source for 88.1.701 on every day, one of them a success.
#[derive(Debug)]
struct Counted;

struct Known;

impl KnownPrefixes for Known {
    fn knows(&self, prefix: &[u8]) -> bool {
        prefix == b"88.1.701"
    }
}

impl Figures for Counted {
    fn day(&self, day: Day) -> Result<Option<DayTally>, ReadError> {
        let mut all = Accumulator::new(Limits::default());
        all.open(DayTally::new(day));
        for (response_code, took) in [(1, 100), (100, 300)] {
            let answer = Answer {
                unix_seconds: u32::try_from(day.start().0 / 1_000).unwrap() + 7,
                source: "192.0.2.1".parse().unwrap(),
                op: 1,
                response_code,
                took_micros: Some(took),
                handle: b"88.1.701/a",
            };
            all.answered(&answer, &Known).unwrap();
        }
        Ok(all.day(day).cloned())
    }
}

/// MON-1: for the node and each enterprise, average, longest and shortest time with when they were, and the second with most requests.
#[test]
fn times_of_the_day_are_told_for_the_node_and_each_prefix() {
    let node = Node::begun("2026-11-27T01:00");
    set_clock("2026-11-28T01:00");
    let maker = Maker::new(&node.catalog, Arc::clone(&node.outbox), "88.1", Vec::new(), Some(Arc::new(Counted)));
    make(&maker, SetName::Monitoring);
    let told = node.waiting(SetName::Monitoring);
    assert_eq!(told.len(), 1);
    let row = |prefix: &str| {
        let at = "2026-11-26T16:00:07.000Z";
        json!({
            "prefix": prefix, "day": "2026-11-27",
            "resolution": {
                "average_us": 200, "maximum_us": 300, "minimum_us": 100, "maximum_at": at, "minimum_at": at,
                "peak_per_second": 2, "peak_at": at,
            },
            "registration": {
                "average_us": null, "maximum_us": null, "minimum_us": null, "maximum_at": null, "minimum_at": null,
            },
        })
    };
    assert_eq!(told[0].1, [row("88.1"), row("88.1.701")]);
}

/// TLN-GUIDE T8: identifiers added and in total; a deletion does not take back what was added on its day.
#[test]
fn statistics_of_enterprises_count_what_was_registered_and_what_is_there() {
    let node = Node::begun("2026-11-27T01:00");
    node.put("88.1.701/a", &[(1, "URL", "x")]);
    node.put("88.1.701/b", &[(1, "URL", "x")]);
    node.put("88.1.702/a", &[(1, "URL", "x")]);
    node.delete("88.1.702/a");
    set_clock("2026-11-28T01:00");
    node.delete("88.1.701/b");
    node.put("88.1.701/c", &[(1, "URL", "x")]);
    node.put("88.1.701/c", &[(1, "URL", "y")]);
    set_clock("2026-11-29T01:00");
    let maker = Maker::new(&node.catalog, Arc::clone(&node.outbox), "88.1", Vec::new(), Some(Arc::new(Counted)));
    make(&maker, SetName::T8);
    let told = node.waiting(SetName::T8);
    let counted = |day: usize| -> Vec<(String, u64, u64)> {
        let row = |row: &serde_json::Value| {
            let count = |field: &str| row[field].as_u64().unwrap();
            (row["prefix"].as_str().unwrap().to_owned(), count("new_identifiers"), count("total_identifiers"))
        };
        told[day].1.iter().map(row).collect()
    };
    assert_eq!(counted(0), [("88.1.701".to_owned(), 2, 2), ("88.1.702".to_owned(), 1, 0)]);
    assert_eq!(counted(1), [("88.1.701".to_owned(), 1, 2)]);
    let expected = json!({
        "prefix": "88.1.701", "day": "2026-11-28", "new_identifiers": 1, "total_identifiers": 2, "requests": 2,
        "successes": 1, "sources": [{ "ip": "192.0.2.1", "count": 2 }], "other_sources": 0, "exact": true, "error": 0,
    });
    assert_eq!(told[1].1, [expected]);
}

#[test]
fn without_figures_nothing_is_told_of_requests() {
    let node = Node::begun("2026-11-27T01:00");
    set_clock("2026-11-29T01:00");
    for set in [SetName::T3, SetName::T8, SetName::Monitoring] {
        make(&maker(&node), set);
        assert!(node.waiting(set).is_empty());
    }
}

#[test]
fn a_day_of_many_is_told_in_parts_that_know_how_many_they_are() {
    let node = Node::begun("2026-11-27T01:00");
    for number in 0..10_050 {
        node.put(&format!("88.1.701/{number}"), &[(1, "URL", "x")]);
    }
    set_clock("2026-11-28T01:00");
    make(&maker(&node), SetName::T9);
    let told = node.waiting(SetName::T9);
    let places: Vec<(u64, u32, u32, u64)> =
        told.iter().map(|(part, _)| (part.sequence, part.part, part.parts, part.rows)).collect();
    assert_eq!(places, [(1, 1, 2, 10_000), (2, 2, 2, 50)]);
    assert!(Timestamp(told[0].0.made) <= clock());
}
