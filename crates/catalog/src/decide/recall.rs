//! Saying of a record that it is recalled, and no more.

use waymark_wire::Values;

use super::status::check_reason;
use super::{Current, Decision, Facts, Written, check_served, existing, values_of, write, write_or_keep};
use crate::command::{Outcome, Refusal};
use crate::limits::check_handle;
use crate::recall::{is_of_batch, notice_in, recalled, with_notice, without_notice};
use crate::record::Stored;
use crate::values::ValueSet;
use crate::warnings::Warnings;

/// Recalls a record, or gives its recall another reason. The record of a batch that is recalled is made where there is none.
pub(super) fn recall(handle: &[u8], reason: &str, facts: &Facts<'_>) -> Result<Decision, Refusal> {
    check_reason(reason)?;
    if matches!(facts.current, Current::Absent) && is_of_batch(facts.key) {
        let warnings = check_handle(handle, facts.limits)?;
        check_served(facts)?;
        let values = recalled(Values::default(), reason, facts.stamp)?;
        return Ok(write(&Written { handle, status: None, values: &values }, Outcome::Recalled, warnings));
    }
    let (version, old) = existing(facts)?;
    // Beyond the limits too: a record that is full can be recalled.
    let values = recalled(values_of(&old)?, reason, facts.stamp)?;
    Ok(write_or_keep(version, &Written::over(&old, &values), Outcome::Recalled, Warnings::NONE))
}

/// Ends that.
pub(super) fn lift(facts: &Facts<'_>) -> Result<Decision, Refusal> {
    let (version, old) = existing(facts)?;
    let values = without_notice(values_of(&old)?);
    Ok(write_or_keep(version, &Written::over(&old, &values), Outcome::RecallLifted, Warnings::NONE))
}

/// The values that take the place of `old`, with the notice of that, where they bring none.
pub(super) fn kept(old: Values<'_>, new: Values<'_>) -> Result<Option<ValueSet>, Refusal> {
    match notice_in(old) {
        Some(notice) if notice_in(new).is_none() => with_notice(new, [notice]).map(Some),
        _ => Ok(None),
    }
}

/// Refuses to delete a record that is recalled: nobody would be told of it any more.
pub(super) fn check_not_recalled(stored: &Stored<'_>) -> Result<(), Refusal> {
    if notice_in(values_of(stored)?).is_some() { Err(Refusal::Recalled) } else { Ok(()) }
}
