//! `waymark` on the command line: wrong input of every kind, import and export, the load generator.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use waymark_tests::process::{Bench, json_lines, run, tool};
use waymark_tests::records;

const SAMPLES: &str = include_str!("../data/identifiers.jsonl");

#[test]
fn a_command_line_that_makes_no_sense_is_refused_with_the_reason() {
    let bench = Bench::default();
    let long = format!("88.1/{}", "x".repeat(2_050));
    let folder = bench.data();
    let data = folder.to_str().unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (&[], 2, "Usage"),
        (&["dance"], 2, "dance"),
        (&["resolve"], 2, "HANDLE"),
        (&["resolve", "88.1/x", "--server", "http://127.0.0.1:1"], 2, "udp://HOST:PORT"),
        (&["resolve", "88.1/x", "--server", "udp://"], 2, "host is missing"),
        (&["resolve", "88.1/x", "--server", "udp://127.0.0.1:70000"], 2, "port"),
        (&["resolve", "88.1/x", "--server", "udp://no.such.host.invalid"], 5, "server-unknown"),
        (&["resolve", "88.1/x", "--server", "quic://127.0.0.1:1"], 2, "pin-missing"),
        (&["resolve", "88.1/x", "--server", "quic://127.0.0.1:1", "--pin", "abc"], 2, "pin-malformed"),
        (&["resolve", "88.1/x", "--index", "-1"], 2, "-1"),
        (&["resolve", "88.1/x", "--timeout", "0"], 2, "0"),
        (&["resolve", &long, "--data", data], 2, "handle-too-long"),
        (&["resolve", "88.1/x", "--data", data], 5, "node-not-running"),
        (&["export", "--data", data], 7, "data-missing"),
        (&["store", "check", "--data", data], 7, "data-missing"),
        (&["store", "rebuild", "--data", data], 7, "data-missing"),
        (&["store", "info", "--data", data], 7, "data-missing"),
        (&["status", "--data", data], 7, "data-missing"),
        (&["prefix", "list", "--data", data], 7, "data-missing"),
        (&["prefix", "home", "--data", data], 2, "PREFIX"),
        (&["prefix", "home", "88.1/x", "--data", data], 2, "prefix-malformed"),
        (&["import", "no such file", "--data", data], 2, "file-unreadable"),
        (&["import", "/", "--data", data], 2, "file-unreadable"),
        (&["load", "--data", data], 5, "node-not-running"),
        (&["load", "--server", "udp://127.0.0.1:1"], 2, "names-missing"),
        (&["load", "--server", "udp://127.0.0.1:1", "--pattern", "88.1/x", "--count", "9"], 2, "names-unusable"),
        (&["load", "--server", "udp://127.0.0.1:1", "--names", "no such file"], 2, "file-unreadable"),
        (&["load", "--server", "udp://127.0.0.1:1", "--pattern", "88.1/{}"], 2, "--count"),
        (&["load", "--server", "udp://127.0.0.1:1", "--absent", "101"], 2, "101"),
        (&["config", "--lang", "xx"], 2, "xx"),
    ];
    for (words, code, said) in cases {
        println!("{words:?}");
        let ended = run(tool(*words)).expect(*code).says(&[said]);
        assert_eq!(ended.out, "", "results alone go to standard output");
    }
    assert!(!folder.exists(), "none of this made a data folder");
    for help in ["--help", "--version"] {
        assert!(run(tool([help])).expect(0).err.is_empty());
    }
}

#[test]
fn a_data_folder_that_holds_something_else_is_left_alone() {
    let bench = Bench::default();
    fs::create_dir(bench.data()).unwrap();
    let letter = bench.put("data/letter.txt", "precious");
    for words in [&["export"][..], &["store", "check"], &["store", "rebuild"], &["store", "info"], &["prefix", "list"]]
    {
        bench.run(words).expect(7);
    }
    assert_eq!(fs::read_to_string(letter).unwrap(), "precious");
}

