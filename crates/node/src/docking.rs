//! The exchange with the top-level node as the configuration describes it, and how it stands for operators.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::{runtime::Handle, sync::watch, task::JoinHandle};
use waymark_api::operator::v1;
use waymark_catalog::{Catalog, business::EnterpriseId};
use waymark_client::Trust;
use waymark_top_sync::epp::{
    config::{ANSWER_BYTES, RETRY_FIRST},
    driver::{
        self, Driver, Figures, Parts,
        seal::OwnSeal,
        transport::{Address, HttpTransport},
    },
    exchange::{Exchange, FileJournal, Pace, Shown, Stage, Trouble},
};
use zeroize::Zeroizing;

use crate::{
    cli::resolve::parse_pin,
    config::Config,
    daemon::chain,
    problem::{Exit, Problem},
};

/// The file of transactions within the data folder.
const FILE: &str = "docking.log";

/// Bytes of the largest key file; those of applications have some thousand.
const KEY_BYTES: u64 = 64 << 10;

/// The bits of a file's mode for those who do not own it.
const OTHERS: u32 = 0o077;

/// Keeps enterprises and prefixes registered with the top-level node until it is told to stop.
#[derive(Debug)]
pub(crate) struct DockingKeeper {
    docking: driver::Docking,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl DockingKeeper {
    /// Begins, where an address is configured.
    ///
    /// # Errors
    /// The address, the key, the authorities or the file of transactions cannot be used.
    pub(crate) fn start(catalog: &Catalog, config: &Config, data: &Path) -> Result<Option<Self>, Problem> {
        let values = config.values();
        let address = values.text("docking.address");
        if address.is_empty() {
            return Ok(None);
        }
        let address: Address = address.parse().map_err(|cause| unusable("docking.address", &cause))?;
        if values.flag("docking.plaintext") && !address.is_encrypted {
            tracing::warn!("docking.plaintext: what is said of people travels readable to the top-level node");
        }
        let seconds = |key: &str| Duration::from_secs(values.number(key));
        let user = values.text("docking.application").to_owned();
        let seal = Arc::new(OwnSeal::new(user.clone(), key(config)?));
        let transport = HttpTransport::new(
            address,
            trust(config)?.as_ref(),
            seal,
            seconds("docking.answer_seconds"),
            ANSWER_BYTES.default,
        );
        let transport = transport.map_err(|cause| unusable("docking.address", &chain(&cause)))?;
        let pace = Pace {
            poll_every: seconds("docking.poll_seconds"),
            retry_first: RETRY_FIRST.default,
            retry_most: seconds("docking.retry_seconds"),
            refused_wait: seconds("docking.refused_seconds"),
        };
        let path = data.join(FILE);
        let opened = FileJournal::open(&path).and_then(|file| Exchange::open(file, pace, Box::new(rand::random)));
        let exchange = opened.map_err(|cause| unusable("docking", &chain(&cause)))?;
        let driver = Driver::new(Parts {
            catalog: catalog.clone(),
            exchange,
            transport: Box::new(transport),
            own_prefix: values.text("docking.prefix").to_owned(),
            user,
            answer_bytes: ANSWER_BYTES.default,
        });
        let docking = driver.docking();
        let (stop, stopped) = watch::channel(false);
        let runtime = Handle::current();
        // It waits for the disk, so it has a thread that may.
        let task = tokio::task::spawn_blocking(move || runtime.block_on(driver.run(stopped)));
        Ok(Some(Self { docking, stop, task }))
    }

    /// How it stands.
    pub(crate) fn docking(&self) -> &driver::Docking {
        &self.docking
    }

    /// What operators ask of it.
    pub(crate) fn control(&self) -> Arc<dyn waymark_registration::docking::Docking> {
        Arc::new(Control(self.docking.clone()))
    }

    /// Ends; a command under way is given up, and found out about after the next start.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        // A panic in it is a defect that the log shows; the node stops all the same.
        let _ended = self.task.await;
    }
}

fn unusable(what: &str, cause: &dyn std::fmt::Display) -> Problem {
    Problem::new("docking-unusable", Exit::Usage).with("what", what).with("cause", cause)
}

