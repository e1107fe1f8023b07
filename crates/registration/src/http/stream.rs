//! Streams of changes: JSON lines in, JSON lines of outcomes out, both at once.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use serde::Serialize;
use waymark_api::registration::v1;
use waymark_catalog::Order;

use super::problem::Problem;
use super::{Call, asked, change, shown};
use crate::door::Peer;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::reasons::{Language, Reason};
use crate::upload::{self, Chunk, Decided, Part};

/// One line of the answer.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", untagged)]
enum Line {
    Opened(shown::StreamState),
    Done { number: u64, receipt: shown::Receipt },
    Refused { number: u64, refusal: Problem },
    Summary { summary: Summary },
    Failed { failure: Problem },
}

#[derive(Serialize)]
struct Summary {
    created: u64,
    changed: u64,
    unchanged: u64,
    refused: u64,
    repeated_items: u64,
    mark: u64,
}

/// `POST /v1/streams/NAME?first=N`
pub(super) async fn exchange(
    State(edge): State<Arc<Edge>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let call = Call { edge: &edge, peer: &peer, headers: &parts.headers };
    let language = call.language();
    let begun = async {
        let caller = Arc::new(call.caller().await?);
        let (stream, first) = asked::exchange(&parts.uri)?;
        if parts.headers.contains_key(header::CONTENT_ENCODING) {
            return Err(Failure::invalid_field("Content-Encoding", "is not understood: send the body as it is"));
        }
        let upload = upload::open(&edge, &caller, &stream).await?;
        let state = shown::StreamState { stream, mark: upload.mark() };
        let chunks = Items::new(body, first, edge.limits.message_bytes).chunks();
        Ok((state, upload.run(chunks, None)))
    };
    match begun.await {
        Err(failure) => call.failed(&failure),
        Ok((state, answers)) => {
            let opened = stream::iter([Ok(line(&Line::Opened(state)))]);
            let lines = opened.chain(answers.map(move |part| Ok::<_, Infallible>(part_lines(part, language))));
            let mut response = Response::new(Body::from_stream(lines));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl"));
            response
        }
    }
}

fn part_lines(part: Result<Part, Failure>, language: Language) -> Bytes {
    match part {
        Ok(Part::Outcomes(decided)) => {
            let mut lines = Vec::new();
            for Decided { number, outcome } in decided {
                lines.extend_from_slice(&match outcome {
                    Ok(receipt) => line(&Line::Done { number, receipt: shown::Receipt::of(&receipt) }),
                    Err(failure) => line(&Line::Refused { number, refusal: Problem::of(&failure, language) }),
                });
            }
            lines.into()
        }
        Ok(Part::Summary(summary)) => {
            let v1::StreamSummary { created, changed, unchanged, refused, repeated_items, mark } = summary;
            line(&Line::Summary { summary: Summary { created, changed, unchanged, refused, repeated_items, mark } })
        }
        Err(failure) => line(&Line::Failed { failure: Problem::of(&failure, language) }),
    }
}

fn line(line: &Line) -> Bytes {
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

/// Cuts a body into lines, and reads each as a change. Empty lines are passed over.
struct Items {
    body: BodyDataStream,
    most_bytes: usize,
    /// What has no end of line yet.
    rest: Vec<u8>,
    /// Number of the next item.
    next: u64,
    /// The body, or what can be read of it, is at its end.
    ended: bool,
    ready: VecDeque<Result<Chunk, Failure>>,
}

impl Items {
    fn new(body: Body, first: u64, most_bytes: usize) -> Self {
        let body = body.into_data_stream();
        Self { body, most_bytes, rest: Vec::new(), next: first, ended: false, ready: VecDeque::new() }
    }

    fn chunks(self) -> BoxStream<'static, Result<Chunk, Failure>> {
        stream::unfold(self, |mut items| async move { items.next().await.map(|chunk| (chunk, items)) }).boxed()
    }

    async fn next(&mut self) -> Option<Result<Chunk, Failure>> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            if self.ended {
                return None;
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.take(&bytes),
                Some(Err(_)) => self.fail(Failure::new(Reason::StreamProtocol).with("detail", "the body was cut off")),
                None => {
                    let last = std::mem::take(&mut self.rest);
                    let chunk = self.chunk(&last);
                    self.ready.extend(chunk);
                    self.ended = true;
                }
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (lines, rest) = bytes.split_at_checked(end).unwrap_or((&[], bytes));
        if !lines.is_empty() {
            let mut whole = std::mem::take(&mut self.rest);
            whole.extend_from_slice(lines);
            let chunk = self.chunk(&whole);
            self.ready.extend(chunk);
        }
        self.rest.extend_from_slice(rest);
        if self.rest.len() > self.most_bytes {
            let detail = format!("a line may have {} bytes", self.most_bytes);
            self.fail(Failure::new(Reason::MessageTooLarge).with("detail", detail));
        }
    }

    /// Reads whole lines.
    fn chunk(&mut self, lines: &[u8]) -> Option<Result<Chunk, Failure>> {
        let items = items(lines);
        let first = self.next;
        self.next = first.saturating_add(u64::try_from(items.len()).unwrap_or(u64::MAX));
        (!items.is_empty()).then_some(Ok(Chunk { first: Some(first), items }))
    }

    fn fail(&mut self, failure: Failure) {
        self.ended = true;
        self.ready.push_back(Err(failure));
    }
}

/// Reads lines as changes; empty ones are passed over.
pub(crate) fn items(lines: &[u8]) -> Vec<Result<Order, Failure>> {
    let lines = lines.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    lines.map(change::order).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn chunks(parts: &[&'static str], most_bytes: usize) -> Vec<Result<(u64, Vec<bool>), Reason>> {
        let parts: Vec<_> = parts.iter().map(|part| Ok::<_, Infallible>(Bytes::from(*part))).collect();
        let items = Items::new(Body::from_stream(stream::iter(parts)), 5, most_bytes);
        let read = |chunk: Result<Chunk, Failure>| {
            let chunk = chunk.map_err(|failure| failure.reason())?;
            Ok((chunk.first.unwrap(), chunk.items.iter().map(Result::is_ok).collect()))
        };
        items.chunks().map(read).collect().await
    }

    #[tokio::test]
    async fn lines_are_found_however_the_body_is_cut() {
        let read = chunks(
            &["{\"handle\":\"1/a\",", "\"delete\":{}}\r\n\n", "rubbish\n{\"handle\":\"1/b\",\"delete\":{}}"],
            99,
        )
        .await;
        assert_eq!(read, [Ok((5, vec![true])), Ok((6, vec![false])), Ok((7, vec![true]))]);
    }

    #[tokio::test]
    async fn a_line_without_an_end_ends_the_stream() {
        let read = chunks(&["{\"handle\":\"1/a\",\"delete\":{}}\n", "0123456789", "0123456789", "x"], 15).await;
        assert_eq!(read, [Ok((5, vec![true])), Err(Reason::MessageTooLarge)]);
    }
}
