//! `waymark template xlsx` and `waymark import --template` against a running node: a workbook goes out, is filled in, and comes back; what spreadsheet
//! programs did to it is told, and comes back mended.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use calamine::{Data, Reader as _, Xlsx, open_workbook};
use nix::sys::signal::Signal;
use rust_xlsxwriter::{Format, Formula, Workbook, Worksheet};
use serde_json::{Value, json};
use waymark_tests::operated::Node;
use waymark_tests::process::{Ended, Process, run, tool};

/// A template with what spreadsheet programs spoil: codes of one length, codes of any, days.
const PART: &str = r#"{"code":"PART","version":"1.0","title":"零件","object_type":2,"industry":{"category":"C"},"columns":[
    {"index":2000,"name":"名称","type":"partName","data":"string","required":true,"min":1,"max":60},
    {"index":2001,"name":"商品条码","type":"gtin","data":"string","min":13,"max":13},
    {"index":2002,"name":"客户编码","type":"ownerCode","data":"string","max":20},
    {"index":2003,"name":"出厂日期","type":"madeDate","data":"date","max":10},
    {"index":2004,"name":"状态","type":"state","data":"enum","values":["在用","停用"],"max":10}]}"#;

const HEADINGS: [&str; 6] = ["标识", "名称", "商品条码", "客户编码", "出厂日期", "状态"];

fn starter(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/templates").join(name)
}

/// A node with a published template.
fn node_with(more: &str, file: &Path, handle: &str) -> Node {
    let node = Node::start(more);
    node.run(&["template", "put", file.to_str().unwrap(), "--prefix", "88.111.1"]).expect(0);
    node.run(&["template", "publish", handle]).expect(0);
    node
}

fn node_with_parts(more: &str) -> Node {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("part.json");
    std::fs::write(&file, PART).unwrap();
    node_with(more, &file, "88.111.1/META_PART-1.0")
}

/// Imports a spreadsheet of parts.
fn import(node: &Node, file: &Path, more: &[&str]) -> Ended {
    node.run(&[&["import", file.to_str().unwrap(), "--template", "88.111.1/PART"], more].concat())
}

/// The first visible sheet of a workbook, as another program sees it.
fn sheet(path: &Path) -> Vec<Vec<Data>> {
    let mut book: Xlsx<_> = open_workbook(path).unwrap();
    book.worksheet_range_at(0).unwrap().unwrap().rows().map(<[Data]>::to_vec).collect()
}

fn texts(row: &[Data]) -> Vec<String> {
    row.iter().map(Data::to_string).collect()
}

/// A workbook in the folder of the node.
fn workbook(node: &Node, name: &str, write: impl FnOnce(&mut Worksheet)) -> PathBuf {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write_row(0, 0, HEADINGS).unwrap();
    write(sheet);
    let path = node.bench.path(name);
    workbook.save(&path).unwrap();
    path
}

/// Handles under the prefix that are no templates.
fn listed(node: &Node) -> Vec<String> {
    let handles = node.run(&["list", "88.111.1/", "--json"]).expect(0).json();
    let handles = handles.iter().filter_map(|line| line["handle"].as_str());
    handles.filter(|handle| !handle.to_ascii_uppercase().contains("/META_")).map(str::to_ascii_uppercase).collect()
}

/// A value of an identifier, as it is resolved.
fn resolved(node: &Node, handle: &str, index: u64) -> Value {
    let answer = run(tool(["resolve", handle, "--server", &node.daemon.url("udp"), "--json"])).expect(0).json();
    let values = answer[0]["values"].as_array().unwrap();
    values.iter().find(|value| value["index"] == index).unwrap()["data"]["value"].clone()
}

