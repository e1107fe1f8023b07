//! Element strings as symbols carry them: identifiers and values in a row, a separator behind values of open length.

use super::ai::Ai;
use super::element::{Coding, Element};
use super::error::ScanError;
use super::scan::Scan;

/// What FNC1 is transmitted as between elements.
pub(super) const GS: u8 = 0x1d;

/// Reads the elements of `bytes` into `scan`. A separator may follow values of fixed length too, and the last one.
pub(super) fn read(bytes: &[u8], separator: u8, scan: &mut Scan) -> Result<(), ScanError> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let (ai, behind) = Ai::take(rest).ok_or(ScanError::UnknownAi { at })?;
        let open = behind.iter().position(|byte| *byte == separator).unwrap_or(behind.len());
        let length = ai.predefined_bytes().unwrap_or(open);
        let (value, behind) = behind.split_at_checked(length).ok_or(ScanError::Length { ai })?;
        if length > open {
            return Err(ScanError::Length { ai });
        }
        if value.is_empty() {
            return Err(ScanError::EmptyElement { ai });
        }
        scan.take(Element { ai, value, coding: Coding::Plain })?;
        rest = match behind {
            [first, behind @ ..] if *first == separator => behind,
            _ => behind,
        };
    }
    Ok(())
}
