//! Templates by the one write path: drafted, published, made from; the same after every kind of start, and stored by column.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::ops::ControlFlow;

use common::{
    ENGINES, add, copy_folder, create, data, delete, dump, fetch, home, lose_state, open_at, options, put, try_write,
    write,
};
use waymark_catalog::access::{Principal, Role, Scope};
use waymark_catalog::export::{ExportOptions, run};
use waymark_catalog::import::Format;
use waymark_catalog::template::{
    Administrator, Column, ColumnRole, DataType, DateFormat, Definition, FieldProblemCode, FieldValue, Industry,
    ObjectType, TemplateCommand, TemplateName, TemplateState, Visibility, difference, widened,
};
use waymark_catalog::{
    Actor, Catalog, Command, Door, FeedLimits, Origin, Outcome, Proof, PutMode, Receipt, Refusal, Request, Seen,
    Submission, Timestamps, ValueSet, Warm, audit, command_digest, open, rebuild,
};
use waymark_ident::Handle;
use waymark_store::{Engine, EntryKind, Serial};
use waymark_wire::{Permissions, Ttl, ValueBuf};

fn column(index: u32, name: &str, kind: &str, data: DataType) -> Column {
    Column {
        index,
        name: name.into(),
        kind: kind.into(),
        data,
        required: false,
        min: 0,
        max: 64,
        decimals: None,
        form: DateFormat::Iso,
        values: Vec::new(),
        unit: String::new(),
        visibility: Visibility::Public,
        role: None,
        ttl: 86_400,
        enabled: true,
    }
}

fn definition(version: &str) -> Definition {
    Definition {
        code: "EXC".into(),
        version: version.into(),
        title: "工程机械整机".into(),
        object_type: ObjectType::Other,
        industry: Industry { category: "C".into(), division: "35".into(), group: "351".into(), class: "3514".into() },
        administrator: Some(Administrator { handle: "{prefix}/0.ADMIN".into(), index: 300 }),
        columns: vec![
            Column { required: true, min: 1, ..column(2000, "产品名称", "productName", DataType::String) },
            Column { required: true, min: 1, ..column(2002, "整机编号", "serialNo", DataType::String) },
            Column { role: Some(ColumnRole::Expiry), ..column(2007, "质保截止", "warrantyEnd", DataType::Date) },
            Column {
                visibility: Visibility::Administrators,
                ttl: 3_600,
                ..column(2008, "客户编码", "ownerCode", DataType::String)
            },
        ],
    }
}

fn name(version: &str) -> TemplateName {
    TemplateName::new(b"88.1", "EXC", version).unwrap()
}

fn draft(version: &str) -> TemplateCommand {
    TemplateCommand::PutDraft { prefix: b"88.1".to_vec(), definition: Box::new(definition(version)) }
}

fn publish(version: &str) -> TemplateCommand {
    TemplateCommand::Publish { template: name(version) }
}

fn enable(version: &str, index: u32, enabled: bool) -> TemplateCommand {
    TemplateCommand::EnableColumn { template: name(version), index, enabled }
}

fn fields(pairs: &[(u32, &str)]) -> Vec<FieldValue> {
    pairs.iter().map(|(index, text)| FieldValue { index: *index, kind: String::new(), text: (*text).into() }).collect()
}

fn made(handle: &str, version: &str, pairs: &[(u32, &str)], mode: PutMode) -> Command {
    Command::PutFromTemplate { handle: handle.into(), template: name(version), fields: fields(pairs), mode }
}

fn machine(number: u32) -> Command {
    let serial = format!("XE215-{number:06}");
    let pairs = [(2000, "挖掘机"), (2002, serial.as_str()), (2007, "2028-03-10"), (2008, "C088120")];
    made(&format!("88.1/Xe.{number}"), "1.2", &pairs, PutMode::Create)
}

fn ask(catalog: &Catalog, command: impl Into<Command>) -> Result<Receipt, Refusal> {
    try_write(catalog, vec![command.into()]).unwrap().remove(0)
}

fn done(catalog: &Catalog, command: impl Into<Command>) -> Outcome {
    ask(catalog, command).unwrap().outcome
}

