//! Stored bytes that changed, files that are gone, a folder in use, a disk that is full: found, said with its place, never served.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use waymark_tests::asking::Connection;
use waymark_tests::process::{Bench, Ended, Process, daemon, run};
use waymark_tests::records;

/// Records of the folders damaged here: some segments, and a run of each.
const RECORDS: usize = 4_000;
const VALUE_BYTES: usize = 900;

/// An engine with the folder that was filled once for all tests.
struct Engine {
    name: &'static str,
    bench: Bench,
}

fn filled(engine: &'static str, records: usize) -> Engine {
    let bench = Bench::new(&settings(engine));
    bench.put("source.jsonl", records::text(&records::lines(records, VALUE_BYTES)));
    let source = bench.path("source.jsonl");
    bench.run(&["import", source.to_str().unwrap(), "--home"]).expect(0);
    Engine { name: engine, bench }
}

/// Little memory for records, so that answers come from the disk.
fn settings(engine: &str) -> String {
    // Small groups, so that there are several segments and none of what is damaged is in the last group, behind which the log would
    // go on in a new segment.
    format!("store.engine = \"{engine}\"\nstore.resident_mib = 1\nwrite.group_commands = 32\n")
}

fn log() -> &'static Engine {
    static FILLED: OnceLock<Engine> = OnceLock::new();
    FILLED.get_or_init(|| filled("log", RECORDS))
}

fn sled() -> &'static Engine {
    static FILLED: OnceLock<Engine> = OnceLock::new();
    FILLED.get_or_init(|| filled("sled", RECORDS / 10))
}

impl Engine {
    /// A copy of the filled folder that a test may damage.
    fn copy(&self) -> Bench {
        let bench = Bench::new(&settings(self.name));
        copy_folder(&self.bench.data(), &bench.data());
        bench
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}

/// The files in a part of the data folder whose names begin and end so, in order.
fn files(bench: &Bench, part: &str, begin: &str, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(bench.data().join(part)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(begin) && name.ends_with(end)
    });
    files.sort();
    assert!(!files.is_empty(), "no {begin}…{end} in {part}");
    files
}

/// Changes one bit of a file.
fn flip(file: &Path, at: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

/// What `store check` finds.
fn findings(bench: &Bench) -> Vec<Value> {
    let checked = bench.run(&["store", "check", "--json"]);
    let mut lines = checked.json();
    let summary = lines.pop().unwrap();
    assert_eq!(summary["findings"], lines.len(), "{summary}");
    checked.expect(if lines.is_empty() { 0 } else { 6 });
    lines
}

/// One of the findings is about this file, and not behind this place.
#[track_caller]
fn assert_found(findings: &[Value], file: &Path, at: u64, parts: &[&str]) {
    let is_it = |finding: &&Value| {
        finding["file"].as_str().is_some_and(|found| Path::new(found) == file)
            && finding["offset"].as_u64().is_some_and(|offset| offset <= at)
            && finding["part"].as_str().is_some_and(|part| parts.contains(&part))
    };
    let found = findings.iter().find(is_it);
    assert!(found.is_some(), "byte {at} of {} was changed, found is {findings:#?}", file.display());
}

/// Whatever an export gives is as it was imported.
#[track_caller]
fn assert_true(exported: &Ended) -> usize {
    for line in exported.out.lines() {
        assert_eq!(line, records::line(records::number(line), VALUE_BYTES));
    }
    exported.out.lines().count()
}

/// Nothing is wrong, nothing is missing.
#[track_caller]
fn assert_sound(bench: &Bench, count: usize) {
    assert_eq!(findings(bench), Vec::<Value>::new());
    assert_eq!(assert_true(&bench.run(&["export"]).expect(0)), count);
}

/// Where the larger value of a record lies: its segment and a byte in the middle of its data.
fn place_of(bench: &Bench, number: usize) -> (PathBuf, u64) {
    let address = format!("https://example.invalid/{number}");
    let is_there = |window: &[u8]| window == address.as_bytes();
    for segment in files(bench, "log", "segment-", ".log") {
        let bytes = fs::read(&segment).unwrap();
        // What follows it is the next value, not another digit.
        let mut places = bytes.windows(address.len()).enumerate().filter(|(_, window)| is_there(window));
        let place = places.find(|(at, _)| !bytes[at + address.len()].is_ascii_digit());
        if let Some((at, _)) = place {
            return (segment, (at + address.len() + 60) as u64);
        }
    }
    panic!("record {number} is in no segment");
}

#[test]
fn a_changed_byte_in_any_kind_of_file_is_found_with_its_place() {
    let mut random = StdRng::seed_from_u64(7);
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("", "identity", "", &["Identity"]),
        ("log", "segment-", ".log", &["SegmentHeader", "Group", "Entry", "UnusedRoom"]),
        ("log", "run-", ".run", &["Run"]),
        ("blobs", "index", ".blob", &["Blob"]),
    ];
    for (part, begin, end, parts) in cases {
        let bench = log().copy();
        for flipped in 0..4 {
            // The first and nearly full segment, not the newest: what its end lacks was never acknowledged.
            let file = files(&bench, part, begin, end).remove(0);
            let length = fs::metadata(&file).unwrap().len();
            let at = if flipped == 0 { 9 } else { random.random_range(0..length * 3 / 4) };
            flip(&file, at);
            let found = findings(&bench);
            assert_found(&found, &file, at, parts);
            // People are told the same.
            let said = bench.run(&["store", "check"]).expect(6);
            let place = format!("{} at byte {}", file.display(), found[0]["offset"]);
            assert!(said.out.contains(&place), "{place} in {}", said.out);
            // No finding stays when the byte is as it was.
            flip(&file, at);
        }
        assert_sound(&bench, RECORDS);
    }
}

