//! The simulator behind HTTP: commands in, answers out, and faults between.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use super::asked::Asked;
use super::fault::{Fault, Faults, Kind};
use super::held::{Holdings, Script};
use super::platform::Platform;
use crate::epp::driver::seal::{APPLICATION_HEADER, CODE_HEADER, OwnSeal};

/// Bytes of the largest command that is read: two images of 1 MiB in base64, and room.
const COMMAND_BYTES: usize = 4 << 20;

/// Commands whose kinds are told; later ones are not.
const SEEN: usize = 100_000;

/// Time the head of a request may take.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// TLS settings of the server.
pub type Tls = Arc<rustls::ServerConfig>;

/// How a simulator is set up.
#[derive(Debug)]
pub struct Settings {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The prefix of the node that may come (`shrPrefix`).
    pub own_prefix: String,
    /// Who may ask (`shrUserId`).
    pub user: String,
    /// The application's id and the bytes of its key, in the form of [`OwnSeal`]; `None` believes everybody.
    pub application: Option<(String, Vec<u8>)>,
    /// How audits go.
    pub script: Script,
    /// Encrypted, where there is one.
    pub tls: Option<Tls>,
}

impl Settings {
    /// On a free port of this machine, in plain text, for one node.
    #[must_use]
    pub fn local(own_prefix: &str, user: &str) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            own_prefix: own_prefix.to_owned(),
            user: user.to_owned(),
            application: None,
            script: Script::default(),
            tls: None,
        }
    }
}

/// A simulator that answers. It stops when it is dropped.
#[derive(Debug)]
pub struct EppSimulator {
    address: SocketAddr,
    is_encrypted: bool,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    application: Option<(String, OwnSeal)>,
}

#[derive(Debug)]
struct State {
    platform: Platform,
    faults: Faults,
    seen: Vec<Kind>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EppSimulator {
    /// Listens, on the runtime this is called on.
    ///
    /// # Errors
    /// The address cannot be taken.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let Settings { listen, own_prefix, user, application, script, tls } = settings;
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let state =
            State { platform: Platform::new(&own_prefix, &user, script), faults: Faults::default(), seen: vec![] };
        let application = application.map(|(id, key)| (id.clone(), OwnSeal::new(id, Zeroizing::new(key))));
        let shared = Arc::new(Shared { state: Mutex::new(state), application });
        let is_encrypted = tls.is_some();
        let task = tokio::spawn(accept(listener, Arc::clone(&shared), tls.map(TlsAcceptor::from)));
        Ok(Self { address, is_encrypted, shared, task })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where commands go.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        format!("{scheme}://{}/epp", self.address)
    }

    /// A fault for the next command of a kind, or of any.
    pub fn inject(&self, kind: Option<Kind>, fault: Fault) {
        self.shared.lock().faults.add(kind, fault);
    }

    /// Faults that have not happened yet.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        self.shared.lock().faults.left()
    }

    /// Changes how audits go from now on.
    pub fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.shared.lock().platform.script);
    }

    /// Decides on a prefix that is audited, or on an enterprise by its name here; `false` when none is.
    #[must_use]
    pub fn decide(&self, subject: &str, passed: bool, reason: &str) -> bool {
        self.shared.lock().platform.decide(subject, passed, reason)
    }

    /// What it holds.
    #[must_use]
    pub fn holdings(&self) -> Holdings {
        self.shared.lock().platform.holdings()
    }

    /// The commands that came, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Kind> {
        self.shared.lock().seen.clone()
    }
}

impl Drop for EppSimulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, tls: Option<TlsAcceptor>) {
    // Connections end with the simulator.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        connections.spawn(serve(stream, Arc::clone(&shared), tls.clone()));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>, tls: Option<TlsAcceptor>) {
    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    // How a connection ends is the client's to notice.
    match tls {
        None => drop(builder.serve_connection(TokioIo::new(stream), service).await),
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                drop(builder.serve_connection(TokioIo::new(stream), service).await);
            }
        }
    }
}

