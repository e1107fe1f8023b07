//! What a command means for the data as it is: a change, nothing, or a refusal. Pure: no IO, no clock.

mod recall;
mod status;

use std::cmp::Ordering;

use waymark_ident::{CaseRule, Handle};
use waymark_store::{Serial, Timestamp};
use waymark_wire::{Permissions, ValueRef, Values};

use crate::access::permit::Permit;
use crate::command::{AddMode, Command, Expect, InvalidValue, Order, Outcome, PutMode, Refusal, Timestamps};
use crate::config::RecordLimits;
use crate::limits::{check_handle, check_record, check_values};
use crate::link::check_links;
use crate::prefixes::{key_of, prefix_of_key};
use crate::recall::{check_notices, is_notice};
use crate::record::{Stored, encode};
use crate::reserved::ReservedKey;
use crate::status::{Withdrawal, WithdrawalBuf};
use crate::values::{ContentHash, ValueSet, same_content};
use crate::warnings::Warnings;

/// A record as it stands before a command, perhaps written by a command of the same group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// Serial of its entry.
    pub(crate) serial: Serial,
    /// Time of its entry.
    pub(crate) time: Timestamp,
    /// Its stored form.
    pub(crate) body: Vec<u8>,
}

/// What is known about a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Current<'a> {
    /// No record.
    Absent,
    /// There is, or may be, a record, but the disk does not give it.
    Unreadable,
    /// This record.
    Live(&'a Version),
}

/// What a decision rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// The record the command names.
    pub(crate) current: Current<'a>,
    /// Its canonical key.
    pub(crate) key: &'a [u8],
    /// How handles fold.
    pub(crate) rule: CaseRule,
    /// Whether the node answers for the key.
    pub(crate) served: bool,
    /// Limits on what is written.
    pub(crate) limits: &'a RecordLimits,
    /// Time of the commit in seconds since 1970, for the timestamps of values.
    pub(crate) stamp: u32,
}

/// What happens to the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is written.
    Write { body: Vec<u8>, content: ContentHash, outcome: Outcome, warnings: Warnings },
    /// It is deleted.
    Delete,
    /// It already is as asked.
    Keep { serial: Serial, time: Timestamp, content: ContentHash },
}

/// The canonical key of the record a command is about; `None` for commands that are about no record.
///
/// # Errors
/// [`Refusal::InvalidHandle`] for a handle longer than the protocol knows.
pub(crate) fn record_key(command: &Command, rule: CaseRule) -> Result<Option<Vec<u8>>, Refusal> {
    let handle = match command {
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
        | Command::PutFromTemplate { handle, .. } => handle,
        Command::Template(command) => {
            let Some(template) = command.record() else { return Ok(None) };
            let handle = template.handle();
            let handle = Handle::new(&handle).map_err(Refusal::InvalidHandle)?;
            return Ok(Some(key_of(&handle, rule)));
        }
        Command::Restore(restore) => {
            let ReservedKey::Template(_, template) = restore.name().key() else { return Ok(None) };
            let handle = template.handle();
            let handle = Handle::new(&handle).map_err(Refusal::InvalidHandle)?;
            return Ok(Some(key_of(&handle, rule)));
        }
        Command::Home { .. }
        | Command::Unhome { .. }
        | Command::PutPrincipal { .. }
        | Command::RemovePrincipal { .. }
        | Command::IssueToken { .. }
        | Command::RevokeToken { .. }
        | Command::Range(_)
        | Command::Link(_)
        | Command::Business(_) => return Ok(None),
    };
    let handle = Handle::new(handle).map_err(Refusal::InvalidHandle)?;
    Ok(Some(key_of(&handle, rule)))
}

