//! A node with a clock of its own, and its courier.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use waymark_catalog::{
    Actor, Catalog, Command, HomeName, Options as CatalogOptions, PutMode, Submission, Timestamp, Timestamps, ValueSet,
    Warm, open,
};
use waymark_top_sync::deposit::{Account, Courier, Options, Policy, Row, Standing, Table, parse_date, watermark};
use waymark_wire::ValueBuf;
use waymark_wire::crypto::{OsRng, PrivateKey};

pub(crate) const PREFIX: &str = "88.990";

/// How long something may take that takes no time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Clocks of tests that run beside each other.
static CLOCKS: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

pub(crate) fn clock<const N: usize>() -> Timestamp {
    Timestamp(CLOCKS[N].fetch_add(1, Ordering::Relaxed))
}

/// So many minutes after a day began in UTC.
pub(crate) fn at(day: &str, minutes: u64) -> Timestamp {
    Timestamp(watermark(parse_date(day).unwrap()).0 + minutes * 60_000)
}

/// It is then.
pub(crate) fn set<const N: usize>(now: Timestamp) {
    CLOCKS[N].store(now.0, Ordering::Relaxed);
}

/// A node with clock number `N`.
pub(crate) struct Node<const N: usize> {
    pub(crate) folder: TempDir,
    pub(crate) catalog: Catalog,
    pub(crate) own: PrivateKey,
}

impl<const N: usize> Node<N> {
    /// Made on the Wednesday before the last Sunday of November.
    pub(crate) fn new() -> Self {
        set::<N>(at("2026-11-25", 600));
        let folder = tempfile::tempdir().unwrap();
        let catalog = opened::<N>(&folder.path().join("data"));
        let node = Self { folder, catalog, own: PrivateKey::generate_sm2(&mut OsRng) };
        node.write([Command::Home { name: HomeName::parse(PREFIX.as_bytes()).unwrap() }]);
        node
    }

    pub(crate) fn write(&self, commands: impl IntoIterator<Item = Command>) {
        let submission = Submission::new(&Actor::operator(), commands);
        assert!(self.catalog.writer().submit(submission).unwrap().wait().unwrap().iter().all(Result::is_ok));
    }

    pub(crate) fn put(&self, name: &str, data: &[u8]) {
        self.write([put(name, data)]);
    }

    /// What cannot be compressed, so many KiB of it.
    pub(crate) fn fill(&self, kibibytes: usize) {
        for first in (0..kibibytes.div_ceil(16)).step_by(16) {
            self.write((first..first + 16).map(|number| {
                let mut data = vec![0; 16 << 10];
                getrandom::fill(&mut data).unwrap();
                put(&format!("bulk {number}"), &data)
            }));
        }
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        Table::open(&self.data()).unwrap().rows().to_vec()
    }

    /// What a courier works with, to a platform that lets it in.
    pub(crate) fn options(&self, platform: &crate::platform::Platform) -> Options {
        Options {
            catalog: self.catalog.clone(),
            data: self.data(),
            platform: platform.key.public_key(),
            own: self.own.clone(),
            turn: Arc::new(Mutex::new(())),
            accounts: vec![Account {
                prefix: PREFIX.into(),
                user: "node990".into(),
                policy: Policy { at: Some(Duration::from_secs(1_800)), resends: 2, always_full: false },
            }],
            endpoint: platform.endpoint(),
            directory: "upload".into(),
            reports: "report".into(),
            part_bytes: 1 << 20,
            ask_every: Duration::from_millis(100),
            first_pause: Duration::from_millis(50),
            clock: clock::<N>,
        }
    }
}

pub(crate) fn put(name: &str, data: &[u8]) -> Command {
    let values = ValueSet::from_bufs(&[ValueBuf::new(1, b"DATA", data)]).unwrap();
    let handle = format!("{PREFIX}/{name}").into_bytes();
    Command::Put { handle, values, timestamps: Timestamps::Keep, mode: PutMode::Replace }
}

pub(crate) fn opened<const N: usize>(data: &Path) -> Catalog {
    let mut store = waymark_store::Options::new(data);
    (store.now, store.segment_bytes) = (Timestamp(CLOCKS[N].load(Ordering::Relaxed)), 1 << 20);
    open(&CatalogOptions { warm: Warm::Off, clock: clock::<N>, ..CatalogOptions::new(store) }).unwrap().catalog
}

/// A courier at work.
pub(crate) struct Working {
    pub(crate) courier: Arc<Courier>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Working {
    pub(crate) fn start(options: Options) -> Self {
        let courier = Courier::new(options);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(Arc::clone(&courier).run(stopped));
        Self { courier, stop, task }
    }

    pub(crate) fn standing(&self) -> Standing {
        self.courier.standings().unwrap().pop().unwrap()
    }

    /// Waits until it stands so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Standing) -> bool) -> Standing {
        let waiting = async {
            loop {
                let standing = self.standing();
                if is_so(&standing) {
                    return standing;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}: {:?}", self.standing()))
    }

    /// Waits until the deposit of a day was accepted.
    pub(crate) async fn accepted(&self, day: &str) -> Row {
        let date = parse_date(day).unwrap();
        let standing = self.until(day, |standing| standing.accepted.as_ref().is_some_and(|row| row.date == date)).await;
        standing.accepted.unwrap()
    }

    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        tokio::time::timeout(PATIENCE, self.task).await.expect("it stops").unwrap();
    }
}
