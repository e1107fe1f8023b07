//! Many changes as one stream: sent with a bounded window, continued after every break, answered one by one.

use std::{ops::ControlFlow, time::Duration};

use prost::Message as _;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};
use waymark_api::registration::v1::{
    Change, ExchangeResponse, ItemOutcome, OpenStream, Outcome, UploadRequest, exchange_response, item_outcome,
    upload_request,
};

use super::{
    call::{Attempts, Backoff, CallError, Failed, Repeat, failed},
    registrar::Registrar,
    server_error::ServerError,
    stop::{Stop, over, told},
    window::{Batch, Window},
};
use crate::config::{BATCH_BYTES, BATCH_ITEMS, CONNECT_TIME, FINISH, PATIENCE, WINDOW_BYTES, WINDOW_ITEMS};

/// Messages handed to the connection ahead of what it has taken; the window is what bounds memory.
const AHEAD: usize = 2;

/// Where a stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Behind the last item the node decided.
    Mark,
    /// This many items before that, or at the first: whoever was interrupted before it could read its last answers gets them again.
    BeforeMark(u64),
    /// At the first item, whatever was decided: what was is answered again, and stays as it was decided.
    Beginning,
}

/// How to send a stream.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Name of the stream among those of the caller, 1 to 128 bytes.
    pub stream: String,
    /// Where to begin.
    pub start: Start,
    /// Items under way at most; moved into the range of [`WINDOW_ITEMS`].
    pub window_items: usize,
    /// Bytes under way at most; moved into the range of [`WINDOW_BYTES`].
    pub window_bytes: usize,
    /// Items in one message; moved into the range of [`BATCH_ITEMS`].
    pub batch_items: usize,
    /// Time without an answer after which it is given up; moved into the range of [`PATIENCE`].
    pub patience: Duration,
    /// Where it is told to stop, once or more urgently a second time; one whose sender is gone tells nothing.
    pub stop: watch::Receiver<Stop>,
    /// Time for what is under way once it stops; moved into the range of [`FINISH`].
    pub finish: Duration,
}

/// What happens on the way.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The node said how far the stream is; items are sent from `first` on.
    Opened {
        /// Number of the last item decided.
        mark: u64,
        /// Number of the first item sent.
        first: u64,
    },
    /// What became of an item; each item once, in order.
    Outcome(ItemOutcome),
    /// The connection broke; the next attempt follows after the wait.
    Interrupted {
        /// What broke it.
        cause: &'a Status,
        /// Time until the next attempt.
        wait: Duration,
    },
    /// It stops: no new items are taken. What is under way is waited for, no longer than `finish`.
    Stopping {
        /// Items under way: sent, and without an outcome. They follow [`Counts::last`].
        under_way: u64,
        /// Longest time they are waited for.
        finish: Duration,
    },
}

/// What became of the items of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Created.
    pub created: u64,
    /// Replaced, changed, deleted, suspended, resumed or revoked.
    pub changed: u64,
    /// Already as asked.
    pub unchanged: u64,
    /// Refused.
    pub refused: u64,
    /// Of all these, items that were decided before this run.
    pub repeated: u64,
    /// Number of the last item answered; everything up to it is settled.
    pub last: u64,
    /// Number of the last item sent; whether those behind `last` were carried out is unknown.
    pub sent: u64,
    /// Breaks that were bridged.
    pub interruptions: u64,
}

impl Counts {
    /// Items answered.
    #[must_use]
    pub const fn answered(&self) -> u64 {
        self.created + self.changed + self.unchanged + self.refused
    }

    /// Items that were sent and have no outcome.
    #[must_use]
    pub const fn under_way(&self) -> u64 {
        self.sent.saturating_sub(self.last)
    }

    fn count(&mut self, outcome: &ItemOutcome) {
        self.last = outcome.number;
        let receipt = match &outcome.outcome {
            Some(item_outcome::Outcome::Receipt(receipt)) => receipt,
            Some(item_outcome::Outcome::Refusal(_)) | None => {
                self.refused += 1;
                return;
            }
        };
        match receipt.outcome() {
            Outcome::Created => self.created += 1,
            Outcome::ExistsSame | Outcome::Unchanged => self.unchanged += 1,
            _ => self.changed += 1,
        }
    }
}

