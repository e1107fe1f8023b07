//! Days of the statistics: where they begin, clocks that jump, and what is kept of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    missing_docs,
    dead_code,
    reason = "a test may fail by panicking, and is documented by its name"
)]

mod traffic_support;

use std::path::PathBuf;

use traffic_support::{MIDNIGHT, Shelf, at, count, day, line};
use waymark_top_sync::traffic::{DayTally, FormatError, Limits, Missing, ReadError, Traffic};

const DAY: u32 = 86_400;

fn requests(traffic: &Traffic, of: &str) -> Option<u64> {
    traffic.day(day(of)).unwrap().map(|told| told.node().requests())
}

/// Saves, and waits for it.
fn settle(traffic: &Traffic, now: u32) {
    traffic.stop(at(now)).unwrap();
}

#[test]
fn a_day_begins_at_midnight_in_beijing() {
    let shelf = Shelf::new();
    let traffic = shelf.open_without_record(MIDNIGHT).0;
    for (time, source) in [(MIDNIGHT - 1, "192.0.2.1"), (MIDNIGHT, "192.0.2.2"), (MIDNIGHT + DAY - 1, "192.0.2.2")] {
        count(&traffic, time, source, "88.100/x");
    }
    count(&traffic, MIDNIGHT + DAY, "192.0.2.3", "88.100/x");
    let told = |of: &str| {
        let told = traffic.day(day(of)).unwrap().unwrap();
        told.node().sources().by_address().iter().map(|each| (each.source.to_string(), each.count)).collect::<Vec<_>>()
    };
    assert_eq!(told("2026-11-28"), [("192.0.2.1".to_owned(), 1)]);
    assert_eq!(told("2026-11-29"), [("192.0.2.2".to_owned(), 2)]);
    assert_eq!(told("2026-11-30"), [("192.0.2.3".to_owned(), 1)]);
}

#[test]
fn a_day_that_is_over_goes_to_its_file_and_comes_back_for_what_is_late() {
    let shelf = Shelf::new();
    let traffic = shelf.open_without_record(MIDNIGHT).0;
    count(&traffic, MIDNIGHT - 5, "192.0.2.1", "88.100/x");
    count(&traffic, MIDNIGHT + 5, "192.0.2.1", "88.100/x");
    let file = shelf.figures().join("2026-11-28.day");
    settle(&traffic, MIDNIGHT + 60);
    assert!(!file.exists(), "answers may still be on their way");
    settle(&traffic, MIDNIGHT + 700);
    assert!(file.exists());
    assert_eq!((requests(&traffic, "2026-11-28"), requests(&traffic, "2026-11-29")), (Some(1), Some(1)));
    count(&traffic, MIDNIGHT - 2, "192.0.2.1", "88.100/x");
    assert_eq!(requests(&traffic, "2026-11-28"), Some(2));
    settle(&traffic, MIDNIGHT + 1_400);
    drop(traffic);
    let traffic = shelf.open_without_record(MIDNIGHT + 1_500).0;
    assert_eq!((requests(&traffic, "2026-11-28"), requests(&traffic, "2026-11-29")), (Some(2), Some(1)));
    assert_eq!(traffic.days().unwrap(), [day("2026-11-28"), day("2026-11-29")]);
    assert_eq!(requests(&traffic, "2026-11-27"), None);
}

#[test]
fn a_clock_that_jumps_loses_nothing_and_counts_nothing_twice() {
    let mut shelf = Shelf::new();
    let mut traffic = shelf.open(MIDNIGHT).0;
    // Ahead by years, back by months, and every day between: more days than are held at the same time.
    let jumps = [0, 400 * DAY, 3 * DAY, 900 * DAY, 2 * DAY, 0, 4 * DAY, 5 * DAY, 6 * DAY, 1_000 * DAY, 0];
    for (round, jump) in jumps.into_iter().enumerate() {
        let now = MIDNIGHT + jump + 10;
        for _ in 0..10 {
            shelf.answered(&traffic, &line(now, "192.0.2.1:5", 1, 1, 9, "88.100/x"));
        }
        traffic.count().tick(at(now));
        if round % 4 == 3 {
            drop(traffic);
            traffic = shelf.open(now + 1).0;
        }
    }
    let told: u64 =
        traffic.days().unwrap().into_iter().map(|of| traffic.day(of).unwrap().unwrap().node().requests()).sum();
    assert_eq!(told, 110);
    assert_eq!(requests(&traffic, "2026-11-29"), Some(30));
    assert_eq!(traffic.health(at(MIDNIGHT)).uncounted, 0);
}

