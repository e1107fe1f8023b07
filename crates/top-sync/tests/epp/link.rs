//! The driver between a node and a simulator.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use waymark_catalog::business::CaseState;
use waymark_client::Trust;
use waymark_top_sync::epp::driver::seal::OwnSeal;
use waymark_top_sync::epp::driver::transport::{HttpTransport, Transport};
use waymark_top_sync::epp::driver::{Docking, Driver, Parts};
use waymark_top_sync::epp::exchange::{Exchange, FileJournal, Pace};
use waymark_top_sync::simulator::epp::{EppSimulator, Settings};

use crate::node::{Node, OWN_PREFIX};

pub(crate) const USER: &str = "node-88-104";
pub(crate) const KEY: &[u8] = b"the application's key";

/// Bytes of the largest answer.
pub(crate) const ANSWER_BYTES: usize = 64 << 10;

/// Waits that a test can wait for.
pub(crate) fn pace() -> Pace {
    let ms = Duration::from_millis;
    Pace { poll_every: ms(20), retry_first: ms(2), retry_most: ms(20), refused_wait: ms(60) }
}

pub(crate) fn settings() -> Settings {
    Settings { application: Some((USER.into(), KEY.to_vec())), ..Settings::local(OWN_PREFIX, USER) }
}

pub(crate) async fn simulator() -> EppSimulator {
    EppSimulator::start(settings()).await.unwrap()
}

pub(crate) fn transport(url: &str, trust: Option<&Trust>) -> HttpTransport {
    let seal = Arc::new(OwnSeal::new(USER.into(), KEY.to_vec().into()));
    HttpTransport::new(url.parse().unwrap(), trust, seal, Duration::from_millis(400), ANSWER_BYTES).unwrap()
}

/// One with more time, for what is large.
pub(crate) fn transport_within(url: &str, time: Duration) -> HttpTransport {
    let seal = Arc::new(OwnSeal::new(USER.into(), KEY.to_vec().into()));
    HttpTransport::new(url.parse().unwrap(), None, seal, time, ANSWER_BYTES).unwrap()
}

/// Identifiers by a count: the same in every run.
pub(crate) fn chance() -> Box<dyn FnMut() -> u64 + Send> {
    let mut state = 7_u64;
    Box::new(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 11
    })
}

pub(crate) fn file(dir: &Path) -> PathBuf {
    dir.join("docking.log")
}

pub(crate) fn driver(node: &Node, dir: &Path, transport: Box<dyn Transport>) -> Driver {
    let exchange = Exchange::open(FileJournal::open(&file(dir)).unwrap(), pace(), chance()).unwrap();
    Driver::new(Parts {
        catalog: node.catalog.clone(),
        exchange,
        transport,
        own_prefix: OWN_PREFIX.into(),
        user: USER.into(),
        answer_bytes: ANSWER_BYTES,
    })
}

/// A driver that runs.
pub(crate) struct Link {
    pub(crate) docking: Docking,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Link {
    pub(crate) fn start(node: &Node, dir: &Path, simulator: &EppSimulator) -> Self {
        Self::over(node, dir, Box::new(transport(&simulator.url(), None)))
    }

    pub(crate) fn over(node: &Node, dir: &Path, transport: Box<dyn Transport>) -> Self {
        let driver = driver(node, dir, transport);
        let (stop, stopped) = watch::channel(false);
        Self { docking: driver.docking(), stop, task: tokio::spawn(driver.run(stopped)) }
    }

    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..4_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never came: {what}");
}

/// Both sides say the same, and nothing was made twice.
pub(crate) fn assert_equal(node: &Node, simulator: &EppSimulator) {
    let (business, held) = (node.business(), simulator.holdings());
    for case in business.cases() {
        let prefix = String::from_utf8(case.prefix.to_vec()).unwrap();
        let above = held.prefixes.get(&prefix);
        let state = above.map(|above| above.state);
        match case.state {
            CaseState::Active => assert_eq!(state, Some("approved"), "{prefix}"),
            CaseState::Rejected => assert!(matches!(state, Some("refused") | None), "{prefix}: {state:?}"),
            other => panic!("{prefix} is {other:?} here and {state:?} above"),
        }
        if let Some(above) = above {
            assert_eq!((above.made, above.asked_for_under.len()), (1, 1), "{prefix}: {above:?}");
        }
    }
    assert_eq!(
        held.prefixes.len(),
        business.cases().filter(|case| held.prefixes.contains_key(&*String::from_utf8_lossy(&case.prefix))).count()
    );
    for (ent_id, above) in &held.enterprises {
        assert_eq!(above.made, 1, "{ent_id}");
        let code = &above.fields["entCrCode"];
        let id = business.of_document(waymark_catalog::business::DocumentKind::CreditCode, code).unwrap();
        let profile = &business.enterprise(id).unwrap().profile;
        let same = [
            ("entNameCn", &profile.name),
            ("entNameEn", &profile.name_en),
            ("province", &profile.province),
            ("entAddrCn", &profile.address),
            ("entWebSite", &profile.website),
            ("entDesc", &profile.description),
        ];
        for (field, here) in same {
            assert_eq!(above.fields.get(field).map_or("", String::as_str), here, "{field}");
        }
        assert_eq!(above.fields["legalPerson/idNo"], "330106197001017771");
        assert_eq!(above.fields["contact/phone"], "13800138777");
    }
    assert_eq!(held.messages, 0, "the queue is empty");
}
