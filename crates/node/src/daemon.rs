//! The node: opened from a configuration, stopped in order. What `waymarkd` runs, and the demo too.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use waymark_catalog::{Catalog, Opened};
use waymark_resolver::{
    AdministrationDoors, NodeKey, Settings, SiteSet, SiteSetOptions,
    door::{self, Drained, Running},
};
use waymark_store::StateFound;
use waymark_top_sync::figures::Figures;
use waymark_wire::Ttl;

use crate::{
    answer_log::AnswerLog,
    audit::AuditKeeper,
    certificate::{self, write_private},
    cli::terminal,
    collection::CollectionKeeper,
    config::Config,
    deposit_courier::DepositKeeper,
    deposits,
    docking::DockingKeeper,
    doors, http,
    listen::Listening,
    problem::{Exit, Problem},
    recursion::{self, RecursionKeeper},
    registration::{Opening, Registration, first_token},
    sites::{self, SiteFacts},
    status::Watched,
    sync::{self, SyncKeeper},
    traffic::NodeTraffic,
    watch::{self as own_watch, WatchKeeper},
};

/// Code of the problem that a folder holds no store.
pub(crate) const NO_STORE: &str = "data-no-store";
/// The node's private key within the data folder.
const KEY_FILE: &str = "node-key.bin";

/// An open node.
pub struct Node {
    catalog: Catalog,
    doors: Arc<Mutex<Option<Running>>>,
    registration: Arc<Mutex<Option<Registration>>>,
    watched: Arc<Watched>,
    listening: Listening,
    data: PathBuf,
    drain: Duration,
    certificate: Option<ShownCertificate>,
    pages: watch::Sender<bool>,
    answer_log: Option<AnswerLog>,
    audit: AuditKeeper,
    recursion: Option<RecursionKeeper>,
    sync: Option<SyncKeeper>,
    docking: Option<DockingKeeper>,
    own_watch: Option<WatchKeeper>,
    deposits: Option<DepositKeeper>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("listening", &self.listening).finish_non_exhaustive()
    }
}

/// The certificate of the QUIC door and where a newer one would be read from.
struct ShownCertificate {
    source: certificate::Source,
    shown: door::Certificate,
}

