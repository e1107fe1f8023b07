//! The data sets a node owes upward: their names, when each is due, and their rows.
//!
//! `SETS.md` of this crate is the reference of their fields.
//!
//! | file | holds |
//! |---|---|
//! | `rows` | the rows as they go up |
//! | `business` | rows of organisations, routes, templates and applications, from the tables of the catalog |
//! | `master` | rows of identifiers and their counts, from a day of the change log |

pub mod business;
pub mod master;
pub mod rows;

use std::fmt;
use std::str::FromStr;

/// A data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetName {
    /// The operator's own record.
    T1,
    /// Routes of the node.
    T2,
    /// Statistics of the node.
    T3,
    /// Metadata of the node.
    T4,
    /// Applications of the node.
    T5,
    /// Enterprises.
    T6,
    /// Routes of enterprises.
    T7,
    /// Statistics of enterprises.
    T8,
    /// Master data of identifiers.
    T9,
    /// Applications of enterprises.
    T10,
    /// Metadata of enterprises.
    T11,
    /// Figures of the day: how long resolving and registering took.
    Monitoring,
    /// Faults, and their ends.
    Incident,
}

/// When a set is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Schedule {
    /// When something changed, at once.
    RealTime,
    /// What changed, once an hour.
    Hourly,
    /// When a day of China Standard Time is over.
    Daily,
    /// When a month of China Standard Time is over.
    Monthly,
}

impl Schedule {
    /// Its name in messages; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RealTime => "real-time",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Monthly => "monthly",
        }
    }
}

impl SetName {
    /// All of them, in the order of the guide.
    pub const ALL: [Self; 13] = [
        Self::T1,
        Self::T2,
        Self::T3,
        Self::T4,
        Self::T5,
        Self::T6,
        Self::T7,
        Self::T8,
        Self::T9,
        Self::T10,
        Self::T11,
        Self::Monitoring,
        Self::Incident,
    ];

    /// Its name in the guide.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::T1 => "T1",
            Self::T2 => "T2",
            Self::T3 => "T3",
            Self::T4 => "T4",
            Self::T5 => "T5",
            Self::T6 => "T6",
            Self::T7 => "T7",
            Self::T8 => "T8",
            Self::T9 => "T9",
            Self::T10 => "T10",
            Self::T11 => "T11",
            Self::Monitoring => "MONITORING",
            Self::Incident => "INCIDENT",
        }
    }

    /// When it is sent (TLN-GUIDE, annexes 1 and 2).
    #[must_use]
    pub const fn schedule(self) -> Schedule {
        match self {
            Self::T1 | Self::T2 | Self::T11 | Self::Incident => Schedule::RealTime,
            Self::T6 | Self::T7 => Schedule::Hourly,
            Self::T3 | Self::T4 | Self::T8 | Self::T9 | Self::Monitoring => Schedule::Daily,
            Self::T5 | Self::T10 => Schedule::Monthly,
        }
    }

    /// Whether it tells of requests, so that somebody has to count them.
    #[must_use]
    pub const fn needs_figures(self) -> bool {
        matches!(self, Self::T3 | Self::T8 | Self::Monitoring)
    }

    /// Whether its rows tell of people: those parts are kept sealed until they are sent.
    #[must_use]
    pub const fn is_personal(self) -> bool {
        matches!(self, Self::T1 | Self::T6)
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no data set; T1 to T11, MONITORING and INCIDENT are")]
pub struct SetNameError;

impl FromStr for SetName {
    type Err = SetNameError;

    fn from_str(text: &str) -> Result<Self, SetNameError> {
        Self::ALL.into_iter().find(|set| set.as_str().eq_ignore_ascii_case(text)).ok_or(SetNameError)
    }
}
