//! What the writer is asked for, and what it answers: commands, receipts, refusals.
//!
//! Everything that can be checked without the data is checked before a command exists: values are a
//! [`ValueSet`], homed prefixes a [`HomeName`]. What depends on the data is decided by the writer.

use waymark_ident::HandleError;
use waymark_store::{Serial, Timestamp};

use crate::access::{Principal, Token, TokenId};
use crate::actor::Actor;
use crate::prefixes::HomeName;
use crate::status::WithdrawalBuf;
use crate::values::{ContentHash, ValueSet, ValueSetError};
use crate::warnings::{Warning, Warnings};

/// One change to the catalog.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Writes a whole record.
    Put {
        /// In the case it shall be kept in.
        handle: Vec<u8>,
        /// All values of the record; none is legal.
        values: ValueSet,
        /// What happens to the values' timestamps.
        timestamps: Timestamps,
        /// What happens when the handle exists.
        mode: PutMode,
    },
    /// Writes a whole record that is suspended or revoked, as an export tells it: it is never resolved in between.
    PutWithdrawn {
        /// In the case it shall be kept in.
        handle: Vec<u8>,
        /// All values of the record; none is legal.
        values: ValueSet,
        /// What happens to the values' timestamps.
        timestamps: Timestamps,
        /// What happens when the handle exists.
        mode: PutMode,
        /// Its status.
        status: WithdrawalBuf,
    },
    /// Adds values to a record.
    AddValues {
        /// In any case; the record keeps its own.
        handle: Vec<u8>,
        /// At least one value.
        values: ValueSet,
        /// What happens to the values' timestamps.
        timestamps: Timestamps,
        /// What happens when an index exists.
        mode: AddMode,
    },
    /// Replaces values that exist.
    ModifyValues {
        /// In any case; the record keeps its own.
        handle: Vec<u8>,
        /// At least one value; every index must exist.
        values: ValueSet,
        /// What happens to the timestamps of values that change; others keep theirs.
        timestamps: Timestamps,
    },
    /// Takes values out of a record; all of them or none.
    RemoveValues {
        /// In any case.
        handle: Vec<u8>,
        /// At least one index; every one must exist.
        indexes: Vec<u32>,
    },
    /// Deletes a record.
    Delete {
        /// In any case.
        handle: Vec<u8>,
    },
    /// Makes a prefix, or the prefix records derived from one, live here.
    Home {
        /// What to home.
        name: HomeName,
    },
    /// Stops a prefix from living here. Its records stay stored, and are not answered.
    Unhome {
        /// What to give up.
        name: HomeName,
    },
    /// Takes a record out of resolution until it is resumed.
    Suspend {
        /// In any case.
        handle: Vec<u8>,
        /// For the audit and those who may write the record; at most [`REASON_BYTES`](crate::config::REASON_BYTES).
        reason: String,
    },
    /// Puts a suspended record back.
    Resume {
        /// In any case.
        handle: Vec<u8>,
    },
    /// Takes a record out of resolution for good.
    Revoke {
        /// In any case.
        handle: Vec<u8>,
        /// As for [`Command::Suspend`].
        reason: String,
    },
    /// Makes a principal, or gives one another role, scope, quota.
    PutPrincipal {
        /// All of it.
        principal: Principal,
    },
    /// Takes a principal away; its tokens are refused from then on.
    RemovePrincipal {
        /// Its name.
        name: String,
    },
    /// Notes a new token.
    IssueToken {
        /// The token, its times given by whoever made it.
        token: Token,
    },
    /// Ends a token at once.
    RevokeToken {
        /// Its public name.
        id: TokenId,
        /// For the audit.
        reason: String,
    },
}

/// A command with what must be so before it.
#[derive(Clone, Debug)]
pub struct Order {
    /// What to do.
    pub command: Command,
    /// What must be so; refused as [`Refusal::Unexpected`] otherwise. Only for commands about records.
    pub expect: Option<Expect>,
}

impl From<Command> for Order {
    fn from(command: Command) -> Self {
        Self { command, expect: None }
    }
}

/// What must be so of a record before a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is none.
    Absent,
    /// Its entry has this serial.
    Serial(Serial),
    /// Its values have this content.
    Content(ContentHash),
}

/// Commands handed to the writer together: one group, one flush, each decided by itself.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Who asks.
    pub actor: Actor,
    /// What for, in order.
    pub orders: Vec<Order>,
    /// For a single order: the id that repetitions carry too.
    pub request: Option<Request>,
    /// The step of a stream these orders are.
    pub stream: Option<StreamStep>,
}

impl Submission {
    /// Orders without request id or stream.
    pub fn new(actor: &Actor, orders: impl IntoIterator<Item = impl Into<Order>>) -> Self {
        let orders = orders.into_iter().map(Into::into).collect();
        Self { actor: actor.clone(), orders, request: None, stream: None }
    }

