//! The index snapshot: what a start loads instead of scanning all keys.
//!
//! A blob named `index`, content version 1, checksummed by the store:
//! ```text
//! u64 serial up to which it holds everything | u64 number of entries | entries
//! entry := 48 bits hash of the key | 48 bits place
//! ```
//! Numbers are big-endian. The hash key is the store's, so a snapshot fits its own store only; the store refuses another's.

use std::io::{self, Write as _};

use waymark_index::{Full, Place, Writer};
use waymark_store::{Blobs, ReadError, Serial};

/// Name of the blob.
pub(crate) const NAME: &str = "index";
/// Version of its content.
pub(crate) const VERSION: u32 = 1;
const HEAD_BYTES: usize = 16;
const ENTRY_BYTES: usize = 12;

/// Writes the places of all entries of `index`, which holds everything up to `serial`.
///
/// # Errors
/// A refusing disk; the former snapshot is then still there.
pub(crate) fn write(blobs: &Blobs, index: &Writer, serial: Serial) -> io::Result<()> {
    let mut count = 0_u64;
    index.for_each_place(|_, _| count += 1);
    let mut blob = blobs.create(NAME, VERSION)?;
    blob.write_all(&serial.0.to_be_bytes())?;
    blob.write_all(&count.to_be_bytes())?;
    let mut outcome = Ok(());
    index.for_each_place(|hash, place| {
        if outcome.is_ok() {
            outcome = blob.write_all(&entry_bytes(hash, place));
        }
    });
    outcome?;
    blob.finish()
}

/// Loads the snapshot into an empty `index`; the serial it holds everything up to, or `None` when there is none.
///
/// # Errors
/// The index may hold a part of the entries then, and has to be made anew.
pub(crate) fn load(blobs: &Blobs, index: &mut Writer, last: Serial) -> Result<Option<Serial>, SnapshotError> {
    let Some(mut blob) = blobs.open(NAME)? else { return Ok(None) };
    if blob.version() != VERSION {
        return Err(SnapshotError::Version { found: blob.version() });
    }
    let mut head = None;
    let mut entries = 0;
    let mut rest = Vec::new();
    while let Some(chunk) = blob.next_chunk()? {
        rest.extend_from_slice(chunk);
        let mut left = rest.as_slice();
        if head.is_none() {
            let Some((bytes, behind)) = left.split_first_chunk::<HEAD_BYTES>() else { continue };
            head = Some(parse_head(*bytes, last)?);
            left = behind;
        }
        while let Some((bytes, behind)) = left.split_first_chunk::<ENTRY_BYTES>() {
            let (hash, place) = parse_entry(*bytes).ok_or(SnapshotError::Entry)?;
            index.put_cold(hash, place)?;
            entries += 1;
            left = behind;
        }
        rest = left.to_vec();
    }
    match head {
        Some((serial, count)) if count == entries && rest.is_empty() => Ok(Some(serial)),
        _ => Err(SnapshotError::CutShort),
    }
}

fn parse_head(head: [u8; HEAD_BYTES], last: Serial) -> Result<(Serial, u64), SnapshotError> {
    let number = u128::from_be_bytes(head);
    let (serial, count) = (number >> 64, number & u128::from(u64::MAX));
    let serial = Serial(u64::try_from(serial).unwrap_or(u64::MAX));
    if serial > last {
        return Err(SnapshotError::Ahead { serial });
    }
    Ok((serial, u64::try_from(count).unwrap_or(u64::MAX)))
}

fn entry_bytes(hash: u64, place: Place) -> [u8; ENTRY_BYTES] {
    let [_, _, h0, h1, h2, h3, h4, h5] = hash.to_be_bytes();
    let [_, _, p0, p1, p2, p3, p4, p5] = place.get().to_be_bytes();
    [h0, h1, h2, h3, h4, h5, p0, p1, p2, p3, p4, p5]
}

