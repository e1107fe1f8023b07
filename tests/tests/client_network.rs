//! The client over networks that lose, delay, repeat, reorder, block and lie: real sockets, a real node, and paths between them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and read the clock to bound how long something took"
)]

mod support;

use std::{
    io::ErrorKind,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use support::{
    network::{ClosedTcp, ClosedUdp, LOOPBACK, TcpHole, TcpPath, UdpHole, UdpPath, Weather},
    node::{HUGE, Identity, LARGE, Node, numbered_question, question, small},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinSet,
    time::timeout,
};
use waymark_client::{Answer, AskError, Client, Failure, Options, Server, Transport, Trust, quic};
use waymark_resolver::{
    NodeKey,
    door::{self, DoorEvent},
    policy::PolicyConfig,
};
use waymark_wire::{
    Envelope, Head, Message, OpCode, OpFlags, ResponseCode, Version,
    crypto::signed_message::verify_certified,
    limits::ResponseLimits,
    response::{OwnIdentity, Response, ResponseBody, ResponseWriter, respond_to},
};

use Transport::{Quic, Tcp, Udp};

/// Long enough for a loaded machine; nothing below waits for it unless something is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// A stagger that never comes within [`PATIENCE`]: whatever starts, starts for another reason.
const NEVER: Duration = Duration::from_secs(30);

fn client(order: &[Transport], stagger: Duration) -> Client {
    Client::new(Options { order: order.to_vec(), stagger })
}

fn usual(handle: &str) -> Vec<u8> {
    question(handle, OpFlags::USUAL)
}

/// The response code of an answer.
fn code(answer: &Answer) -> ResponseCode {
    Message::parse(&answer.message).unwrap().header.response_code
}

/// The data of the one value of a successful resolution of `handle`.
fn value(answer: &Answer, handle: &str) -> Vec<u8> {
    let response = Response::parse(&answer.message, ResponseLimits::WHOLE_MESSAGE).unwrap();
    assert_eq!(response.code, ResponseCode::SUCCESS, "{handle}");
    let ResponseBody::Resolution { handle: named, values } = response.body else { panic!("no resolution") };
    assert_eq!(named, handle.as_bytes());
    let values: Vec<Vec<u8>> = values.iter().map(|value| value.data.to_vec()).collect();
    assert_eq!(values.len(), 1);
    values.into_iter().next().unwrap()
}

fn assert_is_small(answer: &Answer, number: usize) {
    assert_eq!(value(answer, &small(number)), format!("https://example.org/{number}").as_bytes());
}

/// What a server other than ours answers to `request`: error 2 with a text.
fn answer_to(request: &[u8], text: &str) -> Vec<u8> {
    let own = OwnIdentity { version: Version::CURRENT, site_serial: 1, primary: true };
    let head = respond_to(&Head::parse(request).unwrap(), &own, ResponseCode::ERROR, u32::MAX);
    let mut room = vec![0; 4_096];
    let length = ResponseWriter::begin(&mut room, &head, None).error(text.as_bytes()).unwrap();
    room.truncate(length);
    room
}

/// The text [`answer_to`] put in.
fn text(answer: &Answer) -> String {
    let response = Response::parse(&answer.message, ResponseLimits::WHOLE_MESSAGE).unwrap();
    let ResponseBody::Error { message, .. } = response.body else { panic!("no error") };
    String::from_utf8(message.to_vec()).unwrap()
}

/// A UDP server whose every word the test says itself.
async fn scripted_udp() -> (UdpSocket, Server) {
    let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
    let server = Server { udp: Some(socket.local_addr().unwrap()), ..Server::default() };
    (socket, server)
}

/// The next datagram of a client, which must come.
async fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 2_048];
    let received = timeout(PATIENCE, socket.recv_from(&mut buffer)).await;
    let (length, from) = received.expect("the client asks no more").unwrap();
    buffer.truncate(length);
    (buffer, from)
}

/// A TCP server that takes one connection and one request, and then does what the test says.
async fn scripted_tcp<F>(script: impl FnOnce(TcpStream, Vec<u8>) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; Envelope::LEN];
        stream.read_exact(&mut request).await.unwrap();
        let rest = Envelope::parse(&request).unwrap().checked_length().unwrap();
        request.resize(Envelope::LEN + rest, 0);
        stream.read_exact(&mut request[Envelope::LEN..]).await.unwrap();
        script(stream, request).await;
    });
    address
}

