//! The record of every answer, one line of JSON each, in `answers.log` of the data folder; sampled lines for people; and what statistics of
//! requests are fed with.
//!
//! Answering threads leave records in a bounded queue; one thread here takes them out, writes them in large pieces, counts them, and turns the
//! file over at a size. A queue that is full loses records, which is counted and shown as a metric. Nothing is counted before it is handed to
//! the system, where the record is kept: what is counted and what is recorded differ by nothing, however the node ends.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use serde::Serialize;
use waymark_catalog::Catalog;
use waymark_resolver::{AnswerRecord, AnswerTap};

use crate::{
    config::Config,
    traffic::{Feed, NodeTraffic},
};

/// Records that may wait, about 200 bytes each: a tenth of a second of a fast node.
const WAITING: usize = 65_536;
/// Records taken out and written together.
const PIECE: usize = 1_024;
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
    traffic: Option<NodeTraffic>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl AnswerLog {
    /// Starts as configured; `None` when neither records nor sampled lines nor statistics are wanted. After a kill, counts again what was
    /// recorded and not saved.
    ///
    /// # Errors
    /// A file cannot be opened, or there is no thread.
    pub(crate) fn start(config: &Config, data: &Path, catalog: &Catalog) -> io::Result<Option<Self>> {
        let values = config.values();
        let keeps = values.text("log.answers") == "record";
        let lines_per_second = values.number("log.answer_lines_per_second");
        let most_bytes = values.number("log.answers_mib").saturating_mul(MEBI);
        let path = data.join(FILE);
        let file = if keeps { Some(Turning::open(path.clone(), most_bytes)?) } else { None };
        let place = file.as_ref().map(Turning::place);
        let traffic = NodeTraffic::open(config, data, &path, place, catalog).map_err(io::Error::other)?;
        if !keeps && lines_per_second == 0 && traffic.is_none() {
            return Ok(None);
        }
        let tap = Arc::new(AnswerTap::new(WAITING));
        let stop = Arc::new(AtomicBool::new(false));
        let mut keeper = Keeper {
            tap: Arc::clone(&tap),
            file,
            sample: Sample::new(lines_per_second),
            feed: traffic.as_ref().map(NodeTraffic::feed),
            piece: Vec::with_capacity(PIECE),
        };
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("answer-log".into()).spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                if keeper.take_all() == 0 {
                    std::thread::sleep(REST);
                }
            }
            keeper.take_all();
            if let Some(feed) = &keeper.feed {
                feed.stop();
            }
        })?;
        Ok(Some(Self { tap, traffic, stop, thread: Some(thread) }))
    }

    /// The statistics it feeds.
    pub(crate) fn traffic(&self) -> Option<NodeTraffic> {
        self.traffic.clone()
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
    feed: Option<Feed>,
    piece: Vec<AnswerRecord>,
}

impl Keeper {
    /// Keeps everything that waits; gives how many there were.
    fn take_all(&mut self) -> usize {
        let mut count = 0;
        loop {
            let taken = self.take_piece();
            count += taken;
            // While more comes than one thread keeps up with, saving must not wait for the end of it.
            if let Some(feed) = &mut self.feed {
                feed.tick(self.tap.lost());
            }
            if taken < PIECE {
                return count;
            }
        }
    }

    /// Keeps some of what waits: writes, then counts.
    fn take_piece(&mut self) -> usize {
        self.piece.clear();
        self.piece.extend(std::iter::from_fn(|| self.tap.take()).take(PIECE));
        for record in &self.piece {
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
                && let Err(error) = file.write(record)
            {
                tracing::error!(%error, "records of answers are no longer kept");
                self.file = None;
            }
        }
        if !self.piece.is_empty()
            && let Some(file) = &mut self.file
            && let Err(error) = file.out.flush()
        {
            tracing::error!(%error, "records of answers are no longer kept");
            self.file = None;
        }
        if !self.piece.is_empty()
            && let Some(feed) = &self.feed
        {
            feed.answered(&self.piece, self.file.as_ref().map(Turning::place));
        }
        self.piece.len()
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
    out: BufWriter<Arc<File>>,
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
    took_us: u32,
    handle: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

impl Turning {
    fn open(path: PathBuf, most_bytes: u64) -> io::Result<Self> {
        let file = open(&path)?;
        let mut bytes = file.metadata()?.len();
        if bytes > 0 {
            // A line that a kill cut is ended, so that it spoils none but itself.
            let mut last = [0];
            (&file).seek(SeekFrom::End(-1))?;
            (&file).read_exact(&mut last)?;
            if last != *b"\n" {
                (&file).write_all(b"\n")?;
                bytes += 1;
            }
        }
        Ok(Self { path, out: buffered(file), bytes, most_bytes, line: Vec::new() })
    }

    /// The file, and how much of it there is once the buffer is flushed.
    fn place(&self) -> (Arc<File>, u64) {
        (Arc::clone(self.out.get_ref()), self.bytes)
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
            took_us: record.took_micros,
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
        self.out = buffered(open(&self.path)?);
        self.bytes = 0;
        Ok(())
    }
}

/// Opened for reading too: what was recorded is found again by what stands before it.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).read(true).open(path)
}

fn buffered(file: File) -> BufWriter<Arc<File>> {
    BufWriter::with_capacity(1 << 18, Arc::new(file))
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

    fn catalog(folder: &Path) -> Catalog {
        let options = waymark_catalog::Options::new(waymark_store::Options::new(folder.join("store")));
        waymark_catalog::open(&options).unwrap().catalog
    }

    #[test]
    fn nothing_runs_unless_configured() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = catalog(folder.path());
        let config = Config::read("[traffic]\ncount = false\n").unwrap();
        assert!(AnswerLog::start(&config, folder.path(), &catalog).unwrap().is_none());
        let config = Config::read("[traffic]\ncount = false\n[log]\nanswers = \"record\"\n").unwrap();
        let log = AnswerLog::start(&config, folder.path(), &catalog).unwrap().unwrap();
        assert!(log.traffic().is_none() && folder.path().join(FILE).exists());
        drop(log);
        let log = AnswerLog::start(&Config::defaults(), folder.path(), &catalog).unwrap().unwrap();
        assert!(log.traffic().is_some());
    }

    #[test]
    fn a_line_that_was_cut_is_ended_before_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        for (found, expected) in [("", ""), ("whole\n", "whole\n"), ("whole\ncut", "whole\ncut\n")] {
            std::fs::write(&path, found).unwrap();
            let (_, bytes) = Turning::open(path.clone(), MEBI).unwrap().place();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
            assert_eq!(bytes, expected.len() as u64);
        }
    }
}
