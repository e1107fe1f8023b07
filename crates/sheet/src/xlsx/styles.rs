//! Formats of cells, as far as they say what a number is.

use std::{
    collections::HashMap,
    io::{Read, Seek},
};

use quick_xml::events::Event;

use super::{package::Package, workbook::small, xml::attribute};
use crate::{Code, Problem, failure::ReadError, limits::Limits};

/// What the format of a cell says of the number in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Format {
    /// Nothing.
    #[default]
    Plain,
    /// It is a day, or a time.
    Date,
    /// It is shown with zeros before it, so many digits in all.
    Padded(u32),
}

/// The format of each style of cells.
pub(super) fn read<R: Read + Seek>(package: &mut Package<R>, part: &str) -> Result<Vec<Format>, ReadError> {
    let mut xml = small(package, part)?;
    let mut codes: HashMap<u32, Format> = HashMap::new();
    let mut formats = Vec::new();
    let mut is_within_cells = false;
    loop {
        match xml.next()? {
            Event::Start(element) => match element.local_name().as_ref() {
                "numFmt" => {
                    let id = attribute(&element, "numFmtId", part)?.and_then(|id| id.parse().ok());
                    let code = attribute(&element, "formatCode", part)?.unwrap_or_default();
                    id.map(|id| codes.insert(id, of_code(&code)));
                }
                "cellXfs" => is_within_cells = true,
                "xf" if is_within_cells => {
                    let id = attribute(&element, "numFmtId", part)?.and_then(|id| id.parse().ok()).unwrap_or(0);
                    formats.push(codes.get(&id).copied().unwrap_or_else(|| of_id(id)));
                }
                _ => {}
            },
            Event::End(element) if element.local_name().as_ref() == "cellXfs" => is_within_cells = false,
            Event::Eof => return Ok(formats),
            _ => {}
        }
        if codes.len() > Limits::STYLES || formats.len() > Limits::STYLES {
            let problem = Problem::new(Code::TooMany).with("limit", Limits::STYLES);
            return Err(problem.with_words("what", "formats", "格式").into());
        }
    }
}

/// Formats that every program knows: ECMA-376 part 1 section 18.8.30, those of East Asia included.
const fn of_id(id: u32) -> Format {
    match id {
        14..=22 | 27..=36 | 45..=47 | 50..=58 => Format::Date,
        _ => Format::Plain,
    }
}

/// What a format code says. Only its first section is looked at: the others are for negative numbers, zero and text.
fn of_code(code: &str) -> Format {
    let mut bare = String::new();
    let mut characters = code.chars();
    while let Some(character) = characters.next() {
        match character {
            ';' => break,
            // Texts, and single characters that stand for themselves or for space.
            '"' => {
                characters.by_ref().find(|c| *c == '"');
            }
            '\\' | '_' | '*' => {
                characters.next();
            }
            // Colours, languages and conditions; but hours, minutes and seconds that go on counting are times.
            '[' => {
                let inner: String = characters.by_ref().take_while(|c| *c != ']').collect();
                if !inner.is_empty() && inner.chars().all(|c| matches!(c.to_ascii_lowercase(), 'h' | 'm' | 's')) {
                    return Format::Date;
                }
            }
            other => bare.push(other.to_ascii_lowercase()),
        }
    }
    if bare == "general" {
        return Format::Plain;
    }
    if bare.contains(['y', 'm', 'd', 'h', 's']) {
        return Format::Date;
    }
    if bare.len() > 1 && bare.bytes().all(|b| b == b'0') {
        return Format::Padded(u32::try_from(bare.len()).unwrap_or(u32::MAX).min(255));
    }
    Format::Plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_codes_say_whether_a_number_is_a_day() {
        for code in [
            "yyyy-mm-dd",
            "yyyy\"年\"m\"月\"d\"日\"",
            "[$-804]yyyy/m/d;@",
            "m/d/yy h:mm",
            "[h]:mm:ss",
            "[Red]dd.mm.yyyy",
            "MMM-YY",
            "h:mm AM/PM",
        ] {
            assert_eq!(of_code(code), Format::Date, "{code}");
        }
        for code in [
            "General",
            "@",
            "0",
            "0.00",
            "#,##0",
            "0.00E+00",
            "[Red]0.00",
            "\"day\"0",
            "0\\d",
            "_d0",
            "#,##0.00;[Red]\"d\"0",
        ] {
            assert_eq!(of_code(code), Format::Plain, "{code}");
        }
        assert_eq!(of_code("000000"), Format::Padded(6));
        assert_eq!(of_code("00;-00"), Format::Padded(2));
        assert_eq!(
            (of_id(0), of_id(14), of_id(49), of_id(57)),
            (Format::Plain, Format::Date, Format::Plain, Format::Date)
        );
    }
}
