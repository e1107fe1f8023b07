//! The change feed for watchers: from a serial, in order, until the watcher leaves or the door stops.

use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use waymark_api::registration::v1::{self, watch_response::Message};
use waymark_catalog::access::{Rights, Verb, rights_of};
use waymark_catalog::{FeedLimits, FollowError, ReadError, Serial};

use super::{KeyFilter, Serials, shown_of};
use crate::convert::identifier::Wanted;
use crate::counters::Event;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::reasons::Reason;

/// Opens a watch. The result is the changes, then a failure or nothing.
pub(crate) fn open(
    edge: &Arc<Edge>,
    caller: &Arc<Caller>,
    request: v1::WatchRequest,
) -> Result<BoxStream<'static, Result<v1::WatchResponse, Failure>>, Failure> {
    let v1::WatchRequest { after_serial, from_now, prefix, with_values, until_now } = request;
    let filter = KeyFilter::new(edge, caller, Verb::Watch, &prefix)?;
    let place = Arc::clone(&edge.watchers).try_acquire_owned().map_err(|_| Failure::new(Reason::Busy))?;
    edge.counters.add(Event::Watches, 1);
    let now = edge.catalog.serial();
    let (sender, changes) = mpsc::channel(edge.limits.watch_batch);
    let watch = Watch {
        edge: Arc::clone(edge),
        caller: Arc::clone(caller),
        filter,
        wanted: Wanted::values(with_values),
        after: if from_now { now } else { Serial(after_serial) },
        until: until_now.then_some(now),
        sender,
    };
    let ended = tokio::spawn(async move {
        let ended = watch.run().await;
        drop(place);
        ended
    });
    let last = stream::once(async move {
        let stopped = Failure::new(Reason::Internal).with("detail", "the watch has ended early");
        ended.await.unwrap_or(Err(stopped)).err().map(Err)
    });
    Ok(ReceiverStream::new(changes).map(Ok).chain(last.filter_map(|end| async { end })).boxed())
}

struct Watch {
    edge: Arc<Edge>,
    caller: Arc<Caller>,
    filter: KeyFilter,
    wanted: Wanted,
    /// Everything up to here was sent.
    after: Serial,
    /// Where to end.
    until: Option<Serial>,
    sender: mpsc::Sender<v1::WatchResponse>,
}

/// What the watcher does next.
enum Next {
    Read,
    TellProgress,
    Stop,
    Leave,
}

impl Watch {
    async fn run(mut self) -> Result<(), Failure> {
        let mut serials = self.edge.catalog.serials();
        let mut stopping = self.edge.stopping.clone();
        loop {
            // Seen before reading, so that what comes meanwhile wakes us.
            let visible = *serials.borrow_and_update();
            if self.read().await?.is_break() {
                return Ok(());
            }
            if let Some(until) = self.until
                && self.after >= until
            {
                return self.tell_progress().await.map(drop);
            }
            if stopping.has_begun() {
                // The watcher goes on elsewhere from where it was told to be.
                if self.tell_progress().await?.is_break() {
                    return Ok(());
                }
                return Err(Failure::new(Reason::Stopping));
            }
            if self.after < visible {
                continue;
            }
            let next = tokio::select! {
                biased;
                () = stopping.begun() => Next::Stop,
                () = self.sender.closed() => Next::Leave,
                changed = serials.changed() => if changed.is_ok() { Next::Read } else { Next::Stop },
                () = sleep(self.edge.limits.watch_progress) => Next::TellProgress,
            };
            match next {
                Next::Read => {}
                Next::TellProgress => {
                    if self.tell_progress().await?.is_break() {
                        return Ok(());
                    }
                }
                Next::Stop if stopping.has_begun() => {}
                Next::Stop => return Err(Failure::new(Reason::Stopping)),
                Next::Leave => return Ok(()),
            }
        }
    }

    /// Reads and sends one batch. Break: nobody watches any more.
    async fn read(&mut self) -> Result<ControlFlow<()>, Failure> {
        let rights = rights_of(&self.caller.actor, &self.edge.catalog.access(), self.edge.catalog.now());
        let rights = rights.ok_or_else(|| Failure::new(Reason::Unauthenticated))?;
        let (catalog, after) = (self.edge.catalog.clone(), self.after);
        let (filter, wanted, most) = (self.filter.clone(), self.wanted.clone(), self.edge.limits.watch_batch);
        let batch = self.edge.reading.read(move |_| Batch::read(&catalog, after, &filter, &rights, &wanted, most));
        let Batch { seen, upto } = batch.await?;
        for each in seen {
            self.edge.counters.add(Event::ChangesWatched, 1);
            let message = each.map_or_else(Message::Damaged, Message::Change);
            if self.send(message).await?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.after = upto;
        Ok(ControlFlow::Continue(()))
    }

    async fn tell_progress(&self) -> Result<ControlFlow<()>, Failure> {
        self.send(Message::Progress(self.after.0)).await
    }

    /// Waits until there is room; a watcher that does not read is cut off.
    async fn send(&self, message: Message) -> Result<ControlFlow<()>, Failure> {
        let patience = self.edge.limits.reader_time;
        match timeout(patience, self.sender.send(v1::WatchResponse { message: Some(message) })).await {
            Ok(Ok(())) => Ok(ControlFlow::Continue(())),
            Ok(Err(_)) => Ok(ControlFlow::Break(())),
            Err(_) => {
                self.edge.counters.add(Event::CutSlowReader, 1);
                Err(Failure::new(Reason::SlowReader).with("seconds", patience.as_secs()))
            }
        }
    }
}

/// Some changes, and up to where everything was looked at.
struct Batch {
    seen: Vec<Result<v1::Identifier, v1::Damage>>,
    upto: Serial,
}

impl Batch {
    fn read(
        catalog: &waymark_catalog::Catalog,
        after: Serial,
        filter: &KeyFilter,
        rights: &Rights,
        wanted: &Wanted,
        most: usize,
    ) -> Result<Self, Failure> {
        let mut all = Vec::new();
        let upto = catalog.changes(after, &filter.prefix, FeedLimits::default(), &mut |seen| {
            all.extend(shown_of(seen, filter, rights, wanted));
            if all.len() >= most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let upto = upto.map_err(|error| of_follow(&error))?;
        Ok(Self { seen: all, upto })
    }
}

/// Why the log cannot be followed.
pub(crate) fn of_follow(error: &FollowError) -> Failure {
    match error {
        FollowError::Compacted { oldest } => Failure::new(Reason::Compacted).with("oldest", oldest.0),
        FollowError::Damaged { resume_after, .. } => {
            Failure::unreadable(format_args!("at or before {}", Serials(*resume_after)))
        }
        // Where the folder lies is nobody's business.
        FollowError::Read(ReadError::Damaged { file, offset, .. }) => {
            let file = file.file_name().unwrap_or_default().display();
            Failure::unreadable(format_args!("{file} at byte {offset}"))
        }
        _ => Failure::unreadable("the disk refuses"),
    }
}
