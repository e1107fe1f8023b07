//! Verdicts over real TLS sockets: who may ask, how much, and what whoever asks is told of what is not theirs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::{Bearer, Node, apply, create, reason};
use tonic::Code;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use waymark_api::registration::v1::{self, Verdict, change::Action, verdicts_client::VerdictsClient};
use waymark_catalog::access::Role;

type Door = VerdictsClient<InterceptedService<Channel, Bearer>>;

async fn door(node: &Node, token: &str) -> Door {
    VerdictsClient::new(InterceptedService::new(node.channel().await, Bearer::token(token)))
}

fn asked(codes: &[&str]) -> v1::JudgeRequest {
    v1::JudgeRequest { codes: codes.iter().map(|code| (*code).to_owned()).collect() }
}

async fn verdicts(door: &mut Door, codes: &[&str]) -> Vec<(Verdict, String)> {
    let judged = door.judge(asked(codes)).await.unwrap().into_inner().judgements;
    judged.into_iter().map(|told| (told.verdict(), told.reason)).collect()
}

#[tokio::test]
async fn a_reader_elsewhere_learns_no_more_than_the_public_and_a_recall_is_for_everybody() {
    let node = Node::start().await;
    let token = node.token("admin", Role::EnterpriseAdministrator, &["88.1"]);
    let mut admin = node.client(&token).await;
    for (name, action) in [
        ("88.1/good", None),
        ("88.1/gone", Some(Action::Suspend(v1::Suspend { reason: "stolen".into() }))),
        ("88.1/back", Some(Action::Recall(v1::Recall { reason: "cracks".into() }))),
    ] {
        admin.apply(apply(create(name, "x"))).await.unwrap();
        if let Some(action) = action {
            let change = v1::Change { handle: name.into(), action: Some(action), expect: None };
            admin.apply(apply(change)).await.unwrap();
        }
    }
    let codes = ["88.1/good", "88.1/gone", "88.1/back", "88.1/nobody", "77/x"];
    let told = |gone: (Verdict, &str)| {
        let none = String::new;
        vec![
            (Verdict::Valid, none()),
            (gone.0, gone.1.to_owned()),
            (Verdict::Recalled, "cracks".to_owned()),
            (Verdict::Absent, none()),
            (Verdict::UpstreamDown, none()),
        ]
    };
    let mut own = door(&node, &token).await;
    assert_eq!(verdicts(&mut own, &codes).await, told((Verdict::Suspended, "stolen")));
    let mut elsewhere = door(&node, &node.token("till", Role::Reader, &["88.2"])).await;
    assert_eq!(verdicts(&mut elsewhere, &codes).await, told((Verdict::Absent, "")));
}

#[tokio::test]
async fn too_many_codes_and_no_credential_are_refused() {
    let node = Node::start().await;
    let mut reader = door(&node, &node.token("till", Role::Reader, &["88.1"])).await;
    let many = vec!["88.1/x"; 201];
    let long = "x".repeat(8_193);
    for codes in [&[][..], &many[..], &["88.1/x", ""], &["88.1/x", &long]] {
        let refused = reader.judge(asked(codes)).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "INVALID_ARGUMENT"));
    }
    assert_eq!(reader.judge(asked(&many[..200])).await.unwrap().into_inner().judgements.len(), 200);
    let refused = door(&node, "wm1_0000_nobody").await.judge(asked(&["88.1/x"])).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let mut admin = node.client(&node.token("writer", Role::Writer, &["88.1"])).await;
    admin.apply(apply(create("88.1/x", "x"))).await.unwrap();
    let change = v1::Change {
        handle: "88.1/x".into(),
        action: Some(Action::Recall(v1::Recall { reason: "r".into() })),
        expect: None,
    };
    let refused = admin.apply(apply(change)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "a writer may not suspend, and so not recall");
}
