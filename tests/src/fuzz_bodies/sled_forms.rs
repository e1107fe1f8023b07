//! What a store keeps in sled: its small state, and its records where sled is the engine.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::TempDir;
use waymark_store::{
    Engine, EntryKind, FollowError, Group, Options, Serial, StateOp, Store, Timestamp, Tree, Upkeep, check, open,
};
use waymark_wire::{DecodeError, Reader};

use super::script::{piece, put_piece};

/// The input is a script that changes values in sled behind the store's back, under right checksums or not.
///
/// A check of the store finds what is wrong with it, or nothing. The store opens, or says why not; every entry it serves is one that lies in sled
/// under a right checksum, and so is every value of the state. It takes a write, or refuses it.
pub fn sled_forms(input: &[u8]) {
    let dir = folder();
    lay_out(dir.path());
    let Ok(kept) = change(dir.path(), input) else { return };
    let mut findings = 0;
    let checked = check(dir.path(), &mut |finding| {
        assert!(!finding.to_string().is_empty());
        findings += 1;
    });
    let is_sound = checked.is_ok() && findings == 0;
    let (store, recovery) = match open(&options(dir.path())) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(!is_sound, "sound and refused: {error}");
            return;
        }
    };
    let served = serve(store.as_ref(), &kept);
    if let (true, Ok(summary)) = (is_sound, checked) {
        assert!(recovery.damage.is_empty(), "{recovery:?}");
        assert_eq!(u64::try_from(served), Ok(summary.entries), "a sound store serves everything");
    }
    write(store.as_ref());
}

/// The files of the store that is changed, by their paths within it.
static BASE: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| {
    let dir = folder();
    let (store, _) = open(&options(dir.path())).expect("a new store opens");
    for number in 0..3_u64 {
        let mut group = Group::new();
        for key in [format!("20.500.1/{number}"), "20.500.1/SHARED".to_owned()] {
            group.push(EntryKind::PUT, key.as_bytes(), b"operator", Serial::NONE, b"body").expect("a small entry");
        }
        group.push(EntryKind::NOTE, b"", b"", Serial::NONE, b"note").expect("a small entry");
        store.commit(Timestamp(1_700_000_000_000 + number), &group).expect("the disk takes it");
    }
    let values = [(Tree(1), b"one"), (Tree(2), b"two")].map(|(tree, key)| StateOp::Put { tree, key, value: b"value" });
    store.state().apply(store.last().serial, &values).expect("the disk takes it");
    drop(store);
    let mut files = Vec::new();
    gather(dir.path(), Path::new(""), &mut files);
    files
});

fn options(dir: &Path) -> Options {
    Options {
        engine: Engine::Sled,
        state_cache_bytes: 1 << 20,
        record_cache_bytes: 1 << 20,
        upkeep: Upkeep::Inline,
        ..Options::new(dir)
    }
}

/// A new folder, in memory where the system has room for files there: flushes to a disk would take nearly all of the time.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

fn gather(from: &Path, within: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("a folder");
        let name = within.join(entry.file_name());
        if entry.path().is_dir() {
            gather(&entry.path(), &name, files);
        } else {
            files.push((name, fs::read(entry.path()).expect("a small file")));
        }
    }
}

/// Puts the store into a folder.
fn lay_out(dir: &Path) {
    for (name, content) in BASE.iter() {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("within the folder")).expect("a folder");
        fs::write(path, content).expect("a small file");
    }
}

/// What lies in sled: records and state.
struct Kept {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    state: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The folders of the two, in the order of their numbers in scripts.
const FOLDERS: [&str; 2] = ["records", "state"];

/// What a step of a script does.
#[derive(Debug)]
pub struct Step;

impl Step {
    /// Of the state; otherwise of the records.
    pub const STATE: u8 = 0x01;
    /// The value is taken out.
    pub const REMOVE: u8 = 0x02;
    /// The value gets its checksum: that of an entry under the key of one, that of key and value otherwise.
    pub const SEALED: u8 = 0x04;
    /// The summary of the state is made to agree with its values afterwards.
    pub const SUMMED: u8 = 0x08;

