//! The node's own record and applications over real TLS sockets: files of full size, who is let near them, pages.
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

use std::time::Duration;

use common::{Bearer, Node, options, reason};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use waymark_api::operator::v1::{
    self, applications_client::ApplicationsClient, enterprises_client::EnterprisesClient,
    own_record_client::OwnRecordClient,
};
use waymark_api::registration::v1::Outcome;
use waymark_catalog::access::Role;
use waymark_catalog::{Options, WriterLimits, open};
use waymark_registration::Limits;

type Door = InterceptedService<Channel, Bearer>;

/// A node that keeps keys, and takes messages of half a mebibyte.
fn start(writer: WriterLimits) -> Node {
    start_in(TempDir::new().unwrap(), writer)
}

fn start_in(dir: TempDir, writer: WriterLimits) -> Node {
    let personal_keys = Some(dir.path().join("personal.keys"));
    let catalog = open(&Options { personal_keys, writer, ..options(dir.path()) }).unwrap().catalog;
    let limits = Limits { message_bytes: 512 << 10, ..Limits::default() };
    Node::start_over(dir, catalog, limits, "127.0.0.1:0".parse().unwrap())
}

async fn own_record(node: &Node, token: &str) -> OwnRecordClient<Door> {
    let door = InterceptedService::new(node.channel().await, Bearer::token(token));
    OwnRecordClient::new(door).max_decoding_message_size(16 << 20)
}

async fn applications(node: &Node, token: &str) -> ApplicationsClient<Door> {
    ApplicationsClient::new(InterceptedService::new(node.channel().await, Bearer::token(token)))
}

fn operator(node: &Node) -> String {
    node.token("operator", Role::Operator, &["*"])
}

fn record() -> v1::SetOperatorRecordRequest {
    let own = || Some(v1::SystemOperation { party: "own".into(), organisation: String::new() });
    let person = |name: &str| {
        let (document_kind, document_number) = ("passport".into(), format!("E-{name}"));
        Some(v1::Person { name: name.into(), document_kind, document_number })
    };
    v1::SetOperatorRecordRequest {
        profile: Some(v1::EnterpriseProfile {
            name: "node".into(),
            nature: "company".into(),
            province: "330000".into(),
            city: "330100".into(),
            address: "a street".into(),
            document_kind: "other".into(),
            document_number: "D1".into(),
            industry_section: "I".into(),
            industry_division: "64".into(),
            ..v1::EnterpriseProfile::default()
        }),
        node: Some(v1::NodeItems { verification: own(), ..v1::NodeItems::default() }),
        personal: Some(v1::OperatorPersonalData {
            people: Some(v1::PersonalData {
                legal_person: person("one"),
                contact: person("two"),
                phone: "13800000000".into(),
                email: "two@example.cn".into(),
            }),
            representative_phone: "13800000001".into(),
            representative_email: "one@example.cn".into(),
            representative_fax: String::new(),
        }),
        request_id: String::new(),
    }
}

fn file(kind: &str, data: Vec<u8>) -> v1::PutOperatorFileRequest {
    v1::PutOperatorFileRequest { kind: kind.into(), data, request_id: String::new() }
}

fn pdf(bytes: usize) -> Vec<u8> {
    let mut pdf = b"%PDF-1.7\n".to_vec();
    pdf.resize(bytes - 6, b' ');
    pdf.extend(b"%%EOF\n");
    pdf
}

#[tokio::test]
async fn a_document_of_full_size_passes_where_other_messages_are_small() {
    let node = start(WriterLimits::default());
    let mut own = own_record(&node, &operator(&node)).await;
    assert_eq!(reason(&own.put_file(file("document", pdf(64))).await.unwrap_err()), "INVALID_BUSINESS", "no image");
    let before = own.put_file(file("build-contract", pdf(64))).await.unwrap_err();
    assert_eq!(reason(&before), "NOT_FOUND", "there is no record yet");
    own.set(record()).await.unwrap();
    let full = pdf(5 << 20);
    let kept = own.put_file(file("verification-source-1", full.clone())).await.unwrap().into_inner();
    assert_eq!(kept.receipt.unwrap().outcome(), Outcome::Stored);
    assert_eq!(kept.record.unwrap().files, ["verification-source-1"]);
    let ask = v1::OperatorFileRequest { kind: "verification-source-1".into(), purpose: "test".into() };
    let told = own.file(ask.clone()).await.unwrap().into_inner();
    assert!(told.format == "pdf" && told.data == full);
    // What is larger is refused by what it is, or before it is read where it could be no file at all.
    let larger = own.put_file(file("verification-source-1", pdf((5 << 20) + 1))).await.unwrap_err();
    assert_eq!(reason(&larger), "INVALID_BUSINESS");
    assert!(larger.message().contains("5 MiB"), "{}", larger.message());
    let much = own.put_file(file("verification-source-1", pdf(6 << 20))).await.unwrap_err();
    assert_eq!(reason(&much), "MESSAGE_TOO_LARGE");
    assert!(own.file(ask).await.unwrap().into_inner().data == full, "what was kept stays");
    // Other services take what they took.
    let door = InterceptedService::new(node.channel().await, Bearer::token(&operator(&node)));
    let image =
        v1::PutImageRequest { id: "E1".into(), kind: "document".into(), data: pdf(600 << 10), ..Default::default() };
    let refused = EnterprisesClient::new(door).put_image(image).await.unwrap_err();
    assert_eq!(reason(&refused), "MESSAGE_TOO_LARGE");
}

