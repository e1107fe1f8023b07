//! Taking files in and giving them out again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::Arc;

use common::*;
use proptest::prelude::*;
use waymark_catalog::export::{self, ExportOptions};
use waymark_catalog::import::{self, Format, ImportError, ImportOptions, Notice, Progress, Summary};
use waymark_catalog::{Catalog, Command, ContentHash, HomeName, PutMode, Stored, Timestamps, ValueSet, open_over};
use waymark_store::fault::MemoryMedium;
use waymark_store::{Engine, MemoryStore};
use waymark_wire::{Permissions, ReferenceBuf, Ttl, ValueBuf};

fn memory() -> Catalog {
    let options = options(std::path::Path::new("unused"), Engine::Log);
    let store = Arc::new(MemoryStore::for_tests());
    open_over(store, waymark_store::Recovery::default(), &options).unwrap().catalog
}

fn jsonl() -> ImportOptions {
    ImportOptions::new(Format::JsonLines)
}

fn homing(options: ImportOptions) -> ImportOptions {
    ImportOptions { home: true, ..options }
}

fn import(catalog: &Catalog, input: &str, options: &ImportOptions) -> Summary {
    import::run(catalog, input.as_bytes(), options, None, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn export(catalog: &Catalog, options: &ExportOptions) -> (String, export::Summary) {
    let mut out = Vec::new();
    let summary = export::run(catalog, &mut out, options, &mut |_| ControlFlow::Continue(())).unwrap();
    (String::from_utf8(out).unwrap(), summary)
}

fn codes(summary: &Summary) -> Vec<(u64, &str, &'static str)> {
    summary.problems.iter().map(|problem| (problem.line, problem.field.as_str(), problem.cause.code())).collect()
}

/// The sample lines as an export writes them: without what describes records to people, in order of the keys.
fn normalised(samples: &str) -> Vec<serde_json::Value> {
    let mut lines: Vec<serde_json::Value> = samples.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &mut lines {
        let fields = line.as_object_mut().unwrap();
        fields.retain(|name, _| name == "handle" || name == "values");
        for value in fields["values"].as_array_mut().unwrap() {
            value.as_object_mut().unwrap().retain(|name, _| name != "label");
        }
    }
    lines.sort_by_key(|line| {
        let handle = line["handle"].as_str().unwrap().to_ascii_uppercase();
        if handle.contains('/') { handle } else { format!("0.NA/{handle}") }
    });
    lines
}

#[test]
fn the_samples_come_back_as_they_went_on_both_engines() {
    let samples = samples();
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        let summary = import(&catalog, &samples, &homing(jsonl()));
        assert!(summary.is_clean(), "{summary:?}");
        assert_eq!((summary.created, summary.progress.done, summary.progress.lines), (60, 60, 60));
        assert_eq!(summary.homed, 39, "38 prefixes, and the prefix records under one more");
        assert_eq!(summary.notices.iter().collect::<Vec<_>>(), [&Notice::DescriptionsDropped]);
        drop(catalog);
        let catalog = open_at(dir.path(), engine).catalog;
        let (text, written) = export(&catalog, &ExportOptions::new(Format::JsonLines));
        assert_eq!((written.records, written.values, written.omitted), (60, 663, 0));
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, normalised(&samples));
        let again = import(&catalog, &text, &homing(jsonl()));
        assert_eq!((again.same, again.created, again.homed), (60, 0, 0));
    }
}

#[test]
fn the_samples_survive_the_batch_format_but_for_their_timestamps() {
    let files = tempfile::tempdir().unwrap();
    let catalog = memory();
    import(&catalog, &samples(), &homing(jsonl()));
    let options = ExportOptions { files: Some(files.path().into()), ..ExportOptions::new(Format::Batch) };
    let (text, written) = export(&catalog, &options);
    assert_eq!((written.records, written.omitted), (60, 0));
    let other = memory();
    let batch = ImportOptions { files: Some(files.path().into()), ..ImportOptions::new(Format::Batch) };
    let summary = import(&other, &text, &homing(batch));
    assert!(summary.is_clean(), "{summary:?}");
    assert_eq!(contents(&other), contents(&catalog));
}

