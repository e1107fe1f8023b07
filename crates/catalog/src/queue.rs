//! The bounded queue into the writer, and the tickets its callers wait with.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::sync::oneshot;

use crate::audit::{Announcement, RefusalNote, Refusals};
use crate::command::{Receipt, Refusal, Submission};
use crate::config::WriterLimits;

/// Results of one submission, one for each command, in order.
pub type Results = Vec<Result<Receipt, Refusal>>;

/// A way into the one writer. Cheap to clone; usable from any thread.
#[derive(Clone)]
pub struct WriterHandle {
    queue: Arc<Queue>,
}

impl std::fmt::Debug for WriterHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WriterHandle")
    }
}

impl WriterHandle {
    pub(crate) const fn new(queue: Arc<Queue>) -> Self {
        Self { queue }
    }

    /// Hands orders to the writer. They are committed in one group, perhaps together with those of others, or, where what they lead to is too large
    /// for one, in several groups with nothing between them. Each is decided by itself: one that is refused does not keep the others from being
    /// carried out.
    ///
    /// # Errors
    /// At once, with nothing queued, when the queue is full, closed, or could never take so much.
    pub fn submit(&self, submission: Submission) -> Result<Ticket, SubmitError> {
        self.push(submission, false)
    }

    /// As [`submit`](Self::submit), but waits for room in the queue. For imports and tools; a door says "too busy".
    ///
    /// # Errors
    /// When the queue is closed or could never take so much.
    pub fn submit_when_room(&self, submission: Submission) -> Result<Ticket, SubmitError> {
        self.push(submission, true)
    }

    /// Counts something a door refused, for the audit. Never waits for the writer, and never takes more memory than configured.
    pub fn note_refusal(&self, note: RefusalNote<'_>) {
        if self.queue.refusals.add(note) {
            self.queue.wake();
        }
    }

    /// What a single submission may weigh at most, by [`Submission::weight_bytes`], and how many orders it may hold.
    #[must_use]
    pub fn submission_limits(&self) -> (usize, usize) {
        (self.queue.limits.group_bytes, self.queue.limits.group_commands)
    }

    fn push(&self, submission: Submission, wait: bool) -> Result<Ticket, SubmitError> {
        let weight = submission.weight_bytes();
        let limits = &self.queue.limits;
        if weight > limits.group_bytes || submission.orders.len() > limits.group_commands {
            return Err(SubmitError::TooLarge { bytes: weight, commands: submission.orders.len() });
        }
        let (answer, ticket) = oneshot::channel();
        self.queue.push(Queued { submission, weight, answer: Answer(answer) }, wait)?;
        Ok(Ticket { answer: ticket })
    }
}

/// The right to one submission's results.
#[derive(Debug)]
pub struct Ticket {
    answer: oneshot::Receiver<Result<Results, WriteError>>,
}

impl Ticket {
    /// Waits until the submission is durable and visible, or known to have failed. For threads; tasks use [`done`](Self::done).
    ///
    /// # Errors
    /// [`WriteError`]: nothing of the submission was acknowledged, unless the error holds results.
    pub fn wait(self) -> Result<Results, WriteError> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut answer = pin!(self.answer);
        loop {
            match answer.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(answer) => return answer.unwrap_or(Err(WriteError::Stopped)),
                Poll::Pending => thread::park(),
            }
        }
    }

    /// The same for tasks. Giving up waiting changes nothing about the submission.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub async fn done(self) -> Result<Results, WriteError> {
        self.answer.await.unwrap_or(Err(WriteError::Stopped))
    }
}

/// Wakes a thread that waits for a ticket. The channel's own way of blocking panics where a runtime is near, which no caller deserves.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Why commands were not taken into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// As much is waiting as may; try again later.
    #[error("the writer's queue is full")]
    QueueFull,
    /// More than one group may hold; submit less at a time.
    #[error("{commands} commands of {bytes} bytes are too much for one submission")]
    TooLarge {
        /// Bytes, by [`Submission::weight_bytes`].
        bytes: usize,
        /// Number of commands.
        commands: usize,
    },
    /// The catalog is shutting down.
    #[error("the catalog is shutting down")]
    Stopped,
}

/// Why a submission failed as a whole. None of its commands was acknowledged, except as [`WriteError::Partly`] says.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// No room on the disk. Writing resumes by itself when there is; reads go on.
    #[error("the disk is full")]
    DiskFull,
    /// A flush failed, now or earlier: no more writes until the node is started anew; reads go on.
    #[error("writing has stopped because a flush to disk failed")]
    Poisoned,
    /// The disk refused this write; the next may succeed.
    #[error("the disk refused a write")]
    Io(#[source] Arc<std::io::Error>),
    /// The store has reached its largest size.
    #[error("the store has reached its largest size")]
    Exhausted,
    /// The index cannot take more entries, so there are no more writes; nothing of this one was done.
    #[error("the index is full")]
    IndexFull,
    /// The write is done and durable, but the index had no room to show all of it: readers see it after a start with more memory.
    #[error("it is stored, and not visible until the node is started with more memory: the index is full")]
    NotVisible,
    /// The entries do not fit into a group although there was room counted for them: a defect of this program.
    #[error("the changes are too large for one group")]
    TooLarge,
    /// The submission was too large for one group, and a later one of its groups failed.
    #[error("{} of the orders were decided, then: {error}", results.len())]
    Partly {
        /// What became of the first orders: durable and visible.
        results: Results,
        /// What became of the others.
        error: Box<Self>,
    },
    /// The catalog is shutting down.
    #[error("the catalog is shutting down")]
    Stopped,
}

