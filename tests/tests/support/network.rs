//! Networks between a client and a server, on loopback: paths that lose, delay, repeat and reorder, and addresses that swallow or refuse.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream, UdpSocket},
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};

/// A free port of loopback.
pub const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Ends a task when it is dropped.
#[derive(Debug)]
struct Ending(AbortHandle);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A datagram on its way.
#[derive(Debug)]
pub struct Parcel {
    /// What the first datagram of the client asked, behind its envelope and so without its random id.
    pub flow: u64,
    pub to_server: bool,
    /// Its sequence number as a part of a message.
    pub part: u32,
    /// How many datagrams of this flow, direction and part there were before.
    pub number: u32,
    /// How long ago the server sent its first datagram of this flow.
    pub since_answer: Option<Duration>,
}

/// What becomes of a parcel: after which time each of its copies arrives. None: it is lost.
pub type Fate = dyn Fn(&Parcel) -> Vec<Duration> + Send + Sync;

/// A network as it is on bad days. Nothing here is chance: the same questions have the same luck in each run.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub seed: u64,
    /// Share of datagrams lost in each direction, in percent.
    pub loss: u64,
    /// Share of the rest that arrive twice, in percent.
    pub twice: u64,
    /// Time of each direction.
    pub delay: Duration,
    /// Some datagrams take up to so much longer, and are overtaken.
    pub jitter: Duration,
}

impl Weather {
    pub fn fate(self, parcel: &Parcel) -> Vec<Duration> {
        let luck = |what: &str| {
            let mut hasher = DefaultHasher::new();
            (self.seed, what, parcel.flow, parcel.to_server, parcel.part, parcel.number).hash(&mut hasher);
            hasher.finish() % 100
        };
        if luck("loss") < self.loss {
            return Vec::new();
        }
        let after = |what| self.delay + self.jitter * u32::try_from(luck(what)).unwrap() / 100;
        if luck("twice") < self.twice { vec![after("first"), after("second")] } else { vec![after("first")] }
    }
}

/// A way to a UDP server (or a QUIC one) through a network.
#[derive(Debug)]
pub struct UdpPath {
    /// Where clients send to.
    pub address: SocketAddr,
    _carrier: Ending,
}

impl UdpPath {
    pub async fn weather(server: SocketAddr, weather: Weather) -> Self {
        Self::new(server, move |parcel| weather.fate(parcel)).await
    }

    pub async fn new(server: SocketAddr, fate: impl Fn(&Parcel) -> Vec<Duration> + Send + Sync + 'static) -> Self {
        let front = Arc::new(UdpSocket::bind(LOOPBACK).await.unwrap());
        let address = front.local_addr().unwrap();
        let carrier = tokio::spawn(carry_datagrams(front, server, Arc::new(fate)));
        Self { address, _carrier: Ending(carrier.abort_handle()) }
    }
}

/// Numbers the datagrams of a flow and asks for their fate.
struct Flow {
    name: u64,
    fate: Arc<Fate>,
    seen: HashMap<(bool, u32), u32>,
    first_answer: Option<Instant>,
}

impl Flow {
    fn fate(&mut self, datagram: &[u8], to_server: bool) -> Vec<Duration> {
        let part = datagram.get(12..16).map_or(0, |part| u32::from_be_bytes(part.try_into().unwrap()));
        let seen = self.seen.entry((to_server, part)).or_default();
        let since_answer = self.first_answer.map(|first| first.elapsed());
        let parcel = Parcel { flow: self.name, to_server, part, number: *seen, since_answer };
        *seen += 1;
        if !to_server {
            self.first_answer.get_or_insert_with(Instant::now);
        }
        (self.fate)(&parcel)
    }
}

async fn carry_datagrams(front: Arc<UdpSocket>, server: SocketAddr, fate: Arc<Fate>) {
    let mut flows = HashMap::new();
    let mut carriers = JoinSet::new();
    let mut buffer = vec![0; 65_535];
    loop {
        let (length, client) = front.recv_from(&mut buffer).await.unwrap();
        let datagram = &buffer[..length];
        let (flow, line) = match flows.get(&client) {
            Some(known) => known,
            None => {
                let back = Arc::new(UdpSocket::bind(LOOPBACK).await.unwrap());
                back.connect(server).await.unwrap();
                let mut name = DefaultHasher::new();
                datagram.get(20..).hash(&mut name);
                let flow =
                    Flow { name: name.finish(), fate: Arc::clone(&fate), seen: HashMap::new(), first_answer: None };
                let flow = Arc::new(std::sync::Mutex::new(flow));
                let to_client = Line::new(Arc::clone(&front), client, &mut carriers);
                carriers.spawn(carry_back(Arc::clone(&back), to_client, Arc::clone(&flow)));
                let to_server = Line::new(back, server, &mut carriers);
                flows.entry(client).or_insert((flow, to_server))
            }
        };
        line.send(flow.lock().unwrap().fate(datagram, true), datagram);
    }
}

