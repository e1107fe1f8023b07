//! PNG images say what was asked, at the size that was asked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod judge;

use judge::{data_matrix_text, label, png_of, symbol, symbology_identifier};
use proptest::prelude::*;
use waymark_codes::{
    Caption, CodeError, Drawing, ErrorCorrection, Label, Length, Payload, QuietZone, Shape, Symbol, Symbology,
};

const QR: Symbology = Symbology::QrCode(ErrorCorrection::Medium);
const MATRIX: Symbology = Symbology::DataMatrix(Shape::Square);
const URL: &str = "https://id.example.cn/88.990.10001/XE215X.2026.XE215X260100";

/// Its UTF-8 is Shift JIS too, from the first byte to the last.
const BYTES_LIKE_KANJI: &str = "层商层商层商层商层商层商";

const ALL: [Symbology; 6] = [
    Symbology::QrCode(ErrorCorrection::Low),
    QR,
    Symbology::QrCode(ErrorCorrection::Quartile),
    Symbology::QrCode(ErrorCorrection::High),
    MATRIX,
    Symbology::DataMatrix(Shape::Rectangle),
];

#[test]
fn scanners_read_every_kind_at_every_size() {
    for symbology in ALL {
        for (module_micrometres, dots_per_inch) in [(254, 300), (330, 300), (500, 203), (1000, 600), (250, 1200)] {
            let text = "88.990.10001/XE215X.2026.0001";
            let (picture, _, _) = png_of(&label(symbology, text, module_micrometres), dots_per_inch);
            assert_eq!(picture.text(symbology), text, "{symbology:?} {module_micrometres} {dots_per_inch}");
        }
    }
}

#[test]
fn scanners_read_text_of_any_language() {
    for text in [
        URL,
        "履带式液压挖掘机 XE215X",
        "Größe",
        "0123456789012345678901234567890",
        "ABC-123 $%*+./:",
        "点茗ﾃﾞｰﾀ",
        BYTES_LIKE_KANJI,
    ] {
        for symbology in [QR, MATRIX] {
            assert_eq!(read_back(symbology, text), text, "{symbology:?}");
        }
    }
}

fn read_back(symbology: Symbology, text: &str) -> String {
    let (picture, _, printed) = png_of(&label(symbology, text, 500), 300);
    match symbology {
        Symbology::DataMatrix(_) if !text.is_ascii() => {
            data_matrix_text(&picture, usize::try_from(printed.module_pixels).unwrap())
        }
        _ => picture.text(symbology),
    }
}

#[test]
fn gs1_codes_are_told_from_others() {
    // A percent sign in data must not become a separator in QR Code.
    for text in [
        "010690123456789210ABCDEFG%HIJKLMN\u{1d}2112345",
        "010690123456789210AB%1",
        "010690123456789210ABC123",
        "0106901234567892",
    ] {
        for (symbology, marked, plain) in [(QR, "]Q3", "]Q1"), (MATRIX, "]d2", "]d1")] {
            for (payload, identifier) in [(Payload::gs1(text), marked), (Payload::text(text), plain)] {
                let symbol = Symbol::encode(symbology, payload.unwrap()).unwrap();
                let drawing =
                    Drawing { module: Length::micrometres(500), quiet_zone: QuietZone::Standard, caption: None };
                let (picture, _, _) = png_of(&Label::new(symbol, drawing).unwrap(), 300);
                let result = picture.read(symbology).unwrap();
                assert_eq!(symbology_identifier(&result), identifier, "{symbology:?} {text:?}");
                assert_eq!(result.getText().trim_start_matches('\u{1d}'), text, "{symbology:?}");
            }
        }
    }
}

