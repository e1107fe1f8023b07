//! A failure as a value: a [`Reason`], what fills in its texts, and what a caller needs to go on. Turned into a gRPC status, a refusal of one
//! item, or an HTTP problem at the last moment, when the language is known.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use prost_types::Timestamp as ProtoTime;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};
use waymark_api::registration::v1;
use waymark_catalog::link::LINK_TYPE;
use waymark_catalog::template::FieldProblem;
use waymark_catalog::{ContentHash, FetchError, Refusal, RefusalCode, Serial, SubmitError, Timestamp, WriteError};

use crate::config::VIOLATIONS;
use crate::reasons::{Language, Reason, Text, word};

/// Something that was not carried out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    reason: Reason,
    facts: Box<Facts>,
}

/// What is to be said beside the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Facts {
    /// Values of the texts' slots; programs find them in the metadata of the error.
    values: Vec<(&'static str, String)>,
    violations: Vec<Violation>,
    current: Option<(Serial, Option<ContentHash>)>,
    retry: Option<Retry>,
    /// The one of several identifiers it is about.
    child: Option<String>,
}

/// A field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path within the message: `create.values[3].type`.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

/// When to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) after: Duration,
    pub(crate) at: Timestamp,
}

/// Names this service in the details of its errors.
pub const DOMAIN: &str = "waymark";

/// Names the remedy alone in the metadata of an error, in the language asked for; the localized message says cause and remedy in one text.
pub const REMEDY: &str = "remedy";