/// The lines of an import that cannot be taken: what stands there, and the field and cause named for it.
fn bad_lines() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let value = |value: &str| format!("{{\"handle\":\"88.111.1/bad\",\"values\":[{value}]}}").into_bytes();
    let named = |name: &str| format!("{{\"handle\":\"{name}\",\"values\":[]}}").into_bytes();
    let plain = "\"type\":\"T\",\"data\":\"d\"";
    vec![
        (b"{\"handle\":\"88.111.1/bad\",\"values\":[".to_vec(), "", "not-json"),
        (b"no json at all".to_vec(), "", "not-json"),
        (b"[1,2,3]".to_vec(), "", "wrong-kind"),
        (b"{\"handle\":\"88.111.1/\x00\",\"values\":[]}".to_vec(), "", "not-json"),
        (b"{\"handle\":\"88.111.1/\xff\xfe\",\"values\":[]}".to_vec(), "", "not-utf8"),
        (named("88.111.1/nul\\u0000"), "", "invalid-handle"),
        (named(""), "", "invalid-handle"),
        (named(&format!("88.111.1/{}", "x".repeat(300))), "", "invalid-handle"),
        (named("88.222/of another"), "", "not-served"),
        (b"{\"handle\":\"88.111.1/bad\"}".to_vec(), "values", "missing"),
        (b"{\"handle\":7,\"values\":[]}".to_vec(), "handle", "wrong-kind"),
        (b"{\"handle\":\"88.111.1/bad\",\"values\":[],\"owner\":\"me\"}".to_vec(), "owner", "unknown-field"),
        (value(&format!("{{\"index\":\"one\",{plain}}}")), "values[0].index", "wrong-kind"),
        (value(&format!("{{\"index\":0,{plain}}}")), "values[0].index", "out-of-range"),
        (value(&format!("{{\"index\":1,{plain}}},{{\"index\":1,{plain}}}")), "values", "values"),
        (value(&format!("{{\"index\":1,\"index\":2,{plain}}}")), "values[0].index", "twice"),
        (value(&format!("{{\"index\":1,\"ttl\":\"soon\",{plain}}}")), "values[0].ttl", "wrong-kind"),
        (value(&format!("{{\"index\":1,\"permissions\":\"11\",{plain}}}")), "values[0].permissions", "permissions"),
        (
            value("{\"index\":1,\"type\":\"T\",\"data\":{\"format\":\"hex\",\"value\":\"0g\"}}"),
            "values[0].data.value",
            "hex",
        ),
        (
            value("{\"index\":1,\"type\":\"T\",\"data\":{\"format\":\"smell\",\"value\":\"x\"}}"),
            "values[0].data.format",
            "unknown-format",
        ),
        (value(&format!("{{\"index\":1,\"type\":\"T\",\"data\":\"{}\"}}", "x".repeat(70_000))), "", "invalid-value"),
        (vec![b'x'; (2 << 20) + 1], "", "too-long"),
    ]
}

#[test]
fn every_bad_line_is_listed_with_its_place_and_cause_and_stops_nothing_else() {
    let bench = Bench::default();
    bench.run(&["prefix", "home", records::PREFIX]).expect(0);
    let bad = bad_lines();
    // Between any two bad lines stands a good one.
    let mut content = Vec::new();
    for (number, (line, ..)) in bad.iter().enumerate() {
        content.extend_from_slice(records::line(number, 50).as_bytes());
        content.push(b'\n');
        content.extend_from_slice(line);
        content.push(b'\n');
    }
    let source = bench.put("source.jsonl", content);
    let file = source.to_str().unwrap();

    let checked = bench.run(&["import", file, "--dry-run", "--json"]).expect(8);
    assert_eq!(bench.run(&["export"]).expect(0).out, "", "a dry run writes nothing");
    let listed = bench.text("source.jsonl.rejects.jsonl");
    let done = bench.run(&["import", file, "--json"]).expect(8).json().pop().unwrap();
    assert_eq!(bench.text("source.jsonl.rejects.jsonl"), listed, "a dry run says what the import will say");
    let counts = |done: &Value| [done["lines"].clone(), done["created"].clone(), done["refused"].clone()];
    assert_eq!(counts(&done), [json!(2 * bad.len()), json!(bad.len()), json!(bad.len())]);
    assert_eq!(counts(&checked.json().pop().unwrap()), counts(&done));
    assert_eq!(done["not_served"], json!({"88.222": 1}));

    // Problems of the file are listed as it is read, refusals when the writer has spoken: by line they are complete.
    let mut rejects: BTreeMap<u64, Value> = BTreeMap::new();
    for reject in json_lines(&listed) {
        rejects.insert(reject["line"].as_u64().unwrap(), reject);
    }
    assert_eq!(rejects.len(), bad.len());
    for (number, (line, field, code)) in bad.iter().enumerate() {
        let at = 2 * number as u64 + 2;
        let reject = rejects.get(&at).unwrap_or_else(|| panic!("line {at} is not listed"));
        let found = (reject["field"].as_str().unwrap_or_default(), reject["code"].as_str().unwrap());
        let line = String::from_utf8_lossy(&line[..line.len().min(100)]).into_owned();
        assert_eq!(found, (*field, *code), "{line}: {reject}");
        assert!(!reject["cause"].as_str().unwrap().is_empty());
    }
    let good: Vec<String> = (0..bad.len()).map(|number| records::line(number, 50)).collect();
    assert_eq!(bench.run(&["export"]).expect(0).out, records::text(&good));

    // People read the same: line, field, code, and where all of them stand.
    let told = bench.run(&["import", file, "--from-start"]).expect(8).out;
    for text in ["line 26", "values[0].index", "[wrong-kind]", "88.222 (1)", "source.jsonl.rejects.jsonl"] {
        assert!(told.contains(text), "{text} in {told}");
    }
    let mut chinese = bench.tool(&["import", file, "--from-start"]);
    chinese.env("LANG", "zh_CN.UTF-8");
    let told = run(chinese).expect(8).out;
    assert!(told.contains("[wrong-kind]") && told.contains('行'), "{told}");
}

