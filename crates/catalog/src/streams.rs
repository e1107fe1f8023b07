//! Where streams are, and what became of the items of those that count orders: told from their marks, which form a chain in the log.

use std::ops::{ControlFlow, RangeInclusive};

use waymark_store::{Entry, EntryKind, FollowError, ReadError, Serial, Store, Timestamp};

use crate::cold::ColdReader;
use crate::command::{Outcome, RefusalCode, StreamId};
use crate::config::STREAM_STEPS_WALKED;
use crate::mark::{Mark, StepItem, UnknownForm};
use crate::record::Stored;
use crate::reserved::{ReservedKey, is_reserved};
use crate::values::{ContentHash, ValueSet};
use crate::warnings::Warnings;

/// What became of one item of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemOutcome {
    /// It was carried out.
    Accepted(ItemReceipt),
    /// It was refused, for this reason; nothing of it was written.
    Refused(RefusalCode),
}

/// The receipt of an item, told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemReceipt {
    /// Serial of the entry that holds the result; of the entry that was there before for [`Outcome::Same`].
    pub serial: Serial,
    /// When that entry was committed; `None` when it is not kept any more, being replaced long ago, or is damaged.
    pub time: Option<Timestamp>,
    /// Content of the record after the item; `None` when its entry is not kept any more, or is damaged.
    pub content: Option<ContentHash>,
    /// What happened.
    pub outcome: Outcome,
    /// What was taken although it should not be so.
    pub warnings: Warnings,
}

/// Why what became of items cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ItemsError {
    /// Items are numbered from 1, and these, or some of them, were not decided yet.
    #[error("the stream is at {mark}")]
    NotDecided {
        /// Number of the last item that was decided.
        mark: u64,
    },
    /// So far back it is not told; see [`STREAM_STEPS_WALKED`], and the keeping of replaced entries.
    #[error("what became of items before {from} is not kept")]
    TooOld {
        /// Number of the first item that can be told.
        from: u64,
    },
    /// A mark cannot be read.
    #[error(transparent)]
    Mark(#[from] MarkError),
}

/// Why a stream's mark cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MarkError {
    /// The disk refused, or its bytes are damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The entries cannot be followed there.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// It was written by another version of this program.
    #[error("a mark of a stream is in a form this program does not know")]
    UnknownForm,
}

impl From<UnknownForm> for MarkError {
    fn from(_: UnknownForm) -> Self {
        Self::UnknownForm
    }
}

impl ColdReader {
    /// How far a stream was taken in; `None` when nothing is known of it.
    ///
    /// # Errors
    /// The mark cannot be read.
    pub fn mark(&self, stream: StreamId) -> Result<Option<u64>, MarkError> {
        let newest = newest_mark(self.store.as_ref(), stream)?;
        newest.map(|kept| Ok(Mark::parse(&kept.body)?.position())).transpose()
    }

