//! The watch: what a time without the node costs, where months and days end, clocks that jump, doors that come and go, files that are damaged.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use waymark_api::toplevel::v1 as api;
use waymark_catalog::Timestamp;
use waymark_top_sync::calendar::{Day, Month};
use waymark_top_sync::check::{Set, check};
use waymark_top_sync::maker::Maker;
use waymark_top_sync::sets::SetName;
use waymark_top_sync::watch::config::Settings;
use waymark_top_sync::watch::incident::{Event, Kind};
use waymark_top_sync::watch::target::{Pressure, Probed, Target, Trouble};
use waymark_top_sync::watch::{Led, Moment, MonthFigures, Opened, Options, Said, SayError, Watch};

/// A moment of China Standard Time: `2026-11-29T08:00:00`.
fn at(text: &str) -> Timestamp {
    let (day, time) = text.split_once('T').unwrap();
    let parts: Vec<u64> = time.split(':').map(|part| part.parse().unwrap()).collect();
    Timestamp(day.parse::<Day>().unwrap().start().0 + (parts[0] * 3_600 + parts[1] * 60 + parts[2]) * 1_000)
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

/// A node whose clocks stand where the test puts them.
struct Node {
    dir: TempDir,
    watch: Watch,
    opened: Opened,
    now: Timestamp,
    steady: Duration,
}

const DOORS: [Target; 4] = [Target::ResolutionUdpV4, Target::ResolutionTcpV6, Target::RegistrationV4, Target::Store];

fn options(dir: &Path) -> Options {
    let settings = Settings { failed_rounds: 3, hold: Duration::from_secs(60), ..Settings::default() };
    Options { folder: dir.join("watch"), prefix: "88.990".into(), settings }
}

impl Node {
    fn begun(moment: &str) -> Self {
        let (dir, now) = (tempfile::tempdir().unwrap(), at(moment));
        let (watch, opened) = Watch::open(options(dir.path()), now).unwrap();
        Self { dir, watch, opened, now, steady: Duration::ZERO }
    }

    /// Cut off, and begun again at a moment.
    fn again(self, moment: &str) -> Self {
        self.again_between(moment, |_| {})
    }

    fn again_between(self, moment: &str, between: impl FnOnce(&Path)) -> Self {
        let Self { dir, watch, .. } = self;
        drop(watch);
        between(&dir.path().join("watch"));
        let now = at(moment);
        let (watch, opened) = Watch::open(options(dir.path()), now).unwrap();
        Self { dir, watch, opened, now, steady: Duration::ZERO }
    }

    /// Ended in order, and begun again at a moment.
    fn restarted(self, moment: &str) -> Self {
        self.watch.stop(self.now).unwrap();
        self.again(moment)
    }

    /// A round in which these do not answer, ten seconds after the one before.
    fn round(&mut self, failing: &[Target]) -> Led {
        let probed = DOORS.map(|target| Probed {
            target,
            took_micros: 100,
            trouble: failing.contains(&target).then(|| Trouble {
                cause: "no answer".into(),
                kind: Kind::Network,
                is_told_elsewhere: false,
            }),
        });
        let led = self.watch.round(Moment { now: self.now, steady: self.steady }, &probed, None);
        assert!(led.problem.is_none(), "{:?}", led.problem);
        self.now.0 += 10_000;
        self.steady += Duration::from_secs(10);
        led
    }

    /// Rounds up to a moment.
    fn rounds(&mut self, until: &str, failing: &[Target]) -> Vec<Event> {
        let mut events = Vec::new();
        while self.now < at(until) {
            events.extend(self.round(failing).events);
        }
        events
    }

    fn month(&self, of: &str) -> MonthFigures {
        self.watch.month(month(of), self.now).unwrap()
    }
}

#[test]
fn a_time_without_the_node_counts_as_probes_that_failed() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    node.rounds("2026-11-10T10:10:00", &[]);
    // The last round was at 10:09:50; the node is back ten minutes later.
    let mut node = node.again("2026-11-10T10:19:50");
    let gap = node.opened.gap.unwrap();
    assert_eq!((gap.from, gap.until), (at("2026-11-10T10:09:50").0, at("2026-11-10T10:19:50").0));
    node.rounds("2026-11-10T10:29:50", &[]);
    let figures = node.month("2026-11");
    // 60 rounds; those from 10:10:00 to 10:19:40 were missed; 60 rounds, each with two probes of resolution.
    assert_eq!((figures.whole.tried, figures.whole.missed, figures.whole.succeeded), (120, 59, 120));
    assert_eq!(figures.whole.ppm(), Some(670_391));
    let of = figures.resolution;
    assert_eq!((of.together.tried, of.together.missed, of.together.ppm()), (240, 118, Some(670_391)));
    assert_eq!((of.ipv4.ppm(), of.ipv6.ppm()), (Some(670_391), Some(670_391)));
    // Registration was never asked over IPv6: that is not known, and is not zero.
    assert_eq!((figures.registration.ipv4.ppm(), figures.registration.ipv6.ppm()), (Some(670_391), None));
    // 10:00:00 to 10:10:00 and 10:19:50 to 10:29:50, of 29 minutes and 50 seconds.
    assert_eq!((figures.operating_seconds, figures.measured_seconds), (1_200, 1_790));
}

