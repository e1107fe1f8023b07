//! The fast way to the data: what answering threads use. No lock, no wait, no allocation, no disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Cache};
use waymark_ident::{CaseRule, Handle, MAX_KEY_BYTES};
use waymark_index::{Found, HashKey, Key};
use waymark_store::Serial;

use crate::prefixes::Prefixes;
use crate::range::{Code, Finding, Pattern, Ranges};
use crate::record::Stored;

/// Keys whose findings are held at a time; the index itself looks up half as many side by side.
const CHUNK: usize = 2 * waymark_index::BATCH;

/// One thread's way to records and prefixes. Made by [`Catalog::reader`](crate::Catalog::reader); not shared.
pub struct Reader {
    index: waymark_index::Reader,
    hash_key: HashKey,
    prefixes: Cache<Arc<ArcSwap<Prefixes>>, Arc<Prefixes>>,
    ranges: Cache<Arc<ArcSwap<Ranges>>, Arc<Ranges>>,
    visible: Arc<AtomicU64>,
    rule: CaseRule,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl Reader {
    pub(crate) fn new(
        index: waymark_index::Reader,
        prefixes: Arc<ArcSwap<Prefixes>>,
        ranges: Arc<ArcSwap<Ranges>>,
        visible: Arc<AtomicU64>,
        rule: CaseRule,
    ) -> Self {
        let hash_key = index.hash_key().clone();
        Self { index, hash_key, prefixes: Cache::new(prefixes), ranges: Cache::new(ranges), visible, rule }
    }

    /// Holds the data for one batch. While the view lives, memory of replaced records is not reused: hold it for a
    /// batch of answers, never across a wait.
    ///
    /// The table of prefixes is the one published last when the view was made; a batch sees one table throughout.
    pub fn pin(&mut self) -> View<'_> {
        let serial = Serial(self.visible.load(Ordering::Acquire));
        let prefixes = self.prefixes.load();
        let ranges = self.ranges.load();
        View { pin: self.index.pin(), hash_key: &self.hash_key, prefixes, ranges, serial, rule: self.rule }
    }
}

/// The data as one batch sees it.
pub struct View<'r> {
    pin: waymark_index::Pin<'r>,
    hash_key: &'r HashKey,
    prefixes: &'r Arc<Prefixes>,
    ranges: &'r Arc<Ranges>,
    serial: Serial,
    rule: CaseRule,
}

/// What a look-up found.
#[derive(Clone, Copy, Debug)]
pub enum Lookup<'v> {
    /// There is no such record.
    Absent,
    /// The record, from memory, its key compared.
    Record(Stored<'v>),
    /// There may be a record, on disk: ask [`ColdReader::fetch`](crate::ColdReader::fetch) where waiting is allowed.
    Cold,
}

/// What a name without a record of its own has from the package it is a code of.
#[derive(Clone, Copy, Debug)]
pub enum Inherited<'v> {
    /// It is no code.
    Nothing,
    /// It has the form of a code, and was never made.
    NeverIssued,
    /// It was made, and is over: withdrawn or spoiled.
    Over,
    /// It has these values, with these parts of its name put in.
    Values(&'v Pattern, Code<'v>),
}

impl View<'_> {
    /// The key of a handle: folded as this catalog folds, and hashed.
    pub fn key<'k>(&self, handle: &Handle<'_>, out: &'k mut [u8; MAX_KEY_BYTES]) -> Key<'k> {
        self.hash_key.key(handle.to_key(self.rule, out))
    }

    /// Looks up `keys` together, so that the latency of memory is paid once, and puts the findings into `out`, in the
    /// same order. Keys without room in `out` are not looked up.
    pub fn find<'v>(&'v self, keys: &[Key<'_>], out: &mut [Lookup<'v>]) {
        let mut found = [Found::Absent; CHUNK];
        for (keys, out) in keys.chunks(CHUNK).zip(out.chunks_mut(CHUNK)) {
            self.pin.find(keys, &mut found);
            for (found, out) in found.iter().zip(out) {
                *out = lookup(*found);
            }
        }
    }

    /// Looks up one key.
    #[must_use]
    pub fn find_one(&self, key: Key<'_>) -> Lookup<'_> {
        lookup(self.pin.find_one(key))
    }

    /// Tells whether this node answers for a handle: its prefix is homed, or it is the record of a prefix derived from a
    /// marked one.
    #[must_use]
    pub fn serves(&self, handle: &Handle<'_>) -> bool {
        let mut room = [0; MAX_KEY_BYTES];
        self.prefixes.serves(handle.to_key(self.rule, &mut room))
    }

    /// As [`serves`](Self::serves), for a key made by [`key`](Self::key).
    #[must_use]
    pub fn serves_key(&self, key: Key<'_>) -> bool {
        self.prefixes.serves(key.bytes)
    }

    /// Tells whether a prefix, folded to upper case, is homed.
    #[must_use]
    pub fn homed(&self, prefix_folded: &[u8]) -> bool {
        self.prefixes.is_homed(prefix_folded)
    }

    /// What a name has from a code package, by its canonical key and as it was asked. Allocates nothing and never needs the disk.
    #[must_use]
    pub fn inherited<'v>(&'v self, key: &[u8], name: &'v [u8]) -> Inherited<'v> {
        match self.ranges.find(key) {
            Finding::None => Inherited::Nothing,
            Finding::NeverIssued(_) => Inherited::NeverIssued,
            Finding::Code(range, serial) => match Ranges::pattern(range, serial) {
                Some(pattern) => Inherited::Values(pattern, Ranges::code(range, name)),
                None => Inherited::Over,
            },
        }
    }

    /// The table of prefixes.
    #[must_use]
    pub fn prefixes(&self) -> &Prefixes {
        self.prefixes
    }

    /// Everything up to this serial is visible in this view; later writes may be.
    #[must_use]
    pub const fn serial(&self) -> Serial {
        self.serial
    }
}

/// A finding of the index as one of the catalog. A resident record of an unknown form is left to the slow path, which
/// says what is wrong with it.
fn lookup(found: Found<'_>) -> Lookup<'_> {
    match found {
        Found::Absent => Lookup::Absent,
        Found::Cold(_) => Lookup::Cold,
        Found::Resident(record) => Stored::parse(record.body()).map_or(Lookup::Cold, Lookup::Record),
    }
}
