//! Rows of a sheet, as a stream.

use std::{borrow::Cow, io::Read, sync::Arc};

use quick_xml::events::{BytesStart, Event};

use super::{
    escapes::unescape,
    merged::Merged,
    strings::{Strings, Within},
    styles::Format,
    xml::{Xml, add_text},
};
use crate::{
    Cell, Code, Problem,
    failure::{ReadError, damaged},
    limits::Limits,
    row::RawRow,
};

/// What is needed to know what the cells of all sheets mean.
#[derive(Clone, Default)]
pub(super) struct Meaning {
    pub(super) strings: Arc<Strings>,
    pub(super) formats: Arc<Vec<Format>>,
    pub(super) is_from_1904: bool,
}

/// Days between the two beginnings of counting.
const DAYS_TO_1904: f64 = 1462.0;

/// Reads the rows of a sheet that have cells.
pub(super) struct CellReader<R: Read> {
    xml: Xml<R>,
    part: String,
    meaning: Meaning,
    merged: Merged,
    limits: Limits,
    last_row: u32,
    is_at_end: bool,
}

/// A cell while it is read.
#[derive(Default)]
struct OpenCell {
    position: u32,
    kind: Kind,
    format: Format,
    has_formula: bool,
    text: String,
}

/// What the text of a cell is: attribute `t` (ECMA-376 part 1 section 18.18.11).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Number,
    Shared,
    Text,
    Boolean,
    Error,
}

/// Which text of a cell comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    Value,
    Inline(Within),
}

impl<R: Read> CellReader<R> {
    /// Over a sheet.
    pub(super) fn new(xml: Xml<R>, meaning: Meaning, merged: Merged, limits: Limits) -> Self {
        let part = xml.name().to_owned();
        Self { xml, part, meaning, merged, limits, last_row: 0, is_at_end: false }
    }

