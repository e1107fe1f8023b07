//! Following the changes of a node, over breaks of the connection.

use std::{ops::ControlFlow, time::Duration};

use tokio::time::{Instant, sleep};
use tonic::Status;
use waymark_api::registration::v1::{self, watch_response};

use super::{
    attempts::{Attempts, Backoff, Repeat},
    call::CallError,
    exchange::again,
    registrar::Registrar,
};
use crate::config::PATIENCE;

/// What to follow.
#[derive(Clone, Debug)]
pub struct Watch {
    /// From where, under which prefix, with or without values.
    pub request: v1::WatchRequest,
    /// Time without a connection after which it is given up; moved into the range of [`PATIENCE`].
    pub patience: Duration,
}

/// What a watcher sees.
#[derive(Debug)]
#[non_exhaustive]
pub enum Watched<'a> {
    /// A change; each once, in order.
    Change(Box<v1::Identifier>),
    /// Something that the node cannot read.
    Damaged(v1::Damage),
    /// Everything up to this serial was given.
    Progress(u64),
    /// The connection broke; the next attempt follows after the wait.
    Interrupted {
        /// What broke it.
        cause: &'a Status,
        /// Time until the next attempt.
        wait: Duration,
    },
}

impl Watch {
    /// Gives all changes to `event` until it breaks, or until the node has no more where the request says so; gives the serial up to
    /// which everything was given.
    ///
    /// # Errors
    /// A refusal (`COMPACTED` where the node no longer keeps what was asked for), or no connection for too long.
    pub async fn run(
        &self,
        registrar: &Registrar,
        event: &mut (dyn FnMut(Watched<'_>) -> ControlFlow<()> + Send),
    ) -> Result<u64, CallError> {
        let patience = PATIENCE.clamp(self.patience);
        let mut request = self.request.clone();
        let mut backoff = Backoff::new();
        let mut connected = Instant::now();
        loop {
            let before = request.after_serial;
            let status = match follow(registrar, &mut request, event).await {
                Ok(()) => return Ok(request.after_serial),
                Err(status) => status,
            };
            if request.after_serial != before {
                (backoff, connected) = (Backoff::new(), Instant::now());
            }
            let wait = again(&status).map(|asked| backoff.wait(asked));
            let Some(wait) = wait.filter(|wait| connected.elapsed() + *wait <= patience) else {
                return Err(Attempts::once(Repeat::Harmless).last(status));
            };
            if event(Watched::Interrupted { cause: &status, wait }).is_break() {
                return Ok(request.after_serial);
            }
            sleep(wait).await;
        }
    }
}

/// Follows on one connection; moves the request on with what was given.
async fn follow(
    registrar: &Registrar,
    request: &mut v1::WatchRequest,
    event: &mut (dyn FnMut(Watched<'_>) -> ControlFlow<()> + Send),
) -> Result<(), Status> {
    let mut answers = registrar.registration().watch(registrar.request(request.clone())).await?.into_inner();
    while let Some(answer) = answers.message().await? {
        let (serial, seen) = match answer.message {
            Some(watch_response::Message::Change(change)) => (change.serial, Watched::Change(Box::new(change))),
            Some(watch_response::Message::Progress(serial)) => (serial, Watched::Progress(serial)),
            Some(watch_response::Message::Damaged(damage)) => (damage.last_serial, Watched::Damaged(damage)),
            None => continue,
        };
        request.after_serial = request.after_serial.max(serial);
        request.from_now = false;
        if event(seen).is_break() {
            return Ok(());
        }
    }
    if request.until_now { Ok(()) } else { Err(Status::unavailable("the server ended the watch")) }
}