#[tokio::test]
async fn a_node_that_writes_less_at_a_time_says_which_option_to_raise() {
    let node = start(WriterLimits { group_bytes: 1 << 20, ..WriterLimits::default() });
    let mut own = own_record(&node, &operator(&node)).await;
    own.set(record()).await.unwrap();
    let refused = own.put_file(file("verification-source-1", pdf(2 << 20))).await.unwrap_err();
    assert_eq!(reason(&refused), "INVALID_ARGUMENT");
    assert!(refused.message().contains("write.group_mib"), "{}", refused.message());
    own.put_file(file("verification-source-1", pdf(512 << 10))).await.unwrap();
}

#[tokio::test]
async fn strangers_learn_nothing_and_no_call_that_was_refused_leaves_a_key() {
    let node = start(WriterLimits::default());
    let mut own = own_record(&node, &operator(&node)).await;
    let keys = || node.catalog.vault().unwrap().subjects();
    let people: Vec<(&str, Role, &str)> = vec![
        ("reviewer", Role::Reviewer, "*"),
        ("auditor", Role::Auditor, "*"),
        ("scoped", Role::Operator, "88.1"),
        ("acme", Role::EnterpriseAdministrator, "88.1"),
        ("writer", Role::Writer, "88.1"),
    ];
    for (name, role, prefix) in people {
        let mut theirs = own_record(&node, &node.token(name, role, &[prefix])).await;
        assert_eq!(reason(&theirs.set(record()).await.unwrap_err()), "NOT_PERMITTED", "{name}");
        let put = theirs.put_file(file("build-contract", pdf(64))).await.unwrap_err();
        let forget = theirs.forget(v1::ForgetOperatorRequest { reason: "x".into() }).await.unwrap_err();
        assert_eq!((reason(&put), reason(&forget)), ("NOT_PERMITTED".into(), "NOT_PERMITTED".into()), "{name}");
        let read = theirs.get(v1::GetOperatorRecordRequest {}).await.unwrap_err();
        let disclosed = theirs.disclose(v1::DiscloseOperatorRequest { purpose: "x".into() }).await.unwrap_err();
        let expected = if name == "auditor" { "NOT_FOUND" } else { "NOT_PERMITTED" };
        assert_eq!((reason(&read), reason(&disclosed)), (expected.into(), expected.into()), "{name}");
    }
    let mut wrong = record();
    wrong.profile.as_mut().unwrap().province = "990000".into();
    assert_eq!(reason(&own.set(wrong).await.unwrap_err()), "INVALID_BUSINESS");
    let mut nobody = record();
    nobody.node = None;
    assert_eq!(reason(&own.set(nobody).await.unwrap_err()), "INVALID_ARGUMENT");
    assert_eq!(keys(), 0, "refused calls leave no keys");
    own.set(record()).await.unwrap();
    own.set(record()).await.unwrap();
    assert_eq!(keys(), 1, "one record has one key");
    let mut auditor = own_record(&node, &node.token("auditor", Role::Auditor, &["*"])).await;
    let told = auditor.disclose(v1::DiscloseOperatorRequest { purpose: "yearly".into() }).await.unwrap().into_inner();
    assert_eq!(told.representative_email, "one@example.cn");
    let shown = auditor.get(v1::GetOperatorRecordRequest {}).await.unwrap().into_inner();
    assert_eq!((shown.disclosures, &shown.disclosed_to[..], shown.has_personal_data), (1, "auditor", true));
    let forgotten = own.forget(v1::ForgetOperatorRequest { reason: "moved".into() }).await.unwrap().into_inner();
    assert_eq!((forgotten.record.unwrap().forgotten_reason, keys()), ("moved".into(), 0));
    let late = own.put_file(file("build-contract", pdf(64))).await.unwrap_err();
    assert_eq!(reason(&late), "INVALID_ARGUMENT");
}

