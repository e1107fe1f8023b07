//! Asking one of several servers that know the same: the best first, others beside it when it is slow, none that is known to be dead.
//!
//! - Each server has a standing (smoothed time of its answers, failures in a row). The quickest is asked; after the silence that 95 of
//!   100 of its answers would have broken, the next is asked beside it; the first answer wins. Peers of both address families stand
//!   in one list, so that a family that does not work costs one such silence.
//! - Over UDP from a socket and port of its own for each question, sent again at the pace the server has shown; TCP beside it after a
//!   second, or at once when the server says over UDP that it is too busy; QUIC first where a peer is known to speak it. TCP and QUIC
//!   connections are kept for the next question.
//! - A datagram counts as the answer for its source address, our port, its request id (random, 32 bits), its operation, and what the caller
//!   says of its content: for instance the handle. All else is counted and passed over.
//! - To each server only so many questions are under way, and only so many go out a second.

mod limits;
mod pool;
mod rate;
mod standing;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use waymark_wire::DecodeError;

pub use self::limits::{CONCURRENCY, PER_SECOND, UpstreamLimits};
use self::limits::{HEDGE, SERVERS, TCP_BESIDE_UDP};
use self::pool::{QuicPool, TcpPool};
use self::rate::Rate;
use self::standing::{Health, Standing};
use crate::config::UDP_WAITS;
use crate::error::Failure;
use crate::exchange::{self, Answer, Expected, Transport};
use crate::udp::{self, Manner};