/// Handle in its own case and content of every record.
fn contents(catalog: &Catalog) -> Vec<(Vec<u8>, ContentHash)> {
    let record = |(_, body): (Vec<u8>, Vec<u8>)| {
        let stored = Stored::parse(&body).unwrap();
        (stored.handle().to_vec(), ContentHash::of(stored.values().unwrap()))
    };
    dump(catalog).into_iter().map(record).collect()
}

#[test]
fn records_the_batch_format_cannot_say_are_listed_and_not_cut() {
    let catalog = memory();
    home(&catalog, "88.1");
    let bytes = ValueBuf::new(1, b"BLOB", b"\xff\x00");
    let lines = ValueBuf::new(1, b"DESC", b"one\ntwo");
    let absolute = ValueBuf { ttl: Ttl::Absolute(5), ..ValueBuf::new(1, b"URL", b"u") };
    let referring = ValueBuf {
        references: vec![ReferenceBuf { handle: b"88.1/x".to_vec(), index: 1 }],
        ..ValueBuf::new(1, b"URL", b"u")
    };
    let put = |handle: &str, value: ValueBuf| Command::Put {
        handle: handle.into(),
        values: ValueSet::from_bufs(&[value]).unwrap(),
        timestamps: Timestamps::Now,
        mode: PutMode::Create,
    };
    let plain = ValueBuf::new(1, b"URL", b" spaces around ");
    let records =
        [("88.1/a", bytes), ("88.1/b", lines), ("88.1/c", absolute), ("88.1/d", referring), ("88.1/e", plain)];
    write(&catalog, records.into_iter().map(|(handle, value)| put(handle, value)).collect());
    let (text, summary) = export(&catalog, &ExportOptions::new(Format::Batch));
    assert_eq!(summary.omitted_handles, ["88.1/a", "88.1/b", "88.1/c", "88.1/d"]);
    assert_eq!(text, "CREATE 88.1/e\n1 URL 86400 1110 UTF8  spaces around \n\n");
    let files = tempfile::tempdir().unwrap();
    let options = ExportOptions { files: Some(files.path().into()), ..ExportOptions::new(Format::Batch) };
    let (_, summary) = export(&catalog, &options);
    assert_eq!(summary.omitted_handles, ["88.1/c", "88.1/d"], "data can go to files, the rest cannot be said");
}

#[test]
fn prefixes_that_are_not_served_are_refused_and_listed() {
    let catalog = memory();
    home(&catalog, "88.1");
    let input = "{\"handle\":\"88.1/a\",\"values\":[]}\n{\"handle\":\"88.a/b\",\"values\":[]}\n\
                 {\"handle\":\"88.A/c\",\"values\":[]}\n{\"handle\":\"0.NA/88.9.1\",\"values\":[]}\n";
    let summary = import(&catalog, input, &jsonl());
    assert_eq!(codes(&summary), [(2, "", "not-served"), (3, "", "not-served"), (4, "", "not-served")]);
    let listed: Vec<(&str, u64)> = summary.not_served.iter().map(|(prefix, count)| (prefix.as_str(), *count)).collect();
    assert_eq!(listed, [("0.NA", 1), ("88.A", 2)]);
    let summary = import(&catalog, input, &homing(jsonl()));
    assert_eq!((summary.same, summary.created, summary.homed), (1, 3, 2));
    let mut homed: Vec<String> = catalog.prefixes().iter().map(|name| name.to_string()).collect();
    homed.sort();
    assert_eq!(homed, ["0.NA/0.NA/88.9", "0.NA/88.1", "0.NA/88.A"], "no more than the records need");
}

