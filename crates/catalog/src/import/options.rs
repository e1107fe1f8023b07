//! What an import is told: the form of its input, what to do, and within which limits.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use crate::actor::Actor;
use crate::command::PutMode;
use crate::config::{IMPORT_IN_FLIGHT, IMPORT_KEPT_PROBLEMS, IMPORT_LINE_BYTES, IMPORT_SUBMISSION, usize_of};

/// The form an input is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    JsonLines,
    /// The batch format of Handle.Net servers.
    Batch,
}

impl Format {
    /// Tells the format by how an input begins: JSON lines begin with `{`.
    #[must_use]
    pub fn detect(beginning: &[u8]) -> Self {
        let beginning = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning);
        match beginning.trim_ascii_start().first() {
            // An empty file is of any form; every door takes JSON lines.
            Some(b'{') | None => Self::JsonLines,
            Some(_) => Self::Batch,
        }
    }
}

/// What an import is to do.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// Who writes; its rights decide about each operation.
    pub actor: Actor,
    /// The form of the input.
    pub format: Format,
    /// Home prefixes that are not served, as far as the records need it. Without it such records are refused, and the
    /// summary lists their prefixes.
    pub home: bool,
    /// Check everything, write nothing.
    pub dry_run: bool,
    /// What happens to handles that exist.
    pub existing: PutMode,
    /// Names the input, see [`stream_id`]; without it an interrupted import begins anew.
    pub stream: Option<[u8; 16]>,
    /// Folder that `FILE` values of the batch format may be read from.
    pub files: Option<PathBuf>,
    /// Longest line in bytes, see [`IMPORT_LINE_BYTES`].
    pub line_bytes: usize,
    /// Commands in one submission, see [`IMPORT_SUBMISSION`].
    pub submission: usize,
    /// Submissions under way, see [`IMPORT_IN_FLIGHT`].
    pub in_flight: usize,
    /// Problems kept for the summary, see [`IMPORT_KEPT_PROBLEMS`].
    pub kept_problems: usize,
}

impl ImportOptions {
    /// Defaults for a format.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            actor: Actor::import(),
            format,
            home: false,
            dry_run: false,
            existing: PutMode::CreateOrSame,
            stream: None,
            files: None,
            line_bytes: usize_of(IMPORT_LINE_BYTES.default),
            submission: usize_of(IMPORT_SUBMISSION.default),
            in_flight: usize_of(IMPORT_IN_FLIGHT.default),
            kept_problems: usize_of(IMPORT_KEPT_PROBLEMS.default),
        }
    }
}

/// Names an input: by its format, by what is to be done with it, its length and its first 64 KiB. Leaves the input at its
/// start.
///
/// # Errors
/// The input cannot be read or sought.
pub fn stream_id(input: &mut (impl Read + Seek), options: &ImportOptions) -> io::Result<[u8; 16]> {
    const BEGINNING_BYTES: u64 = 64 << 10;
    let length = input.seek(SeekFrom::End(0))?;
    input.seek(SeekFrom::Start(0))?;
    let mut beginning = Vec::new();
    input.by_ref().take(BEGINNING_BYTES).read_to_end(&mut beginning)?;
    input.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    hasher.update([options.format as u8, u8::from(options.home), options.existing as u8]);
    hasher.update(length.to_be_bytes());
    hasher.update(&beginning);
    let hash: [u8; 32] = hasher.finalize().into();
    Ok(hash.first_chunk().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn formats_are_told_by_their_beginning() {
        assert_eq!(Format::detect(b"\xef\xbb\xbf\n {\"handle\""), Format::JsonLines);
        assert_eq!(Format::detect(b"CREATE 88.1/x\n"), Format::Batch);
    }

    #[test]
    fn streams_differ_by_content_length_and_purpose() {
        let id = |content: &[u8], home: bool| {
            let options = ImportOptions { home, ..ImportOptions::new(Format::JsonLines) };
            let mut input = Cursor::new(content.to_vec());
            let id = stream_id(&mut input, &options).unwrap();
            assert_eq!(input.position(), 0);
            id
        };
        let long = vec![b'x'; 100_000];
        assert_eq!(id(&long, false), id(&long, false));
        assert_ne!(id(&long, false), id(&long, true));
        assert_ne!(id(&long, false), id(&long[..99_999], false));
        assert_ne!(id(b"a", false), id(b"b", false));
    }
}
