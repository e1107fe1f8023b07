//! A small registration server that follows the interface: streams with marks, request ids, a change feed. It remembers what it was sent.

use std::{
    collections::HashMap,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream, wrappers::TcpListenerStream};
use tonic::{
    Code, Request, Response, Status, Streaming,
    transport::{Identity, Server, ServerTlsConfig},
};
use tonic_types::{ErrorDetails, StatusExt as _};
use waymark_api::registration::v1::{
    self as v1, exchange_response, item_outcome, registration_server::Registration,
    registration_server::RegistrationServer, upload_request, watch_response,
};

/// What the server has seen and decided.
#[derive(Default)]
pub(crate) struct Seen {
    /// Handles of the stream's items in the order they were carried out, with what became of them.
    pub(crate) items: Vec<(String, item_outcome::Outcome)>,
    /// Request ids of single changes that were carried out, and how often each came.
    pub(crate) requests: HashMap<String, u32>,
    /// Headers of the last call.
    pub(crate) authorization: String,
    pub(crate) language: String,
}

/// What goes wrong on the server's side.
#[derive(Clone, Default)]
pub(crate) struct Trouble {
    /// Called when a single change was carried out, before it is answered.
    pub(crate) after_apply: Option<Arc<dyn Fn() + Send + Sync>>,
    /// This many calls are answered "busy" first.
    pub(crate) busy: Arc<AtomicU32>,
    /// Single changes are carried out and never answered.
    pub(crate) silent: bool,
    /// The mark the server claims a stream has when it is opened.
    pub(crate) claimed_mark: Option<u64>,
    /// Once it has decided this many items of a stream, it takes no more and answers no more.
    pub(crate) deaf_behind: Option<u64>,
}

#[derive(Clone, Default)]
pub(crate) struct Node {
    pub(crate) seen: Arc<Mutex<Seen>>,
    pub(crate) trouble: Trouble,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Changes in the feed of the node.
pub(crate) const FEED: u64 = 500;

impl Node {
    /// Begins to listen; gives the address.
    pub(crate) async fn start(&self, tls: Option<Identity>) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = Server::builder();
        if let Some(identity) = tls {
            server = server.tls_config(ServerTlsConfig::new().identity(identity)).unwrap();
        }
        let router = server.add_service(RegistrationServer::new(self.clone()));
        tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    fn decide(&self, number: u64, change: &v1::Change) -> Result<v1::ItemOutcome, Status> {
        let mut seen = self.seen.lock().unwrap();
        let mark = seen.items.len() as u64;
        if number > mark + 1 {
            return Err(refused(Code::FailedPrecondition, "STREAM_GAP"));
        }
        let outcome = if number <= mark {
            match seen.items[usize::try_from(number - 1).unwrap()].1.clone() {
                item_outcome::Outcome::Receipt(receipt) => {
                    item_outcome::Outcome::Receipt(v1::Receipt { repeated_request: true, ..receipt })
                }
                refusal => refusal,
            }
        } else {
            let outcome = if change.handle.contains("bad") {
                item_outcome::Outcome::Refusal(v1::Refusal { reason: "INVALID_HANDLE".into(), ..Default::default() })
            } else {
                item_outcome::Outcome::Receipt(receipt(number))
            };
            seen.items.push((change.handle.clone(), outcome.clone()));
            outcome
        };
        Ok(v1::ItemOutcome { number, outcome: Some(outcome) })
    }