/// Decides about a command on a record.
///
/// # Errors
/// The first reason against it, in the order: handle, prefix, existence, values.
pub(crate) fn decide(_permit: Permit, order: &Order, facts: &Facts<'_>) -> Result<Decision, Refusal> {
    if let Some(expect) = &order.expect {
        check_expected(expect, facts)?;
    }
    match &order.command {
        Command::Put { handle, values, timestamps, mode } => {
            put(&NewRecord { handle, values, timestamps: *timestamps, mode: *mode, status: None }, facts)
        }
        Command::PutWithdrawn { handle, values, timestamps, mode, status } => {
            put(&NewRecord { handle, values, timestamps: *timestamps, mode: *mode, status: Some(status) }, facts)
        }
        Command::AddValues { values, timestamps, mode, .. } => add(values, *timestamps, *mode, facts),
        Command::ModifyValues { values, timestamps, .. } => modify(values, *timestamps, facts),
        Command::RemoveValues { indexes, .. } => remove(indexes, facts),
        Command::Delete { .. } => {
            let (_, old) = existing(facts)?;
            status::check_not_withdrawn(&old)?;
            recall::check_not_recalled(&old)?;
            Ok(Decision::Delete)
        }
        Command::Suspend { reason, .. } => status::suspend(reason, facts),
        Command::Resume { .. } => status::resume(facts),
        Command::Revoke { reason, .. } => status::revoke(reason, facts),
        Command::Recall { handle, reason } => recall::recall(handle, reason, facts),
        Command::LiftRecall { .. } => recall::lift(facts),
        // Not about records; they never come here.
        _ => Err(Refusal::NotFound),
    }
}

/// Refuses what is asked of a record that is not as expected, and says how it is.
fn check_expected(expect: &Expect, facts: &Facts<'_>) -> Result<(), Refusal> {
    let (serial, content) = match facts.current {
        Current::Absent => (Serial::NONE, None),
        Current::Unreadable => return Err(Refusal::Unreadable),
        Current::Live(version) => (version.serial, Some(ContentHash::of(values_of(&stored(version)?)?))),
    };
    let as_expected = match expect {
        Expect::Absent => content.is_none(),
        Expect::Serial(wanted) => serial == *wanted && content.is_some(),
        Expect::Content(wanted) => content == Some(*wanted),
    };
    if as_expected { Ok(()) } else { Err(Refusal::Unexpected { serial, content }) }
}

/// A whole record that comes in.
struct NewRecord<'a> {
    handle: &'a [u8],
    values: &'a ValueSet,
    timestamps: Timestamps,
    mode: PutMode,
    /// The status it shall have; `None` leaves it as it is.
    status: Option<&'a WithdrawalBuf>,
}

fn put(new: &NewRecord<'_>, facts: &Facts<'_>) -> Result<Decision, Refusal> {
    let NewRecord { handle, values, timestamps, .. } = *new;
    let of_handle = check_handle(handle, facts.limits)?;
    check_served(facts)?;
    let of_values = check_new_values(values, facts)?;
    let warnings = of_handle.and(of_values).and(check_record(values, facts.limits)?);
    new.status.map_or(Ok(()), |status| status::check_reason(&status.reason))?;
    match facts.current {
        Current::Absent => {
            let mut stamped = ValueSet::with_room(values.wire().len());
            values.values().iter().for_each(|value| stamped.push_given(&value, timestamps, facts.stamp));
            let status = new.status.map(|status| status::given(status, None, facts.stamp));
            Ok(write(&Written { handle, status, values: &stamped }, Outcome::Created, warnings))
        }
        Current::Unreadable => Err(Refusal::Unreadable),
        Current::Live(version) => {
            let old = stored(version)?;
            let decision = put_over(new, version, &old, warnings, facts);
            // What says of a revoked record that it is as it is may be said again.
            if !matches!((&decision, new.status), (Ok(Decision::Keep { .. }), Some(_))) {
                status::check_not_revoked(&old)?;
            }
            decision
        }
    }
}

