//! The first start: an operator and its token, since no password comes with the program.

use std::io;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::access::{Principal, Role, Scope, Token, TokenId, TokenText};
use crate::actor::Actor;
use crate::catalog::Catalog;
use crate::command::{Command, Refusal, Submission};
use crate::config::{DAY_MS, FIRST_TOKEN_DAYS};
use crate::queue::{SubmitError, WriteError};

/// Name of the first operator.
pub const FIRST_OPERATOR: &str = "operator";

/// How long the first token lives unless told otherwise, see [`FIRST_TOKEN_DAYS`].
pub const FIRST_TOKEN_LIFETIME: Duration = Duration::from_millis(FIRST_TOKEN_DAYS.default * DAY_MS);

impl Catalog {
    /// Makes the principal `operator` and a token for it, unless there is a principal of that role; the token's id when it did.
    ///
    /// `keep` is given the text of the token and stores it where its reader finds it, and nobody else. That happens before the token works: a crash
    /// between the two leaves a text that opens nothing, and the next start makes another, rather than an operator whose token nobody has.
    ///
    /// An operator that has lost all tokens is given one by [`Token::new`] and [`Command::IssueToken`] as [`Actor::operator`].
    ///
    /// # Errors
    /// See [`FirstOperatorError`].
    pub fn first_operator_token(
        &self,
        lifetime: Duration,
        keep: impl FnOnce(&Zeroizing<String>) -> io::Result<()>,
    ) -> Result<Option<TokenId>, FirstOperatorError> {
        let access = self.access();
        if access.has_operator() {
            return Ok(None);
        }
        if access.principal(FIRST_OPERATOR).is_some() {
            return Err(FirstOperatorError::NameTaken);
        }
        let text = TokenText::generate().map_err(FirstOperatorError::Random)?;
        keep(&text.reveal()).map_err(FirstOperatorError::Keep)?;
        let principal = Principal {
            name: FIRST_OPERATOR.into(),
            role: Role::Operator,
            scope: Scope::All,
            disabled: false,
            rate_per_second: None,
            daily_quota: None,
            certificates: Vec::new(),
            note: "made at the first start".into(),
        };
        let token = Token { note: "first token".into(), ..Token::new(&text, FIRST_OPERATOR, self.now(), lifetime) };
        let commands = [Command::PutPrincipal { principal }, Command::IssueToken { token }];
        let results = self.writer().submit_when_room(Submission::new(&Actor::operator(), commands))?.wait()?;
        for result in results {
            result?;
        }
        Ok(Some(text.id()))
    }
}

/// Why there is no first operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FirstOperatorError {
    /// Another principal has the name.
    #[error("there is no operator, and principal operator has another role; give it that role, or remove it")]
    NameTaken,
    /// The system gives no random bytes.
    #[error("no random bytes for the token")]
    Random(#[source] getrandom::Error),
    /// The text of the token could not be kept; nothing was written.
    #[error("the token could not be kept")]
    Keep(#[source] io::Error),
    /// The writer did not take the commands.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The commands were not committed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// One of them was refused.
    #[error("the operator or its token was refused")]
    Refused(#[from] Refusal),
}
