//! Rows of a file against a layout, whatever form the file has.

use std::{
    collections::VecDeque,
    io::{Read, Seek, SeekFrom},
};

use crate::{
    Code, Encoding, Item, Language, Layout, Mark, Options, Problem, csv,
    failure::ReadError,
    limits::Limits,
    read::{headings::Headings, judge::Judge},
    row::RawRow,
    xlsx,
};

/// What gives the rows of one form of file.
pub(crate) trait Source {
    /// The next row that is not empty.
    fn next_row(&mut self) -> Result<Option<RawRow>, ReadError>;
}

/// What is known of a file before its rows are read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct About {
    /// Encoding of a CSV file.
    pub encoding: Option<Encoding>,
    /// What separates its fields.
    pub separator: Option<char>,
    /// Sheet of a workbook that is read: the first visible one.
    pub sheet: Option<String>,
    /// Other visible sheets, which are not read.
    pub other_sheets: Vec<String>,
    /// Template and version the sheet says it was made for. None, if it does not say; it is then known by its headings alone.
    pub mark: Option<Mark>,
    /// Headings of the layout the file does not have. None of them is required.
    pub absent: Vec<String>,
    /// Row of the headings.
    pub heading_row: u32,
    /// Language of the headings: English if more of them are in English alone than in Chinese alone.
    pub headings: Language,
}

/// Reads the first visible sheet of a workbook (`.xlsx`) against a layout.
///
/// # Errors
///
/// What is wrong with the file as a whole: damage, content beyond the limits, another template or version, headings. The whole sheet was
/// unpacked and its checksum verified before the first row is given.
pub fn read_xlsx<'l, R: Read + Seek + Send + 'l>(
    reader: R,
    layout: &'l Layout,
    options: &Options,
) -> Result<Rows<'l>, ReadError> {
    let (source, about) = xlsx::open(reader, options.limits.within_ranges())?;
    if let Some(mark) = &about.mark {
        mark.check(layout)?;
    }
    Rows::new(source, about, layout, options)
}

/// Reads a CSV file against a layout. Encoding (UTF-8, UTF-16, GB18030) and separator (comma, semicolon, tab) are found out.
///
/// # Errors
///
/// What is wrong with the file as a whole: its encoding, headings. The encoding of the whole file was verified before the first row is given.
pub fn read_csv<'l, R: Read + Seek + Send + 'l>(
    reader: R,
    layout: &'l Layout,
    options: &Options,
) -> Result<Rows<'l>, ReadError> {
    let titles = Headings::titles(layout);
    let (source, about) = csv::open(reader, &titles, options.encoding, options.limits.within_ranges())?;
    Rows::new(source, about, layout, options)
}

/// Reads a workbook or CSV file, as its first bytes say.
///
/// # Errors
///
/// As [`read_xlsx`] and [`read_csv`].
pub fn read<'l, R: Read + Seek + Send + 'l>(
    mut reader: R,
    layout: &'l Layout,
    options: &Options,
) -> Result<Rows<'l>, ReadError> {
    let io = |error| ReadError::of_io(error, "file");
    reader.seek(SeekFrom::Start(0)).map_err(io)?;
    let mut begin = Vec::new();
    reader.by_ref().take(4).read_to_end(&mut begin).map_err(io)?;
    match begin.as_slice() {
        // A zip container, or the container of old workbooks, which is refused with what to do.
        [b'P', b'K', ..] | [0xd0, 0xcf, 0x11, 0xe0] => read_xlsx(reader, layout, options),
        _ => read_csv(reader, layout, options),
    }
}

/// The rows of a file, one by one. Memory does not grow with the file, but for the texts that cells of a workbook share.
///
/// After an error nothing more comes.
pub struct Rows<'l> {
    source: Box<dyn Source + Send + 'l>,
    about: About,
    judge: Judge<'l>,
    ahead: VecDeque<RawRow>,
    ahead_bytes: usize,
    is_at_end: bool,
    failure: Option<ReadError>,
    /// Last row or line that was given or skipped.
    last: u32,
    count: u32,
    most: u32,
    held: Option<Item>,
}

impl<'l> Rows<'l> {
    fn new(
        mut source: Box<dyn Source + Send + 'l>,
        mut about: About,
        layout: &'l Layout,
        options: &Options,
    ) -> Result<Self, ReadError> {
        let heading = source.next_row()?.ok_or_else(|| Problem::new(Code::NoHeading))?;
        let headings = Headings::read(layout, &heading)?;
        about.absent = headings.absent(layout);
        about.headings = headings.language();
        about.heading_row = heading.number;
        Ok(Self {
            source,
            about,
            judge: Judge::new(layout, headings, options.case_sensitive),
            ahead: VecDeque::new(),
            ahead_bytes: 0,
            is_at_end: false,
            failure: None,
            last: heading.last,
            count: 0,
            most: options.limits.within_ranges().rows,
            held: None,
        })
    }

    /// What is known of the file.
    #[must_use]
    pub const fn about(&self) -> &About {
        &self.about
    }

    fn pull(&mut self) -> Option<RawRow> {
        if self.is_at_end {
            return None;
        }
        match self.source.next_row() {
            Ok(Some(row)) => Some(row),
            Ok(None) => {
                self.is_at_end = true;
                None
            }
            Err(failure) => {
                self.is_at_end = true;
                self.failure = Some(failure);
                None
            }
        }
    }

    fn push(&mut self, row: RawRow) {
        if !self.judge.is_example(&row) {
            self.judge.learn(&row);
        }
        self.ahead_bytes += row.bytes;
        self.ahead.push_back(row);
    }

    /// Reads ahead, so that rows are judged by what the column looks like below them too.
    fn look_ahead(&mut self) {
        while self.ahead.len() < Limits::AHEAD_ROWS && self.ahead_bytes < Limits::AHEAD_BYTES {
            let Some(row) = self.pull() else { break };
            self.push(row);
        }
    }

    fn end_with(&mut self, failure: Problem) -> ReadError {
        self.is_at_end = true;
        self.failure = None;
        self.ahead.clear();
        failure.into()
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Item, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(item) = self.held.take() {
            return Some(Ok(item));
        }
        let row = loop {
            self.look_ahead();
            let Some(row) = self.ahead.pop_front() else { return self.failure.take().map(Err) };
            self.ahead_bytes = self.ahead_bytes.saturating_sub(row.bytes);
            if !self.judge.is_example(&row) {
                break row;
            }
            self.last = row.last;
        };
        if self.count == self.most {
            let problem = Problem::new(Code::TooManyRows).in_row(row.number).with("limit", self.most);
            return Some(Err(self.end_with(problem)));
        }
        self.count += 1;
        let (first, last) = (self.last + 1, row.number.saturating_sub(1));
        self.last = row.last;
        let item = self.judge.judge(row);
        if first <= last {
            self.held = Some(item);
            let empty = Problem::new(Code::EmptyRows).in_row(first).with("first", first).with("last", last);
            return Some(Ok(Item::Remark(empty)));
        }
        Some(Ok(item))
    }
}

impl std::fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("about", &self.about).field("count", &self.count).finish_non_exhaustive()
    }
}
