//! Whatever a file holds, it is refused with a reason, within the limits, and nothing panics.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::io::Cursor;

use common::{
    CUSTOMER, MODEL, Outcome, SHEET, at, begin, codes, container, layout, parts, refused, with_part, with_text,
    workbook,
};
use proptest::prelude::*;
use waymark_sheet::{Code, Language, Limits, Options, ReadError, read};

const STRINGS: &str = "xl/sharedStrings.xml";
const BOOK: &str = "xl/workbook.xml";

fn good() -> Vec<u8> {
    workbook(|sheet| (1..=20).for_each(|row| begin(sheet, row)))
}

fn refusal(file: &[u8]) -> ReadError {
    refused(file, &Options::default())
}

/// That a file is refused for this, with a text in both languages.
fn assert_refused(file: &[u8], code: Code) {
    let failure = refusal(file);
    assert_eq!(codes(&failure), [code], "{failure}");
    for language in [Language::English, Language::Chinese] {
        let text = failure.text(language);
        assert!(!text.contains('?') && !text.contains('{'), "{text}");
    }
}

/// Reads as much as there is.
fn read_all(file: &[u8]) -> Result<Outcome, ReadError> {
    let layout = layout();
    read(Cursor::new(file), &layout, &Options::default()).map(Outcome::of)
}

#[test]
fn a_file_that_was_cut_anywhere_is_refused() {
    let file = good();
    assert_eq!(read_all(&file).unwrap().rows.len(), 20);
    for length in (0..file.len()).step_by(7) {
        let cut = &file[..length];
        let failure = refusal(cut);
        let expected = if length < 2 { Code::NotAWorkbook } else { Code::Damaged };
        assert_eq!(codes(&failure), [expected], "{length}: {failure}");
    }
}

#[test]
fn a_byte_changed_anywhere_is_found_or_does_no_harm() {
    let file = good();
    for at in (0..file.len()).step_by(5) {
        let mut changed = file.clone();
        changed[at] ^= 1 << (at % 8);
        if let Ok(outcome) = read_all(&changed) {
            assert!(outcome.failure.is_none(), "{at}: damage is found before the first row: {:?}", outcome.failure);
            assert!(outcome.rows.len() + outcome.bad.len() <= 20);
        }
    }
}

#[test]
fn other_files_are_named_for_what_they_are() {
    assert_refused(b"", Code::NotAWorkbook);
    assert_refused(b"%PDF-1.7 and so on", Code::NotAWorkbook);
    assert_refused(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, 0, 0], Code::OldOrEncrypted);
    assert_refused(b"PK\x03\x04 and nothing more", Code::Damaged);
    assert_refused(&container(&[("mimetype.xml".to_owned(), b"x".to_vec())]), Code::NotAWorkbook);
    let document = with_part(&good(), BOOK, |_| b"<w:document xmlns:w=\"w\"><w:body/></w:document>".to_vec());
    assert_refused(&document, Code::NotAWorkbook);
    let hidden = with_text(&good(), BOOK, "<sheet name=\"Sheet1\" ", "<sheet name=\"Sheet1\" state=\"hidden\" ");
    assert_refused(&hidden, Code::NoSheet);
}

#[test]
fn parts_that_are_missing_or_there_twice_are_refused() {
    let without = |name: &str| {
        let mut parts = parts(&good());
        parts.retain(|(known, _)| known != name);
        container(&parts)
    };
    assert_refused(&without(SHEET), Code::Damaged);
    assert_refused(&without(STRINGS), Code::Damaged);
    assert_refused(&without(BOOK), Code::NotAWorkbook);
    let mut twice = parts(&good());
    twice.push((SHEET.to_uppercase().replace(".XML", ".xml"), b"<worksheet/>".to_vec()));
    assert_refused(&container(&twice), Code::Hostile);
    let mut many = parts(&good());
    many.extend((0..4096).map(|number| (format!("x/{number}.bin"), Vec::new())));
    assert_refused(&container(&many), Code::TooMany);
}

#[test]
fn bombs_are_refused_whichever_part_they_are() {
    let text = format!("<si><t>{}</t></si>", " ".repeat(1000));
    let filling = |name: &str| if name == STRINGS { &text } else { "                " };
    for name in [SHEET, STRINGS, BOOK, "xl/styles.xml", "_rels/.rels"] {
        let bomb = with_part(&good(), name, |content| {
            let text = String::from_utf8(content).unwrap();
            let (text, end) = text.split_at(text.rfind("</").unwrap());
            [text, &filling(name).repeat((18 << 20) / filling(name).len()), end].concat().into_bytes()
        });
        assert!(bomb.len() < 1 << 20);
        let failure = refusal(&bomb);
        let expected = if name == SHEET || name == STRINGS { Code::Hostile } else { Code::TooLarge };
        assert_eq!(codes(&failure), [expected], "{name}: {failure}");
    }
}

