//! `waymark.toplevel.v1.Sets`, as a node offers it to enterprises with nodes of their own: who may report for which prefix.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use waymark_api::toplevel::v1::{Acknowledgement, Part, WatermarksRequest, WatermarksResponse, sets_server};
use waymark_catalog::access::{Verb, rights_of};

use super::stream::of_transport;
use super::{answer, caller, failed};
use crate::collection::{CollectProblem, Collection};
use crate::config::COLLECTED_ACKNOWLEDGEMENTS;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::reasons::Reason;

/// Longest prefix of a node, in bytes.
const PREFIX_BYTES: usize = 64;

/// The service over the edge.
pub(super) struct SetService {
    edge: Arc<Edge>,
}

impl SetService {
    pub(super) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }
}

fn collection(edge: &Edge) -> Result<Arc<dyn Collection>, Failure> {
    let none = || {
        Failure::new(Reason::Unimplemented)
            .with("detail", "collection (sync.prefix is empty, or sync.role is enterprise)")
    };
    edge.collection.clone().ok_or_else(none)
}

/// Whoever may register below a prefix reports what was registered there.
fn admit(edge: &Edge, caller: &Caller, prefix: &str) -> Result<(), Failure> {
    if prefix.is_empty() || prefix.len() > PREFIX_BYTES {
        return Err(Failure::invalid_field("node", format!("must be a prefix of at most {PREFIX_BYTES} bytes")));
    }
    // As they are now: a stream may stay open for long.
    let rights = rights_of(&caller.actor, &edge.catalog.access(), edge.now());
    let rights = rights.ok_or_else(|| Failure::new(Reason::Unauthenticated))?;
    let folded = prefix.to_ascii_uppercase();
    if rights.allows(Verb::Create, folded.as_bytes()) {
        Ok(())
    } else {
        Err(edge.deny(caller, Verb::Create, folded.as_bytes()))
    }
}

#[tonic::async_trait]
impl sets_server::Sets for SetService {
    type DeliverStream = ReceiverStream<Result<Acknowledgement, Status>>;

    async fn deliver(&self, request: Request<Streaming<Part>>) -> Result<Response<Self::DeliverStream>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let begun = collection(&self.edge).and_then(|collection| {
            let turn = Arc::clone(&self.edge.uploads).try_acquire_owned();
            Ok((collection, turn.map_err(|_| Failure::new(Reason::Busy))?))
        });
        let (collection, turn) = begun.map_err(|failure| failed(&self.edge, &failure, caller.language))?;
        let (answers, told) = mpsc::channel(COLLECTED_ACKNOWLEDGEMENTS);
        let delivery = Delivery { edge: Arc::clone(&self.edge), caller, collection, answers, _turn: turn };
        tokio::spawn(delivery.run(request.into_inner()));
        Ok(Response::new(ReceiverStream::new(told)))
    }

    async fn watermarks(&self, request: Request<WatermarksRequest>) -> Result<Response<WatermarksResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let node = request.into_inner().node;
        let asked = async {
            let collection = collection(&self.edge)?;
            admit(&self.edge, &caller, &node)?;
            let watermarks = tokio::task::spawn_blocking(move || collection.watermarks(&node)).await;
            let watermarks = watermarks.map_err(|cause| Failure::new(Reason::Internal).with("detail", cause))?;
            Ok(WatermarksResponse { watermarks })
        };
        answer(&self.edge, &caller, asked).await
    }
}

/// One stream of parts.
struct Delivery {
    edge: Arc<Edge>,
    caller: Caller,
    collection: Arc<dyn Collection>,
    answers: mpsc::Sender<Result<Acknowledgement, Status>>,
    _turn: OwnedSemaphorePermit,
}

impl Delivery {
    /// Takes one part after the other, so that no more than one is in memory.
    async fn run(self, mut parts: Streaming<Part>) {
        let mut stopping = self.edge.stopping.clone();
        let idle = self.edge.limits.stream_idle;
        let over = loop {
            let next = tokio::select! {
                biased;
                () = stopping.begun() => break Failure::new(Reason::Stopping),
                next = timeout(idle, parts.message()) => next,
            };
            let taken = match next {
                Err(_) => Err(Failure::new(Reason::StreamIdle).with("seconds", idle.as_secs())),
                Ok(Err(status)) => Err(of_transport(&status)),
                Ok(Ok(None)) => return,
                Ok(Ok(Some(part))) => self.take(part).await,
            };
            match taken {
                Ok(told) => {
                    if self.answer(told).await.is_break() {
                        return;
                    }
                }
                Err(failure) => break failure,
            }
        };
        // Whoever is gone is told nothing.
        let _gone = self.answers.send(Err(failed(&self.edge, &over, self.caller.language))).await;
    }

    async fn take(&self, part: Part) -> Result<Acknowledgement, Failure> {
        self.edge.within_rate(&self.caller, 1)?;
        admit(&self.edge, &self.caller, &part.node)?;
        let (collection, prefix) = (Arc::clone(&self.collection), part.node.clone());
        let taken = tokio::task::spawn_blocking(move || collection.take(part)).await;
        let taken = taken.map_err(|cause| Failure::new(Reason::Internal).with("detail", cause))?;
        taken.map_err(|problem| match problem {
            CollectProblem::NotDelegated => Failure::new(Reason::NotDelegated).with("prefix", prefix),
            CollectProblem::Early => Failure::new(Reason::PeriodNotOver),
            CollectProblem::Full => Failure::new(Reason::CollectionFull).with("prefix", prefix),
            CollectProblem::Failed(cause) => {
                tracing::error!(cause, "a part of an enterprise could not be kept");
                Failure::new(Reason::WriteFailed)
            }
        })
    }

    /// Acknowledges; whoever does not read is not waited for longer than any reader.
    async fn answer(&self, told: Acknowledgement) -> ControlFlow<()> {
        match timeout(self.edge.limits.reader_time, self.answers.send(Ok(told))).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }
}