#[test]
fn a_bad_line_stops_nothing_else_and_is_listed_in_summary_and_file() {
    let catalog = memory();
    home(&catalog, "88.1");
    let mut input = String::new();
    for n in 0..1000 {
        input.push_str(&match n {
            17 => "not json\n".to_owned(),
            500 => "{\"handle\":\"88.1/500\",\"values\":[{\"index\":1,\"type\":\"T\",\"ttl\":\"x\",\"data\":\"\"}]}\n"
                .to_owned(),
            700 => "{\"handle\":\"88.1/no\\u0000\",\"values\":[]}\n".to_owned(),
            n => format!("{{\"handle\":\"88.1/{n}\",\"values\":[]}}\n"),
        });
    }
    let mut rejects = Vec::new();
    let mut seen = Vec::new();
    let options = ImportOptions { submission: 100, in_flight: 3, ..jsonl() };
    let summary = import::run(&catalog, input.as_bytes(), &options, Some(&mut rejects), &mut |progress| {
        seen.push(*progress);
        ControlFlow::Continue(())
    })
    .unwrap();
    let expected = [(18, "", "not-json"), (501, "values[0].ttl", "wrong-kind"), (701, "", "invalid-handle")];
    assert_eq!(codes(&summary), expected);
    assert_eq!((summary.created, summary.progress.done, summary.progress.failed), (997, 997, 3));
    let rejects = String::from_utf8(rejects).unwrap();
    assert_eq!(rejects.lines().count(), 3);
    let second: serde_json::Value = serde_json::from_str(rejects.lines().nth(1).unwrap()).unwrap();
    assert_eq!(second["line"], 501);
    assert_eq!(second["handle"], "88.1/500");
    assert_eq!((second["field"].as_str(), second["code"].as_str()), (Some("values[0].ttl"), Some("wrong-kind")));
    assert!(
        seen.len() >= 10 && seen.windows(2).all(|pair| pair[0].done <= pair[1].done && pair[0].bytes <= pair[1].bytes)
    );
    assert_eq!(seen.last().unwrap().bytes, input.len() as u64);
}

#[test]
fn kept_problems_are_bounded_and_all_are_counted() {
    let catalog = memory();
    let options = ImportOptions { kept_problems: 5, ..jsonl() };
    let mut rejects = Vec::new();
    let input = "x\n".repeat(300);
    let summary =
        import::run(&catalog, input.as_bytes(), &options, Some(&mut rejects), &mut |_| ControlFlow::Continue(()))
            .unwrap();
    assert_eq!((summary.problems.len(), summary.progress.failed), (5, 300));
    assert_eq!(rejects.iter().filter(|byte| **byte == b'\n').count(), 300);
}

#[test]
fn records_that_exist_are_the_same_or_a_failure_or_replaced() {
    let catalog = memory();
    let line = |data: &str| {
        format!("{{\"handle\":\"88.1/a\",\"values\":[{{\"index\":1,\"type\":\"URL\",\"data\":\"{data}\"}}]}}\n")
    };
    import(&catalog, &line("one"), &homing(jsonl()));
    let summary = import(&catalog, &(line("one") + &line("two")), &jsonl());
    assert_eq!((summary.same, codes(&summary)), (1, vec![(2, "", "already-exists-different")]));
    let replacing = ImportOptions { existing: PutMode::Replace, ..jsonl() };
    assert_eq!(import(&catalog, &line("two"), &replacing).replaced, 1);
    assert_eq!(data(&catalog, "88.1/a").unwrap(), ["two"]);
    let creating = ImportOptions { existing: PutMode::Create, ..jsonl() };
    assert_eq!(codes(&import(&catalog, &line("two"), &creating)), [(1, "", "already-exists-same")]);
}

#[test]
fn a_dry_run_finds_everything_and_writes_nothing() {
    let catalog = memory();
    home(&catalog, "88.1");
    write(&catalog, vec![create("88.1/there", "u")]);
    let serial = catalog.serial();
    let input = "{\"handle\":\"88.1/there\",\"values\":[]}\n{\"handle\":\"88.1/new\",\"values\":[]}\n\
                 {\"handle\":\"88.1/NEW\",\"values\":[]}\n{\"handle\":\"99.9/x\",\"values\":[]}\nrubbish\n";
    let dry = |options: ImportOptions| {
        let summary = import(&catalog, input, &ImportOptions { dry_run: true, ..options });
        assert_eq!(catalog.serial(), serial);
        assert_eq!(data(&catalog, "88.1/new"), None);
        summary
    };
    let summary = dry(jsonl());
    let mut found = codes(&summary);
    found.sort();
    assert_eq!(found, [(1, "", "already-exists-different"), (4, "", "not-served"), (5, "", "not-json")]);
    assert_eq!((summary.created, summary.same), (1, 1));
    let summary = dry(homing(jsonl()));
    assert_eq!((summary.created, summary.homed), (2, 1));
    assert_eq!(catalog.prefixes().len(), 1);
    let real = import(&catalog, input, &homing(jsonl()));
    assert_eq!((real.created, real.same, real.homed, real.progress.failed), (2, 1, 1, 2), "as the dry run said");
}