#[test]
fn the_cut_off_node_is_an_incident_and_the_one_stopped_in_order_is_none() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    node.rounds("2026-11-10T10:01:00", &[]);
    let mut node = node.restarted("2026-11-10T10:05:00");
    assert!(node.opened.cut_off.is_none() && node.opened.gap.is_some());
    node.rounds("2026-11-10T10:06:00", &[]);
    let mut node = node.again("2026-11-10T10:07:00");
    let fault = node.opened.cut_off.clone().unwrap();
    assert_eq!((fault.time, fault.kind, fault.prefix.as_str()), (at("2026-11-10T10:05:50").0, Kind::System, "88.990"));
    // Over once it has run for the hold time; and that is since it began.
    let events = node.rounds("2026-11-10T10:09:00", &[]);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((events[0].related.as_str(), events[0].time), (fault.id.as_str(), at("2026-11-10T10:07:00").0));
}

#[test]
fn a_node_that_is_cut_off_again_and_again_is_one_incident() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    for minute in 1..20 {
        node.rounds(&format!("2026-11-10T10:{minute:02}:00"), &[]);
        node = node.again(&format!("2026-11-10T10:{minute:02}:20"));
    }
    assert_eq!(node.watch.incidents(None).len(), 1);
    node.rounds("2026-11-10T10:25:00", &[]);
    let incidents = node.watch.incidents(None);
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].recovery.as_ref().unwrap().time, at("2026-11-10T10:19:20").0);
}

#[test]
fn a_node_that_is_held_did_not_run_and_one_whose_clock_is_set_did() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    node.rounds("2026-11-10T10:10:00", &[]);
    // Held for an hour: both clocks went on.
    (node.now, node.steady) = (at("2026-11-10T11:10:00"), node.steady + Duration::from_secs(3_600));
    let events = node.rounds("2026-11-10T11:20:00", &[]);
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!((events[0].watched.as_str(), events[0].time), ("stop", at("2026-11-10T10:09:50").0));
    assert_eq!((events[1].related.as_str(), events[1].time), (events[0].id.as_str(), at("2026-11-10T11:10:00").0));
    assert_eq!(node.month("2026-11").whole.missed, 360);
    // The clock was set an hour forward: nothing was measured in it, and nothing is made up.
    node.now = at("2026-11-10T12:20:00");
    assert!(node.rounds("2026-11-10T12:30:00", &[]).is_empty());
    let figures = node.month("2026-11");
    assert_eq!((figures.whole.tried, figures.whole.missed), (180, 360));
    assert_eq!(figures.measured_seconds, 90 * 60);
}

