//! Replays what a reference server was asked against running doors, over real sockets, and compares the answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    missing_docs,
    reason = "a test may fail by panicking, and is documented by its name"
)]

mod doors;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use doors::support::recording::{Comparison, Entry, entries};
use doors::support::{Shelf, reference_site, settings};
use doors::{Node, PATIENCE, connect, everywhere, read_message, read_to_end, request, socket};
use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;
use tokio::time::timeout;
use waymark_resolver::Transport;
use waymark_resolver::door::{DoorLimits, DoorsConfig, start};
use waymark_resolver::policy::{Network, PolicyConfig, SourceLists};
use waymark_wire::Envelope;

/// Datagrams of the largest recorded answer and more.
const ANSWER_PACKETS: usize = 512;

/// Buffer asked for in each asking socket, in bytes: room for those datagrams with what the kernel needs to keep each.
const RECEIVE_BYTES: usize = 4 << 20;

/// The request id of the question that marks the end of an answer; no recorded request has it.
const MARK: u32 = 1;

/// How long to wait for the answer to a mark before it is taken for lost and asked again.
const MARK_PATIENCE: Duration = Duration::from_secs(2);

/// How often a mark is asked before the door is taken for dead.
const MARKS: usize = 10;

/// Entries whose connection stays open until the client ends its half: one has the flag for it, the others show a mark of the IDIS dialect
/// (version 2.10, flag 0x4, a login).
const KEPT_OPEN: [&str; 5] = ["flag_all", "resolve_item_v2_10", "flag_low_bits", "idis_flag_4", "op_2001"];

/// Doors over everything the reference held, for askers who are not limited.
fn reference_node() -> Node {
    let shelf = Shelf::of_the_reference();
    let loopback = Network::new([127, 0, 0, 0].into(), 8).unwrap();
    let policy = PolicyConfig { lists: SourceLists::new(&[loopback], &[]), ..PolicyConfig::default() };
    let limits = DoorLimits { udp_threads: 2, udp_answer_packets: ANSWER_PACKETS, ..DoorLimits::default() };
    let config = DoorsConfig { quic: vec![], limits, policy, ..everywhere() };
    let running = start(config, &shelf.catalog, &Arc::new(settings(vec![reference_site()]))).unwrap();
    Node { running, shelf }
}

#[tokio::test]
async fn a_tcp_client_that_reads_to_the_end_gets_the_recorded_answers() {
    let node = reference_node();
    let mut comparison = Comparison::over(&[Transport::Tcp]);
    for entry in entries() {
        let mut stream = connect(node.tcp(), &entry.request).await;
        if KEPT_OPEN.contains(&entry.name.as_str()) {
            stream.shutdown().await.unwrap();
        }
        let answer = read_to_end(&mut stream).await;
        let length = Envelope::LEN + Envelope::parse(&answer).unwrap().message_length as usize;
        assert_eq!(answer.len(), length, "{}: one answer and nothing else", entry.name);
        comparison.note(&entry, Transport::Tcp, entry.difference_over_tcp(&answer));
    }
    comparison.finish();
}

#[tokio::test]
async fn a_tcp_client_that_reads_one_message_and_closes_gets_the_recorded_answers() {
    let node = reference_node();
    let mut comparison = Comparison::over(&[Transport::Tcp]);
    for entry in entries() {
        let answer = ask_over_tcp(&node, &entry).await;
        comparison.note(&entry, Transport::Tcp, entry.difference_over_tcp(&answer));
    }
    comparison.finish();
}

#[tokio::test]
async fn a_udp_client_gets_the_recorded_answers_in_the_recorded_datagrams() {
    let node = reference_node();
    let mut comparison = Comparison::over(&[Transport::Udp]);
    for entry in entries() {
        let datagrams = Datagrams::asked(&node, &entry).await;
        let (answer, sizes) = match datagrams.joined() {
            Some(answer) => (answer, datagrams.sizes()),
            None => {
                assert!(entry.is_lossy_over_udp(), "{}: {} datagrams came", entry.name, datagrams.by_sequence.len());
                println!("{}: {} datagrams came, compared are those", entry.name, datagrams.by_sequence.len());
                (datagrams.over(&ask_over_tcp(&node, &entry).await), datagrams.sizes())
            }
        };
        comparison.note(&entry, Transport::Udp, entry.difference_over_udp(&answer, &sizes));
    }
    comparison.finish();
}

