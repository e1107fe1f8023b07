//! How often principals and sources may ask, and how often a source may fail to say who it is.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use waymark_catalog::access::Principal;

use crate::config::Limits;
use crate::door::Source;

/// A limiter for each principal that has called; there are never more than principals.
pub(crate) struct Rates {
    default: u32,
    limiters: Mutex<HashMap<Arc<str>, Limiter>>,
    clock: DefaultClock,
}

struct Limiter {
    rate: u32,
    bucket: Arc<DefaultDirectRateLimiter>,
}

impl Rates {
    pub(crate) fn new(default: u32) -> Self {
        Self { default, limiters: Mutex::default(), clock: DefaultClock::default() }
    }

    /// Takes `count` from the principal's second. `Err` holds its rate and how long until as much is there again.
    ///
    /// More than a second's worth at once is taken as a full second's worth.
    pub(crate) fn take(&self, principal: &Principal, count: u32) -> Result<(), (u32, Duration)> {
        let rate = principal.rate_per_second.unwrap_or(self.default).max(1);
        let Some(count) = NonZeroU32::new(count.min(rate)) else { return Ok(()) };
        let bucket = self.bucket(&principal.name, rate);
        match bucket.check_n(count) {
            Ok(Ok(())) | Err(_) => Ok(()),
            Ok(Err(later)) => Err((rate, later.wait_time_from(self.clock.now()))),
        }
    }

    fn bucket(&self, name: &Arc<str>, rate: u32) -> Arc<DefaultDirectRateLimiter> {
        let mut limiters = self.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        let limiter = limiters.entry(Arc::clone(name)).or_insert_with(|| Limiter::new(rate));
        if limiter.rate != rate {
            *limiter = Limiter::new(rate);
        }
        Arc::clone(&limiter.bucket)
    }
}

impl Limiter {
    fn new(rate: u32) -> Self {
        let quota = Quota::per_second(NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN));
        Self { rate, bucket: Arc::new(RateLimiter::direct(quota)) }
    }
}

/// What each source does, counted against a quota of its own, in bounded memory.
pub(crate) struct PerSource {
    sources: DefaultKeyedRateLimiter<Source>,
    /// For sources beyond the bound, together.
    others: DefaultDirectRateLimiter,
    limit: usize,
    clock: DefaultClock,
}

impl PerSource {
    /// Failed authentications.
    pub(crate) fn of_failures(limits: &Limits) -> Self {
        let quota = Quota::per_minute(positive(limits.failed_authentications_per_minute))
            .allow_burst(positive(limits.failed_authentications));
        Self::new(quota, limits.failure_sources)
    }

    /// Questions for registration data.
    pub(crate) fn of_queries(limits: &Limits) -> Self {
        Self::new(Quota::per_second(positive(limits.query_rate)), limits.query_sources)
    }

    fn new(quota: Quota, limit: usize) -> Self {
        let (sources, others) = (RateLimiter::keyed(quota), RateLimiter::direct(quota));
        Self { sources, others, limit, clock: DefaultClock::default() }
    }

    /// Counts once more. `Some` when that is too often: how long until it is not.
    pub(crate) fn take(&self, source: IpAddr) -> Option<Duration> {
        let now = self.clock.now();
        if self.sources.len() >= self.limit {
            self.sources.retain_recent();
        }
        let counted = if self.sources.len() < self.limit {
            self.sources.check_key(&Source::of(source))
        } else {
            self.others.check()
        };
        counted.err().map(|later| later.wait_time_from(now))
    }
}

fn positive(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use waymark_catalog::access::{Role, Scope};

    use super::*;

    fn principal(rate: Option<u32>) -> Principal {
        Principal {
            name: "p".into(),
            role: Role::Writer,
            scope: Scope::All,
            disabled: false,
            rate_per_second: rate,
            daily_quota: None,
            certificates: Vec::new(),
            note: String::new(),
        }
    }

    #[test]
    fn a_principal_has_its_own_rate_or_the_default() {
        let rates = Rates::new(1_000_000);
        assert!(rates.take(&principal(Some(2)), 2).is_ok());
        let (rate, wait) = rates.take(&principal(Some(2)), 2).unwrap_err();
        assert!(rate == 2 && wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
        assert!(rates.take(&principal(None), 1000).is_ok());
    }

    #[test]
    fn a_batch_larger_than_a_second_is_not_refused_for_ever() {
        let rates = Rates::new(10);
        assert!(rates.take(&principal(None), 1000).is_ok());
        assert!(rates.take(&principal(None), 1000).is_err());
    }

    #[test]
    fn failures_of_many_sources_take_bounded_memory() {
        let limits = Limits { failed_authentications: 1, failure_sources: 16, ..Limits::default() };
        let failures = PerSource::of_failures(&limits);
        let source = |n: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(n));
        assert!(failures.take(source(1)).is_none());
        assert!(failures.take(source(1)).is_some());
        for n in 2..1000 {
            failures.take(source(n));
        }
        assert!(failures.sources.len() <= 16);
    }
}
