//! Submitting a job: the file is checked while it comes, and durable with its job before the answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use sha2::{Digest as _, Sha256};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use uuid::{NoContext, Uuid};
use waymark_api::registration::v1;
use waymark_catalog::access::{Rights, Verb, rights_of};
use waymark_catalog::{Proof, Timestamp};

use super::folder::discard;
use super::stored::{Form, INPUT, Stored, Submitted};
use super::{Job, Jobs, Table, failure_of, lock, made_at};
use crate::config::{JOB_CHUNK_BYTES, JOB_TITLE_BYTES};
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
    let rights = rights.ok_or_else(|| Failure::new(Reason::Unauthenticated))?;
    let token = narrowed_token(caller, &rights);
    let source = caller.actor.origin().source;
    let at = Arc::clone(jobs);
    let kept = spawn_blocking(move || at.keep(upload, token, source, sha256));
    kept.await.map_err(|_| Failure::new(Reason::Internal).with("detail", "keeping"))?
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

/// The id of the caller's token, when it gives less than its principal has: a job must not do more than who submitted it.
fn narrowed_token(caller: &Caller, rights: &Rights) -> Option<String> {
    let Proof::Token(id) = caller.actor.proof() else { return None };
    let whole = rights.verbs == rights.role().verbs() && rights.covers_all_of(&rights.principal.scope);
    (!whole).then(|| id.to_string())
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
    fn keep(
        &self,
        upload: Upload,
        token: Option<String>,
        source: Option<std::net::IpAddr>,
        sha256: [u8; 32],
    ) -> Result<v1::Job, Failure> {
        let Ask { title, format, replace, bytes, request, .. } = &upload.ask;
        let stored = Stored::new(Submitted {
            id: upload.id,
            title: title.clone(),
            owner: &upload.owner,
            token,
            source,
            format: *format,
            replace: *replace,
            request_id: *request,
            sha256,
            bytes: *bytes,
            at: self.now(),
        });
        let kept = stored.write(&upload.folder).and_then(|()| self.folder.keep(upload.id));
        kept.map_err(|error| failure_of(&error))?;
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
        let patience = self.jobs.limits.job_upload_idle;
        let idle = |_| Failure::new(Reason::StreamIdle).with("seconds", patience.as_secs());
        while let Some(part) = timeout(patience, parts.next()).await.map_err(idle)? {
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
    use crate::config::Limits;
    use crate::jobs::Folder;

    /// What happens when the time is read next.
    static MEANWHILE: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

    fn clock() -> Timestamp {
        let meanwhile = lock(&MEANWHILE).take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        Timestamp(1_800_000_000_000)
    }

    fn admit(jobs: &Arc<Jobs>, request: Uuid) -> Admitted {
        let turn = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let (title, format, request) = (String::new(), Form::JsonLines, Some(request));
        let ask = Ask { title, format, replace: true, bytes: 1, sha256: None, request };
        jobs.admit("writer".into(), ask, turn).unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    #[test]
    fn a_request_whose_upload_becomes_a_job_meanwhile_makes_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let jobs = Jobs::open(Folder::take(dir.path().to_owned()).unwrap(), Limits::default(), clock).unwrap();
        let request = new_id(clock());
        let Admitted::New(first) = admit(&jobs, request) else { panic!("new") };
        std::fs::create_dir(&first.folder).unwrap();
        let at = Arc::clone(&jobs);
        *lock(&MEANWHILE) = Some(Box::new(move || drop(at.keep(first, None, None, [0; 32]).unwrap())));
        assert!(matches!(admit(&jobs, request), Admitted::Before(_)));
        assert_eq!(lock(&jobs.table).jobs.len(), 1);
    }
}
