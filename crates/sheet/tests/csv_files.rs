//! CSV files in the encodings and forms people have them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::io::Cursor;

use common::{CUSTOMER, GTIN, LOT, MADE, MASS, MODEL, NAME, Outcome, codes, layout, read_text};
use encoding_rs::GB18030;
use waymark_sheet::{Code, Encoding, Item, Language, Limits, Options, ReadError, read, read_csv};

const TEXT: &str =
    "标识,产品名称,型号\r\n88.990.10001/1,履带式液压挖掘机,XE215X\r\n88.990.10001/2,\"汽车起重机, 㐀𠀀\",QY25K5\r\n";

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

fn read_failure(file: &[u8], options: &Options) -> ReadError {
    let layout = layout();
    match read_csv(Cursor::new(file), &layout, options) {
        Err(failure) => failure,
        Ok(rows) => Outcome::of(rows).failure.expect("the file is refused"),
    }
}

#[test]
fn every_encoding_is_found_out_and_reported() {
    let (gb18030, _, _) = GB18030.encode(TEXT);
    let with_mark = |text: &str| format!("\u{feff}{text}");
    let files = [
        (TEXT.as_bytes().to_vec(), Encoding::Utf8),
        (with_mark(TEXT).into_bytes(), Encoding::Utf8Bom),
        (utf16(&with_mark(TEXT), u16::to_le_bytes), Encoding::Utf16Le),
        (utf16(&with_mark(TEXT), u16::to_be_bytes), Encoding::Utf16Be),
        (utf16(TEXT, u16::to_le_bytes), Encoding::Utf16Le),
        (utf16(TEXT, u16::to_be_bytes), Encoding::Utf16Be),
        (gb18030.into_owned(), Encoding::Gb18030),
    ];
    let layout = layout();
    for (file, encoding) in files {
        let rows = read(Cursor::new(&file), &layout, &Options::default()).unwrap();
        assert_eq!(rows.about().encoding, Some(encoding));
        assert_eq!(rows.about().separator, Some(','));
        let outcome = Outcome::of(rows);
        assert_eq!(outcome.problems(), [], "{encoding:?}");
        assert_eq!(outcome.rows[0].values, [(NAME, "履带式液压挖掘机".to_owned()), (MODEL, "XE215X".to_owned())]);
        assert_eq!(outcome.rows[1].values[0].1, "汽车起重机, 㐀𠀀");
    }
}

#[test]
fn an_encoding_that_breaks_late_is_refused_before_the_first_row() {
    let mut file = TEXT.as_bytes().to_vec();
    for number in 3..20_000 {
        file.extend_from_slice(format!("88.990.10001/{number},塔吊,QTZ80\n").as_bytes());
    }
    let valid = file.len();
    // Neither valid UTF-8 nor valid GB18030.
    file.extend_from_slice(b"88.990.10001/0,\xff\xff,X1\n");
    let failure = read_failure(&file, &Options::default());
    assert_eq!(codes(&failure), [Code::UnknownEncoding]);
    let place = failure.problems()[0].values().find(|(name, _)| *name == "detail").unwrap().1.to_owned();
    assert!(place.starts_with("UTF-8, byte "), "{place}");
    let at: usize = place.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((valid..valid + 20).contains(&at), "{at} of {valid}");

    assert_eq!(codes(&read_failure(b"\0\0\0\0\0\0", &Options::default())), [Code::UnknownEncoding]);
    let known = Options { encoding: Some(Encoding::Utf8), ..Options::default() };
    let (gb18030, _, _) = GB18030.encode(TEXT);
    assert_eq!(codes(&read_failure(&gb18030, &known)), [Code::UnknownEncoding]);
}

#[test]
fn every_separator_is_found_out() {
    let layout = layout();
    for (separator, text) in [
        (';', "标识;产品名称;型号\n88.990.10001/1;挖掘机, 履带式;XE215X\n"),
        ('\t', "标识\t产品名称\t型号\n88.990.10001/1\t挖掘机, 履带式\tXE215X\n"),
        (';', "sep=;\r\n标识;产品名称;型号\r\n88.990.10001/1;挖掘机, 履带式;XE215X\r\n"),
    ] {
        let rows = read_csv(Cursor::new(text), &layout, &Options::default()).unwrap();
        assert_eq!(rows.about().separator, Some(separator));
        let outcome = Outcome::of(rows);
        assert_eq!(outcome.rows[0].values[0].1, "挖掘机, 履带式");
        assert_eq!(outcome.rows[0].number, if text.starts_with("sep") { 3 } else { 2 });
    }
}

