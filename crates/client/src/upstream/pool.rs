//! Connections that are kept between questions.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::limits::{ALL_IDLE_CONNECTIONS, IDLE_CONNECTIONS, IDLE_TIME, QUIC_AGAIN, QUIC_CONNECTIONS, SERVERS};
use crate::error::Failure;
use crate::exchange::Expected;
use crate::quic::{self, Connectors};
use crate::tcp;
use crate::trust::Trust;

/// TCP connections that wait for their next question.
#[derive(Debug, Default)]
pub(super) struct TcpPool(Mutex<Idle>);

#[derive(Debug, Default)]
struct Idle {
    of: HashMap<SocketAddr, Vec<(tcp::Connection, Instant)>>,
    /// When those that waited for too long were last closed.
    swept: Option<Instant>,
}

impl Idle {
    /// Closes what waited for too long, now and then.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.duration_since(swept) < IDLE_TIME) {
            return;
        }
        self.swept = Some(now);
        self.of.retain(|_, connections| {
            connections.retain(|(_, since)| now.duration_since(*since) < IDLE_TIME);
            !connections.is_empty()
        });
    }
}

impl TcpPool {
    /// Asks on a connection that is there, otherwise on a new one. A server may have closed the first without our knowing.
    pub(super) async fn ask(&self, server: SocketAddr, request: &[u8], expected: Expected) -> Result<Vec<u8>, Failure> {
        if let Some(connection) = self.take(server)
            && let Ok(message) = self.ask_on(connection, server, request, expected).await
        {
            return Ok(message);
        }
        let connection = tcp::Connection::open(server).await?;
        self.ask_on(connection, server, request, expected).await
    }

    async fn ask_on(
        &self,
        mut connection: tcp::Connection,
        server: SocketAddr,
        request: &[u8],
        expected: Expected,
    ) -> Result<Vec<u8>, Failure> {
        connection.send(request).await?;
        loop {
            let message = connection.receive().await?;
            // Answers to questions that were given up may come before it.
            if expected.answered_by(&message) {
                self.put(server, connection);
                return Ok(message);
            }
        }
    }

    fn take(&self, server: SocketAddr) -> Option<tcp::Connection> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = idle.of.get_mut(&server)?;
        let now = Instant::now();
        connections.retain(|(_, since)| now.duration_since(*since) < IDLE_TIME);
        let taken = connections.pop().map(|(connection, _)| connection);
        if connections.is_empty() {
            idle.of.remove(&server);
        }
        taken
    }

    fn put(&self, server: SocketAddr, connection: tcp::Connection) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        idle.sweep(now);
        if idle.of.values().map(Vec::len).sum::<usize>() < ALL_IDLE_CONNECTIONS {
            let connections = idle.of.entry(server).or_default();
            if connections.len() < IDLE_CONNECTIONS {
                connections.push((connection, now));
            }
        }
    }
}

/// A connection being made or made.
type Shared = Arc<OnceCell<quic::Connection>>;

/// A server and the certificate that is believed there.
type Server = (SocketAddr, [u8; 32]);

/// QUIC connections, one for each server, with a stream for each question.
#[derive(Debug, Default)]
pub(super) struct QuicPool {
    connectors: Connectors,
    open: Mutex<HashMap<Server, (Shared, Instant)>>,
    /// Those that did not answer, and until when they are not asked.
    left_alone: Mutex<HashMap<Server, Instant>>,
}

impl QuicPool {
    pub(super) async fn ask(
        &self,
        server: SocketAddr,
        pin: [u8; 32],
        request: &[u8],
        expected: Expected,
    ) -> Result<Vec<u8>, Failure> {
        let (shared, was_open) = self.shared(server, pin);
        match self.ask_on(&shared, server, pin, request, expected).await {
            Ok(message) => Ok(message),
            // Idle connections end without a word: once more on a new one.
            Err(_) if was_open => {
                self.forget(server, pin, &shared);
                let (shared, _) = self.shared(server, pin);
                self.ask_on(&shared, server, pin, request, expected).await
            }
            Err(failure) => {
                self.forget(server, pin, &shared);
                Err(failure)
            }
        }
    }

    async fn ask_on(
        &self,
        shared: &Shared,
        server: SocketAddr,
        pin: [u8; 32],
        request: &[u8],
        expected: Expected,
    ) -> Result<Vec<u8>, Failure> {
        let connect = || async {
            let connector = self.connectors.of(&Trust::Pin(pin))?;
            connector.open(server, &server.ip().to_string()).await
        };
        shared.get_or_try_init(connect).await?.ask(request, expected).await
    }

    /// Whether it did not answer a moment ago: a network that loses QUIC loses it for all questions.
    pub(super) fn is_left_alone(&self, server: SocketAddr, pin: [u8; 32]) -> bool {
        let left_alone = self.left_alone.lock().unwrap_or_else(PoisonError::into_inner);
        left_alone.get(&(server, pin)).is_some_and(|until| Instant::now() < *until)
    }

    /// It did not answer: its connection is given up, and it is left alone for a while.
    pub(super) fn leave_alone(&self, server: SocketAddr, pin: [u8; 32]) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&(server, pin));
        let now = Instant::now();
        let mut left_alone = self.left_alone.lock().unwrap_or_else(PoisonError::into_inner);
        if left_alone.len() >= SERVERS {
            left_alone.retain(|_, until| now < *until);
        }
        if left_alone.len() < SERVERS {
            left_alone.insert((server, pin), now + QUIC_AGAIN);
        }
    }

    fn shared(&self, server: SocketAddr, pin: [u8; 32]) -> (Shared, bool) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if !open.contains_key(&(server, pin)) && open.len() >= QUIC_CONNECTIONS {
            let oldest = open.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| *key);
            oldest.and_then(|key| open.remove(&key));
        }
        let (shared, used) = open.entry((server, pin)).or_insert_with(|| (Shared::default(), now));
        *used = now;
        (Arc::clone(shared), shared.initialized())
    }

    fn forget(&self, server: SocketAddr, pin: [u8; 32], shared: &Shared) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.get(&(server, pin)).is_some_and(|(known, _)| Arc::ptr_eq(known, shared)) {
            open.remove(&(server, pin));
        }
    }
}
