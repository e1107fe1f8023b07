//! `waymark deposit` on a data folder, as an operator types it: keys, a full deposit, a differential one, checks, and a new node out of both.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::path::PathBuf;

use waymark_catalog::{Command, HomeName};
use waymark_tests::deposited::{self, MONDAY, SUNDAY, opened, write};
use waymark_tests::process::{Bench, Ended, run, tool};

fn put(name: &str) -> Command {
    deposited::put(name, "URL", name.as_bytes())
}

/// A folder with keys of a node and of a platform, and a data folder of two days.
fn prepared() -> Bench {
    let bench = Bench::new("");
    for name in ["node", "platform"] {
        let folder = bench.path("");
        run(tool(["deposit", "keys", "--name", name, "--out", folder.to_str().unwrap()])).expect(0);
    }
    std::fs::create_dir(bench.path("out")).unwrap();
    let catalog = opened(&bench.data(), "2024-11-22");
    let home = Command::Home { name: HomeName::parse(b"88.990").unwrap() };
    write(&catalog, [home].into_iter().chain((0..2_000).map(|n| put(&format!("{n}")))));
    catalog.shutdown().unwrap();
    drop(catalog);
    let catalog = opened(&bench.data(), SUNDAY);
    write(&catalog, [put("of sunday"), Command::Delete { handle: b"88.990/7".to_vec() }]);
    catalog.shutdown().unwrap();
    bench
}

fn path(bench: &Bench, name: &str) -> String {
    bench.path(name).to_str().unwrap().to_owned()
}

fn make(bench: &Bench, more: &[&str]) -> Ended {
    let (platform, node, out) = (path(bench, "platform.pub"), path(bench, "node.key"), path(bench, "out"));
    let words = ["deposit", "make", "--platform-key", &platform, "--node-key", &node, "--out", &out];
    bench.run(&[&words, more].concat())
}

/// Wants texts on standard output.
#[track_caller]
fn shows(ended: &Ended, texts: &[&str]) {
    texts.iter().for_each(|text| assert!(ended.out.contains(text), "{text:?} is not shown in {}", ended.out));
}

fn parts(bench: &Bench) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(bench.path("out")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "inde")).collect()
}

fn checked(bench: &Bench, command: &str, files: &[PathBuf], more: &[&str]) -> Ended {
    let (node, platform) = (path(bench, "node.pub"), path(bench, "platform.key"));
    let files: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    run(tool([&["deposit", command, "--node-key", &node, "--platform-key", &platform], &files[..], more].concat()))
}

#[test]
fn a_node_comes_back_from_its_deposits() {
    let bench = prepared();
    let full =
        make(&bench, &["--prefix", "88.990", "--date", SUNDAY, "--part-bytes", "9000", "--json"]).expect(0).json();
    assert_eq!((&full[0]["type"], &full[0]["identifiers"]), (&"FULL".into(), &2_000.into()));
    assert!(full[0]["parts"].as_u64().unwrap() > 1, "{full:?}");
    let diff = make(&bench, &["--prefix", "88.990", "--date", MONDAY]).expect(0);
    shows(&diff, &["DIFF of 88.990 for 2024-11-25: 1 identifiers", "1 deletions"]);
    let files = parts(&bench);
    let restored = path(&bench, "restored");
    let told = checked(&bench, "restore", &files, &["--data", &restored]).expect(0);
    shows(&told, &["2 deposits restored, up to 2024-11-25"]);
    let exported = |data: &str| run(tool(["export", "--data", data])).expect(0).out;
    let export = exported(&restored);
    assert_eq!(export.lines().count(), 2_000);
    assert_eq!(export, exported(bench.data().to_str().unwrap()));
    checked(&bench, "restore", &files, &["--data", &restored]).expect(2).says(&["is not empty"]);

    let list = bench.run(&["deposit", "list", "--json"]).expect(0).json();
    let id = full[0]["id"].as_str().unwrap();
    assert_eq!((list.len(), list[0]["id"].as_str(), list[0]["platform"].as_str()), (2, Some(id), Some("unknown")));
    bench.run(&["deposit", "mark", id, "--rejected", "--remark", "2001"]).expect(0);
    shows(&bench.run(&["deposit", "list"]).expect(0), &["rejected", "2001", "made"]);
    shows(&bench.run(&["deposit", "list", "--lang", "zh"]).expect(0), &["已拒收", "2001", "已生成"]);
    bench.run(&["deposit", "mark", "0", "--accepted"]).expect(3);
}

