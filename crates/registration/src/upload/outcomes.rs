//! The giving half of a stream: waits for submissions in order, and gives out what became of each item.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::timeout;
use waymark_api::registration::v1;
use waymark_catalog::{ItemOutcome, ItemReceipt, ItemsError, Refusal, Results, StreamId, WriteError};

use super::intake::{Note, Pending};
use super::{Decided, Part, Upload};
use crate::convert::answer::{self, Same};
use crate::counters::Event;
use crate::edge::Edge;
use crate::failure::{Failure, proto_time};
use crate::reasons::Reason;

pub(super) struct Outcomes {
    edge: Arc<Edge>,
    stream: Option<StreamId>,
    pending: mpsc::Receiver<Pending>,
    parts: mpsc::Sender<Part>,
    summary: v1::StreamSummary,
}

impl Outcomes {
    pub(super) fn new(upload: &Upload, pending: mpsc::Receiver<Pending>, parts: mpsc::Sender<Part>) -> Self {
        let summary = v1::StreamSummary { mark: upload.mark, ..v1::StreamSummary::default() };
        Self { edge: Arc::clone(&upload.edge), stream: upload.stream, pending, parts, summary }
    }

    pub(super) async fn run(mut self) -> Result<(), Failure> {
        while let Some(pending) = self.pending.recv().await {
            let decided = match pending {
                Pending::Submitted { first, notes, ticket } => match ticket.done().await {
                    Ok(results) => self.decided(first, notes, results)?,
                    Err(WriteError::Partly { results, error }) => {
                        let decided = self.decided(first, notes, results)?;
                        // What ends the stream is the failure, whether anybody reads this or not.
                        let _ = self.give(Part::Outcomes(decided)).await?;
                        return Err((*error).into());
                    }
                    Err(error) => return Err(error.into()),
                },
                Pending::Repeated { first, notes } => self.repeated(first, notes).await?,
                Pending::Failed(failure) => return Err(failure),
            };
            if self.give(Part::Outcomes(decided)).await?.is_break() {
                return Ok(());
            }
        }
        let summary = self.summary;
        self.give(Part::Summary(summary)).await.map(drop)
    }

    /// Waits until the client has read what came before. Break: there is no client any more.
    async fn give(&self, part: Part) -> Result<ControlFlow<()>, Failure> {
        let patience = self.edge.limits.reader_time;
        match timeout(patience, self.parts.send(part)).await {
            Ok(Ok(())) => Ok(ControlFlow::Continue(())),
            Ok(Err(_)) => Ok(ControlFlow::Break(())),
            Err(_) => {
                self.edge.counters.add(Event::CutSlowReader, 1);
                Err(Failure::new(Reason::SlowReader).with("seconds", patience.as_secs()))
            }
        }
    }

    /// What the writer says about a submission.
    fn decided(&mut self, first: u64, notes: Vec<Note>, results: Results) -> Result<Vec<Decided>, Failure> {
        let now = self.edge.now();
        let mut decided = Vec::with_capacity(notes.len());
        for (number, (result, note)) in (first..).zip(results.into_iter().zip(notes)) {
            let outcome = match result {
                Err(moved @ Refusal::MarkMoved { .. }) => return Err(Failure::of_refusal(&moved, now)),
                Err(refusal) => {
                    let failure = note.failure.unwrap_or_else(|| Failure::of_refusal(&refusal, now));
                    Err(if note.tells_content { failure } else { failure.without_content() })
                }
                Ok(receipt) => {
                    if let Some(registering) = note.registering {
                        registering.done(&receipt);
                    }
                    Ok(answer::receipt(&receipt, note.same))
                }
            };
            self.count(number, &outcome);
            decided.push(Decided { number, outcome });
        }
        Ok(decided)
    }

    /// What became of items when they were decided before.
    async fn repeated(&mut self, first: u64, notes: Vec<Note>) -> Result<Vec<Decided>, Failure> {
        let Some(stream) = self.stream else { return Ok(Vec::new()) };
        let count = u64::try_from(notes.len()).unwrap_or(u64::MAX);
        let told = self.edge.reading.read(move |cold| {
            let mut told = Vec::new();
            let visited = cold.stream_outcomes(stream, first, count, &mut |number, outcome| {
                told.push((number, outcome));
                ControlFlow::Continue(())
            });
            visited.map(|()| told).map_err(|error| untold(&error))
        });
        let mut decided = Vec::with_capacity(notes.len());
        for ((number, outcome), note) in told.await?.into_iter().zip(notes) {
            let outcome = match outcome {
                ItemOutcome::Accepted(receipt) => Ok(repeated_receipt(&receipt, note.same)),
                ItemOutcome::Refused(code) => Err(note.failure.unwrap_or_else(|| Failure::of_code(code))),
            };
            self.summary.repeated_items += 1;
            self.edge.counters.add(Event::ItemsRepeated, 1);
            self.count(number, &outcome);
            decided.push(Decided { number, outcome });
        }
        Ok(decided)
    }

    fn count(&mut self, number: u64, outcome: &Result<v1::Receipt, Failure>) {
        let summary = &mut self.summary;
        summary.mark = summary.mark.max(number);
        match outcome {
            Err(_) => summary.refused += 1,
            Ok(receipt) => match receipt.outcome() {
                v1::Outcome::Created => summary.created += 1,
                v1::Outcome::ExistsSame | v1::Outcome::Unchanged => summary.unchanged += 1,
                _ => summary.changed += 1,
            },
        }
        let event = if outcome.is_ok() { Event::ChangesAccepted } else { Event::ChangesRefused };
        self.edge.counters.add(event, 1);
    }
}

/// Why what became of items cannot be told.
fn untold(error: &ItemsError) -> Failure {
    match error {
        ItemsError::TooOld { from } => Failure::new(Reason::OutcomeNotKept).with("from", from),
        ItemsError::NotDecided { mark } => Failure::new(Reason::StreamMoved).with("mark", mark),
        _ => Failure::unreadable("the mark of the stream"),
    }
}

fn repeated_receipt(receipt: &ItemReceipt, same: Same) -> v1::Receipt {
    v1::Receipt {
        outcome: answer::outcome(receipt.outcome, same).into(),
        serial: receipt.serial.0,
        time: receipt.time.map(proto_time),
        content_hash: receipt.content.map_or_else(Vec::new, |content| content.0.to_vec()),
        warnings: answer::warnings(receipt.warnings),
        repeated_request: true,
    }
}
