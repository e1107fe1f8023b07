//! Streams of changes over real TLS sockets: order, marks, interruptions, slow and vanished clients.
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

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Client, Node, create, delete, reason};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use waymark_api::registration::v1::{
    self, ExchangeResponse, ItemOutcome, Outcome, exchange_response::Message, item_outcome,
};
use waymark_catalog::access::Role;
use waymark_registration::{Event, Limits};

/// A client's side of an exchange.
struct Exchange {
    send: mpsc::Sender<v1::UploadRequest>,
    receive: Streaming<ExchangeResponse>,
}

fn open(stream: &str) -> v1::UploadRequest {
    let open = v1::OpenStream { stream: stream.into() };
    v1::UploadRequest { message: Some(v1::upload_request::Message::Open(open)) }
}

fn items(first_number: u64, changes: Vec<v1::Change>) -> v1::UploadRequest {
    let items = v1::Items { first_number, changes };
    v1::UploadRequest { message: Some(v1::upload_request::Message::Items(items)) }
}

fn creates(numbers: impl IntoIterator<Item = u64>) -> Vec<v1::Change> {
    numbers.into_iter().map(|n| create(&format!("88.1/{n}"), "a")).collect()
}

impl Exchange {
    async fn open(client: &mut Client, stream: &str) -> (Self, u64) {
        let (send, requests) = mpsc::channel(16);
        send.send(open(stream)).await.unwrap();
        let receive = client.exchange(ReceiverStream::new(requests)).await.unwrap().into_inner();
        let mut exchange = Self { send, receive };
        let Some(Message::Opened(state)) = exchange.next().await.unwrap() else { panic!("opened comes first") };
        (exchange, state.mark)
    }

    async fn send(&self, first: u64, changes: Vec<v1::Change>) {
        self.send.send(items(first, changes)).await.unwrap();
    }

    async fn next(&mut self) -> Result<Option<Message>, Status> {
        Ok(self.receive.message().await?.and_then(|response| response.message))
    }

    /// Reads until there are outcomes of `count` items.
    async fn outcomes(&mut self, count: usize) -> Vec<ItemOutcome> {
        let mut all = Vec::new();
        while all.len() < count {
            let Some(Message::Outcomes(outcomes)) = self.next().await.unwrap() else { panic!("outcomes come") };
            all.extend(outcomes.outcomes);
        }
        all
    }

    /// Closes the client's side, and reads to the end.
    async fn finish(self) -> (Vec<ItemOutcome>, Result<v1::StreamSummary, Status>) {
        let Self { send, receive } = self;
        drop(send);
        let (keep, _) = mpsc::channel(1);
        let mut rest = Self { send: keep, receive };
        let mut all = Vec::new();
        loop {
            match rest.next().await {
                Ok(Some(Message::Outcomes(outcomes))) => all.extend(outcomes.outcomes),
                Ok(Some(Message::Summary(summary))) => return (all, Ok(summary)),
                Ok(other) => panic!("{other:?}"),
                Err(status) => return (all, Err(status)),
            }
        }
    }
}

fn numbers(outcomes: &[ItemOutcome]) -> Vec<u64> {
    outcomes.iter().map(|outcome| outcome.number).collect()
}

fn receipt(outcome: &ItemOutcome) -> &v1::Receipt {
    let Some(item_outcome::Outcome::Receipt(receipt)) = &outcome.outcome else { panic!("{outcome:?}") };
    receipt
}

fn refusal(outcome: &ItemOutcome) -> &v1::Refusal {
    let Some(item_outcome::Outcome::Refusal(refusal)) = &outcome.outcome else { panic!("{outcome:?}") };
    refusal
}