#[test]
fn a_changed_byte_in_sled_is_found() {
    for (engine, part, name) in [(log(), "state", "State"), (sled(), "state", "State"), (sled(), "records", "Records")]
    {
        let bench = engine.copy();
        let file = bench.data().join(part).join("db");
        let bytes = fs::read(&file).unwrap();
        // Somewhere in the middle of what sled wrote: between its pages lie bytes nobody reads.
        let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        let at = used[used.len() / 3] as u64;
        flip(&file, at);
        assert_found(&findings(&bench), &file, at, &[name]);
        if part == "records" {
            // What sled lost is not passed over in silence.
            let exported = bench.run(&["export"]);
            assert_true(&exported);
            exported.expect(6).says(&[file.to_str().unwrap()]);
        }
    }
}

#[test]
fn a_damaged_record_is_never_served_and_its_neighbours_are() {
    let bench = log().copy();
    // While the daemon runs: the records left memory long ago.
    let running = bench.serve();
    let damaged = [700, 1_500];
    let mut connection = Connection::open(running.address("tcp"));
    for number in damaged {
        let (segment, at) = place_of(&bench, number);
        flip(&segment, at);
        let said = connection.ask(1, &records::name(number));
        assert!(said.code == 2 || said.values == values_of(number), "{said:?}");
        for neighbour in [number - 1, number + 1] {
            assert_eq!(connection.ask(1, &records::name(neighbour)).values, values_of(neighbour));
        }
    }
    running.stop().expect(0);
    // Started again, nothing of them is in memory.
    let again = bench.serve();
    let mut connection = Connection::open(again.address("tcp"));
    for number in 0..RECORDS {
        let said = connection.ask(1, &records::name(number));
        if damaged.contains(&number) {
            assert_eq!((said.code, said.values), (2, Vec::new()));
        } else {
            assert_eq!((said.code, said.values), (1, values_of(number)), "{number}");
        }
    }
    again.stop().expect(0);
    for number in damaged {
        let (segment, at) = place_of(&bench, number);
        assert_found(&findings(&bench), &segment, at, &["Group", "Entry"]);
    }
    // An export ends at the damage and says where it is.
    let exported = bench.run(&["export"]);
    assert!(assert_true(&exported) < RECORDS);
    exported.expect(6).says(&["export-failed", "segment-", "at byte"]);
    // A rebuild keeps its hands off records.
    bench.run(&["store", "rebuild"]).expect(0);
    assert!(!findings(&bench).is_empty());
}

/// The values of a record as an answer has them.
fn values_of(number: usize) -> Vec<(u32, String, Vec<u8>)> {
    records::values(&records::line(number, VALUE_BYTES))
}

/// Something done to a data folder.
type Harm<'h> = (&'h str, &'h dyn Fn(&Bench));

