//! Each fault over a real socket, and quiet after it.

use std::time::{Duration, Instant};

use tempfile::tempdir;
use tonic::Code;
use waymark_api::toplevel::v1::{Outcome, WatermarksRequest};
use waymark_top_sync::check::Set;
use waymark_top_sync::simulator::Simulator;
use waymark_top_sync::simulator::faults::{Fault, Plan};

use crate::client::{Stream, page, plain, started};
use crate::golden::{NODE, part, whole};

/// Faults that happen to the second part of T9.
async fn with(fault: &str) -> (tempfile::TempDir, Simulator, Stream) {
    let folder = tempdir().unwrap();
    let script = format!(r#"{{"script": [{{"set": "T9", "nth": 2, "fault": "{fault}"}}], "delay_ms": 300}}"#);
    let simulator = started(&folder, &script).await;
    let mut stream = Stream::to(&simulator).await;
    stream.send(part(Set::T9, 1, "")).await;
    assert_eq!(stream.told().await, (1, Outcome::Stored));
    (folder, simulator, stream)
}

fn sequence(simulator: &Simulator) -> u64 {
    simulator.ledgers().watermarks(NODE)[0].sequence
}

#[tokio::test]
async fn a_dropped_part_is_missing_and_waited_for() {
    let (_folder, simulator, mut stream) = with("drop-part").await;
    stream.send(part(Set::T9, 2, "")).await;
    stream.send(part(Set::T9, 3, "")).await;
    let answer = stream.next().await.unwrap().unwrap();
    assert_eq!((answer.sequence, answer.outcome(), answer.expected), (3, Outcome::OutOfOrder, 2));
    for (sequence, outcome) in [(2, Outcome::Stored), (3, Outcome::Stored)] {
        stream.send(part(Set::T9, sequence, "")).await;
        assert_eq!(stream.told().await, (sequence, outcome));
    }
    assert_eq!(simulator.faults().get().1[&Fault::DropPart], 1);
}

#[tokio::test]
async fn a_part_whose_acknowledgement_was_dropped_is_stored() {
    let (_folder, simulator, mut stream) = with("drop-acknowledgement").await;
    stream.send(part(Set::T9, 2, "")).await;
    stream.send(part(Set::T9, 3, "")).await;
    assert_eq!(stream.told().await, (3, Outcome::Stored));
    assert_eq!(sequence(&simulator), 3);
    stream.send(part(Set::T9, 2, "")).await;
    assert_eq!(stream.told().await, (2, Outcome::StoredBefore));
}

#[tokio::test]
async fn a_delayed_part_waits() {
    let (_folder, _simulator, mut stream) = with("delay").await;
    #[expect(clippy::disallowed_methods, reason = "the time it takes is what is tested")]
    let begun = Instant::now();
    stream.send(part(Set::T9, 2, "")).await;
    assert_eq!(stream.told().await, (2, Outcome::Stored));
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn an_acknowledgement_comes_twice() {
    let (_folder, _simulator, mut stream) = with("duplicate-acknowledgement").await;
    stream.send(part(Set::T9, 2, "")).await;
    assert_eq!(stream.told().await, (2, Outcome::Stored));
    assert_eq!(stream.told().await, (2, Outcome::Stored));
}

#[tokio::test]
async fn an_acknowledgement_is_overtaken_by_the_next_and_comes_without_one() {
    let (_folder, simulator, mut stream) = with("reorder-acknowledgement").await;
    stream.send(part(Set::T9, 2, "")).await;
    // On its own it comes too, a little later.
    assert_eq!(stream.told().await, (2, Outcome::Stored));
    let plan = Plan::read(br#"{"script": [{"set": "T8", "nth": 1, "fault": "reorder-acknowledgement"}]}"#).unwrap();
    simulator.faults().set(plan).unwrap();
    stream.send(whole(Set::T8, 1)).await;
    stream.send(part(Set::T9, 3, "")).await;
    stream.finish();
    let (first, second) = (stream.next().await.unwrap().unwrap(), stream.next().await.unwrap().unwrap());
    assert_eq!([first.set, second.set], ["T9", "T8"]);
    assert!(stream.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_stream_ends_half_way_and_what_it_brought_is_stored() {
    let (_folder, simulator, mut stream) = with("close").await;
    stream.send(part(Set::T9, 2, "")).await;
    assert!(stream.next().await.unwrap().is_none());
    assert_eq!(sequence(&simulator), 2);
}

#[tokio::test]
async fn a_node_that_is_away_says_so_and_comes_back_when_told() {
    let folder = tempdir().unwrap();
    let simulator = started(&folder, r#"{"per_thousand": {"unavailable": 1000}}"#).await;
    let mut client = plain(&simulator).await;
    let asked = WatermarksRequest { node: NODE.into() };
    assert_eq!(client.watermarks(asked.clone()).await.unwrap_err().code(), Code::Unavailable);
    let mut stream = Stream::open(&mut client).await.unwrap();
    stream.send(part(Set::T9, 1, "")).await;
    assert_eq!(stream.next().await.unwrap_err().code(), Code::Unavailable);
    assert!(simulator.ledgers().watermarks(NODE).is_empty());

    let (status, told) = page(&simulator, "POST", "/faults", "{}").await;
    assert_eq!((status, &told["faults"]["per_thousand"]), (200, &serde_json::json!({})));
    let mut stream = Stream::open(&mut client).await.unwrap();
    stream.send(part(Set::T9, 1, "")).await;
    assert_eq!(stream.told().await, (1, Outcome::Stored));
    assert_eq!(client.watermarks(asked).await.unwrap().into_inner().watermarks[0].sequence, 1);
}

#[tokio::test]
async fn a_clock_that_is_behind_takes_no_day_before_it_is_over() {
    let folder = tempdir().unwrap();
    // Back to 2026-11-29T04:00:00Z, while that day is not over.
    let simulator = started(&folder, r#"{"clock_skew_seconds": -259200}"#).await;
    let mut stream = Stream::to(&simulator).await;
    stream.send(part(Set::T9, 1, "")).await;
    assert_eq!(stream.next().await.unwrap_err().code(), Code::FailedPrecondition);
    simulator.faults().set(Plan::default()).unwrap();
    let mut stream = Stream::to(&simulator).await;
    stream.send(part(Set::T9, 1, "")).await;
    assert_eq!(stream.told().await, (1, Outcome::Stored));
}

#[tokio::test]
async fn any_mix_of_faults_and_then_quiet_ends_with_every_part_once() {
    const PARTS: u64 = 60;
    let folder = tempdir().unwrap();
    let plan = r#"{"seed": 3, "delay_ms": 2, "per_thousand": {"drop-part": 100, "drop-acknowledgement": 100, "delay": 100,
        "duplicate-acknowledgement": 100, "reorder-acknowledgement": 100, "close": 50, "unavailable": 50}}"#;
    let simulator = started(&folder, plan).await;
    let mut client = plain(&simulator).await;
    let mut rounds = 0;
    while simulator.ledgers().watermarks(NODE).first().is_none_or(|mark| mark.sequence < PARTS) {
        rounds += 1;
        assert!(rounds < 500);
        if rounds == 100 {
            simulator.faults().set(Plan::default()).unwrap();
        }
        // Sends from where the top node is, and looks at no answer but the end.
        let asked = client.watermarks(WatermarksRequest { node: NODE.into() }).await.unwrap().into_inner();
        let from = asked.watermarks.first().map_or(1, |mark| mark.sequence + 1);
        let mut stream = Stream::open(&mut client).await.unwrap();
        for sequence in from..=PARTS {
            let row = format!(
                r#"{{"code":"88.990.10001/{sequence}","created":"2026-11-29","template":"","operation":1,"product_type":"","brand":"","name":"","maker":"","produced":"","expires":"","carrier":null}}"#
            );
            let sent = part(Set::T9, sequence, &format!("{row}\n"));
            stream
                .send(waymark_api::toplevel::v1::Part { part: u32::try_from(sequence).unwrap(), parts: 60, ..sent })
                .await;
        }
        stream.finish();
        while let Ok(Some(_)) = stream.next().await {}
    }
    let (rows, next) = simulator.ledgers().held(NODE, Set::T9, Default::default(), 1000).unwrap();
    assert_eq!((rows.len(), next), (60, None));
    let status = &simulator.ledgers().status(NODE)[0];
    assert_eq!((status.rows, status.refused, status.held), (PARTS, 0, PARTS));
    assert!(rounds > 3, "the faults did nothing: {rounds}");
}
