//! The driver of a node with days behind it: stops when it is told to, whatever the node above does, and tells everything in the end.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Node, clock, set_clock};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use waymark_client::registration::Endpoint;
use waymark_top_sync::desk::Desk;
use waymark_top_sync::driver::Driver;
use waymark_top_sync::maker::Maker;
use waymark_top_sync::outbox::PartState;
use waymark_top_sync::sets::SetName;
use waymark_top_sync::simulator::faults::Plan;
use waymark_top_sync::simulator::ledger::After;
use waymark_top_sync::simulator::{Options, Simulator};
use waymark_top_sync::transport::grpc::GrpcTransport;

/// Far longer than anything here takes; ends tests that would hang.
const HANGS: Duration = Duration::from_secs(120);

fn driver(node: &Node, above: &str) -> Arc<Driver> {
    let maker = Maker::new(&node.catalog, Arc::clone(&node.outbox), "88.1", Vec::new(), None);
    let desk = Desk::new(&node.catalog, Arc::clone(&node.outbox), "88.1");
    let transport = GrpcTransport::new(&Endpoint::new(above.parse().unwrap())).unwrap();
    Arc::new(Driver::new(maker, desk, Arc::clone(&node.outbox), Box::new(transport)))
}

async fn above(folder: &Path) -> Simulator {
    let anywhere = "127.0.0.1:0".parse().unwrap();
    let (folder, faults) = (folder.to_owned(), Plan::read(b"{}").unwrap());
    let (probes, pages) = (None, axum::Router::new());
    let options = Options { listen: anywhere, http: anywhere, folder, tls: None, faults, clock, probes, pages };
    Simulator::start(options).await.unwrap()
}

async fn until(what: &str, so: impl Fn() -> bool) {
    let waited = async {
        while !so() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(HANGS, waited).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// A node above that takes connections and says nothing holds up neither what is made nor the stop.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_node_above_does_not_hold_up_the_stop() {
    let node = Node::begun("2026-10-20T01:00");
    node.put("88.1.701/a", &[(1, "URL", "x")]);
    set_clock("2026-11-29T01:00");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let driver = driver(&node, &format!("grpc://{}", silent.local_addr().unwrap()));
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(driver.run(stopped));
    let (connection, _) = silent.accept().await.unwrap();
    stop.send_replace(true);
    // Less than the silence after which a stream counts as lost.
    timeout(Duration::from_secs(30), running).await.expect("it stops").unwrap();
    drop(connection);
    let made = node.outbox.newest(SetName::T9, u64::MAX, usize::MAX);
    assert!(made.iter().all(|part| part.state == PartState::Waiting), "nobody took anything");
    assert!(made.len() < 40, "the stop came after all days were made: {}", made.len());
}

/// Days that are over go up while later ones are still made, and each once.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_weeks_behind_it_tells_each_day_once() {
    let node = Node::begun("2026-11-01T01:00");
    for day in 1..=20 {
        set_clock(&format!("2026-11-{day:02}T01:00"));
        node.put(&format!("88.1.701/{day}"), &[(1, "URL", "x")]);
    }
    set_clock("2026-11-21T01:00");
    let folder = tempfile::tempdir().unwrap();
    let above = above(folder.path()).await;
    let driver = driver(&node, &format!("grpc://{}", above.grpc()));
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(Arc::clone(&driver).run(stopped));
    let told = |set| {
        let parts = node.outbox.newest(set, u64::MAX, usize::MAX);
        parts.len() == 20 && parts.iter().all(|part| part.state == PartState::Acknowledged)
    };
    until("twenty days of T9", || told(SetName::T9)).await;
    stop.send_replace(true);
    timeout(HANGS, running).await.expect("it stops").unwrap();
    let (rows, _) = above.ledgers().held("88.1", "T9".parse().unwrap(), After::default(), 1_000).unwrap();
    assert_eq!(rows.len(), 20);
    let complaints = above.ledgers().status("88.1").iter().map(|set| set.complaints.len()).sum::<usize>();
    assert_eq!(complaints, 0);
}

/// Days are told once; those of a clock that is weeks ahead at a start are not, before it has been so for long. What is due at once goes on.
#[tokio::test(flavor = "multi_thread")]
async fn days_are_not_told_by_a_clock_that_is_suddenly_weeks_ahead() {
    let node = Node::begun("2026-11-20T01:00");
    node.put("88.1.701/a", &[(1, "URL", "x")]);
    set_clock("2026-11-21T01:00");
    let maker = Maker::new(&node.catalog, Arc::clone(&node.outbox), "88.1", Vec::new(), None);
    while maker.make_due(SetName::T9, clock()).unwrap() {}
    set_clock("2026-12-20T01:00");
    let folder = tempfile::tempdir().unwrap();
    let above = above(folder.path()).await;
    let period = |set| node.outbox.cursor(set).period;
    for (is_believed, told) in [(false, "2026-11-20"), (true, "2026-12-19")] {
        let driver = driver(&node, &format!("grpc://{}", above.grpc()));
        let driver = if is_believed { Arc::new(Arc::into_inner(driver).unwrap().believing()) } else { driver };
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(Arc::clone(&driver).run(stopped));
        until("a part that waited goes up", || {
            node.outbox.part(SetName::T9, 1).unwrap().state == PartState::Acknowledged
        })
        .await;
        until("days are told or held back", || {
            let making = driver.report().problems.making;
            let is_held = making.get(&SetName::T9).is_some_and(|cause| cause.contains("suddenly far ahead"));
            is_held != is_believed && (is_held || period(SetName::T9) == told)
        })
        .await;
        assert_eq!(period(SetName::T9), told);
        stop.send_replace(true);
        timeout(HANGS, running).await.unwrap().unwrap();
    }
    above.stop().await;
}
