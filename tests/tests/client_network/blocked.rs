//! Good networks, and networks that block.

use std::{
    io::ErrorKind,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{io::AsyncReadExt as _, net::TcpListener, task::JoinSet, time::timeout};
use waymark_client::{
    AskError, Failure, Server,
    Transport::{self, Quic, Tcp, Udp},
    Trust, quic,
};
use waymark_resolver::{door, policy::PolicyConfig};

use crate::{
    NEVER, ORDERS, PATIENCE, assert_is_small, client, scripted_udp,
    support::{
        network::{ClosedTcp, ClosedUdp, LOOPBACK, TcpHole, UdpHole},
        node::{Identity, LARGE, Node, small},
    },
    usual, value,
};

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
