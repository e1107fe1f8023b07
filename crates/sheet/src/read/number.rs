//! Numbers as texts.

/// Integers from here on have more digits than the 15 that spreadsheet programs keep.
const KEPT: f64 = 1e15;
/// Integers of so many digits are shown as powers of ten in cells without a format, with six digits at most.
const SHOWN_AS_POWER: f64 = 1e11;
const SHOWN_DIGITS: usize = 6;

/// A number as its cell means it: all of its at most 15 digits, no power of ten. None, if it has more.
pub(crate) fn plain(value: f64) -> Option<String> {
    if !value.is_finite() || value.abs() >= KEPT {
        return None;
    }
    // A digit, the point, 14 digits, and the power: what spreadsheet programs keep, and no rounding errors behind it.
    let scientific = format!("{:.14e}", value.abs());
    let (mantissa, power) = scientific.split_once('e')?;
    let power: i32 = power.parse().ok()?;
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    let text = match usize::try_from(power) {
        Ok(power) if digits.len() <= power + 1 => format!("{digits:0<width$}", width = power + 1),
        Ok(power) => {
            let (whole, fraction) = digits.split_at_checked(power + 1)?;
            format!("{whole}.{fraction}")
        }
        Err(_) => format!("0.{}{digits}", "0".repeat(usize::try_from(-power - 1).ok()?)),
    };
    Some(if value < 0.0 { format!("-{text}") } else { text })
}

/// Whether an integer has only the digits of a power of ten as cells show it: the rest was lost when a file was saved as CSV and opened again.
pub(crate) fn looks_rounded(value: f64, plain: &str) -> bool {
    value.abs() >= SHOWN_AS_POWER && plain.trim_start_matches('-').trim_end_matches('0').len() <= SHOWN_DIGITS
}

/// Whether a text is a number as cells show large ones: `6.9E+12`. Names such as `1E5` are none.
pub(crate) fn is_scientific(text: &str) -> bool {
    // Hardly any text ends like one, so most are told by this.
    if !matches!(text.as_bytes(), [.., b'+' | b'-' | b'0'..=b'9', b'0'..=b'9', b'0'..=b'9']) {
        return false;
    }
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let Some((mantissa, power)) = text.split_once(['E', 'e']) else { return false };
    let Some(power) = power.strip_prefix(['+', '-']) else { return false };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    whole.len() == 1 && power.len() >= 2 && [whole, fraction, power].into_iter().all(is_digits)
}

/// Whether a text is digits and nothing else; not for none.
pub(crate) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Digits behind the point of a decimal number; none if the text is not one.
pub(crate) fn decimals(text: &str) -> Option<usize> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match unsigned.split_once('.') {
        Some((whole, fraction)) => (is_digits(whole) && is_digits(fraction)).then_some(fraction.len()),
        None => is_digits(unsigned).then_some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_cells_show_and_no_rounding_error() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (7.0, "7"),
            (-7.25, "-7.25"),
            (0.1 + 0.2, "0.3"),
            (2.3 * 3.0, "6.9"),
            (6_901_234_567_892.0, "6901234567892"),
            (999_999_999_999_999.0, "999999999999999"),
            (1e14, "100000000000000"),
            (0.000_012, "0.000012"),
            (1.5e-7, "0.00000015"),
            (123.456, "123.456"),
        ] {
            assert_eq!(plain(value).as_deref(), Some(text), "{value}");
        }
        for value in [1e15, -1e15, 6.9e17, f64::INFINITY, f64::NAN] {
            assert_eq!(plain(value), None, "{value}");
        }
    }

    #[test]
    fn powers_of_ten_are_told_from_names() {
        for text in ["6.9E+12", "6.90123E+12", "1E+05", "-1.5e-07", "+2E+10"] {
            assert!(is_scientific(text), "{text}");
        }
        for text in ["1E5", "3E12", "E+12", "12E+12", "6.9E+1", "6.E+12", "6,9E+12", "A6.9E+12", "6.9E+12A", "", "E"] {
            assert!(!is_scientific(text), "{text}");
        }
    }

    #[test]
    fn rounded_codes_are_told_from_whole_ones() {
        let rounded = |value: f64| looks_rounded(value, &plain(value).unwrap());
        assert!(rounded(6_900_000_000_000.0) && rounded(6_901_230_000_000.0));
        assert!(!rounded(6_901_234_567_890.0) && !rounded(500_000.0) && !rounded(0.5));
    }

    #[test]
    fn decimals_are_counted_in_numbers_only() {
        for (text, count) in [("0", 0), ("-12", 0), ("1.50", 2), ("12345678901234567890123456789012345678", 0)] {
            assert_eq!(decimals(text), Some(count), "{text}");
        }
        for text in ["", "-", "+1", "1.", ".5", "1,5", "1 000", "１", "1e5", "0x10", "1.2.3", "--1"] {
            assert_eq!(decimals(text), None, "{text}");
        }
    }
}
