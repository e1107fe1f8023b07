//! The numbers that stand for outcomes and refusals in stored bytes. They never change, and are never used again.

use crate::command::{Outcome, RefusalCode};

/// Every outcome, in order of its number.
const OUTCOMES: [Outcome; 30] = [
    Outcome::Created,
    Outcome::Replaced,
    Outcome::Changed,
    Outcome::Deleted,
    Outcome::Same,
    Outcome::Homed,
    Outcome::Unhomed,
    Outcome::Suspended,
    Outcome::Resumed,
    Outcome::Revoked,
    Outcome::Stored,
    Outcome::Allocated,
    Outcome::Exported,
    Outcome::Leased,
    Outcome::Reconciled,
    Outcome::Drafted,
    Outcome::Published,
    Outcome::Applied,
    Outcome::InReview,
    Outcome::Approved,
    Outcome::Rejected,
    Outcome::Confirmed,
    Outcome::Hosted,
    Outcome::Delegated,
    Outcome::Forgotten,
    Outcome::Disclosed,
    Outcome::Recalled,
    Outcome::RecallLifted,
    Outcome::Aggregated,
    Outcome::Disaggregated,
];

/// Every refusal, in order of its number.
const REFUSALS: [RefusalCode; 49] = [
    RefusalCode::AlreadyExistsSame,
    RefusalCode::AlreadyExistsDifferent,
    RefusalCode::NotFound,
    RefusalCode::NotServed,
    RefusalCode::InvalidHandle,
    RefusalCode::IndexConflict,
    RefusalCode::ValuesNotFound,
    RefusalCode::InvalidValue,
    RefusalCode::ReadOnlyValue,
    RefusalCode::TooManyValues,
    RefusalCode::RecordTooLarge,
    RefusalCode::MarkMoved,
    RefusalCode::Unexpected,
    RefusalCode::Withdrawn,
    RefusalCode::RequestReused,
    RefusalCode::RequestExpired,
    RefusalCode::RequestFromFuture,
    RefusalCode::QuotaExceeded,
    RefusalCode::InvalidAccess,
    RefusalCode::NotPermitted,
    RefusalCode::Unreadable,
    RefusalCode::InvalidSubmission,
    RefusalCode::InvalidRange,
    RefusalCode::RangeOverlaps,
    RefusalCode::RangeHoldsHandle,
    RefusalCode::AlreadyExported,
    RefusalCode::CodesNotUsable,
    RefusalCode::CodesLeased,
    RefusalCode::TooFewCodes,
    RefusalCode::NotReconciled,
    RefusalCode::NeverIssued,
    RefusalCode::InvalidTemplate,
    RefusalCode::TemplateNotFound,
    RefusalCode::TemplatePublished,
    RefusalCode::TemplateNotPublished,
    RefusalCode::FieldsWrong,
    RefusalCode::TemplateHandleTaken,
    RefusalCode::TemplateRecord,
    RefusalCode::TooLarge,
    RefusalCode::InvalidBusiness,
    RefusalCode::DocumentTaken,
    RefusalCode::PrefixTaken,
    RefusalCode::WrongStep,
    RefusalCode::NotVerified,
    RefusalCode::Recalled,
    RefusalCode::InvalidLink,
    RefusalCode::InvalidAggregation,
    RefusalCode::AlreadyAggregated,
    RefusalCode::NotAggregated,
];

