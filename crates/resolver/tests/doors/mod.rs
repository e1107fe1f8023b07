//! What the tests of the doors share: a node on loopback over a small catalog, and plain clients that do what a test says and no more.
#![allow(dead_code, reason = "each test file uses its own part")]

#[path = "../support/mod.rs"]
pub mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use waymark_catalog::Options;
use waymark_resolver::Settings;
use waymark_resolver::door::{Certificate, DoorEvent, DoorLimits, DoorSnapshot, DoorsConfig, Running, start};
use waymark_wire::message::{Head, Message};
use waymark_wire::request::RequestWriter;
use waymark_wire::{Envelope, OpFlags, ResponseCode, Version};

use support::{Shelf, old_value, settings, site_at};

/// No test waits longer than this for anything that must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Data bytes of `1/small`, `1/middle`, ...: the answers are a little larger.
pub const SIZES: [(&str, usize); 5] =
    [("1/small", 20), ("1/middle", 600), ("1/roomy", 8_000), ("1/large", 20_000), ("1/huge", 200_000)];

/// A catalog with the records of [`SIZES`].
pub fn shelf() -> Shelf {
    filled(Shelf::empty())
}

/// The same over a store in memory, which has no threads of its own.
pub fn shelf_in_memory() -> Shelf {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(waymark_store::Options::new(folder.path().join("unused")));
    options.limits.value_bytes = 261_120;
    let store = Arc::new(waymark_store::MemoryStore::for_tests());
    let catalog = waymark_catalog::open_over(store, waymark_store::Recovery::default(), &options).unwrap().catalog;
    filled(Shelf { catalog, folder })
}

fn filled(shelf: Shelf) -> Shelf {
    shelf.home("0.NA/1");
    for (handle, bytes) in SIZES {
        shelf.put(handle, &[old_value(1, "TEXT", &vec![b'x'; bytes])]);
    }
    shelf
}

/// Doors of every transport on free ports of loopback.
pub fn everywhere() -> DoorsConfig {
    let loopback = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
    DoorsConfig {
        udp: loopback.clone(),
        tcp: loopback.clone(),
        quic: loopback,
        certificate: Some(Identity::new().certificate()),
        limits: DoorLimits { udp_threads: 2, ..DoorLimits::default() },
        ..DoorsConfig::default()
    }
}

/// A self-signed certificate and its key.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Identity {
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        Self { chain: vec![made.cert.der().clone()], key: made.signing_key.serialize_der() }
    }

    pub fn key(&self) -> rustls::pki_types::PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    pub fn certificate(&self) -> Certificate {
        Certificate::new(self.chain.clone(), self.key()).unwrap()
    }
}

/// A running node.
pub struct Node {
    pub running: Running,
    pub shelf: Shelf,
}

impl Node {
    pub fn start(config: DoorsConfig) -> Self {
        Self::over(shelf(), config)
    }

    pub fn over(shelf: Shelf, config: DoorsConfig) -> Self {
        let running = start(config, &shelf.catalog, &node_settings()).unwrap();
        Self { running, shelf }
    }

    pub fn udp(&self) -> SocketAddr {
        self.running.addresses().udp[0]
    }

    pub fn tcp(&self) -> SocketAddr {
        self.running.addresses().tcp[0]
    }

    pub fn quic(&self) -> SocketAddr {
        self.running.addresses().quic[0]
    }

    pub fn udp_count(&self, event: DoorEvent) -> u64 {
        self.running.counters().udp.get(event)
    }

    pub fn tcp_count(&self, event: DoorEvent) -> u64 {
        self.running.counters().tcp.get(event)
    }

    pub fn quic_count(&self, event: DoorEvent) -> u64 {
        self.running.counters().quic.get(event)
    }
}

pub fn node_settings() -> Arc<Settings> {
    Arc::new(settings(vec![site_at(Ipv4Addr::LOCALHOST.into(), 1, true)]))
}

