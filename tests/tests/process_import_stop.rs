//! Imports into a running node that are told to stop: what was sent is not forgotten, and nobody waits for a node that is gone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use waymark_tests::operated::Node;
use waymark_tests::process::Process;
use waymark_tests::records;

/// Rows of a file: at the rate below, a node takes far longer for them than a test needs to stop the import.
const ROWS: usize = 40_000;

/// Configuration of a node that takes one or two messages of a stream a second, so that rows are always under way.
const SLOW: &str = "access.rate_per_second = 1024\n";

const STREAM: &str = "goods";

/// An import of [`ROWS`] rows that has outcomes of some, and the node it goes to.
fn import(words: &[&str]) -> (Node, Process) {
    let node = Node::start(SLOW);
    let file = node.bench.put("source.jsonl", records::text(&records::lines(ROWS, 100)));
    let common = ["import", file.to_str().unwrap(), "--stream", STREAM, "--json"];
    let mut import = Process::start(node.command(&[&common[..], words].concat()));
    let first: Value = serde_json::from_str(&import.next_line().expect("progress")).unwrap();
    assert_eq!(first["event"], "progress");
    (node, import)
}

/// The same, with a node that is killed while rows are under way and an import that was told to stop after it noticed.
fn orphaned(signal: Signal, words: &[&str]) -> (Node, Process) {
    let (Node { bench, daemon, token }, mut import) = import(words);
    daemon.process.kill();
    import.wait_for_log("The connection broke");
    import.signal(signal);
    let said = import.wait_for_log("Stopping");
    assert!(said.contains("rows under way, lines ") && said.contains(&format!("Stream: {STREAM}")), "{said}");
    // The next node takes rows as fast as it can.
    let config = bench.text("waymark.toml").replace(SLOW, "access.rate_per_second = 1000000\n");
    bench.put("waymark.toml", config);
    (Node { daemon: bench.serve(), bench, token }, import)
}

/// What an import says it leaves unknown; sends the file again as it says, and checks that every row is there once.
fn continued(node: &Node, ended: &waymark_tests::process::Ended) {
    let done = ended.json().pop().unwrap();
    assert_eq!((&done["event"], &done["stopped"], &done["stream"]), (&json!("done"), &json!(true), &json!(STREAM)));
    let (rows, first, last) =
        (&done["under_way"]["rows"], &done["under_way"]["first_line"], &done["under_way"]["last_line"]);
    assert_eq!(first.as_u64().unwrap(), done["last_item"].as_u64().unwrap() + 1, "each line is an item: {done}");
    assert_eq!(last.as_u64().unwrap() + 1 - first.as_u64().unwrap(), rows.as_u64().unwrap(), "{done}");
    let file = node.bench.path("source.jsonl");
    let again = node.json(&["import", file.to_str().unwrap(), "--stream", STREAM], 0);
    assert_eq!((&again["last_item"], &again["under_way"]), (&json!(ROWS), &Value::Null));
    let listed = node.run(&["list", &format!("{}/", records::PREFIX), "--json"]).expect(0);
    assert_eq!(listed.out.lines().count(), ROWS);
}

#[test]
fn an_import_whose_node_was_killed_ends_after_one_signal_and_says_what_it_does_not_know() {
    let (node, import) = orphaned(Signal::SIGINT, &["--stop-seconds", "0"]);
    let ended = import.ended().expect(10).says(&["error[upload-no-outcome]", "is unknown: lines ", "--stream goods"]);
    continued(&node, &ended);
}

#[test]
fn an_import_whose_node_was_killed_ends_at_once_after_a_second_signal() {
    // Longer than this test is given: only the second signal can end it.
    let (node, import) = orphaned(Signal::SIGTERM, &["--stop-seconds", "3600"]);
    import.signal(Signal::SIGTERM);
    let ended = import.ended().expect(10).says(&["error[upload-cut-off]", "is unknown: lines ", "--stream goods"]);
    continued(&node, &ended);
}

#[test]
fn an_import_that_is_told_to_stop_takes_no_more_rows_and_waits_for_the_outcomes_of_those_it_sent() {
    let (node, import) = import(&["--stop-seconds", "3600"]);
    import.signal(Signal::SIGINT);
    let done = import.ended().expect(0).says(&["Stopping"]).json().pop().unwrap();
    assert_eq!((&done["stopped"], &done["under_way"]), (&json!(true), &Value::Null));
    let sent = done["last_item"].as_u64().unwrap();
    assert!((1..ROWS as u64).contains(&sent), "{done}");
    let listed = node.run(&["list", &format!("{}/", records::PREFIX), "--json"]).expect(0);
    assert_eq!(listed.out.lines().count() as u64, sent, "what was answered is there, and nothing else");
}
