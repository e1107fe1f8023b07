//! `waymarkd` as an operator meets it: started, asked, watched, told to reload and to stop.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::Command;

use nix::sys::signal::Signal;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rcgen::{CertifiedKey, KeyPair};
use serde_json::{Value, json};
use tokio::time::timeout;
use waymark_client::{Trust, quic};
use waymark_tests::asking::{Connection, ask_udp, question, said};
use waymark_tests::process::{Bench, Daemon, PATIENCE, daemon, json_lines, run, tool};
use waymark_tests::records;

const RECORDS: usize = 50;

/// A folder with some records, and a configuration that ends with these lines.
fn filled(more: &str) -> Bench {
    let bench = Bench::new(more);
    fill(&bench);
    bench
}

/// Puts some records into the data folder.
fn fill(bench: &Bench) {
    let source = bench.put("source.jsonl", records::text(&records::lines(RECORDS, 100)));
    bench.run(&["import", source.to_str().unwrap(), "--home"]).expect(0);
}

/// `waymark` with these words, on the data folder of a running node.
fn ask(bench: &Bench, words: &[&str]) -> Command {
    let mut command = tool(words);
    command.arg("--data").arg(bench.data());
    command
}

#[test]
fn free_ports_are_printed_in_one_line_and_kept_in_a_file_until_the_stop() {
    let bench = filled("");
    let running = bench.serve();
    let kept: Value = serde_json::from_str(&bench.text("data/listen.json")).unwrap();
    assert_eq!(kept["pid"], running.process.pid().as_raw());
    assert_eq!(kept["quic_fingerprint"], running.pin());
    for scheme in ["udp", "tcp", "quic", "http"] {
        let address = running.address(scheme);
        assert_ne!(address.port(), 0);
        assert_eq!(kept[scheme], json!([address.to_string()]));
    }
    let name = records::name(3);
    let mut answers = Vec::new();
    for scheme in ["udp", "tcp", "quic"] {
        let mut command = tool(["resolve", &name, "--json", "--server", &running.url(scheme)]);
        command.args(["--pin", &running.pin()]);
        let mut answer = run(command).expect(0).json().remove(0);
        assert_eq!(answer["transport"], scheme);
        assert_eq!(answer["response_code"], 1);
        answers.push(answer["values"].take());
    }
    // The folder is enough to find the node, and all ways lead to the same values.
    let mut answer = run(ask(&bench, &["resolve", &name, "--json"])).expect(0).json().remove(0);
    answers.push(answer["values"].take());
    let record: Value = serde_json::from_str(&records::line(3, 100)).unwrap();
    assert_eq!(answers, vec![record["values"].clone(); 4]);

    let ended = running.stop().expect(0);
    assert_eq!(ended.out.lines().count(), 1, "{}", ended.out);
    assert!(!bench.data().join("listen.json").exists());
    run(ask(&bench, &["resolve", &name])).expect(5).says(&["node-not-running"]);
}

#[test]
fn exit_codes_tell_found_absent_refused_and_silent() {
    let bench = filled("");
    let running = bench.serve();
    let absent = format!("{}/NOBODY", records::PREFIX);
    run(ask(&bench, &["resolve", &records::name(1)])).expect(0);
    run(ask(&bench, &["resolve", &records::name(1), "--type", "EMAIL"])).expect(3);
    run(ask(&bench, &["resolve", &absent])).expect(3);
    run(ask(&bench, &["resolve", "88.999/elsewhere"])).expect(4);
    let url = running.url("udp");
    running.stop().expect(0);
    run(tool(["resolve", &absent, "--server", &url, "--timeout", "300"])).expect(5).says(&["no-answer"]);
}

#[test]
fn a_certified_answer_and_a_message_in_chinese_come_to_the_command_line() {
    let bench = filled("");
    let running = bench.serve();
    let answer = run(ask(&bench, &["resolve", &records::name(1), "--certified", "--json"])).expect(0).json().remove(0);
    assert_eq!(answer["certified"], true);
    let mut command = ask(&bench, &["resolve", "88.999/elsewhere"]);
    command.env("LANG", "zh_CN.UTF-8");
    let told = run(command).expect(4).out;
    let plain = run(ask(&bench, &["resolve", "88.999/elsewhere"])).expect(4).out;
    assert!(told.contains("301") && plain.contains("301"));
    assert!(told.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter)), "{told}");
    assert!(plain.is_ascii(), "{plain}");
    running.stop().expect(0);
}

