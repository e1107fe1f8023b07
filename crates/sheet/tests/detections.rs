//! Everything a spreadsheet program does to values, and every rule of a column, is told by its name.
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
    CUSTOMER, ENGINE, GTIN, HASH, LOT, MADE, MASS, MODEL, NAME, Outcome, SHEET, STATE, at, begin, codes, layout,
    read_workbook, refused, with_text, workbook,
};
use rust_xlsxwriter::{Format, Formula, Workbook, Worksheet};
use waymark_sheet::{Cell, Code, Language, Options, read_xlsx};

/// A workbook of one row, with one more cell.
fn with_cell(write: impl FnOnce(&mut Worksheet)) -> Outcome {
    read_workbook(&workbook(|sheet| {
        begin(sheet, 1);
        write(sheet);
    }))
}

/// That a text or number in a column is refused by this name.
fn assert_refused(index: u32, write: impl FnOnce(&mut Worksheet), code: &str) {
    let outcome = with_cell(write);
    assert_eq!(outcome.problems(), [(2, vec![(code, Some(index))])]);
    assert!(outcome.rows.is_empty() && outcome.failure.is_none());
}

/// That it is taken, as this text.
fn assert_taken(index: u32, write: impl FnOnce(&mut Worksheet), text: &str) {
    let outcome = with_cell(write);
    assert_eq!(outcome.problems(), [], "{index} {text}");
    let values = &outcome.rows[0].values;
    assert_eq!(values.iter().find(|(known, _)| *known == index).unwrap().1, text);
}

fn text(index: u32, text: &str) -> impl FnOnce(&mut Worksheet) {
    move |sheet| {
        sheet.write_string(1, at(index), text).unwrap();
    }
}

fn number(index: u32, number: f64) -> impl FnOnce(&mut Worksheet) {
    move |sheet| {
        sheet.write_number(1, at(index), number).unwrap();
    }
}

fn formatted(index: u32, number: f64, format: &'static str) -> impl FnOnce(&mut Worksheet) {
    move |sheet| {
        let format = Format::new().set_num_format(format);
        sheet.write_number_with_format(1, at(index), number, &format).unwrap();
    }
}

#[test]
fn zeros_lost_by_the_length_of_the_column_are_told() {
    assert_refused(GTIN, number(GTIN, 123_456_789_012.0), "LEADING_ZEROS");
    assert_refused(GTIN, text(GTIN, "123456789012"), "LEADING_ZEROS");
    assert_refused(LOT, number(LOT, 123.0), "LEADING_ZEROS");
    assert_taken(GTIN, number(GTIN, 6_901_234_567_892.0), "6901234567892");
    assert_taken(GTIN, text(GTIN, "0123456789012"), "0123456789012");
    assert_taken(LOT, text(LOT, "000123"), "000123");
}

#[test]
fn zeros_lost_by_what_the_neighbours_show_are_told() {
    let column = at(CUSTOMER);
    let outcome = read_workbook(&workbook(|sheet| {
        (1..=4).for_each(|row| begin(sheet, row));
        // The first is judged by those below it.
        sheet.write_number(1, column, 88_120.0).unwrap();
        sheet.write_string(2, column, "088121").unwrap();
        sheet.write_number(3, column, 288_122.0).unwrap();
        sheet.write_string(4, column, "088123").unwrap();
    }));
    assert_eq!(outcome.problems(), [(2, vec![("LEADING_ZEROS", Some(CUSTOMER))])]);
    assert_eq!(outcome.rows.len(), 3);
}

#[test]
fn numbers_without_neighbours_of_one_length_are_what_they_are() {
    let column = at(CUSTOMER);
    let outcome = read_workbook(&workbook(|sheet| {
        (1..=3).for_each(|row| begin(sheet, row));
        sheet.write_number(1, column, 88_120.0).unwrap();
        sheet.write_string(2, column, "A1").unwrap();
        sheet.write_string(3, column, "088123").unwrap();
    }));
    assert_eq!(outcome.problems(), []);
    assert_eq!(outcome.rows[0].values.last().unwrap(), &(CUSTOMER, "88120".to_owned()));
}

