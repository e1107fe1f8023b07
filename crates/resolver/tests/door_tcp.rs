//! The TCP door on real sockets, with both kinds of clients there are.
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

use std::time::Duration;

use doors::{
    Answer, Node, PATIENCE, connect, everywhere, read_message, read_to_end, request, request_keeping, request_of,
    shelf, until,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use waymark_resolver::door::{DoorEvent, DoorLimits, DoorsConfig};
use waymark_wire::{Envelope, OpFlags, ResponseCode, Version};

fn tcp(limits: DoorLimits) -> DoorsConfig {
    DoorsConfig { udp: vec![], quic: vec![], limits, ..everywhere() }
}

fn node() -> Node {
    Node::start(tcp(DoorLimits::default()))
}

/// Splits what a whole connection gave into answers.
fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let length = Envelope::LEN + Envelope::parse(bytes).unwrap().message_length as usize;
        answers.push(Answer::parse(&bytes[..length]));
        bytes = &bytes[length..];
    }
    answers
}

#[tokio::test]
async fn a_handle_client_that_reads_to_the_end_gets_its_answer_and_the_end() {
    let node = node();
    for (id, handle) in ["1/small", "1/huge", "1/absent"].into_iter().enumerate() {
        let id = u32::try_from(id).unwrap();
        let mut stream = connect(node.tcp(), &request(id, handle)).await;
        let answers = answers(&read_to_end(&mut stream).await);
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].id, id);
    }
}

#[tokio::test]
async fn an_idis_client_keeps_its_connection_for_many_questions() {
    let node = node();
    let mut stream = connect(node.tcp(), &[]).await;
    for id in 0..50 {
        stream.write_all(&request_of(id, "1/small", OpFlags::USUAL, Version::TELEINFO)).await.unwrap();
        assert_eq!(Answer::parse(&read_message(&mut stream).await).id, id);
    }
    assert_eq!(node.running.counters().tcp.open_connections(), 1);
}

#[tokio::test]
async fn a_client_that_asks_to_keep_the_connection_can_end_it_with_a_question_that_does_not() {
    let node = node();
    let mut stream = connect(node.tcp(), &request_keeping(1, "1/small")).await;
    assert_eq!(Answer::parse(&read_message(&mut stream).await).id, 1);
    stream.write_all(&request(2, "1/small")).await.unwrap();
    assert_eq!(answers(&read_to_end(&mut stream).await)[0].id, 2);
}

