//! `waymark range` against a running node: from the order to the printed roll, seen by the resolver.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::fs;

use serde_json::{Value, json};
use waymark_tests::operated::Node;
use waymark_tests::process::{run, tool};

/// The lines of an exported list.
fn lines(node: &Node, name: &str) -> Vec<String> {
    node.bench.text(name).lines().map(str::to_owned).collect()
}

fn resolve(node: &Node, handle: &str, code: i32) -> Vec<Value> {
    run(tool(["resolve", handle, "--server", &node.daemon.url("udp"), "--json"])).expect(code).json()
}

/// Data of the value at an index of a resolved code.
fn told(node: &Node, handle: &str, index: u64) -> Value {
    let answer = resolve(node, handle, 0).remove(0);
    let values = answer["values"].as_array().unwrap();
    values.iter().find(|value| value["index"] == index).unwrap()["data"]["value"].clone()
}

#[test]
fn a_package_goes_from_the_order_to_the_line_and_the_resolver_sees_each_step() {
    let node = Node::start("");
    let value = "1 URL https://id.example.cn/{code}";
    let order =
        ["range", "allocate", "88.111.1", "--stem", "XE26.", "--count", "100000", "--form", "mac", "--value", value];
    let made = node.run(&[&order[..], &["--json"]].concat()).expect(0).json();
    assert_eq!((&made[0]["outcome"], &made[1]["package"]), (&json!("allocated"), &json!("88.111.1#1")));
    let first = made[1]["first_code"].as_str().unwrap().to_owned();
    assert_eq!(told(&node, &first, 1), json!(format!("https://id.example.cn/{}", &first["88.111.1/".len()..])));

    // Printed: two rolls, a manifest, once.
    let rolls = node.bench.path("rolls.csv");
    let rolls = rolls.to_str().unwrap();
    let payload = "https://id.example.cn/{code}";
    let export = ["range", "export", "88.111.1#1", rolls, "--payload", payload, "--rolls", "2x500"];
    node.run(&export).expect(0).says(&[]);
    let list = lines(&node, "rolls.csv");
    assert_eq!((list.len(), list[0].as_str()), (1_001, "roll,number,serial,code,payload"));
    let manifest: Value = serde_json::from_str(&node.bench.text("rolls.csv.manifest.json")).unwrap();
    let hash = sha256(&fs::read(node.bench.path("rolls.csv")).unwrap());
    assert_eq!((&manifest["sha256"], &manifest["rolls"], &manifest["codes"]), (&json!(hash), &json!(2), &json!(1_000)));
    node.run(&[&export[..], &["--first", "0"]].concat()).expect(4).says(&["ROLL_ALREADY_EXPORTED", "operator"]);
    let again = [&export[..], &["--first", "0", "--again", "torn"]].concat();
    node.run(&again).expect(0);
    assert_eq!(lines(&node, "rolls.csv"), list, "the same codes");
    let id = manifest["request_id"].as_str().unwrap();
    node.run(&[&export[..], &["--first", "0", "--request-id", id]].concat()).expect(4).says(&["REQUEST_REUSED"]);

    // Bound, withdrawn, forged.
    let code = |serial: usize| format!("88.111.1/{}", list[serial + 1].split(',').nth(3).unwrap());
    node.run(&["range", "bind", "88.111.1#1", "0-9", "--value", "2 BATCH B7"]).expect(0);
    assert_eq!(told(&node, &code(3), 2), json!("B7"));
    node.run(&["range", "withdraw", "88.111.1#1", "3", "--reason", "misprint"]).expect(0);
    resolve(&node, &code(3), 3);
    let mut forged = code(4);
    let last = if forged.pop() == Some('0') { '1' } else { '0' };
    forged.push(last);
    resolve(&node, &forged, 3);
    let register = ["register", forged.as_str(), "--value", "1 URL x"];
    node.run(&register).expect(4).says(&["NEVER_ISSUED"]);

    // A station takes codes, works without the node, and accounts for them.
    let lease = node.bench.path("lease.txt");
    let lease = lease.to_str().unwrap();
    node.run(&["range", "lease", "88.111.1#1", lease, "--station", "line-3", "--count", "100"]).expect(0);
    let leased = lines(&node, "lease.txt");
    assert_eq!(leased.len(), 100);
    let node = node.restart(|_| {});
    told(&node, &leased[99], 1);
    let report = ["range", "reconcile", "88.111.1#1", "--first", "1000", "--printed", "1000-1089"];
    node.run(&report).expect(4).says(&["NOT_RECONCILED"]);
    node.run(&[&report[..], &["--spoiled", "1090,1091", "--blank", "1092-1099"]].concat()).expect(0);
    resolve(&node, &leased[90], 3);
    let shown = node.json(&["range", "show", "88.111.1#1", "--parts"], 0);
    let counts = &shown["counts"];
    assert_eq!((&counts["used"], &counts["spoiled"], &counts["withdrawn"]), (&json!(90), &json!(2), &json!(1)));
    assert_eq!((&counts["issued"], &counts["leased"], &counts["bound"]), (&json!(99_907), &json!(0), &json!(10)));
    let listed = node.run(&["range", "list"]).expect(0);
    assert!(listed.out.contains("88.111.1#1") && listed.out.contains("99\u{202f}907"), "{}", listed.out);
    let audit = node.run(&["audit", "search", "--json"]).expect(0).out;
    for verb in ["range-allocate", "range-export", "range-bind", "range-mark", "range-lease", "range-reconcile"] {
        assert!(audit.contains(verb), "{verb} is not in the audit");
    }
    node.run(&["audit", "verify"]).expect(0);
}

