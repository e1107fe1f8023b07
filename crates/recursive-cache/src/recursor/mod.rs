//! The driver: what ties plan, cache and the servers of others together.
//!
//! ```text
//! resolve ── cache? ── failed a moment ago? ── somebody asks already? ── plan ⇄ servers ── learned ── answered
//!                                                   └── wait for that ──────────────────────────────────┘
//! ```
//! - **Equal questions are joined**: one of them asks, all get the answer. The one that asks goes on though everybody who waits is gone: the answer
//!   serves the cache.
//! - **Past its time** an answer is given out when the servers fail, or take longer than [`STALE_WAIT`]; asking goes on behind it.
//! - **A prefix whose servers fail** is remembered for seconds: those who ask in that time are answered at once.
//! - Addresses that others tell and that are not of the public networks are asked only when the operator allows it, so that nobody can make this
//!   node talk to what stands behind its firewall.

mod drive;
mod hop;
mod limits;
mod roots;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use waymark_client::upstream::{UpstreamLimits, Upstreams};
use waymark_ident::{Handle, MAX_KEY_BYTES};
use waymark_wire::ResponseCode;

use self::drive::Driven;
pub use self::hop::{Hop, HopResult, LearnedKind};
pub use self::limits::{FLIGHTS, QUERY_TIME, STALE_WAIT};
pub use self::roots::{RootAddress, RootsError, roots_from_addresses, roots_from_site};
use crate::cache::{Cache, Entry, Found, Known};
use crate::clock;
use crate::config::PlanLimits;
use crate::knowledge::{Fact, KEY_RULE, Scope, Service};
use crate::plan::{Asked, Conclusion, Why};

/// What a driver is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whom to ask when nothing better is known.
    pub roots: Arc<Service>,
    /// Limits of each question.
    pub plan: PlanLimits,
    /// Limits of asking servers.
    pub upstream: UpstreamLimits,
    /// [`FLIGHTS`].
    pub flights: usize,
    /// [`QUERY_TIME`].
    pub query_time: Duration,
    /// [`STALE_WAIT`].
    pub stale_wait: Duration,
    /// Whether servers at addresses that are not public are asked, when others tell them. Those of the roots always are.
    pub private_servers: bool,
}

impl Options {
    /// With everything else as usual.
    #[must_use]
    pub fn new(roots: Arc<Service>) -> Self {
        Self {
            roots,
            plan: PlanLimits::default(),
            upstream: UpstreamLimits::default(),
            flights: FLIGHTS.default,
            query_time: QUERY_TIME.default,
            stale_wait: STALE_WAIT.default,
            private_servers: false,
        }
    }
}

/// What this node itself says of prefixes: those it delegated to others.
pub trait Delegations: Send + Sync {
    /// Where the handles under a folded prefix live, or the records of prefixes derived from it, if this node's own record of it says so.
    fn service(&self, prefix: &[u8], scope: Scope) -> Option<Arc<Service>>;
}

/// How a question ended, for whoever writes the answer.
#[derive(Clone, Debug)]
pub enum Resolved {
    /// This is known.
    Known(Entry),
    /// This was known and is past its time; the servers that know better do not answer.
    Stale(Entry),
    /// The authority said so a moment ago.
    Fact(Arc<Fact>),
    /// The prefix does not exist, and so the handle does not.
    AbsentPrefix,
    /// The authority's answer to this client alone: a whole message.
    Passed(Arc<[u8]>),
    /// A definite code.
    Refused(ResponseCode),
    /// The question passed too many servers.
    TooDeep,
    /// Too much is asked of this node, or of the servers of that name.
    Busy,
    /// The servers of that name do not answer as they should.
    UpstreamDown(Why),
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Questions that the fast path left to this driver.
    pub questions: u64,
    /// Of these, answered from the cache after all.
    pub cached: u64,
    /// Joined to one under way.
    pub joined: u64,
    /// Resolved upstream, popular answers fetched ahead of their end included.
    pub resolved: u64,
    /// Fetched ahead of their end.
    pub refreshed: u64,
    /// Answered past their time.
    pub stale: u64,
    /// Told at once that the servers failed a moment ago.
    pub failed_before: u64,
    /// Ended without an answer of the authority.
    pub upstream_down: u64,
    /// Too many at once.
    pub busy: u64,
    /// Being resolved now.
    pub flights: u64,
}

#[derive(Debug, Default)]
struct Counts {
    questions: AtomicU64,
    cached: AtomicU64,
    joined: AtomicU64,
    resolved: AtomicU64,
    refreshed: AtomicU64,
    stale: AtomicU64,
    failed_before: AtomicU64,
    upstream_down: AtomicU64,
    busy: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The driver. Needs a tokio runtime with IO and time wherever it is asked.
pub struct Recursor {
    options: Options,
    cache: Arc<Cache>,
    upstreams: Arc<Upstreams>,
    own: Option<Box<dyn Delegations>>,
    flights: Mutex<HashMap<FlightName, watch::Receiver<Option<Resolved>>>>,
    counts: Counts,
}

/// What makes two questions equal: the record, and whether it must be certified.
type FlightName = (Box<[u8]>, bool);

impl std::fmt::Debug for Recursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recursor").field("options", &self.options).field("cache", &self.cache).finish_non_exhaustive()
    }
}

