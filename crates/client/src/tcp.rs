//! Asking over TCP: one question on its own connection, or many on one that stays open.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};
use waymark_wire::frame::{TcpFrame, tcp_message_length};

use crate::{
    error::Failure,
    exchange::{Answer, Expected, Transport},
};

/// Asks on a connection of its own; the caller bounds the time by dropping the future.
pub(crate) async fn ask(server: SocketAddr, request: &[u8], expected: Expected) -> Result<Answer, Failure> {
    let started = Instant::now();
    let mut connection = Connection::open(server).await?;
    connection.send(request).await?;
    loop {
        let message = connection.receive().await?;
        // A server may first finish what another question of its own is about; only ours counts.
        if expected.answered_by(&message) {
            let elapsed = started.elapsed();
            return Ok(Answer { message, transport: Transport::Tcp, packets_sent: 0, packets_received: 0, elapsed });
        }
    }
}

/// A connection with messages back to back in both directions.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// What the system says.
    pub async fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Sends whole messages, one or several.
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
        next_message(&mut self.stream, &mut self.received).await
    }
}

/// Reads until `received` starts with a whole message and takes it out.
pub(crate) async fn next_message(
    stream: &mut (impl AsyncRead + Unpin),
    received: &mut Vec<u8>,
) -> Result<Vec<u8>, Failure> {
    loop {
        match tcp_message_length(received) {
            TcpFrame::Complete(length) => {
                let rest = received.split_off(length);
                return Ok(std::mem::replace(received, rest));
            }
            TcpFrame::NeedMore(more) => {
                received.reserve(more);
                if stream.read_buf(received).await? == 0 {
                    return Err(Failure::Closed);
                }
            }
            TcpFrame::Bad(error) => return Err(Failure::NotAMessage(error)),
        }
    }
}
