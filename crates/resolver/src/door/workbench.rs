//! Answerers for the doors on the runtime: a pool, from which a task takes one for the length of one batch.
//!
//! Nothing is awaited while an answerer is out, so there are never more out than the runtime has threads, and the pool has that many.

use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use crossbeam_queue::ArrayQueue;
use waymark_wire::Envelope;
use waymark_wire::frame::config::MAX_MESSAGE_BYTES;

use super::clock::Clock;
use crate::answer::Answerer;
use crate::config::STREAM_BATCH;
use crate::question::{Action, Now, Origin, Question, SlowReason};

/// Most messages answered together.
pub(crate) const BATCH: usize = STREAM_BATCH.max;

/// The answerers nobody is using.
#[derive(Debug)]
pub(crate) struct Workbenches {
    free: ArrayQueue<Box<Workbench>>,
}

impl Workbenches {
    pub(crate) fn new(answerers: Vec<Answerer>, batch: usize, room_bytes: usize, clock: Clock) -> Arc<Self> {
        let free = ArrayQueue::new(answerers.len().max(1));
        for answerer in answerers {
            let rooms = vec![0; batch.saturating_mul(room_bytes)].into_boxed_slice();
            // The queue has a place for each.
            let _ = free.push(Box::new(Workbench { answerer, rooms, room_bytes, large: Vec::new(), clock }));
        }
        Arc::new(Self { free })
    }

    /// Runs `work` with an answerer.
    pub(crate) async fn with<T>(&self, work: impl FnOnce(&mut Workbench) -> T) -> T {
        let mut bench = loop {
            match self.free.pop() {
                Some(bench) => break bench,
                // Only when the runtime has replaced a blocked thread; somebody is about to hand one back.
                None => tokio::task::yield_now().await,
            }
        };
        let result = work(&mut bench);
        let _ = self.free.push(bench);
        result
    }
}

/// An answerer with room for a batch of answers.
#[derive(Debug)]
pub(crate) struct Workbench {
    pub(crate) answerer: Answerer,
    rooms: Box<[u8]>,
    room_bytes: usize,
    /// Room for the largest answer there is; made when the first large answer is.
    large: Vec<u8>,
    clock: Clock,
}

/// What became of one message of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answered {
    /// The next `length` bytes of the output are its answer.
    Reply { length: usize, keep_open: bool },
    /// It gets no answer.
    Nothing,
    /// Its answer is large: ask for it alone.
    Large,
    /// Its answer needs the slow pool.
    Slow(SlowReason),
}

impl Workbench {
    /// Answers `messages` (no more than [`BATCH`]) that were there at `since`, appending the answers to `output` in order.
    pub(crate) fn answer<'m>(
        &mut self,
        origin: Origin,
        since: Duration,
        messages: impl Iterator<Item = &'m [u8]>,
        output: &mut Vec<u8>,
    ) -> ArrayVec<Answered, BATCH> {
        let rooms = self.rooms.chunks_exact_mut(self.room_bytes);
        let mut questions: ArrayVec<Question<'_>, BATCH> =
            messages.zip(rooms).map(|(message, room)| Question::new(origin, message, room)).take(BATCH).collect();
        let now = Clock::now();
        self.answerer.answer_batch(now, &mut questions);
        let answered = questions.iter().map(|question| outcome(question, output)).collect();
        took(&self.answerer, now, self.clock.elapsed().saturating_sub(since), &questions);
        answered
    }

    /// Answers one message whose answer did not fit a room of the batch.
    pub(crate) fn answer_large(
        &mut self,
        origin: Origin,
        since: Duration,
        message: &[u8],
        output: &mut Vec<u8>,
    ) -> Answered {
        self.large.resize(MAX_MESSAGE_BYTES.saturating_add(Envelope::LEN), 0);
        let mut question = [Question::new(origin, message, &mut self.large)];
        let now = Clock::now();
        self.answerer.answer_batch(now, &mut question);
        let [asked] = &question;
        let answered = outcome(asked, output);
        took(&self.answerer, now, self.clock.elapsed().saturating_sub(since), &question);
        answered
    }

    /// Records that a message that was there at `since` gets "too busy".
    pub(crate) fn refused(&self, origin: Origin, since: Duration, message: &[u8]) {
        let took = self.clock.elapsed().saturating_sub(since);
        self.answerer.record_busy(Clock::now(), took, &origin, message);
    }
}

/// Counts and records the answers among these questions, which took so long together.
fn took(answerer: &Answerer, now: Now, latency: Duration, questions: &[Question<'_>]) {
    let mut replies = 0;
    for question in questions {
        if let Action::Reply { length, .. } = question.action {
            replies += 1;
            let answer = question.room.get(..length).unwrap_or_default();
            answerer.record(now, latency, &question.origin, question.request, answer);
        }
    }
    if let Some(question) = questions.first() {
        answerer.counters().took(question.origin.transport, latency, replies);
    }
}

fn outcome(question: &Question<'_>, output: &mut Vec<u8>) -> Answered {
    match question.action {
        Action::Reply { length, keep_open } => {
            output.extend_from_slice(question.room.get(..length).unwrap_or_default());
            Answered::Reply { length, keep_open }
        }
        Action::NeedsRoom(_) => Answered::Large,
        Action::Continue(reason) => Answered::Slow(reason),
        Action::Drop(_) | Action::Pending => Answered::Nothing,
    }
}
