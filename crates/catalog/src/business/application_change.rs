//! What a command on applications means for them. Whoever acts for an enterprise reaches its applications alone; the node's are for operators.

use std::collections::BTreeMap;
use std::sync::Arc;

use waymark_store::Serial;

use super::Problem;
use super::application::{Application, ApplicationId, ApplicationProfile, MonthlyUsers};
use super::change::{BusinessChange, BusinessDecision, BusinessFacts, reach};
use super::enterprise::EnterpriseId;
use super::owner::Owner;
use crate::access::permit::Permit;
use crate::command::{Outcome, Refusal};
use crate::config::{APPLICATION_MONTHS, APPLICATIONS_PER_OWNER};

/// One change of applications.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ApplicationCommand {
    /// Writes an application.
    Put {
        /// Which; `None` for the one of that name, or a new one.
        id: Option<ApplicationId>,
        /// Whose; `None` for the enterprise the caller acts for, or the node where an operator acts for none.
        owner: Option<Owner>,
        /// What is said of it.
        profile: Box<ApplicationProfile>,
        /// How many people used it in a month; other months stay as they are.
        users: Option<MonthlyUsers>,
    },
    /// Notes how many people used it in a month.
    CountUsers {
        /// Which.
        id: ApplicationId,
        /// How many, and when.
        users: MonthlyUsers,
    },
    /// Takes an application away.
    Delete {
        /// Which.
        id: ApplicationId,
    },
}

impl ApplicationCommand {
    /// The enterprise it names.
    pub(super) const fn enterprise(&self) -> Option<EnterpriseId> {
        match self {
            Self::Put { owner: Some(Owner::Enterprise(id)), .. } => Some(*id),
            _ => None,
        }
    }

    /// The application it names.
    #[must_use]
    pub const fn application(&self) -> Option<ApplicationId> {
        match self {
            Self::Put { id, .. } => *id,
            Self::CountUsers { id, .. } | Self::Delete { id } => Some(*id),
        }
    }

    /// What it weighs, see [`BusinessCommand::weight_bytes`](super::BusinessCommand::weight_bytes).
    pub(super) fn weight_bytes(&self) -> usize {
        match self {
            Self::Put { profile, .. } => {
                serde_json::to_vec(profile).map_or(0, |bytes| bytes.len()) + APPLICATION_MONTHS * MONTH_BYTES
            }
            Self::CountUsers { .. } | Self::Delete { .. } => MONTH_BYTES,
        }
    }
}

/// What the users of a month take in an entry, generously: a key of seven characters and a number.
const MONTH_BYTES: usize = 40;

/// Decides about a command on applications.
pub(super) fn decide_application(
    permit: Permit,
    command: &ApplicationCommand,
    facts: &BusinessFacts<'_>,
) -> Result<BusinessDecision, Refusal> {
    match command {
        ApplicationCommand::Put { id, owner, profile, users } => {
            put(permit, *id, *owner, profile, users.as_ref(), facts)
        }
        ApplicationCommand::CountUsers { id, users } => {
            let former = find(permit, *id, facts)?;
            let mut next = Application::clone(former);
            next.count_users(users, facts.now)?;
            Ok(changed_or_kept(Some(former), next, facts))
        }
        ApplicationCommand::Delete { id } => {
            let former = find(permit, *id, facts)?;
            let change = BusinessChange::NoApplication(*id, former.serial);
            Ok(BusinessDecision::Change { change, effect: None, outcome: Outcome::Deleted })
        }
    }
}

/// Whether the caller may touch the applications of an owner.
fn reaches(permit: Permit, owner: Owner, facts: &BusinessFacts<'_>) -> bool {
    match owner {
        Owner::Node => permit.operates(),
        Owner::Enterprise(id) => reach(permit, Some(id), facts).is_ok(),
    }
}

/// The application of a number. To whom it is not to know of it, there is none.
fn find<'a>(permit: Permit, id: ApplicationId, facts: &BusinessFacts<'a>) -> Result<&'a Arc<Application>, Refusal> {
    match facts.business.application(id) {
        Some(known) if reaches(permit, known.owner, facts) => Ok(known),
        None if permit.reviews() => Err(Refusal::NotFound),
        _ => Err(Refusal::NotPermitted),
    }
}

/// Whose a new application is.
fn owner_of(permit: Permit, owner: Option<Owner>, facts: &BusinessFacts<'_>) -> Result<Owner, Refusal> {
    match owner {
        Some(Owner::Node) if permit.operates() => Ok(Owner::Node),
        Some(Owner::Node) => Err(Refusal::NotPermitted),
        Some(Owner::Enterprise(id)) => reach(permit, Some(id), facts).map(|known| known.id.into()),
        None if permit.operates() && facts.business.of_principal(facts.actor).is_none() => Ok(Owner::Node),
        None => reach(permit, None, facts).map(|own| own.id.into()),
    }
}

fn put(
    permit: Permit,
    id: Option<ApplicationId>,
    owner: Option<Owner>,
    profile: &ApplicationProfile,
    users: Option<&MonthlyUsers>,
    facts: &BusinessFacts<'_>,
) -> Result<BusinessDecision, Refusal> {
    let named = id.map(|id| find(permit, id, facts)).transpose()?;
    let owner = match named {
        Some(known) if owner.is_some_and(|owner| owner != known.owner) => {
            return Err(Problem::new("owner", "never changes; delete it and make another").into());
        }
        Some(known) => known.owner,
        None => owner_of(permit, owner, facts)?,
    };
    profile.check()?;
    let of_name = facts.business.application_named(owner, &profile.name);
    if let (Some(known), Some(other)) = (named, of_name)
        && known.id != other.id
    {
        return Err(Problem::new("name", "is that of another application of this owner").into());
    }
    let former = named.or(of_name);
    if former.is_none() && facts.business.application_count(owner) >= APPLICATIONS_PER_OWNER {
        return Err(Problem::new("applications", "are as many as an owner may have, which is 64").into());
    }
    let mut next = former.map_or_else(
        || Application {
            id: next_id(facts),
            owner,
            profile: profile.clone(),
            users: BTreeMap::new(),
            created: facts.now,
            by: Arc::clone(facts.actor),
            serial: Serial::NONE,
            time: facts.now,
        },
        |former| Application { profile: profile.clone(), ..Application::clone(former) },
    );
    if let Some(users) = users {
        next.count_users(users, facts.now)?;
    }
    Ok(changed_or_kept(former, next, facts))
}

/// The name of the next application: the serial of its entry, and greater than every name there is. Those that were restored have names of another store.
fn next_id(facts: &BusinessFacts<'_>) -> ApplicationId {
    let last = facts.business.applications().next_back().map_or(0, |last| last.id.0);
    ApplicationId(facts.next.0.max(last.saturating_add(1)))
}

fn changed_or_kept(
    former: Option<&Arc<Application>>,
    next: Application,
    facts: &BusinessFacts<'_>,
) -> BusinessDecision {
    if former.is_some_and(|former| **former == next) {
        return BusinessDecision::Keep(next.serial, next.time);
    }
    let next = Application { by: Arc::clone(facts.actor), time: facts.now, ..next };
    let change = BusinessChange::Application(Box::new(next));
    BusinessDecision::Change { change, effect: None, outcome: Outcome::Stored }
}
