//! Whether an actor may do what it asks: roles, scopes, credentials and the time go in, a [`Permit`] or a refusal comes out. Pure.
//!
//! | command | verb |
//! |---|---|
//! | put, creating only | create |
//! | put that may replace | create and modify |
//! | add, modify, remove values | modify |
//! | delete | delete |
//! | suspend, resume, recall, lift a recall | suspend |
//! | put, add, modify values that hold a notice of recall | suspend too |
//! | revoke | revoke |
//! | home, unhome | home |
//! | principals and tokens | manage-access |
//! | order codes | allocate |
//! | bind values to codes, mark what became of them | modify |
//! | export, lease, reconcile codes | print |
//! | templates | template |
//! | put from a template | as put |
//! | pack identifiers or take them out | modify, under the prefixes of all of them |
//! | write an enterprise, ask for a prefix, read or forget what is said of people, keep an image | apply |
//! | verify an enterprise; review, approve, reject, suspend, resume a prefix | review |
//! | confirm for the top-level node, host, delegate, delete a prefix | home |
//! | write or forget what the node says of itself, keep a file of it | home, everywhere |
//! | read what the node says of its people, or a file of it | audit, everywhere |
//! | applications | apply |
//!
//! The prefix the command is about must lie in the scope of the credential: for `88.1/x` that is `88.1`, and so it is for the prefix record
//! `0.NA/88.1` and the bare `88.1`.
//!
//! Nobody gives what their credential does not have. An operator manages whoever's verbs and scope lie within the credential, which for an
//! operator without narrowing is everybody. An enterprise administrator manages writers and readers whose scope is not empty and lies within the
//! credential, and issues and revokes tokens for these and for itself. Within its prefixes there may be a number of them, whoever made them.
//!
//! Whoever could have disabled a principal may enable it again. So one that an operator has disabled is enabled, changed and removed by operators
//! only: an enterprise administrator that could make it anew, or give its certificates to another, would enable it too.

use waymark_ident::{Handle, fold_in_place};
use waymark_store::Timestamp;

use super::rights::{Rights, Scope};
use super::role::{Role, Verb, Verbs};
use super::{Access, Disabler, Principal, Token, TokenId};
use crate::actor::{Actor, Door, Proof};
use crate::business::{BusinessCommand, CaseStep, OperatorCommand};
use crate::command::{Command, PutMode, Refusal};
use crate::range::RangeCommand;
use crate::recall::notice_in;

/// The proof that an actor may do what it asked: only [`authorize`] makes one, and deciding needs one.
#[derive(Clone, Copy, Debug)]
pub struct Permit {
    daily_quota: Option<u64>,
    reviews: bool,
    operates: bool,
    local: bool,
    disabler: Disabler,
    administered: Option<usize>,
}

impl Permit {
    /// How many writes a day the actor has; `None` for any number.
    pub(crate) const fn daily_quota(&self) -> Option<u64> {
        self.daily_quota
    }

    /// Whether the actor may see and change every enterprise; others only the one they act for.
    pub(crate) const fn reviews(&self) -> bool {
        self.reviews
    }

    /// Whether the actor may change what is the node's own.
    pub(crate) const fn operates(&self) -> bool {
        self.operates
    }

    /// Whether the command came from this machine, or from the node itself.
    pub(crate) const fn is_local(&self) -> bool {
        self.local
    }

    /// Who the actor is when it disables a principal.
    pub(crate) const fn disabler(&self) -> Disabler {
        self.disabler
    }

    /// How many principals there are that the actor manages as an enterprise administrator; told when it makes one.
    pub(crate) const fn administered(&self) -> Option<usize> {
        self.administered
    }
}

