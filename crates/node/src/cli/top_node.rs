//! `waymark top-node`: a top-level node for development and tests, until it is told to stop.

use std::{
    fs::File,
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::Args;
use waymark_top_sync::deposit::keys;
use waymark_top_sync::simulator::{
    Options, Simulator, StartError, Tls,
    config::FAULTS_BYTES,
    deposits::{self, DepositDesk, Usage, Users},
    epp::{self, EppSimulator},
    faults::{Plan, PlanError},
    ledger::LedgerError,
};

use super::{deposit::key_problem, terminal};
use crate::{
    above::{Above, AboveOptions},
    config::Config,
    daemon::{Signals, chain, stop_asked},
    logs,
    problem::{Exit, Problem, Problems},
};

/// `waymark top-node`.
#[derive(Debug, Args)]
pub(crate) struct TopNode {
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2650")]
    listen: SocketAddr,
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2651")]
    http: SocketAddr,
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_client_ca: Option<PathBuf>,
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    #[arg(long, value_name = "ADDRESS", requires_all = ["epp_prefix", "epp_user"])]
    epp: Option<SocketAddr>,
    #[arg(long, value_name = "PREFIX", requires = "epp")]
    epp_prefix: Option<String>,
    #[arg(long, value_name = "ID", requires = "epp")]
    epp_user: Option<String>,
    #[command(flatten)]
    above: AboveOptions,
    #[arg(long, value_name = "ADDRESS", requires_all = ["sftp_users", "deposit_key"])]
    sftp: Option<SocketAddr>,
    #[arg(long, value_name = "FILE", requires = "sftp")]
    sftp_users: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "sftp")]
    deposit_key: Option<PathBuf>,
}

/// Largest PEM file: a long chain has some kilobytes.
const PEM_BYTES: usize = 1 << 20;

/// Runs a top-level node until SIGTERM or SIGINT.
pub(crate) async fn run(arguments: &TopNode) -> Result<Exit, Problems> {
    logs::start(&Config::load(None)?);
    let mut signals = Signals::take().map_err(|cause| Problem::new("signals", Exit::Failed).with("cause", cause))?;
    let mut above = Above::open(&arguments.above, &arguments.data).await?;
    let options = Options { pages: above.pages(), ..options(arguments)? };
    let scheme = if options.tls.is_some() { "grpcs" } else { "grpc" };
    let deposits = deposit_desk(arguments).await?;
    let simulator = Simulator::start_beside(options, deposits.as_ref()).await.map_err(|error| not_started(&error))?;
    let epp =
        match epp_settings(arguments)? {
            Some(settings) => Some(EppSimulator::start(settings).await.map_err(|cause| {
                Problem::new("listen-failed", Exit::Failed).with("what", "--epp").with("cause", cause)
            })?),
            None => None,
        };
    let exchange = epp.as_ref().map(|epp| format!(" {}", epp.url())).unwrap_or_default();
    above.follow(&simulator.observed());
    let resolution = above.listening();
    let sftp = deposits.as_ref().map(|desk| format!(" sftp://{} {}", desk.address(), desk.fingerprint()));
    let sftp = sftp.unwrap_or_default();
    let (grpc, http) = (simulator.grpc(), simulator.http());
    terminal::line(format_args!("listening {scheme}://{grpc} http://{http}{exchange}{resolution}{sftp}"));
    stop_asked(&mut signals).await;
    above.stop().await?;
    simulator.stop().await;
    if let Some(desk) = deposits {
        desk.stop().await;
    }
    Ok(Exit::Done)
}

/// The EPP server, where it is wanted. Plain, so on loopback only.
fn epp_settings(arguments: &TopNode) -> Result<Option<epp::Settings>, Problem> {
    let (Some(listen), Some(prefix), Some(user)) = (arguments.epp, &arguments.epp_prefix, &arguments.epp_user) else {
        return Ok(None);
    };
    if !listen.ip().is_loopback() {
        return Err(Problem::new("top-node-plain", Exit::Usage).with("address", listen));
    }
    Ok(Some(epp::Settings { listen, ..epp::Settings::local(prefix, user) }))
}