    async fn exchanged(
        self,
        mut sent: Streaming<v1::UploadRequest>,
        answers: mpsc::Sender<Result<v1::ExchangeResponse, Status>>,
    ) {
        let say = |message| Ok(v1::ExchangeResponse { message: Some(message) });
        while let Some(Ok(request)) = sent.next().await {
            let decided = self.seen.lock().unwrap().items.len() as u64;
            if self.trouble.deaf_behind.is_some_and(|behind| decided >= behind) {
                std::future::pending::<()>().await;
            }
            let answer = match request.message {
                Some(upload_request::Message::Open(open)) => {
                    let mark = self.trouble.claimed_mark.unwrap_or(self.seen.lock().unwrap().items.len() as u64);
                    exchange_response::Message::Opened(v1::StreamState { stream: open.stream, mark })
                }
                Some(upload_request::Message::Items(items)) => {
                    let numbered = (items.first_number..).zip(&items.changes);
                    let outcomes = numbered.map(|(number, change)| self.decide(number, change)).collect();
                    match outcomes {
                        Ok(outcomes) => exchange_response::Message::Outcomes(v1::ItemOutcomes { outcomes }),
                        Err(status) => {
                            let _gone = answers.send(Err(status)).await;
                            return;
                        }
                    }
                }
                None => continue,
            };
            if answers.send(say(answer)).await.is_err() {
                return;
            }
        }
        let _gone = answers.send(say(exchange_response::Message::Summary(v1::StreamSummary::default()))).await;
    }
}

fn receipt(serial: u64) -> v1::Receipt {
    v1::Receipt { outcome: v1::Outcome::Created.into(), serial, ..v1::Receipt::default() }
}

pub(crate) fn refused(code: Code, reason: &str) -> Status {
    Status::with_error_details(code, "no", ErrorDetails::with_error_info(reason, "waymark", HashMap::new()))
}

#[tonic::async_trait]
impl Registration for Node {
    async fn apply(&self, request: Request<v1::ApplyRequest>) -> Result<Response<v1::ApplyResponse>, Status> {
        if self.trouble.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(refused(Code::Unavailable, "BUSY"));
        }
        let times = {
            let mut seen = self.seen.lock().unwrap();
            let header = |name: &str| request.metadata().get(name).map_or("", |v| v.to_str().unwrap()).to_owned();
            (seen.authorization, seen.language) = (header("authorization"), header("accept-language"));
            let times = seen.requests.entry(request.get_ref().request_id.clone()).or_default();
            *times += 1;
            *times
        };
        if let (Some(after), 1) = (&self.trouble.after_apply, times) {
            after();
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        if self.trouble.silent {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        let change = request.into_inner().change.unwrap_or_default();
        if change.handle.contains("bad") {
            return Err(refused(Code::InvalidArgument, "INVALID_HANDLE"));
        }
        let receipt = v1::Receipt { repeated_request: times > 1, ..receipt(7) };
        Ok(Response::new(v1::ApplyResponse { receipt: Some(receipt) }))
    }

    async fn upload(&self, _: Request<Streaming<v1::UploadRequest>>) -> Result<Response<v1::UploadSummary>, Status> {
        Err(Status::unimplemented("not asked by the client"))
    }

    type ExchangeStream = Answers<v1::ExchangeResponse>;

    async fn exchange(
        &self,
        request: Request<Streaming<v1::UploadRequest>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        let (sender, answers) = mpsc::channel(1);
        tokio::spawn(self.clone().exchanged(request.into_inner(), sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }

    async fn get_stream(&self, request: Request<v1::GetStreamRequest>) -> Result<Response<v1::StreamState>, Status> {
        let mark = self.seen.lock().unwrap().items.len() as u64;
        Ok(Response::new(v1::StreamState { stream: request.into_inner().stream, mark }))
    }

    async fn get(&self, _: Request<v1::GetRequest>) -> Result<Response<v1::Identifier>, Status> {
        Err(refused(Code::NotFound, "NOT_FOUND"))
    }

    async fn list(&self, _: Request<v1::ListRequest>) -> Result<Response<v1::ListResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn history(&self, _: Request<v1::HistoryRequest>) -> Result<Response<v1::HistoryResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    type WatchStream = Answers<v1::WatchResponse>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let after = request.into_inner().after_serial;
        if after > FEED {
            return Err(refused(Code::OutOfRange, "COMPACTED"));
        }
        let changes = (after + 1..=FEED).map(|serial| {
            let change = v1::Identifier { serial, handle: "x".repeat(50), ..v1::Identifier::default() };
            Ok(v1::WatchResponse { message: Some(watch_response::Message::Change(change)) })
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(changes.collect::<Vec<_>>()))))
    }

    async fn who_am_i(&self, _: Request<v1::WhoAmIRequest>) -> Result<Response<v1::WhoAmIResponse>, Status> {
        Ok(Response::new(v1::WhoAmIResponse { principal: "somebody".into(), ..v1::WhoAmIResponse::default() }))
    }
}
