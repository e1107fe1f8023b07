//! A top-level node for development and tests: takes data sets, checks every field of them, keeps them, and fails on demand.
//!
//! What it takes is judged by the reference (`SETS.md`) alone; nothing here knows the types of whoever sends. What it acknowledged is on disk, also
//! after a kill. The form in which sets travel is Waymark's own, so this says nothing about a real top-level node.
//!
//! It holds what is said of people in clear: a folder of a test, not of anybody's data.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use waymark_api::toplevel::v1::sets_server::SetsServer;
use waymark_catalog::Clock;

pub mod config;
pub mod deposits;
pub mod epp;
pub mod faults;
pub mod ledger;
mod page;
pub mod probe;
mod service;

use self::config::{HANDSHAKE_TIME, KEEPALIVE, MESSAGE_BYTES, STOP_TIME, STREAMS};
use self::deposits::DepositDesk;
use self::faults::{Faults, Plan, PlanError};
use self::ledger::{LedgerError, Ledgers};
use self::probe::{Fleet, Probes};
use self::service::Receiver;

/// How a simulator is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where sets are taken over gRPC. Without TLS, a loopback address.
    pub listen: SocketAddr,
    /// Where the pages are, over HTTP: a loopback address, since they show everything to everybody.
    pub http: SocketAddr,
    /// Where what comes is kept.
    pub folder: PathBuf,
    /// What it shows over TLS; `None`: plain.
    pub tls: Option<Tls>,
    /// What goes wrong from the start.
    pub faults: Plan,
    /// Its clock.
    pub clock: Clock,
    /// How nodes are probed; `None`: they are not.
    pub probes: Option<Fleet>,
    /// Further pages, beside its own.
    pub pages: axum::Router,
}

/// PEM files of TLS, as they are read.
#[derive(Clone)]
pub struct Tls {
    /// Certificate chain, the top node's own certificate first.
    pub certificate: Vec<u8>,
    /// Private key.
    pub key: Vec<u8>,
    /// Who signs certificates of nodes. Then each caller has to show one whose common name is its prefix; `None`: everybody may send for any node.
    pub client_ca: Option<Vec<u8>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the key.
        f.debug_struct("Tls").field("asks_clients", &self.client_ca.is_some()).finish_non_exhaustive()
    }
}

