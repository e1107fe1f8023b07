//! Jobs: submitting, waiting, reading what became of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tonic::Status;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use waymark_api::registration::v1::{
    self, Job, JobFormat, JobHeader, JobState, SubmitJobRequest, jobs_client::JobsClient, submit_job_request::Message,
};
use waymark_catalog::access::Role;
use waymark_catalog::{Catalog, open};
use waymark_registration::Limits;

use super::{Bearer, Node, bearer, options};

pub(crate) type Client = JobsClient<InterceptedService<Channel, Bearer>>;

pub(crate) async fn client(node: &Node, token: &str) -> Client {
    JobsClient::with_interceptor(node.channel().await, bearer(token))
}

pub(crate) async fn writer(node: &Node) -> Client {
    client(node, &node.token("writer", Role::Writer, &["88.1"])).await
}

pub(crate) fn header(file: &str) -> JobHeader {
    JobHeader {
        title: "十一月".into(),
        format: JobFormat::JsonLines.into(),
        total_bytes: file.len() as u64,
        sha256: Sha256::digest(file).to_vec(),
        ..JobHeader::default()
    }
}

pub(crate) fn messages(header: JobHeader, file: &str) -> Vec<SubmitJobRequest> {
    let chunks = file.as_bytes().chunks(60_000).map(|chunk| Message::Chunk(chunk.to_vec()));
    std::iter::once(Message::Header(header)).chain(chunks).map(|m| SubmitJobRequest { message: Some(m) }).collect()
}

pub(crate) async fn submit(jobs: &mut Client, header: JobHeader, file: &str) -> Result<Job, Status> {
    Ok(jobs.submit(tokio_stream::iter(messages(header, file))).await?.into_inner())
}

pub(crate) async fn show(jobs: &mut Client, id: &str) -> Job {
    jobs.show(v1::ShowJobRequest { id: id.into() }).await.unwrap().into_inner()
}

pub(crate) async fn until(jobs: &mut Client, id: &str, mut done: impl FnMut(&Job) -> bool) -> Job {
    for _ in 0..3000 {
        let job = show(jobs, id).await;
        if done(&job) {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {:?}", show(jobs, id).await)
}

pub(crate) async fn ended(jobs: &mut Client, id: &str) -> Job {
    let over = [JobState::Done, JobState::Cancelled, JobState::Failed, JobState::Stopped];
    until(jobs, id, |job| over.contains(&job.state())).await
}

pub(crate) async fn result(jobs: &mut Client, id: &str) -> Vec<serde_json::Value> {
    let mut stream = jobs.result(v1::JobResultRequest { id: id.into() }).await.unwrap().into_inner();
    let mut text = Vec::new();
    while let Some(chunk) = stream.message().await.unwrap() {
        text.extend(chunk.chunk);
    }
    let text = String::from_utf8(text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Records, every tenth of them refused: not JSON, or of a prefix that is not the writer's.
pub(crate) fn lines(count: usize) -> String {
    let mut file = String::new();
    for n in 0..count {
        match n % 20 {
            3 => file.push_str("not json\n"),
            13 => writeln!(file, "{{\"handle\":\"88.2/{n}\",\"values\":[]}}").unwrap(),
            _ => writeln!(
                file,
                "{{\"handle\":\"88.1/{n}\",\"values\":[{{\"index\":1,\"type\":\"URL\",\"data\":\"x\"}}]}}"
            )
            .unwrap(),
        }
    }
    file
}

/// Names of what lies in the folder of the jobs, but for the lock.
pub(crate) fn left(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir.join("jobs")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).filter(|name| name != "lock").collect();
    names.sort();
    names
}

pub(crate) fn records(catalog: &Catalog) -> usize {
    let mut count = 0;
    let mut visit = |_: &[u8], _: waymark_catalog::Stored<'_>| {
        count += 1;
        std::ops::ControlFlow::Continue(())
    };
    catalog.cold().scan(b"", b"88.1/", &mut visit).unwrap();
    count
}

/// Stops a node well and starts it again.
pub(crate) async fn restart(node: Node, limits: Limits) -> Node {
    let Node { dir, catalog, running, .. } = node;
    running.drain(Duration::from_secs(30)).await;
    catalog.shutdown().unwrap();
    drop(catalog);
    start_again(dir, limits).await
}

/// Starts over a folder as soon as nobody uses it any more.
pub(crate) async fn start_again(dir: TempDir, limits: Limits) -> Node {
    for _ in 0..500 {
        let free = std::fs::File::open(dir.path().join("jobs/lock")).unwrap().try_lock().is_ok();
        if free && let Ok(opened) = open(&options(dir.path())) {
            return Node::start_over(dir, opened.catalog, limits, "127.0.0.1:0".parse().unwrap());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the node is never free")
}
