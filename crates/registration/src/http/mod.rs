//! The same by HTTP/1.1 and JSON, for systems that cannot speak gRPC: a thin mapping onto the edge. `docs/http.md` describes it.

pub(crate) mod asked;
pub(crate) mod change;
pub(crate) mod problem;
pub(crate) mod request;
pub(crate) mod shown;
pub(crate) mod stream;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::StreamExt as _;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use tokio::task::JoinSet;
use waymark_api::registration::v1;
use waymark_catalog::{Door, Order};

use self::request::Query;
use crate::convert::answer::{Same, receipt};
use crate::convert::request_id;
use crate::counters::Event;
use crate::door::{Connection, Incoming, Peer};
use crate::edge::Edge;
use crate::edge::caller::{Caller, Credentials};
use crate::failure::Failure;
use crate::reading::{self, verdicts};
use crate::reasons::{Language, Reason};

/// The application protocol.
pub(crate) const ALPN: &[u8] = b"http/1.1";

/// Bytes a connection reads ahead at least: what the library needs.
const READ_BYTES: usize = 8 << 10;

/// Serves until the door stops and every call has ended.
pub(crate) async fn serve(edge: Arc<Edge>, connections: Incoming) {
    let routes = routes(&edge);
    serve_routes(edge, routes, connections).await;
}

/// The same with the routes of any door.
pub(crate) async fn serve_routes(edge: Arc<Edge>, routes: Router, mut connections: Incoming) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            connection = connections.next() => match connection {
                Some(Ok(connection)) => {
                    open.spawn(talk(Arc::clone(&edge), routes.clone(), connection));
                }
                Some(Err(_)) => {}
                None => break,
            },
            // Forgets those that have ended.
            Some(_) = open.join_next(), if !open.is_empty() => {}
        }
    }
    while open.join_next().await.is_some() {}
}

/// Serves one connection; when the door stops it ends behind the call under way.
async fn talk(edge: Arc<Edge>, routes: Router, connection: Connection) {
    let limits = edge.limits;
    let peer = connection.peer().clone();
    let service = TowerToHyperService::new(routes.layer(Extension(peer)));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.http_header_time)
        .max_buf_size(usize::try_from(limits.header_bytes).unwrap_or(READ_BYTES).max(READ_BYTES));
    let mut talking = std::pin::pin!(builder.serve_connection(TokioIo::new(connection), service));
    let mut stopping = edge.stopping.clone();
    let ended = tokio::select! {
        ended = talking.as_mut() => ended,
        () = stopping.begun() => {
            talking.as_mut().graceful_shutdown();
            talking.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection has ended");
    }
}

fn routes(edge: &Arc<Edge>) -> Router {
    Router::new()
        .route("/v1/identifiers:apply", post(apply))
        .route("/v1/identifiers", get(list))
        .route("/v1/identifiers/{*handle}", get(show).put(replace).delete(delete))
        .route("/v1/history/{*handle}", get(history))
        .route("/v1/streams/{name}", get(mark).post(stream::exchange))
        .route("/v1/verdicts", post(judge))
        .route("/v1/whoami", get(who_am_i))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(Arc::clone(edge))
}

/// The parts of a request a call looks at.
struct Call<'a> {
    edge: &'a Edge,
    peer: &'a Peer,
    headers: &'a HeaderMap,
}

/// What a call answers: a status, the identifier's serial for `ETag`, and a body.
struct Answer<T> {
    status: StatusCode,
    serial: Option<u64>,
    body: T,
}

impl<T> Answer<T> {
    const fn of(body: T) -> Self {
        Self { status: StatusCode::OK, serial: None, body }
    }
}

impl Call<'_> {
    fn language(&self) -> Language {
        request::header(self.headers, header::ACCEPT_LANGUAGE).map_or_else(Language::default, Language::preferred)
    }

    /// Says who makes the call.
    async fn caller(&self) -> Result<Caller, Failure> {
        self.edge.counters.add(Event::Calls, 1);
        if self.edge.stopping.has_begun() {
            return Err(Failure::new(Reason::Stopping));
        }
        let credentials = Credentials {
            authorization: request::header(self.headers, header::AUTHORIZATION),
            user: None,
            language: self.language(),
            peer: Some(self.peer),
            door: Door::Http,
        };
        let caller = self.edge.caller(&credentials).await?;
        self.edge.within_rate(&caller, 1)?;
        Ok(caller)
    }

    /// Runs a call to its end, within the time any call may take.
    async fn answer<T: Serialize>(&self, work: impl AsyncFnOnce(Caller) -> Result<Answer<T>, Failure>) -> Response {
        let ended = tokio::time::timeout(self.edge.limits.call_time, async { work(self.caller().await?).await }).await;
        match ended.unwrap_or_else(|_| Err(Failure::new(Reason::DeadlineExceeded))) {
            Ok(answer) => shown::response(&answer),
            Err(failure) => self.failed(&failure),
        }
    }

    /// The end of a call that failed.
    fn failed(&self, failure: &Failure) -> Response {
        self.edge.counters.add(Event::CallsFailed, 1);
        problem::response(failure, self.language())
    }

    /// Carries out one change.
    async fn apply(&self, caller: &Caller, order: Order) -> Result<Answer<shown::Receipt>, Failure> {
        let id = request::header(self.headers, "idempotency-key").unwrap_or_default();
        let request = request_id::request(id, &order)
            .map_err(|_| Failure::invalid_field("Idempotency-Key", "must be a UUID of version 7"))?;
        let same = Same::of(&order.command);
        let done = receipt(&self.edge.apply(caller, order, request).await?, same);
        let status = if done.outcome() == v1::Outcome::Created { StatusCode::CREATED } else { StatusCode::OK };
        let serial = (done.outcome() != v1::Outcome::Deleted).then_some(done.serial);
        Ok(Answer { status, serial, body: shown::Receipt::of(&done) })
    }

    /// The body, wholly, as far as it may go.
    async fn body(&self, body: Body) -> Result<Bytes, Failure> {
        if self.headers.contains_key(header::CONTENT_ENCODING) {
            return Err(Failure::invalid_field("Content-Encoding", "is not understood: send the body as it is"));
        }
        request::body(body, &self.edge.limits).await
    }
}

