//! Servers that do not keep to the rules, are too busy, or show another certificate.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::io::AsyncWriteExt as _;
use waymark_client::{
    AskError, Failure, Server,
    Transport::{Quic, Tcp, Udp},
};
use waymark_resolver::{door::DoorEvent, policy::PolicyConfig};
use waymark_wire::{OpCode, ResponseCode};

use crate::{
    NEVER, PATIENCE, answer_to, assert_is_small, client, code, receive, scripted_tcp, scripted_udp,
    support::{
        network::{TcpHole, UdpPath},
        node::{HUGE, Identity, Node, small},
    },
    text, usual, value,
};

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