impl Node {
    /// Opens the data folder and the doors, writes `listen.json`.
    ///
    /// # Errors
    /// What cannot be opened, by name; what was opened before it is closed again.
    pub async fn start(config: &Config, data: &Path) -> Result<Self, Problem> {
        let options = waymark_catalog::Options { codes: Arc::new(config.codes()?), ..config.catalog(data) };
        let Opened { catalog, recovery } = open_catalog(options).await?;
        report(&recovery);
        let key = Arc::new(node_key(config, data).await?);
        let (certificate, fingerprint) = show_certificate(config, data)?;
        let watched = Arc::new(Watched::new(catalog.clone()));
        let (pages, pages_stop) = watch::channel(false);
        let http = http::serve(&config.addresses("listen.http"), Arc::clone(&watched), &pages_stop).await.map_err(
            |cause| Problem::new("listen-failed", Exit::Failed).with("what", "listen.http").with("cause", cause),
        )?;

        let shown = certificate.as_ref().map(|certificate| certificate.shown.clone());
        let answer_log = start_answer_log(config, data, &catalog).await?;
        let traffic = answer_log.as_ref().and_then(AnswerLog::traffic);
        let tap = answer_log.as_ref().map(AnswerLog::tap);
        let bound = door::bind(doors::settings(config, shown, tap.clone())).map_err(|error| not_opened(&error))?;
        let registration = Opening::bind(config, data)?;
        if registration.is_some() {
            first_token(&catalog, config, data).await?;
        }
        let listening = Listening {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            udp: bound.addresses().udp.clone(),
            tcp: bound.addresses().tcp.clone(),
            quic: bound.addresses().quic.clone(),
            http,
            quic_fingerprint: fingerprint,
            grpc: registration.as_ref().map_or_else(Vec::new, |opening| opening.addresses().grpc.clone()),
            api: registration.as_ref().map_or_else(Vec::new, |opening| opening.addresses().http.clone()),
            query: registration.as_ref().map_or_else(Vec::new, |opening| opening.addresses().query.clone()),
            registration_fingerprint: registration
                .as_ref()
                .map_or_else(String::new, |opening| opening.fingerprint.clone()),
        };
        let mut settings = settings(config, key, &listening)?;
        let recursion = recursion::start(config, data, &catalog, &settings.sites)?;
        let (shown, recursion) = recursion.map_or((None, None), |(shown, keeper)| (Some(shown), Some(keeper)));
        settings.recursion = shown;
        let settings = Arc::new(settings);
        let running = bound.start(&catalog, &settings).map_err(|error| not_opened(&error))?;
        let doors = Arc::new(Mutex::new(Some(running)));
        let control = recursion.as_ref().map(RecursionKeeper::control);
        let counted = traffic.as_ref().map(|traffic| Arc::new(traffic.traffic.clone()) as Arc<dyn Figures>);
        let own_watch = own_watch::open(config, data, &catalog).await?;
        let sync = sync::start(config, data, &catalog, &settings.sites, counted.clone(), own_watch.clone()).await?;
        let docking = DockingKeeper::start(&catalog, config, data)?;
        let (asked, deposits) = deposits::start(config, data, &catalog)?;
        let controls = waymark_registration::Settings {
            recursion: control,
            sync: sync.as_ref().map(SyncKeeper::control),
            docking: docking.as_ref().map(DockingKeeper::control),
            collection: sync.as_ref().and_then(SyncKeeper::collection).map(CollectionKeeper::door),
            deposits: asked,
            traffic: traffic.as_ref().map(NodeTraffic::control),
            watching: own_watch.as_ref().map(|watch| own_watch::control(watch, &catalog, counted)),
            registrations: traffic.as_ref().map(|traffic| Arc::clone(&traffic.registrations)),
            ..waymark_registration::Settings::alone(waymark_catalog::machine_time)
        };
        let registration = registration.map(|opening| opening.start(&catalog, &controls)).transpose()?;
        let registration = Arc::new(Mutex::new(registration));
        let audit = AuditKeeper::start(&catalog, config, data)?;
        watched.keeps_audit(audit.failures());
        if let Some(recursion) = &recursion {
            watched.recurses(Arc::clone(recursion.recursor()));
        }
        if let Some(sync) = &sync {
            watched.owes(Arc::clone(sync.driver()));
            if let Some(collection) = sync.collection() {
                watched.collects(collection.shown());
            }
        }
        if let Some(docking) = &docking {
            watched.docks(docking.docking().clone());
        }
        if let Some(deposits) = &deposits {
            watched.deposits(Arc::clone(deposits.courier()));
        }
        if let Some(traffic) = traffic {
            watched.counts(traffic);
        }
        watched.doors_opened(Arc::clone(&doors), Arc::clone(&registration), listening.clone(), tap);
        write_listening(&listening, data)?;
        let own_watch = own_watch.map(|watch| {
            watched.watches(Arc::clone(&watch));
            WatchKeeper::start(watch, config, &catalog, &watched)
        });
        let drain = Duration::from_secs(config.values().number("node.stop_seconds"));
        Ok(Self {
            catalog,
            doors,
            registration,
            watched,
            listening,
            data: data.to_owned(),
            drain,
            certificate,
            pages,
            answer_log,
            audit,
            recursion,
            sync,
            docking,
            own_watch,
            deposits,
        })
    }

    /// Where it listens.
    pub fn listening(&self) -> &Listening {
        &self.listening
    }

