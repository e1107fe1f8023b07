//! What reading gives.

use crate::Problem;

/// A row without problems: an identifier with its values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Row of a workbook, or line of a CSV file on which the row begins, from 1.
    pub number: u32,
    /// The identifier.
    pub handle: String,
    /// Index and text of each value that is not empty, in the order of the layout's columns.
    pub values: Vec<(u32, String)>,
}

/// A row that is kept back.
#[derive(Clone, PartialEq, Debug)]
pub struct BadRow {
    /// As in [`Row`].
    pub number: u32,
    /// What is wrong; at least one.
    pub problems: Vec<Problem>,
    /// Its cells as they were.
    pub cells: Cells,
}

/// The cells of a row, as they were found.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Cells {
    /// The identifier's.
    pub handle: Option<Cell>,
    /// Index and cell of the others that are not empty.
    pub values: Vec<(u32, Cell)>,
}

/// What a cell holds.
#[derive(Clone, PartialEq, Debug)]
pub enum Cell {
    /// A text.
    Text(String),
    /// A number. Texts that a spreadsheet program took for numbers are such cells too.
    Number {
        /// Its value.
        value: f64,
        /// Digits its format fills up with zeros: 6 for the format `000000`.
        padded: Option<u32>,
    },
    /// A day and time, as days since the end of 1899, as spreadsheet programs count them.
    Date(f64),
    /// True or false.
    Boolean(bool),
    /// An error such as `#N/A`.
    Error(String),
    /// A formula, with the value it had when the file was saved.
    Formula(Box<Self>),
}

/// What comes next in a file.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Item {
    /// A row that can be used.
    Row(Row),
    /// A row with problems.
    Bad(BadRow),
    /// Something a person may want to know, of which no row is kept back: rows that are empty.
    Remark(Problem),
}

/// A row as the reader of a form of file gives it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawRow {
    /// Row or line on which it begins.
    pub(crate) number: u32,
    /// The last one it takes; a row of CSV may take several.
    pub(crate) last: u32,
    /// Whether spreadsheet programs hide it.
    pub(crate) is_hidden: bool,
    /// Whether cells of it are merged.
    pub(crate) is_merged: bool,
    /// Whether it ends within quotation marks.
    pub(crate) is_unclosed: bool,
    /// Cells with their columns, from 0, in ascending order. Empty cells are left out.
    pub(crate) cells: Vec<(u32, Cell)>,
    /// Bytes of their texts.
    pub(crate) bytes: usize,
}

impl Cell {
    /// Whether nothing is in it but white space.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.trim().is_empty())
    }

    /// Bytes of its text.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Error(text) => text.len(),
            Self::Formula(cell) => cell.text_bytes(),
            Self::Number { .. } | Self::Date(_) | Self::Boolean(_) => 0,
        }
    }
}
