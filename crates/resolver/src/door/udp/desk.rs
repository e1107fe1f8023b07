//! Answering and sending for one UDP thread.

use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use waymark_wire::Envelope;
use waymark_wire::frame::config::MAX_MESSAGE_BYTES;
use waymark_wire::frame::{Outcome as Collected, Peer, Reassembly};

use super::family::Family;
use super::receive::{BATCH, Received};
use super::reply::{Asker, Reply, count};
use super::send::{Packet, Sender, Sent};
use crate::answer::Answerer;
use crate::counters::{OpClass, Outcome};
use crate::door::Shared;
use crate::door::clock::Clock;
use crate::door::counters::{DoorCounters, DoorEvent};
use crate::door::refusal::{BUSY_USE_TCP, op_of};
use crate::policy::{Account, Admission, Moment, Source};
use crate::question::{Action, DropReason, Now, Origin, Question, SlowReason, Transport};

/// The time of a batch: the clocks are read once for all its datagrams.
#[derive(Clone, Copy)]
pub(super) struct BatchTime {
    pub(super) now: Now,
    pub(super) since: Duration,
    pub(super) moment: Moment,
}

impl BatchTime {
    pub(super) fn read(clock: Clock) -> Self {
        let since = clock.elapsed();
        Self { now: Clock::now(), since, moment: Moment::after(since) }
    }
}

/// The questions of a batch and who asked them.
pub(super) struct Batch<'b, F: Family> {
    questions: ArrayVec<Question<'b>, BATCH>,
    askers: ArrayVec<Asker<F>, BATCH>,
    /// Bytes sent from the room of each question, 0 for none.
    sent: ArrayVec<usize, BATCH>,
}

impl<'b, F: Family> Batch<'b, F> {
    pub(super) const fn new() -> Self {
        Self { questions: ArrayVec::new_const(), askers: ArrayVec::new_const(), sent: ArrayVec::new_const() }
    }

    pub(super) fn push(&mut self, asker: Asker<F>, request: &'b [u8], room: &'b mut [u8]) {
        self.questions.push(Question::new(asker.origin, request, room));
        self.askers.push(asker);
    }
}

/// Everything an answer needs, apart from the buffers of the batch it belongs to.
pub(super) struct Desk<F: Family> {
    pub(super) socket: Arc<UdpSocket>,
    pub(super) answerer: Answerer,
    pub(super) shared: Arc<Shared>,
    pub(super) counters: Arc<DoorCounters>,
    sender: Sender<F>,
    /// Room for the largest answer there is.
    large: Box<[u8]>,
    /// Our address, unless the socket is bound to all of them.
    bound: Option<IpAddr>,
    /// Answers of this batch that were sent from the large room.
    alone: usize,
}

/// Sends packets, as many together as one system call takes.
fn send_all<'p, F: Family>(
    sender: &mut Sender<F>,
    socket: &UdpSocket,
    packets: impl Iterator<Item = Packet<'p, F>>,
) -> Sent {
    let mut sent = Sent::default();
    let mut together: ArrayVec<Packet<'p, F>, BATCH> = ArrayVec::new();
    for packet in packets {
        if together.is_full() {
            sent.add(sender.send(socket, &together));
            together.clear();
        }
        together.push(packet);
    }
    sent.add(sender.send(socket, &together));
    sent
}

