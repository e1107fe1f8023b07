//! Jobs over real TLS sockets and a real store: submitted, cut off anywhere, continued, cancelled, hidden from others.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use std::time::Duration;

use common::jobs::{
    Client, client, ended, header, left, lines, messages, records, restart, result, show, start_again, submit, until,
    writer,
};
use common::{Node, issue, principal, put_principal, reason};
use tempfile::TempDir;
use tonic::Code;
use waymark_api::registration::v1::{self, JobFormat, JobHeader, JobState};
use waymark_catalog::access::{Role, Scope, Verb};
use waymark_catalog::{Command, HomeName};
use waymark_registration::Limits;

#[tokio::test]
async fn a_job_runs_to_its_end_and_lists_what_failed() {
    let node = Node::start().await;
    let mut jobs = writer(&node).await;
    let file = lines(2_000);
    let submitted = submit(&mut jobs, header(&file), &file).await.unwrap();
    assert_eq!((submitted.owner.as_str(), submitted.title.as_str()), ("writer", "十一月"));
    let job = ended(&mut jobs, &submitted.id).await;
    assert_eq!((job.state(), job.failure.as_str()), (JobState::Done, ""));
    assert_eq!((job.created, job.changed, job.unchanged, job.refused), (1_800, 0, 0, 200));
    assert_eq!((job.lines, job.bytes_done, job.bytes_total), (2_000, file.len() as u64, file.len() as u64));
    assert_eq!(records(&node.catalog), 1_800);
    let failed = result(&mut jobs, &job.id).await;
    assert_eq!(failed.len(), 200);
    assert_eq!((failed[0]["line"].as_u64(), failed[0]["code"].as_str()), (Some(4), Some("not-json")));
    assert_eq!((failed[1]["handle"].as_str(), failed[1]["code"].as_str()), (Some("88.2/13"), Some("not-permitted")));
    let again = submit(&mut jobs, header(&file), &file).await.unwrap();
    let again = ended(&mut jobs, &again.id).await;
    assert_eq!((again.created, again.unchanged, again.refused), (0, 1_800, 200));
}

#[tokio::test]
async fn batch_files_are_taken_without_homing_or_reading_files_of_the_node() {
    let node = Node::start().await;
    let mut jobs = writer(&node).await;
    let file = "HOME 192.0.2.1:2641:TCP\n88.7\n\nCREATE 88.1/a\n1 URL 60 1110 UTF8 x\n\nCREATE 88.1/b\n1 URL 60 1110 FILE /etc/passwd\n";
    let batch = JobHeader { format: JobFormat::Batch.into(), ..header(file) };
    let job = submit(&mut jobs, batch, file).await.unwrap();
    let job = ended(&mut jobs, &job.id).await;
    assert_eq!((job.state(), job.created, job.refused), (JobState::Done, 1, 2));
    let codes: Vec<_> = result(&mut jobs, &job.id).await.iter().map(|line| line["code"].clone()).collect();
    assert_eq!(codes, ["not-permitted", "files-not-allowed"]);
}

#[tokio::test]
async fn a_repeated_submission_is_the_same_job() {
    let node = Node::start().await;
    let mut jobs = writer(&node).await;
    let file = lines(10);
    let request = JobHeader { request_id: request_id(0), ..header(&file) };
    let first = submit(&mut jobs, request.clone(), &file).await.unwrap();
    let second = submit(&mut jobs, request.clone(), &file).await.unwrap();
    assert_eq!(first.id, second.id);
    let other = submit(&mut jobs, JobHeader { replace: true, ..request.clone() }, &file).await.unwrap_err();
    assert_eq!(reason(&other), "REQUEST_REUSED");
    let mut others = client(&node, &node.token("other", Role::Writer, &["88.1"])).await;
    let theirs = submit(&mut others, request.clone(), &file).await.unwrap();
    assert_ne!(first.id, theirs.id, "request ids of others are others");
    let future = JobHeader { request_id: request_id(3_600_000), ..header(&file) };
    assert_eq!(reason(&submit(&mut jobs, future, &file).await.unwrap_err()), "REQUEST_FROM_FUTURE");
    ended(&mut jobs, &first.id).await;
    let node = restart(node, Limits::default()).await;
    let mut jobs = client(&node, &issue(&node.catalog, "writer", |_| {})).await;
    assert_eq!(submit(&mut jobs, request, &file).await.unwrap().id, first.id, "after a restart too");
}

