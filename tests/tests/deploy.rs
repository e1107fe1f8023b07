//! The files in `deploy/` against the code they name: checked as text, since neither systemd nor a container engine need be here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Text without white space, so that it does not matter how code is wrapped.
fn squeezed(path: &str) -> String {
    read(path).split_whitespace().collect()
}

/// The table of options as it stands in the sources, section after section, without white space.
fn options() -> String {
    let folder = "crates/node/src/config/options";
    let files = fs::read_dir(root().join(folder)).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let sections = names.map(|name| squeezed(&format!("{folder}/{name}")));
    std::iter::once(squeezed(&format!("{folder}.rs"))).chain(sections).collect()
}

/// The words of `text` that start with `start` and go on in small letters, digits and `more`.
fn words(text: &str, start: &str, more: &str) -> BTreeSet<String> {
    let is_word = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || more.contains(letter);
    let mut found = BTreeSet::new();
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        if !is_word(before) && text[at..].starts_with(start) {
            let word: String = text[at..].chars().take_while(|letter| is_word(*letter)).collect();
            found.insert(word.trim_end_matches(['.', '_']).to_owned());
        }
        before = letter;
    }
    found
}

// The systemd unit.

/// A directive with the section it stands in.
struct Directive {
    section: String,
    key: String,
    value: String,
}

/// Reads a unit; fails on what systemd would not take for a section, a directive or a comment.
fn unit() -> Vec<Directive> {
    let mut section = String::new();
    let mut directives = Vec::new();
    for line in read("deploy/waymarkd.service").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("no directive: {line:?}"));
        assert!(key.chars().all(|letter| letter.is_ascii_alphanumeric()) && !section.is_empty(), "{line:?}");
        directives.push(Directive { section: section.clone(), key: key.to_owned(), value: value.to_owned() });
    }
    directives
}

fn values<'u>(unit: &'u [Directive], key: &str) -> Vec<&'u str> {
    unit.iter().filter(|directive| directive.key == key).map(|directive| directive.value.as_str()).collect()
}

/// The one value of a directive.
fn value<'u>(unit: &'u [Directive], key: &str) -> &'u str {
    let found = values(unit, key);
    assert_eq!(found.len(), 1, "{key}: {found:?}");
    found[0]
}

/// Every directive the unit may use, by section. A misspelt one would be ignored by systemd, and with it a protection.
const DIRECTIVES: [(&str, &[&str]); 3] = [
    ("Unit", &["Description", "After", "Wants", "StartLimitIntervalSec"]),
    (
        "Service",
        &[
            "Type",
            "ExecStart",
            "ExecReload",
            "KillSignal",
            "TimeoutStopSec",
            "Restart",
            "RestartSec",
            "RestartPreventExitStatus",
            "User",
            "Group",
            "StateDirectory",
            "StateDirectoryMode",
            "ConfigurationDirectory",
            "UMask",
            "LimitNOFILE",
            "LimitCORE",
            "CapabilityBoundingSet",
            "AmbientCapabilities",
            "NoNewPrivileges",
            "ProtectSystem",
            "ProtectHome",
            "ProtectProc",
            "ProcSubset",
            "ProtectClock",
            "ProtectControlGroups",
            "ProtectHostname",
            "ProtectKernelLogs",
            "ProtectKernelModules",
            "ProtectKernelTunables",
            "PrivateDevices",
            "PrivateTmp",
            "PrivateUsers",
            "PrivateMounts",
            "RestrictAddressFamilies",
            "RestrictNamespaces",
            "RestrictRealtime",
            "RestrictSUIDSGID",
            "RemoveIPC",
            "LockPersonality",
            "MemoryDenyWriteExecute",
            "SystemCallArchitectures",
            "SystemCallFilter",
            "SystemCallErrorNumber",
        ],
    ),
    ("Install", &["WantedBy"]),
];

#[test]
fn the_unit_uses_known_directives_in_their_sections_and_each_once() {
    let unit = unit();
    let mut seen = BTreeSet::new();
    for Directive { section, key, value } in &unit {
        let known = DIRECTIVES.iter().find(|(name, _)| name == section).unwrap_or_else(|| panic!("[{section}]")).1;
        assert!(known.contains(&key.as_str()), "{key} in [{section}]");
        let may_repeat = key == "SystemCallFilter";
        assert!(seen.insert((key, may_repeat.then_some(value))), "{key} twice");
    }
}

