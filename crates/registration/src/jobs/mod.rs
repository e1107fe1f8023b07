//! Jobs: uploads that the node works off by itself, one after the other, with the rights of whoever submitted them.
//!
//! ```text
//! Submit ─ upload: check, write, flush ─[ ID/ ]─ worker: one at a time ─ ledger: counts, failed lines, mark ─ Show, Result
//! ```
//! A job goes on where it was after any stop: each submission to the writer commits its place in the job's stream, and what was decided behind
//! the mark that was kept last is read back from the log (`waymark_catalog::import::run_counted`). So nothing is done, counted or listed twice.
//!
//! Whoever is neither the owner nor an operator, or is one by a credential for fewer prefixes, is told that there is no such job.

mod folder;
mod ledger;
mod stored;
mod upload;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;
use waymark_api::registration::v1;
use waymark_catalog::access::{Role, Verb};
use waymark_catalog::{Clock, Proof, Timestamp};

pub(crate) use self::folder::Folder;
pub use self::folder::FolderError;
use self::folder::read_id;
use self::stored::{KeepError, Mark, State, Stored};
pub(crate) use self::upload::{check_header, submit};
pub(crate) use self::worker::work;
use crate::config::{Limits, PAGE, PAGE_MAX};
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::reasons::Reason;

/// Reads a job as it is kept, shows it as a caller sees it, and writes it again; `None` when it cannot be read.
pub(crate) fn reread(kept: &[u8]) -> Option<(v1::Job, Vec<u8>)> {
    let stored = Stored::parse(kept).ok()?;
    let bytes = stored.to_bytes().ok()?;
    Some((stored.shown(&stored.mark), bytes))
}

/// All jobs of a node.
pub(crate) struct Jobs {
    folder: Folder,
    limits: Limits,
    clock: Clock,
    table: Mutex<Table>,
    /// Held by whoever removes jobs: what is forgotten is read, written to disk and set by one at a time.
    removing: Mutex<()>,
    /// Wakes the worker: a job came, or one shall stop.
    work: Notify,
    /// Uploads that may begin.
    uploads: Arc<Semaphore>,
    /// Nobody knows what the disk holds of a job: none is taken any more until the node is started anew.
    unsure: AtomicBool,
}

#[derive(Default)]
struct Table {
    /// In the order of their submission: ids begin with a time.
    jobs: BTreeMap<Uuid, Arc<Job>>,
    /// Bytes promised to uploads under way.
    reserved_bytes: u64,
    /// Uploads under way by owner.
    uploading: HashMap<String, usize>,
    /// Request ids of uploads under way.
    requests: Vec<(String, Uuid)>,
    /// Request ids made until then may belong to jobs that were removed.
    forgotten: Timestamp,
}

