//! Jobs that are stopped, and uploads that are: credentials that were taken away, clients that only trickle.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use std::time::Duration;

use common::jobs::{client, ended, header, lines, messages, records, restart, result, show, submit, until, writer};
use common::{Node, advance, issue, principal, put_principal, reason};
use tokio_stream::wrappers::ReceiverStream;
use waymark_api::registration::v1::{JobState, SubmitJobRequest, jobs_client::JobsClient, submit_job_request::Message};
use waymark_catalog::Command;
use waymark_catalog::access::{Principal, Role, Scope, TokenText};
use waymark_registration::Limits;

/// Long enough to be met on the way.
const LINES: usize = 60_000;

fn revoke(node: &Node, token: &str) {
    let id = TokenText::parse(token).unwrap().id();
    common::write(&node.catalog, Command::RevokeToken { id, reason: "lost".into() });
}

#[tokio::test]
async fn a_job_stops_when_the_token_it_was_submitted_with_is_revoked_and_what_it_did_stays() {
    let node = Node::start().await;
    let token = node.token("writer", Role::Writer, &["88.1"]);
    let other = issue(&node.catalog, "writer", |_| {});
    let file = lines(LINES);
    let mut jobs = client(&node, &token).await;
    let id = submit(&mut jobs, header(&file), &file).await.unwrap().id;
    // Queued behind it, by a credential that stays.
    let mut others = client(&node, &other).await;
    let next = lines(100);
    let next = submit(&mut others, header(&next), &next).await.unwrap().id;
    until(&mut others, &id, |job| job.created > 0).await;
    revoke(&node, &token);
    let written = records(&node.catalog);
    let job = ended(&mut others, &id).await;
    assert_eq!(
        (job.state(), job.failure.as_str()),
        (JobState::Stopped, "stopped: the credential it was submitted with was revoked")
    );
    assert!(job.created > 0 && job.bytes_done < job.bytes_total, "{job:?}");
    assert_eq!(job.created, written as u64, "what it did is counted, and nothing came after the revocation");
    let failed = result(&mut others, &id).await.len();
    assert_eq!(failed as u64, job.refused);
    let next = ended(&mut others, &next).await;
    assert_eq!((next.state(), next.created + next.unchanged), (JobState::Done, 90), "others go on");
    let node = restart(node, Limits::default()).await;
    let mut others = client(&node, &other).await;
    assert_eq!(show(&mut others, &id).await, job, "after a restart too");
}

#[tokio::test]
async fn a_job_that_has_not_begun_when_its_principal_is_disabled_or_removed_never_runs() {
    let node = Node::start().await;
    let file = lines(20);
    let mut first = writer(&node).await;
    let long = lines(LINES);
    let running = submit(&mut first, header(&long), &long).await.unwrap().id;
    let mut queued = Vec::new();
    for name in ["disabled", "removed"] {
        let mut jobs = client(&node, &node.token(name, Role::Writer, &["88.1"])).await;
        queued.push(submit(&mut jobs, header(&file), &file).await.unwrap().id);
    }
    put_principal(&node.catalog, Principal { disabled: true, ..principal("disabled", Role::Writer, &["88.1"]) });
    common::write(&node.catalog, Command::RemovePrincipal { name: "removed".into() });
    let mut root = client(&node, &node.token("root", Role::Operator, &["*"])).await;
    assert_eq!(ended(&mut root, &running).await.state(), JobState::Done);
    for (id, why) in queued.iter().zip(["stopped: its principal was disabled", "stopped: its principal was removed"]) {
        let job = ended(&mut root, id).await;
        assert_eq!((job.state(), job.failure.as_str(), job.lines), (JobState::Stopped, why, 0));
    }
}

#[tokio::test]
async fn a_job_goes_on_when_its_token_expires_with_what_the_token_gave() {
    let node = Node::start().await;
    put_principal(&node.catalog, principal("writer", Role::Writer, &["88.1", "88.2"]));
    let token = issue(&node.catalog, "writer", |token| {
        token.scope = Some(Scope::parse(["88.1"]).unwrap());
        token.expires.0 = token.created.0 + 600_000;
    });
    let mut jobs = client(&node, &token).await;
    let file = lines(LINES);
    let id = submit(&mut jobs, header(&file), &file).await.unwrap().id;
    let mut others = client(&node, &issue(&node.catalog, "writer", |_| {})).await;
    until(&mut others, &id, |job| job.created > 0).await;
    advance(Duration::from_secs(700));
    assert_eq!(reason(&submit(&mut jobs, header(&file), &file).await.unwrap_err()), "TOKEN_EXPIRED");
    let job = ended(&mut others, &id).await;
    assert_eq!((job.state(), job.failure.as_str()), (JobState::Done, ""));
    assert_eq!((job.created, job.refused), (54_000, 6_000), "88.2 was never the token's");
}

#[tokio::test]
async fn a_job_stops_when_the_certificate_it_was_submitted_with_is_taken_from_its_principal() {
    let node = Node::start().await;
    let (channel, fingerprint) = node.channel_with_certificate(&node.authority).await;
    let known = Principal { certificates: vec![fingerprint], ..principal("writer", Role::Writer, &["88.1"]) };
    put_principal(&node.catalog, known);
    let file = lines(LINES);
    let parts = tokio_stream::iter(messages(header(&file), &file));
    let id = JobsClient::new(channel).submit(parts).await.unwrap().into_inner().id;
    let mut others = client(&node, &issue(&node.catalog, "writer", |_| {})).await;
    until(&mut others, &id, |job| job.created > 0).await;
    put_principal(&node.catalog, principal("writer", Role::Writer, &["88.1"]));
    let job = ended(&mut others, &id).await;
    assert_eq!(job.state(), JobState::Stopped, "{job:?}");
    assert_eq!(job.created, records(&node.catalog) as u64);
}

#[tokio::test]
async fn an_upload_that_only_trickles_gives_its_place_to_others() {
    let limits = Limits {
        job_uploads: 1,
        job_upload_idle: Duration::from_secs(2),
        job_upload_rate: 1 << 30,
        ..Limits::default()
    };
    let node = Node::start_with(limits).await;
    let mut jobs = writer(&node).await;
    let file = lines(2_000);
    let (send, receive) = tokio::sync::mpsc::channel(2);
    send.send(messages(header(&file), &file).remove(0)).await.unwrap();
    // Never silent for long, and never done.
    let trickling = tokio::spawn(async move {
        let part = || SubmitJobRequest { message: Some(Message::Chunk(b"x".to_vec())) };
        while send.send(part()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let slow = jobs.submit(ReceiverStream::new(receive)).await.unwrap_err();
    assert_eq!(reason(&slow), "UPLOAD_TOO_SLOW");
    trickling.abort();
    let fast = submit(&mut jobs, header(&file), &file).await.unwrap();
    assert_eq!(ended(&mut jobs, &fast.id).await.state(), JobState::Done);
}