    /// A step as a part of an input.
    #[must_use]
    pub fn bytes(step: u8, key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut bytes = vec![step];
        put_piece(&mut bytes, key);
        put_piece(&mut bytes, value);
        bytes
    }
}

/// Runs the script; an error when it has no step.
fn change(dir: &Path, input: &[u8]) -> Result<Kept, DecodeError> {
    let mut script = Reader::new(input);
    let seed = crc32c::crc32c(&fs::read(dir.join("identity")).expect("every store has one")[16..32]);
    let sleds = FOLDERS.map(|name| sled::Config::new().path(dir.join(name)).cache_capacity(1 << 20).open());
    let [records, state] = sleds.map(|sled| sled.expect("as it was closed"));
    let mut step = script.u8()?;
    loop {
        let db = if step & Step::STATE == 0 { &records } else { &state };
        let (key, value) = (piece(&mut script)?, piece(&mut script)?);
        if step & Step::REMOVE != 0 {
            db.remove(key).expect("the disk takes it");
        } else {
            let value = if step & Step::SEALED == 0 { value.to_vec() } else { sealed(seed, key, value) };
            db.insert(key, value).expect("the disk takes it");
        }
        if step & Step::SUMMED != 0 {
            sum_up(&state);
        }
        let Ok(next) = script.u8() else { break };
        step = next;
    }
    let all = |db: &sled::Db| {
        let pair =
            |pair: sled::Result<(sled::IVec, sled::IVec)>| pair.map(|(key, value)| (key.to_vec(), value.to_vec()));
        db.iter().map(|each| pair(each).expect("just written")).collect()
    };
    let kept = Kept { records: all(&records), state: all(&state) };
    for db in [records, state] {
        db.flush().expect("the disk takes it");
    }
    Ok(kept)
}

fn sealed(seed: u32, key: &[u8], value: &[u8]) -> Vec<u8> {
    let checksum = match key {
        [b'e', serial @ ..] if serial.len() == 8 => {
            let place = u64::from_be_bytes(serial.try_into().expect("8 bytes"));
            crc32c::crc32c_append(crc32c::crc32c_append(seed, &place.to_le_bytes()), value)
        }
        _ => crc32c::crc32c_append(crc32c::crc32c(key), value),
    };
    [value, &checksum.to_le_bytes()].concat()
}

/// Makes the summary of the state say how many values there are, and the sum of their weights.
fn sum_up(state: &sled::Db) {
    let (mut count, mut sum) = (0_u64, 0_u64);
    for pair in state.iter() {
        let (key, stored) = pair.expect("just written");
        if *key == [0] {
            continue;
        }
        let value = &stored[..stored.len().saturating_sub(4)];
        let value = if stored.len() < 4 { &stored } else { value };
        let low = crc32c::crc32c_append(crc32c::crc32c(&key), value);
        let high = crc32c::crc32c_append(crc32c::crc32c(value), &key);
        count += 1;
        sum = sum.wrapping_add(u64::from(high) << 32 | u64::from(low));
    }
    let stated = state.get([0]).expect("just written").unwrap_or_default();
    let head = stated.get(..12).map_or_else(|| [&1_u32.to_le_bytes()[..], &[0; 8]].concat(), <[u8]>::to_vec);
    let summary = [&head[..], &count.to_le_bytes(), &sum.to_le_bytes()].concat();
    state.insert([0], sealed(0, &[0], &summary)).expect("the disk takes it");
}

/// Everything the store serves, by every way there is; gives the number of entries that can be followed.
fn serve(store: &dyn Store, kept: &Kept) -> usize {
    let seed = crc32c::crc32c(&store.identity().store_id);
    let lies_there = |entry: &waymark_store::Entry<'_>| {
        let key = [&b"e"[..], &entry.serial.0.to_be_bytes()].concat();
        let stored = &kept.records[&key];
        assert!(stored.ends_with(&sealed(seed, &key, &stored[..stored.len() - 4])[stored.len() - 4..]));
        let text = [entry.actor, entry.key, entry.body].concat();
        assert!(stored[..stored.len() - 4].ends_with(&text), "what is served is what lies there");
    };
    let (mut after, mut count, mut holes) = (Serial::NONE, 0, 0);
    loop {
        let outcome = store.follow(after, &mut |entry| {
            assert!(entry.serial > after);
            (after, count) = (entry.serial, count + 1);
            lies_there(entry);
            ControlFlow::Continue(())
        });
        match outcome {
            Err(FollowError::Damaged { resume_after, .. }) if resume_after > after => after = resume_after,
            _ => break,
        }
        holes += 1;
        assert!(holes <= kept.records.len() + 1, "a hole is passed over as a whole");
    }
    let mut found = Vec::new();
    let _ = store.scan_latest(Serial::NONE, &mut |record| {
        found.push((record.key.to_vec(), record.place));
        ControlFlow::Continue(())
    });
    let mut buffer = Vec::new();
    for (key, place) in found {
        let _ = store.find(&key);
        if let Ok(entry) = store.read(place, &mut buffer) {
            lies_there(&entry);
        }
    }
    let _ = store.scan_keys(b"", b"", &mut |met| {
        if let Ok(entry) = met {
            lies_there(entry);
        }
        ControlFlow::Continue(())
    });
    let _ = store.serial_at(Timestamp(1_700_000_000_001));
    values(store, kept);
    count
}

fn values(store: &dyn Store, kept: &Kept) {
    for tree in (0..=u8::MAX).map(Tree) {
        let _ = store.state().scan(tree, b"", &mut |key, value| {
            let stored_key = [&[1, tree.0], key].concat();
            assert_eq!(kept.state[&stored_key], sealed(0, &stored_key, value), "what is served is what lies there");
            ControlFlow::Continue(())
        });
    }
}

fn write(store: &dyn Store) {
    let mut group = Group::new();
    group.push(EntryKind::PUT, b"20.500.1/NEW", b"writer", Serial::NONE, b"body").expect("a small entry");
    if let Ok(committed) = store.commit(Timestamp(1_800_000_000_000), &group) {
        let mut buffer = Vec::new();
        let entry = store.read(committed.places[0], &mut buffer).expect("just written");
        assert_eq!((entry.key, entry.serial), (&b"20.500.1/NEW"[..], committed.first));
    }
}
