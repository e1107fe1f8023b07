//! An enterprise with a node of its own, the secondary node that gave it its prefix, and the top-level node above both: what the enterprise reports
//! arrives at the top under its name, once, whatever is killed; others are refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use rand::RngExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::{TempDir, tempdir};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status};
use waymark_api::toplevel::v1::sets_client::SetsClient;
use waymark_api::toplevel::v1::{Acknowledgement, Outcome, Part};
use waymark_client::registration::{Endpoint, ServerTrust};
use waymark_tests::above::{TopNode, until};
use waymark_tests::parties::Parties;
use waymark_tests::process::Bench;

/// The prefix of the enterprise with a node of its own.
const OWNER: &str = "88.990.701";

/// Parts each of which tells a day: long ago, so that each is over.
const DAYS: u64 = 24;

/// A top-level node, a secondary node docked with it that gave 88.990.701 away, and whoever asks that.
struct Chain {
    node: Parties,
    above: TopNode,
    _folder: TempDir,
}

/// A port that is free, for a node that has to be found again after a kill.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Chain {
    fn start() -> Self {
        let folder = tempdir().unwrap();
        let above = TopNode::start(folder.path());
        let grpc = &above.grpc;

        let bench = Bench::new("");
        let settings = bench.text("waymark.toml");
        let door = format!("listen.grpc = [\"127.0.0.1:{}\"]", free_port());
        bench.put("waymark.toml", settings.replace("listen.grpc = [\"127.0.0.1:0\"]", &door));
        bench.configure(&format!("[sync]\nprefix = \"88.990\"\nserver = \"{grpc}\"\n"));
        bench.run(&["prefix", "home", "88.990", "0.NA/0.NA/88.990"]).expect(0);
        let principals = [
            ("rev", "reviewer", "*"),
            ("acme", "enterprise-administrator", OWNER),
            ("press", "writer", OWNER),
            ("look", "reader", OWNER),
            ("rival", "enterprise-administrator", "88.990.702"),
        ];
        let node = Parties::start(bench, &principals);
        let profile = json!({
            "profile": {
                "name": "杭州样例食品有限公司", "nature": "company", "province": "330000", "city": "330100",
                "address": "文三路 1 号", "document_kind": "other", "document_number": "D1",
                "industry_section": "C", "industry_division": "14",
            },
            "personal": {
                "legal_person": {"name": "欧阳明月", "document_kind": "identity-card", "document_number": "330106197001017771"},
                "contact": {"name": "司马流云", "document_kind": "passport", "document_number": "E98765432"},
                "phone": "13800138777", "email": "sima.liuyun@example.cn",
            },
        });
        let file = node.bench.put("acme.json", profile.to_string());
        node.by("acme").run(&["enterprise", "put", file.to_str().unwrap()]).expect(0);
        node.by("acme").run(&["prefix", "apply", OWNER]).expect(0);
        node.by("rev").run(&["prefix", "review", OWNER]).expect(0);
        node.by("rev").run(&["enterprise", "real-name", "E1", "verified", "--source", "registry"]).expect(0);
        node.by("rev").run(&["prefix", "approve", OWNER]).expect(0);
        node.by("operator").run(&["prefix", "confirm", OWNER]).expect(0);
        Self { node, above, _folder: folder }
    }

    fn delegate(&self) {
        let site = ["prefix", "delegate", OWNER, "--site", "192.0.2.7 tcp=2641"];
        self.node.by("operator").run(&site).expect(0);
    }

    /// Rows held of a set by the top-level node, with who reported them.
    fn held(&self, set: &str) -> Vec<Value> {
        let page: Value = serde_json::from_str(&self.above.held_page("88.990", set)).unwrap();
        page["rows"].as_array().unwrap().clone()
    }

    /// Sends parts in one stream with the token of somebody; what came back, and how it ended.
    fn deliver(&self, who: &str, parts: Vec<Part>) -> (Vec<Acknowledgement>, Option<Status>) {
        let mut endpoint = Endpoint::new(self.node.daemon.url("grpcs").parse().unwrap());
        let mut pin = [0; 32];
        hex::decode_to_slice(self.node.daemon.registration_pin(), &mut pin).unwrap();
        endpoint.trust = Some(ServerTrust::Pin(pin));
        endpoint.token = Some(std::fs::read_to_string(self.node.bench.path(who)).unwrap().trim().to_owned());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut client = SetsClient::new(endpoint.channel().unwrap());
            let (sender, stream) = tokio::sync::mpsc::channel(parts.len());
            for part in parts {
                sender.send(part).await.unwrap();
            }
            drop(sender);
            let mut request = Request::new(ReceiverStream::new(stream));
            request.metadata_mut().insert("authorization", endpoint.authorization().unwrap().unwrap());
            let mut told = Vec::new();
            let mut answers = match client.deliver(request).await {
                Ok(answers) => answers.into_inner(),
                Err(status) => return (told, Some(status)),
            };
            loop {
                match answers.message().await {
                    Ok(Some(answer)) => told.push(answer),
                    Ok(None) => return (told, None),
                    Err(status) => return (told, Some(status)),
                }
            }
        })
    }
}