impl<F: Family> Desk<F> {
    pub(super) fn new(socket: UdpSocket, answerer: Answerer, shared: Arc<Shared>, counters: Arc<DoorCounters>) -> Self {
        let bound = socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified());
        Self {
            socket: Arc::new(socket),
            answerer,
            shared,
            counters,
            sender: Sender::new(),
            large: vec![0; MAX_MESSAGE_BYTES.saturating_add(Envelope::LEN)].into_boxed_slice(),
            bound,
            alone: 0,
        }
    }

    /// Decides on a datagram before anybody reads it. The flag says that its source asks too often.
    pub(super) fn admit(&self, at: BatchTime, datagram: &Received<'_, F>) -> Option<(Asker<F>, bool)> {
        let peer = F::peer(datagram.from);
        let (account, too_often) = match self.shared.policy.admit(at.moment, peer.ip()) {
            Admission::Serve(account) => (account, false),
            Admission::Busy => (Account::Free, true),
            Admission::Blocked => {
                self.answerer.counters().dropped(Transport::Udp, DropReason::SourceRefused);
                return None;
            }
        };
        if datagram.bytes.len() < Envelope::LEN {
            self.answerer.counters().dropped(Transport::Udp, DropReason::TooShort);
            return None;
        }
        let asker = Asker {
            origin: Origin { transport: Transport::Udp, peer, local: datagram.local.map(F::ip).or(self.bound) },
            from: datagram.from,
            local: datagram.local,
            account,
            request_bytes: datagram.bytes.len(),
            datagram_bytes: datagram.bytes.len(),
        };
        Some((asker, too_often))
    }

    /// Takes in one part of a request, and answers the request if that was the last.
    pub(super) fn collect(&mut self, at: BatchTime, reassembly: &mut Reassembly, asker: Asker<F>, part: &[u8]) {
        let peer = Peer { source: Source::of(asker.origin.peer.ip()).number(), address: asker.origin.peer };
        match reassembly.push(at.since, peer, part) {
            Collected::Pending => {}
            Collected::Complete(whole) => {
                let asker =
                    Asker { request_bytes: whole.received_bytes, datagram_bytes: whole.largest_datagram, ..asker };
                self.answer_alone(at, whole.message, &asker);
            }
            Collected::Refused(_) => self.answerer.counters().dropped(Transport::Udp, DropReason::ReassemblyRefused),
        }
    }

    /// Answers the questions of a batch together; gives the number of replies.
    pub(super) fn answer(&mut self, at: BatchTime, batch: &mut Batch<'_, F>) -> u64 {
        self.answerer.answer_batch(at.now, &mut batch.questions);
        let mut replies: ArrayVec<(usize, usize), BATCH> = ArrayVec::new();
        for (question, asker) in batch.questions.iter_mut().zip(&batch.askers) {
            replies.push(self.settle(at, question, asker));
        }
        batch.sent = replies.iter().map(|(length, _)| *length).collect();
        let answered = replies.iter().filter(|(length, _)| *length > 0).count().saturating_add(self.alone);
        self.alone = 0;
        let packets = batch.questions.iter().zip(&batch.askers).zip(replies).flat_map(
            |((question, asker), (length, datagram_bytes))| {
                asker.packets(question.room.get(..length).unwrap_or_default(), datagram_bytes)
            },
        );
        let sent = send_all(&mut self.sender, &self.socket, packets);
        self.count(sent);
        u64::try_from(answered).unwrap_or(u64::MAX)
    }

    /// Records what a batch that has been answered sent from its rooms.
    pub(super) fn record(&self, at: BatchTime, took: Duration, batch: &Batch<'_, F>) {
        for (question, length) in batch.questions.iter().zip(&batch.sent) {
            if *length > 0 {
                let answer = question.room.get(..*length).unwrap_or_default();
                self.answerer.record(at.now, took, &question.origin, question.request, answer);
            }
        }
    }

    /// What to send of a question's room: its length, 0 for nothing, and the largest datagram. Answers that need more than the room
    /// are sent from here.
    fn settle(&mut self, at: BatchTime, question: &mut Question<'_>, asker: &Asker<F>) -> (usize, usize) {
        let busy = match question.action {
            Action::Reply { length, .. } => match asker.decide(&self.shared, at.moment, length) {
                Reply::Answer { datagram_bytes } => return (length, datagram_bytes),
                Reply::Busy(reason) => reason,
            },
            // Known to be too much before it is made.
            Action::NeedsRoom(needed) if asker.packet_count(needed) > self.shared.limits.udp_answer_packets => {
                self.count_busy(question.request);
                DoorEvent::BusyPackets
            }
            Action::NeedsRoom(_) => {
                self.answer_alone(at, question.request, asker);
                return (0, 0);
            }
            Action::Continue(reason) if self.continue_slowly(question.request, asker, reason) => return (0, 0),
            Action::Continue(_) => {
                self.count_busy(question.request);
                DoorEvent::BusySlowPool
            }
            Action::Drop(_) | Action::Pending => return (0, 0),
        };
        (self.write_refusal(at.now, busy, asker.request_bytes, question.request, question.room), asker.datagram_bytes)
    }

    /// Answers one question in the large room and sends the answer.
    fn answer_alone(&mut self, at: BatchTime, request: &[u8], asker: &Asker<F>) {
        let Self { answerer, large, .. } = self;
        let mut question = [Question::new(asker.origin, request, large)];
        answerer.answer_batch(at.now, &mut question);
        let [Question { action, .. }] = question;
        let busy = match action {
            Action::Reply { length, .. } => match asker.decide(&self.shared, at.moment, length) {
                Reply::Answer { datagram_bytes } => return self.send_large(at, asker, request, length, datagram_bytes),
                Reply::Busy(reason) => reason,
            },
            Action::Continue(reason) if self.continue_slowly(request, asker, reason) => return,
            Action::Continue(_) => {
                self.count_busy(request);
                DoorEvent::BusySlowPool
            }
            // The room is as large as the largest message, so it is never too small.
            Action::NeedsRoom(_) | Action::Drop(_) | Action::Pending => return,
        };
        self.refuse(at, self.since(at), busy, asker, request);
    }

    /// How long ago a batch began: for answers outside it, which are few and cost more than a reading of the clock.
    fn since(&self, at: BatchTime) -> Duration {
        self.shared.clock.elapsed().saturating_sub(at.since)
    }

    /// Sends an answer that lies in the large room.
    fn send_large(&mut self, at: BatchTime, asker: &Asker<F>, request: &[u8], length: usize, datagram_bytes: usize) {
        let answer = self.large.get(..length).unwrap_or_default();
        let sent = send_all(&mut self.sender, &self.socket, asker.packets(answer, datagram_bytes));
        self.answerer.record(at.now, self.since(at), &asker.origin, request, answer);
        self.alone = self.alone.saturating_add(1);
        self.count(sent);
    }

    /// Tells a source that it asks too often. `took` is what is recorded of it: the time of the batch it came with.
    pub(super) fn refuse_too_often(&mut self, at: BatchTime, took: Duration, asker: &Asker<F>, request: &[u8]) {
        self.count_busy(request);
        self.refuse(at, took, DoorEvent::BusyRate, asker, request);
    }

    /// Sends the small "too busy" and records it.
    fn refuse(&mut self, at: BatchTime, took: Duration, reason: DoorEvent, asker: &Asker<F>, request: &[u8]) {
        let mut room = [0; 128];
        let length = self.write_refusal(at.now, reason, asker.request_bytes, request, &mut room);
        let refusal = room.get(..length).unwrap_or_default();
        if length > 0 {
            self.answerer.record(at.now, took, &asker.origin, request, refusal);
        }
        let packets: ArrayVec<_, 1> = asker.packets(refusal, asker.datagram_bytes).take(1).collect();
        let sent = self.sender.send(&self.socket, &packets);
        self.count(sent);
    }

    /// Writes the small "too busy" in at most `limit` bytes, those of the request; 0 when it does not fit.
    fn write_refusal(&self, now: Now, reason: DoorEvent, limit: usize, request: &[u8], room: &mut [u8]) -> usize {
        self.counters.add(reason, 1);
        let written = self.shared.own.refuse(now, request, BUSY_USE_TCP, room, limit);
        if written.is_none() {
            self.answerer.counters().dropped(Transport::Udp, DropReason::BudgetSpent);
        }
        written.unwrap_or_default()
    }

    /// Counts a request that no answer was made for. Where one was made and then not sent, that one is counted.
    fn count_busy(&self, request: &[u8]) {
        self.answerer.counters().answered(Transport::Udp, OpClass::of(op_of(request)), Outcome::Busy);
    }

    fn continue_slowly(&self, request: &[u8], asker: &Asker<F>, reason: SlowReason) -> bool {
        asker.continue_slowly(request, reason, &self.shared, &self.socket, &self.counters)
    }

    fn count(&self, sent: Sent) {
        count(&self.counters, sent);
        for _ in 0..sent.full {
            self.answerer.counters().dropped(Transport::Udp, DropReason::SocketFull);
        }
        for _ in 0..sent.failed {
            self.answerer.counters().dropped(Transport::Udp, DropReason::SendFailed);
        }
    }
}
