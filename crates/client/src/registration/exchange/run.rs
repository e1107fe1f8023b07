//! A stream while it is sent: connections one after the other, a window of what is under way, an end in time.

use std::{ops::ControlFlow, time::Duration};

use prost::Message as _;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use waymark_api::registration::v1::{
    Change, ExchangeResponse, OpenStream, UploadRequest, exchange_response, upload_request,
};

use super::{
    super::{
        attempts::{Attempts, Backoff, Repeat},
        registrar::Registrar,
        stop::{Stop, told},
        window::{Batch, Window},
    },
    Counts, Event, ExchangeError, again,
};
use crate::config::{BATCH_BYTES, CONNECT_TIME};

/// Messages handed to the connection ahead of what it has taken; the window is what bounds memory.
pub(super) const AHEAD: usize = 2;

/// Reads the source into batches until it ends, fails, or nobody wants more.
pub(super) fn gather<E>(
    source: impl Iterator<Item = Result<Change, E>>,
    most_items: usize,
    to: &mpsc::Sender<Result<Batch, E>>,
) {
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
pub(super) struct Run<'a, E> {
    pub(super) registrar: &'a Registrar,
    pub(super) stream: &'a str,
    pub(super) window: Window,
    /// Items in one batch, at most.
    pub(super) batch_items: usize,
    /// New items; `None` when there are no more, or none are wanted.
    pub(super) batches: Option<mpsc::Receiver<Result<Batch, E>>>,
    pub(super) source_error: Option<E>,
    pub(super) counts: Counts,
    /// Number of the last item that was decided before this run.
    pub(super) decided_before: u64,
    /// When the last answer came.
    pub(super) progressed: Instant,
    pub(super) stop: watch::Receiver<Stop>,
    pub(super) finish: Duration,
    /// When it ends whatever is under way; `None` while it does not stop.
    pub(super) stops_at: watch::Sender<Option<Instant>>,
    pub(super) event: &'a mut (dyn FnMut(Event<'_>) -> ControlFlow<()> + Send),
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
    pub(super) async fn connections(&mut self, patience: Duration) -> Result<(), ExchangeError<E>> {
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
    pub(super) fn cut_off(&self, at_once: bool) -> Result<(), ExchangeError<E>> {
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
                batch = next_batch(self.batches.as_mut()), if self.batches.is_some() && self.window.has_room(self.batch_items) => match batch {
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
