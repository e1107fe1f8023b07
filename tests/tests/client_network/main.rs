//! The client over networks that lose, delay, repeat, reorder, block and lie: real sockets, a real node, and paths between them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and read the clock to bound how long something took"
)]

mod blocked;
mod servers;
#[path = "../support/mod.rs"]
mod support;
mod weather;

use std::{net::SocketAddr, time::Duration};

use support::{
    network::LOOPBACK,
    node::{question, small},
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream, UdpSocket},
    time::timeout,
};
use waymark_client::{Answer, Client, Options, Server, Transport};
use waymark_wire::{
    Envelope, Head, Message, OpFlags, ResponseCode, Version,
    limits::ResponseLimits,
    response::{OwnIdentity, Response, ResponseBody, ResponseWriter, respond_to},
};

use Transport::{Quic, Tcp, Udp};

/// Long enough for a loaded machine; nothing below waits for it unless something is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// A stagger that never comes within [`PATIENCE`]: whatever starts, starts for another reason.
const NEVER: Duration = Duration::from_secs(30);

const ORDERS: [[Transport; 3]; 6] =
    [[Udp, Tcp, Quic], [Udp, Quic, Tcp], [Tcp, Udp, Quic], [Tcp, Quic, Udp], [Quic, Udp, Tcp], [Quic, Tcp, Udp]];

fn client(order: &[Transport], stagger: Duration) -> Client {
    Client::new(Options { order: order.to_vec(), stagger })
}

fn usual(handle: &str) -> Vec<u8> {
    question(handle, OpFlags::USUAL)
}

/// The response code of an answer.
fn code(answer: &Answer) -> ResponseCode {
    Message::parse(&answer.message).unwrap().header.response_code
}

/// The data of the one value of a successful resolution of `handle`.
fn value(answer: &Answer, handle: &str) -> Vec<u8> {
    let response = Response::parse(&answer.message, ResponseLimits::WHOLE_MESSAGE).unwrap();
    assert_eq!(response.code, ResponseCode::SUCCESS, "{handle}");
    let ResponseBody::Resolution { handle: named, values } = response.body else { panic!("no resolution") };
    assert_eq!(named, handle.as_bytes());
    let values: Vec<Vec<u8>> = values.iter().map(|value| value.data.to_vec()).collect();
    assert_eq!(values.len(), 1);
    values.into_iter().next().unwrap()
}

fn assert_is_small(answer: &Answer, number: usize) {
    assert_eq!(value(answer, &small(number)), format!("https://example.org/{number}").as_bytes());
}

/// What a server other than ours answers to `request`: error 2 with a text.
fn answer_to(request: &[u8], text: &str) -> Vec<u8> {
    let own = OwnIdentity { version: Version::CURRENT, site_serial: 1, primary: true };
    let head = respond_to(&Head::parse(request).unwrap(), &own, ResponseCode::ERROR, u32::MAX);
    let mut room = vec![0; 4_096];
    let length = ResponseWriter::begin(&mut room, &head, None).error(text.as_bytes()).unwrap();
    room.truncate(length);
    room
}

/// The text [`answer_to`] put in.
fn text(answer: &Answer) -> String {
    let response = Response::parse(&answer.message, ResponseLimits::WHOLE_MESSAGE).unwrap();
    let ResponseBody::Error { message, .. } = response.body else { panic!("no error") };
    String::from_utf8(message.to_vec()).unwrap()
}

/// A UDP server whose every word the test says itself.
async fn scripted_udp() -> (UdpSocket, Server) {
    let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
    let server = Server { udp: Some(socket.local_addr().unwrap()), ..Server::default() };
    (socket, server)
}

/// The next datagram of a client, which must come.
async fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 2_048];
    let received = timeout(PATIENCE, socket.recv_from(&mut buffer)).await;
    let (length, from) = received.expect("the client asks no more").unwrap();
    buffer.truncate(length);
    (buffer, from)
}

/// A TCP server that takes one connection and one request, and then does what the test says.
async fn scripted_tcp<F>(script: impl FnOnce(TcpStream, Vec<u8>) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; Envelope::LEN];
        stream.read_exact(&mut request).await.unwrap();
        let rest = Envelope::parse(&request).unwrap().checked_length().unwrap();
        request.resize(Envelope::LEN + rest, 0);
        stream.read_exact(&mut request[Envelope::LEN..]).await.unwrap();
        script(stream, request).await;
    });
    address
}
