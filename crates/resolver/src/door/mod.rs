//! The doors: sockets in, sockets out, no decisions about content.
//!
//! | file | holds |
//! |---|---|
//! | `udp` | threads with a socket each, batches of datagrams |
//! | `tcp`, [`quic`] | connections on the runtime; the QUIC mapping is described in [`quic`] |
//! | `conversation`, `messages` | messages back to back on a stream, for both |
//! | `datagrams` | questions in QUIC datagrams |
//! | `workbench`, `slow_pool` | who answers: on the runtime, and what needs disk or signature |
//! | `recursion` | questions about names that live elsewhere |
//! | `refusal` | the few answers a door gives itself |
//! | `admission` | how many connections, how much memory |
//!
//! [`bind`] takes the addresses, [`Bound::start`] begins to answer and gives [`Running`], which knows the actual addresses and stops the doors again: [`Running::drain`]
//! takes no more questions, answers what is under way, and ends within a bound.

mod admission;
mod clock;
mod conversation;
mod counters;
mod datagrams;
mod limits;
mod messages;
pub mod quic;
mod recursion;
mod refusal;
mod slow_pool;
mod tcp;
mod tls;
mod udp;
mod workbench;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use quinn::Endpoint;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout_at};
use waymark_catalog::Catalog;

pub use self::counters::{DoorCounters, DoorEvent, DoorSnapshot};
pub use self::limits::DoorLimits;
pub use self::quic::QuicError;
pub use self::tls::{ALPN, Certificate};

use self::clock::Clock;
use self::conversation::StreamDoor;
use self::recursion::RecursionDesk;
use self::refusal::Own;
use self::slow_pool::SlowPool;
use self::workbench::Workbenches;
use crate::answer::Answerer;
use crate::counters::{CounterSnapshot, ThreadCounters};
use crate::policy::{PolicyConfig, SourcePolicy};
use crate::settings::Settings;
use crate::tap::AnswerTap;

/// Which doors to open, and how.
#[derive(Clone, Debug, Default)]
pub struct DoorsConfig {
    /// UDP addresses. Port 0 is a port the system chooses.
    pub udp: Vec<SocketAddr>,
    /// TCP addresses.
    pub tcp: Vec<SocketAddr>,
    /// QUIC addresses.
    pub quic: Vec<SocketAddr>,
    /// The certificate of the QUIC doors; needed when there are any.
    pub certificate: Option<Certificate>,
    /// Limits of the doors.
    pub limits: DoorLimits,
    /// Limits of the sources.
    pub policy: PolicyConfig,
    /// Where records of answers go, if they are kept.
    pub answer_tap: Option<Arc<AnswerTap>>,
}

/// What all doors share.
#[derive(Debug)]
pub(crate) struct Shared {
    limits: DoorLimits,
    policy: SourcePolicy,
    slow: SlowPool,
    own: Own,
    clock: Clock,
}

/// Why the doors cannot be opened. The operator's fault, or the system's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A UDP address.
    #[error("cannot answer on udp://{address}")]
    Udp {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A TCP address.
    #[error("cannot answer on tcp://{address}")]
    Tcp {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A QUIC address.
    #[error("cannot answer on quic://{address}")]
    Quic {
        /// The address.
        address: SocketAddr,
        /// What is wrong.
        source: QuicError,
    },
    /// QUIC addresses without a certificate.
    #[error("QUIC needs a certificate")]
    NoCertificate,
    /// The threads of the slow pool.
    #[error("cannot start threads")]
    Threads(#[source] io::Error),
}

/// The actual addresses of the doors, in the order they were configured.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Addresses {
    /// Of UDP.
    pub udp: Vec<SocketAddr>,
    /// Of TCP.
    pub tcp: Vec<SocketAddr>,
    /// Of QUIC.
    pub quic: Vec<SocketAddr>,
}

/// What was counted since the start.
#[derive(Clone, Debug)]
pub struct DoorsSnapshot {
    /// Answers, over all threads.
    pub answers: CounterSnapshot,
    /// The UDP doors.
    pub udp: DoorSnapshot,
    /// The TCP doors.
    pub tcp: DoorSnapshot,
    /// The QUIC doors.
    pub quic: DoorSnapshot,
}

/// How a stop went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drained {
    /// Everything under way was finished.
    Finished,
    /// The bound was reached first; what was left was cut off.
    CutOff,
}

