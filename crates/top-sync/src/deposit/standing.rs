//! How the deposits of a prefix stand.

use waymark_catalog::Timestamp;

use super::config::ALERT_HOURS;
use super::table::{Delivery, Local, Platform, Row, Table};

/// Where the last deposit of a prefix is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// There is none.
    None,
    /// It is being made.
    Making,
    /// It could not be made.
    NotMade,
    /// It is here, and not with the platform.
    Waiting,
    /// The platform has it, and has not judged.
    Sent,
    /// The platform took it.
    Accepted,
    /// The platform refused it.
    Refused,
    /// The platform refused all there may be of a day.
    GivenUp,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::Making,
        Self::NotMade,
        Self::Waiting,
        Self::Sent,
        Self::Accepted,
        Self::Refused,
        Self::GivenUp,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Making => "making",
            Self::NotMade => "not-made",
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::GivenUp => "given-up",
        }
    }

    fn of(row: &Row) -> Self {
        match (row.local, row.platform, row.delivery) {
            (_, Platform::Accepted, _) => Self::Accepted,
            (_, Platform::Rejected, _) => Self::Refused,
            (Local::Running, ..) => Self::Making,
            (Local::Fail, ..) => Self::NotMade,
            (Local::Success, _, Delivery::Sent) => Self::Sent,
            (Local::Success, ..) => Self::Waiting,
        }
    }
}

/// How the deposits of a prefix stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The prefix, folded.
    pub prefix: String,
    /// The platform's user for it.
    pub user: String,
    /// Where the last one is.
    pub phase: Phase,
    /// The last one that was made.
    pub made: Option<Row>,
    /// The last one that was brought to the platform.
    pub sent: Option<Row>,
    /// The last one the platform took.
    pub accepted: Option<Row>,
    /// Milliseconds since the platform took one; since the node was made where it never did.
    pub accepted_age_ms: u64,
    /// Why the last attempt came to nothing; empty where it did not.
    pub problem: String,
}

impl Standing {
    pub(super) fn of(
        table: &Table,
        (prefix, user): (&str, &str),
        phase: Option<Phase>,
        problem: String,
        (created, now): (Timestamp, Timestamp),
    ) -> Self {
        let last =
            |wanted: fn(&Row) -> bool| table.rows().iter().rfind(|row| row.prefix == prefix && wanted(row)).cloned();
        let own = last(|row| row.delivery != Delivery::Hand || row.platform == Platform::Accepted);
        let accepted = last(|row| row.platform == Platform::Accepted);
        let since = accepted.as_ref().map(|row| row.judged.or(row.ended).unwrap_or(row.started));
        Self {
            prefix: prefix.to_owned(),
            user: user.to_owned(),
            phase: phase.or_else(|| own.as_ref().map(Phase::of)).unwrap_or(Phase::None),
            made: last(|row| row.local == Local::Success),
            sent: last(|row| row.delivery == Delivery::Sent),
            accepted,
            accepted_age_ms: now.0.saturating_sub(since.unwrap_or(created.0)),
            problem,
        }
    }

    /// Whether somebody should look: too long without an accepted deposit, or given up.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.phase == Phase::GivenUp || self.accepted_age_ms > ALERT_HOURS * 3_600_000
    }
}
