//! A top-level node for tests in a process of its own, as a demo and a drill need one above their nodes, and how it is asked.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, sleep};
use waymark_client::{Client, Options, Server, Transport};
use waymark_wire::{
    Head, OpFlags,
    limits::ResponseLimits,
    request::RequestWriter,
    response::{Response, ResponseBody},
    types::{InterfaceProtocol, Site},
};

use crate::{child::Running, demo::registering::failed, problem::Problem};

/// Longest time anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked whether it has come.
const LOOK: Duration = Duration::from_millis(25);

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(2);

/// A top-level node in a process of its own. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct TopNode {
    running: Running,
    /// Where it takes sets.
    pub(crate) grpc: String,
    http: String,
    resolution: Server,
}

impl TopNode {
    /// Starts it and waits until it listens. Its data and its log lie in `folder`, called `top-node`.
    ///
    /// # Errors
    /// It does not start: its log says why.
    pub(crate) async fn start(folder: &Path, more: &[&str]) -> Result<Self, Problem> {
        let log = fs::File::create(folder.join("top-node.log")).map_err(|cause| failed(&cause))?;
        let mut command = Command::new(std::env::current_exe().map_err(|cause| failed(&cause))?);
        command.args(["top-node", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
        command.args(["--resolution", "127.0.0.1:0", "--data"]).arg(folder.join("top-node")).args(more);
        let (running, line) = Running::start(&mut command, log).await.map_err(|cause| failed(&cause))?;
        let mut top = Self { running, grpc: String::new(), http: String::new(), resolution: Server::default() };
        for word in line.split_whitespace() {
            let Some((scheme, address)) = word.split_once("://") else { continue };
            match scheme {
                "grpc" => top.grpc = word.to_owned(),
                "http" => top.http = word.to_owned(),
                "udp" => top.resolution.udp = address.parse().ok(),
                "tcp" => top.resolution.tcp = address.parse().ok(),
                _ => {}
            }
        }
        if top.grpc.is_empty() || top.resolution.udp.is_none() {
            return Err(failed(&"the top-level node did not start"));
        }
        Ok(top)
    }

    /// One of its pages.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) async fn page(&self, path: &str) -> Result<Value, Problem> {
        let url = format!("{}{path}", self.http);
        let read = tokio::task::spawn_blocking(move || {
            ureq::get(url).call().and_then(|mut answer| answer.body_mut().read_to_string())
        });
        json_of(read.await.map_err(|cause| failed(&cause))?)
    }

    /// Tells it something.
    ///
    /// # Errors
    /// It does not answer, or does not take it.
    pub(crate) async fn tell(&self, path: &str, body: &Value) -> Result<Value, Problem> {
        let (url, body) = (format!("{}{path}", self.http), body.to_string());
        let read = tokio::task::spawn_blocking(move || {
            ureq::post(url).send(body).and_then(|mut answer| answer.body_mut().read_to_string())
        });
        json_of(read.await.map_err(|cause| failed(&cause))?)
    }

    /// The node that answers for a prefix, as its own resolution says: the first address of the first site, as clients take it.
    pub(crate) async fn server_of(&self, prefix: &str) -> Option<Server> {
        let head = Head::request(0, OpFlags::USUAL, u32::MAX >> 1);
        let request = RequestWriter::new(Vec::new(), head).resolution(prefix.as_bytes(), &[], &[b"HS_SITE"], None);
        let answer = client().ask(&self.resolution, &request, ANSWER).await.ok()?;
        let response = Response::parse(&answer.message, ResponseLimits::WHOLE_MESSAGE).ok()?;
        let ResponseBody::Resolution { values, .. } = response.body else { return None };
        let site = values.iter().find(|value| value.kind == b"HS_SITE")?;
        let site = Site::parse(site.data).ok()?;
        let server = site.servers.iter().next()?;
        let door = |protocol| {
            let found = server.interfaces.iter().find(|interface| interface.protocol == protocol)?;
            Some(SocketAddr::new(server.address.ip(), u16::try_from(found.port).ok()?))
        };
        let (udp, tcp) = (door(InterfaceProtocol::UDP), door(InterfaceProtocol::TCP));
        Some(Server { udp, tcp, ..Server::default() })
    }

    /// What a scan of an identifier is answered with, from the top-level node down: the texts of its values.
    pub(crate) async fn scan(&self, handle: &str) -> Option<Vec<String>> {
        let prefix = handle.split('/').next().unwrap_or_default();
        texts_of(&self.server_of(prefix).await?, handle).await
    }

    /// Tells it to stop and waits until it has.
    pub(crate) async fn stop(&mut self) {
        self.running.stop().await;
    }
}

fn json_of(read: Result<String, ureq::Error>) -> Result<Value, Problem> {
    let text = read.map_err(|cause| failed(&cause))?;
    serde_json::from_str(&text).map_err(|cause| failed(&cause))
}

fn client() -> Client {
    Client::new(Options { order: vec![Transport::Udp, Transport::Tcp], ..Options::default() })
}

/// The texts of an identifier's values as a node gives them, in the order of their indexes; none where there is no such identifier, `None` where no
/// answer comes.
async fn texts_of(server: &Server, handle: &str) -> Option<Vec<String>> {
    let head = Head::request(0, OpFlags::USUAL, u32::MAX >> 1);
    let request = RequestWriter::new(Vec::new(), head).resolution(handle.as_bytes(), &[], &[], None);
    let answer = client().ask(server, &request, ANSWER).await.ok()?;
    let response = Response::parse(&answer.message, ResponseLimits::WHOLE_MESSAGE).ok()?;
    match response.body {
        ResponseBody::Resolution { values, .. } => {
            Some(values.iter().map(|value| String::from_utf8_lossy(value.data).into_owned()).collect())
        }
        _ => Some(Vec::new()),
    }
}

/// Waits until something is so; false when that takes too long.
pub(crate) async fn until<F: Future<Output = bool>>(mut is_so: impl FnMut() -> F) -> bool {
    let ends = Instant::now() + PATIENCE;
    while Instant::now() < ends {
        if is_so().await {
            return true;
        }
        sleep(LOOK).await;
    }
    false
}
