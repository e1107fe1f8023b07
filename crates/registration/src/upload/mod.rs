//! Streams of changes, for every door: items in, outcomes out, in order.
//!
//! ```text
//! messages ─ intake: number, gather, hand to the writer ─[ submissions under way ]─ outcomes: wait, number, give out ─ answers
//! ```
//! Two tasks, so that reading, converting and flushing overlap. What lies between them is bounded in submissions and bytes: a client that does
//! not read its outcomes fills it, then its own messages are no longer read, and in the end it is cut off. What was handed to the writer is
//! always finished, whatever becomes of the client; the mark of the stream tells how far that was.
//!
//! An item that cannot even be read is handed to the writer too, as an order that is refused, so that it has its number in the stream, and its
//! refusal in the audit, like any other.

mod intake;
mod outcomes;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use waymark_api::registration::v1;
use waymark_catalog::access::Verb;
use waymark_catalog::{Order, StreamId};

use crate::config::STREAM_NAME_BYTES;
use crate::counters::Event;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::reasons::Reason;

/// Some items, as one message brings them.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Number of the first item; `None` where the door does not number them.
    pub(crate) first: Option<u64>,
    /// Each read, or why it cannot be.
    pub(crate) items: Vec<Result<Order, Failure>>,
}

/// A part of the answer.
#[derive(Debug)]
pub(crate) enum Part {
    /// Outcomes with consecutive numbers.
    Outcomes(Vec<Decided>),
    /// Last, once.
    Summary(v1::StreamSummary),
}

/// What became of one item.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) number: u64,
    pub(crate) outcome: Result<v1::Receipt, Failure>,
}

/// A stream that may begin.
pub(crate) struct Upload {
    edge: Arc<Edge>,
    caller: Arc<Caller>,
    stream: Option<StreamId>,
    mark: u64,
    _turn: OwnedSemaphorePermit,
}

/// Names a stream of a principal among all of a node: the first 16 bytes of the SHA-256 of this text, a zero, the principal, a zero, the name.
pub(crate) fn stream_id(principal: &str, name: &str) -> StreamId {
    let mut hasher = Sha256::new();
    for part in ["waymark stream", "\0", principal, "\0", name] {
        hasher.update(part);
    }
    let mut id = StreamId::default();
    id.iter_mut().zip(hasher.finalize()).for_each(|(to, from)| *to = from);
    id
}

/// How far a stream of the caller was taken in.
pub(crate) async fn mark(edge: &Edge, caller: &Caller, name: &str) -> Result<u64, Failure> {
    if name.is_empty() || name.len() > STREAM_NAME_BYTES {
        return Err(Failure::invalid_field("stream", format!("must have between 1 and {STREAM_NAME_BYTES} bytes")));
    }
    let stream = stream_id(caller.actor.name(), name);
    let mark = edge
        .reading
        .read(move |cold| cold.mark(stream).map_err(|_| Failure::unreadable("the mark of the stream")))
        .await?;
    Ok(mark.unwrap_or(0))
}

/// Opens a stream; an empty name is a stream without a mark.
pub(crate) async fn open(edge: &Arc<Edge>, caller: &Arc<Caller>, name: &str) -> Result<Upload, Failure> {
    // Whoever may write nothing would only fill the log with marks.
    let writes = [Verb::Create, Verb::Modify, Verb::Delete, Verb::Suspend, Verb::Revoke];
    if !writes.into_iter().any(|verb| caller.rights.has(verb)) {
        return Err(edge.deny(caller, Verb::Create, name.as_bytes()));
    }
    let turn = Arc::clone(&edge.uploads).try_acquire_owned().map_err(|_| Failure::new(Reason::Busy))?;
    let (stream, mark) = match name {
        "" => (None, 0),
        name => (Some(stream_id(caller.actor.name(), name)), mark(edge, caller, name).await?),
    };
    edge.counters.add(Event::Uploads, 1);
    Ok(Upload { edge: Arc::clone(edge), caller: Arc::clone(caller), stream, mark, _turn: turn })
}

impl Upload {
    /// Number of the last item that was decided before.
    pub(crate) const fn mark(&self) -> u64 {
        self.mark
    }

    /// Takes items in until `source` ends, something fails, or `deadline` passes. The result is the answer: outcomes in order, then the summary,
    /// or a failure behind the outcomes of everything before it.
    pub(crate) fn run(
        self,
        source: BoxStream<'static, Result<Chunk, Failure>>,
        deadline: Option<Instant>,
    ) -> BoxStream<'static, Result<Part, Failure>> {
        let (pending, waiting) = mpsc::channel(self.edge.limits.submissions_in_flight);
        let (parts, given) = mpsc::channel(1);
        let deadline = deadline.unwrap_or_else(|| Instant::now() + FOREVER);
        let intake = intake::Intake::new(&self, source, pending, deadline);
        tokio::spawn(intake.run());
        let outcomes = outcomes::Outcomes::new(&self, waiting, parts);
        let ended = tokio::spawn(async move {
            let ended = outcomes.run().await;
            // The place of the stream is free only now.
            drop(self);
            ended
        });
        let last = stream::once(async move {
            let stopped = Failure::new(Reason::Internal).with("detail", "the stream has ended early");
            ended.await.unwrap_or(Err(stopped)).err().map(Err)
        });
        ReceiverStream::new(given).map(Ok).chain(last.filter_map(|end| async { end })).boxed()
    }
}

/// A deadline for streams without one.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_other_principals_and_names_are_other_streams() {
        let id = |principal, name| hex::encode(stream_id(principal, name));
        assert_eq!(id("p", "s"), id("p", "s"));
        assert_ne!(id("p", "s"), id("q", "s"));
        assert_ne!(id("p", "s"), id("p", "t"));
        assert_eq!(id("line-1", "2026-11"), GOLDEN, "clients continue streams across versions of this program");
    }

    const GOLDEN: &str = "e37e057d739b52eab9395a3bb2b64f87";
}