/// Open doors. Dropping this stops them without waiting for anything.
#[derive(Debug)]
pub struct Running {
    addresses: Addresses,
    stop: Stop,
    tasks: JoinSet<()>,
    threads: Vec<JoinHandle<()>>,
    slow_threads: Vec<JoinHandle<()>>,
    answers: Vec<Arc<ThreadCounters>>,
    udp: Vec<Arc<DoorCounters>>,
    tcp: Arc<DoorCounters>,
    quic: Arc<DoorCounters>,
}

/// Tells threads and tasks to stop; also when it is dropped.
#[derive(Debug)]
struct Stop {
    threads: Arc<AtomicBool>,
    tasks: watch::Sender<bool>,
}

impl Stop {
    fn now(&self) {
        self.threads.store(true, Ordering::Relaxed);
        self.tasks.send_replace(true);
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.now();
    }
}

/// Says to tasks when the doors stop.
#[derive(Clone, Debug)]
pub(crate) struct Draining(watch::Receiver<bool>);

impl Draining {
    fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when stopping has begun. May be dropped and asked again.
    async fn begun(&mut self) {
        // An error says that nobody is left to tell, which means the same.
        let _ = self.0.wait_for(|draining| *draining).await;
    }
}

/// Makes answerers and remembers their counters.
struct Staff<'c> {
    catalog: &'c Catalog,
    settings: &'c Arc<Settings>,
    tap: Option<Arc<AnswerTap>>,
    counters: Vec<Arc<ThreadCounters>>,
}

impl Staff<'_> {
    fn hire(&mut self, count: usize) -> Vec<Answerer> {
        std::iter::repeat_with(|| {
            let counters = Arc::new(ThreadCounters::new());
            self.counters.push(Arc::clone(&counters));
            Answerer::new(self.catalog, Arc::clone(self.settings), counters).with_tap(self.tap.clone())
        })
        .take(count)
        .collect()
    }
}

/// Opens all doors: [`bind`], then [`Bound::start`].
///
/// # Errors
/// As those two.
pub fn start(config: DoorsConfig, catalog: &Catalog, settings: &Arc<Settings>) -> Result<Running, StartError> {
    bind(config)?.start(catalog, settings)
}

/// Takes all addresses. Call inside a tokio runtime with IO and time. What arrives from now on waits until [`Bound::start`].
///
/// # Errors
/// [`StartError`] names the address; doors opened before it are closed again.
pub fn bind(config: DoorsConfig) -> Result<Bound, StartError> {
    let limits = config.limits.in_range();
    let mut bound = Bound {
        addresses: Addresses::default(),
        udp: Vec::new(),
        tcp: Vec::new(),
        quic: Vec::new(),
        limits,
        policy: config.policy,
        answer_tap: config.answer_tap,
    };
    for address in config.tcp {
        let fail = |source| StartError::Tcp { address, source };
        let listener = tcp::listen(address).map_err(fail)?;
        bound.addresses.tcp.push(listener.local_addr().map_err(fail)?);
        bound.tcp.push(listener);
    }
    for address in config.quic {
        let certificate = config.certificate.as_ref().ok_or(StartError::NoCertificate)?;
        let fail = |source| StartError::Quic { address, source };
        let endpoint = quic::listen(address, certificate, &bound.limits).map_err(fail)?;
        bound.addresses.quic.push(endpoint.local_addr().map_err(|error| fail(error.into()))?);
        bound.quic.push(endpoint);
    }
    for address in config.udp {
        let sockets = udp::bind(address, &bound.limits).map_err(|source| StartError::Udp { address, source })?;
        bound.addresses.udp.push(sockets.address);
        bound.udp.push(sockets);
    }
    Ok(bound)
}

/// Doors whose addresses are taken and which do not answer yet, so that what they will announce can name the actual ports.
#[derive(Debug)]
pub struct Bound {
    addresses: Addresses,
    udp: Vec<udp::UdpSockets>,
    tcp: Vec<TcpListener>,
    quic: Vec<Endpoint>,
    limits: DoorLimits,
    policy: PolicyConfig,
    answer_tap: Option<Arc<AnswerTap>>,
}