#[test]
fn a_month_ends_at_midnight_in_china_though_it_is_not_over_in_utc() {
    let mut node = Node::begun("2026-11-30T23:50:00");
    node.rounds("2026-12-01T00:10:00", &[]);
    // 00:00 to 08:00 in China is the last evening of the month in UTC.
    let (november, december) = (node.month("2026-11"), node.month("2026-12"));
    assert_eq!((november.whole.tried, december.whole.tried), (60, 60));
    assert_eq!((november.operating_seconds, december.operating_seconds), (600, 600));
    assert_eq!(november.over_seconds, 30 * 86_400);
    let mut node = node.again("2026-12-01T08:30:00");
    node.round(&[]);
    let december = node.month("2026-12");
    assert_eq!(december.whole.missed, (8 * 3_600 + 20 * 60) / 10);
    assert_eq!(node.month("2026-11"), november, "what came later changed nothing");
}

#[test]
fn a_gap_over_the_end_of_a_month_counts_for_both() {
    let mut node = Node::begun("2026-11-30T23:00:00");
    node.rounds("2026-11-30T23:30:00", &[]);
    let mut node = node.again("2026-12-01T00:30:00");
    node.round(&[]);
    // 23:30 to 24:00, and the first half hour.
    assert_eq!((node.month("2026-11").whole.missed, node.month("2026-12").whole.missed), (180, 180));
}

#[test]
fn declared_maintenance_counts_neither_way() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    node.rounds("2026-11-10T10:10:00", &[]);
    node.watch.begin_maintenance(None, None, "升级", "operator", node.now).unwrap();
    assert!(matches!(node.watch.begin_maintenance(None, None, "again", "operator", node.now), Err(SayError::Under)));
    assert!(node.rounds("2026-11-10T10:20:00", &DOORS).is_empty(), "no incident during maintenance");
    let mut node = node.again("2026-11-10T10:40:00");
    assert!(node.opened.cut_off.is_none());
    node.watch.end_maintenance(node.now).unwrap();
    assert!(matches!(node.watch.end_maintenance(node.now), Err(SayError::NoMaintenance)));
    node.rounds("2026-11-10T10:50:00", &[]);
    let figures = node.month("2026-11");
    assert_eq!((figures.whole.tried, figures.whole.missed, figures.whole.ppm()), (120, 0, Some(1_000_000)));
    assert_eq!((figures.maintenance_seconds, figures.maintenances.len()), (1_800, 1));
    // It ran for the first ten minutes of the maintenance.
    assert_eq!((figures.operating_seconds, figures.measured_seconds), (1_800, 3_000));
}

#[test]
fn a_door_that_flaps_is_one_incident_until_it_is_well_for_long() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    let door = [Target::ResolutionUdpV4];
    node.rounds("2026-11-10T10:01:00", &[]);
    let mut events = Vec::new();
    for _ in 0..50 {
        for failing in [&door[..], &door, &door, &[], &[]] {
            events.extend(node.round(failing).events);
        }
    }
    assert_eq!(events.len(), 1, "{events:?}");
    let fault = events[0].clone();
    assert_eq!((fault.time, fault.kind), (at("2026-11-10T10:01:00").0, Kind::Network));
    assert_eq!((fault.watched.as_str(), fault.cause.as_str()), ("resolution-udp-ipv4", "no answer"));
    // Also over a restart in between.
    let last_failure = node.now.0 - 30_000;
    let mut node = node.restarted("2026-11-10T11:00:00");
    let events = node.rounds("2026-11-10T11:05:00", &[]);
    assert_eq!(events.iter().map(|event| event.related.as_str()).collect::<Vec<_>>(), [fault.id.as_str()]);
    assert!(events[0].time > last_failure);
    assert!(events[0].id != fault.id);
}

