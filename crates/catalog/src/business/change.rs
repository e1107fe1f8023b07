//! What a command about enterprises, prefixes, the node's own record or applications means for the table: changes, nothing, or a refusal. Pure: no IO, no clock, no randomness.

use std::sync::Arc;

use waymark_ident::fold_in_place;
use waymark_store::{Serial, Timestamp};

use super::Problem;
use super::application::{Application, ApplicationId};
use super::application_change::{ApplicationCommand, decide_application};
use super::codes::CodeTables;
use super::deed::NotedDeed;
use super::enterprise::{Enterprise, EnterpriseId, Profile, RealName, RealNameResult, needed_text, text_within};
use super::file::{FileKind, FreshFile, StoredFile};
use super::operator::OperatorRecord;
use super::operator_change::{OperatorCommand, decide_operator};
use super::owner::Owner;
use super::plan::KeptPlan;
use super::prefix_case::{CaseState, CaseStep, OwnSite, Placement, PrefixCase, Step, StepKind, Wish, check_sites};
use super::sealed::{forgotten, keep_file, note_reading, people_after};
use super::table::{Business, Disclosure};
use crate::access::permit::Permit;
use crate::command::{Outcome, Refusal};
use crate::config::{
    BusinessLimits, ENTERPRISE_PREFIX_BYTES, PRINCIPALS_PER_ENTERPRISE, REASON_BYTES, SHORT_TEXT_CHARS,
};
use crate::vault::Fresh;

/// One change of enterprises or cases.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BusinessCommand {
    /// Writes an enterprise.
    PutEnterprise {
        /// Which; `None` for the one the caller acts for, or a new one.
        id: Option<EnterpriseId>,
        /// All it says of itself.
        profile: Box<Profile>,
        /// What it says of its people; `None` leaves that as it is.
        personal: Option<Box<Fresh>>,
        /// Who acts for it; `None` leaves that as it is. For reviewers only; whoever makes an enterprise for itself acts for it.
        principals: Option<Vec<Arc<str>>>,
    },
    /// Notes what verifying an enterprise came to.
    SetRealName {
        /// Which.
        id: EnterpriseId,
        /// What it came to.
        result: RealNameResult,
        /// Where the data came from.
        source: String,
        /// Who did it; empty for the caller.
        reviewer: String,
    },
    /// Forgets what an enterprise said of its people. Whoever submits it drops the key when it is durable.
    Forget {
        /// Which.
        id: EnterpriseId,
        /// Why.
        reason: String,
    },
    /// Notes that the caller is about to read what an enterprise said of its people.
    Disclose {
        /// Which.
        id: EnterpriseId,
        /// What for.
        purpose: String,
    },
    /// Keeps an image of a document, or takes it away.
    PutImage {
        /// Whose; `None` for the enterprise the caller acts for.
        id: Option<EnterpriseId>,
        /// What it shows.
        kind: FileKind,
        /// The image; `None` takes away what is there.
        image: Option<Box<FreshFile>>,
    },
    /// Asks for a prefix.
    Apply {
        /// In any case.
        prefix: Vec<u8>,
        /// For whom; `None` for the enterprise the caller acts for.
        enterprise: Option<EnterpriseId>,
        /// How it shall be answered for.
        wish: Wish,
        /// For people.
        note: String,
    },
    /// Takes a step in the case of a prefix.
    Step {
        /// In any case.
        prefix: Vec<u8>,
        /// Which step.
        step: CaseStep,
    },
    /// Changes what the node says of itself.
    Operator(OperatorCommand),
    /// Changes applications.
    Application(Box<ApplicationCommand>),
}

/// One change of the table, and one entry of the log.
#[derive(Clone, Debug)]
pub(crate) enum BusinessChange {
    Enterprise(Box<Enterprise>),
    Case(Box<PrefixCase>),
    Operator(Box<OperatorRecord>),
    Application(Box<Application>),
    /// An application goes; its last entry.
    NoApplication(ApplicationId, Serial),
    Disclosure(Owner, Disclosure),
    Deed(NotedDeed),
    Plan(KeptPlan),
    File(Owner, FileKind, Option<StoredFile>),
}

/// What becomes of the prefix in the same group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It lives here, and its record names no other site.
    Home,
    /// It does not live here, and its record names these sites.
    Delegate(Vec<OwnSite>),
    /// It does not live here, and its record names no site.
    Withdraw,
}

