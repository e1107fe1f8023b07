//! Links from outside the process: a running node is told what is packed in what, and `waymark` follows it both ways, over a kill and a lost state.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::fs;

use serde_json::Value;
use waymark_tests::operated::Node;
use waymark_tests::records::PREFIX;

fn name(suffix: &str) -> String {
    format!("{PREFIX}/{suffix}")
}

/// Registers identifiers with one value each.
fn register(node: &Node, suffixes: &[&str]) {
    for suffix in suffixes {
        node.run(&["register", &name(suffix), "--value", "1 URL https://example.invalid/"]).expect(0);
    }
}

/// Each identifier of a trace as `depth handle`, prefixes left out.
fn lines(trace: &Value) -> Vec<String> {
    let nodes = trace["nodes"].as_array().unwrap().iter();
    let own = format!("{PREFIX}/");
    nodes.map(|node| format!("{} {}", node["depth"], node["handle"].as_str().unwrap().replace(&own, ""))).collect()
}

#[test]
fn an_item_is_traced_to_its_pallet_and_back_over_a_kill_and_a_rebuilt_state() {
    let node = Node::start("");
    register(&node, &["item1", "item2", "lot", "box", "pallet"]);
    let link = format!("5 WM_LINK made-from {}", name("lot"));
    node.run(&["register", &name("item3"), "--value", &link]).expect(0);
    let (item1, item2, item3) = (name("item1"), name("item2"), name("item3"));
    let done = node.json(&["aggregate", &name("box"), &item1, &item2, &item3], 0);
    assert_eq!((&done["outcome"], &done["repeated"]), (&"aggregated".into(), &false.into()));
    let packed = node.run(&["aggregate", &name("pallet"), &name("box")]).expect(0);
    assert!(packed.out.contains("packed"), "{}", packed.out);

    let up = || lines(&node.json(&["trace-up", &item3], 0));
    assert_eq!(up(), ["0 item3", "1 lot", "1 box", "2 pallet"]);
    let down = |node: &Node| lines(&node.json(&["trace-down", &name("pallet")], 0));
    let everything = ["0 pallet", "1 box", "2 item1", "2 item2", "2 item3"];
    assert_eq!(down(&node), everything);
    let tree = node.run(&["trace-down", &name("pallet")]).expect(0);
    assert!(tree.out.contains(&format!("└─ {} packed-in  active", name("box"))), "{}", tree.out);
    assert!(tree.out.contains(&format!("   ├─ {item1} packed-in  active")), "{}", tree.out);
    let chinese = node.run(&["trace-up", &item1, "--lang", "zh"]).expect(0);
    assert!(chinese.out.contains("正常"), "{}", chinese.out);

    let Node { bench, daemon, token } = node;
    daemon.process.kill();
    bench.run(&["store", "rebuild"]).expect(0);
    let node = Node { daemon: bench.serve(), bench, token };
    assert_eq!(down(&node), everything);

    // Whoever follows links sees what was called back on the way.
    node.run(&["recall", &item3, "--reason", "cracks"]).expect(0);
    let found = node.json(&["trace-down", &name("pallet")], 0);
    let recalled: Vec<&Value> =
        found["nodes"].as_array().unwrap().iter().filter(|node| node["state"] == "recalled").collect();
    assert_eq!((recalled.len(), &recalled[0]["handle"]), (1, &Value::from(item3.as_str())));
    assert_eq!(recalled[0]["state_reason"], "cracks");
    node.run(&["recall", &item3, "--lift"]).expect(0);

    let done = node.json(&["disaggregate", &name("box"), "--all"], 0);
    assert_eq!(done["outcome"], "disaggregated");
    assert_eq!(down(&node), ["0 pallet", "1 box"]);
    assert_eq!(lines(&node.json(&["trace-up", &item3], 0)), ["0 item3", "1 lot"], "other links stay");
    node.run(&["disaggregate", &name("box"), "--all"]).expect(3);
    node.run(&["audit", "verify"]).expect(0);
    node.daemon.stop().expect(0);
}

