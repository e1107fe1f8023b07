//! Why a call has no good end, and what a failure on the way means.

use std::{error::Error, fmt, io, time::Duration};

use rustls::AlertDescription;
use tonic::Status;
use uuid::Uuid;

use super::server_error::ServerError;

/// Why a call has no good end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The server answered: no. Nothing was written by this call.
    #[error("{error}{}", Waited(*waited, *attempts))]
    Refused {
        /// What it said.
        error: Box<ServerError>,
        /// Time from the first attempt to the last.
        waited: Duration,
        /// Attempts made.
        attempts: u32,
    },
    /// The server was not reached, or its answer to a question that changes nothing did not arrive.
    #[error("no answer: {}{}", Chain(cause), Waited(*waited, *attempts))]
    Unreachable {
        /// What the last attempt failed with.
        #[source]
        cause: Box<Status>,
        /// Time from the first attempt to the last.
        waited: Duration,
        /// Attempts made.
        attempts: u32,
    },
    /// One side does not believe the other's certificate.
    #[error("the connection was not trusted: {}", Chain(cause))]
    Untrusted {
        /// What TLS said.
        #[source]
        cause: Box<Status>,
    },
    /// The request may have been carried out or not.
    #[error("whether it was done is unknown: {}{}", Chain(cause), Waited(*waited, *attempts))]
    Unknown {
        /// Under which it can be asked again without being done twice; `None` where the call has no protection.
        request_id: Option<Uuid>,
        /// What the last attempt failed with.
        #[source]
        cause: Box<Status>,
        /// Time from the first attempt to the last.
        waited: Duration,
        /// Attempts made.
        attempts: u32,
    },
}

impl CallError {
    /// What it failed with, in one line: without what that means, and without how often it was tried.
    #[must_use]
    pub fn cause(&self) -> String {
        match self {
            Self::Refused { error, .. } => error.to_string(),
            Self::Untrusted { cause } => refused_certificate(cause).unwrap_or_else(|| Chain(cause).to_string()),
            Self::Unreachable { cause, .. } | Self::Unknown { cause, .. } => Chain(cause).to_string(),
        }
    }

    /// Attempts made, and the time from the first to the last.
    #[must_use]
    pub const fn attempts(&self) -> (u32, Duration) {
        match self {
            Self::Untrusted { .. } => (1, Duration::ZERO),
            Self::Refused { attempts, waited, .. }
            | Self::Unreachable { attempts, waited, .. }
            | Self::Unknown { attempts, waited, .. } => (*attempts, *waited),
        }
    }

    /// What the server said, when it answered.
    #[must_use]
    pub fn server_error(&self) -> Option<&ServerError> {
        match self {
            Self::Refused { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// How often, after `0` nothing.
struct Waited(Duration, u32);

impl fmt::Display for Waited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(waited, attempts) = *self;
        if attempts < 2 {
            return Ok(());
        }
        write!(f, " (after {attempts} attempts in {:.1} s)", waited.as_secs_f64())
    }
}

/// A status with what caused it, in one line.
pub(super) struct Chain<'a>(pub(super) &'a Status);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.0.message();
        let mut said = vec![if message.is_empty() { self.0.code().description() } else { message }.to_owned()];
        let mut cause = self.0.source();
        while let Some(error) = cause {
            // Some errors show their causes themselves.
            let text = error.to_string();
            if !said.iter().any(|earlier| earlier.contains(&text)) {
                said.push(text);
            }
            cause = error.source();
        }
        if said.len() > 1 {
            // Of the layer that only hands on.
            said.retain(|text| text != "transport error");
        }
        f.write_str(&said.join(": "))
    }
}

/// What a failed attempt means for the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// TLS did not come about because of what one side showed.
    Untrusted,
    /// The request did not leave.
    NotSent,
    /// The request left, or may have; no answer of the server's program came.
    Lost,
}

/// What a failure that is no answer of the server means.
pub(crate) fn failed(status: &Status) -> Failed {
    let mut cause = status.source();
    let mut is_connecting = false;
    while let Some(error) = cause {
        if is_distrust(error) {
            return Failed::Untrusted;
        }
        is_connecting |= error.is::<tonic::ConnectError>();
        cause = error.source();
    }
    if is_connecting { Failed::NotSent } else { Failed::Lost }
}

/// Why this side did not believe the other's certificate, where that is a reason of ours.
fn refused_certificate(status: &Status) -> Option<String> {
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(own))) = tls_error(error) {
            return Some(own.0.to_string());
        }
        cause = error.source();
    }
    None
}

fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.and_then(|inner| inner.downcast_ref::<rustls::Error>()).or_else(|| error.downcast_ref())
}

fn is_distrust(error: &(dyn Error + 'static)) -> bool {
    matches!(
        tls_error(error),
        Some(
            rustls::Error::InvalidCertificate(_)
                | rustls::Error::AlertReceived(_)
                | rustls::Error::NoCertificatesPresented
        )
    ) || says_distrust(&error.to_string())
}

/// Whether a failure is an alert about the certificate this side has shown. With TLS 1.3 it comes after the handshake is over for the client,
/// and the HTTP library keeps nothing of it but its text. A server that does not believe the client reads none of its requests.
fn says_distrust(text: &str) -> bool {
    CERTIFICATE_ALERTS.iter().any(|alert| text.ends_with(&rustls::Error::AlertReceived(*alert).to_string()))
}

/// Alerts that end a handshake because of a certificate or its signatures, and nothing else (RFC 8446 section 6.2).
const CERTIFICATE_ALERTS: [AlertDescription; 9] = [
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::AccessDenied,
    AlertDescription::CertificateRequired,
    AlertDescription::DecryptError,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let mut status = Status::unavailable("tcp connect error");
        let inner = io::Error::other(io::Error::other("Connection refused (os error 111)"));
        status.set_source(std::sync::Arc::new(inner));
        assert_eq!(Chain(&status).to_string(), "tcp connect error: Connection refused (os error 111)");
        assert_eq!(Chain(&Status::unknown("transport error")).to_string(), "transport error");
    }

    #[test]
    fn an_alert_about_a_certificate_is_told_from_others_by_its_text() {
        let said = |alert| says_distrust(&format!("connection error: {}", rustls::Error::AlertReceived(alert)));
        assert!(said(AlertDescription::UnknownCA) && said(AlertDescription::DecryptError));
        // These come in the middle of connections too.
        assert!(!said(AlertDescription::BadRecordMac) && !said(AlertDescription::InternalError));
        assert!(!says_distrust("stream closed because of a broken pipe"));
    }
}