/// What becomes of a command.
#[derive(Debug)]
pub(crate) enum BusinessDecision {
    /// All is as asked, by this entry.
    Keep(Serial, Timestamp),
    /// The change, and what comes with it.
    Change { change: BusinessChange, effect: Option<Effect>, outcome: Outcome },
}

/// What decisions rest on.
pub(crate) struct BusinessFacts<'a> {
    pub(crate) business: &'a Business,
    pub(crate) codes: &'a CodeTables,
    pub(crate) limits: &'a BusinessLimits,
    pub(crate) now: Timestamp,
    /// Serial the entry of the change will have.
    pub(crate) next: Serial,
    pub(crate) actor: &'a Arc<str>,
    /// Whether a prefix, folded, lives here.
    pub(crate) is_homed: &'a dyn Fn(&[u8]) -> bool,
    /// Whether a prefix, folded, is derived from one of this node's.
    pub(crate) is_ours: &'a dyn Fn(&[u8]) -> bool,
    /// Whether there is a principal of a name.
    pub(crate) is_principal: &'a dyn Fn(&str) -> bool,
}

impl BusinessCommand {
    /// The prefix it is about, folded.
    #[must_use]
    pub fn folded_prefix(&self) -> Option<Vec<u8>> {
        let (Self::Apply { prefix, .. } | Self::Step { prefix, .. }) = self else { return None };
        let mut prefix = prefix.clone();
        fold_in_place(&mut prefix);
        Some(prefix)
    }

    /// The enterprise it names.
    #[must_use]
    pub const fn enterprise(&self) -> Option<EnterpriseId> {
        match self {
            Self::PutEnterprise { id, .. } | Self::PutImage { id, .. } => *id,
            Self::Apply { enterprise, .. } => *enterprise,
            Self::SetRealName { id, .. } | Self::Forget { id, .. } | Self::Disclose { id, .. } => Some(*id),
            Self::Step { .. } | Self::Operator(_) => None,
            Self::Application(command) => command.enterprise(),
        }
    }

    /// What it weighs in queue and group limits, in bytes: no less than what it adds to an entry.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        // Texts are escaped: a byte may become two.
        let payload = match self {
            Self::PutEnterprise { profile, personal, principals, .. } => {
                let profile = serde_json::to_vec(profile).map_or(0, |bytes| bytes.len());
                let sealed = personal.as_ref().map_or(0, |fresh| fresh.sealed.bytes.len());
                let names = principals.iter().flatten().map(|name| name.len() + 3);
                profile + 2 * sealed + names.sum::<usize>()
            }
            Self::PutImage { image, .. } => image.as_ref().map_or(0, |image| image.fresh.sealed.bytes.len()),
            Self::SetRealName { source, reviewer, .. } => 2 * (source.len() + reviewer.len()),
            Self::Forget { reason: text, .. } | Self::Disclose { purpose: text, .. } => 2 * text.len(),
            Self::Apply { prefix, note, .. } => 2 * (prefix.len() + note.len()),
            Self::Step { prefix, step } => 2 * (prefix.len() + step.reason().len()) + SITE_BYTES * step.sites().len(),
            Self::Operator(command) => command.weight_bytes(),
            Self::Application(command) => command.weight_bytes(),
        };
        payload + BODY_BYTES
    }
}

/// What an entry takes beside its texts, generously.
const BODY_BYTES: usize = 1_024;

/// What a site takes in a case and in the record of its prefix together, generously.
pub(crate) const SITE_BYTES: usize = 512;

