//! Asking over TCP: one question on its own connection, or many on one that stays open.

use std::{io, net::SocketAddr};

use tokio::{io::AsyncWriteExt, net::TcpStream, time::Instant};

use crate::{
    error::Failure,
    exchange::{Answer, Expected, Transport},
    stream::Arrived,
};

/// Asks on a connection of its own; the caller bounds the time by dropping the future.
pub(crate) async fn ask(server: SocketAddr, request: &[u8], expected: Expected) -> Result<Answer, Failure> {
    let started = Instant::now();
    let mut connection = Connection::open(server).await?;
    connection.send(request).await?;
    loop {
        let message = connection.receive().await?;
        // Whatever else the server says on this connection, only the answer counts.
        if expected.answered_by(&message) {
            let elapsed = started.elapsed();
            return Ok(Answer { message, transport: Transport::Tcp, packets_sent: 0, packets_received: 0, elapsed });
        }
    }
}

/// A connection with messages back to back in both directions.
///
/// The server closes after an answer unless the request asked to keep the connection ([`waymark_wire::keep_open`]).
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    arrived: Arrived,
}

impl Connection {
    /// Connects. The caller bounds the time by dropping the future.
    ///
    /// # Errors
    /// What the system says.
    pub async fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        // Requests are written whole; waiting to fill a segment only delays them.
        stream.set_nodelay(true)?;
        Ok(Self { stream, arrived: Arrived::default() })
    }

    /// Sends whole messages, one or several. Who sends much without receiving waits for a server that waits the same way; and a
    /// future that is dropped may leave half a message behind, after which the connection is of no use.
    ///
    /// # Errors
    /// What the system says.
    pub async fn send(&mut self, messages: &[u8]) -> io::Result<()> {
        self.stream.write_all(messages).await
    }

    /// Waits for the next whole message. Dropping the future loses nothing: what arrived stays for the next call.
    ///
    /// # Errors
    /// The server closed, or sent what cannot be a message.
    pub async fn receive(&mut self) -> Result<Vec<u8>, Failure> {
        self.arrived.next_message(&mut self.stream).await
    }
}
