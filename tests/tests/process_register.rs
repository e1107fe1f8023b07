//! `waymark` against a running node's registration service: single changes, streamed imports, reading back, access, jobs, the audit.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;
use waymark_tests::operated::Node;
use waymark_tests::process::{Bench, Process, json_lines, run, tool};
use waymark_tests::records;

#[test]
fn command_lines_that_make_no_sense_are_refused_with_the_reason() {
    let bench = Bench::default();
    let nowhere = ["--server", "grpc://127.0.0.1:1", "--timeout", "200"];
    let cases: &[(&[&str], i32, &str)] = &[
        (&["register", "88.1/x"], 2, "server-missing"),
        (&["register"], 2, "HANDLE"),
        (&["register", "88.1/x", "--server", "http://x"], 2, "grpcs://HOST:PORT"),
        (&["register", "88.1/x", "--server", "grpcs://127.0.0.1:1"], 2, "server-settings"),
        (&["register", "88.1/x", "--value", "URL u", "--server", "grpc://127.0.0.1:1"], 2, "value-malformed"),
        (&["get", "88.1/x", "--at", "yesterday", "--server", "grpc://127.0.0.1:1"], 2, "2026-11-22"),
        (&["get", "88.1/x", nowhere[0], nowhere[1], nowhere[2], nowhere[3]], 5, "no-answer"),
        (&["watch", "--from", "-1"], 2, "-1"),
        (&["import", "f", "--server", "grpc://127.0.0.1:1", "--data", "d"], 2, "server-or-data"),
        (&["import", "no such file", "--server", "grpc://127.0.0.1:1"], 2, "file-unreadable"),
        (&["token", "issue", "somebody"], 2, "server-missing"),
        (&["token", "issue", "somebody", "--days", "500"], 2, "500"),
        (&["principal", "put", "somebody", "--role", "king"], 2, "enterprise-administrator"),
        (&["resolve", "88.1/x", "--at", "7"], 2, "at-needs-registration"),
        (&["resolve", "88.1/x", "--at", "7", "--server", "udp://127.0.0.1:1"], 2, "at-needs-registration"),
        (&["resolve", "88.1/x", "--server", "grpc://127.0.0.1:1"], 2, "registration-needs-at"),
        (&["audit", "verify"], 2, "server-missing"),
        (&["audit", "verify", "--data", "no such folder"], 7, "data-missing"),
        (&["job", "submit", "no such file", "--server", "grpc://127.0.0.1:1"], 2, "file-unreadable"),
    ];
    for (words, code, said) in cases {
        println!("{words:?}");
        let ended = run(tool(*words)).expect(*code).says(&[said]);
        assert_eq!(ended.out, "", "results alone go to standard output");
    }
    let mut set = tool(["token", "list", "--data", "no such folder"]);
    set.env("WAYMARK_SERVER", "grpc://127.0.0.1:1");
    run(set).expect(7).says(&["data-missing"]);
    let mut set = tool(["token", "list", "--server", "grpc://127.0.0.1:1", "--timeout", "200"]);
    set.env("WAYMARK_DATA", "no such folder");
    run(set).expect(5).says(&["no-answer"]);
    let pages = bench.path("man");
    run(tool(["man", pages.to_str().unwrap()])).expect(0);
    assert!(pages.join("waymark-register.1").exists());
    assert!(run(tool(["completions", "bash"])).expect(0).out.contains("waymark"));
}

