//! Statistics of requests of a real node: killed under load, asked by operators, kept from others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use waymark_tests::asking::ask_udp;
use waymark_tests::operated::Node;
use waymark_tests::process::{Bench, Process, json_lines, run, tool};
use waymark_tests::records;

/// What `waymark traffic` prints of one day, of the node and of each prefix.
fn told(node: &Node, day: &str) -> Vec<Value> {
    node.run(&["traffic", day, "--sources", "10000", "--json"]).expect(0).json()
}

/// The days a node tells figures of.
fn days(node: &Node) -> Vec<String> {
    let listed = node.run(&["traffic", "--json"]).expect(0).json();
    listed.iter().map(|line| line["day"].as_str().unwrap().to_owned()).collect()
}

/// The same figures, counted from the lines of the record that are of one day of Beijing and, maybe, of one prefix.
fn counted(lines: &[Value], day: i64, prefix: &str) -> Value {
    let time = |line: &Value| line["time"].as_i64().unwrap();
    let of_day = lines.iter().filter(|line| (time(line) + 8 * 3_600) / 86_400 == day && line["op"] == 1);
    let lines: Vec<&Value> = of_day.filter(|line| line["handle"].as_str().unwrap().starts_with(prefix)).collect();
    let took = |line: &Value| line["took_us"].as_u64().unwrap();
    let (mut sources, mut seconds) = (BTreeMap::new(), BTreeMap::new());
    for line in &lines {
        let peer: SocketAddr = line["from"].as_str().unwrap().parse().unwrap();
        *sources.entry(peer.ip().to_string()).or_insert(0_u64) += 1;
        *seconds.entry(time(line)).or_insert(0_u64) += 1;
    }
    let extreme = |us: u64| json!({ "us": us, "time": lines.iter().filter(|line| took(line) == us).map(|line| time(line)).min() });
    let most = seconds.values().max().copied();
    let first_of_most = seconds.iter().find(|(_, count)| Some(**count) == most).map(|(second, _)| *second);
    let sum: u64 = lines.iter().map(|line| took(line)).sum();
    let count = u64::try_from(lines.len()).unwrap();
    json!({
        "requests": count,
        "successes": lines.iter().filter(|line| line["code"] == 1).count(),
        "latency": {
            "count": count, "sum_us": sum, "average_us": sum.checked_div(count),
            "min": lines.iter().map(|line| took(line)).min().map(extreme),
            "max": lines.iter().map(|line| took(line)).max().map(extreme),
        },
        "peak": most.map(|most| json!({ "count": most, "time": first_of_most })),
        "sources": sources,
    })
}

/// Figures as printed, in the form of those that are counted.
fn plain(told: &Value) -> Value {
    let sources = told["sources"]["top"].as_array().unwrap().iter();
    let sources: BTreeMap<&str, &Value> = sources
        .map(|source| {
            assert_eq!(source["over"], 0);
            (source["address"].as_str().unwrap(), &source["count"])
        })
        .collect();
    json!({
        "requests": told["requests"], "successes": told["successes"], "latency": told["latency"],
        "peak": told["peak"], "sources": sources,
    })
}

