//! One thing the cache holds, in one piece of memory.
//!
//! ```text
//! head: what it is, when it was learned, how long it is good | key | payload
//! ```
//! The payload of values is their wire form; that of a service its sites, each with its length before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use triomphe::ThinArc;
use waymark_wire::types::Site;
use waymark_wire::{Reader, Sink, Values};

use crate::knowledge::{Fact, Now, Record, Scope, Service};

/// What an entry is about. Names of one kind and another never meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) enum Kind {
    /// A handle, whatever is known of it; the key is the canonical one.
    Fact,
    /// Where handles under a prefix live.
    Service,
    /// Where the records of prefixes derived from a prefix live.
    DerivedService,
    /// A prefix without a record.
    AbsentPrefix,
    /// A prefix whose servers do not answer.
    Failure,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Fact, Self::Service, Self::DerivedService, Self::AbsentPrefix, Self::Failure];

    pub(crate) const fn of_scope(scope: Scope) -> Self {
        match scope {
            Scope::Handles => Self::Service,
            Scope::DerivedPrefixes => Self::DerivedService,
        }
    }

    /// Its byte in names and dumps; never changes.
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Fact => b'F',
            Self::Service => b'S',
            Self::DerivedService => b'D',
            Self::AbsentPrefix => b'A',
            Self::Failure => b'X',
        }
    }

    pub(crate) fn of_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.byte() == byte)
    }
}

/// What is known of a handle, beside the values themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Values, in the payload.
    Values,
    /// It exists and shows nothing.
    NoValues,
    /// It does not exist.
    Absent,
}

impl State {
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Values => 0,
            Self::NoValues => 1,
            Self::Absent => 2,
        }
    }

    pub(crate) fn of_byte(byte: u8) -> Option<Self> {
        [Self::Values, Self::NoValues, Self::Absent].into_iter().find(|state| state.byte() == byte)
    }
}

/// Everything but key and payload.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) state: State,
    pub(crate) certified: bool,
    /// Holds a value of a type that is never given out past its time.
    pub(crate) never_stale: bool,
    pub(crate) key_bytes: u16,
    /// Values in the payload.
    pub(crate) count: u32,
    /// When it was learned, in seconds of the cache's own time.
    pub(crate) learned: u32,
    /// Seconds it is good for.
    pub(crate) good_for: u32,
    /// Times it was asked for, up to the number that makes it popular.
    pub(crate) hits: AtomicU32,
    /// Whether somebody was told to fetch it again.
    pub(crate) told: AtomicBool,
}

impl Head {
    /// The same, learned `age` seconds before and good for `left` seconds from now on at most.
    pub(crate) fn aged(self, age: u32, left: u32) -> Self {
        let age = age.min(self.learned);
        Self { learned: self.learned - age, good_for: age.saturating_add(self.good_for.min(left)), ..self }
    }
}

/// An entry, shared. Cloning it counts, and copies nothing.
#[derive(Clone, Debug)]
pub struct Entry(pub(crate) ThinArc<Head, u8>);

impl Entry {
    pub(crate) fn new(head: Head, key: &[u8], payload: &[u8]) -> Self {
        Self(ThinArc::from_header_and_slice(head, &[key, payload].concat()))
    }

    pub(crate) fn head(&self) -> &Head {
        &self.0.header.header
    }

