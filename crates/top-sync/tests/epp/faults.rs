//! Whatever is dropped, delayed, doubled, halved or reordered: at the end both sides say the same, and nothing was made twice.

use std::time::Duration;

use proptest::prelude::*;
use waymark_top_sync::epp::exchange::Stage;
use waymark_top_sync::simulator::epp::{EppSimulator, Fault, Kind, Ruling};

use crate::link::{Link, assert_equal, settings, simulator, until};
use crate::node::Node;

const KINDS: [Kind; 5] =
    [Kind::CheckEnterprise, Kind::CreateEnterprise, Kind::CreatePrefix, Kind::Poll, Kind::Acknowledge];

fn faults() -> Vec<Fault> {
    vec![
        Fault::DropRequest,
        Fault::DropAnswer,
        Fault::HalfAnswer,
        Fault::Delay(Duration::from_millis(600)),
        Fault::Status(503),
        Fault::StatusAfter(502),
        Fault::Code(2400),
        Fault::Code(2500),
        Fault::Bytes(b"<epp>".to_vec()),
        Fault::OtherTransaction,
        Fault::DuplicateMessages,
        Fault::ReverseMessages,
    ]
}

/// Two enterprises and a prefix of every ruling.
fn fill(node: &Node, simulator: &EppSimulator) {
    simulator.script(|script| {
        let later = |polls, passed| Ruling::Later { polls, passed, reason: "said".into() };
        script.named.insert("88.104.2".into(), later(2, true));
        script.named.insert("88.104.3".into(), later(1, false));
        script.named.insert("88.104.4".into(), Ruling::Reject("no".into()));
    });
    let (one, two) = (node.enterprise(1), node.enterprise(2));
    for (enterprise, prefix) in [(one, "88.104.1"), (one, "88.104.2"), (two, "88.104.3"), (two, "88.104.4")] {
        node.approve(enterprise, prefix);
    }
}

async fn comes_to_the_same(node: &Node, simulator: &EppSimulator, dir: &std::path::Path) {
    let link = Link::start(node, dir, simulator);
    until("all decided", || node.awaits_nothing()).await;
    until("all acknowledged", || simulator.holdings().messages == 0).await;
    assert_equal(node, simulator);
    let open = link.docking.status().transactions.into_iter().filter(|each| each.stage.is_none_or(Stage::is_open));
    assert_eq!(open.count(), 0);
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_at_each_command_comes_to_the_same_end() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        for (number, fault) in faults().into_iter().enumerate() {
            let dir = dir.path().join(number.to_string());
            std::fs::create_dir(&dir).unwrap();
            let (node, simulator) = (Node::open(&dir), simulator().await);
            fill(&node, &simulator);
            simulator.inject(Some(kind), fault.clone());
            comes_to_the_same(&node, &simulator, &dir).await;
            assert_eq!(simulator.faults_left(), 0, "{fault:?} never happened to {kind:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_top_level_node_that_does_not_know_identifiers_again_is_waited_for() {
    for fault in [Fault::DropAnswer, Fault::HalfAnswer, Fault::StatusAfter(500)] {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = settings();
        (settings.script.remembers, settings.script.announces) = (false, true);
        let simulator = EppSimulator::start(settings).await.unwrap();
        let node = Node::open(dir.path());
        fill(&node, &simulator);
        for kind in [Kind::CreateEnterprise, Kind::CreatePrefix, Kind::CreatePrefix] {
            simulator.inject(Some(kind), fault.clone());
        }
        comes_to_the_same(&node, &simulator, dir.path()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_time_out_there_is_a_poll_and_a_check_before_the_same_command_goes_again() {
    let dir = tempfile::tempdir().unwrap();
    let (node, simulator) = (Node::open(dir.path()), simulator().await);
    let enterprise = node.enterprise(1);
    node.approve(enterprise, "88.104.1");
    simulator.inject(Some(Kind::CreatePrefix), Fault::DropAnswer);
    comes_to_the_same(&node, &simulator, dir.path()).await;
    let seen = simulator.seen();
    let creates: Vec<usize> = (0..seen.len()).filter(|at| seen[*at] == Kind::CreatePrefix).collect();
    let between = &seen[creates[0] + 1..creates[1]];
    let polled = between.iter().position(|kind| *kind == Kind::Poll).expect("a poll");
    let checked = between.iter().position(|kind| *kind == Kind::CheckPrefix).expect("a check");
    assert!(creates.len() == 2 && polled < checked, "{seen:?}");
}

fn any_fault() -> impl Strategy<Value = (Kind, Fault)> {
    (0..KINDS.len(), 0..faults().len()).prop_map(|(kind, fault)| (KINDS[kind], faults()[fault].clone()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mix_of_faults_and_restarts_comes_to_the_same_end(
        mix in prop::collection::vec(any_fault(), 1..12),
        restarts in 0..4_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let (node, simulator) = (Node::open(dir.path()), simulator().await);
            fill(&node, &simulator);
            for (kind, fault) in mix {
                simulator.inject(Some(kind), fault);
            }
            for restart in 0..restarts {
                let link = Link::start(&node, dir.path(), &simulator);
                let seen = simulator.seen().len();
                let more = usize::try_from(restart).unwrap() * 2 + 1;
                until("some commands", || simulator.seen().len() >= seen + more).await;
                link.stop().await;
            }
            comes_to_the_same(&node, &simulator, dir.path()).await;
        });
    }
}