/// A whole record where there is one.
fn put_over(
    new: &NewRecord<'_>,
    version: &Version,
    old: &Stored<'_>,
    warnings: Warnings,
    facts: &Facts<'_>,
) -> Result<Decision, Refusal> {
    let old_values = values_of(old)?;
    let kept = recall::kept(old_values, new.values.values())?;
    let new_values = kept.as_ref().unwrap_or(new.values);
    let status = match new.status {
        Some(status) => Some(status::given(status, old.status(), facts.stamp)),
        None => old.status(),
    };
    if new.mode != PutMode::Replace {
        let content = ContentHash::of(old_values);
        let same_content = content == new_values.content() && status == old.status();
        if new.mode == PutMode::CreateOrSame && same_content {
            return Ok(Decision::Keep { serial: version.serial, time: version.time, content });
        }
        return Err(Refusal::AlreadyExists { same_content, serial: version.serial });
    }
    let mut stamped = ValueSet::default();
    for pair in merge(old_values, new_values.values()) {
        if let Pair { new: Some(value), old } = pair {
            stamped.push_over(old.as_ref(), &value, new.timestamps, facts.stamp);
        }
    }
    let new = Written { handle: new.handle, status, values: &stamped };
    Ok(write_or_keep(version, &new, Outcome::Replaced, warnings))
}

fn add(values: &ValueSet, timestamps: Timestamps, mode: AddMode, facts: &Facts<'_>) -> Result<Decision, Refusal> {
    let (version, old) = existing(facts)?;
    check_not_empty(values)?;
    let warnings = check_new_values(values, facts)?;
    let mut result = ValueSet::default();
    for Pair { old, new } in merge(values_of(&old)?, values.values()) {
        match (old, new) {
            (Some(old), Some(new)) => match mode {
                AddMode::NewOrSame if same_content(&old, &new) => result.push(old.wire),
                AddMode::New | AddMode::NewOrSame => return Err(Refusal::IndexConflict { index: new.index }),
                AddMode::Overwrite => {
                    check_writable(&old)?;
                    result.push_over(Some(&old), &new, timestamps, facts.stamp);
                }
            },
            (Some(old), None) => result.push(old.wire),
            (None, Some(new)) => result.push_given(&new, timestamps, facts.stamp),
            (None, None) => {}
        }
    }
    let warnings = warnings.and(check_record(&result, facts.limits)?);
    Ok(write_or_keep(version, &Written::over(&old, &result), Outcome::Changed, warnings))
}

fn modify(values: &ValueSet, timestamps: Timestamps, facts: &Facts<'_>) -> Result<Decision, Refusal> {
    let (version, old) = existing(facts)?;
    check_not_empty(values)?;
    let warnings = check_new_values(values, facts)?;
    let mut result = ValueSet::default();
    for Pair { old, new } in merge(values_of(&old)?, values.values()) {
        match (old, new) {
            (Some(old), Some(new)) => {
                check_writable(&old)?;
                result.push_over(Some(&old), &new, timestamps, facts.stamp);
            }
            (Some(old), None) => result.push(old.wire),
            (None, Some(new)) => return Err(Refusal::ValuesNotFound { index: new.index }),
            (None, None) => {}
        }
    }
    let warnings = warnings.and(check_record(&result, facts.limits)?);
    Ok(write_or_keep(version, &Written::over(&old, &result), Outcome::Changed, warnings))
}

fn remove(indexes: &[u32], facts: &Facts<'_>) -> Result<Decision, Refusal> {
    let (version, old) = existing(facts)?;
    if indexes.is_empty() {
        return Err(Refusal::InvalidValue(InvalidValue::Empty));
    }
    let mut wanted = indexes.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let mut missing = wanted.iter().copied().peekable();
    let mut result = ValueSet::default();
    for value in values_of(&old)? {
        if missing.peek().is_some_and(|&index| index < value.index) {
            break;
        }
        if missing.next_if_eq(&value.index).is_none() {
            result.push(value.wire);
        } else if is_notice(&value) {
            return Err(Refusal::Recalled);
        }
    }
    if let Some(index) = missing.next() {
        return Err(Refusal::ValuesNotFound { index });
    }
    Ok(write_or_keep(version, &Written::over(&old, &result), Outcome::Changed, Warnings::NONE))
}

/// The record the command changes, which must not be revoked.
fn existing<'a>(facts: &Facts<'a>) -> Result<(&'a Version, Stored<'a>), Refusal> {
    check_served(facts)?;
    match facts.current {
        Current::Absent => Err(Refusal::NotFound),
        Current::Unreadable => Err(Refusal::Unreadable),
        Current::Live(version) => {
            let old = stored(version)?;
            status::check_not_revoked(&old)?;
            Ok((version, old))
        }
    }
}

