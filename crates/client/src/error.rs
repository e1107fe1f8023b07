//! Why there is no answer.

use std::{io, time::Duration};

use waymark_wire::DecodeError;

use crate::exchange::Transport;

/// Why a question got no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The request is no message (the caller's fault).
    #[error("the request is no message")]
    Request(#[source] DecodeError),
    /// The server has no address for any transport asked for (the caller's fault).
    #[error("the server has no address for the transports asked for")]
    NoTransport,
    /// Nothing answered in time; what each transport failed with is kept.
    #[error("no answer within {}", Seconds(*deadline))]
    Deadline {
        /// The deadline that passed.
        deadline: Duration,
        /// What each transport failed with until then; silent ones are not listed.
        failures: Vec<(Transport, Failure)>,
    },
    /// Every transport failed before the deadline.
    #[error("every transport failed: {}", Failures(failures))]
    Failed {
        /// What each transport failed with.
        failures: Vec<(Transport, Failure)>,
    },
}

/// Why one transport gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The system refused or lost the connection.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The server closed before its answer was complete.
    #[error("the server closed before its answer was complete")]
    Closed,
    /// The server sent something that is no message.
    #[error("the server sent no message: {0}")]
    NotAMessage(DecodeError),
    /// The request does not fit datagrams.
    #[error("the request cannot be cut into datagrams")]
    Split(#[source] waymark_wire::frame::SplitError),
    /// The address cannot be connected to over QUIC.
    #[error("{0}")]
    QuicConnect(#[from] quinn::ConnectError),
    /// The QUIC connection failed, for instance because the certificate is not trusted.
    #[error("{0}")]
    QuicConnection(#[from] quinn::ConnectionError),
    /// Writing to a QUIC stream failed.
    #[error("{0}")]
    QuicWrite(#[from] quinn::WriteError),
    /// Reading from a QUIC stream failed.
    #[error("{0}")]
    QuicRead(#[from] quinn::ReadExactError),
    /// A QUIC datagram could not be sent.
    #[error("{0}")]
    QuicDatagram(#[from] quinn::SendDatagramError),
    /// The trust settings cannot be used for TLS.
    #[error("{0}")]
    Tls(#[from] rustls::Error),
}

/// A duration for people.
struct Seconds(Duration);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ms", self.0.as_millis())
    }
}

/// Failures in one line.
struct Failures<'a>(&'a [(Transport, Failure)]);

impl std::fmt::Display for Failures<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (transport, failure)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "; " };
            write!(f, "{comma}{transport}: {failure}")?;
        }
        Ok(())
    }
}
