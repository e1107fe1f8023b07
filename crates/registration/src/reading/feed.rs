//! Following the log for somebody: read, send, wait for more, until the reader leaves or the door stops.

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use waymark_catalog::Serial;

use crate::counters::Event;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::reasons::Reason;

/// What is read of the log, and in what words it is told.
pub(crate) trait Source: Send + 'static {
    /// What the reader gets.
    type Message: Send + 'static;

    /// Reads a batch behind `after`; the serial is the one up to which everything was looked at.
    fn read(&mut self, after: Serial) -> impl Future<Output = Result<(Vec<Self::Message>, Serial), Failure>> + Send;

    /// Says that everything up to a serial was sent.
    fn progress(&self, upto: Serial) -> Self::Message;
}

/// Begins to follow behind `after`, up to `until` where that is given. The result is the messages, then a failure or nothing.
///
/// # Errors
/// As many follow already as may.
pub(crate) fn open<S: Source>(
    edge: &Arc<Edge>,
    source: S,
    after: Serial,
    until: Option<Serial>,
) -> Result<BoxStream<'static, Result<S::Message, Failure>>, Failure> {
    let place = Arc::clone(&edge.watchers).try_acquire_owned().map_err(|_| Failure::new(Reason::Busy))?;
    edge.counters.add(Event::Watches, 1);
    let (sender, messages) = mpsc::channel(edge.limits.watch_batch);
    let feed = Feed { edge: Arc::clone(edge), source, after, until, sender };
    let ended = tokio::spawn(async move {
        let ended = feed.run().await;
        drop(place);
        ended
    });
    let last = stream::once(async move {
        let stopped = Failure::new(Reason::Internal).with("detail", "the watch has ended early");
        ended.await.unwrap_or(Err(stopped)).err().map(Err)
    });
    Ok(ReceiverStream::new(messages).map(Ok).chain(last.filter_map(|end| async { end })).boxed())
}

struct Feed<S: Source> {
    edge: Arc<Edge>,
    source: S,
    /// Everything up to here was sent.
    after: Serial,
    /// Where to end.
    until: Option<Serial>,
    sender: mpsc::Sender<S::Message>,
}

/// What the feed does next.
enum Next {
    Read,
    TellProgress,
    Stop,
    Leave,
}

impl<S: Source> Feed<S> {
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
                // The reader goes on elsewhere from where it was told to be.
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

    /// Reads and sends one batch. Break: nobody reads any more.
    async fn read(&mut self) -> Result<ControlFlow<()>, Failure> {
        let (messages, upto) = self.source.read(self.after).await?;
        for message in messages {
            if self.send(message).await?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.after = upto;
        Ok(ControlFlow::Continue(()))
    }

    async fn tell_progress(&mut self) -> Result<ControlFlow<()>, Failure> {
        let message = self.source.progress(self.after);
        self.send(message).await
    }

    /// Waits until there is room; a reader that does not read is cut off.
    async fn send(&mut self, message: S::Message) -> Result<ControlFlow<()>, Failure> {
        let patience = self.edge.limits.reader_time;
        match timeout(patience, self.sender.send(message)).await {
            Ok(Ok(())) => Ok(ControlFlow::Continue(())),
            Ok(Err(_)) => Ok(ControlFlow::Break(())),
            Err(_) => {
                self.edge.counters.add(Event::CutSlowReader, 1);
                Err(Failure::new(Reason::SlowReader).with("seconds", patience.as_secs()))
            }
        }
    }
}