#[test]
fn a_starter_template_goes_out_as_a_workbook_and_comes_back_filled_in() {
    let node = node_with("", &starter("exc-1.2.json"), "88.111.1/META_EXC-1.2");
    let form = node.bench.path("form.xlsx");
    let words = ["template", "xlsx", "88.111.1/EXC", "--output", form.to_str().unwrap()];
    node.run(&words).expect(0);
    let written = std::fs::read(&form).unwrap();
    node.run(&words).expect(2).says(&["error[file-exists]", "--force"]);
    assert_eq!(std::fs::read(&form).unwrap(), written, "nothing is overwritten");
    node.run(&[&words[..], &["--force"]].concat()).expect(0);
    let rows = sheet(&form);
    assert_eq!(texts(&rows[0])[..4], ["标识", "产品名称", "型号", "整机编号"]);
    assert!(rows.len() == 2 && rows[1][0].to_string().starts_with("#示例"), "{rows:?}");

    // The same without a server; and other names for the template.
    let offline = node.bench.path("offline.xlsx");
    let file = starter("exc-1.2.json");
    run(tool(["template", "xlsx", "--file", file.to_str().unwrap(), "--output", offline.to_str().unwrap()])).expect(0);
    assert_eq!(sheet(&offline), rows);
    for name in ["88.111.1/META_EXC-1.2", "88.111.1/exc@1.2"] {
        let json = node.json(&["template", "xlsx", name, "--output", form.to_str().unwrap(), "--force"], 0);
        assert_eq!((&json["template"], &json["columns"]), (&json!("EXC-1.2"), &json!(11)));
    }
    for name in ["88.111.1/EXC@1.3", "88.111.1/NOTHING"] {
        node.run(&["template", "xlsx", name, "--output", form.to_str().unwrap(), "--force"]).expect(3);
    }

    // What was written and not filled in holds nothing.
    let words = ["--template", "88.111.1/EXC", "--json"];
    let empty = node.run(&[&["import", form.to_str().unwrap()], &words[..]].concat()).expect(0).json();
    assert_eq!((&empty[0]["sheet"], &empty[0]["other_sheets"]), (&json!("数据"), &json!([])));
    assert_eq!((&empty[1]["answered"], &empty[1]["failed"]), (&json!(0), &Value::Null));

    let mut book = Workbook::new();
    let filled = book.add_worksheet();
    filled.write_row(0, 0, texts(&rows[0])).unwrap();
    let day = Format::new().set_num_format("yyyy-mm-dd");
    for row in 1..=3 {
        let number = format!("XE215X26{row}");
        filled.write_row(row, 0, [&format!("88.111.1/{number}"), "履带式液压挖掘机", "XE215X", &number]).unwrap();
        filled.write_number_with_format(row, 6, 46_090.0 + f64::from(row), &day).unwrap();
    }
    let path = node.bench.path("filled.xlsx");
    book.save(&path).unwrap();
    let words = [&["import", path.to_str().unwrap()], &words[..]].concat();
    let done = node.run(&words).expect(0).json().pop().unwrap();
    assert_eq!((&done["created"], &done["refused"], &done["lines"]), (&json!(3), &json!(0), &json!(4)));
    assert_eq!(resolved(&node, "88.111.1/XE215X262", 2005), "2026-03-11");
    assert_eq!(resolved(&node, "88.111.1/XE215X262", 1001), "EXC-1.2");
    assert!(!node.bench.path("filled.xlsx.failed.xlsx").exists());
    // Nothing is done twice.
    let again = node.run(&words).expect(0).json().pop().unwrap();
    assert_eq!((&again["repeated"], &again["last_item"]), (&json!(3), &json!(3)));

    // The data folder of the stopped node gives the same workbook.
    let Node { bench, daemon, .. } = node;
    daemon.stop().expect(0);
    std::fs::remove_file(&form).unwrap();
    bench.run(&["template", "xlsx", "88.111.1/EXC", "--output", form.to_str().unwrap()]).expect(0);
    assert_eq!(sheet(&form), rows);
}

/// A workbook with everything that goes wrong, one row each; the node refuses the last but one.
fn spoiled(node: &Node) -> PathBuf {
    let day = Format::new().set_num_format("yyyy-mm-dd");
    workbook(node, "parts.xlsx", |sheet| {
        for row in 1..=12 {
            if row != 10 {
                sheet.write_string(row, 0, format!("88.111.1/P{row}")).unwrap();
            }
            if row != 9 {
                sheet.write_string(row, 1, "零件").unwrap();
            }
        }
        sheet.write_number(2, 2, 123_456_789_012.0).unwrap();
        sheet.write_string(3, 2, "6.9E+12").unwrap();
        sheet.write_number(4, 4, 46_091.0).unwrap();
        sheet.write_number_with_format(5, 3, 46_091.0, &day).unwrap();
        sheet.merge_range(6, 3, 6, 4, "C-7", &Format::new()).unwrap();
        sheet.set_row_hidden(7).unwrap();
        sheet.write_formula(8, 3, Formula::new("=A9&\"X\"").set_result("C-8")).unwrap();
        sheet.write_string(11, 3, "=1+1").unwrap();
    })
}

