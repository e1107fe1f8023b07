//! The word of a slot: what it says, in 64 bits.
//!
//! ```text
//!  63          48 47 46                                         0
//! +--------------+--+-------------------------------------------+
//! | fingerprint  |C | place (C = 1), or record address / 8 (C = 0) |
//! +--------------+--+-------------------------------------------+
//! ```
//! Records are aligned to 8 bytes, so 47 bits reach every address below 2^50. Two addresses no record can have stand
//! for a slot never used (0) and a slot whose entry was removed (1).

use crate::key::Place;
use crate::record::RecordPtr;

const COLD: u64 = 1 << 47;
const PAYLOAD: u64 = COLD - 1;
const ALIGN_BITS: u32 = 3;

/// The content of one slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Word(u64);

/// A word taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Never used since the table was made: a search ends here.
    Empty,
    /// Its entry was removed: a search goes on.
    Gone,
    /// A record in memory.
    Resident(RecordPtr),
    /// A record in the store only.
    Cold(Place),
}

impl Word {
    /// See [`Kind::Empty`].
    pub(crate) const EMPTY: Self = Self(0);
    /// See [`Kind::Gone`].
    pub(crate) const GONE: Self = Self(1);

    /// The word read from a slot.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The word to be put into a slot.
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// An entry that is in the store only.
    pub(crate) const fn cold(fingerprint: u16, place: Place) -> Self {
        Self((fingerprint as u64) << 48 | COLD | place.get())
    }

    /// An entry that is in memory; `None` when its address does not fit, which leaves the entry cold.
    pub(crate) fn resident(fingerprint: u16, record: RecordPtr) -> Option<Self> {
        let payload = record.expose_address() >> ALIGN_BITS;
        (payload <= PAYLOAD).then_some(Self(u64::from(fingerprint) << 48 | payload))
    }

    /// The 16 bits of the hash; meaningless in an empty or gone slot.
    pub(crate) const fn fingerprint(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// What the slot holds.
    pub(crate) fn kind(self) -> Kind {
        let payload = self.0 & PAYLOAD;
        if self.0 & COLD != 0 {
            return Place::new(payload).map_or(Kind::Gone, Kind::Cold);
        }
        match (self, RecordPtr::from_address(payload << ALIGN_BITS)) {
            (Self::GONE, _) => Kind::Gone,
            (_, Some(record)) => Kind::Resident(record),
            (_, None) => Kind::Empty,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cold_words_keep_every_place_and_fingerprint() {
        for place in [0, 1, 2, Place::MAX.get()] {
            for fingerprint in [0, 1, u16::MAX] {
                let place = Place::new(place).unwrap();
                let word = Word::cold(fingerprint, place);
                assert_eq!(word.kind(), Kind::Cold(place));
                assert_eq!(word.fingerprint(), fingerprint);
            }
        }
    }

    #[test]
    #[cfg(not(feature = "loom"))]
    fn resident_words_keep_the_address() {
        let record = RecordPtr::allocate(b"key", b"body", Place::MAX, false).unwrap();
        let word = Word::resident(u16::MAX, record).unwrap();
        assert_eq!(word.kind(), Kind::Resident(record));
        assert_eq!(word.fingerprint(), u16::MAX);
        // SAFETY: the record was made above and nobody else knows it.
        unsafe { record.free() };
    }

    #[test]
    fn addresses_above_the_payload_are_refused() {
        let far = RecordPtr::from_address(1 << 50).unwrap();
        assert_eq!(Word::resident(0, far), None);
    }

    #[test]
    fn marks_of_unused_slots_are_no_entries() {
        assert_eq!(Word::EMPTY.kind(), Kind::Empty);
        assert_eq!(Word::GONE.kind(), Kind::Gone);
    }
}
