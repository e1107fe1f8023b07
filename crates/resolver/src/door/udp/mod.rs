//! The UDP door: one thread and one SO_REUSEPORT socket a core, batches in and out, no runtime.
//!
//! A thread takes up to a batch of datagrams with one system call, answers all of them together, and sends all answers with one
//! system call for each of our own addresses that was asked (one, as a rule). Buffers are made once: the steady state allocates
//! nothing. A full socket drops what it does not take and counts it; nothing here ever waits to send.
//!
//! What becomes of a datagram, cheapest first: blocked source or fewer bytes than an envelope, no answer; source asks too often, "too
//! busy" from the first 44 bytes; part of a larger request, kept until the rest is there; else it is answered. An answer goes out if
//! its datagrams are few enough and the source's byte budget bears it, otherwise the small "too busy, use TCP", which is never larger
//! than the request. When even that does not fit (only requests too short to be valid are that small) nothing is said.

mod desk;
mod family;
mod receive;
mod reply;
mod send;
mod socket;
mod worker;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};

use self::family::{Ipv4, Ipv6};
use self::worker::Worker;
use super::Shared;
use super::counters::DoorCounters;
use super::limits::DoorLimits;
use crate::answer::Answerer;

/// The sockets of one UDP address, one for each thread to come.
#[derive(Debug)]
pub(super) struct UdpSockets {
    pub(super) address: SocketAddr,
    sockets: Vec<UdpSocket>,
}

impl UdpSockets {
    /// How many threads there will be.
    pub(super) const fn count(&self) -> usize {
        self.sockets.len()
    }
}

/// The threads of one UDP address.
#[derive(Debug)]
pub(super) struct UdpDoor {
    pub(super) counters: Vec<Arc<DoorCounters>>,
    pub(super) threads: Vec<JoinHandle<()>>,
}

/// Opens the sockets of `address`.
pub(super) fn bind(address: SocketAddr, limits: &DoorLimits) -> io::Result<UdpSockets> {
    let threads = match limits.udp_threads {
        0 => thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let sockets = socket::bind(address, threads, limits.udp_socket_bytes)?;
    let address = match sockets.first() {
        Some(socket) => socket.local_addr()?,
        None => address,
    };
    Ok(UdpSockets { address, sockets })
}

/// Starts a thread for each socket and answerer. The threads end soon after `draining` is set.
pub(super) fn open(
    sockets: UdpSockets,
    answerers: Vec<Answerer>,
    shared: &Arc<Shared>,
    draining: &Arc<AtomicBool>,
) -> io::Result<UdpDoor> {
    let UdpSockets { address, sockets } = sockets;
    let mut door = UdpDoor { counters: Vec::new(), threads: Vec::new() };
    for (number, (socket, answerer)) in sockets.into_iter().zip(answerers).enumerate() {
        let counters = Arc::new(DoorCounters::new());
        door.counters.push(Arc::clone(&counters));
        let (shared, draining) = (Arc::clone(shared), Arc::clone(draining));
        let name = format!("udp-{}-{number}", address.port());
        let thread = thread::Builder::new().name(name).spawn(move || {
            if address.is_ipv4() {
                Worker::<Ipv4>::new(socket, answerer, shared, counters).run(&draining);
            } else {
                Worker::<Ipv6>::new(socket, answerer, shared, counters).run(&draining);
            }
        })?;
        door.threads.push(thread);
    }
    Ok(door)
}