#[test]
fn what_spreadsheet_programs_spoiled_is_told_and_comes_back_mended() {
    let node = node_with_parts("");
    node.run(&["register", "88.111.1/P11", "--value", "1 TEXT another"]).expect(0);
    let file = spoiled(&node);
    let checked = import(&node, &file, &["--dry-run", "--json"]).expect(8).json().pop().unwrap();
    assert_eq!((&checked["good"], &checked["refused"], &checked["lines"]), (&json!(3), &json!(9), &json!(13)));
    assert_eq!(sheet(&node.bench.path("parts.xlsx.checked.xlsx")).len(), 1 + 9, "the node was not asked");
    assert!(
        !node.bench.path("parts.xlsx.failed.xlsx").exists() && !node.bench.path("parts.xlsx.rejects.jsonl").exists()
    );
    assert_eq!(listed(&node), ["88.111.1/P11"], "nothing is sent");
    let said = import(&node, &file, &["--dry-run"]).expect(8).out;
    assert!(
        said.contains("3 rows are good, 9 are not") && said.contains("row 7: cells of the row are merged"),
        "{said}"
    );

    let told = import(&node, &file, &["--lang", "zh"]).expect(8);
    for said in [
        "第 3 行，C 列 商品条码：123456789012 少于此列的 13 位：开头的零可能已丢失；请将该列设为文本格式",
        "第 4 行，C 列 商品条码：6.9E+12",
        "第 5 行，E 列 出厂日期：",
        "第 6 行，D 列 客户编码：单元格被转成了日期 2026-03-10",
        "第 7 行：该行有合并单元格；请取消合并",
        "第 8 行：该行被隐藏；",
        "第 9 行，D 列 客户编码：单元格中是公式；",
        "第 10 行，B 列 名称：缺少必填值；",
        "第 11 行，A 列 标识：缺少必填值；",
        "第 12 行,88.111.1/P11,- [ALREADY_EXISTS_DIFFERENT]",
        "；请先读取",
        "parts.xlsx.failed.xlsx",
    ] {
        assert!(told.out.contains(said), "{said} is not said in {}", told.out);
    }
    assert_eq!(listed(&node), ["88.111.1/P1", "88.111.1/P11", "88.111.1/P12"]);

    // The workbook of failed rows has them all, each with its reasons, and texts stay texts.
    let failed = node.bench.path("parts.xlsx.failed.xlsx");
    let rows = sheet(&failed);
    assert_eq!(texts(&rows[0]), [&["#原因", "#原行号"], &HEADINGS[..]].concat());
    let numbers: Vec<_> = rows[1..].iter().map(|row| row[1].to_string()).collect();
    assert_eq!(numbers, ["3", "4", "5", "6", "7", "8", "9", "10", "11", "12"]);
    let refused = &rows[10];
    assert!(refused[0].to_string().contains("标识已存在"), "{refused:?}");
    assert_eq!(refused[5], Data::String("=1+1".to_owned()));
    let mut book: Xlsx<_> = open_workbook(&failed).unwrap();
    let formulas: Vec<String> = book.worksheet_formula("数据").unwrap().cells().map(|cell| cell.2.clone()).collect();
    assert!(formulas.iter().all(String::is_empty), "{formulas:?}");
    let list = node.bench.text("parts.xlsx.rejects.jsonl");
    let codes: Vec<Value> =
        list.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["code"].clone()).collect();
    assert_eq!(codes.len(), 10);
    for code in
        ["LEADING_ZEROS", "SCIENTIFIC", "DATE_SERIAL", "DATE_NOT_WANTED", "MERGED_CELLS", "HIDDEN_ROW", "FORMULA"]
    {
        assert!(codes.contains(&json!(code)), "{code} is not in {list}");
    }

    // Sent again as it is, what was not mended fails again; formulas, hidden rows and merged cells have become plain.
    let again = import(&node, &failed, &["--json"]).expect(8).json().pop().unwrap();
    assert_eq!((&again["created"], &again["refused"]), (&json!(3), &json!(7)), "{again}");

    // Mended: the reasons are ignored on the way in.
    let mended = node.bench.path("mended.xlsx");
    let mut book = Workbook::new();
    let out = book.add_worksheet();
    for (row, cells) in (0..).zip(&rows) {
        out.write_row(row, 0, texts(cells)).unwrap();
    }
    for (row, column, text) in [
        (1, 4, "0123456789012"),
        (2, 4, "6901234567892"),
        (3, 6, "2026-03-10"),
        (4, 5, "3-10"),
        (8, 3, "垫片"),
        (9, 2, "88.111.1/P10"),
        (10, 2, "88.111.1/P11A"),
    ] {
        out.write_string(row, column, text).unwrap();
    }
    book.save(&mended).unwrap();
    let done = import(&node, &mended, &["--json"]).expect(0).json().pop().unwrap();
    assert_eq!((&done["created"], &done["same"], &done["refused"]), (&json!(7), &json!(3), &json!(0)), "{done}");
    assert_eq!(resolved(&node, "88.111.1/P2", 2001), "0123456789012");
    assert_eq!(resolved(&node, "88.111.1/P11A", 2002), "=1+1");
    assert_eq!(resolved(&node, "88.111.1/P4", 2003), "2026-03-10");
}

