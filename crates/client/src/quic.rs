//! Asking over QUIC: messages back to back on a bidirectional stream, or one in a datagram.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use quinn::{Connecting, Endpoint, RecvStream, SendStream, crypto::rustls::QuicClientConfig};
use tokio::time::Instant;

use crate::{
    config::{QUIC_IDLE, REMEMBERED_TRUSTS},
    error::Failure,
    exchange::{Answer, Expected, Transport},
    stream::Arrived,
    trust::Trust,
};

/// Protocol name of the mapping, as the server's door documents it.
pub const ALPN: &[u8] = b"waymark/1";

/// Connects to servers that are believed for the same reason, and remembers their sessions: a plain question to a server it knows
/// travels in the first packet.
#[derive(Clone, Debug)]
pub struct Connector {
    settings: quinn::ClientConfig,
}

impl Connector {
    /// A connector that remembers no session yet. Loads the cryptography, which takes a moment: keep it.
    ///
    /// # Errors
    /// The trust settings cannot be used for TLS.
    pub fn new(trust: &Trust) -> Result<Self, Failure> {
        let mut tls = trust.settings()?;
        tls.alpn_protocols = vec![ALPN.to_vec()];
        tls.enable_early_data = true;
        let tls = QuicClientConfig::try_from(tls)
            .map_err(|_| rustls::Error::General("no initial cipher suite for QUIC".to_owned()))?;
        let mut transport = quinn::TransportConfig::default();
        transport.max_idle_timeout(quinn::IdleTimeout::try_from(QUIC_IDLE).ok());
        let mut settings = quinn::ClientConfig::new(Arc::new(tls));
        settings.transport_config(Arc::new(transport));
        Ok(Self { settings })
    }

    /// Connects and checks the certificate; `name` is what authorities must have certified. The caller bounds the time by dropping
    /// the future.
    ///
    /// # Errors
    /// No way to the server, or a certificate that is not trusted.
    pub async fn open(&self, server: SocketAddr, name: &str) -> Result<Connection, Failure> {
        let (endpoint, connecting) = self.connect(server, name)?;
        Ok(Connection { connection: connecting.await?, _endpoint: endpoint })
    }

    /// Asks on a connection of its own; the caller bounds the time by dropping the future.
    pub(crate) async fn ask(
        &self,
        server: SocketAddr,
        name: &str,
        request: &[u8],
        expected: Expected,
    ) -> Result<Answer, Failure> {
        let started = Instant::now();
        let (endpoint, connecting) = self.connect(server, name)?;
        let message = exchange(connecting, &endpoint, request, expected).await?;
        let elapsed = started.elapsed();
        Ok(Answer { message, transport: Transport::Quic, packets_sent: 0, packets_received: 0, elapsed })
    }

    /// Begins to connect, from a port of its own.
    fn connect(&self, server: SocketAddr, name: &str) -> Result<(Endpoint, Connecting), Failure> {
        let any: SocketAddr =
            if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let endpoint = Endpoint::client(any)?;
        let connecting = endpoint.connect_with(self.settings.clone(), server, name)?;
        Ok((endpoint, connecting))
    }
}

/// Asks at once if the server is known and the question may be repeated by others, otherwise once connected.
async fn exchange(
    connecting: Connecting,
    endpoint: &Endpoint,
    request: &[u8],
    expected: Expected,
) -> Result<Vec<u8>, Failure> {
    let open = |connection| Connection { connection, _endpoint: endpoint.clone() };
    let connecting = if expected.is_plain_question() {
        match connecting.into_0rtt() {
            Ok((connection, accepted)) => {
                let connection = open(connection);
                let early = connection.ask(request, expected).await;
                // Data the server did not take early is lost with its stream; the connection is good.
                return if early.is_err() && !accepted.await { connection.ask(request, expected).await } else { early };
            }
            Err(connecting) => connecting,
        }
    } else {
        connecting
    };
    open(connecting.await?).ask(request, expected).await
}

/// A connection to one server. Dropping it closes it.
#[derive(Debug)]
pub struct Connection {
    connection: quinn::Connection,
    // Drives the connection.
    _endpoint: Endpoint,
}

