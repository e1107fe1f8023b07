//! Networks that lose and delay, and others on them.

use std::{sync::Arc, time::Duration};

use tokio::{net::UdpSocket, task::JoinSet};
use waymark_client::{
    Client, Options, Server,
    Transport::{Tcp, Udp},
};
use waymark_resolver::{NodeKey, policy::PolicyConfig};
use waymark_wire::{Envelope, Message, OpCode, OpFlags, crypto::signed_message::verify_certified};

use crate::{
    NEVER, ORDERS, PATIENCE, answer_to, assert_is_small, client, receive, scripted_udp,
    support::{
        network::{LOOPBACK, TcpPath, UdpPath, Weather},
        node::{Identity, LARGE, Node, numbered_question, question, small},
    },
    text, usual, value,
};

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