#[test]
fn csv_is_read_in_the_encoding_it_has_and_that_is_said() {
    let node = node_with_parts("");
    let text = "标识;名称;状态\r\n88.111.1/G1;齿轮 㐀;在用\r\n88.111.1/G2;轴;报废\r\n";
    let (gb18030, _, _) = encoding_rs::GB18030.encode(text);
    let file = node.bench.put("old.csv", &gb18030);
    let said = import(&node, &file, &[]).expect(8).out;
    assert!(said.contains("GB18030") && said.contains("separated by ;"), "{said}");
    assert!(said.contains("row 3, column C 状态: 报废 is not one of: 在用 | 停用; choose one of the list"), "{said}");
    assert!(
        said.contains("Columns of the template that the file does not have: 商品条码, 客户编码, 出厂日期"),
        "{said}"
    );
    assert_eq!(resolved(&node, "88.111.1/G1", 2000), "齿轮 㐀");
    let rows = sheet(&node.bench.path("old.csv.failed.xlsx"));
    assert_eq!((rows.len(), rows[1][1].to_string().as_str(), rows[1][7].to_string().as_str()), (2, "3", "报废"));

    // What only the node finds is told by the heading too.
    let file = node.bench.put("control.csv", "标识,名称,客户编码\n88.111.1/G4,轴,C\u{7}1\n");
    import(&node, &file, &["--lang", "zh"]).expect(8);
    let rows = sheet(&node.bench.path("control.csv.failed.xlsx"));
    assert!(rows[1][0].to_string().contains("客户编码: 含有控制字符"), "{rows:?}");

    let file = node.bench.put("new.csv", "Handle,partName\n88.111.1/G3,gear\n");
    let opened = import(&node, &file, &["--json"]).expect(0).json();
    assert_eq!((&opened[0]["encoding"], &opened[0]["separator"]), (&json!("UTF-8"), &json!(",")));
    assert_eq!(listed(&node), ["88.111.1/G1", "88.111.1/G3"]);
}

