//! How fast files are read on this machine: `cargo run --release -p waymark-sheet --example reading -- [ROWS] [ROUNDS]`.
//!
//! Each file is read by this library and, for comparison, by the bare reader of its form (calamine, csv), which checks nothing and finds no
//! identifier that stands twice. Both take turns. Figures are rows a second of one thread's processor time, lowest, middle and highest of the
//! rounds; ratios are those of one round.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measurement: it may stop at the first surprise, and reads the clock"
)]

use std::{fmt::Write as _, hint::black_box, io::Cursor, time::Instant};

use calamine::Reader as _;
use rust_xlsxwriter::{Format, Workbook};
use waymark_sheet::{Column, DataKind, Item, Language, Layout, Options, read};

fn layout() -> Layout {
    let column = |index: u32, name_zh: &str, kind: &str, data: DataKind, max_chars: u32| Column {
        index,
        name_zh: name_zh.to_owned(),
        kind: kind.to_owned(),
        data,
        required: true,
        min_chars: 1,
        max_chars,
        unit: None,
        is_public: true,
    };
    let states = ["在用", "停用"].map(str::to_owned).to_vec();
    let columns = vec![
        column(2000, "产品名称", "productName", DataKind::String, 60),
        column(2001, "型号", "model", DataKind::String, 20),
        column(2002, "整机编号", "serialNo", DataKind::String, 20),
        column(2003, "额定质量", "ratedMass", DataKind::Number { decimals: 2 }, 10),
        column(2004, "发动机标识", "engineHandle", DataKind::Reference, 255),
        column(2005, "出厂日期", "madeDate", DataKind::Date, 10),
        column(2006, "状态", "state", DataKind::Enum(states), 10),
    ];
    Layout::new("EXC", "1.2", "标识", columns).unwrap()
}

/// Texts of a row: all but number and date.
fn texts(row: u32) -> [String; 6] {
    [
        format!("88.990.10001/XE215X.2026.{row:08}"),
        "履带式液压挖掘机".to_owned(),
        "XE215X".to_owned(),
        format!("{row:012}"),
        format!("88.990.10002/ENG.WP4.{row:08}"),
        "在用".to_owned(),
    ]
}

fn workbook(rows: u32, with_shared_texts: bool) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = match with_shared_texts {
        true => workbook.add_worksheet_with_low_memory().unwrap(),
        false => workbook.add_worksheet_with_constant_memory().unwrap(),
    };
    let layout = layout();
    sheet.write_string(0, 0, layout.handle_title(Language::Chinese)).unwrap();
    for (position, column) in (1..).zip(layout.columns()) {
        sheet.write_string(0, position, &column.name_zh).unwrap();
    }
    let date = Format::new().set_num_format("yyyy-mm-dd");
    for row in 1..=rows {
        let [handle, name, model, serial, engine, state] = texts(row);
        for (position, text) in [(0, handle), (1, name), (2, model), (3, serial), (5, engine), (7, state)] {
            sheet.write_string(row, position, text).unwrap();
        }
        sheet.write_number(row, 4, 21.5).unwrap();
        sheet.write_number_with_format(row, 6, 46_091.0, &date).unwrap();
    }
    workbook.save_to_buffer().unwrap()
}

fn csv_text(rows: u32) -> String {
    let mut text = String::from("标识,产品名称,型号,整机编号,额定质量,发动机标识,出厂日期,状态\n");
    for row in 1..=rows {
        let [handle, name, model, serial, engine, state] = texts(row);
        writeln!(text, "{handle},{name},{model},{serial},21.5,{engine},2026-03-10,{state}").unwrap();
    }
    text
}

fn read_ours(file: &[u8]) -> u32 {
    let layout = layout();
    let mut count = 0;
    for item in read(Cursor::new(file), &layout, &Options::default()).unwrap() {
        let Ok(Item::Row(row)) = item else { panic!("{item:?}") };
        black_box(row);
        count += 1;
    }
    count
}

fn read_calamine(file: &[u8]) -> u32 {
    let mut book: calamine::Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(file)).unwrap();
    let name = book.sheet_names()[0].clone();
    let mut cells = book.worksheet_cells_reader(&name).unwrap();
    let mut last = 0;
    while let Some(cell) = cells.next_cell().unwrap() {
        last = cell.get_position().0;
        black_box(cell);
    }
    last
}

fn read_bare_csv(file: &[u8]) -> u32 {
    let mut reader = csv::Reader::from_reader(file);
    let mut record = csv::StringRecord::new();
    let mut count = 0;
    while reader.read_record(&mut record).unwrap() {
        black_box(&record);
        count += 1;
    }
    count
}

/// Seconds this thread has run on a processor, where Linux says so: on a shared machine that is far steadier than the time that passed.
fn processor_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

fn rate(rows: u32, read: fn(&[u8]) -> u32, file: &[u8]) -> f64 {
    let (start, started) = (Instant::now(), processor_seconds());
    assert_eq!(read(file), rows);
    let seconds = match (started, processor_seconds()) {
        (Some(started), Some(ended)) => ended - started,
        _ => start.elapsed().as_secs_f64(),
    };
    f64::from(rows) / seconds
}

fn spread(mut figures: Vec<f64>, decimals: usize) -> String {
    figures.sort_by(f64::total_cmp);
    let at = |index: usize| format!("{:.decimals$}", figures[index]);
    format!("{} / {} / {}", at(0), at(figures.len() / 2), at(figures.len() - 1))
}

fn compare(what: &str, rows: u32, rounds: usize, file: &[u8], bare: fn(&[u8]) -> u32) {
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (our, their) = (rate(rows, read_ours, file), rate(rows, bare, file));
        ours.push(our);
        theirs.push(their);
        ratios.push(our / their);
    }
    let mib = file.len() as f64 / f64::from(1 << 20);
    println!("{what}, {rows} rows, {mib:.1} MiB");
    println!("  this library  {} rows/s", spread(ours, 0));
    println!("  bare reader   {} rows/s", spread(theirs, 0));
    println!("  ratio         {}", spread(ratios, 2));
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u32>().expect("a number"));
    let rows = arguments.next().unwrap_or(200_000);
    let rounds = usize::try_from(arguments.next().unwrap_or(5)).unwrap().max(1);
    compare("workbook, texts in cells, calamine", rows, rounds, &workbook(rows, false), read_calamine);
    compare("workbook, shared texts, calamine", rows, rounds, &workbook(rows, true), read_calamine);
    let text = csv_text(rows);
    compare("CSV in UTF-8, csv", rows, rounds, text.as_bytes(), read_bare_csv);
}
