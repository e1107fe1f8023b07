//! Answers of a registration server as a person or a program reads them: receipts, identifiers, refusals.

use serde_json::{Value, json};
use tonic::Code;
use uuid::Uuid;
use waymark_api::registration::v1;
use waymark_catalog::form::line;
use waymark_client::registration::{CallError, ServerError};

use super::form;
use crate::{
    cli::{
        Shown, present, resolve,
        terminal::{self, Tone, toned},
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// The problem a failed call is; with `json`, what the server said goes to standard output too.
pub(crate) fn problem(error: &CallError, json: bool) -> Problem {
    if json && let Some(said) = error.server_error() {
        terminal::line(json!({ "error": server_error_json(said) }));
    }
    let problem = match error {
        CallError::Refused { error: said, .. } => refused(said),
        CallError::Untrusted { .. } => Problem::new("server-untrusted", Exit::NoAnswer).with("cause", error.cause()),
        CallError::Unknown { request_id: Some(id), .. } => unknown(*id, &error.cause(), json),
        CallError::Unknown { .. } => Problem::new("outcome-unknown", Exit::Unknown).with("cause", error.cause()),
        _ => Problem::new("no-answer", Exit::NoAnswer)
            .with("cause", error.cause())
            .note(Problem::new("hint-address", Exit::NoAnswer)),
    };
    match error.attempts() {
        (0 | 1, _) => problem,
        (attempts, waited) => {
            let seconds = format!("{:.1}", waited.as_secs_f64());
            let tried = Problem::new("tried", problem.exit()).with("attempts", attempts).with("seconds", seconds);
            problem.note(tried)
        }
    }
}

/// The problem of a change that was or was not made; it can be asked about under its id.
pub(crate) fn unknown(id: Uuid, cause: &str, json: bool) -> Problem {
    if json {
        terminal::line(json!({ "outcome": "unknown", "request_id": id.to_string() }));
    }
    Problem::new("outcome-unknown-id", Exit::Unknown).with("cause", cause).with("id", id)
}

/// The problem a refusal is: its cause, and a line each for what to do and when.
fn refused(error: &ServerError) -> Problem {
    // The first is part of the cause already.
    let said = |field: &str, what: &str| error.cause.contains(&format!("{field} {what}"));
    let more = error.violations.iter().filter(|(field, what)| !said(field, what));
    let more = more.map(|(field, what)| format!("; {field}: {what}"));
    let cause: String = std::iter::once(error.cause.clone()).chain(more).collect();
    let exit = exit(error);
    let mut problem = Problem::new("server-refused", exit).with("reason", &error.reason).with("cause", cause);
    if !error.remedy.is_empty() {
        problem = problem.note(Problem::new("server-remedy", exit).with("remedy", &error.remedy));
    }
    if let Some(hint) = hint(&error.reason) {
        problem = problem.note(Problem::new(hint, exit));
    }
    if let Some(time) = error.retry_at {
        problem = problem.note(Problem::new("server-retry-at", exit).with("time", prost_types::Timestamp::from(time)));
    }
    problem
}

/// What to type, where a server can only say what to do.
pub(crate) fn hint(reason: &str) -> Option<&'static str> {
    match reason {
        "UNAUTHENTICATED" => Some("hint-credential"),
        "NOT_SERVED" => Some("hint-home"),
        _ => None,
    }
}

/// How a command ends whose call the server refused so.
pub(crate) fn exit(error: &ServerError) -> Exit {
    match error.code {
        Code::NotFound => Exit::Absent,
        Code::DataLoss => Exit::Damaged,
        _ => Exit::Refused,
    }
}

/// A refusal for programs.
pub(crate) fn server_error_json(error: &ServerError) -> Value {
    let violations = error.violations.iter();
    let violations: Vec<_> =
        violations.map(|(field, description)| json!({ "field": field, "description": description })).collect();
    let retry_at = error.retry_at.map(|time| prost_types::Timestamp::from(time).to_string());
    json!({
        "reason": error.reason, "cause": error.cause, "remedy": error.remedy, "violations": violations,
        "current_serial": error.current_serial, "retry_at": retry_at,
    })
}

/// The name of a value of an enumeration as people and programs see it: `OUTCOME_EXISTS_SAME` as `exists-same`.
pub(crate) fn name_of(constant: &str, lead: &str) -> String {
    constant.strip_prefix(lead).unwrap_or(constant).to_ascii_lowercase().replace('_', "-")
}

/// Shows the receipt of a change to `subject`.
pub(crate) fn show_receipt(subject: &str, receipt: &v1::Receipt, json: bool, texts: &Texts, shown: Shown) {
    let outcome = name_of(receipt.outcome().as_str_name(), "OUTCOME_");
    let time = time(receipt.time.as_ref());
    let hash = hex::encode(&receipt.content_hash);
    if json {
        terminal::line(json!({
            "subject": subject, "outcome": outcome, "serial": receipt.serial, "time": time, "content_hash": hash,
            "warnings": receipt.warnings, "repeated": receipt.repeated_request,
        }));
        return;
    }
    let said = texts.find(&format!("outcome-{outcome}"), &[]).unwrap_or(outcome);
    let said = toned(&said, Tone::Good, shown.colours);
    let serial = texts.text("at-serial", &[("serial", receipt.serial.to_string().into())]);
    terminal::line(format_args!("{}  {said}  {serial}  {time}", present::safe(subject)));
    if receipt.repeated_request {
        terminal::line(format_args!("  {}", texts.text("receipt-repeated", &[])));
    }
    for warning in &receipt.warnings {
        let said = texts.find(&format!("warning-{warning}"), &[]);
        terminal::line(format_args!("  {warning} {}", said.unwrap_or_default()));
    }
}

/// A time as the interface gives it; empty for none.
pub(crate) fn time(time: Option<&prost_types::Timestamp>) -> String {
    time.map(ToString::to_string).unwrap_or_default()
}

/// A request id as it is sent; empty for none.
pub(crate) fn text_of(request_id: Option<Uuid>) -> String {
    request_id.map_or_else(String::new, |id| id.to_string())
}

/// What the server answered is not what it should be.
pub(crate) fn unreadable(cause: impl std::fmt::Display) -> Problem {
    Problem::new("answer-unreadable", Exit::Failed).with("cause", cause)
}

/// Shows an identifier, or one version of it.
pub(crate) fn show_identifier(
    identifier: &v1::Identifier,
    json: bool,
    texts: &Texts,
    shown: Shown,
) -> Result<(), Problem> {
    let values = form::from_interface(&identifier.values).map_err(unreadable)?;
    if json {
        let line = line::write(&identifier.handle, values.values()).map_err(unreadable)?;
        terminal::line(with_facts(&line, &facts(identifier)));
        return Ok(());
    }
    let status = name_of(identifier.status().as_str_name(), "STATUS_");
    let tone = if identifier.status() == v1::Status::Active { Tone::Good } else { Tone::Bad };
    let status = toned(&texts.find(&format!("status-{status}-identifier"), &[]).unwrap_or(status), tone, shown.colours);
    let serial = texts.text("at-serial", &[("serial", identifier.serial.to_string().into())]);
    let actor = present::safe(&identifier.actor);
    let time = time(identifier.time.as_ref());
    terminal::line(
        format_args!("{}  {status}  {serial}  {time}  {actor}", present::safe(&identifier.handle))
            .to_string()
            .trim_end(),
    );
    if !identifier.status_reason.is_empty() {
        terminal::line(format_args!("  {}", present::safe(&identifier.status_reason)));
    }
    if !identifier.package.is_empty() {
        let package = [("package", present::safe(&identifier.package).to_string().into())];
        terminal::line(format_args!("  {}", texts.text("identifier-of-package", &package)));
    }
    values.values().iter().for_each(|value| resolve::show_value(&value));
    if identifier.withheld > 0 {
        let count = [("count", identifier.withheld.to_string().into())];
        terminal::line(format_args!("  {}", texts.text("values-withheld", &count)));
    }
    Ok(())
}

/// Shows where a node cannot read its data.
pub(crate) fn show_damage(damage: &v1::Damage, json: bool, texts: &Texts) {
    let v1::Damage { first_serial, last_serial, handle } = damage;
    if json {
        let handle = (!handle.is_empty()).then_some(handle);
        let (first, last) = (first_serial, last_serial);
        terminal::line(json!({ "event": "damaged", "first_serial": first, "last_serial": last, "handle": handle }));
        return;
    }
    let values = [
        ("first", first_serial.to_string().into()),
        ("last", last_serial.to_string().into()),
        ("handle", present::safe(handle).into()),
    ];
    terminal::remark(texts.text("feed-damaged", &values));
}

/// What is known of an identifier beside handle and values.
fn facts(identifier: &v1::Identifier) -> Value {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "serial": identifier.serial,
        "time": time(identifier.time.as_ref()),
        "content_hash": hex::encode(&identifier.content_hash),
        "state": name_of(identifier.status().as_str_name(), "STATUS_"),
        "state_reason": some(&identifier.status_reason),
        "actor": some(&identifier.actor),
        "withheld": identifier.withheld,
        "package": some(&identifier.package),
    })
}

