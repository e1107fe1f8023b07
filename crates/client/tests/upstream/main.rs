//! Asking one of several servers, over real sockets: who is asked, when the next is, and whom nobody believes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod server;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use server::{Way, stream_server, udp_server};
use waymark_client::Transport;
use waymark_client::upstream::{Accepts, Peer, Unanswered, UpstreamLimits, Upstreams};
use waymark_wire::limits::ResponseLimits;
use waymark_wire::request::RequestWriter;
use waymark_wire::response::{Response, ResponseBody};
use waymark_wire::{Head, OpFlags};

const LONG: Duration = Duration::from_secs(30);

fn question(handle: &[u8]) -> Vec<u8> {
    let head = Head::request(0, OpFlags::PUBL.with(OpFlags::KPAL), 0);
    RequestWriter::new(Vec::new(), head).resolution(handle, &[], &[], None)
}

fn upstreams() -> Arc<Upstreams> {
    Arc::new(Upstreams::new(UpstreamLimits::default()))
}

/// Answers about the handle of the questions here.
fn accepts() -> Accepts {
    Arc::new(|message| says(message).0 == b"88.1/a")
}

/// Handle and first value's data of an answer.
fn says(message: &[u8]) -> (Vec<u8>, Vec<u8>) {
    match Response::parse(message, ResponseLimits::WHOLE_MESSAGE).unwrap().body {
        ResponseBody::Resolution { handle, values } => (handle.to_vec(), values.iter().next().unwrap().data.to_vec()),
        other => panic!("{other:?}"),
    }
}

fn over_udp(port: u16) -> Peer {
    Peer { ip: Ipv4Addr::LOCALHOST.into(), udp: Some(port), tcp: None, quic: None }
}

#[tokio::test]
async fn an_answer_comes_from_whoever_has_it_and_says_who_that_was() {
    let one = udp_server(Way::Answer(b"one")).await;
    let upstreams = upstreams();
    let reply = upstreams.ask(&[over_udp(one.port)], &question(b"88.1/a"), &accepts(), LONG).await.unwrap();
    assert_eq!(says(&reply.message), (b"88.1/a".to_vec(), b"one".to_vec()));
    assert_eq!((reply.peer, reply.transport, reply.asked), (0, Transport::Udp, 1));
    assert!(upstreams.smoothed(&over_udp(one.port)).is_some());
}

#[tokio::test]
async fn a_silent_server_costs_one_wait_and_is_left_alone_when_it_stays_silent() {
    let silent = udp_server(Way::Silence).await;
    let good = udp_server(Way::Answer(b"good")).await;
    let upstreams = upstreams();
    let peers = [over_udp(silent.port), over_udp(good.port)];
    for _ in 0..5 {
        let reply = upstreams.ask(&peers, &question(b"88.1/a"), &accepts(), LONG).await.unwrap();
        assert_eq!(reply.peer, 1);
    }
    let counters = upstreams.counters();
    assert!(counters.hedged >= 1, "{counters:?}");
    let heard = silent.heard();
    assert!((1..5).contains(&heard), "once it is known to be slow it is not asked first: {heard}");
    // Alone it is asked until it counts as dead; then it is asked all the same, for want of others.
    for _ in 0..4 {
        let asked = upstreams.ask(&peers[..1], &question(b"88.1/a"), &accepts(), Duration::from_millis(60)).await;
        assert!(matches!(asked, Err(Unanswered::Silence)), "{asked:?}");
    }
    assert_eq!((upstreams.counters().servers, upstreams.counters().dead), (2, 1));
    let before = silent.heard();
    let reply = upstreams.ask(&peers, &question(b"88.1/a"), &accepts(), LONG).await.unwrap();
    assert_eq!((reply.peer, reply.asked), (1, 1));
    assert_eq!(silent.heard(), before);
}

#[tokio::test]
async fn nothing_an_attacker_sends_is_the_answer() {
    for way in [Way::ForgedIdFirst, Way::ForgedHandleFirst, Way::RequestBackFirst, Way::GarbageFirst] {
        let attacked = udp_server(way).await;
        let upstreams = upstreams();
        let reply = upstreams.ask(&[over_udp(attacked.port)], &question(b"88.1/a"), &accepts(), LONG).await.unwrap();
        assert_eq!(says(&reply.message), (b"88.1/a".to_vec(), b"true".to_vec()), "{way:?}");
        assert_eq!(upstreams.counters().strangers, 1, "{way:?}");
    }
    // From another address than the one asked: the system drops it, whatever it holds.
    let attacked = udp_server(Way::RightAnswerFromElsewhereFirst).await;
    let reply = upstreams().ask(&[over_udp(attacked.port)], &question(b"88.1/a"), &accepts(), LONG).await.unwrap();
    assert_eq!(says(&reply.message).1, b"true");
}

