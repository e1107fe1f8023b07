//! Whether a definition is one that can be taken.

use waymark_ident::{HandleLimits, check_new_handle};

use super::definition::{Column, ColumnRole, DataType, DateFormat, Definition, Industry};
use crate::command::Refusal;
use crate::config::{
    COLUMN_CHARS, COLUMN_NAME_CHARS, COLUMN_TYPE_BYTES, COLUMN_UNIT_CHARS, COLUMN_VALUES, FIRST_COLUMN_INDEX,
    NUMBER_DIGITS, TEMPLATE_COLUMNS, TEMPLATE_TITLE_CHARS,
};
use crate::values::MAX_INDEX;

/// Longest handle of an administrator in bytes.
const ADMINISTRATOR_BYTES: usize = 255;

/// Checks a definition and puts its columns into order.
///
/// # Errors
/// [`Refusal::InvalidTemplate`] with the first field at fault.
pub(super) fn checked(mut definition: Definition) -> Result<Definition, Refusal> {
    check_text("title", 0, &definition.title, TEMPLATE_TITLE_CHARS)?;
    check_industry(&definition.industry)?;
    check_administrator(&definition)?;
    if definition.columns.is_empty() {
        return Err(invalid("columns", 0, "are none; a template has one at least"));
    }
    if definition.columns.len() > TEMPLATE_COLUMNS {
        return Err(invalid("columns", 0, "are too many; 256 at most"));
    }
    definition.columns.sort_by_key(|column| column.index);
    definition.columns.iter().try_for_each(check_column)?;
    check_unique(&definition.columns)?;
    for role in [ColumnRole::Expiry, ColumnRole::Batch] {
        let mut marked = definition.columns.iter().filter(|column| column.role == Some(role));
        if let (Some(_), Some(second)) = (marked.next(), marked.next()) {
            return Err(invalid("role", second.index, "is that of another column too"));
        }
    }
    Ok(definition)
}

fn check_industry(industry: &Industry) -> Result<(), Refusal> {
    let Industry { category, division, group, class } = industry;
    if category.len() != 1 || !category.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(invalid("industry.category", 0, "is not one capital letter"));
    }
    let levels = [("industry.division", division, 2), ("industry.group", group, 3), ("industry.class", class, 4)];
    let mut above = "";
    for (at, (field, level, digits)) in levels.into_iter().enumerate() {
        if level.is_empty() {
            continue;
        }
        if level.len() != digits || !level.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid(field, 0, "has not as many digits as its level: two, three, four"));
        }
        if (at > 0 && above.is_empty()) || !level.starts_with(above) {
            return Err(invalid(field, 0, "does not go on from the level above"));
        }
        above = level;
    }
    let gap = (division.is_empty() && !group.is_empty()) || (group.is_empty() && !class.is_empty());
    if gap { Err(invalid("industry", 0, "leaves out a level above another")) } else { Ok(()) }
}

fn check_administrator(definition: &Definition) -> Result<(), Refusal> {
    let Some(administrator) = &definition.administrator else { return Ok(()) };
    let handle = administrator.handle.replace(super::PREFIX_PLACE, "0");
    let limits = HandleLimits { max_bytes: ADMINISTRATOR_BYTES };
    check_new_handle(handle.as_bytes(), limits).map_err(|_| invalid("administrator.handle", 0, "is no handle"))
}

fn check_column(column: &Column) -> Result<(), Refusal> {
    let invalid = |field, problem| Err(invalid(field, column.index, problem));
    if column.index < FIRST_COLUMN_INDEX || column.index > MAX_INDEX {
        return invalid("index", "is not between 2000 and 2147483647");
    }
    check_text("name", column.index, &column.name, COLUMN_NAME_CHARS)?;
    let kind = column.kind.as_bytes();
    let is_type_byte = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if !kind.first().is_some_and(u8::is_ascii_alphabetic) || !kind.iter().all(is_type_byte) {
        return invalid("type", "is not a letter followed by letters, digits, hyphens, underscores and points");
    }
    if kind.len() > COLUMN_TYPE_BYTES {
        return invalid("type", "is too long; 64 characters at most");
    }
    let reserved = kind.get(..3).is_some_and(|front| front.eq_ignore_ascii_case(b"HS_"));
    if reserved || column.kind.eq_ignore_ascii_case(super::TEMPLATE_TYPE) {
        return invalid("type", "is reserved for the protocol");
    }
    if column.max == 0 || column.max > COLUMN_CHARS {
        return invalid("max", "is not between 1 and 4000");
    }
    if column.min > column.max {
        return invalid("min", "is more than max");
    }
    if i32::try_from(column.ttl).is_err() {
        return invalid("ttl", "is more than 2147483647 seconds");
    }
    let is_number = column.data == DataType::Number;
    if column.decimals.is_some_and(|decimals| !is_number || usize::from(decimals) > NUMBER_DIGITS) {
        return invalid("decimals", "are for numbers, 38 at most");
    }
    if column.form != DateFormat::Iso && column.data != DataType::Date {
        return invalid("form", "is for dates");
    }
    if !column.unit.is_empty() {
        if !is_number {
            return invalid("unit", "is for numbers");
        }
        check_text("unit", column.index, &column.unit, COLUMN_UNIT_CHARS)?;
    }
    if column.role == Some(ColumnRole::Expiry) && column.data != DataType::Date {
        return invalid("role", "of the expiry is for a date");
    }
    check_list(column)
}

