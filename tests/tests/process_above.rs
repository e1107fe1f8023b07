//! What `waymark top-node` answers for and finds out beside the sets: delegated prefixes, and probes of a real node in both address families.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test may fail by panicking, and waits by the machine's clock"
)]

use std::net::{IpAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::{TempDir, tempdir};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use waymark_api::toplevel::v1::{Outcome, Part, sets_client::SetsClient};
use waymark_catalog::{
    Actor, Command, HomeName, Options, PutMode, Submission, Timestamp, Timestamps, ValueSet, Warm, open,
};
use waymark_tests::process::{Bench, PATIENCE, Process, run, tool};
use waymark_top_sync::deposit::{parse_date, watermark};
use waymark_wire::ValueBuf;

const NODE: &str = "88.990";

/// A top-level node on free ports.
struct Top {
    process: Process,
    grpc: String,
    http: String,
    udp: String,
}

fn start(folder: &TempDir, more: &[&str]) -> Top {
    let mut command = tool(["top-node", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    command.args(["--resolution", "127.0.0.1:0", "--data"]).arg(folder.path().join("top")).args(more);
    let mut process = Process::start(command);
    let line = process.next_line().expect("the line that says where it listens");
    let word = |scheme: &str| line.split(' ').find(|word| word.starts_with(scheme)).unwrap_or_else(|| panic!("{line}"));
    let [grpc, http, udp] = ["grpc://", "http://", "udp://"].map(|scheme| word(scheme).to_owned());
    Top { process, grpc, http, udp }
}

impl Top {
    fn page(&self, path: &str) -> Value {
        let text = ureq::get(format!("{}{path}", self.http)).call().unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// What is answered to a client that asks where a prefix is.
    fn asked(&self, name: &str, code: i32) -> String {
        run(tool(["resolve", name, "--server", &self.udp, "--type", "HS_SITE", "--json"])).expect(code).out
    }
}

/// An address as it stands in a site: 16 bytes, those of IPv4 behind 12 that are zero.
fn in_site(address: &str) -> String {
    match address.parse().unwrap() {
        IpAddr::V4(address) => format!("{}{}", "00".repeat(12), hex::encode(address.octets())),
        IpAddr::V6(address) => hex::encode(address.octets()),
    }
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let ends = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < ends, "{what} does not come");
        sleep(Duration::from_millis(50));
    }
}

fn part(set: &str, sequence: u64, rows: &[Value]) -> Part {
    let content: String = rows.iter().map(|row| format!("{row}\n")).collect();
    Part {
        node: NODE.into(),
        set: set.into(),
        sequence,
        owner: String::new(),
        period: "2026-01-05T08:00:00.000Z".into(),
        part: 1,
        parts: 1,
        rows: rows.len() as u64,
        sha256: Sha256::digest(&content).to_vec(),
        content: content.into_bytes(),
        withdrawn: false,
    }
}

async fn send(grpc: &str, part: Part) {
    let mut client = SetsClient::connect(grpc.replacen("grpc://", "http://", 1)).await.unwrap();
    let (parts, stream) = mpsc::channel(1);
    let mut answers = client.deliver(ReceiverStream::new(stream)).await.unwrap().into_inner();
    parts.send(part).await.unwrap();
    let answer = timeout(PATIENCE, answers.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(answer.outcome(), Outcome::Stored, "{answer:?}");
}

fn row(prefix: &str, addresses: &[&str]) -> Value {
    let route = |ip: &&str| {
        let ip_type = if ip.contains(':') { 6 } else { 4 };
        json!({"ip_type": ip_type, "ip": ip, "tcp": 2641, "udp": 2641, "http": null})
    };
    json!({"prefix": prefix, "code_type": "Handle", "routes": addresses.iter().map(route).collect::<Vec<_>>()})
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_are_resolved_to_the_routes_that_were_told_ipv4_first() {
    let folder = tempdir().unwrap();
    let top = start(&folder, &[]);
    send(&top.grpc, part("T2", 1, &[row(NODE, &["2001:db8::1", "192.0.2.1"])])).await;
    let below = [row("88.990.10001", &["192.0.2.5"]), row("88.990.10002", &["2001:db8::6"])];
    send(&top.grpc, part("T7", 1, &below)).await;
    let found = |name: &str, address: &str| {
        let out = run(tool(["resolve", name, "--server", &top.udp, "--type", "HS_SITE", "--json"])).out;
        out.contains(&in_site(address))
    };
    until("the route of the node", || found(NODE, "192.0.2.1"));
    until("the route of an enterprise", || found("88.990.10001", "192.0.2.5"));
    for name in [NODE, "0.NA/88.990"] {
        let said = top.asked(name, 0);
        let place = |address: &str| said.find(&in_site(address)).unwrap_or_else(|| panic!("no {address} in {said}"));
        assert!(place("192.0.2.1") < place("2001:db8::1"), "{said}");
    }
    assert!(top.asked("88.990.10002", 0).contains(&in_site("2001:db8::6")));
    send(&top.grpc, part("T7", 2, &[row("88.990.10001", &[])])).await;
    until("the end of a route", || !found("88.990.10001", "192.0.2.5"));
    // What is not known here may be known by the node above it in the tree.
    let referred = top.asked("88.990.10001", 4);
    assert!(referred.contains("prefix referral") && referred.contains(&in_site("192.0.2.1")), "{referred}");
    // What was told is told again after a restart.
    top.process.signal(Signal::SIGTERM);
    top.process.ended().expect(0);
    let top = start(&folder, &[]);
    until("the route of the node", || {
        run(tool(["resolve", NODE, "--server", &top.udp, "--type", "HS_SITE", "--json"]))
            .out
            .contains(&in_site("192.0.2.1"))
    });
}

#[test]
fn probes_find_a_node_that_hangs_in_both_families_and_find_it_again() {
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    let families: &[u64] = if has_ipv6 { &[4, 6] } else { &[4] };
    let folder = tempdir().unwrap();
    let probes = ["--probers", "3", "--probe-every", "100", "--probe-patience", "400", "--probe-window", "2500"];
    let top = start(&folder, &probes);
    let bench = Bench::new("");
    let doors = if has_ipv6 { "[\"127.0.0.1:0\", \"[::1]:0\"]" } else { "[\"127.0.0.1:0\"]" };
    let addresses = if has_ipv6 { "[\"127.0.0.1\", \"::1\"]" } else { "[\"127.0.0.1\"]" };
    let settings = format!(
        "listen.udp = {doors}\nlisten.tcp = {doors}\nlisten.quic = []\nlisten.http = []\nlisten.grpc = {doors}\n\
         listen.api = []\nsite.addresses = {addresses}\nstore.segment_mib = 1\nsync.prefix = \"{NODE}\"\n\
         sync.server = \"{}\"\n",
        top.grpc
    );
    bench.put("waymark.toml", settings);
    bench.run(&["prefix", "home", NODE]).expect(0);
    let daemon = bench.serve();
    let pin = daemon.registration_pin().to_owned();
    let told: Vec<Value> = daemon
        .line
        .split(' ')
        .filter(|word| word.starts_with("grpcs://"))
        .map(|url| json!({"url": url, "pin": pin}))
        .collect();
    assert_eq!(told.len(), families.len(), "{}", daemon.line);
    let body = json!({"registration": {NODE: told}}).to_string();
    ureq::post(format!("{}/probes", top.http)).send(body).unwrap();
    let of_node = || top.page("/probes")["nodes"].as_array().unwrap().iter().find(|node| node["node"] == NODE).cloned();
    let stands = |state: &str, unavailable: bool| {
        let Some(node) = of_node() else { return false };
        let shown = node["families"].as_array().unwrap();
        let numbers: Vec<u64> = shown.iter().map(|family| family["family"].as_u64().unwrap()).collect();
        let is_so = |family: &Value| {
            let found = |name: &str| family[name].as_u64().unwrap() > 0;
            found("probes") && (!unavailable || (found("resolution_unavailable") && found("registration_unavailable")))
        };
        node["state"] == state && numbers == families && shown.iter().all(is_so)
    };
    until("service", || stands("in-service", false));
    assert!(daemon.process.stop(), "it runs");
    until("the takeover", || stands("takeover-due", true));
    let node = of_node().unwrap();
    let (probes, unavailable) = (node["probes"].as_u64().unwrap(), node["unavailable"].as_u64().unwrap());
    assert!(unavailable * 100 >= probes * 51, "{node}");
    daemon.process.go_on();
    until("service again", || stands("in-service", false));
    let refused = ureq::post(format!("{}/probes", top.http)).send("{}".to_owned());
    assert!(matches!(refused, Err(ureq::Error::StatusCode(400))), "{refused:?}");
}

/// A node of a day long past: its deposit is made, and nobody answers where it says it is.
fn deposited(folder: &TempDir) {
    let path = |name: &str| folder.path().join(name);
    for name in ["node", "platform"] {
        run(tool(["deposit", "keys", "--name", name, "--out", folder.path().to_str().unwrap()])).expect(0);
    }
    std::fs::create_dir(path("deposits")).unwrap();
    let noon = Timestamp(watermark(parse_date("2024-11-23").unwrap()).0 + 12 * 3_600_000);
    CLOCK.store(noon.0, Ordering::Relaxed);
    let mut store = waymark_store::Options::new(path("data"));
    (store.now, store.segment_bytes) = (noon, 1 << 20);
    let catalog = open(&Options { warm: Warm::Off, clock, ..Options::new(store) }).unwrap().catalog;
    let values = ValueSet::from_bufs(&[ValueBuf::new(1, b"DESC", b"deposited")]).unwrap();
    let (handle, timestamps) = (format!("{NODE}/BOX.1").into_bytes(), Timestamps::Keep);
    let commands = vec![
        Command::Home { name: HomeName::parse(NODE.as_bytes()).unwrap() },
        Command::Put { handle, values, timestamps, mode: PutMode::Create },
    ];
    let submission = Submission::new(&Actor::operator(), commands);
    assert!(catalog.writer().submit(submission).unwrap().wait().unwrap().iter().all(Result::is_ok));
    catalog.shutdown().unwrap();
    drop(catalog);
    let [data, out, platform, node] =
        ["data", "deposits", "platform.pub", "node.key"].map(|name| path(name).to_str().unwrap().to_owned());
    let made = ["deposit", "make", "--prefix", NODE, "--date", "2024-11-24", "--data", &data, "--out", &out];
    run(tool([&made[..], &["--platform-key", &platform, "--node-key", &node]].concat())).expect(0);
}

static CLOCK: AtomicU64 = AtomicU64::new(0);

fn clock() -> Timestamp {
    Timestamp(CLOCK.fetch_add(1_000, Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_registered_in_a_takeover_outlives_kills_of_both_nodes() {
    let folder = tempdir().unwrap();
    deposited(&folder);
    let [deposits, node, platform] =
        ["deposits", "node.pub", "platform.key"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    let probes = ["--probers", "2", "--probe-every", "100", "--probe-patience", "400", "--probe-window", "2000"];
    let keys = ["--deposit-node-key", &node, "--deposit-platform-key", &platform];
    let options = [&probes[..], &["--takeover", NODE, "--deposits", &deposits], &keys].concat();
    let file = std::fs::read_dir(&deposits).unwrap().map(|entry| entry.unwrap().path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "inde")).unwrap();
    let good = std::fs::read(&file).unwrap();
    let mut damaged = good.clone();
    damaged.iter_mut().rev().take(200).for_each(|byte| *byte ^= 0xff);
    std::fs::write(&file, damaged).unwrap();
    let top = start(&folder, &options);
    assert_eq!(top.page("/takeover")["phase"], "watching");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let route = json!({"ip_type": 4, "ip": "127.0.0.1", "tcp": port, "udp": port, "http": null});
    let own = json!({"prefix": NODE, "code_type": "Handle", "routes": [route]});
    send(&top.grpc, part("T2", 1, &[own])).await;
    // An enterprise that answers for itself goes on doing so.
    send(&top.grpc, part("T7", 1, &[row("88.990.10001", &["192.0.2.5"])])).await;
    // A deposit that is not valid is tried again, and leaves nothing behind; one that is brought meanwhile is taken.
    until("a takeover that fails", || top.page("/takeover")["phase"] == "failed");
    let left: Vec<_> = std::fs::read_dir(folder.path().join("top/takeover")).unwrap().map(Result::unwrap).collect();
    assert!(left.is_empty(), "{left:?}");
    std::fs::write(&file, good).unwrap();
    until("the takeover", || top.page("/takeover")["phase"] == "serving");
    let page = top.page("/takeover");
    assert_eq!((&page["restored"]["date"], &page["restored"]["node"]), (&json!("2024-11-24"), &json!(NODE)));
    let register = |page: &Value, name: &str| {
        let token = format!("{}/operator-token", page["data"].as_str().unwrap());
        let [grpc, pin] = ["grpc", "pin"].map(|name| page[name].as_str().unwrap());
        let name = format!("{NODE}/{name}");
        let words = ["register", &name, "--value", "1 DESC emergency", "--server", grpc, "--pin", pin];
        run(tool([&words[..], &["--token-file", &token]].concat())).expect(0);
    };
    register(&page, "EM.1");
    let pid = |page: &Value| {
        let text = std::fs::read_to_string(format!("{}/listen.json", page["data"].as_str().unwrap())).unwrap();
        let listening: Value = serde_json::from_str(&text).unwrap();
        Pid::from_raw(i32::try_from(listening["pid"].as_i64().unwrap()).unwrap())
    };
    kill(pid(&page), Signal::SIGKILL).unwrap();
    until("the emergency node again", || top.page("/takeover")["grpc"] != page["grpc"]);
    let page = top.page("/takeover");
    register(&page, "EM.2");
    // The emergency node is left behind, and ended by the next run.
    top.process.kill();
    let top = start(&folder, &options);
    until("the emergency node of before", || top.page("/takeover")["phase"] == "serving");
    let again = top.page("/takeover");
    assert_eq!(again["data"], page["data"], "it is not restored anew");
    register(&again, "EM.3");
    let token = format!("{}/operator-token", again["data"].as_str().unwrap());
    let server = ["--server", again["grpc"].as_str().unwrap(), "--pin", again["pin"].as_str().unwrap()];
    for name in ["BOX.1", "EM.1", "EM.2", "EM.3"] {
        let name = format!("{NODE}/{name}");
        run(tool([&["get", &name][..], &server, &["--token-file", &token]].concat())).expect(0);
    }
    assert!(top.asked("88.990.10001", 0).contains(&in_site("192.0.2.5")));
    let emergency = pid(&again);
    // It may be said again while the node still stops.
    kill(emergency, Signal::SIGSTOP).unwrap();
    for _ in 0..2 {
        ureq::post(format!("{}/takeover/end", top.http)).send("").unwrap();
        assert_eq!(top.page("/takeover")["phase"], "ending");
    }
    kill(emergency, Signal::SIGCONT).unwrap();
    until("its end", || top.page("/takeover")["phase"] == "watching");
    assert!(kill(emergency, None).is_err(), "the emergency node has ended");
    let ended = ureq::post(format!("{}/takeover/end", top.http)).send("");
    assert!(matches!(ended, Err(ureq::Error::StatusCode(409))), "{ended:?}");
    top.process.signal(Signal::SIGTERM);
    top.process.ended().expect(0);
}