// A good network.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_transport_brings_small_and_large_answers() {
    let node = Node::start();
    for transport in [Udp, Tcp, Quic] {
        let client = client(&[transport], NEVER);
        for padded in [false, true] {
            let server = node.server(padded);
            let answer = client.ask(&server, &usual(&small(7)), PATIENCE).await.unwrap();
            assert_is_small(&answer, 7);
            assert_eq!(answer.transport, transport);
            let packets = u32::from(transport == Udp);
            assert_eq!((answer.packets_sent, answer.packets_received), (packets, packets), "{transport}");

            let answer = client.ask(&server, &usual(LARGE.0), PATIENCE).await.unwrap();
            assert_eq!(value(&answer, LARGE.0).len(), LARGE.1);
            let packets =
                if transport == Udp { answer.message.len().div_ceil(if padded { 1_212 } else { 492 }) } else { 0 };
            assert_eq!(usize::try_from(answer.packets_received), Ok(packets), "{transport}, padded: {padded}");
        }
    }
}

#[test]
fn client_and_door_speak_the_same_protocol_name() {
    assert_eq!(quic::ALPN, door::ALPN);
}

#[tokio::test]
async fn a_caller_is_told_what_it_did_wrong() {
    let (_socket, server) = scripted_udp().await;
    let asked = client(&[Tcp, Quic], NEVER).ask(&server, &usual("88.7/x"), PATIENCE).await;
    assert!(matches!(asked, Err(AskError::NoTransport)), "{asked:?}");
    let asked = client(&[Udp], NEVER).ask(&server, &usual("88.7/x")[..30], PATIENCE).await;
    assert!(matches!(asked, Err(AskError::Request(_))), "{asked:?}");
}

// Networks that block.

/// The addresses a network that blocks something leads to.
struct Blocks {
    udp: [SocketAddr; 2],
    tcp: [SocketAddr; 2],
}

impl Blocks {
    /// The server as seen through a network that blocks some transports, by silence or by refusal.
    fn server(&self, node: &Node, blocked: &[Transport], refuses: bool) -> Server {
        let mut server = node.server(true);
        let way = usize::from(refuses);
        for transport in blocked {
            match transport {
                Udp => server.udp = Some(self.udp[way]),
                Tcp => server.tcp = Some(self.tcp[way]),
                Quic => server.quic = Some(node.quic_at(self.udp[way])),
            }
        }
        server
    }
}

