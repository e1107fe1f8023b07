//! Spreadsheets against a template: a workbook to fill in, its rows read back one by one, and those that failed given back to mend.
//!
//! ```text
//! Layout ──┬── write_workbook ──> .xlsx ── people ──> .xlsx or .csv
//!          │                                               │
//!          ├── read_xlsx, read_csv ──> Rows ──> Row        v
//!          │                            └─────> BadRow ── why, where, what to do
//!          │                                       │
//!          └── FailedRows <────────────────────────┘   a workbook of the same form with a column of reasons
//! ```
//!
//! Spreadsheet programs change what is typed: codes lose their zeros, become powers of ten or dates. What could have been lost is told, never
//! guessed, with a code of [`Code`] and a text in English and Chinese for the person who has to mend it.
//!
//! Files are read as streams, within [`Limits`]; whatever a file holds, reading gives an error, not a panic. A file that is damaged anywhere
//! is refused before its first row is given.
//!
//! Absent: the catalog's templates, which are turned into a [`Layout`] elsewhere; opening files; old `.xls` workbooks.
#![forbid(unsafe_code)]

mod code;
mod csv;
mod failure;
mod language;
mod layout;
mod limits;
mod mark;
mod problem;
mod read;
mod row;
mod rows;
mod words;
mod write;
mod xlsx;

pub use code::{Code, Explanation, problems_page};
pub use csv::Encoding;
pub use failure::ReadError;
pub use language::{Language, Text};
pub use layout::{Column, DataKind, LEAST_INDEX, Layout, LayoutError, MOST_CHARS, MOST_COLUMNS, MOST_DECIMALS, REMARK};
pub use limits::{Limits, Options};
pub use mark::Mark;
pub use problem::{Place, Problem};
pub use row::{BadRow, Cell, Cells, Item, Row};
pub use rows::{About, Rows, read, read_csv, read_xlsx};
pub use write::{FailedRows, WriteError, write_workbook};
