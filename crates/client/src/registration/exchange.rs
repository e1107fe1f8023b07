//! Many changes as one stream: sent with a bounded window, continued after every break, answered one by one.

use std::{ops::ControlFlow, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tonic::{Code, Status};
use waymark_api::registration::v1::{Change, ItemOutcome, Outcome, item_outcome};

use self::run::{AHEAD, Run, gather};
use super::{
    call::{CallError, Failed, failed},
    registrar::Registrar,
    server_error::ServerError,
    stop::{Stop, over, told},
    window::Window,
};
use crate::config::{BATCH_ITEMS, FINISH, PATIENCE, WINDOW_BYTES, WINDOW_ITEMS};

mod run;

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
            batch_items: most_items,
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
