//! Element strings for people: every identifier in brackets.

use super::ai::Ai;
use super::element::{Coding, Element};
use super::error::ScanError;
use super::scan::Scan;

/// Reads `(01)09506000134352(10)A7` into `scan`. An opening bracket inside a value is written `\(`.
pub(super) fn read(bytes: &[u8], scan: &mut Scan) -> Result<(), ScanError> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (ai, behind) = identifier(rest).ok_or(ScanError::UnknownAi { at: bytes.len() - rest.len() })?;
        let (value, behind) = behind.split_at(end_of_value(behind));
        if value.is_empty() {
            return Err(ScanError::EmptyElement { ai });
        }
        scan.take(Element { ai, value, coding: Coding::Backslash })?;
        rest = behind;
    }
    Ok(())
}

fn identifier(bytes: &[u8]) -> Option<(Ai, &[u8])> {
    let (ai, behind) = Ai::take(bytes.strip_prefix(b"(")?)?;
    Some((ai, behind.strip_prefix(b")")?))
}

/// Where the next identifier begins: at the first opening bracket without a backslash.
fn end_of_value(bytes: &[u8]) -> usize {
    let mut before = None;
    let end = bytes.iter().position(|&byte| before.replace(byte) != Some(b'\\') && byte == b'(');
    end.unwrap_or(bytes.len())
}