fn stored(version: &Version) -> Result<Stored<'_>, Refusal> {
    Stored::parse(&version.body).map_err(|_| Refusal::Unreadable)
}

fn values_of<'a>(stored: &Stored<'a>) -> Result<Values<'a>, Refusal> {
    stored.values().map_err(|_| Refusal::Unreadable)
}

fn check_served(facts: &Facts<'_>) -> Result<(), Refusal> {
    if facts.served { Ok(()) } else { Err(Refusal::NotServed { prefix: prefix_of_key(facts.key).to_vec() }) }
}

/// Checks each value that comes in, by itself.
fn check_new_values(values: &ValueSet, facts: &Facts<'_>) -> Result<Warnings, Refusal> {
    let warnings = check_values(values.values(), facts.limits)?;
    check_notices(values.values())?;
    check_links(values.values(), facts.key, facts.rule)?;
    Ok(warnings)
}

fn check_not_empty(values: &ValueSet) -> Result<(), Refusal> {
    if values.is_empty() { Err(Refusal::InvalidValue(InvalidValue::Empty)) } else { Ok(()) }
}

/// A value without the administrators' write permission stays as it is, for administrators too.
fn check_writable(value: &ValueRef<'_>) -> Result<(), Refusal> {
    let writable = value.permissions.has(Permissions::ADMIN_WRITE);
    if writable { Ok(()) } else { Err(Refusal::ReadOnlyValue { index: value.index }) }
}

/// A record as it shall stand.
struct Written<'a> {
    handle: &'a [u8],
    status: Option<Withdrawal<'a>>,
    values: &'a ValueSet,
}

impl<'a> Written<'a> {
    /// Other values in a record.
    fn over(old: &Stored<'a>, values: &'a ValueSet) -> Self {
        Self { handle: old.handle(), status: old.status(), values }
    }
}

fn write(new: &Written<'_>, outcome: Outcome, warnings: Warnings) -> Decision {
    Decision::Write {
        body: encode(new.handle, new.status, new.values),
        content: new.values.content(),
        outcome,
        warnings,
    }
}

/// A change, unless the record would be what it is, to the byte.
fn write_or_keep(version: &Version, new: &Written<'_>, outcome: Outcome, warnings: Warnings) -> Decision {
    match write(new, outcome, warnings) {
        Decision::Write { body, content, .. } if body == version.body => {
            Decision::Keep { serial: version.serial, time: version.time, content }
        }
        decision => decision,
    }
}

impl ValueSet {
    /// Adds a new value, stamped as asked.
    fn push_given(&mut self, value: &ValueRef<'_>, timestamps: Timestamps, stamp: u32) {
        match timestamps {
            Timestamps::Keep if value.timestamp != 0 => self.push(value.wire),
            Timestamps::Keep | Timestamps::Now => self.push_stamped(value.wire, stamp),
        }
    }

    /// Adds a value that takes the place of `old`: one that changes nothing keeps its time, as the protocol's servers do.
    fn push_over(&mut self, old: Option<&ValueRef<'_>>, new: &ValueRef<'_>, timestamps: Timestamps, stamp: u32) {
        match old {
            Some(old) if same_content(old, new) && (timestamps == Timestamps::Now || new.timestamp == 0) => {
                self.push(old.wire);
            }
            _ => self.push_given(new, timestamps, stamp),
        }
    }
}

/// Old and new value of one index; at least one of them.
struct Pair<'a, 'b> {
    old: Option<ValueRef<'a>>,
    new: Option<ValueRef<'b>>,
}

/// Walks two ascending lists of values side by side.
fn merge<'a, 'b>(old: Values<'a>, new: Values<'b>) -> impl Iterator<Item = Pair<'a, 'b>> {
    let mut old = old.into_iter().peekable();
    let mut new = new.into_iter().peekable();
    std::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.index.cmp(&new.index),
        };
        Some(match order {
            Ordering::Less => Pair { old: old.next(), new: None },
            Ordering::Greater => Pair { old: None, new: new.next() },
            Ordering::Equal => Pair { old: old.next(), new: new.next() },
        })
    })
}

#[cfg(test)]
mod tests;
