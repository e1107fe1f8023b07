//! The attempts of one call: which failures are repeated, after which wait, and what the call ends with.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::Status;
use uuid::Uuid;

use super::{
    call::{CallError, Chain, Failed, failed},
    endpoint::Retrying,
    server_error::ServerError,
};
use crate::config::{ATTEMPT_LEAST, BACKOFF_FIRST, BACKOFF_MOST};

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
            Some(wait) if self.is_worth(wait) => {
                if let Some(tell) = &self.retrying {
                    tell(&Chain(&status).to_string(), self.left());
                }
                sleep(wait).await;
                if self.is_worth(Duration::ZERO) { Ok(()) } else { Err(self.end(status, server_error)) }
            }
            _ => Err(self.end(status, server_error)),
        }
    }

    /// Whether an attempt after `wait` has the time to be answered.
    fn is_worth(&self, wait: Duration) -> bool {
        Instant::now() + wait + ATTEMPT_LEAST < self.ends
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