#[test]
fn the_unit_locks_the_process_in() {
    let unit = unit();
    for key in
        ["NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "MemoryDenyWriteExecute", "LockPersonality"]
    {
        assert_eq!(value(&unit, key), "yes", "{key}");
    }
    assert_eq!(value(&unit, "ProtectSystem"), "strict");
    assert_eq!(value(&unit, "CapabilityBoundingSet"), "");
    assert_eq!(value(&unit, "UMask"), "0077");
    assert_ne!(value(&unit, "User"), "root");
    // What the node calls and the first set holds: preallocation (@file-system), recvmmsg and sendmmsg (@network-io). The second
    // takes away what it does not call.
    assert_eq!(values(&unit, "SystemCallFilter"), ["@system-service", "~@privileged @resources"]);
}

/// The flags of `struct Daemon` on the command line, as clap derives them.
fn daemon_flags() -> BTreeSet<String> {
    let code = read("crates/node/src/cli/mod.rs");
    let fields = code.split("pub struct Daemon {").nth(1).unwrap().split("\n}").next().unwrap();
    let names = fields.lines().filter_map(|line| line.trim().strip_prefix("pub(crate) ")?.split(':').next());
    names.map(|name| format!("--{}", name.replace('_', "-"))).collect()
}

fn assert_is_daemon_command(words: &[&str]) {
    let program = Path::new(words[0]).file_name().unwrap().to_str().unwrap();
    assert_eq!(program, "waymarkd");
    assert!(root().join("crates/node/src/bin/waymarkd.rs").is_file());
    let flags = daemon_flags();
    let used: Vec<&&str> = words.iter().filter(|word| word.starts_with("--")).collect();
    assert!(!used.is_empty());
    for flag in used {
        assert!(flags.contains(*flag), "{flag} is none of {flags:?}");
    }
}

#[test]
fn the_unit_starts_a_program_that_is_there_with_flags_it_has() {
    let unit = unit();
    let words: Vec<&str> = value(&unit, "ExecStart").split(' ').collect();
    assert_is_daemon_command(&words);
    let after = |flag: &str| words[words.iter().position(|word| *word == flag).unwrap() + 1];
    assert_eq!(after("--data"), format!("/var/lib/{}", value(&unit, "StateDirectory")));
    assert!(after("--config").starts_with(&format!("/etc/{}/", value(&unit, "ConfigurationDirectory"))));
    // The signals of reload and stop are those the daemon listens to.
    let daemon = read("crates/node/src/daemon.rs");
    assert!(value(&unit, "ExecReload").contains("-HUP") && daemon.contains("SignalKind::hangup()"));
    assert!(value(&unit, "KillSignal") == "SIGTERM" && daemon.contains("SignalKind::terminate()"));
}

#[test]
fn the_unit_waits_longer_than_the_node_drains() {
    let unit = unit();
    let bound: u64 = value(&unit, "TimeoutStopSec").parse().unwrap();
    let drain = waymark_resolver::config::DRAIN_TIME.default.as_secs();
    assert!(bound >= 2 * drain, "{bound} seconds for a drain of {drain} and the closing of the data folder");
    let options = options();
    assert!(options.contains("option(\"node.stop_seconds\",seconds(resolver::DRAIN_TIME),"), "another default");
}

#[test]
fn a_wrong_configuration_does_not_start_again_and_again() {
    let unit = unit();
    let status = value(&unit, "RestartPreventExitStatus");
    let exits = read("crates/node/src/problem.rs");
    assert!(exits.contains(&format!("Usage = {status},")));
}

// The Dockerfile.

#[test]
fn the_dockerfile_copies_files_that_are_there_and_builds_with_our_compiler() {
    let dockerfile = read("deploy/Dockerfile");
    let manifest = read("Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"')).unwrap();
    assert!(dockerfile.contains(&format!("FROM rust:{version}-alpine AS build")));
    assert!(dockerfile.contains("\nFROM scratch\n"));
    for line in dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let mut paths: Vec<&str> = line.split(' ').filter(|word| !word.starts_with("--")).collect();
        paths.pop();
        for path in paths.into_iter().filter(|_| !line.contains("--from=build")) {
            assert!(root().join(path).exists(), "{path} is not there");
        }
    }
    for binary in ["waymark", "waymarkd"] {
        assert!(dockerfile.contains(&format!("/out/{binary} ")), "{binary} is not copied");
        assert!(root().join(format!("crates/node/src/bin/{binary}.rs")).is_file());
    }
}

#[test]
fn the_container_runs_the_daemon_with_flags_it_has_and_shows_its_default_ports() {
    let dockerfile = read("deploy/Dockerfile");
    let line = dockerfile.lines().find_map(|line| line.strip_prefix("ENTRYPOINT ")).unwrap();
    let words: Vec<String> = serde_json::from_str(line).unwrap();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_is_daemon_command(&words);
    assert!(
        dockerfile.contains(&format!(" {}\n", words[words.iter().position(|word| *word == "--config").unwrap() + 1]))
    );
    assert!(
        dockerfile
            .contains(&format!("VOLUME {}\n", words[words.iter().position(|word| *word == "--data").unwrap() + 1]))
    );
    assert!(dockerfile.contains("\nEXPOSE 2641/udp 2641/tcp 2642/udp 2643/tcp\n"));
    let options = options();
    assert!(
        options.contains("\"0.0.0.0:2641\"")
            && options.contains("\"0.0.0.0:2642\"")
            && options.contains("\"0.0.0.0:2643\"")
    );
}

// Alerts and dashboard.

/// The metric names of the node: the strings of its metrics page.
fn metrics() -> BTreeSet<String> {
    let page = read("crates/node/src/metrics_page.rs");
    let (code, _tests) = page.split_once("#[cfg(test)]").unwrap();
    let constants = code.lines().filter_map(|line| line.strip_prefix("pub const ")?.split_once(": &str = \""));
    let named: Vec<(&str, String)> =
        constants.map(|(name, rest)| (name, rest.trim_end_matches("\";").to_owned())).collect();
    let table: String =
        code.split("pub const NAMES").nth(1).unwrap().split("];").next().unwrap().split_whitespace().collect();
    assert!(named.len() > 20, "the page is written in another way: {}", named.len());
    for (constant, metric) in &named {
        assert!(table.contains(&format!("({constant},")), "{metric} is not in NAMES");
    }
    named.into_iter().map(|(_, metric)| metric).collect()
}

/// The values of a label in an expression, those of regular expressions split at `|`.
fn label_values(text: &str, label: &str) -> BTreeSet<String> {
    let text = text.replace("\\\"", "\"");
    let mut found = BTreeSet::new();
    for separator in ["=\"", "=~\""] {
        for rest in text.split(&format!("{label}{separator}")).skip(1) {
            let pattern = rest.split('"').next().unwrap();
            found.extend(pattern.split('|').map(str::to_owned));
        }
    }
    found
}

#[test]
fn alerts_and_dashboard_use_metrics_the_node_has() {
    let metrics = metrics();
    for (file, least) in [("deploy/alerts.yml", 8), ("deploy/dashboard.json", 15)] {
        let used = words(&read(file), "waymark_", "_");
        assert!(used.len() >= least, "{file} uses {used:?}");
        for metric in used {
            assert!(metrics.contains(&metric), "{file}: {metric} is no metric of the node");
        }
    }
}

#[test]
fn alerts_and_dashboard_use_label_values_the_node_has() {
    let sources = [
        ("event", &["crates/resolver/src/door/counters.rs", "crates/node/src/recursion/control.rs"][..]),
        ("reason", &["crates/resolver/src/question.rs"]),
        ("outcome", &["crates/resolver/src/counters.rs"]),
    ];
    let mut checked = 0;
    for file in ["deploy/alerts.yml", "deploy/dashboard.json"] {
        let text = read(file);
        for (label, source) in sources {
            let names: String = source.iter().map(|source| read(source)).collect();
            for value in label_values(&text, label) {
                // `busy_.*` stands for every name that starts so.
                let name = match value.strip_suffix(".*") {
                    Some(start) => format!("\"{start}"),
                    None => format!("\"{value}\""),
                };
                assert!(names.contains(&name), "{file}: {label} {value:?} is not in {source:?}");
                checked += 1;
            }
        }
    }
    assert!(checked >= 8, "only {checked} label values were found");
}

#[test]
fn every_alert_says_how_urgent_it_is_and_what_to_do() {
    let text = read("deploy/alerts.yml");
    let alerts: Vec<&str> = text.split("- alert: ").skip(1).collect();
    let mut names = BTreeSet::new();
    for alert in &alerts {
        let name = alert.lines().next().unwrap();
        assert!(names.insert(name) && name.starts_with("Waymark"), "{name}");
        for part in [
            "\n        expr: ",
            "\n        labels:\n          severity: ",
            "\n          summary: \"",
            "\n          description: \"",
        ] {
            assert!(alert.contains(part), "{name} lacks {part:?}");
        }
        let severity = alert.split("severity: ").nth(1).unwrap().lines().next().unwrap();
        assert!(["page", "ticket"].contains(&severity), "{name}: {severity}");
    }
    for topic in ["NotReady", "BudgetSpent", "SlowQueueFull", "StateLag", "LogFailures", "NoAnswers", "RunFailures"] {
        assert!(names.contains(format!("Waymark{topic}").as_str()), "no alert for {topic}");
    }
}

#[test]
fn alerts_name_options_that_are_there() {
    let options = options();
    let text = read("deploy/alerts.yml");
    let mut named = BTreeSet::new();
    for section in ["store.", "source.", "stream.", "slow.", "listen."] {
        named.extend(words(&text, section, "._"));
    }
    assert!(named.len() >= 4, "{named:?}");
    for option in named {
        assert!(options.contains(&format!("option(\"{option}\"")), "{option} is no option");
    }
}

#[test]
fn the_dashboard_is_whole() {
    let board: serde_json::Value = serde_json::from_str(&read("deploy/dashboard.json")).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let mut identities = BTreeSet::new();
    let mut places = BTreeSet::new();
    for panel in panels {
        assert!(identities.insert(panel["id"].as_u64().unwrap()), "two panels of one id");
        assert!(
            places.insert((panel["gridPos"]["x"].as_u64(), panel["gridPos"]["y"].as_u64())),
            "two panels in one place"
        );
        assert!(!panel["title"].as_str().unwrap().is_empty());
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty());
        for target in targets {
            let expression = target["expr"].as_str().unwrap();
            assert!(expression.contains("waymark_") && expression.contains("$instance"), "{expression}");
            let balance = |open, close| expression.matches(open).count() == expression.matches(close).count();
            assert!(balance('(', ')') && balance('{', '}') && balance('[', ']'), "{expression}");
        }
    }
    assert!(panels.len() >= 9);
}
