//! A plan, carried out: its queries sent, their answers handed in, what it learned put into the cache.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use waymark_client::Transport;
use waymark_client::upstream::{Accepts, Peer, Reply, Unanswered};
use waymark_wire::Message;
use waymark_wire::limits::ResponseLimits;
use waymark_wire::request::{RequestBody, ResolutionBody};
use waymark_wire::response::{Response, ResponseBody};

use super::hop::{Hop, HopResult, LearnedKind};
use super::{Recursor, limits};
use crate::cache::Cache;
use crate::clock;
use crate::knowledge::{Fact, Knowledge, Learned, Now, Scope, Service, What};
use crate::plan::{Action, Ask, Asked, Candidate, Conclusion, Event, Plan, Purpose, Why};

/// How a plan ended.
pub(super) struct Driven {
    pub(super) conclusion: Conclusion,
    /// Whether a query was not sent, since too much was asked of its servers.
    pub(super) held_back: bool,
}

/// Carries out the plan of a question. Steps are told in `hops`.
pub(super) async fn drive(recursor: &Arc<Recursor>, asked: Asked, hops: Option<&mut Vec<Hop>>) -> Driven {
    let mut held_back = false;
    let conclusion = carry_out(recursor, asked, &mut Steps(hops), &mut held_back).await;
    Driven { conclusion, held_back }
}

async fn carry_out(recursor: &Arc<Recursor>, asked: Asked, steps: &mut Steps<'_>, held_back: &mut bool) -> Conclusion {
    let now = clock::now();
    let mut plan = Plan::new(asked, Arc::clone(&recursor.options.roots), recursor.options.plan, now);
    let mut actions = Vec::new();
    let mut epoch = recursor.cache.epoch();
    let memory = Memory::new(recursor, steps.wanted());
    plan.start(now, &memory, &mut actions);
    steps.take(&memory);
    loop {
        let mut next = None;
        for action in actions.drain(..) {
            match action {
                Action::Learn(learned) => {
                    recursor.cache.learn_since(&learned, epoch, clock::now());
                    steps.learned(&learned);
                }
                Action::Ask(ask) => next = Some(ask),
                Action::Done(conclusion) => return conclusion,
            }
        }
        // A plan that is not over always asks.
        let Some(ask) = next else { return lost() };
        epoch = recursor.cache.epoch();
        let left = plan.deadline().saturating_sub(clock::now().elapsed);
        let asked = send(recursor, &ask, left.min(recursor.options.query_time), steps, held_back).await;
        let now = clock::now();
        let event = match &asked {
            Ok((candidate, message)) => Event::Answer { query: ask.query, candidate: *candidate, message },
            Err(()) if now.elapsed >= plan.deadline() => Event::Deadline,
            Err(()) => Event::Failed { query: ask.query },
        };
        let memory = Memory::new(recursor, steps.wanted());
        plan.on(event, now, &memory, &mut actions);
        steps.take(&memory);
    }
}

fn lost() -> Conclusion {
    Conclusion::Unreachable { step: Purpose::Question, key: [].into(), why: Why::NoAnswer }
}

/// Sends a query; gives the answer and which candidate gave it.
async fn send(
    recursor: &Arc<Recursor>,
    ask: &Ask,
    time: Duration,
    steps: &mut Steps<'_>,
    held_back: &mut bool,
) -> Result<(usize, Vec<u8>), ()> {
    let allowed =
        (0..).zip(ask.candidates.iter()).filter_map(|(at, candidate)| Some((at, peer_of(recursor, candidate)?)));
    let (allowed, peers): (Vec<usize>, Vec<Peer>) = allowed.unzip();
    let about = handle_of(&ask.request);
    if allowed.is_empty() {
        steps.not_allowed(&about, &ask.candidates);
        return Err(());
    }
    let began = clock::now().elapsed;
    let accepts = accepts(about.clone());
    let reply = recursor.upstreams.ask(&peers, &ask.request, &accepts, time).await;
    match reply {
        Ok(reply) => {
            steps.answered(&about, &peers, &reply);
            let candidate = allowed.get(reply.peer).copied().unwrap_or_default();
            Ok((candidate, reply.message))
        }
        Err(unanswered) => {
            *held_back |= matches!(unanswered, Unanswered::Busy);
            steps.silent(&about, &peers, clock::now().elapsed.saturating_sub(began));
            Err(())
        }
    }
}

/// A server by those of its ways that may be gone; `None` where none may.
fn peer_of(recursor: &Recursor, candidate: &Candidate) -> Option<Peer> {
    let ip = candidate.ip;
    let may_ask = |port: &u16| recursor.may_ask(SocketAddr::new(ip, *port));
    let (udp, tcp) = (candidate.udp.filter(may_ask), candidate.tcp.filter(may_ask));
    let quic = candidate.quic.as_ref().filter(|door| may_ask(&door.port));
    let quic_pin = quic.and_then(|door| Some((door.port, pin_of(door.fingerprint.as_deref()?)?)));
    (udp.is_some() || tcp.is_some() || quic.is_some()).then_some(Peer { ip, udp, tcp, quic: quic_pin })
}

/// The 32 bytes of a fingerprint in hexadecimal.
fn pin_of(text: &str) -> Option<[u8; 32]> {
    let mut pin = [0; 32];
    hex::decode_to_slice(text, &mut pin).ok()?;
    Some(pin)
}