/// Key and prefix of a handle, folded.
struct Name {
    key: Box<[u8]>,
    prefix: Box<[u8]>,
}

impl Name {
    fn of(handle: &[u8]) -> Option<Self> {
        let handle = Handle::new(handle).ok()?;
        let mut room = [0; MAX_KEY_BYTES];
        let key = handle.to_key(KEY_RULE, &mut room);
        Some(Self { key: key.into(), prefix: folded_prefix(&handle) })
    }
}

/// The prefix whose absence means that of the handle: its own, or for a prefix record the one it is the record of.
fn folded_prefix(handle: &Handle<'_>) -> Box<[u8]> {
    let prefix = handle.prefix_record_target().unwrap_or_else(|| handle.prefix());
    prefix.to_ascii_uppercase().into()
}

impl Recursor {
    /// A driver over this cache. `own` says what this node itself delegated.
    #[must_use]
    pub fn new(mut options: Options, cache: Arc<Cache>, own: Option<Box<dyn Delegations>>) -> Arc<Self> {
        options.flights = FLIGHTS.clamp(options.flights);
        options.query_time = QUERY_TIME.clamp(options.query_time);
        options.stale_wait = STALE_WAIT.clamp(options.stale_wait);
        let upstreams = Arc::new(Upstreams::new(options.upstream));
        Arc::new(Self { options, cache, upstreams, own, flights: Mutex::default(), counts: Counts::default() })
    }

    /// What was learned.
    #[must_use]
    pub fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// The servers asked.
    #[must_use]
    pub fn upstreams(&self) -> &Arc<Upstreams> {
        &self.upstreams
    }

    /// What it was made with, within the ranges.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Resolves a question. Ends within the time of a question; what it started goes on when this is dropped.
    pub async fn resolve(self: &Arc<Self>, asked: Asked) -> Resolved {
        count(&self.counts.questions);
        let Some(name) = Name::of(&asked.handle) else { return Resolved::Refused(ResponseCode::INVALID_HANDLE) };
        if asked.authority || asked.identity.is_some() {
            return self.resolve_alone(asked, &name).await;
        }
        let now = clock::now();
        let stale = match self.cache.find_patiently(&name.key, &name.prefix, asked.certified, now) {
            Found::Fresh(entry) => {
                count(&self.counts.cached);
                return Resolved::Known(entry);
            }
            Found::AbsentPrefix => {
                count(&self.counts.cached);
                return Resolved::AbsentPrefix;
            }
            Found::Stale(entry) => Some(entry),
            Found::Missing | Found::Busy => None,
        };
        if self.cache.has_failed(&name.prefix, now) {
            count(&self.counts.failed_before);
            return self.give_stale(stale).unwrap_or(Resolved::UpstreamDown(Why::NoAnswer));
        }
        let Some(mut flight) = self.join(asked, &name) else {
            count(&self.counts.busy);
            return self.give_stale(stale).unwrap_or(Resolved::Busy);
        };
        let wait = if stale.is_some() { self.options.stale_wait } else { self.longest() };
        let landed = timeout(wait, flight.wait_for(Option::is_some)).await;
        let resolved = match landed {
            Ok(Ok(resolved)) => resolved.clone(),
            // It took too long, or its task was lost with the runtime.
            Ok(Err(_)) | Err(_) => None,
        };
        match resolved {
            Some(Resolved::UpstreamDown(why)) => self.give_stale(stale).unwrap_or(Resolved::UpstreamDown(why)),
            Some(Resolved::Busy) => self.give_stale(stale).unwrap_or(Resolved::Busy),
            Some(resolved) => resolved,
            None => self.give_stale(stale).unwrap_or(Resolved::UpstreamDown(Why::OutOfTime)),
        }
    }

    /// Resolves a question whatever is known of its answer, and tells each step.
    pub async fn trace(self: &Arc<Self>, asked: Asked) -> (Resolved, Vec<Hop>) {
        let mut hops = Vec::new();
        let Some(name) = Name::of(&asked.handle) else {
            return (Resolved::Refused(ResponseCode::INVALID_HANDLE), hops);
        };
        let now = clock::now();
        let found = self.cache.find_patiently(&name.key, &name.prefix, asked.certified, now);
        if !asked.authority
            && let Found::Fresh(entry) = found
        {
            hops.push(Hop::known(&entry, now));
            return (Resolved::Known(entry), hops);
        }
        let driven = drive::drive(self, asked, Some(&mut hops)).await;
        (self.settle(driven, &name), hops)
    }