#[test]
fn what_spreadsheets_did_to_values_is_told_in_csv_too() {
    let text = "标识,产品名称,型号,商品条码,额定质量,出厂日期,客户编码,批次号\n\
                88.990.10001/1,塔吊,QTZ80,6.9E+12,,,,\n\
                88.990.10001/2,塔吊,QTZ80,123456789012,,,,\n\
                88.990.10001/3,塔吊,QTZ80,,,46091,,\n\
                88.990.10001/4,塔吊,QTZ80,,,,\"=\"\"00123\"\"\",\n\
                88.990.10001/5,塔吊,QTZ80,,1.234,,,\n\
                88.990.10001/6,塔吊,QTZ80,0690123456789,21.5,2026/3/10,00123,000007\n\
                88.990.10001/5,塔吊,QTZ80,,,,,\n\
                88.990.10001/8,塔吊,QTZ80,,,,,,stray\n\
                88.990.10001/9,塔吊\n\
                88.990.10001/10,塔吊,QTZ80,,,,,7\n";
    let outcome = read_text(text.as_bytes());
    assert_eq!(
        outcome.problems(),
        [
            (2, vec![("SCIENTIFIC", Some(GTIN))]),
            (3, vec![("LEADING_ZEROS", Some(GTIN))]),
            (4, vec![("DATE_SERIAL", Some(MADE))]),
            (5, vec![("FORMULA", Some(CUSTOMER))]),
            (6, vec![("TOO_MANY_DECIMALS", Some(MASS))]),
            (8, vec![("DUPLICATE_HANDLE", None)]),
            (9, vec![("CELL_WITHOUT_HEADING", None)]),
            (10, vec![("REQUIRED", Some(MODEL))]),
            (11, vec![("LEADING_ZEROS", Some(LOT))]),
        ]
    );
    assert_eq!(
        outcome.rows[0].values[2..],
        [
            (GTIN, "0690123456789".to_owned()),
            (MASS, "21.5".to_owned()),
            (MADE, "2026-03-10".to_owned()),
            (CUSTOMER, "00123".to_owned()),
            (LOT, "000007".to_owned()),
        ]
    );
}

#[test]
fn rows_that_span_lines_and_empty_lines_are_counted_as_lines() {
    let text = "标识,产品名称,型号\n88.990.10001/1,\"塔\n吊\",QTZ80\n\n,,\n88.990.10001/2,塔吊,QTZ80\n88.990.10001/3,塔吊,QTZ80";
    let outcome = read_text(text.as_bytes());
    assert_eq!(outcome.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 6, 7]);
    assert_eq!(outcome.remarks, ["row 4: rows 4 to 5 are empty; nothing needs to be done if nothing is missing"]);
    assert_eq!(outcome.rows[0].values[0].1, "塔\n吊");
}

#[test]
fn a_quotation_mark_that_is_never_closed_is_told() {
    let text = "标识,产品名称,型号\n88.990.10001/1,塔吊,QTZ80\n88.990.10001/2,塔吊,\"QTZ\n88.990.10001/3,塔吊,QTZ80\n";
    let outcome = read_text(text.as_bytes());
    assert_eq!(outcome.rows.len(), 1);
    assert_eq!(outcome.problems(), [(3, vec![("UNCLOSED_QUOTE", None), ("TOO_LONG", Some(MODEL))])]);

    let endless = format!("标识,产品名称,型号\n88.990.10001/1,\"{}", "塔吊\n".repeat(200_000));
    let failure = read_failure(endless.as_bytes(), &Options::default());
    assert_eq!(
        failure.text(Language::English),
        "row 2: the row, or a part of it, is larger than 1048576 bytes; look for a quotation mark that is never closed, or shorten the texts"
    );
    let wide = format!("标识,产品名称,型号\n{}", ",".repeat(20_000));
    assert_eq!(codes(&read_failure(wide.as_bytes(), &Options::default())), [Code::RowTooLarge]);
}

#[test]
fn a_file_of_too_many_rows_gives_those_that_are_allowed() {
    let limits = Limits { rows: 2, ..Limits::default() };
    let layout = layout();
    let text = "标识,产品名称,型号\na/1,塔吊,QTZ80\na/2,塔吊,QTZ80\na/3,塔吊,QTZ80\na/4,塔吊,QTZ80\n";
    let options = Options { limits, ..Options::default() };
    let mut rows = read_csv(Cursor::new(text), &layout, &options).unwrap();
    for _ in 0..2 {
        assert!(matches!(rows.next(), Some(Ok(Item::Row(_)))));
    }
    let Some(Err(failure)) = rows.next() else { panic!("it is too long") };
    assert_eq!(codes(&failure), [Code::TooManyRows]);
    assert_eq!(failure.problems()[0].row(), Some(4));
    assert!(rows.next().is_none());
}

#[test]
fn files_that_are_no_tables_are_refused() {
    assert_eq!(codes(&read_failure(b"", &Options::default())), [Code::NoHeading]);
    assert_eq!(codes(&read_failure(b"\n\r\n,,\n", &Options::default())), [Code::NoHeading]);
    let failure = read_failure("<html><body>标识</body></html>".as_bytes(), &Options::default());
    assert_eq!(codes(&failure), [Code::UnknownColumn, Code::MissingColumn, Code::MissingColumn, Code::MissingColumn]);
}
