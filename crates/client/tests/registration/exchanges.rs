//! Streams and watches over connections that break in the middle.

use std::{convert::Infallible, ops::ControlFlow, time::Duration};

use proptest::prelude::*;
use tokio::sync::watch;
use waymark_api::registration::v1::{self, item_outcome};
use waymark_client::registration::{Counts, Event, Exchange, ExchangeError, Registrar, Start, Stop, Watch, Watched};

use crate::{
    breaking::Network,
    calls::endpoint,
    server::{FEED, Node, Trouble},
};

/// Items of a test stream; every seventh is refused.
const ITEMS: u64 = 3_000;

fn handle(number: u64) -> String {
    let kind = if number.is_multiple_of(7) { "bad" } else { "good" };
    format!("88.1/{kind}.{number}.{}", "x".repeat(40))
}

fn items(first: u64) -> impl Iterator<Item = Result<v1::Change, Infallible>> {
    (first..=ITEMS).map(|number| Ok(v1::Change { handle: handle(number), action: None, expect: None }))
}

fn exchange() -> Exchange {
    Exchange { window_items: 300, batch_items: 40, patience: Duration::from_secs(20), ..Exchange::new("test") }
}

/// Sends the test stream; gives the numbers of the outcomes, with whether each was accepted.
async fn send(exchange: &Exchange, registrar: &Registrar) -> (Vec<(u64, bool)>, Counts) {
    let mut outcomes = Vec::new();
    let mut event = |event: Event<'_>| {
        if let Event::Outcome(outcome) = event {
            outcomes.push((outcome.number, matches!(outcome.outcome, Some(item_outcome::Outcome::Receipt(_)))));
        }
        ControlFlow::Continue(())
    };
    let (counts, ended) = exchange.run(registrar, items, &mut event).await;
    ended.unwrap();
    (outcomes, counts)
}

