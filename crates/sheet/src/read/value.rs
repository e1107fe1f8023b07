//! One cell against its column.

use std::borrow::Cow;

use super::{
    date::{Day, is_moment, serial_text},
    number::{decimals, is_digits, is_scientific, looks_rounded, plain},
    shape::Shape,
};
use crate::{Cell, Code, Column, DataKind, Problem, layout::MOST_CHARS, words::EXAMPLE_MARKS};

/// Items of a list that are named to someone who missed it.
const LISTED: usize = 12;

/// The text of a cell that is not empty, as its column wants it: lent by the cell wherever that is what it holds.
pub(super) fn check<'c>(column: &Column, cell: &'c Cell, shape: &Shape) -> Result<Cow<'c, str>, Problem> {
    let cell = plain_cell(cell)?;
    match &column.data {
        DataKind::Number { decimals: most } => check_chars(number(column, cell, *most, shape)?, column),
        DataKind::Date => date(cell).map(|day| day.to_string().into()),
        DataKind::Moment => check_chars(moment(cell)?, column),
        DataKind::String => check_chars(code(cell, column.fixed_chars(), shape)?, column),
        DataKind::Enum(list) => {
            let text = trimmed(code(cell, None, shape)?);
            if list.iter().any(|known| *known == text) { Ok(text) } else { Err(not_in_list(&text, list)) }
        }
        DataKind::Reference => {
            let text = trimmed(code(cell, column.fixed_chars(), shape)?);
            let is_identifier =
                text.split_once('/').is_some_and(|(prefix, suffix)| !prefix.is_empty() && !suffix.is_empty());
            if is_identifier { check_chars(text, column) } else { Err(about(Code::NotAReference, &text)) }
        }
        DataKind::FileHash => {
            let text = trimmed(code(cell, column.fixed_chars(), shape)?);
            if is_hash(&text) { check_chars(text, column) } else { Err(about(Code::NotAHash, &text)) }
        }
    }
}

/// The identifier of a row.
pub(super) fn check_handle<'c>(cell: &'c Cell, shape: &Shape) -> Result<Cow<'c, str>, Problem> {
    let text = trimmed(code(plain_cell(cell)?, None, shape)?);
    if EXAMPLE_MARKS.iter().any(|mark| text.starts_with(mark)) {
        return Err(Problem::new(Code::ExampleMark));
    }
    let most = usize::try_from(MOST_CHARS).unwrap_or(usize::MAX);
    // Never more characters than bytes.
    match text.len() > most {
        true if text.chars().count() > most => Err(length(Code::TooLong, &text, text.chars().count(), MOST_CHARS)),
        _ => Ok(text),
    }
}

fn about(code: Code, value: &str) -> Problem {
    Problem::new(code).with("value", value)
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => text.trim().into(),
        Cow::Owned(text) => text.trim().to_owned().into(),
    }
}

/// A cell that is neither formula nor error.
fn plain_cell(cell: &Cell) -> Result<&Cell, Problem> {
    match cell {
        Cell::Formula(_) => Err(Problem::new(Code::Formula)),
        Cell::Error(error) => Err(about(Code::CellError, error)),
        other => Ok(other),
    }
}

/// The text of a cell in a column of texts, if nothing of it can have been lost.
fn code<'c>(cell: &'c Cell, fixed_chars: Option<u32>, shape: &Shape) -> Result<Cow<'c, str>, Problem> {
    match cell {
        Cell::Text(text) => text_code(text, fixed_chars).map(Cow::Borrowed),
        Cell::Number { value, padded } => number_code(*value, *padded, fixed_chars, shape).map(Cow::Owned),
        Cell::Date(serial) => Err(about(Code::DateNotWanted, &serial_text(*serial))),
        Cell::Boolean(is_true) => Ok(if *is_true { "TRUE" } else { "FALSE" }.into()),
        // Neither comes here.
        Cell::Error(error) => Err(about(Code::CellError, error)),
        Cell::Formula(_) => Err(Problem::new(Code::Formula)),
    }
}

fn text_code(text: &str, fixed_chars: Option<u32>) -> Result<&str, Problem> {
    let short = text.trim();
    if is_scientific(short) {
        return Err(about(Code::Scientific, short));
    }
    // What some programs write into CSV to keep zeros: ="00123".
    if short.starts_with("=\"") && short.ends_with('"') {
        return Err(Problem::new(Code::Formula));
    }
    match fixed_chars {
        Some(chars) if is_digits(short) && is_shorter(short, chars) => Err(zeros(short, chars)),
        _ => Ok(text),
    }
}

