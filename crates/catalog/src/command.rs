//! What the writer is asked for, and what it answers when it does it: commands and receipts. Why it does not is in [`crate::refusal`].
//!
//! Everything that can be checked without the data is checked before a command exists: values are a
//! [`ValueSet`], homed prefixes a [`HomeName`]. What depends on the data is decided by the writer.

use waymark_store::{Serial, Timestamp};

use crate::access::{Principal, Token, TokenId};
use crate::actor::Actor;
use crate::business::{ApplicationCommand, BusinessCommand, OperatorCommand};
use crate::config::REASON_BYTES;
use crate::link::LinkCommand;
use crate::moment::Restore;
use crate::prefixes::HomeName;
use crate::range::RangeCommand;
use crate::recall::NOTICE_BYTES;
pub(crate) use crate::refusal::{InvalidValue, Refusal, RefusalCode};
use crate::status::WithdrawalBuf;
use crate::template::{FieldValue, TemplateCommand, TemplateName};
use crate::values::{ContentHash, ValueSet};
use crate::warnings::Warnings;

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
    /// Says of a record that what carries it is called back. It stays in resolution, see [`crate::recall`].
    Recall {
        /// In any case.
        handle: Vec<u8>,
        /// For everybody; at most [`REASON_BYTES`](crate::config::REASON_BYTES).
        reason: String,
    },
    /// Says that no more.
    LiftRecall {
        /// In any case.
        handle: Vec<u8>,
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
    /// Changes code packages.
    Range(Box<RangeCommand>),
    /// Changes templates.
    Template(Box<TemplateCommand>),
    /// Changes enterprises, the cases of their prefixes, the node's own record, or applications.
    Business(Box<BusinessCommand>),
    /// Packs identifiers in another, or takes them out.
    Link(Box<LinkCommand>),
    /// Puts back, as it was, what is no record.
    Restore(Box<Restore>),
    /// Writes a whole record from a template: its values are those the template says, and no others.
    PutFromTemplate {
        /// In the case it shall be kept in.
        handle: Vec<u8>,
        /// A published template.
        template: TemplateName,
        /// What its columns hold.
        fields: Vec<FieldValue>,
        /// What happens when the handle exists.
        mode: PutMode,
    },
}

impl From<LinkCommand> for Command {
    fn from(command: LinkCommand) -> Self {
        Self::Link(Box::new(command))
    }
}

impl From<LinkCommand> for Order {
    fn from(command: LinkCommand) -> Self {
        Command::from(command).into()
    }
}

impl From<Restore> for Order {
    fn from(restore: Restore) -> Self {
        Command::Restore(Box::new(restore)).into()
    }
}

impl From<TemplateCommand> for Command {
    fn from(command: TemplateCommand) -> Self {
        Self::Template(Box::new(command))
    }
}

impl From<TemplateCommand> for Order {
    fn from(command: TemplateCommand) -> Self {
        Command::from(command).into()
    }
}

impl From<RangeCommand> for Command {
    fn from(command: RangeCommand) -> Self {
        Self::Range(Box::new(command))
    }
}

impl From<BusinessCommand> for Command {
    fn from(command: BusinessCommand) -> Self {
        Self::Business(Box::new(command))
    }
}

impl From<BusinessCommand> for Order {
    fn from(command: BusinessCommand) -> Self {
        Command::from(command).into()
    }
}

impl From<OperatorCommand> for Order {
    fn from(command: OperatorCommand) -> Self {
        BusinessCommand::Operator(command).into()
    }
}

impl From<ApplicationCommand> for Order {
    fn from(command: ApplicationCommand) -> Self {
        BusinessCommand::Application(Box::new(command)).into()
    }
}

impl From<RangeCommand> for Order {
    fn from(command: RangeCommand) -> Self {
        Command::from(command).into()
    }
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

/// Commands handed to the writer together, each decided by itself: one group, one flush; several, with nothing between them, where what they
/// lead to is too large for one.
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
    /// Where the stream is between the orders, in order, for one that counts something else: where a step may be taken apart without being
    /// repeated after an interruption.
    pub places: Vec<StepPlace>,
}

