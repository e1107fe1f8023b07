//! Incidents: that something failed, and that it is over. Two events, each with an identifier of its own.

use serde::{Deserialize, Serialize};

/// What kind of fault it is (TLN-GUIDE, annex 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The network.
    Network,
    /// The node itself: programs, machines, power.
    System,
    /// Somebody wants it so.
    Attack,
    /// Anything else.
    Other,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Network, Self::System, Self::Attack, Self::Other];

    /// Its number in the set.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Network => 1,
            Self::System => 2,
            Self::Attack => 3,
            Self::Other => 4,
        }
    }

    /// Its name in messages; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::System => "system",
            Self::Attack => "attack",
            Self::Other => "other",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One event: a fault, or that one is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Counts the events of this node, from 1.
    pub number: u64,
    /// Identifier, unique for ever: prefix of the node, time of noting, number.
    pub id: String,
    /// The fault that is over; empty for a fault.
    pub related: String,
    /// When it was, in milliseconds since 1970; whole seconds.
    pub time: u64,
    /// Why, in one line; may be empty.
    pub cause: String,
    /// What kind of fault.
    pub kind: Kind,
    /// The node's prefix, or that of the enterprise whose node it is.
    pub prefix: String,
    /// What was done about it; may be empty. Of a recovery.
    pub remedy: String,
    /// Who said so; empty: the node saw it itself.
    pub by: String,
    /// What the node watches that failed; empty where people said so.
    pub watched: String,
}

impl Event {
    /// Whether it tells that a fault is over.
    #[must_use]
    pub fn is_recovery(&self) -> bool {
        !self.related.is_empty()
    }
}

/// A fault, and its end where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The fault.
    pub fault: Event,
    /// That it is over.
    pub recovery: Option<Event>,
}

/// A planned time without service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// Counts them, from 1.
    pub number: u64,
    /// From when, in milliseconds since 1970.
    pub from: u64,
    /// Until when it is planned; `None`: until somebody ends it.
    pub until: Option<u64>,
    /// When somebody ended it.
    pub ended: Option<u64>,
    /// What for.
    pub reason: String,
    /// Who said so.
    pub by: String,
}

impl Maintenance {
    /// The first moment after it, as far as that is known.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        match (self.until, self.ended) {
            (Some(planned), Some(ended)) => Some(planned.min(ended).max(self.from)),
            (planned, ended) => planned.or(ended).map(|end| end.max(self.from)),
        }
    }

    /// Whether it was ended before it began: there never was such a time.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.ended.is_some_and(|ended| ended <= self.from)
    }

    /// Whether it is under way or planned at a moment.
    #[must_use]
    pub fn is_ahead_or_under_way(&self, time: u64) -> bool {
        !self.is_cancelled() && self.end().is_none_or(|end| end > time)
    }

    /// Whether a moment is in it.
    #[must_use]
    pub fn covers(&self, time: u64) -> bool {
        self.from <= time && self.end().is_none_or(|end| time < end)
    }
}

/// A time in which the node did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// From when, in milliseconds since 1970: the last that is known of the run before.
    pub from: u64,
    /// Until when: the next start.
    pub until: u64,
    /// Milliseconds between two rounds: how many were missed.
    pub interval: u64,
}

/// A run of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// When the node was watched for the first time ever, in milliseconds since 1970.
    pub first: u64,
    /// When this run began.
    pub started: u64,
    /// When it ended in order; `None` while it lasts, or if it was cut off.
    pub stopped: Option<u64>,
    /// Milliseconds between its rounds.
    pub interval: u64,
}
