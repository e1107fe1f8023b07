//! Ranges and their pieces as they stand in the log: JSON, since they are small, few, and read by people too.
//!
//! ```text
//! key   00 'R' number(4) prefix             body  {"v":1,"stem":"XE26.","width":8,"form":"mac","check_chars":6,"key":"64 hexadecimal digits",
//!                                                  "first":0,"last":9999999,"values":"hexadecimal digits of their wire form","count":2,
//!                                                  "created":1800000000000,"by":"acme","note":""}
//! key   00 'G' layer(1) number(4) first(8) prefix   body, by layer:
//!       'B' values bound        {"v":1,"last":4711,"by":"acme","since":1800000000000,"values":"...","count":1}
//!       'S' what became of them {"v":1,"last":4711,"by":"acme","since":1800000000000,"state":"withdrawn","reason":""}
//!       'X' given out           {"v":1,"last":4711,"by":"acme","since":1800000000000,"roll_codes":20000,"times":1,"reason":""}
//!       'L' leased              {"v":1,"last":4711,"by":"acme","since":1800000000000,"station":"line-3","until":1800086400000}
//! ```
//! Numbers in keys are big-endian; prefixes are folded. `key` is null but for the form `mac`. Fields stand in this order, every one is there, and
//! others are refused. Times are milliseconds since 1970.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use waymark_store::{Serial, Timestamp};
use waymark_wire::Values;

use super::change::merge;
use super::coder::{Coder, Form, MacKey};
use super::pattern::Pattern;
use super::pieces::{CodeState, Layer, Piece, PieceKind, Span};
use super::{Range, RangeName};
use crate::values::ValueSet;

/// Version of all bodies.
const VERSION: u32 = 1;