    /// Fetches popular answers ahead of their end, for ever. For a task of its own.
    pub async fn refresh(self: Arc<Self>) {
        loop {
            tokio::time::sleep(limits::REFRESH_PACE).await;
            for _ in 0..limits::REFRESH_AT_ONCE {
                let Some(entry) = self.cache.next_to_refresh() else { break };
                let Some(name) = Name::of(entry.key()) else { continue };
                let asked = Asked { handle: entry.key().into(), certified: entry.is_certified(), ..Asked::default() };
                if self.join(asked, &name).is_some() {
                    count(&self.counts.refreshed);
                }
            }
        }
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counts { questions, cached, joined, resolved, refreshed, stale, failed_before, upstream_down, busy } =
            &self.counts;
        Counters {
            questions: read(questions),
            cached: read(cached),
            joined: read(joined),
            resolved: read(resolved),
            refreshed: read(refreshed),
            stale: read(stale),
            failed_before: read(failed_before),
            upstream_down: read(upstream_down),
            busy: read(busy),
            flights: self.lock_flights().len() as u64,
        }
    }

    /// Longest time anybody waits for a question.
    fn longest(&self) -> Duration {
        self.options.plan.clamped().time.saturating_add(Duration::from_millis(500))
    }

    fn give_stale(&self, stale: Option<Entry>) -> Option<Resolved> {
        let entry = stale?;
        // What does not exist is better said not to be known.
        matches!(entry.known(), Some(Known::Values(_))).then(|| {
            count(&self.counts.stale);
            Resolved::Stale(entry)
        })
    }

    /// A question whose answer nobody else may have.
    async fn resolve_alone(self: &Arc<Self>, asked: Asked, name: &Name) -> Resolved {
        if self.lock_flights().len() >= self.options.flights {
            count(&self.counts.busy);
            return Resolved::Busy;
        }
        count(&self.counts.resolved);
        let driven = drive::drive(self, asked, None).await;
        self.settle(driven, name)
    }

    /// The flight for a name, started if there is none; `None` when there are too many.
    fn join(self: &Arc<Self>, asked: Asked, name: &Name) -> Option<watch::Receiver<Option<Resolved>>> {
        let flight_name = (name.key.clone(), asked.certified);
        let mut flights = self.lock_flights();
        if let Some(flight) = flights.get(&flight_name) {
            count(&self.counts.joined);
            return Some(flight.clone());
        }
        if flights.len() >= self.options.flights {
            return None;
        }
        let (sender, receiver) = watch::channel(None);
        flights.insert(flight_name.clone(), receiver.clone());
        drop(flights);
        count(&self.counts.resolved);
        let landing = Landing { recursor: Arc::clone(self), flight_name };
        let name = Name { key: name.key.clone(), prefix: name.prefix.clone() };
        tokio::spawn(async move {
            let driven = drive::drive(&landing.recursor, asked, None).await;
            let resolved = landing.recursor.settle(driven, &name);
            // First the flight goes, so that whoever comes now finds the cache or begins anew.
            drop(landing);
            sender.send_replace(Some(resolved));
        });
        Some(receiver)
    }

    fn lock_flights(&self) -> MutexGuard<'_, HashMap<FlightName, watch::Receiver<Option<Resolved>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the end of a plan means for who asked.
    fn settle(&self, driven: Driven, name: &Name) -> Resolved {
        match driven.conclusion {
            Conclusion::Found { fact, .. } => Resolved::Fact(fact),
            Conclusion::AbsentPrefix { .. } => Resolved::AbsentPrefix,
            Conclusion::Passed { message, .. } => Resolved::Passed(message.into()),
            Conclusion::Refused { code } => Resolved::Refused(code),
            Conclusion::TooDeep => Resolved::TooDeep,
            Conclusion::Unreachable { .. } if driven.held_back => {
                count(&self.counts.busy);
                Resolved::Busy
            }
            Conclusion::Unreachable { why, .. } => {
                count(&self.counts.upstream_down);
                if matches!(why, Why::NoAnswer | Why::OutOfTime | Why::Unable) {
                    self.cache.fail(&name.prefix, clock::now());
                }
                Resolved::UpstreamDown(why)
            }
        }
    }

    /// Whether a server at this address may be asked.
    fn may_ask(&self, ip: IpAddr, is_root: bool) -> bool {
        is_root || self.options.private_servers || is_public(ip)
    }

    fn own_service(&self, prefix: &[u8], scope: Scope) -> Option<Arc<Service>> {
        self.own.as_ref()?.service(prefix, scope)
    }
}

/// Takes its flight out, however the task ends.
struct Landing {
    recursor: Arc<Recursor>,
    flight_name: FlightName,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.recursor.lock_flights().remove(&self.flight_name);
    }
}

/// Whether an address is one of the public networks.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            let is_own = ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_shared;
            !is_own && !ip.is_broadcast() && !ip.is_multicast() && first != 0
        }
        IpAddr::V6(ip) => {
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.1.2.3",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["192.0.2.1", "100.128.0.1", "172.32.0.1", "2001:db8::1", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
