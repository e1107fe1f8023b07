//! Taking records in from files: JSON lines and the batch format of Handle.Net servers.
//!
//! An import streams its input, hands records to the one writer in submissions, keeps several of them under way, and goes
//! on after anything it cannot take: each problem is counted, written to the reject writer, and the first of them kept for
//! the summary. With a stream id, each submission also commits how far the input was taken, in the same group as its
//! records, so that an interrupted import continues where it was. A finished one is forgotten: run again, it finds all
//! its records the same.

mod batch;
mod batch_value;
mod dry_run;
mod importer;
mod jsonl;
mod lines;
mod problem;
mod step;

pub use crate::form::cause::Cause;
pub(crate) use batch_value::line_reads_as as batch_line_reads_as;
pub use importer::{Format, ImportError, ImportOptions, Progress, Summary, run, stream_id};
pub use problem::Problem;
pub use step::Notice;