/// A request id made so many milliseconds from now.
fn request_id(ahead_ms: u64) -> String {
    let ms = common::clock().0 + ahead_ms;
    uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, ms / 1000, 0)).to_string()
}

#[tokio::test]
async fn what_is_forgotten_is_not_done_again() {
    let limits = Limits { jobs: 1, ..Limits::default() };
    let node = Node::start_with(limits).await;
    let mut jobs = writer(&node).await;
    let file = lines(10);
    let request = JobHeader { request_id: request_id(0), ..header(&file) };
    let first = submit(&mut jobs, request.clone(), &file).await.unwrap();
    ended(&mut jobs, &first.id).await;
    let second = submit(&mut jobs, header(&file), &file).await.unwrap();
    assert_eq!(jobs.show(v1::ShowJobRequest { id: first.id }).await.unwrap_err().code(), Code::NotFound);
    ended(&mut jobs, &second.id).await;
    let node = restart(node, limits).await;
    let mut jobs = client(&node, &issue(&node.catalog, "writer", |_| {})).await;
    assert_eq!(reason(&submit(&mut jobs, request, &file).await.unwrap_err()), "IDEMPOTENCY_EXPIRED");
}

#[tokio::test]
async fn files_that_are_not_what_was_said_leave_nothing_behind() {
    let limits = Limits { job_bytes: 5_000, job_upload_idle: Duration::from_millis(200), ..Limits::default() };
    let node = Node::start_with(limits).await;
    let mut jobs = writer(&node).await;
    let file = lines(20);
    let refused = async |jobs: &mut Client, header, file: &str| {
        let status = submit(jobs, header, file).await.unwrap_err();
        let field = tonic_types::StatusExt::get_error_details(&status)
            .bad_request()
            .map(|b| b.field_violations[0].field.clone());
        (reason(&status), field.unwrap_or_default())
    };
    let invalid = |field: &str| ("INVALID_ARGUMENT".to_owned(), field.to_owned());
    let wrong = JobHeader { sha256: vec![1; 32], ..header(&file) };
    assert_eq!(refused(&mut jobs, wrong, &file).await, invalid("header.sha256"));
    assert_eq!(refused(&mut jobs, header(&file), &file[1..]).await, invalid("header.total_bytes"));
    assert_eq!(refused(&mut jobs, header(&file[1..]), &file).await, invalid("header.total_bytes"));
    let unspecified = JobHeader { format: 0, total_bytes: 0, ..header(&file) };
    assert_eq!(refused(&mut jobs, unspecified, &file).await, invalid("header.format"));
    let version_4 = JobHeader { request_id: "f47ac10b-58cc-4372-a567-0e02b2c3d479".into(), ..header(&file) };
    assert_eq!(refused(&mut jobs, version_4, &file).await, invalid("header.request_id"));
    let title = JobHeader { title: "x".repeat(201), ..header(&file) };
    assert_eq!(refused(&mut jobs, title, &file).await, invalid("header.title"));
    let large = lines(1_000);
    assert_eq!(refused(&mut jobs, header(&large), &large).await.0, "JOB_TOO_LARGE");
    // A client that stops sending.
    let (send, receive) = tokio::sync::mpsc::channel(2);
    send.send(messages(header(&file), &file).remove(0)).await.unwrap();
    let idle = jobs.submit(tokio_stream::wrappers::ReceiverStream::new(receive)).await.unwrap_err();
    assert_eq!(reason(&idle), "STREAM_IDLE");
    // A client that goes away.
    let (send, receive) = tokio::sync::mpsc::channel(2);
    send.send(messages(header(&file), &file).remove(0)).await.unwrap();
    let mut gone = jobs.clone();
    let call = tokio::spawn(async move { gone.submit(tokio_stream::wrappers::ReceiverStream::new(receive)).await });
    while left(node.dir.path()).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    call.abort();
    drop(send);
    while !left(node.dir.path()).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(left(node.dir.path()), Vec::<String>::new());
    assert!(jobs.list(v1::ListJobsRequest::default()).await.unwrap().into_inner().jobs.is_empty());
}