/// Decides whether `actor` may do what `command` asks, by the rights its proof gives at `now`.
///
/// Local actors may do everything. Identities of the binary protocol have no rights yet: those stand in HS_ADMIN values, which the binary
/// administration will read.
///
/// # Errors
/// [`Refusal::NotPermitted`], whatever the reason: who has no right to something learns nothing about it.
pub fn authorize(actor: &Actor, command: &Command, access: &Access, now: Timestamp) -> Result<Permit, Refusal> {
    if matches!(actor.proof(), Proof::Local) {
        return Ok(Permit {
            daily_quota: None,
            reviews: true,
            operates: true,
            local: true,
            disabler: Disabler::Operator,
            administered: None,
        });
    }
    let rights = rights_of(actor, access, now).ok_or(Refusal::NotPermitted)?;
    let permitted = verbs_of(command).within(rights.verbs)
        && match command {
            Command::Put { handle, .. }
            | Command::PutWithdrawn { handle, .. }
            | Command::AddValues { handle, .. }
            | Command::ModifyValues { handle, .. }
            | Command::RemoveValues { handle, .. }
            | Command::Delete { handle }
            | Command::Suspend { handle, .. }
            | Command::Resume { handle }
            | Command::Revoke { handle, .. }
            | Command::Recall { handle, .. }
            | Command::LiftRecall { handle }
            | Command::PutFromTemplate { handle, .. } => rights.covers(&prefix_of(handle)),
            Command::Home { name } | Command::Unhome { name } => rights.covers(name.prefix()),
            Command::PutPrincipal { principal } => rights.may_put(principal, access),
            Command::RemovePrincipal { name } => rights.may_remove(name, access),
            Command::IssueToken { token } => rights.may_issue(token, access),
            Command::RevokeToken { id, .. } => rights.may_revoke(*id, access),
            Command::Range(command) => rights.covers(&command.folded_prefix()),
            Command::Template(command) => rights.covers(&folded(command.prefix())),
            Command::Business(command) => rights.reaches_business(command),
            Command::Link(command) => command.children().iter().all(|child| rights.covers(&prefix_of(child))),
            // For whoever may open the data folder.
            Command::Restore(_) => false,
        };
    if !permitted {
        return Err(Refusal::NotPermitted);
    }
    let administered = match command {
        Command::PutPrincipal { principal } if access.principal(&principal.name).is_none() => {
            rights.administered(access)
        }
        _ => None,
    };
    Ok(Permit {
        daily_quota: rights.principal.daily_quota,
        reviews: rights.has_everywhere(Verb::Review),
        operates: rights.has_everywhere(Verb::Home),
        local: false,
        disabler: rights.disabler(),
        administered,
    })
}

/// What the proof of an actor gives at `now`; `None` for nothing. For doors whose calls last: what was taken away since gives nothing. Jobs go on
/// when their token expires, and have nothing any more when it is revoked, their certificate is taken from the principal, or the principal is disabled.
#[must_use]
pub fn rights_of(actor: &Actor, access: &Access, now: Timestamp) -> Option<Rights> {
    let name = actor.name();
    match actor.proof() {
        Proof::Token(id) => {
            let token = access.token(*id).filter(|token| *token.principal == *name)?;
            // A job was submitted while its token could be used, and goes on when that has expired.
            let at = if actor.origin().door == Door::Job { token.created } else { now };
            access.token_rights(token, at).ok()
        }
        Proof::Certificate(fingerprint) => {
            access.principal(name).filter(|principal| principal.certificates.contains(fingerprint))?;
            access.principal_rights(name).ok()
        }
        Proof::Job => access.principal_rights(name).ok(),
        Proof::Local | Proof::Identity | Proof::Nothing => None,
    }
}

