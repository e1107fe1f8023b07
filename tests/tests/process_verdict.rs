//! `waymark recall` and `waymark verdict` against a running node: what was called back is told to scanners at once, and to whom it matters with all of
//! it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use serde_json::{Value, json};
use waymark_tests::operated::Node;
use waymark_tests::process::{run, tool};

/// Runs a command that succeeds and whose output holds a text.
fn done(node: &Node, words: &[&str], text: &str) {
    let ended = node.run(words).expect(0);
    assert!(ended.out.contains(text), "{}", ended.out);
}

/// What the resolver says of a recall: the value at index 1002.
fn notice(node: &Node, handle: &str) -> Option<Value> {
    let answer = run(tool(["resolve", handle, "--server", &node.daemon.url("udp"), "--json"])).expect(0).json();
    let values = answer[0]["values"].as_array().unwrap();
    values.iter().find(|value| value["index"] == 1002).cloned()
}

/// Verdict, detail and reason.
fn verdict(node: &Node, code: &str, exit: i32) -> [Value; 3] {
    let told = node.run(&["verdict", code, "--json"]).expect(exit).json().remove(0);
    ["verdict", "detail", "reason"].map(|field| told[field].clone())
}

#[test]
fn what_is_recalled_is_told_by_the_next_answer_and_judged_so() {
    let node = Node::start("");
    node.run(&["register", "88.111.1/x", "--value", "1 URL https://x"]).expect(0);
    assert_eq!((notice(&node, "88.111.1/x"), verdict(&node, "88.111.1/x", 0)[0].clone()), (None, json!("VALID")));
    done(&node, &["recall", "88.111.1/X", "--reason", "裂纹"], "recalled");
    let told = notice(&node, "88.111.1/x").unwrap();
    assert_eq!(
        (&told["type"], &told["data"]["value"], &told["ttl"]),
        (&json!("WAYMARK_RECALL"), &json!("裂纹"), &json!(60))
    );
    assert_eq!(verdict(&node, "88.111.1/x", 9), [json!("RECALLED"), Value::Null, json!("裂纹")]);
    node.run(&["delete", "88.111.1/x"]).expect(4).says(&["RECALLED", "lift the recall"]);
    let node = node.restart(|_| {});
    assert!(notice(&node, "88.111.1/x").is_some(), "after a restart too");
    done(&node, &["recall", "88.111.1/x", "--lift"], "recalled no more");
    assert_eq!((notice(&node, "88.111.1/x"), verdict(&node, "88.111.1/x", 0)[0].clone()), (None, json!("VALID")));

    // A batch: by an identifier of its own, which its recall makes.
    done(&node, &["recall", "88.111.1", "--batch", "B26", "--reason", "salt"], "88.111.1/RECALL_B26");
    assert_eq!(notice(&node, "88.111.1/RECALL_B26").unwrap()["data"]["value"], json!("salt"));

    // Codes of a package, all of them at once.
    node.run(&["range", "allocate", "88.111.1", "--stem", "XE.", "--count", "1000000", "--value", "1 URL u"]).expect(0);
    node.run(&["recall", "88.111.1#1", "--serials", "100-199999", "--reason", "ink"]).expect(0);
    assert_eq!(notice(&node, "88.111.1/XE.00000100").unwrap()["data"]["value"], json!("ink"));
    assert_eq!((notice(&node, "88.111.1/XE.00000099"), notice(&node, "88.111.1/XE.00200000")), (None, None));
    assert_eq!(verdict(&node, "88.111.1/XE.00150000", 9)[0], json!("RECALLED"));
    let counts = node.json(&["range", "show", "88.111.1#1"], 0)["counts"].clone();
    assert_eq!((&counts["recalled"], &counts["bound"]), (&json!(199_900), &json!(0)));
    node.run(&["recall", "88.111.1#1", "--serials", "0-999999", "--lift"]).expect(0);
    assert_eq!(notice(&node, "88.111.1/XE.00000100"), None);
    let audit = node.run(&["audit", "search", "--json"]).expect(0).out;
    for verb in ["\"recall\"", "recall-lift", "range-recall", "range-recall-lift"] {
        assert!(audit.contains(verb), "{verb} is not in the audit");
    }
}

#[test]
fn many_codes_are_judged_from_a_file_in_their_order() {
    let node = Node::start("verdict.warn_days = 30\n");
    node.run(&["register", "88.111.1/x", "--value", "1 URL x"]).expect(0);
    node.run(&["register", "88.111.1/s", "--value", "1 URL x"]).expect(0);
    node.run(&["suspend", "88.111.1/s", "--reason", "check"]).expect(0);
    let codes: Vec<String> = (0..450)
        .map(|number| match number % 5 {
            0 => "88.111.1/x".to_owned(),
            1 => format!("88.111.1/nobody-{number}"),
            2 => "88.111.1/s".to_owned(),
            3 => "(01)06942499556696(17)200229".to_owned(),
            _ => "99.9/elsewhere".to_owned(),
        })
        .collect();
    let file = node.bench.put("codes.txt", format!("\u{feff}{}\r\n\r\n", codes.join("\r\n")));
    let judged = node.run(&["verdict", "--file", file.to_str().unwrap(), "--json"]).expect(9).json();
    assert_eq!(judged.len(), 450);
    for (code, told) in codes.iter().zip(&judged) {
        assert_eq!(told["code"], json!(code));
        let expected = match code.as_str() {
            "88.111.1/x" => "VALID",
            "88.111.1/s" => "SUSPENDED",
            "99.9/elsewhere" => "UPSTREAM_DOWN",
            code if code.starts_with('(') => "EXPIRED",
            _ => "ABSENT",
        };
        assert_eq!(told["verdict"], json!(expected), "{told}");
    }
    let line = node.run(&["verdict", "88.111.1/s"]).expect(9).out;
    assert!(line.contains("SUSPENDED  88.111.1/s  not to be sold  since ") && line.contains("reason: check"), "{line}");
    let mut chinese = node.command(&["verdict", "88.111.1/x"]);
    chinese.args(["--lang", "zh"]);
    let out = run(chinese).expect(0).out;
    assert!(out.contains("可销售"), "{out}");
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_asked() {
    let node = Node::start("");
    for (words, code, said) in [
        (&["verdict"][..], 2, "CODE"),
        (&["verdict", "--file", "no/such/file"], 1, "no/such/file"),
        (&["recall", "88.111.1/x"], 2, "--reason"),
        (&["recall", "88.111.1/x", "--lift", "--reason", "r"], 2, "--reason"),
        (&["recall", "88.111.1/nobody", "--reason", "r"], 3, "NOT_FOUND"),
        (&["recall", "88.111.1#7", "--serials", "1-2", "--reason", "r"], 3, "NOT_FOUND"),
        (&["recall", "88.111.1#7", "--serials", "2-1", "--reason", "r"], 2, "4711"),
    ] {
        println!("{words:?}");
        node.run(words).expect(code).says(&[said]);
    }
}