fn part(set: &str, sequence: u64, period: &str, rows: &[Value]) -> Part {
    let content: String = rows.iter().map(|row| format!("{row}\n")).collect();
    Part {
        node: OWNER.into(),
        set: set.into(),
        sequence,
        owner: String::new(),
        period: period.into(),
        part: 1,
        parts: 1,
        rows: rows.len() as u64,
        sha256: Sha256::digest(&content).to_vec(),
        content: content.into(),
        withdrawn: false,
    }
}

/// The statistics of a day, as SETS.md has them.
fn statistics(number: u64) -> Part {
    let day = format!("2026-10-{number:02}");
    let row = json!({
        "prefix": OWNER, "day": day, "new_identifiers": number, "total_identifiers": 100 + number, "requests": 3,
        "successes": 2, "sources": [{ "ip": "192.0.2.1", "count": 3 }], "other_sources": 0, "exact": true, "error": 0,
    });
    part("T8", number, &day, &[row])
}

/// Master data of a day.
fn master(number: u64) -> Part {
    let day = format!("2026-10-{number:02}");
    let row = json!({
        "code": format!("{OWNER}/{number}"), "created": day, "template": "", "operation": 1, "product_type": "", "brand": "",
        "name": "泵", "maker": "", "produced": "", "expires": "", "carrier": null,
    });
    part("T9", number, &day, &[row])
}

#[test]
fn the_node_of_an_enterprise_reports_to_the_one_that_gave_it_its_prefix() {
    let chain = Chain::start();
    let server = chain.node.daemon.url("grpcs");
    let pin = chain.node.daemon.registration_pin().to_owned();
    let token = chain.node.bench.path("press");
    let enterprise = Bench::new(&format!(
        "[sync]\nrole = \"enterprise\"\nprefix = \"{OWNER}\"\nserver = \"{server}\"\npin = \"{pin}\"\ntoken_file = \"{}\"\n",
        token.display()
    ));
    enterprise.run(&["prefix", "home", OWNER]).expect(0);
    let daemon = enterprise.serve();
    let operator = enterprise.data().join("operator-token");
    let status = || {
        let ended = waymark_tests::process::run(daemon.tool(&["sync", "status", "--json"], &operator));
        serde_json::from_str::<Value>(ended.out.lines().next().unwrap()).unwrap()
    };
    // Until it is given away nothing is taken, and the enterprise sees why.
    let waits = until("the reason", || {
        Some(status()["problem"].as_str().unwrap().to_owned()).filter(|problem| !problem.is_empty())
    });
    assert!(waits.contains("not active and given to a node"), "{waits}");
    assert!(chain.held("T7").iter().all(|row| row["owner"] == ""));
    chain.delegate();
    let routes = until("the routes", || chain.held("T7").into_iter().find(|row| row["owner"] == OWNER));
    assert_eq!(routes["content"]["prefix"], OWNER);
    until("all of it", || status()["sets"].as_array().unwrap().iter().all(|set| set["waiting"] == 0).then_some(()));
    let told = status();
    for set in told["sets"].as_array().unwrap() {
        let is_owed = ["T7", "T10"].contains(&set["set"].as_str().unwrap());
        assert!(set["refused"] == 0 && (!is_owed || set["last_sequence"] == 1), "{set}");
    }
    // The secondary node names whose each part is, and who keeps up.
    let shown = chain.node.by("operator").run(&["sync", "show", "T7", "--json"]).expect(0).json();
    assert!(shown.iter().any(|part| part["owner"] == OWNER && part["origin"] == 1), "{shown:?}");
    let shown = chain.node.by("operator").run(&["sync", "status"]).expect(0);
    assert!(shown.out.contains("reported in time"), "{}", shown.out);
    // The indicators of the last day told: nothing was there then, and who there is now.
    let indicators = until("statistics", || {
        let ended = chain.node.by("operator").run(&["report", "indicators", "--industry", "C=50", "--json"]);
        (ended.status.code() == Some(0)).then(|| ended.json().pop().unwrap())
    });
    assert_eq!(indicators["nodes"], json!({ "secondary": 1, "enterprise": 1 }));
    assert_eq!(indicators["enterprises"], json!({ "registered": 1, "active": 1 }));
    assert_eq!((&indicators["resolution"]["rate"], &indicators["registrations"]["total"]), (&Value::Null, &0.into()));
    assert_eq!(indicators["industries"][0]["penetration"], 0.02);
    // Without it the plan of that year says so, and the plan stands beside the same figures.
    let day = indicators["day"].as_str().unwrap();
    let year = day[..4].to_owned();
    let set =
        ["plan", "set", "--year", &year, "--enterprises", "4", "--resolution-rate-percent", "90", "--industry", "C=25"];
    chain.node.by("operator").run(&set).expect(0);
    assert_eq!(chain.node.json(&["report", "indicators", "--day", day], 0)["industries"][0]["penetration"], 0.04);
    let plan = chain.node.json(&["plan", "show", "--year", &year], 0);
    assert_eq!(plan["enterprises"], json!({ "planned": 4, "actual": 1, "reached": 0.25 }));
    assert_eq!(plan["identifiers"]["planned"], Value::Null);
    assert!(plan["identifiers"]["actual"].is_u64() && plan["day"].is_string(), "{plan}");
    assert_eq!(plan["industries"], json!([{ "section": "C", "of": 25, "active": 1, "penetration": 0.04 }]));
    let absent = chain.node.by("operator").run(&["report", "indicators", "--day", "2026-01-01", "--lang", "zh"]);
    absent.expect(3).says(&["indicators-not-told", "没有已上报的统计"]);
    let (_, metrics) = chain.node.daemon.page("/metrics");
    assert!(metrics.contains("waymark_sync_owners_late{set=\"T8\"} 0"), "{metrics}");
}

