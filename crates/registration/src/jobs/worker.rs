//! The one worker: runs jobs in the order they came, each to its end, and goes on with those that were interrupted.

use std::error::Error as _;
use std::fs::File;
use std::io::{self, BufReader};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;
use waymark_catalog::access::rights_of;
use waymark_catalog::import::{self, ImportError, ImportOptions};
use waymark_catalog::{Actor, Door, Origin, PutMode, StreamId, SubmitError, WriteError};

use super::ledger::Ledger;
use super::stored::{INPUT, State, Stored};
use super::{Job, Jobs, is_full, lock};
use crate::edge::Edge;

/// How often finished jobs are looked through for those past their time.
const SWEEP: Duration = Duration::from_secs(60);

/// Bytes of an input read at a time.
const READ_BYTES: usize = 1 << 20;

/// What comes after a run.
enum After {
    /// The next job.
    Next,
    /// The same again, later: there may be room on the disk by then.
    Later,
    /// Nothing until the node is started anew.
    Restart,
}

/// Works until the doors stop.
pub(crate) async fn work(jobs: Arc<Jobs>, edge: Arc<Edge>) {
    let mut stopping = edge.stopping.clone();
    while !stopping.has_begun() {
        let (at, by) = (Arc::clone(&jobs), Arc::clone(&edge));
        let after = spawn_blocking(move || {
            at.make_room(0, 0);
            at.next().map(|job| run(&at, &job, &by))
        });
        let rest = match after.await {
            Ok(Some(After::Next)) => continue,
            Ok(Some(After::Later)) => jobs.limits.job_retry,
            Ok(None) => SWEEP,
            Ok(Some(After::Restart)) => return stopping.begun().await,
            Err(error) => {
                // A job that brings the worker down must not do so again and again.
                tracing::error!(%error, "the worker of the jobs has failed; jobs go on after a restart");
                return stopping.begun().await;
            }
        };
        tokio::select! {
            () = stopping.begun() => return,
            // Ends early when there is something to do, and at the latest when it is time.
            _ = timeout(rest, jobs.work.notified()) => {}
        }
    }
}

/// Runs a job until it is over or the doors stop.
fn run(jobs: &Jobs, job: &Job, edge: &Edge) -> After {
    match try_run(jobs, job, edge) {
        Ok(after) => after,
        // The job's own files.
        Err(error) if error.kind() == io::ErrorKind::Interrupted => After::Restart,
        Err(error) if is_full(&error) => wait(job, WAITS_FOR_ROOM, After::Later),
        Err(error) => fail(jobs, job, None, format!("a file of the job cannot be read or written: {error}")),
    }
}

fn try_run(jobs: &Jobs, job: &Job, edge: &Edge) -> io::Result<After> {
    let stored = job.stored();
    if stored.cancel && stored.state == State::Running {
        return cancel_after_restart(jobs, job, edge, &stored);
    }
    let actor = actor(&stored);
    if let Some(why) = taken_away(&actor, edge) {
        return stop(jobs, job, stored.mark, why);
    }
    if !begin(job)? {
        return Ok(After::Next);
    }
    let ends = || job.shall_stop() || taken_away(&actor, edge).is_some();
    let mut ledger = Ledger::open(job, &ends, &edge.stopping, jobs.clock, jobs.limits.job_save)?;
    let input = BufReader::with_capacity(READ_BYTES, File::open(job.folder.join(INPUT))?);
    let options = ImportOptions {
        actor: actor.clone(),
        existing: if stored.replace { PutMode::Replace } else { PutMode::CreateOrSame },
        kept_problems: 0,
        ..ImportOptions::new(stored.format.into())
    };
    let from = ledger.place();
    let ran = import::run_counted(&edge.catalog, input, &options, stream_of(job), from, &mut ledger);
    let after = match ran {
        Ok(summary) if !summary.stopped => {
            let mark = ledger.finish()?;
            end(jobs, job, State::Done, mark, None)?
        }
        Ok(_) if job.shall_stop() => {
            let mark = ledger.finish()?;
            end(jobs, job, State::Cancelled, mark, None)?
        }
        Ok(_) => match taken_away(&actor, edge) {
            Some(why) => stop(jobs, job, ledger.finish()?, why)?,
            None => {
                ledger.save()?;
                After::Restart
            }
        },
        Err(ImportError::Rejects(error)) => return Err(error),
        Err(_) if job.shall_stop() => {
            let mark = ledger.finish()?;
            end(jobs, job, State::Cancelled, mark, None)?
        }
        Err(error) => {
            // What was done is known up to the last mark.
            ledger.save()?;
            after_error(jobs, job, &error)
        }
    };
    Ok(after)
}

/// Begins a job, or goes on with it; false when it was cancelled just now.
fn begin(job: &Job) -> io::Result<bool> {
    if lock(&job.stored).state == State::Running {
        return Ok(true);
    }
    // Decided while nobody else changes it: a job whose cancelling was acknowledged never runs.
    job.update(|stored| {
        if stored.state == State::Queued {
            stored.state = State::Running;
        }
    })?;
    Ok(!job.is_over())
}

