//! What is known of names that live elsewhere, within a budget of bytes.
//!
//! - **One entry for each handle**: its whole public record, from which every question about it is answered; or that it shows nothing, or does
//!   not exist. Beside these, services of prefixes, prefixes that do not exist (one entry answers for all names beneath), and failures.
//! - **Answering threads** call [`Cache::find`]. It hashes the name, looks at one shard, and counts the entry it gives out; it allocates
//!   nothing and does not wait: while somebody changes that shard it looks a few times more and then says [`Found::Busy`].
//! - **Eviction** is that of `quick_cache` (Clock-PRO, close to S3-FIFO): names asked for once pass through without pushing out those asked
//!   for again. Entries are weighed by the memory they take, tables included.
//! - **Keys** are 64-bit hashes of the name in one case under a secret of the process, so that nobody can aim collisions; an entry holds its name, and one that is found
//!   under the hash of another name is no hit.
//! - **Time**: an entry is good for as long as its values say, within floor and ceiling. Past that it is [`Found::Stale`] for a while: whoever
//!   cannot learn better may give it out, unless it holds a value of a type that must not be late.

mod dump;
mod entry;
mod flushes;
mod limits;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use quick_cache::sync::{Cache as Table, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use siphasher::sip::SipHasher13;
use std::hash::{BuildHasherDefault, Hasher};
use waymark_ident::PREFIX_RECORDS;
use waymark_wire::{Values, type_matches};

pub use self::dump::{DumpError, Loaded};
pub use self::entry::{CacheSeconds, Entry, EntryKind, Known};
use self::entry::{Head, Kind, State, put_sites, seconds};
pub use self::flushes::Epoch;
use self::flushes::{Flushes, is_within};
pub use self::limits::{
    ABSENT, ABSENT_PREFIX, BUDGET_BYTES, CEILING, CacheLimits, FAILURE, FLOOR, MAX_NEVER_STALE_TYPES, POPULAR_HITS,
    STALE, STALE_TTL_SECONDS,
};
use self::limits::{GHOSTS, MAX_RESERVED, REFRESH_QUEUE, TABLE_BYTES, TRIES, USUAL_ENTRY_BYTES};
use crate::knowledge::{Fact, Knowledge, Learned, Now, Scope, Service, What, absence_prefix};

/// The cache. Shared by all threads.
pub struct Cache {
    table: Table<u64, Entry, ByBytes, BuildHasherDefault<AsItIs>>,
    secret: (u64, u64),
    limits: CacheLimits,
    refresh: ArrayQueue<Entry>,
    flushes: Flushes,
}

/// What looking for a name gives.
#[derive(Clone, Debug)]
pub enum Found {
    /// Good: answer from it.
    Fresh(Entry),
    /// The prefix of the name does not exist, and so the name does not.
    AbsentPrefix,
    /// Its time is over. It may be given out if nothing better is to be had.
    Stale(Entry),
    /// Nothing.
    Missing,
    /// Somebody changes that part of the cache: ask where one may wait.
    Busy,
}

/// What the cache holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CacheStats {
    /// Entries of all kinds.
    pub entries: u64,
    /// Bytes they take, tables included.
    pub bytes: u64,
    /// Bytes they may take.
    pub budget_bytes: u64,
    /// Entries that wait to be fetched ahead of their end.
    pub refreshing: u64,
}