#[test]
fn quiet_zone_is_light_and_the_code_begins_behind_it() {
    let micrometres = Length::micrometres;
    for (symbology, quiet_zone, modules) in [
        (QR, QuietZone::Standard, 4),
        (QR, QuietZone::Modules(7), 7),
        // 2.1 mm are 8.4 modules.
        (QR, QuietZone::Length(micrometres(2100)), 9),
        (MATRIX, QuietZone::Standard, 1),
        (MATRIX, QuietZone::Modules(3), 3),
        (MATRIX, QuietZone::Length(micrometres(250)), 1),
    ] {
        let drawing = Drawing { module: micrometres(250), quiet_zone, caption: None };
        let (picture, _, printed) = png_of(&Label::new(symbol(symbology, URL), drawing).unwrap(), 600);
        let edge = modules * usize::try_from(printed.module_pixels).unwrap();
        let (right, bottom) = (picture.width - edge, picture.height - edge);
        let inside = |x: usize, y: usize| (edge..right).contains(&x) && (edge..bottom).contains(&y);
        for y in 0..picture.height {
            for x in 0..picture.width {
                assert!(inside(x, y) || !picture.is_dark(x, y), "{symbology:?} {quiet_zone:?}: dark at {x}, {y}");
            }
        }
        // Upper left of both codes is dark; so is the lower left.
        assert!(picture.is_dark(edge, edge) && picture.is_dark(edge, bottom - 1), "{symbology:?} {quiet_zone:?}");
    }
}

#[test]
fn less_quiet_than_the_standard_is_refused() {
    for (symbology, quiet_zone) in [
        (QR, QuietZone::Modules(3)),
        (QR, QuietZone::Length(Length::micrometres(1499))),
        (MATRIX, QuietZone::Modules(0)),
        (MATRIX, QuietZone::Length(Length::ZERO)),
    ] {
        let drawing = Drawing { module: Length::micrometres(500), quiet_zone, caption: None };
        let refused = Label::new(symbol(symbology, URL), drawing).unwrap_err();
        assert!(matches!(refused, CodeError::QuietZoneTooSmall { .. }), "{refused}");
    }
}

#[test]
fn resolution_is_in_the_file_and_rounding_is_said() {
    // 0.254 mm are exactly 3 dots of 1/300 inch; 0.33 mm are 3.9.
    let (_, per_metre, printed) = png_of(&label(QR, URL, 254), 300);
    assert_eq!((per_metre, printed.module_pixels, printed.is_exact), (11_811, 3, true));
    assert_eq!(printed.module, Length::micrometres(254));

    let (_, per_metre, printed) = png_of(&label(QR, URL, 330), 300);
    assert_eq!((per_metre, printed.module_pixels, printed.is_exact), (11_811, 4, false));
    assert_eq!(printed.module, Length::micrometres(339));

    let refused = label(QR, URL, 100).write_png(72, Vec::new()).unwrap_err();
    assert!(matches!(refused, CodeError::ModuleBelowPixel { least_dots_per_inch: 127 }), "{refused}");
    assert_eq!(png_of(&label(QR, URL, 100), 127).2.module_pixels, 1);
}

#[test]
fn sizes_out_of_range_are_refused() {
    for dots_per_inch in [0, 71, 4801, u32::MAX] {
        let refused = label(QR, URL, 330).write_png(dots_per_inch, Vec::new()).unwrap_err();
        assert!(matches!(refused, CodeError::DotsPerInch { .. }), "{refused}");
    }
    let refused = label(QR, URL, 20_000).write_png(4800, Vec::new()).unwrap_err();
    assert!(matches!(refused, CodeError::ImageTooLarge { .. }), "{refused}");
    for module in [Length::ZERO, Length::micrometres(49), Length::micrometres(20_001), Length::MAX] {
        let drawing = Drawing { module, quiet_zone: QuietZone::Standard, caption: None };
        let refused = Label::new(symbol(QR, URL), drawing).unwrap_err();
        assert!(matches!(refused, CodeError::ModuleSize { .. }), "{refused}");
    }
}

fn with_caption(text: &str, height: Length) -> Result<Label, CodeError> {
    let caption = Some(Caption { text: text.to_owned(), height });
    let drawing = Drawing { module: Length::micrometres(508), quiet_zone: QuietZone::Standard, caption };
    Label::new(symbol(QR, URL), drawing)
}

#[test]
fn text_stands_below_the_quiet_zone_and_inside_the_picture() {
    let plain = png_of(&label(QR, URL, 508), 300).0;
    let text = "88.990.10001/XE215X.2026.XE215X260100";
    let (picture, _, _) = png_of(&with_caption(text, Length::millimetres(2)).unwrap(), 300);
    assert_eq!(picture.width, plain.width);
    assert!(picture.height > plain.height);
    assert_eq!(picture.cut(0, 0, plain.width, plain.height).pixels, plain.pixels);
    let below = picture.cut(0, plain.height, picture.width, picture.height - plain.height);
    let dark: usize = below.pixels.iter().filter(|pixel| **pixel == 0).count();
    let light = below.pixels.len() - dark;
    assert!(dark > 1000 && light > dark, "{dark} dark, {light} light");
    assert_eq!(picture.text(QR), URL);
}

