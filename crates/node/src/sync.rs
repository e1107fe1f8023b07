//! The exchange with the top-level node in a node: made from the configuration, and what operators ask of it.

use std::{path::Path, sync::Arc};

use tokio::{sync::watch, task::JoinHandle};
use waymark_api::operator::v1;
use waymark_catalog::{Catalog, HomeName};
use waymark_client::registration::{ClientCertificate, Endpoint, GrpcUrl, ServerTrust};
use waymark_registration::sync::{SyncProblem, TopSync};
use waymark_resolver::SiteSet;
use waymark_top_sync::{
    calendar::{Month, working_days_after},
    desk::Desk,
    driver::Driver,
    figures::Figures,
    maker::{Maker, Role},
    outbox::{Outbox, OutboxError, Part, SetStatus},
    sets::{SetName, rows::Route},
    transport::{Transport, directory::DirectoryTransport, grpc::GrpcTransport},
    watch::{Watch, report::OWED_WORKING_DAYS},
};
use waymark_wire::types::{InterfaceProtocol, Site};

use crate::{
    cli::resolve::parse_pin,
    collection::{Collected, CollectionKeeper},
    config::Config,
    daemon::chain,
    problem::{Exit, Problem},
};

/// The outbox within the data folder.
const FOLDER: &str = "sync";

/// Parts listed unless asked otherwise, and at most.
const LISTED: (u32, u32) = (20, 1_000);

/// Keeps the exchange going.
#[derive(Debug)]
pub(crate) struct SyncKeeper {
    driver: Arc<Driver>,
    collection: Option<CollectionKeeper>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Starts the exchange as configured; `None` when the node is docked with nobody.
///
/// # Errors
/// The outbox cannot be opened, or the settings do not fit.
pub(crate) async fn start(
    config: &Config,
    data: &Path,
    catalog: &Catalog,
    sites: &SiteSet,
    figures: Option<Arc<dyn Figures>>,
    watch: Option<Arc<Watch>>,
) -> Result<Option<SyncKeeper>, Problem> {
    let values = config.values();
    let prefix = values.text("sync.prefix");
    if prefix.is_empty() {
        return Ok(None);
    }
    if HomeName::parse(prefix.as_bytes()).is_err() || prefix.contains('/') {
        return Err(unusable("sync.prefix", "no prefix such as 88.990"));
    }
    let transport = transport(config)?;
    let (folder, keep, now) = (data.join(FOLDER), values.number("sync.keep_days"), catalog.now());
    let opened = tokio::task::spawn_blocking(move || Outbox::open(&folder, keep, now)).await;
    let opened = opened.map_err(|cause| not_opened(data, &cause))?;
    let outbox = Arc::new(opened.map_err(|cause| not_opened(data, &chain(&cause)))?);
    let routes = sites.iter().flat_map(routes).collect();
    let role = if values.text("sync.role") == "enterprise" { Role::Enterprise } else { Role::Node };
    let collects = role == Role::Node;
    let collection = collects.then(|| CollectionKeeper::start(config, catalog, &outbox, prefix));
    let maker = Maker::new(catalog, Arc::clone(&outbox), prefix, routes, figures).with_role(role).watched(watch);
    let desk = Desk::new(catalog, Arc::clone(&outbox), prefix);
    let driver = Arc::new(Driver::new(maker, desk, outbox, transport));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(Arc::clone(&driver).run(stopped));
    Ok(Some(SyncKeeper { driver, collection, stop, task }))
}

fn unusable(key: &'static str, cause: impl std::fmt::Display) -> Problem {
    Problem::new("sync-unusable", Exit::Usage).with("key", key).with("cause", cause)
}

fn not_opened(data: &Path, cause: &dyn std::fmt::Display) -> Problem {
    Problem::new("sync-not-opened", Exit::Unavailable).with("path", data.join(FOLDER).display()).with("cause", cause)
}

fn transport(config: &Config) -> Result<Box<dyn Transport>, Problem> {
    let values = config.values();
    if let Some(folder) = config.path("sync.directory") {
        return Ok(Box::new(DirectoryTransport::new(folder)));
    }
    let url: GrpcUrl = values.text("sync.server").parse().map_err(|cause| unusable("sync.server", cause))?;
    let read = |key: &'static str| match config.path(key) {
        Some(path) => std::fs::read(path).map(Some).map_err(|cause| unusable(key, cause)),
        None => Ok(None),
    };
    let trust = match (values.text("sync.pin"), read("sync.authorities")?) {
        ("", None) => None,
        ("", Some(pem)) => Some(ServerTrust::Authorities(pem)),
        (pin, None) => Some(ServerTrust::Pin(parse_pin(pin)?)),
        (_, Some(_)) => return Err(unusable("sync.pin", "set this or sync.authorities")),
    };
    let certificate = match (read("sync.certificate")?, read("sync.private_key")?) {
        (Some(chain), Some(key)) => Some(ClientCertificate { chain, key }),
        _ => None,
    };
    if !url.is_encrypted && !url.is_local() {
        return Err(unusable("sync.server", "sets tell of people: another machine is spoken to over grpcs://"));
    }
    let token = match config.path("sync.token_file") {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|cause| unusable("sync.token_file", cause))?;
            Some(text.trim().to_owned())
        }
        None => None,
    };
    let endpoint = Endpoint { trust, token, certificate, ..Endpoint::new(url) };
    let transport = GrpcTransport::new(&endpoint).map_err(|cause| unusable("sync.server", chain(&cause)))?;
    Ok(Box::new(transport))
}

