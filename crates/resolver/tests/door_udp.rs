//! The UDP door on real sockets.
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

use std::net::SocketAddr;

use doors::{Answer, Node, ask_udp, everywhere, join, receive, receive_whole, request, shelf, socket};
use waymark_resolver::door::{DoorEvent, DoorLimits, DoorsConfig, StartError, start};
use waymark_resolver::{DropReason, Transport};
use waymark_wire::frame::{DatagramSplitter, TruncatedBit};
use waymark_wire::message::Head;
use waymark_wire::request::RequestWriter;
use waymark_wire::{Envelope, OpFlags, ResponseCode};

fn udp_on(address: &str) -> DoorsConfig {
    DoorsConfig { udp: vec![address.parse().unwrap()], tcp: vec![], quic: vec![], ..everywhere() }
}

/// `datagram` with padding behind it.
fn padded(mut datagram: Vec<u8>, bytes: usize) -> Vec<u8> {
    datagram.resize(bytes, 0);
    datagram
}

#[tokio::test]
async fn answers_over_ipv4_and_over_ipv6() {
    let config =
        DoorsConfig { udp: vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()], ..udp_on("127.0.0.1:0") };
    let node = Node::start(config);
    for (id, address) in node.running.addresses().udp.iter().enumerate() {
        let id = u32::try_from(id).unwrap();
        let answer = ask_udp(&socket(*address).await, &request(id, "1/small")).await;
        let answer = Answer::parse(&answer[0]);
        assert_eq!((answer.id, answer.code), (id, ResponseCode::SUCCESS), "{address}");
    }
}

#[tokio::test]
async fn an_answer_leaves_from_the_address_that_was_asked() {
    let config =
        DoorsConfig { udp: vec!["0.0.0.0:0".parse().unwrap(), "[::]:0".parse().unwrap()], ..udp_on("127.0.0.1:0") };
    let node = Node::start(config);
    let ports: Vec<u16> = node.running.addresses().udp.iter().map(SocketAddr::port).collect();
    // Connected sockets take answers from the address they asked, and from no other.
    let addresses = [("127.0.0.1", 0), ("127.0.0.2", 0), ("127.7.7.7", 0), ("::1", 1)];
    let mut sockets = Vec::new();
    for (address, family) in addresses {
        sockets.push(socket(SocketAddr::new(address.parse().unwrap(), ports[family])).await);
    }
    // All asked before any answer is read, so that one batch holds several of our addresses.
    for round in 0..20 {
        for socket in &sockets {
            socket.send(&request(round, "1/small")).await.unwrap();
        }
    }
    for socket in &sockets {
        let mut ids: Vec<u32> = Vec::new();
        for _ in 0..20 {
            ids.push(Answer::parse(&receive(socket).await).id);
        }
        ids.sort_unstable();
        assert_eq!(ids, (0..20).collect::<Vec<_>>(), "{}", socket.peer_addr().unwrap());
    }
}

#[tokio::test]
async fn every_thread_of_an_address_answers() {
    let limits = DoorLimits { udp_threads: 4, ..DoorLimits::default() };
    let node = Node::start(DoorsConfig { limits, ..udp_on("127.0.0.1:0") });
    for id in 0..64 {
        // Each socket has its own port, and the kernel spreads ports over the threads.
        let answer = ask_udp(&socket(node.udp()).await, &request(id, "1/small")).await;
        assert_eq!(Answer::parse(&answer[0]).id, id);
    }
    assert_eq!(node.running.counters().answers.answered_in_all(Transport::Udp), 64);
}

#[tokio::test]
async fn a_port_somebody_has_is_refused_with_its_address() {
    let node = Node::start(udp_on("127.0.0.1:0"));
    let shelf = shelf();
    let refused = start(udp_on(&node.udp().to_string()), &shelf.catalog, &doors::node_settings());
    assert!(matches!(refused, Err(StartError::Udp { address, .. }) if address == node.udp()));
}

