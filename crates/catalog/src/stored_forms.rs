//! The stored forms of this crate, each by itself: bytes are read by the code that reads them in a store, and what was read is written again by
//! the code that wrote them.
//!
//! For whoever judges those readers apart from a store; nothing of a node needs it. Notes of the audit and checkpoints have their own readers in
//! [`crate::audit`].

use std::fmt::Debug;

use waymark_ident::{CaseRule, Handle};
use waymark_index::{HashKey, Options, Writer};
use waymark_store::{Blobs, MemoryStore, Serial, Store as _};

use crate::access::{Principal, Token, TokenId};
use crate::deletions::{self, Deletions};
use crate::mark::{Mark, StepItem, UnknownForm, position_body, write_step};
use crate::prefixes::key_of;
use crate::record::{self, Stored};
use crate::requests::note;
use crate::reserved::{ReservedKey, case_rule_body, parse_case_rule_body};
use crate::snapshot;
use crate::values::ValueSet;

/// One stored form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// A reserved key of the log: homed prefixes, marks, requests, principals, tokens.
    Key,
    /// The case rule.
    CaseRule,
    /// A stream's mark.
    Mark,
    /// What of the key of an accepted request names it.
    RequestPlace,
    /// The note of an accepted request.
    RequestNote,
    /// A principal.
    Principal,
    /// A token.
    Token,
    /// A record, with its status where it has one.
    Record,
    /// The content of the index snapshot.
    Snapshot,
    /// The content of the blob of deletions.
    Deletions,
}

/// Bytes that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reread {
    /// What they say. Equal texts say the same.
    pub said: String,
    /// The same, written again.
    pub bytes: Vec<u8>,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Key,
        Self::CaseRule,
        Self::Mark,
        Self::RequestPlace,
        Self::RequestNote,
        Self::Principal,
        Self::Token,
        Self::Record,
        Self::Snapshot,
        Self::Deletions,
    ];

    /// Whether there is one way only to write what the form says, so that what is read is written back to the same bytes.
    #[must_use]
    pub const fn is_exact(self) -> bool {
        matches!(self, Self::Key | Self::CaseRule | Self::RequestPlace | Self::RequestNote)
    }

    /// Reads bytes and writes what they say again; `None` when they are not of this form.
    #[must_use]
    pub fn reread(self, bytes: &[u8]) -> Option<Reread> {
        match self {
            Self::Key => ReservedKey::parse(bytes).map(|key| reread(&key, key.to_bytes())),
            Self::CaseRule => parse_case_rule_body(bytes).map(|rule| reread(&rule, case_rule_body(rule).to_vec())),
            Self::Mark => mark(bytes).ok(),
            Self::RequestPlace => {
                note::parse_place(bytes).map(|(id, principal)| reread(&(id, principal), note::place_of(principal, id)))
            }
            Self::RequestNote => note::parse_body(bytes).map(|what| reread(&what, note::body_of(&what))),
            Self::Principal => {
                Principal::from_body("name", bytes).ok().map(|(read, by)| reread(&(&read, by), read.to_body(by)))
            }
            Self::Token => Token::from_body(TokenId([0; 8]), bytes).ok().map(|read| reread(&read, read.to_body())),
            Self::Record => record(bytes),
            Self::Snapshot => snapshot(bytes),
            Self::Deletions => deletions(bytes),
        }
    }
}

fn reread(said: &impl Debug, bytes: Vec<u8>) -> Reread {
    Reread { said: format!("{said:?}"), bytes }
}

/// Orders of a step that are told; a mark of a few bytes may claim any number of them.
const MOST_ITEMS: usize = 4_096;

fn mark(body: &[u8]) -> Result<Reread, UnknownForm> {
    let step = match Mark::parse(body)? {
        Mark::Position(position) => return Ok(reread(&position, position_body(position))),
        Mark::Step(step) => step,
    };
    let head = (step.position, step.after, step.first);
    let items: Vec<StepItem> = step.items().take(MOST_ITEMS).collect::<Result<_, _>>()?;
    Ok(reread(&(head, &items), write_step(head, items.iter().copied())))
}