#[test]
fn parts_beyond_the_limits_are_refused() {
    let many = workbook(|sheet| {
        for row in 1..=20_000 {
            begin(sheet, row);
        }
    });
    let limits = Limits { part_bytes: 1 << 20, ..Limits::default() };
    assert_eq!(codes(&refused(&many, &Options { limits, ..Options::default() })), [Code::TooLarge]);
    // 20,000 identifiers of 20 bytes are fewer than a MiB; so make them longer.
    let long = workbook(|sheet| {
        for row in 1..=200 {
            sheet.write_string(row, 0, format!("{row}{}", "x".repeat(10_000))).unwrap();
        }
    });
    let limits = Limits { shared_text_bytes: 1 << 20, ..Limits::default() };
    let failure = refused(&long, &Options { limits, ..Options::default() });
    assert_eq!(codes(&failure), [Code::TooLarge]);
    assert_eq!(
        failure.text(Language::English),
        "xl/sharedstrings.xml of the file is larger than 1048576 bytes; split the file, or save it as CSV"
    );
}

#[test]
fn rows_and_elements_beyond_the_limits_are_refused() {
    let long = "x".repeat(32_000);
    let file = workbook(|sheet| {
        begin(sheet, 1);
        // One text, shared by cells that together are a row of 6 MB.
        (20..200).for_each(|position| {
            sheet.write_string(2, position, &long).unwrap();
        });
    });
    assert_refused(&file, Code::RowTooLarge);
    let attribute = format!("<row foo=\"{}\" r=\"3\"", "x".repeat(2 << 20));
    assert_refused(&with_text(&good(), SHEET, "<row r=\"3\"", &attribute), Code::RowTooLarge);
    let comment = format!("<!-- {} --><row r=\"3\"", "x".repeat(2 << 20));
    assert_refused(&with_text(&good(), SHEET, "<row r=\"3\"", &comment), Code::RowTooLarge);
    let runs = format!("<si>{}</si><si>", "<r><t>xxxxxxxxxxxxxxxx</t></r>".repeat(100_000));
    assert_refused(&with_text(&good(), STRINGS, "<si>", &runs), Code::RowTooLarge);
}

#[test]
fn elements_nested_without_end_are_refused() {
    for (name, before) in [(SHEET, "<row r=\"3\""), (STRINGS, "<si>"), (BOOK, "<sheets>"), ("xl/styles.xml", "<fonts")]
    {
        let nested = format!("{}{}{before}", "<a>".repeat(1000), "</a>".repeat(1000));
        assert_refused(&with_text(&good(), name, before, &nested), Code::Hostile);
    }
}

#[test]
fn document_types_and_other_encodings_are_refused() {
    let laughs = "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol1 \"&lol;&lol;&lol;\">]><worksheet";
    assert_refused(&with_text(&good(), SHEET, "<worksheet", laughs), Code::Hostile);
    assert_refused(&with_text(&good(), SHEET, "encoding=\"UTF-8\"", "encoding=\"GBK\""), Code::Hostile);
    assert_refused(&with_text(&good(), STRINGS, "<t>", "<t>&lol;"), Code::Damaged);
    let utf16 = with_part(&good(), SHEET, |content| {
        let text = String::from_utf8(content).unwrap().replace("UTF-8", "UTF-16");
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    });
    let failure = refusal(&utf16);
    assert!(matches!(codes(&failure)[..], [Code::Hostile | Code::Damaged]), "{failure}");
}

#[test]
fn xml_that_is_none_is_refused() {
    for (from, to) in [
        ("</row>", ""),
        ("</sheetData>", "</sheetDat>"),
        ("<v>", "<v"),
        ("<v>", "<v>&#xFFFFFF;"),
        ("<v>", "<v>&broken"),
        ("r=\"B1\"", "r=B1"),
        ("r=\"B1\"", "r=\"A1\""),
        ("r=\"B1\"", "r=\"XFE1\""),
        ("r=\"B1\"", "r=\"\""),
        ("<row r=\"3\"", "<row r=\"1\""),
        ("<row r=\"3\"", "<row r=\"1048577\""),
        ("<row r=\"3\"", "<row r=\"-3\""),
        ("<v>0</v>", "<v>4000000000</v>"),
        ("<v>0</v>", "<v>-1</v>"),
        ("t=\"s\"", "t=\"n\" t2=\"\"><v>NaN</v></c><c r=\"ZZ1\" t=\"s\""),
        ("<sheetData>", "<mergeCells><mergeCell ref=\"B\"/></mergeCells><sheetData>"),
    ] {
        let outcome = read_all(&with_text(&good(), SHEET, from, to));
        let failure = outcome.map_or_else(Some, |outcome| outcome.failure);
        assert_eq!(failure.as_ref().map(codes), Some(vec![Code::Damaged]), "{from} -> {to}: {failure:?}");
    }
    let file = with_part(&good(), STRINGS, |mut content| {
        let at = content.windows(3).position(|text| text == b"<t>").unwrap() + 3;
        content[at] = 0xff;
        content
    });
    assert_refused(&file, Code::Damaged);
}

