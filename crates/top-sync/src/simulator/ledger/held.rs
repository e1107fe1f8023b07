//! What the top node holds: for each key of each set where its newest row stands in the file. No row is kept in memory.

use std::collections::{BTreeMap, HashMap};

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::check::{Key, Set};

/// Keys by their hash under a secret of the process: nobody can make two keys meet, and by chance they do not at 128 bits.
#[derive(Debug)]
pub(super) struct Held {
    secret: [u8; 16],
    places: HashMap<[u64; 2], Place>,
    counts: BTreeMap<Set, u64>,
    /// Files of the newest record of T1.
    files: Vec<[u64; 2]>,
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The part, by its frame.
    pub(super) frame: u64,
    /// Row within it, from 0.
    pub(super) row: u32,
    /// Of two rows the one of the higher rank holds, of equal ranks the later one.
    pub(super) rank: u32,
    /// It says that what it is about is not there any more.
    pub(super) is_gone: bool,
}

impl Held {
    pub(super) fn new(secret: [u8; 16]) -> Self {
        Self { secret, places: HashMap::new(), counts: BTreeMap::new(), files: Vec::new() }
    }

    fn hash(&self, set: Set, key: &Key) -> [u64; 2] {
        let mut hasher = SipHasher24::new_with_key(&self.secret);
        std::hash::Hasher::write(&mut hasher, set.name().as_bytes());
        std::hash::Hasher::write_u8(&mut hasher, 0);
        std::hash::Hasher::write(&mut hasher, key.as_bytes());
        let hash = hasher.finish128();
        [hash.h1, hash.h2]
    }

    /// Where the newest row of a key stands, gone or not.
    pub(super) fn get(&self, set: Set, key: &Key) -> Option<Place> {
        self.places.get(&self.hash(set, key)).copied()
    }

    /// Notes a row.
    pub(super) fn put(&mut self, set: Set, key: &Key, place: Place) {
        let hash = self.hash(set, key);
        let before = self.places.get(&hash).copied();
        if before.is_some_and(|before| before.rank > place.rank) {
            return;
        }
        if set == Set::T1 {
            if key.is_record() {
                self.forget_files();
            } else if before.is_none() {
                self.files.push(hash);
            }
        }
        self.places.insert(hash, place);
        let count = self.counts.entry(set).or_default();
        let was_there = before.is_some_and(|before| !before.is_gone);
        *count = (*count + u64::from(!place.is_gone)).saturating_sub(u64::from(was_there));
    }

    /// A new record of T1 stands for itself: files of the one before are not its own.
    fn forget_files(&mut self) {
        let count = self.counts.entry(Set::T1).or_default();
        for file in self.files.drain(..) {
            if self.places.remove(&file).is_some() {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// Keys of all sets, those that are gone too.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Keys of a set that are not gone.
    pub(super) fn count(&self, set: Set) -> u64 {
        self.counts.get(&set).copied().unwrap_or(0)
    }
}
