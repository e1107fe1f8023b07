//! Memory and speed by the number of rows: `cargo run --release -p waymark-sheet --example memory -- [ROWS]...` (100000 and 1000000 by default).
//!
//! For each form a file of so many rows is made and read by a process of its own, so that its peak (`VmHWM`) is that of reading alone; then the same
//! with every row given back in the workbook of failed rows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measurement: it may stop at the first surprise, and reads the clock"
)]

use std::{
    env, fs,
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    process::Command,
    time::Instant,
};

use rust_xlsxwriter::Workbook;
use waymark_sheet::{Column, DataKind, FailedRows, Item, Language, Layout, Options, read};

const TITLES: [&str; 4] = ["标识", "产品名称", "型号", "商品条码"];

fn layout() -> Layout {
    let column = |index: u32, at: usize, kind: &str, chars: (u32, u32)| Column {
        index,
        name_zh: TITLES[at].to_owned(),
        kind: kind.to_owned(),
        data: DataKind::String,
        required: true,
        min_chars: chars.0,
        max_chars: chars.1,
        unit: None,
        is_public: true,
    };
    let columns = vec![
        column(2000, 1, "productName", (1, 60)),
        column(2001, 2, "model", (1, 20)),
        column(2002, 3, "gtin", (13, 13)),
    ];
    Layout::new("EXC", "1.2", TITLES[0], columns).unwrap()
}

fn texts(row: u32) -> [String; 4] {
    let model = "XE215X".to_owned();
    [format!("88.990.10001/XE215X.2026.{row:08}"), format!("履带式液压挖掘机 {row}"), model, format!("{row:013}")]
}

fn make(path: &Path, rows: u32) {
    if path.extension().is_some_and(|ending| ending == "csv") {
        let mut file = BufWriter::new(File::create(path).unwrap());
        writeln!(file, "{}", TITLES.join(",")).unwrap();
        for row in 1..=rows {
            writeln!(file, "{}", texts(row).join(",")).unwrap();
        }
        file.flush().unwrap();
        return;
    }
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet_with_constant_memory().unwrap();
    sheet.write_row(0, 0, TITLES).unwrap();
    for row in 1..=rows {
        sheet.write_row(row, 0, texts(row)).unwrap();
    }
    workbook.save(path).unwrap();
}

/// Reads a file; with a folder, gives every row back in a workbook there.
fn work(path: &Path, back: Option<&Path>) {
    let (layout, began) = (layout(), Instant::now());
    let language = Language::Chinese;
    let mut failed = back.map(|folder| FailedRows::new(&layout, language, language, Some(folder)).unwrap());
    let mut count = 0;
    for item in read(File::open(path).unwrap(), &layout, &Options::default()).unwrap() {
        let Item::Row(row) = item.unwrap() else { panic!("every row is good") };
        count += 1;
        if let Some(failed) = &mut failed {
            failed.push_refused(&row, "标识已存在但内容不同").unwrap();
        }
    }
    if let (Some(failed), Some(folder)) = (failed, back) {
        failed.finish(File::create(folder.join("failed.xlsx")).unwrap()).unwrap();
    }
    let seconds = began.elapsed().as_secs_f64();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim();
    println!("{count:>9} rows  {:>9.0} rows/s  peak {peak}", f64::from(count) / seconds);
}

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", path, rows] => make(Path::new(path), rows.parse().unwrap()),
        ["read", path] => work(Path::new(path), None),
        ["back", path, folder] => work(Path::new(path), Some(Path::new(folder))),
        _ => {
            let folder = env::temp_dir().join(format!("sheet-memory-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            let rows = if words.is_empty() { vec!["100000".to_owned(), "1000000".to_owned()] } else { words };
            let own = |words: &[&str]| {
                let status = Command::new(env::current_exe().unwrap()).args(words).status().unwrap();
                assert!(status.success());
            };
            for (form, verb) in [("csv", "read"), ("xlsx", "read"), ("csv", "back")] {
                println!("{form}, {verb}");
                for rows in &rows {
                    let path = folder.join(format!("{rows}.{form}"));
                    let path = path.to_str().unwrap();
                    own(&["make", path, rows]);
                    let more = [folder.to_str().unwrap()];
                    own(&[&[verb, path][..], if verb == "back" { &more } else { &[] }].concat());
                }
            }
            fs::remove_dir_all(&folder).unwrap();
        }
    }
}
