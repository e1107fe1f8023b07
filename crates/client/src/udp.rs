//! Asking over UDP: repeated until an answer comes, its datagrams put together in any order.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    time::{Instant, timeout_at},
};
use waymark_wire::{
    Envelope,
    frame::{
        self, DatagramSplitter, Outcome, Peer, Reassembly, ReassemblyLimits, Refusal, TruncatedBit,
        config::{CLASSIC_DATAGRAM_BYTES, REASSEMBLY_TIME},
        padding::padding_bytes,
    },
};

use crate::{
    config::{PADDED_DATAGRAM_BYTES, RECEIVE_BYTES, UDP_WAITS},
    error::Failure,
    exchange::{Answer, Expected, Transport, set_request_id},
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

/// How to ask over UDP.
pub(crate) struct Manner<'m> {
    /// Whether the server understands padding.
    pub(crate) pads: bool,
    /// Waits between sendings; the last one again and again.
    pub(crate) waits: [Duration; 3],
    /// What the caller says of a message that has everything else of the answer.
    pub(crate) accepts: Option<&'m crate::upstream::Accepts>,
    /// Counts datagrams that are not the answer nor a part of it.
    pub(crate) strangers: Option<&'m AtomicU64>,
}

impl Manner<'_> {
    /// As the reference client asks.
    pub(crate) const fn usual(pads: bool) -> Self {
        Self { pads, waits: UDP_WAITS, accepts: None, strangers: None }
    }
}

/// Asks until an answer comes; the caller bounds the time by dropping the future.
///
/// The request goes out again after the waits of `manner`, 0.5, 1, 1.5, 1.5, … seconds as a rule; late answers to earlier sendings count.
///
/// # Errors
/// The request does not fit datagrams, or the system reports an error: for instance that nobody listens there (ICMP port unreachable).
pub(crate) async fn ask(
    server: SocketAddr,
    manner: &Manner<'_>,
    request: &[u8],
    expected: Expected,
) -> Result<Answer, Failure> {
    let started = Instant::now();
    let mut datagrams = datagrams(request, manner.pads)?;
    let socket = connect(server).await?;
    let mut receiver = Receiver::new(server, expected);
    let mut packets_sent = 0_u32;
    let [.., last_wait] = manner.waits;
    let waits = manner.waits.into_iter().chain(std::iter::repeat(last_wait));
    for (sending, wait) in (0_u32..).zip(waits) {
        for datagram in &mut datagrams {
            set_request_id(datagram, expected.id_of_sending(sending));
            socket.send(datagram).await?;
            packets_sent = packets_sent.saturating_add(1);
        }
        let next = Instant::now() + wait;
        while let Ok(received) = timeout_at(next, socket.recv(receiver.room())).await {
            let taken = receiver.take(started.elapsed(), received?);
            let answer = taken.filter(|(message, _)| {
                let is_accepted = manner.accepts.is_none_or(|accepts| accepts(message));
                receiver.strangers += u64::from(!is_accepted);
                is_accepted
            });
            if let Some(strangers) = manner.strangers {
                strangers.fetch_add(std::mem::take(&mut receiver.strangers), Ordering::Relaxed);
            }
            if let Some((message, packets_received)) = answer {
                let elapsed = started.elapsed();
                return Ok(Answer { message, transport: Transport::Udp, packets_sent, packets_received, elapsed });
            }
        }
    }
    // After 2^32 sendings, which take two hundred years.
    Err(Failure::Closed)
}

/// The datagrams of a request: of the classic size, the last one padded when asked for.
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

/// Tells the answer from everything else that arrives.
struct Receiver {
    expected: Expected,
    peer: Peer,
    parts: Reassembly,
    buffer: Vec<u8>,
    packets: u32,
    /// Datagrams that are nothing of this exchange.
    strangers: u64,
}

impl Receiver {
    fn new(server: SocketAddr, expected: Expected) -> Self {
        let peer = Peer { source: 0, address: server };
        Self { expected, peer, parts: assembly(), buffer: vec![0; RECEIVE_BYTES], packets: 0, strangers: 0 }
    }

