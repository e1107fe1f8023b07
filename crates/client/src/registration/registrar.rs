//! Single calls to a registration server.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use tonic::{
    Request, Response, Status, Streaming,
    codec::CompressionEncoding,
    metadata::{Ascii, MetadataMap, MetadataValue},
    transport::Channel,
};
use uuid::Uuid;
use waymark_api::registration::v1::{self, jobs_client::JobsClient, registration_client::RegistrationClient};

use super::{
    attempts::{Attempts, Repeat},
    call::CallError,
    endpoint::{Endpoint, EndpointError, Retrying},
};
use crate::config::{ANSWER_BYTES, CALL_DEADLINE};

/// Talks to one registration server. Clones share its connection.
#[derive(Clone)]
pub struct Registrar {
    channel: Channel,
    headers: MetadataMap,
    deadline: Duration,
    /// Whether the server has yet to answer somebody who shows this client certificate.
    is_unproven: Arc<AtomicBool>,
    retrying: Option<Retrying>,
}

impl fmt::Debug for Registrar {
    /// Everything but the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registrar").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl Registrar {
    /// Prepares to talk to a server; the connection is opened with the first call, and again after it was lost. Runs inside a tokio
    /// runtime.
    ///
    /// # Errors
    /// The settings do not fit together; the server is not asked yet.
    pub fn connect(endpoint: &Endpoint) -> Result<Self, EndpointError> {
        let mut headers = MetadataMap::new();
        if let Some(authorization) = endpoint.authorization()? {
            headers.insert("authorization", authorization);
        }
        headers.insert("accept-language", MetadataValue::<Ascii>::from_static(endpoint.language));
        let is_unproven = Arc::new(AtomicBool::new(endpoint.certificate.is_some()));
        let deadline = CALL_DEADLINE.clamp(endpoint.deadline);
        Ok(Self { channel: endpoint.channel()?, headers, deadline, is_unproven, retrying: endpoint.retrying.clone() })
    }

    /// Carries out one change. `request_id` is for asking again about a change sent before; without it one is made.
    ///
    /// # Errors
    /// A refusal, or [`CallError::Unknown`] with the request id when no definite answer came in time.
    pub async fn apply(&self, change: v1::Change, request_id: Option<Uuid>) -> Result<v1::Receipt, CallError> {
        let id = request_id.unwrap_or_else(Uuid::now_v7);
        let request = v1::ApplyRequest { change: Some(change), request_id: id.to_string(), validate_only: false };
        let answer = self.call(&request, Repeat::UnderId(id), |mut to, request| async move { to.apply(request).await });
        Ok(answer.await?.receipt.unwrap_or_default())
    }

    /// Checks one change as [`Self::apply`] would and writes nothing.
    ///
    /// # Errors
    /// The refusal the change would get.
    pub async fn validate(&self, change: v1::Change) -> Result<v1::Receipt, CallError> {
        let request = v1::ApplyRequest { change: Some(change), request_id: String::new(), validate_only: true };
        let answer = self.call(&request, Repeat::Harmless, |mut to, request| async move { to.apply(request).await });
        Ok(answer.await?.receipt.unwrap_or_default())
    }

