//! Statistics of requests in a node: opened before the doors, fed by the thread that takes records of answers, shown to operators.

mod feed;
mod shown;

use std::{fs::File, path::Path, sync::Arc};

use waymark_catalog::Catalog;
use waymark_registration::RegistrationTap;
use waymark_top_sync::traffic::{CatalogPrefixes, Limits, Opened, Options, OwnProbes, ReadError, Traffic};

pub(crate) use self::feed::Feed;
use self::shown::Shown;
use crate::{config::Config, listen::reachable, watch};

/// Registrations whose records may wait, some 100 bytes each: what a large group of a stream brings at once, several times.
const WAITING: usize = 65_536;

/// Folder of the statistics within the data folder.
const FOLDER: &str = "traffic";

/// The statistics of a node.
#[derive(Clone, Debug)]
pub(crate) struct NodeTraffic {
    pub(crate) traffic: Traffic,
    pub(crate) registrations: Arc<RegistrationTap>,
    catalog: Catalog,
    own: Option<OwnProbes>,
}

impl NodeTraffic {
    /// Opens them as configured; `None` when nothing is to be counted. `log` is the record of every answer, open for reading, with its length.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub(crate) fn open(
        config: &Config,
        data: &Path,
        log_path: &Path,
        log: Option<(Arc<File>, u64)>,
        catalog: &Catalog,
    ) -> Result<Option<Self>, ReadError> {
        let folder = data.join(FOLDER);
        if !config.values().flag("traffic.count") {
            Traffic::pause(&folder).map_err(|source| ReadError::Io { path: folder, source })?;
            return Ok(None);
        }
        let limits = Limits {
            node_sources: config.count("traffic.node_sources"),
            prefix_sources: config.count("traffic.prefix_sources"),
            all_sources: config.count("traffic.all_sources"),
            prefixes: config.count("traffic.prefixes"),
            kept_days: config.count("traffic.kept_days"),
            save_seconds: u32::try_from(config.values().number("traffic.save_seconds")).unwrap_or(u32::MAX),
        };
        let options = Options { folder, log: log_path.to_owned(), open_log: log, limits };
        let own = own_probes(config);
        let (traffic, opened) = Traffic::open(options, &known(catalog, own.clone()), waymark_catalog::machine_time())?;
        report(&opened);
        let registrations = Arc::new(RegistrationTap::new(WAITING));
        Ok(Some(Self { traffic, registrations, catalog: catalog.clone(), own }))
    }

    /// What operators are shown of them.
    pub(crate) fn control(&self) -> Arc<dyn waymark_registration::traffic::Traffic> {
        Arc::new(Shown(self.traffic.clone()))
    }

    /// What feeds them.
    pub(crate) fn feed(&self) -> Feed {
        Feed::new(self.clone())
    }
}

/// The prefixes that have figures, as they are now.
fn known(catalog: &Catalog, own: Option<OwnProbes>) -> CatalogPrefixes {
    CatalogPrefixes { prefixes: catalog.prefixes(), business: catalog.business(), own }
}

/// How the node asks its own doors: from the address it asks, which is its own.
fn own_probes(config: &Config) -> Option<OwnProbes> {
    let name = watch::asked_name(watch::prefix(config)?).into_bytes().into();
    let doors = ["listen.udp", "listen.tcp"].into_iter().flat_map(|key| config.addresses(key));
    let sources = doors.map(|address| reachable(address).ip().to_canonical()).collect();
    Some(OwnProbes { name, sources })
}

fn report(opened: &Opened) {
    for moved in &opened.moved_aside {
        tracing::error!(
            file = %moved.path.display(), cause = %moved.cause,
            "figures of requests cannot be read; the file was moved aside, and what the record of answers tells was counted again"
        );
    }
    if opened.counted_again > 0 {
        tracing::info!(answers = opened.counted_again, "answers counted again from their record");
    }
    if let Some(gap) = opened.gap {
        tracing::warn!(
            from = gap.from, until = gap.until, missing = ?gap.missing,
            "figures of requests of this time may be missing: the node did not stop in order, or ran without counting"
        );
    }
}
