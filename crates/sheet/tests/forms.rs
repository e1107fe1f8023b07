//! Workbooks that are written are read again: the empty one by people, the one of failed rows after mending.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::io::Cursor;

use calamine::{Data, Reader as _, SheetVisible};
use common::{
    CUSTOMER, ENGINE, GTIN, HASH, LOT, MADE, MASS, MODEL, NAME, Outcome, SHEET, STATE, at, begin, codes, layout, part,
    read_workbook, workbook,
};
use rust_xlsxwriter::{Format, Formula};
use waymark_sheet::{
    Code, FailedRows, Language, Layout, Options, ReadError, Row, WriteError, read_xlsx, write_workbook,
};

fn written(layout: &Layout, language: Language) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    write_workbook(layout, language, &mut file).unwrap();
    file.into_inner()
}

fn failed_workbook(rows: FailedRows<'_>) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    rows.finish(&mut file).unwrap();
    file.into_inner()
}

#[test]
fn an_empty_workbook_reads_as_no_rows_in_either_language() {
    let layout = layout();
    for language in [Language::English, Language::Chinese] {
        let file = written(&layout, language);
        let rows = read_xlsx(Cursor::new(&file), &layout, &Options::default()).unwrap();
        let mark = rows.about().mark.clone().unwrap();
        assert_eq!((mark.template.as_str(), mark.version.as_str()), ("EXC", "1.2"));
        assert_eq!((rows.about().absent.len(), rows.about().other_sheets.len()), (0, 0));
        let outcome = Outcome::of(rows);
        assert!(outcome.rows.is_empty() && outcome.bad.is_empty() && outcome.failure.is_none(), "{outcome:?}");
    }
}

#[test]
fn people_see_headings_notes_lists_and_an_example() {
    let file = written(&layout(), Language::Chinese);
    // As another program sees it.
    let mut book: calamine::Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(&file)).unwrap();
    let sheets: Vec<_> = book.sheets_metadata().iter().map(|sheet| (sheet.name.clone(), sheet.visible)).collect();
    assert_eq!(sheets, [("数据".to_owned(), SheetVisible::Visible), ("waymark".to_owned(), SheetVisible::VeryHidden)]);
    let data = book.worksheet_range("数据").unwrap();
    let row = |row: u32| -> Vec<String> {
        (0..11).map(|at| data.get_value((row, at)).map(Data::to_string).unwrap()).collect()
    };
    assert_eq!(
        row(0),
        [
            "标识",
            "产品名称",
            "型号",
            "商品条码",
            "额定质量",
            "发动机标识",
            "出厂日期",
            "状态",
            "图纸摘要",
            "客户编码",
            "批次号"
        ]
    );
    let example = row(1);
    assert_eq!(example[0], "#示例 88.1000.1/ABC.001");
    assert_eq!(example[3], "ABC001ABC001A");
    assert_eq!(example[10], "123456");
    // The list of states is on the hidden sheet, behind template and version.
    let hidden = book.worksheet_range("waymark").unwrap();
    assert_eq!(hidden.get_value((0, 1)), Some(&Data::String("EXC".to_owned())));
    let list: Vec<_> = (0..3).map(|row| hidden.get_value((row, 9)).map(Data::to_string).unwrap()).collect();
    assert_eq!(list, ["在用", "停用", "报废"]);

    let sheet = part(&file, SHEET);
    assert!(sheet.contains(
        r#"<dataValidation type="list" allowBlank="1" showInputMessage="1" showErrorMessage="1" sqref="H2:H1048576">"#
    ));
    assert!(sheet.contains("<formula1>waymark!$J$1:$J$3</formula1>"), "{sheet}");
    assert!(
        sheet.contains(r#"<pane xSplit="1" ySplit="1" topLeftCell="B2" activePane="bottomRight" state="frozen"/>"#)
    );
    let notes = part(&file, "xl/comments1.xml");
    for words in [
        "额定质量：ratedMass（索引 2003）",
        "数字，最多 2 位小数",
        "单位：t",
        "必填",
        "选填",
        "长度：13 个字符",
        "长度：2 至 20 个字符",
        "不公开",
        "示例：2026-03-10",
        "从选项中选择",
    ] {
        assert!(notes.contains(words), "{words}");
    }
    let notes = part(&written(&layout(), Language::English), "xl/comments1.xml");
    for words in [
        "ratedMass: 额定质量 (index 2003)",
        "at most 2 decimals",
        "Unit: t",
        "Required",
        "Length: 13 characters",
        "Not public",
    ] {
        assert!(notes.contains(words), "{words}");
    }
}

