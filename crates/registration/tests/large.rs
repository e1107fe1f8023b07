//! Small changes to very large records, over real TLS sockets: more than one group of writes may hold, and carried out all the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use std::fmt::Write as _;
use std::time::Duration;

use common::{Bearer, Node, bearer, create, url};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use waymark_api::registration::v1::{
    self, ItemOutcome, JobState, Outcome, exchange_response::Message, item_outcome, jobs_client::JobsClient,
    submit_job_request, upload_request,
};
use waymark_catalog::access::Role;
use waymark_catalog::{Actor, Catalog, Command, PutMode, Submission, Timestamps, ValueSet};
use waymark_wire::ValueBuf;

/// Records of 240 kB, more than one group together.
const RECORDS: u64 = 160;

/// A node with these records, and a token of a writer.
async fn node() -> (Node, String) {
    let node = Node::start().await;
    let catalog = node.catalog.clone();
    tokio::task::spawn_blocking(move || fill(&catalog)).await.unwrap();
    let token = node.token("writer", Role::Writer, &["88.1"]);
    (node, token)
}

fn fill(catalog: &Catalog) {
    let values = ValueSet::from_bufs(&[1, 2, 3, 4].map(|n| ValueBuf::new(n, b"TEXT", &[b'x'; 60_000]))).unwrap();
    let put = |n: u64| Command::Put {
        handle: format!("88.1/{n}").into_bytes(),
        values: values.clone(),
        timestamps: Timestamps::Now,
        mode: PutMode::Create,
    };
    for first in (0..RECORDS).step_by(20) {
        let submission = Submission::new(&Actor::operator(), (first..first + 20).map(put));
        let results = catalog.writer().submit(submission).unwrap().wait().unwrap();
        assert!(results.iter().all(Result::is_ok));
    }
}

fn addition(n: u64) -> v1::Change {
    let add = v1::AddValues { values: vec![url(9, "more")], overwrite: false, keep_timestamps: false };
    v1::Change { handle: format!("88.1/{n}"), action: Some(v1::change::Action::AddValues(add)), expect: None }
}

fn items(first_number: u64, changes: Vec<v1::Change>) -> v1::UploadRequest {
    v1::UploadRequest { message: Some(upload_request::Message::Items(v1::Items { first_number, changes })) }
}

#[tokio::test]
async fn additions_to_many_very_large_records_in_one_message_all_succeed() {
    let (node, token) = node().await;
    let mut client = node.client(&token).await;
    let open = v1::OpenStream { stream: "line".into() };
    let open = v1::UploadRequest { message: Some(upload_request::Message::Open(open)) };
    // More follows before the first is answered.
    let rest = vec![create("88.1/after", "a"), create("88.1/0", "other")];
    let sent = vec![open, items(1, (0..RECORDS).map(addition).collect()), items(RECORDS + 1, rest)];
    let mut answers = client.exchange(tokio_stream::iter(sent.clone())).await.unwrap().into_inner();
    let mut outcomes: Vec<ItemOutcome> = Vec::new();
    let mut summary = None;
    while let Some(answer) = answers.message().await.unwrap() {
        match answer.message {
            Some(Message::Outcomes(some)) => outcomes.extend(some.outcomes),
            Some(Message::Summary(last)) => summary = Some(last),
            _ => {}
        }
    }
    assert!(outcomes.iter().map(|outcome| outcome.number).eq(1..=RECORDS + 2));
    for outcome in &outcomes[..160] {
        let Some(item_outcome::Outcome::Receipt(receipt)) = &outcome.outcome else { panic!("{outcome:?}") };
        assert_eq!(receipt.outcome(), Outcome::Changed);
    }
    let summary = summary.unwrap();
    assert_eq!((summary.changed, summary.created, summary.refused, summary.mark), (RECORDS, 1, 1, RECORDS + 2));
    // What became of each is told again as it was.
    let mut answers = client.exchange(tokio_stream::iter(sent)).await.unwrap().into_inner();
    let mut again = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        if let Some(Message::Outcomes(some)) = answer.message {
            again.extend(some.outcomes);
        }
    }
    let serials = |outcomes: &[ItemOutcome]| -> Vec<Option<u64>> {
        let serial = |outcome: &ItemOutcome| match &outcome.outcome {
            Some(item_outcome::Outcome::Receipt(receipt)) => Some(receipt.serial),
            _ => None,
        };
        outcomes.iter().map(serial).collect()
    };
    assert_eq!(serials(&again), serials(&outcomes));
}

#[tokio::test]
async fn a_job_that_adds_to_many_very_large_records_is_done() {
    let (node, token) = node().await;
    let mut jobs: JobsClient<InterceptedService<Channel, Bearer>> =
        JobsClient::with_interceptor(node.channel().await, bearer(&token));
    let mut file = String::new();
    for n in 0..RECORDS {
        writeln!(file, "ADD 88.1/{n}\n9 DESC 86400 1110 UTF8 more\n").unwrap();
    }
    let header = v1::JobHeader {
        format: v1::JobFormat::Batch.into(),
        total_bytes: file.len() as u64,
        ..v1::JobHeader::default()
    };
    let parts = [submit_job_request::Message::Header(header), submit_job_request::Message::Chunk(file.into_bytes())];
    let parts = parts.map(|part| v1::SubmitJobRequest { message: Some(part) });
    let submitted = jobs.submit(tokio_stream::iter(parts)).await.unwrap().into_inner();
    let job = loop {
        let job = jobs.show(v1::ShowJobRequest { id: submitted.id.clone() }).await.unwrap().into_inner();
        if ![JobState::Queued, JobState::Running].contains(&job.state()) {
            break job;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!((job.state(), job.failure.as_str()), (JobState::Done, ""));
    assert_eq!((job.changed, job.unchanged, job.refused), (RECORDS, 0, 0));
}
