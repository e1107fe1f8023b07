//! A takeover and the return from it: the drill as an operator runs it, and what comes back in all its kinds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test may fail by panicking, and waits by the machine's clock"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use waymark_tests::operated::Node;
use waymark_tests::process::{PATIENCE, Process, json_lines, run, tool};
use waymark_tests::records::PREFIX;

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A change as an emergency node tells it.
fn change(serial: u64, time_ms: u64, status: &str, name: &str, text: Option<&str>) -> String {
    let values = text.map_or_else(String::new, |text| {
        format!(
            r#"{{"index":1,"type":"DESC","ttl":86400,"permissions":"1110","timestamp":1790000000,"data":{{"format":"string","value":"{text}"}}}}"#
        )
    });
    let reason = if status == "suspended" || status == "revoked" { "leaks" } else { "" };
    format!(
        r#"{{"serial":{serial},"time_ms":{time_ms},"status":"{status}","reason":"{reason}","record":{{"handle":"{PREFIX}/{name}","values":[{values}]}}}}"#
    )
}

/// A file of them, written by hand from the form's description.
fn file_of(node: &str, watermark: u64, changes: &[String]) -> String {
    let mut text = format!(
        r#"{{"waymark_takeover":1,"side":"emergency","node":"{node}","deposit":"{}","date":"2099-01-01","watermark":{watermark},"after":0,"upto":1000000,"made_ms":{}}}"#,
        "5f".repeat(16),
        now_ms()
    );
    text.push('\n');
    changes.iter().for_each(|change| writeln!(text, "{change}").unwrap());
    let digest = hex::encode(Sha256::digest(&text));
    writeln!(text, r#"{{"changes":{},"sha256":"{digest}"}}"#, changes.len()).unwrap();
    text
}

/// Notes in the data folder of a node that it was restored.
fn note_restored(node: &Node, deposit: &str, watermark: u64, serial: u64) {
    let note = serde_json::json!({
        "node": PREFIX, "deposit": deposit.repeat(16), "date": "2026-11-30", "watermark": watermark, "serial": serial,
    });
    std::fs::write(node.bench.data().join("restored.json"), note.to_string()).unwrap();
}

fn put(node: &Node, name: &str, text: &str) {
    let (name, value) = (format!("{PREFIX}/{name}"), format!("1 DESC {text}"));
    node.run(&["register", &name, "--replace", "--value", &value]).expect(0);
}

fn withdraw(node: &Node, verb: &str, name: &str) {
    node.run(&[verb, &format!("{PREFIX}/{name}")]).expect(0);
}

/// The newest serial of a node.
fn newest(node: &Node) -> u64 {
    node.json(&["watch", "--from", "now", "--until-now"], 0)["serial"].as_u64().unwrap()
}

/// What is said of an identifier: its status and the text of its first value.
fn shown(node: &Node, name: &str) -> (String, String) {
    let versions = node.run(&["history", &format!("{PREFIX}/{name}"), "--values", "--json"]);
    let latest = versions.json().into_iter().next().unwrap_or_default();
    let text = latest["values"][0]["data"]["value"].as_str().unwrap_or_default();
    (latest["state"].as_str().unwrap_or("never").to_owned(), text.to_owned())
}

/// What an import says: each conflict by its name, and its last line.
fn import(node: &Node, file: &str, more: &[&str], code: i32) -> (BTreeMap<String, (String, String)>, Value) {
    let words = [&["takeover", "import", file, "--json"], more].concat();
    let lines = node.run(&words).expect(code).json();
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    let conflicts = lines.iter().filter(|line| line["event"] == "conflict").map(|line| {
        assert!(line["here"]["record"].is_object() && line["there"]["record"].is_object(), "{line}");
        let name = text(line, "handle").strip_prefix(&format!("{PREFIX}/")).unwrap().to_owned();
        (name, (text(line, "kind"), text(line, "holds")))
    });
    (conflicts.collect(), lines.last().unwrap().clone())
}

fn figures<const N: usize>(line: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| line[name].as_u64().unwrap())
}

