//! Recursion in a node: made from the configuration, its cache kept from one run to the next.

mod control;
mod feeds;

use std::{
    fs::File,
    io::{BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::task::JoinHandle;
use waymark_catalog::Catalog;
use waymark_client::upstream::UpstreamLimits;
use waymark_recursive_cache::{
    cache::{Cache, CacheLimits, DumpError},
    clock,
    config::PlanLimits,
    knowledge::Service,
    recursor::{Options, Recursor, RootAddress, roots_from_addresses, roots_from_site},
};
use waymark_resolver::{
    SiteSet,
    policy::SourceLists,
    recursion::{OwnDelegations, Recursion},
};

pub(crate) use control::{Control, events};

use feeds::{Feed, Marks};

use crate::{
    config::Config,
    daemon::chain,
    problem::{Exit, Problem},
    sites,
};

/// The cache within the data folder.
const CACHE_FILE: &str = "cache.bin";

/// Keeps a recursor going. Dropping it without [`stop`](Self::stop) loses what was learned since it was last written.
#[derive(Debug)]
pub struct RecursionKeeper {
    recursor: Arc<Recursor>,
    tasks: Vec<JoinHandle<()>>,
    saved: Option<Saved>,
}

/// What is written, and where.
#[derive(Clone, Debug)]
struct Saved {
    cache: Arc<Cache>,
    file: PathBuf,
    marks: Marks,
    /// Held while it is written: a write that nobody waits for any more goes on.
    writing: Arc<Mutex<()>>,
}

/// Makes recursion as configured; `None` when nobody is named that names are resolved for. `sites` are the node's own.
///
/// # Errors
/// The roots cannot be used.
pub fn start(
    config: &Config,
    data: &Path,
    catalog: &Catalog,
    sites: &SiteSet,
) -> Result<Option<(Arc<Recursion>, RecursionKeeper)>, Problem> {
    let sources = config.networks("recursion.sources");
    if sources.is_empty() {
        return Ok(None);
    }
    if config.values().flag("recursion.open") {
        tracing::warn!("recursion.open: this node resolves names for everybody who asks");
    }
    let cache = Arc::new(Cache::new(cache_limits(config)));
    let minutes = config.values().number("cache.save_minutes");
    let file = (minutes > 0).then(|| data.join(CACHE_FILE));
    let is_loaded = file.as_ref().is_some_and(|file| load(&cache, file));
    let paths = config.values().list("recursion.feeds").iter().map(Path::new);
    let feeds = paths.map(|path| Feed::read(path, data, is_loaded)).collect::<Result<Vec<_>, _>>()?;
    Feed::check_all(&feeds)?;
    let marks = Marks::of(&feeds);
    let own = OwnDelegations::new(catalog, sites.iter().map(Into::into).collect());
    let recursor = Recursor::new(options(config)?, cache, Some(Box::new(own)));
    let mut tasks = vec![tokio::spawn(Arc::clone(&recursor).refresh())];
    tasks.extend(feeds.into_iter().map(|feed| tokio::spawn(feed.run(Arc::clone(recursor.cache())))));
    let saved = file.map(|file| Saved { cache: Arc::clone(recursor.cache()), file, marks, writing: Arc::default() });
    if let Some(saved) = saved.clone() {
        tasks.push(tokio::spawn(save_often(saved, Duration::from_secs(minutes * 60))));
    }
    let recursion = Recursion { recursor: Arc::clone(&recursor), sources: SourceLists::new(&sources, &[]) };
    Ok(Some((Arc::new(recursion), RecursionKeeper { recursor, tasks, saved })))
}

impl RecursionKeeper {
    /// What resolves.
    pub fn recursor(&self) -> &Arc<Recursor> {
        &self.recursor
    }

    /// What operators ask of it.
    pub(crate) fn control(&self) -> Arc<dyn waymark_registration::recursion::Recursion> {
        Arc::new(Control(Arc::clone(&self.recursor)))
    }

    /// Writes the cache and ends.
    pub async fn stop(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Some(saved) = self.saved.clone() {
            save(saved).await;
        }
    }
}

impl Drop for RecursionKeeper {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn options(config: &Config) -> Result<Options, Problem> {
    let values = config.values();
    let number = |key: &str| values.number(key);
    let milliseconds = |key: &str| Duration::from_millis(values.number(key));
    let mut options = Options::new(Arc::new(roots(config)?));
    options.plan = PlanLimits {
        recursion: u8::try_from(number("recursion.count")).unwrap_or(u8::MAX),
        chain: u16::try_from(number("recursion.chain")).unwrap_or(u16::MAX),
        queries: u16::try_from(number("recursion.queries")).unwrap_or(u16::MAX),
        time: milliseconds("recursion.time_ms"),
        record_values: u32::try_from(number("recursion.record_values")).unwrap_or(u32::MAX),
        record_bytes: config.count("recursion.record_bytes"),
    };
    options.upstream = UpstreamLimits {
        concurrency: config.count("recursion.per_server"),
        per_second: u32::try_from(number("recursion.per_server_second")).unwrap_or(u32::MAX),
    };
    options.flights = config.count("recursion.at_once");
    options.query_time = milliseconds("recursion.query_ms");
    options.stale_wait = milliseconds("recursion.stale_wait_ms");
    options.private_servers = values.flag("recursion.private_servers");
    Ok(options)
}

/// Whom to ask when nothing better is known. That one of the two is named was checked when the configuration was read.
fn roots(config: &Config) -> Result<Service, Problem> {
    let unusable =
        |cause: &dyn std::error::Error| Problem::new("roots-unusable", Exit::Usage).with("cause", chain(cause));
    let Some(path) = config.path("recursion.root_site") else {
        let addresses = config.addresses("recursion.roots");
        let roots: Vec<RootAddress> = addresses.into_iter().map(|address| RootAddress { address }).collect();
        return roots_from_addresses(&roots).map_err(|cause| unusable(&cause));
    };
    let mut service = Service { sites: [].into() };
    for data in sites::read(&path)? {
        let one = roots_from_site(&data).map_err(|cause| unusable(&cause))?;
        service.sites = service.sites.iter().chain(&one.sites).cloned().collect();
    }
    Ok(service)
}

fn cache_limits(config: &Config) -> CacheLimits {
    let values = config.values();
    let seconds = |key: &str| Duration::from_secs(values.number(key));
    let word = |key: &str| u32::try_from(values.number(key)).unwrap_or(u32::MAX);
    CacheLimits {
        budget_bytes: values.number("cache.size_mib").saturating_mul(1 << 20),
        floor: seconds("cache.floor_seconds"),
        ceiling: seconds("cache.ceiling_seconds"),
        absent: seconds("cache.absent_seconds"),
        absent_prefix: seconds("cache.absent_prefix_seconds"),
        failure: seconds("cache.failure_seconds"),
        stale: seconds("cache.stale_seconds"),
        stale_ttl_seconds: word("cache.stale_ttl_seconds"),
        popular_hits: word("cache.popular_hits"),
        never_stale_types: values.list("cache.never_stale_types").to_vec(),
    }
}

/// Takes in what the last run knew. Whatever is wrong with the file, the node starts: it only knows less. Tells whether anything was taken in.
fn load(cache: &Cache, file: &Path) -> bool {
    let read = match File::open(file) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return false,
        opened => opened.map_err(DumpError::from).and_then(|file| cache.load(&mut BufReader::new(file), clock::now())),
    };
    let is_loaded = read.is_ok();
    match read {
        Ok(loaded) if loaded.cut => {
            tracing::warn!(taken = loaded.taken, file = %file.display(), "the saved cache is damaged; what was whole is used");
        }
        Ok(loaded) => tracing::info!(taken = loaded.taken, expired = loaded.expired, "saved cache loaded"),
        Err(cause) => {
            tracing::warn!(cause = %chain(&cause), file = %file.display(), "the saved cache cannot be read; the node begins without");
        }
    }
    is_loaded
}

async fn save_often(saved: Saved, pace: Duration) {
    loop {
        tokio::time::sleep(pace).await;
        save(saved.clone()).await;
    }
}

/// Writes the cache beside its file and then over it. A failure is said and nothing else: the node works on.
async fn save(saved: Saved) {
    let Saved { cache, file, marks, writing } = saved;
    let shown = file.display().to_string();
    let written = tokio::task::spawn_blocking(move || {
        let _alone = writing.lock().unwrap_or_else(PoisonError::into_inner);
        let marks = marks.now();
        let beside = file.with_extension("new");
        let mut out = BufWriter::new(File::create(&beside)?);
        let entries = cache.dump(&mut out, clock::now())?;
        out.flush()?;
        out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_data()?;
        std::fs::rename(&beside, &file)?;
        Marks::write(&marks)?;
        Ok::<_, DumpError>(entries)
    });
    match written.await {
        Ok(Ok(entries)) => tracing::debug!(entries, "cache saved"),
        Ok(Err(cause)) => tracing::warn!(cause = %chain(&cause), file = %shown, "the cache could not be saved"),
        // The runtime ends.
        Err(_) => {}
    }
}
