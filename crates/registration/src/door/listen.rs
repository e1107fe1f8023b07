//! Taking connections: bounded in number, handshakes bounded in number and time, none of them holding up the next.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::Stopping;
use super::admission::{Connections, Full, Permit};
use super::connection::Connection;
use crate::config::Limits;
use crate::counters::{Counters, Event};

/// Connections the kernel keeps for a listener that is busy.
const BACKLOG: i32 = 1024;

/// How long accepting rests after an error of the system (no descriptors), which would come again at once.
const REST: Duration = Duration::from_millis(100);

/// Bytes a client whose handshake failed may send while it learns why: a first request or two, sent before its end was known.
const FAREWELL_BYTES: u64 = 64 << 10;

/// Takes an address. An IPv6 address takes IPv6 alone, so that both families can be named side by side.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// What the listeners of one door share.
pub(crate) struct Doorway {
    acceptor: Option<TlsAcceptor>,
    connections: Arc<Connections>,
    handshakes: Arc<Semaphore>,
    handshake_time: Duration,
    counters: Arc<Counters>,
}

impl Doorway {
    pub(crate) fn new(tls: Option<Arc<rustls::ServerConfig>>, limits: &Limits, counters: &Arc<Counters>) -> Arc<Self> {
        Arc::new(Self {
            acceptor: tls.map(TlsAcceptor::from),
            connections: Connections::new(limits.connections, limits.connections_per_source),
            handshakes: Arc::new(Semaphore::new(limits.handshakes)),
            handshake_time: limits.handshake_time,
            counters: Arc::clone(counters),
        })
    }

    /// Accepts until the door stops, and hands each connection on when its handshake is done.
    pub(crate) async fn accept(
        self: Arc<Self>,
        listener: TcpListener,
        ready: mpsc::Sender<Connection>,
        mut stopping: Stopping,
    ) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = stopping.begun() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, address)) = accepted else {
                self.counters.add(Event::AcceptErrors, 1);
                sleep(REST).await;
                continue;
            };
            match self.connections.admit(address.ip()) {
                Ok(permit) => self.take(stream, address, permit, &ready, &mut stopping).await,
                Err(Full::Door) => self.counters.add(Event::RefusedConnections, 1),
                Err(Full::Source) => self.counters.add(Event::RefusedConnectionsOfSource, 1),
            }
        }
    }

    async fn take(
        self: &Arc<Self>,
        stream: TcpStream,
        address: SocketAddr,
        permit: Permit,
        ready: &mpsc::Sender<Connection>,
        stopping: &mut Stopping,
    ) {
        // Small answers must not wait for the acknowledgement of those before; a failure costs time only.
        let _ = stream.set_nodelay(true);
        self.counters.add(Event::ConnectionsOpened, 1);
        let Some(acceptor) = self.acceptor.clone() else {
            let connection = Connection::plain(
                stream,
                address,
                stopping.clone(),
                Arc::clone(&self.counters),
                permit,
                self.handshake_time,
            );
            // Fails when the door has stopped; the connection is closed then.
            let _ = ready.send(connection).await;
            return;
        };
        let slot = tokio::select! {
            biased;
            () = stopping.begun() => return,
            slot = Arc::clone(&self.handshakes).acquire_owned() => slot,
        };
        let (this, ready, stopping) = (Arc::clone(self), ready.clone(), stopping.clone());
        tokio::spawn(async move {
            let shaken = timeout(this.handshake_time, acceptor.accept(stream).into_fallible()).await;
            drop(slot);
            let counters = Arc::clone(&this.counters);
            match shaken {
                Ok(Ok(stream)) => {
                    let connection = Connection::tls(stream, address, stopping, counters, permit, this.handshake_time);
                    let _ = ready.send(connection).await;
                }
                Ok(Err((_, stream))) => {
                    counters.add(Event::HandshakesFailed, 1);
                    farewell(stream, this.handshake_time).await;
                    counters.add(Event::ConnectionsClosed, 1);
                    drop(permit);
                }
                Err(_) => {
                    counters.add(Event::HandshakesFailed, 1);
                    counters.add(Event::ConnectionsClosed, 1);
                }
            }
        });
    }
}

/// Lets a client read the alert that was sent to it. With TLS 1.3 it may be sending a request by now, and where a socket is closed with bytes
/// unread its peer cannot send any more: the client would only see a broken connection, and not that its request was not even read.
async fn farewell(mut stream: TcpStream, at_most: Duration) {
    // A client that is gone needs no farewell.
    let _ = stream.shutdown().await;
    let _ = timeout(at_most, tokio::io::copy(&mut stream.take(FAREWELL_BYTES), &mut sink())).await;
}
