//! What all questions share, and a question from its rate to its answer.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use waymark_api::operator::v1;
use waymark_catalog::access::Verb;
use waymark_catalog::business::{
    BusinessCommand, FileKind, OperatorCommand, OperatorPersonal, Owner, visible, visible_operator,
};
use waymark_catalog::vault::Personal;
use waymark_ident::parent_prefix;

use super::bootstrap::{Bootstrap, BootstrapFileError};
use super::found::{Finder, Found, Hits, Holder, Oldest, begins_with, has_name};
use super::shown::{Answer, Disclosed, Nothing, Object, Results, Trouble, View, percent_encoded};
use super::words::{Notice, Words};
use super::{QueryConfig, login};
use crate::config::BOOTSTRAP_LOOK;
use crate::convert::enterprise::show_personal;
use crate::counters::Event;
use crate::door::{Peer, Stopping};
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::edge::rates::PerSource;
use crate::failure::{Failure, Retry};
use crate::grpc::operator::sealing::{off_loop, read_file, vault};
use crate::http::request;
use crate::reasons::{Language, Reason};

/// A question whose asker is known as far as he says who he is.
pub(super) struct Asked {
    caller: Option<Caller>,
    language: Language,
    /// Only the head of the answer is wanted: nothing is read for it that would be noted.
    is_head: bool,
}

/// An answer that is no failure.
pub(super) enum Given {
    /// An object or a list.
    Body(Vec<u8>),
    /// Another service answers: its address for this question.
    Elsewhere(String),
}

impl Given {
    fn of<T: Serialize>(asked: &Asked, more: Vec<Notice>, body: T) -> Self {
        let mut notices = vec![Words(asked.language).terms()];
        notices.extend(more);
        // What is shown here has no form that could not be written.
        Self::Body(serde_json::to_vec(&Answer::new(asked.language, notices, body)).unwrap_or_default())
    }

    /// How to ask.
    pub(super) fn help(asked: &Asked) -> Self {
        Self::of(asked, Words(asked.language).help(), Nothing {})
    }
}

/// What the service works with, before it has a node.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    config: QueryConfig,
    bootstrap: Option<(PathBuf, Stamp, Bootstrap)>,
}

impl Prepared {
    /// Reads the bootstrap file.
    ///
    /// # Errors
    /// It is not taken.
    pub(crate) fn new(config: QueryConfig) -> Result<Self, BootstrapFileError> {
        let read = |path: PathBuf| {
            // Before the file: what changes meanwhile is read again.
            let stamp = Stamp::of(&path);
            Bootstrap::read(&path).map(|read| (path, stamp, read))
        };
        let bootstrap = config.bootstrap.clone().map(read).transpose()?;
        Ok(Self { config, bootstrap })
    }
}

/// What all questions share.
pub(crate) struct Desk {
    edge: Arc<Edge>,
    config: QueryConfig,
    base: String,
    bootstrap: Arc<ArcSwapOption<Bootstrap>>,
    rate: PerSource,
    searches: Arc<Semaphore>,
    is_encrypted: bool,
}

impl Desk {
    /// Opens it. What follows the bootstrap file, where there is one, runs until the door stops.
    pub(crate) fn open(
        edge: &Arc<Edge>,
        prepared: Prepared,
        is_encrypted: bool,
    ) -> (Arc<Self>, Option<impl Future<Output = ()> + Send + use<>>) {
        let Prepared { mut config, bootstrap } = prepared;
        config.own_prefix.make_ascii_uppercase();
        let base = if config.base_url.is_empty() { "/".to_owned() } else { config.base_url.clone() };
        let (file, read) = match bootstrap {
            Some((path, stamp, read)) => (Some((path, stamp)), Some(Arc::new(read))),
            None => (None, None),
        };
        let shared = Arc::new(ArcSwapOption::from(read));
        let follow = file.map(|(path, stamp)| follow(path, stamp, Arc::clone(&shared), edge.stopping.clone()));
        let desk = Arc::new(Self {
            edge: Arc::clone(edge),
            config,
            base,
            bootstrap: shared,
            rate: PerSource::of_queries(&edge.limits),
            searches: Arc::new(Semaphore::new(edge.limits.query_searches)),
            is_encrypted,
        });
        (desk, follow)
    }

