//! What somebody who runs the node did beside the catalog: it is noted here, so that the audit tells of it as of everything else.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use waymark_store::{Serial, Timestamp};

use super::change::{BusinessChange, BusinessDecision, BusinessFacts, check_reason};
use super::enterprise::needed_text;
use crate::command::{Outcome, Refusal};
use crate::config::SHORT_TEXT_CHARS;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Deed {
    /// Parts of sets are sent upward again.
    SyncResend,
    /// Parts of sets are settled by hand.
    SyncMark,
    /// Sets are held back.
    SyncPause,
    /// They go on.
    SyncResume,
    /// A fault is reported.
    IncidentReport,
    /// It is over, or something was done about it.
    IncidentRecover,
    /// A time without service is declared.
    MaintenanceBegin,
    /// It ends.
    MaintenanceEnd,
    /// A deposit is made.
    DepositMake,
    /// Deposits are made and sent at once.
    DepositSend,
}

/// The last deed that was noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotedDeed {
    /// How many were.
    pub times: u64,
    /// What was done.
    pub deed: Deed,
    /// With what: one line.
    pub about: String,
    /// Why; may be empty.
    pub reason: String,
    /// By whom.
    pub by: Arc<str>,
    /// When.
    pub time: Timestamp,
    /// Its entry of the log.
    pub serial: Serial,
}

/// Notes a deed. Nothing stands against it: what is to be told was done, or is about to be.
pub(super) fn note(
    deed: Deed,
    about: &str,
    reason: &str,
    facts: &BusinessFacts<'_>,
) -> Result<BusinessDecision, Refusal> {
    needed_text("about", about, SHORT_TEXT_CHARS)?;
    check_reason(reason, false)?;
    let times = facts.business.deed().map_or(0, |last| last.times).saturating_add(1);
    let (about, reason, by) = (about.to_owned(), reason.to_owned(), Arc::clone(facts.actor));
    let noted = NotedDeed { times, deed, about, reason, by, time: facts.now, serial: Serial::NONE };
    Ok(BusinessDecision::Change { change: BusinessChange::Deed(noted), effect: None, outcome: Outcome::Stored })
}