/// Decides about a command on enterprises or cases. Who may not see an enterprise is told nothing of it.
///
/// # Errors
/// The first reason against it.
pub(crate) fn decide_business(
    permit: Permit,
    command: &BusinessCommand,
    facts: &BusinessFacts<'_>,
) -> Result<BusinessDecision, Refusal> {
    match command {
        BusinessCommand::PutEnterprise { id, profile, personal, principals } => {
            put(permit, *id, profile, personal.as_deref(), principals.as_deref(), facts)
        }
        BusinessCommand::SetRealName { id, result, source, reviewer } => {
            set_real_name(permit, *id, (*result, source, reviewer), facts)
        }
        BusinessCommand::Forget { id, reason } => forget(permit, *id, reason, facts),
        BusinessCommand::Disclose { id, purpose } => {
            let enterprise = reach(permit, Some(*id), facts)?;
            note_reading((*id).into(), enterprise.personal.as_ref(), purpose, facts)
        }
        BusinessCommand::PutImage { id, kind, image } => {
            let enterprise = reach(permit, *id, facts)?;
            if !kind.is_image() {
                return Err(Problem::new("kind", "is kept for the node itself alone").into());
            }
            let at = (enterprise.serial, enterprise.time);
            keep_file((enterprise.id.into(), *kind), image.as_deref(), enterprise.personal.as_ref(), at, facts)
        }
        BusinessCommand::Apply { prefix, enterprise, wish, note } => {
            apply(permit, prefix, *enterprise, (*wish, note), facts)
        }
        BusinessCommand::Step { step, .. } => {
            let prefix = command.folded_prefix().unwrap_or_default();
            take_step(permit, &prefix, step, facts)
        }
        BusinessCommand::Operator(command) => decide_operator(command, facts),
        BusinessCommand::Application(command) => decide_application(permit, command, facts),
    }
}

/// The enterprise a command is about: any for those who review, their own for others.
pub(super) fn reach<'a>(
    permit: Permit,
    id: Option<EnterpriseId>,
    facts: &BusinessFacts<'a>,
) -> Result<&'a Arc<Enterprise>, Refusal> {
    let own = facts.business.of_principal(facts.actor);
    match id {
        Some(id) if permit.reviews() => facts.business.enterprise(id).ok_or(Refusal::NotFound),
        Some(id) => own.filter(|own| own.id == id).ok_or(Refusal::NotPermitted),
        None => own.ok_or_else(|| if permit.reviews() { Refusal::NotFound } else { Refusal::NotPermitted }),
    }
}

