//! `waymark.operator.v1.Sync`: what the node owes the top-level node.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use waymark_api::operator::v1::{self, sync_server};
use waymark_catalog::access::Verb;
use waymark_catalog::business::Deed;

use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::grpc::{answer, caller};
use crate::reasons::Reason;
use crate::sync::{SyncProblem, TopSync};

/// Longest reason in characters.
const REASON_CHARS: usize = 255;

/// The service over the edge.
pub(in crate::grpc) struct SyncService {
    edge: Arc<Edge>,
}

impl SyncService {
    pub(in crate::grpc) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    /// What the node owes concerns all of it: whoever looks or settles runs it.
    fn admit(&self, caller: &Caller) -> Result<Arc<dyn TopSync>, Failure> {
        if !(caller.rights.has(Verb::Home) && caller.rights.is_everywhere()) {
            return Err(self.edge.deny(caller, Verb::Home, b""));
        }
        let none = || Failure::new(Reason::Unimplemented).with("detail", "sync (sync.prefix is empty)");
        self.edge.sync.clone().ok_or_else(none)
    }

    /// Does something that waits for the disk.
    async fn wait<R: Send + 'static>(
        &self,
        sync: Arc<dyn TopSync>,
        work: impl FnOnce(&dyn TopSync) -> Result<R, SyncProblem> + Send + 'static,
    ) -> Result<R, Failure> {
        let done = tokio::task::spawn_blocking(move || work(&*sync)).await;
        let done = done.map_err(|cause| Failure::new(Reason::Internal).with("detail", cause))?;
        done.map_err(|problem| match problem {
            SyncProblem::NoPart => Failure::new(Reason::NotFound).with("what", "part"),
            SyncProblem::Failed(cause) => Failure::new(Reason::Internal).with("detail", cause),
        })
    }
}

fn check_set(sync: &dyn TopSync, set: &str) -> Result<(), Failure> {
    if sync.knows(set) {
        Ok(())
    } else {
        Err(Failure::invalid_field("set", "must be one of T1 to T11, MONITORING, INCIDENT, REPORT"))
    }
}

fn check_span(from: u64, upto: u64) -> Result<(), Failure> {
    if from == 0 || from > upto { Err(Failure::invalid_field("from", "must be from 1 to upto")) } else { Ok(()) }
}

/// Parts, as the audit names them.
fn span(set: &str, from: u64, upto: u64) -> String {
    format!("{set} {from} to {upto}")
}

#[tonic::async_trait]
impl sync_server::Sync for SyncService {
    async fn status(&self, request: Request<v1::SyncStatusRequest>) -> Result<Response<v1::SyncStatus>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let asked = async {
            let sync = self.admit(&caller)?;
            self.wait(sync, |sync| Ok(sync.status())).await
        };
        answer(&self.edge, &caller, asked).await
    }

    async fn parts(&self, request: Request<v1::ListPartsRequest>) -> Result<Response<v1::ListPartsResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let asked = async {
            let (sync, request) = (self.admit(&caller)?, request.into_inner());
            check_set(&*sync, &request.set)?;
            self.wait(sync, move |sync| Ok(sync.parts(&request))).await
        };
        answer(&self.edge, &caller, asked).await
    }

    async fn rows(&self, request: Request<v1::PartRowsRequest>) -> Result<Response<v1::PartRowsResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let asked = async {
            let (sync, request) = (self.admit(&caller)?, request.into_inner());
            check_set(&*sync, &request.set)?;
            self.wait(sync, move |sync| sync.rows(&request)).await
        };
        answer(&self.edge, &caller, asked).await
    }

    async fn resend(&self, request: Request<v1::ResendRequest>) -> Result<Response<v1::SyncChanged>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let by = caller.actor.name().to_owned();
        let asked = async {
            let (sync, request) = (self.admit(&caller)?, request.into_inner());
            check_set(&*sync, &request.set)?;
            check_span(request.from, request.upto)?;
            self.edge.note_deed(&caller, Deed::SyncResend, span(&request.set, request.from, request.upto), "").await?;
            let count = self.wait(sync, move |sync| sync.resend(&request, &by)).await?;
            Ok(v1::SyncChanged { count })
        };
        answer(&self.edge, &caller, asked).await
    }

    async fn mark(&self, request: Request<v1::MarkRequest>) -> Result<Response<v1::SyncChanged>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let by = caller.actor.name().to_owned();
        let asked = async {
            let (sync, request) = (self.admit(&caller)?, request.into_inner());
            check_set(&*sync, &request.set)?;
            check_span(request.from, request.upto)?;
            let reason = request.reason.trim();
            if reason.is_empty() || reason.chars().count() > REASON_CHARS || reason.chars().any(char::is_control) {
                return Err(Failure::invalid_field("reason", "must have 1 to 255 characters, no control characters"));
            }
            self.edge
                .note_deed(&caller, Deed::SyncMark, span(&request.set, request.from, request.upto), reason)
                .await?;
            let count = self.wait(sync, move |sync| sync.mark(&request, &by)).await?;
            Ok(v1::SyncChanged { count })
        };
        answer(&self.edge, &caller, asked).await
    }

    async fn pause(&self, request: Request<v1::PauseRequest>) -> Result<Response<v1::SyncChanged>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let by = caller.actor.name().to_owned();
        let asked = async {
            let (sync, request) = (self.admit(&caller)?, request.into_inner());
            if !request.set.is_empty() {
                check_set(&*sync, &request.set)?;
            }
            let deed = if request.paused { Deed::SyncPause } else { Deed::SyncResume };
            let about = if request.set.is_empty() { "all sets".to_owned() } else { request.set.clone() };
            self.edge.note_deed(&caller, deed, about, "").await?;
            let count = self.wait(sync, move |sync| sync.pause(&request, &by)).await?;
            Ok(v1::SyncChanged { count })
        };
        answer(&self.edge, &caller, asked).await
    }
}