#[tokio::test]
async fn a_principal_has_no_more_unfinished_jobs_than_its_share() {
    let limits = Limits { jobs_per_principal: 1, ..Limits::default() };
    let node = Node::start_with(limits).await;
    let mut jobs = writer(&node).await;
    let file = lines(60_000);
    let first = submit(&mut jobs, header(&file), &file).await.unwrap();
    let more = submit(&mut jobs, header(&file), &file).await.unwrap_err();
    assert_eq!((more.code(), reason(&more).as_str()), (Code::ResourceExhausted, "TOO_MANY_JOBS"));
    jobs.cancel(v1::CancelJobRequest { id: first.id.clone() }).await.unwrap();
    ended(&mut jobs, &first.id).await;
    let small = lines(1);
    assert!(submit(&mut jobs, header(&small), &small).await.is_ok());
}

#[tokio::test]
async fn jobs_are_shown_to_owners_and_operators_alone() {
    let node = Node::start().await;
    let mut jobs = writer(&node).await;
    let file = lines(10);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(submit(&mut jobs, header(&file), &file).await.unwrap().id);
    }
    ids.reverse();
    let mut other = client(&node, &node.token("other", Role::Writer, &["88.1"])).await;
    let unknown = "01976b9a-7c00-7000-8000-000000000000";
    for id in [ids[0].as_str(), unknown, "../writer", ""] {
        let id = || id.to_owned();
        let answers = [
            other.show(v1::ShowJobRequest { id: id() }).await.unwrap_err(),
            other.cancel(v1::CancelJobRequest { id: id() }).await.unwrap_err(),
            other.result(v1::JobResultRequest { id: id() }).await.unwrap_err(),
        ];
        assert!(answers.iter().all(|status| reason(status) == "NOT_FOUND"), "{answers:?}");
    }
    let mut reader = client(&node, &node.token("reader", Role::Reader, &["88.1"])).await;
    assert_eq!(reason(&submit(&mut reader, header(&file), &file).await.unwrap_err()), "NOT_PERMITTED");
    let list = async |jobs: &mut Client, page_size, page_token: &str| {
        let request = v1::ListJobsRequest { page_size, page_token: page_token.into() };
        let page = jobs.list(request).await.unwrap().into_inner();
        (page.jobs.into_iter().map(|job| job.id).collect::<Vec<_>>(), page.next_page_token)
    };
    assert_eq!(list(&mut other, 0, "").await, (vec![], String::new()));
    let (first, next) = list(&mut jobs, 2, "").await;
    assert_eq!(first, ids[..2]);
    assert_eq!(list(&mut jobs, 2, &next).await, (ids[2..].to_vec(), String::new()));
    let bad = jobs.list(v1::ListJobsRequest { page_size: 1, page_token: "x".into() }).await.unwrap_err();
    assert_eq!(reason(&bad), "PAGE_TOKEN_INVALID");
    let mut operator = client(&node, &node.token("root", Role::Operator, &["*"])).await;
    assert_eq!(list(&mut operator, 0, "").await.0, ids);
    assert_eq!(show(&mut operator, &ids[0]).await.owner, "writer");
}

#[tokio::test]
async fn a_credential_for_fewer_prefixes_shows_only_jobs_submitted_with_it() {
    let node = Node::start().await;
    put_principal(&node.catalog, principal("writer", Role::Writer, &["88.1", "88.2"]));
    put_principal(&node.catalog, principal("root", Role::Operator, &["*"]));
    let narrow = |token: &mut waymark_catalog::access::Token| token.scope = Some(Scope::parse(["88.1"]).unwrap());
    let mut whole = client(&node, &issue(&node.catalog, "writer", |_| {})).await;
    let mut part = client(&node, &issue(&node.catalog, "writer", narrow)).await;
    let mut operator = client(&node, &issue(&node.catalog, "root", narrow)).await;
    let file = lines(1);
    let of_whole = submit(&mut whole, header(&file), &file).await.unwrap().id;
    let of_part = submit(&mut part, header(&file), &file).await.unwrap().id;
    assert_eq!(show(&mut part, &of_part).await.id, of_part);
    assert_eq!(show(&mut whole, &of_part).await.id, of_part);
    for jobs in [&mut part, &mut operator] {
        let hidden = jobs.result(v1::JobResultRequest { id: of_whole.clone() }).await.unwrap_err();
        assert_eq!(reason(&hidden), "NOT_FOUND");
    }
}