type Shared = State<Arc<Edge>>;

async fn apply(State(edge): Shared, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let call = Call { edge: &edge, peer: &peer, headers: &parts.headers };
    call.answer(async |caller| {
        let validate_only = asked::validate_only(&parts.uri)?;
        let order = change::order(&call.body(body).await?)?;
        if !validate_only {
            return call.apply(&caller, order).await;
        }
        let same = Same::of(&order.command);
        let would = receipt(&edge.check(&caller, order).await?, same);
        Ok(Answer::of(shown::Receipt::of(&would)))
    })
    .await
}

async fn judge(State(edge): Shared, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let call = Call { edge: &edge, peer: &peer, headers: &parts.headers };
    call.answer(async |caller| {
        let codes = change::codes(&call.body(body).await?)?;
        let judged = verdicts::judge(&edge, &caller, codes.clone()).await?;
        Ok(Answer::of(shown::Judged::of(codes, judged)))
    })
    .await
}

async fn replace(State(edge): Shared, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let call = Call { edge: &edge, peer: &peer, headers: &parts.headers };
    call.answer(async |caller| {
        let (handle, expect) = asked::identifier(&parts.uri, &parts.headers)?;
        let order = change::replacement(handle, &call.body(body).await?, expect)?;
        call.apply(&caller, order).await
    })
    .await
}

async fn delete(State(edge): Shared, Extension(peer): Extension<Peer>, headers: HeaderMap, uri: Uri) -> Response {
    let call = Call { edge: &edge, peer: &peer, headers: &headers };
    call.answer(async |caller| {
        let (handle, expect) = asked::identifier(&uri, &headers)?;
        call.apply(&caller, change::deletion(handle, expect)).await
    })
    .await
}

async fn show(State(edge): Shared, Extension(peer): Extension<Peer>, headers: HeaderMap, uri: Uri) -> Response {
    let call = Call { edge: &edge, peer: &peer, headers: &headers };
    call.answer(async |caller| {
        let found = reading::get(&edge, &caller, asked::get(&uri)?).await?;
        Ok(Answer { status: StatusCode::OK, serial: Some(found.serial), body: shown::Identifier::of(found, true)? })
    })
    .await
}

async fn list(State(edge): Shared, Extension(peer): Extension<Peer>, headers: HeaderMap, uri: Uri) -> Response {
    let call = Call { edge: &edge, peer: &peer, headers: &headers };
    call.answer(async |caller| {
        let asked = asked::list(&uri)?;
        let with_values = asked.with_values;
        let v1::ListResponse { identifiers, next_page_token, damaged } = reading::list(&edge, &caller, asked).await?;
        let page = shown::Page::of(identifiers, next_page_token, with_values)?;
        Ok(Answer::of(page.with_damage(&damaged)))
    })
    .await
}

async fn history(State(edge): Shared, Extension(peer): Extension<Peer>, headers: HeaderMap, uri: Uri) -> Response {
    let call = Call { edge: &edge, peer: &peer, headers: &headers };
    call.answer(async |caller| {
        let asked = asked::history(&uri)?;
        let with_values = asked.with_values;
        let v1::HistoryResponse { versions, next_page_token } = reading::history(&edge, &caller, asked).await?;
        Ok(Answer::of(shown::Page::of(versions, next_page_token, with_values)?))
    })
    .await
}

async fn mark(State(edge): Shared, Extension(peer): Extension<Peer>, headers: HeaderMap, uri: Uri) -> Response {
    let call = Call { edge: &edge, peer: &peer, headers: &headers };
    call.answer(async |caller| {
        let stream = asked::mark(&uri)?;
        let mark = crate::upload::mark(&edge, &caller, &stream).await?;
        Ok(Answer::of(shown::StreamState { stream, mark }))
    })
    .await
}

async fn who_am_i(State(edge): Shared, Extension(peer): Extension<Peer>, headers: HeaderMap, uri: Uri) -> Response {
    let call = Call { edge: &edge, peer: &peer, headers: &headers };
    call.answer(async |caller| {
        Query::of(&uri)?.finish()?;
        Ok(Answer::of(shown::WhoAmI::of(reading::who_am_i(&edge, &caller))))
    })
    .await
}

async fn no_such_path(State(edge): Shared, Extension(peer): Extension<Peer>, headers: HeaderMap) -> Response {
    let call = Call { edge: &edge, peer: &peer, headers: &headers };
    call.failed(&Failure::new(Reason::NoSuchPath))
}

async fn no_such_method(State(edge): Shared, Extension(peer): Extension<Peer>, headers: HeaderMap) -> Response {
    let call = Call { edge: &edge, peer: &peer, headers: &headers };
    call.failed(&Failure::new(Reason::NoSuchMethod))
}
