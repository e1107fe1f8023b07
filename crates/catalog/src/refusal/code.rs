//! The names of refusals that programs see.

#[expect(unused_imports, reason = "what the descriptions lead to")]
use super::Refusal;

/// Stable name of a refusal, for doors, messages and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalCode {
    /// The handle exists; content is the same.
    AlreadyExistsSame,
    /// The handle exists; content differs.
    AlreadyExistsDifferent,
    /// See [`Refusal::NotFound`].
    NotFound,
    /// See [`Refusal::NotServed`].
    NotServed,
    /// See [`Refusal::InvalidHandle`] and [`Refusal::UnwantedHandle`].
    InvalidHandle,
    /// See [`Refusal::IndexConflict`].
    IndexConflict,
    /// See [`Refusal::ValuesNotFound`].
    ValuesNotFound,
    /// See [`Refusal::InvalidValue`].
    InvalidValue,
    /// See [`Refusal::ReadOnlyValue`].
    ReadOnlyValue,
    /// See [`Refusal::TooManyValues`].
    TooManyValues,
    /// See [`Refusal::RecordTooLarge`].
    RecordTooLarge,
    /// See [`Refusal::MarkMoved`].
    MarkMoved,
    /// See [`Refusal::Unexpected`].
    Unexpected,
    /// See [`Refusal::Withdrawn`].
    Withdrawn,
    /// See [`Refusal::RequestReused`].
    RequestReused,
    /// See [`Refusal::RequestExpired`].
    RequestExpired,
    /// See [`Refusal::RequestFromFuture`].
    RequestFromFuture,
    /// See [`Refusal::QuotaExceeded`].
    QuotaExceeded,
    /// See [`Refusal::InvalidAccess`].
    InvalidAccess,
    /// See [`Refusal::NotPermitted`].
    NotPermitted,
    /// See [`Refusal::Unreadable`].
    Unreadable,
    /// See [`Refusal::InvalidSubmission`].
    InvalidSubmission,
    /// See [`Refusal::InvalidRange`].
    InvalidRange,
    /// See [`Refusal::RangeOverlaps`].
    RangeOverlaps,
    /// See [`Refusal::RangeHoldsHandle`].
    RangeHoldsHandle,
    /// See [`Refusal::AlreadyExported`].
    AlreadyExported,
    /// See [`Refusal::CodesNotUsable`].
    CodesNotUsable,
    /// See [`Refusal::CodesLeased`].
    CodesLeased,
    /// See [`Refusal::TooFewCodes`].
    TooFewCodes,
    /// See [`Refusal::NotReconciled`].
    NotReconciled,
    /// See [`Refusal::NeverIssued`].
    NeverIssued,
    /// See [`Refusal::InvalidTemplate`].
    InvalidTemplate,
    /// See [`Refusal::TemplateNotFound`].
    TemplateNotFound,
    /// See [`Refusal::TemplatePublished`].
    TemplatePublished,
    /// See [`Refusal::TemplateNotPublished`].
    TemplateNotPublished,
    /// See [`Refusal::FieldsWrong`].
    FieldsWrong,
    /// See [`Refusal::TemplateHandleTaken`].
    TemplateHandleTaken,
    /// See [`Refusal::TemplateRecord`].
    TemplateRecord,
    /// See [`Refusal::TooLarge`].
    TooLarge,
    /// See [`Refusal::InvalidBusiness`].
    InvalidBusiness,
    /// See [`Refusal::DocumentTaken`].
    DocumentTaken,
    /// See [`Refusal::PrefixTaken`].
    PrefixTaken,
    /// See [`Refusal::WrongStep`].
    WrongStep,
    /// See [`Refusal::NotVerified`].
    NotVerified,
    /// See [`Refusal::Recalled`].
    Recalled,
    /// See [`Refusal::InvalidLink`].
    InvalidLink,
    /// See [`Refusal::InvalidAggregation`].
    InvalidAggregation,
    /// See [`Refusal::AlreadyAggregated`].
    AlreadyAggregated,
    /// See [`Refusal::NotAggregated`].
    NotAggregated,
}

impl RefusalCode {
    /// The name as programs see it; never changes once published.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyExistsSame => "already-exists-same",
            Self::AlreadyExistsDifferent => "already-exists-different",
            Self::NotFound => "not-found",
            Self::NotServed => "not-served",
            Self::InvalidHandle => "invalid-handle",
            Self::IndexConflict => "index-conflict",
            Self::ValuesNotFound => "values-not-found",
            Self::InvalidValue => "invalid-value",
            Self::ReadOnlyValue => "read-only-value",
            Self::TooManyValues => "too-many-values",
            Self::RecordTooLarge => "record-too-large",
            Self::MarkMoved => "mark-moved",
            Self::Unexpected => "unexpected",
            Self::Withdrawn => "withdrawn",
            Self::RequestReused => "request-reused",
            Self::RequestExpired => "request-expired",
            Self::RequestFromFuture => "request-from-future",
            Self::QuotaExceeded => "quota-exceeded",
            Self::InvalidAccess => "invalid-access",
            Self::NotPermitted => "not-permitted",
            Self::Unreadable => "unreadable",
            Self::InvalidSubmission => "invalid-submission",
            Self::InvalidRange => "invalid-range",
            Self::RangeOverlaps => "range-overlaps",
            Self::RangeHoldsHandle => "range-holds-handle",
            Self::AlreadyExported => "already-exported",
            Self::CodesNotUsable => "codes-not-usable",
            Self::CodesLeased => "codes-leased",
            Self::TooFewCodes => "too-few-codes",
            Self::NotReconciled => "not-reconciled",
            Self::NeverIssued => "never-issued",
            Self::InvalidTemplate => "invalid-template",
            Self::TemplateNotFound => "template-not-found",
            Self::TemplatePublished => "template-published",
            Self::TemplateNotPublished => "template-not-published",
            Self::FieldsWrong => "fields-wrong",
            Self::TemplateHandleTaken => "template-handle-taken",
            Self::TemplateRecord => "template-record",
            Self::TooLarge => "too-large",
            Self::InvalidBusiness => "invalid-business",
            Self::DocumentTaken => "document-taken",
            Self::PrefixTaken => "prefix-taken",
            Self::WrongStep => "wrong-step",
            Self::NotVerified => "not-verified",
            Self::Recalled => "recalled",
            Self::InvalidLink => "invalid-link",
            Self::InvalidAggregation => "invalid-aggregation",
            Self::AlreadyAggregated => "already-aggregated",
            Self::NotAggregated => "not-aggregated",
        }
    }
}
