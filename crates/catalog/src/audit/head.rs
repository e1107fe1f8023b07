//! The end of the chain: where the next note goes on.

use std::ops::ControlFlow;

use waymark_store::{Entry, EntryKind, FollowError, Serial, Store, Timestamp};

use crate::reserved::ReservedKey;

use super::hash::{Algorithm, Digest};
use super::note::{Note, NoteError, NoteHead};

/// The last note of the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditHead {
    /// Its number; 0 when there is none yet.
    pub note: u64,
    /// Its serial.
    pub serial: Serial,
    /// Its time.
    pub time: Timestamp,
    /// Its hash.
    pub algorithm: Algorithm,
    /// Its chain.
    pub chain: Digest,
}

impl From<&NoteHead> for AuditHead {
    fn from(head: &NoteHead) -> Self {
        let NoteHead { number, serial, time, algorithm, chain, .. } = *head;
        Self { note: number, serial, time, algorithm, chain }
    }
}

/// Tells whether an entry is a note of the audit.
pub(super) fn is_note(entry: &Entry<'_>) -> bool {
    entry.kind == EntryKind::NOTE && ReservedKey::parse(entry.key) == Some(ReservedKey::Audit)
}

/// Finds the last note. It is the last entry, unless the log was begun before there was an audit, or nothing was written yet: then all
/// of it is looked through, at every start until the first note is written.
pub(crate) fn find_head(store: &dyn Store) -> Result<AuditHead, HeadError> {
    let mut buffer = Vec::new();
    if let Some(entry) = store.read_serial(store.last().serial, &mut buffer).map_err(HeadError::Follow)?
        && is_note(&entry)
    {
        return head_in(&entry).map_err(HeadError::Note);
    }
    Ok(last_note(store)?.unwrap_or_default())
}

/// The note in an entry, if it can be gone on from: each note before it has an entry of its own.
fn head_in(entry: &Entry<'_>) -> Result<AuditHead, NoteError> {
    let head = Note::parse(entry.body)?.head;
    if head.number > entry.serial.0 {
        Err(NoteError::Number { found: head.number })
    } else {
        Ok(AuditHead::from(&head))
    }
}

/// The last note of the whole log, passing over damaged entries.
fn last_note(store: &dyn Store) -> Result<Option<AuditHead>, HeadError> {
    let mut found = Ok(None);
    let mut after = Serial::NONE;
    loop {
        let outcome = store.follow(after, &mut |entry| {
            if is_note(entry) {
                found = head_in(entry).map(Some);
            }
            ControlFlow::Continue(())
        });
        match outcome {
            Ok(_) => break,
            Err(FollowError::Damaged { resume_after, .. }) if resume_after > after => after = resume_after,
            Err(FollowError::Compacted { oldest }) if oldest > after => after = Serial(oldest.0.saturating_sub(1)),
            Err(error) => return Err(HeadError::Follow(error)),
        }
    }
    found.map_err(HeadError::Note)
}

/// Why the end of the chain was not found, so that nothing can be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Follow(#[source] FollowError),
    /// The last note is not one this program can go on from.
    #[error("the last note of the audit cannot be gone on from")]
    Note(#[source] NoteError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::note;
    use waymark_store::{Group, MemoryStore};

    fn head_of(number: u64) -> Result<AuditHead, HeadError> {
        let store = MemoryStore::for_tests();
        let head = NoteHead {
            pruned: false,
            algorithm: Algorithm::Sha256,
            part: 0,
            entries: 0,
            number,
            serial: Serial(1),
            time: Timestamp(0),
            before: Digest::default(),
            entries_hash: Digest::default(),
            items_hash: Digest::default(),
            chain: Digest::default(),
        };
        let (body, _) = note::write(head, &[0, 0], &store.identity().store_id);
        let mut group = Group::new();
        let key = ReservedKey::Audit.to_bytes();
        group.push(EntryKind::NOTE, &key, b"audit", Serial::NONE, &body).unwrap();
        store.commit(Timestamp(0), &group).unwrap();
        find_head(&store)
    }

    #[test]
    fn a_note_with_more_before_it_than_there_are_entries_is_not_gone_on_from() {
        assert_eq!(head_of(1).unwrap().note, 1);
        for number in [2, Serial::MAX.0, u64::MAX] {
            assert!(matches!(head_of(number), Err(HeadError::Note(NoteError::Number { found })) if found == number));
        }
    }
}
