//! What is looked up and what it leads to: keys with their hash, and places.

use std::fmt;
use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

/// Bits of a hash the index keeps and compares.
pub const HASH_BITS: u32 = 48;

const HASH_MASK: u64 = (1 << HASH_BITS) - 1;

/// The secret of a store by which its keys are hashed (SipHash-1-3), so that nobody outside can aim collisions.
#[derive(Clone)]
pub struct HashKey([u8; 16]);

impl HashKey {
    /// A key of these secret bytes.
    #[must_use]
    pub const fn new(secret: [u8; 16]) -> Self {
        Self(secret)
    }

    /// The hash of a key: below 2^[`HASH_BITS`], and exactly what [`crate::Writer::for_each_place`] gives back.
    #[must_use]
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(key);
        hasher.finish() & HASH_MASK
    }

    /// A key together with its hash.
    #[must_use]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        Key { hash: self.hash(bytes), bytes }
    }
}

impl fmt::Debug for HashKey {
    /// Never shows the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(secret)")
    }
}

/// A key with its hash, made once by the caller, outside the passes over the table.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// What [`HashKey::hash`] said of `bytes`. Only the low [`HASH_BITS`] bits count.
    pub hash: u64,
    /// The key itself, any bytes.
    pub bytes: &'a [u8],
}

/// Where the store keeps an entry: opaque here, below 2^47.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct Place(u64);

impl Place {
    /// The largest place.
    pub const MAX: Self = Self((1 << 47) - 1);

    /// A place, or `None` when it is above [`Place::MAX`].
    #[must_use]
    pub const fn new(place: u64) -> Option<Self> {
        if place <= Self::MAX.0 { Some(Self(place)) } else { None }
    }

    /// The place as the store numbers it.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A hash as the table uses it: 32 bits choose the slot where a search begins, 16 others are kept in the slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SplitHash {
    /// Chooses the home slot; kept beside the slots.
    pub(crate) home: u32,
    /// Kept in the slot.
    pub(crate) fingerprint: u16,
}

impl SplitHash {
    /// Splits a hash; bits above [`HASH_BITS`] are ignored.
    pub(crate) const fn new(hash: u64) -> Self {
        Self { home: (hash & 0xffff_ffff) as u32, fingerprint: ((hash >> 32) & 0xffff) as u16 }
    }

    /// The hash this was split from, without the ignored bits.
    pub(crate) const fn join(self) -> u64 {
        (self.fingerprint as u64) << 32 | self.home as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_depends_on_the_secret_and_keeps_to_its_bits() {
        let (a, b) = (HashKey::new([1; 16]), HashKey::new([2; 16]));
        assert_ne!(a.hash(b"88.1/X"), b.hash(b"88.1/X"));
        for n in 0..1000_u32 {
            assert!(a.hash(&n.to_be_bytes()) < 1 << HASH_BITS);
        }
    }

    #[test]
    fn split_hash_joins_to_what_it_was() {
        let hash = HashKey::new([7; 16]).hash(b"key");
        assert_eq!(SplitHash::new(hash).join(), hash);
        assert_eq!(SplitHash::new(u64::MAX).join(), HASH_MASK);
    }

    #[test]
    fn place_refuses_what_does_not_fit_a_slot() {
        assert_eq!(Place::new(Place::MAX.get()), Some(Place::MAX));
        assert_eq!(Place::new(Place::MAX.get() + 1), None);
    }

    #[test]
    fn debug_of_a_hash_key_hides_it() {
        assert_eq!(format!("{:?}", HashKey::new([0x41; 16])), "HashKey(secret)");
    }
}
