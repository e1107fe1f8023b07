//! What the tests of this crate share: small stores, groups, and the whole content of a store as plain values.

use std::ops::ControlFlow;
use std::path::Path;

use waymark_store::{Engine, EntryKind, Group, MemoryStore, Options, Place, Serial, Store, Timestamp, Upkeep, open};

/// Smallest segments, no threads: everything happens in the commit.
pub fn small_options(dir: &Path) -> Options {
    Options {
        segment_bytes: 4096,
        open_segments: 4,
        state_cache_bytes: 1 << 20,
        record_cache_bytes: 1 << 20,
        upkeep: Upkeep::Inline,
        now: Timestamp(1_000),
        ..Options::new(dir)
    }
}

/// A store under test, and the folder it lies in, where it lies in one.
pub struct Subject {
    pub store: std::sync::Arc<dyn Store>,
    options: Option<Options>,
    _dir: Option<tempfile::TempDir>,
}

impl Subject {
    pub fn on_disk(engine: Engine) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { engine, ..small_options(dir.path()) };
        let (store, recovery) = open(&options).unwrap();
        assert!(recovery.created);
        Self { store, options: Some(options), _dir: Some(dir) }
    }

    pub fn in_memory() -> Self {
        Self { store: std::sync::Arc::new(MemoryStore::for_tests()), options: None, _dir: None }
    }

    /// Whether it is the reference, which lies in no folder.
    pub fn is_in_memory(&self) -> bool {
        self.options.is_none()
    }

    /// Closes and opens the store again, where it can.
    pub fn reopen(&mut self) {
        let Some(options) = &self.options else { return };
        let placeholder: std::sync::Arc<dyn Store> = std::sync::Arc::new(MemoryStore::for_tests());
        drop(std::mem::replace(&mut self.store, placeholder));
        let (store, recovery) = open(options).unwrap();
        assert!(!recovery.created);
        assert!(recovery.damage.is_empty(), "{:?}", recovery.damage);
        self.store = store;
    }
}

/// A group of puts by one actor.
pub fn puts(pairs: &[(&str, &str)]) -> Group {
    let mut group = Group::new();
    for (key, body) in pairs {
        group.push(EntryKind::PUT, key.as_bytes(), b"tester", Serial::NONE, body.as_bytes()).unwrap();
    }
    group
}

/// An entry with all its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    pub serial: u64,
    pub time: u64,
    pub kind: u8,
    pub previous: u64,
    pub actor: Vec<u8>,
    pub key: Vec<u8>,
    pub body: Vec<u8>,
}

impl Plain {
    pub fn of(entry: &waymark_store::Entry<'_>) -> Self {
        Self {
            serial: entry.serial.0,
            time: entry.time.0,
            kind: entry.kind.number(),
            previous: entry.previous.0,
            actor: entry.actor.to_vec(),
            key: entry.key.to_vec(),
            body: entry.body.to_vec(),
        }
    }
}

/// Every entry of the sequence.
pub fn sequence(store: &dyn Store) -> Vec<Plain> {
    let mut all = Vec::new();
    let last = store
        .follow(Serial::NONE, &mut |entry| {
            all.push(Plain::of(entry));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(last, store.last().serial);
    all
}

/// Live keys with their bodies, by scan.
pub fn live(store: &dyn Store) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    store
        .scan_keys(b"", b"", &mut |entry| {
            let entry = entry.unwrap();
            all.push((entry.key.to_vec(), entry.body.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    all
}

/// Body of the latest entry of a key, `None` for absent and deleted keys.
pub fn body_of(store: &dyn Store, key: &[u8]) -> Option<Vec<u8>> {
    let place: Place = store.find(key).unwrap()?;
    let mut buffer = Vec::new();
    let entry = store.read(place, &mut buffer).unwrap();
    assert_eq!(entry.key, key);
    (entry.kind == EntryKind::PUT).then(|| entry.body.to_vec())
}