#[test]
fn kills_in_between_lose_nothing_and_double_nothing() {
    let mut chain = Chain::start();
    chain.delegate();
    let mut random = rand::rng();
    for round in 0..4 {
        let parts: Vec<Part> = (1..=DAYS).flat_map(|number| [statistics(number), master(number)]).collect();
        let (pid, after) = (chain.node.daemon.process.pid(), Duration::from_millis(random.random_range(0..250)));
        let killer = std::thread::spawn(move || {
            std::thread::sleep(after);
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        });
        let (told, _) = chain.deliver("press", parts);
        println!("round {round}: {} acknowledged, then killed after {after:?}", told.len());
        assert!(told.iter().all(|told| [Outcome::Stored, Outcome::StoredBefore].contains(&told.outcome())), "{told:?}");
        killer.join().unwrap();
        chain.node = chain.node.kill();
    }
    let parts = (1..=DAYS).flat_map(|number| [statistics(number), master(number)]).collect();
    let (told, end) = chain.deliver("press", parts);
    assert!(end.is_none() && told.len() as u64 == 2 * DAYS, "{end:?}");
    until("everything", || Some(chain.held("T9")).filter(|rows| rows.len() as u64 == DAYS));
    let rows = until("everything", || Some(chain.held("T8")).filter(|rows| rows.len() as u64 == DAYS));
    assert!(rows.iter().all(|row| row["owner"] == OWNER), "{rows:?}");
    let mut days: Vec<u64> = rows.iter().map(|row| row["content"]["new_identifiers"].as_u64().unwrap()).collect();
    days.sort_unstable();
    assert_eq!(days, (1..=DAYS).collect::<Vec<_>>());
    // Each was passed on once: as many parts as there are, and no more.
    for set in ["T8", "T9"] {
        let shown = chain.node.by("operator").run(&["sync", "show", set, "--limit", "1000", "--json"]).expect(0).json();
        let of_owner = shown.iter().filter(|part| part["owner"] == OWNER).count() as u64;
        assert_eq!(of_owner, DAYS, "{set}");
        assert!(shown.iter().all(|part| part["state"] != "refused"), "{shown:?}");
    }
}

