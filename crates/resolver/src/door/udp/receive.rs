//! Receiving a batch of datagrams with one system call.

use std::io::IoSliceMut;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use arrayvec::ArrayVec;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg};

use super::family::Family;
use crate::config::UDP_BATCH;

/// The largest batch.
pub(super) const BATCH: usize = UDP_BATCH.max;

/// Bytes kept of a datagram. The largest useful request datagram fills an Ethernet frame; of a larger one the rest is cut, which is
/// either padding or makes the message unreadable.
const DATAGRAM_BYTES: usize = 2048;

/// One datagram of a batch.
pub(super) struct Received<'b, F: Family> {
    pub(super) bytes: &'b [u8],
    pub(super) from: F::Address,
    /// Which of our addresses was asked, on a socket bound to all.
    pub(super) local: Option<F::Local>,
}

/// Buffers for a batch, used again and again.
pub(super) struct Receiver<F: Family> {
    headers: MultiHeaders<F::Address>,
    buffers: Box<[[u8; DATAGRAM_BYTES]]>,
    arrived: ArrayVec<Arrived<F>, BATCH>,
}

struct Arrived<F: Family> {
    length: usize,
    from: F::Address,
    local: Option<F::Local>,
}

impl<F: Family> Receiver<F> {
    /// Buffers for batches of up to `batch` datagrams.
    pub(super) fn new(batch: usize) -> Self {
        let batch = batch.clamp(1, BATCH);
        Self {
            headers: MultiHeaders::preallocate(batch, Some(F::control_space())),
            buffers: vec![[0; DATAGRAM_BYTES]; batch].into_boxed_slice(),
            arrived: ArrayVec::new(),
        }
    }

    /// Waits for a datagram, no longer than the socket's time, and takes what else is there. Without `wait` takes what is there.
    pub(super) fn receive(&mut self, socket: &UdpSocket, wait: bool) -> Result<(), Errno> {
        self.arrived.clear();
        let flags = if wait { MsgFlags::MSG_WAITFORONE } else { MsgFlags::MSG_DONTWAIT };
        let mut buffers = self.buffers.iter_mut();
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(buffers.next().map_or(&mut [], |buffer| buffer.as_mut_slice()))]);
        for message in recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None)? {
            let Some(from) = message.address else { continue };
            let local = message.cmsgs().ok().and_then(|mut controls| controls.find_map(|control| F::asked(&control)));
            // A batch has as many messages as there are headers, which the vector has room for.
            let _ = self.arrived.try_push(Arrived { length: message.bytes, from, local });
        }
        Ok(())
    }

    /// The datagrams of the last batch.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = Received<'_, F>> {
        self.arrived.iter().zip(&self.buffers).map(|(arrived, buffer)| Received {
            bytes: buffer.get(..arrived.length).unwrap_or(buffer),
            from: arrived.from,
            local: arrived.local,
        })
    }
}
