//! Workbooks.

mod example;
mod failed;
mod sheet;
mod template;

use std::{error, fmt, io};

pub use failed::FailedRows;
use rust_xlsxwriter::XlsxError;
pub use template::write_workbook;

use crate::{Language, limits::Limits};

/// Why a workbook cannot be written.
#[derive(Debug)]
#[non_exhaustive]
pub enum WriteError {
    /// The workbook is full: 1,048,576 rows.
    Full,
    /// The writer, or the temporary file, failed.
    Io(io::Error),
    /// The library of workbooks refused. A fault of ours.
    Workbook(XlsxError),
}

impl WriteError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Full => "sheet-full",
            Self::Io(_) => "sheet-write",
            Self::Workbook(_) => "sheet-workbook",
        }
    }

    /// What is wrong and what to do, in a language, with the cause.
    #[must_use]
    pub fn text(&self, language: Language) -> String {
        match (self, language) {
            (Self::Full, Language::English) => {
                format!("the workbook is full, it has {} rows; begin another one", Limits::SHEET_ROWS)
            }
            (Self::Full, Language::Chinese) => format!("工作簿已满，共 {} 行；请另建一个", Limits::SHEET_ROWS),
            (Self::Io(cause), Language::English) => {
                format!("the workbook cannot be written: {cause}; check space and rights")
            }
            (Self::Io(cause), Language::Chinese) => format!("无法写出工作簿：{cause}；请检查磁盘空间和权限"),
            (Self::Workbook(cause), Language::English) => format!("the workbook cannot be made: {cause}; report this"),
            (Self::Workbook(cause), Language::Chinese) => format!("无法生成工作簿：{cause}；请报告此问题"),
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the workbook is full",
            Self::Io(_) => "the workbook cannot be written",
            Self::Workbook(_) => "the workbook cannot be made",
        })
    }
}

impl error::Error for WriteError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Full => None,
            Self::Io(cause) => Some(cause),
            Self::Workbook(cause) => Some(cause),
        }
    }
}

impl From<XlsxError> for WriteError {
    fn from(error: XlsxError) -> Self {
        match error {
            XlsxError::IoError(cause) | XlsxError::TempFileError(_, cause) => Self::Io(cause),
            other => Self::Workbook(other),
        }
    }
}