/// A server and the ways to it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Peer {
    /// Its address.
    pub ip: IpAddr,
    /// Port that takes datagrams.
    pub udp: Option<u16>,
    /// Port that takes streams.
    pub tcp: Option<u16>,
    /// Port that takes QUIC, and the SHA-256 of the certificate that is believed there.
    pub quic: Option<(u16, [u8; 32])>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Which of the peers gave it.
    pub peer: usize,
    /// The message.
    pub message: Vec<u8>,
    /// What carried it.
    pub transport: Transport,
    /// From asking that peer to its answer.
    pub elapsed: Duration,
    /// Peers asked for it.
    pub asked: u32,
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unanswered {
    /// The request is no message (the caller's fault).
    #[error("the request is no message")]
    Request(#[source] DecodeError),
    /// As many questions as may be are under way to every peer.
    #[error("as many questions as may be are under way to every server")]
    Busy,
    /// Nothing came in time.
    #[error("nothing came in time")]
    Silence,
    /// Every peer failed before that.
    #[error("every server failed")]
    Failed,
}

/// What the caller says of a datagram that has everything else of the answer.
pub type Accepts = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpstreamCounters {
    /// Questions that one of several servers was to answer.
    pub questions: u64,
    /// Servers asked.
    pub attempts: u64,
    /// Servers asked beside one that was slow.
    pub hedged: u64,
    /// Answers over UDP, TCP and QUIC.
    pub answers: [u64; 3],
    /// Silences and errors of servers.
    pub failures: u64,
    /// Questions that were not sent, as too many were under way or too many had been sent.
    pub held_back: u64,
    /// Datagrams that came in and were not the answer: late, unsolicited or forged.
    pub strangers: u64,
    /// Servers known.
    pub servers: u64,
    /// Servers held for dead.
    pub dead: u64,
}

#[derive(Debug, Default)]
struct Counts {
    questions: AtomicU64,
    attempts: AtomicU64,
    hedged: AtomicU64,
    answers: [AtomicU64; 3],
    failures: AtomicU64,
    held_back: AtomicU64,
    strangers: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The servers known, and connections to them. Shared by all who ask.
#[derive(Debug)]
pub struct Upstreams {
    limits: UpstreamLimits,
    began: Instant,
    known: Mutex<HashMap<Peer, Arc<Known>>>,
    tcp: TcpPool,
    quic: QuicPool,
    counts: Counts,
}

/// One server.
#[derive(Debug)]
struct Known {
    state: Mutex<(Standing, Rate, Duration)>,
    room: Arc<Semaphore>,
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, (Standing, Rate, Duration)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn standing<T>(&self, with: impl FnOnce(&mut Standing) -> T) -> T {
        with(&mut self.lock().0)
    }
}

impl Upstreams {
    /// Nobody is known yet.
    #[must_use]
    pub fn new(limits: UpstreamLimits) -> Self {
        Self {
            limits: limits.in_range(),
            began: Instant::now(),
            known: Mutex::default(),
            tcp: TcpPool::default(),
            quic: QuicPool::default(),
            counts: Counts::default(),
        }
    }

    /// Asks the peers for one answer. `request` is a whole message; it is sent under a request id of its own. Dropping the future ends everything
    /// it started.
    ///
    /// # Errors
    /// Nobody answered, and why.
    pub async fn ask(
        self: &Arc<Self>,
        peers: &[Peer],
        request: &[u8],
        accepts: &Accepts,
        deadline: Duration,
    ) -> Result<Reply, Unanswered> {
        count(&self.counts.questions);
        let ends = Instant::now() + deadline;
        let (request, expected) =
            exchange::number(request, exchange::random_request_id()).map_err(Unanswered::Request)?;
        let mut race = Race {
            upstreams: self,
            question: Arc::new(Question { request, expected, accepts: Arc::clone(accepts) }),
            waiting: self.in_order(peers),
            running: JoinSet::new(),
            asked: Vec::new(),
            held_back: false,
        };
        let reply = tokio::select! {
            biased;
            reply = race.run() => reply,
            () = sleep_until(ends) => Err(Unanswered::Silence),
        };
        race.settle(reply.is_ok());
        reply
    }

    /// What was counted, and what is known.
    #[must_use]
    pub fn counters(&self) -> UpstreamCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let now = self.now();
        let (servers, dead) = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let dead = known.values().filter(|server| server.standing(|standing| standing.health(now)) != Health::Well);
            (known.len() as u64, dead.count() as u64)
        };
        let Counts { questions, attempts, hedged, answers, failures, held_back, strangers } = &self.counts;
        UpstreamCounters {
            questions: read(questions),
            attempts: read(attempts),
            hedged: read(hedged),
            answers: answers.each_ref().map(read),
            failures: read(failures),
            held_back: read(held_back),
            strangers: read(strangers),
            servers,
            dead,
        }
    }

    /// The smoothed time of a peer's answers, where it gave some.
    #[must_use]
    pub fn smoothed(&self, peer: &Peer) -> Option<Duration> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(peer)?.standing(|standing| standing.smoothed())
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Peers with what is known of them, the one to ask first last.
    fn in_order(&self, peers: &[Peer]) -> Vec<Chosen> {
        let now = self.now();
        let mut chosen: Vec<(Health, Duration, Chosen)> = peers
            .iter()
            .enumerate()
            .map(|(number, peer)| {
                let known = self.known(peer);
                let (health, expected) = known.standing(|standing| (standing.health(now), standing.expected()));
                (health, expected, Chosen { number, peer: peer.clone(), known })
            })
            .collect();
        // Who is to be probed comes first: the next one is asked beside it soon, and as one of the last it would never be asked again.
        let rank = |health: &Health| match health {
            Health::Doubtful => 0,
            Health::Well => 1,
            Health::Dead => 2,
        };
        chosen.sort_by_key(|(health, expected, chosen)| std::cmp::Reverse((rank(health), *expected, chosen.number)));
        // The dead are asked when nobody else is there.
        if chosen.iter().any(|(health, ..)| *health != Health::Dead) {
            chosen.retain(|(health, ..)| *health != Health::Dead);
        }
        chosen.into_iter().map(|(.., chosen)| chosen).collect()
    }

    fn known(&self, peer: &Peer) -> Arc<Known> {
        let now = self.now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = known.get(peer) {
            server.lock().2 = now;
            return Arc::clone(server);
        }
        if known.len() >= SERVERS {
            let oldest = known.iter().min_by_key(|(_, server)| server.lock().2).map(|(peer, _)| peer.clone());
            oldest.and_then(|peer| known.remove(&peer));
        }
        let state = (Standing::default(), Rate::new(self.limits.per_second, now), now);
        let server = Known { state: Mutex::new(state), room: Arc::new(Semaphore::new(self.limits.concurrency)) };
        Arc::clone(known.entry(peer.clone()).or_insert_with(|| Arc::new(server)))
    }

    /// Room for one more question to a server, if there is.
    fn admit(&self, known: &Known) -> Option<OwnedSemaphorePermit> {
        let now = self.now();
        let room = Arc::clone(&known.room).try_acquire_owned().ok();
        let admitted = room.filter(|_| known.lock().1.take(now));
        if admitted.is_none() {
            count(&self.counts.held_back);
        }
        admitted
    }
}

