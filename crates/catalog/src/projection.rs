//! What is kept in the store's small state: homed prefixes, marks, how many records each prefix and code package has, what
//! each principal wrote on which day, and which identifiers link to which.
//!
//! The state is fed from the log, by the writer after it acknowledged, or at start from where the state is. It lags at most
//! by what is not fed yet, is never asked for a decision, and can be made anew from the log at any time.
//!
//! | tree | key | value |
//! |---|---|---|
//! | 1 homed | the reserved key's bytes from the third on | u64 serial, big-endian |
//! | 2 marks | 16 bytes stream | u64 position, big-endian |
//! | 3 records | prefix, folded | u64 number of live records, big-endian |
//! | 5 usage | u32 day, big-endian, principal | u64 writes on that day, big-endian; days are kept for [`USAGE_DAYS`] |
//! | 10 requests | id(16) principal | the body of the request's note |
//! | 12 own records | u32 number of a package, big-endian, prefix, folded | u64 number of live records among its codes, big-endian |
//! | 11 horizons | `'P'` principal, or `'F'` for all | u64 milliseconds since 1970, big-endian: unknown request ids made by then are too old |
//! | 13 links | target, folded, 00, relation, source, folded; see [`crate::link::index`] | empty |

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use waymark_store::{EntryKind, Serial, State, StateError, StateOp, Tree};

use crate::config::USAGE_DAYS;
use crate::mark::Mark;
use crate::prefixes::prefix_of_key;
use crate::range::{Finding, RangeName, Ranges};
use crate::requests::REQUESTS;
use crate::reserved::{ReservedKey, is_reserved};
use crate::usage::Day;

/// Homed prefixes and markers.
pub(crate) const HOMED: Tree = Tree(1);
/// Progress of streams.
pub(crate) const MARKS: Tree = Tree(2);
/// Live records of each prefix.
pub(crate) const RECORDS: Tree = Tree(3);
/// Writes of each principal by day.
pub(crate) const USAGE: Tree = Tree(5);
/// Live records among the codes of each package.
pub(crate) const OWN_RECORDS: Tree = Tree(12);

/// Gathers what entries mean for the state, until they are applied together.
#[derive(Default)]
pub(crate) struct Projector {
    changes: HashMap<(Tree, Vec<u8>), Option<Vec<u8>>>,
    /// Records more or fewer, by tree and key of their count.
    deltas: HashMap<(Tree, Vec<u8>), i64>,
    /// The packages that records are told by.
    ranges: Arc<Ranges>,
    /// Writes by key of the usage tree.
    writes: HashMap<Vec<u8>, u64>,
    /// The latest day written on.
    day: Day,
    /// Usage of days too old for this one is gone.
    pruned: Option<Day>,
}

impl Projector {
    /// Notes one entry. Entries are noted in order of serial, each once.
    ///
    /// `replaced` is the serial of the live entry it takes the place of: none when there is no entry before, or that one is a deletion. An entry
    /// that replaces none adds a record; a deletion takes one away, since only live records are deleted.
    pub(crate) fn note(&mut self, kind: EntryKind, serial: Serial, replaced: Serial, key: &[u8], body: &[u8]) {
        if is_reserved(key) {
            self.note_reserved(kind, serial, key, body);
            return;
        }
        let delta = match kind {
            EntryKind::PUT if !replaced.is_some() => 1,
            EntryKind::DELETE => -1,
            _ => return,
        };
        *self.deltas.entry((RECORDS, prefix_of_key(key).to_vec())).or_default() += delta;
        // What was written before a package was ordered is none of its codes: they would not have been ordered.
        if let Finding::Code(range, _) = self.ranges.find(key)
            && range.serial < serial
        {
            *self.deltas.entry((OWN_RECORDS, own_records_key(&range.name))).or_default() += delta;
        }
    }

    /// Tells the records of entries noted from now on by these packages.
    pub(crate) fn know(&mut self, ranges: &Arc<Ranges>) {
        if !Arc::ptr_eq(&self.ranges, ranges) {
            self.ranges = Arc::clone(ranges);
        }
    }

    /// Notes writes of an actor on a day, see [`counts_for`](crate::usage::counts_for). Apart from [`note`](Self::note), since a state made anew
    /// learns the one from the log of a day and the other from live keys.
    pub(crate) fn note_writes(&mut self, day: Day, principal: &str, writes: u64) {
        self.day = self.day.max(day);
        *self.writes.entry(usage_key(day, principal)).or_default() += writes;
    }

