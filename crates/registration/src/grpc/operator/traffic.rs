//! `waymark.operator.v1.Traffic`: requests by day.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use tonic::{Request, Response, Status};
use waymark_api::operator::v1::{self, traffic_server};
use waymark_catalog::access::Verb;

use crate::config::{TRAFFIC_PREFIX_BYTES, TRAFFIC_SOURCES};
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::grpc::{answer, caller, failed};
use crate::reasons::Reason;
use crate::traffic::{DayAsked, DayParts, Traffic, TrafficError};

/// The service over the edge.
pub(in crate::grpc) struct TrafficService {
    edge: Arc<Edge>,
}

impl TrafficService {
    pub(in crate::grpc) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    /// Addresses of those who ask are for who runs the node or audits it.
    fn admit(&self, caller: &Caller) -> Result<&Arc<dyn Traffic>, Failure> {
        if !(caller.rights.has(Verb::Audit) && caller.rights.is_everywhere()) {
            return Err(self.edge.deny(caller, Verb::Audit, b""));
        }
        let none =
            || Failure::new(Reason::Unimplemented).with("detail", "statistics of requests (traffic.count is off)");
        self.edge.traffic.as_ref().ok_or_else(none)
    }

    async fn day(&self, caller: &Caller, request: v1::TrafficDayRequest) -> Result<DayParts, Failure> {
        let traffic = self.admit(caller)?;
        let v1::TrafficDayRequest { day, prefix, sources } = request;
        if prefix.len() > TRAFFIC_PREFIX_BYTES {
            let problem = format!("must have at most {TRAFFIC_PREFIX_BYTES} bytes");
            return Err(Failure::invalid_field("prefix", problem));
        }
        let sources = usize::try_from(sources).unwrap_or(usize::MAX);
        if sources > TRAFFIC_SOURCES {
            return Err(Failure::invalid_field("sources", format!("must be at most {TRAFFIC_SOURCES}")));
        }
        let prefix = Some(prefix.to_ascii_uppercase().into_bytes()).filter(|prefix| !prefix.is_empty());
        traffic.day(DayAsked { day, prefix, sources }).await.map_err(refused)
    }
}

fn refused(error: TrafficError) -> Failure {
    match error {
        TrafficError::NotADay => Failure::invalid_field("day", "must be a day such as 2026-11-29"),
        TrafficError::Nothing => Failure::new(Reason::NotFound).with("what", "day"),
        TrafficError::Unreadable => Failure::unreadable("figures of requests"),
    }
}

#[tonic::async_trait]
impl traffic_server::Traffic for TrafficService {
    type DayStream = BoxStream<'static, Result<v1::TrafficPart, Status>>;

    async fn day(&self, request: Request<v1::TrafficDayRequest>) -> Result<Response<Self::DayStream>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let told = Self::day(self, &caller, request.into_inner()).await;
        let parts = told.map_err(|failure| failed(&self.edge, &failure, caller.language))?;
        Ok(Response::new(stream::iter(parts.map(Ok)).boxed()))
    }

    async fn list_days(
        &self,
        request: Request<v1::ListTrafficDaysRequest>,
    ) -> Result<Response<v1::ListTrafficDaysResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let listed = async {
            let days = self.admit(&caller)?.days().await.map_err(refused)?;
            Ok(v1::ListTrafficDaysResponse { days })
        };
        answer(&self.edge, &caller, listed).await
    }
}
