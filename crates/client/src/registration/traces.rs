//! Calls about links between identifiers. Packing and unpacking go under a request id, made here where the caller has none.

use tonic::transport::Channel;
use uuid::Uuid;
use waymark_api::registration::v1::{self, traces_client::TracesClient};

use super::{attempts::Repeat, call::CallError, operator::calls, registrar::Registrar};
use crate::config::ANSWER_BYTES;

calls! {
    /// What an identifier is part of, made from, packed in.
    trace_up(v1::TraceRequest) -> v1::Trace, traces_service.trace_up, Harmless;
    /// What is part of an identifier, made from it, packed in it.
    trace_down(v1::TraceRequest) -> v1::Trace, traces_service.trace_down, Harmless;
}

impl Registrar {
    /// Packs identifiers in another.
    ///
    /// # Errors
    /// A refusal, or no definite answer in time; then the error says under which id to ask again.
    pub async fn aggregate(&self, mut request: v1::AggregateRequest) -> Result<v1::AggregationResponse, CallError> {
        let id = id_in(&mut request.request_id);
        let send = |request| async move { self.traces_service().aggregate(request).await };
        self.repeat(&request, Repeat::UnderId(id), send).await
    }

    /// Takes identifiers out of another.
    ///
    /// # Errors
    /// As [`aggregate`](Self::aggregate).
    pub async fn disaggregate(
        &self,
        mut request: v1::DisaggregateRequest,
    ) -> Result<v1::AggregationResponse, CallError> {
        let id = id_in(&mut request.request_id);
        let send = |request| async move { self.traces_service().disaggregate(request).await };
        self.repeat(&request, Repeat::UnderId(id), send).await
    }

    fn traces_service(&self) -> TracesClient<Channel> {
        TracesClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }
}

/// The id a request goes under, made where it has none.
fn id_in(text: &mut String) -> Uuid {
    let id = Uuid::try_parse(text).unwrap_or_else(|_| Uuid::now_v7());
    *text = id.to_string();
    id
}