/// Ends a job that was cancelled just before the node stopped, without doing more of it.
fn cancel_after_restart(jobs: &Jobs, job: &Job, edge: &Edge, stored: &Stored) -> io::Result<After> {
    let done = edge.catalog.cold().mark(stream_of(job)).ok().flatten().unwrap_or_default();
    let more = done.saturating_sub(stored.mark.orders);
    let note = format!("the node stopped meanwhile: {more} more operations were decided that are not in the counts");
    end(jobs, job, State::Cancelled, stored.mark, (more > 0).then_some(note))
}

/// Ends a job in whose name nothing may be written any more.
fn stop(jobs: &Jobs, job: &Job, mark: super::stored::Mark, why: &str) -> io::Result<After> {
    end(jobs, job, State::Stopped, mark, Some(why.to_owned()))
}

fn after_error(jobs: &Jobs, job: &Job, error: &ImportError) -> After {
    match error {
        ImportError::Write { error: WriteError::DiskFull | WriteError::Io(_), .. } => {
            wait(job, WAITS_FOR_ROOM, After::Later)
        }
        ImportError::Write { error: WriteError::Poisoned, .. } => wait(job, WAITS_FOR_RESTART, After::Restart),
        // What is stored and not visible is known to be decided when the job goes on.
        ImportError::Write { error: WriteError::IndexFull | WriteError::NotVisible, .. } => {
            wait(job, WAITS_FOR_MEMORY, After::Restart)
        }
        ImportError::Write { error: WriteError::Stopped, .. } | ImportError::Submit(SubmitError::Stopped) => {
            After::Restart
        }
        error => {
            let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
            fail(jobs, job, Some(job.stored().mark), format!("{error}{cause}"))
        }
    }
}

const WAITS_FOR_ROOM: &str =
    "waiting: the disk of the node refuses writes, most likely because it is full; the job goes on by itself";
const WAITS_FOR_RESTART: &str =
    "waiting: writing has stopped because a flush to disk failed; the job goes on after a restart of the node";
const WAITS_FOR_MEMORY: &str =
    "waiting: the index of the node is full; the job goes on after the node is started with more memory";

/// Says what a job waits for, unless somebody waits for it to stop.
fn wait(job: &Job, what_for: &str, after: After) -> After {
    let told = job.update(|stored| stored.failure = Some(what_for.to_owned()));
    if let Err(error) = told {
        tracing::warn!(job = %job.id, %error, what_for, "a job waits");
    }
    after
}

fn end(jobs: &Jobs, job: &Job, state: State, mark: super::stored::Mark, failure: Option<String>) -> io::Result<After> {
    let now = jobs.now();
    job.update(|stored| {
        // Unless it was cancelled just now, before it began.
        if !stored.state.is_over() {
            stored.mark = mark;
            stored.end(state, failure, now);
        }
    })?;
    *lock(&job.live) = None;
    tracing::info!(job = %job.id, ?state, "a job has ended");
    Ok(After::Next)
}

fn fail(jobs: &Jobs, job: &Job, mark: Option<super::stored::Mark>, why: String) -> After {
    tracing::error!(job = %job.id, why, "a job has failed");
    let mark = mark.unwrap_or_else(|| job.stored().mark);
    // Where even that cannot be written, the job is tried again.
    end(jobs, job, State::Failed, mark, Some(why)).unwrap_or(After::Later)
}

/// Who a job writes as: its owner, with what the credential it was submitted with gives at each write.
fn actor(stored: &Stored) -> Actor {
    Actor::principal(&stored.owner, stored.proof(), Origin { door: Door::Job, source: stored.source })
}

/// Why nothing may be written any more as `actor`, who could write when the job was submitted. That a token expires is no reason.
fn taken_away(actor: &Actor, edge: &Edge) -> Option<&'static str> {
    let access = edge.catalog.access();
    if rights_of(actor, &access, edge.now()).is_some() {
        return None;
    }
    Some(match access.principal(actor.name()) {
        None => "stopped: its principal was removed",
        Some(principal) if principal.disabled => "stopped: its principal was disabled",
        Some(_) => "stopped: the credential it was submitted with was revoked",
    })
}

/// The stream of a job: its id, which no stream of a client can have but by a collision of hashes.
fn stream_of(job: &Job) -> StreamId {
    *job.id.as_bytes()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use waymark_catalog::Timestamp;

    use super::*;
    use crate::jobs::stored::{Form, Submitted};

    #[test]
    fn a_job_cancelled_before_it_began_never_runs() {
        let dir = tempfile::tempdir().unwrap();
        let id = Uuid::now_v7();
        let stored = Stored::new(Submitted {
            id,
            title: String::new(),
            owner: "writer",
            proof: &waymark_catalog::Proof::Job,
            source: None,
            format: Form::JsonLines,
            replace: false,
            request_id: None,
            sha256: [0; 32],
            bytes: 1,
            at: Timestamp(1),
        });
        let job = Job::new(id, dir.path().to_owned(), stored);
        // As the worker found it before somebody cancelled it.
        job.update(|stored| stored.end(State::Cancelled, None, Timestamp(2))).unwrap();
        assert!(!begin(&job).unwrap());
        assert_eq!(job.stored().state, State::Cancelled);
    }
}