/// Why a stream was not sent to its end. What was answered until then is settled; the same stream can be continued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError<E> {
    /// The items cannot be read.
    #[error("the items cannot be read")]
    Source(#[source] E),
    /// The server refused the stream, or could not be reached for too long.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The server knows less of the stream than it has answered before.
    #[error("the server has stepped back to item {mark} after it answered up to item {answered}")]
    SteppedBack {
        /// Number of the last item it knows.
        mark: u64,
        /// Number of the last item it answered.
        answered: u64,
    },
    /// The server answers otherwise than the interface says.
    #[error("the server breaks the rules of the interface: {0}")]
    Rules(&'static str),
    /// It was told to stop, and outcomes of what was under way did not come.
    #[error("it was stopped before every outcome was there")]
    Stopped {
        /// Whether it was not to wait for them any longer.
        at_once: bool,
    },
}

impl Exchange {
    /// A stream sent from behind its mark, within the default limits.
    #[must_use]
    pub fn new(stream: impl Into<String>) -> Self {
        Self {
            stream: stream.into(),
            start: Start::Mark,
            window_items: WINDOW_ITEMS.default,
            window_bytes: WINDOW_BYTES.default,
            batch_items: BATCH_ITEMS.default,
            patience: PATIENCE.default,
            stop: watch::channel(Stop::No).1,
            finish: FINISH.default,
        }
    }

    /// Sends everything `source` gives from an item number on, and gives every item's outcome to `event`. Where `event` breaks, or the run
    /// is told to stop, no more items are sent; outcomes of what is under way are given as far as they come in time.
    ///
    /// `source` runs on a thread of its own and may block. It is asked once: what is under way is kept here.
    ///
    /// # Errors
    /// See [`ExchangeError`]; the counts tell how far it came.
    pub async fn run<I, E>(
        &self,
        registrar: &Registrar,
        source: impl FnOnce(u64) -> I + Send + 'static,
        event: &mut (dyn FnMut(Event<'_>) -> ControlFlow<()> + Send),
    ) -> (Counts, Result<(), ExchangeError<E>>)
    where
        I: Iterator<Item = Result<Change, E>>,
        E: Send + 'static,
    {
        let mut stop = self.stop.clone();
        let mark = tokio::select! {
            state = registrar.stream(&self.stream) => match state {
                Ok(state) => state.mark,
                Err(error) => return (Counts::default(), Err(error.into())),
            },
            () = told(&mut stop, Stop::Finish) => return (Counts::default(), Ok(())),
        };
        let first = match self.start {
            Start::Mark => mark.saturating_add(1),
            Start::BeforeMark(items) => mark.saturating_sub(items).saturating_add(1),
            Start::Beginning => 1,
        };
        let before = first.saturating_sub(1);
        let counts = Counts { last: before, sent: before, ..Counts::default() };
        if event(Event::Opened { mark, first }).is_break() {
            return (counts, Ok(()));
        }
        let (sender, batches) = mpsc::channel(AHEAD);
        let most_items = BATCH_ITEMS.clamp(self.batch_items).min(WINDOW_ITEMS.clamp(self.window_items));
        tokio::task::spawn_blocking(move || gather(source(first), most_items, &sender));
        let window = Window::new(first, WINDOW_ITEMS.clamp(self.window_items), WINDOW_BYTES.clamp(self.window_bytes));
        let mut run = Run {
            registrar,
            stream: &self.stream,
            window,
            batches: Some(batches),
            source_error: None,
            counts,
            decided_before: mark,
            progressed: Instant::now(),
            stop,
            finish: FINISH.clamp(self.finish),
            stops_at: watch::channel(None).0,
            event,
        };
        let (told, stops_at) = (self.stop.clone(), run.stops_at.subscribe());
        let ended = tokio::select! {
            ended = run.connections(PATIENCE.clamp(self.patience)) => ended,
            at_once = over(told, stops_at) => run.cut_off(at_once),
        };
        let ended = match (ended, run.source_error) {
            (Ok(()), Some(error)) => Err(ExchangeError::Source(error)),
            (ended, _) => ended,
        };
        (run.counts, ended)
    }
}

/// Reads the source into batches until it ends, fails, or nobody wants more.
fn gather<E>(source: impl Iterator<Item = Result<Change, E>>, most_items: usize, to: &mpsc::Sender<Result<Batch, E>>) {
    let mut batch = Batch { changes: Vec::new(), bytes: 0 };
    for item in source {
        let change = match item {
            Ok(change) => change,
            Err(error) => {
                let _gone = send(&mut batch, to).is_ok() && to.blocking_send(Err(error)).is_ok();
                return;
            }
        };
        let bytes = change.encoded_len();
        let full = batch.changes.len() >= most_items || batch.bytes + bytes > BATCH_BYTES;
        if full && send(&mut batch, to).is_err() {
            return;
        }
        batch.bytes += bytes;
        batch.changes.push(change);
    }
    // Nobody waits for the rest of a run that has ended.
    let _gone = send(&mut batch, to);
}

fn send<E>(batch: &mut Batch, to: &mpsc::Sender<Result<Batch, E>>) -> Result<(), ()> {
    let full = std::mem::replace(batch, Batch { changes: Vec::new(), bytes: 0 });
    if full.changes.is_empty() {
        return Ok(());
    }
    to.blocking_send(Ok(full)).map_err(|_| ())
}

/// A stream that is being sent.
struct Run<'a, E> {
    registrar: &'a Registrar,
    stream: &'a str,
    window: Window,
    /// New items; `None` when there are no more, or none are wanted.
    batches: Option<mpsc::Receiver<Result<Batch, E>>>,
    source_error: Option<E>,
    counts: Counts,
    /// Number of the last item that was decided before this run.
    decided_before: u64,
    /// When the last answer came.
    progressed: Instant,
    stop: watch::Receiver<Stop>,
    finish: Duration,
    /// When it ends whatever is under way; `None` while it does not stop.
    stops_at: watch::Sender<Option<Instant>>,
    event: &'a mut (dyn FnMut(Event<'_>) -> ControlFlow<()> + Send),
}

