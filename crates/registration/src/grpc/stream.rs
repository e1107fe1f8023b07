//! `Upload` and `Exchange`: messages to chunks of items, parts to messages.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};
use waymark_api::registration::v1::{self, exchange_response, item_outcome, upload_request};

use super::{caller, failed};
use crate::config::SUMMARY_REFUSALS;
use crate::convert::change;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::reasons::{Language, Reason};
use crate::upload::{self, Chunk, Decided, Part};

/// A stream whose first message was read.
struct Begun {
    language: Language,
    state: v1::StreamState,
    parts: BoxStream<'static, Result<Part, Failure>>,
}

async fn begin(edge: &Arc<Edge>, request: Request<Streaming<v1::UploadRequest>>) -> Result<Begun, Status> {
    let caller = Arc::new(caller(edge, &request).await?);
    let language = caller.language;
    let deadline = deadline(request.metadata());
    let mut messages = request.into_inner();
    let begun = async {
        let first = tokio::time::timeout(edge.limits.call_time, messages.message()).await;
        let first = first.map_err(|_| Failure::new(Reason::DeadlineExceeded))?;
        let first = first.map_err(|status| of_transport(&status))?.and_then(|first| first.message);
        let Some(upload_request::Message::Open(v1::OpenStream { stream })) = first else {
            return Err(Failure::new(Reason::StreamProtocol).with("detail", "the first is not `open`"));
        };
        let upload = upload::open(edge, &caller, &stream).await?;
        let state = v1::StreamState { stream, mark: upload.mark() };
        let chunks = messages.map(|message| chunk(message.map_err(|status| of_transport(&status))?));
        Ok(Begun { language, state, parts: upload.run(chunks.boxed(), deadline) })
    };
    begun.await.map_err(|failure| failed(edge, &failure, language))
}

/// The items of a message behind the first.
pub(crate) fn chunk(request: v1::UploadRequest) -> Result<Chunk, Failure> {
    match request.message {
        Some(upload_request::Message::Items(v1::Items { first_number, changes })) => {
            Ok(Chunk { first: Some(first_number), items: changes.into_iter().map(change::order).collect() })
        }
        Some(upload_request::Message::Open(_)) => {
            Err(Failure::new(Reason::StreamProtocol).with("detail", "`open` came again"))
        }
        None => Err(Failure::new(Reason::StreamProtocol).with("detail", "a message is empty")),
    }
}

/// `Exchange`: an outcome for each item.
pub(super) async fn exchange(
    edge: &Arc<Edge>,
    request: Request<Streaming<v1::UploadRequest>>,
) -> Result<Response<BoxStream<'static, Result<v1::ExchangeResponse, Status>>>, Status> {
    let Begun { language, state, parts } = begin(edge, request).await?;
    let edge = Arc::clone(edge);
    let most_bytes = edge.limits.message_bytes / 2;
    let opened = stream::once(async { Ok(response(exchange_response::Message::Opened(state))) });
    let answers = parts.flat_map(move |part| {
        stream::iter(match part {
            Ok(Part::Outcomes(decided)) => {
                outcomes(decided, language, most_bytes).into_iter().map(|each| Ok(response(each))).collect()
            }
            Ok(Part::Summary(summary)) => vec![Ok(response(exchange_response::Message::Summary(summary)))],
            Err(failure) => vec![Err(failed(&edge, &failure, language))],
        })
    });
    Ok(Response::new(opened.chain(answers).boxed()))
}

/// Outcomes as messages that a client takes.
fn outcomes(decided: Vec<Decided>, language: Language, most_bytes: usize) -> Vec<exchange_response::Message> {
    let mut messages = Vec::new();
    let (mut outcomes, mut bytes) = (Vec::with_capacity(decided.len()), 0);
    for each in decided {
        let outcome = item_outcome(each, language);
        bytes += outcome.encoded_len();
        outcomes.push(outcome);
        if bytes >= most_bytes {
            let outcomes = std::mem::take(&mut outcomes);
            messages.push(exchange_response::Message::Outcomes(v1::ItemOutcomes { outcomes }));
            bytes = 0;
        }
    }
    if !outcomes.is_empty() {
        messages.push(exchange_response::Message::Outcomes(v1::ItemOutcomes { outcomes }));
    }
    messages
}

fn item_outcome(decided: Decided, language: Language) -> v1::ItemOutcome {
    let outcome = match decided.outcome {
        Ok(receipt) => item_outcome::Outcome::Receipt(receipt),
        Err(failure) => item_outcome::Outcome::Refusal(failure.refusal(language)),
    };
    v1::ItemOutcome { number: decided.number, outcome: Some(outcome) }
}

const fn response(message: exchange_response::Message) -> v1::ExchangeResponse {
    v1::ExchangeResponse { message: Some(message) }
}

/// `Upload`: counts and the first refusals, at the end.
pub(super) async fn upload(
    edge: &Arc<Edge>,
    request: Request<Streaming<v1::UploadRequest>>,
) -> Result<Response<v1::UploadSummary>, Status> {
    let Begun { language, mut parts, .. } = begin(edge, request).await?;
    let mut answer = v1::UploadSummary::default();
    while let Some(part) = parts.try_next().await.map_err(|failure| failed(edge, &failure, language))? {
        match part {
            Part::Summary(summary) => answer.summary = Some(summary),
            Part::Outcomes(decided) => {
                let room = SUMMARY_REFUSALS.saturating_sub(answer.refusals.len());
                let refused = decided.into_iter().filter(|each| each.outcome.is_err()).take(room);
                answer.refusals.extend(refused.map(|each| item_outcome(each, language)));
            }
        }
    }
    Ok(Response::new(answer))
}

/// What broke on the way here.
pub(super) fn of_transport(status: &Status) -> Failure {
    match status.code() {
        tonic::Code::OutOfRange => Failure::new(Reason::MessageTooLarge).with("detail", status.message()),
        _ => Failure::new(Reason::StreamProtocol).with("detail", status.message()),
    }
}

/// When the caller gives up, by `grpc-timeout` (a number of at most eight digits and a unit).
pub(in crate::grpc) fn deadline(metadata: &MetadataMap) -> Option<Instant> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok().filter(|_| number.len() <= 8)?;
    let time = match unit {
        "H" => Duration::from_secs(number.saturating_mul(3600)),
        "M" => Duration::from_secs(number.saturating_mul(60)),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    };
    Some(Instant::now() + time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_read_as_the_protocol_writes_them() {
        let after = |text: &'static str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().unwrap());
            deadline(&metadata).map(|at| (at - Instant::now()).as_secs_f64().round())
        };
        assert_eq!((after("5S"), after("1M"), after("2000m")), (Some(5.0), Some(60.0), Some(2.0)));
        assert_eq!((after("S"), after("5"), after("999999999S"), after("产S")), (None, None, None, None));
    }
}
