//! The audit of a node at the command line: found again by every filter, exported, verified against what is kept elsewhere, pruned.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use waymark_catalog::{
    Actor, Command as Change, HomeName, Options, PutMode, Submission, Timestamp, Timestamps, ValueSet, Warm,
};
use waymark_tests::operated::Node;
use waymark_tests::process::{Bench, json_lines, run};
use waymark_wire::ValueBuf;

/// A folder whose node keeps its checkpoints in another place.
fn bench() -> (Bench, PathBuf) {
    let bench = Bench::default();
    let checkpoints = bench.path("checkpoints.jsonl");
    bench.configure(&format!("audit.checkpoint_file = \"{}\"\n", checkpoints.display()));
    (bench, checkpoints)
}

fn register(node: &Node, suffix: &str) {
    node.json(&["register", &format!("88.111.1/{suffix}"), "--value", "1 URL u"], 0);
}

/// The newest segment of the log, and where its content ends.
fn end_of_log(bench: &Bench) -> (PathBuf, usize) {
    let entries = fs::read_dir(bench.data().join("log")).unwrap().map(|entry| entry.unwrap().path());
    let segment = entries.filter(|path| path.extension().is_some_and(|found| found == "log")).max().unwrap();
    let content = fs::read(&segment).unwrap();
    (segment, content.iter().rposition(|byte| *byte != 0).unwrap() + 1)
}

/// What verifying the folder finds: what is wrong, and the summary.
#[track_caller]
fn verify(bench: &Bench, words: &[&str], code: i32) -> (Vec<String>, Value) {
    let mut lines = bench.run(&[&["audit", "verify", "--json"], words].concat()).expect(code).json();
    let summary = lines.pop().unwrap();
    assert_eq!(summary["problems"], lines.len(), "{summary}");
    (lines.iter().map(|line| line["what"].as_str().unwrap().to_owned()).collect(), summary)
}

#[test]
fn a_tail_that_was_cut_shows_against_checkpoints_kept_elsewhere() {
    let (bench, checkpoints) = bench();
    let node = Node::over(bench);
    register(&node, "before");
    let mut end = None;
    let node = node.restart(|bench| end = Some(end_of_log(bench)));
    register(&node, "to-be-forgotten");
    let Node { bench, daemon, token } = node;
    daemon.stop().expect(0);
    let anchors = ["--anchor", checkpoints.to_str().unwrap()];
    let (wrong, whole) = verify(&bench, &anchors, 0);
    assert!(wrong.is_empty() && whole["anchors"].as_u64() >= Some(2), "{whole}");

    // Somebody who may write the folder cuts the log where it ended before, and puts everything else in order.
    let (segment, length) = end.unwrap();
    let mut content = fs::read(&segment).unwrap();
    assert!(content[length..].iter().any(|byte| *byte != 0), "there is something to forget");
    content[length..].fill(0);
    fs::write(&segment, content).unwrap();
    fs::remove_file(bench.data().join("log/closed.end")).unwrap();
    bench.run(&["store", "rebuild"]).expect(0);
    bench.run(&["store", "check"]).expect(0);
    assert_eq!(bench.run(&["export"]).expect(0).out.lines().count(), 1, "it is forgotten");

    let (wrong, cut) = verify(&bench, &[], 0);
    assert!(wrong.is_empty() && cut["notes"].as_u64() < whole["notes"].as_u64(), "the chain alone cannot show it");
    let (wrong, _) = verify(&bench, &anchors, 6);
    assert!(wrong.iter().any(|what| what.contains("the tail was cut")), "{wrong:?}");
    let told = bench.run(&[&["audit", "verify"][..], &anchors].concat()).expect(6);
    assert!(told.out.contains("the tail was cut, the last note is"), "{}", told.out);

    // Nor does it help to write on.
    let node = Node { daemon: bench.serve(), bench, token };
    assert_eq!(node.json(&["audit", "verify"], 0)["problems"], 0);
    register(&node, "after");
    node.run(&["history", "88.111.1/to-be-forgotten"]).expect(3);
    let Node { bench, daemon, .. } = node;
    daemon.stop().expect(0);
    let (wrong, _) = verify(&bench, &anchors, 6);
    assert!(wrong.iter().any(|what| what.contains("the chain was written anew")), "{wrong:?}");
}

