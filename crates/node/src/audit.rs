//! Keeping the audit: its key, the signed checkpoints that go to a second place on a schedule, and the pruning of what is old.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, task::JoinHandle, time::interval};
use waymark_catalog::{
    Catalog,
    audit::{AuditKey, append_checkpoint},
};

use crate::{
    certificate::write_private,
    config::Config,
    daemon::chain,
    problem::{Exit, Problem},
};

/// The audit's private key within the data folder, PKCS#8.
const KEY_FILE: &str = "audit-key.pk8";
/// Its public key, for whoever verifies checkpoints: 64 hexadecimal digits.
pub(crate) const PUBLIC_KEY_FILE: &str = "audit-key.pub";
/// Where checkpoints go when no second place is configured.
const CHECKPOINTS: &str = "audit-checkpoints.jsonl";
/// Seconds of a minute and a day.
const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * 60;

/// Writes checkpoints and prunes until it is told to stop.
#[derive(Debug)]
pub(crate) struct AuditKeeper {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    failures: Arc<AtomicU64>,
}

impl AuditKeeper {
    /// Reads or makes the key and begins.
    ///
    /// # Errors
    /// The key cannot be read, made or kept.
    pub(crate) fn start(catalog: &Catalog, config: &Config, data: &Path) -> Result<Self, Problem> {
        let key = Arc::new(key(data)?);
        let file = config.path("audit.checkpoint_file").unwrap_or_else(|| {
            tracing::info!(
                "audit.checkpoint_file: checkpoints stay in the data folder; a cut tail shows only by a copy elsewhere"
            );
            data.join(CHECKPOINTS)
        });
        let (stop, mut stopped) = watch::channel(false);
        let failures = Arc::new(AtomicU64::new(0));
        let (catalog, counted) = (catalog.clone(), Arc::clone(&failures));
        let every = Duration::from_secs(config.values().number("audit.checkpoint_minutes").saturating_mul(MINUTE));
        let task = tokio::spawn(async move {
            let (mut checkpoint, mut daily) = (interval(every), interval(Duration::from_secs(DAY)));
            loop {
                tokio::select! {
                    _ = checkpoint.tick() => keep(&catalog, &key, &file, &counted).await,
                    _ = daily.tick() => prune(&catalog).await,
                    () = told(&mut stopped) => break,
                }
            }
            keep(&catalog, &key, &file, &counted).await;
        });
        Ok(Self { stop, task, failures })
    }

    /// Checkpoints that could not be written since the start.
    pub(crate) fn failures(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.failures)
    }

    /// Writes a last checkpoint and ends.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        // A panic in it is a defect that the log shows; the node stops all the same.
        let _ended = self.task.await;
    }
}

/// Ends when the keeper is told to stop.
async fn told(stopped: &mut watch::Receiver<bool>) {
    // An error means that the keeper is gone, which is a stop too.
    let _stopped = stopped.wait_for(|stop| *stop).await;
}

/// Appends a checkpoint where the chain has grown since the last.
async fn keep(catalog: &Catalog, key: &Arc<AuditKey>, file: &Path, failures: &AtomicU64) {
    let (catalog, key, path) = (catalog.clone(), Arc::clone(key), file.to_owned());
    let kept = tokio::task::spawn_blocking(move || {
        let Some(checkpoint) = catalog.checkpoint(&key).map_err(io::Error::other)? else { return Ok(()) };
        append_checkpoint(&path, &checkpoint).map(drop)
    });
    let failed = match kept.await {
        Ok(Ok(())) => return,
        Ok(Err(cause)) => chain(&cause),
        Err(cause) => cause.to_string(),
    };
    failures.fetch_add(1, Ordering::Relaxed);
    tracing::error!(file = %file.display(), cause = %failed, "the audit's checkpoint was not written; it is tried again");
}

/// Drops the details of what is older than the audit is kept.
async fn prune(catalog: &Catalog) {
    let catalog = catalog.clone();
    match tokio::task::spawn_blocking(move || catalog.prune_audit(catalog.now())).await {
        Ok(Ok(pruned)) => tracing::debug!(?pruned, "the audit was pruned"),
        Ok(Err(cause)) => {
            tracing::error!(cause = %chain(&cause), "the audit was not pruned; it is tried again tomorrow")
        }
        Err(cause) => tracing::error!(%cause, "the audit was not pruned; it is tried again tomorrow"),
    }
}

/// The audit's key, made when there is none.
fn key(data: &Path) -> Result<AuditKey, Problem> {
    let path = data.join(KEY_FILE);
    let unusable = |cause: &dyn std::fmt::Display| {
        Problem::new("key-unusable", Exit::Usage).with("path", path.display()).with("cause", cause)
    };
    let not_written = |path: &Path, cause: &io::Error| {
        Problem::new("file-not-written", Exit::Failed).with("path", path.display()).with("cause", cause)
    };
    let key = match fs::read(&path) {
        Ok(file) => AuditKey::from_pkcs8(&file).map_err(|cause| unusable(&chain(&cause)))?,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            let (key, file) = AuditKey::generate().map_err(|cause| unusable(&chain(&cause)))?;
            write_private(&path, &file).map_err(|cause| not_written(&path, &cause))?;
            key
        }
        Err(cause) => return Err(unusable(&cause)),
    };
    let public: PathBuf = data.join(PUBLIC_KEY_FILE);
    let text = format!("{}\n", hex::encode(key.public_key().0));
    if fs::read_to_string(&public).ok().as_deref() != Some(&*text) {
        fs::write(&public, text).map_err(|cause| not_written(&public, &cause))?;
    }
    Ok(key)
}
