//! Parts over gRPC, in the form of `proto/waymark/toplevel/v1`, which is our own.
//!
//! One stream for each time something waits. Parts go out while acknowledgements come in, so many at once and no more; what is on its way when the
//! stream ends is sent again by the next one, and the node above tells what it has already.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use waymark_api::toplevel::v1::sets_client::SetsClient;
use waymark_api::toplevel::v1::{Acknowledgement, Outcome, Part};
use waymark_client::registration::{Endpoint, EndpointError};

use super::{CarryError, Carrying, Transport};
use crate::config::PART_BYTES;
use crate::desk::{Desk, Prepared, Reply};
use crate::sets::SetName;

/// Parts on their way at once: at 4 MiB, what a connection over a continent holds.
const WINDOW: usize = 16;

/// Silence after which the stream counts as lost, unless told otherwise.
const SILENCE: Duration = Duration::from_secs(60);

/// Complaints of the node above that are kept with a part.
const COMPLAINTS: usize = 8;

/// Carries parts over gRPC.
#[derive(Debug)]
pub struct GrpcTransport {
    channel: Channel,
    authorization: Option<MetadataValue<Ascii>>,
    destination: String,
    silence: Duration,
}

impl GrpcTransport {
    /// To a node above; it is connected to when something waits. Runs inside a tokio runtime.
    ///
    /// # Errors
    /// The settings do not fit together.
    pub fn new(endpoint: &Endpoint) -> Result<Self, EndpointError> {
        let (channel, authorization) = (endpoint.channel()?, endpoint.authorization()?);
        Ok(Self { channel, authorization, destination: endpoint.url.to_string(), silence: SILENCE })
    }

    /// With another silence after which the stream counts as lost.
    #[must_use]
    pub const fn silent_for(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    async fn deliver(&self, desk: &Desk) -> Result<u64, CarryError> {
        let mut sent = BTreeMap::new();
        let mut first = take(desk, &mut sent, WINDOW).await?;
        if first.is_empty() {
            return Ok(0);
        }
        let mut client = SetsClient::new(self.channel.clone()).max_encoding_message_size(2 * PART_BYTES);
        let (sender, parts) = mpsc::channel(WINDOW);
        let mut flight = Flight::default();
        flight.send(&sender, std::mem::take(&mut first)).await;
        let mut request = Request::new(ReceiverStream::new(parts));
        if let Some(token) = &self.authorization {
            request.metadata_mut().insert("authorization", token.clone());
        }
        let opened = timeout(self.silence, client.deliver(request)).await;
        let mut replies = match opened {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return Err(flight.lost(desk, above(&status)).await),
            Err(_) => return Err(flight.lost(desk, silent(self.silence)).await),
        };
        let mut settled = 0;
        loop {
            if flight.0.is_empty() {
                let more = take(desk, &mut sent, WINDOW).await?;
                if more.is_empty() {
                    return Ok(settled);
                }
                flight.send(&sender, more).await;
            }
            let reply = match timeout(self.silence, replies.message()).await {
                Ok(Ok(Some(reply))) => reply,
                Ok(Ok(None)) => {
                    let cause = "it ended the stream before it had acknowledged everything".to_owned();
                    return Err(flight.lost(desk, CarryError::Above { cause }).await);
                }
                Ok(Err(status)) => return Err(flight.lost(desk, above(&status)).await),
                Err(_) => return Err(flight.lost(desk, silent(self.silence)).await),
            };
            if let Some((set, sequence, reply)) = flight.landed(&reply) {
                let (at_desk, noted) = (desk.clone(), reply.clone());
                on_disk(move || at_desk.settle(set, sequence, &noted)).await??;
                match reply {
                    Reply::OutOfOrder { expected } => {
                        // From where it says, once everything on its way is accounted for.
                        flight.0.retain(|(of, _)| *of != set);
                        let can = expected < sequence && desk.has(set, expected);
                        sent.insert(set, if can { expected.saturating_sub(1) } else { u64::MAX });
                    }
                    _ => settled += 1,
                }
            }
            let room = WINDOW.saturating_sub(flight.0.len());
            if room >= WINDOW / 2 {
                flight.send(&sender, take(desk, &mut sent, room).await?).await;
            }
        }
    }
}

impl Transport for GrpcTransport {
    fn destination(&self) -> String {
        self.destination.clone()
    }

