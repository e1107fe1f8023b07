//! The operator's services over real TLS sockets: principals and tokens, prefixes, the audit.
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

use common::{Bearer, Node, apply, client, create, delete, reason};
use tonic::Code;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use waymark_api::operator::v1::{
    self, Role as ProtoRole, access_client::AccessClient, audit_client::AuditClient, prefixes_client::PrefixesClient,
};
use waymark_api::registration::v1::Outcome;
use waymark_catalog::access::Role;
use waymark_catalog::{Actor, Command, PutMode, Submission, Timestamps, ValueSet};
use waymark_registration::Limits;

type Door = InterceptedService<Channel, Bearer>;

async fn door(node: &Node, token: &str) -> Door {
    InterceptedService::new(node.channel().await, Bearer::token(token))
}

async fn access(node: &Node, token: &str) -> AccessClient<Door> {
    AccessClient::new(door(node, token).await)
}

fn operator(node: &Node) -> String {
    node.token("operator", Role::Operator, &["*"])
}

fn principal(name: &str, role: ProtoRole, prefixes: &[&str]) -> v1::PutPrincipalRequest {
    let prefixes = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
    let principal = v1::Principal { name: name.into(), role: role.into(), prefixes, ..v1::Principal::default() };
    v1::PutPrincipalRequest { principal: Some(principal) }
}

fn token_for(principal: &str) -> v1::IssueTokenRequest {
    v1::IssueTokenRequest { principal: principal.into(), ..v1::IssueTokenRequest::default() }
}

fn named(name: &str) -> v1::GetPrincipalRequest {
    v1::GetPrincipalRequest { name: name.into() }
}

#[tokio::test]
async fn a_principal_made_through_the_door_writes_with_a_token_issued_through_it() {
    let node = Node::start().await;
    let mut access = access(&node, &operator(&node)).await;
    let made = access.put_principal(principal("line-1", ProtoRole::Writer, &["88.1"])).await.unwrap().into_inner();
    assert_eq!(made.receipt.unwrap().outcome(), Outcome::Stored);
    let issued = access.issue_token(token_for("line-1")).await.unwrap().into_inner();
    let mut writer = client(node.channel().await, Some(&issued.text));
    writer.apply(apply(create("88.1/x", "a"))).await.unwrap();
    let shown = access.get_principal(named("line-1")).await.unwrap().into_inner();
    assert_eq!((shown.role(), shown.written_today), (ProtoRole::Writer, 1));
    let id = issued.token.unwrap().id;
    let revoke = v1::RevokeTokenRequest { id: id.clone(), reason: "lost".into() };
    assert!(access.revoke_token(revoke).await.unwrap().into_inner().token.unwrap().revoked.is_some());
    assert_eq!(reason(&writer.apply(apply(delete("88.1/x"))).await.unwrap_err()), "TOKEN_REVOKED");
    let listed = access.list_tokens(v1::ListTokensRequest { principal: "line-1".into(), ..Default::default() }).await;
    let listed = listed.unwrap().into_inner().tokens;
    assert_eq!((listed.len(), listed[0].id.as_str()), (1, id.as_str()));
    access.remove_principal(v1::RemovePrincipalRequest { name: "line-1".into() }).await.unwrap();
    // What is not there is called what it is.
    let is_said_to_be = |status: tonic::Status, what: &str| {
        assert_eq!((status.code(), status.message()), (Code::NotFound, &*format!("there is no such {what}")));
    };
    is_said_to_be(access.get_principal(named("line-1")).await.unwrap_err(), "principal");
    let removed = access.remove_principal(v1::RemovePrincipalRequest { name: "line-1".into() }).await;
    is_said_to_be(removed.unwrap_err(), "principal");
    let unknown = v1::RevokeTokenRequest { id: "00".repeat(8), reason: String::new() };
    is_said_to_be(access.revoke_token(unknown).await.unwrap_err(), "token");
}

