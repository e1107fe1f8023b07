//! Programs killed at random moments: nothing acknowledged is lost, nothing half-written is served.
//!
//! A life of the importer ends with SIGKILL at a moment drawn at random. To know what the kill met, the process is stopped first: from
//! then on it runs no instruction of its own, so a commit that has not returned by then never returns. What the kernel shows of its
//! threads tells whether one of them was inside one. The kernel itself survives the kill and writes what it was given; where it was
//! still flushing, some kills also lose the last bytes of the group, as a machine without power does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use waymark_tests::asking::{Connection, Said, ask_udp};
use waymark_tests::moment::{Moment, moment};
use waymark_tests::process::{Bench, Ended, Process};
use waymark_tests::records;

/// Kills with a commit under way that each engine has to survive.
const LOG_KILLS: usize = 20;
const SLED_KILLS: usize = 6;
/// Kills at all after which a test gives up.
const MOST_KILLS: usize = 600;
/// Variable with another seed, for longer sieges than one.
const SEED: &str = "WAYMARK_TEST_SEED";
/// Bytes of the larger value of a record, at most.
const VALUE_BYTES: usize = 900;

/// An import of one file into one folder, killed again and again.
struct Siege {
    bench: Bench,
    source: Vec<String>,
    random: StdRng,
    /// Part of the paths of the files that hold records.
    records: &'static str,
    /// Records the folder held after the last kill.
    durable: usize,
    tally: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    in_commit: usize,
    unacknowledged_kept: usize,
    tails_lost: usize,
    folders: usize,
}

impl Siege {
    fn new(engine: &str, records: usize, seed: u64, path: &'static str) -> Self {
        let bench = Bench::new(&format!("store.engine = \"{engine}\"\nwrite.group_commands = 16\n"));
        let source = records::lines(records, VALUE_BYTES);
        bench.put("source.jsonl", records::text(&source));
        let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok()).unwrap_or(seed);
        println!("engine {engine}, seed {seed}");
        let tally = Tally { folders: 1, ..Tally::default() };
        Self { bench, source, random: StdRng::seed_from_u64(seed), records: path, durable: 0, tally }
    }

    fn import(&self) -> Process {
        let source = self.bench.path("source.jsonl");
        Process::start(self.bench.tool(&["import", source.to_str().unwrap(), "--home", "--json"]))
    }

    /// One life: it is killed, or comes to its end and a new folder is begun.
    fn life(&mut self) {
        let mut process = self.import();
        // One life in eight is killed while it starts: while it recovers from the kill before.
        let lines = if self.random.random_ratio(1, 8) { 0 } else { self.random.random_range(1..60) };
        for _ in 0..lines {
            if process.next_line().is_none() {
                break;
            }
        }
        let longest = if lines == 0 { 300_000 } else { 5_000 };
        loop {
            // Not to wait for anything: this is what makes the moment random.
            std::thread::sleep(Duration::from_micros(self.random.random_range(0..longest)));
            if !process.stop() {
                return self.finished(process.ended());
            }
            let met = moment(process.pid(), self.records);
            // Most moments lie between commits. Few of them are worth a kill.
            if met != Some(Moment::Between) || self.random.random_ratio(1, 8) {
                let ended = process.kill();
                // Only a flush of the import is one of a group: recovery flushes too.
                let may_lose = lines > 0 && met == Some(Moment::Flushing);
                let lost = may_lose && self.random.random_ratio(1, 2) && self.lose_tail();
                return self.killed(&ended, met, lost);
            }
            process.go_on();
        }
    }

    /// Takes away the last bytes of the group that was being flushed. False where the newest segment may hold none.
    fn lose_tail(&mut self) -> bool {
        /// More than the largest group of these imports.
        const GROUP_BYTES: usize = 40_000;
        let log = self.bench.data().join("log");
        let names = fs::read_dir(&log).into_iter().flatten().map(|entry| entry.unwrap().path());
        let Some(newest) = names.filter(|path| path.extension().is_some_and(|found| found == "log")).max() else {
            return false;
        };
        let mut bytes = fs::read(&newest).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if end < GROUP_BYTES {
            return false;
        }
        let lost = self.random.random_range(1..2_000);
        bytes[end - lost..end].fill(0);
        fs::write(&newest, bytes).unwrap();
        true
    }

    fn killed(&mut self, ended: &Ended, met: Option<Moment>, lost: bool) {
        let acknowledged = ended.json().last().map_or(0, |line| line["acknowledged"].as_u64().unwrap());
        let acknowledged = self.durable + usize::try_from(acknowledged).unwrap();
        let findings = self.check_after_kill();
        assert!(findings > 0 || !lost, "what is missing is found");
        let held = self.held();
        assert!(held >= acknowledged, "{acknowledged} records were acknowledged, {held} are there; {:?}", self.tally);
        // Where the system shows nothing: what was committed and not acknowledged was under way.
        let in_commit = met.map_or(held > acknowledged, |met| met != Moment::Between);
        self.durable = held;
        self.tally.kills += 1;
        self.tally.in_commit += usize::from(in_commit);
        self.tally.unacknowledged_kept += usize::from(held > acknowledged);
        self.tally.tails_lost += usize::from(lost);
        if held == self.source.len() {
            self.begin_anew();
        }
    }

    /// `store check` finds nothing but what a write cut short leaves behind. Gives the number of such findings.
    fn check_after_kill(&self) -> usize {
        if !self.bench.data().join("identity").exists() {
            return 0;
        }
        let checked = self.bench.run(&["store", "check", "--json"]);
        let findings: Vec<Value> = checked.json().into_iter().filter(|line| line["remedy"].is_string()).collect();
        assert!(findings.iter().all(|finding| finding["part"] == "Tail"), "{findings:?}");
        checked.expect(if findings.is_empty() { 0 } else { 6 });
        findings.len()
    }

    /// Records the folder holds: the first ones of the source, each as it stands there.
    fn held(&self) -> usize {
        if !self.bench.data().join("identity").exists() {
            return 0;
        }
        let exported = self.bench.run(&["export"]).expect(0);
        let mut held = 0;
        for line in exported.out.lines() {
            assert_eq!(line, self.source[held], "the record is as it was given, and none before it is missing");
            held += 1;
        }
        held
    }

    /// An import that came to its end. Another folder follows.
    fn finished(&mut self, ended: Ended) {
        self.check_complete(&ended.expect(0));
        self.begin_anew();
    }

    /// An import that is through begins at the first line again; another folder keeps the count simple.
    fn begin_anew(&mut self) {
        fs::remove_dir_all(self.bench.data()).unwrap();
        self.durable = 0;
        self.tally.folders += 1;
    }

    /// After an import to its end the folder holds the whole source.
    fn check_complete(&self, ended: &Ended) {
        let done = ended.json().pop().unwrap();
        assert_eq!((&done["event"], &done["refused"]), (&Value::from("done"), &Value::from(0)), "{done}");
        // The place to go on from is committed with the records before it.
        let resumed = done["resumed_at_line"].as_u64().unwrap_or(0);
        assert_eq!(usize::try_from(resumed).unwrap(), self.durable);
        let made = done["created"].as_u64().unwrap();
        assert_eq!(usize::try_from(made).unwrap(), self.source.len() - self.durable);
        assert_eq!(self.held(), self.source.len());
        assert_eq!(self.check_after_kill(), 0);
    }

    /// What is stored is also what is served.
    fn check_served(&self) {
        let daemon = self.bench.serve();
        let mut connection = Connection::open(daemon.address("tcp"));
        for (number, line) in self.source.iter().enumerate().step_by(7) {
            let said = connection.ask(u32::try_from(number).unwrap(), &records::name(number));
            assert_eq!((said.code, said.values), (1, records::values(line)), "{}", records::name(number));
        }
        daemon.stop().expect(0);
    }

    /// Kills until enough of them met a commit, then imports to the end.
    fn hold_out(mut self, enough: usize) {
        while self.tally.in_commit < enough {
            self.life();
            assert!(self.tally.kills < MOST_KILLS, "too few kills meet a commit: {:?}", self.tally);
        }
        let ended = self.import().ended().expect(0);
        self.check_complete(&ended);
        self.check_served();
        let segments = count_files(&self.bench.data().join("log"), "log");
        let runs = count_files(&self.bench.data().join("log"), "run");
        println!("{:?}; {segments} segments and {runs} runs in the end", self.tally);
    }
}

