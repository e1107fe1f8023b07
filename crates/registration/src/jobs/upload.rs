//! Submitting a job: the file is checked while it comes, and durable with its job before the answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use sha2::{Digest as _, Sha256};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use uuid::{NoContext, Uuid};
use waymark_api::registration::v1;
use waymark_catalog::access::{Verb, rights_of};
use waymark_catalog::{Actor, Timestamp};

use super::folder::discard;
use super::stored::{Form, INPUT, KeepError, Stored, Submitted};
use super::{Job, Jobs, Table, failure_of, failure_of_keeping, lock, made_at};
use crate::config::{JOB_CHUNK_BYTES, JOB_TITLE_BYTES, Limits};
use crate::convert::Faults;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::reasons::Reason;

/// How far in the future a request id may have been made, for clocks that differ.
const FUTURE: Duration = Duration::from_secs(300);

/// What somebody asks for.
struct Ask {
    title: String,
    format: Form,
    replace: bool,
    bytes: u64,
    sha256: Option<[u8; 32]>,
    request: Option<Uuid>,
}

/// Takes a job in, or gives the one that the same request made before. The parts of the file are read only as far as needed.
pub(crate) async fn submit(
    jobs: &Arc<Jobs>,
    edge: &Edge,
    caller: &Caller,
    header: v1::JobHeader,
    parts: BoxStream<'static, Result<Vec<u8>, Failure>>,
) -> Result<v1::Job, Failure> {
    let ask = ask(header)?;
    let turn = Arc::clone(&jobs.uploads).try_acquire_owned().map_err(|_| Failure::new(Reason::Busy))?;
    let (at, owner) = (Arc::clone(jobs), caller.actor.name().to_owned());
    let admitted = spawn_blocking(move || at.admit(owner, ask, turn)).await;
    let mut upload = match admitted.map_err(|_| Failure::new(Reason::Internal).with("detail", "admitting"))?? {
        Admitted::Before(job) => return Ok(job.shown()),
        Admitted::New(upload) => upload,
    };
    let mut stopping = edge.stopping.clone();
    let sha256 = tokio::select! {
        biased;
        () = stopping.begun() => return Err(Failure::new(Reason::Stopping)),
        taken = upload.take(parts) => taken?,
    };
    // An upload takes long: a credential that was taken away meanwhile submits nothing.
    let rights = rights_of(&caller.actor, &edge.catalog.access(), edge.now()).filter(|rights| rights.has(Verb::Job));
    if rights.is_none() {
        return Err(Failure::new(Reason::Unauthenticated));
    }
    let (at, by) = (Arc::clone(jobs), caller.actor.clone());
    let kept = spawn_blocking(move || at.keep(upload, &by, sha256));
    kept.await.map_err(|_| Failure::new(Reason::Internal).with("detail", "keeping"))?
}

/// Whether a header asks for something that can be done.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_header(header: v1::JobHeader) -> Result<(), Failure> {
    ask(header).map(drop)
}

/// Reads what is asked.
fn ask(header: v1::JobHeader) -> Result<Ask, Failure> {
    let mut faults = Faults::default();
    let format = match header.format() {
        v1::JobFormat::JsonLines => Some(Form::JsonLines),
        v1::JobFormat::Batch => Some(Form::Batch),
        v1::JobFormat::Unspecified => None,
    };
    if format.is_none() {
        faults.note(|| "header.format".to_owned(), "must be json lines or batch");
    }
    let v1::JobHeader { title, replace, total_bytes, sha256, request_id, .. } = header;
    if title.len() > JOB_TITLE_BYTES || title.chars().any(char::is_control) {
        let most = format!("must have at most {JOB_TITLE_BYTES} bytes and no control characters");
        faults.note(|| "header.title".to_owned(), most);
    }
    if total_bytes == 0 {
        faults.note(|| "header.total_bytes".to_owned(), "must be the length of the file");
    }
    let hash = <[u8; 32]>::try_from(sha256.as_slice()).ok();
    if hash.is_none() && !sha256.is_empty() {
        faults.note(|| "header.sha256".to_owned(), "must have 32 bytes, or none");
    }
    let request = Uuid::try_parse(&request_id).ok().filter(|id| made_at(*id).is_some());
    if request.is_none() && !request_id.is_empty() {
        faults.note(|| "header.request_id".to_owned(), "must be a UUID of version 7");
    }
    faults.finish()?;
    // Without faults there is a format.
    let format = format.ok_or_else(|| Failure::invalid_field("header.format", "is missing"))?;
    Ok(Ask { title, format, replace, bytes: total_bytes, sha256: hash, request })
}