    fn note_reserved(&mut self, kind: EntryKind, serial: Serial, key: &[u8], body: &[u8]) {
        match ReservedKey::parse(key) {
            Some(ReservedKey::Home(_)) => {
                let value = (kind == EntryKind::PUT).then(|| serial.0.to_be_bytes().to_vec());
                self.changes.insert((HOMED, key.get(2..).unwrap_or_default().to_vec()), value);
            }
            Some(ReservedKey::Mark(stream)) => {
                let value = Mark::parse(body).ok().map(|mark| mark.position().to_be_bytes().to_vec());
                self.changes.insert((MARKS, stream.to_vec()), value);
            }
            // What is forgotten is taken out by the memory of requests, which knows the limits.
            Some(ReservedKey::Request(place)) => self.set(REQUESTS, place.into_vec(), Some(body.to_vec())),
            Some(
                ReservedKey::CaseRule
                | ReservedKey::Principal(_)
                | ReservedKey::Token(_)
                | ReservedKey::Range(_)
                | ReservedKey::Piece(..)
                | ReservedKey::Template(..)
                | ReservedKey::Enterprise(_)
                | ReservedKey::Disclosure(_)
                | ReservedKey::Deed
                | ReservedKey::Plan(_)
                | ReservedKey::File(..)
                | ReservedKey::Operator
                | ReservedKey::Application(_)
                | ReservedKey::Case(_)
                | ReservedKey::Audit,
            )
            | None => {}
        }
    }

    /// Sets a value, or takes it out; the last change of a key counts.
    pub(crate) fn set(&mut self, tree: Tree, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.changes.insert((tree, key), value);
    }

    /// Applies what was noted as one step and forgets it. After an error it is all still there, and the next call tries
    /// again.
    ///
    /// # Errors
    /// What the state says.
    pub(crate) fn apply(&mut self, state: &dyn State, upto: Serial) -> Result<(), StateError> {
        let mut counts = Vec::with_capacity(self.deltas.len());
        for ((tree, key), delta) in &self.deltas {
            let count = state.get(*tree, key)?.map_or(0, |value| read_count(&value)).saturating_add_signed(*delta);
            counts.push((*tree, key, (count > 0).then(|| count.to_be_bytes())));
        }
        let mut usage = Vec::with_capacity(self.writes.len());
        for (key, writes) in &self.writes {
            let before = state.get(USAGE, key)?.map_or(0, |value| read_count(&value));
            usage.push((key, before.saturating_add(*writes).to_be_bytes()));
        }
        let old = self.usage_to_prune(state)?;
        let mut ops: Vec<StateOp<'_>> = Vec::with_capacity(self.changes.len() + counts.len() + usage.len() + old.len());
        ops.extend(self.changes.iter().map(|((tree, key), value)| op(*tree, key, value.as_deref())));
        ops.extend(counts.iter().map(|(tree, key, value)| op(*tree, key, value.as_ref().map(|count| &count[..]))));
        ops.extend(usage.iter().map(|(key, value)| op(USAGE, key, Some(value))));
        ops.extend(old.iter().map(|key| op(USAGE, key, None)));
        state.apply(upto, &ops)?;
        if !self.writes.is_empty() {
            self.pruned = Some(self.day);
        }
        self.changes.clear();
        self.deltas.clear();
        self.writes.clear();
        Ok(())
    }

    /// Keys of days that are no longer kept; looked for once a day, when something is written.
    fn usage_to_prune(&self, state: &dyn State) -> Result<Vec<Vec<u8>>, StateError> {
        let mut old = Vec::new();
        if self.writes.is_empty() || self.pruned == Some(self.day) {
            return Ok(old);
        }
        let oldest_kept = usage_key(Day(self.day.0.saturating_sub(USAGE_DAYS)), "");
        state.scan(USAGE, b"", &mut |key, _| {
            if key >= oldest_kept.as_slice() {
                return ControlFlow::Break(());
            }
            old.push(key.to_vec());
            ControlFlow::Continue(())
        })?;
        Ok(old)
    }
}

/// The key of a package's count in [`OWN_RECORDS`].
pub(crate) fn own_records_key(name: &RangeName) -> Vec<u8> {
    [&name.number().to_be_bytes(), name.prefix()].concat()
}

fn usage_key(day: Day, principal: &str) -> Vec<u8> {
    [&day.0.to_be_bytes(), principal.as_bytes()].concat()
}

fn op<'a>(tree: Tree, key: &'a [u8], value: Option<&'a [u8]>) -> StateOp<'a> {
    match value {
        Some(value) => StateOp::Put { tree, key, value },
        None => StateOp::Remove { tree, key },
    }
}