    /// What every door shares.
    pub(super) const fn edge(&self) -> &Arc<Edge> {
        &self.edge
    }

    /// Runs a question to its end, within the time any call may take.
    pub(super) async fn answer(
        &self,
        peer: &Peer,
        parts: &Parts,
        work: impl AsyncFnOnce(Asked) -> Result<Given, Failure>,
    ) -> Response {
        let headers = &parts.headers;
        let language =
            request::header(headers, header::ACCEPT_LANGUAGE).map_or_else(Language::default, Language::preferred);
        let worked = async {
            let caller = self.admit(peer, headers, language).await?;
            work(Asked { caller, language, is_head: parts.method == Method::HEAD }).await
        };
        let ended = tokio::time::timeout(self.edge.limits.call_time, worked).await;
        let ended = ended.unwrap_or_else(|_| Err(Failure::new(Reason::DeadlineExceeded)));
        let mut response = match ended {
            Ok(Given::Body(body)) => json(StatusCode::OK, body),
            Ok(Given::Elsewhere(url)) => elsewhere(&url),
            Err(failure) => self.failed(&failure, language),
        };
        open_to_all(response.headers_mut());
        response.headers_mut().insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
        response
    }

    /// Counts a question against its source, and says who asks it.
    async fn admit(&self, peer: &Peer, headers: &HeaderMap, language: Language) -> Result<Option<Caller>, Failure> {
        self.edge.counters.add(Event::Queries, 1);
        if self.edge.stopping.has_begun() {
            return Err(Failure::new(Reason::Stopping));
        }
        if let Some(after) = self.rate.take(peer.address.ip()) {
            self.edge.counters.add(Event::QueriesLimited, 1);
            let retry = Retry { after, at: self.edge.after(after) };
            return Err(Failure::new(Reason::RateLimited).with("rate", self.edge.limits.query_rate).retry(retry));
        }
        login::caller(&self.edge, peer, headers, language, self.is_encrypted).await
    }

