//! Parts that enterprises with nodes of their own report: kept like the node's, each with who reported it, and how far each of them has come.
//!
//! A part and how far its owner has come are one group of the store: after a kill either both are there or neither is, and the owner, who was not told
//! that it is taken, sends it again.

use std::fs;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use waymark_catalog::Timestamp;
use waymark_store::{EntryKind, Group, Serial};

use super::stored::{State, part_key, put, told_key};
use super::{Outbox, OutboxError, Part, PartState, draft};
use crate::config::COLLECTED_PART_BYTES;
use crate::sets::SetName;

/// How far an owner has come with a set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The owner's own sequence up to which parts were taken or refused; 0 before the first.
    pub sequence: u64,
    /// The last period all of whose parts were taken; empty before the first.
    pub period: String,
    /// The telling that is not whole yet.
    pub open: Option<Open>,
    /// When a part was taken last, in milliseconds since 1970; 0 before the first.
    pub taken: u64,
    /// Parts refused.
    pub refused: u64,
    /// What was wrong with the last part, if that was refused.
    pub problem: String,
}

/// A telling of which parts have come, and not all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// What it is about.
    pub period: String,
    /// How many parts it has.
    pub parts: u32,
    /// The part that comes next.
    pub next: u32,
}

/// A part that was reported, checked.
#[derive(Clone, Copy, Debug)]
pub struct Collected<'p> {
    /// Of which set.
    pub set: SetName,
    /// Whose, by the prefix, folded.
    pub owner: &'p str,
    /// The owner's own sequence of it.
    pub origin: u64,
    /// What its rows are about.
    pub period: &'p str,
    /// Its place among the parts of the period, and how many there are.
    pub place: (u32, u32),
    /// Rows.
    pub rows: u64,
    /// The rows.
    pub content: &'p [u8],
}

impl Outbox {
    /// How far an owner has come with a set.
    #[must_use]
    pub fn told(&self, set: SetName, owner: &str) -> Told {
        self.lock().told.get(&(set, owner.to_owned())).cloned().unwrap_or_default()
    }

    /// How far every owner has come with each set of which something came.
    #[must_use]
    pub fn all_told(&self) -> Vec<(SetName, String, Told)> {
        self.lock().told.iter().map(|((set, owner), told)| (*set, owner.clone(), told.clone())).collect()
    }

    /// Looks through the parts of an owner's set that are kept, newest first.
    pub fn look_through<R>(
        &self,
        set: SetName,
        owner: &str,
        look: impl FnOnce(&mut dyn Iterator<Item = &Part>) -> R,
    ) -> R {
        let state = self.lock();
        let keys = state.of_owner.get(owner).into_iter().flat_map(|keys| keys.range(all_of(set)).rev());
        look(&mut keys.filter_map(|key| state.parts.get(key)))
    }

    /// Makes room for another part of an owner, of whose parts so many bytes may be kept; tells whether there is any. What was settled makes way, oldest
    /// first.
    ///
    /// # Errors
    /// Nothing was removed.
    pub fn make_room(&self, owner: &str, most_bytes: u64, now: Timestamp) -> Result<bool, OutboxError> {
        let mut state = self.lock();
        let parts: Vec<&Part> =
            state.of_owner.get(owner).into_iter().flatten().filter_map(|key| state.parts.get(key)).collect();
        let mut kept: u64 = parts.iter().map(|part| weight(part.bytes)).sum();
        let is_settled = |part: &&&Part| {
            matches!(part.state, PartState::Acknowledged | PartState::Marked)
                && part.sequence < state.last_sequence(part.set)
        };
        let mut settled: Vec<&&Part> = parts.iter().filter(is_settled).collect();
        settled.sort_by_key(|part| part.made);
        let mut gone = Vec::new();
        for part in settled {
            if kept < most_bytes {
                break;
            }
            kept = kept.saturating_sub(weight(part.bytes));
            gone.push((part.set, part.sequence));
        }
        self.remove(&mut state, &gone, now)?;
        Ok(kept < most_bytes)
    }

    /// Keeps a part, and how far its owner has come with it, as one step that is durable on return.
    ///
    /// # Errors
    /// Nothing of it is there.
    pub fn collect(&self, part: Collected<'_>, told: Told, now: Timestamp) -> Result<(), OutboxError> {
        let Collected { set, owner, origin, period, place, rows, content } = part;
        let mut draft = self.draft(set);
        draft.take_part(content, rows).map_err(|source| self.io(source))?;
        let finished = draft.end().map_err(|source| self.io(source))?;
        let mut state = self.lock();
        let sequence = state.last_sequence(set) + 1;
        finished.name(sequence).map_err(|source| self.io(source))?;
        let written = finished.written.into_iter().next();
        let (sha256, crc32c) = written.map(|written| (written.sha256, written.crc32c)).unzip();
        let part = Part {
            set,
            sequence,
            period: period.to_owned(),
            part: place.0,
            parts: place.1,
            rows,
            bytes: content.len() as u64,
            sha256: sha256.unwrap_or_default(),
            crc32c,
            made: now.0,
            state: PartState::Waiting,
            attempts: 0,
            tried: 0,
            problem: String::new(),
            owner: owner.to_owned(),
            origin,
            by: String::new(),
            settled: 0,
        };
        let mut group = Group::new();
        put(&mut group, &part_key(set, sequence), &part)?;
        put(&mut group, &told_key(set, owner), &told)?;
        self.store.commit(now, &group)?;
        state.insert(part);
        state.told.insert((set, owner.to_owned()), told);
        Ok(())
    }

    /// Notes how far an owner has come without a part that is kept: it was refused, or was there before.
    ///
    /// # Errors
    /// It is as it was.
    pub fn note_told(&self, set: SetName, owner: &str, told: Told, now: Timestamp) -> Result<(), OutboxError> {
        let mut state = self.lock();
        let mut group = Group::new();
        put(&mut group, &told_key(set, owner), &told)?;
        self.store.commit(now, &group)?;
        state.told.insert((set, owner.to_owned()), told);
        Ok(())
    }

    /// Removes parts for good.
    pub(super) fn remove(&self, state: &mut State, gone: &[(SetName, u64)], now: Timestamp) -> Result<(), OutboxError> {
        if gone.is_empty() {
            return Ok(());
        }
        let mut group = Group::new();
        for (set, sequence) in gone {
            group.push(EntryKind::DELETE, &part_key(*set, *sequence), b"", Serial::NONE, b"")?;
        }
        self.store.commit(now, &group)?;
        for key in gone {
            state.remove(*key);
            // A file that stays is swept at the next start.
            let _gone = fs::remove_file(draft::path(&self.folder, key.0, key.1));
        }
        Ok(())
    }
}

/// The keys of all parts of a set.
const fn all_of(set: SetName) -> RangeInclusive<(SetName, u64)> {
    (set, 0)..=(set, u64::MAX)
}

/// What a part counts: small ones cost memory and a file too.
fn weight(bytes: u64) -> u64 {
    bytes.max(COLLECTED_PART_BYTES)
}
