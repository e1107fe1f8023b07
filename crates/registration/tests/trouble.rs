//! What callers see when the disk fails or is full, when there is too much to do, and when very many write the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read as _};
use std::sync::Arc;
use std::time::Duration;

use common::{Client, Node, apply, client, create, delete, options, reason, url};
use tonic::Code;
use tonic::transport::Channel;
use waymark_api::registration::v1::{self, UploadRequest, expectation::Condition, upload_request::Message};
use waymark_catalog::access::Role;
use waymark_catalog::{Command, HomeName, WriterLimits, open};
use waymark_registration::Limits;
use waymark_store::fault::{Fault, FaultMedium, MemoryMedium, Operation};

fn upload(
    stream: &str,
    first_number: u64,
    changes: Vec<v1::Change>,
) -> impl tonic::IntoStreamingRequest<Message = UploadRequest> {
    let open = Message::Open(v1::OpenStream { stream: stream.into() });
    let items = Message::Items(v1::Items { first_number, changes });
    tokio_stream::iter([open, items].map(|message| UploadRequest { message: Some(message) }))
}

fn creates(numbers: impl IntoIterator<Item = u64>) -> Vec<v1::Change> {
    numbers.into_iter().map(|n| create(&format!("88.1/{n}"), "a")).collect()
}