/// The verbs a command needs, all of them.
fn verbs_of(command: &Command) -> Verbs {
    let verbs: &[Verb] = match command {
        Command::Put { mode, .. } | Command::PutFromTemplate { mode, .. } => match mode {
            PutMode::Create | PutMode::CreateOrSame => &[Verb::Create],
            PutMode::Replace => &[Verb::Create, Verb::Modify],
        },
        Command::PutWithdrawn { mode, status, .. } => match (mode, status.revoked) {
            (PutMode::Create | PutMode::CreateOrSame, false) => &[Verb::Create, Verb::Suspend],
            (PutMode::Create | PutMode::CreateOrSame, true) => &[Verb::Create, Verb::Revoke],
            (PutMode::Replace, false) => &[Verb::Create, Verb::Modify, Verb::Suspend],
            (PutMode::Replace, true) => &[Verb::Create, Verb::Modify, Verb::Revoke],
        },
        Command::AddValues { .. } | Command::ModifyValues { .. } | Command::RemoveValues { .. } | Command::Link(_) => {
            &[Verb::Modify]
        }
        Command::Delete { .. } => &[Verb::Delete],
        Command::Suspend { .. } | Command::Resume { .. } | Command::Recall { .. } | Command::LiftRecall { .. } => {
            &[Verb::Suspend]
        }
        Command::Revoke { .. } => &[Verb::Revoke],
        Command::Home { .. } | Command::Unhome { .. } | Command::Restore(_) => &[Verb::Home],
        Command::PutPrincipal { .. }
        | Command::RemovePrincipal { .. }
        | Command::IssueToken { .. }
        | Command::RevokeToken { .. } => &[Verb::ManageAccess],
        Command::Range(command) => match **command {
            RangeCommand::Allocate { .. } => &[Verb::Allocate],
            RangeCommand::Bind { .. } | RangeCommand::Mark { .. } => &[Verb::Modify],
            RangeCommand::Recall { .. } | RangeCommand::LiftRecall { .. } => &[Verb::Suspend],
            RangeCommand::Export { .. } | RangeCommand::Lease { .. } | RangeCommand::Reconcile { .. } => &[Verb::Print],
        },
        Command::Template(_) => &[Verb::Template],
        Command::Business(command) => match &**command {
            BusinessCommand::PutEnterprise { .. }
            | BusinessCommand::Forget { .. }
            | BusinessCommand::Disclose { .. }
            | BusinessCommand::PutImage { .. }
            | BusinessCommand::Apply { .. }
            | BusinessCommand::Application(_) => &[Verb::Apply],
            BusinessCommand::Operator(OperatorCommand::Disclose { .. }) => &[Verb::Audit],
            BusinessCommand::Operator(_) => &[Verb::Home],
            BusinessCommand::SetRealName { .. } => &[Verb::Review],
            BusinessCommand::Step { step, .. } => match step {
                CaseStep::Review
                | CaseStep::Approve
                | CaseStep::Reject { .. }
                | CaseStep::Suspend { .. }
                | CaseStep::Resume => &[Verb::Review],
                CaseStep::ConfirmTopLevel { .. }
                | CaseStep::Host
                | CaseStep::Delegate { .. }
                | CaseStep::Delete { .. } => &[Verb::Home],
            },
        },
    };
    verbs.iter().copied().chain(brings_notice(command).then_some(Verb::Suspend)).collect()
}

/// Whether a command brings the notice of a recall among its values.
fn brings_notice(command: &Command) -> bool {
    match command {
        Command::Put { values, .. }
        | Command::PutWithdrawn { values, .. }
        | Command::AddValues { values, .. }
        | Command::ModifyValues { values, .. } => notice_in(values.values()).is_some(),
        _ => false,
    }
}

/// The prefix whose scope a handle lies in, folded: that of its record, or the one a prefix record is about. What merely begins with `0.NA/` and
/// is no prefix record lies under `0.NA`. Handles too long for the protocol are told by their front too: they are refused as such later.
#[must_use]
pub fn prefix_of(bytes: &[u8]) -> Vec<u8> {
    let front = bytes.get(..waymark_ident::MAX_HANDLE_BYTES).unwrap_or(bytes);
    // Cannot fail at this length.
    let Ok(handle) = Handle::new(front) else { return Vec::new() };
    let target = handle.prefix_record_target().filter(|target| !target.contains(&b'/'));
    let mut prefix = target.unwrap_or_else(|| handle.prefix()).to_vec();
    fold_in_place(&mut prefix);
    prefix
}

/// A prefix as rights are looked up by.
fn folded(prefix: &[u8]) -> Vec<u8> {
    let mut prefix = prefix.to_vec();
    fold_in_place(&mut prefix);
    prefix
}

impl Rights {
    /// Whether a command on enterprises lies where the credential works. An enterprise asks for prefixes it does not have yet, so only a credential
    /// with a scope of its own holds it back there; that an enterprise is the caller's own is decided where the enterprises are known.
    fn reaches_business(&self, command: &BusinessCommand) -> bool {
        match (command, command.folded_prefix()) {
            (BusinessCommand::Apply { .. }, Some(prefix)) => !self.is_narrowed() || self.covers(&prefix),
            (_, Some(prefix)) => self.covers(&prefix),
            (BusinessCommand::Operator(_), None) => self.is_everywhere(),
            (_, None) => !self.is_narrowed() || self.is_everywhere(),
        }
    }

    fn may_put(&self, new: &Principal, access: &Access) -> bool {
        let former = access.principal(&new.name);
        let manages = self.manages(new)
            && former.is_none_or(|former| self.manages(former))
            && !self.is_held_from(&new.name, access);
        manages && (self.role() == Role::Operator || self.gives_limits(new, former.map(|former| &**former)))
    }