#[test]
fn a_dry_run_makes_no_folder() {
    let bench = Bench::default();
    let source = bench.put("source.jsonl", records::text(&records::lines(10, 50)));
    let words = ["import", source.to_str().unwrap(), "--home", "--dry-run", "--json"];
    let done = bench.run(&words).expect(0).json().pop().unwrap();
    assert_eq!((&done["created"], &done["homed"], &done["dry_run"]), (&json!(10), &json!(1), &json!(true)));
    assert!(!bench.data().exists());
}

#[test]
fn an_import_run_twice_finds_everything_as_it_is() {
    let bench = Bench::default();
    let source = bench.put("source.jsonl", records::text(&records::lines(300, 50)));
    let words = ["import", source.to_str().unwrap(), "--home", "--json"];
    let first = bench.run(&words).expect(0).json().pop().unwrap();
    let exported = bench.run(&["export"]).expect(0).out;
    let second = bench.run(&words).expect(0).json().pop().unwrap();
    assert_eq!((&first["created"], &first["same"], &first["homed"]), (&json!(300), &json!(0), &json!(1)));
    assert_eq!((&second["created"], &second["same"], &second["homed"]), (&json!(0), &json!(300), &json!(0)));
    assert_eq!(bench.run(&["export"]).expect(0).out, exported);
    assert!(!bench.path("source.jsonl.rejects.jsonl").exists(), "nothing was refused");
    // A record with the same name and other values is not overwritten.
    let changed = bench.put("changed.jsonl", records::line(7, 50).replace("invalid/7", "invalid/8"));
    let done = bench.run(&["import", changed.to_str().unwrap(), "--json"]).expect(8).json().pop().unwrap();
    assert_eq!(done["refused"], 1);
    assert!(bench.text("changed.jsonl.rejects.jsonl").contains("already-exists-different"));
    assert_eq!(bench.run(&["export"]).expect(0).out, exported);
}

#[test]
fn prefixes_are_needed_before_records_and_can_be_given_up() {
    let bench = Bench::default();
    let source = bench.put("source.jsonl", records::text(&records::lines(5, 50)));
    let refused = bench.run(&["import", source.to_str().unwrap()]).expect(8).out;
    assert!(refused.contains(&format!("{} (5)", records::PREFIX)) && refused.contains("--home"), "{refused}");
    bench.run(&["import", source.to_str().unwrap(), "--home"]).expect(0);
    let listed = |bench: &Bench| bench.run(&["prefix", "list"]).expect(0).out;
    assert_eq!(listed(&bench), format!("0.NA/{}\n", records::PREFIX));
    bench.run(&["prefix", "unhome", records::PREFIX]).expect(0);
    assert_eq!(listed(&bench), "");
    assert_eq!(bench.run(&["export"]).expect(0).out.lines().count(), 5, "its records stay");
    bench.run(&["prefix", "home", records::PREFIX, "88.5"]).expect(0);
    assert_eq!(listed(&bench), format!("0.NA/{}\n0.NA/88.5\n", records::PREFIX));
}

