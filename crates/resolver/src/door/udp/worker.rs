//! The loop of one UDP thread.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use arrayvec::ArrayVec;
use nix::errno::Errno;
use waymark_wire::Envelope;
use waymark_wire::frame::config::MAX_MESSAGE_BYTES;
use waymark_wire::frame::{Outcome as Collected, Peer, Reassembly, is_part_of_request};

use super::family::Family;
use super::receive::{BATCH, Received, Receiver};
use super::reply::{Asker, Reply, count};
use super::send::{Packet, Sender, Sent};
use crate::answer::Answerer;
use crate::counters::{OpClass, Outcome};
use crate::door::Shared;
use crate::door::clock::Clock;
use crate::door::counters::{DoorCounters, DoorEvent};
use crate::door::refusal::{BUSY_USE_TCP, op_of};
use crate::policy::{Account, Admission, Source};
use crate::question::{Action, DropReason, Now, Origin, Question, Transport};

/// Batches a draining thread still answers: more than the largest socket buffer holds of the smallest questions.
const DRAIN_BATCHES: usize = 4096;

/// Rest after an error of the socket that is nobody's datagram, so that a lasting one does not take the core.
const ERROR_REST: Duration = Duration::from_millis(10);

/// One thread's socket, buffers and answerer.
pub(super) struct Worker<F: Family> {
    receiver: Receiver<F>,
    rooms: Box<[u8]>,
    reassembly: Reassembly,
    /// Messages that expired or were displaced, counted so far.
    given_up: u64,
    desk: Desk<F>,
}

/// Everything an answer needs, apart from the buffers of the batch it belongs to.
struct Desk<F: Family> {
    socket: Arc<UdpSocket>,
    answerer: Answerer,
    sender: Sender<F>,
    /// Room for the largest answer there is.
    large: Box<[u8]>,
    shared: Arc<Shared>,
    counters: Arc<DoorCounters>,
    /// Answers of this batch that were sent from the large room.
    alone: usize,
}

/// The questions of a batch. Whoever is refused for asking too often has a place here too, with the action already decided.
struct Batch<'b, F: Family> {
    questions: ArrayVec<Question<'b>, BATCH>,
    askers: ArrayVec<Asker<F>, BATCH>,
}

impl<F: Family> Worker<F> {
    pub(super) fn new(socket: UdpSocket, answerer: Answerer, shared: Arc<Shared>, counters: Arc<DoorCounters>) -> Self {
        let batch = shared.limits.udp_batch;
        Self {
            receiver: Receiver::new(batch),
            rooms: vec![0; batch.saturating_mul(shared.limits.room_bytes)].into_boxed_slice(),
            reassembly: Reassembly::new(shared.limits.reassembly),
            given_up: 0,
            desk: Desk {
                socket: Arc::new(socket),
                answerer,
                sender: Sender::new(),
                large: vec![0; MAX_MESSAGE_BYTES.saturating_add(Envelope::LEN)].into_boxed_slice(),
                shared,
                counters,
                alone: 0,
            },
        }
    }

    /// Answers until `draining` is set; then answers what has already arrived, and ends.
    pub(super) fn run(mut self, draining: &AtomicBool) {
        while !draining.load(Ordering::Relaxed) {
            self.turn(true);
        }
        for _ in 0..DRAIN_BATCHES {
            if !self.turn(false) {
                break;
            }
        }
    }

    /// One batch; `false` when nothing had arrived.
    fn turn(&mut self, wait: bool) -> bool {
        match self.receiver.receive(&self.desk.socket, wait) {
            Ok(()) => {
                self.answer_batch();
                self.count_given_up();
                true
            }
            Err(Errno::EAGAIN) => {
                self.reassembly.expire(self.desk.shared.clock.elapsed());
                self.count_given_up();
                false
            }
            Err(Errno::EINTR) => true,
            Err(_) => {
                self.desk.counters.add(DoorEvent::SystemErrors, 1);
                thread::sleep(ERROR_REST);
                true
            }
        }
    }

