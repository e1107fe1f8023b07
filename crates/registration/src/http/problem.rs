//! Failures as `application/problem+json` (RFC 9457), with the same words as over gRPC.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use crate::failure::Failure;
use crate::reasons::Language;

/// What a failure looks like.
#[derive(Serialize)]
pub(crate) struct Problem {
    title: String,
    status: u16,
    reason: &'static str,
    cause: String,
    remedy: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<Violation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Violation {
    field: String,
    description: String,
}

impl Problem {
    pub(crate) fn of(failure: &Failure, language: Language) -> Self {
        let refusal = failure.refusal(language);
        let violations = refusal.violations.into_iter();
        Self {
            title: failure.cause(Language::English),
            status: failure.reason().row().http,
            reason: failure.reason().row().name,
            cause: refusal.cause,
            remedy: refusal.remedy,
            violations: violations.map(|v| Violation { field: v.field, description: v.description }).collect(),
            retry_at: refusal.retry_at.map(|at| at.to_string()),
            details: failure.metadata().into_iter().collect(),
        }
    }
}

/// The answer of a call that failed.
pub(super) fn response(failure: &Failure, language: Language) -> Response {
    let problem = Problem::of(failure, language);
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Body::from(serde_json::to_vec(&problem).unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(after) = failure.retry_after() {
        // Whole seconds, and never too early.
        headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().saturating_add(1)));
    }
    response
}
