//! The QUIC door on real sockets, asked by a plain quinn client.
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

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use doors::{Answer, Identity, Node, PATIENCE, deletion, everywhere, read_message, read_to_end, request, shelf, until};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::timeout;
use waymark_resolver::door::{ALPN, DoorEvent, DoorLimits, DoorsConfig, Drained, quic::CLOSED_DRAINING};
use waymark_wire::ResponseCode;

/// A node that answers over QUIC, and a client that trusts its certificate.
struct Pair {
    node: Node,
    identity: Identity,
    client: Client,
}

impl Pair {
    fn start(limits: DoorLimits) -> Self {
        Self::over(shelf(), limits)
    }

    fn over(shelf: doors::support::Shelf, limits: DoorLimits) -> Self {
        let identity = Identity::new();
        let certificate = Some(identity.certificate());
        let node = Node::over(shelf, DoorsConfig { udp: vec![], tcp: vec![], certificate, limits, ..everywhere() });
        let client = Client::trusting(&identity, ALPN);
        Self { node, identity, client }
    }

    async fn connect(&self) -> Connection {
        self.client.connect(self.node.quic()).await.unwrap()
    }

    fn count(&self, event: DoorEvent) -> u64 {
        self.node.quic_count(event)
    }
}

/// A client; its configuration remembers sessions.
struct Client {
    endpoint: Endpoint,
    config: ClientConfig,
}

impl Client {
    fn trusting(identity: &Identity, alpn: &[u8]) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(identity.chain[0].clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![alpn.to_vec()];
        tls.enable_early_data = true;
        let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        Self { endpoint: Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap(), config }
    }

    async fn connect(&self, to: SocketAddr) -> Result<Connection, quinn::ConnectionError> {
        let connecting = self.endpoint.connect_with(self.config.clone(), to, "localhost").unwrap();
        timeout(PATIENCE, connecting).await.expect("no connection")
    }

    /// Connects with early data, which needs a session of an earlier connection.
    fn connect_early(&self, to: SocketAddr) -> (Connection, quinn::ZeroRttAccepted) {
        let connecting = self.endpoint.connect_with(self.config.clone(), to, "localhost").unwrap();
        connecting.into_0rtt().map_err(|_| "no session was remembered").unwrap()
    }
}

async fn open(connection: &Connection) -> (SendStream, RecvStream) {
    timeout(PATIENCE, connection.open_bi()).await.unwrap().unwrap()
}

async fn datagram(connection: &Connection) -> Answer {
    Answer::parse(&timeout(PATIENCE, connection.read_datagram()).await.expect("no datagram").unwrap())
}

#[tokio::test]
async fn many_questions_on_one_stream_are_answered_each_by_its_request_id() {
    let pair = Pair::start(DoorLimits::default());
    let connection = pair.connect().await;
    let (mut send, mut receive) = open(&connection).await;
    let handles = ["1/small", "1/huge", "1/absent", "1/middle"];
    let together: Vec<u8> = (0..200_u32).flat_map(|id| request(id, handles[id as usize % 4])).collect();
    let sending = async {
        send.write_all(&together).await.unwrap();
        send.finish().unwrap();
    };
    let receiving = async {
        let mut answers = HashMap::new();
        for _ in 0..200 {
            let answer = Answer::parse(&read_message(&mut receive).await);
            answers.insert(answer.id, answer.code);
        }
        assert!(read_to_end(&mut receive).await.is_empty());
        answers
    };
    let ((), answers) = tokio::join!(sending, receiving);
    assert_eq!(answers.len(), 200);
    assert!(answers.iter().all(|(id, code)| {
        *code == if id % 4 == 2 { ResponseCode::HANDLE_NOT_FOUND } else { ResponseCode::SUCCESS }
    }));
}

#[tokio::test]
async fn a_stream_stays_open_for_later_questions_of_any_client() {
    let pair = Pair::start(DoorLimits::default());
    let connection = pair.connect().await;
    let (mut send, mut receive) = open(&connection).await;
    for id in 0..20 {
        send.write_all(&request(id, "1/small")).await.unwrap();
        assert_eq!(Answer::parse(&read_message(&mut receive).await).id, id);
    }
}