impl WriteError {
    /// The same, when results were there before it.
    pub(crate) fn behind(self, results: Results) -> Self {
        if results.is_empty() { self } else { Self::Partly { results, error: Box::new(self) } }
    }
}

/// A submission waiting for the writer.
pub(crate) struct Queued {
    pub(crate) submission: Submission,
    weight: usize,
    answer: Answer,
}

impl Queued {
    /// Gives the answer.
    pub(crate) fn answer(self, answer: Result<Results, WriteError>) {
        self.answer.give(answer);
    }

    /// The submission, and where its answer goes.
    pub(crate) fn into_parts(self) -> (Submission, Answer) {
        (self.submission, self.answer)
    }
}

/// Where the answer to a submission goes.
pub(crate) struct Answer(oneshot::Sender<Result<Results, WriteError>>);

impl Answer {
    /// Gives the answer. That nobody waits for it any more is not the writer's concern.
    pub(crate) fn give(self, answer: Result<Results, WriteError>) {
        let _ = self.0.send(answer);
    }
}

/// A record read back from the log, to be made resident.
pub(crate) struct WarmRecord {
    pub(crate) key: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) place: waymark_store::Place,
}

/// What the writer does next.
pub(crate) enum Work {
    Submission(Queued),
    /// Write the index snapshot and say how it went.
    Snapshot(mpsc::SyncSender<std::io::Result<()>>),
    /// Refusals have waited to be written.
    Refusals,
    /// Tell of a pruning in the audit.
    Announcement(Announcement),
    /// Make these resident.
    Warm(Vec<WarmRecord>),
    /// The queue is closed and empty.
    End,
}

/// The queue itself: submissions first, then snapshots, then warming.
pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    freed: Condvar,
    limits: WriterLimits,
    /// What changed nothing and is not in the audit yet.
    pub(crate) refusals: Refusals,
}

#[derive(Default)]
struct State {
    submissions: VecDeque<Queued>,
    bytes: usize,
    snapshots: Vec<mpsc::SyncSender<std::io::Result<()>>>,
    announcements: Vec<Announcement>,
    warm: Option<Vec<WarmRecord>>,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(limits: WriterLimits, refusals: Refusals) -> Self {
        Self { state: Mutex::default(), arrived: Condvar::new(), freed: Condvar::new(), limits, refusals }
    }

    /// Makes the waiting writer look again at what there is to do.
    fn wake(&self) {
        // Taken, so that the writer is not between looking and waiting.
        drop(self.lock());
        self.arrived.notify_one();
    }

