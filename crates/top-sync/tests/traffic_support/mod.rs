//! A record of answers made up by a test, and the figures that follow from its lines alone.
//!
//! The figures here are counted from the lines as JSON, by the words of the requirements (T3, T8, the daily figures of operation), with none of the
//! code under test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use waymark_catalog::Timestamp;
use waymark_top_sync::calendar::Day;
use waymark_top_sync::traffic::{Answer, AnswerLine, DayTally, KnownPrefixes, Limits, Opened, Options, Tally, Traffic};

/// 2026-11-29 at 00:00 of Beijing, in seconds since 1970.
pub const MIDNIGHT: u32 = 1_795_881_600;

/// The prefixes of the node and its enterprises.
pub const PREFIXES: [&str; 3] = ["88.100", "88.100.7", "88.100.AB"];

/// These prefixes.
pub struct Known;

impl KnownPrefixes for Known {
    fn knows(&self, prefix: &[u8]) -> bool {
        PREFIXES.iter().any(|known| known.as_bytes() == prefix)
    }
}

pub fn at(seconds: u32) -> Timestamp {
    Timestamp(u64::from(seconds) * 1_000)
}

pub fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// A line as a node writes it.
pub fn line(time: u32, from: &str, op: u32, code: u32, took_us: u32, handle: &str) -> String {
    format!(
        "{{\"time\":{time},\"via\":\"udp\",\"from\":\"{from}\",\"op\":{op},\"code\":{code},\"request_bytes\":60,\
         \"answer_bytes\":90,\"took_us\":{took_us},\"handle\":\"{handle}\"}}\n"
    )
}

/// A data folder with a record of every answer.
pub struct Shelf {
    pub folder: tempfile::TempDir,
    pub limits: Limits,
    log: Arc<File>,
    bytes: u64,
}

impl Shelf {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = open_log(&folder.path().join("answers.log"));
        Self { folder, limits: Limits::default(), log: Arc::new(log), bytes: 0 }
    }

    pub fn log_path(&self) -> PathBuf {
        self.folder.path().join("answers.log")
    }

    pub fn figures(&self) -> PathBuf {
        self.folder.path().join("traffic")
    }

    fn options(&self, is_recorded: bool) -> Options {
        Options {
            folder: self.figures(),
            log: self.log_path(),
            open_log: is_recorded.then(|| (Arc::clone(&self.log), self.bytes)),
            limits: self.limits,
        }
    }

    /// Begins a life of the node that keeps a record of every answer. A line that was cut by the end of the last life is ended.
    pub fn open(&mut self, now: u32) -> (Traffic, Opened) {
        let content = std::fs::read(self.log_path()).unwrap();
        if !content.is_empty() && !content.ends_with(b"\n") {
            (&*self.log).write_all(b"\n").unwrap();
        }
        self.bytes = self.log.metadata().unwrap().len();
        Traffic::open(self.options(true), &Known, at(now)).unwrap()
    }

    /// Begins a life of the node that keeps none.
    pub fn open_without_record(&self, now: u32) -> (Traffic, Opened) {
        Traffic::open(self.options(false), &Known, at(now)).unwrap()
    }

    /// Writes a line into the record and counts it.
    pub fn answered(&mut self, traffic: &Traffic, line: &str) {
        self.record(line.as_bytes());
        let read = AnswerLine::read(line.as_bytes()).unwrap();
        let mut counting = traffic.count();
        counting.answered(&read.answer(), &Known);
        counting.logged(Some((Arc::clone(&self.log), self.bytes)));
    }

    /// Writes bytes into the record.
    pub fn record(&mut self, bytes: &[u8]) {
        (&*self.log).write_all(bytes).unwrap();
        self.bytes += bytes.len() as u64;
    }

    /// Turns the record over.
    pub fn turn(&mut self) {
        std::fs::rename(self.log_path(), self.folder.path().join("answers.log.1")).unwrap();
        self.log = Arc::new(open_log(&self.log_path()));
        self.bytes = 0;
    }
}

fn open_log(path: &std::path::Path) -> File {
    OpenOptions::new().create(true).append(true).read(true).open(path).unwrap()
}

/// Counts a plain answer.
pub fn count(traffic: &Traffic, time: u32, source: &str, handle: &str) {
    let answer = Answer {
        unix_seconds: time,
        source: source.parse().unwrap(),
        op: 1,
        response_code: 1,
        took_micros: Some(100),
        handle: handle.as_bytes(),
    };
    traffic.count().answered(&answer, &Known);
}

/// The day of Beijing of a line.
fn date(time: u64) -> u64 {
    (time + 8 * 3_600) / 86_400
}

