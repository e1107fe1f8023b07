//! `waymark.operator.v1.Recursion`: what is known of names that live elsewhere.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use tonic::{Request, Response, Status};
use waymark_api::operator::v1::{self, recursion_server};
use waymark_catalog::access::Verb;

use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::grpc::{answer, caller, failed};
use crate::reasons::Reason;
use crate::recursion::Recursion;

/// Longest name taken in bytes: that of the protocol.
const NAME_BYTES: usize = 2_048;

/// The service over the edge.
pub(in crate::grpc) struct RecursionService {
    edge: Arc<Edge>,
}

impl RecursionService {
    pub(in crate::grpc) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    /// The cache serves everybody: whoever looks into it or changes it runs the node.
    fn admit(&self, caller: &Caller) -> Result<&Arc<dyn Recursion>, Failure> {
        if !caller.rights.has_everywhere(Verb::Home) {
            return Err(self.edge.deny(caller, Verb::Home, b""));
        }
        let none = || Failure::new(Reason::Unimplemented).with("detail", "recursion (recursion.sources is empty)");
        self.edge.recursion.as_ref().ok_or_else(none)
    }

    fn flush(&self, caller: &Caller, request: v1::FlushCacheRequest) -> Result<v1::FlushCacheResponse, Failure> {
        use v1::flush_cache_request::What;
        let recursion = self.admit(caller)?;
        let what = request.what.ok_or_else(|| Failure::invalid_field("what", "must be named"))?;
        match &what {
            What::Handle(handle) => check_name("handle", handle)?,
            What::Prefix(prefix) => check_name("prefix", prefix)?,
            What::All(true) => {}
            What::All(false) => return Err(Failure::invalid_field("all", "must be true, or something else named")),
        }
        let entries = recursion.flush(&what);
        tracing::info!(by = caller.actor.name(), entries, "cache flushed");
        Ok(v1::FlushCacheResponse { entries })
    }

    async fn trace(&self, caller: &Caller, request: v1::TraceNameRequest) -> Result<v1::TraceNameResponse, Failure> {
        let recursion = self.admit(caller)?;
        check_name("handle", &request.handle)?;
        Ok(recursion.trace(request).await)
    }
}

fn check_name(field: &'static str, name: &str) -> Result<(), Failure> {
    let problem = format!("must have between 1 and {NAME_BYTES} bytes");
    if name.is_empty() || name.len() > NAME_BYTES { Err(Failure::invalid_field(field, problem)) } else { Ok(()) }
}

#[tonic::async_trait]
impl recursion_server::Recursion for RecursionService {
    type DumpStream = BoxStream<'static, Result<v1::CacheEntry, Status>>;

    async fn stats(&self, request: Request<v1::RecursionStatsRequest>) -> Result<Response<v1::RecursionStats>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { Ok(self.admit(&caller)?.stats()) }).await
    }

    async fn flush(&self, request: Request<v1::FlushCacheRequest>) -> Result<Response<v1::FlushCacheResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { Self::flush(self, &caller, request.into_inner()) }).await
    }

    async fn dump(&self, request: Request<v1::DumpCacheRequest>) -> Result<Response<Self::DumpStream>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let admitted = self.admit(&caller).map_err(|failure| failed(&self.edge, &failure, caller.language))?;
        Ok(Response::new(stream::iter(admitted.entries().map(Ok)).boxed()))
    }

    async fn trace(&self, request: Request<v1::TraceNameRequest>) -> Result<Response<v1::TraceNameResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::trace(self, &caller, request.into_inner())).await
    }
}