/// The text of an object with the fields of another behind its own. Its own text stays as it is: JSON kept in values comes out to the byte.
fn with_facts(line: &str, facts: &Value) -> String {
    let own = line.strip_suffix('}').unwrap_or(line);
    let more = facts.to_string();
    format!("{own},{}", more.strip_prefix('{').unwrap_or(&more))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn names_lose_their_lead() {
        assert_eq!(name_of(v1::Outcome::ExistsSame.as_str_name(), "OUTCOME_"), "exists-same");
        assert_eq!(name_of(v1::Status::Active.as_str_name(), "STATUS_"), "active");
    }

    #[test]
    fn facts_stand_behind_an_untouched_record() {
        let line = r#"{"handle":"88.1/x","values":[{"data":{"format":"json","value":{"b":1, "a":2}}}]}"#;
        let text = with_facts(line, &json!({ "serial": 5 }));
        assert!(text.starts_with(line.strip_suffix('}').unwrap()), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["serial"], 5);
    }

    #[test]
    fn hints_are_said_in_both_languages() {
        for language in [Language::English, Language::Chinese] {
            let texts = Texts::new(language);
            for hint in ["UNAUTHENTICATED", "NOT_SERVED"].map(|reason| hint(reason).unwrap()) {
                assert!(texts.find(hint, &[]).is_some(), "{hint}");
            }
        }
        assert_eq!(hint("NOT_FOUND"), None);
    }

    #[test]
    fn a_field_that_is_wrong_is_named_once() {
        let violations =
            vec![("prefix".to_owned(), "is empty".to_owned()), ("handle".to_owned(), "is long".to_owned())];
        let status = tonic::Status::unimplemented("no");
        let error = ServerError::of_status(&status).unwrap();
        let error = ServerError { cause: "the request is wrong: prefix is empty".into(), violations, ..error };
        let told = refused(&error).render(&Texts::new(Language::English));
        assert!(told.ends_with("the request is wrong: prefix is empty; handle: is long"), "{told}");
    }

    #[test]
    fn exits_tell_absent_from_refused_from_unknown() {
        let status = tonic::Status::unimplemented("no");
        let error = ServerError::of_status(&status).unwrap();
        assert_eq!(exit(&error), Exit::Refused);
        assert_eq!(exit(&ServerError { code: Code::NotFound, ..error }), Exit::Absent);
    }
}