#[test]
fn what_was_refused_once_is_decided_anew_from_the_start_and_old_reasons_are_forgotten() {
    let node = node_with_parts("");
    node.run(&["register", "88.111.1/D1", "--value", "1 TEXT another"]).expect(0);
    let file = node.bench.put("twice.csv", "标识,名称\n88.111.1/D1,x\n88.111.1/D2,y\n");
    let first = import(&node, &file, &["--json"]).expect(8).json().pop().unwrap();
    assert_eq!((&first["created"], &first["refused"]), (&json!(1), &json!(1)));
    assert_eq!(first["failed"], json!(node.bench.path("twice.csv.failed.xlsx").display().to_string()));
    node.run(&["delete", "88.111.1/D1"]).expect(0);
    let again = import(&node, &file, &["--json"]).expect(8).json().pop().unwrap();
    assert_eq!((&again["repeated"], &again["refused"]), (&json!(2), &json!(1)), "as it was decided");
    let anew = import(&node, &file, &["--json", "--from-start"]).expect(0).json().pop().unwrap();
    assert_eq!((&anew["created"], &anew["same"], &anew["failed"]), (&json!(1), &json!(1), &Value::Null));
    assert_eq!(resolved(&node, "88.111.1/D1", 2000), "x");
    // With other content for what is there: refused, or replaced where that is asked for.
    let file = node.bench.put("twice.csv", "标识,名称\n88.111.1/D1,x\n88.111.1/D2,z\n");
    import(&node, &file, &["--json"]).expect(8);
    assert_eq!(sheet(&node.bench.path("twice.csv.failed.xlsx"))[1][2].to_string(), "88.111.1/D2");
    let replaced = import(&node, &file, &["--json", "--replace"]).expect(0).json().pop().unwrap();
    assert_eq!((&replaced["changed"], &replaced["repeated"]), (&json!(1), &json!(0)), "{replaced}");
    assert_eq!(resolved(&node, "88.111.1/D2", 2000), "z");
}

/// A container of one part that unpacks to far more than it weighs.
fn bomb() -> Vec<u8> {
    let mut file = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut file);
    for name in ["[Content_Types].xml", "xl/workbook.xml"] {
        let (mut entry, config) =
            archive.new_file(name).compression_method(rawzip::CompressionMethod::DEFLATE).start().unwrap();
        let mut writer = config.wrap(flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::fast()));
        for _ in 0..64 {
            writer.write_all(&vec![b' '; 1 << 20]).unwrap();
        }
        let (encoder, descriptor) = writer.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    file
}

#[test]
fn files_that_are_no_spreadsheets_are_refused_with_what_to_do_and_nothing_is_sent() {
    let node = node_with_parts("");
    let good = std::fs::read(workbook(&node, "good.xlsx", |sheet| {
        sheet.write_row(1, 0, ["88.111.1/B1", "零件"]).unwrap();
    }))
    .unwrap();
    let cases: [(&str, Vec<u8>, &str, &str); 6] = [
        ("cut.xlsx", good[..good.len() / 2].to_vec(), "DAMAGED", "transfer the file again"),
        (
            "old.xls",
            [&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1][..], &[0; 600]].concat(),
            "OLD_OR_ENCRYPTED",
            "save it as .xlsx",
        ),
        ("bomb.xlsx", bomb(), "", "error[sheet-unreadable]"),
        ("binary.csv", vec![0xff; 4_000], "UNKNOWN_ENCODING", "CSV UTF-8"),
        ("other.csv", "标识,名称,别的\n88.111.1/B1,x,y\n".into(), "UNKNOWN_COLUMN", "column C 别的"),
        ("short.csv", "标识,状态\n88.111.1/B1,在用\n".into(), "MISSING_COLUMN", "名称"),
    ];
    for (name, content, code, said) in cases {
        println!("{name}");
        let file = node.bench.put(name, content);
        import(&node, &file, &[]).expect(2).says(&["error[sheet-unreadable]", code, said]);
        assert!(!node.bench.path(&format!("{name}.failed.xlsx")).exists());
    }
    // A byte that was changed in the middle.
    let mut changed = good.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 0x55;
    import(&node, &node.bench.put("changed.xlsx", changed), &[]).expect(2).says(&["error[sheet-unreadable]"]);

    let good = node.bench.path("good.xlsx");
    let path = good.to_str().unwrap();
    for words in [&["import", path][..], &["job", "submit", path], &["import", path, "--json"]] {
        node.run(words).expect(2).says(&["error[sheet-without-template]", "--template"]);
    }
    node.run(&["import", path, "--template", "88.111.1/PART", "--home"]).expect(2).says(&["error[local-only]"]);
    node.run(&["import", path, "--template", "88.111.1/PART@9"]).expect(3);
    node.run(&["import", path, "--template", "PART"]).expect(2);
    node.run(&["import", "no such file.csv", "--template", "88.111.1/PART"])
        .expect(2)
        .says(&["error[file-unreadable]"]);
    let next = node.bench.put("next.json", PART.replace("\"1.0\"", "\"1.1\""));
    node.run(&["template", "put", next.to_str().unwrap(), "--prefix", "88.111.1"]).expect(0);
    node.run(&["import", path, "--template", "88.111.1/PART@1.1"]).expect(4).says(&["error[sheet-draft]"]);
    let words = ["import", path, "--template", "88.111.1/PART"];
    node.bench.run(&words).expect(2).says(&["error[sheet-server-only]"]);
    assert_eq!(listed(&node), Vec::<String>::new());
}

