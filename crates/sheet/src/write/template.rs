//! The workbook people fill in.

use std::io;

use rust_xlsxwriter::{Workbook, Worksheet};

use super::{
    WriteError,
    example::example,
    sheet::{Form, faint, format, text_format},
};
use crate::{
    DataKind, Language, Layout,
    words::{DATA_SHEET, EXAMPLE_HANDLE},
};

/// Writes an empty workbook to fill in: headings with notes that explain them, lists to choose from, text format wherever zeros could be
/// lost, and a row of examples that is not read. A hidden sheet says what template it is for.
///
/// # Errors
///
/// What the writer says.
pub fn write_workbook<W: io::Write + io::Seek + Send>(
    layout: &Layout,
    language: Language,
    writer: W,
) -> Result<(), WriteError> {
    let form = Form { layout, language, first: 0 };
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.set_name(DATA_SHEET.of(language))?;
    form.prepare(sheet)?;
    write_example(&form, sheet)?;
    form.add_mark(&mut workbook)?;
    workbook.save_to_writer(writer)?;
    Ok(())
}

fn write_example(form: &Form<'_>, sheet: &mut Worksheet) -> Result<(), WriteError> {
    let handle = EXAMPLE_HANDLE.of(form.language);
    sheet.write_string_with_format(1, form.first, handle, &faint(text_format()))?;
    for (position, column) in form.columns() {
        let (text, format) = (example(column), faint(format(column)));
        match (&column.data, text.parse::<f64>()) {
            (DataKind::Number { .. }, Ok(value)) if !column.is_code() => {
                sheet.write_number_with_format(1, position, value, &format)?;
            }
            _ => {
                sheet.write_string_with_format(1, position, text, &format)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cell, Column, read::check_example};

    #[test]
    fn examples_are_what_their_columns_take() {
        let kinds = [
            DataKind::String,
            DataKind::Number { decimals: 0 },
            DataKind::Number { decimals: 2 },
            DataKind::Date,
            DataKind::Moment,
            DataKind::Enum(vec!["a".into(), "b".into()]),
            DataKind::Reference,
            DataKind::FileHash,
        ];
        for data in kinds {
            let lengths: &[(u32, u32)] = match data {
                DataKind::FileHash => &[(1, 200), (32, 32), (40, 40), (64, 64), (65, 128)],
                DataKind::Moment => &[(0, 35), (10, 10)],
                DataKind::Reference => &[(1, 255), (3, 3), (11, 11), (40, 50)],
                _ => &[(0, 255), (1, 1), (3, 3), (13, 13), (20, 30)],
            };
            for (min_chars, max_chars) in lengths {
                let column = Column {
                    index: 2000,
                    name_zh: "列".to_owned(),
                    kind: "column".to_owned(),
                    data: data.clone(),
                    required: true,
                    min_chars: *min_chars,
                    max_chars: *max_chars,
                    unit: None,
                    is_public: true,
                };
                let example = example(&column);
                let checked = check_example(&column, &Cell::Text(example.clone()));
                assert_eq!(checked.as_deref(), Ok(example.as_str()), "{column:?}");
            }
        }
    }
}
