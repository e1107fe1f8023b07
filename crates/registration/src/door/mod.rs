//! The doors: addresses, TLS, starting and stopping. No decisions about content.
//!
//! [`Service::bind`] takes the addresses, [`Bound::start`] begins to answer and gives [`Running`], which knows the actual addresses and stops the
//! doors again: [`Running::drain`] takes no more calls, finishes what is under way, and ends within a bound.

mod admission;
mod connection;
mod listen;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use waymark_catalog::{Catalog, Clock};

pub(crate) use self::admission::Source;
pub(crate) use self::connection::{Connection, Peer};
pub use self::tls::{Certificate, Tls, TlsError};

use self::listen::Doorway;
use crate::collection::Collection;
use crate::config::Limits;
use crate::counters::Counters;
use crate::deposits::Deposits;
use crate::docking::Docking;
use crate::edge::Edge;
use crate::grpc;
use crate::http;
use crate::jobs::{self, Folder, FolderError, Jobs};
use crate::query::{self, Desk, Prepared, QueryConfig, bootstrap::BootstrapFileError};
use crate::recursion::Recursion;
use crate::registered::RegistrationTap;
use crate::sync::TopSync;
use crate::traffic::Traffic;
use crate::watching::Watching;

/// Which doors to open, and how.
#[derive(Clone, Debug, Default)]
pub struct ServiceConfig {
    /// Addresses of the gRPC service. Port 0 is a port the system chooses.
    pub grpc: Vec<SocketAddr>,
    /// Addresses of the HTTP and JSON service. Port 0 is a port the system chooses.
    pub http: Vec<SocketAddr>,
    /// The service for registration data.
    pub query: QueryConfig,
    /// How all of them speak TLS. `None` is plain text: for tests, and for addresses nobody else can reach.
    pub tls: Option<Tls>,
    /// The folder for jobs: uploads that the node works off by itself. Made where there is none; no other process may use it. `None`: this node
    /// takes no jobs.
    pub jobs: Option<PathBuf>,
    /// Limits of the doors.
    pub limits: Limits,
}

/// What the service works with beside the catalog.
#[derive(Clone)]
pub struct Settings {
    /// Reads the time; the one the catalog has.
    pub clock: Clock,
    /// Recursion, where the node resolves names that live elsewhere.
    pub recursion: Option<Arc<dyn Recursion>>,
    /// The exchange with the top-level node, where the node is docked.
    pub sync: Option<Arc<dyn TopSync>>,
    /// The exchange with the top-level node, where the node is connected to one.
    pub docking: Option<Arc<dyn Docking>>,
    /// What enterprises with nodes of their own report, where the node collects it.
    pub collection: Option<Arc<dyn Collection>>,
    /// Deposits, where the node has the keys for them.
    pub deposits: Option<Arc<dyn Deposits>>,
    /// Statistics of requests, where the node keeps them.
    pub traffic: Option<Arc<dyn Traffic>>,
    /// Where records of registrations go, if anybody wants them.
    pub registrations: Option<Arc<RegistrationTap>>,
    /// The watch, where the node watches itself.
    pub watching: Option<Arc<dyn Watching>>,
}

