//! Reference: the same store in memory, as plain as can be. Nothing survives it; tests compare the engines with it.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::blobs::Blobs;
use crate::engine::{Engine, KeyVisitor, State, StateOp, Store, Tree, ValueVisitor};
use crate::error::{CommitError, FollowError, ReadError, RedactError, StateError};
use crate::fault::MemoryMedium;
use crate::folder::Identity;
use crate::redact::{Redacted, Replace, padded};
use crate::types::{
    Committed, Entry, EntryKind, Group, Health, KeyRecord, Place, Position, Serial, Statistics, Timestamp,
};

/// A store in memory.
#[derive(Debug)]
pub struct MemoryStore {
    identity: Identity,
    inner: RwLock<Inner>,
    state: MemoryState,
    blobs: Blobs,
}

#[derive(Debug, Default)]
struct Inner {
    entries: Vec<Arc<Stored>>,
    latest: BTreeMap<Vec<u8>, Serial>,
    time: Timestamp,
    closed: bool,
}

#[derive(Clone, Debug)]
struct Stored {
    kind: EntryKind,
    time: Timestamp,
    previous: Serial,
    actor: Vec<u8>,
    key: Vec<u8>,
    body: Vec<u8>,
}

impl Stored {
    fn entry(&self, serial: Serial) -> Entry<'_> {
        Entry {
            serial,
            time: self.time,
            kind: self.kind,
            place: Place(serial.0),
            previous: self.previous,
            actor: &self.actor,
            key: &self.key,
            body: &self.body,
        }
    }

    /// The entry with its bytes in `buffer`.
    fn copied<'b>(&self, serial: Serial, buffer: &'b mut Vec<u8>) -> Entry<'b> {
        buffer.clear();
        for part in [&self.actor, &self.key, &self.body] {
            buffer.extend_from_slice(part);
        }
        let (actor, rest) = buffer.split_at(self.actor.len());
        let (key, body) = rest.split_at(self.key.len());
        Entry { actor, key, body, ..self.entry(serial) }
    }
}

impl Inner {
    fn get(&self, serial: Serial) -> Option<Arc<Stored>> {
        let index = usize::try_from(serial.0.checked_sub(1)?).ok()?;
        self.entries.get(index).cloned()
    }

    fn last(&self) -> Serial {
        Serial(crate::bytes::offset(self.entries.len()))
    }
}

