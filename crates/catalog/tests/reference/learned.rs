//! What the real catalog is seen to give to the writes and contents of the reference.

use std::collections::BTreeMap;

use waymark_catalog::{ContentHash, ItemOutcome, Outcome, Receipt, Refusal, RefusalCode};
use waymark_store::{Serial, Timestamp};

use super::{Answer, No, Values, What, Write};

/// Serials, times and hashes seen. Each write has one serial, ascending; equal contents have equal hashes and others have not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learned {
    serials: BTreeMap<Write, Serial>,
    times: BTreeMap<Write, Timestamp>,
    hashes: BTreeMap<Values, ContentHash>,
}

/// What was seen is not what it should be.
pub(crate) type Differs = String;

fn agree<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, found: &T) -> Result<(), Differs> {
    if expected == found { Ok(()) } else { Err(format!("{what}: expected {expected:?}, found {found:?}")) }
}

impl Learned {
    /// The serial of a write that was seen before.
    pub(crate) fn serial_of(&self, write: Write) -> Serial {
        self.serials[&write]
    }

    pub(crate) fn serial(&mut self, write: Write, found: Serial) -> Result<(), Differs> {
        if let Some(known) = self.serials.get(&write) {
            return agree("serial", known, &found);
        }
        let before = self.serials.range(..write).next_back().map_or(Serial::NONE, |(_, serial)| *serial);
        let behind = self.serials.range(write..).next().map_or(Serial::MAX, |(_, serial)| *serial);
        if found <= before || found >= behind {
            return Err(format!("serial {found} of write {write} is not between {before} and {behind}"));
        }
        self.serials.insert(write, found);
        Ok(())
    }

    pub(crate) fn time(&mut self, write: Write, found: Timestamp) -> Result<(), Differs> {
        agree("time", self.times.entry(write).or_insert(found), &found)
    }

    pub(crate) fn hash(&mut self, values: &Values, found: ContentHash) -> Result<(), Differs> {
        let other = self.hashes.iter().find(|(known, hash)| **hash == found && *known != values);
        if let Some((other, _)) = other {
            return Err(format!("{values:?} and {other:?} have the same hash"));
        }
        agree("content", self.hashes.entry(values.clone()).or_insert(found), &found)
    }

    /// Compares what was answered to one order.
    pub(crate) fn answer(
        &mut self,
        expected: &Answer,
        repeated: bool,
        found: &Result<Receipt, Refusal>,
    ) -> Result<(), Differs> {
        match (expected, found) {
            (Ok(done), Ok(receipt)) => {
                agree("outcome", &outcome(done.what), &receipt.outcome)?;
                agree("repeated", &repeated, &receipt.repeated)?;
                self.serial(done.write, receipt.serial)?;
                self.time(done.write, receipt.time)?;
                self.hash(&done.values, receipt.content)
            }
            (Err(no), Err(refusal)) => self.refusal(no, refusal),
            _ => Err(format!("expected {expected:?}, found {found:?}")),
        }
    }

    fn refusal(&mut self, no: &No, refusal: &Refusal) -> Result<(), Differs> {
        agree("refusal", &code(no), &refusal.code())?;
        match (no, refusal) {
            (No::Exists { write, .. }, Refusal::AlreadyExists { serial, .. }) => self.serial(*write, *serial),
            (No::Unexpected(Some((write, values))), Refusal::Unexpected { serial, content: Some(content) }) => {
                self.serial(*write, *serial)?;
                self.hash(values, *content)
            }
            (No::Unexpected(None), Refusal::Unexpected { serial: Serial::NONE, content: None }) => Ok(()),
            (No::Unexpected(_), _) => Err(format!("expected {no:?}, found {refusal:?}")),
            (No::StreamIsAt(mark), Refusal::MarkMoved { found }) => agree("mark", mark, found),
            (No::OverQuota(wanted), Refusal::QuotaExceeded { quota, .. }) => agree("quota", wanted, quota),
            (No::IndexTaken(wanted), Refusal::IndexConflict { index })
            | (No::IndexMissing(wanted), Refusal::ValuesNotFound { index })
            | (No::Fixed(wanted), Refusal::ReadOnlyValue { index }) => agree("index", wanted, index),
            _ => Ok(()),
        }
    }

    /// Compares what is told of one item of a stream, whenever it was decided.
    pub(crate) fn item(&mut self, expected: &Answer, found: &ItemOutcome) -> Result<(), Differs> {
        match (expected, found) {
            (Ok(done), ItemOutcome::Accepted(receipt)) => {
                agree("outcome of an item", &outcome(done.what), &receipt.outcome)?;
                self.serial(done.write, receipt.serial)?;
                self.time(done.write, receipt.time.ok_or("an item without a time")?)?;
                self.hash(&done.values, receipt.content.ok_or("an item without its content")?)
            }
            (Err(no), ItemOutcome::Refused(refused)) => agree("refusal of an item", &code(no), refused),
            _ => Err(format!("an item: expected {expected:?}, found {found:?}")),
        }
    }
}

const fn outcome(what: What) -> Outcome {
    match what {
        What::Created => Outcome::Created,
        What::Replaced => Outcome::Replaced,
        What::Changed => Outcome::Changed,
        What::Deleted => Outcome::Deleted,
        What::Same => Outcome::Same,
        What::Suspended => Outcome::Suspended,
        What::Resumed => Outcome::Resumed,
        What::Revoked => Outcome::Revoked,
        What::Recalled => Outcome::Recalled,
        What::RecallLifted => Outcome::RecallLifted,
        What::Homed => Outcome::Homed,
        What::Unhomed => Outcome::Unhomed,
    }
}

const fn code(no: &No) -> RefusalCode {
    match no {
        No::Exists { same: true, .. } => RefusalCode::AlreadyExistsSame,
        No::Exists { same: false, .. } => RefusalCode::AlreadyExistsDifferent,
        No::NotFound => RefusalCode::NotFound,
        No::NotServed => RefusalCode::NotServed,
        No::BadHandle => RefusalCode::InvalidHandle,
        No::IndexTaken(_) => RefusalCode::IndexConflict,
        No::IndexMissing(_) => RefusalCode::ValuesNotFound,
        No::Empty => RefusalCode::InvalidValue,
        No::Fixed(_) => RefusalCode::ReadOnlyValue,
        No::Unexpected(_) => RefusalCode::Unexpected,
        No::Revoked => RefusalCode::Withdrawn,
        No::Recalled => RefusalCode::Recalled,
        No::StreamIsAt(_) => RefusalCode::MarkMoved,
        No::Reused => RefusalCode::RequestReused,
        No::TooOld => RefusalCode::RequestExpired,
        No::NotPermitted => RefusalCode::NotPermitted,
        No::OverQuota(_) => RefusalCode::QuotaExceeded,
    }
}