#[test]
fn the_oldest_days_go_and_a_clock_that_was_wrong_takes_but_one_with_it() {
    let mut shelf = Shelf::new();
    shelf.limits = Limits { kept_days: 7, ..Limits::default() };
    let traffic = shelf.open_without_record(MIDNIGHT).0;
    for number in 0..10 {
        let now = MIDNIGHT + number * DAY;
        count(&traffic, now, "192.0.2.1", "88.100/x");
        settle(&traffic, now + 1);
    }
    count(&traffic, MIDNIGHT + 5_000 * DAY, "192.0.2.1", "88.100/x");
    settle(&traffic, MIDNIGHT + 5_002 * DAY);
    let days = traffic.days().unwrap();
    assert_eq!(days.len(), 7);
    assert_eq!((days[0], days[5]), (day("2026-12-03"), day("2026-12-08")));
}

#[test]
fn what_cannot_be_read_is_moved_aside_and_told() {
    let mut shelf = Shelf::new();
    let traffic = shelf.open(MIDNIGHT).0;
    shelf.answered(&traffic, &line(MIDNIGHT + 9, "192.0.2.1:5", 1, 1, 9, "88.100/x"));
    settle(&traffic, MIDNIGHT + 20);
    drop(traffic);
    let current = shelf.figures().join("current");
    let mut bytes = std::fs::read(&current).unwrap();
    let last = bytes.len() - 9;
    bytes[last] ^= 1;
    std::fs::write(&current, &bytes).unwrap();
    let (traffic, opened) = shelf.open(MIDNIGHT + 30);
    let aside: Vec<PathBuf> = opened.moved_aside.iter().map(|moved| moved.path.clone()).collect();
    assert_eq!(aside, [shelf.figures().join(format!("current.damaged-{}", MIDNIGHT + 30))]);
    assert!(matches!(opened.moved_aside[0].cause, FormatError::Checksum));
    assert_eq!(std::fs::read(&aside[0]).unwrap(), bytes);
    // The record still tells.
    assert_eq!((opened.counted_again, requests(&traffic, "2026-11-29")), (1, Some(1)));
    assert!(!traffic.day(day("2026-11-29")).unwrap().unwrap().is_exact());
}

#[test]
fn a_damaged_current_file_does_not_count_closed_days_again() {
    let mut shelf = Shelf::new();
    let traffic = shelf.open(MIDNIGHT).0;
    shelf.answered(&traffic, &line(MIDNIGHT - 9, "192.0.2.1:5", 1, 1, 9, "88.100/x"));
    shelf.answered(&traffic, &line(MIDNIGHT + 9, "192.0.2.1:5", 1, 1, 9, "88.100/x"));
    settle(&traffic, MIDNIGHT + 3_600);
    drop(traffic);
    std::fs::write(shelf.figures().join("current"), b"nonsense").unwrap();
    let (traffic, opened) = shelf.open(MIDNIGHT + 3_700);
    assert_eq!(opened.counted_again, 1);
    assert_eq!((requests(&traffic, "2026-11-28"), requests(&traffic, "2026-11-29")), (Some(1), Some(1)));
}

