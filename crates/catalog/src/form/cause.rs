//! What is wrong with a field of a text form, and where it stands.

use std::path::PathBuf;

use crate::command::{Refusal, RefusalCode};
use crate::prefixes::HomeNameError;
use crate::values::ValueSetError;

/// Why a line, a field or a record was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The line has bytes that are not UTF-8.
    #[error("not UTF-8 from byte {at}")]
    NotUtf8 {
        /// Offset within the line.
        at: usize,
    },
    /// The line, or a block of lines, is longer than allowed.
    #[error("longer than {limit} bytes")]
    TooLong {
        /// Bytes allowed.
        limit: usize,
    },
    /// Not JSON.
    #[error("not JSON at column {column}")]
    NotJson {
        /// Where reading stopped, from 1.
        column: usize,
    },
    /// A field that has to be there is not.
    #[error("missing")]
    Missing,
    /// A field nobody knows.
    #[error("unknown field")]
    UnknownField,
    /// A field stands twice.
    #[error("stands twice")]
    Twice,
    /// A field of another kind than it should be.
    #[error("not {expected}")]
    WrongKind {
        /// What it should be.
        expected: &'static str,
    },
    /// A number outside its range.
    #[error("not between {min} and {max}")]
    OutOfRange {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// Permissions that are not four (or eight) characters `0` or `1`.
    #[error("permissions are four characters 0 or 1")]
    Permissions,
    /// Rights of an administrator that are not twelve characters `0` or `1`.
    #[error("rights of an administrator are twelve characters 0 or 1")]
    AdminPermissions,
    /// Not hexadecimal.
    #[error("not hexadecimal text of whole bytes")]
    Hex,
    /// A data format nobody knows.
    #[error("unknown data format {0:?}")]
    UnknownFormat(String),
    /// The values are no set.
    #[error(transparent)]
    Values(#[from] ValueSetError),
    /// Not the name of a prefix.
    #[error(transparent)]
    HomeName(#[from] HomeNameError),
    /// The line begins with no word of the batch format.
    #[error("no operation of the batch format begins like this")]
    UnknownOperation,
    /// Parts are missing from a line of the batch format.
    #[error("the line ends before its {part}")]
    CutShort {
        /// The first part that is missing.
        part: &'static str,
    },
    /// Value data from a file, without a folder to read from.
    #[error("data from files is not allowed here")]
    FilesNotAllowed,
    /// A file outside the folder of the import.
    #[error("{} is not inside the folder of the import", path.display())]
    FileOutside {
        /// The path as given.
        path: PathBuf,
    },
    /// A file that cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    File {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A status where only values can be brought.
    #[error("the status is not part of a registration: suspend or revoke the identifier behind it")]
    StatusApart,
    /// The writer refused the record.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The writer refused the record before an interruption; only the code of the refusal is kept that long.
    #[error("refused as {}, before an interruption; its details are not kept", .0.as_str())]
    RefusedBefore(RefusalCode),
}

impl Cause {
    /// The name as programs see it; never changes once published.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotUtf8 { .. } => "not-utf8",
            Self::TooLong { .. } => "too-long",
            Self::NotJson { .. } => "not-json",
            Self::Missing => "missing",
            Self::UnknownField => "unknown-field",
            Self::Twice => "twice",
            Self::WrongKind { .. } => "wrong-kind",
            Self::OutOfRange { .. } => "out-of-range",
            Self::Permissions => "permissions",
            Self::AdminPermissions => "admin-permissions",
            Self::Hex => "hex",
            Self::UnknownFormat(_) => "unknown-format",
            Self::Values(_) => "values",
            Self::HomeName(_) => "home-name",
            Self::UnknownOperation => "unknown-operation",
            Self::CutShort { .. } => "cut-short",
            Self::FilesNotAllowed => "files-not-allowed",
            Self::FileOutside { .. } => "file-outside",
            Self::File { .. } => "file",
            Self::StatusApart => "status-apart",
            Self::Refused(refusal) => refusal.code().as_str(),
            Self::RefusedBefore(code) => code.as_str(),
        }
    }
}

/// A cause and the path of the field it is about, such as `values[2].data.value`; empty for the whole line.
#[derive(Debug)]
pub(crate) struct FieldError {
    pub(crate) field: String,
    pub(crate) cause: Cause,
}

impl FieldError {
    pub(crate) fn new(field: &str, cause: impl Into<Cause>) -> Self {
        Self { field: field.to_owned(), cause: cause.into() }
    }

    /// The same error as seen from the field outside.
    pub(crate) fn within(self, outer: &str) -> Self {
        let separator = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        Self { field: format!("{outer}{separator}{}", self.field), cause: self.cause }
    }

    /// The same error as seen from outside the list.
    pub(crate) fn at(self, index: usize) -> Self {
        self.within(&format!("[{index}]"))
    }
}

/// What reading a part of a form gives.
pub(crate) type FieldResult<T> = Result<T, FieldError>;
