//! Values for the columns of a template, and whether they are what the columns say.

use std::fmt;

use waymark_ident::gs1::date::ShortDate;
use waymark_ident::{Date, HandleLimits, MAX_HANDLE_BYTES, check_new_handle};
use waymark_wire::{Ttl, ValueBuf};

use super::Template;
use super::check::at_least;
use super::definition::{Column, ColumnRole, DataType, DateFormat};
use crate::config::{FIELD_PROBLEMS, NUMBER_DIGITS};
use crate::values::ValueSet;

/// A text for a column, which is named by its index, its type, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldValue {
    /// Index of the column; 0 when it is named by its type alone.
    pub index: u32,
    /// Type of the column, as it is written there; empty when it is named by its index alone.
    pub kind: String,
    /// The text.
    pub text: String,
}

/// What is wrong with one value, or with the lack of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// Index of the column, or as it was given where there is no such column; 0 when only a type was given.
    pub index: u32,
    /// Type of the column, or as it was given where there is no such column.
    pub kind: String,
    /// What is wrong.
    pub what: FieldProblemCode,
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldProblemCode {
    /// The column is required, and nothing was given.
    Missing,
    /// The template has no such column.
    Unknown,
    /// Index and type are those of different columns.
    TypeMismatch,
    /// The column is disabled.
    Disabled,
    /// The column was given twice.
    Repeated,
    /// Fewer characters than the column's least.
    TooShort,
    /// More characters than the column's most.
    TooLong,
    /// Control characters.
    ControlCharacters,
    /// No number, or one of more than 38 digits.
    NotANumber,
    /// More digits behind the point than the column has.
    TooManyDecimals,
    /// No day or moment that exists, in the forms taken.
    NotADate,
    /// Not one of the list.
    NotInList,
    /// No identifier.
    NotAReference,
    /// No hash.
    NotAHash,
    /// The value that names the template, which an edit does not change.
    Fixed,
}

impl FieldProblemCode {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Missing,
        Self::Unknown,
        Self::TypeMismatch,
        Self::Disabled,
        Self::Repeated,
        Self::TooShort,
        Self::TooLong,
        Self::ControlCharacters,
        Self::NotANumber,
        Self::TooManyDecimals,
        Self::NotADate,
        Self::NotInList,
        Self::NotAReference,
        Self::NotAHash,
        Self::Fixed,
    ];

    /// Its name as programs see it; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::TypeMismatch => "type-mismatch",
            Self::Disabled => "disabled",
            Self::Repeated => "repeated",
            Self::TooShort => "too-short",
            Self::TooLong => "too-long",
            Self::ControlCharacters => "control-characters",
            Self::NotANumber => "not-a-number",
            Self::TooManyDecimals => "too-many-decimals",
            Self::NotADate => "not-a-date",
            Self::NotInList => "not-in-list",
            Self::NotAReference => "not-a-reference",
            Self::NotAHash => "not-a-hash",
            Self::Fixed => "fixed",
        }
    }
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.index, self.kind, self.what.as_str())
    }
}

/// The values of an identifier under `prefix`, folded, made from a template. Their timestamps are 0.
///
/// # Errors
/// What is wrong, in order of the fields and then of the columns that are missing; the first few where it is much.
pub(super) fn values_of(
    template: &Template,
    prefix: &[u8],
    fields: &[FieldValue],
) -> Result<ValueSet, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let mut given: Vec<(&Column, &str)> = Vec::with_capacity(fields.len());
    for field in fields {
        match column_of(template, field) {
            Err(what) => problems.push(FieldProblem { index: field.index, kind: field.kind.clone(), what }),
            Ok(column) if given.iter().any(|(other, _)| other.index == column.index) => {
                problems.push(problem(column, FieldProblemCode::Repeated));
            }
            Ok(column) => {
                given.push((column, &field.text));
                problems.extend(check(column, &field.text).err().map(|what| problem(column, what)));
            }
        }
        if problems.len() >= FIELD_PROBLEMS {
            return Err(problems);
        }
    }
    let required = template.definition.columns.iter().filter(|column| column.required && column.enabled);
    let missing = required.filter(|column| !given.iter().any(|(other, _)| other.index == column.index));
    problems.extend(missing.map(|column| problem(column, FieldProblemCode::Missing)));
    problems.truncate(FIELD_PROBLEMS);
    if !problems.is_empty() {
        return Err(problems);
    }
    let columns = given.into_iter().map(|(column, text)| value(column, text));
    let values: Vec<ValueBuf> = template.common_values(prefix).into_iter().chain(columns).collect();
    // Cannot fail: indexes and types were checked when the template was taken, and no column was given twice.
    ValueSet::from_bufs(&values).map_err(|_| Vec::new())
}

