//! Items 1 and 8: what is owed to the node above arrives at the simulator, on its schedule and with every field.
//!
//! What is due at once comes while the node runs. For the rest its data folder is opened here, with a clock that is moved past the hour, the day and
//! the month; the code that makes and carries the sets is the node's, and the simulator's clock goes along. The simulator refuses a row with a field
//! missing, unknown or out of its form, so what it holds is whole.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use waymark_catalog::{Catalog, Timestamp};
use waymark_client::registration::Endpoint;
use waymark_top_sync::{
    calendar::Day,
    check::Set,
    desk::Desk,
    driver::Driver,
    figures::Figures,
    maker::Maker,
    outbox::Outbox,
    sets::rows::Route,
    traffic::{CatalogPrefixes, Limits, Options, Traffic},
    transport::grpc::GrpcTransport,
};

use super::deposits;
use super::registering::DEFINITION;
use super::stage::{NODE, PREFIX, Stage, clock, move_to, text, until};
use super::tried::Item;
use crate::daemon::{chain, open_catalog};

/// How long a set may take to arrive once it is due.
const ARRIVAL: Duration = Duration::from_secs(20);

/// Time behind an hour, a day or a month at which its sets are looked for: they are told a little after its end.
const BEHIND_MS: u64 = 5 * 60_000;

/// Milliseconds of an hour.
const HOUR_MS: u64 = 3_600_000;

/// Has the node say of itself what is not said yet, and looks for what is due at once.
pub(super) fn prepare(stage: &Stage) -> Item {
    Item::of_steps(1, |item| {
        let record = stage.plain(&["operator-record", "template"]);
        let file = stage.put("operator.json", record.out.as_bytes());
        let set = stage.by("operator", &["operator-record", "set", text(&file)]);
        item.tell("operator-record", "operator-record set", set.seen(), set.code == 0);
        let template = stage.put("node-template.json", DEFINITION.as_bytes());
        let put = stage.by("operator", &["template", "put", text(&template), "--prefix", NODE]);
        let name = format!("{NODE}/META_REHEARSAL-1.0");
        let published = stage.by("operator", &["template", "publish", &name]);
        item.tell("node-metadata", "template put and publish", published.seen(), put.code == 0 && published.code == 0);
        let month = Day::of(clock()).month().to_string();
        for (owner, name) in [("node", "节点应用"), ("E1", "企业应用")] {
            let words =
                ["application", "set", name, "--kind", "app", "--owner", owner, "--users", "100", "--month", &month];
            let set = stage.by("operator", &words);
            item.tell("application", set.words.clone(), set.seen(), set.code == 0);
        }
        for set in [Set::T1, Set::T2, Set::T11] {
            arrives(stage, item, set, "at once");
        }
    })
}

/// Tries the rest of items 1 and 8; gives item 9.
pub(super) fn try_out(stage: &Stage, sets: &mut Item, monitoring: &mut Item) -> Item {
    let mut kept = Item::new(9);
    let carrying = match Carrying::begin(stage) {
        Ok(carrying) => carrying,
        Err(cause) => {
            for item in [sets, monitoring, &mut kept] {
                item.tell("data-folder", "the data folder of the node, opened by the rehearsal", cause.clone(), false);
            }
            return kept;
        }
    };
    let now = clock().0;
    move_to(Timestamp((now / HOUR_MS + 1) * HOUR_MS + BEHIND_MS));
    for set in [Set::T6, Set::T7] {
        arrives(stage, sets, set, "after the hour");
    }
    move_to(Timestamp(Day::of(clock()).end().0 + BEHIND_MS));
    for set in [Set::T3, Set::T4, Set::T8, Set::T9] {
        arrives(stage, sets, set, "after the day");
    }
    arrives(stage, monitoring, Set::Monitoring, "after the day");
    let month = Day::of(clock()).month();
    move_to(Timestamp(month.last().end().0 + BEHIND_MS));
    for set in [Set::T5, Set::T10] {
        arrives(stage, sets, set, "after the month");
    }
    arrives(stage, monitoring, Set::Report, "after the month");
    deposits::try_out(stage, carrying.catalog(), &mut kept);
    match carrying.end(stage) {
        Ok(()) => deposits::restored(stage, &mut kept),
        Err(cause) => kept.tell("closed", "the data folder, closed", cause, false),
    }
    kept
}

