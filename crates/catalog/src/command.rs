//! What the writer is asked for, and what it answers: commands, receipts, refusals.
//!
//! Everything that can be checked without the data is checked before a command exists: values are a
//! [`ValueSet`], homed prefixes a [`HomeName`]. What depends on the data is decided by the writer.

use waymark_ident::HandleError;
use waymark_store::{Serial, Timestamp};

use crate::prefixes::HomeName;
use crate::values::{ContentHash, ValueSet, ValueSetError};

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
    /// Notes how far a stream has been taken in; committed with the records of the same submission.
    Mark {
        /// Names the stream.
        stream: [u8; 16],
        /// Where the stream must be for this; 0 when it has no mark. A stream whose earlier submission failed must not be
        /// marked by a later one that did not, or what failed would never be sent again.
        after: u64,
        /// How far, in the stream's own unit.
        position: u64,
    },
}

impl Command {
    /// What the command weighs in queue and group limits, in bytes: a little more than its payload.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        let payload = match self {
            Self::Put { handle, values, .. }
            | Self::AddValues { handle, values, .. }
            | Self::ModifyValues { handle, values, .. } => handle.len() + values.wire().len(),
            Self::RemoveValues { handle, indexes } => handle.len() + indexes.len() * 4,
            Self::Delete { handle } => handle.len(),
            Self::Home { name } | Self::Unhome { name } => name.prefix().len(),
            Self::Mark { .. } => 24,
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

/// Who asks; its name stands in every entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    name: Box<str>,
    role: Role,
}

/// What an actor is to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// The person who runs the node.
    Operator,
    /// An import the operator started.
    Import,
    /// An identity (`index:handle`) that proved itself in the protocol.
    Identity,
}

impl Actor {
    /// The operator.
    #[must_use]
    pub fn operator() -> Self {
        Self { name: "operator".into(), role: Role::Operator }
    }

    /// An import started by the operator.
    #[must_use]
    pub fn import() -> Self {
        Self { name: "import".into(), role: Role::Import }
    }

    /// An identity that proved itself; names longer than [`ACTOR_BYTES`](crate::config::ACTOR_BYTES) are cut at a
    /// character.
    #[must_use]
    pub fn identity(name: &str) -> Self {
        let end = name.floor_char_boundary(crate::config::ACTOR_BYTES);
        Self { name: name.get(..end).unwrap_or_default().into(), role: Role::Identity }
    }

    /// The name that is logged.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the actor is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }
}

/// The proof that an actor may do what it asked: only [`authorize`] makes one, and deciding needs one.
#[derive(Clone, Copy, Debug)]
pub struct Permit(());

/// Decides whether `actor` may do what `command` asks.
///
/// Operator and imports may do everything. Identities of the protocol have no rights yet: those stand in HS_ADMIN
/// values, which the binary administration will read.
///
/// # Errors
/// [`Refusal::NotPermitted`].
pub const fn authorize(actor: &Actor, _command: &Command) -> Result<Permit, Refusal> {
    match actor.role() {
        Role::Operator | Role::Import => Ok(Permit(())),
        Role::Identity => Err(Refusal::NotPermitted),
    }
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
    /// The handle is longer than configured and was taken with a warning.
    pub long_handle: bool,
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
    /// A mark was set.
    Marked,
}

/// Why a command was not carried out. Nothing of it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The handle exists.
    #[error("{}", if *.same_content { "the handle exists with the same content" } else { "the handle exists with different content" })]
    AlreadyExists {
        /// The existing record holds the same values, timestamps aside.
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
    /// See [`Refusal::InvalidHandle`].
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
    /// See [`Refusal::NotPermitted`].
    NotPermitted,
    /// See [`Refusal::Unreadable`].
    Unreadable,
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
            Self::NotPermitted => "not-permitted",
            Self::Unreadable => "unreadable",
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
            Self::InvalidHandle(_) => RefusalCode::InvalidHandle,
            Self::IndexConflict { .. } => RefusalCode::IndexConflict,
            Self::ValuesNotFound { .. } => RefusalCode::ValuesNotFound,
            Self::InvalidValue(_) => RefusalCode::InvalidValue,
            Self::ReadOnlyValue { .. } => RefusalCode::ReadOnlyValue,
            Self::TooManyValues { .. } => RefusalCode::TooManyValues,
            Self::RecordTooLarge { .. } => RefusalCode::RecordTooLarge,
            Self::MarkMoved { .. } => RefusalCode::MarkMoved,
            Self::NotPermitted => RefusalCode::NotPermitted,
            Self::Unreadable => RefusalCode::Unreadable,
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
    fn only_operator_and_import_get_a_permit() {
        let command = Command::Delete { handle: b"1/x".to_vec() };
        assert!(authorize(&Actor::operator(), &command).is_ok());
        assert!(authorize(&Actor::import(), &command).is_ok());
        let refusal = authorize(&Actor::identity("300:0.NA/88.1"), &command).unwrap_err();
        assert_eq!(refusal.code().as_str(), "not-permitted");
    }

    #[test]
    fn long_actor_names_are_cut_at_a_character() {
        let actor = Actor::identity(&"产".repeat(100));
        assert_eq!(actor.name().len(), 126);
    }

    #[test]
    fn the_same_and_a_different_existing_record_have_codes_of_their_own() {
        let refusal = |same_content| Refusal::AlreadyExists { same_content, serial: Serial(4) };
        assert_eq!(refusal(true).code().as_str(), "already-exists-same");
        assert_eq!(refusal(false).code().as_str(), "already-exists-different");
    }
}
