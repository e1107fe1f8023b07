//! The small state in sled.
//!
//! Everything lies in sled's default tree, so that one batch changes values and the applied serial together: key `0x00` holds the summary,
//! key `0x01 tree key...` one value. A value is followed by its checksum, so that bytes sled would hand out damaged are not. The summary
//! counts the values and adds up their checksums, so that values sled would lose are missed.

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use crate::bytes::Cursor;
use crate::engine::{State, StateOp, Tree, ValueVisitor};
use crate::error::{Damage, OpenError, StateError};
use crate::sled_disk::{SledFiles, mark_path, open_sled, read_mark, remove_mark, write_mark};
use crate::types::Serial;

/// Version of the state this program writes, and the only one it reads; another one is set aside and fed again.
pub(crate) const STATE_VERSION: u32 = 1;
/// Key of the summary.
const SUMMARY_KEY: &[u8] = &[0];
/// First byte of the keys of values.
const VALUE_MARK: u8 = 1;

/// The state over sled.
pub(crate) struct SledState {
    dir: PathBuf,
    db: sled::Db,
    files: Mutex<SledFiles>,
    /// Held by whoever applies.
    summary: Mutex<Summary>,
    applied: RwLock<Serial>,
}

impl std::fmt::Debug for SledState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledState").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// What the state says about itself as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Serial applied.
    pub(crate) applied: Serial,
    /// Number of values.
    pub(crate) count: u64,
    /// Sum of the checksums of all keys with their values, modulo 2^64.
    pub(crate) sum: u64,
}

impl Summary {
    fn encode(&self) -> Vec<u8> {
        let mut out = STATE_VERSION.to_le_bytes().to_vec();
        for number in [self.applied.0, self.count, self.sum] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        seal(SUMMARY_KEY, out)
    }

    fn decode(stored: &[u8]) -> Result<Self, Damage> {
        let value = unseal(SUMMARY_KEY, stored)?;
        let mut cursor = Cursor::new(value);
        if cursor.u32() != Some(STATE_VERSION) {
            return Err(Damage::Version);
        }
        let mut read = || Some(Self { applied: Serial(cursor.u64()?), count: cursor.u64()?, sum: cursor.u64()? });
        let summary = read().ok_or(Damage::CutShort)?;
        if summary.applied <= Serial::MAX { Ok(summary) } else { Err(Damage::Structure) }
    }

    fn add(&mut self, key: &[u8], stored: &[u8]) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(weight(key, stored));
    }

    fn take(&mut self, key: &[u8], stored: &[u8]) {
        self.count = self.count.saturating_sub(1);
        self.sum = self.sum.wrapping_sub(weight(key, stored));
    }
}

/// What a value adds to the sum: two checksums, so that 64 bits take part. The checksum stored behind the value is left out: over bytes that
/// end with their own checksum, every checksum is the same.
fn weight(key: &[u8], stored: &[u8]) -> u64 {
    let value = stored.split_last_chunk::<4>().map_or(stored, |(value, _)| value);
    let low = crc32c::crc32c_append(crc32c::crc32c(key), value);
    let high = crc32c::crc32c_append(crc32c::crc32c(value), key);
    u64::from(high) << 32 | u64::from(low)
}

/// Appends the checksum of key and value.
pub(crate) fn seal(key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    let checksum = crc32c::crc32c_append(crc32c::crc32c(key), &value);
    value.extend_from_slice(&checksum.to_le_bytes());
    value
}

/// Takes off the checksum of key and value.
pub(crate) fn unseal<'v>(key: &[u8], stored: &'v [u8]) -> Result<&'v [u8], Damage> {
    let (value, checksum) = stored.split_last_chunk::<4>().ok_or(Damage::CutShort)?;
    if crc32c::crc32c_append(crc32c::crc32c(key), value) == u32::from_le_bytes(*checksum) {
        Ok(value)
    } else {
        Err(Damage::Checksum)
    }
}

fn value_key(tree: Tree, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + key.len());
    out.push(VALUE_MARK);
    out.push(tree.0);
    out.extend_from_slice(key);
    out
}

