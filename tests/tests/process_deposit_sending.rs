//! A real node that brings its deposits to the platform of the simulator over SFTP by itself, and what its operator sees.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::fs::{File, Permissions};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};
use serde_json::Value;
use waymark_catalog::{Command, HomeName};
use waymark_tests::deposited::{self, MONDAY, SUNDAY, opened, write};
use waymark_tests::process::{Bench, Daemon, Ended, PATIENCE, Process, run, tool};

fn put(name: &str, bytes: usize) -> Command {
    // What cannot be compressed.
    let mut data = vec![0; bytes];
    File::open("/dev/urandom").unwrap().read_exact(&mut data).unwrap();
    deposited::put(name, "DATA", &data)
}

/// A node with data of two days, keys of everybody, and the platform, which is a process of its own.
struct Trial {
    bench: Bench,
    top: Process,
    port: u16,
    fingerprint: String,
    page: String,
    /// The configuration without anything about deposits.
    settings: String,
}

impl Trial {
    /// So many records of 16 KiB besides.
    fn new(bulk: usize) -> Self {
        let bench = Bench::new("");
        for name in ["node", "platform"] {
            let folder = bench.path("");
            run(tool(["deposit", "keys", "--name", name, "--out", folder.to_str().unwrap()])).expect(0);
        }
        let shown = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        let key = bench.put("sftp.key", shown.to_openssh(LineEnding::LF).unwrap().as_bytes());
        std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        bench.put("sftp.key.pub", shown.public_key().to_openssh().unwrap());
        bench.put(
            "users.json",
            r#"[{"user": "n990", "prefix": "88.990", "authorized_keys": "sftp.key.pub", "node_key": "node.pub"}]"#,
        );
        let catalog = opened(&bench.data(), "2024-11-22");
        write(&catalog, [Command::Home { name: HomeName::parse(b"88.990").unwrap() }]);
        for first in (0..bulk).step_by(16) {
            write(&catalog, (first..first + 16).map(|number| put(&format!("bulk {number}"), 16 << 10)));
        }
        write(&catalog, [put("gone", 9), put("kept", 9)]);
        catalog.shutdown().unwrap();
        drop(catalog);
        let catalog = opened(&bench.data(), SUNDAY);
        write(&catalog, [put("of sunday", 9), Command::Delete { handle: b"88.990/gone".to_vec() }]);
        catalog.shutdown().unwrap();
        drop(catalog);
        let (top, port, fingerprint, page) = top_node(&bench);
        let settings = bench.text("waymark.toml");
        Self { bench, top, port, fingerprint, page, settings }
    }

    fn configure(&self, port: u16, more: &str) {
        let path = |name: &str| self.bench.path(name).display().to_string();
        let settings = format!(
            "{}deposit.platform_key = {:?}\ndeposit.node_key = {:?}\ndeposit.sftp_server = \"127.0.0.1:{port}\"\n\
             deposit.sftp_host_key = {:?}\ndeposit.sftp_key = {:?}\ndeposit.accounts = [\"88.990=n990\"]\n\
             deposit.ask_seconds = 1\n{more}\n",
            self.settings,
            path("platform.pub"),
            path("node.key"),
            self.fingerprint,
            path("sftp.key"),
        );
        self.bench.put("waymark.toml", settings);
    }

    fn page(&self) -> Value {
        page(&self.page)
    }
}