#[test]
fn derived_files_are_remade_from_the_log() {
    let run_file = |bench: &Bench| files(bench, "log", "run-", ".run").remove(0);
    let snapshot = |bench: &Bench| files(bench, "blobs", "index", ".blob").remove(0);
    let state = |bench: &Bench| bench.data().join("state").join("db");
    let middle = |file: PathBuf| {
        let at = fs::metadata(&file).unwrap().len() / 3;
        flip(&file, at);
    };
    let damages: [Harm<'_>; 7] = [
        ("run changed", &|bench| middle(run_file(bench))),
        ("run gone", &|bench| fs::remove_file(run_file(bench)).unwrap()),
        ("head of a segment changed", &|bench| flip(&files(bench, "log", "segment-", ".log")[1], 20)),
        ("snapshot changed", &|bench| middle(snapshot(bench))),
        ("snapshot gone", &|bench| fs::remove_file(snapshot(bench)).unwrap()),
        ("state changed", &|bench| middle(state(bench))),
        ("state gone", &|bench| fs::remove_dir_all(bench.data().join("state")).unwrap()),
    ];
    for (what, damage) in damages {
        println!("{what}");
        let bench = log().copy();
        damage(&bench);
        // Whatever can be served is true.
        assert_true(&bench.run(&["export"]));
        let rebuilt = bench.run(&["store", "rebuild", "--json"]).expect(0);
        assert_eq!(rebuilt.json()[0]["identifiers"], RECORDS);
        assert_sound(&bench, RECORDS);
    }
    println!("sled: state gone");
    let bench = sled().copy();
    fs::remove_dir_all(bench.data().join("state")).unwrap();
    bench.run(&["store", "rebuild"]).expect(0);
    assert_sound(&bench, RECORDS / 10);
}

#[test]
fn a_missing_segment_is_found_and_the_rest_is_served() {
    let bench = log().copy();
    let gone = files(&bench, "log", "segment-", ".log").remove(1);
    fs::remove_file(&gone).unwrap();
    let found = findings(&bench);
    assert!(found.iter().any(|finding| finding["what"] == "missing"), "{found:#?}");
    let exported = bench.run(&["export"]);
    let given = assert_true(&exported);
    assert!(given < RECORDS && !exported.status.success(), "{given} of {RECORDS}: {}", exported.err);
}

#[test]
fn a_damaged_last_group_is_not_taken_for_a_write_cut_short() {
    let bench = log().copy();
    let newest = files(&bench, "log", "segment-", ".log").pop().unwrap();
    let last_group = fs::read(&newest).unwrap().windows(4).rposition(|bytes| bytes == b"WMgr").unwrap() as u64;
    flip(&newest, last_group + 60);
    let kept = fs::read(&newest).unwrap();
    for _ in 0..2 {
        let found = findings(&bench);
        assert_found(&found, &newest, last_group + 60, &["Group"]);
        assert!(found.iter().all(|finding| finding["part"] != "Tail"), "{found:#?}");
        // The node starts, serves the rest, and writes behind the damage, again and again.
        let running = bench.serve();
        assert_eq!(Connection::open(running.address("tcp")).ask(1, &records::name(5)).values, values_of(5));
        running.stop().expect(0);
        bench.run(&["prefix", "home", "88.2"]).expect(0);
        bench.run(&["prefix", "unhome", "88.2"]).expect(0);
    }
    assert!(fs::read(&newest).unwrap().starts_with(&kept), "not a byte of it is cut");
    assert_eq!(
        files(&bench, "log", "", "").iter().filter(|file| file.extension().is_some_and(|e| e == "bin")).count(),
        0
    );
}

#[test]
fn a_store_without_a_readable_identity_opens_nowhere() {
    let bench = log().copy();
    flip(&bench.data().join("identity"), 20);
    for words in [&["export"][..], &["store", "info"], &["store", "rebuild"], &["prefix", "list"]] {
        bench.run(words).expect(7).says(&["data-not-opened", "identity"]);
    }
    let mut command = daemon(["--config"]);
    command.arg(bench.config()).arg("--data").arg(bench.data());
    run(command).expect(7).says(&["data-not-opened", "identity"]);
    flip(&bench.data().join("identity"), 20);
    assert_sound(&bench, RECORDS);
}

#[test]
fn a_folder_in_use_is_refused_by_everybody_else() {
    let bench = sled().copy();
    let running = bench.serve();
    let holder = format!("process {}", running.process.pid());
    let source = sled().bench.path("source.jsonl");
    let import = ["import", source.to_str().unwrap()];
    for words in [&import[..], &["export"], &["store", "check"], &["store", "rebuild"], &["prefix", "home", "88.2"]] {
        bench.run(words).expect(7).says(&[&holder]);
    }
    let mut second = daemon(["--config"]);
    second.arg(bench.config()).arg("--data").arg(bench.data());
    run(second).expect(7).says(&["data-in-use", &holder]);
    // The first one noticed nothing.
    let said = Connection::open(running.address("tcp")).ask(1, &records::name(5));
    assert_eq!(said.values, values_of(5));
    running.stop().expect(0);
    assert_sound(&bench, RECORDS / 10);
}