#[test]
fn what_stands_against_one_child_leaves_all_as_they_were() {
    let node = Node::start("");
    register(&node, &["a", "b", "box"]);
    node.run(&["prefix", "home", "88.222"]).expect(0);
    node.run(&["register", "88.222/theirs", "--value", "1 URL u"]).expect(0);
    node.run(&["aggregate", &name("box"), &name("b")]).expect(0);
    let refused = node.json(&["aggregate", &name("crate"), &name("a"), &name("b")], 4);
    assert_eq!(refused["error"]["reason"], "ALREADY_AGGREGATED");
    assert!(refused["error"]["cause"].as_str().unwrap().contains(&name("box")), "{refused}");
    let refused = node.json(&["aggregate", &name("crate"), &name("a"), &name("none")], 3);
    assert!(refused["error"]["cause"].as_str().unwrap().starts_with(&name("none")), "{refused}");

    // An enterprise packs what is its own, and nothing together with what is not.
    node.run(&["principal", "put", "acme", "--role", "writer", "--prefix", PREFIX]).expect(0);
    let file = node.bench.path("acme");
    node.run(&["token", "issue", "acme", "--to", file.to_str().unwrap()]).expect(0);
    let node = Node { token: file, ..node };
    let refused = node.json(&["aggregate", &name("crate"), &name("a"), "88.222/theirs"], 4);
    assert_eq!(refused["error"]["reason"], "NOT_PERMITTED");
    assert_eq!(lines(&node.json(&["trace-up", &name("a")], 0)), ["0 a"], "nothing was packed");
    node.run(&["aggregate", "88.222/box", &name("a")]).expect(0);

    // Hostile values are refused, whoever writes them.
    for data in ["in a box", "packed-in", "packed-in nowhere", &format!("part-of {}", name("bad"))] {
        let refused = node.json(&["register", &name("bad"), "--value", &format!("5 WM_LINK {data}")], 4);
        assert_eq!(refused["error"]["reason"], "INVALID_LINK", "{data}");
        assert!(!refused["error"]["remedy"].as_str().unwrap().is_empty());
        assert_eq!(refused["error"]["violations"][0]["field"], "values[5 WM_LINK]", "{data}");
    }
    node.daemon.stop().expect(0);
}

#[test]
fn limits_and_cycles_are_said_and_children_come_from_a_file() {
    let node = Node::start("");
    let names: Vec<String> = (0..30).map(|number| format!("i{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    register(&node, &names);
    register(&node, &["box"]);
    let children: String = names.iter().map(|suffix| format!("{}\n", name(suffix))).collect();
    let file = node.bench.path("children");
    fs::write(&file, children).unwrap();
    node.run(&["aggregate", &name("box"), "--from", file.to_str().unwrap()]).expect(0);
    let page = node.json(&["trace-down", &name("box"), "--children", "20"], 0);
    assert_eq!(
        (lines(&page).len(), &page["truncated"], &page["nodes"][0]["more"]),
        (21, &true.into(), &"children".into())
    );
    let token = page["nodes"][0]["next_page_token"].as_str().unwrap();
    let rest = node.json(&["trace-down", &name("box"), "--children", "20", "--page-token", token], 0);
    assert_eq!((lines(&rest).len(), &rest["truncated"]), (11, &false.into()));
    let few = node.run(&["trace-down", &name("box"), "--limit", "5"]).expect(0);
    few.says(&["This is not all of it"]);
    let shallow = node.json(&["trace-up", &name("i00"), "--depth", "1"], 0);
    assert_eq!(shallow["truncated"], false);
    // A box in one of its own items goes round, and is traced to its end.
    node.run(&["aggregate", &name("i00"), &name("box")]).expect(0);
    let round = node.json(&["trace-up", &name("i00")], 0);
    assert_eq!(
        (lines(&round), &round["has_cycle"]),
        (vec!["0 i00".into(), "1 box".into(), "2 i00".into()], &true.into())
    );
    node.run(&["trace-up", &name("i00")]).expect(0).says(&["The links go round"]);
    node.run(&["trace-up", &name("never")]).expect(3);
    node.daemon.stop().expect(0);
}