#[tokio::test]
async fn each_item_has_its_outcome_in_order_with_its_number() {
    let node = Node::start().await;
    let (exchange, mark) = Exchange::open(&mut node.writer().await, "line").await;
    assert_eq!(mark, 0);
    exchange.send(1, creates(1..=3)).await;
    let mut bad = create("88.1/bad", "a");
    bad.handle.clear();
    exchange.send(4, vec![delete("88.1/none"), bad, create("88.1/1", "a"), create("88.1/1", "b")]).await;
    let (outcomes, summary) = exchange.finish().await;
    assert_eq!(numbers(&outcomes), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(receipt(&outcomes[0]).outcome(), Outcome::Created);
    assert_eq!(refusal(&outcomes[3]).reason, "NOT_FOUND");
    assert_eq!(refusal(&outcomes[4]).violations[0].field, "handle");
    assert_eq!(receipt(&outcomes[5]).outcome(), Outcome::ExistsSame);
    assert_eq!(refusal(&outcomes[6]).reason, "ALREADY_EXISTS_DIFFERENT");
    let summary = summary.unwrap();
    assert_eq!((summary.created, summary.unchanged, summary.refused, summary.mark), (3, 1, 3, 7));
}

#[tokio::test]
async fn items_sent_again_are_answered_with_what_became_of_them() {
    let node = Node::start().await;
    let mut client = node.writer().await;
    let mut bad = create("88.1/bad", "a");
    bad.handle.clear();
    let sent = || vec![create("88.1/1", "a"), delete("88.1/none"), bad.clone(), create("88.1/2", "a")];
    let (exchange, _) = Exchange::open(&mut client, "line").await;
    exchange.send(1, sent()).await;
    let (first, _) = exchange.finish().await;
    let (exchange, mark) = Exchange::open(&mut client, "line").await;
    assert_eq!(mark, 4);
    let mut again = sent();
    again.push(create("88.1/5", "a"));
    exchange.send(1, again).await;
    let (outcomes, summary) = exchange.finish().await;
    assert_eq!(numbers(&outcomes), [1, 2, 3, 4, 5]);
    assert!(receipt(&outcomes[0]).repeated_request);
    assert_eq!(receipt(&outcomes[0]).serial, receipt(&first[0]).serial);
    assert_eq!(receipt(&outcomes[0]).content_hash, receipt(&first[0]).content_hash);
    assert_eq!(refusal(&outcomes[1]).reason, "NOT_FOUND");
    assert_eq!(refusal(&outcomes[2]).reason, "INVALID_ARGUMENT");
    assert!(!receipt(&outcomes[4]).repeated_request);
    let summary = summary.unwrap();
    assert_eq!((summary.repeated_items, summary.created, summary.mark), (4, 3, 5));
}

#[tokio::test]
async fn items_repeated_within_one_call_are_not_done_twice() {
    let node = Node::start().await;
    let (exchange, _) = Exchange::open(&mut node.writer().await, "line").await;
    exchange.send(1, creates(1..=2)).await;
    exchange.send(2, creates(2..=3)).await;
    let (outcomes, summary) = exchange.finish().await;
    assert_eq!(numbers(&outcomes), [1, 2, 2, 3]);
    assert_eq!(receipt(&outcomes[1]).serial, receipt(&outcomes[2]).serial);
    assert_eq!(summary.unwrap().mark, 3);
}

#[tokio::test]
async fn a_hole_ends_the_call_behind_the_outcomes_before_it() {
    let node = Node::start().await;
    let (exchange, _) = Exchange::open(&mut node.writer().await, "line").await;
    exchange.send(1, creates(1..=2)).await;
    exchange.send(4, creates(4..=4)).await;
    let (outcomes, end) = exchange.finish().await;
    let end = end.unwrap_err();
    assert_eq!(numbers(&outcomes), [1, 2]);
    assert_eq!((end.code(), reason(&end).as_str()), (Code::FailedPrecondition, "STREAM_GAP"));
}

#[tokio::test]
async fn a_stream_without_a_name_has_no_mark_and_repeats_nothing() {
    let node = Node::start().await;
    let mut client = node.writer().await;
    for _ in 0..2 {
        let (exchange, mark) = Exchange::open(&mut client, "").await;
        assert_eq!(mark, 0);
        exchange.send(1, creates(1..=2)).await;
        assert_eq!(exchange.finish().await.1.unwrap().mark, 2);
    }
    let (exchange, _) = Exchange::open(&mut client, "").await;
    exchange.send(1, creates(1..=2)).await;
    exchange.send(2, creates(2..=2)).await;
    assert_eq!(reason(&exchange.finish().await.1.unwrap_err()), "STREAM_GAP");
}

#[tokio::test]
async fn two_connections_on_one_stream_are_told_apart() {
    let node = Node::start().await;
    let mut client = node.writer().await;
    let (one, _) = Exchange::open(&mut client, "line").await;
    let (mut two, _) = Exchange::open(&mut client, "line").await;
    two.send(1, creates(1..=3)).await;
    two.outcomes(3).await;
    one.send(1, creates(1..=1)).await;
    let end = one.finish().await.1.unwrap_err();
    assert_eq!((end.code(), reason(&end).as_str()), (Code::Aborted, "STREAM_MOVED"));
    assert!(end.message().contains("to 3"), "{}", end.message());
}

#[tokio::test]
async fn what_a_vanished_client_had_sent_is_finished_and_continued_exactly() {
    let node = Node::start().await;
    let token = node.token("writer", Role::Writer, &["88.1"]);
    let mut sent = 0;
    {
        let mut client = node.client(&token).await;
        let (mut exchange, _) = Exchange::open(&mut client, "line").await;
        for chunk in 0..10 {
            exchange.send(chunk * 100 + 1, creates(chunk * 100 + 1..=chunk * 100 + 100)).await;
            sent += 100;
        }
        // Some of it is acknowledged; then connection and client are gone.
        exchange.outcomes(100).await;
    }
    let mut client = node.client(&token).await;
    let state = v1::GetStreamRequest { stream: "line".into() };
    let mark = client.get_stream(state).await.unwrap().into_inner().mark;
    assert!((100..=sent).contains(&mark), "{mark}");
    let (exchange, mark) = Exchange::open(&mut client, "line").await;
    exchange.send(mark + 1, creates(mark + 1..=1000)).await;
    let (outcomes, summary) = exchange.finish().await;
    assert!(outcomes.iter().all(|outcome| receipt(outcome).outcome() == Outcome::Created), "nothing is done twice");
    assert_eq!(summary.unwrap().mark, 1000);
}

#[tokio::test]
async fn a_client_that_does_not_read_stalls_only_itself_and_is_cut_off() {
    let limits = Limits { reader_time: Duration::from_secs(1), submissions_in_flight: 2, ..Limits::default() };
    let node = Node::start_with(limits).await;
    let token = node.token("writer", Role::Writer, &["88.1"]);
    let mut slow = node.client(&token).await;
    let (exchange, _) = Exchange::open(&mut slow, "slow").await;
    let Exchange { send, mut receive } = exchange;
    // Refusals are long: soon no more of them fit between node and client, which reads nothing.
    let sent = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&sent);
    let sending = tokio::spawn(async move {
        let mut first = 1;
        let long = "x".repeat(1000);
        let handle = |n| delete(&format!("88.1/{long}{n}"));
        while send.send(items(first, (0..200).map(handle).collect())).await.is_ok() {
            first += 200;
            counting.fetch_add(200, Ordering::Relaxed);
        }
    });
    let mut other = node.client(&token).await;
    let (exchange, _) = Exchange::open(&mut other, "other").await;
    exchange.send(1, creates(1..=100)).await;
    assert_eq!(exchange.finish().await.1.unwrap().created, 100);
    while node.running.counters().get(Event::CutSlowReader) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut read = 0;
    let end = loop {
        match receive.message().await {
            Ok(Some(ExchangeResponse { message: Some(Message::Outcomes(outcomes)) })) => {
                read += outcomes.outcomes.len()
            }
            Ok(other) => panic!("{other:?}"),
            Err(status) => break status,
        }
    };
    assert_eq!(reason(&end), "SLOW_READER");
    sending.abort();
    assert!(read < sent.load(Ordering::Relaxed), "what was not read was not kept");
}