#[tokio::test]
async fn an_enterprise_administrator_manages_and_sees_its_own_people_alone() {
    let node = Node::start().await;
    operator(&node);
    node.token("foreign", Role::Writer, &["88.2"]);
    node.token("idle", Role::Writer, &[]);
    let token = node.token("boss", Role::EnterpriseAdministrator, &["88.1"]);
    let mut access = access(&node, &token).await;
    access.put_principal(principal("line-1", ProtoRole::Writer, &["88.1"])).await.unwrap();
    for request in [
        principal("line-2", ProtoRole::Writer, &["88.2"]),
        principal("line-2", ProtoRole::Operator, &["88.1"]),
        principal("foreign", ProtoRole::Writer, &["88.1"]),
    ] {
        assert_eq!(reason(&access.put_principal(request).await.unwrap_err()), "NOT_PERMITTED");
    }
    for name in ["foreign", "idle"] {
        assert_eq!(access.get_principal(named(name)).await.unwrap_err().code(), Code::NotFound, "{name}");
    }
    let ask = v1::ListPrincipalsRequest { page_size: 1, ..Default::default() };
    let first = access.list_principals(ask.clone()).await.unwrap().into_inner();
    assert_eq!(first.principals[0].name, "boss");
    let next = v1::ListPrincipalsRequest { page_token: first.next_page_token, ..ask };
    let second = access.list_principals(next).await.unwrap().into_inner();
    assert_eq!((second.principals[0].name.as_str(), second.next_page_token.as_str()), ("line-1", ""));
    assert_eq!(reason(&access.issue_token(token_for("foreign")).await.unwrap_err()), "NOT_PERMITTED");
}

#[tokio::test]
async fn whom_an_operator_has_disabled_its_administrator_sees_and_does_not_enable() {
    let node = Node::start().await;
    let mut operator = access(&node, &operator(&node)).await;
    let boss = node.token("boss", Role::EnterpriseAdministrator, &["88.1"]);
    let mut boss = access(&node, &boss).await;
    let put = |disabled: bool| {
        let mut request = principal("line-1", ProtoRole::Writer, &["88.1"]);
        request.principal.as_mut().unwrap().disabled = disabled;
        request
    };
    let by = |response: tonic::Response<v1::PrincipalResponse>| response.into_inner().principal.unwrap().disabled_by;
    assert_eq!(by(boss.put_principal(put(true)).await.unwrap()), "enterprise-administrator");
    assert_eq!(by(boss.put_principal(put(false)).await.unwrap()), "");
    assert_eq!(by(operator.put_principal(put(true)).await.unwrap()), "operator");
    assert_eq!(boss.get_principal(named("line-1")).await.unwrap().into_inner().disabled_by, "operator");
    assert_eq!(reason(&boss.put_principal(put(false)).await.unwrap_err()), "NOT_PERMITTED");
    let remove = v1::RemovePrincipalRequest { name: "line-1".into() };
    assert_eq!(reason(&boss.remove_principal(remove).await.unwrap_err()), "NOT_PERMITTED");
    assert_eq!(by(operator.put_principal(put(false)).await.unwrap()), "");
}

#[tokio::test]
async fn a_writer_manages_nobody_and_sees_itself_alone() {
    let node = Node::start().await;
    operator(&node);
    let mut access = access(&node, &node.token("writer", Role::Writer, &["88.1"])).await;
    let put = access.put_principal(principal("x", ProtoRole::Writer, &["88.1"])).await.unwrap_err();
    assert_eq!((put.code(), reason(&put).as_str()), (Code::PermissionDenied, "NOT_PERMITTED"));
    let listed = access.list_principals(v1::ListPrincipalsRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.principals.len(), 1);
    let bad = access.put_principal(principal("x", ProtoRole::Unspecified, &[])).await.unwrap_err();
    assert_eq!(reason(&bad), "INVALID_ARGUMENT");
    let wrong = v1::RevokeTokenRequest { id: "x".into(), reason: String::new() };
    assert_eq!(reason(&access.revoke_token(wrong).await.unwrap_err()), "INVALID_ARGUMENT");
}

