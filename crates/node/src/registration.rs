//! The registration doors as the configuration describes them, and the operator's first token.

use std::{path::Path, time::Duration};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use waymark_catalog::Catalog;
use waymark_registration::{
    Bound, Certificate, Limits, QueryConfig, Running, Service, ServiceConfig, Settings, StartError, Tls,
};

use crate::{
    certificate::{self, write_private},
    config::Config,
    daemon::chain,
    problem::{Exit, Problem},
};

/// File of the operator's first token within the data folder.
pub(crate) const OPERATOR_TOKEN: &str = "operator-token";

/// Folder of jobs within the data folder.
const JOBS: &str = "jobs";

/// Doors whose addresses are taken.
#[derive(Debug)]
pub(crate) struct Opening {
    bound: Bound,
    source: Option<certificate::Source>,
    /// SHA-256 of the certificate, lower-case hexadecimal; empty without TLS.
    pub(crate) fingerprint: String,
}

/// Doors that answer, and where a newer certificate would be read from.
#[derive(Debug)]
pub(crate) struct Registration {
    running: Running,
    source: Option<certificate::Source>,
}

/// Writes the first operator's token into the data folder when there is no operator yet; says where.
///
/// # Errors
/// The token cannot be made or kept.
pub(crate) async fn first_token(catalog: &Catalog, config: &Config, data: &Path) -> Result<(), Problem> {
    const DAY: u64 = 24 * 60 * 60;
    let lifetime = Duration::from_secs(config.values().number("access.first_token_days").saturating_mul(DAY));
    let (catalog, path) = (catalog.clone(), data.join(OPERATOR_TOKEN));
    let file = path.clone();
    let made = tokio::task::spawn_blocking(move || {
        catalog.first_operator_token(lifetime, |text| write_private(&file, format!("{}\n", **text).as_bytes()))
    });
    let failed = |cause: String| Problem::new("operator-token-not-made", Exit::Failed).with("cause", cause);
    let made = made.await.map_err(|cause| failed(cause.to_string()))?.map_err(|cause| failed(chain(&cause)))?;
    if let Some(id) = made {
        tracing::warn!(
            file = %path.display(), token = %id,
            "the first operator's token was written; make your own with it, then remove the file"
        );
    }
    Ok(())
}

impl Opening {
    /// Takes the addresses; `None` when none is configured.
    ///
    /// # Errors
    /// A certificate or an address that cannot be used.
    pub(crate) fn bind(config: &Config, data: &Path) -> Result<Option<Self>, Problem> {
        let (grpc, http) = (config.addresses("listen.grpc"), config.addresses("listen.api"));
        let query = query(config);
        if grpc.is_empty() && http.is_empty() && query.addresses.is_empty() {
            return Ok(None);
        }
        let (tls, source, fingerprint) = match source(config, data) {
            None => (None, None, String::new()),
            Some(source) => {
                let read = source.load()?;
                let certificate = Certificate::new(read.chain, read.key).map_err(|cause| mismatch(&cause))?;
                let tls = Tls { certificate, client_authorities: authorities(config)? };
                (Some(tls), Some(source), read.fingerprint)
            }
        };
        let bound = Service::bind(ServiceConfig {
            grpc,
            http,
            query,
            tls,
            jobs: Some(data.join(JOBS)),
            limits: limits(config),
        })
        .map_err(|error| failed(&error))?;
        Ok(Some(Self { bound, source, fingerprint }))
    }

    /// Where it will answer.
    pub(crate) fn addresses(&self) -> &waymark_registration::Addresses {
        self.bound.addresses()
    }

    /// Begins to answer.
    ///
    /// # Errors
    /// What the doors say.
    pub(crate) fn start(self, catalog: &Catalog, settings: &Settings) -> Result<Registration, Problem> {
        let running = self.bound.start(catalog, settings).map_err(|error| failed(&error))?;
        Ok(Registration { running, source: self.source })
    }
}