#[test]
fn one_lost_answer_is_no_incident_and_counts_all_the_same() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    let door = [Target::ResolutionTcpV6];
    for _ in 0..20 {
        assert!(node.round(&door).events.is_empty() && node.round(&door).events.is_empty());
        assert!(node.round(&[]).events.is_empty());
    }
    let of = node.month("2026-11").resolution;
    assert_eq!((of.ipv6.ppm(), of.ipv4.ppm(), of.together.ppm()), (Some(333_333), Some(1_000_000), Some(666_666)));
    // The other way was there all the time.
    assert_eq!(node.month("2026-11").whole.ppm(), Some(1_000_000));
}

#[test]
fn the_service_needs_a_door_and_the_store() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    node.round(&[Target::Store]);
    node.round(&[Target::RegistrationV4]);
    node.round(&[Target::ResolutionUdpV4, Target::ResolutionTcpV6]);
    node.round(&[Target::ResolutionUdpV4]);
    let whole = node.month("2026-11").whole;
    assert_eq!((whole.tried, whole.succeeded), (4, 1));
}

#[test]
fn a_store_that_is_well_makes_no_dead_door_half_alive() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    node.rounds("2026-11-10T10:10:00", &[Target::RegistrationV4]);
    let figures = node.month("2026-11");
    let of = figures.registration;
    assert_eq!((of.ipv4.ppm(), of.ipv6.ppm(), of.together.ppm()), (Some(0), None, Some(0)));
    assert_eq!((of.together.tried, figures.whole.ppm()), (60, Some(0)));
    // The service needs the store all the same.
    let mut node = Node::begun("2026-11-10T10:00:00");
    node.rounds("2026-11-10T10:10:00", &[Target::Store]);
    assert_eq!(node.month("2026-11").whole.ppm(), Some(0));
}

#[test]
fn where_registration_has_no_door_the_store_alone_tells_whether_it_is_there() {
    let node = Node::begun("2026-11-10T10:00:00");
    for second in [0, 10] {
        let trouble =
            (second == 10).then(|| Trouble { cause: "full".into(), kind: Kind::System, is_told_elsewhere: false });
        let probed = [Probed { target: Target::Store, took_micros: 0, trouble }];
        let now = Timestamp(node.now.0 + second * 1_000);
        node.watch.round(Moment { now, steady: Duration::from_secs(second) }, &probed, None);
    }
    let of = node.watch.month(month("2026-11"), at("2026-11-10T10:01:00")).unwrap().registration;
    assert_eq!((of.together.tried, of.together.ppm(), of.ipv4.ppm()), (2, Some(500_000), None));
}

#[test]
fn a_maintenance_cancelled_before_it_began_is_in_no_report_and_in_the_way_of_no_other() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    let from = Some(at("2026-11-20T10:00:00"));
    let begun = |from, now: &str| node.watch.begin_maintenance(from, None, "升级", "operator", at(now));
    assert!(!begun(from, "2026-11-10T10:00:00").unwrap().is_cancelled());
    assert!(matches!(begun(from, "2026-11-18T09:00:00"), Err(SayError::Under)));
    let ended = node.watch.end_maintenance(at("2026-11-18T10:00:00")).unwrap();
    assert!(ended.is_cancelled() && !ended.covers(at("2026-11-20T10:00:00").0));
    assert!(matches!(node.watch.end_maintenance(at("2026-11-18T10:00:01")), Err(SayError::NoMaintenance)));
    // Another one is declared, and ended once it has begun.
    let second = node.watch.begin_maintenance(None, None, "搬迁", "operator", at("2026-11-18T11:00:00")).unwrap();
    node.watch.end_maintenance(at("2026-11-18T12:00:00")).unwrap();
    node.now = at("2026-11-30T00:00:00");
    let figures = node.month("2026-11");
    assert_eq!(figures.maintenances.iter().map(|each| each.number).collect::<Vec<_>>(), [second.number]);
    assert_eq!(figures.maintenance_seconds, 3_600);
    assert_eq!(node.watch.maintenances().len(), 2, "what was declared stays known");
}