/// The routes a site of the node is.
fn routes(site: &[u8]) -> Vec<Route> {
    let Ok(site) = Site::parse(site) else { return Vec::new() };
    let mut routes = Vec::new();
    for server in &site.servers {
        let port = |protocol: InterfaceProtocol| {
            let interface = server.interfaces.iter().find(|interface| interface.protocol == protocol)?;
            u16::try_from(interface.port).ok()
        };
        let (tcp, udp) = (port(InterfaceProtocol::TCP), port(InterfaceProtocol::UDP));
        let http = port(InterfaceProtocol::HTTP);
        if tcp.or(udp).or(http).is_some() {
            routes.push(Route::new(server.address.ip(), tcp, udp, http));
        }
    }
    routes
}

impl SyncKeeper {
    /// What operators ask of it.
    pub(crate) fn control(&self) -> Arc<dyn TopSync> {
        let collected = self.collection.as_ref().map(CollectionKeeper::shown);
        Arc::new(Control { driver: Arc::clone(&self.driver), collected })
    }

    /// What enterprises report, where the node collects it.
    pub(crate) fn collection(&self) -> Option<&CollectionKeeper> {
        self.collection.as_ref()
    }

    /// How everything stands.
    pub(crate) fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    /// Ends after the turn under way.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        if let Some(collection) = self.collection {
            collection.stop().await;
        }
        // A panic was reported by the task.
        let _ended = self.task.await;
    }
}

/// The exchange as operators see it.
#[derive(Debug)]
struct Control {
    driver: Arc<Driver>,
    collected: Option<Collected>,
}

/// The set of a name that was checked.
fn set(name: &str) -> Result<SetName, SyncProblem> {
    name.parse().map_err(|_| SyncProblem::NoPart)
}

fn failed(error: &OutboxError) -> SyncProblem {
    SyncProblem::Failed(chain(error))
}

impl TopSync for Control {
    fn knows(&self, name: &str) -> bool {
        set(name).is_ok()
    }