#[test]
fn zeros_a_format_shows_are_part_of_the_code() {
    assert_taken(CUSTOMER, formatted(CUSTOMER, 88_120.0, "000000"), "088120");
    assert_taken(GTIN, formatted(GTIN, 123_456_789_012.0, "0000000000000"), "0123456789012");
    assert_taken(LOT, formatted(LOT, 7.0, "000000"), "000007");
}

#[test]
fn powers_of_ten_are_told() {
    for index in [GTIN, CUSTOMER, LOT] {
        assert_refused(index, text(index, "6.9E+12"), "SCIENTIFIC");
    }
    // What is left when such a text was opened and saved again.
    assert_refused(GTIN, number(GTIN, 6.9e12), "SCIENTIFIC");
    assert_refused(CUSTOMER, number(CUSTOMER, 6.901_23e14), "SCIENTIFIC");
    assert_refused(MASS, text(MASS, "1.5E+03"), "SCIENTIFIC");
    assert_taken(MODEL, text(MODEL, "1E5"), "1E5");
}

#[test]
fn digits_beyond_fifteen_are_told() {
    assert_refused(CUSTOMER, number(CUSTOMER, 6_901_234_567_892_123.0), "DIGITS_LOST");
    assert_refused(MASS, number(MASS, 1.5e15), "DIGITS_LOST");
    assert_taken(CUSTOMER, text(CUSTOMER, "69012345678921230001"), "69012345678921230001");
}

#[test]
fn fractions_in_columns_of_text_are_told() {
    assert_refused(MODEL, number(MODEL, 1.1), "NUMBER_IN_TEXT");
    assert_taken(MODEL, text(MODEL, "1.10"), "1.10");
}

#[test]
fn days_are_taken_as_dates_and_texts_and_their_bare_numbers_told() {
    assert_taken(MADE, formatted(MADE, 46_091.0, "yyyy-mm-dd"), "2026-03-10");
    assert_taken(MADE, formatted(MADE, 46_091.0, "yyyy\"年\"m\"月\"d\"日\""), "2026-03-10");
    assert_taken(MADE, text(MADE, "2026年3月10日"), "2026-03-10");
    assert_taken(MADE, number(MADE, 20_260_310.0), "2026-03-10");
    assert_refused(MADE, number(MADE, 46_091.0), "DATE_SERIAL");
    assert_refused(MADE, text(MADE, "46091"), "DATE_SERIAL");
    assert_refused(MADE, text(MADE, "2026-02-30"), "BAD_DATE");
    assert_refused(MADE, formatted(MADE, 46_091.5, "yyyy-mm-dd hh:mm"), "BAD_DATE");
    let outcome = with_cell(number(MADE, 46_091.0));
    assert_eq!(
        outcome.bad[0].problems[0].text(Language::English),
        "row 2, column G 出厂日期: 46091 is the number of a day, perhaps 2026-03-10, not a date; format the column as a date, or write the \
         date as 2026-03-10"
    );
}

#[test]
fn days_counted_from_1904_are_the_same_days() {
    let file = workbook(|sheet| {
        begin(sheet, 1);
        formatted(MADE, 46_091.0 - 1462.0, "yyyy-mm-dd")(sheet);
    });
    let file = with_text(&file, "xl/workbook.xml", "<workbookPr ", "<workbookPr date1904=\"1\" ");
    assert_eq!(read_workbook(&file).rows[0].values.last().unwrap(), &(MADE, "2026-03-10".to_owned()));
}

#[test]
fn dates_where_none_is_wanted_are_told() {
    for index in [MODEL, GTIN, MASS, STATE] {
        assert_refused(index, formatted(index, 46_091.0, "m/d/yyyy"), "DATE_NOT_WANTED");
    }
}

