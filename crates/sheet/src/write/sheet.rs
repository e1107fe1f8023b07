//! What every sheet against a layout has: headings with notes, formats, lists to choose from, and the mark.

use rust_xlsxwriter::{Color, DataValidation, Format, FormatAlign, Formula, Note, Workbook, Worksheet};

use super::{WriteError, example::example};
use crate::{
    Column, DataKind, Language, Layout, Text,
    limits::Limits,
    mark::{MARK_SHEET, TEMPLATE, VERSION},
    problem::letters,
};

/// Ground of headings, of those that are required, and of cells with problems.
const HEADING: Color = Color::RGB(0x00DD_EBF7);
const REQUIRED: Color = Color::RGB(0x00FC_E4D6);
const PROBLEM: Color = Color::RGB(0x00FF_C7CE);
/// Ink of examples.
const FAINT: Color = Color::RGB(0x0080_8080);
/// Formats every program knows: text, and whole numbers.
const TEXT: u8 = 49;
const WHOLE: u8 = 1;
/// Digits spreadsheet programs keep.
const KEPT_DIGITS: u32 = 15;
/// First column of the hidden sheet that holds a list.
const LISTS: u32 = 3;

/// A sheet against a layout, in a language, whose identifiers are in a column of the sheet and the values behind it.
pub(super) struct Form<'a> {
    pub(super) layout: &'a Layout,
    pub(super) language: Language,
    pub(super) first: u16,
}

impl Form<'_> {
    /// Columns of the sheet, with those of the layout.
    pub(super) fn columns(&self) -> impl Iterator<Item = (u16, &Column)> {
        (self.first + 1..).zip(self.layout.columns())
    }

    /// Headings, notes, formats of the columns and lists; the first row and the identifiers stay in sight.
    pub(super) fn prepare(&self, sheet: &mut Worksheet) -> Result<(), WriteError> {
        sheet.set_column_format(self.first, &text_format())?;
        sheet.set_column_width(self.first, 36)?;
        sheet.write_string_with_format(0, self.first, self.layout.handle_title(self.language), &heading(true))?;
        sheet.insert_note(0, self.first, &note(handle_note(self.language)))?;
        for (number, (position, column)) in self.columns().enumerate() {
            sheet.set_column_format(position, &format(column))?;
            sheet.set_column_width(position, column.max_chars.clamp(10, 40))?;
            sheet.write_string_with_format(0, position, column.title(self.language), &heading(column.required))?;
            sheet.insert_note(0, position, &note(column_note(column, self.language)))?;
            if let DataKind::Enum(values) = &column.data {
                let letters = letters(list_position(number));
                let range = format!("={MARK_SHEET}!${letters}$1:${letters}${}", values.len());
                let list = DataValidation::new().allow_list_formula(Formula::new(range));
                sheet.add_data_validation(1, position, Limits::SHEET_ROWS - 1, position, &list)?;
            }
        }
        sheet.set_freeze_panes(1, self.first + 1)?;
        Ok(())
    }

    /// Adds the hidden sheet that says what template this is, with the lists to choose from.
    pub(super) fn add_mark(&self, workbook: &mut Workbook) -> Result<(), WriteError> {
        let sheet = workbook.add_worksheet();
        sheet.set_name(MARK_SHEET)?.set_very_hidden(true);
        for (row, name, value) in [(0, TEMPLATE, self.layout.template()), (1, VERSION, self.layout.version())] {
            sheet.write_string(row, 0, name)?.write_string(row, 1, value)?;
        }
        for (number, column) in self.layout.columns().iter().enumerate() {
            if let DataKind::Enum(values) = &column.data {
                let position = u16::try_from(list_position(number)).unwrap_or(u16::MAX);
                for (row, value) in (0..).zip(values) {
                    sheet.write_string(row, position, value)?;
                }
            }
        }
        Ok(())
    }
}

fn list_position(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX).saturating_add(LISTS)
}

fn heading(required: bool) -> Format {
    let ground = if required { REQUIRED } else { HEADING };
    Format::new().set_bold().set_background_color(ground).set_text_wrap().set_align(FormatAlign::Top)
}