impl Bound {
    /// The addresses that will answer, with the ports the system chose.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Begins to answer. TCP and QUIC run on the runtime this is called in; UDP and the slow pool have threads of their own.
    ///
    /// # Errors
    /// [`StartError::Threads`] or [`StartError::Udp`] when the system has no more threads; everything is closed again.
    pub fn start(self, catalog: &Catalog, settings: &Arc<Settings>) -> Result<Running, StartError> {
        let Self { addresses, udp, tcp, quic, limits, policy, answer_tap } = self;
        let clock = Clock::start();
        let mut staff = Staff { catalog, settings, tap: answer_tap, counters: Vec::new() };
        let desk = RecursionDesk::start(settings, |count| staff.hire(count), clock).map_err(StartError::Threads)?;
        let (desk, recursion_threads) = desk.map_or((None, Vec::new()), |(desk, threads)| (Some(desk), threads));
        let slow_staff = staff.hire(limits.slow_threads);
        let (slow, mut slow_threads) =
            SlowPool::start(limits.slow_queue, slow_staff, desk, clock).map_err(StartError::Threads)?;
        slow_threads.extend(recursion_threads);
        let policy = SourcePolicy::new(policy, rand::random());
        let shared = Arc::new(Shared { limits, policy, slow, own: Own::of(settings), clock });
        let limits = &shared.limits;

        // One more than the runtime's threads: one may be replaced while it still holds an answerer.
        let on_runtime = Handle::current().metrics().num_workers().saturating_add(1);
        let benches = Workbenches::new(staff.hire(on_runtime), limits.stream_batch, limits.room_bytes, clock);
        let (tcp_door, quic_door) = (StreamDoor::new(&shared, &benches), StreamDoor::new(&shared, &benches));
        let (tasks_stop, draining) = watch::channel(false);
        let draining = Draining(draining);
        let mut running = Running {
            addresses,
            stop: Stop { threads: Arc::default(), tasks: tasks_stop },
            tasks: JoinSet::new(),
            threads: Vec::new(),
            slow_threads,
            answers: Vec::new(),
            udp: Vec::new(),
            tcp: Arc::clone(&tcp_door.counters),
            quic: Arc::clone(&quic_door.counters),
        };
        for listener in tcp {
            running.tasks.spawn(tcp::serve(listener, Arc::clone(&tcp_door), draining.clone()));
        }
        for endpoint in quic {
            running.tasks.spawn(quic::serve(endpoint, Arc::clone(&quic_door), draining.clone()));
        }
        for sockets in udp {
            let address = sockets.address;
            let answerers = staff.hire(sockets.count());
            let door = udp::open(sockets, answerers, &shared, &running.stop.threads)
                .map_err(|source| StartError::Udp { address, source })?;
            running.udp.extend(door.counters);
            running.threads.extend(door.threads);
        }
        running.answers = staff.counters;
        Ok(running)
    }
}

impl Running {
    /// The addresses that answer, with the ports the system chose.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counters(&self) -> DoorsSnapshot {
        DoorsSnapshot {
            answers: CounterSnapshot::sum(self.answers.iter().map(AsRef::as_ref)),
            udp: DoorSnapshot::sum(self.udp.iter().map(AsRef::as_ref)),
            tcp: self.tcp.snapshot(),
            quic: self.quic.snapshot(),
        }
    }

    /// Stops: takes no more connections and datagrams, answers what has arrived, closes. Ends at the latest after `bound` (see
    /// [`config::DRAIN_TIME`](crate::config::DRAIN_TIME)); what is left then is cut off.
    pub async fn drain(mut self, bound: Duration) -> Drained {
        let deadline = Instant::now() + bound;
        self.stop.now();
        let Self { tasks, threads, slow_threads, .. } = &mut self;
        let udp_ended = join_all(std::mem::take(threads));
        let streams = async { while tasks.join_next().await.is_some() {} };
        let doors = timeout_at(deadline, async { tokio::join!(udp_ended, streams) }).await;
        tasks.shutdown().await;
        // Nobody can ask the slow pool any more: its threads end with the last question in the queue.
        let pool = timeout_at(deadline, join_all(std::mem::take(slow_threads))).await;
        if doors.is_ok() && pool.is_ok() { Drained::Finished } else { Drained::CutOff }
    }
}

/// Waits for threads without holding up the runtime.
async fn join_all(threads: Vec<JoinHandle<()>>) {
    let joined = spawn_blocking(move || {
        for thread in threads {
            // A thread that panicked has ended too.
            let _ = thread.join();
        }
    });
    let _ = joined.await;
}