fn begun(dir: &tempfile::TempDir, engine: Engine) -> Catalog {
    let catalog = open_at(dir.path(), engine).catalog;
    home(&catalog, "88.1");
    done(&catalog, draft("1.2"));
    done(&catalog, publish("1.2"));
    catalog
}

/// The free form of what `machine` makes.
fn free(number: u32) -> ValueSet {
    let mut admin = Vec::new();
    let record = waymark_wire::types::AdminRecord {
        permissions: waymark_wire::types::AdminPermissions(0x07ff),
        handle: b"88.1/0.ADMIN",
        index: 300,
        legacy_tail: None,
    };
    record.encode(&mut admin);
    let owner = ValueBuf {
        permissions: Permissions::SECRET,
        ttl: Ttl::Relative(3_600),
        ..ValueBuf::new(2008, b"ownerCode", b"C088120")
    };
    ValueSet::from_bufs(&[
        ValueBuf::new(100, b"HS_ADMIN", &admin),
        ValueBuf::new(1001, b"TEMPLATE", b"EXC-1.2"),
        ValueBuf::new(2000, b"productName", "挖掘机".as_bytes()),
        ValueBuf::new(2002, b"serialNo", format!("XE215-{number:06}").as_bytes()),
        ValueBuf::new(2007, b"warrantyEnd", b"2028-03-10"),
        owner,
    ])
    .unwrap()
}

/// Form of the record of each key as the store holds it, and its bytes there.
fn stored_forms(dir: &std::path::Path, engine: Engine) -> Vec<(String, u8, usize)> {
    let (store, _) = waymark_store::open(&options(dir, engine).store).unwrap();
    let mut forms = Vec::new();
    store
        .scan_keys(&[0, u8::MAX], b"", &mut |entry| {
            let entry = entry.unwrap();
            forms.push((String::from_utf8_lossy(entry.key).into_owned(), entry.body[0], entry.body.len()));
            ControlFlow::Continue(())
        })
        .unwrap();
    store.close().unwrap();
    forms
}

#[test]
fn a_template_is_drafted_published_and_resolvable() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        home(&catalog, "88.1");
        assert_eq!(done(&catalog, draft("1.2")), Outcome::Drafted);
        assert_eq!(done(&catalog, draft("1.2")), Outcome::Same);
        assert_eq!(data(&catalog, "88.1/META_EXC-1.2"), None, "a draft resolves to nothing");
        let mut other = definition("1.2");
        other.title = "整机".into();
        let change = TemplateCommand::PutDraft { prefix: b"88.1".to_vec(), definition: Box::new(other) };
        assert_eq!(done(&catalog, change), Outcome::Changed);
        assert_eq!(done(&catalog, publish("1.2")), Outcome::Published);
        assert_eq!(done(&catalog, publish("1.2")), Outcome::Same);
        let record = fetch(&catalog, "88.1/meta_exc-1.2").unwrap();
        let value = record.stored().unwrap().values().unwrap().iter().next().unwrap();
        assert_eq!((value.index, value.kind, value.permissions.is_public_read()), (1, &b"WAYMARK_TEMPLATE"[..], true));
        let told: serde_json::Value = serde_json::from_slice(value.data).unwrap();
        assert_eq!((&told["v"], &told["title"], &told["version"]), (&1.into(), &"整机".into(), &"1.2".into()));
        assert_eq!(told["columns"][3]["visibility"], "administrators");
        assert_eq!(catalog.templates().get(&name("1.2")).unwrap().state, TemplateState::Published);
        assert_eq!((catalog.templates().len(), catalog.statistics().templates), (1, 1));
    }
}

