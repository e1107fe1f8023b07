//! What enterprises with nodes of their own report, in a node: made from the configuration, looked for in folders, shown to operators.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinHandle, time::sleep};
use waymark_api::{
    operator::v1,
    toplevel::v1::{Acknowledgement, Part, watermarks_response::Watermark},
};
use waymark_catalog::Catalog;
use waymark_registration::collection::{CollectProblem, Collection};
use waymark_top_sync::{
    collect::{Collector, EXPECTED, Settings, TakeError, drop::DropFolders},
    config::DROP_SECONDS,
    outbox::Outbox,
};

use crate::{config::Config, daemon::chain};

/// Bytes of a MiB.
const MEBI: u64 = 1 << 20;

/// Keeps collecting.
#[derive(Debug)]
pub(crate) struct CollectionKeeper {
    shown: Collected,
    drops: Option<(watch::Sender<bool>, JoinHandle<()>)>,
}

/// What a node collects by, for whoever looks. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Collected {
    collector: Arc<Collector>,
    drops: Option<Arc<DropFolders>>,
}

impl CollectionKeeper {
    /// Begins for the node of a prefix.
    pub(crate) fn start(config: &Config, catalog: &Catalog, outbox: &Arc<Outbox>, prefix: &str) -> Self {
        let values = config.values();
        let settings = Settings {
            owner_bytes: values.number("collection.owner_mib").saturating_mul(MEBI),
            late_hours: values.number("collection.late_hours"),
        };
        let collector = Arc::new(Collector::new(catalog, Arc::clone(outbox), prefix, settings));
        let folder = config.path("collection.directory");
        let folders = folder.map(|folder| Arc::new(DropFolders::new(folder, Arc::clone(&collector))));
        let drops = folders.clone().map(|folders| {
            let (stop, stopped) = watch::channel(false);
            (stop, tokio::spawn(look(folders, stopped)))
        });
        Self { shown: Collected { collector, drops: folders }, drops }
    }

    /// What enterprises report to.
    pub(crate) fn door(&self) -> Arc<dyn Collection> {
        Arc::new(self.shown.clone())
    }

    /// What it is shown by.
    pub(crate) fn shown(&self) -> Collected {
        self.shown.clone()
    }

    /// Ends; the look under way ends with the part it is at.
    pub(crate) async fn stop(self) {
        if let Some(folders) = &self.shown.drops {
            folders.halt();
        }
        if let Some((stop, task)) = self.drops {
            stop.send_replace(true);
            // A panic was reported by the task.
            let _ended = task.await;
        }
    }
}

/// Looks into the folders, for ever.
async fn look(folders: Arc<DropFolders>, mut stop: watch::Receiver<bool>) {
    loop {
        let folders = Arc::clone(&folders);
        // A panic was reported by its thread; the next look tries again.
        let taken = tokio::task::spawn_blocking(move || folders.look()).await.unwrap_or(0);
        if taken > 0 {
            tracing::info!(taken, "dropped parts were taken");
        }
        tokio::select! {
            () = sleep(Duration::from_secs(DROP_SECONDS)) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

impl Collected {
    /// How each delegated prefix stands with each set.
    pub(crate) fn owners(&self, now: waymark_catalog::Timestamp) -> Vec<v1::OwnerStatus> {
        let expected = self.collector.expected(now);
        let shown = expected.into_iter().map(|each| v1::OwnerStatus {
            late: each.is_late(),
            owner: each.owner,
            set: each.set.to_string(),
            period: each.told.period,
            due: each.due,
            taken_ms: each.told.taken,
            refused: each.told.refused,
            problem: each.told.problem,
        });
        shown.collect()
    }

    /// Delegated prefixes whose owners are late, by set.
    pub(crate) fn late(&self, now: waymark_catalog::Timestamp) -> Vec<(&'static str, u64)> {
        let expected = self.collector.expected(now);
        let late = |set| expected.iter().filter(|each| each.set == set && each.is_late()).count() as u64;
        EXPECTED.map(|set| (set.as_str(), late(set))).to_vec()
    }

    /// Folders of dropped parts that are not taken further.
    pub(crate) fn drop_problems(&self) -> Vec<v1::DropProblem> {
        let problems = self.drops.as_ref().map(|drops| drops.problems()).unwrap_or_default();
        problems.into_iter().map(|(folder, problem)| v1::DropProblem { folder, problem }).collect()
    }
}

impl Collection for Collected {
    fn take(&self, part: Part) -> Result<Acknowledgement, CollectProblem> {
        self.collector.take(part).map_err(|error| match error {
            TakeError::NotDelegated => CollectProblem::NotDelegated,
            TakeError::Early => CollectProblem::Early,
            TakeError::Full => CollectProblem::Full,
            error => CollectProblem::Failed(chain(&error)),
        })
    }

    fn watermarks(&self, prefix: &str) -> Vec<Watermark> {
        self.collector.watermarks(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn collecting_that_is_stopped_looks_no_further() {
        let (data, dropped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let options = waymark_catalog::Options::new(waymark_store::Options::new(data.path().join("store")));
        let catalog = waymark_catalog::open(&options).unwrap().catalog;
        let outbox = Arc::new(Outbox::open(&data.path().join("sync"), 40, catalog.now()).unwrap());
        let settings = Settings { owner_bytes: MEBI, late_hours: 24 };
        let collector = Arc::new(Collector::new(&catalog, outbox, "88.1", settings));
        let folders = || Arc::new(DropFolders::new(dropped.path().to_owned(), Arc::clone(&collector)));
        let stopped = folders();
        let (stop, stopping) = watch::channel(false);
        let drops = Some((stop, tokio::spawn(look(Arc::clone(&stopped), stopping))));
        let shown = Collected { collector: Arc::clone(&collector), drops: Some(Arc::clone(&stopped)) };
        CollectionKeeper { shown, drops }.stop().await;
        // Nobody has this prefix, which a look would tell of.
        std::fs::create_dir(dropped.path().join("88.1.999")).unwrap();
        let problems = [stopped, folders()].map(|folders| {
            folders.look();
            folders.problems().len()
        });
        assert_eq!(problems, [0, 1]);
    }
}
