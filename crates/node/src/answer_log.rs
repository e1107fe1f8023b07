//! The record of every answer, one line of JSON each, in `answers.log` of the data folder; and sampled lines for people.
//!
//! Answering threads leave records in a bounded queue; one thread here takes them out, writes them in large pieces, and turns the file
//! over at a size. A queue that is full loses records, which is counted and shown as a metric.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use serde::Serialize;
use waymark_resolver::{AnswerRecord, AnswerTap};

use crate::config::Config;

/// Records that may wait, about 200 bytes each: a tenth of a second of a fast node.
const WAITING: usize = 65_536;
/// How long the thread rests when nothing waits.
const REST: Duration = Duration::from_millis(20);
/// File within the data folder.
const FILE: &str = "answers.log";
/// Bytes of a MiB.
const MEBI: u64 = 1 << 20;

/// The thread that keeps records.
#[derive(Debug)]
pub(crate) struct AnswerLog {
    tap: Arc<AnswerTap>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl AnswerLog {
    /// Starts as configured; `None` when neither records nor sampled lines are wanted.
    ///
    /// # Errors
    /// The file cannot be opened, or there is no thread.
    pub(crate) fn start(config: &Config, data: &Path) -> io::Result<Option<Self>> {
        let values = config.values();
        let keeps = values.text("log.answers") == "record";
        let lines_per_second = values.number("log.answer_lines_per_second");
        if !keeps && lines_per_second == 0 {
            return Ok(None);
        }
        let most_bytes = values.number("log.answers_mib").saturating_mul(MEBI);
        let file = if keeps { Some(Turning::open(data.join(FILE), most_bytes)?) } else { None };
        let tap = Arc::new(AnswerTap::new(WAITING));
        let stop = Arc::new(AtomicBool::new(false));
        let mut keeper = Keeper { tap: Arc::clone(&tap), file, sample: Sample::new(lines_per_second) };
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("answer-log".into()).spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                if keeper.take_all() == 0 {
                    std::thread::sleep(REST);
                }
            }
            keeper.take_all();
        })?;
        Ok(Some(Self { tap, stop, thread: Some(thread) }))
    }

    /// Where answering threads leave records.
    pub(crate) fn tap(&self) -> Arc<AnswerTap> {
        Arc::clone(&self.tap)
    }
}

impl Drop for AnswerLog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported already; nothing more can be kept.
            let _ended = thread.join();
        }
    }
}

/// Takes records out of the queue.
struct Keeper {
    tap: Arc<AnswerTap>,
    file: Option<Turning>,
    sample: Sample,
}

impl Keeper {
    /// Keeps everything that waits; gives how many there were.
    fn take_all(&mut self) -> usize {
        let mut count = 0;
        while let Some(record) = self.tap.take() {
            count += 1;
            if self.sample.takes(record.unix_seconds) {
                tracing::info!(
                    via = record.transport.name(),
                    from = %record.peer,
                    op = record.op,
                    code = record.response_code,
                    bytes = record.answer_bytes,
                    handle = %String::from_utf8_lossy(record.handle()).escape_debug(),
                    "answered"
                );
            }
            if let Some(file) = &mut self.file
                && let Err(error) = file.write(&record)
            {
                tracing::error!(%error, "records of answers are no longer kept");
                self.file = None;
            }
        }
        if count > 0
            && let Some(file) = &mut self.file
            && let Err(error) = file.out.flush()
        {
            tracing::error!(%error, "records of answers are no longer kept");
            self.file = None;
        }
        count
    }
}

/// So many lines a second and no more.
struct Sample {
    most: u64,
    second: u32,
    taken: u64,
}

impl Sample {
    fn new(most: u64) -> Self {
        Self { most, second: 0, taken: 0 }
    }

    fn takes(&mut self, second: u32) -> bool {
        if second != self.second {
            (self.second, self.taken) = (second, 0);
        }
        self.taken += 1;
        self.taken <= self.most
    }
}

/// A file that is turned over at a size; one older file is kept.
struct Turning {
    path: PathBuf,
    out: BufWriter<File>,
    bytes: u64,
    most_bytes: u64,
    line: Vec<u8>,
}

/// One record as a line.
#[derive(Serialize)]
struct Line<'a> {
    time: u32,
    via: &'a str,
    from: String,
    op: u32,
    code: u32,
    request_bytes: u32,
    answer_bytes: u32,
    handle: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

impl Turning {
    fn open(path: PathBuf, most_bytes: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path, out: BufWriter::with_capacity(1 << 18, file), bytes, most_bytes, line: Vec::new() })
    }

    fn write(&mut self, record: &AnswerRecord) -> io::Result<()> {
        self.line.clear();
        let line = Line {
            time: record.unix_seconds,
            via: record.transport.name(),
            from: record.peer.to_string(),
            op: record.op,
            code: record.response_code,
            request_bytes: record.request_bytes,
            answer_bytes: record.answer_bytes,
            handle: String::from_utf8_lossy(record.handle()),
            cut: record.is_cut(),
        };
        serde_json::to_writer(&mut self.line, &line)?;
        self.line.push(b'\n');
        let length = self.line.len() as u64;
        if self.bytes + length > self.most_bytes && self.bytes > 0 {
            self.turn()?;
        }
        self.bytes += length;
        self.out.write_all(&self.line)
    }

    fn turn(&mut self) -> io::Result<()> {
        self.out.flush()?;
        let mut older = self.path.as_os_str().to_owned();
        older.push(".1");
        std::fs::rename(&self.path, older)?;
        let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        self.out = BufWriter::with_capacity(1 << 18, file);
        self.bytes = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_bounded_each_second() {
        let mut sample = Sample::new(2);
        let taken: Vec<bool> = [1, 1, 1, 2, 2].into_iter().map(|second| sample.takes(second)).collect();
        assert_eq!(taken, [true, true, false, true, true]);
        assert!(!Sample::new(0).takes(1));
    }

    #[test]
    fn nothing_runs_unless_configured() {
        let folder = tempfile::tempdir().unwrap();
        assert!(AnswerLog::start(&Config::defaults(), folder.path()).unwrap().is_none());
        let config = Config::read("[log]\nanswers = \"record\"\n").unwrap();
        drop(AnswerLog::start(&config, folder.path()).unwrap().unwrap());
        assert!(folder.path().join(FILE).exists());
    }
}