#[test]
fn checkpoints_count_when_the_key_of_the_node_signed_them() {
    let (bench, checkpoints) = bench();
    let node = Node::over(bench);
    register(&node, "x");
    let Node { bench, daemon, .. } = node;
    daemon.stop().expect(0);
    let anchors = checkpoints.to_str().unwrap();
    let key = bench.data().join("audit-key.pub");
    let key = key.to_str().unwrap();
    let (wrong, sound) = verify(&bench, &["--anchor", anchors, "--key", key], 0);
    assert!(wrong.is_empty() && sound["anchors"].as_u64() >= Some(1), "{sound}");
    let told = bench.run(&["audit", "verify", "--anchor", anchors, "--key", key]).expect(0).out;
    assert_eq!(told.lines().count(), 2, "{told}");

    // A checkpoint somebody made up: another signature under a true head.
    let mut made_up: Value = json_lines(&bench.text("checkpoints.jsonl")).pop().unwrap();
    made_up["signature"] = json!("00".repeat(64));
    let forged = bench.put("forged.jsonl", made_up.to_string());
    let (wrong, _) = verify(&bench, &["--anchor", forged.to_str().unwrap(), "--key", key], 6);
    assert!(wrong.iter().all(|what| what.contains("the anchor does not count")) && wrong.len() == 1, "{wrong:?}");
    // Checkpoints of another node, by its key and by ours.
    let other = Node::start("").restart(|_| {});
    let of_other = |name: &str| other.bench.data().join(name).to_str().unwrap().to_owned();
    let (wrong, _) = verify(&bench, &["--anchor", anchors, "--key", &of_other("audit-key.pub")], 6);
    assert!(wrong.iter().all(|what| what.contains("the anchor does not count")) && !wrong.is_empty(), "{wrong:?}");
    let (wrong, _) = verify(&bench, &["--anchor", &of_other("audit-checkpoints.jsonl")], 6);
    assert!(wrong.iter().any(|what| what.contains("of another store")), "{wrong:?}");

    // What is no checkpoint and no key is not passed over.
    let torn = bench.put("torn.jsonl", format!("{}{{\"version\":1,", bench.text("checkpoints.jsonl")));
    let refused = bench.run(&["audit", "verify", "--anchor", torn.to_str().unwrap()]);
    refused.expect(2).says(&["error[file-unreadable]", "torn.jsonl", "line "]);
    let refused = bench.run(&["audit", "verify", "--anchor", anchors, "--key", anchors]);
    refused.expect(2).says(&["error[file-unreadable]", "checkpoints.jsonl"]);
    bench.run(&["audit", "verify", "--anchor", "no such file"]).expect(2).says(&["error[file-unreadable]"]);
    for words in [["--anchor", anchors], ["--key", key]] {
        other.run(&[&["audit", "verify"][..], &words].concat()).expect(2).says(&["error[local-only]", words[0]]);
    }
}

/// A node with an audit of several actors, verbs, keys and outcomes; refusals are in it, since it was closed once.
fn eventful() -> Node {
    let mut node = Node::start("");
    node.json(&["principal", "put", "factory", "--role", "writer", "--prefix", "88.111.1"], 0);
    let file = node.bench.path("factory-token");
    node.run(&["token", "issue", "factory", "--to", file.to_str().unwrap()]).expect(0);
    let operator = std::mem::replace(&mut node.token, file);
    register(&node, "A.1");
    register(&node, "A.2");
    node.run(&["register", "88.222/x", "--value", "1 URL u"]).expect(4);
    node.run(&["delete", "88.111.1/A.2"]).expect(0);
    let factory = std::mem::replace(&mut node.token, operator);
    register(&node, "B.1");
    node.run(&["suspend", "88.111.1/A.1"]).expect(0);
    node.token = factory;
    node.run(&["register", "88.111.1/A.1", "--value", "1 URL other"]).expect(4);
    node.token = node.bench.data().join("operator-token");
    node.restart(|_| {})
}

/// A time in a form whose order is that of the times.
fn moment(entry: &Value) -> String {
    let time = entry["time"].as_str().unwrap().trim_end_matches('Z');
    if time.contains('.') { time.to_owned() } else { format!("{time}.000") }
}

type Kept = Box<dyn Fn(&Value) -> bool>;