#[test]
fn more_merged_ranges_than_anybody_makes_are_refused() {
    let ranges = "<mergeCell ref=\"Z1:AA1\"/>".repeat(65_537);
    let file = with_text(&good(), SHEET, "</sheetData>", &format!("</sheetData><mergeCells>{ranges}</mergeCells>"));
    assert_refused(&file, Code::TooMany);
}

#[test]
fn what_is_unusual_but_right_is_read() {
    let file = good();
    let same = |changed: &[u8], what: &str| {
        let outcome = read_all(changed).unwrap();
        assert_eq!(outcome.rows, read_all(&file).unwrap().rows, "{what}");
    };
    let runs = "<si><r><rPr><b/></rPr><t>88.990.</t></r><r><t>10001/XE.0001</t></r><rPh sb=\"0\" eb=\"1\"><t>sound</t></rPh></si>";
    same(&with_text(&file, STRINGS, "<si><t>88.990.10001/XE.0001</t></si>", runs), "rich text");
    same(&with_text(&file, STRINGS, "XE215X", "<![CDATA[XE215]]>&#88;"), "CDATA and character references");
    let bare = with_part(&file, SHEET, |content| {
        let text = String::from_utf8(content).unwrap();
        let without = |text: String, from: &str| {
            let mut parts = text.split(from);
            let first = parts.next().unwrap().to_owned();
            parts.fold(first, |text, part| text + " " + part.split_once('"').unwrap().1)
        };
        without(without(text, " r=\""), " spans=\"").into_bytes()
    });
    same(&bare, "rows and cells without references");
    let prefixed = with_part(&file, SHEET, |content| {
        let text =
            String::from_utf8(content).unwrap().replace("</", "</x:").replace("<x:", "<").replace("xmlns=", "xmlns:x=");
        let mut prefixed = String::new();
        for piece in text.split_inclusive('<') {
            prefixed.push_str(piece);
        }
        let prefixed = prefixed.replace('<', "<x:").replace("<x:?", "<?").replace("<x:/", "</");
        prefixed.replace("</x:x:", "</x:").into_bytes()
    });
    same(&prefixed, "a prefix of the namespace");
    let upper = container(
        &parts(&file)
            .into_iter()
            .map(|(name, content)| (name.replace("xl/worksheets", "XL/Worksheets"), content))
            .collect::<Vec<_>>(),
    );
    same(&upper, "part names in capitals");
    let inline = with_text(
        &file,
        SHEET,
        "<c r=\"C2\" t=\"s\"><v>",
        "<c r=\"C2\" t=\"inlineStr\"><is><t>XE215X</t></is></c><c r=\"Z2\"><v>",
    );
    let outcome = read_all(&inline).unwrap();
    assert_eq!(outcome.bad[0].problems[0].code(), Code::CellWithoutHeading);
    assert!(matches!(&outcome.bad[0].cells.values[1], (MODEL, waymark_sheet::Cell::Text(text)) if text == "XE215X"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..2000), begin in 0..4_usize) {
        let begin: &[u8] = [&b""[..], b"PK\x03\x04", b"\xff\xfe", "标识,产品名称,型号\n".as_bytes()][begin];
        let _ = read_all(&[begin, &bytes].concat());
    }

    #[test]
    fn any_xml_of_a_sheet_is_refused_or_read(pieces in proptest::collection::vec(
        prop_oneof![
            Just("<row>"), Just("<row r=\"5\" hidden=\"1\">"), Just("</row>"), Just("<c>"), Just("<c r=\"C1\" t=\"s\">"), Just("<c t=\"b\">"),
            Just("<c t=\"inlineStr\" s=\"1\">"), Just("</c>"), Just("<v>"), Just("</v>"), Just("<v/>"), Just("<f>"), Just("</f>"), Just("<is>"),
            Just("</is>"), Just("<t>"), Just("</t>"), Just("<rPh>"), Just("</rPh>"), Just("1"), Just("标识"), Just("产品名称"), Just("型号"),
            Just("&amp;"), Just("&#x41;"), Just("_x0041_"), Just("<!--x-->"), Just("<?x?>"), Just("<mergeCell ref=\"A1:B2\"/>"), Just("<![CDATA[x]]>"),
        ], 0..60))
    {
        let file = with_part(&good(), SHEET, |_| format!("<worksheet><sheetData>{}</sheetData></worksheet>", pieces.concat()).into_bytes());
        let _ = read_all(&file);
    }
}

#[test]
fn a_text_that_looks_like_an_escape_comes_back_as_it_is() {
    let file = workbook(|sheet| {
        begin(sheet, 1);
        sheet.write_string(1, at(CUSTOMER), "_x000D_ \u{b}x").unwrap();
    });
    assert_eq!(read_all(&file).unwrap().rows[0].values.last().unwrap().1, "_x000D_ \u{b}x");
}