    fn may_remove(&self, name: &str, access: &Access) -> bool {
        match access.principal(name) {
            Some(principal) => self.manages(principal) && !self.is_held_from(name, access),
            // That there is none may be said only to those who may see all.
            None => self.is_whole_operator(),
        }
    }

    fn may_issue(&self, token: &Token, access: &Access) -> bool {
        let Some(holder) = access.principal(&token.principal) else { return self.is_whole_operator() };
        self.reaches_token(token, holder)
    }

    fn may_revoke(&self, id: TokenId, access: &Access) -> bool {
        let token = access.token(id);
        match token.and_then(|token| Some((token, access.principal(&token.principal)?))) {
            Some((token, holder)) => self.reaches_token(token, holder),
            None => self.is_whole_operator(),
        }
    }

    /// Whether the credential may give or take this token: it is for a principal it manages, or for its own, not wider than that principal, and
    /// not wider than the credential.
    fn reaches_token(&self, token: &Token, holder: &Principal) -> bool {
        if self.is_whole_operator() {
            return true;
        }
        let own = holder.name == self.principal.name;
        // A token without a scope of its own grows with its principal, which one issued by a narrowed credential must not.
        let bounded = !own || !self.is_narrowed() || token.scope.is_some();
        let verbs = token.verbs.unwrap_or_else(|| holder.role.verbs());
        let scope = token.scope.as_ref().unwrap_or(&holder.scope);
        (own || self.manages(holder))
            && bounded
            && token.is_within(holder)
            && verbs.within(self.verbs)
            && self.covers_all_of(scope)
    }

    /// Whether the credential may make, change or remove this principal.
    fn manages(&self, other: &Principal) -> bool {
        let within = other.role.verbs().within(self.verbs) && self.covers_all_of(&other.scope);
        match self.role() {
            Role::Operator => within,
            Role::EnterpriseAdministrator => {
                let role = matches!(other.role, Role::Writer | Role::Reader);
                // An empty scope lies within everybody's: whoever has one is nobody's but the operators'.
                role && within && !other.scope.is_empty() && other.name != self.principal.name
            }
            _ => false,
        }
    }

    /// Whether a principal was disabled by somebody above the credential, who alone may touch it.
    fn is_held_from(&self, name: &str, access: &Access) -> bool {
        access.disabler(name).is_some_and(|disabler| disabler > self.disabler())
    }

    /// Who disables what this credential disables.
    fn disabler(&self) -> Disabler {
        if self.role() == Role::Operator { Disabler::Operator } else { Disabler::EnterpriseAdministrator }
    }

    /// How many principals an enterprise administrator manages, whatever its credential was narrowed to; `None` for others.
    fn administered(&self, access: &Access) -> Option<usize> {
        let whole = Self::of(&self.principal);
        let managed = access.principals().filter(|principal| whole.manages(principal));
        (self.role() == Role::EnterpriseAdministrator).then(|| managed.count())
    }

    /// Whether quota and rate of a principal are none the credential's own principal could not have, or are left as they were.
    fn gives_limits(&self, new: &Principal, former: Option<&Principal>) -> bool {
        let own = &self.principal;
        let quota = is_no_more(new.daily_quota, own.daily_quota)
            || former.is_some_and(|former| is_no_more(new.daily_quota, former.daily_quota));
        let rate = new.rate_per_second.is_none()
            || own.rate_per_second.is_some_and(|own| is_no_more(new.rate_per_second, Some(own)))
            || former.is_some_and(|former| former.rate_per_second == new.rate_per_second);
        quota && rate
    }

    /// An operator by a credential that takes nothing away.
    fn is_whole_operator(&self) -> bool {
        self.role() == Role::Operator && self.is_everywhere() && Role::Operator.verbs().within(self.verbs)
    }
}

impl Token {
    /// Whether it gives nothing that its principal has not.
    pub(crate) fn is_within(&self, holder: &Principal) -> bool {
        self.verbs.is_none_or(|verbs| verbs.within(holder.role.verbs()))
            && self.scope.as_ref().is_none_or(|scope| holder.scope.covers_all_of(scope))
    }
}

impl Scope {
    /// Whether it covers nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Prefixes(prefixes) if prefixes.is_empty())
    }
}

/// Compares limits, where `None` is none.
fn is_no_more<T: Ord>(limit: Option<T>, than: Option<T>) -> bool {
    match (limit, than) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(limit), Some(than)) => limit <= than,
    }
}

#[cfg(test)]
mod tests;
