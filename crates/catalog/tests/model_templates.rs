//! Random drafts, publications and disabled columns, identifiers made from templates and edited, against plain maps: the same answers before and after
//! restarts, crashes and the loss of the state, on both engines; and what is issued never changes with its template.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;

use common::{Ending, data, delete, home, open_at, put, reopen, try_write};
use proptest::prelude::*;
use waymark_catalog::template::{
    Column, DataType, DateFormat, Definition, FieldValue, Industry, ObjectType, TemplateCommand, TemplateName,
    Visibility,
};
use waymark_catalog::{Catalog, Command, PutMode, Timestamps, ValueSet};
use waymark_store::Engine;
use waymark_wire::ValueBuf;

/// What a test does next. Versions, identifiers and columns are small numbers; texts are `t0` to `t3`.
#[derive(Clone, Debug)]
enum Step {
    Draft(u8, u8),
    Publish(u8),
    Enable(u8, u8, bool),
    DeleteTemplate(u8),
    /// Identifier, version, which columns, text, whether it replaces.
    Make(u8, u8, Vec<u8>, u8, bool),
    /// Written freely, without a template.
    PutFree(u8),
    Modify(u8, u8, u8),
    AddBeside(u8, u8),
    Remove(u8, u8),
    Delete(u8),
    Restart(Ending),
}

const VERSIONS: u8 = 3;
const NAMES: u8 = 4;
const COLUMNS: u8 = 4;
/// The first column is required.
const REQUIRED: u8 = 0;

fn step() -> impl Strategy<Value = Step> {
    let (version, name, column) = (|| 0..VERSIONS, || 0..NAMES, || 0..COLUMNS);
    prop_oneof![
        3 => (version(), 1..=COLUMNS).prop_map(|(version, columns)| Step::Draft(version, columns)),
        3 => version().prop_map(Step::Publish),
        2 => (version(), column(), any::<bool>()).prop_map(|(version, column, on)| Step::Enable(version, column, on)),
        1 => version().prop_map(Step::DeleteTemplate),
        6 => (name(), version(), prop::collection::vec(column(), 0..4), 0_u8..4, any::<bool>())
            .prop_map(|(name, version, columns, text, replace)| Step::Make(name, version, columns, text, replace)),
        1 => name().prop_map(Step::PutFree),
        4 => (name(), column(), 0_u8..4).prop_map(|(name, column, text)| Step::Modify(name, column, text)),
        1 => (name(), 0_u8..4).prop_map(|(name, text)| Step::AddBeside(name, text)),
        3 => (name(), column()).prop_map(|(name, column)| Step::Remove(name, column)),
        1 => name().prop_map(Step::Delete),
        1 => prop::sample::select(&Ending::ALL[..]).prop_map(Step::Restart),
    ]
}

fn handle(number: u8) -> String {
    format!("88.1/m{number}")
}

fn index(column: u8) -> u32 {
    2_000 + u32::from(column)
}

fn kind(column: u8) -> String {
    format!("column{column}")
}

fn name(version: u8) -> TemplateName {
    TemplateName::new(b"88.1", "T", &format!("1.{version}")).unwrap()
}

fn definition(version: u8, columns: u8) -> Definition {
    let column = |number: u8| Column {
        index: index(number),
        name: format!("列{number}"),
        kind: kind(number),
        data: DataType::String,
        required: number == REQUIRED,
        min: 0,
        max: 8,
        decimals: None,
        form: DateFormat::Iso,
        values: Vec::new(),
        unit: String::new(),
        visibility: Visibility::Public,
        role: None,
        ttl: 86_400,
        enabled: true,
    };
    Definition {
        code: "T".into(),
        version: format!("1.{version}"),
        title: "模板".into(),
        object_type: ObjectType::Other,
        industry: Industry { category: "C".into(), ..Industry::default() },
        administrator: None,
        columns: (0..columns).map(column).collect(),
    }
}

fn one(index: u32, kind: &str, text: &str) -> ValueSet {
    ValueSet::from_bufs(&[ValueBuf::new(index, kind.as_bytes(), text.as_bytes())]).unwrap()
}

#[derive(Clone, Debug)]
struct Template {
    published: bool,
    /// Whether each column is enabled.
    columns: Vec<bool>,
}

#[derive(Clone, Debug, Default)]
struct Record {
    /// The version it names.
    version: Option<u8>,
    values: BTreeMap<u32, String>,
}

#[derive(Default)]
struct Model {
    templates: BTreeMap<u8, Template>,
    records: BTreeMap<u8, Record>,
}

