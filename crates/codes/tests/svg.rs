//! SVG images and sheets say what was asked, at the size that was asked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod judge;

use judge::{drawn::draw, label, symbol};
use waymark_codes::{
    Caption, CodeError, Drawing, ErrorCorrection, Label, Language, Length, QuietZone, Shape, Sheet, Size, Symbology,
};

const QR: Symbology = Symbology::QrCode(ErrorCorrection::Medium);
const MATRIX: Symbology = Symbology::DataMatrix(Shape::Square);
const HANDLE: &str = "88.990.10001/XE215X.2026.XE215X260100";

fn size(width: u32, height: u32) -> Size {
    Size { width: Length::micrometres(width), height: Length::micrometres(height) }
}

#[test]
fn scanners_read_what_the_svg_shows_and_its_size_is_exact() {
    for symbology in [QR, MATRIX, Symbology::DataMatrix(Shape::Rectangle)] {
        for module_micrometres in [254_u32, 330, 500] {
            let label = label(symbology, HANDLE, module_micrometres);
            let drawn = draw(&label.to_svg(), f64::from(module_micrometres) / 5.0);
            let quiet = symbology.least_quiet_modules() * 2;
            let (columns, rows) = (label.symbol().width() + quiet, label.symbol().height() + quiet);
            assert_eq!(label.size(), size(columns * module_micrometres, rows * module_micrometres));
            assert_eq!(drawn.size.0.to_string(), label.size().width.to_string());
            assert_eq!(drawn.picture.text(symbology), HANDLE, "{symbology:?} {module_micrometres}");
            let edge = usize::try_from(symbology.least_quiet_modules() * 5).unwrap();
            for x in 0..drawn.picture.width {
                assert!((0..edge).all(|y| !drawn.picture.is_dark(x, y)), "the quiet zone is light");
            }
            assert!(drawn.picture.is_dark(edge, edge), "the code begins behind it");
        }
    }
}

#[test]
fn text_is_written_below_the_code_as_it_is() {
    for text in ["<XE&215>", HANDLE, "挖掘机", ""] {
        let caption = Some(Caption { text: text.to_owned(), height: Length::millimetres(2) });
        let drawing = Drawing { module: Length::micrometres(500), quiet_zone: QuietZone::Standard, caption };
        let label = Label::new(symbol(QR, "1"), drawing).unwrap();
        let drawn = draw(&label.to_svg(), 500.0);
        // 21 modules and the quiet zone of 4 on each side are 14.5 mm: 11 characters of 1.24 mm.
        let lines: Vec<&str> = drawn.texts.iter().map(|(_, _, line)| line.as_str()).collect();
        assert_eq!(lines.concat(), text);
        assert!(lines.iter().all(|line| line.len() <= 11), "{lines:?}");
        let code = 14_500.0;
        for (x, y, _) in &drawn.texts {
            assert!((*x - code / 2.0).abs() < 1.0, "in the middle: {x}");
            assert!(*y > code + 1000.0 && *y < drawn.size.1 * 1000.0, "below the code, inside the picture: {y}");
        }
    }
}

#[test]
fn every_label_of_a_sheet_is_read_in_its_place() {
    let page = size(100_000, 60_000);
    let sheet = Sheet::new(page, (2, 3), Length::millimetres(2), Length::millimetres(3)).unwrap();
    assert_eq!((sheet.places(), sheet.place()), (6, size(30_000, 26_500)));
    let handles: Vec<String> = (1..=5).map(|number| format!("88.990.10001/PART.{number}")).collect();
    let labels: Vec<Label> = handles.iter().map(|handle| label(MATRIX, handle, 400)).collect();
    let mut svg = Vec::new();
    sheet.write_page(&labels, &mut svg).unwrap();
    let drawn = draw(std::str::from_utf8(&svg).unwrap(), 100.0);
    assert_eq!(drawn.size, (100.0, 60.0));
    for (number, handle) in handles.iter().enumerate() {
        let (row, column) = (number / 3, number % 3);
        let place = drawn.picture.cut(20 + column * 330, 20 + row * 295, 300, 265);
        assert_eq!(place.text(MATRIX), *handle);
        let dark = |x: usize| (0..place.height).any(|y| place.is_dark(x, y));
        let (left, right) = ((0..300).find(|x| dark(*x)).unwrap(), (0..300).rfind(|x| dark(*x)).unwrap());
        assert!(left.abs_diff(299 - right) <= 1, "in the middle: {left} {right}");
    }
    let last = drawn.picture.cut(20 + 2 * 330, 20 + 295, 300, 265);
    assert!(last.pixels.iter().all(|pixel| *pixel == 255), "the sixth place is empty");
}

#[test]
fn sheets_that_cannot_be_are_refused() {
    let millimetres = Length::millimetres;
    let new =
        |rows, columns, margin| Sheet::new(size(100_000, 60_000), (rows, columns), millimetres(margin), millimetres(3));
    for (rows, columns) in [(0, 1), (1, 0), (101, 100), (u32::MAX, u32::MAX)] {
        assert!(matches!(new(rows, columns, 0), Err(CodeError::Places { .. })), "{rows} {columns}");
    }
    assert!(matches!(new(1, 1, 30), Err(CodeError::NoRoom)));
    assert!(matches!(new(21, 1, 0), Err(CodeError::NoRoom)));

    let sheet = new(2, 2, 2).unwrap();
    let fits = label(MATRIX, HANDLE, 400);
    let mut svg = Vec::new();
    let refused = sheet.write_page(&vec![fits.clone(); 5], &mut svg).unwrap_err();
    assert!(matches!(refused, CodeError::TooManyLabels { labels: 5, places: 4 }), "{refused}");
    let refused = sheet.write_page(&[fits, label(QR, HANDLE, 1000)], &mut svg).unwrap_err();
    assert!(matches!(refused, CodeError::LabelTooLarge { .. }), "{refused}");
    assert!(svg.is_empty(), "nothing was written");
}

#[test]
fn a_writer_that_fails_is_told() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let label = label(QR, HANDLE, 400);
    let sheet = Sheet::new(size(50_000, 50_000), (1, 1), Length::ZERO, Length::ZERO).unwrap();
    for refused in [sheet.write_page(std::slice::from_ref(&label), Full), label.write_png(300, Full).map(|_| ())] {
        let Err(CodeError::Write(cause)) = refused else { panic!("{refused:?}") };
        assert_eq!(cause.kind(), std::io::ErrorKind::StorageFull);
    }
}

#[test]
fn errors_speak_both_languages() {
    let drawing = Drawing { module: Length::micrometres(500), quiet_zone: QuietZone::Modules(2), caption: None };
    let refused = Label::new(symbol(QR, HANDLE), drawing).unwrap_err();
    assert_eq!(refused.code(), "code-quiet-zone-too-small");
    assert_eq!(
        refused.text(Language::English),
        "a quiet zone of 1 mm is too small for a QR Code; leave at least 4 modules, here 2 mm"
    );
    assert_eq!(refused.text(Language::Chinese), "静区 1 毫米对 QR Code 太小；请至少留出 4 个模块，此处为 2 毫米");
}
