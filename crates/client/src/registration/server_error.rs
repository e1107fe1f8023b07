//! What a registration server said when it did not do what it was asked.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use waymark_api::registration::v1;

/// An answer that is a failure: machine-readable reason, and cause and remedy in the language asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    /// gRPC code.
    pub code: Code,
    /// Stable name, such as `ALREADY_EXISTS_DIFFERENT`.
    pub reason: String,
    /// What is wrong.
    pub cause: String,
    /// What to do about it; empty where the server did not say it apart from the cause.
    pub remedy: String,
    /// Fields that are wrong: path and what is wrong with it.
    pub violations: Vec<(String, String)>,
    /// Wait before asking again, as the server counts it.
    pub retry_after: Option<Duration>,
    /// When to come back.
    pub retry_at: Option<SystemTime>,
    /// Serial of the identifier as it is, where that contradicted the request.
    pub current_serial: Option<u64>,
}

impl ServerError {
    /// Reads the end of a call; `None` when it was not the server's program that ended it, but something on the way.
    #[must_use]
    pub fn of_status(status: &Status) -> Option<Self> {
        let details = status.get_error_details();
        let Some(info) = details.error_info() else { return Self::of_library(status) };
        let said = |name: &str| info.metadata.get(name);
        let text = details.localized_message().map_or_else(|| status.message(), |message| message.message.as_str());
        let remedy = said(REMEDY).map(String::as_str).unwrap_or_default();
        let cause = without_remedy(text, remedy);
        let violations = details.bad_request().map(|request| request.field_violations.as_slice()).unwrap_or_default();
        Some(Self {
            code: status.code(),
            reason: info.reason.clone(),
            cause: cause.to_owned(),
            remedy: remedy.to_owned(),
            violations: violations.iter().map(|each| (each.field.clone(), each.description.clone())).collect(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            retry_at: said("retry_at_ms").and_then(|text| text.parse().ok()).map(|ms| {
                SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms)).unwrap_or(SystemTime::UNIX_EPOCH)
            }),
            current_serial: said("current_serial").and_then(|text| text.parse().ok()),
        })
    }

    /// Answers the server's gRPC library gives by itself: a method it does not have, a message it does not take.
    fn of_library(status: &Status) -> Option<Self> {
        let reason = match status.code() {
            Code::Unimplemented => "UNIMPLEMENTED",
            Code::InvalidArgument => "INVALID_ARGUMENT",
            Code::OutOfRange => "OUT_OF_RANGE",
            Code::NotFound => "NOT_FOUND",
            Code::Unauthenticated => "UNAUTHENTICATED",
            Code::PermissionDenied => "PERMISSION_DENIED",
            _ => return None,
        };
        // What has a source came about on this side.
        std::error::Error::source(status).is_none().then(|| Self {
            code: status.code(),
            reason: reason.to_owned(),
            cause: status.message().to_owned(),
            remedy: String::new(),
            violations: Vec::new(),
            retry_after: None,
            retry_at: None,
            current_serial: None,
        })
    }

    /// Reads what became of one item of a stream.
    #[must_use]
    pub fn of_refusal(refusal: v1::Refusal) -> Self {
        let violations = refusal.violations.into_iter();
        Self {
            code: Code::from_i32(refusal.code),
            reason: refusal.reason,
            cause: refusal.cause,
            remedy: refusal.remedy,
            violations: violations.map(|each| (each.field, each.description)).collect(),
            retry_after: None,
            retry_at: refusal.retry_at.and_then(|time| SystemTime::try_from(time).ok()),
            current_serial: Some(refusal.current_serial).filter(|serial| *serial != 0),
        }
    }

    /// Whether the same request may be answered otherwise after a while, without anybody doing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self.code {
            Code::Unavailable | Code::Aborted => true,
            Code::ResourceExhausted => self.retry_after.is_some(),
            _ => false,
        }
    }

    /// Whether it says for sure that the write was not made, by this attempt or one before under the same request id.
    ///
    /// A refusal of the edge (rates, credentials, an expired id) says nothing of attempts before it.
    pub(crate) fn settles_a_write(&self) -> bool {
        let decided = matches!(
            self.code,
            Code::InvalidArgument | Code::NotFound | Code::AlreadyExists | Code::FailedPrecondition | Code::OutOfRange
        );
        decided && self.reason != IDEMPOTENCY_EXPIRED
    }

    /// Whether the server does not know itself whether the write was made.
    pub(crate) fn leaves_a_write_open(&self) -> bool {
        matches!(self.code, Code::DeadlineExceeded | Code::Unknown | Code::Internal | Code::Cancelled | Code::DataLoss)
            || OPEN_UNTIL_RESTART.contains(&&*self.reason)
    }
}

