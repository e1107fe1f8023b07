//! `waymark report security` of a real node: what was refused and changed is in it, and a broken audit shows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::os::unix::fs::FileExt as _;

use serde_json::Value;
use waymark_tests::operated::Node;
use waymark_tests::process::run;

/// Looks until something is so.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("never came: {what}");
}

#[test]
fn what_was_refused_and_changed_is_told_and_a_broken_chain_too() {
    let node = Node::start("audit.refusal_seconds = 1\n");
    let wrong = node.bench.put("wrong.token", format!("wm1_0123456789abcdef_{}", "0".repeat(64)));
    for _ in 0..3 {
        run(node.daemon.tool(&["whoami"], &wrong)).expect(4);
    }
    node.json(&["principal", "put", "reader", "--role", "reader", "--prefix", "88.111.1"], 0);
    let token = node.bench.path("reader.token");
    node.json(&["token", "issue", "reader", "--to", token.to_str().unwrap()], 0);
    for _ in 0..2 {
        run(node.daemon.tool(&["register", "88.111.1/x", "--value", "1 URL u"], &token)).expect(4);
    }
    let long = format!("88.111.1/{}", "x".repeat(300));
    node.run(&["register", &long, "--value", "1 URL u"]).expect(4);

    let config = node.bench.config();
    let words = ["report", "security", "--json", "--config", config.to_str().unwrap()];
    // Refusals are noted a second after they happen.
    let told = until("the refusals", || {
        let told: Value = serde_json::from_str(node.run(&words).expect(0).out.trim()).unwrap();
        let figures = &told["figures"];
        let are_there = figures["refused_logins"]["unauthenticated"] == 3
            && figures["scope_violations"] == 2
            && figures["invalid_inputs"] == 1;
        are_there.then_some(told)
    });
    let figures = &told["figures"];
    assert_eq!(figures["refused_login_sources"][0]["address"], "127.0.0.1");
    assert_eq!(figures["refused_requests"]["not-permitted"], 2);
    assert_eq!(figures["refused_requests"]["invalid-handle"], 1);
    // The operator at the first start, and the reader.
    assert_eq!(figures["access_changes"]["principal-put"], 2);
    assert!(figures["access_changes"]["token-issue"].as_u64().unwrap() >= 1);
    assert_eq!(told["audit"]["problems"], 0);
    assert!(told["retention"]["audit_days"].as_u64().unwrap() >= 183);
    assert!(told["not_counted"].as_array().unwrap().iter().any(|each| each["from"] == "metrics-since-start"));
    let chinese = node.run(&["report", "security", "--lang", "zh"]).expect(0).out;
    assert!(chinese.contains("被拒的登录") && chinese.contains("审计链完好"), "{chinese}");
    // Another span has none of it; one that ends before it begins is none.
    let past = node.run(&["report", "security", "--json", "--from", "2024-01-01", "--to", "2024-01-31"]).expect(0);
    assert_eq!(serde_json::from_str::<Value>(past.out.trim()).unwrap()["figures"]["entries"], 0);
    node.run(&["report", "security", "--from", "2024-02-01", "--to", "2024-01-31"]).expect(2).says(&["report-order"]);
    // Who may not read the audit makes no report of it.
    run(node.daemon.tool(&["report", "security"], &token)).expect(4).says(&["NOT_PERMITTED"]);

    // From the folder of the stopped node; and one whose log was changed.
    let Node { bench, daemon, .. } = node;
    daemon.stop().expect(0);
    let local: Value = serde_json::from_str(bench.run(&["report", "security", "--json"]).expect(0).out.trim()).unwrap();
    assert_eq!(local["figures"]["refused_logins"], figures["refused_logins"]);
    let log = bench.data().join("log");
    let segment = std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.filter(|path| path.extension().is_some_and(|found| found == "log")).min().unwrap();
    let bytes = std::fs::read(&segment).unwrap();
    let at = bytes.windows(6).position(|window| window == b"reader").unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&segment).unwrap();
    file.write_all_at(b"R", at as u64).unwrap();
    let broken = bench.run(&["report", "security"]);
    assert_ne!(broken.status.code(), Some(0), "{}", broken.out);
}
