//! What a node with something of everything sends, set by set, byte for byte: `tests/made/SET.jsonl`. Whoever changes a row sees it here first; that the
//! rows are right the simulator says, which is written from the reference of the sets alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Node, clock, set_clock};
use waymark_catalog::Timestamp;
use waymark_top_sync::calendar::Day;
use waymark_top_sync::desk::{Desk, Sent};
use waymark_top_sync::figures::Figures;
use waymark_top_sync::maker::Maker;
use waymark_top_sync::sets::SetName;
use waymark_top_sync::sets::rows::Route;
use waymark_top_sync::traffic::{Accumulator, Answer, DayTally, KnownPrefixes, Limits, ReadError};
use waymark_top_sync::watch::config::Settings;
use waymark_top_sync::watch::incident::Kind;
use waymark_top_sync::watch::target::{Probed, Target, Trouble};
use waymark_top_sync::watch::{Moment, Options, Said, Watch};

#[derive(Debug)]
struct Counted;

struct Known;

impl KnownPrefixes for Known {
    fn knows(&self, prefix: &[u8]) -> bool {
        prefix == b"88.1.801"
    }
}

impl Figures for Counted {
    fn day(&self, day: Day) -> Result<Option<DayTally>, ReadError> {
        let mut all = Accumulator::new(Limits::default());
        all.open(DayTally::new(day));
        for (second, source, response_code) in [(7, "192.0.2.1", 1), (7, "2001:db8::1", 1), (9, "192.0.2.1", 100)] {
            let answer = Answer {
                unix_seconds: u32::try_from(day.start().0 / 1_000).unwrap() + second,
                source: source.parse().unwrap(),
                op: 1,
                response_code,
                took_micros: Some(40 + second),
                handle: b"88.1.801/PT-1",
            };
            all.answered(&answer, &Known).unwrap();
        }
        Ok(all.day(day).cloned())
    }
}

/// A watch that saw a day of November: a door that did not answer, an attack somebody told of, and maintenance.
fn watched(node: &Node) -> Watch {
    let start = common::at("2026-11-28T01:00");
    let settings = Settings { failed_rounds: 3, hold: Duration::from_secs(60), ..Settings::default() };
    let options = Options { folder: node.dir.path().join("watch"), prefix: "88.1".into(), settings };
    let (watch, _) = Watch::open(options, start).unwrap();
    let time = |second: u64| Timestamp(start.0 + second * 1_000);
    for round in 0..60 {
        let trouble = (6..12).contains(&round).then(|| Trouble {
            cause: "no answer".into(),
            kind: Kind::Network,
            is_told_elsewhere: false,
        });
        let probed = [
            Probed { target: Target::ResolutionUdpV4, took_micros: 700, trouble },
            Probed { target: Target::RegistrationV4, took_micros: 900, trouble: None },
        ];
        let moment = Moment { now: time(round * 10), steady: Duration::from_secs(round * 10) };
        assert!(watch.round(moment, &probed, None).problem.is_none());
    }
    let cause = "流量攻击".to_owned();
    let said = Said { kind: Kind::Attack, cause, prefix: String::new(), at: None, by: "operator".into() };
    let fault = watch.report(said, time(600)).unwrap();
    watch.recovered(&fault.id, "清洗流量", "operator", time(660)).unwrap();
    watch.begin_maintenance(None, Some(time(1_800)), "升级", "operator", time(900)).unwrap();
    watch
}

/// The rows of every set, as they go up; times of steps within the test are cut to their day.
fn made(node: &Node) -> BTreeMap<SetName, String> {
    let routes = ["192.0.2.1", "2001:db8::1"].map(|ip| Route::new(ip.parse().unwrap(), Some(2641), Some(2641), None));
    let figures: Option<Arc<dyn Figures>> = Some(Arc::new(Counted));
    let maker = Maker::new(&node.catalog, Arc::clone(&node.outbox), "88.1", routes.to_vec(), figures)
        .watched(Some(Arc::new(watched(node))));
    for set in SetName::ALL {
        while maker.make_due(set, clock()).unwrap() {}
    }
    let desk = Desk::new(&node.catalog, Arc::clone(&node.outbox), "88.1");
    let mut sets: BTreeMap<SetName, String> = BTreeMap::new();
    for prepared in desk.take(&mut Sent::default(), usize::MAX).unwrap() {
        let period = if prepared.part.period.contains('T') { "moment" } else { &prepared.part.period };
        let text = sets.entry(prepared.part.set).or_default();
        text.push_str(&format!("# {period} part {} of {}\n", prepared.part.part, prepared.part.parts));
        for line in String::from_utf8(prepared.content).unwrap().lines() {
            let (before, rest) = line.split_once("\"time\":\"").unwrap_or((line, ""));
            let rest = rest
                .split_once('"')
                .map_or(String::new(), |(time, rest)| format!("\"time\":\"{}\"{rest}", &time[..10]));
            text.push_str(&format!("{before}{rest}\n"));
        }
    }
    sets
}

/// `WAYMARK_WRITE_GOLDEN=1` writes them anew.
#[test]
fn every_set_is_sent_as_its_golden_file_says() {
    let node = common::business::filled();
    let values = [(1, "productName", "压力变送器"), (2, "brand", "Waymark"), (3, "productionDate", "2026-11-27")];
    node.put("88.1.801/PT-1", &values);
    node.put("88.1.801/PT-2", &values);
    set_clock("2026-11-28T01:00");
    node.put("88.1.801/pt-1", &[(1, "productName", "压力变送器 B")]);
    node.delete("88.1.801/PT-2");
    set_clock("2026-12-01T01:00");
    let made = made(&node);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/made");
    let mut differing = Vec::new();
    for (set, text) in &made {
        let path = folder.join(format!("{set}.jsonl"));
        if std::env::var_os("WAYMARK_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, text).unwrap();
        }
        if std::fs::read_to_string(&path).ok().as_ref() != Some(text) {
            differing.push(set.to_string());
        }
    }
    assert!(differing.is_empty(), "{differing:?} are not sent as the files in {} say", folder.display());
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), made.len());
    assert_eq!(made.keys().copied().collect::<Vec<_>>(), SetName::ALL, "no set is left out");
}