    /// Visits what became of items `first` to `first + count - 1` of a stream that counts orders, in order, until the visitor breaks. Items are
    /// numbered from 1. Everything visited was durable before.
    ///
    /// Reads the mark of every step from the newest back to that of item `first`, then the entry of each item.
    ///
    /// # Errors
    /// See [`ItemsError`]; items before a mark that cannot be read were visited.
    pub fn stream_outcomes(
        &self,
        stream: StreamId,
        first: u64,
        count: u64,
        visit: &mut dyn FnMut(u64, ItemOutcome) -> ControlFlow<()>,
    ) -> Result<(), ItemsError> {
        if count == 0 {
            return Ok(());
        }
        let store = self.store.as_ref();
        let items = first..=first.saturating_add(count - 1);
        for step in steps_of(store, stream, &items)?.into_iter().rev() {
            if step.visit(store, &items, visit)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// A mark as it is stored.
struct KeptMark {
    serial: Serial,
    previous: Serial,
    time: Timestamp,
    body: Vec<u8>,
}

impl KeptMark {
    fn of(entry: &Entry<'_>) -> Self {
        let Entry { serial, previous, time, body, .. } = *entry;
        Self { serial, previous, time, body: body.to_vec() }
    }
}

/// The newest mark of a stream.
fn newest_mark(store: &dyn Store, stream: StreamId) -> Result<Option<KeptMark>, MarkError> {
    let Some(place) = store.find(&ReservedKey::Mark(stream).to_bytes())? else { return Ok(None) };
    let mut buffer = Vec::new();
    let entry = store.read(place, &mut buffer)?;
    Ok((entry.kind == EntryKind::PUT).then(|| KeptMark::of(&entry)))
}

/// An older mark; `None` when it is not kept any more.
fn kept_mark(store: &dyn Store, serial: Serial) -> Result<Option<KeptMark>, MarkError> {
    let mut buffer = Vec::new();
    match store.read_serial(serial, &mut buffer) {
        Ok(Some(entry)) if entry.kind == EntryKind::PUT => Ok(Some(KeptMark::of(&entry))),
        Ok(_) | Err(FollowError::Compacted { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A step that holds some of the items asked for.
struct StepPlace {
    serial: Serial,
    position: u64,
}

/// The steps that hold `items`, newest first.
fn steps_of(store: &dyn Store, stream: StreamId, items: &RangeInclusive<u64>) -> Result<Vec<StepPlace>, ItemsError> {
    let mut next = newest_mark(store, stream)?;
    let mark = next.as_ref().map_or(Ok(Mark::Position(0)), |kept| Mark::parse(&kept.body)).map_err(MarkError::from)?;
    let mark = mark.position();
    if *items.start() == 0 || *items.end() > mark {
        return Err(ItemsError::NotDecided { mark });
    }
    let mut steps = Vec::new();
    // Everything behind this item can be told.
    let mut told_after = mark;
    for _ in 0..STREAM_STEPS_WALKED {
        let Some(kept) = next else { break };
        // Where a stream did not count, or was set elsewhere, its count begins.
        let Mark::Step(step) = Mark::parse(&kept.body).map_err(MarkError::from)? else { break };
        if step.position != told_after {
            break;
        }
        told_after = step.after;
        if step.after < *items.end() {
            steps.push(StepPlace { serial: kept.serial, position: step.position });
        }
        if told_after < *items.start() {
            return Ok(steps);
        }
        next = if kept.previous.is_some() { kept_mark(store, kept.previous)? } else { None };
    }
    Err(ItemsError::TooOld { from: told_after.saturating_add(1) })
}

impl StepPlace {
    fn visit(
        &self,
        store: &dyn Store,
        items: &RangeInclusive<u64>,
        visit: &mut dyn FnMut(u64, ItemOutcome) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ItemsError> {
        let too_old = ItemsError::TooOld { from: self.position.saturating_add(1) };
        let Some(kept) = kept_mark(store, self.serial)? else { return Err(too_old) };
        let Mark::Step(step) = Mark::parse(&kept.body).map_err(MarkError::from)? else { return Err(too_old) };
        let mut outcomes = step.items();
        let mut buffer = Vec::new();
        for number in step.after.saturating_add(1)..=step.position.min(*items.end()) {
            let item = outcomes.next().unwrap_or(Err(UnknownForm)).map_err(MarkError::from)?;
            if number < *items.start() {
                continue;
            }
            let outcome = match item {
                StepItem::Refused(code) => ItemOutcome::Refused(code),
                StepItem::Accepted { serial, outcome, warnings } => {
                    // What a step wrote has the time of its mark.
                    let written = (outcome != Outcome::Same).then_some(kept.time);
                    let (time, content) = result_of(store, serial, &mut buffer).map_err(MarkError::from)?;
                    let time = written.or(time);
                    ItemOutcome::Accepted(ItemReceipt { serial, time, content, outcome, warnings })
                }
            };
            if visit(number, outcome).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Time and content of an entry, as far as it is kept and sound.
fn result_of(
    store: &dyn Store,
    serial: Serial,
    buffer: &mut Vec<u8>,
) -> Result<(Option<Timestamp>, Option<ContentHash>), FollowError> {
    match store.read_serial(serial, buffer) {
        Ok(Some(entry)) => Ok((Some(entry.time), content_of(&entry))),
        Ok(None) | Err(FollowError::Compacted { .. } | FollowError::Damaged { .. }) => Ok((None, None)),
        Err(FollowError::Read(ReadError::Damaged { .. })) => Ok((None, None)),
        Err(error) => Err(error),
    }
}

/// Content of a record as an entry left it; of no values where it left none.
fn content_of(entry: &Entry<'_>) -> Option<ContentHash> {
    if entry.kind != EntryKind::PUT || is_reserved(entry.key) {
        return Some(ValueSet::default().content());
    }
    Stored::parse(entry.body).ok()?.values().ok().map(ContentHash::of)
}