#[test]
fn columns_of_codes_are_formatted_as_text() {
    let file = written(&layout(), Language::Chinese);
    let styles = part(&file, "xl/styles.xml");
    let formats: Vec<&str> = styles
        .split("<cellXfs")
        .nth(1)
        .unwrap()
        .split("<xf ")
        .skip(1)
        .map(|xf| xf.split("numFmtId=\"").nth(1).unwrap().split('"').next().unwrap())
        .collect();
    let sheet = part(&file, SHEET);
    let format_of = |position: u16| {
        let column = sheet.split("<col ").skip(1).find(|col| {
            let number =
                |name: &str| -> u16 { col.split(name).nth(1).unwrap().split('"').next().unwrap().parse().unwrap() };
            (number("min=\"")..=number("max=\"")).contains(&(position + 1))
        });
        let style = column
            .unwrap()
            .split("style=\"")
            .nth(1)
            .map_or(0, |s| s.split('"').next().unwrap().parse::<usize>().unwrap());
        formats[style]
    };
    // 49 is the text format, 1 is 0, 164 the first of our own: yyyy-mm-dd.
    for index in [NAME, MODEL, GTIN, ENGINE, STATE, HASH, CUSTOMER, LOT] {
        assert_eq!(format_of(at(index)), "49", "{index}");
    }
    assert_eq!((format_of(0), format_of(at(MASS))), ("49", "0"));
    assert_eq!(format_of(at(MADE)), "164");
}

#[test]
fn a_workbook_of_another_template_or_version_is_refused() {
    let refusal = |template: &str, version: &str| {
        let other = Layout::new(template, version, "标识", layout().columns().to_vec()).unwrap();
        let file = written(&other, Language::Chinese);
        let layout = layout();
        let refused = read_xlsx(Cursor::new(&file), &layout, &Options::default()).map(|_| ());
        refused.unwrap_err()
    };
    let failure = refusal("CRANE", "1.2");
    assert_eq!(codes(&failure), [Code::WrongTemplate]);
    assert_eq!(
        failure.text(Language::English),
        "the sheet was made for template CRANE, not EXC; import it with its own template, or fill in the sheet of EXC"
    );
    let failure = refusal("EXC", "1.1");
    assert_eq!(codes(&failure), [Code::WrongVersion]);
    assert_eq!(
        failure.text(Language::Chinese),
        "该表是为模板版本 1.1 制作的，而不是 1.2；请将数据行复制到版本 1.2 的新表中"
    );
}

/// A workbook whose every row is bad in another way, and what it is bad for.
fn bad_file() -> (Vec<u8>, Vec<&'static str>) {
    let file = workbook(|sheet| {
        (1..=9).for_each(|row| begin(sheet, row));
        sheet.write_number(1, at(GTIN), 123_456_789_012.0).unwrap();
        sheet.write_number_with_format(2, at(MODEL), 46_091.0, &Format::new().set_num_format("m/d/yyyy")).unwrap();
        sheet.write_number(3, at(MADE), 46_091.0).unwrap();
        sheet.write_string(4, at(STATE), "出售").unwrap();
        sheet.write_string(5, at(MASS), "12 t").unwrap();
        sheet.write_number(6, at(CUSTOMER), 1.5).unwrap();
        sheet.write_boolean(7, at(MADE), true).unwrap();
        sheet.write_formula(8, at(MODEL), Formula::new("=NA()").set_result("#N/A")).unwrap();
        sheet.write_number(9, at(LOT), 6.9e12).unwrap();
    });
    let names = vec![
        "LEADING_ZEROS",
        "DATE_NOT_WANTED",
        "DATE_SERIAL",
        "NOT_IN_LIST",
        "NOT_A_NUMBER",
        "NUMBER_IN_TEXT",
        "BAD_DATE",
        "FORMULA",
        "SCIENTIFIC",
    ];
    (file, names)
}

fn names(outcome: &Outcome) -> Vec<&'static str> {
    outcome.problems().into_iter().flat_map(|(_, problems)| problems).map(|(name, _)| name).collect()
}

#[test]
fn failed_rows_fail_again_until_they_are_mended() {
    let (file, expected) = bad_file();
    let layout = layout();
    let outcome = read_workbook(&file);
    assert_eq!(names(&outcome), expected);
    for language in [Language::English, Language::Chinese] {
        let mut failed = FailedRows::new(&layout, language, language, None).unwrap();
        outcome.bad.iter().for_each(|row| failed.push(row).unwrap());
        assert_eq!(failed.count(), 9);
        let again = read_workbook(&failed_workbook(failed));
        assert_eq!(names(&again), expected, "{language:?}");
        assert!(again.rows.is_empty() && again.failure.is_none());
        let cells = |outcome: &Outcome| outcome.bad.iter().map(|row| row.cells.clone()).collect::<Vec<_>>();
        // An error comes back as an error, all else as it was.
        assert_eq!(cells(&again), cells(&outcome));
    }
}

