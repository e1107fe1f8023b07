//! Rows and cells against a layout; knows nothing of files.

mod date;
pub(crate) mod headings;
pub(crate) mod judge;
mod number;
mod shape;
mod value;

/// What a cell becomes in a column of which nothing else was seen.
#[cfg(test)]
pub(crate) fn check_example(column: &crate::Column, cell: &crate::Cell) -> Result<String, crate::Problem> {
    value::check(column, cell, &shape::Shape::default()).map(std::borrow::Cow::into_owned)
}
