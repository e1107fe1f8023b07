//! Parts on their way to the top-level node of tests, over real sockets, with whatever goes wrong there: in the end it holds what the catalog says,
//! each item once, and nothing that it refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Node, clock, set_clock};
use serde_json::Value;
use waymark_client::registration::Endpoint;
use waymark_top_sync::desk::Desk;
use waymark_top_sync::maker::Maker;
use waymark_top_sync::outbox::PartState;
use waymark_top_sync::sets::SetName;
use waymark_top_sync::sets::rows::Route;
use waymark_top_sync::simulator::faults::Plan;
use waymark_top_sync::simulator::ledger::After;
use waymark_top_sync::simulator::{Options, Simulator};
use waymark_top_sync::transport::directory::DirectoryTransport;
use waymark_top_sync::transport::grpc::GrpcTransport;
use waymark_top_sync::transport::{CarryError, Transport as _};

async fn above(folder: &Path, faults: &str) -> Simulator {
    let anywhere = "127.0.0.1:0".parse().unwrap();
    let faults = Plan::read(faults.as_bytes()).unwrap();
    let folder = folder.to_owned();
    let (probes, pages) = (None, axum::Router::new());
    Simulator::start(Options { listen: anywhere, http: anywhere, folder, tls: None, faults, clock, probes, pages })
        .await
        .unwrap()
}

fn transport(above: &Simulator) -> GrpcTransport {
    let endpoint = Endpoint::new(format!("grpc://{}", above.grpc()).parse().unwrap());
    GrpcTransport::new(&endpoint).unwrap().silent_for(Duration::from_millis(150))
}

fn desk(node: &Node) -> Desk {
    Desk::new(&node.catalog, Arc::clone(&node.outbox), "88.1")
}

/// Makes everything that is due.
fn make_all(node: &Node) {
    let routes = vec![Route::new("192.0.2.1".parse().unwrap(), Some(2641), Some(2641), None)];
    let maker = Maker::new(&node.catalog, Arc::clone(&node.outbox), "88.1", routes, None);
    for set in SetName::ALL {
        while maker.make_due(set, clock()).unwrap() {}
    }
}

/// A node whose days with one identifier are made up to a moment.
fn with_days(until: &str) -> Node {
    let node = Node::begun("2026-11-25T01:00");
    node.put("88.1.701/a", &[(1, "productName", "x")]);
    set_clock(until);
    make_all(&node);
    node
}

/// Adds a part with one row, for a period.
fn add(node: &Node, set: SetName, period: &str, row: &impl serde::Serialize) {
    let mut draft = node.outbox.draft(set);
    waymark_top_sync::sets::business::Take::take(&mut draft, row, None).unwrap();
    node.outbox.add(draft, period, &node.outbox.cursor(set), clock()).unwrap();
}

/// Everything held of a set.
fn held(above: &Simulator, set: &str) -> Vec<Value> {
    let (rows, rest) = above.ledgers().held("88.1", set.parse().unwrap(), After::default(), 100_000).unwrap();
    assert!(rest.is_none());
    rows.into_iter().map(|row| row.content).collect()
}

fn complaints(above: &Simulator) -> Vec<String> {
    let sets = above.ledgers().status("88.1");
    sets.iter().flat_map(|set| set.complaints.iter().map(|told| format!("{:?}: {told:?}", set.set))).collect()
}