#[test]
fn the_drill_of_a_takeover_goes_as_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let keep = folder.path().join("drill");
    let ended = run(tool(["drill", "takeover", "--json", "--keep", keep.to_str().unwrap()])).expect(0);
    let lines = ended.json();
    let steps: Vec<&Value> = lines.iter().filter(|line| line["step"].is_string()).collect();
    assert!(steps.len() >= 15 && steps.iter().all(|step| step["good"] == true), "{steps:#?}");
    let due = steps.iter().find(|step| step["step"] == "drill-due").unwrap();
    let percent: f64 = due["values"]["percent"].as_str().unwrap().parse().unwrap();
    assert!(percent >= 51.0, "{due}");
    let answered = steps.iter().find(|step| step["step"] == "drill-answered").unwrap();
    assert!(answered["values"]["ms"].as_str().unwrap().parse::<u64>().unwrap() > 0);
    let journal = keep.join("takeover.jsonl.import.jsonl");
    assert_eq!(std::fs::metadata(&journal).unwrap().permissions().mode() & 0o077, 0, "its owner's alone");
    let kept = json_lines(&std::fs::read_to_string(&journal).unwrap());
    let both = kept.iter().find(|line| line["plan"] == "88.990/BOX.4").unwrap();
    assert!(both["here"].to_string().contains("changed at the node, later"), "{both}");
    assert!(both["there"].to_string().contains("changed during the takeover, earlier"), "{both}");
    run(tool(["drill", "takeover", "--keep", keep.to_str().unwrap()])).expect(2).says(&["error[drill-folder]"]);
}

#[test]
fn each_kind_of_conflict_is_listed_and_decided_by_the_rule() {
    let node = Node::start("");
    let names = ["LATER", "EARLIER", "GONE", "KEPT", "DROPPED", "ENDED", "ENDS", "ALIKE", "PLAIN", "PAUSED", "AWAY"];
    names.iter().for_each(|name| put(&node, name, "as it was"));
    let base = newest(&node);
    for name in ["LATER", "EARLIER", "KEPT", "DROPPED", "ENDS"] {
        put(&node, name, "by the node");
    }
    put(&node, "TWICE", "by the node");
    put(&node, "ALIKE", "by both");
    withdraw(&node, "delete", "GONE");
    withdraw(&node, "revoke", "ENDED");
    std::thread::sleep(Duration::from_millis(20));
    let (later, earlier) = (now_ms(), now_ms() - 3_600_000);
    let new = Some("by the takeover");
    let changes = [
        change(1, later, "active", "LATER", new),
        change(2, earlier, "active", "EARLIER", new),
        change(3, later, "active", "GONE", new),
        change(4, earlier, "deleted", "KEPT", None),
        change(5, later, "deleted", "DROPPED", None),
        change(6, later, "active", "ENDED", new),
        change(7, earlier, "revoked", "ENDS", Some("as it was")),
        change(8, earlier, "active", "ALIKE", Some("by both")),
        change(9, earlier, "active", "PLAIN", Some("on the way")),
        change(10, earlier, "suspended", "PAUSED", Some("as it was")),
        change(11, later, "active", "TWICE", new),
        change(12, earlier, "active", "FRESH", new),
        change(13, earlier, "active", "PASSING", new),
        change(14, earlier, "deleted", "PASSING", None),
        change(15, earlier, "deleted", "AWAY", None),
        change(16, earlier, "active", "PLAIN", new),
    ];
    let file = node.bench.put("takeover.jsonl", file_of(PREFIX, base, &changes)).display().to_string();
    let before = newest(&node);
    let (foreseen, told) = import(&node, &file, &["--dry-run"], 0);
    assert_eq!(newest(&node), before, "nothing was changed");
    let wanted = [
        ("LATER", "both-changed", "takeover"),
        ("EARLIER", "both-changed", "node"),
        ("GONE", "deleted-here", "takeover"),
        ("KEPT", "deleted-there", "node"),
        ("DROPPED", "deleted-there", "takeover"),
        ("ENDED", "revoked", "node"),
        ("ENDS", "revoked", "takeover"),
        ("TWICE", "both-registered", "takeover"),
    ];
    let wanted: BTreeMap<_, _> =
        wanted.into_iter().map(|(name, kind, holds)| (name.to_owned(), (kind.to_owned(), holds.to_owned()))).collect();
    assert_eq!(foreseen, wanted);
    assert_eq!(figures(&told, ["identifiers", "conflicts", "refused"]), [14, 8, 0]);

    let (conflicts, told) = import(&node, &file, &[], 0);
    assert_eq!(conflicts, wanted);
    let names = ["created", "changed", "deleted", "same", "kept", "refused"];
    assert_eq!(figures(&told, names), [2, 5, 2, 2, 3, 0], "{told}");
    let is =
        |name: &str, status: &str, text: &str| assert_eq!(shown(&node, name), (status.into(), text.into()), "{name}");
    is("LATER", "active", "by the takeover");
    is("EARLIER", "active", "by the node");
    is("GONE", "active", "by the takeover");
    is("KEPT", "active", "by the node");
    is("DROPPED", "deleted", "");
    is("ENDED", "revoked", "as it was");
    is("ENDS", "revoked", "as it was");
    is("ALIKE", "active", "by both");
    is("PLAIN", "active", "by the takeover");
    is("PAUSED", "suspended", "as it was");
    is("TWICE", "active", "by the takeover");
    is("FRESH", "active", "by the takeover");
    is("PASSING", "never", "");
    is("AWAY", "deleted", "");

    // Again, with and without what was noted: nothing is changed, and what the node did since stays.
    put(&node, "FRESH", "by the node, since");
    let settled = newest(&node);
    let (_, told) = import(&node, &file, &[], 0);
    assert_eq!(figures(&told, ["done_before"]), [14]);
    std::fs::remove_file(format!("{file}.import.jsonl")).unwrap();
    let (_, told) = import(&node, &file, &[], 0);
    assert_eq!(figures(&told, ["created", "changed", "deleted"]), [0, 0, 0]);
    assert_eq!(newest(&node), settled);
    is("FRESH", "active", "by the node, since");
    let human = node.run(&["takeover", "import", &file, "--dry-run"]).expect(0);
    assert!(human.out.contains("both sides changed it; the node's own holds (acknowledged later)"), "{}", human.out);
    let chinese = node.run(&["--lang", "zh", "takeover", "import", &file, "--dry-run"]).expect(0);
    assert!(chinese.out.contains("双方都更改了；以节点自身的为准"), "{}", chinese.out);
    node.daemon.stop().expect(0);
}