/// One job.
pub(super) struct Job {
    id: Uuid,
    folder: PathBuf,
    /// As it is on the disk.
    stored: Mutex<Stored>,
    /// How far it is, which is kept on the disk now and then.
    live: Mutex<Option<Mark>>,
    /// Held while it is written.
    writing: Mutex<()>,
    cancel: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No holder panics half-way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Job {
    fn new(id: Uuid, folder: PathBuf, stored: Stored) -> Arc<Self> {
        let cancel = AtomicBool::new(stored.cancel);
        Arc::new(Self {
            id,
            folder,
            stored: Mutex::new(stored),
            live: Mutex::default(),
            writing: Mutex::default(),
            cancel,
        })
    }

    /// As it is on the disk.
    fn stored(&self) -> Stored {
        lock(&self.stored).clone()
    }

    /// Changes it on the disk, then here, also where it is not known whether the disk keeps it. Waits for the disk.
    fn update(&self, change: impl FnOnce(&mut Stored)) -> Result<(), KeepError> {
        let _alone = lock(&self.writing);
        let mut next = self.stored();
        change(&mut next);
        let kept = next.write(&self.folder);
        if !matches!(kept, Err(KeepError::NotKept(_))) {
            *lock(&self.stored) = next;
        }
        kept
    }

    fn shown(&self) -> v1::Job {
        let stored = self.stored();
        let live = lock(&self.live).filter(|_| stored.state == State::Running);
        stored.shown(&live.unwrap_or(stored.mark))
    }

    fn is_over(&self) -> bool {
        lock(&self.stored).state.is_over()
    }

    fn shall_stop(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

impl Jobs {
    /// Reads all jobs; those that were not finished will go on.
    pub(crate) fn open(folder: Folder, limits: Limits, clock: Clock) -> Result<Arc<Self>, FolderError> {
        let mut table = Table { forgotten: folder.forgotten()?, ..Table::default() };
        for (id, stored) in folder.load()? {
            table.jobs.insert(id, Job::new(id, folder.of(id), stored));
        }
        let uploads = Arc::new(Semaphore::new(limits.job_uploads));
        Ok(Arc::new(Self {
            folder,
            limits,
            clock,
            table: Mutex::new(table),
            removing: Mutex::default(),
            work: Notify::new(),
            uploads,
            unsure: AtomicBool::new(false),
        }))
    }

    /// The job of that id, if the caller may see it.
    fn seen_by(&self, caller: &Caller, id: &str) -> Result<Arc<Job>, Failure> {
        let job = read_id(id).and_then(|id| lock(&self.table).jobs.get(&id).cloned());
        job.filter(|job| may_see(caller, job)).ok_or_else(|| Failure::new(Reason::NotFound).with("what", "job"))
    }

    /// A job as it is now.
    pub(crate) fn show(&self, caller: &Caller, id: &str) -> Result<v1::Job, Failure> {
        Ok(self.seen_by(caller, id)?.shown())
    }

    /// A page of the jobs the caller may see, newest first.
    pub(crate) fn list(&self, caller: &Caller, request: &v1::ListJobsRequest) -> Result<v1::ListJobsResponse, Failure> {
        let size = match usize::try_from(request.page_size).unwrap_or(PAGE_MAX) {
            0 => PAGE,
            size => size.min(PAGE_MAX),
        };
        let before = match request.page_token.as_str() {
            "" => Uuid::max(),
            token => read_id(token).ok_or_else(|| Failure::new(Reason::PageTokenInvalid))?,
        };
        let table = lock(&self.table);
        let seen = table.jobs.range(..before).rev().map(|(_, job)| job).filter(|job| may_see(caller, job));
        let mut page: Vec<&Arc<Job>> = seen.take(size + 1).collect();
        let more = page.len() > size;
        page.truncate(size);
        let next_page_token = page.last().filter(|_| more).map_or_else(String::new, |job| job.id.to_string());
        Ok(v1::ListJobsResponse { jobs: page.into_iter().map(|job| job.shown()).collect(), next_page_token })
    }

    /// Stops a job that is not over. Waits for the disk.
    pub(crate) fn cancel(&self, caller: &Caller, id: &str) -> Result<v1::Job, Failure> {
        let job = self.seen_by(caller, id)?;
        let now = self.now();
        if !job.is_over() {
            let kept = job.update(|stored| match stored.state {
                State::Queued => {
                    stored.cancel = true;
                    stored.end(State::Cancelled, None, now);
                }
                State::Running => stored.cancel = true,
                State::Done | State::Cancelled | State::Failed | State::Stopped => {}
            });
            if !matches!(kept, Err(KeepError::NotKept(_))) {
                job.cancel.store(true, Ordering::Relaxed);
                self.work.notify_one();
            }
            kept.map_err(|error| failure_of_keeping(&error))?;
        }
        Ok(job.shown())
    }

    /// Where the failed lines of a job are, and how many bytes of them are whole.
    pub(crate) fn result(&self, caller: &Caller, id: &str) -> Result<(PathBuf, u64), Failure> {
        let job = self.seen_by(caller, id)?;
        let bytes = lock(&job.stored).mark.result_bytes;
        Ok((job.folder.join(stored::RESULT), bytes))
    }

    /// The next job to work on.
    fn next(&self) -> Option<Arc<Job>> {
        lock(&self.table).jobs.values().find(|job| !job.is_over()).cloned()
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Removes finished jobs: those past their time, and the oldest beyond the limits when `bytes` and one job more shall have room. Waits for the
    /// disk.
    fn make_room(&self, bytes: u64, jobs: usize) {
        let _alone = lock(&self.removing);
        let kept_ms = u64::try_from(self.limits.job_kept.as_millis()).unwrap_or(u64::MAX);
        let past = self.now().0.saturating_sub(kept_ms);
        loop {
            let oldest = {
                let table = lock(&self.table);
                let crowded = table.jobs.len() + jobs > self.limits.jobs
                    || table.bytes().saturating_add(bytes) > self.limits.job_folder_bytes;
                let over = table.jobs.values().filter_map(|job| Some((lock(&job.stored).ended()?, job)));
                let oldest = over.min_by_key(|(ended, _)| *ended);
                oldest.filter(|(ended, _)| crowded || ended.0 < past).map(|(_, job)| Arc::clone(job))
            };
            let Some(job) = oldest else { return };
            if let Err(error) = self.remove(&job) {
                tracing::warn!(job = %job.id, %error, "a finished job cannot be removed");
                return;
            }
        }
    }

    fn remove(&self, job: &Job) -> io::Result<()> {
        let made = lock(&job.stored).request_id.as_deref().and_then(read_id).and_then(made_at);
        let forgotten = lock(&self.table).forgotten;
        if let Some(made) = made.filter(|made| *made > forgotten) {
            self.folder.keep_forgotten(made)?;
            lock(&self.table).forgotten = made;
        }
        self.folder.remove(job.id)?;
        lock(&self.table).jobs.remove(&job.id);
        Ok(())
    }
}

impl Table {
    /// Bytes of all jobs and uploads.
    fn bytes(&self) -> u64 {
        let of = |job: &Arc<Job>| {
            let stored = lock(&job.stored);
            stored.bytes.saturating_add(stored.mark.result_bytes)
        };
        self.jobs.values().map(of).fold(self.reserved_bytes, u64::saturating_add)
    }
}

/// Refuses who may not use jobs.
pub(crate) fn permit(caller: &Caller) -> Result<(), Failure> {
    if caller.rights.has(Verb::Job) { Ok(()) } else { Err(Failure::new(Reason::NotPermitted)) }
}

/// Operators who may look everywhere see all jobs. Owners see theirs; by a credential that does not reach as far as they do, those submitted
/// with it: a job may have been about more.
fn may_see(caller: &Caller, job: &Job) -> bool {
    let rights = &caller.rights;
    if rights.role() == Role::Operator && rights.is_everywhere() {
        return true;
    }
    let stored = lock(&job.stored);
    let by_it = match caller.actor.proof() {
        Proof::Token(id) => stored.token.as_deref() == Some(&*id.to_string()),
        _ => false,
    };
    stored.owner == caller.actor.name() && (by_it || rights.covers_all_of(&rights.principal.scope))
}

/// When a request id was made, as it says itself; `None` for one of another version.
fn made_at(id: Uuid) -> Option<Timestamp> {
    if id.get_version() != Some(uuid::Version::SortRand) {
        return None;
    }
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    Some(Timestamp(seconds.saturating_mul(1000).saturating_add(u64::from(nanos / 1_000_000))))
}

/// What the disk said about a file of a job.
pub(crate) fn failure_of(error: &io::Error) -> Failure {
    tracing::error!(%error, "a file of a job");
    Failure::new(if is_full(error) { Reason::DiskFull } else { Reason::WriteFailed })
}

/// The same, where it matters what is there now.
fn failure_of_keeping(error: &KeepError) -> Failure {
    match error {
        KeepError::NotKept(error) => failure_of(error),
        KeepError::Unsure(cause) => {
            tracing::error!(%cause, "a flush of the jobs failed; what the disk holds shows after a restart");
            Failure::new(Reason::WritingStopped)
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
