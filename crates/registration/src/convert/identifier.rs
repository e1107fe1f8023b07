//! Identifiers as the interface shows them, to whom the rights allow what.

use waymark_api::registration::v1;
use waymark_catalog::access::{Rights, Verb, prefix_of};
use waymark_catalog::{Change, ContentHash, RecordError, Serial, Stored, Timestamp, Version};
use waymark_wire::{Permissions, ValueRef, Values, type_matches};

use super::value;
use crate::failure::proto_time;

/// Whether a caller is told the content hash of identifiers of a prefix, folded, whatever values they hold.
pub(crate) fn tells_content(rights: &Rights, prefix: &[u8]) -> bool {
    rights.allows(Verb::Modify, prefix)
}

/// Whether a caller sees a value of these permissions; `reads` says whether it may read what administrators may.
pub(crate) const fn sees(reads: bool, permissions: Permissions) -> bool {
    permissions.is_public_read() || (reads && permissions.is_admin_read())
}

/// What of an identifier is wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Without values at all.
    pub(crate) no_values: bool,
    /// Only values of these indexes or types, if any are given.
    pub(crate) indexes: Vec<u32>,
    pub(crate) types: Vec<String>,
}

impl Wanted {
    pub(crate) fn values(with_values: bool) -> Self {
        Self { no_values: !with_values, ..Self::default() }
    }

    fn lets_through(&self, value: &ValueRef<'_>) -> bool {
        (self.indexes.is_empty() && self.types.is_empty())
            || self.indexes.contains(&value.index)
            || self.types.iter().any(|kind| type_matches(kind.as_bytes(), value.kind))
    }
}

/// One version of an identifier.
pub(crate) struct Shown<'a> {
    /// The handle: as it was registered, or the canonical key of one that was deleted.
    pub(crate) handle: &'a [u8],
    /// `None` for a deletion.
    pub(crate) stored: Option<Stored<'a>>,
    pub(crate) serial: Serial,
    pub(crate) time: Timestamp,
    /// Who wrote it, where that is known.
    pub(crate) actor: &'a str,
}

impl<'a> Shown<'a> {
    pub(crate) fn of_change(change: &Change<'a>) -> Result<Self, RecordError> {
        let Change { serial, time, actor, key, .. } = *change;
        let stored = change.stored()?;
        Ok(Self { handle: stored.map_or(key, |stored| stored.handle()), stored, serial, time, actor })
    }

    pub(crate) fn of_version(version: &'a Version, handle: &'a [u8]) -> Result<Self, RecordError> {
        let Version { serial, time, ref actor, ref record, .. } = *version;
        let stored = record.as_ref().map(|record| record.stored()).transpose()?;
        Ok(Self { handle: stored.map_or(handle, |stored| stored.handle()), stored, serial, time, actor })
    }

    /// The identifier, for a caller: values everybody may read, those administrators may read where the caller may, and how many were left
    /// out. `None` when the caller must not know of it.
    ///
    /// Whoever may read only what everybody may is told no more of the rest than resolution tells everybody: that something asked for is there and
    /// left out, not how much. The content hash is over all values, so that guesses at hidden ones could be held against it: it is told to those
    /// who may read them all, and to those who may change the identifier, who get it with their receipts anyway.
    pub(crate) fn show(&self, rights: &Rights, wanted: &Wanted) -> Result<Option<v1::Identifier>, RecordError> {
        let prefix = prefix_of(self.handle);
        let reads = rights.allows(Verb::Read, &prefix);
        let status = self.status();
        if status != v1::Status::Active && !reads {
            return Ok(None);
        }
        let all = self.stored.map_or_else(|| Ok(Values::default()), |stored| stored.values())?;
        let (mut withheld, mut sees_all) = (0, true);
        let mut values = Vec::new();
        for each in all.iter() {
            let sees = sees(reads, each.permissions);
            sees_all &= sees;
            if !wanted.lets_through(&each) {
                continue;
            }
            if !sees {
                withheld += 1;
            } else if !wanted.no_values {
                values.push(value::show(&each));
            }
        }
        let content = (sees_all || tells_content(rights, &prefix)).then(|| ContentHash::of(all).0.to_vec());
        Ok(Some(v1::Identifier {
            handle: String::from_utf8_lossy(self.handle).into_owned(),
            values,
            serial: self.serial.0,
            time: Some(proto_time(self.time)),
            content_hash: content.unwrap_or_default(),
            status: status.into(),
            status_reason: self.status_reason(),
            actor: if reads { self.actor.to_owned() } else { String::new() },
            withheld: if reads { withheld } else { withheld.min(1) },
            package: String::new(),
        }))
    }

    fn status(&self) -> v1::Status {
        match self.stored.map(|stored| stored.status()) {
            None => v1::Status::Deleted,
            Some(None) => v1::Status::Active,
            Some(Some(withdrawal)) if withdrawal.revoked => v1::Status::Revoked,
            Some(Some(_)) => v1::Status::Suspended,
        }
    }

    fn status_reason(&self) -> String {
        let withdrawal = self.stored.and_then(|stored| stored.status());
        withdrawal.map_or_else(String::new, |withdrawal| withdrawal.reason.to_owned())
    }
}
