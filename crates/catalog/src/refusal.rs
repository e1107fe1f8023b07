//! Why the writer does not carry out a command: to programs by a code, to people by a sentence.

mod code;

use std::sync::Arc;

use waymark_ident::HandleError;
use waymark_store::{Serial, Timestamp};

use crate::business::{CaseState, EnterpriseId, StepKind};
use crate::link::LinkError;
use crate::range::{CodeState, RangeName, Span};
use crate::template::{FieldProblem, TemplateName};
use crate::values::{ContentHash, ValueSetError};
use crate::warnings::Warning;

pub use code::RefusalCode;

/// Why a command was not carried out. Nothing of it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The handle exists.
    #[error("{}", if *.same_content { "the handle exists with the same content" } else { "the handle exists with different content" })]
    AlreadyExists {
        /// The existing record holds the same values, timestamps aside, and has the status given, if one was.
        same_content: bool,
        /// Serial of its entry.
        serial: Serial,
    },
    /// No record, or no homed prefix, of that name.
    #[error("not found")]
    NotFound,
    /// The prefix does not live on this node.
    #[error("prefix {} is not served here", String::from_utf8_lossy(.prefix))]
    NotServed {
        /// The prefix, folded.
        prefix: Vec<u8>,
    },
    /// The handle cannot be registered.
    #[error("invalid handle: {0}")]
    InvalidHandle(HandleError),
    /// The handle can be registered elsewhere, but this node's configuration does not want it.
    #[error("handles with {what} at byte {at} are not taken here")]
    UnwantedHandle {
        /// What is not wanted.
        what: Warning,
        /// The first byte of it.
        at: usize,
    },
    /// A value of that index exists, or stands twice in the command.
    #[error("index conflict for {index}")]
    IndexConflict {
        /// The index.
        index: u32,
    },
    /// No value of that index exists.
    #[error("no value at index {index}")]
    ValuesNotFound {
        /// The first index that is missing.
        index: u32,
    },
    /// A value cannot be stored.
    #[error("invalid value: {0}")]
    InvalidValue(InvalidValue),
    /// The value may not be changed even by administrators.
    #[error("value {index} is read-only")]
    ReadOnlyValue {
        /// Its index.
        index: u32,
    },
    /// The record would hold too many values.
    #[error("{count} values are more than {limit}")]
    TooManyValues {
        /// Values it would hold.
        count: usize,
        /// Values allowed.
        limit: usize,
    },
    /// The values of the record would be too large together.
    #[error("record of {bytes} bytes is larger than {limit}")]
    RecordTooLarge {
        /// Bytes of all values.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// What it alone leads to is more than one group of writes may hold.
    #[error("{bytes} bytes to be written are more than one group of {limit} may hold")]
    TooLarge {
        /// Bytes to be written, at least.
        bytes: usize,
        /// Bytes of a group.
        limit: usize,
    },
    /// The stream is elsewhere than the mark says, since an earlier submission of it failed.
    #[error("the stream is at {found}")]
    MarkMoved {
        /// Where it is.
        found: u64,
    },
    /// The record is not as the order expects it.
    #[error("the record is not as expected")]
    Unexpected {
        /// Serial of its entry; none when there is no record.
        serial: Serial,
        /// Its content, where there is a record.
        content: Option<ContentHash>,
    },
    /// The record is suspended or revoked, so that this cannot be done to it.
    #[error("the record is {}", if *.revoked { "revoked" } else { "suspended" })]
    Withdrawn {
        /// For good.
        revoked: bool,
    },
    /// What it is about is recalled, and this would take the notice of that away.
    #[error("it is recalled")]
    Recalled,
    /// The request id was used for something else.
    #[error("the request id was used for another request")]
    RequestReused,
    /// The request id is older than what is remembered: whether it was carried out is not known any more.
    #[error("the request id is too old to be remembered")]
    RequestExpired,
    /// The request id says it was made in the future.
    #[error("the request id was made in the future")]
    RequestFromFuture,
    /// The principal has written as much as it may today.
    #[error("the daily quota of {quota} writes is used up")]
    QuotaExceeded {
        /// Writes a day.
        quota: u64,
        /// When the next day begins.
        until: Timestamp,
    },
    /// A principal, token or reason is not what it may be.
    #[error("{field} {problem}")]
    InvalidAccess {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Something about a code package is not what it may be.
    #[error("{field} {problem}")]
    InvalidRange {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Other codes would look the same, or differ in their check characters alone.
    #[error("the codes are in the way of package {range}")]
    RangeOverlaps {
        /// Whose codes those are.
        range: RangeName,
    },
    /// An identifier among the codes is registered already.
    #[error("{} is registered already", String::from_utf8_lossy(.handle))]
    RangeHoldsHandle {
        /// Its canonical name.
        handle: Vec<u8>,
    },
    /// Some of the codes were given out for printing before.
    #[error("codes {span} were exported by {by} at {}", .time.0)]
    AlreadyExported {
        /// Those given out together.
        span: Span,
        /// By whom, the last time.
        by: Arc<str>,
        /// When.
        time: Timestamp,
        /// How often.
        times: u32,
    },
    /// Some of the codes are in a state in which this cannot be done to them.
    #[error("codes {span} of {range} are {}", .state.as_str())]
    CodesNotUsable {
        /// Their package.
        range: RangeName,
        /// The first of them that stand together.
        span: Span,
        /// What they are.
        state: CodeState,
    },
    /// Some of the codes are with a printing station.
    #[error("codes {span} of {range} are with {station}")]
    CodesLeased {
        /// Their package.
        range: RangeName,
        /// The lease.
        span: Span,
        /// The station.
        station: String,
    },
    /// There are not as many codes in one piece that nobody has.
    #[error("at most {free} codes in one piece are free")]
    TooFewCodes {
        /// The most there are in one piece.
        free: u64,
    },
    /// What a station told does not come to what it was given.
    #[error("what was told of codes {leased} comes to {told}, or tells some twice or others than these")]
    NotReconciled {
        /// What it was given.
        leased: Span,
        /// How many codes it told of.
        told: u64,
    },
    /// The name has the form of a package's codes, and its check characters are wrong: it was never made.
    #[error("the code was never issued")]
    NeverIssued,
    /// The definition of a template is not what one may be.
    #[error("{}{field} {problem}", if *.index == 0 { String::new() } else { format!("column {index}: ") })]
    InvalidTemplate {
        /// Which field.
        field: &'static str,
        /// Index of the column it is a field of; 0 for those of the template itself.
        index: u32,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There is no such template.
    #[error("there is no template {template}")]
    TemplateNotFound {
        /// Its name.
        template: TemplateName,
    },
    /// The template is published, so that this cannot be done to it.
    #[error("template {template} is published and never changes; write the next version")]
    TemplatePublished {
        /// Its name.
        template: TemplateName,
    },
    /// The template is a draft still.
    #[error("template {template} is not published")]
    TemplateNotPublished {
        /// Its name.
        template: TemplateName,
    },
    /// The fields are not what the template says.
    #[error("{} of the fields are not what template {template} says, the first: {}", .problems.len(), .problems.first().map_or_else(String::new, ToString::to_string))]
    FieldsWrong {
        /// Its name.
        template: TemplateName,
        /// What is wrong; the first few where it is much.
        problems: Vec<FieldProblem>,
    },
    /// The handle a template would resolve under is registered and says something else.
    #[error("{template} is registered already and is no record of this template")]
    TemplateHandleTaken {
        /// Its name.
        template: TemplateName,
    },
    /// The record is that of a published template, which alone changes it.
    #[error("the record is that of a published template")]
    TemplateRecord,
    /// Something about an enterprise or a prefix is not what it may be. Holds names of fields, never what was given.
    #[error("{field} {problem}")]
    InvalidBusiness {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Another enterprise has this document.
    #[error("another enterprise is registered with this document")]
    DocumentTaken,
    /// The prefix was asked for already, or lives here.
    #[error("the prefix is taken")]
    PrefixTaken,
    /// The case of the prefix stands elsewhere than where this step begins.
    #[error("the case of the prefix is {}: the step {} cannot be taken", .state.as_str(), .step.as_str())]
    WrongStep {
        /// Where it stands.
        state: CaseState,
        /// What was asked for.
        step: StepKind,
    },
    /// The documents of the enterprise were not found right, or changed since.
    #[error("enterprise {enterprise} is not verified")]
    NotVerified {
        /// Which.
        enterprise: EnterpriseId,
    },
    /// A value of a link type is no link.
    #[error("value {index}, a link, {problem}")]
    InvalidLink {
        /// Index of the value.
        index: u32,
        /// What is wrong with it.
        problem: LinkError,
    },
    /// What is to be packed or taken out is not what it may be.
    #[error("{field} {problem}")]
    InvalidAggregation {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        problem: Box<str>,
    },
    /// A child is in another parent.
    #[error("{} is packed in {parent} already", String::from_utf8_lossy(.child))]
    AlreadyAggregated {
        /// The child as asked for.
        child: Box<[u8]>,
        /// What it is packed in.
        parent: Box<str>,
    },
    /// A child is not in the parent.
    #[error("{} is not packed in {parent}", String::from_utf8_lossy(.child))]
    NotAggregated {
        /// The child as asked for.
        child: Box<[u8]>,
        /// What it should be packed in.
        parent: Box<str>,
    },
    /// One of several identifiers stands against what was asked of all of them.
    #[error("{}: {refusal}", String::from_utf8_lossy(.child))]
    OfChild {
        /// The identifier as asked for.
        child: Box<[u8]>,
        /// Why it does.
        refusal: Box<Self>,
    },
    /// What was submitted contradicts itself: a defect of the door it came through. Nothing of the submission was done.
    #[error("the submission {problem}")]
    InvalidSubmission {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The actor has no right to do this.
    #[error("not permitted")]
    NotPermitted,
    /// The stored record cannot be read, so nothing can be decided about it.
    #[error("the stored record cannot be read")]
    Unreadable,
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidValue {
    /// Indexes are 1 to 2,147,483,647.
    #[error("index {index} is not between 1 and 2147483647")]
    Index {
        /// The index given.
        index: u32,
    },
    /// The data is larger than configured.
    #[error("data of value {index} has {bytes} bytes, more than {limit}")]
    DataTooLarge {
        /// Index of the value.
        index: u32,
        /// Its bytes.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The type is not UTF-8 text or is empty.
    #[error("type of value {index} is empty or not UTF-8")]
    Type {
        /// Index of the value.
        index: u32,
    },
    /// The type is that of a notice of recall, and the rest is not.
    #[error("value {index} is no notice of a recall, as recalling an identifier writes it at index 1002")]
    Notice {
        /// Index of the value.
        index: u32,
    },
    /// The command needs at least one value or index.
    #[error("no values given")]
    Empty,
}

impl Refusal {
    /// The stable name of this refusal.
    #[must_use]
    pub const fn code(&self) -> RefusalCode {
        match self {
            Self::AlreadyExists { same_content: true, .. } => RefusalCode::AlreadyExistsSame,
            Self::AlreadyExists { same_content: false, .. } => RefusalCode::AlreadyExistsDifferent,
            Self::NotFound => RefusalCode::NotFound,
            Self::NotServed { .. } => RefusalCode::NotServed,
            Self::InvalidHandle(_) | Self::UnwantedHandle { .. } => RefusalCode::InvalidHandle,
            Self::IndexConflict { .. } => RefusalCode::IndexConflict,
            Self::ValuesNotFound { .. } => RefusalCode::ValuesNotFound,
            Self::InvalidValue(_) => RefusalCode::InvalidValue,
            Self::ReadOnlyValue { .. } => RefusalCode::ReadOnlyValue,
            Self::TooManyValues { .. } => RefusalCode::TooManyValues,
            Self::RecordTooLarge { .. } => RefusalCode::RecordTooLarge,
            Self::MarkMoved { .. } => RefusalCode::MarkMoved,
            Self::Unexpected { .. } => RefusalCode::Unexpected,
            Self::Withdrawn { .. } => RefusalCode::Withdrawn,
            Self::RequestReused => RefusalCode::RequestReused,
            Self::RequestExpired => RefusalCode::RequestExpired,
            Self::RequestFromFuture => RefusalCode::RequestFromFuture,
            Self::QuotaExceeded { .. } => RefusalCode::QuotaExceeded,
            Self::InvalidAccess { .. } => RefusalCode::InvalidAccess,
            Self::NotPermitted => RefusalCode::NotPermitted,
            Self::Unreadable => RefusalCode::Unreadable,
            Self::InvalidSubmission { .. } => RefusalCode::InvalidSubmission,
            Self::InvalidRange { .. } => RefusalCode::InvalidRange,
            Self::RangeOverlaps { .. } => RefusalCode::RangeOverlaps,
            Self::RangeHoldsHandle { .. } => RefusalCode::RangeHoldsHandle,
            Self::AlreadyExported { .. } => RefusalCode::AlreadyExported,
            Self::CodesNotUsable { .. } => RefusalCode::CodesNotUsable,
            Self::CodesLeased { .. } => RefusalCode::CodesLeased,
            Self::TooFewCodes { .. } => RefusalCode::TooFewCodes,
            Self::NotReconciled { .. } => RefusalCode::NotReconciled,
            Self::NeverIssued => RefusalCode::NeverIssued,
            Self::InvalidTemplate { .. } => RefusalCode::InvalidTemplate,
            Self::TemplateNotFound { .. } => RefusalCode::TemplateNotFound,
            Self::TemplatePublished { .. } => RefusalCode::TemplatePublished,
            Self::TemplateNotPublished { .. } => RefusalCode::TemplateNotPublished,
            Self::FieldsWrong { .. } => RefusalCode::FieldsWrong,
            Self::TemplateHandleTaken { .. } => RefusalCode::TemplateHandleTaken,
            Self::TemplateRecord => RefusalCode::TemplateRecord,
            Self::TooLarge { .. } => RefusalCode::TooLarge,
            Self::InvalidBusiness { .. } => RefusalCode::InvalidBusiness,
            Self::DocumentTaken => RefusalCode::DocumentTaken,
            Self::PrefixTaken => RefusalCode::PrefixTaken,
            Self::WrongStep { .. } => RefusalCode::WrongStep,
            Self::NotVerified { .. } => RefusalCode::NotVerified,
            Self::Recalled => RefusalCode::Recalled,
            Self::InvalidLink { .. } => RefusalCode::InvalidLink,
            Self::InvalidAggregation { .. } => RefusalCode::InvalidAggregation,
            Self::AlreadyAggregated { .. } => RefusalCode::AlreadyAggregated,
            Self::NotAggregated { .. } => RefusalCode::NotAggregated,
            Self::OfChild { refusal, .. } => refusal.code(),
        }
    }
}

impl From<ValueSetError> for Refusal {
    fn from(error: ValueSetError) -> Self {
        match error {
            ValueSetError::Duplicate { index } => Self::IndexConflict { index },
            ValueSetError::Index { index } => Self::InvalidValue(InvalidValue::Index { index }),
            ValueSetError::Type { index } => Self::InvalidValue(InvalidValue::Type { index }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_and_a_different_existing_record_have_codes_of_their_own() {
        let refusal = |same_content| Refusal::AlreadyExists { same_content, serial: Serial(4) };
        assert_eq!(refusal(true).code().as_str(), "already-exists-same");
        assert_eq!(refusal(false).code().as_str(), "already-exists-different");
    }
}