/// A record of the samples as an export writes it: nothing that only describes it, values in ascending order, data in the one format that
/// says it best.
fn normalised(line: &str) -> Value {
    let mut record: Value = serde_json::from_str(line).unwrap();
    let fields = record.as_object_mut().unwrap();
    for described in ["synthetic", "object_class", "industry", "gb_t_4754_2017", "note"] {
        fields.remove(described);
    }
    let values = fields.get_mut("values").unwrap().as_array_mut().unwrap();
    for value in values.iter_mut() {
        let value = value.as_object_mut().unwrap();
        value.remove("label");
        let data = value.get_mut("data").unwrap();
        if data.is_string() {
            *data = json!({"format": "string", "value": data.take()});
        }
        let text = data["value"].as_str().filter(|_| data["format"] == "string");
        let structured = text.and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(structured) = structured.filter(|found| found.is_object() || found.is_array()) {
            *data = json!({"format": "json", "value": structured});
        }
    }
    values.sort_by_key(|value| value["index"].as_u64());
    record
}

#[test]
fn an_export_gives_back_what_the_import_took() {
    let bench = Bench::default();
    let source = bench.put("samples.jsonl", SAMPLES);
    let done = bench.run(&["import", source.to_str().unwrap(), "--home", "--json"]).expect(0).json().pop().unwrap();
    assert_eq!((&done["created"], &done["notices"]), (&json!(60), &json!(["descriptions-dropped"])));
    let exported = bench.run(&["export"]).expect(0).says(&["60 identifiers"]).out;
    let by_name = |records: Vec<Value>| -> BTreeMap<String, Value> {
        records.into_iter().map(|record| (record["handle"].as_str().unwrap().to_owned(), record)).collect()
    };
    let given = by_name(SAMPLES.lines().map(normalised).collect());
    let got = by_name(json_lines(&exported));
    assert_eq!(given.keys().collect::<Vec<_>>(), got.keys().collect::<Vec<_>>());
    for (name, record) in &given {
        assert_eq!(got[name], *record);
    }
    // What was exported is taken again, and then comes out to the byte.
    let again = Bench::default();
    let source = again.put("exported.jsonl", &exported);
    again.run(&["import", source.to_str().unwrap(), "--home"]).expect(0);
    let file = again.path("second.jsonl");
    let told = again.run(&["export", file.to_str().unwrap()]).expect(0);
    assert_eq!(told.out, "");
    assert_eq!(again.text("second.jsonl"), exported);
    // One prefix alone.
    let prefix = "88.990.10001";
    let part = again.run(&["export", "--prefix", prefix]).expect(0).out;
    let whole: Vec<&str> =
        exported.lines().filter(|line| line.starts_with(&format!("{{\"handle\":\"{prefix}/"))).collect();
    assert!(whole.len() > 1);
    assert_eq!(part.lines().collect::<Vec<_>>(), whole);
}

#[test]
fn records_travel_through_the_batch_format() {
    let bench = Bench::default();
    let source = bench.put("samples.jsonl", SAMPLES);
    bench.run(&["import", source.to_str().unwrap(), "--home"]).expect(0);
    // What the format cannot say on a line is left out and listed, or goes to files.
    let partly = bench.run(&["export", "--form", "batch"]).expect(8);
    assert!(partly.out.starts_with("CREATE "));
    let omitted = partly.err.lines().filter(|line| line.starts_with("  ")).count();
    assert!(omitted > 0 && partly.out.matches("CREATE ").count() == 60 - omitted, "{}", partly.err);
    fs::create_dir(bench.path("files")).unwrap();
    let files = bench.path("files");
    let batch = bench.run(&["export", "--form", "batch", "--files-to", files.to_str().unwrap()]).expect(0).out;
    assert_eq!(batch.matches("CREATE ").count(), 60);

    let other = Bench::default();
    let source = other.put("batch.txt", &batch);
    let words = ["import", source.to_str().unwrap(), "--home"];
    other.run(&words).expect(8);
    assert!(other.text("batch.txt.rejects.jsonl").contains("files-not-allowed"));
    other.run(&[&words[..], &["--files-from", files.to_str().unwrap(), "--from-start"]].concat()).expect(0);
    let timeless = |text: &str| -> Vec<Value> {
        let mut records = json_lines(text);
        for record in &mut records {
            for value in record["values"].as_array_mut().unwrap() {
                value.as_object_mut().unwrap().remove("timestamp");
            }
        }
        records
    };
    // The format has no timestamps.
    let (first, second) = (bench.run(&["export"]).expect(0).out, other.run(&["export"]).expect(0).out);
    assert_eq!(timeless(&first), timeless(&second));
}