/// What an import that was killed leaves: some identifiers done, some planned.
#[test]
fn an_import_that_is_killed_is_gone_on_with_and_changes_nothing_twice() {
    const COUNT: u64 = 3_000;
    let node = Node::start("");
    let base = newest(&node);
    let time = now_ms();
    // Each third takes two changes, so that a kill comes between them.
    let status = |number: u64| if number.is_multiple_of(3) { "suspended" } else { "active" };
    let changes: Vec<String> = (1..=COUNT)
        .map(|number| change(number, time, status(number), &format!("N{number:05}"), Some("by the takeover")))
        .collect();
    let file = node.bench.put("takeover.jsonl", file_of(PREFIX, base, &changes)).display().to_string();
    let journal = PathBuf::from(format!("{file}.import.jsonl"));
    let mut kills = 0;
    for round in 1..=4_u64 {
        let process = Process::start(node.command(&["takeover", "import", &file, "--json"]));
        let ends = Instant::now() + PATIENCE;
        let done = || std::fs::read_to_string(&journal).unwrap_or_default().matches("\"done\":").count() as u64;
        while done() < round * COUNT / 6 {
            assert!(Instant::now() < ends, "the import makes no progress");
            std::thread::sleep(Duration::from_millis(1));
        }
        kills += u64::from(process.kill().status.code().is_none());
    }
    assert!(kills >= 1, "no import was under way when it was killed");
    let (conflicts, told) = import(&node, &file, &[], 0);
    assert!(conflicts.is_empty(), "{conflicts:?}");
    assert_eq!(figures(&told, ["identifiers", "refused"]), [COUNT, 0]);
    assert!(told["done_before"].as_u64().unwrap() >= COUNT / 6);
    let watched = node.run(&["watch", "--from", &base.to_string(), "--until-now", "--json"]).expect(0).json();
    let mut versions: BTreeMap<String, u64> = BTreeMap::new();
    for line in watched.iter().filter(|line| line["handle"].is_string()) {
        *versions.entry(line["handle"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(versions.len() as u64, COUNT);
    for (handle, count) in versions {
        let number: u64 = handle.rsplit('N').next().unwrap().parse().unwrap();
        assert_eq!(count, if number.is_multiple_of(3) { 2 } else { 1 }, "{handle}");
    }
    node.daemon.stop().expect(0);
}

/// What an import leaves that was cut off before it noted what it did, and before it did what it planned; and what a journal of an earlier version tells.
#[test]
fn what_the_node_wrote_after_an_import_was_cut_off_is_not_written_over() {
    let node = Node::start("");
    let names = ["DONE", "PLANNED", "OLDER"];
    names.iter().for_each(|name| put(&node, name, "as it was"));
    let base = newest(&node);
    let changes: Vec<String> = (1..)
        .zip(names)
        .map(|(serial, name)| change(serial, now_ms() - 3_600_000, "active", name, Some("by the takeover")))
        .collect();
    let file = node.bench.put("takeover.jsonl", file_of(PREFIX, base, &changes)).display().to_string();
    let (conflicts, told) = import(&node, &file, &[], 0);
    assert!(conflicts.is_empty(), "{conflicts:?}");
    assert_eq!(figures(&told, ["changed"]), [3]);
    let journal = PathBuf::from(format!("{file}.import.jsonl"));
    let lines = json_lines(&std::fs::read_to_string(&journal).unwrap());
    let kept: String = lines
        .into_iter()
        .filter(|line| line["done"].is_null())
        .map(|mut line| {
            match line["plan"].as_str().map(|handle| handle.rsplit('/').next().unwrap()) {
                Some("PLANNED") => line["request"] = "01976b9a-7c00-7000-8000-000000000000".into(),
                Some("OLDER") => {
                    ["at", "request"].iter().for_each(|name| drop(line.as_object_mut().unwrap().remove(*name)))
                }
                _ => {}
            }
            format!("{line}\n")
        })
        .collect();
    std::fs::write(&journal, kept).unwrap();
    names.iter().for_each(|name| put(&node, name, "by the node, since"));
    let settled = newest(&node);
    let (conflicts, told) = import(&node, &file, &[], 0);
    let both = ("both-changed".to_owned(), "node".to_owned());
    assert_eq!(conflicts, [("OLDER".to_owned(), both.clone()), ("PLANNED".to_owned(), both)].into());
    assert_eq!(figures(&told, ["done_before", "kept", "changed"]), [1, 2, 0], "{told}");
    assert_eq!(newest(&node), settled);
    names.iter().for_each(|name| assert_eq!(shown(&node, name).1, "by the node, since", "{name}"));
    let (_, told) = import(&node, &file, &[], 0);
    assert_eq!(figures(&told, ["done_before"]), [3], "it is settled");
    node.daemon.stop().expect(0);
}

/// An identifier of which the first change was made and the second is refused: the notice of its recall is longer than one may be.
#[test]
fn what_an_import_did_by_half_is_known_for_its_own_until_somebody_else_writes() {
    let node = Node::start("");
    let notice = format!(
        r#",{{"index":1002,"type":"WAYMARK_RECALL","ttl":86400,"permissions":"1110","timestamp":1790000000,"data":{{"format":"string","value":"{}"}}}}]}}}}"#,
        "long ".repeat(400)
    );
    let half = change(1, now_ms() - 3_600_000, "active", "HALF", Some("by the takeover")).replace("]}}", &notice);
    let file = node.bench.put("takeover.jsonl", file_of(PREFIX, newest(&node), &[half])).display().to_string();
    for _ in 0..2 {
        let (conflicts, told) = import(&node, &file, &[], 8);
        assert!(conflicts.is_empty(), "{conflicts:?}");
        assert_eq!(figures(&told, ["refused", "kept", "created"]), [1, 0, 0], "{told}");
        assert_eq!(shown(&node, "HALF").1, "by the takeover", "the first change was made");
    }
    put(&node, "HALF", "by the node, since");
    let (conflicts, told) = import(&node, &file, &[], 0);
    assert_eq!(conflicts, [("HALF".to_owned(), ("both-registered".to_owned(), "node".to_owned()))].into());
    assert_eq!(figures(&told, ["refused", "kept"]), [0, 1], "{told}");
    assert_eq!(shown(&node, "HALF").1, "by the node, since");
    node.daemon.stop().expect(0);
}

#[test]
fn names_that_differ_by_case_are_not_taken_for_one() {
    let strict = Node::start("names.case_sensitive = true\n");
    ["ab", "AB"].iter().for_each(|name| put(&strict, name, "as it was"));
    let data = strict.bench.data().display().to_string();
    note_restored(&strict, "5f", 7, 0);
    let told = strict.bench.data().with_file_name("told").display().to_string();
    strict.run(&["takeover", "export", &told, "--data", &data]).expect(0);
    let lines = json_lines(&std::fs::read_to_string(&told).unwrap());
    assert_eq!(lines[0]["case_sensitive"], true, "the node shows it");
    assert_eq!(lines.len(), 4, "both are told");
    let both = [("ab", 1), ("AB", 2)].map(|(name, serial)| change(serial, now_ms(), "active", name, Some("new")));
    let folded = file_of(PREFIX, 0, &both);
    let refused = |node: &Node, file: &str, says: &[&str]| {
        node.run(&["takeover", "import", file]).expect(2).says(says);
        assert!(!PathBuf::from(format!("{file}.import.jsonl")).exists());
    };
    let file = strict.bench.put("folded", &folded).display().to_string();
    refused(&strict, &file, &["error[takeover-case]", "true at the node", "false there"]);
    assert_eq!(shown(&strict, "ab").1, "as it was");
    strict.daemon.stop().expect(0);

    let lax = Node::start("");
    let file = lax.bench.put("folded", &folded).display().to_string();
    refused(&lax, &file, &["error[takeover-spellings]", &format!("{PREFIX}/ab"), &format!("{PREFIX}/AB")]);
    put(&lax, "Box", "as it was");
    refused(&lax, &told, &["error[takeover-case]"]);
    lax.run(&["takeover", "export", &file, "--data", &data, "--case-sensitive"])
        .expect(2)
        .says(&["error[takeover-case]"]);
    // Where names are known to be compared so, the second is the first written anew.
    let (_, told) = import(&lax, &file, &["--base", "0"], 0);
    assert_eq!(figures(&told, ["identifiers", "created"]), [1, 1]);
    lax.daemon.stop().expect(0);
}

#[test]
fn what_a_restored_node_wrote_counts_from_its_restoration() {
    let node = Node::start("");
    put(&node, "A", "as it was");
    let restored = newest(&node);
    put(&node, "A", "by the node");
    put(&node, "B", "by the node");
    let watermark = newest(&node);
    put(&node, "C", "by the node");
    let earlier = now_ms() - 3_600_000;
    let text = file_of(PREFIX, watermark, &[change(1, earlier, "active", "A", Some("by the takeover"))]);
    let (rest, _) = text.trim_end().rsplit_once('\n').unwrap();
    let of_past = rest.replace("2099-01-01", "2026-11-29") + "\n";
    let tail = format!("{{\"changes\":1,\"sha256\":\"{}\"}}\n", hex::encode(Sha256::digest(&of_past)));
    let of_past = node.bench.put("of_past", of_past + &tail).display().to_string();
    let file = node.bench.put("changes", text).display().to_string();
    let data = node.bench.data().display().to_string();
    let refused = |file: &str, more: &[&str], code: &str| {
        node.run(&[&["takeover", "import", file], more].concat())
            .expect(2)
            .says(&[&format!("error[{code}]"), "--base"]);
        assert!(!PathBuf::from(format!("{file}.import.jsonl")).exists());
    };
    // Without its folder, the times of its changes tell.
    refused(&of_past, &[], "takeover-base-late");
    note_restored(&node, "60", watermark, restored);
    refused(&file, &["--data", &data], "takeover-base-unsaid");
    note_restored(&node, "5f", watermark, restored);
    refused(&file, &["--data", &data, "--base", &watermark.to_string()], "takeover-base-restored");
    let back = node.bench.data().with_file_name("back").display().to_string();
    let export = ["takeover", "export", &back, "--returned", &file];
    node.run(&export).expect(2).says(&["error[takeover-not-taken]", "--base"]);
    let (conflicts, told) = import(&node, &file, &["--data", &data], 0);
    assert_eq!(conflicts, [("A".to_owned(), ("both-changed".to_owned(), "node".to_owned()))].into());
    assert_eq!(figures(&told, ["base", "kept", "changed"]), [restored, 1, 0]);
    assert_eq!(shown(&node, "A").1, "by the node");
    node.run(&[&export[..], &["--base", &watermark.to_string()]].concat()).expect(2).says(&["error[takeover-journal]"]);
    let told = node.json(&export, 0);
    assert_eq!(figures(&told, ["after", "changes"]), [restored, 3], "all it wrote since it was restored");
    node.daemon.stop().expect(0);
}

#[test]
fn what_the_node_returned_is_taken_by_the_emergency_node_only() {
    let node = Node::start("");
    put(&node, "A", "as it was");
    let base = newest(&node);
    put(&node, "A", "by the node");
    let data = node.bench.data().display().to_string();
    let file = node.bench.put("changes", file_of(PREFIX, base, &[])).display().to_string();
    import(&node, &file, &["--data", &data], 0);
    let own = node.bench.data().with_file_name("own").display().to_string();
    node.run(&["takeover", "export", &own, "--returned", &file]).expect(0);
    let foreign = file_of(PREFIX, base, &[change(900, now_ms(), "active", "A", Some("returned"))]);
    let (rest, _) = foreign.trim_end().rsplit_once('\n').unwrap();
    let rest = rest.replace("emergency", "returned") + "\n";
    let tail = format!("{{\"changes\":1,\"sha256\":\"{}\"}}\n", hex::encode(Sha256::digest(&rest)));
    let foreign = node.bench.put("foreign", rest + &tail).display().to_string();
    put(&node, "A", "by the node, since");
    let settled = newest(&node);
    let refused = |file: &str, more: &[&str]| {
        let ended = node.run(&[&["takeover", "import", file], more].concat()).expect(2);
        ended.says(&["error[takeover-not-emergency]", "--data"]);
        assert!(!PathBuf::from(format!("{file}.import.jsonl")).exists());
    };
    for file in [&own, &foreign] {
        refused(file, &[]);
        refused(file, &["--data", &data]);
    }
    note_restored(&node, "60", 7, 1);
    refused(&foreign, &["--data", &data]);
    // Restored from that deposit too, it may be the node: what it wrote itself is not for it.
    note_restored(&node, "5f", base, base);
    refused(&own, &["--data", &data]);
    node.run(&["--lang", "zh", "takeover", "import", &own]).expect(2).says(&["应急节点"]);
    assert_eq!(newest(&node), settled);
    let (_, told) = import(&node, &foreign, &["--data", &data], 0);
    assert_eq!(figures(&told, ["changed"]), [1]);
    assert_eq!(shown(&node, "A").1, "returned");
    node.daemon.stop().expect(0);
}

#[test]
fn a_file_that_is_not_whole_or_not_the_nodes_is_refused_and_nothing_is_changed() {
    let node = Node::start("");
    put(&node, "A", "as it was");
    let base = newest(&node);
    let good = file_of(PREFIX, base, &[change(1, now_ms(), "active", "A", Some("new"))]);
    let foreign = change(1, now_ms(), "active", "A", Some("new")).replace(PREFIX, "88.111.2");
    let lines: Vec<&str> = good.lines().collect();
    let long = format!("{}\n{}\n{}\n", lines[0], "x".repeat(5 << 20), lines[2]);
    let refused = [
        ("cut", good[..good.len() - 20].to_owned(), "takeover-file", "cut"),
        ("empty", String::new(), "takeover-file", "cut"),
        ("digest", good.replace("\"new\"", "\"now\""), "takeover-file", "digest"),
        ("foreign", file_of(PREFIX, base, &[foreign]), "takeover-file", "88.111.2/A is not of prefix"),
        ("long", long, "takeover-file", "line 2 is longer"),
        ("version", good.replace("takeover\":1", "takeover\":9"), "takeover-file", "version 9"),
        ("other", "{\"handle\":\"88.111.1/A\",\"values\":[]}\n".to_owned(), "takeover-file", "no head"),
        ("ahead", file_of(PREFIX, base + 1_000, &[]), "takeover-base", "has only come to"),
        ("binary", "\u{0}\n".to_owned(), "takeover-file", "no head"),
    ];
    for (name, text, code, says) in refused {
        let file = node.bench.put(name, text).display().to_string();
        node.run(&["takeover", "import", &file]).expect(2).says(&[&format!("error[{code}]"), says]);
        assert!(!PathBuf::from(format!("{file}.import.jsonl")).exists(), "{name}");
    }
    assert_eq!(newest(&node), base);
    assert_eq!(shown(&node, "A").1, "as it was");
    // A prefix that does not live here is refused by the node, one by one, and told.
    let elsewhere = change(1, now_ms(), "active", "A", Some("new")).replace(PREFIX, "88.7");
    let file = node.bench.put("elsewhere", file_of("88.7", base, &[elsewhere])).display().to_string();
    let (_, told) = import(&node, &file, &[], 8);
    assert_eq!(figures(&told, ["refused", "created"]), [1, 0]);
    node.daemon.stop().expect(0);
}