/// A peer that may be asked.
#[derive(Debug)]
struct Chosen {
    number: usize,
    peer: Peer,
    known: Arc<Known>,
}

/// What all peers are asked.
struct Question {
    request: Vec<u8>,
    expected: Expected,
    accepts: Accepts,
}

/// The peers under way. Dropping it ends them.
struct Race<'u> {
    upstreams: &'u Arc<Upstreams>,
    question: Arc<Question>,
    /// Not asked yet; the next one is last.
    waiting: Vec<Chosen>,
    running: JoinSet<(usize, Result<Answer, Failure>)>,
    /// Asked and not heard of: number, server, since when.
    asked: Vec<(usize, Arc<Known>, Instant)>,
    held_back: bool,
}

impl Race<'_> {
    async fn run(&mut self) -> Result<Reply, Unanswered> {
        let mut asked = 0;
        let mut next_start = Instant::now();
        loop {
            if (self.running.is_empty() || Instant::now() >= next_start)
                && let Some(chosen) = self.waiting.pop()
            {
                let Some(room) = self.upstreams.admit(&chosen.known) else {
                    self.held_back = true;
                    continue;
                };
                if !self.running.is_empty() {
                    count(&self.upstreams.counts.hedged);
                }
                asked += 1;
                next_start = Instant::now() + self.start(chosen, room);
            }
            tokio::select! {
                ended = self.running.join_next() => match ended {
                    None if self.held_back && asked == 0 => return Err(Unanswered::Busy),
                    None => return Err(Unanswered::Failed),
                    Some(Ok((number, Ok(answer)))) => {
                        let Answer { message, transport, .. } = answer;
                        let elapsed = self.answered(number, transport);
                        return Ok(Reply { peer: number, message, transport, elapsed, asked });
                    }
                    Some(Ok((number, Err(_)))) => {
                        self.failed(number);
                        next_start = Instant::now();
                    }
                    // Nobody aborts a task while this runs.
                    Some(Err(panicked)) => std::panic::resume_unwind(panicked.into_panic()),
                },
                () = sleep_until(next_start), if !self.waiting.is_empty() => {}
            }
        }
    }

    /// Asks a peer; gives the silence after which another is asked beside it.
    fn start(&mut self, chosen: Chosen, room: OwnedSemaphorePermit) -> Duration {
        let Chosen { number, peer, known } = chosen;
        let now = self.upstreams.now();
        count(&self.upstreams.counts.attempts);
        let (hedge, first_wait) = known.standing(|standing| {
            standing.asked(now);
            (standing.hedge_after(), standing.first_wait())
        });
        self.asked.push((number, known, Instant::now()));
        let (upstreams, question) = (Arc::clone(self.upstreams), Arc::clone(&self.question));
        self.running.spawn(async move {
            let answer = upstreams.attempt(&peer, &question, first_wait).await;
            drop(room);
            (number, answer)
        });
        hedge
    }

    /// Gives the time since it was asked, by whatever ways before this one.
    fn answered(&mut self, number: usize, transport: Transport) -> Duration {
        let place = match transport {
            Transport::Udp => 0,
            Transport::Tcp => 1,
            Transport::Quic => 2,
        };
        if let Some(answers) = self.upstreams.counts.answers.get(place) {
            count(answers);
        }
        let Some((known, since)) = self.heard_of(number) else { return Duration::ZERO };
        let elapsed = since.elapsed();
        known.standing(|standing| standing.answered(elapsed));
        elapsed
    }

    fn failed(&mut self, number: usize) {
        count(&self.upstreams.counts.failures);
        let now = self.upstreams.now();
        if let Some((known, _)) = self.heard_of(number) {
            known.standing(|standing| standing.failed(now));
        }
    }

    fn heard_of(&mut self, number: usize) -> Option<(Arc<Known>, Instant)> {
        let at = self.asked.iter().position(|(asked, ..)| *asked == number)?;
        let (_, known, since) = self.asked.swap_remove(at);
        Some((known, since))
    }

    /// What the silence of the others says, once there is an answer or the time is over.
    fn settle(&mut self, was_answered: bool) {
        let now = self.upstreams.now();
        for (_, known, since) in self.asked.drain(..) {
            let silent = since.elapsed();
            known.standing(|standing| {
                if was_answered {
                    standing.overtaken(silent);
                } else if silent >= HEDGE.min {
                    count(&self.upstreams.counts.failures);
                    standing.failed(now);
                } else {
                    // Asked in the last moment: its silence says nothing yet.
                    standing.left();
                }
            });
        }
    }
}