/// Lets the runtime go on until a counter has what is expected of it.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"));
}

/// Something counted, looked up later.
pub fn events(snapshot: &DoorSnapshot, event: DoorEvent) -> u64 {
    snapshot.get(event)
}

/// A resolution by a client like the reference's, which does not keep its connection.
pub fn request(id: u32, handle: &str) -> Vec<u8> {
    request_of(id, handle, OpFlags::USUAL, Version::CURRENT)
}

pub fn request_of(id: u32, handle: &str, flags: OpFlags, version: Version) -> Vec<u8> {
    let mut head = Head::request(id, flags, 0);
    head.envelope.version = version;
    RequestWriter::new(Vec::new(), head).resolution(handle.as_bytes(), &[], &[], None)
}

/// A resolution that keeps its connection.
pub fn request_keeping(id: u32, handle: &str) -> Vec<u8> {
    request_of(id, handle, OpFlags::USUAL.with(OpFlags::KPAL), Version::CURRENT)
}

/// An administrative operation, which no early data may carry out.
pub fn deletion(id: u32, handle: &str) -> Vec<u8> {
    RequestWriter::new(Vec::new(), Head::request(id, OpFlags::NONE, 0)).delete(handle.as_bytes())
}

/// Request id, code and body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub id: u32,
    pub code: ResponseCode,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn parse(bytes: &[u8]) -> Self {
        let message = Message::parse(bytes).unwrap();
        Self { id: message.envelope.request_id, code: message.header.response_code, body: message.body.to_vec() }
    }

    /// The text of an error.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.get(4..).unwrap_or_default().to_vec()).unwrap()
    }
}

/// Reads one whole message from a stream.
pub async fn read_message(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    timeout(PATIENCE, async {
        let mut bytes = vec![0; Envelope::LEN];
        stream.read_exact(&mut bytes).await.unwrap();
        let length = usize::try_from(Envelope::parse(&bytes).unwrap().message_length).unwrap();
        bytes.resize(Envelope::LEN + length, 0);
        stream.read_exact(&mut bytes[Envelope::LEN..]).await.unwrap();
        bytes
    })
    .await
    .expect("no whole message came")
}

/// Reads until the other side ends the stream.
pub async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the stream did not end").unwrap();
    bytes
}

/// A TCP connection that sends these bytes first.
pub async fn connect(to: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// A UDP socket that takes datagrams of this address only.
pub async fn socket(to: SocketAddr) -> UdpSocket {
    let any: SocketAddr = if to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }.parse().unwrap();
    let socket = UdpSocket::bind(any).await.unwrap();
    socket.connect(to).await.unwrap();
    socket
}

pub async fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut bytes = vec![0; 65_536];
    let length = timeout(PATIENCE, socket.recv(&mut bytes)).await.expect("no datagram came").unwrap();
    bytes.truncate(length);
    bytes
}

/// Sends one datagram and puts the datagrams of its answer together.
pub async fn ask_udp(socket: &UdpSocket, datagram: &[u8]) -> Vec<Vec<u8>> {
    socket.send(datagram).await.unwrap();
    receive_whole(socket).await
}

/// The datagrams of one answer, in the order of their sequence numbers.
pub async fn receive_whole(socket: &UdpSocket) -> Vec<Vec<u8>> {
    let mut datagrams = vec![receive(socket).await];
    let length = usize::try_from(Envelope::parse(&datagrams[0]).unwrap().message_length).unwrap();
    while datagrams.iter().map(|datagram| datagram.len() - Envelope::LEN).sum::<usize>() < length {
        datagrams.push(receive(socket).await);
    }
    datagrams.sort_by_key(|datagram| Envelope::parse(datagram).unwrap().sequence);
    datagrams
}

/// The message cut into these datagrams.
pub fn join(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let mut message = datagrams[0][..Envelope::LEN].to_vec();
    for datagram in datagrams {
        message.extend(&datagram[Envelope::LEN..]);
    }
    message
}
