//! Taking records in from files: JSON lines and the batch format of Handle.Net servers.
//!
//! An import streams its input, hands records to the one writer in submissions, keeps several of them under way, and goes
//! on after anything it cannot take: each problem is counted, written to the reject writer, and the first of them kept for
//! the summary. With a stream id, each submission also commits how far the input was taken, in the same group as its
//! records, so that an interrupted import continues where it was. A finished one is forgotten: run again, it finds all
//! its records the same.
//!
//! A job does without a second reading of what it has done: see [`run_counted`].
//!
//! JSON lines are described in [`crate::form`]. The batch format, as far as it is about data:
//!
//! ```text
//! CREATE handle            ADD handle             MODIFY handle       value lines follow, up to an empty line
//! DELETE handle            REMOVE 1,2:handle
//! HOME ip:port:protocol    UNHOME ip:port:protocol                    prefixes follow, one a line, up to an empty line
//! AUTHENTICATE …           SESSIONSETUP                               skipped with their lines
//!
//! value line := index TYPE ttl permissions KIND data
//! KIND data  := UTF8 text | FILE path | ADMIN index:rights:handle | LIST index:handle;index:handle;
//! ```
//! Permissions are admin read, admin write, public read, public write. The twelve rights of an administrator run the other
//! way round than in JSON: leftmost is "add handle". Text begins behind exactly one blank and goes to the end of the line.
//! The format has no timestamps: values get the time of the import.

mod batch;
mod batch_value;
mod dry_run;
mod importer;
mod jsonl;
mod lines;
mod options;
mod problem;
mod recorder;
mod step;
mod summary;

pub use crate::form::cause::Cause;
pub(crate) use batch_value::line_reads_as as batch_line_reads_as;
pub(crate) use importer::least_home;
pub use importer::{run, run_counted};
pub use lines::{LineHead, Lines};
pub use options::{Format, ImportOptions, stream_id};
pub use problem::Problem;
pub use recorder::{Place, Recorder};
pub use step::Notice;
pub use summary::{ImportError, Progress, Summary};

use crate::catalog::Catalog;
use crate::command::Submission;
use crate::queue::Results;
use dry_run::DryRun;

/// What the writer would answer to a submission now, by rights, data and limits; quotas aside. Writes nothing.
#[must_use]
pub fn check(catalog: &Catalog, submission: Submission) -> Results {
    DryRun::new(catalog).decide(submission)
}
