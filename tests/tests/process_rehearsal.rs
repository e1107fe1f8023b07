//! `waymark docking rehearse` with real processes: what holds, what is not built, and a node that is broken.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::collections::BTreeMap;
use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::tempdir;
use waymark_tests::above::until;
use waymark_tests::process::{Ended, Process, run, tool};

/// The names of the steps of an item.
fn steps(ended: &Ended, number: u64) -> Vec<String> {
    let items = ended.json();
    let item = items.iter().find(|item| item["item"] == number).unwrap();
    item["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap().to_owned()).collect()
}

/// The items by number: state, and the steps that are not as wanted.
fn items(ended: &Ended) -> BTreeMap<u64, (String, Vec<Value>)> {
    let of = |item: &Value| {
        let steps = item["steps"].as_array().unwrap().iter().filter(|step| step["state"] != "pass").cloned();
        (item["item"].as_u64().unwrap(), (item["state"].as_str().unwrap().to_owned(), steps.collect()))
    };
    ended.json().iter().map(of).collect()
}

#[test]
fn the_whole_list_is_gone_through_and_the_evidence_holds_no_secret() {
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("application.key"), "the key of the real application").unwrap();
    let pin = "ab".repeat(32);
    let settings = format!(
        "[docking]\naddress = \"https://top.example/epp\"\nprefix = \"88.104\"\napplication = \"app-id-4711\"\n\
         key_file = \"{}\"\npin = \"{pin}\"\n[sync]\nprefix = \"88.104\"\npin = \"{pin}\"\n\
         server = \"grpcs://operator:hunter2@top.example:2649\"\n[names]\nmax_values = 99\n",
        path("application.key"),
    );
    fs::write(path("waymark.toml"), settings).unwrap();
    let bundle = folder.path().join("bundle");
    let (config, to) = (path("waymark.toml"), path("bundle"));
    let ended = run(tool(["docking", "rehearse", "--json", "--config", &config, "--bundle", &to]));
    let items = items(&ended);
    assert_eq!(items.keys().copied().collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    for (number, (state, steps)) in &items {
        let wanted = match number {
            // No door for HTTP, no challenges, no log by days.
            3 | 5 | 11 => "not-built",
            _ => "pass",
        };
        assert_eq!(state, wanted, "{number}: {steps:#?}");
    }
    let monitoring = steps(&ended, 8);
    for step in [
        "incident-fault",
        "incident-recovery",
        "month-report",
        "month-report-en",
        "month-report-zh",
        "set-monitoring",
        "set-report",
    ] {
        assert!(monitoring.iter().any(|name| name == step), "{step} in {monitoring:?}");
    }
    let drill = steps(&ended, 10);
    assert!(drill.len() > 15 && drill.contains(&"drill-restored".to_owned()), "{drill:?}");
    let ended = ended.expect(0);
    assert!(!ended.out.contains("wm1_"), "no token is told");

    let read = |name: &str| fs::read_to_string(bundle.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let list = read("SHA256SUMS");
    assert_eq!(list.lines().count(), 6);
    for line in list.lines() {
        let (hash, name) = line.split_once("  ").unwrap();
        assert_eq!(hash, hex::encode(Sha256::digest(read(name))), "{name}");
    }
    assert!(read("version.txt").starts_with("waymark 0."));
    assert!(read("config.toml").contains("max_values = 99"), "the operator's own options are used");
    assert!(read("metrics.txt").contains("waymark_registration_events_total"));
    assert_eq!(serde_json::from_str::<Value>(&read("results.json")).unwrap().as_array().unwrap().len(), 12);
    assert!(read("report.en.md").contains("Takeover") && read("report.zh.md").contains("应急接管"));
    for entry in fs::read_dir(&bundle).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for secret in [
            "hunter2",
            "app-id-4711",
            "the key of the real application",
            "application.key",
            "a key of the rehearsal",
            "wm1_",
            "PRIVATE KEY",
            "13800000000",
        ] {
            assert!(!text.contains(secret), "{secret} is in the evidence");
        }
    }
    // Evidence is never written over.
    run(tool(["docking", "rehearse", "--bundle", &to])).expect(2).says(&["rehearsal-bundle-not-empty"]);
}

#[test]
fn a_broken_node_fails_where_it_is_broken() {
    let folder = tempdir().unwrap();
    let config = folder.path().join("waymark.toml");
    fs::write(&config, "[listen]\ntcp = []\n[names]\nnon_ascii = \"refuse\"\n").unwrap();
    let ended = run(tool(["docking", "rehearse", "--json", "--config", config.to_str().unwrap()])).expect(9);
    let items = items(&ended);
    let failed = |number: u64| -> Vec<String> {
        let (state, steps) = &items[&number];
        assert_eq!(state, "fail", "{number}: {steps:?}");
        let failed = steps.iter().filter(|step| step["state"] == "fail");
        failed.map(|step| step["step"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(failed(3), ["tcp-ipv4", "tcp-ipv6"]);
    assert!(failed(6).contains(&"non-ascii".to_owned()));
    assert_eq!(items[&12].0, "pass", "what does not need the door still holds: {:?}", items[&12].1);
}

#[test]
fn a_rehearsal_that_is_interrupted_leaves_no_folder_and_no_process() {
    let folder = tempdir().unwrap();
    let mut command = tool(["docking", "rehearse"]);
    command.env("TMPDIR", folder.path());
    let process = Process::start(command);
    let made = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).next();
    // Once its node listens, everything there is to end is there.
    let is_up = until("the node of the rehearsal", || made().filter(|path| path.join("data/listen.json").exists()));
    let folder_name = is_up.to_str().unwrap().to_owned();
    // Whatever was started for the rehearsal has its folder among its words.
    let running = || -> Vec<String> {
        let processes =
            fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
        let words = processes.map(|words| String::from_utf8_lossy(&words).replace('\0', " "));
        words.filter(|words| words.contains(&folder_name)).collect()
    };
    assert!(!running().is_empty());
    process.signal(Signal::SIGINT);
    process.ended().expect(1);
    assert_eq!(made(), None, "keys and tokens are gone");
    until("the end of what was killed", || running().is_empty().then_some(()));
    assert_eq!(made(), None);
}
