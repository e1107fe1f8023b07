//! Sheets of labels: pages of a size with places in rows and columns.

use std::{fmt, io};

use crate::{CodeError, Label, Length, Size, svg};

/// Most places of a page.
const MOST_PLACES: u64 = 10_000;

/// A page with places for labels. A roll is a page as wide as the roll, of one row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sheet {
    page: Size,
    margin: Length,
    gap: Length,
    rows: u32,
    columns: u32,
    place: Size,
}

impl Sheet {
    /// A page of this size, of `rows` times `columns` places (at most 10,000) within a margin, with a gap between places.
    ///
    /// # Errors
    ///
    /// Places out of range, or no room for them.
    pub fn new(page: Size, (rows, columns): (u32, u32), margin: Length, gap: Length) -> Result<Self, CodeError> {
        let places = u64::from(rows) * u64::from(columns);
        if places == 0 || places > MOST_PLACES {
            return Err(CodeError::Places { places, most: MOST_PLACES });
        }
        let side = |length: Length, count: u32| {
            let free = length.minus(margin.times(2)).minus(gap.times(count - 1));
            Length::micrometres(free.in_micrometres() / count)
        };
        let place = Size { width: side(page.width, columns), height: side(page.height, rows) };
        if place.width == Length::ZERO || place.height == Length::ZERO {
            return Err(CodeError::NoRoom);
        }
        Ok(Self { page, margin, gap, rows, columns, place })
    }

    /// Labels a page takes.
    #[must_use]
    pub fn places(&self) -> usize {
        usize::try_from(self.rows * self.columns).unwrap_or(usize::MAX)
    }

    /// Room for one label.
    #[must_use]
    pub const fn place(&self) -> Size {
        self.place
    }

    /// Writes one page as an SVG document: labels row by row from the upper left, each in the middle of its place. Pages of a long row of
    /// labels are written one by one, so that no more than a page is held.
    ///
    /// # Errors
    ///
    /// Too many labels, one that is larger than its place (both found before anything is written), and what the writer says.
    pub fn write_page(&self, labels: &[Label], writer: impl io::Write) -> Result<(), CodeError> {
        if labels.len() > self.places() {
            return Err(CodeError::TooManyLabels { labels: labels.len(), places: self.places() });
        }
        for label in labels {
            let Size { width, height } = label.size();
            let Size { width: place_width, height: place_height } = self.place;
            if width > place_width || height > place_height {
                return Err(CodeError::LabelTooLarge { width, height, place_width, place_height });
            }
        }
        let mut out = Out { writer, failure: None };
        let drawn = self.draw(labels, &mut out);
        match out.failure {
            Some(failure) => Err(CodeError::Write(failure)),
            None => drawn.map_err(|error| CodeError::Write(io::Error::other(error))),
        }
    }

    fn draw(&self, labels: &[Label], svg: &mut impl fmt::Write) -> fmt::Result {
        svg::open(svg, self.page)?;
        let places = (0..self.rows).flat_map(|row| (0..self.columns).map(move |column| (row, column)));
        for (label, (row, column)) in labels.iter().zip(places) {
            let Size { width, height } = label.size();
            let left = self.begin(self.place.width, column).plus(half(self.place.width.minus(width)));
            let top = self.begin(self.place.height, row).plus(half(self.place.height.minus(height)));
            writeln!(svg, r#"<g transform="translate({} {})">"#, left.in_micrometres(), top.in_micrometres())?;
            label.draw(svg)?;
            writeln!(svg, "</g>")?;
        }
        svg::close(svg)
    }

    /// Where a place begins.
    const fn begin(&self, side: Length, number: u32) -> Length {
        self.margin.plus(side.plus(self.gap).times(number))
    }
}

const fn half(length: Length) -> Length {
    Length::micrometres(length.in_micrometres() / 2)
}

/// Text into a writer of bytes; keeps what the writer said.
struct Out<W> {
    writer: W,
    failure: Option<io::Error>,
}

impl<W: io::Write> fmt::Write for Out<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.writer.write_all(text.as_bytes()).map_err(|failure| {
            self.failure = Some(failure);
            fmt::Error
        })
    }
}
