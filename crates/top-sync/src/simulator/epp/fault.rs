//! What goes wrong, when it is told to.

use std::collections::VecDeque;
use std::time::Duration;

/// What a command does, as faults are aimed at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the command of its name")]
pub enum Kind {
    CheckEnterprise,
    CheckPrefix,
    CreateEnterprise,
    CreatePrefix,
    ReplaceEnterprise,
    AmendEnterprise,
    Poll,
    Acknowledge,
    /// Nothing that is known.
    Other,
}

/// A fault, of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends, and nothing was done.
    DropRequest,
    /// It is done, and the connection ends.
    DropAnswer,
    /// It is done, and half of the answer is sent.
    HalfAnswer,
    /// It is done, and the answer comes late.
    Delay(Duration),
    /// An HTTP status instead, and nothing was done.
    Status(u16),
    /// It is done, and an HTTP status comes instead.
    StatusAfter(u16),
    /// A code of EPP instead, and nothing was done.
    Code(u16),
    /// It is done, and these bytes come instead.
    Bytes(Vec<u8>),
    /// It is done, and so many bytes come instead.
    Huge(u64),
    /// It is done, and the answer names another transaction.
    OtherTransaction,
    /// It is done, and every message of the queue is there twice, once more under the same name.
    DuplicateMessages,
    /// It is done, and the queue is in the opposite order.
    ReverseMessages,
}

/// Faults to come, each for the next command it is aimed at.
#[derive(Debug, Default)]
pub(super) struct Faults(VecDeque<(Option<Kind>, Fault)>);

impl Faults {
    pub(super) fn add(&mut self, kind: Option<Kind>, fault: Fault) {
        self.0.push_back((kind, fault));
    }

    pub(super) fn take(&mut self, kind: Kind) -> Option<Fault> {
        let at = self.0.iter().position(|(aimed, _)| aimed.is_none_or(|aimed| aimed == kind))?;
        self.0.remove(at).map(|(_, fault)| fault)
    }

    pub(super) fn left(&self) -> usize {
        self.0.len()
    }
}
