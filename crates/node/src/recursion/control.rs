//! What operators and verdicts ask of recursion, answered from the recursor.

use std::{future::Future, pin::Pin, sync::Arc};

use waymark_api::operator::v1;
use waymark_client::{Transport, upstream::UpstreamCounters};
use waymark_ident::{Handle, MAX_KEY_BYTES};
use waymark_recursive_cache::{
    cache::{Cache, Entry, EntryKind, Flush, Known},
    clock,
    knowledge::{Fact, KEY_RULE, Scope},
    plan::Asked,
    recursor::{Counters, Hop, HopResult, LearnedKind, Recursor, Resolved},
};
use waymark_registration::recursion::{Heard, Recursion};

/// The recursor as operators see it.
#[derive(Debug)]
pub(crate) struct Control(pub(crate) Arc<Recursor>);

impl Recursion for Control {
    fn stats(&self) -> v1::RecursionStats {
        let (cache, counters, upstream) = (self.0.cache().stats(), self.0.counters(), self.0.upstreams().counters());
        v1::RecursionStats {
            entries: cache.entries,
            bytes: cache.bytes,
            budget_bytes: cache.budget_bytes,
            flights: counters.flights,
            events: events(counters, upstream).map(|(name, count)| (name.to_owned(), count)).collect(),
            servers: upstream.servers,
            dead_servers: upstream.dead,
        }
    }

    fn flush(&self, what: &v1::flush_cache_request::What) -> u64 {
        use v1::flush_cache_request::What;
        let cache = self.0.cache();
        match what {
            What::Handle(handle) => {
                let mut room = [0; MAX_KEY_BYTES];
                let handle = Handle::new(handle.as_bytes());
                handle.map_or(0, |handle| cache.flush(Flush::Name(handle.to_key(KEY_RULE, &mut room))))
            }
            What::Prefix(prefix) => cache.flush(Flush::Prefix(prefix.to_ascii_uppercase().as_bytes())),
            What::All(_) => cache.flush(Flush::All),
        }
    }

    fn entries(&self) -> Box<dyn Iterator<Item = v1::CacheEntry> + Send> {
        Box::new(self.0.cache().entries().into_iter().map(|entry| shown(&entry)))
    }

    fn hear(&self, handle: &[u8]) -> Pin<Box<dyn Future<Output = Heard> + Send>> {
        let recursor = Arc::clone(&self.0);
        let asked = Asked { handle: handle.into(), public_only: true, ..Asked::default() };
        Box::pin(async move { heard(&recursor.resolve(asked).await) })
    }

    fn trace(&self, request: v1::TraceNameRequest) -> Pin<Box<dyn Future<Output = v1::TraceNameResponse> + Send>> {
        let recursor = Arc::clone(&self.0);
        Box::pin(async move {
            let asked = Asked {
                handle: request.handle.as_bytes().into(),
                authority: request.authority,
                certified: request.certified,
                ..Asked::default()
            };
            let began = clock::now().elapsed;
            let (resolved, hops) = recursor.trace(asked).await;
            let (outcome, detail, values) = told(&resolved);
            v1::TraceNameResponse {
                hops: hops.into_iter().map(shown_hop).collect(),
                outcome: outcome.to_owned(),
                detail,
                values,
                took_us: micros(clock::now().elapsed.saturating_sub(began)),
            }
        })
    }
}

/// Everything counted, by name.
pub(crate) fn events(own: Counters, upstream: UpstreamCounters) -> impl Iterator<Item = (&'static str, u64)> {
    let [udp, tcp, quic] = upstream.answers;
    [
        ("questions", own.questions),
        ("cached", own.cached),
        ("joined", own.joined),
        ("resolved", own.resolved),
        ("refreshed", own.refreshed),
        ("stale", own.stale),
        ("failed_before", own.failed_before),
        ("upstream_down", own.upstream_down),
        ("busy", own.busy),
        ("upstream_questions", upstream.questions),
        ("upstream_attempts", upstream.attempts),
        ("upstream_hedged", upstream.hedged),
        ("upstream_answers_udp", udp),
        ("upstream_answers_tcp", tcp),
        ("upstream_answers_quic", quic),
        ("upstream_failures", upstream.failures),
        ("upstream_held_back", upstream.held_back),
        ("upstream_strangers", upstream.strangers),
    ]
    .into_iter()
}

fn shown(entry: &Entry) -> v1::CacheEntry {
    let now = Cache::seconds(clock::now());
    v1::CacheEntry {
        name: entry.key().to_vec(),
        kind: kind(entry.kind()).into(),
        certified: entry.is_certified(),
        age_seconds: entry.age_seconds(now),
        seconds_left: entry.seconds_left(now),
        bytes: entry.bytes(),
        values: entry.values(),
    }
}

const fn kind(kind: EntryKind) -> v1::CacheKind {
    match kind {
        EntryKind::Values => v1::CacheKind::Values,
        EntryKind::NoValues => v1::CacheKind::NoValues,
        EntryKind::Absent => v1::CacheKind::Absent,
        EntryKind::Service => v1::CacheKind::Service,
        EntryKind::DerivedService => v1::CacheKind::DerivedService,
        EntryKind::AbsentPrefix => v1::CacheKind::AbsentPrefix,
        EntryKind::Failure => v1::CacheKind::Failure,
    }
}

