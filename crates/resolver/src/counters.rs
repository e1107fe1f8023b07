//! Counters of the answer path: plain numbers per thread, summed when somebody looks.
//!
//! Each thread that answers owns one [`ThreadCounters`]. Adding is a relaxed load and a relaxed store, no locked instruction and no shared
//! cache line, because **only one thread at a time may add** (the one holding the [`Answerer`](crate::Answerer), under its lock where a door shares
//! one); a second writer could lose counts, never corrupt them. Reading is allowed from anywhere at any time. Labels come from closed sets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use waymark_wire::{OpCode, ResponseCode};

use crate::question::{DropReason, SlowReason, Transport};

/// The operation of a request as far as counters tell them apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum OpClass {
    /// Operation 1.
    Resolution,
    /// Operation 2.
    SiteInfo,
    /// Operations that change, list or copy data.
    Administration,
    /// Challenge answers, their verification and login.
    Authentication,
    /// Session setup, end and key exchange.
    Session,
    /// Unknown operations and requests too broken to name one.
    Other,
}

impl OpClass {
    /// Every class, in the order of their counters.
    pub const ALL: [Self; 6] =
        [Self::Resolution, Self::SiteInfo, Self::Administration, Self::Authentication, Self::Session, Self::Other];

    /// The class of an operation code.
    #[must_use]
    pub const fn of(op: OpCode) -> Self {
        match op.0 {
            1 => Self::Resolution,
            2 => Self::SiteInfo,
            100..=106 | 300..=302 | 1000..=1003 => Self::Administration,
            200 | 201 | 2001 => Self::Authentication,
            400..=402 => Self::Session,
            _ => Self::Other,
        }
    }

    /// Its name in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resolution => "resolution",
            Self::SiteInfo => "site_info",
            Self::Administration => "administration",
            Self::Authentication => "authentication",
            Self::Session => "session",
            Self::Other => "other",
        }
    }
}

/// How a request was answered, grouped from the response code; what that hides on purpose is told apart here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Outcome {
    /// 1.
    Success,
    /// 100: the prefix is ours, the handle is not there.
    NotFound,
    /// 100 too: the handle is there, suspended or revoked. Only counters tell; the asker must not.
    Withdrawn,
    /// 100 too: the name has the form of a package's codes, and was never made. A forgery, or a misreading.
    NeverIssued,
    /// 200: the handle is there, no value was selected or visible.
    NoValues,
    /// 402: a challenge was sent.
    Challenge,
    /// 400, 401, 403 to 406: refused for want of a right or a proof.
    Denied,
    /// 301: not our prefix, or not our share of the site.
    NotResponsible,
    /// 302 and 303.
    Referral,
    /// 3.
    Busy,
    /// 4: the request could not be understood.
    ProtocolError,
    /// 5.
    NotSupported,
    /// 102, 201, 202: understood, but its content is not valid.
    Invalid,
    /// 500 to 505.
    SessionError,
    /// 2: the name lives elsewhere, and the servers that know it do not answer as they should.
    UpstreamDown,
    /// 2 and everything else: our fault.
    Failure,
}

impl Outcome {
    /// Every outcome, in the order of their counters.
    pub const ALL: [Self; 16] = [
        Self::Success,
        Self::NotFound,
        Self::Withdrawn,
        Self::NeverIssued,
        Self::NoValues,
        Self::Challenge,
        Self::Denied,
        Self::NotResponsible,
        Self::Referral,
        Self::Busy,
        Self::ProtocolError,
        Self::NotSupported,
        Self::Invalid,
        Self::SessionError,
        Self::UpstreamDown,
        Self::Failure,
    ];

    /// The outcome a response code stands for.
    #[must_use]
    pub const fn of(code: ResponseCode) -> Self {
        match code.0 {
            1 => Self::Success,
            100 => Self::NotFound,
            200 => Self::NoValues,
            402 => Self::Challenge,
            400 | 401 | 403..=406 => Self::Denied,
            301 => Self::NotResponsible,
            302 | 303 => Self::Referral,
            3 => Self::Busy,
            4 => Self::ProtocolError,
            5 => Self::NotSupported,
            101 | 102 | 201 | 202 => Self::Invalid,
            500..=505 => Self::SessionError,
            _ => Self::Failure,
        }
    }

    /// Its name in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::NotFound => "not_found",
            Self::Withdrawn => "withdrawn",
            Self::NeverIssued => "never_issued",
            Self::NoValues => "no_values",
            Self::Challenge => "challenge",
            Self::Denied => "denied",
            Self::NotResponsible => "not_responsible",
            Self::Referral => "referral",
            Self::Busy => "busy",
            Self::ProtocolError => "protocol_error",
            Self::NotSupported => "not_supported",
            Self::Invalid => "invalid",
            Self::SessionError => "session_error",
            Self::UpstreamDown => "upstream_down",
            Self::Failure => "failure",
        }
    }
}