#[test]
fn what_is_wrong_is_said_with_its_code_and_its_number() {
    let bench = prepared();
    make(&bench, &["--prefix", "88.1", "--date", SUNDAY]).expect(1).says(&["error[deposit-prefix]"]);
    make(&bench, &["--prefix", "88.990", "--date", "2024-11-22"]).expect(2).says(&["error[deposit-before-creation]"]);
    make(&bench, &["--prefix", "88.990", "--date", "2999-01-01"])
        .expect(2)
        .says(&["error[deposit-future]", "08:00 in Beijing"]);
    make(&bench, &["--prefix", "88.990", "--date", SUNDAY, "--diff"]).expect(2).says(&["error[deposit-sunday]"]);
    make(&bench, &["--prefix", "88.990", "--date", MONDAY, "--diff"]).expect(2).says(&["error[deposit-no-base]"]);
    make(&bench, &["--prefix", "88.990", "--date", SUNDAY]).expect(0);
    let files = parts(&bench);
    shows(&checked(&bench, "verify", &files, &[]).expect(0), &["Valid: FULL of 88.990"]);
    shows(&checked(&bench, "verify", &files, &["--prefix", "88.991"]).expect(9), &["result code 2201"]);
    let node = path(&bench, "node.pub");
    let closed = run(tool(["deposit", "verify", "--node-key", &node, files[0].to_str().unwrap()]));
    shows(&closed.expect(0), &["The contents were not looked at"]);
    let mut bytes = std::fs::read(&files[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&files[0], bytes).unwrap();
    let bad = checked(&bench, "verify", &files, &["--json"]).expect(9).json();
    assert_eq!(bad[0]["valid"], false);
    assert!(bad[0]["cause"].as_str().unwrap().contains("the signature"), "{bad:?}");
    let chinese = run(tool(
        [&["--lang", "zh", "deposit", "verify", "--node-key", &node], &[files[0].to_str().unwrap()][..]].concat(),
    ));
    shows(&chinese.expect(9), &["无效(结果码 -)"]);
}

#[test]
fn a_node_that_runs_makes_its_deposit_and_sends_it() {
    let bench = prepared();
    let (platform, node, out) = (path(&bench, "platform.pub"), path(&bench, "node.key"), path(&bench, "out"));
    bench.configure(&format!("deposit.platform_key = {platform:?}\ndeposit.node_key = {node:?}\n"));
    let (daemon, token) = (bench.serve(), bench.data().join("operator-token"));
    let asked = |more: &[&str]| {
        run(daemon.tool(&[&["deposit", "make", "--out", &out, "--part-bytes", "9000"], more].concat(), &token))
    };
    asked(&["--prefix", "88.1", "--date", SUNDAY]).expect(1).says(&["error[deposit-prefix]", "88.1"]);
    asked(&["--prefix", "88.990", "--date", "2999-01-01"]).expect(2).says(&["error[deposit-future]", "2999-01-01"]);
    let made = asked(&["--prefix", "88.990", "--date", SUNDAY, "--json"]).expect(0).json();
    assert_eq!((&made[0]["type"], &made[0]["identifiers"]), (&"FULL".into(), &2_000.into()));
    let diff = asked(&["--prefix", "88.990", "--date", MONDAY]).expect(0);
    shows(&diff, &["DIFF of 88.990 for 2024-11-25: 1 identifiers", "1 deletions"]);
    bench.run(&["deposit", "make", "--prefix", "88.990", "--out", &out]).expect(7).says(&["error[data-in-use]"]);
    daemon.stop().expect(0);
    assert!(!bench.data().join("deposit.making").exists());
    let files = parts(&bench);
    assert!(files.len() > 2, "{files:?}");
    assert!(std::fs::read_dir(bench.path("out")).unwrap().all(|entry| !entry.unwrap().path().ends_with(".new")));
    let restored = path(&bench, "restored");
    checked(&bench, "restore", &files, &["--data", &restored]).expect(0);
    let exported = |data: &str| run(tool(["export", "--data", data])).expect(0).out;
    assert_eq!(exported(&restored), exported(bench.data().to_str().unwrap()));
}