#[test]
fn glyphs_are_the_right_way_round() {
    // An L has its stem on the left and its foot at the bottom.
    let (picture, _, printed) = png_of(&with_caption("L", Length::millimetres(5)).unwrap(), 300);
    let code = usize::try_from(printed.width_pixels).unwrap();
    let below = picture.cut(0, code, picture.width, picture.height - code);
    let places: Vec<(usize, usize)> = (0..below.height)
        .flat_map(|y| (0..below.width).map(move |x| (x, y)))
        .filter(|(x, y)| below.is_dark(*x, *y))
        .collect();
    let (left, right) = (places.iter().map(|p| p.0).min().unwrap(), places.iter().map(|p| p.0).max().unwrap());
    let (top, bottom) = (places.iter().map(|p| p.1).min().unwrap(), places.iter().map(|p| p.1).max().unwrap());
    let half = usize::midpoint(left, right);
    let top_half = || places.iter().filter(|p| p.1 < usize::midpoint(top, bottom));
    let right_of_middle = top_half().filter(|p| p.0 > half).count();
    assert!(right_of_middle * 8 < top_half().count(), "the stem is left");
    assert!(below.is_dark(right - 1, bottom - 1), "the foot is at the bottom");
}

#[test]
fn text_that_cannot_be_drawn_is_refused() {
    let height = Length::millimetres(2);
    let refused = with_caption("挖掘机", height).unwrap().write_png(300, Vec::new()).unwrap_err();
    assert!(matches!(refused, CodeError::CaptionCharacter { character: '挖', only_in_png: true }), "{refused}");
    let refused = with_caption("a\u{7f}", height).unwrap_err();
    assert!(matches!(refused, CodeError::CaptionCharacter { character: '\u{7f}', only_in_png: false }), "{refused}");
    assert!(matches!(with_caption(&"x".repeat(400), height), Err(CodeError::CaptionTooLong { most_lines: 8, .. })));
    for height in [Length::ZERO, Length::micrometres(499), Length::millimetres(51)] {
        assert!(matches!(with_caption("x", height), Err(CodeError::CaptionSize { .. })));
    }
}

#[test]
fn too_long_says_how_long_it_may_be_and_that_fits() {
    for symbology in ALL {
        for (gs1, wide) in [(false, false), (true, false), (false, true)] {
            let payload = |text: &str| {
                let payload = if gs1 { Payload::gs1(text) } else { Payload::text(text) };
                Symbol::encode(symbology, payload.unwrap())
            };
            let letters =
                |count: usize| if wide { "编".repeat(count / 3) + &"~".repeat(count % 3) } else { "~".repeat(count) };
            let Err(CodeError::PayloadTooLong { bytes, most_bytes, most_digits, .. }) = payload(&letters(9000)) else {
                panic!("9000 bytes fit a {symbology:?}");
            };
            assert_eq!(bytes, 9000);
            assert!(payload(&letters(most_bytes)).is_ok(), "{symbology:?} {gs1} {wide}: {most_bytes} bytes");
            // Data Matrix has encodings for letters that are shorter than bytes.
            if matches!(symbology, Symbology::QrCode(_)) || wide {
                assert!(payload(&letters(most_bytes + 1)).is_err(), "{symbology:?} {gs1} {wide}: {most_bytes} + 1");
            }
            if !wide {
                assert!(payload(&"7".repeat(most_digits)).is_ok(), "{symbology:?} {gs1}: {most_digits} digits");
                assert!(payload(&"7".repeat(most_digits + 1)).is_err(), "{symbology:?} {gs1}: {most_digits} + 1");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_is_read_back(text in "\\PC{1,60}") {
        for symbology in [QR, MATRIX] {
            prop_assert_eq!(read_back(symbology, &text), text.as_str(), "{:?}", symbology);
        }
    }
}
