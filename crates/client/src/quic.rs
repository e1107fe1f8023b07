//! Asking over QUIC: messages back to back on a bidirectional stream, or one in a datagram.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use quinn::{Endpoint, RecvStream, SendStream, crypto::rustls::QuicClientConfig};
use tokio::time::Instant;

use crate::{
    config::QUIC_IDLE,
    error::Failure,
    exchange::{Answer, Expected, Transport},
    tcp::next_message,
    trust::Trust,
};

/// Protocol name of the mapping, as the server's door documents it.
pub const ALPN: &[u8] = b"waymark/1";

/// Asks on a connection of its own; the caller bounds the time by dropping the future.
pub(crate) async fn ask(
    server: SocketAddr,
    name: &str,
    trust: &Trust,
    request: &[u8],
    expected: Expected,
) -> Result<Answer, Failure> {
    let started = Instant::now();
    let connection = Connection::open(server, name, trust).await?;
    let mut stream = connection.stream().await?;
    stream.send(request).await?;
    loop {
        let message = stream.receive().await?;
        if expected.answered_by(&message) {
            let elapsed = started.elapsed();
            return Ok(Answer { message, transport: Transport::Quic, packets_sent: 0, packets_received: 0, elapsed });
        }
    }
}

/// A connection to one server.
#[derive(Debug)]
pub struct Connection {
    connection: quinn::Connection,
    // Closing the endpoint closes the connection.
    _endpoint: Endpoint,
}

impl Connection {
    /// Connects and checks the certificate; `name` is what authorities must have certified.
    ///
    /// # Errors
    /// No way to the server, or a certificate that is not trusted.
    pub async fn open(server: SocketAddr, name: &str, trust: &Trust) -> Result<Self, Failure> {
        let mut settings = trust.settings()?;
        settings.alpn_protocols = vec![ALPN.to_vec()];
        settings.enable_early_data = true;
        let settings = QuicClientConfig::try_from(settings)
            .map_err(|_| rustls::Error::General("no initial cipher suite for QUIC".to_owned()))?;
        let mut settings = quinn::ClientConfig::new(Arc::new(settings));
        let mut transport = quinn::TransportConfig::default();
        transport.max_idle_timeout(quinn::IdleTimeout::try_from(QUIC_IDLE).ok());
        settings.transport_config(Arc::new(transport));
        let any: SocketAddr =
            if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let endpoint = Endpoint::client(any)?;
        let connection = endpoint.connect_with(settings, server, name)?.await?;
        Ok(Self { connection, _endpoint: endpoint })
    }

    /// Opens a stream; the server may make it wait when too many are open.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn stream(&self) -> Result<Stream, Failure> {
        let (send, receive) = self.connection.open_bi().await?;
        Ok(Stream { send, receive, received: Vec::new() })
    }

    /// Sends one message in a datagram.
    ///
    /// # Errors
    /// The message does not fit one, or the server takes none.
    pub fn send_datagram(&self, message: &[u8]) -> Result<(), Failure> {
        Ok(self.connection.send_datagram(message.to_vec().into())?)
    }

    /// Waits for a datagram: one message.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn receive_datagram(&self) -> Result<Vec<u8>, Failure> {
        Ok(self.connection.read_datagram().await?.to_vec())
    }
}

/// A stream with messages back to back in both directions; answers may come in any order.
#[derive(Debug)]
pub struct Stream {
    send: SendStream,
    receive: RecvStream,
    received: Vec<u8>,
}

impl Stream {
    /// Sends whole messages, one or several.
    ///
    /// # Errors
    /// The connection is gone or the server refuses more.
    pub async fn send(&mut self, messages: &[u8]) -> Result<(), Failure> {
        Ok(self.send.write_all(messages).await?)
    }

    /// Waits for the next whole message.
    ///
    /// # Errors
    /// The server closed, or sent what cannot be a message.
    pub async fn receive(&mut self) -> Result<Vec<u8>, Failure> {
        next_message(&mut self.receive, &mut self.received).await
    }

    /// Both directions apart, for tasks of their own.
    pub fn split(self) -> (SendStream, Receiver) {
        (self.send, Receiver { receive: self.receive, received: self.received })
    }
}

/// The receiving direction of a stream.
#[derive(Debug)]
pub struct Receiver {
    receive: RecvStream,
    received: Vec<u8>,
}

impl Receiver {
    /// Waits for the next whole message.
    ///
    /// # Errors
    /// The server closed, or sent what cannot be a message.
    pub async fn receive(&mut self) -> Result<Vec<u8>, Failure> {
        next_message(&mut self.receive, &mut self.received).await
    }
}