/// The bytes of the application's key.
fn key(config: &Config) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let path = config.path("docking.key_file").unwrap_or_default();
    let failed = |cause: &dyn std::fmt::Display| unusable("docking.key_file", cause);
    let found = fs::metadata(&path).map_err(|cause| failed(&cause))?;
    if found.permissions().mode() & OTHERS != 0 {
        return Err(failed(&"others may read it; chmod 600 it"));
    }
    if found.len() == 0 || found.len() > KEY_BYTES {
        return Err(failed(&format!("it has {} bytes; a key has between 1 and {KEY_BYTES}", found.len())));
    }
    fs::read(&path).map(Zeroizing::new).map_err(|cause| failed(&cause))
}

/// Whom to believe; that one of the two is named where one is needed was checked when the configuration was read.
fn trust(config: &Config) -> Result<Option<Trust>, Problem> {
    let pin = config.values().text("docking.pin");
    if !pin.is_empty() {
        return Ok(Some(Trust::Pin(parse_pin(pin)?)));
    }
    let Some(path) = config.path("docking.authorities") else { return Ok(None) };
    let failed = |cause: &dyn std::fmt::Display| unusable("docking.authorities", cause);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&path).map_err(|cause| failed(&cause))? {
        roots.add(certificate.map_err(|cause| failed(&cause))?).map_err(|cause| failed(&cause))?;
    }
    if roots.is_empty() {
        return Err(failed(&"it holds no certificate"));
    }
    Ok(Some(Trust::Authorities(Arc::new(roots))))
}

/// Figures of this moment.
pub(crate) fn figures(docking: &driver::Docking) -> Figures {
    docking.figures(waymark_catalog::machine_time().0)
}

/// The exchange as operators see it.
#[derive(Debug)]
struct Control(driver::Docking);

impl waymark_registration::docking::Docking for Control {
    fn status(&self) -> v1::DockingStatus {
        let (status, figures) = (self.0.status(), figures(&self.0));
        v1::DockingStatus {
            open: figures.open,
            known_enterprises: u64::try_from(status.known_enterprises).unwrap_or(u64::MAX),
            unacknowledged: u64::try_from(status.unacknowledged).unwrap_or(u64::MAX),
            oldest_undecided: status.oldest_undecided.map(time),
            link: status.link.map(trouble),
            file_trouble: self.0.file_trouble().unwrap_or_default(),
            commands: figures.commands,
            troubles: figures.troubles,
        }
    }

    fn mark(&self, prefix: &str, approved: bool, reason: &str) -> Result<bool, String> {
        let now = waymark_catalog::machine_time().0;
        self.0.mark(now, prefix, approved, reason).map_err(|cause| chain(&cause))
    }

    fn hurry(&self) {
        self.0.hurry();
    }

    fn transactions(&self, ended: bool) -> Box<dyn Iterator<Item = v1::DockingTransaction> + Send> {
        let all = self.0.status().transactions.into_iter();
        let is_open = |each: &Shown| each.stage.is_none_or(|stage| stage.is_open() || stage == Stage::Failed);
        Box::new(all.filter(move |each| ended || is_open(each)).map(shown))
    }
}

fn shown(each: Shown) -> v1::DockingTransaction {
    v1::DockingTransaction {
        id: each.id.map(String::from).unwrap_or_default(),
        kind: each.kind.as_str().to_owned(),
        enterprise: EnterpriseId(each.enterprise).to_string(),
        prefix: each.prefix.map(String::from).unwrap_or_default(),
        state: each.stage.map_or("waiting", Stage::as_str).to_owned(),
        attempts: each.attempts,
        last_error: each.trouble.map(trouble),
        since: Some(time(each.since)),
    }
}

fn trouble(trouble: Trouble) -> v1::DockingTrouble {
    v1::DockingTrouble { kind: trouble.kind.as_str().to_owned(), detail: trouble.detail }
}

fn time(unix_ms: u64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: i64::try_from(unix_ms / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(unix_ms % 1_000).unwrap_or(0) * 1_000_000,
    }
}
