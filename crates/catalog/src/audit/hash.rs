//! The hashes of the chain.

use std::fmt;

use sha2::{Digest as _, Sha256};
use sm3::Sm3;
use waymark_store::{EntryKind, Serial};

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
pub(crate) struct EntriesHasher(Hasher);

/// One entry as it is hashed.
#[derive(Clone, Copy)]
pub(crate) struct HashedEntry<'a> {
    pub(crate) kind: EntryKind,
    pub(crate) serial: Serial,
    pub(crate) previous: Serial,
    pub(crate) actor: &'a [u8],
    pub(crate) key: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl EntriesHasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(ENTRIES_TAG);
        Self(hasher)
    }

    /// Takes in the next entry. The store holds actors to 255 bytes, keys to 65,535 and bodies to 16 MiB.
    pub(crate) fn update(&mut self, entry: HashedEntry<'_>) {
        let HashedEntry { kind, serial, previous, actor, key, body } = entry;
        let hasher = &mut self.0;
        hasher.update(&[kind.number()]);
        hasher.update(&serial.0.to_be_bytes());
        hasher.update(&previous.0.to_be_bytes());
        hasher.update(&[u8::try_from(actor.len()).unwrap_or(u8::MAX)]);
        hasher.update(actor);
        hasher.update(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes());
        hasher.update(key);
        hasher.update(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
        hasher.update(body);
    }

    pub(crate) fn finish(self) -> Digest {
        self.0.finish()
    }
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