/// A count as it is stored; a value of another length counts as nothing.
pub(crate) fn read_count(value: &[u8]) -> u64 {
    value.try_into().map_or(0, u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::position_body;
    use crate::prefixes::HomeName;
    use crate::reserved::HOME_BODY;
    use waymark_store::{MemoryStore, Store as _};

    fn count(state: &dyn State, prefix: &[u8]) -> u64 {
        state.get(RECORDS, prefix).unwrap().map_or(0, |value| read_count(&value))
    }

    #[test]
    fn counts_live_records_by_prefix() {
        let store = MemoryStore::for_tests();
        let mut projector = Projector::default();
        projector.note(EntryKind::PUT, Serial(1), Serial::NONE, b"88.1/A", b"");
        projector.note(EntryKind::PUT, Serial(2), Serial::NONE, b"88.1/B", b"");
        projector.note(EntryKind::PUT, Serial(3), Serial(1), b"88.1/A", b"");
        projector.note(EntryKind::PUT, Serial(4), Serial::NONE, b"88.2/A", b"");
        projector.apply(store.state(), Serial(4)).unwrap();
        assert_eq!((count(store.state(), b"88.1"), count(store.state(), b"88.2")), (2, 1));
        projector.note(EntryKind::DELETE, Serial(5), Serial(3), b"88.1/A", b"");
        projector.note(EntryKind::DELETE, Serial(6), Serial(4), b"88.2/A", b"");
        projector.apply(store.state(), Serial(6)).unwrap();
        assert_eq!((count(store.state(), b"88.1"), count(store.state(), b"88.2")), (1, 0));
        assert_eq!(store.state().get(RECORDS, b"88.2").unwrap(), None);
        assert_eq!(store.state().applied(), Serial(6));
    }

    #[test]
    fn keeps_homed_prefixes_and_the_last_mark() {
        let store = MemoryStore::for_tests();
        let home = ReservedKey::Home(HomeName::parse(b"88.1").unwrap()).to_bytes();
        let mark = ReservedKey::Mark([5; 16]).to_bytes();
        let mut projector = Projector::default();
        projector.note(EntryKind::PUT, Serial(1), Serial::NONE, &home, HOME_BODY);
        projector.note(EntryKind::PUT, Serial(2), Serial::NONE, &mark, &position_body(10));
        projector.note(EntryKind::PUT, Serial(3), Serial(2), &mark, &position_body(20));
        projector.apply(store.state(), Serial(3)).unwrap();
        assert_eq!(store.state().get(HOMED, b"P88.1").unwrap(), Some(1_u64.to_be_bytes().to_vec()));
        assert_eq!(store.state().get(MARKS, &[5; 16]).unwrap(), Some(20_u64.to_be_bytes().to_vec()));
        projector.note(EntryKind::DELETE, Serial(4), Serial(1), &home, b"");
        projector.apply(store.state(), Serial(4)).unwrap();
        assert_eq!(store.state().get(HOMED, b"P88.1").unwrap(), None);
    }

    #[test]
    fn what_could_not_be_applied_is_applied_with_the_next() {
        let store = MemoryStore::for_tests();
        let mut projector = Projector::default();
        projector.note(EntryKind::PUT, Serial(9), Serial::NONE, b"88.1/A", b"");
        projector.apply(store.state(), Serial(9)).unwrap();
        projector.note(EntryKind::PUT, Serial(10), Serial::NONE, b"88.1/B", b"");
        assert!(projector.apply(store.state(), Serial(8)).is_err(), "backwards");
        assert_eq!(count(store.state(), b"88.1"), 1);
        projector.apply(store.state(), Serial(10)).unwrap();
        assert_eq!(count(store.state(), b"88.1"), 2);
    }

    /// The usage tree, in order.
    fn usage(state: &dyn State) -> Vec<(u32, String, u64)> {
        let mut all = Vec::new();
        state
            .scan(USAGE, b"", &mut |key, value| {
                let (day, name) = key.split_first_chunk().unwrap();
                all.push((u32::from_be_bytes(*day), String::from_utf8(name.to_vec()).unwrap(), read_count(value)));
                ControlFlow::Continue(())
            })
            .unwrap();
        all
    }

    #[test]
    fn adds_up_writes_by_day_and_principal() {
        let store = MemoryStore::for_tests();
        let mut projector = Projector::default();
        for serial in 1..=2 {
            for (actor, day) in [("acme", 100), ("acme", 100), ("other", 101)] {
                projector.note_writes(Day(day), actor, 1);
            }
            projector.apply(store.state(), Serial(serial)).unwrap();
        }
        assert_eq!(usage(store.state()), [(100, "acme".to_owned(), 4), (101, "other".to_owned(), 2)]);
    }

    #[test]
    fn days_of_usage_go_when_they_are_too_old() {
        let store = MemoryStore::for_tests();
        let mut projector = Projector::default();
        let write = |projector: &mut Projector, day: u32| {
            projector.note_writes(Day(day), "acme", 1);
            projector.apply(store.state(), Serial(u64::from(day))).unwrap();
        };
        for day in [100, 101, 100 + USAGE_DAYS] {
            write(&mut projector, day);
        }
        assert_eq!(usage(store.state()).len(), 3);
        write(&mut projector, 101 + USAGE_DAYS);
        let days: Vec<u32> = usage(store.state()).into_iter().map(|(day, ..)| day).collect();
        assert_eq!(days, [101, 100 + USAGE_DAYS, 101 + USAGE_DAYS]);
        write(&mut Projector::default(), 200 + USAGE_DAYS);
        assert_eq!(usage(store.state()).len(), 1, "after a start too");
    }
}
