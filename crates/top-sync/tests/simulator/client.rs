//! A simulator on free ports, and a small client of its own.

use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use waymark_api::toplevel::v1::{Acknowledgement, Outcome, Part, sets_client::SetsClient};
use waymark_catalog::Timestamp;
use waymark_top_sync::simulator::faults::Plan;
use waymark_top_sync::simulator::{Options, Simulator};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// 2026-12-02T04:00:00Z: all golden periods are over.
pub(crate) fn later() -> Timestamp {
    Timestamp(1_796_184_000_000)
}

pub(crate) fn options(folder: &TempDir) -> Options {
    Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        http: "127.0.0.1:0".parse().unwrap(),
        folder: folder.path().join("top"),
        tls: None,
        probes: None,
        pages: axum::Router::new(),
        faults: Plan::default(),
        clock: later,
    }
}

/// A simulator with these faults, without TLS.
pub(crate) async fn started(folder: &TempDir, faults: &str) -> Simulator {
    let faults = Plan::read(faults.as_bytes()).unwrap();
    Simulator::start(Options { faults, ..options(folder) }).await.unwrap()
}

pub(crate) async fn plain(simulator: &Simulator) -> SetsClient<Channel> {
    SetsClient::connect(format!("http://{}", simulator.grpc())).await.unwrap()
}

/// One stream of parts.
pub(crate) struct Stream {
    parts: Option<mpsc::Sender<Part>>,
    answers: Streaming<Acknowledgement>,
}

impl Stream {
    pub(crate) async fn open(client: &mut SetsClient<Channel>) -> Result<Self, Status> {
        let (parts, stream) = mpsc::channel(64);
        let answers = client.deliver(ReceiverStream::new(stream)).await?.into_inner();
        Ok(Self { parts: Some(parts), answers })
    }

    pub(crate) async fn to(simulator: &Simulator) -> Self {
        Self::open(&mut plain(simulator).await).await.unwrap()
    }

    pub(crate) async fn send(&self, part: Part) {
        // A stream that has ended takes nothing more; its end is read by whoever waits for an answer.
        let _ended = self.parts.as_ref().unwrap().send(part).await;
    }

    /// Says that no more comes.
    pub(crate) fn finish(&mut self) {
        self.parts = None;
    }

    /// What comes next; `None` where the stream ends without a word.
    pub(crate) async fn next(&mut self) -> Result<Option<Acknowledgement>, Status> {
        timeout(PATIENCE, self.answers.message()).await.expect("an answer in time")
    }

    /// Sequence and outcome of the next acknowledgement.
    pub(crate) async fn told(&mut self) -> (u64, Outcome) {
        let answer = self.next().await.unwrap().unwrap();
        (answer.sequence, answer.outcome())
    }
}

/// Asks a page; status and body.
pub(crate) async fn page(simulator: &Simulator, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
    let mut stream = TcpStream::connect(simulator.http()).await.unwrap();
    let length = body.len();
    let asked =
        format!("{method} {path} HTTP/1.1\r\nhost: top\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}