/// Why a connection ended before the stream did.
enum Broken<E> {
    Status(Status),
    Final(ExchangeError<E>),
}

/// It stops, and nothing is under way.
struct Idle;

impl<E> From<Status> for Broken<E> {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl<E> Run<'_, E> {
    /// Connects until everything is answered.
    async fn connections(&mut self, patience: Duration) -> Result<(), ExchangeError<E>> {
        let mut backoff = Backoff::new();
        let mut answered = 0;
        loop {
            let status = match self.connection().await {
                Ok(()) => return Ok(()),
                Err(Broken::Final(error)) => return Err(error),
                Err(Broken::Status(_)) if self.is_done() => return Ok(()),
                Err(Broken::Status(status)) => status,
            };
            if self.counts.answered() != answered {
                answered = self.counts.answered();
                backoff = Backoff::new();
            }
            let wait = again(&status).map(|asked| backoff.wait(asked));
            let Some(wait) = wait.filter(|wait| self.progressed.elapsed() + *wait <= patience) else {
                // Nothing is unknown by itself: asking for the mark tells what was decided.
                return Err(Attempts::once(Repeat::Harmless).last(status).into());
            };
            self.counts.interruptions += 1;
            if (self.event)(Event::Interrupted { cause: &status, wait }).is_break() {
                self.stop_taking();
            }
            let was_stopping = self.is_stopping();
            if self.heeding(sleep(wait)).await.is_err() {
                return Ok(());
            }
            if self.is_stopping() && !was_stopping {
                // There is little time left.
                backoff = Backoff::new();
            }
        }
    }

    /// Waits for something, and takes no new items from the moment it is told to stop.
    async fn heeding<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Idle> {
        let mut future = std::pin::pin!(future);
        if !self.is_stopping() {
            tokio::select! {
                done = &mut future => return Ok(done),
                () = told(&mut self.stop, Stop::Finish) => self.stop_taking(),
            }
        }
        if self.is_done() { Err(Idle) } else { Ok(future.await) }
    }

    fn is_stopping(&self) -> bool {
        self.stops_at.borrow().is_some()
    }

    /// Takes no new items, forgets those that were never sent, and sets the time at which it ends.
    fn stop_taking(&mut self) {
        if self.is_stopping() {
            return;
        }
        self.batches = None;
        self.window.forget_unsent();
        let finish = self.finish;
        self.stops_at.send_replace(Some(Instant::now() + finish));
        let under_way = self.counts.under_way();
        // What it is told now changes nothing more.
        let _flow = (self.event)(Event::Stopping { under_way, finish });
    }

    /// How it ends when it waits no longer.
    fn cut_off(&self, at_once: bool) -> Result<(), ExchangeError<E>> {
        if self.counts.under_way() == 0 { Ok(()) } else { Err(ExchangeError::Stopped { at_once }) }
    }

