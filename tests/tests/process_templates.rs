//! `waymark template` and `waymark register --template` against a running node, and what the node answers from it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use waymark_tests::process::{Bench, Daemon, Ended, run, tool};

const PREFIX: &str = "88.990.10001";
const TEMPLATE: &str = "88.990.10001/META_EXC-1.2";

fn starter(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/templates").join(name)
}

/// `waymark` with these words, asking the node as the operator.
fn asking(bench: &Bench, daemon: &Daemon, words: &[&str]) -> Command {
    daemon.tool(words, &bench.data().join("operator-token"))
}

#[track_caller]
fn json_of(ended: &Ended) -> Value {
    ended.json().pop().expect("a line")
}

#[test]
fn a_template_is_published_made_from_and_resolved_and_nothing_changes_over_a_kill() {
    let bench = Bench::new("");
    bench.run(&["prefix", "home", PREFIX]).expect(0);
    let daemon = bench.serve();
    let ask = |words: &[&str]| run(asking(&bench, &daemon, words));
    let file = starter("exc-1.2.json");
    let put = ["template", "put", file.to_str().unwrap(), "--prefix", PREFIX, "--json"];
    assert_eq!(json_of(&ask(&put).expect(0))["outcome"], "drafted");
    let make = |number: &str| {
        let serial = format!("serialNo=XE215X26{number}");
        let handle = format!("{PREFIX}/Xe215x.{number}");
        let words = ["register", &handle, "--template", "EXC-1.2", "--field", "productName=履带式液压挖掘机"];
        ask(&[&words[..], &["--field", "2001=XE215X", "--field", &serial, "--field", "madeDate=2026-03-10", "--json"]]
            .concat())
    };
    assert_eq!(json_of(&make("1").expect(4))["error"]["reason"], "TEMPLATE_NOT_PUBLISHED");
    assert_eq!(json_of(&ask(&["template", "publish", TEMPLATE, "--json"]).expect(0))["outcome"], "published");
    assert_eq!(json_of(&ask(&["template", "publish", TEMPLATE, "--json"]).expect(0))["outcome"], "unchanged");
    assert_eq!(json_of(&make("1").expect(0))["outcome"], "created");
    assert_eq!(json_of(&make("1").expect(0))["outcome"], "exists-same");

    // Everything that is wrong is told at once, by field, in both languages.
    let wrong = [
        "register",
        "88.990.10001/bad",
        "--template",
        "EXC-1.2",
        "--field",
        "madeDate=tomorrow",
        "--field",
        "nothing=x",
    ];
    let refused = json_of(&ask(&[&wrong[..], &["--json"]].concat()).expect(4));
    assert_eq!(refused["error"]["reason"], "FIELDS_WRONG");
    let violations: Vec<_> = refused["error"]["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["description"].as_str().unwrap())
        .collect();
    assert_eq!(violations, ["not-a-date", "unknown", "missing", "missing", "missing"]);
    ask(&[&wrong[..], &["--lang", "zh"]].concat()).expect(4).says(&["FIELDS_WRONG"]);
    ask(&["register", "88.990.10001/bad", "--template", "EXC-9", "--field", "a=b"])
        .expect(3)
        .says(&["TEMPLATE_NOT_FOUND"]);
    ask(&["register", "88.990.10001/bad", "--template", "EXC", "--field", "a=b"]).expect(4).says(&["INVALID_ARGUMENT"]);
    ask(&["delete", TEMPLATE]).expect(4).says(&["TEMPLATE_RECORD"]);
    ask(&["template", "delete", TEMPLATE]).expect(4).says(&["TEMPLATE_PUBLISHED"]);

    // The next version, and what it differs in.
    let mut next: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    next["version"] = json!("1.3");
    next["columns"][3]["max"] = json!(12);
    let next = bench.put("next.json", next.to_string());
    ask(&["template", "put", next.to_str().unwrap(), "--prefix", PREFIX]).expect(0);
    let diff = ask(&["template", "diff", TEMPLATE, "88.990.10001/META_EXC-1.3"]).expect(0);
    assert_eq!(diff.out, "version: 1.2 -> 1.3\n~ 2003 ratedMass: max 100 -> 12\n");
    assert_eq!(json_of(&ask(&["template", "disable", TEMPLATE, "2005", "--json"]).expect(0))["outcome"], "changed");
    make("2").expect(4).says(&["FIELDS_WRONG"]);
    assert_eq!(json_of(&ask(&["template", "enable", TEMPLATE, "2005", "--json"]).expect(0))["outcome"], "changed");
    assert_eq!(json_of(&make("2").expect(0))["outcome"], "created");
    let listed = ask(&["template", "list", "--prefix", PREFIX, "--json"]).expect(0).json();
    let states: Vec<_> = listed.iter().map(|it| it["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["published", "draft"]);

    // Resolved by everybody, whole; the same after a kill.
    let resolved = |daemon: &Daemon, handle: &str| {
        json_of(&run(tool(["resolve", handle, "--server", &daemon.url("udp"), "--json"])).expect(0))["values"].clone()
    };
    let machine = format!("{PREFIX}/xe215x.1");
    let before = (resolved(&daemon, &machine), resolved(&daemon, TEMPLATE));
    let types: Vec<_> = before.0.as_array().unwrap().iter().map(|value| value["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["HS_ADMIN", "TEMPLATE", "productName", "model", "serialNo", "madeDate"]);
    assert_eq!(before.1[0]["type"], "WAYMARK_TEMPLATE");
    daemon.process.kill();
    let daemon = bench.serve();
    assert_eq!((resolved(&daemon, &machine), resolved(&daemon, TEMPLATE)), before);
    let shown = json_of(&run(asking(&bench, &daemon, &["template", "show", TEMPLATE, "--json"])).expect(0));
    assert_eq!((&shown["state"], &shown["definition"]["code"]), (&json!("published"), &json!("EXC")));
    let verified = json_of(&run(asking(&bench, &daemon, &["audit", "verify", "--json"])).expect(0));
    assert_eq!(verified["problems"], 0);
    daemon.stop().expect(0);

    // The data folder of the stopped node tells the same, and its audit holds by itself.
    let data = bench.data();
    let local = |words: &[&str]| run(tool([words, &["--data", data.to_str().unwrap()]].concat()));
    assert_eq!(json_of(&local(&["template", "show", TEMPLATE, "--json"]).expect(0))["definition"], shown["definition"]);
    assert_eq!(json_of(&local(&["audit", "verify", "--json"]).expect(0))["problems"], 0);
    local(&["template", "delete", "88.990.10001/META_EXC-1.3"]).expect(0);
    local(&["template", "show", "88.990.10001/META_EXC-1.3"]).expect(3).says(&["template-absent"]);
}