/// Upper bounds of the latency buckets in nanoseconds; a last bucket without bound follows.
pub const LATENCY_BOUNDS_NANOS: [u64; 19] = [
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
];

const TRANSPORTS: usize = Transport::ALL.len();
const CLASSES: usize = OpClass::ALL.len();
const OUTCOMES: usize = Outcome::ALL.len();
const DROPS: usize = DropReason::ALL.len();
const SLOW: usize = SlowReason::ALL.len();
const BUCKETS: usize = LATENCY_BOUNDS_NANOS.len() + 1;

/// The counters of one answering thread.
#[derive(Debug)]
pub struct ThreadCounters {
    answered: [[[AtomicU64; OUTCOMES]; CLASSES]; TRANSPORTS],
    dropped: [[AtomicU64; DROPS]; TRANSPORTS],
    continued: [[AtomicU64; SLOW]; TRANSPORTS],
    needed_room: [AtomicU64; TRANSPORTS],
    latency: [[AtomicU64; BUCKETS]; TRANSPORTS],
    latency_nanos: [AtomicU64; TRANSPORTS],
}

impl ThreadCounters {
    /// All zero.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            answered: [const { [const { [const { AtomicU64::new(0) }; OUTCOMES] }; CLASSES] }; TRANSPORTS],
            dropped: [const { [const { AtomicU64::new(0) }; DROPS] }; TRANSPORTS],
            continued: [const { [const { AtomicU64::new(0) }; SLOW] }; TRANSPORTS],
            needed_room: [const { AtomicU64::new(0) }; TRANSPORTS],
            latency: [const { [const { AtomicU64::new(0) }; BUCKETS] }; TRANSPORTS],
            latency_nanos: [const { AtomicU64::new(0) }; TRANSPORTS],
        }
    }

    /// Counts one answered request.
    pub fn answered(&self, transport: Transport, class: OpClass, outcome: Outcome) {
        add(cell(cell(cell(&self.answered, transport as usize), class as usize), outcome as usize), 1);
    }

    /// Counts one request that gets no answer.
    pub fn dropped(&self, transport: Transport, reason: DropReason) {
        add(cell(cell(&self.dropped, transport as usize), reason as usize), 1);
    }

    /// Counts one request that left the fast path; its answer is counted where it is made.
    pub fn continued(&self, transport: Transport, reason: SlowReason) {
        add(cell(cell(&self.continued, transport as usize), reason as usize), 1);
    }

    /// Counts one answer that did not fit the room it was given; it is asked again with more.
    pub fn needed_room(&self, transport: Transport) {
        add(cell(&self.needed_room, transport as usize), 1);
    }

    /// Records how long `count` answers took each, from having the request to having handed over the answer.
    pub fn took(&self, transport: Transport, latency: Duration, count: u64) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BOUNDS_NANOS.partition_point(|bound| *bound < nanos);
        add(cell(cell(&self.latency, transport as usize), bucket), count);
        add(cell(&self.latency_nanos, transport as usize), nanos.saturating_mul(count));
    }

    /// The numbers as they are now. Each number is exact, the set is not one instant.
    #[must_use]
    pub fn snapshot(&self) -> CounterSnapshot {
        let read = |from: &AtomicU64| from.load(Ordering::Relaxed);
        CounterSnapshot {
            answered: self.answered.each_ref().map(|classes| classes.each_ref().map(|row| row.each_ref().map(read))),
            dropped: self.dropped.each_ref().map(|row| row.each_ref().map(read)),
            continued: self.continued.each_ref().map(|row| row.each_ref().map(read)),
            needed_room: self.needed_room.each_ref().map(read),
            latency: self.latency.each_ref().map(|row| row.each_ref().map(read)),
            latency_nanos: self.latency_nanos.each_ref().map(read),
        }
    }
}

impl Default for ThreadCounters {
    fn default() -> Self {
        Self::new()
    }
}

/// The numbers of one thread, or the sum of several.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CounterSnapshot {
    answered: [[[u64; OUTCOMES]; CLASSES]; TRANSPORTS],
    dropped: [[u64; DROPS]; TRANSPORTS],
    continued: [[u64; SLOW]; TRANSPORTS],
    needed_room: [u64; TRANSPORTS],
    latency: [[u64; BUCKETS]; TRANSPORTS],
    latency_nanos: [u64; TRANSPORTS],
}

