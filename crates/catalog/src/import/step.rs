//! What a parser gives the importer, one step at a time.

use std::io;

use crate::command::Command;
use crate::form::cause::FieldError;
use crate::import::lines::LineHead;

/// One record, operation or problem of an input.
pub(crate) struct Step {
    /// Line it begins at.
    pub(crate) line: u64,
    /// The handle or prefix it is about, as far as it could be read.
    pub(crate) subject: Option<String>,
    /// What to do, or what is wrong.
    pub(crate) outcome: Result<Command, Rejected>,
    /// The line behind which reading can begin again when everything up to here is done.
    pub(crate) resume_at: Option<LineHead>,
}

/// Something in the input that cannot be taken.
pub(crate) struct Rejected {
    /// Line it stands at.
    pub(crate) line: u64,
    /// Field and cause.
    pub(crate) error: FieldError,
}

/// Something an import leaves out or does otherwise than it is written; said once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Notice {
    /// Fields that describe a record to people (`synthetic`, `object_class`, `industry`, `gb_t_4754_2017`, `note`, `label`)
    /// are not kept.
    DescriptionsDropped,
    /// AUTHENTICATE and its secret mean nothing to an import into the own node, and were skipped.
    AuthenticationSkipped,
    /// SESSIONSETUP and its options mean nothing to an import into the own node, and were skipped.
    SessionSkipped,
    /// HOME and UNHOME were applied to this node, whatever server they name.
    ServerIgnored,
}

impl Notice {
    /// The name as programs see it; never changes once published.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::DescriptionsDropped => "descriptions-dropped",
            Self::AuthenticationSkipped => "authentication-skipped",
            Self::SessionSkipped => "session-skipped",
            Self::ServerIgnored => "server-ignored",
        }
    }
}

/// A parser of one format.
pub(crate) trait Source {
    /// The next step; `None` at the end of the input.
    fn next(&mut self) -> io::Result<Option<Step>>;

    /// Bytes of the input read so far.
    fn offset(&self) -> u64;

    /// Lines read so far.
    fn lines(&self) -> u64;

    /// Takes the notices that have come up since the last call.
    fn take_notices(&mut self) -> Vec<Notice>;
}
