//! The gRPC service: who sends, which fault a part meets, what the ledger says to it.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{Sleep, sleep};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use waymark_api::toplevel::v1::{Acknowledgement, Part, WatermarksRequest, WatermarksResponse, sets_server::Sets};

use super::config::{HELD_BACK, WAITING_ACKNOWLEDGEMENTS};
use super::faults::{Fate, Fault};
use super::ledger::{TakeError, is_node, refusal};
use super::{Shared, begun};
use crate::check::{Complaints, Set};

/// Takes sets.
pub(super) struct Receiver {
    shared: Arc<Shared>,
    stopping: watch::Receiver<bool>,
}

impl Receiver {
    pub(super) const fn new(shared: Arc<Shared>, stopping: watch::Receiver<bool>) -> Self {
        Self { shared, stopping }
    }

    /// The prefix a caller's certificate names; `None` where callers show none.
    fn caller<T>(&self, request: &Request<T>) -> Result<Option<String>, Status> {
        if !self.shared.names_callers {
            return Ok(None);
        }
        let certificates = request.peer_certs();
        let own = certificates.as_ref().and_then(|certificates| certificates.first());
        let name = own.and_then(|certificate| common_name(certificate));
        name.map(Some).ok_or_else(|| Status::unauthenticated("the certificate names no node by one common name"))
    }
}

#[tonic::async_trait]
impl Sets for Receiver {
    type DeliverStream = ReceiverStream<Result<Acknowledgement, Status>>;

    async fn deliver(&self, request: Request<Streaming<Part>>) -> Result<Response<Self::DeliverStream>, Status> {
        let caller = self.caller(&request)?;
        let room = Arc::clone(&self.shared.streams).try_acquire_owned();
        let room = room.map_err(|_| Status::resource_exhausted("too many streams are open"))?;
        let (answers, stream) = mpsc::channel(WAITING_ACKNOWLEDGEMENTS);
        let delivery = Delivery { shared: Arc::clone(&self.shared), caller, answers, late: None, _room: room };
        tokio::spawn(delivery.run(request.into_inner(), self.stopping.clone()));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn watermarks(&self, request: Request<WatermarksRequest>) -> Result<Response<WatermarksResponse>, Status> {
        let caller = self.caller(&request)?;
        let node = request.into_inner().node;
        check_node(caller.as_deref(), &node)?;
        if self.shared.faults.is_away() {
            return Err(away());
        }
        let shared = Arc::clone(&self.shared);
        let watermarks = tokio::task::spawn_blocking(move || shared.ledgers.watermarks(&node)).await;
        let watermarks = watermarks.map_err(|_| Status::internal("the ledger could not be asked"))?;
        Ok(Response::new(WatermarksResponse { watermarks }))
    }
}

/// One stream of parts.
struct Delivery {
    shared: Arc<Shared>,
    caller: Option<String>,
    answers: mpsc::Sender<Result<Acknowledgement, Status>>,
    /// An acknowledgement that the next one overtakes, and until when it waits for that.
    late: Option<(Acknowledgement, Pin<Box<Sleep>>)>,
    _room: OwnedSemaphorePermit,
}

/// The stream is over: with an error, or without a word.
type Over = ControlFlow<Option<Status>>;

impl Delivery {
    async fn run(mut self, mut parts: Streaming<Part>, mut stopping: watch::Receiver<bool>) {
        let over = loop {
            let part = tokio::select! {
                biased;
                () = begun(&mut stopping) => break Some(Status::unavailable("stopping")),
                () = is_over(&mut self.late) => {
                    if self.send_late().await.is_break() {
                        break None;
                    }
                    continue;
                }
                part = parts.message() => part,
            };
            match part {
                Ok(Some(part)) => {
                    if let ControlFlow::Break(over) = self.part(part, &mut stopping).await {
                        break over;
                    }
                }
                Ok(None) => {
                    let _gone = self.send_late().await;
                    break None;
                }
                // The caller is gone, or sent what is no part; it is told by the transport.
                Err(status) => break Some(status),
            }
        };
        if let Some(status) = over {
            // Whoever is gone is told nothing.
            let _gone = self.answers.send(Err(status)).await;
        }
    }

