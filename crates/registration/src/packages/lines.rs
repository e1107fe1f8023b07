//! The lines of codes that are given out: made where waiting is allowed, a piece at a time, never more of them than the receiver takes.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use waymark_api::registration::v1::{self, code_lines::Part};
use waymark_catalog::range::{Code, Range, Ranges, Span};

use crate::failure::Failure;

/// Bytes of lines sent at a time, about.
const PIECE_BYTES: usize = 256 << 10;

/// The longest payload in bytes before places are filled: more than any symbol holds.
const PAYLOAD_BYTES: usize = 2_048;

/// What stands in a line.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    payload: Vec<Piece>,
    is_csv: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Serial,
    Code,
    Handle,
}

/// The places of a payload, as those of values.
const PLACES: [(&str, Piece); 3] = [("{serial}", Piece::Serial), ("{code}", Piece::Code), ("{handle}", Piece::Handle)];

/// The first line of a list in CSV.
const HEADING: &[u8] = b"roll,number,serial,code,payload\r\n";

impl Layout {
    /// Reads what is wanted.
    pub(super) fn new(payload: &str, format: v1::LineFormat) -> Result<Self, Failure> {
        if payload.len() > PAYLOAD_BYTES {
            return Err(Failure::invalid_field("payload", format!("must have at most {PAYLOAD_BYTES} bytes")));
        }
        if payload.chars().any(char::is_control) {
            return Err(Failure::invalid_field("payload", "must hold no control character"));
        }
        let payload = pieces(if payload.is_empty() { "{handle}" } else { payload });
        if !payload.iter().any(|piece| !matches!(piece, Piece::Text(_))) {
            return Err(Failure::invalid_field("payload", "must hold {serial}, {code} or {handle}"));
        }
        Ok(Self { payload, is_csv: format == v1::LineFormat::Csv })
    }
}

fn pieces(mut text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while !text.is_empty() {
        let places = PLACES.iter().filter_map(|(mark, piece)| Some((text.find(mark)?, *mark, piece)));
        let Some((at, mark, piece)) = places.min_by_key(|(at, ..)| *at) else { break };
        let (before, behind) = text.split_at(at);
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        pieces.push(piece.clone());
        text = behind.get(mark.len()..).unwrap_or_default();
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
    pieces
}

/// Makes the lines of a part of a package.
pub(super) struct Lines {
    range: Arc<Range>,
    layout: Layout,
    span: Span,
    roll_codes: u64,
    /// The next serial; `None` when all were made.
    next: Option<u64>,
    sha256: Sha256,
    bytes: u64,
    code: Vec<u8>,
    ended: bool,
}

impl Lines {
    pub(super) fn new(range: Arc<Range>, layout: Layout, span: Span, roll_codes: u64) -> Self {
        Self {
            range,
            layout,
            span,
            roll_codes: roll_codes.max(1),
            next: Some(span.first),
            sha256: Sha256::new(),
            bytes: 0,
            code: Vec::new(),
            ended: false,
        }
    }

    fn line(&mut self, serial: u64, out: &mut Vec<u8>) {
        self.code.clear();
        self.range.coder.write(serial, &mut self.code);
        let code = Ranges::code(&self.range, &self.code);
        if self.layout.is_csv {
            let at = serial - self.span.first;
            let (roll, number) = (at / self.roll_codes + 1, at % self.roll_codes + 1);
            let front = format!("{roll},{number},");
            out.extend_from_slice(front.as_bytes());
            out.extend_from_slice(code.serial());
            out.push(b',');
            out.extend_from_slice(code.suffix());
            out.push(b',');
            quoted(&self.layout.payload, code, out);
            out.extend_from_slice(b"\r\n");
        } else {
            self.layout.payload.iter().for_each(|piece| out.extend_from_slice(filled(piece, code)));
            out.push(b'\n');
        }
    }
}

fn filled<'a>(piece: &'a Piece, code: Code<'a>) -> &'a [u8] {
    match piece {
        Piece::Text(text) => text.as_bytes(),
        Piece::Serial => code.serial(),
        Piece::Code => code.suffix(),
        Piece::Handle => code.name(),
    }
}

/// A field of RFC 4180: quoted where it must be.
fn quoted(pieces: &[Piece], code: Code<'_>, out: &mut Vec<u8>) {
    let special = |byte: &u8| matches!(byte, b',' | b'"');
    let needs = pieces.iter().any(|piece| filled(piece, code).iter().any(special));
    if !needs {
        pieces.iter().for_each(|piece| out.extend_from_slice(filled(piece, code)));
        return;
    }
    out.push(b'"');
    for byte in pieces.iter().flat_map(|piece| filled(piece, code)) {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

impl Iterator for Lines {
    type Item = v1::CodeLines;

    fn next(&mut self) -> Option<v1::CodeLines> {
        if self.ended {
            return None;
        }
        let mut lines = Vec::with_capacity(PIECE_BYTES + 4_096);
        if self.bytes == 0 && self.layout.is_csv {
            lines.extend_from_slice(HEADING);
        }
        while let Some(serial) = self.next.filter(|_| lines.len() < PIECE_BYTES) {
            self.line(serial, &mut lines);
            self.next = serial.checked_add(1).filter(|next| *next <= self.span.last);
        }
        if lines.is_empty() {
            self.ended = true;
            let sha256 = self.sha256.finalize_reset().to_vec();
            let trailer = v1::CodeLinesTrailer { codes: self.span.count(), bytes: self.bytes, sha256 };
            return Some(v1::CodeLines { part: Some(Part::Trailer(trailer)) });
        }
        self.sha256.update(&lines);
        self.bytes = self.bytes.saturating_add(u64::try_from(lines.len()).unwrap_or(u64::MAX));
        Some(v1::CodeLines { part: Some(Part::Lines(lines)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_read_into_texts_and_places() {
        let text = |text: &str| Piece::Text(text.to_owned());
        assert_eq!(pieces("a{code}b{serial}"), [text("a"), Piece::Code, text("b"), Piece::Serial]);
        assert_eq!(pieces("{handle}{x}"), [Piece::Handle, text("{x}")]);
        let refused = |payload: &str| Layout::new(payload, v1::LineFormat::Text).is_err();
        assert!(refused("fixed") && refused("a\n{code}") && refused(&"{code}".repeat(400)));
        assert!(!refused(""));
    }
}
