//! A drained stop: nothing new, nothing lost, and an end within the bound.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs,
    reason = "a test may fail by panicking, and is documented by its name"
)]

mod doors;

use std::time::{Duration, Instant};

use doors::{
    Answer, Node, PATIENCE, connect, everywhere, read_message, read_to_end, receive, request, request_keeping, socket,
    until,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use waymark_resolver::door::{DoorEvent, Drained};
use waymark_wire::ResponseCode;

#[tokio::test]
async fn idle_doors_stop_at_once_and_leave_their_ports() {
    let node = Node::start(everywhere());
    let (udp, tcp) = (node.udp(), node.tcp());
    let mut kept = connect(tcp, &request_keeping(1, "1/small")).await;
    read_message(&mut kept).await;
    let started = Instant::now();
    assert_eq!(node.running.drain(PATIENCE).await, Drained::Finished);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(read_to_end(&mut kept).await.is_empty());
    assert!(TcpStream::connect(tcp).await.is_err());
    assert!(std::net::UdpSocket::bind(udp).is_ok());
}

#[tokio::test]
async fn datagrams_that_have_arrived_are_answered_before_the_stop() {
    let node = Node::start(everywhere());
    let mut sockets = Vec::new();
    for number in 0..20 {
        let socket = socket(node.udp()).await;
        for id in 0..20 {
            socket.send(&request(number * 100 + id, "1/small")).await.unwrap();
        }
        sockets.push(socket);
    }
    assert_eq!(node.running.drain(PATIENCE).await, Drained::Finished);
    for (number, socket) in (0..).zip(&sockets) {
        let mut ids = Vec::new();
        for _ in 0..20 {
            ids.push(Answer::parse(&receive(socket).await).id);
        }
        ids.sort_unstable();
        assert_eq!(ids, (0..20).map(|id| number * 100 + id).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_message_under_way_is_finished_and_answered() {
    let node = Node::start(everywhere());
    let question = request_keeping(5, "1/huge");
    let mut stream = connect(node.tcp(), &question[..30]).await;
    until("half a message", || node.tcp_count(DoorEvent::BytesIn) == 30).await;
    let drain = tokio::spawn(node.running.drain(PATIENCE));
    // The listener is gone once draining has begun.
    while TcpStream::connect(stream.peer_addr().unwrap()).await.is_ok() {}
    stream.write_all(&question[30..]).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert_eq!(Answer::parse(&answer).code, ResponseCode::SUCCESS);
    assert_eq!(drain.await.unwrap(), Drained::Finished);
}

#[tokio::test]
async fn everything_received_is_answered_under_load() {
    let node = Node::over(doors::shelf().reopened_cold(), everywhere());
    let together: Vec<u8> =
        (0..300_u32).flat_map(|id| request_keeping(id, ["1/small", "1/huge"][id as usize % 2])).collect();
    let mut stream = TcpStream::connect(node.tcp()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let asked = u64::try_from(together.len()).unwrap();
    let (running, shelf) = (node.running, node.shelf);
    let drain = async {
        while running.counters().tcp.get(DoorEvent::BytesIn) < asked / 2 {
            tokio::task::yield_now().await;
        }
        let received = running.counters().tcp.get(DoorEvent::BytesIn);
        (running.drain(PATIENCE).await, received)
    };
    let sending = async {
        let _ = writer.write_all(&together).await;
    };
    let ((drained, received), (), bytes) = tokio::join!(drain, sending, read_to_end(&mut reader));
    drop(shelf);
    assert_eq!(drained, Drained::Finished);
    let answered = count(&bytes);
    let whole_received = usize::try_from(received).unwrap() / request_keeping(0, "1/small").len();
    assert!(answered >= whole_received.min(300) - 1, "{answered} answers for {whole_received} questions received");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_stops_asking_does_not_hold_off_the_stop() {
    let node = Node::start(everywhere());
    let (mut reader, mut writer) = TcpStream::connect(node.tcp()).await.unwrap().into_split();
    let asking = tokio::spawn(async move {
        let together = request_keeping(1, "1/small").repeat(100);
        while writer.write_all(&together).await.is_ok() {}
    });
    let reading = tokio::spawn(async move {
        let mut room = vec![0; 65_536];
        while matches!(tokio::io::AsyncReadExt::read(&mut reader, &mut room).await, Ok(1..)) {}
    });
    until("asked a lot", || node.tcp_count(DoorEvent::BytesIn) > 100_000).await;
    assert_eq!(node.running.drain(PATIENCE).await, Drained::Finished);
    asking.await.unwrap();
    reading.await.unwrap();
}

/// Whole answers in `bytes`, which must hold nothing else.
fn count(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while !bytes.is_empty() {
        let length = 20 + waymark_wire::Envelope::parse(bytes).unwrap().message_length as usize;
        Answer::parse(&bytes[..length]);
        bytes = &bytes[length..];
        count += 1;
    }
    count
}

#[tokio::test]
async fn the_bound_ends_what_does_not_end_by_itself() {
    let node = Node::start(everywhere());
    let mut stuck = connect(node.tcp(), &request(1, "1/small")[..30]).await;
    until("half a message", || node.tcp_count(DoorEvent::BytesIn) == 30).await;
    let started = Instant::now();
    assert_eq!(node.running.drain(Duration::from_millis(300)).await, Drained::CutOff);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let mut nothing = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stuck, &mut nothing).await;
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn dropped_doors_stop_too() {
    let node = Node::start(everywhere());
    let (udp, tcp) = (node.udp(), node.tcp());
    drop(node.running);
    until("the TCP port is free", || std::net::TcpListener::bind(tcp).is_ok()).await;
    until("the UDP port is free", || std::net::UdpSocket::bind(udp).is_ok()).await;
}