#[test]
fn a_write_the_system_refuses_ends_an_import_and_loses_nothing() {
    let bench = Bench::default();
    let lines = records::lines(RECORDS, VALUE_BYTES);
    let source = bench.put("source.jsonl", records::text(&lines));
    let import = bench.tool(&["import", source.to_str().unwrap(), "--home", "--json"]);
    // No file may be larger than half a segment. The signal that would kill for it is ignored, so that the write fails.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 1024; exec \"$@\"", "sh"]).arg(import.get_program());
    limited.args(import.get_args()).env("LANG", "C");
    let ended = run(limited);
    let acknowledged = ended.json().last().map_or(0, |line| line["acknowledged"].as_u64().unwrap());
    assert!(!ended.status.success());
    assert!(ended.err.starts_with("error["), "{}", ended.err);
    let held = if bench.data().join("identity").exists() {
        assert_eq!(findings(&bench), Vec::<Value>::new());
        assert_true(&bench.run(&["export"]).expect(0))
    } else {
        0
    };
    assert!(held as u64 >= acknowledged, "{acknowledged} acknowledged, {held} held");
    run(import).expect(0);
    assert_sound(&bench, RECORDS);
}

#[test]
fn on_a_full_disk_writes_are_refused_reads_go_on_and_writing_resumes_with_room() {
    if !may_mount() {
        println!("not run: this system lets nobody mount a small disk; the store's own tests make the disk full");
        return;
    }
    // Groups small enough that some are acknowledged before one finds no room, however many submissions wait for the writer.
    let bench = Bench::new("write.group_commands = 64\n");
    let source = bench.put("source.jsonl", records::text(&records::lines(RECORDS, VALUE_BYTES)));
    fs::create_dir(bench.data()).unwrap();
    // A disk of its own, seen by nobody outside, and gone with the script. Each step leaves its exit code and output.
    let script = "mount -t tmpfs -o size=3m tmpfs \"$DATA\"
        step() {
            name=$1; shift; code=0
            \"$@\" >\"$OUT/$name.out\" 2>\"$OUT/$name.err\" || code=$?
            echo $code >\"$OUT/$name.code\"
        }
        step full sh -c \"$IMPORT\"
        step read sh -c \"$EXPORT\"
        mount -o remount,size=64m \"$DATA\"
        step room sh -c \"$IMPORT\"
        step all sh -c \"$EXPORT\"
        step check sh -c \"$CHECK\"";
    let quoted = |command: &Command| {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| format!("'{}'", word.to_str().unwrap())).collect::<Vec<_>>().join(" ")
    };
    let mut shell = Command::new("unshare");
    shell.args(["--map-root-user", "--mount", "sh", "-ec", script]).env("LANG", "C");
    shell.env("DATA", bench.data()).env("OUT", bench.path(""));
    shell.env("IMPORT", quoted(&bench.tool(&["import", source.to_str().unwrap(), "--home", "--json"])));
    shell.env("EXPORT", quoted(&bench.tool(&["export"])));
    shell.env("CHECK", quoted(&bench.tool(&["store", "check"])));
    Process::start(shell).ended().expect(0);
    let code = |step: &str| bench.text(&format!("{step}.code")).trim().parse::<i32>().unwrap();
    let lines = |step: &str| bench.text(&format!("{step}.out"));

    assert_eq!(code("full"), 1, "{}", bench.text("full.err"));
    let refused = bench.text("full.err");
    assert!(refused.contains("import-failed") && refused.contains("the disk is full"), "{refused}");
    let progress = waymark_tests::process::json_lines(&lines("full"));
    let acknowledged = progress.last().unwrap()["acknowledged"].as_u64().unwrap();
    assert!(acknowledged > 0 && acknowledged < RECORDS as u64);

    // Also where there is no room for a single page of the state.
    assert_eq!(code("read"), 0, "{}", bench.text("read.err"));
    let read = lines("read");
    assert!(read.lines().all(|line| line == records::line(records::number(line), VALUE_BYTES)));
    assert!(read.lines().count() as u64 >= acknowledged);

    assert_eq!(code("room"), 0, "{}", bench.text("room.err"));
    assert_eq!(lines("all"), records::text(&records::lines(RECORDS, VALUE_BYTES)));
    assert_eq!(code("check"), 0, "{}", lines("check"));
}

/// Whether a script may mount something only it sees.
fn may_mount() -> bool {
    let mut tried = Command::new("unshare");
    tried.args(["--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]);
    tried.output().is_ok_and(|ended| ended.status.success())
}