impl Outcome {
    /// Its number in stored bytes, from 1; below [`Outcome::NUMBERS_END`].
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Created => 1,
            Self::Replaced => 2,
            Self::Changed => 3,
            Self::Deleted => 4,
            Self::Same => 5,
            Self::Homed => 6,
            Self::Unhomed => 7,
            Self::Suspended => 8,
            Self::Resumed => 9,
            Self::Revoked => 10,
            Self::Stored => 11,
            Self::Allocated => 12,
            Self::Exported => 13,
            Self::Leased => 14,
            Self::Reconciled => 15,
            Self::Drafted => 16,
            Self::Published => 17,
            Self::Applied => 20,
            Self::InReview => 21,
            Self::Approved => 22,
            Self::Rejected => 23,
            Self::Confirmed => 24,
            Self::Hosted => 25,
            Self::Delegated => 26,
            Self::Forgotten => 27,
            Self::Disclosed => 28,
            Self::Recalled => 29,
            Self::RecallLifted => 30,
            Self::Aggregated => 32,
            Self::Disaggregated => 33,
        }
    }

    /// Numbers stay below this, so that stored bytes can carry flags beside them.
    pub const NUMBERS_END: u8 = 64;

    /// The outcome of a number; `None` for one this version does not know.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        OUTCOMES.into_iter().find(|outcome| outcome.number() == number)
    }
}

impl RefusalCode {
    /// Its number in stored bytes, from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::AlreadyExistsSame => 1,
            Self::AlreadyExistsDifferent => 2,
            Self::NotFound => 3,
            Self::NotServed => 4,
            Self::InvalidHandle => 5,
            Self::IndexConflict => 6,
            Self::ValuesNotFound => 7,
            Self::InvalidValue => 8,
            Self::ReadOnlyValue => 9,
            Self::TooManyValues => 10,
            Self::RecordTooLarge => 11,
            Self::MarkMoved => 12,
            Self::Unexpected => 13,
            Self::Withdrawn => 14,
            Self::RequestReused => 15,
            Self::RequestExpired => 16,
            Self::RequestFromFuture => 17,
            Self::QuotaExceeded => 18,
            Self::InvalidAccess => 19,
            Self::NotPermitted => 20,
            Self::Unreadable => 21,
            Self::InvalidSubmission => 22,
            Self::InvalidRange => 23,
            Self::RangeOverlaps => 24,
            Self::RangeHoldsHandle => 25,
            Self::AlreadyExported => 26,
            Self::CodesNotUsable => 27,
            Self::CodesLeased => 28,
            Self::TooFewCodes => 29,
            Self::NotReconciled => 30,
            Self::NeverIssued => 31,
            Self::InvalidTemplate => 32,
            Self::TemplateNotFound => 33,
            Self::TemplatePublished => 34,
            Self::TemplateNotPublished => 35,
            Self::FieldsWrong => 36,
            Self::TemplateHandleTaken => 37,
            Self::TemplateRecord => 38,
            Self::TooLarge => 39,
            Self::InvalidBusiness => 40,
            Self::DocumentTaken => 41,
            Self::PrefixTaken => 42,
            Self::WrongStep => 43,
            Self::NotVerified => 44,
            Self::Recalled => 45,
            Self::InvalidLink => 50,
            Self::InvalidAggregation => 51,
            Self::AlreadyAggregated => 52,
            Self::NotAggregated => 53,
        }
    }

    /// The code of a number; `None` for one this version does not know.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        REFUSALS.into_iter().find(|code| code.number() == number)
    }

    /// Every code, in order of its number.
    pub fn all() -> impl Iterator<Item = Self> {
        REFUSALS.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_leads_back_to_what_it_stands_for() {
        // In ascending order, so none twice. Numbers left out were never given.
        assert!(OUTCOMES.is_sorted_by(|one, other| one.number() < other.number()));
        for outcome in OUTCOMES {
            assert_eq!(Outcome::from_number(outcome.number()), Some(outcome));
            assert!(outcome.number() < Outcome::NUMBERS_END);
        }
        assert!(REFUSALS.is_sorted_by(|one, other| one.number() < other.number()));
        for code in RefusalCode::all() {
            assert_eq!(RefusalCode::from_number(code.number()), Some(code));
        }
        assert_eq!((Outcome::Reconciled.number(), RefusalCode::NeverIssued.number()), (15, 31));
        assert_eq!((Outcome::from_number(0), RefusalCode::from_number(0)), (None, None));
        assert_eq!((Outcome::from_number(255), RefusalCode::from_number(255)), (None, None));
    }
}