pub(super) fn problem(column: &Column, what: FieldProblemCode) -> FieldProblem {
    FieldProblem { index: column.index, kind: column.kind.clone(), what }
}

/// The value of a column.
pub(super) fn value(column: &Column, text: &str) -> ValueBuf {
    ValueBuf {
        timestamp: 0,
        ttl: Ttl::Relative(i32::try_from(column.ttl).unwrap_or(i32::MAX)),
        permissions: column.visibility.permissions(),
        ..ValueBuf::new(column.index, column.kind.as_bytes(), text.as_bytes())
    }
}

/// The column a field names.
fn column_of<'t>(template: &'t Template, field: &FieldValue) -> Result<&'t Column, FieldProblemCode> {
    let columns = &template.definition.columns;
    let by_index = (field.index != 0).then(|| columns.iter().find(|column| column.index == field.index));
    let by_kind = (!field.kind.is_empty()).then(|| columns.iter().find(|column| column.kind == field.kind));
    let column = match (by_index, by_kind) {
        (Some(Some(one)), Some(Some(other))) if one.index == other.index => one,
        (Some(Some(_)), Some(_)) | (Some(None), Some(Some(_))) => return Err(FieldProblemCode::TypeMismatch),
        (Some(Some(one)), None) | (None, Some(Some(one))) => one,
        _ => return Err(FieldProblemCode::Unknown),
    };
    if column.enabled { Ok(column) } else { Err(FieldProblemCode::Disabled) }
}

/// Whether a text is what a column says.
pub(super) fn check(column: &Column, text: &str) -> Result<(), FieldProblemCode> {
    let chars = text.chars().count();
    if chars == 0 && column.required {
        return Err(FieldProblemCode::Missing);
    }
    if chars < at_least(column.min) {
        return Err(FieldProblemCode::TooShort);
    }
    if chars > at_least(column.max) {
        return Err(FieldProblemCode::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(FieldProblemCode::ControlCharacters);
    }
    if text.is_empty() {
        return Ok(()); // known to be empty, whatever the type
    }
    match column.data {
        DataType::String => Ok(()),
        DataType::Number => check_number(text, column.decimals),
        DataType::Date => verdict(is_date_of(column, text), FieldProblemCode::NotADate),
        DataType::Enum => verdict(column.values.iter().any(|value| value == text), FieldProblemCode::NotInList),
        DataType::Reference => {
            let limits = HandleLimits { max_bytes: MAX_HANDLE_BYTES };
            verdict(check_new_handle(text.as_bytes(), limits).is_ok(), FieldProblemCode::NotAReference)
        }
        DataType::Hash => {
            let sound = HASH_DIGITS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            verdict(sound, FieldProblemCode::NotAHash)
        }
    }
}

const fn verdict(sound: bool, code: FieldProblemCode) -> Result<(), FieldProblemCode> {
    if sound { Ok(()) } else { Err(code) }
}

/// Hexadecimal digits of the hashes in use: MD5, SHA-1, SHA-256 and SM3, SHA-384, SHA-512.
const HASH_DIGITS: [usize; 5] = [32, 40, 64, 96, 128];

/// A sign, digits, a point and more digits; no exponent, no separators.
fn check_number(text: &str, decimals: Option<u8>) -> Result<(), FieldProblemCode> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, behind) = match digits.split_once('.') {
        Some((whole, behind)) if !behind.is_empty() => (whole, behind),
        Some(_) => return Err(FieldProblemCode::NotANumber),
        None => (digits, ""),
    };
    let all = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all(whole) || !all(behind) || whole.len() + behind.len() > NUMBER_DIGITS {
        return Err(FieldProblemCode::NotANumber);
    }
    verdict(decimals.is_none_or(|most| behind.len() <= usize::from(most)), FieldProblemCode::TooManyDecimals)
}

