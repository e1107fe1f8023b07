//! `waymark.registration.v1.Followers`.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status};
use waymark_api::registration::v1::{self, followers_server};

use super::{answer, caller, failed};
use crate::edge::Edge;
use crate::failure::Failure;
use crate::followers;

/// The service over the edge.
pub(super) struct FollowerService {
    edge: Arc<Edge>,
}

impl FollowerService {
    pub(super) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }
}

#[tonic::async_trait]
impl followers_server::Followers for FollowerService {
    type FollowStream = BoxStream<'static, Result<v1::FollowResponse, Status>>;

    async fn follow(&self, request: Request<v1::FollowRequest>) -> Result<Response<Self::FollowStream>, Status> {
        let caller = Arc::new(caller(&self.edge, &request).await?);
        let (edge, language) = (Arc::clone(&self.edge), caller.language);
        let fail = move |failure: Failure| failed(&edge, &failure, language);
        let told = followers::follow(&self.edge, &caller, request.into_inner()).map_err(&fail)?;
        Ok(Response::new(told.map(move |each| each.map_err(&fail)).boxed()))
    }

    async fn confirm(&self, request: Request<v1::ConfirmRequest>) -> Result<Response<v1::ConfirmResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let confirmed = followers::confirm(&self.edge, &caller, request.into_inner());
        answer(&self.edge, &caller, async { confirmed.map(|()| v1::ConfirmResponse {}) }).await
    }

    async fn list(
        &self,
        request: Request<v1::ListFollowersRequest>,
    ) -> Result<Response<v1::ListFollowersResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let listed = followers::list(&self.edge, &caller, request.into_inner());
        answer(&self.edge, &caller, async { listed }).await
    }
}