#[test]
fn an_interrupted_import_continues_and_a_finished_one_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let input: String = (0..1000).map(|n| format!("{{\"handle\":\"88.1/{n}\",\"values\":[]}}\n")).collect();
    let options = homing(ImportOptions { submission: 50, in_flight: 2, ..jsonl() });
    let stream = import::stream_id(&mut Cursor::new(input.as_bytes()), &options).unwrap();
    let options = ImportOptions { stream: Some(stream), ..options };
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    let mut rounds = 0;
    let mut stop = |_: &Progress| {
        rounds += 1;
        if rounds == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let first = import::run(&catalog, input.as_bytes(), &options, None, &mut stop).unwrap();
    assert!(first.stopped && !first.is_clean());
    drop(catalog);
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    let second = import(&catalog, &input, &options);
    let (offset, line) = second.resumed.unwrap();
    assert_eq!(line, first.created, "nothing is done twice, nothing left out");
    assert!(input.as_bytes()[..offset as usize].ends_with(b"\n"));
    assert_eq!((first.created + second.created, second.same), (1000, 0));
    assert_eq!(dump(&catalog).len(), 1000);
    let third = import(&catalog, &input, &options);
    assert_eq!((third.resumed, third.same), (None, 1000));
}

#[test]
fn a_full_disk_ends_the_import_and_the_next_run_continues() {
    let medium = MemoryMedium::new();
    let catalog = open_medium(Arc::new(medium.clone())).catalog;
    let value = "x".repeat(500);
    let input: String = (0..2000)
        .map(|n| {
            format!("{{\"handle\":\"88.1/{n}\",\"values\":[{{\"index\":1,\"type\":\"T\",\"data\":\"{value}\"}}]}}\n")
        })
        .collect();
    let options = homing(ImportOptions { submission: 20, in_flight: 4, stream: Some([9; 16]), ..jsonl() });
    medium.set_room(Some(medium.used() + 300_000));
    let error =
        import::run(&catalog, input.as_bytes(), &options, None, &mut |_| ControlFlow::Continue(())).unwrap_err();
    let ImportError::Write { error, summary } = error else { panic!("{error}") };
    assert!(matches!(error, waymark_catalog::WriteError::DiskFull));
    assert!(summary.created > 0 && summary.created < 2000);
    assert_eq!(dump(&catalog).len() as u64, catalog.statistics().index.entries);
    medium.set_room(None);
    let rest = import(&catalog, &input, &options);
    assert!(rest.resumed.unwrap().1 >= summary.created);
    assert_eq!(dump(&catalog).len(), 2000);
    assert!(rest.is_clean());
}

#[test]
fn marks_never_run_ahead_of_the_records_they_stand_for() {
    let input: String = (0..60).map(|n| format!("{{\"handle\":\"88.1/{n}\",\"values\":[]}}\n")).collect();
    let options = homing(ImportOptions { submission: 7, in_flight: 1, stream: Some([3; 16]), ..jsonl() });
    for changes in (0..40).step_by(3) {
        let medium = MemoryMedium::new();
        let faults = waymark_store::fault::FaultMedium::over(Arc::new(medium.clone()));
        let catalog = open_medium(faults.clone()).catalog;
        faults.cut_power_after(changes);
        let _ = import::run(&catalog, input.as_bytes(), &options, None, &mut |_| ControlFlow::Continue(()));
        drop(catalog);
        let catalog = open_after_loss(&medium).catalog;
        let position = catalog.cold().mark([3; 16]).unwrap().unwrap_or(0);
        let lines = input.as_bytes()[..position as usize].iter().filter(|byte| **byte == b'\n').count();
        let there = dump(&catalog).len();
        assert!(position == 0 || there == lines, "{there} records, mark behind line {lines}");
        let rest = import(&catalog, &input, &options);
        assert_eq!((dump(&catalog).len(), rest.progress.failed), (60, 0), "after {changes} changes");
    }
}