impl Failure {
    /// A failure without values.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        Self { reason, facts: Box::default() }
    }

    /// Stored data that cannot be read; `place` says which.
    #[must_use]
    pub(crate) fn unreadable(place: impl fmt::Display) -> Self {
        Self::new(Reason::Unreadable).with("place", place)
    }

    /// Fills in a value of the texts.
    #[must_use]
    pub(crate) fn with(mut self, slot: &'static str, value: impl fmt::Display) -> Self {
        self.facts.values.push((slot, value.to_string()));
        self
    }

    /// Says of something that is not there what it is: to the writer all of it is identifiers.
    #[must_use]
    pub(crate) fn about(self, what: &str) -> Self {
        if self.reason == Reason::NotFound { Self::new(Reason::NotFound).with("what", what) } else { self }
    }

    /// Says which of several identifiers it is about.
    #[must_use]
    fn of_child(mut self, child: String) -> Self {
        self.facts.child = Some(child);
        self
    }

    /// Says when to come back.
    #[must_use]
    pub(crate) fn retry(mut self, retry: Retry) -> Self {
        self.facts.retry = Some(retry);
        self
    }

    /// Says which fields are wrong; violations beyond [`VIOLATIONS`] are not listed.
    #[must_use]
    fn violating(mut self, violations: impl IntoIterator<Item = Violation>) -> Self {
        self.facts.violations = violations.into_iter().take(VIOLATIONS).collect();
        self
    }

    /// Says what the identifier is at.
    #[must_use]
    fn found(mut self, serial: Serial, content: Option<ContentHash>) -> Self {
        self.facts.current = Some((serial, content));
        self
    }

    /// A request whose fields are wrong; violations beyond [`VIOLATIONS`] are counted, not listed.
    #[must_use]
    pub(crate) fn invalid(mut violations: Vec<Violation>) -> Self {
        let more = violations.len().saturating_sub(VIOLATIONS);
        violations.truncate(VIOLATIONS);
        let mut detail = violations.first().map(|v| format!("{} {}", v.field, v.description)).unwrap_or_default();
        if more > 0 {
            detail = format!("{detail} (and {more} fields that are not listed)");
        }
        let mut failure = Self::new(Reason::InvalidArgument).with("detail", detail);
        failure.facts.violations = violations;
        failure
    }

    /// A request of which one field is wrong.
    #[must_use]
    pub(crate) fn invalid_field(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::invalid(vec![Violation { field: field.into(), description: description.into() }])
    }

    /// The same without the content of the identifier as it is, for callers who may not know it.
    #[must_use]
    pub(crate) fn without_content(mut self) -> Self {
        if let Some((_, content)) = &mut self.facts.current {
            *content = None;
        }
        self
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// Fields that are wrong.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.facts.violations
    }

    /// Values for programs: those of the texts, and the state that contradicted the request.
    pub(crate) fn metadata(&self) -> HashMap<String, String> {
        let mut all: HashMap<_, _> = self.facts.values.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        if let Some((serial, content)) = self.facts.current {
            all.insert("current_serial".to_owned(), serial.0.to_string());
            if let Some(content) = content {
                all.insert("current_content_hash".to_owned(), content.to_string());
            }
        }
        if let Some(child) = &self.facts.child {
            all.insert("child".to_owned(), child.clone());
        }
        if let Some(retry) = self.facts.retry {
            all.insert("retry_at_ms".to_owned(), retry.at.0.to_string());
        }
        all
    }

    /// When to come back, if that is known.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.facts.retry.map(|retry| retry.after)
    }

    /// What is wrong.
    #[must_use]
    pub fn cause(&self, language: Language) -> String {
        let cause = self.fill(self.reason.row().cause, language);
        match (&self.facts.child, language) {
            (None, _) => cause,
            (Some(child), Language::English) => format!("{child}: {cause}"),
            (Some(child), Language::Chinese) => format!("{child}：{cause}"),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self, language: Language) -> String {
        self.fill(self.reason.row().remedy, language)
    }

    fn fill(&self, text: Text, language: Language) -> String {
        let mut filled = text.of(language).to_owned();
        for (slot, value) in &self.facts.values {
            filled = filled.replace(&format!("{{{slot}}}"), word(slot, value, language));
        }
        without_slots(filled)
    }

    /// As the end of a call.
    #[must_use]
    pub fn status(&self, language: Language) -> Status {
        let row = self.reason.row();
        let (cause, remedy) = (self.cause(language), self.remedy(language));
        let mut metadata = self.metadata();
        metadata.insert(REMEDY.to_owned(), remedy.clone());
        let mut details = ErrorDetails::with_error_info(row.name, DOMAIN, metadata);
        for violation in &self.facts.violations {
            details.add_bad_request_violation(violation.field.clone(), violation.description.clone());
        }
        if let Some(retry) = self.facts.retry {
            details.set_retry_info(Some(retry.after));
        }
        details.set_localized_message(language.tag(), sentence(language, &cause, &remedy));
        Status::with_error_details(row.code, self.cause(Language::English), details)
    }

    /// As the outcome of one item of a stream.
    #[must_use]
    pub fn refusal(&self, language: Language) -> v1::Refusal {
        let row = self.reason.row();
        let violations = self.facts.violations.iter();
        v1::Refusal {
            code: row.code.into(),
            reason: row.name.to_owned(),
            cause: self.cause(language),
            remedy: self.remedy(language),
            violations: violations
                .map(|v| v1::FieldViolation { field: v.field.clone(), description: v.description.clone() })
                .collect(),
            current_serial: self.facts.current.map_or(0, |(serial, _)| serial.0),
            current_content_hash: self
                .facts
                .current
                .and_then(|(_, content)| content)
                .map_or_else(Vec::new, |c| c.0.to_vec()),
            retry_at: self.facts.retry.map(|retry| proto_time(retry.at)),
        }
    }
}

/// A text whose values are not known any more, as those of refusals told again, has an ellipsis in their place.
fn without_slots(mut text: String) -> String {
    while let Some((start, end)) = text.find('{').and_then(|start| Some((start, start + text.get(start..)?.find('}')?)))
    {
        let slot = text.get(start + 1..end).unwrap_or_default();
        if !slot.bytes().all(|b| b.is_ascii_lowercase()) {
            break;
        }
        text.replace_range(start..=end, "…");
    }
    text
}

/// A field of a template that is wrong: by index and type, and the stable name of what is wrong with it.
fn violation(problem: &FieldProblem) -> Violation {
    let FieldProblem { index, kind, what, .. } = problem;
    Violation { field: format!("from_template.fields[{index} {kind}]"), description: what.as_str().to_owned() }
}