    /// What it holds.
    pub(crate) const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Reads the certificates of the QUIC and registration doors again; connections that are open keep the old ones.
    ///
    /// # Errors
    /// The files cannot be used; the old certificate stays.
    pub fn reload_certificates(&mut self) -> Result<(), Problem> {
        if let Some(ShownCertificate { source, shown }) = &self.certificate {
            let read = source.load()?;
            shown.replace(read.chain, read.key).map_err(|cause| mismatch(&cause))?;
            self.listening.quic_fingerprint.clone_from(&read.fingerprint);
        }
        let registration = self.registration.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fingerprint) = registration.as_ref().map(Registration::reload_certificate).transpose()?.flatten() {
            self.listening.registration_fingerprint = fingerprint;
        }
        drop(registration);
        self.watched.listens(self.listening.clone());
        write_listening(&self.listening, &self.data)
    }

    /// Stops: no more questions, what is under way is answered, the data folder is closed. `again` cuts the waiting short.
    ///
    /// # Errors
    /// The data folder could not be closed in order; the next start takes longer.
    pub async fn stop(mut self, again: impl Future<Output = ()>) -> Result<(), Problem> {
        self.watched.stopping();
        if let Some(own_watch) = &mut self.own_watch {
            own_watch.pause().await;
        }
        // Behind the line above: who reads this asks for a page that says the same.
        tracing::info!("stopping: answering what is under way");
        let running = self.doors.lock().unwrap_or_else(PoisonError::into_inner).take();
        let registration = self.registration.lock().unwrap_or_else(PoisonError::into_inner).take();
        let answering = async {
            if let Some(running) = running
                && running.drain(self.drain).await == Drained::CutOff
            {
                tracing::warn!("some questions were cut off: node.stop_seconds is over");
            }
        };
        let registering = async {
            if let Some(registration) = registration {
                registration.drain(self.drain).await;
            }
        };
        tokio::select! {
            _ = async { tokio::join!(answering, registering) } => {}
            () = again => tracing::warn!("stopping at once"),
        }
        if let Err(cause) = Listening::remove(&self.data) {
            tracing::warn!(%cause, "listen.json could not be removed");
        }
        self.pages.send_replace(true);
        // What was answered and done last is written before the end.
        drop(self.answer_log);
        if let Some(recursion) = self.recursion {
            recursion.stop().await;
        }
        if let Some(docking) = self.docking {
            docking.stop().await;
        }
        if let Some(sync) = self.sync {
            sync.stop().await;
        }
        if let Some(own_watch) = self.own_watch {
            own_watch.stop().await;
        }
        if let Some(deposits) = self.deposits {
            deposits.stop().await;
        }
        self.audit.stop().await;
        close(self.catalog).await
    }
}

/// Closes a data folder where waiting is allowed.
///
/// # Errors
/// It could not be closed in order; the next start takes longer.
pub(crate) async fn close(catalog: Catalog) -> Result<(), Problem> {
    match tokio::task::spawn_blocking(move || catalog.shutdown()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(cause)) => Err(Problem::new("data-not-closed", Exit::Failed).with("cause", chain(&cause))),
        Err(cause) => Err(Problem::new("data-not-closed", Exit::Failed).with("cause", cause)),
    }
}

/// Starts what keeps records of answers and counts them, where waiting is allowed: after a kill it counts again what was recorded.
async fn start_answer_log(config: &Config, data: &Path, catalog: &Catalog) -> Result<Option<AnswerLog>, Problem> {
    let (config, folder, catalog) = (config.clone(), data.to_owned(), catalog.clone());
    let started = tokio::task::spawn_blocking(move || AnswerLog::start(&config, &folder, &catalog)).await;
    let failed = |cause: String| {
        let path = data.join("answers.log");
        Problem::new("file-not-written", Exit::Failed).with("path", path.display()).with("cause", cause)
    };
    started.map_err(|cause| failed(cause.to_string()))?.map_err(|cause| failed(chain(&cause)))
}

fn write_listening(listening: &Listening, data: &Path) -> Result<(), Problem> {
    listening.write(data).map_err(|cause| {
        Problem::new("file-not-written", Exit::Failed)
            .with("path", Listening::path(data).display())
            .with("cause", cause)
    })
}

