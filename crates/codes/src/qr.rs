//! QR Code symbols.
//!
//! The segments are chosen here, from the library's, because its own choice takes UTF-8 bytes that look like Shift JIS for Kanji, and knows
//! nothing of what FNC1 does to `%`.

use qrcode::{
    EcLevel, QrCode, Version,
    bits::Bits,
    optimize::{Optimizer, Parser, Segment, total_encoded_len},
    types::{Mode, QrError},
};

use crate::{CodeError, ErrorCorrection, Payload, Symbol, Symbology};

/// ECI designator of UTF-8.
const UTF8: u32 = 26;
/// Bits of a mode indicator, which is all FNC1 takes.
const MODE_BITS: usize = 4;
/// Bits of the ECI mode indicator and the one-byte designator.
const ECI_BITS: usize = MODE_BITS + 8;
/// Bits of the count that begins bytes and digits in the largest symbols.
const BYTE_COUNT_BITS: usize = 16;
const DIGIT_COUNT_BITS: usize = 14;

/// Encodes a payload in the smallest version that holds it.
pub(crate) fn encode(payload: Payload<'_>, level: ErrorCorrection) -> Result<Symbol, CodeError> {
    let symbology = Symbology::QrCode(level);
    let level = level_of(level);
    let too_long = || too_long(payload, level);
    let (version, segments) = fit(payload, level).ok_or_else(too_long)?;
    let code = draw(payload, &segments, version, level).map_err(|_| too_long())?;
    let width = u32::try_from(code.width()).map_err(|_| too_long())?;
    let modules = code.into_colors().into_iter().map(|color| color.select(true, false)).collect();
    Ok(Symbol::from_modules(symbology, width, modules))
}

const fn level_of(level: ErrorCorrection) -> EcLevel {
    match level {
        ErrorCorrection::Low => EcLevel::L,
        ErrorCorrection::Medium => EcLevel::M,
        ErrorCorrection::Quartile => EcLevel::Q,
        ErrorCorrection::High => EcLevel::H,
    }
}

/// Bits before the data: what says that it is GS1, or UTF-8.
fn mark_bits(payload: Payload<'_>) -> usize {
    match () {
        () if payload.is_gs1() => MODE_BITS,
        () if payload.as_str().is_ascii() => 0,
        () => ECI_BITS,
    }
}

/// Bits of data the version holds.
fn room(version: Version, level: EcLevel) -> usize {
    Bits::new(version).max_len(level).unwrap_or(0)
}

/// The smallest version and the segments for it. Counts of segments grow after versions 9 and 26, so segments are chosen three times at most.
fn fit(payload: Payload<'_>, level: EcLevel) -> Option<(Version, Vec<Segment>)> {
    for (first, last) in [(1, 9), (10, 26), (27, 40)] {
        let segments: Vec<Segment> = Optimizer::new(pieces(payload), Version::Normal(last)).collect();
        let bits = mark_bits(payload) + total_encoded_len(&segments, Version::Normal(last));
        if let Some(version) = (first..=last).map(Version::Normal).find(|version| bits <= room(*version, level)) {
            return Some((version, segments));
        }
    }
    None
}

/// The payload in pieces of one mode each. No Kanji, which UTF-8 is not; `%` as a byte in GS1, where it would separate.
fn pieces(payload: Payload<'_>) -> impl Iterator<Item = Segment> {
    let bytes = payload.as_str().as_bytes();
    Parser::new(bytes).map(move |piece| {
        let holds_percent = bytes.get(piece.begin..piece.end).is_some_and(|bytes| bytes.contains(&b'%'));
        let as_bytes = piece.mode == Mode::Kanji || payload.is_gs1() && holds_percent;
        if as_bytes { Segment { mode: Mode::Byte, ..piece } } else { piece }
    })
}

fn draw(payload: Payload<'_>, segments: &[Segment], version: Version, level: EcLevel) -> Result<QrCode, QrError> {
    let mut bits = Bits::new(version);
    if payload.is_gs1() {
        bits.push_fnc1_first_position()?;
    } else if !payload.as_str().is_ascii() {
        bits.push_eci_designator(UTF8)?;
    }
    bits.push_segments(payload.as_str().as_bytes(), segments.iter().copied())?;
    bits.push_terminator(level)?;
    QrCode::with_bits(bits, level)
}

fn too_long(payload: Payload<'_>, level: EcLevel) -> CodeError {
    let room = room(Version::Normal(40), level).saturating_sub(mark_bits(payload) + MODE_BITS);
    let digit_bits = room.saturating_sub(DIGIT_COUNT_BITS);
    CodeError::PayloadTooLong {
        symbology: "QR Code",
        bytes: payload.as_str().len(),
        most_bytes: room.saturating_sub(BYTE_COUNT_BITS) / 8,
        // Three digits in 10 bits, two in 7, one in 4.
        most_digits: digit_bits / 10 * 3
            + match digit_bits % 10 {
                0..4 => 0,
                4..7 => 1,
                _ => 2,
            },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Modes of the segments a payload gets in the smallest symbols.
    fn modes(payload: Payload<'_>) -> Vec<Mode> {
        fit(payload, EcLevel::M).unwrap().1.into_iter().map(|segment| segment.mode).collect()
    }

    #[test]
    fn utf8_is_bytes_even_where_it_looks_like_kanji() {
        let text = "层商".repeat(6);
        let of_library = Parser::new(text.as_bytes()).optimize(Version::Normal(9));
        assert!(
            of_library.map(|segment| segment.mode).all(|mode| mode == Mode::Kanji),
            "the library would take it for Kanji"
        );
        assert_eq!(modes(Payload::text(&text).unwrap()), [Mode::Byte]);
    }

    #[test]
    fn percent_signs_of_gs1_data_are_bytes() {
        let text = "010690123456789210ABCDEFG%HIJKLMN";
        assert_eq!(modes(Payload::text(text).unwrap()), [Mode::Numeric, Mode::Alphanumeric]);
        assert_eq!(modes(Payload::gs1(text).unwrap()), [Mode::Numeric, Mode::Byte]);
    }
}
