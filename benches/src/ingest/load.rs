//! The client of a run: one stream, a window of items under way, every outcome looked at.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, metadata::MetadataValue, transport::Channel};
use waymark_api::registration::v1::{
    Items, OpenStream, UploadRequest, exchange_response, item_outcome, registration_client::RegistrationClient,
    upload_request,
};

use super::record::Shape;

/// What a run sends.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `http://127.0.0.1:PORT`.
    pub server: String,
    /// Token of the caller; the null service looks at none.
    pub token: Option<String>,
    /// The records.
    pub shape: Shape,
    /// Number of the round; its identifiers are new.
    pub round: u32,
    /// Changes in one message.
    pub batch: u64,
    /// Messages under way.
    pub window: usize,
    /// How long.
    pub length: Duration,
}

/// What a run gave.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    /// Items acknowledged.
    pub items: u64,
    /// Of these, refused.
    pub refused: u64,
    /// From the first item sent to the last outcome.
    pub elapsed: Duration,
}

/// Sends for the plan's time and waits for every outcome.
///
/// # Errors
/// The server cannot be reached, ends the stream, or answers something else than the items in order.
pub async fn run(plan: &Plan) -> Result<Tally, Box<dyn Error>> {
    let channel = Channel::from_shared(plan.server.clone())?.connect().await?;
    let mut client = RegistrationClient::new(channel).max_decoding_message_size(16 << 20);
    let (sender, receiver) = mpsc::channel::<UploadRequest>(plan.window);
    let open = OpenStream { stream: format!("ingest-{}-{}", std::process::id(), plan.round) };
    sender.send(UploadRequest { message: Some(upload_request::Message::Open(open)) }).await?;
    let mut request = Request::new(ReceiverStream::new(receiver));
    if let Some(token) = &plan.token {
        request.metadata_mut().insert("authorization", MetadataValue::try_from(format!("Bearer {token}"))?);
    }
    let mut answers = client.exchange(request).await?.into_inner();
    #[expect(clippy::disallowed_methods, reason = "a measure of time")]
    let started = Instant::now();
    let (shape, round, batch, length) = (plan.shape, plan.round, plan.batch, plan.length);
    let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(plan.window));
    let window = std::sync::Arc::clone(&permits);
    let sending = tokio::spawn(async move {
        let mut first_number = 1;
        while started.elapsed() < length {
            let Ok(permit) = window.acquire().await else { break };
            permit.forget();
            let changes = (first_number..first_number + batch).map(|number| shape.change(round, number)).collect();
            let items = Items { first_number, changes };
            if sender.send(UploadRequest { message: Some(upload_request::Message::Items(items)) }).await.is_err() {
                break;
            }
            first_number += batch;
        }
        first_number - 1
    });
    let (mut seen, mut refused, mut in_message) = (0, 0, 0);
    while let Some(response) = answers.message().await? {
        let Some(exchange_response::Message::Outcomes(outcomes)) = response.message else { continue };
        for outcome in outcomes.outcomes {
            if outcome.number != seen + 1 {
                return Err(format!("outcome of item {} after that of {seen}", outcome.number).into());
            }
            seen += 1;
            in_message += 1;
            refused += u64::from(matches!(outcome.outcome, Some(item_outcome::Outcome::Refusal(_))));
            if in_message == batch {
                in_message = 0;
                permits.add_permits(1);
            }
        }
    }
    let elapsed = started.elapsed();
    let sent = sending.await?;
    if seen == sent {
        Ok(Tally { items: seen, refused, elapsed })
    } else {
        Err(format!("{seen} of {sent} outcomes").into())
    }
}