    async fn part(&mut self, part: Part, stopping: &mut watch::Receiver<bool>) -> Over {
        if let Err(status) = check_node(self.caller.as_deref(), &part.node) {
            return Over::Break(Some(status));
        }
        let Ok(set) = part.set.parse::<Set>() else {
            let complaints = Complaints::of_part("set", "is none there is").into_told();
            return self.send(refusal(&part, complaints)).await;
        };
        let fate = self.shared.faults.next(&part.node, set);
        if fate.has(Fault::Unavailable) {
            return Over::Break(Some(away()));
        }
        tokio::select! {
            () = begun(stopping) => return Over::Break(Some(Status::unavailable("stopping"))),
            () = sleep(fate.delay) => {}
        }
        if fate.has(Fault::DropPart) {
            return Over::Continue(());
        }
        let shared = Arc::clone(&self.shared);
        let taken = tokio::task::spawn_blocking(move || {
            let now = shared.faults.skewed((shared.clock)());
            shared.ledgers.take(set, part, now)
        });
        match taken.await {
            Ok(Ok(acknowledgement)) => self.answer(acknowledgement, &fate).await,
            Ok(Err(error)) => Over::Break(Some(not_taken(&error))),
            Err(_) => Over::Break(Some(Status::internal("the part could not be looked at"))),
        }
    }

    /// Acknowledges, as far as the fate of the part lets it.
    async fn answer(&mut self, acknowledgement: Acknowledgement, fate: &Fate) -> Over {
        if fate.has(Fault::Close) {
            return Over::Break(None);
        }
        if fate.has(Fault::DropAcknowledgement) {
            return Over::Continue(());
        }
        if fate.has(Fault::DuplicateAcknowledgement) {
            self.send(acknowledgement.clone()).await?;
        }
        if fate.has(Fault::ReorderAcknowledgement) && self.late.is_none() {
            self.late = Some((acknowledgement, Box::pin(sleep(HELD_BACK))));
            return Over::Continue(());
        }
        self.send(acknowledgement).await?;
        self.send_late().await
    }

    async fn send(&self, acknowledgement: Acknowledgement) -> Over {
        match self.answers.send(Ok(acknowledgement)).await {
            Ok(()) => Over::Continue(()),
            Err(_) => Over::Break(None),
        }
    }

    async fn send_late(&mut self) -> Over {
        match self.late.take() {
            Some((acknowledgement, _)) => self.send(acknowledgement).await,
            None => Over::Continue(()),
        }
    }
}

/// Ends when what is late has waited long enough; never where nothing is.
async fn is_over(late: &mut Option<(Acknowledgement, Pin<Box<Sleep>>)>) {
    match late {
        Some((_, sleep)) => sleep.as_mut().await,
        None => std::future::pending().await,
    }
}

/// A node sends for itself only, under a name that is a prefix.
fn check_node(caller: Option<&str>, node: &str) -> Result<(), Status> {
    if !is_node(node) {
        return Err(Status::invalid_argument("node is no prefix such as 88.990"));
    }
    match caller {
        Some(caller) if caller != node => Err(Status::permission_denied("node is not that of the certificate")),
        _ => Ok(()),
    }
}

fn away() -> Status {
    Status::unavailable("away, as was asked for")
}

fn not_taken(error: &TakeError) -> Status {
    match error {
        TakeError::Early => Status::failed_precondition("the period is not over by the clock here"),
        TakeError::Full => Status::resource_exhausted("no more is held here"),
        TakeError::Ledger(cause) => {
            tracing::error!(error = cause as &dyn std::error::Error, "a part could not be kept");
            Status::unavailable("the part could not be kept")
        }
    }
}

/// The common name of a certificate, where it has exactly one.
fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?.to_owned();
    names.next().is_none().then_some(name)
}