/// What to forget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flush<'f> {
    /// The handle of this canonical key, in whatever case of its letters.
    Name(&'f [u8]),
    /// Everything of this folded prefix and the prefixes derived from it.
    Prefix(&'f [u8]),
    /// Everything.
    All,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: CacheLimits) -> Self {
        Self::with_secret(limits, (rand::random(), rand::random()))
    }

    fn with_secret(limits: CacheLimits, secret: (u64, u64)) -> Self {
        let limits = limits.in_range();
        let entries = usize::try_from(limits.budget_bytes / USUAL_ENTRY_BYTES).unwrap_or(usize::MAX);
        let options = OptionsBuilder::new()
            .weight_capacity(limits.budget_bytes)
            .estimated_items_capacity(entries)
            .ghost_allocation(GHOSTS)
            .build()
            .unwrap_or_else(|_| unreachable!("both sizes are given"));
        let table = Table::with_options(options, ByBytes, BuildHasherDefault::default(), DefaultLifecycle::default());
        // All at once: tables that grow by doubling take more than is counted, and make askers wait while they move. Only so far as a machine
        // certainly has it: a budget is no promise that there is as much memory.
        table.reserve(entries.min(MAX_RESERVED));
        Self { table, secret, limits, refresh: ArrayQueue::new(REFRESH_QUEUE), flushes: Flushes::default() }
    }

    /// The limits it was made with, within their ranges.
    #[must_use]
    pub const fn limits(&self) -> &CacheLimits {
        &self.limits
    }

    /// Looks for a handle by its canonical key. For answering threads: no allocation, no waiting.
    #[must_use]
    pub fn find(&self, key: &[u8], certified: bool, now: Now) -> Found {
        let seconds = CacheSeconds::from(now);
        match self.try_get(Kind::Fact, key, certified) {
            Err(Contended) => Found::Busy,
            Ok(Some(entry)) => self.judge(entry, seconds),
            Ok(None) => match self.try_get(Kind::AbsentPrefix, absence_prefix(key), certified) {
                Err(Contended) => Found::Busy,
                Ok(Some(absent)) if absent.seconds_left(seconds) > 0 => Found::AbsentPrefix,
                Ok(_) => Found::Missing,
            },
        }
    }

    fn judge(&self, entry: Entry, now: CacheSeconds) -> Found {
        let left = entry.seconds_left(now);
        let is_popular = entry.count_hit(self.limits.popular_hits);
        if left == 0 {
            let past = entry.age_seconds(now).saturating_sub(entry.head().good_for);
            let may = !entry.head().never_stale && past <= seconds(self.limits.stale);
            return if may { Found::Stale(entry) } else { Found::Missing };
        }
        // The last tenth of its time, and a second at least.
        if is_popular && left <= (entry.head().good_for / 10).max(1) && entry.tell_once() {
            // A full queue leaves it to end.
            let _ = self.refresh.push(entry.clone());
        }
        Found::Fresh(entry)
    }

    /// The next popular entry that is near its end, for whoever fetches it again.
    #[must_use]
    pub fn next_to_refresh(&self) -> Option<Entry> {
        self.refresh.pop()
    }

    /// How often something was forgotten so far: to be taken before a question is sent whose answer [`learn_since`](Self::learn_since) takes in.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.flushes.epoch()
    }

    /// Takes in what an answer taught, unless it was forgotten while the answer was on its way.
    pub fn learn_since(&self, learned: &Learned, since: Epoch, now: Now) {
        if !self.flushes.cover(learned, since) {
            self.learn(learned, now);
            // What is forgotten in this moment is forgotten behind the line above, or seen here.
            if self.flushes.cover(learned, since) {
                self.unlearn(&learned.what, learned.certified);
            }
        }
    }

    fn unlearn(&self, what: &What, certified: bool) {
        match what {
            What::Fact { key, .. } => self.forget(Kind::Fact, key, certified),
            What::Service { prefix, scope, .. } | What::Lame { prefix, scope } => {
                self.forget(Kind::of_scope(*scope), prefix, certified)
            }
            What::AbsentPrefix { prefix } => self.forget(Kind::AbsentPrefix, prefix, certified),
        };
    }

    /// Takes in what an answer taught.
    pub fn learn(&self, learned: &Learned, now: Now) {
        self.take_in(learned, None, now);
    }

    /// Takes in what was learned `age` seconds ago and is good for no longer than its lifetime from now on.
    pub(crate) fn learn_again(&self, learned: &Learned, age: u32, now: Now) {
        self.take_in(learned, Some(age), now);
    }

    fn take_in(&self, learned: &Learned, age: Option<u32>, now: Now) {
        let Learned { what, certified, lifetime_seconds } = learned;
        let put = |head: Head, key: &[u8], payload: &[u8]| {
            let head = Head { certified: *certified, ..head };
            let head = match age {
                Some(age) => head.aged(age, lifetime_seconds.unwrap_or(u32::MAX)),
                None => head,
            };
            self.put(head, key, payload);
        };
        match what {
            What::Fact { key, fact } => {
                let (state, record, lifetime) = match &**fact {
                    Fact::Values(record) => (State::Values, Some(record), *lifetime_seconds),
                    Fact::NoValues => (State::NoValues, None, Some(within(*lifetime_seconds, self.limits.absent))),
                    Fact::Absent => (State::Absent, None, Some(within(*lifetime_seconds, self.limits.absent))),
                };
                let (count, wire) = record.map_or((0, &[][..]), |record| (record.count, &record.wire));
                // Kept for whoever walks it without looking: it must be whole.
                let Ok(values) = Values::from_wire(count, wire) else { return };
                let never_stale = self.is_never_stale(values);
                let head = Head { state, count, never_stale, ..self.head(Kind::Fact, now) };
                put(Head { good_for: self.good_for(lifetime), ..head }, key, wire);
            }
            What::Service { prefix, scope, service } => {
                let head = self.head(Kind::of_scope(*scope), now);
                put(Head { good_for: self.good_for(*lifetime_seconds), ..head }, prefix, &put_sites(service));
                self.forget(Kind::AbsentPrefix, prefix, *certified);
            }
            What::AbsentPrefix { prefix } => {
                let head = self.head(Kind::AbsentPrefix, now);
                let good_for = within(*lifetime_seconds, self.limits.absent_prefix);
                put(Head { good_for, ..head }, prefix, &[]);
                // No record, no delegation: what was known of one is over.
                self.forget(Kind::Service, prefix, *certified);
                self.forget(Kind::DerivedService, prefix, *certified);
            }
            What::Lame { prefix, scope } => {
                self.forget(Kind::of_scope(*scope), prefix, *certified);
            }
        }
    }

    /// Remembers for a few seconds that the servers of a prefix do not answer.
    pub fn fail(&self, prefix: &[u8], now: Now) {
        let head = Head { good_for: seconds(self.limits.failure), ..self.head(Kind::Failure, now) };
        self.put(head, prefix, &[]);
    }

    /// Whether the servers of a prefix did not answer a moment ago.
    #[must_use]
    pub fn has_failed(&self, prefix: &[u8], now: Now) -> bool {
        self.get(Kind::Failure, prefix, false).is_some_and(|failure| failure.seconds_left(now.into()) > 0)
    }

    /// Looks for a handle where one may wait; never [`Found::Busy`].
    #[must_use]
    pub fn find_patiently(&self, key: &[u8], certified: bool, now: Now) -> Found {
        if let Some(entry) = self.get(Kind::Fact, key, certified) {
            return self.judge(entry, now.into());
        }
        if self.is_absent_prefix(absence_prefix(key), certified, now) { Found::AbsentPrefix } else { Found::Missing }
    }

    /// What is known of a handle, as long as it is good.
    pub(crate) fn fresh_entry(&self, key: &[u8], certified: bool, now: Now) -> Option<Entry> {
        self.get(Kind::Fact, key, certified).filter(|entry| entry.seconds_left(now.into()) > 0)
    }

    /// Forgets; gives the number of entries that went. Looks at all of them unless one name is meant.
    pub fn flush(&self, flush: Flush<'_>) -> u64 {
        self.flushes.note(flush);
        match flush {
            Flush::Name(key) => {
                let names = [false, true].map(|certified| self.name(Kind::Fact, key, certified));
                let is_it = |entry: &Entry| entry.key().eq_ignore_ascii_case(key);
                names.iter().map(|name| u64::from(self.table.remove_if(name, is_it).is_some())).sum()
            }
            Flush::Prefix(prefix) => {
                let before = self.table.len();
                self.table.retain(|_, entry| !is_beneath(entry, prefix));
                before.saturating_sub(self.table.len()) as u64
            }
            Flush::All => {
                let before = self.table.len();
                self.table.clear();
                before as u64
            }
        }
    }

    /// Everything it holds, in no order.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.table.iter().map(|(_, entry)| entry).collect()
    }

    /// What it holds, in numbers.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            entries: self.table.len() as u64,
            bytes: self.table.weight(),
            budget_bytes: self.limits.budget_bytes,
            refreshing: self.refresh.len() as u64,
        }
    }

    fn head(&self, kind: Kind, now: Now) -> Head {
        Head {
            kind,
            state: State::Absent,
            certified: false,
            never_stale: false,
            key_bytes: 0,
            count: 0,
            learned: CacheSeconds::from(now).0,
            good_for: 0,
            hits: AtomicU32::new(0),
            told: AtomicBool::new(false),
        }
    }

    /// Seconds an answer is good for, from what its values say.
    fn good_for(&self, said: Option<u32>) -> u32 {
        let said = said.unwrap_or_else(|| seconds(self.limits.absent));
        said.clamp(seconds(self.limits.floor), seconds(self.limits.ceiling))
    }

    fn is_never_stale(&self, values: Values<'_>) -> bool {
        let types = &self.limits.never_stale_types;
        values.iter().any(|value| types.iter().any(|kind| type_matches(kind.as_bytes(), value.kind)))
    }

    /// Puts an entry in the place of whatever its name had. Names too long for the form are not kept.
    fn put(&self, head: Head, key: &[u8], payload: &[u8]) {
        let Ok(key_bytes) = u16::try_from(key.len()) else { return };
        if head.good_for == 0 {
            self.forget(head.kind, key, head.certified);
            return;
        }
        let name = self.name(head.kind, key, head.certified);
        self.table.insert(name, Entry::new(Head { key_bytes, ..head }, key, payload));
    }

    fn forget(&self, kind: Kind, key: &[u8], certified: bool) -> bool {
        let name = self.name(kind, key, certified);
        self.table.remove_if(&name, |entry| entry.key() == key).is_some()
    }

    fn get(&self, kind: Kind, key: &[u8], certified: bool) -> Option<Entry> {
        let entry = self.table.get(&self.name(kind, key, certified))?;
        is_named(&entry, kind, key, certified).then_some(entry)
    }

    fn try_get(&self, kind: Kind, key: &[u8], certified: bool) -> Result<Option<Entry>, Contended> {
        let name = self.name(kind, key, certified);
        for _ in 0..TRIES {
            if let Ok(found) = self.table.try_get(&name) {
                return Ok(found.filter(|entry| is_named(entry, kind, key, certified)));
            }
            std::hint::spin_loop();
        }
        Err(Contended)
    }

    /// The hash a name is found under.
    fn name(&self, kind: Kind, key: &[u8], certified: bool) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.secret.0, self.secret.1);
        hasher.write(&[kind.byte(), u8::from(certified)]);
        // In one case: spellings share a place, so that whoever forgets a name, in the case its server keeps it in, forgets them all.
        let mut folded = [0; 64];
        for part in key.chunks(folded.len()) {
            let (upper, _) = folded.split_at_mut(part.len());
            upper.copy_from_slice(part);
            upper.make_ascii_uppercase();
            hasher.write(upper);
        }
        hasher.finish()
    }
}

