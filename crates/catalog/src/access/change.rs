//! What a command about principals or tokens means for the table: changes, nothing, or a refusal. Pure: no IO, no clock.

use std::sync::Arc;

use waymark_store::{Serial, Timestamp};

use super::permit::Permit;
use super::rights::Scope;
use super::token::{Token, TokenId};
use super::{Access, Disabler, Principal};
use crate::command::{Command, Outcome, Refusal};
use crate::config::{ACCESS_NOTE_BYTES, AccessLimits, PRINCIPAL_NAME_BYTES, REASON_BYTES, TOKEN_AHEAD_MS};

/// One change of the table, and one entry of the log.
#[derive(Clone, Debug)]
pub(crate) enum AccessChange {
    /// A disabled one by whoever disabled it.
    PutPrincipal(Principal, Disabler),
    RemovePrincipal(Arc<str>),
    PutToken(Token),
    /// Forgets a token that is long over.
    RemoveToken(TokenId),
}

/// What becomes of a command.
#[derive(Debug)]
pub(crate) enum AccessDecision {
    /// All is as asked, by this entry.
    Keep((Serial, Timestamp)),
    /// The changes in order; the entry of the first one is the command's.
    Change(Vec<AccessChange>, Outcome),
}

/// Decides about a command on principals or tokens.
///
/// # Errors
/// [`Refusal::InvalidAccess`] for what may not be stored, [`Refusal::NotFound`] for what is not there.
pub(crate) fn decide_access(
    permit: Permit,
    command: &Command,
    access: &Access,
    limits: &AccessLimits,
    now: Timestamp,
) -> Result<AccessDecision, Refusal> {
    match command {
        Command::PutPrincipal { principal } => put_principal(permit, principal.clone(), access, limits),
        Command::RemovePrincipal { name } => remove_principal(name, access, now),
        Command::IssueToken { token } => issue(token, access, limits, now),
        Command::RevokeToken { id, reason } => revoke(*id, reason, access, now),
        _ => Err(Refusal::NotFound),
    }
}

fn put_principal(
    permit: Permit,
    mut principal: Principal,
    access: &Access,
    limits: &AccessLimits,
) -> Result<AccessDecision, Refusal> {
    principal.certificates.sort_unstable();
    principal.certificates.dedup();
    check_name(&principal.name)?;
    check_scope(&principal.scope, limits)?;
    check_text("note", &principal.note, ACCESS_NOTE_BYTES)?;
    if principal.rate_per_second == Some(0) {
        return Err(invalid("rate", "is 0; leave it out for the configured one, or disable the principal"));
    }
    if principal.certificates.len() > limits.certificates {
        return Err(invalid("certificates", "are more than a principal may have"));
    }
    let foreign = |certificate| access.owner_of_certificate(certificate).is_some_and(|owner| *owner != *principal.name);
    if principal.certificates.iter().any(foreign) {
        return Err(invalid("certificates", "hold one that is known to another principal"));
    }
    let former = access.disabler(&principal.name);
    // What an operator has disabled stays disabled by an operator, and becomes so when an operator writes it as disabled.
    let own = permit.disabler();
    let by = former.map_or(own, |former| former.max(own));
    match access.principal(&principal.name) {
        Some(known) if **known == principal && former == principal.disabled.then_some(by) => {
            let entry = access.principal_entry(&principal.name).unwrap_or_default();
            Ok(AccessDecision::Keep(entry))
        }
        None if access.count() >= limits.principals => Err(invalid("name", "would be one principal too many")),
        None if permit.administered().is_some_and(|count| count >= limits.principals_per_administrator) => Err(
            invalid("name", "would be one principal more than there may be within the prefixes of an administrator"),
        ),
        _ => Ok(AccessDecision::Change(vec![AccessChange::PutPrincipal(principal, by)], Outcome::Stored)),
    }
}

/// Removes a principal and revokes its tokens, so that none of them works again when another principal gets the name.
fn remove_principal(name: &str, access: &Access, now: Timestamp) -> Result<AccessDecision, Refusal> {
    let principal = access.principal(name).ok_or(Refusal::NotFound)?;
    let tokens = access.tokens_of(name).filter(|token| token.is_live(now));
    let revoked = tokens.map(|token| AccessChange::PutToken(revoked(token, now, PRINCIPAL_REMOVED)));
    let changes = std::iter::once(AccessChange::RemovePrincipal(Arc::clone(&principal.name))).chain(revoked).collect();
    Ok(AccessDecision::Change(changes, Outcome::Deleted))
}

