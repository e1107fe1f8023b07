//! A docked node that watches itself, as its operator and the top-level node see it: cut off, without its own prefix, attacked, in maintenance, and at
//! the end of the month.
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
use tempfile::tempdir;
use waymark_catalog::machine_time;
use waymark_tests::above::{TopNode, until};
use waymark_tests::parties::Parties;
use waymark_tests::process::{Bench, daemon, run};
use waymark_top_sync::calendar::Month;

const OWN: &str = "88.990";

/// What the node sees of itself.
fn watch(node: &Parties) -> Value {
    let (_, page) = node.daemon.page("/status");
    serde_json::from_str::<Value>(&page).unwrap()["watch"].clone()
}

fn rounds(node: &Parties) -> u64 {
    let (_, metrics) = node.daemon.page("/metrics");
    let line = metrics.lines().find(|line| line.starts_with("waymark_watch_rounds_total ")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

fn configured(grpc: &str) -> Bench {
    let bench = Bench::new("watch.interval_seconds = 1\nwatch.failed_rounds = 2\nwatch.hold_seconds = 2\n");
    bench.configure(&format!("[sync]\nprefix = \"{OWN}\"\nserver = \"{grpc}\"\n"));
    bench.run(&["prefix", "home", OWN]).expect(0);
    bench
}

#[test]
fn faults_are_told_upward_and_stand_in_the_report_of_the_month() {
    let folder = tempdir().unwrap();
    let above = TopNode::start(folder.path());
    let node = Parties::start(configured(&above.grpc), &[("audit", "auditor", "*"), ("rev", "reviewer", "*")]);
    until("three rounds", || (rounds(&node) >= 3).then_some(()));
    assert_eq!(watch(&node), json!({ "failing": [], "open_incidents": 0, "maintenance": false }));

    // Its own questions are no requests of anybody.
    let month = Month::of(machine_time()).to_string();
    let counted = node.by("operator").json(&["report", "month", &month], 0);
    assert_eq!(counted["resolution"]["requests_timed"], 0, "{counted}");
    assert!(counted["resolution"]["availability"]["tried"].as_u64().unwrap() >= 6, "{counted}");

    // Cut off: the fault at the last probe and its end are told.
    let node = node.kill();
    let told = until("fault and recovery", || Some(above.held(OWN, "INCIDENT")).filter(|rows| rows.len() == 2));
    let of = |rows: &[Value], state: &str| rows.iter().rfind(|row| row["state"] == state).unwrap().clone();
    let (fault, end) = (of(&told, "fault"), of(&told, "recovered"));
    assert_eq!((&fault["type"], &fault["prefix"], &end["related"]), (&json!(2), &json!(OWN), &fault["event"]));
    assert!(fault["time"].as_str() <= end["time"].as_str(), "{told:?}");

    // Nobody can find the node by its prefix: both resolution doors fail for real, and are well again.
    node.by("operator").run(&["prefix", "unhome", OWN]).expect(0);
    let failing = until("the doors to fail", || Some(watch(&node)).filter(|watch| watch["open_incidents"] == 2));
    assert_eq!(failing["failing"], json!(["resolution-udp-ipv4", "resolution-tcp-ipv4"]));
    let shown = node.bench.run(&["status"]).expect(0).out;
    assert!(shown.contains("not answering: resolution-udp-ipv4, resolution-tcp-ipv4, 2 incidents are open"), "{shown}");
    let (_, metrics) = node.daemon.page("/metrics");
    assert!(metrics.contains("waymark_watch_open_incidents{type=\"system\"} 2"), "{metrics}");
    node.by("operator").run(&["prefix", "home", OWN]).expect(0);
    until("the doors to be well", || (watch(&node)["open_incidents"] == 0).then_some(()));
    let told = until("six events", || Some(above.held(OWN, "INCIDENT")).filter(|rows| rows.len() == 6));
    let ends = told.iter().filter(|row| row["state"] == "recovered").count();
    assert_eq!(ends, 3, "{told:?}");

    // People say what the node cannot see.
    let report = ["incident", "report", "--type", "attack", "--cause", "流量攻击"];
    node.by("audit").run(&report).expect(4).says(&["NOT_PERMITTED"]);
    node.by("rev").run(&["incident", "list"]).expect(4).says(&["NOT_PERMITTED"]);
    let event = node.by("operator").json(&report, 0)["event"].as_str().unwrap().to_owned();
    node.by("operator").run(&["incident", "recovered", &event, "--remedy", "清洗流量"]).expect(0);
    node.by("operator").run(&["incident", "recovered", &event]).expect(4).says(&["over already"]);
    node.by("operator").run(&["incident", "recovered", "nothing"]).expect(3);
    let told = until("what people said", || Some(above.held(OWN, "INCIDENT")).filter(|rows| rows.len() == 8));
    assert!(told.iter().any(|row| row["event"] == event.as_str() && row["type"] == 3 && row["cause"] == "流量攻击"));
    let listed = node.by("audit").run(&["incident", "list", "--month", &month, "--json"]).expect(0).json();
    assert_eq!(listed.len(), 4, "{listed:?}");
    assert_eq!((&listed[3]["fault"]["by"], &listed[3]["recovery"]["remedy"]), (&json!("operator"), &json!("清洗流量")));

    // A maintenance, over a stop in order.
    node.by("operator").run(&["maintenance", "begin", "--reason", "更换机柜"]).expect(0);
    assert_eq!(watch(&node)["maintenance"], true);
    let node = node.restart(|_| {});
    node.by("operator").run(&["maintenance", "end"]).expect(0);
    node.by("operator").run(&["maintenance", "end"]).expect(3);
    let audit = node.by("audit").run(&["audit", "search", "--json"]).expect(0).out;
    for verb in ["incident-report", "incident-recover", "maintenance-begin", "maintenance-end"] {
        assert!(audit.contains(verb), "{verb} is not in {audit}");
    }
    assert_eq!(node.by("audit").run(&["maintenance", "list", "--json"]).expect(0).json().len(), 1);
    // One that is cancelled before it began is shown as such, and is in no report.
    let planned = ["maintenance", "begin", "--reason", "取消的", "--from", "2999-01-01T00:00:00+08:00"];
    node.by("operator").run(&planned).expect(0);
    assert_eq!(node.by("operator").json(&["maintenance", "end"], 0)["cancelled"], true);
    let listed = node.by("audit").run(&["maintenance", "list", "--json"]).expect(0).json();
    assert_eq!((&listed[0]["cancelled"], &listed[1]["cancelled"]), (&json!(false), &json!(true)));
    for (language, text) in [("en", "cancelled before it began"), ("zh", "开始前已取消")] {
        let shown = node.by("audit").run(&["--lang", language, "maintenance", "list"]).expect(0).out;
        assert!(shown.contains(text) && shown.contains("取消的"), "{shown}");
    }

    // The month, in both languages and for programs.
    let report = node.by("audit").json(&["report", "month", &month], 0);
    assert_eq!((&report["prefix"], &report["over"]), (&json!(OWN), &json!(false)));
    let ppm = report["service_level"]["ppm"].as_u64().unwrap();
    assert!((1..1_000_000).contains(&ppm), "{report}");
    assert_eq!(report["resolution"]["ipv6"]["ppm"], Value::Null, "nothing listens on IPv6: {report}");
    assert_eq!(report["registration"]["request_average_us"], Value::Null);
    assert_eq!(
        (report["incidents"].as_array().unwrap().len(), &report["maintenance"][0]["reason"]),
        (4, &json!("更换机柜"))
    );
    let english = node.by("audit").run(&["report", "month", &month]).expect(0).out;
    for text in
        ["Availability of resolution: ", "- over IPv6: not measured", "the node did not run", "remedy: 清洗流量"]
    {
        assert!(english.contains(text), "{text}: {english}");
    }
    let file = node.bench.path("report.txt");
    node.by("audit").run(&["--lang", "zh", "report", "month", &month, "--output", file.to_str().unwrap()]).expect(0);
    let chinese = fs::read_to_string(file).unwrap();
    for text in ["解析可用率：", "月度报告", "未测量", "节点停止运行", "更换机柜"] {
        assert!(chinese.contains(text.trim_end_matches('：')), "{text}: {chinese}");
    }
    node.by("audit").run(&["report", "month", "2026-13"]).expect(2);
    node.by("rev").run(&["report", "month", &month]).expect(4).says(&["NOT_PERMITTED"]);

    // The report of this month is owed when it is over.
    let status = node.by("operator").run(&["sync", "status", "--json"]).expect(0).json().remove(0);
    let set = status["sets"].as_array().unwrap().iter().find(|set| set["set"] == "REPORT").unwrap().clone();
    assert_eq!((&set["made"], &set["schedule"]), (&json!(true), &json!("monthly")));
    assert!(set["owed_by"].as_str().unwrap() > month.as_str(), "{set}");
}

#[test]
fn damaged_files_are_told_with_what_to_do() {
    let folder = tempdir().unwrap();
    let above = TopNode::start(folder.path());
    let node = Parties::start(configured(&above.grpc), &[]);
    until("two rounds", || (rounds(&node) >= 2).then_some(()));
    let node = node.restart(|bench| {
        let probes = bench.data().join("watch/probes");
        for entry in fs::read_dir(probes).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            bytes.extend_from_slice(b"garbage that is no round");
            fs::write(path, bytes).unwrap();
        }
    });
    let month = Month::of(machine_time()).to_string();
    let report = node.by("operator").json(&["report", "month", &month], 0);
    assert!(report["service_level"]["tried"].as_u64().unwrap() >= 2, "the rounds before it are there: {report}");
    let aside = fs::read_dir(node.bench.data().join("watch/probes")).unwrap();
    assert!(aside.into_iter().any(|entry| entry.unwrap().path().to_str().unwrap().contains(".damaged-")));

    let Parties { bench, daemon: running, .. } = node;
    running.stop().expect(0);
    fs::write(bench.data().join("watch/log/identity"), b"no identity").unwrap();
    let ended =
        run(daemon(["--config".as_ref(), bench.config().as_os_str(), "--data".as_ref(), bench.data().as_os_str()]));
    assert_eq!(ended.status.code(), Some(7), "{}", ended.err);
    assert!(ended.err.contains("watch") && ended.err.contains("Put the folder back from a backup"), "{}", ended.err);
}

#[test]
fn a_node_without_a_prefix_does_not_watch_itself_and_says_so() {
    let node = Parties::start(Bench::new(""), &[]);
    assert_eq!(watch(&node), Value::Null);
    let month = Month::of(machine_time()).to_string();
    node.by("operator").run(&["report", "month", &month]).expect(4).says(&["watch.prefix"]);
    node.by("operator").run(&["incident", "list"]).expect(4).says(&["watch.prefix"]);
}
