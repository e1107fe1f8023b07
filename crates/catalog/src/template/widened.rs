//! A store that gives records made from templates out whole.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use arc_swap::ArcSwap;
use waymark_store::{
    Blobs, CommitError, Committed, Entry, EntryKind, FollowError, Group, Health, Identity, KeyRecord, KeyVisitor,
    Place, Position, ReadError, RedactError, Redacted, Replace, Serial, State, StateError, Statistics, Store,
    Timestamp,
};

use super::load::{self, TemplateLoadError};
use super::narrow::{is_narrow, widen};
use super::table::Templates;
use crate::reserved::is_reserved;

/// A store as tools look at it that read entries without a catalog: records made from templates are whole.
///
/// # Errors
/// The templates cannot be loaded.
pub fn widened(store: Arc<dyn Store>) -> Result<Arc<dyn Store>, TemplateLoadError> {
    let templates = load::load(store.as_ref())?.templates;
    Ok(Arc::new(Widened::new(store, Arc::new(ArcSwap::from_pointee(templates)))))
}

/// The store. What is committed goes through as it is; a record whose template is not known is given out as it stands, and then is none that
/// can be read.
#[derive(Debug)]
pub(crate) struct Widened {
    inner: Arc<dyn Store>,
    templates: Arc<ArcSwap<Templates>>,
}

impl Widened {
    pub(crate) fn new(inner: Arc<dyn Store>, templates: Arc<ArcSwap<Templates>>) -> Self {
        Self { inner, templates }
    }

    /// The body of an entry as it is given out; `None` where that is as it stands.
    fn wide(&self, entry: &Entry<'_>) -> Option<Vec<u8>> {
        let is_record = entry.kind == EntryKind::PUT && !is_reserved(entry.key);
        if !is_record || !is_narrow(entry.body) {
            return None;
        }
        widen(entry.key, entry.body, &self.templates.load())
    }

    /// Shows an entry to a visitor, whole.
    fn show(&self, entry: &Entry<'_>, visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        match self.wide(entry) {
            Some(body) => visit(&Entry { body: &body, ..*entry }),
            None => visit(entry),
        }
    }

    /// Reads an entry into a buffer by `read`, and makes it whole there.
    fn read_whole<'b, E>(
        &self,
        buffer: &'b mut Vec<u8>,
        read: impl for<'r> Fn(&'r mut Vec<u8>) -> Result<Option<Entry<'r>>, E>,
    ) -> Result<Option<Entry<'b>>, E> {
        let Some(entry) = read(buffer)? else { return Ok(None) };
        let bare = Entry { actor: &[], key: &[], body: &[], ..entry };
        let wide = self.wide(&entry);
        let parts = match &wide {
            // Actor and key go before the body that takes the place of all.
            Some(body) => {
                let whole = [entry.actor, entry.key, body].concat();
                let (actor, key) = (entry.actor.len(), entry.actor.len() + entry.key.len());
                let parts = [0..actor, actor..key, key..whole.len()];
                *buffer = whole;
                Some(parts)
            }
            None => {
                let parts = [entry.actor, entry.key, entry.body].map(|part| (part.as_ptr().addr(), part.len()));
                let begin = buffer.as_ptr().addr();
                range_in(begin, buffer.len(), parts)
            }
        };
        // Entries are read into the buffer by every engine; one that was not is read again.
        let Some(parts) = parts else { return read(buffer) };
        let buffer = &buffer[..];
        let [actor, key, body] = parts.map(|part| buffer.get(part).unwrap_or_default());
        Ok(Some(Entry { actor, key, body, ..bare }))
    }
}

/// Where in a buffer parts of it are; `None` when one lies elsewhere.
fn range_in(begin: usize, bytes: usize, parts: [(usize, usize); 3]) -> Option<[Range<usize>; 3]> {
    let mut ranges = [0..0, 0..0, 0..0];
    for (range, (at, length)) in ranges.iter_mut().zip(parts) {
        if length > 0 {
            let from = at.checked_sub(begin)?;
            let to = from.checked_add(length).filter(|to| *to <= bytes)?;
            *range = from..to;
        }
    }
    Some(ranges)
}

impl Store for Widened {
    fn identity(&self) -> &Identity {
        self.inner.identity()
    }

    fn commit(&self, now: Timestamp, group: &Group) -> Result<Committed, CommitError> {
        self.inner.commit(now, group)
    }

    fn read<'b>(&self, place: Place, buffer: &'b mut Vec<u8>) -> Result<Entry<'b>, ReadError> {
        let entry = self.read_whole(buffer, |buffer| self.inner.read(place, buffer).map(Some))?;
        entry.ok_or(ReadError::NoSuchPlace(place))
    }

    fn find(&self, key: &[u8]) -> Result<Option<Place>, ReadError> {
        self.inner.find(key)
    }

    fn scan_keys(&self, after: &[u8], prefix: &[u8], visit: &mut KeyVisitor<'_>) -> Result<(), ReadError> {
        self.inner.scan_keys(after, prefix, &mut |met| match met {
            Ok(entry) => self.show(entry, &mut |entry| visit(Ok(entry))),
            Err(damaged) => visit(Err(damaged)),
        })
    }

    fn scan_latest(
        &self,
        since: Serial,
        visit: &mut dyn FnMut(&KeyRecord<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        self.inner.scan_latest(since, visit)
    }

    fn follow(
        &self,
        after: Serial,
        visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<Serial, FollowError> {
        self.inner.follow(after, &mut |entry| self.show(entry, visit))
    }

    fn read_serial<'b>(&self, serial: Serial, buffer: &'b mut Vec<u8>) -> Result<Option<Entry<'b>>, FollowError> {
        self.read_whole(buffer, |buffer| self.inner.read_serial(serial, buffer))
    }

    fn serial_at(&self, time: Timestamp) -> Result<Serial, FollowError> {
        self.inner.serial_at(time)
    }

    fn redact(&self, after: Serial, upto: Serial, replace: &mut Replace<'_>) -> Result<Redacted, RedactError> {
        self.inner.redact(after, upto, replace)
    }

    fn last(&self) -> Position {
        self.inner.last()
    }

    fn state(&self) -> &dyn State {
        self.inner.state()
    }

    fn blobs(&self) -> &Blobs {
        self.inner.blobs()
    }

    fn health(&self) -> Health {
        self.inner.health()
    }

    fn statistics(&self) -> Statistics {
        self.inner.statistics()
    }

    fn close(&self) -> Result<(), StateError> {
        self.inner.close()
    }
}
