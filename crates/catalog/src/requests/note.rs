//! The note of an accepted request in the log, described in [`crate::reserved`].

use waymark_store::{Serial, Timestamp};

use super::Remembered;
use crate::command::{Outcome, Receipt};
use crate::values::ContentHash;
use crate::warnings::Warnings;

/// What of a note's key lies behind `00 'I'`: the id, so that requests sort by when they were made, and the principal.
pub(crate) fn place_of(principal: &str, id: u128) -> Vec<u8> {
    [&id.to_be_bytes()[..], principal.as_bytes()].concat()
}

/// Takes apart what [`place_of`] put together.
pub(crate) fn parse_place(place: &[u8]) -> Option<(u128, &str)> {
    let (id, principal) = place.split_first_chunk()?;
    Some((u128::from_be_bytes(*id), std::str::from_utf8(principal).ok()?))
}

/// The body of a note.
pub(crate) fn body_of(what: &Remembered) -> Vec<u8> {
    let Remembered { digest, receipt } = what;
    let mut body = Vec::with_capacity(BODY_BYTES);
    body.extend_from_slice(&[VERSION, receipt.outcome.number(), receipt.warnings.bits()]);
    body.extend_from_slice(&receipt.serial.0.to_be_bytes());
    body.extend_from_slice(&receipt.time.0.to_be_bytes());
    body.extend_from_slice(&receipt.content.0);
    body.extend_from_slice(digest);
    body
}

/// Reads the body of a note; `None` when it is not of this version.
pub(crate) fn parse_body(body: &[u8]) -> Option<Remembered> {
    let (&[version, outcome, warnings], rest) = body.split_first_chunk()?;
    let (serial, rest) = rest.split_first_chunk()?;
    let (time, rest) = rest.split_first_chunk()?;
    let (content, digest) = rest.split_first_chunk()?;
    if version != VERSION {
        return None;
    }
    let receipt = Receipt {
        serial: Serial(u64::from_be_bytes(*serial)),
        time: Timestamp(u64::from_be_bytes(*time)),
        content: ContentHash(*content),
        outcome: Outcome::from_number(outcome)?,
        warnings: Warnings::from_bits(warnings),
        repeated: false,
    };
    Some(Remembered { digest: digest.try_into().ok()?, receipt })
}

/// Version of the body.
const VERSION: u8 = 1;

/// Bytes of a body.
const BODY_BYTES: usize = 83;

/// Most bytes of a note in a group: key, actor, body and frame, generously.
pub(crate) const NOTE_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warnings::Warning;

    fn remembered() -> Remembered {
        let receipt = Receipt {
            serial: Serial(0x0102),
            time: Timestamp(0x0304),
            content: ContentHash([0xcc; 32]),
            outcome: Outcome::Changed,
            warnings: Warnings::NONE.with(Warning::Whitespace),
            repeated: false,
        };
        Remembered { digest: [0xdd; 32], receipt }
    }

    #[test]
    fn bodies_have_golden_bytes_and_come_back() {
        let body = body_of(&remembered());
        let expected =
            [&[1, 3, 4][..], &[0, 0, 0, 0, 0, 0, 1, 2], &[0, 0, 0, 0, 0, 0, 3, 4], &[0xcc; 32], &[0xdd; 32]].concat();
        assert_eq!((body.len(), &body), (BODY_BYTES, &expected));
        assert_eq!(parse_body(&body), Some(remembered()));
    }

    #[test]
    fn other_versions_and_lengths_are_refused() {
        let body = body_of(&remembered());
        for end in 0..body.len() {
            assert_eq!(parse_body(&body[..end]), None);
        }
        assert_eq!(parse_body(&[&body[..], &[0]].concat()), None);
        for (at, byte) in [(0, 2), (1, 0), (1, 63)] {
            let mut other = body.clone();
            other[at] = byte;
            assert_eq!(parse_body(&other), None);
        }
    }

    #[test]
    fn places_sort_by_id_and_come_back() {
        assert_eq!(parse_place(&place_of("acme", 7)), Some((7, "acme")));
        assert!(place_of("zeta", 7) < place_of("acme", 8));
        assert_eq!(parse_place(&[0; 15]), None);
        assert_eq!(parse_place(&[0xff; 17]), None, "a principal is text");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_note_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..100)) {
            if let Some(what) = parse_body(&bytes) {
                proptest::prop_assert_eq!(body_of(&what), bytes.clone());
            }
            if let Some((id, principal)) = parse_place(&bytes) {
                proptest::prop_assert_eq!(place_of(principal, id), bytes);
            }
        }
    }
}
