//! The sled engine: records in sled too, the literal small-node form.
//!
//! One sled tree, so that a group is one atomic batch: key `e serial(8, big-endian)` holds an entry as in a log segment, with the serial as its
//! place; `k key` the serial of the key's latest entry; `m` the end of the sequence. Keys and end carry checksums as the small state's values do.
//! sled's own flush asks for no more than `sync_file_range`, so each group is followed by a real flush of sled's files.

mod redact;

use std::collections::HashMap;
use std::io;
use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::blobs::Blobs;
use crate::by_time::first_at;
use crate::bytes::{Cursor, offset};
use crate::check::Part;
use crate::config::SPARE_BYTES;
use crate::engine::{KeyVisitor, Options, Recovery, State, StateFound, Store};
use crate::error::{CommitError, Damage, FollowError, OpenError, ReadError, RedactError, StateError};
use crate::folder::{FolderLock, Identity, paths};
use crate::format::frame::{Seed, encode_entry, parse_entry};
use crate::medium::Medium;
use crate::redact::{Redacted, Replace};
use crate::sled_disk::{SLED_FILE, SledFiles, gone_back, open_sled, write_mark};
use crate::state::{seal, unseal};
use crate::types::{
    Committed, DamagedKey, Entry, EntryKind, Group, Health, KeyRecord, Place, Position, Serial, Statistics, Timestamp,
};

/// First byte of the keys of entries.
pub(crate) const ENTRY_MARK: u8 = b'e';
/// First byte of the keys of keys.
pub(crate) const KEY_MARK: u8 = b'k';
/// Key of the end of the sequence.
pub(crate) const END_KEY: &[u8] = b"m";
/// No entry has a greater serial: it is a place, too.
const LAST_SERIAL: Serial = Serial(Place::END - 1);

/// A store kept by sled.
pub(crate) struct SledStore {
    dir: PathBuf,
    db: sled::Db,
    identity: Identity,
    seed: Seed,
    writer: Mutex<Writer>,
    position: RwLock<Position>,
    /// Keys of the group being committed with what they meant before it. Readers look here first, so nothing is seen before it is durable;
    /// after a failed flush it stays for good.
    pending: RwLock<HashMap<Box<[u8]>, Option<Latest>>>,
    closed: AtomicBool,
    health: AtomicU8,
    state: Box<dyn State>,
    blobs: Blobs,
    _lock: FolderLock,
}

/// Latest entry of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Latest {
    pub(crate) serial: Serial,
    pub(crate) kind: EntryKind,
}

impl Latest {
    fn encode(self, key: &[u8]) -> Vec<u8> {
        let mut out = self.serial.0.to_le_bytes().to_vec();
        out.push(self.kind.number());
        seal(key, out)
    }

    /// Reads what is stored under `key`.
    pub(crate) fn decode(key: &[u8], stored: &[u8]) -> Result<Self, Damage> {
        let mut cursor = Cursor::new(unseal(key, stored)?);
        let mut read = || Some(Self { serial: Serial(cursor.u64()?), kind: EntryKind::new(cursor.u8()?)? });
        read().ok_or(Damage::Structure)
    }
}

/// What committing needs to itself.
#[derive(Debug)]
struct Writer {
    entry: Vec<u8>,
    files: SledFiles,
}

impl std::fmt::Debug for SledStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledStore").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// Key of the entry with this serial.
pub(crate) fn entry_key(serial: Serial) -> [u8; 9] {
    let [a, b, c, d, e, f, g, h] = serial.0.to_be_bytes();
    [ENTRY_MARK, a, b, c, d, e, f, g, h]
}

/// Serial of the entry with this key; `None` when it is no entry's.
pub(crate) fn serial_in(entry_key: &[u8]) -> Option<Serial> {
    let serial = entry_key.strip_prefix(&[ENTRY_MARK])?.try_into().ok()?;
    Some(Serial(u64::from_be_bytes(serial))).filter(|serial| serial.is_some())
}

fn key_key(key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + key.len());
    out.push(KEY_MARK);
    out.extend_from_slice(key);
    out
}