#[test]
fn an_identifier_goes_through_its_whole_life() {
    let node = Node::start("");
    let name = "88.111.1/first";
    let register = ["register", name, "--value", "1 URL https://example.invalid/1"];

    let checked = node.json(&[&register[..], &["--validate-only"]].concat(), 0);
    assert_eq!(checked["outcome"], "created");
    node.run(&["get", name]).expect(3).says(&["NOT_FOUND"]);
    let made = node.json(&register, 0);
    assert_eq!((&made["outcome"], &made["repeated"]), (&json!("created"), &json!(false)));
    let same = node.json(&register, 0);
    assert_eq!((&same["outcome"], &same["serial"]), (&json!("exists-same"), &made["serial"]));

    let other = ["register", name, "--value", "1 URL https://example.invalid/2"];
    let refused = node.json(&other, 4);
    assert_eq!(refused["error"]["reason"], "ALREADY_EXISTS_DIFFERENT");
    assert_eq!(refused["error"]["current_serial"], made["serial"]);
    node.run(&[&other[..], &["--replace", "--expect-serial", "1"]].concat()).expect(4).says(&["UNEXPECTED"]);
    let id = "019dd000-0000-7000-8000-000000000001";
    node.run(&[&other[..], &["--replace", "--request-id", id]].concat()).expect(4).says(&["IDEMPOTENCY_EXPIRED"]);
    let serial = made["serial"].to_string();
    let replaced = node.json(&[&other[..], &["--replace", "--expect-serial", &serial]].concat(), 0);
    assert_eq!(replaced["outcome"], "replaced");

    let now = node.json(&["get", name], 0);
    assert_eq!(now["values"][0]["data"]["value"], "https://example.invalid/2");
    assert_eq!((&now["serial"], &now["state"]), (&replaced["serial"], &json!("active")));
    let then = node.json(&["get", name, "--at", &serial], 0);
    assert_eq!(then["values"][0]["data"]["value"], "https://example.invalid/1");
    let as_resolved = node.json(&["resolve", name, "--at", &serial], 0);
    assert_eq!(as_resolved["serial"], made["serial"]);

    let door = node.daemon.url("udp");
    let resolve = ["resolve", name, "--server", &door];
    run(tool(resolve)).expect(0);
    node.run(&["suspend", name, "--reason", "recall"]).expect(0);
    run(tool(resolve)).expect(3);
    let suspended = node.json(&["get", name], 0);
    assert_eq!((&suspended["state"], &suspended["state_reason"]), (&json!("suspended"), &json!("recall")));
    node.run(&["resume", name]).expect(0);
    run(tool(resolve)).expect(0);
    let deleted = node.json(&["delete", name], 0);
    assert_eq!(deleted["outcome"], "deleted");
    node.run(&["delete", name]).expect(3);

    let versions = node.run(&["history", name, "--values", "--json"]).expect(0).json();
    let states: Vec<_> = versions.iter().map(|version| version["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["deleted", "active", "suspended", "active", "active"]);
    assert_eq!(versions[4]["values"][0]["data"]["value"], "https://example.invalid/1");
    assert_eq!(versions[0]["actor"], "operator");

    let changes =
        node.run(&["watch", "--from", "0", "--until-now", "--prefix", "88.111.1/", "--json"]).expect(0).json();
    let serials: Vec<_> = changes.iter().map(|change| change["serial"].as_u64().unwrap()).collect();
    assert!(serials.is_sorted() && serials.len() == 6, "five changes and the end: {changes:?}");
    node.run(&["revoke", "88.111.1/never"]).expect(3);
}

#[test]
fn a_name_that_never_existed_is_said_to_be_absent_in_both_languages() {
    let node = Node::start("");
    let name = "88.111.1/never";
    for (words, english, chinese) in [
        (
            ["history", name],
            "error[history-empty]: There is no identifier 88.111.1/never here",
            "没有标识 88.111.1/never",
        ),
        (["get", name], "error[server-refused]: NOT_FOUND: there is no such identifier", "没有这样的对象"),
    ] {
        let told = node.run(&words).expect(3).says(&[english]);
        assert_eq!(told.out, "", "results alone go to standard output");
        let mut in_chinese = node.command(&words);
        in_chinese.env("LANG", "zh_CN.UTF-8");
        run(in_chinese).expect(3).says(&[chinese]);
    }
    assert_eq!(node.run(&["history", name, "--json"]).expect(3).out, "");
    assert_eq!(node.json(&["get", name], 3)["error"]["reason"], "NOT_FOUND");

    // That nothing is there is an answer too.
    let listed = node.run(&["list", "88.111.1/"]).expect(0).says(&["0 identifiers"]);
    assert!(listed.out.is_empty() && !listed.err.contains("error"), "{}", listed.err);
    assert_eq!(node.run(&["list", "88.111.1/", "--json"]).expect(0).out, "");

    // One that was deleted has a history.
    node.json(&["register", name, "--value", "1 URL u"], 0);
    node.run(&["delete", name]).expect(0);
    assert_eq!(node.run(&["history", name, "--json"]).expect(0).out.lines().count(), 2);
    node.run(&["get", name]).expect(3);
}

#[test]
fn a_refusal_tells_cause_and_remedy_apart_in_both_languages() {
    let node = Node::start("");
    let words = ["register", "88.222/x", "--value", "1 URL u"];
    let refused = |language: &str, more: &[&str]| {
        let mut command = node.command(&[&words[..], more].concat());
        command.env("LANG", language);
        run(command).expect(4)
    };
    let cases = [
        ("C", "prefix 88.222 does not live on this node", "ask the node that serves the prefix", "What to do: "),
        ("zh_CN.UTF-8", "前缀 88.222 不在本节点", "请向服务该前缀的节点提交", "处理办法:"),
    ];
    for (language, cause, remedy, lead) in cases {
        let told = refused(language, &["--json"]).json().pop().unwrap();
        assert_eq!(told["error"]["cause"], cause);
        assert!(told["error"]["remedy"].as_str().unwrap().starts_with(remedy), "{told}");
        let told = refused(language, &[]).err;
        let lines: Vec<&str> = told.lines().collect();
        assert!(lines[0].starts_with("error[server-refused]: NOT_SERVED") && lines[0].ends_with(cause), "{told}");
        assert!(lines[1].trim_start().starts_with(&format!("{lead}{remedy}")), "{told}");
    }
}

#[test]
fn an_import_leaves_its_failed_rows_to_be_mended_and_sent_again() {
    let node = Node::start("");
    let mut lines = records::lines(2_000, 300);
    lines[700] = "{\"handle\":\"88.111.1/bad\",\"values\":[".into();
    lines[1_500] = lines[1_500].replace(records::PREFIX, "88.222.2");
    let file = node.bench.put("source.jsonl", records::text(&lines));
    let file = file.to_str().unwrap();

    let done = node.json(&["import", file], 8);
    assert_eq!((&done["created"], &done["refused"]), (&json!(1_998), &json!(2)));
    let rows = node.bench.text("source.jsonl.failed.jsonl");
    assert_eq!(rows, records::text(&[lines[700].clone(), lines[1_500].clone()]), "as they stood in the file");
    let reasons = json_lines(&node.bench.text("source.jsonl.rejects.jsonl"));
    let told: Vec<_> =
        reasons.iter().map(|reason| (reason["line"].as_u64().unwrap(), reason["code"].clone())).collect();
    assert_eq!(told, [(701, json!("not-json")), (1_501, json!("NOT_SERVED"))]);

    let again = node.json(&["import", file], 8);
    assert_eq!(
        (&again["created"], &again["repeated"]),
        (&json!(1_998), &json!(1_999)),
        "settled before, and nothing done twice"
    );
    node.run(&["prefix", "home", "88.222.2"]).expect(0);
    let anew = node.json(&["import", file, "--from-start"], 8);
    assert_eq!(
        (&anew["created"], &anew["same"], &anew["refused"]),
        (&json!(1), &json!(1_998), &json!(1)),
        "decided anew"
    );
    node.run(&["delete", &records::name(1_500).replace(records::PREFIX, "88.222.2")]).expect(0);
    let mended = records::text(&[records::line(700, 300), records::line(1_500, 300)]);
    fs::write(node.bench.path("source.jsonl.failed.jsonl"), mended).unwrap();
    let mended = node.bench.path("source.jsonl.failed.jsonl");
    let done = node.json(&["import", mended.to_str().unwrap()], 0);
    assert_eq!(done["created"], 2);

    let listed = node.run(&["list", "88.111.1/", "--values", "--json"]).expect(0).json();
    assert_eq!(listed.len(), 2_000);
    let by_time =
        node.run(&["list", "88.111.1/", "--changed-from", "2020-01-01", "--limit", "700", "--json"]).expect(0).json();
    assert!(by_time.windows(2).all(|pair| pair[0]["serial"].as_u64() < pair[1]["serial"].as_u64()), "oldest first");
    assert_eq!(by_time.len(), 700);
    let few = node.run(&["list", "88.111.1/", "--limit", "3"]).expect(0);
    assert_eq!(few.out.lines().count(), 3);
    let expected = records::text(&records::lines(2_000, 300));
    node.daemon.stop().expect(0);
    assert_eq!(node.bench.run(&["export"]).expect(0).out, expected);
}

#[test]
fn an_import_that_is_killed_or_stopped_is_continued() {
    let node = Node::start("access.rate_per_second = 1000000\n");
    let lines = records::lines(20_000, 400);
    let file = node.bench.put("source.jsonl", records::text(&lines));
    let words = ["import", file.to_str().unwrap(), "--json"];

    let mut killed = Process::start(node.command(&words));
    let first = killed.next_line().expect("progress");
    killed.kill();
    assert!(first.contains("\"event\""), "{first}");
    let stopped = Process::start(node.command(&words));
    stopped.signal(Signal::SIGTERM);
    stopped.ended();
    let done = run(node.command(&words)).expect(0).json().pop().unwrap();
    assert_eq!((&done["event"], &done["last_item"]), (&json!("done"), &json!(20_000)));
    node.daemon.stop().expect(0);
    assert_eq!(node.bench.run(&["export"]).expect(0).out, records::text(&lines));
}

#[test]
fn tokens_are_as_narrow_as_they_were_made_and_end_when_revoked() {
    let mut node = Node::start("");
    node.json(&["principal", "put", "factory", "--role", "writer", "--prefix", records::PREFIX], 0);
    let file = node.bench.path("factory-token");
    node.run(&["token", "issue", "factory", "--verb", "create", "--to", file.to_str().unwrap()]).expect(0);
    let operator = std::mem::replace(&mut node.token, file);

    let who = node.json(&["whoami"], 0);
    assert_eq!((&who["principal"], &who["role"]), (&json!("factory"), &json!("writer")));
    node.json(&["register", "88.111.1/x", "--value", "1 URL u"], 0);
    node.run(&["delete", "88.111.1/x"]).expect(4).says(&["NOT_PERMITTED"]);
    node.run(&["register", "88.222/x", "--value", "1 URL u"]).expect(4);
    node.run(&["principal", "put", "friend", "--role", "reader"]).expect(4).says(&["NOT_PERMITTED"]);
    let factory = std::mem::replace(&mut node.token, operator);

    node.json(&["quota", "set", "factory", "1"], 0);
    let quota = node.json(&["quota", "show", "factory"], 0);
    assert_eq!((&quota["daily_quota"], &quota["daily_left"]), (&json!(1), &json!(0)));
    let tokens = node.run(&["token", "list", "factory", "--json"]).expect(0).json();
    let id = tokens[0]["id"].as_str().unwrap();
    let operator = std::mem::replace(&mut node.token, factory);
    let over = node.json(&["register", "88.111.1/y", "--value", "1 URL u"], 4);
    assert_eq!(over["error"]["reason"], "QUOTA_EXCEEDED");
    assert!(over["error"]["retry_at"].is_string(), "{over}");
    let factory = std::mem::replace(&mut node.token, operator);
    node.json(&["token", "revoke", id, "--reason", "left"], 0);
    node.token = factory;
    node.run(&["register", "88.111.1/x", "--value", "1 URL u"]).expect(4).says(&["error[server-refused]"]);

    // Whoever lost the operator's token makes another on the stopped node.
    let Node { bench, daemon, .. } = node;
    daemon.stop().expect(0);
    let issued = bench.run(&["token", "issue", "operator"]).expect(0);
    assert!(issued.out.starts_with("wm1_"), "{}", issued.out);
    let token = bench.put("new-token", &issued.out);
    let node = Node { daemon: bench.serve(), bench, token };
    assert_eq!(node.json(&["whoami"], 0)["principal"], "operator");
    assert!(node.run(&["principal", "list"]).expect(0).out.contains("factory"));
}

#[test]
fn the_audit_tells_of_everything_there_and_here() {
    let node = Node::start("");
    node.json(&["register", "88.111.1/x", "--value", "1 URL u"], 0);
    node.run(&["prefix", "home", "88.333"]).expect(0);
    assert!(node.run(&["prefix", "list"]).expect(0).out.contains("0.NA/88.333"));
    let homed = node.run(&["audit", "search", "--verb", "home", "--json"]).expect(0).json();
    assert_eq!(homed.last().unwrap()["actor"], "operator");
    let sound = node.json(&["audit", "verify"], 0);
    assert_eq!(sound["problems"], json!(0));

    let Node { bench, daemon, .. } = node;
    daemon.stop().expect(0);
    let here = bench.run(&["audit", "verify", "--json"]).expect(0).json().pop().unwrap();
    assert_eq!(here["problems"], json!(0));
    assert!(here["notes"].as_u64() >= sound["notes"].as_u64());
    let exported = bench.run(&["audit", "export"]).expect(0).json();
    let made: Vec<_> = exported.iter().filter(|entry| entry["key"] == "88.111.1/x").collect();
    assert_eq!((made.len(), &made[0]["door"], &made[0]["outcome"]), (1, &json!("grpc"), &json!("created")));
    bench.run(&["audit", "prune"]).expect(0);
}

#[test]
fn a_job_is_imported_by_the_node_and_gives_its_failed_lines_back() {
    let node = Node::start("");
    let mut lines = records::lines(300, 200);
    lines[7] = "no record".into();
    let file = node.bench.put("upload.jsonl", records::text(&lines));
    let id = "--request-id";
    let request = uuid::Uuid::now_v7().to_string();
    let job = node.json(&["job", "submit", file.to_str().unwrap(), id, &request], 0);
    let again = node.json(&["job", "submit", file.to_str().unwrap(), id, &request], 0);
    assert_eq!(job["id"], again["id"], "the same upload, asked about again");
    let id = job["id"].as_str().unwrap();
    let over = node.json(&["job", "show", id, "--wait"], 8);
    assert_eq!((&over["state"], &over["created"], &over["refused"]), (&json!("done"), &json!(299), &json!(1)));
    let failed = node.run(&["job", "result", id]).expect(0).json();
    assert_eq!((failed.len(), &failed[0]["line"]), (1, &json!(8)));
    assert_eq!(node.run(&["job", "list", "--json"]).expect(0).json().len(), 1);
    node.run(&["job", "show", "no-such-job"]).expect(3);
    let told = node.run(&["audit", "search", "--key", &records::name(0), "--json"]).expect(0).json();
    assert_eq!((&told[0]["door"], &told[0]["actor"]), (&json!("job"), &json!("operator")));
}
