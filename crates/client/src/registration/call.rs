//! One call with its repetitions, until there is an answer or the deadline.

use std::{error::Error, fmt, io, time::Duration};

use rustls::AlertDescription;
use tokio::time::{Instant, sleep};
use tonic::Status;
use uuid::Uuid;

use super::{endpoint::Retrying, server_error::ServerError};
use crate::config::{BACKOFF_FIRST, BACKOFF_MOST};

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
struct Chain<'a>(&'a Status);

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

/// What repeating a call may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Nothing: it reads, or doing it twice is the same as doing it once.
    Harmless,
    /// Nothing: the server knows the request again by this id.
    UnderId(Uuid),
    /// It would be done twice: repeated only when the server was not reached.
    Twice,
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

/// Waits that double, half of each drawn at random.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    /// Begins with [`BACKOFF_FIRST`].
    pub(crate) const fn new() -> Self {
        Self { next: BACKOFF_FIRST }
    }

    /// The next wait; at least what the server asked for.
    pub(crate) fn wait(&mut self, asked: Option<Duration>) -> Duration {
        let half = self.next / 2;
        let wait = half + half.mul_f64(rand::random::<f64>());
        self.next = (self.next * 2).min(BACKOFF_MOST);
        wait.max(asked.unwrap_or_default())
    }
}

/// The attempts of one call.
pub(crate) struct Attempts {
    started: Instant,
    ends: Instant,
    backoff: Backoff,
    made: u32,
    repeat: Repeat,
    /// An attempt left that has had no definite answer.
    may_be_done: bool,
    retrying: Option<Retrying>,
}

impl Attempts {
    /// Attempts within a deadline.
    pub(crate) fn new(deadline: Duration, repeat: Repeat) -> Self {
        let started = Instant::now();
        let (ends, backoff) = (started + deadline, Backoff::new());
        Self { started, ends, backoff, made: 0, repeat, may_be_done: false, retrying: None }
    }

    /// Tells of each failed attempt that is repeated.
    pub(crate) fn telling(self, retrying: Option<Retrying>) -> Self {
        Self { retrying, ..self }
    }

    /// The one attempt of a call that cannot be repeated here, because what it sends is used up.
    pub(crate) fn once(repeat: Repeat) -> Self {
        Self::new(Duration::ZERO, repeat)
    }

    /// Time for the next attempt.
    pub(crate) fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// Takes in a failed attempt: waits, or gives the error the call ends with.
    pub(crate) async fn after(&mut self, status: Status) -> Result<(), CallError> {
        let (wait, status, server_error) = self.judge(status)?;
        match wait {
            // A wait that would outlast the deadline is not begun: the caller can do something better with the time.
            Some(wait) if Instant::now() + wait < self.ends => {
                if let Some(tell) = &self.retrying {
                    tell(&Chain(&status).to_string(), self.left());
                }
                sleep(wait).await;
                Ok(())
            }
            _ => Err(self.end(status, server_error)),
        }
    }

    /// Takes in the failure of the last attempt.
    pub(crate) fn last(&mut self, status: Status) -> CallError {
        match self.judge(status) {
            Ok((_, status, server_error)) => self.end(status, server_error),
            Err(error) => error,
        }
    }

    /// Whether to make another attempt, and after which wait.
    fn judge(&mut self, status: Status) -> Result<(Option<Duration>, Status, Option<ServerError>), CallError> {
        self.made += 1;
        let server_error = ServerError::of_status(&status);
        let (again, asked) = match &server_error {
            Some(error) => {
                self.may_be_done = match self.repeat {
                    Repeat::Harmless => false,
                    _ => error.leaves_a_write_open() || (self.may_be_done && !error.settles_a_write()),
                };
                let again = error.is_passing() && (!self.may_be_done || self.repeat != Repeat::Twice);
                (again, error.retry_after)
            }
            None => match failed(&status) {
                Failed::Untrusted if !self.may_be_done => return Err(CallError::Untrusted { cause: Box::new(status) }),
                Failed::Untrusted => (false, None),
                Failed::NotSent => (true, None),
                Failed::Lost => {
                    self.may_be_done |= self.repeat != Repeat::Harmless;
                    (self.repeat != Repeat::Twice, None)
                }
            },
        };
        let wait = again.then(|| self.backoff.wait(asked));
        Ok((wait, status, server_error))
    }

