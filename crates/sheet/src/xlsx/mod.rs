//! Workbooks as Excel has written them since 2007 (ECMA-376): a zip container of XML parts.
//!
//! The sheet is read as a stream, twice: once to its end, so that damage and merged ranges are known before the first row, then row by row.

mod cells;
mod escapes;
mod merged;
mod package;
mod part;
mod strings;
mod styles;
mod workbook;
mod xml;

use std::{
    io::{Read, Seek},
    sync::Arc,
};

use cells::{CellReader, Meaning};
use merged::{Merged, survey};
use package::Package;
use strings::Strings;
use workbook::Sheet;
use xml::Xml;

use crate::{
    Code, Problem,
    failure::ReadError,
    limits::Limits,
    mark::{MARK_SHEET, Mark},
    row::RawRow,
    rows::{About, Source},
};

/// Opens a workbook: the rows of its first visible sheet, and what is told about it.
pub(crate) fn open<'r, R: Read + Seek + Send + 'r>(
    reader: R,
    limits: Limits,
) -> Result<(Box<dyn Source + Send + 'r>, About), ReadError> {
    let mut package = Package::open(reader, limits)?;
    let workbook = workbook::read(&mut package)?;
    let formats = match &workbook.styles {
        Some(part) if package.has(part) => styles::read(&mut package, part)?,
        _ => Vec::new(),
    };
    let strings = match &workbook.strings {
        Some(part) if package.has(part) => read_strings(&mut package, part, limits)?,
        _ => Strings::default(),
    };
    let meaning =
        Meaning { strings: Arc::new(strings), formats: Arc::new(formats), is_from_1904: workbook.is_from_1904 };
    let mut mark = None;
    if let Some(sheet) = workbook.sheets.iter().find(|sheet| sheet.name == MARK_SHEET) {
        mark = read_mark(&mut package, sheet, &meaning, limits)?;
    }
    let mut visible = workbook.sheets.iter().filter(|sheet| !sheet.is_hidden && sheet.name != MARK_SHEET);
    let sheet = visible.next().ok_or_else(|| Problem::new(Code::NoSheet))?;
    let about = About {
        sheet: Some(sheet.name.clone()),
        other_sheets: visible.map(|sheet| sheet.name.clone()).collect(),
        mark,
        ..About::default()
    };
    let merged = if survey(package.part(&sheet.part, limits.part_bytes)?)? {
        Merged::read(Xml::new(package.part(&sheet.part, limits.part_bytes)?, limits.row_bytes))?
    } else {
        Merged::default()
    };
    let xml = Xml::new(package.into_part(&sheet.part)?, limits.row_bytes);
    Ok((Box::new(CellReader::new(xml, meaning, merged, limits)), about))
}

fn read_strings<R: Read + Seek>(package: &mut Package<R>, part: &str, limits: Limits) -> Result<Strings, ReadError> {
    // Markup and escapes are more than the texts; but not without end.
    let most_bytes = u64::try_from(limits.shared_text_bytes).unwrap_or(u64::MAX).saturating_mul(4);
    Strings::read(Xml::new(package.part(part, most_bytes)?, limits.row_bytes), limits)
}

/// What the sheet of the mark says: names in the first column, values in the second.
fn read_mark<R: Read + Seek>(
    package: &mut Package<R>,
    sheet: &Sheet,
    meaning: &Meaning,
    limits: Limits,
) -> Result<Option<Mark>, ReadError> {
    let xml = Xml::new(package.part(&sheet.part, Limits::SMALL_PART_BYTES)?, limits.row_bytes);
    let mut cells = CellReader::new(xml, meaning.clone(), Merged::default(), limits);
    let mut rows = Vec::new();
    while rows.len() < Mark::ROWS
        && let Some(row) = cells.next_row()?
    {
        rows.push(row);
    }
    Ok(Mark::of_rows(&rows))
}

impl<R: Read + Send> Source for CellReader<R> {
    fn next_row(&mut self) -> Result<Option<RawRow>, ReadError> {
        Self::next_row(self)
    }
}
