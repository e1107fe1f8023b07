//! `waymark demo`: the first thing anybody runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use waymark_tests::process::{Process, run, tool};

/// Samples, and three questions more: one value withheld, one absent name, one bad name.
const ASKED: usize = 63;
const FOUND: usize = 60;

fn demo(data: &Path, words: &[&str]) -> Command {
    let mut command = tool(["demo", "--data"]);
    command.arg(data).args(words);
    command
}

/// The numbers in the row of a transport: asked, found, refused, absent, bytes, packets (only of UDP).
fn row(output: &str, transport: &str) -> Vec<usize> {
    let cells = |line: &str| {
        let words = line.split(|letter: char| letter.is_whitespace() || "│┆|".contains(letter));
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let row = output.lines().map(cells).find(|cells| {
        cells.first().is_some_and(|first| first == transport)
            && cells.get(1).is_some_and(|asked| asked.parse::<usize>().is_ok())
    });
    let row = row.unwrap_or_else(|| panic!("no row for {transport} in {output}"));
    // A number of bytes is grouped by spaces.
    row[1..].iter().map_while(|cell| cell.parse().ok()).collect()
}

#[test]
fn the_node_above_is_told_and_a_scan_crosses_five_nodes_and_survives_four_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("topology");
    let ended = run(demo(&data, &["--topology", "--once"])).expect(0);
    assert_eq!(ended.out.matches('✓').count(), 7, "{}", ended.out);
    assert!(!ended.out.contains('✗'), "{}", ended.out);
    // Where each node says it listens is what the node above was told.
    let line = |lead: &str| {
        let found = ended.out.lines().find(|line| line.starts_with(lead));
        found.unwrap_or_else(|| panic!("no {lead} in {}", ended.out)).to_owned()
    };
    let port = |node: &str| {
        let line = line(node);
        let udp = line.split(' ').find_map(|word| word.strip_prefix("udp://127.0.0.1:"));
        format!("\"udp\":{}", udp.unwrap_or_else(|| panic!("{line}")))
    };
    for (told, prefix, node) in [
        ("T2 of 88.990,", "88.990", "secondary-a"),
        ("T2 of 88.991,", "88.991", "secondary-b"),
        ("T7 of 88.990,", "88.990.10001", "enterprise"),
    ] {
        let said = line(told);
        assert!(said.contains(&format!("\"{prefix}\"")) && said.contains(&port(node)), "{said}");
    }
    assert!(line("T6 of 88.990,").contains("[\"88.990.10001\"]"), "{}", ended.out);
    assert!(!ended.out.contains("13800000000"), "nothing of people is shown");
    assert_eq!(ended.out.matches("FOUND").count(), 2, "{}", ended.out);
    // No process is left behind: nothing holds the folders.
    for name in ["enterprise", "secondary-a", "secondary-b", "top-level", "recursive", "top-node/resolution"] {
        assert!(!data.join(name).join("listen.json").exists(), "{name} stopped in order");
    }
}

#[test]
fn the_demo_shows_every_sample_over_every_transport_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    for language in ["en", "zh"] {
        // The second run makes the folder anew.
        let ended = run(demo(&data, &["--once", "--lang", language])).expect(0);
        for transport in ["udp", "tcp", "quic"] {
            let numbers = row(&ended.out, transport);
            assert_eq!(numbers[..4], [ASKED, FOUND, 2, 1], "{}", ended.out);
        }
        assert_eq!(ended.out.matches('✓').count(), 13, "{}", ended.out);
        assert!(!ended.out.contains('✗') && !ended.out.contains('\u{1b}'), "{}", ended.out);
        assert!(data.join("demo").is_file() && data.join("identity").is_file());
        assert!(!data.join("listen.json").exists());
    }
    run(tool(["store", "check", "--data", data.to_str().unwrap()])).expect(0);
}

#[test]
fn the_demo_removes_no_folder_of_somebody_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letters.txt");
    fs::write(&file, "precious").unwrap();
    run(demo(folder.path(), &["--once"])).expect(7).says(&["demo-folder"]);
    run(demo(&file, &["--once"])).expect(7).says(&["demo-folder"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_demo_serves_until_it_is_interrupted_and_every_command_it_names_works() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let mut process = Process::start(demo(&data, &[]));
    let mut commands = Vec::new();
    loop {
        let line = process.next_line().expect("it serves");
        if line.contains("Ctrl-C") {
            break;
        }
        commands.extend(line.strip_prefix("  ").map(str::to_owned));
    }
    commands.retain(|command| command.contains("waymark ") || command.starts_with("curl "));
    assert!(commands.len() >= 7, "{commands:?}");
    for command in &commands {
        if command.starts_with("curl http") {
            let agent = ureq::Agent::new_with_defaults();
            let url = command.split(' ').nth(1).unwrap();
            assert_eq!(agent.get(url).call().unwrap().status(), 200, "{command}");
            continue;
        }
        let has_curl = Command::new("curl").arg("--version").output().is_ok_and(|output| output.status.success());
        if command.starts_with("curl ") && !has_curl {
            println!("not tried, since there is no curl here: {command}");
            continue;
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", &command.replace("curl ", "curl --fail --silent --show-error ")]).env("LANG", "C");
        let ended = run(shell);
        // A withheld value is refused, a misprinted name absent; that is what these two commands are there to show.
        let expected = if command.contains("--restricted") {
            4
        } else if command.contains("--lang zh") {
            3
        } else {
            0
        };
        assert_eq!(ended.status.code(), Some(expected), "{command}\n{}\n{}", ended.out, ended.err);
    }
    // A second demo leaves the folder to the first.
    run(demo(&data, &["--once"])).expect(7).says(&["data-in-use"]);
    process.signal(Signal::SIGINT);
    process.ended().expect(0);
    run(demo(&data, &["--once"])).expect(0);
}
