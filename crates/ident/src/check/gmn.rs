//! The check character pair of the Global Model Number, AI (8013).
//!
//! Designed to GS1 General Specifications, section "Check character calculation" of the GMN: characters, numbered by
//! their place among the 82 of GS1, are weighted from the right by the primes 2, 3, 5 to 83 and summed modulo 1021; the
//! sum is written as two characters of 32 that are hard to confuse. As 1021 is a prime, every single wrong character
//! and every two swapped neighbours of the body change the sum.

use crate::cset82;

/// Longest code without its pair.
pub const MAX_BODY_BYTES: usize = WEIGHTS.len();

/// The pair of a code without it; `None` when the code is empty, longer than [`MAX_BODY_BYTES`], or holds a character
/// that is not one of the 82.
#[must_use]
pub fn compute(body: &[u8]) -> Option<[u8; 2]> {
    if body.is_empty() || body.len() > MAX_BODY_BYTES {
        return None;
    }
    let sum = body
        .iter()
        .rev()
        .zip(WEIGHTS)
        .try_fold(0, |sum, (&byte, weight)| Some(sum + usize::from(cset82::value(byte)?) * weight))?
        % MODULUS;
    Some([*PAIR_ALPHABET.get(sum / 32)?, *PAIR_ALPHABET.get(sum % 32)?])
}

/// Tells whether the last two characters of `code` are the pair of the others. Case matters.
#[must_use]
pub fn verify(code: &[u8]) -> bool {
    code.split_last_chunk().is_some_and(|(body, pair)| compute(body) == Some(*pair))
}

/// The largest prime below 1024, so that a sum fits two characters of 32.
const MODULUS: usize = 1021;

/// Weights from the right.
const WEIGHTS: [usize; 23] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83];

/// Digits and capitals without `0`, `1`, `I` and `O`.
const PAIR_ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

#[cfg(test)]
mod tests {
    use super::*;

    fn alphabet() -> impl Iterator<Item = u8> + Clone {
        (0..=u8::MAX).filter(|byte| cset82::value(*byte).is_some())
    }

    fn code(body: &[u8]) -> Vec<u8> {
        [body, &compute(body).unwrap()].concat()
    }

    #[test]
    fn the_published_example_verifies() {
        assert!(verify(b"1987654Ad4X4bL5ttr2310c2K"));
        assert!(!verify(b"1987654Ad4X4bL5ttr2310cXX"));
    }

    #[test]
    fn finds_every_single_wrong_character() {
        for body in alphabet().flat_map(|first| alphabet().map(move |second| [first, second])) {
            let code = code(&body);
            for at in 0..code.len() {
                for other in alphabet().filter(|other| *other != code[at]) {
                    let mut wrong = code.clone();
                    wrong[at] = other;
                    assert!(!verify(&wrong), "{code:?} {wrong:?}");
                }
            }
        }
    }

    #[test]
    fn finds_all_swapped_neighbours_before_the_pair_at_every_weight() {
        for at in 0..MAX_BODY_BYTES - 1 {
            for (a, b) in alphabet().flat_map(|a| alphabet().map(move |b| (a, b))).filter(|(a, b)| a != b) {
                let mut code = [b'0'; MAX_BODY_BYTES + 2];
                (code[at], code[at + 1]) = (a, b);
                let pair = compute(&code[..MAX_BODY_BYTES]).unwrap();
                code[MAX_BODY_BYTES..].copy_from_slice(&pair);
                assert!(verify(&code));
                code.swap(at, at + 1);
                assert!(!verify(&code), "{a} {b} at {at}");
            }
        }
    }

    #[test]
    fn refuses_foreign_characters_and_codes_too_short_or_too_long() {
        for bad in ["", "2M", "95 62M", "é2M"] {
            assert!(!verify(bad.as_bytes()), "{bad}");
        }
        assert_eq!((compute(b""), compute(&[b'0'; MAX_BODY_BYTES + 1])), (None, None));
    }
}
