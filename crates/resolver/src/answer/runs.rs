//! The given values of a record as a few runs of bytes that stand side by side in it.
//!
//! An answer copies stored wire bytes. Deciding walks the values once anyway; the runs it finds spare the writing a second walk, and a
//! record given whole even the first.

use waymark_wire::{EncodeValue, Sink};

/// Runs kept at most. Records hold what is restricted at one or two places; more runs are written the slower way, value by value.
const MAX_RUNS: usize = 4;

/// Values that stand side by side.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    /// Where the first begins and the last ends in the wire bytes of the record.
    start: usize,
    end: usize,
    count: u32,
}

/// Runs of values of one record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs<'a> {
    wire: &'a [u8],
    runs: [Run; MAX_RUNS],
    len: usize,
}

impl<'a> Runs<'a> {
    /// No value yet, of a record with these wire bytes.
    pub(crate) fn none_of(wire: &'a [u8]) -> Self {
        Self { wire, runs: [Run::default(); MAX_RUNS], len: 0 }
    }

    /// All `count` values of a record.
    pub(crate) fn whole(wire: &'a [u8], count: u32) -> Self {
        let mut all = Self::none_of(wire);
        all.runs[0] = Run { start: 0, end: wire.len(), count };
        all.len = 1;
        all
    }

    /// Takes in the value at these bytes, which must stand behind those before. `false` when it makes one run too many.
    pub(crate) fn add(&mut self, start: usize, end: usize) -> bool {
        let last = self.len.checked_sub(1).and_then(|last| self.runs.get_mut(last));
        if let Some(last) = last.filter(|last| last.end == start) {
            last.end = end;
            last.count = last.count.saturating_add(1);
            return true;
        }
        let Some(next) = self.runs.get_mut(self.len) else { return false };
        *next = Run { start, end, count: 1 };
        self.len += 1;
        true
    }

    /// As many items as there are values. The first of each run writes the bytes of all of it, the others write nothing: a list of values
    /// is its count and the bytes of all values back to back.
    pub(crate) fn items(self) -> impl Iterator<Item = RunItem<'a>> {
        let wire = self.wire;
        self.runs.into_iter().take(self.len).flat_map(move |run| {
            let bytes = wire.get(run.start..run.end).unwrap_or_default();
            let rest = std::iter::repeat_n(RunItem(&[]), run.count.saturating_sub(1) as usize);
            std::iter::once(RunItem(bytes)).chain(rest)
        })
    }
}

/// What one value of a run adds to the list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunItem<'a>(&'a [u8]);

impl EncodeValue for RunItem<'_> {
    fn put_value(&self, out: &mut (impl Sink + ?Sized)) {
        out.put(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number of values and bytes the runs come to.
    fn written(runs: Runs<'_>) -> (usize, Vec<u8>) {
        let mut bytes = Vec::new();
        let count = runs.items().map(|item| item.put_value(&mut bytes)).count();
        (count, bytes)
    }

    #[test]
    fn neighbours_make_one_run_and_gaps_part_them() {
        let mut runs = Runs::none_of(b"aabbccdd");
        assert_eq!(written(runs), (0, vec![]));
        for start in [0, 2, 6] {
            assert!(runs.add(start, start + 2));
        }
        assert_eq!(runs.len, 2);
        assert_eq!(written(runs), (3, b"aabbdd".to_vec()));
    }

    #[test]
    fn a_whole_record_is_one_run() {
        assert_eq!(written(Runs::whole(b"aabbccdd", 4)), (4, b"aabbccdd".to_vec()));
    }

    #[test]
    fn one_run_too_many_is_refused() {
        let wire = [0; 2 * (MAX_RUNS + 1)];
        let mut runs = Runs::none_of(&wire);
        for run in 0..=MAX_RUNS {
            assert_eq!(runs.add(2 * run, 2 * run + 1), run < MAX_RUNS);
        }
        assert_eq!(written(runs).0, MAX_RUNS);
    }
}