/// Every figure of the node or of one prefix, in words: counted from lines of one day.
pub fn figures_of_lines<'l>(lines: impl Iterator<Item = &'l str>, of_day: &str, prefix: Option<&str>) -> String {
    let mut requests = 0;
    let mut successes = 0;
    let mut sources: BTreeMap<IpAddr, u64> = BTreeMap::new();
    let mut times: Vec<(u64, u64)> = Vec::new();
    let mut seconds: BTreeMap<u64, u64> = BTreeMap::new();
    for line in lines {
        let line: Value = serde_json::from_str(line).unwrap();
        let time = line["time"].as_u64().unwrap();
        let handle = line["handle"].as_str().unwrap().to_uppercase();
        let is_of_prefix = prefix.is_none_or(|prefix| owner(&handle) == Some(prefix));
        if line["op"] != 1 || date(time) != date_of(of_day) || !is_of_prefix {
            continue;
        }
        requests += 1;
        successes += u64::from(line["code"] == 1);
        let peer: SocketAddr = line["from"].as_str().unwrap().parse().unwrap();
        *sources.entry(peer.ip().to_canonical()).or_default() += 1;
        times.extend(line["took_us"].as_u64().map(|took| (took, time)));
        *seconds.entry(time).or_default() += 1;
    }
    let mut said = format!("requests {requests}, successes {successes}\n");
    for (source, count) in sources {
        writeln!(said, "{source} {count}").unwrap();
    }
    if !times.is_empty() {
        let shortest = times.iter().map(|(took, _)| *took).min().unwrap();
        let longest = times.iter().map(|(took, _)| *took).max().unwrap();
        let first = |took: u64| times.iter().filter(|(each, _)| *each == took).map(|(_, time)| *time).min().unwrap();
        let sum: u64 = times.iter().map(|(took, _)| took).sum();
        writeln!(said, "{} times, {} in all, {} on average", times.len(), sum, sum / times.len() as u64).unwrap();
        writeln!(said, "shortest {shortest} at {}", first(shortest)).unwrap();
        writeln!(said, "longest {longest} at {}", first(longest)).unwrap();
    }
    if let Some(most) = seconds.values().max() {
        let second = seconds.iter().find(|(_, count)| *count == most).unwrap().0;
        writeln!(said, "most {most} at {second}").unwrap();
    }
    said
}

/// The same words, from figures.
pub fn figures_of_tally(tally: &Tally) -> String {
    let mut said = format!("requests {}, successes {}\n", tally.requests(), tally.successes());
    for each in tally.sources().by_address() {
        assert_eq!(each.over, 0);
        writeln!(said, "{} {}", each.source, each.count).unwrap();
    }
    let latency = tally.latency();
    if let (Some(average), Some(min), Some(max)) = (latency.average_micros(), latency.min, latency.max) {
        writeln!(said, "{} times, {} in all, {average} on average", latency.count, latency.sum_micros).unwrap();
        writeln!(said, "shortest {} at {}", min.micros, min.unix_seconds).unwrap();
        writeln!(said, "longest {} at {}", max.micros, max.unix_seconds).unwrap();
    }
    if let Some(peak) = tally.peak() {
        writeln!(said, "most {} at {}", peak.count, peak.unix_seconds).unwrap();
    }
    said
}

/// Fails unless a day says what follows from the lines, for the node and every prefix.
pub fn assert_same(day: Option<&DayTally>, lines: &[String], of_day: &str) {
    let empty = DayTally::new(of_day.parse().unwrap());
    let day = day.unwrap_or(&empty);
    let lines = || lines.iter().map(String::as_str);
    assert_eq!(figures_of_tally(day.node()), figures_of_lines(lines(), of_day, None), "{of_day}, the node");
    for prefix in PREFIXES {
        let expected = figures_of_lines(lines(), of_day, Some(prefix));
        let nothing = Tally::default();
        let told = day.prefix(prefix.as_bytes()).unwrap_or(&nothing);
        assert_eq!(figures_of_tally(told), expected, "{of_day}, {prefix}");
    }
    assert!(day.prefixes().iter().all(|(prefix, _)| PREFIXES.iter().any(|known| known.as_bytes() == *prefix)));
}

/// The known prefix a handle, in upper case, is of.
fn owner(handle: &str) -> Option<&'static str> {
    let name = handle.strip_prefix("0.NA/").unwrap_or(handle);
    let prefix = name.split('/').next().unwrap();
    let is_of = |known: &&&str| prefix == **known || prefix.starts_with(&format!("{known}."));
    PREFIXES.iter().filter(is_of).max_by_key(|known| known.len()).copied()
}

/// Days since 1970 of a date, by the calendar of the operating world and not by ours.
fn date_of(text: &str) -> u64 {
    match text {
        "2026-11-28" => 20_785,
        "2026-11-29" => 20_786,
        "2026-11-30" => 20_787,
        other => panic!("{other} is not known here"),
    }
}