    fn failed(&self, failure: &Failure, language: Language) -> Response {
        self.edge.counters.add(Event::QueriesFailed, 1);
        let row = failure.reason().row();
        let description = [failure.cause(language), failure.remedy(language)];
        let trouble = Trouble { error_code: row.http, title: row.name, description };
        let body = serde_json::to_vec(&Answer::new(language, Vec::new(), trouble)).unwrap_or_default();
        let status = StatusCode::from_u16(row.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, body);
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"waymark\", charset=\"UTF-8\""),
            );
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
        }
        if let Some(after) = failure.retry_after() {
            // Whole seconds, and never too early.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().saturating_add(1)));
        }
        response
    }

    /// Who holds a prefix, folded; or who can say so.
    pub(super) async fn identifier(&self, asked: Asked, prefix: &str) -> Result<Given, Failure> {
        let found = {
            let business = self.edge.catalog.business();
            Finder { business: &business, own_prefix: &self.config.own_prefix }.prefix(prefix)
        };
        match found {
            Some(found) => self.one(asked, &found, &[], Vec::new()).await,
            None => self.elsewhere(prefix).map(Given::Elsewhere).ok_or_else(|| not_found("prefix")),
        }
    }

    /// The prefix of the organisation of a name, as names are compared.
    pub(super) async fn name(&self, asked: Asked, name: String) -> Result<Given, Failure> {
        let limits = self.edge.limits;
        let Oldest { found, has_more, is_cut } = self
            .search(move |finder| {
                finder.oldest_named(|profile| has_name(profile, &name), limits.query_results, limits.query_scan)
            })
            .await?;
        // The one it has had longest stands for the organisation.
        let Some((first, others)) = found.split_first() else {
            // Who was not looked at may well have this name.
            return Err(if is_cut { Failure::new(Reason::SearchCut) } else { not_found("organisation") });
        };
        let words = Words(asked.language);
        let notices = match (is_cut, has_more) {
            (true, _) => vec![words.name_cut()],
            (false, true) => vec![words.links_cut()],
            (false, false) => Vec::new(),
        };
        self.one(asked, first, others, notices).await
    }

    /// Prefixes of organisations whose name begins so.
    pub(super) async fn names(&self, asked: Asked, start: String) -> Result<Given, Failure> {
        let limits = self.edge.limits;
        let Hits { found, is_cut } = self
            .search(move |finder| {
                finder.named(|profile| begins_with(profile, &start), limits.query_results, limits.query_scan)
            })
            .await?;
        let words = Words(asked.language);
        // What is said of people is read one by one, each reading noted.
        let objects: Vec<Object> =
            found.iter().map(|found| self.view(&asked, found, None, &words).object(found, &[])).collect();
        let notices = if is_cut { vec![words.cut()] } else { Vec::new() };
        Ok(Given::of(&asked, notices, Results { identifier_search_results: objects }))
    }

    /// Looks through all prefixes, away from what answers others, with no more such searches at once than there are seats.
    async fn search<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Finder<'_>) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let stopping = |_| Failure::new(Reason::Stopping);
        let seat = Arc::clone(&self.searches).acquire_owned().await.map_err(stopping)?;
        let (business, own_prefix) = (self.edge.catalog.business(), self.config.own_prefix.clone());
        let searching = spawn_blocking(move || {
            let met = look(&Finder { business: &business, own_prefix: &own_prefix });
            drop(seat);
            met
        });
        searching.await.map_err(|_| Failure::new(Reason::Internal).with("detail", "searching"))
    }

    async fn one(&self, asked: Asked, found: &Found, others: &[Found], notices: Vec<Notice>) -> Result<Given, Failure> {
        let disclosed = self.disclosed(&asked, found).await?;
        let words = Words(asked.language);
        let object = self.view(&asked, found, disclosed, &words).object(found, others);
        Ok(Given::of(&asked, notices, object))
    }

    fn view<'a>(&'a self, asked: &Asked, found: &Found, disclosed: Option<Disclosed>, words: &'a Words) -> View<'a> {
        let is_whole = asked.caller.as_ref().is_some_and(|caller| sees(caller, &found.holder));
        View { open: &self.config.open, is_whole, disclosed, base: &self.base, words }
    }

    /// What is said of people, and the image, where the asker may read it; that he does is written before it is read.
    async fn disclosed(&self, asked: &Asked, found: &Found) -> Result<Option<Disclosed>, Failure> {
        let Some(caller) = asked.caller.as_ref().filter(|caller| sees(caller, &found.holder)) else { return Ok(None) };
        let (sealed, owner, verb) = match &found.holder {
            Holder::Node(record) => (&record.personal, Owner::Node, Verb::Audit),
            Holder::Enterprise(enterprise) => (&enterprise.personal, Owner::from(enterprise.id), Verb::Apply),
        };
        let Some(sealed) = sealed.clone().filter(|_| caller.rights.has(verb) && !asked.is_head) else {
            return Ok(None);
        };
        let vault = vault(&self.edge)?;
        let purpose = PURPOSE.to_owned();
        let order = match &found.holder {
            Holder::Node(_) => OperatorCommand::Disclose { purpose }.into(),
            Holder::Enterprise(enterprise) => BusinessCommand::Disclose { id: enterprise.id, purpose }.into(),
        };
        self.edge.apply(caller, order, None).await?;
        let people: Option<v1::PersonalData> = match owner {
            Owner::Node => {
                let opened = off_loop(move || vault.unseal_as::<OperatorPersonal>(&sealed)).await?;
                opened.map(|opened| show_personal(&opened.people))
            }
            Owner::Enterprise(_) => {
                let opened: Option<Personal> = off_loop(move || vault.unseal(&sealed)).await?;
                opened.map(|opened| show_personal(&opened))
            }
        };
        let Some(people) = people else { return Ok(None) };
        let has_photo = self.edge.catalog.business().file(owner, FileKind::Document).is_some();
        let photo =
            if has_photo { Some(read_file(&self.edge, owner, FileKind::Document, "image").await?) } else { None };
        Ok(Some(Disclosed { people, photo }))
    }

    /// The address of the service that answers for a prefix, folded. Never for what is ours to answer, which would lead back here.
    fn elsewhere(&self, prefix: &str) -> Option<String> {
        let bootstrap = self.bootstrap.load();
        let (matched, url) = bootstrap.as_ref()?.find(prefix)?;
        // Both are beginnings of the same name: the longer has more labels.
        if self.ours(prefix) >= matched.len() || *url == self.config.base_url {
            return None;
        }
        Some(format!("{url}identifier/{}", percent_encoded(prefix)))
    }

    /// Bytes of the longest prefix served here, or the node's own, that a prefix is or is derived from; 0 for none.
    fn ours(&self, prefix: &str) -> usize {
        let prefixes = self.edge.catalog.prefixes();
        let mut name = Some(prefix.as_bytes());
        while let Some(current) = name {
            if prefixes.is_homed(current) || current == self.config.own_prefix.as_bytes() {
                return current.len();
            }
            name = parent_prefix(current);
        }
        0
    }
}