#[test]
fn a_clock_that_is_set_back_makes_no_gap_and_no_day_twice() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    node.rounds("2026-11-11T00:05:00", &[]);
    // Back to the evening before, within the run; then cut off, and begun further back still.
    node.now = at("2026-11-10T23:59:00");
    node.rounds("2026-11-11T00:01:00", &[]);
    let mut node = node.again("2026-11-10T09:00:00");
    assert_eq!(node.opened.gap.map(|gap| gap.until - gap.from), Some(0));
    assert_eq!(node.opened.cut_off.as_ref().unwrap().time, at("2026-11-10T09:00:00").0);
    node.rounds("2026-11-10T09:10:00", &[]);
    node.now = at("2026-11-12T00:00:00");
    node.round(&[]);
    let figures = node.month("2026-11");
    assert_eq!(figures.whole.tried, (14 * 3_600 + 5 * 60 + 120 + 600) / 10 + 1);
    assert_eq!(figures.whole.missed, 0);
    assert!(figures.operating_seconds <= figures.measured_seconds && figures.measured_seconds <= figures.over_seconds);
}

#[test]
fn a_clock_that_was_years_ahead_at_one_start_is_no_outage_of_years() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    node.rounds("2026-11-10T10:10:00", &[]);
    let mut node = node.restarted("2036-11-10T10:00:00");
    node.round(&[]);
    let mut node = node.restarted("2026-11-10T10:12:00");
    node.rounds("2026-11-10T11:00:00", &[]);
    let figures = node.month("2026-11");
    // Minutes with rounds lost no more than was missing in them: two minutes and what stood around them.
    assert_eq!(figures.whole.tried, 60 + 288);
    assert!(figures.whole.missed <= 13, "{figures:?}");
}

#[test]
fn what_people_say_is_kept_with_who_said_it() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    node.round(&[]);
    let said = |at: Option<Timestamp>| Said {
        kind: Kind::Attack,
        cause: "流量攻击".into(),
        prefix: "88.990.ab".into(),
        at,
        by: "operator".into(),
    };
    let early = at("2026-10-31T23:00:00");
    let event = node.watch.report(said(Some(early)), node.now).unwrap();
    assert_eq!((event.time, event.prefix.as_str(), event.by.as_str()), (early.0, "88.990.AB", "operator"));
    assert!(event.id.len() <= 64 && event.id.starts_with("88.990-20261110T02"), "{}", event.id);
    let later = Timestamp(node.now.0 + 3_600_000);
    assert!(matches!(node.watch.report(said(Some(later)), node.now), Err(SayError::Time(_))));
    assert!(matches!(node.watch.recovered("nothing", "", "operator", node.now), Err(SayError::NoFault(_))));
    let over = node.watch.recovered(&event.id, "", "operator", node.now).unwrap();
    assert!(matches!(node.watch.recovered(&event.id, "", "operator", node.now), Err(SayError::Over(_))));
    let remedied = node.watch.recovered(&event.id, "清洗流量", "auditor", node.now).unwrap();
    assert_eq!((remedied.id, remedied.time, remedied.by), (over.id, over.time, over.by));
    // It lasted from October into November, and everything outlives a kill.
    let node = node.again("2026-12-24T10:00:00");
    let of = |month: &str| node.watch.incidents(Some(month.parse().unwrap()));
    assert_eq!((of("2026-10").len(), of("2026-09").len(), of("2026-12").len()), (1, 0, 1));
    let november = of("2026-11");
    assert_eq!(november[0].recovery.as_ref().unwrap().remedy, "清洗流量");
    assert_eq!(november.len(), 2, "with the node that was cut off");
}

