//! Taking records out of resolution and putting them back.

use waymark_wire::Values;

use super::{Decision, Facts, Version, Written, existing, values_of, write_or_keep};
use crate::command::{Outcome, Refusal};
use crate::config::REASON_BYTES;
use crate::record::Stored;
use crate::status::{Withdrawal, WithdrawalBuf};
use crate::values::ValueSet;
use crate::warnings::Warnings;

/// Suspends an active record, or gives the suspension of a suspended one another reason.
pub(super) fn suspend(reason: &str, facts: &Facts<'_>) -> Result<Decision, Refusal> {
    check_reason(reason)?;
    let (version, old) = existing(facts)?;
    let since_seconds = old.status().map_or(facts.stamp, |status| status.since_seconds);
    let withdrawal = Withdrawal { revoked: false, since_seconds, reason };
    with_status(version, &old, Some(withdrawal), Outcome::Suspended)
}

/// Puts a suspended record back into resolution.
pub(super) fn resume(facts: &Facts<'_>) -> Result<Decision, Refusal> {
    let (version, old) = existing(facts)?;
    with_status(version, &old, None, Outcome::Resumed)
}

/// Takes a record out of resolution for good.
pub(super) fn revoke(reason: &str, facts: &Facts<'_>) -> Result<Decision, Refusal> {
    check_reason(reason)?;
    let (version, old) = existing(facts)?;
    let withdrawal = Withdrawal { revoked: true, since_seconds: facts.stamp, reason };
    with_status(version, &old, Some(withdrawal), Outcome::Revoked)
}

/// The same values under another status.
fn with_status(
    version: &Version,
    old: &Stored<'_>,
    status: Option<Withdrawal<'_>>,
    outcome: Outcome,
) -> Result<Decision, Refusal> {
    let values = copied(values_of(old)?);
    let new = Written { handle: old.handle(), status, values: &values };
    Ok(write_or_keep(version, &new, outcome, Warnings::NONE))
}

fn copied(values: Values<'_>) -> ValueSet {
    let mut set = ValueSet::default();
    values.iter().for_each(|value| set.push(value.wire));
    set
}

/// The status a record is to have: since when it has it, where nothing is said of that.
pub(super) fn given<'a>(new: &'a WithdrawalBuf, old: Option<Withdrawal<'_>>, stamp: u32) -> Withdrawal<'a> {
    let WithdrawalBuf { revoked, since_seconds, reason } = new;
    let kept = old.filter(|old| old.revoked == *revoked).map(|old| old.since_seconds);
    Withdrawal { revoked: *revoked, since_seconds: since_seconds.or(kept).unwrap_or(stamp), reason }
}

/// Checks a reason that comes in.
pub(super) fn check_reason(reason: &str) -> Result<(), Refusal> {
    let problem = if reason.len() > REASON_BYTES {
        "is longer than 1,024 bytes"
    } else if reason.contains(char::is_control) {
        "holds control characters"
    } else {
        return Ok(());
    };
    Err(Refusal::InvalidAccess { field: "reason", problem })
}

/// Refuses to delete a record that is out of resolution: made again, it would be back without anybody's right to resume it.
pub(super) fn check_not_withdrawn(stored: &Stored<'_>) -> Result<(), Refusal> {
    stored.status().map_or(Ok(()), |status| Err(Refusal::Withdrawn { revoked: status.revoked }))
}

/// Refuses to touch a record that is revoked.
pub(super) fn check_not_revoked(stored: &Stored<'_>) -> Result<(), Refusal> {
    match stored.status() {
        Some(Withdrawal { revoked: true, .. }) => Err(Refusal::Withdrawn { revoked: true }),
        _ => Ok(()),
    }
}
