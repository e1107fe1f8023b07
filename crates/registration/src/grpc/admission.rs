//! Who calls is found out from the headers, before anything of the messages is read: strangers cost no memory.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::failed;
use crate::counters::Event;
use crate::door::Peer;
use crate::edge::Edge;
use crate::edge::caller::{Caller, Credentials};
use crate::failure::Failure;
use crate::reasons::{Language, Reason};

/// Paths that need a credential: our own services. Health and reflection answer everybody.
const OURS: &str = "/waymark.";

/// Lets known callers in; they stand in the extensions of their request.
#[derive(Clone)]
pub(super) struct Admission {
    edge: Arc<Edge>,
}

impl Admission {
    pub(super) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }
}

impl<S> Layer<S> for Admission {
    type Service = Admitting<S>;

    fn layer(&self, inner: S) -> Admitting<S> {
        Admitting { edge: Arc::clone(&self.edge), inner }
    }
}

/// A service behind the [`Admission`].
#[derive(Clone)]
pub(super) struct Admitting<S> {
    edge: Arc<Edge>,
    inner: S,
}

impl<S, B> Service<Request<B>> for Admitting<S>
where
    S: Service<Request<B>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that is ready; the clone waits for its own turn.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        if !request.uri().path().starts_with(OURS) {
            return inner.call(request).boxed();
        }
        let edge = Arc::clone(&self.edge);
        async move {
            let peer = request.extensions().get::<Peer>().cloned();
            match admit(&edge, request.headers(), peer.as_ref()).await {
                Ok(caller) => {
                    let language = caller.language;
                    request.extensions_mut().insert(caller);
                    inner.call(request).await.map(|response| explained(response, &edge, language))
                }
                Err(status) => Ok(status.into_http()),
            }
        }
        .boxed()
    }
}

/// What the gRPC library refuses by itself gets a reason too.
fn explained(response: Response<Body>, edge: &Edge, language: Language) -> Response<Body> {
    let Some(status) = Status::from_header_map(response.headers()).filter(|status| status.details().is_empty()) else {
        return response;
    };
    let failure = match status.code() {
        Code::OutOfRange => Failure::new(Reason::MessageTooLarge),
        Code::Unimplemented => Failure::new(Reason::Unimplemented),
        Code::InvalidArgument | Code::Internal => Failure::new(Reason::InvalidArgument),
        _ => return response,
    };
    failed(edge, &failure.with("detail", status.message()), language).into_http()
}

async fn admit(edge: &Edge, headers: &HeaderMap, peer: Option<&Peer>) -> Result<Caller, Status> {
    edge.counters.add(Event::Calls, 1);
    let credentials = Credentials::of_call(headers, peer);
    let called = async {
        if edge.stopping.has_begun() {
            return Err(Failure::new(Reason::Stopping));
        }
        let caller = edge.caller(&credentials).await?;
        edge.within_rate(&caller, 1)?;
        Ok(caller)
    };
    called.await.map_err(|failure| failed(edge, &failure, credentials.language))
}
