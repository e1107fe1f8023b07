//! The taking half of a stream: numbers items, gathers them into submissions, and hands these to the writer.

use std::sync::Arc;

use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use waymark_catalog::{AddMode, Command, Order, StreamId, StreamStep, Submission, Ticket, Timestamps, ValueSet};

use super::{Chunk, Upload};
use crate::convert::answer::Same;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::reasons::Reason;
use crate::registered::{Registering, RegistrationTap};

/// What the other half waits for, in order.
pub(super) enum Pending {
    /// A submission under way.
    Submitted {
        /// Number of its first item.
        first: u64,
        /// What is to be known of each item.
        notes: Vec<Note>,
        ticket: Ticket,
    },
    /// Items that were decided before.
    Repeated { first: u64, notes: Vec<Note> },
    /// The end, when it is not the client's.
    Failed(Failure),
}

/// What is known of an item before it is decided.
pub(super) struct Note {
    /// What "nothing to do" means for it.
    pub(super) same: Same,
    /// It could not be read.
    pub(super) failure: Option<Failure>,
    /// Whether the caller is told the content of what contradicts its expectation.
    pub(super) tells_content: bool,
    /// It registers an identifier.
    pub(super) registering: Option<Registering>,
}

pub(super) struct Intake {
    edge: Arc<Edge>,
    caller: Arc<Caller>,
    stream: Option<StreamId>,
    /// Number of the last item that was handed over.
    position: u64,
    batch: Batch,
    most_items: usize,
    most_bytes: usize,
    source: BoxStream<'static, Result<Chunk, Failure>>,
    pending: mpsc::Sender<Pending>,
    deadline: Instant,
}

/// Items that are not handed over yet.
#[derive(Default)]
struct Batch {
    orders: Vec<Order>,
    notes: Vec<Note>,
    bytes: usize,
}

/// Why taking ends.
enum End {
    /// The client has closed its side.
    Closed,
    /// Nobody waits for outcomes any more.
    Abandoned,
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Intake {
    pub(super) fn new(
        upload: &Upload,
        source: BoxStream<'static, Result<Chunk, Failure>>,
        pending: mpsc::Sender<Pending>,
        deadline: Instant,
    ) -> Self {
        let limits = &upload.edge.limits;
        let (group_bytes, group_items) = upload.edge.catalog.writer().submission_limits();
        Self {
            edge: Arc::clone(&upload.edge),
            caller: Arc::clone(&upload.caller),
            stream: upload.stream,
            position: upload.mark,
            batch: Batch::default(),
            most_items: limits.submission_items.min(group_items).max(1),
            most_bytes: group_bytes.min(limits.stream_bytes / limits.submissions_in_flight.max(1)),
            source,
            pending,
            deadline,
        }
    }

    pub(super) async fn run(mut self) {
        let end = loop {
            if let Err(end) = self.step().await {
                break end;
            }
        };
        let sent = match end {
            End::Abandoned => return,
            End::Closed => self.send().await,
            End::Failed(failure) => match self.send().await {
                Ok(()) => self.pass_on(Pending::Failed(failure)).await,
                Err(end) => Err(end),
            },
        };
        if let Err(End::Failed(failure)) = sent {
            // Fails when nobody waits any more.
            let _ = self.pass_on(Pending::Failed(failure)).await;
        }
    }

    /// Takes one message; when none is there yet, first hands over what was gathered.
    async fn step(&mut self) -> Result<(), End> {
        // A client that always has more ready must not outlast the door or its own deadline.
        if self.edge.stopping.has_begun() {
            return Err(Failure::new(Reason::Stopping).into());
        }
        if Instant::now() >= self.deadline {
            return Err(Failure::new(Reason::DeadlineExceeded).into());
        }
        let ready = if self.batch.notes.is_empty() { None } else { self.source.next().now_or_never() };
        let message = match ready {
            Some(message) => message,
            None => {
                self.send().await?;
                self.next_message().await?
            }
        };
        match message {
            Some(chunk) => self.take(chunk?).await,
            None => Err(End::Closed),
        }
    }

    /// Waits for a message: not for ever, and not past the deadline or the stop of the door.
    async fn next_message(&mut self) -> Result<Option<Result<Chunk, Failure>>, Failure> {
        let mut stopping = self.edge.stopping.clone();
        let idle = self.edge.limits.stream_idle;
        let patience = Instant::now() + idle;
        let pending = self.pending.clone();
        let late = || {
            if self.deadline <= patience {
                Failure::new(Reason::DeadlineExceeded)
            } else {
                Failure::new(Reason::StreamIdle).with("seconds", idle.as_secs())
            }
        };
        tokio::select! {
            biased;
            () = stopping.begun() => Err(Failure::new(Reason::Stopping)),
            () = pending.closed() => Ok(None),
            message = timeout_at(self.deadline.min(patience), self.source.next()) => message.map_err(|_| late()),
        }
    }

    async fn take(&mut self, chunk: Chunk) -> Result<(), End> {
        let Chunk { first, items } = chunk;
        let taken = self.position.saturating_add(u64::try_from(self.batch.orders.len()).unwrap_or(u64::MAX));
        let next = taken.saturating_add(1);
        let first = first.unwrap_or(next);
        if first == 0 {
            return Err(Failure::invalid_field("items.first_number", "must be at least 1").into());
        }
        if first > next || (first < next && self.stream.is_none()) {
            let gap = Failure::new(Reason::StreamGap).with("number", first);
            return Err(gap.with("mark", taken).with("next", next).into());
        }
        self.within_rate(items.len()).await?;
        let known = usize::try_from(next - first).unwrap_or(usize::MAX).min(items.len());
        let mut items = items.into_iter();
        let repeated: Vec<Note> = items.by_ref().take(known).map(|item| Note::of(&item, &self.caller, None)).collect();
        if !repeated.is_empty() {
            self.send().await?;
            self.pass_on(Pending::Repeated { first, notes: repeated }).await?;
        }
        for item in items {
            self.gather(item).await?;
        }
        Ok(())
    }

    /// Holds the stream back to the caller's rate.
    async fn within_rate(&mut self, items: usize) -> Result<(), End> {
        let count = u32::try_from(items).unwrap_or(u32::MAX);
        while let Err(failure) = self.edge.within_rate(&self.caller, count) {
            let Some(wait) = failure.retry_after() else { return Err(failure.into()) };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.pending.closed() => return Err(End::Abandoned),
            }
            if Instant::now() >= self.deadline {
                return Err(Failure::new(Reason::DeadlineExceeded).into());
            }
        }
        Ok(())
    }