/// A date as the column writes it. The last day of sale is a day: a time of it means nothing.
fn is_date_of(column: &Column, text: &str) -> bool {
    match column.form {
        DateFormat::Gs1 => ShortDate::parse(text.as_bytes()).is_ok(),
        DateFormat::Iso if column.role == Some(ColumnRole::Expiry) => is_day(text),
        DateFormat::Iso => is_date(text),
    }
}

/// A day, or a moment in the form of RFC 3339.
fn is_date(text: &str) -> bool {
    let Some((day, time)) = text.split_at_checked(10) else { return false };
    is_day(day) && (time.is_empty() || time.strip_prefix('T').is_some_and(is_time))
}

fn is_day(text: &str) -> bool {
    let mut parts = text.split('-').map(number);
    let (Some(Some(year)), Some(Some(month)), Some(Some(day)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let (Ok(month), Ok(day)) = (u8::try_from(month), u8::try_from(day)) else { return false };
    text.as_bytes().get(4) == Some(&b'-')
        && text.as_bytes().get(7) == Some(&b'-')
        && Date::new(year, month, day).is_some()
}

/// `03:14:00+08:00`, with a fraction or `Z` too.
fn is_time(text: &str) -> bool {
    let Some((clock, rest)) = text.split_at_checked(8) else { return false };
    let rest =
        rest.strip_prefix('.').map_or(rest, |fraction| fraction.trim_start_matches(|c: char| c.is_ascii_digit()));
    let offset = rest == "Z" || rest.strip_prefix(['+', '-']).is_some_and(|offset| is_clock(offset, 2));
    is_clock(clock, 3) && offset
}

/// Two digits each of hours, minutes, and perhaps seconds.
fn is_clock(text: &str, parts: usize) -> bool {
    let sound = |(at, part): (usize, &str)| {
        part.len() == 2 && number(part).is_some_and(|number| number < if at == 0 { 24 } else { 60 })
    };
    text.split(':').count() == parts && text.split(':').enumerate().all(sound)
}

/// Digits as a number; `None` for anything else.
fn number(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::testing::template;

    fn field(index: u32, kind: &str, text: &str) -> FieldValue {
        FieldValue { index, kind: kind.into(), text: text.into() }
    }

    fn good() -> Vec<FieldValue> {
        vec![field(2000, "", "挖掘机"), field(0, "serialNo", "X1")]
    }

    fn problems(fields: &[FieldValue]) -> Vec<(u32, FieldProblemCode)> {
        let problems = values_of(&template(), b"88.1", fields).unwrap_err();
        problems.into_iter().map(|problem| (problem.index, problem.what)).collect()
    }

    #[test]
    fn an_identifier_has_the_values_of_its_template_and_no_others() {
        let values = values_of(&template(), b"88.1", &good()).unwrap();
        let shown: Vec<(u32, String)> =
            values.values().iter().map(|v| (v.index, String::from_utf8_lossy(v.kind).into_owned())).collect();
        let expected = [(100, "HS_ADMIN"), (1001, "TEMPLATE"), (2000, "productName"), (2001, "serialNo")];
        assert_eq!(shown, expected.map(|(index, kind)| (index, kind.to_owned())));
        let named = |prefix: &[u8]| {
            let values = values_of(&template(), prefix, &good()).unwrap();
            let named = values.values().iter().find(|value| value.index == 1001).unwrap().data.to_vec();
            String::from_utf8(named).unwrap()
        };
        assert_eq!((named(b"88.1"), named(b"88.2")), ("EXC-1.2".into(), "88.1/META_EXC-1.2".into()));
    }

    #[test]
    fn every_problem_is_told_with_its_field() {
        use FieldProblemCode as P;
        let with = |extra: FieldValue| [good(), vec![extra]].concat();
        for (extra, expected) in [
            (field(2999, "", "x"), (2999, P::Unknown)),
            (field(0, "nothing", "x"), (0, P::Unknown)),
            (field(0, "", "x"), (0, P::Unknown)),
            (field(2002, "batch", "x"), (2002, P::TypeMismatch)),
            (field(2002, "nothing", "x"), (2002, P::TypeMismatch)),
            (field(2999, "batch", "x"), (2999, P::TypeMismatch)),
            (field(2000, "", "again"), (2000, P::Repeated)),
            (field(2006, "", "x"), (2006, P::Disabled)),
            (field(2002, "", "21.55"), (2002, P::TooManyDecimals)),
            (field(2002, "", "21t"), (2002, P::NotANumber)),
            (field(2002, "", "123456789012345"), (2002, P::TooLong)),
            (field(2003, "", "未检"), (2003, P::NotInList)),
            (field(2004, "", "2026-02-30"), (2004, P::NotADate)),
            (field(2004, "", "2026-02-28T10:00:00Z"), (2004, P::NotADate)),
            (field(2005, "", "x"), (2005, P::TooShort)),
            (field(2005, "", "a\u{7}b"), (2005, P::ControlCharacters)),
            (field(2007, "", "no handle"), (2007, P::NotAReference)),
            (field(2008, "", "abc"), (2008, P::NotAHash)),
        ] {
            assert_eq!(problems(&with(extra.clone())), [expected], "{extra:?}");
        }
        assert_eq!(problems(&[]), [(2000, P::Missing), (2001, P::Missing)]);
        assert_eq!(problems(&[field(2000, "", ""), field(2001, "", "1")]), [(2000, P::Missing)]);
        let many: Vec<FieldValue> = (3000..3100).map(|index| field(index, "", "x")).collect();
        assert_eq!(problems(&many).len(), FIELD_PROBLEMS);
    }

    #[test]
    fn dates_and_numbers_are_read_strictly() {
        for date in
            ["2026-03-10", "2024-02-29", "2026-05-02T03:14:00+08:00", "2026-05-02T03:14:00Z", "2026-05-02T03:14:00.25Z"]
        {
            assert!(is_date(date), "{date}");
        }
        for date in [
            "2026-3-10",
            "2026-02-29",
            "20260310",
            "2026-03-10T",
            "2026-03-10 03:14:00",
            "2026-03-10T24:00:00Z",
            "2026-03-10T03:14:00",
            "2026-03-10T03:14Z",
            "+026-03-10",
            "产品产品",
            "2026-03-1",
            "2026/03/10",
        ] {
            assert!(!is_date(date), "{date}");
        }
        for (number, decimals) in [("0", None), ("-12.50", Some(2)), ("+1", Some(0)), (&"9".repeat(38), None)] {
            assert_eq!(check_number(number, decimals), Ok(()), "{number}");
        }
        for number in ["", "-", ".5", "5.", "1e5", "1,000", "1.2.3", "０", &"9".repeat(39)] {
            assert_eq!(check_number(number, None), Err(FieldProblemCode::NotANumber), "{number}");
        }
    }

    #[test]
    fn names_of_problems_are_unlike() {
        let names: std::collections::HashSet<_> = FieldProblemCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), FieldProblemCode::ALL.len());
    }
}