/// Cause and remedy as one text for people.
fn sentence(language: Language, cause: &str, remedy: &str) -> String {
    match language {
        Language::English => format!("{cause}; {remedy}"),
        Language::Chinese => format!("{cause}。{remedy}。"),
    }
}

/// A time as protobuf has it.
pub(crate) fn proto_time(time: Timestamp) -> ProtoTime {
    let (seconds, millis) = (time.0 / 1000, time.0 % 1000);
    ProtoTime {
        seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        nanos: i32::try_from(millis).unwrap_or(0) * 1_000_000,
    }
}

impl Failure {
    /// A refusal of the writer, at `now`.
    #[must_use]
    pub(crate) fn of_refusal(refusal: &Refusal, now: Timestamp) -> Self {
        let new = Self::new;
        match refusal {
            Refusal::AlreadyExists { same_content, serial } => {
                let reason = if *same_content { Reason::AlreadyExistsSame } else { Reason::AlreadyExistsDifferent };
                new(reason).with("serial", serial.0).found(*serial, None)
            }
            Refusal::NotFound => new(Reason::NotFound).with("what", "identifier"),
            Refusal::NotServed { prefix } => new(Reason::NotServed).with("prefix", String::from_utf8_lossy(prefix)),
            Refusal::UnwantedHandle { .. } => new(Reason::InvalidHandle).with("detail", refusal),
            Refusal::InvalidHandle(error) => new(Reason::InvalidHandle).with("detail", error),
            Refusal::IndexConflict { index } => new(Reason::IndexConflict).with("index", index),
            Refusal::ValuesNotFound { index } => new(Reason::ValuesNotFound).with("index", index),
            Refusal::InvalidValue(error) => new(Reason::InvalidValue).with("detail", error),
            Refusal::ReadOnlyValue { index } => new(Reason::ReadOnlyValue).with("index", index),
            Refusal::TooManyValues { count, limit } => {
                new(Reason::TooManyValues).with("count", count).with("limit", limit)
            }
            Refusal::RecordTooLarge { bytes, limit } => {
                new(Reason::RecordTooLarge).with("count", bytes).with("limit", limit)
            }
            Refusal::TooLarge { bytes, limit } => new(Reason::TooLarge).with("count", bytes).with("limit", limit),
            Refusal::MarkMoved { found } => new(Reason::StreamMoved).with("mark", found),
            Refusal::Unexpected { serial, content } => {
                new(Reason::Unexpected).with("serial", serial.0).found(*serial, *content)
            }
            Refusal::Withdrawn { revoked } => {
                new(Reason::Withdrawn).with("state", if *revoked { "revoked" } else { "suspended" })
            }
            Refusal::RequestReused => new(Reason::RequestReused),
            Refusal::RequestExpired => new(Reason::IdempotencyExpired),
            Refusal::RequestFromFuture => new(Reason::RequestFromFuture),
            Refusal::QuotaExceeded { quota, until } => {
                let after = Duration::from_millis(until.0.saturating_sub(now.0));
                new(Reason::QuotaExceeded).with("quota", quota).retry(Retry { after, at: *until })
            }
            Refusal::InvalidAccess { field, problem } => {
                new(Reason::InvalidAccess).with("field", field).with("detail", problem)
            }
            Refusal::InvalidRange { field, problem } => {
                new(Reason::InvalidPackage).with("field", field).with("detail", problem)
            }
            Refusal::RangeOverlaps { range } => new(Reason::PackageOverlaps).with("package", range),
            Refusal::RangeHoldsHandle { handle } => {
                new(Reason::PackageHoldsIdentifier).with("handle", String::from_utf8_lossy(handle))
            }
            Refusal::AlreadyExported { span, by, time, times } => new(Reason::RollAlreadyExported)
                .with("serials", span)
                .with("by", by)
                .with("time", proto_time(*time))
                .with("times", times),
            Refusal::CodesNotUsable { range, span, state } => {
                new(Reason::CodesNotUsable).with("package", range).with("serials", span).with("state", state.as_str())
            }
            Refusal::CodesLeased { range, span, station } => {
                new(Reason::CodesLeased).with("package", range).with("serials", span).with("station", station)
            }
            Refusal::TooFewCodes { free } => new(Reason::TooFewCodes).with("free", free),
            Refusal::NotReconciled { leased, told } => {
                new(Reason::NotReconciled).with("serials", leased).with("count", told)
            }
            Refusal::NeverIssued => new(Reason::NeverIssued),
            Refusal::InvalidTemplate { field, index, problem } => {
                let field = if *index == 0 { (*field).to_owned() } else { format!("columns[{index}].{field}") };
                let violation = Violation { field: field.clone(), description: (*problem).to_owned() };
                new(Reason::InvalidTemplate).with("field", field).with("detail", problem).violating([violation])
            }
            Refusal::TemplateNotFound { template } => new(Reason::TemplateNotFound).with("template", template),
            Refusal::TemplatePublished { template } => new(Reason::TemplatePublished).with("template", template),
            Refusal::TemplateNotPublished { template } => new(Reason::TemplateNotPublished).with("template", template),
            Refusal::FieldsWrong { template, problems } => {
                let first = problems.first().map(ToString::to_string).unwrap_or_default();
                let failure = new(Reason::FieldsWrong).with("template", template);
                failure.with("count", problems.len()).with("detail", first).violating(problems.iter().map(violation))
            }
            Refusal::TemplateHandleTaken { template } => new(Reason::TemplateHandleTaken).with("template", template),
            Refusal::TemplateRecord => new(Reason::TemplateRecord),
            Refusal::InvalidBusiness { field, problem } => {
                new(Reason::InvalidBusiness).with("field", field).with("detail", problem)
            }
            Refusal::InvalidLink { index, problem } => {
                let violation =
                    Violation { field: format!("values[{index} {LINK_TYPE}]"), description: problem.to_string() };
                new(Reason::InvalidLink).with("index", index).with("detail", problem).violating([violation])
            }
            Refusal::InvalidAggregation { field, problem } => {
                let violation = Violation { field: (*field).to_owned(), description: problem.to_string() };
                new(Reason::InvalidAggregation).with("field", field).with("detail", problem).violating([violation])
            }
            Refusal::AlreadyAggregated { child, parent } => {
                new(Reason::AlreadyAggregated).with("child", String::from_utf8_lossy(child)).with("parent", parent)
            }
            Refusal::NotAggregated { child, parent } => {
                new(Reason::NotAggregated).with("child", String::from_utf8_lossy(child)).with("parent", parent)
            }
            Refusal::OfChild { child, refusal } => {
                Self::of_refusal(refusal, now).of_child(String::from_utf8_lossy(child).into_owned())
            }
            Refusal::DocumentTaken => new(Reason::DocumentTaken),
            Refusal::PrefixTaken => new(Reason::PrefixTaken),
            Refusal::WrongStep { state, step } => {
                new(Reason::WrongStep).with("state", state.as_str()).with("step", step.as_str())
            }
            Refusal::NotVerified { enterprise } => new(Reason::NotVerified).with("enterprise", enterprise),
            Refusal::Recalled => new(Reason::Recalled),
            Refusal::NotPermitted => new(Reason::NotPermitted),
            Refusal::Unreadable => Self::unreadable("the identifier as it is"),
            other => new(Reason::Internal).with("detail", other),
        }
    }
}