#[tokio::test]
async fn cold_records_do_not_hold_up_resident_ones_for_ever_and_all_are_answered() {
    let pair = Pair::over(shelf().reopened_cold(), DoorLimits::default());
    let connection = pair.connect().await;
    let (mut send, mut receive) = open(&connection).await;
    let handles = ["1/huge", "1/absent"];
    let together: Vec<u8> = (0..100_u32).flat_map(|id| request(id, handles[id as usize % 2])).collect();
    send.write_all(&together).await.unwrap();
    send.finish().unwrap();
    let mut ids: Vec<u32> = Vec::new();
    for _ in 0..100 {
        ids.push(Answer::parse(&read_message(&mut receive).await).id);
    }
    ids.sort_unstable();
    assert_eq!(ids, (0..100).collect::<Vec<_>>());
    assert!(read_to_end(&mut receive).await.is_empty());
}

#[tokio::test]
async fn a_question_in_a_datagram_is_answered_in_one() {
    let pair = Pair::start(DoorLimits::default());
    let connection = pair.connect().await;
    for id in 0..50 {
        connection.send_datagram(request(id, "1/small").into()).unwrap();
        let answer = datagram(&connection).await;
        assert_eq!((answer.id, answer.code), (id, ResponseCode::SUCCESS));
    }
}

#[tokio::test]
async fn an_answer_that_fits_no_datagram_is_refused_clearly() {
    for pair in [Pair::start(DoorLimits::default()), Pair::over(shelf().reopened_cold(), DoorLimits::default())] {
        let connection = pair.connect().await;
        for (id, handle) in [(1, "1/large"), (2, "1/huge")] {
            connection.send_datagram(request(id, handle).into()).unwrap();
            let answer = datagram(&connection).await;
            assert_eq!((answer.id, answer.code), (id, ResponseCode::SERVER_TOO_BUSY));
            assert_eq!(answer.text(), "answer does not fit a datagram, use a stream");
        }
        assert_eq!(pair.count(DoorEvent::TooLargeForDatagram), 2);
    }
}

#[tokio::test]
async fn a_message_cut_by_the_end_of_its_stream_is_told_what_is_missing() {
    let pair = Pair::start(DoorLimits::default());
    let (mut send, mut receive) = open(&pair.connect().await).await;
    let question = request(0x77, "1/small");
    send.write_all(&question[..50]).await.unwrap();
    send.finish().unwrap();
    let answer = Answer::parse(&read_to_end(&mut receive).await);
    assert_eq!((answer.id, answer.code), (0x77, ResponseCode::PROTOCOL_ERROR));
    assert_eq!(answer.text(), format!("Expecting {} bytes, only received 30", question.len() - 20));
}

