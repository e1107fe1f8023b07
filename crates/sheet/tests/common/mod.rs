//! What the tests of this crate build with.
#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{Cursor, Read};

use rust_xlsxwriter::{Workbook, Worksheet};
use waymark_sheet::{
    BadRow, Code, Column, DataKind, Item, Language, Layout, Options, ReadError, Row, Rows, read_csv, read_xlsx,
};

fn column(index: u32, name_zh: &str, kind: &str, data: DataKind, chars: (u32, u32)) -> Column {
    Column {
        index,
        name_zh: name_zh.to_owned(),
        kind: kind.to_owned(),
        data,
        required: false,
        min_chars: chars.0,
        max_chars: chars.1,
        unit: None,
        is_public: true,
    }
}

fn required(column: Column) -> Column {
    Column { required: true, ..column }
}

/// The columns of [`layout`], by their indices.
pub(crate) const NAME: u32 = 2000;
pub(crate) const MODEL: u32 = 2001;
pub(crate) const GTIN: u32 = 2002;
pub(crate) const MASS: u32 = 2003;
pub(crate) const ENGINE: u32 = 2004;
pub(crate) const MADE: u32 = 2005;
pub(crate) const STATE: u32 = 2006;
pub(crate) const HASH: u32 = 2007;
pub(crate) const CUSTOMER: u32 = 2008;
pub(crate) const LOT: u32 = 2009;

/// A template with columns of every kind.
pub(crate) fn layout() -> Layout {
    let states = ["在用", "停用", "报废"].map(str::to_owned).to_vec();
    let columns = vec![
        required(column(NAME, "产品名称", "productName", DataKind::String, (1, 60))),
        required(column(MODEL, "型号", "model", DataKind::String, (2, 20))),
        column(GTIN, "商品条码", "gtin", DataKind::String, (13, 13)),
        Column {
            unit: Some("t".to_owned()),
            ..column(MASS, "额定质量", "ratedMass", DataKind::Number { decimals: 2 }, (1, 10))
        },
        column(ENGINE, "发动机标识", "engineHandle", DataKind::Reference, (3, 255)),
        column(MADE, "出厂日期", "madeDate", DataKind::Date, (10, 10)),
        column(STATE, "状态", "state", DataKind::Enum(states), (1, 10)),
        column(HASH, "图纸摘要", "drawingHash", DataKind::FileHash, (32, 140)),
        Column { is_public: false, ..column(CUSTOMER, "客户编码", "ownerCode", DataKind::String, (1, 20)) },
        column(LOT, "批次号", "lot", DataKind::Number { decimals: 0 }, (6, 6)),
    ];
    Layout::new("EXC", "1.2", "标识", columns).unwrap()
}

/// Position of a column in sheets made by [`workbook`].
pub(crate) fn at(index: u32) -> u16 {
    u16::try_from(index - NAME + 1).unwrap()
}

/// A workbook with the Chinese headings of [`layout`] and whatever else is written. Rows are counted from 0.
pub(crate) fn workbook(write: impl FnOnce(&mut Worksheet)) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    headings(sheet, &layout());
    write(sheet);
    workbook.save_to_buffer().unwrap()
}

pub(crate) fn headings(sheet: &mut Worksheet, layout: &Layout) {
    sheet.write_string(0, 0, layout.handle_title(Language::Chinese)).unwrap();
    for column in layout.columns() {
        sheet.write_string(0, at(column.index), &column.name_zh).unwrap();
    }
}

/// Writes what every row needs: identifier, name and model.
pub(crate) fn begin(sheet: &mut Worksheet, row: u32) {
    sheet.write_string(row, 0, format!("88.990.10001/XE.{row:04}")).unwrap();
    sheet.write_string(row, at(NAME), "履带式液压挖掘机").unwrap();
    sheet.write_string(row, at(MODEL), "XE215X").unwrap();
}

/// Name of a problem, and index of its column.
pub(crate) type Named = (&'static str, Option<u32>);

/// What a file gives in the end.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) rows: Vec<Row>,
    pub(crate) bad: Vec<BadRow>,
    pub(crate) remarks: Vec<String>,
    pub(crate) failure: Option<ReadError>,
}

