//! What a sheet says behind its rows, found before they are read: merged ranges. And that the part is whole.

use std::io::Read;

use memchr::memmem;
use quick_xml::events::Event;

use super::{
    part::PartReader,
    xml::{Xml, attribute},
};
use crate::{
    Code, Problem,
    failure::{ReadError, damaged},
    limits::Limits,
};

/// What stands in a sheet with merged ranges, and in hardly any other.
const SIGN: &[u8] = b"mergeCell";

/// Rows with merged cells.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// First and last row of each range, sorted.
    ranges: Vec<(u32, u32)>,
    next: usize,
    /// Last row of those that begun.
    until: u32,
}

impl Merged {
    /// Whether a row has merged cells. Rows are asked for in ascending order.
    pub(super) fn touches(&mut self, row: u32) -> bool {
        while let Some((first, last)) = self.ranges.get(self.next)
            && *first <= row
        {
            self.until = self.until.max(*last);
            self.next += 1;
        }
        row <= self.until
    }

    /// Reads the ranges of a sheet.
    pub(super) fn read<R: Read>(mut xml: Xml<R>) -> Result<Self, ReadError> {
        let part = xml.name().to_owned();
        let mut ranges = Vec::new();
        loop {
            match xml.next()? {
                Event::Start(element) if element.local_name().as_ref() == "mergeCell" => {
                    if ranges.len() == Limits::MERGED_RANGES {
                        let problem = Problem::new(Code::TooMany).with("limit", Limits::MERGED_RANGES);
                        return Err(problem.with_words("what", "merged ranges", "合并区域").into());
                    }
                    let range = attribute(&element, "ref", &part)?.unwrap_or_default();
                    ranges.push(rows(&range).ok_or_else(|| damaged(&part, "a merged range that is none"))?);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        ranges.sort_unstable();
        Ok(Self { ranges, next: 0, until: 0 })
    }
}

/// First and last row of a range such as `A2:B7`.
fn rows(range: &str) -> Option<(u32, u32)> {
    let row =
        |reference: &str| reference.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '$').parse().ok();
    let (first, last) = range.split_once(':').unwrap_or((range, range));
    Some((row(first)?, row(last)?))
}

/// Reads a part to its end, so that a damaged one is refused before a row of it was used. Says whether ranges may be merged.
pub(super) fn survey<R: Read>(mut part: PartReader<R>) -> Result<bool, ReadError> {
    let sign = memmem::Finder::new(SIGN);
    let mut buffer = vec![0; 64 << 10];
    // The end of what was read before stays at the beginning, as the sign may lie across.
    let mut kept = 0;
    let mut is_found = false;
    loop {
        let room = buffer.get_mut(kept..).unwrap_or_default();
        let count = part.read(room).map_err(|error| ReadError::of_io(error, part.name()))?;
        if count == 0 {
            return Ok(is_found);
        }
        let bytes = buffer.get(..kept + count).unwrap_or_default();
        is_found = is_found || sign.find(bytes).is_some();
        let begin = bytes.len().saturating_sub(SIGN.len() - 1);
        let end = bytes.len();
        kept = end - begin;
        buffer.copy_within(begin..end, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_within_a_range_are_merged() {
        let mut ranges = vec![rows("A2:B7").unwrap(), rows("$C$3:$C$3").unwrap(), rows("D10").unwrap()];
        ranges.sort_unstable();
        let mut merged = Merged { ranges, next: 0, until: 0 };
        let touched: Vec<u32> = (1..=12).filter(|row| merged.touches(*row)).collect();
        assert_eq!(touched, [2, 3, 4, 5, 6, 7, 10]);
        assert_eq!((rows(""), rows("A:B"), rows("A1:B")), (None, None, None));
    }
}