#[test]
fn others_and_wrong_parts_are_refused_with_a_reason() {
    let chain = Chain::start();
    let (told, end) = chain.deliver("press", vec![statistics(1)]);
    let end = end.expect("it is not given away yet");
    assert!(told.is_empty() && end.code() == tonic::Code::FailedPrecondition, "{end:?}");
    chain.delegate();
    for who in ["rival", "look", "rev"] {
        let (told, end) = chain.deliver(who, vec![statistics(1)]);
        let end = end.unwrap_or_else(|| panic!("{who} was let in: {told:?}"));
        assert!(told.is_empty() && end.code() == tonic::Code::PermissionDenied, "{who}: {end:?}");
    }
    // Of the hostile parts each is refused by itself; what is right behind them is taken.
    let wrong_hash = Part { sha256: vec![7; 32], ..statistics(1) };
    let mut unknown: Value = serde_json::from_slice(&statistics(2).content).unwrap();
    unknown["more"] = 1.into();
    let foreign = Part { set: "T3".into(), ..statistics(9) };
    let parts = vec![
        wrong_hash,
        part("T8", 2, "2026-10-02", &[unknown]),
        Part { part: 2, parts: 3, ..statistics(3) },
        foreign,
        statistics(9),
        statistics(4),
    ];
    let (told, end) = chain.deliver("acme", parts);
    assert!(end.is_none(), "{end:?}");
    let outcomes: Vec<(u64, Outcome)> = told.iter().map(|told| (told.sequence, told.outcome())).collect();
    let refused = Outcome::Refused;
    assert_eq!(
        outcomes,
        [(1, refused), (2, refused), (3, refused), (9, refused), (9, Outcome::OutOfOrder), (4, Outcome::Stored)]
    );
    assert_eq!((told[4].expected, told[0].complaints[0].field.as_str()), (4, "sha256"));
    assert!(told[1].complaints[0].problem.contains("does not belong here"), "{:?}", told[1]);
    let (_, end) = chain.deliver("acme", vec![Part { content: vec![b' '; 5 << 20], ..statistics(5) }]);
    assert_eq!(end.expect("larger than any part").code(), tonic::Code::OutOfRange);
    assert_eq!(until("the good one", || chain.held("T8").pop())["content"]["day"], "2026-10-04");
    // Refusals are written together; a node that stopped has written them.
    let node = chain.node.restart(|_| {});
    let audit = ["audit", "search", "--actor", "rival", "--outcome", "not-permitted"];
    let audit = node.by("operator").run(&audit).expect(0).out;
    assert!(audit.contains(OWNER), "{audit}");
}

#[test]
fn parts_dropped_as_files_are_taken_and_wrong_ones_say_why() {
    let chain = Chain::start();
    chain.delegate();
    let drops = chain.node.bench.path("drops");
    // What an enterprise's node writes, with nobody to send it to.
    let enterprise = Bench::new("");
    let folder = drops.join(OWNER);
    std::fs::create_dir_all(&folder).unwrap();
    let settings =
        format!("[sync]\nrole = \"enterprise\"\nprefix = \"{OWNER}\"\ndirectory = \"{}\"\n", folder.display());
    enterprise.configure(&settings);
    enterprise.run(&["prefix", "home", OWNER]).expect(0);
    let daemon = enterprise.serve();
    let is_there = |set: &str| std::fs::read_dir(folder.join(set)).is_ok_and(|mut entries| entries.next().is_some());
    until("its files", || (is_there("T7") && is_there("T10")).then_some(()));
    daemon.stop().expect(0);
    let rows = first(&folder.join("T10"), ".jsonl");
    std::fs::write(&rows, "{\"prefix\":\"88.990.702\"}\n").unwrap();
    let manifest = first(&folder.join("T10"), ".manifest.json");
    let mut told: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    let changed = std::fs::read(&rows).unwrap();
    (told["rows"], told["files"][0]["bytes"]) = (1.into(), changed.len().into());
    told["files"][0]["sha256"] = format!("{:x}", Sha256::digest(&changed)).into();
    std::fs::write(&manifest, told.to_string()).unwrap();

    let node = chain.node.restart(|bench| {
        bench.configure(&format!("[collection]\ndirectory = \"{}\"\n", drops.display()));
    });
    let chain = Chain { node, ..chain };
    let operator = chain.node.by("operator");
    until("the routes", || {
        let shown = operator.run(&["sync", "show", "T7", "--json"]).expect(0).json();
        shown.into_iter().find(|part| part["owner"] == OWNER && part["state"] == "acknowledged")
    });
    assert!(folder.join("taken/T7/T7-000000000001.manifest.json").exists());
    let reason = until("the reason", || {
        std::fs::read_to_string(manifest.to_str().unwrap().replace(".manifest.json", ".refused.txt")).ok()
    });
    assert!(reason.contains("month: is missing"), "{reason}");
    assert!(!manifest.exists());
}

/// The first file of a set that ends so, whatever its period.
fn first(set: &Path, ending: &str) -> std::path::PathBuf {
    let periods = std::fs::read_dir(set).unwrap().map(|entry| entry.unwrap().path());
    let files = periods.flat_map(|period| std::fs::read_dir(period).unwrap()).map(|entry| entry.unwrap().path());
    files.into_iter().find(|path| path.to_string_lossy().ends_with(ending)).unwrap()
}