fn encode_end(position: Position) -> Vec<u8> {
    let mut out = position.serial.0.to_le_bytes().to_vec();
    out.extend_from_slice(&position.time.0.to_le_bytes());
    seal(END_KEY, out)
}

/// Reads the end of the sequence.
pub(crate) fn decode_end(stored: &[u8]) -> Result<Position, Damage> {
    let mut cursor = Cursor::new(unseal(END_KEY, stored)?);
    let mut read = || Some(Position { serial: Serial(cursor.u64()?), time: Timestamp(cursor.u64()?) });
    read().filter(|end| end.serial <= LAST_SERIAL && end.time <= Timestamp::MAX).ok_or(Damage::Structure)
}

/// Makes the table of keys anew from the entries.
///
/// # Errors
/// sled can not open its files or fails.
pub(crate) fn rebuild_keys(dir: &Path, cache_bytes: u64, identity: &Identity) -> Result<(), OpenError> {
    let db = open_sled(dir, cache_bytes)?;
    let failed = |source| OpenError::Sled { dir: dir.to_owned(), source };
    for item in db.scan_prefix([KEY_MARK]).keys() {
        db.remove(item.map_err(failed)?).map_err(failed)?;
    }
    let seed = Seed::of_store(&identity.store_id);
    for item in db.scan_prefix([ENTRY_MARK]) {
        let (stored_key, stored) = item.map_err(failed)?;
        let serial = stored_key.get(1..).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        let serial = Serial(serial.unwrap_or_default());
        // A damaged entry is found by its serial, and by a check; it can not say which key it had.
        let Ok(entry) = parse_entry(&stored, seed, Place(serial.0)) else { continue };
        if entry.kind.is_of_key() {
            let key = key_key(entry.key);
            let value = Latest { serial, kind: entry.kind }.encode(&key);
            db.insert(key, value).map_err(failed)?;
        }
    }
    db.flush().map(|_| ()).map_err(failed)
}

impl SledStore {
    /// Opens the records in sled.
    ///
    /// # Errors
    /// sled can not open them, their end is damaged, or the disk refuses.
    pub(crate) fn open(
        medium: Arc<dyn Medium>,
        options: &Options,
        identity: Identity,
        state: Box<dyn State>,
        mut recovery: Recovery,
        lock: FolderLock,
    ) -> Result<(Self, Recovery), OpenError> {
        let dir = paths::records(&options.dir);
        let db = open_sled(&dir, options.record_cache_bytes)?;
        let failed = |source| OpenError::Sled { dir: dir.clone(), source };
        let position = match db.get(END_KEY).map_err(failed)? {
            Some(stored) => decode_end(&stored).map_err(|what| OpenError::damaged(&dir, 0, what))?,
            None if db.is_empty() => Position::default(),
            None => return Err(OpenError::damaged(&dir, 0, Damage::Missing)),
        };
        let mut files = SledFiles::open(&dir)?;
        // A process that ended before its flush may have left what sled found again but the disk does not hold yet.
        files.flush().map_err(|error| OpenError::io(&dir, error))?;
        let lost = gone_back(&dir, position.serial, Part::Records).map_err(|error| OpenError::io(&dir, error))?;
        recovery.damage.extend(lost);
        let applied = state.applied();
        if applied > position.serial {
            state.clear().map_err(|error| OpenError::io(&dir, io::Error::other(error)))?;
            recovery.state = StateFound::Ahead { applied };
        }
        recovery.last = position;
        let blobs = Blobs::new(medium, paths::blobs(&options.dir), identity.store_id);
        let store = Self {
            dir,
            db,
            seed: Seed::of_store(&identity.store_id),
            identity,
            writer: Mutex::new(Writer { entry: Vec::new(), files }),
            position: RwLock::new(position),
            pending: RwLock::default(),
            closed: AtomicBool::new(false),
            health: AtomicU8::new(0),
            state,
            blobs,
            _lock: lock,
        };
        Ok((store, recovery))
    }