/// Where deposits are brought, where that is wanted.
async fn deposit_desk(arguments: &TopNode) -> Result<Option<DepositDesk>, Problem> {
    let (Some(listen), Some(users), Some(key)) = (arguments.sftp, &arguments.sftp_users, &arguments.deposit_key) else {
        return Ok(None);
    };
    let unusable = |cause: String| Problem::new("top-node-deposits", Exit::Usage).with("cause", cause);
    let settings = deposits::Settings {
        listen,
        folder: arguments.data.join(DEPOSITS),
        users: Users::read(users).map_err(|error| unusable(chain(&error)))?,
        platform: keys::read_private(key).map_err(|cause| key_problem(&cause))?,
        usage: Usage::default(),
        clock: waymark_catalog::machine_time,
    };
    let started = DepositDesk::start(settings).await;
    Ok(Some(started.map_err(|error| match error {
        deposits::StartError::Listen { address, source } => {
            Problem::new("listen-failed", Exit::Failed).with("what", address).with("cause", source)
        }
        other => unusable(chain(&other)),
    })?))
}

/// Folder of the data folder for deposits.
const DEPOSITS: &str = "deposits";

fn options(arguments: &TopNode) -> Result<Options, Problem> {
    let TopNode { listen, http, data, tls_certificate, tls_key, tls_client_ca, faults, .. } = arguments;
    let tls = match (tls_certificate, tls_key) {
        (Some(certificate), Some(key)) => Some(Tls {
            certificate: pem(certificate)?,
            key: pem(key)?,
            client_ca: tls_client_ca.as_deref().map(pem).transpose()?,
        }),
        _ => None,
    };
    let faults = faults.as_deref().map(plan).transpose()?.unwrap_or_default();
    let clock = waymark_catalog::machine_time;
    let (probes, pages) = (arguments.above.fleet(), axum::Router::new());
    Ok(Options { listen: *listen, http: *http, folder: data.clone(), tls, faults, clock, probes, pages })
}

fn pem(path: &Path) -> Result<Vec<u8>, Problem> {
    read(path, PEM_BYTES).map_err(|cause| {
        Problem::new("certificate-unreadable", Exit::Usage).with("path", path.display()).with("cause", cause)
    })
}

fn plan(path: &Path) -> Result<Plan, Problem> {
    let bytes = read(path, FAULTS_BYTES).map_err(|cause| {
        Problem::new("file-unreadable", Exit::Usage).with("path", path.display()).with("cause", cause)
    })?;
    Plan::read(&bytes).map_err(|error| faults_unusable(path, &error))
}

fn faults_unusable(path: &Path, error: &PlanError) -> Problem {
    Problem::new("top-node-faults", Exit::Usage).with("path", path.display()).with("cause", chain(error))
}

/// A file of at most so many bytes.
fn read(path: &Path, most: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > most { Err(std::io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

fn not_started(error: &StartError) -> Problem {
    match error {
        StartError::PlainOutside(address) => Problem::new("top-node-plain", Exit::Usage).with("address", address),
        StartError::PagesOutside(address) => Problem::new("top-node-pages", Exit::Usage).with("address", address),
        StartError::Listen { address, cause } => {
            Problem::new("listen-failed", Exit::Failed).with("what", address).with("cause", cause)
        }
        StartError::Tls(cause) => Problem::new("top-node-tls", Exit::Usage).with("cause", chain(cause)),
        StartError::Ledger(error) => ledger_unusable(error),
        other => Problem::new("top-node-not-started", Exit::Failed).with("cause", chain(other)),
    }
}

fn ledger_unusable(error: &LedgerError) -> Problem {
    match error {
        LedgerError::InUse { path } => {
            Problem::new("top-node-folder-in-use", Exit::Unavailable).with("path", path.display())
        }
        LedgerError::Unknown { path } => {
            Problem::new("top-node-ledger-unknown", Exit::Damaged).with("path", path.display())
        }
        LedgerError::Damaged { path, offset } => {
            Problem::new("top-node-ledger-damaged", Exit::Damaged).with("path", path.display()).with("offset", offset)
        }
        other => Problem::new("top-node-not-started", Exit::Failed).with("cause", chain(other)),
    }
}