enum Admitted {
    /// The same request made this job.
    Before(Arc<Job>),
    New(Upload),
}

/// An upload under way. Its place is given back, and its files removed, unless it becomes a job.
struct Upload {
    jobs: Arc<Jobs>,
    id: Uuid,
    owner: String,
    ask: Ask,
    folder: PathBuf,
    _turn: OwnedSemaphorePermit,
}

impl Jobs {
    fn admit(self: &Arc<Self>, owner: String, ask: Ask, turn: OwnedSemaphorePermit) -> Result<Admitted, Failure> {
        if let Some(job) = lock(&self.table).made_by(&owner, ask.request) {
            return repeated(job, &ask);
        }
        if self.unsure.load(Ordering::Relaxed) {
            return Err(Failure::new(Reason::WritingStopped));
        }
        if ask.bytes > self.limits.job_bytes {
            return Err(Failure::new(Reason::JobTooLarge).with("limit", self.limits.job_bytes));
        }
        self.make_room(ask.bytes, 1);
        let now = self.now();
        let id = new_id(now);
        let mut table = lock(&self.table);
        // Once more: the upload of the same request may have become a job since.
        if let Some(job) = table.made_by(&owner, ask.request) {
            return repeated(job, &ask);
        }
        if let Some(made) = ask.request.and_then(made_at) {
            let future = u64::try_from(FUTURE.as_millis()).unwrap_or(u64::MAX);
            if made.0 > now.0.saturating_add(future) {
                return Err(Failure::new(Reason::RequestFromFuture));
            }
            if made <= table.forgotten {
                return Err(Failure::new(Reason::IdempotencyExpired));
            }
        }
        let request = ask.request.map(|request| (owner.clone(), request));
        if request.as_ref().is_some_and(|request| table.requests.contains(request)) {
            return Err(Failure::new(Reason::Busy));
        }
        let theirs = table.jobs.values().filter(|job| !job.is_over() && lock(&job.stored).owner == owner).count();
        let uploading = table.uploading.get(&owner).copied().unwrap_or_default();
        if theirs + uploading >= self.limits.jobs_per_principal {
            return Err(Failure::new(Reason::TooManyJobs).with("limit", self.limits.jobs_per_principal));
        }
        let jobs = table.jobs.len() + table.uploading.values().sum::<usize>();
        let full = jobs >= self.limits.jobs || table.bytes().saturating_add(ask.bytes) > self.limits.job_folder_bytes;
        if full {
            return Err(Failure::new(Reason::JobsFull));
        }
        table.reserved_bytes = table.reserved_bytes.saturating_add(ask.bytes);
        *table.uploading.entry(owner.clone()).or_default() += 1;
        table.requests.extend(request);
        drop(table);
        let folder = self.folder.of_upload(id);
        Ok(Admitted::New(Upload { jobs: Arc::clone(self), id, owner, ask, folder, _turn: turn }))
    }

    /// Makes a job of an upload whose file is durable. Waits for the disk.
    fn keep(&self, upload: Upload, by: &Actor, sha256: [u8; 32]) -> Result<v1::Job, Failure> {
        if self.unsure.load(Ordering::Relaxed) {
            return Err(Failure::new(Reason::WritingStopped));
        }
        let Ask { title, format, replace, bytes, request, .. } = &upload.ask;
        let stored = Stored::new(Submitted {
            id: upload.id,
            title: title.clone(),
            owner: &upload.owner,
            proof: by.proof(),
            source: by.origin().source,
            format: *format,
            replace: *replace,
            request_id: *request,
            sha256,
            bytes: *bytes,
            at: self.now(),
        });
        // What is not renamed never becomes a job, whether it is on the disk or not.
        stored.write(&upload.folder).map_err(|error| failure_of(&error.into()))?;
        self.folder.keep(upload.id).map_err(|error| {
            self.unsure.fetch_or(matches!(error, KeepError::Unsure(_)), Ordering::Relaxed);
            failure_of_keeping(&error)
        })?;
        let job = Job::new(upload.id, self.folder.of(upload.id), stored);
        let shown = job.shown();
        lock(&self.table).jobs.insert(upload.id, job);
        self.work.notify_one();
        Ok(shown)
    }
}

