//! The hybrid system MOD 37-36: one check character of `0`-`9` and `A`-`Z` over codes of the same 36 characters.
//!
//! Designed to ISO/IEC 7064, hybrid systems. Small letters count as capitals, as in all identifiers here. It finds every
//! single wrong character. Of swapped neighbours it misses 72 of 45,360 combinations of two different characters and
//! what stands before them, all of characters next to each other in the alphabet (`0` being next to `Z`), and the
//! swap of a last character `0` and its check `1`, or `1` and its check `0`, behind one of 36 beginnings.

/// Characters of the alphabet.
const MODULUS: u8 = 36;

/// The check character of a code without it; `None` when a character is not of the alphabet or there is none at all.
#[must_use]
pub fn compute(body: &[u8]) -> Option<u8> {
    if body.is_empty() {
        return None;
    }
    let state = body.iter().try_fold(MODULUS, |state, &byte| Some(step(state, value(byte)?)))?;
    character((MODULUS + 1 - state) % MODULUS)
}

/// Tells whether the last character of `code`, in either case, is the check character of the others.
#[must_use]
pub fn verify(code: &[u8]) -> bool {
    code.split_last().is_some_and(|(check, body)| compute(body) == Some(check.to_ascii_uppercase()))
}

/// One character further; states are 1 to 36.
const fn step(state: u8, value: u8) -> u8 {
    let sum = match (state + value) % MODULUS {
        0 => MODULUS,
        sum => sum,
    };
    sum * 2 % (MODULUS + 1)
}

const fn value(byte: u8) -> Option<u8> {
    match byte.to_ascii_uppercase() {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        letter @ b'A'..=b'Z' => Some(letter - b'A' + 10),
        _ => None,
    }
}

const fn character(value: u8) -> Option<u8> {
    match value {
        0..=9 => Some(b'0' + value),
        10..MODULUS => Some(b'A' + value - 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alphabet() -> impl Iterator<Item = u8> + Clone {
        (0..MODULUS).map(|value| character(value).unwrap())
    }

    /// Every code of two characters and their check. Two suffice: the first reaches every state.
    fn codes() -> impl Iterator<Item = [u8; 3]> {
        alphabet()
            .flat_map(|first| alphabet().map(move |second| [first, second]))
            .map(|body| [body[0], body[1], compute(&body).unwrap()])
    }

    #[test]
    fn published_codes_verify() {
        for code in ["00000000D07A0090Q", "A12425GABC1234002M", "a12425gabc1234002m"] {
            assert!(verify(code.as_bytes()), "{code}");
        }
        assert!(!verify(b"A12425GABC1234002N"));
    }

    #[test]
    fn finds_every_single_wrong_character() {
        for code in codes() {
            assert!(verify(&code));
            for at in 0..code.len() {
                for other in alphabet().filter(|other| *other != code[at]) {
                    let mut wrong = code;
                    wrong[at] = other;
                    assert!(!verify(&wrong), "{code:?} {wrong:?}");
                }
            }
        }
    }

    #[test]
    fn misses_only_the_known_swaps_within_a_body() {
        let mut missed = Vec::new();
        for state in 1..=MODULUS {
            for (a, b) in (0..MODULUS).flat_map(|a| (0..MODULUS).map(move |b| (a, b))).filter(|(a, b)| a != b) {
                if step(step(state, a), b) == step(step(state, b), a) {
                    missed.push((a, b));
                }
            }
        }
        assert_eq!(missed.len(), 72);
        assert!(missed.iter().all(|(a, b)| matches!(a.abs_diff(*b), 1 | 35)), "{missed:?}");
    }

    #[test]
    fn misses_only_the_known_swaps_with_the_check_character() {
        let missed: Vec<_> = codes()
            .filter(|[first, last, check]| last != check && verify(&[*first, *check, *last]))
            .map(|[_, last, check]| (last, check))
            .collect();
        assert_eq!(missed, [(b'0', b'1'), (b'1', b'0')]);
    }

    #[test]
    fn refuses_foreign_characters_and_codes_without_a_body() {
        for bad in ["", "1", "A-B", "A B", "Ä1"] {
            assert!(!verify(bad.as_bytes()), "{bad}");
        }
        assert_eq!((compute(b""), compute(b"A-"), compute(b"\xff")), (None, None, None));
    }
}