fn parse_entry([h0, h1, h2, h3, h4, h5, p0, p1, p2, p3, p4, p5]: [u8; ENTRY_BYTES]) -> Option<(u64, Place)> {
    let hash = u64::from_be_bytes([0, 0, h0, h1, h2, h3, h4, h5]);
    let place = Place::new(u64::from_be_bytes([0, 0, p0, p1, p2, p3, p4, p5]))?;
    Some((hash, place))
}

/// Why a snapshot was not used. All keys are scanned instead, so nothing is lost but time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Damaged, or a refusing disk.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Written by another version of this program.
    #[error("index snapshot of version {found}, this program knows version 1")]
    Version {
        /// The version found.
        found: u32,
    },
    /// It holds entries behind the end of the log: it belongs to entries that were lost.
    #[error("index snapshot of serial {serial} is ahead of the log")]
    Ahead {
        /// Its serial.
        serial: Serial,
    },
    /// An entry that cannot be.
    #[error("index snapshot with an impossible entry")]
    Entry,
    /// Fewer or more entries than it says.
    #[error("index snapshot contradicts its number of entries")]
    CutShort,
    /// The index cannot hold it.
    #[error("index snapshot does not fit into memory")]
    Full(#[from] Full),
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_index::{HashKey, Options};
    use waymark_store::{MemoryStore, Store as _};

    fn index() -> Writer {
        let options = Options { hash_key: HashKey::new([1; 16]), resident_budget_bytes: 0, expected_entries: 0 };
        waymark_index::new(options).0
    }

    fn places(index: &Writer) -> Vec<(u64, Place)> {
        let mut all = Vec::new();
        index.for_each_place(|hash, place| all.push((hash, place)));
        all.sort_unstable();
        all
    }

    fn filled(entries: u64) -> Writer {
        let mut index = index();
        for n in 0..entries {
            let hash = HashKey::new([1; 16]).hash(&n.to_be_bytes());
            index.put_cold(hash, Place::new(Place::MAX.get() - n).unwrap()).unwrap();
        }
        index
    }

    #[test]
    fn every_entry_comes_back_across_chunks() {
        let store = MemoryStore::for_tests();
        let full = filled(25_000);
        write(store.blobs(), &full, Serial(9)).unwrap();
        let mut again = index();
        assert_eq!(load(store.blobs(), &mut again, Serial(9)).unwrap(), Some(Serial(9)));
        assert_eq!(places(&again), places(&full));
    }

    #[test]
    fn a_missing_snapshot_is_none_and_one_ahead_of_the_log_is_refused() {
        let store = MemoryStore::for_tests();
        assert!(load(store.blobs(), &mut index(), Serial(9)).unwrap().is_none());
        write(store.blobs(), &filled(3), Serial(10)).unwrap();
        let ahead = load(store.blobs(), &mut index(), Serial(9)).unwrap_err();
        assert!(matches!(ahead, SnapshotError::Ahead { serial: Serial(10) }));
    }

    #[test]
    fn a_snapshot_that_contradicts_itself_is_refused() {
        let store = MemoryStore::for_tests();
        let head = [7_u64.to_be_bytes(), 2_u64.to_be_bytes()].concat();
        let entry = [0; ENTRY_BYTES];
        let outcome = |version, content: &[u8]| {
            store.blobs().write_atomically(NAME, version, content).unwrap();
            load(store.blobs(), &mut index(), Serial(9))
        };
        let one = [&head[..], &entry].concat();
        assert!(matches!(outcome(VERSION, &one), Err(SnapshotError::CutShort)));
        let uneven = [&head[..], &entry, &entry, &[0]].concat();
        assert!(matches!(outcome(VERSION, &uneven), Err(SnapshotError::CutShort)));
        let wild = [&head[..], &[0xff; ENTRY_BYTES]].concat();
        assert!(matches!(outcome(VERSION, &wild), Err(SnapshotError::Entry)));
        assert!(matches!(outcome(VERSION, &[]), Err(SnapshotError::CutShort)));
        assert!(matches!(outcome(2, &one), Err(SnapshotError::Version { found: 2 })));
    }
}
