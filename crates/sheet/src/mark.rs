//! What a sheet says of the template it was made for, on a hidden sheet beside it.

use crate::{Cell, Code, Layout, Problem, row::RawRow};

/// Name of the hidden sheet, which also holds the lists to choose from.
pub(crate) const MARK_SHEET: &str = "waymark";
/// Names of its rows.
pub(crate) const TEMPLATE: &str = "template";
pub(crate) const VERSION: &str = "version";

/// Template and version a sheet was made for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Name of the template.
    pub template: String,
    /// Its version.
    pub version: String,
}

impl Mark {
    /// Rows of the hidden sheet that say it.
    pub(crate) const ROWS: usize = 2;

    /// Reads it from these rows.
    pub(crate) fn of_rows(rows: &[RawRow]) -> Option<Self> {
        let value = |name: &str| {
            let row = rows.iter().find(|row| text(row, 0) == Some(name))?;
            text(row, 1).map(str::to_owned)
        };
        Some(Self { template: value(TEMPLATE)?, version: value(VERSION)? })
    }

    /// That it is the one of a layout.
    pub(crate) fn check(&self, layout: &Layout) -> Result<(), Problem> {
        let (code, found, wanted) = match () {
            () if self.template != layout.template() => (Code::WrongTemplate, &self.template, layout.template()),
            () if self.version != layout.version() => (Code::WrongVersion, &self.version, layout.version()),
            () => return Ok(()),
        };
        Err(Problem::new(code).with("found", found).with("wanted", wanted))
    }
}

fn text(row: &RawRow, position: u32) -> Option<&str> {
    row.cells.iter().find_map(|(at, cell)| match cell {
        Cell::Text(text) if *at == position => Some(text.as_str()),
        _ => None,
    })
}
