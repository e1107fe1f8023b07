//! The takeover as pages beside those of the simulator.
//!
//! | | |
//! |---|---|
//! | `GET /takeover` | where it stands, what was restored, where the emergency node takes registrations |
//! | `POST /takeover/end` | ends it: resolution points at the node again, the emergency node stops; 409 where nobody is taken over |

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::json;

use super::takeover::Takeover;

/// The pages; without a takeover they say so.
pub(super) fn pages(takeover: Option<Arc<Takeover>>) -> Router {
    Router::new().route("/takeover", get(show)).route("/takeover/end", post(end)).with_state(takeover)
}

async fn show(State(takeover): State<Option<Arc<Takeover>>>) -> Response {
    match takeover {
        Some(takeover) => Json(takeover.status()).into_response(),
        None => refused(StatusCode::NOT_FOUND, "nobody is taken over: start it with --takeover"),
    }
}

async fn end(State(takeover): State<Option<Arc<Takeover>>>) -> Response {
    match takeover {
        Some(takeover) if takeover.end() => Json(json!({"ending": true})).into_response(),
        _ => refused(StatusCode::CONFLICT, "nobody is taken over"),
    }
}

fn refused(status: StatusCode, problem: &str) -> Response {
    (status, Json(json!({"error": problem}))).into_response()
}
