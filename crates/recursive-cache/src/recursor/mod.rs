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

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use waymark_client::upstream::{UpstreamLimits, Upstreams};
use waymark_ident::{Handle, MAX_KEY_BYTES};
use waymark_wire::ResponseCode;

use self::drive::Driven;
pub use self::hop::{Hop, HopResult, LearnedKind};
pub use self::limits::{FLIGHTS, QUERY_TIME, STALE_WAIT};
pub use self::roots::{RootAddress, RootsError, roots_from_addresses, roots_from_site};
use crate::cache::{Cache, Entry, Epoch, Found, Known};
use crate::clock;
use crate::config::PlanLimits;
use crate::knowledge::{Fact, KEY_RULE, Scope, Service, absence_prefix};
use crate::plan::{Asked, Conclusion, Why, doors};

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
    /// Where the roots are: the operator gave them, so that they may be asked wherever they are.
    root_doors: HashSet<SocketAddr>,
    /// What may be resolved at once.
    room: Arc<Semaphore>,
    counts: Counts,
}

/// What makes two questions equal.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct FlightName {
    /// The record.
    key: Box<[u8]>,
    /// Whether it must be certified.
    certified: bool,
    /// Whether a referral ends it.
    no_referral: bool,
    /// What was forgotten since is not answered by a question from before.
    epoch: Epoch,
}

impl std::fmt::Debug for Recursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recursor").field("options", &self.options).field("cache", &self.cache).finish_non_exhaustive()
    }
}

/// The canonical key of a handle.
fn key_of(handle: &[u8]) -> Option<Box<[u8]>> {
    let mut room = [0; MAX_KEY_BYTES];
    Some(Handle::new(handle).ok()?.to_key(KEY_RULE, &mut room).into())
}

impl Recursor {
    /// A driver over this cache. `own` says what this node itself delegated.
    #[must_use]
    pub fn new(mut options: Options, cache: Arc<Cache>, own: Option<Box<dyn Delegations>>) -> Arc<Self> {
        options.flights = FLIGHTS.clamp(options.flights);
        options.query_time = QUERY_TIME.clamp(options.query_time);
        options.stale_wait = STALE_WAIT.clamp(options.stale_wait);
        let upstreams = Arc::new(Upstreams::new(options.upstream));
        let room = Arc::new(Semaphore::new(options.flights));
        let root_doors = doors(&options.roots);
        let (flights, counts) = (Mutex::default(), Counts::default());
        Arc::new(Self { options, cache, upstreams, own, flights, root_doors, room, counts })
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
        let Some(key) = key_of(&asked.handle) else { return Resolved::Refused(ResponseCode::INVALID_HANDLE) };
        if asked.authority || asked.identity.is_some() {
            return self.resolve_alone(asked).await;
        }
        let now = clock::now();
        let stale = match self.cache.find_patiently(&key, asked.certified, now) {
            Found::Fresh(entry) => {
                count(&self.counts.cached);
                return Resolved::Known(entry);
            }
            Found::AbsentPrefix => {
                count(&self.counts.cached);
                return Resolved::AbsentPrefix;
            }
            // That something was not there is no answer past its time: it is better said not to be known, and worth the whole wait.
            Found::Stale(entry) => Some(entry).filter(|entry| matches!(entry.known(), Some(Known::Values(_)))),
            Found::Missing | Found::Busy => None,
        };
        if self.cache.has_failed(absence_prefix(&key), now) {
            count(&self.counts.failed_before);
            return self.give_stale(stale).unwrap_or(Resolved::UpstreamDown(Why::NoAnswer));
        }
        if asked.recursion_count >= self.options.plan.clamped().recursion {
            // Said of this question alone, not of those joined to it.
            return Resolved::TooDeep;
        }
        let Some((mut flight, is_joined)) = self.join(&asked, &key) else {
            count(&self.counts.busy);
            return self.give_stale(stale).unwrap_or(Resolved::Busy);
        };
        let wait = if stale.is_some() { self.options.stale_wait } else { self.longest() };
        // None: it took too long, or its task was lost with the runtime.
        let resolved = match timeout(wait, flight.wait_for(Option::is_some)).await {
            Ok(Ok(landed)) => landed.clone(),
            Ok(Err(_)) | Err(_) => None,
        };
        match resolved {
            Some(Resolved::UpstreamDown(Why::TooLarge)) if is_joined => self.resolve_alone(asked).await,
            Some(Resolved::UpstreamDown(why)) => self.give_stale(stale).unwrap_or(Resolved::UpstreamDown(why)),
            Some(Resolved::Busy) => self.give_stale(stale).unwrap_or(Resolved::Busy),
            // A record that is too large was asked for by the indexes and types of whoever began.
            Some(Resolved::Passed(_)) if is_joined => self.resolve_alone(asked).await,
            Some(resolved) => resolved,
            None => self.give_stale(stale).unwrap_or(Resolved::UpstreamDown(Why::OutOfTime)),
        }
    }