#[tokio::test]
async fn questions_have_ids_and_ports_nobody_can_guess_from_the_last_ones() {
    let server = udp_server(Way::Answer(b"one")).await;
    let upstreams = upstreams();
    for _ in 0..20 {
        upstreams.ask(&[over_udp(server.port)], &question(b"88.1/a"), &accepts(), LONG).await.unwrap();
    }
    let (ids, ports) = server.seen();
    let unlike = |mut all: Vec<u32>| {
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    let steps: Vec<u32> = ids.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    assert_eq!(unlike(ids), 20);
    assert_eq!(unlike(steps), 19, "no counter");
    assert!(unlike(ports) > 10, "a port of its own for each");
}

#[tokio::test]
async fn a_server_is_asked_no_faster_than_its_rate_and_the_rest_is_said_to_be_too_much() {
    let server = udp_server(Way::Answer(b"one")).await;
    let upstreams = Arc::new(Upstreams::new(UpstreamLimits { per_second: 10, ..UpstreamLimits::default() }));
    let mut held_back = 0_u64;
    for _ in 0..50 {
        match upstreams.ask(&[over_udp(server.port)], &question(b"88.1/a"), &accepts(), LONG).await {
            Ok(_) => {}
            Err(Unanswered::Busy) => held_back += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(upstreams.counters().held_back, held_back);
    assert_eq!(server.heard() + held_back, 50);
    assert!(held_back > 0);
}

#[tokio::test]
async fn only_so_many_questions_are_under_way_to_one_server() {
    let silent = udp_server(Way::Silence).await;
    let upstreams = Arc::new(Upstreams::new(UpstreamLimits { concurrency: 2, ..UpstreamLimits::default() }));
    let peers = [over_udp(silent.port)];
    let ask = || {
        let (upstreams, peers) = (Arc::clone(&upstreams), peers.clone());
        async move { upstreams.ask(&peers, &question(b"88.1/a"), &accepts(), LONG).await }
    };
    let two = [tokio::spawn(ask()), tokio::spawn(ask())];
    while upstreams.counters().attempts < 2 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(ask().await, Err(Unanswered::Busy)));
    two.into_iter().for_each(|task| task.abort());
}

#[tokio::test]
async fn streams_are_kept_for_the_next_question_and_opened_anew_when_the_server_closed_them() {
    let (port, server) = stream_server(3).await;
    let peer = Peer { ip: Ipv4Addr::LOCALHOST.into(), udp: None, tcp: Some(port), quic: None };
    let upstreams = upstreams();
    for _ in 0..7 {
        let reply = upstreams.ask(std::slice::from_ref(&peer), &question(b"88.1/a"), &accepts(), LONG).await.unwrap();
        assert_eq!((says(&reply.message).1, reply.transport), (b"stream".to_vec(), Transport::Tcp));
    }
    assert_eq!(server.load(std::sync::atomic::Ordering::Relaxed), 3, "three questions on each connection");
}

#[tokio::test]
async fn too_busy_over_datagrams_sends_to_the_stream_at_once() {
    let busy = udp_server(Way::TooBusy).await;
    let (tcp, _) = stream_server(100).await;
    let peer = Peer { tcp: Some(tcp), ..over_udp(busy.port) };
    let anything: Accepts = Arc::new(|_| true);
    let reply = upstreams().ask(&[peer], &question(b"88.1/a"), &anything, LONG).await.unwrap();
    assert_eq!(reply.transport, Transport::Tcp);
}

#[tokio::test]
async fn what_is_no_request_is_the_callers_fault() {
    let asked = upstreams().ask(&[over_udp(9)], b"no message", &accepts(), LONG).await;
    assert!(matches!(asked, Err(Unanswered::Request(_))));
    let nobody = upstreams().ask(&[], &question(b"88.1/a"), &accepts(), LONG).await;
    assert!(matches!(nobody, Err(Unanswered::Failed)));
}
