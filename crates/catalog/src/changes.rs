//! The change feed: what happened to records after a serial, in order, and the records that changed last within a span of time.
//!
//! Only what readers can see is given out, and each call looks at a bounded number of entries, so that a caller may stop between two calls
//! and go on from where it was.

use std::ops::ControlFlow;

use waymark_store::{Entry, EntryKind, FollowError, Serial, Timestamp};

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

/// Is called with each change; stops the visit by breaking.
pub type ChangeVisitor<'v> = dyn FnMut(&Change<'_>) -> ControlFlow<()> + 'v;

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
    /// `after` of the next call.
    ///
    /// # Errors
    /// [`FollowError::Compacted`] when changes after `after` are gone: begin with a list of all records. Otherwise damage or a refusing
    /// disk; what lies before was visited.
    pub fn changes(
        &self,
        after: Serial,
        prefix: &[u8],
        limits: FeedLimits,
        visit: &mut ChangeVisitor<'_>,
    ) -> Result<Serial, FollowError> {
        let visible = self.serial();
        let mut window = Window::new(after, visible, limits);
        if after < visible {
            self.store().follow(after, &mut |entry| {
                window.look(entry, |entry| match Change::of(entry) {
                    Some(change) if change.key.starts_with(prefix) => visit(&change),
                    _ => ControlFlow::Continue(()),
                })
            })?;
        }
        Ok(window.upto)
    }
}

impl ColdReader {
    /// Visits the records whose canonical keys begin with `prefix` and are greater than `after`, in order of the keys, each as the change
    /// that made it what it is, until the visitor breaks. Records written meanwhile may or may not be seen.
    ///
    /// # Errors
    /// A record that cannot be read or is not what it should be; those before it were visited.
    pub fn list(&self, after: &[u8], prefix: &[u8], visit: &mut ChangeVisitor<'_>) -> Result<(), FetchError> {
        // Reserved keys sort before all others.
        let after = if after.is_empty() && prefix.is_empty() { &[0, u8::MAX] } else { after };
        let mut wrong = None;
        self.store.scan_keys(after, prefix, &mut |entry| {
            let Some(change) = Change::of(entry) else { return ControlFlow::Continue(()) };
            match verify(entry.key, entry.body, self.rule) {
                Ok(_) => visit(&change),
                Err(error) => {
                    wrong = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        wrong.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Visits the records whose latest change lies within a span of time, oldest change first, until the visitor breaks, a limit is reached
    /// or the span ends. Begins behind the serial `after`; a record that changes between two calls moves to the end.
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
        let after = after.max(before);
        let mut window = Window::new(after, visible, limits);
        let mut end = true;
        if after < visible {
            let Self { store, locator, .. } = self;
            store.follow(after, &mut |entry| {
                if entry.time >= within.until {
                    return ControlFlow::Break(());
                }
                let flow = window.look(entry, |entry| match Change::of(entry) {
                    Some(change)
                        if change.body.is_some()
                            && change.key.starts_with(within.prefix)
                            && locator.is_live(change.key, entry.place) =>
                    {
                        visit(&change)
                    }
                    _ => ControlFlow::Continue(()),
                });
                end = flow.is_continue() || window.upto >= visible;
                flow
            })?;
        }
        Ok(Progress { upto: window.upto, end })
    }
}

/// What a visit may still look at.
struct Window {
    upto: Serial,
    visible: Serial,
    entries: usize,
    bytes: usize,
}

impl Window {
    fn new(after: Serial, visible: Serial, limits: FeedLimits) -> Self {
        Self { upto: after, visible, entries: limits.entries, bytes: limits.bytes }
    }

    /// Shows an entry to `visit` unless it is not visible yet, and tells whether there may be another one.
    fn look(&mut self, entry: &Entry<'_>, visit: impl FnOnce(&Entry<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        if entry.serial > self.visible {
            return ControlFlow::Break(());
        }
        self.upto = entry.serial;
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(entry.key.len() + entry.body.len());
        let flow = visit(entry);
        if self.entries == 0 || self.bytes == 0 { ControlFlow::Break(()) } else { flow }
    }
}