async fn carry_back(back: Arc<UdpSocket>, line: Line, flow: Arc<std::sync::Mutex<Flow>>) {
    let mut buffer = vec![0; 65_535];
    // A server that is gone is a network that says nothing.
    while let Ok(length) = back.recv(&mut buffer).await {
        line.send(flow.lock().unwrap().fate(&buffer[..length], false), &buffer[..length]);
    }
}

/// One direction of a flow: brings each datagram in its time, those due at the same time in the order they were sent.
struct Line(mpsc::UnboundedSender<(Instant, Vec<u8>)>);

impl Line {
    fn new(socket: Arc<UdpSocket>, to: SocketAddr, carriers: &mut JoinSet<()>) -> Self {
        let (sender, mut parcels) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
        carriers.spawn(async move {
            let mut waiting = BTreeMap::new();
            let mut number = 0_u64;
            loop {
                let next = waiting.first_key_value().map(|((due, _), _)| *due);
                tokio::select! {
                    parcel = parcels.recv() => {
                        let Some((due, datagram)) = parcel else { return };
                        waiting.insert((due, number), datagram);
                        number += 1;
                    }
                    () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                        let (_, datagram) = waiting.pop_first().unwrap();
                        // A network says nothing of what it loses.
                        let _ = socket.send_to(&datagram, to).await;
                    }
                }
            }
        });
        Self(sender)
    }

    fn send(&self, copies: Vec<Duration>, datagram: &[u8]) {
        let now = Instant::now();
        for delay in copies {
            self.0.send((now + delay, datagram.to_vec())).unwrap();
        }
    }
}

/// A way to a TCP server through a network that delivers everything, late.
#[derive(Debug)]
pub struct TcpPath {
    /// Where clients connect to.
    pub address: SocketAddr,
    _carrier: Ending,
}

impl TcpPath {
    /// `delay` is the time of each direction.
    pub async fn new(server: SocketAddr, delay: Duration) -> Self {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let address = listener.local_addr().unwrap();
        let carrier = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (near, _) = listener.accept().await.unwrap();
                connections.spawn(carry_connection(near, server, delay));
            }
        });
        Self { address, _carrier: Ending(carrier.abort_handle()) }
    }
}

async fn carry_connection(near: TcpStream, server: SocketAddr, delay: Duration) {
    let far = TcpStream::connect(server).await.unwrap();
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    // The client believes to be connected already: its first bytes also take the way there and back that connecting takes.
    tokio::join!(carry_bytes(near_in, far_out, delay, delay * 2), carry_bytes(far_in, near_out, delay, Duration::ZERO));
}

async fn carry_bytes(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    delay: Duration,
    connecting: Duration,
) {
    let opened = Instant::now() + connecting;
    let (sender, mut under_way) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        let mut buffer = vec![0; 16_384];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let arrives = Instant::now().max(opened) + delay;
            if sender.send((arrives, buffer[..length].to_vec())).is_err() {
                break;
            }
        }
    };
    let write = async move {
        while let Some((arrives, bytes)) = under_way.recv().await {
            sleep_until(arrives).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // The other side may be gone already.
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}

/// An address where datagrams go in and nothing comes out.
#[derive(Debug)]
pub struct UdpHole(UdpSocket);

impl UdpHole {
    pub async fn new() -> Self {
        Self(UdpSocket::bind(LOOPBACK).await.unwrap())
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

/// An address where connecting never ends: its queue is full and nobody takes anything out.
#[derive(Debug)]
pub struct TcpHole {
    address: SocketAddr,
    _held: (Socket, Vec<TcpStream>),
}

impl TcpHole {
    pub async fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&LOOPBACK.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut held = Vec::new();
        // Full once connecting takes longer than it ever does on loopback.
        while let Ok(connected) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
            held.push(connected.unwrap());
            assert!(held.len() < 16, "the queue does not fill");
        }
        Self { address, _held: (listener, held) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A UDP port that is closed and stays so: whoever sends there is told by ICMP.
#[derive(Debug)]
pub struct ClosedUdp(UdpSocket);

impl ClosedUdp {
    pub async fn new() -> Self {
        // Taken, so that nobody else gets the port, by a socket that hears only itself.
        let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
        socket.connect(socket.local_addr().unwrap()).await.unwrap();
        Self(socket)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

/// A TCP port that is closed and stays so: taken and not listening.
#[derive(Debug)]
pub struct ClosedTcp(TcpSocket);

impl ClosedTcp {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(LOOPBACK).unwrap();
        Self(socket)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}