/// Rows the simulator holds of a set, and parts it refused, with its first complaint.
fn held(stage: &Stage, set: Set) -> (u64, u64, String) {
    let status = stage.simulator().ledgers().status(NODE);
    let status = status.iter().find(|status| status.set == set);
    status.map_or((0, 0, String::new()), |status| {
        let complaint = status.complaints.first().map(|told| format!("{told:?}")).unwrap_or_default();
        (status.held, status.refused, complaint)
    })
}

/// Waits for rows of a set, none of them refused.
fn arrives(stage: &Stage, item: &mut Item, set: Set, when: &str) {
    let came = until(ARRIVAL, || (held(stage, set).0 > 0).then_some(()));
    let (rows, refused, complaint) = held(stage, set);
    let seen = format!("{rows} rows held, {refused} parts refused {complaint}");
    item.tell(step_of(set), format!("{set} {when}, at the simulator"), seen, came.is_some() && refused == 0);
}

const fn step_of(set: Set) -> &'static str {
    match set {
        Set::T1 => "set-t1",
        Set::T2 => "set-t2",
        Set::T3 => "set-t3",
        Set::T4 => "set-t4",
        Set::T5 => "set-t5",
        Set::T6 => "set-t6",
        Set::T7 => "set-t7",
        Set::T8 => "set-t8",
        Set::T9 => "set-t9",
        Set::T10 => "set-t10",
        Set::T11 => "set-t11",
        Set::Monitoring => "set-monitoring",
        Set::Incident => "set-incident",
        Set::Report => "set-report",
    }
}

/// The exchange over the data folder of the node.
struct Carrying {
    catalog: Catalog,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Carrying {
    fn begin(stage: &Stage) -> Result<Self, String> {
        let data = stage.data();
        let codes = Arc::new(stage.config().codes().map_err(|problem| problem.to_string())?);
        let options = waymark_catalog::Options { codes, clock, ..stage.config().catalog(&data) };
        let opened = stage.handle().block_on(open_catalog(options)).map_err(|problem| problem.to_string())?;
        let catalog = opened.catalog;
        let keep = stage.config().values().number("sync.keep_days");
        let outbox = Outbox::open(&data.join("sync"), keep, clock()).map_err(|cause| chain(&cause))?;
        let outbox = Arc::new(outbox);
        let options = Options {
            folder: data.join("traffic"),
            log: data.join("answers.log"),
            open_log: None,
            limits: Limits::default(),
        };
        let known = CatalogPrefixes { prefixes: catalog.prefixes(), business: catalog.business(), own: None };
        let (traffic, _) =
            Traffic::open(options, &known, waymark_catalog::machine_time()).map_err(|cause| chain(&cause))?;
        let figures: Arc<dyn Figures> = Arc::new(traffic);
        let port = |addresses: &[std::net::SocketAddr]| addresses.first().map(std::net::SocketAddr::port);
        let (tcp, udp) = (port(&stage.listening.tcp), port(&stage.listening.udp));
        let routes = vec![Route::new(std::net::Ipv4Addr::LOCALHOST.into(), tcp, udp, None)];
        // The report of a month is made from what the node saw of itself.
        let watched = stage.handle().block_on(crate::watch::open(stage.config(), &data, &catalog));
        let watched = watched.map_err(|problem| problem.to_string())?;
        let maker = Maker::new(&catalog, Arc::clone(&outbox), NODE, routes, Some(figures)).watched(watched);
        let desk = Desk::new(&catalog, Arc::clone(&outbox), NODE);
        let url = format!("grpc://{}", stage.simulator().grpc());
        let url = url.parse().map_err(|cause| format!("{url}: {cause}"))?;
        // Channels belong to the runtime.
        let entered = stage.handle().enter();
        let transport = GrpcTransport::new(&Endpoint::new(url)).map_err(|cause| chain(&cause))?;
        let driver = Arc::new(Driver::new(maker, desk, outbox, Box::new(transport)).believing());
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(driver.run(stopped));
        drop(entered);
        Ok(Self { catalog, stop, task })
    }

    const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn end(self, stage: &Stage) -> Result<(), String> {
        self.stop.send_replace(true);
        stage.handle().block_on(self.task).map_err(|cause| cause.to_string())?;
        self.catalog.shutdown().map_err(|cause| chain(&cause))
    }
}

/// The prefix of the enterprise, which other items have filled.
pub(super) const FILLED: &str = PREFIX;
