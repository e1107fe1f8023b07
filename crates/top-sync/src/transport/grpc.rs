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
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request};
use waymark_api::toplevel::v1::sets_client::SetsClient;
use waymark_api::toplevel::v1::{Acknowledgement, Outcome, Part};
use waymark_client::registration::{Endpoint, EndpointError};

use super::{CarryError, Carrying, Transport};
use crate::config::PART_BYTES;
use crate::desk::{Desk, DeskError, Prepared, Reply, Sent};
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
        let (mut sent, mut settled, mut problem) = (Sent::default(), 0, None);
        loop {
            match self.stream(desk, &mut sent, &mut settled).await {
                Ok(()) => break,
                // The stream ended over one part: the other sets go on without the set it is of.
                Err(Ended { error, over: Some(set) }) if sent.hold(set) => {
                    problem.get_or_insert(error);
                    sent.begin_again();
                }
                Err(Ended { error, .. }) => return Err(error),
            }
        }
        let problem = problem.or_else(|| sent.take_problem().map(CarryError::from));
        problem.map_or(Ok(settled), Err)
    }

    /// One stream, until nothing waits that it could carry.
    async fn stream(&self, desk: &Desk, sent: &mut Sent, settled: &mut u64) -> Result<(), Ended> {
        let first = take(desk, sent, WINDOW).await?;
        if first.is_empty() {
            return Ok(());
        }
        let mut client = SetsClient::new(self.channel.clone()).max_encoding_message_size(2 * PART_BYTES);
        let (sender, parts) = mpsc::channel(WINDOW);
        let mut flight = Flight::default();
        flight.send(&sender, first).await;
        let mut request = Request::new(ReceiverStream::new(parts));
        if let Some(token) = &self.authorization {
            request.metadata_mut().insert("authorization", token.clone());
        }
        let opened = timeout(self.silence, client.deliver(request)).await;
        let mut replies = match opened {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return Err(flight.ended(desk, &status).await),
            Err(_) => return Err(flight.lost(desk, silent(self.silence)).await.into()),
        };
        loop {
            if flight.parts.is_empty() {
                let more = take(desk, sent, WINDOW).await?;
                if more.is_empty() {
                    return Ok(());
                }
                flight.send(&sender, more).await;
            }
            let reply = match timeout(self.silence, replies.message()).await {
                Ok(Ok(Some(reply))) => reply,
                Ok(Ok(None)) => {
                    let cause = "it ended the stream before it had acknowledged everything".to_owned();
                    return Err(flight.lost(desk, CarryError::Above { cause }).await.into());
                }
                Ok(Err(status)) => return Err(flight.ended(desk, &status).await),
                Err(_) => return Err(flight.lost(desk, silent(self.silence)).await.into()),
            };
            if let Some((set, sequence, reply)) = flight.landed(&reply) {
                let (at_desk, noted) = (desk.clone(), reply.clone());
                on_disk(move || at_desk.settle(set, sequence, &noted)).await??;
                match reply {
                    Reply::OutOfOrder { expected } => {
                        // From where it says, once everything on its way is accounted for.
                        let at_desk = desk.clone();
                        if expected < sequence && on_disk(move || at_desk.has(set, expected)).await? {
                            flight.go_back(set, expected);
                            sent.go_back(set, expected);
                        } else {
                            flight.forget(set);
                            sent.fail(set, DeskError::Gone { set, expected });
                        }
                    }
                    _ => *settled += 1,
                }
            }
            let room = WINDOW.saturating_sub(flight.parts.len());
            if room >= WINDOW / 2 {
                flight.send(&sender, take(desk, sent, room).await?).await;
            }
        }
    }
}

/// How a stream ended before everything was carried.
struct Ended {
    error: CarryError,
    /// The set of the part the node above ended it over, where it said so.
    over: Option<SetName>,
}

impl<E: Into<CarryError>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self { error: error.into(), over: None }
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
struct Flight {
    parts: Vec<(SetName, u64)>,
    /// From where each set was sent again: what was on its way before that is answered with the same, once each.
    went_back: BTreeMap<SetName, u64>,
}

impl Flight {
    async fn send(&mut self, to: &mpsc::Sender<Part>, parts: Vec<Prepared>) {
        for prepared in parts {
            self.parts.push((prepared.part.set, prepared.part.sequence));
            if to.send(message(prepared)).await.is_err() {
                // The stream is over; whoever waits for the reply is told.
                return;
            }
        }
    }

    /// What became of a part on its way; `None` for one that is on no way, or of which nothing definite is said.
    fn landed(&mut self, told: &Acknowledgement) -> Option<(SetName, u64, Reply)> {
        let set: SetName = told.set.parse().ok()?;
        let at = self.parts.iter().position(|of| *of == (set, told.sequence))?;
        let reply = match Outcome::try_from(told.outcome) {
            Ok(Outcome::Stored | Outcome::StoredBefore) => Reply::Stored,
            Ok(Outcome::Refused) => Reply::Refused(complaints(told)),
            Ok(Outcome::OutOfOrder) if self.went_back.get(&set) == Some(&told.expected) => return None,
            Ok(Outcome::OutOfOrder) => Reply::OutOfOrder { expected: told.expected },
            Ok(Outcome::Unspecified) | Err(_) => return None,
        };
        self.parts.remove(at);
        Some((set, told.sequence, reply))
    }

    /// Waits for no more of a set.
    fn forget(&mut self, set: SetName) {
        self.parts.retain(|(of, _)| *of != set);
    }

    /// Waits for no more of a set, which is sent again from a sequence on.
    fn go_back(&mut self, set: SetName, expected: u64) {
        self.forget(set);
        self.went_back.insert(set, expected);
    }

    /// Notes that the node above ended the stream, and over what. Parts are taken one after the other: of a precondition the first on its way is at fault,
    /// and those behind it may come again as they are.
    async fn ended(&mut self, desk: &Desk, status: &tonic::Status) -> Ended {
        let error = above(status);
        let over = self.parts.first().map(|(set, _)| *set).filter(|_| status.code() == Code::FailedPrecondition);
        if over.is_some() {
            self.parts.truncate(1);
        }
        Ended { error: self.lost(desk, error).await, over }
    }

    /// Notes that everything on its way is lost, and why.
    async fn lost(&mut self, desk: &Desk, error: CarryError) -> CarryError {
        let (desk, reply, parts) = (desk.clone(), Reply::Lost(error.to_string()), std::mem::take(&mut self.parts));
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
async fn take(desk: &Desk, sent: &mut Sent, most: usize) -> Result<Vec<Prepared>, CarryError> {
    let (desk, mut moved) = (desk.clone(), std::mem::take(sent));
    let (taken, moved) = on_disk(move || (desk.take(&mut moved, most), moved)).await?;
    *sent = moved;
    Ok(taken?)
}

fn message(prepared: Prepared) -> Part {
    let withdrawn = prepared.is_withdrawn();
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
        withdrawn,
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
