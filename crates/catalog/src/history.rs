//! A handle's past: its versions, newest first, by the back-pointers of the log, and the record as it was.
//!
//! Each entry names the serial of the key's entry before it, through deletions too, so that a question costs one read for each version it
//! looks at. Versions that were compacted away are not there.

use waymark_ident::{CaseRule, Handle};
use waymark_store::{Entry, EntryKind, FollowError, Serial, Store, Timestamp};

use crate::cold::ColdReader;
use crate::config::{HISTORY_BYTES, HISTORY_STEPS};
use crate::prefixes::key_of;
use crate::record::{OwnedRecord, RecordError, verify};

/// What one change made of a handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Serial of the change.
    pub serial: Serial,
    /// When it was committed.
    pub time: Timestamp,
    /// Who made it.
    pub actor: String,
    /// The record as it was from then on; `None` for a deletion.
    pub record: Option<OwnedRecord>,
    /// Serial of the version before; [`Serial::NONE`] for the first one.
    pub previous: Serial,
}

/// A moment of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// After the entry of this serial, before the next one.
    Serial(Serial),
    /// With everything committed at this time or before.
    Time(Timestamp),
}

impl At {
    /// Tells whether a version was there at this moment.
    fn includes(self, version: &Version) -> bool {
        match self {
            Self::Serial(serial) => version.serial <= serial,
            Self::Time(time) => version.time <= time,
        }
    }
}

impl ColdReader {
    /// The newest versions of a handle whose serial is less than `before`, newest first: at most `limit`, and fewer when they are large
    /// ([`HISTORY_BYTES`]). To go on, give the serial of the last one as `before`; nothing comes when there are no more.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub fn history(
        &self,
        handle: &Handle<'_>,
        before: Option<Serial>,
        limit: usize,
    ) -> Result<Vec<Version>, HistoryError> {
        let key = key_of(handle, self.rule);
        let below = before.map_or(Serial::MAX, |before| Serial(before.0.saturating_sub(1)));
        let mut walk = self.walk(&key, before)?;
        let mut versions = Vec::new();
        let mut bytes = 0;
        while versions.len() < limit && bytes < HISTORY_BYTES {
            let version = match walk.next() {
                Ok(Some(version)) => version,
                Ok(None) | Err(HistoryError::Follow(FollowError::Compacted { .. })) => break,
                // What lies before it is told; whoever goes on from there is told of the error.
                Err(_) if !versions.is_empty() => break,
                Err(error) => return Err(error),
            };
            if version.serial <= below {
                bytes += version.record.as_ref().map_or(0, |record| record.body().len());
                versions.push(version);
            }
        }
        Ok(versions)
    }

    /// The version of a handle that was there at a moment, which may be a deletion; `None` when there was none yet.
    ///
    /// # Errors
    /// See [`HistoryError`]; [`FollowError::Compacted`] when what was there at that moment is gone.
    pub fn fetch_at(&self, handle: &Handle<'_>, at: At) -> Result<Option<Version>, HistoryError> {
        let key = key_of(handle, self.rule);
        let mut walk = self.walk(&key, None)?;
        while let Some(version) = walk.next()? {
            if at.includes(&version) {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// A walk over the versions of `key` from the newest visible one, or from the one before `before` where that is a version of it.
    fn walk<'a>(&'a self, key: &'a [u8], before: Option<Serial>) -> Result<Walk<'a>, HistoryError> {
        let store = self.store.as_ref();
        let mut walk = Walk { store, key, rule: self.rule, visible: self.visible(), next: Serial::NONE, steps: 0 };
        if let Some(before) = before
            && let Ok(Some(version)) = walk.read(before)
        {
            walk.next = version.previous;
            return Ok(walk);
        }
        if let Some(place) = store.find(key).map_err(FollowError::from)? {
            let mut buffer = Vec::new();
            walk.next = store.read(place, &mut buffer).map_err(FollowError::from)?.serial;
        }
        Ok(walk)
    }
}

/// A walk over the versions of one key, newest first.
struct Walk<'a> {
    store: &'a dyn Store,
    key: &'a [u8],
    rule: CaseRule,
    visible: Serial,
    /// The version to read next.
    next: Serial,
    steps: usize,
}

impl Walk<'_> {
    /// The next visible version; `None` behind the first one.
    fn next(&mut self) -> Result<Option<Version>, HistoryError> {
        while self.next.is_some() {
            self.steps += 1;
            if self.steps > HISTORY_STEPS {
                return Err(HistoryError::TooMany { limit: HISTORY_STEPS });
            }
            let version = self.read(self.next)?.ok_or(HistoryError::Broken { serial: self.next })?;
            // A pointer that does not lead back would go round for ever.
            if version.previous >= version.serial {
                return Err(HistoryError::Broken { serial: version.serial });
            }
            self.next = version.previous;
            if version.serial <= self.visible {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// The version of a serial; `None` when that entry is not one of this key.
    fn read(&self, serial: Serial) -> Result<Option<Version>, HistoryError> {
        let mut buffer = Vec::new();
        let entry = self.store.read_serial(serial, &mut buffer)?;
        let Some(entry) = entry.filter(|entry| entry.key == self.key && entry.kind.is_of_key()) else {
            return Ok(None);
        };
        let Entry { time, previous, body, .. } = entry;
        let record = if entry.kind == EntryKind::PUT {
            verify(self.key, body, self.rule).map_err(|error| HistoryError::Record { serial, error })?;
            Some(OwnedRecord { body: body.to_vec(), serial, time })
        } else {
            None
        };
        let actor = String::from_utf8_lossy(entry.actor).into_owned();
        Ok(Some(Version { serial, time, actor, record, previous }))
    }
}

/// Why a question about a handle's past was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// What was there is compacted away or damaged, or the disk refused.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The bytes are sound and no record of this version.
    #[error("entry {serial} holds no record this program knows")]
    Record {
        /// Serial of the entry.
        serial: Serial,
        /// What is wrong with it.
        #[source]
        error: RecordError,
    },
    /// An entry is not what the one behind it says.
    #[error("entry {serial} is no version of the handle, against what a later one says")]
    Broken {
        /// Serial of the entry.
        serial: Serial,
    },
    /// The handle has more versions than one question looks at. Ask from a later version on.
    #[error("more than {limit} versions lie between")]
    TooMany {
        /// Versions looked at.
        limit: usize,
    },
}