    async fn gather(&mut self, item: Result<Order, Failure>) -> Result<(), End> {
        let note = Note::of(&item, &self.caller, self.edge.registrations.as_ref());
        let order = item.unwrap_or_else(|_| refused_order());
        let (order, note) = if order.command.weight_bytes() > self.edge.catalog.writer().submission_limits().0 {
            (refused_order(), Note { failure: Some(Failure::new(Reason::TooLarge)), ..note })
        } else {
            (order, note)
        };
        let weight = order.command.weight_bytes();
        let full = self.batch.orders.len() >= self.most_items
            || (!self.batch.orders.is_empty() && self.batch.bytes + weight > self.most_bytes);
        if full {
            self.send().await?;
        }
        self.batch.bytes += weight;
        self.batch.orders.push(order);
        self.batch.notes.push(note);
        Ok(())
    }

    /// Hands over what was gathered.
    async fn send(&mut self) -> Result<(), End> {
        let Batch { orders, notes, .. } = std::mem::take(&mut self.batch);
        if orders.is_empty() {
            return Ok(());
        }
        let after = self.position;
        let position = after.saturating_add(u64::try_from(orders.len()).unwrap_or(u64::MAX));
        let step = self.stream.map(|stream| StreamStep { stream, after, position, counts_orders: true });
        let submission = Submission { stream: step, ..Submission::new(&self.caller.actor, orders) };
        // Room for the outcomes first: a client that does not read them hands nothing more to the writer.
        let room = self.pending.clone().reserve_owned().await.map_err(|_| End::Abandoned)?;
        let ticket = self.edge.submit_when_room(submission).await?;
        self.position = position;
        room.send(Pending::Submitted { first: after.saturating_add(1), notes, ticket });
        Ok(())
    }

    async fn pass_on(&mut self, pending: Pending) -> Result<(), End> {
        self.pending.send(pending).await.map_err(|_| End::Abandoned)
    }
}

impl Note {
    fn of(item: &Result<Order, Failure>, caller: &Caller, tap: Option<&Arc<RegistrationTap>>) -> Self {
        match item {
            Ok(order) => Self {
                same: Same::of(&order.command),
                failure: None,
                tells_content: caller.tells_content(order),
                registering: Registering::of(order, tap),
            },
            Err(failure) => {
                let failure = Some(failure.clone());
                Self { same: Same::Unchanged, failure, tells_content: false, registering: None }
            }
        }
    }
}

/// An order the writer refuses in every state: no values for no handle.
fn refused_order() -> Order {
    Command::AddValues {
        handle: Vec::new(),
        values: ValueSet::default(),
        timestamps: Timestamps::Now,
        mode: AddMode::New,
    }
    .into()
}
