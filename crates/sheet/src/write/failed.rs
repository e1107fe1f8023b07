//! Rows that failed, to mend and send again.

use std::{borrow::Cow, io, path::Path};

use rust_xlsxwriter::{Format, FormatAlign, Formula, Workbook, Worksheet};

use super::{
    WriteError,
    sheet::{Form, date_format, format, marked, text_format},
};
use crate::{
    BadRow, Cell, Cells, DataKind, Language, Layout, Problem, Row,
    limits::Limits,
    words::{CELL_CUT, DATA_SHEET, REASON_TITLE, ROW_TITLE},
};

/// Columns before the identifier: why, and which row it was.
const REASON: u16 = 0;
const ROW: u16 = 1;
const FIRST: u16 = 2;
/// Longest text of a cell, in units of UTF-16.
const MOST_UNITS: usize = 32_767;

/// Writes rows that failed into a workbook of the same form, with the reason before each. Reading such a workbook ignores the reasons.
///
/// Cells are as they were, a number that should have been a text is still a number, so that a row nobody mended fails again; but formulas
/// give way to their values. Rows wait in a temporary file, so memory does not grow with them.
pub struct FailedRows<'l> {
    form: Form<'l>,
    /// Of reasons and of what is said.
    language: Language,
    workbook: Workbook,
    formats: Formats,
    count: u32,
}

/// Formats of the columns of the layout, the identifier's first: plain, and for cells with problems.
struct Formats {
    columns: Vec<[Format; 2]>,
    /// The same for numbers, which would become dates in columns of dates.
    numbers: Vec<[Format; 2]>,
    dates: [Format; 2],
    reason: Format,
}

impl<'l> FailedRows<'l> {
    /// An empty one, with headings in one language and reasons in another. Temporary files go to `folder`, or where the system puts them.
    ///
    /// # Errors
    ///
    /// If no temporary file can be made.
    pub fn new(
        layout: &'l Layout,
        headings: Language,
        language: Language,
        folder: Option<&Path>,
    ) -> Result<Self, WriteError> {
        let form = Form { layout, language: headings, first: FIRST };
        let mut workbook = Workbook::new();
        if let Some(folder) = folder {
            workbook.set_tempdir(folder)?;
        }
        let formats = Formats::new(layout);
        let sheet = workbook.add_worksheet_with_constant_memory()?;
        sheet.set_name(DATA_SHEET.of(headings))?;
        let heading = marked(Format::new().set_bold());
        sheet.write_string_with_format(0, REASON, REASON_TITLE.of(language), &heading)?;
        sheet.write_string_with_format(0, ROW, ROW_TITLE.of(language), &heading)?;
        sheet.set_column_width(REASON, 60)?;
        form.prepare(sheet)?;
        Ok(Self { form, language, workbook, formats, count: 0 })
    }

    /// Rows it has.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Adds a row that could not be read, with its problems.
    ///
    /// # Errors
    ///
    /// If the workbook is full, or the temporary file cannot be written.
    pub fn push(&mut self, row: &BadRow) -> Result<(), WriteError> {
        let reasons: Vec<String> = row.problems.iter().map(|problem| problem.text_in_row(self.language)).collect();
        self.write(row.number, &reasons.join("\n"), &row.cells, |index| is_about(&row.problems, index))
    }

    /// Adds a row that was read, and refused later for a reason in the language of the workbook.
    ///
    /// # Errors
    ///
    /// As [`FailedRows::push`].
    pub fn push_refused(&mut self, row: &Row, reason: &str) -> Result<(), WriteError> {
        let text = |text: &String| Cell::Text(text.clone());
        let values = row.values.iter().map(|(index, value)| (*index, text(value))).collect();
        self.write(row.number, reason, &Cells { handle: Some(text(&row.handle)), values }, |_| false)
    }