/// Rows of the file that is interrupted; every tenth from the fifth on is spoiled.
const ROWS: u64 = 50_000;

fn many_parts() -> String {
    let mut text = String::from("标识,名称,商品条码\n");
    for row in 1..=ROWS {
        let gtin = if row % 10 == 5 { "6.9E+12".to_owned() } else { format!("{row:013}") };
        writeln!(text, "88.111.1/M{row:06},零件,{gtin}").unwrap();
    }
    text
}

/// Waits until an import has outcomes of more than so many items.
fn wait_for(import: &mut Process, outcomes: u64) {
    loop {
        let line: Value = serde_json::from_str(&import.next_line().expect("progress")).unwrap();
        assert_ne!(line["event"], "done", "{line}");
        if line["answered"].as_u64().is_some_and(|answered| answered > outcomes) {
            return;
        }
    }
}

#[test]
fn an_import_that_was_killed_and_stopped_goes_on_and_its_failed_rows_are_those_of_all_runs() {
    const SLOW: &str = "access.rate_per_second = 2048\n";
    let node = node_with_parts(SLOW);
    // Refused early, in the run that is killed.
    node.run(&["register", "88.111.1/M000003", "--value", "1 TEXT another"]).expect(0);
    let file = node.bench.put("many.csv", many_parts());
    let words = ["import", file.to_str().unwrap(), "--template", "88.111.1/PART", "--json"];
    let mut first = Process::start(node.command(&words));
    // Further than the answers that are asked for again, so that the next run is not told of the refusal once more.
    wait_for(&mut first, 10_000);
    first.kill();
    let failed = node.bench.path("many.csv.failed.xlsx");
    assert!(!failed.exists());

    // Told to stop: the workbook has the failed rows up to where it came, those of the run before among them.
    let mut second = Process::start(node.command(&[&words[..], &["--stop-seconds", "3600"]].concat()));
    wait_for(&mut second, 100);
    second.signal(Signal::SIGINT);
    let stopped = second.ended().expect(8).json().pop().unwrap();
    assert_eq!((&stopped["stopped"], &stopped["under_way"]), (&json!(true), &Value::Null), "{stopped}");
    let lines = stopped["lines"].as_u64().unwrap();
    assert!((10_000..ROWS).contains(&lines), "{stopped}");
    let rows = sheet(&failed);
    assert_eq!(rows[1][2].to_string(), "88.111.1/M000003");
    // The fifth row of the parts is in line 6, and so on.
    assert_eq!(rows.len() as u64, 1 + 1 + (lines + 4) / 10, "{stopped}");

    let node = node.restart(|bench| {
        let config = bench.text("waymark.toml").replace(SLOW, "access.rate_per_second = 1000000\n");
        bench.put("waymark.toml", config);
    });
    let done = node.run(&words).expect(8).json().pop().unwrap();
    let (spoiled, good) = (ROWS / 10, ROWS - ROWS / 10);
    assert!(done["resumed_behind_item"].as_u64().unwrap() > 10_000, "{done}");
    assert_eq!((&done["last_item"], &done["lines"]), (&json!(good), &json!(ROWS + 1)), "{done}");
    let rows = sheet(&failed);
    assert_eq!(rows.len() as u64, 1 + spoiled + 1);
    assert_eq!((rows[1][1].to_string(), rows[1][2].to_string()), ("4".to_owned(), "88.111.1/M000003".to_owned()));
    assert!(rows[1][0].to_string().contains("different content"), "{:?}", rows[1]);
    assert_eq!(rows[2][2].to_string(), "88.111.1/M000005");
    assert_eq!(listed(&node).len() as u64, good);
}
