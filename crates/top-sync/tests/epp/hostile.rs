//! Answers no sound top-level node gives: refused by name, told once, and the next good answer goes on.

use waymark_catalog::business::CaseState;
use waymark_top_sync::epp::exchange::TroubleKind;
use waymark_top_sync::simulator::epp::{EppSimulator, Fault, Kind, Settings};

use crate::link::{ANSWER_BYTES, Link, USER, assert_equal, settings, simulator, until};
use crate::logged::Logged;
use crate::node::Node;

fn bomb() -> Vec<u8> {
    let mut text = String::from("<?xml version=\"1.0\"?><!DOCTYPE epp [<!ENTITY a0 \"aaaaaaaaaa\">");
    for level in 1..12 {
        text.push_str(&format!("<!ENTITY a{level} \"{}\">", format!("&a{};", level - 1).repeat(10)));
    }
    text.push_str("]><epp><response><result code=\"1000\"><msg>&a11;</msg></result></response></epp>");
    text.into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_answers_are_refused_by_name_and_never_fatal() {
    let deep = format!("{}{}", "<a>".repeat(4_000), "</a>".repeat(4_000));
    let external = "<!DOCTYPE epp [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><epp>&x;</epp>";
    let cases: Vec<(Fault, TroubleKind, &str)> = vec![
        (Fault::Bytes(b"not xml at all".to_vec()), TroubleKind::Malformed, "malformed XML"),
        (Fault::Bytes(b"<epp><response>".to_vec()), TroubleKind::Malformed, "malformed XML"),
        (Fault::Bytes(Vec::new()), TroubleKind::Malformed, "malformed XML"),
        (Fault::Bytes(b"\xff\xfe<\0e\0".to_vec()), TroubleKind::Malformed, "not UTF-8"),
        (Fault::Bytes(bomb()), TroubleKind::Malformed, "a document type"),
        (Fault::Bytes(external.into()), TroubleKind::Malformed, "a document type"),
        (Fault::Bytes(b"<epp>&undefined;</epp>".to_vec()), TroubleKind::Malformed, "an entity"),
        (Fault::Bytes(deep.into_bytes()), TroubleKind::Malformed, "deep"),
        (Fault::Bytes(b"<html><body>login</body></html>".to_vec()), TroubleKind::Malformed, "not an EPP response"),
        (Fault::Huge(1 << 40), TroubleKind::TooLarge, "65536"),
        (Fault::Huge(ANSWER_BYTES as u64 + 1), TroubleKind::TooLarge, "65536"),
        (Fault::OtherTransaction, TroubleKind::WrongTransaction, "WM-other"),
        (Fault::Status(302), TroubleKind::HttpStatus, "302"),
    ];
    for (fault, kind, detail) in cases {
        let dir = tempfile::tempdir().unwrap();
        let (node, simulator) = (Node::open(dir.path()), simulator().await);
        let enterprise = node.enterprise(1);
        node.approve(enterprise, "88.104.1");
        for _ in 0..8 {
            simulator.inject(Some(Kind::CreatePrefix), fault.clone());
        }
        let link = Link::start(&node, dir.path(), &simulator);
        let trouble = || {
            let shown = link.docking.status().transactions;
            shown.into_iter().find(|each| each.prefix.is_some()).and_then(|each| each.trouble)
        };
        let what = format!("{kind:?} {detail}");
        until(&what, || trouble().is_some_and(|it| it.kind == kind && it.detail.contains(detail))).await;
        assert_eq!(node.state("88.104.1"), CaseState::AwaitingTopLevel, "{fault:?} decides nothing");
        until("it goes on", || node.state("88.104.1") == CaseState::Active).await;
        assert_equal(&node, &simulator);
        link.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_about_nothing_of_ours_are_taken_out_of_the_queue_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (node, simulator) = (Node::open(dir.path()), simulator().await);
    let other = tempfile::tempdir().unwrap();
    // Another copy of the node leaves a message behind that this one knows nothing of.
    let elsewhere = Node::open(other.path());
    simulator.script(|script| script.prefixes = waymark_top_sync::simulator::epp::Ruling::Pend);
    let theirs = elsewhere.enterprise(1);
    elsewhere.approve(theirs, "88.104.9");
    let link = Link::start(&elsewhere, other.path(), &simulator);
    until("pending", || simulator.holdings().prefixes.contains_key("88.104.9")).await;
    link.stop().await;
    assert!(simulator.decide("88.104.9", true, ""));
    simulator.script(|script| script.prefixes = waymark_top_sync::simulator::epp::Ruling::Approve);
    let enterprise = node.enterprise(2);
    node.approve(enterprise, "88.104.1");
    let link = Link::start(&node, dir.path(), &simulator);
    until("active", || node.state("88.104.1") == CaseState::Active).await;
    until("empty", || simulator.holdings().messages == 0).await;
    link.stop().await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_top_level_node_that_refuses_everything_is_one_line_for_each_thing_it_refuses() {
    let logged = Logged::listen();
    let dir = tempfile::tempdir().unwrap();
    let wrong = Settings { application: Some((USER.into(), b"another".to_vec())), ..settings() };
    let (node, simulator) = (Node::open(dir.path()), EppSimulator::start(wrong).await.unwrap());
    let enterprise = node.enterprise(1);
    node.approve(enterprise, "88.104.1");
    let link = Link::start(&node, dir.path(), &simulator);
    until("twelve commands", || simulator.seen().len() >= 12).await;
    link.stop().await;
    let log = logged.own();
    assert_eq!(log.lines().filter(|line| line.contains("WARN") && line.contains("2201")).count(), 2, "{log}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_row_of_equal_troubles_is_one_line_in_the_log() {
    let logged = Logged::listen();
    let dir = tempfile::tempdir().unwrap();
    let (node, simulator) = (Node::open(dir.path()), simulator().await);
    let enterprise = node.enterprise(1);
    node.approve(enterprise, "88.104.1");
    for _ in 0..6 {
        simulator.inject(Some(Kind::CreatePrefix), Fault::Bytes(b"<epp>".to_vec()));
    }
    let link = Link::start(&node, dir.path(), &simulator);
    until("active", || node.state("88.104.1") == CaseState::Active).await;
    link.stop().await;
    assert_eq!(simulator.seen().iter().filter(|kind| **kind == Kind::CreatePrefix).count(), 7);
    let log = logged.own();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("WARN") && line.contains("malformed")).collect();
    assert_eq!(lines.len(), 1, "{log}");
}