#[test]
fn a_flood_is_an_attack_while_it_lasts() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    let mut pressure = Pressure::default();
    let mut minutes = |node: &mut Node, count: u64, asked: u64, shed: u64| {
        let mut events = Vec::new();
        for _ in 0..count * 6 {
            (pressure.asked, pressure.shed) = (pressure.asked + asked / 6, pressure.shed + shed / 6);
            let led = node.watch.round(Moment { now: node.now, steady: node.steady }, &[], Some(pressure));
            events.extend(led.events);
            (node.now.0, node.steady) = (node.now.0 + 10_000, node.steady + Duration::from_secs(10));
        }
        events
    };
    assert!(minutes(&mut node, 5, 600, 600).is_empty(), "few, though all of them");
    assert!(minutes(&mut node, 5, 60_000, 24_000).is_empty(), "many, and a small share");
    let events = minutes(&mut node, 5, 60_000, 36_000);
    assert_eq!(
        events.iter().map(|event| (event.kind, event.watched.as_str())).collect::<Vec<_>>(),
        [(Kind::Attack, "flood")]
    );
    let ends = minutes(&mut node, 5, 60_000, 600);
    assert_eq!(ends.iter().map(|event| event.related.clone()).collect::<Vec<_>>(), [events[0].id.clone()]);
}

#[test]
fn a_door_that_is_taken_away_is_no_fault_for_ever() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    node.rounds("2026-11-10T10:01:00", &[Target::ResolutionTcpV6]);
    assert_eq!(node.watch.incidents(None).len(), 1);
    let node = node.restarted("2026-11-10T10:02:00");
    let probed = [Probed { target: Target::ResolutionUdpV4, took_micros: 1, trouble: None }];
    for second in [0, 30, 60, 90] {
        let now = Timestamp(node.now.0 + second * 1_000);
        node.watch.round(Moment { now, steady: Duration::from_secs(second) }, &probed, None);
    }
    assert!(node.watch.incidents(None)[0].recovery.is_some());
}

