//! The outbox as it lies in its store, and in memory.
//!
//! ```text
//! key  p/SET/sequence(8)      body  a Part as JSON
//! key  c/SET                  body  a Cursor as JSON
//! key  s/SET                  body  empty: the set is paused
//! key  n/prefix               body  number of identifiers, 8 bytes
//! key  o/SET/prefix           body  how far an owner has come, a Told as JSON
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use serde::Serialize;
use waymark_store::{EntryKind, Group, Serial, Store};

use super::{Cursor, OutboxError, Part, Told};
use crate::sets::SetName;

/// Everything the outbox knows.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) parts: BTreeMap<(SetName, u64), Part>,
    pub(super) cursors: BTreeMap<SetName, Cursor>,
    pub(super) paused: BTreeSet<SetName>,
    pub(super) totals: BTreeMap<Box<[u8]>, u64>,
    /// How far each owner has come with a set.
    pub(super) told: BTreeMap<(SetName, String), Told>,
    /// The parts of each owner.
    pub(super) of_owner: BTreeMap<String, BTreeSet<(SetName, u64)>>,
}

impl State {
    /// The parts of a set, by sequence.
    pub(super) fn of(&self, set: SetName) -> impl DoubleEndedIterator<Item = &Part> {
        self.parts.range((set, 0)..=(set, u64::MAX)).map(|(_, part)| part)
    }

    /// Adds a part.
    pub(super) fn insert(&mut self, part: Part) {
        let key = (part.set, part.sequence);
        if !part.owner.is_empty() {
            self.of_owner.entry(part.owner.clone()).or_default().insert(key);
        }
        self.parts.insert(key, part);
    }

    /// Takes a part away.
    pub(super) fn remove(&mut self, key: (SetName, u64)) {
        let Some(part) = self.parts.remove(&key) else { return };
        if let Some(keys) = self.of_owner.get_mut(&part.owner) {
            keys.remove(&key);
        }
    }

    /// The last sequence given; 0 before the first.
    pub(super) fn last_sequence(&self, set: SetName) -> u64 {
        self.of(set).next_back().map_or(0, |part| part.sequence)
    }
}

pub(super) fn part_key(set: SetName, sequence: u64) -> Vec<u8> {
    [b"p/", set.as_str().as_bytes(), b"/", &sequence.to_be_bytes()].concat()
}

pub(super) fn cursor_key(set: SetName) -> Vec<u8> {
    [b"c/", set.as_str().as_bytes()].concat()
}

pub(super) fn pause_key(set: SetName) -> Vec<u8> {
    [b"s/", set.as_str().as_bytes()].concat()
}

pub(super) fn told_key(set: SetName, owner: &str) -> Vec<u8> {
    [b"o/", set.as_str().as_bytes(), b"/", owner.as_bytes()].concat()
}

pub(super) fn total_key(prefix: &[u8]) -> Vec<u8> {
    [b"n/", prefix].concat()
}

/// Adds an entry to a group.
pub(super) fn put(group: &mut Group, key: &[u8], body: &impl Serialize) -> Result<(), OutboxError> {
    let unwritable = |_| OutboxError::Entry { key: key.escape_ascii().to_string() };
    let body = serde_json::to_vec(body).map_err(unwritable)?;
    Ok(group.push(EntryKind::PUT, key, b"", Serial::NONE, &body)?)
}

/// Reads everything.
pub(super) fn load(store: &dyn Store) -> Result<State, OutboxError> {
    let mut state = State::default();
    let mut problem = None;
    store.scan_keys(b"", b"", &mut |met| {
        let (key, taken) = match met {
            Ok(entry) => (entry.key, take_in(&mut state, entry.key, entry.body)),
            Err(damaged) => (damaged.key, None),
        };
        if taken.is_none() {
            problem = Some(OutboxError::Entry { key: key.escape_ascii().to_string() });
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    problem.map_or(Ok(state), Err)
}

fn take_in(state: &mut State, key: &[u8], body: &[u8]) -> Option<()> {
    let (kind, name) = key.split_at_checked(2)?;
    let set = |name: &[u8]| std::str::from_utf8(name).ok()?.parse::<SetName>().ok();
    match kind {
        b"p/" => {
            state.insert(serde_json::from_slice(body).ok()?);
        }
        b"c/" => {
            state.cursors.insert(set(name)?, serde_json::from_slice(body).ok()?);
        }
        b"s/" => {
            state.paused.insert(set(name)?);
        }
        b"o/" => {
            let (set, owner) = std::str::from_utf8(name).ok()?.split_once('/')?;
            state.told.insert((set.parse().ok()?, owner.to_owned()), serde_json::from_slice(body).ok()?);
        }
        b"n/" => {
            state.totals.insert(name.into(), u64::from_be_bytes(body.try_into().ok()?));
        }
        _ => return None,
    }
    Some(())
}
