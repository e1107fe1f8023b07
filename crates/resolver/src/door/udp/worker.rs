//! The loop of one UDP thread.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use arrayvec::ArrayVec;
use nix::errno::Errno;
use waymark_wire::Envelope;
use waymark_wire::frame::{Reassembly, is_part_of_request};

use super::desk::{Batch, BatchTime, Desk};
use super::family::Family;
use super::receive::{BATCH, Receiver};
use super::reply::Asker;
use crate::answer::Answerer;
use crate::door::Shared;
use crate::door::counters::{DoorCounters, DoorEvent};
use crate::question::{DropReason, Transport};

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

impl<F: Family> Worker<F> {
    pub(super) fn new(socket: UdpSocket, answerer: Answerer, shared: Arc<Shared>, counters: Arc<DoorCounters>) -> Self {
        let batch = shared.limits.udp_batch;
        Self {
            receiver: Receiver::new(batch),
            rooms: vec![0; batch.saturating_mul(shared.limits.room_bytes)].into_boxed_slice(),
            reassembly: Reassembly::new(shared.limits.reassembly),
            given_up: 0,
            desk: Desk::new(socket, answerer, shared, counters),
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
        let at = BatchTime::read(desk.shared.clock);
        let mut rooms = rooms.chunks_exact_mut(desk.shared.limits.room_bytes);
        let mut batch = Batch::new();
        let mut too_often: ArrayVec<(Asker<F>, &[u8]), BATCH> = ArrayVec::new();
        let (mut datagrams, mut bytes) = (0_usize, 0_usize);
        for datagram in receiver.datagrams() {
            datagrams = datagrams.saturating_add(1);
            bytes = bytes.saturating_add(datagram.bytes.len());
            match desk.admit(at, &datagram) {
                Some((asker, true)) => too_often.push((asker, datagram.bytes)),
                Some((asker, false)) if is_part(datagram.bytes) => desk.collect(at, reassembly, asker, datagram.bytes),
                Some((asker, false)) => {
                    // There is a room for every datagram of a batch.
                    if let Some(room) = rooms.next() {
                        batch.push(asker, datagram.bytes, room);
                    }
                }
                None => {}
            }
        }
        desk.counters.add(DoorEvent::PacketsIn, datagrams);
        desk.counters.add(DoorEvent::BytesIn, bytes);

        let answered = desk.answer(at, &mut batch);
        // The one other reading of a clock that a batch has.
        let latency = desk.shared.clock.elapsed().saturating_sub(at.since);
        desk.answerer.counters().took(Transport::Udp, latency, answered);
        desk.record(at, latency, &batch);
        for (asker, request) in too_often {
            desk.refuse_too_often(at, latency, &asker, request);
        }
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