#[tokio::test]
async fn a_token_revoked_during_an_upload_submits_nothing() {
    let node = Node::start().await;
    let token = node.token("writer", Role::Writer, &["88.1"]);
    let mut jobs = client(&node, &token).await;
    let file = lines(10);
    let mut all = messages(header(&file), &file).into_iter();
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    sender.send(all.next().unwrap()).await.unwrap();
    let submitting = async { jobs.submit(tokio_stream::wrappers::ReceiverStream::new(receiver)).await };
    let revoking = async {
        // The upload has begun when its folder is there.
        while !left(node.dir.path()).iter().any(|name| name.starts_with(".new-")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let id = waymark_catalog::access::TokenText::parse(&token).unwrap().id();
        common::write(&node.catalog, Command::RevokeToken { id, reason: String::new() });
        for message in all {
            sender.send(message).await.unwrap();
        }
        drop(sender);
    };
    let (submitted, ()) = tokio::join!(submitting, revoking);
    assert_eq!(submitted.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(records(&node.catalog), 0);
}

#[tokio::test]
async fn a_cancelled_job_stops_and_what_was_done_stays() {
    let node = Node::start_with(Limits { job_save: Duration::ZERO, ..Limits::default() }).await;
    let mut jobs = writer(&node).await;
    let file = lines(100_000);
    let id = submit(&mut jobs, header(&file), &file).await.unwrap().id;
    let waiting = submit(&mut jobs, header(&file), &file).await.unwrap().id;
    // The first failed lines may be written a little after the first are counted.
    until(&mut jobs, &id, |job| job.created > 0).await;
    while result(&mut jobs, &id).await.is_empty() {
        assert_eq!(show(&mut jobs, &id).await.state(), JobState::Running, "failed lines of a running job are given");
    }
    jobs.cancel(v1::CancelJobRequest { id: waiting.clone() }).await.unwrap();
    jobs.cancel(v1::CancelJobRequest { id: id.clone() }).await.unwrap();
    let job = ended(&mut jobs, &id).await;
    assert_eq!(job.state(), JobState::Cancelled);
    assert!(job.created < 90_000, "{job:?}");
    assert_eq!(records(&node.catalog) as u64, job.created);
    assert_eq!(result(&mut jobs, &id).await.len() as u64, job.refused);
    let never = show(&mut jobs, &waiting).await;
    assert_eq!((never.state(), never.created), (JobState::Cancelled, 0));
    let again = jobs.cancel(v1::CancelJobRequest { id: id.clone() }).await.unwrap().into_inner();
    assert_eq!(again, job, "once more changes nothing");
}

#[tokio::test]
async fn a_job_goes_on_after_stops_and_kills_and_does_nothing_twice() {
    let limits = Limits { job_save: Duration::from_millis(20), ..Limits::default() };
    let mut node = Node::start_with(limits).await;
    let mut jobs = writer(&node).await;
    let file = lines(40_000);
    let request = JobHeader { replace: true, ..header(&file) };
    let id = submit(&mut jobs, request, &file).await.unwrap().id;
    let mut seen = 0;
    for round in 0..4 {
        let job = until(&mut jobs, &id, |job| job.lines > seen || job.state() == JobState::Done).await;
        seen = job.lines;
        node = if round % 2 == 0 {
            restart(node, limits).await
        } else {
            // Dropped as they are: nothing is waited for, nothing is kept.
            let Node { dir, catalog, running, .. } = node;
            drop(running);
            drop(catalog);
            start_again(dir, limits).await
        };
        jobs = client(&node, &issue(&node.catalog, "writer", |_| {})).await;
    }
    let job = ended(&mut jobs, &id).await;
    assert!(seen < 40_000, "the job was cut off at least once");
    assert_eq!(job.state(), JobState::Done, "{job:?}");
    assert_eq!((job.created, job.changed, job.unchanged, job.refused), (36_000, 0, 0, 4_000));
    assert_eq!((job.lines, records(&node.catalog)), (40_000, 36_000));
    let failed: Vec<u64> = result(&mut jobs, &id).await.iter().map(|line| line["line"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (0..40_000).filter(|n| n % 10 == 3).map(|n| n + 1).collect();
    assert_eq!(failed, expected);
}

#[tokio::test]
async fn a_job_has_the_rights_of_its_owner_at_each_write_and_never_more_than_its_token() {
    let node = Node::start().await;
    put_principal(&node.catalog, principal("writer", Role::Writer, &["88.1"]));
    let narrow = issue(&node.catalog, "writer", |token| {
        token.verbs = Some([Verb::Job, Verb::Delete].into_iter().collect());
        token.scope = Some(Scope::parse(["88.1"]).unwrap());
    });
    let mut jobs = client(&node, &narrow).await;
    let file = lines(1);
    let job = submit(&mut jobs, header(&file), &file).await.unwrap();
    assert_eq!(ended(&mut jobs, &job.id).await.refused, 1, "the token may not create");
    let mut jobs = client(&node, &issue(&node.catalog, "writer", |_| {})).await;
    let file = lines(100_000);
    let job = submit(&mut jobs, header(&file), &file).await.unwrap();
    until(&mut jobs, &job.id, |job| job.created > 0).await;
    put_principal(&node.catalog, principal("writer", Role::Writer, &["88.9"]));
    let mut operator = client(&node, &node.token("root", Role::Operator, &["*"])).await;
    let job = ended(&mut operator, &job.id).await;
    assert_eq!(job.state(), JobState::Done);
    assert!(job.refused > 10_000, "what came after was refused: {job:?}");
    assert_eq!(records(&node.catalog) as u64, job.created);
}

#[tokio::test]
async fn a_finished_job_is_removed_when_its_time_is_over() {
    let node = Node::start_with(Limits { job_kept: Duration::ZERO, ..Limits::default() }).await;
    let mut jobs = writer(&node).await;
    let file = lines(1);
    let first = submit(&mut jobs, header(&file), &file).await.unwrap().id;
    for _ in 0..500 {
        // The worker looks whenever it has something to do.
        let more = submit(&mut jobs, header(&file), &file).await;
        assert!(more.is_ok());
        if jobs.show(v1::ShowJobRequest { id: first.clone() }).await.is_err() {
            assert!(!left(node.dir.path()).contains(&first));
            return;
        }
    }
    panic!("it is still there");
}

#[tokio::test]
async fn a_job_waits_while_the_disk_is_full_and_can_be_cancelled_meanwhile() {
    let medium = waymark_store::fault::MemoryMedium::new();
    let dir = TempDir::new().unwrap();
    let catalog = common::new_catalog_on(&medium);
    let limits = Limits { job_retry: Duration::from_millis(20), ..Limits::default() };
    let node = Node::start_over(dir, catalog, limits, "127.0.0.1:0".parse().unwrap());
    let mut jobs = writer(&node).await;
    let file = lines(40_000);
    medium.set_room(Some(medium.used() + 500_000));
    let id = submit(&mut jobs, header(&file), &file).await.unwrap().id;
    let waiting = until(&mut jobs, &id, |job| !job.failure.is_empty()).await;
    assert!(waiting.state() == JobState::Running && waiting.failure.starts_with("waiting: the disk"), "{waiting:?}");
    assert!(waiting.created < 36_000);
    medium.set_room(None);
    let job = ended(&mut jobs, &id).await;
    assert_eq!((job.state(), job.failure.as_str()), (JobState::Done, ""));
    assert_eq!((job.created, job.unchanged, job.refused), (36_000, 0, 4_000), "nothing twice, nothing left out");
    medium.set_room(Some(medium.used()));
    let more = lines(100_000);
    let id = submit(&mut jobs, header(&more), &more).await.unwrap().id;
    until(&mut jobs, &id, |job| !job.failure.is_empty()).await;
    jobs.cancel(v1::CancelJobRequest { id: id.clone() }).await.unwrap();
    assert_eq!(ended(&mut jobs, &id).await.state(), JobState::Cancelled);
}

#[tokio::test]
async fn a_job_waits_for_a_restart_when_a_flush_failed_and_goes_on_after_it() {
    use waymark_store::fault::{Fault, FaultMedium, MemoryMedium, Operation};
    let medium = MemoryMedium::new();
    let faults = FaultMedium::over(std::sync::Arc::new(medium.clone()));
    let dir = TempDir::new().unwrap();
    let catalog = common::new_catalog_over(faults.clone());
    let node = Node::start_over(dir, catalog, Limits::default(), "127.0.0.1:0".parse().unwrap());
    let mut jobs = writer(&node).await;
    let file = lines(60_000);
    let id = submit(&mut jobs, header(&file), &file).await.unwrap().id;
    until(&mut jobs, &id, |job| job.created > 0).await;
    faults.fail_always(Operation::Sync, "", Fault::Error(std::io::ErrorKind::Other));
    let waiting = until(&mut jobs, &id, |job| !job.failure.is_empty()).await;
    assert_eq!(waiting.state(), JobState::Running);
    assert!(waiting.failure.contains("after a restart"), "{waiting:?}");
    let Node { dir, catalog, running, .. } = node;
    running.drain(Duration::from_secs(30)).await;
    drop(catalog);
    let left = medium.after_power_loss(waymark_store::fault::Survives::Nothing);
    let catalog = common::catalog_over(std::sync::Arc::new(left));
    let node = Node::start_over(dir, catalog, Limits::default(), "127.0.0.1:0".parse().unwrap());
    let mut jobs = client(&node, &issue(&node.catalog, "writer", |_| {})).await;
    let job = ended(&mut jobs, &id).await;
    assert_eq!((job.state(), job.failure.as_str()), (JobState::Done, ""));
    assert_eq!((job.created, job.unchanged, job.refused), (54_000, 0, 6_000));
    assert_eq!(records(&node.catalog), 54_000);
}

#[tokio::test]
async fn a_job_waits_for_a_start_with_more_memory_when_the_index_is_full_and_goes_on_after_it() {
    use waymark_store::fault::{MemoryMedium, Survives};
    let medium = MemoryMedium::new();
    let catalog = common::catalog_holding(std::sync::Arc::new(medium.clone()), 1_000);
    common::write(&catalog, Command::Home { name: HomeName::parse(b"88.1").unwrap() });
    let dir = TempDir::new().unwrap();
    let node = Node::start_over(dir, catalog, Limits::default(), "127.0.0.1:0".parse().unwrap());
    let mut jobs = writer(&node).await;
    let file = lines(4_000);
    let id = submit(&mut jobs, header(&file), &file).await.unwrap().id;
    let waiting = until(&mut jobs, &id, |job| !job.failure.is_empty()).await;
    assert_eq!(waiting.state(), JobState::Running);
    assert!(waiting.failure.contains("more memory"), "{waiting:?}");
    let Node { dir, catalog, running, .. } = node;
    running.drain(Duration::from_secs(30)).await;
    drop(catalog);
    let catalog = common::catalog_over(std::sync::Arc::new(medium.after_power_loss(Survives::Nothing)));
    let node = Node::start_over(dir, catalog, Limits::default(), "127.0.0.1:0".parse().unwrap());
    let mut jobs = client(&node, &issue(&node.catalog, "writer", |_| {})).await;
    let job = ended(&mut jobs, &id).await;
    assert_eq!((job.state(), job.failure.as_str()), (JobState::Done, ""));
    assert_eq!((job.created, job.unchanged, job.refused), (3_600, 0, 400), "nothing twice, nothing left out");
    assert_eq!(records(&node.catalog), 3_600);
}