fn check_list(column: &Column) -> Result<(), Refusal> {
    let invalid = |problem| Err(invalid("values", column.index, problem));
    if column.data != DataType::Enum {
        return if column.values.is_empty() { Ok(()) } else { invalid("are for enumerations") };
    }
    if column.values.is_empty() || column.values.len() > COLUMN_VALUES {
        return invalid("of an enumeration are 1 to 256");
    }
    for (at, value) in column.values.iter().enumerate() {
        let chars = value.chars().count();
        if value.chars().any(char::is_control) || chars < at_least(column.min) || chars > at_least(column.max) {
            return invalid("hold one that is shorter than min, longer than max or has control characters");
        }
        if column.values.iter().take(at).any(|other| other == value) {
            return invalid("hold the same twice");
        }
    }
    Ok(())
}

fn check_unique(columns: &[Column]) -> Result<(), Refusal> {
    for (at, column) in columns.iter().enumerate() {
        for other in columns.iter().take(at) {
            if column.index == other.index {
                return Err(invalid("index", column.index, "is that of another column"));
            }
            if column.name == other.name {
                return Err(invalid("name", column.index, "is that of another column"));
            }
            if column.kind.eq_ignore_ascii_case(&other.kind) {
                return Err(invalid("type", column.index, "is that of another column"));
            }
        }
    }
    Ok(())
}

fn check_text(field: &'static str, index: u32, text: &str, most: usize) -> Result<(), Refusal> {
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(invalid(field, index, "is empty or has control characters"));
    }
    if text.chars().count() > most { Err(invalid(field, index, "is too long")) } else { Ok(()) }
}

/// A limit as a length.
pub(super) fn at_least(chars: u32) -> usize {
    usize::try_from(chars).unwrap_or(usize::MAX)
}

pub(super) const fn invalid(field: &'static str, index: u32, problem: &'static str) -> Refusal {
    Refusal::InvalidTemplate { field, index, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::testing::definition;

    fn refused(change: impl FnOnce(&mut Definition)) -> (&'static str, u32) {
        let mut changed = definition();
        change(&mut changed);
        match checked(changed) {
            Err(Refusal::InvalidTemplate { field, index, .. }) => (field, index),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn columns_come_out_in_order_of_index() {
        let mut reversed = definition();
        reversed.columns.reverse();
        assert_eq!(checked(reversed), checked(definition()));
        assert_eq!(checked(definition()), Ok(definition()));
    }

    #[test]
    fn every_rule_about_a_definition_is_held_to() {
        let same = |to: usize, from: usize, what: fn(&mut Column, &Column)| {
            refused(move |it| {
                let source = it.columns[from].clone();
                what(&mut it.columns[to], &source);
            })
        };
        assert_eq!(refused(|it| it.title = " ".into()), ("title", 0));
        assert_eq!(refused(|it| it.title = "x".repeat(101)), ("title", 0));
        assert_eq!(refused(|it| it.industry.category = "CC".into()), ("industry.category", 0));
        assert_eq!(refused(|it| it.industry.division = "3".into()), ("industry.division", 0));
        assert_eq!(refused(|it| it.industry.group = "341".into()), ("industry.group", 0));
        assert_eq!(refused(|it| it.industry.group = String::new()), ("industry", 0));
        assert_eq!(
            refused(|it| it.administrator.as_mut().unwrap().handle = "x\n/y".into()),
            ("administrator.handle", 0)
        );
        assert_eq!(refused(|it| it.columns.clear()), ("columns", 0));
        assert_eq!(refused(|it| it.columns = vec![it.columns[0].clone(); 257]), ("columns", 0));
        assert_eq!(refused(|it| it.columns[0].index = 1999), ("index", 1999));
        assert_eq!(refused(|it| it.columns[0].index = 1 << 31), ("index", 1 << 31));
        assert_eq!(refused(|it| it.columns[0].name = String::new()), ("name", 2000));
        assert_eq!(refused(|it| it.columns[0].name = "a\tb".into()), ("name", 2000));
        for kind in ["", "1a", "a b", "产品", "HS_SITE", "hs_x", "template", "TEMPLATE", &"x".repeat(65)] {
            assert_eq!(refused(|it| it.columns[0].kind = kind.into()), ("type", 2000), "{kind}");
        }
        assert_eq!(refused(|it| it.columns[0].max = 0), ("max", 2000));
        assert_eq!(refused(|it| it.columns[0].max = 4001), ("max", 2000));
        assert_eq!(refused(|it| it.columns[0].min = 101), ("min", 2000));
        assert_eq!(refused(|it| it.columns[0].ttl = 1 << 31), ("ttl", 2000));
        assert_eq!(refused(|it| it.columns[0].decimals = Some(1)), ("decimals", 2000));
        assert_eq!(refused(|it| it.columns[0].form = DateFormat::Gs1), ("form", 2000));
        assert_eq!(refused(|it| it.columns[0].unit = "kg".into()), ("unit", 2000));
        assert_eq!(refused(|it| it.columns[0].values = vec!["x".into()]), ("values", 2000));
        assert_eq!(refused(|it| it.columns[0].role = Some(ColumnRole::Expiry)), ("role", 2000));
        assert_eq!(refused(|it| it.columns[3].values.clear()), ("values", 2003));
        assert_eq!(refused(|it| it.columns[3].values = vec!["合格".into(), "合格".into()]), ("values", 2003));
        assert_eq!(refused(|it| it.columns[3].values = vec!["x".repeat(21)]), ("values", 2003));
        assert_eq!(refused(|it| it.columns[4].role = Some(ColumnRole::Batch)), ("role", 2005));
        assert_eq!(same(1, 0, |to, from| to.index = from.index), ("index", 2000));
        assert_eq!(same(1, 0, |to, from| to.name.clone_from(&from.name)), ("name", 2001));
        assert_eq!(same(1, 0, |to, from| to.kind = from.kind.to_uppercase()), ("type", 2001));
    }
}
