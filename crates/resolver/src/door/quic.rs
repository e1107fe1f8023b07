//! The QUIC door.
//!
//! # The mapping
//!
//! - The application protocol (ALPN) is [`waymark/1`](super::ALPN); TLS 1.3, and the node's certificate ([`super::Certificate`]).
//! - **Streams.** A client opens bidirectional streams. On each it sends messages (envelope, then as many bytes as the envelope
//!   announces), back to back, exactly as over TCP. The server sends answers on the same stream the same way, **in any order**: the
//!   request id tells which is whose, so ids of one stream are not used again before their answer is there. The server never ends a
//!   stream before the client does, except after something that is no message (code 4 with the own request id, then the end), when a
//!   time limit is over, or when it drains: then everything received whole is answered first. Unidirectional streams are not allowed.
//! - **Datagrams.** A datagram holds one whole message; bytes behind its announced length are ignored. The answer comes back in one
//!   datagram. When it does not fit one, the answer is code 3 with the text "answer does not fit a datagram, use a stream", own
//!   request id. Datagrams may be lost either way; a question may be repeated.
//! - **Early data (0-RTT).** Operations 1 and 2 are answered at once. Any other message in early data waits until the handshake is
//!   complete, so a copy of it that somebody else sends never has any effect. A session ticket is taken for early data once.
//! - **Addresses.** While many handshakes are under way a client must first show that it receives at its address (stateless retry).
//! - **Limits** are those of TCP: connections in all and per source, time of a message, rest, slow readers, memory. A connection in
//!   which nothing happens for the idle time ends.
//! - Connection error codes: [`CLOSED_DRAINING`], [`CLOSED_HANDSHAKE_TIME`].

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use quinn::crypto::rustls::{NoInitialCipherSuite, QuicServerConfig};
use quinn::{Endpoint, EndpointConfig, Incoming, RecvStream, SendStream, TokioRuntime, TransportConfig, VarInt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Draining;
use super::admission::Permit;
use super::conversation::{Conversation, End, Manner, StreamDoor};
use super::counters::DoorEvent;
use super::datagrams;
use super::limits::DoorLimits;
use super::tcp::admit;
use super::tls::Certificate;
use crate::question::{Origin, Transport};

/// The node is being stopped; everything that was asked is answered.
pub const CLOSED_DRAINING: u32 = 1;

/// The handshake was not completed in time.
pub const CLOSED_HANDSHAKE_TIME: u32 = 2;

/// Unread bytes of one stream: two messages of the largest size, so that one can arrive while the other is answered.
const STREAM_WINDOW: u32 = 512 * 1024;

/// Unread and unsent bytes of one connection, each.
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;

/// Datagrams of one connection waiting to be read, or to be sent, in bytes; the oldest are dropped beyond.
const DATAGRAM_WINDOW: usize = 256 * 1024;

/// How long the last bytes of a draining connection may take to be acknowledged.
const DELIVERY_TIME: Duration = Duration::from_secs(2);

/// Why the door cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuicError {
    /// The socket.
    #[error("cannot listen")]
    Socket(#[from] io::Error),
    /// The certificate or the protocol version.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The cryptography provider lacks what QUIC starts with.
    #[error("TLS lacks the cipher suite of QUIC's first packets")]
    Cipher(#[from] NoInitialCipherSuite),
}

/// Opens an endpoint. Inside a runtime.
pub(super) fn listen(
    address: SocketAddr,
    certificate: &Certificate,
    limits: &DoorLimits,
) -> Result<Endpoint, QuicError> {
    let tls = certificate.server_config(limits.quic_sessions)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    config.transport_config(Arc::new(transport(limits)));
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // IPv4 has its own endpoint.
        socket.set_only_v6(true)?;
    }
    // The system may grant less.
    let _ = socket.set_recv_buffer_size(limits.udp_socket_bytes);
    let _ = socket.set_send_buffer_size(limits.udp_socket_bytes);
    socket.bind(&address.into())?;
    Ok(Endpoint::new(EndpointConfig::default(), Some(config), socket.into(), Arc::new(TokioRuntime))?)
}

fn transport(limits: &DoorLimits) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(limits.quic_streams.into())
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_idle_timeout(limits.idle_time.try_into().ok())
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(CONNECTION_WINDOW.into())
        .send_window(CONNECTION_WINDOW.into())
        .datagram_receive_buffer_size(Some(DATAGRAM_WINDOW))
        .datagram_send_buffer_size(DATAGRAM_WINDOW);
    transport
}

