//! Keys of a segment that has no run yet, in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use crate::bytes::offset;
use crate::format::run::KeyAt;
use crate::types::{Entry, EntryKind, Place, Serial};

/// Keys of one segment, each with its latest entry there.
///
/// A commit only appends to a list; the sorted map is brought up to date by the first look-up after it, so that committing many groups
/// without look-ups between them does not pay for sorting until the run is made.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    keys: RwLock<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    sorted: BTreeMap<Box<[u8]>, KeyAt>,
    text: Vec<u8>,
    unsorted: Vec<(usize, KeyAt)>,
}

impl Keys {
    fn sort(&mut self) {
        let mut start = 0;
        for (end, at) in self.unsorted.drain(..) {
            let key = self.text.get(start..end).unwrap_or_default();
            start = end;
            match self.sorted.get_mut(key) {
                Some(known) => *known = at,
                None => {
                    self.sorted.insert(key.into(), at);
                }
            }
        }
        self.text.clear();
    }
}

impl Tail {
    /// Adds entries in the order of their serials, through `add(key, serial, kind, place)`.
    pub(crate) fn extend<'k>(&self, entries: impl Iterator<Item = (&'k [u8], Serial, EntryKind, Place)>) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let keys = &mut *keys;
        for (key, serial, kind, place) in entries.filter(|(_, _, kind, _)| kind.is_of_key()) {
            keys.text.extend_from_slice(key);
            keys.unsorted.push((keys.text.len(), KeyAt { serial, kind, place }));
        }
    }

    /// Adds one entry.
    pub(crate) fn add(&self, entry: &Entry<'_>) {
        self.extend(std::iter::once((entry.key, entry.serial, entry.kind, entry.place)));
    }

    /// Calls `look` with the map brought up to date.
    fn look<R>(&self, look: impl FnOnce(&BTreeMap<Box<[u8]>, KeyAt>) -> R) -> R {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        if keys.unsorted.is_empty() {
            return look(&keys.sorted);
        }
        drop(keys);
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.sort();
        look(&keys.sorted)
    }

    /// Latest entry of a key.
    pub(crate) fn find(&self, key: &[u8]) -> Option<KeyAt> {
        self.look(|sorted| sorted.get(key).copied())
    }

    /// Number of keys, each update since the last look-up counted too.
    pub(crate) fn len(&self) -> u64 {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        offset(keys.sorted.len() + keys.unsorted.len())
    }

    /// Copies up to `most` keys from `from` on into `out`, in order.
    pub(crate) fn copy(&self, from: Bound<&[u8]>, most: usize, out: &mut Vec<(Box<[u8]>, KeyAt)>) {
        self.look(|sorted| {
            let range = sorted.range::<[u8], _>((from, Bound::Unbounded));
            out.extend(range.take(most).map(|(key, at)| (key.clone(), *at)));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(tail: &Tail, entries: &[(&str, u64)]) {
        let put = |(key, serial): &(&str, u64)| (key.as_bytes().to_vec(), Serial(*serial));
        let entries: Vec<_> = entries.iter().map(put).collect();
        tail.extend(entries.iter().map(|(key, serial)| (key.as_slice(), *serial, EntryKind::PUT, Place(serial.0))));
    }

    #[test]
    fn knows_the_latest_of_each_key_however_look_ups_and_commits_alternate() {
        let tail = Tail::default();
        add(&tail, &[("b", 1), ("a", 2), ("b", 3)]);
        assert_eq!(tail.find(b"b").unwrap().serial, Serial(3));
        add(&tail, &[("a", 4), ("c", 5), ("a", 6)]);
        assert_eq!(tail.find(b"a").unwrap().serial, Serial(6));
        assert_eq!(tail.find(b"d"), None);
        assert_eq!(tail.len(), 3);
        let mut copied = Vec::new();
        tail.copy(Bound::Excluded(b"a"), 1, &mut copied);
        assert_eq!(copied.iter().map(|(key, at)| (&**key, at.serial.0)).collect::<Vec<_>>(), [(&b"b"[..], 3)]);
    }

    #[test]
    fn leaves_out_entries_that_say_nothing_of_their_key() {
        let tail = Tail::default();
        tail.extend(std::iter::once((b"k".as_slice(), Serial(1), EntryKind::NOTE, Place(1))));
        assert_eq!((tail.find(b"k"), tail.len()), (None, 0));
    }
}