impl Settings {
    /// A service with nothing beside the catalog.
    #[must_use]
    pub const fn alone(clock: Clock) -> Self {
        Self {
            clock,
            recursion: None,
            sync: None,
            docking: None,
            collection: None,
            deposits: None,
            traffic: None,
            registrations: None,
            watching: None,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("recursion", &self.recursion.is_some())
            .field("sync", &self.sync.is_some())
            .field("docking", &self.docking.is_some())
            .field("collection", &self.collection.is_some())
            .field("deposits", &self.deposits.is_some())
            .field("traffic", &self.traffic.is_some())
            .field("watching", &self.watching.is_some())
            .finish_non_exhaustive()
    }
}

/// Why the doors cannot be opened. The operator's fault, or the system's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A gRPC address.
    #[error("cannot answer on grpc://{address}")]
    Grpc {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// An address of the HTTP service.
    #[error("cannot answer on http://{address}")]
    Http {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// An address of the service for registration data.
    #[error("cannot answer on the query address {address}")]
    Query {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// An address of that service which others reach, without TLS.
    #[error("{address} is not on loopback: registration data is answered over TLS there, or not at all")]
    QueryInClear {
        /// The address.
        address: SocketAddr,
    },
    /// Where that service says that it is.
    #[error("{url:?} is no http or https URL that ends with a slash")]
    QueryBase {
        /// What was given.
        url: String,
    },
    /// The bootstrap file.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapFileError),
    /// The certificate, or the authorities for clients.
    #[error("cannot set up TLS")]
    Tls(#[from] TlsError),
    /// The descriptions of the services, which is a defect of this program.
    #[error("cannot describe the services")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// The folder for jobs.
    #[error("cannot use the folder for jobs")]
    Jobs(#[from] FolderError),
}

/// The actual addresses of the doors, in the order they were configured.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Addresses {
    /// Of the gRPC service.
    pub grpc: Vec<SocketAddr>,
    /// Of the HTTP service.
    pub http: Vec<SocketAddr>,
    /// Of the service for registration data.
    pub query: Vec<SocketAddr>,
}

/// How a stop went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drained {
    /// Everything under way was finished.
    Finished,
    /// The bound was reached first; what was left was cut off.
    CutOff,
}

/// The registration service.
#[derive(Clone, Copy, Debug)]
pub struct Service;

/// Doors whose addresses are taken and which do not answer yet.
#[derive(Debug)]
pub struct Bound {
    addresses: Addresses,
    grpc: Vec<TcpListener>,
    grpc_tls: Option<Arc<rustls::ServerConfig>>,
    http: Vec<TcpListener>,
    http_tls: Option<Arc<rustls::ServerConfig>>,
    query: Vec<TcpListener>,
    prepared: Prepared,
    certificate: Option<Certificate>,
    jobs: Option<Folder>,
    limits: Limits,
}

/// Open doors. Dropping this stops them without waiting for anything.
#[derive(Debug)]
pub struct Running {
    addresses: Addresses,
    certificate: Option<Certificate>,
    counters: Arc<Counters>,
    stage: watch::Sender<Stage>,
    tasks: JoinSet<()>,
}

/// Where the doors are in their life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Stage {
    Open,
    Draining,
    CutOff,
}

/// Says to tasks when the doors stop.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(watch::Receiver<Stage>);

impl Stopping {
    /// One for tests, which lasts as long as the sender.
    #[cfg(test)]
    pub(crate) fn for_tests() -> (watch::Sender<Stage>, Self) {
        let (sender, receiver) = watch::channel(Stage::Open);
        (sender, Self(receiver))
    }

    /// Whether stopping has begun.
    pub(crate) fn has_begun(&self) -> bool {
        *self.0.borrow() >= Stage::Draining || self.is_abandoned()
    }

    /// Whether the doors were dropped, and nobody waits for anything.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.0.has_changed().is_err()
    }

    /// Ends when stopping has begun. May be dropped and asked again.
    pub(crate) async fn begun(&mut self) {
        // An error says that nobody is left to tell, which means the same.
        let _ = self.0.wait_for(|stage| *stage >= Stage::Draining).await;
    }

    /// Ends when waiting for those under way is over.
    pub(crate) async fn cut_off(&mut self) {
        let _ = self.0.wait_for(|stage| *stage >= Stage::CutOff).await;
    }
}

impl Service {
    /// Takes all addresses. Call inside a tokio runtime with IO and time. Who connects from now on waits until [`Bound::start`].
    ///
    /// # Errors
    /// [`StartError`] names the address; doors opened before it are closed again.
    pub fn bind(config: ServiceConfig) -> Result<Bound, StartError> {
        let ServiceConfig { grpc, http, query, tls, jobs, limits } = config;
        check_query(&query, tls.is_some())?;
        let grpc_tls = tls.as_ref().map(|tls| tls.server_config(grpc::ALPN)).transpose()?;
        let http_tls = tls.as_ref().map(|tls| tls.server_config(http::ALPN)).transpose()?;
        let mut bound = Bound {
            addresses: Addresses::default(),
            grpc: Vec::new(),
            grpc_tls,
            http: Vec::new(),
            http_tls,
            query: Vec::new(),
            prepared: Prepared::default(),
            certificate: tls.map(|tls| tls.certificate),
            jobs: jobs.map(Folder::take).transpose()?,
            limits: limits.in_range(),
        };
        for address in grpc {
            let fail = |source| StartError::Grpc { address, source };
            let listener = listen::bind(address).map_err(fail)?;
            bound.addresses.grpc.push(listener.local_addr().map_err(fail)?);
            bound.grpc.push(listener);
        }
        for address in http {
            let fail = |source| StartError::Http { address, source };
            let listener = listen::bind(address).map_err(fail)?;
            bound.addresses.http.push(listener.local_addr().map_err(fail)?);
            bound.http.push(listener);
        }
        for address in query.addresses.iter().copied() {
            let fail = |source| StartError::Query { address, source };
            let listener = listen::bind(address).map_err(fail)?;
            bound.addresses.query.push(listener.local_addr().map_err(fail)?);
            bound.query.push(listener);
        }
        if !bound.query.is_empty() {
            bound.prepared = Prepared::new(query)?;
        }
        Ok(bound)
    }
}

impl Bound {
    /// The addresses that will answer, with the ports the system chose.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Begins to answer, on the runtime this is called in.
    ///
    /// # Errors
    /// [`StartError::Reflection`], [`StartError::Jobs`]; everything is closed again.
    pub fn start(self, catalog: &Catalog, settings: &Settings) -> Result<Running, StartError> {
        let Self { addresses, grpc, grpc_tls, http, http_tls, query, prepared, certificate, jobs, limits } = self;
        let (stage, stopping) = watch::channel(Stage::Open);
        let stopping = Stopping(stopping);
        let counters = Arc::new(Counters::new());
        let edge = Edge::new(catalog, limits, Arc::clone(&counters), settings.clone(), stopping.clone());
        let mut running = Running { addresses, certificate, counters, stage, tasks: JoinSet::new() };
        let jobs = jobs.map(|folder| Jobs::open(folder, limits, settings.clock)).transpose()?;
        if let Some(jobs) = &jobs {
            running.tasks.spawn(jobs::work(Arc::clone(jobs), Arc::clone(&edge)));
        }
        if !grpc.is_empty() {
            let connections = running.open(grpc, grpc_tls, &limits, &stopping);
            let serving = grpc::serve(&edge, jobs, connections, &mut running.tasks).map_err(StartError::Reflection)?;
            running.tasks.spawn(serving);
        }
        if !http.is_empty() {
            let connections = running.open(http, http_tls.clone(), &limits, &stopping);
            running.tasks.spawn(http::serve(Arc::clone(&edge), connections));
        }
        if !query.is_empty() {
            let (desk, follow) = Desk::open(&edge, prepared, http_tls.is_some());
            let connections = running.open(query, http_tls, &limits, &stopping);
            running.tasks.spawn(query::serve(desk, connections));
            if let Some(follow) = follow {
                running.tasks.spawn(follow);
            }
        }
        Ok(running)
    }
}

/// What the service for registration data cannot be opened with.
fn check_query(query: &QueryConfig, is_encrypted: bool) -> Result<(), StartError> {
    let in_clear = query.addresses.iter().find(|address| !is_encrypted && !address.ip().is_loopback());
    if let Some(address) = in_clear {
        return Err(StartError::QueryInClear { address: *address });
    }
    if query.base_url.is_empty() || query::bootstrap::is_base(&query.base_url) {
        return Ok(());
    }
    Err(StartError::QueryBase { url: query.base_url.clone() })
}

/// Accepted connections of one door.
pub(crate) type Incoming = futures_util::stream::BoxStream<'static, Result<Connection, io::Error>>;

impl Running {
    /// Begins to accept on listeners of one door.
    fn open(
        &mut self,
        listeners: Vec<TcpListener>,
        tls: Option<Arc<rustls::ServerConfig>>,
        limits: &Limits,
        stopping: &Stopping,
    ) -> Incoming {
        let doorway = Doorway::new(tls, limits, &self.counters);
        // One waiting is enough: whoever has shaken hands is taken at once.
        let (ready, connections) = mpsc::channel(1);
        for listener in listeners {
            self.tasks.spawn(Arc::clone(&doorway).accept(listener, ready.clone(), stopping.clone()));
        }
        ReceiverStream::new(connections).map(Ok).boxed()
    }

    /// The addresses that answer, with the ports the system chose.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Shows another certificate to whoever connects from now on; open connections keep theirs. Without TLS nothing happens.
    ///
    /// # Errors
    /// The key cannot be used, or is not that of the first certificate; the old one stays.
    pub fn reload_certificate(
        &self,
        chain: Vec<rustls::pki_types::CertificateDer<'static>>,
        key: rustls::pki_types::PrivateKeyDer<'static>,
    ) -> Result<(), rustls::Error> {
        self.certificate.as_ref().map_or(Ok(()), |certificate| certificate.replace(chain, key))
    }

    /// Stops: takes no more connections and calls, finishes those under way, ends watches. Ends at the latest after `bound` (see
    /// [`config::DRAIN_TIME`](crate::config::DRAIN_TIME)); what is left then is cut off.
    pub async fn drain(mut self, bound: Duration) -> Drained {
        self.stage.send_replace(Stage::Draining);
        let ended = timeout(bound, async { while self.tasks.join_next().await.is_some() {} }).await;
        self.stage.send_replace(Stage::CutOff);
        self.tasks.shutdown().await;
        if ended.is_ok() { Drained::Finished } else { Drained::CutOff }
    }
}
