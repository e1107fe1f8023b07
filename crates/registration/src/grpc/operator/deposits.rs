//! `waymark.operator.v1.Deposits`: what the top-level node keeps for an emergency.

use std::sync::Arc;

use futures_util::stream::{BoxStream, StreamExt as _};
use tonic::{Request, Response, Status};
use waymark_api::operator::v1::{self, deposits_server};
use waymark_catalog::access::Verb;
use waymark_catalog::business::Deed;

use crate::deposits::Deposits;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::grpc::{answer, caller, failed};
use crate::reasons::Reason;

/// The service over the edge.
pub(in crate::grpc) struct DepositService {
    edge: Arc<Edge>,
}

impl DepositService {
    pub(in crate::grpc) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    /// How deposits stand tells nothing of what is in them: auditors may know.
    fn admit_watcher(&self, caller: &Caller) -> Result<Arc<dyn Deposits>, Failure> {
        if !(caller.rights.has(Verb::Audit) && caller.rights.is_everywhere()) {
            return Err(self.edge.deny(caller, Verb::Audit, b""));
        }
        self.edge.deposits.clone().ok_or_else(none_sent)
    }

    async fn status(&self, caller: &Caller) -> Result<v1::DepositStatus, Failure> {
        let deposits = self.admit_watcher(caller)?;
        let told = tokio::task::spawn_blocking(move || deposits.status()).await;
        let told = told.map_err(|_| Failure::new(Reason::Internal))?.ok_or_else(none_sent)?;
        told.map_err(|cause| {
            tracing::error!(%cause, "how deposits stand cannot be told");
            Failure::new(Reason::Internal)
        })
    }

    async fn send(
        &self,
        caller: &Caller,
        request: &v1::SendDepositRequest,
    ) -> Result<v1::SendDepositResponse, Failure> {
        let v1::SendDepositRequest { prefix, date } = request;
        let deposits = self.admit(caller)?;
        let about = if prefix.is_empty() { "all prefixes" } else { prefix };
        self.edge.note_deed(caller, Deed::DepositSend, format!("{about} {date}").trim_end().to_owned(), "").await?;
        let sent = deposits.send(request).ok_or_else(none_sent)?;
        tracing::info!(by = caller.actor.name(), prefix, date, "deposits are sent at once");
        Ok(sent)
    }

    /// A deposit holds everything, what is said of people too: it is for whoever runs the node.
    fn admit(&self, caller: &Caller) -> Result<&Arc<dyn Deposits>, Failure> {
        let rights = &caller.rights;
        if !(rights.has(Verb::Home) && rights.has(Verb::Audit) && rights.is_everywhere()) {
            return Err(self.edge.deny(caller, Verb::Home, b""));
        }
        let detail = "deposits (deposit.platform_key or deposit.node_key is empty)";
        self.edge.deposits.as_ref().ok_or_else(|| Failure::new(Reason::Unimplemented).with("detail", detail))
    }
}

fn none_sent() -> Failure {
    Failure::new(Reason::Unimplemented).with("detail", "sending of deposits (deposit.sftp_server is empty)")
}

#[tonic::async_trait]
impl deposits_server::Deposits for DepositService {
    type MakeStream = BoxStream<'static, Result<v1::MakeDepositResponse, Status>>;

    async fn make(&self, request: Request<v1::MakeDepositRequest>) -> Result<Response<Self::MakeStream>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let admitted = self.admit(&caller).map_err(|failure| failed(&self.edge, &failure, caller.language))?;
        let request = request.into_inner();
        let about = if request.prefix.is_empty() { "no prefix" } else { &request.prefix };
        let noted = self.edge.note_deed(&caller, Deed::DepositMake, about.to_owned(), "").await;
        noted.map_err(|failure| failed(&self.edge, &failure, caller.language))?;
        tracing::info!(by = caller.actor.name(), prefix = request.prefix, "deposit asked for");
        Ok(Response::new(admitted.make(request).map(Ok).boxed()))
    }

    async fn status(&self, request: Request<v1::DepositStatusRequest>) -> Result<Response<v1::DepositStatus>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::status(self, &caller)).await
    }

    async fn send(
        &self,
        request: Request<v1::SendDepositRequest>,
    ) -> Result<Response<v1::SendDepositResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::send(self, &caller, request.get_ref())).await
    }
}