#[tokio::test]
async fn many_changes_of_one_identifier_are_carried_out_in_order() {
    let node = Node::start().await;
    let (exchange, _) = Exchange::open(&mut node.writer().await, "line").await;
    exchange.send(1, creates(1..=1)).await;
    let replace = |n: u64| {
        let values = vec![common::url(1, &format!("{n}{}", "x".repeat(2000)))];
        let action = v1::change::Action::Replace(v1::Replace { values, keep_timestamps: false });
        v1::Change { handle: "88.1/1".into(), action: Some(action), expect: None }
    };
    exchange.send(2, (2..=800).map(replace).collect()).await;
    let (outcomes, summary) = exchange.finish().await;
    assert_eq!(summary.unwrap().changed, 799);
    assert!(outcomes.is_sorted_by_key(|outcome| receipt(outcome).serial));
}

#[tokio::test]
async fn an_upload_is_summed_up_with_its_first_refusals() {
    let node = Node::start().await;
    let mut client = node.writer().await;
    let mut changes = creates(1..=50);
    changes.extend(vec![delete("88.1/none"); 150]);
    let messages = vec![open("line"), items(1, changes)];
    let answer = client.upload(tokio_stream::iter(messages)).await.unwrap().into_inner();
    let summary = answer.summary.unwrap();
    assert_eq!((summary.created, summary.refused, summary.mark), (50, 150, 200));
    assert_eq!(answer.refusals.len(), 100);
    assert_eq!(answer.refusals[0].number, 51);
}