impl SledState {
    /// Opens the state in `dir` and verifies all of it: 1 million values take about a second.
    ///
    /// # Errors
    /// sled can not open it, or it is damaged: set it aside and begin anew.
    pub(crate) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, OpenError> {
        let db = open_sled(dir, cache_bytes)?;
        let summary = catch_unwind(AssertUnwindSafe(|| verify(&db, &mut |_, _| {})))
            .unwrap_or(Err(StateError::Damaged(Damage::Sled)))
            .map_err(|error| match error {
                StateError::Sled(source) => OpenError::Sled { dir: dir.to_owned(), source },
                StateError::Damaged(what) => OpenError::damaged(dir, 0, what),
                _ => OpenError::damaged(dir, 0, Damage::Sled),
            })?;
        let mark = read_mark(dir).map_err(|error| OpenError::io(dir, error))?;
        if mark.map_err(|what| OpenError::damaged(&mark_path(dir), 0, what))? > summary.applied {
            return Err(OpenError::damaged(dir, 0, Damage::Missing));
        }
        let files = Mutex::new(SledFiles::open(dir)?);
        let applied = RwLock::new(summary.applied);
        Ok(Self { dir: dir.to_owned(), db, files, summary: Mutex::new(summary), applied })
    }

    fn summary(&self) -> MutexGuard<'_, Summary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_applied(&self, serial: Serial) {
        *self.applied.write().unwrap_or_else(PoisonError::into_inner) = serial;
    }
}

/// Verifies every value and the summary; `bad` is called with the key of each damaged value.
///
/// # Errors
/// sled fails, the summary is damaged, or it does not agree with the values.
pub(crate) fn verify(db: &sled::Db, bad: &mut dyn FnMut(&[u8], Damage)) -> Result<Summary, StateError> {
    let mut seen = Summary::default();
    let mut stated = None;
    let mut damaged = None;
    for item in db.iter() {
        let (key, stored) = item.map_err(StateError::Sled)?;
        if *key == *SUMMARY_KEY {
            stated = Some(Summary::decode(&stored).map_err(StateError::Damaged)?);
            continue;
        }
        seen.add(&key, &stored);
        if let Err(what) = unseal(&key, &stored) {
            bad(&key, what);
            damaged = Some(what);
        }
    }
    if let Some(what) = damaged {
        return Err(StateError::Damaged(what));
    }
    let stated = stated.unwrap_or_default();
    if (stated.count, stated.sum) == (seen.count, seen.sum) {
        Ok(stated)
    } else {
        Err(StateError::Damaged(Damage::Missing))
    }
}