impl Drop for Race<'_> {
    fn drop(&mut self) {
        for (_, known, _) in self.asked.drain(..) {
            known.standing(Standing::left);
        }
    }
}

impl Upstreams {
    /// Asks one peer over the ways it has.
    async fn attempt(&self, peer: &Peer, question: &Question, first_wait: Duration) -> Result<Answer, Failure> {
        let at = |port: u16| SocketAddr::new(peer.ip, port);
        let Question { request, expected, accepts } = question;
        let has_other_ways = peer.udp.is_some() || peer.tcp.is_some();
        if let Some((port, pin)) = peer.quic
            && !(has_other_ways && self.quic.is_left_alone(at(port), pin))
        {
            let started = Instant::now();
            let asked = self.quic.ask(at(port), pin, request, *expected);
            // A network may lose QUIC and nothing else.
            let asked = tokio::time::timeout(TCP_BESIDE_UDP, asked).await;
            if let Ok(Ok(message)) = asked {
                return Ok(streamed(message, Transport::Quic, started));
            }
            self.quic.leave_alone(at(port), pin);
        }
        let tcp = async |port: u16| {
            let started = Instant::now();
            let message = self.tcp.ask(at(port), request, *expected).await?;
            Ok(streamed(message, Transport::Tcp, started))
        };
        let Some(udp_port) = peer.udp else {
            return match peer.tcp {
                Some(port) => tcp(port).await,
                None => Err(Failure::Closed),
            };
        };
        let manner = Manner {
            pads: false,
            waits: waits(first_wait),
            accepts: Some(accepts),
            strangers: Some(&self.counts.strangers),
        };
        let udp = udp::ask(at(udp_port), &manner, request, *expected);
        let Some(tcp_port) = peer.tcp else { return udp.await };
        tokio::pin!(udp);
        let first = tokio::select! {
            biased;
            answer = &mut udp => Some(answer),
            () = sleep(TCP_BESIDE_UDP) => None,
        };
        match first {
            Some(Ok(answer)) if !answer.is_sent_elsewhere() => Ok(answer),
            Some(Ok(busy)) => tcp(tcp_port).await.or(Ok(busy)),
            Some(Err(_)) => tcp(tcp_port).await,
            None => {
                let tcp = tcp(tcp_port);
                tokio::pin!(tcp);
                tokio::select! {
                    answer = &mut udp => match answer {
                        Ok(answer) if !answer.is_sent_elsewhere() => Ok(answer),
                        other => tcp.await.or(other),
                    },
                    answer = &mut tcp => if answer.is_ok() { answer } else { udp.await },
                }
            }
        }
    }
}

/// Waits between sendings of a datagram: the reference client's, but for the first where more is known.
fn waits(first: Duration) -> [Duration; 3] {
    let [usual, second, third] = UDP_WAITS;
    if first < usual { [first, usual, second] } else { [usual, second, third] }
}

fn streamed(message: Vec<u8>, transport: Transport, started: Instant) -> Answer {
    Answer { message, transport, packets_sent: 0, packets_received: 0, elapsed: started.elapsed() }
}