#[test]
fn days_are_taken_up_and_say_the_same_afterwards() {
    let mut node = Node::begun("2026-11-10T23:00:00");
    node.rounds("2026-11-10T23:59:00", &[Target::Store]);
    let before = node.month("2026-11");
    node.now = at("2026-11-11T00:00:00");
    node.round(&[]);
    let files = |node: &Node| {
        let entries = fs::read_dir(node.dir.path().join("watch/probes")).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(files(&node), ["2026-11-10.probes", "2026-11-11.rounds"]);
    let after = node.month("2026-11");
    assert_eq!(after.registration.together.succeeded, before.registration.together.succeeded + 1);
    assert_eq!(after.whole.tried, before.whole.tried + 1);
    let length = fs::metadata(node.dir.path().join("watch/probes/2026-11-10.probes")).unwrap().len();
    assert!(length < 60 * 4 * 10, "compact: {length} bytes");
}

#[test]
fn rounds_are_not_counted_twice_when_a_kill_comes_between_taking_them_up_and_removing_them() {
    let mut node = Node::begun("2026-11-10T23:00:00");
    node.rounds("2026-11-10T23:59:00", &[]);
    let rounds = node.dir.path().join("watch/probes/2026-11-10.rounds");
    let kept = fs::read(&rounds).unwrap();
    node.now = at("2026-11-11T00:00:00");
    node.round(&[]);
    let before = node.month("2026-11").whole.tried;
    let mut node = node.again_between("2026-11-11T00:00:10", |_| fs::write(&rounds, &kept).unwrap());
    assert_eq!(node.month("2026-11").whole.tried, before);
    node.round(&[]);
    assert!(!rounds.exists());
    assert_eq!(node.month("2026-11").whole.tried, before + 1);
}

/// Whatever stands in the files, opening them tells of it, and what can be read is read.
#[test]
fn damaged_files_of_probes_are_moved_aside_and_the_good_rounds_stay() {
    for cut in [1, 5, 9, 30] {
        let mut node = Node::begun("2026-11-10T10:00:00");
        node.rounds("2026-11-10T10:10:00", &[]);
        let node = node.again_between("2026-11-10T10:10:00", |dir| {
            let path = dir.join("probes/2026-11-10.rounds");
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
        });
        assert_eq!(node.opened.set_aside.len(), 1, "{cut}");
        assert!(node.opened.set_aside[0].path.to_str().unwrap().contains(".damaged-"));
        let tried = node.month("2026-11").whole.tried;
        assert!((57..60).contains(&tried), "{cut}: {tried}");
    }
    for place in [0, 8, 12, 16, 20, 300] {
        let mut node = Node::begun("2026-11-10T10:00:00");
        node.rounds("2026-11-10T10:10:00", &[]);
        let mut node = node.again_between("2026-11-10T10:10:00", |dir| {
            let path = dir.join("probes/2026-11-10.rounds");
            let mut bytes = fs::read(&path).unwrap();
            bytes[place] ^= 0xff;
            fs::write(&path, &bytes).unwrap();
        });
        assert_eq!(node.opened.set_aside.len(), 1, "{place}");
        assert!(node.month("2026-11").whole.tried < 60, "{place}");
        // It goes on.
        node.round(&[]);
        let node = node.again("2026-11-10T10:11:00");
        assert!(node.opened.set_aside.is_empty());
    }
}

#[test]
fn a_day_that_cannot_be_read_counts_as_not_measured() {
    let mut node = Node::begun("2026-11-10T23:00:00");
    node.rounds("2026-11-11T00:10:00", &[]);
    let path = node.dir.path().join("watch/probes/2026-11-10.probes");
    for damage in [&b""[..], b"WMPROBES", b"WMPROBES\x02\0\0\0\0\0\0\0", b"WMPROBES\x01\0\0\0\x07\x07\x07\x07\xff\xff"]
    {
        fs::write(&path, damage).unwrap();
        let figures = node.month("2026-11");
        assert_eq!((figures.whole.tried, figures.whole.missed, figures.measured_seconds), (60, 0, 600));
        assert!(!path.exists(), "moved aside");
    }
}

#[test]
fn a_damaged_book_is_an_error_and_no_panic() {
    let mut node = Node::begun("2026-11-10T10:00:00");
    node.rounds("2026-11-10T10:01:00", &[Target::Store]);
    let Node { dir, watch, .. } = node;
    drop(watch);
    let log = dir.path().join("watch/log");
    let identity = log.join("identity");
    let bytes = fs::read(&identity).unwrap();
    fs::write(&identity, vec![0xa5; bytes.len()]).unwrap();
    let refused = Watch::open(options(dir.path()), at("2026-11-10T10:02:00")).err().unwrap();
    assert!(!refused.to_string().is_empty());
    fs::write(&identity, bytes).unwrap();
    assert!(Watch::open(options(dir.path()), at("2026-11-10T10:02:00")).is_ok());
}

#[test]
fn nothing_is_known_of_a_month_before_the_first() {
    let node = Node::begun("2026-11-10T10:00:00");
    assert_eq!(node.watch.first_month(), Some(month("2026-11")));
    let figures = node.month("2026-10");
    assert_eq!((figures.whole.ppm(), figures.measured_seconds, figures.operating_seconds), (None, 0, 0));
    assert_eq!(figures.over_seconds, 31 * 86_400);
}

/// What the node above says against a part, as the reference has it.
fn complaints(set: Set, part: &waymark_top_sync::outbox::Part, rows: &[Value]) -> String {
    let content: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let part = api::Part {
        node: "88.990".into(),
        set: set.to_string(),
        sequence: part.sequence,
        owner: String::new(),
        period: part.period.clone(),
        part: 1,
        parts: 1,
        rows: rows.len() as u64,
        sha256: Sha256::digest(&content).to_vec(),
        content: content.into_bytes(),
        withdrawn: false,
    };
    check(set, &part).err().map_or_else(String::new, |complaints| format!("{:?}", complaints.told()))
}

#[test]
fn incidents_and_the_report_of_a_month_are_told_as_the_reference_says() {
    let node = common::Node::begun("2026-11-10T02:00");
    let (watch, _) = Watch::open(options(node.dir.path()), common::clock()).unwrap();
    let watch = Arc::new(watch);
    let plain = || Maker::new(&node.catalog, Arc::clone(&node.outbox), "88.990", Vec::new(), None);
    assert!(!plain().makes(SetName::Incident) && !plain().makes(SetName::Report));
    let maker = plain().watched(Some(Arc::clone(&watch)));
    let due = |set: SetName| maker.make_due(set, common::clock()).unwrap();
    assert!(!due(SetName::Incident) && !due(SetName::Report), "nothing happened, and no month is over");

    let said =
        Said {
            kind: Kind::Attack, cause: "流量攻击".into(), prefix: String::new(), at: None, by: "operator".into()
        };
    let fault = watch.report(said, common::clock()).unwrap();
    assert!(due(SetName::Incident) && !due(SetName::Incident));
    watch.recovered(&fault.id, "清洗流量", "operator", common::clock()).unwrap();
    assert!(due(SetName::Incident) && !due(SetName::Incident));
    let told = node.waiting(SetName::Incident);
    let states: Vec<&Value> = told.iter().flat_map(|(_, rows)| rows.iter().map(|row| &row["state"])).collect();
    assert_eq!(states, ["fault", "recovered"]);
    for (part, rows) in &told {
        assert_eq!(complaints(Set::Incident, part, rows), "");
    }
    assert_eq!((&told[1].1[0]["related"], &told[0].1[0]["type"]), (&Value::from(fault.id), &Value::from(3)));

    let target = Probed { target: Target::ResolutionUdpV4, took_micros: 700, trouble: None };
    watch.round(Moment { now: common::clock(), steady: Duration::ZERO }, &[target], None);
    watch.begin_maintenance(None, Some(at("2026-11-11T00:00:00")), "升级", "operator", common::clock()).unwrap();
    // 23:59 of the last of November in China is the afternoon in UTC.
    common::set_clock("2026-11-30T15:59");
    assert!(!due(SetName::Report));
    common::set_clock("2026-11-30T16:02");
    assert!(due(SetName::Report) && !due(SetName::Report), "once");
    let reports = node.waiting(SetName::Report);
    let (part, rows) = &reports[0];
    assert_eq!((part.period.as_str(), rows.len()), ("2026-11", 1));
    assert_eq!(complaints(Set::Report, part, rows), "");
    let row = &rows[0];
    assert_eq!((&row["service_level_ppm"], &row["operating_s"]), (&Value::from(1_000_000), &Value::from(60)));
    assert_eq!((&row["resolution"]["ipv6_ppm"], &row["registration"]["average_us"]), (&Value::Null, &Value::Null));
    assert_eq!(row["emergencies"][0]["remedy"], "清洗流量");
    assert_eq!((&row["maintenance"][0]["reason"], &row["effective_average_s"]), (&Value::from("升级"), &Value::Null));

    // A watch begun anew counts from 1 again: what it notes is told all the same.
    let other = tempfile::tempdir().unwrap();
    let (anew, _) = Watch::open(options(other.path()), common::clock()).unwrap();
    let said = Said { kind: Kind::Other, cause: "x".into(), prefix: String::new(), at: None, by: "operator".into() };
    anew.report(said, common::clock()).unwrap();
    let maker = plain().watched(Some(Arc::new(anew)));
    assert!(maker.make_due(SetName::Incident, common::clock()).unwrap());
    assert!(!maker.make_due(SetName::Incident, common::clock()).unwrap());
    assert_eq!(node.waiting(SetName::Incident).len(), 3);
}