#[test]
fn rules_of_columns_are_held() {
    assert_refused(STATE, text(STATE, "出售"), "NOT_IN_LIST");
    assert_taken(STATE, text(STATE, " 停用 "), "停用");
    assert_refused(MODEL, text(MODEL, "X"), "TOO_SHORT");
    assert_refused(MODEL, text(MODEL, &"X".repeat(21)), "TOO_LONG");
    assert_taken(MODEL, text(MODEL, &"编".repeat(20)), &"编".repeat(20));
    assert_refused(MASS, text(MASS, "21.5t"), "NOT_A_NUMBER");
    assert_refused(MASS, text(MASS, "1,000"), "NOT_A_NUMBER");
    assert_refused(MASS, number(MASS, 21.505), "TOO_MANY_DECIMALS");
    assert_taken(MASS, number(MASS, 0.1 + 0.2), "0.3");
    assert_taken(MASS, text(MASS, "-21.50"), "-21.50");
    assert_refused(ENGINE, text(ENGINE, "WP4.770000"), "NOT_A_REFERENCE");
    assert_taken(ENGINE, text(ENGINE, " 88.990.10002/ENG.WP4.770000"), "88.990.10002/ENG.WP4.770000");
    assert_refused(HASH, text(HASH, &"g".repeat(64)), "NOT_A_HASH");
    assert_refused(HASH, text(HASH, &"a".repeat(63)), "NOT_A_HASH");
    assert_taken(HASH, text(HASH, &"0F".repeat(32)), &"0F".repeat(32));
    // The node takes the digits alone.
    assert_refused(HASH, text(HASH, &format!("sm3:{}", "0F".repeat(32))), "NOT_A_HASH");
}

#[test]
fn moments_need_an_offset_and_days_do_not() {
    const WHEN: u32 = 2020;
    let column = waymark_sheet::Column {
        index: WHEN,
        name_zh: "检验时间".to_owned(),
        kind: "checkedAt".to_owned(),
        data: waymark_sheet::DataKind::Moment,
        required: true,
        min_chars: 0,
        max_chars: 35,
        unit: None,
        is_public: true,
    };
    let layout = waymark_sheet::Layout::new("T", "1", "标识", vec![column]).unwrap();
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    let day = Format::new().set_num_format("yyyy-mm-dd hh:mm");
    sheet.write_string(0, 0, "标识").unwrap().write_string(0, 1, "检验时间").unwrap();
    let texts = ["2026-05-02T03:14:00+08:00", "2026-03-10", "2026年3月10日", "2026-05-02T03:14:00", "soon", "46091"];
    for (row, text) in (1..).zip(texts) {
        sheet.write_string(row, 0, format!("88.1/{row}")).unwrap().write_string(row, 1, text).unwrap();
    }
    for (row, serial) in [(7, 46_091.0), (8, 46_091.25)] {
        sheet.write_string(row, 0, format!("88.1/{row}")).unwrap();
        sheet.write_number_with_format(row, 1, serial, &day).unwrap();
    }
    let file = workbook.save_to_buffer().unwrap();
    let outcome = Outcome::of(read_xlsx(Cursor::new(&file), &layout, &Options::default()).unwrap());
    let taken: Vec<_> = outcome.rows.iter().map(|row| (row.number, row.values[0].1.as_str())).collect();
    assert_eq!(taken, [(2, "2026-05-02T03:14:00+08:00"), (3, "2026-03-10"), (4, "2026-03-10"), (8, "2026-03-10")]);
    let when = |name| vec![(name, Some(WHEN))];
    let (moment, serial) = ("BAD_MOMENT", "DATE_SERIAL");
    assert_eq!(outcome.problems(), [(5, when(moment)), (6, when(moment)), (7, when(serial)), (9, when(moment))]);
}

#[test]
fn missing_values_and_identifiers_are_told() {
    let outcome = read_workbook(&workbook(|sheet| {
        begin(sheet, 1);
        sheet.write_string(1, at(MODEL), "  ").unwrap();
        sheet.write_string(2, at(NAME), "塔吊").unwrap();
    }));
    let required = "REQUIRED";
    assert_eq!(
        outcome.problems(),
        [(2, vec![(required, Some(MODEL))]), (3, vec![(required, None), (required, Some(MODEL))])]
    );
}

