//! Replacing the bodies of notes where sled keeps the records.

use crate::bytes::offset;
use crate::config::{REDACT_BATCH, SPARE_BYTES};
use crate::engine::Store;
use crate::error::{ReadError, RedactError};
use crate::format::frame::encode_entry;
use crate::records::{SledStore, entry_key, has_room};
use crate::redact::{Redacted, Replace, padded};
use crate::types::{DraftEntry, EntryKind, Health, Place, Serial};

/// Replacements of one atomic step.
#[derive(Default)]
struct Step {
    batch: sled::Batch,
    entries: usize,
    bytes: u64,
}

impl SledStore {
    /// Replaces bodies of notes after `after`, up to `upto`.
    pub(super) fn redact_notes(
        &self,
        after: Serial,
        upto: Serial,
        replace: &mut Replace<'_>,
    ) -> Result<Redacted, RedactError> {
        let upto = upto.min(self.last().serial);
        let mut redacted = Redacted { upto: upto.max(after), ..Redacted::default() };
        let mut step = Step::default();
        let mut buffer = Vec::new();
        self.refuse_redaction()?;
        for serial in (after.0.saturating_add(1)..=upto.0).map(Serial) {
            let entry = match self.entry(serial, &mut buffer) {
                Ok(entry) => entry,
                Err(ReadError::Damaged { .. }) => {
                    redacted.damaged += 1;
                    continue;
                }
                Err(other) => return Err(other.into()),
            };
            if entry.kind != EntryKind::NOTE {
                continue;
            }
            let Some(body) = replace(&entry) else { continue };
            let body = padded(body, entry.body.len(), serial)?;
            redacted.count(body.len());
            let draft = DraftEntry {
                kind: entry.kind,
                previous: entry.previous,
                actor: entry.actor,
                key: entry.key,
                body: &body,
            };
            let mut stored = Vec::new();
            encode_entry(&mut stored, self.seed, Place(serial.0), serial, entry.time, &draft);
            step.bytes += offset(stored.len());
            step.batch.insert(&entry_key(serial), stored);
            step.entries += 1;
            if step.entries >= REDACT_BATCH {
                self.take_step(std::mem::take(&mut step))?;
            }
        }
        self.take_step(step)?;
        Ok(redacted)
    }

    fn refuse_redaction(&self) -> Result<(), RedactError> {
        if self.health() == Health::Poisoned {
            return Err(RedactError::Poisoned);
        }
        if self.closed.load(std::sync::atomic::Ordering::Acquire) { Err(RedactError::Closed) } else { Ok(()) }
    }

    /// Puts the replacements into sled, durable on return.
    fn take_step(&self, step: Step) -> Result<(), RedactError> {
        if step.entries == 0 {
            return Ok(());
        }
        let mut writer = self.writer();
        self.refuse_redaction()?;
        // sled does not survive a full disk, so it is not let to meet one.
        if !has_room(&self.dir, SPARE_BYTES + 4 * step.bytes).map_err(|error| RedactError::io(&self.dir, error))? {
            return Err(RedactError::DiskFull);
        }
        let failed = |error: &dyn std::error::Error| {
            self.poisoned(error);
            RedactError::Poisoned
        };
        self.db.apply_batch(step.batch).map_err(|error| failed(&error))?;
        self.db.flush().map_err(|error| failed(&error))?;
        writer.files.flush().map_err(|error| failed(&error))
    }
}