fn top_node(bench: &Bench) -> (Process, u16, String, String) {
    let mut command = tool(["top-node", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--sftp", "127.0.0.1:0"]);
    command.arg("--data").arg(bench.path("top")).arg("--sftp-users").arg(bench.path("users.json"));
    command.arg("--deposit-key").arg(bench.path("platform.key"));
    let mut top = Process::start(command);
    let line = top.next_line().expect("the line that says where it listens");
    let words: Vec<&str> = line.split(' ').collect();
    let ["listening", _, http, sftp, fingerprint] = words[..] else { panic!("{line}") };
    let port = sftp.rsplit(':').next().unwrap().parse().unwrap();
    (top, port, fingerprint.to_owned(), format!("{http}/deposits"))
}

fn page(url: &str) -> Value {
    serde_json::from_str(&ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap()).unwrap()
}

/// A running node and its operator.
struct Node {
    daemon: Daemon,
    token: PathBuf,
}

impl Node {
    fn start(bench: &Bench) -> Self {
        Self { daemon: bench.serve(), token: bench.data().join("operator-token") }
    }

    fn run(&self, words: &[&str]) -> Ended {
        run(self.daemon.tool(&[&["deposit"], words].concat(), &self.token))
    }

    /// How the prefix stands.
    fn standing(&self) -> Value {
        let ended = self.run(&["status", "--json"]);
        ended.json().pop().unwrap_or_else(|| panic!("{ended:?}"))
    }

    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..PATIENCE.as_millis() / 50 {
            last = self.standing();
            if is_so(&last) {
                return last;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("never came: {what}: {last}");
    }
}

fn is_accepted(standing: &Value, date: &str) -> bool {
    standing["state"] == "accepted" && standing["accepted"]["date"] == date
}

#[test]
fn deposits_that_are_asked_for_are_made_sent_judged_and_made_again_when_refused() {
    let trial = Trial::new(0);
    trial.configure(trial.port, "deposit.at = \"\"");
    let node = Node::start(&trial.bench);
    let first = node.standing();
    assert_eq!((&first["state"], &first["late"], &first["user"]), (&"none".into(), &true.into(), &"n990".into()));
    node.run(&["status"]).expect(9).says(&[]);
    node.run(&["send", "--prefix", "88.1"]).expect(1).says(&["error[deposit-account]", "88.1"]);
    node.run(&["send", "--date", "2999-01-01"]).expect(2).says(&["error[deposit-future]"]);
    node.run(&["send", "--date", "monday"]).expect(2).says(&["error[deposit-date]"]);

    node.run(&["send", "--prefix", "88.990", "--date", SUNDAY]).expect(0);
    let full = node.until("a full one", |standing| is_accepted(standing, SUNDAY));
    assert_eq!((&full["accepted"]["type"], &full["accepted"]["resend"]), (&"FULL".into(), &0.into()));
    assert_eq!((&full["late"], &full["problem"]), (&false.into(), &"".into()));
    ureq::post(format!("{}/refuse", trial.page)).send("{\"codes\": [2001]}").unwrap();
    node.run(&["send", "--date", MONDAY]).expect(0);
    let diff = node.until("what changed", |standing| is_accepted(standing, MONDAY));
    assert_eq!((&diff["accepted"]["type"], &diff["accepted"]["resend"]), (&"DIFF".into(), &1.into()));
    let shown = node.run(&["status"]).expect(0);
    assert!(shown.out.contains("88.990: ") && shown.out.contains("DIFF of 2024-11-25, resend 1"), "{}", shown.out);

    let user = &trial.page()["users"][0];
    assert_eq!((&user["prefix"], user["upload"].as_array().unwrap().len()), (&"88.990".into(), 0));
    let codes: Vec<u64> =
        user["judged"].as_array().unwrap().iter().map(|each| each["code"].as_u64().unwrap()).collect();
    assert_eq!(codes.iter().filter(|code| **code == 1000).count(), 2);
    assert_eq!(codes.iter().filter(|code| **code == 2001).count(), 1);
    let metrics = node.daemon.page("/metrics").1;
    assert!(metrics.contains("waymark_deposit_prefixes{state=\"accepted\"} 1"), "{metrics}");
    let age = metrics.lines().find_map(|line| line.strip_prefix("waymark_deposit_accepted_age_seconds ")).unwrap();
    assert!(age.parse::<u64>().unwrap() < 600, "{age}");
    node.daemon.stop().expect(0);

    // The folder the platform tells of is what a node comes back from.
    let folder = PathBuf::from(user["accepted"]["folder"].as_str().unwrap());
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "inde")).collect();
    let (restored, key) = (trial.bench.path("restored"), |name: &str| trial.bench.path(name).display().to_string());
    let mut command =
        tool(["deposit", "restore", "--node-key", &key("node.pub"), "--platform-key", &key("platform.key")]);
    command.args(&files).arg("--data").arg(&restored);
    run(command).expect(0);
    let exported = |data: &Path| run(tool(["export", "--data", data.to_str().unwrap()])).expect(0).out;
    assert_eq!(exported(&restored), exported(&trial.bench.data()));
    trial.top.signal(Signal::SIGTERM);
}

#[test]
fn the_deposit_of_the_day_is_made_and_accepted_without_anybody() {
    let trial = Trial::new(0);
    trial.configure(trial.port, "deposit.at = \"08:00\"");
    let node = Node::start(&trial.bench);
    let standing = node.until("the deposit of today", |standing| standing["state"] == "accepted");
    assert_eq!(standing["accepted"]["type"], "FULL", "there was none before: {standing}");
    node.daemon.stop().expect(0);
    let rows = trial.bench.run(&["deposit", "list", "--json"]).expect(0).json();
    assert_eq!(rows.len(), 1);
    // Started again it knows that all is done.
    let node = Node::start(&trial.bench);
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(node.standing()["accepted"]["id"], standing["accepted"]["id"]);
    node.daemon.stop().expect(0);
    assert_eq!(trial.bench.run(&["deposit", "list", "--json"]).expect(0).json().len(), 1);
}

#[test]
fn a_node_that_is_killed_while_it_sends_goes_on_with_the_same_deposit() {
    let trial = Trial::new(500);
    let relay = Relay::start(trial.port, 5 << 20);
    trial.configure(relay.port, "deposit.at = \"\"");
    let node = Node::start(&trial.bench);
    node.run(&["send", "--date", SUNDAY]).expect(0);
    let upload = trial.bench.path("top/deposits/n990/upload");
    let mut there = 0;
    for _ in 0..PATIENCE.as_millis() / 20 {
        let files: Vec<_> = std::fs::read_dir(&upload).unwrap().map(|entry| entry.unwrap()).collect();
        there = files.iter().map(|file| file.metadata().map_or(0, |found| found.len())).sum();
        assert!(files.iter().all(|file| file.file_name().to_str().unwrap().ends_with(".part")), "{files:?}");
        if there > 3 << 20 {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(there > 3 << 20, "{there} bytes came");
    let id = node.standing()["made"]["id"].clone();
    node.daemon.process.kill();
    relay.heal();
    let node = Node::start(&trial.bench);
    let standing = node.until("the deposit", |standing| is_accepted(standing, SUNDAY));
    assert_eq!((&standing["accepted"]["id"], &standing["accepted"]["resend"]), (&id, &0.into()));
    node.daemon.stop().expect(0);
    assert!(!trial.bench.data().join("deposit.sending/88.990").exists());
}

#[test]
fn a_platform_whose_host_key_is_not_pinned_gets_nothing_and_secrets_stay_out_of_the_log() {
    let mut trial = Trial::new(0);
    let pinned = std::mem::take(&mut trial.fingerprint);
    trial.configure(trial.port, "log.level = \"debug\"");
    let node = Node::start(&trial.bench);
    let standing = node.until("a problem", |standing| standing["problem"] != "");
    let problem = standing["problem"].as_str().unwrap();
    assert!(problem.contains("no host key is pinned") && problem.contains(&pinned), "{problem}");
    assert_eq!(standing["state"], "waiting");
    assert!(trial.page()["users"][0]["upload"].as_array().unwrap().is_empty());
    let ended = node.daemon.stop();
    for name in ["sftp.key", "node.key"] {
        let key = std::fs::read_to_string(trial.bench.path(name)).unwrap();
        let secret = key.lines().filter(|line| !line.starts_with('-')).max_by_key(|line| line.len()).unwrap();
        assert!(!ended.out.contains(secret) && !ended.err.contains(secret), "{name} is in the log");
    }
    trial.fingerprint = pinned;
    trial.configure(trial.port, "deposit.at = \"08:00\"");
    let node = Node::start(&trial.bench);
    node.until("the deposit", |standing| standing["state"] == "accepted");
    node.daemon.stop().expect(0);
}

/// A line that carries so many bytes of each connection, and then nothing more until it is healed.
struct Relay {
    port: u16,
    most: std::sync::Arc<AtomicU64>,
}

impl Relay {
    fn start(to: u16, most: u64) -> Self {
        use std::io::Write as _;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let most = std::sync::Arc::new(AtomicU64::new(most));
        let limit = std::sync::Arc::clone(&most);
        std::thread::spawn(move || {
            for from in listener.incoming().flatten() {
                let (to, limit) =
                    (std::net::TcpStream::connect(("127.0.0.1", to)).unwrap(), std::sync::Arc::clone(&limit));
                let (mut up, mut down) = ((from.try_clone().unwrap(), to.try_clone().unwrap()), (to, from));
                std::thread::spawn(move || std::io::copy(&mut down.0, &mut down.1));
                std::thread::spawn(move || {
                    let (mut carried, mut buffer) = (0, vec![0; 16 << 10]);
                    while let Ok(read) = up.0.read(&mut buffer) {
                        while carried > limit.load(Ordering::Relaxed) {
                            std::thread::sleep(Duration::from_millis(20));
                        }
                        if read == 0 || up.1.write_all(&buffer[..read]).is_err() {
                            break;
                        }
                        carried += read as u64;
                    }
                    let _ = up.1.shutdown(std::net::Shutdown::Both);
                });
            }
        });
        Self { port, most }
    }

    fn heal(&self) {
        self.most.store(u64::MAX, Ordering::Relaxed);
    }
}
