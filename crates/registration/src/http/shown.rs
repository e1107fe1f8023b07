//! Answers as JSON. Values are in the form of `waymark_catalog::form`, times as RFC 3339 writes them, hashes in hexadecimal.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use waymark_api::registration::v1;
use waymark_catalog::ValueSet;
use waymark_catalog::form::line;

use super::Answer;
use super::problem;
use crate::convert::{Faults, value};
use crate::failure::Failure;
use crate::reasons::{Language, Reason};

/// A page of identifiers or versions.
#[derive(Serialize)]
pub(super) struct Page {
    identifiers: Vec<Identifier>,
    #[serde(skip_serializing_if = "String::is_empty")]
    next_page_token: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damaged: Vec<Damage>,
}

/// What could not be read on the way.
#[derive(Serialize)]
struct Damage {
    first_serial: u64,
    last_serial: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    handle: String,
}

impl Page {
    pub(super) fn of(
        identifiers: Vec<v1::Identifier>,
        next_page_token: String,
        with_values: bool,
    ) -> Result<Self, Failure> {
        let identifiers = identifiers.into_iter().map(|each| Identifier::of(each, with_values));
        Ok(Self { identifiers: identifiers.collect::<Result<_, _>>()?, next_page_token, damaged: Vec::new() })
    }

    /// The same with what could not be read.
    pub(super) fn with_damage(mut self, damaged: &[v1::Damage]) -> Self {
        let damage = |v1::Damage { first_serial, last_serial, handle }: &v1::Damage| Damage {
            first_serial: *first_serial,
            last_serial: *last_serial,
            handle: handle.clone(),
        };
        self.damaged.extend(damaged.iter().map(damage));
        self
    }
}

/// An identifier at one serial.
#[derive(Serialize)]
pub(crate) struct Identifier {
    handle: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Box<RawValue>>,
    serial: u64,
    time: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    content_hash: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    actor: String,
    #[serde(skip_serializing_if = "is_zero")]
    withheld: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    package: String,
}

/// Why an identifier is not resolved.
#[derive(Serialize)]
struct Status {
    state: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
}

impl Identifier {
    pub(crate) fn of(shown: v1::Identifier, with_values: bool) -> Result<Self, Failure> {
        let state = match shown.status() {
            v1::Status::Active | v1::Status::Unspecified => None,
            v1::Status::Suspended => Some("suspended"),
            v1::Status::Revoked => Some("revoked"),
            v1::Status::Deleted => Some("deleted"),
        };
        let values = if with_values { Some(values(&shown.handle, shown.values)?) } else { None };
        Ok(Self {
            status: state.map(|state| Status { state, reason: shown.status_reason }),
            values,
            handle: shown.handle,
            serial: shown.serial,
            time: shown.time.map(|time| time.to_string()),
            content_hash: hex::encode(shown.content_hash),
            actor: shown.actor,
            withheld: shown.withheld,
            package: shown.package,
        })
    }
}

/// Values by the one writer of that form, which writes them within a record.
fn values(handle: &str, values: Vec<v1::Value>) -> Result<Box<RawValue>, Failure> {
    #[derive(Deserialize)]
    struct Line {
        values: Box<RawValue>,
    }
    let unreadable = || Failure::unreadable("a value of the identifier");
    // What was shown reads back without faults.
    let mut faults = Faults::default();
    let values: Vec<_> = values.into_iter().map(|each| value::read(each, "", &mut faults)).collect();
    let set = ValueSet::from_bufs(&values).map_err(|_| unreadable())?;
    let record = line::write(handle, set.values()).map_err(|_| unreadable())?;
    serde_json::from_str::<Line>(&record).map(|line| line.values).map_err(|_| unreadable())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Verdicts, in the order of their codes.
#[derive(Serialize)]
pub(crate) struct Judged {
    judgements: Vec<Judgement>,
}

/// One of them.
#[derive(Serialize)]
struct Judgement {
    code: String,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
    sale: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    since: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    batch: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    expiry: String,
    as_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
}

impl Judged {
    pub(crate) fn of(codes: Vec<String>, judged: v1::JudgeResponse) -> Self {
        Self { judgements: codes.into_iter().zip(judged.judgements).map(Judgement::of).collect() }
    }
}

impl Judgement {
    fn of((code, told): (String, v1::Judgement)) -> Self {
        let (detail, source) = (told.detail(), told.source());
        let known = detail != v1::VerdictDetail::Unspecified;
        let name = |name: &'static str, front: &str| name.strip_prefix(front).unwrap_or(name);
        Self {
            code,
            verdict: name(told.verdict().as_str_name(), "VERDICT_"),
            detail: known.then(|| name(detail.as_str_name(), "VERDICT_DETAIL_")),
            sale: name(told.sale().as_str_name(), "SALE_"),
            source: (source != v1::VerdictSource::Unspecified).then(|| name(source.as_str_name(), "VERDICT_SOURCE_")),
            since: told.since,
            reason: told.reason,
            batch: told.batch,
            expiry: told.expiry,
            as_of: told.as_of.map(|time| time.to_string()),
        }
    }
}

/// The proof of a write.
#[derive(Serialize)]
pub(super) struct Receipt {
    outcome: String,
    serial: u64,
    time: Option<String>,
    content_hash: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    repeated_request: bool,
}

impl Receipt {
    pub(super) fn of(receipt: &v1::Receipt) -> Self {
        let outcome = receipt.outcome().as_str_name();
        Self {
            outcome: outcome.strip_prefix("OUTCOME_").unwrap_or(outcome).to_owned(),
            serial: receipt.serial,
            time: receipt.time.map(|time| time.to_string()),
            content_hash: hex::encode(&receipt.content_hash),
            warnings: receipt.warnings.clone(),
            repeated_request: receipt.repeated_request,
        }
    }
}

/// How far a stream was taken in.
#[derive(Serialize)]
pub(super) struct StreamState {
    pub(super) stream: String,
    pub(super) mark: u64,
}

/// Who the node takes the caller for.
#[derive(Serialize)]
pub(super) struct WhoAmI {
    principal: String,
    role: String,
    prefixes: Vec<String>,
    verbs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_quota: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_left: Option<u64>,
}

impl WhoAmI {
    pub(super) fn of(answer: v1::WhoAmIResponse) -> Self {
        let v1::WhoAmIResponse { principal, role, prefixes, verbs, expires, daily_quota, daily_left } = answer;
        let expires = expires.map(|time| time.to_string());
        Self { principal, role, prefixes, verbs, expires, daily_quota, daily_left }
    }
}

/// An answer that is whole.
pub(super) fn response<T: Serialize>(answer: &Answer<T>) -> Response {
    let Ok(json) = serde_json::to_vec(&answer.body) else {
        return problem::response(&Failure::new(Reason::Internal).with("detail", "writing JSON"), Language::English);
    };
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(tag) = answer.serial.and_then(|serial| HeaderValue::try_from(format!("\"{serial}\"")).ok()) {
        headers.insert(header::ETAG, tag);
    }
    response
}
