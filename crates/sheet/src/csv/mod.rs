//! CSV files as spreadsheet programs and databases write them: any of the encodings and separators in use, RFC 4180 besides.

mod decode;

use std::{
    collections::HashMap,
    io::{BufRead, Read, Seek},
};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
pub use decode::Encoding;
use decode::{Decoding, detect};

use crate::{
    Cell, Code, Problem,
    failure::ReadError,
    limits::Limits,
    row::RawRow,
    rows::{About, Source},
};

/// What may separate fields; the first wins where nothing speaks for another.
const SEPARATORS: [u8; 3] = [b',', b'\t', b';'];
/// Text in which the separator is looked for.
const SAMPLE_BYTES: u64 = 64 << 10;

/// Opens a CSV file: its rows, and what is known about it. `titles` are headings that tell its separator.
pub(crate) fn open<'r, R: Read + Seek + Send + 'r>(
    mut reader: R,
    titles: &HashMap<&str, usize>,
    known: Option<Encoding>,
    limits: Limits,
) -> Result<(Box<dyn Source + Send + 'r>, About), ReadError> {
    let encoding = detect(&mut reader, known)?;
    let mut sample = Vec::new();
    let mut text = Decoding::new(&mut reader, encoding)?.take(SAMPLE_BYTES);
    text.read_to_end(&mut sample).map_err(|error| ReadError::of_io(error, "file"))?;
    let told = told_separator(&sample);
    let separator = told.unwrap_or_else(|| likely_separator(&sample, titles));
    let mut rows = RecordReader::new(Decoding::new(reader, encoding)?, separator, limits);
    if told.is_some() {
        rows.skip_line()?;
    }
    let about = About { encoding: Some(encoding), separator: Some(char::from(separator)), ..About::default() };
    Ok((Box::new(rows), about))
}

/// What a first line such as `sep=;` says, which some programs write.
fn told_separator(text: &[u8]) -> Option<u8> {
    match text.strip_prefix(b"sep=")? {
        [separator, b'\r' | b'\n', ..] if SEPARATORS.contains(separator) => Some(*separator),
        _ => None,
    }
}

/// The separator with which most fields of the first row are headings, or, if none is, which gives most fields.
fn likely_separator(text: &[u8], titles: &HashMap<&str, usize>) -> u8 {
    let score = |separator: u8| {
        let limits = Limits { row_bytes: text.len().max(1), ..Limits::default() };
        let mut rows = RecordReader::new(text, separator, limits);
        let Ok(Some(row)) = rows.next_row() else { return (0, 0) };
        let known = row.cells.iter().filter(|(_, cell)| match cell {
            Cell::Text(text) => titles.contains_key(text.trim()),
            _ => false,
        });
        (known.count(), row.cells.len())
    };
    let mut best = (SEPARATORS[0], (0, 0));
    for separator in SEPARATORS {
        let found = score(separator);
        // A row of a single field is no witness, unless the field is a heading.
        let says_something = found.0 > 0 || found.1 > 1;
        if says_something && found > best.1 {
            best = (separator, found);
        }
    }
    best.0
}

/// Reads rows from text in UTF-8.
struct RecordReader<B> {
    text: B,
    core: Reader,
    /// Fields of a row without quotation marks, one behind the other, and where each ends.
    fields: Vec<u8>,
    ends: Vec<usize>,
    limits: Limits,
    line: u32,
    is_behind_return: bool,
}

impl<B: BufRead> RecordReader<B> {
    fn new(text: B, separator: u8, limits: Limits) -> Self {
        let columns = usize::try_from(Limits::SHEET_COLUMNS).unwrap_or(usize::MAX);
        Self {
            text,
            core: ReaderBuilder::new().delimiter(separator).build(),
            fields: vec![0; limits.row_bytes],
            ends: vec![0; columns],
            limits,
            line: 1,
            is_behind_return: false,
        }
    }

    /// Leaves out the first line.
    fn skip_line(&mut self) -> Result<(), ReadError> {
        loop {
            let text = self.text.fill_buf().map_err(|error| ReadError::of_io(error, "file"))?;
            let end = text.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(text.len());
            let is_done = end < text.len() || text.is_empty();
            self.text.consume(end);
            if is_done {
                return Ok(());
            }
        }
    }

    /// Goes over line breaks, so that the lines of rows are counted right. False at the end.
    fn skip_breaks(&mut self) -> Result<bool, ReadError> {
        loop {
            let text = self.text.fill_buf().map_err(|error| ReadError::of_io(error, "file"))?;
            let Some(first) = text.first().copied() else { return Ok(false) };
            if !matches!(first, b'\r' | b'\n') {
                return Ok(true);
            }
            count_lines(&[first], &mut self.line, &mut self.is_behind_return);
            self.text.consume(1);
        }
    }