impl Model {
    /// The command of a step, and whether it is taken; what is taken has been done here.
    fn take(&mut self, step: &Step) -> (Command, bool) {
        match step {
            Step::Draft(version, columns) => {
                let draft = Template { published: false, columns: vec![true; usize::from(*columns)] };
                let command = TemplateCommand::PutDraft {
                    prefix: b"88.1".to_vec(),
                    definition: Box::new(definition(*version, *columns)),
                };
                let published = self.templates.get(version).filter(|template| template.published);
                // What is published may be said again, as it is.
                let taken = published.is_none_or(|published| published.columns == draft.columns);
                if published.is_none() {
                    self.templates.insert(*version, draft);
                }
                (command.into(), taken)
            }
            Step::Publish(version) => {
                let known = self.templates.get_mut(version);
                let taken = known.is_some();
                if let Some(template) = known {
                    template.published = true;
                }
                (TemplateCommand::Publish { template: name(*version) }.into(), taken)
            }
            Step::Enable(version, column, enabled) => {
                let template = self.templates.get_mut(version).filter(|template| template.published);
                let place = template.and_then(|template| template.columns.get_mut(usize::from(*column)));
                let taken = place.is_some();
                if let Some(place) = place {
                    *place = *enabled;
                }
                let command = TemplateCommand::EnableColumn {
                    template: name(*version),
                    index: index(*column),
                    enabled: *enabled,
                };
                (command.into(), taken)
            }
            Step::DeleteTemplate(version) => {
                let is_draft = self.templates.get(version).is_some_and(|template| !template.published);
                if is_draft {
                    self.templates.remove(version);
                }
                (TemplateCommand::DeleteDraft { template: name(*version) }.into(), is_draft)
            }
            Step::Make(number, version, columns, text, replace) => {
                let text = format!("t{text}");
                let fields = columns
                    .iter()
                    .map(|column| FieldValue { index: index(*column), kind: String::new(), text: text.clone() })
                    .collect();
                let mode = if *replace { PutMode::Replace } else { PutMode::Create };
                let command =
                    Command::PutFromTemplate { handle: handle(*number).into(), template: name(*version), fields, mode };
                let template = self.templates.get(version).filter(|template| template.published);
                let distinct = columns.iter().collect::<std::collections::BTreeSet<_>>().len() == columns.len();
                let enabled = |column: &u8| {
                    template.is_some_and(|template| template.columns.get(usize::from(*column)) == Some(&true))
                };
                let required = columns.contains(&REQUIRED) || !enabled(&REQUIRED);
                let sound = template.is_some() && distinct && columns.iter().all(enabled) && required;
                let taken = sound && (*replace || !self.records.contains_key(number));
                if taken {
                    let values = columns.iter().map(|column| (index(*column), text.clone())).collect();
                    self.records.insert(*number, Record { version: Some(*version), values });
                }
                (command, taken)
            }
            Step::PutFree(number) => {
                let values = BTreeMap::from([(1, "u".to_owned())]);
                self.records.insert(*number, Record { version: None, values });
                (put(&handle(*number), "u", PutMode::Replace), true)
            }
            Step::Modify(number, column, text) => {
                let values = one(index(*column), &kind(*column), &format!("t{text}"));
                let held = self.records.get_mut(number).and_then(|record| record.values.get_mut(&index(*column)));
                let taken = held.is_some();
                if let Some(held) = held {
                    *held = format!("t{text}");
                }
                let timestamps = Timestamps::Now;
                (Command::ModifyValues { handle: handle(*number).into(), values, timestamps }, taken)
            }
            Step::AddBeside(number, text) => {
                let record = self.records.get_mut(number);
                let taken = record.as_ref().is_some_and(|record| !record.values.contains_key(&1_100));
                if let Some(record) = record.filter(|_| taken) {
                    record.values.insert(1_100, format!("t{text}"));
                }
                (common::add(&handle(*number), 1_100, &format!("t{text}")), taken)
            }
            Step::Remove(number, column) => {
                let is_held_to = |record: &Record| {
                    record.version.and_then(|version| self.templates.get(&version)).is_some_and(|template| {
                        *column == REQUIRED && template.columns.get(usize::from(*column)) == Some(&true)
                    })
                };
                let taken = self
                    .records
                    .get(number)
                    .is_some_and(|record| record.values.contains_key(&index(*column)) && !is_held_to(record));
                if let Some(record) = self.records.get_mut(number).filter(|_| taken) {
                    record.values.remove(&index(*column));
                }
                (Command::RemoveValues { handle: handle(*number).into(), indexes: vec![index(*column)] }, taken)
            }
            Step::Delete(number) => (delete(&handle(*number)), self.records.remove(number).is_some()),
            Step::Restart(_) => unreachable!("no command"),
        }
    }

    fn compare(&self, catalog: &Catalog) {
        for number in 0..NAMES {
            let expected = self.records.get(&number).map(|record| {
                let named = record.version.map(|version| (1_001, format!("T-1.{version}")));
                let all: BTreeMap<u32, String> = record.values.clone().into_iter().chain(named).collect();
                all.into_values().collect::<Vec<_>>()
            });
            assert_eq!(data(catalog, &handle(number)), expected, "{number}");
        }
        for version in 0..VERSIONS {
            let known = catalog.templates().get(&name(version)).map(|template| {
                let columns = template.definition.columns.iter().map(|column| column.enabled).collect::<Vec<_>>();
                (template.is_published(), columns)
            });
            let expected = self.templates.get(&version).map(|it| (it.published, it.columns.clone()));
            assert_eq!(known, expected, "{version}");
        }
    }
}

fn run(engine: Engine, steps: &[Step]) {
    let root = tempfile::tempdir().unwrap();
    let mut folder: PathBuf = root.path().join("0");
    let mut catalog = open_at(&folder, engine).catalog;
    home(&catalog, "88.1");
    let mut model = Model::default();
    for (number, step) in steps.iter().enumerate() {
        let Step::Restart(ending) = step else {
            let (command, taken) = model.take(step);
            let result = try_write(&catalog, vec![command]).unwrap().remove(0);
            assert_eq!(result.is_ok(), taken, "step {number}, {step:?}: {result:?}");
            continue;
        };
        let crashed = root.path().join((number + 1).to_string());
        catalog = reopen(catalog, *ending, &mut folder, crashed, engine);
        model.compare(&catalog);
    }
    model.compare(&catalog);
    catalog.shutdown().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn templates_and_what_is_made_from_them_are_as_the_model_says(
        steps in prop::collection::vec(step(), 1..60),
        sled in any::<bool>(),
    ) {
        run(if sled { Engine::Sled } else { Engine::Log }, &steps);
    }
}
