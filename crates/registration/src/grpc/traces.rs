//! `waymark.registration.v1.Traces`.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use waymark_api::registration::v1::{self, traces_server};

use super::{answer, caller};
use crate::edge::Edge;
use crate::traces::{self, packing, ways::Direction};

/// The service over the edge.
pub(super) struct Traces {
    edge: Arc<Edge>,
}

impl Traces {
    pub(super) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }
}

#[tonic::async_trait]
impl traces_server::Traces for Traces {
    async fn trace_up(&self, request: Request<v1::TraceRequest>) -> Result<Response<v1::Trace>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, traces::trace(&self.edge, &caller, request.into_inner(), Direction::Up)).await
    }

    async fn trace_down(&self, request: Request<v1::TraceRequest>) -> Result<Response<v1::Trace>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, traces::trace(&self.edge, &caller, request.into_inner(), Direction::Down)).await
    }

    async fn aggregate(
        &self,
        request: Request<v1::AggregateRequest>,
    ) -> Result<Response<v1::AggregationResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, packing::aggregate(&self.edge, &caller, request.into_inner())).await
    }

    async fn disaggregate(
        &self,
        request: Request<v1::DisaggregateRequest>,
    ) -> Result<Response<v1::AggregationResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, packing::disaggregate(&self.edge, &caller, request.into_inner())).await
    }
}