    fn failed(&self, error: sled::Error) -> ReadError {
        match error {
            sled::Error::Io(source) => ReadError::io(&self.dir, source),
            _ => self.damaged(Damage::Sled),
        }
    }

    fn damaged(&self, what: Damage) -> ReadError {
        ReadError::damaged(&self.dir.join(SLED_FILE), 0, what)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Latest durable entry of a key.
    fn latest(&self, key: &[u8]) -> Result<Option<Latest>, ReadError> {
        // Held over the look into sled: a commit that begins meanwhile waits with its changes.
        let pending = self.pending.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = pending.get(key) {
            return Ok(*before);
        }
        let key = key_key(key);
        match self.db.get(&key).map_err(|error| self.failed(error))? {
            Some(stored) => Latest::decode(&key, &stored).map(Some).map_err(|what| self.damaged(what)),
            None => Ok(None),
        }
    }

    fn entry<'b>(&self, serial: Serial, buffer: &'b mut Vec<u8>) -> Result<Entry<'b>, ReadError> {
        let place = Place(serial.0);
        if serial > self.last().serial || !serial.is_some() {
            return Err(ReadError::NoSuchPlace(place));
        }
        let stored = self.db.get(entry_key(serial)).map_err(|error| self.failed(error))?;
        let stored = stored.ok_or_else(|| self.damaged(Damage::Missing))?;
        buffer.clear();
        buffer.extend_from_slice(&stored);
        let entry = parse_entry(buffer, self.seed, place).map_err(|what| self.damaged(what))?;
        if entry.serial == serial { Ok(entry) } else { Err(self.damaged(Damage::SerialOrder)) }
    }

    /// What failing to read an entry means for whoever follows. Where there is none, so are those behind it up to the next one there is.
    fn unreadable(&self, serial: Serial, error: ReadError) -> FollowError {
        let is_missing = matches!(error, ReadError::Damaged { what: Damage::Missing, .. });
        FollowError::of_entry(if is_missing { self.last_missing(serial) } else { serial }, error)
    }

    fn last_missing(&self, serial: Serial) -> Serial {
        let next = self.db.range(&entry_key(serial)[..]..&[ENTRY_MARK + 1]).keys().next();
        match next.map(|key| key.ok().and_then(|key| serial_in(&key))) {
            None => self.last().serial.max(serial),
            Some(found) => found.map_or(serial, |found| Serial(found.0.saturating_sub(1)).max(serial)),
        }
    }

    /// The next key after `after`, with its latest durable entry.
    fn next_key(&self, after: Bound<&[u8]>, prefix: &[u8]) -> Result<Option<(Vec<u8>, Latest)>, ReadError> {
        let mut from = match after {
            Bound::Excluded(key) => Bound::Excluded(key_key(key)),
            Bound::Included(key) => Bound::Included(key_key(key)),
            Bound::Unbounded => Bound::Included(vec![KEY_MARK]),
        };
        loop {
            let mut range = self.db.range((from.clone(), Bound::Excluded(vec![KEY_MARK + 1])));
            let Some(item) = range.next() else { return Ok(None) };
            let (stored_key, _) = item.map_err(|error| self.failed(error))?;
            let key = stored_key.get(1..).unwrap_or_default();
            if !key.starts_with(prefix) {
                return Ok(None);
            }
            // `None` where the key is first used by a group that is not durable.
            if let Some(latest) = self.latest(key)? {
                return Ok(Some((key.to_vec(), latest)));
            }
            from = Bound::Excluded(stored_key.to_vec());
        }
    }

    /// Puts the group into sled; returns places and end.
    fn apply(&self, writer: &mut Writer, time: Timestamp, group: &Group) -> Result<(Committed, Position), CommitError> {
        let first = self.last().serial.next();
        let mut batch = sled::Batch::default();
        let mut places = Vec::with_capacity(group.len());
        let mut keys = HashMap::new();
        for (serial, draft) in (first.0..).map(Serial).zip(group.entries()) {
            let place = Place(serial.0);
            writer.entry.clear();
            encode_entry(&mut writer.entry, self.seed, place, serial, time, &draft);
            batch.insert(&entry_key(serial), writer.entry.as_slice());
            if draft.kind.is_of_key() {
                keys.insert(draft.key, Latest { serial, kind: draft.kind });
            }
            places.push(place);
        }
        let last = Serial(first.0 + offset(group.len()) - 1);
        let position = Position { serial: last, time };
        self.hold(keys.keys().copied())?;
        for (key, latest) in keys {
            let stored_key = key_key(key);
            let value = latest.encode(&stored_key);
            batch.insert(stored_key, value);
        }
        batch.insert(END_KEY, encode_end(position));
        self.db.apply_batch(batch).map_err(|error| self.poisoned(&error))?;
        Ok((Committed { first, last, places, time }, position))
    }

    /// Remembers what these keys mean until the group is durable.
    fn hold<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) -> Result<(), CommitError> {
        let mut before = HashMap::new();
        for key in keys {
            let latest = self.latest(key).map_err(|error| CommitError::Io(io::Error::other(error)))?;
            before.insert(key.into(), latest);
        }
        *self.pending.write().unwrap_or_else(PoisonError::into_inner) = before;
        Ok(())
    }

    /// sled keeps going after a failed write with pages nobody can take back, so any failure ends writing.
    fn poisoned(&self, _error: &dyn std::error::Error) -> CommitError {
        self.health.store(2, Ordering::Release);
        CommitError::Poisoned
    }
}

