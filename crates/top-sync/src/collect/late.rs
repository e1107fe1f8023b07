//! Who has not reported what, and since when. Only sets of days and months are expected: of the others, nothing to tell is not told.

use waymark_catalog::Timestamp;
use waymark_catalog::business::{Business, PrefixCase, StepKind};

use super::owners::is_away;
use crate::calendar::{Day, Month};
use crate::outbox::{Outbox, Told};
use crate::sets::{Schedule, SetName};

/// Sets every owner tells for each day or month.
pub const EXPECTED: [SetName; 4] = [SetName::T8, SetName::T9, SetName::T10, SetName::Monitoring];

/// Milliseconds of an hour.
const HOUR_MS: u64 = 60 * 60 * 1000;

/// How an owner stands with a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The owner's prefix.
    pub owner: String,
    /// The set.
    pub set: SetName,
    /// How far it was told.
    pub told: Told,
    /// The period that has to be told by now; empty while none has.
    pub due: String,
}

impl Expected {
    /// Whether something that has to be told is not.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.told.period < self.due
    }
}

/// Every delegated prefix with each of these sets, by set.
pub(super) fn expected(business: &Business, outbox: &Outbox, late_hours: u64, now: Timestamp) -> Vec<Expected> {
    let past = Timestamp(now.0.saturating_sub(late_hours.saturating_mul(HOUR_MS)));
    let mut all = Vec::new();
    for set in EXPECTED {
        for case in business.cases().filter(|case| is_away(case)) {
            let owner = String::from_utf8_lossy(&case.prefix).into_owned();
            let told = outbox.told(set, &owner);
            all.push(Expected { due: due(set, case, past), owner, set, told });
        }
    }
    all
}

/// The last period that was over at a moment and at whose end the prefix was away: as a text of its kind, which order by time.
fn due(set: SetName, case: &PrefixCase, past: Timestamp) -> String {
    // Its site may have moved since it was given away.
    let placings = case.steps.iter().rev().take_while(|step| step.kind != StepKind::Host);
    let since = placings.filter(|step| step.kind == StepKind::Delegate).last().map_or(Timestamp(0), |step| step.time);
    if set.schedule() == Schedule::Monthly {
        let month = Day::of(past).month().first().previous().month();
        return if Month::of(since) <= month { month.to_string() } else { String::new() };
    }
    let day = Day::of(past).previous();
    if Day::of(since) <= day { day.to_string() } else { String::new() }
}
