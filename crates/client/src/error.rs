//! Why there is no answer.

use std::{error::Error as _, io, time::Duration};

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
    #[error("nothing came within {} ms{}", deadline.as_millis(), Failures(" (", failures, ")"))]
    Deadline {
        /// The deadline that passed.
        deadline: Duration,
        /// What each transport failed with until then; silent ones are not listed.
        failures: Vec<(Transport, Failure)>,
    },
    /// Every transport failed before the deadline.
    #[error("every transport failed{}", Failures(": ", failures, ""))]
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
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server closed before its answer was complete.
    #[error("the server closed before its answer was complete")]
    Closed,
    /// The server sent something that is no message.
    #[error("the server sent no message")]
    NotAMessage(#[source] DecodeError),
    /// The request does not fit datagrams.
    #[error("the request cannot be cut into datagrams")]
    Split(#[source] waymark_wire::frame::SplitError),
    /// The address cannot be connected to over QUIC.
    #[error(transparent)]
    QuicConnect(#[from] quinn::ConnectError),
    /// The QUIC connection failed, for instance because the certificate is not trusted.
    #[error(transparent)]
    QuicConnection(#[from] quinn::ConnectionError),
    /// Writing to a QUIC stream failed.
    #[error(transparent)]
    QuicWrite(#[from] quinn::WriteError),
    /// A QUIC datagram could not be sent.
    #[error(transparent)]
    QuicDatagram(#[from] quinn::SendDatagramError),
    /// The trust settings cannot be used for TLS.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// Failures with their causes in one line between two texts; nothing at all when there are none.
struct Failures<'a>(&'static str, &'a [(Transport, Failure)], &'static str);

impl std::fmt::Display for Failures<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(before, failures, after) = *self;
        if failures.is_empty() {
            return Ok(());
        }
        f.write_str(before)?;
        for (at, (transport, failure)) in failures.iter().enumerate() {
            let comma = if at == 0 { "" } else { "; " };
            write!(f, "{comma}{transport}: {failure}")?;
            let mut said = failure.to_string();
            let mut cause = failure.source();
            while let Some(error) = cause {
                // Some errors of other crates show their cause themselves.
                let text = error.to_string();
                if !said.ends_with(&text) {
                    write!(f, ": {text}")?;
                }
                said = text;
                cause = error.source();
            }
        }
        f.write_str(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_in_one_line_what_each_transport_failed_with() {
        let failures =
            || vec![(Transport::Udp, Failure::Closed), (Transport::Tcp, Failure::Io(io::ErrorKind::TimedOut.into()))];
        assert_eq!(
            AskError::Failed { failures: failures() }.to_string(),
            "every transport failed: udp: the server closed before its answer was complete; tcp: timed out",
        );
        let garbage = Failure::NotAMessage(DecodeError::MessageTooShort { length: 3 });
        let cause = DecodeError::MessageTooShort { length: 3 }.to_string();
        assert_eq!(
            AskError::Failed { failures: vec![(Transport::Tcp, garbage)] }.to_string(),
            format!("every transport failed: tcp: the server sent no message: {cause}"),
        );
        let deadline = Duration::from_millis(1_500);
        let silent = AskError::Deadline { deadline, failures: Vec::new() };
        assert_eq!(silent.to_string(), "nothing came within 1500 ms");
        let failed = AskError::Deadline { deadline, failures: failures() };
        assert!(
            failed.to_string().starts_with("nothing came within 1500 ms (udp: ") && failed.to_string().ends_with(')')
        );
    }
}
