//! `waymark.registration.v1.Verdicts`.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use waymark_api::registration::v1::{self, verdicts_server};

use super::{answer, caller};
use crate::edge::Edge;
use crate::reading::verdicts;

/// The service over the edge.
pub(super) struct VerdictService {
    edge: Arc<Edge>,
}

impl VerdictService {
    pub(super) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }
}

#[tonic::async_trait]
impl verdicts_server::Verdicts for VerdictService {
    async fn judge(&self, request: Request<v1::JudgeRequest>) -> Result<Response<v1::JudgeResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, verdicts::judge(&self.edge, &caller, request.into_inner().codes)).await
    }
}