#[test]
fn an_identifier_made_from_a_template_says_what_the_free_form_says_and_is_stored_by_column() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = begun(&dir, engine);
        let receipt = ask(&catalog, machine(1)).unwrap();
        assert_eq!((receipt.outcome, receipt.content), (Outcome::Created, free(1).content()));
        let free_form = Command::Put {
            handle: b"88.1/free".to_vec(),
            values: free(1),
            timestamps: Timestamps::Keep,
            mode: PutMode::Create,
        };
        assert_eq!(ask(&catalog, free_form).unwrap().content, receipt.content);
        done(&catalog, create("88.1/plain", "https://x/"));
        let record = fetch(&catalog, "88.1/xe.1").unwrap();
        let stored = record.stored().unwrap();
        assert_eq!((stored.handle(), record.body()[0]), (&b"88.1/Xe.1"[..], 1));
        catalog.shutdown().unwrap();
        drop(catalog);
        let forms = stored_forms(dir.path(), engine);
        let form =
            |key: &str| forms.iter().find(|(found, ..)| found == key).map(|(_, form, bytes)| (*form, *bytes)).unwrap();
        assert_eq!((form("88.1/XE.1").0, form("88.1/FREE").0, form("88.1/PLAIN").0), (2, 2, 1));
        assert!(form("88.1/XE.1").1 * 3 < record.body().len(), "{} of {}", form("88.1/XE.1").1, record.body().len());
    }
}

#[test]
fn every_way_to_a_record_gives_it_whole() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = begun(&dir, engine);
        write(&catalog, (1..=20).map(machine).collect());
        write(&catalog, vec![add("88.1/xe.1", 1_100, "more")]);
        write(&catalog, vec![Command::Suspend { handle: b"88.1/xe.2".to_vec(), reason: "recall".into() }]);
        let whole = |body: &[u8]| assert_eq!(body[0], 1);
        let handle = Handle::new(b"88.1/xe.1").unwrap();
        let versions = catalog.cold().history(&handle, None, 10).unwrap();
        assert_eq!(versions.len(), 2);
        versions.iter().for_each(|version| whole(version.record.as_ref().unwrap().body()));
        assert_eq!(versions[1].record.as_ref().unwrap().stored().unwrap().values().unwrap().len(), 6);
        let mut seen = 0;
        catalog
            .changes(Serial::NONE, b"88.1/XE", FeedLimits::DEFAULT, &mut |seen_here| {
                let Seen::Change(change) = seen_here else { panic!("damaged: {seen_here:?}") };
                whole(change.body.unwrap());
                assert!(change.stored().unwrap().unwrap().count() >= 6);
                seen += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(seen, 22);
        let mut out = Vec::new();
        let summary =
            run(&catalog, &mut out, &ExportOptions::new(Format::JsonLines), &mut |_| ControlFlow::Continue(()));
        assert_eq!(summary.unwrap().records, 21);
        assert_eq!(String::from_utf8(out).unwrap().matches("warrantyEnd").count(), 20 + 1, "and once in the template");
        let verified =
            audit::verify(catalog.store().as_ref(), &[], None, &mut |problem| panic!("{problem:?}")).unwrap();
        assert_eq!(verified.problems, 0);
        catalog.shutdown().unwrap();
        drop(catalog);
        // A tool that opens the store by itself.
        let (store, _) = waymark_store::open(&options(dir.path(), engine).store).unwrap();
        let store = widened(store).unwrap();
        let verified = audit::verify(store.as_ref(), &[], None, &mut |problem| panic!("{problem:?}")).unwrap();
        assert_eq!(verified.problems, 0);
        let mut records = 0;
        store
            .follow(Serial::NONE, &mut |entry| {
                if entry.kind == EntryKind::PUT && entry.key.starts_with(b"88.1/") {
                    whole(entry.body);
                    records += 1;
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(records, 23);
        store.close().unwrap();
    }
}

#[test]
fn nothing_changes_over_restart_crash_lost_state_and_rebuild() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = begun(&dir, engine);
        write(&catalog, (1..=50).map(machine).collect());
        done(&catalog, draft("1.3"));
        done(&catalog, TemplateCommand::PutDraft { prefix: b"88.1".to_vec(), definition: Box::new(definition("1.4")) });
        done(&catalog, TemplateCommand::DeleteDraft { template: name("1.4") });
        done(&catalog, enable("1.2", 2007, false));
        write(&catalog, vec![delete("88.1/xe.50")]);
        let shown = |catalog: &Catalog| {
            let templates = catalog.templates();
            let templates: Vec<String> =
                templates.iter().map(|it| format!("{} {:?} {}", it.name, it.state, it.definition.to_json())).collect();
            (templates, dump(catalog))
        };
        let before = shown(&catalog);
        assert_eq!((before.0.len(), before.1.len()), (2, 50));
        let crashed = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), crashed.path());
        let opened = open_at(crashed.path(), engine);
        assert_eq!((shown(&opened.catalog), opened.recovery.templates), (before.clone(), 2));
        opened.catalog.shutdown().unwrap();
        catalog.shutdown().unwrap();
        drop(catalog);
        for step in 0..3 {
            if step == 1 {
                lose_state(dir.path());
            }
            if step == 2 {
                rebuild(&options(dir.path(), engine)).unwrap();
            }
            let warm = waymark_catalog::Options { warm: Warm::BeforeOpen, ..options(dir.path(), engine) };
            let opened = open(&warm).unwrap();
            assert_eq!(shown(&opened.catalog), before);
            opened.catalog.shutdown().unwrap();
        }
        // Numbers are not given out again, so that what is written from now on is read by its own template.
        let opened = open_at(dir.path(), engine);
        done(
            &opened.catalog,
            TemplateCommand::PutDraft { prefix: b"88.1".to_vec(), definition: Box::new(definition("1.5")) },
        );
        done(&opened.catalog, publish("1.5"));
        done(&opened.catalog, made("88.1/new", "1.5", &[(2000, "a"), (2002, "b")], PutMode::Create));
        assert_eq!(data(&opened.catalog, "88.1/new").unwrap()[1..], ["EXC-1.5", "a", "b"]);
        opened.catalog.shutdown().unwrap();
    }
}

