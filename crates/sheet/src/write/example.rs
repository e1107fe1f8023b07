//! A value each column would take.

use crate::{Column, DataKind};

/// What examples are made of, as long as it takes.
const LETTERS: &str = "ABC001";
const DIGITS: &str = "1234567890";
const HEX: &str = "9f86d081884c7d65";
const PREFIX: &str = "88.1000.1/";
const SHORT_PREFIX: &str = "1/";

/// A value the column would take.
pub(super) fn example(column: &Column) -> String {
    let (min, max) = (chars(column.min_chars), chars(column.max_chars));
    match &column.data {
        DataKind::String => repeat(LETTERS, LETTERS.len().clamp(min, max)),
        DataKind::Number { decimals } if *decimals > 0 && min <= 4 && max >= 4 => "12.5".to_owned(),
        DataKind::Number { .. } => repeat(DIGITS, 2.clamp(min, max)),
        DataKind::Date | DataKind::Moment => "2026-03-10".to_owned(),
        DataKind::Enum(values) => values.first().cloned().unwrap_or_default(),
        DataKind::Reference => {
            let prefix = if max > PREFIX.len() { PREFIX } else { SHORT_PREFIX };
            let suffix = (prefix.len() + LETTERS.len()).clamp(min, max).saturating_sub(prefix.len()).max(1);
            format!("{prefix}{}", repeat(LETTERS, suffix))
        }
        DataKind::FileHash => {
            let digits = [64, 32, 40, 96, 128].into_iter().find(|digits| (min..=max).contains(digits));
            repeat(HEX, digits.unwrap_or(64))
        }
    }
}

fn chars(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn repeat(pattern: &str, chars: usize) -> String {
    pattern.chars().cycle().take(chars).collect()
}