#[test]
fn a_stop_answers_what_is_under_way_first() {
    let bench = filled("");
    let mut running = bench.serve();
    let mut connection = Connection::open(running.address("tcp"));
    let first = question(1, &records::name(1));
    let second = question(2, &records::name(2));
    let (begin, rest) = second.split_at(second.len() / 2);
    // Both in one piece: once the first is answered, half of the second has arrived.
    connection.send(&[&first, begin].concat());
    assert_eq!(said(&connection.receive().unwrap()).code, 1);

    running.process.signal(Signal::SIGTERM);
    running.process.wait_for_log("stopping");
    assert_eq!(running.page("/readyz").0, 503);
    assert_eq!(running.page("/healthz").0, 200, "it still runs");
    connection.send(rest);
    let answer = said(&connection.receive().expect("an answer during the stop"));
    assert_eq!((answer.request_id, answer.code), (2, 1));
    assert_eq!(connection.receive(), None, "then the connection ends");
    running.process.ended().expect(0);
}

#[test]
fn a_stop_waits_no_longer_than_its_bound() {
    let bench = filled("node.stop_seconds = 1\nstream.message_seconds = 120\n");
    let mut running = bench.serve();
    let mut stuck = stuck_connection(running.address("tcp"));
    running.process.signal(Signal::SIGTERM);
    running.process.wait_for_log("cut off");
    assert_eq!(stuck.receive(), None);
    running.process.ended().expect(0);
    bench.run(&["store", "check"]).expect(0);
}

#[test]
fn a_second_signal_stops_at_once() {
    let bench = filled("node.stop_seconds = 300\nstream.message_seconds = 300\n");
    let mut running = bench.serve();
    let mut stuck = stuck_connection(running.address("tcp"));
    running.process.signal(Signal::SIGTERM);
    running.process.wait_for_log("stopping");
    running.process.signal(Signal::SIGINT);
    running.process.wait_for_log("at once");
    assert_eq!(stuck.receive(), None);
    running.process.ended().expect(0);
    assert!(!bench.data().join("listen.json").exists());
    bench.run(&["store", "check"]).expect(0);
}

/// A connection whose half message never becomes whole.
fn stuck_connection(server: SocketAddr) -> Connection {
    let mut connection = Connection::open(server);
    let second = question(2, &records::name(2));
    connection.send(&[&question(1, &records::name(1)), &second[..30]].concat());
    assert_eq!(said(&connection.receive().unwrap()).request_id, 1);
    connection
}

/// Writes a new certificate and its key where the configuration looks for them; gives its fingerprint.
fn new_certificate(bench: &Bench) -> [u8; 32] {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    bench.put("chain.pem", cert.pem());
    bench.put("key.pem", signing_key.serialize_pem());
    waymark_client::fingerprint(cert.der())
}

/// A stream of a new connection to a node that is believed for this fingerprint.
async fn open_quic(running: &Daemon, pin: [u8; 32]) -> Option<(quic::Connection, quic::Stream)> {
    let trust = Trust::Pin(pin);
    let connecting = quic::Connection::open(running.address("quic"), "localhost", &trust);
    let connection = timeout(PATIENCE, connecting).await.unwrap().ok()?;
    let stream = connection.stream().await.unwrap();
    Some((connection, stream))
}

