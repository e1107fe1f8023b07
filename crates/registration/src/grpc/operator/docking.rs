//! `waymark.operator.v1.Docking`: how enterprises and prefixes stand with the top-level node.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use tonic::{Request, Response, Status};
use waymark_api::operator::v1::{self, docking_server};
use waymark_catalog::access::Verb;

use crate::docking::Docking;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::grpc::{answer, caller, failed};
use crate::reasons::Reason;

/// Bytes of the reason of a mark: what a reason in a case may have, but for the name before it.
const MARK_REASON_BYTES: usize = 512;

/// The service over the edge.
pub(in crate::grpc) struct DockingService {
    edge: Arc<Edge>,
}

impl DockingService {
    pub(in crate::grpc) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    /// It tells of every enterprise: for whoever runs the node or audits it (`Audit`), and what changes something for the first alone (`Home`).
    fn admit(&self, caller: &Caller, verb: Verb) -> Result<&Arc<dyn Docking>, Failure> {
        if !(caller.rights.has(verb) && caller.rights.is_everywhere()) {
            return Err(self.edge.deny(caller, verb, b""));
        }
        let none = || Failure::new(Reason::Unimplemented).with("detail", "docking (docking.address is empty)");
        self.edge.docking.as_ref().ok_or_else(none)
    }

    async fn mark(&self, caller: &Caller, request: v1::MarkDockingRequest) -> Result<v1::MarkDockingResponse, Failure> {
        let docking = Arc::clone(self.admit(caller, Verb::Home)?);
        let v1::MarkDockingRequest { prefix, approved, reason } = request;
        let reason = reason.trim();
        if reason.is_empty() || reason.len() > MARK_REASON_BYTES || reason.chars().any(char::is_control) {
            let problem = format!("must have between 1 and {MARK_REASON_BYTES} bytes, and no control characters");
            return Err(Failure::invalid_field("reason", problem));
        }
        // The case shows the actor of the exchange; who said it stands in the reason.
        let told = format!("marked by {}: {reason}", caller.actor.name());
        let name = prefix.clone();
        // It waits for the disk.
        let marked = tokio::task::spawn_blocking(move || docking.mark(&name, approved, &told)).await;
        let marked = marked.map_err(|_| Failure::new(Reason::Internal))?;
        let marked = marked.map_err(|cause| {
            tracing::error!(%cause, "a verdict could not be marked");
            Failure::new(Reason::Internal)
        })?;
        if !marked {
            return Err(Failure::new(Reason::NotFound).with("what", "transaction"));
        }
        tracing::info!(by = caller.actor.name(), %prefix, approved, "a verdict of the top-level node was marked");
        Ok(v1::MarkDockingResponse {})
    }

    fn hurry(&self, caller: &Caller) -> Result<v1::HurryDockingResponse, Failure> {
        self.admit(caller, Verb::Home)?.hurry();
        Ok(v1::HurryDockingResponse {})
    }
}

#[tonic::async_trait]
impl docking_server::Docking for DockingService {
    type TransactionsStream = BoxStream<'static, Result<v1::DockingTransaction, Status>>;

    async fn status(&self, request: Request<v1::DockingStatusRequest>) -> Result<Response<v1::DockingStatus>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { Ok(self.admit(&caller, Verb::Audit)?.status()) }).await
    }

    async fn transactions(
        &self,
        request: Request<v1::ListDockingTransactionsRequest>,
    ) -> Result<Response<Self::TransactionsStream>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let admitted =
            self.admit(&caller, Verb::Audit).map_err(|failure| failed(&self.edge, &failure, caller.language))?;
        let transactions = admitted.transactions(request.get_ref().ended);
        Ok(Response::new(stream::iter(transactions.map(Ok)).boxed()))
    }

    async fn mark(
        &self,
        request: Request<v1::MarkDockingRequest>,
    ) -> Result<Response<v1::MarkDockingResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::mark(self, &caller, request.into_inner())).await
    }

    async fn hurry(
        &self,
        request: Request<v1::HurryDockingRequest>,
    ) -> Result<Response<v1::HurryDockingResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { Self::hurry(self, &caller) }).await
    }
}
