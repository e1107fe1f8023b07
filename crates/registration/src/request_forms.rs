//! Requests as the doors read them, and answers as they write them, without a node, a caller or a socket: for whoever judges those readers, by the
//! code the doors use.
//!
//! What a route or method does besides (who calls, how often, what the catalog says) is not here.

use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Uri};
use waymark_api::{operator, registration::v1};
use waymark_catalog::access::{Principal, Token, TokenText};
use waymark_catalog::audit::Filter;
use waymark_catalog::{HomeName, Order, Request, Timestamp};
use waymark_ident::CaseRule;
use waymark_wire::ValueRef;

use crate::convert::page::Question;
use crate::convert::{change, principal, request_id, value};
use crate::failure::Failure;
use crate::grpc::operator::{audit, prefixes};
use crate::grpc::stream;
use crate::http;
use crate::reasons::Language;
use crate::{jobs, reading};

// gRPC.

/// Reads a change.
///
/// # Errors
/// What is wrong with it, and where.
pub fn order(change: v1::Change) -> Result<Order, Failure> {
    change::order(change)
}

/// The number of the first item of a message, and its items.
pub type Items = (Option<u64>, Vec<Result<Order, Failure>>);

/// Reads a message of a stream behind the first one.
///
/// # Errors
/// A message that brings no items.
pub fn items(message: v1::UploadRequest) -> Result<Items, Failure> {
    stream::chunk(message).map(|chunk| (chunk.first, chunk.items))
}

/// Reads a request id; `None` for an empty one.
///
/// # Errors
/// It is not a UUID of version 7.
pub fn request_id(id: &str, order: &Order) -> Result<Option<Request>, Failure> {
    request_id::request(id, order)
}

/// Reads a principal.
///
/// # Errors
/// What is wrong with it, and where.
pub fn principal(principal: operator::v1::Principal) -> Result<Principal, Failure> {
    principal::read(principal)
}

/// Reads what token is asked for, and makes it.
///
/// # Errors
/// What is wrong with the request, and where.
pub fn token(request: operator::v1::IssueTokenRequest, text: &TokenText, now: Timestamp) -> Result<Token, Failure> {
    principal::token(request, text, now)
}

/// Reads what is to be homed or given up.
///
/// # Errors
/// It names no prefix.
pub fn home_name(prefix: &str) -> Result<HomeName, Failure> {
    prefixes::parse(prefix)
}

/// Reads what is searched for in the audit.
///
/// # Errors
/// A time that cannot be.
pub fn audit_filter(request: operator::v1::SearchAuditRequest) -> Result<Filter, Failure> {
    audit::filter(request)
}

/// Looks at what is asked of a job.
///
/// # Errors
/// What is wrong with it, and where.
pub fn job(header: v1::JobHeader) -> Result<(), Failure> {
    jobs::check_header(header)
}

/// Reads a handle that is asked about.
///
/// # Errors
/// It is too long, or empty.
pub fn handle(handle: &str) -> Result<(), Failure> {
    reading::check_handle(handle)
}

/// Reads a time.
///
/// # Errors
/// It is before 1970, or none.
pub fn time(time: &prost_types::Timestamp) -> Result<Timestamp, Failure> {
    reading::catalog_time(time, "time")
}

/// How the canonical keys of handles begin that begin with this text.
#[must_use]
pub fn begin_of_key(text: &str, rule: CaseRule) -> Vec<u8> {
    reading::begin_of_key(text, rule)
}

/// Reads the page token of a question that consists of these parts: the cursor in it, empty for the beginning.
///
/// # Errors
/// It is not one, or another question's.
pub fn page_cursor(question: &[&[u8]], token: &str) -> Result<Vec<u8>, Failure> {
    Question::of(question).cursor(token)
}

/// Writes the page token for a cursor.
#[must_use]
pub fn page_token(question: &[&[u8]], cursor: &[u8]) -> String {
    Question::of(question).token(cursor)
}

/// Shows a stored value.
#[must_use]
pub fn shown_value(value: &ValueRef<'_>) -> v1::Value {
    value::show(value)
}