async fn ask_quic(stream: &mut quic::Stream, request_id: u32) {
    stream.send(&question(request_id, &records::name(1))).await.unwrap();
    let answer = said(&timeout(PATIENCE, stream.receive()).await.unwrap().unwrap());
    assert_eq!((answer.request_id, answer.code), (request_id, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hang_up_reads_the_certificate_again_and_leaves_connections_alone() {
    let bench = Bench::default();
    let path = |name: &str| format!("{:?}", bench.path(name));
    let certificate = format!("quic.certificate = {}\nquic.private_key = {}\n", path("chain.pem"), path("key.pem"));
    bench.put("waymark.toml", bench.text("waymark.toml") + &certificate);
    let first = new_certificate(&bench);
    fill(&bench);
    let mut running = bench.serve();
    assert_eq!(running.pin(), hex::encode(first));
    let (_old, mut old_stream) = open_quic(&running, first).await.unwrap();
    ask_quic(&mut old_stream, 1).await;

    let second = new_certificate(&bench);
    running.process.signal(Signal::SIGHUP);
    running.process.wait_for_log("certificates read again");
    let (_new, mut new_stream) = open_quic(&running, second).await.expect("the new certificate is shown");
    ask_quic(&mut new_stream, 2).await;
    assert!(open_quic(&running, first).await.is_none(), "the old one is shown no more");
    ask_quic(&mut old_stream, 3).await;
    // Whoever finds the node by its folder believes the new one.
    let kept: Value = serde_json::from_str(&bench.text("data/listen.json")).unwrap();
    assert_eq!(kept["quic_fingerprint"], hex::encode(second));

    // A key of another certificate, and then no certificate at all: the one that works stays.
    bench.put("key.pem", KeyPair::generate().unwrap().serialize_pem());
    for content in [bench.text("chain.pem"), "no certificate\n".to_owned()] {
        bench.put("chain.pem", content);
        running.process.signal(Signal::SIGHUP);
        running.process.wait_for_log("the old one stays");
        let (_still, mut stream) = open_quic(&running, second).await.expect("the last good certificate");
        ask_quic(&mut stream, 4).await;
    }
    ask_quic(&mut old_stream, 5).await;
    running.stop().expect(0);
}

#[test]
fn everything_wrong_with_a_configuration_is_said_at_once_in_both_languages() {
    let bench = Bench::default();
    let bad = bench.put(
        "bad.toml",
        "[listen]\nudp = [\"nowhere\"]\ntcpp = []\n[udp]\nthreads = \"many\"\n[store]\nsegment_mib = 0\n\
         [quic]\ncertificate = \"missing.pem\"\n",
    );
    let codes = |text: &str| -> Vec<String> {
        let codes = text.lines().filter_map(|line| line.strip_prefix("error[")?.split_once(']'));
        let mut codes: Vec<String> = codes.map(|(code, _)| code.to_owned()).collect();
        codes.sort();
        codes
    };
    let checked = |language: &str| {
        let mut command = daemon(["--check-config", "--lang", language, "--config"]);
        command.arg(&bad);
        run(command).expect(2)
    };
    let (english, chinese) = (checked("en"), checked("zh"));
    let expected = [
        "config-combination",
        "config-file-missing",
        "config-out-of-range",
        "config-out-of-range",
        "config-unknown-key",
        "config-wrong-type",
    ];
    assert_eq!(codes(&english.err), expected, "{}", english.err);
    assert_eq!(codes(&chinese.err), expected, "{}", chinese.err);
    // What is wrong, what would be right, and what was probably meant.
    let english = english.says(&["listen.udp", "nowhere", "udp.threads", "many", "store.segment_mib", "1 .. 1024"]);
    english.says(&["listen.tcp", "quic.private_key", "missing.pem"]);
    assert!(chinese.err.lines().all(|line| !line.is_ascii()), "{}", chinese.err);
    // Without --check-config it says the same and starts nothing.
    let mut command = daemon(["--config"]);
    command.arg(&bad).arg("--data").arg(bench.data());
    assert_eq!(codes(&run(command).expect(2).err), expected);
    assert!(!bench.data().exists());

    let mut command = daemon(["--check-config", "--config"]);
    command.arg(bench.config()).arg("--data").arg(bench.data());
    assert_eq!(run(command).expect(0).out, "The configuration is good.\n");
    assert!(!bench.data().exists(), "a check makes nothing");
    let mut command = daemon(["--check-config", "--config"]);
    command.arg(bench.path("no such file"));
    run(command).expect(2).says(&["config-unreadable"]);
    let broken = bench.put("broken.toml", "[listen]\nudp = = 3\n");
    let mut command = daemon(["--check-config", "--config"]);
    command.arg(broken);
    run(command).expect(2).says(&["config-syntax", "line 2"]);
}

#[test]
fn the_printed_configuration_is_taken_as_it_is() {
    let bench = Bench::default();
    let printed = run(tool(["config"])).expect(0).out;
    let mut command = daemon(["--check-config", "--config"]);
    command.arg(bench.put("printed.toml", printed));
    run(command).expect(0);
}

/// Samples of a metrics page by name and labels, the labels in order.
fn samples(page: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let mut labels: Vec<&str> = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty()).collect();
        labels.sort_unstable();
        let before = samples.insert(format!("{name}{{{}}}", labels.join(",")), value.parse().unwrap());
        assert_eq!(before, None, "{series} stands twice");
    }
    samples
}

#[test]
fn metrics_move_with_the_questions_by_exactly_their_number() {
    let bench = filled("");
    let running = bench.serve();
    let before = samples(&running.page("/metrics").1);
    let absent = format!("{}/NOBODY", records::PREFIX);
    let mut connection = Connection::open(running.address("tcp"));
    for id in 0..7 {
        connection.ask(id, &records::name(1));
        ask_udp(running.address("udp"), id, &records::name(2));
    }
    for id in 0..3 {
        assert_eq!(connection.ask(id, &absent).code, 100);
        assert_eq!(ask_udp(running.address("udp"), id, "88.999/x").code, 301);
    }
    let (code, page) = running.page("/metrics");
    assert_eq!(code, 200);
    let after = samples(&page);
    let moved = |name: &str, labels: &str| {
        let series = format!("{name}{{{labels}}}");
        after.get(&series).copied().unwrap_or_default() - before.get(&series).copied().unwrap_or_default()
    };
    let answers = |transport: &str, outcome: &str| {
        let labels = format!("operation=\"resolution\",outcome=\"{outcome}\",transport=\"{transport}\"");
        moved("waymark_resolver_answers_total", &labels)
    };
    for (transport, outcome, count) in [("tcp", "success", 7.0), ("udp", "success", 7.0)] {
        assert!((answers(transport, outcome) - count).abs() < 0.5, "{transport} {outcome}: {page}");
    }
    let all = |transport: &str| {
        let of_transport = |series: &&String| {
            series.starts_with("waymark_resolver_answers_total{")
                && series.contains(&format!("transport=\"{transport}\""))
        };
        after.keys().filter(of_transport).map(|series| after[series] - before.get(series).unwrap_or(&0.0)).sum::<f64>()
    };
    assert!((all("tcp") - 10.0).abs() < 0.5 && (all("udp") - 10.0).abs() < 0.5, "{page}");
    assert!((moved("waymark_resolver_answer_seconds_count", "transport=\"tcp\"") - 10.0).abs() < 0.5, "{page}");
    assert!((after["waymark_index_entries{}"] - RECORDS as f64).abs() < 0.5);
    assert!((after["waymark_catalog_writable{}"] - 1.0).abs() < 0.5);
    assert!((after["waymark_resolver_connections{transport=\"tcp\"}"] - 1.0).abs() < 0.5, "{page}");
    // Every sample has its meaning and kind on the page, and counters only grow.
    for (series, value) in &after {
        let name = series.split('{').next().unwrap();
        let kind = page.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} ")));
        assert!(kind.is_some(), "{name} has no type");
        assert!(page.contains(&format!("# HELP {name} ")), "{name} has no help");
        if kind == Some("counter") {
            assert!(before.get(series).is_none_or(|former| former <= value), "{series}");
        }
    }
    running.stop().expect(0);
}