fn issue(token: &Token, access: &Access, limits: &AccessLimits, now: Timestamp) -> Result<AccessDecision, Refusal> {
    let holder = access.principal(&token.principal).ok_or(invalid("principal", "does not exist"))?;
    if let Some(scope) = &token.scope {
        check_scope(scope, limits)?;
    }
    if !token.is_within(holder) {
        return Err(invalid("token", "is for more than its principal may do"));
    }
    check_text("note", &token.note, ACCESS_NOTE_BYTES)?;
    if token.revoked.is_some() || !token.revoke_reason.is_empty() {
        return Err(invalid("token", "is revoked already"));
    }
    // A door reads the clock while the group is formed whose time is `now`.
    if token.created.0 > now.0.saturating_add(TOKEN_AHEAD_MS) {
        return Err(invalid("created", "lies in the future"));
    }
    if token.expires <= now {
        return Err(invalid("expires", "lies in the past"));
    }
    if token.expires.0.saturating_sub(token.created.max(now).0) > limits.token_lifetime_ms() {
        return Err(invalid("expires", "lies further ahead than a token may live"));
    }
    if access.token(token.id).is_some() {
        return Err(invalid("id", "is taken; make a new token"));
    }
    let (live, mut over): (Vec<_>, Vec<_>) = access.tokens_of(&token.principal).partition(|token| token.is_live(now));
    if live.len() >= limits.tokens {
        return Err(invalid("principal", "has as many tokens as it may; revoke one"));
    }
    let mut changes = vec![AccessChange::PutToken(token.clone())];
    over.sort_unstable_by_key(|token| (token.ended(), token.id));
    let excess = over.len().saturating_sub(limits.finished_tokens);
    changes.extend(over.iter().take(excess).map(|token| AccessChange::RemoveToken(token.id)));
    Ok(AccessDecision::Change(changes, Outcome::Stored))
}

fn revoke(id: TokenId, reason: &str, access: &Access, now: Timestamp) -> Result<AccessDecision, Refusal> {
    check_text("reason", reason, REASON_BYTES)?;
    let token = access.token(id).ok_or(Refusal::NotFound)?;
    if token.revoked.is_some() {
        return Ok(AccessDecision::Keep(access.token_entry(id).unwrap_or_default()));
    }
    Ok(AccessDecision::Change(vec![AccessChange::PutToken(revoked(token, now, reason))], Outcome::Stored))
}

fn revoked(token: &Token, now: Timestamp, reason: &str) -> Token {
    Token { revoked: Some(now), revoke_reason: reason.to_owned(), ..token.clone() }
}

impl Token {
    /// When it ceased, or will cease, to be of use.
    fn ended(&self) -> Timestamp {
        self.revoked.map_or(self.expires, |revoked| revoked.min(self.expires))
    }
}

impl Access {
    /// Carries out a change by an entry of the log.
    pub(crate) fn apply(&mut self, change: AccessChange, entry: (Serial, Timestamp)) {
        match change {
            AccessChange::PutPrincipal(principal, by) => self.put_principal(principal, by, entry),
            AccessChange::RemovePrincipal(name) => self.remove_principal(&name),
            AccessChange::PutToken(token) => self.put_token(token, entry),
            AccessChange::RemoveToken(id) => self.remove_token(id),
        }
    }
}

/// Whether a name can be that of a principal: also tells principals from other actors of the log.
pub(crate) fn is_principal_name(name: &str) -> bool {
    let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'@');
    (1..=PRINCIPAL_NAME_BYTES).contains(&name.len()) && name.bytes().all(sound)
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if !is_principal_name(name) {
        return Err(invalid("name", "is not 1 to 64 letters, digits, or . - _ @"));
    }
    if name == "import" {
        return Err(invalid("name", "is what imports on this machine are logged as"));
    }
    Ok(())
}

fn check_scope(scope: &Scope, limits: &AccessLimits) -> Result<(), Refusal> {
    let Scope::Prefixes(prefixes) = scope else { return Ok(()) };
    if prefixes.len() > limits.prefixes {
        return Err(invalid("prefixes", "are more than a scope may have"));
    }
    if prefixes.iter().any(|prefix| prefix.len() > crate::config::SCOPE_PREFIX_BYTES) {
        return Err(invalid("prefixes", "hold one longer than 255 bytes"));
    }
    Ok(())
}

/// Texts for people: not too long, and nothing that moves a cursor.
fn check_text(field: &'static str, text: &str, most_bytes: usize) -> Result<(), Refusal> {
    if text.len() > most_bytes {
        return Err(invalid(field, "is too long"));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid(field, "holds a control character"));
    }
    Ok(())
}

const fn invalid(field: &'static str, problem: &'static str) -> Refusal {
    Refusal::InvalidAccess { field, problem }
}

/// Why the tokens of a removed principal are revoked.
const PRINCIPAL_REMOVED: &str = "principal removed";

#[cfg(test)]
mod tests;
