//! Which column of a file is which of the layout.

use std::collections::HashMap;

use super::number::plain;
use crate::{
    Cell, Code, Language, Layout, Problem,
    failure::ReadError,
    layout::REMARK,
    problem::{Place, letters},
    row::RawRow,
};

/// Most problems of headings that are listed.
const LISTED: usize = 100;

/// What a column of a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// One of the layout's: 0 for the identifier, then the others in their order.
    Slot(usize),
    /// For people.
    Remark,
}

/// The columns of a file.
#[derive(Clone, Debug)]
pub(crate) struct Headings {
    /// What each column of the file is, by its position.
    targets: Vec<Option<Target>>,
    /// Where each of the layout's is: the identifier first.
    positions: Vec<Option<u32>>,
    /// How many more are in English alone than in Chinese alone.
    english: i32,
}

impl Headings {
    /// Every heading that means a column of the layout, in both languages, with its place there.
    pub(crate) fn titles(layout: &Layout) -> HashMap<&str, usize> {
        let mut titles = HashMap::new();
        for language in [Language::English, Language::Chinese] {
            titles.insert(layout.handle_title(language), 0);
            for (number, column) in layout.columns().iter().enumerate() {
                titles.insert(column.title(language), number + 1);
            }
        }
        titles
    }

    /// Reads the row of headings.
    pub(crate) fn read(layout: &Layout, row: &RawRow) -> Result<Self, ReadError> {
        let titles = Self::titles(layout);
        let mut headings = Self { targets: Vec::new(), positions: vec![None; layout.columns().len() + 1], english: 0 };
        let mut problems = Vec::new();
        if row.is_merged {
            problems.push(Problem::new(Code::MergedHeading).in_row(row.number));
        }
        for (position, cell) in &row.cells {
            let title = text(cell);
            headings.count_language(layout, titles.get(title.as_str()).copied(), &title);
            if let Err(problem) = headings.add(&titles, *position, &title) {
                problems.push(problem.in_row(row.number));
            }
        }
        problems.extend(headings.missing(layout));
        problems.truncate(LISTED);
        if problems.is_empty() { Ok(headings) } else { Err(ReadError::File(problems)) }
    }

    fn add(&mut self, titles: &HashMap<&str, usize>, position: u32, title: &str) -> Result<(), Problem> {
        let place = || Place { position: Some(position), index: None, title: title.to_owned() };
        if title.starts_with(REMARK) {
            self.set(position, Target::Remark);
            return Ok(());
        }
        let slot = titles.get(title).copied();
        let Some((slot, known)) = slot.and_then(|slot| Some((slot, self.positions.get_mut(slot)?))) else {
            return Err(Problem::new(Code::UnknownColumn).at(place()));
        };
        if let Some(first) = known {
            return Err(Problem::new(Code::DuplicateHeading).at(place()).with("other", letters(*first)));
        }
        *known = Some(position);
        self.set(position, Target::Slot(slot));
        Ok(())
    }

    /// Counts a heading that is another one in the other language.
    fn count_language(&mut self, layout: &Layout, slot: Option<usize>, title: &str) {
        let column = slot.and_then(|slot| slot.checked_sub(1)).and_then(|number| layout.columns().get(number));
        let of = |language| column.map_or_else(|| layout.handle_title(language), |column| column.title(language));
        let (english, chinese) = (of(Language::English), of(Language::Chinese));
        if slot.is_some() && english != chinese {
            self.english += if title == english { 1 } else { -1 };
        }
    }

    /// The language most of them are in.
    pub(crate) const fn language(&self) -> Language {
        if self.english > 0 { Language::English } else { Language::Chinese }
    }

    /// Headings come in the order of columns, of which a file has no more than its reader lets through.
    fn set(&mut self, position: u32, target: Target) {
        self.targets.resize(usize::try_from(position).unwrap_or(0), None);
        self.targets.push(Some(target));
    }

    /// Columns that must be there and are not.
    fn missing<'a>(&'a self, layout: &'a Layout) -> impl Iterator<Item = Problem> + 'a {
        let required = std::iter::once(true).chain(layout.columns().iter().map(|column| column.required));
        let absent = self.positions.iter().zip(required).enumerate();
        absent
            .filter(|(_, (position, required))| position.is_none() && *required)
            .map(|(slot, _)| Problem::new(Code::MissingColumn).at(Place { position: None, ..self.place(layout, slot) }))
    }

    /// Headings of columns that are not there, in Chinese as in the layout.
    pub(crate) fn absent(&self, layout: &Layout) -> Vec<String> {
        let slots = self.positions.iter().enumerate().filter(|(_, position)| position.is_none());
        slots.map(|(slot, _)| self.place(layout, slot).title).collect()
    }

    /// What the column of a file is; none, if it has no heading.
    pub(crate) fn target(&self, position: u32) -> Option<Target> {
        self.targets.get(usize::try_from(position).ok()?).copied().flatten()
    }

    /// Where the layout's column is.
    pub(crate) fn position(&self, slot: usize) -> Option<u32> {
        self.positions.get(slot).copied().flatten()
    }

    /// The place of a column for texts about it.
    pub(crate) fn place(&self, layout: &Layout, slot: usize) -> Place {
        let column = slot.checked_sub(1).and_then(|number| layout.columns().get(number));
        Place {
            position: self.position(slot),
            index: column.map(|column| column.index),
            title: column.map_or_else(|| layout.handle_title(Language::Chinese), |column| &column.name_zh).to_owned(),
        }
    }
}

/// The text of a heading, whatever kind of cell it is.
fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) | Cell::Error(text) => text.trim().to_owned(),
        Cell::Number { value, .. } | Cell::Date(value) => plain(*value).unwrap_or_else(|| value.to_string()),
        Cell::Boolean(is_true) => if *is_true { "TRUE" } else { "FALSE" }.to_owned(),
        Cell::Formula(cell) => text(cell),
    }
}
