//! How a command reaches the top-level node: a trait, and HTTP behind it.
//!
//! Each command has a connection of its own. They are few, an audit takes days, and a connection that is always new is never found dead.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use waymark_client::Trust;
use zeroize::Zeroizing;

use super::seal::Seal;
use crate::epp::exchange::{Trouble, TroubleKind};

/// What comes back for a command: the bytes of an answer, or what went wrong on the way.
pub type Exchanged<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, Trouble>> + Send + 'a>>;

/// Carries commands.
pub trait Transport: Send + Sync {
    /// Sends a command and waits for the answer. Ends within a bound of its own, and gives no more bytes than the largest answer that is taken.
    fn send(&self, command: Zeroizing<Vec<u8>>) -> Exchanged<'_>;
}

/// Where the top-level node takes commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whether the connection is encrypted.
    pub is_encrypted: bool,
    /// Name or address of the host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

/// The text is not an address such as `https://node.example/epp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address such as https://node.example/epp")]
pub struct AddressError;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let uri: Uri = text.parse().map_err(|_| AddressError)?;
        let is_encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(AddressError),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(AddressError)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(AddressError);
        }
        let port = authority.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { is_encrypted, host, port, path })
    }
}

impl Address {
    /// Whether it is on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.host == "localhost" || self.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Commands over HTTP.
pub struct HttpTransport {
    address: Address,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    seal: Arc<dyn Seal>,
    answer_time: Duration,
    answer_bytes: usize,
}

/// Why no transport can be made of these settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// An encrypted address without anybody to believe.
    #[error("an encrypted address needs authorities, or the fingerprint of the certificate")]
    NobodyTrusted,
    /// The host has a name no certificate can have.
    #[error("the host has a name no certificate can have")]
    Name,
    /// What the TLS library says.
    #[error("the authorities cannot be used")]
    Tls(#[from] rustls::Error),
}

impl HttpTransport {
    /// To an address. Limits: [`ANSWER_TIME`](crate::epp::config::ANSWER_TIME), [`ANSWER_BYTES`](crate::epp::config::ANSWER_BYTES).
    ///
    /// # Errors
    /// See [`TransportError`].
    pub fn new(
        address: Address,
        trust: Option<&Trust>,
        seal: Arc<dyn Seal>,
        answer_time: Duration,
        answer_bytes: usize,
    ) -> Result<Self, TransportError> {
        let tls = if address.is_encrypted {
            let mut settings = trust.ok_or(TransportError::NobodyTrusted)?.https_settings()?;
            settings.alpn_protocols = vec![b"http/1.1".to_vec()];
            let name = ServerName::try_from(address.host.clone()).map_err(|_| TransportError::Name)?;
            Some((TlsConnector::from(Arc::new(settings)), name))
        } else {
            None
        };
        Ok(Self { address, tls, seal, answer_time, answer_bytes })
    }

    async fn exchange(&self, command: Zeroizing<Vec<u8>>) -> Result<Vec<u8>, Trouble> {
        let stream = TcpStream::connect((self.address.host.as_str(), self.address.port)).await;
        let stream = stream.map_err(|error| Trouble::new(TroubleKind::Unreachable, error))?;
        match &self.tls {
            None => self.over(stream, command).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await;
                self.over(stream.map_err(|error| Trouble::new(TroubleKind::Unreachable, error))?, command).await
            }
        }
    }

    async fn over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        command: Zeroizing<Vec<u8>>,
    ) -> Result<Vec<u8>, Trouble> {
        let cut = |error: hyper::Error| Trouble::new(TroubleKind::Cut, error);
        let request = self.request(command)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(cut)?;
        // Ends with this call, whether or not the answer was read to its end.
        let _connection = Aborted(tokio::spawn(async move {
            // What is wrong with the connection is told to whoever waits for the answer.
            let _ended = connection.await;
        }));
        let answer = sender.send_request(request).await.map_err(cut)?;
        if answer.status() != StatusCode::OK {
            return Err(Trouble::new(TroubleKind::HttpStatus, answer.status().as_u16()));
        }
        self.read(answer).await
    }

    fn request(&self, command: Zeroizing<Vec<u8>>) -> Result<Request<Full<Bytes>>, Trouble> {
        let mut request = Request::post(self.address.path.as_str())
            .header(header::HOST, self.address.authority())
            .header(header::CONTENT_TYPE, "application/epp+xml; charset=utf-8")
            .header(header::ACCEPT, "application/epp+xml")
            .header(header::CONNECTION, "close");
        for (name, value) in self.seal.headers(&command) {
            request = request.header(name, value);
        }
        let body = Full::new(Bytes::from_owner(Wiped(command)));
        request.body(body).map_err(|_| Trouble::new(TroubleKind::NotSendable, "headers"))
    }

    async fn read(&self, answer: Response<Incoming>) -> Result<Vec<u8>, Trouble> {
        let body = Limited::new(answer.into_body(), self.answer_bytes).collect().await;
        match body {
            Ok(body) => Ok(body.to_bytes().to_vec()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(Trouble::new(TroubleKind::TooLarge, format!("more than {} bytes", self.answer_bytes)))
            }
            Err(error) => Err(Trouble::new(TroubleKind::Cut, error)),
        }
    }
}

impl Transport for HttpTransport {
    fn send(&self, command: Zeroizing<Vec<u8>>) -> Exchanged<'_> {
        Box::pin(async move {
            match timeout(self.answer_time, self.exchange(command)).await {
                Ok(answer) => answer,
                Err(_) => Err(Trouble::new(TroubleKind::TimeOut, format!("{} ms", self.answer_time.as_millis()))),
            }
        })
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The bytes of a command: wiped when the last part of the request that holds them is dropped.
struct Wiped(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A task that does not outlive whoever waits for it.
struct Aborted(tokio::task::JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_their_defaults() {
        let read = |text: &str| text.parse::<Address>();
        let address = |is_encrypted, host: &str, port, path: &str| {
            Ok(Address { is_encrypted, host: host.into(), port, path: path.into() })
        };
        assert_eq!(read("https://tln.example/epp?x=1"), address(true, "tln.example", 443, "/epp?x=1"));
        assert_eq!(read("http://[::1]:8080"), address(false, "::1", 8_080, "/"));
        for wrong in ["", "tln.example", "ftp://x/", "https://", "http://user@x/", "http:///x"] {
            assert_eq!(read(wrong), Err(AddressError), "{wrong}");
        }
        assert!(read("http://127.0.0.1:1/").unwrap().is_local() && !read("http://10.0.0.1/").unwrap().is_local());
        assert_eq!(read("http://[::1]:8080").unwrap().authority(), "[::1]:8080");
    }
}