#[test]
fn neither_a_later_version_nor_a_disabled_column_changes_what_an_identifier_says() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, Engine::Log);
    done(&catalog, machine(1));
    let before = fetch(&catalog, "88.1/xe.1").unwrap();
    let mut next = definition("1.3");
    next.columns[2].kind = "guaranteeEnd".into();
    next.columns[3].visibility = Visibility::Public;
    next.columns.remove(0);
    assert_eq!(difference(&definition("1.2"), &next).len(), 4);
    done(&catalog, TemplateCommand::PutDraft { prefix: b"88.1".to_vec(), definition: Box::new(next) });
    done(&catalog, publish("1.3"));
    assert_eq!(done(&catalog, enable("1.2", 2007, false)), Outcome::Changed);
    assert_eq!(done(&catalog, enable("1.2", 2007, false)), Outcome::Same);
    assert_eq!(fetch(&catalog, "88.1/xe.1").unwrap(), before);
    assert!(matches!(ask(&catalog, machine(2)), Err(Refusal::FieldsWrong { .. })), "but no new one has the column");
    let told = data(&catalog, "88.1/META_EXC-1.2").unwrap().remove(0);
    assert!(told.contains("\"enabled\":false"));
    assert_eq!(done(&catalog, enable("1.2", 2007, true)), Outcome::Changed);
    assert_eq!(done(&catalog, machine(2)), Outcome::Created);
}

#[test]
fn records_from_before_a_template_and_changed_ones_stay_readable() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        home(&catalog, "88.1");
        let old = Command::Put {
            handle: b"88.1/old".to_vec(),
            values: free(7),
            timestamps: Timestamps::Now,
            mode: PutMode::Create,
        };
        let content = ask(&catalog, old).unwrap().content;
        // In one submission: what the group itself publishes is not left out yet.
        let together = vec![draft("1.2").into(), publish("1.2").into(), machine(1)];
        write(&catalog, together);
        done(&catalog, machine(2));
        let renamed = ValueBuf::new(2000, b"productName", b"crane");
        let modify = Command::ModifyValues {
            handle: b"88.1/xe.2".to_vec(),
            values: ValueSet::from_bufs(&[renamed]).unwrap(),
            timestamps: Timestamps::Now,
        };
        done(&catalog, modify);
        let (one, two) = (fetch(&catalog, "88.1/xe.1").unwrap(), fetch(&catalog, "88.1/xe.2").unwrap());
        catalog.shutdown().unwrap();
        drop(catalog);
        let forms: Vec<(String, u8)> =
            stored_forms(dir.path(), engine).into_iter().map(|(key, form, _)| (key, form)).collect();
        let expected = [("88.1/META_EXC-1.2", 1), ("88.1/OLD", 1), ("88.1/XE.1", 1), ("88.1/XE.2", 2)];
        assert_eq!(forms, expected.map(|(key, form)| (key.to_owned(), form)));
        let catalog = open_at(dir.path(), engine).catalog;
        let old = fetch(&catalog, "88.1/old").unwrap();
        let values = old.stored().unwrap().values().unwrap();
        assert_eq!(waymark_catalog::ContentHash::of(values), content);
        assert_eq!((fetch(&catalog, "88.1/xe.1").unwrap(), fetch(&catalog, "88.1/xe.2").unwrap()), (one, two));
        assert_eq!(data(&catalog, "88.1/xe.2").unwrap()[2], "crane");
        catalog.shutdown().unwrap();
    }
}

