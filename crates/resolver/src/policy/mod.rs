//! What a source may ask for: source lists, query rate, byte budget, exemption. Decides without IO; the driver passes `now`.
//!
//! UDP addresses can be forged, so whoever answers over UDP can be aimed at somebody else. The rules here hold that harm down:
//!
//! - A **source** is a network: the /24 of an IPv4 asker, the /56 of an IPv6 asker ([`Source`]). One address proves nothing when
//!   thousands can be forged, and one shop or one subscriber is about that large.
//! - A source on the **block list** gets nothing, one on the **allow list** is not limited ([`SourceLists`]).
//! - Each source has a **query rate**; beyond it the reply is the small "too busy".
//! - Each source has a **byte budget** ([`budget`]): bytes sent beyond the bytes received are taken from a bucket that refills.
//!   When it runs dry the source is held: an answer goes out only if it is at most 1.5 times as large as its own request, so the
//!   amplification of a held source is at most 1.5 over any span of time, by construction. Everything else gets the small "too
//!   busy", which is never larger than the request.
//! - A source that completed an exchange over TCP or QUIC has shown that its addresses are real, and is **exempt** for a while.
//!
//! Memory is one fixed table ([`table`]), found by a keyed hash, changed by atomics only. When it is full of sources that still
//! owe something, newcomers of one set share its last bucket, so a flood of forged networks can neither grow the table nor wash
//! an indebted source out of it.

pub mod budget;
pub mod lists;
pub mod source;
pub mod table;

use std::time::Duration;

pub use lists::{Network, NetworkError, SourceLists};
pub use source::Source;

use crate::config;
use budget::{ByteBudget, QueryRate};
use table::{Place, Table};

/// Milliseconds on a monotonic clock since a moment the driver chose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Moment(u64);

impl Moment {
    /// This long after the chosen moment.
    #[must_use]
    pub fn after(elapsed: Duration) -> Self {
        Self(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }

    /// Whole milliseconds since the chosen moment.
    #[must_use]
    pub const fn milliseconds(self) -> u64 {
        self.0
    }

    /// `time` later.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// The settings of a [`SourcePolicy`]; values outside their limits are moved into them.
#[derive(Clone, Debug)]
pub struct PolicyConfig {
    /// Sources that are not limited, and sources that get nothing.
    pub lists: SourceLists,
    /// Queries a second of one source; see [`config::SOURCE_QUERIES_PER_SECOND`].
    pub queries_per_second: u32,
    /// Excess bytes a source may receive at once; see [`config::SOURCE_BUDGET_BYTES`].
    pub budget_bytes: u32,
    /// Excess bytes a source regains a second; see [`config::SOURCE_REFILL_BYTES_PER_SECOND`].
    pub refill_bytes_per_second: u32,
    /// The shortest time a source stays held once its budget is spent; see [`config::SOURCE_HOLD`].
    pub hold: Duration,
    /// How long a completed TCP or QUIC exchange exempts its source; see [`config::SOURCE_EXEMPTION`].
    pub exemption: Duration,
    /// Sources kept apart at the same time; see [`config::SOURCES`].
    pub sources: usize,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            lists: SourceLists::default(),
            queries_per_second: config::SOURCE_QUERIES_PER_SECOND.default,
            budget_bytes: config::SOURCE_BUDGET_BYTES.default,
            refill_bytes_per_second: config::SOURCE_REFILL_BYTES_PER_SECOND.default,
            hold: config::SOURCE_HOLD.default,
            exemption: config::SOURCE_EXEMPTION.default,
            sources: config::SOURCES.default,
        }
    }
}

/// What becomes of a datagram before anybody parses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// Answer it; charge the answer to this account.
    Serve(Account),
    /// The source asks too often: reply "too busy".
    Busy,
    /// The source is blocked: say nothing.
    Blocked,
}

/// What an answer may cost whom. Valid for the one datagram it was made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Account {
    /// The source is not limited.
    Free,
    /// The source pays from its budget.
    Charged(Place),
}

/// Whether an answer goes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Send it.
    Send,
    /// The budget of the source is spent: reply "too busy" instead, no larger than the request.
    Busy,
}

/// The limits of all sources. Shared by all threads; every method is lock-free and allocates nothing.
#[derive(Debug)]
pub struct SourcePolicy {
    lists: SourceLists,
    rate: QueryRate,
    budget: ByteBudget,
    exemption: Duration,
    table: Table,
}

impl SourcePolicy {
    /// A policy in which no source owes anything. `secret` keys the hash of the table: random, and never told to anybody.
    #[must_use]
    pub fn new(config: PolicyConfig, secret: [u8; 16]) -> Self {
        Self {
            lists: config.lists,
            rate: QueryRate::new(config.queries_per_second),
            budget: ByteBudget::new(config.budget_bytes, config.refill_bytes_per_second, config.hold),
            exemption: config::SOURCE_EXEMPTION.clamp(config.exemption),
            table: Table::new(config.sources, secret),
        }
    }

    /// Decides on a datagram from `source` and counts it against the query rate.
    #[must_use]
    pub fn admit(&self, now: Moment, peer: std::net::IpAddr) -> Admission {
        if self.lists.blocks(peer) {
            return Admission::Blocked;
        }
        if self.lists.allows(peer) {
            return Admission::Serve(Account::Free);
        }
        let place = self.place(now, Source::of(peer));
        let slot = self.table.slot(place);
        if slot.is_exempt(now) {
            return Admission::Serve(Account::Free);
        }
        if self.rate.take(slot.queries(), now) { Admission::Serve(Account::Charged(place)) } else { Admission::Busy }
    }

    /// Charges an answer of `answer_bytes` to a request of `request_bytes`, both counted over all their datagrams.
    #[must_use]
    pub fn charge(&self, now: Moment, account: Account, request_bytes: usize, answer_bytes: usize) -> Verdict {
        let Account::Charged(place) = account else { return Verdict::Send };
        let bytes = |count| u32::try_from(count).unwrap_or(u32::MAX);
        self.budget.charge(self.table.slot(place).bytes(), now, bytes(request_bytes), bytes(answer_bytes))
    }

    /// Whether connections from this address are refused.
    #[must_use]
    pub fn blocks(&self, peer: std::net::IpAddr) -> bool {
        self.lists.blocks(peer)
    }

    /// Notes that `peer` completed an exchange over a transport that proves its address.
    pub fn exempt(&self, now: Moment, peer: std::net::IpAddr) {
        if self.lists.allows(peer) {
            return;
        }
        let place = self.place(now, Source::of(peer));
        self.table.exempt(place, now.plus(self.exemption));
    }

    fn place(&self, now: Moment, source: Source) -> Place {
        self.table.place(now, source, |slot| {
            self.budget.is_whole(slot.bytes(), now) && self.rate.is_whole(slot.queries(), now)
        })
    }
}

#[cfg(test)]
mod tests;