/// A number where a text is wanted: an integer of which no digit can have been lost.
fn number_code(value: f64, padded: Option<u32>, fixed_chars: Option<u32>, shape: &Shape) -> Result<String, Problem> {
    let Some(text) = plain(value) else { return Err(about(Code::DigitsLost, &format!("{value:E}"))) };
    if value.fract() != 0.0 {
        return Err(about(Code::NumberInText, &text));
    }
    if looks_rounded(value, &text) {
        return Err(about(Code::Scientific, &text));
    }
    // Cells with a format such as 000000 show zeros that are not in the number; what is shown is meant.
    let text = match padded {
        Some(digits) if value >= 0.0 => format!("{text:0>width$}", width = usize::try_from(digits).unwrap_or(0)),
        _ => text,
    };
    match fixed_chars.or_else(|| shape.digits()) {
        Some(chars) if is_digits(&text) && is_shorter(&text, chars) => Err(zeros(&text, chars)),
        _ => Ok(text),
    }
}

fn is_shorter(text: &str, chars: u32) -> bool {
    u32::try_from(text.len()).is_ok_and(|length| length < chars)
}

fn zeros(text: &str, digits: u32) -> Problem {
    about(Code::LeadingZeros, text).with("limit", digits)
}

fn number<'c>(column: &Column, cell: &'c Cell, most: u32, shape: &Shape) -> Result<Cow<'c, str>, Problem> {
    let fixed_chars = column.fixed_chars().filter(|_| column.is_code());
    let text: Cow<'c, str> = match cell {
        Cell::Number { value, padded } if column.is_code() => number_code(*value, *padded, fixed_chars, shape)?.into(),
        Cell::Number { value, .. } => match plain(*value) {
            Some(text) => text.into(),
            None => return Err(about(Code::DigitsLost, &format!("{value:E}"))),
        },
        Cell::Text(text) => trimmed(text_code(text, fixed_chars)?.into()),
        Cell::Boolean(is_true) => return Err(about(Code::NotANumber, if *is_true { "TRUE" } else { "FALSE" })),
        Cell::Date(serial) => return Err(about(Code::DateNotWanted, &serial_text(*serial))),
        Cell::Error(_) | Cell::Formula(_) => return code(cell, None, shape),
    };
    match decimals(&text) {
        None => Err(about(Code::NotANumber, &text)),
        Some(count) if u32::try_from(count).is_ok_and(|count| count <= most) => Ok(text),
        Some(count) => Err(about(Code::TooManyDecimals, &text).with("count", count).with("limit", most)),
    }
}

fn date(cell: &Cell) -> Result<Day, Problem> {
    match cell {
        Cell::Date(serial) => Day::from_serial(*serial).ok_or_else(|| about(Code::BadDate, &serial_text(*serial))),
        Cell::Text(text) => date_text(text.trim()),
        Cell::Number { value, .. } => date_text(&plain(*value).unwrap_or_else(|| format!("{value:E}"))),
        Cell::Boolean(is_true) => Err(about(Code::BadDate, if *is_true { "TRUE" } else { "FALSE" })),
        Cell::Error(error) => Err(about(Code::CellError, error)),
        Cell::Formula(_) => Err(Problem::new(Code::Formula)),
    }
}

/// A day or a moment. Date cells with a time say no offset, so what moment they mean is not known.
fn moment(cell: &Cell) -> Result<Cow<'_, str>, Problem> {
    let bad = |value: &str| about(Code::BadMoment, value);
    match cell {
        Cell::Text(text) if is_moment(text.trim()) => Ok(text.trim().into()),
        Cell::Text(text) => match Day::parse(text.trim()) {
            Some(day) => Ok(day.to_string().into()),
            None if Day::behind_number(text.trim()).is_some() => date(cell).map(|day| day.to_string().into()),
            None => Err(bad(text.trim())),
        },
        Cell::Date(serial) if serial.fract() != 0.0 => Err(bad(&serial_text(*serial))),
        other => date(other).map(|day| day.to_string().into()),
    }
}

fn date_text(text: &str) -> Result<Day, Problem> {
    if let Some(day) = Day::parse(text) {
        return Ok(day);
    }
    Err(match Day::behind_number(text) {
        Some(day) => about(Code::DateSerial, text).with("date", day),
        None => about(Code::BadDate, text),
    })
}

fn not_in_list(text: &str, list: &[String]) -> Problem {
    let mut names = list.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(" | ");
    if list.len() > LISTED {
        names.push_str(" | …");
    }
    about(Code::NotInList, text).with_long("list", names)
}

fn is_hash(text: &str) -> bool {
    matches!(text.len(), 32 | 40 | 64 | 96 | 128) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn check_chars<'c>(text: Cow<'c, str>, column: &Column) -> Result<Cow<'c, str>, Problem> {
    let count = text.chars().count();
    let chars = u32::try_from(count).unwrap_or(u32::MAX);
    match () {
        () if chars < column.min_chars => Err(length(Code::TooShort, &text, count, column.min_chars)),
        () if chars > column.max_chars => Err(length(Code::TooLong, &text, count, column.max_chars)),
        () => Ok(text),
    }
}

fn length(code: Code, text: &str, chars: usize, limit: u32) -> Problem {
    about(code, text).with("count", chars).with("limit", limit)
}
