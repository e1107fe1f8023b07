//! The hashes of the chain.

use std::fmt;

use sha2::{Digest as _, Sha256};
use sm3::Sm3;
use waymark_store::{EntryKind, Serial};
use waymark_wire::Values;

use crate::record::Stored;
use crate::reserved::is_reserved;
use crate::values::ContentHash;

/// Which hash a note uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256 (FIPS 180-4).
    #[default]
    Sha256,
    /// SM3 (GB/T 32905).
    Sm3,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sm3];

    /// Its number in notes; never changes.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Sha256 => 1,
            Self::Sm3 => 2,
        }
    }

    /// The algorithm of that number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.number() == number)
    }

    /// Its name in configuration and checkpoints; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sm3 => "sm3",
        }
    }

    /// The algorithm of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// 32 bytes of one of the algorithms.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl std::str::FromStr for Digest {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

/// A hash being computed.
pub(crate) enum Hasher {
    Sha256(Sha256),
    Sm3(Sm3),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sm3 => Self::Sm3(Sm3::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sm3(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest(hasher.finalize().into()),
            Self::Sm3(hasher) => Digest(hasher.finalize().into()),
        }
    }

    /// The hash of one piece.
    pub(crate) fn of(algorithm: Algorithm, bytes: &[u8]) -> Digest {
        let mut hasher = Self::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }
}

/// The hash of a group's entries, see [`crate::audit`].
pub(crate) struct EntriesHasher {
    hasher: Hasher,
    /// The short parts of an entry, gathered so that the hash takes them in at once.
    room: Vec<u8>,
}

/// One entry as it is hashed.
#[derive(Clone, Copy)]
pub(crate) struct HashedEntry<'a> {
    pub(crate) kind: EntryKind,
    pub(crate) serial: Serial,
    pub(crate) previous: Serial,
    pub(crate) actor: &'a [u8],
    pub(crate) key: &'a [u8],
    pub(crate) body: &'a [u8],
    /// Content of the record in `body`, where it is known.
    pub(crate) content: Option<ContentHash>,
}

impl<'a> HashedEntry<'a> {
    /// The record it writes; `None` when it writes none, or one that cannot be read.
    fn record(&self) -> Option<(&'a [u8], Values<'a>)> {
        if self.kind != EntryKind::PUT || is_reserved(self.key) {
            return None;
        }
        let stored = Stored::parse(self.body).ok()?;
        let before_values = self.body.len().checked_sub(stored.wire_values().len())?;
        Some((self.body.get(..before_values)?, stored.values().ok()?))
    }
}

impl EntriesHasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(ENTRIES_TAG);
        Self { hasher, room: Vec::new() }
    }

    /// Takes in the next entry. The store holds actors to 255 bytes, keys to 65,535 and bodies to 16 MiB.
    pub(crate) fn update(&mut self, entry: HashedEntry<'_>) {
        let HashedEntry { kind, serial, previous, actor, key, body, content } = entry;
        let Self { hasher, room } = self;
        room.clear();
        room.push(kind.number());
        room.extend_from_slice(&serial.0.to_be_bytes());
        room.extend_from_slice(&previous.0.to_be_bytes());
        room.push(u8::try_from(actor.len()).unwrap_or(u8::MAX));
        room.extend_from_slice(actor);
        room.extend_from_slice(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes());
        room.extend_from_slice(key);
        if let Some((before_values, values)) = entry.record() {
            room.extend_from_slice(&length(before_values));
            room.extend_from_slice(before_values);
            for value in values {
                room.extend_from_slice(&value.timestamp.to_be_bytes());
            }
            room.extend_from_slice(&content.unwrap_or_else(|| ContentHash::of(values)).0);
            hasher.update(room);
        } else {
            room.extend_from_slice(&length(body));
            hasher.update(room);
            hasher.update(body);
        }
    }

    pub(crate) fn finish(self) -> Digest {
        self.hasher.finish()
    }
}

/// A length as it is hashed.
fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}

const ENTRIES_TAG: &[u8] = b"waymark audit entries\0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standards() {
        let sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let sm3 = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0";
        assert_eq!(Hasher::of(Algorithm::Sha256, b"abc").to_string(), sha);
        assert_eq!(Hasher::of(Algorithm::Sm3, b"abc").to_string(), sm3);
        assert_eq!(sm3.parse(), Ok(Hasher::of(Algorithm::Sm3, b"abc")));
    }

    #[test]
    fn numbers_and_names_lead_back() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_number(algorithm.number()), Some(algorithm));
            assert_eq!(Algorithm::from_name(algorithm.as_str()), Some(algorithm));
        }
        assert_eq!((Algorithm::from_number(0), Algorithm::from_name("md5")), (None, None));
    }

    #[test]
    fn a_record_is_hashed_by_its_content_and_what_that_leaves_out() {
        let values = |timestamp, data: &[u8]| {
            let value = waymark_wire::ValueBuf { timestamp, ..crate::testing::value(1, "URL", data) };
            crate::values::ValueSet::from_bufs(&[value]).unwrap()
        };
        let hash = |handle: &[u8], timestamp, data: &[u8], known: bool| {
            let values = values(timestamp, data);
            let body = crate::record::encode(handle, None, &values);
            let content = known.then(|| values.content());
            let (serial, previous, actor, key) = (Serial(2), Serial::NONE, &b"p"[..], &b"88.1/X"[..]);
            let mut hasher = EntriesHasher::new(Algorithm::Sha256);
            hasher.update(HashedEntry { kind: EntryKind::PUT, serial, previous, actor, key, body: &body, content });
            hasher.finish()
        };
        let whole = hash(b"88.1/x", 7, b"u", true);
        assert_eq!(hash(b"88.1/x", 7, b"u", false), whole);
        for other in [hash(b"88.1/X", 7, b"u", true), hash(b"88.1/x", 8, b"u", true), hash(b"88.1/x", 7, b"v", true)] {
            assert_ne!(other, whole);
        }
        // By hand: head, handle, timestamp and content, as the documentation says.
        let mut bytes = b"waymark audit entries\0".to_vec();
        bytes.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'p', 0, 6]);
        bytes.extend_from_slice(b"88.1/X");
        bytes.extend_from_slice(&[0, 0, 0, 14, 1, 1, 0, 6, 0, 0, 0, 1]);
        bytes.extend_from_slice(b"88.1/x");
        bytes.extend_from_slice(&7_u32.to_be_bytes());
        bytes.extend_from_slice(&values(0, b"u").content().0);
        assert_eq!(Hasher::of(Algorithm::Sha256, &bytes), whole);
    }

    #[test]
    fn every_part_of_an_entry_has_a_part_in_the_hash() {
        let hash = |entry: HashedEntry<'_>| {
            let mut hasher = EntriesHasher::new(Algorithm::Sha256);
            hasher.update(entry);
            hasher.finish()
        };
        let entry = HashedEntry {
            kind: EntryKind::PUT,
            serial: Serial(7),
            previous: Serial(3),
            actor: b"a",
            key: b"k",
            body: b"b",
            content: None,
        };
        let others = [
            HashedEntry { kind: EntryKind::DELETE, ..entry },
            HashedEntry { serial: Serial(8), ..entry },
            HashedEntry { previous: Serial(4), ..entry },
            HashedEntry { actor: b"ak", key: b"", ..entry },
            HashedEntry { key: b"kb", body: b"", ..entry },
            HashedEntry { body: b"c", ..entry },
        ];
        for other in others {
            assert_ne!(hash(other), hash(entry));
        }
    }
}
