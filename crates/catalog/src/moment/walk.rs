//! The walk over what there was at a moment.

use std::ops::ControlFlow;
use std::sync::Arc;

use waymark_ident::{CaseRule, fold_in_place};
use waymark_store::{Entry, EntryKind, FollowError, KeyRecord, ReadError, Serial, Store, Timestamp};

use super::kind::{Kind, ObjectName};
use super::object::{Object, ObjectError};
use super::scope::{self, Enterprises};
use crate::business::{Enterprise, PrefixCase};
use crate::catalog::Catalog;
use crate::record::{RecordError, Stored, verify};
use crate::reserved::{ReservedKey, is_reserved};
use crate::template::Templates;

/// What a node held of a prefix at a serial, and what of it changed since another one.
#[derive(Debug)]
pub struct Moment {
    store: Arc<dyn Store>,
    templates: Arc<Templates>,
    rule: CaseRule,
    root: Box<[u8]>,
    since: Serial,
    at: Serial,
    enterprises: Enterprises,
}

/// What a walk shows.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A record, whole.
    Record(Stored<'a>),
    /// Anything else.
    Object(&'a Object),
}

/// What was there at the serial before and is not any more.
#[derive(Clone, Copy, Debug)]
pub enum Gone<'a> {
    /// The record of this canonical key.
    Record(&'a [u8]),
    /// This object. Of an application whose it was, and of a principal where it worked, is not known any more.
    Object(&'a ObjectName),
}

/// Is called with what a walk shows; stops it by breaking.
pub type ItemVisitor<'v> = dyn FnMut(Item<'_>) -> ControlFlow<()> + 'v;

/// Why a walk ended early. Nothing may be taken for whole then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MomentError {
    /// Which keys there are, or an entry, cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What was there at the serial is gone from the log, or cannot be read.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// An entry is no record this program knows.
    #[error("entry {serial} is no record this program knows")]
    Record {
        /// The entry.
        serial: Serial,
        /// What is wrong.
        source: RecordError,
    },
    /// An entry is no object this program knows.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

impl Catalog {
    /// The serial of the last entry made before a time: what was so at that time, for good once the time is over.
    ///
    /// # Errors
    /// A refusing disk.
    pub fn serial_before(&self, time: Timestamp) -> Result<Serial, FollowError> {
        Ok(Serial(self.store().serial_at(time)?.0.saturating_sub(1)).min(self.serial()))
    }

    /// What there is of a prefix, in any case, at a serial, and what of it changed after the serial `since`; everything with [`Serial::NONE`].
    ///
    /// # Errors
    /// The cases of prefixes cannot be read.
    pub fn moment(&self, prefix: &[u8], since: Serial, at: Serial) -> Result<Moment, MomentError> {
        let mut root: Box<[u8]> = prefix.into();
        fold_in_place(&mut root);
        let (store, templates) = (Arc::clone(self.store()), self.templates());
        let enterprises = Enterprises::default();
        let mut moment =
            Moment { store, templates, rule: self.case_rule(), root, since, at: at.min(self.serial()), enterprises };
        moment.enterprises = moment.find_enterprises()?;
        Ok(moment)
    }
}

impl Moment {
    /// The serial it stands at.
    #[must_use]
    pub const fn serial(&self) -> Serial {
        self.at
    }

    /// Visits what was there at the serial before and is not any more, objects first.
    ///
    /// # Errors
    /// See [`MomentError`].
    pub fn gone(&self, visit: &mut dyn FnMut(Gone<'_>) -> ControlFlow<()>) -> Result<(), MomentError> {
        if !self.since.is_some() {
            return Ok(());
        }
        self.walk(self.since, &|key| self.wants(key), &mut |key, entry, older| {
            if entry.kind != EntryKind::DELETE || entry.serial <= self.since || !self.was_there(entry.previous, older) {
                return Ok(ControlFlow::Continue(()));
            }
            if !is_reserved(key) {
                return Ok(visit(Gone::Record(key)));
            }
            match ObjectName::of_key(key) {
                Some(name) if scope::is_of(&name, None, &self.root, &self.enterprises) => {
                    Ok(visit(Gone::Object(&name)))
                }
                _ => Ok(ControlFlow::Continue(())),
            }
        })
    }

    /// Visits the objects of a kind that there are, in order of their keys: those that changed, and those of an enterprise that came to the prefix.
    ///
    /// # Errors
    /// See [`MomentError`].
    pub fn objects(&self, kind: Kind, visit: &mut ItemVisitor<'_>) -> Result<(), MomentError> {
        self.each_object(kind, &mut |object, serial| {
            let name = object.name();
            let moved = scope::enterprise_of(name, Some(object)).is_some_and(|id| self.enterprises.is_moved(id));
            if (serial > self.since || moved) && scope::is_of(name, Some(object), &self.root, &self.enterprises) {
                return Ok(visit(Item::Object(object)));
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Visits the records that changed, in order of their keys. Those of templates are not among them: a template brings its own.
    ///
    /// # Errors
    /// See [`MomentError`].
    pub fn records(&self, visit: &mut ItemVisitor<'_>) -> Result<(), MomentError> {
        let wants = |key: &[u8]| {
            !is_reserved(key) && scope::is_record_within(key, &self.root) && !self.templates.is_record(key)
        };
        self.walk(self.since, &wants, &mut |key, entry, _| {
            if entry.kind != EntryKind::PUT || entry.serial <= self.since {
                return Ok(ControlFlow::Continue(()));
            }
            let wrong = |source| MomentError::Record { serial: entry.serial, source };
            Ok(visit(Item::Record(verify(key, entry.body, self.rule).map_err(wrong)?)))
        })
    }

    /// The enterprises the prefix has to do with, from the cases there are.
    fn find_enterprises(&self) -> Result<Enterprises, MomentError> {
        let mut found = Enterprises::default();
        self.each_object(Kind::Case, &mut |object, serial| {
            if let ReservedKey::Case(prefix) = object.name().key()
                && let Ok(case) = PrefixCase::from_body(prefix, object.text().as_bytes(), serial)
            {
                found.note(&case, scope::is_within(prefix, &self.root), serial > self.since);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let mut principals = std::collections::BTreeSet::new();
        self.each_object(Kind::Enterprise, &mut |object, serial| {
            if let ReservedKey::Enterprise(id) = object.name().key()
                && found.has(*id)
                && let Ok(enterprise) = Enterprise::from_body(*id, object.text().as_bytes(), serial)
            {
                principals.extend(enterprise.principals.iter().map(|name| Box::<str>::from(&**name)));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        found.principals = principals;
        Ok(found)
    }

    /// Visits all objects of a kind that there are, with the serials of their entries.
    fn each_object(&self, kind: Kind, visit: &mut VisitObject<'_>) -> Result<(), MomentError> {
        let wants = |key: &[u8]| kind.key_starts().iter().any(|start| key.starts_with(start));
        self.walk(Serial::NONE, &wants, &mut |key, entry, _| {
            if !is_reserved(key) {
                return Ok(ControlFlow::Break(()));
            }
            match ObjectName::of_key(key) {
                Some(name) if entry.kind == EntryKind::PUT => visit(&Object::of_entry(name, entry.body)?, entry.serial),
                _ => Ok(ControlFlow::Continue(())),
            }
        })
    }

    fn wants(&self, key: &[u8]) -> bool {
        if is_reserved(key) { ObjectName::of_key(key).is_some() } else { scope::is_record_within(key, &self.root) }
    }

    /// Whether the key was live at the serial before; `previous` is the entry before its deletion. What the log has given up since is taken to have been.
    fn was_there(&self, previous: Serial, buffer: &mut Vec<u8>) -> bool {
        let mut serial = previous;
        while serial.is_some() {
            match self.store.read_serial(serial, buffer) {
                Ok(Some(entry)) if entry.serial <= self.since => return entry.kind == EntryKind::PUT,
                Ok(Some(entry)) => serial = entry.previous,
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
        false
    }

    /// Visits each wanted key whose latest entry is newer than `since`, in key order, with its latest entry up to the serial; reserved keys come first.
    fn walk(&self, since: Serial, wants: &dyn Fn(&[u8]) -> bool, visit: &mut Visit<'_>) -> Result<(), MomentError> {
        let (mut buffer, mut older) = (Vec::new(), Vec::new());
        let mut failed = None;
        self.store.scan_latest(since, &mut |record| {
            if !wants(record.key) {
                return ControlFlow::Continue(());
            }
            let entry = match self.entry_at(record, &mut buffer) {
                Ok(Some(entry)) => entry,
                Ok(None) => return ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            };
            match visit(record.key, &entry, &mut older) {
                Ok(flow) => flow,
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// The latest entry of a key up to the serial; `None` where it had none yet.
    fn entry_at<'b>(&self, record: &KeyRecord<'_>, buffer: &'b mut Vec<u8>) -> Result<Option<Entry<'b>>, MomentError> {
        if record.serial <= self.at {
            return Ok(Some(self.store.read(record.place, buffer)?));
        }
        let mut serial = record.serial;
        while serial > self.at {
            let entry = self.store.read_serial(serial, buffer)?;
            serial = entry.map_or(Serial::NONE, |entry| entry.previous);
        }
        if serial.is_some() { Ok(self.store.read_serial(serial, buffer)?) } else { Ok(None) }
    }
}

/// Is called with a key, its entry, and room for reading older ones.
type Visit<'v> = dyn FnMut(&[u8], &Entry<'_>, &mut Vec<u8>) -> Result<ControlFlow<()>, MomentError> + 'v;

/// Is called with an object and the serial of its entry.
type VisitObject<'v> = dyn FnMut(&Object, Serial) -> Result<ControlFlow<()>, MomentError> + 'v;
