//! Servers of other people, good and bad, on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use waymark_wire::response::{OwnIdentity, ResponseWriter, respond_to};
use waymark_wire::{Envelope, Head, ResponseCode, ValueBuf, Version};

/// What a server does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Answer(&'static [u8]),
    Silence,
    TooBusy,
    /// An attacker is quicker; the truth comes behind.
    ForgedIdFirst,
    ForgedHandleFirst,
    RequestBackFirst,
    GarbageFirst,
    RightAnswerFromElsewhereFirst,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    heard: Arc<AtomicU64>,
    seen: Arc<Mutex<(Vec<u32>, Vec<u32>)>>,
}

impl Server {
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Request ids and source ports, in order.
    pub(crate) fn seen(&self) -> (Vec<u32>, Vec<u32>) {
        self.seen.lock().unwrap().clone()
    }
}

fn answer(request: &[u8], code: ResponseCode, handle: &[u8], data: &[u8]) -> Vec<u8> {
    let own = OwnIdentity { version: Version::CURRENT, site_serial: 1, primary: true };
    let head = respond_to(&Head::parse(request).unwrap(), &own, code, u32::MAX);
    let mut room = vec![0; 1_024];
    let writer = ResponseWriter::begin(&mut room, &head, None);
    let length = if code == ResponseCode::SUCCESS {
        writer.resolution(handle, [&ValueBuf::new(1, b"URL", data)])
    } else {
        writer.error(b"")
    };
    room.truncate(length.unwrap());
    room
}

fn with_other_id(mut message: Vec<u8>) -> Vec<u8> {
    message[11] ^= 1;
    message
}

pub(crate) async fn udp_server(way: Way) -> Server {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let elsewhere = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let server = Server { port: socket.local_addr().unwrap().port(), heard: Arc::default(), seen: Arc::default() };
    let (heard, seen) = (Arc::clone(&server.heard), Arc::clone(&server.seen));
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_535];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let request = &buffer[..length];
            heard.fetch_add(1, Ordering::Relaxed);
            {
                let mut seen = seen.lock().unwrap();
                seen.0.push(Envelope::parse(request).unwrap().request_id);
                seen.1.push(u32::from(from.port()));
            }
            let truth = answer(request, ResponseCode::SUCCESS, b"88.1/a", b"true");
            let forged = answer(request, ResponseCode::SUCCESS, b"88.1/a", b"forged");
            let send = async |message: Vec<u8>| socket.send_to(&message, from).await.unwrap();
            match way {
                Way::Silence => {}
                Way::Answer(data) => {
                    send(answer(request, ResponseCode::SUCCESS, b"88.1/a", data)).await;
                }
                Way::TooBusy => {
                    send(answer(request, ResponseCode::SERVER_TOO_BUSY, b"", b"")).await;
                }
                Way::RightAnswerFromElsewhereFirst => {
                    send_from(&elsewhere, &forged, from).await;
                    send(truth).await;
                }
                _ => {
                    send(match way {
                        Way::ForgedIdFirst => with_other_id(forged),
                        Way::ForgedHandleFirst => answer(request, ResponseCode::SUCCESS, b"88.1/b", b"forged"),
                        Way::RequestBackFirst => request.to_vec(),
                        _ => vec![0xff; 100],
                    })
                    .await;
                    send(truth).await;
                }
            }
        }
    });
    server
}

async fn send_from(socket: &UdpSocket, message: &[u8], to: SocketAddr) {
    socket.send_to(message, to).await.unwrap();
}

/// Answers so many questions on each connection, then closes it; counts connections.
pub(crate) async fn stream_server(each: usize) -> (u16, Arc<AtomicU64>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                for _ in 0..each {
                    let mut message = vec![0; Envelope::LEN];
                    if stream.read_exact(&mut message).await.is_err() {
                        return;
                    }
                    let body = Envelope::parse(&message).unwrap().checked_length().unwrap();
                    message.resize(Envelope::LEN + body, 0);
                    stream.read_exact(&mut message[Envelope::LEN..]).await.unwrap();
                    let reply = answer(&message, ResponseCode::SUCCESS, b"88.1/a", b"stream");
                    stream.write_all(&reply).await.unwrap();
                }
            });
        }
    });
    (port, connections)
}
