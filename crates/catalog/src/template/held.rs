//! Edits of identifiers made from a template: they keep to its columns.
//!
//! A whole record that comes in says everything itself, its template or none; single values that are added, changed or taken away belong to an
//! identifier whose template its readers go by. Values below the first column's index are free but for the one that names the template.

use waymark_wire::{ValueRef, Values};

use super::fields::{check, problem};
use super::{FieldProblem, FieldProblemCode, TEMPLATE_INDEX, TEMPLATE_TYPE, Template};
use crate::config::{FIELD_PROBLEMS, FIRST_COLUMN_INDEX};
use crate::values::same_content;

/// What is done to the values of an identifier.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edit<'a> {
    /// These come in, or take the place of those at the same index.
    Put(Values<'a>),
    /// These indexes are taken away.
    Remove(&'a [u32]),
}

/// Checks an edit of the values `old` against the template they name.
///
/// # Errors
/// What is wrong with it, the first few where it is much.
pub(crate) fn held(template: &Template, old: Values<'_>, edit: Edit<'_>) -> Result<(), Vec<FieldProblem>> {
    let problems: Vec<FieldProblem> = match edit {
        Edit::Put(values) => {
            values.iter().filter_map(|value| put(template, old, &value)).take(FIELD_PROBLEMS).collect()
        }
        Edit::Remove(indexes) => {
            indexes.iter().filter_map(|index| remove(template, *index)).take(FIELD_PROBLEMS).collect()
        }
    };
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// What is wrong with a value that comes in.
fn put(template: &Template, old: Values<'_>, value: &ValueRef<'_>) -> Option<FieldProblem> {
    let former = old.iter().find(|old| old.index == value.index);
    if former.is_some_and(|former| same_content(&former, value)) {
        return None;
    }
    if value.index == TEMPLATE_INDEX {
        return Some(fixed());
    }
    if value.index < FIRST_COLUMN_INDEX {
        return None;
    }
    let unknown = |what| FieldProblem { index: value.index, kind: String::from_utf8_lossy(value.kind).into(), what };
    let Some(column) = template.definition.column(value.index) else { return Some(unknown(FieldProblemCode::Unknown)) };
    if column.kind.as_bytes() != value.kind {
        return Some(unknown(FieldProblemCode::TypeMismatch));
    }
    if !column.enabled && former.is_none() {
        return Some(problem(column, FieldProblemCode::Disabled));
    }
    let checked = std::str::from_utf8(value.data).map_err(|_| FieldProblemCode::ControlCharacters);
    checked.and_then(|text| check(column, text)).err().map(|what| problem(column, what))
}

/// What is wrong with taking a value away.
fn remove(template: &Template, index: u32) -> Option<FieldProblem> {
    if index == TEMPLATE_INDEX {
        return Some(fixed());
    }
    let column = template.definition.column(index).filter(|column| column.required && column.enabled)?;
    Some(problem(column, FieldProblemCode::Missing))
}

fn fixed() -> FieldProblem {
    FieldProblem { index: TEMPLATE_INDEX, kind: TEMPLATE_TYPE.into(), what: FieldProblemCode::Fixed }
}

#[cfg(test)]
mod tests {
    use waymark_wire::ValueBuf;

    use super::*;
    use crate::template::FieldValue;
    use crate::template::testing::template;
    use crate::values::ValueSet;

    fn value(index: u32, kind: &str, text: &str) -> ValueBuf {
        ValueBuf::new(index, kind.as_bytes(), text.as_bytes())
    }

    fn old() -> ValueSet {
        let field = |index: u32, text: &str| FieldValue { index, kind: String::new(), text: text.into() };
        template().values(b"88.1", &[field(2000, "挖掘机"), field(2001, "X1"), field(2005, "B7")]).unwrap()
    }

    fn put(values: &[ValueBuf]) -> Vec<(u32, FieldProblemCode)> {
        let (old, values) = (old(), ValueSet::from_bufs(values).unwrap());
        let problems = held(&template(), old.values(), Edit::Put(values.values())).err().unwrap_or_default();
        problems.into_iter().map(|problem| (problem.index, problem.what)).collect()
    }

    fn remove(indexes: &[u32]) -> Vec<(u32, FieldProblemCode)> {
        let problems = held(&template(), old().values(), Edit::Remove(indexes)).err().unwrap_or_default();
        problems.into_iter().map(|problem| (problem.index, problem.what)).collect()
    }

    #[test]
    fn what_comes_in_is_what_the_columns_say() {
        use FieldProblemCode as P;
        assert_eq!(put(&[value(1, "URL", "https://id.example.cn/"), value(2000, "productName", "装载机")]), []);
        for (bad, expected) in [
            (value(1001, "TEMPLATE", "OTHER-1"), (1001, P::Fixed)),
            (value(2999, "more", "x"), (2999, P::Unknown)),
            (value(2000, "PRODUCTNAME", "x"), (2000, P::TypeMismatch)),
            (value(2000, "productName", ""), (2000, P::Missing)),
            (value(2002, "ratedMass", "21t"), (2002, P::NotANumber)),
            (value(2004, "warrantyEnd", "2026-02-30"), (2004, P::NotADate)),
            (value(2006, "oldCode", "x"), (2006, P::Disabled)),
            (ValueBuf::new(2005, b"batch", &[0xff, 0xff]), (2005, P::ControlCharacters)),
        ] {
            assert_eq!(put(std::slice::from_ref(&bad)), [expected], "{bad:?}");
        }
    }

    #[test]
    fn what_stays_as_it_is_may_be_said_again() {
        let same: Vec<ValueBuf> = old().values().iter().map(ValueBuf::from).collect();
        assert_eq!(put(&same), []);
    }

    #[test]
    fn required_columns_and_the_name_of_the_template_stay() {
        assert_eq!(remove(&[2005, 100]), []);
        let expected = [(1001, FieldProblemCode::Fixed), (2001, FieldProblemCode::Missing)];
        assert_eq!(remove(&[1001, 2001]), expected);
    }
}
