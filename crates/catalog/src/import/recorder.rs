//! Who is told, step by step, what an import does.

use std::io::{self, Write};
use std::ops::ControlFlow;

use super::problem::Problem;
use super::summary::{Progress, Summary};

/// A place in an input from which an import can go on without doing or counting anything twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Bytes of the input before it.
    pub offset: u64,
    /// Lines of the input before it.
    pub lines: u64,
    /// Operations before it that were handed to the writer: where the stream is.
    pub orders: u64,
}

/// Keeps what an import tells.
pub trait Recorder {
    /// A line or operation that failed. They come in the order of the input.
    ///
    /// # Errors
    /// It cannot be kept; the import ends.
    fn failed(&mut self, problem: &Problem) -> io::Result<()>;

    /// Everything up to here was told: `summary` counts what lies between the beginning and `place`, and [`failed`](Self::failed) was called for
    /// no line behind it. Without a place the import cannot go on from here. Breaking ends the import after what is under way.
    ///
    /// # Errors
    /// It cannot be kept; the import ends.
    fn reached(&mut self, place: Option<&Place>, summary: &Summary) -> io::Result<ControlFlow<()>>;
}

/// Writes problems to a file, and tells the progress to a callback.
pub(super) struct ToFile<'a> {
    pub(super) rejects: Option<&'a mut dyn Write>,
    pub(super) progress: &'a mut dyn FnMut(&Progress) -> ControlFlow<()>,
}

impl Recorder for ToFile<'_> {
    fn failed(&mut self, problem: &Problem) -> io::Result<()> {
        self.rejects.as_mut().map_or(Ok(()), |rejects| problem.write(rejects))
    }

    fn reached(&mut self, _place: Option<&Place>, summary: &Summary) -> io::Result<ControlFlow<()>> {
        Ok((self.progress)(&summary.progress))
    }
}
