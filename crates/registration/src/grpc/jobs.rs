//! `waymark.registration.v1.Jobs`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::task::spawn_blocking;
use tonic::{Request, Response, Status, Streaming};
use waymark_api::registration::v1::{self, jobs_server, submit_job_request};

use super::stream::of_transport;
use super::{answer, caller, failed};
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::jobs::{self, failure_of};
use crate::reasons::Reason;

/// Bytes of a result sent at a time.
const RESULT_CHUNK_BYTES: usize = 64 << 10;

/// The service over the edge and its jobs; without a folder for them every call says so.
pub(crate) struct Jobs {
    edge: Arc<Edge>,
    jobs: Option<Arc<jobs::Jobs>>,
}

impl Jobs {
    pub(crate) fn new(edge: &Arc<Edge>, jobs: Option<Arc<jobs::Jobs>>) -> Self {
        Self { edge: Arc::clone(edge), jobs }
    }

    /// The caller, who may use jobs, and the jobs.
    async fn begin<T>(&self, request: &Request<T>) -> Result<(Caller, Arc<jobs::Jobs>), Status> {
        let caller = caller(&self.edge, request).await?;
        let jobs = jobs::permit(&caller)
            .and_then(|()| self.jobs.clone().ok_or_else(|| Failure::new(Reason::Unimplemented).with("detail", "jobs")));
        match jobs {
            Ok(jobs) => Ok((caller, jobs)),
            Err(failure) => Err(failed(&self.edge, &failure, caller.language)),
        }
    }
}

#[tonic::async_trait]
impl jobs_server::Jobs for Jobs {
    async fn submit(&self, request: Request<Streaming<v1::SubmitJobRequest>>) -> Result<Response<v1::Job>, Status> {
        let (caller, jobs) = self.begin(&request).await?;
        let mut messages = request.into_inner();
        let submitted = async {
            let first = tokio::time::timeout(self.edge.limits.call_time, messages.message()).await;
            let first = first.map_err(|_| Failure::new(Reason::DeadlineExceeded))?;
            let first = first.map_err(|status| of_transport(&status))?.and_then(|first| first.message);
            let Some(submit_job_request::Message::Header(header)) = first else {
                return Err(Failure::invalid_field("message", "must be `header` first"));
            };
            let parts = messages.map(|message| part(message.map_err(|status| of_transport(&status))?));
            jobs::submit(&jobs, &self.edge, &caller, header, parts.boxed()).await
        };
        submitted.await.map(Response::new).map_err(|failure| failed(&self.edge, &failure, caller.language))
    }

    async fn show(&self, request: Request<v1::ShowJobRequest>) -> Result<Response<v1::Job>, Status> {
        let (caller, jobs) = self.begin(&request).await?;
        let id = request.into_inner().id;
        answer(&self.edge, &caller, async { jobs.show(&caller, &id) }).await
    }

    async fn list(&self, request: Request<v1::ListJobsRequest>) -> Result<Response<v1::ListJobsResponse>, Status> {
        let (caller, jobs) = self.begin(&request).await?;
        let request = request.into_inner();
        answer(&self.edge, &caller, async { jobs.list(&caller, &request) }).await
    }

    async fn cancel(&self, request: Request<v1::CancelJobRequest>) -> Result<Response<v1::Job>, Status> {
        let (caller, jobs) = self.begin(&request).await?;
        let id = request.into_inner().id;
        let canceller = caller.clone();
        answer(&self.edge, &caller, async {
            let cancelled = spawn_blocking(move || jobs.cancel(&canceller, &id)).await;
            cancelled.map_err(|_| Failure::new(Reason::Internal).with("detail", "cancelling"))?
        })
        .await
    }

    type ResultStream = BoxStream<'static, Result<v1::JobResultChunk, Status>>;

    async fn result(&self, request: Request<v1::JobResultRequest>) -> Result<Response<Self::ResultStream>, Status> {
        let (caller, jobs) = self.begin(&request).await?;
        let language = caller.language;
        let opened = async {
            let (path, bytes) = jobs.result(&caller, &request.into_inner().id)?;
            chunks(path, bytes).await.map_err(|error| failure_of(&error))
        };
        let chunks = opened.await.map_err(|failure| failed(&self.edge, &failure, language))?;
        let edge = Arc::clone(&self.edge);
        let chunks = chunks.map_err(move |error| failed(&edge, &failure_of(&error), language));
        Ok(Response::new(chunks.boxed()))
    }
}

fn part(request: v1::SubmitJobRequest) -> Result<Vec<u8>, Failure> {
    match request.message {
        Some(submit_job_request::Message::Chunk(chunk)) => Ok(chunk),
        _ => Err(Failure::invalid_field("message", "must be `chunk` after the header")),
    }
}

/// The first `bytes` of a file, piece by piece.
async fn chunks(path: PathBuf, bytes: u64) -> io::Result<BoxStream<'static, Result<v1::JobResultChunk, io::Error>>> {
    if bytes == 0 {
        return Ok(stream::empty().boxed());
    }
    let file = File::open(path).await?;
    let pieces = stream::try_unfold((file, bytes), |(mut file, left)| async move {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(RESULT_CHUNK_BYTES);
        if size == 0 {
            return Ok(None);
        }
        let mut chunk = vec![0; size];
        file.read_exact(&mut chunk).await?;
        let left = left.saturating_sub(u64::try_from(size).unwrap_or(u64::MAX));
        Ok(Some((v1::JobResultChunk { chunk }, (file, left))))
    });
    Ok(pieces.boxed())
}
