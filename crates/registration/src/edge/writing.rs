//! The way to the writer for calls.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use waymark_catalog::business::{Deed, OperatorCommand};
use waymark_catalog::{Order, Receipt, Request, Submission, Ticket, import};

use super::Edge;
use super::caller::Caller;
use crate::counters::Event;
use crate::failure::Failure;
use crate::reasons::Reason;
use crate::registered::Registering;

impl Edge {
    /// Carries out one order. Durable and visible when this returns; a caller that gives up waiting changes nothing about it.
    pub(crate) async fn apply(
        &self,
        caller: &Caller,
        order: Order,
        request: Option<Request>,
    ) -> Result<Receipt, Failure> {
        let tells_content = caller.tells_content(&order);
        let registering = Registering::of(&order, self.registrations.as_ref());
        let submission = Submission { request, ..Submission::new(&caller.actor, [order]) };
        let ticket = self.catalog.writer().submit(submission).map_err(|error| {
            self.counters.add(Event::Busy, 1);
            Failure::from(error)
        })?;
        let results = ticket.done().await?;
        let result = results.into_iter().next();
        match result.ok_or_else(|| Failure::new(Reason::Internal).with("detail", "an answer without a result"))? {
            Ok(receipt) => {
                self.counters.add(Event::ChangesAccepted, 1);
                if let Some(registering) = registering {
                    registering.done(&receipt);
                }
                Ok(receipt)
            }
            Err(refusal) => {
                self.counters.add(Event::ChangesRefused, 1);
                let failure = Failure::of_refusal(&refusal, self.now());
                Err(if tells_content { failure } else { failure.without_content() })
            }
        }
    }

    /// Notes in the audit what the caller does beside the catalog.
    pub(crate) async fn note_deed(
        &self,
        caller: &Caller,
        deed: Deed,
        about: String,
        reason: &str,
    ) -> Result<(), Failure> {
        let command = OperatorCommand::NoteDeed { deed, about, reason: reason.to_owned() };
        self.apply(caller, command.into(), None).await.map(|_| ())
    }

    /// What the writer would answer to an order now; nothing is written.
    pub(crate) async fn check(&self, caller: &Caller, order: Order) -> Result<Receipt, Failure> {
        let (catalog, now) = (self.catalog.clone(), self.now());
        let tells_content = caller.tells_content(&order);
        let submission = Submission::new(&caller.actor, [order]);
        let results = self.reading.read(move |_| Ok(import::check(&catalog, submission))).await?;
        let result = results.into_iter().next();
        let result =
            result.ok_or_else(|| Failure::new(Reason::Internal).with("detail", "an answer without a result"))?;
        result.map_err(|refusal| {
            let failure = Failure::of_refusal(&refusal, now);
            if tells_content { failure } else { failure.without_content() }
        })
    }

    /// Hands a submission to the writer, waiting for room in its queue. Streams wait here with few threads, and take turns.
    pub(crate) async fn submit_when_room(&self, submission: Submission) -> Result<Ticket, Failure> {
        let turn = Arc::clone(&self.waiting).acquire_owned().await.map_err(|_| Failure::new(Reason::Stopping))?;
        let writer = self.catalog.writer();
        let waiting = spawn_blocking(move || {
            let ticket = writer.submit_when_room(submission);
            drop(turn);
            ticket
        });
        let ticket = waiting.await.map_err(|_| Failure::new(Reason::Internal).with("detail", "handing over"))?;
        Ok(ticket?)
    }
}
