//! The statistics against the record of every answer: each figure follows from the lines alone, whatever happened in between.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    unreachable_pub,
    missing_docs,
    dead_code,
    reason = "a test may fail by panicking, and is documented by its name"
)]

mod traffic_support;

use proptest::prelude::*;
use traffic_support::{Known, MIDNIGHT, Shelf, assert_same, at, day, line};
use waymark_top_sync::traffic::{Missing, Registered, Traffic};

const DAYS: [&str; 3] = ["2026-11-28", "2026-11-29", "2026-11-30"];
const HANDLES: [&str; 8] = [
    "88.100/pallet",
    "88.100.7/item-1",
    "88.100.7.2/item-2",
    "88.100.ab/Übersicht",
    "88.100.AB",
    "0.NA/88.100.7",
    "10.5000/elsewhere",
    "88.1000/not-ours",
];

/// What happens to the node.
#[derive(Clone, Debug)]
enum Event {
    Answer { step: u32, late: u32, source: u8, op: u32, code: u32, took: u32, handle: usize },
    Tick,
    Kill { in_a_line: bool },
    Stop,
    Turn,
}

fn event() -> impl Strategy<Value = Event> {
    let answer = (0..5_u32, 0..4_u32, 0..12_u8, 0..10_u32, 0..4_usize, 1..9_u32, 0..HANDLES.len());
    prop_oneof![
        40 => answer.prop_map(|(step, late, source, op, code, took, handle)| Event::Answer {
            // Mostly the same second and the next; sometimes hours.
            step: [0, 0, 0, 1, 1_300][step as usize],
            late,
            source,
            op: if op == 0 { 2 } else { 1 },
            code: [1, 1, 100, 3][code],
            took: took * 100,
            handle,
        }),
        4 => Just(Event::Tick),
        1 => any::<bool>().prop_map(|in_a_line| Event::Kill { in_a_line }),
        1 => Just(Event::Stop),
        1 => Just(Event::Turn),
    ]
}

fn source(number: u8) -> String {
    match number {
        0 => "[2001:db8::1]:2641".to_owned(),
        1 => "[::ffff:192.0.2.2]:9".to_owned(),
        number => format!("192.0.2.{number}:40000"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn figures_are_those_of_the_lines_after_any_kills(events in proptest::collection::vec(event(), 1..250)) {
        let mut shelf = Shelf::new();
        let mut now = MIDNIGHT - 40_000;
        let mut lines: Vec<String> = Vec::new();
        let (mut traffic, _) = shelf.open(now);
        let mut turned = false;
        for event in events {
            match event {
                Event::Answer { step, late, source: number, op, code, took, handle } => {
                    now += step;
                    let line = line(now - late, &source(number), op, code, took, HANDLES[handle]);
                    shelf.answered(&traffic, &line);
                    lines.push(line);
                }
                Event::Tick => {
                    now += 31;
                    traffic.count().tick(at(now));
                }
                Event::Kill { in_a_line } => {
                    drop(traffic);
                    if in_a_line {
                        shelf.record(b"{\"time\":17958");
                    }
                    // Counted by nobody before the kill, and written all the same.
                    let late = line(now, &source(3), 1, 1, 77, HANDLES[1]);
                    if !in_a_line {
                        shelf.record(late.as_bytes());
                        lines.push(late);
                    }
                    now += 2;
                    traffic = shelf.open(now).0;
                    turned = false;
                }
                Event::Stop => {
                    traffic.stop(at(now)).unwrap();
                    drop(traffic);
                    now += 1;
                    traffic = shelf.open(now).0;
                    turned = false;
                }
                // While it runs. Twice between two savings is more than two files can tell, and lives begin with one.
                Event::Turn if !turned => {
                    shelf.turn();
                    turned = true;
                }
                Event::Turn => {}
            }
        }
        for each in DAYS {
            assert_same(traffic.day(day(each)).unwrap().as_ref(), &lines, each);
        }
        // The same in the next life.
        traffic.stop(at(now)).unwrap();
        let again = shelf.open(now + 1).0;
        for each in DAYS {
            assert_same(again.day(day(each)).unwrap().as_ref(), &lines, each);
        }
    }
}

#[test]
fn a_day_of_lines_counted_at_once_says_what_the_lines_say() {
    let mut shelf = Shelf::new();
    let mut lines = Vec::new();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut draw = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) % below
    };
    let mut time = u64::from(MIDNIGHT) - 600;
    while time < u64::from(MIDNIGHT) + 86_400 + 600 {
        time += draw(9);
        let from = format!("10.0.{}.{}:2641", draw(8), draw(250));
        let handle = HANDLES[draw(HANDLES.len() as u64) as usize];
        let code = [1, 1, 1, 100, 200, 302, 3][draw(7) as usize];
        let late = draw(3);
        lines.push(line((time - late) as u32, &from, 1 + draw(20) as u32 / 19, code, draw(4_000) as u32, handle));
    }
    shelf.record(lines.concat().as_bytes());
    let (traffic, opened) = shelf.open(MIDNIGHT + 90_000);
    assert_eq!(opened.counted_again, lines.len() as u64);
    for each in DAYS {
        assert_same(traffic.day(day(each)).unwrap().as_ref(), &lines, each);
    }
    let whole = traffic.day(day("2026-11-29")).unwrap().unwrap();
    assert!(whole.node().requests() > 15_000 && whole.node().sources().len() > 1_500);
    assert!(whole.node().sources().is_exact() && whole.losses().is_empty(), "{:?}", whole.losses());
}

