//! Giving records out: as JSON lines or in the batch format of Handle.Net servers, in order of the canonical keys.
//!
//! An export gives back what an import took, after this normalisation: values in ascending order of index; in JSON, data
//! that is text as `string`, text that is a JSON object or list as `json`, administrators, value lists and sites in their
//! formats, everything else as `hex`. Handles keep the case they were registered in, and values their timestamps. The batch
//! format has no timestamps, absolute TTLs or references, and its text stands on one line: values with data it cannot
//! say go to files when a folder is given, and records it cannot say at all are listed, not cut. Nor can it say that a record is suspended or
//! revoked: those are left out and counted, since an import would put them back into resolution.

mod batch;
mod jsonl;

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::catalog::Catalog;
use crate::cold::FetchError;
use crate::import::Format;
use crate::record::Stored;

/// What an export is to write.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// The form of the output.
    pub format: Format,
    /// Only records whose canonical key begins so (folded to upper case); all when empty. `88.1/` is one prefix.
    pub key_prefix: Vec<u8>,
    /// Folder for data the batch format cannot say on one line; must exist. Without it such records are listed.
    pub files: Option<PathBuf>,
}

impl ExportOptions {
    /// All records in a format.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        Self { format, key_prefix: Vec::new(), files: None }
    }
}

/// What an export did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Records written.
    pub records: u64,
    /// Values written.
    pub values: u64,
    /// Records that are suspended or revoked and that the format cannot say to be so, not written.
    pub withdrawn: u64,
    /// Records the format cannot say, not written.
    pub omitted: u64,
    /// The handles of the first of them, as text.
    pub omitted_handles: Vec<String>,
    /// The callback stopped it before the last record.
    pub stopped: bool,
}

impl Summary {
    /// Handles listed in [`omitted_handles`](Self::omitted_handles) at most.
    pub const LISTED_HANDLES: usize = 100;
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The output cannot be written.
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
    /// A record cannot be read; those before it were written.
    #[error("a record cannot be read")]
    Record(#[from] FetchError),
}

/// Writes records to `out` in order of their canonical keys. Records written meanwhile may or may not be among them.
/// `progress` gets the number of records so far after each, and may stop the export.
///
/// # Errors
/// See [`ExportError`].
pub fn run(
    catalog: &Catalog,
    out: &mut dyn Write,
    options: &ExportOptions,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Summary, ExportError> {
    let mut summary = Summary::default();
    let mut failed = None;
    let mut form: Box<dyn Form> = match options.format {
        Format::JsonLines => Box::new(jsonl::JsonLines),
        Format::Batch => Box::new(batch::Batch::new(options.files.clone())),
    };
    catalog.cold().scan(b"", &options.key_prefix, &mut |_, stored| {
        match form.write(&stored, out) {
            Ok(Written::Yes) => {
                summary.records += 1;
                summary.values += u64::from(stored.count());
            }
            Ok(Written::Withdrawn) => summary.withdrawn += 1,
            Ok(Written::NotSayable) => {
                summary.omitted += 1;
                if summary.omitted_handles.len() < Summary::LISTED_HANDLES {
                    summary.omitted_handles.push(String::from_utf8_lossy(stored.handle()).into_owned());
                }
            }
            Err(error) => {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        let flow = progress(summary.records);
        summary.stopped |= flow.is_break();
        flow
    })?;
    if let Some(error) = failed {
        return Err(ExportError::Output(error));
    }
    out.flush().map_err(ExportError::Output)?;
    Ok(summary)
}

/// A form records are written in.
trait Form {
    /// Writes a record whole, or nothing of it.
    fn write(&mut self, stored: &Stored<'_>, out: &mut dyn Write) -> io::Result<Written>;
}

/// Whether a record was written.
enum Written {
    Yes,
    /// It is out of resolution, which the form cannot say.
    Withdrawn,
    /// The form cannot say it.
    NotSayable,
}
