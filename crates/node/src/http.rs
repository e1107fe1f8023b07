//! The pages of a node for its operator: `/metrics`, `/healthz`, `/readyz`, `/status`.
//!
//! They are made for scrapers, probes and `waymark status`, tell about load and stored data, and belong on an address the public does
//! not reach.
//!
//! Figures may have to wait for a disk: they are looked at away from the tasks that answer, once for all who ask. Whether the node is ready is known without.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};

use crate::{looks::Looks, metrics_page::Figures, status::Watched};

/// For how long a page waits for figures before it says that there are none: a little less than the 10 seconds scrapers wait by default, so that they see it.
const FIGURES_WAIT: Duration = Duration::from_secs(8);

/// What the pages show. Cheap to clone.
#[derive(Clone, Debug)]
struct Pages {
    watched: Arc<Watched>,
    figures: Arc<Looks<Figures>>,
}

impl Pages {
    fn new(watched: Arc<Watched>) -> Self {
        let looked_at = Arc::clone(&watched);
        Self { watched, figures: Arc::new(Looks::new(FIGURES_WAIT, move || looked_at.figures())) }
    }
}

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
        .with_state(Pages::new(watched));
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

async fn metrics(State(pages): State<Pages>) -> Response {
    let Some(figures) = pages.figures.look().await else { return busy() };
    let page = crate::metrics_page::render(&figures);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
}

/// The process answers.
async fn healthy() -> &'static str {
    "ok\n"
}

/// Whether the node should be given questions and writes: 503 while it stops or takes no writes. Reads go on in the latter case.
async fn ready(State(pages): State<Pages>) -> Response {
    match (pages.watched.is_stopping(), pages.watched.not_writable()) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned()).into_response(),
        (false, Some(reason)) => (StatusCode::SERVICE_UNAVAILABLE, format!("not writable: {reason}\n")).into_response(),
        (false, None) => "ready\n".into_response(),
    }
}

async fn status(State(pages): State<Pages>) -> Response {
    let figures = pages.figures.look().await;
    figures.map_or_else(busy, |figures| Json(pages.watched.status(&figures)).into_response())
}

/// There are no figures in time.
fn busy() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "busy: figures wait for a lock or the disk\n").into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;
    use crate::listen::Listening;

    /// As long as something figures need is held, here the doors, the one thread of this test answers other pages.
    #[tokio::test]
    async fn a_look_that_waits_keeps_no_other_page_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let options = waymark_catalog::Options::new(waymark_store::Options::new(folder.path().join("store")));
        let watched = Arc::new(Watched::new(waymark_catalog::open(&options).unwrap().catalog));
        let doors = Arc::new(Mutex::new(None));
        watched.doors_opened(Arc::clone(&doors), Arc::default(), Listening::default(), None);
        let pages = Pages::new(Arc::clone(&watched));

        let ((held, is_held), (release, released)) = (mpsc::channel(), mpsc::channel::<()>());
        let holder = std::thread::spawn(move || {
            let _held = doors.lock().unwrap();
            held.send(()).unwrap();
            // Pages that hold up the thread of the test would find it released after a while.
            released.recv_timeout(Duration::from_secs(5)).is_ok()
        });
        is_held.recv().unwrap();
        let slow = [tokio::spawn(metrics(State(pages.clone()))), tokio::spawn(status(State(pages.clone())))];
        tokio::task::yield_now().await;
        assert_eq!(ready(State(pages.clone())).await.status(), StatusCode::OK);
        watched.stopping();
        assert_eq!(ready(State(pages)).await.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(slow.iter().all(|page| !page.is_finished()));
        assert!(release.send(()).is_ok() && holder.join().unwrap(), "a page kept others waiting");
        for page in slow {
            assert_eq!(page.await.unwrap().status(), StatusCode::OK);
        }
    }
}
