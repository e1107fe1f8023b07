//! The pages, as JSON: `/status`, `/held/SET`, `/faults`, `/probes`.
//!
//! | | |
//! |---|---|
//! | `GET /status` | of each node and set: sequence, parts refused, rows, rows held, last time, last complaints |
//! | `GET /held/SET?node=88.990&after=SEQUENCE.ROW&limit=N` | rows held, and as `next` what to give as `after` for more; `node` may be left out while there is one |
//! | `GET /faults` | the faults in use, and how often each happened since they were set |
//! | `POST /faults` | other faults from now on; `{}` is none |
//! | `GET /probes` | of each node: whether a takeover is due, since when, and the counts it rests on, by address family |
//! | `POST /probes` | where nodes take registrations: `{"registration": {"88.990": [{"url": …, "pin": …}]}}` |

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use waymark_catalog::Timestamp;

use super::config::{FAULTS_BYTES, PAGE_ROWS, PAGE_ROWS_MAX};
use super::faults::Plan;
use super::ledger::{After, SetStatus};
use super::{Shared, begun};
use crate::check::{Period, Set};

/// Serves the pages, and more of them, until stopping begins.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    more: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let pages = Router::new()
        .route("/status", get(status))
        .route("/held/{set}", get(held))
        .route("/faults", get(faults).post(set_faults))
        .route("/probes", get(probes).post(tell_probes))
        .layer(DefaultBodyLimit::max(FAULTS_BYTES))
        .with_state(shared)
        .merge(more);
    let stopped = async move { begun(&mut stopping).await };
    if let Err(error) = axum::serve(listener, pages).with_graceful_shutdown(stopped).await {
        tracing::error!(%error, "the pages ended");
    }
}

async fn status(State(shared): State<Arc<Shared>>) -> Response {
    let made = blocking(move || {
        let nodes = shared.ledgers.nodes().into_iter().map(|node| {
            let sets: Vec<Value> = shared.ledgers.status(&node).iter().map(of_set).collect();
            json!({"node": node, "sets": sets})
        });
        json!({"version": env!("CARGO_PKG_VERSION"), "nodes": nodes.collect::<Vec<_>>()})
    });
    made.await.map_or_else(|problem| problem, |page| Json(page).into_response())
}

fn of_set(status: &SetStatus) -> Value {
    let complaints = status.complaints.iter().map(|told| {
        let complaints = told
            .complaints
            .iter()
            .map(|complaint| json!({"row": complaint.row, "field": complaint.field, "problem": complaint.problem}));
        json!({
            "sequence": told.sequence,
            "time": shown(told.time),
            "complaints": complaints.collect::<Vec<_>>(),
        })
    });
    json!({
        "set": status.set.name(),
        "sequence": status.sequence,
        "refused": status.refused,
        "rows": status.rows,
        "held": status.held,
        "last": status.last.map(shown),
        "complaints": complaints.collect::<Vec<_>>(),
    })
}

fn shown(time: Timestamp) -> String {
    Period::Moment(time).to_string()
}

async fn held(State(shared): State<Arc<Shared>>, Path(set): Path<String>, RawQuery(query): RawQuery) -> Response {
    let Ok(set) = set.parse::<Set>() else {
        return refused(
            StatusCode::NOT_FOUND,
            "there is no such set; there are T1 to T11, MONITORING, INCIDENT and REPORT",
        );
    };
    let Some(asked) = Asked::read(query.as_deref().unwrap_or_default()) else {
        return refused(StatusCode::BAD_REQUEST, "the query takes node=PREFIX, after=SEQUENCE.ROW and limit=N");
    };
    let read = blocking(move || {
        let nodes = shared.ledgers.nodes();
        let node = match (asked.node, nodes.as_slice()) {
            (Some(node), _) => node,
            (None, []) => return Ok(Some((Vec::new(), None))),
            (None, [only]) => only.clone(),
            (None, _) => return Ok(None),
        };
        shared.ledgers.held(&node, set, asked.after, asked.limit).map(Some)
    });
    match read.await {
        Ok(Ok(Some((rows, next)))) => {
            let next = next.map(|After { sequence, row }| format!("{sequence}.{row}"));
            Json(json!({"rows": rows, "next": next})).into_response()
        }
        Ok(Ok(None)) => refused(StatusCode::BAD_REQUEST, "there are several nodes: say which, with node=PREFIX"),
        Ok(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a ledger could not be read");
            refused(StatusCode::INTERNAL_SERVER_ERROR, "the ledger cannot be read")
        }
        Err(problem) => problem,
    }
}

/// What a query asks for.
struct Asked {
    node: Option<String>,
    after: After,
    limit: usize,
}

impl Asked {
    fn read(query: &str) -> Option<Self> {
        let mut asked = Self { node: None, after: After::default(), limit: PAGE_ROWS };
        for field in query.split('&').filter(|field| !field.is_empty()) {
            match field.split_once('=')? {
                ("node", node) => asked.node = Some(node.to_owned()),
                ("after", place) => {
                    let (sequence, row) = place.split_once('.')?;
                    asked.after = After { sequence: sequence.parse().ok()?, row: row.parse().ok()? };
                }
                ("limit", limit) => asked.limit = limit.parse::<usize>().ok()?.clamp(1, PAGE_ROWS_MAX),
                _ => return None,
            }
        }
        Some(asked)
    }
}

async fn faults(State(shared): State<Arc<Shared>>) -> Response {
    let (plan, done) = shared.faults.get();
    Json(json!({"faults": plan, "done": done})).into_response()
}

async fn set_faults(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    match Plan::read(&body).and_then(|plan| shared.faults.set(plan)) {
        Ok(()) => faults(State(shared)).await,
        Err(error) => refused(StatusCode::BAD_REQUEST, &told(&error)),
    }
}

async fn probes(State(shared): State<Arc<Shared>>) -> Response {
    match &shared.probes {
        Some(probes) => Json(probes.page((shared.clock)())).into_response(),
        None => no_probes(),
    }
}

async fn tell_probes(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    match shared.probes.as_ref().map(|probes| probes.tell(&body)) {
        None => no_probes(),
        Some(Ok(())) => probes(State(shared)).await,
        Some(Err(error)) => refused(StatusCode::BAD_REQUEST, &told(&error)),
    }
}

fn no_probes() -> Response {
    refused(StatusCode::NOT_FOUND, "no probes are made: start it with --probers")
}

/// An error and its causes.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn refused(status: StatusCode, problem: &str) -> Response {
    (status, Json(json!({"error": problem}))).into_response()
}

/// Runs what may wait for the disk where waiting is allowed.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Response> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| refused(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made"))
}