impl MemoryStore {
    /// An empty store with the given identity.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        let blobs = Blobs::new(Arc::new(MemoryMedium::new()), PathBuf::from("blobs"), identity.store_id);
        Self { identity, inner: RwLock::default(), state: MemoryState::default(), blobs }
    }

    /// An empty store with fixed, public identity bytes, for tests.
    #[must_use]
    pub fn for_tests() -> Self {
        Self::new(Identity { store_id: [7; 16], hash_key: [9; 16], created: Timestamp(0), engine: Engine::Log })
    }

    /// Latest entry of each key after `after` that begins with `prefix`, copied out so that visitors may use the store.
    fn latest(&self, after: &[u8], prefix: &[u8]) -> Vec<(Vec<u8>, Serial, Arc<Stored>)> {
        let inner = self.read_inner();
        let from = if after.is_empty() { Bound::Unbounded } else { Bound::Excluded(after) };
        let chosen = inner.latest.range::<[u8], _>((from, Bound::Unbounded));
        let chosen = chosen.filter(|(key, _)| key.starts_with(prefix));
        chosen.filter_map(|(key, serial)| Some((key.clone(), *serial, inner.get(*serial)?))).collect()
    }

    fn read_inner(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn commit(&self, now: Timestamp, group: &Group) -> Result<Committed, CommitError> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if inner.closed {
            return Err(CommitError::Closed);
        }
        if group.is_empty() {
            return Err(CommitError::EmptyGroup);
        }
        let time = now.max(inner.time).min(Timestamp::MAX);
        let first = inner.last().next();
        let mut places = Vec::with_capacity(group.len());
        for draft in group.entries() {
            let serial = inner.last().next();
            if draft.kind.is_of_key() {
                inner.latest.insert(draft.key.to_vec(), serial);
            }
            inner.entries.push(Arc::new(Stored {
                kind: draft.kind,
                time,
                previous: draft.previous,
                actor: draft.actor.to_vec(),
                key: draft.key.to_vec(),
                body: draft.body.to_vec(),
            }));
            places.push(Place(serial.0));
        }
        inner.time = time;
        Ok(Committed { first, last: inner.last(), places, time })
    }

    fn read<'b>(&self, place: Place, buffer: &'b mut Vec<u8>) -> Result<Entry<'b>, ReadError> {
        let stored = self.read_inner().get(Serial(place.0)).ok_or(ReadError::NoSuchPlace(place))?;
        Ok(stored.copied(Serial(place.0), buffer))
    }

    fn find(&self, key: &[u8]) -> Result<Option<Place>, ReadError> {
        Ok(self.read_inner().latest.get(key).map(|serial| Place(serial.0)))
    }

    fn scan_keys(&self, after: &[u8], prefix: &[u8], visit: &mut KeyVisitor<'_>) -> Result<(), ReadError> {
        for (_, serial, stored) in self.latest(after, prefix) {
            if stored.kind == EntryKind::PUT && visit(Ok(&stored.entry(serial))).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn scan_latest(
        &self,
        since: Serial,
        visit: &mut dyn FnMut(&KeyRecord<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        for (key, serial, stored) in self.latest(&[], &[]) {
            let record = KeyRecord { key: &key, serial, kind: stored.kind, place: Place(serial.0) };
            if serial > since && visit(&record).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn follow(
        &self,
        after: Serial,
        visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<Serial, FollowError> {
        let mut done = after;
        loop {
            // One look at a time, so that the visitor may use the store.
            let Some(stored) = self.read_inner().get(done.next()) else { return Ok(done) };
            done = done.next();
            if visit(&stored.entry(done)).is_break() {
                return Ok(done);
            }
        }
    }

    fn read_serial<'b>(&self, serial: Serial, buffer: &'b mut Vec<u8>) -> Result<Option<Entry<'b>>, FollowError> {
        let stored = self.read_inner().get(serial);
        Ok(stored.map(|stored| stored.copied(serial, buffer)))
    }

    fn serial_at(&self, time: Timestamp) -> Result<Serial, FollowError> {
        let before = self.read_inner().entries.partition_point(|stored| stored.time < time);
        Ok(Serial(crate::bytes::offset(before)).next())
    }

    fn redact(&self, after: Serial, upto: Serial, replace: &mut Replace<'_>) -> Result<Redacted, RedactError> {
        let upto = upto.min(self.last().serial);
        let mut redacted = Redacted { upto: upto.max(after), ..Redacted::default() };
        for serial in (after.0.saturating_add(1)..=upto.0).map(Serial) {
            let Some(stored) = self.read_inner().get(serial).filter(|stored| stored.kind == EntryKind::NOTE) else {
                continue;
            };
            if let Some(body) = replace(&stored.entry(serial)) {
                let body = padded(body, stored.body.len(), serial)?;
                redacted.count(body.len());
                let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
                let index = crate::bytes::memory(serial.0 - 1);
                if let Some(slot) = inner.entries.get_mut(index) {
                    *slot = Arc::new(Stored { body, ..Stored::clone(&stored) });
                }
            }
        }
        Ok(redacted)
    }

    fn last(&self) -> Position {
        let inner = self.read_inner();
        Position { serial: inner.last(), time: inner.time }
    }

    fn state(&self) -> &dyn State {
        &self.state
    }

    fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    fn health(&self) -> Health {
        Health::Writable
    }

    fn statistics(&self) -> Statistics {
        let inner = self.read_inner();
        let bytes = |stored: &Arc<Stored>| {
            crate::format::frame::entry_bytes(stored.actor.len(), stored.key.len(), stored.body.len(), stored.previous)
        };
        Statistics {
            log_bytes: inner.entries.iter().map(|stored| crate::bytes::offset(bytes(stored))).sum(),
            tail_keys: crate::bytes::offset(inner.latest.len()),
            state_bytes: self.state.bytes(),
            state_lag: inner.last().0.saturating_sub(self.state.applied().0),
            ..Statistics::default()
        }
    }

    fn close(&self) -> Result<(), StateError> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner).closed = true;
        Ok(())
    }
}

/// The small state in memory: of [`MemoryStore`], and of a log over a medium that is no disk.
#[derive(Debug, Default)]
pub(crate) struct MemoryState {
    inner: RwLock<StateInner>,
}

#[derive(Debug, Default)]
struct StateInner {
    applied: Serial,
    values: BTreeMap<(Tree, Vec<u8>), Vec<u8>>,
}

impl MemoryState {
    fn read(&self) -> RwLockReadGuard<'_, StateInner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, StateInner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State for MemoryState {
    fn applied(&self) -> Serial {
        self.read().applied
    }

    fn apply(&self, upto: Serial, ops: &[StateOp<'_>]) -> Result<(), StateError> {
        let mut inner = self.write();
        if upto < inner.applied {
            return Err(StateError::Backwards { upto, applied: inner.applied });
        }
        for op in ops {
            match *op {
                StateOp::Put { tree, key, value } => inner.values.insert((tree, key.to_vec()), value.to_vec()),
                StateOp::Remove { tree, key } => inner.values.remove(&(tree, key.to_vec())),
            };
        }
        inner.applied = upto;
        Ok(())
    }

    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.read().values.get(&(tree, key.to_vec())).cloned())
    }

    fn scan_after(
        &self,
        tree: Tree,
        prefix: &[u8],
        after: &[u8],
        visit: &mut ValueVisitor<'_>,
    ) -> Result<(), StateError> {
        let from = if after <= prefix {
            Bound::Included((tree, prefix.to_vec()))
        } else {
            Bound::Excluded((tree, after.to_vec()))
        };
        for ((_, key), value) in self
            .read()
            .values
            .range((from, Bound::Unbounded))
            .take_while(|((found, key), _)| *found == tree && key.starts_with(prefix))
        {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn clear(&self) -> Result<(), StateError> {
        *self.write() = StateInner::default();
        Ok(())
    }

    fn flush(&self) -> Result<(), StateError> {
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.read().values.iter().map(|((_, key), value)| crate::bytes::offset(1 + key.len() + value.len())).sum()
    }
}