impl Failure {
    /// A refusal of which only the code is remembered.
    #[must_use]
    pub(crate) fn of_code(code: RefusalCode) -> Self {
        Self::new(match code {
            RefusalCode::AlreadyExistsSame => Reason::AlreadyExistsSame,
            RefusalCode::AlreadyExistsDifferent => Reason::AlreadyExistsDifferent,
            RefusalCode::NotFound => Reason::NotFound,
            RefusalCode::NotServed => Reason::NotServed,
            RefusalCode::InvalidHandle => Reason::InvalidHandle,
            RefusalCode::IndexConflict => Reason::IndexConflict,
            RefusalCode::ValuesNotFound => Reason::ValuesNotFound,
            RefusalCode::InvalidValue => Reason::InvalidValue,
            RefusalCode::ReadOnlyValue => Reason::ReadOnlyValue,
            RefusalCode::TooManyValues => Reason::TooManyValues,
            RefusalCode::RecordTooLarge => Reason::RecordTooLarge,
            RefusalCode::TooLarge => Reason::TooLarge,
            RefusalCode::MarkMoved => Reason::StreamMoved,
            RefusalCode::Unexpected => Reason::Unexpected,
            RefusalCode::Withdrawn => Reason::Withdrawn,
            RefusalCode::InvalidBusiness => Reason::InvalidBusiness,
            RefusalCode::DocumentTaken => Reason::DocumentTaken,
            RefusalCode::PrefixTaken => Reason::PrefixTaken,
            RefusalCode::WrongStep => Reason::WrongStep,
            RefusalCode::NotVerified => Reason::NotVerified,
            RefusalCode::Recalled => Reason::Recalled,
            RefusalCode::InvalidLink => Reason::InvalidLink,
            RefusalCode::InvalidAggregation => Reason::InvalidAggregation,
            RefusalCode::AlreadyAggregated => Reason::AlreadyAggregated,
            RefusalCode::NotAggregated => Reason::NotAggregated,
            RefusalCode::RequestReused => Reason::RequestReused,
            RefusalCode::RequestExpired => Reason::IdempotencyExpired,
            RefusalCode::RequestFromFuture => Reason::RequestFromFuture,
            RefusalCode::QuotaExceeded => Reason::QuotaExceeded,
            RefusalCode::InvalidAccess => Reason::InvalidAccess,
            RefusalCode::InvalidRange => Reason::InvalidPackage,
            RefusalCode::RangeOverlaps => Reason::PackageOverlaps,
            RefusalCode::RangeHoldsHandle => Reason::PackageHoldsIdentifier,
            RefusalCode::AlreadyExported => Reason::RollAlreadyExported,
            RefusalCode::CodesNotUsable => Reason::CodesNotUsable,
            RefusalCode::CodesLeased => Reason::CodesLeased,
            RefusalCode::TooFewCodes => Reason::TooFewCodes,
            RefusalCode::NotReconciled => Reason::NotReconciled,
            RefusalCode::NeverIssued => Reason::NeverIssued,
            RefusalCode::InvalidTemplate => Reason::InvalidTemplate,
            RefusalCode::TemplateNotFound => Reason::TemplateNotFound,
            RefusalCode::TemplatePublished => Reason::TemplatePublished,
            RefusalCode::TemplateNotPublished => Reason::TemplateNotPublished,
            RefusalCode::FieldsWrong => Reason::FieldsWrong,
            RefusalCode::TemplateHandleTaken => Reason::TemplateHandleTaken,
            RefusalCode::TemplateRecord => Reason::TemplateRecord,
            RefusalCode::NotPermitted => Reason::NotPermitted,
            RefusalCode::Unreadable => Reason::Unreadable,
            _ => Reason::Internal,
        })
    }
}

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::QueueFull => Self::new(Reason::Busy),
            SubmitError::TooLarge { .. } => Self::new(Reason::TooLarge),
            SubmitError::Stopped => Self::new(Reason::Stopping),
            other => Self::new(Reason::Internal).with("detail", other),
        }
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::DiskFull => Self::new(Reason::DiskFull),
            WriteError::Poisoned => Self::new(Reason::WritingStopped),
            WriteError::Io(_) => Self::new(Reason::WriteFailed),
            WriteError::Exhausted | WriteError::IndexFull => Self::new(Reason::StoreFull),
            WriteError::NotVisible => Self::new(Reason::StoredNotVisible),
            WriteError::TooLarge => Self::new(Reason::TooLarge),
            WriteError::Partly { error, .. } => (*error).into(),
            WriteError::Stopped => Self::new(Reason::Stopping),
            other => Self::new(Reason::Internal).with("detail", other),
        }
    }
}