    fn answer_batch(&mut self) {
        let Self { receiver, rooms, reassembly, desk, .. } = self;
        let (now, since) = (Clock::now(), desk.shared.clock.elapsed());
        let mut rooms = rooms.chunks_exact_mut(desk.shared.limits.room_bytes);
        let mut batch = Batch { questions: ArrayVec::new(), askers: ArrayVec::new() };
        let mut too_often: ArrayVec<(Asker<F>, &[u8]), BATCH> = ArrayVec::new();
        let (mut datagrams, mut bytes) = (0_usize, 0_usize);
        for datagram in receiver.datagrams() {
            datagrams = datagrams.saturating_add(1);
            bytes = bytes.saturating_add(datagram.bytes.len());
            match desk.admit(&datagram) {
                Some((asker, true)) => too_often.push((asker, datagram.bytes)),
                Some((asker, false)) if is_part(datagram.bytes) => {
                    desk.collect(now, since, reassembly, asker, datagram.bytes)
                }
                Some((asker, false)) => batch.push(asker, datagram.bytes, rooms.next()),
                None => {}
            }
        }
        desk.counters.add(DoorEvent::PacketsIn, datagrams);
        desk.counters.add(DoorEvent::BytesIn, bytes);

        let answered = desk.answer(now, &mut batch);
        for (asker, request) in too_often {
            desk.refuse(now, DoorEvent::BusyRate, &asker, request);
        }
        let latency = desk.shared.clock.elapsed().saturating_sub(since);
        desk.answerer.counters().took(Transport::Udp, latency, answered);
    }

    /// Counts what the reassembly gave up since the last time.
    fn count_given_up(&mut self) {
        let counts = self.reassembly.counts();
        let given_up = counts.expired.wrapping_add(counts.displaced);
        for _ in self.given_up..given_up {
            self.desk.answerer.counters().dropped(Transport::Udp, DropReason::ReassemblyExpired);
        }
        self.given_up = given_up;
    }
}

/// Whether a datagram is one part of a request in several.
fn is_part(datagram: &[u8]) -> bool {
    Envelope::parse(datagram).is_ok_and(|envelope| is_part_of_request(&envelope))
}

impl<'b, F: Family> Batch<'b, F> {
    fn push(&mut self, asker: Asker<F>, request: &'b [u8], room: Option<&'b mut [u8]>) {
        // There is a room for every datagram of a batch.
        if let Some(room) = room {
            self.questions.push(Question::new(asker.origin, request, room));
            self.askers.push(asker);
        }
    }
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
    /// Decides on a datagram before anybody reads it. The flag says that its source asks too often.
    fn admit(&self, datagram: &Received<'_, F>) -> Option<(Asker<F>, bool)> {
        let peer = F::peer(datagram.from);
        let (account, too_often) = match self.shared.policy.admit(self.shared.clock.moment(), peer.ip()) {
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
            origin: Origin { transport: Transport::Udp, peer, local: datagram.local.map(F::ip) },
            from: datagram.from,
            local: datagram.local,
            account,
            request_bytes: datagram.bytes.len(),
            datagram_bytes: datagram.bytes.len(),
        };
        Some((asker, too_often))
    }

    /// Takes in one part of a request, and answers the request if that was the last.
    fn collect(&mut self, now: Now, since: Duration, reassembly: &mut Reassembly, asker: Asker<F>, part: &[u8]) {
        let peer = Peer { source: Source::of(asker.origin.peer.ip()).number(), address: asker.origin.peer };
        match reassembly.push(since, peer, part) {
            Collected::Pending => {}
            Collected::Complete(whole) => {
                let asker =
                    Asker { request_bytes: whole.received_bytes, datagram_bytes: whole.largest_datagram, ..asker };
                self.answer_alone(now, whole.message, &asker);
            }
            Collected::Refused(_) => self.answerer.counters().dropped(Transport::Udp, DropReason::ReassemblyRefused),
        }
    }