/// Filters as they are typed, each with what it must let through.
fn filters(all: &[Value]) -> Vec<(Vec<String>, Kept)> {
    let is = |field: &'static str, value: &'static str| -> Kept { Box::new(move |entry| entry[field] == value) };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let begins = |entry: &Value| entry["key"].as_str().is_some_and(|key| key.to_lowercase().starts_with("88.111.1/a."));
    // Times that have entries on both sides.
    let (from, until) = (all[2].clone(), all[all.len() - 2].clone());
    let (first, last) = (moment(&from), moment(&until));
    let (from, until) = (from["time"].as_str().unwrap(), until["time"].as_str().unwrap());
    let (since, before) = (first.clone(), last.clone());
    vec![
        (words(&["--actor", "factory"]), is("actor", "factory")),
        (words(&["--verb", "delete"]), is("verb", "delete")),
        (words(&["--key", "88.111.1/a."]), Box::new(begins)),
        (words(&["--outcome", "not-permitted"]), is("outcome", "not-permitted")),
        (words(&["--outcome", "created"]), is("outcome", "created")),
        (words(&["--from", from]), Box::new(move |entry| moment(entry) >= since)),
        (words(&["--until", until]), Box::new(move |entry| moment(entry) < before)),
        (
            words(&[
                "--from",
                from,
                "--until",
                until,
                "--actor",
                "factory",
                "--verb",
                "create",
                "--key",
                "88.111.1/A.1",
            ]),
            Box::new(move |entry| {
                let within = moment(entry) >= first && moment(entry) < last;
                within && entry["actor"] == "factory" && entry["verb"] == "create" && entry["key"] == "88.111.1/A.1"
            }),
        ),
    ]
}

/// Goes through all filters with `audit search` or `audit export`, on a server or a folder.
fn find(verb: &str, command: impl Fn(&[&str]) -> Command) {
    let entries = |words: &[&str]| run(command(&[&["audit", verb, "--json"], words].concat())).expect(0).json();
    let all = entries(&[]);
    assert!(all.len() > 10, "{all:#?}");
    for (words, keeps) in filters(&all) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let expected: Vec<&Value> = all.iter().filter(|entry| keeps(entry)).collect();
        assert!(!expected.is_empty() && expected.len() < all.len(), "{words:?} tells entries apart in {all:#?}");
        assert_eq!(entries(&words).iter().collect::<Vec<_>>(), expected, "{words:?}");
    }
    assert!(entries(&["--actor", "nobody"]).is_empty());
    for (words, said) in [(["--from", "yesterday"], "2026-11-22"), (["--until", "22.11.2026"], "2026-11-22")] {
        run(command(&[&["audit", verb][..], &words].concat())).expect(2).says(&[said]);
    }
}

#[test]
fn every_filter_finds_what_it_says_on_a_server_and_in_a_folder() {
    let node = eventful();
    find("search", |words| node.command(words));
    find("export", |words| node.command(words));
    let some = |words: &[&str]| node.run(&[&["audit", "search", "--json"], words].concat()).expect(0).json();
    assert_eq!(some(&["--limit", "2"]), some(&[])[..2], "the oldest");
    let told = node.run(&["audit", "search", "--actor", "factory", "--outcome", "not-permitted"]).expect(0).out;
    assert!(told.contains("factory") && told.contains("88.222") && told.contains("not-permitted"), "{told}");
    let there = some(&["--actor", "factory"]);

    let Node { bench, daemon, .. } = node;
    daemon.stop().expect(0);
    find("search", |words| bench.tool(words));
    find("export", |words| bench.tool(words));
    let here = |words: &[&str]| bench.run(&[&["audit", "search", "--json"], words].concat()).expect(0).json();
    assert_eq!(here(&["--actor", "factory"]), there, "the same in the same form");
    assert_eq!(here(&["--limit", "2"]), here(&[])[..2]);
}