#[test]
fn what_a_life_that_was_killed_may_have_lost_is_told() {
    let mut shelf = Shelf::new();
    let traffic = shelf.open(MIDNIGHT).0;
    shelf.answered(&traffic, &line(MIDNIGHT + 5, "192.0.2.7:5", 1, 1, 9, "88.100/x"));
    traffic.stop(at(MIDNIGHT + 6)).unwrap();
    drop(traffic);
    let (traffic, opened) = shelf.open(MIDNIGHT + 10);
    assert_eq!((opened.gap, opened.counted_again), (None, 0), "stopped in order");
    assert!(traffic.day(day("2026-11-29")).unwrap().unwrap().is_exact());
    shelf.answered(&traffic, &line(MIDNIGHT + 15, "192.0.2.7:5", 1, 1, 9, "88.100/x"));
    drop(traffic);
    let (traffic, opened) = shelf.open(MIDNIGHT + 20);
    assert_eq!(opened.counted_again, 1);
    let gap = opened.gap.unwrap();
    assert_eq!((gap.from, gap.until, gap.missing), (MIDNIGHT + 10, MIDNIGHT + 20, Missing::Registrations));
    let told = traffic.day(day("2026-11-29")).unwrap().unwrap();
    assert_eq!(told.node().requests(), 2);
    // Of answers only those whose records were on their way: from the last one on.
    let answers: Vec<_> = told.losses().gaps.iter().filter(|gap| gap.missing == Missing::Everything).collect();
    assert_eq!(answers.iter().map(|gap| (gap.from, gap.until)).collect::<Vec<_>>(), [(MIDNIGHT + 15, MIDNIGHT + 20)]);
}

#[test]
fn without_a_record_a_kill_loses_what_was_not_saved_and_says_so() {
    let shelf = Shelf::new();
    let traffic = shelf.open_without_record(MIDNIGHT + 1).0;
    traffic_support::count(&traffic, MIDNIGHT + 2, "192.0.2.1", "88.100/x");
    traffic.count().tick(at(MIDNIGHT + 40));
    // Handed to the thread that saves, which ends with its work done.
    traffic_support::count(&traffic, MIDNIGHT + 50, "192.0.2.1", "88.100/x");
    drop(traffic);
    let (traffic, opened) = shelf.open_without_record(MIDNIGHT + 60);
    let gap = opened.gap.unwrap();
    assert_eq!((gap.from, gap.until, gap.missing), (MIDNIGHT + 40, MIDNIGHT + 60, Missing::Everything));
    let told = traffic.day(day("2026-11-29")).unwrap().unwrap();
    assert_eq!((told.node().requests(), told.losses().gaps.as_slice()), (1, &[gap][..]));
}

#[test]
fn a_life_that_counted_nothing_is_a_gap_of_which_the_record_tells_what_it_has() {
    let mut shelf = Shelf::new();
    Traffic::pause(&shelf.figures()).unwrap();
    assert!(!shelf.figures().exists(), "nothing was ever counted");
    let traffic = shelf.open(MIDNIGHT + 1).0;
    shelf.answered(&traffic, &line(MIDNIGHT + 5, "192.0.2.7:5", 1, 1, 9, "88.100/x"));
    traffic.stop(at(MIDNIGHT + 6)).unwrap();
    drop(traffic);
    Traffic::pause(&shelf.figures()).unwrap();
    shelf.record(line(MIDNIGHT + 50, "192.0.2.7:5", 1, 1, 9, "88.100/x").as_bytes());
    let (traffic, opened) = shelf.open(MIDNIGHT + 60);
    let gap = opened.gap.unwrap();
    assert_eq!((gap.from, gap.until, gap.missing), (MIDNIGHT + 6, MIDNIGHT + 60, Missing::Everything));
    let told = traffic.day(day("2026-11-29")).unwrap().unwrap();
    assert_eq!((told.node().requests(), told.losses().gaps.as_slice()), (2, &[gap][..]));
    traffic.stop(at(MIDNIGHT + 61)).unwrap();
    drop(traffic);
    assert_eq!(shelf.open(MIDNIGHT + 62).1.gap, None, "told once");
}