#[test]
fn a_damaged_day_is_an_error_to_its_reader_and_a_gap_to_what_comes_late() {
    let shelf = Shelf::new();
    let traffic = shelf.open_without_record(MIDNIGHT).0;
    count(&traffic, MIDNIGHT - 5, "192.0.2.1", "88.100/x");
    settle(&traffic, MIDNIGHT + 3_600);
    let file = shelf.figures().join("2026-11-28.day");
    let whole = std::fs::read(&file).unwrap();
    // Each cut and each later version.
    for cut in 0..whole.len() {
        std::fs::write(&file, &whole[..cut]).unwrap();
        let error = traffic.day(day("2026-11-28")).unwrap_err();
        assert!(
            matches!(error, ReadError::Format { source: FormatError::Length | FormatError::Checksum, .. }),
            "{cut}: {error:?}"
        );
    }
    let mut later = whole.clone();
    later[8] = 2;
    std::fs::write(&file, &later).unwrap();
    let error = traffic.day(day("2026-11-28")).unwrap_err();
    assert!(matches!(error, ReadError::Format { source: FormatError::Version(2), .. }));
    std::fs::rename(&file, shelf.figures().join("2026-11-27.day")).unwrap();
    std::fs::write(shelf.figures().join("2026-11-27.day"), &whole).unwrap();
    let error = traffic.day(day("2026-11-27")).unwrap_err();
    assert!(matches!(error, ReadError::Format { source: FormatError::NotOurs, .. }), "another day's");
    std::fs::write(&file, b"short").unwrap();
    count(&traffic, MIDNIGHT - 4, "192.0.2.1", "88.100/x");
    let told: DayTally = traffic.day(day("2026-11-28")).unwrap().unwrap();
    assert_eq!(told.node().requests(), 1);
    let gaps: Vec<_> = told.losses().gaps.iter().map(|gap| (gap.from, gap.until, gap.missing)).collect();
    assert_eq!(gaps, [(MIDNIGHT - DAY, MIDNIGHT, Missing::Everything)]);
    assert!(shelf.figures().join(format!("2026-11-28.day.damaged-{}", MIDNIGHT - DAY)).exists());
}

#[test]
fn prefixes_and_sources_stay_within_their_limits_and_say_what_they_left_out() {
    let mut shelf = Shelf::new();
    shelf.limits =
        Limits { node_sources: 32, prefix_sources: 16, all_sources: 1_000, prefixes: 2, ..Limits::default() };
    let traffic = shelf.open_without_record(MIDNIGHT).0;
    for number in 0..40_u32 {
        let source = format!("192.0.2.{number}");
        for handle in ["88.100/x", "88.100.7/x", "88.100.AB/x"] {
            count(&traffic, MIDNIGHT + number, &source, handle);
        }
    }
    let told = traffic.day(day("2026-11-29")).unwrap().unwrap();
    assert_eq!((told.node().requests(), told.prefix_count(), told.losses().unplaced), (120, 2, 40));
    assert!(!told.node().sources().is_exact() && told.node().sources().len() == 32);
    let prefix = told.prefix(b"88.100").unwrap();
    assert_eq!((prefix.requests(), prefix.sources().len(), told.prefix_sources()), (40, 16, 32));
    assert!(prefix.sources().missed_at_most() <= 40 / 16);
    assert!(!told.is_exact());
}

/// A file of version 1, as a program that wrote that version left it.
#[test]
fn days_of_version_1_are_read_for_ever() {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/traffic-1.day");
    let shelf = Shelf::new();
    let traffic = shelf.open_without_record(MIDNIGHT).0;
    if std::env::var_os("WAYMARK_WRITE_FIXTURE").is_some() {
        for (second, source) in [(1, "192.0.2.1"), (1, "2001:db8::7"), (2, "192.0.2.1")] {
            count(&traffic, MIDNIGHT - DAY + second, source, "88.100.7/x");
        }
        settle(&traffic, MIDNIGHT + 3_600);
        std::fs::copy(shelf.figures().join("2026-11-28.day"), fixture).unwrap();
    }
    std::fs::copy(fixture, shelf.figures().join("2026-11-28.day")).unwrap();
    let told = traffic.day(day("2026-11-28")).unwrap().unwrap();
    for tally in [told.node(), told.prefix(b"88.100.7").unwrap()] {
        assert_eq!((tally.requests(), tally.successes(), tally.latency().average_micros()), (3, 3, Some(100)));
        let sources = tally.sources().by_address();
        assert_eq!(sources.iter().map(|each| each.count).collect::<Vec<_>>(), [2, 1]);
        let peak = tally.peak().unwrap();
        assert_eq!((peak.count, peak.unix_seconds), (2, MIDNIGHT - DAY + 1));
    }
    assert!(told.is_exact());
}