#[tokio::test]
async fn messages_out_of_order_end_the_call() {
    let node = Node::start().await;
    let mut client = node.writer().await;
    for messages in [vec![items(1, creates(1..=1))], vec![], vec![open("line"), open("line")]] {
        let status = client.upload(tokio_stream::iter(messages)).await.unwrap_err();
        assert_eq!(reason(&status), "STREAM_PROTOCOL");
    }
    let zero = client.upload(tokio_stream::iter(vec![open("line"), items(0, creates(1..=1))])).await.unwrap_err();
    assert_eq!(reason(&zero), "INVALID_ARGUMENT");
    let long = client.upload(tokio_stream::iter(vec![open(&"x".repeat(129))])).await.unwrap_err();
    assert_eq!(reason(&long), "INVALID_ARGUMENT");
}

#[tokio::test]
async fn who_may_not_write_opens_no_stream() {
    let node = Node::start().await;
    let mut reader = node.client(&node.token("reader", Role::Reader, &["88.1"])).await;
    let before = node.catalog.serial();
    let status = reader.upload(tokio_stream::iter(vec![open("line"), items(1, creates(1..=1))])).await.unwrap_err();
    assert_eq!(reason(&status), "NOT_PERMITTED");
    assert_eq!(node.catalog.serial(), before);
}

#[tokio::test]
async fn a_token_revoked_during_a_stream_writes_nothing_more() {
    let node = Node::start().await;
    let token = node.token("writer", Role::Writer, &["88.1"]);
    let (mut exchange, _) = Exchange::open(&mut node.client(&token).await, "line").await;
    exchange.send(1, creates(1..=1)).await;
    exchange.outcomes(1).await;
    let id = waymark_catalog::access::TokenText::parse(&token).unwrap().id();
    common::write(&node.catalog, waymark_catalog::Command::RevokeToken { id, reason: String::new() });
    exchange.send(2, creates(2..=2)).await;
    let (outcomes, _) = exchange.finish().await;
    assert_eq!(refusal(&outcomes[0]).reason, "NOT_PERMITTED");
}

#[tokio::test]
async fn a_stop_ends_streams_behind_what_was_handed_over() {
    let node = Node::start().await;
    let (mut exchange, _) = Exchange::open(&mut node.writer().await, "line").await;
    exchange.send(1, creates(1..=10)).await;
    exchange.outcomes(10).await;
    let drained = tokio::spawn(node.running.drain(Duration::from_secs(10)));
    let (_, end) = exchange.finish().await;
    // The end of the client's side and of the door's may come in either order.
    assert!(end.is_ok() || reason(&end.unwrap_err()) == "STOPPING");
    assert_eq!(drained.await.unwrap(), waymark_registration::Drained::Finished);
}

#[tokio::test]
async fn a_resting_stream_is_ended() {
    let limits = Limits { stream_idle: Duration::from_secs(1), ..Limits::default() };
    let node = Node::start_with(limits).await;
    let (mut exchange, _) = Exchange::open(&mut node.writer().await, "line").await;
    let end = exchange.next().await.unwrap_err();
    assert_eq!(reason(&end), "STREAM_IDLE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_a_stream_whose_client_never_pauses() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let Exchange { send, mut receive } = Exchange::open(&mut writer, "s").await.0;
    let sending = tokio::spawn(async move {
        let changes = || (0..50).map(|_| create("88.9/x", "a")).collect();
        let mut first = 1;
        while send.send(items(first, changes())).await.is_ok() {
            first += 50;
        }
    });
    // Under way: items are handed over while more wait.
    for _ in 0..20 {
        receive.message().await.unwrap().unwrap();
    }
    let reading = tokio::spawn(async move {
        loop {
            if let Err(status) = receive.message().await {
                return status;
            }
        }
    });
    assert_eq!(node.running.drain(Duration::from_secs(10)).await, waymark_registration::Drained::Finished);
    // What is still being sent may hide why it ended.
    reading.await.unwrap();
    sending.abort();
}