    /// Resolves a question whatever is known of its answer, and tells each step.
    pub async fn trace(self: &Arc<Self>, asked: Asked) -> (Resolved, Vec<Hop>) {
        let mut hops = Vec::new();
        let Some(key) = key_of(&asked.handle) else {
            return (Resolved::Refused(ResponseCode::INVALID_HANDLE), hops);
        };
        let now = clock::now();
        let found = self.cache.find_patiently(&key, asked.certified, now);
        if !asked.authority
            && let Found::Fresh(entry) = found
        {
            hops.push(Hop::known(&entry, now));
            return (Resolved::Known(entry), hops);
        }
        let driven = drive::drive(self, asked, Some(&mut hops)).await;
        (self.settle(driven), hops)
    }

    /// Fetches popular answers ahead of their end, for ever. For a task of its own.
    pub async fn refresh(self: Arc<Self>) {
        loop {
            tokio::time::sleep(limits::REFRESH_PACE).await;
            for _ in 0..limits::REFRESH_AT_ONCE {
                let Some(entry) = self.cache.next_to_refresh() else { break };
                let (handle, certified) = (entry.key().into(), entry.is_certified());
                let asked = Asked { handle, certified, anew: true, ..Asked::default() };
                if self.join(&asked, entry.key()).is_some() {
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
            flights: self.options.flights.saturating_sub(self.room.available_permits()) as u64,
        }
    }

    /// Longest time anybody waits for a question.
    fn longest(&self) -> Duration {
        self.options.plan.clamped().time.saturating_add(Duration::from_millis(500))
    }

    fn give_stale(&self, stale: Option<Entry>) -> Option<Resolved> {
        let entry = stale?;
        count(&self.counts.stale);
        Some(Resolved::Stale(entry))
    }

    /// A question whose answer nobody else may have. What its servers do says nothing about those that others ask.
    async fn resolve_alone(self: &Arc<Self>, asked: Asked) -> Resolved {
        let Ok(_room) = self.room.try_acquire() else {
            count(&self.counts.busy);
            return Resolved::Busy;
        };
        count(&self.counts.resolved);
        let driven = drive::drive(self, asked, None).await;
        self.settle(driven)
    }

    /// The flight for a name, started if there is none, and whether it was there; `None` when there are too many.
    fn join(self: &Arc<Self>, asked: &Asked, key: &[u8]) -> Option<(watch::Receiver<Option<Resolved>>, bool)> {
        let flight_name = FlightName {
            key: key.into(),
            certified: asked.certified,
            no_referral: asked.no_referral,
            epoch: self.cache.epoch(),
        };
        let mut flights = self.lock_flights();
        if let Some(flight) = flights.get(&flight_name) {
            count(&self.counts.joined);
            return Some((flight.clone(), true));
        }
        let room = Arc::clone(&self.room).try_acquire_owned().ok()?;
        let (sender, receiver) = watch::channel(None);
        flights.insert(flight_name.clone(), receiver.clone());
        drop(flights);
        count(&self.counts.resolved);
        let landing = Landing { recursor: Arc::clone(self), flight_name, _room: room };
        let asked = asked.clone();
        tokio::spawn(async move {
            // Servers that certify are few: that they fail says nothing about the others.
            let is_ordinary = !asked.certified;
            let driven = drive::drive(&landing.recursor, asked, None).await;
            let resolved = landing.recursor.settle(driven);
            if is_ordinary && matches!(resolved, Resolved::UpstreamDown(Why::NoAnswer | Why::OutOfTime | Why::Unable)) {
                landing.recursor.cache.fail(absence_prefix(&landing.flight_name.key), clock::now());
            }
            // First the flight goes, so that whoever comes now finds the cache or begins anew.
            drop(landing);
            sender.send_replace(Some(resolved));
        });
        Some((receiver, false))
    }

    fn lock_flights(&self) -> MutexGuard<'_, HashMap<FlightName, watch::Receiver<Option<Resolved>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the end of a plan means for who asked.
    fn settle(&self, driven: Driven) -> Resolved {
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
                Resolved::UpstreamDown(why)
            }
        }
    }

    /// Whether this door of a server may be knocked at.
    fn may_ask(&self, door: SocketAddr) -> bool {
        self.options.private_servers || is_public(door.ip()) || self.root_doors.contains(&door)
    }

    fn own_service(&self, prefix: &[u8], scope: Scope) -> Option<Arc<Service>> {
        self.own.as_ref()?.service(prefix, scope)
    }
}

/// Takes its flight out, however the task ends.
struct Landing {
    recursor: Arc<Recursor>,
    flight_name: FlightName,
    _room: OwnedSemaphorePermit,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.recursor.lock_flights().remove(&self.flight_name);
    }
}

/// Whether an address is one of the public networks.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => {
            let is_own = ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local();
            !is_own && !ip.is_unspecified() && !ip.is_multicast() && inner_v4(ip).is_none_or(is_public_v4)
        }
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    let is_shared = first == 100 && (64..128).contains(&second);
    let is_own = ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_shared;
    !is_own && !ip.is_broadcast() && !ip.is_multicast() && first != 0
}

/// The IPv4 address that packets to this one are carried to: translated (RFC 6052), by 6to4 (RFC 3056), or in the old compatible form.
fn inner_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    match ip.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
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
            "64:ff9b::10.0.0.1",
            "2002:a00:1::1",
            "::10.0.0.1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in [
            "192.0.2.1",
            "100.128.0.1",
            "172.32.0.1",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
