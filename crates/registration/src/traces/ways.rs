//! Where links lead, by what is stored and what the caller may know.

use std::ops::ControlFlow;
use std::sync::Arc;

use waymark_catalog::access::{Rights, Verb, prefix_of};
use waymark_catalog::link::{Link, Relation, SourceAt, is_link};
use waymark_catalog::range::{Finding, Ranges};
use waymark_catalog::recall::recall_in;
use waymark_catalog::{ColdReader, OwnedRecord};
use waymark_ident::{CaseRule, Handle, MAX_KEY_BYTES};

use super::walk::{Lead, Page, Step};
use crate::convert::identifier::sees;
use crate::failure::Failure;

/// Which way links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// As they lead.
    Up,
    /// Back.
    Down,
}

/// What is asked, and by whom.
pub(super) struct Question {
    pub(super) direction: Direction,
    /// Links of others are not followed.
    pub(super) relations: Vec<Relation>,
    pub(super) rights: Rights,
    pub(super) ranges: Arc<Ranges>,
    pub(super) rule: CaseRule,
    /// Links looked at, at most.
    pub(super) scan: usize,
}

/// An identifier, as far as the caller may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its canonical key.
    pub(super) key: Vec<u8>,
    /// As it was registered, or as it was named.
    pub(super) handle: String,
    pub(super) state: State,
    /// Why it is suspended or revoked.
    pub(super) reason: String,
}

/// How an identifier is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Active,
    Suspended,
    Revoked,
    /// In resolution, with a notice of recall.
    Recalled,
    NotHere,
    Unreadable,
}

/// The links of a node.
pub(super) struct Ways<'a> {
    cold: &'a mut ColdReader,
    asked: &'a Question,
    /// Links that may still be looked at.
    scan: usize,
}

/// What is stored of an identifier.
enum Read {
    Record(OwnedRecord),
    NotHere,
    Unreadable,
}

impl<'a> Ways<'a> {
    pub(super) const fn new(cold: &'a mut ColdReader, asked: &'a Question) -> Self {
        Self { cold, asked, scan: asked.scan }
    }

    /// An identifier that is named so.
    pub(super) fn look(&mut self, handle: &Handle<'_>, named: &str) -> Found {
        let read = self.read(handle);
        self.found(handle, named, &read)
    }

    fn read(&mut self, handle: &Handle<'_>) -> Read {
        match self.cold.fetch(handle) {
            Ok(Some(record)) => Read::Record(record),
            Err(_) => Read::Unreadable,
            Ok(None) => {
                let mut room = [0; MAX_KEY_BYTES];
                let key = handle.to_key(self.asked.rule, &mut room);
                match self.asked.ranges.find(key) {
                    // What it inherits holds no links.
                    Finding::Code(range, serial) => Read::Record(range.record(serial, key)),
                    _ => Read::NotHere,
                }
            }
        }
    }

    fn found(&self, handle: &Handle<'_>, named: &str, read: &Read) -> Found {
        let mut room = [0; MAX_KEY_BYTES];
        let key = handle.to_key(self.asked.rule, &mut room).to_vec();
        let unknown = |state| Found { key: key.clone(), handle: named.to_owned(), state, reason: String::new() };
        let record = match read {
            Read::Record(record) => record,
            Read::NotHere => return unknown(State::NotHere),
            Read::Unreadable => return unknown(State::Unreadable),
        };
        let Ok(stored) = record.stored() else { return unknown(State::Unreadable) };
        let (state, reason) = match stored.status() {
            None => match stored.values().ok().and_then(recall_in) {
                Some(recall) => (State::Recalled, recall.reason),
                None => (State::Active, ""),
            },
            Some(status) if status.revoked => (State::Revoked, status.reason),
            Some(status) => (State::Suspended, status.reason),
        };
        if matches!(state, State::Suspended | State::Revoked) && !self.reads(&key) {
            return unknown(State::NotHere);
        }
        // A code without a record of its own stands under its key.
        let handle = String::from_utf8_lossy(stored.handle()).into_owned();
        Found { key, handle, state, reason: reason.to_owned() }
    }

    fn reads(&self, key: &[u8]) -> bool {
        self.asked.rights.allows(Verb::Read, &prefix_of(key))
    }

    /// The links in a record that the caller may know of, by index, and whether there are others.
    fn links_in(&self, key: &[u8], record: &OwnedRecord) -> (Vec<(u32, Link)>, bool) {
        let (mut links, mut withheld) = (Vec::new(), false);
        let reads = self.reads(key);
        let stored = record.stored().ok().filter(|stored| reads || !stored.is_withdrawn());
        let values = stored.and_then(|stored| stored.values().ok()).unwrap_or_default();
        for value in values.into_iter().filter(is_link) {
            let Ok(link) = Link::parse(value.data) else { continue };
            if !self.asked.relations.contains(&link.relation) {
                continue;
            }
            if sees(reads, value.permissions) {
                links.push((value.index, link));
            } else {
                withheld = true;
            }
        }
        (links, withheld)
    }