#[tokio::test]
async fn what_is_no_message_ends_its_stream_and_no_other() {
    let pair = Pair::start(DoorLimits::default());
    let connection = pair.connect().await;
    let (mut other_send, mut other_receive) = open(&connection).await;
    other_send.write_all(&request(1, "1/small")).await.unwrap();
    read_message(&mut other_receive).await;

    let (mut send, mut receive) = open(&connection).await;
    let mut question = request(2, "1/small");
    question[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
    send.write_all(&question).await.unwrap();
    let answer = Answer::parse(&read_to_end(&mut receive).await);
    assert_eq!((answer.id, answer.code), (2, ResponseCode::PROTOCOL_ERROR));

    other_send.write_all(&request(3, "1/small")).await.unwrap();
    assert_eq!(Answer::parse(&read_message(&mut other_receive).await).id, 3);
    assert_eq!(pair.count(DoorEvent::CutBadFrame), 1);
}

#[tokio::test]
async fn another_application_protocol_is_refused() {
    let pair = Pair::start(DoorLimits::default());
    let client = Client::trusting(&pair.identity, b"h3");
    assert!(client.connect(pair.node.quic()).await.is_err());
    until("counted", || pair.count(DoorEvent::HandshakesFailed) == 1).await;
    until("forgotten", || pair.node.running.counters().quic.open_connections() == 0).await;
}

#[tokio::test]
async fn a_source_takes_no_more_connections_than_its_share() {
    let pair = Pair::start(DoorLimits { connections_per_source: 1, ..DoorLimits::default() });
    let first = pair.connect().await;
    assert!(pair.client.connect(pair.node.quic()).await.is_err());
    assert_eq!(pair.count(DoorEvent::RefusedConnectionsOfSource), 1);
    first.close(0_u32.into(), b"");
    until("a place", || pair.node.running.counters().quic.open_connections() == 0).await;
    assert!(pair.client.connect(pair.node.quic()).await.is_ok());
}

#[tokio::test]
async fn no_more_streams_are_open_at_once_than_allowed_and_no_unidirectional_one() {
    let pair = Pair::start(DoorLimits { quic_streams: 2, ..DoorLimits::default() });
    let connection = pair.connect().await;
    let mut streams = Vec::new();
    for id in 0..2 {
        let (mut send, mut receive) = open(&connection).await;
        send.write_all(&request(id, "1/small")).await.unwrap();
        read_message(&mut receive).await;
        streams.push((send, receive));
    }
    let third = tokio::spawn({
        let connection = connection.clone();
        async move { connection.open_bi().await }
    });
    let (mut send, mut receive) = streams.pop().unwrap();
    assert!(!third.is_finished());
    send.finish().unwrap();
    read_to_end(&mut receive).await;
    timeout(PATIENCE, third).await.expect("an ended stream makes place").unwrap().unwrap();
    assert!(timeout(Duration::from_millis(50), connection.open_uni()).await.is_err());
}

#[tokio::test]
async fn a_slow_writer_is_told_and_its_stream_ends() {
    let pair = Pair::start(DoorLimits { message_time: Duration::from_secs(1), ..DoorLimits::default() });
    let (mut send, mut receive) = open(&pair.connect().await).await;
    send.write_all(&request(4, "1/small")[..30]).await.unwrap();
    let answer = Answer::parse(&read_to_end(&mut receive).await);
    assert_eq!((answer.id, answer.text().as_str()), (4, "Read timed out"));
    assert_eq!(pair.count(DoorEvent::CutSlowWriter), 1);
}

#[tokio::test]
async fn a_slow_reader_is_cut_off() {
    let pair = Pair::start(DoorLimits { write_time: Duration::from_secs(1), ..DoorLimits::default() });
    let connection = pair.connect().await;
    let (mut send, _receive) = open(&connection).await;
    let question = request(1, "1/huge").repeat(100);
    let write = async { while send.write_all(&question).await.is_ok() {} };
    timeout(PATIENCE, write).await.expect("the server keeps a reader that does not read");
    until("counted", || pair.count(DoorEvent::CutSlowReader) == 1).await;
}

#[tokio::test]
async fn under_load_a_new_peer_must_show_that_it_receives() {
    let pair = Pair::start(DoorLimits { quic_retry_above: 0, ..DoorLimits::default() });
    let connection = pair.connect().await;
    connection.send_datagram(request(1, "1/small").into()).unwrap();
    assert_eq!(datagram(&connection).await.id, 1);
    assert_eq!(pair.count(DoorEvent::HandshakesRetried), 1);
}

#[tokio::test]
async fn a_replaced_certificate_is_shown_to_new_connections_and_disturbs_no_open_one() {
    let first = Identity::new();
    let certificate = first.certificate();
    let config = DoorsConfig { udp: vec![], tcp: vec![], certificate: Some(certificate.clone()), ..everywhere() };
    let node = Node::start(config);
    let old = Client::trusting(&first, ALPN).connect(node.quic()).await.unwrap();

    let second = Identity::new();
    assert!(certificate.replace(first.chain.clone(), second.key()).is_err(), "a key of another certificate");
    assert_eq!(certificate.leaf(), first.chain[0].to_vec());
    certificate.replace(second.chain.clone(), second.key()).unwrap();
    assert_eq!(certificate.leaf(), second.chain[0].to_vec());

    assert!(Client::trusting(&second, ALPN).connect(node.quic()).await.is_ok());
    assert!(Client::trusting(&first, ALPN).connect(node.quic()).await.is_err());
    old.send_datagram(request(1, "1/small").into()).unwrap();
    assert_eq!(datagram(&old).await.id, 1);
}

/// Passes datagrams on between one client and the node. While the gate is shut, nothing reaches the client: its handshake cannot
/// complete, and everything it sends is early data.
struct Gate {
    address: SocketAddr,
    open: watch::Sender<bool>,
}

impl Gate {
    async fn before(node: SocketAddr) -> Self {
        let (front, back) = (bound().await, bound().await);
        back.connect(node).await.unwrap();
        let address = front.local_addr().unwrap();
        let (open, mut is_open) = watch::channel(true);
        let (client, mut known) = watch::channel(None);
        let (front, back) = (Arc::new(front), Arc::new(back));
        let (to_node, from_client) = (Arc::clone(&back), Arc::clone(&front));
        tokio::spawn(async move {
            let mut bytes = vec![0; 65_536];
            while let Ok((length, from)) = from_client.recv_from(&mut bytes).await {
                client.send_replace(Some(from));
                let _ = to_node.send(&bytes[..length]).await;
            }
        });
        tokio::spawn(async move {
            let mut bytes = vec![0; 65_536];
            while let Ok(length) = back.recv(&mut bytes).await {
                is_open.wait_for(|open| *open).await.unwrap();
                let to = known.wait_for(Option::is_some).await.unwrap().unwrap();
                let _ = front.send_to(&bytes[..length], to).await;
            }
        });
        Self { address, open }
    }
}

async fn bound() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

impl Pair {
    /// A gate, shut, behind which the client has a session to resume.
    async fn with_session(&self) -> Gate {
        let gate = Gate::before(self.node.quic()).await;
        let connection = self.client.connect(gate.address).await.unwrap();
        // The ticket comes after the handshake; an answer comes after the ticket.
        let (mut send, mut receive) = open(&connection).await;
        send.write_all(&request(0, "1/small")).await.unwrap();
        read_message(&mut receive).await;
        connection.close(0_u32.into(), b"");
        until("closed", || self.node.running.counters().quic.open_connections() == 0).await;
        gate.open.send_replace(false);
        gate
    }

    fn answers(&self) -> u64 {
        self.node.running.counters().answers.answered_in_all(waymark_resolver::Transport::Quic)
    }
}

#[tokio::test]
async fn a_resolution_in_early_data_is_answered_before_the_handshake_is_complete() {
    let pair = Pair::start(DoorLimits::default());
    let gate = pair.with_session().await;
    let (connection, accepted) = pair.client.connect_early(gate.address);
    let (mut send, mut receive) = open(&connection).await;
    send.write_all(&request(5, "1/small")).await.unwrap();
    connection.send_datagram(request(6, "1/small").into()).unwrap();
    let before = pair.answers();
    // The client has heard nothing from the node yet.
    until("answered early", || pair.answers() == before + 2).await;
    gate.open.send_replace(true);
    assert!(accepted.await);
    assert_eq!(Answer::parse(&read_message(&mut receive).await).id, 5);
    assert_eq!(datagram(&connection).await.id, 6);
    assert_eq!(pair.count(DoorEvent::EarlyWaited), 0);
}

#[tokio::test]
async fn any_other_operation_in_early_data_waits_for_the_handshake() {
    let pair = Pair::start(DoorLimits::default());
    let gate = pair.with_session().await;
    let (connection, accepted) = pair.client.connect_early(gate.address);
    let (mut send, mut receive) = open(&connection).await;
    send.write_all(&deletion(5, "1/small")).await.unwrap();
    connection.send_datagram(deletion(6, "1/small").into()).unwrap();
    let before = pair.answers();
    until("both wait", || pair.count(DoorEvent::EarlyWaited) == 2).await;
    assert_eq!(pair.answers(), before);
    gate.open.send_replace(true);
    assert!(accepted.await);
    assert_eq!(Answer::parse(&read_message(&mut receive).await).id, 5);
    assert_eq!(datagram(&connection).await.id, 6);
}

#[tokio::test]
async fn early_data_of_a_client_that_never_completes_its_handshake_has_no_effect() {
    let pair = Pair::start(DoorLimits { message_time: Duration::from_secs(1), ..DoorLimits::default() });
    let gate = pair.with_session().await;
    let (connection, _accepted) = pair.client.connect_early(gate.address);
    let (mut send, _receive) = open(&connection).await;
    send.write_all(&deletion(5, "1/small")).await.unwrap();
    let before = pair.answers();
    until("it waits", || pair.count(DoorEvent::EarlyWaited) == 1).await;
    until("given up", || pair.count(DoorEvent::HandshakesFailed) == 1).await;
    until("closed", || pair.node.running.counters().quic.open_connections() == 0).await;
    assert_eq!(pair.answers(), before);
}

#[tokio::test]
async fn a_drained_stop_answers_what_was_received_and_says_why_it_closes() {
    let pair = Pair::over(shelf().reopened_cold(), DoorLimits::default());
    let connection = pair.connect().await;
    let (mut send, mut receive) = open(&connection).await;
    let together: Vec<u8> = (0..50_u32).flat_map(|id| request(id, "1/huge")).collect();
    send.write_all(&together).await.unwrap();
    let asked = u64::try_from(together.len()).unwrap();
    let running = pair.node.running;
    until("received", || running.counters().quic.get(DoorEvent::BytesIn) == asked).await;
    let (drained, ()) = tokio::join!(running.drain(PATIENCE), async {
        for _ in 0..50 {
            read_message(&mut receive).await;
        }
        assert!(read_to_end(&mut receive).await.is_empty());
    });
    assert_eq!(drained, Drained::Finished);
    match connection.closed().await {
        quinn::ConnectionError::ApplicationClosed(close) => {
            assert_eq!(close.error_code, quinn::VarInt::from_u32(CLOSED_DRAINING));
        }
        other => panic!("{other}"),
    }
    assert!(std::net::UdpSocket::bind(connection.remote_address()).is_ok(), "the port is left");
}
