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

/// The service over the edge.
pub(in crate::grpc) struct DockingService {
    edge: Arc<Edge>,
}

impl DockingService {
    pub(in crate::grpc) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    /// It tells of every enterprise: for whoever runs the node or audits it.
    fn admit(&self, caller: &Caller) -> Result<&Arc<dyn Docking>, Failure> {
        if !(caller.rights.has(Verb::Audit) && caller.rights.is_everywhere()) {
            return Err(self.edge.deny(caller, Verb::Audit, b""));
        }
        let none = || Failure::new(Reason::Unimplemented).with("detail", "docking (docking.address is empty)");
        self.edge.docking.as_ref().ok_or_else(none)
    }
}

#[tonic::async_trait]
impl docking_server::Docking for DockingService {
    type TransactionsStream = BoxStream<'static, Result<v1::DockingTransaction, Status>>;

    async fn status(&self, request: Request<v1::DockingStatusRequest>) -> Result<Response<v1::DockingStatus>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { Ok(self.admit(&caller)?.status()) }).await
    }

    async fn transactions(
        &self,
        request: Request<v1::ListDockingTransactionsRequest>,
    ) -> Result<Response<Self::TransactionsStream>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let admitted = self.admit(&caller).map_err(|failure| failed(&self.edge, &failure, caller.language))?;
        let transactions = admitted.transactions(request.get_ref().ended);
        Ok(Response::new(stream::iter(transactions.map(Ok)).boxed()))
    }
}
