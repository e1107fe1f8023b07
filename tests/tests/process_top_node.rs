//! `waymark top-node` as a developer meets it: started, sent to, killed, started again, stopped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use nix::sys::signal::Signal;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::{TempDir, tempdir};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use waymark_api::toplevel::v1::{Outcome, Part, WatermarksRequest, sets_client::SetsClient};
use waymark_tests::process::{PATIENCE, Process, run, tool};

/// A top-level node on free ports, and the addresses of its doors.
fn start(folder: &TempDir, more: &[&str]) -> (Process, String, String) {
    let mut command = tool(["top-node", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    command.arg("--data").arg(folder.path().join("top")).args(more);
    let mut process = Process::start(command);
    let line = process.next_line().expect("the line that says where it listens");
    let words: Vec<&str> = line.split(' ').collect();
    let ["listening", grpc, http] = words[..] else { panic!("{line}") };
    (process, grpc.replacen("grpc://", "http://", 1), http.to_owned())
}

/// An identifier that was registered on a day that is long over.
fn part(sequence: u64) -> Part {
    let row = json!({
        "code": format!("88.990.10001/{sequence}"), "created": "2026-01-05", "template": "", "operation": 1,
        "product_type": "", "brand": "", "name": "水泵", "maker": "", "produced": "", "expires": "", "carrier": null,
    });
    let content = format!("{row}\n").into_bytes();
    Part {
        node: "88.990".into(),
        set: "T9".into(),
        sequence,
        owner: String::new(),
        period: "2026-01-05".into(),
        part: u32::try_from(sequence).unwrap(),
        parts: 1_000_000,
        rows: 1,
        sha256: Sha256::digest(&content).to_vec(),
        content,
        withdrawn: false,
    }
}

async fn sequence(client: &mut SetsClient<Channel>) -> u64 {
    let asked = client.watermarks(WatermarksRequest { node: "88.990".into() }).await.unwrap();
    asked.into_inner().watermarks.first().map_or(0, |mark| mark.sequence)
}

/// A page as JSON.
async fn page(address: &str, path: &str) -> serde_json::Value {
    let url = format!("{address}{path}");
    let read = move || ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
    serde_json::from_str(&tokio::task::spawn_blocking(read).await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_a_kill() {
    let folder = tempdir().unwrap();
    let mut sent = 0;
    for round in 1..=4_u64 {
        let (process, grpc, http) = start(&folder, &[]);
        let mut client = SetsClient::connect(grpc).await.unwrap();
        let from = sequence(&mut client).await;
        assert!(from >= sent, "round {round}: {sent} were acknowledged, {from} are there");
        let held = page(&http, "/held/T9?limit=10000").await;
        assert_eq!(held["rows"].as_array().unwrap().len() as u64, from);

        let (parts, stream) = mpsc::channel(64);
        let mut answers = client.deliver(ReceiverStream::new(stream)).await.unwrap().into_inner();
        let sending = tokio::spawn(async move {
            let mut sequence = from + 1;
            while parts.send(part(sequence)).await.is_ok() {
                sequence += 1;
            }
        });
        for _ in 0..20 * round {
            let answer = timeout(PATIENCE, answers.message()).await.unwrap().unwrap().unwrap();
            assert_eq!(answer.outcome(), Outcome::Stored);
            sent = answer.sequence;
        }
        // While parts are coming.
        process.kill();
        sending.abort();
    }
    let (process, _, http) = start(&folder, &[]);
    let status = page(&http, "/status").await;
    assert_eq!(status["nodes"][0]["node"], "88.990");
    let shown = &status["nodes"][0]["sets"][0];
    assert!(shown["sequence"].as_u64().unwrap() >= sent && shown["refused"] == 0);
    process.signal(Signal::SIGTERM);
    process.ended().expect(0);
}

#[test]
fn with_a_certificate_it_listens_over_tls() {
    let folder = tempdir().unwrap();
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let [certificate, key] = ["top.crt", "top.key"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    let tls = ["--tls-certificate", &certificate, "--tls-key", &key, "--tls-client-ca", &certificate];
    let (running, grpc, _) = start(&folder, &tls);
    assert!(grpc.starts_with("grpcs://"), "{grpc}");
    running.signal(Signal::SIGTERM);
    running.ended().expect(0);

    std::fs::write(&key, "no key").unwrap();
    let mut command = tool(["top-node", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"]);
    command.arg(folder.path().join("top")).args(tls);
    run(command).expect(2).says(&["error[top-node-tls]"]);
}

#[test]
fn what_cannot_be_is_said_before_anything_is_opened() {
    let folder = tempdir().unwrap();
    let top = |more: &[&str]| {
        let mut command = tool(["top-node", "--http", "127.0.0.1:0"]);
        command.arg("--data").arg(folder.path().join("top")).args(more);
        run(command)
    };
    top(&["--listen", "0.0.0.0:0"]).expect(2).says(&["error[top-node-plain]", "0.0.0.0:0", "--tls-certificate"]);
    let faults = folder.path().join("faults.json");
    std::fs::write(&faults, r#"{"per_thousand": {"close": 2000}}"#).unwrap();
    let faults = faults.to_str().unwrap();
    top(&["--listen", "127.0.0.1:0", "--faults", faults]).expect(2).says(&["error[top-node-faults]", faults, "1000"]);
    top(&["--listen", "127.0.0.1:0", "--tls-certificate", "x"]).expect(2).says(&["--tls-key"]);
    assert!(!folder.path().join("top").exists());

    let (_running, ..) = start(&folder, &[]);
    top(&["--listen", "127.0.0.1:0"]).expect(7).says(&["error[top-node-folder-in-use]"]);
    run(tool(["top-node", "--help", "--lang", "zh"])).expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn enterprises_and_prefixes_are_registered_beside_the_sets() {
    let folder = tempdir().unwrap();
    let mut command = tool(["top-node", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    command.arg("--data").arg(folder.path().join("top"));
    command.args(["--epp", "127.0.0.1:0", "--epp-prefix", "88.990", "--epp-user", "app"]);
    let mut process = Process::start(command);
    let line = process.next_line().expect("the line that says where it listens");
    let epp = line.split(' ').nth(3).unwrap_or_else(|| panic!("{line}"));
    let holdings = page(epp.trim_end_matches("/epp"), "/holdings").await;
    assert!(holdings.is_object(), "{holdings}");
    let outside = ["top-node", "--data", "x", "--epp", "192.0.2.1:1", "--epp-prefix", "88.990", "--epp-user", "app"];
    run(tool(outside)).expect(2).says(&["192.0.2.1:1"]);
}