    /// Sends on one connection until everything is answered or it breaks.
    async fn connection(&mut self) -> Result<(), Broken<E>> {
        self.window.rewind();
        let (sender, receiver) = mpsc::channel(AHEAD);
        let open = upload_request::Message::Open(OpenStream { stream: self.stream.to_owned() });
        let _fits = sender.try_send(UploadRequest { message: Some(open) });
        let mut client = self.registrar.registration();
        let request = self.registrar.request(ReceiverStream::new(receiver));
        let opening = tokio::time::timeout(CONNECT_TIME * 2, client.exchange(request));
        let Ok(opened) = self.heeding(opening).await else { return Ok(()) };
        let opened = opened.map_err(|_| Status::unavailable("the stream was not opened in time"))?;
        let mut answers = opened?.into_inner();
        let mut sender = Some(sender);
        loop {
            if self.batches.is_none() && !self.window.has_unsent() {
                // The client's side ends: the server answers what is left, and ends too.
                sender = None;
            }
            tokio::select! {
                answer = answers.message() => match answer {
                    Ok(Some(answer)) => self.take(answer)?,
                    // What follows the last answer is of no importance.
                    _ if self.is_done() => return Ok(()),
                    Ok(None) => return Err(Status::unavailable("the server ended the stream").into()),
                    Err(status) => return Err(status.into()),
                },
                permit = room(sender.as_ref()), if self.window.has_unsent() => {
                    let Some(permit) = permit else { continue };
                    if let Some(items) = self.window.send() {
                        self.counts.sent = self.window.sent_up_to();
                        permit.send(UploadRequest { message: Some(upload_request::Message::Items(items)) });
                    }
                }
                batch = next_batch(self.batches.as_mut()), if self.batches.is_some() && self.window.has_room() => match batch {
                    Some(Ok(batch)) => self.window.push(batch),
                    Some(Err(error)) => {
                        self.source_error = Some(error);
                        self.batches = None;
                    }
                    None => self.batches = None,
                },
                () = told(&mut self.stop, Stop::Finish), if !self.is_stopping() => self.stop_taking(),
            }
        }
    }

    fn is_done(&self) -> bool {
        self.batches.is_none() && self.window.is_empty()
    }

    fn take(&mut self, answer: ExchangeResponse) -> Result<(), Broken<E>> {
        match answer.message {
            Some(exchange_response::Message::Opened(state)) => {
                let answered = self.window.unanswered().saturating_sub(1);
                if state.mark < answered {
                    return Err(Broken::Final(ExchangeError::SteppedBack { mark: state.mark, answered }));
                }
            }
            Some(exchange_response::Message::Outcomes(outcomes)) => {
                for outcome in outcomes.outcomes {
                    if !self.window.answer(outcome.number) {
                        return Err(Broken::Final(ExchangeError::Rules("an outcome out of order")));
                    }
                    self.progressed = Instant::now();
                    self.counts.count(&outcome);
                    self.counts.repeated += u64::from(outcome.number <= self.decided_before);
                    if (self.event)(Event::Outcome(outcome)).is_break() {
                        self.stop_taking();
                    }
                }
            }
            Some(exchange_response::Message::Summary(_)) | None => {}
        }
        Ok(())
    }
}

async fn room<T>(sender: Option<&mpsc::Sender<T>>) -> Option<mpsc::Permit<'_, T>> {
    match sender {
        // Where the connection is gone, its end is what its answers say.
        Some(sender) => match sender.reserve().await {
            Ok(permit) => Some(permit),
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

async fn next_batch<T>(batches: Option<&mut mpsc::Receiver<T>>) -> Option<T> {
    match batches {
        Some(batches) => batches.recv().await,
        None => None,
    }
}

/// Whether to connect again after this, and what wait the server asked for.
pub(crate) fn again(status: &Status) -> Option<Option<Duration>> {
    match ServerError::of_status(status) {
        Some(error) if error.is_passing() => Some(error.retry_after),
        // The connection was held up; what was decided stands, and the rest is sent again.
        Some(error) if [SLOW_READER, STREAM_IDLE].contains(&error.reason.as_str()) => Some(None),
        Some(_) => None,
        None => (failed(status) != Failed::Untrusted && status.code() != Code::Unimplemented).then_some(None),
    }
}

/// Reasons a server ends a stream for that was not read or written for long.
const SLOW_READER: &str = "SLOW_READER";
const STREAM_IDLE: &str = "STREAM_IDLE";