#[tokio::test]
async fn a_large_answer_comes_in_classic_datagrams() {
    let node = Node::start(udp_on("127.0.0.1:0"));
    let datagrams = ask_udp(&socket(node.udp()).await, &request(7, "1/middle")).await;
    assert_eq!(datagrams.len(), 2);
    assert_eq!(datagrams[0].len(), 512);
    assert!(datagrams.iter().all(|datagram| !Envelope::parse(datagram).unwrap().flags.is_truncated()));
    assert_eq!(Answer::parse(&join(&datagrams)).code, ResponseCode::SUCCESS);
}

#[tokio::test]
async fn a_padded_question_is_answered_in_one_datagram_no_larger_than_itself() {
    let node = Node::start(udp_on("127.0.0.1:0"));
    let datagrams = ask_udp(&socket(node.udp()).await, &padded(request(7, "1/middle"), 1232)).await;
    assert_eq!(datagrams.len(), 1);
    assert!(datagrams[0].len() <= 1232);
    let datagrams = ask_udp(&socket(node.udp()).await, &padded(request(8, "1/large"), 1900)).await;
    assert_eq!(datagrams[0].len(), 1232, "never more than the smallest link carries");
}

#[tokio::test]
async fn an_answer_larger_than_a_room_is_whole() {
    let node = Node::start(udp_on("127.0.0.1:0"));
    let datagrams = ask_udp(&socket(node.udp()).await, &padded(request(7, "1/large"), 1232)).await;
    let answer = Answer::parse(&join(&datagrams));
    assert_eq!(
        (answer.code, answer.body.iter().filter(|byte| **byte == b'x').count()),
        (ResponseCode::SUCCESS, 20_000)
    );
}

#[tokio::test]
async fn a_request_in_several_datagrams_is_answered_in_any_order_of_them() {
    let node = Node::start(udp_on("127.0.0.1:0"));
    let types: Vec<String> = (0..200).map(|number| format!("TYPE.{number:03}")).collect();
    let types: Vec<&[u8]> = types.iter().map(String::as_bytes).chain([&b"TEXT"[..]]).collect();
    let whole =
        RequestWriter::new(Vec::new(), Head::request(9, OpFlags::USUAL, 0)).resolution(b"1/small", &[], &types, None);
    let mut parts: Vec<Vec<u8>> = DatagramSplitter::new(&whole, 512, TruncatedBit::WhenSplit)
        .unwrap()
        .map(|part| [&part.envelope[..], &whole[part.payload]].concat())
        .collect();
    assert!(parts.len() > 3);
    parts.reverse();
    let socket = socket(node.udp()).await;
    for part in &parts {
        socket.send(part).await.unwrap();
    }
    let answer = Answer::parse(&join(&receive_whole(&socket).await));
    assert_eq!((answer.id, answer.code), (9, ResponseCode::SUCCESS));
}

#[tokio::test]
async fn parts_that_contradict_each_other_are_refused_and_counted() {
    let node = Node::start(udp_on("127.0.0.1:0"));
    let socket = socket(node.udp()).await;
    let part = |length: u8| {
        let mut part = request(3, "1/small");
        part[2] |= 0x20;
        part[18] = length;
        part
    };
    socket.send(&part(4)).await.unwrap();
    socket.send(&part(5)).await.unwrap();
    assert_eq!(Answer::parse(&ask_udp(&socket, &request(4, "1/small")).await[0]).id, 4);
    let dropped = node.running.counters().answers.dropped(Transport::Udp, DropReason::ReassemblyRefused);
    assert_eq!(dropped, 1);
}

#[tokio::test]
async fn fewer_bytes_than_an_envelope_get_no_answer() {
    let node = Node::start(udp_on("127.0.0.1:0"));
    let socket = socket(node.udp()).await;
    for length in 0..20 {
        socket.send(&request(1, "1/small")[..length]).await.unwrap();
    }
    let answer = ask_udp(&socket, &request(2, "1/small")).await;
    assert_eq!(Answer::parse(&answer[0]).id, 2, "the first answer is that of the only question");
    assert_eq!(node.running.counters().answers.dropped(Transport::Udp, DropReason::TooShort), 20);
}

