//! The words of this crate: serials, places, times, groups and entries.

use std::fmt;

use crate::config::{MAX_ACTOR_BYTES, MAX_BODY_BYTES, MAX_GROUP_BYTES, MAX_GROUP_ENTRIES, MAX_KEY_BYTES};
use crate::error::{PushError, ReadError};
use crate::format::frame;

/// Number of an entry in the one sequence of a store: 1, 2, 3, ... without holes; 0 means none. At most [`Serial::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(pub u64);

impl Serial {
    /// No entry: before the first one.
    pub const NONE: Self = Self(0);
    /// Largest serial that can be stored (48 bits).
    pub const MAX: Self = Self((1 << 48) - 1);

    /// The serial after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Whether this names an entry.
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.0 != 0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where an entry lies; opaque to everybody but the engine that gave it. Below 2^47, so that an index can keep it beside a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

impl Place {
    /// Places are below this.
    pub const END: u64 = 1 << 47;
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// Milliseconds since the start of 1970, UTC. At most [`Timestamp::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Largest time that can be stored (48 bits, the year 10889); later ones are stored as this.
    pub const MAX: Self = Self((1 << 48) - 1);
}

/// What an entry does to its key. Values 1 to 127.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntryKind(u8);

impl EntryKind {
    /// The key now has this body.
    pub const PUT: Self = Self(1);
    /// The key is gone (a tombstone; its body may say why).
    pub const DELETE: Self = Self(2);
    /// A remark in the sequence: it never changes what a key means and is not in the key runs. Its key may be empty.
    pub const NOTE: Self = Self(3);

    /// A kind by its number; `None` outside 1 to 127.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number == 0 || number > 127 { None } else { Some(Self(number)) }
    }

    /// The number as stored.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Whether entries of this kind say what their key means, and so are found by key.
    #[must_use]
    pub const fn is_of_key(self) -> bool {
        matches!(self, Self::PUT | Self::DELETE)
    }
}

/// Entries to be committed together: all of them or none. Kept by the caller and used again after [`Group::clear`].
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Actor, key and body of each entry, one after the other.
    text: Vec<u8>,
    drafts: Vec<Draft>,
    encoded: usize,
}

/// One entry of a group, its bytes in the group's text.
#[derive(Clone, Copy, Debug)]
struct Draft {
    kind: EntryKind,
    previous: Serial,
    actor_end: usize,
    key_end: usize,
    body_end: usize,
}

/// An entry of a group as the engines see it.
#[derive(Clone, Copy, Debug)]
pub struct DraftEntry<'g> {
    /// What it does to its key.
    pub kind: EntryKind,
    /// Serial of the key's entry before this one, [`Serial::NONE`] for the first.
    pub previous: Serial,
    /// Who did it.
    pub actor: &'g [u8],
    /// The key.
    pub key: &'g [u8],
    /// The body.
    pub body: &'g [u8],
}

impl Group {
    /// An empty group.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one entry. `previous` is the serial of the key's entry before this one, [`Serial::NONE`] when there is none.
    ///
    /// # Errors
    /// A part that is too long, an empty key where one is needed, or a group that has reached its limit: commit it first.
    pub fn push(
        &mut self,
        kind: EntryKind,
        key: &[u8],
        actor: &[u8],
        previous: Serial,
        body: &[u8],
    ) -> Result<(), PushError> {
        if key.is_empty() && kind.is_of_key() {
            return Err(PushError::EmptyKey);
        }
        if key.len() > MAX_KEY_BYTES {
            return Err(PushError::KeyTooLong { bytes: key.len() });
        }
        if actor.len() > MAX_ACTOR_BYTES {
            return Err(PushError::ActorTooLong { bytes: actor.len() });
        }
        if body.len() > MAX_BODY_BYTES {
            return Err(PushError::BodyTooLong { bytes: body.len() });
        }
        let encoded = self.encoded + frame::entry_bytes(actor.len(), key.len(), body.len(), previous);
        if self.drafts.len() >= MAX_GROUP_ENTRIES || encoded + frame::GROUP_OVERHEAD > MAX_GROUP_BYTES {
            return Err(PushError::GroupFull { entries: self.drafts.len(), bytes: self.encoded });
        }
        self.text.extend_from_slice(actor);
        let actor_end = self.text.len();
        self.text.extend_from_slice(key);
        let key_end = self.text.len();
        self.text.extend_from_slice(body);
        self.drafts.push(Draft { kind, previous, actor_end, key_end, body_end: self.text.len() });
        self.encoded = encoded;
        Ok(())
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.drafts.len()
    }

    /// Whether it holds no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    /// Bytes its entries take in the log, without the frame around them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.encoded
    }

    /// Forgets all entries and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.drafts.clear();
        self.encoded = 0;
    }

    /// The entries in order.
    pub fn entries(&self) -> impl Iterator<Item = DraftEntry<'_>> {
        let mut start = 0;
        self.drafts.iter().map(move |draft| {
            let slice = |from: usize, to: usize| self.text.get(from..to).unwrap_or_default();
            let entry = DraftEntry {
                kind: draft.kind,
                previous: draft.previous,
                actor: slice(start, draft.actor_end),
                key: slice(draft.actor_end, draft.key_end),
                body: slice(draft.key_end, draft.body_end),
            };
            start = draft.body_end;
            entry
        })
    }
}

