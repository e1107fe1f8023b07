//! Sending many datagrams with one system call.

use std::io::IoSlice;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use arrayvec::ArrayVec;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, sendmmsg, sendmsg};
use waymark_wire::Envelope;
use waymark_wire::frame::Datagram;

use super::family::Family;
use super::receive::BATCH;

/// One datagram to send.
pub(super) struct Packet<'p, F: Family> {
    pub(super) envelope: [u8; Envelope::LEN],
    pub(super) payload: &'p [u8],
    pub(super) to: F::Address,
    pub(super) local: Option<F::Local>,
}

impl<'p, F: Family> Packet<'p, F> {
    /// The packet of one part of `message`.
    pub(super) fn part(message: &'p [u8], part: Datagram, to: F::Address, local: Option<F::Local>) -> Self {
        Self { envelope: part.envelope, payload: message.get(part.payload).unwrap_or_default(), to, local }
    }

    fn bytes(&self) -> usize {
        self.payload.len().saturating_add(Envelope::LEN)
    }

    fn slices(&self) -> [IoSlice<'_>; 2] {
        [IoSlice::new(&self.envelope), IoSlice::new(self.payload)]
    }
}

/// What became of datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sent {
    pub(super) packets: usize,
    pub(super) bytes: usize,
    /// Dropped because the socket took no more.
    pub(super) full: usize,
    /// Dropped because the system refused to send them.
    pub(super) failed: usize,
}

impl Sent {
    pub(super) fn add(&mut self, other: Self) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.full = self.full.saturating_add(other.full);
        self.failed = self.failed.saturating_add(other.failed);
    }
}

/// Collects datagrams and sends them together. Kernel headers are made once.
pub(super) struct Sender<F: Family> {
    plain: MultiHeaders<F::Address>,
    with_info: MultiHeaders<F::Address>,
}

impl<F: Family> Sender<F> {
    pub(super) fn new() -> Self {
        Self {
            plain: MultiHeaders::preallocate(BATCH, None),
            with_info: MultiHeaders::preallocate(BATCH, Some(F::control_space())),
        }
    }

    /// Sends all packets, those of one of our own addresses together and in order. Never waits.
    pub(super) fn send(&mut self, socket: &UdpSocket, packets: &[Packet<'_, F>]) -> Sent {
        let mut sent = Sent::default();
        let mut done: ArrayVec<Option<F::Local>, BATCH> = ArrayVec::new();
        for packet in packets {
            if done.contains(&packet.local) {
                continue;
            }
            // At most one entry a packet, and no more packets than a batch are given.
            let _ = done.try_push(packet.local);
            let group = packets.iter().filter(|other| other.local == packet.local);
            sent.add(self.send_group(socket, packet.local, group));
        }
        sent
    }

    fn send_group<'p>(
        &mut self,
        socket: &UdpSocket,
        local: Option<F::Local>,
        group: impl Iterator<Item = &'p Packet<'p, F>>,
    ) -> Sent {
        let mut slices: ArrayVec<[IoSlice<'_>; 2], BATCH> = ArrayVec::new();
        let mut addresses: ArrayVec<Option<F::Address>, BATCH> = ArrayVec::new();
        for packet in group.take(BATCH) {
            slices.push(packet.slices());
            addresses.push(Some(packet.to));
        }
        let info = local.map(F::info);
        let controls: ArrayVec<ControlMessage<'_>, 1> = info.iter().map(F::control).collect();
        let headers = if local.is_some() { &mut self.with_info } else { &mut self.plain };

        let mut sent = Sent::default();
        let mut at = 0;
        while let (Some(left @ [first, ..]), Some(to)) = (slices.get(at..), addresses.get(at..)) {
            let flags = MsgFlags::MSG_DONTWAIT;
            match sendmmsg(socket.as_raw_fd(), headers, left, to, controls.as_slice(), flags) {
                Ok(results) => {
                    let packets = results.count().max(1);
                    let bytes = left.iter().take(packets).flatten().map(|slice| slice.len()).sum();
                    sent.add(Sent { packets, bytes, ..Sent::default() });
                    at = at.saturating_add(packets);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::ENOBUFS) => {
                    sent.full = left.len();
                    break;
                }
                Err(_) => {
                    // The first of those left cannot be sent (no route, for instance); the others may.
                    debug_assert!(!first.is_empty());
                    sent.failed = sent.failed.saturating_add(1);
                    at = at.saturating_add(1);
                }
            }
        }
        sent
    }
}

/// Sends one datagram, from a thread that has no [`Sender`].
pub(super) fn send_one<F: Family>(socket: &UdpSocket, packet: &Packet<'_, F>) -> Sent {
    let info = packet.local.map(F::info);
    let controls: ArrayVec<ControlMessage<'_>, 1> = info.iter().map(F::control).collect();
    let flags = MsgFlags::MSG_DONTWAIT;
    loop {
        return match sendmsg(socket.as_raw_fd(), &packet.slices(), &controls, flags, Some(&packet.to)) {
            Ok(_) => Sent { packets: 1, bytes: packet.bytes(), ..Sent::default() },
            Err(Errno::EINTR) => continue,
            Err(Errno::EAGAIN | Errno::ENOBUFS) => Sent { full: 1, ..Sent::default() },
            Err(_) => Sent { failed: 1, ..Sent::default() },
        };
    }
}