/// Opens the catalog of a data folder where waiting is allowed.
///
/// # Errors
/// The folder is in use, is none of ours, or cannot be read.
pub async fn open_catalog(options: waymark_catalog::Options) -> Result<Opened, Problem> {
    let data = options.store.dir.clone();
    let data = data.as_path();
    let opened = tokio::task::spawn_blocking(move || waymark_catalog::open(&options)).await;
    let opened = opened.map_err(|cause| {
        Problem::new("data-not-opened", Exit::Failed).with("path", data.display()).with("cause", cause)
    })?;
    opened.map_err(|cause| data_problem(data, &cause))
}

/// Why a data folder was not opened, for a person.
pub(crate) fn data_problem(data: &Path, cause: &waymark_catalog::OpenError) -> Problem {
    let code = match cause {
        waymark_catalog::OpenError::Store(waymark_store::OpenError::Locked { .. }) => "data-in-use",
        waymark_catalog::OpenError::Store(waymark_store::OpenError::NoStore { .. }) => NO_STORE,
        _ => "data-not-opened",
    };
    Problem::new(code, Exit::Unavailable).with("path", data.display()).with("cause", chain(cause))
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

fn report(recovery: &waymark_catalog::Recovery) {
    tracing::info!(
        identifiers = recovery.entries,
        prefixes = recovery.prefixes,
        serial = recovery.store.last.serial.0,
        snapshot = recovery.snapshot.map(|serial| serial.0),
        "data opened"
    );
    if let Some(torn) = &recovery.store.torn {
        tracing::warn!(
            file = %torn.file.display(), offset = torn.offset, bytes = torn.bytes, kept = %torn.kept.display(),
            "the log ended inside a group that was never acknowledged; it was cut and kept aside"
        );
    }
    for finding in &recovery.store.damage {
        tracing::error!(%finding, "stored data is damaged; run waymark store check");
    }
    for entry in &recovery.unreadable_access {
        tracing::error!(%entry, "this entry about a principal or token cannot be read and gives no rights");
    }
    for entry in &recovery.unreadable_business {
        tracing::error!(%entry, "this enterprise, case of a prefix, application or own record cannot be read and is left out");
    }
    if !recovery.without_keys.is_empty() {
        let enterprises = recovery.without_keys.join(" ");
        tracing::error!(%enterprises, "the key file has no key for the personal data of these; put the right file back");
    }
    if let Some(cause) = &recovery.snapshot_problem {
        tracing::warn!(%cause, "the index snapshot was not used; all keys were read");
    }
    if recovery.store.state == StateFound::NoRoom {
        tracing::error!("the disk has no room for the queryable state; it is held in memory until the next start");
    }
    if recovery.state_rebuilt {
        tracing::warn!("the queryable state was made anew from the log");
    }
}

/// The key that signs answers: the configured one, else that of the data folder, made at first start.
async fn node_key(config: &Config, data: &Path) -> Result<NodeKey, Problem> {
    let configured = config.path("site.key_file");
    let path = configured.clone().unwrap_or_else(|| data.join(KEY_FILE));
    let unusable = |cause: &dyn std::fmt::Display| {
        Problem::new("key-unusable", Exit::Usage).with("path", path.display()).with("cause", cause)
    };
    match fs::read(&path) {
        Ok(file) => NodeKey::open(&file, None).map_err(|cause| unusable(&chain(&cause))),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound && configured.is_none() => {
            let made = tokio::task::spawn_blocking(NodeKey::generate).await.map_err(|cause| unusable(&cause))?;
            let key = made.map_err(|cause| unusable(&chain(&cause)))?;
            let file = key.to_file().ok_or_else(|| unusable(&"the key has no file form"))?;
            write_private(&path, &file).map_err(|cause| {
                Problem::new("file-not-written", Exit::Failed).with("path", path.display()).with("cause", cause)
            })?;
            Ok(key)
        }
        Err(cause) => Err(unusable(&cause)),
    }
}

fn show_certificate(config: &Config, data: &Path) -> Result<(Option<ShownCertificate>, String), Problem> {
    if config.addresses("listen.quic").is_empty() {
        return Ok((None, String::new()));
    }
    let source = config.certificate(data);
    let read = source.load()?;
    let shown = door::Certificate::new(read.chain, read.key).map_err(|cause| mismatch(&cause))?;
    if read.is_development {
        tracing::warn!(fingerprint = %read.fingerprint, "QUIC shows a development certificate; clients must pin it");
    }
    Ok((Some(ShownCertificate { source, shown }), read.fingerprint))
}

fn mismatch(cause: &dyn std::fmt::Display) -> Problem {
    Problem::new("certificate-mismatch", Exit::Usage).with("cause", cause)
}

fn not_opened(error: &door::StartError) -> Problem {
    Problem::new("doors-not-opened", Exit::Failed).with("cause", chain(error))
}

fn settings(config: &Config, key: Arc<NodeKey>, listening: &Listening) -> Result<Settings, Problem> {
    let values = config.values();
    let facts = SiteFacts {
        description: values.text("site.description").to_owned(),
        serial: u16::try_from(values.number("site.serial")).unwrap_or(u16::MAX),
        is_primary: values.flag("site.primary"),
        addresses: config.ip_addresses("site.addresses"),
        public_key: key.public_key().as_bytes().to_vec(),
        quic_pin: config.path("quic.certificate").is_none().then(|| listening.quic_fingerprint.clone()),
    };
    let data = match config.path("site.file") {
        Some(path) => sites::read(&path)?,
        None => sites::make(&facts, listening),
    };
    let ttl = i32::try_from(values.number("site.ttl_seconds")).unwrap_or(i32::MAX);
    let timestamp = u32::try_from(waymark_catalog::machine_time().0 / 1_000).unwrap_or(u32::MAX);
    let sites = SiteSet::new(SiteSetOptions { sites: data, own_position: 0, ttl: Ttl::Relative(ttl), timestamp });
    Ok(Settings {
        sites: sites.map_err(|cause| Problem::new("site-unusable", Exit::Usage).with("cause", chain(&cause)))?,
        administration: AdministrationDoors::default(),
        node_key: Some(key),
        recursion: None,
        answer_lifetime_seconds: u32::try_from(values.number("site.answer_lifetime_seconds")).unwrap_or(u32::MAX),
    })
}

/// Waits for the signal to stop: SIGTERM or SIGINT. Each call waits for one more.
pub async fn stop_asked(signals: &mut Signals) {
    tokio::select! {
        _ = signals.terminate.recv() => {}
        _ = signals.interrupt.recv() => {}
    }
}

/// The signals a node listens to. Made before the doors open, so that none is missed.
#[derive(Debug)]
pub struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    /// Takes over SIGTERM, SIGINT and SIGHUP.
    ///
    /// # Errors
    /// What the system says.
    pub fn take() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// The node cannot be opened, or not closed in order.
pub async fn run(config: &Config, data: &Path) -> Result<Exit, Problem> {
    let mut signals = Signals::take().map_err(|cause| Problem::new("signals", Exit::Failed).with("cause", cause))?;
    let mut node = Node::start(config, data).await?;
    terminal::line(node.listening().line());
    loop {
        let Signals { terminate, interrupt, hang_up } = &mut signals;
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => match node.reload_certificates() {
                Ok(()) => tracing::info!(
                    quic = %node.listening().quic_fingerprint,
                    registration = %node.listening().registration_fingerprint,
                    "certificates read again"
                ),
                Err(problem) => tracing::error!(%problem, "the certificate was not taken; the old one stays"),
            },
        }
    }
    node.stop(stop_asked(&mut signals)).await?;
    Ok(Exit::Done)
}
