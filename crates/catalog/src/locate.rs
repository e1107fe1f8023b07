//! Finds the entry of a key on the disk by way of the index, comparing the whole key.

use std::sync::Arc;

use waymark_index::{Found, HashKey, Key};
use waymark_store::{Entry, EntryKind, Place, ReadError, Serial, Store, Timestamp};

use crate::deletions::Deletions;
use crate::reserved::is_reserved;

/// Candidates looked at before asking for room for all of them. More than one means that keys share 48 bits of hash.
const USUAL_CANDIDATES: usize = 4;

/// Times a look-up is begun anew when the entry moves between the index and the disk.
const ATTEMPTS: usize = 8;

/// A live entry, copied from the disk.
pub(crate) struct Located {
    pub(crate) place: Place,
    pub(crate) serial: Serial,
    pub(crate) time: Timestamp,
    pub(crate) body: Vec<u8>,
}

/// One thread's way from a key to its entry on the disk. Blocks on reads.
pub(crate) struct Locator {
    store: Arc<dyn Store>,
    index: waymark_index::Reader,
    hash_key: HashKey,
    buffer: Vec<u8>,
    places: Vec<Place>,
    deletions: Deletions,
}

impl Locator {
    /// A locator that finds live entries only. It need not know what was deleted.
    pub(crate) fn new(store: Arc<dyn Store>, index: waymark_index::Reader) -> Self {
        let hash_key = index.hash_key().clone();
        let deletions = Deletions::none();
        Self { store, index, hash_key, buffer: Vec::new(), places: Vec::new(), deletions }
    }

    /// The same, finding deletions too.
    pub(crate) fn with_deletions(self, deletions: Deletions) -> Self {
        Self { deletions, ..self }
    }

    /// The keys known to be deleted.
    pub(crate) fn deletions(&mut self) -> &mut Deletions {
        &mut self.deletions
    }

    /// Serial of the deletion that is the last entry of `key`, which has no live one; none when there never was a record.
    ///
    /// # Errors
    /// The runs, or the entry, cannot be read.
    pub(crate) fn deletion(&mut self, key: &[u8]) -> Result<Serial, ReadError> {
        if is_reserved(key) || !self.deletions.may_include(self.hash_key.hash(key)) {
            return Ok(Serial::NONE);
        }
        let Some(place) = self.store.find(key)? else { return Ok(Serial::NONE) };
        Ok(self.store.read(place, &mut self.buffer)?.serial)
    }

    /// The live entry of `key`, checksum verified; `None` when there is none, and for reserved keys.
    ///
    /// The writer may change the entry between the look into the index and the look onto the disk, so that no candidate is it.
    /// Only when the index says the same again, there is no record.
    ///
    /// # Errors
    /// Damage, or a refusing disk, at a place where the record may be.
    pub(crate) fn find(&mut self, key: &[u8]) -> Result<Option<Located>, ReadError> {
        if is_reserved(key) {
            return Ok(None);
        }
        let mut ruled_out = None;
        for _ in 0..ATTEMPTS {
            let found = candidates(&mut self.index, self.hash_key.key(key), &mut self.places);
            if !found || ruled_out.as_ref() == Some(&self.places) {
                return Ok(None);
            }
            match self.matching(key) {
                Ok(None) => ruled_out = Some(self.places.clone()),
                Err(ReadError::NoSuchPlace(_)) => ruled_out = None,
                other => return other,
            }
        }
        // Somebody writes this key without a pause: the store knows it too, only more slowly.
        self.places.clear();
        self.places.extend(self.store.find(key)?);
        self.matching(key)
    }

    /// Tells whether the entry of `key` at `place` is the live one, by the index alone.
    pub(crate) fn is_live(&mut self, key: &[u8], place: Place) -> bool {
        candidates(&mut self.index, self.hash_key.key(key), &mut self.places) && self.places.contains(&place)
    }

    /// The first candidate whose entry is a record of `key`.
    fn matching(&mut self, key: &[u8]) -> Result<Option<Located>, ReadError> {
        for &place in &self.places {
            let entry = self.store.read(place, &mut self.buffer)?;
            if entry.key == key && entry.kind == EntryKind::PUT {
                let Entry { serial, time, body, .. } = entry;
                return Ok(Some(Located { place, serial, time, body: body.to_vec() }));
            }
        }
        Ok(None)
    }
}

/// Puts the places where the record of `key` may be into `places`: the one whose key was compared, or a few that share its
/// hash. False when there is no record; true without places when the record moved under the look.
pub(crate) fn candidates(index: &mut waymark_index::Reader, key: Key<'_>, places: &mut Vec<Place>) -> bool {
    places.clear();
    let pin = index.pin();
    match pin.find_one(key) {
        Found::Absent => return false,
        Found::Resident(record) => places.push(Place(record.place().get())),
        Found::Cold(first) => {
            let mut room = vec![first; USUAL_CANDIDATES];
            let mut count = pin.cold_candidates(key, &mut room);
            if count > room.len() {
                room.resize(count, first);
                count = pin.cold_candidates(key, &mut room).min(room.len());
            }
            places.extend(room.iter().take(count).map(|place| Place(place.get())));
        }
    }
    true
}