fn record(body: &[u8]) -> Option<Reread> {
    let handle = Handle::new(Stored::parse(body).ok()?.handle()).ok()?;
    let key = key_of(&handle, CaseRule::Insensitive);
    let stored = record::verify(&key, body, CaseRule::Insensitive).ok()?;
    let mut values = ValueSet::default();
    for value in stored.values().ok()? {
        values.push(value.wire);
    }
    // The flags are told by the values.
    let said = (stored.handle(), stored.status(), stored.count(), stored.wire_values());
    Some(reread(&said, record::encode(stored.handle(), stored.status(), &values)))
}

/// The index keeps its entries in an order of its own: they are told sorted.
fn snapshot(content: &[u8]) -> Option<Reread> {
    rewritten(snapshot::NAME, snapshot::VERSION, content, |blobs| {
        let options = Options { hash_key: HashKey::new([0; 16]), resident_budget_bytes: 0, expected_entries: 0 };
        let mut index: Writer = waymark_index::new(options).0;
        let serial = snapshot::load(blobs, &mut index, Serial(u64::MAX)).ok()??;
        snapshot::write(blobs, &index, serial).ok()?;
        let mut entries = Vec::new();
        index.for_each_place(|hash, place| entries.push((hash, place)));
        entries.sort_unstable();
        Some(format!("{:?}", (serial, entries)))
    })
}

fn deletions(content: &[u8]) -> Option<Reread> {
    let upto = content.first_chunk().map(|serial| Serial(u64::from_be_bytes(*serial)))?;
    rewritten(deletions::NAME, deletions::VERSION, content, |blobs| {
        let deletions = Deletions::load(blobs, upto).ok()??;
        deletions.write(blobs, upto).ok()?;
        Some(format!("{:?}", (upto, deletions.sorted())))
    })
}

/// Puts the content of a blob where `read` reads it and writes it again.
fn rewritten(name: &str, version: u32, content: &[u8], read: impl FnOnce(&Blobs) -> Option<String>) -> Option<Reread> {
    let store = MemoryStore::for_tests();
    let blobs = store.blobs();
    blobs.write_atomically(name, version, content).ok()?;
    let said = read(blobs)?;
    let (_, bytes) = blobs.read_verified(name).ok()??;
    Some(Reread { said, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_no_form_is_read_as_none() {
        for form in Form::ALL {
            assert_eq!(form.reread(b"\xff\xff"), None, "{form:?}");
        }
    }

    #[test]
    fn runs_of_a_mark_that_could_be_one_are_written_as_one() {
        // Two orders created one by one, and a run of none between them.
        let split = [2, 2, 0, 9, 1, 1, 0, 0x80, 0, 3, 1, 1, 0];
        let read = Form::Mark.reread(&split).unwrap();
        assert_eq!(read.bytes, [2, 2, 0, 9, 1, 2, 0]);
        assert_eq!(Form::Mark.reread(&read.bytes), Some(read));
    }

    #[test]
    fn a_mark_of_a_few_bytes_that_claims_more_than_there_can_be_takes_bounded_memory() {
        let claims = [&[2, 0, 0, 1, 0x80][..], &[0xff; 9], &[1, 3]].concat();
        let read = Form::Mark.reread(&claims).unwrap();
        assert!(read.said.len() < MOST_ITEMS * 40);
    }

    #[test]
    fn snapshots_and_deletions_come_back() {
        let head = |serial: u64, count: u64| [serial.to_be_bytes(), count.to_be_bytes()].concat();
        let entries = [[0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 7], [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8]].concat();
        let content = [head(3, 2), entries].concat();
        let read = Form::Snapshot.reread(&content).unwrap();
        assert_eq!(Form::Snapshot.reread(&read.bytes).unwrap().said, read.said);
        assert_eq!(read.bytes.len(), content.len());
        let content = [head(3, 1), 5_u64.to_be_bytes().to_vec()].concat();
        assert_eq!(Form::Deletions.reread(&content).unwrap().bytes, content);
        let any = head(3, u64::MAX);
        assert_eq!(Form::Deletions.reread(&any).unwrap().bytes, any);
    }
}
