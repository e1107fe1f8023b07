//! Rows of any content come back as they were, through workbooks and CSV of every encoding.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::io::Cursor;

use common::{GTIN, LOT, MADE, MASS, MODEL, NAME, Outcome, STATE, at, headings, layout};
use proptest::prelude::*;
use rust_xlsxwriter::{Format, Workbook, Worksheet};
use waymark_sheet::{FailedRows, Language, Options, Row, read};

/// What a person may type, and what programs do with it: text, or a number or date where a cell is one.
#[derive(Clone, Debug)]
struct Typed {
    handle: String,
    name: String,
    model: String,
    gtin: Option<String>,
    mass: Option<i32>,
    day: Option<u32>,
    state: Option<usize>,
    lot: Option<u32>,
}

const STATES: [&str; 3] = ["在用", "停用", "报废"];

/// Any text but one of white space only, which is an empty cell, or one that looks like what a program made of a code.
fn any_text(chars: usize) -> impl Strategy<Value = String> {
    let pattern = format!("[ -~\\n\\t,;\"'=+\\-@<>&\u{b}\u{7f}\u{e9}一-鿿\u{10000}-\u{1ffff}_x0041_]{{1,{chars}}}");
    let text = proptest::string::string_regex(&pattern).unwrap();
    text.prop_filter("not empty, no power of ten", |text| {
        let short = text.trim();
        !short.is_empty() && !short.contains(['E', 'e']) && !short.starts_with("=\"")
    })
}

fn any_typed() -> impl Strategy<Value = Typed> {
    let optional = proptest::option::of::<BoxedStrategy<String>>;
    (
        proptest::string::string_regex("[A-Z0-9._-]{1,20}").unwrap(),
        any_text(60),
        any_text(18).prop_map(|text| format!("M{text}")),
        optional("[0-9]{13}".boxed()),
        proptest::option::of(-99_999..99_999_i32),
        proptest::option::of(20_000..60_000_u32),
        proptest::option::of(0..3_usize),
        proptest::option::of(0..1_000_000_u32),
    )
        .prop_map(|(suffix, name, model, gtin, mass, day, state, lot)| Typed {
            handle: format!("88.990.10001/{suffix}"),
            name,
            model,
            gtin,
            mass,
            day,
            state,
            lot,
        })
}

/// The day of a number, counted by another library.
fn day_text(day: u32) -> String {
    let day = calamine::ExcelDateTime::new(f64::from(day), calamine::ExcelDateTimeType::DateTime, false);
    let (year, month, day, ..) = day.to_ymd_hms_milli();
    format!("{year:04}-{month:02}-{day:02}")
}