/// What a commit did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Serial of the group's first entry.
    pub first: Serial,
    /// Serial of its last entry.
    pub last: Serial,
    /// Place of each entry, in order.
    pub places: Vec<Place>,
    /// Time stored with all of them: the later of `now` and the last stored time.
    pub time: Timestamp,
}

/// One stored entry; its bytes were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its number.
    pub serial: Serial,
    /// When it was committed.
    pub time: Timestamp,
    /// What it does to its key.
    pub kind: EntryKind,
    /// Where it lies.
    pub place: Place,
    /// Serial of the key's entry before this one.
    pub previous: Serial,
    /// Who did it.
    pub actor: &'a [u8],
    /// The key.
    pub key: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

/// The latest entry of a key, without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRecord<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Serial of its latest entry.
    pub serial: Serial,
    /// [`EntryKind::PUT`] or [`EntryKind::DELETE`].
    pub kind: EntryKind,
    /// Where that entry lies.
    pub place: Place,
}

/// A live key whose latest entry is damaged, which is not handed out.
#[derive(Debug)]
pub struct DamagedKey<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Serial of its latest entry.
    pub serial: Serial,
    /// What is wrong with it.
    pub error: ReadError,
}

/// The end of the sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Serial of the last durable entry, [`Serial::NONE`] in an empty store.
    pub serial: Serial,
    /// Its time.
    pub time: Timestamp,
}

/// Whether the store takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// It does.
    Writable,
    /// The disk was full at the last commit; the next one tries again.
    DiskFull,
    /// A flush failed: nothing is written any more until the store is opened anew.
    Poisoned,
}

impl Health {
    /// Whether a commit has a chance.
    #[must_use]
    pub const fn takes_writes(self) -> bool {
        !matches!(self, Self::Poisoned)
    }
}

/// Sizes and counts for reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes of log in use, the unused ends of full segments included, the room reserved in the newest one not.
    pub log_bytes: u64,
    /// Segment files.
    pub segments: u64,
    /// Sorted key runs.
    pub runs: u64,
    /// Bytes of the key runs.
    pub run_bytes: u64,
    /// Sealed segments whose run is not made yet.
    pub runs_pending: u64,
    /// Times making a run failed since the store was opened; it is tried again.
    pub run_failures: u64,
    /// Keys of the newest segments held in memory.
    pub tail_keys: u64,
    /// Bytes of the small state on disk.
    pub state_bytes: u64,
    /// Serials the small state is behind the log.
    pub state_lag: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_parts_that_are_too_long_and_keeps_the_group_as_it_was() {
        let mut group = Group::new();
        group.push(EntryKind::PUT, b"k", b"a", Serial::NONE, b"b").unwrap();
        let bytes = group.bytes();
        let long_key = vec![0; MAX_KEY_BYTES + 1];
        let long_body = vec![0; MAX_BODY_BYTES + 1];
        let push = |group: &mut Group, key: &[u8], actor: &[u8], body: &[u8]| {
            group.push(EntryKind::DELETE, key, actor, Serial::NONE, body)
        };
        assert_eq!(push(&mut group, b"", b"", b""), Err(PushError::EmptyKey));
        assert_eq!(push(&mut group, &long_key, b"", b""), Err(PushError::KeyTooLong { bytes: MAX_KEY_BYTES + 1 }));
        assert_eq!(push(&mut group, b"k", &[0; 256], b""), Err(PushError::ActorTooLong { bytes: 256 }));
        assert_eq!(push(&mut group, b"k", b"", &long_body), Err(PushError::BodyTooLong { bytes: MAX_BODY_BYTES + 1 }));
        assert_eq!((group.len(), group.bytes()), (1, bytes));
    }

    #[test]
    fn refuses_more_than_a_group_may_hold() {
        let mut group = Group::new();
        let body = vec![0; MAX_BODY_BYTES];
        group.push(EntryKind::PUT, b"k", b"", Serial::NONE, &body).unwrap();
        let refused = group.push(EntryKind::PUT, b"k", b"", Serial::NONE, &body);
        assert!(matches!(refused, Err(PushError::GroupFull { entries: 1, .. })));
        group.clear();
        assert!(group.is_empty());
        group.push(EntryKind::PUT, b"k", b"", Serial::NONE, &body).unwrap();
    }

    #[test]
    fn gives_back_entries_as_they_were_pushed() {
        let mut group = Group::new();
        group.push(EntryKind::PUT, b"key", b"actor", Serial(1), b"body").unwrap();
        group.push(EntryKind::NOTE, b"", b"", Serial::NONE, b"").unwrap();
        let entries: Vec<_> = group.entries().map(|e| (e.kind, e.key, e.actor, e.previous, e.body)).collect();
        assert_eq!(
            entries,
            [
                (EntryKind::PUT, &b"key"[..], &b"actor"[..], Serial(1), &b"body"[..]),
                (EntryKind::NOTE, b"", b"", Serial::NONE, b"")
            ]
        );
    }
}