/// Why a simulator does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Sets hold what is said of people: they do not travel in clear.
    #[error("{0} is no loopback address, and without TLS sets are taken on one only")]
    PlainOutside(SocketAddr),
    /// The pages show everything to everybody.
    #[error("{0} is no loopback address, and the pages are shown on one only")]
    PagesOutside(SocketAddr),
    /// An address that cannot be taken.
    #[error("{address} cannot be listened on")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// Certificate, key or authority.
    #[error("the certificates cannot be used")]
    Tls(#[source] tonic::transport::Error),
    /// The folder.
    #[error("the ledgers cannot be opened")]
    Ledger(#[from] LedgerError),
    /// The faults wanted.
    #[error("the faults cannot be used")]
    Faults(#[from] PlanError),
}

/// A simulator that runs. Dropping it stops it at once.
#[derive(Debug)]
pub struct Simulator {
    grpc: SocketAddr,
    http: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// What the gRPC service and the pages share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) ledgers: Ledgers,
    pub(crate) faults: Faults,
    pub(crate) clock: Clock,
    /// Room for streams.
    pub(crate) streams: Arc<Semaphore>,
    /// Whether callers show who they are.
    pub(crate) names_callers: bool,
    /// What probes found.
    pub(crate) probes: Option<Arc<Probes>>,
}

impl Simulator {
    /// Opens the folder and the doors. Port 0 is one that is free.
    ///
    /// # Errors
    /// What cannot be opened.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        Self::start_beside(options, None).await
    }

    /// The same with the pages of deposits, which come in beside.
    ///
    /// # Errors
    /// What cannot be opened.
    pub async fn start_beside(options: Options, deposits: Option<&DepositDesk>) -> Result<Self, StartError> {
        let Options { listen, http, folder, tls, faults, clock, probes, pages } = options;
        if tls.is_none() && !listen.ip().is_loopback() {
            return Err(StartError::PlainOutside(listen));
        }
        if !http.ip().is_loopback() {
            return Err(StartError::PagesOutside(http));
        }
        let server = server(tls.as_ref())?;
        let shared = Arc::new(Shared {
            ledgers: Ledgers::open(&folder)?,
            faults: Faults::new(faults)?,
            clock,
            streams: Arc::new(Semaphore::new(STREAMS)),
            names_callers: tls.is_some_and(|tls| tls.client_ca.is_some()),
            probes: probes.map(|fleet| Arc::new(Probes::new(fleet))),
        });
        let (grpc, grpc_listener) = bind(listen).await?;
        let (http, http_listener) = bind(http).await?;
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_sets(server, grpc_listener, Arc::clone(&shared), stopping.clone()));
        if let Some(probes) = &shared.probes {
            tasks.spawn(probe::run(Arc::clone(&shared), Arc::clone(probes), stopping.clone()));
        }
        let more = deposits.map(|desk| deposits::page::pages(desk.shared())).unwrap_or_default().merge(pages);
        tasks.spawn(page::serve(http_listener, Arc::clone(&shared), more, stopping));
        Ok(Self { grpc, http, shared, stop, tasks })
    }

    /// Where it takes sets.
    #[must_use]
    pub const fn grpc(&self) -> SocketAddr {
        self.grpc
    }

    /// Where its pages are.
    #[must_use]
    pub const fn http(&self) -> SocketAddr {
        self.http
    }

    /// What goes wrong; can be changed while it runs.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// What came, and what is held.
    #[must_use]
    pub fn ledgers(&self) -> &Ledgers {
        &self.shared.ledgers
    }

    /// The same, and what probes found, for whoever goes on using them while it runs.
    #[must_use]
    pub fn observed(&self) -> Observed {
        Observed(Arc::clone(&self.shared))
    }

    /// Stops in order: parts that are under way are answered, streams are ended.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        // What takes longer is cut off when this is dropped.
        let _cut_off = timeout(STOP_TIME, ended).await;
    }
}

/// What a simulator holds of nodes, shared with it.
#[derive(Clone, Debug)]
pub struct Observed(Arc<Shared>);

impl Observed {
    /// What came, and what is held.
    #[must_use]
    pub fn ledgers(&self) -> &Ledgers {
        &self.0.ledgers
    }

    /// What probes found; `None` where none are made.
    #[must_use]
    pub fn probes(&self) -> Option<&Probes> {
        self.0.probes.as_deref()
    }

    /// Its time.
    #[must_use]
    pub fn now(&self) -> waymark_catalog::Timestamp {
        (self.0.clock)()
    }
}

/// Ends when stopping begins, or when the simulator is gone.
pub(crate) async fn begun(stopping: &mut watch::Receiver<bool>) {
    let _gone = stopping.wait_for(|stops| *stops).await;
}

async fn bind(address: SocketAddr) -> Result<(SocketAddr, TcpListener), StartError> {
    let failed = |cause| StartError::Listen { address, cause };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    Ok((listener.local_addr().map_err(failed)?, listener))
}

fn server(tls: Option<&Tls>) -> Result<Server, StartError> {
    let server = Server::builder().http2_keepalive_interval(Some(KEEPALIVE)).http2_keepalive_timeout(Some(KEEPALIVE));
    let Some(tls) = tls else { return Ok(server) };
    let identity = Identity::from_pem(&tls.certificate, &tls.key);
    let mut config = ServerTlsConfig::new().identity(identity).timeout(HANDSHAKE_TIME);
    if let Some(authority) = &tls.client_ca {
        config = config.client_ca_root(Certificate::from_pem(authority));
    }
    server.tls_config(config).map_err(StartError::Tls)
}

async fn serve_sets(
    mut server: Server,
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) {
    let service = SetsServer::new(Receiver::new(shared, stopping.clone())).max_decoding_message_size(MESSAGE_BYTES);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let served = server.add_service(service).serve_with_incoming_shutdown(incoming, async move {
        begun(&mut stopping).await;
    });
    if let Err(error) = served.await {
        tracing::error!(%error, "the door of sets ended");
    }
}
