//! The limit: a gRPC service that decodes every item and answers each with the same receipt.

use std::{net::SocketAddr, pin::Pin};

use tokio_stream::{Stream, StreamExt as _, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};
use waymark_api::registration::v1::{
    self as v1, ExchangeResponse, ItemOutcome, ItemOutcomes, Outcome, Receipt, StreamState, UploadRequest,
    exchange_response, item_outcome,
    registration_server::{Registration, RegistrationServer},
    upload_request,
};

/// Serves on a free port of loopback until the process ends.
///
/// # Errors
/// The socket fails.
pub async fn serve(announce: impl FnOnce(SocketAddr)) -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?);
    tonic::transport::Server::builder()
        .add_service(RegistrationServer::new(Null))
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await?;
    Ok(())
}

struct Null;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn absent<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("the measure has streams only"))
}

fn answer(request: UploadRequest) -> ExchangeResponse {
    let message = match request.message {
        Some(upload_request::Message::Items(items)) => {
            let outcomes = (items.first_number..).zip(items.changes).map(|(number, change)| {
                let receipt = Receipt {
                    outcome: Outcome::Created.into(),
                    serial: number,
                    content_hash: vec![0; 32],
                    repeated_request: change.handle.is_empty(),
                    ..Receipt::default()
                };
                ItemOutcome { number, outcome: Some(item_outcome::Outcome::Receipt(receipt)) }
            });
            exchange_response::Message::Outcomes(ItemOutcomes { outcomes: outcomes.collect() })
        }
        _ => exchange_response::Message::Opened(StreamState::default()),
    };
    ExchangeResponse { message: Some(message) }
}

#[tonic::async_trait]
impl Registration for Null {
    type ExchangeStream = Answers<ExchangeResponse>;
    type WatchStream = Answers<v1::WatchResponse>;

    async fn exchange(
        &self,
        request: Request<Streaming<UploadRequest>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        Ok(Response::new(Box::pin(request.into_inner().map(|request| request.map(answer)))))
    }

    async fn apply(&self, _: Request<v1::ApplyRequest>) -> Result<Response<v1::ApplyResponse>, Status> {
        absent()
    }

    async fn upload(&self, _: Request<Streaming<UploadRequest>>) -> Result<Response<v1::UploadSummary>, Status> {
        absent()
    }

    async fn get_stream(&self, _: Request<v1::GetStreamRequest>) -> Result<Response<StreamState>, Status> {
        absent()
    }

    async fn get(&self, _: Request<v1::GetRequest>) -> Result<Response<v1::Identifier>, Status> {
        absent()
    }

    async fn list(&self, _: Request<v1::ListRequest>) -> Result<Response<v1::ListResponse>, Status> {
        absent()
    }

    async fn history(&self, _: Request<v1::HistoryRequest>) -> Result<Response<v1::HistoryResponse>, Status> {
        absent()
    }

    async fn watch(&self, _: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        absent()
    }

    async fn who_am_i(&self, _: Request<v1::WhoAmIRequest>) -> Result<Response<v1::WhoAmIResponse>, Status> {
        absent()
    }
}