/// Whether the file system of `dir` has room for `bytes` more.
fn has_room(dir: &Path, bytes: u64) -> io::Result<bool> {
    let free = nix::sys::statvfs::statvfs(dir)?;
    Ok(free.blocks_available().saturating_mul(free.fragment_size()) > bytes)
}

impl Store for SledStore {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn commit(&self, now: Timestamp, group: &Group) -> Result<Committed, CommitError> {
        let mut writer = self.writer();
        if self.health() == Health::Poisoned {
            return Err(CommitError::Poisoned);
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(CommitError::Closed);
        }
        if group.is_empty() {
            return Err(CommitError::EmptyGroup);
        }
        if self.last().serial.0 + offset(group.len()) > LAST_SERIAL.0 {
            return Err(CommitError::Exhausted);
        }
        // sled does not survive a full disk, so it is not let to meet one.
        match has_room(&self.dir, SPARE_BYTES + 4 * offset(group.bytes())) {
            Ok(true) => {}
            Ok(false) => {
                self.health.store(1, Ordering::Release);
                return Err(CommitError::DiskFull);
            }
            Err(error) => return Err(CommitError::Io(error)),
        }
        let time = now.max(self.last().time).min(Timestamp::MAX);
        let (committed, position) = self.apply(&mut writer, time, group)?;
        self.db.flush().map_err(|error| self.poisoned(&error))?;
        writer.files.flush().map_err(|error| self.poisoned(&error))?;
        // Both in one step for those who look a key up: an end that is announced has its keys findable.
        let mut pending = self.pending.write().unwrap_or_else(PoisonError::into_inner);
        *self.position.write().unwrap_or_else(PoisonError::into_inner) = position;
        pending.clear();
        drop(pending);
        self.health.store(0, Ordering::Release);
        Ok(committed)
    }

