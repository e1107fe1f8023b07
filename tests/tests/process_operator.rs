//! A new operator at the command line, doing it wrong: each mistake is met with what is wrong and what to type instead.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::json;
use waymark_tests::operated::Node;
use waymark_tests::process::{Process, run, tool};
use waymark_tests::records;

/// `waymark` with these words where the usual data folder is that of the node, as on the machine of an operator.
fn beside(node: &Node, words: &[&str]) -> Command {
    let mut command = tool(words);
    command.env("WAYMARK_DATA", node.bench.data());
    command
}

#[test]
fn who_shows_no_credential_is_told_how_to_show_one() {
    let node = Node::start("");
    let refused = run(beside(&node, &["whoami"])).expect(4);
    refused.says(&["UNAUTHENTICATED", "--token-file FILE", "WAYMARK_TOKEN_FILE", "--client-certificate"]);
    let mut known = beside(&node, &["whoami"]);
    known.env("WAYMARK_TOKEN_FILE", &node.token);
    assert!(!run(known).expect(0).err.contains("Warning"), "the file of the first start is its owner's alone");
}

#[test]
fn a_token_everybody_can_read_is_warned_of() {
    let mut node = Node::start("");
    let token = node.bench.put("copy", fs::read(&node.token).unwrap());
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    node.token = token.clone();
    node.run(&["whoami"]).expect(0).says(&["Warning", "copy", "chmod 600"]);
    fs::set_permissions(&token, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(!node.run(&["whoami"]).expect(0).err.contains("Warning"));
    // What is made here is for its owner.
    let issued = node.bench.path("issued");
    node.run(&["token", "issue", "operator", "--to", issued.to_str().unwrap()]).expect(0).says(&["in this file"]);
    node.token = issued;
    assert!(!node.run(&["whoami"]).expect(0).err.contains("Warning"));
}

#[test]
fn a_wrong_address_and_a_wrong_pin_are_told_apart() {
    let node = Node::start("");
    let nowhere = ["whoami", "--server", "grpcs://127.0.0.1:1", "--pin", &node.pin(), "--timeout", "5000"];
    let told = run(tool(nowhere)).expect(5).says(&["error[no-answer]", "grpcs:// is encrypted, grpc:// is not"]);
    assert_eq!(told.err.matches("Connection refused").count(), 2, "while it tries, and at the end: {}", told.err);
    assert!(told.err.starts_with("No answer yet"), "{}", told.err);

    let pin = "00".repeat(32);
    let url = node.daemon.url("grpcs");
    let told = run(tool(["whoami", "--server", &url, "--pin", &pin])).expect(5).says(&["error[server-untrusted]"]);
    assert!(told.err.contains(&node.pin()), "the fingerprint that was shown: {}", told.err);
    let without = run(tool(["whoami", "--server", &url])).expect(2);
    without.says(&["error[server-settings]", "--pin", "prints the fingerprint"]);
}

#[test]
fn the_node_on_the_usual_folder_is_asked_while_it_runs() {
    let node = Node::start("");
    let with_token = |words: &[&str]| {
        let mut command = beside(&node, words);
        command.env("WAYMARK_TOKEN_FILE", &node.token);
        command
    };
    let homed = run(with_token(&["prefix", "home", "88.5", "--json"])).expect(0).json().pop().unwrap();
    assert_eq!(homed["outcome"], "homed");
    assert!(run(with_token(&["prefix", "list"])).expect(0).out.contains("0.NA/88.5"));
    assert!(run(with_token(&["principal", "list"])).expect(0).out.contains("operator"));
    let file = node.bench.put("few.jsonl", records::text(&records::lines(3, 50)));
    let done = run(with_token(&["import", file.to_str().unwrap(), "--json"])).expect(0).json().pop().unwrap();
    assert_eq!((&done["event"], &done["created"]), (&json!("done"), &json!(3)));
    // A folder that is named is meant, and in use.
    for words in
        [&["prefix", "list"][..], &["store", "check"], &["store", "rebuild"], &["audit", "verify"], &["export"]]
    {
        node.bench.run(words).expect(7).says(&["error[data-in-use]", "--server"]);
    }

    // Once it is stopped, the same words mean the folder.
    let Node { bench, daemon, .. } = node;
    daemon.stop().expect(0);
    let mut listed = tool(["prefix", "list"]);
    listed.env("WAYMARK_DATA", bench.data());
    assert!(run(listed).expect(0).out.contains("0.NA/88.5"));
}

#[test]
fn a_name_nobody_serves_is_met_with_the_command_that_changes_that() {
    let node = Node::start("");
    let value = ["--value", "1 URL u"];
    let refused = node.run(&["register", "88.222/x", value[0], value[1]]).expect(4);
    refused.says(&["NOT_SERVED", "prefix 88.222", "waymark prefix home"]);
    let refused = node.run(&["register", "no-slash", value[0], value[1]]).expect(4);
    refused.says(&["no-slash has no slash", "PREFIX/SUFFIX"]);
    let foreign = records::text(&records::lines(20, 50)).replace(records::PREFIX, "88.222");
    let file = node.bench.put("foreign.jsonl", foreign);
    let told = node.run(&["import", file.to_str().unwrap()]).expect(8).out;
    assert_eq!(told.matches("waymark prefix home").count(), 1, "once for all rows: {told}");
    let wrong = node.run(&["prefix", "home", "88.1/x"]).expect(4);
    assert_eq!(wrong.err.matches("not a prefix").count(), 1, "said once: {}", wrong.err);
}

#[test]
fn the_same_import_again_says_that_nothing_of_it_is_new() {
    let node = Node::start("");
    let file = node.bench.put("rows.jsonl", records::text(&records::lines(30, 50)));
    let words = ["import", file.to_str().unwrap()];
    assert!(!node.run(&words).expect(0).out.contains("Nothing of this is new"));
    assert!(node.run(&words).expect(0).out.contains("Nothing of this is new"));
    let empty = node.bench.put("empty.jsonl", "");
    let done = node.json(&["import", empty.to_str().unwrap()], 0);
    assert_eq!((&done["answered"], &done["refused"]), (&json!(0), &json!(0)), "a day without deliveries");
    node.run(&["job", "submit", empty.to_str().unwrap()]).expect(2).says(&["error[file-empty]"]);
}

#[test]
fn a_search_that_finds_nothing_or_too_much_says_so() {
    let node = Node::start("");
    node.run(&["audit", "search", "--verb", "registr"]).expect(0).says(&["0 entries"]);
    let all = node.run(&["audit", "search"]).expect(0);
    let count = all.out.lines().count();
    all.says(&[&format!("{count} entries")]);
    node.run(&["audit", "search", "--limit", "1"]).expect(0).says(&["The first 1 entries", "--limit"]);
}

#[test]
fn who_gives_up_waiting_for_a_change_is_told_under_which_id_to_ask_again() {
    for (words, signal) in
        [(&["register", "88.1/x", "--value", "1 URL u"][..], Signal::SIGINT), (&["delete", "88.1/x"], Signal::SIGTERM)]
    {
        // A server that takes the connection and says nothing.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("grpc://{}", silent.local_addr().unwrap());
        let change = Process::start(tool([words, &["--server", &url, "--json"]].concat()));
        let _connection = silent.accept().unwrap();
        change.signal(signal);
        let ended = change.ended().expect(10).says(&["error[outcome-unknown-id]", "--request-id"]);
        let told = &ended.json()[0];
        assert_eq!(told["outcome"], "unknown");
        assert!(ended.err.contains(told["request_id"].as_str().unwrap()), "{}", ended.err);
    }
}

#[test]
fn a_watch_that_is_stopped_says_where_to_go_on() {
    let node = Node::start("");
    let serial = node.json(&["register", "88.111.1/x", "--value", "1 URL u"], 0)["serial"].clone();
    let prefix = format!("{}/", records::PREFIX);
    let mut watch = Process::start(node.command(&["watch", "--from", "0", "--prefix", &prefix]));
    assert!(watch.next_line().unwrap().starts_with("88.111.1/x"));
    watch.signal(Signal::SIGINT);
    let told = watch.ended().expect(0).err;
    let from: u64 = told.rsplit("--from ").next().unwrap().trim_end_matches(['.', '\n']).parse().unwrap();
    assert!(from >= serial.as_u64().unwrap(), "{told}");
    let words = ["watch", "--from", &from.to_string(), "--prefix", &prefix, "--until-now"];
    assert_eq!(node.run(&words).expect(0).out, "", "nothing is told twice");
}