    fn carry<'a>(&'a self, desk: &'a Desk) -> Carrying<'a> {
        Box::pin(self.deliver(desk))
    }
}

fn above(status: &tonic::Status) -> CarryError {
    CarryError::Above { cause: format!("{}: {}", status.code().description(), status.message()) }
}

const fn silent(silence: Duration) -> CarryError {
    CarryError::Silent { seconds: silence.as_secs() }
}

/// Parts on their way.
#[derive(Default)]
struct Flight(Vec<(SetName, u64)>);

impl Flight {
    async fn send(&mut self, to: &mpsc::Sender<Part>, parts: Vec<Prepared>) {
        for prepared in parts {
            self.0.push((prepared.part.set, prepared.part.sequence));
            if to.send(message(prepared)).await.is_err() {
                // The stream is over; whoever waits for the reply is told.
                return;
            }
        }
    }

    /// What became of a part on its way; `None` for one that is on no way, or of which nothing definite is said.
    fn landed(&mut self, told: &Acknowledgement) -> Option<(SetName, u64, Reply)> {
        let set: SetName = told.set.parse().ok()?;
        let at = self.0.iter().position(|of| *of == (set, told.sequence))?;
        let reply = match Outcome::try_from(told.outcome) {
            Ok(Outcome::Stored | Outcome::StoredBefore) => Reply::Stored,
            Ok(Outcome::Refused) => Reply::Refused(complaints(told)),
            Ok(Outcome::OutOfOrder) => Reply::OutOfOrder { expected: told.expected },
            Ok(Outcome::Unspecified) | Err(_) => return None,
        };
        self.0.remove(at);
        Some((set, told.sequence, reply))
    }

    /// Notes that everything on its way is lost, and why.
    async fn lost(&mut self, desk: &Desk, error: CarryError) -> CarryError {
        let (desk, reply, parts) = (desk.clone(), Reply::Lost(error.to_string()), std::mem::take(&mut self.0));
        let note = move || parts.into_iter().try_for_each(|(set, sequence)| desk.settle(set, sequence, &reply));
        match on_disk(note).await {
            Ok(Ok(())) => error,
            Ok(Err(error)) => error.into(),
            Err(error) => error,
        }
    }
}

/// Does what reads files or waits until they are written, beside the threads that carry.
async fn on_disk<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R, CarryError> {
    spawn_blocking(work).await.map_err(|cause| CarryError::Broken { cause: cause.to_string() })
}

/// The next parts behind `sent`, which is moved.
async fn take(desk: &Desk, sent: &mut BTreeMap<SetName, u64>, most: usize) -> Result<Vec<Prepared>, CarryError> {
    let (desk, mut moved) = (desk.clone(), std::mem::take(sent));
    let (taken, moved) = on_disk(move || (desk.take(&mut moved, most), moved)).await?;
    *sent = moved;
    Ok(taken?)
}

fn message(prepared: Prepared) -> Part {
    let Prepared { node, part, content, rows, sha256 } = prepared;
    Part {
        node: node.to_string(),
        set: part.set.to_string(),
        sequence: part.sequence,
        owner: part.owner,
        period: part.period,
        part: part.part,
        parts: part.parts,
        rows,
        content,
        sha256: sha256.to_vec(),
    }
}

/// The first complaints, in one line.
fn complaints(told: &Acknowledgement) -> String {
    let line = |complaint: &waymark_api::toplevel::v1::Complaint| {
        let field = if complaint.field.is_empty() { "" } else { " " };
        let problem: String = complaint.problem.chars().filter(|each| !each.is_control()).take(200).collect();
        let name: String = complaint.field.chars().filter(|each| !each.is_control()).take(64).collect();
        format!("row {}{field}{name}: {problem}", complaint.row)
    };
    let lines: Vec<String> = told.complaints.iter().take(COMPLAINTS).map(line).collect();
    if lines.is_empty() { "it gave no reason".to_owned() } else { lines.join("; ") }
}