fn unsettled(node: &Node) -> Vec<(SetName, PartState, String)> {
    let all = SetName::ALL.into_iter().flat_map(|set| node.outbox.newest(set, u64::MAX, 1_000));
    let open = all.filter(|part| part.state != PartState::Acknowledged);
    open.map(|part| (part.set, part.state, part.problem)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_the_maker_makes_is_taken_by_a_node_that_checks_every_field() {
    let node = common::business::filled();
    node.put("88.1.801/a", &[(1, "productName", "压力变送器"), (2, "brand", "Waymark")]);
    set_clock("2026-12-01T01:00");
    make_all(&node);
    let folder = tempfile::tempdir().unwrap();
    let above = above(folder.path(), "{}").await;
    transport(&above).carry(&desk(&node)).await.unwrap();
    assert_eq!(complaints(&above), Vec::<String>::new());
    assert_eq!(unsettled(&node), []);
    let own = held(&above, "T1");
    assert_eq!((own.len(), &own[0]["personal"]["people"]["phone"]), (2, &"13800000001".into()));
    assert_eq!((&own[1]["file"], &own[1]["bytes"]), (&"document".into(), &common::business::IMAGE.len().into()));
    for set in ["T2", "T4", "T5", "T6", "T7", "T9", "T10", "T11"] {
        assert_eq!(held(&above, set).len(), 1, "{set}");
    }
    above.stop().await;
}

/// What the top-level node holds of T9 after the days came in order: what is there at the end of the last one.
async fn holds_what_the_catalog_says(seed: u64) {
    let mut node = Node::begun("2026-11-25T01:00");
    let mut there = BTreeMap::new();
    let (mut random, mut day) = (seed, 25);
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random >> 33
    };
    let folder = tempfile::tempdir().unwrap();
    let faults = |seed: u64| {
        let share = |fault: &str| format!("\"{fault}\":120");
        let faults = ["drop-part", "drop-acknowledgement", "duplicate-acknowledgement", "reorder-acknowledgement"];
        let faults: Vec<String> = faults.into_iter().chain(["close", "unavailable"]).map(share).collect();
        format!("{{\"seed\":{seed},\"per_thousand\":{{{}}}}}", faults.join(","))
    };
    for round in 0..4 {
        for _ in 0..40 {
            let name = format!("88.1.701/{}", next() % 12);
            if next() % 3 == 0 && there.contains_key(&name) {
                node.delete(&name);
                there.remove(&name);
            } else {
                let data = (next() % 100).to_string();
                node.put(&name, &[(1, "productName", &data)]);
                there.insert(name, data);
            }
        }
        day += 1;
        set_clock(&format!("2026-11-{day}T01:00"));
        make_all(&node);
        // The node above is another process each time, and this one forgets everything that is not on its disk.
        let above = above(folder.path(), &faults(seed + round)).await;
        for _ in 0..3 {
            let _broken = transport(&above).carry(&desk(&node)).await;
            node.reopen_outbox();
        }
        above.stop().await;
    }
    let above = above(folder.path(), "{}").await;
    transport(&above).carry(&desk(&node)).await.unwrap();
    assert_eq!(unsettled(&node), [], "seed {seed}");
    assert_eq!(complaints(&above), Vec::<String>::new(), "seed {seed}");
    let live = held(&above, "T9").into_iter().filter(|row| row["operation"] != 2);
    let live = live.map(|row| (row["code"].as_str().unwrap().to_owned(), row["name"].as_str().unwrap().to_owned()));
    assert_eq!(live.collect::<BTreeMap<_, _>>(), there, "seed {seed}");
    above.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_any_mix_of_faults_and_then_quiet_the_node_above_holds_what_the_catalog_says() {
    for seed in 0..6 {
        holds_what_the_catalog_says(seed * 1_000 + 7).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_above_that_lost_everything_is_given_it_again() {
    let node = with_days("2026-11-28T01:00");
    let first = tempfile::tempdir().unwrap();
    let above_first = above(first.path(), "{}").await;
    transport(&above_first).carry(&desk(&node)).await.unwrap();
    above_first.stop().await;
    set_clock("2026-11-29T01:00");
    make_all(&node);
    let second = tempfile::tempdir().unwrap();
    let above_second = above(second.path(), "{}").await;
    transport(&above_second).carry(&desk(&node)).await.unwrap();
    assert_eq!(unsettled(&node), []);
    assert_eq!(held(&above_second, "T9").len(), 1);
    assert_eq!(above_second.ledgers().watermarks("88.1").iter().find(|mark| mark.set == "T9").unwrap().sequence, 4);
    above_second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_refused_stays_and_does_not_hold_up_those_behind_it() {
    let node = Node::begun("2026-11-25T01:00");
    set_clock("2026-11-27T01:00");
    make_all(&node);
    add(&node, SetName::T9, "2026-11-26", &serde_json::json!({ "code": 7 }));
    set_clock("2026-11-28T01:00");
    make_all(&node);
    let folder = tempfile::tempdir().unwrap();
    let above = above(folder.path(), "{}").await;
    transport(&above).carry(&desk(&node)).await.unwrap();
    let open = unsettled(&node);
    assert_eq!((open.len(), open[0].1), (1, PartState::Refused));
    assert!(open[0].2.contains("row 1"), "{}", open[0].2);
    let status = node.outbox.status();
    let t9 = status.iter().find(|status| status.set == SetName::T9).unwrap();
    assert_eq!((t9.waiting, t9.refused), (0, 1));
    above.stop().await;
}

/// Writes something else into the file of a part.
fn damage(node: &Node, set: SetName, sequence: u64) {
    std::fs::write(node.dir.path().join(format!("sync/parts/{set}-{sequence:012}.jsonl")), "damage").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_cannot_be_read_holds_up_its_own_set_alone() {
    let node = common::business::filled();
    set_clock("2026-12-01T01:00");
    make_all(&node);
    damage(&node, SetName::T1, 1);
    let folder = tempfile::tempdir().unwrap();
    let above = above(folder.path(), "{}").await;
    for _ in 0..2 {
        let error = transport(&above).carry(&desk(&node)).await.unwrap_err();
        assert!(matches!(error, CarryError::Desk(_)), "{error}");
    }
    let open = unsettled(&node);
    assert!(!open.is_empty() && open.iter().all(|(set, ..)| *set == SetName::T1), "{open:?}");
    assert_eq!(node.outbox.part(SetName::T1, 1).unwrap().attempts, 1, "noted once, though tried twice");
    let files = tempfile::tempdir().unwrap();
    let written = DirectoryTransport::new(files.path().to_owned()).carry(&desk(&node)).await;
    assert!(matches!(written, Err(CarryError::Desk(_))));
    above.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_was_marked_is_not_waited_for_above() {
    let node = with_days("2026-11-28T01:00");
    damage(&node, SetName::T9, 2);
    let folder = tempfile::tempdir().unwrap();
    let above = above(folder.path(), "{}").await;
    transport(&above).carry(&desk(&node)).await.unwrap_err();
    node.outbox.mark(SetName::T9, 2, 2, "by letter", "operator", clock()).unwrap();
    transport(&above).carry(&desk(&node)).await.unwrap();
    let states: Vec<_> =
        node.outbox.newest(SetName::T9, u64::MAX, 9).into_iter().rev().map(|part| part.state).collect();
    assert_eq!(states, [PartState::Acknowledged, PartState::Marked, PartState::Acknowledged]);
    assert_eq!(node.outbox.part(SetName::T9, 2).unwrap().problem, "by letter");
    set_clock("2026-11-29T01:00");
    make_all(&node);
    transport(&above).carry(&desk(&node)).await.unwrap();
    assert_eq!(unsettled(&node).len(), 1);
    above.stop().await;
}

/// SETS.md: a part whose period is not over ends the stream, and may come again as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_comes_too_early_holds_up_its_own_set_alone() {
    let node = with_days("2026-11-27T01:00");
    add(&node, SetName::T4, "2027-11-26", &serde_json::json!({ "code": 7 }));
    let folder = tempfile::tempdir().unwrap();
    let above = above(folder.path(), "{}").await;
    let error = transport(&above).carry(&desk(&node)).await.unwrap_err();
    assert!(error.to_string().contains("not over"), "{error}");
    let open = unsettled(&node);
    assert_eq!(
        open.iter().map(|(set, state, _)| (*set, *state)).collect::<Vec<_>>(),
        [(SetName::T4, PartState::Waiting)]
    );
    assert!(open[0].2.contains("not over"), "{}", open[0].2);
    above.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_kept_nowhere_is_told_of_and_nothing_that_was_acknowledged_waits_again() {
    let node = Node::begun("2026-11-25T01:00");
    set_clock("2026-11-28T01:00");
    make_all(&node);
    let first = tempfile::tempdir().unwrap();
    let above_first = above(first.path(), "{}").await;
    transport(&above_first).carry(&desk(&node)).await.unwrap();
    above_first.stop().await;
    // All but the last of the settled parts go; the node above loses everything.
    set_clock("2027-03-01T01:00");
    while node.outbox.forget_settled(clock()).unwrap() > 0 {}
    let row = waymark_top_sync::sets::rows::MasterRow { code: "88.1.701/a".into(), ..Default::default() };
    add(&node, SetName::T9, "2026-11-28", &row);
    let second = tempfile::tempdir().unwrap();
    let above_second = above(second.path(), "{}").await;
    for _ in 0..2 {
        let error = transport(&above_second).carry(&desk(&node)).await.unwrap_err();
        assert!(error.to_string().contains("waits for T9 1, which is not kept"), "{error}");
        assert_eq!(unsettled(&node).len(), 1, "what was acknowledged is not sent for nothing");
    }
    above_second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_hold_the_same_rows_with_the_digests_their_manifest_names() {
    use sha2::{Digest as _, Sha256};
    let node = common::business::filled();
    set_clock("2026-12-01T01:00");
    make_all(&node);
    let folder = tempfile::tempdir().unwrap();
    let written = DirectoryTransport::new(folder.path().to_owned()).carry(&desk(&node)).await.unwrap();
    assert!(written > 9);
    assert_eq!(unsettled(&node), []);
    let mut manifests = 0;
    for set in std::fs::read_dir(folder.path()).unwrap() {
        for period in std::fs::read_dir(set.unwrap().path()).unwrap() {
            let period = period.unwrap().path();
            for file in std::fs::read_dir(&period).unwrap() {
                let path = file.unwrap().path();
                assert_ne!(path.extension().unwrap(), "new");
                if path.to_string_lossy().ends_with(".manifest.json") {
                    manifests += 1;
                    let manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                    for named in manifest["files"].as_array().unwrap() {
                        let bytes = std::fs::read(period.join(named["name"].as_str().unwrap())).unwrap();
                        assert_eq!(hex::encode(Sha256::digest(&bytes)), named["sha256"].as_str().unwrap());
                        assert_eq!(bytes.len() as u64, named["bytes"].as_u64().unwrap());
                    }
                }
            }
        }
    }
    assert_eq!(manifests, written);
}