const ORDERS: [[Transport; 3]; 6] =
    [[Udp, Tcp, Quic], [Udp, Quic, Tcp], [Tcp, Udp, Quic], [Tcp, Quic, Udp], [Quic, Udp, Tcp], [Quic, Tcp, Udp]];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_one_or_two_transports_a_network_blocks_the_rest_brings_the_answer() {
    let node = Arc::new(Node::start());
    let (udp_hole, tcp_hole) = (UdpHole::new().await, TcpHole::new().await);
    let (udp_closed, tcp_closed) = (ClosedUdp::new().await, ClosedTcp::new());
    let blocks =
        Blocks { udp: [udp_hole.address(), udp_closed.address()], tcp: [tcp_hole.address(), tcp_closed.address()] };
    let mut asked = JoinSet::new();
    let mut questions = 0;
    for order in ORDERS {
        // The first, the last, and the first two of each order cover every set of one and of two at every place.
        for blocked in [&order[..1], &order[2..], &order[..2]] {
            for refuses in [false, true] {
                let (server, blocked) = (blocks.server(&node, blocked, refuses), blocked.to_vec());
                questions += 1;
                asked.spawn(async move {
                    let answer =
                        client(&order, Duration::from_millis(100)).ask(&server, &usual(&small(3)), PATIENCE).await;
                    let answer = answer.unwrap_or_else(|error| panic!("{order:?} without {blocked:?}: {error}"));
                    assert_is_small(&answer, 3);
                    assert!(
                        !blocked.contains(&answer.transport),
                        "{order:?} without {blocked:?}: {}",
                        answer.transport
                    );
                });
            }
        }
    }
    while let Some(ended) = asked.join_next().await {
        ended.unwrap();
        questions -= 1;
    }
    assert_eq!(questions, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transport_that_fails_starts_the_next_at_once() {
    let node = Node::start();
    let (udp_closed, tcp_closed) = (ClosedUdp::new().await, ClosedTcp::new());
    let server = Server { udp: Some(udp_closed.address()), tcp: Some(tcp_closed.address()), ..node.server(true) };
    // Port unreachable, then connection refused: no stagger passes in this test.
    for order in [[Udp, Tcp, Quic], [Tcp, Udp, Quic]] {
        let answer = client(&order, NEVER).ask(&server, &usual(&small(1)), PATIENCE).await.unwrap();
        assert_eq!(answer.transport, Quic);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transport_that_fails_beside_a_silent_one_starts_the_next_at_once_too() {
    let node = Node::start();
    let (udp_hole, tcp_closed) = (UdpHole::new().await, ClosedTcp::new());
    let server = Server { udp: Some(udp_hole.address()), tcp: Some(tcp_closed.address()), ..node.server(true) };
    let stagger = Duration::from_secs(3);
    let started = Instant::now();
    let answer = client(&[Udp, Tcp, Quic], stagger).ask(&server, &usual(&small(1)), PATIENCE).await.unwrap();
    assert_eq!(answer.transport, Quic);
    // Silence has to pass before the second, but not before the third as well.
    assert!(started.elapsed() >= stagger && started.elapsed() < 2 * stagger, "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_deadline_the_failures_until_then_are_told() {
    let (udp_hole, tcp_closed) = (UdpHole::new().await, ClosedTcp::new());
    let server = Server {
        udp: Some(udp_hole.address()),
        tcp: Some(tcp_closed.address()),
        quic: Some((udp_hole.address(), "localhost".to_owned(), Trust::Pin([0; 32]))),
        understands_padding: false,
    };
    let asked = Duration::from_millis(600);
    let started = Instant::now();
    let error = client(&[Udp, Tcp, Quic], Duration::from_millis(50)).ask(&server, &usual("88.7/x"), asked).await;
    let AskError::Deadline { deadline, failures } = error.unwrap_err() else { panic!("no deadline") };
    assert_eq!(deadline, asked);
    let [(Tcp, Failure::Io(refused))] = &failures[..] else { panic!("{failures:?}") };
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert!(started.elapsed() >= asked && started.elapsed() < PATIENCE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_fail_nobody_waits_for_the_deadline() {
    let (udp_closed, tcp_closed, identity) = (ClosedUdp::new().await, ClosedTcp::new(), Identity::new());
    let node = Node::with(&identity, PolicyConfig::default(), None);
    let (quic_door, name, _) = node.server(true).quic.unwrap();
    let server = Server {
        udp: Some(udp_closed.address()),
        tcp: Some(tcp_closed.address()),
        quic: Some((quic_door, name, Identity::new().pin())),
        understands_padding: false,
    };
    let (client, request) = (client(&[Udp, Tcp, Quic], NEVER), usual("88.7/x"));
    let asked = client.ask(&server, &request, Duration::from_secs(24 * 3600));
    let error = timeout(PATIENCE, asked).await.expect("it waits for the deadline").unwrap_err();
    let AskError::Failed { failures } = &error else { panic!("{error}") };
    let transports: Vec<Transport> = failures.iter().map(|(transport, _)| *transport).collect();
    assert_eq!(transports, [Udp, Tcp, Quic], "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_is_dropped_lets_go_of_its_connections() {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let server = Server { tcp: Some(listener.local_addr().unwrap()), ..Server::default() };
    let request = usual("88.7/x");
    let asking = tokio::spawn(async move { client(&[Tcp], NEVER).ask(&server, &request, PATIENCE).await });
    let (mut stream, _) = timeout(PATIENCE, listener.accept()).await.expect("nobody connects").unwrap();
    let mut byte = [0];
    stream.read_exact(&mut byte).await.unwrap();
    asking.abort();
    // Ends with the connection, and only then.
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection is still open");
}

// Networks that lose and delay.

/// 800 milliseconds there and back, and 30 of 100 datagrams lost in each direction; some come twice, some overtake others.
const BAD: Weather =
    Weather { seed: 7, loss: 30, twice: 5, delay: Duration::from_millis(400), jitter: Duration::from_millis(60) };

/// What the questions over a bad network have.
const BAD_DEADLINE: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_30_percent_loss_and_800_ms_every_question_over_udp_alone_is_answered() {
    let node = Node::start();
    let path = UdpPath::weather(node.server(true).udp.unwrap(), BAD).await;
    let mut asked = JoinSet::new();
    for number in 0..60 {
        let server = Server { udp: Some(path.address), understands_padding: number % 2 == 0, ..Server::default() };
        asked.spawn(async move {
            let answer = client(&[Udp], NEVER).ask(&server, &usual(&small(number)), BAD_DEADLINE).await.unwrap();
            assert_is_small(&answer, number);
            assert!(answer.elapsed >= 2 * BAD.delay);
            (answer.packets_sent, answer.packets_received)
        });
    }
    // Answers of five datagrams.
    for number in 0..20 {
        let server = Server { udp: Some(path.address), ..Server::default() };
        asked.spawn(async move {
            let request = numbered_question(LARGE.0, OpFlags::USUAL, number);
            let answer = client(&[Udp], NEVER).ask(&server, &request, BAD_DEADLINE).await.unwrap();
            assert_eq!(value(&answer, LARGE.0).len(), LARGE.1);
            assert!(answer.packets_received >= 5);
            (answer.packets_sent, answer.packets_received)
        });
    }
    let (mut sent, mut ended) = (0, 0);
    while let Some(answered) = asked.join_next().await {
        sent += answered.unwrap().0;
        ended += 1;
    }
    assert_eq!(ended, 80);
    assert!(sent > 2 * 80, "the network was not bad: {sent} datagrams for 80 questions");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certified_answers_that_came_in_pieces_over_a_bad_network_verify() {
    let fixtures = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/data/fixtures.json")).unwrap();
    let fixtures: serde_json::Value = serde_json::from_slice(&fixtures).unwrap();
    let key = fixtures["keys"]["0.NA/88.111.1 index 300"]["handle_private_key_file_hex"].as_str().unwrap();
    let key = NodeKey::open(&hex::decode(key).unwrap(), None).unwrap();
    let node = Node::with(&Identity::new(), PolicyConfig::default(), Some(key));
    // Less loss, for all pieces of one sending have to arrive; delay enough for answers of different seconds to meet.
    let path = UdpPath::weather(node.server(true).udp.unwrap(), Weather { loss: 15, ..BAD }).await;
    let node = Arc::new(node);
    let mut asked = JoinSet::new();
    for number in 0..10 {
        let server = Server { udp: Some(path.address), ..Server::default() };
        let node = Arc::clone(&node);
        asked.spawn(async move {
            let request = numbered_question(LARGE.0, OpFlags::USUAL.with(OpFlags::CERT), number);
            let answer = client(&[Udp], NEVER).ask(&server, &request, BAD_DEADLINE).await.unwrap();
            assert_eq!(value(&answer, LARGE.0).len(), LARGE.1);
            assert!(answer.packets_received >= 5);
            verify_certified(&Message::parse(&answer.message).unwrap(), node.public_key()).unwrap();
        });
    }
    while let Some(answered) = asked.join_next().await {
        answered.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_30_percent_loss_and_800_ms_all_transports_together_answer_every_question() {
    let node = Node::start();
    let direct = node.server(true);
    let udp = UdpPath::weather(direct.udp.unwrap(), BAD).await;
    let quic = UdpPath::weather(direct.quic.as_ref().unwrap().0, BAD).await;
    let tcp = TcpPath::new(direct.tcp.unwrap(), BAD.delay).await;
    let server = Server {
        udp: Some(udp.address),
        tcp: Some(tcp.address),
        quic: Some(node.quic_at(quic.address)),
        understands_padding: true,
    };
    let mut asked = JoinSet::new();
    for number in 0..20 {
        let server = server.clone();
        asked.spawn(async move {
            let client = Client::new(Options { order: ORDERS[number % 6].to_vec(), ..Options::default() });
            let answer = client.ask(&server, &usual(&small(number)), BAD_DEADLINE).await.unwrap();
            assert_is_small(&answer, number);
            answer.transport
        });
    }
    let mut used = Vec::new();
    while let Some(answered) = asked.join_next().await {
        used.push(answered.unwrap());
    }
    assert_eq!(used.len(), 20);
    // TCP needs two round trips here, UDP one, if it has luck.
    assert!(used.contains(&Udp) && used.contains(&Tcp), "{used:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_answer_to_an_earlier_sending_counts() {
    for flags in [OpFlags::USUAL, OpFlags::USUAL.with(OpFlags::CERT)] {
        let (socket, server) = scripted_udp().await;
        let request = question("88.7/x", flags);
        let asking = tokio::spawn(async move { client(&[Udp], NEVER).ask(&server, &request, PATIENCE).await });
        let (first, from) = receive(&socket).await;
        let (second, _) = receive(&socket).await;
        receive(&socket).await;
        assert_eq!(first == second, flags == OpFlags::USUAL, "certified questions have an id for each sending");
        assert_eq!(first[12..], second[12..]);
        socket.send_to(&answer_to(&first, "late"), from).await.unwrap();
        let answer = asking.await.unwrap().unwrap();
        assert_eq!((text(&answer).as_str(), answer.packets_sent), ("late", 3));
    }
}

// Others on the network.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_an_attacker_off_the_path_sends_becomes_the_answer_or_ends_the_exchange() {
    let (socket, server) = scripted_udp().await;
    let address = server.udp.unwrap();
    let asking = tokio::spawn(async move { client(&[Udp], NEVER).ask(&server, &usual("88.7/x"), PATIENCE).await });
    let (request, victim) = receive(&socket).await;

    // Who does not have the server's address and port, whatever else it knows.
    let forged = answer_to(&request, "forged");
    let other_port = UdpSocket::bind(LOOPBACK).await.unwrap();
    other_port.send_to(&forged, victim).await.unwrap();
    let other_host = UdpSocket::bind(("127.0.0.2", address.port())).await.unwrap();
    other_host.send_to(&forged, victim).await.unwrap();

    // Who forges the source address, and does not know what was asked.
    let with = |at: usize, bytes: &[u8]| {
        let mut message = forged.clone();
        message[at..at + bytes.len()].copy_from_slice(bytes);
        message
    };
    let own_id = u32::from_be_bytes(request[8..12].try_into().unwrap());
    let mut forgeries = vec![
        with(8, &own_id.wrapping_add(1).to_be_bytes()),
        with(8, &0_u32.to_be_bytes()),
        with(8, &Envelope::UNREADABLE_REQUEST_ID.to_be_bytes()),
        with(20, &OpCode::GET_SITE_INFO.0.to_be_bytes()),
        with(20, &OpCode::CREATE_HANDLE.0.to_be_bytes()),
        // A body longer than its message, a message longer than any, a message shorter than a header.
        with(40, &u32::MAX.to_be_bytes()),
        with(16, &u32::MAX.to_be_bytes()),
        with(16, &3_u32.to_be_bytes()),
        // Encrypted, which nobody asked for.
        with(2, &[0x40]),
        // What was asked, sent back.
        request.clone(),
        vec![0; 512],
        vec![0xff; 1_400],
        Vec::new(),
    ];
    // Truncated, down to nothing.
    forgeries.extend((0..forged.len()).step_by(7).map(|length| forged[..length].to_vec()));
    for forgery in &forgeries {
        socket.send_to(forgery, victim).await.unwrap();
    }

    // The exchange goes on: the question is repeated, and its answer taken.
    let (repeated, from) = receive(&socket).await;
    assert_eq!((&repeated, from), (&request, victim));
    socket.send_to(&answer_to(&repeated, "true"), victim).await.unwrap();
    let answer = asking.await.unwrap().unwrap();
    assert_eq!(text(&answer), "true");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_of_other_exchanges_never_mix_into_an_answer() {
    let (socket, server) = scripted_udp().await;
    let asking = tokio::spawn(async move { client(&[Udp], NEVER).ask(&server, &usual("88.7/x"), PATIENCE).await });
    let (request, victim) = receive(&socket).await;
    let pieces = |request: &[u8], letter: &str| -> Vec<Vec<u8>> {
        let whole = answer_to(request, &letter.repeat(1_000));
        waymark_wire::frame::DatagramSplitter::new(&whole, 512, waymark_wire::frame::TruncatedBit::Never)
            .unwrap()
            .map(|datagram| [&datagram.envelope[..], &whole[datagram.payload]].concat())
            .collect()
    };
    let mut other = request.clone();
    other[11] ^= 1;
    let (own, foreign) = (pieces(&request, "o"), pieces(&other, "f"));
    // Last piece first, each twice, those of another request between.
    for at in (0..own.len()).rev() {
        for datagram in [&foreign[at], &own[at], &own[at]] {
            socket.send_to(datagram, victim).await.unwrap();
        }
    }
    assert_eq!(text(&asking.await.unwrap().unwrap()), "o".repeat(1_000));
}

// Servers that do not keep to the rules.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tcp_server_that_breaks_off_or_sends_garbage_has_failed_and_is_told_apart() {
    let alone = |address| async move {
        let server = Server { tcp: Some(address), ..Server::default() };
        match client(&[Tcp], NEVER).ask(&server, &usual("88.7/x"), PATIENCE).await {
            Err(AskError::Failed { mut failures }) if failures.len() == 1 => failures.remove(0).1,
            other => panic!("{other:?}"),
        }
    };
    let closes_at_once = scripted_tcp(|stream, _| async move { drop(stream) }).await;
    assert!(matches!(alone(closes_at_once).await, Failure::Closed));

    let closes_inside = scripted_tcp(|mut stream, request| async move {
        let answer = answer_to(&request, "never seen whole");
        stream.write_all(&answer[..answer.len() - 1]).await.unwrap();
    });
    assert!(matches!(alone(closes_inside.await).await, Failure::Closed));

    let answers_somebody_else = scripted_tcp(|mut stream, mut request| async move {
        request[11] ^= 1;
        stream.write_all(&answer_to(&request, "not yours")).await.unwrap();
    });
    assert!(matches!(alone(answers_somebody_else.await).await, Failure::Closed));

    let speaks_http = scripted_tcp(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await.unwrap();
    });
    assert!(matches!(alone(speaks_http.await).await, Failure::NotAMessage(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_tcp_server_that_breaks_off_the_next_transport_answers() {
    let node = Node::start();
    let broken = scripted_tcp(|mut stream, _| async move { stream.write_all(&[0xff; 64]).await.unwrap() }).await;
    let server = Server { tcp: Some(broken), ..node.server(true) };
    let answer = client(&[Tcp, Udp], NEVER).ask(&server, &usual(&small(5)), PATIENCE).await.unwrap();
    assert_eq!(answer.transport, Udp);
    assert_is_small(&answer, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_byte_by_byte_between_others_is_found() {
    let address = scripted_tcp(|mut stream, request| async move {
        let mut other = request.clone();
        other[11] ^= 1;
        let bytes = [answer_to(&other, "not yours"), answer_to(&request, "yours"), answer_to(&other, "late")].concat();
        for byte in bytes {
            stream.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    })
    .await;
    let server = Server { tcp: Some(address), ..Server::default() };
    let answer = client(&[Tcp], NEVER).ask(&server, &usual("88.7/x"), PATIENCE).await.unwrap();
    assert_eq!(text(&answer), "yours");
}

// Too busy over UDP.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_too_many_datagrams_comes_over_the_next_transport() {
    let node = Node::start();
    for next in [Tcp, Quic] {
        let answer = client(&[Udp, next], NEVER).ask(&node.server(true), &usual(HUGE.0), PATIENCE).await.unwrap();
        assert_eq!(answer.transport, next);
        assert_eq!(value(&answer, HUGE.0).len(), HUGE.1);
    }
    // Where there is no other way, that is the answer.
    let answer = client(&[Udp], NEVER).ask(&node.server(true), &usual(HUGE.0), PATIENCE).await.unwrap();
    assert_eq!(code(&answer), ResponseCode::SERVER_TOO_BUSY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_held_over_udp_asks_over_tcp_and_is_then_free_again() {
    let policy = PolicyConfig { queries_per_second: 1, ..PolicyConfig::default() };
    let node = Node::with(&Identity::new(), policy, None);
    let server = node.server(true);
    let over_udp = client(&[Udp], NEVER);
    // More at once than the rate takes in the time this may last on a slow machine.
    let mut last = ResponseCode::SUCCESS;
    for _ in 0..100 {
        last = code(&over_udp.ask(&server, &usual(&small(1)), PATIENCE).await.unwrap());
        if last == ResponseCode::SERVER_TOO_BUSY {
            break;
        }
    }
    assert_eq!(last, ResponseCode::SERVER_TOO_BUSY);
    let answer = client(&[Tcp], NEVER).ask(&server, &usual(&small(1)), PATIENCE).await.unwrap();
    assert_is_small(&answer, 1);
    for number in 0..10 {
        assert_is_small(&over_udp.ask(&server, &usual(&small(number)), PATIENCE).await.unwrap(), number);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_busy_is_the_answer_when_nothing_better_comes_before_the_deadline() {
    let (socket, server) = scripted_udp().await;
    let hole = TcpHole::new().await;
    let server = Server { tcp: Some(hole.address()), ..server };
    let asking = tokio::spawn(async move {
        client(&[Udp, Tcp], NEVER).ask(&server, &usual("88.7/x"), Duration::from_millis(800)).await
    });
    let (request, from) = receive(&socket).await;
    let mut busy = answer_to(&request, "too busy");
    busy[24..28].copy_from_slice(&ResponseCode::SERVER_TOO_BUSY.0.to_be_bytes());
    socket.send_to(&busy, from).await.unwrap();
    assert_eq!(code(&asking.await.unwrap().unwrap()), ResponseCode::SERVER_TOO_BUSY);
}

// QUIC.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_another_certificate_is_not_asked_and_the_next_transport_is() {
    let node = Node::start();
    let (address, name, _) = node.server(true).quic.unwrap();
    let server = Server { quic: Some((address, name, Identity::new().pin())), ..node.server(true) };
    let asked = client(&[Quic], NEVER).ask(&server, &usual(&small(2)), PATIENCE).await;
    let Err(AskError::Failed { failures }) = asked else { panic!("{asked:?}") };
    assert!(matches!(&failures[..], [(Quic, Failure::QuicConnection(_))]), "{failures:?}");
    assert_eq!(node.running.counters().quic.get(DoorEvent::BytesIn), 0, "the question reached it");

    let answer = client(&[Quic, Udp], NEVER).ask(&server, &usual(&small(2)), PATIENCE).await.unwrap();
    assert_eq!(answer.transport, Udp);
    assert_is_small(&answer, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_question_to_a_known_server_travels_in_the_first_packet_and_no_other_does() {
    let node = Node::start();
    // Once the way is cut, the client can say nothing after it has heard anything: only what it sent before is answered. The server may
    // answer the first of several datagrams that belong together, so what counts is when that can have been heard.
    const BACK: Duration = Duration::from_millis(400);
    let cut = Arc::new(AtomicBool::new(false));
    let is_cut = Arc::clone(&cut);
    let path = UdpPath::new(node.server(true).quic.unwrap().0, move |parcel| {
        match (is_cut.load(Ordering::Relaxed), parcel.to_server) {
            (true, true) if parcel.since_answer.is_some_and(|since| since >= BACK) => Vec::new(),
            (true, false) => vec![BACK],
            _ => vec![Duration::ZERO],
        }
    })
    .await;
    let server = Server { quic: Some(node.quic_at(path.address)), ..Server::default() };
    let client = client(&[Quic], NEVER);
    assert_is_small(&client.ask(&server, &usual(&small(1)), PATIENCE).await.unwrap(), 1);

    cut.store(true, Ordering::Relaxed);
    assert_is_small(&client.ask(&server, &usual(&small(2)), PATIENCE).await.unwrap(), 2);

    let mut removal = usual(&small(2));
    removal[20..24].copy_from_slice(&OpCode::DELETE_HANDLE.0.to_be_bytes());
    let before = node.running.counters().quic.get(DoorEvent::BytesIn);
    let asked = client.ask(&server, &removal, 3 * BACK).await;
    assert!(matches!(asked, Err(AskError::Deadline { .. })), "{asked:?}");
    assert_eq!(node.running.counters().quic.get(DoorEvent::BytesIn), before, "it travelled early");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgot_the_session_is_asked_anew() {
    let identity = Identity::new();
    let [first, second] = [(); 2].map(|()| Node::with(&identity, PolicyConfig::default(), None));
    let client = client(&[Quic], NEVER);
    for number in 0..3 {
        // The same name and certificate: each is offered the sessions of the other.
        for node in [&first, &second] {
            let answer = client.ask(&node.server(true), &usual(&small(number)), PATIENCE).await.unwrap();
            assert_is_small(&answer, number);
        }
    }
}