fn expected(first: u64) -> Vec<(u64, bool)> {
    (first..=ITEMS).map(|number| (number, !number.is_multiple_of(7))).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Wherever connections break, every item is carried out once, in order, and its outcome given once, in order.
    #[test]
    fn every_item_is_done_once_and_answered_once_in_order(budgets in prop::collection::vec(1_000_u64..150_000, 1..5)) {
        runtime().block_on(async {
            let node = Node::default();
            let network = Network::to(node.start(None).await, budgets).await;
            let registrar = Registrar::connect(&endpoint("grpc", network.address)).unwrap();
            let (outcomes, counts) = send(&exchange(), &registrar).await;
            assert_eq!(outcomes, expected(1));
            let done: Vec<String> = node.seen.lock().unwrap().items.iter().map(|(handle, _)| handle.clone()).collect();
            assert_eq!(done, (1..=ITEMS).map(handle).collect::<Vec<_>>());
            assert_eq!((counts.created, counts.refused, counts.last), (ITEMS - ITEMS / 7, ITEMS / 7, ITEMS));
        });
    }

    #[test]
    fn every_change_is_watched_once_in_order(budgets in prop::collection::vec(500_u64..30_000, 1..4)) {
        runtime().block_on(async {
            let network = Network::to(Node::default().start(None).await, budgets).await;
            let registrar = Registrar::connect(&endpoint("grpc", network.address)).unwrap();
            let request = v1::WatchRequest { until_now: true, ..v1::WatchRequest::default() };
            let mut serials = Vec::new();
            let mut event = |event: Watched<'_>| {
                if let Watched::Change(change) = event {
                    serials.push(change.serial);
                }
                ControlFlow::Continue(())
            };
            let watch = Watch { request, patience: Duration::from_secs(20) };
            assert_eq!(watch.run(&registrar, &mut event).await.unwrap(), FEED);
            assert_eq!(serials, (1..=FEED).collect::<Vec<_>>());
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_break_in_the_middle_is_bridged_and_counted() {
    let network = Network::to(Node::default().start(None).await, [60_000]).await;
    let registrar = Registrar::connect(&endpoint("grpc", network.address)).unwrap();
    let (outcomes, counts) = send(&exchange(), &registrar).await;
    assert_eq!(outcomes, expected(1));
    assert_eq!(counts.interruptions, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_stopped_is_continued_by_the_next() {
    let node = Node::default();
    let registrar = Registrar::connect(&endpoint("grpc", node.start(None).await)).unwrap();
    let mut answered = 0;
    let mut stop = |event: Event<'_>| {
        answered += u64::from(matches!(event, Event::Outcome(_)));
        if answered >= 1_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let (counts, ended) = exchange().run(&registrar, items, &mut stop).await;
    ended.unwrap();
    assert!((1_000..ITEMS).contains(&counts.last), "what was under way is finished: {counts:?}");
    assert_eq!(counts.last, answered, "and answered");

    let (outcomes, more) = send(&exchange(), &registrar).await;
    assert_eq!(outcomes, expected(counts.last + 1));
    assert_eq!(more.repeated, 0);
    let overlapping = Exchange { start: Start::BeforeMark(50), ..exchange() };
    let (outcomes, again) = send(&overlapping, &registrar).await;
    assert_eq!(outcomes, expected(ITEMS - 49), "the last ones are answered again");
    assert_eq!(again.repeated, 50);
    let (outcomes, _) = send(&Exchange { start: Start::Beginning, ..exchange() }, &registrar).await;
    assert_eq!(outcomes, expected(1));
}

/// Sends to a server that answers 80 items and then nothing more, and tells the run to stop where items wait for outcomes that do not come;
/// gives how many were said to be under way, and how it ended.
async fn stopped(told: Stop, finish: Duration) -> (u64, Counts, Result<(), ExchangeError<Infallible>>) {
    let node = Node { trouble: Trouble { deaf_behind: Some(80), ..Trouble::default() }, ..Node::default() };
    let registrar = Registrar::connect(&endpoint("grpc", node.start(None).await)).unwrap();
    let (stop, heard) = watch::channel(Stop::No);
    let exchange = Exchange { stop: heard, finish, ..exchange() };
    let mut waited_for = 0;
    let mut event = |event: Event<'_>| {
        match event {
            Event::Outcome(outcome) if outcome.number == 80 => {
                stop.send_replace(told);
            }
            Event::Stopping { under_way, .. } => waited_for = under_way,
            _ => {}
        }
        ControlFlow::Continue(())
    };
    let (counts, ended) = exchange.run(&registrar, items, &mut event).await;
    let decided = node.seen.lock().unwrap().items.len();
    assert_eq!((decided, counts.last), (80, 80), "what was answered is told");
    (waited_for, counts, ended)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_told_to_stop_waits_for_outcomes_only_so_long() {
    let (waited_for, counts, ended) = stopped(Stop::Finish, Duration::from_millis(1)).await;
    assert!(counts.sent <= 80 + 300, "no more than the window is sent: {counts:?}");
    match ended {
        Err(ExchangeError::Stopped { at_once: false }) => {
            assert_eq!((waited_for, waited_for > 0), (counts.under_way(), true))
        }
        // It was told before the next message was sent.
        Ok(()) => assert_eq!((waited_for, counts.under_way()), (0, 0)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_told_to_end_at_once_does_not_wait() {
    let (_, counts, ended) = stopped(Stop::Now, Duration::from_secs(3_600)).await;
    match ended {
        Err(ExchangeError::Stopped { at_once: true }) => assert!(counts.under_way() > 0),
        Ok(()) => assert_eq!(counts.under_way(), 0),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_told_to_stop_ends_though_the_server_is_gone() {
    let node = Node { trouble: Trouble { deaf_behind: Some(80), ..Trouble::default() }, ..Node::default() };
    // More bytes than 80 items and their outcomes take; then nothing comes through any more.
    let budgets: Vec<u64> = std::iter::once(15_000).chain(std::iter::repeat_n(0, 10_000)).collect();
    let network = Network::to(node.start(None).await, budgets).await;
    let registrar = Registrar::connect(&endpoint("grpc", network.address)).unwrap();
    let (stop, heard) = watch::channel(Stop::No);
    let (finish, patience) = (Duration::from_millis(1), Duration::from_secs(3_600));
    let exchange = Exchange { stop: heard, finish, patience, ..exchange() };
    let mut event = |event: Event<'_>| {
        if let Event::Interrupted { .. } = event {
            stop.send_replace(Stop::Finish);
        }
        ControlFlow::Continue(())
    };
    let (counts, ended) = exchange.run(&registrar, items, &mut event).await;
    assert!(matches!(ended, Err(ExchangeError::Stopped { at_once: false })), "{ended:?}");
    assert!(counts.under_way() > 0 && counts.last <= 80, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_told_to_stop_before_it_began_sends_nothing() {
    let node = Node::default();
    let registrar = Registrar::connect(&endpoint("grpc", node.start(None).await)).unwrap();
    let exchange = Exchange { stop: watch::channel(Stop::Finish).1, ..exchange() };
    let (counts, ended) = exchange.run(&registrar, items, &mut |_| ControlFlow::Continue(())).await;
    ended.unwrap();
    assert_eq!((counts, node.seen.lock().unwrap().items.len()), (Counts::default(), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lost_what_it_answered_is_noticed() {
    let node = Node::default();
    let network = Network::to(node.start(None).await, [60_000]).await;
    let registrar = Registrar::connect(&endpoint("grpc", network.address)).unwrap();
    let seen = std::sync::Arc::clone(&node.seen);
    let mut forget = |event: Event<'_>| {
        if let Event::Interrupted { .. } = event {
            seen.lock().unwrap().items.truncate(1);
        }
        ControlFlow::Continue(())
    };
    let (counts, ended) = exchange().run(&registrar, items, &mut forget).await;
    assert!(matches!(ended, Err(ExchangeError::SteppedBack { mark: 1, answered }) if answered == counts.last));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_fails_ends_the_stream_behind_what_it_gave() {
    let registrar = Registrar::connect(&endpoint("grpc", Node::default().start(None).await)).unwrap();
    let source = |_| {
        let good = (1..=50).map(|number| Ok(v1::Change { handle: handle(number), action: None, expect: None }));
        good.chain([Err("the disk is gone")])
    };
    let (counts, ended) = exchange().run(&registrar, source, &mut |_| ControlFlow::Continue(())).await;
    assert!(matches!(ended, Err(ExchangeError::Source("the disk is gone"))));
    assert_eq!(counts.last, 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_stream_ends_with_the_reason() {
    let trouble = Trouble { claimed_mark: Some(0), ..Trouble::default() };
    let node = Node { trouble, ..Node::default() };
    let registrar = Registrar::connect(&endpoint("grpc", node.start(None).await)).unwrap();
    // A source that leaves a hole cannot be written with this client; a server that opens a stream elsewhere than it said can.
    node.seen.lock().unwrap().items.push(("88.1/x".into(), item_outcome::Outcome::Receipt(v1::Receipt::default())));
    let (_, ended) = exchange().run(&registrar, items, &mut |_| ControlFlow::Continue(())).await;
    assert!(matches!(ended, Err(ExchangeError::SteppedBack { mark: 0, answered: 1 })), "{ended:?}");

    let watch = Watch {
        request: v1::WatchRequest { after_serial: FEED + 1, ..v1::WatchRequest::default() },
        patience: Duration::from_secs(20),
    };
    let error = watch.run(&registrar, &mut |_| ControlFlow::Continue(())).await.unwrap_err();
    assert_eq!(error.server_error().unwrap().reason, "COMPACTED");
}
