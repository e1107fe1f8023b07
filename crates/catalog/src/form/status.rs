//! The status of a record as JSON: `{"state":"suspended","since":1790000000,"reason":"recall"}`.

use serde::Serialize;
use serde_json::value::RawValue;

use super::cause::{Cause, FieldError, FieldResult};
use super::object::{number, object, text};
use crate::status::{Withdrawal, WithdrawalBuf};

const SUSPENDED: &str = "suspended";
const REVOKED: &str = "revoked";

/// A status as it is written.
#[derive(Serialize)]
pub(super) struct StatusOut<'a> {
    state: &'static str,
    since: u32,
    reason: &'a str,
}

impl<'a> StatusOut<'a> {
    pub(super) const fn new(status: &Withdrawal<'a>) -> Self {
        let state = if status.revoked { REVOKED } else { SUSPENDED };
        Self { state, since: status.since_seconds, reason: status.reason }
    }
}

/// Reads a status.
pub(crate) fn status(raw: &RawValue) -> FieldResult<WithdrawalBuf> {
    let mut fields = object(raw)?;
    let revoked = fields.read("state", |raw| match text(raw)?.as_ref() {
        SUSPENDED => Ok(false),
        REVOKED => Ok(true),
        _ => Err(FieldError::new("", Cause::WrongKind { expected: "\"suspended\" or \"revoked\"" })),
    })?;
    let since_seconds = fields.read_or("since", None, |raw| number(raw, 0, u32::MAX.into()).map(Some))?;
    let reason = fields.read_or("reason", String::new(), |raw| text(raw).map(Into::into))?;
    fields.finish()?;
    Ok(WithdrawalBuf { revoked, since_seconds, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> FieldResult<WithdrawalBuf> {
        status(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn what_is_written_reads_back() {
        for revoked in [false, true] {
            let status = Withdrawal { revoked, since_seconds: 1_790_000_000, reason: "召回 \"A\"" };
            let json = serde_json::to_string(&StatusOut::new(&status)).unwrap();
            let expected =
                WithdrawalBuf { revoked, since_seconds: Some(status.since_seconds), reason: status.reason.into() };
            assert_eq!(read(&json).ok(), Some(expected));
        }
        let least = WithdrawalBuf { revoked: true, since_seconds: None, reason: String::new() };
        assert_eq!(read(r#"{"state":"revoked"}"#).ok(), Some(least));
    }

    #[test]
    fn errors_name_the_field() {
        let cases = [
            ("{}", "state", "missing"),
            (r#"{"state":"active"}"#, "state", "not \"suspended\" or \"revoked\""),
            (r#"{"state":"revoked","since":-1}"#, "since", "not between 0 and 4294967295"),
            (r#"{"state":"revoked","reason":1}"#, "reason", "not text"),
            (r#"{"state":"revoked","until":1}"#, "until", "unknown field"),
        ];
        for (json, field, cause) in cases {
            let error = read(json).unwrap_err();
            assert_eq!((error.field.as_str(), error.cause.to_string().as_str()), (field, cause), "{json}");
        }
    }
}
