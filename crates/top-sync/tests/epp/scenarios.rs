//! What becomes of cases when nothing goes wrong, and of changes of enterprises.

use waymark_catalog::business::{
    BusinessCommand, CaseState, CaseStep, DocumentKind, FileKind, Profile, RealNameResult,
};
use waymark_catalog::{Command, HomeName};
use waymark_top_sync::epp::exchange::{Stage, TroubleKind};
use waymark_top_sync::simulator::epp::{EppSimulator, Fault, Kind, Ruling, Settings};

use crate::link::{Link, assert_equal, settings, simulator, until};
use crate::node::{Node, OWN_PREFIX, personal, png, profile};

const PREFIX: &str = "88.104.701";

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_that_is_passed_becomes_active_by_the_word_of_the_top_level_node() {
    let dir = tempfile::tempdir().unwrap();
    let (node, simulator) = (Node::open(dir.path()), simulator().await);
    let enterprise = node.enterprise(1);
    node.approve(enterprise, PREFIX);
    let link = Link::start(&node, dir.path(), &simulator);
    until("active", || node.state(PREFIX) == CaseState::Active).await;
    assert_eq!(node.last_step(PREFIX), ("top-level".into(), "Command completed successfully".into()));
    assert_equal(&node, &simulator);
    let asked: Vec<Kind> = simulator.seen().into_iter().filter(|kind| *kind != Kind::Poll).collect();
    assert_eq!(asked, [Kind::CheckEnterprise, Kind::CreateEnterprise, Kind::CreatePrefix]);
    let disclosed = node.business().disclosure(enterprise.into()).cloned().unwrap();
    assert_eq!((disclosed.times, &*disclosed.by), (1, "top-level"), "the reading is in the audit");
    // A second prefix of the same enterprise needs no second enterprise.
    node.approve(enterprise, "88.104.702");
    until("active", || node.state("88.104.702") == CaseState::Active).await;
    assert_eq!(simulator.holdings().enterprises.len(), 1);
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pending_is_polled_for_until_it_is_decided_with_the_words_of_the_audit() {
    let dir = tempfile::tempdir().unwrap();
    let (node, simulator) = (Node::open(dir.path()), simulator().await);
    simulator.script(|script| {
        let later = |polls, passed, reason: &str| Ruling::Later { polls, passed, reason: reason.into() };
        script.prefixes = Ruling::Pend;
        script.named.insert("88.104.2".into(), later(3, true, "通过"));
        script.named.insert("88.104.3".into(), later(1, false, "证照模糊"));
        script.named.insert("88.104.4".into(), Ruling::Reject(String::new()));
    });
    let enterprise = node.enterprise(1);
    for prefix in ["88.104.1", "88.104.2", "88.104.3", "88.104.4"] {
        node.approve(enterprise, prefix);
    }
    let link = Link::start(&node, dir.path(), &simulator);
    until("three decided", || {
        node.business().cases().filter(|case| case.state == CaseState::AwaitingTopLevel).count() == 1
    })
    .await;
    assert_eq!((node.state("88.104.2"), node.last_step("88.104.2").1), (CaseState::Active, "通过".to_owned()));
    assert_eq!((node.state("88.104.3"), node.last_step("88.104.3").1), (CaseState::Rejected, "证照模糊".to_owned()));
    assert_eq!(node.state("88.104.4"), CaseState::Rejected);
    assert!(node.last_step("88.104.4").1.contains("no reason"), "a refusal says something");
    let shown = link.docking.status();
    let open: Vec<_> = shown.transactions.iter().filter(|each| each.stage == Some(Stage::Pending)).collect();
    assert_eq!((open.len(), open[0].prefix.as_deref()), (1, Some("88.104.1")));
    assert_eq!(shown.oldest_undecided, Some(open[0].since));
    // The audit goes on while this node is away.
    link.stop().await;
    assert!(simulator.decide("88.104.1", true, "ok"));
    let link = Link::start(&node, dir.path(), &simulator);
    until("all decided", || node.awaits_nothing()).await;
    until("all acknowledged", || simulator.holdings().messages == 0).await;
    assert_equal(&node, &simulator);
    assert_eq!(link.docking.status().oldest_undecided, None);
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enterprise_that_is_not_passed_takes_its_prefixes_with_it_and_may_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let (node, simulator) = (Node::open(dir.path()), simulator().await);
    simulator.script(|script| script.enterprises = Ruling::Reject("名称不符".into()));
    let enterprise = node.enterprise(1);
    node.approve(enterprise, PREFIX);
    let link = Link::start(&node, dir.path(), &simulator);
    until("rejected", || node.state(PREFIX) == CaseState::Rejected).await;
    assert_eq!(node.last_step(PREFIX), ("top-level".into(), "名称不符".into()));
    assert!(simulator.holdings().prefixes.is_empty());
    simulator.script(|script| script.enterprises = Ruling::Approve);
    node.approve(enterprise, PREFIX);
    until("active", || node.state(PREFIX) == CaseState::Active).await;
    assert_eq!(simulator.holdings().prefixes[PREFIX].made, 1);
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_is_for_the_case_it_was_asked_for_and_no_later_one() {
    let dir = tempfile::tempdir().unwrap();
    let (node, simulator) = (Node::open(dir.path()), simulator().await);
    simulator.script(|script| script.prefixes = Ruling::Pend);
    let enterprise = node.enterprise(1);
    node.approve(enterprise, PREFIX);
    let link = Link::start(&node, dir.path(), &simulator);
    until("pending", || simulator.holdings().prefixes.contains_key(PREFIX)).await;
    // The operator, on this machine, refuses by hand; the enterprise comes again and is approved again.
    let step = CaseStep::ConfirmTopLevel { approved: false, reason: "by telephone".into() };
    node.done(BusinessCommand::Step { prefix: PREFIX.into(), step });
    node.approve(enterprise, PREFIX);
    until("asked for again", || simulator.holdings().prefixes[PREFIX].asked_for_under.len() == 2).await;
    assert!(simulator.decide(PREFIX, false, "the first"));
    until("acknowledged", || simulator.holdings().messages == 0).await;
    assert_eq!(node.state(PREFIX), CaseState::AwaitingTopLevel, "the refusal was for the first case");
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_changes_go_partly_and_significant_ones_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (node, simulator) = (Node::open(dir.path()), simulator().await);
    let enterprise = node.enterprise(1);
    node.approve(enterprise, PREFIX);
    let link = Link::start(&node, dir.path(), &simulator);
    until("active", || node.awaits_nothing()).await;
    let held = || simulator.holdings().enterprises.into_values().next().unwrap();
    let mut changed = profile(1);
    changed.website = "https://new.example.cn".into();
    changed.description = String::new();
    node.put(Some(enterprise), changed.clone(), None);
    until("amended", || held().amended == 1).await;
    assert_eq!((held().replaced, held().fields["entWebSite"].as_str()), (0, "https://new.example.cn"));
    assert_eq!(held().fields.get("entDesc").map(String::as_str), Some(""), "taken away is sent empty");
    changed.name = "改名有限公司".into();
    node.put(Some(enterprise), changed.clone(), None);
    until("replaced", || held().replaced == 1).await;
    assert_eq!(held().fields["entNameCn"], "改名有限公司");
    // A new contact tells of a person, so it leaves in a full update.
    let mut people = personal();
    people.phone = "13900139000".into();
    node.put(Some(enterprise), changed, Some(&people));
    until("replaced again", || held().replaced == 2).await;
    assert_eq!(held().fields["contact/phone"], "13900139000");
    let before = held().fields["entCrtImg"].clone();
    node.image(enterprise, FileKind::Document, &png(9));
    until("replaced with the image", || held().replaced == 3).await;
    assert_ne!(held().fields["entCrtImg"], before);
    assert_eq!(held().amended, 1);
    // What nobody above is told changes nothing there.
    let asked = simulator.seen().iter().filter(|kind| **kind != Kind::Poll).count();
    let mut inner = node.business().enterprise(enterprise).unwrap().profile.clone();
    inner.capital = "200 万元".into();
    node.put(Some(enterprise), inner, None);
    let polls = simulator.seen().len();
    until("three more polls", || simulator.seen().len() >= polls + 3).await;
    assert_eq!(simulator.seen().iter().filter(|kind| **kind != Kind::Poll).count(), asked);
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enterprise_known_above_is_taken_as_it_is_called_there_and_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let (node, simulator) = (Node::open(dir.path()), simulator().await);
    let enterprise = node.enterprise(1);
    node.approve(enterprise, PREFIX);
    let link = Link::start(&node, dir.path(), &simulator);
    until("active", || node.awaits_nothing()).await;
    link.stop().await;
    // The file is lost, and with it what the enterprise is called.
    std::fs::remove_file(crate::link::file(dir.path())).unwrap();
    node.approve(enterprise, "88.104.702");
    let link = Link::start(&node, dir.path(), &simulator);
    until("active", || node.awaits_nothing()).await;
    until("up to date", || simulator.holdings().enterprises.values().all(|held| held.replaced == 1)).await;
    assert_equal(&node, &simulator);
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_said_and_sent_when_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (node, simulator) = (Node::open(dir.path()), simulator().await);
    let enterprise = node.enterprise(1);
    node.done(BusinessCommand::PutImage { id: Some(enterprise), kind: FileKind::LegalPersonFront, image: None });
    node.approve(enterprise, PREFIX);
    let link = Link::start(&node, dir.path(), &simulator);
    let trouble = || link.docking.status().transactions.first().and_then(|first| first.trouble.clone());
    until("held", || trouble().is_some_and(|it| it.detail == "legal-person-front")).await;
    assert_eq!(trouble().unwrap().kind, TroubleKind::NotSendable);
    assert!(simulator.seen().iter().all(|kind| *kind == Kind::Poll));
    node.image(enterprise, FileKind::LegalPersonFront, &png(2));
    until("active", || node.awaits_nothing()).await;
    assert_equal(&node, &simulator);
    // An update that something is missing for stands in the status too.
    node.done(BusinessCommand::PutImage { id: Some(enterprise), kind: FileKind::LegalPersonFront, image: None });
    until("the update is held", || {
        let held = link.docking.status().transactions.into_iter().find(|each| each.stage.is_none());
        held.is_some_and(|held| {
            held.prefix.is_none() && held.trouble.is_some_and(|it| it.detail == "legal-person-front")
        })
    })
    .await;
    node.image(enterprise, FileKind::LegalPersonFront, &png(3));
    until("nothing is held", || link.docking.status().transactions.iter().all(|each| each.stage.is_some())).await;
    until("up to date", || simulator.holdings().enterprises.values().all(|held| held.replaced == 1)).await;
    assert_equal(&node, &simulator);
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enterprise_without_a_credit_code_is_held_and_not_tried() {
    let dir = tempfile::tempdir().unwrap();
    let (node, simulator) = (Node::open(dir.path()), simulator().await);
    let enterprise = node.enterprise(1);
    let other = Profile { document_kind: DocumentKind::Other, document_number: "B-77".into(), ..profile(1) };
    let id = enterprise;
    let profile = Box::new(other);
    node.done(BusinessCommand::PutEnterprise { id: Some(id), profile, personal: None, principals: None });
    let (result, source, reviewer) = (RealNameResult::Verified, "registry".to_owned(), String::new());
    node.done(BusinessCommand::SetRealName { id, result, source, reviewer });
    node.approve(enterprise, PREFIX);
    let link = Link::start(&node, dir.path(), &simulator);
    let trouble = || link.docking.status().transactions.first().and_then(|first| first.trouble.clone());
    until("held", || trouble().is_some_and(|it| it.detail == "document_number")).await;
    assert!(simulator.seen().iter().all(|kind| *kind == Kind::Poll));
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_that_was_given_back_and_is_asked_for_again_is_still_registered_above() {
    let dir = tempfile::tempdir().unwrap();
    let (node, simulator) = (Node::open(dir.path()), simulator().await);
    let enterprise = node.enterprise(1);
    node.approve(enterprise, PREFIX);
    let link = Link::start(&node, dir.path(), &simulator);
    until("active", || node.state(PREFIX) == CaseState::Active).await;
    node.done(BusinessCommand::Step { prefix: PREFIX.into(), step: CaseStep::Delete { reason: "closed".into() } });
    node.approve(enterprise, PREFIX);
    until("active again", || node.state(PREFIX) == CaseState::Active).await;
    assert!(node.last_step(PREFIX).1.contains("earlier case"));
    assert_eq!(simulator.holdings().prefixes[PREFIX].made, 1);
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exists_above_and_nobody_speaks_of_is_settled_by_an_operators_word() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings();
    settings.script.remembers = false;
    let (node, simulator) = (Node::open(dir.path()), EppSimulator::start(settings).await.unwrap());
    simulator.inject(Some(Kind::CreatePrefix), Fault::DropAnswer);
    let enterprise = node.enterprise(1);
    node.approve(enterprise, PREFIX);
    let link = Link::start(&node, dir.path(), &simulator);
    let stands = |stage| link.docking.status().transactions.iter().any(|each| each.stage == Some(stage));
    until("exists", || stands(Stage::Exists)).await;
    assert_eq!(node.state(PREFIX), CaseState::AwaitingTopLevel);
    assert!(!link.docking.mark(1, "88.104.999", true, "x").unwrap(), "nothing waits there");
    assert!(link.docking.mark(1, PREFIX, true, "marked by op: told by telephone").unwrap());
    until("active", || node.state(PREFIX) == CaseState::Active).await;
    assert_eq!(node.last_step(PREFIX), ("top-level".into(), "marked by op: told by telephone".into()));
    assert!(!link.docking.mark(1, PREFIX, false, "x").unwrap(), "what is decided is decided");
    assert_equal(&node, &simulator);
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_beneath_another_one_than_this_nodes_is_held_and_never_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (node, simulator) = (Node::open(dir.path()), simulator().await);
    for name in ["88.1045", "0.NA/0.NA/88.1045"] {
        node.done(Command::Home { name: HomeName::parse(name.as_bytes()).unwrap() });
    }
    let enterprise = node.enterprise(1);
    node.approve(enterprise, "88.1045.1");
    node.approve(enterprise, PREFIX);
    let link = Link::start(&node, dir.path(), &simulator);
    until("active", || node.state(PREFIX) == CaseState::Active).await;
    let shown = link.docking.status().transactions;
    let held = shown.iter().find(|each| each.prefix.as_deref() == Some("88.1045.1")).unwrap();
    assert_eq!(held.trouble.as_ref().map(|it| it.detail.as_str()), Some("docking.prefix"));
    assert_eq!(node.state("88.1045.1"), CaseState::AwaitingTopLevel);
    assert_eq!(simulator.holdings().prefixes.len(), 1);
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_command_is_shown_and_tried_again_under_another_identifier() {
    let dir = tempfile::tempdir().unwrap();
    let (node, simulator) = (Node::open(dir.path()), simulator().await);
    simulator.inject(Some(Kind::CreatePrefix), Fault::Code(2201));
    let enterprise = node.enterprise(1);
    node.approve(enterprise, PREFIX);
    let link = Link::start(&node, dir.path(), &simulator);
    until("active", || node.awaits_nothing()).await;
    let shown = link.docking.status();
    let failed = shown.transactions.iter().find(|each| each.stage == Some(Stage::Failed)).unwrap();
    assert_eq!(failed.trouble.as_ref().unwrap().detail, "2201 Authorization error");
    assert_equal(&node, &simulator);
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_shows_another_key_or_prefix_is_refused_and_no_case_moves() {
    for wrong in [
        Settings { application: Some((crate::link::USER.into(), b"another".to_vec())), ..settings() },
        Settings { own_prefix: "88.999".into(), user: "other".into(), ..settings() },
    ] {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::open(dir.path());
        let simulator = EppSimulator::start(wrong).await.unwrap();
        let enterprise = node.enterprise(1);
        node.approve(enterprise, PREFIX);
        let link = Link::start(&node, dir.path(), &simulator);
        let is_told = || {
            let shown = link.docking.status().transactions;
            shown.first().and_then(|first| first.trouble.clone()).is_some_and(|it| it.detail.starts_with("2201"))
        };
        until("told", is_told).await;
        assert_eq!(node.state(PREFIX), CaseState::AwaitingTopLevel);
        assert!(simulator.holdings().enterprises.is_empty());
        link.stop().await;
    }
    assert!(PREFIX.starts_with(OWN_PREFIX));
}