#[tokio::test]
async fn prefixes_are_homed_listed_and_given_up() {
    let node = Node::start().await;
    let token = operator(&node);
    let mut prefixes = PrefixesClient::new(door(&node, &token).await);
    let home = |prefix: &str| v1::HomeRequest { prefix: prefix.into() };
    let homed = prefixes.home(home("88.2")).await.unwrap().into_inner().receipt.unwrap();
    assert_eq!(homed.outcome(), Outcome::Homed);
    let mut writer = client(node.channel().await, Some(&token));
    writer.apply(apply(create("88.2/x", "a"))).await.unwrap();
    let ask = v1::ListPrefixesRequest { page_size: 1, ..Default::default() };
    let first = prefixes.list(ask.clone()).await.unwrap().into_inner();
    assert_eq!(first.prefixes[0].handle, "0.NA/88.1");
    let next = v1::ListPrefixesRequest { page_token: first.next_page_token, ..ask };
    let second = prefixes.list(next).await.unwrap().into_inner().prefixes;
    assert_eq!((second[0].handle.as_str(), second[0].identifiers, second[0].serial), ("0.NA/88.2", 1, homed.serial));
    let never = prefixes.unhome(v1::UnhomeRequest { prefix: "88.99".into() }).await.unwrap_err();
    assert_eq!(never.message(), "there is no such prefix");
    let given_up = prefixes.unhome(v1::UnhomeRequest { prefix: "88.2".into() }).await.unwrap().into_inner();
    assert_eq!(given_up.receipt.unwrap().outcome(), Outcome::Unhomed);
    assert_eq!(reason(&writer.apply(apply(create("88.2/y", "a"))).await.unwrap_err()), "NOT_SERVED");
    assert_eq!(reason(&prefixes.home(home("88.2/x")).await.unwrap_err()), "INVALID_ARGUMENT");
    let mut other = PrefixesClient::new(door(&node, &node.token("writer", Role::Writer, &["88.9"])).await);
    assert_eq!(reason(&other.home(home("88.9")).await.unwrap_err()), "NOT_PERMITTED");
    assert!(other.list(v1::ListPrefixesRequest::default()).await.unwrap().into_inner().prefixes.is_empty());
}

#[tokio::test]
async fn the_audit_tells_what_was_done_and_is_for_auditors_alone() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    writer.apply(apply(create("88.1/x", "a"))).await.unwrap();
    writer.apply(apply(delete("88.1/x"))).await.unwrap();
    let auditor = node.token("auditor", Role::Auditor, &["*"]);
    let mut audit = AuditClient::new(door(&node, &auditor).await);
    let ask = v1::SearchAuditRequest { actor: "writer".into(), key: "88.1/".into(), ..Default::default() };
    let mut found = audit.search(ask.clone()).await.unwrap().into_inner();
    let created = found.message().await.unwrap().unwrap();
    assert_eq!((created.verb.as_str(), created.outcome.as_str()), ("create", "created"));
    assert_eq!((created.door.as_str(), created.source.as_str()), ("grpc", "127.0.0.1"));
    assert!(created.credential.starts_with("token:") && created.credential.len() == 22, "{}", created.credential);
    let deleted = found.message().await.unwrap().unwrap();
    assert_eq!((deleted.verb.as_str(), deleted.before.len()), ("delete", 32));
    assert!(found.message().await.unwrap().is_none());
    let one = v1::SearchAuditRequest { limit: 1, ..ask };
    let mut found = audit.search(one).await.unwrap().into_inner();
    assert!(found.message().await.unwrap().is_some() && found.message().await.unwrap().is_none());
    let head = audit.head(v1::AuditHeadRequest {}).await.unwrap().into_inner();
    assert!(head.note > 0 && head.chain.len() == 32 && head.algorithm == "sha-256", "{head:?}");
    let verified = audit.verify(v1::VerifyAuditRequest {}).await.unwrap().into_inner();
    assert_eq!((verified.problems, verified.notes), (Vec::new(), head.note));
    let mut narrow = AuditClient::new(door(&node, &node.token("narrow", Role::Auditor, &["88.1"])).await);
    assert_eq!(reason(&narrow.head(v1::AuditHeadRequest {}).await.unwrap_err()), "NOT_PERMITTED");
    let mut nosy = AuditClient::new(door(&node, &node.token("nosy", Role::Writer, &["*"])).await);
    assert_eq!(reason(&nosy.verify(v1::VerifyAuditRequest {}).await.unwrap_err()), "NOT_PERMITTED");
    let search = nosy.search(v1::SearchAuditRequest::default()).await.unwrap_err();
    assert_eq!(reason(&search), "NOT_PERMITTED");
}