impl From<FetchError> for Failure {
    fn from(_: FetchError) -> Self {
        // What the disk said is for the operator's log, not for callers.
        Self::unreadable("the identifiers there are")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_reason_fields_and_language() {
        let failure = Failure::invalid_field("create.values[3].type", "is empty");
        let status = failure.status(Language::Chinese);
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "INVALID_ARGUMENT");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "create.values[3].type");
        let message = details.localized_message().unwrap();
        assert_eq!(message.locale, "zh-CN");
        assert!(message.message.contains("create.values[3].type is empty"), "{}", message.message);
        assert!(status.message().starts_with("the request"), "{}", status.message());
        let remedy = &details.error_info().unwrap().metadata[REMEDY];
        assert_eq!(*remedy, failure.remedy(Language::Chinese), "the remedy stands alone too");
        assert!(message.message.contains(&**remedy), "{}", message.message);
    }

    #[test]
    fn a_chinese_text_has_no_english_words_of_ours_in_it() {
        let cause = |refusal: &Refusal| Failure::of_refusal(refusal, Timestamp(0)).cause(Language::Chinese);
        assert_eq!(cause(&Refusal::NotFound), "没有这样的对象：标识");
        assert_eq!(cause(&Refusal::Withdrawn { revoked: true }), "标识处于已吊销状态");
        let told = Failure::of_refusal(&Refusal::Withdrawn { revoked: false }, Timestamp(0));
        assert_eq!(told.metadata()["state"], "suspended", "programs read one language");
        assert_eq!(told.cause(Language::English), "the identifier is suspended");
    }

    #[test]
    fn what_stands_against_one_of_several_names_it_in_both_languages() {
        let refusal = Refusal::OfChild { child: b"88.1/x".as_slice().into(), refusal: Box::new(Refusal::NotFound) };
        let told = Failure::of_refusal(&refusal, Timestamp(0));
        assert_eq!((told.reason(), &*told.metadata()["child"]), (Reason::NotFound, "88.1/x"));
        assert_eq!(told.cause(Language::English), "88.1/x: there is no such identifier");
        assert_eq!(told.cause(Language::Chinese), "88.1/x：没有这样的对象：标识");
    }

    #[test]
    fn a_used_up_quota_says_when_to_come_back() {
        let refusal = Refusal::QuotaExceeded { quota: 7, until: Timestamp(90_000) };
        let failure = Failure::of_refusal(&refusal, Timestamp(30_000));
        let status = failure.status(Language::English);
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        let delay = status.get_error_details().retry_info().unwrap().retry_delay.unwrap();
        assert_eq!(delay, Duration::from_secs(60));
        assert_eq!(failure.refusal(Language::English).retry_at.unwrap().seconds, 90);
    }

    #[test]
    fn a_mismatch_shows_what_is() {
        let content = ContentHash([7; 32]);
        let refusal = Refusal::Unexpected { serial: Serial(5), content: Some(content) };
        let shown = Failure::of_refusal(&refusal, Timestamp(0)).refusal(Language::English);
        assert_eq!((shown.current_serial, shown.current_content_hash), (5, vec![7; 32]));
    }

    #[test]
    fn what_is_not_known_any_more_is_left_open() {
        let failure = Failure::of_code(RefusalCode::IndexConflict);
        assert!(failure.cause(Language::English).starts_with("a value of index … exists"));
        let braces = Failure::new(Reason::InvalidHandle).with("detail", "{\"a\":1}").cause(Language::English);
        assert!(braces.ends_with("{\"a\":1}"), "{braces}");
    }

    #[test]
    fn only_some_violations_are_listed() {
        let one = Violation { field: "f".into(), description: "is wrong".into() };
        let failure = Failure::invalid(vec![one; 1000]);
        assert_eq!(failure.violations().len(), VIOLATIONS);
        assert!(failure.cause(Language::English).contains("984 fields"));
    }
}