impl Table {
    /// The job that a request of `owner` made.
    fn made_by(&self, owner: &str, request: Option<Uuid>) -> Option<Arc<Job>> {
        let request = request?.to_string();
        let same = |job: &&Arc<Job>| {
            let stored = lock(&job.stored);
            stored.owner == owner && stored.request_id.as_deref() == Some(&request)
        };
        self.jobs.values().find(same).cloned()
    }
}

/// What is answered when the request made a job before.
fn repeated(job: Arc<Job>, ask: &Ask) -> Result<Admitted, Failure> {
    if is_same(&job.stored(), ask) { Ok(Admitted::Before(job)) } else { Err(Failure::new(Reason::RequestReused)) }
}

/// Whether a job is what is asked for.
fn is_same(stored: &Stored, ask: &Ask) -> bool {
    let hash = ask.sha256.map(hex::encode);
    (stored.format, stored.replace, stored.bytes) == (ask.format, ask.replace, ask.bytes)
        && hash.is_none_or(|hash| hash == stored.sha256)
}

/// An id nobody can guess that sorts by its time.
fn new_id(now: Timestamp) -> Uuid {
    let nanos = u32::try_from(now.0 % 1000).unwrap_or_default() * 1_000_000;
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, now.0 / 1000, nanos))
}

impl Upload {
    /// Writes the file; gives its hash when it is whole, right and durable.
    async fn take(&mut self, mut parts: BoxStream<'static, Result<Vec<u8>, Failure>>) -> Result<[u8; 32], Failure> {
        let broken = |error: std::io::Error| failure_of(&error);
        fs::create_dir(&self.folder).await.map_err(broken)?;
        let mut file = File::create(self.folder.join(INPUT)).await.map_err(broken)?;
        let mut hasher = Sha256::new();
        let mut bytes: u64 = 0;
        let pace = Pace::new(&self.jobs.limits, Instant::now());
        loop {
            let (until, late) = pace.patience(bytes, Instant::now());
            let part = timeout_at(until, parts.next()).await;
            // Also when something had come in time: little by little is too slow too.
            let Some(part) = part.ok().filter(|_| Instant::now() <= until).ok_or(late)? else { break };
            let part = part?;
            if part.len() > JOB_CHUNK_BYTES {
                return Err(Failure::invalid_field("chunk", format!("must have at most {JOB_CHUNK_BYTES} bytes")));
            }
            bytes = bytes.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
            if bytes > self.ask.bytes {
                return Err(self.other_length("more came"));
            }
            hasher.update(&part);
            file.write_all(&part).await.map_err(broken)?;
        }
        if bytes < self.ask.bytes {
            return Err(self.other_length(&format!("{bytes} came")));
        }
        file.flush().await.map_err(broken)?;
        file.sync_all().await.map_err(broken)?;
        let sha256: [u8; 32] = hasher.finalize().into();
        if self.ask.sha256.is_some_and(|asked| asked != sha256) {
            let found = format!("is not that of the file that came, {}", hex::encode(sha256));
            return Err(Failure::invalid_field("header.sha256", found));
        }
        Ok(sha256)
    }

    fn other_length(&self, found: &str) -> Failure {
        let said = self.ask.bytes;
        Failure::invalid_field("header.total_bytes", format!("says {said} bytes and {found}"))
    }
}

/// How long an upload is waited for.
struct Pace {
    idle: Duration,
    rate: u64,
    began: Instant,
}

impl Pace {
    fn new(limits: &Limits, began: Instant) -> Self {
        Self { idle: limits.job_upload_idle, rate: limits.job_upload_rate, began }
    }