impl State for SledState {
    fn applied(&self) -> Serial {
        *self.applied.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, upto: Serial, ops: &[StateOp<'_>]) -> Result<(), StateError> {
        let mut summary = self.summary();
        if upto < summary.applied {
            return Err(StateError::Backwards { upto, applied: summary.applied });
        }
        let mut next = Summary { applied: upto, ..*summary };
        // Several changes of one key in one batch: only the last one counts, as it does in sled's batch.
        let mut changes = std::collections::BTreeMap::new();
        for op in ops {
            match *op {
                StateOp::Put { tree, key, value } => changes.insert(value_key(tree, key), Some(value)),
                StateOp::Remove { tree, key } => changes.insert(value_key(tree, key), None),
            };
        }
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            if let Some(former) = self.db.get(&key).map_err(StateError::Sled)? {
                next.take(&key, &former);
            }
            match value {
                Some(value) => {
                    let stored = seal(&key, value.to_vec());
                    next.add(&key, &stored);
                    batch.insert(key, stored);
                }
                None => batch.remove(key),
            }
        }
        batch.insert(SUMMARY_KEY, next.encode());
        self.db.apply_batch(batch).map_err(StateError::Sled)?;
        *summary = next;
        self.set_applied(upto);
        Ok(())
    }

    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        let key = value_key(tree, key);
        let Some(stored) = self.db.get(&key).map_err(StateError::Sled)? else { return Ok(None) };
        unseal(&key, &stored).map(|value| Some(value.to_vec())).map_err(StateError::Damaged)
    }

    fn scan_after(
        &self,
        tree: Tree,
        prefix: &[u8],
        after: &[u8],
        visit: &mut ValueVisitor<'_>,
    ) -> Result<(), StateError> {
        let wanted = value_key(tree, prefix);
        let after = value_key(tree, after);
        // A key is never less than what it begins with.
        let from = if after <= wanted { Bound::Included(wanted.clone()) } else { Bound::Excluded(after) };
        for item in self.db.range((from, Bound::Unbounded)) {
            let (key, stored) = item.map_err(StateError::Sled)?;
            if !key.starts_with(&wanted) {
                break;
            }
            let value = unseal(&key, &stored).map_err(StateError::Damaged)?;
            if visit(key.get(2..).unwrap_or_default(), value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn clear(&self) -> Result<(), StateError> {
        let mut summary = self.summary();
        remove_mark(&self.dir).map_err(StateError::Io)?;
        // The summary goes first: what a crash leaves of the values then counts as damage, not as a state.
        self.db.remove(SUMMARY_KEY).map_err(StateError::Sled)?;
        self.db.clear().map_err(StateError::Sled)?;
        *summary = Summary::default();
        self.set_applied(Serial::NONE);
        Ok(())
    }

    fn flush(&self) -> Result<(), StateError> {
        let applied = self.applied();
        // One at a time, so that an older mark never follows a newer one.
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        self.db.flush().map_err(StateError::Sled)?;
        files.flush().and_then(|()| write_mark(&self.dir, applied)).map_err(StateError::Io)
    }

    fn bytes(&self) -> u64 {
        self.db.size_on_disk().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: Tree = Tree(1);

    fn put<'a>(key: &'a [u8], value: &'a [u8]) -> StateOp<'a> {
        StateOp::Put { tree: TREE, key, value }
    }

    /// Changes sled behind the state's back, as damage would, and returns what opening says.
    fn opened_after(change: impl FnOnce(&sled::Db)) -> Result<SledState, OpenError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let state = SledState::open(&path, 1 << 20).unwrap();
        state.apply(Serial(1), &[put(b"a", b"old"), put(b"b", b"2")]).unwrap();
        let old = state.db.get(value_key(TREE, b"a")).unwrap().unwrap();
        state.apply(Serial(2), &[put(b"a", b"new")]).unwrap();
        assert_eq!(unseal(&value_key(TREE, b"a"), &old), Ok(&b"old"[..]));
        state.flush().unwrap();
        change(&state.db);
        drop(state);
        SledState::open(&path, 1 << 20)
    }

    fn assert_damaged(opened: Result<SledState, OpenError>, expected: Damage) {
        let Err(OpenError::Damaged { what, .. }) = opened else { panic!("{opened:?}") };
        assert_eq!(what, expected);
    }

    #[test]
    fn opens_as_it_was_left() {
        let state = opened_after(|_| {}).unwrap();
        assert_eq!(state.applied(), Serial(2));
        assert_eq!(state.get(TREE, b"a").unwrap().unwrap(), b"new");
    }

    #[test]
    fn misses_a_value_that_is_gone_or_too_many() {
        assert_damaged(opened_after(|db| drop(db.remove(value_key(TREE, b"b")))), Damage::Missing);
        let key = value_key(TREE, b"c");
        let stored = seal(&key, b"3".to_vec());
        assert_damaged(opened_after(|db| drop(db.insert(key, stored))), Damage::Missing);
    }

    #[test]
    fn notices_a_former_value_in_place_of_the_latest() {
        let key = value_key(TREE, b"a");
        let stored = seal(&key, b"old".to_vec());
        assert_damaged(opened_after(|db| drop(db.insert(key, stored))), Damage::Missing);
    }

    #[test]
    fn notices_a_serial_no_entry_can_have() {
        let summary = Summary { applied: Serial::MAX.next(), ..Summary::default() };
        assert_damaged(opened_after(|db| drop(db.insert(SUMMARY_KEY, summary.encode()))), Damage::Structure);
    }

    #[test]
    fn notices_a_damaged_value_and_a_damaged_or_missing_summary() {
        let key = value_key(TREE, b"a");
        assert_damaged(opened_after(|db| drop(db.insert(key, b"newxxxx"))), Damage::Checksum);
        assert_damaged(opened_after(|db| drop(db.insert(SUMMARY_KEY, b"xxxxxxxx"))), Damage::Checksum);
        assert_damaged(opened_after(|db| drop(db.remove(SUMMARY_KEY))), Damage::Missing);
    }

    #[test]
    fn counts_each_key_once_however_often_a_batch_changes_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let state = SledState::open(&path, 1 << 20).unwrap();
        let remove = StateOp::Remove { tree: TREE, key: b"a" };
        state.apply(Serial(1), &[put(b"a", b"1"), remove, put(b"a", b"2"), put(b"b", b"1"), remove]).unwrap();
        assert_eq!(state.get(TREE, b"a").unwrap(), None);
        drop(state);
        let state = SledState::open(&path, 1 << 20).unwrap();
        assert_eq!(state.summary().count, 1);
    }
}