fn count_files(folder: &Path, extension: &str) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|found| found == extension)).count()
}

#[test]
fn an_import_into_the_log_survives_kills_in_the_middle_of_commits() {
    let siege = Siege::new("log", 9_000, 20_260_101, "/log/segment-");
    siege.hold_out(LOG_KILLS);
}

#[test]
fn an_import_into_sled_survives_kills_in_the_middle_of_commits() {
    let siege = Siege::new("sled", 2_000, 20_260_102, "/records/");
    siege.hold_out(SLED_KILLS);
}

#[test]
fn a_daemon_killed_while_it_answers_answers_the_same_afterwards() {
    const RECORDS: usize = 500;
    let bench = Bench::default();
    let source = bench.put("source.jsonl", records::text(&records::lines(RECORDS, 200)));
    bench.run(&["import", source.to_str().unwrap(), "--home"]).expect(0);
    let absent = format!("{}/NOBODY", records::PREFIX);
    let mut random = StdRng::seed_from_u64(20_260_103);
    let mut before: BTreeMap<String, Said> = BTreeMap::new();
    for life in 0..4 {
        let daemon = bench.serve();
        let mut connection = Connection::open(daemon.address("tcp"));
        for number in (0..RECORDS).step_by(11) {
            let name = records::name(number);
            let said = connection.ask(1, &name);
            assert_eq!(ask_udp(daemon.address("udp"), 1, &name), said);
            assert_eq!(*before.entry(name).or_insert_with(|| said.clone()), said);
        }
        assert_eq!(connection.ask(1, &absent).code, 100);
        if life == 3 {
            daemon.stop().expect(0);
            break;
        }
        // Many questions are under way when it dies.
        let questions: Vec<u8> = (0..200)
            .flat_map(|id| waymark_tests::asking::question(id, &records::name(random.random_range(0..RECORDS))))
            .collect();
        connection.send(&questions);
        connection.receive().expect("the first answers come");
        let ended = daemon.process.kill();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended.status), Some(Signal::SIGKILL as i32));
        assert!(bench.data().join("listen.json").exists(), "nobody was there to remove it");
        bench.run(&["store", "check"]).expect(0);
    }
    assert!(!bench.data().join("listen.json").exists(), "removed at an ordinary stop");
}
