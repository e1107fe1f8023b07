//! The service for registration data: who holds a prefix, read-only, by HTTPS and JSON. `docs/query.md` describes it.
//!
//! It is designed to follow drafts of IIIDAP that have expired, as far as they are known: paths, keys, status codes, states of privacy. It answers
//! whoever asks, so every source has a rate, every search a limit of work and of results, and nobody is shown what is said of people who has not
//! logged in. Who has may read it where the rights allow, behind the same command that notes each reading over gRPC.
//!
//! | module | holds |
//! |---|---|
//! | [`bootstrap`] | which service answers for other prefixes |
//! | `prefix` | prefixes as they stand in questions |
//! | `found` | which organisation a question is about |
//! | [`privacy`] | what everybody is shown, and what stands in the place of the rest |
//! | `login` | who asks, where he says so |
//! | `shown`, `words` | answers as JSON, and their texts |
//! | `desk` | what all questions share; a question from its rate to its answer |
//!
//! What is absent: Digest login, since a token is kept as a hash that proves nothing about a digest; and answers about identifiers below a prefix,
//! which are the resolver's.

pub mod bootstrap;
mod desk;
mod found;
mod login;
pub(crate) mod prefix;
pub mod privacy;
mod shown;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use axum::routing::get;

use self::desk::{Asked, Given};
pub(crate) use self::desk::{Desk, Prepared};
use self::privacy::OpenItem;
use crate::door::{Incoming, Peer};
use crate::failure::Failure;
use crate::http;
use crate::http::request::{Query, decoded};
use crate::reasons::Reason;

/// How the service is opened.
#[derive(Clone, Debug, Default)]
pub struct QueryConfig {
    /// Its addresses; none: it is closed. Without TLS they must be on loopback. Port 0 is a port the system chooses.
    pub addresses: Vec<SocketAddr>,
    /// The bootstrap file of the top-level node; looked at again and again, and read when it changes.
    pub bootstrap: Option<PathBuf>,
    /// Where the public reaches this service, with a slash at the end; empty: links are relative.
    pub base_url: String,
    /// The node's own prefix, about which the operator's record answers; empty where it has none.
    pub own_prefix: String,
    /// What everybody is shown beside names.
    pub open: Vec<OpenItem>,
}

/// Serves until the door stops and every call has ended.
pub(crate) async fn serve(desk: Arc<Desk>, connections: Incoming) {
    let edge = Arc::clone(desk.edge());
    http::serve_routes(edge, routes(desk), connections).await;
}

fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/identifier/{*prefix}", get(identifier).options(preflight))
        .route("/name/{*name}", get(name).options(preflight))
        .route("/names", get(names).options(preflight))
        .route("/help", get(help).options(preflight))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(desk)
}

type Shared = State<Arc<Desk>>;

async fn identifier(State(desk): Shared, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    desk.answer(&peer, &parts, async |asked: Asked| {
        let prefix = decoded(&parts.uri, "/identifier/")?;
        let prefix = prefix::folded(&prefix).map_err(|wrong| unprocessable(&format!("{prefix:.64}: {wrong}")))?;
        desk.identifier(asked, &prefix).await
    })
    .await
}

async fn name(State(desk): Shared, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    desk.answer(&peer, &parts, async |asked: Asked| {
        let name = decoded(&parts.uri, "/name/")?;
        let name = found::comparable(&name);
        if name.is_empty() {
            return Err(unprocessable("the name is empty"));
        }
        desk.name(asked, name).await
    })
    .await
}

async fn names(State(desk): Shared, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    desk.answer(&peer, &parts, async |asked: Asked| {
        // Parameters that are not known are ignored, as the drafts say.
        let pattern = Query::of(&parts.uri)?.text("name")?;
        if pattern.is_empty() {
            return Err(Failure::invalid_field("name", "is missing: /names?name=beginning*"));
        }
        desk.names(asked, start_of(&pattern)?).await
    })
    .await
}

async fn help(State(desk): Shared, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    desk.answer(&peer, &parts, async |asked: Asked| Ok(Given::help(&asked))).await
}

async fn preflight() -> Response {
    desk::preflight()
}

async fn no_such_path(State(desk): Shared, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    desk.answer(&peer, &parts, async |_: Asked| Err(Failure::new(Reason::NoSuchQuery))).await
}

async fn no_such_method(State(desk): Shared, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    desk.answer(&peer, &parts, async |_: Asked| Err(Failure::new(Reason::ReadOnlyQuery))).await
}

/// Something that can be read and is not answered.
fn unprocessable(detail: &str) -> Failure {
    Failure::new(Reason::UnprocessableQuery).with("detail", detail)
}

/// The beginning a pattern asks for, as names are compared.
fn start_of(pattern: &str) -> Result<String, Failure> {
    /// Fewer would list everybody.
    const LEAST_CHARS: usize = 2;
    let start = pattern.strip_suffix('*').ok_or_else(|| unprocessable("a pattern ends with an asterisk"))?;
    if start.contains('*') {
        return Err(unprocessable("a pattern holds one asterisk, at its end"));
    }
    let start = found::comparable(start);
    if start.chars().count() < LEAST_CHARS {
        return Err(unprocessable("a pattern has at least two characters before its asterisk"));
    }
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_beginning_and_an_asterisk_at_its_end() {
        assert_eq!(start_of("杭州*").as_deref(), Ok("杭州"));
        assert_eq!(start_of(" Acme Foods*").as_deref(), Ok("acme foods"));
        for wrong in ["*", "a*", " a *", "ab", "*ab", "a*b*", "ab**", ""] {
            let refused = start_of(wrong).unwrap_err();
            assert_eq!(refused.reason(), Reason::UnprocessableQuery, "{wrong}");
        }
    }
}
