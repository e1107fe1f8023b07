//! Whether an answer goes out over UDP, and in datagrams of what size.

use std::net::UdpSocket;
use std::sync::Arc;

use waymark_wire::Envelope;
use waymark_wire::frame::config::DATAGRAM_BYTES;
use waymark_wire::frame::padding::answer_datagram_bytes;
use waymark_wire::frame::{DatagramSplitter, TruncatedBit};

use super::family::Family;
use super::send::{Packet, Sent, send_one};
use crate::door::Shared;
use crate::door::clock::Clock;
use crate::door::counters::{DoorCounters, DoorEvent};
use crate::door::refusal::BUSY_USE_TCP;
use crate::door::slow_pool::{Given, Job};
use crate::policy::{Account, Moment, Verdict};
use crate::question::{Action, Origin, OwnedQuestion, SlowReason};

/// Who asked, and what that allows.
#[derive(Clone, Copy)]
pub(super) struct Asker<F: Family> {
    pub(super) origin: Origin,
    pub(super) from: F::Address,
    pub(super) local: Option<F::Local>,
    pub(super) account: Account,
    /// All datagrams of the request, padding included.
    pub(super) request_bytes: usize,
    /// The largest of them.
    pub(super) datagram_bytes: usize,
}

/// What goes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reply {
    /// The answer, in datagrams of up to so many bytes.
    Answer { datagram_bytes: usize },
    /// The small "too busy", for this reason.
    Busy(DoorEvent),
}

impl<F: Family> Asker<F> {
    /// How large the datagrams of an answer may be: as large as the largest of the request, the classic size otherwise.
    fn answer_datagram_bytes(&self) -> usize {
        answer_datagram_bytes(self.datagram_bytes, DATAGRAM_BYTES.default)
    }

    /// How many datagrams an answer of `length` bytes takes.
    pub(super) fn packet_count(&self, length: usize) -> usize {
        let share = self.answer_datagram_bytes().saturating_sub(Envelope::LEN).max(1);
        length.saturating_sub(Envelope::LEN).div_ceil(share)
    }

    /// Decides on an answer of `length` bytes and charges it to its source.
    pub(super) fn decide(&self, shared: &Shared, now: Moment, length: usize) -> Reply {
        let datagram_bytes = self.answer_datagram_bytes();
        let packets = self.packet_count(length);
        if packets > shared.limits.udp_answer_packets {
            return Reply::Busy(DoorEvent::BusyPackets);
        }
        let answer_bytes = length.saturating_add(packets.saturating_sub(1).saturating_mul(Envelope::LEN));
        match shared.policy.charge(now, self.account, self.request_bytes, answer_bytes) {
            Verdict::Send => Reply::Answer { datagram_bytes },
            Verdict::Busy => Reply::Busy(DoorEvent::BusyBudget),
        }
    }

    /// The datagrams of an answer.
    pub(super) fn packets<'a>(
        &self,
        answer: &'a [u8],
        datagram_bytes: usize,
    ) -> impl Iterator<Item = Packet<'a, F>> + use<'a, F> {
        let (to, local) = (self.from, self.local);
        // Never an error: answers are written with their own length in front.
        let parts = DatagramSplitter::new(answer, datagram_bytes, TruncatedBit::Never).ok();
        parts.into_iter().flatten().map(move |part| Packet::part(answer, part, to, local))
    }

    /// Hands the request to the slow pool; `false` when that is full. The answer leaves through the same socket.
    pub(super) fn continue_slowly(
        self,
        request: &[u8],
        reason: SlowReason,
        shared: &Arc<Shared>,
        socket: &Arc<UdpSocket>,
        counters: &Arc<DoorCounters>,
    ) -> bool {
        let question = OwnedQuestion { origin: self.origin, request: message_of(request).into() };
        let head: Box<[u8]> = request.get(..request.len().min(HEAD_BYTES)).unwrap_or_default().into();
        let (owned_shared, socket, counters) = (Arc::clone(shared), Arc::clone(socket), Arc::clone(counters));
        let reply = Box::new(move |action: Action, answer: &[u8]| {
            if !matches!(action, Action::Reply { .. }) {
                return Given::Answer;
            }
            let (sent, given) = self.send_slowly(&head, answer, &owned_shared, &socket, &counters);
            count(&counters, sent);
            given
        });
        shared.slow.submit(Job { question, reason, since: shared.clock.elapsed(), reply })
    }

    fn send_slowly(
        self,
        head: &[u8],
        answer: &[u8],
        shared: &Shared,
        socket: &UdpSocket,
        counters: &DoorCounters,
    ) -> (Sent, Given) {
        let mut sent = Sent::default();
        match self.decide(shared, shared.clock.moment(), answer.len()) {
            Reply::Answer { datagram_bytes } => {
                for packet in self.packets(answer, datagram_bytes) {
                    sent.add(send_one(socket, &packet));
                }
                (sent, Given::Answer)
            }
            Reply::Busy(reason) => {
                counters.add(reason, 1);
                let mut room = [0; 128];
                let length = shared.own.refuse(Clock::now(), head, BUSY_USE_TCP, &mut room, self.request_bytes);
                let refusal = room.get(..length.unwrap_or_default()).unwrap_or_default();
                for packet in self.packets(refusal, self.datagram_bytes) {
                    sent.add(send_one(socket, &packet));
                }
                (sent, Given::Busy)
            }
        }
    }
}

/// Bytes of a request a refusal is made from.
const HEAD_BYTES: usize = waymark_wire::message::Head::LEN;

/// A request without its padding.
fn message_of(request: &[u8]) -> &[u8] {
    let announced = Envelope::parse(request).ok().and_then(|envelope| usize::try_from(envelope.message_length).ok());
    let length = announced.map_or(request.len(), |announced| announced.saturating_add(Envelope::LEN));
    request.get(..length).unwrap_or(request)
}

/// Adds what was sent to the door's counters.
pub(super) fn count(counters: &DoorCounters, sent: Sent) {
    counters.add(DoorEvent::PacketsOut, sent.packets);
    counters.add(DoorEvent::BytesOut, sent.bytes);
    counters.add(DoorEvent::PacketsNotTaken, sent.full);
    counters.add(DoorEvent::PacketsNotSent, sent.failed);
}