#[test]
fn a_batch_file_of_another_server_is_taken() {
    let bench = Bench::default();
    let batch = "\
        HOME 192.0.2.1:2641:TCP\n0.NA/88.111.1\n\n\
        CREATE 88.111.1/one\n\
        100 HS_ADMIN 86400 1110 ADMIN 300:011111111111:0.NA/88.111.1\n\
        1 URL 86400 1110 UTF8 https://example.invalid/one\n\n\
        CREATE 88.111.1/two\n\
        1 URL 86400 1110 UTF8 https://example.invalid/two\n\n\
        ADD 88.111.1/one\n\
        2 EMAIL 3600 1100 UTF8 one@example.invalid\n\n\
        REMOVE 1:88.111.1/two\n\n\
        DELETE 88.111.1/three\n\n\
        DANCE 88.111.1/one\n";
    let source = bench.put("batch.txt", batch);
    let done = bench.run(&["import", source.to_str().unwrap(), "--json"]).expect(8).json().pop().unwrap();
    assert_eq!((&done["created"], &done["homed"], &done["refused"]), (&json!(2), &json!(1), &json!(2)), "{done}");
    let codes: Vec<(u64, String)> = json_lines(&bench.text("batch.txt.rejects.jsonl"))
        .iter()
        .map(|reject| (reject["line"].as_u64().unwrap(), reject["code"].as_str().unwrap().to_owned()))
        .collect();
    let mut sorted = codes.clone();
    sorted.sort();
    assert_eq!(sorted, [(16, "not-found".to_owned()), (18, "unknown-operation".to_owned())]);
    let records = bench.run(&["export"]).expect(0).json();
    let indexes = |record: &Value| -> Vec<u64> {
        record["values"].as_array().unwrap().iter().map(|value| value["index"].as_u64().unwrap()).collect()
    };
    assert_eq!(records.len(), 2);
    assert_eq!((&records[0]["handle"], indexes(&records[0])), (&json!("88.111.1/one"), vec![1, 2, 100]));
    assert_eq!((&records[1]["handle"], indexes(&records[1])), (&json!("88.111.1/two"), vec![]));
    assert_eq!(records[0]["values"][1]["permissions"], "1100");
}

#[test]
fn an_interrupted_import_ends_in_order_and_goes_on_later() {
    const RECORDS: usize = 6_000;
    let bench = Bench::new("write.group_commands = 16\n");
    let lines = records::lines(RECORDS, 300);
    let source = bench.put("source.jsonl", records::text(&lines));
    let words = ["import", source.to_str().unwrap(), "--home", "--json"];
    let mut process = waymark_tests::process::Process::start(bench.tool(&words));
    for _ in 0..20 {
        process.next_line().unwrap();
    }
    process.signal(nix::sys::signal::Signal::SIGINT);
    let ended = process.ended().expect(8);
    let done = ended.json().pop().unwrap();
    assert_eq!(done["stopped"], true);
    let acknowledged = usize::try_from(done["acknowledged"].as_u64().unwrap()).unwrap();
    assert!(acknowledged < RECORDS);
    assert_eq!(bench.run(&["export"]).expect(0).out, records::text(&lines[..acknowledged]));
    let done = bench.run(&words).expect(0).json().pop().unwrap();
    assert_eq!((&done["resumed_at_line"], &done["created"]), (&json!(acknowledged), &json!(RECORDS - acknowledged)));
    assert_eq!(bench.run(&["export"]).expect(0).out, records::text(&lines));
}