    /// Until when the next part must come when `bytes` have come at `now`, and what is said otherwise.
    fn patience(&self, bytes: u64, now: Instant) -> (Instant, Failure) {
        let earned = Duration::from_millis(bytes.saturating_mul(1000) / self.rate.max(1));
        let (rests, slow) = (now + self.idle, self.began + self.idle.saturating_add(earned));
        let failure = if bytes == 0 || rests <= slow {
            Failure::new(Reason::StreamIdle).with("seconds", self.idle.as_secs())
        } else {
            Failure::new(Reason::UploadTooSlow).with("rate", self.rate)
        };
        (rests.min(slow), failure)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let mut table = lock(&self.jobs.table);
        table.reserved_bytes = table.reserved_bytes.saturating_sub(self.ask.bytes);
        if let Some(uploading) = table.uploading.get_mut(&self.owner) {
            *uploading = uploading.saturating_sub(1);
            if *uploading == 0 {
                table.uploading.remove(&self.owner);
            }
        }
        let request = self.ask.request;
        table.requests.retain(|(owner, id)| *owner != self.owner || Some(*id) != request);
        drop(table);
        // Gone already when it became a job.
        discard(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::Semaphore;

    use super::*;
    use crate::jobs::Folder;
    use crate::jobs::stored::faults;

    /// What happens when the time is read next.
    static MEANWHILE: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

    fn clock() -> Timestamp {
        let meanwhile = lock(&MEANWHILE).take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        Timestamp(1_800_000_000_000)
    }

    fn still() -> Timestamp {
        Timestamp(1_800_000_000_000)
    }

    fn try_admit(jobs: &Arc<Jobs>, request: Uuid) -> Result<Admitted, Reason> {
        let turn = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let (title, format, request) = (String::new(), Form::JsonLines, Some(request));
        let ask = Ask { title, format, replace: true, bytes: 1, sha256: None, request };
        jobs.admit("writer".into(), ask, turn).map_err(|failure| failure.reason())
    }

    fn admit(jobs: &Arc<Jobs>, request: Uuid) -> Admitted {
        try_admit(jobs, request).unwrap_or_else(|reason| panic!("{reason:?}"))
    }

    #[test]
    fn a_request_whose_upload_becomes_a_job_meanwhile_makes_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let jobs = Jobs::open(Folder::take(dir.path().to_owned()).unwrap(), Limits::default(), clock).unwrap();
        let request = new_id(clock());
        let Admitted::New(first) = admit(&jobs, request) else { panic!("new") };
        std::fs::create_dir(&first.folder).unwrap();
        let at = Arc::clone(&jobs);
        *lock(&MEANWHILE) = Some(Box::new(move || drop(at.keep(first, &Actor::operator(), [0; 32]).unwrap())));
        assert!(matches!(admit(&jobs, request), Admitted::Before(_)));
        assert_eq!(lock(&jobs.table).jobs.len(), 1);
    }

    #[test]
    fn a_job_whose_keeping_is_not_known_is_not_said_to_have_failed_and_no_other_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let jobs = Jobs::open(Folder::take(dir.path().to_owned()).unwrap(), Limits::default(), still).unwrap();
        let try_keep = |request, fails: &[bool]| {
            let Admitted::New(upload) = admit(&jobs, request) else { panic!("new") };
            std::fs::create_dir(&upload.folder).unwrap();
            faults::plan(fails);
            let kept = jobs.keep(upload, &Actor::operator(), [0; 32]);
            faults::plan(&[]);
            kept.map(drop).map_err(|failure| failure.reason())
        };
        let (first, second) = (new_id(still()), new_id(still()));
        // Of the file, of the upload, of the folder, and of the folder when it is taken back.
        assert_eq!(try_keep(first, &[true]), Err(Reason::WriteFailed));
        assert_eq!(try_keep(first, &[false, true]), Err(Reason::WriteFailed));
        assert_eq!(try_keep(first, &[false, false, true]), Err(Reason::WriteFailed));
        assert!(jobs.folder.load().unwrap().is_empty(), "what is said to have failed is not there after a restart");
        assert_eq!(try_keep(first, &[]), Ok(()));
        assert_eq!(try_keep(second, &[false, false, true, true]), Err(Reason::WritingStopped));
        assert!(matches!(admit(&jobs, first), Admitted::Before(_)), "what is known is told");
        for request in [second, new_id(still())] {
            assert_eq!(try_admit(&jobs, request).err(), Some(Reason::WritingStopped));
        }
    }

    #[test]
    fn an_upload_keeps_its_place_only_as_long_as_it_is_fast_enough() {
        let began = Instant::now();
        let pace = Pace { idle: Duration::from_secs(60), rate: 1000, began };
        let at = |seconds| began + Duration::from_secs(seconds);
        let told = |bytes, now| {
            let (until, failure) = pace.patience(bytes, at(now));
            (until, failure.reason())
        };
        assert_eq!(told(0, 0), (at(60), Reason::StreamIdle));
        assert_eq!(told(1, 50).1, Reason::UploadTooSlow);
        assert_eq!(told(10_000, 50), (at(70), Reason::UploadTooSlow));
        assert_eq!(told(1_000_000, 50), (at(110), Reason::StreamIdle), "a fast one may rest");
        assert_eq!(told(u64::MAX, 50).1, Reason::StreamIdle);
    }
}