#[test]
fn single_values_keep_to_the_template_and_whole_records_speak_for_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, Engine::Log);
    done(&catalog, machine(1));
    let before = fetch(&catalog, "88.1/xe.1").unwrap();
    let (handle, timestamps) = (b"88.1/xe.1".to_vec(), Timestamps::Now);
    let values = |index: u32, kind: &str, text: &str| {
        ValueSet::from_bufs(&[ValueBuf::new(index, kind.as_bytes(), text.as_bytes())]).unwrap()
    };
    let modify = |values| Command::ModifyValues { handle: handle.clone(), values, timestamps };
    let remove = |index| Command::RemoveValues { handle: handle.clone(), indexes: vec![index] };
    for (command, expected) in [
        (add("88.1/xe.1", 3_000, "more"), (3000, "unknown")),
        (modify(values(2007, "warrantyEnd", "tomorrow")), (2007, "not-a-date")),
        (modify(values(2007, "guaranteeEnd", "2027-01-01")), (2007, "type-mismatch")),
        (modify(values(1001, "TEMPLATE", "EXC-9")), (1001, "fixed")),
        (remove(1001), (1001, "fixed")),
        (remove(2000), (2000, "missing")),
    ] {
        match ask(&catalog, command.clone()) {
            Err(Refusal::FieldsWrong { template, problems }) => {
                let told: Vec<_> = problems.iter().map(|it| (it.index, it.what.as_str())).collect();
                assert_eq!((template, told), (name("1.2"), vec![expected]));
            }
            other => panic!("{command:?}: {other:?}"),
        }
    }
    assert_eq!(fetch(&catalog, "88.1/xe.1").unwrap(), before);
    assert_eq!(done(&catalog, modify(values(2007, "warrantyEnd", "2027-01-01"))), Outcome::Changed);
    assert_eq!(done(&catalog, remove(2007)), Outcome::Changed);
    assert_eq!(done(&catalog, add("88.1/xe.1", 1_100, "beside the columns")), Outcome::Changed);
    let whole =
        Command::Put { handle: handle.clone(), values: values(3000, "more", "x"), timestamps, mode: PutMode::Replace };
    assert_eq!(done(&catalog, whole), Outcome::Replaced);
    assert_eq!(done(&catalog, add("88.1/xe.1", 3_001, "of no template now")), Outcome::Changed);
}