fn mass_text(hundredths: i32) -> String {
    let text = format!("{:.2}", f64::from(hundredths) / 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn expected(typed: &[Typed]) -> Vec<Row> {
    let row = |(number, typed): (u32, &Typed)| {
        let values = [
            (NAME, Some(typed.name.clone())),
            (MODEL, Some(typed.model.clone())),
            (GTIN, typed.gtin.clone()),
            (MASS, typed.mass.map(mass_text)),
            (MADE, typed.day.map(day_text)),
            (STATE, typed.state.map(|state| STATES[state].to_owned())),
            (LOT, typed.lot.map(|lot| format!("{lot:06}"))),
        ];
        let values = values.into_iter().filter_map(|(index, value)| Some((index, value?))).collect();
        Row { number, handle: typed.handle.clone(), values }
    };
    (2..).zip(typed).map(row).collect()
}

fn write(sheet: &mut Worksheet, row: u32, typed: &Typed) {
    let date = Format::new().set_num_format("yyyy/m/d");
    let padded = Format::new().set_num_format("000000");
    let mut text = |index: u32, text: &str| {
        sheet.write_string(row, at(index), text).unwrap();
    };
    text(NAME, &typed.name);
    text(MODEL, &typed.model);
    typed.gtin.iter().for_each(|gtin| text(GTIN, gtin));
    typed.state.iter().for_each(|state| text(STATE, STATES[*state]));
    sheet.write_string(row, 0, &typed.handle).unwrap();
    if let Some(mass) = typed.mass {
        sheet.write_number(row, at(MASS), f64::from(mass) / 100.0).unwrap();
    }
    if let Some(day) = typed.day {
        sheet.write_number_with_format(row, at(MADE), f64::from(day), &date).unwrap();
    }
    if let Some(lot) = typed.lot {
        sheet.write_number_with_format(row, at(LOT), f64::from(lot), &padded).unwrap();
    }
}

fn in_workbook(typed: &[Typed], in_constant_memory: bool) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = match in_constant_memory {
        true => workbook.add_worksheet_with_constant_memory().unwrap(),
        false => workbook.add_worksheet(),
    };
    headings(sheet, &layout());
    for (row, typed) in (1..).zip(typed) {
        write(sheet, row, typed);
    }
    workbook.save_to_buffer().unwrap()
}

fn in_csv(rows: &[Row], separator: u8) -> String {
    let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
    let layout = layout();
    let titles = std::iter::once("标识").chain(layout.columns().iter().map(|column| column.name_zh.as_str()));
    writer.write_record(titles).unwrap();
    for row in rows {
        let value = |index: u32| row.values.iter().find(|(known, _)| *known == index).map_or("", |(_, text)| text);
        let cells = layout.columns().iter().map(|column| value(column.index));
        writer.write_record(std::iter::once(row.handle.as_str()).chain(cells)).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

fn rows_of(file: &[u8]) -> Vec<Row> {
    let layout = layout();
    let outcome = Outcome::of(read(Cursor::new(file), &layout, &Options::default()).unwrap());
    assert_eq!(outcome.problems(), []);
    assert!(outcome.failure.is_none() && outcome.remarks.is_empty(), "{outcome:?}");
    outcome.rows
}

/// Handles that fold to the same name stand but once.
fn distinct(typed: Vec<Typed>) -> Vec<Typed> {
    let mut seen = std::collections::HashSet::new();
    typed.into_iter().filter(|typed| seen.insert(typed.handle.to_ascii_lowercase())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn workbooks_give_back_what_was_typed(
        typed in proptest::collection::vec(any_typed(), 1..20).prop_map(distinct),
        in_constant_memory in any::<bool>(),
    ) {
        prop_assert_eq!(rows_of(&in_workbook(&typed, in_constant_memory)), expected(&typed));
    }

    #[test]
    fn csv_gives_back_what_was_typed(
        typed in proptest::collection::vec(any_typed(), 1..20).prop_map(distinct),
        separator in prop_oneof![Just(b','), Just(b';'), Just(b'\t')],
        encoding in 0..4,
    ) {
        let rows = expected(&typed);
        let text = in_csv(&rows, separator);
        let file = match encoding {
            0 => text.into_bytes(),
            1 => format!("\u{feff}{text}").into_bytes(),
            2 => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
            _ => encoding_rs::GB18030.encode(&text).0.into_owned(),
        };
        // Rows are numbered by lines, of which a text may have several.
        let numbered = |rows: Vec<Row>| rows.into_iter().map(|row| (row.handle, row.values)).collect::<Vec<_>>();
        prop_assert_eq!(numbered(rows_of(&file)), numbered(rows));
    }

    #[test]
    fn rows_that_were_refused_later_come_back_whole(
        typed in proptest::collection::vec(any_typed(), 1..20).prop_map(distinct),
    ) {
        let rows = expected(&typed);
        let layout = layout();
        let mut failed = FailedRows::new(&layout, Language::Chinese, Language::Chinese, None).unwrap();
        rows.iter().for_each(|row| failed.push_refused(row, "原因").unwrap());
        let mut file = Cursor::new(Vec::new());
        failed.finish(&mut file).unwrap();
        prop_assert_eq!(rows_of(&file.into_inner()), rows);
    }
}
