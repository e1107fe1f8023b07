//! The check digit of GTIN, GLN, SSCC, GSIN and GSRN: sum of digits weighted 3, 1, 3 from the right, modulo 10.
//!
//! Designed to GS1 General Specifications, section "Check digit calculation". It finds every single wrong digit. Of two
//! swapped neighbours it misses those that differ by 5 (0 and 5, 1 and 6, 2 and 7, 3 and 8, 4 and 9): their weights
//! differ by 2, and 2 times 5 is 0 modulo 10.

/// The check digit, as a character, of a code without it; `None` when a character is no digit or there is none at all.
#[must_use]
pub fn compute(body: &[u8]) -> Option<u8> {
    if body.is_empty() {
        return None;
    }
    let sum = body.iter().rev().zip([3, 1].into_iter().cycle()).try_fold(0, |sum: u8, (&byte, weight)| {
        let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
        Some((sum + digit * weight) % 10)
    })?;
    Some(b'0' + (10 - sum) % 10)
}

/// Tells whether the last digit of `code` is the check digit of the others.
#[must_use]
pub fn verify(code: &[u8]) -> bool {
    code.split_last().is_some_and(|(check, body)| compute(body) == Some(*check))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code of `LENGTH` digits that verifies.
    fn codes<const LENGTH: usize>() -> impl Iterator<Item = [u8; LENGTH]> {
        let bodies = 10_u32.pow(u32::try_from(LENGTH).unwrap() - 1);
        (0..bodies).map(|number| {
            let mut code: [u8; LENGTH] =
                format!("{number:0width$}0", width = LENGTH - 1).into_bytes().try_into().unwrap();
            code[LENGTH - 1] = compute(&code[..LENGTH - 1]).unwrap();
            code
        })
    }

    #[test]
    fn finds_every_single_wrong_digit() {
        for code in codes::<4>() {
            assert!(verify(&code));
            for at in 0..code.len() {
                for digit in (b'0'..=b'9').filter(|digit| *digit != code[at]) {
                    let mut wrong = code;
                    wrong[at] = digit;
                    assert!(!verify(&wrong), "{code:?} {wrong:?}");
                }
            }
        }
    }

    #[test]
    fn finds_swapped_neighbours_unless_they_differ_by_five() {
        for code in codes::<5>() {
            for at in 0..code.len() - 1 {
                let mut swapped = code;
                swapped.swap(at, at + 1);
                let missed = matches!(code[at].abs_diff(code[at + 1]), 0 | 5);
                assert_eq!(verify(&swapped), missed, "{code:?} {swapped:?}");
            }
        }
    }

    #[test]
    fn refuses_what_is_no_number_and_what_has_no_body() {
        for bad in ["", "0", "12a4", "12 4", "１2"] {
            assert!(!verify(bad.as_bytes()), "{bad}");
        }
        assert_eq!((compute(b""), compute(b"12a"), compute(b"\xff")), (None, None, None));
    }

    #[test]
    fn takes_codes_of_any_length() {
        let long = [b'9'; 10_000];
        let check = compute(&long).unwrap();
        assert!(verify(&[&long[..], &[check]].concat()));
    }
}
