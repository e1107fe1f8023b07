//! Notes as they are stored: written, read, checked. The layout stands in [`crate::audit`].

use waymark_store::{Serial, Timestamp};

use super::hash::{Algorithm, Digest, Hasher};
use super::item::{Item, read_items};

/// Version of the form.
pub(crate) const NOTE_VERSION: u8 = 1;

/// Bytes before the items.
pub(crate) const HEAD_BYTES: usize = 160;

/// The items were pruned.
const PRUNED: u8 = 0x01;

/// Bytes of the head the chain covers.
const CHAINED_BYTES: usize = 128;

const CHAIN_TAG: &[u8] = b"waymark audit note\0";

/// The fixed part of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoteHead {
    /// Its items were pruned.
    pub pruned: bool,
    /// Its hash.
    pub algorithm: Algorithm,
    /// 0 for the first note of its group.
    pub part: u8,
    /// Entries of its group before the group's notes.
    pub entries: u32,
    /// Its number in the chain, from 1.
    pub number: u64,
    /// Serial of its own entry.
    pub serial: Serial,
    /// Time of its group.
    pub time: Timestamp,
    /// Chain of the note before.
    pub before: Digest,
    /// Hash of the group's entries.
    pub entries_hash: Digest,
    /// Hash of its items.
    pub items_hash: Digest,
    /// Its own chain.
    pub chain: Digest,
}

impl NoteHead {
    /// Serial of the first entry of the group, a note where the group holds nothing else.
    #[must_use]
    pub const fn first(&self) -> Serial {
        Serial(self.serial.0.saturating_sub(self.entries as u64 + self.part as u64))
    }

    /// What the chain must be.
    #[must_use]
    pub fn right_chain(&self, store_id: &[u8; 16]) -> Digest {
        let mut head = self.to_bytes();
        let [_, flags, ..] = &mut head;
        *flags = 0;
        let mut hasher = Hasher::new(self.algorithm);
        hasher.update(CHAIN_TAG);
        hasher.update(store_id);
        hasher.update(head.get(..CHAINED_BYTES).unwrap_or_default());
        hasher.finish()
    }

    pub(super) fn to_bytes(self) -> [u8; HEAD_BYTES] {
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        bytes.extend_from_slice(&[NOTE_VERSION, if self.pruned { PRUNED } else { 0 }]);
        bytes.extend_from_slice(&[self.algorithm.number(), self.part]);
        bytes.extend_from_slice(&self.entries.to_be_bytes());
        for number in [self.number, self.serial.0, self.time.0] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        for hash in [self.before, self.entries_hash, self.items_hash, self.chain] {
            bytes.extend_from_slice(&hash.0);
        }
        // The parts are as long as the head, by their types.
        bytes.try_into().unwrap_or([0; HEAD_BYTES])
    }
}

/// A note, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// Its head.
    pub head: NoteHead,
    items: &'a [u8],
}

impl<'a> Note<'a> {
    /// Reads the head of a note; says nothing about its chain.
    ///
    /// # Errors
    /// [`NoteError`] for what is no note of version 1.
    pub fn parse(body: &'a [u8]) -> Result<Self, NoteError> {
        match body.first() {
            Some(&NOTE_VERSION) => {}
            Some(&found) => return Err(NoteError::Version { found }),
            None => return Err(NoteError::CutShort { bytes: 0 }),
        }
        let Some((head, items)) = body.split_first_chunk::<HEAD_BYTES>() else {
            return Err(NoteError::CutShort { bytes: body.len() });
        };
        Ok(Self { head: read_head(head)?, items })
    }

    /// Reads the items.
    ///
    /// # Errors
    /// [`NoteError::Pruned`] where there are none any more; [`NoteError::Items`] for bytes that are no items.
    pub fn items(&self) -> Result<Vec<Item>, NoteError> {
        if self.head.pruned { Err(NoteError::Pruned) } else { read_items(self.items, self.head.first()) }
    }

    /// The items' hash as it is; of a pruned note, what was written down of it.
    #[must_use]
    pub fn right_items_hash(&self) -> Digest {
        if self.head.pruned { self.head.items_hash } else { Hasher::of(self.head.algorithm, self.items) }
    }
}

/// Writes a note, its hashes and chain computed; gives the body and the chain.
pub(super) fn write(head: NoteHead, items: &[u8], store_id: &[u8; 16]) -> (Vec<u8>, Digest) {
    let mut head = NoteHead { items_hash: Hasher::of(head.algorithm, items), ..head };
    head.chain = head.right_chain(store_id);
    let mut body = Vec::with_capacity(HEAD_BYTES + items.len());
    body.extend_from_slice(&head.to_bytes());
    body.extend_from_slice(items);
    (body, head.chain)
}