/// Days since 1970 of a date such as 2026-11-29.
fn number_of(day: &str) -> i64 {
    let parts: Vec<i64> = day.split('-').map(|part| part.parse().unwrap()).collect();
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let months = |year| [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let years: i64 = (1970..parts[0]).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let before = usize::try_from(parts[1] - 1).unwrap();
    years + months(parts[0])[..before].iter().sum::<i64>() + parts[2] - 1
}

/// Asks from an address for a while: half of the names are there.
fn load(node: &Node, from: &str, seconds: u64) -> Process {
    let mut command = tool(["load", "--server", &node.daemon.url("udp"), "--json", "--absent", "50"]);
    command.args(["--pattern", &format!("{}/ITEM-{{:07}}", records::PREFIX), "--count", "50"]);
    command.args(["--from", &format!("{from}:0"), "--sockets", "1", "--rate", "3000"]);
    command.args(["--seconds", &seconds.to_string()]);
    Process::start(command)
}

/// Lets the node answer for a while and kills it in the middle of it.
fn killed_under_load(node: Node, froms: &[&str], after: Duration) -> Bench {
    let loads: Vec<Process> = froms.iter().map(|from| load(&node, from, 60)).collect();
    // Not to wait for anything: this is what makes the moment one of many answers.
    std::thread::sleep(after);
    let Node { bench, daemon, .. } = node;
    daemon.process.kill();
    drop(loads);
    bench
}

fn again(bench: Bench) -> Node {
    let (daemon, token) = (bench.serve(), bench.data().join("operator-token"));
    Node { bench, daemon, token }
}

#[test]
fn figures_of_a_node_that_was_killed_under_load_are_those_of_its_record() {
    let node = Node::start("log.answers = \"record\"\ntraffic.save_seconds = 1\n");
    let file = node.bench.put("rows.jsonl", records::text(&records::lines(50, 100)));
    node.json(&["import", file.to_str().unwrap()], 0);
    node.run(&["register", "88.111.1/single", "--value", "1 URL u"]).expect(0);
    let froms = ["127.0.0.2", "127.0.0.3", "127.8.9.10"];
    // One kill before and one after a saving.
    let bench = killed_under_load(node, &froms, Duration::from_millis(700));
    let bench = killed_under_load(again(bench), &froms[1..], Duration::from_millis(2_900));
    let mut node = again(bench);
    for round in 0..2 {
        let text = node.bench.text("data/answers.log");
        // The last line of each life may have been cut.
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        assert!(lines.len() > 3_000, "{} answers are a load", lines.len());
        let asking: BTreeSet<&str> =
            lines.iter().map(|line| line["from"].as_str().unwrap().split(':').next().unwrap()).collect();
        assert_eq!(asking, froms.into(), "each of them asked");
        let mut requests = 0;
        for day in days(&node) {
            let parts = told(&node, &day);
            let day = number_of(&day);
            assert_eq!(plain(&parts[0]), counted(&lines, day, ""), "the node");
            assert_eq!(parts[1]["prefix"], records::PREFIX);
            assert_eq!(plain(&parts[1]), counted(&lines, day, records::PREFIX), "the prefix");
            assert_eq!(parts.len(), 2);
            requests += parts[0]["requests"].as_u64().unwrap();
            let losses = &parts[0]["losses"];
            assert_eq!((&losses["answers"], &losses["unplaced"]), (&json!(0), &json!(0)), "{losses}");
        }
        assert_eq!(requests, lines.len() as u64, "round {round}");
        if round == 0 {
            // A life that ends in order changes nothing.
            node = node.restart(|_| {});
        }
    }
    let losses: Vec<Value> = days(&node).iter().flat_map(|day| told(&node, day).into_iter().take(1)).collect();
    let gaps: Vec<&Value> = losses.iter().flat_map(|day| day["losses"]["gaps"].as_array().unwrap()).collect();
    assert!(
        gaps.iter().any(|gap| gap["missing"] == "registrations"),
        "what the kills may have lost is told: {losses:?}"
    );
}

#[test]
fn registrations_of_calls_and_streams_have_their_times() {
    let node = Node::start("");
    node.run(&["register", "88.111.1/single", "--value", "1 URL u"]).expect(0);
    let file = node.bench.put("rows.jsonl", records::text(&records::lines(50, 100)));
    node.json(&["import", file.to_str().unwrap()], 0);
    // Nothing of this is new.
    node.json(&["import", file.to_str().unwrap()], 0);
    let node = node.restart(|_| {});
    let (mut count, mut sum) = (0, 0);
    for day in days(&node) {
        let parts = told(&node, &day);
        for part in &parts {
            let times = &part["registrations"];
            let us = |which: &str| times[which]["us"].as_u64().unwrap();
            assert!(us("min") > 0 && us("min") <= us("max"), "{times}");
            let average = times["average_us"].as_u64().unwrap();
            assert!((us("min")..=us("max")).contains(&average), "{times}");
            assert!(part["registration_peak"]["count"].as_u64().unwrap() >= 1);
        }
        assert_eq!(parts[0]["registrations"], parts[1]["registrations"]);
        count += parts[0]["registrations"]["count"].as_u64().unwrap();
        sum += parts[0]["registrations"]["sum_us"].as_u64().unwrap();
        assert_eq!(parts[0]["exact"], true, "{}", parts[0]);
    }
    assert_eq!(count, 51);
    assert!(sum > 0);
}

#[test]
fn figures_are_for_who_runs_or_audits_the_node_and_hold_no_address_where_all_can_read() {
    let node = Node::start("");
    ask_udp(node.daemon.address("udp"), 1, &records::name(1));
    let node = node.restart(|_| {});
    let day = days(&node).pop().unwrap();
    let shown = node.run(&["traffic", &day, "--sources", "5"]).expect(0).out;
    for text in [day.as_str(), "exact", "1 requests, 0 answered with success, 1 sources", "127.0.0.1", records::PREFIX]
    {
        assert!(shown.contains(text), "{text:?} in {shown}");
    }
    let shown = node.run(&["traffic", &day, "--lang", "zh"]).expect(0).out;
    assert!(shown.contains("请求 1 次") && !shown.contains("127.0.0.1"), "{shown}");
    let only = node.run(&["traffic", &day, "--prefix", "88.5", "--json"]).expect(0).json();
    assert_eq!(only.len(), 1, "the node: {only:?}");

    let as_role = |role: &str, more: &[&str]| {
        let name = format!("a-{role}");
        node.run(&[&["principal", "put", &name, "--role", role], more].concat()).expect(0);
        let to = node.bench.path(&name);
        node.run(&["token", "issue", &name, "--to", to.to_str().unwrap()]).expect(0);
        run(node.daemon.tool(&["traffic", &day], &to))
    };
    assert!(as_role("auditor", &["--prefix", "*"]).expect(0).out.contains(records::PREFIX));
    for role in ["enterprise-administrator", "writer", "reader"] {
        as_role(role, &["--prefix", records::PREFIX]).expect(4).says(&["NOT_PERMITTED"]);
    }
    node.run(&["traffic", "2026-13-01"]).expect(4).says(&["2026-11-29"]);
    node.run(&["traffic", "2020-01-01"]).expect(3).says(&["NOT_FOUND"]);
    let page = node.daemon.page("/metrics").1;
    for line in ["waymark_top_sync_traffic_exact 1", "waymark_top_sync_traffic_save_failures_total 0"] {
        assert!(page.contains(line), "{line} in {page}");
    }
    assert!(page.contains("waymark_top_sync_traffic_sources") && !page.contains("127.0.0.1"));
    let ended = node.daemon.stop().expect(0);
    assert!(!ended.err.contains("127.0.0.1"), "{}", ended.err);
}

#[test]
fn a_node_that_counts_nothing_says_so_and_keeps_nothing() {
    let node = Node::start("traffic.count = false\n");
    ask_udp(node.daemon.address("udp"), 1, &records::name(1));
    node.run(&["traffic"]).expect(4).says(&["UNIMPLEMENTED", "traffic.count"]);
    assert!(!node.bench.data().join("traffic").exists());
    assert!(!node.daemon.page("/metrics").1.contains("waymark_top_sync_traffic_exact 1"));
}

#[test]
fn a_damaged_file_is_moved_aside_and_the_node_starts() {
    let node = Node::start("log.answers = \"record\"\n");
    for id in 0..3 {
        ask_udp(node.daemon.address("udp"), id, &records::name(1));
    }
    let mut node = node.restart(|bench| {
        std::fs::write(bench.data().join("traffic/current"), b"nonsense").unwrap();
    });
    node.daemon.process.wait_for_log("moved aside");
    let requests: u64 = days(&node).iter().map(|day| told(&node, day)[0]["requests"].as_u64().unwrap()).sum();
    assert_eq!(requests, json_lines(&node.bench.text("data/answers.log")).len() as u64);
    let kept = std::fs::read_dir(node.bench.data().join("traffic")).unwrap();
    let names: Vec<String> = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().any(|name| name.starts_with("current.damaged-")), "{names:?}");
}