/// Shows a principal.
#[must_use]
pub fn shown_principal(principal: &Principal) -> operator::v1::Principal {
    principal::show(principal, None, 0)
}

/// Shows a token.
#[must_use]
pub fn shown_token(token: &Token) -> operator::v1::Token {
    principal::show_token(token)
}

// HTTP and JSON.

/// The routes of the HTTP door that ask for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `POST /v1/identifiers:apply`
    Apply,
    /// `PUT /v1/identifiers/HANDLE`
    Replace,
    /// `DELETE /v1/identifiers/HANDLE`
    Delete,
    /// `GET /v1/identifiers/HANDLE`
    Get,
    /// `GET /v1/identifiers`
    List,
    /// `GET /v1/history/HANDLE`
    History,
    /// `GET /v1/streams/NAME`
    Mark,
    /// `POST /v1/streams/NAME`
    Exchange,
}

/// What a request asks for.
#[derive(Debug)]
pub enum Asked {
    /// A change, perhaps only to be checked.
    Change {
        /// The change.
        order: Order,
        /// Nothing is to be written.
        validate_only: bool,
    },
    /// An identifier.
    Get(v1::GetRequest),
    /// A page of identifiers.
    List(v1::ListRequest),
    /// A page of versions.
    History(v1::HistoryRequest),
    /// How far a stream is.
    Mark(String),
    /// Items of a stream.
    Exchange {
        /// Its name.
        stream: String,
        /// Number of the first item.
        first: u64,
        /// Each read, or why it cannot be.
        items: Vec<Result<Order, Failure>>,
    },
}

impl Route {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Apply, Self::Replace, Self::Delete, Self::Get, Self::List, Self::History, Self::Mark, Self::Exchange];

    /// Reads a request that came by this route.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(self, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Asked, Failure> {
        let change = |order| Asked::Change { order, validate_only: false };
        Ok(match self {
            Self::Apply => {
                let validate_only = http::asked::validate_only(uri)?;
                Asked::Change { order: http::change::order(body)?, validate_only }
            }
            Self::Replace => {
                let (handle, expect) = http::asked::identifier(uri, headers)?;
                change(http::change::replacement(handle, body, expect)?)
            }
            Self::Delete => {
                let (handle, expect) = http::asked::identifier(uri, headers)?;
                change(http::change::deletion(handle, expect))
            }
            Self::Get => Asked::Get(http::asked::get(uri)?),
            Self::List => Asked::List(http::asked::list(uri)?),
            Self::History => Asked::History(http::asked::history(uri)?),
            Self::Mark => Asked::Mark(http::asked::mark(uri)?),
            Self::Exchange => {
                let (stream, first) = http::asked::exchange(uri)?;
                Asked::Exchange { stream, first, items: http::stream::items(body) }
            }
        })
    }
}

/// The target of a request; `None` for what is none.
#[must_use]
pub fn target(text: &[u8]) -> Option<Uri> {
    Uri::try_from(text).ok()
}

/// Headers with these conditions; `None` for what cannot be a header.
#[must_use]
pub fn conditions(if_match: Option<&[u8]>, if_none_match: Option<&[u8]>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in [(IF_MATCH, if_match), (IF_NONE_MATCH, if_none_match)] {
        if let Some(value) = value {
            headers.insert(name, HeaderValue::from_bytes(value).ok()?);
        }
    }
    Some(headers)
}

/// An identifier as JSON, with its values.
///
/// # Errors
/// Values that JSON cannot say.
pub fn identifier_json(identifier: v1::Identifier) -> Result<String, Failure> {
    http::shown::Identifier::of(identifier, true).map(|shown| serde_json::to_string(&shown).unwrap_or_default())
}

/// A failure as JSON.
#[must_use]
pub fn problem_json(failure: &Failure, language: Language) -> String {
    serde_json::to_string(&http::problem::Problem::of(failure, language)).unwrap_or_default()
}

// What is kept.

/// Reads a job as it is kept, shows it, and writes it again; `None` when it cannot be read.
#[must_use]
pub fn kept_job(bytes: &[u8]) -> Option<(v1::Job, Vec<u8>)> {
    jobs::reread(bytes)
}
