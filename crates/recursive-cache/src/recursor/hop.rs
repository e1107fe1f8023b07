//! The steps of a question, for people.

use std::net::IpAddr;
use std::time::Duration;

use waymark_client::Transport;

use crate::cache::{Cache, Entry};
use crate::knowledge::{Now, Scope};

/// One step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hop {
    /// Canonical key of the record, or folded prefix of the service, it was about.
    pub about: Box<[u8]>,
    /// What came of it.
    pub result: HopResult,
}

/// What came of a step.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum HopResult {
    /// A fact was in the cache.
    Known {
        /// Seconds since it was learned.
        age_seconds: u32,
        /// Seconds it is good for still.
        seconds_left: u32,
    },
    /// It was in the cache where such handles live.
    KnownService {
        /// Which handles.
        scope: Scope,
    },
    /// This node itself delegated them.
    OwnDelegation {
        /// Which handles.
        scope: Scope,
    },
    /// A server answered.
    Answered {
        /// Which.
        server: IpAddr,
        /// Its port.
        port: u16,
        /// Over what.
        transport: Transport,
        /// How long it took.
        took: Duration,
        /// Response code.
        code: u32,
        /// Bytes of the answer.
        bytes: usize,
    },
    /// Nobody did.
    Silent {
        /// Servers that could have.
        servers: Vec<IpAddr>,
        /// How long was waited.
        took: Duration,
    },
    /// The servers are at addresses that may not be asked.
    NotAllowed {
        /// The servers.
        servers: Vec<IpAddr>,
    },
    /// Something was put into the cache.
    Learned {
        /// What kind of thing.
        what: LearnedKind,
        /// Seconds it is good for, as its values say.
        lifetime_seconds: Option<u32>,
    },
}

/// Kinds of things put into the cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LearnedKind {
    /// A record.
    Values,
    /// That a record shows nothing.
    NoValues,
    /// That a handle does not exist.
    Absent,
    /// Where handles live.
    Service(Scope),
    /// That a prefix does not exist.
    AbsentPrefix,
    /// That a service is none any more.
    Lame(Scope),
}

impl Hop {
    pub(super) fn known(entry: &Entry, now: Now) -> Self {
        let seconds = Cache::seconds(now);
        let (age_seconds, seconds_left) = (entry.age_seconds(seconds), entry.seconds_left(seconds));
        Self { about: entry.key().into(), result: HopResult::Known { age_seconds, seconds_left } }
    }
}