#[test]
fn reasons_stand_before_the_rows_in_the_language_of_the_person() {
    let (file, _) = bad_file();
    let layout = layout();
    let mut failed =
        FailedRows::new(&layout, Language::Chinese, Language::Chinese, Some(&std::env::temp_dir())).unwrap();
    let outcome = read_workbook(&file);
    failed.push(&outcome.bad[0]).unwrap();
    let row = Row {
        number: 12,
        handle: "88.990.10001/1".to_owned(),
        values: vec![(NAME, "=1+1".to_owned()), (MODEL, "XE215X".to_owned()), (CUSTOMER, "007".to_owned())],
    };
    failed.push_refused(&row, "标识已存在，内容不同").unwrap();
    let file = failed_workbook(failed);
    let mut book: calamine::Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(&file)).unwrap();
    let data = book.worksheet_range("数据").unwrap();
    let text = |row: u32, at: u32| data.get_value((row, at)).map(Data::to_string).unwrap_or_default();
    assert_eq!([text(0, 0), text(0, 1), text(0, 2)], ["#原因", "#原行号", "标识"]);
    assert_eq!(
        text(1, 0),
        "D 列 商品条码：123456789012 少于此列的 13 位：开头的零可能已丢失；请将该列设为文本格式，连同开头的零重新输入"
    );
    assert_eq!([text(1, 1), text(2, 0), text(2, 1)], ["2", "标识已存在，内容不同", "12"]);
    // What looks like a formula is a text, and stays one. The refused row is whole, so it is read as it was.
    let again = read_workbook(&file);
    assert_eq!(again.rows, [Row { number: 3, ..row }]);
}

#[test]
fn failed_rows_keep_the_headings_of_their_file_whatever_the_reasons_are_in() {
    let layout = layout();
    for (headings, titles) in
        [(Language::Chinese, "标识,产品名称,型号,额定质量"), (Language::English, "Handle,productName,model,ratedMass")]
    {
        let text = format!("{titles}\n88.990.10001/1,机,X,21\n");
        let rows = waymark_sheet::read_csv(Cursor::new(text.as_bytes()), &layout, &Options::default()).unwrap();
        assert_eq!(rows.about().headings, headings);
        let outcome = Outcome::of(rows);
        let mut failed = FailedRows::new(&layout, headings, Language::English, None).unwrap();
        failed.push(&outcome.bad[0]).unwrap();
        let file = failed_workbook(failed);
        let mut book: calamine::Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(&file)).unwrap();
        let data = book.worksheet_range_at(0).unwrap().unwrap();
        let text = |row: u32, at: u32| data.get_value((row, at)).map(Data::to_string).unwrap_or_default();
        assert_eq!([text(0, 0), text(0, 2)], ["#Reason", titles.split(',').next().unwrap()]);
        assert!(text(1, 0).contains("at least 2 are needed"), "{}", text(1, 0));
    }
}

#[test]
fn cells_longer_than_a_workbook_holds_are_cut_and_it_is_said() {
    let layout = layout();
    let long = "编".repeat(40_000);
    let csv = format!("标识,产品名称,型号\n88.990.10001/1,{long},XE215X\n");
    let outcome = common::read_text(csv.as_bytes());
    let mut failed = FailedRows::new(&layout, Language::English, Language::English, None).unwrap();
    failed.push(&outcome.bad[0]).unwrap();
    let again = read_workbook(&failed_workbook(failed));
    assert_eq!(names(&again), ["TOO_LONG"]);
    let waymark_sheet::Cell::Text(text) = &again.bad[0].cells.values[0].1 else { panic!("{again:?}") };
    assert_eq!(text.chars().count(), 32_767);
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let missing = std::path::Path::new("/nonexistent/folder");
    let refused = FailedRows::new(&layout(), Language::English, Language::English, Some(missing)).unwrap_err();
    assert!(matches!(refused, WriteError::Io(_)), "{refused:?}");
    assert!(refused.text(Language::Chinese).starts_with("无法写出工作簿："));
}

#[test]
fn a_reader_that_fails_is_no_damaged_file() {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::PermissionDenied.into())
        }
    }
    impl std::io::Seek for Failing {
        fn seek(&mut self, _: std::io::SeekFrom) -> std::io::Result<u64> {
            Ok(0)
        }
    }
    let layout = layout();
    for failure in [
        read_xlsx(Failing, &layout, &Options::default()).map(|_| ()).unwrap_err(),
        waymark_sheet::read_csv(Failing, &layout, &Options::default()).map(|_| ()).unwrap_err(),
    ] {
        let ReadError::Io(cause) = failure else { panic!("{failure:?}") };
        assert_eq!(cause.kind(), std::io::ErrorKind::PermissionDenied);
    }
}