#[tokio::test]
async fn an_answer_of_too_many_datagrams_is_refused_in_no_more_bytes_than_the_question() {
    let node = Node::start(udp_on("127.0.0.1:0"));
    for handle in ["1/large", "1/huge"] {
        let question = request(5, handle);
        let datagrams = ask_udp(&socket(node.udp()).await, &question).await;
        let answer = Answer::parse(&datagrams[0]);
        assert_eq!((answer.id, answer.code), (5, ResponseCode::SERVER_TOO_BUSY));
        assert!(datagrams[0].len() <= question.len(), "{} for {}", datagrams[0].len(), question.len());
    }
    let long = padded(request(6, "1/huge"), 100);
    let answer = Answer::parse(&ask_udp(&socket(node.udp()).await, &long).await[0]);
    assert_eq!(answer.text(), "too busy, use TCP");
    assert_eq!(node.udp_count(DoorEvent::BusyPackets), 3);
}

#[tokio::test]
async fn a_cold_record_is_answered_through_the_same_socket() {
    let node = Node::over(shelf().reopened_cold(), udp_on("127.0.0.1:0"));
    for handle in ["1/small", "1/middle"] {
        let datagrams = ask_udp(&socket(node.udp()).await, &request(5, handle)).await;
        assert_eq!(Answer::parse(&join(&datagrams)).code, ResponseCode::SUCCESS);
    }
    let question = request(6, "1/huge");
    let refused = ask_udp(&socket(node.udp()).await, &question).await;
    assert_eq!(Answer::parse(&refused[0]).code, ResponseCode::SERVER_TOO_BUSY);
    assert!(refused[0].len() <= question.len());
}

#[tokio::test]
async fn what_the_slow_pool_has_no_room_for_is_told_so_and_nobody_is_left_without_an_answer() {
    let limits = DoorLimits { slow_threads: 1, slow_queue: 1, udp_threads: 1, ..DoorLimits::default() };
    let node = Node::over(shelf().reopened_cold(), DoorsConfig { limits, ..udp_on("127.0.0.1:0") });
    let socket = socket(node.udp()).await;
    let (mut served, mut busy) = (0, 0);
    // In bursts that the asker's own receive buffer holds, or the system would drop answers that were sent.
    for burst in 0..5 {
        for id in 0..40 {
            socket.send(&padded(request(burst * 40 + id, "1/middle"), 1232)).await.unwrap();
        }
        for _ in 0..40 {
            match Answer::parse(&receive(&socket).await).code {
                ResponseCode::SUCCESS => served += 1,
                ResponseCode::SERVER_TOO_BUSY => busy += 1,
                other => panic!("{other}"),
            }
        }
    }
    assert!(served > 0 && busy > 0, "{served} served, {busy} refused");
    assert_eq!(node.udp_count(DoorEvent::BusySlowPool), busy);
}

#[tokio::test]
async fn bytes_and_datagrams_are_counted_as_they_were_on_the_wire() {
    let node = Node::start(udp_on("127.0.0.1:0"));
    let socket = socket(node.udp()).await;
    let (mut bytes_in, mut bytes_out, mut packets_out) = (0, 0, 0);
    for handle in ["1/small", "1/middle", "1/absent"] {
        let question = request(1, handle);
        let answer = ask_udp(&socket, &question).await;
        bytes_in += question.len() as u64;
        bytes_out += answer.iter().map(|datagram| datagram.len() as u64).sum::<u64>();
        packets_out += answer.len() as u64;
    }
    // The last answer is counted right after it was sent.
    doors::until("counters", || node.udp_count(DoorEvent::PacketsOut) == packets_out).await;
    assert_eq!(node.udp_count(DoorEvent::PacketsIn), 3);
    assert_eq!(node.udp_count(DoorEvent::BytesIn), bytes_in);
    assert_eq!(node.udp_count(DoorEvent::BytesOut), bytes_out);
}