/// The handle a request asks for.
fn handle_of(request: &[u8]) -> Box<[u8]> {
    let message = Message::parse(request).ok();
    let body = message.and_then(|message| RequestBody::parse(&message).ok());
    match body {
        Some(RequestBody::Resolution(ResolutionBody { handle, .. })) => handle.into(),
        _ => [].into(),
    }
}

/// A datagram that has everything else of the answer is one when it is about the handle asked for: a forger would have to guess that too. Other
/// codes name no handle.
fn accepts(handle: Box<[u8]>) -> Accepts {
    Arc::new(move |message| match Response::parse(message, ResponseLimits::WHOLE_MESSAGE) {
        Ok(Response { body: ResponseBody::Resolution { handle: about, .. }, .. }) => about == &*handle,
        answer => answer.is_ok(),
    })
}

/// What is known, and what this node itself delegated; notes what was looked up with success when somebody wants to see.
struct Memory<'m> {
    recursor: &'m Recursor,
    noted: Option<RefCell<Vec<Hop>>>,
}

impl<'m> Memory<'m> {
    fn new(recursor: &'m Recursor, wanted: bool) -> Self {
        Self { recursor, noted: wanted.then(RefCell::default) }
    }

    fn note(&self, about: &[u8], result: impl FnOnce() -> HopResult) {
        if let Some(noted) = &self.noted {
            noted.borrow_mut().push(Hop { about: about.into(), result: result() });
        }
    }
}

impl Knowledge for Memory<'_> {
    fn fact(&self, key: &[u8], certified: bool, now: Now) -> Option<Arc<Fact>> {
        let entry = self.recursor.cache.fresh_entry(key, certified, now)?;
        let seconds = Cache::seconds(now);
        let (age_seconds, seconds_left) = (entry.age_seconds(seconds), entry.seconds_left(seconds));
        self.note(key, || HopResult::Known { age_seconds, seconds_left });
        entry.fact()
    }

    fn service(&self, prefix: &[u8], scope: Scope, certified: bool, now: Now) -> Option<Arc<Service>> {
        // What this node says itself needs no certificate.
        if let Some(own) = self.recursor.own_service(prefix, scope) {
            self.note(prefix, || HopResult::OwnDelegation { scope });
            return Some(own);
        }
        let known = self.recursor.cache.service(prefix, scope, certified, now)?;
        self.note(prefix, || HopResult::KnownService { scope });
        Some(known)
    }

    fn is_absent_prefix(&self, prefix: &[u8], certified: bool, now: Now) -> bool {
        self.recursor.cache.is_absent_prefix(prefix, certified, now)
    }
}

/// Steps, where somebody wants to see them.
struct Steps<'s>(Option<&'s mut Vec<Hop>>);

impl Steps<'_> {
    const fn wanted(&self) -> bool {
        self.0.is_some()
    }

    fn push(&mut self, about: &[u8], result: impl FnOnce() -> HopResult) {
        if let Some(hops) = self.0.as_deref_mut().filter(|hops| hops.len() < limits::HOPS) {
            hops.push(Hop { about: about.into(), result: result() });
        }
    }

    fn take(&mut self, memory: &Memory<'_>) {
        if let (Some(hops), Some(noted)) = (self.0.as_deref_mut(), &memory.noted) {
            let room = limits::HOPS.saturating_sub(hops.len());
            hops.extend(noted.borrow_mut().drain(..).take(room));
        }
    }

    fn answered(&mut self, about: &[u8], peers: &[Peer], reply: &Reply) {
        let Some(peer) = peers.get(reply.peer) else { return };
        let port = match reply.transport {
            Transport::Udp => peer.udp,
            Transport::Tcp => peer.tcp,
            Transport::Quic => peer.quic.map(|(port, _)| port),
        };
        let code = Message::parse(&reply.message).map_or(0, |message| message.header.response_code.0);
        self.push(about, || HopResult::Answered {
            server: peer.ip,
            port: port.unwrap_or_default(),
            transport: reply.transport,
            took: reply.elapsed,
            code,
            bytes: reply.message.len(),
        });
    }

    fn silent(&mut self, about: &[u8], peers: &[Peer], took: Duration) {
        self.push(about, || HopResult::Silent { servers: peers.iter().map(|peer| peer.ip).collect(), took });
    }

    fn not_allowed(&mut self, about: &[u8], candidates: &[Candidate]) {
        let servers = || candidates.iter().map(|candidate| candidate.ip).collect();
        self.push(about, || HopResult::NotAllowed { servers: servers() });
    }

    fn learned(&mut self, learned: &Learned) {
        let (about, what) = match &learned.what {
            What::Fact { key, fact } => {
                let kind = match **fact {
                    Fact::Values(_) => LearnedKind::Values,
                    Fact::NoValues => LearnedKind::NoValues,
                    Fact::Absent => LearnedKind::Absent,
                };
                (key, kind)
            }
            What::Service { prefix, scope, .. } => (prefix, LearnedKind::Service(*scope)),
            What::AbsentPrefix { prefix } => (prefix, LearnedKind::AbsentPrefix),
            What::Lame { prefix, scope } => (prefix, LearnedKind::Lame(*scope)),
        };
        let lifetime_seconds = learned.lifetime_seconds;
        self.push(about, || HopResult::Learned { what, lifetime_seconds });
    }
}
