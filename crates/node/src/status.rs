//! How a node is, for people and programs.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use serde::{Deserialize, Serialize};
use waymark_catalog::Catalog;
use waymark_recursive_cache::recursor::Recursor;
use waymark_registration::Event;
use waymark_resolver::{AnswerTap, CounterSnapshot, DropReason, OpClass, Outcome, Transport, door::Running};
use waymark_top_sync::deposit::Courier;
use waymark_top_sync::driver::Driver;
use waymark_top_sync::epp::driver::Docking;
use waymark_top_sync::watch::{
    Watch,
    target::{Pressure, Target},
};

use crate::{
    collection::Collected,
    deposit_courier, docking,
    listen::Listening,
    metrics_page::{Figures, RecursionFigures, TrafficFigures, reason_name},
    registration::Registration,
    traffic::NodeTraffic,
};

/// The doors, gone once the node stops.
pub(crate) type SharedDoors = Arc<Mutex<Option<Running>>>;

/// The registration doors, if any, gone once the node stops.
pub(crate) type SharedRegistration = Arc<Mutex<Option<Registration>>>;

/// Why requests get no answer when too many come.
const TURNED_AWAY: [DropReason; 3] = [DropReason::BudgetSpent, DropReason::ReassemblyRefused, DropReason::SocketFull];

/// What the pages look at. Doors and addresses are known a moment after the pages answer.
pub struct Watched {
    catalog: Catalog,
    since: Instant,
    stopping: AtomicBool,
    doors: OnceLock<SharedDoors>,
    registration: OnceLock<SharedRegistration>,
    checkpoint_failures: OnceLock<Arc<AtomicU64>>,
    listening: Mutex<Listening>,
    answer_tap: OnceLock<Arc<AnswerTap>>,
    recursor: OnceLock<Arc<Recursor>>,
    sync: OnceLock<Arc<Driver>>,
    collected: OnceLock<Collected>,
    docking: OnceLock<Docking>,
    deposits: OnceLock<Arc<Courier>>,
    traffic: OnceLock<NodeTraffic>,
    watch: OnceLock<Arc<Watch>>,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("catalog", &self.catalog).finish_non_exhaustive()
    }
}

/// The status of a running node, as `/status` gives it and `waymark status` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Version of the program.
    pub version: String,
    /// Seconds since the node was ready.
    pub uptime_seconds: u64,
    /// Whether the node is stopping.
    pub stopping: bool,
    /// Why writes are not taken; absent while they are.
    pub not_writable: Option<String>,
    /// Where it listens.
    pub listening: Listening,
    /// Identifiers.
    pub identifiers: u64,
    /// Of these, answered from memory.
    pub resident: u64,
    /// Prefixes served.
    pub prefixes: u64,
    /// Last visible serial.
    pub serial: u64,
    /// Bytes of the record log.
    pub log_bytes: u64,
    /// Bytes of the queryable state.
    pub state_bytes: u64,
    /// Serials the state is behind the log.
    pub state_lag: u64,
    /// Bytes of memory for index and records.
    pub index_bytes: u64,
    /// Answers by transport since the start.
    pub answers: Vec<(String, u64)>,
    /// What the node sees of itself; absent where it does not watch itself.
    #[serde(default)]
    pub watch: Option<WatchStatus>,
}

/// What a node sees of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WatchStatus {
    /// What failed in the last round of probes.
    pub failing: Vec<String>,
    /// Incidents that are not over.
    pub open_incidents: u64,
    /// Whether a maintenance is under way.
    pub maintenance: bool,
}

impl Watched {
    /// Looks at a catalog.
    #[expect(clippy::disallowed_methods, reason = "the moment the node was ready; shown as uptime, decides nothing")]
    pub fn new(catalog: Catalog) -> Self {
        Self {
            catalog,
            since: Instant::now(),
            stopping: AtomicBool::new(false),
            doors: OnceLock::new(),
            registration: OnceLock::new(),
            checkpoint_failures: OnceLock::new(),
            listening: Mutex::default(),
            answer_tap: OnceLock::new(),
            recursor: OnceLock::new(),
            sync: OnceLock::new(),
            collected: OnceLock::new(),
            docking: OnceLock::new(),
            deposits: OnceLock::new(),
            traffic: OnceLock::new(),
            watch: OnceLock::new(),
        }
    }

    /// The doors are open.
    pub(crate) fn doors_opened(
        &self,
        doors: SharedDoors,
        registration: SharedRegistration,
        listening: Listening,
        tap: Option<Arc<AnswerTap>>,
    ) {
        // Doors open once in the life of a node.
        let _first = self.doors.set(doors);
        let _first = self.registration.set(registration);
        self.listens(listening);
        if let Some(tap) = tap {
            let _first = self.answer_tap.set(tap);
        }
    }

    /// The audit is kept, and its keeper counts what fails.
    pub(crate) fn keeps_audit(&self, failures: Arc<AtomicU64>) {
        // Begun once in the life of a node.
        let _first = self.checkpoint_failures.set(failures);
    }

    /// The node resolves names that live elsewhere.
    pub(crate) fn recurses(&self, recursor: Arc<Recursor>) {
        // Made once in the life of a node.
        let _first = self.recursor.set(recursor);
    }

    /// The node owes a top-level node its sets.
    pub(crate) fn owes(&self, driver: Arc<Driver>) {
        // Made once in the life of a node.
        let _first = self.sync.set(driver);
    }

    /// The node collects what enterprises report.
    pub(crate) fn collects(&self, collected: Collected) {
        // Made once in the life of a node.
        let _first = self.collected.set(collected);
    }