    /// The state; a thread that panicked while it held the lock left it whole, since no method can panic half-way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, submission: Queued, wait: bool) -> Result<(), SubmitError> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return Err(SubmitError::Stopped);
            }
            // An empty queue takes anything a group may hold, however small the byte limit.
            let room = state.submissions.len() < self.limits.queue_submissions
                && (state.submissions.is_empty() || state.bytes + submission.weight <= self.limits.queue_bytes);
            if room {
                break;
            }
            if !wait {
                return Err(SubmitError::QueueFull);
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.bytes += submission.weight;
        state.submissions.push_back(submission);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Asks for a snapshot of the index; the answer comes through the channel.
    pub(crate) fn push_snapshot(&self) -> Result<mpsc::Receiver<std::io::Result<()>>, SubmitError> {
        let (answer, receiver) = mpsc::sync_channel(1);
        let mut state = self.lock();
        if state.closed {
            return Err(SubmitError::Stopped);
        }
        state.snapshots.push(answer);
        drop(state);
        self.arrived.notify_one();
        Ok(receiver)
    }

    /// Asks for a pruning to be told of; the answer comes through its channel.
    pub(crate) fn push_announcement(&self, announcement: Announcement) -> Result<(), SubmitError> {
        let mut state = self.lock();
        if state.closed {
            return Err(SubmitError::Stopped);
        }
        state.announcements.push(announcement);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Offers records to be made resident; waits while others are waiting. False when the queue is closed.
    pub(crate) fn push_warm(&self, records: Vec<WarmRecord>) -> bool {
        let mut state = self.lock();
        while state.warm.is_some() && !state.closed {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return false;
        }
        state.warm = Some(records);
        drop(state);
        self.arrived.notify_one();
        true
    }

    /// Waits for work. Once closed, what is queued still comes out, except warming.
    pub(crate) fn next(&self) -> Work {
        let mut state = self.lock();
        loop {
            if let Some(submission) = self.pop(&mut state) {
                return Work::Submission(submission);
            }
            if let Some(answer) = state.snapshots.pop() {
                return Work::Snapshot(answer);
            }
            if let Some(announcement) = state.announcements.pop() {
                return Work::Announcement(announcement);
            }
            if state.closed {
                return Work::End;
            }
            if let Some(records) = state.warm.take() {
                self.freed.notify_all();
                return Work::Warm(records);
            }
            if self.refusals.is_pending() {
                let waited = self.arrived.wait_timeout(state, self.refusals.interval());
                let (again, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                if timeout.timed_out() {
                    return Work::Refusals;
                }
                state = again;
            } else {
                state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// The next submission if one waits and is within what a group has left.
    pub(crate) fn next_within(&self, commands: usize, bytes: usize) -> Option<Queued> {
        let mut state = self.lock();
        let front = state.submissions.front()?;
        if front.submission.orders.len() > commands || front.weight > bytes {
            return None;
        }
        self.pop(&mut state)
    }

    fn pop(&self, state: &mut State) -> Option<Queued> {
        let submission = state.submissions.pop_front()?;
        state.bytes = state.bytes.saturating_sub(submission.weight);
        self.freed.notify_all();
        Some(submission)
    }

    /// Takes nothing more in.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
        self.freed.notify_all();
    }

    /// Submissions and bytes that wait.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let state = self.lock();
        (state.submissions.len(), state.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Actor;
    use crate::command::Command;
    use crate::config::AuditOptions;

    fn handle(limits: WriterLimits) -> (WriterHandle, Arc<Queue>) {
        let refusals = Refusals::new(AuditOptions::DEFAULT, || waymark_store::Timestamp(0));
        let queue = Arc::new(Queue::new(limits, refusals));
        (WriterHandle::new(Arc::clone(&queue)), queue)
    }

    fn delete(count: usize) -> Submission {
        Submission::new(&Actor::operator(), vec![Command::Delete { handle: b"1/x".to_vec() }; count])
    }

    #[test]
    fn a_full_queue_refuses_at_once_and_takes_again_when_emptied() {
        let limits = WriterLimits { queue_submissions: 2, ..WriterLimits::default() };
        let (writer, queue) = handle(limits);
        let submit = || writer.submit(delete(1)).map(drop);
        assert_eq!((submit(), submit(), submit()), (Ok(()), Ok(()), Err(SubmitError::QueueFull)));
        assert!(matches!(queue.next(), Work::Submission(_)));
        assert_eq!(submit(), Ok(()));
    }

    #[test]
    fn the_byte_limit_holds_but_never_blocks_a_lone_submission() {
        let limits = WriterLimits { queue_bytes: 100, ..WriterLimits::default() };
        let (writer, queue) = handle(limits);
        assert!(writer.submit(delete(4)).is_ok());
        assert_eq!(writer.submit(delete(1)).map(drop), Err(SubmitError::QueueFull));
        assert_eq!(queue.waiting(), (1, 4 * 67));
    }

    #[test]
    fn a_submission_larger_than_a_group_is_refused() {
        let limits = WriterLimits { group_commands: 3, ..WriterLimits::default() };
        let (writer, _queue) = handle(limits);
        let refused = writer.submit(delete(4)).map(drop);
        assert_eq!(refused, Err(SubmitError::TooLarge { bytes: 4 * 67, commands: 4 }));
    }

    #[test]
    fn closing_lets_queued_work_out_and_new_work_not_in() {
        let (writer, queue) = handle(WriterLimits::default());
        let ticket = writer.submit(delete(1)).unwrap();
        queue.close();
        assert_eq!(writer.submit(delete(1)).map(drop), Err(SubmitError::Stopped));
        assert!(!queue.push_warm(Vec::new()));
        let Work::Submission(submission) = queue.next() else { panic!("the submission comes out") };
        submission.answer(Ok(Vec::new()));
        assert!(ticket.wait().unwrap().is_empty());
        assert!(matches!(queue.next(), Work::End));
    }

    #[test]
    fn a_ticket_is_waited_for_beside_a_runtime_too() {
        let (writer, queue) = handle(WriterLimits::default());
        let ticket = writer.submit(delete(1)).unwrap();
        let answering = thread::spawn(move || {
            let Work::Submission(submission) = queue.next() else { panic!("the submission comes out") };
            submission.answer(Ok(Vec::new()));
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert!(runtime.block_on(async { ticket.wait() }).unwrap().is_empty());
        answering.join().unwrap();
    }

    #[test]
    fn a_ticket_whose_submission_vanished_says_stopped() {
        let (writer, queue) = handle(WriterLimits::default());
        let ticket = writer.submit(delete(1)).unwrap();
        drop(queue.next());
        assert!(matches!(ticket.wait(), Err(WriteError::Stopped)));
    }
}
