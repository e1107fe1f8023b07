//! Something wrong with a file or a row, and its texts.

use std::fmt;

use crate::{Code, Language, Text};

/// Where in a row a problem is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Column of the file, from 0. None, if the file has no such column.
    pub position: Option<u32>,
    /// Index of the value; none for the identifier and for what is no column of the template.
    pub index: Option<u32>,
    /// The heading.
    pub title: String,
}

/// Something wrong with a file or a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    code: Code,
    row: Option<u32>,
    place: Option<Place>,
    values: Vec<(&'static str, Value)>,
}

/// A value for a text.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Value {
    /// The same in all languages.
    Plain(String),
    /// A part of the text itself.
    Words(Text),
}

/// Longest value that is repeated in a text, in characters.
const SHOWN_CHARS: usize = 40;
/// The same for lists and what a library says.
const LONG_CHARS: usize = 160;

impl Problem {
    /// A problem without place and values.
    pub(crate) const fn new(code: Code) -> Self {
        Self { code, row: None, place: None, values: Vec::new() }
    }

    /// The same, in a row.
    pub(crate) fn in_row(mut self, row: u32) -> Self {
        self.row = Some(row);
        self
    }

    /// The same, in a column.
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The same, with a value for the text; long ones are cut.
    pub(crate) fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.values.push((name, Value::Plain(shown(&value.to_string(), SHOWN_CHARS))));
        self
    }

    /// The same, with a value that may be longer: a list, what a library says.
    pub(crate) fn with_long(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.values.push((name, Value::Plain(shown(&value.to_string(), LONG_CHARS))));
        self
    }

    /// The same, with words for the text.
    pub(crate) fn with_words(mut self, name: &'static str, en: &'static str, zh: &'static str) -> Self {
        self.values.push((name, Value::Words(Text { en, zh })));
        self
    }

    /// What is wrong.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Row of the file, as a spreadsheet program or a text editor counts.
    #[must_use]
    pub const fn row(&self) -> Option<u32> {
        self.row
    }

    /// The column.
    #[must_use]
    pub const fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// The values of its texts by the names they have there, words in English.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|(name, value)| (*name, value.of(Language::English)))
    }

    /// What is wrong, in a language, without row and column.
    #[must_use]
    pub fn cause(&self, language: Language) -> String {
        self.fill(self.code.explanation().cause, language)
    }

    /// What to do, in a language.
    #[must_use]
    pub fn remedy(&self, language: Language) -> String {
        self.fill(self.code.explanation().remedy, language)
    }

    /// Row, column, what is wrong and what to do, in a language.
    #[must_use]
    pub fn text(&self, language: Language) -> String {
        let text = self.text_in_row(language);
        match (self.row, &self.place, language) {
            (None, ..) => text,
            (Some(row), Some(_), Language::English) => format!("row {row}, {text}"),
            (Some(row), None, Language::English) => format!("row {row}: {text}"),
            (Some(row), Some(_), Language::Chinese) => format!("第 {row} 行，{text}"),
            (Some(row), None, Language::Chinese) => format!("第 {row} 行：{text}"),
        }
    }

    /// The same without the row, for a text that stands in it.
    #[must_use]
    pub fn text_in_row(&self, language: Language) -> String {
        let (cause, remedy) = (self.cause(language), self.remedy(language));
        match (self.place.as_ref().map(|place| place.text(language)), language) {
            (Some(place), Language::English) => format!("{place}: {cause}; {remedy}"),
            (None, Language::English) => format!("{cause}; {remedy}"),
            (Some(place), Language::Chinese) => format!("{place}：{cause}；{remedy}"),
            (None, Language::Chinese) => format!("{cause}；{remedy}"),
        }
    }

    fn fill(&self, text: Text, language: Language) -> String {
        let text = text.of(language);
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            let value = self.values.iter().find(|(known, _)| *known == name);
            filled.push_str(value.map_or("?", |(_, value)| value.of(language)));
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}

impl Value {
    fn of(&self, language: Language) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Words(text) => text.of(language),
        }
    }
}

impl Place {
    /// Column letters and heading, in a language.
    fn text(&self, language: Language) -> String {
        let letters = self.position.map(letters);
        match (language, letters) {
            (Language::English, Some(letters)) => format!("column {letters} {}", self.title),
            (Language::English, None) => format!("column {}", self.title),
            (Language::Chinese, Some(letters)) => format!("{letters} 列 {}", self.title),
            (Language::Chinese, None) => format!("“{}”列", self.title),
        }
        .trim_end()
        .to_owned()
    }
}

/// Letters of a column, from 0: A, Z, AA.
pub(crate) fn letters(position: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = position.saturating_add(1);
    while rest > 0 {
        let digit = u8::try_from((rest - 1) % 26).unwrap_or(0);
        letters.push(char::from(b'A' + digit));
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().collect()
}

/// A value as it may stand in a text: one line, not long.
fn shown(value: &str, most_chars: usize) -> String {
    let mut shown: String =
        value.chars().take(most_chars).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if value.chars().nth(most_chars).is_some() {
        shown.push('…');
    }
    shown
}

impl fmt::Display for Problem {
    /// For logs: the text in English.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.explanation().name, self.text(Language::English))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_row_and_column_in_both_languages() {
        let place = Place { position: Some(27), index: Some(2001), title: "型号".to_owned() };
        let problem = Problem::new(Code::TooLong)
            .in_row(7)
            .at(place)
            .with("value", format!("a\nb{}", "x".repeat(50)))
            .with("count", 53)
            .with("limit", 20);
        let shown = format!("a\u{fffd}b{}…", "x".repeat(37));
        assert_eq!(
            problem.text(Language::English),
            format!("row 7, column AB 型号: {shown} has 53 characters, at most 20 are allowed; shorten the value")
        );
        assert_eq!(
            problem.text(Language::Chinese),
            format!("第 7 行，AB 列 型号：{shown} 有 53 个字符，最多允许 20 个；请缩短该值")
        );
    }

    #[test]
    fn columns_are_named_as_spreadsheets_name_them() {
        for (position, name) in [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16_383, "XFD")] {
            assert_eq!(letters(position), name);
        }
    }
}