    /// The node is connected to a top-level node.
    pub(crate) fn docks(&self, docking: Docking) {
        // Made once in the life of a node.
        let _first = self.docking.set(docking);
    }

    /// The node brings its deposits to the platform.
    pub(crate) fn deposits(&self, courier: Arc<Courier>) {
        // Begun once in the life of a node.
        let _first = self.deposits.set(courier);
    }

    /// The node counts requests.
    pub(crate) fn counts(&self, traffic: NodeTraffic) {
        // Begun once in the life of a node.
        let _first = self.traffic.set(traffic);
    }

    /// The node watches itself.
    pub(crate) fn watches(&self, watch: Arc<Watch>) {
        // Opened once in the life of a node.
        let _first = self.watch.set(watch);
    }

    /// Where it listens.
    pub(crate) fn listening(&self) -> Listening {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests since the start, and those turned away so that the node stands; `None` once the doors are gone.
    pub(crate) fn pressure(&self) -> Option<Pressure> {
        let doors = self.doors.get()?.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Running::counters)?;
        let mut pressure = Pressure::default();
        let answers = &doors.answers;
        for transport in Transport::ALL {
            let dropped: u64 = TURNED_AWAY.iter().map(|reason| answers.dropped(transport, *reason)).sum();
            let busy: u64 = OpClass::ALL.iter().map(|class| answers.answered(transport, *class, Outcome::Busy)).sum();
            pressure.asked += answers.answered_in_all(transport) + dropped;
            pressure.shed += busy + dropped;
        }
        if let Some(registration) = self.registration.get() {
            let running = registration.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(running) = running.as_ref() {
                let count = |event| running.counters().get(event);
                let refused = count(Event::RefusedConnections) + count(Event::RefusedConnectionsOfSource);
                pressure.asked += count(Event::Calls) + refused;
                pressure.shed += count(Event::RateLimited) + count(Event::Busy) + refused;
            }
        }
        Some(pressure)
    }

    /// Where the node listens, and the fingerprint of its certificate, from now on.
    pub(crate) fn listens(&self, listening: Listening) {
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = listening;
    }

    /// The node begins to stop.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether the node stops.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Why writes are not taken, if they are not. Waits for nothing.
    pub(crate) fn not_writable(&self) -> Option<&'static str> {
        self.catalog.health().reason.map(reason_name)
    }

    /// Everything for the metrics page. Blocks: locks may be held over a flush, and tables are read from the disk.
    pub fn figures(&self) -> Figures {
        let doors = self.doors.get().and_then(|doors| {
            let running = doors.lock().unwrap_or_else(PoisonError::into_inner);
            running.as_ref().map(Running::counters)
        });
        let registration = self.registration.get().map_or_else(Vec::new, |registration| {
            let running = registration.lock().unwrap_or_else(PoisonError::into_inner);
            running.as_ref().map_or_else(Vec::new, |running| running.counters().all().collect())
        });
        Figures {
            watch: self.watch.get().map(|watch| watch.standing(self.catalog.now())),
            sync: self.sync.get().map(|driver| (driver.now(), driver.outbox().status())),
            late: self
                .sync
                .get()
                .zip(self.collected.get())
                .map_or_else(Vec::new, |(driver, collected)| collected.late(driver.now())),
            traffic: self.traffic.get().map(TrafficFigures::of),
            recursion: self.recursor.get().map(|recursor| RecursionFigures::of(recursor)),
            docking: self.docking.get().map(docking::figures),
            deposits: self.deposits.get().and_then(|courier| deposit_courier::figures(courier)),
            registration,
            doors: doors.as_ref().map_or_else(Vec::new, |doors| {
                vec![(Transport::Udp, doors.udp), (Transport::Tcp, doors.tcp), (Transport::Quic, doors.quic)]
            }),
            answers: doors.map_or_else(|| CounterSnapshot::sum([]), |doors| doors.answers),
            catalog: self.catalog.statistics(),
            not_writable: self.catalog.health().reason,
            checkpoint_failures: self.checkpoint_failures.get().map_or(0, |failures| failures.load(Ordering::Relaxed)),
            answer_records_lost: self.answer_tap.get().map_or(0, |tap| tap.lost()),
            uptime_seconds: self.since.elapsed().as_secs(),
        }
    }

    /// The status, by these figures.
    pub fn status(&self, figures: &Figures) -> NodeStatus {
        let catalog = &figures.catalog;
        NodeStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: figures.uptime_seconds,
            stopping: self.is_stopping(),
            not_writable: figures.not_writable.map(|reason| reason_name(reason).to_owned()),
            listening: self.listening.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            identifiers: catalog.index.entries,
            resident: catalog.index.resident,
            prefixes: catalog.prefixes as u64,
            serial: catalog.serial.0,
            log_bytes: catalog.store.log_bytes,
            state_bytes: catalog.store.state_bytes,
            state_lag: catalog.store.state_lag,
            index_bytes: catalog.index.table_bytes + catalog.index.arena_bytes,
            answers: Transport::ALL
                .into_iter()
                .map(|transport| (transport.name().to_owned(), figures.answers.answered_in_all(transport)))
                .collect(),
            watch: figures.watch.as_ref().map(|standing| WatchStatus {
                failing: standing.failing.iter().map(Target::to_string).collect(),
                open_incidents: standing.open.iter().map(|(_, count)| count).sum(),
                maintenance: standing.is_maintained,
            }),
        }
    }
}
