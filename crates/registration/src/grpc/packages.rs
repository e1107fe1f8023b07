//! `waymark.registration.v1.Packages`.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status};
use waymark_api::registration::v1::{self, packages_server};

use super::{answer, caller, failed};
use crate::convert::package;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::packages::{self, GivenOut};

/// The service over the edge.
pub(crate) struct Packages {
    edge: Arc<Edge>,
}

type Sent = BoxStream<'static, Result<v1::CodeLines, Status>>;

impl Packages {
    pub(crate) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    /// The beginning is held to the time of a call, the sending to nothing but the receiver's patience.
    async fn send(
        &self,
        caller: &Caller,
        begin: impl Future<Output = Result<GivenOut, Failure>>,
    ) -> Result<Response<Sent>, Status> {
        let given = answer(&self.edge, caller, begin).await?.into_inner();
        let (edge, language) = (Arc::clone(&self.edge), caller.language);
        let sent = given.map(move |part| part.map_err(|failure| failed(&edge, &failure, language)));
        Ok(Response::new(sent.boxed()))
    }
}

#[tonic::async_trait]
impl packages_server::Packages for Packages {
    async fn allocate(&self, request: Request<v1::AllocateRequest>) -> Result<Response<v1::PackageResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async {
            let mut request = request.into_inner();
            let id = std::mem::take(&mut request.request_id);
            packages::change(&self.edge, &caller, package::allocate(request)?, &id).await
        })
        .await
    }

    async fn get(&self, request: Request<v1::GetPackageRequest>) -> Result<Response<v1::Package>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, packages::get(&self.edge, &caller, request.get_ref())).await
    }

    async fn list(
        &self,
        request: Request<v1::ListPackagesRequest>,
    ) -> Result<Response<v1::ListPackagesResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, packages::list(&self.edge, &caller, request.get_ref())).await
    }

    async fn bind(&self, request: Request<v1::BindCodesRequest>) -> Result<Response<v1::PackageResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async {
            let mut request = request.into_inner();
            let id = std::mem::take(&mut request.request_id);
            packages::change(&self.edge, &caller, package::bind(request)?, &id).await
        })
        .await
    }

    async fn mark(&self, request: Request<v1::MarkCodesRequest>) -> Result<Response<v1::PackageResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async {
            let mut request = request.into_inner();
            let id = std::mem::take(&mut request.request_id);
            packages::change(&self.edge, &caller, package::mark(request)?, &id).await
        })
        .await
    }

    async fn recall(&self, request: Request<v1::RecallCodesRequest>) -> Result<Response<v1::PackageResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async {
            let mut request = request.into_inner();
            let id = std::mem::take(&mut request.request_id);
            packages::change(&self.edge, &caller, package::recall(request)?, &id).await
        })
        .await
    }

    type ExportStream = Sent;

    async fn export(&self, request: Request<v1::ExportCodesRequest>) -> Result<Response<Sent>, Status> {
        let caller = caller(&self.edge, &request).await?;
        self.send(&caller, packages::export(&self.edge, &caller, request.into_inner())).await
    }

    type LeaseStream = Sent;

    async fn lease(&self, request: Request<v1::LeaseCodesRequest>) -> Result<Response<Sent>, Status> {
        let caller = caller(&self.edge, &request).await?;
        self.send(&caller, packages::lease(&self.edge, &caller, request.into_inner())).await
    }

    async fn reconcile(
        &self,
        request: Request<v1::ReconcileCodesRequest>,
    ) -> Result<Response<v1::PackageResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async {
            let mut request = request.into_inner();
            let id = std::mem::take(&mut request.request_id);
            packages::change(&self.edge, &caller, package::reconcile(request)?, &id).await
        })
        .await
    }
}