async fn ask_over_tcp(node: &Node, entry: &Entry) -> Vec<u8> {
    read_message(&mut connect(node.tcp(), &entry.request).await).await
}

/// The datagrams that came of one answer.
#[derive(Default)]
struct Datagrams {
    /// The payloads, all of one answer.
    by_sequence: BTreeMap<u32, Vec<u8>>,
    /// The envelope of the whole answer.
    envelope: Vec<u8>,
    /// Bytes of the answer behind its envelope.
    length: usize,
}

impl Datagrams {
    /// Asks over UDP and collects everything that comes. A door sends all datagrams of an answer before it takes the next question of the
    /// same socket, and loopback keeps their order: once the answer to a question asked later is there, what is missing was lost.
    async fn asked(node: &Node, entry: &Entry) -> Self {
        let socket = socket(node.udp()).await;
        socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BYTES).unwrap();
        socket.send(&entry.request).await.unwrap();
        let mark = request(MARK, "1/absent");
        let mut datagrams = Self::default();
        let mut buffer = vec![0; 65_536];
        let first = timeout(PATIENCE, socket.recv(&mut buffer)).await.expect("no datagram came").unwrap();
        datagrams.take(entry, &buffer[..first]);
        for _ in 0..MARKS {
            socket.send(&mark).await.unwrap();
            if timeout(MARK_PATIENCE, datagrams.take_until_mark(entry, &socket, &mut buffer)).await.is_ok() {
                return datagrams;
            }
        }
        panic!("{}: no mark was answered", entry.name);
    }

    async fn take_until_mark(&mut self, entry: &Entry, socket: &UdpSocket, buffer: &mut [u8]) {
        loop {
            let length = socket.recv(buffer).await.unwrap();
            if Envelope::parse(buffer).unwrap().request_id == MARK {
                return;
            }
            self.take(entry, &buffer[..length]);
        }
    }

    fn take(&mut self, entry: &Entry, datagram: &[u8]) {
        let mut envelope = Envelope::parse(datagram).unwrap();
        let sequence = envelope.sequence;
        assert!(!envelope.flags.is_truncated(), "{}: the recording has no datagram marked as a part", entry.name);
        envelope.sequence = 0;
        let envelope_of_whole = envelope.to_bytes().to_vec();
        if self.by_sequence.is_empty() {
            self.length = envelope.message_length as usize;
            self.envelope = envelope_of_whole;
        } else {
            assert_eq!(self.envelope, envelope_of_whole, "{}: all but the sequence is the same", entry.name);
        }
        let before = self.by_sequence.insert(sequence, datagram[Envelope::LEN..].to_vec());
        assert_eq!(before, None, "{}: datagram {sequence} came twice", entry.name);
    }

    fn sizes(&self) -> Vec<usize> {
        self.by_sequence.values().map(|payload| Envelope::LEN + payload.len()).collect()
    }

    /// The answer; `None` when datagrams were lost.
    fn joined(&self) -> Option<Vec<u8>> {
        let is_whole = self.by_sequence.keys().zip(0..).all(|(sequence, expected)| *sequence == expected);
        let payloads: Vec<u8> = self.by_sequence.values().flatten().copied().collect();
        (is_whole && payloads.len() == self.length).then(|| [&self.envelope[..], &payloads].concat())
    }

    /// What came, laid over the same answer from TCP. The message as a whole then is as recorded only if what came is.
    fn over(&self, answer: &[u8]) -> Vec<u8> {
        assert_eq!(answer.len(), Envelope::LEN + self.length);
        let mut answer = answer.to_vec();
        answer[..Envelope::LEN].copy_from_slice(&self.envelope);
        for (sequence, payload) in &self.by_sequence {
            let at = Envelope::LEN + *sequence as usize * (512 - Envelope::LEN);
            answer[at..at + payload.len()].copy_from_slice(payload);
        }
        answer
    }
}