    /// The same as a step of a stream.
    #[must_use]
    pub fn as_step(self, step: StreamStep) -> Self {
        Self { stream: Some(step), ..self }
    }

    /// The same under a request id.
    #[must_use]
    pub fn as_request(self, request: Request) -> Self {
        Self { request: Some(request), ..self }
    }

    /// What it weighs in queue and group limits, in bytes.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        self.orders.iter().map(|order| order.command.weight_bytes()).sum()
    }
}

/// A request id: made by the caller, the same in every repetition of a request. It says when it was made, so that one that is not remembered is
/// known to be new or known to be too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// A UUID of version 7.
    pub id: uuid::Uuid,
    /// Hash of what is asked, so that an id used for something else is noticed.
    pub digest: [u8; 32],
}

/// One step of a stream: the stream moves from `after` to `position`, and the orders are what lies between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamStep {
    /// Names the stream.
    pub stream: StreamId,
    /// Where the stream must be; 0 when it has no mark. Otherwise nothing of the submission is done ([`Refusal::MarkMoved`]).
    pub after: u64,
    /// Where it is afterwards, in the stream's own unit.
    pub position: u64,
    /// The unit is orders: `position` is `after` plus their number, and what became of each can be asked for later.
    pub counts_orders: bool,
}

/// Names a stream among all of a node.
pub type StreamId = [u8; 16];

impl Command {
    /// What the command weighs in queue and group limits, in bytes: a little more than its payload.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        let payload = match self {
            Self::Put { handle, values, .. }
            | Self::AddValues { handle, values, .. }
            | Self::ModifyValues { handle, values, .. } => handle.len() + values.wire().len(),
            Self::PutWithdrawn { handle, values, status, .. } => {
                handle.len() + values.wire().len() + status.reason.len()
            }
            Self::RemoveValues { handle, indexes } => handle.len() + indexes.len() * 4,
            Self::Delete { handle } | Self::Resume { handle } => handle.len(),
            Self::Suspend { handle, reason } | Self::Revoke { handle, reason } => handle.len() + reason.len(),
            Self::Home { name } | Self::Unhome { name } => name.prefix().len(),
            Self::PutPrincipal { principal } => principal.weight_bytes(),
            Self::IssueToken { token } => token.weight_bytes(),
            Self::RemovePrincipal { name } => name.len(),
            Self::RevokeToken { reason, .. } => reason.len(),
        };
        payload + OVERHEAD_BYTES
    }
}

/// What an entry costs beside key and values, roughly: frame, head, list node.
const OVERHEAD_BYTES: usize = 64;

/// What a [`Command::Put`] does when the handle exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutMode {
    /// Refused with [`Refusal::AlreadyExists`].
    Create,
    /// The record is replaced whole, its spelling too.
    Replace,
    /// Accepted as [`Outcome::Same`] when the content is the same, refused otherwise.
    CreateOrSame,
}

/// What a [`Command::AddValues`] does when an index exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddMode {
    /// Refused with [`Refusal::IndexConflict`].
    New,
    /// The value is replaced, unless it is read-only.
    Overwrite,
    /// Left as it is when the value is the same (timestamps aside), refused otherwise.
    NewOrSame,
}

/// What happens to the timestamps a command brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamps {
    /// All become the time of the commit, as the protocol asks of a server.
    Now,
    /// They stay, as imports need; 0 means "not given" and becomes the time of the commit.
    Keep,
}

/// What a command did. It is durable and visible when the receipt is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Serial of the entry that holds the result; of the existing entry for [`Outcome::Same`].
    pub serial: Serial,
    /// When that entry was committed.
    pub time: Timestamp,
    /// Content of the record afterwards; of no values for deletions, homing and marks.
    pub content: ContentHash,
    /// What happened.
    pub outcome: Outcome,
    /// What was taken although it should not be so.
    pub warnings: Warnings,
    /// Carried out before, under the same request id; this is the receipt of then.
    pub repeated: bool,
}

/// What happened to a command that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A record is new.
    Created,
    /// A record was replaced whole.
    Replaced,
    /// Values of a record changed.
    Changed,
    /// A record is gone.
    Deleted,
    /// All was already as asked; nothing was written.
    Same,
    /// A prefix lives here now.
    Homed,
    /// A prefix no longer lives here.
    Unhomed,
    /// A record is out of resolution.
    Suspended,
    /// A record is back in resolution.
    Resumed,
    /// A record is out of resolution for good.
    Revoked,
    /// A principal or token is as asked.
    Stored,
}

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
    /// The command needs at least one value or index.
    #[error("no values given")]
    Empty,
}

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
        }
    }
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
