//! The thread that writes: a disk that is slow must not hold up who counts.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use super::folder::Folder;
use super::place::Place;
use super::stored::seal_current;
use crate::calendar::Day;

/// What is to be written.
pub(super) struct Job {
    /// Days that are over: their bytes, and the number of the last change in them.
    pub(super) days: Vec<(Day, u64, Vec<u8>)>,
    /// The bytes of all open days, those that are over too.
    pub(super) open_days: Vec<u8>,
    /// The record of every answer, and the bytes of it up to which the days count.
    pub(super) log: Option<(Arc<File>, u64)>,
    /// When they were taken, in seconds since 1970.
    pub(super) saved_at: u32,
    /// Whether nothing will be counted afterwards.
    pub(super) is_clean: bool,
}

/// What became of it: the days that are written and the numbers of their last changes.
pub(super) type Written = io::Result<Vec<(Day, u64)>>;

/// The thread, with at most one job under way.
#[derive(Debug)]
pub(super) struct Saver {
    jobs: Option<SyncSender<Job>>,
    written: Receiver<Written>,
    is_busy: bool,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("saved_at", &self.saved_at).finish_non_exhaustive()
    }
}

impl Saver {
    pub(super) fn start(folder: Folder, kept_days: usize) -> io::Result<Self> {
        let (jobs, to_do) = sync_channel::<Job>(1);
        let (done, written) = sync_channel(1);
        let thread = std::thread::Builder::new().name("traffic-save".into()).spawn(move || {
            while let Ok(job) = to_do.recv() {
                if done.send(save(&folder, job, kept_days)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { jobs: Some(jobs), written, is_busy: false, thread: Some(thread) })
    }

    /// What became of the job under way; `None` while it is, or when there is none.
    pub(super) fn poll(&mut self) -> Option<Written> {
        if !self.is_busy {
            return None;
        }
        let written = match self.written.try_recv() {
            Err(TryRecvError::Empty) => return None,
            Ok(written) => written,
            Err(TryRecvError::Disconnected) => Err(io::Error::other("the thread that saves has ended")),
        };
        self.is_busy = false;
        Some(written)
    }

    /// Waits for the job under way; `None` when there is none.
    pub(super) fn wait(&mut self) -> Option<Written> {
        if !std::mem::take(&mut self.is_busy) {
            return None;
        }
        Some(self.written.recv().unwrap_or_else(|_| Err(io::Error::other("the thread that saves has ended"))))
    }

    pub(super) const fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Hands a job over. There must be none under way.
    pub(super) fn begin(&mut self, job: Job) {
        // Fails when the thread has ended, which the next poll tells.
        let _handed_over = self.jobs.as_ref().map(|jobs| jobs.try_send(job));
        self.is_busy = true;
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported already.
            let _ended = thread.join();
        }
    }
}

/// Days that are over come first: a day is in its file before what is being counted no longer holds it.
fn save(folder: &Folder, job: Job, kept_days: usize) -> Written {
    for (day, _, bytes) in &job.days {
        folder.write_day(*day, bytes)?;
    }
    let place = match &job.log {
        None => None,
        Some((log, offset)) => {
            // What counts must be in the record, even after a power cut.
            log.sync_data()?;
            Some(Place::of(log, *offset)?)
        }
    };
    let current = seal_current(place, job.saved_at, job.is_clean, &job.open_days).map_err(io::Error::other)?;
    folder.write_current(&current)?;
    if !job.days.is_empty() {
        folder.prune(kept_days)?;
    }
    Ok(job.days.into_iter().map(|(day, changed, _)| (day, changed)).collect())
}