    /// How far a stream of this caller was taken in.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn stream(&self, name: &str) -> Result<v1::StreamState, CallError> {
        let request = v1::GetStreamRequest { stream: name.to_owned() };
        self.call(&request, Repeat::Harmless, |mut to, request| async move { to.get_stream(request).await }).await
    }

    /// One identifier, as it is or as it was.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn get(&self, request: &v1::GetRequest) -> Result<v1::Identifier, CallError> {
        self.call(request, Repeat::Harmless, |mut to, request| async move { to.get(request).await }).await
    }

    /// One page of identifiers.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn list(&self, request: &v1::ListRequest) -> Result<v1::ListResponse, CallError> {
        self.call(request, Repeat::Harmless, |mut to, request| async move { to.list(request).await }).await
    }

    /// One page of the versions of an identifier.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn history(&self, request: &v1::HistoryRequest) -> Result<v1::HistoryResponse, CallError> {
        self.call(request, Repeat::Harmless, |mut to, request| async move { to.history(request).await }).await
    }

    /// Who the server takes the caller for.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn who_am_i(&self) -> Result<v1::WhoAmIResponse, CallError> {
        let request = v1::WhoAmIRequest {};
        self.call(&request, Repeat::Harmless, |mut to, request| async move { to.who_am_i(request).await }).await
    }

    /// Calls the registration service with repetitions.
    async fn call<M: Clone, R, F>(
        &self,
        message: &M,
        repeat: Repeat,
        send: impl Fn(RegistrationClient<Channel>, Request<M>) -> F,
    ) -> Result<R, CallError>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        self.repeat(message, repeat, |request| send(self.registration(), request)).await
    }

    /// Makes attempts until there is an answer, each within what is left of the deadline.
    pub(crate) async fn repeat<M: Clone, R, F>(
        &self,
        message: &M,
        repeat: Repeat,
        send: impl Fn(Request<M>) -> F,
    ) -> Result<R, CallError>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let left = self.proven(repeat).await?;
        self.attempts(message, repeat, left, true, send).await
    }

    /// Makes sure of the server before it is asked for what may be done but once; gives what is left of the deadline.
    async fn proven(&self, repeat: Repeat) -> Result<Duration, CallError> {
        let started = Instant::now();
        if repeat != Repeat::Harmless {
            self.prove().await?;
        }
        Ok(self.deadline.saturating_sub(started.elapsed()))
    }

    /// As [`Self::repeat`], for calls whose answer is a stream: the deadline is for its beginning.
    pub(crate) async fn repeat_opening<M: Clone, R, F>(
        &self,
        message: &M,
        send: impl Fn(Request<M>) -> F,
    ) -> Result<Streaming<R>, CallError>
    where
        F: Future<Output = Result<Response<Streaming<R>>, Status>>,
    {
        self.attempts(message, Repeat::Harmless, self.deadline, false, send).await
    }

    /// As [`Self::repeat_opening`], for calls that change something before the stream begins.
    pub(crate) async fn repeat_change_opening<M: Clone, R, F>(
        &self,
        message: &M,
        repeat: Repeat,
        send: impl Fn(Request<M>) -> F,
    ) -> Result<Streaming<R>, CallError>
    where
        F: Future<Output = Result<Response<Streaming<R>>, Status>>,
    {
        let left = self.proven(repeat).await?;
        self.attempts(message, repeat, left, false, send).await
    }

    async fn attempts<M: Clone, R, F>(
        &self,
        message: &M,
        repeat: Repeat,
        deadline: Duration,
        tells_deadline: bool,
        send: impl Fn(Request<M>) -> F,
    ) -> Result<R, CallError>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let mut attempts = Attempts::new(deadline, repeat).telling(self.retrying.clone());
        loop {
            let left = attempts.left();
            let mut request = self.request(message.clone());
            if tells_deadline {
                request.set_timeout(left);
            }
            let status = match tokio::time::timeout(left, send(request)).await {
                Ok(Ok(answer)) => return Ok(answer.into_inner()),
                Ok(Err(status)) => status,
                Err(_) => Status::cancelled(format!("nothing came within {:.1} s", left.as_secs_f64())),
            };
            attempts.after(status).await?;
        }
    }

    /// Has the server answer a question before the first call that changes something, where a client certificate is shown. With TLS 1.3 a
    /// server refuses it when the client may have sent its request already, and whether that was carried out would be unknown.
    async fn prove(&self) -> Result<(), CallError> {
        if self.is_unproven.load(Ordering::Relaxed) {
            let ask = |request| async move { self.registration().who_am_i(request).await };
            self.attempts(&v1::WhoAmIRequest {}, Repeat::Harmless, self.deadline, true, ask).await?;
            self.is_unproven.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// A request with the caller's credential and language.
    pub(crate) fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.headers.clone();
        request
    }

    /// The connection, for other services of the same server.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The registration service.
    pub(crate) fn registration(&self) -> RegistrationClient<Channel> {
        RegistrationClient::new(self.channel())
            .max_decoding_message_size(ANSWER_BYTES)
            .accept_compressed(CompressionEncoding::Zstd)
            .accept_compressed(CompressionEncoding::Gzip)
    }

    /// Uploads a file as a job; `chunks` gives it in parts of at most 1 MiB. The caller repeats it under the header's request id.
    ///
    /// # Errors
    /// As [`Self::apply`]: the job may have been made when no answer came.
    pub async fn submit_job<S>(&self, header: v1::JobHeader, chunks: S) -> Result<v1::Job, CallError>
    where
        S: Iterator<Item = Vec<u8>> + Send + 'static,
    {
        use v1::submit_job_request::Message;
        self.prove().await?;
        let id = Uuid::parse_str(&header.request_id).ok();
        let header = v1::SubmitJobRequest { message: Some(Message::Header(header)) };
        let chunks = chunks.map(|chunk| v1::SubmitJobRequest { message: Some(Message::Chunk(chunk)) });
        let request = self.request(tokio_stream::iter(std::iter::once(header).chain(chunks)));
        let mut attempts = Attempts::once(id.map_or(Repeat::Twice, Repeat::UnderId));
        match JobsClient::new(self.channel()).submit(request).await {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(attempts.last(status)),
        }
    }

    /// One job.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn job(&self, id: &str) -> Result<v1::Job, CallError> {
        let request = v1::ShowJobRequest { id: id.to_owned() };
        self.repeat(
            &request,
            Repeat::Harmless,
            |request| async move { JobsClient::new(self.channel()).show(request).await },
        )
        .await
    }

    /// One page of jobs.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn jobs(&self, request: &v1::ListJobsRequest) -> Result<v1::ListJobsResponse, CallError> {
        self.repeat(
            request,
            Repeat::Harmless,
            |request| async move { JobsClient::new(self.channel()).list(request).await },
        )
        .await
    }

    /// Stops a job.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn cancel_job(&self, id: &str) -> Result<v1::Job, CallError> {
        let request = v1::CancelJobRequest { id: id.to_owned() };
        self.repeat(&request, Repeat::Harmless, |request| async move {
            JobsClient::new(self.channel()).cancel(request).await
        })
        .await
    }

    /// The failed lines of a job, in parts.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn job_result(&self, id: &str) -> Result<Streaming<v1::JobResultChunk>, CallError> {
        let request = v1::JobResultRequest { id: id.to_owned() };
        self.repeat_opening(&request, |request| async move { JobsClient::new(self.channel()).result(request).await })
            .await
    }
}
