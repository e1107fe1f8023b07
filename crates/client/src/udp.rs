//! Asking over UDP: repeated until an answer comes, its datagrams put together in any order.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    time::{Instant, timeout_at},
};
use waymark_wire::{
    Envelope,
    frame::{
        self, DatagramSplitter, Outcome, Peer, Reassembly, ReassemblyLimits, TruncatedBit,
        config::CLASSIC_DATAGRAM_BYTES, padding::padding_bytes,
    },
};

use crate::{
    config::{PADDED_DATAGRAM_BYTES, RECEIVE_BYTES, UDP_WAITS},
    error::Failure,
    exchange::{Answer, Expected, Transport},
};

/// A socket of a random port that talks to one server only: the system drops what others send.
///
/// # Errors
/// The system has no socket, or no way to the address.
pub async fn connect(server: SocketAddr) -> std::io::Result<UdpSocket> {
    let any: SocketAddr =
        if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    Ok(socket)
}

/// The datagrams of a request: one, padded when asked for, or several of the classic size.
fn datagrams(request: &[u8], pads: bool) -> Result<Vec<Vec<u8>>, Failure> {
    let splitter =
        DatagramSplitter::new(request, CLASSIC_DATAGRAM_BYTES, TruncatedBit::WhenSplit).map_err(Failure::Split)?;
    let mut datagrams: Vec<Vec<u8>> = splitter
        .map(|datagram| [&datagram.envelope[..], request.get(datagram.payload).unwrap_or_default()].concat())
        .collect();
    if pads && let Some(last) = datagrams.last_mut() {
        last.resize(last.len() + padding_bytes(last.len(), PADDED_DATAGRAM_BYTES), 0);
    }
    Ok(datagrams)
}

/// Asks until an answer comes; the caller bounds the time by dropping the future.
///
/// The request goes out again after 0.5, 1, 1.5, 1.5, … seconds under the same id, so that late answers to earlier sendings count.
pub(crate) async fn ask(server: SocketAddr, pads: bool, request: &[u8], expected: Expected) -> Result<Answer, Failure> {
    let started = Instant::now();
    let datagrams = datagrams(request, pads)?;
    let socket = connect(server).await?;
    let mut receiver = Receiver::new(server, expected);
    let mut packets_sent = 0_u32;
    let mut waits =
        UDP_WAITS.into_iter().chain(std::iter::repeat(*UDP_WAITS.last().unwrap_or(&Duration::from_secs(1))));
    loop {
        for datagram in &datagrams {
            socket.send(datagram).await?;
            packets_sent = packets_sent.saturating_add(1);
        }
        let next = Instant::now() + waits.next().unwrap_or_default();
        while let Ok(received) = timeout_at(next, socket.recv(receiver.room())).await {
            if let Some((message, packets_received)) = receiver.take(started.elapsed(), received?) {
                let elapsed = started.elapsed();
                return Ok(Answer { message, transport: Transport::Udp, packets_sent, packets_received, elapsed });
            }
        }
    }
}

/// Tells the answer from everything else that arrives.
struct Receiver {
    expected: Expected,
    peer: Peer,
    parts: Reassembly,
    buffer: Vec<u8>,
    packets: u32,
}

impl Receiver {
    fn new(server: SocketAddr, expected: Expected) -> Self {
        let parts = Reassembly::new(ReassemblyLimits::for_responses());
        Self { expected, peer: Peer { source: 0, address: server }, parts, buffer: vec![0; RECEIVE_BYTES], packets: 0 }
    }

    fn room(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    /// Takes a datagram of `length` bytes; gives the answer and its number of datagrams once it is whole.
    fn take(&mut self, now: Duration, length: usize) -> Option<(Vec<u8>, u32)> {
        let datagram = self.buffer.get(..length)?;
        let envelope = Envelope::parse(datagram).ok()?;
        if envelope.request_id != self.expected.request_id {
            return None;
        }
        self.packets = self.packets.saturating_add(1);
        let message = if frame::is_part_of_response(&envelope, length) {
            match self.parts.push(now, self.peer, datagram) {
                Outcome::Complete(whole) => whole.message,
                _ => return None,
            }
        } else {
            datagram.get(..Envelope::LEN.saturating_add(usize::try_from(envelope.message_length).ok()?))?
        };
        self.expected.answered_by(message).then(|| (message.to_vec(), self.packets))
    }
}
