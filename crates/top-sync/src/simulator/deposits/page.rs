//! The pages of deposits, as JSON.
//!
//! | | |
//! |---|---|
//! | `GET /deposits` | of each user: files that came and were not judged, the last judgements, and the accepted deposits with the folder of their files |
//! | `POST /deposits/refuse` | `{"codes": [2001]}`: the next valid deposits are refused with these codes, one after the other; `[]` is none |

use std::fs;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Desk;
use super::chain::Chain;
use super::config::{PAGE_BYTES, SHOWN_JUDGEMENTS};
use super::room::{Folder, Room, names};
use crate::deposit::{Head, Judgement, config::JUDGEMENT_BYTES};

/// The pages of a desk.
pub(in crate::simulator) fn pages(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/deposits", get(deposits))
        .route("/deposits/refuse", post(refuse))
        .layer(DefaultBodyLimit::max(PAGE_BYTES))
        .with_state(desk)
}

async fn deposits(State(desk): State<Arc<Desk>>) -> Response {
    let made = tokio::task::spawn_blocking(move || {
        let users: Vec<Value> = desk.rooms.iter().map(|room| of_room(room)).collect();
        json!({ "users": users, "refuse": desk.refusals() })
    });
    match made.await {
        Ok(page) => Json(page).into_response(),
        Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made"),
    }
}

fn of_room(room: &Room) -> Value {
    let upload = names(&room.folder(Folder::Upload)).into_iter().map(|name| {
        let bytes = room.about(Folder::Upload, &name).map_or(0, |found| found.len());
        json!({ "name": name, "bytes": bytes })
    });
    let folder = room.folder(Folder::Report);
    let judged = names(&folder).into_iter().rev().take(SHOWN_JUDGEMENTS).filter_map(|name| {
        let path = folder.join(&name);
        let found = fs::metadata(&path).ok().filter(|found| found.len() <= JUDGEMENT_BYTES);
        let judgement = Judgement::read(&found.and_then(|_| fs::read(&path).ok())?).ok()?;
        Some(json!({
            "name": name, "id": judgement.id.map(|id| id.to_string()), "date": judgement.date.to_string(),
            "type": judgement.extent.as_str(), "resend": judgement.resend, "code": judgement.code,
            "reason": judgement.reason,
        }))
    });
    let chain = Chain::newest(&room.chains());
    let accepted = chain.map(|chain| {
        let deposits: Vec<Value> = chain.heads.iter().map(of_head).collect();
        json!({ "folder": chain.folder.display().to_string(), "deposits": deposits })
    });
    json!({
        "user": room.user.name, "prefix": room.user.prefix, "upload": upload.collect::<Vec<_>>(),
        "judged": judged.collect::<Vec<_>>(), "accepted": accepted,
    })
}

fn of_head(head: &Head) -> Value {
    json!({
        "id": head.id.to_string(), "date": head.date.to_string(), "type": head.extent.as_str(), "resend": head.resend,
        "serial": head.serial,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refuse {
    codes: Vec<u16>,
}

async fn refuse(State(desk): State<Arc<Desk>>, body: Bytes) -> Response {
    match serde_json::from_slice::<Refuse>(&body) {
        Ok(Refuse { codes }) if codes.iter().all(|code| (2000..3000).contains(code)) => {
            desk.refuse(&codes);
            Json(json!({ "refuse": desk.refusals() })).into_response()
        }
        _ => refused(StatusCode::BAD_REQUEST, "wanted are codes of refusals, as {\"codes\": [2001]}"),
    }
}

fn refused(status: StatusCode, problem: &str) -> Response {
    (status, Json(json!({ "error": problem }))).into_response()
}