/// Whether somebody may know what everybody is not shown of an organisation.
fn sees(caller: &Caller, holder: &Holder) -> bool {
    match holder {
        Holder::Node(_) => visible_operator(&caller.rights),
        Holder::Enterprise(enterprise) => visible(&caller.rights, enterprise),
    }
}

/// What a reading was for, in the audit.
const PURPOSE: &str = "registration data query";

/// Methods there are.
const METHODS: &str = "GET, HEAD, OPTIONS";

fn not_found(what: &str) -> Failure {
    Failure::new(Reason::NotFound).with("what", what)
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Language, Authorization"));
    response
}

fn elsewhere(url: &str) -> Response {
    // Addresses were checked when the file was read, and the rest is encoded; one that is no header value after all goes nowhere.
    let Ok(location) = HeaderValue::from_str(url) else { return json(StatusCode::NOT_FOUND, Vec::new()) };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// Lets scripts of every page ask.
fn open_to_all(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After, Location"));
}

/// What a browser is told before it asks with headers of its own.
pub(super) fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    open_to_all(headers);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Authorization, Accept-Language"));
    response
}

/// By what a file is told to have changed; the default for one that is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Self {
        let Ok(found) = path.metadata() else { return Self::default() };
        Self { inode: found.ino(), bytes: found.len(), modified: (found.mtime(), found.mtime_nsec()) }
    }
}

/// Reads the bootstrap file whenever it changes. One that cannot be used changes nothing, and is told once.
async fn follow(path: PathBuf, mut known: Stamp, into: Arc<ArcSwapOption<Bootstrap>>, mut stopping: Stopping) {
    loop {
        tokio::select! {
            () = stopping.begun() => return,
            () = tokio::time::sleep(BOOTSTRAP_LOOK) => {}
        }
        let asked = path.clone();
        let looked = spawn_blocking(move || {
            let stamp = Stamp::of(&asked);
            (stamp, (stamp != known).then(|| Bootstrap::read(&asked)))
        });
        let Ok((stamp, read)) = looked.await else { continue };
        known = stamp;
        match read {
            None => {}
            Some(Ok(read)) => {
                tracing::info!(path = %path.display(), prefixes = read.len(), publication = %read.publication(), "the bootstrap file was read again");
                into.store(Some(Arc::new(read)));
            }
            Some(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the bootstrap file is not taken; the one read before stays");
            }
        }
    }
}