#[test]
fn a_record_that_was_turned_over_twice_unsaved_is_a_gap() {
    let mut shelf = Shelf::new();
    let traffic = shelf.open(MIDNIGHT + 1).0;
    shelf.answered(&traffic, &line(MIDNIGHT + 5, "192.0.2.7:5", 1, 1, 9, "88.100/x"));
    traffic.count().tick(at(MIDNIGHT + 40));
    drop(traffic);
    for _ in 0..2 {
        shelf.turn();
        shelf.record(line(MIDNIGHT + 50, "192.0.2.7:5", 1, 1, 9, "88.100/x").as_bytes());
    }
    let (traffic, opened) = shelf.open(MIDNIGHT + 60);
    let gap = opened.gap.unwrap();
    assert_eq!((gap.from, gap.until, gap.missing), (MIDNIGHT + 40, MIDNIGHT + 60, Missing::Everything));
    assert_eq!(traffic.day(day("2026-11-29")).unwrap().unwrap().node().requests(), 1);
}

#[test]
fn a_record_from_before_there_were_statistics_is_counted_and_what_it_cannot_tell_is_said() {
    let mut shelf = Shelf::new();
    let old = format!(
        "{{\"time\":{},\"via\":\"udp\",\"from\":\"192.0.2.7:5\",\"op\":1,\"code\":1,\"request_bytes\":60,\"answer_bytes\":90,\"handle\":\"88.100/x\"}}\n",
        MIDNIGHT + 3_600
    );
    shelf.record(old.as_bytes());
    let (traffic, opened) = shelf.open(MIDNIGHT + 7_200);
    assert_eq!(opened.counted_again, 1);
    let told = traffic.day(day("2026-11-29")).unwrap().unwrap();
    assert_eq!((told.node().requests(), told.node().latency().count), (1, 0));
    let gaps: Vec<_> = told.losses().gaps.iter().map(|gap| (gap.from, gap.until, gap.missing)).collect();
    assert_eq!(
        gaps,
        [(MIDNIGHT, MIDNIGHT + 3_600, Missing::Everything), (MIDNIGHT, MIDNIGHT + 7_200, Missing::Registrations)]
    );
}

#[test]
fn the_end_of_a_record_lost_with_the_power_is_not_counted_twice() {
    let mut shelf = Shelf::new();
    let traffic = shelf.open(MIDNIGHT + 1).0;
    let lines: Vec<String> =
        (0..50).map(|number| line(MIDNIGHT + number, "192.0.2.7:5", 1, 1, 9, "88.100/x")).collect();
    for line in &lines {
        shelf.answered(&traffic, line);
    }
    traffic.stop(at(MIDNIGHT + 60)).unwrap();
    drop(traffic);
    let log = std::fs::OpenOptions::new().write(true).open(shelf.log_path()).unwrap();
    log.set_len(lines[..40].concat().len() as u64 + 7).unwrap();
    let (traffic, opened) = shelf.open(MIDNIGHT + 70);
    assert_eq!(opened.counted_again, 0);
    assert_same(traffic.day(day("2026-11-29")).unwrap().as_ref(), &lines, "2026-11-29");
}

#[test]
fn registrations_have_times_and_rates_of_their_own() {
    let mut shelf = Shelf::new();
    let traffic: Traffic = shelf.open(MIDNIGHT).0;
    for (second, took_micros, handle) in [(1, 900, "88.100.7/a"), (1, 300, "88.100.7/b"), (4, 600, "88.100/c")] {
        let registered = Registered { unix_seconds: MIDNIGHT + second, took_micros, handle: handle.as_bytes() };
        traffic.count().registered(&registered, &Known);
    }
    traffic.stop(at(MIDNIGHT + 9)).unwrap();
    drop(traffic);
    let told = shelf.open(MIDNIGHT + 10).0.day(day("2026-11-29")).unwrap().unwrap();
    let node = told.node();
    assert_eq!((node.requests(), node.registrations().count, node.registrations().average_micros()), (0, 3, Some(600)));
    let max = node.registrations().max.unwrap();
    assert_eq!((max.micros, max.unix_seconds), (900, MIDNIGHT + 1));
    let peak = node.registration_peak().unwrap();
    assert_eq!((peak.count, peak.unix_seconds), (2, MIDNIGHT + 1));
    let enterprise = told.prefix(b"88.100.7").unwrap();
    assert_eq!((enterprise.registrations().count, enterprise.registrations().sum_micros), (2, 1_200));
    assert_eq!(node.peak(), None);
}
