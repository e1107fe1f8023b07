//! Lines of an input, bounded in length, with their place.

use std::io::{self, BufRead};

/// Where a line stands, and whether it was whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineHead {
    /// Its number, from 1.
    pub number: u64,
    /// Bytes of the input up to and including its end.
    pub end: u64,
    /// It was longer than allowed; its text was dropped.
    pub too_long: bool,
}

/// Reads lines. Ends of lines are LF or CR LF; a byte order mark at the start of the input is dropped.
pub struct Lines<R> {
    input: R,
    limit: usize,
    text: Vec<u8>,
    number: u64,
    offset: u64,
}

impl<R: BufRead> Lines<R> {
    /// Reads lines of up to `limit` bytes.
    pub fn new(input: R, limit: usize) -> Self {
        Self { input, limit, text: Vec::new(), number: 0, offset: 0 }
    }

    /// Says that the input was read up to here before, where a line ends.
    pub const fn begin_at(&mut self, offset: u64, number: u64) {
        self.offset = offset;
        self.number = number;
    }

    /// Skips to an offset where a line begins, counting lines. An input that ends before is at its end then.
    pub fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        while self.offset < offset && self.next_head()?.is_some() {}
        Ok(())
    }

    /// Bytes read.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Lines read.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Text of the line read last, without its end.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Reads the next line; `None` at the end of the input.
    pub fn next_head(&mut self) -> io::Result<Option<LineHead>> {
        self.text.clear();
        let start = self.offset;
        let mut length = 0;
        loop {
            let available = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            let newline = available.iter().position(|&byte| byte == b'\n');
            let part = available.get(..newline.unwrap_or(available.len())).unwrap_or_default();
            let taken = part.len() + usize::from(newline.is_some());
            length += part.len();
            if length <= self.limit {
                self.text.extend_from_slice(part);
            }
            self.input.consume(taken);
            self.offset += u64::try_from(taken).unwrap_or(u64::MAX);
            if taken == 0 || newline.is_some() {
                break;
            }
        }
        if self.offset == start {
            return Ok(None);
        }
        self.number += 1;
        let too_long = length > self.limit;
        if too_long {
            self.text.clear();
        } else if self.text.last() == Some(&b'\r') {
            self.text.pop();
        }
        if start == 0 && self.text.starts_with(b"\xef\xbb\xbf") {
            self.text.drain(..3);
        }
        Ok(Some(LineHead { number: self.number, end: self.offset, too_long }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn all(input: &[u8], limit: usize, room: usize) -> Vec<(u64, u64, bool, Vec<u8>)> {
        let mut lines = Lines::new(BufReader::with_capacity(room, input), limit);
        let mut all = Vec::new();
        while let Some(head) = lines.next_head().unwrap() {
            all.push((head.number, head.end, head.too_long, lines.text().to_vec()));
        }
        all
    }

    #[test]
    fn lines_come_with_their_place_whatever_the_buffer() {
        for room in [1, 2, 3, 64] {
            let lines = all(b"\xef\xbb\xbfone\r\n\ntwo", 16, room);
            let expected = [(1, 8, false, b"one".to_vec()), (2, 9, false, vec![]), (3, 12, false, b"two".to_vec())];
            assert_eq!(lines, expected);
        }
    }

    #[test]
    fn a_line_over_the_limit_is_dropped_and_the_next_is_read() {
        for room in [1, 64] {
            let lines = all(b"1234\n12345\nx\n", 4, room);
            let expected = [(1, 5, false, b"1234".to_vec()), (2, 11, true, vec![]), (3, 13, false, b"x".to_vec())];
            assert_eq!(lines, expected);
        }
    }

    #[test]
    fn skipping_counts_lines() {
        let mut lines = Lines::new(&b"a\nb\nc\n"[..], 4);
        lines.skip_to(4).unwrap();
        assert_eq!((lines.number(), lines.offset()), (2, 4));
        lines.next_head().unwrap();
        assert_eq!(lines.text(), b"c");
        lines.skip_to(99).unwrap();
        assert_eq!(lines.next_head().unwrap(), None);
    }
}