    /// Canonical key of the handle, or folded prefix.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.0.slice.get(..usize::from(self.head().key_bytes)).unwrap_or_default()
    }

    /// What it says.
    #[must_use]
    pub fn kind(&self) -> EntryKind {
        match (self.head().kind, self.head().state) {
            (Kind::Fact, State::Values) => EntryKind::Values,
            (Kind::Fact, State::NoValues) => EntryKind::NoValues,
            (Kind::Fact, State::Absent) => EntryKind::Absent,
            (Kind::Service, _) => EntryKind::Service,
            (Kind::DerivedService, _) => EntryKind::DerivedService,
            (Kind::AbsentPrefix, _) => EntryKind::AbsentPrefix,
            (Kind::Failure, _) => EntryKind::Failure,
        }
    }

    /// Values it holds.
    #[must_use]
    pub fn values(&self) -> u32 {
        self.head().count
    }

    /// Whether it was verified, all the way from the roots.
    #[must_use]
    pub fn is_certified(&self) -> bool {
        self.head().certified
    }

    pub(crate) fn payload(&self) -> &[u8] {
        self.0.slice.get(usize::from(self.head().key_bytes)..).unwrap_or_default()
    }

    /// What it says of a handle. `None` for services, absent prefixes and failures.
    #[must_use]
    pub fn known(&self) -> Option<Known<'_>> {
        let head = self.head();
        (head.kind == Kind::Fact).then(|| match head.state {
            // Checked when it was learned.
            State::Values => Known::Values(Values::checked_before(head.count, self.payload())),
            State::NoValues => Known::NoValues,
            State::Absent => Known::Absent,
        })
    }

    /// The same, for those who keep it.
    pub(crate) fn fact(&self) -> Option<Arc<Fact>> {
        let record = |values: Values<'_>| Record { count: self.head().count, wire: values.wire().into() };
        self.known().map(|known| {
            Arc::new(match known {
                Known::Values(values) => Fact::Values(record(values)),
                Known::NoValues => Fact::NoValues,
                Known::Absent => Fact::Absent,
            })
        })
    }

    pub(crate) fn service(&self) -> Option<Arc<Service>> {
        let kinds = [Kind::Service, Kind::DerivedService];
        kinds.contains(&self.head().kind).then(|| sites_of(self.payload()).map(Arc::new))?
    }

    /// Seconds since it was learned.
    #[must_use]
    pub fn age_seconds(&self, now: CacheSeconds) -> u32 {
        now.0.saturating_sub(self.head().learned)
    }

    /// Seconds it is still good for; 0 when its time is over.
    #[must_use]
    pub fn seconds_left(&self, now: CacheSeconds) -> u32 {
        self.head().good_for.saturating_sub(self.age_seconds(now))
    }

    /// Counts that it was asked for, up to `most`; tells whether that many have.
    pub(crate) fn count_hit(&self, most: u32) -> bool {
        let hits = &self.head().hits;
        let before = hits.load(Ordering::Relaxed);
        if before < most {
            hits.store(before.saturating_add(1), Ordering::Relaxed);
        }
        before >= most
    }

    /// Whether nobody was told before that it is to be fetched again.
    pub(crate) fn tell_once(&self) -> bool {
        !self.head().told.load(Ordering::Relaxed) && !self.head().told.swap(true, Ordering::Relaxed)
    }

    /// Bytes of memory it takes, as the usual allocator rounds them: counter, length and head before the bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let bytes = 2 * size_of::<usize>() + size_of::<Head>() + self.0.slice.len();
        // A size word before each piece, pieces in steps of 16.
        (bytes + size_of::<usize>()).next_multiple_of(16) as u64
    }
}

/// What an entry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryKind {
    /// The public values of a handle.
    Values,
    /// A handle exists and shows nothing to the public.
    NoValues,
    /// A handle does not exist.
    Absent,
    /// Where the handles of a prefix live.
    Service,
    /// Where the records of prefixes derived from a prefix live.
    DerivedService,
    /// A prefix has no record.
    AbsentPrefix,
    /// The servers of a prefix did not answer.
    Failure,
}

/// What is known of a handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known<'e> {
    /// Its public values.
    Values(Values<'e>),
    /// It exists and shows nothing to the public.
    NoValues,
    /// It does not exist.
    Absent,
}

/// Seconds of the cache's own time: they go on while the process runs and never back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CacheSeconds(pub(crate) u32);

/// Where the time of a process begins, so that what was learned before it, and was loaded, has a time too.
const BEFORE_START: u32 = 1 << 22;

impl From<Now> for CacheSeconds {
    fn from(now: Now) -> Self {
        Self(u32::try_from(now.elapsed.as_secs()).unwrap_or(u32::MAX).saturating_add(BEFORE_START))
    }
}

/// Whole seconds of a duration.
pub(crate) fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

/// Sites with their lengths.
pub(crate) fn put_sites(service: &Service) -> Vec<u8> {
    let mut out = Vec::new();
    service.sites.iter().for_each(|site| out.put_bytes(site));
    out
}

/// Reads them back; `None` for what is not at least one site.
pub(crate) fn sites_of(payload: &[u8]) -> Option<Service> {
    let mut reader = Reader::new(payload);
    let mut sites = Vec::new();
    while !reader.is_empty() {
        let site = reader.bytes().ok()?;
        Site::parse(site).ok()?;
        sites.push(site.into());
    }
    (!sites.is_empty()).then(|| Service { sites: sites.into() })
}
