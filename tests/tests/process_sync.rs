//! A docked node as its operator meets it: what it owes gets to the top-level node whatever is killed meanwhile, and can be seen and settled by hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use serde_json::Value;
use tempfile::tempdir;
use waymark_tests::above::{TopNode, until};
use waymark_tests::operated::Node;
use waymark_tests::process::{Bench, run};

/// The status of a set.
fn set(node: &Node, name: &str) -> Value {
    let ended = run(node.command(&["sync", "status", "--json"]));
    let status: Value = serde_json::from_str(ended.out.lines().next().unwrap()).unwrap();
    status["sets"].as_array().unwrap().iter().find(|set| set["set"] == name).unwrap().clone()
}

#[test]
fn what_is_owed_gets_up_though_both_nodes_are_killed() {
    let folder = tempdir().unwrap();
    let above = TopNode::start(folder.path());
    let grpc = above.grpc.clone();
    let node = Node::start(&format!("[sync]\nprefix = \"88.990\"\nserver = \"{grpc}\"\n"));
    until("the routes of the node", || above.held("88.990", "T2").pop());

    // The node above is gone: what is owed waits, and the operator sees why.
    let address = grpc.trim_start_matches("grpc://").to_owned();
    above.process.kill();
    node.run(&["prefix", "home", "88.990.701"]).expect(0);
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/templates/zsl-item-1.0.json");
    node.run(&["template", "put", "--prefix", "88.990.701", template]).expect(0);
    node.run(&["template", "publish", "88.990.701/META_ZSL-ITEM-1.0"]).expect(0);
    let waits = until("a part that waits", || Some(set(&node, "T11")).filter(|set| set["waiting"] == 1));
    assert_eq!(waits["last_sequence"], 1);
    let status = until("the cause", || {
        let ended = node.run(&["sync", "status"]);
        ended.out.contains("nothing gets up").then_some(ended)
    });
    assert_ne!(status.status.code(), Some(0), "{}", status.out);

    // This one too, by SIGKILL; then both come back.
    let Node { bench, daemon, token } = node;
    daemon.process.kill();
    let node = Node { daemon: bench.serve(), bench, token };
    assert_eq!(set(&node, "T11")["waiting"], 1);
    let above = TopNode::start_at(folder.path(), &address);
    let row = until("the template", || above.held("88.990", "T11").pop());
    assert_eq!(row["template"], "88.990.701/META_ZSL-ITEM-1.0");
    let told = until("the acknowledgement", || Some(set(&node, "T11")).filter(|set| set["waiting"] == 0));
    assert_eq!((&told["refused"], &told["problem"]), (&0.into(), &"".into()));
    let (_, metrics) = node.daemon.page("/metrics");
    assert!(metrics.contains("waymark_sync_parts_waiting{set=\"T11\"} 0"), "{metrics}");
}

#[test]
fn parts_are_looked_at_held_back_and_settled_by_the_operator_alone() {
    let bench = Bench::new("");
    let up = bench.path("up");
    bench.configure(&format!("[sync]\nprefix = \"88.990\"\ndirectory = \"{}\"\n", up.display()));
    let node = Node::over(bench);
    let told =
        until("the part", || Some(set(&node, "T2")).filter(|set| set["waiting"] == 0 && set["last_sequence"] == 1));
    assert_eq!(told["schedule"], "real-time");
    let rows = node.run(&["sync", "show", "T2", "1", "--json"]).expect(0);
    let row: Value = serde_json::from_str(rows.out.trim()).unwrap();
    assert_eq!((&row["prefix"], &row["code_type"]), (&"88.990".into(), &"Handle".into()));
    assert_eq!(node.run(&["sync", "pause", "T2"]).expect(0).out, "1 sets are held back\n");
    assert_eq!(node.run(&["sync", "resend", "T2", "1"]).expect(0).out, "1 parts are sent again\n");
    assert_eq!(set(&node, "T2")["waiting"], 1);
    node.run(&["sync", "mark", "T2", "1", "--reason", "handed over in person"]).expect(0);
    let shown = node.run(&["sync", "show", "T2", "--lang", "zh"]).expect(0);
    assert!(shown.out.contains("人工处理") && shown.out.contains("operator: handed over in person"), "{}", shown.out);
    node.run(&["sync", "resume", "--all"]).expect(0);
    // Who did it stands in the chain of the audit.
    let audit = node.run(&["audit", "search", "--json"]).expect(0).out;
    for (verb, about) in
        [("sync-pause", "T2"), ("sync-resend", "T2 1 to 1"), ("sync-mark", "T2 1 to 1"), ("sync-resume", "all sets")]
    {
        let told = audit.lines().find(|line| line.contains(verb)).unwrap_or_else(|| panic!("{verb} is not in {audit}"));
        assert!(told.contains(about) && told.contains("operator"), "{told}");
    }
    node.run(&["audit", "verify"]).expect(0);
    for words in [&["sync", "show", "T2", "7"][..], &["sync", "resend", "T2", "7"]] {
        assert_ne!(node.run(words).status.code(), Some(0), "{words:?}");
    }
    node.run(&["sync", "show", "T99"]).expect(2);
}

#[test]
fn settings_that_do_not_fit_are_told_by_name() {
    for (text, key) in [
        ("[sync]\nprefix = \"88.990\"\n", "sync.server"),
        ("[sync]\ndirectory = \"up\"\n", "sync.prefix"),
        ("[sync]\nprefix = \"88/990\"\ndirectory = \"up\"\n", "sync.prefix"),
        ("[sync]\nprefix = \"88.990\"\nserver = \"grpc://192.0.2.1:2649\"\n", "sync.server"),
        ("[sync]\nprefix = \"88.990\"\nserver = \"grpcs://127.0.0.1:2649\"\n", "sync.server"),
        ("[sync]\nprefix = \"88.990\"\ndirectory = \"up\"\ncertificate = \"x.pem\"\n", "sync.certificate"),
    ] {
        let bench = Bench::new(text);
        let ended = run(waymark_tests::process::daemon([
            "--config".as_ref(),
            bench.config().as_os_str(),
            "--data".as_ref(),
            bench.data().as_os_str(),
        ]));
        assert_eq!(ended.status.code(), Some(2), "{text}: {}", ended.err);
        assert!(ended.err.contains(key), "{text}: {}", ended.err);
    }
}
