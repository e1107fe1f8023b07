//! Limits of what is read, and how it is read.

use crate::csv::Encoding;

/// Limits that keep memory and time within bounds, whatever a file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Rows below the heading.
    /// Default 5,000,000; 1 to 50,000,000. A workbook has at most 1,048,576 rows.
    pub rows: u32,
    /// Text of one row in bytes. Default 1 MiB; 4 KiB to 64 MiB. The same for one element of a workbook's XML.
    pub row_bytes: usize,
    /// Text that cells of a workbook share, held in memory while it is read, in bytes. Default 256 MiB; 1 MiB to 3 GiB.
    pub shared_text_bytes: usize,
    /// The largest part of a workbook, inflated; read as a stream. Default 4 GiB; 1 MiB to 64 GiB.
    pub part_bytes: u64,
    /// How many times its size in the file a part may become, once it is beyond 16 MiB. Default 250; 10 to 1032, which is what deflate can do.
    pub inflation: u64,
}

impl Limits {
    /// Parts of a workbook's container.
    pub(crate) const PARTS: u64 = 4096;
    /// Small parts of a workbook, which are read into memory: properties, styles, relations.
    pub(crate) const SMALL_PART_BYTES: u64 = 16 << 20;
    /// Inflated size below which a part is no bomb.
    pub(crate) const INFLATION_FREE_BYTES: u64 = 16 << 20;
    /// Texts that cells of a workbook share; each costs 4 bytes besides its characters.
    pub(crate) const SHARED_TEXTS: usize = 16 << 20;
    /// Identifiers that are remembered at least, to find those that stand twice: what a hash table of 2^18 places holds before it grows, with 17
    /// bytes each. There are two of them.
    pub(crate) const SEEN: usize = 229_376;
    /// Elements within elements.
    pub(crate) const XML_DEPTH: u32 = 64;
    /// Merged ranges of a sheet, 16 bytes each.
    pub(crate) const MERGED_RANGES: usize = 65_536;
    /// Formats and styles of a workbook.
    pub(crate) const STYLES: usize = 65_536;
    /// Rows of a sheet, and columns.
    pub(crate) const SHEET_ROWS: u32 = 1_048_576;
    pub(crate) const SHEET_COLUMNS: u32 = 16_384;
    /// Rows that are looked at ahead, to see what codes of a column look like.
    pub(crate) const AHEAD_ROWS: usize = 256;
    /// Bytes of rows that are held for that.
    pub(crate) const AHEAD_BYTES: usize = 1 << 20;

    /// The same, made to lie within the ranges.
    pub(crate) fn within_ranges(self) -> Self {
        Self {
            rows: self.rows.clamp(1, 50_000_000),
            row_bytes: self.row_bytes.clamp(4 << 10, 64 << 20),
            shared_text_bytes: self.shared_text_bytes.clamp(1 << 20, 3 << 30),
            part_bytes: self.part_bytes.clamp(1 << 20, 64 << 30),
            inflation: self.inflation.clamp(10, 1032),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { rows: 5_000_000, row_bytes: 1 << 20, shared_text_bytes: 256 << 20, part_bytes: 4 << 30, inflation: 250 }
    }
}

/// How a file is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// What is too much.
    pub limits: Limits,
    /// Whether identifiers that differ only in the case of ASCII letters are different.
    pub case_sensitive: bool,
    /// Encoding of a CSV file, when it is known. Otherwise it is found out.
    pub encoding: Option<Encoding>,
}