#[test]
fn an_export_goes_to_a_file_or_standard_output_and_says_how_many() {
    let node = eventful();
    let words = ["audit", "export", "--actor", "factory"];
    let out = node.run(&words).expect(0);
    let count = out.out.lines().count();
    assert!(count > 3 && out.err.contains(&format!("{count} entries")), "{}", out.err);
    let file = node.bench.path("audit.jsonl");
    let told = node.run(&[&words[..], &[file.to_str().unwrap()]].concat()).expect(0);
    assert_eq!((told.out.as_str(), node.bench.text("audit.jsonl")), ("", out.out.clone()));
    assert_eq!(node.run(&[&words[..], &["-"]].concat()).expect(0).out, out.out);
    let nowhere = node.bench.path("no such folder/audit.jsonl");
    node.run(&[&words[..], &[nowhere.to_str().unwrap()]].concat()).expect(1).says(&["error[file-not-written]"]);

    let Node { bench, daemon, .. } = node;
    daemon.stop().expect(0);
    let told = bench.run(&[&words[..], &[file.to_str().unwrap()]].concat()).expect(0);
    assert!(told.out.is_empty() && told.err.contains(&format!("{count} entries")), "{}", told.err);
    assert_eq!(json_lines(&bench.text("audit.jsonl")), json_lines(&out.out), "the same from the folder");
}

/// The time of a node that stopped writing years ago; each reading is a second later.
fn long_ago() -> Timestamp {
    static SECONDS: AtomicU64 = AtomicU64::new(1_600_000_000);
    Timestamp(SECONDS.fetch_add(1, Ordering::Relaxed) * 1_000)
}

/// Writes what a node wrote long ago, in several segments.
fn write_long_ago(bench: &Bench) {
    let mut store = waymark_store::Options::new(bench.data());
    store.segment_bytes = 4 << 10;
    let options = Options { warm: Warm::Off, clock: long_ago, expected_entries: 0, ..Options::new(store) };
    let catalog = waymark_catalog::open(&options).unwrap().catalog;
    let write = |change: Change| {
        let ticket = catalog.writer().submit(Submission::new(&Actor::operator(), [change])).unwrap();
        ticket.wait().unwrap().pop().unwrap().unwrap();
    };
    write(Change::Home { name: HomeName::parse(b"88.111.1").unwrap() });
    for number in 0..100 {
        write(Change::Put {
            handle: format!("88.111.1/{number:03}").into_bytes(),
            values: ValueSet::from_bufs(&[ValueBuf::new(1, b"URL", b"https://example.invalid/")]).unwrap(),
            timestamps: Timestamps::Keep,
            mode: PutMode::Create,
        });
    }
    catalog.shutdown().unwrap();
}

#[test]
fn pruning_takes_away_what_is_past_its_time_and_the_chain_still_verifies() {
    let bench = Bench::default();
    bench.run(&["audit", "prune"]).expect(7).says(&["error[data-missing]"]);
    write_long_ago(&bench);
    let told = || bench.run(&["audit", "search", "--verb", "create", "--json"]).expect(0).out.lines().count();
    assert_eq!(told(), 100);
    let (wrong, before) = verify(&bench, &[], 0);
    assert!(wrong.is_empty() && before["pruned"] == 0, "{before}");

    let pruned = bench.run(&["audit", "prune", "--json"]).expect(0).json().pop().unwrap();
    let notes = pruned["notes"].as_u64().unwrap();
    assert!(notes > 50 && pruned["damaged"] == 0, "{pruned}");
    assert!(told() < 50, "details are gone");
    let (wrong, after) = verify(&bench, &[], 0);
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(
        (&after["pruned"], after["notes"].as_u64()),
        (&json!(notes), Some(before["notes"].as_u64().unwrap() + 1))
    );
    let prunings = bench.run(&["audit", "search", "--verb", "prune", "--json"]).expect(0).json();
    assert_eq!((prunings.len(), &prunings[0]["actor"]), (1, &json!("node")), "it is told of itself");
    assert_eq!(bench.run(&["export"]).expect(0).out.lines().count(), 100, "identifiers are not touched");
    bench.run(&["store", "check"]).expect(0);

    // Nothing more is old, and what is young is kept.
    let again = bench.run(&["audit", "prune"]).expect(0);
    assert!(again.out.contains('0'), "{}", again.out);
    let node = Node::over(bench);
    register(&node, "young");
    let refused = node.bench.run(&["audit", "prune"]).expect(7);
    refused.says(&["error[data-in-use]"]);
    let Node { bench, daemon, .. } = node;
    daemon.stop().expect(0);
    bench.run(&["audit", "prune"]).expect(0);
    let young = bench.run(&["audit", "search", "--key", "88.111.1/young", "--json"]).expect(0).json();
    assert_eq!((young.len(), &young[0]["outcome"]), (1, &json!("created")));
}
