//! The data sets as whoever receives them judges them: which there are, and whether what is sent is what the reference says.
//!
//! Everything here is written from the reference (`SETS.md`) and knows nothing of whoever makes the rows. Two receivers share it: the simulator, and the
//! node where it collects what enterprises with nodes of their own report.

use std::fmt;
use std::str::FromStr;

pub(crate) mod checker;
pub(crate) mod complaints;
pub(crate) mod forms;
pub(crate) mod json;
pub(crate) mod key;
pub(crate) mod owned;
pub(crate) mod part;
pub(crate) mod period;
mod rows;

pub use complaints::Complaints;
pub use key::Key;
pub use part::check;
pub use period::Period;

/// Bytes of the rows of a part, of the form of the sets.
pub const PART_BYTES: usize = 4 << 20;

/// Bytes of a part that is a single row with a file: 5 MiB are a third more in base64, with room for the fields beside them.
pub const FILE_PART_BYTES: usize = 7 << 20;

/// Complaints told of one part, of the form of the sets.
pub const COMPLAINTS: usize = 32;

/// A data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Set {
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
    /// Master data.
    T9,
    /// Applications of enterprises.
    T10,
    /// Metadata of enterprises.
    T11,
    /// Figures of the day.
    Monitoring,
    /// Faults and their ends.
    Incident,
    /// The report of a month.
    Report,
}

/// What the rows of a set are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeriodKind {
    /// The moment up to which they tell what changed.
    Moment,
    /// A day.
    Day,
    /// A month.
    Month,
}

impl Set {
    /// All of them.
    pub const ALL: [Self; 14] = [
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
        Self::Report,
    ];

    /// Its name in parts.
    #[must_use]
    pub const fn name(self) -> &'static str {
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
            Self::Report => "REPORT",
        }
    }

    pub(crate) const fn period_kind(self) -> PeriodKind {
        match self {
            Self::T1 | Self::T2 | Self::T6 | Self::T7 | Self::T11 | Self::Incident => PeriodKind::Moment,
            Self::T3 | Self::T4 | Self::T8 | Self::T9 | Self::Monitoring => PeriodKind::Day,
            Self::T5 | Self::T10 | Self::Report => PeriodKind::Month,
        }
    }

    /// Whether it tells of the node itself, so that no enterprise can have reported it.
    pub(crate) const fn is_of_node(self) -> bool {
        matches!(self, Self::T1 | Self::T2 | Self::T3 | Self::T4 | Self::T5 | Self::Report)
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no set of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no set such as T1 or MONITORING")]
pub struct SetError;

impl FromStr for Set {
    type Err = SetError;

    fn from_str(text: &str) -> Result<Self, SetError> {
        Self::ALL.into_iter().find(|set| set.name() == text).ok_or(SetError)
    }
}