impl Submission {
    /// Orders without request id or stream.
    pub fn new(actor: &Actor, orders: impl IntoIterator<Item = impl Into<Order>>) -> Self {
        let orders = orders.into_iter().map(Into::into).collect();
        Self { actor: actor.clone(), orders, request: None, stream: None, places: Vec::new() }
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

/// A place within a step of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepPlace {
    /// Orders of the step that lie before it.
    pub orders: usize,
    /// Where the stream is behind them, in its own unit.
    pub position: u64,
}

/// Names a stream among all of a node.
pub type StreamId = [u8; 16];

impl Command {
    /// The handle of the record it is about; `None` for commands about prefixes, principals, tokens and code packages, and about several records.
    #[must_use]
    pub fn handle(&self) -> Option<&[u8]> {
        match self {
            Self::Put { handle, .. }
            | Self::PutWithdrawn { handle, .. }
            | Self::PutFromTemplate { handle, .. }
            | Self::AddValues { handle, .. }
            | Self::ModifyValues { handle, .. }
            | Self::RemoveValues { handle, .. }
            | Self::Delete { handle }
            | Self::Suspend { handle, .. }
            | Self::Resume { handle }
            | Self::Revoke { handle, .. }
            | Self::Recall { handle, .. }
            | Self::LiftRecall { handle } => Some(handle),
            Self::Home { .. }
            | Self::Unhome { .. }
            | Self::PutPrincipal { .. }
            | Self::RemovePrincipal { .. }
            | Self::IssueToken { .. }
            | Self::RevokeToken { .. }
            | Self::Range(_)
            | Self::Template(_)
            | Self::Link(_)
            | Self::Restore(_)
            | Self::Business(_) => None,
        }
    }

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
            Self::Delete { handle } | Self::Resume { handle } | Self::LiftRecall { handle } => handle.len(),
            Self::Recall { handle, reason } => handle.len() + reason.len() + NOTICE_BYTES - REASON_BYTES,
            Self::Suspend { handle, reason } | Self::Revoke { handle, reason } => handle.len() + reason.len(),
            Self::Home { name } | Self::Unhome { name } => name.prefix().len(),
            Self::PutPrincipal { principal } => principal.weight_bytes(),
            Self::IssueToken { token } => token.weight_bytes(),
            Self::RemovePrincipal { name } => name.len(),
            Self::RevokeToken { reason, .. } => reason.len(),
            Self::Range(command) => command.weight_bytes(),
            Self::Template(command) => command.weight_bytes(),
            Self::PutFromTemplate { handle, template, fields, .. } => {
                let of_fields = fields.iter().map(|field| field.kind.len() + field.text.len() + FIELD_BYTES);
                handle.len() + template.handle_bytes() + COMMON_BYTES + of_fields.sum::<usize>()
            }
            Self::Business(command) => command.weight_bytes(),
            Self::Link(command) => command.weight_bytes(),
            Self::Restore(restore) => restore.weight_bytes(),
        };
        payload + OVERHEAD_BYTES
    }
}

/// What a column adds to the text in a value, generously: its type, and what is of fixed size.
const FIELD_BYTES: usize = crate::config::COLUMN_TYPE_BYTES + 40;

/// What a template adds to the values of an identifier beside its columns, generously: an administrator and its own name.
const COMMON_BYTES: usize = 640;

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
    /// Codes were ordered.
    Allocated,
    /// Codes were given out for printing.
    Exported,
    /// Codes are with a printing station.
    Leased,
    /// What became of leased codes is known.
    Reconciled,
    /// A draft of a template is written.
    Drafted,
    /// A template is published.
    Published,
    /// A prefix was asked for.
    Applied,
    /// An application is being looked at.
    InReview,
    /// This node approved an application.
    Approved,
    /// An application was refused.
    Rejected,
    /// The top-level node approved an application.
    Confirmed,
    /// A prefix of an enterprise lives here.
    Hosted,
    /// A prefix of an enterprise is answered for by its own site.
    Delegated,
    /// What an enterprise said of its people was forgotten.
    Forgotten,
    /// What an enterprise said of its people may be read now.
    Disclosed,
    /// Something is recalled.
    Recalled,
    /// Something is recalled no more.
    RecallLifted,
    /// Identifiers are packed in another.
    Aggregated,
    /// Identifiers are not packed in another any more.
    Disaggregated,
}
