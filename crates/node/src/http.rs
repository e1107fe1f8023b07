//! The pages of a node for its operator: `/metrics`, `/healthz`, `/readyz`, `/status`.
//!
//! They are made for scrapers, probes and `waymark status`, tell about load and stored data, and belong on an address the public does
//! not reach.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};

use crate::status::{NodeStatus, Watched};

/// Serves the pages on each address until `stop` changes; gives the actual addresses.
///
/// # Errors
/// An address cannot be taken.
pub(crate) async fn serve(
    addresses: &[SocketAddr],
    watched: Arc<Watched>,
    stop: &watch::Receiver<bool>,
) -> std::io::Result<Vec<SocketAddr>> {
    let pages = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/status", get(status))
        .with_state(watched);
    let mut actual = Vec::new();
    for address in addresses {
        let listener = TcpListener::bind(address).await?;
        actual.push(listener.local_addr()?);
        let (pages, mut stop) = (pages.clone(), stop.clone());
        let stopped = async move {
            // An error means that the node is gone, which is a stop too.
            let _stopped = stop.wait_for(|stop| *stop).await;
        };
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, pages).with_graceful_shutdown(stopped).await {
                tracing::error!(%error, "the HTTP pages ended");
            }
        });
    }
    Ok(actual)
}

async fn metrics(State(watched): State<Arc<Watched>>) -> Response {
    let page = crate::metrics_page::render(&watched.figures());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
}

/// The process answers.
async fn healthy() -> &'static str {
    "ok\n"
}

/// Whether the node should be given questions and writes: 503 while it stops or takes no writes. Reads go on in the latter case.
async fn ready(State(watched): State<Arc<Watched>>) -> Response {
    let status = watched.status();
    match (status.stopping, status.not_writable) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned()).into_response(),
        (false, Some(reason)) => (StatusCode::SERVICE_UNAVAILABLE, format!("not writable: {reason}\n")).into_response(),
        (false, None) => "ready\n".into_response(),
    }
}

async fn status(State(watched): State<Arc<Watched>>) -> Json<NodeStatus> {
    Json(watched.status())
}