/// The cause alone, of a text that says cause and remedy.
fn without_remedy<'a>(text: &'a str, remedy: &str) -> &'a str {
    if remedy.is_empty() {
        return text;
    }
    let cause = text.rfind(remedy).and_then(|at| text.get(..at));
    cause.map_or(text, |cause| cause.trim_end_matches(['。', ';', ' ']))
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.cause)?;
        for (field, description) in &self.violations {
            write!(f, "; {field}: {description}")?;
        }
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

impl std::error::Error for ServerError {}

/// Reasons of a server that stopped writing while the write was under way: what is on its disk, and what became of what it says is stored, shows
/// when it is started anew.
const OPEN_UNTIL_RESTART: [&str; 2] = ["WRITING_STOPPED", "STORED_NOT_VISIBLE"];

/// Name of the remedy in the metadata of an error.
const REMEDY: &str = "remedy";

/// Reason of a request id the server no longer remembers.
const IDEMPOTENCY_EXPIRED: &str = "IDEMPOTENCY_EXPIRED";

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    fn details(reason: &str, metadata: &[(&str, &str)]) -> ErrorDetails {
        let metadata: HashMap<_, _> = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        ErrorDetails::with_error_info(reason, "waymark", metadata)
    }

    #[test]
    fn reason_fields_and_times_are_read() {
        let mut details = details(
            "QUOTA_EXCEEDED",
            &[("retry_at_ms", "90000"), ("current_serial", "5"), ("remedy", "come back tomorrow")],
        );
        details.add_bad_request_violation("create.values[3].type", "is empty");
        details.set_retry_info(Some(Duration::from_secs(60)));
        details.set_localized_message("en", "the quota is used up; come back tomorrow");
        let status = Status::with_error_details(Code::ResourceExhausted, "the quota is used up", details);
        let error = ServerError::of_status(&status).unwrap();
        assert_eq!((error.cause.as_str(), error.remedy.as_str()), ("the quota is used up", "come back tomorrow"));
        assert_eq!(error.violations, [("create.values[3].type".to_owned(), "is empty".to_owned())]);
        assert_eq!(error.retry_after, Some(Duration::from_secs(60)));
        assert_eq!(error.retry_at, SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(90)));
        assert_eq!(error.current_serial, Some(5));
        assert_eq!(
            error.to_string(),
            "QUOTA_EXCEEDED: the quota is used up; create.values[3].type: is empty; come back tomorrow"
        );
    }

    #[test]
    fn cause_and_remedy_are_told_apart_in_every_language() {
        let error = |metadata: &[(&str, &str)]| {
            let mut details = details("NOT_FOUND", metadata);
            details.set_localized_message("zh-CN", "没有。这里。请检查。");
            ServerError::of_status(&Status::with_error_details(Code::NotFound, "there is none", details)).unwrap()
        };
        let told = error(&[("remedy", "请检查")]);
        assert_eq!((told.cause.as_str(), told.remedy.as_str()), ("没有。这里", "请检查"));
        // A server that does not say it apart.
        let told = error(&[]);
        assert_eq!((told.cause.as_str(), told.remedy.as_str()), ("没有。这里。请检查。", ""));
    }

    #[test]
    fn what_the_way_said_is_no_answer_of_the_server() {
        for status in [Status::unavailable("connection reset"), Status::unknown("transport error")] {
            assert_eq!(ServerError::of_status(&status), None);
        }
        let error = ServerError::of_status(&Status::unimplemented("no such method")).unwrap();
        assert_eq!(error.to_string(), "UNIMPLEMENTED: no such method");
    }

    #[test]
    fn only_passing_refusals_are_asked_again() {
        let error = |code, retry: Option<Duration>| {
            let mut details = details("R", &[]);
            details.set_retry_info(retry);
            ServerError::of_status(&Status::with_error_details(code, "", details)).unwrap()
        };
        assert!(error(Code::Unavailable, None).is_passing());
        assert!(error(Code::ResourceExhausted, Some(Duration::from_secs(1))).is_passing());
        assert!(!error(Code::ResourceExhausted, None).is_passing());
        for code in [Code::InvalidArgument, Code::AlreadyExists, Code::Unauthenticated, Code::PermissionDenied] {
            assert!(!error(code, None).is_passing(), "{code:?}");
        }
    }
}
