//! One row against its layout.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher as _,
};

use super::{
    headings::{Headings, Target},
    shape::Shape,
    value,
};
use crate::{
    BadRow, Cell, Cells, Code, Item, Layout, Problem, Row,
    limits::Limits,
    problem::{Place, letters},
    row::RawRow,
    words::EXAMPLE_HANDLE,
};

/// Judges rows in the order of the file.
pub(crate) struct Judge<'l> {
    layout: &'l Layout,
    headings: Headings,
    /// What texts look like, for each column of the layout, the identifier's first.
    shapes: Vec<Shape>,
    seen: Seen,
    /// The cells of a row, in the same order. Empty between rows.
    slots: Vec<Option<Cell>>,
}

impl<'l> Judge<'l> {
    /// For rows below these headings.
    pub(crate) fn new(layout: &'l Layout, headings: Headings, case_sensitive: bool) -> Self {
        let count = layout.columns().len() + 1;
        Self {
            layout,
            headings,
            shapes: vec![Shape::default(); count],
            seen: Seen::new(case_sensitive),
            slots: vec![None; count],
        }
    }

    /// Learns what texts look like.
    pub(crate) fn learn(&mut self, row: &RawRow) {
        for (position, cell) in &row.cells {
            if let Some(Target::Slot(slot)) = self.headings.target(*position)
                && let Some(shape) = self.shapes.get_mut(slot)
            {
                shape.learn(cell);
            }
        }
    }

    /// Whether a row is the one of examples as it was written, wherever it went. It is none of the data, and says nothing about codes.
    pub(crate) fn is_example(&self, row: &RawRow) -> bool {
        let position = self.headings.position(0);
        row.cells.iter().any(|(at, cell)| match cell {
            Cell::Text(text) => Some(*at) == position && [EXAMPLE_HANDLE.en, EXAMPLE_HANDLE.zh].contains(&text.trim()),
            _ => false,
        })
    }

    /// The row, or what is wrong with it.
    pub(crate) fn judge(&mut self, row: RawRow) -> Item {
        let number = row.number;
        let mut problems = of_whole_row(&row);
        problems.extend(self.distribute(row.cells));
        let handle = self.handle(number, &mut problems);
        let texts = self.texts(&mut problems);
        match handle {
            Some(handle) if problems.is_empty() => {
                let handle = self.take(0, handle);
                let indices = self.layout.columns().iter().map(|column| column.index);
                let values = indices.zip(texts).enumerate();
                let values = values.filter_map(|(number, (index, text))| Some((index, self.take(number + 1, text?))));
                Item::Row(Row { number, handle, values: values.collect() })
            }
            _ => {
                let problems = problems.into_iter().map(|problem| problem.in_row(number)).collect();
                Item::Bad(BadRow { number, problems, cells: self.take_cells() })
            }
        }
    }

    /// What each column of the layout takes from its cell; nothing from one that is empty or wrong.
    fn texts(&self, problems: &mut Vec<Problem>) -> Vec<Option<Taken>> {
        let columns = self.layout.columns().iter().zip(self.slots.iter().zip(&self.shapes).enumerate().skip(1));
        let texts = columns.map(|(column, (slot, (cell, shape)))| {
            let problem = match cell {
                Some(cell) => match value::check(column, cell, shape) {
                    Ok(text) => return Some(Taken::of(cell, text)),
                    Err(problem) => problem,
                },
                None if column.required => Problem::new(Code::Required),
                None => return None,
            };
            problems.push(problem.at(self.headings.place(self.layout, slot)));
            None
        });
        texts.collect()
    }

    /// The text that was taken from a cell; the cell is empty then.
    fn take(&mut self, slot: usize, taken: Taken) -> String {
        let cell = self.slots.get_mut(slot).and_then(Option::take);
        match (taken, cell) {
            (Taken::Text(text), _) | (Taken::WholeCell, Some(Cell::Text(text))) => text,
            // Only texts are taken whole.
            (Taken::WholeCell, _) => String::new(),
        }
    }

    /// Puts the cells of a row into their places. Says which are in columns without a heading.
    fn distribute(&mut self, cells: Vec<(u32, Cell)>) -> Option<Problem> {
        let mut strays = 0;
        let mut first = None;
        for (position, cell) in cells {
            match self.headings.target(position) {
                Some(Target::Slot(slot)) => {
                    if let Some(slot) = self.slots.get_mut(slot) {
                        *slot = Some(cell);
                    }
                }
                Some(Target::Remark) => {}
                None => {
                    strays += 1;
                    first.get_or_insert(position);
                }
            }
        }
        first.map(|position| {
            let place = Place { position: Some(position), index: None, title: String::new() };
            Problem::new(Code::CellWithoutHeading).at(place).with("count", strays).with("value", letters(position))
        })
    }

