//! What one source may draw over UDP, on real sockets. Floods of hours are simulated beside the policy.
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

use doors::{Answer, Node, ask_udp, connect, everywhere, read_to_end, receive, request, socket};
use tokio::net::UdpSocket;
use waymark_resolver::config;
use waymark_resolver::door::{DoorEvent, DoorsConfig};
use waymark_resolver::policy::{PolicyConfig, SourceLists};
use waymark_resolver::{DropReason, Transport};
use waymark_wire::ResponseCode;

/// The smallest budget there is, so that a short test spends it.
fn small_budget() -> PolicyConfig {
    PolicyConfig {
        budget_bytes: config::SOURCE_BUDGET_BYTES.min,
        refill_bytes_per_second: config::SOURCE_REFILL_BYTES_PER_SECOND.min,
        ..PolicyConfig::default()
    }
}

fn node(policy: PolicyConfig) -> Node {
    Node::start(DoorsConfig { policy, ..everywhere() })
}

/// Asks for `1/middle`; gives bytes sent, bytes received, and whether it was served. An answer must come: never silence.
async fn draw(socket: &UdpSocket, id: u32) -> (usize, usize, bool) {
    let question = request(id, "1/middle");
    let answer = ask_udp(socket, &question).await;
    let bytes = answer.iter().map(Vec::len).sum();
    let served = doors::join(&answer);
    let served = Answer::parse(&served);
    assert_eq!(served.id, id);
    (question.len(), bytes, served.code == ResponseCode::SUCCESS)
}

/// Draws until the budget is spent; gives how many answers that took.
async fn spend(socket: &UdpSocket) -> usize {
    for id in 0..10_000 {
        if !draw(socket, id).await.2 {
            return usize::try_from(id).unwrap();
        }
    }
    panic!("the budget was never spent");
}

#[tokio::test]
async fn a_flood_draws_at_most_one_and_a_half_times_its_bytes_once_its_budget_is_spent() {
    let node = node(small_budget());
    let socket = socket(node.udp()).await;
    let served = spend(&socket).await;
    assert!(served >= 80, "the budget of 64 KiB bears more than {served} answers");
    let (mut bytes_in, mut bytes_out) = (0, 0);
    for id in 0..2_000 {
        let (asked, answered, _) = draw(&socket, id).await;
        assert!(answered <= asked, "a refusal of {answered} bytes for {asked}");
        bytes_in += asked;
        bytes_out += answered;
    }
    assert!(bytes_out * 2 <= bytes_in * 3, "{bytes_out} bytes for {bytes_in}");
    assert!(node.udp_count(DoorEvent::BusyBudget) >= 2_000);
}

#[tokio::test]
async fn a_held_source_still_gets_what_is_no_larger_than_its_questions() {
    let node = node(small_budget());
    let socket = socket(node.udp()).await;
    spend(&socket).await;
    let mut padded = request(77, "1/middle");
    padded.resize(1232, 0);
    let answer = ask_udp(&socket, &padded).await;
    assert_eq!(Answer::parse(&answer[0]).code, ResponseCode::SUCCESS);
}

#[tokio::test]
async fn an_exchange_over_tcp_exempts_the_source() {
    let node = node(small_budget());
    let socket = socket(node.udp()).await;
    spend(&socket).await;
    let mut tcp = connect(node.tcp(), &request(1, "1/middle")).await;
    read_to_end(&mut tcp).await;
    for id in 0..300 {
        assert!(draw(&socket, id).await.2, "answer {id}");
    }
}

#[tokio::test]
async fn an_allowed_source_is_not_limited() {
    let lists = SourceLists::new(&["127.0.0.0/8".parse().unwrap()], &[]);
    let node = node(PolicyConfig { lists, queries_per_second: 1, ..small_budget() });
    let socket = socket(node.udp()).await;
    for id in 0..300 {
        assert!(draw(&socket, id).await.2, "answer {id}");
    }
}

#[tokio::test]
async fn a_blocked_source_gets_nothing_over_any_transport() {
    let lists = SourceLists::new(&[], &["127.0.0.1".parse().unwrap()]);
    let node = node(PolicyConfig { lists, ..PolicyConfig::default() });
    let udp = socket(node.udp()).await;
    udp.send(&request(1, "1/small")).await.unwrap();
    doors::until("dropped", || node.running.counters().answers.dropped(Transport::Udp, DropReason::SourceRefused) == 1)
        .await;
    assert!(udp.try_recv(&mut [0; 512]).is_err());

    let mut tcp = tokio::net::TcpStream::connect(node.tcp()).await.unwrap();
    let mut nothing = Vec::new();
    // Closed at once, by an end or by a reset.
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut tcp, &mut nothing).await;
    assert!(nothing.is_empty());
    assert_eq!(node.tcp_count(DoorEvent::RefusedBlocked), 1);
}

#[tokio::test]
async fn a_source_that_asks_too_often_is_told_in_no_more_bytes_than_it_sent() {
    let node = node(PolicyConfig { queries_per_second: 10, ..PolicyConfig::default() });
    let socket = socket(node.udp()).await;
    let question = request(1, "1/middle-of-nowhere");
    let mut busy = 0;
    for _ in 0..200 {
        socket.send(&question).await.unwrap();
        let answer = receive(&socket).await;
        if Answer::parse(&answer).code == ResponseCode::SERVER_TOO_BUSY {
            assert!(answer.len() <= question.len());
            busy += 1;
        }
    }
    assert!((1..=180).contains(&busy), "{busy}");
    doors::until("counter", || node.udp_count(DoorEvent::BusyRate) == busy).await;
}
