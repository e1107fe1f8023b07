//! The pool for answers that need the disk, a signature or long work: a bounded queue and a few threads.
//!
//! Questions about names that live elsewhere go to the recursion desk instead.
//!
//! Handing a question in never waits; a full queue gives it back and the door answers "too busy". The threads end when the last
//! [`SlowPool`] is gone and the queue is empty.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use waymark_recursive_cache::recursor::Resolved;

use super::clock::Clock;
use super::recursion::RecursionDesk;
use crate::answer::Answerer;
use crate::question::{Action, OwnedQuestion, SlowReason};

/// What a thread keeps of its answer buffer between questions, in bytes.
const KEPT_ROOM_BYTES: usize = 64 * 1024;

/// What the door does with an answer of the pool: the action, and the bytes of a reply; gives what it sent.
pub(crate) type SlowReply = Box<dyn FnOnce(Action, &[u8]) -> Given + Send>;

/// What a door made of an answer of the pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Given {
    /// It is the answer, if there is one.
    Answer,
    /// "Too busy" in its place.
    Busy,
}

/// A question for the pool.
pub(crate) struct Job {
    pub(crate) question: OwnedQuestion,
    /// Why it left the fast path.
    pub(crate) reason: SlowReason,
    /// When the question came in, on the doors' clock.
    pub(crate) since: Duration,
    /// Takes the answer, on a thread of the pool.
    pub(crate) reply: SlowReply,
}

/// The way into the pool.
#[derive(Clone, Debug)]
pub(crate) struct SlowPool {
    queue: SyncSender<Job>,
    recursion: Option<RecursionDesk>,
}

impl SlowPool {
    /// Starts a thread for each answerer.
    pub(crate) fn start(
        queue: usize,
        answerers: Vec<Answerer>,
        recursion: Option<RecursionDesk>,
        clock: Clock,
    ) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (sender, receiver) = sync_channel(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = answerers.into_iter().enumerate().map(|(number, answerer)| {
            let (receiver, recursion) = (Arc::clone(&receiver), recursion.clone());
            let work = move || work(&receiver, answerer, recursion.as_ref(), clock);
            thread::Builder::new().name(format!("slow-{number}")).spawn(work)
        });
        let threads = threads.collect::<io::Result<_>>()?;
        Ok((Self { queue: sender, recursion }, threads))
    }

    /// Hands a question in; `false` when the queue is full.
    pub(crate) fn submit(&self, job: Job) -> bool {
        if job.reason == SlowReason::Foreign {
            return self.recursion.as_ref().is_some_and(|recursion| recursion.submit(job).is_ok());
        }
        match self.queue.try_send(job) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

fn work(queue: &Mutex<Receiver<Job>>, mut answerer: Answerer, recursion: Option<&RecursionDesk>, clock: Clock) {
    let mut room = Vec::new();
    // The lock is held while waiting: the other threads wait for it instead of for the queue.
    while let Ok(job) = { queue.lock().unwrap_or_else(PoisonError::into_inner).recv() } {
        let mut action = answerer.answer_slowly(Clock::now(), &job.question, &mut room);
        let mut left = job;
        if let Action::Continue(_) = action {
            let submitted = match recursion {
                Some(recursion) => recursion.submit(left),
                None => Err(left),
            };
            match submitted {
                Ok(()) => continue,
                Err(refused) => left = refused,
            }
            action = answerer.answer_resolved(Clock::now(), &left.question, &Resolved::Busy, &mut room);
        }
        hand_over(left, action, &answerer, clock, &mut room);
    }
}

/// Gives an answer to its door, and makes the room ready for the next.
pub(super) fn hand_over(job: Job, action: Action, answerer: &Answerer, clock: Clock, room: &mut Vec<u8>) {
    let length = match action {
        Action::Reply { length, .. } => length.min(room.len()),
        _ => 0,
    };
    let transport = job.question.origin.transport;
    let answer = room.get(..length).unwrap_or_default();
    let given = (job.reply)(action, answer);
    let took = clock.elapsed().saturating_sub(job.since);
    answerer.counters().took(transport, took, 1);
    let (now, question) = (Clock::now(), &job.question);
    match given {
        Given::Busy => answerer.record_busy(now, took, &question.origin, &question.request),
        Given::Answer if length > 0 => answerer.record(now, took, &question.origin, &question.request, answer),
        Given::Answer => {}
    }
    room.clear();
    room.shrink_to(KEPT_ROOM_BYTES);
}