    fn room(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    /// Takes a datagram of `length` bytes; gives the answer and its number of datagrams once it is whole.
    fn take(&mut self, now: Duration, length: usize) -> Option<(Vec<u8>, u32)> {
        match self.sort(now, length) {
            Sorted::Answer(message) => Some((message, self.packets)),
            Sorted::Part => None,
            Sorted::Stranger => {
                self.strangers += 1;
                None
            }
        }
    }

    fn sort(&mut self, now: Duration, length: usize) -> Sorted {
        let datagram = self.buffer.get(..length).unwrap_or_default();
        let Ok(envelope) = Envelope::parse(datagram) else { return Sorted::Stranger };
        let Ok(announced) = envelope.checked_length() else { return Sorted::Stranger };
        if !self.expected.is_for(envelope.request_id) {
            return Sorted::Stranger;
        }
        self.packets = self.packets.saturating_add(1);
        let message = if frame::is_part_of_response(&envelope, length) {
            match put_together(&mut self.parts, now, self.peer, datagram) {
                Some(message) => message,
                None => return Sorted::Part,
            }
        } else {
            // What a server puts behind its message is padding.
            datagram.get(..Envelope::LEN.saturating_add(announced)).unwrap_or_default().to_vec()
        };
        if self.expected.answered_by(&message) { Sorted::Answer(message) } else { Sorted::Stranger }
    }
}

/// What a datagram is.
enum Sorted {
    /// The answer, whole.
    Answer(Vec<u8>),
    /// A part of an answer.
    Part,
    /// Nothing of this exchange.
    Stranger,
}

fn assembly() -> Reassembly {
    // Parts are kept as long as the limits let them: the exchange has a deadline of its own.
    Reassembly::new(ReassemblyLimits { time: REASSEMBLY_TIME.max, ..ReassemblyLimits::for_responses() })
}

/// Adds a part; gives the message once it is whole.
fn put_together(parts: &mut Reassembly, now: Duration, peer: Peer, datagram: &[u8]) -> Option<Vec<u8>> {
    match parts.push(now, peer, datagram) {
        Outcome::Complete(whole) => return Some(whole.message.to_vec()),
        // The record changed between two sendings: what is there will never become whole, the newer answer may.
        Outcome::Refused(Refusal::Conflict) => *parts = assembly(),
        _ => return None,
    }
    match parts.push(now, peer, datagram) {
        Outcome::Complete(whole) => Some(whole.message.to_vec()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use waymark_wire::OpFlags;

    use super::*;
    use crate::{
        exchange::number,
        sample::{answer, question, question_about},
    };

    const ID: u32 = 77;

    fn receiver(flags: OpFlags) -> Receiver {
        let expected = number(&question(flags), ID).unwrap().1;
        Receiver::new(([127, 0, 0, 1], 2_641).into(), expected)
    }

    impl Receiver {
        fn receive(&mut self, datagram: &[u8]) -> Option<(Vec<u8>, u32)> {
            self.room()[..datagram.len()].copy_from_slice(datagram);
            self.take(Duration::ZERO, datagram.len())
        }
    }

    fn cut(message: &[u8]) -> Vec<Vec<u8>> {
        DatagramSplitter::new(message, CLASSIC_DATAGRAM_BYTES, TruncatedBit::Never)
            .unwrap()
            .map(|datagram| [&datagram.envelope[..], &message[datagram.payload]].concat())
            .collect()
    }

    #[test]
    fn a_question_is_one_classic_datagram_without_padding() {
        let request = question(OpFlags::USUAL);
        assert_eq!(datagrams(&request, false).unwrap(), [request]);
    }

    #[test]
    fn padding_fills_the_datagram_with_zeros_behind_the_message() {
        let request = question(OpFlags::USUAL);
        let padded = datagrams(&request, true).unwrap();
        assert_eq!(padded.len(), 1);
        assert_eq!(padded[0].len(), PADDED_DATAGRAM_BYTES);
        let (message, padding) = padded[0].split_at(request.len());
        assert_eq!(message, request);
        assert!(padding.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_long_question_is_cut_with_the_truncated_bit_and_its_last_part_padded() {
        let request = question_about(&[b'x'; 1_500], OpFlags::USUAL);
        for pads in [false, true] {
            let datagrams = datagrams(&request, pads).unwrap();
            let mut server = Reassembly::new(ReassemblyLimits::default());
            let peer = Peer { source: 0, address: ([192, 0, 2, 1], 1).into() };
            let (last, first) = datagrams.split_last().unwrap();
            assert_eq!(first.len(), 3);
            for datagram in first {
                assert_eq!(datagram.len(), CLASSIC_DATAGRAM_BYTES);
                assert!(frame::is_part_of_request(&Envelope::parse(datagram).unwrap()));
                assert_eq!(server.push(Duration::ZERO, peer, datagram), Outcome::Pending);
            }
            assert_eq!(last.len() == PADDED_DATAGRAM_BYTES, pads);
            let Outcome::Complete(whole) = server.push(Duration::ZERO, peer, last) else { panic!("not whole") };
            assert_eq!(whole.message, request);
        }
    }

    #[test]
    fn takes_an_answer_of_one_datagram_without_what_follows_it() {
        let whole = answer(ID, b"content");
        let padded = [&whole[..], &[0; 50]].concat();
        assert_eq!(receiver(OpFlags::USUAL).receive(&padded), Some((whole, 1)));
    }

    #[test]
    fn puts_an_answer_together_from_parts_of_several_sendings_in_any_order() {
        let whole = answer(ID, &[5; 2_000]);
        let parts = cut(&whole);
        assert_eq!(parts.len(), 5);
        let mut receiver = receiver(OpFlags::USUAL);
        for part in [4, 1, 4, 0, 2, 2] {
            assert_eq!(receiver.receive(&parts[part]), None);
        }
        assert_eq!(receiver.receive(&parts[3]), Some((whole, 7)));
    }

    #[test]
    fn parts_are_kept_for_longer_than_a_server_keeps_them() {
        let whole = answer(ID, &[5; 600]);
        let parts = cut(&whole);
        let mut receiver = receiver(OpFlags::USUAL);
        assert_eq!(receiver.receive(&parts[0]), None);
        receiver.room()[..parts[1].len()].copy_from_slice(&parts[1]);
        assert_eq!(receiver.take(Duration::from_secs(29), parts[1].len()), Some((whole, 2)));
    }

    #[test]
    fn an_answer_that_changed_its_length_replaces_the_parts_of_the_old_one() {
        let (old, new) = (answer(ID, &[5; 600]), answer(ID, &[6; 700]));
        let mut receiver = receiver(OpFlags::USUAL);
        assert_eq!(receiver.receive(&cut(&old)[0]), None);
        assert_eq!(receiver.receive(&cut(&new)[0]), None);
        assert_eq!(receiver.receive(&cut(&new)[1]), Some((new, 3)));
    }

    #[test]
    fn never_mixes_parts_of_certified_answers_to_different_sendings() {
        let mut receiver = receiver(OpFlags::USUAL.with(OpFlags::CERT));
        let (early, late) = (answer(ID, &[5; 600]), answer(ID + 1, &[6; 600]));
        assert_eq!(receiver.receive(&cut(&early)[0]), None);
        assert_eq!(receiver.receive(&cut(&late)[1]), None, "not the other half of the first");
        assert_eq!(receiver.receive(&cut(&late)[0]), Some((late, 3)));
    }

    #[test]
    fn nothing_but_the_answer_is_taken_and_everything_else_is_harmless() {
        let mut receiver = receiver(OpFlags::USUAL);
        let whole = answer(ID, b"content");
        for length in 0..whole.len() {
            // A truncated answer is a part whose rest is missing, or nothing at all.
            assert_eq!(receiver.receive(&whole[..length]), None);
        }
        let (own, _) = number(&question(OpFlags::USUAL), ID).unwrap();
        let mut oversized = whole.clone();
        oversized[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
        let mut undersized = whole.clone();
        undersized[16..20].copy_from_slice(&23_u32.to_be_bytes());
        for other in [answer(ID + 1, b"content"), vec![0; 1_232], vec![0xff; 1_232], own, oversized, undersized] {
            assert_eq!(receiver.receive(&other), None);
        }
        assert_eq!(receiver.receive(&whole).map(|(message, _)| message), Some(whole));
    }
}