#[tokio::test]
async fn after_a_failed_flush_nothing_is_written_and_all_is_read() {
    let faults = FaultMedium::over(Arc::new(MemoryMedium::new()));
    let medium: Arc<dyn waymark_store::medium::Medium> = Arc::clone(&faults) as _;
    let node = Node::start_with_catalog(common::new_catalog_over(medium));
    let mut writer = node.writer().await;
    writer.apply(apply(create("88.1/x", "a"))).await.unwrap();
    faults.fail_once(Operation::Sync, "", 0, Fault::Error(ErrorKind::Other));
    for handle in ["88.1/y", "88.1/z"] {
        let stopped = writer.apply(apply(create(handle, "a"))).await.unwrap_err();
        assert_eq!((stopped.code(), reason(&stopped).as_str()), (Code::Unavailable, "WRITING_STOPPED"));
    }
    let stopped = writer.upload(upload("line", 1, creates(1..=3))).await.unwrap_err();
    assert_eq!(reason(&stopped), "WRITING_STOPPED");
    let get = v1::GetRequest { handle: "88.1/x".into(), ..v1::GetRequest::default() };
    assert!(writer.get(get).await.is_ok());
    let mut health = tonic_health::pb::health_client::HealthClient::new(node.channel().await);
    let serving = tonic_health::pb::health_check_response::ServingStatus::Serving;
    while health.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap().into_inner().status() == serving
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_is_stored_and_cannot_be_shown_has_a_reason_of_its_own_and_a_receipt_after_the_restart() {
    let medium = MemoryMedium::new();
    let catalog = common::catalog_holding(Arc::new(medium.clone()), 100);
    common::write(&catalog, Command::Home { name: HomeName::parse(b"88.1").unwrap() });
    let node = Node::start_with_catalog(catalog);
    let mut writer = node.writer().await;
    let ask = |n: u64| {
        let id = uuid::Builder::from_unix_timestamp_millis(
            common::clock().0,
            &n.to_be_bytes().repeat(2)[..10].try_into().unwrap(),
        );
        v1::ApplyRequest { request_id: id.into_uuid().to_string(), ..apply(create(&format!("88.1/{n}"), "a")) }
    };
    let mut n = 0;
    let (request, status) = loop {
        let request = ask(n);
        match writer.apply(request.clone()).await {
            Ok(_) => n += 1,
            Err(status) => break (request, status),
        }
        assert!(n < 1_000);
    };
    let stored =
        |status: &tonic::Status| (status.code(), reason(status)) == (Code::Unavailable, "STORED_NOT_VISIBLE".into());
    assert!(stored(&status), "{status:?}");
    assert!(stored(&writer.apply(request.clone()).await.unwrap_err()), "asked again, as programs do");
    assert_eq!(reason(&writer.apply(ask(n + 1)).await.unwrap_err()), "STORE_FULL");
    let Node { running, catalog, .. } = node;
    running.drain(Duration::from_secs(30)).await;
    catalog.shutdown().unwrap();
    let catalog = common::catalog_over(Arc::new(medium.after_power_loss(waymark_store::fault::Survives::Nothing)));
    let node = Node::start_with_catalog(catalog);
    let mut writer = node.client(&common::issue(&node.catalog, "writer", |_| {})).await;
    let receipt = writer.apply(request).await.unwrap().into_inner().receipt.unwrap();
    assert_eq!((receipt.outcome(), receipt.repeated_request), (v1::Outcome::Created, true));
    let lost = v1::GetRequest { handle: format!("88.1/{}", n + 1), ..v1::GetRequest::default() };
    assert_eq!(reason(&writer.get(lost).await.unwrap_err()), "NOT_FOUND");
}

#[tokio::test]
async fn a_full_disk_refuses_until_there_is_room_and_a_stream_goes_on_exactly() {
    let medium = MemoryMedium::new();
    let node = Node::start_with_catalog(common::new_catalog_on(&medium));
    let mut writer = node.writer().await;
    let done = writer.upload(upload("line", 1, creates(1..=10))).await.unwrap().into_inner();
    assert_eq!(done.summary.unwrap().mark, 10);
    medium.set_room(Some(medium.used()));
    let large = |from: u64, to: u64| (from..=to).map(|n| create(&format!("88.1/{n}"), &"x".repeat(5000))).collect();
    let mut number = 10;
    // What was allocated ahead is used up first.
    let full = loop {
        match writer.upload(upload("line", number + 1, large(number + 1, number + 50))).await {
            Ok(_) => number += 50,
            Err(full) => break full,
        }
    };
    assert_eq!((full.code(), reason(&full).as_str()), (Code::ResourceExhausted, "DISK_FULL"));
    let single = writer.apply(apply(create("88.1/single", &"x".repeat(50_000)))).await.unwrap_err();
    assert_eq!(reason(&single), "DISK_FULL");
    medium.set_room(None);
    let mark = v1::GetStreamRequest { stream: "line".into() };
    assert_eq!(writer.get_stream(mark).await.unwrap().into_inner().mark, number);
    let again = writer.upload(upload("line", number + 1, large(number + 1, number + 50))).await.unwrap().into_inner();
    let summary = again.summary.unwrap();
    assert_eq!((summary.created, summary.mark), (50, number + 50));
}

#[tokio::test]
async fn too_much_at_once_is_refused_to_single_writes_and_waits_in_streams() {
    let dir = tempfile::TempDir::new().unwrap();
    let writer = WriterLimits { queue_submissions: 1, ..WriterLimits::DEFAULT };
    let options = waymark_catalog::Options { writer, ..options(dir.path()) };
    let catalog = open(&options).unwrap().catalog;
    common::write(&catalog, Command::Home { name: HomeName::parse(b"88.1").unwrap() });
    let node = Node::start_over(dir, catalog, Limits::default(), "127.0.0.1:0".parse().unwrap());
    let token = node.token("writer", Role::Writer, &["88.1"]);
    let channels = channels(&node, 4).await;
    let streaming = tokio::spawn({
        let mut client = client(channels[0].clone(), Some(&token));
        async move { client.upload(upload("line", 1, creates(1..=5000))).await.unwrap().into_inner() }
    });
    let (mut accepted, mut busy) = (0, 0);
    while busy == 0 && accepted < 50_000 {
        let calls = (0..300).map(|n| {
            let mut client = client(channels[n % 4].clone(), Some(&token));
            tokio::spawn(async move { client.apply(apply(delete("88.1/none"))).await.unwrap_err() })
        });
        for call in calls.collect::<Vec<_>>() {
            match reason(&call.await.unwrap()).as_str() {
                "NOT_FOUND" => accepted += 1,
                "BUSY" => busy += 1,
                other => panic!("{other}"),
            }
        }
    }
    assert!(busy > 0, "{accepted}");
    assert_eq!(streaming.await.unwrap().summary.unwrap().created, 5000);
}

async fn channels(node: &Node, count: usize) -> Vec<Channel> {
    let mut channels = Vec::new();
    for _ in 0..count {
        channels.push(node.channel().await);
    }
    channels
}

/// Sends a change made for each number from 1 to 1,000 at the same time; gives the answers.
async fn thousand(node: &Node, change: impl Fn(u32) -> v1::Change) -> Vec<Result<v1::Receipt, String>> {
    let token = node.token("writer", Role::Writer, &["88.1"]);
    let channels = channels(node, 10).await;
    let calls = (1..=1000).map(|n: u32| {
        let mut client: Client = client(channels[n as usize % 10].clone(), Some(&token));
        let change = change(n);
        tokio::spawn(async move {
            let answer = client.apply(apply(change)).await;
            answer.map(|answer| answer.into_inner().receipt.unwrap()).map_err(|status| reason(&status))
        })
    });
    let mut answers = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        answers.push(call.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_writers_on_one_identifier_lose_nothing() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    writer.apply(apply(create("88.1/x", "a"))).await.unwrap();
    let add = |n: u32| {
        let add = v1::AddValues { values: vec![url(n + 1, "v")], ..v1::AddValues::default() };
        let action = v1::change::Action::AddValues(add);
        v1::Change { handle: "88.1/x".into(), action: Some(action), expect: None }
    };
    let answers = thousand(&node, add).await;
    let serials: BTreeSet<u64> = answers.iter().map(|answer| answer.as_ref().unwrap().serial).collect();
    assert_eq!(serials.len(), 1000, "one order");
    let get = v1::GetRequest { handle: "88.1/x".into(), ..v1::GetRequest::default() };
    assert_eq!(writer.get(get).await.unwrap().into_inner().values.len(), 1001);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_writers_that_expect_the_same_one_wins() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let first = writer.apply(apply(create("88.1/x", "a"))).await.unwrap().into_inner().receipt.unwrap();
    let replace = |n: u32| {
        let values = vec![url(1, &n.to_string())];
        let action = v1::change::Action::Replace(v1::Replace { values, keep_timestamps: false });
        let expect = Some(v1::Expectation { condition: Some(Condition::Serial(first.serial)) });
        v1::Change { handle: "88.1/x".into(), action: Some(action), expect }
    };
    let answers = thousand(&node, replace).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().flat_map(|answer| answer.as_ref().err()).all(|refusal| refusal == "UNEXPECTED"));
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let limits = Limits { handshake_time: Duration::from_millis(100), ..Limits::default() };
    let dir = tempfile::TempDir::new().unwrap();
    let catalog = common::new_catalog(dir.path());
    let config = waymark_registration::ServiceConfig {
        grpc: vec!["127.0.0.1:0".parse().unwrap()],
        limits,
        ..waymark_registration::ServiceConfig::default()
    };
    let settings = waymark_registration::Settings::alone(common::clock);
    let running = waymark_registration::Service::bind(config).unwrap().start(&catalog, &settings).unwrap();
    let address = running.addresses().grpc[0];
    let closed = tokio::task::spawn_blocking(move || {
        let mut silent = std::net::TcpStream::connect(address).unwrap();
        silent.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // What the server says first, then the end.
        let mut said = Vec::new();
        silent.read_to_end(&mut said)
    });
    assert!(closed.await.unwrap().is_ok());
}