#[test]
fn formulas_and_errors_are_told() {
    assert_refused(
        MODEL,
        |sheet| {
            sheet.write_formula(1, at(MODEL), Formula::new("=B2&\"X\"").set_result("XE215X")).unwrap();
        },
        "FORMULA",
    );
    let error = workbook(|sheet| {
        begin(sheet, 1);
        sheet.write_formula(1, at(MODEL), Formula::new("=NA()").set_result("#N/A")).unwrap();
    });
    let error = with_text(&error, SHEET, "<f>NA()</f>", "");
    assert_eq!(read_workbook(&error).problems(), [(2, vec![("CELL_ERROR", Some(MODEL))])]);
}

#[test]
fn merged_cells_and_hidden_rows_are_told() {
    let outcome = read_workbook(&workbook(|sheet| {
        (1..=5).for_each(|row| begin(sheet, row));
        sheet.merge_range(2, at(CUSTOMER), 3, at(CUSTOMER), "C088120", &Format::new()).unwrap();
        sheet.set_row_hidden(5).unwrap();
    }));
    assert_eq!(
        outcome.problems(),
        [(3, vec![("MERGED_CELLS", None)]), (4, vec![("MERGED_CELLS", None)]), (6, vec![("HIDDEN_ROW", None)]),]
    );
    assert_eq!(outcome.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 5]);
}

#[test]
fn identifiers_that_stand_twice_are_told_with_the_row() {
    let file = workbook(|sheet| {
        (1..=3).for_each(|row| begin(sheet, row));
        sheet.write_string(2, 0, " 88.990.10001/xe.0001").unwrap();
    });
    let outcome = read_workbook(&file);
    assert_eq!(outcome.problems(), [(3, vec![("DUPLICATE_HANDLE", None)])]);
    assert_eq!(
        outcome.bad[0].problems[0].text(Language::Chinese),
        "第 3 行，A 列 标识：88.990.10001/xe.0001 已在第 2 行出现；请删除其中一行，或更正标识"
    );
    // Where names do not fold they are two.
    let options = Options { case_sensitive: true, ..Options::default() };
    let layout = layout();
    assert_eq!(Outcome::of(read_xlsx(Cursor::new(&file), &layout, &options).unwrap()).rows.len(), 3);
}

#[test]
fn an_example_is_left_out_wherever_it_is_and_one_that_was_changed_is_told() {
    let outcome = read_workbook(&workbook(|sheet| {
        (1..=4).for_each(|row| begin(sheet, row));
        sheet.write_string(1, 0, "#示例 88.990.10001/XE.0001").unwrap();
        sheet.write_string(3, 0, "#示例 88.1000.1/ABC.001").unwrap();
        // It says nothing about what codes look like.
        sheet.write_string(3, at(CUSTOMER), "ABC001").unwrap();
        sheet.write_string(1, at(CUSTOMER), "088121").unwrap();
        sheet.write_string(2, at(CUSTOMER), "088122").unwrap();
        sheet.write_number(4, at(CUSTOMER), 88_123.0).unwrap();
    }));
    assert_eq!(outcome.problems(), [(2, vec![("EXAMPLE_MARK", None)]), (5, vec![("LEADING_ZEROS", Some(CUSTOMER))])]);
    assert_eq!((outcome.rows.len(), outcome.remarks.len()), (1, 0));
}

#[test]
fn cells_beside_the_columns_and_empty_rows_are_told() {
    let outcome = read_workbook(&workbook(|sheet| {
        begin(sheet, 1);
        begin(sheet, 4);
        begin(sheet, 5);
        sheet.write_string(4, 20, "stray").unwrap();
        sheet.write_string(4, 27, "stray").unwrap();
        // Formats alone are no content.
        sheet.write_blank(9, 0, &Format::new().set_bold()).unwrap();
    }));
    assert_eq!(outcome.remarks, ["row 3: rows 3 to 4 are empty; nothing needs to be done if nothing is missing"]);
    assert_eq!(
        outcome.bad[0].problems[0].text(Language::English),
        "row 5, column U: 2 cells of the row are in columns without a heading, the first is U; give the column a heading, or empty the cells"
    );
    assert_eq!((outcome.rows.len(), outcome.bad.len()), (2, 1));
}

