//! Looking things up in the audit: by time, actor, key, verb, outcome and source, page by page.

use std::net::IpAddr;
use std::ops::ControlFlow;

use waymark_store::{Entry, FollowError, Serial, Store, Timestamp};

use crate::config::FeedLimits;

use super::head::is_note;
use super::item::Item;
use super::note::Note;

/// What is looked for; what is `None` or empty lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Written at this time or later.
    pub from: Option<Timestamp>,
    /// Written before this time.
    pub until: Option<Timestamp>,
    /// Name of the actor.
    pub actor: Option<String>,
    /// What the key begins with; upper and lower case of ASCII letters are the same.
    pub key: Vec<u8>,
    /// Name of the verb.
    pub verb: Option<String>,
    /// What came of it, as [`Deed::outcome`](super::Deed::outcome) names it.
    pub outcome: Option<String>,
    /// Address the command came from.
    pub source: Option<IpAddr>,
}

impl Filter {
    fn lets_through(&self, item: &Item) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        is(&self.actor, item.actor.name())
            && is(&self.verb, &item.verb.name())
            && is(&self.outcome, &item.deed.outcome())
            && self.source.is_none_or(|source| item.actor.origin().source == Some(source))
            && item.key.get(..self.key.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(&self.key))
    }
}

/// An item and the note it stands in.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Number of the note.
    pub note: u64,
    /// Serial of the note.
    pub serial: Serial,
    /// Time of the note.
    pub time: Timestamp,
    /// The item.
    pub item: &'a Item,
}

/// Where a search goes on. The default is the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Notes of smaller serials were looked at.
    pub serial: Serial,
    /// Items of the note of this serial that were looked at.
    pub items: usize,
}

/// Is called with each item found, in the order of the notes.
pub type ToldVisitor<'v> = dyn FnMut(&Told<'_>) -> ControlFlow<()> + 'v;

/// Visits the items a filter lets through, oldest first, until the visitor breaks or so many entries of the log were looked at as `limits` allow.
/// The result is where to go on; `None` at the end. Notes that were pruned or cannot be read have no items.
///
/// # Errors
/// A refusing disk; what lies before was visited.
pub fn search(
    store: &dyn Store,
    filter: &Filter,
    from: Cursor,
    limits: FeedLimits,
    visit: &mut ToldVisitor<'_>,
) -> Result<Option<Cursor>, FollowError> {
    // A call that may look at nothing would never end.
    let limits = FeedLimits { entries: limits.entries.max(1), bytes: limits.bytes.max(1) };
    let mut search = Search { filter, from, limits, next: None };
    let mut after = Serial(from.serial.0.saturating_sub(1));
    if let Some(time) = filter.from {
        after = after.max(Serial(store.serial_at(time)?.0.saturating_sub(1)));
    }
    loop {
        match store.follow(after, &mut |entry| search.look(entry, visit)) {
            Ok(_) => return Ok(search.next),
            Err(FollowError::Damaged { resume_after, .. }) if resume_after > after => after = resume_after,
            Err(FollowError::Compacted { oldest }) if oldest.0 > after.0 + 1 => after = Serial(oldest.0 - 1),
            Err(error) => return Err(error),
        }
    }
}

struct Search<'f> {
    filter: &'f Filter,
    from: Cursor,
    /// What may still be looked at.
    limits: FeedLimits,
    next: Option<Cursor>,
}

impl Search<'_> {
    fn look(&mut self, entry: &Entry<'_>, visit: &mut ToldVisitor<'_>) -> ControlFlow<()> {
        if self.filter.until.is_some_and(|until| entry.time >= until) {
            return ControlFlow::Break(());
        }
        if self.limits.entries == 0 || self.limits.bytes == 0 {
            self.next = Some(Cursor { serial: entry.serial, items: self.items_before(entry.serial) });
            return ControlFlow::Break(());
        }
        self.limits.entries -= 1;
        self.limits.bytes = self.limits.bytes.saturating_sub(entry.body.len());
        if !is_note(entry) {
            return ControlFlow::Continue(());
        }
        let Ok(note) = Note::parse(entry.body) else { return ControlFlow::Continue(()) };
        let items = note.items().unwrap_or_default();
        for (at, item) in items.iter().enumerate().skip(self.items_before(entry.serial)) {
            let told = Told { note: note.head.number, serial: entry.serial, time: entry.time, item };
            if self.filter.lets_through(item) && visit(&told).is_break() {
                self.next = Some(Cursor { serial: entry.serial, items: at + 1 });
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Items of the note that were given on the page before.
    fn items_before(&self, serial: Serial) -> usize {
        if serial == self.from.serial { self.from.items } else { 0 }
    }
}