#[test]
fn a_batch_file_does_all_its_operations() {
    let catalog = memory();
    let input = "AUTHENTICATE PUBKEY:300:0.NA/88.1\nkey.bin|secret\n\nHOME 192.0.2.1:2641:TCP\n0.NA/88.1\n\n\
                 CREATE 88.1/产品\n100 HS_ADMIN 86400 1110 ADMIN 300:111111111111:0.NA/88.1\n1 URL 60 1110 UTF8 https://x/ y\n\n\
                 ADD 88.1/产品\n2 DESC 86400 1100 UTF8 二\n\nMODIFY 88.1/产品\n1 URL 60 1110 UTF8 https://z/\n\n\
                 REMOVE 2:88.1/产品\n\nCREATE 88.1/gone\n1 URL 1 1110 UTF8 u\n\nDELETE 88.1/gone\n\n\
                 CREATE 88.1/file\n1 HS_PUBKEY 1 1110 FILE key.bin\n\nUNHOME 192.0.2.1:2641:TCP\n0.NA/88.7\n";
    let summary = import(&catalog, input, &ImportOptions::new(Format::Batch));
    assert_eq!(codes(&summary), [(25, "data", "files-not-allowed"), (28, "", "not-found")]);
    assert_eq!((summary.created, summary.changed, summary.deleted, summary.homed), (2, 3, 1, 1));
    let admin = b"\x0f\xff\x00\x00\x00\x090.NA/88.1\x00\x00\x01\x2c";
    let record = fetch(&catalog, "88.1/产品").unwrap();
    let values = record.stored().unwrap().values().unwrap();
    let found: Vec<(u32, &[u8])> = values.iter().map(|value| (value.index, value.data)).collect();
    assert_eq!(found, [(1, &b"https://z/"[..]), (100, &admin[..])]);
    assert_eq!(data(&catalog, "88.1/gone"), None);
    let codes: Vec<&str> = summary.notices.iter().map(|notice| notice.code()).collect();
    assert_eq!(codes, ["authentication-skipped", "server-ignored"]);
}

