//! What is kept in the store's small state: homed prefixes, marks, and how many records each prefix has.
//!
//! The state is fed from the log, by the writer after it acknowledged, or at start from where the state is. It lags at most
//! by what is not fed yet, is never asked for a decision, and can be made anew from the log at any time.
//!
//! | tree | key | value |
//! |---|---|---|
//! | 1 homed | the reserved key's bytes from the third on | u64 serial, big-endian |
//! | 2 marks | 16 bytes stream | u64 position, big-endian |
//! | 3 records | prefix, folded | u64 number of live records, big-endian |

use std::collections::HashMap;

use waymark_store::{EntryKind, Serial, State, StateError, StateOp, Tree};

use crate::mark::Mark;
use crate::prefixes::prefix_of_key;
use crate::reserved::{ReservedKey, is_reserved};

/// Homed prefixes and markers.
pub(crate) const HOMED: Tree = Tree(1);
/// Progress of streams.
pub(crate) const MARKS: Tree = Tree(2);
/// Live records of each prefix.
pub(crate) const RECORDS: Tree = Tree(3);

/// Gathers what entries mean for the state, until they are applied together.
#[derive(Default)]
pub(crate) struct Projector {
    changes: HashMap<(Tree, Vec<u8>), Option<[u8; 8]>>,
    /// Records more or fewer, by prefix.
    deltas: HashMap<Vec<u8>, i64>,
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
        match self.deltas.get_mut(prefix_of_key(key)) {
            Some(count) => *count += delta,
            None => {
                self.deltas.insert(prefix_of_key(key).to_vec(), delta);
            }
        }
    }

    fn note_reserved(&mut self, kind: EntryKind, serial: Serial, key: &[u8], body: &[u8]) {
        match ReservedKey::parse(key) {
            Some(ReservedKey::Home(_)) => {
                let value = (kind == EntryKind::PUT).then(|| serial.0.to_be_bytes());
                self.changes.insert((HOMED, key.get(2..).unwrap_or_default().to_vec()), value);
            }
            Some(ReservedKey::Mark(stream)) => {
                let value = Mark::parse(body).ok().map(|mark| mark.position().to_be_bytes());
                self.changes.insert((MARKS, stream.to_vec()), value);
            }
            Some(ReservedKey::CaseRule | ReservedKey::Principal(_) | ReservedKey::Token(_) | ReservedKey::Audit)
            | None => {}
        }
    }

    /// Applies what was noted as one step and forgets it. After an error it is all still there, and the next call tries
    /// again.
    ///
    /// # Errors
    /// What the state says.
    pub(crate) fn apply(&mut self, state: &dyn State, upto: Serial) -> Result<(), StateError> {
        let mut counts = Vec::with_capacity(self.deltas.len());
        for (prefix, delta) in &self.deltas {
            let count = state.get(RECORDS, prefix)?.map_or(0, |value| read_count(&value)).saturating_add_signed(*delta);
            counts.push((prefix, (count > 0).then(|| count.to_be_bytes())));
        }
        let mut ops: Vec<StateOp<'_>> = Vec::with_capacity(self.changes.len() + counts.len());
        ops.extend(self.changes.iter().map(|((tree, key), value)| op(*tree, key, value.as_ref())));
        ops.extend(counts.iter().map(|(prefix, value)| op(RECORDS, prefix, value.as_ref())));
        state.apply(upto, &ops)?;
        self.changes.clear();
        self.deltas.clear();
        Ok(())
    }
}

fn op<'a>(tree: Tree, key: &'a [u8], value: Option<&'a [u8; 8]>) -> StateOp<'a> {
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
}