    /// Answers the questions of a batch together; gives the number of replies.
    fn answer(&mut self, now: Now, batch: &mut Batch<'_, F>) -> u64 {
        self.answerer.answer_batch(now, &mut batch.questions);
        let mut replies: ArrayVec<(usize, usize), BATCH> = ArrayVec::new();
        for (question, asker) in batch.questions.iter_mut().zip(&batch.askers) {
            replies.push(self.settle(now, question, asker));
        }
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

    /// What to send of a question's room: its length, 0 for nothing, and the largest datagram. Answers that need more than the room
    /// are sent from here.
    fn settle(&mut self, now: Now, question: &mut Question<'_>, asker: &Asker<F>) -> (usize, usize) {
        let busy = match question.action {
            Action::Reply { length, .. } => match asker.decide(&self.shared, length) {
                Reply::Answer { datagram_bytes } => return (length, datagram_bytes),
                Reply::Busy(reason) => reason,
            },
            Action::NeedsRoom(_) => {
                self.answer_alone(now, question.request, asker);
                return (0, 0);
            }
            Action::Continue(_) if self.continue_slowly(question.request, asker) => return (0, 0),
            Action::Continue(_) => DoorEvent::BusySlowPool,
            Action::Drop(_) | Action::Pending => return (0, 0),
        };
        (self.write_refusal(now, busy, asker, question.request, question.room), asker.datagram_bytes)
    }

    /// Answers one question in the large room and sends the answer.
    fn answer_alone(&mut self, now: Now, request: &[u8], asker: &Asker<F>) {
        let Self { answerer, large, .. } = self;
        let mut question = [Question::new(asker.origin, request, large)];
        answerer.answer_batch(now, &mut question);
        let [Question { action, .. }] = question;
        let busy = match action {
            Action::Reply { length, .. } => match asker.decide(&self.shared, length) {
                Reply::Answer { datagram_bytes } => return self.send_large(asker, length, datagram_bytes),
                Reply::Busy(reason) => reason,
            },
            Action::Continue(_) if self.continue_slowly(request, asker) => return,
            Action::Continue(_) => DoorEvent::BusySlowPool,
            // The room is as large as the largest message, so it is never too small.
            Action::NeedsRoom(_) | Action::Drop(_) | Action::Pending => return,
        };
        self.refuse(now, busy, asker, request);
    }

    /// Sends an answer that lies in the large room.
    fn send_large(&mut self, asker: &Asker<F>, length: usize, datagram_bytes: usize) {
        let answer = self.large.get(..length).unwrap_or_default();
        let sent = send_all(&mut self.sender, &self.socket, asker.packets(answer, datagram_bytes));
        self.alone = self.alone.saturating_add(1);
        self.count(sent);
    }

    /// Sends the small "too busy".
    fn refuse(&mut self, now: Now, reason: DoorEvent, asker: &Asker<F>, request: &[u8]) {
        let mut room = [0; 128];
        let length = self.write_refusal(now, reason, asker, request, &mut room);
        let refusal = room.get(..length).unwrap_or_default();
        let packets: ArrayVec<_, 1> = asker.packets(refusal, asker.datagram_bytes).take(1).collect();
        let sent = self.sender.send(&self.socket, &packets);
        self.count(sent);
    }

    /// Writes the small "too busy", never larger than the request; 0 when it does not fit.
    fn write_refusal(&self, now: Now, reason: DoorEvent, asker: &Asker<F>, request: &[u8], room: &mut [u8]) -> usize {
        self.counters.add(reason, 1);
        if matches!(reason, DoorEvent::BusyRate | DoorEvent::BusySlowPool) {
            // The others were counted when their answer was made.
            self.answerer.counters().answered(Transport::Udp, OpClass::of(op_of(request)), Outcome::Busy);
        }
        let written = self.shared.own.refuse(now, request, BUSY_USE_TCP, room, asker.request_bytes);
        if written.is_none() {
            self.answerer.counters().dropped(Transport::Udp, DropReason::BudgetSpent);
        }
        written.unwrap_or_default()
    }

    fn continue_slowly(&self, request: &[u8], asker: &Asker<F>) -> bool {
        asker.continue_slowly(request, &self.shared, &self.socket, &self.counters)
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