impl Outcome {
    /// All of a reading.
    pub(crate) fn of(rows: Rows<'_>) -> Self {
        let mut outcome = Self::default();
        for item in rows {
            assert!(outcome.failure.is_none(), "nothing comes after a failure");
            match item {
                Ok(Item::Row(row)) => outcome.rows.push(row),
                Ok(Item::Bad(row)) => outcome.bad.push(row),
                Ok(Item::Remark(problem)) => outcome.remarks.push(problem.text(Language::English)),
                Ok(other) => panic!("{other:?}"),
                Err(failure) => outcome.failure = Some(failure),
            }
        }
        outcome
    }

    /// Names of the problems of each row that has any, with the indices of their columns.
    pub(crate) fn problems(&self) -> Vec<(u32, Vec<Named>)> {
        let of = |row: &BadRow| {
            row.problems
                .iter()
                .map(|p| (p.code().explanation().name, p.place().and_then(|place| place.index)))
                .collect()
        };
        self.bad.iter().map(|row| (row.number, of(row))).collect()
    }
}

pub(crate) fn read_workbook(file: &[u8]) -> Outcome {
    Outcome::of(read_xlsx(Cursor::new(file), &layout(), &Options::default()).unwrap())
}

pub(crate) fn read_text(file: &[u8]) -> Outcome {
    Outcome::of(read_csv(Cursor::new(file), &layout(), &Options::default()).unwrap())
}

/// Codes of what is wrong with a whole file.
pub(crate) fn codes(failure: &ReadError) -> Vec<Code> {
    failure.problems().iter().map(waymark_sheet::Problem::code).collect()
}

/// What a workbook is refused for, wherever in reading it that is found out.
pub(crate) fn refused(file: &[u8], options: &Options) -> ReadError {
    let layout = layout();
    match read_xlsx(Cursor::new(file), &layout, options) {
        Err(failure) => failure,
        Ok(rows) => Outcome::of(rows).failure.expect("the file is refused"),
    }
}

/// The parts of a container, by name.
pub(crate) fn parts(file: &[u8]) -> Vec<(String, Vec<u8>)> {
    let archive = rawzip::ZipArchive::from_slice(file).unwrap();
    let mut entries = archive.entries();
    let mut parts = Vec::new();
    while let Some(entry) = entries.next_entry().unwrap() {
        let name = String::from_utf8(entry.file_path().as_bytes().to_vec()).unwrap();
        let data = archive.get_entry(entry.wayfinder()).unwrap().data();
        let mut content = Vec::new();
        if entry.compression_method() == rawzip::CompressionMethod::STORE {
            content.extend_from_slice(data);
        } else {
            flate2::read::DeflateDecoder::new(data).read_to_end(&mut content).unwrap();
        }
        parts.push((name, content));
    }
    parts
}

/// A container of parts.
pub(crate) fn container(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut file);
    for (name, content) in parts {
        let deflate = rawzip::CompressionMethod::DEFLATE;
        let (mut entry, config) = archive.new_file(name.as_str()).compression_method(deflate).start().unwrap();
        let encoder = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::best());
        let mut writer = config.wrap(encoder);
        std::io::copy(&mut content.as_slice(), &mut writer).unwrap();
        let (encoder, descriptor) = writer.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    file
}

/// The same file with other content of one part.
pub(crate) fn with_part(file: &[u8], name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let mut parts = parts(file);
    let (_, content) = parts.iter_mut().find(|(known, _)| known == name).unwrap();
    *content = change(std::mem::take(content));
    container(&parts)
}

/// The same file with a text of one part replaced, which has to be there.
pub(crate) fn with_text(file: &[u8], name: &str, from: &str, to: &str) -> Vec<u8> {
    with_part(file, name, |content| {
        let text = String::from_utf8(content).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        text.replacen(from, to, 1).into_bytes()
    })
}

/// Text of one part.
pub(crate) fn part(file: &[u8], name: &str) -> String {
    let (_, content) = parts(file).into_iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name}"));
    String::from_utf8(content).unwrap()
}

pub(crate) const SHEET: &str = "xl/worksheets/sheet1.xml";