#[test]
fn what_is_wrong_is_refused_with_the_field_at_fault() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, Engine::Log);
    let problems = |pairs: &[(u32, &str)]| match ask(&catalog, made("88.1/x", "1.2", pairs, PutMode::Create)) {
        Err(Refusal::FieldsWrong { problems, .. }) => {
            problems.into_iter().map(|it| (it.index, it.kind, it.what.as_str())).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(
        problems(&[(2000, "x"), (2007, "tomorrow"), (2999, "y")]),
        [
            (2007, "warrantyEnd".to_owned(), FieldProblemCode::NotADate.as_str()),
            (2999, String::new(), "unknown"),
            (2002, "serialNo".to_owned(), "missing"),
        ]
    );
    let unknown = Refusal::TemplateNotFound { template: name("9") };
    assert_eq!(ask(&catalog, made("88.1/x", "9", &[], PutMode::Create)), Err(unknown.clone()));
    for command in [publish("9"), enable("9", 2000, false), TemplateCommand::DeleteDraft { template: name("9") }] {
        assert_eq!(ask(&catalog, command), Err(unknown.clone()));
    }
    done(&catalog, draft("2"));
    let not_published = Refusal::TemplateNotPublished { template: name("2") };
    assert_eq!(ask(&catalog, made("88.1/x", "2", &[], PutMode::Create)), Err(not_published.clone()));
    assert_eq!(ask(&catalog, enable("2", 2000, false)), Err(not_published));
    let mut changed = definition("1.2");
    changed.columns.remove(3);
    let published = Refusal::TemplatePublished { template: name("1.2") };
    let change = TemplateCommand::PutDraft { prefix: b"88.1".to_vec(), definition: Box::new(changed) };
    assert_eq!(ask(&catalog, change), Err(published.clone()));
    assert_eq!(ask(&catalog, TemplateCommand::DeleteDraft { template: name("1.2") }), Err(published));
    assert_eq!(done(&catalog, draft("1.2")), Outcome::Same, "said again it is what it is");
    let field = |result: Result<Receipt, Refusal>| match result {
        Err(Refusal::InvalidTemplate { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(ask(&catalog, enable("1.2", 2001, false))), "index");
    let bad = |change: &dyn Fn(&mut Definition)| {
        let mut definition = definition("3");
        change(&mut definition);
        ask(&catalog, TemplateCommand::PutDraft { prefix: b"88.1".to_vec(), definition: Box::new(definition) })
    };
    assert_eq!(field(bad(&|it| it.code = "a b".into())), "code");
    assert_eq!(field(bad(&|it| it.version = "v1".into())), "version");
    assert_eq!(field(bad(&|it| it.columns[0].index = 100)), "index");
    assert_eq!(
        field(bad(&|it| it.columns = (2000..2256)
            .map(|index| Column {
                values: (0..100).map(|n| format!("{n}")).collect(),
                ..column(index, &format!("n{index}"), &format!("t{index}"), DataType::Enum)
            })
            .collect())),
        "columns"
    );
    let elsewhere = |prefix: &[u8]| {
        ask(&catalog, TemplateCommand::PutDraft { prefix: prefix.to_vec(), definition: Box::new(definition("3")) })
    };
    assert_eq!(field(elsewhere(b"88/1")), "prefix");
    assert_eq!(elsewhere(b"88.9"), Err(Refusal::NotServed { prefix: b"88.9".to_vec() }));
    let foreign = Command::PutFromTemplate {
        handle: b"88.9/x".to_vec(),
        template: name("1.2"),
        fields: fields(&[(2000, "a"), (2002, "b")]),
        mode: PutMode::Create,
    };
    assert_eq!(ask(&catalog, foreign), Err(Refusal::NotServed { prefix: b"88.9".to_vec() }));
    done(&catalog, machine(1));
    assert!(matches!(ask(&catalog, machine(1)), Err(Refusal::AlreadyExists { same_content: true, .. })));
}

#[test]
fn the_record_of_a_published_template_changes_by_the_template_alone() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, Engine::Log);
    let handle = "88.1/meta_exc-1.2";
    for command in [
        put(handle, "x", PutMode::Replace),
        add(handle, 5, "x"),
        delete(handle),
        Command::RemoveValues { handle: handle.into(), indexes: vec![1] },
        Command::Suspend { handle: handle.into(), reason: String::new() },
        Command::Revoke { handle: handle.into(), reason: String::new() },
    ] {
        assert_eq!(ask(&catalog, command), Err(Refusal::TemplateRecord));
    }
    // A name that was taken by something else is not taken over.
    done(&catalog, create("88.1/META_EXC-2", "x"));
    done(&catalog, draft("2"));
    assert_eq!(ask(&catalog, publish("2")), Err(Refusal::TemplateHandleTaken { template: name("2") }));
    assert_eq!(done(&catalog, delete("88.1/META_EXC-2")), Outcome::Deleted, "of a draft there is no record yet");
    assert_eq!(done(&catalog, publish("2")), Outcome::Published);
}

#[test]
fn identifiers_under_other_prefixes_name_the_template_by_its_handle() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = begun(&dir, engine);
        home(&catalog, "88.2");
        done(&catalog, made("88.2/x", "1.2", &[(2000, "a"), (2002, "b")], PutMode::Create));
        let before = data(&catalog, "88.2/x").unwrap();
        assert_eq!(before[1..], ["88.1/META_EXC-1.2", "a", "b"]);
        catalog.shutdown().unwrap();
        drop(catalog);
        assert!(stored_forms(dir.path(), engine).iter().any(|(key, form, _)| key == "88.2/X" && *form == 2));
        let catalog = open_at(dir.path(), engine).catalog;
        assert_eq!(data(&catalog, "88.2/x").unwrap(), before);
        let named = catalog.templates().named(b"88.2", "88.1/META_EXC-1.2").unwrap().name.clone();
        assert_eq!(named, name("1.2"));
    }
}