fn enterprise() -> v1::PutEnterpriseRequest {
    let v1::SetOperatorRecordRequest { profile, personal, .. } = record();
    v1::PutEnterpriseRequest { profile, personal: personal.unwrap().people, ..v1::PutEnterpriseRequest::default() }
}

async fn enterprises(node: &Node, token: &str) -> EnterprisesClient<Door> {
    EnterprisesClient::new(InterceptedService::new(node.channel().await, Bearer::token(token)))
}

#[tokio::test]
async fn a_call_with_a_wrong_request_id_leaves_no_key() {
    let node = start(WriterLimits::default());
    let operator = operator(&node);
    let (mut own, mut all) = (own_record(&node, &operator).await, enterprises(&node, &operator).await);
    let request_id = "1".to_owned();
    let set = v1::SetOperatorRecordRequest { request_id: request_id.clone(), ..record() };
    assert_eq!(reason(&own.set(set).await.unwrap_err()), "INVALID_ARGUMENT");
    let put = v1::PutEnterpriseRequest { request_id, ..enterprise() };
    assert_eq!(reason(&all.put(put).await.unwrap_err()), "INVALID_ARGUMENT");
    assert_eq!(node.catalog.vault().unwrap().subjects(), 0);
}

#[tokio::test]
async fn a_call_refused_because_the_record_cannot_be_read_leaves_no_key() {
    let node = start(WriterLimits::default());
    let mut own = own_record(&node, &operator(&node)).await;
    let mut needle = record();
    needle.profile.as_mut().unwrap().address = "needle street".into();
    own.set(needle).await.unwrap();
    // What lies in a segment that is full is found by its key whatever became of it.
    for kind in ["verification-source-1", "verification-source-2", "verification-source-3"] {
        own.put_file(file(kind, pdf(600 << 10))).await.unwrap();
    }
    common::damage(&node, "needle street");
    let Node { dir, catalog, running, .. } = node;
    running.drain(Duration::from_secs(10)).await;
    catalog.shutdown().unwrap();
    drop(catalog);
    let node = start_in(dir, WriterLimits::default());
    let mut own = own_record(&node, &operator(&node)).await;
    let keys = || node.catalog.vault().unwrap().subjects();
    let before = keys();
    assert_eq!(reason(&own.set(record()).await.unwrap_err()), "UNREADABLE");
    assert_eq!(keys(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gives_up_waiting_leaves_no_key() {
    let node = start(WriterLimits::default());
    let own = own_record(&node, &operator(&node)).await;
    let mut wrong = record();
    wrong.profile.as_mut().unwrap().province = "990000".into();
    // Calls that are given up after as many milliseconds, so that some end between sealing and the answer of the writer.
    for patience in 0..40 {
        let (mut own, wrong) = (own.clone(), wrong.clone());
        let waited = tokio::time::timeout(Duration::from_millis(patience / 4), own.set(wrong)).await;
        assert!(waited.is_err() || waited.unwrap().is_err());
    }
    let keys = || node.catalog.vault().unwrap().subjects();
    let dropped = async {
        while keys() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let dropped = tokio::time::timeout(Duration::from_secs(20), dropped).await;
    assert!(dropped.is_ok(), "{} keys are left", keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn however_writing_and_forgetting_meet_only_the_key_of_what_is_held_is_left() {
    let node = start(WriterLimits::default());
    let operator = operator(&node);
    let (own, mut all) = (own_record(&node, &operator).await, enterprises(&node, &operator).await);
    let id = all.put(enterprise()).await.unwrap().into_inner().enterprise.unwrap().id;
    let mut calls = JoinSet::new();
    for _ in 0..4 {
        let (mut own, mut all, id) = (own.clone(), all.clone(), id.clone());
        calls.spawn(async move {
            for _ in 0..40 {
                // Refused when it was sealed with a key that was forgotten meanwhile.
                drop(own.set(record()).await);
                drop(own.put_file(file("build-contract", pdf(64))).await);
                drop(all.put(v1::PutEnterpriseRequest { id: id.clone(), ..enterprise() }).await);
            }
        });
    }
    for _ in 0..2 {
        let (mut own, mut all, id) = (own.clone(), all.clone(), id.clone());
        calls.spawn(async move {
            for _ in 0..40 {
                drop(own.forget(v1::ForgetOperatorRequest { reason: "moved".into() }).await);
                let forget = v1::ForgetRequest { id: id.clone(), reason: "moved".into() };
                drop(all.forget(forget).await);
            }
        });
    }
    calls.join_all().await;
    let business = node.catalog.business();
    let (node_people, people) = (
        business.operator().and_then(|record| record.personal.clone()),
        business.enterprises().next().and_then(|enterprise| enterprise.personal.clone()),
    );
    let vault = node.catalog.vault().unwrap();
    let held: Vec<_> = [node_people, people].into_iter().flatten().collect();
    assert!(held.iter().all(|sealed| vault.has(&sealed.subject)), "what is held can be read");
    assert_eq!(vault.subjects(), held.len(), "and nothing else can");
}

#[tokio::test]
async fn applications_are_listed_by_page_and_owner() {
    let node = start(WriterLimits::default());
    let mut calls = applications(&node, &operator(&node)).await;
    let put = |name: &str| v1::PutApplicationRequest {
        profile: Some(v1::ApplicationProfile { name: name.into(), kind: "web".into(), ..Default::default() }),
        ..v1::PutApplicationRequest::default()
    };
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(calls.put(put(name)).await.unwrap().into_inner().application.unwrap().id);
    }
    let ask = |owner: &str, token: &str| v1::ListApplicationsRequest {
        owner: owner.into(),
        page_size: 2,
        page_token: token.into(),
    };
    let first = calls.list(ask("node", "")).await.unwrap().into_inner();
    let rest = calls.list(ask("node", &first.next_page_token)).await.unwrap().into_inner();
    let listed = first.applications.iter().chain(&rest.applications).map(|each| each.id.clone());
    assert_eq!((listed.collect::<Vec<_>>(), rest.next_page_token), (ids.clone(), String::new()));
    let strange = calls.list(ask("", &first.next_page_token)).await.unwrap_err();
    assert_eq!(reason(&strange), "PAGE_TOKEN_INVALID", "a page token is for one owner");
    assert!(calls.list(ask("E1", "")).await.unwrap().into_inner().applications.is_empty());
    for owner in ["x", "E0"] {
        assert_eq!(reason(&calls.list(ask(owner, "")).await.unwrap_err()), "INVALID_ARGUMENT", "{owner}");
    }
    let mut strange = put("d");
    strange.profile.as_mut().unwrap().kind = "game".into();
    assert_eq!(reason(&calls.put(strange).await.unwrap_err()), "INVALID_ARGUMENT");
    let users = Some(v1::MonthlyUsers { month: "2026-10".into(), users: 7 });
    let counted = v1::CountUsersRequest { id: ids[0].clone(), users, request_id: String::new() };
    let counted = calls.count_users(counted).await.unwrap().into_inner().application.unwrap();
    assert_eq!((counted.users[0].users, counted.kind_number), (7, 3));
    let mut writer = applications(&node, &node.token("writer", Role::Writer, &["88.1"])).await;
    let get = v1::GetApplicationRequest { id: ids[0].clone() };
    assert_eq!(reason(&writer.get(get.clone()).await.unwrap_err()), "NOT_FOUND");
    assert!(writer.list(ask("", "")).await.unwrap().into_inner().applications.is_empty());
    // Who acts for an enterprise is shown its own, named or not.
    let token = node.token("acme", Role::EnterpriseAdministrator, &["88.1"]);
    enterprises(&node, &token).await.put(enterprise()).await.unwrap();
    let mut acme = applications(&node, &token).await;
    let own = acme.put(put("a")).await.unwrap().into_inner().application.unwrap();
    assert_eq!(own.owner, "E1");
    for owner in ["", "E1", "node"] {
        let listed = acme.list(ask(owner, "")).await.unwrap().into_inner().applications;
        let expected = if owner == "node" { vec![] } else { vec![&own] };
        assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "{owner}");
    }
    assert_eq!(calls.list(ask("E1", "")).await.unwrap().into_inner().applications, [own]);
    calls.delete(v1::DeleteApplicationRequest { id: ids[0].clone(), request_id: String::new() }).await.unwrap();
    assert_eq!(reason(&calls.get(get).await.unwrap_err()), "NOT_FOUND");
}