    fn up(&mut self, of: &Found, after: &[u8], most: usize) -> Page {
        let after = after.try_into().map_or(0, u32::from_be_bytes);
        let Ok(handle) = Handle::new(&of.key) else { return Page::default() };
        let Read::Record(record) = self.read(&handle) else { return Page::default() };
        let (links, withheld) = self.links_in(&of.key, &record);
        let mut page = Page { withheld, ..Page::default() };
        for (index, link) in links.into_iter().filter(|(index, _)| *index > after) {
            if page.steps.len() >= most {
                page.more = true;
                break;
            }
            let Ok(target) = Handle::new(link.target.as_bytes()) else { continue };
            let found = self.look(&target, &link.target);
            page.steps.push(Step { relation: link.relation, found, place: index.to_be_bytes().to_vec() });
        }
        page
    }

    fn down(&mut self, of: &Found, after: &[u8], most: usize) -> Result<Page, Failure> {
        let mut page = Page::default();
        let mut after = (!after.is_empty()).then(|| SourceAt::from_bytes(after.to_vec()));
        loop {
            // One more than is wanted tells whether there are more.
            let wanted = most.saturating_add(1).saturating_sub(page.steps.len());
            let (named, is_end) = self.named(of, after.as_ref(), wanted)?;
            for (relation, source, place) in named {
                after = Some(place.clone());
                match self.source(of, relation, &source) {
                    Some(_) if page.steps.len() >= most => {
                        page.more = true;
                        return Ok(page);
                    }
                    Some(found) => page.steps.push(Step { relation, found, place: place.as_bytes().to_vec() }),
                    None => page.withheld = true,
                }
            }
            if is_end {
                return Ok(page);
            }
            if self.scan == 0 {
                (page.more, page.is_exhausted) = (true, true);
                return Ok(page);
            }
        }
    }

    /// Whom the index names, at most `most`, and whether there are no others.
    fn named(&mut self, of: &Found, after: Option<&SourceAt>, most: usize) -> Result<(Vec<Named>, bool), Failure> {
        let Ok(target) = Handle::new(&of.key) else { return Ok((Vec::new(), true)) };
        let most = most.min(self.scan);
        let (mut named, mut is_end) = (Vec::new(), true);
        let visit = &mut |relation, source: &[u8], place| {
            if named.len() >= most {
                is_end = false;
                return ControlFlow::Break(());
            }
            named.push((relation, source.to_vec(), place));
            ControlFlow::Continue(())
        };
        let scanned = self.cold.linked_to(&target, after, visit);
        scanned.map_err(|_| Failure::unreadable("the index of links"))?;
        self.scan = self.scan.saturating_sub(named.len());
        Ok((named, is_end))
    }

    /// Who holds a link, when the caller may know of both.
    fn source(&mut self, target: &Found, relation: Relation, key: &[u8]) -> Option<Found> {
        if !self.asked.relations.contains(&relation) || !self.asked.rights.allows(Verb::List, &prefix_of(key)) {
            return None;
        }
        let handle = Handle::new(key).ok()?;
        let read = self.read(&handle);
        let found = self.found(&handle, &String::from_utf8_lossy(key), &read);
        if let Read::Record(record) = &read {
            let (links, _) = self.links_in(key, record);
            let leads = |link: &Link| link.relation == relation && self.key_of(&link.target) == target.key;
            return links.iter().any(|(_, link)| leads(link)).then_some(found);
        }
        // What was deleted meanwhile is no source any more; what cannot be read may be one.
        matches!(read, Read::Unreadable).then_some(found)
    }

    fn key_of(&self, target: &str) -> Vec<u8> {
        let mut room = [0; MAX_KEY_BYTES];
        let target = Handle::new(target.as_bytes());
        target.map_or_else(|_| Vec::new(), |target| target.to_key(self.asked.rule, &mut room).to_vec())
    }
}

/// A source of a link: relation, canonical key, place.
type Named = (Relation, Vec<u8>, SourceAt);

impl Lead for Ways<'_> {
    fn page(&mut self, of: &Found, after: &[u8], most: usize) -> Result<Page, Failure> {
        match self.asked.direction {
            Direction::Up => Ok(self.up(of, after, most)),
            Direction::Down => self.down(of, after, most),
        }
    }
}
