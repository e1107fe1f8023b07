//! One accepted connection: plain or TLS, counted, and cut when the door closes for good.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::Stopping;
use super::admission::Permit;
use crate::counters::{Counters, Event};

/// Who is at the other end, as the transport knows it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Its address.
    pub(crate) address: SocketAddr,
    /// SHA-256 of its certificate in DER form, verified by the handshake.
    pub(crate) certificate: Option<[u8; 32]>,
}

/// A connection. It ends itself when the door has waited long enough at its close.
pub(crate) struct Connection {
    stream: Stream,
    peer: Peer,
    cut: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    /// Until the first byte has come: when to give up waiting for it.
    first_byte: Option<Pin<Box<Sleep>>>,
    counters: Arc<Counters>,
    _permit: Permit,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    pub(crate) fn plain(
        stream: TcpStream,
        address: SocketAddr,
        stopping: Stopping,
        counters: Arc<Counters>,
        permit: Permit,
        patience: Duration,
    ) -> Self {
        let peer = Peer { address, certificate: None };
        Self {
            stream: Stream::Plain(stream),
            peer,
            cut: cut(stopping),
            first_byte: Some(Box::pin(sleep(patience))),
            counters,
            _permit: permit,
        }
    }

    pub(crate) fn tls(
        stream: TlsStream<TcpStream>,
        address: SocketAddr,
        stopping: Stopping,
        counters: Arc<Counters>,
        permit: Permit,
        patience: Duration,
    ) -> Self {
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first).map(|leaf| Sha256::digest(leaf).into());
        let peer = Peer { address, certificate };
        Self {
            stream: Stream::Tls(Box::new(stream)),
            peer,
            cut: cut(stopping),
            first_byte: Some(Box::pin(sleep(patience))),
            counters,
            _permit: permit,
        }
    }

    /// Who is at the other end.
    pub(crate) const fn peer(&self) -> &Peer {
        &self.peer
    }
}

fn cut(mut stopping: Stopping) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
    Box::pin(async move { stopping.cut_off().await })
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.counters.add(Event::ConnectionsClosed, 1);
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let read = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        let Some(patience) = &mut this.first_byte else { return read };
        if read.is_ready() {
            this.first_byte = None;
            return read;
        }
        // The HTTP library would wait for ever for a connection that says nothing.
        match patience.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