impl Connection {
    /// Connects without remembering anything; see [`Connector::open`].
    ///
    /// # Errors
    /// No way to the server, or a certificate that is not trusted.
    pub async fn open(server: SocketAddr, name: &str, trust: &Trust) -> Result<Self, Failure> {
        Connector::new(trust)?.open(server, name).await
    }

    /// Opens a stream; the server may make it wait when too many are open.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn stream(&self) -> Result<Stream, Failure> {
        let (send, receive) = self.connection.open_bi().await?;
        Ok(Stream { send, receiver: Receiver { receive, arrived: Arrived::default() } })
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

    /// Asks on a stream of its own.
    pub(crate) async fn ask(&self, request: &[u8], expected: Expected) -> Result<Vec<u8>, Failure> {
        let mut stream = self.stream().await?;
        stream.send(request).await?;
        loop {
            let message = stream.receive().await?;
            if expected.answered_by(&message) {
                return Ok(message);
            }
        }
    }
}

/// A stream with messages back to back in both directions; answers may come in any order.
#[derive(Debug)]
pub struct Stream {
    send: SendStream,
    receiver: Receiver,
}

impl Stream {
    /// Sends whole messages, one or several. A future that is dropped may leave half a message behind, after which the stream is of
    /// no use.
    ///
    /// # Errors
    /// The connection is gone or the server refuses more.
    pub async fn send(&mut self, messages: &[u8]) -> Result<(), Failure> {
        Ok(self.send.write_all(messages).await?)
    }

    /// Waits for the next whole message. Dropping the future loses nothing: what arrived stays for the next call.
    ///
    /// # Errors
    /// The server closed, or sent what cannot be a message.
    pub async fn receive(&mut self) -> Result<Vec<u8>, Failure> {
        self.receiver.receive().await
    }

    /// Both directions apart, for tasks of their own.
    #[must_use]
    pub fn split(self) -> (SendStream, Receiver) {
        (self.send, self.receiver)
    }
}

/// The receiving direction of a stream.
#[derive(Debug)]
pub struct Receiver {
    receive: RecvStream,
    arrived: Arrived,
}

impl Receiver {
    /// Waits for the next whole message. Dropping the future loses nothing: what arrived stays for the next call.
    ///
    /// # Errors
    /// The server closed, or sent what cannot be a message.
    pub async fn receive(&mut self) -> Result<Vec<u8>, Failure> {
        self.arrived.next_message(&mut self.receive).await
    }
}

/// The connectors of a client, one for each trust. A session belongs to the trust it was made under: nobody is believed for a session
/// of somebody else.
#[derive(Debug, Default)]
pub(crate) struct Connectors(Mutex<Vec<(Trust, Connector)>>);

impl Connectors {
    /// The connector of a trust, made if there is none; see [`REMEMBERED_TRUSTS`].
    pub(crate) fn of(&self, trust: &Trust) -> Result<Connector, Failure> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match known.iter().position(|(other, _)| other.is_same(trust)) {
            Some(at) => known.remove(at),
            None => (trust.clone(), Connector::new(trust)?),
        };
        let connector = entry.1.clone();
        known.insert(0, entry);
        known.truncate(REMEMBERED_TRUSTS);
        Ok(connector)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_remembers_the_sessions_of_few_trusts() {
        let connectors = Connectors::default();
        for pin in 0..=u8::try_from(REMEMBERED_TRUSTS).unwrap() {
            connectors.of(&Trust::Pin([pin; 32])).unwrap();
            connectors.of(&Trust::Pin([0; 32])).unwrap();
        }
        assert_eq!(connectors.len(), REMEMBERED_TRUSTS);
        let known = connectors.0.lock().unwrap();
        assert!(known[0].0.is_same(&Trust::Pin([0; 32])), "the one used last is kept");
        assert!(
            !known.iter().any(|(trust, _)| trust.is_same(&Trust::Pin([1; 32]))),
            "the one unused for longest is gone"
        );
    }
}