    /// The next row that has cells.
    pub(super) fn next_row(&mut self) -> Result<Option<RawRow>, ReadError> {
        while let Some(mut row) = self.begin_row()? {
            self.fill(&mut row)?;
            if !row.cells.is_empty() {
                row.is_merged = self.merged.touches(row.number);
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Goes to the next row.
    fn begin_row(&mut self) -> Result<Option<RawRow>, ReadError> {
        while !self.is_at_end {
            match self.xml.next()? {
                Event::Start(element) if element.local_name().as_ref() == "row" => {
                    let row = begin_row(&element, self.last_row, &self.part)?;
                    self.last_row = row.number;
                    return Ok(Some(row));
                }
                Event::End(element) if element.local_name().as_ref() == "sheetData" => self.is_at_end = true,
                Event::Eof => self.is_at_end = true,
                _ => {}
            }
        }
        Ok(None)
    }

    /// Reads the cells of a row up to its end.
    fn fill(&mut self, row: &mut RawRow) -> Result<(), ReadError> {
        let mut cell = OpenCell::default();
        let mut inside = Inside::Nothing;
        let mut next_position = 0;
        loop {
            match self.xml.next()? {
                Event::Start(element) => match element.local_name().as_ref() {
                    "c" => {
                        begin_cell(&mut cell, &element, next_position, &self.meaning.formats, &self.part)?;
                        next_position = cell.position + 1;
                    }
                    "v" => inside = Inside::Value,
                    "f" => cell.has_formula = true,
                    "is" => inside = Inside::Inline(Within::Nothing),
                    name => {
                        if let Inside::Inline(within) = inside {
                            inside = Inside::Inline(within.start(name));
                        }
                    }
                },
                Event::End(element) => match (element.local_name().as_ref(), inside) {
                    ("row", _) => return Ok(()),
                    ("v", _) | ("is", _) => inside = Inside::Nothing,
                    ("c", _) => {
                        inside = Inside::Nothing;
                        self.end_cell(&mut cell, row)?;
                    }
                    (name, Inside::Inline(within)) => inside = Inside::Inline(within.end(name)),
                    _ => {}
                },
                Event::Eof => return Err(damaged(&self.part, "the XML ends early")),
                event if matches!(inside, Inside::Value | Inside::Inline(Within::Text)) => {
                    add_text(&event, &mut cell.text, &self.part)?;
                    if cell.text.len() > self.limits.row_bytes {
                        return Err(too_large(row.number, self.limits));
                    }
                }
                _ => {}
            }
        }
    }

    /// Adds a cell to its row, unless it is empty.
    fn end_cell(&self, open: &mut OpenCell, row: &mut RawRow) -> Result<(), ReadError> {
        let position = open.position;
        let content = self.content(open)?;
        let cell = match (content, open.has_formula) {
            (Some(cell), true) => Cell::Formula(Box::new(cell)),
            (None, true) => Cell::Formula(Box::new(Cell::Text(String::new()))),
            (Some(cell), false) if !cell.is_empty() => cell,
            (_, false) => return Ok(()),
        };
        row.bytes += size_of::<(u32, Cell)>() + cell.text_bytes();
        if row.bytes > self.limits.row_bytes {
            return Err(too_large(row.number, self.limits));
        }
        row.cells.push((position, cell));
        Ok(())
    }

    fn content(&self, open: &mut OpenCell) -> Result<Option<Cell>, ReadError> {
        let text = &open.text;
        Ok(match open.kind {
            Kind::Number if text.is_empty() => None,
            Kind::Number => {
                let value: f64 = text.trim().parse().unwrap_or(f64::NAN);
                if !value.is_finite() {
                    return Err(damaged(&self.part, "a number that is none"));
                }
                Some(match open.format {
                    Format::Date if self.meaning.is_from_1904 => Cell::Date(value + DAYS_TO_1904),
                    Format::Date => Cell::Date(value),
                    Format::Padded(digits) => Cell::Number { value, padded: Some(digits) },
                    Format::Plain => Cell::Number { value, padded: None },
                })
            }
            Kind::Shared => {
                let shared = text.trim().parse().ok().and_then(|number| self.meaning.strings.get(number));
                let shared = shared.ok_or_else(|| damaged(&self.part, "a shared text that is not there"))?;
                Some(Cell::Text(shared.to_owned()))
            }
            Kind::Text => Some(Cell::Text(match unescape(text) {
                Cow::Borrowed(_) => std::mem::take(&mut open.text),
                Cow::Owned(plain) => plain,
            })),
            Kind::Boolean => Some(Cell::Boolean(matches!(text.trim(), "1" | "true"))),
            Kind::Error => Some(Cell::Error(text.clone())),
        })
    }
}

fn too_large(row: u32, limits: Limits) -> ReadError {
    Problem::new(Code::RowTooLarge).in_row(row).with("limit", limits.row_bytes).into()
}

/// Number of the row, and whether it is hidden.
fn begin_row(element: &BytesStart<'_>, last_row: u32, part: &str) -> Result<RawRow, ReadError> {
    let mut row = RawRow { number: last_row.saturating_add(1), ..RawRow::default() };
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| damaged(part, error))?;
        match attribute.key.as_ref() {
            "r" => row.number = attribute.value.parse().unwrap_or(0),
            "hidden" => row.is_hidden = matches!(&*attribute.value, "1" | "true"),
            _ => {}
        }
    }
    if row.number <= last_row || row.number > Limits::SHEET_ROWS {
        return Err(damaged(part, format_args!("row {} behind row {last_row}", row.number)));
    }
    row.last = row.number;
    Ok(row)
}

/// Column, kind and format of a cell.
fn begin_cell(
    cell: &mut OpenCell,
    element: &BytesStart<'_>,
    next_position: u32,
    formats: &[Format],
    part: &str,
) -> Result<(), ReadError> {
    cell.text.clear();
    (cell.position, cell.kind, cell.format, cell.has_formula) = (next_position, Kind::Number, Format::Plain, false);
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| damaged(part, error))?;
        match attribute.key.as_ref() {
            "r" => cell.position = column(&attribute.value).unwrap_or(u32::MAX),
            "s" => {
                let style = attribute.value.parse().ok().and_then(|style: usize| formats.get(style));
                cell.format = style.copied().unwrap_or_default();
            }
            "t" => {
                cell.kind = match &*attribute.value {
                    "s" => Kind::Shared,
                    "b" => Kind::Boolean,
                    "e" => Kind::Error,
                    "n" => Kind::Number,
                    // A formula's text, a text in the cell itself, a date in ISO 8601.
                    _ => Kind::Text,
                };
            }
            _ => {}
        }
    }
    if cell.position < next_position || cell.position >= Limits::SHEET_COLUMNS {
        return Err(damaged(part, "cells that are not in the order of columns"));
    }
    Ok(())
}

/// Column of a reference such as `AB12`, from 0.
pub(super) fn column(reference: &str) -> Option<u32> {
    let letters = reference.bytes().take_while(u8::is_ascii_alphabetic).take(4);
    let number = letters.fold(0_u32, |number, letter| number * 26 + u32::from(letter.to_ascii_uppercase() - b'A') + 1);
    number.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::column;

    #[test]
    fn references_name_columns() {
        for (reference, position) in [("A1", 0), ("Z9", 25), ("AA10", 26), ("XFD1048576", 16_383), ("ab3", 27)] {
            assert_eq!(column(reference), Some(position), "{reference}");
        }
        assert_eq!(column("12"), None);
        assert_eq!(column(""), None);
    }
}
