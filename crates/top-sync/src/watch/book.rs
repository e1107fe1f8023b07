//! What has to be known for ever: incidents, maintenances, times without the node. Durable before it is visible, in a store of its own.
//!
//! ```text
//! key  e/number(8)   body  an Event as JSON
//! key  m/number(8)   body  a Maintenance as JSON
//! key  g/number(8)   body  a Gap as JSON
//! key  run           body  the Run under way, or the last one, as JSON
//! ```

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use waymark_catalog::Timestamp;
use waymark_store::{CommitError, EntryKind, Group, OpenError, PushError, ReadError, Serial, Store};

use super::config::{EVENTS, GAPS, MAINTENANCES};
use super::incident::{Event, Gap, Incident, Kind, Maintenance, Run};

/// Segments of the store: it grows by some hundred bytes for each incident and start.
const SEGMENT_BYTES: u64 = 1 << 20;

/// Why the book cannot be opened or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// Its store cannot be opened.
    #[error("the store of incidents")]
    Open(#[from] OpenError),
    /// Its store cannot be read.
    #[error("the store of incidents")]
    Read(#[from] ReadError),
    /// Its store takes no more.
    #[error("the store of incidents")]
    Commit(#[from] CommitError),
    /// Something is longer than an entry may be.
    #[error("the store of incidents")]
    Push(#[from] PushError),
    /// An entry that is none of this version.
    #[error("entry {key} of the store of incidents is not one this version knows")]
    Entry {
        /// Its key, as text.
        key: String,
    },
    /// There are as many as there may be.
    #[error("there are {most} already, which is as many as are kept")]
    Full {
        /// How many.
        most: usize,
    },
}

/// What is to be noted as an event; number and identifier are given when it is.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    pub(super) related: String,
    pub(super) time: Timestamp,
    pub(super) cause: String,
    pub(super) kind: Kind,
    pub(super) prefix: String,
    pub(super) remedy: String,
    pub(super) by: String,
    pub(super) watched: String,
}

/// The book.
#[derive(Debug)]
pub(super) struct Book {
    store: Arc<dyn Store>,
    /// Put before the identifiers of events.
    name: String,
    events: BTreeMap<u64, Event>,
    maintenances: BTreeMap<u64, Maintenance>,
    gaps: BTreeMap<u64, Gap>,
    run: Option<Run>,
}

impl Book {
    /// Opens the book in a folder, made where it is missing. Identifiers of events begin with `name`.
    pub(super) fn open(dir: &Path, name: &str, now: Timestamp) -> Result<Self, BookError> {
        let options =
            waymark_store::Options { now, segment_bytes: SEGMENT_BYTES, ..waymark_store::Options::new(dir.to_owned()) };
        let (store, _) = waymark_store::open(&options)?;
        let mut book = Self {
            store: Arc::clone(&store),
            name: name.to_owned(),
            events: BTreeMap::new(),
            maintenances: BTreeMap::new(),
            gaps: BTreeMap::new(),
            run: None,
        };
        let mut problem = None;
        store.scan_keys(b"", b"", &mut |met| {
            let (key, taken) = match met {
                Ok(entry) => (entry.key, book.take_in(entry.key, entry.body)),
                Err(damaged) => (damaged.key, None),
            };
            if taken.is_none() {
                problem = Some(BookError::Entry { key: key.escape_ascii().to_string() });
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        problem.map_or(Ok(book), Err)
    }

    fn take_in(&mut self, key: &[u8], body: &[u8]) -> Option<()> {
        fn numbered<T: DeserializeOwned>(into: &mut BTreeMap<u64, T>, number: &[u8], body: &[u8]) -> Option<()> {
            into.insert(u64::from_be_bytes(number.try_into().ok()?), serde_json::from_slice(body).ok()?);
            Some(())
        }
        match key.split_at_checked(2)? {
            (b"e/", number) => numbered(&mut self.events, number, body),
            (b"m/", number) => numbered(&mut self.maintenances, number, body),
            (b"g/", number) => numbered(&mut self.gaps, number, body),
            (b"ru", b"n") => {
                self.run = Some(serde_json::from_slice(body).ok()?);
                Some(())
            }
            _ => None,
        }
    }

    /// The run under way, or the last one; `None` before the first.
    pub(super) const fn run(&self) -> Option<Run> {
        self.run
    }

    /// Events, in order.
    pub(super) fn events(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.events.values()
    }

    /// Events behind a number, in order.
    pub(super) fn events_behind(&self, number: u64) -> impl Iterator<Item = &Event> {
        self.events.range(number.saturating_add(1)..).map(|(_, event)| event)
    }

    /// The number of the last event; 0 before the first.
    pub(super) fn last_event(&self) -> u64 {
        self.events.last_key_value().map_or(0, |(number, _)| *number)
    }

    /// The fault of this identifier.
    pub(super) fn fault(&self, id: &str) -> Option<&Event> {
        self.events().find(|event| event.id == id && !event.is_recovery())
    }

    /// The end of a fault.
    pub(super) fn recovery(&self, fault: &str) -> Option<&Event> {
        self.events().rev().find(|event| event.related == fault)
    }

    /// Every fault with its end, in order of the faults.
    pub(super) fn incidents(&self) -> impl Iterator<Item = Incident> {
        let ends: BTreeMap<&str, &Event> =
            self.events().filter(|event| event.is_recovery()).map(|event| (event.related.as_str(), event)).collect();
        self.events().filter(|event| !event.is_recovery()).map(move |fault| Incident {
            fault: fault.clone(),
            recovery: ends.get(fault.id.as_str()).map(|event| (*event).clone()),
        })
    }

    /// Maintenances, in order.
    pub(super) fn maintenances(&self) -> impl DoubleEndedIterator<Item = &Maintenance> {
        self.maintenances.values()
    }

    /// Times without the node.
    pub(super) fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.gaps.values()
    }

    /// Notes an event.
    pub(super) fn note(&mut self, noted: Noted, now: Timestamp) -> Result<Event, BookError> {
        if self.events.len() >= EVENTS {
            return Err(BookError::Full { most: EVENTS });
        }
        let Noted { related, time, cause, kind, prefix, remedy, by, watched } = noted;
        let number = self.last_event() + 1;
        let id = format!("{}{}-{number}", self.name, compact(now));
        let time = time.0 - time.0 % 1_000;
        let event = Event { number, id, related, time, cause, kind, prefix, remedy, by, watched };
        self.put(&numbered_key(b"e/", number), &event, now)?;
        self.events.insert(number, event.clone());
        Ok(event)
    }

    /// Notes what was done about a fault, with its end that is there already.
    pub(super) fn add_remedy(&mut self, recovery: &Event, remedy: &str, now: Timestamp) -> Result<Event, BookError> {
        let event = Event { remedy: remedy.to_owned(), ..recovery.clone() };
        self.put(&numbered_key(b"e/", event.number), &event, now)?;
        self.events.insert(event.number, event.clone());
        Ok(event)
    }

    /// Notes a maintenance; one of number 0 is new.
    pub(super) fn put_maintenance(
        &mut self,
        mut maintenance: Maintenance,
        now: Timestamp,
    ) -> Result<Maintenance, BookError> {
        if maintenance.number == 0 {
            if self.maintenances.len() >= MAINTENANCES {
                return Err(BookError::Full { most: MAINTENANCES });
            }
            maintenance.number = self.maintenances.last_key_value().map_or(0, |(number, _)| *number) + 1;
        }
        self.put(&numbered_key(b"m/", maintenance.number), &maintenance, now)?;
        self.maintenances.insert(maintenance.number, maintenance.clone());
        Ok(maintenance)
    }

    /// Notes a time without the node within a run.
    pub(super) fn note_gap(&mut self, gap: Gap, now: Timestamp) -> Result<(), BookError> {
        let (number, gap) = self.numbered_gap(gap);
        self.put(&numbered_key(b"g/", number), &gap, now)?;
        self.gaps.insert(number, gap);
        Ok(())
    }

    /// A gap under a number of its own, or as part of the last one where there are as many as there may be.
    fn numbered_gap(&self, gap: Gap) -> (u64, Gap) {
        match self.gaps.last_key_value() {
            Some((number, last)) if self.gaps.len() >= GAPS => {
                (*number, Gap { from: last.from.min(gap.from), until: last.until.max(gap.until), ..gap })
            }
            last => (last.map_or(0, |(number, _)| *number) + 1, gap),
        }
    }

    /// Notes that a run began, and the time without one before it.
    pub(super) fn begin_run(&mut self, run: Run, gap: Option<Gap>, now: Timestamp) -> Result<(), BookError> {
        let mut group = Group::new();
        push(&mut group, b"run", &run)?;
        let noted = gap.map(|gap| self.numbered_gap(gap));
        if let Some((number, gap)) = &noted {
            push(&mut group, &numbered_key(b"g/", *number), gap)?;
        }
        self.store.commit(now, &group)?;
        self.run = Some(run);
        self.gaps.extend(noted);
        Ok(())
    }

    /// Notes that the run ended in order.
    pub(super) fn end_run(&mut self, now: Timestamp) -> Result<(), BookError> {
        let Some(run) = self.run else { return Ok(()) };
        let run = Run { stopped: Some(now.0), ..run };
        self.put(b"run", &run, now)?;
        self.run = Some(run);
        Ok(())
    }

    fn put(&self, key: &[u8], body: &impl Serialize, now: Timestamp) -> Result<(), BookError> {
        let mut group = Group::new();
        push(&mut group, key, body)?;
        self.store.commit(now, &group)?;
        Ok(())
    }
}

fn push(group: &mut Group, key: &[u8], body: &impl Serialize) -> Result<(), BookError> {
    let unwritable = |_| BookError::Entry { key: key.escape_ascii().to_string() };
    let body = serde_json::to_vec(body).map_err(unwritable)?;
    Ok(group.push(EntryKind::PUT, key, b"", Serial::NONE, &body)?)
}

fn numbered_key(kind: &[u8; 2], number: u64) -> Vec<u8> {
    [&kind[..], &number.to_be_bytes()].concat()
}

/// A moment in few characters: `20261129T080000Z`.
fn compact(time: Timestamp) -> String {
    let moment = crate::calendar::moment(time);
    let second = moment.split('.').next().unwrap_or_default();
    second.chars().filter(|character| !matches!(character, '-' | ':')).chain(['Z']).collect()
}