    fn end(&self, status: Status, server_error: Option<ServerError>) -> CallError {
        let (waited, attempts, cause) = (self.started.elapsed(), self.made, Box::new(status));
        if self.may_be_done {
            let request_id = match self.repeat {
                Repeat::UnderId(id) => Some(id),
                _ => None,
            };
            return CallError::Unknown { request_id, cause, waited, attempts };
        }
        match server_error {
            Some(error) => CallError::Refused { error: Box::new(error), waited, attempts },
            None => CallError::Unreachable { cause, waited, attempts },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic::Code;
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    fn answered(code: Code) -> Status {
        let details = ErrorDetails::with_error_info("REASON", "waymark", HashMap::new());
        Status::with_error_details(code, "said", details)
    }

    fn lost() -> Status {
        Status::unknown("transport error")
    }

    /// What a call ends with that has these failures and then no time left.
    async fn ended(repeat: Repeat, failures: Vec<Status>) -> CallError {
        let mut attempts = Attempts::new(Duration::from_secs(60), repeat);
        let last = failures.len() - 1;
        for (at, status) in failures.into_iter().enumerate() {
            if at == last {
                attempts.ends = Instant::now();
            }
            if let Err(error) = attempts.after(status).await {
                return error;
            }
        }
        panic!("the deadline ends every call")
    }

    #[tokio::test]
    async fn a_lost_write_is_unknown_and_a_lost_question_is_not() {
        let id = Uuid::now_v7();
        let error = ended(Repeat::UnderId(id), vec![lost(), lost()]).await;
        assert!(matches!(error, CallError::Unknown { request_id: Some(of), attempts: 2, .. } if of == id), "{error:?}");
        let error = ended(Repeat::Harmless, vec![lost(), lost()]).await;
        assert!(matches!(error, CallError::Unreachable { attempts: 2, .. }), "{error:?}");
        let error = ended(Repeat::Twice, vec![lost(), lost()]).await;
        assert!(matches!(error, CallError::Unknown { request_id: None, attempts: 1, .. }), "not repeated: {error:?}");
    }

    #[tokio::test]
    async fn a_decision_settles_what_was_lost_before_and_a_refusal_at_the_door_does_not() {
        let id = Uuid::now_v7();
        let error = ended(Repeat::UnderId(id), vec![lost(), answered(Code::AlreadyExists)]).await;
        assert!(matches!(error, CallError::Refused { attempts: 2, .. }), "{error:?}");
        let error = ended(Repeat::UnderId(id), vec![lost(), answered(Code::Unauthenticated)]).await;
        assert!(matches!(error, CallError::Unknown { .. }), "{error:?}");
        let error = ended(Repeat::UnderId(id), vec![answered(Code::Unavailable)]).await;
        assert!(matches!(error, CallError::Refused { .. }), "a busy node took nothing: {error:?}");
    }

    #[tokio::test]
    async fn a_write_of_a_server_that_stopped_writing_is_unknown() {
        let id = Uuid::now_v7();
        let said = |code, reason| {
            let details = ErrorDetails::with_error_info(reason, "waymark", HashMap::new());
            Status::with_error_details(code, "said", details)
        };
        for reason in ["WRITING_STOPPED", "STORED_NOT_VISIBLE"] {
            let error = ended(Repeat::UnderId(id), vec![said(Code::Unavailable, reason)]).await;
            assert!(matches!(error, CallError::Unknown { request_id: Some(of), .. } if of == id), "{error:?}");
        }
        // Nothing of the attempt that is answered so was written.
        let full = said(Code::ResourceExhausted, "STORE_FULL");
        let error = ended(Repeat::UnderId(id), vec![full.clone()]).await;
        assert!(matches!(error, CallError::Refused { .. }), "{error:?}");
        let error = ended(Repeat::UnderId(id), vec![lost(), full]).await;
        assert!(matches!(error, CallError::Unknown { .. }), "of the one before it says nothing: {error:?}");
    }

    #[tokio::test]
    async fn who_waits_is_told_why() {
        let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let telling = std::sync::Arc::clone(&told);
        let retrying: Retrying =
            std::sync::Arc::new(move |cause: &str, _| telling.lock().unwrap().push(cause.to_owned()));
        let mut attempts = Attempts::new(Duration::from_secs(60), Repeat::Harmless).telling(Some(retrying));
        attempts.after(lost()).await.unwrap();
        attempts.after(answered(Code::NotFound)).await.unwrap_err();
        assert_eq!(*told.lock().unwrap(), ["transport error"], "an end is no wait");
    }

    #[tokio::test]
    async fn a_refusal_is_not_asked_again() {
        let error = ended(Repeat::Harmless, vec![answered(Code::NotFound), lost()]).await;
        assert_eq!(error.to_string(), "REASON: said");
    }

    #[tokio::test]
    async fn an_error_says_how_long_was_waited() {
        let error = ended(Repeat::Harmless, vec![lost(), lost(), lost()]).await;
        assert!(error.to_string().contains("after 3 attempts in 0."), "{error}");
    }

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

    #[test]
    fn waits_grow_to_a_limit_and_never_fall_below_what_was_asked() {
        let mut backoff = Backoff::new();
        let mut before = Duration::ZERO;
        for _ in 0..20 {
            let wait = backoff.wait(None);
            assert!(wait >= before / 4 && wait <= BACKOFF_MOST);
            before = wait;
        }
        assert!(before >= BACKOFF_MOST / 2);
        assert_eq!(Backoff::new().wait(Some(Duration::from_secs(99))), Duration::from_secs(99));
    }
}