#[tokio::test]
async fn questions_sent_together_are_all_answered_in_order() {
    let node = node();
    let handles = ["1/small", "1/huge", "1/middle", "1/absent", "1/large"];
    let together: Vec<u8> = (0..500_u32).flat_map(|id| request(id, handles[id as usize % 5])).collect();
    let mut stream = TcpStream::connect(node.tcp()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let sending = async {
        writer.write_all(&together).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let ((), bytes) = tokio::join!(sending, read_to_end(&mut reader));
    let ids: Vec<u32> = answers(&bytes).iter().map(|answer| answer.id).collect();
    assert_eq!(ids, (0..500).collect::<Vec<_>>());
}

#[tokio::test]
async fn cold_and_resident_records_keep_the_order_of_their_questions() {
    let shelf = shelf().reopened_cold();
    let node = Node::over(shelf, tcp(DoorLimits::default()));
    let together: Vec<u8> =
        (0..60_u32).flat_map(|id| request(id, ["1/small", "1/absent", "1/huge"][id as usize % 3])).collect();
    let mut stream = connect(node.tcp(), &together).await;
    let answers = answers(&read_to_end(&mut stream).await);
    assert_eq!(answers.iter().map(|answer| answer.id).collect::<Vec<_>>(), (0..60).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| answer.code != ResponseCode::SERVER_TOO_BUSY));
}

#[tokio::test]
async fn a_client_that_ends_its_half_after_the_question_gets_the_answer() {
    let node = node();
    let mut stream = connect(node.tcp(), &request_keeping(1, "1/middle")).await;
    stream.shutdown().await.unwrap();
    assert_eq!(answers(&read_to_end(&mut stream).await)[0].code, ResponseCode::SUCCESS);
}

#[tokio::test]
async fn a_question_that_comes_byte_by_byte_is_answered() {
    let node = node();
    let mut stream = connect(node.tcp(), &[]).await;
    stream.set_nodelay(true).unwrap();
    for byte in request(1, "1/small") {
        stream.write_all(&[byte]).await.unwrap();
    }
    assert_eq!(answers(&read_to_end(&mut stream).await)[0].code, ResponseCode::SUCCESS);
}

#[tokio::test]
async fn a_connection_that_ends_inside_a_message_is_told_what_is_missing() {
    let node = node();
    let question = request(0x77, "1/small");
    let mut stream = connect(node.tcp(), &question[..50]).await;
    stream.shutdown().await.unwrap();
    let answer = &answers(&read_to_end(&mut stream).await)[0];
    assert_eq!((answer.id, answer.code), (0x77, ResponseCode::PROTOCOL_ERROR));
    assert_eq!(answer.text(), format!("Expecting {} bytes, only received 30", question.len() - 20));
    assert_eq!(node.tcp_count(DoorEvent::CutPartialMessage), 1);
}

#[tokio::test]
async fn a_connection_that_ends_inside_an_envelope_is_told_so() {
    let node = node();
    let mut stream = connect(node.tcp(), &request(1, "1/small")[..10]).await;
    stream.shutdown().await.unwrap();
    let answer = &answers(&read_to_end(&mut stream).await)[0];
    assert_eq!((answer.id, answer.code), (u32::MAX, ResponseCode::PROTOCOL_ERROR));
    assert_eq!(answer.text(), "Invalid message length");
}

#[tokio::test]
async fn lengths_no_message_has_are_refused_and_the_connection_ends() {
    let node = node();
    for length in [0_u32, 23, 262_145, u32::MAX] {
        let mut question = [request_keeping(1, "1/small"), request_keeping(2, "1/small")].concat();
        let second = question.len() / 2;
        question[second + 16..second + 20].copy_from_slice(&length.to_be_bytes());
        let mut stream = connect(node.tcp(), &question).await;
        let answers = answers(&read_to_end(&mut stream).await);
        assert_eq!(answers.len(), 2, "length {length}");
        assert_eq!((answers[0].id, answers[0].code), (1, ResponseCode::SUCCESS));
        assert_eq!((answers[1].id, answers[1].code), (2, ResponseCode::PROTOCOL_ERROR));
    }
    assert_eq!(node.tcp_count(DoorEvent::CutBadFrame), 4);
}

#[tokio::test]
async fn who_never_sends_a_byte_is_told_and_cut_off() {
    let limits = DoorLimits { first_byte_time: Duration::from_secs(1), ..DoorLimits::default() };
    let node = Node::start(tcp(limits));
    let mut stream = connect(node.tcp(), &[]).await;
    let answer = &answers(&read_to_end(&mut stream).await)[0];
    assert_eq!((answer.code, answer.text().as_str()), (ResponseCode::PROTOCOL_ERROR, "Read timed out"));
    assert_eq!(node.tcp_count(DoorEvent::CutIdle), 1);
}

#[tokio::test]
async fn a_kept_connection_that_rests_too_long_is_closed_without_a_word() {
    let limits = DoorLimits { idle_time: Duration::from_secs(1), ..DoorLimits::default() };
    let node = Node::start(tcp(limits));
    let mut stream = connect(node.tcp(), &request_keeping(1, "1/small")).await;
    read_message(&mut stream).await;
    assert!(read_to_end(&mut stream).await.is_empty());
    assert_eq!(node.tcp_count(DoorEvent::CutIdle), 1);
}

#[tokio::test]
async fn a_slow_writer_is_told_and_cut_off_however_many_bytes_it_drips() {
    let limits = DoorLimits { message_time: Duration::from_secs(1), ..DoorLimits::default() };
    let node = Node::start(tcp(limits));
    let mut question = request(0x55, "1/small");
    question[16..20].copy_from_slice(&200_000_u32.to_be_bytes());
    let mut stream = connect(node.tcp(), &question).await;
    let (mut reader, mut writer) = stream.split();
    let drip = async {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if writer.write_all(&[0]).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let answer = tokio::select! {
        () = drip => panic!("drips for ever"),
        answer = read_message(&mut reader) => Answer::parse(&answer),
    };
    assert_eq!((answer.id, answer.text().as_str()), (0x55, "Read timed out"));
    until("counter", || node.tcp_count(DoorEvent::CutSlowWriter) == 1).await;
}

#[tokio::test]
async fn a_slow_reader_is_cut_off() {
    let limits = DoorLimits { write_time: Duration::from_secs(1), ..DoorLimits::default() };
    let node = Node::start(tcp(limits));
    let mut stream = connect(node.tcp(), &[]).await;
    // Never reads: at last the server's and the own buffers are full, and writing waits until the server resets the connection.
    let question = request_keeping(1, "1/huge").repeat(100);
    let write = async { while stream.write_all(&question).await.is_ok() {} };
    timeout(PATIENCE, write).await.expect("the server keeps a reader that does not read");
    until("counter", || node.tcp_count(DoorEvent::CutSlowReader) == 1).await;
    until("closed", || node.running.counters().tcp.open_connections() == 0).await;
}

#[tokio::test]
async fn a_door_takes_no_more_connections_than_its_limit_and_others_when_one_ends() {
    let limits = DoorLimits { connections: 2, ..DoorLimits::default() };
    let node = Node::start(tcp(limits));
    let mut kept = Vec::new();
    for id in 0..2 {
        let mut stream = connect(node.tcp(), &request_keeping(id, "1/small")).await;
        read_message(&mut stream).await;
        kept.push(stream);
    }
    let mut refused = TcpStream::connect(node.tcp()).await.unwrap();
    let mut nothing = Vec::new();
    let _ = timeout(PATIENCE, refused.read_to_end(&mut nothing)).await.unwrap();
    assert!(nothing.is_empty());
    assert_eq!(node.tcp_count(DoorEvent::RefusedConnections), 1);
    kept.pop();
    until("a place", || node.running.counters().tcp.open_connections() == 1).await;
    let mut stream = connect(node.tcp(), &request(9, "1/small")).await;
    assert_eq!(answers(&read_to_end(&mut stream).await)[0].id, 9);
}

#[tokio::test]
async fn a_source_takes_no_more_connections_than_its_share() {
    let limits = DoorLimits { connections_per_source: 1, ..DoorLimits::default() };
    let node = Node::start(tcp(limits));
    let mut first = connect(node.tcp(), &request_keeping(1, "1/small")).await;
    read_message(&mut first).await;
    let mut second = TcpStream::connect(node.tcp()).await.unwrap();
    let mut nothing = Vec::new();
    let _ = timeout(PATIENCE, second.read_to_end(&mut nothing)).await.unwrap();
    assert!(nothing.is_empty());
    assert_eq!(node.tcp_count(DoorEvent::RefusedConnectionsOfSource), 1);
}

#[tokio::test]
async fn unfinished_messages_share_the_memory_of_the_door_and_the_rest_is_refused() {
    let limits = DoorLimits { stream_buffer_bytes: 1 << 20, ..DoorLimits::default() };
    let node = Node::start(tcp(limits));
    let mut unfinished = request(1, "1/small");
    unfinished[16..20].copy_from_slice(&262_144_u32.to_be_bytes());
    unfinished.resize(250_000, 0);
    let mut streams = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(node.tcp()).await.unwrap();
        // The server may refuse while this is still being written.
        let _ = stream.write_all(&unfinished).await;
        streams.push(stream);
    }
    until("refused", || node.tcp_count(DoorEvent::BusyMemory) >= 3).await;
    drop(streams);
    until("memory is back", || node.running.counters().tcp.open_connections() == 0).await;
    let mut stream = connect(node.tcp(), &request(2, "1/huge")).await;
    assert_eq!(answers(&read_to_end(&mut stream).await)[0].code, ResponseCode::SUCCESS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_are_served_at_the_same_time() {
    let node = Node::start(tcp(DoorLimits::default()));
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..200_u32 {
        let to = node.tcp();
        clients.spawn(async move {
            let mut stream = connect(to, &[]).await;
            for round in 0..20 {
                let id = client * 100 + round;
                stream.write_all(&request_keeping(id, "1/middle")).await.unwrap();
                assert_eq!(Answer::parse(&read_message(&mut stream).await).id, id);
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    assert_eq!(node.tcp_count(DoorEvent::ConnectionsOpened), 200);
}