/// Accepts until the node drains, then waits for the connections that are open.
pub(super) async fn serve(endpoint: Endpoint, door: Arc<StreamDoor>, mut draining: Draining) {
    let handshakes = Arc::new(AtomicUsize::new(0));
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = draining.begun() => break,
            Some(_) = open.join_next(), if !open.is_empty() => {}
            incoming = endpoint.accept() => match incoming {
                Some(incoming) => {
                    if let Some((incoming, permit)) = greet(incoming, &door, &handshakes) {
                        let (door, draining) = (Arc::clone(&door), draining.clone());
                        let handshake = Handshake::begin(&handshakes);
                        open.spawn(async move {
                            connection(incoming, &door, handshake, draining).await;
                            door.counters.add(DoorEvent::ConnectionsClosed, 1);
                            drop(permit);
                        });
                    }
                }
                None => break,
            },
        }
    }
    // New connections are refused from here on.
    endpoint.set_server_config(None);
    while open.join_next().await.is_some() {}
    let _ = timeout(DELIVERY_TIME, endpoint.wait_idle()).await;
}

/// Decides on a new connection before any cryptography.
fn greet(incoming: Incoming, door: &StreamDoor, handshakes: &AtomicUsize) -> Option<(Incoming, Permit)> {
    let is_crowded = handshakes.load(Ordering::Relaxed) >= door.shared.limits.quic_retry_above;
    if is_crowded && !incoming.remote_address_validated() {
        door.counters.add(DoorEvent::HandshakesRetried, 1);
        // An error would say that it may not be retried, which is so only for validated addresses.
        let _ = incoming.retry();
        return None;
    }
    let peer = incoming.remote_address();
    match admit(door, peer) {
        Some(permit) => Some((incoming, permit)),
        None if door.shared.policy.blocks(peer.ip()) => {
            incoming.ignore();
            None
        }
        None => {
            incoming.refuse();
            None
        }
    }
}

/// Counts a handshake while it is under way.
struct Handshake(Arc<AtomicUsize>);

impl Handshake {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One connection, from its first packet to its end.
async fn connection(incoming: Incoming, door: &Arc<StreamDoor>, handshake: Handshake, mut draining: Draining) {
    let local = incoming.local_ip();
    // On the accepting side this always gives a connection that takes early data.
    let Ok(Ok((connection, complete))) = incoming.accept().map(quinn::Connecting::into_0rtt) else {
        door.counters.add(DoorEvent::HandshakesFailed, 1);
        return;
    };
    let (confirm, confirmed) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let (time, watched, counters) = (door.shared.limits.message_time, connection.clone(), Arc::clone(&door.counters));
    tasks.spawn(async move {
        let is_complete = timeout(time, complete).await.is_ok() && watched.close_reason().is_none();
        drop(handshake);
        if is_complete {
            confirm.send_replace(true);
            // Held as long as the connection: who waits for it would otherwise take its end for a failure.
            watched.closed().await;
        } else {
            counters.add(DoorEvent::HandshakesFailed, 1);
            watched.close(CLOSED_HANDSHAKE_TIME.into(), b"handshake took too long");
        }
        drop(confirm);
    });
    let origin = Origin { transport: Transport::Quic, peer: connection.remote_address(), local };
    tasks.spawn(datagrams::serve(connection.clone(), Arc::clone(door), origin, confirmed.clone()));
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = draining.begun() => break,
            Some(_) = streams.join_next(), if !streams.is_empty() => {}
            accepted = connection.accept_bi() => match accepted {
                Ok(halves) => {
                    let manner = Manner::AnyOrder { confirmed: confirmed.clone() };
                    streams.spawn(stream(halves, Arc::clone(door), origin, manner, draining.clone()));
                }
                Err(_) => break,
            },
        }
    }
    // A stream the client opened before it could know that we drain.
    while let Some(Ok(halves)) = ready(connection.accept_bi()) {
        let manner = Manner::AnyOrder { confirmed: confirmed.clone() };
        streams.spawn(stream(halves, Arc::clone(door), origin, manner, draining.clone()));
    }
    while streams.join_next().await.is_some() {}
    connection.close(CLOSED_DRAINING.into(), b"stopping");
}

/// One stream.
async fn stream(
    (mut send, mut receive): (SendStream, RecvStream),
    door: Arc<StreamDoor>,
    origin: Origin,
    manner: Manner,
    draining: Draining,
) {
    let end = Conversation::new((&mut receive, &mut send), &door, origin, manner, draining).run().await;
    match end {
        End::Done | End::Cut(_) if end != End::Cut(DoorEvent::CutSlowReader) => {
            let _ = receive.stop(VarInt::from_u32(0));
            if send.finish().is_ok() {
                // So that a draining connection is not closed before its last answers have arrived.
                let _ = timeout(DELIVERY_TIME, send.stopped()).await;
            }
        }
        End::Done | End::Cut(_) | End::Lost => {
            let _ = send.reset(VarInt::from_u32(0));
            let _ = receive.stop(VarInt::from_u32(0));
        }
    }
}

/// What a future gives without waiting.
pub(super) fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