    fn handle(&mut self, row: u32, problems: &mut Vec<Problem>) -> Option<Taken> {
        let shape = self.shapes.first().copied().unwrap_or_default();
        let handle = match self.slots.first().and_then(Option::as_ref) {
            Some(cell) => {
                value::check_handle(cell, &shape).and_then(|handle| match self.seen.first_row(&handle, row) {
                    Some(other) => Err(Problem::new(Code::DuplicateHandle).with("value", handle).with("other", other)),
                    None => Ok(Taken::of(cell, handle)),
                })
            }
            None => Err(Problem::new(Code::Required)),
        };
        handle.map_err(|problem| problems.push(problem.at(self.headings.place(self.layout, 0)))).ok()
    }

    /// The cells of the row that was judged, as they were.
    fn take_cells(&mut self) -> Cells {
        let mut slots = self.slots.iter_mut().map(Option::take);
        let handle = slots.next().flatten();
        let indices = self.layout.columns().iter().map(|column| column.index);
        Cells { handle, values: indices.zip(slots).filter_map(|(index, cell)| Some((index, cell?))).collect() }
    }
}

/// What becomes of a cell.
enum Taken {
    /// Its text, as it is.
    WholeCell,
    /// Another text.
    Text(String),
}

impl Taken {
    fn of(cell: &Cell, text: Cow<'_, str>) -> Self {
        match (cell, text) {
            (Cell::Text(whole), Cow::Borrowed(part)) if part.len() == whole.len() => Self::WholeCell,
            (_, text) => Self::Text(text.into_owned()),
        }
    }
}

fn of_whole_row(row: &RawRow) -> Vec<Problem> {
    let found =
        [(row.is_hidden, Code::HiddenRow), (row.is_merged, Code::MergedCells), (row.is_unclosed, Code::UnclosedQuote)];
    found.into_iter().filter(|(is_so, _)| *is_so).map(|(_, code)| Problem::new(code)).collect()
}

/// Identifiers that were seen, as hashes of 64 bits with the row of each: 16 bytes instead of a text.
///
/// The last [`Limits::SEEN`] at least are remembered, in two halves of which the older is forgotten when the newer is full, so that memory does
/// not grow with the file. One that stands twice farther apart is left to whoever takes the rows in.
///
/// That two different identifiers among n have one hash happens once in 2^65 / n² files: once in 37 million files of a million rows. The row
/// would be kept back as standing twice, and a person would see that it does not. The hash is keyed anew for every file, so nobody can make
/// it happen.
struct Seen {
    newer: HashMap<u64, u32>,
    older: HashMap<u64, u32>,
    most: usize,
    hasher: RandomState,
    case_sensitive: bool,
    folded: Vec<u8>,
}

impl Seen {
    fn new(case_sensitive: bool) -> Self {
        let (newer, older, hasher) = (HashMap::new(), HashMap::new(), RandomState::new());
        Self { newer, older, most: Limits::SEEN, hasher, case_sensitive, folded: Vec::new() }
    }

    /// The row an identifier stood in before; none, if this is the first that is remembered.
    fn first_row(&mut self, handle: &str, row: u32) -> Option<u32> {
        self.folded.clear();
        self.folded.extend_from_slice(handle.as_bytes());
        if !self.case_sensitive {
            self.folded.make_ascii_lowercase();
        }
        let hash = self.hasher.hash_one(&self.folded);
        if let Some(known) = self.newer.get(&hash).or_else(|| self.older.get(&hash)) {
            return Some(*known);
        }
        if self.newer.len() >= self.most {
            std::mem::swap(&mut self.newer, &mut self.older);
            self.newer.clear();
        }
        self.newer.insert(hash, row);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_near_each_other_are_found_twice_and_old_ones_are_forgotten() {
        let mut seen = Seen { most: 100, ..Seen::new(false) };
        let name = |row: u32| format!("88.1/X{row}");
        assert!((0..1_000).all(|row| seen.first_row(&name(row), row).is_none()));
        // Never fewer than the last so many, never more than twice that.
        for row in 901..1_000 {
            assert_eq!(seen.first_row(&name(row).to_lowercase(), 5_000), Some(row));
        }
        assert!(seen.newer.len() + seen.older.len() <= 200);
        assert_eq!(seen.first_row(&name(7), 5_001), None);
        assert_eq!(seen.first_row(&name(7), 5_002), Some(5_001), "the later one is told from then on");
    }

    #[test]
    fn case_counts_where_it_is_said_to() {
        let mut seen = Seen::new(true);
        assert_eq!((seen.first_row("88.1/a", 2), seen.first_row("88.1/A", 3)), (None, None));
        assert_eq!(seen.first_row("88.1/A", 4), Some(3));
    }
}