#[test]
fn orders_that_make_no_sense_are_refused_with_the_field() {
    let node = Node::start("ranges.codes = 1000\n");
    let cases: &[(&[&str], i32, &str)] = &[
        (&["allocate", "88.111.1", "--stem", "a", "--count", "1"], 4, "stem"),
        (&["allocate", "88.111.1", "--stem", "A", "--count", "1001"], 4, "count"),
        (&["allocate", "88.111.1", "--stem", "A", "--width", "2", "--count", "101"], 4, "width"),
        (&["allocate", "88.111.1", "--stem", "A", "--count", "0"], 2, "--count"),
        (&["allocate", "88.999.1", "--stem", "A", "--count", "1"], 4, "NOT_SERVED"),
        (&["allocate", "88.111.1", "--count", "1", "--value", "URL x"], 2, "value-malformed"),
        (&["show", "88.111.1#9"], 3, "NOT_FOUND"),
        (&["show", "88.111.1"], 4, "88.990.10001#3"),
        (&["mark", "88.111.1#1", "5-1", "used"], 2, "4711"),
        (&["export", "88.111.1#1", "no/such/folder", "--count", "1"], 3, "NOT_FOUND"),
        (&["export", "88.111.1#1", "f", "--rolls", "5"], 2, "500x20000"),
    ];
    for (words, code, said) in cases {
        println!("{words:?}");
        node.run(&[&["range"], *words].concat()).expect(*code).says(&[said]);
    }
    node.run(&["range", "allocate", "88.111.1", "--stem", "A", "--count", "1000"]).expect(0);
    // What was given out and could not be written is got once more under the id that is said.
    let failed = node.run(&["range", "export", "88.111.1#1", "no/such/folder/f", "--count", "5"]).expect(1);
    let id = failed.err.split("--request-id ").nth(1).unwrap().split(' ').next().unwrap();
    let file = node.bench.path("f");
    let file = file.to_str().unwrap();
    node.run(&["range", "export", "88.111.1#1", file, "--count", "5", "--request-id", id]).expect(0);
    assert_eq!(lines(&node, "f")[0], "88.111.1/A00000000");
    let mut chinese = node.command(&["range", "show", "88.111.1#9"]);
    chinese.args(["--lang", "zh"]);
    run(chinese).expect(3).says(&["没有这样的对象"]);
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    hex::encode(Sha256::digest(bytes))
}
