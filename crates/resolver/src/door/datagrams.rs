//! Questions in QUIC datagrams. The rules are with the mapping in [`super::quic`].

use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use quinn::Connection;
use tokio::sync::watch;
use tokio::time::timeout;

use super::clock::Clock;
use super::conversation::{StreamDoor, is_plain_question};
use super::counters::DoorEvent;
use super::quic::ready;
use super::refusal::{BUSY, Refusal, USE_A_STREAM};
use super::slow_pool::{Given, Job};
use super::workbench::{Answered, BATCH};
use crate::question::{Action, Origin, OwnedQuestion, SlowReason};

/// Answers datagrams until the connection ends.
pub(super) async fn serve(
    connection: Connection,
    door: Arc<StreamDoor>,
    origin: Origin,
    mut confirmed: watch::Receiver<bool>,
) {
    let mut output = Vec::new();
    while let Ok(first) = connection.read_datagram().await {
        let mut batch = ArrayVec::<_, BATCH>::new();
        batch.push(first);
        let limit = door.shared.limits.stream_batch.min(BATCH);
        while batch.len() < limit
            && let Some(Ok(next)) = ready(connection.read_datagram())
        {
            batch.push(next);
        }
        door.counters.add(DoorEvent::PacketsIn, batch.len());
        door.counters.add(DoorEvent::BytesIn, batch.iter().map(|datagram| datagram.len()).sum());
        if !*confirmed.borrow() && !batch.iter().all(|message| is_plain_question(message)) {
            door.counters.add(DoorEvent::EarlyWaited, 1);
            let complete = timeout(door.shared.limits.message_time, confirmed.wait_for(|confirmed| *confirmed)).await;
            if !matches!(complete, Ok(Ok(_))) {
                return;
            }
        }
        let desk = Desk { connection: &connection, door: &door, origin, since: door.shared.clock.elapsed() };
        desk.answer(&batch, &mut output).await;
        if *confirmed.borrow() {
            door.shared.policy.exempt(door.shared.clock.moment(), origin.peer.ip());
        }
    }
}

/// What the answers of one batch have in common.
struct Desk<'a> {
    connection: &'a Connection,
    door: &'a Arc<StreamDoor>,
    origin: Origin,
    since: Duration,
}

impl Desk<'_> {
    async fn answer<M: AsRef<[u8]>>(&self, batch: &[M], output: &mut Vec<u8>) {
        output.clear();
        let messages = batch.iter().map(AsRef::as_ref);
        let answered = self.door.benches.with(|bench| bench.answer(self.origin, self.since, messages, output)).await;
        let mut rest = output.as_slice();
        for (answered, message) in answered.into_iter().zip(batch) {
            let message = message.as_ref();
            match answered {
                Answered::Reply { length, .. } => {
                    let (answer, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                    rest = behind;
                    send(self.connection, self.door, message, answer);
                }
                // No datagram holds more than the first room.
                Answered::Large => self.refuse(message, USE_A_STREAM).await,
                Answered::Slow(reason) => self.answer_slowly(message, reason).await,
                Answered::Nothing => {}
            }
        }
    }

    async fn answer_slowly(&self, message: &[u8], reason: SlowReason) {
        let question = OwnedQuestion { origin: self.origin, request: message.into() };
        let (connection, door, request) = (self.connection.clone(), Arc::clone(self.door), question.request.clone());
        let reply = Box::new(move |action: Action, answer: &[u8]| {
            if matches!(action, Action::Reply { .. }) {
                send(&connection, &door, &request, answer)
            } else {
                Given::Answer
            }
        });
        if !self.door.shared.slow.submit(Job { question, reason, since: self.since, reply }) {
            self.door.counters.add(DoorEvent::BusySlowPool, 1);
            self.refuse(message, BUSY).await;
        }
    }

    /// Refuses a message of which there is no record yet.
    async fn refuse(&self, message: &[u8], refusal: Refusal<'_>) {
        refuse(self.connection, self.door, message, refusal);
        self.door.benches.with(|bench| bench.refused(self.origin, self.since, message)).await;
    }
}

/// Sends an answer in one datagram, or the refusal to do so.
fn send(connection: &Connection, door: &StreamDoor, message: &[u8], answer: &[u8]) -> Given {
    if connection.max_datagram_size().is_some_and(|largest| answer.len() <= largest) {
        hand_over(connection, door, answer);
        Given::Answer
    } else {
        refuse(connection, door, message, USE_A_STREAM);
        Given::Busy
    }
}

fn refuse(connection: &Connection, door: &StreamDoor, message: &[u8], refusal: Refusal<'_>) {
    if refusal == USE_A_STREAM {
        door.counters.add(DoorEvent::TooLargeForDatagram, 1);
    }
    let mut room = [0; 128];
    if let Some(length) = door.shared.own.refuse(Clock::now(), message, refusal, &mut room, usize::MAX) {
        hand_over(connection, door, room.get(..length).unwrap_or_default());
    }
}

/// A datagram that cannot be sent is lost like any other; a connection that is gone is noticed by reading.
fn hand_over(connection: &Connection, door: &StreamDoor, bytes: &[u8]) {
    if connection.send_datagram(bytes.to_vec().into()).is_ok() {
        door.counters.add(DoorEvent::PacketsOut, 1);
        door.counters.add(DoorEvent::BytesOut, bytes.len());
    }
}