#[test]
fn health_readiness_and_status_tell_what_the_node_is_doing() {
    let bench = filled("");
    let running = bench.serve();
    assert_eq!(running.page("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(running.page("/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(running.page("/elsewhere").0, 404);
    Connection::open(running.address("tcp")).ask(1, &records::name(1));
    let (code, page) = running.page("/status");
    let status: Value = serde_json::from_str(&page).unwrap();
    assert_eq!(code, 200);
    assert_eq!(status["identifiers"], RECORDS);
    assert_eq!(status["stopping"], false);
    assert_eq!(status["not_writable"], Value::Null);
    assert_eq!(status["listening"]["pid"], running.process.pid().as_raw());
    assert_eq!(status["answers"], json!([["udp", 0], ["tcp", 1], ["quic", 0]]));
    // The command shows the same.
    let shown = bench.run(&["status", "--json"]).expect(0).json().remove(0);
    assert_eq!((&shown["serial"], &shown["identifiers"]), (&status["serial"], &status["identifiers"]));
    let text = bench.run(&["status"]).expect(0).out;
    assert!(text.contains("running") && text.contains(&running.url("udp")), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours without a terminal");
    running.stop().expect(0);
    // Without a node it looks into the folder.
    let offline = bench.run(&["status", "--json"]).expect(0);
    let folder = json_lines(&offline.out).remove(0);
    assert_eq!((&folder["serial"], &folder["identifiers"]), (&status["serial"], &status["identifiers"]));
    offline.says(&["No node answers"]);
}

#[test]
fn a_door_that_cannot_be_opened_is_said_and_leaves_the_folder_free() {
    let bench = filled("");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("listen.tcp = [\"{}\"]", taken.local_addr().unwrap());
    let settings = bench.text("waymark.toml");
    bench.put("waymark.toml", settings.replace("listen.tcp = [\"127.0.0.1:0\"]", &address));
    let mut command = daemon(["--config"]);
    command.arg(bench.config()).arg("--data").arg(bench.data());
    run(command).expect(1).says(&["doors-not-opened", "listen"]);
    assert!(!bench.data().join("listen.json").exists());
    bench.put("waymark.toml", settings);
    bench.serve().stop().expect(0);
}

#[test]
fn rubbish_from_anybody_disturbs_nobody() {
    let bench = filled("stream.first_byte_seconds = 1\n");
    let running = bench.serve();
    let mut steady = Connection::open(running.address("tcp"));
    let mut random = StdRng::seed_from_u64(11);
    let mut pieces: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: example.invalid\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![0; 1_200],
        vec![0xff; 1_200],
        Vec::new(),
        question(9, &records::name(1))[..40].to_vec(),
    ];
    // A message that announces four gigabytes, and one whose lists do.
    let mut long = question(9, &records::name(1));
    long[16..20].fill(0xff);
    pieces.push(long);
    let mut lists = question(9, &records::name(1));
    lists[44..48].fill(0xff);
    pieces.push(lists);
    for _ in 0..200 {
        let mut piece = question(random.random(), &records::name(random.random_range(0..RECORDS)));
        for _ in 0..random.random_range(1..8) {
            let at = random.random_range(0..piece.len());
            piece[at] = random.random();
        }
        piece.truncate(random.random_range(0..=piece.len()));
        pieces.push(piece);
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (number, piece) in (0..).zip(&pieces) {
        for door in ["udp", "quic"] {
            // An empty datagram is one too.
            socket.send_to(piece, running.address(door)).unwrap();
        }
        for door in ["tcp", "http"] {
            // The other end may have closed before everything is written.
            let _written = TcpStream::connect(running.address(door)).unwrap().write_all(piece);
        }
        assert_eq!(steady.ask(number, &records::name(1)).code, 1, "in the middle of it");
    }
    assert_eq!(ask_udp(running.address("udp"), 5, &records::name(2)).code, 1);
    assert_eq!(running.page("/readyz").0, 200);
    let ended = running.stop().expect(0);
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    bench.run(&["store", "check"]).expect(0);
}

#[test]
fn every_answer_leaves_a_record_without_its_data_when_that_is_wanted() {
    let bench = filled("log.answers = \"record\"\nlog.answer_lines_per_second = 1000\n");
    let running = bench.serve();
    let (found, absent) = (records::name(4), format!("{}/NOBODY\u{7}", records::PREFIX));
    let mut connection = Connection::open(running.address("tcp"));
    for id in 0..5 {
        connection.ask(id, &found);
        ask_udp(running.address("udp"), id, &absent);
    }
    let ended = running.stop().expect(0);
    let kept = json_lines(&bench.text("data/answers.log"));
    let of = |via: &str, code: u32, handle: &str| {
        let is_it = |record: &&Value| record["via"] == via && record["code"] == code && record["handle"] == handle;
        kept.iter().filter(is_it).count()
    };
    assert_eq!((kept.len(), of("tcp", 1, &found), of("udp", 100, &absent)), (10, 5, 5), "{kept:?}");
    assert!(kept.iter().all(|record| record["op"] == 1 && record["answer_bytes"].as_u64() > Some(44)));
    assert!(kept.iter().all(|record| record["from"].as_str().unwrap().starts_with("127.0.0.1:")));
    // The log for people has them too, in a form that cannot harm a terminal, and neither has any data.
    assert_eq!(ended.err.matches("answered").count(), 10, "{}", ended.err);
    assert!(!ended.err.contains('\u{7}'));
    for text in [ended.err, bench.text("data/answers.log")] {
        assert!(!text.contains("example.invalid/4"), "{text}");
    }
    // Without being asked to, nothing is kept.
    let plain = filled("");
    let running = plain.serve();
    ask_udp(running.address("udp"), 1, &found);
    let ended = running.stop().expect(0);
    assert!(!plain.data().join("answers.log").exists() && !ended.err.contains(&found), "{}", ended.err);
}