/// The format of a column: text wherever a number could lose what it says.
pub(super) fn format(column: &Column) -> Format {
    match column.data {
        DataKind::Date => date_format(),
        DataKind::Number { .. } if column.is_code() || column.max_chars > KEPT_DIGITS => text_format(),
        DataKind::Number { decimals: 0 } => Format::new().set_num_format_index(WHOLE),
        DataKind::Number { .. } => Format::new(),
        DataKind::String | DataKind::Moment | DataKind::Enum(_) | DataKind::Reference | DataKind::FileHash => {
            text_format()
        }
    }
}

pub(super) fn text_format() -> Format {
    Format::new().set_num_format_index(TEXT)
}

pub(super) fn date_format() -> Format {
    Format::new().set_num_format("yyyy-mm-dd")
}

/// The same, for an example.
pub(super) fn faint(format: Format) -> Format {
    format.set_italic().set_font_color(FAINT)
}

/// The same, for a cell with a problem.
pub(super) fn marked(format: Format) -> Format {
    format.set_background_color(PROBLEM)
}

fn note(text: impl Into<String>) -> Note {
    Note::new(text).add_author_prefix(false).set_width(260).set_height(180)
}

fn handle_note(language: Language) -> &'static str {
    let text = Text {
        en: "The identifier: prefix/suffix.\nRequired. Each once in a file.\nExample: 88.1000.1/ABC.001",
        zh: "标识：前缀/后缀。\n必填，同一文件中不得重复。\n示例：88.1000.1/ABC.001",
    };
    text.of(language)
}

/// What a column wants, line by line.
fn column_note(column: &Column, language: Language) -> String {
    let say = |en: &'static str, zh: &'static str| Text { en, zh }.of(language).to_owned();
    let (min, max) = (column.min_chars, column.max_chars);
    let mut lines = vec![match language {
        Language::English => format!("{}: {} (index {})", column.kind, column.name_zh, column.index),
        Language::Chinese => format!("{}：{}（索引 {}）", column.name_zh, column.kind, column.index),
    }];
    lines.push(kind_text(&column.data, language));
    lines.push(if column.required { say("Required", "必填") } else { say("Optional", "选填") });
    if !matches!(column.data, DataKind::Date | DataKind::Enum(_)) {
        lines.push(match (language, min == max) {
            (Language::English, true) => format!("Length: {max} characters"),
            (Language::English, false) => format!("Length: {min} to {max} characters"),
            (Language::Chinese, true) => format!("长度：{max} 个字符"),
            (Language::Chinese, false) => format!("长度：{min} 至 {max} 个字符"),
        });
    }
    if let Some(unit) = &column.unit {
        lines.push(format!("{}{unit}", say("Unit: ", "单位：")));
    }
    lines.push(if column.is_public { say("Everybody can read it", "公开") } else { say("Not public", "不公开") });
    lines.push(format!("{}{}", say("Example: ", "示例："), example(column)));
    lines.join("\n")
}

fn kind_text(data: &DataKind, language: Language) -> String {
    match (data, language) {
        (DataKind::Number { decimals }, Language::English) => format!("A number with at most {decimals} decimals"),
        (DataKind::Number { decimals }, Language::Chinese) => format!("数字，最多 {decimals} 位小数"),
        (other, _) => {
            let text = match other {
                DataKind::String | DataKind::Number { .. } => Text { en: "A text", zh: "文本" },
                DataKind::Date => Text { en: "A date", zh: "日期" },
                DataKind::Moment => {
                    Text { en: "A date, or a date with time and offset", zh: "日期，或带时间和时区的日期" }
                }
                DataKind::Enum(_) => Text { en: "One of the list", zh: "从选项中选择" },
                DataKind::Reference => Text { en: "Another identifier", zh: "另一个标识" },
                DataKind::FileHash => {
                    Text { en: "The hash of a file, in hexadecimal", zh: "文件摘要，十六进制" }
                }
            };
            text.of(language).to_owned()
        }
    }
}