#[test]
fn the_load_generator_measures_every_transport_and_gets_no_wrong_answer() {
    const RECORDS: u64 = 200;
    let bench = Bench::new("source.allow = [\"127.0.0.0/8\"]\n");
    let names: Vec<String> = (0..200).map(records::name).collect();
    let source = bench.put("source.jsonl", records::text(&records::lines(200, 100)));
    let list = bench.put("names.txt", names.join("\n"));
    bench.run(&["import", source.to_str().unwrap(), "--home"]).expect(0);
    let running = bench.serve();
    let pattern = format!("{}/ITEM-{{:07}}", records::PREFIX);
    let closed = ["--sockets", "2", "--outstanding", "8"];
    let open = ["--rate", "400", "--sockets", "2"];
    for transport in ["udp", "tcp", "quic"] {
        for (form, absent) in [(&closed[..], "0"), (&open[..], "25")] {
            let mut command = tool(["load", "--server", &running.url(transport), "--pin", &running.pin()]);
            command.args(["--pattern", &pattern, "--count", &RECORDS.to_string(), "--seconds", "1", "--json"]);
            command.args(form).args(["--absent", absent]);
            let report = run(command).expect(0).json().remove(0);
            println!("{report}");
            let count = |name: &str| report[name].as_u64().unwrap();
            assert_eq!(report["transport"], transport);
            assert_eq!((count("wrong"), count("refused"), count("busy")), (0, 0, 0), "{report}");
            assert_eq!(count("answered"), count("found") + count("absent"));
            assert_eq!(count("asked"), count("answered") + count("lost"), "{report}");
            assert!(count("found") > 0 && (count("absent") > 0) == (absent != "0"), "{report}");
            if form == open {
                let sent = count("asked") + count("skipped");
                assert!((300..=500).contains(&sent), "400 a second for one second: {report}");
            }
            let latency =
                ["min", "p50", "p90", "p99", "p999", "max"].map(|name| report["latency_us"][name].as_u64().unwrap());
            assert!(latency[0] > 0 && latency.is_sorted(), "{report}");
        }
    }
    // Names from a file, few of them most of the time, shown to a person.
    let mut command = tool(["load", "--names", list.to_str().unwrap(), "--popularity", "zipf", "--seconds", "1"]);
    command.arg("--data").arg(bench.data());
    let shown = run(command).expect(0).out;
    assert!(shown.contains("answers") && shown.contains("p50"), "{shown}");
    // A name that is not there is a wrong answer: the run fails.
    let missing = bench.put("missing.txt", format!("{}/NOBODY\n", records::PREFIX));
    let mut command = tool(["load", "--names", missing.to_str().unwrap(), "--seconds", "1", "--json"]);
    command.arg("--data").arg(bench.data());
    let report = run(command).expect(9).json().remove(0);
    assert!(report["wrong"].as_u64().unwrap() > 0);
    running.stop().expect(0);
}

#[test]
fn results_are_not_spoilt_by_a_reader_that_goes_away() {
    let bench = Bench::default();
    let source = bench.put("source.jsonl", records::text(&records::lines(2_000, 300)));
    bench.run(&["import", source.to_str().unwrap(), "--home"]).expect(0);
    let export = bench.tool(&["export"]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "\"$@\" | head -n 1", "sh"]).arg(export.get_program()).args(export.get_args()).env("LANG", "C");
    let ended = run(shell).expect(0);
    assert_eq!(ended.out, records::text(&records::lines(1, 300)));
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    assert!(is_sound(&bench.data(), &bench));
}

#[test]
fn nothing_panics_when_nobody_reads_the_output() {
    let bench = Bench::default();
    let source = bench.put("source.jsonl", records::text(&records::lines(10, 100)));
    bench.run(&["import", source.to_str().unwrap(), "--home"]).expect(0);
    let again: &[&str] = &["import", source.to_str().unwrap()];
    for words in [&["status"][..], &["store", "info"], &["store", "check"], &["prefix", "list"], again] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut tool = bench.tool(words);
        let output = tool.stdout(writer).stderr(std::process::Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("panicked"), "{words:?}: {}: {said}", output.status);
    }
}

fn is_sound(data: &Path, bench: &Bench) -> bool {
    data.exists() && bench.run(&["store", "check"]).status.success()
}
