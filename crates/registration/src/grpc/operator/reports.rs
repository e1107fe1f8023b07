//! `waymark.operator.v1.Reports`: reports of the node, and what is planned.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use waymark_api::operator::v1::{self, reports_server};
use waymark_catalog::access::Verb;

use super::incidents::{admit, wait};
use super::plans;
use crate::edge::Edge;
use crate::grpc::{answer, caller};

/// The service over the edge.
pub(in crate::grpc) struct ReportService {
    edge: Arc<Edge>,
}

impl ReportService {
    pub(in crate::grpc) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }
}

#[tonic::async_trait]
impl reports_server::Reports for ReportService {
    async fn month(&self, request: Request<v1::MonthReportRequest>) -> Result<Response<v1::MonthReport>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let asked = async {
            let (watching, request) = (admit(&self.edge, &caller, Verb::Audit)?, request.into_inner());
            wait(watching, move |watching| watching.month(&request)).await
        };
        answer(&self.edge, &caller, asked).await
    }

    async fn put_plan(&self, request: Request<v1::PutPlanRequest>) -> Result<Response<v1::PutPlanResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, plans::put(&self.edge, &caller, request.into_inner())).await
    }

    async fn get_plan(&self, request: Request<v1::GetPlanRequest>) -> Result<Response<v1::GetPlanResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { plans::get(&self.edge, &caller, request.into_inner().year) }).await
    }
}
