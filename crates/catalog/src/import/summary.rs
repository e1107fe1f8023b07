//! What an import says: how far it is, what it did, why it ended early.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::problem::Problem;
use super::step::Notice;
use crate::command::Outcome;
use crate::queue::{SubmitError, WriteError};
use crate::streams::{ItemsError, MarkError};
use crate::warnings::{Warning, Warnings};

/// How far an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input read.
    pub bytes: u64,
    /// Lines of the input read.
    pub lines: u64,
    /// Operations acknowledged as done or found done.
    pub done: u64,
    /// Lines and operations that failed.
    pub failed: u64,
}

/// What an import did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// How far it came.
    pub progress: Progress,
    /// Offset and line it continued from, after an interrupted import of the same input.
    pub resumed: Option<(u64, u64)>,
    /// It was stopped by the progress callback; the rest was not read.
    pub stopped: bool,
    /// New records.
    pub created: u64,
    /// Records replaced whole.
    pub replaced: u64,
    /// Records whose values changed.
    pub changed: u64,
    /// Records deleted.
    pub deleted: u64,
    /// Records, and prefixes, that were already as the input says.
    pub same: u64,
    /// Prefixes homed, by the input or on demand.
    pub homed: u64,
    /// Prefixes given up.
    pub unhomed: u64,
    /// Records taken with a warning, by warning.
    pub warnings: BTreeMap<Warning, u64>,
    /// The first problems; `progress.failed` counts all.
    pub problems: Vec<Problem>,
    /// Prefixes that are not served here, with the number of operations refused for it. At most
    /// [`LISTED_PREFIXES`](Self::LISTED_PREFIXES) of them.
    pub not_served: BTreeMap<String, u64>,
    /// What the import left out or did otherwise.
    pub notices: BTreeSet<Notice>,
}

impl Summary {
    /// Prefixes listed in [`not_served`](Self::not_served) at most.
    pub const LISTED_PREFIXES: usize = 1_000;

    /// Tells whether everything in the input was taken.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.progress.failed == 0 && !self.stopped
    }

    pub(super) fn count(&mut self, outcome: Outcome, warnings: Warnings) {
        let counter = match outcome {
            Outcome::Created => &mut self.created,
            Outcome::Replaced => &mut self.replaced,
            Outcome::Changed => &mut self.changed,
            Outcome::Deleted => &mut self.deleted,
            Outcome::Same => &mut self.same,
            Outcome::Homed => &mut self.homed,
            Outcome::Unhomed => &mut self.unhomed,
            _ => return,
        };
        *counter += 1;
        for warning in warnings.iter() {
            *self.warnings.entry(warning).or_default() += 1;
        }
    }
}

/// Why an import ended before the end of its input. What was acknowledged stays; with a stream id the next run continues.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The input cannot be read.
    #[error("the input cannot be read")]
    Input(#[source] io::Error),
    /// The reject writer failed.
    #[error("the list of rejects cannot be written")]
    Rejects(#[source] io::Error),
    /// The mark of an earlier run cannot be read.
    #[error("the mark of an earlier run cannot be read")]
    Mark(#[source] MarkError),
    /// What became of the orders before an interruption cannot be told.
    #[error("what was done before an interruption cannot be told")]
    Decided(#[source] ItemsError),
    /// The stream is not as far as the counts that were kept of it: the node's data is older than they are.
    #[error("{kept} orders were counted, and the node knows of {found}")]
    Behind {
        /// Orders counted.
        kept: u64,
        /// Orders the node knows of.
        found: u64,
    },
    /// The writer does not take more.
    #[error("the writer took no more")]
    Submit(#[source] SubmitError),
    /// The writer failed.
    #[error("writing failed after {} operations", summary.progress.done)]
    Write {
        /// Why.
        #[source]
        error: WriteError,
        /// What was done until then.
        summary: Box<Summary>,
    },
}