impl Knowledge for Cache {
    fn fact(&self, key: &[u8], certified: bool, now: Now) -> Option<Arc<Fact>> {
        self.fresh_entry(key, certified, now)?.fact()
    }

    fn service(&self, prefix: &[u8], scope: Scope, certified: bool, now: Now) -> Option<Arc<Service>> {
        let entry = self.get(Kind::of_scope(scope), prefix, certified);
        entry.filter(|entry| entry.seconds_left(now.into()) > 0)?.service()
    }

    fn is_absent_prefix(&self, prefix: &[u8], certified: bool, now: Now) -> bool {
        self.get(Kind::AbsentPrefix, prefix, certified).is_some_and(|entry| entry.seconds_left(now.into()) > 0)
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// Seconds an absence is good for: as long as the limit says, or what was left of that when it was written to a dump.
fn within(left: Option<u32>, limit: Duration) -> u32 {
    left.unwrap_or(u32::MAX).min(seconds(limit))
}

/// Somebody changes that part of the table.
struct Contended;

fn is_named(entry: &Entry, kind: Kind, key: &[u8], certified: bool) -> bool {
    let head = entry.head();
    head.kind == kind && head.certified == certified && entry.key() == key
}

/// Whether an entry is of a prefix or one derived from it. Keys of handles begin with their prefix; those of prefix records, with `0.NA/`.
fn is_beneath(entry: &Entry, prefix: &[u8]) -> bool {
    let key = entry.key();
    let named = if entry.head().kind == Kind::Fact { key.strip_prefix(PREFIX_RECORDS).unwrap_or(key) } else { key };
    is_within(named, prefix)
}

/// Weighs an entry by the memory it takes.
#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<u64, Entry> for ByBytes {
    fn weight(&self, _: &u64, entry: &Entry) -> u64 {
        entry.bytes() + TABLE_BYTES
    }
}

/// A hash of what is a hash already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not reached: keys are one number.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests;
