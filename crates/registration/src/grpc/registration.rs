//! `waymark.registration.v1.Registration`.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status, Streaming};
use waymark_api::registration::v1::{self, registration_server};

use super::{answer, caller, failed, stream};
use crate::convert::answer::{Same, receipt};
use crate::convert::{change, request_id};
use crate::edge::Edge;
use crate::failure::Failure;
use crate::{reading, upload};

/// The service over the edge.
pub(crate) struct Registration {
    edge: Arc<Edge>,
}

impl Registration {
    pub(crate) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }
}

#[tonic::async_trait]
impl registration_server::Registration for Registration {
    async fn apply(&self, request: Request<v1::ApplyRequest>) -> Result<Response<v1::ApplyResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async {
            let v1::ApplyRequest { change, request_id, validate_only } = request.into_inner();
            let change = change.ok_or_else(|| Failure::invalid_field("change", "is missing"))?;
            let order = change::order(change)?;
            let request = request_id::request(&request_id, &order)?;
            let same = Same::of(&order.command);
            let done = if validate_only {
                self.edge.check(&caller, order).await?
            } else {
                self.edge.apply(&caller, order, request).await?
            };
            Ok(v1::ApplyResponse { receipt: Some(receipt(&done, same)) })
        })
        .await
    }

    async fn upload(
        &self,
        request: Request<Streaming<v1::UploadRequest>>,
    ) -> Result<Response<v1::UploadSummary>, Status> {
        stream::upload(&self.edge, request).await
    }

    type ExchangeStream = BoxStream<'static, Result<v1::ExchangeResponse, Status>>;

    async fn exchange(
        &self,
        request: Request<Streaming<v1::UploadRequest>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        stream::exchange(&self.edge, request).await
    }

    async fn get_stream(&self, request: Request<v1::GetStreamRequest>) -> Result<Response<v1::StreamState>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async {
            let v1::GetStreamRequest { stream } = request.into_inner();
            let mark = upload::mark(&self.edge, &caller, &stream).await?;
            Ok(v1::StreamState { stream, mark })
        })
        .await
    }

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<v1::Identifier>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, reading::get(&self.edge, &caller, request.into_inner())).await
    }

    async fn list(&self, request: Request<v1::ListRequest>) -> Result<Response<v1::ListResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, reading::list(&self.edge, &caller, request.into_inner())).await
    }

    async fn history(&self, request: Request<v1::HistoryRequest>) -> Result<Response<v1::HistoryResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, reading::history(&self.edge, &caller, request.into_inner())).await
    }

    type WatchStream = BoxStream<'static, Result<v1::WatchResponse, Status>>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let caller = Arc::new(caller(&self.edge, &request).await?);
        let (language, until) = (caller.language, stream::deadline(request.metadata()));
        let edge = Arc::clone(&self.edge);
        let fail = move |failure: Failure| failed(&edge, &failure, language);
        let changes = reading::watch::open(&self.edge, &caller, request.into_inner()).map_err(&fail)?;
        let changes = changes.map(move |change| change.map_err(&fail));
        Ok(Response::new(match until {
            Some(until) => changes.take_until(tokio::time::sleep_until(until)).boxed(),
            None => changes.boxed(),
        }))
    }

    async fn who_am_i(&self, request: Request<v1::WhoAmIRequest>) -> Result<Response<v1::WhoAmIResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        Ok(Response::new(reading::who_am_i(&self.edge, &caller)))
    }
}
