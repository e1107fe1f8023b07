//! The starter templates that come with the program: each is one that can be taken, and says what the samples of its industry say.
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
use std::path::Path;

use common::{home, open_at, write};
use waymark_catalog::import::{self, Format, ImportOptions};
use waymark_catalog::template::{
    ColumnRole, DEFINITION_TYPE, DateFormat, Definition, FieldValue, TemplateCommand, TemplateName,
};
use waymark_catalog::verdict::{DateForm, DateText};
use waymark_catalog::{Catalog, Command, Outcome, PutMode};
use waymark_ident::Date;
use waymark_store::Engine;

fn starters() -> Vec<Definition> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/templates");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let definition = Definition::from_json(&std::fs::read_to_string(path).unwrap());
        let definition = definition.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = format!("{}-{}.json", definition.code, definition.version).to_lowercase();
        assert_eq!(path.file_name().unwrap().to_str().unwrap(), name);
        definition
    };
    files.iter().map(read).collect()
}

fn samples() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/identifiers.jsonl");
    std::fs::read_to_string(path).unwrap()
}

/// Drafts and publishes a template under a prefix.
fn publish(catalog: &Catalog, prefix: &[u8], definition: &Definition) {
    let template = TemplateName::new(prefix, &definition.code, &definition.version).unwrap();
    let draft = TemplateCommand::PutDraft { prefix: prefix.to_vec(), definition: Box::new(definition.clone()) };
    write(catalog, vec![draft.into(), TemplateCommand::Publish { template }.into()]);
}

#[test]
fn every_starter_template_can_be_published() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    let starters = starters();
    assert_eq!(starters.len(), 22);
    for definition in &starters {
        publish(&catalog, b"88.1", definition);
        let name = TemplateName::new(b"88.1", &definition.code, &definition.version).unwrap();
        let taken = catalog.templates().get(&name).unwrap().definition.clone();
        assert_eq!(&taken, definition, "columns in order, the code in capitals");
        let record = common::fetch(&catalog, &name.to_string()).unwrap();
        let record = record.stored().unwrap().values().unwrap().iter().next().unwrap().kind.to_vec();
        assert_eq!(record, DEFINITION_TYPE.as_bytes());
    }
}

#[test]
fn goods_that_are_eaten_or_used_on_people_have_an_expiry_and_a_batch() {
    for definition in starters() {
        let code = definition.code.as_str();
        let perishable = matches!(code, "ZSL-BATCH" | "ZSL-ITEM" | "DRUG-TRACE" | "UDI" | "IMPORT-COLD");
        assert_eq!(definition.column_of(ColumnRole::Expiry).is_some(), perishable, "{code}");
        assert!(!perishable || definition.column_of(ColumnRole::Batch).is_some(), "{code}");
    }
    let starters = starters();
    let udi = starters.iter().find(|it| it.code == "UDI").unwrap();
    assert_eq!(udi.column_of(ColumnRole::Expiry).unwrap().form, DateFormat::Gs1);
}

/// Every sample that names a starter template is made from it: the same values to the byte, timestamps aside, so that creating it again is no change.
#[test]
fn the_samples_are_what_their_templates_make_of_their_values() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    let samples = samples();
    let options = ImportOptions { home: true, ..ImportOptions::new(Format::JsonLines) };
    import::run(&catalog, samples.as_bytes(), &options, None, &mut |_| ControlFlow::Continue(())).unwrap();
    let (mut made, mut dated) = (0, 0);
    for line in samples.lines() {
        let sample: serde_json::Value = serde_json::from_str(line).unwrap();
        let handle = sample["handle"].as_str().unwrap();
        let values = sample["values"].as_array().unwrap();
        let Some(named) = values.iter().find(|value| value["type"] == "TEMPLATE") else { continue };
        let prefix = handle.split('/').next().unwrap().as_bytes();
        let template = TemplateName::parse_in(prefix, named["data"]["value"].as_str().unwrap()).unwrap();
        let definition =
            starters().into_iter().find(|it| it.code == template.code() && it.version == template.version());
        let Some(definition) = definition else {
            assert_eq!(template.code(), "EDGE", "the cases at the edge are of no industry");
            continue;
        };
        if catalog.templates().get(&template).is_none() {
            publish(&catalog, prefix, &definition);
        }
        let fields = values.iter().filter(|value| value["index"].as_u64().unwrap() >= 2_000);
        let fields = fields.map(|value| FieldValue {
            index: u32::try_from(value["index"].as_u64().unwrap()).unwrap(),
            kind: value["type"].as_str().unwrap().into(),
            text: value["data"]["value"].as_str().unwrap().into(),
        });
        let command = Command::PutFromTemplate {
            handle: handle.into(),
            template,
            fields: fields.collect(),
            mode: PutMode::CreateOrSame,
        };
        assert_eq!(write(&catalog, vec![command])[0].outcome, Outcome::Same, "{handle}");
        made += 1;
        let record = common::fetch(&catalog, handle).unwrap();
        let templates = catalog.templates();
        let marked = templates.marked(prefix, record.stored().unwrap().values().unwrap());
        if definition.column_of(ColumnRole::Expiry).is_some() {
            let day = marked.expiry.and_then(|text| DateText::read(text, Date::new(2026, 11, 29).unwrap()));
            assert!(day.is_some() && marked.batch.is_some(), "{handle}");
            assert!(marked.expiry.unwrap().form == DateForm::Iso || definition.code == "UDI");
            dated += 1;
        }
    }
    assert_eq!((made, dated), (55, 16));
}