/// What was said of a name. What is past its time is as good as nothing: meanwhile it may have been recalled.
fn heard(resolved: &Resolved) -> Heard {
    let values = |count, wire: &[u8], age_seconds| Heard::Values { count, wire: wire.into(), age_seconds };
    match resolved {
        Resolved::Known(entry) => {
            let age_seconds = entry.age_seconds(Cache::seconds(clock::now()));
            match entry.known() {
                Some(Known::Values(known)) => values(entry.values(), known.wire(), age_seconds),
                Some(Known::NoValues) => values(0, &[], age_seconds),
                Some(Known::Absent) => Heard::Absent { age_seconds },
                None => Heard::Nothing,
            }
        }
        Resolved::Fact(fact) => match &**fact {
            Fact::Values(record) => values(record.count, &record.wire, 0),
            Fact::NoValues => values(0, &[], 0),
            Fact::Absent => Heard::Absent { age_seconds: 0 },
        },
        Resolved::AbsentPrefix => Heard::Absent { age_seconds: 0 },
        Resolved::Stale(_)
        | Resolved::Passed(_)
        | Resolved::Refused(_)
        | Resolved::TooDeep
        | Resolved::Busy
        | Resolved::UpstreamDown(_) => Heard::Nothing,
    }
}

/// Outcome, detail and number of values.
fn told(resolved: &Resolved) -> (&'static str, String, u32) {
    let fact = |fact: &Fact| match fact {
        Fact::Values(record) => ("FOUND", record.count),
        Fact::NoValues => ("NO_VALUES", 0),
        Fact::Absent => ("ABSENT", 0),
    };
    match resolved {
        Resolved::Known(entry) => ("KNOWN", String::new(), entry.values()),
        Resolved::Stale(entry) => ("STALE", String::new(), entry.values()),
        Resolved::Fact(found) => {
            let (outcome, values) = fact(found);
            (outcome, String::new(), values)
        }
        Resolved::AbsentPrefix => ("ABSENT_PREFIX", String::new(), 0),
        Resolved::Passed(_) => ("FOUND", String::new(), 0),
        Resolved::Refused(code) => ("REFUSED", code.0.to_string(), 0),
        Resolved::TooDeep => ("TOO_DEEP", String::new(), 0),
        Resolved::Busy => ("BUSY", String::new(), 0),
        Resolved::UpstreamDown(why) => ("UPSTREAM_DOWN", format!("{why:?}"), 0),
    }
}

fn shown_hop(hop: Hop) -> v1::Hop {
    use v1::hop::{Answered, Known, LearnedStep, Silent, Step};
    let servers = |servers: Vec<std::net::IpAddr>| servers.iter().map(ToString::to_string).collect();
    let step = match hop.result {
        HopResult::Known { age_seconds, seconds_left } => Step::Known(Known { age_seconds, seconds_left }),
        HopResult::KnownService { scope } => Step::KnownService(scope_name(scope).to_owned()),
        HopResult::OwnDelegation { scope } => Step::OwnDelegation(scope_name(scope).to_owned()),
        HopResult::Answered { server, port, transport, took, code, bytes } => Step::Answered(Answered {
            server: format!("{}://{}", scheme(transport), std::net::SocketAddr::new(server, port)),
            code,
            took_us: micros(took),
            bytes: bytes as u64,
        }),
        HopResult::Silent { servers: silent, took } => {
            Step::Silent(Silent { servers: servers(silent), took_us: micros(took) })
        }
        HopResult::NotAllowed { servers: refused } => {
            Step::NotAllowed(Silent { servers: servers(refused), took_us: 0 })
        }
        HopResult::Learned { what, lifetime_seconds } => {
            let (kind, forgotten) = learned(what);
            Step::Learned(LearnedStep { kind: kind.into(), forgotten, lifetime_seconds })
        }
        _ => return v1::Hop { about: hop.about.into(), step: None },
    };
    v1::Hop { about: hop.about.into(), step: Some(step) }
}

const fn learned(what: LearnedKind) -> (v1::CacheKind, bool) {
    match what {
        LearnedKind::Values => (v1::CacheKind::Values, false),
        LearnedKind::NoValues => (v1::CacheKind::NoValues, false),
        LearnedKind::Absent => (v1::CacheKind::Absent, false),
        LearnedKind::Service(Scope::Handles) => (v1::CacheKind::Service, false),
        LearnedKind::Service(Scope::DerivedPrefixes) => (v1::CacheKind::DerivedService, false),
        LearnedKind::AbsentPrefix => (v1::CacheKind::AbsentPrefix, false),
        LearnedKind::Lame(Scope::Handles) => (v1::CacheKind::Service, true),
        LearnedKind::Lame(Scope::DerivedPrefixes) => (v1::CacheKind::DerivedService, true),
    }
}

const fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Handles => "handles",
        Scope::DerivedPrefixes => "derived-prefixes",
    }
}

const fn scheme(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
        Transport::Quic => "quic",
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
