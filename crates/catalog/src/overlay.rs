//! What the writer knows while it forms a group: the records its commands touch, as of the last command decided.

use std::collections::HashMap;

use waymark_store::{EntryKind, Place, Serial};

use crate::decide::{Current, Version};
use crate::link::Link;
use crate::link::index::links_in;
use crate::locate::{Located, Locator};
use crate::record::Stored;
use crate::values::ContentHash;

/// The records of a group, by canonical key. What is durable is loaded before anything is decided; what the group
/// changes is put over it, so that a later command of the group sees it.
#[derive(Default)]
pub(crate) struct Overlay {
    keys: HashMap<Vec<u8>, KeyState>,
    /// Content of the records that entries of the group replaced, by number of the entry.
    replaced: HashMap<usize, ContentHash>,
    /// Links of those records, where they held some.
    replaced_links: HashMap<usize, Vec<Link>>,
    /// Bytes of the records that were loaded.
    loaded_bytes: usize,
}

/// One key.
struct KeyState {
    /// Where the index leads to until the group is published.
    published: Option<Place>,
    held: Held,
    /// The group's entry that made it so.
    entry: Option<usize>,
}

enum Held {
    /// No record; serial of its deletion, none when there never was one.
    Absent(Serial),
    Unreadable,
    Live(Version),
}

impl Held {
    fn links(&self) -> Vec<Link> {
        if let Self::Live(version) = self { links_in(&version.body) } else { Vec::new() }
    }

    fn content(&self) -> Option<ContentHash> {
        let Self::Live(version) = self else { return None };
        Some(ContentHash::of(Stored::parse(&version.body).ok()?.values().ok()?))
    }
}

/// What publishing does to one key.
pub(crate) enum Publication<'a> {
    /// The record is new or replaces the one at a place; entry number of the group, stored form.
    Put { key: &'a [u8], entry: usize, body: &'a [u8], replaces: Option<Place> },
    /// The record is gone; the index may lead to it still.
    Remove { key: &'a [u8], place: Option<Place> },
}

impl Overlay {
    /// Makes sure that `key` is known, reading the disk when the index has it. A record that cannot be read is known as
    /// unreadable: nothing is decided about it.
    pub(crate) fn load(&mut self, key: &[u8], locator: &mut Locator) {
        if self.keys.contains_key(key) {
            return;
        }
        let (published, held) = match locator.find(key) {
            Ok(None) => (None, locator.deletion(key).map_or(Held::Unreadable, Held::Absent)),
            Ok(Some(Located { place, serial, time, body })) => {
                self.loaded_bytes += body.len();
                (Some(place), Held::Live(Version { serial, time, body }))
            }
            Err(_) => (None, Held::Unreadable),
        };
        self.keys.insert(key.to_vec(), KeyState { published, held, entry: None });
    }

    /// What is known about `key`; unreadable when it was never loaded.
    pub(crate) fn current(&self, key: &[u8]) -> Current<'_> {
        match self.keys.get(key).map(|state| &state.held) {
            Some(Held::Absent(_)) => Current::Absent,
            Some(Held::Live(version)) => Current::Live(version),
            Some(Held::Unreadable) | None => Current::Unreadable,
        }
    }

    /// The keys that are known to have a record.
    pub(crate) fn live_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().filter(|(_, state)| matches!(state.held, Held::Live(_))).map(|(key, _)| &key[..])
    }

    /// Whether a key is known to have no record.
    pub(crate) fn is_deleted(&self, key: &[u8]) -> bool {
        self.keys.get(key).is_some_and(|state| matches!(state.held, Held::Absent(_)))
    }

    /// Bytes of the record as it stands; 0 when there is none.
    pub(crate) fn body_bytes(&self, key: &[u8]) -> usize {
        match self.current(key) {
            Current::Live(version) => version.body.len(),
            Current::Absent | Current::Unreadable => 0,
        }
    }

    /// Bytes of all records that were loaded, those the group has changed since included.
    pub(crate) const fn loaded_bytes(&self) -> usize {
        self.loaded_bytes
    }

    /// The last entry of `key`.
    pub(crate) fn previous(&self, key: &[u8]) -> Previous {
        match self.keys.get(key).map(|state| &state.held) {
            Some(Held::Live(version)) => version.serial.into(),
            Some(Held::Absent(serial)) => Previous { serial: *serial, is_deletion: serial.is_some() },
            Some(Held::Unreadable) | None => Serial::NONE.into(),
        }
    }

    /// Notes that entry number `entry` of the group wrote `version`.
    pub(crate) fn change(&mut self, key: &[u8], entry: usize, version: Version) {
        self.hold(key, entry, Held::Live(version));
    }

    /// Notes that entry number `entry` of the group, with this serial, deleted the record.
    pub(crate) fn delete(&mut self, key: &[u8], entry: usize, serial: Serial) {
        self.hold(key, entry, Held::Absent(serial));
    }

    fn hold(&mut self, key: &[u8], entry: usize, held: Held) {
        if let Some(state) = self.keys.get_mut(key) {
            let former = std::mem::replace(&mut state.held, held);
            state.entry = Some(entry);
            if let Some(content) = former.content() {
                self.replaced.insert(entry, content);
            }
            let links = former.links();
            if !links.is_empty() {
                self.replaced_links.insert(entry, links);
            }
        }
    }

    /// Content of the record that entry number `entry` of the group replaced or deleted.
    pub(crate) fn replaced(&self, entry: usize) -> Option<ContentHash> {
        self.replaced.get(&entry).copied()
    }

    /// Links of the record that entry number `entry` of the group replaced or deleted.
    pub(crate) fn replaced_links(&self, entry: usize) -> &[Link] {
        self.replaced_links.get(&entry).map_or(&[], |links| links)
    }

    /// What has to be published, once per changed key, in no order.
    pub(crate) fn publications(&self) -> impl Iterator<Item = Publication<'_>> {
        self.keys.iter().filter_map(|(key, state)| match (&state.held, state.entry, state.published) {
            (Held::Live(version), Some(entry), replaces) => {
                Some(Publication::Put { key, entry, body: &version.body, replaces })
            }
            (Held::Absent(_), Some(_), place) => Some(Publication::Remove { key, place }),
            _ => None,
        })
    }
}

/// One entry of a group being formed.
pub(crate) struct Draft {
    /// What it does.
    pub(crate) kind: EntryKind,
    /// Its key.
    pub(crate) key: Vec<u8>,
    /// The key's entry before it.
    pub(crate) previous: Previous,
    /// Its body; empty for a deletion.
    pub(crate) body: Vec<u8>,
    /// What is stored for it, where that is another form.
    pub(crate) narrow: Option<Vec<u8>>,
}

/// The entry of a key before another.
#[derive(Clone, Copy)]
pub(crate) struct Previous {
    /// Its serial; none when there is none.
    pub(crate) serial: Serial,
    /// It is a deletion, so that nothing is replaced.
    pub(crate) is_deletion: bool,
}

impl Previous {
    /// Serial of the live entry that is replaced; none when there is none.
    pub(crate) const fn replaced(self) -> Serial {
        if self.is_deletion { Serial::NONE } else { self.serial }
    }
}

impl From<Serial> for Previous {
    /// A live entry, or none.
    fn from(serial: Serial) -> Self {
        Self { serial, is_deletion: false }
    }
}