/// A node with so many records, and a client of its audit.
async fn with_records(limits: Limits, count: u32) -> (Node, AuditClient<Door>) {
    let node = Node::start_with(limits).await;
    let catalog = node.catalog.clone();
    let fill = move || {
        for first in (0..count).step_by(500) {
            let create = |n: u32| Command::Put {
                handle: format!("88.1/{n:05}").into_bytes(),
                values: ValueSet::default(),
                timestamps: Timestamps::Now,
                mode: PutMode::Create,
            };
            let submission = Submission::new(&Actor::operator(), (first..count.min(first + 500)).map(create));
            assert!(catalog.writer().submit(submission).unwrap().wait().unwrap().iter().all(Result::is_ok));
        }
    };
    tokio::task::spawn_blocking(fill).await.unwrap();
    let auditor = node.token("auditor", Role::Auditor, &["*"]);
    let audit = AuditClient::new(door(&node, &auditor).await);
    (node, audit)
}

#[tokio::test]
async fn a_search_that_takes_longer_than_allowed_says_where_it_goes_on_and_a_verification_how_far_it_came() {
    let limits = Limits { audit_time: Duration::from_millis(1), ..Limits::default() };
    let (_node, mut audit) = with_records(limits, 10_000).await;
    let ask = v1::SearchAuditRequest { key: "88.1/".into(), limit: 20_000, ..Default::default() };
    let (mut calls, mut keys, mut page_token) = (0, Vec::new(), String::new());
    loop {
        calls += 1;
        let ask = v1::SearchAuditRequest { page_token, ..ask.clone() };
        let mut found = audit.search(ask.clone()).await.unwrap().into_inner();
        page_token = String::new();
        while let Some(entry) = found.message().await.unwrap() {
            assert!(page_token.is_empty(), "nothing comes behind it");
            if entry.next_page_token.is_empty() {
                keys.push(entry.key);
            } else {
                assert_eq!((entry.note, entry.key.as_str()), (0, ""));
                page_token = entry.next_page_token;
            }
        }
        if page_token.is_empty() {
            break;
        }
        let other = v1::SearchAuditRequest { page_token: page_token.clone(), key: "88.2/".into(), ..ask.clone() };
        assert_eq!(reason(&audit.search(other).await.unwrap_err()), "PAGE_TOKEN_INVALID");
    }
    assert!(calls > 1);
    assert_eq!(keys, (0..10_000).map(|n| format!("88.1/{n:05}")).collect::<Vec<_>>(), "each once, in order");
    let unfinished = audit.verify(v1::VerifyAuditRequest {}).await.unwrap_err();
    assert_eq!((unfinished.code(), reason(&unfinished).as_str()), (Code::DeadlineExceeded, "AUDIT_UNFINISHED"));
    assert!(unfinished.message().contains("up to serial "), "{}", unfinished.message());
}

#[tokio::test]
async fn a_verification_ends_when_its_caller_gives_up_and_leaves_its_place_to_the_next() {
    let (node, mut audit) = with_records(Limits::default(), 10_000).await;
    let mut hasty = tonic::Request::new(v1::VerifyAuditRequest {});
    hasty.set_timeout(Duration::from_millis(1));
    let ended = audit.verify(hasty).await.unwrap_err();
    assert!([Code::DeadlineExceeded, Code::Cancelled].contains(&ended.code()), "{ended:?}");
    let verified = loop {
        match audit.verify(v1::VerifyAuditRequest {}).await {
            Ok(verified) => break verified.into_inner(),
            Err(status) => assert_eq!(reason(&status), "BUSY"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(verified.problems.is_empty() && verified.entries > 10_000, "{verified:?}");
    assert_eq!(verified.head.unwrap().note, node.catalog.audit_head().note);
}