    fn read<'b>(&self, place: Place, buffer: &'b mut Vec<u8>) -> Result<Entry<'b>, ReadError> {
        self.entry(Serial(place.0), buffer)
    }

    fn find(&self, key: &[u8]) -> Result<Option<Place>, ReadError> {
        Ok(self.latest(key)?.map(|latest| Place(latest.serial.0)))
    }

    fn scan_keys(&self, after: &[u8], prefix: &[u8], visit: &mut KeyVisitor<'_>) -> Result<(), ReadError> {
        let mut at;
        let mut from =
            if after < prefix || after.is_empty() { Bound::Included(prefix) } else { Bound::Excluded(after) };
        let mut buffer = Vec::new();
        while let Some((key, latest)) = self.next_key(from, prefix)? {
            if latest.kind == EntryKind::PUT {
                let (key, serial) = (&*key, latest.serial);
                let flow = match self.entry(serial, &mut buffer) {
                    Ok(entry) if entry.key == key => visit(Ok(&entry)),
                    Ok(_) => visit(Err(DamagedKey { key, serial, error: self.damaged(Damage::Disagrees) })),
                    Err(error @ ReadError::Io { .. }) => return Err(error),
                    Err(error) => visit(Err(DamagedKey { key, serial, error })),
                };
                if flow.is_break() {
                    break;
                }
            }
            at = key;
            from = Bound::Excluded(&at);
        }
        Ok(())
    }

    fn scan_latest(
        &self,
        since: Serial,
        visit: &mut dyn FnMut(&KeyRecord<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let mut at;
        let mut from = Bound::Unbounded;
        while let Some((key, latest)) = self.next_key(from, &[])? {
            let place = Place(latest.serial.0);
            let record = KeyRecord { key: &key, serial: latest.serial, kind: latest.kind, place };
            if latest.serial > since && visit(&record).is_break() {
                break;
            }
            at = key;
            from = Bound::Excluded(&at);
        }
        Ok(())
    }

    fn follow(
        &self,
        after: Serial,
        visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<Serial, FollowError> {
        let last = self.last().serial;
        let mut done = after;
        let mut buffer = Vec::new();
        while done < last {
            let entry = self.entry(done.next(), &mut buffer).map_err(|error| self.unreadable(done.next(), error))?;
            done = entry.serial;
            if visit(&entry).is_break() {
                break;
            }
        }
        Ok(done)
    }

    fn read_serial<'b>(&self, serial: Serial, buffer: &'b mut Vec<u8>) -> Result<Option<Entry<'b>>, FollowError> {
        if !serial.is_some() || serial > self.last().serial {
            return Ok(None);
        }
        self.entry(serial, buffer).map(Some).map_err(|error| FollowError::of_entry(serial, error))
    }

    fn serial_at(&self, time: Timestamp) -> Result<Serial, FollowError> {
        let mut buffer = Vec::new();
        first_at(Serial(1), self.last().serial.next(), time, &mut |serial| {
            let entry = self.entry(serial, &mut buffer).map_err(|error| self.unreadable(serial, error))?;
            Ok(entry.time)
        })
    }

    fn redact(&self, after: Serial, upto: Serial, replace: &mut Replace<'_>) -> Result<Redacted, RedactError> {
        self.redact_notes(after, upto, replace)
    }

    fn last(&self) -> Position {
        *self.position.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> &dyn State {
        &*self.state
    }

    fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    fn health(&self) -> Health {
        match self.health.load(Ordering::Acquire) {
            0 => Health::Writable,
            1 => Health::DiskFull,
            _ => Health::Poisoned,
        }
    }

    fn statistics(&self) -> Statistics {
        Statistics {
            log_bytes: self.db.size_on_disk().unwrap_or_default(),
            segments: 1,
            state_bytes: self.state.bytes(),
            state_lag: self.last().serial.0.saturating_sub(self.state.applied().0),
            ..Statistics::default()
        }
    }

    fn close(&self) -> Result<(), StateError> {
        // After the commit under way, if there is one.
        let writer = self.writer();
        self.closed.store(true, Ordering::Release);
        if self.health() != Health::Poisoned {
            write_mark(&self.dir, self.last().serial).map_err(StateError::Io)?;
        }
        drop(writer);
        self.state.flush()
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // Nothing acknowledged depends on the state; if it can not be flushed, it is fed again.
        let _ = self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_for_room_before_sled_meets_a_full_disk() {
        let dir = tempfile::tempdir().unwrap();
        assert!(has_room(dir.path(), 0).unwrap());
        assert!(!has_room(dir.path(), u64::MAX).unwrap());
    }

    #[test]
    fn orders_entries_by_serial() {
        let mut keys: Vec<_> = [300, 1, 256, 2, 255, u64::MAX].map(|serial| entry_key(Serial(serial))).to_vec();
        keys.sort();
        assert_eq!(keys, [1, 2, 255, 256, 300, u64::MAX].map(|serial| entry_key(Serial(serial))));
    }
}