    /// Reads one row into `fields` and `ends`: how many of both there are, and whether it ends within quotation marks.
    fn read_record(&mut self, number: u32) -> Result<Record, ReadError> {
        let mut record = Record::default();
        let mut quotes = 0;
        loop {
            let text = self.text.fill_buf().map_err(|error| ReadError::of_io(error, "file"))?;
            let is_at_end = text.is_empty();
            let fields = self.fields.get_mut(record.bytes..).unwrap_or_default();
            let ends = self.ends.get_mut(record.fields..).unwrap_or_default();
            let (result, read, bytes, count) = self.core.read_record(text, fields, ends);
            let taken = text.get(..read).unwrap_or_default();
            quotes += memchr::memchr_iter(b'"', taken).count();
            count_lines(taken, &mut self.line, &mut self.is_behind_return);
            if let Some(last) = taken.last() {
                record.ends_with_break = matches!(last, b'\r' | b'\n');
            }
            self.text.consume(read);
            record.bytes += bytes;
            record.fields += count;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    let problem = Problem::new(Code::RowTooLarge).in_row(number);
                    return Err(problem.with("limit", self.limits.row_bytes).into());
                }
                ReadRecordResult::Record | ReadRecordResult::End => {
                    // Within quotation marks a line break is text; so is one at the end of the file.
                    let spans_lines = self.fields.get(..record.bytes).is_some_and(|text| text.contains(&b'\n'));
                    record.is_unclosed = is_at_end && quotes % 2 == 1 && spans_lines;
                    return Ok(record);
                }
            }
        }
    }

    fn row(&self, number: u32, record: &Record) -> RawRow {
        let last = if record.ends_with_break { self.line - 1 } else { self.line };
        let mut row = RawRow { number, last, is_unclosed: record.is_unclosed, ..RawRow::default() };
        let mut begin = 0;
        for (position, end) in (0_u32..).zip(self.ends.iter().take(record.fields)) {
            let bytes = self.fields.get(begin..*end).unwrap_or_default();
            begin = *end;
            // What is decoded is UTF-8, and separators are ASCII.
            let text = String::from_utf8_lossy(bytes);
            if !text.trim().is_empty() {
                row.bytes += size_of::<(u32, Cell)>() + text.len();
                row.cells.push((position, Cell::Text(text.into_owned())));
            }
        }
        row
    }
}

/// A row in the buffers of its reader.
#[derive(Default)]
struct Record {
    bytes: usize,
    fields: usize,
    ends_with_break: bool,
    is_unclosed: bool,
}

impl<B: BufRead> Source for RecordReader<B> {
    fn next_row(&mut self) -> Result<Option<RawRow>, ReadError> {
        while self.skip_breaks()? {
            let number = self.line;
            let record = self.read_record(number)?;
            let row = self.row(number, &record);
            if !row.cells.is_empty() {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

/// Counts line breaks of all kinds: line feed, carriage return, and both together.
fn count_lines(text: &[u8], line: &mut u32, is_behind_return: &mut bool) {
    let mut next = 0;
    for at in memchr::memchr2_iter(b'\r', b'\n', text) {
        let is_return = text.get(at) == Some(&b'\r');
        let is_pair = !is_return && *is_behind_return && at == next;
        if !is_pair {
            *line = line.saturating_add(1);
        }
        *is_behind_return = is_return;
        next = at + 1;
    }
    // What follows a carriage return directly is all that counts.
    if next < text.len() {
        *is_behind_return = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, separator: u8) -> Vec<(u32, u32, Vec<String>)> {
        let mut reader = RecordReader::new(text.as_bytes(), separator, Limits::default());
        let mut rows = Vec::new();
        while let Some(row) = reader.next_row().unwrap() {
            let texts = row.cells.into_iter().map(|(position, cell)| match cell {
                Cell::Text(text) => format!("{position}:{text}"),
                other => panic!("{other:?}"),
            });
            rows.push((row.number, row.last, texts.collect()));
        }
        rows
    }

    #[test]
    fn rows_are_numbered_by_the_line_they_begin_on() {
        for line_break in ["\n", "\r\n", "\r"] {
            let text = "a,b\n\n\n1,\"x\ny\"\n,,\n2,z\n\n3".replace('\n', line_break);
            let found: Vec<(u32, u32)> = rows(&text, b',').into_iter().map(|row| (row.0, row.1)).collect();
            assert_eq!(found, [(1, 1), (4, 5), (7, 7), (9, 9)], "{line_break:?}");
        }
    }

    #[test]
    fn fields_are_what_was_quoted() {
        let found = rows("\"a\"\"b\",\"c,d\",,\"e\nf\",5\" pipe\n", b',');
        assert_eq!(found, [(1, 2, vec!["0:a\"b".into(), "1:c,d".into(), "3:e\nf".into(), "4:5\" pipe".into()])]);
    }

    #[test]
    fn separators_are_told_by_headings() {
        let titles = HashMap::from([("标识", 0), ("a,b", 1), ("型号", 2)]);
        for (text, separator) in [
            ("标识;型号;\"x,y,z\"\n", b';'),
            ("标识\t型号\n", b'\t'),
            ("标识,型号;x;y;z\n", b','),
            ("\"a,b\";标识\n1;2\n", b';'),
            ("p;q;r\n", b';'),
            ("p\n", b','),
            ("", b','),
        ] {
            assert_eq!(likely_separator(text.as_bytes(), &titles), separator, "{text}");
        }
        assert_eq!(told_separator(b"sep=;\r\n1,2"), Some(b';'));
        assert_eq!(told_separator(b"sep=x\n"), None);
        assert_eq!(told_separator(b"sep=;"), None);
    }
}