impl Registration {
    /// Reads the certificate again; its fingerprint, or `None` without TLS.
    ///
    /// # Errors
    /// The files cannot be used; the old certificate stays.
    pub(crate) fn reload_certificate(&self) -> Result<Option<String>, Problem> {
        let Some(source) = &self.source else { return Ok(None) };
        let read = source.load()?;
        self.running.reload_certificate(read.chain, read.key).map_err(|cause| mismatch(&cause))?;
        Ok(Some(read.fingerprint))
    }

    /// What the doors counted.
    pub(crate) fn counters(&self) -> &waymark_registration::Counters {
        self.running.counters()
    }

    /// Stops: no more calls, those under way are finished within the bound.
    pub(crate) async fn drain(self, bound: Duration) {
        if self.running.drain(bound).await == waymark_registration::Drained::CutOff {
            tracing::warn!("some registration calls were cut off: node.stop_seconds is over");
        }
    }
}

/// Where the certificate comes from; `None` in plain text.
fn source(config: &Config, data: &Path) -> Option<certificate::Source> {
    if config.values().flag("registration.plaintext") {
        tracing::warn!("registration.plaintext: tokens travel readable");
        return None;
    }
    Some(match (config.path("registration.certificate"), config.path("registration.private_key")) {
        (Some(chain), Some(key)) => certificate::Source::Files { chain, key },
        _ => config.certificate(data),
    })
}

/// The service for registration data.
fn query(config: &Config) -> QueryConfig {
    let values = config.values();
    let prefixes = [values.text("sync.prefix"), values.text("docking.prefix")];
    QueryConfig {
        addresses: config.addresses("listen.query"),
        bootstrap: config.path("query.bootstrap"),
        base_url: values.text("query.base_url").to_owned(),
        own_prefix: prefixes.into_iter().find(|prefix| !prefix.is_empty()).unwrap_or_default().to_owned(),
        open: config.query_items(),
    }
}

fn authorities(config: &Config) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let Some(path) = config.path("registration.client_authorities") else { return Ok(Vec::new()) };
    let read = CertificateDer::pem_file_iter(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    read.map_err(|cause| {
        Problem::new("certificate-unreadable", Exit::Usage).with("path", path.display()).with("cause", cause)
    })
}

fn limits(config: &Config) -> Limits {
    let values = config.values();
    let seconds = |key: &str| Duration::from_secs(values.number(key));
    let word = |key: &str| u32::try_from(values.number(key)).unwrap_or(u32::MAX);
    Limits {
        connections: config.count("registration.connections"),
        connections_per_source: config.count("registration.connections_per_source"),
        message_bytes: config.count("registration.message_mib").saturating_mul(1 << 20),
        call_time: seconds("registration.call_seconds"),
        uploads: config.count("registration.uploads"),
        watchers: config.count("registration.watchers"),
        reader_time: seconds("registration.reader_seconds"),
        stream_idle: seconds("registration.idle_seconds"),
        audit_time: seconds("registration.audit_seconds"),
        job_bytes: values.number("jobs.largest_mib").saturating_mul(1 << 20),
        job_folder_bytes: values.number("jobs.folder_mib").saturating_mul(1 << 20),
        job_upload_rate: values.number("jobs.upload_kib_per_second").saturating_mul(1 << 10),
        jobs: config.count("jobs.kept"),
        jobs_per_principal: config.count("jobs.per_principal"),
        job_kept: Duration::from_secs(values.number("jobs.kept_days").saturating_mul(86_400)),
        query_rate: word("query.rate_per_second"),
        query_results: config.count("query.results"),
        query_scan: config.count("query.scan"),
        rate_per_second: word("access.rate_per_second"),
        failed_authentications_per_minute: word("access.failures_per_minute"),
        ..Limits::default()
    }
}

fn failed(error: &StartError) -> Problem {
    Problem::new("doors-not-opened", Exit::Failed).with("cause", chain(error))
}

fn mismatch(cause: &dyn std::fmt::Display) -> Problem {
    Problem::new("certificate-mismatch", Exit::Usage).with("cause", cause)
}
