//! What a command on the node's own record means for it. That only operators write, and operators and auditors read, is settled by the permit.

use std::sync::Arc;

use waymark_store::Serial;

use super::change::{BusinessChange, BusinessDecision, BusinessFacts};
use super::deed::{self, Deed};
use super::enterprise::Profile;
use super::file::{FileKind, FreshFile};
use super::operator::{NodeItems, OperatorRecord};
use super::owner::Owner;
use super::plan::{self, YearPlan};
use super::sealed::{forgotten, keep_file, note_reading, people_after};
use crate::command::{Outcome, Refusal};
use crate::vault::Fresh;

/// One change of what the node says of itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OperatorCommand {
    /// Writes it.
    Put {
        /// What any organisation says of itself.
        profile: Box<Profile>,
        /// What only a node says.
        node: Box<NodeItems>,
        /// What it says of its people; `None` leaves that as it is.
        personal: Option<Box<Fresh>>,
    },
    /// Keeps a file, or takes it away.
    PutFile {
        /// What it shows or says.
        kind: FileKind,
        /// The file; `None` takes away what is there.
        file: Option<Box<FreshFile>>,
    },
    /// Notes that the caller is about to read what it says of its people, or a file.
    Disclose {
        /// What for.
        purpose: String,
    },
    /// Forgets what it said of its people, with every file. Whoever submits it drops the key when it is durable.
    Forget {
        /// Why.
        reason: String,
    },
    /// Notes what the caller does beside the catalog, before it is done.
    NoteDeed {
        /// What.
        deed: Deed,
        /// With what: one line.
        about: String,
        /// Why; may be empty.
        reason: String,
    },
    /// Writes the plan of a year, all of it.
    PutPlan {
        /// Of China Standard Time.
        year: u16,
        /// What is planned.
        plan: Box<YearPlan>,
    },
}

impl OperatorCommand {
    /// What it weighs, see [`BusinessCommand::weight_bytes`](super::BusinessCommand::weight_bytes).
    pub(super) fn weight_bytes(&self) -> usize {
        match self {
            Self::Put { profile, node, personal } => {
                let json = |bytes: serde_json::Result<Vec<u8>>| bytes.map_or(0, |bytes| bytes.len());
                let sealed = personal.as_ref().map_or(0, |fresh| fresh.sealed.bytes.len());
                json(serde_json::to_vec(profile)) + json(serde_json::to_vec(node)) + 2 * sealed
            }
            Self::PutFile { file, .. } => file.as_ref().map_or(0, |file| file.fresh.sealed.bytes.len()),
            Self::Disclose { purpose: text } | Self::Forget { reason: text } => 2 * text.len(),
            Self::NoteDeed { about, reason, .. } => 2 * (about.len() + reason.len()),
            Self::PutPlan { plan, .. } => serde_json::to_vec(plan).map_or(0, |bytes| bytes.len()),
        }
    }
}

/// Decides about a command on the node's own record.
pub(super) fn decide_operator(
    command: &OperatorCommand,
    facts: &BusinessFacts<'_>,
) -> Result<BusinessDecision, Refusal> {
    let is_beside = matches!(command, OperatorCommand::NoteDeed { .. } | OperatorCommand::PutPlan { .. });
    if facts.business.is_operator_unreadable() && !is_beside {
        return Err(Refusal::Unreadable);
    }
    let former = facts.business.operator();
    let written = || former.ok_or(Refusal::NotFound);
    match command {
        OperatorCommand::Put { profile, node, personal } => put(former, profile, node, personal.as_deref(), facts),
        OperatorCommand::PutFile { kind, file } => {
            let record = written()?;
            let at = (record.serial, record.time);
            keep_file((Owner::Node, *kind), file.as_deref(), record.personal.as_ref(), at, facts)
        }
        OperatorCommand::Disclose { purpose } => {
            note_reading(Owner::Node, written()?.personal.as_ref(), purpose, facts)
        }
        OperatorCommand::Forget { reason } => forget(written()?, reason, facts),
        OperatorCommand::NoteDeed { deed, about, reason } => deed::note(*deed, about, reason, facts),
        OperatorCommand::PutPlan { year, plan } => plan::put(*year, plan, facts),
    }
}

fn put(
    former: Option<&Arc<OperatorRecord>>,
    profile: &Profile,
    node: &NodeItems,
    personal: Option<&Fresh>,
    facts: &BusinessFacts<'_>,
) -> Result<BusinessDecision, Refusal> {
    OperatorRecord::check(profile, node, facts.codes)?;
    let held = former.map(|former| (former.personal.as_ref(), former.forgotten.as_ref()));
    let (people, forgotten) = people_after(held, personal)?;
    let next = OperatorRecord {
        profile: profile.clone(),
        node: node.clone(),
        personal: people,
        forgotten,
        created: former.map_or(facts.now, |former| former.created),
        by: former.map_or_else(|| Arc::clone(facts.actor), |former| Arc::clone(&former.by)),
        serial: former.map_or(Serial::NONE, |former| former.serial),
        time: former.map_or(facts.now, |former| former.time),
    };
    if personal.is_none() && former.is_some_and(|former| **former == next) {
        return Ok(BusinessDecision::Keep(next.serial, next.time));
    }
    Ok(changed(next, Outcome::Stored, facts))
}

fn forget(former: &OperatorRecord, reason: &str, facts: &BusinessFacts<'_>) -> Result<BusinessDecision, Refusal> {
    let forgotten = forgotten(former.personal.as_ref(), reason)?;
    if forgotten.is_none() {
        return Ok(BusinessDecision::Keep(former.serial, former.time));
    }
    let next = OperatorRecord { personal: None, forgotten, ..former.clone() };
    Ok(changed(next, Outcome::Forgotten, facts))
}

fn changed(next: OperatorRecord, outcome: Outcome, facts: &BusinessFacts<'_>) -> BusinessDecision {
    let next = OperatorRecord { by: Arc::clone(facts.actor), time: facts.now, ..next };
    BusinessDecision::Change { change: BusinessChange::Operator(Box::new(next)), effect: None, outcome }
}