/// A value any door may have stored.
fn any_value() -> impl Strategy<Value = ValueBuf> {
    let kind = prop_oneof![
        Just("URL".to_owned()),
        Just("HS_ADMIN".to_owned()),
        Just("hs_vlist".to_owned()),
        Just("HS_SITE".to_owned()),
        "[ -~]{1,8}",
        "\\PC{1,4}",
    ];
    let data = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "\\PC{0,12}".prop_map(String::into_bytes),
        Just(b"{\"a\": [1, 2.50, \"\\u4ea7\"]}".to_vec()),
        Just(b"[1]\n".to_vec()),
        Just(b"{not json".to_vec()),
        Just(b"\x0f\xff\x00\x00\x00\x031/x\x00\x00\x01\x2c".to_vec()),
        Just(b"\x0f\xff\x00\x00\x00\x031/x\x00\x00\x01\x2c\x00\x00".to_vec()),
        Just(b"\x00\x00\x00\x01\x00\x00\x00\x031/x\x00\x00\x01\x2c".to_vec()),
    ];
    let ttl = (0..4_u8, any::<i32>()).prop_map(|(kind, value)| Ttl::from_wire(kind, value));
    let references = prop::collection::vec(
        ("\\PC{0,6}", any::<u32>()).prop_map(|(handle, index)| ReferenceBuf { handle: handle.into_bytes(), index }),
        0..3,
    );
    (1..=1_000_u32, kind, data, ttl, any::<u8>(), 1..u32::MAX, references).prop_map(
        |(index, kind, data, ttl, permissions, timestamp, references)| ValueBuf {
            index,
            timestamp,
            ttl,
            permissions: Permissions(permissions),
            kind: kind.into_bytes(),
            data,
            references,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_record_comes_back_to_the_byte_through_json_lines(
        records in prop::collection::vec(
            ("[^\\p{C}]{0,12}", prop::collection::vec(any_value(), 0..6)), 1..5)
    ) {
        let catalog = memory();
        home(&catalog, "88.1");
        for (suffix, mut values) in records {
            values.sort_by_key(|value| value.index);
            values.dedup_by_key(|value| value.index);
            let command = Command::Put {
                handle: format!("88.1/{suffix}").into_bytes(),
                values: ValueSet::from_bufs(&values).unwrap(),
                timestamps: Timestamps::Keep,
                mode: PutMode::Replace,
            };
            try_write(&catalog, vec![command]).unwrap();
        }
        let (text, summary) = export(&catalog, &ExportOptions::new(Format::JsonLines));
        prop_assert_eq!(summary.omitted, 0);
        let other = memory();
        let summary = import(&other, &text, &homing(jsonl()));
        prop_assert!(summary.is_clean(), "{summary:?}\n{text}");
        prop_assert_eq!(dump(&other), dump(&catalog));
    }

    #[test]
    fn what_the_batch_format_writes_means_the_same_when_read(
        records in prop::collection::vec(
            ("[^\\p{C}]{0,12}", prop::collection::vec(any_value(), 0..6)), 1..5)
    ) {
        let files = tempfile::tempdir().unwrap();
        let catalog = memory();
        home(&catalog, "88.1");
        for (suffix, mut values) in records {
            values.sort_by_key(|value| value.index);
            values.dedup_by_key(|value| value.index);
            for value in &mut values {
                value.permissions.0 &= 0x0f;
                value.references.clear();
                value.ttl = Ttl::Relative(value.ttl.to_wire().1);
            }
            let command = Command::Put {
                handle: format!("88.1/{suffix}").into_bytes(),
                values: ValueSet::from_bufs(&values).unwrap(),
                timestamps: Timestamps::Keep,
                mode: PutMode::Replace,
            };
            try_write(&catalog, vec![command]).unwrap();
        }
        let options = ExportOptions { files: Some(files.path().into()), ..ExportOptions::new(Format::Batch) };
        let (text, summary) = export(&catalog, &options);
        let other = memory();
        let options = ImportOptions { files: Some(files.path().into()), ..ImportOptions::new(Format::Batch) };
        let imported = import(&other, &text, &homing(options));
        prop_assert!(imported.is_clean(), "{imported:?}\n{text}");
        let written: Vec<_> = contents(&catalog)
            .into_iter()
            .filter(|(handle, _)| !summary.omitted_handles.contains(&String::from_utf8_lossy(handle).into_owned()))
            .collect();
        prop_assert_eq!(contents(&other), written);
    }

    #[test]
    fn no_input_makes_an_import_panic_or_write_half_a_record(input in prop::collection::vec(any::<u8>(), 0..400)) {
        for format in [Format::JsonLines, Format::Batch] {
            let catalog = memory();
            home(&catalog, "88.1");
            let options = ImportOptions { line_bytes: 64, ..ImportOptions::new(format) };
            let summary = import::run(&catalog, input.as_slice(), &options, None, &mut |_| ControlFlow::Continue(()));
            prop_assert!(summary.is_ok());
        }
    }
}

#[test]
fn an_export_can_be_limited_to_a_prefix_and_stopped() {
    let catalog = memory();
    home(&catalog, "88.1");
    home(&catalog, "88.10");
    let handles = ["88.1/a", "88.1/b", "88.10/c"];
    write(&catalog, handles.iter().map(|handle| create(handle, "u")).collect());
    let options = ExportOptions { key_prefix: b"88.1/".to_vec(), ..ExportOptions::new(Format::JsonLines) };
    assert_eq!(export(&catalog, &options).1.records, 2);
    let mut out = Vec::new();
    let options = ExportOptions::new(Format::JsonLines);
    let summary = export::run(&catalog, &mut out, &options, &mut |records| {
        if records == 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert!(summary.stopped && summary.records == 1);
    let homed = HomeName::parse(b"88.1").unwrap();
    write(&catalog, vec![Command::Unhome { name: homed }]);
    assert_eq!(export(&catalog, &ExportOptions::new(Format::JsonLines)).1.records, 3, "what is stored is exported");
}