fn read_head(bytes: &[u8; HEAD_BYTES]) -> Result<NoteHead, NoteError> {
    let [_, flags, algorithm, part, ..] = *bytes;
    if flags & !PRUNED != 0 {
        return Err(NoteError::Flags { found: flags });
    }
    let mut rest = bytes.get(4..).unwrap_or_default();
    let algorithm = Algorithm::from_number(algorithm).ok_or(NoteError::Algorithm { found: algorithm })?;
    let entries = u32::from_be_bytes(next(&mut rest));
    let number = u64::from_be_bytes(next(&mut rest));
    // Each note has an entry of its own, so there are no more of them than serials.
    if number > Serial::MAX.0 {
        return Err(NoteError::Number { found: number });
    }
    Ok(NoteHead {
        pruned: flags & PRUNED != 0,
        algorithm,
        part,
        entries,
        number,
        serial: Serial(u64::from_be_bytes(next(&mut rest))),
        time: Timestamp(u64::from_be_bytes(next(&mut rest))),
        before: Digest(next(&mut rest)),
        entries_hash: Digest(next(&mut rest)),
        items_hash: Digest(next(&mut rest)),
        chain: Digest(next(&mut rest)),
    })
}

/// The next bytes of a head, whose length is known to suffice.
fn next<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let Some((bytes, behind)) = rest.split_first_chunk() else { return [0; N] };
    *rest = behind;
    *bytes
}

/// Why bytes are no note, or not one that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Written by another version of this program.
    #[error("audit note of form {found}, this program knows form 1")]
    Version {
        /// The version found.
        found: u8,
    },
    /// Flags this version does not know.
    #[error("audit note with unknown flags {found:#04x}")]
    Flags {
        /// All flags found.
        found: u8,
    },
    /// A hash this version does not know.
    #[error("audit note with unknown hash algorithm {found}")]
    Algorithm {
        /// The number found.
        found: u8,
    },
    /// A number no note can have.
    #[error("audit note with the number {found}, which no note can have")]
    Number {
        /// The number found.
        found: u64,
    },
    /// Shorter than its head.
    #[error("audit note cut short at {bytes} bytes")]
    CutShort {
        /// Bytes there are.
        bytes: usize,
    },
    /// The items are not what their form says.
    #[error("the items of the audit note are not in their form")]
    Items,
    /// The items are past their keep time and gone.
    #[error("the items of the audit note were pruned")]
    Pruned,
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: [u8; 16] = [5; 16];

    fn head() -> NoteHead {
        NoteHead {
            pruned: false,
            algorithm: Algorithm::Sha256,
            part: 0,
            entries: 2,
            number: 9,
            serial: Serial(0x0102),
            time: Timestamp(1_790_000_000_123),
            before: Digest([0xaa; 32]),
            entries_hash: Digest([0xbb; 32]),
            items_hash: Digest::default(),
            chain: Digest::default(),
        }
    }

    #[test]
    fn form_one_has_golden_bytes() {
        // One actor (local operator), one item: create of k, created, first entry of the group, a hash after.
        let items = hex::decode(format!("01086f70657261746f7200000001210100016b0100{}", "cc".repeat(32))).unwrap();
        let (body, chain) = write(head(), &items, &STORE);
        let expected = "01000100000000020000000000000009000000000000010200000\
                        1a0c4506c7b"
            .to_owned()
            + &"aa".repeat(32)
            + &"bb".repeat(32)
            + &Hasher::of(Algorithm::Sha256, &items).to_string()
            + &chain.to_string()
            + &hex::encode(&items);
        assert_eq!(hex::encode(&body), expected);
        let golden = "c410da671fe6161e7a92de49eb156f8e666a672912c59504d622ec28baefd6ac";
        assert_eq!(chain.to_string(), golden);
        let read = Note::parse(&body).unwrap().items().unwrap();
        assert_eq!((read.len(), &read[0].key[..], read[0].actor.name()), (1, &b"k"[..], "operator"));
    }

    #[test]
    fn what_was_written_reads_and_checks() {
        for algorithm in Algorithm::ALL {
            let (body, chain) = write(NoteHead { algorithm, ..head() }, &[0, 0], &STORE);
            let note = Note::parse(&body).unwrap();
            assert_eq!((note.head.chain, note.head.right_chain(&STORE)), (chain, chain));
            assert_eq!(note.right_items_hash(), note.head.items_hash);
            assert_eq!(note.items(), Ok(Vec::new()));
            assert_eq!(note.head.first(), Serial(0x0100));
            assert_ne!(note.head.right_chain(&[6; 16]), chain, "another store's");
        }
    }

    #[test]
    fn every_bit_of_the_head_but_the_pruned_flag_has_a_part_in_the_chain() {
        let (body, _) = write(head(), &[0, 0], &STORE);
        for bit in 0..HEAD_BYTES * 8 {
            let mut changed = body.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let whole = Note::parse(&changed).is_ok_and(|note| note.head.right_chain(&STORE) == note.head.chain);
            assert_eq!(whole, bit == 8, "bit {bit}");
        }
    }

    #[test]
    fn other_versions_flags_algorithms_numbers_and_lengths_are_refused() {
        let (body, _) = write(head(), &[0, 0], &STORE);
        let with = |at: usize, byte: u8| {
            let mut other = body.clone();
            other[at] = byte;
            Note::parse(&other).map(drop)
        };
        assert_eq!(with(0, 2), Err(NoteError::Version { found: 2 }));
        assert_eq!(with(1, 2), Err(NoteError::Flags { found: 2 }));
        assert_eq!(with(2, 3), Err(NoteError::Algorithm { found: 3 }));
        assert_eq!(with(8, 1), Err(NoteError::Number { found: 1 << 56 | 9 }));
        for length in 0..HEAD_BYTES {
            assert_eq!(Note::parse(&body[..length]), Err(NoteError::CutShort { bytes: length }));
        }
    }
}