impl CounterSnapshot {
    /// The sum over threads. No thread gives all zeros.
    #[must_use]
    pub fn sum<'a>(threads: impl IntoIterator<Item = &'a ThreadCounters>) -> Self {
        let mut total = ThreadCounters::new().snapshot();
        for thread in threads {
            total.add(&thread.snapshot());
        }
        total
    }

    /// Adds the numbers of another snapshot.
    pub fn add(&mut self, other: &Self) {
        fn rows<const N: usize>(into: &mut [u64; N], from: &[u64; N]) {
            for (to, value) in into.iter_mut().zip(from) {
                *to = to.wrapping_add(*value);
            }
        }
        for (into, from) in self.answered.as_flattened_mut().iter_mut().zip(other.answered.as_flattened()) {
            rows(into, from);
        }
        for transport in 0..TRANSPORTS {
            rows(cell_mut(&mut self.dropped, transport), cell(&other.dropped, transport));
            rows(cell_mut(&mut self.continued, transport), cell(&other.continued, transport));
            rows(cell_mut(&mut self.latency, transport), cell(&other.latency, transport));
        }
        rows(&mut self.needed_room, &other.needed_room);
        rows(&mut self.latency_nanos, &other.latency_nanos);
    }

    /// Answers of one kind.
    #[must_use]
    pub fn answered(&self, transport: Transport, class: OpClass, outcome: Outcome) -> u64 {
        *cell(cell(cell(&self.answered, transport as usize), class as usize), outcome as usize)
    }

    /// Requests that got no answer for one reason.
    #[must_use]
    pub fn dropped(&self, transport: Transport, reason: DropReason) -> u64 {
        *cell(cell(&self.dropped, transport as usize), reason as usize)
    }

    /// Requests that left the fast path for one reason.
    #[must_use]
    pub fn continued(&self, transport: Transport, reason: SlowReason) -> u64 {
        *cell(cell(&self.continued, transport as usize), reason as usize)
    }

    /// Answers that did not fit the first room they were given.
    #[must_use]
    pub fn needed_room(&self, transport: Transport) -> u64 {
        *cell(&self.needed_room, transport as usize)
    }

    /// Answers per latency bucket: those of [`LATENCY_BOUNDS_NANOS`] in order, then the rest. Not cumulative.
    #[must_use]
    pub fn latency(&self, transport: Transport) -> &[u64] {
        cell(&self.latency, transport as usize).as_slice()
    }

    /// The sum of all latencies in nanoseconds.
    #[must_use]
    pub fn latency_nanos(&self, transport: Transport) -> u64 {
        *cell(&self.latency_nanos, transport as usize)
    }

    /// All answers over one transport.
    #[must_use]
    pub fn answered_in_all(&self, transport: Transport) -> u64 {
        cell(&self.answered, transport as usize).as_flattened().iter().sum()
    }
}

fn add(to: &AtomicU64, count: u64) {
    to.store(to.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

#[expect(
    clippy::indexing_slicing,
    reason = "every index is a variant of the enum the array is sized by, or a bucket below its length"
)]
fn cell<T, const N: usize>(cells: &[T; N], at: usize) -> &T {
    &cells[at]
}

#[expect(clippy::indexing_slicing, reason = "as `cell`")]
fn cell_mut<T, const N: usize>(cells: &mut [T; N], at: usize) -> &mut T {
    &mut cells[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_has_its_own_place_in_order() {
        for (at, transport) in Transport::ALL.into_iter().enumerate() {
            assert_eq!(transport as usize, at);
        }
        for (at, class) in OpClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, at);
        }
        for (at, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, at);
        }
        for (at, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at);
        }
        for (at, reason) in SlowReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at);
        }
    }

    #[test]
    fn the_sum_over_threads_holds_what_each_counted() {
        let (one, two) = (ThreadCounters::new(), ThreadCounters::new());
        one.answered(Transport::Udp, OpClass::Resolution, Outcome::Success);
        two.answered(Transport::Udp, OpClass::Resolution, Outcome::Success);
        two.answered(Transport::Tcp, OpClass::SiteInfo, Outcome::Success);
        two.dropped(Transport::Udp, DropReason::Response);
        two.continued(Transport::Quic, SlowReason::Sign);
        two.needed_room(Transport::Quic);
        let sum = CounterSnapshot::sum([&one, &two]);
        assert_eq!(sum.answered(Transport::Udp, OpClass::Resolution, Outcome::Success), 2);
        assert_eq!(sum.answered_in_all(Transport::Udp), 2);
        assert_eq!(sum.answered_in_all(Transport::Tcp), 1);
        assert_eq!(sum.dropped(Transport::Udp, DropReason::Response), 1);
        assert_eq!(sum.continued(Transport::Quic, SlowReason::Sign), 1);
        assert_eq!(sum.needed_room(Transport::Quic), 1);
    }

    #[test]
    fn a_latency_falls_into_the_first_bucket_that_holds_it() {
        let counters = ThreadCounters::new();
        counters.took(Transport::Udp, Duration::from_nanos(1_000), 1);
        counters.took(Transport::Udp, Duration::from_nanos(1_001), 2);
        counters.took(Transport::Udp, Duration::from_secs(5), 1);
        let seen = counters.snapshot();
        let buckets = seen.latency(Transport::Udp);
        assert_eq!((buckets[0], buckets[1], buckets[BUCKETS - 1]), (1, 2, 1));
        assert_eq!(seen.latency_nanos(Transport::Udp), 1_000 + 2 * 1_001 + 5_000_000_000);
    }
}
