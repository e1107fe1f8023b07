//! The entries of one group against what its notes say of them.

use std::collections::{HashMap, HashSet};

use sha2::{Digest as _, Sha256};
use waymark_store::{Entry, EntryKind, Serial, Timestamp};

use crate::audit::hash::{Digest, EntriesHasher, HashedEntry};
use crate::audit::item::{Deed, Item};
use crate::audit::note::NoteHead;
use crate::record::Stored;
use crate::reserved::{ReservedKey, is_reserved};
use crate::values::ContentHash;

use super::problem::{Problem, Wrong};

/// An entry that waits for its note.
pub(super) struct Pending {
    serial: Serial,
    time: Timestamp,
    kind: EntryKind,
    previous: Serial,
    actor: Vec<u8>,
    key: Vec<u8>,
    body: Vec<u8>,
}

impl From<&Entry<'_>> for Pending {
    fn from(entry: &Entry<'_>) -> Self {
        let Entry { serial, time, kind, previous, actor, key, body, .. } = *entry;
        Self { serial, time, kind, previous, actor: actor.to_vec(), key: key.to_vec(), body: body.to_vec() }
    }
}

impl Pending {
    pub(super) const fn serial(&self) -> Serial {
        self.serial
    }

    /// What it takes in memory, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.actor.len() + self.key.len() + self.body.len() + size_of::<Self>()
    }

    fn hashed(&self) -> HashedEntry<'_> {
        let Self { serial, kind, previous, actor, key, body, .. } = self;
        HashedEntry { kind: *kind, serial: *serial, previous: *previous, actor, key, body, content: None }
    }

    /// What an item says of it as content after; `None` where it says nothing.
    fn content(&self) -> Option<Digest> {
        if self.kind != EntryKind::PUT {
            return None;
        }
        if is_reserved(&self.key) {
            let said = !matches!(ReservedKey::parse(&self.key), Some(ReservedKey::Home(_)));
            return said.then(|| Digest(Sha256::digest(&self.body).into()));
        }
        // What cannot be read has a content that is nobody's.
        let values = Stored::parse(&self.body).ok().and_then(|stored| stored.values().ok());
        Some(values.map_or_else(Digest::default, |values| Digest(ContentHash::of(values).0)))
    }
}

/// A group whose notes are being read.
pub(super) struct Group {
    head: NoteHead,
    entries: HashMap<Serial, Pending>,
    told: HashSet<Serial>,
    /// Items are gone or cannot be read, so it cannot be said what they do not tell.
    mute: bool,
}

impl Group {
    /// Takes the entries the first note of a group says it covers, and holds them against its hash.
    pub(super) fn open(head: NoteHead, entries: Vec<Pending>, problems: &mut Vec<Problem>) -> Self {
        let mut hasher = EntriesHasher::new(head.algorithm);
        entries.iter().for_each(|entry| hasher.update(entry.hashed()));
        if hasher.finish() != head.entries_hash {
            problems.push(Problem { note: head.number, serial: head.first(), what: Wrong::Entries });
        }
        if let Some(wrong) = entries.iter().find(|entry| entry.time != head.time) {
            problems.push(Problem { note: head.number, serial: wrong.serial, what: Wrong::Time });
        }
        let entries = entries.into_iter().map(|entry| (entry.serial, entry)).collect();
        Self { head, entries, told: HashSet::new(), mute: false }
    }

    /// Tells whether a note is a further one of this group.
    pub(super) fn goes_on_with(&self, head: &NoteHead) -> bool {
        head.part > 0 && head.first() == self.head.first() && head.entries_hash == self.head.entries_hash
    }

    /// What items do not tell is not known.
    pub(super) const fn mute(&mut self) {
        self.mute = true;
    }

    /// Holds the items of a note against the entries.
    pub(super) fn check_items(&mut self, note: u64, items: &[Item], problems: &mut Vec<Problem>) {
        for item in items {
            let Deed::Done { serial, after, .. } = &item.deed else { continue };
            let what = match self.entries.get(serial) {
                None => Some(Wrong::NoEntry { key: item.key.clone() }),
                Some(entry) if entry.content() != *after => Some(Wrong::Content { key: entry.key.clone() }),
                Some(_) => None,
            };
            self.told.insert(*serial);
            problems.extend(what.map(|what| Problem { note, serial: *serial, what }));
        }
    }

    /// All notes of the group were seen: every change of a record must have been told of.
    pub(super) fn close(self, problems: &mut Vec<Problem>) {
        if self.mute {
            return;
        }
        let Self { head, entries, told, .. } = self;
        let mut untold: Vec<_> = entries
            .into_values()
            .filter(|entry| entry.kind.is_of_key() && !is_reserved(&entry.key) && !told.contains(&entry.serial))
            .map(|entry| Problem { note: head.number, serial: entry.serial, what: Wrong::NoItem { key: entry.key } })
            .collect();
        untold.sort_by_key(|problem| problem.serial);
        problems.append(&mut untold);
    }
}