/// Why a stored range or piece cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoredRangeError {
    /// Written by a newer version of this program.
    #[error("version {found}, this program knows version 1")]
    Version {
        /// The version found.
        found: u32,
    },
    /// Not in the form of its version.
    #[error("not in the form of version 1")]
    Form,
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeBody {
    v: u32,
    stem: String,
    width: u8,
    form: String,
    check_chars: u8,
    key: Option<String>,
    first: u64,
    last: u64,
    values: String,
    count: u32,
    created: u64,
    by: String,
    note: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BoundBody {
    v: u32,
    last: u64,
    by: String,
    since: u64,
    values: String,
    count: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateBody {
    v: u32,
    last: u64,
    by: String,
    since: u64,
    state: String,
    reason: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportedBody {
    v: u32,
    last: u64,
    by: String,
    since: u64,
    roll_codes: u64,
    times: u32,
    reason: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeasedBody {
    v: u32,
    last: u64,
    by: String,
    since: u64,
    station: String,
    until: u64,
}

impl Layer {
    /// Its letter in keys; never changes.
    pub(crate) const fn letter(self) -> u8 {
        match self {
            Self::Bound => b'B',
            Self::State => b'S',
            Self::Exported => b'X',
            Self::Leased => b'L',
        }
    }

    /// The layer of a letter.
    pub(crate) fn from_letter(letter: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.letter() == letter)
    }
}

impl Range {
    /// The body of its entry.
    pub(crate) fn to_body(&self) -> Vec<u8> {
        let key = match self.coder.form() {
            Form::Mac { key, .. } => Some(hex::encode(key.bytes())),
            _ => None,
        };
        write(&RangeBody {
            v: VERSION,
            stem: self.coder.stem().to_owned(),
            width: self.coder.width(),
            form: self.coder.form().as_str().to_owned(),
            check_chars: self.coder.form().check_chars(),
            key,
            first: self.span.first,
            last: self.span.last,
            values: hex::encode(self.values.wire()),
            count: self.values.count(),
            created: self.created.0,
            by: self.by.as_ref().to_owned(),
            note: self.note.clone(),
        })
    }

    /// Reads the entry of the range `name`.
    ///
    /// # Errors
    /// See [`StoredRangeError`].
    pub(crate) fn from_body(name: RangeName, body: &[u8], serial: Serial) -> Result<Self, StoredRangeError> {
        let body: RangeBody = read(body)?;
        let form = match (body.form.as_str(), body.key) {
            ("plain", None) => Form::Plain,
            ("mod10", None) => Form::Mod10,
            ("mod37", None) => Form::Mod37,
            ("mac", Some(key)) => {
                let mut bytes = [0; 32];
                hex::decode_to_slice(key, &mut bytes).map_err(|_| StoredRangeError::Form)?;
                Form::Mac { chars: body.check_chars, key: MacKey::new(bytes) }
            }
            _ => return Err(StoredRangeError::Form),
        };
        let coder = Coder::new(name.prefix(), &body.stem, body.width, form).map_err(|_| StoredRangeError::Form)?;
        let span = Span::new(body.first, body.last).filter(|span| span.last <= coder.last_serial());
        let span = span.ok_or(StoredRangeError::Form)?;
        let values = values(&body.values, body.count)?;
        let range = Self::new(name, coder, span, values, Timestamp(body.created), body.by.into(), body.note);
        Ok(range.with_entry(serial))
    }
}

impl Piece {
    /// The body of its entry.
    pub(crate) fn to_body(&self) -> Vec<u8> {
        let (v, last, by, since) = (VERSION, self.span.last, self.by.as_ref().to_owned(), self.since.0);
        match &self.kind {
            PieceKind::Bound { values, .. } => {
                let (count, values) = (values.count(), hex::encode(values.wire()));
                write(&BoundBody { v, last, by, since, values, count })
            }
            PieceKind::State { state, reason } => {
                write(&StateBody { v, last, by, since, state: state.as_str().to_owned(), reason: reason.clone() })
            }
            PieceKind::Exported { roll_codes, times, reason } => {
                let (roll_codes, times, reason) = (*roll_codes, *times, reason.clone());
                write(&ExportedBody { v, last, by, since, roll_codes, times, reason })
            }
            PieceKind::Leased { station, until } => {
                write(&LeasedBody { v, last, by, since, station: station.clone(), until: until.0 })
            }
        }
    }

    /// Reads the entry of the piece of `range` that begins at `first`.
    ///
    /// # Errors
    /// See [`StoredRangeError`].
    pub(crate) fn from_body(
        range: &Range,
        layer: Layer,
        first: u64,
        body: &[u8],
        serial: Serial,
    ) -> Result<Self, StoredRangeError> {
        let (last, by, since, kind) = match layer {
            Layer::Bound => {
                let body: BoundBody = read(body)?;
                let values = values(&body.values, body.count)?;
                let merged = Arc::new(Pattern::of(&merge(&range.values, &values)));
                (body.last, body.by, body.since, PieceKind::Bound { values, merged })
            }
            Layer::State => {
                let body: StateBody = read(body)?;
                let state = CodeState::from_name(&body.state).ok_or(StoredRangeError::Form)?;
                (body.last, body.by, body.since, PieceKind::State { state, reason: body.reason })
            }
            Layer::Exported => {
                let ExportedBody { last, by, since, roll_codes, times, reason, .. } = read(body)?;
                (last, by, since, PieceKind::Exported { roll_codes, times, reason })
            }
            Layer::Leased => {
                let body: LeasedBody = read(body)?;
                let kind = PieceKind::Leased { station: body.station, until: Timestamp(body.until) };
                (body.last, body.by, body.since, kind)
            }
        };
        let span = Span::new(first, last).filter(|span| range.span.covers(*span)).ok_or(StoredRangeError::Form)?;
        Ok(Self { span, kind, by: by.into(), since: Timestamp(since), serial })
    }
}

fn write(body: &impl Serialize) -> Vec<u8> {
    // Cannot fail: strings, numbers, and lists of them.
    serde_json::to_vec(body).unwrap_or_default()
}

/// The version first: a body of another one is told from a damaged one.
fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, StoredRangeError> {
    let Versioned { v: found } = serde_json::from_slice(body).map_err(|_| StoredRangeError::Form)?;
    if found != VERSION {
        return Err(StoredRangeError::Version { found });
    }
    serde_json::from_slice(body).map_err(|_| StoredRangeError::Form)
}

fn values(text: &str, count: u32) -> Result<ValueSet, StoredRangeError> {
    let wire = hex::decode(text).map_err(|_| StoredRangeError::Form)?;
    let values = Values::from_wire(count, &wire).map_err(|_| StoredRangeError::Form)?;
    ValueSet::new(values.iter()).map_err(|_| StoredRangeError::Form)
}

#[cfg(test)]
mod tests {
    use waymark_wire::ValueBuf;

    use super::*;

    fn range() -> Range {
        let name: RangeName = "88.990#3".parse().unwrap();
        let form = Form::Mac { chars: 6, key: MacKey::new([0xab; 32]) };
        let coder = Coder::new(name.prefix(), "XE26.", 8, form).unwrap();
        let values = ValueSet::from_bufs(&[ValueBuf { timestamp: 5, ..ValueBuf::new(1, b"URL", b"{code}") }]).unwrap();
        let span = Span::new(7, 9_999_999).unwrap();
        Range::new(name, coder, span, values, Timestamp(1_800_000_000_000), "acme".into(), "for \"line\" 3".into())
    }

    fn pieces(range: &Range) -> Vec<Piece> {
        let values = ValueSet::from_bufs(&[ValueBuf::new(2, b"BATCH", b"B1")]).unwrap();
        let merged = Arc::new(Pattern::of(&merge(&range.values, &values)));
        let kinds = [
            PieceKind::Bound { values, merged },
            PieceKind::State { state: CodeState::Withdrawn, reason: "lost".into() },
            PieceKind::Exported { roll_codes: 20_000, times: 2, reason: "torn".into() },
            PieceKind::Leased { station: "line-3".into(), until: Timestamp(1_800_086_400_000) },
        ];
        let span = Span::new(10, 4711).unwrap();
        let piece = |kind| Piece { span, kind, by: "acme".into(), since: Timestamp(9), serial: Serial(4) };
        kinds.into_iter().map(piece).collect()
    }

    #[test]
    fn a_range_has_golden_bytes() {
        let golden = format!(
            r#"{{"v":1,"stem":"XE26.","width":8,"form":"mac","check_chars":6,"key":"{}","first":7,"last":9999999,"values":"0000000100000005000001518006000000035552{}00000000","count":1,"created":1800000000000,"by":"acme","note":"for \"line\" 3"}}"#,
            "ab".repeat(32),
            "4c000000067b636f64657d"
        );
        let body = String::from_utf8(range().to_body()).unwrap();
        assert_eq!(strip_permissions(&body), strip_permissions(&golden));
    }

    /// The permissions of a value are the wire crate's matter.
    fn strip_permissions(body: &str) -> String {
        let at = body.find("0001518").unwrap() + 8;
        format!("{}..{}", &body[..at], &body[at + 2..])
    }

    #[test]
    fn ranges_and_pieces_come_back_as_they_went() {
        let range = range();
        let body = range.to_body();
        let back = Range::from_body(range.name.clone(), &body, Serial(4)).unwrap();
        assert_eq!((back.to_body(), back.serial), (body, Serial(4)));
        for piece in pieces(&range) {
            let body = piece.to_body();
            let layer = piece.kind.layer();
            let back = Piece::from_body(&range, layer, 10, &body, Serial(4)).unwrap();
            assert_eq!((back.span, back.to_body()), (piece.span, body));
            assert_eq!(Layer::from_letter(layer.letter()), Some(layer));
        }
    }

    #[test]
    fn other_versions_and_forms_are_refused() {
        let range = range();
        let body = String::from_utf8(range.to_body()).unwrap();
        let read = |body: &str| Range::from_body(range.name.clone(), body.as_bytes(), Serial(1)).unwrap_err();
        assert_eq!(read(&body.replace("\"v\":1", "\"v\":2")), StoredRangeError::Version { found: 2 });
        for (old, new) in [
            ("\"mac\"", "\"plain\""),
            ("\"mac\"", "\"other\""),
            ("abab", "zzzz"),
            ("\"first\":7", "\"first\":99999999"),
            ("\"last\":9999999", "\"last\":100000000"),
            ("\"count\":1", "\"count\":2"),
            ("\"note\"", "\"nota\""),
            ("XE26.", "xe26."),
        ] {
            assert_eq!(read(&body.replacen(old, new, 1)), StoredRangeError::Form, "{old} {new}");
        }
        let outside = Piece::from_body(&range, Layer::State, 1, &pieces(&range)[1].to_body(), Serial(1));
        assert_eq!(outside.unwrap_err(), StoredRangeError::Form);
    }
}
