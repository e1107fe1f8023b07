//! Keys that may have been deleted: so that a record made again is linked to the deletion before it, and the history of a handle never breaks.
//!
//! The index knows live records only, and asking the key runs about every new handle would slow down registration. So the hashes of deleted
//! keys are kept in memory, and only a new handle whose hash is among them costs a look into the runs. A hash that is there without need costs
//! that look and nothing else; none is ever missing.
//!
//! They are kept beside the index snapshot in a blob named `deletions`, content version 1, checksummed by the store:
//! ```text
//! u64 serial up to which it holds every deletion | u64 number of hashes, all ones: too many to keep | hashes, u64 each
//! ```
//! Numbers are big-endian. It is written before the snapshot, so it never knows less.

use std::collections::HashSet;
use std::io::{self, Write as _};

use waymark_store::{Blobs, Serial};

use crate::config::DELETED_KEYS;
use crate::snapshot::SnapshotError;

/// Name of the blob.
pub(crate) const NAME: &str = "deletions";
/// Version of its content.
pub(crate) const VERSION: u32 = 1;
/// Stands for the number of hashes when there are too many.
const TOO_MANY: u64 = u64::MAX;
/// Bytes of each number.
const WORD: usize = 8;

/// Hashes of keys that may have been deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deletions {
    /// `None` when there are too many to keep: any key may be one.
    hashes: Option<HashSet<u64>>,
}

impl Deletions {
    /// None yet.
    pub(crate) fn none() -> Self {
        Self { hashes: Some(HashSet::new()) }
    }

    /// Notes that the key of this hash was deleted.
    pub(crate) fn note(&mut self, hash: u64) {
        if let Some(hashes) = &mut self.hashes {
            hashes.insert(hash);
            if hashes.len() > DELETED_KEYS {
                self.hashes = None;
            }
        }
    }

    /// Tells whether the key of this hash may have been deleted. False is certain.
    pub(crate) fn may_include(&self, hash: u64) -> bool {
        self.hashes.as_ref().is_none_or(|hashes| hashes.contains(&hash))
    }

    /// The hashes in order; `None` when any key may have been deleted.
    pub(crate) fn sorted(&self) -> Option<Vec<u64>> {
        let mut sorted: Vec<u64> = self.hashes.as_ref()?.iter().copied().collect();
        sorted.sort_unstable();
        Some(sorted)
    }

    /// Writes the blob; all deletions up to `serial` were noted.
    ///
    /// # Errors
    /// A refusing disk; the former blob is then still there.
    pub(crate) fn write(&self, blobs: &Blobs, serial: Serial) -> io::Result<()> {
        let count = self.hashes.as_ref().and_then(|hashes| u64::try_from(hashes.len()).ok()).unwrap_or(TOO_MANY);
        let mut blob = blobs.create(NAME, VERSION)?;
        blob.write_all(&serial.0.to_be_bytes())?;
        blob.write_all(&count.to_be_bytes())?;
        for hash in self.hashes.iter().flatten() {
            blob.write_all(&hash.to_be_bytes())?;
        }
        blob.finish()
    }

    /// Loads the blob; `None` when there is none, or it lacks deletions up to `serial`.
    ///
    /// # Errors
    /// Damage, another version, or a refusing disk.
    pub(crate) fn load(blobs: &Blobs, serial: Serial) -> Result<Option<Self>, SnapshotError> {
        let Some(mut blob) = blobs.open(NAME)? else { return Ok(None) };
        if blob.version() != VERSION {
            return Err(SnapshotError::Version { found: blob.version() });
        }
        let mut head = Vec::with_capacity(2);
        let mut hashes = HashSet::new();
        let mut rest = Vec::new();
        while let Some(chunk) = blob.next_chunk()? {
            rest.extend_from_slice(chunk);
            let mut left = rest.as_slice();
            while let Some((word, behind)) = left.split_first_chunk::<WORD>() {
                let word = u64::from_be_bytes(*word);
                if head.len() < 2 {
                    head.push(word);
                } else if hashes.len() <= DELETED_KEYS {
                    hashes.insert(word);
                } else {
                    return Err(SnapshotError::Entry);
                }
                left = behind;
            }
            rest = left.to_vec();
        }
        match *head {
            [upto, _] if upto < serial.0 => Ok(None),
            [_, TOO_MANY] if hashes.is_empty() => Ok(Some(Self { hashes: None })),
            [_, count] if u64::try_from(hashes.len()) == Ok(count) => Ok(Some(Self { hashes: Some(hashes) })),
            _ => Err(SnapshotError::CutShort),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_store::{MemoryStore, Store as _};

    fn deletions(hashes: impl IntoIterator<Item = u64>) -> Deletions {
        let mut deletions = Deletions::none();
        hashes.into_iter().for_each(|hash| deletions.note(hash));
        deletions
    }

    #[test]
    fn what_was_written_is_loaded_for_a_snapshot_it_covers() {
        let store = MemoryStore::for_tests();
        let some = deletions([5, u64::MAX, 5]);
        assert_eq!(Deletions::load(store.blobs(), Serial(0)).unwrap(), None);
        some.write(store.blobs(), Serial(9)).unwrap();
        for serial in [Serial(0), Serial(9)] {
            assert_eq!(Deletions::load(store.blobs(), serial).unwrap().as_ref(), Some(&some));
        }
        assert_eq!(Deletions::load(store.blobs(), Serial(10)).unwrap(), None);
        assert!(some.may_include(5) && !some.may_include(6));
    }

    #[test]
    fn more_than_can_be_kept_means_any_key() {
        let store = MemoryStore::for_tests();
        let full = deletions(0..=u64::try_from(DELETED_KEYS).unwrap());
        assert!(full.may_include(u64::MAX));
        full.write(store.blobs(), Serial(9)).unwrap();
        assert_eq!(Deletions::load(store.blobs(), Serial(9)).unwrap(), Some(full));
    }

    #[test]
    fn refuses_other_versions_and_other_counts() {
        let store = MemoryStore::for_tests();
        let write = |version, words: &[u64]| {
            let mut blob = store.blobs().create(NAME, version).unwrap();
            words.iter().for_each(|word| blob.write_all(&word.to_be_bytes()).unwrap());
            blob.finish().unwrap();
            Deletions::load(store.blobs(), Serial(1)).unwrap_err()
        };
        assert!(matches!(write(2, &[1, 0]), SnapshotError::Version { found: 2 }));
        for words in [&[1, 2, 7][..], &[1, 0, 7], &[1, TOO_MANY, 7], &[1]] {
            assert!(matches!(write(1, words), SnapshotError::CutShort), "{words:?}");
        }
    }
}