/// The connection shall end here.
#[derive(Debug, thiserror::Error)]
#[error("dropped, as it was told to be")]
struct Dropped;

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Answering>, Dropped> {
    if request.method() == Method::GET {
        let told = serde_json::to_vec(&shared.lock().platform.holdings()).unwrap_or_default();
        return Ok(whole(StatusCode::OK, "application/json", told));
    }
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, COMMAND_BYTES).collect().await else {
        return Ok(whole(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", Vec::new()));
    };
    let body = body.to_bytes();
    let asked = Asked::read(&body);
    let kind = asked.as_ref().map_or(Kind::Other, |asked| asked.kind);
    let id = asked.as_ref().map_or_else(|_| String::new(), |asked| asked.id.clone());
    let fault = {
        let mut state = shared.lock();
        if state.seen.len() < SEEN {
            state.seen.push(kind);
        }
        state.faults.take(kind)
    };
    match fault {
        Some(Fault::DropRequest) => return Err(Dropped),
        Some(Fault::Status(status)) => return Ok(failed(status)),
        Some(Fault::Code(code)) => return Ok(epp(shared.lock().platform.refuse(code, &id))),
        _ => {}
    }
    if !is_believed(&shared, &head.headers, &body) {
        return Ok(epp(shared.lock().platform.refuse(2201, &id)));
    }
    let given = {
        let mut state = shared.lock();
        match fault {
            Some(Fault::DuplicateMessages) => state.platform.duplicate_messages(),
            Some(Fault::ReverseMessages) => state.platform.reverse_messages(),
            _ => {}
        }
        state.platform.answer(asked.as_ref())
    };
    Ok(match fault {
        Some(Fault::DropAnswer) => return Err(Dropped),
        Some(Fault::HalfAnswer) => half(given),
        Some(Fault::Delay(time)) => {
            tokio::time::sleep(time).await;
            epp(given)
        }
        Some(Fault::StatusAfter(status)) => failed(status),
        Some(Fault::Bytes(bytes)) => epp(bytes),
        Some(Fault::Huge(bytes)) => Response::new(Answering { left: bytes, ..Answering::default() }),
        Some(Fault::OtherTransaction) => {
            epp(String::from_utf8_lossy(&given).replace(&format!("<clTRID>{id}<"), "<clTRID>WM-other<").into_bytes())
        }
        _ => epp(given),
    })
}

/// Whether a request shows the proof of the application, in the form of this program.
fn is_believed(shared: &Shared, headers: &hyper::HeaderMap, body: &[u8]) -> bool {
    let Some((id, seal)) = &shared.application else { return true };
    let shows = |name: &str, value: &str| headers.get(name).is_some_and(|shown| shown.as_bytes() == value.as_bytes());
    shows(APPLICATION_HEADER, id) && shows(CODE_HEADER, &seal.code(body))
}

fn epp(bytes: Vec<u8>) -> Response<Answering> {
    whole(StatusCode::OK, "application/epp+xml", bytes)
}

fn failed(status: u16) -> Response<Answering> {
    whole(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), "text/plain", b"failed".to_vec())
}

fn whole(status: StatusCode, kind: &'static str, bytes: Vec<u8>) -> Response<Answering> {
    let mut response = Response::new(Answering { bytes: Some(bytes.into()), ..Answering::default() });
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

/// An answer that says how long it is and ends in the middle.
fn half(mut bytes: Vec<u8>) -> Response<Answering> {
    let length = bytes.len();
    bytes.truncate(length / 2);
    let mut response = epp(bytes);
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response.body_mut().breaks = true;
    response
}

/// The body of an answer: its bytes, or so many zeros; and whether the connection breaks behind it.
#[derive(Debug, Default)]
struct Answering {
    bytes: Option<Bytes>,
    left: u64,
    breaks: bool,
}

impl Body for Answering {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        const PIECE: u64 = 16 << 10;
        if let Some(bytes) = self.bytes.take().filter(|bytes| !bytes.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if self.left > 0 {
            let piece = self.left.min(PIECE);
            self.left -= piece;
            let zeros = vec![0; usize::try_from(piece).unwrap_or_default()];
            return Poll::Ready(Some(Ok(Frame::data(zeros.into()))));
        }
        Poll::Ready(self.breaks.then_some(Err(Dropped)))
    }
}