    /// Writes the workbook; gives the number of its rows.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn finish<W: io::Write + io::Seek + Send>(mut self, writer: W) -> Result<u32, WriteError> {
        self.form.add_mark(&mut self.workbook)?;
        self.workbook.save_to_writer(writer)?;
        Ok(self.count)
    }

    fn write(
        &mut self,
        number: u32,
        reason: &str,
        cells: &Cells,
        is_marked: impl Fn(Option<u32>) -> bool,
    ) -> Result<(), WriteError> {
        let row = self.count + 1;
        if row == Limits::SHEET_ROWS {
            return Err(WriteError::Full);
        }
        let is_cut = cells.handle.iter().chain(cells.values.iter().map(|(_, cell)| cell)).any(is_too_long);
        let reason = match is_cut {
            true => Cow::Owned(format!("{reason}\n{}", CELL_CUT.of(self.language))),
            false => Cow::Borrowed(reason),
        };
        let formats = &self.formats;
        let sheet = self.workbook.worksheet_from_index(0)?;
        // Cells of a row have to come in the order of columns.
        sheet.write_string_with_format(row, REASON, cut(&reason), &formats.reason)?;
        sheet.write_number(row, ROW, f64::from(number))?;
        let mut values = cells.values.iter().peekable();
        let slots = std::iter::once((FIRST, None))
            .chain(self.form.columns().map(|(position, column)| (position, Some(column.index))));
        for ((position, index), (texts, numbers)) in slots.zip(formats.columns.iter().zip(&formats.numbers)) {
            let cell = match index {
                None => cells.handle.as_ref(),
                Some(index) => values.next_if(|(of, _)| *of == index).map(|(_, cell)| cell),
            };
            let is_marked = is_marked(index);
            let style = Style {
                plain: pick(texts, is_marked),
                number: pick(numbers, is_marked),
                date: pick(&formats.dates, is_marked),
            };
            match cell {
                Some(cell) => write_cell(sheet, row, position, cell, &style)?,
                None if is_marked => {
                    sheet.write_blank(row, position, style.plain)?;
                }
                None => {}
            }
        }
        self.count = row;
        Ok(())
    }
}

/// Formats of a cell.
struct Style<'a> {
    plain: &'a Format,
    number: &'a Format,
    date: &'a Format,
}

fn pick([plain, with_problem]: &[Format; 2], is_marked: bool) -> &Format {
    if is_marked { with_problem } else { plain }
}

impl Formats {
    fn new(layout: &Layout) -> Self {
        let both = |format: Format| [format.clone(), marked(format)];
        let columns = layout.columns().iter().map(format);
        let numbers = layout.columns().iter().map(|column| match column.data {
            DataKind::Date => Format::new(),
            _ => format(column),
        });
        Self {
            columns: std::iter::once(text_format()).chain(columns).map(both).collect(),
            numbers: std::iter::once(text_format()).chain(numbers).map(both).collect(),
            dates: both(date_format()),
            reason: Format::new().set_text_wrap().set_align(FormatAlign::Top),
        }
    }
}

/// Whether a problem is about the column of an index, or the identifier's.
fn is_about(problems: &[Problem], index: Option<u32>) -> bool {
    problems.iter().filter_map(Problem::place).any(|place| {
        // Cells without a heading have an index as little as identifiers have.
        place.index == index && (index.is_some() || !place.title.is_empty())
    })
}

fn write_cell(
    sheet: &mut Worksheet,
    row: u32,
    position: u16,
    cell: &Cell,
    style: &Style<'_>,
) -> Result<(), WriteError> {
    match cell {
        Cell::Text(text) => sheet.write_string_with_format(row, position, cut(text), style.plain)?,
        Cell::Number { value, padded: Some(digits) } => {
            let zeros = "0".repeat(usize::try_from(*digits).unwrap_or(0));
            let format = style.number.clone().set_num_format(zeros);
            sheet.write_number_with_format(row, position, *value, &format)?
        }
        Cell::Number { value, padded: None } => sheet.write_number_with_format(row, position, *value, style.number)?,
        Cell::Date(serial) => sheet.write_number_with_format(row, position, *serial, style.date)?,
        Cell::Boolean(is_true) => sheet.write_boolean_with_format(row, position, *is_true, style.plain)?,
        // As an error again: a text such as #N/A would pass for a value.
        Cell::Error(_) => {
            let not_available = Formula::new("=NA()").set_result("#N/A");
            sheet.write_formula_with_format(row, position, not_available, style.plain)?
        }
        Cell::Formula(cell) => return write_cell(sheet, row, position, cell, style),
    };
    Ok(())
}

fn is_too_long(cell: &Cell) -> bool {
    matches!(cell, Cell::Text(text) if cut(text).len() < text.len())
}

/// As much of a text as a cell holds.
fn cut(text: &str) -> &str {
    if text.len() <= MOST_UNITS {
        return text;
    }
    let mut units = 0;
    let end = text.char_indices().find(|(_, character)| {
        units += character.len_utf16();
        units > MOST_UNITS
    });
    end.and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

impl std::fmt::Debug for FailedRows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FailedRows").field("count", &self.count).finish_non_exhaustive()
    }
}
