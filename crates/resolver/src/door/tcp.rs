//! The TCP door: many connections, messages back to back, answers in order.
//!
//! Whether a connection stays open after an answer is the client's wish as far as it can be told ([`waymark_wire::keep_open`]), and
//! whatever is already waiting is answered first. A connection the server ends is shut down for writing, then what the client still
//! sends is read and thrown away for a moment: closing at once would make the system reset the connection, and the client could lose
//! the answer it has not read yet.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Draining;
use super::admission::{Full, Permit};
use super::conversation::{Conversation, End, Manner, StreamDoor};
use super::counters::DoorEvent;
use crate::question::{Origin, Transport};

/// Connections the system completes ahead of us.
const BACKLOG: i32 = 1024;

/// Rest after the system refused to accept, which is for want of descriptors or memory as a rule.
const ERROR_REST: Duration = Duration::from_millis(50);

/// How long a client may take to close after we did.
const LINGER_TIME: Duration = Duration::from_secs(2);

/// Opens a listener; port 0 becomes a port the system chooses. Inside a runtime.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // IPv4 has its own listener.
        socket.set_only_v6(true)?;
    }
    // So that a restarted node need not wait for connections of the old one to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until the node drains, then waits for the connections that are open.
pub(super) async fn serve(listener: TcpListener, door: Arc<StreamDoor>, mut draining: Draining) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = draining.begun() => break,
            Some(_) = open.join_next(), if !open.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Some(permit) = admit(&door, peer) {
                        open.spawn(converse(stream, peer, Arc::clone(&door), permit, draining.clone()));
                    }
                }
                Err(error) => {
                    door.counters.add(DoorEvent::SystemErrors, 1);
                    tracing::debug!(%error, "accept failed");
                    sleep(ERROR_REST).await;
                }
            },
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// Counts a connection in, or not. One that is refused is closed at once.
pub(super) fn admit(door: &StreamDoor, peer: SocketAddr) -> Option<Permit> {
    let refused = if door.shared.policy.blocks(peer.ip()) {
        DoorEvent::RefusedBlocked
    } else {
        match door.connections.admit(peer.ip()) {
            Ok(permit) => {
                door.counters.add(DoorEvent::ConnectionsOpened, 1);
                return Some(permit);
            }
            Err(Full::Door) => DoorEvent::RefusedConnections,
            Err(Full::Source) => DoorEvent::RefusedConnectionsOfSource,
        }
    };
    door.counters.add(refused, 1);
    None
}

async fn converse(mut stream: TcpStream, peer: SocketAddr, door: Arc<StreamDoor>, permit: Permit, draining: Draining) {
    // Answers are written whole; waiting to fill a segment only delays them.
    let _ = stream.set_nodelay(true);
    let local = stream.local_addr().ok().map(|address| address.ip());
    let origin = Origin { transport: Transport::Tcp, peer, local };
    let end = Conversation::new(stream.split(), &door, origin, Manner::InOrder, draining).run().await;
    match end {
        End::Done | End::Cut(_) if end != End::Cut(DoorEvent::CutSlowReader) => close(&mut stream).await,
        // Nobody reads what is still unsent: give the system's memory back at once.
        End::Done | End::Cut(_) | End::Lost => {
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
    }
    drop(stream);
    door.counters.add(DoorEvent::ConnectionsClosed, 1);
    drop(permit);
}

/// Ends our half, and waits a moment for the client to end its own.
async fn close(stream: &mut TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut unread = [0; 1024];
    let read_on = async { while matches!(stream.read(&mut unread).await, Ok(1..)) {} };
    let _ = timeout(LINGER_TIME, read_on).await;
}