    fn status(&self) -> v1::SyncStatus {
        let report = self.driver.report();
        let now = self.driver.now().0;
        let owed_by = |status: &SetStatus| match status.set {
            SetName::Report if !report.not_made.contains(&status.set) => {
                let told = status.cursor.period.parse::<Month>();
                let next = told.map_or_else(|_| Month::of(self.driver.now()), Month::next);
                working_days_after(next.last(), OWED_WORKING_DAYS).to_string()
            }
            _ => String::new(),
        };
        let sets = report.sets.iter().cloned().map(|status| v1::SetStatus {
            owed_by: owed_by(&status),
            set: status.set.to_string(),
            schedule: status.set.schedule().as_str().to_owned(),
            paused: status.is_paused,
            made: status.last_sequence > 0 || !report.not_made.contains(&status.set),
            period: status.cursor.period,
            last_sequence: status.last_sequence,
            waiting: status.waiting,
            refused: status.refused,
            oldest_seconds: status.oldest.map_or(0, |made| (now.saturating_sub(made) / 1_000).max(1)),
            acknowledged_ms: status.acknowledged.unwrap_or(0),
            problem: report.problems.making.get(&status.set).cloned().unwrap_or(status.problem),
        });
        v1::SyncStatus {
            destination: report.destination,
            node: report.node,
            problem: report.problems.carrying.unwrap_or_default(),
            sets: sets.collect(),
            owners: self.collected.as_ref().map_or_else(Vec::new, |collected| collected.owners(self.driver.now())),
            drops: self.collected.as_ref().map_or_else(Vec::new, Collected::drop_problems),
        }
    }

    fn parts(&self, request: &v1::ListPartsRequest) -> v1::ListPartsResponse {
        let before = if request.before == 0 { u64::MAX } else { request.before };
        let most = if request.most == 0 { LISTED.0 } else { request.most.min(LISTED.1) };
        let parts = set(&request.set)
            .map_or_else(|_| Vec::new(), |set| self.driver.outbox().newest(set, before, most as usize));
        v1::ListPartsResponse { parts: parts.into_iter().map(shown).collect() }
    }

    fn rows(&self, request: &v1::PartRowsRequest) -> Result<v1::PartRowsResponse, SyncProblem> {
        let part = self.driver.outbox().part(set(&request.set)?, request.sequence).ok_or(SyncProblem::NoPart)?;
        let rows = self.driver.outbox().rows(&part).map_err(|error| failed(&error))?;
        Ok(v1::PartRowsResponse { part: Some(shown(part)), rows })
    }

    fn resend(&self, request: &v1::ResendRequest, by: &str) -> Result<u64, SyncProblem> {
        let v1::ResendRequest { set: name, from, upto } = request;
        let resent = self.driver.outbox().resend(set(name)?, *from, *upto, by, self.driver.now());
        let count = resent.map_err(|error| failed(&error))?;
        tracing::info!(by, set = name, from, upto, count, "parts are sent again");
        Ok(count)
    }

    fn mark(&self, request: &v1::MarkRequest, by: &str) -> Result<u64, SyncProblem> {
        let v1::MarkRequest { set: name, from, upto, reason } = request;
        let marked = self.driver.outbox().mark(set(name)?, *from, *upto, reason.trim(), by, self.driver.now());
        let count = marked.map_err(|error| failed(&error))?;
        tracing::info!(by, set = name, from, upto, reason, count, "parts are settled by hand");
        Ok(count)
    }

    fn pause(&self, request: &v1::PauseRequest, by: &str) -> Result<u64, SyncProblem> {
        let sets = if request.set.is_empty() { SetName::ALL.to_vec() } else { vec![set(&request.set)?] };
        let mut count = 0;
        for set in sets {
            let changed = self.driver.outbox().pause(set, request.paused, self.driver.now());
            count += u64::from(changed.map_err(|error| failed(&error))?);
        }
        tracing::info!(by, set = request.set, paused = request.paused, count, "sets are held back, or go on");
        Ok(count)
    }
}

fn shown(part: Part) -> v1::SetPart {
    v1::SetPart {
        set: part.set.to_string(),
        sequence: part.sequence,
        period: part.period,
        part: part.part,
        parts: part.parts,
        rows: part.rows,
        bytes: part.bytes,
        sha256: part.sha256,
        state: part.state.as_str().to_owned(),
        attempts: part.attempts,
        made_ms: part.made,
        tried_ms: part.tried,
        settled_ms: part.settled,
        problem: part.problem,
        by: part.by,
        owner: part.owner,
        origin: part.origin,
    }
}