#[test]
fn a_bad_row_says_everything_and_keeps_its_cells() {
    let outcome = with_cell(|sheet| {
        text(GTIN, "123")(sheet);
        number(CUSTOMER, 7.5)(sheet);
        formatted(MADE, 46_091.25, "yyyy-mm-dd")(sheet);
    });
    let bad = &outcome.bad[0];
    assert_eq!(
        bad.problems.iter().map(waymark_sheet::Problem::code).collect::<Vec<_>>(),
        [Code::LeadingZeros, Code::BadDate, Code::NumberInText]
    );
    assert_eq!(bad.cells.handle, Some(Cell::Text("88.990.10001/XE.0001".to_owned())));
    assert_eq!(
        bad.cells.values[2..],
        [
            (GTIN, Cell::Text("123".to_owned())),
            (MADE, Cell::Date(46_091.25)),
            (CUSTOMER, Cell::Number { value: 7.5, padded: None }),
        ]
    );
}

/// A workbook with these headings and nothing else.
fn headed(titles: &[&str]) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (position, title) in (0..).zip(titles) {
        sheet.write_string(0, position, *title).unwrap();
    }
    workbook.save_to_buffer().unwrap()
}

#[test]
fn headings_that_are_not_those_of_the_template_are_told_together() {
    let failure = refused(&headed(&["标识", "产品名称", "颜色", "产品名称", "productName"]), &Options::default());
    assert_eq!(
        codes(&failure),
        [Code::UnknownColumn, Code::DuplicateHeading, Code::DuplicateHeading, Code::MissingColumn]
    );
    assert_eq!(
        failure.text(Language::English).lines().collect::<Vec<_>>(),
        [
            "row 1, column C 颜色: the template has no column of this name; correct the heading, delete the column, or put # before its name \
             to keep it unread",
            "row 1, column D 产品名称: the column stands twice; the first is column B; delete one of the two",
            "row 1, column E productName: the column stands twice; the first is column B; delete one of the two",
            "column 型号: a column that the template requires is missing; add the column, with this heading",
        ]
    );
    assert_eq!(codes(&refused(&headed(&["产品名称", "型号"]), &Options::default())), [Code::MissingColumn]);
    assert_eq!(codes(&refused(&headed(&[]), &Options::default())), [Code::NoHeading]);
}

#[test]
fn headings_may_be_in_any_order_and_language_with_remarks_between() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    let rows = [["#note", "model", " 标识 ", "productName"], ["anything", "XE215X", "88.990.10001/1", "挖掘机"]];
    for (row, cells) in (3..).zip(rows) {
        for (position, cell) in (0..).zip(cells) {
            sheet.write_string(row, position, cell).unwrap();
        }
    }
    let file = workbook.save_to_buffer().unwrap();
    let layout = layout();
    let rows = read_xlsx(Cursor::new(&file), &layout, &Options::default()).unwrap();
    assert_eq!(rows.about().heading_row, 4);
    assert_eq!(rows.about().absent.len(), 8);
    let outcome = Outcome::of(rows);
    assert_eq!(outcome.rows[0].handle, "88.990.10001/1");
    assert_eq!(outcome.rows[0].values, [(NAME, "挖掘机".to_owned()), (MODEL, "XE215X".to_owned())]);
}

#[test]
fn merged_headings_are_refused() {
    let file = workbook(|sheet| {
        sheet.merge_range(0, 12, 0, 13, "#note", &Format::new()).unwrap();
    });
    assert_eq!(codes(&refused(&file, &Options::default())), [Code::MergedHeading]);
}

#[test]
fn only_the_first_visible_sheet_is_read_and_the_others_are_named() {
    let mut workbook = Workbook::new();
    workbook.add_worksheet().set_name("secret").unwrap().set_hidden(true);
    let sheet = workbook.add_worksheet();
    sheet.set_name("资产").unwrap().set_active(true);
    common::headings(sheet, &layout());
    begin(sheet, 1);
    workbook.add_worksheet().set_name("more").unwrap();
    let file = workbook.save_to_buffer().unwrap();
    let layout = layout();
    let rows = read_xlsx(Cursor::new(&file), &layout, &Options::default()).unwrap();
    assert_eq!(rows.about().sheet.as_deref(), Some("资产"));
    assert_eq!(rows.about().other_sheets, ["more"]);
    assert_eq!(Outcome::of(rows).rows.len(), 1);
}
