//! Where some entries of each segment lie, remembered in bounded memory, so that looking for a serial need not begin at the segment's start.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::bytes::offset;
use crate::config::{MARK_BYTES, MARKS};
use crate::format::frame::{GROUP_HEADER, GroupHeader};
use crate::log::lock;
use crate::types::Serial;

/// An entry's place in its segment, and its group's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Its serial.
    pub(crate) serial: Serial,
    /// Its file offset.
    pub(crate) at: u64,
    /// Serial of the first entry of its group.
    pub(crate) group_first: Serial,
    /// File offset of its group.
    pub(crate) group_at: u64,
    /// Serial after the last entry of its group.
    pub(crate) group_next: Serial,
    /// File offset after its group.
    pub(crate) group_end: u64,
}

impl Mark {
    /// The first entry of the group at file offset `at`.
    pub(crate) fn of_group(at: u64, header: &GroupHeader) -> Self {
        Self {
            serial: header.first,
            at: at + offset(GROUP_HEADER),
            group_first: header.first,
            group_at: at,
            group_next: header.next(),
            group_end: at + offset(header.length),
        }
    }

    /// The entry behind this one of `bytes`, in the same group.
    pub(crate) const fn after(self, bytes: u64) -> Self {
        Self { serial: self.serial.next(), at: self.at + bytes, ..self }
    }
}

/// The marks of all segments; those of the segment longest unused are forgotten when there are too many.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    /// Marks of a segment in order, by the segment's base.
    by_base: HashMap<u64, Table>,
    /// Marks of all of them.
    count: usize,
    /// Counts uses, to tell which was longest ago.
    turn: u64,
}

#[derive(Debug, Default)]
struct Table {
    marks: Vec<Mark>,
    used: u64,
}

impl Marks {
    /// The last mark at or before `serial` in the segment with this base, and the first one behind it.
    pub(crate) fn around(&self, base: u64, serial: Serial) -> (Option<Mark>, Option<Mark>) {
        let mut tables = lock(&self.tables);
        tables.turn += 1;
        let turn = tables.turn;
        let Some(table) = tables.by_base.get_mut(&base) else { return (None, None) };
        table.used = turn;
        let behind = table.marks.partition_point(|mark| mark.serial <= serial);
        let before = behind.checked_sub(1).and_then(|index| table.marks.get(index));
        (before.copied(), table.marks.get(behind).copied())
    }

    /// Remembers marks of the segment with this base, those that lie too near to another excepted.
    pub(crate) fn add(&self, base: u64, marks: impl IntoIterator<Item = Mark>) {
        let mut tables = lock(&self.tables);
        let Tables { by_base, count, turn } = &mut *tables;
        let table = by_base.entry(base).or_default();
        table.used = *turn;
        for mark in marks {
            *count += usize::from(table.add(mark));
        }
        while *count > MARKS && by_base.len() > 1 {
            let Some(oldest) = by_base.iter().min_by_key(|(_, table)| table.used).map(|(base, _)| *base) else { break };
            *count -= by_base.remove(&oldest).map_or(0, |table| table.marks.len());
        }
    }
}

impl Table {
    /// Adds a mark unless there is one near it; whether it did.
    fn add(&mut self, mark: Mark) -> bool {
        let index = self.marks.partition_point(|known| known.serial < mark.serial);
        let far = |other: Option<&Mark>| other.is_none_or(|other| other.at.abs_diff(mark.at) >= MARK_BYTES);
        let wanted = far(self.marks.get(index)) && far(index.checked_sub(1).and_then(|before| self.marks.get(before)));
        if wanted {
            self.marks.insert(index, mark);
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(serial: u64, at: u64) -> Mark {
        let header = GroupHeader { length: 100, first: Serial(serial), count: 1 };
        Mark::of_group(at - offset(GROUP_HEADER), &header)
    }

    #[test]
    fn tells_the_nearest_marks_around_a_serial() {
        let marks = Marks::default();
        let (low, high) = (mark(10, MARK_BYTES), mark(20, 3 * MARK_BYTES));
        marks.add(0, [high, low, mark(11, MARK_BYTES + 1), mark(19, 3 * MARK_BYTES - 1)]);
        assert_eq!(marks.around(0, Serial(9)), (None, Some(low)));
        assert_eq!(marks.around(0, Serial(10)), (Some(low), Some(high)));
        assert_eq!(marks.around(0, Serial(19)), (Some(low), Some(high)));
        assert_eq!(marks.around(0, Serial(99)), (Some(high), None));
        assert_eq!(marks.around(1, Serial(10)), (None, None));
    }

    #[test]
    fn forgets_the_segment_longest_unused_and_keeps_the_limit() {
        let marks = Marks::default();
        let each = u64::try_from(MARKS / 4).unwrap();
        for base in 0..4 {
            marks.add(base, (1..=each).map(|number| mark(number, number * MARK_BYTES)));
            marks.around(base, Serial(1));
        }
        marks.around(0, Serial(1));
        marks.add(9, [mark(1, MARK_BYTES)]);
        assert_eq!(marks.around(1, Serial(1)), (None, None), "longest unused");
        assert!(marks.around(0, Serial(1)).0.is_some() && marks.around(9, Serial(1)).0.is_some());
        assert_eq!(lock(&marks.tables).count, 3 * MARKS / 4 + 1);
    }
}