fn put(
    permit: Permit,
    id: Option<EnterpriseId>,
    profile: &Profile,
    personal: Option<&Fresh>,
    principals: Option<&[Arc<str>]>,
    facts: &BusinessFacts<'_>,
) -> Result<BusinessDecision, Refusal> {
    let former = match id {
        Some(_) => Some(reach(permit, id, facts)?),
        None => facts.business.of_principal(facts.actor),
    };
    if principals.is_some() && !permit.reviews() {
        return Err(Refusal::NotPermitted);
    }
    profile.check(facts.codes)?;
    let other = facts.business.of_document(profile.document_kind, &profile.document_number);
    if other.is_some_and(|other| former.is_none_or(|former| former.id != other)) {
        return Err(Refusal::DocumentTaken);
    }
    let id = match former {
        Some(former) => former.id,
        None if facts.business.enterprise_count() >= facts.limits.enterprises => {
            return Err(Problem::new("enterprises", "are as many as this node may hold").into());
        }
        None => facts.business.next_id().ok_or(Problem::new("enterprises", "have used up all names"))?,
    };
    let principals = match principals {
        Some(given) => check_principals(id, given, facts)?,
        None => match former {
            Some(former) => former.principals.clone(),
            None if permit.reviews() => Vec::new(),
            None => vec![Arc::clone(facts.actor)],
        },
    };
    let held = former.map(|former| (former.personal.as_ref(), former.forgotten.as_ref()));
    let (people, forgotten) = people_after(held, personal)?;
    let next = Enterprise {
        id,
        profile: profile.clone(),
        personal: people,
        forgotten,
        real_name: former
            .filter(|former| is_same_body(&former.profile, profile))
            .and_then(|former| former.real_name.clone()),
        principals,
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

/// Whether what was verified is as it was.
fn is_same_body(one: &Profile, other: &Profile) -> bool {
    let body = |profile: &Profile| {
        (profile.name.clone(), profile.document_kind, profile.document_number.clone(), profile.nature)
    };
    body(one) == body(other)
}

fn check_principals(id: EnterpriseId, given: &[Arc<str>], facts: &BusinessFacts<'_>) -> Result<Vec<Arc<str>>, Problem> {
    let mut principals = given.to_vec();
    principals.sort_unstable();
    principals.dedup();
    if principals.len() > PRINCIPALS_PER_ENTERPRISE {
        return Err(Problem::new("principals", "are more than 64"));
    }
    for name in &principals {
        if !(facts.is_principal)(name) {
            return Err(Problem::new("principals", "names one that is not there"));
        }
        if facts.business.of_principal(name).is_some_and(|other| other.id != id) {
            return Err(Problem::new("principals", "names one that acts for another enterprise"));
        }
    }
    Ok(principals)
}

fn set_real_name(
    permit: Permit,
    id: EnterpriseId,
    (result, source, reviewer): (RealNameResult, &str, &str),
    facts: &BusinessFacts<'_>,
) -> Result<BusinessDecision, Refusal> {
    if !permit.reviews() {
        return Err(Refusal::NotPermitted);
    }
    let former = reach(permit, Some(id), facts)?;
    needed_text("source", source, SHORT_TEXT_CHARS)?;
    text_within("reviewer", reviewer, SHORT_TEXT_CHARS)?;
    let reviewer = if reviewer.is_empty() { facts.actor } else { reviewer };
    let is_same = |known: &RealName| known.result == result && known.source == source && known.reviewer == reviewer;
    if former.real_name.as_ref().is_some_and(is_same) {
        return Ok(BusinessDecision::Keep(former.serial, former.time));
    }
    let real_name = RealName { result, source: source.to_owned(), reviewer: reviewer.to_owned(), time: facts.now.0 };
    let next = Enterprise { real_name: Some(real_name), ..Enterprise::clone(former) };
    Ok(changed(next, Outcome::Stored, facts))
}

fn forget(
    permit: Permit,
    id: EnterpriseId,
    reason: &str,
    facts: &BusinessFacts<'_>,
) -> Result<BusinessDecision, Refusal> {
    let former = reach(permit, Some(id), facts)?;
    let forgotten = forgotten(former.personal.as_ref(), reason)?;
    if forgotten.is_none() {
        return Ok(BusinessDecision::Keep(former.serial, former.time));
    }
    let next = Enterprise { personal: None, forgotten, ..Enterprise::clone(former) };
    Ok(changed(next, Outcome::Forgotten, facts))
}

fn apply(
    permit: Permit,
    prefix: &[u8],
    enterprise: Option<EnterpriseId>,
    (wish, note): (Wish, &str),
    facts: &BusinessFacts<'_>,
) -> Result<BusinessDecision, Refusal> {
    let enterprise = reach(permit, enterprise, facts)?;
    let prefix = checked_prefix(prefix)?;
    check_reason(note, false)?;
    if facts.business.is_unreadable(&prefix) {
        return Err(Refusal::Unreadable);
    }
    let former = facts.business.case(&prefix);
    // What was deleted still has its identifiers stored, which are nobody else's.
    let is_free = former.is_none_or(|former| {
        former.state == CaseState::Rejected
            || (former.state == CaseState::Deleted && former.enterprise == enterprise.id)
    });
    if !is_free || (facts.is_homed)(&prefix) {
        return Err(Refusal::PrefixTaken);
    }
    if !(facts.is_ours)(&prefix) {
        return Err(Problem::new("prefix", "is not derived from a prefix of this node").into());
    }
    if facts.business.open_case_count(enterprise.id) >= facts.limits.prefixes_per_enterprise {
        return Err(Problem::new("prefix", "is one more than an enterprise may have").into());
    }
    let step = Step { kind: StepKind::Apply, time: facts.now, by: Arc::clone(facts.actor), reason: note.to_owned() };
    let case = PrefixCase {
        prefix: prefix.into(),
        enterprise: enterprise.id,
        state: CaseState::AwaitingReview,
        wish,
        placement: Placement::Nowhere,
        steps: vec![step],
        serial: former.map_or(Serial::NONE, |former| former.serial),
    };
    let change = BusinessChange::Case(Box::new(case));
    Ok(BusinessDecision::Change { change, effect: None, outcome: Outcome::Applied })
}

/// A prefix an enterprise may ask for, folded.
fn checked_prefix(prefix: &[u8]) -> Result<Vec<u8>, Problem> {
    let wrong = |problem| Err(Problem::new("prefix", problem));
    if prefix.len() > ENTERPRISE_PREFIX_BYTES {
        return wrong("is longer than 64 bytes");
    }
    let sound =
        |part: &[u8]| !part.is_empty() && part.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
    if !prefix.split(|byte| *byte == b'.').all(sound) {
        return wrong("is not of letters, digits, - and _ in parts joined by dots");
    }
    let mut folded = prefix.to_vec();
    fold_in_place(&mut folded);
    Ok(folded)
}

fn take_step(
    permit: Permit,
    prefix: &[u8],
    step: &CaseStep,
    facts: &BusinessFacts<'_>,
) -> Result<BusinessDecision, Refusal> {
    if facts.business.is_unreadable(prefix) {
        return Err(Refusal::Unreadable);
    }
    let former = facts.business.case(prefix).ok_or(Refusal::NotFound)?;
    check_reason(step.reason(), step.needs_reason())?;
    let kind = step.kind();
    let state = former.state.after(kind).ok_or(Refusal::WrongStep { state: former.state, step: kind })?;
    let placement = match step {
        CaseStep::Host => Placement::Here,
        CaseStep::Delegate { sites } => {
            check_sites(sites)?;
            Placement::Sites(sites.clone())
        }
        CaseStep::Delete { .. } => Placement::Nowhere,
        _ => former.placement.clone(),
    };
    if matches!(kind, StepKind::Host | StepKind::Delegate) && placement == former.placement {
        let time = former.last(kind).map_or(facts.now, |last| last.time);
        return Ok(BusinessDecision::Keep(former.serial, time));
    }
    match kind {
        StepKind::Approve => {
            let enterprise = facts.business.enterprise(former.enterprise);
            if !enterprise.is_some_and(|enterprise| enterprise.is_verified()) {
                return Err(Refusal::NotVerified { enterprise: former.enterprise });
            }
        }
        StepKind::Confirm | StepKind::Refuse if !facts.limits.operator_confirms && !permit.is_local() => {
            return Err(Problem::new("confirm", "comes from the top-level node this node is connected to").into());
        }
        _ => {}
    }
    let effect = effect_of(kind, state, &placement);
    let mut case = PrefixCase { state, placement, ..PrefixCase::clone(former) };
    let reason = step.reason().to_owned();
    case.push(Step { kind, time: facts.now, by: Arc::clone(facts.actor), reason });
    let outcome = outcome_of(kind);
    Ok(BusinessDecision::Change { change: BusinessChange::Case(Box::new(case)), effect, outcome })
}

/// What becomes of the prefix when its case stands so.
fn effect_of(step: StepKind, state: CaseState, placement: &Placement) -> Option<Effect> {
    match step {
        StepKind::Host | StepKind::Delegate | StepKind::Suspend | StepKind::Resume | StepKind::Delete => {}
        _ => return None,
    }
    Some(match (state, placement) {
        (CaseState::Active, Placement::Here) => Effect::Home,
        (CaseState::Active, Placement::Sites(sites)) => Effect::Delegate(sites.clone()),
        _ => Effect::Withdraw,
    })
}

const fn outcome_of(step: StepKind) -> Outcome {
    match step {
        StepKind::Apply => Outcome::Applied,
        StepKind::Review => Outcome::InReview,
        StepKind::Approve => Outcome::Approved,
        StepKind::Reject | StepKind::Refuse => Outcome::Rejected,
        StepKind::Confirm => Outcome::Confirmed,
        StepKind::Host => Outcome::Hosted,
        StepKind::Delegate => Outcome::Delegated,
        StepKind::Suspend => Outcome::Suspended,
        StepKind::Resume => Outcome::Resumed,
        StepKind::Delete => Outcome::Deleted,
    }
}

pub(super) fn check_reason(reason: &str, needed: bool) -> Result<(), Problem> {
    if reason.len() > REASON_BYTES {
        return Err(Problem::new("reason", "is longer than 1,024 bytes"));
    }
    if needed { needed_text("reason", reason, REASON_BYTES) } else { text_within("reason", reason, REASON_BYTES) }
}

/// The change of an enterprise that was written now; the entry before it is that of `next`.
fn changed(next: Enterprise, outcome: Outcome, facts: &BusinessFacts<'_>) -> BusinessDecision {
    let next = Enterprise { by: Arc::clone(facts.actor), time: facts.now, ..next };
    BusinessDecision::Change { change: BusinessChange::Enterprise(Box::new(next)), effect: None, outcome }
}
