//! The change feed: what happened to records after a serial, in order, and the records that changed last within a span of time.
//!
//! Only what readers can see is given out, and each call looks at a bounded number of entries, so that a caller may stop between two calls
//! and go on from where it was. Damage ends nothing: the caller is told where it lies, and what lies behind it.

use std::ops::ControlFlow;

use waymark_store::{DamagedKey, Entry, EntryKind, FollowError, Serial, Store, Timestamp};

use crate::catalog::Catalog;
use crate::cold::{ColdReader, FetchError};
use crate::config::FeedLimits;
use crate::record::{RecordError, Stored, verify};
use crate::reserved::is_reserved;

/// One change of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// Its place in the one order of all changes.
    pub serial: Serial,
    /// When it was committed.
    pub time: Timestamp,
    /// Who made it.
    pub actor: &'a str,
    /// Canonical key of the record.
    pub key: &'a [u8],
    /// The record as it is from then on, in stored form; `None` for a deletion.
    pub body: Option<&'a [u8]>,
    /// Serial of the key's change before this one; [`Serial::NONE`] for the first.
    pub previous: Serial,
}

impl<'a> Change<'a> {
    /// The change an entry is; `None` for what is no change of a record.
    fn of(entry: &Entry<'a>) -> Option<Self> {
        if is_reserved(entry.key) || !entry.kind.is_of_key() {
            return None;
        }
        let Entry { serial, time, key, previous, .. } = *entry;
        let actor = std::str::from_utf8(entry.actor).unwrap_or_default();
        let body = (entry.kind == EntryKind::PUT).then_some(entry.body);
        Some(Self { serial, time, actor, key, body, previous })
    }

    /// The record; `None` for a deletion.
    ///
    /// # Errors
    /// The record was written by another version of this program.
    pub fn stored(&self) -> Result<Option<Stored<'a>>, RecordError> {
        self.body.map(Stored::parse).transpose()
    }
}

/// What a visit meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// A change.
    Change(Change<'a>),
    /// Something that cannot be read, so that it is not known what was changed there. The visit goes on behind it.
    Damaged(Damaged<'a>),
}

/// Entries that cannot be read, or are no records this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged<'a> {
    /// Serial of the first of them.
    pub first: Serial,
    /// Serial of the last of them.
    pub last: Serial,
    /// Canonical key of the record, where it is known from elsewhere.
    pub key: Option<&'a [u8]>,
}

/// Is called with what a visit meets; stops the visit by breaking.
pub type ChangeVisitor<'v> = dyn FnMut(&Seen<'_>) -> ControlFlow<()> + 'v;

/// Records that changed last within a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangedWithin<'a> {
    /// Only records whose canonical keys begin with this.
    pub prefix: &'a [u8],
    /// Changed at this time or later.
    pub from: Timestamp,
    /// Changed before this time.
    pub until: Timestamp,
}

/// How far a bounded visit came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to this serial was looked at: where to go on.
    pub upto: Serial,
    /// There is nothing more now.
    pub end: bool,
}

impl Catalog {
    /// Visits the changes of records whose canonical keys begin with `prefix` and whose serials are greater than `after`, in order, until
    /// the visitor breaks, a limit is reached, or nothing more is visible. The result is the serial up to which everything was looked at:
    /// `after` of the next call. Where entries are damaged the visitor is told so, whatever the prefix, and the visit goes on.
    ///
    /// # Errors
    /// [`FollowError::Compacted`] when changes after `after` are gone: begin with a list of all records. Otherwise a refusing disk; what lies
    /// before was visited.
    pub fn changes(
        &self,
        after: Serial,
        prefix: &[u8],
        limits: FeedLimits,
        visit: &mut ChangeVisitor<'_>,
    ) -> Result<Serial, FollowError> {
        let mut window = Window::new(after, self.serial(), limits);
        window.go_through(self.store().as_ref(), &mut |met| match met {
            Ok(entry) => match Change::of(entry) {
                Some(change) if change.key.starts_with(prefix) => visit(&Seen::Change(change)),
                _ => ControlFlow::Continue(()),
            },
            Err(damaged) => visit(&Seen::Damaged(damaged)),
        })?;
        Ok(window.upto)
    }
}

impl ColdReader {
    /// Visits the records whose canonical keys begin with `prefix` and are greater than `after`, in order of the keys, each as the change
    /// that made it what it is, until the visitor breaks. Records written meanwhile may or may not be seen. Where one is damaged the visitor is told
    /// its key, and the visit goes on.
    ///
    /// # Errors
    /// Which records there are cannot be read, or the disk refuses; those before it were visited.
    pub fn list(&self, after: &[u8], prefix: &[u8], visit: &mut ChangeVisitor<'_>) -> Result<(), FetchError> {
        // Reserved keys sort before all others.
        let after = if after.is_empty() && prefix.is_empty() { &[0, u8::MAX] } else { after };
        self.store.scan_keys(after, prefix, &mut |met| {
            let damaged = |key, serial| Seen::Damaged(Damaged { first: serial, last: serial, key: Some(key) });
            match met {
                Ok(entry) => match Change::of(entry) {
                    Some(change) if verify(entry.key, entry.body, self.rule).is_ok() => visit(&Seen::Change(change)),
                    Some(change) => visit(&damaged(change.key, change.serial)),
                    None => ControlFlow::Continue(()),
                },
                Err(DamagedKey { key, .. }) if is_reserved(key) => ControlFlow::Continue(()),
                Err(DamagedKey { key, serial, .. }) => visit(&damaged(key, serial)),
            }
        })?;
        Ok(())
    }

