//! Limits of recursive resolution: default, smallest and largest permitted value, unit and reason of each.

use std::time::Duration;

pub use waymark_wire::frame::config::Limit;

/// Servers a question may have passed before it reached us, as its recursion count says; at the limit it is refused with code 6. The
/// default is that of the reference server: servers that send each other in circles are stopped by the first that counts to it.
pub const RECURSION: Limit<u8> = Limit { default: 10, min: 1, max: 64 };

/// Referrals and service handles followed for one question, and steps back up from servers that turn out not to be responsible. Real
/// delegations have two or three steps; whoever builds longer ones only wants our traffic.
pub const CHAIN: Limit<u16> = Limit { default: 8, min: 1, max: 32 };

/// Times one question may ask a service upstream. An ordinary one takes two or three (prefix record in one or two forms, then the handle); the
/// rest is for servers that answer badly.
pub const QUERIES: Limit<u16> = Limit { default: 24, min: 2, max: 256 };

/// Time one question may take, waits for servers included. Clients repeat and give up after some seconds; an answer that comes later
/// only serves the cache.
pub const TIME: Limit<Duration> =
    Limit { default: Duration::from_secs(6), min: Duration::from_millis(100), max: Duration::from_secs(60) };

/// Handle values taken from one answer: what the reference client takes. Longer records are asked for again with the filters of the
/// question.
pub const RECORD_VALUES: Limit<u32> = Limit { default: 2_048, min: 16, max: 10_000 };

/// Bytes of handle values taken from one answer, in wire form. The default is what a message of the protocol can hold, so that nothing is
/// refused; less saves memory. Longer records are asked for again with the filters of the question.
pub const RECORD_BYTES: Limit<usize> = Limit { default: 262_144, min: 4_096, max: 262_144 };

/// Sites of a service that are used, the first ones: each is a replica of all others, and more only make answers and questions large.
pub const SITES: usize = 16;

/// Service handles of one record or referral that are tried, the first ones; each costs a resolution.
pub const SERVICE_HANDLES: usize = 4;

/// Ancestors of a prefix a delegation is looked up for, nearest first. Real prefixes have two to four parts; the bound keeps a name of a
/// thousand dots from costing a thousand look-ups.
pub const ANCESTORS: usize = 16;

/// Seconds until a request of ours says it expires: the protocol's usual 12 hours. Servers do not look at it.
pub const REQUEST_EXPIRY_SECONDS: u32 = 12 * 3600;

/// What one question may cost. Values outside the ranges above are moved into them when a plan is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanLimits {
    /// See [`RECURSION`].
    pub recursion: u8,
    /// See [`CHAIN`].
    pub chain: u16,
    /// See [`QUERIES`].
    pub queries: u16,
    /// See [`TIME`].
    pub time: Duration,
    /// See [`RECORD_VALUES`].
    pub record_values: u32,
    /// See [`RECORD_BYTES`].
    pub record_bytes: usize,
}

impl Default for PlanLimits {
    fn default() -> Self {
        Self {
            recursion: RECURSION.default,
            chain: CHAIN.default,
            queries: QUERIES.default,
            time: TIME.default,
            record_values: RECORD_VALUES.default,
            record_bytes: RECORD_BYTES.default,
        }
    }
}

impl PlanLimits {
    /// Each limit moved into its range.
    #[must_use]
    pub fn clamped(self) -> Self {
        Self {
            recursion: RECURSION.clamp(self.recursion),
            chain: CHAIN.clamp(self.chain),
            queries: QUERIES.clamp(self.queries),
            time: TIME.clamp(self.time),
            record_values: RECORD_VALUES.clamp(self.record_values),
            record_bytes: RECORD_BYTES.clamp(self.record_bytes),
        }
    }
}