#[test]
fn only_whoever_may_write_templates_under_a_prefix_does() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, Engine::Log);
    let principal = |name: &str, role, prefix: &str, daily_quota| Command::PutPrincipal {
        principal: Principal {
            name: name.into(),
            role,
            scope: Scope::parse([prefix]).unwrap(),
            disabled: false,
            rate_per_second: None,
            daily_quota,
            certificates: vec![[u8::try_from(name.len()).unwrap(); 32]],
            note: String::new(),
        },
    };
    write(
        &catalog,
        vec![
            principal("ea", Role::EnterpriseAdministrator, "88.1", Some(2)),
            principal("wri", Role::Writer, "88.1", None),
            principal("othe", Role::EnterpriseAdministrator, "88.2", None),
        ],
    );
    let by = |name: &str, command: Command| {
        let proof = Proof::Certificate([u8::try_from(name.len()).unwrap(); 32]);
        let actor = Actor::principal(name, proof, Origin { door: Door::Grpc, source: None });
        catalog.writer().submit(Submission::new(&actor, [command])).unwrap().wait().unwrap().remove(0)
    };
    for stranger in ["wri", "othe"] {
        for command in [draft("2"), publish("1.2"), enable("1.2", 2000, false)] {
            assert_eq!(by(stranger, command.into()), Err(Refusal::NotPermitted));
        }
    }
    assert_eq!(by("othe", machine(1)), Err(Refusal::NotPermitted));
    assert_eq!(by("wri", machine(1)).unwrap().outcome, Outcome::Created);
    assert_eq!(by("ea", draft("2").into()).unwrap().outcome, Outcome::Drafted);
    assert_eq!(by("ea", publish("2").into()).unwrap().outcome, Outcome::Published);
    assert_eq!(by("ea", machine(2)).unwrap().outcome, Outcome::Created);
    assert!(
        matches!(by("ea", machine(3)), Err(Refusal::QuotaExceeded { quota: 2, .. })),
        "its record counts, its draft does not"
    );
    assert_eq!(catalog.usage("ea"), 2);
}

#[test]
fn an_order_sent_again_is_carried_out_once_and_expectations_hold() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, Engine::Log);
    let id = uuid::Builder::from_unix_timestamp_millis(catalog.now().0, &[7; 10]).into_uuid();
    let send = |command: Command| {
        let order = waymark_catalog::Order::from(command);
        let digest = command_digest(&order);
        let submission = Submission::new(&Actor::operator(), [order]).as_request(Request { id, digest });
        catalog.writer().submit(submission).unwrap().wait().unwrap().remove(0)
    };
    let first = send(machine(1)).unwrap();
    let again = send(machine(1)).unwrap();
    assert_eq!((again.serial, again.repeated, again.content), (first.serial, true, first.content));
    assert_eq!(send(machine(2)), Err(Refusal::RequestReused));
    let replace = made("88.1/xe.1", "1.2", &[(2000, "a"), (2002, "b")], PutMode::Replace);
    let order = waymark_catalog::Order { command: replace, expect: Some(waymark_catalog::Expect::Absent) };
    let refused = catalog
        .writer()
        .submit(Submission::new(&Actor::operator(), [order.clone()]))
        .unwrap()
        .wait()
        .unwrap()
        .remove(0);
    assert!(matches!(refused, Err(Refusal::Unexpected { .. })));
    let order = waymark_catalog::Order { expect: Some(waymark_catalog::Expect::Serial(first.serial)), ..order };
    let replaced =
        catalog.writer().submit(Submission::new(&Actor::operator(), [order])).unwrap().wait().unwrap().remove(0);
    assert_eq!(replaced.unwrap().outcome, Outcome::Replaced);
    assert_eq!(data(&catalog, "88.1/xe.1").unwrap()[2..], ["a", "b"]);
}