    /// Visits the records whose latest change lies within a span of time, oldest change first, until the visitor breaks, a limit is reached
    /// or the span ends. Begins behind the serial `after`; a record that changes between two calls moves to the end. Damaged entries are told of as
    /// by [`Catalog::changes`].
    ///
    /// # Errors
    /// As [`Catalog::changes`].
    pub fn list_changed(
        &mut self,
        within: &ChangedWithin<'_>,
        after: Serial,
        limits: FeedLimits,
        visit: &mut ChangeVisitor<'_>,
    ) -> Result<Progress, FollowError> {
        let visible = self.visible();
        let before = Serial(self.store.serial_at(within.from)?.0.saturating_sub(1));
        let mut window = Window::new(after.max(before), visible, limits);
        let mut is_over = false;
        let Self { store, locator, .. } = self;
        window.go_through(store.as_ref(), &mut |met| match met {
            Ok(entry) if entry.time >= within.until => {
                is_over = true;
                ControlFlow::Break(())
            }
            Ok(entry) => match Change::of(entry) {
                Some(change)
                    if change.body.is_some()
                        && change.key.starts_with(within.prefix)
                        && locator.is_live(change.key, entry.place) =>
                {
                    visit(&Seen::Change(change))
                }
                _ => ControlFlow::Continue(()),
            },
            Err(damaged) => visit(&Seen::Damaged(damaged)),
        })?;
        Ok(Progress { upto: window.upto, end: is_over || window.upto >= visible })
    }
}

/// What a visit may still look at.
pub(crate) struct Window {
    upto: Serial,
    visible: Serial,
    entries: usize,
    bytes: usize,
}

impl Window {
    pub(crate) fn new(after: Serial, visible: Serial, limits: FeedLimits) -> Self {
        Self { upto: after, visible, entries: limits.entries, bytes: limits.bytes }
    }

    /// Everything up to here was looked at.
    pub(crate) const fn upto(&self) -> Serial {
        self.upto
    }

    /// Shows the entries behind `upto` to `show`, in order, until it breaks, a limit is reached, or nothing more is visible.
    pub(crate) fn go_through(&mut self, store: &dyn Store, show: &mut Show<'_>) -> Result<(), FollowError> {
        while self.upto < self.visible {
            match store.follow(self.upto, &mut |entry| self.look(entry, show)) {
                Ok(_) => return Ok(()),
                // A group whose checksum is wrong: most of its entries are sound by their own.
                Err(FollowError::Damaged { resume_after, .. }) if resume_after > self.upto => {
                    if self.pick(store, resume_after.min(self.visible), show)?.is_break() {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Shows what can be read one by one of the entries up to `last`, which cannot be followed.
    fn pick(&mut self, store: &dyn Store, last: Serial, show: &mut Show<'_>) -> Result<ControlFlow<()>, FollowError> {
        let mut buffer = Vec::new();
        let mut failures = 0;
        while self.upto < last {
            let serial = self.upto.next();
            let flow = match store.read_serial(serial, &mut buffer) {
                Ok(Some(entry)) => self.look(&entry, show),
                Ok(None) => return Ok(ControlFlow::Break(())),
                Err(FollowError::Damaged { .. }) => {
                    failures += 1;
                    let last = if failures < UNREAD_ENTRIES { serial } else { last };
                    self.step(last, 0);
                    let flow = show(Err(Damaged { first: serial, last, key: None }));
                    if self.is_used_up() { ControlFlow::Break(()) } else { flow }
                }
                Err(error) => return Err(error),
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Shows an entry unless it is not visible yet, and tells whether there may be another one.
    fn look(&mut self, entry: &Entry<'_>, show: &mut Show<'_>) -> ControlFlow<()> {
        if entry.serial > self.visible {
            return ControlFlow::Break(());
        }
        self.step(entry.serial, entry.key.len() + entry.body.len());
        let flow = show(Ok(entry));
        if self.is_used_up() { ControlFlow::Break(()) } else { flow }
    }

    fn step(&mut self, upto: Serial, bytes: usize) {
        self.upto = upto;
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    const fn is_used_up(&self) -> bool {
        self.entries == 0 || self.bytes == 0
    }
}

/// Is called with each entry, or with what cannot be read.
pub(crate) type Show<'s> = dyn FnMut(Result<&Entry<'_>, Damaged<'_>>) -> ControlFlow<()> + 's;

/// Entries of one damaged group that are looked for one by one without success. Past it the rest of the group is given up: where not an entry but
/// what leads to them is damaged, none of them is found.
const UNREAD_ENTRIES: usize = 8;
