//! What every call goes through, whichever door it comes by: who is calling, how often, and the ways to the catalog.

pub(crate) mod caller;
pub(crate) mod rates;
pub(crate) mod reading;
pub(crate) mod writing;

use std::sync::Arc;

use tokio::sync::Semaphore;
use waymark_catalog::{Catalog, Clock, Timestamp};

use self::rates::{PerSource, Rates};
use self::reading::ReadingRoom;
use crate::collection::Collection;
use crate::config::Limits;
use crate::counters::Counters;
use crate::deposits::Deposits;
use crate::docking::Docking;
use crate::door::{Settings, Stopping};
use crate::followers::Followers;
use crate::recursion::Recursion;
use crate::registered::RegistrationTap;
use crate::sync::TopSync;
use crate::traffic::Traffic;
use crate::watching::Watching;

/// What all calls share.
pub(crate) struct Edge {
    pub(crate) catalog: Catalog,
    pub(crate) limits: Limits,
    pub(crate) counters: Arc<Counters>,
    pub(crate) stopping: Stopping,
    pub(crate) reading: ReadingRoom,
    /// Where the audit is read, apart from everything else.
    pub(crate) auditing: ReadingRoom,
    /// Verifications of the audit that may begin.
    pub(crate) verifications: Arc<Semaphore>,
    /// Streams of changes that may begin.
    pub(crate) uploads: Arc<Semaphore>,
    /// Watches that may begin.
    pub(crate) watchers: Arc<Semaphore>,
    /// Caches of others that follow what changes here.
    pub(crate) followers: Followers,
    /// Recursion, where the node has it.
    pub(crate) recursion: Option<Arc<dyn Recursion>>,
    /// The exchange with the top-level node, where the node has it.
    pub(crate) sync: Option<Arc<dyn TopSync>>,
    pub(crate) docking: Option<Arc<dyn Docking>>,
    /// What enterprises report, where the node collects it.
    pub(crate) collection: Option<Arc<dyn Collection>>,
    /// Deposits, where the node has the keys for them.
    pub(crate) deposits: Option<Arc<dyn Deposits>>,
    /// Statistics of requests, where the node keeps them.
    pub(crate) traffic: Option<Arc<dyn Traffic>>,
    /// Where records of registrations go, if anybody wants them.
    pub(crate) registrations: Option<Arc<RegistrationTap>>,
    /// The watch, where the node has one.
    pub(crate) watching: Option<Arc<dyn Watching>>,
    waiting: Arc<Semaphore>,
    rates: Rates,
    failures: PerSource,
    clock: Clock,
}

impl Edge {
    pub(crate) fn new(
        catalog: &Catalog,
        limits: Limits,
        counters: Arc<Counters>,
        settings: Settings,
        stopping: Stopping,
    ) -> Arc<Self> {
        let Settings { clock, recursion, sync, docking, collection, deposits, traffic, registrations, watching } =
            settings;
        Arc::new(Self {
            catalog: catalog.clone(),
            counters,
            stopping,
            reading: ReadingRoom::new(catalog.clone(), limits.reads),
            auditing: ReadingRoom::new(catalog.clone(), limits.audit_reads),
            verifications: Arc::new(Semaphore::new(limits.audit_verifications)),
            uploads: Arc::new(Semaphore::new(limits.uploads)),
            watchers: Arc::new(Semaphore::new(limits.watchers)),
            followers: Followers::default(),
            recursion,
            sync,
            docking,
            collection,
            deposits,
            traffic,
            registrations,
            watching,
            waiting: Arc::new(Semaphore::new(limits.waiting_streams)),
            rates: Rates::new(limits.rate_per_second),
            failures: PerSource::of_failures(&limits),
            clock,
            limits,
        })
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
